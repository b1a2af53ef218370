#include "decode/thrift.h"

#include <endian.h>

#include "base/check.h"

struct thrift thrift_open(struct str bytes, bool compact)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    return (struct thrift){ .p = p, .end = p + bytes.n, .begin = p, .compact = compact };
}

bool thrift_fail(struct thrift *t, const char *why)
{
    if (t->why == NULL) {
        t->why = why;
        t->why_at = t->p;
    }
    t->p = t->end;
    return false;
}

int thrift_error(const struct thrift *t, struct err *e)
{
    if (t->why == NULL) return OK;
    return err_set(e, ERR_PARSE, "byte %zu: %s", (size_t)(t->why_at - t->begin), t->why);
}

static bool take(struct thrift *t, void *out, size_t n)
{
    if (t->why != NULL) return false;
    if ((size_t)(t->end - t->p) < n) return thrift_fail(t, "the message ends too early");
    memcpy(out, t->p, n);
    t->p += n;
    return true;
}

static bool varint(struct thrift *t, uint64_t *out)
{
    uint8_t c;
    *out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (!take(t, &c, 1)) return false;
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) return true;
    }
    return thrift_fail(t, "number longer than 64 bits");
}

static bool zigzag(struct thrift *t, int64_t *out)
{
    uint64_t u;
    if (!varint(t, &u)) return false;
    *out = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
    return true;
}

/* ---- structs ---- */

bool thrift_struct(struct thrift *t)
{
    if (t->depth == THRIFT_DEPTH_MAX) return thrift_fail(t, "nested too deeply");
    t->last[t->depth++] = 0;
    return t->why == NULL;
}

static enum thrift_type compact_type(struct thrift *t, uint8_t code)
{
    static const uint8_t types[] = { THRIFT_STOP, THRIFT_BOOL, THRIFT_BOOL,   THRIFT_BYTE,   THRIFT_I16,
                                     THRIFT_I32,  THRIFT_I64,  THRIFT_DOUBLE, THRIFT_STRING, THRIFT_LIST,
                                     THRIFT_SET,  THRIFT_MAP,  THRIFT_STRUCT };
    if (code < COUNT(types)) return (enum thrift_type)types[code];
    thrift_fail(t, "no such type");
    return THRIFT_STOP;
}

static bool compact_field(struct thrift *t, uint8_t head, struct thrift_field *f)
{
    int16_t *last = &t->last[t->depth - 1];
    int64_t id;
    f->type = compact_type(t, head & 15);
    t->truth = (head & 15) == 1;
    if (head >> 4)
        id = *last + (head >> 4);
    else if (!zigzag(t, &id))
        return false;
    *last = f->id = (int16_t)id;
    return t->why == NULL;
}

static bool binary_field(struct thrift *t, uint8_t head, struct thrift_field *f)
{
    uint16_t id;
    f->type = (enum thrift_type)head;
    if (!take(t, &id, 2)) return false;
    f->id = (int16_t)be16toh(id);
    return true;
}

bool thrift_next(struct thrift *t, struct thrift_field *f)
{
    uint8_t head;
    check(t->depth > 0);
    *f = (struct thrift_field){ THRIFT_STOP, 0 };
    if (take(t, &head, 1) && head != 0)
        return t->compact ? compact_field(t, head, f) : binary_field(t, head, f);
    t->depth--;
    return false;
}

/* ---- values ---- */

static bool size(struct thrift *t, uint32_t *out)
{
    uint64_t n;
    uint32_t n32;
    if (t->compact) {
        if (!varint(t, &n)) return false;
    } else {
        if (!take(t, &n32, 4)) return false;
        n = be32toh(n32);
    }
    if (n > (uint64_t)(t->end - t->p)) return thrift_fail(t, "size passes the end of the message");
    *out = (uint32_t)n;
    return true;
}

bool thrift_bytes(struct thrift *t, struct str *out)
{
    uint32_t n;
    if (!size(t, &n)) return false;
    *out = str_make(t->p, n);
    t->p += n;
    return true;
}

bool thrift_list(struct thrift *t, enum thrift_type *type, uint32_t *n)
{
    uint8_t head;
    if (!take(t, &head, 1)) return false;
    if (!t->compact) {
        *type = (enum thrift_type)head;
        return size(t, n);
    }
    *type = compact_type(t, head & 15);
    *n = head >> 4;
    if (t->why != NULL) return false;
    if (*n == 15) return size(t, n);
    return *n <= (size_t)(t->end - t->p) || thrift_fail(t, "size passes the end of the message");
}

bool thrift_int(struct thrift *t, enum thrift_type type, int64_t *out)
{
    int8_t b;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    switch (type) {
    case THRIFT_BYTE:
        if (!take(t, &b, 1)) return false;
        *out = b;
        return true;
    case THRIFT_I16:
        if (t->compact) return zigzag(t, out);
        if (!take(t, &u16, 2)) return false;
        *out = (int16_t)be16toh(u16);
        return true;
    case THRIFT_I32:
        if (t->compact) return zigzag(t, out);
        if (!take(t, &u32, 4)) return false;
        *out = (int32_t)be32toh(u32);
        return true;
    case THRIFT_I64:
        if (t->compact) return zigzag(t, out);
        if (!take(t, &u64, 8)) return false;
        *out = (int64_t)be64toh(u64);
        return true;
    default: return thrift_fail(t, "expected an integer");
    }
}

bool thrift_double(struct thrift *t, double *out)
{
    uint64_t bits;
    if (!take(t, &bits, 8)) return false;
    if (!t->compact) bits = be64toh(bits); /* compact: little-endian, as we are */
    memcpy(out, &bits, 8);
    return true;
}

bool thrift_bool(struct thrift *t, bool *out)
{
    uint8_t b;
    if (t->compact) {
        *out = t->truth;
        return t->why == NULL;
    }
    if (!take(t, &b, 1)) return false;
    *out = b != 0;
    return true;
}

/* ---- skipping ---- */

static bool skip_some(struct thrift *t, enum thrift_type type, uint32_t n, int depth);

static bool skip_value(struct thrift *t, enum thrift_type type, bool is_field, int depth);

static bool skip_struct(struct thrift *t, int depth)
{
    struct thrift_field f;
    if (!thrift_struct(t)) return false;
    while (thrift_next(t, &f)) skip_value(t, f.type, true, depth + 1);
    return t->why == NULL;
}

static bool skip_map(struct thrift *t, int depth)
{
    uint8_t types[2] = { 0, 0 };
    enum thrift_type key, value;
    uint32_t n;
    if (t->compact) {
        if (!size(t, &n) || n == 0 || !take(t, types, 1)) return t->why == NULL;
        key = compact_type(t, types[0] >> 4);
        value = compact_type(t, types[0] & 15);
    } else {
        if (!take(t, types, 2) || !size(t, &n)) return false;
        key = (enum thrift_type)types[0];
        value = (enum thrift_type)types[1];
    }
    for (uint32_t i = 0; i < n && t->why == NULL; i++)
        if (!skip_value(t, key, false, depth + 1) || !skip_value(t, value, false, depth + 1)) return false;
    return t->why == NULL;
}

static bool skip_some(struct thrift *t, enum thrift_type type, uint32_t n, int depth)
{
    for (uint32_t i = 0; i < n && t->why == NULL; i++) skip_value(t, type, false, depth);
    return t->why == NULL;
}

/* In the compact protocol a boolean field is in its head; in lists it is a byte. */
static bool skip_value(struct thrift *t, enum thrift_type type, bool is_field, int depth)
{
    struct str bytes;
    int64_t i;
    double d;
    uint8_t b;
    uint32_t n;
    if (depth > THRIFT_DEPTH_MAX) return thrift_fail(t, "nested too deeply");
    switch (type) {
    case THRIFT_BOOL: return (t->compact && is_field) || take(t, &b, 1);
    case THRIFT_BYTE:
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64: return thrift_int(t, type, &i);
    case THRIFT_DOUBLE: return thrift_double(t, &d);
    case THRIFT_STRING: return thrift_bytes(t, &bytes);
    case THRIFT_STRUCT: return skip_struct(t, depth);
    case THRIFT_MAP: return skip_map(t, depth);
    case THRIFT_SET:
    case THRIFT_LIST: return thrift_list(t, &type, &n) && skip_some(t, type, n, depth + 1);
    case THRIFT_STOP: break;
    }
    return thrift_fail(t, "no such type");
}

bool thrift_skip(struct thrift *t, enum thrift_type type)
{
    return skip_value(t, type, true, 0);
}
