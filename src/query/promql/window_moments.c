/* window_moments.c - stddev, stdvar, deriv and predict_linear over windows of many rows, without looking at
 * each row again for each step.
 *
 * What they need of a set of rows are its mean point and its centred second moments, and these of two sets
 * make those of both (Chan, Golub, LeVeque). So they are made once for runs of 16, 256, ... rows, and a
 * window joins the longest runs it is made of. Centred moments lose nothing where plain sums of squares
 * would. */
#include <math.h>

#include "base/check.h"
#include "query/promql/reusable.h"
#include "query/promql/window.h"
#include "query/promql/window_moments.h"

#define RUN    16
#define LEVELS 8

struct moments {
    double n, x, y;    /* how many; the mean point; x in seconds from the first row of the series */
    double xx, xy, yy; /* sums of products of the distances from it */
};

struct levels {
    struct moments *at[LEVELS];
    int n;
};

static struct moments join(struct moments a, struct moments b)
{
    if (a.n == 0) return b;
    double n = a.n + b.n, dx = b.x - a.x, dy = b.y - a.y, share = a.n * b.n / n;
    return (struct moments){
        n,
        a.x + dx * b.n / n,
        a.y + dy * b.n / n,
        a.xx + b.xx + dx * dx * share,
        a.xy + b.xy + dx * dy * share,
        a.yy + b.yy + dy * dy * share,
    };
}

static struct moments of_row(const struct rows *r, size_t i)
{
    return (struct moments){ 1, (double)(r->time_ms[i] - r->time_ms[0]) / 1000, r->value[i], 0, 0, 0 };
}

static void make_levels(struct levels *l, const struct rows *r, struct arena *a)
{
    for (size_t below = r->n; below >= RUN && l->n < LEVELS; below /= RUN) {
        size_t n = below / RUN;
        struct moments *to = arena_zero(a, n * sizeof *to);
        for (size_t i = 0; i < n * RUN; i++)
            to[i / RUN] = join(to[i / RUN], l->n ? l->at[l->n - 1][i] : of_row(r, i));
        l->at[l->n++] = to;
    }
}

static struct moments of_rows(const struct levels *l, const struct rows *r, size_t lo, size_t hi)
{
    struct moments m = { 0 };
    while (lo < hi) {
        int best = -1;
        for (size_t k = 0, rows = RUN; k < (size_t)l->n && lo % rows == 0 && lo + rows <= hi;
             k++, rows *= RUN)
            best = (int)k;
        size_t rows = best < 0 ? 1 : (size_t)1 << (4 * (best + 1));
        m = join(m, best < 0 ? of_row(r, lo) : l->at[best][lo / rows]);
        lo += rows;
    }
    return m;
}

typedef bool result_fn(const struct window_run *, const struct moments *, size_t step, double *v);

/* False: the windows are too short for it to pay. */
static bool run_moments(struct window_run *r, result_fn *result)
{
    const struct window_job *job = r->job;
    struct levels l = { 0 };
    size_t lo = 0, hi = 0;

    if (job->ev->n < 2 || rows_a_window(r) < WINDOW_RUN_WORTH) return false;
    make_levels(&l, &r->rows, r->series);
    for (size_t i = 0; i < job->ev->n; i++) {
        int64_t end = job->data_start + (int64_t)i * job->data_step;
        window_move(&r->rows, end - job->range_ms, end, &lo, &hi);
        r->samples += hi - lo;
        if (lo == hi) continue;
        double v;
        bool has;
        if (hi - lo < WINDOW_RUN_WORTH) { /* then the same wherever the query begins */
            struct window w = {
                .lo = lo, .hi = hi, .step = i, .start_ms = end - job->range_ms, .end_ms = end
            };
            has = job->def->step(r, &w, &v, NULL);
        } else {
            struct moments m = of_rows(&l, &r->rows, lo, hi);
            has = result(r, &m, i, &v);
        }
        if (has) r->v[i] = v;
    }
    return true;
}

/* Around an infinite value nothing has a distance; joining runs may have made an infinity of it. */
static double variance_of(const struct moments *m)
{
    return isfinite(m->y) ? m->yy / m->n : NAN;
}

static bool variance(const struct window_run *r, const struct moments *m, size_t step, double *v)
{
    (void)r, (void)step;
    *v = variance_of(m);
    return true;
}

static bool deviation(const struct window_run *r, const struct moments *m, size_t step, double *v)
{
    (void)r, (void)step;
    *v = sqrt(variance_of(m));
    return true;
}

static double slope_of(const struct moments *m)
{
    /* yy is not asked whether the line is flat: below 1e-162 it is 0 before its time. */
    return isfinite(m->xy) ? m->xy / m->xx : NAN;
}

static bool slope(const struct window_run *r, const struct moments *m, size_t step, double *v)
{
    (void)r, (void)step;
    *v = slope_of(m);
    return m->n >= 2;
}

static bool prediction(const struct window_run *r, const struct moments *m, size_t step, double *v)
{
    double now = (double)(eval_time(r->job->ev, step) - r->rows.time_ms[0]) / 1000;
    *v = m->y + slope_of(m) * (now - m->x + r->job->param[0][step]);
    return m->n >= 2;
}

void run_stdvar(struct window_run *r)
{
    if (!run_moments(r, variance)) window_each(r);
}

void run_stddev(struct window_run *r)
{
    if (!run_moments(r, deviation)) window_each(r);
}

void run_deriv(struct window_run *r)
{
    if (!run_moments(r, slope)) window_each(r);
}

void run_predict(struct window_run *r)
{
    if (!run_moments(r, prediction)) window_each(r);
}
