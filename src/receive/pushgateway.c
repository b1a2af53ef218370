/* pushgateway.c - the routes, the path that names a group, and the thread that samples the groups.
 *
 * Threads: `mu` is held from planning a change until it is committed, so that two pushes of a group do not
 * cross; the store's acknowledgement (durable) comes later and is waited for without it. */
#include "receive/pushgateway.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "decode/prom_text.h"
#include "net/http_params.h"
#include "receive/push_group.h"

#define SAMPLE_ROWS_MAX 20000 /* of one batch of the sampling thread */
#define PATH_LABELS_MAX 32

struct pushgateway {
    struct ingest in;
    int64_t interval_ms;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool stopping;              /* mu */
    struct push_groups *groups; /* mu */
    struct stat *n_groups, *n_series;
    pthread_t thread;
};

/* ---- the path ---- */

static int digit64(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-' || c == '+') return 62;
    return c == '_' ? 63 : -1;
}

/* URL-safe alphabet, padding optional. */
static bool base64(struct str s, struct arena *a, struct str *out)
{
    char *to = arena_alloc(a, s.n + 1);
    uint32_t bits = 0;
    size_t n = 0, have = 0;
    while (s.n > 0 && s.p[s.n - 1] == '=') s.n--;
    if (s.n % 4 == 1) return false;
    for (size_t i = 0; i < s.n; i++) {
        int d = digit64(s.p[i]);
        if (d < 0) return false;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        to[n++] = (char)(bits >> have);
    }
    *out = (struct str){ to, n };
    return true;
}

static int path_pair(struct str name, struct str value, struct arena *a, struct label *out, struct err *e)
{
    bool coded = str_ends(name, "@base64");
    if (coded) name.n -= strlen("@base64");
    if (coded && !base64(value, a, &value))
        return err_set(e, ERR_RANGE, "the value of label %.*s in the path is not base64",
                       (int)MIN(name.n, (size_t)64), name.p);
    if (!label_name_is_plain(name) || str_starts(name, "__"))
        return err_set(e, ERR_RANGE, "\"%.*s\" in the path is not a label name", (int)MIN(name.n, (size_t)64),
                       name.p);
    *out = (struct label){ name, value };
    return OK;
}

/* job/JOB/LABEL/VALUE... of the path as it was sent, so that an encoded slash is part of a value. */
static int path_labels(struct http_exchange *x, struct labels *out, struct err *e)
{
    struct arena *a = http_arena(x);
    struct label *pairs = arena_array(a, PATH_LABELS_MAX, sizeof *pairs);
    struct str query, target = str_cut(http_target(x), '?', &query), name, value;
    size_t n = 0;
    int rc;

    const char *from = memmem(target.p, target.n, "/metrics/", 9);
    if (from == NULL) return err_set(e, ERR_RANGE, "the path does not name a job");
    struct str rest = { from + 9, target.n - (size_t)(from + 9 - target.p) };
    while (rest.n > 0) {
        name = http_decode(str_cut(rest, '/', &rest), false, a);
        if (rest.n == 0 && target.p[target.n - 1] != '/')
            return err_set(e, ERR_RANGE, "label \"%.*s\" in the path has no value",
                           (int)MIN(name.n, (size_t)64), name.p);
        value = http_decode(str_cut(rest, '/', &rest), false, a);
        if (n == PATH_LABELS_MAX)
            return err_set(e, ERR_RANGE, "more than %d labels in the path", PATH_LABELS_MAX);
        if ((rc = path_pair(name, value, a, &pairs[n], e)) < 0) return rc;
        if (n++ == 0 && pairs[0].value.n == 0) return err_set(e, ERR_RANGE, "the job's name is empty");
    }
    if ((rc = labels_normalise(pairs, &n, e)) < 0) return rc;
    *out = (struct labels){ pairs, n };
    return OK;
}

/* ---- requests ---- */

static void show_sizes(struct pushgateway *g)
{
    stat_set(g->n_groups, (double)push_groups_n(g->groups));
    stat_set(g->n_series, (double)push_groups_series(g->groups));
}

static int decode(struct ingest_request *q, struct labels group, struct err *e)
{
    struct prom_text_import how = {
        .limits = &q->in->limit.decode,
        .default_time_ms = clock_now_ms(),
        .ignore_times = true,
        .extra = group.at,
        .n_extra = group.n,
    };
    struct prom_text_faults faults = { 0 };
    struct str body;
    int rc;

    if (!prom_text_form(http_header(q->x, "Content-Type"), &how.form))
        how.form = PROM_TEXT_PLAIN; /* curl says it is a form */
    if ((rc = ingest_body(q, UNPACK_IDENTITY, &body, e)) < 0) return rc;
    if ((rc = prom_text_import(body, &how, &q->arena, &q->batch, &q->refused, &faults, e)) < 0) return rc;
    if (faults.total > 0)
        return err_set(e, ERR_PARSE, "nothing kept: line %zu: %s", faults.first[0].line,
                       faults.first[0].text);
    return OK;
}

/* Plan, write, commit. q->rc tells whether anything was kept. */
static int change(struct pushgateway *g, struct ingest_request *q, struct labels group, enum push_mode mode)
{
    struct push_plan plan;
    pthread_mutex_lock(&g->mu);
    int rc = push_groups_plan(g->groups, group, mode, clock_now_ms(), &q->batch, &plan, &q->err);
    if (rc < 0) {
        q->rc = rc;
    } else if ((rc = ingest_write(q)) < 0) {
        push_plan_drop(&plan);
    } else {
        push_plan_commit(g->groups, &plan);
        show_sizes(g);
    }
    pthread_mutex_unlock(&g->mu);
    return rc;
}

static void answer(struct ingest_request *q)
{
    if (q->rc < 0)
        ingest_answer_text(q, ingest_status(q->rc), q->err.text);
    else if (ingest_refused(q) > 0)
        ingest_answer_text(q, 400, ingest_why(q));
    else
        ingest_answer(q, q->form == PUSH_DELETE ? 202 : 200, "text/plain; charset=utf-8", STR(""));
}

static void failed(struct pushgateway *g, struct labels group)
{
    pthread_mutex_lock(&g->mu);
    push_groups_failed(g->groups, group, clock_now_ms());
    show_sizes(g);
    pthread_mutex_unlock(&g->mu);
}

static void handle(struct pushgateway *g, struct http_exchange *x, enum push_mode mode)
{
    struct ingest_request *q = ingest_begin(&g->in, x);
    struct labels group = { NULL, 0 };
    struct err e = ERR_INIT;
    q->form = (int)mode;

    int rc = path_labels(x, &group, &e);
    if (rc == OK && mode == PUSH_DELETE) {
        batch_init(&q->batch, &q->arena, LABELS_PACKED);
    } else if (rc == OK && (rc = decode(q, group, &e)) < 0) {
        failed(g, group);
    }
    if (rc < 0) {
        ingest_refuse(q, &e);
        return;
    }
    change(g, q, group, mode);
    ingest_finish(q, answer);
}

static void handle_put(struct http_exchange *x, void *ctx)
{
    handle(ctx, x, PUSH_REPLACE);
}

static void handle_post(struct http_exchange *x, void *ctx)
{
    handle(ctx, x, PUSH_MERGE);
}

static void handle_delete(struct http_exchange *x, void *ctx)
{
    handle(ctx, x, PUSH_DELETE);
}

const struct http_route pushgateway_routes[] = {
    { "PUT", "/metrics/job/{rest*}", handle_put },
    { "POST", "/metrics/job/{rest*}", handle_post },
    { "DELETE", "/metrics/job/{rest*}", handle_delete },
    { "PUT", "/metrics/job@base64/{rest*}", handle_put },
    { "POST", "/metrics/job@base64/{rest*}", handle_post },
    { "DELETE", "/metrics/job@base64/{rest*}", handle_delete },
};
const size_t pushgateway_n_routes = COUNT(pushgateway_routes);

/* ---- sampling ---- */

int pushgateway_sample(struct pushgateway *g, int64_t now_ms, struct err *e)
{
    struct arena arena = ARENA_INIT(SIZE_MAX);
    size_t cursor = 0;
    int rc = OK;
    for (bool more = true; more && rc == OK;) {
        struct batch b;
        struct write_result result = { 0 };
        arena_reset(&arena);
        batch_init(&b, &arena, LABELS_PACKED);
        pthread_mutex_lock(&g->mu);
        more = push_groups_sample(g->groups, &cursor, now_ms, SAMPLE_ROWS_MAX, &b);
        pthread_mutex_unlock(&g->mu);
        policy_redact_batch(&b);
        if (b.n_rows > 0) rc = store_write(g->in.store, &b, ACK_MEMORY, &result, NULL, NULL, e);
    }
    arena_release(&arena);
    return rc;
}

/* Sleeps until the next interval; false when it is time to end. */
static bool next_interval(struct pushgateway *g)
{
    int64_t until = clock_mono_ns() + g->interval_ms * 1000000;
    struct timespec at = { .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };
    pthread_mutex_lock(&g->mu);
    while (!g->stopping && clock_mono_ns() < until) pthread_cond_timedwait(&g->wake, &g->mu, &at);
    bool go_on = !g->stopping;
    pthread_mutex_unlock(&g->mu);
    return go_on;
}

static void *sampler(void *arg)
{
    struct pushgateway *g = arg;
    while (next_interval(g)) {
        struct err e = ERR_INIT;
        if (pushgateway_sample(g, clock_now_ms(), &e) < 0)
            log_warn("pushgateway", "pushed values not sampled this time", "error", e.text, NULL);
    }
    return NULL;
}

struct pushgateway *pushgateway_start(struct store *store, const struct limit *limit,
                                      const struct pushgateway_conf *conf)
{
    struct pushgateway *g = mem_alloc_zero(sizeof *g);
    ingest_init(&g->in, "pushgateway", store, limit);
    g->in.policy = policy_now();
    g->interval_ms = conf->interval_ms ? conf->interval_ms : 15000;
    g->groups = push_groups_new(conf->max_groups ? conf->max_groups : 10000,
                                conf->max_series ? conf->max_series : 500000);
    g->n_groups = stat_gauge("vedette_pushgateway_groups", "Groups of pushed metrics.", NULL);
    g->n_series = stat_gauge("vedette_pushgateway_series", "Series in all groups of pushed metrics.", NULL);

    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&g->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&g->mu, NULL);
    check(pthread_create(&g->thread, NULL, sampler, g) == 0);
    return g;
}

void pushgateway_stop(struct pushgateway *g)
{
    if (g == NULL) return;
    pthread_mutex_lock(&g->mu);
    g->stopping = true;
    pthread_cond_signal(&g->wake);
    pthread_mutex_unlock(&g->mu);
    pthread_join(g->thread, NULL);
    pthread_cond_destroy(&g->wake);
    pthread_mutex_destroy(&g->mu);
    push_groups_free(g->groups);
    mem_free(g);
}
