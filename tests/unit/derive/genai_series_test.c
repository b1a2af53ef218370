#include "derive/genai_series.h"

#include "base/clock.h"
#include "unit/test.h"
/* after stdio.h */
#include "unit/receive/fake_store.h"

#define NOW_MS  INT64_C(1790000000000)
#define STEP_MS 15000

struct bench {
    struct fake_store store;
    struct genai_series *series;
    struct arena arena;
    struct records records;
    int64_t tick_ms;
};

static void begin(struct bench *b, enum table t)
{
    struct attr a[] = { { STR("service.name"), value_str(STR("bot")) } };
    records_init(&b->records, &b->arena, t);
    records_origin(&b->records, &(struct origin){ .resource = { a, 1 } });
}

static void setup(struct bench *b)
{
    struct genai_series_conf conf = GENAI_SERIES_DEFAULT;
    conf.interval_ms = 0;
    *b = (struct bench){ .arena = ARENA_INIT(64 << 20), .tick_ms = NOW_MS };
    fake_init(&b->store);
    clock_fix_ms(NOW_MS);
    b->series = genai_series_start(&b->store.store, &conf);
    begin(b, TABLE_SPANS);
}

static void give(struct bench *b)
{
    struct record_tap tap = genai_series_tap(b->series);
    records_end(&b->records);
    tap.seen(tap.ctx, &b->records);
    begin(b, TABLE_SPANS);
}

static void tick(struct bench *b, int64_t now_ms)
{
    clock_fix_ms(now_ms);
    EXPECT(genai_series_write(b->series, b->tick_ms += STEP_MS, STEP_MS, false, NULL) == OK);
}

static void teardown(struct bench *b)
{
    records_end(&b->records);
    genai_series_stop(b->series);
    arena_release(&b->arena);
    fake_clear(&b->store);
    clock_fix_ms(0);
}

/* Attributes key, value, ..., NULL; a value of digits is an int. */
static void span(struct bench *b, uint8_t trace, uint8_t id, uint8_t parent, const char *name, ...)
{
    struct attr attrs[12];
    struct record r = { .time_ns = (NOW_MS - 2000) * 1000000 };
    va_list ap;
    r.trace_id[15] = trace;
    r.span_id[7] = id;
    r.span.parent_id[7] = parent;
    r.span.kind = SPAN_CLIENT;
    r.span.name = str_of(name);
    r.span.duration_ns = 1000000000;
    r.attrs.at = attrs;
    va_start(ap, name);
    for (const char *key; (key = va_arg(ap, const char *)) != NULL; r.attrs.n++) {
        struct str value = str_of(va_arg(ap, const char *));
        int64_t i;
        attrs[r.attrs.n] =
            (struct attr){ str_of(key), str_to_i64(value, &i) ? value_int(i) : value_str(value) };
    }
    va_end(ap);
    EXPECT(records_add(&b->records, &r, NULL) == OK);
}

#define CALL_OF(model, in, out)                                                                              \
    "gen_ai.operation.name", "chat", "gen_ai.provider.name", "openai", "gen_ai.request.model", model,        \
        "gen_ai.usage.input_tokens", in, "gen_ai.usage.output_tokens", out

/* The last value written for the series; -1: never written. */
static double last(const struct bench *b, const char *series)
{
    double v = -1;
    for (size_t i = 0; i < b->store.n; i++)
        if (strcmp(b->store.rows[i].series, series) == 0) v = b->store.rows[i].value;
    return v;
}

#define PLAIN "model=\"gpt-5\", operation=\"chat\", provider=\"openai\", service=\"bot\""

TEST(calls_tokens_and_cost_are_counted_once)
{
    struct bench b;
    setup(&b);
    span(&b, 1, 2, 1, "chat", CALL_OF("gpt-5", "1115", "101"), "gen_ai.usage.cache_read.input_tokens", "1024",
         "gen_ai.usage.reasoning.output_tokens", "64", NULL);
    span(&b, 1, 2, 1, "chat", CALL_OF("gpt-5", "1115", "101"), NULL); /* sent again */
    span(&b, 1, 1, 0, "run", "gen_ai.operation.name", "invoke_agent", "gen_ai.agent.name", "helper",
         "gen_ai.usage.input_tokens", "1115", "gen_ai.usage.output_tokens", "101", NULL);
    give(&b);
    tick(&b, NOW_MS);
#define HELPED "{agent=\"helper\", " PLAIN "}"
    EXPECT(last(&b, "vedette_genai_requests_total" HELPED) == 1);
    EXPECT(last(&b, "vedette_genai_cost_usd_total" HELPED) == 0.00125175);
    EXPECT(last(&b, "vedette_genai_unpriced_requests_total" HELPED) == 0);
    EXPECT(last(&b, "vedette_genai_tokens_total{agent=\"helper\", " PLAIN ", token_type=\"input\"}") == 91);
    EXPECT(last(&b, "vedette_genai_tokens_total{agent=\"helper\", " PLAIN ", token_type=\"cache_read\"}") ==
           1024);
    EXPECT(last(&b, "vedette_genai_tokens_total{agent=\"helper\", " PLAIN ", token_type=\"output\"}") == 37);
    EXPECT(last(&b, "vedette_genai_tokens_total{agent=\"helper\", " PLAIN ", token_type=\"reasoning\"}") ==
           64);
    EXPECT(last(&b, "vedette_genai_operations_total{agent=\"helper\", kind=\"agent\", name=\"helper\", "
                    "service=\"bot\", status=\"ok\"}") == 1);
    EXPECT(last(&b, "gen_ai_client_token_usage_sum{gen_ai_operation_name=\"chat\", "
                    "gen_ai_provider_name=\"openai\", gen_ai_request_model=\"gpt-5\", "
                    "gen_ai_response_model=\"gpt-5\", gen_ai_token_type=\"input\", service=\"bot\", "
                    "source=\"spans\"}") == 1115);
    teardown(&b);
}

TEST(a_call_waits_for_its_agent_and_not_for_ever)
{
    struct bench b;
    setup(&b);
    span(&b, 1, 2, 1, "chat", CALL_OF("gpt-5", "10", "0"), NULL);
    give(&b);
    tick(&b, NOW_MS + 1000);
    EXPECT(last(&b, "vedette_genai_requests_total{" PLAIN "}") == -1);
    tick(&b, NOW_MS + 31000);
    EXPECT(last(&b, "vedette_genai_requests_total{" PLAIN "}") == 1);
    /* its agent comes late, says the same again, and is not believed */
    span(&b, 1, 1, 0, "run", "gen_ai.operation.name", "invoke_agent", "gen_ai.agent.name", "slow",
         "gen_ai.usage.input_tokens", "10", NULL);
    give(&b);
    tick(&b, NOW_MS + 40000);
    EXPECT(last(&b, "vedette_genai_tokens_total{" PLAIN ", token_type=\"input\"}") == 10);
    EXPECT(
        last(&b,
             "vedette_genai_requests_total{agent=\"slow\", operation=\"invoke_agent\", service=\"bot\"}") ==
        -1);
    teardown(&b);
}

TEST(a_wrapper_alone_counts_when_its_trace_is_over)
{
    struct bench b;
    setup(&b);
    span(&b, 1, 2, 1, "run", "openinference.span.kind", "AGENT", "agent.name", "opaque", "llm.model_name",
         "gpt-5", "llm.token_count.prompt", "100", NULL);
    give(&b);
    tick(&b, NOW_MS + 1000);
#define OPAQUE "{agent=\"opaque\", model=\"gpt-5\", operation=\"agent\", service=\"bot\"}"
    EXPECT(last(&b, "vedette_genai_requests_total" OPAQUE) == -1);
    span(&b, 1, 1, 0, "root", NULL);
    give(&b);
    tick(&b, NOW_MS + 2000);
    EXPECT(last(&b, "vedette_genai_cost_usd_total" OPAQUE) == 0.000125);
    teardown(&b);
}

TEST(plain_spans_between_a_call_and_its_agent_lead_upwards)
{
    struct bench b;
    setup(&b);
    span(&b, 1, 4, 3, "chat", CALL_OF("gpt-5", "10", "0"), NULL);
    give(&b);
    span(&b, 1, 3, 2, "retry", NULL);
    give(&b);
    span(&b, 1, 2, 1, "run", "gen_ai.operation.name", "invoke_agent", "gen_ai.agent.name", "helper", NULL);
    span(&b, 1, 1, 0, "POST /", NULL);
    give(&b);
    tick(&b, NOW_MS);
    EXPECT(last(&b, "vedette_genai_requests_total" HELPED) == 1);
    teardown(&b);
}

TEST(unpriced_and_unknown_are_seen)
{
    struct bench b;
    setup(&b);
    span(&b, 1, 1, 0, "chat", CALL_OF("house-model", "10", "5"), NULL);
    span(&b, 2, 1, 0, "chat", "gen_ai.operation.name", "chat", "gen_ai.request.model", "house-model",
         "gen_ai.provider.name", "openai", NULL);
    give(&b);
    tick(&b, NOW_MS);
#define HOUSE "{model=\"house-model\", operation=\"chat\", provider=\"openai\", service=\"bot\"}"
    EXPECT(last(&b, "vedette_genai_requests_total" HOUSE) == 2);
    EXPECT(last(&b, "vedette_genai_unpriced_requests_total" HOUSE) == 1);
    EXPECT(last(&b, "vedette_genai_unknown_usage_requests_total" HOUSE) == 1);
    EXPECT(last(&b, "vedette_genai_cost_usd_total" HOUSE) == 0);
    teardown(&b);
}

TEST(mcp_tells_an_error_of_the_tool_from_one_of_transport)
{
    struct bench b;
    setup(&b);
#define CALL_TOOL "mcp.method.name", "tools/call", "gen_ai.tool.name", "read", "mcp.server.name", "files"
    span(&b, 1, 1, 0, "tools/call read", CALL_TOOL, NULL);
    span(&b, 1, 2, 0, "tools/call read", CALL_TOOL, "error.type", "tool_error", NULL);
    span(&b, 1, 3, 0, "tools/call read", CALL_TOOL, "error.type", "-32603", NULL);
    give(&b);
    tick(&b, NOW_MS);
#define FILES(rest)                                                                                          \
    "mcp_requests_total{" rest "mcp_server=\"files\", method=\"tools/call\", side=\"client\", status="
    EXPECT(last(&b, FILES("") "\"ok\", tool=\"read\"}") == 1);
    EXPECT(last(&b, FILES("error_type=\"tool_error\", ") "\"tool_error\", tool=\"read\"}") == 1);
    EXPECT(last(&b, FILES("error_type=\"-32603\", ") "\"error\", tool=\"read\"}") == 1);
    EXPECT(last(&b, "mcp_latency_ms_sum{mcp_server=\"files\", method=\"tools/call\", side=\"client\", "
                    "status=\"ok\", tool=\"read\"}") == 1000);
    teardown(&b);
}

TEST(claude_code_is_counted_from_its_events)
{
    struct bench b;
    setup(&b);
    struct attr at[] = { { STR("event.name"), value_str(STR("api_request")) },
                         { STR("model"), value_str(STR("claude-sonnet-4-6")) },
                         { STR("cost_usd"), value_double(0.25) },
                         { STR("input_tokens"), value_int(3) },
                         { STR("output_tokens"), value_int(4) } };
    struct record r = { .time_ns = NOW_MS * 1000000,
                        .attrs = { at, 5 },
                        .log.body = value_str(STR("claude_code.api_request")) };
    begin(&b, TABLE_LOGS);
    EXPECT(records_add(&b.records, &r, NULL) == OK);
    r.log.body = value_str(STR("something else"));
    EXPECT(records_add(&b.records, &r, NULL) == OK);
    give(&b);
    tick(&b, NOW_MS);
#define CLAUDE "{model=\"claude-sonnet-4-6\", operation=\"chat\", provider=\"anthropic\", service=\"bot\"}"
    EXPECT(last(&b, "vedette_genai_requests_total" CLAUDE) == 1);
    EXPECT(last(&b, "vedette_genai_cost_usd_total" CLAUDE) == 0.25);
    teardown(&b);
}

TEST(old_spans_and_running_ones_are_not_load_of_now)
{
    struct bench b;
    setup(&b);
    struct attr at[] = { { STR("gen_ai.operation.name"), value_str(STR("chat")) },
                         { STR("gen_ai.usage.input_tokens"), value_int(3) } };
    struct record r = { .time_ns = (NOW_MS - 7200000) * 1000000,
                        .attrs = { at, 2 },
                        .span.kind = SPAN_CLIENT };
    EXPECT(records_add(&b.records, &r, NULL) == OK);
    r.time_ns = NOW_MS * 1000000;
    r.span.duration_ns = SPAN_UNFINISHED;
    EXPECT(records_add(&b.records, &r, NULL) == OK);
    give(&b);
    tick(&b, NOW_MS);
    EXPECT(b.store.n == 0);
    teardown(&b);
}

/* A year of an agent at a cent and a bit: the counter ends where the integers do. */
TEST(money_does_not_drift)
{
    struct bench b;
    setup(&b);
    for (int i = 0; i < 30000; i++) {
        struct attr at[] = { { STR("gen_ai.operation.name"), value_str(STR("chat")) },
                             { STR("openrouter.cost"), value_double(0.010000001) } };
        struct record r = { .time_ns = NOW_MS * 1000000, .attrs = { at, 2 }, .span.kind = SPAN_CLIENT };
        r.trace_id[0] = 9;
        memcpy(r.span_id, &(uint64_t){ (uint64_t)i + 1 }, 8);
        EXPECT(records_add(&b.records, &r, NULL) == OK);
    }
    give(&b);
    tick(&b, NOW_MS);
    EXPECT(last(&b, "vedette_genai_requests_total{operation=\"chat\", service=\"bot\"}") == 30000);
    EXPECT(last(&b, "vedette_genai_cost_usd_total{operation=\"chat\", service=\"bot\"}") == 300.00003);
    teardown(&b);
}

/* More traces and spans than are kept: each call still counts once. */
TEST(nothing_is_lost_when_traces_are_forgotten)
{
    struct bench b;
    setup(&b);
    for (uint32_t i = 0; i < 10000; i++) {
        struct attr at[] = { { STR("gen_ai.operation.name"), value_str(STR("chat")) },
                             { STR("gen_ai.usage.input_tokens"), value_int(1) } };
        struct record r = { .time_ns = NOW_MS * 1000000, .attrs = { at, 2 }, .span.kind = SPAN_CLIENT };
        memcpy(r.trace_id, &(uint32_t){ i + 1 }, 4);
        r.span_id[0] = 1;
        r.span.parent_id[0] = 2; /* never comes */
        EXPECT(records_add(&b.records, &r, NULL) == OK);
    }
    give(&b);
    tick(&b, NOW_MS);
    EXPECT(last(&b, "vedette_genai_requests_total{operation=\"chat\", service=\"bot\"}") == 10000 - 4096);
    EXPECT(genai_series_write(b.series, b.tick_ms += STEP_MS, STEP_MS, true, NULL) == OK);
    EXPECT(last(&b, "vedette_genai_requests_total{operation=\"chat\", service=\"bot\"}") == 10000);
    teardown(&b);
}

TESTS(CASE(calls_tokens_and_cost_are_counted_once), CASE(a_call_waits_for_its_agent_and_not_for_ever),
      CASE(a_wrapper_alone_counts_when_its_trace_is_over),
      CASE(plain_spans_between_a_call_and_its_agent_lead_upwards), CASE(unpriced_and_unknown_are_seen),
      CASE(mcp_tells_an_error_of_the_tool_from_one_of_transport),
      CASE(claude_code_is_counted_from_its_events), CASE(old_spans_and_running_ones_are_not_load_of_now),
      CASE(money_does_not_drift), CASE(nothing_is_lost_when_traces_are_forgotten))
