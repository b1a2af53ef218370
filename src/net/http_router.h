/* http_router.h - from method and path to a handler.
 *
 * Literal paths are found by binary search; patterns are tried in an order in which a literal segment comes
 * before {name}, and {name} before {rest*}. A segment is percent-decoded after splitting, so a {name} may
 * hold a slash. Filled before the server starts, read-only afterwards: no locks. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "net/http_params.h"
#include "net/http_server.h"

#define HTTP_CAPTURES_MAX 8
#define HTTP_CODE_CLASSES 6 /* 0xx (cannot be) to 5xx */

struct stat;

struct http_entry {
    const struct http_route *route;
    void *ctx;
    size_t order;                                                /* of registration */
    _Atomic(struct stat *) answered[HTTP_CODE_CLASSES], seconds; /* made when first counted */
};

struct http_router {
    struct http_entry *literals,
        *patterns; /* literals by path, then order; patterns by precedence, then order */
    size_t n_literals, n_patterns, cap_literals, cap_patterns, n;
};

struct http_match {
    struct http_entry *entry; /* NULL when nothing fits */
    bool path_known;          /* some other method fits this path */
    char allow[96];           /* "GET, HEAD, POST" */
    struct http_pair captures[HTTP_CAPTURES_MAX];
    size_t n_captures;
};

void http_router_add(struct http_router *, const struct http_route *, size_t n, void *ctx);
void http_router_seal(struct http_router *); /* sort; before the first find */
void http_router_release(struct http_router *);

/* raw_path as it came, its escapes valid. Captures live in the arena or in raw_path. */
void http_router_find(const struct http_router *, struct str method, struct str raw_path, struct arena *,
                      struct http_match *);
