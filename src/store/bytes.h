/* bytes.h - reading little-endian bytes that may be damaged: every step looks at the length first.
 *
 * Failure is sticky: after the first short read every call answers zero, so a decoder reads straight down and
 * looks at `failed` once. Any thread, no state but the struct. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

struct bytes {
    const unsigned char *p, *end;
    bool failed;
};

static inline struct bytes bytes_of(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    return (struct bytes){ p, p ? p + s.n : p, false };
}

static inline size_t bytes_left(const struct bytes *b)
{
    return (size_t)(b->end - b->p);
}

/* n bytes where they are, or an empty string. */
static inline struct str bytes_take(struct bytes *b, uint64_t n)
{
    if (b->failed || n > bytes_left(b)) {
        b->failed = true;
        b->p = b->end;
        return (struct str){ "", 0 };
    }
    struct str s = { (const char *)b->p, (size_t)n };
    b->p += n;
    return s;
}

static inline uint64_t bytes_fixed(struct bytes *b, size_t width)
{
    struct str s = bytes_take(b, width);
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) v |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
    return v;
}

static inline uint8_t bytes_u8(struct bytes *b)
{
    return (uint8_t)bytes_fixed(b, 1);
}
static inline uint32_t bytes_u32(struct bytes *b)
{
    return (uint32_t)bytes_fixed(b, 4);
}
static inline uint64_t bytes_u64(struct bytes *b)
{
    return bytes_fixed(b, 8);
}

static inline uint64_t bytes_varint(struct bytes *b)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && b->p < b->end; shift += 7) {
        unsigned char c = *b->p++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) return v;
    }
    b->failed = true;
    b->p = b->end;
    return 0;
}

/* varint n, then n bytes. */
static inline struct str bytes_str(struct bytes *b)
{
    uint64_t n = bytes_varint(b);
    return bytes_take(b, n);
}

static inline uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
