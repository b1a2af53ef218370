/* demo_random.h - chance for the demo workload: small, seeded, not for anything that matters. */
#pragma once
#include <math.h>
#include <stdint.h>

struct demo_random {
    uint64_t state;
};

static inline double random_unit(struct demo_random *d) /* (0, 1]; SplitMix64 */
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)(((z ^ (z >> 31)) >> 11) + 1) * 0x1p-53;
}

static inline double random_normal(struct demo_random *d)
{
    return sqrt(-2 * log(random_unit(d))) * cos(2 * M_PI * random_unit(d));
}

static inline unsigned random_poisson(struct demo_random *d, double mean) /* Knuth; means here are small */
{
    double floor = exp(-mean), p = random_unit(d);
    unsigned n = 0;
    for (; p > floor && n < 1000; n++) p *= random_unit(d);
    return n;
}

/* Log-normal around a mean, with the spread that prompts show. */
static inline double random_tokens(struct demo_random *d, double mean)
{
    const double sigma = 0.9;
    return floor(1 + mean * exp(sigma * random_normal(d) - sigma * sigma / 2));
}
