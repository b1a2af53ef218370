/* The doors for spans and logs over a socket: what each answers, and what is kept. Bodies of real clients are
 * those of tests/unit/decode/data. */
#include "receive/push_records.h"

#include <zlib.h>

#include "base/clock.h"
#include "receive/push_elastic.h"
#include "unit/receive/door.h"
#include "unit/receive/shelf.h"

#define NOW    1700000000000
#define JSON   "Content-Type: application/json\r\n"
#define PROTO  "Content-Type: application/x-protobuf\r\n"
#define THRIFT "Content-Type: application/x-thrift\r\n"

static struct shelf shelf;
static struct push_records doors;
static struct push_elastic elastic;
static struct door door;

static int setup(void **state)
{
    (void)state;
    struct limit limit = LIMIT_DEFAULT;
    limit.body_bytes = 1 << 20;
    shelf_init(&shelf);
    push_records_init(&doors, &shelf.store, &limit);
    push_elastic_init(&elastic, &shelf.store, &limit);
    door.server = http_server_new();
    struct http_conf conf = { .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2 };
    http_server_routes(door.server, push_records_routes, push_records_n_routes, &doors);
    http_server_routes(door.server, push_elastic_routes, push_elastic_n_routes, &elastic);
    if (http_server_start(door.server, &conf, NULL) < 0) return -1;
    door.port = http_server_port(door.server, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    door_close(&door);
    shelf_release(&shelf);
    clock_fix_ms(0);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    shelf_clear(&shelf);
    clock_fix_ms(NOW);
    return 0;
}

static void expect(const char *method, const char *path, const char *headers, struct str body, int status,
                   const char *text)
{
    struct reply r = door_ask(&door, method, path, headers, body);
    if (r.status != status || !reply_has(&r, text))
        fail_msg("%s: wanted %d with \"%s\", got:\n%s", path, status, text, r.text);
    free(r.text);
}

/* As a real client sent it, some time in 2026. */
static void post_file(const char *path, const char *headers, const char *name, int status)
{
    char file[128];
    snprintf(file, sizeof file, "tests/unit/decode/data/%s", name);
    struct str body = lines_file(file);
    if (body.p == NULL) fail_msg("%s is not here: run from the root of the project", file);
    clock_fix_ms(1900000000000);
    expect("POST", path, headers, body, status, "");
    free((void *)body.p);
}

/* ---- Zipkin, Jaeger ---- */

static const char zipkin[] = "[{\"traceId\":\"1234567890abcdef\",\"id\":\"1\",\"name\":\"get\",\"timestamp\":"
                             "1700000000000000,\"duration\":5,\"localEndpoint\":{\"serviceName\":\"shop\"}}]";

TEST(zipkin_spans_are_accepted_on_both_paths)
{
    expect("POST", "/api/v2/spans", JSON, STR(zipkin), 202, "");
    expect("POST", "/zipkin/api/v2/spans", "", STR(zipkin), 202, "");
    EXPECT_INT(shelf.spans, 2);
    shelf_expect(&shelf, "span 00000000000000001234567890abcdef/0000000000000001 \"get\" internal "
                         "1700000000000000000+5000 resource{service.name=\"shop\"}");
    post_file("/api/v2/spans", JSON, "zipkin_js.json", 202);
    EXPECT(shelf.spans > 2);
}

TEST(a_bad_span_does_not_take_the_others_with_it)
{
    expect("POST", "/api/v2/spans", JSON,
           STR("[{\"traceId\":\"0\",\"id\":\"1\",\"timestamp\":1700000000000000},"
               "{\"traceId\":\"2\",\"id\":\"2\",\"timestamp\":1700000000000000}]"),
           202, "1 refused");
    EXPECT_INT(shelf.spans, 1);
    expect("POST", "/api/v2/spans", JSON, STR("[{"), 400, "line 1");
    expect("POST", "/api/v2/spans", "Content-Type: application/x-thrift\r\n", STR("x"), 415,
           "application/json");
    EXPECT_INT(shelf.spans, 1);
}

TEST(jaeger_batches_of_real_clients_are_accepted)
{
    post_file("/api/traces?format=jaeger.thrift", THRIFT, "jaeger_client.thrift", 202);
    EXPECT(shelf.spans > 0);
    size_t n = shelf.spans;
    post_file("/jaeger/api/traces", "Content-Type: application/vnd.apache.thrift.binary\r\n",
              "otel_jaeger.thrift", 202);
    EXPECT(shelf.spans > n);
    expect("POST", "/api/traces", JSON, STR("{}"), 415, "application/x-thrift");
    expect("POST", "/api/traces", THRIFT, STR("\x80\x01"), 400, "");
}

/* ---- Loki ---- */

static const char loki[] = "{\"streams\":[{\"stream\":{\"app\":\"x\"},\"values\":[[\"1700000000000000000\","
                           "\"hello\",{\"user\":\"7\"}]]}]}";

TEST(loki_takes_json_and_snappy_with_or_without_its_header)
{
    expect("POST", "/loki/api/v1/push", JSON, STR(loki), 204, "");
    expect("POST", "/loki-api/loki/api/v1/push", JSON, STR(loki), 204, "");
    shelf_expect(
        &shelf, "log 1700000000000000000 \"hello\" attrs{user=\"7\"} resource{app=\"x\",service.name=\"x\"}");
    size_t n = shelf.logs;
    post_file("/loki/api/v1/push", PROTO, "winston_loki.pb.snappy", 204);
    EXPECT(shelf.logs > n);
    n = shelf.logs;
    post_file("/loki/api/v1/push", PROTO "Content-Encoding: snappy\r\n", "winston_loki.pb.snappy", 204);
    EXPECT(shelf.logs > n);
    n = shelf.logs;
    post_file("/loki/api/v1/push", JSON, "pino_loki.json", 204);
    EXPECT(shelf.logs > n);
}

TEST(loki_senders_hear_of_refused_entries)
{
    expect("POST", "/loki/api/v1/push", JSON,
           STR("{\"streams\":[{\"stream\":{\"app\":\"x\"},\"values\":[[\"zzz\",\"lost\"],"
               "[\"1700000000000000000\",\"kept\"]]}]}"),
           400, "1 refused");
    EXPECT_INT(shelf.logs, 1);
    expect("POST", "/loki/api/v1/push", JSON, STR("{\"streams\":7}"), 400, "");
    expect("POST", "/loki/api/v1/push", "Content-Type: text/csv\r\n", STR("x"), 415, "application/json");
}

/* ---- JSON lines ---- */

TEST(json_lines_are_kept_and_errors_name_theirs)
{
    expect("POST", "/api/v1/logs", "", STR("{\"service\":\"a\",\"message\":\"one\"}\n"), 200,
           "{\"accepted\":1,\"rejected\":0");
    expect("POST", "/api/v1/logs", JSON,
           STR("{\"service\":\"a\",\"message\":\"two\"}\n{\"message\":\"none\"}\n\nnonsense\n"
               "{\"service\":\"a\",\"message\":\"three\"}"),
           207, "{\"accepted\":2,\"rejected\":2");
    expect("POST", "/api/v1/logs", JSON, STR("{\"message\":\"none\"}"), 400,
           "{\"line\":1,\"error\":\"line 1: service.name missing\",\"kept\":false}");
    EXPECT_INT(shelf.logs, 3);
    shelf_expect(&shelf, "log 1700000000000000000 \"three\" resource{service.name=\"a\"}");
}

TEST(packed_lines_are_unpacked)
{
    static const char line[] = "{\"service\":\"a\",\"message\":\"packed\"}";
    unsigned char packed[256];
    z_stream z = { .next_in = (unsigned char *)line,
                   .avail_in = sizeof line - 1,
                   .next_out = packed,
                   .avail_out = sizeof packed };
    EXPECT(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    EXPECT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    expect("POST", "/api/v1/logs", "Content-Encoding: gzip\r\n", str_make(packed, z.total_out), 200, "1");
    deflateEnd(&z);
    shelf_expect(&shelf, "\"packed\"");
}

/* A line that does not say when is another one when it comes again; one that does is a repetition. */
TEST(only_what_says_when_is_known_again)
{
    expect("POST", "/api/v1/logs", "", STR("{\"service\":\"a\",\"message\":\"tick\"}"), 200, "");
    EXPECT(shelf.last_id.lo == 0 && shelf.last_id.hi == 0);
    expect("POST", "/api/v1/logs", "", STR("{\"service\":\"a\",\"message\":\"tick\",\"time\":1699999999}"),
           200, "");
    EXPECT(shelf.last_id.lo != 0);
}

TEST(times_far_ahead_are_refused_and_counted)
{
    expect("POST", "/api/v1/logs", "",
           STR("{\"service\":\"a\",\"time\":1700000700}\n{\"service\":\"a\",\"time\":1700000500}"), 207,
           "{\"line\":1,\"error\":\"line 1: time stamp too far in the future\",\"kept\":false}");
    EXPECT_INT(shelf.logs, 1);
    expect("POST", "/elastic/_bulk", JSON,
           STR("{\"create\":{}}\n{\"message\":\"x\",\"@timestamp\":1700000700000}\n"
               "{\"create\":{}}\n{\"message\":\"x\"}\n"),
           200,
           "\"items\":[{\"create\":{\"_index\":\"\",\"status\":400,\"error\":{\"type\":"
           "\"document_parsing_exception\",\"reason\":\"time stamp too far in the future\"}}},"
           "{\"create\":{\"_index\":\"\",\"status\":201");
    EXPECT_INT(shelf.logs, 2);
}

TEST(a_store_in_trouble_is_said)
{
    static const struct {
        int rc, status;
    } cases[] = { { ERR_BUSY, 429 }, { ERR_FULL, 507 }, { ERR_IO, 500 } };
    for (size_t i = 0; i < 3; i++) {
        shelf.refuse_with = cases[i].rc;
        expect("POST", "/loki/api/v1/push", JSON, STR(loki), cases[i].status, "the shelf refuses");
        expect("POST", "/api/v2/spans", JSON, STR(zipkin), cases[i].status, "the shelf refuses");
        expect("POST", "/elastic/_bulk", JSON, STR("{\"create\":{}}\n{\"message\":\"x\"}\n"), cases[i].status,
               "the shelf refuses");
        shelf.refuse_with = 0;
        shelf.late_rc = cases[i].rc;
        expect("POST", "/loki/api/v1/push", JSON, STR(loki), cases[i].status, "could not be written");
        shelf.late_rc = 0;
    }
}

/* ---- Elasticsearch ---- */

TEST(bulk_answers_item_by_item)
{
    static const char body[] = "{\"create\":{\"_index\":\"web\"}}\n"
                               "{\"@timestamp\":\"2023-11-14T22:13:20Z\",\"message\":\"one\"}\n"
                               "{\"index\":{\"_id\":\"7\"}}\n{\"message\":\"two\"}\n"
                               "{\"delete\":{\"_id\":\"7\"}}\n";
    struct reply r =
        door_ask(&door, "POST", "/elastic/app/_bulk", "Content-Type: application/x-ndjson\r\n", STR(body));
    EXPECT_INT(r.status, 200);
    EXPECT(reply_has(&r, "X-Elastic-Product: Elasticsearch"));
    EXPECT(strstr(r.body, "\"errors\":true") != NULL);
    EXPECT(strstr(r.body, "{\"create\":{\"_index\":\"web\",\"status\":201") != NULL);
    EXPECT(strstr(r.body, "{\"index\":{\"_index\":\"app\",\"_id\":\"7\",\"status\":201") != NULL);
    EXPECT(strstr(r.body, "{\"delete\":{\"_index\":\"app\",\"_id\":\"7\",\"status\":400") != NULL);
    free(r.text);
    shelf_expect(&shelf, "log 1700000000000000000 \"one\" resource{service.name=\"web\"}");
    shelf_expect(&shelf, "\"two\" resource{service.name=\"app\"}");
    expect("POST", "/elastic/_bulk", JSON, STR("nonsense\n"), 400, "illegal_argument_exception");
    expect("PUT", "/elastic/_bulk", JSON, STR("{\"create\":{}}\n{\"message\":\"x\"}\n"), 200,
           "\"errors\":false");
}

TEST(clients_of_elasticsearch_are_greeted)
{
    static const char *const paths[] = { "/elastic",
                                         "/elastic/",
                                         "/elastic/_cluster/health",
                                         "/elastic/_license",
                                         "/elastic/_xpack",
                                         "/elastic/_cat/health",
                                         "/elastic/_index_template/logs",
                                         "/elastic/logs" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        expect("GET", paths[i], "", STR(""), 200, "X-Elastic-Product: Elasticsearch");
    expect("GET", "/elastic/", "", STR(""), 200, "\"tagline\"");
    expect("HEAD", "/elastic/", "", STR(""), 200, "X-Elastic-Product");
    expect("PUT", "/elastic/_index_template/logs", JSON, STR("{}"), 200, "\"acknowledged\":true");
    expect("PUT", "/elastic/_ilm/policy/filebeat", JSON, STR("{}"), 200, "\"acknowledged\":true");
}

/* ---- everyone ---- */

static const struct {
    const char *path, *headers;
} all[] = { { "/api/v2/spans", JSON },      { "/api/traces", THRIFT }, { "/loki/api/v1/push", JSON },
            { "/loki/api/v1/push", PROTO }, { "/api/v1/logs", JSON },  { "/elastic/_bulk", JSON } };

TEST(too_much_is_413_and_codings_unknown_are_415_everywhere)
{
    static char much[(1 << 20) + 1];
    memset(much, ' ', sizeof much);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char headers[160];
        if (i != 3) expect("POST", all[i].path, all[i].headers, str_make(much, sizeof much), 413, "");
        snprintf(headers, sizeof headers, "%sContent-Encoding: br\r\n", all[i].headers);
        expect("POST", all[i].path, headers, STR("x"), 415, "");
    }
    EXPECT_INT(shelf.writes, 0);
}

/* Arrays in arrays: refused, or kept as far as it goes; the server answers the next request. */
TEST(bombs_do_not_go_off)
{
    static char deep[200001];
    for (size_t i = 0; i < 100000; i++) deep[i] = '[', deep[100000 + i] = ']';
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct reply r = door_ask(&door, "POST", all[i].path, all[i].headers, str_make(deep, 200000));
        EXPECT(r.status >= 200 && r.status < 500);
        free(r.text);
    }
    expect("POST", "/loki/api/v1/push", JSON, STR(loki), 204, "");
}

#define EACH(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(zipkin_spans_are_accepted_on_both_paths),
        EACH(a_bad_span_does_not_take_the_others_with_it),
        EACH(jaeger_batches_of_real_clients_are_accepted),
        EACH(loki_takes_json_and_snappy_with_or_without_its_header),
        EACH(loki_senders_hear_of_refused_entries),
        EACH(json_lines_are_kept_and_errors_name_theirs),
        EACH(packed_lines_are_unpacked),
        EACH(only_what_says_when_is_known_again),
        EACH(times_far_ahead_are_refused_and_counted),
        EACH(a_store_in_trouble_is_said),
        EACH(bulk_answers_item_by_item),
        EACH(clients_of_elasticsearch_are_greeted),
        EACH(too_much_is_413_and_codings_unknown_are_415_everywhere),
        EACH(bombs_do_not_go_off),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
