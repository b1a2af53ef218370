/* upgrade.c - data of format version 1, written by the release that had only metrics, opens and answers the
 * same.
 *
 *     upgrade tests/data             judges store-1 against store-1.txt, then writes to it and opens it again
 *     upgrade --make tests/data      makes both, with the formats of the day: for the next version's fixture
 *
 * The list of rows is made from what is written, never from what is read. The data hold what a version can:
 * parts and index files, merged and not, two days, a log with rows of its own, exemplars and metadata, values
 * that only bits can tell apart. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "fault/common/crew.h"
#include "store/embedded.h"

enum { SERIES = 30, TIMES = 48, LINES_MAX = 1 << 20 };
#define DAY0_MS 1789776000000ll /* 2026-09-19 */
#define STEP_MS 3600000ll

static double value_of(unsigned series, unsigned i)
{
    static const uint64_t odd[] = {
        0x7ff0000000000002u, /* the stale marker */
        0x7ff8000000000001u, 0x7ff0000000000000u, 0xfff0000000000000u,
        0x8000000000000000u, 0x0000000000000001u,
    };
    double v;
    uint64_t bits = odd[(series + i) / 17 % COUNT(odd)];
    if ((series + i) % 17 != 0) return (series % 3 == 0 ? i * 15.0 : i * 0.1) + series;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static bool is_histogram(unsigned series)
{
    return series % 7 == 6;
}

static void put_line(struct buf *out, const char *name, uint64_t host, int64_t time_ms, double v,
                     int64_t start_ms, const struct histogram *h)
{
    buf_printf(out, "%s %llu %lld %016llx %lld", name, (unsigned long long)host, (long long)time_ms,
               (unsigned long long)bits_of(v), (long long)start_ms);
    if (h != NULL) buf_printf(out, " histogram %d %g %g", h->schema, h->count, h->pos[1]);
    buf_char(out, '\n');
}

/* ---- making ---- */

static void put_row(struct batch *b, struct buf *list, unsigned series, unsigned i)
{
    int64_t t = DAY0_MS + i * STEP_MS, start = series % 4 == 1 ? DAY0_MS - 5 : 0;
    double v = value_of(series, i);
    struct histogram *h = NULL;
    char name[32];
    if (is_histogram(series)) {
        h = arena_zero(b->arena, sizeof *h);
        *h = (struct histogram){ .schema = 3, .sum = i * 2.5, .count = 6 + i, .n_pos_spans = 1, .n_pos = 2 };
        h->pos_spans = arena_zero(b->arena, sizeof *h->pos_spans);
        h->pos_spans[0] = (struct hist_span){ (int32_t)series, 2 };
        h->pos = arena_array(b->arena, 2, sizeof(double));
        h->pos[0] = 6;
        h->pos[1] = i;
        v = h->sum;
        batch_histogram(b, t, h);
    } else {
        batch_sample(b, t, v);
    }
    if (start != 0) batch_start(b, start);
    snprintf(name, sizeof name, "fixture_%u", series / 6);
    put_line(list, name, series % 6, t, v, start, h);
}

static void put_batch(struct store *s, struct buf *list, unsigned from, unsigned to)
{
    struct arena a = ARENA_INIT(16u << 20);
    struct batch b;
    struct write_result r;
    batch_init(&b, &a, LABELS_PACKED);
    for (unsigned series = 0; series < SERIES; series++) {
        struct label *l = arena_array(&a, 2, sizeof *l), x = { STR("trace_id"), STR("0af7651916cd43dd") };
        struct buf packed = BUF_INIT(1024);
        l[0] = (struct label){ STR("__name__"), arena_printf(&a, "fixture_%u", series / 6) };
        l[1] = (struct label){ STR("host"), arena_printf(&a, "%u", series % 6) };
        batch_series_labels(&b, (struct labels){ l, 2 });
        for (unsigned i = from; i < to; i++) put_row(&b, list, series, i);
        labels_pack(&packed, (struct labels){ &x, 1 });
        if (series % 5 == 0)
            batch_exemplar(&b, DAY0_MS + from * STEP_MS, 1, arena_str(&a, buf_view(&packed)));
        buf_release(&packed);
    }
    batch_metadata(&b, STR("fixture_0"), STR("gauge"), STR("Rows of a fixture."), STR("seconds"));
    check(store_write(s, &b, ACK_DURABLE, &r, NULL, NULL, NULL) == OK && r.rejected_total == 0);
    arena_release(&a);
}

static struct embedded_conf conf_of(const char *dir)
{
    return (struct embedded_conf){ .dir = dir, .min_free_bytes = 1, .wal_segment_bytes = 32u << 10 };
}

static _Noreturn void make(const char *dir, const char *list_path)
{
    struct embedded_conf conf = conf_of(dir);
    struct buf list = BUF_INIT(64u << 20);
    struct store *s;
    check(embedded_open(&conf, &s, NULL) == OK);
    for (unsigned i = 0; i < TIMES; i += 12) {
        put_batch(s, &list, i, i + 12);
        if (i == 36) break; /* the last quarter stays in the log */
        check(store_admin(s, STORE_FLUSH, NULL, NULL) == OK);
        if (i == 12) check(store_admin(s, STORE_MERGE, NULL, NULL) == OK);
    }
    nanosleep(&(struct timespec){ 1, 0 }, NULL);
    check(file_replace(list_path, buf_view(&list), NULL) == OK);
    raise(SIGKILL);
    _exit(1);
}

/* ---- judging ---- */

struct reading {
    const struct series_set *set;
    struct buf list;
};

static int list_rows(void *ctx, const struct series_rows *r)
{
    struct reading *x = ctx;
    struct labels l = x->set->at[r->series].labels;
    struct str name = labels_get(l, "__name__"), host = labels_get(l, "host");
    char text[64];
    uint64_t number = 0;
    if (!str_starts(name, "fixture_")) return OK; /* written by the test */
    snprintf(text, sizeof text, "%.*s", (int)name.n, name.p);
    str_to_u64(host, &number);
    for (size_t i = 0; i < r->n; i++)
        put_line(&x->list, text, number, r->time_ms[i], r->value[i], r->start_ms ? r->start_ms[i] : 0,
                 r->hist ? r->hist[i] : NULL);
    return OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines in order; they are cut in place. */
static size_t sorted(struct buf *b, char **lines)
{
    size_t n = 0;
    buf_cstr(b);
    for (char *line = strtok(b->p, "\n"); line != NULL && n < LINES_MAX; line = strtok(NULL, "\n"))
        lines[n++] = line;
    qsort(lines, n, sizeof *lines, by_text);
    return n;
}

static void compare(struct store *s, const char *list_path, const char *when)
{
    struct arena a = ARENA_INIT(64u << 20);
    struct call call = { .arena = &a };
    struct series_set set;
    struct reading x = { &set, BUF_INIT(64u << 20) };
    struct buf want = BUF_INIT(64u << 20);
    struct store_view *v;
    struct err e = ERR_INIT;
    char **got_lines = mem_array(LINES_MAX, sizeof *got_lines),
         **want_lines = mem_array(LINES_MAX, sizeof *want_lines);
    check(file_slurp(list_path, &want, &e) == OK && store_view_open(s, 0, INT64_MAX, &v, &e) == OK);
    int rc = view_series(v, &call, NULL, 0, 0, &set, &e);
    if (rc == OK) rc = view_scan(v, &call, set.at, set.n, 0, INT64_MAX, list_rows, &x, &e);
    if (rc < 0) crew_wrong("%s: reading fails: %s", when, e.text);
    size_t n = sorted(&x.list, got_lines), m = sorted(&want, want_lines);
    if (n != m) crew_wrong("%s: %zu rows instead of %zu", when, n, m);
    for (size_t i = 0; i < MIN(n, m); i++)
        if (strcmp(got_lines[i], want_lines[i]) != 0)
            crew_wrong("%s: %s instead of %s", when, got_lines[i], want_lines[i]);
    printf("# upgrade: %s: %zu rows compared\n", when, MIN(n, m));
    store_view_close(v);
    mem_free(got_lines);
    mem_free(want_lines);
    buf_release(&x.list);
    buf_release(&want);
    arena_release(&a);
}

static void must_have_hints(struct store *s)
{
    struct arena a = ARENA_INIT(1u << 20);
    struct call call = { .arena = &a };
    struct store_view *v;
    struct exemplar *x;
    struct metadata *m;
    size_t n = 0, k = 0;
    check(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    if (view_exemplars(v, &call, NULL, 0, &x, &n, NULL) < 0 || n != 24)
        crew_wrong("%zu exemplars instead of 24", n);
    if (store_metadata(s, &call, STR("fixture_0"), 0, &m, &k, NULL) < 0 || k != 1 ||
        !str_is(m->unit, "seconds"))
        crew_wrong("the metadata is not there");
    store_view_close(v);
    arena_release(&a);
}

static void write_more(struct store *s)
{
    struct arena a = ARENA_INIT(1u << 20);
    struct batch b;
    struct write_result r;
    struct label l[] = { { STR("__name__"), STR("later") } };
    batch_init(&b, &a, LABELS_PACKED);
    batch_series_labels(&b, (struct labels){ l, 1 });
    batch_sample(&b, DAY0_MS + 1, 1);
    if (store_write(s, &b, ACK_DURABLE, &r, NULL, NULL, NULL) < 0) crew_wrong("it takes no write");
    arena_release(&a);
}

static void judge(const char *fixture, const char *list_path, const char *dir)
{
    struct embedded_conf conf = conf_of(dir);
    struct fsck_report report;
    struct store *s;
    struct err e = ERR_INIT;
    tree_copy(fixture, dir);
    if (embedded_fsck(dir, NULL, NULL, &report, &e) < 0 || report.damaged > 0)
        crew_wrong("fsck: damage: %s", e.text);
    for (int i = 0; i < 2; i++) {
        if (embedded_open(&conf, &s, &e) < 0) return crew_wrong("it does not open: %s", e.text);
        compare(s, list_path, i == 0 ? "opened" : "merged, closed, opened again");
        must_have_hints(s);
        write_more(s);
        if (store_admin(s, STORE_FLUSH, NULL, &e) < 0 || store_admin(s, STORE_MERGE, NULL, &e) < 0)
            crew_wrong("flush and merge: %s", e.text);
        store_close(s);
    }
}

int main(int argc, char **argv)
{
    char fixture[4000], list[4000], dir[300];
    bool is_made = argc > 2 && strcmp(argv[1], "--make") == 0;
    if (argc < 2) return fprintf(stderr, "usage: upgrade [--make] tests/data\n"), 2;
    snprintf(fixture, sizeof fixture, "%s/store-1", argv[argc - 1]);
    snprintf(list, sizeof list, "%s/store-1.txt", argv[argc - 1]);
    log_set_level(LOG_ERROR);
    crew_init("upgrade", 1);
    clock_fix_ms(DAY0_MS + 40 * STEP_MS);
    if (is_made) make(fixture, list);
    snprintf(dir, sizeof dir, "%s/data", scratch_make());
    judge(fixture, list, dir);
    scratch_remove();
    return crew_exit();
}
