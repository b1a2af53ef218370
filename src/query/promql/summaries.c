/* summaries.c - see summaries.h.
 *
 * A window's summary is joined from those of its buckets. For long windows runs of 16 and 256 buckets, which
 * begin at multiples of that many since 1970, are joined once, and a window takes the longest it is made of.
 */
#include "query/promql/summaries.h"

#include <math.h>
#include <time.h>

#include "base/check.h"

#define FIVE_MINUTES_MS 300000ll
#define BUCKETS_MAX     (1u << 18)
#define DAY_MS          86400000ll
#define RUN             16
#define LEVELS          3
#define RUNS_WORTH      RUN /* buckets of a window from which on runs are made */

/* ---- the functions ---- */

struct span { /* a window and what is in it */
    const struct window_job *job;
    const struct summary *s; /* n > 0 */
    int64_t start_ms, end_ms;
};

struct summary_fn {
    const struct window_def *def;
    bool (*value)(const struct span *, double *v);
    uint32_t fields;
    bool is_sum; /* its last bits follow from how the sum was put together */
};

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

/* The same steps as stretch() of window_rate.c, so that the bits are the same. */
static bool growth_value(const struct span *w, double *v)
{
    const struct summary *s = w->s;
    const struct window_def *def = w->job->def;
    if (s->n < 2) return false;
    double grown = s->last - s->first + (def->is_counter ? s->lost : 0);
    double sampled = seconds(s->last_ms - s->first_ms), apart = sampled / (double)(s->n - 1);
    double left = seconds(s->first_ms - w->start_ms), right = seconds(w->end_ms - s->last_ms);
    if (left >= apart * 1.1) left = apart / 2;
    if (right >= apart * 1.1) right = apart / 2;
    if (def->is_counter && grown > 0 && s->first >= 0) {
        double to_zero = sampled * (s->first / grown);
        if (to_zero < left) left = to_zero;
    }
    double factor = (sampled + left + right) / sampled;
    int64_t taken_ms = w->end_ms - w->start_ms;
    *v = grown * (def->is_rate ? factor / seconds(taken_ms) : factor);
    if (!def->is_rate && taken_ms != w->job->range_ms)
        *v *= (double)w->job->range_ms / (double)taken_ms; /* the window was moved: per time asked for */
    return true;
}

static bool sum_value(const struct span *w, double *v)
{
    return *v = summary_total(w->s), true;
}
static bool avg_value(const struct span *w, double *v)
{
    return *v = summary_total(w->s) / (double)w->s->n, true;
}
static bool count_value(const struct span *w, double *v)
{
    return *v = (double)w->s->n, true;
}
static bool present_value(const struct span *w, double *v)
{
    (void)w;
    return *v = 1, true;
}
static bool min_value(const struct span *w, double *v)
{
    return *v = w->s->min, true;
}
static bool max_value(const struct span *w, double *v)
{
    return *v = w->s->max, true;
}
static bool first_value(const struct span *w, double *v)
{
    return *v = w->s->first, true;
}
static bool last_value(const struct span *w, double *v)
{
    return *v = w->s->last, true;
}
static bool first_time(const struct span *w, double *v)
{
    return *v = seconds(w->s->first_ms), true;
}
static bool last_time(const struct span *w, double *v)
{
    return *v = seconds(w->s->last_ms), true;
}
static bool changes_value(const struct span *w, double *v)
{
    return *v = (double)w->s->changes, true;
}
static bool resets_value(const struct span *w, double *v)
{
    return *v = (double)w->s->resets, true;
}
static bool stdvar_value(const struct span *w, double *v)
{
    return *v = w->s->spread / (double)w->s->n, true;
}
static bool stddev_value(const struct span *w, double *v)
{
    return *v = sqrt(w->s->spread / (double)w->s->n), true;
}

#define ENDS   (SUM_BIT(SUM_FIRST) | SUM_BIT(SUM_LAST)) /* joining needs them for changes, resets and lost */
#define TIMES  (SUM_BIT(SUM_FIRST_AT) | SUM_BIT(SUM_LAST_AT))
#define GROWTH (ENDS | TIMES | SUM_BIT(SUM_LOST))
#define SPREAD (SUM_BIT(SUM_FIRST) | SUM_BIT(SUM_DRIFT) | SUM_BIT(SUM_SPREAD))

/* clang-format off: a table */
static const struct summary_fn functions[] = {
    { &window_rate, growth_value, GROWTH, false },
    { &window_increase, growth_value, GROWTH, false },
    { &window_delta, growth_value, GROWTH, false },
    { &window_sum_over_time, sum_value, SUM_BIT(SUM_TOTAL), true },
    { &window_avg_over_time, avg_value, SUM_BIT(SUM_TOTAL), true },
    { &window_count_over_time, count_value, 0, false },
    { &window_present_over_time, present_value, 0, false },
    { &window_min_over_time, min_value, SUM_BIT(SUM_MIN), false },
    { &window_max_over_time, max_value, SUM_BIT(SUM_MAX), false },
    { &window_first_over_time, first_value, ENDS, false },
    { &window_last_over_time, last_value, ENDS, false },
    { &window_ts_of_first_over_time, first_time, TIMES, false },
    { &window_ts_of_last_over_time, last_time, TIMES, false },
    { &window_changes, changes_value, ENDS | SUM_BIT(SUM_CHANGES), false },
    { &window_resets, resets_value, ENDS | SUM_BIT(SUM_RESETS), false },
    { &window_stdvar_over_time, stdvar_value, SPREAD, true },
    { &window_stddev_over_time, stddev_value, SPREAD, true },
};
/* clang-format on */

static const struct summary_fn *fn_of(const struct window_def *def)
{
    for (size_t i = 0; i < COUNT(functions); i++)
        if (functions[i].def == def) return &functions[i];
    return NULL;
}

/* ---- the plan ---- */

static int64_t gcd(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

static int64_t floor_to(int64_t t, int64_t width)
{
    int64_t rest = t % width;
    return t - (rest < 0 ? rest + width : rest);
}

static int64_t ceil_to(int64_t t, int64_t width)
{
    return -floor_to(-t, width);
}

/* The widest buckets of which all windows are unions. */
static int64_t common_width(const struct window_job *job)
{
    int64_t width = gcd(job->range_ms, job->data_start);
    return job->ev->n > 1 ? gcd(width, job->data_step) : width;
}

static int64_t step_end(const struct window_job *job, size_t i)
{
    return job->data_start + (int64_t)i * job->data_step;
}

/* The first steps, whose windows begin before rows_from_ms. */
static size_t steps_before(const struct window_job *job, int64_t rows_from_ms)
{
    size_t n = 0;
    while (n < job->ev->n && step_end(job, n) - job->range_ms + 1 < rows_from_ms) n++;
    return n;
}

static void lay_grid(const struct window_job *job, int64_t width, size_t steps, struct summary_plan *p)
{
    int64_t range = MAX(width, floor_to(job->range_ms + width / 2, width));
    int64_t start = ceil_to(step_end(job, 0), width) - range;
    int64_t end = ceil_to(step_end(job, steps - 1), width);
    uint64_t n = (uint64_t)(end - start) / (uint64_t)width;
    if (n == 0 || n > BUCKETS_MAX) return;
    p->fn = fn_of(job->def);
    p->fields = p->fn->fields;
    p->grid = (struct summary_grid){ start, width, (size_t)n };
    p->range_ms = range;
    p->per_window = (size_t)(range / width);
    p->steps = steps;
}

void summaries_plan(struct store_view *v, const struct window_job *job, int64_t from_ms, int64_t to_ms,
                    struct summary_plan *out)
{
    struct summary_cover cover;
    *out = (struct summary_plan){ 0 };
    enum rollup_use use = job->ev->q->rollup;
    if (use == ROLLUP_NEVER || v == NULL || fn_of(job->def) == NULL || job->extent != EXTENT_PLAIN ||
        job->range_ms <= 0)
        return;
    int64_t width = common_width(job);
    bool fits = width >= FIVE_MINUTES_MS && width % FIVE_MINUTES_MS == 0;
    view_cover(v, from_ms, to_ms, fits ? width : 1, &cover);
    bool expired = cover.rows_from_ms > from_ms, worth = expired || use == ROLLUP_ONLY;
    if (fits && cover.days > 0 && (worth || (int64_t)cover.days >= (to_ms - from_ms) / DAY_MS / 2))
        lay_grid(job, width, job->ev->n, out);
    else if (expired && cover.widest_ms > 0)
        lay_grid(job, cover.widest_ms, steps_before(job, cover.rows_from_ms), out);
}

/* ---- notes ---- */

static struct str width_text(int64_t width_ms)
{
    return width_ms < 3600000 ? STR("5m") : STR("1h");
}

struct expired summaries_note(struct query *q, uint32_t pos, int64_t from_ms, int64_t to_ms)
{
    struct expired none = { INT64_MIN, 0 };
    struct summary_cover cover;
    char text[32];
    struct tm tm;
    if (q->view == NULL) return none;
    view_cover(q->view, from_ms, to_ms, 1, &cover);
    if (cover.rows_from_ms <= from_ms || cover.widest_ms == 0) return none;
    time_t at = (time_t)(cover.rows_from_ms / 1000);
    gmtime_r(&at, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    bool is_left_out = q->rollup == ROLLUP_NEVER;
    notes_add(&q->notes, (struct note){ is_left_out ? NOTE_EXPIRED : NOTE_FROM_SUMMARIES, pos,
                                        width_text(cover.widest_ms), str_make(text, n), 0 });
    return (struct expired){ cover.rows_from_ms, is_left_out ? 0 : cover.widest_ms };
}

int64_t summaries_read_from(const struct query *q, struct expired x, int64_t from_ms)
{
    return q->rollup == ROLLUP_NEVER ? MAX(from_ms, x.before_ms) : from_ms - x.width_ms;
}

int summaries_check(const struct query *q, const struct summary_plan *p, size_t steps, struct err *e)
{
    bool is_whole = p != NULL && p->fn != NULL && p->steps == steps;
    if (q->rollup != ROLLUP_ONLY || q->view == NULL || is_whole) return OK;
    return err_set(e, ERR_EXEC, "rollup=only, and the summaries there are do not answer this %s",
                   p == NULL ? "selector" : "function over this range and step");
}

/* ---- a series ---- */

bool summaries_are_odd(const struct summary_plan *p, const struct summary *at)
{
    uint64_t odd = 0;
    for (size_t i = 0; i < p->grid.n; i++) odd |= at[i].odd;
    return odd != 0;
}

struct levels {
    const struct summary *at[LEVELS];
    int64_t base[LEVELS]; /* number since 1970 of at[level][0] */
    int n;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return floor_to(a, b) / b;
}

static void make_levels(const struct summary_plan *p, const struct summary *at, struct arena *a,
                        struct levels *l)
{
    *l = (struct levels){ .at = { at }, .base = { p->grid.start_ms / p->grid.width_ms }, .n = 1 };
    size_t below = p->grid.n;
    for (size_t worth = RUNS_WORTH; l->n < LEVELS && p->per_window >= worth; worth *= RUN) {
        int64_t first = l->base[l->n - 1], base = floor_div(first, RUN);
        size_t n = (size_t)(floor_div(first + (int64_t)below - 1, RUN) - base) + 1;
        struct summary *to = arena_zero(a, n * sizeof *to);
        for (size_t i = 0; i < below; i++)
            summary_join(&to[floor_div(first + (int64_t)i, RUN) - base], &l->at[l->n - 1][i]);
        l->at[l->n] = to;
        l->base[l->n++] = base;
        below = n;
    }
}

/* Buckets [lo, hi), counted since 1970. */
static void join_buckets(const struct levels *l, int64_t lo, int64_t hi, struct summary *out)
{
    while (lo < hi) {
        int level = 0;
        int64_t length = 1;
        while (level + 1 < l->n && lo % (length * RUN) == 0 && lo + length * RUN <= hi) {
            length *= RUN;
            level++;
        }
        summary_join(out, &l->at[level][lo / length - l->base[level]]);
        lo += length;
    }
}

void summaries_series(struct window_run *r, const struct summary_plan *p, const struct summary *at,
                      bool *spoiled)
{
    const struct window_job *job = r->job;
    struct levels levels;
    uint64_t any_lost = 0;
    make_levels(p, at, r->series, &levels);
    for (size_t i = 0; i < p->steps; i++) {
        int64_t end = ceil_to(step_end(job, i), p->grid.width_ms), hi = end / p->grid.width_ms;
        struct summary joined = { 0 };
        const struct summary *s = &joined;
        if (p->per_window == 1)
            s = &at[hi - 1 - levels.base[0]];
        else
            join_buckets(&levels, hi - (int64_t)p->per_window, hi, &joined);
        r->samples += s->n;
        if (job->ev->samples_at) job->ev->samples_at[i] += s->n;
        if (s->n == 0) continue;
        any_lost |= s->lost != 0;
        struct span w = { job, s, end - p->range_ms, end };
        double v;
        if (p->fn->value(&w, &v)) r->v[i] = v;
    }
    *spoiled = p->fn->is_sum || (job->def->is_counter && any_lost);
}
