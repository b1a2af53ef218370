/* map.h - an open-addressing table from a 64-bit hash to a 64-bit value. The caller keeps the keys: equal
 * hashes are told apart by its `same` callback. Small, cache-friendly (16 bytes a slot), no deletion of
 * single entries. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t hash; /* 0 = free; a real hash of 0 is stored as 1 */
    uint64_t value;
};

struct map {
    struct map_slot *slots;
    size_t mask; /* slots - 1; 0 when empty */
    size_t n;
};

void map_init(struct map *, size_t expect);
void map_release(struct map *);
void map_clear(struct map *);

/* The value slot for hash when same(ctx, value) agrees (same NULL: the hash alone decides), else NULL. */
uint64_t *map_find(const struct map *, uint64_t hash, bool (*same)(void *ctx, uint64_t value), void *ctx);
/* Add without looking. Pointers from map_find are void afterwards. */
void map_add(struct map *, uint64_t hash, uint64_t value);
size_t map_bytes(const struct map *);
