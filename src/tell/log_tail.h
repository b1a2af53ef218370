/* log_tail.h - lines as they come: who follows them, and what they look like.
 *
 *     receive ──tap──> queue of chunks ──hub thread──> each tail's question ──> a frame ──> its stream
 *                       (bounded)                └──> pattern miner
 *
 * The receiving thread only copies packed records, and nothing at all while nobody follows and no patterns
 * are kept. What does not fit is dropped, oldest first, counted, and told to the followers. */
#pragma once
#include "derive/log_pattern.h"
#include "model/tap.h"
#include "net/http_stream.h"
#include "query/logql/logql.h"
#include "tell/log_filter.h"

#define LOG_TAILS_MAX 100

struct log_tail_hub;

struct log_tail_conf {
    size_t max_patterns; /* of live lines; 0 = 4096 */
    bool no_patterns;    /* do not mine what comes */
    size_t queue_bytes;  /* of records waiting for the hub; 0 = 32 MiB */
};

struct log_tail_hub *log_tail_start(const struct log_tail_conf *);
struct record_tap log_tail_tap(struct log_tail_hub *); /* to be put among the taps before the doors open */
/* After the doors have closed and before the HTTP server is freed. Followers are let go. NULL is fine. */
void log_tail_stop(struct log_tail_hub *);

enum log_tail_form {
    LOG_TAIL_LOKI,        /* {"streams":[...],"dropped_entries":[...]} */
    LOG_TAIL_CATEGORISED, /* the same; labels of a line beside those of its stream */
    LOG_TAIL_EVENTS,      /* server-sent events: a log record each, as GET /api/v1/logs gives it */
};

struct log_tail_ask {
    enum log_tail_form form;
    struct logql_tail *query;  /* taken; NULL: filter decides */
    struct log_filter *filter; /* taken; NULL: all */
};

/* Follow; stream and question are taken. *out: when it is not NULL, lines are held back until log_tail_begin,
 * which must follow. ERR_BUSY: too many followers. */
struct log_tail;
int log_tail_follow(struct log_tail_hub *, const struct log_tail_ask *, struct http_stream *,
                    struct log_tail **out, struct err *);
/* The lines of history are told first, and not again when they come by; NULL: none. Taken, on the heap. */
void log_tail_begin(struct log_tail_hub *, struct log_tail *, struct logql_result *history);

/* ---- live patterns ---- */

struct live_pattern {
    struct log_pattern pattern;
    struct str service;
    bool is_new; /* of the last hour, and not of the first ten minutes of this server */
};
/* Borrowed during the visit; the hub waits meanwhile. False: patterns are not kept. */
bool log_tail_patterns(struct log_tail_hub *, void (*visit)(void *ctx, const struct live_pattern *),
                       void *ctx);
