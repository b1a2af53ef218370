/* record_pool.c - see record_pool.h. */
#include "model/record_pool.h"

#include "base/check.h"
#include "base/hash.h"

#define SLOTS_FIRST 64u
#define VARINT_MAX  10u

void pool_init(struct pool *p, struct arena *a)
{
    *p = (struct pool){ .arena = a, .chunk = 1 };
}

static void put_slot(struct pool *p, uint32_t i)
{
    size_t s = p->at[i].hash & (p->n_slots - 1);
    while (p->slots[s] != 0) s = (s + 1) & (p->n_slots - 1);
    p->slots[s] = i + 1;
}

/* At most half full. */
static void grow_slots(struct pool *p)
{
    if (p->n * 2 < p->n_slots) return;
    p->n_slots = p->n_slots ? p->n_slots * 2 : SLOTS_FIRST;
    p->slots = arena_zero(p->arena, p->n_slots * sizeof *p->slots);
    for (size_t i = 0; i < p->n; i++) put_slot(p, (uint32_t)i);
}

uint32_t pool_find(struct pool *p, struct str text)
{
    uint32_t hash = (uint32_t)hash64(text.p, text.n);
    if (p->n_slots > 0)
        for (size_t s = hash & (p->n_slots - 1); p->slots[s] != 0; s = (s + 1) & (p->n_slots - 1)) {
            uint32_t i = p->slots[s] - 1;
            if (p->at[i].hash == hash && str_eq(p->at[i].text, text)) return i;
        }

    check(p->n < POOL_NONE - 1);
    grow_slots(p);
    p->at = arena_grow(p->arena, p->at, p->n, &p->cap, sizeof *p->at);
    uint32_t i = (uint32_t)p->n++;
    p->at[i] = (struct pool_text){ .text = arena_str(p->arena, text), .hash = hash, .next = POOL_NONE };
    put_slot(p, i);
    return i;
}

uint32_t pool_use_first(struct pool *p, uint32_t i)
{
    p->used = arena_grow(p->arena, p->used, p->n_used, &p->cap_used, sizeof *p->used);
    p->at[i].chunk = p->chunk;
    p->at[i].number = (uint32_t)p->n_used;
    p->used[p->n_used++] = i;
    p->bytes += p->at[i].text.n + 1;
    return p->at[i].number;
}

void pool_next_chunk(struct pool *p)
{
    p->chunk++;
    p->n_used = 0;
    p->bytes = 0;
}

size_t pool_room(const struct pool *p)
{
    return p->bytes + (p->n_used + 1) * VARINT_MAX;
}

uint8_t *pool_put(const struct pool *p, uint8_t *to)
{
    to = put_varint(to, p->n_used);
    for (size_t i = 0; i < p->n_used; i++) to = put_text(to, p->at[p->used[i]].text);
    return to;
}
