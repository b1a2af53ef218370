/* decode_bench.c - nanoseconds a sample of what every pushed or scraped sample goes through first.
 *
 * Bodies look like a node_exporter's: 2000 series of 8 labels, one sample each, about 230 bytes a series.
 * CPU time of one thread; the best of several rounds, since the machine is shared. */
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
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
    printf("%-38s %7.1f ns/sample  (%zu bytes a sample)\n", j->what, best, j->body.n / SERIES);
}

int main(void)
{
    struct buf v1 = BUF_INIT(64 << 20), v2 = BUF_INIT(64 << 20), text = BUF_INIT(64 << 20),
               snappy = BUF_INIT(64 << 20);
    body_v1(&v1);
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
    };
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) measure(&jobs[i]);
    buf_release(&v1);
    buf_release(&v2);
    buf_release(&text);
    buf_release(&snappy);
    return 0;
}
