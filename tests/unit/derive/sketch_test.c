#include "derive/sketch.h"

#include <math.h>

#include "unit/test.h"

#define MANY 200000

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static uint64_t seed = 88172645463325252u;
static double dice(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (double)(seed >> 11) / 9007199254740992.0;
}

/* How far the share of values up to the answer is from q, at best: equal values stretch over many ranks. */
static double rank_error(const float *sorted, size_t n, double q, double answer)
{
    size_t below = 0, upto = 0;
    while (below < n && sorted[below] < (float)answer) below++;
    upto = below;
    while (upto < n && sorted[upto] <= (float)answer) upto++;
    double lo = (double)below / (double)n, hi = (double)upto / (double)n;
    return q < lo ? lo - q : q > hi ? q - hi : 0;
}

static double values[MANY];
static float sorted[MANY];

static void fill(int shape, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double u = dice();
        values[i] = shape == 0   ? u
                    : shape == 1 ? exp(8 * u)
                    : shape == 2 ? (double)i
                    : shape == 3 ? (double)(n - i)
                    : shape == 4 ? floor(10 * u)
                                 : (i % 1000 == 0 ? 1e6 * u : u);
        sorted[i] = (float)values[i];
    }
    qsort(sorted, n, sizeof sorted[0], by_value);
}

/* S1-007: rank error at most 1 %, against sorting, for streams of six shapes. */
TEST(ranks_are_within_one_percent)
{
    for (int shape = 0; shape < 6; shape++) {
        struct sketch s = SKETCH_INIT;
        fill(shape, MANY);
        for (size_t i = 0; i < MANY; i++) sketch_add(&s, values[i]);
        for (double q = 0.01; q < 1; q += 0.01)
            EXPECT(rank_error(sorted, MANY, q, sketch_quantile(&s, q)) <= 0.01);
        EXPECT(rank_error(sorted, MANY, 0.999, sketch_quantile(&s, 0.999)) <= 0.01);
        EXPECT(s.n == MANY);
        sketch_release(&s);
    }
}

TEST(few_values_are_exact)
{
    struct sketch s = SKETCH_INIT;
    EXPECT(isnan(sketch_quantile(&s, 0.5)));
    for (int i = 100; i >= 1; i--) sketch_add(&s, i);
    sketch_add(&s, (double)NAN);
    EXPECT(sketch_quantile(&s, 0.5) == 50);
    EXPECT(sketch_quantile(&s, 0.99) == 99);
    EXPECT(sketch_quantile(&s, 0) == 1);
    EXPECT(sketch_quantile(&s, 1) == 100);
    sketch_clear(&s);
    EXPECT(isnan(sketch_quantile(&s, 0.5)));
    sketch_release(&s);
}

/* Parts of a stream merged answer as the whole does. */
TEST(merged_sketches_are_within_one_percent)
{
    struct sketch all = SKETCH_INIT;
    fill(1, MANY);
    for (size_t part = 0; part < 40; part++) {
        struct sketch s = SKETCH_INIT;
        for (size_t i = part * (MANY / 40); i < (part + 1) * (MANY / 40); i++) sketch_add(&s, values[i]);
        sketch_merge(&all, &s);
        sketch_release(&s);
    }
    EXPECT(all.n == MANY);
    for (double q = 0.01; q < 1; q += 0.01)
        EXPECT(rank_error(sorted, MANY, q, sketch_quantile(&all, q)) <= 0.01);
    sketch_release(&all);
}

TEST(memory_stays_small)
{
    struct sketch s = SKETCH_INIT;
    size_t held = 0;
    for (size_t i = 0; i < 5000000; i++) sketch_add(&s, (double)(i * 2654435761u % 1000003));
    for (size_t i = 0; i < SKETCH_LEVELS; i++) held += s.level[i].n;
    EXPECT(held <= SKETCH_ITEMS_MAX);
    EXPECT(sketch_bytes(&s) <= 20000);
    sketch_release(&s);
}

TESTS(CASE(ranks_are_within_one_percent), CASE(few_values_are_exact),
      CASE(merged_sketches_are_within_one_percent), CASE(memory_stays_small))
