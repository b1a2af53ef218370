/* decode_bench.c - nanoseconds of what every pushed or scraped sample, span and log line goes through first.
 *
 * Bodies look like a node_exporter's: 2000 series of 8 labels, one sample each, about 230 bytes a series.
 * CPU time of one thread; the best of several rounds, since the machine is shared. */
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "decode/loki_push.h"
#include "decode/otlp_logs.h"
#include "decode/otlp_traces.h"
#include "decode/prom_text.h"
#include "decode/prom_write.h"
#include "decode/protobuf.h"
#include "decode/unpack.h"

enum { SERIES = 2000, ROUNDS = 15, REPEATS = 20 };

static const char *const names[] = { "__name__", "cluster", "cpu",       "instance",
                                     "job",      "mode",    "namespace", "region" };

static void values_of(int i, char v[8][64])
{
    snprintf(v[0], 64, "node_cpu_seconds_metric_%03d_total", i / 20);
    snprintf(v[1], 64, "production-europe-1");
    snprintf(v[2], 64, "%d", i % 64);
    snprintf(v[3], 64, "host-%04d.example.internal:9100", i / 7);
    snprintf(v[4], 64, "node-exporter-main");
    snprintf(v[5], 64, "%s", i % 2 ? "user" : "system");
    snprintf(v[6], 64, "monitoring-and-alerting");
    snprintf(v[7], 64, "eu-west-1");
}

static void put_sample(struct buf *b, uint32_t no, int i)
{
    size_t at = pb_put_begin(b, no);
    pb_put_double(b, 1, i * 1.25);
    pb_put_varint(b, 2, 1700000000000u + (unsigned)i);
    pb_put_end(b, at);
}

static void body_v1(struct buf *b)
{
    for (int i = 0; i < SERIES; i++) {
        char v[8][64];
        values_of(i, v);
        size_t ts = pb_put_begin(b, 1);
        for (int k = 0; k < 8; k++) {
            size_t label = pb_put_begin(b, 1);
            pb_put_bytes(b, 1, str_of(names[k]));
            pb_put_bytes(b, 2, str_of(v[k]));
            pb_put_end(b, label);
        }
        put_sample(b, 2, i);
        pb_put_end(b, ts);
    }
}

/* The symbol table as senders make it: each text once. */
static uint64_t symbol_of(struct str *table, size_t *n, struct str text, struct arena *a)
{
    for (size_t i = 0; i < *n; i++)
        if (str_eq(table[i], text)) return i;
    table[*n] = arena_str(a, text);
    return (*n)++;
}

static void body_v2(struct buf *b)
{
    static struct str table[SERIES * 8];
    struct arena a = ARENA_INIT(1 << 24);
    struct buf series = BUF_INIT(64 << 20);
    size_t n = 1;
    for (int i = 0; i < SERIES; i++) {
        char v[8][64];
        values_of(i, v);
        size_t ts = pb_put_begin(&series, 5), refs = pb_put_begin(&series, 1);
        for (size_t k = 0; k < 8; k++) {
            buf_varint(&series, symbol_of(table, &n, str_of(names[k]), &a));
            buf_varint(&series, symbol_of(table, &n, str_of(v[k]), &a));
        }
        pb_put_end(&series, refs);
        put_sample(&series, 2, i);
        pb_put_end(&series, ts);
    }
    for (size_t i = 0; i < n; i++) pb_put_bytes(b, 4, table[i]);
    buf_str(b, buf_view(&series));
    buf_release(&series);
    arena_release(&a);
}

static void body_text(struct buf *b)
{
    for (int i = 0; i < SERIES; i++) {
        char v[8][64];
        values_of(i, v);
        buf_printf(b, "%s{", v[0]);
        for (int k = 1; k < 8; k++) buf_printf(b, "%s%s=\"%s\"", k > 1 ? "," : "", names[k], v[k]);
        buf_printf(b, "} %.17g\n", i % 3 ? i * 1.25 : i * 1e7 + 0.7);
    }
}

/* ---- spans and logs: like a GenAI agent's, 11 attributes, about 410 bytes each ---- */

static void put_any(struct buf *b, uint32_t no, const char *key, const char *text, uint64_t number)
{
    size_t kv = pb_put_begin(b, no);
    pb_put_bytes(b, 1, str_of(key));
    size_t any = pb_put_begin(b, 2);
    if (text != NULL)
        pb_put_bytes(b, 1, str_of(text));
    else
        pb_put_varint(b, 3, number);
    pb_put_end(b, any);
    pb_put_end(b, kv);
}

static void put_attrs(struct buf *b, uint32_t no, int i)
{
    char id[32];
    snprintf(id, sizeof id, "chatcmpl-%08x", (unsigned)i * 2654435761u);
    put_any(b, no, "gen_ai.operation.name", "chat", 0);
    put_any(b, no, "gen_ai.provider.name", "anthropic", 0);
    put_any(b, no, "gen_ai.request.model", "claude-sonnet", 0);
    put_any(b, no, "gen_ai.response.id", id, 0);
    put_any(b, no, "gen_ai.agent.name", i % 2 ? "planner" : "researcher", 0);
    put_any(b, no, "server.address", "gateway", 0);
    put_any(b, no, "gen_ai.usage.input_tokens", NULL, (uint64_t)i * 37 % 9000);
    put_any(b, no, "gen_ai.usage.output_tokens", NULL, (uint64_t)i * 13 % 900);
    put_any(b, no, "server.port", NULL, 443);
    put_any(b, no, "retry", NULL, (uint64_t)i % 3);
    put_any(b, no, "error.type", i % 9 ? "none" : "timeout", 0);
}

static void put_id(struct buf *b, uint32_t no, int n, uint64_t seed)
{
    char id[16];
    for (int i = 0; i < n; i += 8) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        memcpy(id + i, &seed, 8);
    }
    pb_put_bytes(b, no, str_make(id, (size_t)n));
}

static void put_span(struct buf *b, int i)
{
    size_t at = pb_put_begin(b, 2);
    put_id(b, 1, 16, (uint64_t)i / 12);
    put_id(b, 2, 8, (uint64_t)i + 99);
    put_id(b, 4, 8, (uint64_t)i + 98);
    pb_put_bytes(b, 5, STR("chat claude-sonnet"));
    pb_put_varint(b, 6, 3);
    pb_put_i64(b, 7, 1700000000000000000u + (uint64_t)i * 1000003);
    pb_put_i64(b, 8, 1700000000500000000u + (uint64_t)i * 1000999);
    put_attrs(b, 9, i);
    pb_put_end(b, at);
}

static void put_log(struct buf *b, int i)
{
    size_t at = pb_put_begin(b, 2), body;
    pb_put_i64(b, 1, 1700000000000000000u + (uint64_t)i * 1000003);
    pb_put_varint(b, 2, 9);
    pb_put_bytes(b, 3, STR("INFO"));
    body = pb_put_begin(b, 5);
    pb_put_bytes(b, 1, STR("request served: model answered after two retries, cache was warm"));
    pb_put_end(b, body);
    put_any(b, 6, "http.route", "/v1/messages", 0);
    put_any(b, 6, "http.response.status_code", NULL, 200);
    put_any(b, 6, "user.id", i % 2 ? "u-1842" : "u-9", 0);
    put_id(b, 9, 16, (uint64_t)i / 12);
    put_id(b, 10, 8, (uint64_t)i + 99);
    pb_put_end(b, at);
}

static void body_records(struct buf *b, void (*put)(struct buf *, int))
{
    size_t resources = pb_put_begin(b, 1), resource = pb_put_begin(b, 1);
    put_any(b, 1, "service.name", "agents", 0);
    put_any(b, 1, "host.name", "box-1", 0);
    pb_put_end(b, resource);
    size_t scopes = pb_put_begin(b, 2), scope = pb_put_begin(b, 1);
    pb_put_bytes(b, 1, STR("instrumentation"));
    pb_put_end(b, scope);
    for (int i = 0; i < SERIES; i++) put(b, i);
    pb_put_end(b, scopes);
    pb_put_end(b, resources);
}

static void body_spans_json(struct buf *b)
{
    buf_cs(b, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
              "\"stringValue\":"
              "\"agents\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"l\"},\"spans\":[");
    for (int i = 0; i < SERIES; i++) {
        buf_printf(
            b,
            "%s{\"traceId\":\"%032x\",\"spanId\":\"%016x\",\"name\":\"chat claude-sonnet\",\"kind\":3,"
            "\"startTimeUnixNano\":\"1700000000000000000\",\"endTimeUnixNano\":\"1700000000500000000\","
            "\"attributes\":[",
            i ? "," : "", i / 12 + 1, i + 1);
        for (int k = 0; k < 11; k++)
            buf_printf(b, "%s{\"key\":\"gen_ai.attribute.%d\",\"value\":{\"%s\":\"%d\"}}", k ? "," : "", k,
                       k % 3 ? "stringValue" : "intValue", i * k);
        buf_cs(b, "],\"status\":{}}");
    }
    buf_cs(b, "]}]}]}");
}

static void body_loki(struct buf *b)
{
    size_t stream = pb_put_begin(b, 1);
    pb_put_bytes(b, 1, STR("{service_name=\"api\",env=\"prod\",region=\"eu-west-1\"}"));
    for (int i = 0; i < SERIES; i++) {
        size_t entry = pb_put_begin(b, 2), time = pb_put_begin(b, 1);
        pb_put_varint(b, 1, 1700000000u + (unsigned)i);
        pb_put_varint(b, 2, (unsigned)i);
        pb_put_end(b, time);
        char line[160];
        int n = snprintf(line, sizeof line,
                         "ts=2024-05-01T12:00:00.%06dZ caller=server.go:%04d level=info msg=\"request served "
                         "after retry\" took=%05dms",
                         i, i % 10000, i);
        pb_put_bytes(b, 2, str_make(line, (size_t)n));
        pb_put_end(b, entry);
    }
    pb_put_end(b, stream);
}

static void run_records(struct str body, struct arena *a, record_decoder *decode, enum table t)
{
    static const struct record_options options = { .now_ns = 1700000000000000000 };
    struct record_report report = { 0 };
    struct records out;
    struct err e;
    records_init(&out, a, t);
    if (decode(body, &options, &out, &report, &e) < 0 || report.accepted != SERIES) abort();
    records_end(&out);
}

static void run_spans(struct str body, struct arena *a)
{
    run_records(body, a, otlp_traces_proto, TABLE_SPANS);
}

static void run_spans_json(struct str body, struct arena *a)
{
    run_records(body, a, otlp_traces_json, TABLE_SPANS);
}

static void run_logs(struct str body, struct arena *a)
{
    run_records(body, a, otlp_logs_proto, TABLE_LOGS);
}

static void run_loki(struct str body, struct arena *a)
{
    run_records(body, a, loki_push_proto, TABLE_LOGS);
}

struct job {
    const char *what;
    void (*run)(struct str body, struct arena *);
    struct str body;
};

static void run_v1(struct str body, struct arena *a)
{
    static const struct decode_limits limits = DECODE_LIMITS_DEFAULT;
    struct write_result refused = { 0 };
    struct batch batch;
    struct err e;
    if (prom_write_v1(body, &limits, a, &batch, &refused, &e) < 0 || batch.n_rows != SERIES) abort();
}

static void run_v2(struct str body, struct arena *a)
{
    static const struct decode_limits limits = DECODE_LIMITS_DEFAULT;
    struct write_result refused = { 0 };
    struct batch batch;
    struct err e;
    if (prom_write_v2(body, &limits, a, &batch, &refused, &e) < 0 || batch.n_rows != SERIES) abort();
}

static void run_lines(struct str body, struct arena *a)
{
    struct prom_text t;
    struct prom_line l;
    size_t n = 0;
    double sum = 0;
    (void)a;
    prom_text_open(&t, body, PROM_TEXT_PLAIN);
    while (prom_text_next(&t, &l) == PROM_TEXT_SAMPLE) n++, sum += l.value;
    if (n != SERIES || !(sum > 0)) abort();
}

static void run_import(struct str body, struct arena *a)
{
    static const struct decode_limits limits = DECODE_LIMITS_DEFAULT;
    struct prom_text_import how = { .limits = &limits, .default_time_ms = 1 };
    struct prom_text_faults faults = { 0 };
    struct write_result refused = { 0 };
    struct batch batch;
    struct err e;
    if (prom_text_import(body, &how, a, &batch, &refused, &faults, &e) < 0 || batch.n_rows != SERIES) abort();
}

static void run_snappy(struct str body, struct arena *a)
{
    struct str out;
    if (unpack(UNPACK_SNAPPY, body, UNPACK_MAX, a, &out, NULL) < 0 || out.n == 0) abort();
}

static void measure(const struct job *j)
{
    double best = 1e18;
    struct arena a = ARENA_INIT(1 << 30);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin = clock_cpu_ns();
        for (int i = 0; i < REPEATS; i++) {
            arena_reset(&a);
            j->run(j->body, &a);
        }
        double ns = (double)(clock_cpu_ns() - begin) / REPEATS / SERIES;
        if (ns < best) best = ns;
    }
    arena_release(&a);
    printf("%-42s %7.1f ns each  (%zu bytes)\n", j->what, best, j->body.n / SERIES);
}

int main(void)
{
    struct buf v1 = BUF_INIT(64 << 20), v2 = BUF_INIT(64 << 20), text = BUF_INIT(64 << 20),
               snappy = BUF_INIT(64 << 20);
    struct buf spans = BUF_INIT(64 << 20), spans_json = BUF_INIT(64 << 20), logs = BUF_INIT(64 << 20),
               loki = BUF_INIT(64 << 20);
    body_v1(&v1);
    body_records(&spans, put_span);
    body_records(&logs, put_log);
    body_spans_json(&spans_json);
    body_loki(&loki);
    body_v2(&v2);
    body_text(&text);
    size_t n = snappy_max_compressed_length(v1.n);
    if (snappy_compress(v1.p, v1.n, buf_room(&snappy, n), &n) != SNAPPY_OK) abort();
    buf_added(&snappy, n);

    const struct job jobs[] = {
        { "remote write 1.0: parse and key", run_v1, buf_view(&v1) },
        { "remote write 2.0: parse, labels and key", run_v2, buf_view(&v2) },
        { "text 0.0.4: lines", run_lines, buf_view(&text) },
        { "text 0.0.4: import", run_import, buf_view(&text) },
        { "snappy of the 1.0 body", run_snappy, buf_view(&snappy) },
        { "OTLP spans, 11 attributes, packed", run_spans, buf_view(&spans) },
        { "OTLP spans in JSON, packed", run_spans_json, buf_view(&spans_json) },
        { "OTLP logs, 3 attributes, packed", run_logs, buf_view(&logs) },
        { "Loki push, level from the line, packed", run_loki, buf_view(&loki) },
    };
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) measure(&jobs[i]);
    buf_release(&v1);
    buf_release(&v2);
    buf_release(&text);
    buf_release(&snappy);
    buf_release(&spans);
    buf_release(&spans_json);
    buf_release(&logs);
    buf_release(&loki);
    return 0;
}
