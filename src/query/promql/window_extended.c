/* window_extended.c - rate, increase and delta over anchored and smoothed ranges.
 *
 * anchored: from the last sample at or before the start of the range (else the first inside) to the last one
 * inside. smoothed: from the value at the start to the value at the end, each on the line between its
 * neighbours. In both what was lost at resets between is added, and nothing is extrapolated. */
#include <math.h>

#include "base/check.h"
#include "query/promql/window.h"

double interpolate_float(double before, double after, int64_t t0, int64_t t1, int64_t t, bool counter,
                         bool left)
{
    if (counter && after < before) {
        if (left)
            before = 0;
        else
            after += before;
    }
    return before + (after - before) * (double)(t - t0) / (double)(t1 - t0);
}

const struct histogram *interpolate_hist(const struct histogram *before, const struct histogram *after,
                                         int64_t t0, int64_t t1, int64_t t, bool counter, bool left,
                                         struct arena *scratch, struct arena *keep, int *told)
{
    double share = (double)(t - t0) / (double)(t1 - t0);
    bool anew = counter && hist_reset_or_told(after, before, scratch);
    struct hwork sum;

    hwork_init(&sum, scratch, after);
    sum.reset = HIST_GAUGE;
    hwork_scale(&sum, share);
    *told = 0;
    if (!(anew && left)) *told = hwork_add(&sum, before, anew ? 1 : 1 - share);
    if (*told & HWORK_INCOMPATIBLE) return NULL;
    sum.reset = before->reset == HIST_GAUGE && after->reset == HIST_GAUGE ? HIST_GAUGE : HIST_RESET_UNKNOWN;
    return hwork_done(&sum, keep);
}

struct edge { /* rows that matter: [first, last]; those strictly inside the range: [inner, inner_end) */
    size_t first, last, inner, inner_end;
};

/* False when nothing lies in or around the range. */
static bool find_edges(const struct window_run *r, const struct window *w, struct edge *e)
{
    const int64_t *t = r->rows.time_ms;
    int64_t lookback = r->job->ev->q->lookback_ms;
    bool smoothed = r->job->extent == EXTENT_SMOOTHED;
    size_t lo = w->lo, hi = w->hi;

    e->inner = lo;
    e->inner_end = hi;
    if (lo > 0 && t[lo - 1] > w->start_ms - lookback) lo--;
    if (smoothed && hi < r->rows.n && t[hi] <= w->end_ms + lookback && (hi == 0 || t[hi - 1] < w->end_ms))
        hi++;
    if (lo >= hi || t[hi - 1] <= w->start_ms) return false;
    e->first = lo;
    e->last = hi - 1;
    return true;
}

static bool all_of_a_kind(struct window_run *r, const struct edge *e, bool *hists)
{
    struct histogram *const *h = r->rows.hist;
    *hists = h != NULL && h[e->first] != NULL;
    for (size_t i = e->first; h != NULL && i <= e->last; i++)
        if ((h[i] != NULL) != *hists) return false;
    return true;
}

static double left_float(const struct window_run *r, const struct window *w, const struct edge *e)
{
    const struct rows *s = &r->rows;
    size_t i = e->first;
    if (r->job->extent != EXTENT_SMOOTHED || s->time_ms[i] >= w->start_ms || i == e->last) return s->value[i];
    return interpolate_float(s->value[i], s->value[i + 1], s->time_ms[i], s->time_ms[i + 1], w->start_ms,
                             r->job->def->is_counter, true);
}

static double right_float(const struct window_run *r, const struct window *w, const struct edge *e)
{
    const struct rows *s = &r->rows;
    size_t i = e->last;
    if (r->job->extent != EXTENT_SMOOTHED || s->time_ms[i] <= w->end_ms || i == e->first) return s->value[i];
    bool same_gap =
        s->time_ms[i - 1] < w->start_ms; /* then both edges lie on the line after a reset, if there is one */
    return interpolate_float(s->value[i - 1], s->value[i], s->time_ms[i - 1], s->time_ms[i], w->end_ms,
                             r->job->def->is_counter, same_gap);
}

static bool extended_float(struct window_run *r, const struct window *w, const struct edge *e, double *v)
{
    double left = left_float(r, w, e), right = right_float(r, w, e), grown = right - left, prev = left;
    if (r->job->def->is_counter) {
        for (size_t i = e->inner; i < e->inner_end; i++) {
            if (r->rows.value[i] < prev) grown += prev;
            prev = r->rows.value[i];
        }
        if (right < prev) grown += prev;
    }
    *v = r->job->def->is_rate ? grown / ((double)r->job->range_ms / 1000) : grown;
    return true;
}

/* ---- histograms ---- */

static const struct histogram *edge_hist(struct window_run *r, size_t a, size_t b, int64_t t, bool left,
                                         int *told)
{
    const struct rows *s = &r->rows;
    return interpolate_hist(s->hist[a], s->hist[b], s->time_ms[a], s->time_ms[b], t, r->job->def->is_counter,
                            left, r->scratch, r->scratch, told);
}

static bool incompatible(struct window_run *r, int told)
{
    if (told & HWORK_INCOMPATIBLE)
        window_note(r, NOTE_MIXED_EXPONENTIAL_CUSTOM);
    else if (told & HWORK_RECONCILED)
        window_note_text(r, NOTE_CUSTOM_RECONCILED, STR("subtraction"));
    return told & HWORK_INCOMPATIBLE;
}

static void note_gauges(struct window_run *r, const struct edge *e)
{
    struct histogram *const *h = r->rows.hist;
    bool counter = r->job->def->is_counter;
    if (!counter && (h[e->first]->reset != HIST_GAUGE || h[e->last]->reset != HIST_GAUGE))
        window_note(r, NOTE_NOT_GAUGE);
    for (size_t i = e->first; counter && i <= e->last; i++)
        if (h[i]->reset == HIST_GAUGE) window_note(r, NOTE_NOT_COUNTER);
}

/* Add to grown what was lost between prev and cur; false when they are of different kinds. */
static bool add_lost(struct window_run *r, struct hwork *grown, const struct histogram *prev,
                     const struct histogram *cur)
{
    if (hist_is_custom(prev) != hist_is_custom(cur)) return !incompatible(r, HWORK_INCOMPATIBLE);
    if (!hist_reset_or_told(cur, prev, r->scratch)) return true;
    return !incompatible(r, hwork_add(grown, prev, 1));
}

static bool extended_hist(struct window_run *r, const struct window *w, const struct edge *e,
                          const struct histogram **out)
{
    const struct rows *s = &r->rows;
    bool smoothed = r->job->extent == EXTENT_SMOOTHED;
    const struct histogram *left = s->hist[e->first], *right = s->hist[e->last], *prev;
    struct hwork grown;
    int told = 0;

    note_gauges(r, e);
    if (smoothed && s->time_ms[e->first] < w->start_ms && e->first < e->last)
        left = edge_hist(r, e->first, e->first + 1, w->start_ms, true, &told);
    if (incompatible(r, told)) return false;
    if (smoothed && s->time_ms[e->last] > w->end_ms && e->first < e->last)
        right = edge_hist(r, e->last - 1, e->last, w->end_ms, s->time_ms[e->last - 1] < w->start_ms, &told);
    if (incompatible(r, told)) return false;

    hwork_init(&grown, r->scratch, right);
    grown.reset = HIST_GAUGE;
    if (incompatible(r, hwork_add(&grown, left, -1))) return false;
    prev = left;
    for (size_t i = e->inner; r->job->def->is_counter && i < e->inner_end; i++) {
        bool same = s->hist[i] == prev; /* the first inside is the left edge itself */
        bool left_line =
            smoothed && i == e->inner && prev == left && left != s->hist[e->first]; /* the line ends here */
        if (!same && !left_line && !add_lost(r, &grown, prev, s->hist[i])) return false;
        prev = s->hist[i];
    }
    if (r->job->def->is_counter && right != s->hist[e->last] &&
        !hist_is_custom(prev) != !hist_is_custom(right))
        return false;
    if (r->job->def->is_rate) hwork_scale(&grown, 1 / ((double)r->job->range_ms / 1000));
    *out = hwork_done(&grown, r->keep);
    return true;
}

bool extended_rate(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    struct edge e;
    bool hists;
    if (!find_edges(r, w, &e)) return false;
    if (!all_of_a_kind(r, &e, &hists)) {
        window_note(r, NOTE_MIXED_FLOATS_HISTOGRAMS);
        return false;
    }
    return hists ? extended_hist(r, w, &e, h) : extended_float(r, w, &e, v);
}
