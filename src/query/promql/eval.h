/* eval.h - the evaluator's inside: how an expression becomes a matrix of series by steps.
 *
 * An expression is evaluated over all its steps at once. Its value is a struct series_matrix: for each series
 * a row of doubles, one per step, and where the series has histograms a parallel row of histogram pointers.
 * An instant query has one step. A scalar is one series without labels and with a value at every step.
 *
 * Always true:
 *   1. A step without a sample has the bits ABSENT and no histogram. ABSENT is a stale marker, which no
 * sample can be.
 *   2. A step with a histogram has ABSENT as its float.
 *   3. No two series of a matrix have equal labels and equal drop_name... unless their samples lie at
 * different steps and the final merge (engine.c) has still to join them.
 *   4. Rows and labels live in an arena of the query and are never written again once their node is done.
 *
 * Threads: a query runs on one thread; scans spread over the pool, each chunk with its own arena. */
#pragma once
#include "model/store.h"
#include "query/promql/annotate.h"
#include "query/promql/engine.h"
#include "query/promql/functions.h"

#define ABSENT            double_of(STALE_BITS)
#define QUERY_TIME_MAX_MS ((int64_t)1 << 53)

struct query_arena; /* one chunk's memory, kept until the query ends */
struct window_job;  /* window.h */
struct costs;       /* explain.h */

struct query { /* one query under way */
    struct engine *engine;
    struct str text;
    struct store_view *view; /* may be NULL: nothing is selected */
    struct work_pool *pool;
    struct call call; /* of the query's own thread */
    struct arena arena;
    size_t counted; /* bytes of it that the engine knows of */
    struct notes notes;
    bool is_range;
    enum rollup_use rollup;
    int64_t start_ms, end_ms, step_ms, lookback_ms, default_step_ms;
    uint64_t max_samples;
    size_t max_memory;

    pthread_mutex_t mu; /* guards arenas */
    struct query_arena *arenas;
    _Atomic size_t memory;            /* bytes in arenas of chunks */
    _Atomic uint64_t samples, points; /* read; held as results */
    _Atomic uint64_t series;

    bool keeps;                   /* the answer may be kept for later ones (range_cached.c) */
    atomic_bool spoiled;          /* something was seen that makes values depend on where the query begins */
    struct costs *costs;          /* NULL: nobody asks */
    bool counts_steps;            /* samples of each step are asked for */
    _Atomic uint64_t *samples_at; /* then: of all the query's steps */
};

struct eval { /* the steps an expression is evaluated at */
    struct query *q;
    int64_t start_ms, step_ms;
    size_t n;
    bool track_resets; /* only count and sum of histograms are wanted: counter resets are looked for while
                          reading */
    bool needs_order;  /* whoever asks for the next node depends on the order of its rows */
    _Atomic uint64_t *samples_at; /* of each step, counted when not NULL */
};

struct mseries {
    struct labels labels;
    bool drop_name; /* __name__, __type__, __unit__ go at the very end */
    double *v;
    const struct histogram **h; /* NULL: floats only */
};

struct series_matrix {
    struct mseries *at;
    size_t n, cap;
    size_t steps;
};

static inline int64_t eval_time(const struct eval *ev, size_t step)
{
    return ev->start_ms + (int64_t)step * ev->step_ms;
}
static inline bool has_hist(const struct mseries *s, size_t i)
{
    return s->h != NULL && s->h[i] != NULL;
}
static inline bool has_float(const struct mseries *s, size_t i)
{
    return !is_stale(s->v[i]);
}
static inline bool has_sample(const struct mseries *s, size_t i)
{
    return has_float(s, i) || has_hist(s, i);
}

/* eval.c */
int eval_node(struct eval *, const struct node *, struct series_matrix *out, struct err *);
int eval_scalar(struct eval *, const struct node *, const double **out,
                struct err *);                             /* one value per step */
const struct node *node_bare(const struct node *);         /* without parentheses */
struct str node_string(const struct node *);               /* of a string literal, perhaps in parentheses */
int eval_check(struct eval *, struct err *);               /* deadline, cancel, memory, samples */
int eval_room(struct eval *, size_t series, struct err *); /* may that many more rows be made? */
void eval_subquery_steps(struct eval *child, int64_t from_ms,
                         int64_t to_ms); /* multiples of its step in (from, to] */

/* engine.c: memory of parallel chunks */
struct arena *query_arena_new(struct query *);
/* `used` bytes are now taken by a chunk that was charged for *charged. */
int query_charge(struct query *, size_t used, size_t *charged, struct err *);
int query_count(struct query *, struct err *); /* tells the engine what q->arena has grown by */
int query_count_result(struct query *, struct query_result *, struct err *);
bool engine_has_room(const struct engine *, size_t bytes);
int query_no_room(struct query *, struct err *); /* the error of it */

/* engine.c: the steps from from_ms to the query's end, put together */
int query_run(struct query *, const struct node *, int64_t from_ms, struct query_result *, struct err *);
void query_reset(struct query *); /* as if nothing had been run */

/* range_cached.c: the same for all steps, with those of an earlier answer where they still hold */
struct plan;
struct result_cache;
struct range_window {
    uint64_t generation;    /* of the store, from before the view was opened */
    int64_t from_ms, to_ms; /* of the view */
};
int query_range_cached(struct query *, const struct plan *, struct result_cache *, struct store *,
                       const struct range_window *, struct query_result *, struct err *);

/* durations.c: what the modifiers of a selector, matrix or subquery come to in this query */
struct timing {
    int64_t offset_ms, range_ms, step_ms;
    bool fixed; /* @: every step looks at at_ms */
    int64_t at_ms;
};
int timing_of(const struct query *, const struct node *, struct timing *, struct err *);
int durations_value(const struct query *, const struct duration_expr *, double *seconds, struct err *);

/* prepare.c: looks at the tree before anything is read */
int prepare_check(struct query *, const struct node *, struct err *);
bool prepare_window(struct query *, const struct node *, int64_t *from_ms,
                    int64_t *to_ms); /* false: nothing selected */
bool node_is_invariant(const struct node *);

/* matrix.c */
void matrix_init(struct series_matrix *, size_t steps);
struct mseries *matrix_add(struct query *, struct series_matrix *, struct labels,
                           bool drop_name); /* v all ABSENT */
struct mseries *matrix_push(struct query *, struct series_matrix *, struct mseries);
void matrix_scalar(struct query *, struct series_matrix *, size_t steps, double v);
double *row_new(struct arena *, size_t steps);                                     /* all ABSENT */
const struct histogram **hist_row(struct query *, struct mseries *, size_t steps); /* makes it when missing */
bool row_empty(const struct mseries *, size_t steps);
void matrix_drop_empty(struct series_matrix *);
/* Join series with equal labels (and drop_name); ERR_EXEC when two have a sample at the same step. */
int matrix_merge(struct query *, struct series_matrix *, struct err *);
/* Finds series of a matrix by their labels, and adds those it has not. */
struct series_index {
    struct query *q;
    struct series_matrix *m;
    struct map at;
};
void series_index_init(struct series_index *, struct query *, struct series_matrix *);
void series_index_release(struct series_index *);
/* *out is an index into m->at; rows move when one is added. ERR_LIMIT when there is no room for another row.
 */
int series_index_get(struct series_index *, struct labels, bool drop_name, size_t *out, struct err *);
int matrix_broadcast(struct query *, struct series_matrix *, size_t steps, struct err *); /* from one step */

/* labelset.c: label sets made by operators; all results live in the arena */
uint64_t labels_hash(struct labels);
uint64_t labels_hash_on(struct labels, const struct str *names, size_t n); /* only these */
uint64_t labels_hash_without(struct labels, const struct str *names,
                             size_t n); /* all but these and __name__ */
struct labels labels_keep(struct arena *, struct labels, const struct str *names, size_t n);
struct labels labels_without(struct arena *, struct labels, const struct str *names, size_t n);
struct labels labels_set(struct arena *, struct labels, struct str name,
                         struct str value);                    /* empty value: remove */
struct labels labels_drop_meta(struct arena *, struct labels); /* without __name__, __type__, __unit__ */
bool names_has(const struct str *names, size_t n, struct str name);
bool labels_eq_on(struct labels a, struct labels b, const struct str *names, size_t n);
bool labels_eq_without(struct labels a, struct labels b, const struct str *names, size_t n);

/* selector.c */
enum select_mode { SELECT_VALUES, SELECT_TIMES, SELECT_STARTS };
int eval_selector(struct eval *, const struct node *, enum select_mode, struct series_matrix *out,
                  struct err *);
int eval_range_selector(struct eval *, const struct node *matrix, struct window_job *,
                        struct series_matrix *out, struct err *);
int eval_raw_matrix(struct eval *, const struct node *, struct query_result *,
                    struct err *); /* x[5m] as the whole query */

/* window.c: rate(x[5m]), rate(x[5m:1m]), ... */
int eval_window_call(struct eval *, const struct node *call, struct series_matrix *out, struct err *);

/* aggregate.c, binary.c */
int eval_aggregate(struct eval *, const struct node *, struct series_matrix *out, struct err *);
int eval_binary(struct eval *, const struct node *, struct series_matrix *out, struct err *);
