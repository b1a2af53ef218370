/* part_model.h - a part's contents as a plain array, to compare the real thing with. */
#pragma once
#include <unistd.h>

#include "base/mem.h"
#include "store/part.h"
#include "unit/store/shape.h"
#include "unit/test.h"

#define NO_LIMIT (SIZE_MAX / 2)

/* One run as it was written, with its own copies. */
struct model_run {
    series_key key;
    enum row_kind kind;
    size_t n;
    int64_t *time_ms, *start_ms;
    double *value;
    struct histogram **hist;
};

struct model {
    struct arena arena;
    struct model_run *run;
    size_t n, cap, rows;
};

static inline void model_release(struct model *m)
{
    arena_release(&m->arena);
    mem_free(m->run);
}

static inline struct run model_view(const struct model_run *r)
{
    return (struct run){ r->key, r->kind, r->n, r->time_ms, r->value, r->start_ms, r->hist };
}

/* A run of n rows of some shape; times from `from` (or the previous run's when it has as many rows
 * and luck says so). */
static inline void model_add(struct model *m, struct dice *d, series_key key, enum row_kind kind, size_t n,
                             int64_t from)
{
    struct model_run r = { key, kind, n, arena_array(&m->arena, n, 8), NULL, NULL, NULL };
    const struct model_run *before = m->n ? &m->run[m->n - 1] : NULL;
    if (before && before->n == n && before->time_ms[0] >= from && roll_below(d, 3))
        memcpy(r.time_ms, before->time_ms, n * 8);
    else
        shape_times(d, (unsigned)roll_below(d, TIME_SHAPES), r.time_ms, n, from);
    switch (kind) {
    case ROW_FLOAT:
        r.value = arena_array(&m->arena, n, 8);
        shape_values(d, (unsigned)roll_below(d, VALUE_SHAPES), r.value, n);
        break;
    case ROW_START:
        r.start_ms = arena_array(&m->arena, n, 8);
        shape_ints(d, (unsigned)roll_below(d, INT_SHAPES), r.start_ms, n);
        break;
    case ROW_HISTOGRAM:
        r.hist = arena_array(&m->arena, n, sizeof(void *));
        shape_histograms(d, &m->arena, r.hist, n);
        break;
    default: break; /* summaries: tier_test.c */
    }
    m->run = mem_grow(m->run, m->n, &m->cap, sizeof *m->run);
    m->run[m->n++] = r;
    m->rows += n;
}

static inline enum row_kind any_kind(struct dice *d)
{
    uint64_t x = roll_below(d, 12);
    return x == 0 ? ROW_HISTOGRAM : x == 1 ? ROW_START : ROW_FLOAT;
}

/* Random keys in order: several metrics, several series each, sometimes several kinds of one key. */
static inline void model_fill(struct model *m, struct dice *d, size_t runs, size_t rows_max, int64_t from)
{
    m->arena = (struct arena)ARENA_INIT(NO_LIMIT);
    series_key key = roll_below(d, 3) << 32 | roll_below(d, 50);
    for (size_t i = 0; i < runs; i++) {
        enum row_kind kind = any_kind(d);
        model_add(m, d, key, kind, 1 + roll_below(d, roll_below(d, 4) ? rows_max / 8 + 1 : rows_max), from);
        if (kind == ROW_FLOAT && roll_below(d, 6) == 0)
            model_add(m, d, key, ROW_START, m->run[m->n - 1].n, from);
        if (roll_below(d, 4) == 0)
            key = ((key >> 32) + 1 + roll_below(d, 3)) << 32 | roll_below(d, 1000);
        else
            key += 1 + (roll_below(d, 5) ? 0 : roll_below(d, 1 << 20));
    }
}

static inline const char *test_path(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, 256, "/tmp/vedette-test-%d-%s", (int)getpid(), name);
    unlink(p);
    return p;
}

static inline struct part_info model_write(const struct model *m, const char *path, uint64_t sequence,
                                           int level)
{
    struct part_writer *w;
    struct part_info info;
    EXPECT(part_writer_open(path, 0, sequence, level, &w, NULL) == OK);
    for (size_t i = 0; i < m->n; i++) {
        struct run r = model_view(&m->run[i]);
        EXPECT(part_writer_run(w, &r, NULL) == OK);
    }
    EXPECT(part_writer_finish(w, &info, NULL) == OK);
    return info;
}

/* Rows [at, at + got->n) of want. */
static inline void expect_rows(const struct run *got, const struct model_run *want, size_t at)
{
    EXPECT(got->key == want->key && got->kind == want->kind && at + got->n <= want->n);
    EXPECT(memcmp(got->time_ms, want->time_ms + at, got->n * 8) == 0);
    if (want->value) EXPECT(memcmp(got->value, want->value + at, got->n * 8) == 0);
    if (want->start_ms) EXPECT(memcmp(got->start_ms, want->start_ms + at, got->n * 8) == 0);
    if (want->hist)
        for (size_t i = 0; i < got->n; i++) EXPECT(same_histogram(got->hist[i], want->hist[at + i]));
}

static inline void complain(void *ctx, const char *text)
{
    printf("verify: %s\n", text);
    (void)ctx;
}
