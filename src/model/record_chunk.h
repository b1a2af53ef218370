/* record_chunk.h - what writer and reader of packed records agree on. Bytes: docs/format-record.md. */
#pragma once
#include <endian.h>

#include "base/arena.h"

#define RECORD_CHUNK_VERSION 1

/* Which fields of a record follow. Common ones from the bottom, those of its table from bit 4. */
enum record_has {
    HAS_TRACE_ID = 1 << 0,
    HAS_SPAN_ID = 1 << 1,
    HAS_FLAGS = 1 << 2,
    HAS_DROPPED = 1 << 3,

    HAS_PARENT_ID = 1 << 4,
    HAS_STATUS_MESSAGE = 1 << 5,
    HAS_TRACE_STATE = 1 << 6,
    HAS_EVENTS = 1 << 7,
    HAS_LINKS = 1 << 8,

    HAS_OBSERVED = 1 << 4,
    HAS_SEVERITY = 1 << 5,
    HAS_SEVERITY_TEXT = 1 << 6,
    HAS_EVENT_NAME = 1 << 7,
    HAS_BODY = 1 << 8,

    HAS_END = 1 << 9,
};

#define SEVERITY_MAX    24
#define STATUS_MAX      2
#define VALUE_TYPE_BITS 3 /* of an attribute's number: name << 3 | type */

/* Putting: the room is there. */

static inline uint8_t *put_varint(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static inline uint8_t *put_bytes(uint8_t *p, const void *from, size_t n)
{
    if (n) memcpy(p, from, n);
    return p + n;
}

static inline uint8_t *put_text(uint8_t *p, struct str s)
{
    return put_bytes(put_varint(p, s.n), s.p, s.n);
}

static inline uint8_t *put_u64(uint8_t *p, uint64_t v)
{
    v = htole64(v);
    return put_bytes(p, &v, 8);
}
