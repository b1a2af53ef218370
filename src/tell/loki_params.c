/* loki_params.c - parameters of Loki's API, and what its handlers share; see api_loki_impl.h. */
#include <ctype.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"
#include "decode/time_text.h"
#include "query/logql/parse.h"
#include "tell/api_loki_impl.h"
#include "tell/missing.h"

/* ---- jobs ---- */

struct job {
    struct http_exchange *x;
    const struct logs_api *api;
    logs_job_fn *run;
};

static void run_job(void *arg)
{
    struct job job = *(struct job *)arg; /* it lives in the exchange, which is gone once answered */
    job.run(job.x, job.api);
}

void logs_post(struct http_exchange *x, const struct logs_api *api, logs_job_fn *run)
{
    struct job *job = arena_alloc(http_arena(x), sizeof *job);
    struct err e = ERR_INIT;
    *job = (struct job){ x, api, run };
    if (work_post(api->base->pool, run_job, job)) return;
    err_set(&e, ERR_BUSY, "too many outstanding requests");
    loki_error(x, &e);
}

/* ---- answers ---- */

static int status_of(int code)
{
    switch (code) {
    case ERR_PARSE:
    case ERR_RANGE: return 400;
    case ERR_FIND: return 404;
    case ERR_EXEC:
    case ERR_LIMIT: return 422;
    case ERR_BUSY: return 429;
    case ERR_CANCEL: return 499;
    case ERR_TIMEOUT: return 504;
    case ERR_UNSUPPORTED: return 501;
    default: return 500;
    }
}

void loki_error(struct http_exchange *x, const struct err *e)
{
    if (e->code == ERR_BUSY) http_answer_header(x, "Retry-After", STR("1"));
    respond_text(x, status_of(e->code), "%s", e->text);
}

void loki_answer(struct http_exchange *x, struct buf *json)
{
    missing_json(x, json);
    if (!json->full) {
        http_answer_buf(x, 200, "application/json; charset=UTF-8", json);
        return;
    }
    struct err e = ERR_INIT;
    buf_release(json);
    err_set(&e, ERR_LIMIT, "the answer is larger than %zu MiB; ask for fewer lines or series",
            ANSWER_MAX_BYTES >> 20);
    loki_error(x, &e);
}

/* ---- parameters ---- */

int64_t loki_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static bool seconds_to_ns(double s, int64_t *ns)
{
    if (!(s > -9.2e9 && s < 9.2e9)) return false;
    *ns = (int64_t)(s * 1e9);
    return true;
}

static bool float_of(struct str s, double *out)
{
    char text[64], *end;
    if (s.n == 0 || s.n >= sizeof text || isspace((unsigned char)s.p[0])) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    *out = strtod(text, &end);
    return *end == 0;
}

bool loki_time(struct str s, int64_t *ns)
{
    double seconds;
    if (str_to_i64(s, ns)) return s.n > 10 || seconds_to_ns((double)*ns, ns);
    if (float_of(s, &seconds)) return seconds_to_ns(seconds, ns);
    return time_from_rfc3339(s, ns);
}

bool loki_duration(struct str s, int64_t *ns)
{
    double seconds;
    if (float_of(s, &seconds)) return seconds_to_ns(seconds, ns);
    return logql_duration(s, ns);
}

int take_loki_time(struct http_exchange *x, const char *name, int64_t fallback, int64_t *ns, struct err *e)
{
    struct str s = http_param(x, name);
    *ns = fallback;
    if (s.n == 0 || loki_time(s, ns)) return OK;
    return err_set(e, ERR_PARSE,
                   "could not parse '%s' parameter: \"%.*s\" is no time (ns, seconds or RFC 3339)", name,
                   STR_ARG(s));
}

int take_loki_duration(struct http_exchange *x, const char *name, int64_t fallback, int64_t *ns,
                       struct err *e)
{
    struct str s = http_param(x, name);
    *ns = fallback;
    if (s.n == 0) return OK;
    if (!loki_duration(s, ns))
        return err_set(e, ERR_PARSE, "cannot parse \"%.*s\" to a valid duration in parameter '%s'",
                       STR_ARG(s), name);
    return *ns >= 0 ? OK : err_set(e, ERR_PARSE, "parameter '%s' must not be negative", name);
}

int take_loki_window(struct http_exchange *x, int64_t *start_ns, int64_t *end_ns, struct err *e)
{
    int64_t since_ns, now = loki_now_ns();
    int rc;

    if ((rc = take_loki_duration(x, "since", LOKI_SINCE_NS, &since_ns, e)) < 0) return rc;
    if ((rc = take_loki_time(x, "end", now, end_ns, e)) < 0) return rc;
    if ((rc = take_loki_time(x, "start", MIN(*end_ns, now) - since_ns, start_ns, e)) < 0) return rc;
    if (*end_ns < *start_ns)
        return err_set(e, ERR_PARSE, "end timestamp must not be before or equal to start time");
    return OK;
}

int take_loki_limit(struct http_exchange *x, const char *name, size_t fallback, size_t max, size_t *out,
                    struct err *e)
{
    struct str s = http_param(x, name);
    uint64_t n;
    *out = fallback;
    if (s.n == 0) return OK;
    if (!str_to_u64(s, &n) || n == 0) return err_set(e, ERR_PARSE, "%s must be a positive value", name);
    if (n > max)
        return err_set(e, ERR_PARSE,
                       "max entries limit per query exceeded, %s > max_entries_limit (%llu > %zu)", name,
                       (unsigned long long)n, max);
    *out = n;
    return OK;
}

/* ---- streams ---- */

static int by_labels(const void *a, const void *b)
{
    return labels_cmp(*(const struct labels *)a, *(const struct labels *)b);
}

int log_streams_open(struct log_streams *s, struct http_exchange *x, const struct logs_api *api,
                     struct err *e)
{
    *s = (struct log_streams){ 0 };
    api_call_init(&s->c, x, api->base);
    int rc = take_loki_window(x, &s->start_ns, &s->end_ns, e);
    if (rc < 0) return rc;
    return store_view_open(api->base->store, s->start_ns / NS_PER_MS, s->end_ns / NS_PER_MS, &s->view, e);
}

int log_streams_add(struct log_streams *s, struct str selector, struct err *e)
{
    const struct predicate *where = NULL;
    struct origin *origins;
    size_t n, distinct = 0;
    int rc = selector.n > 0 ? logql_selector(selector, s->view, &s->c.call, &where, e) : OK;
    if (rc == OK) rc = view_origins(s->view, &s->c.call, TABLE_LOGS, where, 0, &origins, &n, e);
    if (rc < 0) return rc;

    struct labels *all = arena_array(&s->c.arena, s->n + n + 1, sizeof *all);
    if (s->n > 0) memcpy(all, s->labels, s->n * sizeof *all);
    for (size_t i = 0; i < n; i++) all[s->n + i] = logql_stream_labels(&origins[i], &s->c.arena);
    n += s->n;
    if (n > 1) qsort(all, n, sizeof *all, by_labels);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !labels_eq(all[distinct - 1], all[i])) all[distinct++] = all[i];
    s->labels = all;
    s->n = distinct;
    return call_check(&s->c.call, e);
}

void log_streams_close(struct log_streams *s)
{
    store_view_close(s->view);
    api_call_release(&s->c);
}

/* ---- sets of names ---- */

void name_set_init(struct name_set *s, struct arena *a)
{
    *s = (struct name_set){ .arena = a };
}

struct name_lookup {
    const struct name_set *set;
    struct str name;
};

static bool same_name(void *ctx, uint64_t i)
{
    const struct name_lookup *l = ctx;
    return str_eq(l->set->at[i].name, l->name);
}

void name_set_add(struct name_set *s, struct str name, uint64_t n)
{
    uint64_t hash = hash64(name.p, name.n);
    struct name_lookup look = { s, name };
    uint64_t *known = map_find(&s->by_hash, hash, same_name, &look);
    if (known != NULL) {
        s->at[*known].n += n;
        return;
    }
    s->at = arena_grow(s->arena, s->at, s->n, &s->cap, sizeof *s->at);
    map_add(&s->by_hash, hash, s->n);
    s->at[s->n++] = (struct name_count){ arena_str(s->arena, name), n };
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(((const struct name_count *)a)->name, ((const struct name_count *)b)->name);
}

/* No more additions: the table no longer fits. */
void name_set_sort(struct name_set *s)
{
    if (s->n > 1) qsort(s->at, s->n, sizeof *s->at, by_text);
    map_release(&s->by_hash);
}

void name_set_release(struct name_set *s)
{
    map_release(&s->by_hash);
}

bool loki_wants_categories(const struct http_exchange *x)
{
    struct str flags = http_header(x, "x-loki-response-encoding-flags");
    while (flags.n > 0)
        if (str_is(str_trim(str_cut(flags, ',', &flags)), "categorize-labels")) return true;
    return false;
}
