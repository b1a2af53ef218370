/* summary.c - see summary.h. */
#include "model/summary.h"

#include <math.h>

#include "base/check.h"

/* Neumaier's compensated sum: what each addition rounds off is kept beside it. */
static void total_add(struct summary *s, double v)
{
    double t = s->total + v;
    if (isinf(t))
        s->total_low = 0;
    else if (fabs(s->total) >= fabs(v))
        s->total_low += (s->total - t) + v;
    else
        s->total_low += (v - t) + s->total;
    s->total = t;
}

double summary_total(const struct summary *s)
{
    return isinf(s->total) ? s->total : s->total + s->total_low;
}

static bool has_changed(double a, double b)
{
    return a != b && !(isnan(a) && isnan(b));
}

static void take_extremes(struct summary *s, double min, double max)
{
    if (isnan(s->min) || min <= s->min) s->min = min;
    if (isnan(s->max) || max >= s->max) s->max = max;
}

/* From the last value so far to the next. */
static void take_step(struct summary *s, double next)
{
    s->changes += has_changed(s->last, next);
    if (!(next < s->last)) return;
    s->resets++;
    s->lost += s->last;
}

static void add_first(struct summary *s, int64_t time_ms, double v)
{
    s->n = 1;
    s->first_ms = s->last_ms = time_ms;
    s->first = s->last = s->min = s->max = s->total = v;
    s->drift = isfinite(v) ? 0 : NAN;
    s->spread = s->drift;
}

static void add_float(struct summary *s, int64_t time_ms, double v)
{
    if (s->n == 0) {
        add_first(s, time_ms, v);
        return;
    }
    take_step(s, v);
    take_extremes(s, v, v);
    total_add(s, v);
    double away = (v - s->first) - s->drift; /* Welford, counted from the first: large values lose nothing */
    s->n++;
    s->drift += away / (double)s->n;
    s->spread += away * ((v - s->first) - s->drift);
    s->last = v;
    s->last_ms = time_ms;
}

void summary_add(struct summary *s, int64_t time_ms, double v, bool is_hist, int64_t start_ms)
{
    s->ends_stale = is_stale(v);
    if (s->ends_stale) {
        s->stale_ms = time_ms;
        return;
    }
    s->odd += is_hist || start_ms != 0;
    if (!is_hist) add_float(s, time_ms, v);
}

static void join_spread(struct summary *a, const struct summary *b)
{
    double n = (double)a->n + (double)b->n, share = (double)b->n / n;
    double apart = (b->first - a->first) + (b->drift - a->drift);
    a->drift += apart * share;
    a->spread += b->spread + apart * apart * share * (double)a->n;
}

static void join_floats(struct summary *a, const struct summary *b)
{
    join_spread(a, b);
    take_step(a, b->first);
    take_extremes(a, b->min, b->max);
    total_add(a, b->total);
    if (!isinf(a->total)) a->total_low += b->total_low;
    a->lost += b->lost;
    a->changes += b->changes;
    a->resets += b->resets;
    a->n += b->n;
    a->last = b->last;
    a->last_ms = b->last_ms;
}

static bool is_empty(const struct summary *s)
{
    return s->n == 0 && s->odd == 0 && !s->ends_stale;
}

void summary_join(struct summary *a, const struct summary *b)
{
    if (is_empty(b)) return;
    if (is_empty(a)) {
        *a = *b;
        return;
    }
    uint64_t odd = a->odd + b->odd;
    if (a->n > 0 && b->n > 0)
        join_floats(a, b);
    else if (b->n > 0)
        *a = *b;
    a->odd = odd;
    a->ends_stale = b->ends_stale;
    a->stale_ms = b->stale_ms;
}

void summary_fold(struct summary *at, const struct summary_grid *g, size_t n, const int64_t *time_ms,
                  const double *value, struct histogram *const *hist, const int64_t *start_ms)
{
    int64_t last_ms = summary_grid_end(g), end_ms = INT64_MIN;
    struct summary *s = NULL;
    for (size_t i = 0; i < n; i++) {
        if (time_ms[i] <= g->start_ms) continue;
        if (time_ms[i] > last_ms) break;
        if (time_ms[i] > end_ms) {
            int64_t bucket = (time_ms[i] - g->start_ms - 1) / g->width_ms;
            s = at + bucket;
            end_ms = g->start_ms + (bucket + 1) * g->width_ms;
        }
        summary_add(s, time_ms[i], value[i], hist && hist[i], start_ms ? start_ms[i] : 0);
    }
}

void summary_put(const struct summary *s, int64_t end_ms, int64_t width_ms, double out[SUM_FIELDS])
{
    int64_t start_ms = end_ms - width_ms;
    for (int f = 0; f < SUM_FIELDS; f++) out[f] = 0;
    out[SUM_STALE_AT] = s->ends_stale ? (double)(s->stale_ms - start_ms) : 0;
    out[SUM_ODD] = (double)s->odd;
    if (s->n == 0) return;
    out[SUM_N] = (double)s->n;
    out[SUM_FIRST_AT] = (double)(s->first_ms - start_ms);
    out[SUM_LAST_AT] = (double)(end_ms - s->last_ms);
    out[SUM_FIRST] = s->first;
    out[SUM_LAST] = s->last;
    out[SUM_TOTAL] = summary_total(s);
    out[SUM_MIN] = s->min;
    out[SUM_MAX] = s->max;
    out[SUM_LOST] = s->lost;
    out[SUM_CHANGES] = (double)s->changes;
    out[SUM_RESETS] = (double)s->resets;
    out[SUM_DRIFT] = s->drift;
    out[SUM_SPREAD] = s->spread;
}

/* A number of a file may be anything. */
static uint64_t count_of(double v)
{
    return v >= 0 && v < 1e15 ? (uint64_t)v : 0;
}

static int64_t offset_of(double v, int64_t width_ms)
{
    return v >= 0 && v <= (double)width_ms ? (int64_t)v : 0;
}

void summary_get(struct summary *s, int64_t end_ms, int64_t width_ms, const double in[SUM_FIELDS])
{
    int64_t start_ms = end_ms - width_ms;
    *s = (struct summary){ .n = count_of(in[SUM_N]),
                           .first_ms = start_ms + offset_of(in[SUM_FIRST_AT], width_ms),
                           .last_ms = end_ms - offset_of(in[SUM_LAST_AT], width_ms),
                           .first = in[SUM_FIRST],
                           .last = in[SUM_LAST],
                           .total = in[SUM_TOTAL],
                           .min = in[SUM_MIN],
                           .max = in[SUM_MAX],
                           .lost = in[SUM_LOST],
                           .changes = count_of(in[SUM_CHANGES]),
                           .resets = count_of(in[SUM_RESETS]),
                           .drift = in[SUM_DRIFT],
                           .spread = in[SUM_SPREAD],
                           .ends_stale = in[SUM_STALE_AT] > 0,
                           .stale_ms = start_ms + offset_of(in[SUM_STALE_AT], width_ms),
                           .odd = count_of(in[SUM_ODD]) };
}
