/* wire.h - an encoder of protobuf for tests, written from the wire format's description and not from our own
 * writer.
 *
 *     struct wire w = { 0 };
 *     size_t at = wire_open(&w, 1); ... wire_close(&w, at);   nests by copying, which a test can afford
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct wire {
    unsigned char *p;
    size_t n, cap;
};

static inline void wire_raw(struct wire *w, const void *p, size_t n)
{
    if (w->n + n > w->cap) {
        w->cap = (w->n + n) * 2;
        w->p = realloc(w->p, w->cap);
    }
    if (n > 0) memcpy(w->p + w->n, p, n);
    w->n += n;
}

static inline void wire_num(struct wire *w, uint64_t v)
{
    for (;;) {
        unsigned char c = v & 127;
        v >>= 7;
        if (v != 0) c |= 128;
        wire_raw(w, &c, 1);
        if (v == 0) return;
    }
}

static inline void wire_varint(struct wire *w, unsigned no, uint64_t v)
{
    wire_num(w, no * 8 + 0);
    wire_num(w, v);
}

static inline void wire_sint(struct wire *w, unsigned no, int64_t v)
{
    wire_varint(w, no, v < 0 ? (uint64_t)(-(v + 1)) * 2 + 1 : (uint64_t)v * 2);
}

static inline void wire_double(struct wire *w, unsigned no, double v)
{
    wire_num(w, no * 8 + 1);
    wire_raw(w, &v, 8);
}

static inline void wire_bytes(struct wire *w, unsigned no, const void *p, size_t n)
{
    wire_num(w, no * 8 + 2);
    wire_num(w, n);
    wire_raw(w, p, n);
}

static inline void wire_text(struct wire *w, unsigned no, const char *s)
{
    wire_bytes(w, no, s, strlen(s));
}

/* A message inside: taken over and emptied. */
static inline void wire_message(struct wire *w, unsigned no, struct wire *inner)
{
    wire_bytes(w, no, inner->p, inner->n);
    free(inner->p);
    *inner = (struct wire){ 0 };
}

static inline struct str wire_str(const struct wire *w)
{
    return (struct str){ (const char *)w->p, w->n };
}

static inline void wire_free(struct wire *w)
{
    free(w->p);
    *w = (struct wire){ 0 };
}
