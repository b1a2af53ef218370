/* report_health.c - what the server says of itself and of those who report to it: components, score, rates,
 * coverage.
 *
 * The score is 100 times the weighted mean of its parts, each 0 to 1; parts that are not known are left out,
 * and all are in the answer, so that it can be worked out again:
 *
 *     components 4   share of components that are ok
 *     requests   3   share of requests of load balancers that succeed
 *     circuits   2   mean success rate of circuits
 *     alerts     2   1 / (1 + firing critical alerts)
 *     targets    1   share of scrape targets that are up */
#include <math.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "tell/report/report_views.h"

/* ---- components ---- */

struct components {
    struct report *r;
    size_t n, ok;
    const char *bad[8];
    size_t n_bad;
};

static void begin_component(struct components *c, const char *name, const char *state)
{
    bool ok = strcmp(state, "ok") == 0;
    c->n++;
    c->ok += ok;
    if (!ok && c->n_bad < COUNT(c->bad)) c->bad[c->n_bad++] = name;
    json_put_key(&c->r->w, str_of(name));
    json_begin_object(&c->r->w);
    json_kv_cs(&c->r->w, "status", state);
    json_put_key(&c->r->w, STR("metrics"));
    json_begin_object(&c->r->w);
}

static void end_component(struct components *c)
{
    json_end_object(&c->r->w);
    json_end_object(&c->r->w);
}

static void put_component(const struct component *one, void *arg)
{
    struct components *c = arg;
    begin_component(c, one->name, one->state);
    json_end_object(&c->r->w);
    json_kv_string(&c->r->w, "detail", one->detail);
    json_end_object(&c->r->w);
}

static void put_store(struct components *c)
{
    struct store_status s;
    struct json_writer *w = &c->r->w;
    store_status(c->r->api->store, &s);
    begin_component(c, "store", s.read_only ? "degraded" : "ok");
    json_kv_i64(w, "series_active", (int64_t)s.series_active);
    json_kv_i64(w, "samples_ingested", (int64_t)s.samples_ingested);
    json_kv_i64(w, "logs_ingested", (int64_t)s.table[TABLE_LOGS].ingested);
    json_kv_i64(w, "spans_ingested", (int64_t)s.table[TABLE_SPANS].ingested);
    json_kv_i64(w, "parts", (int64_t)s.parts);
    json_kv_i64(w, "bytes_on_disk", (int64_t)s.bytes_on_disk);
    json_kv_i64(w, "wal_bytes", (int64_t)s.wal_bytes);
    json_kv_i64(w, "head_rows", (int64_t)s.head_rows);
    end_component(c);
}

static void put_query(struct components *c)
{
    const struct prometheus_api *api = c->r->api;
    begin_component(c, "query", "ok");
    json_kv_i64(&c->r->w, "memory_bytes", (int64_t)engine_memory(api->engine));
    json_kv_i64(&c->r->w, "requests_queued", (int64_t)work_queued(api->pool));
    end_component(c);
}

static void put_components(struct components *c)
{
    json_begin_object(&c->r->w);
    put_store(c);
    put_query(c);
    if (c->r->api->each_component) c->r->api->each_component(c->r->api->ctx, put_component, c);
    json_end_object(&c->r->w);
}

/* ---- the score ---- */

struct part {
    const char *name, *expr;
    double weight;
    double value;
    bool is_known;
    const char *advice; /* when below 0.95 */
};

static double read_score(struct report *r, struct part *parts, size_t n)
{
    double sum = 0, weights = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].expr != NULL) parts[i].is_known = report_number(r, parts[i].expr, &parts[i].value);
        parts[i].value = fmin(fmax(parts[i].value, 0), 1);
        if (!parts[i].is_known) continue;
        sum += parts[i].weight * parts[i].value;
        weights += parts[i].weight;
    }
    return weights > 0 ? 100 * sum / weights : 100;
}

static void put_parts(struct json_writer *w, const struct part *parts, size_t n)
{
    json_put_key(w, STR("score_parts"));
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(w);
        json_kv_cs(w, "name", parts[i].name);
        json_kv_double(w, "weight", parts[i].weight);
        json_kv_double(w, "value", parts[i].is_known ? parts[i].value : (double)NAN);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_recommendations(struct report *r, const struct components *c, const struct part *parts,
                                size_t n)
{
    struct json_writer *w = &r->w;
    json_put_key(w, STR("recommendations"));
    json_begin_array(w);
    for (size_t i = 0; i < c->n_bad; i++)
        json_put_string(
            w, arena_printf(r->arena, "%s is not ok: see its detail and the server's log", c->bad[i]));
    for (size_t i = 0; i < n; i++)
        if (parts[i].is_known && parts[i].value < 0.95 && parts[i].advice != NULL)
            json_put_string(w, str_of(parts[i].advice));
    json_end_array(w);
}

void report_system_health(struct report *r)
{
    struct components c = { .r = r };
    struct part parts[] = {
        { "components", NULL, 4, 0, true, NULL },
        { "requests",
          "1 - (sum(increase(load_balancer_errors_total[$w])) or vector(0)) / "
          "sum(increase(load_balancer_requests_total[$w]))",
          3, 0, false, "requests of the load balancer fail: see GET /api/v1/reports/performance" },
        { "circuits", "avg(circuit_success_rate)", 2, 0, false,
          "circuits fail: see which in circuit_success_rate" },
        { "alerts", "1 / (1 + (count(ALERTS{alertstate=\"firing\",severity=\"critical\"}) or vector(0)))", 2,
          0, false, "critical alerts are firing: see GET /api/v1/alerts" },
        { "targets", "avg(up)", 1, 0, false, "scrape targets are down: see GET /api/v1/targets" },
    };
    if (r->rc < 0) return;
    json_put_key(&r->w, STR("monitoring_framework"));
    json_begin_object(&r->w);
    json_put_key(&r->w, STR("component_health"));
    put_components(&c);
    json_end_object(&r->w);
    parts[0].value = c.n > 0 ? (double)c.ok / (double)c.n : 1;
    double score = read_score(r, parts, COUNT(parts));
    if (r->rc < 0) return;
    const char *status = score >= 90 && c.ok == c.n ? "healthy" : score >= 70 ? "degraded" : "unhealthy";
    json_put_key(&r->w, STR("system_health"));
    json_begin_object(&r->w);
    json_kv_cs(&r->w, "status", status);
    json_kv_double(&r->w, "score", score);
    put_parts(&r->w, parts, COUNT(parts));
    json_end_object(&r->w);
    json_kv_cs(&r->w, "status", status);
    json_kv_double(&r->w, "score", score);
    put_recommendations(r, &c, parts, COUNT(parts));
}

/* ---- resources ---- */

#define NOW(key, series, expr)                                                                               \
    {                                                                                                        \
        key, COLUMN_VALUE, series, expr, 0                                                                   \
    }
static const struct report_column resource_columns[] = {
    NOW("host_cpu_usage_percent", "node_cpu_seconds_total",
        "100 * (1 - avg(rate(node_cpu_seconds_total{mode=\"idle\"}[5m])))"),
    NOW("host_memory_usage_percent", "node_memory_MemAvailable_bytes",
        "100 * (1 - sum(node_memory_MemAvailable_bytes) / sum(node_memory_MemTotal_bytes))"),
    NOW("host_disk_usage_percent", "node_filesystem_avail_bytes",
        "100 * max(1 - node_filesystem_avail_bytes / node_filesystem_size_bytes)"),
    NOW("process_memory_bytes", "process_resident_memory_bytes",
        "sum(process_resident_memory_bytes{job=\"vedette\"})"),
    NOW("process_cpu_percent", "process_cpu_seconds_total",
        "100 * sum(rate(process_cpu_seconds_total{job=\"vedette\"}[5m]))"),
};
static const struct report_section resources = { "resources", NULL, resource_columns,
                                                 COUNT(resource_columns) };

void dashboard_health(struct report *r)
{
    report_system_health(r);
    report_section(r, &resources);
}

/* ---- statistics ---- */

static const struct report_column rate_columns[] = {
    NOW("samples_per_second", "vedette_ingest_samples_total", "sum(rate(vedette_ingest_samples_total[5m]))"),
    NOW("records_per_second", "vedette_ingest_records_total", "sum(rate(vedette_ingest_records_total[5m]))"),
    NOW("bytes_per_second", "vedette_ingest_bytes_total", "sum(rate(vedette_ingest_bytes_total[5m]))"),
    NOW("requests_per_second", "vedette_ingest_requests_total",
        "sum(rate(vedette_ingest_requests_total[5m]))"),
    NOW("queries_per_second", "vedette_query_answers_total", "sum(rate(vedette_query_answers_total[5m]))"),
};
static const struct report_section rates = { "ingest", NULL, rate_columns, COUNT(rate_columns) };

static const struct report_column error_columns[] = {
    NOW("refused_rows", "vedette_rejected_total", "sum(increase(vedette_rejected_total[$w])) or vector(0)"),
    NOW("refused_requests", "vedette_ingest_requests_refused_total",
        "sum(increase(vedette_ingest_requests_refused_total[$w])) or vector(0)"),
    NOW("rule_failures", "vedette_rule_evaluation_failures_total",
        "sum(increase(vedette_rule_evaluation_failures_total[$w])) or vector(0)"),
};
static const struct report_section errors = { "errors", NULL, error_columns, COUNT(error_columns) };

static void put_tables(struct report *r)
{
    struct store_status s;
    struct json_writer *w = &r->w;
    store_status(r->api->store, &s);
    json_put_key(w, STR("store"));
    json_begin_object(w);
    json_kv_i64(w, "series_active", (int64_t)s.series_active);
    json_kv_i64(w, "bytes_on_disk", (int64_t)s.bytes_on_disk);
    json_kv_i64(w, "wal_bytes", (int64_t)s.wal_bytes);
    json_kv_bool(w, "read_only", s.read_only);
    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        const struct table_status *of = &s.table[t];
        json_put_key(w, str_of(table_name((enum table)t)));
        json_begin_object(w);
        json_kv_i64(w, "ingested", (int64_t)of->ingested);
        json_kv_i64(w, "rows_on_disk", (int64_t)of->rows_on_disk);
        json_kv_i64(w, "bytes_on_disk", (int64_t)of->bytes_on_disk);
        json_kv_i64(w, "head_rows", (int64_t)of->head_rows);
        json_kv_i64(w, "parts", (int64_t)of->parts);
        json_end_object(w);
    }
    json_end_object(w);
}

static void put_queues(struct report *r)
{
    json_put_key(&r->w, STR("queues"));
    json_begin_object(&r->w);
    json_kv_i64(&r->w, "requests", (int64_t)work_queued(r->api->pool));
    json_kv_i64(&r->w, "query_memory_bytes", (int64_t)engine_memory(r->api->engine));
    json_end_object(&r->w);
}

void report_stats(struct report *r)
{
    json_kv_i64(&r->w, "uptime_seconds", (clock_now_ms() - r->api->started_ms) / 1000);
    put_tables(r);
    put_queues(r);
    report_section(r, &rates);
    report_section(r, &errors);
}

void report_status(struct report *r)
{
    struct components c = { .r = r };
    json_kv_cs(&r->w, "version", r->api->version);
    json_kv_i64(&r->w, "uptime_seconds", (clock_now_ms() - r->api->started_ms) / 1000);
    json_put_key(&r->w, STR("components"));
    put_components(&c);
    json_kv_cs(&r->w, "status", c.ok == c.n ? "ok" : "degraded");
}

/* ---- coverage ---- */

static bool has_service(struct str *at, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(at[i], name)) return true;
    return false;
}

struct covered {
    struct str *at;
    size_t n, cap;
};

static void cover(struct report *r, struct covered *c, struct str name)
{
    if (name.n == 0 || c->n == REPORT_ROWS_MAX || has_service(c->at, c->n, name)) return;
    c->at = arena_grow(r->arena, c->at, c->n, &c->cap, sizeof *c->at);
    c->at[c->n++] = arena_str(r->arena, name);
}

static void cover_records(struct report *r, struct store_view *view, enum table table, struct covered *c)
{
    struct value_count *at;
    size_t n;
    struct field service = field_attr(FIELD_RESOURCE, STR("service.name"));
    if (r->rc < 0) return;
    r->rc = view_field_values(view, &r->c.call, table, service, NULL, REPORT_ROWS_MAX, &at, &n, &r->err);
    for (size_t i = 0; i < n && r->rc == OK; i++)
        if (at[i].value.type == VALUE_STR) cover(r, c, at[i].value.text);
}

/* Of metrics sent by OTLP or scraped, the job is the service. */
static void cover_metrics(struct report *r, struct covered *c)
{
    struct report_column column = { "n", COLUMN_VALUE, NULL, "count by (job) (up or target_info)", 0 };
    struct report_section s = { "jobs", "job", &column, 1 };
    struct report_table t;
    report_table_read(r, &s, &t);
    for (size_t i = 0; i < t.n; i++) {
        const char *slash = memrchr(t.at[i].name.p, '/', t.at[i].name.n);
        struct str name = t.at[i].name;
        if (slash != NULL)
            name = str_make(slash + 1, (size_t)(name.p + name.n - slash) - 1); /* namespace/name */
        cover(r, c, name);
    }
}

void report_coverage(struct report *r)
{
    struct covered of[3] = { { 0 } }, all = { 0 }; /* metrics, logs, spans */
    struct store_view *view;
    struct json_writer *w = &r->w;
    if (r->rc < 0) return;
    r->rc = store_view_open(r->api->store, r->from_ms, r->to_ms, &view, &r->err);
    if (r->rc < 0) return;
    cover_records(r, view, TABLE_LOGS, &of[1]);
    cover_records(r, view, TABLE_SPANS, &of[2]);
    cover_metrics(r, &of[0]);
    for (size_t k = 0; k < COUNT(of); k++)
        for (size_t i = 0; i < of[k].n; i++) cover(r, &all, of[k].at[i]);
    json_put_key(w, STR("services"));
    json_begin_array(w);
    for (size_t i = 0; i < all.n; i++) {
        bool has[3];
        for (size_t k = 0; k < 3; k++) has[k] = has_service(of[k].at, of[k].n, all.at[i]);
        json_begin_object(w);
        json_kv_string(w, "service", all.at[i]);
        json_kv_bool(w, "metrics", has[0]);
        json_kv_bool(w, "logs", has[1]);
        json_kv_bool(w, "spans", has[2]);
        json_kv_double(w, "coverage_percent", 100.0 * (has[0] + has[1] + has[2]) / 3);
        json_end_object(w);
    }
    json_end_array(w);
    store_view_close(view);
}
