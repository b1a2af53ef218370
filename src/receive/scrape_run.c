/* scrape_run.c - one scrape: ask, parse, write, remember.
 *
 *     scheduler thread   scrape_run_start: request made, fetch begun
 *     client thread      fetched: the answer taken over, posted to the workers
 *     worker             settle: parsed through the target's cache, one batch written, the target's state
 * updated
 *
 * The batch of a good scrape holds the samples, stale markers of series that vanished, and the scrape's own
 * series (up and others); of a failed one stale markers and own series. Written as a whole, with ACK_MEMORY:
 * what a crash takes of the last second is scraped anew. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "receive/limit.h"
#include "receive/policy.h"
#include "receive/scrape_impl.h"
#include "receive/scrape_request.h"

#define BODY_MAX       (512u << 20) /* where body_size_limit sets nothing */
#define BATCH_MEMORY   ((size_t)2 << 30)
#define REQUEST_MEMORY (4u << 20)

struct run {
    struct scrape_manager *m;
    struct scrape_target *t;
    struct scrape_conf *conf; /* references: a reload must not take them away */
    struct scrape_spec *spec;
    const struct scrape_job *job;
    int64_t time_ms, began_ns;
    double seconds;
    struct buf body;
    enum prom_text_form form;
    struct err err; /* code OK: the body is to be parsed */
    bool ends;      /* the target's last run: only markers */
    struct scrape_parse parse;
    size_t added;
};

/* ---- the batch ---- */

static void put_gone(const struct scrape_series *s, void *ctx)
{
    const struct run *r = ctx;
    struct batch *b = r->parse.out;
    batch_series_known(b, arena_str(b->arena, scrape_series_packed(s)),
                       s->key); /* the cache is about to free it */
    batch_sample(b, r->time_ms, double_of(STALE_BITS));
}

static void put_own(const struct run *r, const char *name, double value)
{
    const struct labels *target = &r->spec->labels;
    struct batch *b = r->parse.out;
    struct label *l = arena_array(b->arena, target->n + 1, sizeof *l);
    size_t n = target->n + 1;
    if (target->n > 0) memcpy(l, target->at, target->n * sizeof *l);
    l[target->n] = (struct label){ STR(LABEL_NAME), str_of(name) };
    if (labels_normalise(l, &n, NULL) < 0) return;
    batch_series_labels(b, (struct labels){ l, n });
    batch_sample(b, r->time_ms, r->ends ? double_of(STALE_BITS) : value);
}

static void put_report(const struct run *r)
{
    bool up = r->err.code == OK;
    put_own(r, "up", up);
    put_own(r, "scrape_duration_seconds", r->seconds);
    put_own(r, "scrape_samples_scraped", (double)r->parse.scraped);
    put_own(r, "scrape_samples_post_metric_relabeling", (double)r->parse.kept);
    put_own(r, "scrape_series_added", (double)r->added);
    if (!r->job->extra_metrics) return;
    put_own(r, "scrape_timeout_seconds", (double)r->spec->timeout_ms / 1e3);
    put_own(r, "scrape_sample_limit", (double)r->job->sample_limit);
    put_own(r, "scrape_body_size_bytes", up ? (double)r->body.n : r->err.code == ERR_LIMIT ? -1 : 0);
}

/* A failed parse has left rows in the batch: begin anew, in the same memory. */
static void parse_body(struct run *r, struct batch *b, struct arena *a)
{
    if (!hash128_eq(r->t->series_identity, r->job->series_identity)) {
        scrape_cache_forget_texts(r->t->cache);
        r->t->series_identity = r->job->series_identity;
    }
    scrape_cache_begin(r->t->cache);
    if (r->err.code == OK && scrape_parse(&r->parse, buf_view(&r->body), r->form, &r->err) < 0)
        batch_init(b, a, LABELS_PACKED);
    r->added = r->err.code == OK ? scrape_cache_added(r->t->cache) : 0;
    r->seconds = (double)(clock_mono_ns() - r->began_ns) / 1e9;
    scrape_cache_end(r->t->cache, r->err.code == OK, put_gone, r);
}

/* Rows with impossible times go; the store counts its own refusals, these are ours. */
static void check_times(struct run *r, struct batch *b)
{
    struct limit limit = LIMIT_DEFAULT;
    struct write_result refused = { 0 };
    limit_times(b, &limit, clock_now_ms(), &refused);
    if (refused.rejected_total == 0) return;
    for (int i = 0; i < REJECT_COUNT; i++)
        if (refused.rejected[i] > 0) reject_count((enum reject)i, refused.rejected[i]);
    log_warn("scrape", "samples were refused", "target", r->spec->url, "first", refused.why, NULL);
}

static void write_batch(struct run *r, struct batch *b)
{
    struct write_result result = { 0 };
    struct err e = ERR_INIT;
    if (r->parse.timed) check_times(r, b);
    policy_redact_batch(b);
    if (store_write(r->m->store, b, ACK_MEMORY, &result, NULL, NULL, &e) < 0) {
        scrape_families_forget(r->t->families);
        log_warn("scrape", "a scrape could not be stored", "target", r->spec->url, "error", e.text, NULL);
        if (r->err.code == OK) r->err = e;
        return;
    }
    if (result.rejected_total > 0)
        log_warn("scrape", "samples were refused", "target", r->spec->url, "first", result.why, NULL);
    stat_add(r->m->samples, result.samples);
}

/* ---- the end ---- */

static void run_free(struct run *r)
{
    scrape_spec_unref(r->spec);
    scrape_conf_free(r->conf);
    buf_release(&r->body);
    mem_free(r);
}

static void remember(struct run *r)
{
    struct scrape_target *t = r->t;
    pthread_mutex_lock(&r->m->mu);
    bool changed = t->health != (r->err.code == OK ? HEALTH_UP : HEALTH_DOWN);
    t->health = r->err.code == OK ? HEALTH_UP : HEALTH_DOWN;
    snprintf(t->last_error, sizeof t->last_error, "%.255s", r->err.code == OK ? "" : r->err.text);
    t->last_scrape_ms = r->time_ms;
    t->last_seconds = r->seconds;
    t->busy = false;
    pthread_mutex_unlock(&r->m->mu);
    if (changed && r->err.code != OK)
        log_info("scrape", "target is down", "target", r->spec->url, "error", r->err.text, NULL);
}

static void settle(void *arg)
{
    struct run *r = arg;
    struct arena arena = ARENA_INIT(BATCH_MEMORY);
    struct batch b;
    batch_init(&b, &arena, LABELS_PACKED);
    r->parse = (struct scrape_parse){
        .job = r->job,
        .target = r->spec->labels,
        .cache = r->t->cache,
        .families = r->t->families,
        .time_ms = r->time_ms,
        .out = &b,
    };
    parse_body(r, &b, &arena);
    if (r->err.code == ERR_LIMIT && !r->ends) /* as many as were seen; of a body too large, none was */
        reject_count(REJECT_scrape_limit, MAX(r->parse.scraped, 1));
    put_report(r);
    write_batch(r, &b);
    arena_release(&arena);

    stat_add(r->m->scrapes, !r->ends);
    stat_add(r->m->failed, !r->ends && r->err.code != OK);
    stat_add(r->m->duplicates, r->parse.duplicates);
    if (r->ends)
        scrape_target_free(r->t);
    else
        remember(r);
    run_free(r);
}

static void post(struct run *r)
{
    if (!work_post(r->m->workers, settle, r)) settle(r);
}

/* ---- the answer ---- */

static int form_of_fallback(enum scrape_protocol p, enum prom_text_form *out)
{
    if (p == SCRAPE_PROTO || p == 0) return ERR_UNSUPPORTED;
    *out = p == SCRAPE_OM_001 || p == SCRAPE_OM_100 ? PROM_TEXT_OPENMETRICS : PROM_TEXT_PLAIN;
    return OK;
}

static int choose_form(struct run *r, const char *type)
{
    if (*type != 0 && prom_text_form(str_of(type), &r->form)) return OK;
    if (form_of_fallback(r->job->fallback, &r->form) == OK) return OK;
    if (*type == 0)
        return err_set(&r->err, ERR_UNSUPPORTED,
                       "non-compliant scrape target sending blank Content-Type and no "
                       "fallback_scrape_protocol specified for target");
    return err_set(
        &r->err, ERR_UNSUPPORTED,
        "received unsupported Content-Type \"%s\" and no fallback_scrape_protocol specified for target",
        type);
}

static const char *status_phrase(long status)
{
    static const struct {
        long status;
        const char *phrase;
    } all[] = {
        { 301, " Moved Permanently" },     { 302, " Found" },          { 400, " Bad Request" },
        { 401, " Unauthorized" },          { 403, " Forbidden" },      { 404, " Not Found" },
        { 405, " Method Not Allowed" },    { 406, " Not Acceptable" }, { 429, " Too Many Requests" },
        { 500, " Internal Server Error" }, { 502, " Bad Gateway" },    { 503, " Service Unavailable" },
        { 504, " Gateway Timeout" },
    };
    for (size_t i = 0; i < COUNT(all); i++)
        if (all[i].status == status) return all[i].phrase;
    return "";
}

static void fetched(struct http_fetched *got, void *ctx)
{
    struct run *r = ctx;
    if (got->rc == ERR_CANCEL) { /* we are stopping; nobody looks at the target any more */
        run_free(r);
        return;
    }
    if (got->rc == ERR_LIMIT && got->body.full)
        err_set(&r->err, ERR_LIMIT, "body size limit exceeded: more than %zu bytes", got->body.max);
    else if (got->rc == ERR_TIMEOUT)
        err_set(&r->err, ERR_TIMEOUT, "Get \"%s\": timed out after %lld ms", r->spec->url,
                (long long)r->spec->timeout_ms);
    else if (got->rc < 0)
        err_set(&r->err, got->rc, "Get \"%s\": %s", r->spec->url, got->error);
    else if (got->status != 200)
        err_set(&r->err, ERR_IO, "server returned HTTP status %ld%s", got->status,
                status_phrase(got->status));
    else if (choose_form(r, got->content_type) == OK) {
        r->body = got->body;
        got->body = (struct buf)BUF_INIT(0);
    }
    post(r);
}

static int ask(struct run *r)
{
    struct arena a = ARENA_INIT(REQUEST_MEMORY);
    struct http_fetch fetch;
    const char *headers[] = {
        scrape_accept(r->job, &a),
        arena_printf(&a, "X-Prometheus-Scrape-Timeout-Seconds: %g", (double)r->spec->timeout_ms / 1e3).p,
    };
    int rc =
        http_conf_request(&r->job->http, r->spec->url, headers, COUNT(headers), NULL, &a, &fetch, &r->err);
    fetch.accept_gzip = r->job->compression;
    fetch.timeout_ms = (unsigned)MIN(r->spec->timeout_ms, (int64_t)86400000);
    fetch.max_answer_bytes =
        r->job->body_size_limit > 0 ? (size_t)MIN(r->job->body_size_limit, (uint64_t)BODY_MAX) : BODY_MAX;
    if (rc == OK) rc = http_client_fetch(r->m->client, &fetch, fetched, r, &r->err);
    arena_release(&a);
    return rc;
}

/* ---- the beginning ---- */

static struct run *run_new(struct scrape_target *t, int64_t time_ms)
{
    struct run *r = mem_alloc_zero(sizeof *r);
    r->m = t->manager;
    r->t = t;
    r->time_ms = time_ms;
    r->began_ns = clock_mono_ns();
    pthread_mutex_lock(&r->m->mu);
    r->conf = scrape_conf_ref(t->conf);
    r->spec = scrape_spec_ref(t->spec);
    r->job = t->job;
    if (t->over_limit != NULL) err_set(&r->err, ERR_LIMIT, "%s", t->over_limit);
    pthread_mutex_unlock(&r->m->mu);
    return r;
}

static void ask_or_post(void *arg)
{
    struct run *r = arg;
    if (ask(r) < 0) post(r);
}

void scrape_run_start(struct scrape_target *t, int64_t time_ms)
{
    struct run *r = run_new(t, time_ms);
    t->reported = true;
    if (r->err.code != OK)
        post(r);
    else if (!http_conf_may_wait(&r->job->http) || !work_post(r->m->workers, ask_or_post, r))
        ask_or_post(r); /* on the scheduler's thread, which others wait for */
}

void scrape_run_end(struct scrape_target *t, int64_t time_ms)
{
    if (!t->reported) return scrape_target_free(t);
    struct run *r = run_new(t, time_ms);
    r->ends = true;
    err_set(&r->err, ERR_CANCEL, "the target is gone");
    post(r);
}
