/* sketch.c - levels of values, each twice as heavy as the level beneath. A full level is sorted and every
 * other value of it goes up; whether the odd or the even ones is a coin's matter, and the next time it is the
 * other half, so that two errors in a row cancel out. Levels beneath the top hold two thirds of what the one
 * above holds: errors there weigh little. (Karnin, Lang, Liberty: Optimal Quantile Approximation in Streams)
 */
#include "derive/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

static uint32_t capacity(const struct sketch *s, uint32_t level)
{
    double width = SKETCH_WIDTH * pow(2.0 / 3.0, (double)(s->n_levels - 1 - level));
    return (uint32_t)MAX(width, (double)SKETCH_LEAST);
}

static void put(struct sketch *s, uint32_t level, float v)
{
    struct sketch_level *l = &s->level[level];
    if (l->n == l->cap) {
        size_t cap = l->cap;
        l->at = mem_grow(l->at, l->n, &cap, sizeof *l->at);
        l->cap = (uint32_t)cap;
    }
    l->at[l->n++] = v;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static bool coin(struct sketch *s)
{
    if (s->coin == 0) s->coin = 0x9e3779b97f4a7c15u;
    s->coin ^= s->coin << 13;
    s->coin ^= s->coin >> 7;
    s->coin ^= s->coin << 17;
    return s->coin & 1;
}

/* A level was the top once, and held more then than it ever will again. */
static void give_back(struct sketch *s, uint32_t level)
{
    struct sketch_level *l = &s->level[level];
    const size_t cap = MAX(2 * capacity(s, level), l->n);
    if (l->cap <= cap) return;
    float *at = mem_array(cap, sizeof *at);
    if (l->n > 0) memcpy(at, l->at, l->n * sizeof *at);
    mem_free(l->at);
    l->at = at;
    l->cap = (uint32_t)cap;
}

/* An odd one out stays. */
static void compact(struct sketch *s, uint32_t level)
{
    struct sketch_level *l = &s->level[level];
    const uint64_t bit = UINT64_C(1) << level;
    const uint32_t pairs = l->n / 2;
    bool second = s->pending & bit ? !(s->last & bit) : coin(s);
    s->pending ^= bit;
    s->last = second ? s->last | bit : s->last & ~bit;
    qsort(l->at, l->n, sizeof *l->at, by_value);
    for (uint32_t i = 0; i < pairs; i++) put(s, level + 1, l->at[2 * i + second]);
    if (l->n & 1) l->at[0] = l->at[l->n - 1];
    l->n &= 1;
    give_back(s, level);
}

static uint32_t held(const struct sketch *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_levels; i++) n += s->level[i].n;
    return n;
}

static uint32_t room(const struct sketch *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_levels; i++) n += capacity(s, i);
    return n;
}

/* The lowest level that is over its capacity goes up; there is one whenever all together are over theirs. */
static void shrink(struct sketch *s)
{
    while (held(s) > room(s))
        for (uint32_t i = 0; i < s->n_levels; i++) {
            if (s->level[i].n < capacity(s, i) || s->level[i].n < 2) continue;
            if (i + 1 == s->n_levels) {
                if (s->n_levels == SKETCH_LEVELS) return;
                s->n_levels++;
            }
            compact(s, i);
            break;
        }
}

void sketch_add(struct sketch *s, double value)
{
    if (isnan(value)) return;
    if (s->n_levels == 0) s->n_levels = 1;
    put(s, 0, (float)value);
    s->n++;
    if (s->level[0].n >= capacity(s, 0)) shrink(s);
}

void sketch_merge(struct sketch *to, const struct sketch *from)
{
    to->n_levels = MAX(to->n_levels, from->n_levels);
    for (uint32_t i = 0; i < from->n_levels; i++)
        for (uint32_t k = 0; k < from->level[i].n; k++) put(to, i, from->level[i].at[k]);
    to->n += from->n;
    if (to->n_levels > 0) shrink(to);
}

/* ---- asking ---- */

struct weighed {
    float value;
    uint64_t weight;
};

static int by_weighed(const void *a, const void *b)
{
    float x = ((const struct weighed *)a)->value, y = ((const struct weighed *)b)->value;
    return (x > y) - (x < y);
}

double sketch_quantile(const struct sketch *s, double q)
{
    uint32_t n = held(s), at = 0;
    uint64_t total = 0, seen = 0;
    if (n == 0 || isnan(q)) return (double)NAN;
    struct weighed *all = mem_array(n, sizeof *all);
    for (uint32_t i = 0; i < s->n_levels; i++)
        for (uint32_t k = 0; k < s->level[i].n; k++) {
            all[at++] = (struct weighed){ s->level[i].at[k], UINT64_C(1) << i };
            total += UINT64_C(1) << i;
        }
    qsort(all, n, sizeof *all, by_weighed);
    double rank = MIN(MAX(q, 0.0), 1.0) * (double)total;
    for (at = 0; at < n - 1; at++) {
        seen += all[at].weight;
        if ((double)seen >= rank) break;
    }
    double answer = (double)all[at].value;
    mem_free(all);
    return answer;
}

void sketch_clear(struct sketch *s)
{
    for (uint32_t i = 0; i < s->n_levels; i++) s->level[i].n = 0;
    s->n = 0;
    s->n_levels = 0;
}

void sketch_release(struct sketch *s)
{
    for (uint32_t i = 0; i < SKETCH_LEVELS; i++) mem_free(s->level[i].at);
    *s = (struct sketch)SKETCH_INIT;
}

size_t sketch_bytes(const struct sketch *s)
{
    size_t n = sizeof *s;
    for (uint32_t i = 0; i < SKETCH_LEVELS; i++) n += s->level[i].cap * sizeof(float);
    return n;
}
