/* OTLP spans from both encodings. The wire is written by an encoder of the tests, from the field numbers of
 * opentelemetry-proto 1.x; expectations are the rules in otlp_traces.h. */
#include "decode/otlp_traces.h"
#include "unit/decode/record_lines.h"
#include "unit/decode/wire.h"

static struct lines lines;

#define TRACE "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c"
#define SPAN  "\xb7\xad\x6b\x71\x69\x20\x33\x31"
#define IDS   "0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331"

/* ---- writing requests ---- */

static void put_any(struct wire *w, unsigned no, struct wire *any)
{
    wire_message(w, no, any);
}

static void put_attr(struct wire *w, unsigned no, const char *key, struct wire *any)
{
    struct wire kv = { 0 };
    wire_text(&kv, 1, key);
    put_any(&kv, 2, any);
    wire_message(w, no, &kv);
}

static void put_text_attr(struct wire *w, unsigned no, const char *key, const char *text)
{
    struct wire any = { 0 };
    wire_text(&any, 1, text);
    put_attr(w, no, key, &any);
}

static void wire_fixed64(struct wire *w, unsigned no, uint64_t v)
{
    wire_num(w, no * 8 + 1);
    wire_raw(w, &v, 8);
}

static void wire_fixed32(struct wire *w, unsigned no, uint32_t v)
{
    wire_num(w, no * 8 + 5);
    wire_raw(w, &v, 4);
}

static struct wire a_span(const char *trace, size_t n_trace, const char *span, size_t n_span, uint64_t start,
                          uint64_t end)
{
    struct wire s = { 0 };
    wire_bytes(&s, 1, trace, n_trace);
    wire_bytes(&s, 2, span, n_span);
    wire_text(&s, 5, "GET /");
    wire_varint(&s, 6, 2);
    if (start) wire_fixed64(&s, 7, start);
    if (end) wire_fixed64(&s, 8, end);
    return s;
}

/* Spans into a request of one resource (service.name=shop) and one scope. */
static const char *decoded(struct wire *spans, size_t n)
{
    struct wire request = { 0 }, resource_spans = { 0 }, resource = { 0 }, scope_spans = { 0 };
    put_text_attr(&resource, 1, "service.name", "shop");
    for (size_t i = 0; i < n; i++) wire_message(&scope_spans, 2, &spans[i]);
    wire_message(&resource_spans, 2, &scope_spans); /* before the resource: fields come in any order */
    wire_message(&resource_spans, 1, &resource);
    wire_message(&request, 1, &resource_spans);
    const char *text = lines_decode(&lines, otlp_traces_proto, TABLE_SPANS, wire_str(&request));
    wire_free(&request);
    return text;
}

#define SHOP " resource{service.name=\"shop\"}\n"

/* ---- protobuf ---- */

TEST(an_empty_request_is_a_success)
{
    EXPECT_STR(lines_decode(&lines, otlp_traces_proto, TABLE_SPANS, STR("")), "");
    EXPECT_INT(lines.rc, OK);
}

TEST(every_field_of_a_span)
{
    struct wire s = a_span(TRACE, 16, SPAN, 8, 1000, 1500), any = { 0 }, event = { 0 }, link = { 0 },
                status = { 0 };
    wire_text(&s, 3, "vendor=1");
    wire_bytes(&s, 4, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    put_text_attr(&s, 9, "s", "text");
    wire_varint(&any, 2, 1), put_attr(&s, 9, "b", &any);
    wire_varint(&any, 3, 7), put_attr(&s, 9, "small", &any);
    wire_varint(&any, 3, (uint64_t)-5), put_attr(&s, 9, "negative", &any);
    wire_double(&any, 4, 0.25), put_attr(&s, 9, "d", &any);
    wire_bytes(&any, 7, "\x00\xff", 2), put_attr(&s, 9, "raw", &any);
    wire_varint(&s, 10, 3);
    wire_fixed64(&event, 1, 1200);
    wire_text(&event, 2, "exception");
    put_text_attr(&event, 3, "exception.type", "E\"x");
    wire_varint(&event, 4, 2);
    wire_message(&s, 11, &event);
    wire_varint(&s, 12, 4);
    wire_bytes(&link, 1, TRACE, 16);
    wire_bytes(&link, 2, SPAN, 8);
    wire_text(&link, 3, "a=b");
    wire_varint(&any, 3, 300), put_attr(&link, 4, "n", &any);
    wire_message(&s, 13, &link);
    wire_varint(&s, 14, 5);
    wire_text(&status, 2, "boom");
    wire_varint(&status, 3, 2);
    wire_message(&s, 15, &status);
    wire_fixed32(&s, 16, 257);
    wire_varint(&s, 99, 1); /* of a future version */
    EXPECT_STR(
        decoded(&s, 1),
        "span " IDS " parent=0102030405060708 \"GET /\" server 1000+500 error message=boom state=vendor=1"
        " events=[{\"name\":\"exception\",\"time_ns\":\"1200\",\"attributes\":{\"exception.type\":\"E\\\"x\"}"
        ","
        "\"dropped\":2}]"
        " links=[{\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"span_id\":\"b7ad6b7169203331\","
        "\"trace_state\":\"a=b\",\"attributes\":{\"n\":300}}] flags=257 dropped=3"
        " attrs{s=\"text\",b=true,small=7i,negative=-5i,d=0.25d,raw=x:00ff,otel.dropped_events_count=4i,"
        "otel.dropped_links_count=5i}" SHOP);
    EXPECT_INT(lines.report.accepted, 1);
    EXPECT_INT(lines.report.altered, 0);
}

TEST(arrays_and_maps_are_json)
{
    struct wire s = a_span(TRACE, 16, SPAN, 8, 1, 2), item = { 0 }, list = { 0 }, any = { 0 };
    wire_text(&item, 1, "x"), wire_message(&list, 1, &item);
    wire_varint(&item, 3, 2), wire_message(&list, 1, &item);
    wire_message(&any, 5, &list), put_attr(&s, 9, "list", &any);
    put_text_attr(&list, 1, "k", "v");
    wire_message(&any, 6, &list), put_attr(&s, 9, "map", &any);
    wire_message(&any, 6, &list), put_attr(&s, 9, "none", &any);
    put_attr(&s, 9, "empty", &any);
    EXPECT_STR(decoded(&s, 1),
               "span " IDS " \"GET /\" server 1+1 attrs{list=[\"x\",2],map={\"k\":\"v\"},none={},"
               "empty=\"\"}" SHOP);
}

/* One bad span costs only itself, and the first few are described. */
TEST(ids_that_are_none_are_refused_by_span)
{
    struct wire s[6] = {
        a_span(TRACE, 16, SPAN, 8, 1, 2),
        a_span(TRACE, 15, SPAN, 8, 1, 2),
        a_span(TRACE, 16, SPAN, 4, 1, 2),
        a_span("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, SPAN, 8, 1, 2),
        a_span(TRACE, 16, "\0\0\0\0\0\0\0\0", 8, 1, 2),
        a_span(TRACE, 0, SPAN, 8, 1, 2),
    };
    EXPECT_STR(decoded(s, 6), "span " IDS " \"GET /\" server 1+1" SHOP);
    EXPECT_INT(lines.report.rejected[REJECT_record_id], 5);
    EXPECT_INT(lines.report.rejected_total, 5);
    EXPECT_STR(lines_fault(&lines, 0),
               "resource_spans[0].scope_spans[0].spans[1]: trace id of 15 bytes, 16 wanted");
    EXPECT_STR(lines_fault(&lines, 2), "resource_spans[0].scope_spans[0].spans[3]: trace id is all zeros");
}

TEST(times_that_are_not_as_they_should_be)
{
    struct wire s[5] = {
        a_span(TRACE, 16, SPAN, 8, 100, 0),        a_span(TRACE, 16, SPAN, 8, 0, 100),
        a_span(TRACE, 16, SPAN, 8, 100, 40),       a_span(TRACE, 16, SPAN, 8, 0, 0),
        a_span(TRACE, 16, SPAN, 8, 1, UINT64_MAX),
    };
    EXPECT_STR(decoded(s, 5),
               "span " IDS " \"GET /\" server 100 unfinished" SHOP "span " IDS " \"GET /\" server 100+0" SHOP
               "span " IDS " \"GET /\" server 100+0 attrs{vedette.clock_skew_ns=60i}" SHOP);
    EXPECT_INT(lines.report.rejected[REJECT_record_time], 2);
    EXPECT_INT(lines.report.altered, 1);
}

TEST(a_parent_id_of_another_length_makes_a_root_and_a_note)
{
    struct wire s = a_span(TRACE, 16, SPAN, 8, 1, 2);
    wire_bytes(&s, 4, "abc", 3);
    EXPECT_STR(decoded(&s, 1), "span " IDS " \"GET /\" server 1+1" SHOP);
    EXPECT_INT(lines.report.altered, 1);
    EXPECT_STR(lines_fault(&lines, 0),
               "resource_spans[0].scope_spans[0].spans[0]: parent id of 3 bytes left out");
}

TEST(a_value_nested_too_deeply_costs_only_itself)
{
    struct wire s = a_span(TRACE, 16, SPAN, 8, 1, 2), any = { 0 }, list = { 0 };
    wire_text(&any, 1, "deep");
    for (int i = 0; i < 5000; i++) {
        wire_message(&list, 1, &any);
        wire_message(&any, 5, &list);
    }
    put_attr(&s, 9, "bomb", &any);
    put_text_attr(&s, 9, "after", "all well");
    EXPECT_STR(decoded(&s, 1),
               "span " IDS " \"GET /\" server 1+1 attrs{after=\"all well\",vedette.refused=1i}" SHOP);
    EXPECT_INT(lines.report.altered, 1);
}

TEST(a_bomb_in_an_event_too)
{
    struct wire s = a_span(TRACE, 16, SPAN, 8, 1, 2), any = { 0 }, list = { 0 }, event = { 0 };
    wire_text(&any, 1, "deep");
    for (int i = 0; i < 40; i++) {
        wire_message(&list, 1, &any);
        wire_message(&any, 5, &list);
    }
    wire_text(&event, 2, "e");
    put_attr(&event, 3, "bomb", &any);
    put_text_attr(&event, 3, "k", "v");
    wire_message(&s, 11, &event);
    const char *text = decoded(&s, 1);
    EXPECT(strstr(text, "\"attributes\":{\"k\":\"v\"}") != NULL);
    EXPECT(strstr(text, "vedette.refused=1i") != NULL);
}

TEST(broken_text_is_repaired)
{
    struct wire s = a_span(TRACE, 16, SPAN, 8, 1, 2);
    put_text_attr(&s, 9, "k",
                  "a\xff"
                  "b\xe2\x82");
    EXPECT_STR(decoded(&s, 1), "span " IDS " \"GET /\" server 1+1 attrs{k=\"a\xef\xbf\xbd"
                               "b\xef\xbf\xbd\"}" SHOP);
}

TEST(values_beyond_two_mebibytes_are_cut_and_marked)
{
    struct wire s = a_span(TRACE, 16, SPAN, 8, 1, 2);
    const size_t n = (2 << 20) + 5;
    char *big = malloc(n + 1);
    memset(big, 'x', n);
    big[n] = 0;
    memcpy(big + (2 << 20) - 1, "\xc3\xa4", 2); /* a character across the cut goes as a whole */
    put_text_attr(&s, 9, "big", big);
    const char *text = decoded(&s, 1);
    EXPECT(strstr(text, "x\",vedette.truncated=6i}") != NULL);
    EXPECT(strlen(text) < n + 200);
    EXPECT_INT(lines.report.accepted, 1);
    free(big);
}

TEST(a_span_broken_inside_costs_only_itself)
{
    struct wire s[3] = { a_span(TRACE, 16, SPAN, 8, 1, 2), { 0 }, a_span(TRACE, 16, SPAN, 8, 3, 4) };
    wire_raw(&s[1], "\x0a\x7f", 2); /* a length that passes the end */
    EXPECT_STR(decoded(s, 3),
               "span " IDS " \"GET /\" server 1+1" SHOP "span " IDS " \"GET /\" server 3+1" SHOP);
    EXPECT_INT(lines.report.rejected[REJECT_record_field], 1);
    EXPECT(strstr(lines_fault(&lines, 0), "spans[1]: byte ") != NULL);
}

TEST(a_broken_frame_is_an_error_with_its_place)
{
    EXPECT_STR(
        lines_decode(&lines, otlp_traces_proto, TABLE_SPANS, STR("\x0a\x03\x12\x7f\x00")),
        "parse: resource_spans[0].scope_spans[0].spans[0]: byte 4: length passes the end of the message");
    EXPECT_STR(lines_decode(&lines, otlp_traces_proto, TABLE_SPANS, STR("{}")),
               "parse: byte 1: group or unknown wire type");
}

TEST(a_span_larger_than_any_record_is_refused_alone)
{
    struct wire s[2] = { a_span(TRACE, 16, SPAN, 8, 1, 2), a_span(TRACE, 16, SPAN, 8, 3, 4) };
    char *big = malloc((2 << 20) + 1), key[16];
    memset(big, 'x', 2 << 20);
    big[2 << 20] = 0;
    for (int i = 0; i < 9; i++) {
        snprintf(key, sizeof key, "k%d", i);
        put_text_attr(&s[0], 9, key, big);
    }
    EXPECT_STR(decoded(s, 2), "span " IDS " \"GET /\" server 3+1" SHOP);
    EXPECT_INT(lines.report.rejected[REJECT_record_size], 1);
    free(big);
}

/* ---- JSON ---- */

static const char *json(const char *text)
{
    return lines_decode(&lines, otlp_traces_json, TABLE_SPANS, str_of(text));
}

#define REQUEST(spans)                                                                                       \
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" spans                                                \
    "],\"scope\":{\"name\":\"lib\",\"version\":1}}],"                                                        \
    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]}}]}"
#define IDENT "\"traceId\":\"0AF7651916CD43DD8448EB211C80319C\",\"spanId\":\"b7ad6b7169203331\""
#define TAIL  " resource{service.name=\"shop\"} scope=lib version=1\n"

TEST(json_as_the_specification_has_it)
{
    EXPECT_STR(json("{}"), "");
    EXPECT_STR(json("{\"resourceSpans\":[]}"), "");
    EXPECT_STR(
        json(REQUEST(
            "{" IDENT ",\"parentSpanId\":\"0102030405060708\",\"name\":\"GET /\",\"kind\":2,\"flags\":257,"
            "\"startTimeUnixNano\":\"1544712660300000001\",\"endTimeUnixNano\":\"1544712660600000002\","
            "\"traceState\":\"a=b\",\"droppedAttributesCount\":1,\"droppedEventsCount\":2,"
            "\"attributes\":[{\"key\":\"s\",\"value\":{\"stringValue\":\"t\"}},"
            "{\"key\":\"i\",\"value\":{\"intValue\":\"-12\"}},{\"key\":\"b\",\"value\":{\"boolValue\":false}}"
            ","
            "{\"key\":\"d\",\"value\":{\"doubleValue\":1.5}},{\"key\":\"n\",\"value\":{\"doubleValue\":"
            "\"NaN\"}},"
            "{\"key\":\"raw\",\"value\":{\"bytesValue\":\"AP8=\"}},"
            "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1},{\"stringValue\":\"x\"}]}"
            "}},"
            "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"boolValue\":"
            "true}}]}}}"
            "],\"events\":[{\"timeUnixNano\":\"5\",\"name\":\"e\",\"attributes\":[{\"key\":\"k\",\"value\":"
            "{\"intValue\":3}}]}],\"links\":[{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":"
            "\"b7ad6b7169203331\"}],\"status\":{\"code\":2,\"message\":\"boom\"},\"later\":{\"x\":[1]}}")),
        "span " IDS
        " parent=0102030405060708 \"GET /\" server 1544712660300000001+300000001 error message=boom"
        " state=a=b events=[{\"name\":\"e\",\"time_ns\":\"5\",\"attributes\":{\"k\":3}}]"
        " links=[{\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"span_id\":\"b7ad6b7169203331\"}] "
        "flags=257"
        " dropped=1 attrs{s=\"t\",i=-12i,b=false,d=1.5d,n=NaNd,raw=x:00ff,l=[1,\"x\"],m={\"k\":true},"
        "otel.dropped_events_count=2i}" TAIL);
}

TEST(json_as_others_write_it)
{
    /* ids in base64, names of enums, times in floating form, snake_case, attributes as an object */
    EXPECT_STR(
        json("[{\"resource_spans\":[{\"scope_spans\":[{\"spans\":[{\"trace_id\":\"CvdlGRbNQ92ESOshHIAxnA==\","
             "\"span_id\":\"t61rcWkgMzE=\",\"name\":\"a\",\"kind\":\"SPAN_KIND_CLIENT\","
             "\"start_time_unix_nano\":1.5e18,\"end_time_unix_nano\":1500000000000000010,"
             "\"status\":{\"code\":\"STATUS_CODE_OK\"},\"attributes\":{\"k\":\"v\",\"n\":2}}]}]}]},"
             "{\"resourceSpans\":[{\"instrumentationLibrarySpans\":[{\"spans\":[{" IDENT
             ",\"name\":\"b\",\"kind\":\"internal\",\"parentSpanId\":\"\",\"startTimeUnixNano\":7,"
             "\"endTimeUnixNano\":null,\"attributes\":[{\"key\":\"k\",\"value\":\"bare\"}]}]}]}]}]"),
        "span " IDS " \"a\" client 1500000000000000000+10 ok attrs{k=\"v\",n=2i}\n"
        "span " IDS " \"b\" internal 7 unfinished attrs{k=\"bare\"}\n");
}

TEST(json_spans_of_the_wrong_shape_are_refused_alone)
{
    EXPECT_STR(
        json(REQUEST("{" IDENT ",\"startTimeUnixNano\":\"soon\"},7,{\"traceId\":\"xyz\",\"spanId\":\"1\"},"
                     "{" IDENT ",\"startTimeUnixNano\":5,\"endTimeUnixNano\":6,\"name\":\"good\"}")),
        "span " IDS " \"good\" unspecified 5+1" TAIL);
    EXPECT_INT(lines.report.rejected[REJECT_record_field], 2);
    EXPECT_INT(lines.report.rejected[REJECT_record_id], 1);
    EXPECT_STR(lines_fault(&lines, 0), "resource_spans[0].scope_spans[0].spans[0]: expected a time in ns");
    EXPECT_STR(lines_fault(&lines, 2),
               "resource_spans[0].scope_spans[0].spans[2]: trace id is neither hex nor base64 of 16 bytes");
}

TEST(json_values_that_cannot_be_kept_cost_only_themselves)
{
    EXPECT_STR(
        json(REQUEST(
            "{" IDENT ",\"startTimeUnixNano\":5,\"endTimeUnixNano\":6,\"attributes\":["
            "{\"key\":\"i\",\"value\":{\"intValue\":\"many\"}},{\"key\":\"k\",\"value\":{\"stringValue\":"
            "\"v\"}}],"
            "\"events\":[{\"name\":\"e\",\"attributes\":[{\"key\":\"x\",\"value\":{\"intValue\":\"?\"}},"
            "{\"key\":\"y\",\"value\":{\"intValue\":2}}]}]}")),
        "span " IDS " \"\" unspecified 5+1 events=[{\"name\":\"e\",\"time_ns\":\"0\",\"attributes\":"
        "{\"y\":2}}] attrs{k=\"v\",vedette.refused=2i}" TAIL);
}

TEST(json_with_half_a_character_is_repaired)
{
    EXPECT_STR(
        json(REQUEST("{" IDENT ",\"startTimeUnixNano\":5,\"endTimeUnixNano\":6,\"name\":\"a\\ud83d\xff\"}")),
        "span " IDS " \"a\xef\xbf\xbd\xef\xbf\xbd\" unspecified 5+1" TAIL);
}

TEST(json_that_is_none_is_an_error_with_its_place)
{
    EXPECT_STR(json("{\"resourceSpans\":\n[{,"), "parse: line 2, column 3: expected a key");
    EXPECT_INT(lines.rc, ERR_PARSE);
    EXPECT_STR(json("7"), "parse: line 1, column 1: expected an object");
}

/* ---- hooks ---- */

static bool keep_errors(void *ctx, const struct origin *o, struct record *r, struct arena *a)
{
    (void)a;
    ++*(int *)ctx;
    EXPECT(o->resource.n == 1);
    r->span.name = STR("masked");
    return r->span.status == 2;
}

TEST(hooks_change_and_drop_records_before_they_are_packed)
{
    int seen = 0;
    const struct record_hooks hooks = { .ctx = &seen, .record = keep_errors };
    struct wire s[2] = { a_span(TRACE, 16, SPAN, 8, 1, 2), a_span(TRACE, 16, SPAN, 8, 3, 4) }, status = { 0 };
    wire_varint(&status, 3, 2);
    wire_message(&s[1], 15, &status);
    lines.options.hooks = &hooks;
    EXPECT_STR(decoded(s, 2), "span " IDS " \"masked\" server 3+1 error" SHOP);
    EXPECT_INT(seen, 2);
    EXPECT_INT(lines.report.dropped, 1);
    lines.options.hooks = NULL;
}

/* ---- recorded by others ---- */

static void count_spans(const char *path, size_t want)
{
    struct str body = lines_file(path);
    if (body.p == NULL) {
        printf("SKIPPED: %s is not here\n", path);
        return;
    }
    lines_decode(&lines, otlp_traces_json, TABLE_SPANS, body);
    EXPECT_INT(lines.rc, OK);
    EXPECT_INT(lines.report.accepted, want);
    EXPECT_INT(lines.report.rejected_total, 0);
    EXPECT_INT(lines.report.altered, 0);
    free((void *)body.p);
}

TEST(agent_traces_recorded_by_others_come_in_whole)
{
    count_spans("../shared/data/agent_traces/otlp_json/quo_tav_agent.json", 29);
    count_spans("../shared/data/agent_traces/otlp_json/smol_deep_research_agent.json", 8);
}

TESTS(CASE(an_empty_request_is_a_success), CASE(every_field_of_a_span), CASE(arrays_and_maps_are_json),
      CASE(ids_that_are_none_are_refused_by_span), CASE(times_that_are_not_as_they_should_be),
      CASE(a_parent_id_of_another_length_makes_a_root_and_a_note),
      CASE(a_value_nested_too_deeply_costs_only_itself), CASE(a_bomb_in_an_event_too),
      CASE(broken_text_is_repaired), CASE(values_beyond_two_mebibytes_are_cut_and_marked),
      CASE(a_span_broken_inside_costs_only_itself), CASE(a_broken_frame_is_an_error_with_its_place),
      CASE(a_span_larger_than_any_record_is_refused_alone), CASE(json_as_the_specification_has_it),
      CASE(json_as_others_write_it), CASE(json_spans_of_the_wrong_shape_are_refused_alone),
      CASE(json_values_that_cannot_be_kept_cost_only_themselves),
      CASE(json_with_half_a_character_is_repaired), CASE(json_that_is_none_is_an_error_with_its_place),
      CASE(hooks_change_and_drop_records_before_they_are_packed),
      CASE(agent_traces_recorded_by_others_come_in_whole))
