/* OTLP metrics in JSON: the same rows as from protobuf, by a reader of its own. Expectations as in
 * otlp_proto_test.c. */
#include "unit/decode/otlp_rows.h"

static struct rows rows = ROWS_INIT;

static const char *decoded(const char *json)
{
    rows.options = (struct otlp_options){ .no_scope_labels = true };
    return rows_decode(&rows, otlp_metrics_json, str_of(json));
}

#define METRIC(m) "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[" m "]}]}]}"
#define TIMES     "\"startTimeUnixNano\":\"1699999940000000000\",\"timeUnixNano\":\"1700000000000000000\""
#define AT        " @1700000000000 start=1699999940000\n"

TEST(empty_requests)
{
    EXPECT_STR(decoded("{}"), "");
    EXPECT_STR(decoded("{\"resourceMetrics\":null}"), "");
    EXPECT_STR(decoded("{\"resourceMetrics\":[]}"), "");
    EXPECT_STR(decoded(METRIC("")), "");
    EXPECT_INT(rows.rc, OK);
}

TEST(numbers_as_numbers_or_strings)
{
    EXPECT_STR(decoded(METRIC("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" TIMES ",\"asInt\":\"12\"}]}}")),
               "g 12 @1700000000000\n");
    EXPECT_STR(decoded(METRIC("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":"
                              "1700000000000000000,\"asInt\":-12}]}}")),
               "g -12 @1700000000000\n");
    EXPECT_STR(
        decoded(METRIC("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" TIMES ",\"asDouble\":\"NaN\"}]}}")),
        "g NaN @1700000000000\n");
    EXPECT_STR(decoded(METRIC("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" TIMES
                              ",\"asDouble\":\"-Infinity\"}]}}")),
               "g -Inf @1700000000000\n");
    EXPECT_STR(
        decoded(METRIC("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" TIMES ",\"asDouble\":1.5e3}]}}")),
        "g 1500 @1700000000000\n");
}

TEST(enums_by_number_and_by_name_and_keys_in_any_order)
{
    const char *want = "jobs_total{k=\"v\"} 3" AT;
    EXPECT_STR(decoded(METRIC("{\"name\":\"jobs\",\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,"
                              "\"dataPoints\":[{\"attributes\":[{\"key\":\"k\","
                              "\"value\":{\"stringValue\":\"v\"}}]," TIMES ",\"asInt\":\"3\"}]}}")),
               want);
    EXPECT_STR(decoded(METRIC("{\"sum\":{\"dataPoints\":[{\"asInt\":\"3\"," TIMES
                              ",\"attributes\":[{\"value\":{\"stringValue\":\"v\"},\"key\":\"k\"}],"
                              "\"later\":{\"x\":[1]}}],\"isMonotonic\":true,\"aggregationTemporality\":"
                              "\"AGGREGATION_TEMPORALITY_CUMULATIVE\"},"
                              "\"unit\":null,\"name\":\"jobs\"}")),
               want);
}

TEST(histograms_of_both_kinds)
{
    EXPECT_STR(
        decoded(METRIC("{\"name\":\"wait\",\"unit\":\"s\",\"histogram\":{\"aggregationTemporality\":2,"
                       "\"dataPoints\":[{" TIMES ",\"count\":\"6\",\"sum\":12.5,\"bucketCounts\":[\"1\",2,"
                       "\"3\"],\"explicitBounds\":[0.1,5],\"min\":0,\"max\":9,"
                       "\"exemplars\":[{\"asDouble\":1,\"timeUnixNano\":\"1700000000000000000\",\"traceId\":"
                       "\"ABCDEF0123456789abcdef0123456789\","
                       "\"spanId\":\"0000000000000000\"}]}]}}")),
        "wait_seconds_bucket{le=\"0.1\"} 1" AT "wait_seconds_bucket{le=\"5\"} 3" AT
        "  # {trace_id=\"abcdef0123456789abcdef0123456789\"} 1 @1700000000000\n"
        "wait_seconds_bucket{le=\"+Inf\"} 6" AT "wait_seconds_sum 12.5" AT "wait_seconds_count 6" AT);
    EXPECT_STR(
        decoded(METRIC(
            "{\"name\":\"lat\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" TIMES
            ",\"count\":\"11\",\"sum\":2.5,\"scale\":1,\"zeroCount\":\"4\",\"zeroThreshold\":0.25,"
            "\"positive\":{\"offset\":-2,"
            "\"bucketCounts\":[\"1\",\"0\",\"0\",\"0\",\"2\",\"3\"]},\"negative\":{\"bucketCounts\":[1],"
            "\"offset\":5}}]}}")),
        "lat {schema 1 zero 4/0.25 count 11 sum 2.5 +-1:1 +3:2 +4:3 -6:1}" AT);
}

TEST(summaries_and_stale_points)
{
    EXPECT_STR(
        decoded(METRIC("{\"name\":\"rtt\",\"summary\":{\"dataPoints\":[{" TIMES
                       ",\"count\":9,\"sum\":4.5,\"quantileValues\":[{\"quantile\":0.99,\"value\":7}]}]}}")),
        "rtt_sum 4.5" AT "rtt_count 9" AT "rtt{quantile=\"0.99\"} 7" AT);
    EXPECT_STR(decoded(METRIC("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" TIMES ",\"flags\":1}]}}")),
               "g stale @1700000000000\n");
}

TEST(values_of_all_kinds_become_text)
{
    EXPECT_STR(
        decoded(METRIC("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" TIMES ",\"asInt\":1,\"attributes\":["
                       "{\"key\":\"b\",\"value\":{\"boolValue\":true}},{\"key\":\"i\",\"value\":{"
                       "\"intValue\":\"-9223372036854775808\"}},"
                       "{\"key\":\"d\",\"value\":{\"doubleValue\":2.5}},{\"key\":\"y\",\"value\":{"
                       "\"bytesValue\":\"_wABAg\"}},"
                       "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"q\\\"\"},{"
                       "\"intValue\":5},{}]}}},"
                       "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"value\":{\"boolValue\":"
                       "false},\"key\":\"k\"}]}}},"
                       "{\"key\":\"none\"}]}]}}")),
        "g{b=\"true\", d=\"2.5\", i=\"-9223372036854775808\", l=\"[\\\"q\\\\\\\"\\\",5,null]\", "
        "m=\"{\\\"k\\\":false}\", y=\"/wABAg==\"} 1 @1700000000000\n");
}

static const char with_resource[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{"
    "\"timeUnixNano\":\"1700000000000000000\",\"asInt\":1}]}}],"
    "\"schemaUrl\":\"http://"
    "s\",\"scope\":{\"name\":\"lib\",\"version\":\"1.2\",\"attributes\":[{\"key\":\"team.name\",\"value\":{"
    "\"stringValue\":\"t\"}}]}}],"
    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"api\"}},{\"key\":"
    "\"host.name\",\"value\":{\"stringValue\":\"h\"}}],"
    "\"droppedAttributesCount\":0}}]}";

TEST(resource_and_scope_may_follow_what_they_are_about)
{
    rows.options = (struct otlp_options){ .no_scope_labels = false };
    EXPECT_STR(rows_decode(&rows, otlp_metrics_json, STR(with_resource)),
               "g{job=\"api\", otel_scope_name=\"lib\", otel_scope_schema_url=\"http://s\", "
               "otel_scope_team_name=\"t\", otel_scope_version=\"1.2\"} 1 @1700000000000\n"
               "target_info{host_name=\"h\", job=\"api\"} 1 @1700000000000\n");
}

TEST(wrong_kinds_name_their_place)
{
    decoded(METRIC("{\"name\":7}"));
    EXPECT_INT(rows.rc, ERR_PARSE);
    EXPECT_STR(rows.err.text, "line 1, column 58: expected a string");
    decoded(METRIC("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"soon\"}]}}"));
    EXPECT_INT(rows.rc, ERR_PARSE);
    EXPECT(strstr(rows.err.text, "expected an unsigned integer") != NULL);
    decoded(METRIC("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"exemplars\":[{\"traceId\":\"xyz\"}]}]}}"));
    EXPECT_INT(rows.rc, ERR_PARSE);
    decoded("[]");
    EXPECT_INT(rows.rc, ERR_PARSE);
    decoded("");
    EXPECT_INT(rows.rc, ERR_PARSE);
    decoded("{} {}");
    EXPECT_INT(rows.rc, ERR_PARSE);
}

TEST(a_text_cut_off_anywhere_is_an_error)
{
    rows.options = (struct otlp_options){ .no_scope_labels = false };
    for (size_t n = 0; n + 1 < sizeof with_resource; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, with_resource, n);
        rows_decode(&rows, otlp_metrics_json, str_make(copy, n));
        EXPECT_INT(rows.rc, ERR_PARSE);
        free(copy);
    }
}

TEST(values_nested_without_end_are_an_error)
{
    static char text[20000];
    size_t n = (size_t)snprintf(
        text, sizeof text, "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":");
    for (int i = 0; i < 18; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "{\"arrayValue\":{\"values\":[");
    n += (size_t)snprintf(text + n, sizeof text - n, "{\"boolValue\":true}");
    for (int i = 0; i < 18; i++) n += (size_t)snprintf(text + n, sizeof text - n, "]}}");
    snprintf(text + n, sizeof text - n, "}]}}]}");
    decoded(text);
    EXPECT_INT(rows.rc, ERR_PARSE);
    EXPECT(strstr(rows.err.text, "nested too deeply") != NULL);
}

/* Found by the fuzzer: a list whose value breaks off after its key was written. */
TEST(a_broken_value_in_a_list_is_an_error)
{
    decoded("{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":{\"kvlistValue\":{"
            "\"values\":[{\"key\":\"x\",\"value\":{7}}]}}}]}}]}");
    EXPECT_INT(rows.rc, ERR_PARSE);
    decoded("{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"k\",\"value\":{\"kvlistValue\":{"
            "\"values\":[{\"key\":\"x\",\"value\":7}]}}}]}}]}");
    EXPECT_INT(rows.rc, ERR_PARSE);
}

TESTS(CASE(a_broken_value_in_a_list_is_an_error), CASE(empty_requests), CASE(numbers_as_numbers_or_strings),
      CASE(enums_by_number_and_by_name_and_keys_in_any_order), CASE(histograms_of_both_kinds),
      CASE(summaries_and_stale_points), CASE(values_of_all_kinds_become_text),
      CASE(resource_and_scope_may_follow_what_they_are_about), CASE(wrong_kinds_name_their_place),
      CASE(a_text_cut_off_anywhere_is_an_error), CASE(values_nested_without_end_are_an_error))
