/* codec_ints.c - predict the next integer, pack what the prediction misses.
 *
 *     | mode u3, shifted u1 | shift u8 when shifted | first zigzag varint | mode's own | miniblocks |
 *
 * The column is seen as first + (k << shift): when all values agree in their low bits (memory in
 * KiB, times in whole seconds), those bits are not stored. k starts at 0 and what is packed is, by
 * mode:
 *
 *     CONST    nothing
 *     NEAR     k - base         base = smallest of the miniblock, before it as zigzag of its delta
 *     DELTA    zigzag of k's step
 *     CLIMB    k's step - base  likewise; for counters, whose steps are alike and never negative
 *     DELTA2   zigzag of the step of k's step; the first step as a zigzag varint
 *     GRID     zigzag of k - row * step; step as a zigzag varint: times around ideal instants
 *
 * Always true:
 *   1. All arithmetic is modulo 2^64: any sequence survives, whatever is chosen; the choice only
 *      costs bytes.
 *   2. Row 0 is `first`; packed are rows 1.. (DELTA2: 2..), in miniblocks of MINIBLOCK. */
#include "store/codec_ints.h"

#include "base/check.h"
#include "store/codec_vector.h"

enum mode { CONST, NEAR, DELTA, CLIMB, DELTA2, GRID, MODES };
#define SHIFTED 8u

/* What the predictor knows between two miniblocks. */
struct state {
    enum mode mode;
    unsigned shift;
    uint64_t first, row;
    uint64_t value, delta; /* the last k, its last step (DELTA2) or the grid's step */
};

static uint64_t k_of(const struct state *s, int64_t v)
{
    return (uint64_t)((int64_t)((uint64_t)v - s->first) >> s->shift);
}

/* ---- what a prediction misses ---- */

static uint64_t subtract_smallest(uint64_t *out, size_t n)
{
    int64_t least = (int64_t)out[0];
    for (size_t i = 1; i < n; i++) least = MIN(least, (int64_t)out[i]);
    for (size_t i = 0; i < n; i++) out[i] -= (uint64_t)least;
    return (uint64_t)least;
}

static void steps(struct state *s, const int64_t *v, size_t n, uint64_t *out)
{
    uint64_t value = s->value;
    for (size_t i = 0; i < n; i++) {
        uint64_t k = k_of(s, v[i]);
        out[i] = k - value;
        value = k;
    }
    s->value = value;
}

/* Residuals of the next n <= MINIBLOCK values; the state moves on. Returns the base of NEAR and
 * CLIMB. */
static uint64_t residuals(struct state *s, const int64_t *v, size_t n, uint64_t *out)
{
    switch (s->mode) {
    case NEAR:
        for (size_t i = 0; i < n; i++) out[i] = k_of(s, v[i]);
        return subtract_smallest(out, n);
    case DELTA:
        steps(s, v, n, out);
        for (size_t i = 0; i < n; i++) out[i] = zigzag(out[i]);
        return 0;
    case CLIMB: steps(s, v, n, out); return subtract_smallest(out, n);
    case DELTA2:
        steps(s, v, n, out);
        for (size_t i = 0; i < n; i++) {
            uint64_t step = out[i];
            out[i] = zigzag(step - s->delta);
            s->delta = step;
        }
        return 0;
    case GRID:
        for (size_t i = 0; i < n; i++) out[i] = zigzag(k_of(s, v[i]) - s->row++ * s->delta);
        return 0;
    default: return 0;
    }
}

/* ---- choosing ---- */

static bool all_equal(const int64_t *v, size_t n)
{
    uint64_t differs = 0;
    for (size_t i = 1; i < n; i++) differs |= (uint64_t)v[i] ^ (uint64_t)v[0];
    return differs == 0;
}

static unsigned common_shift(const int64_t *v, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 1; i < n; i++) any |= (uint64_t)v[i] - (uint64_t)v[0];
    return any ? (unsigned)__builtin_ctzll(any) : 0;
}

static struct state start(enum mode mode, unsigned shift, const int64_t *v, size_t n)
{
    struct state s = { .mode = mode, .shift = shift, .first = (uint64_t)v[0], .row = 1 };
    if (mode == DELTA2) s.delta = s.value = k_of(&s, v[1]);
    if (mode == GRID) s.delta = (k_of(&s, v[n - 1]) + (n - 1) / 2) / (n - 1); /* the mean step, rounded */
    return s;
}

static size_t first_row(enum mode mode)
{
    return mode == DELTA2 ? 2 : 1;
}

/* Bits of LEB128 for the zigzag of v. */
static uint64_t varint_bits(uint64_t v)
{
    return (70 - (uint64_t)__builtin_clzll(zigzag(v) | 1)) / 7 * 8;
}

static uint64_t cost(struct state s, const int64_t *v, size_t n)
{
    uint64_t bits = 0, out[MINIBLOCK], base = 0;
    for (size_t i = first_row(s.mode); i < n; i += MINIBLOCK) {
        size_t m = MIN(n - i, (size_t)MINIBLOCK);
        uint64_t next = residuals(&s, v + i, m, out);
        if (s.mode == NEAR || s.mode == CLIMB) bits += varint_bits(next - base);
        base = next;
        bits += bitpack_plan(out, m).bits;
    }
    return bits;
}

/* What is worth trying beside DELTA. Measured on node_exporter and token counters: CLIMB saves
 * most, GRID only on times. */
static const enum mode for_values[] = { NEAR, CLIMB, DELTA2 }, for_times[] = { GRID, CLIMB, DELTA2 };

static struct state choose(const int64_t *v, size_t n, const enum mode others[3])
{
    if (all_equal(v, n)) return start(CONST, 0, v, n);
    unsigned shift = common_shift(v, n);
    struct state best = start(DELTA, shift, v, n);
    uint64_t least = cost(best, v, n);
    for (size_t i = 0; i < 3 && n > 2; i++) {
        struct state s = start(others[i], shift, v, n);
        uint64_t bits = cost(s, v, n);
        if (bits < least) {
            least = bits;
            best = s;
        }
    }
    return best;
}

/* ---- writing ---- */

void ints_put(struct buf *out, const int64_t *v, size_t n, enum ints_use use)
{
    check(n > 0);
    struct state s = choose(v, n, use == INTS_TIMES ? for_times : for_values);
    buf_u8(out, (uint8_t)(s.mode | (s.shift ? SHIFTED : 0)));
    if (s.shift) buf_u8(out, (uint8_t)s.shift);
    buf_varint(out, zigzag(s.first));
    if (s.mode == CONST) return;
    if (s.mode == DELTA2 || s.mode == GRID) buf_varint(out, zigzag(s.delta));

    uint64_t miss[MINIBLOCK], base = 0;
    for (size_t i = first_row(s.mode); i < n; i += MINIBLOCK) {
        size_t m = MIN(n - i, (size_t)MINIBLOCK);
        uint64_t next = residuals(&s, v + i, m, miss);
        if (s.mode == NEAR || s.mode == CLIMB) buf_varint(out, zigzag(next - base));
        base = next;
        bitpack_put(out, miss, m, bitpack_plan(miss, m));
    }
}

/* ---- reading ---- */

bool ints_open(struct ints_reader *r, struct str in, size_t n)
{
    check(n > 0);
    *r = (struct ints_reader){ .in = in, .left = n, .row = 0 };
    if (in.n < 1) return false;
    unsigned head = (unsigned char)in.p[0];
    r->mode = head & 7;
    r->in = str_make(in.p + 1, in.n - 1);
    if (r->mode >= MODES || head > 15) return false;
    if (head & SHIFTED) {
        if (r->in.n < 1) return false;
        r->shift = (uint8_t)r->in.p[0];
        r->in = str_make(r->in.p + 1, r->in.n - 1);
        if (r->shift == 0 || r->shift > 63) return false;
    }
    if (!varint_get(&r->in, &r->first)) return false;
    r->first = unzigzag(r->first);
    if (r->mode == DELTA2 || r->mode == GRID) {
        if (!varint_get(&r->in, &r->delta)) return false;
        r->delta = unzigzag(r->delta);
    }
    return true;
}

/* Row 0 (DELTA2: rows 0 and 1), which no miniblock holds; CONST: as many as fit. */
static size_t next_unpacked(struct ints_reader *r, int64_t *v)
{
    size_t n =
        r->mode == CONST ? MIN(r->left, (size_t)MINIBLOCK) : MIN(r->left, first_row((enum mode)r->mode));
    for (size_t i = 0; i < n; i++) v[i] = (int64_t)r->first;
    if (n > 1 && r->mode == DELTA2) {
        r->value = r->delta;
        v[1] = (int64_t)(r->first + (r->delta << r->shift));
    }
    r->row += n;
    r->left -= n;
    return n;
}

/* DELTA and CLIMB, as far as vectors go: how many values are done. */
static size_t restore_sums(struct ints_reader *r, uint64_t *u, size_t n)
{
    bool is_delta = r->mode == DELTA;
    if (!is_delta && r->mode != CLIMB) return 0;
    struct vector_sum s = { r->first, is_delta ? 0 : r->base, r->value, r->shift, is_delta };
    size_t done = vector_sums(u, n, &s);
    if (done > 0) r->value = s.value;
    return done;
}

static void restore(struct ints_reader *r, uint64_t *u, size_t n)
{
    const uint64_t first = r->first, base = r->base;
    const unsigned shift = r->shift;
    size_t done = restore_sums(r, u, n);
    uint64_t value = r->value, delta = r->delta;
    switch ((enum mode)r->mode) {
    case NEAR:
        for (size_t i = 0; i < n; i++) u[i] = first + ((u[i] + base) << shift);
        return;
    case DELTA:
        for (size_t i = done; i < n; i++) u[i] = first + ((value += unzigzag(u[i])) << shift);
        break;
    case CLIMB:
        for (size_t i = done; i < n; i++) u[i] = first + ((value += u[i] + base) << shift);
        break;
    case DELTA2:
        for (size_t i = 0; i < n; i++) u[i] = first + ((value += delta += unzigzag(u[i])) << shift);
        break;
    case GRID:
        for (size_t i = 0; i < n; i++) u[i] = first + ((unzigzag(u[i]) + (r->row + i) * delta) << shift);
        return;
    default: return;
    }
    r->value = value;
    r->delta = delta;
}

size_t ints_next(struct ints_reader *r, int64_t *v)
{
    if (r->left == 0) return 0;
    if (r->row == 0 || r->mode == CONST) return next_unpacked(r, v);

    size_t n = MIN(r->left, (size_t)MINIBLOCK);
    if (r->mode == NEAR || r->mode == CLIMB) {
        uint64_t z;
        if (!varint_get(&r->in, &z)) return 0;
        r->base += unzigzag(z);
    }
    uint64_t *u = (uint64_t *)v; /* the same width, and may alias */
    if (!bitpack_get(&r->in, u, n)) return 0;
    restore(r, u, n);
    r->row += n;
    r->left -= n;
    return n;
}
