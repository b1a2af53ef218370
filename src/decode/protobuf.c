#include "decode/protobuf.h"

void pb_note(struct pb *r, const char *why)
{
    if (r->why == NULL) {
        r->why = why;
        r->why_at = r->p;
    }
    r->p = r->end;
}

int pb_error(const struct pb *r, struct err *e)
{
    if (r->why == NULL) return OK;
    return err_set(e, ERR_PARSE, "byte %zu: %s", (size_t)(r->why_at - r->begin), r->why);
}

bool pb_varint_long(struct pb *r, uint64_t *out)
{
    uint64_t v = 0;
    const uint8_t *p = r->p;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (p == r->end) return pb_fail(r, "number cut off");
        uint8_t c = *p++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            if (shift == 63 && c > 1) break; /* a 65th bit */
            r->p = p;
            *out = v;
            return true;
        }
    }
    return pb_fail(r, "number longer than 64 bits");
}

size_t pb_count_varints(struct str packed)
{
    size_t n = 0;
    for (size_t i = 0; i < packed.n; i++) n += !((uint8_t)packed.p[i] & 0x80);
    return n;
}

void pb_put_varint(struct buf *b, uint32_t no, uint64_t v)
{
    buf_varint(b, PB_VARINT(no));
    buf_varint(b, v);
}

void pb_put_sint(struct buf *b, uint32_t no, int64_t v)
{
    pb_put_varint(b, no, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

void pb_put_double(struct buf *b, uint32_t no, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    pb_put_i64(b, no, bits);
}

void pb_put_i64(struct buf *b, uint32_t no, uint64_t v)
{
    buf_varint(b, PB_I64(no));
    buf_u64le(b, v);
}

void pb_put_i32(struct buf *b, uint32_t no, uint32_t v)
{
    buf_varint(b, PB_I32(no));
    buf_u32le(b, v);
}

void pb_put_bytes(struct buf *b, uint32_t no, struct str bytes)
{
    buf_varint(b, PB_LEN(no));
    buf_varint(b, bytes.n);
    buf_str(b, bytes);
}

size_t pb_put_begin(struct buf *b, uint32_t no)
{
    buf_varint(b, PB_LEN(no));
    buf_u8(b, 0);
    return b->n;
}

void pb_put_end(struct buf *b, size_t begin)
{
    if (b->full) return; /* nobody will look at these bytes */

    size_t n = b->n - begin, width = 1;
    for (size_t v = n; v >= 0x80; v >>= 7) width++;
    if (width > 1) {
        if (buf_room(b, width - 1) == NULL) return;
        memmove(b->p + begin + width - 1, b->p + begin, n);
        buf_added(b, width - 1);
    }
    uint8_t *at = (uint8_t *)b->p + begin - 1;
    for (; n >= 0x80; n >>= 7) *at++ = (uint8_t)(n | 0x80);
    *at = (uint8_t)n;
}
