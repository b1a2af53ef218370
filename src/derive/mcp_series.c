/* mcp_series.c - series of what MCP servers report of themselves (vedette.mcp.metrics, and rag_mcp_metrics
 * within log entries). Spans of MCP calls are genai_series.c's. A record tells of request_count requests: all
 * means are weighed by it. */
#include "base/check.h"
#include "derive/event_series.h"
#include "model/event_kinds.h"

#define METRICS "vedette.mcp.metrics"
#define LABELS  "mcp_id,task_type"

/* As those of spans, so that both can be added up. */
static const double ms_bounds[] = { 10,   20,   50,    100,   200,   500,    1000,
                                    2000, 5000, 10000, 30000, 60000, 120000, 300000 };
static const double token_bounds[] = { 1,     4,     16,     64,      256,     1024,     4096,
                                       16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864 };

static const struct event_family families[] = {
    { "mcp_accuracy_percent", EV_MEAN, LABELS, "Mean accuracy, weighed by requests.", "percent",
      .window = EV_LONG, .from = { { METRICS, "accuracy_percentage", .weight = "@count" } } },
    { "mcp_prompt_tokens", EV_HISTOGRAM, LABELS, "Tokens of a request's prompt.", "tokens",
      .bounds = token_bounds, .n_bounds = COUNT(token_bounds),
      .from = { { METRICS, "avg_prompt_tokens", .weight = "@count" } } },
    { "mcp_completion_tokens", EV_HISTOGRAM, LABELS, "Tokens of a request's answer.", "tokens",
      .bounds = token_bounds, .n_bounds = COUNT(token_bounds),
      .from = { { METRICS, "avg_completion_tokens", .weight = "@count" } } },
    { "mcp_avg_prompt_tokens", EV_MEAN, LABELS, "Mean tokens of a request's prompt.", "tokens",
      .window = EV_LONG, .from = { { METRICS, "avg_prompt_tokens", .weight = "@count" } } },
    { "mcp_avg_completion_tokens", EV_MEAN, LABELS, "Mean tokens of a request's answer.", "tokens",
      .window = EV_LONG, .from = { { METRICS, "avg_completion_tokens", .weight = "@count" } } },
    { "mcp_latency_ms", EV_HISTOGRAM, LABELS, "How long requests took.", "milliseconds", .bounds = ms_bounds,
      .n_bounds = COUNT(ms_bounds), .from = { { METRICS, "latency_ms", .weight = "@count" } } },
    { "mcp_avg_latency_ms", EV_MEAN, LABELS, "Mean time of a request.", "milliseconds", .window = EV_LONG,
      .from = { { METRICS, "latency_ms", .weight = "@count" } } },
    { "mcp_requests_total", EV_SUM, LABELS ",status=success", "Requests, by how they ended.",
      .from = { { METRICS, "@succeeded" } } },
    { "mcp_requests_total", EV_SUM, LABELS ",status=failure", .from = { { METRICS, "@failed" } } },
    { "mcp_success_rate", EV_RATIO, LABELS, "Share of requests that succeeded.", .window = EV_LONG,
      .from = { { METRICS, "@succeeded", .weight = "@count" } } },
    { "mcp_failure_rate", EV_RATIO, LABELS, "Share of requests that failed.", .window = EV_LONG,
      .from = { { METRICS, "@failed", .weight = "@count" } } },
    { "mcp_cost_per_request_usd", EV_MEAN, LABELS, "Mean cost of a request.", "usd", .window = EV_LONG,
      .from = { { METRICS, "cost_per_request", .weight = "@count" } } },
    { "mcp_cost_usd_total", EV_MONEY, LABELS, "What requests cost.", "usd",
      .from = { { METRICS, "@cost_all" } } },
    { "model_quality_score", EV_MEAN, "model,prompt_version",
      "Mean quality of a model's answers, 0 to 1, by version of the prompt.", .window = EV_LONG,
      .from = { { METRICS, "@quality", "model", "@count" },
                { "vedette.response.quality", "quality_score", "model" },
                { "vedette.lb.request", "quality_score", "model" },
                { "vedette.lb.request.complete", "quality_score", "model" } } },
};

static void prepare(void *state, struct event_seen *e)
{
    (void)state;
    if (e->kind != &event_kinds_mcp[0]) return;
    struct value *v = e->v;
    double n = v[MCM_REQUESTS].type == VALUE_NONE ? 1 : event_number(v[MCM_REQUESTS]);
    double rate = event_number(v[MCM_SUCCESS_RATE]), cost = event_number(v[MCM_COST]);
    v[MCM_COUNT] = value_double(n);
    if (!isnan(rate)) {
        v[MCM_SUCCEEDED] = value_double(rate * n);
        v[MCM_FAILED] = value_double(n - rate * n);
    }
    if (!isnan(cost)) v[MCM_COST_ALL] = value_double(cost * n);
    if (v[MCM_ACCURACY].type != VALUE_NONE)
        v[MCM_QUALITY] = value_double(event_number(v[MCM_ACCURACY]) / 100);
}

const struct event_module mcp_series_module = { .families = families,
                                                .n_families = COUNT(families),
                                                .prepare = prepare };
