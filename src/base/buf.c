#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

void buf_release(struct buf *b)
{
    mem_free(b->p);
    *b = (struct buf)BUF_INIT(b->max);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->full = false;
}

static char *buf_grow(struct buf *b, size_t n)
{
    if (b->full || n > b->max || b->n > b->max - n) {
        b->full = true;
        return NULL;
    }
    size_t cap = b->cap ? b->cap : 64;
    while (cap < b->n + n) cap *= 2;
    b->cap = cap;
    b->p = mem_realloc(b->p, cap);
    return b->p + b->n;
}

char *buf_room(struct buf *b, size_t n)
{
    if (LIKELY(b->cap - b->n >= n && b->p != NULL && !b->full)) {
        if (LIKELY(b->n + n <= b->max)) return b->p + b->n;
    }
    return buf_grow(b, n);
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    char *to = buf_room(b, n);
    if (to == NULL || n == 0) return;
    memcpy(to, p, n);
    b->n += n;
}

void buf_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_cs(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    char *to = buf_room(b, 1);
    if (to == NULL) return;
    *to = c;
    b->n++;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    char small[256];
    int n = vsnprintf(small, sizeof small, fmt, ap);
    check(n >= 0);
    if ((size_t)n < sizeof small) {
        buf_add(b, small, (size_t)n);
    } else {
        /* Not in place: its terminator might not fit below the ceiling. */
        char *large = mem_alloc((size_t)n + 1);
        vsnprintf(large, (size_t)n + 1, fmt, again);
        buf_add(b, large, (size_t)n);
        mem_free(large);
    }
    va_end(again);
    va_end(ap);
}

void buf_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t i = sizeof digits;
    do digits[--i] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    buf_add(b, digits + i, sizeof digits - i);
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0) buf_char(b, '-');
    buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_u8(struct buf *b, uint8_t v)
{
    buf_add(b, &v, 1);
}

void buf_u16le(struct buf *b, uint16_t v)
{
    unsigned char x[2] = { (unsigned char)v, (unsigned char)(v >> 8) };
    buf_add(b, x, sizeof x);
}

void buf_u32le(struct buf *b, uint32_t v)
{
    unsigned char x[4];
    for (int i = 0; i < 4; i++) x[i] = (unsigned char)(v >> (8 * i));
    buf_add(b, x, sizeof x);
}

void buf_u64le(struct buf *b, uint64_t v)
{
    unsigned char x[8];
    for (int i = 0; i < 8; i++) x[i] = (unsigned char)(v >> (8 * i));
    buf_add(b, x, sizeof x);
}

void buf_varint(struct buf *b, uint64_t v)
{
    unsigned char x[10];
    size_t n = 0;
    while (v >= 0x80) {
        x[n++] = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    x[n++] = (unsigned char)v;
    buf_add(b, x, n);
}

const char *buf_cstr(struct buf *b)
{
    if (b->n == b->cap || b->p == NULL) {
        b->cap = b->cap ? b->cap + 1 : 64;
        b->p = mem_realloc(b->p, b->cap); /* one byte past max, for the terminator only */
    }
    b->p[b->n] = 0;
    return b->p;
}
