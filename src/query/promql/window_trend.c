/* window_trend.c - deriv, predict_linear, double_exponential_smoothing. */
#include <math.h>

#include "base/check.h"
#include "query/promql/window.h"
#include "query/promql/window_moments.h"

struct line {
    double slope, at_origin;
};

/* Least squares; x in seconds from origin_ms, compensated sums. */
static struct line fit(struct floats f, int64_t origin_ms)
{
    struct ksum x = { 0, 0 }, y = { 0, 0 }, xy = { 0, 0 }, xx = { 0, 0 };
    double n = (double)f.n;
    bool flat = true;

    for (size_t i = 0; i < f.n; i++) {
        double dx = (double)(f.time_ms[i] - origin_ms) / 1000;
        flat &= f.value[i] == f.value[0];
        ksum_add(&x, dx);
        ksum_add(&y, f.value[i]);
        ksum_add(&xy, dx * f.value[i]);
        ksum_add(&xx, dx * dx);
    }
    if (flat) return isinf(f.value[0]) ? (struct line){ NAN, NAN } : (struct line){ 0, f.value[0] };
    double sx = x.s + x.c, sy = y.s + y.c;
    double slope = ((xy.s + xy.c) - sx * sy / n) / ((xx.s + xx.c) - sx * sx / n);
    return (struct line){ slope, sy / n - slope * sx / n };
}

static bool enough(struct window_run *r, const struct window *w)
{
    size_t floats = w->hi - w->lo - w->n_hists;
    if (floats == 1 && w->n_hists > 0) window_note(r, NOTE_HISTOGRAM_IGNORED_RANGE);
    return floats >= 2;
}

static bool step_deriv(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    (void)h;
    if (!enough(r, w)) return false;
    struct floats f = window_floats(r, w);
    *v = fit(f, f.time_ms[0]).slope;
    return true;
}

static bool step_predict(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    (void)h;
    if (!enough(r, w)) return false;
    struct line l = fit(window_floats(r, w), eval_time(r->job->ev, w->step));
    *v = l.slope * r->job->param[0][w->step] + l.at_origin;
    return true;
}

static int check_factor(struct window_run *r, const char *what, double v)
{
    if (v > 0 && v < 1) return OK;
    return r->rc = err_set(r->err, ERR_EXEC, "invalid %s factor. Expected: 0 < factor < 1, got: %f", what, v);
}

static bool step_smoothing(struct window_run *r, const struct window *w, double *v,
                           const struct histogram **h)
{
    (void)h;
    double sf = r->job->param[0][w->step], tf = r->job->param[1][w->step];
    if (check_factor(r, "smoothing", sf) < 0 || check_factor(r, "trend", tf) < 0 || !enough(r, w))
        return false;
    struct floats f = window_floats(r, w);
    double before = 0, level = f.value[0], trend = f.value[1] - f.value[0];
    for (size_t i = 1; i < f.n; i++) {
        if (i > 1) trend = tf * (level - before) + (1 - tf) * trend;
        before = level;
        level = sf * f.value[i] + (1 - sf) * (level + trend);
    }
    *v = level;
    return true;
}

const struct window_def window_deriv = { step_deriv, run_deriv, .float_only = true };
const struct window_def window_predict_linear = { step_predict, run_predict, .float_only = true };
const struct window_def window_double_exponential_smoothing = { step_smoothing, NULL, .float_only = true };
