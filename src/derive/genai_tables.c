/* genai_tables.c - see genai_tables.h. */
#include "derive/genai_tables.h"

#include "base/check.h"
#include "derive/span_metrics.h"

enum { CALLS_REQUESTS, CALLS_COST, CALLS_UNPRICED, CALLS_UNKNOWN, CALLS_COUNTS };

/* As OpenTelemetry advises: powers of 4 for tokens, doublings of 10 ms for model calls. */
static const double token_bounds[] = { 1,     4,     16,     64,      256,     1024,     4096,
                                       16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864 };
static const double call_bounds[] = { 0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                      1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92 };
static const double mcp_bounds[] = { 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300 };
static const double score_bounds[] = { 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1 };

#define CALL_LABELS "provider", "model", "agent", "workflow", "mcp_server", "tool", "operation", "service"
#define OTEL_LABELS                                                                                          \
    "source", "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model",                       \
        "gen_ai_response_model", "service"

static const struct out_shape shapes[GENAI_TABLES] = {
    [SERIES_CALLS] = { .labels = { CALL_LABELS },
                       .n_labels = 8,
                       .overflow = "model",
                       .families = { { "vedette_genai_requests_total", "Model calls.", OUT_COUNTER,
                                       CALLS_REQUESTS, 1 },
                                     { "vedette_genai_cost_usd_total",
                                       "What model calls cost, in US dollars.", OUT_COUNTER, CALLS_COST, 1,
                                       false, 1e9 },
                                     { "vedette_genai_unpriced_requests_total",
                                       "Model calls of which no price is known: the cost is too small by "
                                       "them.",
                                       OUT_COUNTER, CALLS_UNPRICED, 1 },
                                     { "vedette_genai_unknown_usage_requests_total",
                                       "Model calls that told neither tokens nor cost.", OUT_COUNTER,
                                       CALLS_UNKNOWN, 1 } },
                       .n_families = 4,
                       .n_counts = CALLS_COUNTS },
    [SERIES_TOKENS] = { .labels = { CALL_LABELS, "token_type" },
                        .n_labels = 9,
                        .overflow = "model",
                        .families = { { "vedette_genai_tokens_total",
                                        "Tokens of model calls, each counted once, in disjoint buckets.",
                                        OUT_COUNTER, 0, 1 } },
                        .n_families = 1,
                        .n_counts = 1 },
    [SERIES_USAGE] = { .labels = { OTEL_LABELS, "gen_ai_token_type" },
                       .n_labels = 7,
                       .overflow = "gen_ai_request_model",
                       .families = { { "gen_ai_client_token_usage",
                                       "Tokens of a model call, by input and output.", OUT_HISTOGRAM, 0,
                                       1 } },
                       .n_families = 1,
                       .n_hists = 1,
                       .bounds = token_bounds,
                       .n_bounds = COUNT(token_bounds) },
    [SERIES_DURATION] = { .labels = { OTEL_LABELS, "error_type" },
                          .n_labels = 7,
                          .overflow = "gen_ai_request_model",
                          .families = { { "gen_ai_client_operation_duration_seconds",
                                          "How long model calls took.", OUT_HISTOGRAM, 0, 1 } },
                          .n_families = 1,
                          .n_hists = 1,
                          .bounds = call_bounds,
                          .n_bounds = COUNT(call_bounds) },
    [SERIES_FIRST] = { .labels = { OTEL_LABELS },
                       .n_labels = 6,
                       .overflow = "gen_ai_request_model",
                       .families = { { "gen_ai_client_operation_time_to_first_chunk_seconds",
                                       "How long streamed model calls took to their first chunk.",
                                       OUT_HISTOGRAM, 0, 1 } },
                       .n_families = 1,
                       .n_hists = 1,
                       .bounds = call_bounds,
                       .n_bounds = COUNT(call_bounds) },
    [SERIES_RUNS] = { .labels = { "kind", "name", "agent", "service", "status", "error_type" },
                      .n_labels = 6,
                      .overflow = "name",
                      .families = { { "vedette_genai_operations_total",
                                      "Runs of agents, tools, workflows and the like.", OUT_CALLS, 0, 1 },
                                    { "vedette_genai_operation_duration_seconds", "How long they took.",
                                      OUT_HISTOGRAM, 0, 1 } },
                      .n_families = 2,
                      .n_hists = 1,
                      .bounds = span_bounds,
                      .n_bounds = SPAN_BOUNDS },
    [SERIES_MCP] = { .labels = { "mcp_server", "tool", "method", "side", "status", "error_type" },
                     .n_labels = 6,
                     .overflow = "mcp_server",
                     .families = { { "mcp_requests_total", "MCP messages, seen by the client or the server.",
                                     OUT_CALLS, 0, 1 },
                                   { "mcp_operation_duration_seconds", "How long MCP messages took.",
                                     OUT_HISTOGRAM, 0, 1 },
                                   { "mcp_latency_ms", "How long MCP messages took, in milliseconds.",
                                     OUT_HISTOGRAM, 0, 1000 } },
                     .n_families = 3,
                     .n_hists = 1,
                     .bounds = mcp_bounds,
                     .n_bounds = COUNT(mcp_bounds) },
    [SERIES_SCORES] = { .labels = { "name", "label", "service" },
                        .n_labels = 3,
                        .overflow = "name",
                        .families = { { "vedette_genai_evaluation_score", "Scores of evaluations.",
                                        OUT_HISTOGRAM, 0, 1 } },
                        .n_families = 1,
                        .n_hists = 1,
                        .bounds = score_bounds,
                        .n_bounds = COUNT(score_bounds) },
};

void genai_tables_init(struct genai_tables *t, size_t max_rows, int64_t idle_ms)
{
    for (size_t i = 0; i < GENAI_TABLES; i++) t->at[i] = series_out_new(&shapes[i], max_rows, idle_ms);
}

void genai_tables_release(struct genai_tables *t)
{
    for (size_t i = 0; i < GENAI_TABLES; i++) series_out_free(t->at[i]);
}

/* ---- model calls ---- */

static void observe(struct series_out *o, const struct str *values, double v, int64_t now_ms)
{
    series_out_lock(o);
    series_out_observe(o, series_out_row(o, values, now_ms), 0, v);
    series_out_unlock(o);
}

static void count_calls(struct series_out *o, const struct str *values, const struct spent *s, int64_t now_ms)
{
    series_out_lock(o);
    struct out_row *row = series_out_row(o, values, now_ms);
    series_out_count(o, row, CALLS_REQUESTS, 1);
    series_out_count(o, row, CALLS_COST, (uint64_t)s->cost.nano_usd);
    series_out_count(o, row, CALLS_UNPRICED, s->cost.source == COST_UNPRICED);
    series_out_count(o, row, CALLS_UNKNOWN, s->cost.source == COST_NONE && !s->has_usage);
    series_out_unlock(o);
}

static void count_tokens(struct series_out *o, const struct str *of_call, const struct spent *s,
                         int64_t now_ms)
{
    struct str values[OUT_LABELS_MAX];
    memcpy(values, of_call, 8 * sizeof *values);
    series_out_lock(o);
    for (unsigned b = 0; b < TOKEN_BUCKETS; b++) {
        if (s->usage.tokens[b] == 0) continue;
        values[8] = str_of(genai_bucket_name((enum genai_bucket)b));
        series_out_count(o, series_out_row(o, values, now_ms), 0, (uint64_t)s->usage.tokens[b]);
    }
    series_out_unlock(o);
}

static void count_otel(struct genai_tables *t, const struct spent *s, int64_t now_ms)
{
    struct str values[OUT_LABELS_MAX] = {
        STR("spans"),         s->text[SPENT_OPERATION], s->text[SPENT_PROVIDER], s->text[SPENT_REQUEST_MODEL],
        s->text[SPENT_MODEL], s->text[SPENT_SERVICE]
    };
    if (s->first_token_seconds >= 0) observe(t->at[SERIES_FIRST], values, s->first_token_seconds, now_ms);
    values[6] = s->text[SPENT_ERROR];
    if (s->seconds >= 0) observe(t->at[SERIES_DURATION], values, s->seconds, now_ms);
    if (!s->has_usage) return;
    values[6] = STR("input");
    observe(t->at[SERIES_USAGE], values, (double)genai_input_total(&s->usage), now_ms);
    values[6] = STR("output");
    observe(t->at[SERIES_USAGE], values, (double)genai_output_total(&s->usage), now_ms);
}

void genai_count_spent(struct genai_tables *t, const struct spent *s, int64_t now_ms)
{
    const struct str values[] = { s->text[SPENT_PROVIDER],  s->text[SPENT_MODEL],      s->text[SPENT_AGENT],
                                  s->text[SPENT_WORKFLOW],  s->text[SPENT_MCP_SERVER], s->text[SPENT_TOOL],
                                  s->text[SPENT_OPERATION], s->text[SPENT_SERVICE] };
    count_calls(t->at[SERIES_CALLS], values, s, now_ms);
    count_tokens(t->at[SERIES_TOKENS], values, s, now_ms);
    count_otel(t, s, now_ms);
}

/* ---- the others ---- */

static struct str status_of(const struct genai_span *g)
{
    return g->tool_error ? STR("tool_error") : g->error_type.n > 0 ? STR("error") : STR("ok");
}

static struct str name_of(const struct genai_span *g, const struct record *r)
{
    struct str name = g->kind == GENAI_AGENT      ? g->agent
                      : g->kind == GENAI_WORKFLOW ? g->workflow
                      : g->kind == GENAI_TOOL     ? g->tool
                                                  : STR("");
    return name.n > 0 || r == NULL ? name : r->span.name;
}

static void count_mcp(struct genai_tables *t, const struct genai_span *g, const struct record *r,
                      int64_t now_ms)
{
    bool is_server = r != NULL && r->span.kind == SPAN_SERVER;
    const struct str values[] = { g->mcp_server, g->tool,
                                  g->mcp_method, is_server ? STR("server") : STR("client"),
                                  status_of(g),  g->error_type };
    observe(t->at[SERIES_MCP], values, MAX(g->seconds, 0), now_ms);
}

void genai_count_run(struct genai_tables *t, const struct genai_span *g, const struct record *r,
                     struct str service, int64_t now_ms)
{
    if (g->mcp_method.n > 0) {
        count_mcp(t, g, r, now_ms);
        return;
    }
    if (g->kind == GENAI_NONE || g->kind == GENAI_LLM || g->kind == GENAI_EMBEDDING || g->kind == GENAI_STEP)
        return;
    const struct str values[] = {
        str_of(genai_kind_name(g->kind)), name_of(g, r), g->agent, service, status_of(g), g->error_type
    };
    observe(t->at[SERIES_RUNS], values, MAX(g->seconds, 0), now_ms);
}

void genai_count_score(struct genai_tables *t, const struct genai_span *g, struct str service, int64_t now_ms)
{
    const struct str values[] = { g->evaluation.name, g->evaluation.label, service };
    if (g->evaluation.has_score) observe(t->at[SERIES_SCORES], values, g->evaluation.score, now_ms);
}
