/* run.h - one LogQL query under way; shared by the files that run it. Not for others. */
#pragma once
#include "query/logql/logql.h"
#include "query/logql/parse.h"
#include "query/logql/source.h"
#include "query/promql/eval.h"

struct logql_run {
    struct logql *lq;
    const struct logql_conf *conf;
    const struct logql_request *req;
    struct logql_query query;
    struct store_view *view;
    struct call call;
    struct arena arena;        /* tree, streams, scratch of the scan */
    int64_t start_ns, step_ns; /* metric queries */
    size_t n_steps;
    struct logql_stats *stats;
};

/* log_run.c */
int logql_run_log(struct logql_run *, const struct log_expr *, struct logql_result *, struct err *);

/* translate.c: a metric expression as PromQL's tree; its leaves are range aggregations of `run`. */
int logql_translate(struct logql_run *, const struct expr *, struct node **out, struct err *);
/* The time of records that an expression looks at. False: none. */
bool logql_reach(const struct logql_run *, const struct expr *, int64_t *from_ns, int64_t *to_ns);

/* metric.c */
struct leaf {
    struct logql_run *run;
    const struct expr *expr;
    const struct grouping *outer; /* of the sum around it, when grouping may begin here; or NULL */
};
promql_leaf_fn logql_leaf;

/* windows.c: samples into cells, cells into windows. */
struct window_acc {
    double n, a, b;
    int64_t t;
};

struct window_cell {
    uint32_t first, last; /* the windows it is in */
    struct window_acc acc;
};

struct window_sample {
    int64_t t;
    double v;
};

struct window_plan { /* windows (end - range, end] with ends first_end + i * step */
    enum range_op op;
    bool unwraps;
    double param;
    int64_t first_end, step_ns, range_ns;
    size_t n;
    int64_t low, high; /* the times between which first and last hold */
    uint32_t first, last;
    bool inside; /* in any window */
};

struct window_series {
    struct window_cell *cells;
    struct window_sample *samples; /* instead, of operations that need them all */
    size_t n, cap;
};

void window_plan_init(struct window_plan *, const struct expr *, int64_t start_ns, int64_t step_ns, size_t n);
bool window_needs_samples(enum range_op);
/* false: the time is in no window. */
static inline bool window_place(struct window_plan *, int64_t t);
void window_locate(struct window_plan *, int64_t t);
void window_put(struct window_plan *, struct window_series *, int64_t t, double v, struct arena *);
/* out[i]: the value of window i, left alone where there is none. */
int window_finish(const struct window_plan *, struct window_series *, double *out, struct arena *scratch,
                  struct call *, struct err *);

static inline bool window_place(struct window_plan *p, int64_t t)
{
    if (UNLIKELY(t < p->low || t > p->high)) window_locate(p, t);
    return p->inside;
}
