#include <errno.h>

#include "base/file.h"
#include "unit/store/part_model.h"

/* ---- the plain model: all rows of all sources in one sorted array, the newest of equals kept ---- */

struct row {
    series_key key;
    enum row_kind kind;
    int64_t time_ms;
    uint64_t sequence, bits;
    const struct histogram *hist;
};

static int row_order(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    if (x->time_ms != y->time_ms) return x->time_ms < y->time_ms ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static size_t rows_of(const struct model *m, uint64_t sequence, struct row *out)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct model_run *r = &m->run[i];
        for (size_t k = 0; k < r->n; k++) {
            out[n] = (struct row){ r->key, r->kind, r->time_ms[k], sequence, 0, r->hist ? r->hist[k] : NULL };
            if (r->value) memcpy(&out[n].bits, &r->value[k], 8);
            if (r->start_ms) memcpy(&out[n].bits, &r->start_ms[k], 8);
            n++;
        }
    }
    return n;
}

static bool is_dropped(void *ctx, series_key key)
{
    return ctx && key % *(uint64_t *)ctx == 0;
}

static size_t keep_newest(struct row *row, size_t n, void *drop_ctx)
{
    size_t kept = 0;
    qsort(row, n, sizeof *row, row_order);
    for (size_t i = 0; i < n; i++) {
        bool is_last = i + 1 == n || row[i].key != row[i + 1].key || row[i].kind != row[i + 1].kind ||
                       row[i].time_ms != row[i + 1].time_ms;
        if (is_last && !is_dropped(drop_ctx, row[i].key)) row[kept++] = row[i];
    }
    return kept;
}

static void expect_part_is(const struct part *p, const struct row *row, size_t n)
{
    struct part_cursor *c = part_cursor_new(p);
    struct arena a = ARENA_INIT(NO_LIMIT);
    struct run_head head;
    struct run r;
    size_t at = 0;
    while (part_cursor_peek(c, &head, NULL) == 1) {
        EXPECT(part_cursor_read(c, INT64_MIN, INT64_MAX, &a, &r, NULL) == OK);
        for (size_t i = 0; i < r.n; i++, at++) {
            EXPECT(at < n && r.key == row[at].key && r.kind == row[at].kind &&
                   r.time_ms[i] == row[at].time_ms);
            if (r.kind == ROW_FLOAT) EXPECT(memcmp(&r.value[i], &row[at].bits, 8) == 0);
            if (r.kind == ROW_START) EXPECT(memcmp(&r.start_ms[i], &row[at].bits, 8) == 0);
            if (r.kind == ROW_HISTOGRAM) EXPECT(same_histogram(r.hist[i], row[at].hist));
        }
        arena_reset(&a);
    }
    EXPECT(at == n);
    part_cursor_free(c);
    arena_release(&a);
}

/* ---- merging ---- */

enum { SOURCES = 5 };

struct setting {
    size_t sources, runs, rows_max;
    int64_t shift_ms; /* how much later each source begins */
    bool same_series;
    uint64_t drop_every;
    int level, source_level;
};

static void merge_and_compare(struct dice *d, const struct setting *set)
{
    struct model m[SOURCES] = { 0 };
    struct part *part[SOURCES], *joined;
    const char *to = test_path("merged");
    char from[SOURCES][64];
    size_t total = 0;
    uint64_t shape_seed = roll(d), drop = set->drop_every;
    for (size_t i = 0; i < set->sources; i++) {
        struct dice own = { set->same_series ? shape_seed : roll(d) };
        model_fill(&m[i], &own, set->runs, set->rows_max, 1000000 + (int64_t)i * set->shift_ms);
        snprintf(from[i], sizeof from[i], "/tmp/vedette-test-%d-source%zu", (int)getpid(), i);
        unlink(from[i]);
        model_write(&m[i], from[i], 100 - i, set->source_level); /* the first given is the newest */
        EXPECT(part_open(from[i], &part[i], NULL) == OK);
        total += m[i].rows;
    }
    struct row *want = mem_array(total, sizeof *want);
    size_t n = 0;
    for (size_t i = 0; i < set->sources; i++) n += rows_of(&m[i], 100 - i, want + n);
    n = keep_newest(want, n, drop ? &drop : NULL);

    struct part_info info;
    EXPECT(part_merge(part, set->sources, to, 3, 500, set->level, drop ? is_dropped : NULL, NULL, &drop,
                      &info, NULL) == OK);
    EXPECT(info.rows == n && info.level == 3 && info.sequence == 500);
    EXPECT(part_verify(to, complain, NULL, NULL) == 0);
    EXPECT(part_open(to, &joined, NULL) == OK);
    expect_part_is(joined, want, n);

    part_close(joined);
    unlink(to);
    for (size_t i = 0; i < set->sources; i++) {
        part_close(part[i]);
        unlink(from[i]);
        model_release(&m[i]);
    }
    mem_free(want);
}

TEST(merge_equals_a_sorted_array_whatever_the_sources)
{
    static const struct setting settings[] = {
        { 1, 200, 300, 0, false, 0, 1, 1 },     { 2, 100, 300, 0, false, 0, 1, 1 },
        { 5, 60, 300, 3600000, true, 0, 1, 1 }, { 5, 60, 300, 70, true, 0, 1, 0 },
        { 3, 40, 300, 0, true, 0, 1, 1 },       { 4, 300, 500, 100000, false, 3, 3, 1 },
        { 2, 6, 30000, 5000, true, 0, 1, 1 },   { 3, 3000, 4, 7, false, 2, 0, 0 },
        { 3, 300, 100, 0, false, 1, 1, 1 },     { 2, 0, 1, 0, false, 0, 1, 1 },
    };
    struct dice d = { 21 };
    for (size_t i = 0; i < COUNT(settings); i++)
        for (int again = 0; again < 3; again++) merge_and_compare(&d, &settings[i]);
}

/* Sources one above the other in key order: nothing has to be decoded, and nothing may be left
 * ragged. */
TEST(merge_copies_blocks_that_nobody_else_reaches_and_keeps_them_full)
{
    enum { SERIES = 700, ROWS = 240 };
    struct part *part[3], *joined;
    char from[3][64];
    int64_t t[ROWS];
    double v[ROWS];
    struct dice d = { 22 };
    uint64_t blocks = 0;
    for (size_t i = 0; i < 3; i++) {
        struct part_writer *w;
        struct part_info info;
        snprintf(from[i], sizeof from[i], "/tmp/vedette-test-%d-stack%zu", (int)getpid(), i);
        unlink(from[i]);
        EXPECT(part_writer_open(from[i], 0, i, 1, &w, NULL) == OK);
        for (uint64_t s = 0; s < SERIES; s++) {
            for (int k = 0; k < ROWS; k++) t[k] = k * 15000;
            shape_values(&d, 3, v, ROWS);
            EXPECT(part_writer_run(w, &(struct run){ i << 32 | s, ROW_FLOAT, ROWS, t, v, NULL, NULL },
                                   NULL) == OK);
        }
        EXPECT(part_writer_finish(w, &info, NULL) == OK);
        EXPECT(part_open(from[i], &part[i], NULL) == OK);
        blocks += info.blocks;
    }
    const char *to = test_path("stacked");
    struct part_info info;
    EXPECT(part_merge(part, 3, to, 1, 9, 6, NULL, NULL, NULL, &info, NULL) == OK);
    EXPECT(info.rows == 3 * SERIES * ROWS && info.runs == 3 * SERIES);
    EXPECT(info.blocks <= blocks);
    EXPECT(part_verify(to, complain, NULL, NULL) == 0);
    EXPECT(part_open(to, &joined, NULL) == OK);
    part_close(joined);
    unlink(to);
    for (size_t i = 0; i < 3; i++) {
        part_close(part[i]);
        unlink(from[i]);
    }
}

static int stop_after(void *ctx)
{
    return --*(int *)ctx < 0 ? ERR_CANCEL : OK;
}

TEST(merge_stopped_or_failing_leaves_nothing_behind)
{
    struct dice d = { 23 };
    struct model m = { 0 };
    struct part *part;
    const char *from = test_path("one"), *to = test_path("two");
    model_fill(&m, &d, 300, 600, 0);
    model_write(&m, from, 1, 1);
    EXPECT(part_open(from, &part, NULL) == OK);
    int calls = 1;
    EXPECT(part_merge(&part, 1, to, 1, 2, 1, NULL, stop_after, &calls, NULL, NULL) == ERR_CANCEL);
    EXPECT(!file_exists(to));

    int rc = ERR_IO;
    for (uint64_t nth = 1; rc != OK && nth < 200; nth++) {
        file_fail_at(nth, ENOSPC);
        rc = part_merge(&part, 1, to, 1, 2, 1, NULL, NULL, NULL, NULL, NULL);
        file_fail_at(0, 0);
        EXPECT((rc == OK) == file_exists(to));
    }
    EXPECT(rc == OK);
    part_close(part);
    unlink(from);
    unlink(to);
    model_release(&m);
}

TESTS(CASE(merge_equals_a_sorted_array_whatever_the_sources),
      CASE(merge_copies_blocks_that_nobody_else_reaches_and_keeps_them_full),
      CASE(merge_stopped_or_failing_leaves_nothing_behind))
