/* door.h - a real HTTP server with a set of routes, and requests to it. */
#pragma once
#include "base/buf.h"
#include "net/http_server.h"
#include "unit/net/raw.h"

struct door {
    struct http_server *server;
    unsigned port;
};

static inline bool door_open(struct door *d, const struct http_route *routes, size_t n, void *ctx)
{
    struct http_conf conf = { .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2 };
    struct err e = { 0 };
    d->server = http_server_new();
    http_server_routes(d->server, routes, n, ctx);
    if (http_server_start(d->server, &conf, &e) < 0) return false;
    d->port = http_server_port(d->server, 0);
    return true;
}

static inline void door_close(struct door *d)
{
    http_server_stop(d->server, 1000);
    http_server_free(d->server);
}

struct reply {
    char *text; /* all of it */
    int status;
    const char *body;
};

/* headers: complete lines, each ended by CRLF. */
static inline struct reply door_ask(struct door *d, const char *method, const char *target,
                                    const char *headers, struct str body)
{
    struct buf q = BUF_INIT(128 << 20);
    buf_printf(&q, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n", method,
               target, headers, body.n);
    buf_str(&q, body);
    struct reply r = { raw_ask(d->port, q.p, q.n, NULL), 0, "" };
    buf_release(&q);
    if (strncmp(r.text, "HTTP/1.1 ", 9) == 0) r.status = atoi(r.text + 9);
    const char *end = strstr(r.text, "\r\n\r\n");
    if (end != NULL) r.body = end + 4;
    return r;
}

/* Any case of the name; terminated by CR in the text. */
static inline bool reply_has(const struct reply *r, const char *line)
{
    return strcasestr(r->text, line) != NULL;
}
