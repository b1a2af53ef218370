/* codec_ints.h - a column of 64-bit integers: what is left after the cheapest prediction,
 * bit-packed in miniblocks.
 *
 * Arithmetic wraps, so every int64 sequence is representable. Shared by times, whole numbers and
 * decimal-scaled doubles (column.c). The reader hands out one miniblock at a time so that its
 * caller can turn integers into doubles in cache. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/codec_bitpack.h"

enum ints_use { INTS_VALUES, INTS_TIMES }; /* which predictions are tried; any reads any */

void ints_put(struct buf *, const int64_t *v, size_t n, enum ints_use); /* n > 0 */

struct ints_reader {
    struct str in; /* what is left of the bytes */
    size_t left;   /* values not yet handed out */
    uint8_t mode, shift, skip;
    uint64_t first, base, value, delta, row;
};

/* false when the bytes are not ours. in must outlive the reader; afterwards r->in is what follows
 * the column. */
bool ints_open(struct ints_reader *r, struct str in, size_t n);
/* The next values, at most MINIBLOCK (room for that many at v): how many, or 0 when the bytes are
 * not ours. */
size_t ints_next(struct ints_reader *r, int64_t *v);
