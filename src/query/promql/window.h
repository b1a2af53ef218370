/* window.h - functions of a range vector: a window (t-range, t] slides over the rows of a series, step by
 * step.
 *
 * A window function is a struct window_def. The simple kind has `step`: it is shown one window at a time. The
 * incremental kind has `run`: it is shown a whole series and moves its own indices.
 * Rows shown are free of stale markers. Threads: a run belongs to one thread; many run at once. */
#pragma once
#include "query/promql/eval.h"
#include "query/promql/histogram_ops.h"

struct rows { /* of one series, time rising */
    size_t n;
    const int64_t *time_ms;
    const double *value;
    struct histogram *const *hist; /* NULL: floats only */
    const int64_t *start_ms;       /* NULL: none known */
};

struct window_run;
struct window;

typedef void window_run_fn(struct window_run *);
/* True when the window has a value: a float in *v, or a histogram in *h (v then untouched). */
typedef bool window_step_fn(struct window_run *, const struct window *, double *v,
                            const struct histogram **h);

struct window_def {
    window_step_fn *step;
    window_run_fn *run; /* instead of step, for floats only; with histograms or an extent step is used */
    bool keeps_name;
    bool is_counter, is_rate; /* rate, increase, irate */
    bool float_only;          /* histograms in a range of floats are ignored, with a note */
    bool anchored, smoothed;  /* which extents it may be given */
    bool checks_name;         /* notes when the metric does not look like a counter */
};

struct window_job { /* one call: the same for all its series */
    const struct eval *ev;
    const struct window_def *def;
    uint32_t pos; /* of the range argument, for notes */
    int64_t range_ms;
    int64_t data_start, data_step; /* window i ends at data_start + i * data_step in the time of the data */
    enum promql_extent extent;
    const double *param[2]; /* scalar arguments, a value per step; or NULL */
    bool from_store;        /* not a subquery: start times and hints mean something */
};

struct window_run { /* one series of a job */
    const struct window_job *job;
    struct str metric;
    struct labels labels;
    struct rows rows;
    struct arena *keep;           /* for results */
    struct arena *scratch;        /* forgotten after each window */
    struct arena *series;         /* forgotten after each series */
    const uint32_t *hists_before; /* how many of rows [0, i) are histograms; NULL: none at all */
    double *v;                    /* out, a value per step, ABSENT to begin with */
    const struct histogram **h;   /* out; made by window_hist */
    uint64_t samples;
    uint64_t work; /* since the clock was last looked at */
    int rc;
    struct err *err;
};

struct window {
    size_t lo, hi;             /* rows [lo, hi) are in (start, end] */
    size_t lo_moved, hi_moved; /* by how much the last window_slide moved them */
    size_t n_hists;
    size_t step;
    int64_t start_ms, end_ms;
};

struct floats {
    const int64_t *time_ms;
    const double *value;
    size_t n;
};
struct floats window_floats(struct window_run *, const struct window *);
/* Histograms of the window in order; when the window has floats they are left out. */
const struct histogram **window_hists(struct window_run *, const struct window *, size_t *n);
void window_note(struct window_run *, enum note_id);
void window_note_text(struct window_run *, enum note_id, struct str text);

/* Run the job over one series. r->v must be all ABSENT. */
void window_series(struct window_run *);
void window_check_name(struct window_run *);     /* a note when rate is taken of what is no counter */
void window_each(struct window_run *);           /* the plain loop over steps */
double rows_a_window(const struct window_run *); /* on average, where there are rows */

/* ERR_TIMEOUT, ERR_CANCEL: give up. Cheap; tell how many samples were looked at since the last call. */
int window_time_left(struct window_run *, uint64_t work);

/* The first and last row of window i of (data_start + i * data_step), moving [*lo, *hi) forward. */
size_t rows_after_far(const int64_t *time_ms, size_t from, size_t n, int64_t bound); /* rows_after by leaps */

/* The first row at or after `from` that is later than bound. */
static inline size_t rows_after(const int64_t *time_ms, size_t from, size_t n, int64_t bound)
{
    size_t near = from + 8 < n ? from + 8 : n;
    while (from < near && time_ms[from] <= bound) from++;
    return from < near || from == n ? from : rows_after_far(time_ms, from, n, bound);
}

static inline void window_move(const struct rows *r, int64_t start_ms, int64_t end_ms, size_t *lo, size_t *hi)
{
    *hi = rows_after(r->time_ms, *hi, r->n, end_ms);
    *lo = rows_after(r->time_ms, *lo, *hi, start_ms);
}

/* rows_after, with a guess that is looked at first. */
static inline size_t rows_after_guess(const int64_t *time_ms, size_t from, size_t n, int64_t bound,
                                      size_t guess)
{
    bool right = guess >= from && guess <= n && (guess == n || time_ms[guess] > bound) &&
                 (guess == from || time_ms[guess - 1] <= bound);
    return right ? guess : rows_after(time_ms, from, n, bound);
}

/* window_move to (w->start_ms, w->end_ms]. Where rows come regularly each step moves by as many as the one
 * before. */
static inline void window_slide(const struct rows *r, struct window *w)
{
    size_t lo = w->lo, hi = w->hi;
    w->hi = rows_after_guess(r->time_ms, hi, r->n, w->end_ms, hi + w->hi_moved);
    w->lo = rows_after_guess(r->time_ms, lo, w->hi, w->start_ms, lo + w->lo_moved);
    w->hi_moved = w->hi - hi;
    w->lo_moved = w->lo - lo;
}

extern const struct window_def window_rate, window_increase, window_delta, window_irate, window_idelta,
    window_sum_over_time, window_avg_over_time, window_count_over_time, window_min_over_time,
    window_max_over_time, window_last_over_time, window_first_over_time, window_present_over_time,
    window_stddev_over_time, window_stdvar_over_time, window_quantile_over_time, window_mad_over_time,
    window_changes, window_resets, window_deriv, window_predict_linear, window_double_exponential_smoothing,
    window_ts_of_first_over_time, window_ts_of_last_over_time, window_ts_of_min_over_time,
    window_ts_of_max_over_time;

/* window_extended.c */
bool extended_rate(struct window_run *, const struct window *, double *v, const struct histogram **h);
/* The value at t between rows i and i + 1 of which both are floats, or both histograms. */
double interpolate_float(double before, double after, int64_t t0, int64_t t1, int64_t t, bool counter,
                         bool left);
const struct histogram *interpolate_hist(const struct histogram *before, const struct histogram *after,
                                         int64_t t0, int64_t t1, int64_t t, bool counter, bool left,
                                         struct arena *scratch, struct arena *, int *told);
/* window_rate.c: is row i a counter reset after row i - 1, by its start time or its value? Histograms of
 * both. */
bool row_started_anew(const struct rows *, size_t i);
