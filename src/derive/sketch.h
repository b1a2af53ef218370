/* sketch.h - quantiles of a stream in a few kilobytes: a KLL sketch. Two of them merge into one.
 *
 *     struct sketch s = SKETCH_INIT;
 *     sketch_add(&s, value);
 *     double p95 = sketch_quantile(&s, 0.95);       NAN while empty
 *     sketch_release(&s);
 *
 * Always true: of the value answered for q, the share of values up to it is within 0.01 of q, but for one
 * answer in a thousand (the tests hold it against sorting). Up to SKETCH_WIDTH values it is exact. It never
 * holds more than SKETCH_ITEMS_MAX values.
 *
 * Not for two threads. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKETCH_WIDTH     600
#define SKETCH_LEVELS    40
#define SKETCH_LEAST     8 /* values a level holds at least */
#define SKETCH_ITEMS_MAX (3 * SKETCH_WIDTH + SKETCH_LEVELS * SKETCH_LEAST)

struct sketch {
    uint64_t n; /* values added */
    struct sketch_level {
        float *at;
        uint32_t n, cap;
    } level[SKETCH_LEVELS]; /* a value of level i stands for 2^i */
    uint32_t n_levels;
    uint64_t pending, last; /* bit i: level i owes the other half; which half it kept */
    uint64_t coin;
};
#define SKETCH_INIT                                                                                          \
    {                                                                                                        \
        0                                                                                                    \
    }

void sketch_add(struct sketch *, double value); /* NaN is not added */
void sketch_merge(struct sketch *to, const struct sketch *from);
double sketch_quantile(const struct sketch *, double q);
void sketch_clear(struct sketch *); /* empty; memory kept */
void sketch_release(struct sketch *);
size_t sketch_bytes(const struct sketch *);
