#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define CHUNK_MIN (16u << 10)
#define CHUNK_MAX (1u << 20)

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* of data */
    _Alignas(16) char data[];
};

/* ---- a budget had with others ---- */

static void share_take(struct arena *a, size_t more)
{
    if (LIKELY(a->share == NULL) || a->share->take(a, more)) return;
    a->is_refused = true;
    a->budget = 0;
}

static void share_give(struct arena *a, size_t n)
{
    if (a->share != NULL && n > 0) a->share->give(n);
}

void arena_share_begin(struct arena *a, const struct arena_share *share)
{
    check(a->share == NULL);
    a->share = share;
    a->is_refused = false;
    if (a->used > 0) share_take(a, a->used);
}

void arena_share_end(struct arena *a)
{
    share_give(a, a->used);
    a->share = NULL;
}

/* ---- chunks ---- */

void arena_release(struct arena *a)
{
    arena_share_end(a);
    for (struct arena_chunk *c = a->chunk, *older; c != NULL; c = older) {
        older = c->older;
        mem_free(c);
    }
    *a = (struct arena)ARENA_INIT(a->budget);
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = a->chunk;
    if (keep == NULL) return;
    for (struct arena_chunk *c = keep->older, *older; c != NULL; c = older) {
        older = c->older;
        mem_free(c);
    }
    keep->older = NULL;
    share_give(a, a->used - keep->size);
    a->at = keep->data;
    a->end = keep->data + keep->size;
    a->used = keep->size;
}

static void *take_chunk(struct arena *a, size_t n, size_t size)
{
    struct arena_chunk *c = mem_alloc(sizeof *c + size);
    c->size = size;
    c->older = a->chunk;
    a->chunk = c;
    a->used += size;
    share_take(a, size);
    a->at = c->data + n;
    a->end = c->data + size;
    return c->data;
}

static void *arena_more(struct arena *a, size_t n)
{
    size_t size = a->chunk ? MIN(a->chunk->size * 2, (size_t)CHUNK_MAX) : CHUNK_MIN;
    return take_chunk(a, n, MAX(size, n));
}

void arena_begin(struct arena *a, size_t bytes)
{
    check(a->chunk == NULL);
    take_chunk(a, 0, bytes);
}

void *arena_alloc(struct arena *a, size_t n)
{
    check(n <= SIZE_MAX / 2);
    n = (n + 15) & ~(size_t)15;
    if (LIKELY((size_t)(a->end - a->at) >= n && a->at != NULL)) {
        void *p = a->at;
        a->at += n;
        return p;
    }
    return arena_more(a, n);
}

void *arena_zero(struct arena *a, size_t n)
{
    return memset(arena_alloc(a, n), 0, n);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    check(!__builtin_mul_overflow(n, size, &bytes));
    return arena_alloc(a, bytes);
}

struct str arena_str(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return (struct str){ p, s.n };
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    check(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return (struct str){ p, (size_t)n };
}

void *arena_grow(struct arena *a, void *array, size_t n, size_t *cap, size_t item_size)
{
    if (n < *cap) return array;
    size_t want = *cap ? *cap * 2 : 8;
    void *bigger = arena_array(a, want, item_size);
    if (n) memcpy(bigger, array, n * item_size);
    *cap = want;
    return bigger;
}
