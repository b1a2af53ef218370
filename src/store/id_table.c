#include "store/id_table.h"

#include "base/check.h"
#include "base/mem.h"

static uint32_t home(const struct id_table *t, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash * t->n_slots >> 32);
}

static uint32_t after(const struct id_table *t, uint32_t i)
{
    return i + 1 == t->n_slots ? 0 : i + 1;
}

void id_table_release(struct id_table *t)
{
    mem_free(t->slots);
    *t = (struct id_table){ 0 };
}

uint32_t id_table_find(const struct id_table *t, uint32_t hash, bool (*same)(const void *ctx, uint32_t id),
                       const void *ctx)
{
    if (t->n == 0) return ID_NONE;
    for (uint32_t i = home(t, hash); t->slots[i].id_plus_1 != 0; i = after(t, i))
        if (t->slots[i].hash == hash && same(ctx, t->slots[i].id_plus_1 - 1))
            return t->slots[i].id_plus_1 - 1;
    return ID_NONE;
}

static void put(struct id_table *t, struct id_slot slot)
{
    uint32_t i = home(t, slot.hash);
    while (t->slots[i].id_plus_1 != 0) i = after(t, i);
    t->slots[i] = slot;
}

static void grow(struct id_table *t)
{
    uint64_t slots = t->n_slots + t->n_slots / 2 + 16;
    check(slots < UINT32_MAX);

    struct id_table bigger = { mem_array(slots, sizeof *bigger.slots), t->n, (uint32_t)slots };
    for (uint32_t i = 0; i < t->n_slots; i++)
        if (t->slots[i].id_plus_1 != 0) put(&bigger, t->slots[i]);
    mem_free(t->slots);
    *t = bigger;
}

void id_table_add(struct id_table *t, uint32_t hash, uint32_t id)
{
    check(id < ID_NONE);
    if ((uint64_t)t->n * 5 >= (uint64_t)t->n_slots * 4) grow(t);
    put(t, (struct id_slot){ hash, id + 1 });
    t->n++;
}

void id_table_replace(struct id_table *t, uint32_t hash, uint32_t old, uint32_t fresh)
{
    uint32_t i = home(t, hash);
    while (t->slots[i].hash != hash || t->slots[i].id_plus_1 != old + 1) {
        check(t->slots[i].id_plus_1 != 0);
        i = after(t, i);
    }
    t->slots[i].id_plus_1 = fresh + 1;
}
