/* record_attrs.c - attributes and origins as bytes; see record_attrs.h for the picture. */
#include "store/record_attrs.h"

#include <string.h>

#include "base/mem.h"

static void text_put(struct buf *out, struct str s)
{
    buf_varint(out, s.n);
    buf_str(out, s);
}

void record_attr_put(struct buf *out, const struct attr *a, const struct content_ref *ref)
{
    const struct value *v = &a->value;
    text_put(out, a->name);
    buf_u8(out, (uint8_t)(v->type | (ref ? ATTR_IN_CONTENT : 0)));
    if (ref) {
        buf_varint(out, ref->page);
        buf_varint(out, ref->offset);
        buf_varint(out, ref->length);
        return;
    }
    switch (v->type) {
    case VALUE_STR:
    case VALUE_BYTES:
    case VALUE_JSON: text_put(out, v->text); break;
    case VALUE_INT: buf_varint(out, zigzag(v->i)); break;
    case VALUE_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, &v->d, 8);
        buf_u64le(out, bits);
        break;
    }
    case VALUE_BOOL: buf_u8(out, v->i != 0); break;
    case VALUE_NONE:
    case VALUE_TYPES: break;
    }
}

static uint32_t varint32(struct bytes *b)
{
    uint64_t v = bytes_varint(b);
    if (v >= UINT32_MAX) b->failed = true;
    return (uint32_t)v;
}

static void value_get(struct bytes *b, struct value *v)
{
    switch (v->type) {
    case VALUE_STR:
    case VALUE_BYTES:
    case VALUE_JSON: v->text = bytes_str(b); break;
    case VALUE_INT: v->i = unzigzag(bytes_varint(b)); break;
    case VALUE_DOUBLE: {
        uint64_t bits = bytes_u64(b);
        memcpy(&v->d, &bits, 8);
        break;
    }
    case VALUE_BOOL:
        v->i = bytes_u8(b);
        if (v->i > 1) b->failed = true;
        break;
    case VALUE_NONE:
    case VALUE_TYPES: break;
    }
}

void record_attr_get(struct bytes *b, struct attr *a, struct content_ref *ref)
{
    *a = (struct attr){ .name = bytes_str(b) };
    unsigned type = bytes_u8(b);
    bool in_content = type & ATTR_IN_CONTENT;
    type &= ~ATTR_IN_CONTENT;
    if (type >= VALUE_TYPES || (in_content && (ref == NULL || !value_is_text(type)))) {
        b->failed = true;
        return;
    }
    a->value.type = (enum value_type)type;
    if (ref) ref->length = UINT32_MAX;
    if (!in_content) {
        value_get(b, &a->value);
        return;
    }
    ref->page = varint32(b);
    ref->offset = varint32(b);
    ref->length = varint32(b);
}

/* ---- origins ---- */

static void attrs_put(struct buf *out, const struct attrs *a)
{
    buf_varint(out, a->n);
    for (size_t i = 0; i < a->n; i++) record_attr_put(out, &a->at[i], NULL);
}

static void attrs_get(struct bytes *b, struct attrs *to, struct arena *a)
{
    uint64_t n = bytes_varint(b);
    if (b->failed || n > bytes_left(b) / 2) { /* an attribute takes 2 bytes at least */
        b->failed = true;
        return;
    }
    struct attr *at = arena_array(a, n, sizeof *at);
    for (size_t i = 0; i < n && !b->failed; i++) record_attr_get(b, &at[i], NULL);
    *to = (struct attrs){ at, n };
}

void record_origin_put(struct buf *out, const struct origin *o)
{
    buf_u64le(out, o->id.lo);
    buf_u64le(out, o->id.hi);
    text_put(out, o->scope_name);
    text_put(out, o->scope_version);
    attrs_put(out, &o->resource);
    attrs_put(out, &o->scope);
}

void record_origin_get(struct bytes *b, struct origin *o, struct arena *a)
{
    *o = (struct origin){ .id.lo = bytes_u64(b) };
    o->id.hi = bytes_u64(b);
    o->scope_name = bytes_str(b);
    o->scope_version = bytes_str(b);
    attrs_get(b, &o->resource, a);
    if (!b->failed) attrs_get(b, &o->scope, a);
}

/* ---- the resources of a part ---- */

void record_origins_init(struct record_origins *l)
{
    *l = (struct record_origins){ .bytes = BUF_INIT(SIZE_MAX / 4) };
    map_init(&l->seen, 16);
}

void record_origins_release(struct record_origins *l)
{
    buf_release(&l->bytes);
    map_release(&l->seen);
}

/* Resources are told apart by half of their hash here: one of a pair in 2^32 could be missing from a list. */
void record_origins_add(struct record_origins *l, const struct origin *o)
{
    if (map_find(&l->seen, o->id.lo, NULL, NULL) != NULL) return;
    if (l->n >= ORIGINS_MAX || l->bytes.n >= ORIGINS_MAX_BYTES) {
        l->is_partial = true;
        return;
    }
    struct origin resource = { .resource = o->resource, .id = o->id };
    record_origin_put(&l->bytes, &resource);
    map_add(&l->seen, o->id.lo, 0);
    l->n++;
}

void record_origins_put(struct buf *out, const struct record_origins *l)
{
    buf_varint(out, l->n);
    buf_u8(out, l->is_partial);
    buf_str(out, buf_view(&l->bytes));
}

int record_origins_get(struct str in, struct arena *a, struct origin **out, size_t *n_out, bool *is_partial,
                       struct err *e)
{
    struct bytes b = bytes_of(in);
    uint64_t n = bytes_varint(&b);
    *is_partial = bytes_u8(&b) != 0;
    if (b.failed || n > ORIGINS_MAX) return err_set(e, ERR_CORRUPT, "origins: impossible length");
    struct origin *at = arena_array(a, n, sizeof *at);
    for (size_t i = 0; i < n && !b.failed; i++) record_origin_get(&b, &at[i], a);
    if (b.failed || bytes_left(&b) > 0) return err_set(e, ERR_CORRUPT, "origins: wrong length");
    *out = at;
    *n_out = n;
    return OK;
}
