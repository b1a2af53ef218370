/* postings.h - sorted lists of row numbers, and what can be done with them.
 *
 * One list per label pair says which rows (series) have it. Rows are numbered as they come, so a list
 * only grows at its end. Two rows live inside the struct: most pairs of a churning label have one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct postings {
    union {
        uint32_t *far;
        uint32_t near[2];
    };
    uint32_t n, cap; /* cap 0: near */
};

void postings_add(struct postings *, uint32_t row,
                  size_t *bytes); /* row > all before; *bytes grows by what was allocated */
void postings_release(struct postings *);
static inline const uint32_t *postings_rows(const struct postings *p)
{
    return p->cap ? p->far : p->near;
}

/* Keep of a[0..n) (sorted) what is also in b (sorted); returns how many are left. Gallops through the
 * longer list. */
size_t postings_intersect(uint32_t *a, size_t n, const uint32_t *b, size_t n_b);

/* A set of rows as bits, for unions: one bit a row of the whole index. */
static inline void rows_set(uint64_t *bits, const uint32_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) bits[rows[i] >> 6] |= (uint64_t)1 << (rows[i] & 63);
}
static inline bool rows_has(const uint64_t *bits, uint32_t row)
{
    return bits[row >> 6] >> (row & 63) & 1;
}
size_t rows_list(const uint64_t *bits, size_t n_words, uint32_t *out); /* sorted; returns how many */
size_t rows_count(const uint64_t *bits, size_t n_words);

/* Sort keys: byte-wise radix, skipping bytes that all share; scratch has room for n. */
void keys_sort(uint64_t *keys, size_t n, uint64_t *scratch);
