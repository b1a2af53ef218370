/* JSON log entries; the fields are those of the feature list: service, timestamp, task id, severity, message,
 * payload. */
#include "decode/log_json.h"
#include "unit/decode/record_lines.h"

static struct lines lines;

static const char *decoded(const char *text)
{
    return lines_decode(&lines, log_json, TABLE_LOGS, str_of(text));
}

TEST(the_standard_fields)
{
    EXPECT_STR(
        decoded("{\"service\":{\"name\":\"kgot\",\"type\":\"kgot\"},\"timestamp\":\"2024-05-01T12:00:00.5Z\","
                "\"task_id\":\"t-1\",\"severity\":\"CRITICAL\",\"message\":\"hello\","
                "\"payload\":{\"a\":1,\"b\":{\"c\":[true]}},\"correlation_id\":\"c\\u00011\","
                "\"kgot_snapshot\":{\"graph_id\":\"g\",\"node_count\":3,\"confidence_scores\":{\"x\":0.5}},"
                "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"span_id\":\"b7ad6b7169203331\","
                "\"extra\":false}"),
        "log 1714564800500000000 sev=18 sevtext=CRITICAL \"hello\" trace=0af7651916cd43dd8448eb211c80319c"
        " span=b7ad6b7169203331 attrs{task_id=\"t-1\",payload.a=1i,payload.b={\"c\":[true]},"
        "correlation_id=\"c1\",kgot_snapshot.graph_id=\"g\",kgot_snapshot.node_count=3i,"
        "kgot_snapshot.confidence_scores={\"x\":0.5},extra=false}"
        " resource{service.name=\"kgot\",service.type=\"kgot\"}\n");
}

TEST(other_names_for_the_same)
{
    EXPECT_STR(
        decoded(
            "{\"service.name\":\"s\",\"ts\":1714564800,\"level\":30,\"msg\":\"m\",\"taskId\":7,"
            "\"attributes\":{\"k\":\"v\"},\"resource\":{\"host\":{\"name\":\"h\"}},\"event_name\":\"e\"}"),
        "log 1714564800000000000 sev=9 event=e \"m\" attrs{task_id=\"7\",k=\"v\"}"
        " resource{host.name=\"h\",service.name=\"s\"}\n");
    EXPECT_STR(decoded("{\"service_name\":\"s\",\"time\":1714564800123,\"severity\":17,\"body\":{\"x\":1}}"),
               "log 1714564800123000000 sev=17 {\"x\":1} resource{service.name=\"s\"}\n");
}

TEST(without_a_time_it_is_now)
{
    EXPECT_STR(decoded("{\"service\":\"s\",\"message\":\"m\"}"),
               "log 1700000000000000000 \"m\" resource{service.name=\"s\"}\n");
}

TEST(lines_arrays_and_objects_over_several_lines)
{
    const char *want = "log 1000000000 \"a\" resource{service.name=\"s\"}\nlog 2000000000 \"b\" "
                       "resource{service.name=\"s\"}\n";
    EXPECT_STR(
        decoded(
            "{\"service\":\"s\",\"ts\":1,\"msg\":\"a\"}\n\r\n{\"service\":\"s\",\"ts\":2,\"msg\":\"b\"}\n"),
        want);
    EXPECT_STR(
        decoded("[{\"service\":\"s\",\"ts\":1,\"msg\":\"a\"},\n{\"service\":\"s\",\"ts\":2,\"msg\":\"b\"}]"),
        want);
    EXPECT_STR(
        decoded(
            "{\"service\":\"s\",\n\"ts\":1,\"msg\":\"a\"}{\"service\":\"s\",\n \"ts\":2,\n\"msg\":\"b\"}"),
        want);
    EXPECT_STR(decoded(""), "");
    EXPECT_STR(decoded(" \n "), "");
}

TEST(wrong_lines_are_named_and_the_others_kept)
{
    EXPECT_STR(decoded("{\"service\":\"s\",\"ts\":1,\"msg\":\"a\"}\n"
                       "{\"msg\":\"no service\"}\n"
                       "\n"
                       "{\"service\":\"s\",\"ts\":\"yesterday\"}\n"
                       "not json\n"
                       "{\"service\":\"s\",\"ts\":2,\"severity\":[]}\n"
                       "{\"service\":\"s\",\"ts\":2,\"msg\":\"cut\n"
                       "[7]\n"
                       "{\"service\":\"s\",\"ts\":3,\"msg\":\"b\"}\n"),
               "log 1000000000 \"a\" resource{service.name=\"s\"}\nlog 3000000000 \"b\" "
               "resource{service.name=\"s\"}\n");
    EXPECT_STR(lines_fault(&lines, 0), "line 2: service.name missing");
    EXPECT_STR(lines_fault(&lines, 1), "line 4: ts: expected RFC 3339 or a number since 1970");
    EXPECT_STR(lines_fault(&lines, 2), "line 5: expected an object");
    EXPECT_STR(lines_fault(&lines, 3), "line 6: severity: expected a severity");
    EXPECT_STR(lines_fault(&lines, 4), "line 7: a control character in a string");
    EXPECT_STR(lines_fault(&lines, 5), "line 8: expected an object");
    EXPECT_INT(lines.report.rejected_total, 6);
    EXPECT_INT(lines.report.rejected[REJECT_record_time], 1);
}

TEST(an_array_that_breaks_off_keeps_what_came_before_and_once)
{
    EXPECT_STR(decoded("[{\"service\":\"s\",\"ts\":1,\"msg\":\"a\"},\n{\"service\":\"s\",\"ts\":2,\"msg\":"
                       "\"b\"},\n{\"ser"),
               "log 1000000000 \"a\" resource{service.name=\"s\"}\nlog 2000000000 \"b\" "
               "resource{service.name=\"s\"}\n");
    EXPECT_STR(lines_fault(&lines, 0), "line 3: the text ends too early");
    EXPECT_INT(lines.report.rejected_total, 1);
}

TEST(services_of_the_wrong_length)
{
    char text[400];
    char name[260];
    memset(name, 'x', 257);
    name[257] = 0;
    snprintf(text, sizeof text, "{\"service\":\"%s\"}", name);
    EXPECT_STR(decoded(text), "");
    EXPECT_STR(decoded("{\"service\":\"\"}"), "");
    EXPECT_STR(decoded("{\"service\":7}"), "");
    EXPECT_STR(lines_fault(&lines, 0), "line 1: service.name: expected text of 1 to 256 bytes");
}

/* Found by the fuzzer: the attribute lost its name. */
TEST(a_resource_without_a_name_stays_an_attribute)
{
    EXPECT_STR(decoded("{\"service\":\"s\",\"ts\":1,\"resource\":{\"\":1,\"a\":2}}"),
               "log 1000000000 attrs{resource.=1i} resource{a=2i,service.name=\"s\"}\n");
}

TESTS(CASE(a_resource_without_a_name_stays_an_attribute), CASE(the_standard_fields),
      CASE(other_names_for_the_same), CASE(without_a_time_it_is_now),
      CASE(lines_arrays_and_objects_over_several_lines), CASE(wrong_lines_are_named_and_the_others_kept),
      CASE(an_array_that_breaks_off_keeps_what_came_before_and_once), CASE(services_of_the_wrong_length))
