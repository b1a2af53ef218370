#include "decode/import_format.h"
#include "unit/test.h"

#define BASE_NS INT64_C(1735689600000000000)

struct got {
    struct arena arena;
    struct record_report report;
    struct record at[64];
    size_t n;
    int rc;
    struct err err;
};

/* Decoded as whatever it is recognised to be; NULL expected: as nothing. */
static void get(struct got *g, const char *format, struct str text)
{
    const struct record_options options = { .now_ns = BASE_NS };
    const struct import_format *f = import_recognise(text);
    struct records out;
    *g = (struct got){ .arena = ARENA_INIT(64 << 20) };
    EXPECT(f != NULL);
    EXPECT_STR(f->name, format);
    records_init(&out, &g->arena, f->table);
    g->rc = f->decode(text, &options, &out, &g->report, &g->err);
    records_end(&out);
    for (size_t c = 0; c < out.n_chunks; c++) {
        struct record_reader r;
        EXPECT(record_chunk_open(&r, out.chunks[c].bytes, &g->arena, NULL) == OK);
        for (size_t i = 0; i < r.n; i++) record_chunk_get(&r, i, &g->arena, &g->at[g->n++]);
    }
}

static bool has(const struct record *r, const char *name, const char *value)
{
    for (size_t i = 0; i < r->attrs.n; i++) {
        struct buf text = BUF_INIT(4096);
        value_print(&text, r->attrs.at[i].value);
        bool same = str_is(r->attrs.at[i].name, name) && str_is(buf_view(&text), value);
        buf_release(&text);
        if (same) return true;
    }
    return false;
}

static bool is_child(const struct record *child, const struct record *parent)
{
    return memcmp(child->span.parent_id, parent->span_id, 8) == 0 &&
           memcmp(child->trace_id, parent->trace_id, 16) == 0;
}

TEST(nested_spans_with_durations_in_iso_8601)
{
    struct got g;
    get(&g, "spans, one object each",
        STR("{\"trace_id\":\"0123456789abcdef0123456789abcdef\",\"scores\":[4],\"spans\":[{\"timestamp\":"
            "\"2025-01-01T00:00:01Z\",\"span_id\":\"0000000000000001\",\"parent_span_id\":null,\"span_name\":"
            "\"main\",\"span_kind\":\"Internal\",\"service_name\":\"s\",\"duration\":\"PT1M1.5S\","
            "\"status_code\":\"Error\",\"status_message\":\"no\",\"child_spans\":[{\"timestamp\":"
            "\"2025-01-01T00:00:02Z\",\"span_id\":\"0000000000000002\",\"parent_span_id\":"
            "\"0000000000000001\",\"span_name\":\"step\",\"span_attributes\":{\"a\":\"1\"},\"child_spans\":[]"
            "}]}]}"));
    EXPECT(g.rc == OK && g.n == 2);
    EXPECT(str_is(g.at[0].span.name, "main") && g.at[0].time_ns == BASE_NS + 1000000000);
    EXPECT(g.at[0].span.duration_ns == 61500000000 && g.at[0].span.kind == SPAN_INTERNAL);
    EXPECT(g.at[0].span.status == 2 && str_is(g.at[0].span.status_message, "no"));
    EXPECT(has(&g.at[0], "trace.scores", "[4]"));
    EXPECT(is_child(&g.at[1], &g.at[0]) && has(&g.at[1], "a", "1"));
    EXPECT(g.at[1].span.duration_ns == SPAN_UNFINISHED);
    arena_release(&g.arena);
}

TEST(the_js_sdk_counts_kinds_from_zero_and_times_in_two_parts)
{
    struct got g;
    get(&g, "spans, one object each",
        STR("[{\"name\":\"n\",\"spanContext\":{\"traceId\":\"b3e700af9eab81e19f72f964d62a35af\",\"spanId\":"
            "\"39d6e9b3ddec9996\"},\"kind\":2,\"startTime\":[1735689600,5],\"endTime\":[1735689602,0],"
            "\"status\":{\"code\":2,\"message\":\"m\"},\"attributes\":{\"k\":[1,\"x\"]}}]"));
    EXPECT(g.n == 1 && g.at[0].span.kind == SPAN_CLIENT && g.at[0].span.status == 2);
    EXPECT(g.at[0].time_ns == BASE_NS + 5 && g.at[0].span.duration_ns == 1999999995);
    EXPECT(g.at[0].trace_id[0] == 0xb3 && g.at[0].span_id[7] == 0x96 && has(&g.at[0], "k", "[1,\"x\"]"));
    arena_release(&g.arena);
}

TEST(ids_of_other_widths_are_mapped_alike_everywhere_and_kept)
{
    struct got g;
    get(&g, "spans, one object each",
        STR("{\"trace_id\":\"0xd1c160a28f2041918075678c90d47e83\",\"span_id\":\"e661b435ae4f4e708348f5e2\","
            "\"parent_span_id\":\"\",\"name\":\"a\",\"start_time\":1.735689600e+18,\"end_time\":"
            "1735689600000000007}\n"
            "{\"trace_id\":\"d1c160a28f2041918075678c90d47e83\",\"span_id\":\"02\",\"parent_span_id\":"
            "\"e661b435ae4f4e708348f5e2\",\"name\":\"b\",\"start_time\":\"2025-01-01T00:00:00Z\",\"end_"
            "time\":"
            "\"2025-01-01T00:00:00Z\"}\n"));
    EXPECT(g.rc == OK && g.n == 2 && is_child(&g.at[1], &g.at[0]));
    EXPECT(has(&g.at[0], "vedette.import.span_id", "e661b435ae4f4e708348f5e2"));
    EXPECT(has(&g.at[1], "vedette.import.parent_span_id", "e661b435ae4f4e708348f5e2"));
    EXPECT(!has(&g.at[0], "vedette.import.trace_id", "0xd1c160a28f2041918075678c90d47e83"));
    EXPECT(g.at[0].time_ns == BASE_NS && g.at[0].span.duration_ns == 7);
    arena_release(&g.arena);
}

TEST(faults_name_the_line_and_the_rest_is_kept)
{
    struct got g;
    get(&g, "spans, one object each",
        STR("{\"trace_id\":\"01\",\"span_id\":\"02\",\"start_time\":1735689600}\n"
            "{\"trace_id\":\"01\",\"span_id\":\"03\"}\n"
            "broken\n"
            "{\"trace_id\":\"01\",\"span_id\":\"04\",\"start_time\":1735689600}\n"));
    EXPECT(g.rc == OK && g.n == 2 && g.report.rejected_total == 2);
    EXPECT(strncmp(g.report.first[0].text, "line 2: ", 8) == 0);
    EXPECT(strncmp(g.report.first[1].text, "line 3: not JSON", 16) == 0);
    arena_release(&g.arena);
}

TEST(an_observation_keeps_what_its_span_said_and_what_the_trace_says)
{
    struct got g;
    get(&g, "Langfuse export",
        STR("{\"trace\":{\"id\":\"t\",\"name\":\"chat\",\"sessionId\":\"s1\",\"scores\":[{\"name\":\"q\","
            "\"value\":0.5,\"observationId\":\"b\"}]},\"observations\":[{\"id\":\"a\",\"type\":"
            "\"GENERATION\","
            "\"startTime\":\"2025-01-01T00:00:00Z\",\"endTime\":\"2025-01-01T00:00:01.5Z\",\"level\":"
            "\"ERROR\",\"statusMessage\":\"x\",\"model\":\"m\",\"usageDetails\":{\"input\":3},\"output\":"
            "null,"
            "\"metadata\":\"{\\\"attributes\\\":{\\\"k\\\":1},\\\"resourceAttributes\\\":{\\\"service."
            "name\\\":"
            "\\\"web\\\"},\\\"scope\\\":{\\\"name\\\":\\\"lib\\\"}}\"},{\"id\":\"b\",\"traceId\":\"t\","
            "\"parentObservationId\":\"a\",\"type\":\"EVENT\",\"startTime\":\"2025-01-01T00:00:00Z\"}]}"));
    EXPECT(g.rc == OK && g.n == 2 && is_child(&g.at[1], &g.at[0]));
    EXPECT(g.at[0].span.kind == SPAN_CLIENT && g.at[0].span.status == 2);
    EXPECT(g.at[0].span.duration_ns == 1500000000 && g.at[1].span.duration_ns == 0);
    EXPECT(has(&g.at[0], "k", "1") && has(&g.at[0], "session.id", "s1"));
    EXPECT(has(&g.at[0], "langfuse.observation.model.name", "m"));
    EXPECT(has(&g.at[0], "langfuse.observation.usage_details", "{\"input\":3}"));
    EXPECT(str_is(g.at[0].origin->scope_name, "lib"));
    EXPECT(str_is(g.at[0].origin->resource.at[0].value.text, "web"));
    EXPECT(memmem(g.at[1].span.events.p, g.at[1].span.events.n, "gen_ai.evaluation.score.value\":0.5", 34));
    arena_release(&g.arena);
}

TEST(a_conversation_is_a_run_with_a_span_a_message_the_same_each_time)
{
    struct got g, again;
    struct str text =
        STR("{\"history\":[{\"role\":\"human\",\"content\":\"q\"},{\"role\":\"Planner (-> Web)\","
            "\"content\":\"go\"}],\"question\":\"q\",\"mistake_step\":\"1\"}");
    get(&g, "Who&When run", text);
    get(&again, "Who&When run", text);
    EXPECT(g.n == 3 && is_child(&g.at[1], &g.at[0]) && is_child(&g.at[2], &g.at[0]));
    EXPECT(g.at[0].span.duration_ns == 2000000000 && g.at[2].time_ns == g.at[0].time_ns + 1000000000);
    EXPECT(g.at[0].time_ns >= BASE_NS && g.at[0].time_ns < BASE_NS + INT64_C(86400000000000));
    EXPECT(has(&g.at[2], "gen_ai.agent.name", "Planner") && has(&g.at[2], "message.content", "go"));
    EXPECT(has(&g.at[2], "who_and_when.is_mistake", "true") && has(&g.at[1], "message.role", "human"));
    for (size_t i = 0; i < 3; i++) {
        EXPECT(has(&g.at[i], "vedette.import.synthetic_time", "true"));
        EXPECT(memcmp(g.at[i].span_id, again.at[i].span_id, 8) == 0 &&
               g.at[i].time_ns == again.at[i].time_ns);
    }
    arena_release(&g.arena);
    arena_release(&again.arena);
}

TEST(log_lines_need_no_service)
{
    struct got g;
    get(&g, "JSON log lines",
        STR("{\"message\":\"m\",\"level\":\"warn\",\"timestamp\":\"2025-01-01T00:00:00Z\"}\n{\"msg\":\"n\"}"
            "\n"));
    EXPECT(g.rc == OK && g.n == 2 && g.at[0].log.severity == 13 && g.at[0].time_ns == BASE_NS);
    EXPECT(str_is(g.at[1].log.body.text, "n"));
    arena_release(&g.arena);
}

TEST(what_is_none_of_ours_is_not_recognised)
{
    static const char *const not_ours[] = { "",          "{}",   "[]",   "[1]", "up 1\n",
                                            "{\"a\":1}", "{\"a", "\n\n", "\nA" };
    for (size_t i = 0; i < COUNT(not_ours); i++) EXPECT(import_recognise(str_of(not_ours[i])) == NULL);
}

TESTS(CASE(nested_spans_with_durations_in_iso_8601),
      CASE(the_js_sdk_counts_kinds_from_zero_and_times_in_two_parts),
      CASE(ids_of_other_widths_are_mapped_alike_everywhere_and_kept),
      CASE(faults_name_the_line_and_the_rest_is_kept),
      CASE(an_observation_keeps_what_its_span_said_and_what_the_trace_says),
      CASE(a_conversation_is_a_run_with_a_span_a_message_the_same_each_time), CASE(log_lines_need_no_service),
      CASE(what_is_none_of_ours_is_not_recognised))
