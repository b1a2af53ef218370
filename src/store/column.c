/* column.c - which codec a column gets; the codecs themselves are codec_*.c.
 *
 *     doubles:  | kind u2, exponent u4 << 2 | the codec's bytes |      kinds below
 *     ints:     codec_ints.c, as it is
 *     times:    the same; its GRID and DELTA2 modes are there for them
 *
 * Constant doubles that are short decimals go through the integer codec's constant (3 bytes for 0
 * or 1); the rest, NaNs and all, are one u64 of bits. Empty columns take no bytes. */
#include "store/column.h"

#include <string.h>

#include "base/check.h"
#include "store/codec_doubles.h"
#include "store/codec_ints.h"

enum kind { SAME, DECIMAL, DECIMAL_PATCHED, SHUFFLED }; /* on disk: never renumber */

/* ---- integers and times ---- */

void column_put_ints(struct buf *out, const int64_t *v, size_t n)
{
    check(n <= COLUMN_ROWS_MAX);
    if (n > 0) ints_put(out, v, n, INTS_VALUES);
}

void column_put_times(struct buf *out, const int64_t *v, size_t n)
{
    check(n <= COLUMN_ROWS_MAX);
    if (n > 0) ints_put(out, v, n, INTS_TIMES);
}

int column_get_ints(struct str *in, int64_t *v, size_t n, struct err *e)
{
    check(n <= COLUMN_ROWS_MAX);
    if (n == 0) return OK;
    struct ints_reader r;
    bool ok = ints_open(&r, *in, n);
    for (size_t at = 0, m; ok && at < n; at += m) {
        m = ints_next(&r, v + at);
        ok = m > 0;
    }
    if (!ok) return err_set(e, ERR_CORRUPT, "column of %zu integers: damaged", n);
    *in = r.in;
    return OK;
}

int column_get_times(struct str *in, int64_t *v, size_t n, struct err *e)
{
    return column_get_ints(in, v, n, e);
}

/* ---- doubles ---- */

static bool same_bits(const double *v, size_t n)
{
    uint64_t first, other, differs = 0;
    memcpy(&first, &v[0], 8);
    for (size_t i = 1; i < n; i++) {
        memcpy(&other, &v[i], 8);
        differs |= first ^ other;
    }
    return differs == 0;
}

void column_put_doubles(struct buf *out, const double *v, size_t n)
{
    check(n <= COLUMN_ROWS_MAX);
    if (n == 0) return;
    bool same = same_bits(v, n);
    struct decimal d = decimal_fit(v, same ? 1 : n);
    if (d.e >= 0) {
        buf_u8(out, (uint8_t)((d.exceptions ? DECIMAL_PATCHED : DECIMAL) | d.e << 2));
        decimal_put(out, v, n, d);
    } else if (same) {
        uint64_t bits;
        memcpy(&bits, &v[0], 8);
        buf_u8(out, SAME);
        buf_u64le(out, bits);
    } else {
        buf_u8(out, SHUFFLED);
        shuffled_put(out, v, n);
    }
}

static bool same_get(struct str *in, double *v, size_t n)
{
    if (in->n < 8) return false;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits |= (uint64_t)(unsigned char)in->p[i] << (8 * i);
    for (size_t i = 0; i < n; i++) memcpy(&v[i], &bits, 8);
    *in = str_make(in->p + 8, in->n - 8);
    return true;
}

static bool doubles_get(struct str *in, double *v, size_t n)
{
    if (in->n < 1) return false;
    unsigned head = (unsigned char)in->p[0];
    enum kind kind = head & 3;
    int e = (int)(head >> 2);
    *in = str_make(in->p + 1, in->n - 1);
    switch (kind) {
    case SAME: return e == 0 && same_get(in, v, n);
    case DECIMAL: return decimal_get(in, v, n, e, false);
    case DECIMAL_PATCHED: return decimal_get(in, v, n, e, true);
    case SHUFFLED: return e == 0 && shuffled_get(in, v, n);
    }
    return false;
}

int column_get_doubles(struct str *in, double *v, size_t n, struct err *e)
{
    check(n <= COLUMN_ROWS_MAX);
    if (n == 0) return OK;
    struct str rest = *in;
    if (!doubles_get(&rest, v, n)) return err_set(e, ERR_CORRUPT, "column of %zu doubles: damaged", n);
    *in = rest;
    return OK;
}
