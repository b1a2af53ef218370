/* codec_bitpack.h - up to 128 unsigned integers in as few bits as most of them need; the few larger
 * ones are patched in.
 *
 *     | width u7, patched u1 | n low parts of `width` bits, LSB first |
 *     | patched only: count u8, positions, high parts |
 *
 * The unit beneath every column of numbers (codec_ints.c). Pure functions. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define MINIBLOCK 128

struct bitpack_plan {
    uint32_t bits; /* what it will take */
    uint8_t width, patches;
};

/* The cheapest width for these n <= MINIBLOCK values. */
struct bitpack_plan bitpack_plan(const uint64_t *v, size_t n);
void bitpack_put(struct buf *, const uint64_t *v, size_t n, struct bitpack_plan);

/* Writes n values (room for MINIBLOCK at v) and advances *in; false when the bytes are not ours. */
bool bitpack_get(struct str *in, uint64_t *v, size_t n);

/* LEB128 from *in; false when cut or longer than 64 bits. */
bool varint_get(struct str *in, uint64_t *v);

static inline uint64_t zigzag(uint64_t v)
{
    return v << 1 ^ (uint64_t)((int64_t)v >> 63);
}
static inline uint64_t unzigzag(uint64_t z)
{
    return z >> 1 ^ (0 - (z & 1));
}
