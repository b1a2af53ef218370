/* What is written is read back as the same records, by decoders that have tests of their own; and one request
 * as text, from the names of OTLP's JSON mapping. */
#include "decode/otlp_write.h"

#include "decode/otlp_logs.h"
#include "decode/otlp_traces.h"
#include "unit/decode/record_lines.h"

static struct lines lines, again;

struct read_back {
    struct arena arena;
    struct record *at;
    size_t n;
};

static struct read_back records_of(record_decoder *decode, enum table t, struct str body)
{
    struct read_back all = { .arena = ARENA_INIT(256 << 20) };
    struct record_options options = { .now_ns = LINES_NOW };
    struct record_report report = { 0 };
    struct records out;
    struct err e = ERR_INIT;
    records_init(&out, &all.arena, t);
    if (decode(body, &options, &out, &report, &e) < 0) fail_msg("%s", e.text);
    records_end(&out);
    all.at = arena_array(&all.arena, out.n, sizeof *all.at);
    for (size_t c = 0; c < out.n_chunks; c++) {
        struct record_reader reader;
        EXPECT(record_chunk_open(&reader, out.chunks[c].bytes, &all.arena, &e) == OK);
        for (size_t i = 0; i < reader.n; i++) record_chunk_get(&reader, i, &all.arena, &all.at[all.n++]);
    }
    return all;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines in an order of their own: grouping may have moved records. */
static char *sorted(const char *text)
{
    char *copy = strdup(text), *out = calloc(1, strlen(text) + 2), **line = NULL, *save = NULL;
    size_t n = 0;
    for (char *l = strtok_r(copy, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
        line = realloc(line, (n + 1) * sizeof *line);
        line[n++] = l;
    }
    if (n > 0) qsort(line, n, sizeof *line, by_text);
    char *to = out;
    for (size_t i = 0; i < n; i++) to = stpcpy(stpcpy(to, line[i]), "\n");
    free(line);
    free(copy);
    return out;
}

static void same_after(record_decoder *decode, enum table t, struct str written)
{
    char *before = sorted(buf_cstr(&lines.text));
    char *after = sorted(lines_decode(&again, decode, t, written));
    if (strcmp(before, after) != 0) fail_msg("\n%.2000s\n%.2000s", before, after);
    EXPECT_INT(again.report.altered, 0);
    free(before);
    free(after);
}

static void round_trip_spans(record_decoder *decode, struct str body)
{
    struct buf out = BUF_INIT(64 << 20);
    struct read_back r = records_of(decode, TABLE_SPANS, body);
    lines_decode(&lines, decode, TABLE_SPANS, body);
    EXPECT(r.n > 0);
    otlp_write_spans_proto(r.at, r.n, &out);
    same_after(otlp_traces_proto, TABLE_SPANS, buf_view(&out));
    buf_clear(&out);
    otlp_write_spans_json(r.at, r.n, "resourceSpans", &out);
    same_after(otlp_traces_json, TABLE_SPANS, buf_view(&out));
    buf_release(&out);
    arena_release(&r.arena);
}

static void round_trip_file(const char *path, record_decoder *decode)
{
    struct str body = lines_file(path);
    if (body.p == NULL) {
        print_message("SKIP: %s is not there\n", path);
        return;
    }
    round_trip_spans(decode, body);
    free((char *)body.p);
}

TEST(spans_of_real_senders_come_back_as_they_were)
{
    round_trip_file("tests/unit/decode/data/otel_spans.json", otlp_traces_json);
    round_trip_file("tests/unit/decode/data/otel_spans.pb", otlp_traces_proto);
    round_trip_file("../shared/data/agent_traces/otlp_json/quo_tav_agent.json", otlp_traces_json);
    round_trip_file("../shared/data/agent_traces/otlp_json/smol_deep_research_agent.json", otlp_traces_json);
}

static const char everything[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
    "\"a\\\"b\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"s\",\"version\":\"1\",\"attributes\":[{\"key\":"
    "\"k\","
    "\"value\":{\"boolValue\":true}}]},\"spans\":[{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\","
    "\"spanId\":\"b7ad6b7169203331\",\"traceState\":\"v=1\",\"parentSpanId\":\"00f067aa0ba902b7\",\"flags\":"
    "257,"
    "\"name\":\"chat\",\"kind\":3,\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"1500\",\"attributes\":"
    "["
    "{\"key\":\"i\",\"value\":{\"intValue\":\"-9223372036854775808\"}},{\"key\":\"d\",\"value\":{"
    "\"doubleValue\":0.25}},{\"key\":\"nan\",\"value\":{\"doubleValue\":\"NaN\"}},{\"key\":\"raw\",\"value\":"
    "{"
    "\"bytesValue\":\"AP8=\"}},{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},"
    "{"
    "\"stringValue\":\"x\"},{\"kvlistValue\":{\"values\":[{\"key\":\"y\",\"value\":{\"doubleValue\":1.5}}]}}]"
    "}}}]"
    ",\"droppedAttributesCount\":3,\"events\":[{\"timeUnixNano\":\"1200\",\"name\":\"e\",\"attributes\":[{"
    "\"key\":\"m\",\"value\":{\"stringValue\":\"n\"}}],\"droppedAttributesCount\":2}],\"links\":[{"
    "\"traceId\":"
    "\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"b7ad6b7169203331\",\"traceState\":\"l=1\","
    "\"attributes\":"
    "[{\"key\":\"q\",\"value\":{\"intValue\":\"5\"}}]}],\"status\":{\"message\":\"boom\",\"code\":2}}]}]}]}";

TEST(every_field_of_a_span_is_written)
{
    struct buf out = BUF_INIT(1 << 20);
    struct read_back r = records_of(otlp_traces_json, TABLE_SPANS, STR(everything));
    otlp_write_spans_json(r.at, r.n, "resourceSpans", &out);
    EXPECT_STR(buf_cstr(&out), everything);
    arena_release(&r.arena);
    buf_release(&out);
    round_trip_spans(otlp_traces_json, STR(everything));
}

TEST(a_running_span_and_no_spans_at_all)
{
    static const char running[] =
        "{\"batches\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
        "\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"b7ad6b7169203331\",\"startTimeUnixNano\":\"1000\","
        "\"endTimeUnixNano\":\"0\",\"status\":{}}]}]}]}";
    struct origin nobody = { 0 };
    struct record s = { .time_ns = 1000, .origin = &nobody, .span = { .duration_ns = SPAN_UNFINISHED } };
    memcpy(s.trace_id, "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c", 16);
    memcpy(s.span_id, "\xb7\xad\x6b\x71\x69\x20\x33\x31", 8);
    struct buf out = BUF_INIT(1 << 20);
    otlp_write_spans_json(&s, 1, "batches", &out);
    EXPECT_STR(buf_cstr(&out), running);
    buf_clear(&out);
    otlp_write_spans_json(NULL, 0, "resourceSpans", &out);
    EXPECT_STR(buf_cstr(&out), "{\"resourceSpans\":[]}");
    buf_clear(&out);
    otlp_write_spans_proto(NULL, 0, &out);
    EXPECT_INT(out.n, 0);
    buf_release(&out);
}

TEST(records_of_one_resource_stand_together_in_the_order_they_came)
{
    struct origin a = { .id = { 1, 1 }, .scope_name = STR("x") },
                  a2 = { .id = { 1, 1 }, .scope_name = STR("y") }, b = { .id = { 2, 2 } };
    const struct origin *from[] = { &a, &b, &a2, &a, &b };
    struct record s[5];
    for (size_t i = 0; i < 5; i++) {
        s[i] = (struct record){ .time_ns = (int64_t)i + 1, .origin = from[i] };
        s[i].trace_id[0] = s[i].span_id[0] = (uint8_t)(i + 1);
    }
    struct buf out = BUF_INIT(1 << 20);
    otlp_write_spans_json(s, 5, "resourceSpans", &out);
    const char *text = buf_cstr(&out), *at = text;
    const char *const want[] = { "\"name\":\"x\"", "Nano\":\"1\"", "Nano\":\"4\"", "\"name\":\"y\"",
                                 "Nano\":\"3\"",   "\"resource\"", "Nano\":\"2\"", "Nano\":\"5\"" };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        at = strstr(at, want[i]);
        if (at == NULL) fail_msg("%s not in its place: %s", want[i], text);
    }
    buf_release(&out);
}

TEST(logs_come_back_as_they_were)
{
    struct str body = lines_file("tests/unit/decode/data/otel_logs.json");
    struct buf out = BUF_INIT(64 << 20);
    EXPECT(body.p != NULL);
    struct read_back r = records_of(otlp_logs_json, TABLE_LOGS, body);
    lines_decode(&lines, otlp_logs_json, TABLE_LOGS, body);
    otlp_write_logs_json(r.at, r.n, &out);
    same_after(otlp_logs_json, TABLE_LOGS, buf_view(&out));
    buf_release(&out);
    arena_release(&r.arena);
    free((char *)body.p);
}

TESTS(CASE(spans_of_real_senders_come_back_as_they_were), CASE(every_field_of_a_span_is_written),
      CASE(a_running_span_and_no_spans_at_all),
      CASE(records_of_one_resource_stand_together_in_the_order_they_came), CASE(logs_come_back_as_they_were))
