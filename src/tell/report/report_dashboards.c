/* report_dashboards.c - what the dashboards show at once: overview, services, cost, trends, and what to do.
 */
#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "judge/insight.h"
#include "tell/report/report_budgets.h"
#include "tell/report/report_cost.h"
#include "tell/report/report_views.h"

/* ---- insights ---- */

static void put_insight(struct report *r, const struct insight_rule *rule, struct str subject, double value)
{
    struct json_writer *w = &r->w;
    json_begin_object(w);
    json_kv_cs(w, "id", rule->id);
    json_kv_cs(w, "area", rule->area);
    json_kv_cs(w, "severity", rule->severity);
    json_kv_string(w, "text",
                   subject.n > 0 ? arena_printf(r->arena, "%.*s %s", STR_ARG(subject), rule->text)
                                 : str_of(rule->text));
    json_kv_string(w, "subject", subject);
    json_kv_cs(w, "metric", rule->metric);
    json_kv_double(w, "value", value);
    json_kv_double(w, "threshold", rule->threshold);
    json_kv_cs(w, "unit", rule->unit);
    json_kv_cs(w, "action", rule->action);
    json_end_object(w);
}

void report_insights(struct report *r)
{
    json_put_key(&r->w, STR("insights"));
    json_begin_array(&r->w);
    for (size_t i = 0; i < insight_rules_count && r->rc == OK; i++) {
        const struct insight_rule *rule = &insight_rules[i];
        struct report_column c = { "value", COLUMN_VALUE, NULL, rule->expr, 0 };
        struct report_section s = { rule->id, rule->subject, &c, 1 };
        struct report_table t;
        report_table_read(r, &s, &t);
        for (size_t k = 0; k < t.n && r->rc == OK; k++)
            if (t.at[k].cell[0].is_known && insight_holds(rule, t.at[k].cell[0].value))
                put_insight(r, rule, t.at[k].name, t.at[k].cell[0].value);
    }
    json_end_array(&r->w);
}

/* ---- sections ---- */

#define NOW(key, series, expr)                                                                               \
    {                                                                                                        \
        key, COLUMN_VALUE, series, expr, 0                                                                   \
    }

static const struct report_column overview_columns[] = {
    { "total_requests", COLUMN_COUNT, "load_balancer_requests_total", NULL, 0 },
    { "errors", COLUMN_COUNT, "load_balancer_errors_total", NULL, 0 },
    { "error_rate_percent", COLUMN_RATIO, NULL, "errors/total_requests", 100 },
    { "success_rate_percent", COLUMN_RATIO, NULL, "errors/total_requests", -100 },
    NOW("requests_per_second", "load_balancer_requests_per_second", "sum(load_balancer_requests_per_second)"),
    NOW("backends_total", "load_balancer_backend_health", "count(load_balancer_backend_health)"),
    NOW("backends_healthy", "load_balancer_backend_health", "sum(load_balancer_backend_health)"),
    NOW("quality_score", "load_balancer_quality_score",
        "avg(avg_over_time(load_balancer_quality_score[$w]))"),
    NOW("user_satisfaction_score", "load_balancer_user_satisfaction_score",
        "avg(avg_over_time(load_balancer_user_satisfaction_score[$w]))"),
};
static const struct report_section overview = { "overview", NULL, overview_columns, COUNT(overview_columns) };

static const struct report_column sla_columns[] = {
    NOW("compliance_24h_percent", "load_balancer_sla_compliance_percent",
        "avg(avg_over_time(load_balancer_sla_compliance_percent[24h]))"),
    NOW("compliance_1h_percent", "load_balancer_sla_compliance_percent",
        "avg(avg_over_time(load_balancer_sla_compliance_percent[1h]))"),
    NOW("violations_24h", "load_balancer_sla_violations_total",
        "sum(increase(load_balancer_sla_violations_total[24h]))"),
    NOW("violations_1h", "load_balancer_sla_violations_total",
        "sum(increase(load_balancer_sla_violations_total[1h]))"),
};
static const struct report_section sla = { "sla", NULL, sla_columns, COUNT(sla_columns) };

static const struct report_column severity_columns[] = {
    { "alerts", COLUMN_VALUE, NULL, "sum by (severity) (ALERTS{alertstate=\"firing\"})", 0 },
};
static const struct report_section severities = { "anomalies_by_severity", "severity", severity_columns, 1 };

static const struct report_column anomaly_columns[] = {
    NOW("rate", "analytics_anomaly_rate", "avg(analytics_anomaly_rate)"),
    NOW("detected", "analytics_anomaly_detected_total",
        "sum(increase(analytics_anomaly_detected_total[$w]))"),
};
static const struct report_section anomalies = { "anomalies", NULL, anomaly_columns, COUNT(anomaly_columns) };

/* This window against the one before it: 0.1 is a tenth more. */
static const struct report_column trend_columns[] = {
    NOW("requests_change", "load_balancer_requests_total",
        "sum(increase(load_balancer_requests_total[$w])) / sum(increase(load_balancer_requests_total[$w] "
        "offset $w)) - 1"),
    NOW("errors_change", "load_balancer_errors_total",
        "sum(increase(load_balancer_errors_total[$w])) / sum(increase(load_balancer_errors_total[$w] offset "
        "$w)) - 1"),
    NOW("cost_change", "load_balancer_total_cost_usd",
        "sum(increase(load_balancer_total_cost_usd[$w])) / sum(increase(load_balancer_total_cost_usd[$w] "
        "offset $w)) - 1"),
    NOW("model_cost_change", "vedette_genai_cost_usd_total",
        "sum(increase(vedette_genai_cost_usd_total[$w])) / sum(increase(vedette_genai_cost_usd_total[$w] "
        "offset $w)) - 1"),
};
static const struct report_section trends = { "trends", NULL, trend_columns, COUNT(trend_columns) };

static const struct report_column business_columns[] = {
    NOW("active_users", "business_active_users", "sum(business_active_users)"),
    NOW("user_interactions", "business_user_interactions_total",
        "sum(increase(business_user_interactions_total[$w]))"),
    NOW("response_quality_score", "business_response_quality_score", "avg(business_response_quality_score)"),
    NOW("system_efficiency_ratio", "business_system_efficiency_ratio",
        "avg(business_system_efficiency_ratio)"),
    NOW("inference_operations", "business_inference_operations_total",
        "sum(increase(business_inference_operations_total[$w]))"),
    NOW("conflict_resolution_rate", "conflict_resolution_rate", "avg(conflict_resolution_rate)"),
    NOW("collaboration_efficiency", "agent_collaboration_efficiency", "avg(agent_collaboration_efficiency)"),
};
static const struct report_section business = { "business", NULL, business_columns, COUNT(business_columns) };

static const struct report_column agent_columns[] = {
    NOW("throughput_per_hour", "agent_task_throughput_per_hour",
        "sum by (agent_id) (agent_task_throughput_per_hour{$f})"),
    NOW("quality_score", "agent_task_quality_score", "avg by (agent_id) (agent_task_quality_score{$f})"),
    NOW("memory_bytes", "agent_memory_bytes", "sum by (agent_id) (agent_memory_bytes{$f})"),
};
static const struct report_section agents = { "agents", "agent_id", agent_columns, COUNT(agent_columns) };

static const struct report_column mcp_columns[] = {
    NOW("avg_accuracy", "mcp_accuracy_percent",
        "avg by (mcp_id) (avg_over_time(mcp_accuracy_percent{$f}[$w]))"),
    NOW("avg_prompt_tokens", "mcp_prompt_tokens",
        "sum by (mcp_id) (increase(mcp_prompt_tokens_sum{$f}[$w])) / sum by (mcp_id) "
        "(increase(mcp_prompt_tokens_count{$f}[$w]))"),
    NOW("avg_completion_tokens", "mcp_completion_tokens",
        "sum by (mcp_id) (increase(mcp_completion_tokens_sum{$f}[$w])) / sum by (mcp_id) "
        "(increase(mcp_completion_tokens_count{$f}[$w]))"),
    NOW("latency_p50_ms", "mcp_latency_ms",
        "histogram_quantile(0.5, sum by (mcp_id, le) (increase(mcp_latency_ms_bucket{$f}[$w])))"),
    NOW("latency_p95_ms", "mcp_latency_ms",
        "histogram_quantile(0.95, sum by (mcp_id, le) (increase(mcp_latency_ms_bucket{$f}[$w])))"),
    NOW("latency_p99_ms", "mcp_latency_ms",
        "histogram_quantile(0.99, sum by (mcp_id, le) (increase(mcp_latency_ms_bucket{$f}[$w])))"),
    NOW("success_rate", "mcp_success_rate", "avg by (mcp_id) (avg_over_time(mcp_success_rate{$f}[$w]))"),
    { "total_cost_usd", COLUMN_USD, "mcp_cost_usd_total", NULL, 0 },
    NOW("cost_per_request_usd", "mcp_cost_per_request_usd",
        "avg by (mcp_id) (avg_over_time(mcp_cost_per_request_usd{$f}[$w]))"),
};
static const struct report_section mcps = { "mcps", "mcp_id", mcp_columns, COUNT(mcp_columns) };

/* ---- dashboards ---- */

void dashboard_enterprise(struct report *r, struct report_budgets *budgets)
{
    report_section(r, &overview);
    report_section(r, &anomalies);
    report_section(r, &severities);
    report_section(r, &sla);
    if (r->rc == OK) report_cost_totals(r);
    report_section(r, &trends);
    if (r->rc == OK) report_budgets_json(r, budgets);
    if (r->rc == OK) report_insights(r);
}

void dashboard_comprehensive(struct report *r, struct report_budgets *budgets)
{
    report_system_health(r);
    report_section(r, &overview);
    report_section(r, &business);
    report_section(r, &agents);
    report_section(r, &mcps);
    report_section(r, &sla);
    report_section(r, &severities);
    if (r->rc == OK) report_cost_totals(r);
    if (r->rc == OK) report_budgets_json(r, budgets);
    if (r->rc == OK) report_insights(r);
}

void dashboard_business(struct report *r)
{
    report_section(r, &business);
    report_section(r, &agents);
    if (r->rc == OK) report_cost_totals(r);
    report_section(r, &trends);
    report_section(r, &severities);
}

void dashboard_mcp(struct report *r)
{
    report_section(r, &mcps);
    if (r->rc == OK) report_cost_totals(r);
}
