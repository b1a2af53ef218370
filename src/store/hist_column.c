/* hist_column.c - stretches of equal layout, and under each its numbers as columns.
 *
 *     stretch:  | rows varint | schema zigzag | reset u8 | zero_threshold u64 |
 *               | spans pos | spans neg | custom bounds | columns |
 *     spans:    | count varint | (offset zigzag, length varint) ... |
 *     bounds:   | count varint | u64 ... |
 *     columns:  count, zero_count, sum, each positive, each negative bucket: doubles (column.h)
 *
 * Always true:
 *   1. Rows of one stretch share their spans and bounds in memory too: whoever reads them must not
 *      write there.
 *   2. A stretch of several rows holds at most `limit` numbers, a single row at most what the
 *      ceilings of histogram.h allow; so a few damaged bytes cannot ask for gigabytes. */
#include "store/hist_column.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/codec_bitpack.h"
#include "store/column.h"

enum { FIXED = 3 }; /* columns before the buckets */

/* ---- writing ---- */

static bool same_bytes(const void *a, const void *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

/* By bits, unlike histogram_same_layout: a threshold of -0.0 must come back as such. */
static bool same_stretch(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && a->reset == b->reset &&
           double_bits(a->zero_threshold) == double_bits(b->zero_threshold) &&
           a->n_pos_spans == b->n_pos_spans && a->n_neg_spans == b->n_neg_spans && a->n_pos == b->n_pos &&
           a->n_neg == b->n_neg && a->n_custom == b->n_custom &&
           same_bytes(a->pos_spans, b->pos_spans, a->n_pos_spans * sizeof *a->pos_spans) &&
           same_bytes(a->neg_spans, b->neg_spans, a->n_neg_spans * sizeof *a->neg_spans) &&
           same_bytes(a->custom, b->custom, a->n_custom * sizeof *a->custom);
}

static void put_spans(struct buf *out, const struct hist_span *s, size_t n)
{
    buf_varint(out, n);
    for (size_t i = 0; i < n; i++) {
        buf_varint(out, zigzag((uint64_t)(int64_t)s[i].offset));
        buf_varint(out, s[i].length);
    }
}

static void put_layout(struct buf *out, const struct histogram *h)
{
    buf_varint(out, zigzag((uint64_t)(int64_t)h->schema));
    buf_u8(out, h->reset);
    buf_u64le(out, double_bits(h->zero_threshold));
    put_spans(out, h->pos_spans, h->n_pos_spans);
    put_spans(out, h->neg_spans, h->n_neg_spans);
    buf_varint(out, h->n_custom);
    for (size_t i = 0; i < h->n_custom; i++) buf_u64le(out, double_bits(h->custom[i]));
}

/* Number c of a histogram, in the order of the columns. */
static double *number(const struct histogram *h, size_t c)
{
    switch (c) {
    case 0: return (double *)&h->count;
    case 1: return (double *)&h->zero_count;
    case 2: return (double *)&h->sum;
    default: return c - FIXED < h->n_pos ? &h->pos[c - FIXED] : &h->neg[c - FIXED - h->n_pos];
    }
}

static void put_stretch(struct buf *out, struct histogram *const *h, size_t n, double *column)
{
    buf_varint(out, n);
    put_layout(out, h[0]);
    size_t columns = FIXED + (size_t)h[0]->n_pos + h[0]->n_neg;
    for (size_t c = 0; c < columns; c++) {
        for (size_t i = 0; i < n; i++) memcpy(&column[i], number(h[i], c), sizeof column[i]);
        column_put_doubles(out, column, n);
    }
}

void hist_column_put(struct buf *out, struct histogram *const *h, size_t n)
{
    double *column = mem_array(n, sizeof *column);
    for (size_t at = 0, next; at < n; at = next) {
        for (next = at + 1; next < n && same_stretch(h[at], h[next]);) next++;
        put_stretch(out, h + at, next - at, column);
    }
    mem_free(column);
}

/* ---- reading ---- */

static bool get_u64(struct str *in, uint64_t *v)
{
    if (in->n < 8) return false;
    *v = 0;
    for (int i = 0; i < 8; i++) *v |= (uint64_t)(unsigned char)in->p[i] << (8 * i);
    *in = str_make(in->p + 8, in->n - 8);
    return true;
}

static bool get_i32(struct str *in, int32_t *v)
{
    uint64_t z;
    if (!varint_get(in, &z)) return false;
    int64_t wide = (int64_t)unzigzag(z);
    *v = (int32_t)wide;
    return wide == *v;
}

static bool get_spans(struct str *in, struct arena *a, struct hist_span **out, uint32_t *n_out,
                      uint32_t *buckets)
{
    uint64_t n, length, sum = 0;
    if (!varint_get(in, &n) || n > HISTOGRAM_SPANS_MAX || n * 2 > in->n) return false;
    struct hist_span *s = n ? arena_array(a, n, sizeof *s) : NULL;
    for (uint64_t i = 0; i < n; i++) {
        if (!get_i32(in, &s[i].offset) || !varint_get(in, &length) || length > HISTOGRAM_BUCKETS_MAX)
            return false;
        s[i].length = (uint32_t)length;
        sum += length;
    }
    *out = s;
    *n_out = (uint32_t)n;
    *buckets = (uint32_t)sum;
    return sum <= HISTOGRAM_BUCKETS_MAX;
}

static bool get_bounds(struct str *in, struct arena *a, struct histogram *h)
{
    uint64_t n, bits = 0;
    if (!varint_get(in, &n) || n > HISTOGRAM_BUCKETS_MAX || n * 8 > in->n) return false;
    h->n_custom = (uint32_t)n;
    h->custom = n ? arena_array(a, n, sizeof *h->custom) : NULL;
    for (uint64_t i = 0; i < n; i++) {
        get_u64(in, &bits);
        h->custom[i] = double_of(bits);
    }
    return true;
}

static bool get_layout(struct str *in, struct arena *a, struct histogram *h)
{
    uint64_t threshold;
    *h = (struct histogram){ 0 };
    if (!get_i32(in, &h->schema) || in->n < 1) return false;
    h->reset = (uint8_t)in->p[0];
    *in = str_make(in->p + 1, in->n - 1);
    if (h->reset > HIST_GAUGE || !get_u64(in, &threshold)) return false;
    h->zero_threshold = double_of(threshold);
    return get_spans(in, a, &h->pos_spans, &h->n_pos_spans, &h->n_pos) &&
           get_spans(in, a, &h->neg_spans, &h->n_neg_spans, &h->n_neg) && get_bounds(in, a, h);
}

/* n histograms of one layout, their buckets not yet filled. */
static void make_rows(const struct histogram *layout, struct histogram **out, size_t n, struct arena *a)
{
    size_t buckets = (size_t)layout->n_pos + layout->n_neg;
    struct histogram *h = arena_array(a, n, sizeof *h);
    double *numbers = buckets ? arena_array(a, n * buckets, sizeof *numbers) : NULL;
    for (size_t i = 0; i < n; i++) {
        h[i] = *layout;
        h[i].pos = layout->n_pos ? numbers + i * buckets : NULL;
        h[i].neg = layout->n_neg ? numbers + i * buckets + layout->n_pos : NULL;
        out[i] = &h[i];
    }
}

static int get_stretch(struct str *in, struct histogram **h, size_t n, const struct histogram *layout,
                       double *column, struct arena *a, struct err *e)
{
    size_t columns = FIXED + (size_t)layout->n_pos + layout->n_neg;
    if (!arena_fits(a, n * (columns * sizeof(double) + sizeof(struct histogram))))
        return err_set(e, ERR_LIMIT, "%zu histograms of %zu numbers are more than the memory allowed", n,
                       columns);
    make_rows(layout, h, n, a);
    for (size_t c = 0; c < columns; c++) {
        int rc = column_get_doubles(in, column, n, e);
        if (rc < 0) return rc;
        for (size_t i = 0; i < n; i++) memcpy(number(h[i], c), &column[i], sizeof column[i]);
    }
    return OK;
}

int hist_column_get(struct str *in, struct histogram **h, size_t n, size_t limit, struct arena *a,
                    struct err *e)
{
    double *column = mem_array(n + MINIBLOCK, sizeof *column);
    int rc = OK;
    for (size_t at = 0; at < n && rc == OK;) {
        uint64_t rows;
        struct histogram layout;
        if (!varint_get(in, &rows) || rows == 0 || rows > n - at || !get_layout(in, a, &layout) ||
            (rows > 1 && rows * (FIXED + (uint64_t)layout.n_pos + layout.n_neg) > limit)) {
            rc = err_set(e, ERR_CORRUPT, "histogram column: layout at row %zu makes no sense", at);
            break;
        }
        rc = get_stretch(in, h + at, rows, &layout, column, a, e);
        at += rows;
    }
    mem_free(column);
    return rc;
}
