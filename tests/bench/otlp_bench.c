/* otlp_bench.c - nanoseconds a data point of OTLP metrics, from the body to the batch.
 *
 * One resource of 6 attributes, one scope, 50 metrics of 40 points; a point has 8 attributes of the kinds
 * that HTTP and GenAI instrumentation sends, so about 290 bytes. CPU time of one thread; the best of several
 * rounds, since the machine is shared. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "decode/otlp_metrics.h"
#include "decode/protobuf.h"
#include "derive/delta.h"

enum { METRICS = 50, POINTS = 40, ATTRS = 8, ROUNDS = 15, REPEATS = 20, BUCKETS = 14 };

static const char *const keys[ATTRS] = { "http.request.method",       "http.route",
                                         "http.response.status_code", "server.address",
                                         "gen_ai.request.model",      "gen_ai.operation.name",
                                         "network.protocol.version",  "error.type" };

static void put_attr(struct buf *b, uint32_t no, const char *key, const char *value)
{
    size_t kv = pb_put_begin(b, no);
    pb_put_bytes(b, 1, str_of(key));
    size_t v = pb_put_begin(b, 2);
    pb_put_bytes(b, 1, str_of(value));
    pb_put_end(b, v);
    pb_put_end(b, kv);
}

static void put_attrs(struct buf *b, uint32_t no, int i)
{
    char route[64], host[64];
    snprintf(route, sizeof route, "/api/v1/projects/{id}/runs/%d", i);
    snprintf(host, sizeof host, "gateway-%02d.example.internal", i % 20);
    const char *values[ATTRS] = { "POST", route, i % 9 ? "200" : "503",     host, "claude-sonnet-latest",
                                  "chat", "1.1", i % 9 ? "none" : "timeout" };
    for (int k = 0; k < ATTRS; k++) put_attr(b, no, keys[k], values[k]);
}

static void put_number(struct buf *b, int i)
{
    size_t at = pb_put_begin(b, 1);
    put_attrs(b, 7, i);
    pb_put_i64(b, 2, 1700000000000000000u);
    pb_put_i64(b, 3, 1700000010000000000u);
    pb_put_double(b, 4, i * 1.25);
    pb_put_end(b, at);
}

static void put_histogram(struct buf *b, int i)
{
    size_t at = pb_put_begin(b, 1);
    put_attrs(b, 9, i);
    pb_put_i64(b, 2, 1700000000000000000u);
    pb_put_i64(b, 3, 1700000010000000000u);
    pb_put_i64(b, 4, BUCKETS + 1);
    pb_put_double(b, 5, 12.5);
    size_t counts = pb_put_begin(b, 6);
    for (int k = 0; k <= BUCKETS; k++) buf_u64le(b, 1);
    pb_put_end(b, counts);
    size_t bounds = pb_put_begin(b, 7);
    for (int k = 0; k < BUCKETS; k++) {
        double bound = 0.005 * (1 << k);
        buf_add(b, &bound, 8);
    }
    pb_put_end(b, bounds);
    pb_put_end(b, at);
}

static void put_metric(struct buf *b, int m, uint32_t kind, uint64_t temporality)
{
    char name[64];
    size_t metric = pb_put_begin(b, 2);
    snprintf(name, sizeof name, "http.server.request.metric%02d", m);
    pb_put_bytes(b, 1, str_of(name));
    pb_put_bytes(b, 3, STR("s"));
    size_t data = pb_put_begin(b, kind);
    for (int i = 0; i < POINTS; i++) kind == 9 ? put_histogram(b, i) : put_number(b, i);
    pb_put_varint(b, 2, temporality);
    pb_put_varint(b, 3, 1);
    pb_put_end(b, data);
    pb_put_end(b, metric);
}

static void body(struct buf *b, uint32_t kind, uint64_t temporality)
{
    size_t resource_metrics = pb_put_begin(b, 1), resource = pb_put_begin(b, 1);
    const char *const about[] = { "service.name", "service.instance.id", "host.name",
                                  "os.type",      "telemetry.sdk.name",  "cloud.region" };
    for (int i = 0; i < 6; i++) put_attr(b, 1, about[i], "something-of-this-length");
    pb_put_end(b, resource);
    size_t scope_metrics = pb_put_begin(b, 2), scope = pb_put_begin(b, 1);
    pb_put_bytes(b, 1, STR("@opentelemetry/instrumentation-http"));
    pb_put_bytes(b, 2, STR("0.222.0"));
    pb_put_end(b, scope);
    for (int m = 0; m < METRICS; m++) put_metric(b, m, kind, temporality);
    pb_put_end(b, scope_metrics);
    pb_put_end(b, resource_metrics);
}

static int sum(void *d, struct hash128 id, uint64_t *start, uint64_t time, double *v, struct err *e)
{
    return delta_sum(d, id, start, time, v, e);
}

static int histogram(void *d, struct hash128 id, uint64_t *start, uint64_t time, struct histogram *h,
                     struct arena *a, struct err *e)
{
    return delta_histogram(d, id, start, time, h, a, e);
}

static void measure(const char *what, struct str bytes, const struct otlp_cumulate *c)
{
    struct decode_limits limits = DECODE_LIMITS_DEFAULT;
    struct otlp_options options = { .cumulate = c };
    struct arena a = ARENA_INIT(256 << 20);
    int64_t best = INT64_MAX;
    size_t rows = 0;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t from = clock_cpu_ns();
        for (int i = 0; i < REPEATS; i++) {
            struct batch b;
            struct write_result refused = { 0 };
            struct err e = ERR_INIT;
            arena_reset(&a);
            if (otlp_metrics_proto(bytes, &options, &limits, &a, &b, &refused, &e) < 0 ||
                refused.rejected_total > 0) {
                printf("%s: %s%s\n", what, e.text, refused.why);
                exit(1);
            }
            rows = b.n_rows;
        }
        int64_t spent = clock_cpu_ns() - from;
        if (spent < best) best = spent;
    }
    double points = (double)REPEATS * METRICS * POINTS;
    printf("%-34s %7.0f ns a point %6.0f ns a row %8.1f bytes a point\n", what, (double)best / points,
           (double)best / REPEATS / (double)rows, (double)bytes.n / METRICS / POINTS);
    arena_release(&a);
}

int main(void)
{
    static const struct {
        const char *what;
        uint32_t kind;
        uint64_t temporality;
    } runs[] = { { "sum, cumulative, 8 attributes", 7, 2 },
                 { "sum, delta, 8 attributes", 7, 1 },
                 { "histogram of 15 buckets, cumulative", 9, 2 } };
    const struct delta_conf conf = DELTA_CONF_DEFAULT;
    struct delta *d = delta_new(&conf);
    struct otlp_cumulate cumulate = { d, sum, histogram };

    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        struct buf b = BUF_INIT(64 << 20);
        body(&b, runs[i].kind, runs[i].temporality);
        measure(runs[i].what, buf_view(&b), &cumulate);
        buf_release(&b);
    }
    delta_free(d);
    return 0;
}
