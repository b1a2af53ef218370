/* shape.h - columns of every character, from a seed: what the store's property tests are fed with. */
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "model/histogram.h"

struct dice {
    uint64_t s;
};

static inline uint64_t roll(struct dice *d) /* splitmix64 */
{
    uint64_t z = d->s += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}
static inline uint64_t roll_below(struct dice *d, uint64_t n)
{
    return roll(d) % n;
}
static inline double roll_unit(struct dice *d)
{
    return (double)(roll(d) >> 11) * 0x1p-53;
}

enum { VALUE_SHAPES = 14, TIME_SHAPES = 6, INT_SHAPES = 9 };

static inline double odd_double(struct dice *d)
{
    static const uint64_t odd[] = { STALE_BITS,
                                    NAN_BITS,
                                    0x8000000000000000ull,
                                    0x7ff0000000000000ull,
                                    0xfff0000000000000ull,
                                    1,
                                    0x000fffffffffffffull,
                                    0x7fefffffffffffffull,
                                    0xfff8deadbeef1234ull,
                                    0x4340000000000000ull,
                                    0xc340000000000001ull,
                                    0x43e0000000000000ull,
                                    0xc3e0000000000000ull };
    return double_of(odd[roll_below(d, COUNT(odd))]);
}

static inline void shape_values(struct dice *d, unsigned shape, double *v, size_t n)
{
    double at = (double)roll_below(d, 100000), scale = pow(10, (double)roll_below(d, 16));
    double fixed = roll_below(d, 2) ? odd_double(d) : at / 8;
    for (size_t i = 0; i < n; i++) switch (shape) {
        case 0: v[i] = fixed; break;
        case 1: v[i] = at += (double)roll_below(d, 50); break;
        case 2: v[i] = at += 15; break;
        case 3: v[i] = round(at * 10 + roll_unit(d) * 200) / 10; break;
        case 4: v[i] = round(roll_unit(d) * 1e5) / 1000; break;
        case 5: v[i] = double_of(roll(d)); break;
        case 6: v[i] = roll_below(d, 30) ? at + (double)roll_below(d, 3) : odd_double(d); break;
        case 7: v[i] = odd_double(d); break;
        case 8: v[i] = roll_below(d, 50) ? 4096.0 * (double)roll_below(d, 1 << 20) : 1; break;
        case 9: v[i] = at += roll_unit(d); break;
        case 10: v[i] = roll_below(d, 100) ? (at += (double)roll_below(d, 9)) : (at = 0); break;
        case 11: v[i] = round(roll_unit(d) * scale) / scale; break;
        case 12: v[i] = -(double)(roll(d) >> roll_below(d, 64)); break;
        default: v[i] = sin((double)i / 20) * scale; break;
        }
}

static inline void shape_ints(struct dice *d, unsigned shape, int64_t *v, size_t n)
{
    uint64_t at = roll(d) >> roll_below(d, 64), step = roll_below(d, 100000);
    for (size_t i = 0; i < n; i++) switch (shape) {
        case 0: v[i] = (int64_t)at; break;
        case 1: v[i] = (int64_t)(at += step); break;
        case 2: v[i] = (int64_t)(at += step + roll_below(d, 20)); break;
        case 3: v[i] = (int64_t)(at + roll_below(d, 1000) - 500); break;
        case 4: v[i] = (int64_t)roll(d); break;
        case 5: v[i] = (int64_t)(roll(d) >> roll_below(d, 64)); break;
        case 6: v[i] = roll_below(d, 40) ? (int64_t)(at += 3) : (int64_t)(at = roll(d)); break;
        case 7: v[i] = (int64_t)(roll_below(d, 9) * 1024 * 1000); break;
        default: v[i] = i % 2 ? INT64_MIN : INT64_MAX; break;
        }
}

/* Strictly rising. */
static inline void shape_times(struct dice *d, unsigned shape, int64_t *t, size_t n, int64_t from)
{
    int64_t step = (int64_t[]){ 1, 1000, 15000, 60000, 7 }[roll_below(d, 5)], at = from;
    for (size_t i = 0; i < n; i++) switch (shape) {
        case 0:
        case 1: t[i] = at, at += step; break;
        case 2: t[i] = from + (int64_t)i * 15000 + (int64_t)roll_below(d, 40); break;
        case 3: t[i] = at, at += 1 + (int64_t)roll_below(d, 100000); break;
        case 4: t[i] = at, at += 15000 * (roll_below(d, 20) ? 1 : 3); break;
        default: t[i] = at, at += 1 + (int64_t)(roll(d) >> (30 + roll_below(d, 33))); break;
        }
}

static inline struct hist_span *shape_spans(struct dice *d, struct arena *a, uint32_t *n, uint32_t *buckets)
{
    *n = (uint32_t)roll_below(d, 5);
    *buckets = 0;
    struct hist_span *s = arena_zero(a, (*n + 1) * sizeof *s);
    for (uint32_t i = 0; i < *n; i++) {
        s[i].offset = (int32_t)roll_below(d, 9) - (i == 0 ? 4 : 0);
        *buckets += s[i].length = (uint32_t)roll_below(d, 7);
    }
    return s;
}

/* A run of histograms whose layout changes now and then, counters mostly, now and then odd. */
static inline void shape_histograms(struct dice *d, struct arena *a, struct histogram **out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct histogram *h = out[i] = arena_zero(a, sizeof *h);
        if (i == 0 || roll_below(d, 12) == 0) {
            h->schema = roll_below(d, 5) ? (int32_t)roll_below(d, 13) - 4 : HISTOGRAM_CUSTOM;
            h->reset = (uint8_t)roll_below(d, 4);
            h->zero_threshold = h->schema == HISTOGRAM_CUSTOM ? 0 : roll_unit(d) / 1000;
            h->pos_spans = shape_spans(d, a, &h->n_pos_spans, &h->n_pos);
            if (h->schema != HISTOGRAM_CUSTOM) h->neg_spans = shape_spans(d, a, &h->n_neg_spans, &h->n_neg);
            if (h->schema == HISTOGRAM_CUSTOM) {
                h->n_custom = 60;
                h->custom = arena_array(a, 60, sizeof(double));
                for (uint32_t k = 0; k < 60; k++) h->custom[k] = k * 0.25;
            }
        } else {
            *h = *out[i - 1];
        }
        const struct histogram *before =
            i && out[i - 1]->n_pos == h->n_pos && out[i - 1]->n_neg == h->n_neg ? out[i - 1] : NULL;
        h->pos = arena_zero(a, (h->n_pos + 1) * sizeof(double));
        h->neg = arena_zero(a, (h->n_neg + 1) * sizeof(double));
        for (uint32_t k = 0; k < h->n_pos; k++)
            h->pos[k] = (before ? before->pos[k] : 0) + (double)roll_below(d, 20);
        for (uint32_t k = 0; k < h->n_neg; k++) h->neg[k] = (before ? before->neg[k] : 0) + roll_unit(d);
        h->sum = roll_below(d, 20) ? roll_unit(d) * 1000 : odd_double(d);
        h->count = (double)(i * 7);
        h->zero_count = roll_below(d, 2) ? 0 : (double)i;
    }
}

static inline bool same_array(const void *a, const void *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

static inline bool same_histogram(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && a->reset == b->reset &&
           same_array(&a->zero_threshold, &b->zero_threshold, 32) && a->n_pos_spans == b->n_pos_spans &&
           a->n_neg_spans == b->n_neg_spans && a->n_pos == b->n_pos && a->n_neg == b->n_neg &&
           a->n_custom == b->n_custom &&
           same_array(a->pos_spans, b->pos_spans, a->n_pos_spans * sizeof *a->pos_spans) &&
           same_array(a->neg_spans, b->neg_spans, a->n_neg_spans * sizeof *a->neg_spans) &&
           same_array(a->pos, b->pos, a->n_pos * 8) && same_array(a->neg, b->neg, a->n_neg * 8) &&
           same_array(a->custom, b->custom, a->n_custom * 8);
}
