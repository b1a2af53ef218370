/* engine.c - one query from its text to its answer: a turn in the queue, parse, prepare, evaluate, put
 * together.
 *
 * Always true:
 *   1. At most max_concurrent queries run; others wait for their turn, no longer than their deadline.
 *   2. Everything a query takes comes from its arenas, which are gone when it ends; the answer is a copy in
 * its own.
 *   3. Names flagged for removal are removed here and nowhere else; series that then are equal are joined, or
 * are an error. */
#include "query/promql/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "query/promql/eval.h"
#include "query/promql/parse.h"

struct engine {
    struct store *store;
    struct work_pool *pool;
    struct engine_conf conf;
    pthread_mutex_t mu; /* guards running */
    pthread_cond_t turn;
    size_t running;
};

struct query_arena {
    struct arena arena;
    struct query_arena *next;
};

struct engine *engine_new(struct store *store, struct work_pool *pool, const struct engine_conf *conf)
{
    struct engine *en = mem_alloc_zero(sizeof *en);
    pthread_condattr_t attr;

    en->store = store;
    en->pool = pool;
    if (conf) en->conf = *conf;
    if (en->conf.lookback_ms == 0) en->conf.lookback_ms = 5 * 60000;
    if (en->conf.default_step_ms == 0) en->conf.default_step_ms = 60000;
    if (en->conf.timeout_ms == 0) en->conf.timeout_ms = 2 * 60000;
    if (en->conf.max_samples == 0) en->conf.max_samples = 50000000;
    if (en->conf.max_memory_bytes == 0) en->conf.max_memory_bytes = (size_t)512 << 20;
    if (en->conf.max_concurrent == 0) en->conf.max_concurrent = 20;
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
    check(en->running == 0);
    pthread_cond_destroy(&en->turn);
    pthread_mutex_destroy(&en->mu);
    mem_free(en);
}

/* ---- turns ---- */

static int engine_enter(struct engine *en, const struct call *call, struct err *e)
{
    int rc = OK;
    pthread_mutex_lock(&en->mu);
    while (en->running >= en->conf.max_concurrent && (rc = call_check(call, e)) == OK) {
        int64_t until =
            MIN(clock_mono_ns() + 50000000, call->deadline_ns); /* wakes now and then to see a cancel */
        struct timespec ts = { until / 1000000000, until % 1000000000 };
        pthread_cond_timedwait(&en->turn, &en->mu, &ts);
    }
    if (rc == OK) en->running++;
    pthread_mutex_unlock(&en->mu);
    if (rc < 0) err_where(e, "waiting for one of %zu places in the query queue", en->conf.max_concurrent);
    return rc;
}

static void engine_leave(struct engine *en)
{
    pthread_mutex_lock(&en->mu);
    en->running--;
    pthread_cond_signal(&en->turn);
    pthread_mutex_unlock(&en->mu);
}

/* ---- memory ---- */

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

int query_charge(struct query *q, struct arena *a, size_t *charged, struct err *e)
{
    size_t more = a->used - *charged, total = atomic_fetch_add(&q->memory, more) + more;
    *charged = a->used;
    if (total <= q->max_memory) return OK;
    return err_set(e, ERR_LIMIT, "query needs more than its memory limit of %zu bytes", q->max_memory);
}

static void query_release(struct query *q)
{
    for (struct query_arena *a = q->arenas, *next; a != NULL; a = next) {
        next = a->next;
        arena_release(&a->arena);
        mem_free(a);
    }
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
        if (arena_over(&out->arena))
            return err_set(e, ERR_LIMIT, "the answer needs more than the memory limit of %zu bytes",
                           q->max_memory);
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

static int run(struct query *q, const struct node *n, struct query_result *out, struct err *e)
{
    struct eval ev = { .q = q, .start_ms = q->start_ms, .step_ms = q->step_ms, .n = 1 };
    struct series_matrix m;
    int rc;

    if (q->is_range && n->type != PROMQL_SCALAR && n->type != PROMQL_VECTOR)
        return err_set(e, ERR_PARSE,
                       "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                       type_text(n->type));
    if (q->is_range) ev.n = (size_t)((q->end_ms - q->start_ms) / q->step_ms) + 1;
    out->type = q->is_range ? PROMQL_MATRIX : n->type;
    if (n->type == PROMQL_STRING) {
        out->text = arena_str(&out->arena, node_string(n));
        return OK;
    }
    if (n->type == PROMQL_MATRIX) return run_range_vector(q, n, out, e);
    if ((rc = eval_room(&ev, 1, e)) < 0 || (rc = eval_node(&ev, n, &m, e)) < 0) return rc;
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
        .is_range = c->step_ms > 0,
        .start_ms = c->start_ms,
        .end_ms = c->end_ms,
        .step_ms = c->step_ms,
        .lookback_ms = c->lookback_ms > 0 ? MIN(c->lookback_ms, QUERY_TIME_MAX_MS) : en->conf.lookback_ms,
        .default_step_ms = en->conf.default_step_ms,
        .max_samples = en->conf.max_samples,
        .max_memory = en->conf.max_memory_bytes,
    };
    q->call = (struct call){ clock_mono_ns() + timeout * 1000000, c->cancelled, &q->arena, { NULL, 0 } };
    pthread_mutex_init(&q->mu, NULL);
    notes_init(&q->notes, c->text);
}

static int prepare(struct query *q, const struct node *n, struct err *e)
{
    int64_t from, to;
    int rc = prepare_check(q, n, e);
    if (rc < 0 || !prepare_window(q, n, &from, &to)) return rc;
    return store_view_open(q->engine->store, from, to, &q->view, e);
}

static double since(int64_t *from_ns)
{
    int64_t now = clock_mono_ns(), was = *from_ns;
    *from_ns = now;
    return (double)(now - was) / 1e9;
}

static int run_timed(struct query *q, const struct query_conf *c, struct query_result *out, struct err *e)
{
    int64_t clock = clock_mono_ns();
    struct query_stats *st = &out->stats;
    struct node *root = NULL;
    int rc = promql_parse(c->text, &q->arena, &root, e);

    st->parse_s = since(&clock);
    if (rc < 0) return rc;
    rc = prepare(q, root, e);
    st->prepare_s = since(&clock);
    if (rc == OK) rc = run(q, root, out, e);
    st->eval_s = since(&clock);
    promql_release(root);
    st->samples_total = q->samples;
    st->samples_peak = q->points;
    st->series = q->series;
    return rc;
}

int engine_query(struct engine *en, const struct query_conf *c, struct query_result *out, struct err *e)
{
    int64_t begun = clock_mono_ns(), clock = begun;
    struct query q;
    int rc;

    *out = (struct query_result){ .arena = ARENA_INIT(en->conf.max_memory_bytes) };
    if (c->end_ms < c->start_ms) return err_set(e, ERR_PARSE, "end timestamp must not be before start time");
    if (c->start_ms < -QUERY_TIME_MAX_MS || c->end_ms > QUERY_TIME_MAX_MS)
        return err_set(e, ERR_PARSE, "time of the query out of range");
    query_init(&q, en, c);
    if ((rc = engine_enter(en, &q.call, e)) == OK) {
        out->stats.queue_s = since(&clock);
        rc = run_timed(&q, c, out, e);
        engine_leave(en);
    }
    if (rc == OK) notes_finish(&q.notes, &out->arena, &out->notes);
    query_release(&q);
    if (rc < 0) query_result_release(out);
    out->stats.total_s = (double)(clock_mono_ns() - begun) / 1e9;
    return rc;
}

void query_result_release(struct query_result *r)
{
    arena_release(&r->arena);
    r->series = NULL;
    r->n = 0;
    r->notes = (struct annotations){ 0 };
}
