/* otlp_histogram.c - histogram data points as rows.
 *
 * Explicit bounds: _bucket{le} with cumulated counts, _sum (when there is one), _count. Exponential: one
 * native histogram, whose bucket i covers what OTLP calls i - 1:
 *
 *     OTLP    index i:  (base^i, base^(i+1)]          ours  index i:  (base^(i-1), base^i]
 *
 * A scale above 8 is halved down bucket pair by bucket pair; one below -4 is coarser than a native histogram
 * can say. */
#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "base/float.h"
#include "decode/otlp_translate.h"

#define ZERO_THRESHOLD 1e-128 /* when the sender names none: what Prometheus assumes */

enum { SCALE_MIN = -4, SCALE_MAX = 8, GAP_FILLED_MAX = 2, BOUND_TEXT_MAX = 400 };

/* ---- explicit bounds ---- */

/* The last bucket reaches to infinity anyway; a sender that says so has one bucket too many. */
static void fold_infinite_bound(struct otlp_point *p)
{
    while (p->n_bounds > 0 && p->bounds[p->n_bounds - 1] == INFINITY && p->pos.n == p->n_bounds + 1) {
        p->pos.at[p->pos.n - 2] += p->pos.at[p->pos.n - 1];
        p->pos.n--;
        p->n_bounds--;
    }
}

static const char *explicit_fault(struct otlp_point *p)
{
    fold_infinite_bound(p);
    if (p->n_bounds > OTLP_BUCKETS_MAX - 1) return "too many buckets";
    for (size_t i = 0; i < p->n_bounds; i++) {
        if (!isfinite(p->bounds[i])) return "a bound is not a finite number";
        if (i > 0 && p->bounds[i] <= p->bounds[i - 1]) return "the bounds do not rise";
    }
    if (p->pos.n == 0) return NULL;
    return p->pos.n == p->n_bounds + 1 ? NULL
                                       : "the number of bucket counts is not that of the bounds and one";
}

/* Bounds as text, kept from point to point: a metric's bounds are all the same. */
static void le_texts(struct otlp_translate *t)
{
    const struct otlp_point *p = &t->point;
    struct otlp_le *le = &t->le;
    char text[BOUND_TEXT_MAX];

    if (le->text != NULL && le->n == p->n_bounds &&
        (le->n == 0 || memcmp(le->bounds, p->bounds, le->n * sizeof *le->bounds) == 0))
        return;
    le->n = p->n_bounds;
    le->bounds = arena_array(t->arena, le->n + 1, sizeof *le->bounds);
    le->text = arena_array(t->arena, le->n + 1, sizeof *le->text);
    for (size_t i = 0; i < le->n; i++) {
        le->bounds[i] = p->bounds[i];
        le->text[i] = arena_str(t->arena, str_make(text, float_text_plain(p->bounds[i], text, sizeof text)));
    }
    le->text[le->n] = STR("+Inf");
}

static double *doubles(const struct otlp_counts *c, struct arena *a)
{
    double *v = arena_array(a, c->n, sizeof *v);
    for (size_t i = 0; i < c->n; i++) v[i] = (double)c->at[i];
    return v;
}

/* As a native histogram with custom bounds: what struct otlp_cumulate takes. */
static struct histogram *custom_histogram(struct otlp_translate *t)
{
    const struct otlp_point *p = &t->point;
    struct histogram *h = arena_zero(t->arena, sizeof *h);
    h->schema = HISTOGRAM_CUSTOM;
    h->count = (double)p->count;
    h->sum = p->sum;
    h->n_custom = (uint32_t)p->n_bounds;
    h->custom = p->bounds;
    h->n_pos = (uint32_t)p->pos.n;
    h->pos = doubles(&p->pos, t->arena);
    h->n_pos_spans = h->n_pos > 0;
    h->pos_spans = arena_alloc(t->arena, sizeof *h->pos_spans);
    h->pos_spans[0] = (struct hist_span){ 0, h->n_pos };
    return h;
}

/* The exemplars, sorted by value, that fall at or below this bound; *at moves past them. */
static void bucket_exemplars(struct otlp_translate *t, size_t *at, double bound)
{
    const struct otlp_point *p = &t->point;
    for (; *at < p->n_exemplars && p->exemplars[*at].value <= bound; ++*at)
        otlp_exemplar_put(t, &p->exemplars[*at]);
}

static int explicit_rows(struct otlp_translate *t, const struct histogram *h, bool stale)
{
    const struct otlp_point *p = &t->point;
    struct str name = t->family.name;
    double gone = double_of(STALE_BITS), below = 0;
    size_t exemplar = 0;

    le_texts(t);
    for (size_t i = 0; i < p->n_bounds && (stale || i < h->n_pos); i++) {
        if (otlp_room(t) < 0) return ERR_LIMIT;
        if (i < h->n_pos) below += h->pos[i];
        otlp_row(t, otlp_series_pack(t->series, name, STR("_bucket"), OTLP_LE, t->le.text[i]),
                 stale ? gone : below);
        bucket_exemplars(t, &exemplar, p->bounds[i]);
    }
    otlp_row(t, otlp_series_pack(t->series, name, STR("_bucket"), OTLP_LE, STR("+Inf")),
             stale ? gone : h->count);
    bucket_exemplars(t, &exemplar, INFINITY);
    if (p->has_sum || stale)
        otlp_row(t, otlp_series_pack(t->series, name, STR("_sum"), OTLP_NO_EXTRA, STR("")),
                 stale ? gone : h->sum);
    otlp_row(t, otlp_series_pack(t->series, name, STR("_count"), OTLP_NO_EXTRA, STR("")),
             stale ? gone : h->count);
    return OK;
}

static int cumulate(struct otlp_translate *t, struct str raw, struct histogram *h, struct err *why)
{
    const struct otlp_cumulate *c = t->options->cumulate;
    struct otlp_point *p = &t->point;
    if (t->family.metric.temporality != OTLP_DELTA || p->flags & OTLP_NO_RECORDED_VALUE) return OK;
    return c->histogram(c->ctx, labels_packed_id(raw), &p->start_ns, p->time_ns, h, t->arena, why);
}

int otlp_explicit(struct otlp_translate *t)
{
    struct otlp_point *p = &t->point;
    struct err why = ERR_INIT;
    const char *fault = explicit_fault(p);
    if (fault != NULL) return otlp_refuse(t, REJECT_histogram, fault);

    otlp_exemplars_sort(t);
    struct histogram *h = custom_histogram(t);
    struct str raw = otlp_series_pack(t->series, t->family.name, STR("_count"), OTLP_NO_EXTRA, STR(""));
    if (cumulate(t, raw, h, &why) < 0) return otlp_refuse(t, REJECT_temporality, why.text);
    return explicit_rows(t, h, p->flags & OTLP_NO_RECORDED_VALUE);
}

/* ---- exponential ---- */

struct side {
    struct hist_span *spans;
    double *counts;
    uint32_t n_spans, n;
};

/* Nothing for an empty bucket; short gaps are filled with zeros, which cost less than another span. */
static void side_add(struct side *s, int64_t *next, int64_t index, double count)
{
    int64_t gap = index - *next;
    if (count == 0) return;
    if (s->n_spans > 0 && gap <= GAP_FILLED_MAX) {
        for (; gap > 0; gap--) {
            s->counts[s->n++] = 0;
            s->spans[s->n_spans - 1].length++;
        }
    } else {
        s->spans[s->n_spans++] = (struct hist_span){ (int32_t)(s->n_spans > 0 ? gap : index), 0 };
    }
    s->counts[s->n++] = count;
    s->spans[s->n_spans - 1].length++;
    *next = index + 1;
}

static struct side side_make(const struct otlp_counts *c, int halvings, struct arena *a)
{
    struct side s = { arena_array(a, c->n + 1, sizeof *s.spans), arena_array(a, c->n + 1, sizeof *s.counts),
                      0, 0 };
    int64_t next = 0, index = 0;
    double count = 0;

    for (size_t i = 0; i < c->n; i++) {
        int64_t here = (((int64_t)c->offset + (int64_t)i) >> halvings) + 1;
        if (i > 0 && here != index) {
            side_add(&s, &next, index, count);
            count = 0;
        }
        index = here;
        count += (double)c->at[i];
    }
    side_add(&s, &next, index, count);
    return s;
}

static bool counts_add_up(const struct otlp_point *p)
{
    uint64_t sum = p->zero_count;
    const struct otlp_counts *sides[] = { &p->pos, &p->neg };
    for (size_t k = 0; k < COUNT(sides); k++)
        for (size_t i = 0; i < sides[k]->n; i++)
            if (__builtin_add_overflow(sum, sides[k]->at[i], &sum)) return false;
    return isnan(p->sum) ? sum <= p->count : sum == p->count; /* NaN was counted, but in no bucket */
}

static bool index_fits(const struct otlp_counts *c)
{
    return (int64_t)c->offset + (int64_t)c->n < INT32_MAX && c->offset > INT32_MIN;
}

static const char *exponential_fault(const struct otlp_point *p)
{
    if (p->scale < SCALE_MIN) return "an exponential histogram of a scale below -4 has no native form";
    if (p->scale > 20) return "a scale above 20 is not valid";
    if (p->pos.n > OTLP_BUCKETS_MAX || p->neg.n > OTLP_BUCKETS_MAX) return "too many buckets";
    if (!index_fits(&p->pos) || !index_fits(&p->neg)) return "a bucket index is out of range";
    if (!counts_add_up(p)) return "the bucket counts do not add up to the count";
    return NULL;
}

static struct histogram *native_histogram(struct otlp_translate *t)
{
    const struct otlp_point *p = &t->point;
    int halvings = MAX(p->scale - SCALE_MAX, 0);
    struct side pos = side_make(&p->pos, halvings, t->arena), neg = side_make(&p->neg, halvings, t->arena);
    struct histogram *h = arena_zero(t->arena, sizeof *h);

    h->schema = p->scale - halvings;
    h->zero_threshold = p->zero_threshold > 0 ? p->zero_threshold : ZERO_THRESHOLD;
    h->zero_count = (double)p->zero_count;
    h->count = (double)p->count;
    h->sum = p->has_sum ? p->sum : 0;
    h->pos_spans = pos.spans;
    h->neg_spans = neg.spans;
    h->pos = pos.counts;
    h->neg = neg.counts;
    h->n_pos_spans = pos.n_spans;
    h->n_neg_spans = neg.n_spans;
    h->n_pos = pos.n;
    h->n_neg = neg.n;
    return h;
}

static struct histogram *stale_histogram(struct arena *a)
{
    struct histogram *h = arena_zero(a, sizeof *h);
    h->sum = double_of(STALE_BITS);
    return h;
}

int otlp_exponential(struct otlp_translate *t)
{
    struct otlp_point *p = &t->point;
    bool stale = p->flags & OTLP_NO_RECORDED_VALUE;
    struct err why = ERR_INIT;
    const char *fault = stale ? NULL : exponential_fault(p);
    if (fault != NULL) return otlp_refuse(t, REJECT_histogram, fault);

    struct str raw = otlp_series_pack(t->series, t->family.name, STR(""), OTLP_NO_EXTRA, STR(""));
    struct histogram *h = stale ? stale_histogram(t->arena) : native_histogram(t);
    if (histogram_check(h, &why) < 0) return otlp_refuse(t, REJECT_histogram, why.text);
    if (cumulate(t, raw, h, &why) < 0) return otlp_refuse(t, REJECT_temporality, why.text);
    batch_series(t->batch, raw);
    batch_histogram(t->batch, otlp_ms(p->time_ns), h);
    batch_start(t->batch, otlp_start_ms(p));
    for (size_t i = 0; i < p->n_exemplars; i++) otlp_exemplar_put(t, &p->exemplars[i]);
    return OK;
}
