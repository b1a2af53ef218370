/* codec_shuffled.c - doubles that are no short decimals: XOR with the one before, bytes in planes.
 *
 *     | planes u8: bit b set when any value has a non-zero byte b | n bytes for each bit set |
 *
 * Neighbours share sign, exponent and leading digits, so the high planes are mostly zero and the
 * compressor above sees runs; the low planes are noise and cost what they are. */
#include <string.h>

#include "store/codec_doubles.h"

void shuffled_put(struct buf *out, const double *v, size_t n)
{
    uint64_t any = 0, last = 0, bits;
    for (size_t i = 0; i < n; i++, last = bits) {
        memcpy(&bits, &v[i], 8);
        any |= bits ^ last;
    }
    uint8_t planes = 0;
    for (int b = 0; b < 8; b++) planes |= (uint8_t)((any >> (8 * b) & 255 ? 1 : 0) << b);
    buf_u8(out, planes);

    for (int b = 0; b < 8; b++) {
        if (!(planes >> b & 1)) continue;
        char *to = buf_room(out, n);
        if (to == NULL) return;
        last = 0;
        for (size_t i = 0; i < n; i++, last = bits) {
            memcpy(&bits, &v[i], 8);
            to[i] = (char)((bits ^ last) >> (8 * b));
        }
        buf_added(out, n);
    }
}

bool shuffled_get(struct str *in, double *v, size_t n)
{
    if (in->n < 1) return false;
    unsigned planes = (unsigned char)in->p[0];
    if ((size_t)__builtin_popcount(planes) * n > in->n - 1) return false;
    const unsigned char *at = (const unsigned char *)in->p + 1;

    memset(v, 0, n * sizeof v[0]);
    for (int b = 0; b < 8; b++) {
        if (!(planes >> b & 1)) continue;
        for (size_t i = 0; i < n; i++) {
            uint64_t x;
            memcpy(&x, &v[i], 8);
            x |= (uint64_t)at[i] << (8 * b);
            memcpy(&v[i], &x, 8);
        }
        at += n;
    }
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t x;
        memcpy(&x, &v[i], 8);
        last ^= x;
        memcpy(&v[i], &last, 8);
    }
    size_t used = (size_t)(at - (const unsigned char *)in->p);
    *in = str_make(in->p + used, in->n - used);
    return true;
}
