/* filter.c - asking a group of blocks; bytes and hashing in filter_impl.h.
 *
 * Always true: after filter_open every row of 0..bits lies within the bytes, and no bit of `full` stands for
 * a block that is not there. */
#include <string.h>

#include "store/bytes.h"
#include "store/filter_impl.h"

static bool open_group(struct filter *f, struct str in)
{
    if (in.n < FILTER_TRAILER) return false;
    struct bytes trailer = bytes_of(str_make(in.p + in.n - FILTER_TRAILER, FILTER_TRAILER));
    unsigned class = bytes_u8(&trailer), log2_bits = bytes_u8(&trailer);
    f->n_blocks = (uint32_t)bytes_fixed(&trailer, 2);
    if (class >= FILTER_CLASSES || log2_bits < FILTER_LOG2_MIN || log2_bits > FILTER_LOG2_MAX) return false;
    if (f->n_blocks == 0 || f->n_blocks > FILTER_GROUP || bytes_u32(&trailer) != 0) return false;
    if (in.n != filter_group_bytes(f->n_blocks, log2_bits)) return false;

    f->class = class;
    f->bits = 1u << log2_bits;
    f->row_bits = filter_row_bits(f->n_blocks);
    f->row_bytes = f->row_bits / 8;
    f->rows = (const uint8_t *)in.p;
    size_t rows_bytes = ((size_t)f->row_bits << log2_bits) / 8;
    struct bytes full = bytes_of(str_make(in.p + rows_bytes, in.n - rows_bytes));
    for (size_t i = 0; i * 64 < f->n_blocks; i++) f->full[i] = bytes_u64(&full);
    return f->n_blocks % 64 == 0 || f->full[f->n_blocks / 64] >> f->n_blocks % 64 == 0;
}

int filter_open(struct filter *f, struct str bytes, struct err *e)
{
    *f = (struct filter){ 0 };
    if (open_group(f, bytes)) return OK;
    *f = (struct filter){ 0 };
    return err_set(e, ERR_CORRUPT, "filter of %zu bytes: damaged", bytes.n);
}

/* ---- probing ---- */

static inline uint64_t word_of(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;
    memcpy(&v, p, bytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static void and_row(const struct filter *f, size_t row, uint64_t *left)
{
    const uint8_t *p = f->rows + row * f->row_bytes;
    if (f->row_bytes == FILTER_GROUP / 8) { /* all but the last group of a part */
        for (size_t w = 0; w < FILTER_GROUP / 64; w++) left[w] &= word_of(p + w * 8, 8);
    } else if (f->row_bytes == 0) {
        left[0] &= (uint64_t)f->rows[row * f->row_bits / 8] >> row * f->row_bits % 8;
    } else {
        for (size_t at = 0; at < f->row_bytes; at += 8)
            left[at / 8] &= word_of(p + at, MIN(f->row_bytes - at, (size_t)8));
    }
}

static uint64_t blocks_of_word(const struct filter *f, size_t w)
{
    if (f->n_blocks >= (w + 1) * 64) return UINT64_MAX;
    return f->n_blocks <= w * 64 ? 0 : ((uint64_t)1 << f->n_blocks % 64) - 1;
}

/* All rows are asked of memory before the first is waited for. */
void filter_probe(const struct filter *f, uint64_t hash, uint64_t candidates[FILTER_GROUP / 64])
{
    const unsigned probes = filter_kinds[f->class].probes;
    uint32_t at[FILTER_ROOM];
    uint64_t left[FILTER_GROUP / 64];
    filter_positions(hash, probes, f->bits, at);
    for (unsigned i = 0; i < probes; i++) {
        const uint8_t *row = f->rows + (size_t)at[i] * f->row_bits / 8;
        __builtin_prefetch(row);
        __builtin_prefetch(row + (f->row_bytes ? f->row_bytes - 1 : 0)); /* the next line, unless aligned */
    }
    memset(left, 0xff, sizeof left);
    for (unsigned i = 0; i < probes; i++) and_row(f, at[i], left);
    for (size_t w = 0; w < FILTER_GROUP / 64; w++)
        candidates[w] &= (left[w] | f->full[w]) & blocks_of_word(f, w);
}
