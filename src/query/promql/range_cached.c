/* range_cached.c - a range query answered from an earlier one as far as that still holds.
 *
 * The earlier answer's steps hold up to the one before which no row it could see has changed: what the store
 * says has changed since (promise 7), less how far the expression looks ahead (reusable.h). From the last of
 * them on the expression is evaluated: that step a second time, so that neighbouring rows are seen together
 * by one of the two, and because it must come out the same, which is looked at.
 *
 * Always true:
 *   1. What is answered is, bit for bit, what evaluating all steps over the same view would answer. Whenever
 *      that is not certain (notes were taken, the common step differs, an error) all steps are evaluated.
 *   2. Only a whole answer without notes is kept.
 *   3. The generation kept with it was taken before its view was opened; the store is asked what has changed
 *      after the view was opened.
 *   4. Series that two views share stand in the same order in both if both cover the same days (store.h):
 *      so an answer is continued over the same days only. */
#include "base/check.h"
#include "query/promql/plan_cache.h"
#include "query/promql/result_cache.h"
#include "query/promql/reusable.h"

#define DAY_MS ((int64_t)86400000)

struct continuing {
    struct query *q;
    const struct plan *plan;
    struct result_cache *cache;
    struct store *store;
    const struct range_window *window;
    struct kept_key key;
    struct reuse_reach reach;
    int64_t end_ms; /* the last step */
    struct kept *old;
    struct query_result *out;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t d = a / b;
    return a % b < 0 ? d - 1 : d;
}

static size_t steps_between(const struct continuing *c, int64_t from_ms, int64_t to_ms)
{
    return (size_t)((to_ms - from_ms) / c->q->step_ms) + 1;
}

/* ---- what still holds ---- */

static bool same_days(const struct continuing *c)
{
    return c->old->first_day == floor_div(c->window->from_ms, DAY_MS) &&
           c->old->last_day == floor_div(c->window->to_ms, DAY_MS);
}

/* The last step of the old answer that holds; false: none that would be of use. */
static bool last_that_holds(const struct continuing *c, int64_t *out)
{
    const struct kept *k = c->old;
    uint64_t now;
    if (k == NULL || k->start_ms > c->q->start_ms || !same_days(c)) return false;
    int64_t changed = store_changed_since(c->store, k->generation, &now), step = k->key.step_ms;
    int64_t last = k->start_ms + (int64_t)(k->n - 1) * step;
    if (changed == INT64_MIN || c->reach.fixed_ms >= changed) return false;
    if (changed != INT64_MAX && c->reach.ahead_ms != INT64_MIN) {
        int64_t until = changed - 1 - c->reach.ahead_ms;
        if (until < last) last = k->start_ms + floor_div(until - k->start_ms, step) * step;
    }
    *out = last;
    return last >= c->q->start_ms;
}

/* ---- keeping ---- */

static const char *why_not_kept(struct query *q)
{
    if (notes_any(&q->notes)) return "it has warnings or infos";
    if (atomic_load(&q->spoiled))
        return "its windows are so long, or its histograms such, that steps are computed from one another";
    return NULL;
}

static void keep(struct continuing *c, const struct kept *before)
{
    struct query *q = c->q;
    size_t n = steps_between(c, q->start_ms, c->end_ms), asked = n;
    int64_t from_ms = q->start_ms;
    if (before != NULL) {
        asked = MAX(n, before->n_asked);
        from_ms = MAX(before->start_ms, c->end_ms - (int64_t)(asked - 1) * q->step_ms);
    }
    struct kept *k = kept_make(&c->key, c->out, q->start_ms, n, before, from_ms, result_cache_room(c->cache));
    if (k == NULL) {
        c->out->stats.cache_why = "the answer is too large to be kept";
        result_cache_drop(c->cache, &c->key);
        return;
    }
    k->generation = c->window->generation;
    k->n_asked = asked;
    k->first_day = floor_div(c->window->from_ms, DAY_MS);
    k->last_day = floor_div(c->window->to_ms, DAY_MS);
    result_cache_put(c->cache, k);
}

/* ---- answering ---- */

static int run_all(struct continuing *c, struct err *e)
{
    struct query_stats *st = &c->out->stats;
    query_reset(c->q);
    int rc = query_run(c->q, c->plan->root, c->q->start_ms, c->out, e);
    if (rc < 0) return rc;
    st->cache = CACHE_MISS;
    st->cache_why = why_not_kept(c->q);
    if (st->cache_why == NULL)
        keep(c, NULL);
    else if (c->old != NULL)
        result_cache_drop(c->cache, &c->key);
    return OK;
}

/* OK: answered. ERR_FIND: everything must be evaluated. Others: the query has failed. */
static int run_rest(struct continuing *c, int64_t from_ms, struct err *e)
{
    struct query *q = c->q;
    struct query_result tail = { .arena = ARENA_INIT(q->max_memory) };
    struct err mine = ERR_INIT;
    int rc = query_run(q, c->plan->root, from_ms, &tail, &mine);
    bool good =
        rc == OK && why_not_kept(q) == NULL && kept_continue(c->old, &tail, q->start_ms, from_ms, c->out);
    query_result_release(&tail);
    if (good && query_count_result(q, c->out, e) == OK) {
        c->out->stats.cache = CACHE_PARTIAL;
        c->out->stats.steps_reused = steps_between(c, q->start_ms, from_ms) - 1;
        keep(c, c->old);
        return OK;
    }
    if (rc != ERR_TIMEOUT && rc != ERR_CANCEL) return ERR_FIND;
    if (e) *e = mine;
    return rc;
}

static int answer(struct continuing *c, struct err *e)
{
    int64_t last;
    if (!last_that_holds(c, &last)) return run_all(c, e);
    if (last >= c->end_ms) {
        kept_slice(c->old, c->q->start_ms, c->end_ms, c->out);
        c->out->stats.cache = CACHE_HIT;
        c->out->stats.steps_reused = steps_between(c, c->q->start_ms, c->end_ms);
        return query_count_result(c->q, c->out, e);
    }
    int rc = run_rest(c, last, e);
    return rc == ERR_FIND ? run_all(c, e) : rc;
}

int query_range_cached(struct query *q, const struct plan *plan, struct result_cache *cache,
                       struct store *store, const struct range_window *window, struct query_result *out,
                       struct err *e)
{
    int64_t phase = q->start_ms - floor_div(q->start_ms, q->step_ms) * q->step_ms;
    struct continuing c = { .q = q,
                            .plan = plan,
                            .cache = cache,
                            .store = store,
                            .window = window,
                            .key = { plan->text, q->step_ms, phase, q->lookback_ms },
                            .out = out };
    c.end_ms = q->start_ms + (q->end_ms - q->start_ms) / q->step_ms * q->step_ms;
    if (!reuse_reach(q, plan->root, &c.reach)) {
        out->stats.cache = CACHE_REFUSED;
        out->stats.cache_why = "its windows over a subquery are too long";
        return query_run(q, plan->root, q->start_ms, out, e);
    }
    q->keeps = true;
    c.old = result_cache_get(cache, &c.key);
    int rc = answer(&c, e);
    kept_unref(c.old);
    return rc;
}
