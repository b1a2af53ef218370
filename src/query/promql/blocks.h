/* blocks.h - questions about a block of values at once, for loops that nearly always hear "no".
 *
 * Two values at a time without a branch: every machine that the compiler knows has registers for that. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 64

typedef double two_doubles __attribute__((vector_size(16)));
typedef int64_t two_bits __attribute__((vector_size(16)));

/* Is any of v[0, BLOCK) not a number? */
static inline bool block_has_nan(const double *v)
{
    two_bits found = { 0, 0 };
    for (size_t i = 0; i < BLOCK; i += 2) {
        two_doubles x;
        memcpy(&x, v + i, sizeof x);
        found |= (two_bits)(x != x);
    }
    return found[0] | found[1];
}

/* Is any of v[0, BLOCK) less than the one before it? v[-1] is read. */
static inline bool block_falls(const double *v)
{
    two_bits found = { 0, 0 };
    for (size_t i = 0; i < BLOCK; i += 2) {
        two_doubles before, x;
        memcpy(&before, v + i - 1, sizeof before);
        memcpy(&x, v + i, sizeof x);
        found |= (two_bits)(x < before);
    }
    return found[0] | found[1];
}
