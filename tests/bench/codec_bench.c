/* codec_bench.c - what a sample costs in a part: ns to write and to read, bytes on disk.
 *
 *     codec_bench [scrape.txt ...]     Prometheus text of one target, a scrape each, in order of time
 *
 * Each line is one kind of data, written as a part of runs of 240 rows (1 h at 15 s) with zstd
 * level 1, times and headers and index included, then read back. Generated kinds are seeded; the
 * last line is what the files hold, replayed at 15 s. Then the life of a row: twelve parts of 20
 * rows a series (5 min) merged into one, and single series looked up in it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/column.h"
#include "store/part.h"
#include "unit/store/shape.h"

enum { ROWS = 240, SERIES = 2000, STEP_MS = 15000 };

struct data {
    size_t series, rows; /* of each */
    double *value;       /* series after series */
};

/* ---- generated kinds ---- */

static double gauss(struct dice *d)
{
    double s = 0;
    for (int i = 0; i < 12; i++) s += roll_unit(d);
    return s - 6;
}

static void constant(struct dice *d, double *v)
{
    double at = (double)roll_below(d, 1000);
    for (int i = 0; i < ROWS; i++) v[i] = at;
}

static void integer_walk(struct dice *d, double *v)
{
    double at = 50;
    for (int i = 0; i < ROWS; i++) v[i] = at = fmin(100, fmax(0, round(at + gauss(d))));
}

static void decimal_gauge(struct dice *d, double *v)
{
    for (int i = 0; i < ROWS; i++) v[i] = round((20 + gauss(d)) * 100) / 100;
}

static void counter(struct dice *d, double *v)
{
    double at = (double)roll_below(d, 1000000), rate = (double)roll_below(d, 1000);
    for (int i = 0; i < ROWS; i++) v[i] = at += floor(fmax(0, rate + sqrt(rate) * gauss(d)));
}

static void latency_bucket(struct dice *d, double *v)
{
    double at = 0;
    for (int i = 0; i < ROWS; i++) v[i] = at += (double)roll_below(d, 4) * (double)roll_below(d, 2);
}

static void tokens(struct dice *d, double *v)
{
    double at = 0;
    for (int i = 0; i < ROWS; i++) v[i] = at += roll_below(d, 3) ? (double)(100 + roll_below(d, 4000)) : 0;
}

static void seconds_sum(struct dice *d, double *v)
{
    double at = 0;
    for (int i = 0; i < ROWS; i++) v[i] = at += roll_unit(d) * 0.3;
}

static void computed(struct dice *d, double *v)
{
    for (int i = 0; i < ROWS; i++) v[i] = 0.2 + gauss(d) / 50;
}

static struct data generate(void (*fill)(struct dice *, double *))
{
    struct data x = { SERIES, ROWS, mem_array((size_t)SERIES * ROWS, 8) };
    struct dice d = { 1 };
    for (size_t s = 0; s < SERIES; s++) fill(&d, x.value + s * ROWS);
    return x;
}

/* ---- real scrapes ---- */

/* Samples are matched by their position, which exporters keep; a scrape with another number of
 * lines is left out. */
static size_t samples_of(const char *path, double *to, size_t most)
{
    struct buf text = BUF_INIT(16 << 20);
    size_t n = 0;
    if (file_slurp(path, &text, NULL) < 0) return 0;
    for (struct str rest = buf_view(&text), line; rest.n > 0 && n < most;) {
        line = str_cut(rest, '\n', &rest);
        if (line.n == 0 || line.p[0] == '#') continue;
        const char *value = memrchr(line.p, ' ', line.n);
        if (value) to[n++] = strtod(value, NULL);
    }
    buf_release(&text);
    return n;
}

static struct data load(char **path, size_t n_paths)
{
    enum { MOST = 100000 };
    double *row = mem_array(MOST, 8);
    struct data x = { samples_of(path[0], row, MOST), 0, NULL };
    x.value = mem_array(x.series * n_paths, 8);
    for (size_t i = 0; i < n_paths; i++) {
        if (samples_of(path[i], row, MOST) != x.series) continue;
        for (size_t s = 0; s < x.series; s++) x.value[s * n_paths + x.rows] = row[s];
        x.rows++;
    }
    x.rows = x.rows / ROWS * ROWS;
    for (size_t s = 1; s < x.series; s++) memmove(x.value + s * x.rows, x.value + s * n_paths, x.rows * 8);
    mem_free(row);
    return x;
}

/* ---- measuring ---- */

static const char *part_path(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/codec-bench-%d.part", (int)getpid());
    return path;
}

/* One part for each hour, as the head would flush them. Returns CPU ns. */
static int64_t write_part(const struct data *x, size_t hour, struct part_info *info)
{
    int64_t times[ROWS], before = clock_cpu_ns();
    struct part_writer *w;
    struct err e = ERR_INIT;
    for (int i = 0; i < ROWS; i++) times[i] = 1700000000000 + ((int64_t)hour * ROWS + i) * STEP_MS;
    unlink(part_path());
    if (part_writer_open(part_path(), 0, 1, 1, &w, &e) < 0) goto fail;
    for (size_t s = 0; s < x->series; s++) {
        struct run r = { (uint64_t)(s / 4) << 32 | s,          ROW_FLOAT, ROWS, times,
                         x->value + s * x->rows + hour * ROWS, NULL,      NULL };
        if (part_writer_run(w, &r, &e) < 0) goto fail;
    }
    if (part_writer_finish(w, info, &e) < 0) goto fail;
    return clock_cpu_ns() - before;
fail:
    fprintf(stderr, "codec_bench: %s\n", e.text);
    exit(1);
}

static int64_t read_part(void)
{
    struct part *p;
    struct err e = ERR_INIT;
    struct run r;
    struct run_head h;
    if (part_open(part_path(), &p, &e) < 0) exit(1);
    int64_t before = clock_cpu_ns();
    struct part_cursor *c = part_cursor_new(p);
    while (part_cursor_peek(c, &h, &e) == 1)
        if (part_cursor_read(c, INT64_MIN, INT64_MAX, NULL, &r, &e) < 0) exit(1);
    part_cursor_free(c);
    int64_t spent = clock_cpu_ns() - before;
    part_close(p);
    return spent;
}

/* The codec alone, without page compression: encode and decode one run after the other. */
static void columns(const struct data *x, size_t hour, int64_t *encode, int64_t *decode, size_t *bytes)
{
    struct buf b = BUF_INIT(1 << 30);
    double back[ROWS + 128];
    int64_t before = clock_cpu_ns();
    for (size_t s = 0; s < x->series; s++) column_put_doubles(&b, x->value + s * x->rows + hour * ROWS, ROWS);
    *encode += clock_cpu_ns() - before;
    *bytes += b.n;
    before = clock_cpu_ns();
    struct str in = buf_view(&b);
    for (size_t s = 0; s < x->series; s++)
        if (column_get_doubles(&in, back, ROWS, NULL) < 0) exit(1);
    *decode += clock_cpu_ns() - before;
    buf_release(&b);
}

static void measure(const char *name, struct data x)
{
    int64_t write = 0, read = 0, encode = 0, decode = 0;
    size_t bytes = 0, packed = 0;
    for (size_t hour = 0; hour < x.rows / ROWS; hour++) {
        struct part_info info;
        write_part(&x, hour, &info); /* warm up */
        write += write_part(&x, hour, &info);
        read += read_part();
        columns(&x, hour, &encode, &decode, &packed);
        bytes += info.bytes;
        unlink(part_path());
    }
    double n = (double)(x.series * x.rows);
    printf("%-22s %9.0f  %7.3f %7.3f   %6.1f %6.1f   %6.1f %6.1f\n", name, n, (double)packed / n,
           (double)bytes / n, (double)encode / n, (double)decode / n, (double)write / n, (double)read / n);
    mem_free(x.value);
}

/* ---- merging and looking up ---- */

enum { SHORT = 20, FLUSHES = ROWS / SHORT };

static void must(int rc, const struct err *e)
{
    if (rc >= 0) return;
    fprintf(stderr, "codec_bench: %s\n", e->text);
    exit(1);
}

static struct part *write_flush(const struct data *x, size_t flush, uint64_t *bytes)
{
    char path[80];
    int64_t times[SHORT];
    struct part_writer *w;
    struct part_info info;
    struct part *p;
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s-%zu", part_path(), flush);
    for (int i = 0; i < SHORT; i++) times[i] = 1700000000000 + ((int64_t)flush * SHORT + i) * STEP_MS;
    unlink(path);
    must(part_writer_open(path, 0, flush, 1, &w, &e), &e);
    for (size_t s = 0; s < x->series; s++) {
        struct run r = { (uint64_t)(s / 4) << 32 | s,
                         ROW_FLOAT,
                         SHORT,
                         times,
                         x->value + s * x->rows + flush * SHORT,
                         NULL,
                         NULL };
        must(part_writer_run(w, &r, &e), &e);
    }
    must(part_writer_finish(w, &info, &e), &e);
    must(part_open(path, &p, &e), &e);
    unlink(path);
    *bytes += info.bytes;
    return p;
}

static int64_t look_up(struct part *p, size_t series, size_t times)
{
    struct dice d = { 9 };
    struct err e = ERR_INIT;
    struct run r;
    struct part_cursor *c = part_cursor_new(p);
    int64_t before = clock_cpu_ns();
    for (size_t i = 0; i < times; i++) {
        uint64_t s = roll_below(&d, series);
        must(part_cursor_seek(c, s / 4 << 32 | s, &e), &e);
        must(part_cursor_read(c, INT64_MIN, INT64_MAX, NULL, &r, &e), &e);
    }
    int64_t spent = clock_cpu_ns() - before;
    part_cursor_free(c);
    return spent / (int64_t)times;
}

static void life(const char *name, struct data x)
{
    struct part *part[FLUSHES], *joined;
    struct part_info info;
    struct err e = ERR_INIT;
    uint64_t bytes = 0;
    for (size_t i = 0; i < FLUSHES; i++) part[i] = write_flush(&x, i, &bytes);
    unlink(part_path());
    int64_t before = clock_cpu_ns();
    must(part_merge(part, FLUSHES, part_path(), 1, 99, 1, NULL, NULL, NULL, &info, &e), &e);
    int64_t spent = clock_cpu_ns() - before;
    double n = (double)(x.series * ROWS);
    must(part_open(part_path(), &joined, &e), &e);
    printf("%-22s %9.0f  %7.3f %7.3f   %6.1f          %8lld\n", name, n, (double)bytes / n,
           (double)info.bytes / n, (double)spent / n, (long long)look_up(joined, x.series, 2000));
    part_close(joined);
    unlink(part_path());
    for (size_t i = 0; i < FLUSHES; i++) part_close(part[i]);
    mem_free(x.value);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fill)(struct dice *, double *);
    } kinds[] = { { "constant", constant },
                  { "integer walk", integer_walk },
                  { "gauge, 2 decimals", decimal_gauge },
                  { "counter", counter },
                  { "latency bucket", latency_bucket },
                  { "token counter", tokens },
                  { "float sum", seconds_sum },
                  { "computed gauge", computed } };

    printf("%-22s %9s  %7s %7s   %6s %6s   %6s %6s\n", "", "samples", "packed", "part", "encode", "decode",
           "write", "read");
    printf("%-22s %9s  %15s   %13s   %13s\n", "", "", "bytes/sample", "ns, columns", "ns, parts");
    for (size_t i = 0; i < COUNT(kinds); i++) measure(kinds[i].name, generate(kinds[i].fill));
    if (argc > 1) measure("scrapes", load(argv + 1, (size_t)argc - 1));

    printf("\n%-22s %9s  %7s %7s   %6s          %8s\n", "", "samples", "5 min", "merged", "ns",
           "ns, one series");
    life("counter", generate(counter));
    if (argc > 1) life("scrapes", load(argv + 1, (size_t)argc - 1));
    return 0;
}
