/* column.h - columns of numbers as bytes and back: the only place that knows how to make them small.
 *
 *     times    constant step, else delta of delta in patched bit-packed miniblocks of 128
 *     integers constant, frame of reference, delta or delta of delta, whichever is smallest
 *     doubles  constant; decimal-scaled to integers (smallest exponent that fits all but a few, those kept by
 * their bits); else XOR with the value before, byte-shuffled
 *
 * Lossless to the bit, NaN payloads and -0.0 included. Encoders append to a buf; decoders write n values and
 * trust nothing: ERR_CORRUPT for bytes that are not ours. Bytes: docs/format-part.md. Pure functions, any
 * thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define COLUMN_ROWS_MAX 65536

void column_put_times(struct buf *, const int64_t *v, size_t n);
void column_put_ints(struct buf *, const int64_t *v, size_t n);
void column_put_doubles(struct buf *, const double *v, size_t n);

/* *in is advanced past what was read. Room for n + 128 values at v (decoders write whole miniblocks). */
int column_get_times(struct str *in, int64_t *v, size_t n, struct err *);
int column_get_ints(struct str *in, int64_t *v, size_t n, struct err *);
int column_get_doubles(struct str *in, double *v, size_t n, struct err *);
