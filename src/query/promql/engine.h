/* engine.h - runs PromQL over a store: the one way in for the API, rules, alerts and pages.
 *
 * One evaluator for instant and range queries (an instant query is a range of one step). Threads: any; each
 * query runs on the caller's thread and spreads its series over the engine's worker pool. */
#pragma once
#include "base/work.h"
#include "model/store.h"
#include "query/promql/ast.h"

struct engine;

struct engine_conf {
    int64_t lookback_ms;       /* 0 = 5 min */
    int64_t default_step_ms;   /* of subqueries; 0 = 1 min */
    int64_t timeout_ms;        /* 0 = 2 min */
    uint64_t max_samples;      /* at one time in memory; 0 = 50 M */
    size_t max_memory_bytes;   /* of one query; 0 = 512 MiB */
    size_t max_concurrent;     /* 0 = 20; more wait for their turn */
    size_t max_total_memory;   /* of all queries under way and answers not yet released; 0 = 1 GiB */
    size_t result_cache_bytes; /* kept answers of range queries; 0 = 64 MiB */
    bool no_result_cache;
    size_t plan_cache_bytes; /* parsed queries; 0 = 32 MiB */
};

struct engine *engine_new(struct store *, struct work_pool *,
                          const struct engine_conf *); /* borrows store and pool */
void engine_free(struct engine *);

/* Summaries made in advance (docs/rollups.md). Answers are kept for later only with AUTO. */
enum rollup_use {
    ROLLUP_AUTO,  /* where they say what the samples say, or where those have expired */
    ROLLUP_NEVER, /* samples only: what has expired is not there */
    ROLLUP_ONLY,  /* refuse what would read samples instead */
};

struct query_conf {
    struct str text;
    int64_t start_ms, end_ms, step_ms; /* instant: start == end, step 0 */
    int64_t lookback_ms;               /* 0 = the engine's */
    int64_t timeout_ms;                /* 0 = the engine's; never more than it */
    const atomic_bool *cancelled;
    bool stats;
    bool stats_per_step; /* samples of each step, too */
    bool nocache;        /* compute every step, and keep nothing */
    enum rollup_use rollup;
    bool explain; /* what was done, node by node: query_result.explain */
};

struct result_point {
    int64_t time_ms;
    double value;
    const struct histogram *hist; /* or NULL */
};

struct result_series {
    struct labels labels;
    struct result_point *points;
    size_t n;
};

struct annotations { /* full texts with positions; at most 10 of each kind, then a line that counts the rest
                      */
    struct str *warnings, *infos;
    size_t n_warnings, n_infos;
};

enum cache_use {
    CACHE_UNUSED,  /* an instant query, or the cache is off */
    CACHE_REFUSED, /* steps of this query cannot be kept */
    CACHE_MISS,    /* all steps were computed */
    CACHE_PARTIAL, /* some were taken from an earlier answer */
    CACHE_HIT,     /* all were */
};

struct query_stats {
    uint64_t samples_total, samples_peak, series; /* what was read now: kept steps cost nothing */
    double parse_s, prepare_s, eval_s, queue_s, total_s;
    bool plan_was_cached;
    enum cache_use cache;
    const char *cache_why; /* CACHE_REFUSED, and misses whose answer could not be kept */
    int64_t start_ms, step_ms;
    size_t steps, steps_reused;
    uint64_t *samples_per_step; /* when asked for: `steps` of them, from the first step on */
};

struct explain_node; /* explain.h */

struct query_result {
    enum promql_type type; /* instant: SCALAR, VECTOR, MATRIX or STRING; range: always MATRIX */
    struct result_series
        *series; /* VECTOR: one point each; MATRIX: sorted by labels. SCALAR: one series without labels */
    size_t n;
    struct str text; /* STRING */
    struct annotations notes;
    bool is_partial; /* damage hides a part of what was asked about; notes say which */
    struct query_stats stats;
    struct explain_node *explain; /* when asked for */
    struct arena arena;           /* holds all of the above */
    struct engine *engine;        /* which counts the answer's memory until it is released; or NULL */
    size_t charged;
};

/* ERR_PARSE (bad_data 400), ERR_EXEC and ERR_LIMIT (execution 422), ERR_TIMEOUT (503), ERR_CANCEL (499). */
int engine_query(struct engine *, const struct query_conf *, struct query_result *, struct err *);
void query_result_release(struct query_result *);

/* A tree made by another language's translator, whose leaves (NODE_LEAF) read the store themselves: the same
 * operators and limits, no view, no caches. conf.text is only quoted in notes. The tree is borrowed. */
int engine_run_tree(struct engine *, const struct query_conf *, const struct node *root,
                    struct query_result *, struct err *);
void engine_shrink(struct engine *);         /* lets go of kept answers; any thread */
size_t engine_memory(const struct engine *); /* what queries and answers take now */
