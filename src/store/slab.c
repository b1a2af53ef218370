/* slab.c - see slab.h. Sorting: least significant digit first over words of (squeezed key, row number), which
 * is stable; only when some series turns out to run backwards in time are the rows put in order of time
 * before that. */
#include "store/slab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/mem.h"

#define ROW_BITS     16 /* a row number in a slab */
#define DIGIT_BITS   11
#define DIGITS       (1u << DIGIT_BITS)
#define ROW_BYTES    24
#define MAPPED_LEAST (128u << 10)

/* Large columns come from the kernel and go back to it: a flush must not leave the heap swollen. */
static char *columns_new(size_t bytes)
{
    if (bytes < MAPPED_LEAST) return mem_alloc(bytes);
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED);
    return p;
}

static void columns_free(void *p, size_t bytes)
{
    if (bytes < MAPPED_LEAST)
        mem_free(p);
    else
        munmap(p, bytes);
}

struct slab *slab_new(uint32_t day, enum row_kind kind, uint32_t cap)
{
    check(cap > 0 && cap <= SLAB_ROWS_MAX);
    struct slab *s = mem_alloc_zero(sizeof *s);
    char *columns = columns_new((size_t)cap * ROW_BYTES);

    atomic_init(&s->refs, 1);
    s->day = day;
    s->kind = kind;
    s->cap = cap;
    s->key = (series_key *)(void *)columns;
    s->time_ms = (int64_t *)(void *)(columns + (size_t)cap * 8);
    s->bits = (uint64_t *)(void *)(columns + (size_t)cap * 16);
    pthread_mutex_init(&s->mu, NULL);
    return s;
}

struct slab *slab_ref(struct slab *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void slab_unref(struct slab *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    slab_unref(s->twin);
    pthread_mutex_destroy(&s->mu);
    columns_free(s->key, (size_t)s->cap * ROW_BYTES);
    mem_free(s);
}

size_t slab_bytes(const struct slab *s)
{
    return sizeof *s + (size_t)s->cap * ROW_BYTES;
}

/* ---- order ---- */

static unsigned bit_length(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* Stable sort of words by the `bits` bits above ROW_BITS. The answer is in one of the two arrays. */
static uint64_t *radix_sort(uint64_t *words, uint64_t *other, uint32_t n, unsigned bits)
{
    for (unsigned shift = ROW_BITS; shift < ROW_BITS + bits; shift += DIGIT_BITS) {
        uint32_t at[DIGITS] = { 0 }, sum = 0;
        for (uint32_t i = 0; i < n; i++) at[words[i] >> shift & (DIGITS - 1)]++;
        for (uint32_t d = 0; d < DIGITS; d++) {
            uint32_t count = at[d];
            at[d] = sum;
            sum += count;
        }
        for (uint32_t i = 0; i < n; i++) other[at[words[i] >> shift & (DIGITS - 1)]++] = words[i];
        uint64_t *swap = words;
        words = other;
        other = swap;
    }
    return words;
}

/* How keys are squeezed: metric and series numbers count from their minima and take as few bits as they need.
 */
struct squeeze {
    uint32_t metric0, series0;
    unsigned series_bits, bits;
};

static struct squeeze squeeze_of(const struct slab *s, uint32_t n)
{
    uint32_t m0 = UINT32_MAX, m1 = 0, s0 = UINT32_MAX, s1 = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t m = (uint32_t)(s->key[i] >> 32), x = (uint32_t)s->key[i];
        m0 = MIN(m0, m);
        m1 = MAX(m1, m);
        s0 = MIN(s0, x);
        s1 = MAX(s1, x);
    }
    unsigned series_bits = bit_length(s1 - s0);
    return (struct squeeze){ m0, s0, series_bits, series_bits + bit_length(m1 - m0) };
}

static uint64_t squeezed(const struct squeeze *q, series_key key)
{
    return (uint64_t)((uint32_t)(key >> 32) - q->metric0) << q->series_bits | ((uint32_t)key - q->series0);
}

/* Keys too far apart for a word: numbers of metrics and series are dense, so this is for the tests of the
 * theory. */
static int by_key_then_row(const void *a, const void *b, void *ctx)
{
    const struct slab *s = ctx;
    uint32_t x = *(const uint64_t *)a & (SLAB_ROWS_MAX - 1), y = *(const uint64_t *)b & (SLAB_ROWS_MAX - 1);
    if (s->key[x] != s->key[y]) return s->key[x] < s->key[y] ? -1 : 1;
    if (s->time_ms[x] != s->time_ms[y]) return s->time_ms[x] < s->time_ms[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

static uint64_t *order_by_key(const struct slab *s, uint64_t *words, uint64_t *other, uint32_t n)
{
    struct squeeze q = squeeze_of(s, n);
    if (q.bits > 64 - ROW_BITS) {
        qsort_r(words, n, sizeof *words, by_key_then_row, (void *)(uintptr_t)s);
        return words;
    }
    uint64_t before = 0;
    bool in_order = true;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t row = words[i] & (SLAB_ROWS_MAX - 1), key = squeezed(&q, s->key[row]);
        words[i] = key << ROW_BITS | row;
        in_order &= key >= before;
        before = key;
    }
    return in_order ? words : radix_sort(words, other, n, q.bits);
}

static uint64_t *order_by_time(const struct slab *s, uint64_t *words, uint64_t *other, uint32_t n)
{
    int64_t midnight = (int64_t)s->day * DAY_MS;
    for (uint32_t i = 0; i < n; i++) words[i] = (uint64_t)(s->time_ms[i] - midnight) << ROW_BITS | i;
    return radix_sort(words, other, n, bit_length(DAY_MS - 1));
}

static bool runs_backwards(const struct slab *s, const uint64_t *words, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        uint32_t a = words[i - 1] & (SLAB_ROWS_MAX - 1), b = words[i] & (SLAB_ROWS_MAX - 1);
        if (s->time_ms[b] < s->time_ms[a] && s->key[a] == s->key[b]) return true;
    }
    return false;
}

static struct slab *gather(const struct slab *s, const uint64_t *words, uint32_t n)
{
    struct slab *t = slab_new(s->day, s->kind, n);
    t->min_ms = INT64_MAX;
    t->max_ms = INT64_MIN;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = words[i] & (SLAB_ROWS_MAX - 1);
        if (t->n > 0 && t->key[t->n - 1] == s->key[row] && t->time_ms[t->n - 1] == s->time_ms[row])
            t->n--; /* last wins */
        slab_add(t, s->key[row], s->time_ms[row], s->bits[row]);
        t->min_ms = MIN(t->min_ms, s->time_ms[row]);
        t->max_ms = MAX(t->max_ms, s->time_ms[row]);
    }
    t->published = t->n;
    t->is_sorted = true;
    return t;
}

static struct slab *sort_rows(const struct slab *s, uint32_t n)
{
    uint64_t *a = mem_alloc((size_t)n * 16), *b = a + n;
    for (uint32_t i = 0; i < n; i++) a[i] = i;

    uint64_t *order = order_by_key(s, a, b, n);
    if (runs_backwards(s, order, n)) {
        uint64_t *timed = order_by_time(s, a, b, n);
        order = order_by_key(s, timed, timed == a ? b : a, n);
    }
    struct slab *t = gather(s, order, n);
    mem_free(a);
    return t;
}

struct slab *slab_sorted(struct slab *s, uint32_t n)
{
    if (s->is_sorted) return slab_ref(s);

    pthread_mutex_lock(&s->mu);
    if (s->twin == NULL || s->twin_rows != n) {
        struct slab *fresh = sort_rows(s, n);
        slab_unref(s->twin);
        s->twin = fresh;
        s->twin_rows = n;
    }
    struct slab *t = slab_ref(s->twin);
    pthread_mutex_unlock(&s->mu);
    return t;
}

/* ---- search ---- */

uint32_t slab_find(const struct slab *s, uint32_t from, series_key key)
{
    uint32_t low = from, step = 1; /* all before low are smaller */
    while (low < s->n && s->key[low] < key) {
        uint32_t probe = s->n - low > step ? low + step : s->n;
        if (probe == s->n || s->key[probe] >= key) {
            uint32_t high = probe; /* first known not smaller, or the end */
            low++;
            while (low < high) {
                uint32_t mid = low + (high - low) / 2;
                if (s->key[mid] < key)
                    low = mid + 1;
                else
                    high = mid;
            }
            return low;
        }
        low = probe;
        step *= 2;
    }
    return low;
}

uint32_t slab_run_end(const struct slab *s, uint32_t begin)
{
    return s->key[begin] == UINT64_MAX ? s->n : slab_find(s, begin, s->key[begin] + 1);
}
