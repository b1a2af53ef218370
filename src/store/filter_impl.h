/* filter_impl.h - what building and asking a filter share (filter.c, filter_build.c).
 *
 *     group:    | rows: 2^log2_bits of row_bits each, LSB first | full u64 a 64 blocks | trailer |
 *     trailer:  | class u8 | log2_bits u8 | blocks u16 | zero u32 |                  little-endian
 *
 * Rows come first so that those of 64 bytes begin where a cache line does. row_bits: 1, 2 or 4 for so many
 * blocks or fewer, else 8 for each begun eight.
 *
 * Bit of probe i of a hash: 21 bits i % 3 from the bottom of splitmix64's output i / 3 for the seed `hash`,
 * modulo the bits. Independent bits rather than two hashes added up: of small bitmaps those would make as
 * many false positives as the theory allows the whole filter of ids. Taken modulo a power of two, so that a
 * bitmap put behind itself answers as before. */
#pragma once
#include "base/check.h"
#include "store/filter.h"

#define FILTER_TRAILER   8u
#define FILTER_LOG2_MIN  6u
#define FILTER_LOG2_MAX  21u
#define FILTER_PROBES    20u /* of any class */
#define FILTER_PER_ROUND 3u
#define FILTER_ROOM      (FILTER_PROBES + FILTER_PER_ROUND - 1)

struct filter_kind {
    unsigned bits, probes; /* a hash */
};
/* On disk: a class never changes. */
static const struct filter_kind filter_kinds[FILTER_CLASSES] = {
    [FILTER_WORDS] = { 14, 10 }, [FILTER_IDS] = { 29, 20 }
};

static inline uint64_t filter_mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* Room for FILTER_ROOM at `at`; the first `probes` count. */
static inline void filter_positions(uint64_t hash, unsigned probes, uint32_t bits, uint32_t *at)
{
    for (unsigned i = 0; i < probes; i += FILTER_PER_ROUND) {
        uint64_t z = filter_mix(hash += 0x9e3779b97f4a7c15ull);
        for (unsigned j = 0; j < FILTER_PER_ROUND; j++) at[i + j] = (uint32_t)(z >> 21 * j) & (bits - 1);
    }
}

static inline uint32_t filter_row_bits(uint32_t n_blocks)
{
    return n_blocks > 4 ? (n_blocks + 7) / 8 * 8 : n_blocks > 2 ? 4 : n_blocks;
}

static inline size_t filter_group_bytes(uint32_t n_blocks, unsigned log2_bits)
{
    size_t rows = ((size_t)filter_row_bits(n_blocks) << log2_bits) / 8;
    return rows + (n_blocks + 63u) / 64 * 8 + FILTER_TRAILER;
}
