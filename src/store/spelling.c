#include "store/spelling.h"

#include "base/check.h"
#include "base/mem.h"

_Static_assert(sizeof(struct spelling_bucket) == 64, "one cache line");

static struct spelling_segment segment_new(struct spelling_table *t, uint32_t n_buckets)
{
    struct spelling_segment s = { .n_buckets = n_buckets };
    size_t size = ((size_t)n_buckets + 1) * sizeof *s.at;
    s.memory = mem_alloc_zero(size);
    s.at = (void *)(((uintptr_t)s.memory + 63) & ~(uintptr_t)63);
    t->bytes += size;
    return s;
}

static void segment_free(struct spelling_table *t, struct spelling_segment *s)
{
    if (s->memory != NULL) t->bytes -= ((size_t)s->n_buckets + 1) * sizeof *s->at;
    mem_free(s->memory);
    *s = (struct spelling_segment){ 0 };
}

void spelling_release(struct spelling_table *t)
{
    for (size_t i = 0; i < SPELLING_SEGMENTS; i++) mem_free(t->segments[i].memory);
    *t = (struct spelling_table){ 0 };
}

static void put(struct spelling_segment *s, uint64_t lo, uint32_t hi, uint8_t hi_more, series_key key)
{
    for (size_t i = spelling_home(s, lo);; i = i + 1 == s->n_buckets ? 0 : i + 1) {
        struct spelling_bucket *b = &s->at[i];
        for (int k = 0; k < 3; k++) {
            if (b->key[k] != 0) continue;
            b->lo[k] = lo;
            b->key[k] = key;
            b->hi[k] = hi;
            b->hi_more[k] = hi_more;
            s->n++;
            return;
        }
    }
}

/* Move what keep() agrees to (NULL: everything) into a segment of n_buckets. */
static void rebuild(struct spelling_table *t, struct spelling_segment *s, uint32_t n_buckets,
                    bool (*keep)(void *ctx, series_key), void *ctx)
{
    struct spelling_segment fresh = segment_new(t, n_buckets);
    for (size_t i = 0; i < s->n_buckets; i++) {
        const struct spelling_bucket *b = &s->at[i];
        for (int k = 0; k < 3 && b->key[k] != 0; k++)
            if (keep == NULL || keep(ctx, b->key[k]))
                put(&fresh, b->lo[k], b->hi[k], b->hi_more[k], b->key[k]);
    }
    segment_free(t, s);
    *s = fresh;
}

void spelling_add(struct spelling_table *t, struct hash128 h, series_key key)
{
    check(key != 0);
    struct spelling_segment *s = &t->segments[h.lo % SPELLING_SEGMENTS];
    if ((uint64_t)s->n * 5 >= (uint64_t)s->n_buckets * 3 * 4) { /* four fifths full */
        check(s->n_buckets < UINT32_MAX / 2);
        rebuild(t, s, s->n_buckets + s->n_buckets / 4 + 2, NULL, NULL);
    }
    put(s, h.lo, (uint32_t)h.hi, (uint8_t)(h.hi >> 32), key);
    t->n++;
}

static uint32_t count_kept(const struct spelling_segment *s, bool (*keep)(void *ctx, series_key), void *ctx)
{
    uint32_t n = 0;
    for (size_t i = 0; i < s->n_buckets; i++)
        for (int k = 0; k < 3 && s->at[i].key[k] != 0; k++) n += keep(ctx, s->at[i].key[k]);
    return n;
}

void spelling_keep(struct spelling_table *t, bool (*keep)(void *ctx, series_key), void *ctx)
{
    t->n = 0;
    for (size_t i = 0; i < SPELLING_SEGMENTS; i++) {
        struct spelling_segment *s = &t->segments[i];
        uint32_t kept = count_kept(s, keep, ctx);
        if (kept == 0)
            segment_free(t, s);
        else if (kept < s->n)
            rebuild(t, s, kept / 2 + 2, keep, ctx); /* two thirds full */
        t->n += kept;
    }
}
