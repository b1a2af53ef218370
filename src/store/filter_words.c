/* filter_words.c - what is hashed into filters: words of texts, pairs, ids. All XXH3 of 64 bits; part of the
 * format, so they never change.
 *
 *     word    of the lower-cased bytes, seed 0
 *     pair    of the value, seeded by the hash of the key, seeded by the scope
 *     id      of its bytes, seed 0
 *
 * A text is looked at in stretches of STRETCH bytes, 16 at a time: a bit for each byte says whether it is of
 * a word, and a lower-cased copy is what is hashed. A word that a stretch cuts off is begun again with the
 * next one, unless its first 64 bytes are there: then it is told at once and the rest of its run passed over.
 *
 * Always true: hashes told of a text are those of its maximal runs of word bytes, in order, wherever
 * stretches end. */
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/filter.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define STRETCH 2048u /* a multiple of 64, more than FILTER_WORD_MOST */

/* ---- bytes of words ---- */

static inline bool is_word_byte(unsigned char c)
{
    return c >= 0x80 || (unsigned)c - '0' < 10 || ((unsigned)c | 0x20) - 'a' < 26 || c == '_';
}

static inline char lower(char c)
{
    return (unsigned)(unsigned char)c - 'A' < 26 ? (char)(c | 0x20) : c;
}

struct stretch {
    uint64_t word[STRETCH / 64]; /* bit i: byte i is of a word; zeros beyond the text */
    char text[STRETCH];          /* lower-cased */
};

#if defined(__SSE2__)

/* Bytes x with first <= x <= first + more, for all of them below 0x80 or wrapped above. */
static inline __m128i within(__m128i x, char first, char more)
{
    __m128i above = _mm_sub_epi8(x, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8(more)), above);
}

static inline unsigned sixteen(const char *p, char *copy)
{
    const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p), bit = _mm_set1_epi8(0x20);
    __m128i upper = within(x, 'A', 25);
    __m128i folded = _mm_or_si128(x, _mm_and_si128(upper, bit));
    __m128i word = _mm_or_si128(within(folded, 'a', 25), within(x, '0', 9));
    word = _mm_or_si128(word, _mm_cmpeq_epi8(x, _mm_set1_epi8('_')));
    _mm_storeu_si128((__m128i *)(void *)copy, folded);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(word, x)); /* its top bits are those of bytes >= 0x80 */
}

#else

static inline unsigned sixteen(const char *p, char *copy)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < 16; i++) {
        bits |= (unsigned)is_word_byte((unsigned char)p[i]) << i;
        copy[i] = lower(p[i]);
    }
    return bits;
}

#endif

static void look_at(struct stretch *s, const char *p, size_t n)
{
    size_t i = 0;
    for (; i < (n + 63) / 64; i++) s->word[i] = 0;
    for (i = 0; i + 16 <= n; i += 16) s->word[i / 64] |= (uint64_t)sixteen(p + i, s->text + i) << i % 64;
    for (; i < n; i++) {
        s->word[i / 64] |= (uint64_t)is_word_byte((unsigned char)p[i]) << i % 64;
        s->text[i] = lower(p[i]);
    }
}

/* ---- words of a stretch ---- */

struct told {
    uint64_t *at;
    size_t n, cap;
};

static inline void tell(struct told *t, const char *p, size_t n)
{
    if (n < FILTER_WORD_LEAST) return;
    t->at = mem_grow(t->at, t->n, &t->cap, sizeof *t->at);
    t->at[t->n++] = hash64(p, MIN(n, (size_t)FILTER_WORD_MOST));
}

/* Tells the words that end before n. Where the last one began when it touches the end, else n. `inside`: the
 * run at the start has been told. */
static size_t tell_words(const struct stretch *s, size_t n, bool inside, struct told *t)
{
    size_t from = 0;
    bool open = inside, skip = inside;
    for (size_t w = 0; w * 64 < n; w++) {
        /* bits where a run begins or has just ended */
        uint64_t turns = s->word[w] ^ (s->word[w] << 1 | open);
        if (n - w * 64 < 64) turns &= ((uint64_t)1 << (n - w * 64)) - 1;
        for (; turns != 0; turns &= turns - 1, open = !open) {
            size_t at = w * 64 + (size_t)__builtin_ctzll(turns);
            if (open && !skip) tell(t, s->text + from, at - from);
            skip = false;
            from = at;
        }
    }
    return open && !skip ? from : open ? SIZE_MAX : n;
}

/* ---- words of a text ---- */

void filter_words(struct str text, uint64_t **at, size_t *n, size_t *cap)
{
    struct stretch s;
    struct told t = { *at, *n, *cap };
    bool inside = false; /* a long run that has been told */
    while (text.n > 0) {
        size_t m = MIN(text.n, (size_t)STRETCH);
        look_at(&s, text.p, m);
        size_t from = tell_words(&s, m, inside, &t);
        bool told = from == SIZE_MAX; /* to the end of the stretch */
        if (!told && from < m && (m == text.n || m - from >= FILTER_WORD_MOST)) {
            tell(&t, s.text + from, m - from);
            told = true;
        }
        inside = told;
        size_t done = told ? m : from;
        text = str_make(text.p + done, text.n - done);
    }
    *at = t.at;
    *n = t.n;
    *cap = t.cap;
}

uint64_t filter_word_hash(struct str word)
{
    char text[FILTER_WORD_MOST];
    size_t n = MIN(word.n, sizeof text);
    for (size_t i = 0; i < n; i++) text[i] = lower(word.p[i]);
    return hash64(text, n);
}

/* A run at either end may be part of a longer one in the text; those within are whole there, too. */
void filter_needle_words(struct str needle, uint64_t **at, size_t *n, size_t *cap)
{
    while (needle.n > 0 && is_word_byte((unsigned char)needle.p[0]))
        needle = str_make(needle.p + 1, needle.n - 1);
    while (needle.n > 0 && is_word_byte((unsigned char)needle.p[needle.n - 1])) needle.n--;
    filter_words(needle, at, n, cap);
}

/* ---- pairs and ids ---- */

uint64_t filter_pair_hash(uint8_t scope, struct str key, struct str value)
{
    uint64_t of_key = XXH3_64bits_withSeed(key.p, key.n, scope);
    return XXH3_64bits_withSeed(value.p, value.n, of_key);
}

uint64_t filter_id_hash(const void *id, size_t n)
{
    return hash64(id, n);
}
