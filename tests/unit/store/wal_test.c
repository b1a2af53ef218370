/* The write-ahead log: what was acknowledged comes back, whatever happened to the bytes after it. */
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/wal_frame.h"
#include "unit/test.h"

static char dir[64];

static void fresh_dir(void)
{
    strcpy(dir, "/tmp/vedette-wal-XXXXXX");
    EXPECT(mkdtemp(dir) != NULL);
}

static int remove_one(const char *name, bool is_dir, void *ctx)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", (const char *)ctx, name);
    return is_dir ? 0 : (unlink(path), 0);
}

static void remove_dir(void)
{
    file_list(dir, remove_one, dir, NULL);
    rmdir(dir);
}

static struct wal *open_wal(uint64_t segment, uint64_t lsn, uint64_t bytes)
{
    struct wal *w;
    struct err e = ERR_INIT;
    EXPECT(wal_open(&(struct wal_conf){ dir, bytes, 50, 20, segment, lsn }, &w, &e) == OK);
    return w;
}

/* One float row each, value i: easy to count on the way back. */
static void put_value(struct wal *w, uint64_t i, bool durable, store_done *done, void *ctx)
{
    series_key key = 7ull << 32 | i;
    int64_t t = 1000 + (int64_t)i;
    uint64_t bits = double_bits((double)i);
    wal_put_rows(wal_begin(w), ROW_FLOAT, &key, &t, &bits, 1);
    wal_end(w, durable, done, ctx);
}

struct acks {
    atomic_int ok, bad;
};
static void on_done(void *ctx, int rc)
{
    struct acks *a = ctx;
    atomic_fetch_add(rc == OK ? &a->ok : &a->bad, 1);
}

static void wait_for(struct acks *a, int least)
{
    for (int i = 0; i < 50000 && atomic_load(&a->ok) + atomic_load(&a->bad) < least; i++)
        nanosleep(&(struct timespec){ 0, 100000 }, NULL);
    int answers = atomic_load(&a->ok) + atomic_load(&a->bad);
    EXPECT(answers >= least);
}

struct seen {
    uint64_t rows, sum, series, exemplars, metadata, histograms;
    uint64_t first_missing; /* rows in order 0, 1, 2... */
    bool in_order;
    char text[256];
};

static int see_series(void *ctx, series_key key, struct str packed)
{
    struct seen *s = ctx;
    EXPECT(key == 42 && str_is(packed, "packed"));
    s->series++;
    return 0;
}
static int see_row(void *ctx, enum row_kind kind, series_key key, int64_t t, uint64_t bits, struct str hist)
{
    struct seen *s = ctx;
    if (kind == ROW_HISTOGRAM) {
        s->histograms++;
        EXPECT(hist.n > 0);
        return 0;
    }
    uint64_t i = (uint32_t)key;
    EXPECT(t == 1000 + (int64_t)i && double_of(bits) == (double)i);
    s->in_order &= i == s->rows;
    s->rows++;
    s->sum += i;
    return 0;
}
static int see_exemplar(void *ctx, const struct wal_exemplar *x)
{
    EXPECT(x->key == 3 && x->time_ms == -5 && x->value == 0.5 && str_is(x->labels, "ll"));
    ((struct seen *)ctx)->exemplars++;
    return 0;
}
static int see_metadata(void *ctx, const struct wal_metadata *m)
{
    EXPECT(str_is(m->family, "f") && str_is(m->type, "counter") && str_is(m->help, "help me") &&
           m->unit.n == 0);
    ((struct seen *)ctx)->metadata++;
    return 0;
}
static void see_text(void *ctx, const char *text)
{
    snprintf(((struct seen *)ctx)->text, 256, "%s", text);
}

static struct seen replay(uint64_t floor, struct wal_report *report)
{
    struct seen s = { .in_order = true };
    struct err e = ERR_INIT;
    struct wal_reader r = { { see_series, see_row, see_exemplar, see_metadata, &s }, NULL, see_text, true };
    EXPECT(wal_replay(dir, floor, &r, report, &e) == OK);
    return s;
}

TEST(wal_gives_back_what_was_acknowledged)
{
    fresh_dir();
    struct wal *w = open_wal(1, 1, 1 << 20);
    struct acks a = { 0 };
    for (uint64_t i = 0; i < 1000; i++) put_value(w, i, i % 10 == 0, i % 10 == 0 ? on_done : NULL, &a);
    wait_for(&a, 100);
    EXPECT(atomic_load(&a.bad) == 0);
    wal_close(w);

    struct wal_report report;
    struct seen s = replay(0, &report);
    EXPECT(s.rows == 1000 && s.in_order && report.torn == 0 && report.holes == 0 && report.missing == 0);
    EXPECT(report.last_segment == 1);
    remove_dir();
}

TEST(wal_carries_every_kind_of_record)
{
    fresh_dir();
    struct wal *w = open_wal(1, 1, 1 << 20);
    double pos[] = { 1, 2 };
    struct hist_span span = { -3, 2 };
    struct histogram x = {
        .schema = 1, .count = 3, .sum = 4, .n_pos_spans = 1, .n_pos = 2, .pos_spans = &span, .pos = pos
    };
    series_key key = 1;
    int64_t t = -9;
    uint64_t bits = (uint64_t)(uintptr_t)&x;

    struct buf *b = wal_begin(w);
    wal_put_series(b, 42, STR("packed"));
    wal_put_rows(b, ROW_HISTOGRAM, &key, &t, &bits, 1);
    wal_put_exemplars(b, &(struct wal_exemplar){ 3, -5, 0.5, STR("ll") }, 1);
    wal_put_metadata(b, &(struct wal_metadata){ STR("f"), STR("counter"), STR("help me"), STR("") }, 1);
    wal_end(w, false, NULL, NULL);
    EXPECT(wal_sync(w, NULL) == OK);
    wal_close(w);

    struct wal_report report;
    struct seen s = replay(0, &report);
    EXPECT(s.series == 1 && s.histograms == 1 && s.exemplars == 1 && s.metadata == 1);
    remove_dir();
}

TEST(wal_rows_keep_keys_times_and_bits)
{
    enum { N = 3000 };
    static series_key key[N];
    static int64_t t[N];
    static uint64_t bits[N];
    for (size_t i = 0; i < N; i++) {
        key[i] = i % 5 ? (uint64_t)i << 33 | (i * 2654435761u) % 0xffffffffu : UINT64_MAX - i;
        t[i] = i % 7 ? (int64_t)i * 15000 : (i % 2 ? INT64_MAX : INT64_MIN);
        bits[i] = i * 0x9e3779b97f4a7c15ull;
    }
    struct buf b = BUF_INIT(1 << 20);
    wal_put_rows(&b, ROW_START, key, t, bits, N);

    struct bare {
        size_t n;
        bool same;
    } got = { 0, true };
    int see(void *ctx, enum row_kind kind, series_key k, int64_t at, uint64_t v, struct str h)
    {
        struct bare *g = ctx;
        g->same &= kind == ROW_START && k == key[g->n] && at == t[g->n] && v == bits[g->n] && h.n == 0;
        g->n++;
        return 0;
    }
    struct wal_visitor visit = { .row = see, .ctx = &got };
    EXPECT(wal_records_read(buf_view(&b), &visit, NULL) == OK);
    EXPECT(got.n == N && got.same);

    for (size_t cut = 1; cut < 200;
         cut++) { /* a record cut anywhere is refused, never misread beyond its bytes */
        got = (struct bare){ 0, true };
        EXPECT(wal_records_read(str_make(b.p, b.n - cut), &visit, NULL) == ERR_CORRUPT);
    }
    buf_release(&b);
}

TEST(wal_segments_switch_cut_and_drop)
{
    fresh_dir();
    struct wal *w = open_wal(1, 1, 4096);
    for (uint64_t i = 0; i < 500; i++) {
        put_value(w, i, false, NULL, NULL);
        if (i % 50 == 0) EXPECT(wal_sync(w, NULL) == OK);
    }
    uint64_t cut = wal_cut(w), floor = 0;
    for (uint64_t i = 500; i < 600; i++) put_value(w, i, false, NULL, NULL);
    EXPECT(wal_cut_wait(w, cut, &floor, NULL) == OK);
    EXPECT(wal_sync(w, NULL) == OK);
    EXPECT(floor > 2 && wal_bytes(w) > 0);

    struct wal_report report;
    struct seen s = replay(0, &report);
    EXPECT(s.rows == 600 && s.in_order && report.missing == 0);
    s = replay(floor, &report);
    EXPECT(s.rows == 100 && s.sum == (500 + 599) * 50);

    wal_drop_below(w, floor);
    s = replay(0, &report);
    EXPECT(s.rows == 100);
    wal_close(w);
    remove_dir();
}

static void write_some(uint64_t n)
{
    struct wal *w = open_wal(1, 1, 64 << 10);
    for (uint64_t i = 0; i < n; i++) {
        put_value(w, i, false, NULL, NULL);
        EXPECT(wal_sync(w, NULL) == OK); /* one frame each */
    }
    wal_close(w);
}

static size_t slurp(const char *path, char **out)
{
    struct buf b = BUF_INIT(1 << 24);
    EXPECT(file_slurp(path, &b, NULL) == OK);
    *out = b.p;
    return b.n;
}

static void spit(const char *path, const char *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    EXPECT(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    close(fd);
}

static size_t data_end(const char *p, size_t n)
{
    while (n > 0 && p[n - 1] == 0) n--;
    return n;
}

TEST(wal_torn_at_every_byte_of_the_last_frame_loses_that_frame_only)
{
    fresh_dir();
    write_some(20);
    char path[128], *p;
    wal_segment_path(path, sizeof path, dir, 1);
    size_t n = slurp(path, &p), end = data_end(p, n);
    size_t frame = WAL_FRAME_HEAD + (end - WAL_SEGMENT_HEAD - 19 * WAL_FRAME_HEAD) / 20; /* about */

    for (size_t cut = end - frame; cut < end; cut++) {
        struct wal_report report;
        char *torn = mem_alloc_zero(n);
        memcpy(torn, p, cut);
        spit(path, torn, n); /* preallocated zeros behind */
        struct seen s = replay(0, &report);
        EXPECT(s.rows >= 18 && s.rows <= 19 && s.in_order && report.holes == 0);

        spit(path, p, cut); /* the file ends there */
        s = replay(0, &report);
        EXPECT(s.rows >= 18 && s.rows <= 19 && s.in_order && report.holes == 0);
        mem_free(torn);
    }
    mem_free(p);
    remove_dir();
}

TEST(wal_bit_flips_cost_one_frame_and_are_reported)
{
    fresh_dir();
    write_some(20);
    char path[128], *p;
    wal_segment_path(path, sizeof path, dir, 1);
    size_t n = slurp(path, &p), end = data_end(p, n);

    for (size_t at = 0; at < end; at++) {
        struct wal_report report;
        p[at] ^= (char)(1 << at % 8);
        spit(path, p, n);
        struct seen s = replay(0, &report);
        p[at] ^= (char)(1 << at % 8);
        bool in_header = at < WAL_SEGMENT_HEAD;
        EXPECT(s.rows >= (in_header ? 20u : 19u));
        EXPECT(report.holes + report.torn + report.missing > 0 || s.rows == 20);
        EXPECT(s.rows == 20 || s.text[0] != 0);
    }
    char aside[160];
    snprintf(aside, sizeof aside, "%s.damaged", path);
    EXPECT(file_exists(aside));
    mem_free(p);
    remove_dir();
}

TEST(wal_empty_short_and_foreign_segments_do_not_stop_a_start)
{
    fresh_dir();
    struct wal_report report;
    char path[128];
    EXPECT(replay(0, &report).rows == 0 && report.next_lsn == 1);

    static const char junk[] = "this is no segment, but it is long enough to be taken for one at first sight";
    for (uint64_t i = 1; i < 4; i++) {
        wal_segment_path(path, sizeof path, dir, i);
        spit(path, junk, i == 1 ? 0 : i == 2 ? 5 : sizeof junk);
    }
    struct wal *w = open_wal(4, 1, 4096);
    put_value(w, 0, false, NULL, NULL);
    wal_close(w);
    EXPECT(replay(0, &report).rows == 1 && report.last_segment == 4 && report.torn == 2);
    remove_dir();
}

TEST(wal_missing_segment_is_noticed)
{
    fresh_dir();
    struct wal *w = open_wal(1, 1, 4096);
    for (uint64_t i = 0; i < 600; i++) {
        put_value(w, i, false, NULL, NULL);
        if (i % 10 == 0) EXPECT(wal_sync(w, NULL) == OK);
    }
    wal_close(w);
    char path[128];
    wal_segment_path(path, sizeof path, dir, 2);
    EXPECT(unlink(path) == 0);
    struct wal_report report;
    EXPECT(replay(0, &report).rows < 600 && report.missing > 0);
    remove_dir();
}

/* Every disk call fails once, with each errno: a refused writer is told, and what was acknowledged is there.
 */
static void fail_round(uint64_t n, int with_errno, uint64_t *calls)
{
    fresh_dir();
    struct wal *w = open_wal(1, 1, 4096);
    struct acks a = { 0 };
    int refused = 0;
    uint64_t before = file_calls();
    file_fail_at(n, with_errno);
    for (uint64_t i = 0; i < 40; i++) {
        if (wal_ready(w, NULL) < 0) refused++;
        put_value(w, i, true, on_done, &a);
        wait_for(&a, (int)i + 1);
        if (i % 8 == 0) {
            uint64_t segment, cut = wal_cut(w);
            wal_cut_wait(w, cut, &segment, NULL);
        }
    }
    file_fail_at(0, 0);
    if (atomic_load(&a.bad) > 0 || refused > 0) { /* it comes back by itself */
        for (int i = 0; i < 3000 && wal_ready(w, NULL) < 0; i++)
            nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
        EXPECT(wal_ready(w, NULL) == OK);
    }
    wal_close(w);
    *calls = file_calls() - before;

    struct wal_report report;
    struct seen s = replay(0, &report);
    EXPECT(s.rows == 40 && s.in_order); /* also the refused ones: they were kept, and written again */
    remove_dir();
}

TEST(wal_survives_each_disk_call_failing_once)
{
    static const int kinds[] = { EIO, ENOSPC };
    for (size_t k = 0; k < COUNT(kinds); k++) {
        uint64_t calls = 1;
        for (uint64_t n = 1; n <= calls && n < 200; n++) fail_round(n, kinds[k], &calls);
    }
}

TESTS(CASE(wal_gives_back_what_was_acknowledged), CASE(wal_carries_every_kind_of_record),
      CASE(wal_rows_keep_keys_times_and_bits), CASE(wal_segments_switch_cut_and_drop),
      CASE(wal_torn_at_every_byte_of_the_last_frame_loses_that_frame_only),
      CASE(wal_bit_flips_cost_one_frame_and_are_reported),
      CASE(wal_empty_short_and_foreign_segments_do_not_stop_a_start), CASE(wal_missing_segment_is_noticed),
      CASE(wal_survives_each_disk_call_failing_once))
