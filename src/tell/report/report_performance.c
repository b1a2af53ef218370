/* report_performance.c - how the load balancer's backends and algorithms did. */
#include <math.h>

#include "base/check.h"
#include "tell/report/report_views.h"

#define DURATION "load_balancer_request_duration_seconds"
#define QUANTILE(q, by)                                                                                      \
    "histogram_quantile(" #q ", sum by (" by ", le) (increase(" DURATION "_bucket{$f}[$w])))"
#define MEAN(by, name) "avg by (" by ") (avg_over_time(" name "{$f}[$w]))"

/* ---- backends ---- */

#define COLUMNS(by)                                                                                          \
    { "requests", COLUMN_COUNT, "load_balancer_requests_total", NULL, 0 },                                   \
        { "errors", COLUMN_COUNT, "load_balancer_errors_total", NULL, 0 },                                   \
        { "error_rate_percent", COLUMN_RATIO, NULL, "errors/requests", 100 },                                \
        { "success_rate_percent", COLUMN_RATIO, NULL, "errors/requests", -100 },                             \
        { "response_time_p50_ms", COLUMN_VALUE, DURATION, QUANTILE(0.5, by), 1000 },                         \
        { "response_time_p95_ms", COLUMN_VALUE, DURATION, QUANTILE(0.95, by), 1000 },                        \
        { "response_time_p99_ms", COLUMN_VALUE, DURATION, QUANTILE(0.99, by), 1000 },                        \
        { "total_cost_usd", COLUMN_USD, "load_balancer_total_cost_usd", NULL, 0 },                           \
    {                                                                                                        \
        "cost_per_request_usd", COLUMN_RATIO, NULL, "total_cost_usd/requests", 0                             \
    }

static const struct report_column overview_columns[] = {
    COLUMNS("nothing"),
    { "quality_score", COLUMN_VALUE, "load_balancer_quality_score",
      "avg(avg_over_time(load_balancer_quality_score{$f}[$w]))", 0 },
    { "sla_compliance_percent", COLUMN_VALUE, "load_balancer_sla_compliance_percent",
      "avg(avg_over_time(load_balancer_sla_compliance_percent{$f}[$w]))", 0 },
};
static const struct report_section overview = { "overview", NULL, overview_columns, COUNT(overview_columns) };

static const struct report_column backend_columns[] = {
    COLUMNS("backend_id"),
    { "quality_score", COLUMN_VALUE, "load_balancer_quality_score",
      MEAN("backend_id", "load_balancer_quality_score"), 0 },
    { "availability_percent", COLUMN_VALUE, "load_balancer_backend_availability_percent",
      MEAN("backend_id", "load_balancer_backend_availability_percent"), 0 },
    { "utilization_percent", COLUMN_VALUE, "load_balancer_backend_utilization_percent",
      MEAN("backend_id", "load_balancer_backend_utilization_percent"), 0 },
    { "sla_compliance_percent", COLUMN_VALUE, "load_balancer_sla_compliance_percent",
      MEAN("backend_id", "load_balancer_sla_compliance_percent"), 0 },
    { "health", COLUMN_VALUE, "load_balancer_backend_health",
      "min by (backend_id) (load_balancer_backend_health{$f})", 0 },
};
static const struct report_section backends = { "backends", "backend_id", backend_columns,
                                                COUNT(backend_columns) };

static const struct report_column balance_columns[] = {
    { "balancing_efficiency_percent", COLUMN_VALUE, "load_balancer_balancing_efficiency_percent",
      "avg(avg_over_time(load_balancer_balancing_efficiency_percent[$w]))", 0 },
    { "load_distribution_score", COLUMN_VALUE, "load_balancer_load_distribution_score",
      "avg(avg_over_time(load_balancer_load_distribution_score[$w]))", 0 },
    { "pool_size_total", COLUMN_VALUE, "load_balancer_pool_size_total", "sum(load_balancer_pool_size_total)",
      0 },
    { "pool_size_available", COLUMN_VALUE, "load_balancer_pool_size_available",
      "sum(load_balancer_pool_size_available)", 0 },
    { "breakers_open", COLUMN_VALUE, "load_balancer_circuit_breaker_state",
      "sum(load_balancer_circuit_breaker_state{state=\"open\"})", 0 },
    { "cache_hit_rate_percent", COLUMN_VALUE, "load_balancer_cache_hit_rate_percent",
      "avg(avg_over_time(load_balancer_cache_hit_rate_percent[$w]))", 0 },
};
static const struct report_section balance = { "balance", NULL, balance_columns, COUNT(balance_columns) };

static void errors_by_type(struct report *r)
{
    struct counter_growth g;
    report_growth(r, "load_balancer_errors_total", "error_type", 1, &g);
    json_put_key(&r->w, STR("errors_by_type"));
    json_begin_array(&r->w);
    for (size_t i = 0; i < g.n; i++) {
        if (g.at[i].grew == 0) continue;
        json_begin_object(&r->w);
        json_kv_string(&r->w, "error_type", g.at[i].value);
        json_kv_i64(&r->w, "errors", g.at[i].grew);
        json_end_object(&r->w);
    }
    json_end_array(&r->w);
}

void report_performance(struct report *r)
{
    report_section(r, &overview);
    report_section(r, &backends);
    report_section(r, &balance);
    if (r->rc == OK) errors_by_type(r);
}

/* ---- algorithms ---- */

void report_interval(int64_t good, int64_t n, double *low, double *high)
{
    const double z = 1.959964; /* 95 % */
    *low = *high = (double)NAN;
    if (n <= 0) return;
    double p = (double)good / (double)n, zz = z * z / (double)n;
    double mid = (p + zz / 2) / (1 + zz);
    double half = z / (1 + zz) * sqrt(p * (1 - p) / (double)n + zz / (4 * (double)n));
    *low = fmax(mid - half, 0);
    *high = fmin(mid + half, 1);
}

/* As event records have it: success, ok, completed, or an HTTP status below 400. */
static bool is_good(struct str status)
{
    int64_t code;
    return str_is_nocase(status, "success") || str_is_nocase(status, "ok") ||
           str_is_nocase(status, "completed") || (str_to_i64(status, &code) && code >= 100 && code < 400);
}

struct algorithm {
    struct str name;
    int64_t n, good;
};

/* How often each was used, and how often it went well. */
static struct algorithm *read_algorithms(struct report *r, size_t *n)
{
    struct counter_growth statuses, all;
    struct algorithm *at = NULL;
    size_t cap = 0;
    *n = 0;
    if (!report_growth(r, "load_balancer_requests_total", "algorithm", 1, &all)) return NULL;
    for (size_t i = 0; i < all.n; i++) {
        at = arena_grow(r->arena, at, *n, &cap, sizeof *at);
        at[(*n)++] = (struct algorithm){ all.at[i].value, all.at[i].grew, 0 };
    }
    report_growth(r, "load_balancer_requests_total", "status", 1, &statuses);
    for (size_t s = 0; s < statuses.n && r->rc == OK; s++) {
        struct counter_growth g;
        struct counter_ask ask = { .name = "load_balancer_requests_total",
                                   .by = "algorithm",
                                   .from_ms = r->from_ms,
                                   .to_ms = r->to_ms,
                                   .match = { { STR("status"), statuses.at[s].value } },
                                   .n_match = 1 };
        if (!is_good(statuses.at[s].value)) continue;
        for (size_t i = 0; i < r->n_filter; i++) ask.match[ask.n_match++] = r->filter[i];
        r->rc = counter_growth(r->api->store, &r->c.call, &ask, &g, &r->err);
        for (size_t i = 0; i < g.n && r->rc == OK; i++)
            for (size_t k = 0; k < *n; k++)
                if (str_eq(at[k].name, g.at[i].value)) at[k].good += g.at[i].grew;
    }
    return at;
}

static void put_algorithm(struct report *r, const struct algorithm *a, const struct report_table *scores)
{
    struct json_writer *w = &r->w;
    double low, high;
    report_interval(a->good, a->n, &low, &high);
    json_begin_object(w);
    json_kv_string(w, "algorithm", a->name);
    json_kv_i64(w, "requests", a->n);
    json_kv_i64(w, "successful", a->good);
    json_kv_double(w, "success_rate", a->n > 0 ? (double)a->good / (double)a->n : (double)NAN);
    json_put_key(w, STR("success_rate_interval_95"));
    json_begin_array(w);
    json_put_double(w, low);
    json_put_double(w, high);
    json_end_array(w);
    const struct report_row *row = NULL;
    for (size_t i = 0; i < scores->n; i++)
        if (str_eq(scores->at[i].name, a->name)) row = &scores->at[i];
    json_kv_double(w, "effectiveness_score",
                   row != NULL && row->cell[0].is_known ? row->cell[0].value : (double)NAN);
    json_kv_double(w, "response_time_p95_ms",
                   row != NULL && row->cell[1].is_known ? row->cell[1].value : (double)NAN);
    json_end_object(w);
}

void report_algorithms(struct report *r)
{
    static const struct report_column columns[] = {
        { "effectiveness_score", COLUMN_VALUE, "load_balancer_algorithm_effectiveness_score",
          MEAN("algorithm", "load_balancer_algorithm_effectiveness_score"), 0 },
        { "response_time_p95_ms", COLUMN_VALUE, NULL, QUANTILE(0.95, "algorithm"), 1000 },
    };
    static const struct report_section section = { "algorithms", "algorithm", columns, COUNT(columns) };
    struct report_table scores;
    size_t n;
    struct algorithm *at = read_algorithms(r, &n);
    report_table_read(r, &section, &scores);
    json_put_key(&r->w, STR("algorithms"));
    json_begin_array(&r->w);
    for (size_t i = 0; i < n && r->rc == OK; i++) put_algorithm(r, &at[i], &scores);
    json_end_array(&r->w);
}
