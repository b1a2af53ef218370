/* buf.h - bytes that grow, up to a ceiling.
 *
 * Past the ceiling nothing is added and `full` stays set: writers write on, and whoever asked for the bytes
 * looks at `full` once at the end. Offsets, not pointers, survive growth. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf {
    char *p; /* yours until buf_release; not terminated (see buf_cstr) */
    size_t n, cap, max;
    bool full;
};

#define BUF_INIT(max_bytes)                                                                                  \
    {                                                                                                        \
        NULL, 0, 0, (max_bytes), false                                                                       \
    }

void buf_release(struct buf *b); /* frees, and leaves an empty buf with the same ceiling */
void buf_clear(struct buf *b);   /* n = 0, memory kept */

/* Room for n more bytes at p + n, uncounted until buf_added. NULL when the ceiling forbids. */
char *buf_room(struct buf *b, size_t n);
static inline void buf_added(struct buf *b, size_t n)
{
    b->n += n;
}

void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_cs(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_i64(struct buf *b, int64_t v);
void buf_u64(struct buf *b, uint64_t v);

/* Little-endian fixed width, for files and wires. */
void buf_u8(struct buf *b, uint8_t v);
void buf_u16le(struct buf *b, uint16_t v);
void buf_u32le(struct buf *b, uint32_t v);
void buf_u64le(struct buf *b, uint64_t v);
void buf_varint(struct buf *b, uint64_t v); /* LEB128, as protobuf */

static inline struct str buf_view(const struct buf *b)
{
    return (struct str){ b->p, b->n };
}

const char *buf_cstr(struct buf *b); /* terminated view; borrowed until the next change */
