/* window_over_time.c - sum, avg, count, min, max, last, first, present, stddev, stdvar, quantile, mad
 * _over_time and the ts_of_ functions.
 *
 * A sum that is moved along by subtracting what leaves would lose small values beside large ones. So sums of
 * runs of 16, 256, ... rows are made once, and each window adds up, in order, the longest runs it is made of.
 * Minimum and maximum move along with a queue of candidates, quantiles with a sorted copy of the window. */
#include <math.h>

#include "base/check.h"
#include "query/promql/quantile.h"
#include "query/promql/reusable.h"
#include "query/promql/window.h"
#include "query/promql/window_moments.h"

/* ---- sum and mean of floats ---- */

static double sum_of(struct floats f)
{
    struct ksum k = { 0, 0 };
    for (size_t i = 0; i < f.n; i++) ksum_add(&k, f.value[i]);
    return ksum_value(k);
}

/* ---- sum and mean of histograms ---- */

static bool hists_result(struct window_run *r, const struct window *w, bool mean,
                         const struct histogram **out)
{
    struct hist_mean m = { 0 };
    size_t n;
    const struct histogram **h = window_hists(r, w, &n);

    for (size_t i = 0; i < n; i++) hist_mean_add(&m, r->scratch, h[i], mean);
    if (m.told & HWORK_INCOMPATIBLE) {
        window_note(r, NOTE_MIXED_EXPONENTIAL_CUSTOM);
        return false;
    }
    if (m.told & HWORK_RECONCILED) window_note_text(r, NOTE_CUSTOM_RECONCILED, STR("aggregation"));
    if (m.saw_reset && m.saw_none) window_note_text(r, NOTE_RESET_COLLISION, STR("aggregation"));
    *out = hist_mean_done(&m, mean, r->keep);
    return true;
}

static bool sum_or_mean(struct window_run *r, const struct window *w, bool mean, double *v,
                        const struct histogram **h)
{
    if (w->n_hists == w->hi - w->lo) return hists_result(r, w, mean, h);
    if (w->n_hists > 0) {
        window_note(r, NOTE_MIXED_FLOATS_HISTOGRAMS);
        return false;
    }
    struct floats f = window_floats(r, w);
    *v = mean ? mean_values(f.value, f.n) : sum_of(f);
    return true;
}

static bool step_sum(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    return sum_or_mean(r, w, false, v, h);
}

static bool step_avg(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    return sum_or_mean(r, w, true, v, h);
}

#define RUN        16 /* rows or runs in a run of the next level */
#define RUN_LEVELS 8  /* 16^8 rows are more than there are */

struct runs {
    struct ksum *level[RUN_LEVELS]; /* level[k][i]: rows [i * 16^(k+1), (i+1) * 16^(k+1)) */
    size_t n[RUN_LEVELS];
    int levels;
};

static void add_ksum(struct ksum *to, struct ksum from)
{
    ksum_add(to, from.s);
    if (!isinf(to->s)) to->c += from.c;
}

static void make_runs(struct runs *runs, const double *v, size_t n, struct arena *a)
{
    for (size_t below = n; below >= RUN && runs->levels < RUN_LEVELS; below = runs->n[runs->levels++]) {
        int k = runs->levels;
        runs->n[k] = below / RUN;
        runs->level[k] = arena_zero(a, runs->n[k] * sizeof(struct ksum));
        for (size_t i = 0; i < runs->n[k] * RUN; i++) {
            if (k == 0)
                ksum_add(&runs->level[0][i / RUN], v[i]);
            else
                add_ksum(&runs->level[k][i / RUN], runs->level[k - 1][i]);
        }
    }
}

static struct ksum sum_runs(const struct runs *runs, const double *v, size_t lo, size_t hi)
{
    struct ksum sum = { 0, 0 };
    if (runs->levels == 0 || hi - lo < WINDOW_RUN_WORTH) { /* then the same wherever the query begins */
        for (; lo < hi; lo++) ksum_add(&sum, v[lo]);
        return sum;
    }
    while (lo < hi) {
        int best = -1;
        for (size_t k = 0, rows = RUN; k < (size_t)runs->levels && lo % rows == 0 && lo + rows <= hi;
             k++, rows *= RUN)
            best = (int)k;
        if (best < 0) {
            ksum_add(&sum, v[lo++]);
            continue;
        }
        size_t rows = (size_t)1 << (4 * (best + 1));
        add_ksum(&sum, runs->level[best][lo / rows]);
        lo += rows;
    }
    return sum;
}

static void run_sum_or_mean(struct window_run *r, bool mean)
{
    const struct window_job *job = r->job;
    const double *v = r->rows.value;
    struct runs runs = { 0 };
    struct window w = { 0 };

    if (rows_a_window(r) >= WINDOW_RUN_WORTH && job->ev->n > 1) make_runs(&runs, v, r->rows.n, r->series);
    for (size_t i = 0; i < job->ev->n; i++) {
        w.end_ms = job->data_start + (int64_t)i * job->data_step;
        w.start_ms = w.end_ms - job->range_ms;
        window_slide(&r->rows, &w);
        size_t n = w.hi - w.lo;
        r->samples += n;
        if (n == 0) continue;
        struct ksum sum = sum_runs(&runs, v, w.lo, w.hi);
        if (!mean)
            r->v[i] = ksum_value(sum);
        else if (isfinite(sum.s))
            r->v[i] = sum.s / (double)n + sum.c / (double)n;
        else
            r->v[i] = mean_values(v + w.lo, n);
    }
}

static void run_sum(struct window_run *r)
{
    run_sum_or_mean(r, false);
}

static void run_avg(struct window_run *r)
{
    run_sum_or_mean(r, true);
}

/* ---- counting and picking ---- */

static bool step_count(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    (void)r, (void)h;
    *v = (double)(w->hi - w->lo);
    return true;
}

static bool step_present(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    (void)r, (void)w, (void)h;
    *v = 1;
    return true;
}

static bool pick(struct window_run *r, size_t row, double *v, const struct histogram **h)
{
    if (r->rows.hist && r->rows.hist[row]) *h = histogram_copy(r->rows.hist[row], r->keep);
    *v = r->rows.value[row];
    return true;
}

static bool step_last(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    return pick(r, w->hi - 1, v, h);
}

static bool step_first(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    return pick(r, w->lo, v, h);
}

static bool step_ts_of_last(struct window_run *r, const struct window *w, double *v,
                            const struct histogram **h)
{
    (void)h;
    *v = (double)r->rows.time_ms[w->hi - 1] / 1000;
    return true;
}

static bool step_ts_of_first(struct window_run *r, const struct window *w, double *v,
                             const struct histogram **h)
{
    (void)h;
    *v = (double)r->rows.time_ms[w->lo] / 1000;
    return true;
}

/* ---- extremes ---- */

/* May a be taken where b was? Later ones win a tie; NaN loses to everything. */
static bool beats(double a, double b, bool max)
{
    return isnan(b) || (max ? a >= b : a <= b);
}

static size_t extreme_at(struct floats f, bool max)
{
    size_t at = 0;
    for (size_t i = 1; i < f.n; i++)
        if (beats(f.value[i], f.value[at], max)) at = i;
    return at;
}

static bool step_extreme(struct window_run *r, const struct window *w, bool max, bool time, double *v)
{
    struct floats f = window_floats(r, w);
    size_t at = extreme_at(f, max);
    *v = time ? (double)f.time_ms[at] / 1000 : f.value[at];
    return true;
}

/* queue: rows of the window, each beating all before it up to the one in front of it; the head is the
 * extreme. */
static void run_extreme(struct window_run *r, bool max, bool time)
{
    const struct window_job *job = r->job;
    const double *value = r->rows.value;
    uint32_t *queue = arena_array(r->series, r->rows.n, sizeof *queue);
    size_t head = 0, tail = 0, lo = 0, hi = 0;

    for (size_t i = 0; i < job->ev->n; i++) {
        int64_t end = job->data_start + (int64_t)i * job->data_step;
        size_t from = hi;
        window_move(&r->rows, end - job->range_ms, end, &lo, &hi);
        r->samples += hi - lo;
        for (size_t k = MAX(from, lo); k < hi; k++) {
            while (tail > head && beats(value[k], value[queue[tail - 1]], max)) tail--;
            queue[tail++] = (uint32_t)k;
        }
        while (head < tail && queue[head] < lo) head++;
        if (lo < hi) r->v[i] = time ? (double)r->rows.time_ms[queue[head]] / 1000 : value[queue[head]];
    }
}

#define EXTREME(name, max, time)                                                                             \
    static bool step_##name(struct window_run *r, const struct window *w, double *v,                         \
                            const struct histogram **h)                                                      \
    {                                                                                                        \
        (void)h;                                                                                             \
        return step_extreme(r, w, max, time, v);                                                             \
    }                                                                                                        \
    static void run_##name(struct window_run *r)                                                             \
    {                                                                                                        \
        run_extreme(r, max, time);                                                                           \
    }
EXTREME(max, true, false)
EXTREME(min, false, false)
EXTREME(ts_of_max, true, true)
EXTREME(ts_of_min, false, true)

/* ---- spread and quantiles ---- */

static double variance_of(struct window_run *r, const struct window *w)
{
    struct floats f = window_floats(r, w);
    return variance_values(f.value, f.n);
}

static bool step_stdvar(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    (void)h;
    *v = variance_of(r, w);
    return true;
}

static bool step_stddev(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    (void)h;
    *v = sqrt(variance_of(r, w));
    return true;
}

static double *copied(struct window_run *r, struct floats f)
{
    double *v = arena_array(r->scratch, f.n, sizeof *v);
    memcpy(v, f.value, f.n * sizeof *v);
    return v;
}

static bool step_quantile(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    (void)h;
    struct floats f = window_floats(r, w);
    *v = quantile_values(r->job->param[0][w->step], copied(r, f), f.n);
    return true;
}

/* Where v belongs in the sorted values: NaN first. */
static size_t sorted_place(const double *sorted, size_t n, double v)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        bool before = isnan(sorted[mid]) ? !isnan(v) : sorted[mid] < v;
        if (before)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void sorted_add(double *sorted, size_t *n, double v)
{
    size_t at = sorted_place(sorted, *n, v);
    memmove(sorted + at + 1, sorted + at, (*n - at) * sizeof *sorted);
    sorted[at] = v;
    ++*n;
}

static void sorted_remove(double *sorted, size_t *n, double v)
{
    size_t at = sorted_place(sorted, *n, v);
    memmove(sorted + at, sorted + at + 1, (*n - at - 1) * sizeof *sorted);
    --*n;
}

/* A window that moves by more than a part of itself is sorted afresh. */
static void run_quantile(struct window_run *r)
{
    const struct window_job *job = r->job;
    const double *v = r->rows.value;
    double *sorted = arena_array(r->series, r->rows.n, sizeof *sorted);
    size_t lo = 0, hi = 0, n = 0;

    for (size_t i = 0; i < job->ev->n && r->rc == OK; i++) {
        int64_t end = job->data_start + (int64_t)i * job->data_step;
        size_t was_lo = lo, was_hi = hi;
        window_move(&r->rows, end - job->range_ms, end, &lo, &hi);
        r->samples += hi - lo;
        size_t moved = (hi - was_hi) + (MIN(lo, was_hi) - was_lo);
        if (moved > (hi - lo) / 8) {
            n = hi - lo;
            memcpy(sorted, v + lo, n * sizeof *sorted);
            sort_values(sorted, n);
        } else {
            for (size_t k = was_lo; k < MIN(lo, was_hi); k++) sorted_remove(sorted, &n, v[k]);
            for (size_t k = MAX(was_hi, lo); k < hi; k++) sorted_add(sorted, &n, v[k]);
        }
        if (n > 0) r->v[i] = quantile_sorted(job->param[0][i], sorted, n);
        r->rc = window_time_left(r, (hi - lo) / 8);
    }
}

static bool step_mad(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    (void)h;
    struct floats f = window_floats(r, w);
    double *values = copied(r, f), median = quantile_values(0.5, values, f.n);
    for (size_t i = 0; i < f.n; i++)
        if (isnan(f.value[i])) median = NAN;
    for (size_t i = 0; i < f.n; i++) values[i] = fabs(f.value[i] - median);
    *v = quantile_values(0.5, values, f.n);
    return true;
}

/* clang-format off: a table */
const struct window_def window_sum_over_time = { step_sum, run_sum };
const struct window_def window_avg_over_time = { step_avg, run_avg };
const struct window_def window_count_over_time = { step_count, NULL };
const struct window_def window_present_over_time = { step_present, NULL };
const struct window_def window_last_over_time = { step_last, NULL, .keeps_name = true };
const struct window_def window_first_over_time = { step_first, NULL, .keeps_name = true };
const struct window_def window_ts_of_first_over_time = { step_ts_of_first, NULL };
const struct window_def window_ts_of_last_over_time = { step_ts_of_last, NULL };
const struct window_def window_ts_of_min_over_time = { step_ts_of_min, run_ts_of_min, .float_only = true };
const struct window_def window_ts_of_max_over_time = { step_ts_of_max, run_ts_of_max, .float_only = true };
const struct window_def window_min_over_time = { step_min, run_min, .float_only = true };
const struct window_def window_max_over_time = { step_max, run_max, .float_only = true };
const struct window_def window_stddev_over_time = { step_stddev, run_stddev, .float_only = true };
const struct window_def window_stdvar_over_time = { step_stdvar, run_stdvar, .float_only = true };
const struct window_def window_quantile_over_time = { step_quantile, run_quantile, .float_only = true };
const struct window_def window_mad_over_time = { step_mad, NULL, .float_only = true };
/* clang-format on */
