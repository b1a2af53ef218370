/* http_private.h - what the files of the HTTP server share (http_server, http_exchange, http_answer,
 * http_house). */
#pragma once
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/http_router.h"
#include "net/http_server.h"

#define HTTP_PEER_MAX 48
#define HTTP_REFUSALS 5

struct stat;

/* A TCP connection, from accept to close. Its daemon thread writes, the house thread reads. */
struct http_conn {
    struct http_conn *next, *prev; /* house.mu */
    int fd;
    char peer[HTTP_PEER_MAX];
    _Atomic unsigned requests; /* heads received so far */
    _Atomic bool in_body;      /* a body is on its way */
    _Atomic size_t body_bytes; /* of this body, so far */
    unsigned seen_requests;    /* the rest is the house thread's notebook */
    uint64_t seen_bytes;
    int64_t since_ms;
    bool seen_body, head_begun;
    _Atomic bool upgraded; /* a WebSocket by now: what it sends is no request (websocket.c) */
};

/*  NEW ──dispatch──> RUNNING ──answer──────────────────────> ANSWERED ──> queued, sent, freed
 *                       │                                      ↑
 *                       └─handler returned──> SUSPENDED ──answer, resume
 *                                                 └──stop──> ABANDONED (client got 503; a late answer only
 * frees)
 *
 * Each arrow is one compare-and-swap; who makes it owns what follows. Two references: libmicrohttpd's (until
 * the request is completed) and the handler's (until it answers). */
enum http_state { HTTP_NEW, HTTP_RUNNING, HTTP_SUSPENDED, HTTP_ANSWERED, HTTP_ABANDONED };

struct http_core; /* all that an exchange may need after the server was freed */

struct http_exchange {
    struct http_core *core;
    struct http_conn *conn;
    struct MHD_Connection *mhd;
    _Atomic int state;
    _Atomic int refs;
    _Atomic bool gone;
    struct http_exchange *next, *prev; /* suspended ones; core->mu */

    struct arena arena;
    void *slot; /* http_slot */
    struct str method, target, path, query;
    char peer[HTTP_PEER_MAX];
    struct http_pair *fields;
    size_t n_fields;
    struct http_params params;
    struct http_match match;
    char *body;
    size_t body_n, body_cap, body_declared; /* declared: 0 when unknown */
    size_t body_discarded;
    bool has_body, begun, close_after;
    int refused; /* a status: the body is thrown away, then this is answered */
    const char *refused_why;
    int64_t begun_ns;

    struct http_pair *extra; /* answer headers */
    size_t n_extra, cap_extra;
    struct MHD_Response *response;  /* written before ANSWERED */
    struct http_stream *unupgraded; /* a WebSocket's, until its socket has been handed over */
    int status;
};

struct http_core {
    _Atomic int refs; /* the server's, and one for each exchange */
    pthread_mutex_t mu;
    struct http_exchange *suspended; /* mu */
    bool stopping;                   /* mu */
    struct http_stream *streams;     /* mu; answers that go on (http_stream.c) */
    size_t n_streams;                /* mu */
    bool no_sockets;                 /* mu; stopping, as far as they are concerned */
    struct http_sockets *sockets;    /* mu; the thread of WebSockets, once there was one (websocket.c) */
    _Atomic bool draining;           /* answers say Connection: close */
    _Atomic size_t active;           /* exchanges not completed */
    _Atomic size_t inflight;         /* bytes of bodies */
    _Atomic size_t connections;
    size_t max_body, max_inflight;
    struct http_router router;

    pthread_mutex_t house_mu;
    pthread_cond_t house_wake;
    struct http_conn *conns; /* house_mu */
    bool house_stop;         /* house_mu */
    pthread_t house;
    bool house_runs;

    _Atomic(struct stat *) unrouted[HTTP_CODE_CLASSES];
    struct stat *refused[HTTP_REFUSALS], *slow_closed;
};

void http_core_unref(struct http_core *);
void http_count_refused(struct http_core *, int status); /* before any handler */

/* http_exchange.c: libmicrohttpd's callbacks; cls is the core. */
void *http_on_target(void *cls, const char *uri, struct MHD_Connection *);
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *, const char *url, const char *method,
                                const char *version, const char *data, size_t *n, void **exchange);
void http_on_completed(void *cls, struct MHD_Connection *, void **exchange, enum MHD_RequestTerminationCode);
void http_exchange_unref(struct http_exchange *);
void http_exchange_drop_body(struct http_exchange *);
/* Make x ANSWERED, and wake its connection when it sleeps. False when the client has been given up on. */
bool http_exchange_settle(struct http_exchange *);
void http_abandon_suspended(struct http_core *); /* from stop: every suspended exchange gets its 503 */

/* http_answer.c */
enum MHD_Result http_answer_queue(struct http_exchange *, struct MHD_Connection *);
void http_answer_error(struct http_exchange *, int status, const char *why); /* JSON below /api, else text */
enum MHD_Result http_answer_abandoned(struct MHD_Connection *);
/* Any response; taken. The exchange is gone. */
void http_answer_response(struct http_exchange *, int status, const char *type, struct MHD_Response *);

/* http_stream.c */
struct http_stream;
struct http_stream *http_stream_next(struct http_stream *); /* core->mu is held for these three */
int http_stream_sleeping_fd(struct http_stream *);
void http_stream_hung_up(struct http_stream *);
void http_stream_lost(struct http_stream *);  /* the transport is gone: nothing more will be read */
void http_streams_finish(struct http_core *); /* from stop: all end once what is queued has been sent */
/* websocket.c */
void http_sockets_stop(struct http_core *);

/* http_house.c */
void http_on_connection(void *cls, struct MHD_Connection *, void **conn, enum MHD_ConnectionNotificationCode);
int http_house_start(struct http_core *, struct err *);
void http_house_stop(struct http_core *);
