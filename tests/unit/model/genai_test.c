/* Each convention, each rule of tokens, each odd value: expectations are the conventions' own. */
#include "model/genai.h"

#include "unit/test.h"

static struct arena arena = ARENA_INIT((size_t)64 << 20);

struct sample {
    struct record r;
    struct origin o;
    struct attr at[16];
};

/* "name", "value" pairs until NULL; a value of digits alone is an int. */
static struct genai_span *span_of(struct sample *s, const char *scope, const char *name, ...)
{
    struct genai_span *g = arena_zero(&arena, sizeof *g);
    va_list ap;
    const char *key;
    va_start(ap, name);
    s->r.attrs = (struct attrs){ s->at, 0 };
    while ((key = va_arg(ap, const char *)) != NULL) {
        struct str text = str_of(va_arg(ap, const char *));
        int64_t i;
        s->at[s->r.attrs.n++] =
            (struct attr){ str_of(key), str_to_i64(text, &i) ? value_int(i) : value_str(text) };
    }
    va_end(ap);
    s->o.scope_name = str_of(scope);
    s->r.origin = &s->o;
    s->r.span.name = str_of(name);
    if (s->r.span.kind == 0) s->r.span.kind = SPAN_CLIENT;
    return genai_of_span(g, &s->r, &arena) ? g : NULL;
}

#define SPAN(scope, name, ...) span_of(&(struct sample){ 0 }, scope, name, __VA_ARGS__, NULL)

static void expect_tokens(const struct genai_span *g, int64_t input, int64_t read, int64_t write,
                          int64_t output, int64_t reasoning)
{
    EXPECT(g != NULL);
    EXPECT_INT(g->usage.tokens[TOKENS_INPUT], input);
    EXPECT_INT(g->usage.tokens[TOKENS_CACHE_READ], read);
    EXPECT_INT(g->usage.tokens[TOKENS_CACHE_WRITE], write);
    EXPECT_INT(g->usage.tokens[TOKENS_OUTPUT], output);
    EXPECT_INT(g->usage.tokens[TOKENS_REASONING], reasoning);
}

/* ---- conventions ---- */

TEST(genai_opentelemetry_of_today_and_of_yesterday)
{
    struct genai_span *g =
        SPAN("x", "chat gpt-5", "gen_ai.operation.name", "chat", "gen_ai.provider.name", "openai",
             "gen_ai.request.model", "gpt-5", "gen_ai.response.model", "gpt-5-2025-08-07",
             "gen_ai.usage.input_tokens", "10", "gen_ai.usage.output_tokens", "5");
    EXPECT(g != NULL && g->kind == GENAI_LLM && g->part == PART_CALL);
    EXPECT(str_is(g->model, "gpt-5-2025-08-07") && str_is(g->request_model, "gpt-5"));
    expect_tokens(g, 10, 0, 0, 5, 0);
    g = SPAN("x", "chat", "gen_ai.operation.name", "chat", "gen_ai.system", "gemini",
             "gen_ai.usage.prompt_tokens", "10", "gen_ai.usage.completion_tokens", "5");
    EXPECT(str_is(g->provider, "gcp.gemini"));
    expect_tokens(g, 10, 0, 0, 5, 0);
}

TEST(genai_openinference)
{
    struct genai_span *g =
        SPAN("openinference.instrumentation.openai", "response", "openinference.span.kind", "LLM",
             "llm.model_name", "gpt-4o", "llm.system", "openai", "llm.token_count.prompt", "100",
             "llm.token_count.completion", "9", "llm.token_count.prompt_details.cache_read", "64",
             "llm.token_count.completion_details.reasoning", "4");
    expect_tokens(g, 36, 64, 0, 5, 4);
    EXPECT(g->convention == GENAI_OPENINFERENCE && g->kind == GENAI_LLM && str_is(g->model, "gpt-4o"));
    g = SPAN("openinference.x", "a", "openinference.span.kind", "AGENT", "agent.name", "planner",
             "graph.node.id", "7");
    EXPECT(g->kind == GENAI_AGENT && str_is(g->agent, "planner") && str_is(g->agent_id, "7"));
    EXPECT(g->part == PART_NONE);
}

TEST(genai_openllmetry)
{
    struct genai_span *g = SPAN("opentelemetry.instrumentation.langchain", "t", "traceloop.span.kind", "tool",
                                "traceloop.entity.name", "search", "traceloop.workflow.name", "answer",
                                "traceloop.association.properties.user_id", "u1");
    EXPECT(g->kind == GENAI_TOOL && str_is(g->tool, "search") && str_is(g->workflow, "answer"));
    EXPECT(str_is(g->user, "u1"));
    g = SPAN("opentelemetry.instrumentation.anthropic", "anthropic.chat", "llm.request.type", "chat",
             "gen_ai.usage.prompt_tokens", "50", "gen_ai.usage.cache_read_input_tokens", "40",
             "gen_ai.usage.completion_tokens", "1");
    expect_tokens(g, 10, 40, 0, 1, 0);
    EXPECT(g->part == PART_CALL);
}

TEST(genai_vercel_the_inner_span_is_the_call)
{
    struct genai_span *g =
        SPAN("ai", "ai.streamText.doStream", "ai.operationId", "ai.streamText.doStream", "ai.model.id",
             "gpt-5", "ai.model.provider", "openai.responses", "ai.usage.inputTokens", "1115",
             "ai.usage.cachedInputTokens", "1024", "ai.usage.outputTokens", "101", "ai.usage.reasoningTokens",
             "64", "ai.response.msToFirstChunk", "250");
    expect_tokens(g, 91, 1024, 0, 37, 64);
    EXPECT(g->part == PART_CALL && str_is(g->provider, "openai") && g->first_token_seconds == 0.25);
    g = SPAN("ai", "ai.streamText", "ai.operationId", "ai.streamText", "ai.usage.inputTokens", "1115",
             "langfuse.observation.type", "GENERATION", "ai.telemetry.functionId", "support-bot");
    EXPECT(g->part == PART_WRAPPER && str_is(g->agent, "support-bot"));
    g = SPAN("ai", "ai.toolCall", "ai.operationId", "ai.toolCall", "ai.toolCall.name", "find");
    EXPECT(g->kind == GENAI_TOOL && str_is(g->tool, "find"));
}

TEST(genai_langfuse_maps_are_disjoint_unless_their_total_says_otherwise)
{
    struct genai_span *g = SPAN(
        "langfuse-sdk", "x", "langfuse.observation.type", "GENERATION", "langfuse.observation.usage_details",
        "{\"input\":10,\"input_cached_tokens\":90,\"output\":5,\"output_reasoning\":7,"
        "\"total\":112}");
    expect_tokens(g, 10, 90, 0, 5, 7);
    g = SPAN("langfuse-sdk", "x", "langfuse.observation.type", "GENERATION",
             "langfuse.observation.usage_details",
             "{\"input\":100,\"input_cache_read\":90,\"output\":12,\"output_reasoning\":7,\"total\":112}");
    expect_tokens(g, 10, 90, 0, 5, 7);
    g = SPAN("langfuse-sdk", "x", "langfuse.observation.type", "GENERATION",
             "langfuse.observation.usage_details",
             "{\"input\":6,\"output\":2055,\"completion_details.reasoning\":1104,\"total\":2061}");
    expect_tokens(g, 6, 0, 0, 951, 1104);
    g = SPAN("langfuse-sdk", "x", "langfuse.observation.type", "GENERATION",
             "langfuse.observation.usage_details",
             "{\"input\":1,\"input_cache_creation_5m\":2,\"input_cache_creation_1h\":3,\"output\":1}");
    expect_tokens(g, 1, 0, 5, 1, 0);
    EXPECT_INT(g->usage.cache_write_1h, 3);
}

TEST(genai_langfuse_agents_and_tools_are_called_as_their_observation)
{
    struct genai_span *g = SPAN("langfuse-sdk", "planner", "langfuse.observation.type", "AGENT");
    EXPECT(str_is(g->agent, "planner"));
    g = SPAN("langfuse-sdk", "lookup", "langfuse.observation.type", "TOOL");
    EXPECT(str_is(g->tool, "lookup"));
}

TEST(genai_names_of_the_scope_go_before_others)
{
    struct genai_span *g = SPAN("ai", "ai.embed.doEmbed", "ai.operationId", "ai.embed.doEmbed",
                                "gen_ai.usage.input_tokens", "1", "ai.usage.tokens", "2");
    expect_tokens(g, 2, 0, 0, 0, 0);
    EXPECT(g->kind == GENAI_EMBEDDING);
    g = SPAN("whoever", "x", "gen_ai.usage.input_tokens", "1", "ai.usage.tokens", "2");
    expect_tokens(g, 1, 0, 0, 0, 0);
}

/* ---- tokens ---- */

TEST(genai_more_cached_than_input_means_that_input_excludes_it)
{
    expect_tokens(SPAN("x", "c", "gen_ai.operation.name", "chat", "gen_ai.usage.input_tokens", "100",
                       "gen_ai.usage.cache_read.input_tokens", "80",
                       "gen_ai.usage.cache_creation.input_tokens", "21"),
                  100, 80, 21, 0, 0);
    expect_tokens(SPAN("x", "c", "gen_ai.operation.name", "chat", "gen_ai.usage.input_tokens", "100",
                       "gen_ai.usage.cache_read.input_tokens", "80", "gen_ai.usage.cache_write.input_tokens",
                       "20"),
                  0, 80, 20, 0, 0);
}

TEST(genai_frameworks_that_pass_on_native_usage_exclude_it_too)
{
    expect_tokens(SPAN("strands.telemetry.tracer", "c", "gen_ai.operation.name", "chat",
                       "gen_ai.request.model", "us.anthropic.claude-sonnet-4-6", "gen_ai.usage.input_tokens",
                       "100", "gen_ai.usage.cache_read_input_tokens", "80"),
                  100, 80, 0, 0, 0);
    expect_tokens(SPAN("strands.telemetry.tracer", "c", "gen_ai.operation.name", "chat",
                       "gen_ai.request.model", "gpt-5", "gen_ai.usage.input_tokens", "100",
                       "gen_ai.usage.cache_read_input_tokens", "80"),
                  20, 80, 0, 0, 0);
    expect_tokens(SPAN("openinference.instrumentation.claude_agent_sdk", "c", "openinference.span.kind",
                       "LLM", "llm.token_count.prompt", "100", "llm.token_count.prompt_details.cache_read",
                       "80"),
                  100, 80, 0, 0, 0);
}

TEST(genai_an_explicit_figure_beats_arithmetic)
{
    expect_tokens(SPAN("ai", "ai.x.doGenerate", "ai.usage.inputTokens", "100",
                       "ai.usage.inputTokenDetails.noCacheTokens", "30",
                       "ai.usage.inputTokenDetails.cacheReadTokens", "80", "ai.usage.outputTokens", "20",
                       "ai.usage.outputTokenDetails.textTokens", "8",
                       "ai.usage.outputTokenDetails.reasoningTokens", "12"),
                  30, 80, 0, 8, 12);
}

TEST(genai_reasoning_is_clamped_to_output)
{
    struct genai_span *g = SPAN("x", "c", "gen_ai.operation.name", "chat", "gen_ai.usage.output_tokens", "10",
                                "gen_ai.usage.reasoning_tokens", "12");
    expect_tokens(g, 0, 0, 0, 0, 10);
    EXPECT(g->is_odd);
}

TEST(genai_numbers_come_in_many_dresses)
{
    struct genai_span *g = SPAN("x", "c", "gen_ai.operation.name", "chat", "gen_ai.usage.input_tokens",
                                " 12.0 ", "gen_ai.usage.output_tokens", "{\"intValue\":\"7\"}",
                                "gen_ai.usage.reasoning_tokens", "{\"intValue\":0}");
    expect_tokens(g, 12, 0, 0, 7, 0);
    EXPECT(!g->is_odd && g->has_usage);
}

TEST(genai_nonsense_is_left_out_and_flagged)
{
    static const char *const nonsense[] = { "many", "-5", "NaN", "Inf", "1.5", "1e30", "{\"intValue\":true}",
                                            "{",    "0x", "1 2" };
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        struct genai_span *g = SPAN("x", "c", "gen_ai.operation.name", "chat", "gen_ai.usage.input_tokens",
                                    nonsense[i], "gen_ai.usage.output_tokens", "3");
        expect_tokens(g, 0, 0, 0, 3, 0);
        EXPECT(g->is_odd);
    }
}

/* ---- who ---- */

TEST(genai_a_call_on_the_server_owns_nothing)
{
    struct sample s = { .r.span.kind = SPAN_SERVER };
    struct genai_span *g = span_of(&s, "vllm", "llm_request", "gen_ai.operation.name", "chat",
                                   "gen_ai.usage.input_tokens", "9", NULL);
    EXPECT(g->part == PART_SERVER);
}

TEST(genai_a_wrapper_of_nothing_is_no_wrapper)
{
    struct genai_span *g = SPAN("x", "run", "openinference.span.kind", "AGENT", "llm.token_count.prompt", "0",
                                "llm.token_count.completion", "0");
    EXPECT(g->part == PART_NONE && g->has_usage);
}

TEST(genai_mcp_servers_are_found_where_they_are_named)
{
    struct genai_span *g = SPAN("x", "tools/call f", "mcp.method.name", "tools/call", "gen_ai.tool.name", "f",
                                "mcp.server.name", "files", "server.address", "10.0.0.1");
    EXPECT(g->kind == GENAI_TOOL && str_is(g->mcp_server, "files"));
    g = SPAN("x", "tools/list", "mcp.method.name", "tools/list", "server.address", "10.0.0.1", "mcp.server",
             "later");
    EXPECT(g->kind == GENAI_MCP && str_is(g->mcp_server, "10.0.0.1"));
    g = SPAN("x", "execute_tool", "gen_ai.operation.name", "execute_tool", "gen_ai.tool.name",
             "mcp__github__get_pr");
    EXPECT(str_is(g->mcp_server, "github") && str_is(g->tool, "get_pr"));
    g = SPAN("x", "execute_tool", "gen_ai.operation.name", "execute_tool", "gen_ai.tool.name", "mcp__");
    EXPECT(g->mcp_server.n == 0 && str_is(g->tool, "mcp__"));

    struct attr service = { STR("service.name"), { VALUE_STR, { .text = STR("weather-mcp") } } };
    struct sample s = { .r.span.kind = SPAN_SERVER, .o.resource = { &service, 1 } };
    g = span_of(&s, "x", "tools/call f", "mcp.method.name", "tools/call", "server.address", "h", NULL);
    EXPECT(str_is(g->mcp_server, "weather-mcp"));
}

TEST(genai_people_may_be_named_by_the_resource)
{
    struct attr of[] = { { STR("tenant.id"), { VALUE_STR, { .text = STR("acme") } } },
                         { STR("user.id"), { VALUE_STR, { .text = STR("nobody") } } } };
    struct sample s = { .o.resource = { of, 2 } };
    struct genai_span *g = span_of(&s, "x", "c", "gen_ai.operation.name", "chat", "user.id", "u9", NULL);
    EXPECT(str_is(g->tenant, "acme") && str_is(g->user, "u9"));
}

TEST(genai_an_error_of_the_tool_is_not_one_of_transport)
{
    struct sample s = { .r.span.status = 2 };
    struct genai_span *g =
        span_of(&s, "x", "t", "gen_ai.operation.name", "execute_tool", "error.type", "tool_error", NULL);
    EXPECT(g->tool_error);
    g = span_of(&s, "x", "t", "mcp.method.name", "tools/call", "rpc.response.status_code", "-32602", NULL);
    EXPECT(!g->tool_error && str_is(g->error_type, "-32602"));
    s.r.span.events = STR("[{\"name\":\"exception\",\"attributes\":{\"exception.type\":\"TimeoutError\"}}]");
    g = span_of(&s, "x", "t", "gen_ai.operation.name", "chat", NULL);
    EXPECT(str_is(g->error_type, "TimeoutError"));
    s.r.span.events = STR("");
    g = span_of(&s, "x", "t", "gen_ai.operation.name", "chat", NULL);
    EXPECT(str_is(g->error_type, "error"));
}

TEST(genai_reported_costs)
{
    struct genai_span *g = SPAN("x", "c", "gen_ai.operation.name", "chat", "operation.cost", "0.0004095");
    EXPECT(g->has_reported_cost && !g->is_billed && g->reported_nano_usd == 409500);
    g = SPAN("x", "c", "gen_ai.operation.name", "chat", "openrouter.cost", "0.5");
    EXPECT(g->is_billed && g->reported_nano_usd == 500000000);
    g = SPAN("x", "c", "gen_ai.operation.name", "chat", "gen_ai.usage.cost.amount", "3",
             "gen_ai.usage.cost.currency", "EUR");
    EXPECT(!g->has_reported_cost && g->is_odd);
    g = SPAN("x", "c", "gen_ai.operation.name", "chat", "gen_ai.usage.cost", "-1");
    EXPECT(!g->has_reported_cost && g->is_odd);
    g = SPAN("langfuse-sdk", "c", "langfuse.observation.type", "GENERATION",
             "langfuse.observation.cost_details", "{\"input\":1,\"total\":0.000489}");
    EXPECT(g->reported_nano_usd == 489000);
}

TEST(genai_ordinary_spans_are_none_of_it)
{
    EXPECT(SPAN("x", "GET /", "http.status_code", "200", "server.address", "h", "user.id", "u", "session.id",
                "s") == NULL);
    EXPECT(SPAN("x", "ai.thing", "db.system", "redis") == NULL);
    EXPECT(span_of(&(struct sample){ 0 }, "x", "job", NULL) == NULL);
}

/* ---- events ---- */

static struct genai_span *event_of(const char *name, const struct attr *at, size_t n, bool in_span)
{
    struct genai_span *g = arena_zero(&arena, sizeof *g);
    struct record r = { .attrs = { at, n }, .log.event_name = str_of(name) };
    if (in_span) r.span_id[0] = 1;
    return genai_of_event(g, &r, &arena) ? g : NULL;
}

TEST(genai_claude_code_says_what_a_request_cost)
{
    const struct attr at[] = { { STR("model"), value_str(STR("claude-sonnet-4-6")) },
                               { STR("cost_usd"), value_double(0.0123) },
                               { STR("duration_ms"), value_int(1500) },
                               { STR("input_tokens"), value_int(10) },
                               { STR("output_tokens"), value_int(20) },
                               { STR("cache_read_tokens"), value_int(30000) },
                               { STR("cache_creation_tokens"), value_int(400) } };
    struct genai_span *g = event_of("claude_code.api_request", at, 7, false);
    expect_tokens(g, 10, 30000, 400, 20, 0);
    EXPECT(g->part == PART_CALL && g->is_billed && g->reported_nano_usd == 12300000 && g->seconds == 1.5);
    EXPECT(str_is(g->provider, "anthropic") && str_is(g->model, "claude-sonnet-4-6"));
}

TEST(genai_bare_names_mean_nothing_in_other_records)
{
    const struct attr at[] = { { STR("input_tokens"), value_int(10) },
                               { STR("model"), value_str(STR("m")) } };
    EXPECT(event_of("something.else", at, 2, false) == NULL);
}

TEST(genai_details_within_a_span_are_no_second_call)
{
    const struct attr at[] = { { STR("gen_ai.operation.name"), value_str(STR("chat")) },
                               { STR("gen_ai.usage.input_tokens"), value_int(10) } };
    EXPECT(event_of("gen_ai.client.inference.operation.details", at, 2, true)->part == PART_NONE);
    EXPECT(event_of("gen_ai.client.inference.operation.details", at, 2, false)->part == PART_CALL);
}

TEST(genai_scores)
{
    const struct attr at[] = { { STR("gen_ai.evaluation.name"), value_str(STR("relevance")) },
                               { STR("gen_ai.evaluation.score.value"), value_double(0.75) },
                               { STR("gen_ai.evaluation.score.label"), value_str(STR("good")) } };
    struct genai_span *g = event_of("gen_ai.evaluation.result", at, 3, true);
    EXPECT(g->kind == GENAI_EVALUATOR && g->evaluation.has_score && g->evaluation.score == 0.75);
    EXPECT(str_is(g->evaluation.name, "relevance") && str_is(g->evaluation.label, "good"));
}

TEST(genai_every_name_is_found_and_no_other)
{
    size_t n = 0;
    for (unsigned i = 1; i <= GENAI_NAMES_MAX && genai_name_text((uint8_t)i).n > 0; i++, n++)
        EXPECT_INT(genai_name(genai_name_text((uint8_t)i)), i);
    EXPECT(n > 150);
    EXPECT(genai_name(STR("gen_ai.operation.nam")) == 0 && genai_name(STR("")) == 0);
}

TESTS(CASE(genai_opentelemetry_of_today_and_of_yesterday), CASE(genai_openinference), CASE(genai_openllmetry),
      CASE(genai_vercel_the_inner_span_is_the_call),
      CASE(genai_langfuse_maps_are_disjoint_unless_their_total_says_otherwise),
      CASE(genai_langfuse_agents_and_tools_are_called_as_their_observation),
      CASE(genai_names_of_the_scope_go_before_others),
      CASE(genai_more_cached_than_input_means_that_input_excludes_it),
      CASE(genai_frameworks_that_pass_on_native_usage_exclude_it_too),
      CASE(genai_an_explicit_figure_beats_arithmetic), CASE(genai_reasoning_is_clamped_to_output),
      CASE(genai_numbers_come_in_many_dresses), CASE(genai_nonsense_is_left_out_and_flagged),
      CASE(genai_a_call_on_the_server_owns_nothing), CASE(genai_a_wrapper_of_nothing_is_no_wrapper),
      CASE(genai_mcp_servers_are_found_where_they_are_named), CASE(genai_people_may_be_named_by_the_resource),
      CASE(genai_an_error_of_the_tool_is_not_one_of_transport), CASE(genai_reported_costs),
      CASE(genai_ordinary_spans_are_none_of_it), CASE(genai_claude_code_says_what_a_request_cost),
      CASE(genai_bare_names_mean_nothing_in_other_records),
      CASE(genai_details_within_a_span_are_no_second_call), CASE(genai_scores),
      CASE(genai_every_name_is_found_and_no_other))
