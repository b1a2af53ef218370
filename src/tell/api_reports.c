/* api_reports.c - see api_reports.h. One table says which report each path is, what it may be filtered by and
 * how far it looks back by itself. */
#include "tell/api_reports.h"

#include "base/check.h"
#include "tell/report/report_cost.h"
#include "tell/report/report_records.h"
#include "tell/report/report_views.h"

typedef void plain_report(struct report *);
typedef void budget_report(struct report *, struct report_budgets *);

struct kind {
    const char *path, *filters;
    int64_t window_ms;
    plain_report *plain;
    budget_report *with_budgets;
};

static const struct kind kinds[] = {
    { "/api/v1/reports/performance", "backend_id", 24 * HOUR_MS, report_performance, NULL },
    { "/api/v1/reports/algorithms", "backend_id", 24 * HOUR_MS, report_algorithms, NULL },
    { "/api/v1/reports/cost", "backend_id agent_id mcp_id", 24 * HOUR_MS, NULL, report_cost },
    { "/api/v1/reports/throughput", "agent_id", 24 * HOUR_MS, report_throughput, NULL },
    { "/api/v1/reports/conflicts", "", 24 * HOUR_MS, report_conflicts, NULL },
    { "/api/v1/dashboard/enterprise", "", 24 * HOUR_MS, NULL, dashboard_enterprise },
    { "/api/v1/dashboard/comprehensive", "", 24 * HOUR_MS, NULL, dashboard_comprehensive },
    { "/api/v1/dashboard/business", "agent_id", HOUR_MS, dashboard_business, NULL },
    { "/api/v1/dashboard/health", "", HOUR_MS, dashboard_health, NULL },
    { "/dashboard/data", "mcp_id", HOUR_MS, dashboard_mcp, NULL },
    { "/api/v1/insights", "", 24 * HOUR_MS, report_insights, NULL },
    { "/api/v1/budgets", "", HOUR_MS, NULL, report_budgets_json },
    { "/api/v1/monitoring/stats", "", HOUR_MS, report_stats, NULL },
    { "/api/v1/health/system", "", HOUR_MS, report_system_health, NULL },
    { "/api/v1/system/metrics/health", "", HOUR_MS, dashboard_health, NULL },
    { "/api/v1/status", "", HOUR_MS, report_status, NULL },
    { "/api/v1/status/coverage", "", HOUR_MS, report_coverage, NULL },
};

static const struct kind *kind_of(struct str path)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (str_is(path, kinds[i].path)) return &kinds[i];
    return NULL;
}

/* ---- as text: one gauge a number, for what scrapes ---- */

static void put_name(struct buf *out, struct str prefix, struct str key)
{
    buf_str(out, prefix);
    buf_char(out, '_');
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        buf_char(out, plain ? c : '_');
    }
}

static void put_values(struct json_reader *j, struct str prefix, struct buf *out, struct arena *a)
{
    struct str key, number;
    struct buf name = BUF_INIT(4096);
    if (!json_object(j)) return;
    while (json_key(j, &key)) {
        buf_clear(&name);
        put_name(&name, prefix, key);
        if (json_peek(j) == JSON_OBJECT) {
            put_values(j, arena_str(a, buf_view(&name)), out, a);
        } else if (json_peek(j) == JSON_NUMBER && json_number_text(j, &number)) {
            buf_printf(out, "# TYPE %.*s gauge\n%.*s %.*s\n", (int)name.n, name.p, (int)name.n, name.p,
                       STR_ARG(number));
        } else {
            json_skip(j);
        }
    }
    buf_release(&name);
}

static bool wants_text(struct http_exchange *x)
{
    return str_starts(http_header(x, "Accept"), "text/plain");
}

static void answer_text(struct report *r)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_reader j;
    json_end_object(&r->w);
    json_open(&j, buf_view(&r->out), r->arena);
    put_values(&j, STR("vedette_health"), &out, r->arena);
    http_answer_buf(r->x, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
    buf_release(&r->out);
    api_call_release(&r->c);
}

/* ---- answering ---- */

struct job {
    struct http_exchange *x;
    struct reports_api *api;
    const struct kind *kind;
};

static void run(void *arg)
{
    struct job job = *(struct job *)arg; /* it lives in the exchange */
    struct report r;
    if (report_open(&r, job.x, job.api->base, job.kind->filters, job.kind->window_ms)) {
        if (job.kind->plain != NULL)
            job.kind->plain(&r);
        else
            job.kind->with_budgets(&r, &job.api->budgets);
    }
    if (r.rc == OK && job.kind->plain == dashboard_health && wants_text(job.x))
        answer_text(&r);
    else
        report_close(&r);
}

static void handle_report(struct http_exchange *x, void *ctx)
{
    struct reports_api *api = ctx;
    struct job *job = arena_alloc(http_arena(x), sizeof *job);
    *job = (struct job){ x, api, kind_of(http_path(x)) };
    check(job->kind != NULL);
    if (!work_post(api->base->pool, run, job))
        respond_error(x, API_BUSY, "too many requests are waiting; try again in a moment");
}

const struct http_route reports_routes[] = {
    { "GET", "/api/v1/reports/performance", handle_report },
    { "GET", "/api/v1/reports/algorithms", handle_report },
    { "GET", "/api/v1/reports/cost", handle_report },
    { "GET", "/api/v1/reports/throughput", handle_report },
    { "GET", "/api/v1/reports/conflicts", handle_report },
    { "GET", "/api/v1/dashboard/enterprise", handle_report },
    { "GET", "/api/v1/dashboard/comprehensive", handle_report },
    { "GET", "/api/v1/dashboard/business", handle_report },
    { "GET", "/api/v1/dashboard/health", handle_report },
    { "GET", "/dashboard/data", handle_report },
    { "GET", "/api/v1/insights", handle_report },
    { "GET", "/api/v1/budgets", handle_report },
    { "GET", "/api/v1/monitoring/stats", handle_report },
    { "GET", "/api/v1/health/system", handle_report },
    { "GET", "/api/v1/system/metrics/health", handle_report },
    { "GET", "/api/v1/status", handle_report },
    { "GET", "/api/v1/status/coverage", handle_report },
    { "GET", "/api/v1/export", handle_export },
};
const size_t reports_n_routes = COUNT(reports_routes);
