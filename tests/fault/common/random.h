/* random.h - numbers that a seed decides, for tests that print their seed. xorshift64*; not for secrets. */
#pragma once
#include <stdint.h>

struct rnd {
    uint64_t s;
};

static inline uint64_t random_next(struct rnd *r)
{
    r->s ^= r->s >> 12;
    r->s ^= r->s << 25;
    r->s ^= r->s >> 27;
    return r->s * 2685821657736338717u;
}

static inline uint64_t random_below(struct rnd *r, uint64_t n)
{
    return (random_next(r) >> 11) % n;
}

/* Independent of its neighbours in seed and stream (splitmix64's mixing). */
static inline struct rnd random_of(uint64_t seed, uint64_t stream)
{
    uint64_t z = seed * 0x9e3779b97f4a7c15u + stream * 0xbf58476d1ce4e5b9u + 0x94d049bb133111ebu;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (struct rnd){ (z ^ (z >> 31)) | 1 };
}
