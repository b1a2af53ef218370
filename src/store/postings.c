#include "store/postings.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* Sizes that leave no gap in malloc's 16-byte steps (it keeps 8 bytes itself); a quarter more each
 * time once large. */
static uint32_t next_cap(uint32_t n)
{
    uint32_t want = n < 16 ? n * 2 : n + n / 4;
    return ((want * 4 + 8 + 15) / 16 * 16 - 8) / 4;
}

void postings_add(struct postings *p, uint32_t row, size_t *bytes)
{
    uint32_t room = p->cap ? p->cap : (uint32_t)COUNT(p->near);
    if (p->n == room) {
        uint32_t cap = next_cap(p->n + 1);
        uint32_t *far = mem_realloc(p->cap ? p->far : NULL, cap * sizeof *far);
        if (p->cap == 0) memcpy(far, p->near, sizeof p->near);
        *bytes += (cap - p->cap) * sizeof *far + (p->cap ? 0 : 8); /* 8: malloc's own word */
        p->far = far;
        p->cap = cap;
    }
    uint32_t *rows = p->cap ? p->far : p->near;
    check(p->n == 0 || rows[p->n - 1] < row);
    rows[p->n++] = row;
}

void postings_release(struct postings *p)
{
    if (p->cap) mem_free(p->far);
    *p = (struct postings){ 0 };
}

/* The first place at or after `from` whose row is >= row: steps of 1, 2, 4 ..., then halving. */
static size_t gallop(const uint32_t *b, size_t from, size_t n, uint32_t row)
{
    size_t step = 1, low = from;
    while (from < n && b[from] < row) {
        low = from + 1;
        from += step;
        step *= 2;
    }
    size_t high = MIN(from, n);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (b[mid] < row)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

size_t postings_intersect(uint32_t *a, size_t n, const uint32_t *b, size_t n_b)
{
    size_t kept = 0, at = 0;
    for (size_t i = 0; i < n && at < n_b; i++) {
        at = gallop(b, at, n_b, a[i]);
        if (at < n_b && b[at] == a[i]) a[kept++] = a[i];
    }
    return kept;
}

size_t rows_list(const uint64_t *bits, size_t n_words, uint32_t *out)
{
    size_t n = 0;
    for (size_t w = 0; w < n_words; w++)
        for (uint64_t left = bits[w]; left != 0; left &= left - 1)
            out[n++] = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(left));
    return n;
}

size_t rows_count(const uint64_t *bits, size_t n_words)
{
    size_t n = 0;
    for (size_t w = 0; w < n_words; w++) n += (size_t)__builtin_popcountll(bits[w]);
    return n;
}

static bool is_sorted(const uint64_t *keys, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (keys[i - 1] > keys[i]) return false;
    return true;
}

static void sort_by_byte(const uint64_t *from, uint64_t *to, size_t n, unsigned shift)
{
    size_t at[256] = { 0 };
    for (size_t i = 0; i < n; i++) at[from[i] >> shift & 255]++;
    for (size_t b = 0, sum = 0; b < 256; b++) {
        size_t count = at[b];
        at[b] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) to[at[from[i] >> shift & 255]++] = from[i];
}

void keys_sort(uint64_t *keys, size_t n, uint64_t *scratch)
{
    if (is_sorted(keys, n)) return;

    uint64_t differ = 0, *from = keys, *to = scratch;
    for (size_t i = 1; i < n; i++) differ |= keys[i] ^ keys[0];
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if ((differ >> shift & 255) == 0) continue;
        sort_by_byte(from, to, n, shift);
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys) memcpy(keys, from, n * sizeof *keys);
}
