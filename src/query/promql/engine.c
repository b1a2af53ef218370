/* engine.c - one query from its text to its answer: a turn in the queue, parse, prepare, evaluate, put
 * together.
 *
 * Always true:
 *   1. At most max_concurrent queries run; others wait for their turn, no longer than their deadline. A
 * quarter as many places more are kept for light ones, so that a glance need not wait for a report.
 *   2. Everything a query takes comes from its arenas, which are gone when it ends; the answer is a copy in
 * its own.
 *   3. What all queries and answers together take is known (memory) and stays under max_total_memory: who
 * asks for more than is left is refused.
 *   4. Names flagged for removal are removed here and nowhere else; series that then are equal are joined, or
 * are an error. */
#include "query/promql/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stat.h"
#include "base/turns.h"
#include "query/promql/explain.h"
#include "query/promql/parse.h"
#include "query/promql/plan_cache.h"
#include "query/promql/result_cache.h"

#define PLANS_MAX 2000

/* A query is light when it looks at no more than this. */
#define LIGHT_SPAN_MS  ((int64_t)3600 * 1000)
#define LIGHT_STEPS    250
#define LIGHT_SHARE    4                  /* one place for light ones for so many others */
#define LIKELY_BYTES   ((size_t)16 << 20) /* of a query that is not light: then another is let in */
#define SMALL_BYTES    ((size_t)1 << 20)
#define ANSWER_WRITTEN 2 /* an answer is there twice while it is written out as JSON */

struct engine_stats {
    struct stat *answers[CACHE_HIT + 1], *plans[2], *kept_bytes, *plan_bytes, *memory, *refused;
};

struct engine {
    struct store *store;
    struct work_pool *pool;
    struct engine_conf conf;
    struct plan_cache *plans;
    struct result_cache *results; /* NULL: off */
    _Atomic size_t memory;        /* of queries and answers */
    struct engine_stats stats;
    pthread_mutex_t mu; /* guards running */
    pthread_cond_t turn;
    size_t running[2]; /* others, light ones */
};

struct query_arena {
    struct arena arena;
    struct query_arena *next;
};

static void stats_init(struct engine_stats *st)
{
    static const char *const use[] = { "cache=\"unused\"", "cache=\"refused\"", "cache=\"miss\"",
                                       "cache=\"partial\"", "cache=\"hit\"" };
    for (size_t i = 0; i < COUNT(use); i++)
        st->answers[i] = stat_counter("vedette_query_answers_total",
                                      "Queries answered, by what the cache of answers gave.", use[i]);
    st->plans[0] = stat_counter("vedette_query_plans_total", "Queries by whether their plan was kept.",
                                "cache=\"miss\"");
    st->plans[1] =
        stat_counter("vedette_query_plans_total", "Queries by whether their plan was kept.", "cache=\"hit\"");
    st->kept_bytes = stat_gauge("vedette_query_cache_bytes", "Bytes of kept answers.", NULL);
    st->plan_bytes = stat_gauge("vedette_query_plan_bytes", "Bytes of kept plans.", NULL);
    st->memory = stat_gauge("vedette_query_memory_bytes", "Memory of queries and answers under way.", NULL);
    st->refused = stat_counter("vedette_query_memory_refused_total",
                               "Queries refused because all together needed too much memory.", NULL);
}

static void conf_init(struct engine_conf *c, const struct engine_conf *given)
{
    if (given) *c = *given;
    if (c->lookback_ms == 0) c->lookback_ms = 5 * 60000;
    if (c->default_step_ms == 0) c->default_step_ms = 60000;
    if (c->timeout_ms == 0) c->timeout_ms = 2 * 60000;
    if (c->max_samples == 0) c->max_samples = 50000000;
    if (c->max_memory_bytes == 0) c->max_memory_bytes = (size_t)512 << 20;
    if (c->max_total_memory == 0) c->max_total_memory = (size_t)1 << 30;
    if (c->max_concurrent == 0) c->max_concurrent = 20;
    if (c->result_cache_bytes == 0) c->result_cache_bytes = (size_t)64 << 20;
    if (c->plan_cache_bytes == 0) c->plan_cache_bytes = (size_t)32 << 20;
}

struct engine *engine_new(struct store *store, struct work_pool *pool, const struct engine_conf *conf)
{
    struct engine *en = mem_alloc_zero(sizeof *en);
    pthread_condattr_t attr;

    en->store = store;
    en->pool = pool;
    conf_init(&en->conf, conf);
    stats_init(&en->stats);
    en->plans = plan_cache_new(PLANS_MAX, en->conf.plan_cache_bytes);
    if (!en->conf.no_result_cache) en->results = result_cache_new(en->conf.result_cache_bytes);
    pthread_mutex_init(&en->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&en->turn, &attr);
    pthread_condattr_destroy(&attr);
    return en;
}

void engine_free(struct engine *en)
{
    if (en == NULL) return;
    check(en->running[0] == 0 && en->running[1] == 0);
    result_cache_free(en->results);
    plan_cache_free(en->plans);
    pthread_cond_destroy(&en->turn);
    pthread_mutex_destroy(&en->mu);
    mem_free(en);
}

/* ---- turns ---- */

/* What looks at little has places of its own when the others are taken. */
static bool is_light(const struct query *q, int64_t span_ms)
{
    return span_ms <= LIGHT_SPAN_MS &&
           (q->step_ms == 0 || (q->end_ms - q->start_ms) / q->step_ms < LIGHT_STEPS);
}

/* Queries that have just begun have taken nothing yet: were all let in at once, all would be refused later.
 */
static bool memory_free(const struct engine *en)
{
    size_t likely = MAX(atomic_load(&en->memory), en->running[0] * LIKELY_BYTES);
    return en->running[0] == 0 || likely + LIKELY_BYTES <= en->conf.max_total_memory;
}

static int place_free(const struct engine *en, bool light)
{
    if (en->running[0] < en->conf.max_concurrent && memory_free(en)) return 0;
    return light && en->running[1] < en->conf.max_concurrent / LIGHT_SHARE + 1 ? 1 : -1;
}

static int engine_enter(struct engine *en, const struct call *call, bool light, int *place, struct err *e)
{
    int rc = light ? OK : budget_admit_query(0, e);
    if (rc < 0) return rc;
    pthread_mutex_lock(&en->mu);
    while ((*place = place_free(en, light)) < 0 && (rc = call_check(call, e)) == OK) {
        int64_t until =
            MIN(clock_mono_ns() + 50000000, call->deadline_ns); /* wakes now and then to see a cancel */
        struct timespec ts = { until / 1000000000, until % 1000000000 };
        turns_leave(); /* those who run need it */
        pthread_cond_timedwait(&en->turn, &en->mu, &ts);
    }
    if (rc == OK) en->running[*place]++;
    pthread_mutex_unlock(&en->mu);
    turns_back();
    if (rc < 0) err_where(e, "waiting for one of %zu places in the query queue", en->conf.max_concurrent);
    return rc;
}

static void engine_leave(struct engine *en, int place)
{
    pthread_mutex_lock(&en->mu);
    en->running[place]--;
    pthread_cond_broadcast(&en->turn); /* not everyone may take the place */
    pthread_mutex_unlock(&en->mu);
}

/* ---- memory ---- */

void engine_shrink(struct engine *en)
{
    if (en->results != NULL) result_cache_empty(en->results);
}

size_t engine_memory(const struct engine *en)
{
    return atomic_load(&en->memory);
}

bool engine_has_room(const struct engine *en, size_t bytes)
{
    size_t taken = atomic_load(&en->memory);
    if (bytes < SMALL_BYTES) return true; /* asked again when it is taken */
    return taken <= en->conf.max_total_memory && bytes <= en->conf.max_total_memory - taken;
}

static int no_room(struct engine *en, struct err *e)
{
    stat_add(en->stats.refused, 1);
    return err_set(e, ERR_LIMIT,
                   "the queries under way need more than their memory limit of %zu bytes together; "
                   "try again in a moment",
                   en->conf.max_total_memory);
}

/* More bytes, or fewer when negative: size_t wraps. */
static size_t engine_take(struct engine *en, size_t more)
{
    budget_take(BUDGET_QUERIES, more);
    return atomic_fetch_add(&en->memory, more) + more;
}

/* More bytes for a query that has `own` with them. Who has next to nothing is not refused for others' sake.
 */
static int query_take(struct query *q, size_t more, size_t own, struct err *e)
{
    if (more == 0) return OK;
    bool too_much = engine_take(q->engine, more) > q->engine->conf.max_total_memory;
    if ((ptrdiff_t)more < 0 || own <= SMALL_BYTES) return OK;
    return too_much ? no_room(q->engine, e) : budget_admit_query(0, e);
}

int query_no_room(struct query *q, struct err *e)
{
    return no_room(q->engine, e);
}

int query_count(struct query *q, struct err *e)
{
    size_t more = q->arena.used - q->counted;
    q->counted = q->arena.used;
    return query_take(q, more, q->arena.used + q->memory, e);
}

int query_count_result(struct query *q, struct query_result *r, struct err *e)
{
    size_t now = r->arena.used * ANSWER_WRITTEN, more = now - r->charged;
    r->engine = q->engine;
    r->charged = now;
    if (arena_over(&r->arena))
        return err_set(e, ERR_LIMIT, "the answer needs more than the memory limit of %zu bytes",
                       q->max_memory);
    return query_take(q, more, now, e);
}

struct arena *query_arena_new(struct query *q)
{
    struct query_arena *a = mem_alloc_zero(sizeof *a);
    a->arena.budget = q->max_memory;
    pthread_mutex_lock(&q->mu);
    a->next = q->arenas;
    q->arenas = a;
    pthread_mutex_unlock(&q->mu);
    return &a->arena;
}

int query_charge(struct query *q, size_t used, size_t *charged, struct err *e)
{
    size_t more = used - *charged, total = atomic_fetch_add(&q->memory, more) + more;
    *charged = used;
    int rc = query_take(q, more, total, e);
    if (rc < 0 || total <= q->max_memory) return rc;
    return err_set(e, ERR_LIMIT, "query needs more than its memory limit of %zu bytes", q->max_memory);
}

static void release_arenas(struct query *q)
{
    for (struct query_arena *a = q->arenas, *next; a != NULL; a = next) {
        next = a->next;
        arena_release(&a->arena);
        mem_free(a);
    }
    q->arenas = NULL;
    engine_take(q->engine, 0 - q->memory);
    q->memory = 0;
}

void query_reset(struct query *q)
{
    release_arenas(q);
    notes_release(&q->notes);
    notes_init(&q->notes, q->text);
    q->samples = q->points = q->series = 0;
    atomic_store(&q->spoiled, false);
}

static void query_release(struct query *q)
{
    release_arenas(q);
    engine_take(q->engine, 0 - q->counted);
    costs_release(q->costs);
    store_view_close(q->view);
    notes_release(&q->notes);
    arena_release(&q->arena);
    pthread_mutex_destroy(&q->mu);
}

/* ---- the answer ---- */

static struct labels labels_copied(struct arena *a, struct labels l)
{
    struct label *at = arena_array(a, l.n, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(a, l.at[i].name), arena_str(a, l.at[i].value) };
    return (struct labels){ at, l.n };
}

static void copy_points(struct query_result *out, struct result_series *to, const struct mseries *s,
                        const struct eval *ev)
{
    size_t n = 0;
    for (size_t i = 0; i < ev->n; i++) n += has_sample(s, i);
    to->points = arena_array(&out->arena, n, sizeof *to->points);
    to->n = 0;
    const struct histogram *last = NULL, *copy = NULL; /* the same one often stands at several steps */
    for (size_t i = 0; i < ev->n; i++) {
        if (!has_sample(s, i)) continue;
        const struct histogram *h = s->h ? s->h[i] : NULL;
        if (h && h != last) copy = histogram_copy(last = h, &out->arena);
        to->points[to->n++] =
            (struct result_point){ eval_time(ev, i), h ? h->sum : s->v[i], h ? copy : NULL };
    }
}

static int by_labels(const void *a, const void *b)
{
    return labels_cmp(((const struct result_series *)a)->labels, ((const struct result_series *)b)->labels);
}

static int finish(struct query *q, const struct eval *ev, struct series_matrix *m, struct query_result *out,
                  struct err *e)
{
    for (size_t s = 0; s < m->n; s++) {
        if (m->at[s].drop_name) m->at[s].labels = labels_drop_meta(&q->arena, m->at[s].labels);
        m->at[s].drop_name = false;
    }
    int rc = matrix_merge(q, m, e);
    if (rc < 0) return rc;
    out->series = arena_array(&out->arena, m->n, sizeof *out->series);
    for (size_t s = 0; s < m->n; s++) {
        if (row_empty(&m->at[s], ev->n)) continue;
        struct result_series *to = &out->series[out->n++];
        to->labels = labels_copied(&out->arena, m->at[s].labels);
        copy_points(out, to, &m->at[s], ev);
        if ((rc = query_count_result(q, out, e)) < 0) return rc;
    }
    if (out->type == PROMQL_MATRIX && out->n > 1) qsort(out->series, out->n, sizeof *out->series, by_labels);
    return OK;
}

/* ---- kinds of query ---- */

static int run_subquery(struct query *q, const struct node *n, struct query_result *out, struct err *e)
{
    struct series_matrix m;
    struct timing t;
    int rc = timing_of(q, n, &t, e);
    if (rc < 0) return rc;
    struct eval ev = { .q = q, .step_ms = t.step_ms };
    int64_t end = (t.fixed ? t.at_ms : q->start_ms) - t.offset_ms;
    eval_subquery_steps(&ev, end - t.range_ms, end);
    if (ev.n == 0) return OK;
    if ((rc = eval_room(&ev, 1, e)) < 0 || (rc = eval_node(&ev, n->child, &m, e)) < 0) return rc;
    return finish(q, &ev, &m, out, e);
}

static int run_range_vector(struct query *q, const struct node *n, struct query_result *out, struct err *e)
{
    struct eval ev = { .q = q, .start_ms = q->start_ms, .n = 1 };
    const struct node *bare = node_bare(n);
    int rc = bare->kind == NODE_SUBQUERY ? run_subquery(q, bare, out, e) : eval_raw_matrix(&ev, bare, out, e);
    if (rc < 0) return rc;
    for (size_t s = 0; s < out->n; s++)
        out->series[s].labels = labels_copied(&out->arena, out->series[s].labels);
    if (out->n > 1) qsort(out->series, out->n, sizeof *out->series, by_labels);
    return OK;
}

static const char *type_text(enum promql_type t)
{
    return t == PROMQL_STRING ? "string" : "range vector";
}

static size_t step_index(const struct query *q, int64_t time_ms)
{
    return q->is_range ? (size_t)((time_ms - q->start_ms) / q->step_ms) : 0;
}

static _Atomic uint64_t *steps_counted(struct query *q)
{
    size_t bytes = (step_index(q, q->end_ms) + 1) * sizeof *q->samples_at;
    if (q->samples_at == NULL) q->samples_at = arena_alloc(&q->arena, bytes);
    memset((void *)q->samples_at, 0, bytes);
    return q->samples_at;
}

int query_run(struct query *q, const struct node *n, int64_t from_ms, struct query_result *out, struct err *e)
{
    struct eval ev = { .q = q, .start_ms = from_ms, .step_ms = q->step_ms, .n = 1 };
    struct series_matrix m;
    int rc;

    if (q->is_range && n->type != PROMQL_SCALAR && n->type != PROMQL_VECTOR)
        return err_set(e, ERR_PARSE,
                       "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                       type_text(n->type));
    if (q->is_range) ev.n = step_index(q, q->end_ms) - step_index(q, from_ms) + 1;
    out->type = q->is_range ? PROMQL_MATRIX : n->type;
    if (n->type == PROMQL_STRING) {
        out->text = arena_str(&out->arena, node_string(n));
        return OK;
    }
    if (n->type == PROMQL_MATRIX) return run_range_vector(q, n, out, e);
    if ((rc = eval_room(&ev, 1, e)) < 0) return rc;
    if (q->counts_steps) ev.samples_at = steps_counted(q) + step_index(q, from_ms);
    if ((rc = eval_node(&ev, n, &m, e)) < 0) return rc;
    return finish(q, &ev, &m, out, e);
}

/* ---- the whole ---- */

static void query_init(struct query *q, struct engine *en, const struct query_conf *c)
{
    int64_t timeout = c->timeout_ms > 0 ? MIN(c->timeout_ms, en->conf.timeout_ms) : en->conf.timeout_ms;
    *q = (struct query){
        .engine = en,
        .pool = en->pool,
        .arena = ARENA_INIT(en->conf.max_memory_bytes),
        .text = c->text,
        .is_range = c->step_ms > 0,
        .start_ms = c->start_ms,
        .end_ms = c->end_ms,
        .step_ms = c->step_ms,
        .rollup = c->rollup,
        .lookback_ms = c->lookback_ms > 0 ? MIN(c->lookback_ms, QUERY_TIME_MAX_MS) : en->conf.lookback_ms,
        .default_step_ms = en->conf.default_step_ms,
        .max_samples = en->conf.max_samples,
        .max_memory = en->conf.max_memory_bytes,
    };
    q->call = (struct call){ .deadline_ns = clock_mono_ns() + timeout * 1000000,
                             .cancelled = c->cancelled,
                             .arena = &q->arena,
                             .notes = &q->notes.lost,
                             .pool = q->pool };
    pthread_mutex_init(&q->mu, NULL);
    notes_init(&q->notes, c->text);
    q->counts_steps = c->stats_per_step;
    if (c->explain) q->costs = costs_new(&q->arena);
}

static double since(int64_t *from_ns)
{
    int64_t now = clock_mono_ns(), was = *from_ns;
    *from_ns = now;
    return (double)(now - was) / 1e9;
}

struct asking { /* one engine_query under way */
    struct engine *en;
    const struct query_conf *conf;
    struct query *q;
    struct plan *plan;
    struct range_window window;
    bool reads; /* anything of the store */
    struct query_result *out;
};

static int prepare(struct asking *x, struct err *e)
{
    struct query *q = x->q;
    int64_t clock = clock_mono_ns();
    bool was_cached;
    int rc = plan_cache_get(x->en->plans, x->conf->text, q->max_memory, &x->plan, &was_cached, e);
    x->out->stats.parse_s = since(&clock);
    if (rc < 0) return rc;
    x->out->stats.plan_was_cached = was_cached;
    stat_add(x->en->stats.plans[was_cached], 1);
    if ((rc = prepare_check(q, x->plan->root, e)) < 0) return rc;
    x->reads = prepare_window(q, x->plan->root, &x->window.from_ms, &x->window.to_ms);
    x->out->stats.prepare_s = since(&clock);
    return OK;
}

static bool may_keep(const struct asking *x)
{
    struct query_stats *st = &x->out->stats;
    const struct node *root = x->plan->root;
    bool asked = x->q->is_range && x->en->results != NULL && !x->conf->nocache && x->reads &&
                 x->conf->rollup == ROLLUP_AUTO &&
                 (root->type == PROMQL_VECTOR || root->type == PROMQL_SCALAR);
    if (!asked || x->plan->not_reusable == NULL) return asked;
    st->cache = CACHE_REFUSED;
    st->cache_why = x->plan->not_reusable;
    return false;
}

static int open_and_run(struct asking *x, struct err *e)
{
    struct query *q = x->q;
    bool keeps = may_keep(x);
    int rc = OK;
    if (keeps) store_changed_since(x->en->store, UINT64_MAX, &x->window.generation); /* before the view */
    if (x->reads) rc = store_view_open(x->en->store, x->window.from_ms, x->window.to_ms, &q->view, e);
    if (rc < 0) return rc;
    if (keeps) return query_range_cached(q, x->plan, x->en->results, x->en->store, &x->window, x->out, e);
    return query_run(q, x->plan->root, q->start_ms, x->out, e);
}

static void put_stats(struct asking *x)
{
    struct query_stats *st = &x->out->stats;
    struct query *q = x->q;
    st->samples_total = q->samples;
    st->samples_peak = q->points;
    st->series = q->series;
    st->start_ms = q->start_ms;
    st->step_ms = q->step_ms;
    st->steps = step_index(q, q->end_ms) + 1;
    if (q->counts_steps) {
        st->samples_per_step = arena_zero(&x->out->arena, st->steps * sizeof *st->samples_per_step);
        for (size_t i = 0; q->samples_at && i < st->steps; i++) st->samples_per_step[i] = q->samples_at[i];
    }
    if (q->costs) x->out->explain = explain_tree(q, x->plan->root, &x->out->arena);
}

static int run_timed(struct asking *x, struct err *e)
{
    struct query_stats *st = &x->out->stats;
    int place, rc = prepare(x, e);
    if (rc < 0) return rc;

    int64_t clock = clock_mono_ns();
    bool light = !x->reads || is_light(x->q, x->window.to_ms - x->window.from_ms);
    if ((rc = engine_enter(x->en, &x->q->call, light, &place, e)) < 0) return rc;
    st->queue_s = since(&clock);
    rc = open_and_run(x, e);
    engine_leave(x->en, place);
    st->eval_s = since(&clock);
    if (rc == OK) put_stats(x);
    return rc;
}

static void count(struct engine *en, const struct query_stats *st)
{
    stat_add(en->stats.answers[st->cache], 1);
    stat_set(en->stats.memory, (double)atomic_load(&en->memory));
    stat_set(en->stats.plan_bytes, (double)plan_cache_size(en->plans).bytes);
    if (en->results) stat_set(en->stats.kept_bytes, (double)result_cache_bytes(en->results));
}

static int take_turn(struct engine *en, struct query *q, const struct node *root, struct query_result *out,
                     struct err *e)
{
    int place, rc = engine_enter(en, &q->call, false, &place, e);
    if (rc < 0) return rc;
    rc = query_run(q, root, q->start_ms, out, e);
    engine_leave(en, place);
    return rc;
}

int engine_run_tree(struct engine *en, const struct query_conf *c, const struct node *root,
                    struct query_result *out, struct err *e)
{
    struct query q;
    *out = (struct query_result){ .arena = ARENA_INIT(en->conf.max_memory_bytes) };
    query_init(&q, en, c);
    int rc = take_turn(en, &q, root, out, e);
    out->is_partial = call_notes_any(&q.notes.lost);
    if (rc == OK) notes_finish(&q.notes, &out->arena, &out->notes);
    query_release(&q);
    if (rc < 0) query_result_release(out);
    return rc;
}

int engine_query(struct engine *en, const struct query_conf *c, struct query_result *out, struct err *e)
{
    int64_t begun = clock_mono_ns();
    struct query q;
    struct asking x = { .en = en, .conf = c, .q = &q, .out = out };

    *out = (struct query_result){ .arena = ARENA_INIT(en->conf.max_memory_bytes) };
    if (c->end_ms < c->start_ms) return err_set(e, ERR_PARSE, "end timestamp must not be before start time");
    if (c->start_ms < -QUERY_TIME_MAX_MS || c->end_ms > QUERY_TIME_MAX_MS)
        return err_set(e, ERR_PARSE, "time of the query out of range");
    query_init(&q, en, c);
    int rc = run_timed(&x, e);
    out->is_partial = call_notes_any(&q.notes.lost);
    if (rc == OK) notes_finish(&q.notes, &out->arena, &out->notes);
    query_release(&q);
    plan_unref(x.plan);
    if (rc == OK) count(en, &out->stats);
    if (rc < 0) query_result_release(out);
    out->stats.total_s = (double)(clock_mono_ns() - begun) / 1e9;
    return rc;
}

void query_result_release(struct query_result *r)
{
    arena_release(&r->arena);
    if (r->engine) engine_take(r->engine, 0 - r->charged);
    r->charged = 0;
    r->series = NULL;
    r->n = 0;
    r->explain = NULL;
    r->notes = (struct annotations){ 0 };
}
