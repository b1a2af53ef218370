/* promql_eval_bench.c - what evaluation costs beyond the scan: queries over a store in memory whose scan is
 * free.
 *
 *     make build/libvedette.a && gcc -O2 -std=c17 -D_GNU_SOURCE -Isrc -Itests tests/bench/promql_eval_bench.c
 * build/libvedette.a ...
 *
 * Prints milliseconds a query: wall, and CPU of the whole process. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "query/promql/engine.h"
#include "unit/toy_store.c"

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fill(struct store *s, int n_series, int n_rows)
{
    for (int i = 0; i < n_series; i++) {
        char name[32], job[32];
        struct label l[] = { { STR("__name__"), STR("hits_total") },
                             { STR("instance"), { name, 0 } },
                             { STR("job"), { job, 0 } } };
        l[1].value.n = (size_t)snprintf(name, sizeof name, "host-%d", i);
        l[2].value.n = (size_t)snprintf(job, sizeof job, "job-%d", i % 8);
        for (int k = 0; k < n_rows; k++)
            toy_store_add(s, (struct labels){ l, 3 }, k * 15000, (double)(k % 500) * (i + 1), NULL, 0);
    }
}

static void run(struct engine *en, const char *text, int64_t end_ms, int64_t step_ms, int times)
{
    int64_t begun = clock_mono_ns();
    double cpu = cpu_ms();
    size_t series = 0, samples = 0;
    for (int i = 0; i < times; i++) {
        struct query_conf c = {
            .text = str_of(text), .start_ms = step_ms ? 0 : end_ms, .end_ms = end_ms, .step_ms = step_ms
        };
        struct query_result r;
        struct err e = ERR_INIT;
        if (engine_query(en, &c, &r, &e) < 0) {
            printf("%s: %s\n", text, e.text);
            return;
        }
        series = r.n;
        samples = r.stats.samples_total;
        query_result_release(&r);
    }
    printf("%-56s %7.2f ms wall %7.2f ms CPU  %zu series, %zu samples read\n", text,
           (double)(clock_mono_ns() - begun) / 1e6 / times, (cpu_ms() - cpu) / times, series, samples);
}

int main(void)
{
    struct store *s = toy_store_new();
    struct work_pool *pool = work_start("bench", 2, 64);
    struct engine *en = engine_new(s, pool, NULL);
    const int64_t hour = 3600000;
    static const char *const queries[] = {
        "hits_total",
        "rate(hits_total[5m])",
        "sum(rate(hits_total[5m]))",
        "sum by (job) (rate(hits_total[5m]))",
        "avg_over_time(hits_total[1h])",
        "sum_over_time(hits_total[1h])",
        "max_over_time(hits_total[1h])",
        "quantile_over_time(0.9, hits_total[1h])",
        "stddev_over_time(hits_total[1h])",
        "deriv(hits_total[1h])",
        "topk(5, hits_total)",
        "quantile(0.9, hits_total)",
        "hits_total / on(instance, job) hits_total",
        "count(count_over_time(hits_total[4h]))",
        "max_over_time(rate(hits_total[5m])[1h:1m])",
    };

    fill(s, 320, 4 * 240);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) run(en, queries[i], 4 * hour, 60000, 20);
    run(en, "count(hits_total)", 4 * hour, 0, 200);
    run(en, "sum(rate(hits_total[5m]))", 4 * hour, 0, 200);
    engine_free(en);
    work_stop(pool);
    store_close(s);
    return 0;
}
