/* id_table.h - a hash table that holds only numbers: 32 bits of hash, 32 bits of id, 8 bytes a slot.
 *
 * The caller keeps the things the ids stand for and tells equal hashes apart by `same`. Slots are in
 * the order of their hashes (home = hash * slots / 2^32), so the table may have any size and grows by
 * half, not by doubling: between 53 % and 80 % of it are in use. No deletion: owners rebuild. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_NONE UINT32_MAX

struct id_slot {
    uint32_t hash, id_plus_1; /* 0 = free */
};

struct id_table {
    struct id_slot *slots;
    uint32_t n, n_slots;
};

void id_table_release(struct id_table *); /* a zeroed struct is an empty table */

/* The id with this hash that same() agrees to, or ID_NONE. */
uint32_t id_table_find(const struct id_table *, uint32_t hash, bool (*same)(const void *ctx, uint32_t id),
                       const void *ctx);
void id_table_add(struct id_table *, uint32_t hash, uint32_t id); /* without looking; id < ID_NONE */
/* Let hash mean `fresh` where it meant `old`. */
void id_table_replace(struct id_table *, uint32_t hash, uint32_t old, uint32_t fresh);

static inline size_t id_table_bytes(const struct id_table *t)
{
    return t->n_slots * sizeof *t->slots;
}
static inline uint32_t id_table_fold(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}
