/* traceql.h - answers TraceQL over a store: traces that match, and series made of spans.
 *
 * Both know only the store's view, keep to their struct call, and put their answer into its arena. The view
 * must reach beyond the times asked for (run_view_times). Threads: any, each with its own call. */
#pragma once
#include "model/store.h"
#include "query/traceql/parse.h"
#include "query/traceql/run.h"

struct traceql_attr {
    struct str name;
    struct static_value value;
};

/* ---- search ---- */

struct found_span {
    uint8_t id[8];
    struct str name;
    int64_t start_ns, duration_ns; /* SPAN_UNFINISHED */
    struct traceql_attr *attrs;    /* those the query names and the span has */
    size_t n_attrs;
};

struct found_set {
    struct found_span *spans; /* the first by start, as many as asked for */
    size_t n, matched;        /* matched: in all */
    struct traceql_attr *attrs;
    size_t n_attrs;
};

struct service_count {
    struct str service;
    uint32_t spans, errors;
};
#define SERVICES_MAX 32 /* of one trace that are counted */

struct found_trace {
    uint8_t id[16];
    struct str root_service, root_name;
    int64_t start_ns, duration_ns;
    struct found_set *sets;
    size_t n_sets;
    struct service_count *services;
    size_t n_services;
};

struct search_ask {
    const struct traceql_query *query;
    int64_t from_ns, to_ns;
    size_t limit;           /* 0 = 20 */
    size_t spans_per_set;   /* 0 = 3 */
    int64_t min_ns, max_ns; /* of the trace's duration; 0 = none */
};

struct search_found {
    struct found_trace *at; /* newest first */
    size_t n, cap;
    struct run_stats stats;
};

/* ERR_EXEC: a metrics query. */
int traceql_search(struct store_view *, struct call *, const struct search_ask *, struct search_found *,
                   struct err *);

/* ---- metrics ---- */

#define TRACEQL_STEPS_MAX  11000
#define TRACEQL_SERIES_MAX 10000

struct span_exemplar {
    int64_t time_ns;
    double value;
    uint8_t trace_id[16];
};

struct span_series {
    struct traceql_attr *labels;
    size_t n_labels;
    double *values; /* one a step; NaN: none */
    struct span_exemplar *exemplars;
    size_t n_exemplars;
};

struct metrics_ask {
    const struct traceql_query *query;
    int64_t from_ns, to_ns, step_ns; /* a value at from + step covers what began in (from, from + step] */
    size_t exemplars;                /* at most, of all series */
};

struct metrics_made {
    struct span_series *series;
    size_t n;
    size_t steps;
    int64_t first_ns, step_ns; /* time of the first value */
    struct str warning;        /* empty: whole. Else the limit that was hit */
    struct run_stats stats;
};

/* ERR_EXEC: not a metrics query; ERR_RANGE: times or step make no sense. */
int traceql_metrics(struct store_view *, struct call *, const struct metrics_ask *, struct metrics_made *,
                    struct err *);
