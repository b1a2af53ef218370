/* genai_series.h - series of model calls, agents, tools and MCP servers, out of spans and events of any
 * convention (model/genai.h), with what they cost.
 *
 *     vedette_genai_requests_total, vedette_genai_cost_usd_total, vedette_genai_unpriced_requests_total,
 *     vedette_genai_unknown_usage_requests_total
 *         {provider, model, agent, workflow, mcp_server, tool, operation, service}
 *     vedette_genai_tokens_total                                 the same, and token_type: the five buckets
 *     gen_ai_client_token_usage, gen_ai_client_operation_duration_seconds,
 *     gen_ai_client_operation_time_to_first_chunk_seconds        OpenTelemetry's own histograms,
 * source="spans" vedette_genai_operations_total, vedette_genai_operation_duration_seconds {kind, name, agent,
 * service, status, error_type}       agents, tools, workflows, retrievers, ... mcp_requests_total,
 * mcp_latency_ms, mcp_operation_duration_seconds {mcp_server, tool, method, side, status, error_type}
 *     vedette_genai_evaluation_score {name, label, service}
 *
 * Status is ok, error, or tool_error: the tool was reached and answered that it failed. Users and sessions
 * are no labels: there is no end of them. What counts, and for whom, is genai_open.h's to know; money is
 * added up in nano-dollars. docs/genai.md.
 *
 * Threads: the tap on any; it holds a lock for the time of a chunk. The writer is a thread of its own. */
#pragma once
#include "derive/span_metrics.h"
#include "model/tap.h"

struct genai_series_conf {
    int64_t interval_ms;
    int64_t wait_ms; /* for the rest of a trace */
    int64_t idle_ms, late_ms;
    size_t max_rows; /* of each table of label sets */
};
#define GENAI_SERIES_DEFAULT                                                                                 \
    {                                                                                                        \
        .interval_ms = 15000, .wait_ms = 30000, .idle_ms = 15 * 60000, .late_ms = 3600000, .max_rows = 5000  \
    }

struct genai_series;
/* interval_ms 0: no thread; genai_series_write is called by hand. */
struct genai_series *genai_series_start(struct store *, const struct genai_series_conf *);
void genai_series_stop(struct genai_series *); /* writes what came last; NULL is fine */

struct record_tap genai_series_tap(struct genai_series *);

/* One tick, as the thread does it. all: what waits for the rest of its trace is counted as it is. */
int genai_series_write(struct genai_series *, int64_t tick_ms, int64_t step_ms, bool all, struct err *);
