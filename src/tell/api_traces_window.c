/* api_traces_window.c - /api/v1/traces/stats and /api/v1/traces/analysis. */
#include "base/check.h"
#include "query/traces/analysis.h"
#include "query/traces/errors.h"
#include "query/traces/window.h"
#include "tell/api_traces_impl.h"
#include "tell/api_traces_json.h"

#define HOUR_NS         INT64_C(3600000000000)
#define ANALYSIS_TRACES 200
#define ROWS_DEFAULT    50
#define ROWS_MAX        1000

/* ---- pieces that services and the map use, too ---- */

void latency_json(struct json_writer *w, const struct latency *l)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p95", 0.95 }, { "p99", 0.99 } };
    json_put_key(w, STR("latency_ms"));
    json_begin_object(w);
    json_kv_double(w, "avg", l->n > 0 ? l->sum_ns / (double)l->n / 1e6 : 0);
    for (size_t i = 0; i < COUNT(quantiles); i++)
        json_kv_double(w, quantiles[i].name, latency_quantile(l, quantiles[i].q) / 1e6);
    json_kv_double(w, "max", (double)l->max_ns / 1e6);
    json_end_object(w);
}

void rates_json(struct json_writer *w, uint64_t n, uint64_t errors, double seconds)
{
    json_kv_double(w, "rate_per_second", seconds > 0 ? (double)n / seconds : 0);
    json_kv_double(w, "error_rate", n > 0 ? (double)errors / (double)n : 0);
}

void window_json(struct json_writer *w, int64_t from_ns, int64_t to_ns)
{
    json_kv_time(w, "start", from_ns);
    json_kv_time(w, "end", to_ns);
}

void span_group_json(struct json_writer *w, const struct span_group *g, double seconds)
{
    json_begin_object(w);
    json_kv_string(w, "service", g->service);
    if (g->name.n > 0) json_kv_string(w, "operation", g->name);
    json_kv_i64(w, "span_count", (int64_t)g->spans);
    json_kv_i64(w, "error_count", (int64_t)g->errors);
    json_kv_i64(w, "running_count", (int64_t)g->running);
    rates_json(w, g->spans, g->errors, seconds);
    latency_json(w, &g->took);
    json_kv_time(w, "last_seen", g->last_ns);
    json_end_object(w);
}

/* ---- stats ---- */

static void put_groups(struct json_writer *w, const char *key, struct span_group **at, size_t n, size_t limit,
                       double seconds)
{
    json_put_key(w, str_of(key));
    json_begin_array(w);
    for (size_t i = 0; i < MIN(n, limit); i++) span_group_json(w, at[i], seconds);
    json_end_array(w);
}

static void put_over_time(struct json_writer *w, const struct window_stats *s, int64_t from_ns, int64_t to_ns)
{
    double width = ((double)to_ns - (double)from_ns + 1) / WINDOW_BUCKETS;
    json_put_key(w, STR("over_time"));
    json_begin_array(w);
    for (size_t i = 0; i < WINDOW_BUCKETS; i++) {
        json_begin_object(w);
        json_kv_double(w, "start", ((double)from_ns + width * (double)i) / 1e9);
        json_kv_i64(w, "span_count", (int64_t)s->over_time[i]);
        json_kv_i64(w, "error_count", (int64_t)s->errors_over_time[i]);
        json_end_object(w);
    }
    json_end_array(w);
}

static void answer_stats(struct http_exchange *x, const struct window_stats *s, int64_t from_ns,
                         int64_t to_ns, size_t limit)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    double seconds = ((double)to_ns - (double)from_ns) / 1e9;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    window_json(&w, from_ns, to_ns);
    json_kv_i64(&w, "trace_count", (int64_t)s->traces);
    if (s->traces_estimated) json_kv_bool(&w, "trace_count_is_lower_bound", true);
    json_kv_i64(&w, "span_count", (int64_t)s->spans);
    json_kv_i64(&w, "root_count", (int64_t)s->roots);
    json_kv_i64(&w, "error_count", (int64_t)s->errors);
    json_kv_i64(&w, "running_count", (int64_t)s->running);
    json_kv_i64(&w, "service_count", (int64_t)s->n_services);
    rates_json(&w, s->spans, s->errors, seconds);
    json_kv_double(&w, "traces_per_second", seconds > 0 ? (double)s->traces / seconds : 0);
    latency_json(&w, &s->took);
    put_groups(&w, "services", s->services, s->n_services, limit, seconds);
    put_groups(&w, "operations", s->operations, s->n_operations, limit, seconds);
    put_over_time(&w, s, from_ns, to_ns);
    json_end_object(&w);
    trace_answer(x, &out);
}

static void run_stats(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct span_filter f = { 0 };
    struct window_stats stats;
    int64_t from_ns, to_ns;
    size_t limit;

    if (trace_query_open(&q, x, api)) {
        if (take_window(x, HOUR_NS, &from_ns, &to_ns, &q.err) < 0 ||
            take_count(x, "limit", ROWS_DEFAULT, ROWS_MAX, &limit, &q.err) < 0 ||
            take_span_filter(x, &f, q.arena, &q.err) < 0 ||
            window_stats(q.view, &q.c.call, from_ns, to_ns, f.where, &stats, &q.err) < 0)
            respond_err(x, &q.err);
        else
            answer_stats(x, &stats, from_ns, to_ns, limit);
    }
    span_filter_release(&f);
    trace_query_release(&q);
}

void handle_traces_stats(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_stats);
}

/* ---- analysis ---- */

static void put_bottleneck(struct json_writer *w, const struct bottleneck *b, const struct trace_analysis *a)
{
    int64_t busy = a->duration_ns - a->idle_ns;
    json_begin_object(w);
    json_kv_string(w, "service", b->service);
    json_kv_string(w, "operation", b->operation);
    json_kv_i64(w, "span_count", (int64_t)b->spans);
    json_kv_i64(w, "trace_count", (int64_t)b->traces);
    json_kv_i64(w, "error_count", (int64_t)b->errors);
    json_kv_i64(w, "on_critical_path", (int64_t)b->on_path);
    json_kv_ms(w, "critical_ms", b->critical_ns);
    json_kv_double(w, "critical_share", busy > 0 ? (double)b->critical_ns / (double)busy : 0);
    json_kv_ms(w, "self_ms", b->self_ns);
    latency_json(w, &b->took);
    json_kv_hex(w, "slowest_trace_id", b->slowest, 16);
    json_end_object(w);
}

static void put_edge(struct json_writer *w, const struct call_edge *e)
{
    json_begin_object(w);
    json_kv_string(w, "from_service", e->from->service);
    json_kv_string(w, "from_operation", e->from->operation);
    json_kv_string(w, "to_service", e->to->service);
    json_kv_string(w, "to_operation", e->to->operation);
    json_kv_i64(w, "calls", (int64_t)e->calls);
    json_kv_i64(w, "error_count", (int64_t)e->errors);
    json_kv_ms(w, "critical_ms", e->critical_ns);
    latency_json(w, &e->took);
    json_end_object(w);
}

static void answer_analysis(struct http_exchange *x, const struct trace_analysis *a,
                            const struct error_report *errors, size_t limit)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    window_json(&w, a->from_ns, a->to_ns);
    json_kv_i64(&w, "trace_count", (int64_t)a->traces);
    json_kv_i64(&w, "span_count", (int64_t)a->spans);
    json_kv_i64(&w, "error_count", (int64_t)a->errors);
    json_kv_i64(&w, "running_count", (int64_t)a->running);
    json_kv_i64(&w, "orphan_count", (int64_t)a->orphans);
    json_kv_i64(&w, "cycle_count", (int64_t)a->cycles);
    json_kv_bool(&w, "truncated", a->truncated);
    json_kv_ms(&w, "duration_ms", a->duration_ns);
    json_kv_ms(&w, "idle_ms", a->idle_ns);
    latency_json(&w, &a->took);
    json_put_key(&w, STR("bottlenecks"));
    json_begin_array(&w);
    for (size_t i = 0; i < MIN(a->n_operations, limit); i++) put_bottleneck(&w, a->operations[i], a);
    json_end_array(&w);
    json_put_key(&w, STR("slow_edges"));
    json_begin_array(&w);
    for (size_t i = 0; i < MIN(a->n_edges, limit); i++) put_edge(&w, a->edges[i]);
    json_end_array(&w);
    json_put_key(&w, STR("error_clusters"));
    json_begin_array(&w);
    for (size_t i = 0; i < MIN(errors->n, limit); i++) error_group_json(&w, errors->at[i]);
    json_end_array(&w);
    json_end_object(&w);
    trace_answer(x, &out);
}

static int analyse(struct trace_query *q, struct span_filter *f, struct trace_analysis *a,
                   struct error_report *errors, size_t *limit)
{
    struct http_exchange *x = q->x;
    struct trace_search ask = { 0 };
    int rc;

    if ((rc = take_window(x, HOUR_NS, &ask.from_ns, &ask.to_ns, &q->err)) < 0) return rc;
    if ((rc = take_count(x, "limit", ROWS_DEFAULT, ROWS_MAX, limit, &q->err)) < 0) return rc;
    if ((rc = take_count(x, "traces", ANALYSIS_TRACES, ANALYSIS_TRACES_MAX, &ask.limit, &q->err)) < 0)
        return rc;
    if ((rc = take_trace_duration(x, "min_duration", &ask.min_ns, &q->err)) < 0) return rc;
    if ((rc = take_span_filter(x, f, q->arena, &q->err)) < 0) return rc;
    ask.limit = MAX(ask.limit, (size_t)1);
    ask.where = f->where;
    if ((rc = trace_analyse(q->view, &q->c.call, &ask, a, &q->err)) < 0) return rc;
    struct error_ask wrong = {
        .from_ns = ask.from_ns, .to_ns = ask.to_ns, .service = http_param(x, "service"), .no_logs = true
    };
    return error_groups(q->view, &q->c.call, &wrong, errors, &q->err);
}

static void run_analysis(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct span_filter f = { 0 };
    struct trace_analysis a;
    struct error_report errors;
    size_t limit;

    if (trace_query_open(&q, x, api)) {
        if (analyse(&q, &f, &a, &errors, &limit) < 0)
            respond_err(x, &q.err);
        else
            answer_analysis(x, &a, &errors, limit);
    }
    span_filter_release(&f);
    trace_query_release(&q);
}

void handle_traces_analysis(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_analysis);
}
