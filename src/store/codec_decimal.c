/* codec_decimal.c - most measured numbers were short decimals once; find the integers they came
 * from.
 *
 *     | ints column of i | exceptions only: count, gaps between their rows: varints, their bits u64 |
 *
 * A double written as decimal text of up to 15 digits is i / 10^e correctly rounded, because |i| <
 * 2^53 and 10^e, e <= 22, are both exact doubles and IEEE division rounds once. So division
 * restores it to the bit, and fitting is checked by doing exactly that. Multiplying by 10^-e would
 * not be exact. */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/codec_doubles.h"
#include "store/codec_ints.h"
#include "store/codec_vector.h"

static const double power10[DECIMAL_E_MAX + 1] = { 1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14 };

static uint64_t bits_of(double v)
{
    uint64_t b;
    memcpy(&b, &v, 8);
    return b;
}

/* i with i / scale == v to the bit; false when there is none. *i is set in either case. */
static inline bool fits(double v, double scale, int64_t *i)
{
    /* Adding 1.5 * 2^52 leaves the nearest integer in the low bits of the mantissa: rounding without a
     * branch. From 2^51 on the sum would overflow them; such values are whole already, or too large. */
    const double magic = 0x1.8p52, wide = v * scale;
    if (LIKELY(fabs(wide) < 0x1p51))
        *i = (int64_t)(bits_of(wide + magic) - bits_of(magic));
    else
        *i = fabs(wide) < 0x1p62 ? (int64_t)wide : 0; /* NaN and infinities: 0, which fails below */
    return bits_of((double)*i / scale) == bits_of(v);
}

/* ---- choosing ---- */

/* How many of n do not fit e; gives up beyond `most`, having noted the first few in `bad`. */
static size_t misfits(const double *v, size_t n, int e, size_t most, size_t *bad, size_t bad_max)
{
    size_t count = 0;
    int64_t i;
    for (size_t at = 0; at < n && count <= most; at++) {
        if (fits(v[at], power10[e], &i)) continue;
        if (count < bad_max) bad[count] = at;
        count++;
    }
    return count;
}

static bool all_still_bad(const double *v, const size_t *bad, size_t n, int e)
{
    int64_t i;
    for (size_t k = 0; k < n; k++)
        if (fits(v[bad[k]], power10[e], &i)) return false;
    return n > 0;
}

/* The smallest exponent that fits all but a twentieth; a larger one only if it saves more in
 * exceptions (72 bits each) than its digits cost (3.32 bits a value and step). Values that beat one
 * exponent are tried first on the next. */
struct decimal decimal_fit(const double *v, size_t n)
{
    struct decimal best = { -1, 0 };
    size_t bad[64], n_bad = 0;
    const size_t most = n / 20;
    for (int e = 0; e <= DECIMAL_E_MAX; e++) {
        if (all_still_bad(v, bad, n_bad, e) && n_bad > most) continue;
        size_t count = misfits(v, n, e, most, bad, COUNT(bad));
        n_bad = MIN(count, COUNT(bad));
        if (count > most) continue;
        if (best.e < 0 || ((double)best.exceptions - (double)count) * 72 > 3.33 * (double)n * (e - best.e))
            best = (struct decimal){ e, count };
        if (count == 0 || best.exceptions * 72 <= n * 3) break;
    }
    return best;
}

/* ---- writing ---- */

/* Exceptions take the integer before them (the first fitting one for those at the start), so that
 * they cost no bits. */
static void scale(const double *v, size_t n, double by, int64_t *out)
{
    int64_t last = 0;
    for (size_t i = 0; i < n && !fits(v[i], by, &last); i++) last = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t whole;
        if (fits(v[i], by, &whole)) last = whole;
        out[i] = last;
    }
}

static void put_exceptions(struct buf *out, const double *v, size_t n, struct decimal d)
{
    int64_t i;
    buf_varint(out, d.exceptions);
    for (size_t at = 0, next = 0; at < n; at++) {
        if (fits(v[at], power10[d.e], &i)) continue;
        buf_varint(out, at - next);
        next = at + 1;
    }
    for (size_t at = 0; at < n; at++)
        if (!fits(v[at], power10[d.e], &i)) buf_u64le(out, bits_of(v[at]));
}

void decimal_put(struct buf *out, const double *v, size_t n, struct decimal d)
{
    check(d.e >= 0 && n > 0);
    int64_t small[1024], *whole = n <= COUNT(small) ? small : mem_array(n, sizeof *whole);
    scale(v, n, power10[d.e], whole);
    ints_put(out, whole, n, INTS_VALUES);
    if (d.exceptions > 0) put_exceptions(out, v, n, d);
    if (whole != small) mem_free(whole);
}

/* ---- reading ---- */

static bool get_exceptions(struct str *in, double *v, size_t n)
{
    uint64_t count;
    if (!varint_get(in, &count) || count == 0 || count > n) return false;
    struct str rows = *in;
    uint64_t skip;
    for (uint64_t k = 0; k < count; k++)
        if (!varint_get(in, &skip)) return false;
    if (in->n < count * 8) return false;

    for (uint64_t k = 0, at = 0; k < count; k++, at++) {
        varint_get(&rows, &skip);
        if (skip >= n || at + skip >= n) return false;
        at += skip;
        uint64_t b = 0;
        for (int byte = 0; byte < 8; byte++)
            b |= (uint64_t)(unsigned char)in->p[k * 8 + (uint64_t)byte] << (8 * byte);
        memcpy(&v[at], &b, 8);
    }
    *in = str_make(in->p + count * 8, in->n - count * 8);
    return true;
}

bool decimal_get(struct str *in, double *v, size_t n, int e, bool has_exceptions)
{
    if (e < 0 || e > DECIMAL_E_MAX) return false;
    struct ints_reader r;
    if (!ints_open(&r, *in, n)) return false;

    const double by = power10[e];
    int64_t whole[MINIBLOCK];
    for (size_t at = 0; at < n;) {
        size_t m = ints_next(&r, whole);
        if (m == 0) return false;
        for (size_t i = vector_divide(whole, v + at, m, by); i < m; i++) v[at + i] = (double)whole[i] / by;
        at += m;
    }
    *in = r.in;
    return has_exceptions ? get_exceptions(in, v, n) : true;
}
