/* histogram.c - native histograms: shape checks, copies and the packed form.
 *
 * packed:  schema i32 | reset u8 | zero_threshold, zero_count, count, sum f64
 *          | n_pos_spans, n_neg_spans, n_pos, n_neg, n_custom u32
 *          | spans of pos, then neg: offset i32, length u32 | pos f64... | neg f64... | custom f64...
 *          little-endian, doubles as their bits, so NaN payloads (the stale marker) survive.
 *
 * Always true: unpack computes the exact size from the five counts and their ceilings before it allocates
 * anything. */
#include "model/histogram.h"

#include <inttypes.h>

#include "base/check.h"

enum { PACKED_HEAD = 4 + 1 + 4 * 8 + 5 * 4, SCHEMA_MIN = -4, SCHEMA_MAX = 8 };

/* ---- shape ---- */

static int spans_check(const struct hist_span *spans, uint32_t n, uint32_t n_buckets, const char *side,
                       struct err *e)
{
    uint64_t sum = 0;
    int64_t index = 0;

    if (n > HISTOGRAM_SPANS_MAX) return err_set(e, ERR_LIMIT, "histogram: %" PRIu32 " %s spans", n, side);
    if (n_buckets > HISTOGRAM_BUCKETS_MAX)
        return err_set(e, ERR_LIMIT, "histogram: %" PRIu32 " %s buckets", n_buckets, side);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && spans[i].offset < 0)
            return err_set(e, ERR_RANGE, "histogram: %s span %" PRIu32 " has the negative gap %" PRId32, side,
                           i, spans[i].offset);
        index += (int64_t)spans[i].offset + spans[i].length;
        sum += spans[i].length;
        if (index > INT32_MAX) return err_set(e, ERR_RANGE, "histogram: %s bucket index is too large", side);
    }
    if (sum != n_buckets)
        return err_set(e, ERR_RANGE, "histogram: %s spans name %" PRIu64 " buckets, %" PRIu32 " are there",
                       side, sum, n_buckets);
    return OK;
}

static int counts_check(const double *counts, uint32_t n, const char *side, struct err *e)
{
    for (uint32_t i = 0; i < n; i++)
        if (counts[i] < 0)
            return err_set(e, ERR_RANGE, "histogram: %s bucket %" PRIu32 " has the negative count %g", side,
                           i, counts[i]);
    return OK;
}

static int custom_check(const struct histogram *h, struct err *e)
{
    if (h->n_neg > 0 || h->n_neg_spans > 0)
        return err_set(e, ERR_RANGE, "histogram: custom buckets with negative buckets");
    if (h->zero_count != 0 || h->zero_threshold != 0)
        return err_set(e, ERR_RANGE, "histogram: custom buckets with a zero bucket");
    if (h->n_custom > HISTOGRAM_BUCKETS_MAX)
        return err_set(e, ERR_LIMIT, "histogram: %" PRIu32 " custom bounds", h->n_custom);
    for (uint32_t i = 0; i < h->n_custom; i++) {
        if (!isfinite(h->custom[i]))
            return err_set(e, ERR_RANGE, "histogram: custom bound %" PRIu32 " is not finite", i);
        if (i > 0 && h->custom[i] <= h->custom[i - 1])
            return err_set(e, ERR_RANGE,
                           "histogram: custom bound %" PRIu32 " (%g) is not above the one before", i,
                           h->custom[i]);
    }

    int64_t end = 0; /* one past the last bucket index; buckets are 0..n_custom */
    for (uint32_t i = 0; i < h->n_pos_spans; i++) {
        if (i == 0 && h->pos_spans[0].offset < 0)
            return err_set(e, ERR_RANGE, "histogram: custom buckets start below 0");
        end += (int64_t)h->pos_spans[i].offset + h->pos_spans[i].length;
    }
    if (end > (int64_t)h->n_custom + 1)
        return err_set(e, ERR_RANGE, "histogram: bucket %" PRId64 " with %" PRIu32 " custom bounds", end - 1,
                       h->n_custom);
    return OK;
}

int histogram_check(const struct histogram *h, struct err *e)
{
    int rc;
    bool custom = h->schema == HISTOGRAM_CUSTOM;

    if (!custom && (h->schema < SCHEMA_MIN || h->schema > SCHEMA_MAX))
        return err_set(e, ERR_RANGE, "histogram: schema %" PRId32 " is not known", h->schema);
    if (!custom && h->n_custom > 0)
        return err_set(e, ERR_RANGE, "histogram: custom bounds with an exponential schema");
    if (!custom && !(h->zero_threshold >= 0))
        return err_set(e, ERR_RANGE, "histogram: the zero threshold %g is not valid", h->zero_threshold);
    if (h->count < 0) return err_set(e, ERR_RANGE, "histogram: the count %g is negative", h->count);
    if (h->zero_count < 0)
        return err_set(e, ERR_RANGE, "histogram: the zero bucket's count %g is negative", h->zero_count);
    if (h->reset > HIST_GAUGE)
        return err_set(e, ERR_RANGE, "histogram: reset hint %d is not known", h->reset);

    if ((rc = spans_check(h->pos_spans, h->n_pos_spans, h->n_pos, "positive", e)) < 0) return rc;
    if ((rc = spans_check(h->neg_spans, h->n_neg_spans, h->n_neg, "negative", e)) < 0) return rc;
    if ((rc = counts_check(h->pos, h->n_pos, "positive", e)) < 0) return rc;
    if ((rc = counts_check(h->neg, h->n_neg, "negative", e)) < 0) return rc;
    return custom ? custom_check(h, e) : OK;
}

static bool same_bytes(const void *a, const void *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

bool histogram_same_layout(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && a->zero_threshold == b->zero_threshold &&
           a->n_pos_spans == b->n_pos_spans && a->n_neg_spans == b->n_neg_spans && a->n_pos == b->n_pos &&
           a->n_neg == b->n_neg && a->n_custom == b->n_custom &&
           same_bytes(a->pos_spans, b->pos_spans, a->n_pos_spans * sizeof *a->pos_spans) &&
           same_bytes(a->neg_spans, b->neg_spans, a->n_neg_spans * sizeof *a->neg_spans) &&
           same_bytes(a->custom, b->custom, a->n_custom * sizeof *a->custom);
}

/* ---- copies ---- */

static void *copy_array(struct arena *a, const void *from, size_t n, size_t size)
{
    if (n == 0) return NULL;
    return memcpy(arena_array(a, n, size), from, n * size);
}

struct histogram *histogram_copy(const struct histogram *h, struct arena *a)
{
    struct histogram *c = arena_alloc(a, sizeof *c);
    *c = *h;
    c->pos_spans = copy_array(a, h->pos_spans, h->n_pos_spans, sizeof *h->pos_spans);
    c->neg_spans = copy_array(a, h->neg_spans, h->n_neg_spans, sizeof *h->neg_spans);
    c->pos = copy_array(a, h->pos, h->n_pos, sizeof *h->pos);
    c->neg = copy_array(a, h->neg, h->n_neg, sizeof *h->neg);
    c->custom = copy_array(a, h->custom, h->n_custom, sizeof *h->custom);
    return c;
}

/* ---- packed ---- */

static void pack_spans(struct buf *out, const struct hist_span *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        buf_u32le(out, (uint32_t)s[i].offset);
        buf_u32le(out, s[i].length);
    }
}

static void pack_doubles(struct buf *out, const double *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) buf_u64le(out, double_bits(v[i]));
}

void histogram_pack(struct buf *out, const struct histogram *h)
{
    const double head[] = { h->zero_threshold, h->zero_count, h->count, h->sum };
    const uint32_t counts[] = { h->n_pos_spans, h->n_neg_spans, h->n_pos, h->n_neg, h->n_custom };

    buf_u32le(out, (uint32_t)h->schema);
    buf_u8(out, h->reset);
    pack_doubles(out, head, COUNT(head));
    for (size_t i = 0; i < COUNT(counts); i++) buf_u32le(out, counts[i]);
    pack_spans(out, h->pos_spans, h->n_pos_spans);
    pack_spans(out, h->neg_spans, h->n_neg_spans);
    pack_doubles(out, h->pos, h->n_pos);
    pack_doubles(out, h->neg, h->n_neg);
    pack_doubles(out, h->custom, h->n_custom);
}

static uint64_t take(const char **p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)(unsigned char)(*p)[i] << (8 * i);
    *p += bytes;
    return v;
}

static struct hist_span *take_spans(const char **p, uint32_t n, struct arena *a)
{
    if (n == 0) return NULL;
    struct hist_span *s = arena_array(a, n, sizeof *s);
    for (uint32_t i = 0; i < n; i++) {
        s[i].offset = (int32_t)take(p, 4);
        s[i].length = (uint32_t)take(p, 4);
    }
    return s;
}

static double *take_doubles(const char **p, uint32_t n, struct arena *a)
{
    if (n == 0) return NULL;
    double *v = arena_array(a, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++) v[i] = double_of(take(p, 8));
    return v;
}

static void take_head(const char **p, struct histogram *h)
{
    h->schema = (int32_t)take(p, 4);
    h->reset = (uint8_t)take(p, 1);
    h->zero_threshold = double_of(take(p, 8));
    h->zero_count = double_of(take(p, 8));
    h->count = double_of(take(p, 8));
    h->sum = double_of(take(p, 8));
    h->n_pos_spans = (uint32_t)take(p, 4);
    h->n_neg_spans = (uint32_t)take(p, 4);
    h->n_pos = (uint32_t)take(p, 4);
    h->n_neg = (uint32_t)take(p, 4);
    h->n_custom = (uint32_t)take(p, 4);
}

static int sizes_check(const struct histogram *h, size_t rest, struct err *e)
{
    if (h->n_pos_spans > HISTOGRAM_SPANS_MAX || h->n_neg_spans > HISTOGRAM_SPANS_MAX ||
        h->n_pos > HISTOGRAM_BUCKETS_MAX || h->n_neg > HISTOGRAM_BUCKETS_MAX ||
        h->n_custom > HISTOGRAM_BUCKETS_MAX)
        return err_set(e, ERR_CORRUPT, "packed histogram: a count above its ceiling");
    size_t need = 8 * ((size_t)h->n_pos_spans + h->n_neg_spans + h->n_pos + h->n_neg + h->n_custom);
    if (need != rest)
        return err_set(e, ERR_CORRUPT, "packed histogram: %zu bytes follow its head, not %zu", rest, need);
    return OK;
}

int histogram_unpack(struct str bytes, struct arena *a, struct histogram **out, struct err *e)
{
    struct histogram h;
    const char *p = bytes.p;
    int rc;

    if (bytes.n < PACKED_HEAD) return err_set(e, ERR_CORRUPT, "packed histogram: only %zu bytes", bytes.n);
    take_head(&p, &h);
    if ((rc = sizes_check(&h, bytes.n - PACKED_HEAD, e)) < 0) return rc;

    h.pos_spans = take_spans(&p, h.n_pos_spans, a);
    h.neg_spans = take_spans(&p, h.n_neg_spans, a);
    h.pos = take_doubles(&p, h.n_pos, a);
    h.neg = take_doubles(&p, h.n_neg, a);
    h.custom = take_doubles(&p, h.n_custom, a);
    if (histogram_check(&h, e) < 0) {
        err_where(e, "packed histogram");
        return e ? (e->code = ERR_CORRUPT) : ERR_CORRUPT;
    }
    *out = arena_alloc(a, sizeof **out);
    **out = h;
    return OK;
}
