/* waiting.h - halves of edges that wait for the span they belong to: bounded in number and in time.
 *
 * All wait equally long, so they lie in a ring, oldest first; when it is full the oldest leaves early. A
 * half that leaves is handed to `gone`. One thread at a time. */
#pragma once
#include "model/record.h"

#define WAITING_NAME_MAX 95

struct waiting_name {
    uint8_t n;
    char text[WAITING_NAME_MAX];
};

struct half {
    uint8_t key[24];          /* trace id, span id */
    uint8_t role, connection; /* the owner's enums */
    bool has_failed, is_paired;
    double seconds;
    uint8_t parent_id[8];
    struct waiting_name name, peer;
};

static inline struct waiting_name waiting_name(struct str s)
{
    struct waiting_name w = { .n = (uint8_t)(s.n < WAITING_NAME_MAX ? s.n : WAITING_NAME_MAX) };
    while (w.n < s.n && w.n > 0 && ((uint8_t)s.p[w.n] & 0xc0) == 0x80) w.n--; /* no torn character */
    if (w.n > 0) memcpy(w.text, s.p, w.n);
    return w;
}
static inline struct str waiting_text(const struct waiting_name *w)
{
    return str_make(w->text, w->n);
}
static inline void waiting_key(uint8_t key[24], const uint8_t trace_id[16], const uint8_t span_id[8])
{
    memcpy(key, trace_id, 16);
    memcpy(key + 16, span_id, 8);
}

struct waiting;
struct waiting *waiting_new(size_t most, int64_t wait_ms, void (*gone)(void *ctx, const struct half *),
                            void *ctx);
void waiting_free(struct waiting *); /* NULL is fine; nothing is handed to gone */

void waiting_add(struct waiting *, const struct half *, int64_t now_ms);
/* The next with this key after `after` (NULL: the first), or NULL. Valid until the next add. */
struct half *waiting_find(struct waiting *, const uint8_t key[24], const struct half *after);
void waiting_remove(struct waiting *, struct half *); /* without `gone` */
void waiting_expire(struct waiting *, int64_t now_ms);
size_t waiting_count(const struct waiting *);
