/* filter.c - asking a group of blocks; bytes and hashing in filter_impl.h.
 *
 * Always true: after filter_open every row of 0..bits lies within the bytes, and no bit of `full` stands for
 * a block that is not there. */
#include <string.h>

#include "store/bytes.h"
#include "store/filter_impl.h"

static bool open_group(struct filter *f, struct str in, bool has_rows)
{
    if (in.n < FILTER_TRAILER) return false;
    struct bytes trailer = bytes_of(str_make(in.p + in.n - FILTER_TRAILER, FILTER_TRAILER));
    unsigned class = bytes_u8(&trailer), log2_bits = bytes_u8(&trailer);
    f->n_blocks = (uint32_t)bytes_fixed(&trailer, 2);
    if (class >= FILTER_CLASSES || log2_bits < FILTER_LOG2_MIN || log2_bits > FILTER_LOG2_MAX) return false;
    if (f->n_blocks == 0 || f->n_blocks > FILTER_GROUP || bytes_u32(&trailer) != 0) return false;
    size_t rows_bytes = ((size_t)filter_row_bits(f->n_blocks) << log2_bits) / 8;
    if (in.n != filter_group_bytes(f->n_blocks, log2_bits) - (has_rows ? 0 : rows_bytes)) return false;

    f->class = class;
    f->bits = 1u << log2_bits;
    f->row_bits = filter_row_bits(f->n_blocks);
    f->row_bytes = f->row_bits / 8;
    f->rows = has_rows ? (const uint8_t *)in.p : NULL;
    if (!has_rows) rows_bytes = 0;
    struct bytes full = bytes_of(str_make(in.p + rows_bytes, in.n - rows_bytes));
    for (size_t i = 0; i * 64 < f->n_blocks; i++) f->full[i] = bytes_u64(&full);
    return f->n_blocks % 64 == 0 || f->full[f->n_blocks / 64] >> f->n_blocks % 64 == 0;
}

static int open_bytes(struct filter *f, struct str bytes, bool has_rows, struct err *e)
{
    *f = (struct filter){ 0 };
    if (open_group(f, bytes, has_rows)) return OK;
    *f = (struct filter){ 0 };
    return err_set(e, ERR_CORRUPT, "filter of %zu bytes: damaged", bytes.n);
}

int filter_open(struct filter *f, struct str bytes, struct err *e)
{
    return open_bytes(f, bytes, true, e);
}

int filter_open_tail(struct filter *f, struct str tail, struct err *e)
{
    return open_bytes(f, tail, false, e);
}

size_t filter_rows_bytes(const struct filter *f)
{
    return (size_t)f->row_bits * f->bits / 8;
}

size_t filter_tail_bytes(const struct filter *f)
{
    return (f->n_blocks + 63u) / 64 * 8 + FILTER_TRAILER;
}

size_t filter_piece_bytes(const struct filter *f, size_t most)
{
    return f->row_bytes ? most / f->row_bytes * f->row_bytes : most;
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

static size_t row_at(const struct filter *f, size_t row)
{
    return row * f->row_bits / 8;
}

static void and_row(const struct filter *f, const uint8_t *p, size_t row, uint64_t *left)
{
    if (f->row_bytes == FILTER_GROUP / 8) { /* all but the last group of a part */
        for (size_t w = 0; w < FILTER_GROUP / 64; w++) left[w] &= word_of(p + w * 8, 8);
    } else if (f->row_bytes == 0) {
        left[0] &= (uint64_t)*p >> row * f->row_bits % 8;
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
        const uint8_t *row = f->rows + row_at(f, at[i]);
        __builtin_prefetch(row);
        __builtin_prefetch(row + (f->row_bytes ? f->row_bytes - 1 : 0)); /* the next line, unless aligned */
    }
    memset(left, 0xff, sizeof left);
    for (unsigned i = 0; i < probes; i++) and_row(f, f->rows + row_at(f, at[i]), at[i], left);
    for (size_t w = 0; w < FILTER_GROUP / 64; w++)
        candidates[w] &= (left[w] | f->full[w]) & blocks_of_word(f, w);
}

int filter_probe_by(const struct filter *f, uint64_t hash, uint64_t candidates[FILTER_GROUP / 64],
                    int (*fetch)(void *ctx, size_t at, size_t n, const uint8_t **, struct err *), void *ctx,
                    struct err *e)
{
    const unsigned probes = filter_kinds[f->class].probes;
    uint32_t at[FILTER_ROOM];
    filter_positions(hash, probes, f->bits, at);
    uint64_t left[FILTER_GROUP / 64], any = 1;
    memset(left, 0xff, sizeof left);
    for (unsigned i = 0; i < probes && any; i++) {
        const uint8_t *row;
        int rc = fetch(ctx, row_at(f, at[i]), MAX(f->row_bytes, 1u), &row, e);
        if (rc < 0) return rc;
        and_row(f, row, at[i], left);
        any = 0;
        for (size_t w = 0; w < FILTER_GROUP / 64; w++) any |= candidates[w] & (left[w] | f->full[w]);
    }
    for (size_t w = 0; w < FILTER_GROUP / 64; w++)
        candidates[w] &= (left[w] | f->full[w]) & blocks_of_word(f, w);
    return OK;
}
