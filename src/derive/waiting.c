#include "derive/waiting.h"

#include "base/check.h"
#include "base/mem.h"

struct slot {
    struct half half; /* first: a half is found back as its slot */
    int64_t until_ms;
    uint32_t next; /* of the same chain, + 1; 0: the last */
    bool is_live;
};

struct waiting {
    struct slot *slots;
    uint32_t *chains; /* index + 1 */
    size_t n_slots, n_chains;
    size_t first, used, live; /* ring: used slots from first on, of which `live` wait */
    int64_t wait_ms;
    void (*gone)(void *ctx, const struct half *);
    void *ctx;
};

struct waiting *waiting_new(size_t most, int64_t wait_ms, void (*gone)(void *, const struct half *),
                            void *ctx)
{
    check(most > 0 && most < UINT32_MAX);
    struct waiting *w = mem_alloc_zero(sizeof *w);
    w->n_slots = most;
    for (w->n_chains = 64; w->n_chains < most; w->n_chains *= 2) continue;
    w->slots = mem_array(w->n_slots, sizeof *w->slots);
    w->chains = mem_array(w->n_chains, sizeof *w->chains);
    w->wait_ms = wait_ms;
    w->gone = gone;
    w->ctx = ctx;
    return w;
}

void waiting_free(struct waiting *w)
{
    if (w == NULL) return;
    mem_free(w->slots);
    mem_free(w->chains);
    mem_free(w);
}

static uint32_t *chain_of(struct waiting *w, const uint8_t *key)
{
    return &w->chains[hash64(key, 24) & (w->n_chains - 1)];
}

void waiting_remove(struct waiting *w, struct half *h)
{
    struct slot *slot = (struct slot *)h;
    uint32_t no = (uint32_t)(slot - w->slots) + 1;
    uint32_t *at = chain_of(w, h->key);
    check(slot->is_live);
    while (*at != no) at = &w->slots[*at - 1].next;
    *at = slot->next;
    slot->is_live = false;
    w->live--;
}

static void leave(struct waiting *w)
{
    struct slot *slot = &w->slots[w->first];
    w->first = (w->first + 1) % w->n_slots;
    w->used--;
    if (!slot->is_live) return;
    struct half h = slot->half;
    waiting_remove(w, &slot->half);
    w->gone(w->ctx, &h);
}

void waiting_expire(struct waiting *w, int64_t now_ms)
{
    while (w->used > 0 && (!w->slots[w->first].is_live || w->slots[w->first].until_ms <= now_ms)) leave(w);
}

void waiting_add(struct waiting *w, const struct half *h, int64_t now_ms)
{
    waiting_expire(w, now_ms);
    if (w->used == w->n_slots) leave(w);
    size_t i = (w->first + w->used++) % w->n_slots;
    uint32_t *chain = chain_of(w, h->key);
    w->slots[i] = (struct slot){ *h, now_ms + w->wait_ms, *chain, true };
    *chain = (uint32_t)i + 1;
    w->live++;
}

struct half *waiting_find(struct waiting *w, const uint8_t key[24], const struct half *after)
{
    uint32_t no = after != NULL ? ((const struct slot *)after)->next : *chain_of(w, key);
    for (; no != 0; no = w->slots[no - 1].next)
        if (memcmp(w->slots[no - 1].half.key, key, 24) == 0) return &w->slots[no - 1].half;
    return NULL;
}

size_t waiting_count(const struct waiting *w)
{
    return w->live;
}
