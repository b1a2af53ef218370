/* windows.c - what lies in the windows of a range aggregation.
 *
 * The ends of all windows cut time into stretches; records of a stretch are in the same windows. So a series
 * keeps one cell a stretch, and a window is made of the cells it covers. Windows slide: cells come in at one
 * end and go out at the other. Sums cannot be taken away from exactly, so the queue of cells keeps two stacks
 * (the older half summed up towards its old end), and each cell is combined a constant number of times.
 *
 * Operations that cannot be combined (quantile_over_time, rate_counter) keep all samples. */
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "query/logql/run.h"
#include "query/promql/quantile.h"

void window_plan_init(struct window_plan *p, const struct expr *x, int64_t start_ns, int64_t step_ns,
                      size_t n)
{
    *p = (struct window_plan){ .op = x->range_op,
                               .unwraps = x->unwrap.name.n > 0,
                               .param = x->param,
                               .first_end = start_ns - x->offset_ns,
                               .step_ns =
                                   n > 1 ? step_ns : x->range_ns, /* of one window the step is nobody's */
                               .range_ns = x->range_ns,
                               .n = n,
                               .low = 1,
                               .high = 0 };
}

bool window_needs_samples(enum range_op op)
{
    return op == RANGE_QUANTILE || op == RANGE_RATE_COUNTER;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Windows with end >= t and end - range < t; and from when to when these are the same ones. */
void window_locate(struct window_plan *p, int64_t t)
{
    int64_t past = t - p->first_end, last_window = (int64_t)p->n - 1;
    int64_t first = -floor_div(-past, p->step_ns), last = floor_div(past + p->range_ns - 1, p->step_ns);
    int64_t low = p->first_end + (first - 1) * p->step_ns + 1, high = p->first_end + first * p->step_ns;
    p->low = MAX(low, p->first_end + last * p->step_ns - p->range_ns + 1);
    p->high = MIN(high, p->first_end + (last + 1) * p->step_ns - p->range_ns);
    first = MAX(first, 0);
    last = MIN(last, last_window);
    p->inside = first <= last;
    if (!p->inside) return;
    p->first = (uint32_t)first;
    p->last = (uint32_t)last;
}

/* ---- combining ---- */

static struct window_acc combined(enum range_op op, struct window_acc x, struct window_acc y)
{
    struct window_acc r = { x.n + y.n, 0, 0, 0 };
    double delta;
    if (x.n == 0) return y;
    if (y.n == 0) return x;
    switch (op) {
    case RANGE_MIN: r.a = fmin(x.a, y.a); break;
    case RANGE_MAX: r.a = fmax(x.a, y.a); break;
    case RANGE_FIRST: return y.t < x.t ? y : x;
    case RANGE_LAST: return y.t >= x.t ? y : x;
    case RANGE_STDDEV:
    case RANGE_STDVAR: /* means and squared distances of two parts, by Chan */
        delta = y.a - x.a;
        r.a = x.a + delta * y.n / r.n;
        r.b = x.b + y.b + delta * delta * x.n * y.n / r.n;
        break;
    default: r.a = x.a + y.a;
    }
    return r;
}

static double value_of(const struct window_plan *p, struct window_acc x)
{
    double seconds = (double)p->range_ns / 1e9;
    switch (p->op) {
    case RANGE_RATE:
    case RANGE_BYTES_RATE: return x.a / seconds;
    case RANGE_AVG: return x.a / x.n;
    case RANGE_STDVAR: return x.b / x.n;
    case RANGE_STDDEV: return sqrt(x.b / x.n);
    default: return x.a;
    }
}

/* ---- putting ---- */

static uint64_t order_of(const struct window_cell *c)
{
    return (uint64_t)c->first + c->last; /* both only rise with time, so this tells stretches apart */
}

static int by_order(const void *x, const void *y)
{
    uint64_t a = order_of(x), b = order_of(y);
    return (a > b) - (a < b);
}

static void tidy(enum range_op op, struct window_series *s)
{
    size_t kept = 0;
    bool sorted = true;
    for (size_t i = 1; i < s->n && sorted; i++) sorted = order_of(&s->cells[i - 1]) < order_of(&s->cells[i]);
    if (sorted) return;
    qsort(s->cells, s->n, sizeof *s->cells, by_order);
    for (size_t i = 1; i < s->n; i++) {
        if (order_of(&s->cells[kept]) == order_of(&s->cells[i]))
            s->cells[kept].acc = combined(op, s->cells[kept].acc, s->cells[i].acc);
        else
            s->cells[++kept] = s->cells[i];
    }
    s->n = kept + 1;
}

void window_put(struct window_plan *p, struct window_series *s, int64_t t, double v, struct arena *a)
{
    if (window_needs_samples(p->op)) {
        s->samples = arena_grow(a, s->samples, s->n, &s->cap, sizeof *s->samples);
        s->samples[s->n++] = (struct window_sample){ t, v };
        return;
    }
    struct window_cell *c = s->n ? &s->cells[s->n - 1] : NULL;
    if (c == NULL || c->first != p->first || c->last != p->last) {
        if (s->n == s->cap && s->n > 64) tidy(p->op, s); /* records come in several runs of time */
        s->cells = arena_grow(a, s->cells, s->n, &s->cap, sizeof *s->cells);
        c = &s->cells[s->n++];
        *c = (struct window_cell){ .first = p->first, .last = p->last };
    }
    struct window_acc one = { 1, v, 0, t };
    if (p->op >= RANGE_MIN)
        c->acc = combined(p->op, c->acc, one);
    else {
        c->acc.n++;
        c->acc.a += v;
    }
}

/* ---- windows of cells ---- */

struct sliding {
    enum range_op op;
    const struct window_cell *cells;
    struct window_acc *old; /* old[i]: cells i .. split - 1 combined */
    size_t lo, split, hi;
    struct window_acc young; /* cells split .. hi - 1 */
};

static void slide(struct sliding *s, size_t lo, size_t hi)
{
    for (; s->hi < hi; s->hi++) s->young = combined(s->op, s->young, s->cells[s->hi].acc);
    s->lo = lo;
    if (lo < s->split) return;
    struct window_acc sum = { 0, 0, 0, 0 };
    for (size_t i = s->hi; i > lo; i--) s->old[i - 1] = sum = combined(s->op, s->cells[i - 1].acc, sum);
    s->split = s->hi;
    s->young = (struct window_acc){ 0, 0, 0, 0 };
}

static int finish_cells(const struct window_plan *p, struct window_series *s, double *out,
                        struct arena *scratch, struct call *call, struct err *e)
{
    tidy(p->op, s);
    struct sliding w = { .op = p->op, .cells = s->cells, .old = arena_array(scratch, s->n, sizeof *w.old) };
    size_t lo = 0, hi = 0;
    int rc = OK;
    for (size_t i = 0; i < p->n && rc == OK; i++) {
        while (hi < s->n && s->cells[hi].first <= i) hi++;
        while (lo < hi && s->cells[lo].last < i) lo++;
        if (i % 4096 == 0) rc = call_check(call, e);
        if (lo == hi) {
            w.hi = w.split = w.lo = lo;
            w.young = (struct window_acc){ 0, 0, 0, 0 };
            continue;
        }
        slide(&w, lo, hi);
        struct window_acc old = lo < w.split ? w.old[lo] : (struct window_acc){ 0, 0, 0, 0 };
        out[i] = value_of(p, combined(p->op, old, w.young));
    }
    return rc;
}

/* ---- windows of samples ---- */

static int by_time(const void *x, const void *y)
{
    const struct window_sample *a = x, *b = y;
    return (a->t > b->t) - (a->t < b->t);
}

/* As PromQL's rate: resets are added up, and the ends are extended by no more than half a distance, to zero
 * at most. */
static bool counter_rate(const struct window_plan *p, const struct window_sample *s, size_t n, int64_t end,
                         double *out)
{
    if (n < 2) return false;
    double rise = s[n - 1].v - s[0].v, range = (double)p->range_ns;
    for (size_t i = 1; i < n; i++)
        if (s[i].v < s[i - 1].v) rise += s[i - 1].v;
    double before = (double)(s[0].t - (end - p->range_ns)), after = (double)(end - s[n - 1].t);
    double sampled = (double)(s[n - 1].t - s[0].t), distance = sampled / (double)(n - 1);
    if (sampled <= 0) return false;
    if (before >= distance * 1.1) before = distance / 2;
    if (rise > 0 && s[0].v >= 0) before = fmin(before, sampled * (s[0].v / rise));
    if (after >= distance * 1.1) after = distance / 2;
    *out = rise * ((sampled + before + after) / sampled) / (range / 1e9);
    return true;
}

static int finish_samples(const struct window_plan *p, struct window_series *s, double *out,
                          struct arena *scratch, struct call *call, struct err *e)
{
    double *values = arena_array(scratch, s->n, sizeof *values);
    size_t lo = 0, hi = 0;
    int rc = OK;
    if (s->n > 1) qsort(s->samples, s->n, sizeof *s->samples, by_time);
    for (size_t i = 0; i < p->n && rc == OK; i++) {
        int64_t end = p->first_end + (int64_t)i * p->step_ns;
        while (hi < s->n && s->samples[hi].t <= end) hi++;
        while (lo < hi && s->samples[lo].t <= end - p->range_ns) lo++;
        rc = call_check(call, e);
        if (lo == hi) continue;
        if (p->op == RANGE_RATE_COUNTER) {
            counter_rate(p, s->samples + lo, hi - lo, end, &out[i]);
            continue;
        }
        for (size_t k = lo; k < hi; k++) values[k - lo] = s->samples[k].v;
        out[i] = quantile_values(p->param, values, hi - lo);
    }
    return rc;
}

int window_finish(const struct window_plan *p, struct window_series *s, double *out, struct arena *scratch,
                  struct call *call, struct err *e)
{
    if (s->n == 0) return OK;
    return (window_needs_samples(p->op) ? finish_samples : finish_cells)(p, s, out, scratch, call, e);
}
