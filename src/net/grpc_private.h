/* grpc_private.h - what the files of the gRPC server share (grpc_server: loop and queue, grpc_conn: bytes and
 * frames, grpc_call: one request and its answer). All fields belong to the loop thread unless they say
 * otherwise. */
#pragma once
#include <gnutls/gnutls.h>
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/grpc_server.h"
#include "net/grpc_wire.h"
#include "net/http_params.h"

#define GRPC_STATUSES (GRPC_UNAUTHENTICATED + 1)

struct stat;

/* What a late answer needs: outlives the server. */
struct grpc_core {
    _Atomic int refs; /* the server's, and one for each call */
    pthread_t loop;   /* written before the first call exists */
    pthread_mutex_t mu;
    struct grpc_call *answered, *answered_last; /* mu */
    bool closed;                                /* mu: nobody takes answers any more */
    int wake_fd;                                /* mu while not closed */
};

struct grpc_entry {
    const struct grpc_method *method;
    void *ctx;
    struct stat *answered[GRPC_STATUSES];
};

/*  READING ──whole message──> HANDED ──grpc_answer──> (queue) ──> ANSWERED ──> stream closed, freed
 *     └──refused──> ANSWERED     └──stream closed: conn = NULL; freed when the answer comes
 *
 * From HANDED until it is taken from the queue everything but conn, stream_id, next and prev is the
 * handler's. */
enum grpc_call_state { GRPC_READING, GRPC_HANDED, GRPC_ANSWERED };

struct grpc_call {
    struct grpc_core *core;
    struct grpc_conn *conn;
    struct grpc_call *next, *prev; /* in conn->calls */
    int32_t stream_id;
    enum grpc_call_state state;

    struct arena arena;
    struct grpc_entry *entry;
    struct http_pair *headers;
    size_t n_headers, cap_headers, header_bytes;
    struct grpc_head head;
    char head_bytes[GRPC_HEAD_BYTES];
    size_t head_n;
    char *in; /* the message as it came */
    size_t in_n, in_cap;
    char *unpacked;                    /* when it was compressed */
    size_t unpacked_n, message_n;      /* bytes taken for it, bytes in it */
    int64_t deadline_ms, last_data_ms; /* monotonic; 0 = none */
    bool remote_done;

    _Atomic bool was_answered;
    struct grpc_call *next_answered; /* core->mu */
    enum grpc_status status;
    int http_status;  /* not 0: an answer below gRPC: 405, 415 */
    struct buf reply; /* with its head */
    size_t reply_sent;
    struct buf text, details; /* encoded */
};

struct grpc_conn {
    struct grpc_conn *next, *prev; /* in server->conns */
    struct grpc_server *server;
    int fd;
    gnutls_session_t tls; /* NULL when plain */
    bool tls_ready;
    nghttp2_session *session;
    struct grpc_call *calls;
    char *out; /* bytes for the socket, not yet taken */
    size_t out_n, out_at;
    bool wants_write; /* registered for EPOLLOUT */
    bool dead, dirty, has_spoken, goaway;
    struct grpc_conn *next_dirty;
    int64_t opened_ms, last_ms, ping_window_ms;
    unsigned pings;
};

struct grpc_server {
    struct grpc_core *core;
    struct grpc_entry *entries;
    size_t n_entries, cap_entries;
    struct stat *unknown[GRPC_STATUSES];
    size_t max_message;
    unsigned max_connections, port;
    gnutls_certificate_credentials_t credentials;

    bool started;
    int listen_fd, epoll_fd;
    bool listening; /* registered: off for a while when accept fails */
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    struct grpc_conn *conns, *dirty;
    _Atomic unsigned n_conns;
    _Atomic int64_t stop_ms; /* 0 = running; else when the grace ends */
    bool draining;
    int64_t now_ms;
    struct stat *asked;
};

/* grpc_server.c */
void grpc_core_unref(struct grpc_core *);
void grpc_mark_dirty(struct grpc_conn *);
struct grpc_entry *grpc_find(const struct grpc_server *, struct str path);

/* grpc_conn.c */
int grpc_session_setup(struct grpc_server *, struct err *); /* callbacks and options */
void grpc_conn_open(struct grpc_server *, int fd);
void grpc_conn_close(struct grpc_conn *);
void grpc_conn_readable(struct grpc_conn *);
void grpc_conn_flush(struct grpc_conn *); /* may close it */
void grpc_conn_goaway(struct grpc_conn *);
void grpc_conn_tick(struct grpc_conn *);

/* grpc_call.c */
struct grpc_call *grpc_call_new(struct grpc_conn *, int32_t stream_id);
void grpc_call_free(struct grpc_call *);
void grpc_call_detach(struct grpc_call *); /* its stream is gone: free it, now or when the answer comes */
bool grpc_call_header(struct grpc_call *, struct str name, struct str value); /* false: too many */
void grpc_call_headers_done(struct grpc_call *);
void grpc_call_data(struct grpc_call *, const char *p, size_t n);
void grpc_call_end(struct grpc_call *);
void grpc_call_refuse(struct grpc_call *, enum grpc_status, const char *text, unsigned retry_after_ms);
void grpc_call_submit(struct grpc_call *); /* its answer, to nghttp2 */
