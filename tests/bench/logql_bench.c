/* logql_bench - LogQL over the embedded engine: lines a second of scans, pipelines and counts.
 *
 *     logql_bench [RECORDS [DIR [THREADS]]]        default: 2000000 records, /tmp, one thread
 *
 * Lines are logfmt of about 130 bytes, 20 streams, a day; one in a thousand has a needle, half carry an
 * attribute. Everything is in files (flushed and merged) before the first question. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "query/logql/logql.h"
#include "store/embedded.h"

#define BATCH    20000
#define DAY_NS   86400000000000LL
#define START_NS (1700006400LL * 1000000000)

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "%s: %s\n", what, e->text);
    exit(1);
}

static uint64_t below(uint64_t n)
{
    static uint64_t seed = 7;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

static void add(struct records *r, size_t i, size_t n, struct err *e)
{
    static const char *const levels[] = { "info", "info", "info", "warn", "error" };
    static const uint8_t severity[] = { 9, 9, 9, 13, 17 };
    char line[300], app[16];
    size_t level = below(5);
    int len = snprintf(
        line, sizeof line,
        "level=%s caller=handler.go:%d msg=\"request done\" method=GET path=/api/v1/items/%d status=%d "
        "duration=%dms bytes=%d%s",
        levels[level], (int)below(400), (int)below(100000), 200 + (int)below(4) * 100, (int)below(2000),
        (int)below(100000), below(1000) == 0 ? " needle" : "");
    snprintf(app, sizeof app, "app-%d", (int)(i % 20));
    struct attr resource = { STR("service.name"), value_str(str_of(app)) };
    struct attr attr = { STR("team"), value_str(i % 4 < 2 ? STR("red") : STR("blue")) };
    struct origin o = { .resource = { &resource, 1 } };
    struct record rec = { .time_ns = START_NS + (int64_t)((double)DAY_NS / (double)n * (double)i),
                          .attrs = { &attr, i % 2 } };
    rec.log.body = value_str(str_make(line, (size_t)len));
    rec.log.severity = severity[level];
    records_origin(r, &o);
    if (records_add(r, &rec, e) < 0) die("add", e);
}

static void fill(struct store *s, size_t n)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < n; i += BATCH) {
        struct arena a = ARENA_INIT(256u << 20);
        struct records r;
        struct write_result result = { 0 };
        records_init(&r, &a, TABLE_LOGS);
        for (size_t k = i; k < MIN(i + BATCH, n); k++) add(&r, k, n, &e);
        records_end(&r);
        struct batch b = { .logs = &r };
        while (store_write(s, &b, ACK_MEMORY, &result, NULL, NULL, &e) == ERR_BUSY) usleep(20000);
        arena_release(&a);
    }
    if (store_admin(s, STORE_FLUSH, NULL, &e) < 0) die("flush", &e);
    if (store_admin(s, STORE_MERGE, NULL, &e) < 0) die("merge", &e);
}

static void ask(struct logql *lq, const char *text, size_t records, int64_t step_ns, const char *goal)
{
    struct err e = ERR_INIT;
    struct logql_result r;
    struct logql_request q = { .text = str_of(text),
                               .start_ns = START_NS,
                               .end_ns = START_NS + DAY_NS,
                               .step_ns = step_ns,
                               .limit = 5000 };
    double best = 1e9;
    uint64_t lines = 0, matched = 0;
    for (int i = 0; i < 3; i++) {
        if (logql_query(lq, &q, &r, &e) < 0) die(text, &e);
        best = MIN(best, r.stats.total_s);
        lines = r.stats.lines;
        matched = r.stats.matched;
        logql_result_release(&r);
    }
    printf("  %8.1f ms %9.2f M/s  read %9llu  matched %8llu  goal %-9s %s\n", best * 1e3,
           (double)records / best / 1e6, (unsigned long long)lines, (unsigned long long)matched, goal, text);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
    char dir[400], command[500];
    struct store *s;
    struct err e = ERR_INIT;
    snprintf(dir, sizeof dir, "%s/logql_bench.%d", argc > 2 ? argv[2] : "/tmp", (int)getpid());
    if (embedded_open(&(struct embedded_conf){ .dir = dir }, &s, &e) < 0) die("open", &e);
    int64_t begun = clock_mono_ns();
    fill(s, n);
    printf("logql_bench: %zu records written, flushed and merged in %.1f s\n", n,
           (double)(clock_mono_ns() - begun) / 1e9);
    struct work_pool *pool = argc > 3 ? work_start("query", strtoull(argv[3], NULL, 10), 64) : NULL;
    struct logql *lq = logql_new(s, pool, NULL);
    int64_t hour = 3600000000000LL;
    ask(lq, "{service_name=~\".+\"} |= \"needle\"", n, 0, "1 M/s");
    ask(lq, "{service_name=~\".+\"} |= \"nothing has this\"", n, 0, "1 M/s");
    ask(lq, "{service_name=~\".+\"} |~ \"status=50[0-9] .*needle\"", n, 0, "");
    ask(lq, "{service_name=~\".+\"}", n, 0, "");
    ask(lq, "{service_name=~\".+\"} | logfmt | status=\"500\" | duration > 1900ms", n, 0, "");
    ask(lq, "sum(count_over_time({service_name=~\".+\"}[1h]))", n, hour, "10 M/s");
    ask(lq, "sum by (service_name) (count_over_time({service_name=~\".+\"}[1h]))", n, hour, "10 M/s");
    ask(lq, "sum by (detected_level) (count_over_time({service_name=~\".+\"}[1h]))", n, hour, "");
    ask(lq, "count_over_time({service_name=~\".+\"}[1h])", n, hour, "");
    ask(lq, "sum by (service_name) (rate({service_name=~\".+\"} |= \"level=error\" [5m]))", n, hour / 12,
        "1 M/s");
    ask(lq,
        "quantile_over_time(0.99, {service_name=\"app-3\"} | logfmt | unwrap duration(duration) [1h]) by "
        "(status)",
        n / 20, hour, "");
    logql_free(lq);
    work_stop(pool);
    store_close(s);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) != 0;
}
