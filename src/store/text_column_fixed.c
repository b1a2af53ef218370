/* text_column_fixed.c - values of one width, and which rows have a value at all.
 *
 *     fixed:     | 0 u8 | values back to back |
 *                | 1 u8 | runs - 1 varint | a value a run | rows a run - 1, bit-packed |
 *     presence:  | kind u8: 0 none, 1 all |
 *                | 2 u8 | (n + 7) / 8 bytes, row i in bit i % 8 of byte i / 8, zeros beyond n |
 *                | 3 or 4 u8: the first row is absent, present | runs - 1 varint | rows a run - 1, bit-packed
 * |
 *
 * Rows that share an id (spans of a trace, lines of a stream) lie together, so runs are looked at first.
 * Columns of no rows take no bytes. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/codec_bitpack.h"
#include "store/codec_text.h"
#include "store/column.h"
#include "store/text_column.h"

/* ---- runs: how many rows each, until all n are covered ---- */

static void runs_put(struct buf *out, const uint32_t *more, size_t runs)
{
    buf_varint(out, runs - 1);
    packed_put(out, more, runs);
}

/* Yours; NULL when the bytes are not ours or the runs do not make n rows. */
static uint32_t *runs_checked(struct str *in, size_t runs, size_t n)
{
    uint32_t *more = mem_alloc(runs * sizeof *more);
    uint64_t rows = runs;
    bool ok = packed_get(in, more, runs);
    for (size_t r = 0; ok && r < runs; r++) rows += more[r];
    if (ok && rows == n) return more;
    mem_free(more);
    return NULL;
}

static bool runs_count(struct str *in, size_t n, size_t *runs)
{
    uint64_t count;
    if (!varint_get(in, &count) || count >= n) return false;
    *runs = (size_t)count + 1;
    return true;
}

/* ---- fixed width ---- */

enum fixed { FIXED_EACH, FIXED_RUNS }; /* on disk: never renumber */

static bool same_as_before(const uint8_t *v, size_t width, size_t i)
{
    return memcmp(v + i * width, v + (i - 1) * width, width) == 0;
}

static size_t count_runs(const uint8_t *v, size_t width, size_t n)
{
    size_t runs = 1;
    for (size_t i = 1; i < n; i++) runs += !same_as_before(v, width, i);
    return runs;
}

void text_column_put_fixed(struct buf *out, const uint8_t *v, size_t width, size_t n)
{
    check(n <= COLUMN_ROWS_MAX && width > 0 && width <= TEXT_FIXED_MAX);
    if (n == 0) return;
    size_t runs = count_runs(v, width, n);
    if (runs * (width + 2) >= n * width) {
        buf_u8(out, FIXED_EACH);
        buf_add(out, v, n * width);
        return;
    }
    buf_u8(out, FIXED_RUNS);
    buf_varint(out, runs - 1);
    uint32_t *more = mem_alloc(runs * sizeof *more);
    size_t at = 0;
    for (size_t i = 0, from = 0; i < n; i++) {
        if (i + 1 < n && same_as_before(v, width, i + 1)) continue;
        buf_add(out, v + i * width, width);
        more[at++] = (uint32_t)(i - from);
        from = i + 1;
    }
    packed_put(out, more, runs);
    mem_free(more);
}

static bool get_fixed_runs(struct str *in, uint8_t *v, size_t width, size_t n)
{
    size_t runs;
    if (!runs_count(in, n, &runs) || in->n / width < runs) return false;
    const char *value = in->p;
    *in = str_make(in->p + runs * width, in->n - runs * width);
    uint32_t *more = runs_checked(in, runs, n);
    if (more == NULL) return false;
    for (size_t r = 0; r < runs; r++, value += width)
        for (size_t i = 0; i <= more[r]; i++, v += width) memcpy(v, value, width);
    mem_free(more);
    return true;
}

static bool get_fixed(struct str *in, uint8_t *v, size_t width, size_t n)
{
    if (in->n < 1) return false;
    unsigned kind = (unsigned char)in->p[0];
    *in = str_make(in->p + 1, in->n - 1);
    if (kind == FIXED_RUNS) return get_fixed_runs(in, v, width, n);
    if (kind != FIXED_EACH || in->n < n * width) return false;
    memcpy(v, in->p, n * width);
    *in = str_make(in->p + n * width, in->n - n * width);
    return true;
}

int text_column_get_fixed(struct str *in, uint8_t *v, size_t width, size_t n, struct err *e)
{
    check(n <= COLUMN_ROWS_MAX && width > 0 && width <= TEXT_FIXED_MAX);
    if (n == 0) return OK;
    struct str rest = *in;
    if (!get_fixed(&rest, v, width, n))
        return err_set(e, ERR_CORRUPT, "column of %zu values of %zu bytes: damaged", n, width);
    *in = rest;
    return OK;
}

/* ---- presence ---- */

enum presence { NONE, ALL, BITMAP, RUNS_ABSENT, RUNS_PRESENT }; /* on disk: never renumber */

static bool bit_at(const uint64_t *bits, size_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

/* Where the run that begins at row i ends. */
static size_t run_end(const uint64_t *bits, size_t i, size_t n)
{
    const uint64_t flip = bit_at(bits, i) ? UINT64_MAX : 0; /* what differs becomes 1 */
    uint64_t word = (bits[i / 64] ^ flip) >> i % 64 << i % 64;
    for (i /= 64; word == 0; word = bits[i] ^ flip)
        if (++i * 64 >= n) return n;
    return MIN(i * 64 + (size_t)__builtin_ctzll(word), n);
}

static void bitmap_put(struct buf *out, const uint64_t *bits, size_t n)
{
    size_t bytes = (n + 7) / 8;
    buf_u8(out, BITMAP);
    char *to = buf_room(out, bytes);
    if (to == NULL) return;
    for (size_t i = 0; i < bytes; i++) to[i] = (char)(bits[i / 8] >> 8 * (i % 8));
    if (n % 8 != 0) to[bytes - 1] = (char)(to[bytes - 1] & ((1 << n % 8) - 1));
    buf_added(out, bytes);
}

void presence_put(struct buf *out, const uint64_t *bits, size_t n)
{
    check(n <= COLUMN_ROWS_MAX);
    if (n == 0) return;
    const size_t runs_max = n / 16 + 1; /* more are never smaller than a bitmap */
    uint32_t *more = mem_alloc(runs_max * sizeof *more);
    size_t runs = 0, i = 0;
    for (size_t end; i < n && runs < runs_max; i = end) {
        end = run_end(bits, i, n);
        more[runs++] = (uint32_t)(end - i - 1);
    }
    bool first = bit_at(bits, 0);
    size_t start = out->n;
    if (i == n) {
        buf_u8(out, runs == 1 ? (first ? ALL : NONE) : first ? RUNS_PRESENT : RUNS_ABSENT);
        if (runs > 1) runs_put(out, more, runs);
    }
    if (i < n || out->n - start > 1 + (n + 7) / 8) {
        if (!out->full) out->n = start;
        bitmap_put(out, bits, n);
    }
    mem_free(more);
}

static void set_range(uint64_t *bits, size_t from, size_t to)
{
    for (; from < to && from % 64 != 0; from++) bits[from / 64] |= (uint64_t)1 << from % 64;
    for (; from + 64 <= to; from += 64) bits[from / 64] = UINT64_MAX;
    for (; from < to; from++) bits[from / 64] |= (uint64_t)1 << from % 64;
}

static bool bitmap_get(struct str *in, uint64_t *bits, size_t n)
{
    size_t bytes = (n + 7) / 8;
    if (in->n < bytes) return false;
    for (size_t i = 0; i < bytes; i++) bits[i / 8] |= (uint64_t)(unsigned char)in->p[i] << 8 * (i % 8);
    *in = str_make(in->p + bytes, in->n - bytes);
    return n % 64 == 0 || bits[n / 64] >> n % 64 == 0;
}

static bool presence_runs_get(struct str *in, uint64_t *bits, size_t n, bool present)
{
    size_t runs, at = 0;
    if (!runs_count(in, n, &runs)) return false;
    uint32_t *more = runs_checked(in, runs, n);
    if (more == NULL) return false;
    for (size_t r = 0; r < runs; r++, present = !present) {
        if (present) set_range(bits, at, at + more[r] + 1);
        at += more[r] + 1;
    }
    mem_free(more);
    return true;
}

static bool presence_of(struct str *in, uint64_t *bits, size_t n)
{
    if (in->n < 1) return false;
    unsigned kind = (unsigned char)in->p[0];
    *in = str_make(in->p + 1, in->n - 1);
    switch (kind) {
    case NONE: return true;
    case ALL: set_range(bits, 0, n); return true;
    case BITMAP: return bitmap_get(in, bits, n);
    case RUNS_ABSENT:
    case RUNS_PRESENT: return presence_runs_get(in, bits, n, kind == RUNS_PRESENT);
    }
    return false;
}

int presence_get(struct str *in, uint64_t *bits, size_t n, struct err *e)
{
    check(n <= COLUMN_ROWS_MAX);
    if (n == 0) return OK;
    memset(bits, 0, (n + 63) / 64 * sizeof *bits);
    struct str rest = *in;
    if (!presence_of(&rest, bits, n)) return err_set(e, ERR_CORRUPT, "presence of %zu rows: damaged", n);
    *in = rest;
    return OK;
}
