/* codec_bitpack.c - patched bit packing. Value i occupies bits [i * width, (i + 1) * width) of a
 * little-endian bit string.
 *
 * Always true:
 *   1. A value needs a patch exactly when it has more than `width` bits; patches come in rising
 *      position.
 *   2. Whoever decodes writes at most MINIBLOCK values, whatever the bytes say. */
#include "store/codec_bitpack.h"

#include <string.h>

#include "base/check.h"
#include "store/codec_vector.h"

#define PATCHED 0x80u

static inline unsigned bit_length(uint64_t v)
{
    return 63 - (unsigned)__builtin_clzll(v | 1) + (v != 0); /* no branch: zeros come at random */
}

static inline size_t packed_bytes(size_t n, unsigned width)
{
    return (n * width + 7) / 8;
}

/* ---- choosing ---- */

/* From the width that fits all downwards: each bit less saves n bits and costs the values that no
 * longer fit. */
struct bitpack_plan bitpack_plan(const uint64_t *v, size_t n)
{
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++) all |= v[i];
    const unsigned longest = bit_length(all);
    struct bitpack_plan best = { 8 + 8 * (uint32_t)packed_bytes(n, longest), (uint8_t)longest, 0 };
    if (longest <= 1) return best;

    uint8_t of_length[2][65] = { 0 }; /* two, so that equal lengths in a row do not wait for each other */
    for (size_t i = 0; i + 1 < n; i += 2) {
        of_length[0][bit_length(v[i])]++;
        of_length[1][bit_length(v[i + 1])]++;
    }
    if (n & 1) of_length[0][bit_length(v[n - 1])]++;
    const unsigned most = (unsigned)n / 4;
    for (unsigned width = longest, patches = 0; width-- > 0;) {
        patches += of_length[0][width + 1] + of_length[1][width + 1];
        if (patches > most) break;
        uint32_t high = (longest - width + 6) / 7;
        uint32_t bits = 16 + 8 * (uint32_t)packed_bytes(n, width) + patches * 8 * (1 + high);
        if (bits < best.bits) best = (struct bitpack_plan){ bits, (uint8_t)width, (uint8_t)patches };
    }
    return best;
}

/* ---- packing ---- */

static void store_u64(char *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, 8);
}

static uint64_t load_u64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* Writes whole words: up to 8 bytes more than packed_bytes. */
static void pack(char *to, const uint64_t *v, size_t n, unsigned width)
{
    const uint64_t mask = width == 64 ? UINT64_MAX : (1ull << width) - 1;
    uint64_t word = 0;
    unsigned fill = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t low = v[i] & mask;
        word |= low << fill;
        fill += width;
        if (fill >= 64) {
            store_u64(to, word);
            to += 8;
            fill -= 64;
            word = fill ? low >> (width - fill) : 0;
        }
    }
    store_u64(to, word);
}

void bitpack_put(struct buf *out, const uint64_t *v, size_t n, struct bitpack_plan plan)
{
    size_t body = packed_bytes(n, plan.width);
    char *to = buf_room(out, 1 + body + 8);
    if (to == NULL) return;
    to[0] = (char)(plan.width | (plan.patches ? PATCHED : 0));
    if (plan.width > 0) pack(to + 1, v, n, plan.width);
    buf_added(out, 1 + body);
    if (plan.patches == 0) return;

    buf_u8(out, plan.patches);
    for (size_t i = 0; i < n; i++)
        if (bit_length(v[i]) > plan.width) buf_u8(out, (uint8_t)i);
    for (size_t i = 0; i < n; i++)
        if (bit_length(v[i]) > plan.width) buf_varint(out, v[i] >> plan.width);
}

/* ---- unpacking ---- */

/* p has 16 readable bytes beyond the packed ones. Any width up to 57 lies within one unaligned
 * word. */
static void unpack_narrow(const char *p, uint64_t *v, size_t n, unsigned width)
{
    const uint64_t mask = (1ull << width) - 1;
    size_t done = vector_unpack(p, v, n, width);
    for (size_t i = done, bit = done * width; i < n; i++, bit += width)
        v[i] = load_u64(p + bit / 8) >> (bit & 7) & mask;
}

static void unpack_wide(const char *p, uint64_t *v, size_t n, unsigned width)
{
    const uint64_t mask = width == 64 ? UINT64_MAX : (1ull << width) - 1;
    for (size_t i = 0, bit = 0; i < n; i++, bit += width) {
        unsigned shift = bit & 7;
        uint64_t high = (uint64_t)(unsigned char)p[bit / 8 + 8] << 1 << (63 - shift);
        v[i] = (load_u64(p + bit / 8) >> shift | high) & mask;
    }
}

static void unpack(struct str body, uint64_t *v, size_t n, unsigned width, size_t readable)
{
    char copy[MINIBLOCK * 8 + 16];
    const char *p = body.p;
    if (readable < body.n + 16) { /* the last miniblock of a page: do not read past its end */
        memcpy(copy, body.p, body.n);
        memset(copy + body.n, 0, 16);
        p = copy;
    }
    if (width <= 57)
        unpack_narrow(p, v, n, width);
    else
        unpack_wide(p, v, n, width);
}

static bool patch(struct str *in, uint64_t *v, size_t n, unsigned width)
{
    if (in->n < 1) return false;
    size_t patches = (unsigned char)in->p[0];
    if (patches == 0 || patches > n || width == 64 || in->n < 1 + patches) return false;
    const unsigned char *at = (const unsigned char *)in->p + 1;
    *in = str_make(in->p + 1 + patches, in->n - 1 - patches);

    for (size_t i = 0; i < patches; i++) {
        uint64_t high;
        if (at[i] >= n || (i > 0 && at[i] <= at[i - 1]) || !varint_get(in, &high)) return false;
        if (high == 0 || bit_length(high) + width > 64) return false;
        v[at[i]] |= high << width;
    }
    return true;
}

bool bitpack_get(struct str *in, uint64_t *v, size_t n)
{
    check(n <= MINIBLOCK);
    if (in->n < 1) return false;
    unsigned width = (unsigned char)in->p[0] & ~PATCHED, patched = (unsigned char)in->p[0] & PATCHED;
    size_t body = packed_bytes(n, width);
    if (width > 64 || body > in->n - 1) return false;

    if (width == 0)
        memset(v, 0, n * sizeof v[0]);
    else
        unpack(str_make(in->p + 1, body), v, n, width, in->n - 1);
    *in = str_make(in->p + 1 + body, in->n - 1 - body);
    return patched ? patch(in, v, n, width) : true;
}

bool varint_get(struct str *in, uint64_t *v)
{
    uint64_t got = 0;
    for (unsigned i = 0; i < in->n && i < 10; i++) {
        uint64_t byte = (unsigned char)in->p[i];
        if (i == 9 && byte > 1) return false;
        got |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *v = got;
            *in = str_make(in->p + i + 1, in->n - i - 1);
            return true;
        }
    }
    return false;
}
