/* changes.c - see changes.h. */
#include "store/changes.h"

#include <string.h>

#include "base/check.h"

void changes_init(struct changes *c)
{
    *c = (struct changes){ .now = 1 };
    pthread_mutex_init(&c->mu, NULL);
}

void changes_release(struct changes *c)
{
    pthread_mutex_destroy(&c->mu);
}

/* Of each two the later generation with the older time, which is right for both. */
static void join_older_half(struct changes *c)
{
    uint32_t half = CHANGES_MAX / 2, joined = half / 2;
    for (uint32_t i = 0; i < joined; i++)
        c->at[i] = (struct change){ c->at[2 * i + 1].generation, c->at[2 * i].oldest_ms };
    memmove(&c->at[joined], &c->at[half], (c->n - half) * sizeof c->at[0]);
    c->n -= half - joined;
}

void changes_note(struct changes *c, int64_t oldest_ms)
{
    if (oldest_ms == INT64_MAX) return;
    pthread_mutex_lock(&c->mu);
    while (c->n > 0 && c->at[c->n - 1].oldest_ms >= oldest_ms) c->n--;
    if (c->n == CHANGES_MAX) join_older_half(c);
    c->at[c->n++] = (struct change){ ++c->now, oldest_ms };
    pthread_mutex_unlock(&c->mu);
}

int64_t changes_since(struct changes *c, uint64_t generation, uint64_t *now)
{
    pthread_mutex_lock(&c->mu);
    uint32_t lo = 0, hi = c->n; /* the first of a later generation: none after it has an older time */
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (c->at[mid].generation <= generation)
            lo = mid + 1;
        else
            hi = mid;
    }
    int64_t oldest = lo < c->n ? c->at[lo].oldest_ms : INT64_MAX;
    *now = c->now;
    pthread_mutex_unlock(&c->mu);
    return oldest;
}
