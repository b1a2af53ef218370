#include "base/map.h"

#include "base/mem.h"

static uint64_t hash_fix(uint64_t hash)
{
    return hash ? hash : 1;
}

void map_init(struct map *m, size_t expect)
{
    size_t slots = 16;
    while (slots * 3 < expect * 4) slots *= 2;
    *m = (struct map){ mem_array(slots, sizeof *m->slots), slots - 1, 0 };
}

void map_release(struct map *m)
{
    mem_free(m->slots);
    *m = (struct map){ 0 };
}

void map_clear(struct map *m)
{
    map_release(m);
}

uint64_t *map_find(const struct map *m, uint64_t hash, bool (*same)(void *ctx, uint64_t value), void *ctx)
{
    if (m->n == 0) return NULL;
    hash = hash_fix(hash);
    for (size_t i = hash & m->mask;; i = (i + 1) & m->mask) {
        struct map_slot *s = &m->slots[i];
        if (s->hash == 0) return NULL;
        if (s->hash == hash && (same == NULL || same(ctx, s->value))) return &s->value;
    }
}

static void put(struct map_slot *slots, size_t mask, uint64_t hash, uint64_t value)
{
    size_t i = hash & mask;
    while (slots[i].hash != 0) i = (i + 1) & mask;
    slots[i] = (struct map_slot){ hash, value };
}

static void grow(struct map *m)
{
    size_t slots = m->slots ? (m->mask + 1) * 2 : 16;
    struct map_slot *fresh = mem_array(slots, sizeof *fresh);
    for (size_t i = 0; m->slots != NULL && i <= m->mask; i++)
        if (m->slots[i].hash != 0) put(fresh, slots - 1, m->slots[i].hash, m->slots[i].value);
    mem_free(m->slots);
    m->slots = fresh;
    m->mask = slots - 1;
}

void map_add(struct map *m, uint64_t hash, uint64_t value)
{
    if (m->slots == NULL || (m->n + 1) * 4 > (m->mask + 1) * 3) grow(m);
    put(m->slots, m->mask, hash_fix(hash), value);
    m->n++;
}

size_t map_bytes(const struct map *m)
{
    return m->slots ? (m->mask + 1) * sizeof *m->slots : 0;
}
