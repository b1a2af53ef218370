/* The HTTP doors, over a socket and with a toy store. gRPC: tests/live/otlp_sdk_test.mjs, with the real SDK.
 */
#include "receive/push_otlp.h"

#include <zlib.h>
#include <zstd.h>

#include "base/clock.h"
#include "unit/decode/otlp_rows.h"
#include "unit/receive/door.h"
#include "unit/receive/fake_store.h"

#define NOW   1700000000000
#define PROTO "Content-Type: application/x-protobuf\r\n"
#define JSON  "Content-Type: application/json\r\n"

static struct fake_store store;
static struct push_otlp doors;
static struct door door;

static int setup(void **state)
{
    (void)state;
    struct limit limit = LIMIT_DEFAULT;
    limit.body_bytes = 1 << 20;
    limit.decode.rows = 1000;
    clock_fix_ms(NOW);
    fake_init(&store);
    push_otlp_init(&doors, &store.store, &limit, NULL);
    return door_open(&door, push_otlp_routes, push_otlp_n_routes, &doors) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    door_close(&door);
    push_otlp_release(&doors);
    fake_clear(&store);
    clock_fix_ms(0);
    return 0;
}

/* ---- bodies ---- */

/* A sum `jobs` of one point per value; delta or cumulative. */
static struct str sum(int temporality, const double *values, size_t n, int64_t ms)
{
    static struct enc point, data, metric, scope, resource, request;
    data.n = metric.n = scope.n = resource.n = request.n = 0;
    for (size_t i = 0; i < n; i++) {
        char key[24];
        point.n = 0;
        snprintf(key, sizeof key, "%zu", i);
        enc_attr(&point, 7, "no", key);
        enc_fixed(&point, 2, (uint64_t)(ms - 1000) * 1000000);
        enc_fixed(&point, 3, (uint64_t)ms * 1000000);
        enc_double(&point, 4, values[i]);
        enc_message(&data, 1, &point);
    }
    enc_varint(&data, 2, (uint64_t)temporality);
    enc_varint(&data, 3, 1);
    enc_text(&metric, 1, "jobs");
    enc_message(&metric, 7, &data);
    enc_message(&scope, 2, &metric);
    enc_message(&resource, 2, &scope);
    enc_message(&request, 1, &resource);
    return enc_str(&request);
}

static struct reply post(const char *path, const char *headers, struct str body)
{
    return door_ask(&door, "POST", path, headers, body);
}

static void expect(const char *path, const char *headers, struct str body, int status, const char *text)
{
    struct reply r = post(path, headers, body);
    if (r.status != status || !reply_has(&r, text))
        fail_msg("wanted %d with \"%s\", got:\n%s", status, text, r.text);
    free(r.text);
}

static const double one[] = { 5 };
static const char jobs_json[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"jobs\",\"sum\":{"
    "\"aggregationTemporality\":2,\"isMonotonic\":true,"
    "\"dataPoints\":[{\"asInt\":\"5\",\"timeUnixNano\":\"1700000000000000000\"}]}}]}]}]}";

/* ---- tests ---- */

TEST(success_is_empty_in_both_encodings)
{
    expect("/v1/metrics", PROTO, sum(2, one, 1, NOW), 200, "Content-Length: 0");
    EXPECT(fake_row(&store, "jobs_total{no=\"0\"}")->value == 5);
    EXPECT_INT(store.last_ack, ACK_DURABLE);
    struct reply r = post("/v1/metrics", "Content-Type: application/json; charset=utf-8\r\n", STR(jobs_json));
    EXPECT_INT(r.status, 200);
    EXPECT_STR(r.body, "{}");
    EXPECT(reply_has(&r, "Content-Type: application/json"));
    free(r.text);
    EXPECT(fake_row(&store, "jobs_total")->value == 5);
    fake_clear(&store);
}

TEST(an_empty_request_is_a_success)
{
    expect("/v1/metrics", PROTO, STR(""), 200, "Content-Type: application/x-protobuf");
    expect("/v1/metrics", JSON, STR("{}"), 200, "{}");
    EXPECT_INT(store.writes, 0);
}

TEST(all_paths_lead_here)
{
    expect("/otlp/v1/metrics", JSON, STR(jobs_json), 200, "{}");
    expect("/api/v1/otlp/v1/metrics", JSON, STR(jobs_json), 200, "{}");
    expect("/v1/traces", JSON, STR("{}"), 200, "{}");
    expect("/otlp/v1/traces", PROTO, STR(""), 200, "Content-Length: 0");
    expect("/v1/logs", PROTO, STR(""), 200, "Content-Length: 0");
    expect("/otlp/v1/logs", JSON, STR("{}"), 200, "{}");
    fake_clear(&store);
}

TEST(partial_success_counts_points_and_says_why)
{
    const double two[] = { 5, 6 };
    /* Ahead of our clock by more than ten minutes. */
    struct reply r = post("/v1/metrics", PROTO, sum(2, two, 2, NOW + 11 * 60 * 1000));
    EXPECT_INT(r.status, 200);
    /* ExportMetricsServiceResponse { 1 partial_success { 1: 2, 2: text } } */
    EXPECT(r.body[0] == 0x0a && r.body[2] == 0x08 && r.body[3] == 2 && r.body[4] == 0x12);
    EXPECT(strstr(r.body + 6, "metric \"jobs\"") != NULL && strstr(r.body + 6, "future") != NULL);
    free(r.text);
    EXPECT_INT(store.writes, 0);

    char bad[sizeof jobs_json];
    memcpy(bad, jobs_json, sizeof bad);
    memcpy(strstr(bad, "\"17"), "\"99", 3);
    expect("/v1/metrics", JSON, str_of(bad), 200,
           "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\",\"errorMessage\":\"");
}

/* ---- spans and logs ---- */

#define SPAN(id)                                                                                             \
    "{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"" id "\",\"name\":\"s\","                \
    "\"startTimeUnixNano\":\"1699999999000000000\",\"endTimeUnixNano\":\"1700000000000000000\"}"
#define SPANS(list) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" list "]}]}]}"
#define LOGS(list)  "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[" list "]}]}]}"

TEST(spans_and_logs_that_are_refused_are_counted_by_their_names)
{
    expect("/v1/traces", JSON, STR(SPANS(SPAN("eee19b7ec3c1b174"))), 200, "\r\n\r\n{}");
    expect("/v1/traces", JSON, STR(SPANS(SPAN("eee19b7ec3c1b174") "," SPAN("0000000000000000"))), 200,
           "{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":\"1 refused");
    expect("/v1/logs", JSON, STR(LOGS("{\"body\":{\"stringValue\":\"x\"}}")), 200, "\r\n\r\n{}");
    expect("/v1/logs", JSON, STR(LOGS("{\"timeUnixNano\":\"1700000601000000000\"},{\"body\":{}}")), 200,
           "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"1 refused");
    EXPECT_INT(store.writes, 4);
    fake_clear(&store);
}

/* OTLP: none refused and a message is a warning. */
TEST(what_is_altered_is_a_warning)
{
    expect("/v1/traces", JSON,
           STR(SPANS("{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\","
                     "\"startTimeUnixNano\":\"1700000000000000000\",\"endTimeUnixNano\":\"1\"}")),
           200, "{\"partialSuccess\":{\"errorMessage\":\"1 kept with something cut, left out or put right");
    fake_clear(&store);
}

TEST(spans_when_the_store_is_in_trouble_are_to_be_sent_again)
{
    store.refuse_with = ERR_BUSY;
    expect("/v1/traces", JSON, STR(SPANS(SPAN("eee19b7ec3c1b174"))), 429, "Retry-After: 1");
    store.refuse_with = ERR_FULL;
    expect("/v1/logs", JSON, STR(LOGS("{\"body\":{\"stringValue\":\"x\"}}")), 503, "Retry-After: 10");
    expect("/v1/traces", PROTO, STR("\x0a\x05\x12"), 400, "");
    fake_clear(&store);
}

TEST(what_the_store_refuses_is_partial_too)
{
    store.reject_rows = 1;
    expect("/v1/metrics", JSON, STR(jobs_json), 200, "the fake store has too many series");
    fake_clear(&store);
}

TEST(broken_bodies_are_400_with_a_status)
{
    struct reply r = post("/v1/metrics", PROTO, STR("\x0a\x05\x12"));
    EXPECT_INT(r.status, 400);
    EXPECT(r.body[0] == 0x08 && r.body[1] == 3 && r.body[2] == 0x12); /* INVALID_ARGUMENT and a text */
    EXPECT(strstr(r.body, "byte ") != NULL);
    free(r.text);
    expect("/v1/metrics", JSON, STR("{\"resourceMetrics\":7}"), 400,
           "{\"code\":3,\"message\":\"line 1, column 20: expected an array\"}");
    expect("/v1/metrics", PROTO "Content-Encoding: gzip\r\n", STR("not gzip"), 400, "gzip");
}

TEST(types_and_codings_we_do_not_know_are_415)
{
    expect("/v1/metrics", "Content-Type: text/plain\r\n", STR("x"), 415, "use application/x-protobuf");
    expect("/v1/metrics", "", STR("x"), 415, "Content-Type");
    expect("/v1/metrics", JSON "Content-Encoding: br\r\n", STR("x"), 415, "Content-Encoding");
}

TEST(too_much_is_413)
{
    static char spaces[(1 << 20) + 1];
    memset(spaces, ' ', sizeof spaces);
    expect("/v1/metrics", JSON, str_make(spaces, sizeof spaces), 413, "\"code\":8");
}

TEST(packed_bodies_are_unpacked)
{
    char packed[512];
    size_t n = ZSTD_compress(packed, sizeof packed, jobs_json, sizeof jobs_json - 1, 1);
    expect("/v1/metrics", JSON "Content-Encoding: zstd\r\n", str_make(packed, n), 200, "{}");
    uLongf z = sizeof packed;
    EXPECT(compress((Bytef *)packed, &z, (const Bytef *)jobs_json, sizeof jobs_json - 1) == Z_OK);
    expect("/v1/metrics", JSON "Content-Encoding: deflate\r\n", str_make(packed, z), 200, "{}");
    EXPECT_INT(store.n, 2);
    fake_clear(&store);
}

TEST(a_store_in_trouble_is_something_to_repeat)
{
    static const struct {
        int rc, status;
        const char *header;
    } cases[] = { { ERR_BUSY, 429, "Retry-After: 1" },
                  { ERR_FULL, 503, "Retry-After: 10" },
                  { ERR_IO, 503, "Retry-After: 10" } };
    for (size_t i = 0; i < 3; i++) {
        store.refuse_with = cases[i].rc;
        expect("/v1/metrics", JSON, STR(jobs_json), cases[i].status, cases[i].header);
        fake_clear(&store);
        store.late = true;
        store.late_rc = cases[i].rc;
        expect("/v1/metrics", JSON, STR(jobs_json), cases[i].status, cases[i].header);
        fake_clear(&store);
    }
}

TEST(deltas_are_cumulated_and_a_repeated_request_changes_nothing)
{
    const double more[] = { 2 };
    expect("/v1/metrics", PROTO, sum(1, one, 1, NOW - 2000), 200, "");
    expect("/v1/metrics", PROTO, sum(1, more, 1, NOW - 1000), 200, "");
    EXPECT(fake_row(&store, "jobs_total{no=\"0\"}")->value == 7);
    store.refuse_with = ERR_BUSY;
    expect("/v1/metrics", PROTO, sum(1, more, 1, NOW), 429, "");
    store.refuse_with = 0;
    expect("/v1/metrics", PROTO, sum(1, more, 1, NOW), 200, "");
    EXPECT(fake_row(&store, "jobs_total{no=\"0\"}")->value == 9);
    fake_clear(&store);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(success_is_empty_in_both_encodings),
        CASE(an_empty_request_is_a_success),
        CASE(all_paths_lead_here),
        CASE(partial_success_counts_points_and_says_why),
        CASE(spans_and_logs_that_are_refused_are_counted_by_their_names),
        CASE(what_is_altered_is_a_warning),
        CASE(spans_when_the_store_is_in_trouble_are_to_be_sent_again),
        CASE(what_the_store_refuses_is_partial_too),
        CASE(broken_bodies_are_400_with_a_status),
        CASE(types_and_codings_we_do_not_know_are_415),
        CASE(too_much_is_413),
        CASE(packed_bodies_are_unpacked),
        CASE(a_store_in_trouble_is_something_to_repeat),
        CASE(deltas_are_cumulated_and_a_repeated_request_changes_nothing),
    };
    return cmocka_run_group_tests(all, setup, teardown);
}
