#include "receive/push_prom.h"

#include "unit/test.h"

#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "unit/decode/wire.h"
#include "unit/receive/door.h"
#include "unit/receive/fake_store.h"

#define NOW    1700000000000
#define V1     "Content-Type: application/x-protobuf\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n"
#define V2     "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n"
#define SNAPPY "Content-Encoding: snappy\r\n"

static struct fake_store store;
static struct push_prom doors;
static struct door door;

static int setup(void **state)
{
    (void)state;
    struct limit limit = LIMIT_DEFAULT;
    limit.body_bytes = 1 << 20;
    limit.decode.rows = 1000;
    clock_fix_ms(NOW);
    fake_init(&store);
    push_prom_init(&doors, &store.store, &limit);
    return door_open(&door, push_prom_routes, push_prom_n_routes, &doors) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    door_close(&door);
    fake_clear(&store);
    clock_fix_ms(0);
    return 0;
}

/* ---- bodies ---- */

static void v1_label(struct wire *ts, const char *name, const char *value)
{
    struct wire l = { 0 };
    wire_text(&l, 1, name);
    wire_text(&l, 2, value);
    wire_message(ts, 1, &l);
}

static void v1_series(struct wire *w, const char *metric, double value, int64_t ms)
{
    struct wire ts = { 0 }, s = { 0 };
    v1_label(&ts, "__name__", metric);
    wire_double(&s, 1, value);
    wire_varint(&s, 2, (uint64_t)ms);
    wire_message(&ts, 2, &s);
    wire_message(w, 1, &ts);
}

static void snappy(struct wire *w)
{
    size_t n = snappy_max_compressed_length(w->n);
    char *out = malloc(n);
    EXPECT(snappy_compress((char *)w->p, w->n, out, &n) == SNAPPY_OK);
    wire_free(w);
    wire_raw(w, out, n);
    free(out);
}

static int expect(const char *target, const char *headers, struct wire *body, int status, const char *text)
{
    struct reply r = door_ask(&door, "POST", target, headers, wire_str(body));
    bool fits = r.status == status && (text == NULL || reply_has(&r, text));
    if (!fits) printf("wanted %d with \"%s\", got:\n%s\n", status, text ? text : "", r.text);
    free(r.text);
    wire_free(body);
    return fits;
}

/* ---- remote write ---- */

TEST(push_prom_keeps_a_write_and_answers_204)
{
    struct wire w = { 0 };
    fake_clear(&store);
    v1_series(&w, "up", 1, NOW);
    snappy(&w);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 204, NULL));
    EXPECT(store.n == 1 && store.last_ack == ACK_DURABLE);
    EXPECT(fake_row(&store, "up")->value == 1 && fake_row(&store, "up")->time_ms == NOW);

    v1_series(&w, "up", 2, NOW);
    snappy(&w);
    EXPECT(expect("/api/v1/push", V1 SNAPPY, &w, 204, NULL)); /* the alias */
    EXPECT(store.n == 2);
}

TEST(push_prom_answers_only_when_rows_are_durable)
{
    struct wire w = { 0 };
    fake_clear(&store);
    store.late = true;
    v1_series(&w, "up", 1, NOW);
    snappy(&w);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 204, NULL));

    store.late_rc = ERR_IO;
    v1_series(&w, "up", 1, NOW);
    snappy(&w);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 500, "could not be written"));
    store.late_rc = ERR_FULL;
    v1_series(&w, "up", 1, NOW);
    snappy(&w);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 507, "Retry-After: 10"));
}

TEST(push_prom_takes_every_coding)
{
    fake_clear(&store);
    struct wire plain = { 0 }, w = { 0 };
    v1_series(&plain, "up", 1, NOW);

    wire_raw(&w, plain.p, plain.n);
    snappy(&w);
    EXPECT(expect("/api/v1/write", V1, &w, 204, NULL)); /* snappy without saying so */
    wire_raw(&w, plain.p, plain.n);
    EXPECT(expect("/api/v1/write", V1, &w, 204, NULL)); /* nothing without saying so */
    wire_raw(&w, plain.p, plain.n);
    EXPECT(expect("/api/v1/write", V1 "Content-Encoding: none\r\n", &w, 204, NULL));
    wire_raw(&w, plain.p, plain.n);
    EXPECT(expect("/api/v1/write", V1 "Content-Encoding: identity\r\n", &w, 204, NULL));

    char packed[1000];
    size_t n = ZSTD_compress(packed, sizeof packed, plain.p, plain.n, 1);
    wire_raw(&w, packed, n);
    EXPECT(expect("/api/v1/write",
                  V1 "Content-Encoding: zstd\r\nX-VictoriaMetrics-Remote-Write-Version: 1\r\n", &w, 204,
                  NULL));

    z_stream z = {
        .next_in = plain.p, .avail_in = (uInt)plain.n, .next_out = (Bytef *)packed, .avail_out = sizeof packed
    };
    EXPECT(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0) == Z_OK && deflate(&z, Z_FINISH) == Z_STREAM_END);
    wire_raw(&w, packed, z.total_out);
    deflateEnd(&z);
    EXPECT(expect("/api/v1/write", V1 "Content-Encoding: gzip\r\n", &w, 204, NULL));
    EXPECT(store.n == 6);
    wire_free(&plain);
}

TEST(push_prom_refuses_types_and_codings_it_does_not_know)
{
    struct wire w = { 0 };
    fake_clear(&store);
    v1_series(&w, "up", 1, NOW);
    EXPECT(expect("/api/v1/write", "Content-Type: application/json\r\n", &w, 415, "application/json"));
    v1_series(&w, "up", 1, NOW);
    EXPECT(expect("/api/v1/write", "Content-Type: application/x-protobuf; proto=some.Thing\r\n", &w, 415,
                  "some.Thing"));
    v1_series(&w, "up", 1, NOW);
    EXPECT(expect("/api/v1/write", V1 "Content-Encoding: br\r\n", &w, 415, "br"));
    v1_series(&w, "up", 1, NOW);
    EXPECT(expect("/api/v1/write",
                  "Content-Type: application/x-protobuf ; proto = "
                  "\"prometheus.WriteRequest\"\r\nContent-Encoding: identity\r\n",
                  &w, 204, NULL));
    EXPECT(store.n == 1);
}

TEST(push_prom_tells_why_a_body_is_bad)
{
    struct wire w = { 0 };
    fake_clear(&store);
    wire_text(&w, 1, "\x0a\x63");
    snappy(&w);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 400, "timeseries[0].labels: byte 4"));
    wire_raw(&w, "nonsense", 8);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 400, "snappy"));
    EXPECT(store.writes == 0);
}

TEST(push_prom_keeps_the_good_rest)
{
    struct wire w = { 0 };
    fake_clear(&store);
    v1_series(&w, "good", 1, NOW);
    v1_series(&w, "ahead", 2, NOW + 601000);
    v1_series(&w, "fine", 3, NOW + 599000);
    snappy(&w);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 400, "ahead"));
    EXPECT(store.n == 2 && fake_row(&store, "good") && fake_row(&store, "fine") &&
           !fake_row(&store, "ahead"));

    fake_clear(&store);
    store.reject_rows = 1; /* the store's own refusals count as well */
    v1_series(&w, "good", 1, NOW);
    v1_series(&w, "other", 1, NOW);
    snappy(&w);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 400, "too many series"));
}

TEST(push_prom_answers_what_a_sender_should_repeat)
{
    static const struct {
        int rc, status;
        const char *text;
    } cases[] = { { ERR_BUSY, 429, "Retry-After: 1\r" },
                  { ERR_FULL, 507, "Retry-After: 10" },
                  { ERR_IO, 500, "fake store" },
                  { ERR_LIMIT, 413, "fake" } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wire w = { 0 };
        fake_clear(&store);
        store.refuse_with = cases[i].rc;
        v1_series(&w, "up", 1, NOW);
        snappy(&w);
        EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, cases[i].status, cases[i].text));
    }
    fake_clear(&store);
}

TEST(push_prom_refuses_what_is_too_large)
{
    struct wire w = { 0 };
    fake_clear(&store);
    char *zeros = calloc(1, 2 << 20);
    wire_raw(&w, zeros, 2 << 20);
    free(zeros);
    snappy(&w);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 413, "larger than the limit"));
    wire_raw(&w, "\xff\xff\xff\xff\x0f\x00", 6); /* says it is 4 GiB */
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 413, "larger than the limit"));
    for (int i = 0; i < 1001; i++) v1_series(&w, "up", 1, NOW);
    snappy(&w);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &w, 413, "more than 1000 samples"));
    EXPECT(store.n == 0);
}

/* 900 series with long names that do not pack: some 2 MB, packed and unpacked. */
static void large_body(struct wire *w)
{
    char name[1001] = { 0 };
    uint32_t random = 1;
    for (int i = 0; i < 900; i++) {
        for (int k = 0; k < 1000; k++) {
            random = random * 1664525 + 1013904223;
            name[k] = (char)('a' + (random >> 24) % 26);
        }
        v1_series(w, name, 1, NOW);
    }
    snappy(w);
}

TEST(push_prom_asks_to_come_again_while_others_are_being_decoded)
{
    struct wire large = { 0 }, small = { 0 };
    fake_clear(&store);
    budget_requests_most(8 << 20);
    EXPECT(budget_request_take(8 << 20, 8 << 20)); /* somebody else, alone so far */
    large_body(&large);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &large, 429, "Retry-After: 1\r"));
    EXPECT(store.n == 0);
    v1_series(&small, "up", 1, NOW);
    snappy(&small);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &small, 204, ""));

    budget_request_give(8 << 20);
    large_body(&large);
    EXPECT(expect("/api/v1/write", V1 SNAPPY, &large, 204, ""));
    EXPECT(store.n == 901);
    EXPECT(budget_taken(BUDGET_REQUESTS) == 0);
    budget_requests_most(256 << 20);
}

static void v2_body(struct wire *w, int64_t second_ms)
{
    struct wire ts = { 0 }, s = { 0 }, h = { 0 }, x = { 0 };
    static const char *const table[] = { "", "__name__", "up", "lat" };
    for (size_t i = 0; i < COUNT(table); i++) wire_text(w, 4, table[i]);
    wire_bytes(&ts, 1, "\1\2", 2);
    wire_double(&s, 1, 1);
    wire_varint(&s, 2, NOW);
    wire_message(&ts, 2, &s);
    wire_double(&s, 1, 2);
    wire_varint(&s, 2, (uint64_t)second_ms);
    wire_message(&ts, 2, &s);
    wire_double(&x, 2, 5);
    wire_varint(&x, 3, NOW);
    wire_message(&ts, 4, &x);
    wire_message(w, 5, &ts);
    wire_bytes(&ts, 1, "\1\3", 2);
    wire_varint(&h, 1, 1);
    wire_varint(&h, 6, 1);
    wire_varint(&h, 15, NOW);
    wire_message(&ts, 3, &h);
    wire_message(w, 5, &ts);
}

TEST(push_prom_tells_a_v2_sender_what_was_written)
{
    struct wire w = { 0 };
    fake_clear(&store);
    v2_body(&w, NOW + 1);
    snappy(&w);
    struct reply r = door_ask(&door, "POST", "/api/v1/write", V2 SNAPPY, wire_str(&w));
    EXPECT(r.status == 204 && reply_has(&r, "X-Prometheus-Remote-Write-Samples-Written: 2\r"));
    EXPECT(reply_has(&r, "X-Prometheus-Remote-Write-Histograms-Written: 1\r") &&
           reply_has(&r, "X-Prometheus-Remote-Write-Exemplars-Written: 1\r"));
    free(r.text);
    wire_free(&w);
    EXPECT(store.n == 3 && fake_row(&store, "lat")->is_hist);

    v2_body(&w, NOW + 700000); /* one sample too far ahead: the headers tell the truth */
    snappy(&w);
    r = door_ask(&door, "POST", "/api/v1/write", V2 SNAPPY, wire_str(&w));
    EXPECT(r.status == 400 && reply_has(&r, "X-Prometheus-Remote-Write-Samples-Written: 1\r") &&
           reply_has(&r, "future"));
    free(r.text);

    store.refuse_with = ERR_BUSY;
    r = door_ask(&door, "POST", "/api/v1/write", V2 SNAPPY, wire_str(&w));
    EXPECT(r.status == 429 && reply_has(&r, "X-Prometheus-Remote-Write-Samples-Written: 0\r"));
    free(r.text);
    wire_free(&w);

    wire_raw(&w, "\x0b", 1);
    r = door_ask(&door, "POST", "/api/v1/write", V2 "Content-Encoding: identity\r\n", wire_str(&w));
    EXPECT(r.status == 400 && reply_has(&r, "X-Prometheus-Remote-Write-Samples-Written: 0\r"));
    free(r.text);
    wire_free(&w);
    fake_clear(&store);
}

TEST(push_prom_does_not_add_v2_headers_for_v1)
{
    struct wire w = { 0 };
    v1_series(&w, "up", 1, NOW);
    struct reply r = door_ask(&door, "POST", "/api/v1/write", V1, wire_str(&w));
    EXPECT(r.status == 204 && !reply_has(&r, "Samples-Written"));
    free(r.text);
    wire_free(&w);
}

TEST(push_prom_takes_empty_and_metadata_only_writes)
{
    struct wire w = { 0 }, m = { 0 };
    fake_clear(&store);
    EXPECT(expect("/api/v1/write", V1 "Content-Encoding: identity\r\n", &w, 204, NULL));
    EXPECT(store.writes == 0);
    wire_varint(&m, 1, 1);
    wire_text(&m, 2, "up");
    wire_message(&w, 3, &m);
    EXPECT(expect("/api/v1/write", V1 "Content-Encoding: identity\r\n", &w, 204, NULL));
    EXPECT(store.n_metadata == 1);
}

/* ---- import ---- */

static struct reply import(const char *query, const char *headers, const char *text)
{
    char target[300];
    snprintf(target, sizeof target, "/api/v1/import/prometheus%s", query);
    return door_ask(&door, "POST", target, headers, str_of(text));
}

TEST(push_prom_imports_text)
{
    fake_clear(&store);
    struct reply r = import("", "", "# TYPE a counter\na{b=\"c\"} 1 1600000000000\nup 2\n");
    EXPECT(r.status == 204 && store.n == 2 && store.n_metadata == 1);
    EXPECT(fake_row(&store, "a{b=\"c\"}")->time_ms == 1600000000000 &&
           fake_row(&store, "up")->time_ms == NOW);
    free(r.text);

    r = import("?timestamp=1500000000000&extra_label=job%3Dmine&extra_label=zone=eu",
               "Content-Type: application/x-www-form-urlencoded\r\n", "up 3\n");
    EXPECT(r.status == 204 && fake_row(&store, "up{job=\"mine\", zone=\"eu\"}")->time_ms == 1500000000000);
    free(r.text);

    r = import("", "Content-Type: application/openmetrics-text; version=1.0.0\r\n",
               "up 4 1600000000.5\n# EOF\n");
    EXPECT(r.status == 204 && fake_row(&store, "up")->time_ms == 1600000000500);
    free(r.text);
}

TEST(push_prom_names_the_bad_lines_of_an_import)
{
    fake_clear(&store);
    struct reply r = import("", "", "a 1\nb x\nc{ 2\nd 3\n");
    EXPECT(r.status == 400 && store.n == 2);
    EXPECT(reply_has(&r, "\"accepted\":2,\"rejected\":2") &&
           reply_has(&r, "{\"line\":2,\"error\":\"value is not a number: \\\"x\\\"\"}"));
    EXPECT(reply_has(&r, "{\"line\":3,") && reply_has(&r, "application/json"));
    free(r.text);
    r = import("", "", "a 1 1700000700000\n"); /* 700 s ahead */
    EXPECT(r.status == 400 && reply_has(&r, "in the future"));
    free(r.text);
}

TEST(push_prom_refuses_bad_import_parameters)
{
    static const char *const bad[] = { "?timestamp=soon", "?extra_label=job", "?extra_label==x" };
    fake_clear(&store);
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct reply r = import(bad[i], "", "up 1\n");
        EXPECT(r.status == 400 && store.n == 0);
        free(r.text);
    }
}

TEST(push_prom_counts_what_it_answers)
{
    struct stat *ok =
        stat_counter("vedette_ingest_requests_total", "", "protocol=\"remote_write_v1\",code=\"204\"");
    struct stat *samples = stat_counter("vedette_ingest_samples_total", "", "protocol=\"remote_write_v1\"");
    struct stat *ahead = stat_counter("vedette_rejected_total", "", "reason=\"future\"");
    double ok_before = stat_value(ok), samples_before = stat_value(samples), ahead_before = stat_value(ahead);
    struct wire w = { 0 };
    v1_series(&w, "a", 1, NOW);
    v1_series(&w, "b", 1, NOW);
    EXPECT(expect("/api/v1/write", V1, &w, 204, NULL));
    v1_series(&w, "c", 1, NOW + 999999999);
    EXPECT(expect("/api/v1/write", V1, &w, 400, NULL));
    EXPECT(stat_value(ok) - ok_before == 1 && stat_value(samples) - samples_before == 2 &&
           stat_value(ahead) - ahead_before == 1);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(push_prom_keeps_a_write_and_answers_204),
        CASE(push_prom_answers_only_when_rows_are_durable),
        CASE(push_prom_takes_every_coding),
        CASE(push_prom_refuses_types_and_codings_it_does_not_know),
        CASE(push_prom_tells_why_a_body_is_bad),
        CASE(push_prom_keeps_the_good_rest),
        CASE(push_prom_answers_what_a_sender_should_repeat),
        CASE(push_prom_refuses_what_is_too_large),
        CASE(push_prom_asks_to_come_again_while_others_are_being_decoded),
        CASE(push_prom_tells_a_v2_sender_what_was_written),
        CASE(push_prom_does_not_add_v2_headers_for_v1),
        CASE(push_prom_takes_empty_and_metadata_only_writes),
        CASE(push_prom_imports_text),
        CASE(push_prom_names_the_bad_lines_of_an_import),
        CASE(push_prom_refuses_bad_import_parameters),
        CASE(push_prom_counts_what_it_answers),
    };
    return cmocka_run_group_tests(all, setup, teardown);
}
