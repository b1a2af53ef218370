/* codec_vector.h - the loops of decoding that every sample goes through, four values at a time.
 *
 * Each does a whole number of fours (unpack: eights) and says how many values that were; the caller does the
 * rest one by one, and everything where the machine cannot: then the answer is 0. Results are the same to the
 * bit. Pure functions. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values of `width` bits, 1 to 57, packed LSB first at p. Reads up to 8 bytes beyond the last value. */
size_t vector_unpack(const char *p, uint64_t *v, size_t n, unsigned width);

/* u[i] = first + (sum << shift), where sum is *value and all up to u[i], each of them unzigzagged if
 * is_zigzag, plus base. */
struct vector_sum {
    uint64_t first, base, value;
    unsigned shift;
    bool is_zigzag;
};
size_t vector_sums(uint64_t *u, size_t n, struct vector_sum *);

/* v[i] = (double)whole[i] / by, rounded as C does. */
size_t vector_divide(const int64_t *whole, double *v, size_t n, double by);

/* How many of the values from v[1] on have been seen to be greater than the one before; stops at the first
 * that is not. */
size_t vector_rises(const int64_t *v, size_t n);
