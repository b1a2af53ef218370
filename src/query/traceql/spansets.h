/* spansets.h - a pipeline over the spans of one trace.
 *
 * Spans are numbered as in the trace's span_tree; a set lists them in that order. Memory: the arena given;
 * the relations cost time and memory linear in the spans of the trace. */
#pragma once
#include "model/store.h"
#include "query/traceql/plan.h"

struct spanset_attr { /* of by() and aggregates: "by(name)" = "GET /", "count()" = 3 */
    struct str name;
    struct static_value value;
};

struct spanset {
    uint32_t *at;
    size_t n;
    struct spanset_attr *attrs;
    size_t n_attrs;
};

struct spansets {
    struct spanset *at;
    size_t n, cap;
};

/* All sets that come out, none: the trace does not match. ERR_LIMIT, ERR_TIMEOUT, ERR_CANCEL. */
int spansets_run(struct evaluation *, struct call *, struct spansets *, struct err *);
