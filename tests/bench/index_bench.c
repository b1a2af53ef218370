/* index_bench.c - what a series costs: RAM in the registry, bytes in a day's index file, time to find,
 * make and select.
 *
 *     index_bench [hosts]        507 series a host, as node_exporter has them, eight labels of about
 *     145 bytes; default 400
 *
 * Figures are CPU time of one thread but for RSS. Three fleets: hosts that are all alike, one after
 * the other (the best case); the same with every eighth series missing and all in random order (the
 * worst); and alike again, but every series with a value of its own, as of a pod that lives once. RSS
 * tells only in the first: later ones reuse its memory. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/day_index.h"
#include "store/registry.h"

enum { DAY = 20000, BATCH = 64 };

struct fleet {
    struct str *packed; /* of every series, hosts' scrapes one after the other */
    struct hash128 *spelling;
    size_t n;
    uint64_t text_bytes;
};

/* ---- the series of a host ---- */

static const struct shape {
    const char *metric, *first, *second; /* the labels besides those of the target */
    int metrics, firsts, seconds;
} shapes[] = {
    { "node_cpu_seconds_total", "cpu", "mode", 1, 8, 8 },
    { "node_network_transmit_packets_%d_total", "device", "duplex", 40, 4, 1 },
    { "node_disk_io_time_weighted_%d_total", "device", "model", 20, 5, 1 },
    { "node_filesystem_avail_%d_bytes", "mountpoint", "fstype", 8, 6, 1 },
    { "node_memory_active_anonymous_%d_bytes", "scope", "unit", 135, 1, 1 },
};

static void add_series(struct fleet *f, struct arena *a, struct label *at, size_t n)
{
    struct err e = ERR_INIT;
    check(labels_normalise(at, &n, &e) == OK);
    struct buf b = BUF_INIT(1 << 16);
    labels_pack(&b, (struct labels){ at, n });
    f->packed[f->n] = arena_str(a, buf_view(&b));
    f->spelling[f->n++] = labels_packed_id(buf_view(&b));
    f->text_bytes += b.n;
    buf_release(&b);
}

enum fleet_kind { ALIKE, RAGGED, CHURNING };

static void add_host(struct fleet *f, struct arena *a, int host, enum fleet_kind kind)
{
    char name[64], instance[64], first[64], second[64], pod[64];
    snprintf(instance, sizeof instance, "10.20.%d.%d:9100", host / 250, host % 250);
    for (size_t s = 0; s < COUNT(shapes); s++)
        for (int i = 0; i < shapes[s].metrics * shapes[s].firsts * shapes[s].seconds; i++) {
            if (kind == RAGGED && rand() % 8 == 0) continue;
            snprintf(name, sizeof name, shapes[s].metric, i / (shapes[s].firsts * shapes[s].seconds));
            snprintf(first, sizeof first, "%s%d", shapes[s].first, i / shapes[s].seconds % shapes[s].firsts);
            snprintf(second, sizeof second, "%s-%d", shapes[s].second, i % shapes[s].seconds);
            snprintf(pod, sizeof pod, "pod-%08x-%05d", (unsigned)(f->n * 2654435761u), (int)(f->n % 100000));
            struct label at[] = {
                { STR(LABEL_NAME), str_of(name) },
                { STR("instance"), str_of(instance) },
                { STR("job"), STR("node-exporter") },
                { STR("cluster"), STR("prod-eu-1") },
                { STR("region"), STR("eu-west") },
                { str_of(shapes[s].first), str_of(first) },
                { str_of(shapes[s].second), str_of(second) },
                { STR("pod"), kind == CHURNING ? str_of(pod) : STR("node-exporter") },
            };
            add_series(f, a, at, COUNT(at));
        }
}

static void shuffle(struct fleet *f)
{
    for (size_t i = f->n; i > 1; i--) {
        size_t k = (size_t)rand() % i;
        struct str packed = f->packed[i - 1];
        struct hash128 spelling = f->spelling[i - 1];
        f->packed[i - 1] = f->packed[k], f->spelling[i - 1] = f->spelling[k];
        f->packed[k] = packed, f->spelling[k] = spelling;
    }
}

/* ---- measuring ---- */

static size_t rss_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%lu %lu", &total, &resident) != 2) resident = 0;
    if (f != NULL) fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static double per(int64_t begin_ns, size_t n)
{
    return (double)(clock_cpu_ns() - begin_ns) / (double)n;
}

static void make_all(struct registry *r, const struct fleet *f, series_key *keys)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct err e = ERR_INIT;
    size_t rss = rss_bytes();
    int64_t begin = clock_cpu_ns();
    for (size_t i = 0; i < f->n; i++) {
        enum registry_added added;
        struct str packed;
        check(registry_resolve(r, f->spelling[i], LABELS_PACKED, f->packed[i], &a, &keys[i], &added, &packed,
                               &e) == OK);
        check(added == REGISTRY_NEW);
        registry_mark(r, DAY, keys[i]);
        arena_reset(&a);
    }
    double ns = per(begin, f->n);
    struct registry_size size;
    registry_size(r, &size);
    printf("  new series          %8.2f us each\n", ns / 1000);
    printf("  RAM, counted        %8.1f B/series (%llu pairs)\n", (double)size.bytes / (double)f->n,
           (unsigned long long)size.pairs);
    printf("  RAM, RSS            %8.1f B/series\n", (double)(rss_bytes() - rss) / (double)f->n);
    arena_release(&a);
}

static double find_all(struct registry *r, const struct fleet *f, const uint32_t *order)
{
    int64_t begin = clock_cpu_ns();
    for (size_t i = 0; i < f->n; i += BATCH) {
        size_t n = MIN((size_t)BATCH, f->n - i);
        for (size_t k = 0; k < n; k++) registry_prefetch(r, f->spelling[order[i + k]]);
        for (size_t k = 0; k < n; k++) {
            series_key key = 0;
            check(registry_find(r, f->spelling[order[i + k]], &key));
        }
    }
    return per(begin, f->n);
}

static void find_in_two_orders(struct registry *r, const struct fleet *f, const series_key *keys)
{
    uint32_t *order = mem_array(f->n, sizeof *order);
    for (size_t i = 0; i < f->n; i++) order[i] = (uint32_t)i;
    find_all(r, f, order);
    printf("  find, scrape order  %8.1f ns\n", find_all(r, f, order));
    for (size_t i = f->n - 1; i > 0; i--) {
        size_t k = (size_t)(rand() % (int)(i + 1));
        uint32_t swap = order[i];
        order[i] = order[k], order[k] = swap;
    }
    printf("  find, random order  %8.1f ns (the hashes themselves are read at random, too)\n",
           find_all(r, f, order));
    int64_t begin = clock_cpu_ns();
    for (size_t i = 0; i < f->n; i++) check(!registry_mark(r, DAY, keys[i]));
    printf("  mark                %8.1f ns\n", per(begin, f->n));
    struct arena a = ARENA_INIT(1 << 20);
    begin = clock_cpu_ns();
    for (size_t i = 0; i < f->n; i++) {
        check(registry_labels(r, keys[i], &a).n > 0);
        arena_reset(&a);
    }
    printf("  labels              %8.1f ns\n", per(begin, f->n));
    arena_release(&a);
    mem_free(order);
}

/* ---- selecting ---- */

struct question {
    const char *text;
    size_t n;
    struct {
        enum matcher_op op;
        const char *name, *value;
    } at[3];
};

static const struct question questions[] = {
    { "{__name__=\"node_cpu_seconds_total\"}", 1, { { MATCH_EQ, LABEL_NAME, "node_cpu_seconds_total" } } },
    { "node_cpu..{instance=\"10.20.0.7:9100\"}",
      2,
      { { MATCH_EQ, LABEL_NAME, "node_cpu_seconds_total" }, { MATCH_EQ, "instance", "10.20.0.7:9100" } } },
    { "node_cpu..{instance=~\"10.20.0.1.:.*\"}",
      2,
      { { MATCH_EQ, LABEL_NAME, "node_cpu_seconds_total" }, { MATCH_RE, "instance", "10.20.0.1.:.*" } } },
    { "node_cpu..{mode!=\"mode-0\"}",
      2,
      { { MATCH_EQ, LABEL_NAME, "node_cpu_seconds_total" }, { MATCH_NEQ, "mode", "mode-0" } } },
    { "node_cpu..{job,cpu=~\"cpu1|cpu2\"}",
      3,
      { { MATCH_EQ, LABEL_NAME, "node_cpu_seconds_total" },
        { MATCH_EQ, "job", "node-exporter" },
        { MATCH_RE, "cpu", "cpu1|cpu2" } } },
    { "{instance=\"10.20.0.7:9100\"}", 1, { { MATCH_EQ, "instance", "10.20.0.7:9100" } } },
    { "{__name__=~\"node_network.*\"}", 1, { { MATCH_RE, LABEL_NAME, "node_network.*" } } },
    { "{__name__=~\".+\"}", 1, { { MATCH_RE, LABEL_NAME, ".+" } } },
};

typedef int selecting(const void *from, const struct matcher *, size_t n, struct call *, series_key **out,
                      size_t *n_out, struct err *);

static int from_registry(const void *r, const struct matcher *m, size_t n, struct call *call,
                         series_key **out, size_t *n_out, struct err *e)
{
    return registry_select(r, DAY, m, n, call, out, n_out, e);
}

static int from_file(const void *d, const struct matcher *m, size_t n, struct call *call, series_key **out,
                     size_t *n_out, struct err *e)
{
    return day_index_select(d, m, n, call, out, n_out, e);
}

static void ask(const char *where, selecting *select, const void *from)
{
    struct arena a = ARENA_INIT(256 << 20);
    struct call call = { .arena = &a };
    struct err e = ERR_INIT;
    for (size_t i = 0; i < COUNT(questions); i++) {
        struct matcher m[3];
        const struct question *q = &questions[i];
        int64_t best = INT64_MAX, first = 0;
        size_t n = 0;
        for (size_t k = 0; k < q->n; k++)
            check(matcher_init(&m[k], q->at[k].op, str_of(q->at[k].name), str_of(q->at[k].value), &e) == OK);
        for (int round = 0; round < 5; round++) {
            series_key *keys;
            int64_t begin = clock_cpu_ns();
            check(select(from, m, q->n, &call, &keys, &n, &e) == OK);
            int64_t took = clock_cpu_ns() - begin;
            if (round == 0) first = took;
            best = MIN(best, took);
            arena_reset(&a);
        }
        printf("  %s %-42s %7zu series  first %8.1f us, best %8.1f us\n", where, q->text, n,
               (double)first / 1e3, (double)best / 1e3);
        for (size_t k = 0; k < q->n; k++) matcher_release(&m[k]);
    }
    arena_release(&a);
}

/* ---- the file ---- */

struct lend {
    struct registry *r;
    struct arena arena;
};

static struct str packed_of(void *ctx, series_key key)
{
    struct lend *lend = ctx;
    arena_reset(&lend->arena);
    return registry_packed(lend->r, key, &lend->arena);
}

static int count_row(void *ctx, series_key key, struct str packed)
{
    (void)key;
    *(size_t *)ctx += packed.n;
    return OK;
}

static void labels_of_all(const struct day_index *d, const series_key *keys, size_t n)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct err e = ERR_INIT;
    int64_t begin = clock_cpu_ns();
    for (size_t i = 0; i < n; i++) {
        struct labels l;
        check(day_index_labels(d, keys[i], &a, &l, &e) == OK);
        arena_reset(&a);
    }
    printf("  labels of a series  %8.2f us (in order of keys)\n", per(begin, n) / 1000);
    arena_release(&a);
}

static void measure_file(struct registry *r)
{
    char path[] = "/tmp/index_bench.XXXXXX";
    struct lend lend = { r, ARENA_INIT(1 << 20) };
    struct err e = ERR_INIT;
    struct day_index *d;
    series_key *keys;
    uint64_t bytes = 0;
    size_t seen = 0, n = registry_fresh(r, DAY, &keys, false);
    close(mkstemp(path));
    unlink(path);

    int64_t begin = clock_cpu_ns();
    check(day_index_write(path, keys, n, packed_of, &lend, &bytes, &e) == OK);
    printf("  index file          %8.1f B/series, written in %.2f us/series\n", (double)bytes / (double)n,
           per(begin, n) / 1000);
    begin = clock_cpu_ns();
    check(day_index_open(path, &d, &e) == OK);
    printf("  open                %8.1f us\n", per(begin, 1) / 1000);
    ask("file    ", from_file, d);
    labels_of_all(d, keys, n);
    begin = clock_cpu_ns();
    check(day_index_each(d, count_row, &seen, &e) == OK);
    printf("  each                %8.2f us/series\n", per(begin, n) / 1000);
    day_index_close(d);
    unlink(path);
    mem_free(keys);
    arena_release(&lend.arena);
}

static void measure(int hosts, enum fleet_kind kind)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    size_t n = (size_t)hosts * 507;
    struct fleet f = { mem_array(n, sizeof *f.packed), mem_array(n, sizeof *f.spelling), 0, 0 };
    series_key *keys = mem_array(n, sizeof *keys);
    static const char *const texts[] = { "hosts alike", "ragged, in random order",
                                         "hosts alike, one label unique" };
    for (int i = 0; i < hosts; i++) add_host(&f, &a, i, kind);
    if (kind == RAGGED) shuffle(&f);
    for (size_t i = 0; i < n; i++) keys[i] = 1; /* resident before RSS is measured */
    printf("%s: %zu series, %.1f B of labels each\n", texts[kind], f.n, (double)f.text_bytes / (double)f.n);

    struct registry *r = registry_new(UINT64_MAX);
    make_all(r, &f, keys);
    find_in_two_orders(r, &f, keys);
    ask("registry", from_registry, r);
    measure_file(r);
    registry_free(r);
    mem_free(keys);
    mem_free(f.packed);
    mem_free(f.spelling);
    arena_release(&a);
}

int main(int argc, char **argv)
{
    int hosts = argc > 1 ? atoi(argv[1]) : 400;
    if (hosts < 1 || hosts > 20000) return fprintf(stderr, "hosts: 1 to 20000\n"), 2;
    measure(hosts, ALIKE);
    measure(hosts, RAGGED);
    measure(hosts, CHURNING);
    return 0;
}
