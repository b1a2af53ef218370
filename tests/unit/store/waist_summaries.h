/* waist_summaries.h - what every store promises about summaries of samples (view_summarize): each bucket says
 * what is so of the rows in it, counted here row by row. */
#pragma once
#include <math.h>

#include "unit/model/record_samples.h"
#include "unit/store/waist_samples.h"

/* ---- as text ---- */

static void say_bucket(struct buf *out, const struct summary *s)
{
    if (s->n > 0) {
        buf_printf(out, "%llu: %lld=%g..%lld=%g min=%g max=%g sum=%.9g", (unsigned long long)s->n,
                   (long long)(s->first_ms - T0), s->first, (long long)(s->last_ms - T0), s->last, s->min,
                   s->max, summary_total(s));
        buf_printf(out, " lost=%.9g changes=%llu resets=%llu mean=%.6g spread=%.6g", s->lost,
                   (unsigned long long)s->changes, (unsigned long long)s->resets, s->first + s->drift,
                   s->spread);
    }
    if (s->ends_stale) buf_printf(out, " stale %lld", (long long)(s->stale_ms - T0));
    if (s->odd > 0) buf_printf(out, " odd=%llu", (unsigned long long)s->odd);
    buf_cs(out, s->n > 0 || s->ends_stale || s->odd > 0 ? "; " : "-; ");
}

struct bucket_text {
    const struct summary_grid *grid;
    struct buf *out;
    size_t delivered;
    size_t stop_after; /* 0: never */
    atomic_bool *cancel;
};

static int say_buckets(void *ctx, size_t series, const struct summary *at)
{
    struct bucket_text *x = ctx;
    EXPECT(series == x->delivered++);
    for (size_t i = 0; x->out != NULL && i < x->grid->n; i++) say_bucket(x->out, &at[i]);
    if (x->cancel != NULL) atomic_store(x->cancel, true);
    return x->stop_after != 0 && x->delivered == x->stop_after ? ERR_EXEC : OK;
}

/* The buckets of all series, by labels. */
static const char *view_buckets_text(struct waist *w, struct store_view *v, struct summary_grid g)
{
    struct call call = waist_call(w);
    struct series_set set;
    struct said said = said_new();
    struct bucket_text x = { .grid = &g, .out = &said.text };
    struct err e = ERR_INIT;
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, &e) == OK);
    if (set.n > 0) qsort(set.at, set.n, sizeof *set.at, by_labels);
    int rc = view_summarize(v, &call, set.at, set.n, &g, SUM_ALL, say_buckets, &x, &e);
    if (rc < 0) print_error("summarize: %s\n", e.text);
    EXPECT(rc == OK && x.delivered == set.n);
    return said_end(&said, w);
}

static const char *buckets(struct waist *w, int64_t start, int64_t width_ms, size_t n)
{
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    const char *text = view_buckets_text(w, v, (struct summary_grid){ T0 + start, width_ms, n });
    store_view_close(v);
    return text;
}

/* ---- one row after the other ---- */

struct point {
    int64_t at; /* from T0 */
    double v;
};

static void count_bucket(const struct point *p, size_t n, int64_t after, int64_t end, struct summary *s)
{
    double mean, sum = 0;
    *s = (struct summary){ 0 };
    for (size_t i = 0; i < n; i++) {
        if (p[i].at <= after || p[i].at > end) continue;
        double before = s->last;
        bool is_first = s->n++ == 0;
        if (is_first) {
            s->first = s->min = s->max = p[i].v;
            s->first_ms = T0 + p[i].at;
        }
        s->last = p[i].v;
        s->last_ms = T0 + p[i].at;
        s->min = MIN(s->min, p[i].v);
        s->max = MAX(s->max, p[i].v);
        sum += p[i].v;
        if (!is_first && p[i].v != before) s->changes++;
        if (!is_first && p[i].v < before) s->resets++, s->lost += before;
    }
    if (s->n == 0) return;
    s->total = sum;
    mean = sum / (double)s->n;
    s->drift = mean - s->first;
    for (size_t i = 0; i < n; i++)
        if (p[i].at > after && p[i].at <= end) s->spread += (p[i].v - mean) * (p[i].v - mean);
}

static const char *counted_text(struct waist *w, const struct point *p, size_t n, int64_t start,
                                int64_t width_ms, size_t n_buckets)
{
    struct said said = said_new();
    for (size_t i = 0; i < n_buckets; i++) {
        struct summary s;
        int64_t after = start + (int64_t)i * width_ms;
        count_bucket(p, n, after, after + width_ms, &s);
        say_bucket(&said.text, &s);
    }
    return said_end(&said, w);
}

/* ---- cases ---- */

static void buckets_are_open_where_they_begin_and_closed_where_they_end(struct waist *w)
{
    for (int i = 0; i < 4; i++) put(w, "m", T0 + i * 1000, i == 3 ? 3 : 1 << i);
    EXPECT_STR(buckets(w, 0, 1000, 3),
               "1: 1000=2..1000=2 min=2 max=2 sum=2 lost=0 changes=0 resets=0 mean=2 spread=0; "
               "1: 2000=4..2000=4 min=4 max=4 sum=4 lost=0 changes=0 resets=0 mean=4 spread=0; "
               "1: 3000=3..3000=3 min=3 max=3 sum=3 lost=0 changes=0 resets=0 mean=3 spread=0; ");
    EXPECT_STR(buckets(w, -1, 4000, 1),
               "4: 0=1..3000=3 min=1 max=4 sum=10 lost=4 changes=3 resets=1 mean=2.5 spread=5; ");
    EXPECT_STR(buckets(w, 3000, 1000, 2), "-; -; ");
    EXPECT_STR(buckets(w, 0, 1000, 0), "");
}

static void summaries_of_many_rows_are_those_counted_one_by_one(struct waist *w)
{
    enum { N = 900 };
    static const struct {
        int64_t start, width_ms;
    } grids[] = { { -1000, 300000 },      { 0, 420001 },        { -5600000, 3600000 },
                  { -8000000, 21600000 }, { 77, WAIST_DAY_MS }, { 40000000, 3 * WAIST_DAY_MS } };
    struct dice d = { 7 };
    struct point *p = arena_array(&w->arena, N, sizeof *p);
    int64_t at = -2 * WAIST_DAY_MS;
    double v = 0;
    for (int i = 0; i < N; i++) {
        at += 1 + (int64_t)(roll_below(&d, 600000));
        v = roll_below(&d, 40) == 0 ? 0 : v + (double)roll_below(&d, 4);
        p[i] = (struct point){ at, v };
    }
    for (int part = 2; part >= 0; part--) { /* the latest are written first */
        struct batch b;
        batch_init(&b, &w->arena, LABELS_PACKED);
        batch_series_labels(&b, labels_of("m", &w->arena));
        for (int i = part * N / 3; i < (part + 1) * N / 3; i++) batch_sample(&b, T0 + p[i].at, p[i].v);
        waist_write(w, &b);
    }
    for (size_t i = 0; i < COUNT(grids); i++)
        for (int64_t back = 0; back < 2; back++) {
            int64_t start = grids[i].start - back * WAIST_DAY_MS, width = grids[i].width_ms;
            EXPECT_STR(buckets(w, start, width, 30), counted_text(w, p, N, start, width, 30));
        }
}

static void stale_markers_and_histograms_are_told_apart(struct waist *w)
{
    put(w, "m", T0 + 10, 5);
    put(w, "m", T0 + 20, double_of(STALE_BITS));
    put(w, "m", T0 + 110, double_of(STALE_BITS));
    put(w, "m", T0 + 120, 2);
    put_histogram(w, "m", T0 + 220, waist_histogram(w, 1, 7));
    put(w, "m", T0 + 310, double_of(STALE_BITS));
    EXPECT_STR(buckets(w, 0, 100, 5),
               "1: 10=5..10=5 min=5 max=5 sum=5 lost=0 changes=0 resets=0 mean=5 spread=0 stale 20; "
               "1: 120=2..120=2 min=2 max=2 sum=2 lost=0 changes=0 resets=0 mean=2 spread=0; "
               " odd=1;  stale 310; -; ");
}

static void series_without_rows_in_the_grid_are_delivered_empty(struct waist *w)
{
    put(w, "m i=1", T0, 1);
    put(w, "m i=2", T0 + 5000, 2);
    put(w, "m i=3", T0, 3);
    EXPECT_STR(buckets(w, 4000, 1000, 1),
               "-; 1: 5000=2..5000=2 min=2 max=2 sum=2 lost=0 changes=0 resets=0 mean=2 spread=0; -; ");
}

static void grids_that_make_no_sense_are_refused(struct waist *w)
{
    static const struct summary_grid bad[] = {
        { 0, 0, 1 }, { 0, -1000, 1 }, { INT64_MAX - 10, 1000, 1 }, { 0, INT64_MAX / 2, 3 }, { 0, 1, SIZE_MAX }
    };
    struct call call = waist_call(w);
    struct series_set set;
    put(w, "m", T0, 1);
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, NULL) == OK && set.n == 1);
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = ERR_INIT;
        struct bucket_text x = { .grid = &bad[i] };
        EXPECT(view_summarize(v, &call, set.at, 1, &bad[i], SUM_ALL, say_buckets, &x, &e) == ERR_RANGE);
        EXPECT(e.text[0] != 0 && x.delivered == 0);
    }
    store_view_close(v);
}

static const char *look_at_buckets(struct waist *w, struct store_view *v)
{
    return view_buckets_text(w, v, (struct summary_grid){ T0 - 1, 3600000, 3 });
}

static void summaries_of_a_view_are_of_one_moment(struct waist *w)
{
    for (int i = 0; i < 5; i++) put(w, "m", T0 + i * 1000000, i);
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    const char *then = look_at_buckets(w, v);
    for (int i = 0; i < 5; i++) put(w, "m", T0 + i * 1000000 + i % 2, -i);
    waist_admin(w, STORE_FLUSH);
    waist_admin(w, STORE_MERGE);
    EXPECT_STR(look_at_buckets(w, v), then);
    store_view_close(v);
    v = waist_view(w, 0, INT64_MAX);
    EXPECT(strcmp(look_at_buckets(w, v), then) != 0);
    store_view_close(v);
}

/* ---- struct call ---- */

#define MANY 600

static void put_many(struct waist *w)
{
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    for (int i = 0; i < MANY; i++) {
        batch_series_labels(&b, labels_of(arena_printf(&w->arena, "m i=%d", i).p, &w->arena));
        for (int k = 0; k < 20; k++) batch_sample(&b, T0 + k * 1000, i + k);
    }
    waist_write(w, &b);
    settle(w);
}

static int summarize_many(struct waist *w, struct call *call, const struct summary_grid *g,
                          struct bucket_text *x, struct err *e)
{
    struct call free_call = waist_call(w);
    struct series_set set;
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_series(v, &free_call, NULL, 0, 0, &set, NULL) == OK && set.n == MANY);
    int rc = view_summarize(v, call, set.at, set.n, g, SUM_ALL, say_buckets, x, e);
    store_view_close(v);
    return rc;
}

static void summaries_are_cancelled_time_out_and_stop(struct waist *w)
{
    static const struct summary_grid g = { T0 - 1, 1000, 10 };
    atomic_bool cancelled = false;
    struct err e = ERR_INIT;
    struct call call = { .arena = &w->arena, .cancelled = &cancelled };
    put_many(w);
    struct bucket_text midway = { .grid = &g, .cancel = &cancelled };
    EXPECT(summarize_many(w, &call, &g, &midway, &e) == ERR_CANCEL && e.text[0] != 0);
    EXPECT(midway.delivered > 0 && midway.delivered < MANY);
    atomic_store(&cancelled, false);
    struct bucket_text stopped = { .grid = &g, .stop_after = 3 };
    EXPECT(summarize_many(w, &call, &g, &stopped, NULL) == ERR_EXEC && stopped.delivered == 3);
    struct bucket_text late = { .grid = &g }, all = { .grid = &g };
    call.deadline_ns = 1;
    EXPECT(summarize_many(w, &call, &g, &late, NULL) == ERR_TIMEOUT && late.delivered == 0);
    call.deadline_ns = 0;
    EXPECT(summarize_many(w, &call, &g, &all, NULL) == OK && all.delivered == MANY);
}

static void summaries_keep_to_their_memory(struct waist *w)
{
    static const struct summary_grid g = { T0 - 1, 1, 20000 };
    struct arena small = ARENA_INIT(60000);
    struct err e = ERR_INIT;
    struct call call = { .arena = &small };
    struct bucket_text x = { .grid = &g };
    put_many(w);
    EXPECT(summarize_many(w, &call, &g, &x, &e) == ERR_LIMIT && e.text[0] != 0 && x.delivered == 0);
    arena_release(&small);
}

/* Cancelled while rows are being delivered, a scan ends soon. */
static int cancel_scan(void *ctx, const struct series_rows *r)
{
    struct bucket_text *x = ctx;
    EXPECT(r->series == x->delivered++);
    atomic_store(x->cancel, true);
    return OK;
}

static void a_scan_is_cancelled_midway(struct waist *w)
{
    atomic_bool cancelled = false;
    struct call call = { .arena = &w->arena, .cancelled = &cancelled }, free_call = waist_call(w);
    struct bucket_text x = { .cancel = &cancelled };
    struct series_set set;
    put_many(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_series(v, &free_call, NULL, 0, 0, &set, NULL) == OK && set.n == MANY);
    EXPECT(view_scan(v, &call, set.at, set.n, 0, INT64_MAX, cancel_scan, &x, NULL) == ERR_CANCEL);
    EXPECT(x.delivered > 0 && x.delivered < MANY);
    store_view_close(v);
}

static const struct waist_case summary_cases[] = {
    { WAIST(buckets_are_open_where_they_begin_and_closed_where_they_end) },
    { WAIST(summaries_of_many_rows_are_those_counted_one_by_one) },
    { WAIST(stale_markers_and_histograms_are_told_apart) },
    { WAIST(series_without_rows_in_the_grid_are_delivered_empty) },
    { WAIST(grids_that_make_no_sense_are_refused) },
    { WAIST(summaries_of_a_view_are_of_one_moment) },
    { WAIST(summaries_are_cancelled_time_out_and_stop) },
    { WAIST(summaries_keep_to_their_memory) },
    { WAIST(a_scan_is_cancelled_midway) },
};
