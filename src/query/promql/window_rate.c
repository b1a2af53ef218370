/* window_rate.c - rate, increase, delta, irate, idelta, resets, changes.
 *
 * rate over a window needs its first and last sample and what was lost at counter resets between them. For
 * floats the resets of a series are found once, then each window looks only at those inside it.
 *
 * A sample whose start time lies after the sample before began anew at zero, whatever its value. A start time
 * inside the window and before its first sample is a sample of zero there. */
#include <math.h>

#include "base/check.h"
#include "query/promql/blocks.h"
#include "query/promql/window.h"

/* ---- start times ---- */

bool row_started_anew(const struct rows *r, size_t i)
{
    if (r->start_ms == NULL || r->start_ms[i] == 0 || r->start_ms[i] >= r->time_ms[i]) return false;
    int64_t start = r->start_ms[i], before = r->time_ms[i - 1];
    return start > before || (start == before && start != r->start_ms[i - 1]);
}

static void note_overlap(struct window_run *w, size_t i)
{
    const struct rows *r = &w->rows;
    if (r->start_ms == NULL || r->start_ms[i] == 0) return;
    if (r->start_ms[i] < r->time_ms[i - 1] && r->start_ms[i] != r->start_ms[i - 1])
        window_note(w, NOTE_START_OVERLAP);
}

/* ---- from the growth between samples to that over the window ---- */

struct growth {
    size_t first, last; /* rows */
    double first_value; /* of a histogram: its count */
    double grown;       /* between them; of a histogram: in its count */
    int64_t zero_ms;    /* a known zero inside the window before first; 0 = none */
};

static int64_t known_zero(const struct window_run *r, size_t first, int64_t window_start)
{
    if (!r->job->def->is_counter || r->rows.start_ms == NULL) return 0;
    int64_t start = r->rows.start_ms[first];
    return start > window_start && start < r->rows.time_ms[first] && start != 0 ? start : 0;
}

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

/* How far the growth of a window reaches over its samples. In series scraped regularly it is the same window
 * for window. */
struct reach {
    int64_t left_ms, sampled_ms,
        right_ms;                /* from the window's start to the first sample, to the last, to the end */
    size_t between;              /* intervals from the first sample to the last */
    double sampled, left, right; /* seconds; left and right as far as growth is taken to have gone on */
};

/* Up to each boundary when it is nearer than 1.1 times the samples are apart, else by half that distance;
 * never to before a counter was zero. */
static struct reach reach_of(const int64_t *t, const struct window *w, const struct growth *g)
{
    struct reach x = { t[g->first] - w->start_ms, t[g->last] - t[g->first], w->end_ms - t[g->last],
                       g->last - g->first };
    double apart = x.between ? seconds(x.sampled_ms) / (double)x.between : 0;
    x.sampled = g->zero_ms ? seconds(t[g->last] - g->zero_ms) : seconds(x.sampled_ms);
    x.left = g->zero_ms ? 0 : seconds(x.left_ms);
    x.right = seconds(x.right_ms);
    if (x.left >= apart * 1.1) x.left = g->zero_ms ? 0 : apart / 2;
    if (x.right >= apart * 1.1) x.right = apart / 2;
    return x;
}

static bool reach_again(const struct reach *x, const int64_t *t, const struct window *w,
                        const struct growth *g)
{
    return !g->zero_ms && x->between == g->last - g->first && x->left_ms == t[g->first] - w->start_ms &&
           x->right_ms == w->end_ms - t[g->last] && x->sampled_ms == t[g->last] - t[g->first];
}

/* The factor that stretches the growth between samples to the window. `last` is the reach of a window before,
 * without a known zero, and becomes that of this one; NULL: nothing is remembered. */
static double stretch(const struct window_run *r, const struct window *w, const struct growth *g,
                      struct reach *last)
{
    const int64_t *t = r->rows.time_ms;
    struct reach fresh;
    const struct reach *x = last;
    if (last == NULL || !reach_again(last, t, w, g)) {
        fresh = reach_of(t, w, g);
        if (last != NULL && !g->zero_ms) *last = fresh;
        x = &fresh;
    }
    double left = x->left;
    if (r->job->def->is_counter && !g->zero_ms && g->grown > 0 && g->first_value >= 0) {
        double to_zero = x->sampled * (g->first_value / g->grown);
        if (to_zero < left) left = to_zero;
    }
    double factor = (x->sampled + left + x->right) / x->sampled;
    return r->job->def->is_rate ? factor / seconds(r->job->range_ms) : factor;
}

/* ---- floats ---- */

static bool float_result(struct window_run *r, const struct window *w, double lost, struct reach *last,
                         double *v)
{
    const double *value = r->rows.value;
    struct growth g = { w->lo, w->hi - 1, value[w->lo], 0, known_zero(r, w->lo, w->start_ms) };
    if (g.first == g.last && !g.zero_ms) return false;
    g.grown = value[g.last] - (g.zero_ms ? 0 : value[g.first]) + lost;
    *v = g.grown * stretch(r, w, &g, last);
    return true;
}

static bool float_fell(const struct rows *r, size_t i)
{
    return r->value[i] < r->value[i - 1] || row_started_anew(r, i);
}

static bool float_rate(struct window_run *r, const struct window *w, double *v)
{
    double lost = 0;
    for (size_t i = w->lo + 1; r->job->def->is_counter && i < w->hi; i++) {
        note_overlap(r, i);
        if (float_fell(&r->rows, i)) lost += r->rows.value[i - 1];
    }
    return float_result(r, w, lost, NULL, v);
}

/* All rows at which the counter began anew. Most blocks have none. */
static uint32_t *find_resets(struct window_run *r, size_t *n)
{
    const struct rows *rows = &r->rows;
    uint32_t *at = NULL;
    size_t cap = 0, end;
    *n = 0;
    for (size_t i = 1; r->job->def->is_counter && i < rows->n; i = end) {
        end = MIN(i + BLOCK, rows->n);
        if (rows->start_ms == NULL && end - i == BLOCK && !block_falls(rows->value + i)) continue;
        for (size_t k = i; k < end; k++) {
            if (rows->time_ms[k] - rows->time_ms[k - 1] < r->job->range_ms) /* else no window has both */
                note_overlap(r, k);
            if (!float_fell(rows, k)) continue;
            at = arena_grow(r->series, at, *n, &cap, sizeof *at);
            at[(*n)++] = (uint32_t)k;
        }
    }
    return at;
}

static void run_rate(struct window_run *r)
{
    const struct window_job *job = r->job;
    size_t n_resets, first_reset = 0;
    uint32_t *resets = find_resets(r, &n_resets);
    struct window w = { 0 };
    struct reach last = { .between = SIZE_MAX };

    for (size_t i = 0; i < job->ev->n; i++) {
        w.end_ms = job->data_start + (int64_t)i * job->data_step;
        w.start_ms = w.end_ms - job->range_ms;
        window_slide(&r->rows, &w);
        r->samples += w.hi - w.lo;
        if (w.lo == w.hi) continue;
        while (first_reset < n_resets && resets[first_reset] <= w.lo) first_reset++;
        double lost = 0;
        for (size_t k = first_reset; k < n_resets && resets[k] < w.hi; k++)
            lost += r->rows.value[resets[k] - 1];
        float_result(r, &w, lost, &last, &r->v[i]);
    }
}

/* ---- histograms ---- */

static bool hist_fell(struct window_run *r, size_t i, const struct histogram *prev)
{
    return row_started_anew(&r->rows, i) || hist_reset_or_told(r->rows.hist[i], prev, r->scratch);
}

static bool mixed_kinds(struct window_run *r, const struct window *w, size_t from)
{
    bool custom = hist_is_custom(r->rows.hist[w->hi - 1]);
    for (size_t i = from; i < w->hi; i++)
        if (hist_is_custom(r->rows.hist[i]) != custom) return true;
    return false;
}

static void note_kind(struct window_run *r, const struct window *w)
{
    struct histogram *const *h = r->rows.hist;
    bool first_gauge = h[w->lo]->reset == HIST_GAUGE, last_gauge = h[w->hi - 1]->reset == HIST_GAUGE;
    if (!r->job->def->is_counter) {
        if (!first_gauge || !last_gauge) window_note(r, NOTE_NOT_GAUGE);
        return;
    }
    for (size_t i = w->lo; i < w->hi; i++)
        if (h[i]->reset == HIST_GAUGE) window_note(r, NOTE_NOT_COUNTER);
}

static void note_add_told(struct window_run *r, int told, struct str what)
{
    if (told & HWORK_RECONCILED) window_note_text(r, NOTE_CUSTOM_RECONCILED, what);
}

/* last - first + what was lost at resets. False: they cannot be compared. */
static bool hist_growth(struct window_run *r, const struct window *w, bool from_zero, struct hwork *sum)
{
    struct histogram *const *h = r->rows.hist;
    bool counter = r->job->def->is_counter;
    bool anew = counter && w->lo + 1 < w->hi &&
                hist_fell(r, w->lo + 1, h[w->lo]); /* then the first does not matter */

    note_kind(r, w);
    if (mixed_kinds(r, w, w->lo + anew)) {
        window_note(r, NOTE_MIXED_EXPONENTIAL_CUSTOM);
        return false;
    }
    hwork_init(sum, r->scratch, h[w->hi - 1]);
    sum->reset = HIST_GAUGE;
    if (!anew && !from_zero) note_add_told(r, hwork_add(sum, h[w->lo], -1), STR("subtraction"));
    for (size_t i = w->lo + 1; counter && i < w->hi; i++) {
        note_overlap(r, i);
        if (i == w->lo + 1 && anew) {
            if (from_zero) note_add_told(r, hwork_add(sum, h[w->lo], 1), STR("addition"));
        } else if (hist_fell(r, i, h[i - 1])) {
            note_add_told(r, hwork_add(sum, h[i - 1], 1), STR("addition"));
        }
    }
    return true;
}

static bool hist_rate(struct window_run *r, const struct window *w, const struct histogram **out)
{
    struct growth g = { w->lo, w->hi - 1, r->rows.hist[w->lo]->count, 0, known_zero(r, w->lo, w->start_ms) };
    struct hwork sum;
    if (g.first == g.last && !g.zero_ms) return false;
    if (!hist_growth(r, w, g.zero_ms != 0, &sum)) return false;
    g.grown = ksum_value(sum.count);
    hwork_scale(&sum, stretch(r, w, &g, NULL));
    *out = hwork_done(&sum, r->keep);
    return true;
}

static bool step_rate(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    if (w->n_hists == 0) return float_rate(r, w, v);
    if (w->n_hists == w->hi - w->lo) return hist_rate(r, w, h);
    window_note(r, NOTE_MIXED_FLOATS_HISTOGRAMS);
    return false;
}

/* ---- irate, idelta: the last two samples ---- */

static bool instant_hist(struct window_run *r, size_t i, const struct histogram **out, double per)
{
    bool counter = r->job->def->is_counter;
    const struct histogram *a = r->rows.hist[i - 1], *b = r->rows.hist[i];
    struct hwork sum;

    if (counter && (a->reset == HIST_GAUGE || b->reset == HIST_GAUGE)) window_note(r, NOTE_NOT_COUNTER);
    if (!counter && (a->reset != HIST_GAUGE || b->reset != HIST_GAUGE)) window_note(r, NOTE_NOT_GAUGE);
    hwork_init(&sum, r->scratch, b);
    sum.reset = HIST_GAUGE;
    if (!counter || !hist_fell(r, i, a)) {
        int told = hwork_add(&sum, a, -1);
        if (told & HWORK_INCOMPATIBLE) {
            window_note(r, NOTE_MIXED_EXPONENTIAL_CUSTOM);
            return false;
        }
        note_add_told(r, told, STR("subtraction"));
    }
    hwork_scale(&sum, 1 / per);
    *out = hwork_done(&sum, r->keep);
    return true;
}

static bool step_instant(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    const struct rows *rows = &r->rows;
    size_t i = w->hi - 1;

    if (w->hi - w->lo < 2) return false;
    double per = r->job->def->is_rate ? seconds(rows->time_ms[i] - rows->time_ms[i - 1]) : 1;
    if (r->job->def->is_counter) note_overlap(r, i);
    bool a = rows->hist && rows->hist[i - 1], b = rows->hist && rows->hist[i];
    if (a != b) {
        window_note(r, NOTE_MIXED_FLOATS_HISTOGRAMS);
        return false;
    }
    if (a) return instant_hist(r, i, h, per);
    bool anew = r->job->def->is_counter && float_fell(rows, i);
    *v = (anew ? rows->value[i] : rows->value[i] - rows->value[i - 1]) / per;
    return true;
}

/* ---- resets, changes ---- */

typedef bool differs_fn(struct window_run *, size_t i);

static bool was_reset(struct window_run *r, size_t i)
{
    const struct rows *rows = &r->rows;
    const struct histogram *a = rows->hist ? rows->hist[i - 1] : NULL, *b = rows->hist ? rows->hist[i] : NULL;
    if ((a == NULL) != (b == NULL)) return true;
    return b ? hist_fell(r, i, a) : float_fell(rows, i);
}

static bool has_changed(struct window_run *r, size_t i)
{
    const struct rows *rows = &r->rows;
    const struct histogram *a = rows->hist ? rows->hist[i - 1] : NULL, *b = rows->hist ? rows->hist[i] : NULL;
    if ((a == NULL) != (b == NULL)) return true;
    if (b) return !hist_equal(a, b, r->scratch);
    return rows->value[i] != rows->value[i - 1] && !(isnan(rows->value[i]) && isnan(rows->value[i - 1]));
}

/* The last row at or before the window's start, within the lookback, stands before those inside. */
static size_t anchored_first(const struct window_run *r, const struct window *w)
{
    if (r->job->extent != EXTENT_ANCHORED || w->lo == 0) return w->lo;
    bool near = r->rows.time_ms[w->lo - 1] > w->start_ms - r->job->ev->q->lookback_ms;
    return near ? w->lo - 1 : w->lo;
}

static bool step_count_of(struct window_run *r, const struct window *w, differs_fn *differs, double *v)
{
    size_t n = 0;
    for (size_t i = anchored_first(r, w) + 1; i < w->hi; i++) n += differs(r, i);
    *v = (double)n;
    return true;
}

static bool step_resets(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    (void)h;
    return step_count_of(r, w, was_reset, v);
}

static bool step_changes(struct window_run *r, const struct window *w, double *v, const struct histogram **h)
{
    (void)h;
    return step_count_of(r, w, has_changed, v);
}

/* Each row is compared with the one before once; windows then only count. before[i]: rows up to i that
 * differ. */
static void run_count_of(struct window_run *r, const uint32_t *before)
{
    const struct window_job *job = r->job;
    struct window w = { 0 };

    for (size_t i = 0; i < job->ev->n; i++) {
        w.end_ms = job->data_start + (int64_t)i * job->data_step;
        w.start_ms = w.end_ms - job->range_ms;
        window_slide(&r->rows, &w);
        r->samples += w.hi - w.lo;
        if (w.lo < w.hi) r->v[i] = before[w.hi - 1] - before[w.lo];
    }
}

static void run_resets(struct window_run *r)
{
    uint32_t *before = arena_array(r->series, r->rows.n + 1, sizeof *before);
    before[0] = 0;
    for (size_t i = 1; i < r->rows.n; i++) before[i] = before[i - 1] + was_reset(r, i);
    run_count_of(r, before);
}

static void run_changes(struct window_run *r)
{
    const double *v = r->rows.value;
    uint32_t *before = arena_array(r->series, r->rows.n + 1, sizeof *before);
    before[0] = 0;
    for (size_t i = 1; i < r->rows.n; i++) {
        bool both_nan = (v[i] != v[i]) & (v[i - 1] != v[i - 1]);
        before[i] = before[i - 1] + ((v[i] != v[i - 1]) & !both_nan);
    }
    run_count_of(r, before);
}

/* clang-format off: a table */
const struct window_def window_rate = { step_rate,          run_rate,         .is_counter = true,
                                        .is_rate = true,    .anchored = true, .smoothed = true,
                                        .checks_name = true };
const struct window_def window_increase = { step_rate,        run_rate,         .is_counter = true,
                                            .anchored = true, .smoothed = true, .checks_name = true };
const struct window_def window_delta = { step_rate, run_rate, .anchored = true, .smoothed = true };
const struct window_def window_irate = { step_instant, NULL, .is_counter = true, .is_rate = true };
const struct window_def window_idelta = { step_instant, NULL };
const struct window_def window_resets = { step_resets, run_resets, .anchored = true };
const struct window_def window_changes = { step_changes, run_changes, .anchored = true };
/* clang-format on */
