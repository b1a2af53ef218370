/* fp_table.c - see fp_table.h. */
#include "tell/notify/fp_table.h"

#include "base/check.h"
#include "base/mem.h"

#define SLOTS_MIN 8

/* Fingerprints are mixed well, other keys need not be. */
static size_t home(const struct fp_table *t, uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 17) & t->mask;
}

static size_t slot_of(const struct fp_table *t, uint64_t key)
{
    size_t i = home(t, key);
    while (t->slots[i].value != NULL && t->slots[i].key != key) i = (i + 1) & t->mask;
    return i;
}

static void grow(struct fp_table *t)
{
    struct fp_table wide = { .mask = t->slots ? 2 * (t->mask + 1) - 1 : SLOTS_MIN - 1, .n = t->n };
    wide.slots = mem_array(wide.mask + 1, sizeof *wide.slots);
    for (size_t i = 0; t->slots != NULL && i <= t->mask; i++)
        if (t->slots[i].value != NULL) wide.slots[slot_of(&wide, t->slots[i].key)] = t->slots[i];
    mem_free(t->slots);
    *t = wide;
}

void fp_table_release(struct fp_table *t)
{
    mem_free(t->slots);
    *t = (struct fp_table){ 0 };
}

void *fp_table_get(const struct fp_table *t, uint64_t key)
{
    return t->slots != NULL ? t->slots[slot_of(t, key)].value : NULL;
}

void *fp_table_put(struct fp_table *t, uint64_t key, void *value)
{
    check(value != NULL);
    if (t->slots == NULL || t->n * 4 >= (t->mask + 1) * 3) grow(t);
    struct fp_slot *s = &t->slots[slot_of(t, key)];
    void *before = s->value;
    *s = (struct fp_slot){ key, value };
    t->n += before == NULL;
    return before;
}

void *fp_table_remove(struct fp_table *t, uint64_t key)
{
    if (t->slots == NULL) return NULL;
    size_t hole = slot_of(t, key);
    void *before = t->slots[hole].value;
    if (before == NULL) return NULL;
    for (size_t i = (hole + 1) & t->mask; t->slots[i].value != NULL; i = (i + 1) & t->mask) {
        /* It may move into the hole unless its home lies between the hole and where it stands. */
        size_t from_home = (i - home(t, t->slots[i].key)) & t->mask, from_hole = (i - hole) & t->mask;
        if (from_home < from_hole) continue;
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole] = (struct fp_slot){ 0 };
    t->n--;
    return before;
}

void *fp_table_next(const struct fp_table *t, size_t *at)
{
    for (; t->slots != NULL && *at <= t->mask; (*at)++)
        if (t->slots[*at].value != NULL) return t->slots[(*at)++].value;
    return NULL;
}
