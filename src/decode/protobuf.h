/* protobuf.h - reading protobuf's wire form in place, and writing it.
 *
 * The reader is a cursor over borrowed bytes: nothing is copied, nothing allocated. A message is read field
 * by field:
 *
 *     struct pb r = pb_open(body);
 *     struct pb_field f;
 *     while (pb_next(&r, &f)) {
 *         switch (f.tag) {
 *         case PB_LEN(1): name = f.bytes; break;
 *         case PB_VARINT(2): when = (int64_t)f.u; break;
 *         default: pb_other(&r, &f, PB_KNOWN(1) | PB_KNOWN(2));
 *         }
 *     }
 *     if (r.why) return pb_error(&r, e);     // ERR_PARSE, "byte 17: ..."
 *
 * Errors are sticky: the first one is kept with its place and ends every loop. Places are counted from the
 * start of the outermost message, whatever the nesting. Refused: varints beyond 64 bits, field number 0,
 * groups, lengths that pass the end, and nesting deeper than PB_DEPTH_MAX. Padded varints are legal protobuf
 * and are read. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/str.h"

#define PB_DEPTH_MAX 64

enum pb_wire { PB_WIRE_VARINT = 0, PB_WIRE_I64 = 1, PB_WIRE_LEN = 2, PB_WIRE_I32 = 5 };

/* Tags for `case`: field number and wire type in one. */
#define PB_VARINT(no) ((uint32_t)(no) << 3 | PB_WIRE_VARINT)
#define PB_I64(no)    ((uint32_t)(no) << 3 | PB_WIRE_I64)
#define PB_LEN(no)    ((uint32_t)(no) << 3 | PB_WIRE_LEN)
#define PB_I32(no)    ((uint32_t)(no) << 3 | PB_WIRE_I32)
#define PB_KNOWN(no)  ((uint64_t)1 << (no)) /* no < 64 */

struct pb {
    const uint8_t *p, *end;
    const uint8_t *begin; /* of the outermost message: places in errors count from here */
    const char *why;      /* NULL while all is well */
    const uint8_t *why_at;
    int depth;
};

struct pb_field {
    uint32_t tag;
    uint64_t u;       /* VARINT, I64, I32 */
    struct str bytes; /* LEN */
};

static inline struct pb pb_open(struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    return (struct pb){ p, p + bytes.n, p, NULL, NULL, 0 };
}

void pb_note(struct pb *, const char *why);
/* An objection, the decoder's own too, at the cursor. Always false. */
static inline bool pb_fail(struct pb *r, const char *why)
{
    pb_note(r, why);
    return false;
}
/* ERR_PARSE and "byte N: why"; OK when nothing went wrong. */
int pb_error(const struct pb *, struct err *);

/* A message inside: same counting of places, one level deeper. Too deep: the reader it gives has failed
 * already. */
static inline struct pb pb_sub(const struct pb *r, struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    struct pb sub = { p, p + bytes.n, r->begin, NULL, NULL, r->depth + 1 };
    if (UNLIKELY(sub.depth > PB_DEPTH_MAX)) pb_fail(&sub, "messages nested too deeply");
    return sub;
}

/* Take over the first error of a message inside; false when there is one. */
static inline bool pb_join(struct pb *r, const struct pb *sub)
{
    if (LIKELY(sub->why == NULL)) return true;
    if (r->why == NULL) {
        r->why = sub->why;
        r->why_at = sub->why_at;
    }
    r->p = r->end;
    return false;
}

static inline bool pb_more(const struct pb *r)
{
    return r->p < r->end;
}

bool pb_varint_long(struct pb *, uint64_t *out);

static inline bool pb_varint(struct pb *r, uint64_t *out)
{
    if (LIKELY(r->p < r->end && *r->p < 0x80)) {
        *out = *r->p++;
        return true;
    }
    return pb_varint_long(r, out);
}

static inline bool pb_i64(struct pb *r, uint64_t *out)
{
    if (UNLIKELY(r->end - r->p < 8)) return pb_fail(r, "8 bytes wanted, message ends");
    memcpy(out, r->p, 8); /* little-endian hosts only, as all that we build for */
    r->p += 8;
    return true;
}

static inline bool pb_i32(struct pb *r, uint32_t *out)
{
    if (UNLIKELY(r->end - r->p < 4)) return pb_fail(r, "4 bytes wanted, message ends");
    memcpy(out, r->p, 4);
    r->p += 4;
    return true;
}

static inline bool pb_bytes(struct pb *r, struct str *out)
{
    uint64_t n;
    if (UNLIKELY(!pb_varint(r, &n))) return false;
    if (UNLIKELY(n > (uint64_t)(r->end - r->p))) return pb_fail(r, "length passes the end of the message");
    *out = (struct str){ (const char *)r->p, (size_t)n };
    r->p += n;
    return true;
}

/* The next field with its value; false at the end and after an error. */
static inline bool pb_next(struct pb *r, struct pb_field *f)
{
    uint64_t tag;
    uint32_t u32;
    if (r->p >= r->end) return false;
    if (UNLIKELY(!pb_varint(r, &tag))) return false;
    if (UNLIKELY(tag > UINT32_MAX || tag < 8)) return pb_fail(r, "no such field number");
    f->tag = (uint32_t)tag;
    switch (tag & 7) {
    case PB_WIRE_LEN: return pb_bytes(r, &f->bytes);
    case PB_WIRE_VARINT: return pb_varint(r, &f->u);
    case PB_WIRE_I64: return pb_i64(r, &f->u);
    case PB_WIRE_I32:
        if (UNLIKELY(!pb_i32(r, &u32))) return false;
        f->u = u32;
        return true;
    default: return pb_fail(r, "group or unknown wire type");
    }
}

/* A field no case took: unknown ones are skipped, a known one has the wrong wire type. */
static inline void pb_other(struct pb *r, const struct pb_field *f, uint64_t known)
{
    uint32_t no = f->tag >> 3;
    if (no < 64 && (known >> no & 1)) pb_fail(r, "field has the wrong wire type");
}

static inline uint32_t pb_no(const struct pb_field *f)
{
    return f->tag >> 3;
}
static inline double pb_double(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, 8);
    return v;
}
static inline int64_t pb_zigzag(uint64_t u)
{
    return (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
}

/* How many varints a packed field holds, at most n bytes' worth; its readers then take pb_sub and pb_varint.
 */
size_t pb_count_varints(struct str packed);

/* ---- writing ----
 * Values of zero are written too: leaving them out is the caller's choice. A message inside is written after
 * pb_put_begin, which leaves one byte for its length; pb_put_end widens it when the message turned out
 * longer. */
void pb_put_varint(struct buf *, uint32_t no, uint64_t v);
void pb_put_sint(struct buf *, uint32_t no, int64_t v); /* zigzag */
void pb_put_double(struct buf *, uint32_t no, double v);
void pb_put_i64(struct buf *, uint32_t no, uint64_t v);
void pb_put_i32(struct buf *, uint32_t no, uint32_t v);
void pb_put_bytes(struct buf *, uint32_t no, struct str bytes);
size_t pb_put_begin(struct buf *, uint32_t no); /* where the message starts; for pb_put_end */
void pb_put_end(struct buf *, size_t begin);
