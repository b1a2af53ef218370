/* Zipkin v2 spans; expectations from Zipkin's OpenAPI description and the rules in zipkin.h. */
#include "decode/zipkin.h"
#include "unit/decode/record_lines.h"

static struct lines lines;

static const char *decoded(const char *json)
{
    return lines_decode(&lines, zipkin_json, TABLE_SPANS, str_of(json));
}

/* The example of Zipkin's own documentation, shortened. */
TEST(a_span_with_everything)
{
    EXPECT_STR(
        decoded("[{\"id\":\"352bff9a74ca9ad2\",\"traceId\":\"5af7183fb1d4cf5f\",\"parentId\":"
                "\"6b221d5bc9e6496c\","
                "\"name\":\"get /api\",\"timestamp\":1556604172355737,\"duration\":1431,\"kind\":\"SERVER\","
                "\"localEndpoint\":{\"serviceName\":\"backend\",\"ipv4\":\"192.168.99.1\",\"port\":3306},"
                "\"remoteEndpoint\":{\"serviceName\":\"web\",\"ipv4\":\"172.19.0.2\",\"port\":58648},"
                "\"annotations\":[{\"timestamp\":1556604172355800,\"value\":\"sent\"}],"
                "\"tags\":{\"http.method\":\"GET\",\"http.path\":\"/api\"}}]"),
        "span 00000000000000005af7183fb1d4cf5f/352bff9a74ca9ad2 parent=6b221d5bc9e6496c \"get /api\" server"
        " 1556604172355737000+1431000 events=[{\"name\":\"sent\",\"time_ns\":\"1556604172355800000\"}]"
        " attrs{network.local.address=\"192.168.99.1\",network.local.port=3306i,"
        "network.peer.address=\"172.19.0.2\",network.peer.port=58648i,peer.service=\"web\","
        "http.method=\"GET\",http.path=\"/api\"} resource{service.name=\"backend\"}\n");
}

#define IDS  "\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"id\":\"b7ad6b7169203331\""
#define HEAD "span 0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331 "

TEST(errors_and_what_opentelemetry_puts_in_tags)
{
    EXPECT_STR(
        decoded("[{" IDS ",\"timestamp\":5,\"duration\":1,\"tags\":{\"error\":\"timeout\"}},"
                "{" IDS ",\"timestamp\":5,\"duration\":1,\"tags\":{\"error\":\"\"}},"
                "{" IDS ",\"timestamp\":5,\"duration\":1,\"tags\":{\"error\":\"false\"}},"
                "{" IDS ",\"timestamp\":5,\"duration\":1,\"tags\":{\"otel.status_code\":\"OK\","
                "\"otel.scope.name\":\"lib\",\"otel.scope.version\":\"2\"}},"
                "{" IDS
                ",\"timestamp\":5,\"duration\":1,\"tags\":{\"otel.status_code\":\"ERROR\",\"error\":\"boom\","
                "\"otel.status_description\":\"boom\"}}]"),
        HEAD "\"\" internal 5000+1000 error message=timeout attrs{error=\"timeout\"}\n" HEAD
             "\"\" internal 5000+1000 error attrs{error=\"\"}\n" HEAD
             "\"\" internal 5000+1000 attrs{error=\"false\"}\n" HEAD
             "\"\" internal 5000+1000 ok scope=lib version=2\n" HEAD
             "\"\" internal 5000+1000 error message=boom attrs{error=\"boom\"}\n");
}

TEST(shared_unfinished_and_without_a_timestamp)
{
    EXPECT_STR(
        decoded("[{" IDS ",\"timestamp\":\"7\",\"shared\":true,\"kind\":\"SERVER\"},"
                "{" IDS
                ",\"annotations\":[{\"timestamp\":9,\"value\":\"b\"},{\"timestamp\":8,\"value\":\"a\"}]},"
                "{" IDS "}]"),
        HEAD "\"\" server 7000 unfinished attrs{zipkin.shared=true}\n" HEAD
             "\"\" internal 8000 unfinished events=[{\"name\":\"b\",\"time_ns\":\"9000\"},{\"name\":\"a\","
             "\"time_ns\":\"8000\"}]\n");
    EXPECT_INT(lines.report.rejected[REJECT_record_time], 1);
    EXPECT_STR(lines_fault(&lines, 0), "spans[2]: no timestamp, or it is out of range");
}

TEST(one_bad_span_never_costs_the_others)
{
    EXPECT_STR(
        decoded(
            "[{\"traceId\":\"0\",\"id\":\"1\",\"timestamp\":1},{\"traceId\":\"xyz\",\"id\":\"1\","
            "\"timestamp\":1},7,"
            "{" IDS
            ",\"timestamp\":1,\"tags\":[]},{\"traceId\":\"1\",\"id\":\"2\",\"timestamp\":1,\"duration\":2}]"),
        "span 00000000000000000000000000000001/0000000000000002 \"\" internal 1000+2000\n");
    EXPECT_INT(lines.report.rejected[REJECT_record_id], 2);
    EXPECT_INT(lines.report.rejected[REJECT_record_field], 2);
    EXPECT_STR(decoded("{}"), "parse: line 1, column 1: expected an array");
    EXPECT_STR(decoded("[]"), "");
}

TEST(services_take_turns)
{
    EXPECT_STR(decoded("[{" IDS ",\"timestamp\":1,\"localEndpoint\":{\"serviceName\":\"a\"}},"
                       "{" IDS ",\"timestamp\":2,\"localEndpoint\":{\"serviceName\":\"b\"}},"
                       "{" IDS ",\"timestamp\":3,\"localEndpoint\":{\"serviceName\":\"a\"}},{" IDS
                       ",\"timestamp\":4}]"),
               HEAD "\"\" internal 1000 unfinished resource{service.name=\"a\"}\n" HEAD
                    "\"\" internal 2000 unfinished resource{service.name=\"b\"}\n" HEAD
                    "\"\" internal 3000 unfinished resource{service.name=\"a\"}\n" HEAD
                    "\"\" internal 4000 unfinished\n");
}

TESTS(CASE(a_span_with_everything), CASE(errors_and_what_opentelemetry_puts_in_tags),
      CASE(shared_unfinished_and_without_a_timestamp), CASE(one_bad_span_never_costs_the_others),
      CASE(services_take_turns))
