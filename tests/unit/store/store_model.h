/* store_model.h - a toy of the same store, for the tests: what should be in it, kept as a plain table.
 *
 * SERIES series, TIMES instants on each of DAYS days. A cell is empty, a float or a histogram, perhaps with a
 * start time. model_write makes a random batch, writes it to the store and to the table; model_check compares
 * the two. */
#pragma once
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/embedded.h"
#include "unit/test.h"

#define SERIES  60
#define TIMES   200
#define DAYS    3
#define STEP_MS 15000
#define DAY     86400000ll

struct cell {
    uint64_t bits; /* of the value, or of the histogram's sum */
    int64_t start_ms;
    enum { EMPTY, FLOAT_ROW, HIST_ROW } kind;
};

struct model {
    struct cell at[SERIES][DAYS][TIMES];
    uint64_t seed, writes;
    int64_t day0_ms;
};

static inline uint64_t model_random(struct model *m, uint64_t below)
{
    m->seed ^= m->seed << 13;
    m->seed ^= m->seed >> 7;
    m->seed ^= m->seed << 17;
    return m->seed % below;
}

static inline struct model *model_new(uint64_t seed)
{
    struct model *m = mem_alloc_zero(sizeof *m);
    m->seed = seed * 2654435761u + 1;
    m->day0_ms = clock_now_ms() / DAY * DAY - (DAYS - 1) * DAY;
    return m;
}

static inline int64_t model_time(const struct model *m, size_t day, size_t i)
{
    return m->day0_ms + (int64_t)day * DAY + (int64_t)i * STEP_MS;
}

static inline struct labels model_labels(size_t series, struct arena *a)
{
    struct label *l = arena_array(a, 3, sizeof *l);
    l[0] = (struct label){ STR("__name__"), arena_printf(a, "metric_%zu", series / 10) };
    l[1] = (struct label){ STR("host"), arena_printf(a, "host-%zu", series % 10) };
    l[2] = (struct label){ STR("job"), STR("test") };
    return (struct labels){ l, 3 };
}

/* -1 when the labels are not ours. */
static inline int model_series(struct labels l)
{
    struct str name = labels_get(l, "__name__"), host = labels_get(l, "host");
    int64_t a, b;
    if (!str_starts(name, "metric_") || !str_starts(host, "host-")) return -1;
    if (!str_to_i64(str_make(name.p + 7, name.n - 7), &a) ||
        !str_to_i64(str_make(host.p + 5, host.n - 5), &b))
        return -1;
    return (int)(a * 10 + b);
}

static inline struct histogram *model_histogram(double sum, struct arena *a)
{
    struct histogram *h = arena_zero(a, sizeof *h);
    h->schema = 2;
    h->sum = sum;
    h->count = 7;
    h->n_pos_spans = 1;
    h->n_pos = 3;
    h->pos_spans = arena_zero(a, sizeof *h->pos_spans);
    h->pos_spans[0] = (struct hist_span){ (int32_t)((int64_t)sum % 5), 3 };
    h->pos = arena_array(a, 3, sizeof(double));
    h->pos[0] = 1;
    h->pos[1] = 2;
    h->pos[2] = 4;
    return h;
}

/* One row: into the batch, and as it should be afterwards into `to`. Kinds do not change at one instant
 * (model/store.h says who wins). */
static inline void model_row(struct model *m, struct batch *b, size_t s, size_t day, size_t i,
                             struct cell *to)
{
    double v = (double)++m->writes + 0.25;
    bool is_hist = s % 6 == 5;
    int64_t t = model_time(m, day, i);
    if (is_hist)
        batch_histogram(b, t, model_histogram(v, b->arena));
    else
        batch_sample(b, t, v);
    *to = (struct cell){ double_bits(v), to->start_ms, is_hist ? HIST_ROW : FLOAT_ROW };
    if (s % 5 == 1) {
        to->start_ms = t - (int64_t)(m->writes % 1000) - 1;
        batch_start(b, to->start_ms);
    }
}

struct model_batch { /* what a batch would change, applied when it is acknowledged */
    struct {
        size_t s, day, i;
        struct cell cell;
    } at[4096];
    size_t n;
};

/* late: 0 = only the running instants of the last day in order; 1 = anywhere */
static inline void model_batch_make(struct model *m, struct batch *b, struct model_batch *changes,
                                    bool anywhere, size_t instant)
{
    changes->n = 0;
    size_t count = 1 + model_random(m, SERIES);
    size_t first = model_random(m, SERIES);
    for (size_t k = 0; k < count; k++) {
        size_t s = (first + k) % SERIES;
        batch_series_labels(b, model_labels(s, b->arena));
        size_t rows = anywhere ? 1 + model_random(m, 5) : 1;
        for (size_t r = 0; r < rows; r++) {
            size_t day = anywhere ? model_random(m, DAYS) : DAYS - 1;
            size_t i = anywhere ? model_random(m, TIMES) : instant % TIMES;
            struct cell *cell = &changes->at[changes->n].cell;
            *cell = m->at[s][day][i];
            for (size_t x = 0; x < changes->n; x++) /* a row of this very batch, written again */
                if (changes->at[x].s == s && changes->at[x].day == day && changes->at[x].i == i)
                    *cell = changes->at[x].cell;
            model_row(m, b, s, day, i, cell);
            changes->at[changes->n].s = s;
            changes->at[changes->n].day = day;
            changes->at[changes->n++].i = i;
        }
    }
}

static inline void model_apply(struct model *m, const struct model_batch *c)
{
    for (size_t i = 0; i < c->n; i++) m->at[c->at[i].s][c->at[i].day][c->at[i].i] = c->at[i].cell;
}

static inline int model_write(struct model *m, struct store *s, bool anywhere, enum store_ack ack,
                              store_done *done, void *ctx)
{
    struct arena a = ARENA_INIT(64u << 20);
    struct batch b;
    struct model_batch changes;
    struct write_result r;
    struct err e = ERR_INIT;
    batch_init(&b, &a, LABELS_PACKED);
    model_batch_make(m, &b, &changes, anywhere, m->writes / SERIES);
    int rc;
    while ((rc = store_write(s, &b, ack, &r, done, ctx, &e)) == ERR_BUSY)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    if (rc == OK) {
        EXPECT(r.rejected_total == 0 && r.samples + r.histograms == b.n_rows);
        model_apply(m, &changes);
    }
    arena_release(&a);
    return rc;
}

struct model_scan {
    struct model *m;
    const struct series_set *set;
    size_t rows, series;
    int64_t from_ms, to_ms;
    bool is_lenient; /* cells may also hold what was never acknowledged: only count what is missing */
    size_t missing;
    bool seen[SERIES];
};

static inline int model_sink(void *ctx, const struct series_rows *r)
{
    struct model_scan *x = ctx;
    int s = model_series(x->set->at[r->series].labels);
    EXPECT(s >= 0 && s < SERIES && !x->seen[s]);
    x->seen[s] = true;
    x->series++;

    size_t at = 0;
    for (size_t day = 0; day < DAYS; day++)
        for (size_t i = 0; i < TIMES; i++) {
            const struct cell *c = &x->m->at[s][day][i];
            int64_t t = model_time(x->m, day, i);
            if (t < x->from_ms || t > x->to_ms) continue;
            if (x->is_lenient) {
                while (at < r->n && r->time_ms[at] < t) at++;
                if (c->kind != EMPTY &&
                    (at == r->n || r->time_ms[at] != t || double_of(c->bits) > r->value[at]))
                    x->missing++;
                continue;
            }
            if (c->kind == EMPTY) continue;
            if (at >= r->n || r->time_ms[at] != t) {
                print_error("series %d day %zu time %zu: row missing (at %zu of %zu)\n", s, day, i, at, r->n);
                fail();
            }
            EXPECT(double_bits(r->value[at]) == c->bits);
            EXPECT((c->kind == HIST_ROW) == (r->hist != NULL && r->hist[at] != NULL));
            if (c->kind == HIST_ROW) {
                const struct histogram *h = r->hist[at];
                EXPECT(h->count == 7 && h->n_pos == 3 && h->pos[2] == 4 &&
                       h->pos_spans[0].offset == (int32_t)((int64_t)h->sum % 5));
            }
            EXPECT((r->start_ms ? r->start_ms[at] : 0) == c->start_ms);
            at++;
        }
    if (!x->is_lenient) EXPECT(at == r->n);
    for (size_t i = 1; i < r->n; i++) EXPECT(r->time_ms[i] > r->time_ms[i - 1]);
    x->rows += r->n;
    return OK;
}

/* Compare a window through an open view. */
static inline void model_compare(struct model_scan *x, struct store_view *v, int64_t from_ms, int64_t to_ms)
{
    struct arena a = ARENA_INIT(256u << 20);
    struct call call = { .arena = &a };
    struct series_set set;
    struct err e = ERR_INIT;
    x->from_ms = from_ms;
    x->to_ms = to_ms;
    x->set = &set;
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, &e) == OK);
    int rc = view_scan(v, &call, set.at, set.n, from_ms, to_ms, model_sink, x, &e);
    if (rc != OK) print_error("scan: %s\n", e.text);
    EXPECT(rc == OK);
    for (size_t s = 0; s < SERIES; s++) {
        if (x->seen[s]) continue;
        for (size_t day = 0; day < DAYS; day++) /* a series not listed must be empty */
            for (size_t i = 0; i < TIMES; i++) {
                bool in_window = model_time(x->m, day, i) >= from_ms && model_time(x->m, day, i) <= to_ms;
                if (in_window && x->m->at[s][day][i].kind != EMPTY) x->missing++;
            }
    }
    arena_release(&a);
}

static inline void model_check_window(struct model *m, struct store *s, int64_t from_ms, int64_t to_ms)
{
    struct store_view *v;
    struct model_scan x = { .m = m };
    struct err e = ERR_INIT;
    EXPECT(store_view_open(s, from_ms, to_ms, &v, &e) == OK);
    model_compare(&x, v, from_ms, to_ms);
    EXPECT(x.missing == 0);
    store_view_close(v);
}

static inline void model_check(struct model *m, struct store *s)
{
    model_check_window(m, s, 0, INT64_MAX);
    int64_t a = model_time(m, model_random(m, DAYS), model_random(m, TIMES)),
            b = model_time(m, model_random(m, DAYS), model_random(m, TIMES));
    model_check_window(m, s, MIN(a, b), MAX(a, b));
}

/* How many acknowledged rows are not there (rows that were not acknowledged may be). */
static inline size_t model_missing(struct model *m, struct store *s)
{
    struct store_view *v;
    struct model_scan x = { .m = m, .is_lenient = true };
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    model_compare(&x, v, 0, INT64_MAX);
    store_view_close(v);
    return x.missing;
}

/* ---- directories ---- */

static inline char *test_dir(void)
{
    char *dir = mem_strdup("/tmp/vedette-store-XXXXXX");
    EXPECT(mkdtemp(dir) != NULL);
    return dir;
}

static inline void test_dir_remove(char *dir)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s' '%s'.*", dir, dir);
    EXPECT(system(command) == 0);
    mem_free(dir);
}

static inline struct store *test_open(const char *dir, size_t head_bytes)
{
    struct store *s;
    struct err e = ERR_INIT;
    struct embedded_conf conf = {
        .dir = dir, .head_bytes = head_bytes, .min_free_bytes = 1, .sync_interval_ms = 20
    };
    int rc = embedded_open(&conf, &s, &e);
    if (rc < 0) print_error("open: %s\n", e.text);
    EXPECT(rc == OK);
    return s;
}
