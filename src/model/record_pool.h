/* record_pool.h - texts that many records share, each written once a chunk: attribute names, origins.
 *
 * A text is looked for by its hash and kept for the life of the pool; in each chunk that uses it, it has a
 * number of its own, given at first use. One thread; memory is the arena's. */
#pragma once
#include "model/record_chunk.h"

#define POOL_NONE UINT32_MAX

struct pool_text {
    struct str text;
    uint32_t hash;
    uint32_t chunk, number; /* the chunk that used it last, and its number there */
    uint32_t next;          /* which text followed it last time: a guess worth a look */
    uint32_t record, place; /* names: the record that used it last, and where */
};

struct pool {
    struct arena *arena;
    struct pool_text *at;
    size_t n, cap;
    uint32_t *slots; /* index into at + 1; 0 = free */
    size_t n_slots;  /* a power of two, or 0 */
    uint32_t chunk;  /* the running one; from 1 */
    uint32_t *used;  /* indexes of the running chunk's texts, by number */
    size_t n_used, cap_used;
    size_t bytes; /* about what they take */
};

void pool_init(struct pool *, struct arena *);
uint32_t pool_find(struct pool *, struct str); /* its index; copied when it is new */
static inline bool pool_is_used(const struct pool *p, uint32_t i)
{
    return p->at[i].chunk == p->chunk;
}
uint32_t pool_use_first(struct pool *, uint32_t i);
static inline uint32_t pool_use(struct pool *p, uint32_t i) /* its number in this chunk */
{
    return pool_is_used(p, i) ? p->at[i].number : pool_use_first(p, i);
}
void pool_next_chunk(struct pool *);
size_t pool_room(const struct pool *);             /* enough for pool_put */
uint8_t *pool_put(const struct pool *, uint8_t *); /* varint count, then each: varint length, bytes */
