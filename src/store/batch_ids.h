/* batch_ids.h - the batches written within the last minutes, so that one that is sent again is known.
 *
 * Two generations: when the newer one is ten minutes old, or half of what fits is in it, it becomes the older
 * and the older is forgotten. So an id is known for ten minutes at least, unless more than BATCH_IDS_MAX / 2
 * others came since. No locks: the caller's (the store's write lock). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/map.h"

#define BATCH_IDS_MAX     (64u << 10)
#define BATCH_IDS_KEPT_MS (10 * 60 * 1000ll)

struct batch_id {
    struct hash128 id;
    int64_t time_ms;
};

struct batch_generation {
    struct batch_id *at;
    size_t n, cap;
    struct map by_id;
    int64_t since_ms;
};

struct batch_ids { /* zeros: empty */
    struct batch_generation newer, older;
};

static inline bool batch_id_is_none(struct hash128 id)
{
    return id.lo == 0 && id.hi == 0;
}

void batch_ids_release(struct batch_ids *);
bool batch_ids_known(const struct batch_ids *, struct hash128 id);
/* time_ms: when it was written; now_ms: the clock. Too old a one is not kept. */
void batch_ids_add(struct batch_ids *, struct hash128 id, int64_t time_ms, int64_t now_ms);
/* Oldest first. */
void batch_ids_each(const struct batch_ids *, void (*visit)(void *ctx, const struct batch_id *), void *ctx);
