/* ingest.h - what all doors for pushed telemetry share: unpacking a body, writing the batch made of it, and
 * answering once the rows are durable; counted by protocol.
 *
 *     struct ingest_request *q = ingest_begin(in, exchange);
 *     if (ingest_body(q, UNPACK_SNAPPY, &body, &e) < 0) { ingest_refuse(q, &e); return; }
 *     decode(body, ..., &q->arena, &q->batch, &q->refused, ...);
 *     of logs and spans: ingest_decode(q, TABLE_SPANS, zipkin_json, body, &e)
 *     ingest_write(q);           // a negative code: nothing was kept, and q->err says why
 *     ingest_finish(q, answer);  // answer(q) is called once, when the write and its durability are settled
 *
 * Threads: a request belongs to its server thread until ingest_finish; `answer` runs there or on the store's
 * committer. */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "base/stat.h"
#include "decode/record_report.h"
#include "decode/unpack.h"
#include "model/store.h"
#include "model/tap.h"
#include "net/http_server.h"
#include "receive/limit.h"
#include "receive/policy.h"

#define INGEST_CODES  13
#define INGEST_ERRORS 16

struct ingest {
    struct store *store;
    struct limit limit;
    const char *protocol;
    struct stat *samples, *bytes;
    _Atomic(struct stat *) records[TABLE_COUNT];   /* made when first needed */
    const struct record_taps *taps;                /* NULL: nobody; set before the doors open */
    const struct policy *policy;                   /* NULL: none; likewise */
    _Atomic(struct stat *) requests[INGEST_CODES]; /* by status; made when first needed */
    _Atomic(struct stat *)
        failed[INGEST_ERRORS]; /* whole requests refused, by -code of the error; likewise */
};

struct ingest_request {
    struct ingest *in;
    struct http_exchange *x;
    struct arena arena; /* body and batch; gone when the store has them */
    size_t body_bytes;  /* as it came, held beside the arena */
    bool is_crowded;    /* decoding was stopped for want of memory: others have it */
    struct batch batch;
    struct records logs, spans;  /* those begun with ingest_records */
    struct policy_run run;       /* of ingest_options */
    struct record_report report; /* of the decoder of records */
    struct write_result refused; /* by decoder and limits; the store's own are added by ingest_write */
    struct write_result kept;    /* what the store says */
    int rc;                      /* OK, or why nothing was kept or made durable */
    struct err err;
    int form;   /* the door's own: which version of its protocol */
    void *door; /* the door's own, for its answer; in http_arena(x) */
    void (*answer)(struct ingest_request *);
    atomic_int open; /* parties that may still fail: the caller, and the store until durable */
};

/* protocol: a literal, the label of the counters. */
void ingest_init(struct ingest *, const char *protocol, struct store *, const struct limit *);

/* No exchange (NULL): a door that is not HTTP counts its bytes and, with ingest_count, its answers itself. */
struct ingest_request *ingest_begin(struct ingest *, struct http_exchange *);
/* From now on what it takes counts against the ceiling of all requests under way; with an exchange that is so
 * from the start. For senders who come again when they are told that it is too much now. */
void ingest_in_flight(struct ingest_request *, size_t body_bytes);

/* The unpacked body. absent: the coding when there is no Content-Encoding. */
int ingest_body(struct ingest_request *, enum unpack_coding absent, struct str *body, struct err *);

/* Where the decoder puts this table's records; begun at the first call. */
struct records *ingest_records(struct ingest_request *, enum table);
/* What a sender that repeats the request will send again: a body that was written within the last minutes is
 * acknowledged, and not written twice. Matters to logs and spans only. */
void ingest_identify(struct ingest_request *, struct str body);

/* Logs or spans: the policy applied, the account in q->report and q->refused. */
int ingest_decode(struct ingest_request *, enum table, record_decoder *, struct str body, struct err *);
/* The same in steps, for decoders of another form: what they want to know, and afterwards. body: what a
 * repetition is known by; empty: not at all. */
const struct record_options *ingest_options(struct ingest_request *, enum table);
void ingest_decoded(struct ingest_request *, struct str body);

/* Checks times, redacts labels, writes with ACK_DURABLE. An empty batch is a success without a write. Returns
 * q->rc. */
int ingest_write(struct ingest_request *);
/* After ingest_write has failed: the same batch once more. */
int ingest_write_again(struct ingest_request *);

/* Hands the request over: answer(q) is called once, must answer q->x, and q is freed after it. */
void ingest_finish(struct ingest_request *, void (*answer)(struct ingest_request *));

/* Rows refused by anyone, and the first reason given. */
uint64_t ingest_refused(const struct ingest_request *);
const char *ingest_why(const struct ingest_request *);

/* Answers: counted, and for codes that ask to come back later with Retry-After. */
void ingest_answer(struct ingest_request *, int status, const char *content_type, struct str body);
void ingest_answer_text(struct ingest_request *, int status, const char *text);
int ingest_status(int rc); /* HTTP status of an error code: 400, 413, 415, 429, 500, 507 */
void ingest_count(struct ingest *, int status); /* one answer more */
/* For a request that never got as far as ingest_finish: answers with e's status and text, and frees it. */
void ingest_refuse(struct ingest_request *, const struct err *);
