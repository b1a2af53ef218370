/* tier_bench.c - rate() over weeks from rows and from hourly summaries: CPU of both, and bytes of both.
 *
 *     tier_bench DIR [DAYS [SERIES [SECONDS]]]       90 days, 320 series, a sample every 15 s */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "query/promql/engine.h"
#include "store/embedded.h"

#define DAY   86400000ll
#define HOUR  3600000ll
#define TIMES 9

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int rc, const struct err *e)
{
    if (rc == OK) return;
    fprintf(stderr, "tier_bench: %s\n", e->text);
    exit(1);
}

static struct labels labels_of(size_t s, struct arena *a)
{
    struct label *l = arena_array(a, 3, sizeof *l);
    l[0] = (struct label){ STR("__name__"), STR("node_cpu_seconds_total") };
    l[1] = (struct label){ STR("cpu"), arena_printf(a, "%zu", s % 16) };
    l[2] = (struct label){ STR("instance"), arena_printf(a, "host-%zu:9100", s / 16) };
    return (struct labels){ l, 3 };
}

/* Counters of hundredths of a second, each at its own uneven pace; a reset a week. */
static void write_day(struct store *s, int64_t begin_ms, size_t day, size_t n_series, int64_t every_ms)
{
    struct arena a = ARENA_INIT(1u << 30);
    struct batch b;
    struct write_result r;
    struct err e = ERR_INIT;
    for (size_t i = 0; i < n_series; i++) {
        uint64_t seed = i * 7919 + day * 104729 + 1, ticks = (day % 7) * 5000000 + i;
        batch_init(&b, &a, LABELS_PACKED);
        batch_series_labels(&b, labels_of(i, &a));
        for (int64_t t = (int64_t)(i / 16 * 37); t < DAY; t += every_ms) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            ticks += (seed >> 33) % 1500;
            batch_sample(&b, begin_ms + t, (double)ticks / 100);
        }
        int rc;
        while ((rc = store_write(s, &b, ACK_MEMORY, &r, NULL, NULL, &e)) == ERR_BUSY)
            nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
        must(rc, &e);
        arena_reset(&a);
    }
    arena_release(&a);
}

static struct store *open_store(const char *dir, bool tiers)
{
    struct embedded_conf conf = { .dir = dir, .min_free_bytes = 1, .tier_1h = tiers };
    struct err e = ERR_INIT;
    struct store *s = NULL;
    must(embedded_open(&conf, &s, &e), &e);
    return s;
}

static double ask(struct store *s, const char *text, int64_t start_ms, int64_t end_ms, double *sum)
{
    struct engine *en = engine_new(s, NULL, &(struct engine_conf){ .no_result_cache = true });
    struct query_conf conf = {
        .text = str_of(text), .start_ms = start_ms, .end_ms = end_ms, .step_ms = HOUR, .nocache = true
    };
    double best = 1e9;
    for (int i = 0; i < TIMES; i++) {
        struct query_result r = { 0 };
        struct err e = ERR_INIT;
        double begun = cpu_s();
        must(engine_query(en, &conf, &r, &e), &e);
        best = MIN(best, cpu_s() - begun);
        *sum = 0;
        for (size_t k = 0; k < r.n; k++)
            for (size_t p = 0; p < r.series[k].n; p++) *sum += r.series[k].points[p].value;
        query_result_release(&r);
    }
    engine_free(en);
    return best;
}

static uint64_t bytes_of(struct store *s)
{
    struct store_status st;
    store_status(s, &st);
    return st.table[TABLE_METRICS].bytes_on_disk;
}

int main(int argc, char **argv)
{
    static const char *const texts[] = { "rate(node_cpu_seconds_total[1h])",
                                         "sum(rate(node_cpu_seconds_total[1h]))",
                                         "max_over_time(node_cpu_seconds_total[6h])",
                                         "avg_over_time(node_cpu_seconds_total[1d])" };
    if (argc < 2) return fprintf(stderr, "tier_bench DIR [DAYS [SERIES [SECONDS]]]\n"), 1;
    size_t days = argc > 2 ? (size_t)atol(argv[2]) : 90, series = argc > 3 ? (size_t)atol(argv[3]) : 320;
    int64_t every_ms = argc > 4 ? atol(argv[4]) * 1000 : 15000;
    int64_t start = (clock_now_ms() / DAY - (int64_t)days - 2) * DAY, end = start + (int64_t)days * DAY;
    struct err e = ERR_INIT;
    double rows[COUNT(texts)], sum_rows[COUNT(texts)];

    struct store *s = open_store(argv[1], false);
    for (size_t d = 0; d < days; d++) write_day(s, start + (int64_t)d * DAY, d, series, every_ms);
    must(store_admin(s, STORE_FLUSH, NULL, &e), &e);
    must(store_admin(s, STORE_MERGE, NULL, &e), &e);
    uint64_t bytes = bytes_of(s);
    for (size_t i = 0; i < COUNT(texts); i++) rows[i] = ask(s, texts[i], start + DAY, end, &sum_rows[i]);
    store_close(s);

    s = open_store(argv[1], true);
    double begun = cpu_s();
    must(store_admin(s, STORE_MERGE, NULL, &e), &e);
    double built = cpu_s() - begun, n = (double)days * (double)series * (double)(DAY / every_ms);
    printf("%zu days, %zu series, every %lld s: %.1f M samples\n", days, series, (long long)every_ms / 1000,
           n / 1e6);
    printf("making summaries: %.3f s CPU per million samples; %.4f bytes a sample beside %.3f\n",
           built / n * 1e6, (double)(bytes_of(s) - bytes) / n, (double)bytes / n);
    for (size_t i = 0; i < COUNT(texts); i++) {
        double sum, t = ask(s, texts[i], start + DAY, end, &sum);
        printf("%-46s rows %8.1f ms   summaries %7.1f ms   %5.1fx   difference %.1e\n", texts[i],
               rows[i] * 1e3, t * 1e3, rows[i] / t, sum == sum_rows[i] ? 0 : (sum - sum_rows[i]) / sum);
    }
    store_close(s);
    return 0;
}
