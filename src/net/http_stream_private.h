/* http_stream_private.h - what http_stream.c and websocket.c share: the queue, and who has to be woken. */
#pragma once
#include "net/http_private.h"
#include "net/http_stream.h"

struct http_piece {
    struct http_piece *next;
    uint64_t weight;
    size_t n;
    char bytes[];
};

/* Two references: the writer's handle and the transport's (the response of libmicrohttpd, or the socket). */
struct http_stream {
    struct http_core *core;
    _Atomic int refs;
    struct http_stream *next, *prev; /* core->mu */

    pthread_mutex_t mu; /* the rest; taken after core->mu */
    struct http_piece *head, *tail;
    size_t n, bytes;
    size_t head_sent; /* bytes of head that are on the wire: it is not dropped any more */
    uint64_t dropped;
    bool ended, gone;
    bool listed; /* counted against HTTP_STREAMS_MAX; core->mu */

    struct MHD_Connection *mhd; /* chunked; NULL for a WebSocket */
    struct http_conn *conn;
    bool suspended; /* whoever clears it resumes mhd */

    struct http_sockets *sockets; /* WebSocket; NULL when chunked */
};

struct http_stream *http_stream_new(struct http_exchange *); /* NULL: too many; answered with 503 */
void http_stream_unref(struct http_stream *);

/* For websocket.c: the next piece taken out of the queue, or NULL. Yours to free. */
struct http_piece *http_stream_take(struct http_stream *);

/* websocket.c */
void http_sockets_wake(struct http_sockets *);
void http_sockets_unref(struct http_sockets *); /* NULL is fine */
