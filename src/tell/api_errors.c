/* api_errors.c - /api/v1/errors: errors of spans and logs, the same ones together. */
#include <stdio.h>

#include "base/check.h"
#include "tell/api_traces_impl.h"
#include "tell/api_traces_json.h"

#define HOUR_NS        INT64_C(3600000000000)
#define GROUPS_DEFAULT 100

static void put_texts(struct json_writer *w, const char *key, const struct str *at, size_t n)
{
    json_put_key(w, str_of(key));
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) json_put_string(w, at[i]);
    json_end_array(w);
}

/* Where the snapshots of knowledge graphs are that the tasks left: api_kgot.c. */
static void put_snapshots(struct json_writer *w, const struct error_group *g)
{
    struct buf href = BUF_INIT(64u << 10);
    json_put_key(w, STR("snapshots"));
    json_begin_array(w);
    for (size_t i = 0; i < g->n_tasks; i++) {
        buf_clear(&href);
        buf_cs(&href, "/api/v1/kgot/snapshots?task_id=");
        for (size_t k = 0; k < g->tasks[i].n; k++) {
            const unsigned char c = (unsigned char)g->tasks[i].p[k];
            const bool plain =
                (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_';
            buf_printf(&href, plain ? "%c" : "%%%02X", c);
        }
        json_begin_object(w);
        json_kv_string(w, "task_id", g->tasks[i]);
        json_kv_string(w, "href", buf_view(&href));
        json_end_object(w);
    }
    json_end_array(w);
    buf_release(&href);
}

void error_group_json(struct json_writer *w, const struct error_group *g)
{
    char print[40];
    snprintf(print, sizeof print, "%016llx%016llx", (unsigned long long)g->fingerprint.hi,
             (unsigned long long)g->fingerprint.lo);
    json_begin_object(w);
    json_kv_cs(w, "fingerprint", print);
    json_kv_string(w, "type", g->type);
    json_kv_string(w, "message", g->message);
    json_kv_string(w, "pattern", g->pattern);
    if (g->frames.n > 0) json_kv_string(w, "frames", str_trim(g->frames));
    json_kv_cs(w, "severity", severity_word(g->severity));
    json_kv_i64(w, "count", (int64_t)(g->spans + g->logs));
    json_kv_i64(w, "span_count", (int64_t)g->spans);
    json_kv_i64(w, "log_count", (int64_t)g->logs);
    json_kv_time(w, "first_seen", g->first_ns);
    json_kv_time(w, "last_seen", g->last_ns);
    json_kv_string(w, "service", g->service);
    json_kv_string(w, "operation", g->operation);
    put_texts(w, "services", g->services, g->n_services);
    put_texts(w, "correlation_ids", g->correlations, g->n_correlations);
    put_texts(w, "task_ids", g->tasks, g->n_tasks);
    put_snapshots(w, g);
    json_put_key(w, STR("trace_ids"));
    json_begin_array(w);
    for (size_t i = 0; i < g->n_traces; i++) json_put_hex(w, g->traces[i], 16);
    json_end_array(w);
    json_put_key(w, STR("over_time"));
    json_begin_array(w);
    for (size_t i = 0; i < ERROR_BUCKETS; i++) json_put_i64(w, g->over_time[i]);
    json_end_array(w);
    json_end_object(w);
}

static void answer(struct http_exchange *x, const struct error_ask *ask, const struct error_report *r,
                   size_t limit)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    window_json(&w, ask->from_ns, ask->to_ns);
    json_kv_i64(&w, "count", (int64_t)(r->spans + r->logs));
    json_kv_i64(&w, "span_count", (int64_t)r->spans);
    json_kv_i64(&w, "log_count", (int64_t)r->logs);
    json_kv_i64(&w, "group_count", (int64_t)r->n);
    json_kv_i64(&w, "not_grouped", (int64_t)r->not_grouped);
    json_kv_bool(&w, "truncated", r->truncated);
    json_put_key(&w, STR("errors"));
    json_begin_array(&w);
    for (size_t i = 0; i < MIN(r->n, limit); i++) error_group_json(&w, r->at[i]);
    json_end_array(&w);
    json_end_object(&w);
    trace_answer(x, &out);
}

/* A word or a number: what at least a log must be. */
static int take_severity(struct http_exchange *x, unsigned *out, struct err *e)
{
    struct str s = http_param(x, "severity");
    uint64_t number;
    if (s.n == 0) return OK;
    if (str_to_u64(s, &number) && number >= 1 && number <= 24) {
        *out = (unsigned)number;
        return OK;
    }
    if (str_is_nocase(s, "WARNING")) s = STR("WARN");
    if (str_is_nocase(s, "CRITICAL")) s = STR("FATAL");
    for (unsigned n = 1; n <= 24; n += 4)
        if (str_is_nocase(s, severity_word(n))) {
            *out = n;
            return OK;
        }
    return err_set(e, ERR_PARSE, "severity must be WARN, ERROR, CRITICAL or a number from 1 to 24");
}

static int take_ask(struct http_exchange *x, struct error_ask *ask, size_t *limit, struct err *e)
{
    struct str source = http_param(x, "source");
    int rc;
    *ask = (struct error_ask){ .service = http_param(x, "service"),
                               .correlation = http_param(x, "correlation_id"),
                               .no_logs = str_is(source, "spans"),
                               .no_spans = str_is(source, "logs") };
    if ((rc = take_window(x, HOUR_NS, &ask->from_ns, &ask->to_ns, e)) < 0) return rc;
    if ((rc = take_severity(x, &ask->min_severity, e)) < 0) return rc;
    if (source.n > 0 && !ask->no_logs && !ask->no_spans)
        return err_set(e, ERR_PARSE, "source must be spans or logs");
    return take_count(x, "limit", GROUPS_DEFAULT, ERROR_GROUPS_MAX, limit, e);
}

static void run_errors(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct error_ask ask;
    struct error_report report;
    size_t limit;

    if (trace_query_open(&q, x, api)) {
        if (take_ask(x, &ask, &limit, &q.err) < 0 ||
            error_groups(q.view, &q.c.call, &ask, &report, &q.err) < 0)
            respond_err(x, &q.err);
        else
            answer(x, &ask, &report, limit);
    }
    trace_query_release(&q);
}

void handle_errors(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_errors);
}
