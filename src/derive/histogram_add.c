/* histogram_add.c - two histograms made alike, then added bucket by bucket.
 *
 * Buckets are spread out into (index, count) lists, which makes the three steps simple loops: halve the
 * resolution of the finer one, take into the zero bucket what it overlaps, merge. */
#include "derive/histogram_add.h"

#include <math.h>

#include "base/check.h"

enum { GAP_FILLED_MAX = 2 /* a zero costs less than a span */, SCHEMA_MIN = -4 };

struct list {
    int32_t *index; /* rising */
    double *count;
    uint32_t n;
};

struct spread {
    struct list pos, neg;
    double zero_threshold, zero_count;
};

/* Index i at a schema k lower: buckets are half open to the left, so those of 2^k indices end at a multiple
 * of it. */
static int32_t coarser(int32_t index, int k)
{
    return (int32_t)((((int64_t)index - 1) >> k) + 1);
}

static struct list list_of(const struct hist_span *spans, uint32_t n_spans, const double *counts, uint32_t n,
                           int k, struct arena *a)
{
    struct list l = { arena_array(a, n + 1, sizeof *l.index), arena_array(a, n + 1, sizeof *l.count), 0 };
    int32_t index = 0;
    uint32_t at = 0;
    for (uint32_t s = 0; s < n_spans; s++) {
        index += spans[s].offset;
        for (uint32_t i = 0; i < spans[s].length; i++, index++, at++) {
            int32_t to = coarser(index, k);
            if (counts[at] == 0) continue;
            if (l.n > 0 && l.index[l.n - 1] == to) {
                l.count[l.n - 1] += counts[at];
                continue;
            }
            l.index[l.n] = to;
            l.count[l.n++] = counts[at];
        }
    }
    return l;
}

static struct spread spread_of(const struct histogram *h, int schema, struct arena *a)
{
    int k = h->schema - schema;
    return (struct spread){
        .pos = list_of(h->pos_spans, h->n_pos_spans, h->pos, h->n_pos, k, a),
        .neg = list_of(h->neg_spans, h->n_neg_spans, h->neg, h->n_neg, k, a),
        .zero_threshold = h->zero_threshold,
        .zero_count = h->zero_count,
    };
}

/* ---- zero buckets ---- */

static double upper_bound(int64_t index, int schema)
{
    return exp2(ldexp((double)index, -schema));
}

/* Takes the buckets that reach below the threshold into the zero bucket, which must then hold them whole. */
static void swallow(struct spread *s, struct list *l, int schema)
{
    uint32_t n = 0;
    while (n < l->n && upper_bound((int64_t)l->index[n] - 1, schema) < s->zero_threshold) {
        s->zero_count += l->count[n];
        s->zero_threshold = MAX(s->zero_threshold, upper_bound(l->index[n], schema));
        n++;
    }
    l->index += n;
    l->count += n;
    l->n -= n;
}

static void widen_zero(struct spread *s, double threshold, int schema)
{
    double before;
    s->zero_threshold = threshold;
    do { /* one side may raise it over a bucket of the other */
        before = s->zero_threshold;
        swallow(s, &s->pos, schema);
        swallow(s, &s->neg, schema);
    } while (s->zero_threshold > before);
}

static void same_zero(struct spread *x, struct spread *y, int schema)
{
    while (x->zero_threshold != y->zero_threshold) { /* each round swallows a bucket or is the last */
        struct spread *narrow = x->zero_threshold < y->zero_threshold ? x : y;
        widen_zero(narrow, MAX(x->zero_threshold, y->zero_threshold), schema);
    }
}

/* ---- adding ---- */

static struct list merged(const struct list *x, const struct list *y, struct arena *a)
{
    uint32_t most = x->n + y->n, i = 0, k = 0;
    struct list l = { arena_array(a, most + 1, sizeof *l.index), arena_array(a, most + 1, sizeof *l.count),
                      0 };
    while (i < x->n || k < y->n) {
        bool from_x = i < x->n && (k == y->n || x->index[i] <= y->index[k]);
        bool from_y = k < y->n && (i == x->n || y->index[k] <= x->index[i]);
        l.index[l.n] = from_x ? x->index[i] : y->index[k];
        l.count[l.n++] = (from_x ? x->count[i] : 0) + (from_y ? y->count[k] : 0);
        i += from_x;
        k += from_y;
    }
    return l;
}

struct run {
    struct hist_span *spans;
    double *counts;
    uint32_t n_spans, n;
};

static struct run run_of(const struct list *l, struct arena *a)
{
    size_t most = (size_t)l->n * (1 + GAP_FILLED_MAX) + 1;
    struct run r = { arena_array(a, l->n + 1, sizeof *r.spans), arena_array(a, most, sizeof *r.counts), 0,
                     0 };
    int64_t next = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        int64_t gap = l->index[i] - next;
        if (r.n_spans == 0 || gap > GAP_FILLED_MAX) {
            r.spans[r.n_spans++] = (struct hist_span){ (int32_t)gap, 0 };
            gap = 0;
        }
        for (; gap > 0; gap--, r.spans[r.n_spans - 1].length++) r.counts[r.n++] = 0;
        r.counts[r.n++] = l->count[i];
        r.spans[r.n_spans - 1].length++;
        next = (int64_t)l->index[i] + 1;
    }
    return r;
}

static void set_sides(struct histogram *h, const struct list *pos, const struct list *neg, struct arena *a)
{
    struct run p = run_of(pos, a), n = run_of(neg, a);
    h->pos_spans = p.spans;
    h->n_pos_spans = p.n_spans;
    h->pos = p.counts;
    h->n_pos = p.n;
    h->neg_spans = n.spans;
    h->n_neg_spans = n.n_spans;
    h->neg = n.counts;
    h->n_neg = n.n;
}

/* The sum at this schema, counts and sums left aside. False: more buckets than a histogram may have. */
static bool sum_at(int schema, const struct histogram *x, const struct histogram *y, struct arena *a,
                   struct histogram *out)
{
    struct spread sx = spread_of(x, schema, a), sy = spread_of(y, schema, a);
    same_zero(&sx, &sy, schema);
    struct list pos = merged(&sx.pos, &sy.pos, a), neg = merged(&sx.neg, &sy.neg, a);
    out->schema = schema;
    out->zero_threshold = sx.zero_threshold;
    out->zero_count = sx.zero_count + sy.zero_count;
    set_sides(out, &pos, &neg, a);
    return out->n_pos <= HISTOGRAM_BUCKETS_MAX && out->n_neg <= HISTOGRAM_BUCKETS_MAX;
}

static bool add_exponential(struct histogram *into, const struct histogram *more, struct arena *a)
{
    for (int schema = MIN(into->schema, more->schema); schema >= SCHEMA_MIN; schema--) {
        struct histogram sum = *into;
        if (!sum_at(schema, into, more, a, &sum)) continue;
        *into = sum;
        return true;
    }
    return false;
}

static bool same_bounds(const struct histogram *x, const struct histogram *y)
{
    return x->n_custom == y->n_custom && x->n_pos == y->n_pos &&
           (x->n_custom == 0 || memcmp(x->custom, y->custom, x->n_custom * sizeof *x->custom) == 0);
}

bool histogram_add(struct histogram *into, const struct histogram *more, struct arena *a)
{
    bool custom = into->schema == HISTOGRAM_CUSTOM;
    if (custom != (more->schema == HISTOGRAM_CUSTOM)) return false;
    if (custom && !same_bounds(into, more)) return false;

    if (!custom && !add_exponential(into, more, a)) return false;
    for (uint32_t i = 0; custom && i < into->n_pos; i++) into->pos[i] += more->pos[i];
    into->count += more->count;
    into->sum += more->sum;
    return true;
}
