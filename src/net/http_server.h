/* http_server.h - HTTP/1.1 on libmicrohttpd: whole requests in, whole answers out, from any thread at any
 * later time.
 *
 * A handler gets an exchange whose body is complete. It answers now, or keeps the exchange and answers later
 * from another thread (a worker, the store's committer): the connection is suspended until then. Exactly one
 * answer per exchange. The server threads only move bytes and run short handlers; long work belongs on a
 * work_pool.
 *
 * Ceilings: body, header, connections in all and per address, bytes of bodies in flight (over: 503 +
 * Retry-After), idle time. Bodies may be chunked. HEAD is answered from GET. Unknown path 404, known path
 * with another method 405 + Allow. Parameters: those of the URL and of a urlencoded form body, merged, URL
 * first, whatever the method. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct http_server;
struct http_exchange;

typedef void http_handler(struct http_exchange *, void *ctx);

struct http_route {
    const char *method; /* "GET", "POST", ..., or "*" */
    const char *path;   /* "/api/v1/query", "/api/v1/label/{name}/values", "/assets/{rest*}" (rest* takes
                           slashes too) */
    http_handler *handle;
};

struct http_conf {
    const char *listen[4]; /* "127.0.0.1:8090", "[::1]:8090"; port 0 picks one */
    size_t n_listen;
    size_t threads;                         /* 0 = number of processors */
    size_t max_body_bytes;                  /* 0 = 64 MiB */
    size_t max_inflight_bytes;              /* of all bodies together; 0 = 256 MiB */
    unsigned max_connections;               /* 0 = 4096 */
    unsigned idle_timeout_s;                /* 0 = 120 */
    const char *tls_cert_pem, *tls_key_pem; /* NULL = plain */
};

struct http_server *http_server_new(void);
/* Tables are kept, not copied. The first match wins; literal segments beat {name} ones. */
void http_server_routes(struct http_server *, const struct http_route *, size_t n, void *ctx);
int http_server_start(struct http_server *, const struct http_conf *, struct err *);
unsigned http_server_port(const struct http_server *, size_t listener);
/* Stop accepting, wait up to grace_ms for exchanges under way, then close. */
void http_server_stop(struct http_server *, unsigned grace_ms);
void http_server_free(struct http_server *);

/* The request; everything is borrowed until the answer is given. */
struct str http_method(const struct http_exchange *);
struct str http_path(const struct http_exchange *);                     /* decoded */
struct str http_target(const struct http_exchange *);                   /* as it came, with the query */
struct str http_header(const struct http_exchange *, const char *name); /* any case; empty when absent */
struct str http_body(const struct http_exchange *);
void http_body_drop(
    struct http_exchange *); /* not needed any more: its memory is given back before the answer */
struct str http_peer(const struct http_exchange *);                         /* address without port */
struct str http_path_param(const struct http_exchange *, const char *name); /* {name}, percent-decoded */
struct str http_param(struct http_exchange *, const char *name); /* first value; empty when absent */
bool http_has_param(struct http_exchange *, const char *name);
/* All values of a repeated parameter (match[]), into the exchange's arena. */
size_t http_params(struct http_exchange *, const char *name, struct str **out);
struct arena *http_arena(struct http_exchange *); /* lives until the answer is sent */
void **http_slot(
    struct http_exchange *); /* for the handler's use, NULL at first; what it points to: http_arena */

/* Becomes true when the client has hung up (checked while suspended); stays valid until the answer is given.
 */
const _Atomic bool *http_gone(struct http_exchange *);

/* Answer. Headers first, then exactly one of the three; the exchange is gone afterwards.
 * Answers of 1 KiB and more are gzipped when the client accepts that and the type is text or JSON. */
void http_answer_header(struct http_exchange *, const char *name, struct str value);             /* copied */
void http_answer(struct http_exchange *, int status, const char *content_type, struct str body); /* copied */
void http_answer_buf(struct http_exchange *, int status, const char *content_type,
                     struct buf *body); /* taken; *body is empty after */
void http_answer_static(struct http_exchange *, int status, const char *content_type,
                        struct str body); /* lives for ever; add Content-Encoding yourself */
