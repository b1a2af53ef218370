/* api_query.h - a question as the query endpoints take it, shared by those that answer it and the one that
 * explains it. */
#pragma once
#include "query/promql/engine.h"
#include "tell/params.h"

struct query_ask {
    struct query_conf conf;
    size_t limit;
    struct str stats; /* the parameter */
};

/* Of query (time) and query_range (start, end, step). On error `e` holds what the client is told. */
int query_ask_instant(struct http_exchange *, struct query_ask *, struct err *e);
int query_ask_range(struct http_exchange *, struct query_ask *, struct err *e);
