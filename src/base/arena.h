/* arena.h - memory of one request, query or batch: take it, and forget it all at once.
 *
 * The budget is soft: an allocation never fails, but once `used` has passed `budget` arena_over() says so,
 * and the work in progress must stop with ERR_LIMIT. Before a large allocation ask arena_fits(). One thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct arena_chunk;
struct arena;

/* A budget that several arenas have together. */
struct arena_share {
    bool (*take)(const struct arena *,
                 size_t more); /* in a->used already; false: more than there is. Counted even so */
    void (*give)(size_t bytes);
};

struct arena {
    struct arena_chunk *chunk;
    char *at, *end;
    size_t used, budget;             /* bytes taken from the heap; what this owner may take */
    const struct arena_share *share; /* NULL: none; arena_share_end before it is set to another */
    bool is_refused;                 /* over for others' sake: the budget was made 0 */
};

#define ARENA_INIT(budget_bytes)                                                                             \
    {                                                                                                        \
        NULL, NULL, NULL, 0, (budget_bytes)                                                                  \
    }

void arena_release(struct arena *a);
void arena_reset(struct arena *a); /* forgets everything; keeps the newest chunk for reuse */

/* What is in use counts from now on; it may be over at once. The end: what is in use is counted no more. */
void arena_share_begin(struct arena *a, const struct arena_share *);
void arena_share_end(struct arena *a);

/* The first chunk of a fresh arena, for what is small and stays: 16 KiB are taken otherwise. */
void arena_begin(struct arena *a, size_t bytes);

void *arena_alloc(struct arena *a, size_t n);              /* 16-byte aligned, not zeroed */
void *arena_zero(struct arena *a, size_t n);               /* zeroed */
void *arena_array(struct arena *a, size_t n, size_t size); /* not zeroed; product checked */
struct str arena_str(struct arena *a, struct str s);       /* a copy; terminated too */
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Like mem_grow, within the arena (the old array is simply left behind). */
void *arena_grow(struct arena *a, void *array, size_t n, size_t *cap, size_t item_size);

static inline bool arena_over(const struct arena *a)
{
    return a->used > a->budget;
}
static inline bool arena_fits(const struct arena *a, size_t n)
{
    return a->used <= a->budget && n <= a->budget - a->used;
}
