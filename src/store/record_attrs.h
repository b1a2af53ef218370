/* record_attrs.h - attributes and origins as bytes and back.
 *
 *     attribute   | name length varint, name | type u8 | value |
 *     value       | text, bytes, JSON: length varint, bytes | int: zigzag varint | double: 8 bytes | bool: u8
 * | origin      | id 16 | scope name | scope version | n, resource attributes | n, scope attributes |
 *
 * In the rest column a long text lies in a content page: type + ATTR_IN_CONTENT, then where. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "model/record.h"
#include "store/bytes.h"

#define ATTR_IN_CONTENT 0x80u

/* A text in a content page: page counted from the block's first. */
struct content_ref {
    uint32_t page, offset, length;
};

static inline bool value_is_text(enum value_type t)
{
    return t == VALUE_STR || t == VALUE_BYTES || t == VALUE_JSON;
}

void record_attr_put(struct buf *, const struct attr *, const struct content_ref *); /* ref may be NULL */
/* Texts are borrowed from the bytes. With ref == NULL content is damage; else ref->length is UINT32_MAX when
 * the value is inline. b->failed for bytes that are not ours. */
void record_attr_get(struct bytes *b, struct attr *, struct content_ref *ref);

void record_origin_put(struct buf *, const struct origin *);
/* Attributes are in the arena, texts borrowed from the bytes. */
void record_origin_get(struct bytes *b, struct origin *, struct arena *);

/* ---- the resources of a part ---- */

#define ORIGINS_MAX       4096u /* listed; a part with more is asked block by block */
#define ORIGINS_MAX_BYTES (1u << 20)

struct record_origins {
    struct buf bytes; /* packed, scope left empty */
    struct map seen;
    size_t n;
    bool is_partial; /* there are more */
};
void record_origins_init(struct record_origins *);
void record_origins_release(struct record_origins *);
void record_origins_add(struct record_origins *, const struct origin *);
void record_origins_put(struct buf *, const struct record_origins *);
/* Texts are borrowed from the bytes. */
int record_origins_get(struct str in, struct arena *, struct origin **, size_t *n, bool *is_partial,
                       struct err *);
