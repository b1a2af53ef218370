/* store_bench.c - the embedded store by itself: what a sample costs on its way in, a scan on its way out,
 * memory and disk.
 *
 *     store_bench [series [steps [dir [key file]]]]     default 10140 960: the shape of 4 hours of 20 hosts
 * at 15 s
 *
 * Values are synthetic (counters, integer walks, a tenth of them noisy), so bytes per sample here say little:
 * the parts' own bench has the honest figures. CPU is process CPU; the machine may be shared, so wall times
 * are only for orientation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/work.h"
#include "store/embedded.h"

#define BATCH   2000
#define STEP_MS 15000

static size_t n_series = 10140, n_steps = 960;
static struct batch_series *series;
static double *value;
static int64_t t0_ms;

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long rss_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) sscanf(line, "VmRSS: %ld", &kb);
    if (f != NULL) fclose(f);
    return kb;
}

static long peak_kb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void make_series(struct arena *a)
{
    series = mem_array(n_series, sizeof *series);
    value = mem_array(n_series, sizeof *value);
    for (size_t i = 0; i < n_series; i++) {
        struct batch b;
        struct label l[8] = { { STR("__name__"), arena_printf(a, "metric_%zu_total", i % 507) },
                              { STR("cpu"), arena_printf(a, "%zu", i % 16) },
                              { STR("device"), arena_printf(a, "dev-%zu", i % 5) },
                              { STR("instance"), arena_printf(a, "host-%zu.example.com:9100", i / 507) },
                              { STR("job"), STR("node") },
                              { STR("mode"), arena_printf(a, "mode-%zu", i % 8) },
                              { STR("region"), STR("eu-central-1") },
                              { STR("team"), STR("observability") } };
        batch_init(&b, a, LABELS_PACKED);
        batch_series_labels(&b, (struct labels){ l, 8 });
        series[i] = b.series[0];
    }
}

static double next_value(size_t i, size_t step)
{
    uint64_t r = (i * 0x9e3779b97f4a7c15ull) ^ (step * 0xc2b2ae3d27d4eb4full);
    r ^= r >> 31;
    r *= 0x94d049bb133111ebull;
    r ^= r >> 29;
    if (i % 10 == 0) return (double)(r % 1000000007) / 1000003.0; /* noisy */
    if (i % 3 == 0) return value[i] += (double)(r % 5) - 2;       /* walk */
    if (i % 3 == 1) return value[i] += (double)(r % 900);         /* counter */
    return value[i] = 42;                                         /* constant */
}

static void done(void *ctx, int rc)
{
    check(rc == OK);
    atomic_fetch_sub((atomic_int *)ctx, 1);
}

static double write_cpu_ns, build_cpu_ns;
static atomic_int in_flight;

static void write_batch(struct store *s, struct arena *a, size_t first, size_t n, size_t step)
{
    struct batch b;
    struct write_result r;
    struct err e = ERR_INIT;
    int64_t c0 = clock_cpu_ns();
    batch_init(&b, a, LABELS_PACKED);
    b.series = arena_array(a, n, sizeof *b.series);
    b.time_ms = arena_array(a, n, sizeof *b.time_ms);
    b.value = arena_array(a, n, sizeof *b.value);
    b.n_series = b.n_rows = n;
    for (size_t i = 0; i < n; i++) {
        b.series[i] = series[first + i];
        b.series[i].row = (uint32_t)i;
        b.series[i].n_rows = 1;
        b.time_ms[i] = t0_ms + (int64_t)step * STEP_MS;
        b.value[i] = next_value(first + i, step);
    }
    int64_t c1 = clock_cpu_ns();
    atomic_fetch_add(&in_flight, 1);
    int rc;
    while ((rc = store_write(s, &b, ACK_DURABLE, &r, done, &in_flight, &e)) == ERR_BUSY) usleep(1000);
    if (rc != OK) fprintf(stderr, "%s\n", e.text);
    check(rc == OK && r.rejected_total == 0);
    build_cpu_ns += (double)(c1 - c0);
    write_cpu_ns += (double)(clock_cpu_ns() - c1);
    arena_reset(a);
    while (atomic_load(&in_flight) > 16) usleep(100); /* as many connections as a busy door has */
}

static void ingest(struct store *s)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    double samples = (double)n_series * (double)n_steps, cpu = cpu_s();
    int64_t wall = clock_mono_ns();

    for (size_t step = 0; step < n_steps; step++) {
        for (size_t i = 0; i < n_series; i += BATCH)
            write_batch(s, &a, i, MIN((size_t)BATCH, n_series - i), step);
        if (step == 0) {
            printf("first step: %zu new series, %.2f us CPU each, RSS %ld KB\n", n_series,
                   write_cpu_ns / 1e3 / (double)n_series, rss_kb());
            write_cpu_ns = build_cpu_ns = 0;
            cpu = cpu_s();
        }
    }
    while (atomic_load(&in_flight) > 0) usleep(100);
    samples -= (double)n_series;
    cpu = cpu_s() - cpu;
    printf("ingest: %.2f M samples, store_write %.1f ns/sample, all threads %.1f ns/sample (without making "
           "the data), %.0f k samples/s wall\n",
           samples / 1e6, write_cpu_ns / samples, (cpu * 1e9 - build_cpu_ns) / samples,
           samples / ((double)(clock_mono_ns() - wall) / 1e9) / 1e3);
    arena_release(&a);
}

static int count_rows(void *ctx, const struct series_rows *r)
{
    double sum = 0;
    for (size_t i = 0; i < r->n; i++) sum += r->value[i];
    atomic_fetch_add((atomic_size_t *)ctx, r->n + (sum == 0.12345));
    return OK;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* One writer that waits for each answer: what fdatasync costs a lonely client. */
static void acks(struct store *s)
{
    enum { N = 300 };
    static double ms[N];
    struct arena a = ARENA_INIT(SIZE_MAX);
    for (size_t i = 0; i < N; i++) {
        int64_t t = clock_mono_ns();
        write_batch(s, &a, 0, MIN((size_t)100, n_series), n_steps + i);
        while (atomic_load(&in_flight) > 0) usleep(50);
        ms[i] = (double)(clock_mono_ns() - t) / 1e6;
    }
    qsort(ms, N, sizeof ms[0], by_size);
    printf("durable acknowledgement, one writer: p50 %.2f ms, p99 %.2f ms, worst %.2f ms\n", ms[N / 2],
           ms[N * 99 / 100], ms[N - 1]);
    arena_release(&a);
}

struct half {
    struct store_view *v;
    struct series_set *set;
    int64_t from, to;
    size_t pieces;
    atomic_size_t rows;
};

static void scan_piece(void *ctx, size_t i)
{
    struct half *h = ctx;
    struct arena a = ARENA_INIT(1 << 30);
    struct call call = { .arena = &a };
    struct err e = ERR_INIT;
    size_t begin = h->set->n * i / h->pieces, end = h->set->n * (i + 1) / h->pieces;
    int rc =
        view_scan(h->v, &call, h->set->at + begin, end - begin, h->from, h->to, count_rows, &h->rows, &e);
    if (rc != OK) fprintf(stderr, "%s\n", e.text);
    check(rc == OK);
    arena_release(&a);
}

static void scan(struct store *s, const char *what, const char *metric, int64_t from, int64_t to,
                 struct work_pool *pool, size_t limit)
{
    double best = 1e9, best_series = 1e9, best_cpu = 1e9;
    struct half h = { .from = from, .to = to, .pieces = pool ? 16 : 1 };
    size_t n = 0;
    for (int round = 0; round < 5; round++) {
        struct arena a = ARENA_INIT(1 << 30);
        struct call call = { .arena = &a };
        struct err e = ERR_INIT;
        struct series_set set;
        struct matcher m;
        double cpu = cpu_s();
        int64_t t0 = clock_mono_ns();
        check(store_view_open(s, from, to, &h.v, &e) == OK);
        check(matcher_init(&m, MATCH_EQ, STR("__name__"), str_of(metric ? metric : ""), &e) == OK);
        check(view_series(h.v, &call, &m, metric != NULL, limit, &set, &e) == OK);
        int64_t t1 = clock_mono_ns();
        h.set = &set;
        atomic_store(&h.rows, 0);
        work_parallel(pool, h.pieces, scan_piece, &h);
        int64_t t2 = clock_mono_ns();
        store_view_close(h.v);
        best_series = MIN(best_series, (double)(t1 - t0) / 1e6);
        best = MIN(best, (double)(t2 - t1) / 1e6);
        best_cpu = MIN(best_cpu, (cpu_s() - cpu) * 1e3);
        n = set.n;
        matcher_release(&m);
        arena_release(&a);
    }
    size_t rows = atomic_load(&h.rows);
    printf("%-34s %6zu series %9zu rows: find %6.2f ms, scan %7.2f ms wall, all %7.2f ms CPU, %5.2f ns/row\n",
           what, n, rows, best_series, best, best_cpu, best * 1e6 / (double)MAX(rows, (size_t)1));
}

static void scans(struct store *s, struct work_pool *pool)
{
    int64_t end = t0_ms + (int64_t)n_steps * STEP_MS;
    scan(s, "one series, all", "metric_3_total", 0, end, NULL, 1);
    scan(s, "one metric, last 4 h", "metric_3_total", end - 4 * 3600000, end, NULL, 0);
    scan(s, "320 series, last 4 h", NULL, end - 4 * 3600000, end, NULL, 320);
    scan(s, "all series, last 5 min (instant)", NULL, end - 300000, end, NULL, 0);
    scan(s, "all series, all rows, 1 thread", NULL, 0, end, NULL, 0);
    scan(s, "all series, all rows, 2 threads", NULL, 0, end, pool, 0);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 3 ? argv[3] : "/tmp/vedette-store-bench", *key = argc > 4 ? argv[4] : NULL;
    char command[600];
    if (argc > 1) n_series = (size_t)atol(argv[1]);
    if (argc > 2) n_steps = (size_t)atol(argv[2]);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    check(system(command) == 0);

    struct arena names = ARENA_INIT(SIZE_MAX);
    struct work_pool *pool = work_start("bench", 1, 64); /* the caller takes part: two threads */
    struct store *s;
    struct err e = ERR_INIT;
    t0_ms = clock_now_ms() - (int64_t)n_steps * STEP_MS;
    make_series(&names);
    long before = rss_kb();
    check(embedded_open(&(struct embedded_conf){ .dir = dir, .key_file = key }, &s, &e) == OK);
    printf("%zu series x %zu steps; RSS before the store %ld KB, opened %ld KB\n", n_series, n_steps, before,
           rss_kb());

    ingest(s);
    printf("RSS %ld KB, peak %ld KB, the store's share at the peak: %.0f bytes a series\n", rss_kb(),
           peak_kb(), (double)(peak_kb() - before) * 1024 / (double)n_series);
    scans(s, pool);
    int64_t t = clock_mono_ns();
    double cpu = cpu_s();
    check(store_admin(s, STORE_FLUSH, NULL, &e) == OK);
    int rc = store_admin(s, STORE_MERGE, NULL, &e);
    if (rc != OK) fprintf(stderr, "%s\n", e.text);
    check(rc == OK);
    printf("flush and merge all: %.0f ms wall, %.0f ms CPU\n", (double)(clock_mono_ns() - t) / 1e6,
           (cpu_s() - cpu) * 1e3);
    scans(s, pool);

    struct store_status st;
    store_status(s, &st);
    printf("%llu parts, %llu rows, %.3f bytes/sample on disk, WAL %.1f MB, RSS %ld KB\n",
           (unsigned long long)st.parts, (unsigned long long)st.rows_on_disk,
           (double)st.bytes_on_disk / (double)st.rows_on_disk, (double)st.wal_bytes / 1e6, rss_kb());
    acks(s);
    store_close(s);
    t = clock_mono_ns();
    check(embedded_open(&(struct embedded_conf){ .dir = dir, .key_file = key }, &s, &e) == OK);
    printf("opened again in %.1f ms\n", (double)(clock_mono_ns() - t) / 1e6);
    store_close(s);
    work_stop(pool);
    check(system(command) == 0);
    mem_free(series);
    mem_free(value);
    arena_release(&names);
    return 0;
}
