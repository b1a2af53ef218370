/* codec_doubles.h - the two ways a column of doubles is stored when it is not constant (column.c
 * decides).
 *
 * Decimal: v = i / 10^e with whole i, e as small as possible; values that do not fit (NaN payloads,
 * -0.0, infinities, results of long sums) are kept by their bits as exceptions. Shuffled: each
 * value XOR the one before, bytes of equal significance side by side for the compressor above. Both
 * are exact to the bit. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define DECIMAL_E_MAX 14

struct decimal {
    int e;             /* -1: not decimal */
    size_t exceptions; /* values that do not fit e; at most n / 20 */
};

struct decimal decimal_fit(const double *v, size_t n);
void decimal_put(struct buf *, const double *v, size_t n, struct decimal);
bool decimal_get(struct str *in, double *v, size_t n, int e, bool has_exceptions);

void shuffled_put(struct buf *, const double *v, size_t n);
bool shuffled_get(struct str *in, double *v, size_t n);
