/* histogram_ops.c - see histogram_ops.h. */
#include "query/promql/histogram_ops.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/check.h"

/* ---- taking apart ---- */

static struct hside side_of(struct arena *a, const struct hist_span *spans, uint32_t n_spans,
                            const double *counts, uint32_t n)
{
    struct hside s = { 0, arena_array(a, n, sizeof(int32_t)), arena_array(a, n, sizeof(struct ksum)) };
    int32_t index = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < n_spans; i++) {
        index += spans[i].offset;
        for (uint32_t j = 0; j < spans[i].length && at < n; j++, index++, at++) {
            if (counts[at] == 0) continue;
            s.index[s.n] = index;
            s.count[s.n++] = (struct ksum){ counts[at], 0 };
        }
    }
    return s;
}

void hwork_init(struct hwork *w, struct arena *scratch, const struct histogram *h)
{
    *w = (struct hwork){
        .arena = scratch,
        .schema = h->schema,
        .reset = h->reset,
        .zero_threshold = h->zero_threshold,
        .zero = { h->zero_count, 0 },
        .count = { h->count, 0 },
        .sum = { h->sum, 0 },
        .pos = side_of(scratch, h->pos_spans, h->n_pos_spans, h->pos, h->n_pos),
        .neg = side_of(scratch, h->neg_spans, h->n_neg_spans, h->neg, h->n_neg),
        .custom = h->custom,
        .n_custom = h->n_custom,
    };
}

void hwork_clear_counts(struct hwork *w)
{
    w->zero = w->count = w->sum = (struct ksum){ 0, 0 };
    w->zero_threshold = 0;
    w->pos.n = w->neg.n = 0;
}

static struct hside side_copy(struct arena *a, const struct hside *s)
{
    struct hside out = { s->n, arena_array(a, s->n, sizeof(int32_t)),
                         arena_array(a, s->n, sizeof(struct ksum)) };
    if (s->n) memcpy(out.index, s->index, s->n * sizeof *s->index);
    if (s->n) memcpy(out.count, s->count, s->n * sizeof *s->count);
    return out;
}

struct hwork hwork_copy(const struct hwork *w)
{
    struct hwork out = *w;
    out.pos = side_copy(w->arena, &w->pos);
    out.neg = side_copy(w->arena, &w->neg);
    return out;
}

/* ---- bounds ---- */

double hist_bound(int32_t index, int32_t schema)
{
    if (schema <= 0) {
        int64_t exponent = (int64_t)index * ((int64_t)1 << -schema);
        if (exponent >= 1024) return exponent == 1024 ? DBL_MAX : INFINITY;
        return ldexp(1, (int)MAX(exponent, -2000));
    }
    int32_t parts = 1 << schema, part = index & (parts - 1);
    int32_t exponent = (index - part) >> schema;
    if (exponent == 1024 && part == 0) return DBL_MAX;
    return ldexp(exp2((double)part / parts), exponent);
}

/* ---- one resolution, one zero bucket, one set of custom bounds ---- */

/* Move each bucket to index to(i); equal neighbours flow together. `to` must not fall. */
static void side_remap(struct hside *s, int32_t (*to)(const void *ctx, int32_t), const void *ctx)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        int32_t index = to(ctx, s->index[i]);
        if (n > 0 && s->index[n - 1] == index) {
            ksum_add(&s->count[n - 1], s->count[i].s);
            s->count[n - 1].c += s->count[i].c;
        } else {
            s->index[n] = index;
            s->count[n++] = s->count[i];
        }
    }
    s->n = n;
}

static int32_t coarser(const void *by, int32_t index)
{
    return ((index - 1) >> *(const int32_t *)by) + 1;
}

static void to_schema(struct hwork *w, int32_t schema)
{
    int32_t by = w->schema - schema;
    if (by <= 0) return;
    side_remap(&w->pos, coarser, &by);
    side_remap(&w->neg, coarser, &by);
    w->schema = schema;
}

/* How far the zero bucket must reach at least when it is to reach to `threshold`: a populated bucket is never
 * cut. */
static double widened(const struct hwork *w, double threshold)
{
    for (bool again = true; again;) {
        again = false;
        for (int sign = 0; sign < 2; sign++) {
            const struct hside *s = sign ? &w->neg : &w->pos;
            for (size_t i = 0; i < s->n && hist_bound(s->index[i] - 1, w->schema) < threshold; i++) {
                double upper = hist_bound(s->index[i], w->schema);
                if (upper > threshold && s->count[i].s != 0) {
                    threshold = upper;
                    again = true;
                }
            }
        }
    }
    return threshold;
}

static void side_into_zero(struct hwork *w, struct hside *s, double threshold)
{
    size_t i = 0;
    for (; i < s->n && hist_bound(s->index[i], w->schema) <= threshold; i++) {
        ksum_add(&w->zero, s->count[i].s);
        w->zero.c += s->count[i].c;
    }
    s->index += i;
    s->count += i;
    s->n -= i;
}

static void widen_zero(struct hwork *w, double threshold)
{
    if (threshold <= w->zero_threshold) return;
    side_into_zero(w, &w->pos, threshold);
    side_into_zero(w, &w->neg, threshold);
    w->zero_threshold = threshold;
}

static void same_zero(struct hwork *a, struct hwork *b)
{
    while (a->zero_threshold != b->zero_threshold) {
        struct hwork *narrow = a->zero_threshold < b->zero_threshold ? a : b, *wide = narrow == a ? b : a;
        widen_zero(narrow, widened(narrow, wide->zero_threshold));
    }
}

static bool same_bounds(const double *a, uint32_t n_a, const double *b, uint32_t n_b)
{
    return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof *a) == 0);
}

struct bounds_map {
    const double *from, *to;
    uint32_t n_from, n_to;
};

/* The bucket of `to` that holds bucket i of `from`: the first whose upper bound is not below. */
static int32_t to_bounds(const void *ctx, int32_t i)
{
    const struct bounds_map *m = ctx;
    if ((uint32_t)i >= m->n_from) return (int32_t)m->n_to;
    uint32_t lo = 0, hi = m->n_to;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (m->to[mid] < m->from[i])
            lo = mid + 1;
        else
            hi = mid;
    }
    return (int32_t)lo;
}

static void to_custom(struct hwork *w, const double *bounds, uint32_t n)
{
    struct bounds_map m = { w->custom, bounds, w->n_custom, n };
    side_remap(&w->pos, to_bounds, &m);
    w->custom = bounds;
    w->n_custom = n;
}

/* Both get the bounds they share. True when they differed. */
static bool same_custom(struct hwork *a, struct hwork *b)
{
    if (same_bounds(a->custom, a->n_custom, b->custom, b->n_custom)) return false;
    double *shared = arena_array(a->arena, MIN(a->n_custom, b->n_custom), sizeof *shared);
    uint32_t n = 0;
    for (uint32_t i = 0, j = 0; i < a->n_custom && j < b->n_custom;) {
        if (a->custom[i] == b->custom[j])
            shared[n++] = a->custom[i], i++, j++;
        else if (a->custom[i] < b->custom[j])
            i++;
        else
            j++;
    }
    to_custom(a, shared, n);
    to_custom(b, shared, n);
    return true;
}

/* ---- adding ---- */

static void add_scaled(struct ksum *to, struct ksum from, double factor)
{
    ksum_add(to, from.s * factor);
    to->c += from.c * factor;
}

static void side_add(struct arena *arena, struct hside *a, const struct hside *b, double factor)
{
    size_t max = a->n + b->n, n = 0, i = 0, j = 0;
    struct hside out = { 0, arena_array(arena, max, sizeof(int32_t)),
                         arena_array(arena, max, sizeof(struct ksum)) };
    while (i < a->n || j < b->n) {
        bool take_a = i < a->n && (j == b->n || a->index[i] <= b->index[j]);
        bool take_b = j < b->n && (i == a->n || b->index[j] <= a->index[i]);
        out.index[n] = take_a ? a->index[i] : b->index[j];
        out.count[n] = take_a ? a->count[i] : (struct ksum){ 0, 0 };
        if (take_b) add_scaled(&out.count[n], b->count[j], factor);
        i += take_a;
        j += take_b;
        n++;
    }
    out.n = n;
    *a = out;
}

/* What the sum of two is: a gauge with anything is a gauge, the unknown stays unknown, and two that disagree
 * collide. */
static int join_resets(struct hwork *a, uint8_t other)
{
    if (a->reset == other || a->reset == HIST_GAUGE) return 0;
    bool collide = a->reset != HIST_RESET_UNKNOWN && other != HIST_RESET_UNKNOWN && other != HIST_GAUGE;
    a->reset = other == HIST_GAUGE ? HIST_GAUGE : HIST_RESET_UNKNOWN;
    return collide ? HWORK_COLLISION : 0;
}

int hwork_add_work(struct hwork *a, const struct hwork *other, double factor)
{
    if ((a->schema == HISTOGRAM_CUSTOM) != (other->schema == HISTOGRAM_CUSTOM)) return HWORK_INCOMPATIBLE;
    struct hwork b = hwork_copy(other);
    int told = join_resets(a, b.reset);

    if (a->schema == HISTOGRAM_CUSTOM) {
        told |= same_custom(a, &b) ? HWORK_RECONCILED : 0;
    } else {
        same_zero(a, &b);
        int32_t schema = MIN(a->schema, b.schema);
        to_schema(a, schema);
        to_schema(&b, schema);
    }
    add_scaled(&a->zero, b.zero, factor);
    add_scaled(&a->count, b.count, factor);
    add_scaled(&a->sum, b.sum, factor);
    side_add(a->arena, &a->pos, &b.pos, factor);
    side_add(a->arena, &a->neg, &b.neg, factor);
    return told;
}

int hwork_add(struct hwork *a, const struct histogram *h, double factor)
{
    struct hwork b;
    hwork_init(&b, a->arena, h);
    return hwork_add_work(a, &b, factor);
}

/* ---- scaling ---- */

static void scale(struct ksum *k, double by)
{
    k->s *= by;
    k->c *= by;
}

void hwork_scale(struct hwork *w, double by)
{
    scale(&w->zero, by);
    scale(&w->count, by);
    scale(&w->sum, by);
    for (size_t i = 0; i < w->pos.n; i++) scale(&w->pos.count[i], by);
    for (size_t i = 0; i < w->neg.n; i++) scale(&w->neg.count[i], by);
    if (by < 0) w->reset = HIST_GAUGE;
}

static void divide(struct ksum *k, double by)
{
    k->s /= by;
    k->c /= by;
}

void hwork_divide(struct hwork *w, double by)
{
    divide(&w->zero, by);
    divide(&w->count, by);
    divide(&w->sum, by);
    if (by == 0) w->pos.n = w->neg.n = 0;
    for (size_t i = 0; i < w->pos.n; i++) divide(&w->pos.count[i], by);
    for (size_t i = 0; i < w->neg.n; i++) divide(&w->neg.count[i], by);
    if (by < 0) w->reset = HIST_GAUGE;
}

static bool side_overflows(const struct hside *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (isinf(s->count[i].s)) return true;
    return false;
}

bool hwork_overflows(const struct hwork *w)
{
    return isinf(w->zero.s) || isinf(w->count.s) || isinf(w->sum.s) || side_overflows(&w->pos) ||
           side_overflows(&w->neg);
}

/* ---- sum and mean of many ---- */

void hist_mean_add(struct hist_mean *m, struct arena *scratch, const struct histogram *h, bool mean)
{
    m->saw_reset |= h->reset == HIST_RESET_YES;
    m->saw_none |= h->reset == HIST_RESET_NO;
    if (m->n++ == 0) {
        hwork_init(&m->sum, scratch, h);
        return;
    }
    double n = (double)m->n;
    if (!m->moving) {
        struct hwork next = hwork_copy(&m->sum);
        m->told |= hwork_add(&next, h, 1);
        if (!mean || !hwork_overflows(&next)) {
            m->sum = next;
            return;
        }
        hwork_divide(&m->sum, n - 1);
        m->moving = true;
    }
    struct hwork part; /* divided, not multiplied by 1/n: opposite terms then still cancel */
    hwork_init(&part, scratch, h);
    hwork_divide(&part, n);
    hwork_scale(&m->sum, (n - 1) / n);
    m->told |= hwork_add_work(&m->sum, &part, 1);
}

struct histogram *hist_mean_done(struct hist_mean *m, bool mean, struct arena *a)
{
    if (mean && !m->moving) hwork_divide(&m->sum, (double)m->n);
    return hwork_done(&m->sum, a);
}

/* ---- putting together ---- */

static void side_done(const struct hside *s, struct arena *a, struct hist_span **spans, uint32_t *n_spans,
                      double **counts, uint32_t *n_counts)
{
    double *out = arena_array(a, s->n, sizeof *out);
    struct hist_span *sp = arena_array(a, s->n, sizeof *sp);
    uint32_t n = 0, m = 0;
    int32_t next = 0; /* the index after the last one written */
    for (size_t i = 0; i < s->n; i++) {
        double v = ksum_value(s->count[i]);
        if (v == 0) continue;
        if (m > 0 && s->index[i] == next)
            sp[m - 1].length++;
        else
            sp[m++] = (struct hist_span){ s->index[i] - next, 1 };
        next = s->index[i] + 1;
        out[n++] = v;
    }
    *spans = sp, *n_spans = m, *counts = out, *n_counts = n;
}

struct histogram *hwork_done(const struct hwork *w, struct arena *a)
{
    struct histogram *h = arena_zero(a, sizeof *h);
    h->schema = w->schema;
    h->reset = w->reset;
    h->zero_threshold = w->zero_threshold;
    h->zero_count = ksum_value(w->zero);
    h->count = ksum_value(w->count);
    h->sum = ksum_value(w->sum);
    side_done(&w->pos, a, &h->pos_spans, &h->n_pos_spans, &h->pos, &h->n_pos);
    side_done(&w->neg, a, &h->neg_spans, &h->n_neg_spans, &h->neg, &h->n_neg);
    h->n_custom = w->n_custom;
    if (w->n_custom) {
        h->custom = arena_array(a, w->n_custom, sizeof *h->custom);
        memcpy(h->custom, w->custom, w->n_custom * sizeof *h->custom);
    }
    return h;
}

/* ---- comparing ---- */

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool side_equal(const struct hside *a, const struct hside *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->index[i] != b->index[i] || !same_number(a->count[i].s, b->count[i].s)) return false;
    return true;
}

bool hist_equal(const struct histogram *a, const struct histogram *b, struct arena *scratch)
{
    struct hwork x, y;
    if (a->schema != b->schema || !same_number(a->count, b->count) || !same_number(a->sum, b->sum))
        return false;
    if (hist_is_custom(a)
            ? !same_bounds(a->custom, a->n_custom, b->custom, b->n_custom)
            : a->zero_threshold != b->zero_threshold || !same_number(a->zero_count, b->zero_count))
        return false;
    hwork_init(&x, scratch, a);
    hwork_init(&y, scratch, b);
    return side_equal(&x.pos, &y.pos) && side_equal(&x.neg, &y.neg);
}

/* Is a count of cur below that of prev? Absent is zero. */
static bool side_fell(const struct hside *cur, const struct hside *prev)
{
    size_t i = 0;
    for (size_t j = 0; j < prev->n; j++) {
        while (i < cur->n && cur->index[i] < prev->index[j]) {
            if (cur->count[i].s < 0) return true;
            i++;
        }
        double now = i < cur->n && cur->index[i] == prev->index[j] ? cur->count[i].s : 0;
        if (now < prev->count[j].s) return true;
    }
    return false;
}

bool hist_was_reset(const struct histogram *cur, const struct histogram *prev, struct arena *scratch)
{
    if (cur->count < prev->count || hist_is_custom(cur) != hist_is_custom(prev)) return true;
    struct hwork c, p;
    hwork_init(&c, scratch, cur);
    hwork_init(&p, scratch, prev);
    if (hist_is_custom(cur)) {
        same_custom(&c, &p);
        return side_fell(&c.pos, &p.pos);
    }
    if (cur->schema > prev->schema || cur->zero_threshold < prev->zero_threshold) return true;
    if (cur->zero_threshold > prev->zero_threshold) {
        if (widened(&p, cur->zero_threshold) != cur->zero_threshold) return true; /* it cuts a bucket */
        widen_zero(&p, cur->zero_threshold);
    }
    to_schema(&p, cur->schema);
    return ksum_value(c.zero) < ksum_value(p.zero) || side_fell(&c.pos, &p.pos) || side_fell(&c.neg, &p.neg);
}

bool hist_reset_or_told(const struct histogram *cur, const struct histogram *prev, struct arena *scratch)
{
    return cur->reset == HIST_RESET_YES || hist_was_reset(cur, prev, scratch);
}

/* ---- looking at buckets ---- */

static struct hbucket bucket_of(const struct hwork *w, int32_t index, double count)
{
    if (w->schema != HISTOGRAM_CUSTOM)
        return (struct hbucket){ hist_bound(index - 1, w->schema), hist_bound(index, w->schema), count };
    double lower = index > 0 && (uint32_t)index <= w->n_custom ? w->custom[index - 1] : -INFINITY;
    double upper = index >= 0 && (uint32_t)index < w->n_custom ? w->custom[index] : INFINITY;
    return (struct hbucket){ lower, upper, count };
}

/* Where a bucket reaches into the zero bucket its bound is cut back. */
size_t hist_buckets(const struct histogram *h, struct arena *a, struct hbucket **out)
{
    struct hwork w;
    hwork_init(&w, a, h);
    struct hbucket *b = arena_array(a, w.neg.n + w.pos.n + 1, sizeof *b);
    size_t n = 0;
    for (size_t i = w.neg.n; i-- > 0;) {
        struct hbucket m = bucket_of(&w, w.neg.index[i], w.neg.count[i].s);
        if (m.lower < h->zero_threshold) m.lower = MIN(h->zero_threshold, m.upper);
        b[n++] = (struct hbucket){ -m.upper, -m.lower, m.count };
    }
    if (h->zero_count > 0 && !hist_is_custom(h))
        b[n++] = (struct hbucket){ -h->zero_threshold, h->zero_threshold, h->zero_count };
    for (size_t i = 0; i < w.pos.n; i++) {
        struct hbucket m = bucket_of(&w, w.pos.index[i], w.pos.count[i].s);
        if (!hist_is_custom(h) && m.lower < h->zero_threshold) m.lower = MIN(h->zero_threshold, m.upper);
        b[n++] = m;
    }
    *out = b;
    return n;
}
