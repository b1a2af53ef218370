/* hash.h - xxHash (XXH3), inlined: 128 bits where a collision would mix two things up, 64 for tables. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct hash128 {
    uint64_t lo, hi;
};

static inline struct hash128 hash128(const void *p, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(p, n);
    return (struct hash128){ h.low64, h.high64 };
}

static inline struct hash128 hash128_seed(const void *p, size_t n, uint64_t seed)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(p, n, seed);
    return (struct hash128){ h.low64, h.high64 };
}

static inline bool hash128_eq(struct hash128 a, struct hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

static inline uint64_t hash64(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}
