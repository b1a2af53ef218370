/* histogram.h - a native histogram sample: exponential buckets, or custom bounds.
 *
 * All counts are absolute doubles (integer histograms convert without loss up to 2^53). Bucket i of a span
 * list is found by walking: spans[0].offset is the first index, each later offset the gap after the span
 * before. Exponential, schema s in -4..8: bucket with index i covers (2^((i-1)/2^s), 2^(i/2^s)]. Custom,
 * schema -53: positive spans index into custom[]; bucket i covers (custom[i-1], custom[i]], the last to +Inf.
 */
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define HISTOGRAM_CUSTOM      (-53)
#define HISTOGRAM_BUCKETS_MAX 16384
#define HISTOGRAM_SPANS_MAX   16384

enum histogram_reset { HIST_RESET_UNKNOWN, HIST_RESET_YES, HIST_RESET_NO, HIST_GAUGE };

struct hist_span {
    int32_t offset;
    uint32_t length;
};

struct histogram {
    int32_t schema;
    uint8_t reset; /* enum histogram_reset */
    double zero_threshold, zero_count, count, sum;
    uint32_t n_pos_spans, n_neg_spans, n_pos, n_neg, n_custom;
    struct hist_span *pos_spans, *neg_spans;
    double *pos, *neg; /* n_pos = sum of the span lengths */
    double *custom;    /* ascending upper bounds, without +Inf */
};

/* Stale marker: the series ended here. An ordinary sample with this NaN (of a histogram: as its sum). */
#define STALE_BITS 0x7ff0000000000002ull
#define NAN_BITS   0x7ff8000000000001ull

static inline uint64_t double_bits(double v)
{
    uint64_t b;
    memcpy(&b, &v, 8);
    return b;
}
static inline double double_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, 8);
    return v;
}
static inline bool is_stale(double v)
{
    return double_bits(v) == STALE_BITS;
}

/* Shape only: spans sum to the bucket counts, known schema, bounds ascending, counts not negative, within the
 * ceilings. */
int histogram_check(const struct histogram *, struct err *);
struct histogram *histogram_copy(const struct histogram *, struct arena *);
bool histogram_same_layout(const struct histogram *,
                           const struct histogram *); /* schema, threshold, spans, bounds */

/* A self-contained byte form for the WAL and memory: little-endian, doubles as bits. unpack checks everything
 * (ERR_CORRUPT). */
void histogram_pack(struct buf *out, const struct histogram *);
int histogram_unpack(struct str bytes, struct arena *, struct histogram **out, struct err *);
