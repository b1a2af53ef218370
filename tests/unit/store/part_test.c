#include "store/part.h"

#include <errno.h>
#include <pthread.h>

#include "base/file.h"
#include "unit/store/part_model.h"

/* Walk the whole part; pieces of a run must add up to what was written. */
static void expect_whole(const struct part *p, const struct model *m)
{
    struct part_cursor *c = part_cursor_new(p);
    struct arena a = ARENA_INIT(NO_LIMIT);
    struct run_head head;
    struct run got;
    size_t i = 0, at = 0;
    while (part_cursor_peek(c, &head, NULL) == 1) {
        EXPECT(i < m->n);
        EXPECT(part_cursor_read(c, INT64_MIN, INT64_MAX, &a, &got, NULL) == OK);
        EXPECT(got.n == head.n && got.time_ms[0] == head.first_ms && got.time_ms[got.n - 1] == head.last_ms);
        expect_rows(&got, &m->run[i], at);
        at += got.n;
        if (at == m->run[i].n) i++, at = 0;
        arena_reset(&a);
    }
    EXPECT(i == m->n && at == 0);
    EXPECT(part_cursor_read(c, 0, 1, &a, &got, NULL) == ERR_RANGE);
    part_cursor_free(c);
    arena_release(&a);
}

static const struct {
    size_t runs, rows_max;
} sizes[] = { { 0, 1 },    { 1, 1 },   { 1, 30000 }, { 40, 240 },
              { 3, 9000 }, { 900, 3 }, { 9000, 1 },  { 200, 500 } };

TEST(part_gives_back_every_row_of_every_shape)
{
    struct dice d = { 11 };
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (int level = -1; level < 4; level++) {
            struct model m = { 0 };
            struct part *p;
            const char *path = test_path("whole");
            model_fill(&m, &d, sizes[s].runs, sizes[s].rows_max, 1700000000000);
            struct part_info wrote = model_write(&m, path, 77, level);
            EXPECT(part_open(path, &p, NULL) == OK);
            EXPECT(memcmp(&wrote, part_info(p), sizeof wrote) == 0);
            EXPECT(wrote.rows == m.rows && wrote.sequence == 77);
            expect_whole(p, &m);
            part_close(p);
            unlink(path);
            model_release(&m);
        }
}

/* First run of the model with key >= key; m->n when none. */
static size_t model_seek(const struct model *m, series_key key)
{
    size_t i = 0;
    while (i < m->n && m->run[i].key < key) i++;
    return i;
}

TEST(part_cursor_seeks_from_anywhere_to_the_first_run_not_below)
{
    struct dice d = { 12 };
    for (size_t s = 1; s < COUNT(sizes); s++) {
        struct model m = { 0 };
        struct part *p;
        const char *path = test_path("seek");
        model_fill(&m, &d, sizes[s].runs, sizes[s].rows_max, 0);
        model_write(&m, path, 1, 1);
        EXPECT(part_open(path, &p, NULL) == OK);
        struct part_cursor *c = part_cursor_new(p);
        struct arena a = ARENA_INIT(NO_LIMIT);
        for (int again = 0; again < 400; again++) {
            const struct model_run *any = &m.run[roll_below(&d, m.n)];
            series_key key = any->key + roll_below(&d, 3) - 1;
            if (again == 0) key = UINT64_MAX;
            if (again == 1) key = 0;
            size_t want = model_seek(&m, key);
            struct run_head head;
            struct run got;
            EXPECT(part_cursor_seek(c, key, NULL) == OK);
            int rc = part_cursor_peek(c, &head, NULL);
            EXPECT(rc == (want < m.n));
            if (rc == 0) continue;
            EXPECT(head.key == m.run[want].key && head.kind == m.run[want].kind &&
                   head.first_ms == m.run[want].time_ms[0]);
            if (roll_below(&d, 3) == 0) {
                EXPECT(part_cursor_skip(c, NULL) == OK);
                if (head.n == m.run[want].n)
                    want++;
                else
                    continue;
                if (part_cursor_peek(c, &head, NULL) == 0) {
                    EXPECT(want == m.n);
                    continue;
                }
            }
            EXPECT(part_cursor_read(c, INT64_MIN, INT64_MAX, &a, &got, NULL) == OK);
            expect_rows(&got, &m.run[want], 0);
            arena_reset(&a);
        }
        part_cursor_free(c);
        part_close(p);
        unlink(path);
        arena_release(&a);
        model_release(&m);
    }
}

TEST(part_cursor_reads_the_rows_within_a_time_range)
{
    struct dice d = { 13 };
    struct model m = { 0 };
    struct part *p;
    const char *path = test_path("range");
    model_fill(&m, &d, 120, 900, 1000000);
    model_write(&m, path, 1, 1);
    EXPECT(part_open(path, &p, NULL) == OK);
    struct part_cursor *c = part_cursor_new(p);
    struct arena a = ARENA_INIT(NO_LIMIT);
    for (int again = 0; again < 2000; again++) {
        const struct model_run *r = &m.run[roll_below(&d, m.n)];
        int64_t from = r->time_ms[roll_below(&d, r->n)] + (int64_t)roll_below(&d, 3) - 1;
        int64_t to = again % 3 ? r->time_ms[roll_below(&d, r->n)] + (int64_t)roll_below(&d, 3) - 1
                               : from - 1 + again % 2;
        struct run_head head;
        struct run got;
        size_t at = 0, lo = 0, hi = 0, n = 0;
        for (size_t i = 0; i < r->n; i++) {
            lo += r->time_ms[i] < from;
            hi += r->time_ms[i] <= to;
        }
        EXPECT(part_cursor_seek(c, r->key, NULL) == OK);
        while (part_cursor_peek(c, &head, NULL) == 1 && head.key == r->key) {
            if (head.kind != r->kind) {
                EXPECT(part_cursor_skip(c, NULL) == OK);
                continue;
            }
            EXPECT(part_cursor_read(c, from, to, &a, &got, NULL) == OK);
            if (got.n > 0) expect_rows(&got, r, MAX(at, lo));
            n += got.n;
            at += head.n;
        }
        EXPECT(n == (hi > lo ? hi - lo : 0));
        arena_reset(&a);
    }
    part_cursor_free(c);
    part_close(p);
    unlink(path);
    arena_release(&a);
    model_release(&m);
}

TEST(part_writer_refuses_what_is_out_of_order_and_keeps_the_rest)
{
    const char *path = test_path("order");
    struct part_writer *w;
    struct part_info info;
    const int64_t rise[] = { 10, 20, 30 }, later[] = { 31, 32, 33 }, same[] = { 40, 40, 50 };
    const double v[] = { 1, 2, 3 };
    EXPECT(part_writer_open(path, 0, 1, 1, &w, NULL) == OK);
    EXPECT(part_writer_run(w, &(struct run){ 5, ROW_FLOAT, 3, rise, v, NULL, NULL }, NULL) == OK);
    EXPECT(part_writer_run(w, &(struct run){ 5, ROW_FLOAT, 3, rise, v, NULL, NULL }, NULL) == ERR_ORDER);
    EXPECT(part_writer_run(w, &(struct run){ 4, ROW_FLOAT, 3, later, v, NULL, NULL }, NULL) == ERR_ORDER);
    EXPECT(part_writer_run(w, &(struct run){ 6, ROW_FLOAT, 3, same, v, NULL, NULL }, NULL) == ERR_ORDER);
    EXPECT(part_writer_run(w, &(struct run){ 5, ROW_FLOAT, 3, later, v, NULL, NULL }, NULL) == OK);
    EXPECT(part_writer_run(w, &(struct run){ 5, ROW_START, 3, rise, NULL, rise, NULL }, NULL) == OK);
    EXPECT(part_writer_finish(w, &info, NULL) == OK);
    EXPECT(info.rows == 9);
    EXPECT(part_verify(path, complain, NULL, NULL) == 0);
    EXPECT(part_writer_open(path, 0, 1, 1, &w, NULL) == ERR_IO); /* it exists */
    unlink(path);
}

TEST(part_writer_leaves_no_file_when_the_disk_fails_or_it_is_abandoned)
{
    struct dice d = { 14 };
    struct model m = { 0 };
    model_fill(&m, &d, 300, 300, 0);
    const char *path = test_path("fail");
    int rc = ERR_IO;
    for (uint64_t nth = 1; rc != OK && nth < 100; nth++) {
        struct part_writer *w;
        struct err e = ERR_INIT;
        file_fail_at(nth, nth % 2 ? EIO : ENOSPC);
        rc = part_writer_open(path, 0, 1, 1, &w, &e);
        for (size_t i = 0; i < m.n && rc == OK; i++) {
            struct run r = model_view(&m.run[i]);
            if ((rc = part_writer_run(w, &r, &e)) < 0) part_writer_abandon(w);
        }
        if (rc == OK) rc = part_writer_finish(w, NULL, &e);
        file_fail_at(0, 0);
        EXPECT((rc == OK) == file_exists(path));
        if (rc < 0) EXPECT(e.code == rc && e.text[0]);
    }
    EXPECT(rc == OK);
    unlink(path);

    struct part_writer *w;
    EXPECT(part_writer_open(path, 0, 1, 1, &w, NULL) == OK);
    part_writer_abandon(w);
    EXPECT(!file_exists(path));
    model_release(&m);
}

TEST(part_reader_passes_on_a_failing_disk)
{
    struct dice d = { 15 };
    struct model m = { 0 };
    const char *path = test_path("readfail");
    model_fill(&m, &d, 50, 300, 0);
    model_write(&m, path, 1, 1);
    int rc = ERR_IO;
    for (uint64_t nth = 1; rc != OK && nth < 100; nth++) {
        struct part *p = NULL;
        struct part_cursor *c = NULL;
        struct arena a = ARENA_INIT(NO_LIMIT);
        struct run r;
        struct run_head head;
        file_fail_at(nth, EIO);
        rc = part_open(path, &p, NULL);
        if (rc == OK) {
            c = part_cursor_new(p);
            int more = 1;
            while (rc == OK && (more = part_cursor_peek(c, &head, NULL)) == 1)
                rc = part_cursor_read(c, 0, INT64_MAX, &a, &r, NULL);
            if (more < 0) rc = more;
        }
        file_fail_at(0, 0);
        EXPECT(rc == OK || rc == ERR_IO);
        part_cursor_free(c);
        part_close(p);
        arena_release(&a);
    }
    EXPECT(rc == OK);
    unlink(path);
    model_release(&m);
}

/* One block for each series, 1200 of them: three index pages. */
enum { TALL_SERIES = 1200, TALL_ROWS = 5000 };

static void write_tall(const char *path)
{
    int64_t *t = mem_array(TALL_ROWS, 8);
    double *v = mem_array(TALL_ROWS, 8);
    struct part_writer *w;
    struct part_info info;
    for (int i = 0; i < TALL_ROWS; i++) t[i] = 1000 + i;
    EXPECT(part_writer_open(path, 0, 1, 1, &w, NULL) == OK);
    for (uint64_t s = 0; s < TALL_SERIES; s++) {
        for (int i = 0; i < TALL_ROWS; i++) v[i] = (double)s;
        EXPECT(part_writer_run(w, &(struct run){ s * 10, ROW_FLOAT, TALL_ROWS, t, v, NULL, NULL }, NULL) ==
               OK);
    }
    EXPECT(part_writer_finish(w, &info, NULL) == OK);
    EXPECT(info.blocks == TALL_SERIES);
    mem_free(t);
    mem_free(v);
}

/* How many of 300 random series were not what they should be. */
static void *seek_about(void *part)
{
    static _Atomic uint64_t seed;
    struct dice d = { ++seed };
    struct part_cursor *c = part_cursor_new(part);
    intptr_t wrong = 0;
    for (int again = 0; again < 300; again++) {
        uint64_t s = roll_below(&d, TALL_SERIES);
        struct run r;
        wrong += part_cursor_seek(c, s * 10 - (s ? 3 : 0), NULL) != OK ||
                 part_cursor_read(c, 1100, 1199, NULL, &r, NULL) != OK || r.key != s * 10 || r.n != 100 ||
                 r.time_ms[0] != 1100 || r.value[99] != (double)s;
    }
    part_cursor_free(c);
    return (void *)wrong;
}

TEST(part_of_many_blocks_is_searched_by_several_threads_at_once)
{
    const char *path = test_path("tall");
    pthread_t thread[4];
    struct part *p;
    write_tall(path);
    EXPECT(part_verify(path, complain, NULL, NULL) == 0);
    EXPECT(part_open(path, &p, NULL) == OK);
    for (int i = 0; i < 4; i++) EXPECT(pthread_create(&thread[i], NULL, seek_about, p) == 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = p;
        EXPECT(pthread_join(thread[i], &wrong) == 0 && wrong == NULL);
    }
    part_close(p);
    unlink(path);
}

/* Layouts that change with every row, wide bounds, thousands of buckets: a block must not outgrow
 * its pages. */
TEST(part_of_huge_histograms_keeps_its_blocks_within_bounds)
{
    enum { ROWS = 60, BOUNDS = 16000 };
    struct model m = { .arena = ARENA_INIT(NO_LIMIT) };
    const char *path = test_path("huge");
    struct dice d = { 16 };
    struct part *p;
    model_add(&m, &d, 5, ROW_HISTOGRAM, ROWS, 0);
    for (int i = 0; i < ROWS; i++) {
        struct histogram *h = m.run[0].hist[i];
        *h = (struct histogram){
            .schema = HISTOGRAM_CUSTOM, .n_custom = BOUNDS, .n_pos_spans = 1, .n_pos = BOUNDS
        };
        h->custom = arena_array(&m.arena, BOUNDS, 8);
        h->pos = arena_array(&m.arena, BOUNDS, 8);
        h->pos_spans = arena_zero(&m.arena, sizeof *h->pos_spans);
        h->pos_spans[0].length = BOUNDS;
        for (int k = 0; k < BOUNDS; k++) h->custom[k] = k + i / 7 + 0.1, h->pos[k] = roll_unit(&d);
    }
    struct part_info info = model_write(&m, path, 1, 1);
    EXPECT(info.blocks > 5);
    EXPECT(part_verify(path, complain, NULL, NULL) == 0);
    EXPECT(part_open(path, &p, NULL) == OK);
    expect_whole(p, &m);
    part_close(p);
    unlink(path);
    model_release(&m);
}

TESTS(CASE(part_gives_back_every_row_of_every_shape),
      CASE(part_cursor_seeks_from_anywhere_to_the_first_run_not_below),
      CASE(part_cursor_reads_the_rows_within_a_time_range),
      CASE(part_writer_refuses_what_is_out_of_order_and_keeps_the_rest),
      CASE(part_writer_leaves_no_file_when_the_disk_fails_or_it_is_abandoned),
      CASE(part_reader_passes_on_a_failing_disk),
      CASE(part_of_many_blocks_is_searched_by_several_threads_at_once),
      CASE(part_of_huge_histograms_keeps_its_blocks_within_bounds))
