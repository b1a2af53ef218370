/* logql.c - see logql.h: a query from its text to its answer.
 *
 * Metric queries run on an engine of their own, which is PromQL's without its caches: it gives turns, limits
 * and operators. Log queries take their turn here. Threads: any; `mu` guards `running`. */
#include "query/logql/logql.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/turns.h"
#include "query/logql/run.h"

#define STEPS_MAX 11000 /* of a metric query: as many as any screen has columns */
#define NS_PER_MS 1000000

/* Sums of a time, a range, an offset and a step stay within 64 bits. */
#define TIME_MAX_NS ((int64_t)4000000000000000000) /* the year 2096 */
#define STEP_MAX_NS ((int64_t)1000000000000000000)

struct logql {
    struct store *store;
    struct engine *engine;
    struct work_pool *pool; /* may be NULL */
    struct logql_conf conf;
    pthread_mutex_t mu;
    pthread_cond_t turn;
    size_t running; /* log queries */
};

struct logql *logql_new(struct store *store, struct work_pool *pool, const struct logql_conf *conf)
{
    struct logql *lq = mem_alloc_zero(sizeof *lq);
    pthread_condattr_t attr;
    if (conf) lq->conf = *conf;
    if (lq->conf.timeout_ms == 0) lq->conf.timeout_ms = 2 * 60000;
    if (lq->conf.max_memory_bytes == 0) lq->conf.max_memory_bytes = (size_t)512 << 20;
    if (lq->conf.max_entries == 0) lq->conf.max_entries = 5000;
    if (lq->conf.max_series == 0) lq->conf.max_series = 10000;
    if (lq->conf.max_concurrent == 0) lq->conf.max_concurrent = 20;
    lq->store = store;
    lq->pool = pool;
    lq->engine = engine_new(store, pool,
                            &(struct engine_conf){ .timeout_ms = lq->conf.timeout_ms,
                                                   .max_memory_bytes = lq->conf.max_memory_bytes,
                                                   .max_concurrent = lq->conf.max_concurrent,
                                                   .no_result_cache = true });
    pthread_mutex_init(&lq->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&lq->turn, &attr);
    pthread_condattr_destroy(&attr);
    return lq;
}

void logql_free(struct logql *lq)
{
    if (lq == NULL) return;
    check(lq->running == 0);
    engine_free(lq->engine);
    pthread_cond_destroy(&lq->turn);
    pthread_mutex_destroy(&lq->mu);
    mem_free(lq);
}

/* ---- turns ---- */

static int enter(struct logql *lq, const struct call *call, struct err *e)
{
    int rc = OK;
    pthread_mutex_lock(&lq->mu);
    while (lq->running >= lq->conf.max_concurrent && (rc = call_check(call, e)) == OK) {
        int64_t until = MIN(clock_mono_ns() + 50 * NS_PER_MS, call->deadline_ns); /* a cancel is seen */
        struct timespec ts = { until / 1000000000, until % 1000000000 };
        turns_leave(); /* those who run need it */
        pthread_cond_timedwait(&lq->turn, &lq->mu, &ts);
    }
    if (rc == OK) lq->running++;
    pthread_mutex_unlock(&lq->mu);
    turns_back();
    return rc;
}

static void leave(struct logql *lq)
{
    pthread_mutex_lock(&lq->mu);
    lq->running--;
    pthread_cond_signal(&lq->turn);
    pthread_mutex_unlock(&lq->mu);
}

/* ---- log queries ---- */

static int64_t floor_ms(int64_t ns)
{
    return ns / NS_PER_MS - (ns % NS_PER_MS < 0);
}

static int run_log(struct logql_run *r, const struct expr *x, struct logql_result *out, struct err *e)
{
    const struct logql_request *q = r->req;
    out->type = LOGQL_STREAMS;
    if (q->end_ns <= q->start_ns) return OK;
    int rc = enter(r->lq, &r->call, e);
    if (rc < 0) return rc;
    rc = store_view_open(r->lq->store, floor_ms(q->start_ns), floor_ms(q->end_ns - 1), &r->view, e);
    if (rc == OK) rc = logql_run_log(r, logql_bare(x)->log, out, e);
    leave(r->lq);
    return rc;
}

/* ---- metric queries ---- */

static int count_steps(struct logql_run *r, struct err *e)
{
    const struct logql_request *q = r->req;
    r->n_steps = 1;
    r->start_ns = q->step_ns > 0 ? q->start_ns : q->end_ns;
    r->step_ns = q->step_ns;
    if (q->step_ns == 0) return OK;
    if (q->step_ns < 0) return err_set(e, ERR_PARSE, "the step must not be negative");
    if (q->end_ns < q->start_ns) return err_set(e, ERR_PARSE, "end timestamp must not be before start time");
    uint64_t steps = ((uint64_t)q->end_ns - (uint64_t)q->start_ns) / (uint64_t)q->step_ns + 1;
    if (steps > STEPS_MAX)
        return err_set(e, ERR_LIMIT,
                       "exceeded maximum resolution of %d points per series; ask for a larger step",
                       STEPS_MAX);
    r->n_steps = (size_t)steps;
    return OK;
}

/* The tree's answer counts in steps; here it gets its times. Moved, not copied: the arena comes with it. */
static void give_series(const struct logql_run *r, struct query_result *from, struct logql_result *out)
{
    static const enum logql_type types[] = {
        [PROMQL_SCALAR] = LOGQL_SCALAR, [PROMQL_VECTOR] = LOGQL_VECTOR, [PROMQL_MATRIX] = LOGQL_MATRIX
    };
    out->type = types[from->type];
    out->series = from->series;
    out->n_series = from->n;
    for (size_t i = 0; i < from->n; i++)
        for (size_t k = 0; k < from->series[i].n; k++) {
            struct result_point *p = &from->series[i].points[k];
            p->time_ms = floor_ms(r->start_ns + p->time_ms * r->step_ns);
        }
    out->warnings = from->notes.warnings;
    out->n_warnings = from->notes.n_warnings;
    out->is_partial = from->is_partial;
    arena_release(&out->arena);
    out->arena = from->arena;
    from->arena = (struct arena)ARENA_INIT(0);
    query_result_release(from); /* tells the engine that the memory is no more its own */
}

static int run_metric(struct logql_run *r, const struct expr *x, struct logql_result *out, struct err *e)
{
    struct query_result answer;
    struct node *root;
    int64_t from_ns, to_ns;
    int rc = count_steps(r, e);
    if (rc == OK && logql_reach(r, x, &from_ns, &to_ns))
        rc = store_view_open(r->lq->store, floor_ms(from_ns), floor_ms(to_ns), &r->view, e);
    if (rc == OK) rc = logql_translate(r, x, &root, e);
    if (rc < 0) return rc;
    struct query_conf conf = { .text = r->query.text,
                               .end_ms = (int64_t)r->n_steps - 1,
                               .step_ms = r->req->step_ns > 0,
                               .cancelled = r->req->cancelled };
    if ((rc = engine_run_tree(r->lq->engine, &conf, root, &answer, e)) < 0) return rc;
    if (answer.n > r->conf->max_series) {
        query_result_release(&answer);
        return err_set(e, ERR_LIMIT, "maximum number of series (%llu) reached for a single query",
                       (unsigned long long)r->conf->max_series);
    }
    give_series(r, &answer, out);
    return OK;
}

/* ---- the whole ---- */

static int check_times(const struct logql_request *q, struct err *e)
{
    bool good = q->start_ns >= -TIME_MAX_NS && q->start_ns <= TIME_MAX_NS && q->end_ns >= -TIME_MAX_NS &&
                q->end_ns <= TIME_MAX_NS && q->step_ns <= STEP_MAX_NS && q->interval_ns <= STEP_MAX_NS;
    return good ? OK : err_set(e, ERR_PARSE, "time of the query out of range");
}

/* What the store said, beside what the engine of metric queries has said already. */
static void give_notes(struct call_notes *lost, struct logql_result *out)
{
    struct str *texts, *all;
    if (!call_notes_any(lost)) return;
    out->is_partial = true;
    size_t n = call_notes_list(lost, &out->arena, &texts);
    all = arena_array(&out->arena, n + out->n_warnings, sizeof *all);
    memcpy(all, texts, n * sizeof *all);
    if (out->n_warnings > 0) memcpy(all + n, out->warnings, out->n_warnings * sizeof *all);
    out->warnings = all;
    out->n_warnings += n;
}

int logql_query(struct logql *lq, const struct logql_request *q, struct logql_result *out, struct err *e)
{
    int64_t begun = clock_mono_ns();
    *out = (struct logql_result){ .arena = ARENA_INIT(lq->conf.max_memory_bytes) };
    struct logql_run r = { .lq = lq,
                           .conf = &lq->conf,
                           .req = q,
                           .arena = ARENA_INIT(lq->conf.max_memory_bytes),
                           .stats = &out->stats };
    struct call_notes lost;
    call_notes_init(&lost);
    r.call = (struct call){ .deadline_ns = begun + lq->conf.timeout_ms * NS_PER_MS,
                            .cancelled = q->cancelled,
                            .arena = &r.arena,
                            .notes = &lost,
                            .pool = lq->pool };
    int rc = check_times(q, e);
    if (rc == OK) rc = logql_parse(q->text, &r.arena, &r.query, e);
    if (rc == OK)
        rc = logql_is_log(r.query.root) ? run_log(&r, r.query.root, out, e)
                                        : run_metric(&r, r.query.root, out, e);
    store_view_close(r.view);
    logql_query_release(&r.query);
    arena_release(&r.arena);
    if (rc == OK) give_notes(&lost, out);
    call_notes_release(&lost);
    if (rc < 0) logql_result_release(out);
    out->stats.total_s = (double)(clock_mono_ns() - begun) / 1e9;
    return rc;
}

void logql_result_release(struct logql_result *r)
{
    struct logql_stats stats = r->stats;
    arena_release(&r->arena);
    *r = (struct logql_result){ .stats = stats };
}

/* ---- tails ---- */

struct logql_tail {
    struct logql_query query;
    const struct log_expr *log;
    struct pipeline pipe;
    struct arena arena;
};

int logql_tail_new(struct str text, struct logql_tail **out, struct err *e)
{
    struct logql_tail *t = mem_alloc_zero(sizeof *t);
    t->arena = (struct arena)ARENA_INIT(64u << 20);
    pipeline_init(&t->pipe);
    int rc = logql_parse(text, &t->arena, &t->query, e);
    if (rc == OK && !logql_is_log(t->query.root))
        rc = err_set(e, ERR_PARSE, "parse error : only log queries can be tailed");
    if (rc < 0) {
        logql_tail_free(t);
        return rc;
    }
    t->log = logql_bare(t->query.root)->log;
    *out = t;
    return OK;
}

void logql_tail_free(struct logql_tail *t)
{
    if (t == NULL) return;
    logql_query_release(&t->query);
    pipeline_release(&t->pipe);
    arena_release(&t->arena);
    mem_free(t);
}

bool logql_tail_try(struct logql_tail *t, const struct record *rec, struct arena *a, struct labels *stream,
                    struct logql_entry *out)
{
    struct labels labels = origin_labels(rec->origin, a);
    struct pipeline *p = &t->pipe;
    if (!matchers_match(t->log->matchers, t->log->n_matchers, labels)) return false;
    pipeline_next(p, labels, record_line(rec, a), rec->time_ns);
    record_labels(rec, &p->labels, &p->scratch);
    if (!pipeline_run(p, t->log->stages)) return false;
    *stream = lset_labels(&p->labels, LABEL_STREAM, a, true);
    *out = (struct logql_entry){ .time_ns = rec->time_ns,
                                 .line = arena_str(a, p->line),
                                 .structured = lset_labels(&p->labels, LABEL_STRUCTURED, a, true),
                                 .parsed = lset_labels(&p->labels, LABEL_PARSED, a, true) };
    return true;
}

/* ---- names ---- */

struct labels logql_stream_labels(const struct origin *o, struct arena *a)
{
    return origin_labels(o, a);
}

/* Exact: streams that match are looked up and named. */
int logql_selector(struct str text, struct store_view *view, struct call *c, const struct predicate **out,
                   struct err *e)
{
    struct logql_query q;
    struct origin *origins;
    size_t n, found = 0;
    *out = NULL;
    int rc = logql_parse_selector(text, c->arena, &q, e);
    if (rc < 0) return rc;
    const struct log_expr *log = q.root->log;
    if (log->n_matchers > 0 && (rc = view_origins(view, c, TABLE_LOGS, NULL, 0, &origins, &n, e)) == OK) {
        struct value *ids = arena_array(c->arena, n, sizeof *ids);
        for (size_t i = 0; i < n; i++)
            if (matchers_match(log->matchers, log->n_matchers, origin_labels(&origins[i], c->arena)))
                ids[found++] = (struct value){ .type = VALUE_BYTES,
                                               .text = str_make(&origins[i].id, sizeof origins[i].id) };
        *out = predicate_in(c->arena, field_in(IN_ORIGIN), ids, found);
    }
    logql_query_release(&q);
    return rc;
}

int logql_format(struct str text, struct buf *out, struct err *e)
{
    struct arena a = ARENA_INIT(64u << 20);
    struct logql_query q;
    int rc = logql_parse(text, &a, &q, e);
    if (rc == OK) {
        logql_print_pretty(out, q.root);
        logql_query_release(&q);
    }
    arena_release(&a);
    return rc;
}
