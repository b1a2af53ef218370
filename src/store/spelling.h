/* spelling.h - from the hash of a series' bytes, just as a client spells them, to its key.
 *
 * The road every sample takes, so it is laid out for the cache: a bucket is one cache line with three
 * entries, and the line can be asked for ahead. Of the 128-bit hash 104 bits are kept.
 *
 * Always true:
 *   1. Entries of a bucket are filled from the front; a free entry ends a search.
 *   2. Each of the 256 segments grows by itself and by a quarter: no long pause, no doubling of memory.
 *   3. No deletion but by spelling_keep, which rebuilds.
 * Threads: the writer only, but for `bytes`. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "store/part.h"

#define SPELLING_SEGMENTS 256

struct spelling_bucket { /* 64 bytes, aligned */
    uint64_t lo[3];
    series_key key[3]; /* 0: free */
    uint32_t hi[3];
    uint8_t hi_more[3], unused;
};

struct spelling_segment {
    struct spelling_bucket *at;
    void *memory;
    uint32_t n_buckets, n;
};

struct spelling_table {
    struct spelling_segment segments[SPELLING_SEGMENTS];
    uint64_t n;
    _Atomic size_t bytes; /* read by registry_size, too */
};

void spelling_release(struct spelling_table *); /* a zeroed struct is an empty table */
void spelling_add(struct spelling_table *, struct hash128, series_key); /* without looking */
void spelling_keep(struct spelling_table *, bool (*keep)(void *ctx, series_key), void *ctx);

static inline size_t spelling_home(const struct spelling_segment *s, uint64_t lo)
{
    return (size_t)((lo >> 32) * s->n_buckets >> 32);
}

static inline void spelling_prefetch(const struct spelling_table *t, struct hash128 h)
{
    const struct spelling_segment *s = &t->segments[h.lo % SPELLING_SEGMENTS];
    __builtin_prefetch(s->at + spelling_home(s, h.lo));
}

static inline bool spelling_find(const struct spelling_table *t, struct hash128 h, series_key *out)
{
    const struct spelling_segment *s = &t->segments[h.lo % SPELLING_SEGMENTS];
    if (s->n_buckets == 0) return false;
    for (size_t i = spelling_home(s, h.lo);; i = i + 1 == s->n_buckets ? 0 : i + 1) {
        const struct spelling_bucket *b = &s->at[i];
        for (int k = 0; k < 3; k++) {
            if (b->key[k] == 0) return false;
            if (b->lo[k] != h.lo || b->hi[k] != (uint32_t)h.hi || b->hi_more[k] != (uint8_t)(h.hi >> 32))
                continue;
            *out = b->key[k];
            return true;
        }
    }
}
