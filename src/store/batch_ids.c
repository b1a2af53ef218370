/* batch_ids.c - see batch_ids.h. */
#include "store/batch_ids.h"

#include "base/mem.h"

static void generation_release(struct batch_generation *g)
{
    mem_free(g->at);
    map_release(&g->by_id);
    *g = (struct batch_generation){ 0 };
}

void batch_ids_release(struct batch_ids *b)
{
    generation_release(&b->newer);
    generation_release(&b->older);
}

struct wanted {
    const struct batch_generation *in;
    struct hash128 id;
};

static bool is_it(void *ctx, uint64_t at)
{
    const struct wanted *w = ctx;
    return hash128_eq(w->in->at[at].id, w->id);
}

static bool generation_has(const struct batch_generation *g, struct hash128 id)
{
    struct wanted w = { g, id };
    return g->n > 0 && map_find(&g->by_id, id.lo, is_it, &w) != NULL;
}

bool batch_ids_known(const struct batch_ids *b, struct hash128 id)
{
    return generation_has(&b->newer, id) || generation_has(&b->older, id);
}

static void turn(struct batch_ids *b, int64_t now_ms)
{
    struct batch_generation *g = &b->newer;
    bool is_full = g->n >= BATCH_IDS_MAX / 2, is_old = now_ms - g->since_ms >= BATCH_IDS_KEPT_MS;
    if (g->n == 0 || !(is_full || is_old)) return;
    generation_release(&b->older);
    b->older = *g;
    *g = (struct batch_generation){ 0 };
}

void batch_ids_add(struct batch_ids *b, struct hash128 id, int64_t time_ms, int64_t now_ms)
{
    struct batch_generation *g = &b->newer;
    if (now_ms - time_ms >= BATCH_IDS_KEPT_MS || batch_ids_known(b, id)) return;
    turn(b, now_ms);
    if (g->n == 0) g->since_ms = now_ms;
    map_add(&g->by_id, id.lo, g->n);
    g->at = mem_grow(g->at, g->n, &g->cap, sizeof g->at[0]);
    g->at[g->n++] = (struct batch_id){ id, time_ms };
}

static void each(const struct batch_generation *g, void (*visit)(void *ctx, const struct batch_id *),
                 void *ctx)
{
    for (size_t i = 0; i < g->n; i++) visit(ctx, &g->at[i]);
}

void batch_ids_each(const struct batch_ids *b, void (*visit)(void *ctx, const struct batch_id *), void *ctx)
{
    each(&b->older, visit, ctx);
    each(&b->newer, visit, ctx);
}
