/* OTLP log records from both encodings; expectations are the rules in otlp_logs.h and the severities of
 * OTel's log data model. */
#include "decode/otlp_logs.h"
#include "decode/severity.h"
#include "unit/decode/record_lines.h"
#include "unit/decode/wire.h"

static struct lines lines;

static void wire_fixed64(struct wire *w, unsigned no, uint64_t v)
{
    wire_num(w, no * 8 + 1);
    wire_raw(w, &v, 8);
}

static void put_text_attr(struct wire *w, unsigned no, const char *key, const char *text)
{
    struct wire kv = { 0 }, any = { 0 };
    wire_text(&any, 1, text);
    wire_text(&kv, 1, key);
    wire_message(&kv, 2, &any);
    wire_message(w, no, &kv);
}

static const char *decoded(struct wire *logs, size_t n)
{
    struct wire request = { 0 }, resource_logs = { 0 }, scope_logs = { 0 }, scope = { 0 };
    wire_text(&scope, 1, "logger");
    wire_text(&scope, 2, "2.0");
    put_text_attr(&scope, 3, "s", "t");
    wire_message(&scope_logs, 1, &scope);
    for (size_t i = 0; i < n; i++) wire_message(&scope_logs, 2, &logs[i]);
    wire_message(&resource_logs, 2, &scope_logs);
    wire_message(&request, 1, &resource_logs);
    const char *text = lines_decode(&lines, otlp_logs_proto, TABLE_LOGS, wire_str(&request));
    wire_free(&request);
    return text;
}

#define SCOPE " scope=logger version=2.0 scopeattrs{s=\"t\"}\n"

static struct wire a_log(uint64_t time, uint64_t observed, const char *body)
{
    struct wire l = { 0 }, any = { 0 };
    if (time) wire_fixed64(&l, 1, time);
    if (observed) wire_fixed64(&l, 11, observed);
    if (body != NULL) {
        wire_text(&any, 1, body);
        wire_message(&l, 5, &any);
    }
    return l;
}

TEST(every_field_of_a_record)
{
    struct wire l = a_log(100, 200, "hello");
    const uint32_t flags = 1;
    wire_varint(&l, 2, 17);
    wire_text(&l, 3, "Error");
    put_text_attr(&l, 6, "k", "v");
    wire_varint(&l, 7, 2);
    wire_num(&l, 8 * 8 + 5), wire_raw(&l, &flags, 4);
    wire_bytes(&l, 9, "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c", 16);
    wire_bytes(&l, 10, "\xb7\xad\x6b\x71\x69\x20\x33\x31", 8);
    wire_text(&l, 12, "gen_ai.evaluation.result");
    EXPECT_STR(decoded(&l, 1),
               "log 100 observed=200 sev=17 sevtext=Error event=gen_ai.evaluation.result \"hello\""
               " trace=0af7651916cd43dd8448eb211c80319c span=b7ad6b7169203331 flags=1 dropped=2"
               " attrs{k=\"v\"}" SCOPE);
}

TEST(time_is_its_own_else_observed_else_now)
{
    struct wire l[3] = { a_log(5, 6, "a"), a_log(0, 6, "b"), a_log(0, 0, "c") };
    EXPECT_STR(decoded(l, 3), "log 5 observed=6 \"a\"" SCOPE "log 6 observed=6 \"b\"" SCOPE
                              "log 1700000000000000000 \"c\"" SCOPE);
}

TEST(severity_from_text_when_there_is_no_number)
{
    struct wire l[3] = { a_log(1, 0, NULL), a_log(2, 0, NULL), a_log(3, 0, NULL) };
    wire_text(&l[0], 3, "warning");
    wire_text(&l[1], 3, "loud");
    wire_varint(&l[2], 2, 99);
    EXPECT_STR(decoded(l, 3), "log 1 sev=13 sevtext=warning" SCOPE "log 2 sevtext=loud" SCOPE "log 3" SCOPE);
}

TEST(event_name_from_the_attribute_and_ids_that_are_none)
{
    struct wire l = a_log(1, 0, NULL);
    put_text_attr(&l, 6, "event.name", "login");
    wire_bytes(&l, 9, "short", 5);
    wire_bytes(&l, 10, "\0\0\0\0\0\0\0\0", 8);
    EXPECT_STR(decoded(&l, 1), "log 1 event=login attrs{event.name=\"login\"}" SCOPE);
    EXPECT_STR(lines_fault(&lines, 0),
               "resource_logs[0].scope_logs[0].log_records[0]: trace id of 5 bytes left out");
    EXPECT_INT(lines.report.accepted, 1);
}

TEST(bodies_that_are_not_text)
{
    struct wire l[3] = { a_log(1, 0, NULL), a_log(2, 0, NULL), a_log(3, 0, NULL) }, any = { 0 }, list = { 0 };
    wire_varint(&any, 3, 42), wire_message(&l[0], 5, &any);
    put_text_attr(&list, 1, "k", "v"), wire_message(&any, 6, &list), wire_message(&l[1], 5, &any);
    wire_bytes(&any, 7, "\xab\x00", 2), wire_message(&l[2], 5, &any);
    EXPECT_STR(decoded(l, 3), "log 1 42" SCOPE "log 2 {\"k\":\"v\"}" SCOPE "log 3 \"ab00\"" SCOPE);
}

TEST(json_as_the_specification_and_as_others_have_it)
{
    EXPECT_STR(
        lines_decode(
            &lines, otlp_logs_json, TABLE_LOGS,
            STR("{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
                "{\"stringValue\":\"s\"}}]},\"scopeLogs\":[{\"scope\":{\"name\":\"l\"},\"logRecords\":["
                "{\"timeUnixNano\":\"1544712660300000000\",\"observedTimeUnixNano\":\"1544712660300000001\","
                "\"severityNumber\":10,\"severityText\":\"Information\",\"traceId\":"
                "\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\",\"body\":"
                "{\"stringValue\":\"Example\"},\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"10\"}"
                "}],"
                "\"eventName\":\"e\",\"flags\":1},"
                "{\"time_unix_nano\":7,\"severity_number\":\"SEVERITY_NUMBER_ERROR\",\"body\":\"bare\"},"
                "{\"timeUnixNano\":8,\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":"
                "{\"arrayValue\":{\"values\":[]}}}]}}}]}]}]}")),
        "log 1544712660300000000 observed=1544712660300000001 sev=10 sevtext=Information event=e \"Example\""
        " trace=5b8efff798038103d269b633813fc60c span=eee19b7ec3c1b174 flags=1 attrs{n=10i}"
        " resource{service.name=\"s\"} scope=l\n"
        "log 7 sev=17 \"bare\" resource{service.name=\"s\"} scope=l\n"
        "log 8 {\"a\":[]} resource{service.name=\"s\"} scope=l\n");
}

TEST(severities_both_ways)
{
    EXPECT_INT(severity_of(STR("ERROR")), 17);
    EXPECT_INT(severity_of(STR("Critical")), 18);
    EXPECT_INT(severity_of(STR("fatal4")), 24);
    EXPECT_INT(severity_of(STR("SEVERITY_NUMBER_INFO2")), 10);
    EXPECT_INT(severity_of(STR("")), 0);
    EXPECT_INT(severity_of(STR("nonsense")), 0);
    EXPECT_STR(severity_name(1), "TRACE");
    EXPECT_STR(severity_name(16), "WARN4");
    EXPECT_STR(severity_name(24), "FATAL4");
    EXPECT_STR(severity_name(25), "");
    EXPECT_STR(severity_level(0), "unknown");
    EXPECT_STR(severity_level(4), "trace");
    EXPECT_STR(severity_level(9), "info");
    EXPECT_STR(severity_level(18), "critical");
    EXPECT_STR(severity_level(20), "error");
    EXPECT_INT(severity_of_syslog(0), 21); /* emergency */
    EXPECT_INT(severity_of_syslog(3), 17);
    EXPECT_INT(severity_of_syslog(7), 5);
    EXPECT_INT(severity_of_pino(50), 17);
    EXPECT_INT(severity_of_pino(35), 0);
}

/* Two bytes in protobuf each, and nothing in them: of 400 000 in 800 kB what RECORDS_FREE and the bytes allow
 * is kept, and the account is of all. */
TEST(records_without_content_are_kept_as_far_as_the_body_goes)
{
    enum { N = 400000 };
    struct records out;
    struct record_report report = { 0 };
    struct record_options options = { .now_ns = LINES_NOW };
    struct arena a = ARENA_INIT(1u << 30);
    struct err e = ERR_INIT;
    struct wire request = { 0 }, resource_logs = { 0 }, scope_logs = { 0 };
    for (int i = 0; i < N; i++) wire_message(&scope_logs, 2, &(struct wire){ 0 });
    wire_message(&resource_logs, 2, &scope_logs);
    wire_message(&request, 1, &resource_logs);

    const struct str body = wire_str(&request);
    const uint64_t most = RECORDS_FREE + body.n / RECORD_BODY_MIN;
    records_init(&out, &a, TABLE_LOGS);
    EXPECT(otlp_logs_proto(body, &options, &out, &report, &e) == OK);
    EXPECT(report.accepted == most && most < 100000);
    EXPECT(report.rejected[REJECT_record_count] == N - most);
    EXPECT(report.rejected_total == N - most && report.n_first == RECORD_FAULTS_MAX);
    EXPECT_STR(report.first[0].text + strlen(report.first[0].text) - 5, "82768");
    wire_free(&request);
    arena_release(&a);
}

TESTS(CASE(records_without_content_are_kept_as_far_as_the_body_goes), CASE(every_field_of_a_record),
      CASE(time_is_its_own_else_observed_else_now), CASE(severity_from_text_when_there_is_no_number),
      CASE(event_name_from_the_attribute_and_ids_that_are_none), CASE(bodies_that_are_not_text),
      CASE(json_as_the_specification_and_as_others_have_it), CASE(severities_both_ways))
