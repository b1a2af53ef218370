/* gather.c - see gather.h. Overlapping pieces are merged two neighbours at a time, so older and newer stay
 * what they are. */
#include "store/gather.h"

#include <string.h>

#include "base/mem.h"

void gather_release(struct gather *g)
{
    mem_free(g->time_ms);
    mem_free(g->time_spare);
    mem_free(g->bits);
    mem_free(g->bits_spare);
    mem_free(g->ends);
    *g = (struct gather){ 0 };
}

void gather_clear(struct gather *g)
{
    g->n = 0;
    g->n_pieces = 0;
}

static void reserve(struct gather *g, size_t n)
{
    if (g->n + n <= g->cap) return;
    size_t cap = g->cap ? g->cap : 256;
    while (cap < g->n + n) cap *= 2;
    g->time_ms = mem_realloc(g->time_ms, cap * sizeof g->time_ms[0]);
    g->bits = mem_realloc(g->bits, cap * sizeof g->bits[0]);
    mem_free(g->time_spare);
    mem_free(g->bits_spare);
    g->time_spare = NULL;
    g->bits_spare = NULL;
    g->cap = cap;
}

void gather_add(struct gather *g, const int64_t *time_ms, const void *bits, size_t n)
{
    if (n == 0) return;
    reserve(g, n);
    bool follows = g->n > 0 && time_ms[0] > g->time_ms[g->n - 1];
    memcpy(g->time_ms + g->n, time_ms, n * sizeof time_ms[0]);
    memcpy(g->bits + g->n, bits, n * sizeof g->bits[0]);
    g->n += n;
    if (!follows) {
        g->ends = mem_grow(g->ends, g->n_pieces, &g->cap_pieces, sizeof g->ends[0]);
        g->n_pieces++;
    }
    g->ends[g->n_pieces - 1] = g->n;
}

/* Merge the older run [a, b) and the newer [b, c) to `out` in the spare arrays; returns the new end. */
static size_t merge_two(struct gather *g, size_t a, size_t b, size_t c, size_t out)
{
    size_t i = a, j = b;
    while (i < b || j < c) {
        bool take_newer = i == b || (j < c && g->time_ms[j] <= g->time_ms[i]);
        size_t from = take_newer ? j : i;
        if (take_newer && i < b && g->time_ms[i] == g->time_ms[j])
            i++; /* the older one of the same time is gone */
        g->time_spare[out] = g->time_ms[from];
        g->bits_spare[out++] = g->bits[from];
        if (take_newer)
            j++;
        else
            i++;
    }
    return out;
}

static void swap_with_spare(struct gather *g)
{
    int64_t *t = g->time_ms;
    uint64_t *b = g->bits;
    g->time_ms = g->time_spare;
    g->bits = g->bits_spare;
    g->time_spare = t;
    g->bits_spare = b;
}

void gather_join(struct gather *g)
{
    if (g->n_pieces > 1 && g->time_spare == NULL) {
        g->time_spare = mem_alloc(g->cap * sizeof g->time_ms[0]);
        g->bits_spare = mem_alloc(g->cap * sizeof g->bits[0]);
    }
    while (g->n_pieces > 1) {
        size_t begin = 0, out = 0, pieces = 0;
        for (size_t i = 0; i < g->n_pieces; i += 2) {
            size_t mid = g->ends[i], end = i + 1 < g->n_pieces ? g->ends[i + 1] : mid;
            out = merge_two(g, begin, mid, end, out);
            begin = end;
            g->ends[pieces++] = out;
        }
        g->n = out;
        g->n_pieces = pieces;
        swap_with_spare(g);
    }
}
