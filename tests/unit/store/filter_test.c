#include "store/filter.h"

#include <math.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "unit/store/shape.h"
#include "unit/test.h"

enum { WORDS = FILTER_GROUP / 64 };

struct group {
    struct filter_builder *builder;
    struct buf bytes;
    struct filter f;
};

static void group_begin(struct group *g, enum filter_class class)
{
    *g = (struct group){ .builder = filter_builder_new(class), .bytes = BUF_INIT(256 << 20) };
}

static void group_end(struct group *g)
{
    size_t most = filter_bytes(g->builder), blocks = filter_blocks(g->builder);
    buf_clear(&g->bytes);
    filter_finish(g->builder, &g->bytes);
    EXPECT(g->bytes.n == most && filter_blocks(g->builder) == 0);
    EXPECT(filter_open(&g->f, buf_view(&g->bytes), NULL) == OK);
    EXPECT(g->f.n_blocks == blocks);
}

static void group_release(struct group *g)
{
    filter_builder_free(g->builder);
    buf_release(&g->bytes);
}

/* Hashes as from any source, but computable again: number i of block b. */
static uint64_t hash_no(uint64_t seed, size_t block, size_t i)
{
    struct dice d = { seed ^ (uint64_t)block << 32 ^ i };
    return roll(&d);
}

static void add_numbered(struct group *g, uint64_t seed, size_t block, size_t n)
{
    uint64_t *h = malloc((n + 1) * 2 * sizeof *h);
    for (size_t i = 0; i < n; i++) h[i] = h[n + i] = hash_no(seed, block, i); /* each twice */
    filter_add_block(g->builder, h, 2 * n);
    free(h);
}

static bool may_hold(const struct filter *f, uint64_t hash, size_t block)
{
    uint64_t c[WORDS];
    memset(c, 0xff, sizeof c);
    filter_probe(f, hash, c);
    for (size_t b = f->n_blocks; b < FILTER_GROUP; b++) EXPECT((c[b / 64] >> b % 64 & 1) == 0);
    return c[block / 64] >> block % 64 & 1;
}

/* ---- no answer is ever missing ---- */

TEST(what_a_block_holds_is_always_found_whatever_the_groups_size)
{
    static const size_t sizes[] = { 1, 2, 3, 4, 5, 7, 8, 9, 16, 63, 64, 65, 127, 130, 300, 511, 512 };
    struct dice d = { 1 };
    for (int class = 0; class < FILTER_CLASSES; class ++)
        for (size_t s = 0; s < COUNT(sizes); s++) {
            struct group g;
            size_t n[FILTER_GROUP];
            group_begin(&g, (enum filter_class) class);
            for (size_t b = 0; b < sizes[s]; b++)
                add_numbered(&g, s, b, n[b] = roll_below(&d, 4) ? roll_below(&d, 60) : roll_below(&d, 900));
            group_end(&g);
            for (size_t b = 0; b < sizes[s]; b++)
                for (size_t i = 0; i < n[b]; i += 1 + n[b] / 40) EXPECT(may_hold(&g.f, hash_no(s, b, i), b));
            group_release(&g);
        }
}

TEST(candidates_are_only_ever_taken_away)
{
    struct group g;
    group_begin(&g, FILTER_WORDS);
    for (size_t b = 0; b < 100; b++) add_numbered(&g, 1, b, 50);
    group_end(&g);
    uint64_t c[WORDS] = { 0x5555, 0 };
    filter_probe(&g.f, hash_no(1, 3, 7), c); /* block 3 is no candidate, though it holds it */
    EXPECT((c[0] & ~(uint64_t)0x5555) == 0 && c[1] == 0);
    group_release(&g);
}

TEST(zero_is_a_hash_like_others_and_an_empty_block_holds_nothing)
{
    struct group g;
    uint64_t zeros[3] = { 0, 0, 0 };
    group_begin(&g, FILTER_IDS);
    filter_add_block(g.builder, zeros, 3);
    filter_add_block(g.builder, NULL, 0);
    group_end(&g);
    EXPECT(may_hold(&g.f, 0, 0) && !may_hold(&g.f, 0, 1) && !may_hold(&g.f, 5, 1));
    group_release(&g);
}

TEST(a_block_of_too_many_hashes_may_hold_anything_and_its_neighbours_do_not)
{
    struct group g;
    group_begin(&g, FILTER_WORDS);
    add_numbered(&g, 1, 0, 100);
    add_numbered(&g, 1, 1, FILTER_HASHES_MAX + 1);
    add_numbered(&g, 1, 2, FILTER_HASHES_MAX);
    group_end(&g);
    size_t wrong = 0;
    for (size_t i = 0; i < 300; i++) {
        EXPECT(may_hold(&g.f, hash_no(9, 9, i), 1));
        wrong += may_hold(&g.f, hash_no(9, 9, i), 0) + may_hold(&g.f, hash_no(9, 9, i), 2);
    }
    EXPECT(wrong < 20);
    EXPECT(may_hold(&g.f, hash_no(1, 2, 77), 2));
    group_release(&g);
}

/* ---- as often wrong as theory says ---- */

/* n hashes of k independent bits each in m: all k bits asked for are set by chance. */
static double theory(double n, double m, double k)
{
    return pow(1 - exp(k * n * log1p(-1 / m)), k);
}

static void expect_theory(enum filter_class class, size_t hashes, size_t probes)
{
    struct group g;
    group_begin(&g, class);
    for (size_t b = 0; b < FILTER_GROUP; b++) add_numbered(&g, 7, b, hashes);
    group_end(&g);
    size_t wrong = 0;
    for (size_t i = 0; i < probes; i++) {
        uint64_t c[WORDS];
        memset(c, 0xff, sizeof c);
        filter_probe(&g.f, hash_no(8, 1u << 20, i), c);
        for (size_t w = 0; w < WORDS; w++) wrong += (size_t)__builtin_popcountll(c[w]);
    }
    double expect =
        theory((double)hashes, g.f.bits, class == FILTER_WORDS ? 10 : 20) * (double)probes * FILTER_GROUP;
    print_message("class %d, %zu hashes in %u bits: %zu wrong of %zu, theory %.0f\n", class, hashes, g.f.bits,
                  wrong, probes * FILTER_GROUP, expect);
    EXPECT(expect > 100); /* else chance decides */
    EXPECT((double)wrong < 1.5 * expect && (double)wrong > expect / 1.5);
    group_release(&g);
}

TEST(false_answers_are_as_many_as_theory_says)
{
    expect_theory(FILTER_WORDS, 5850, 2000); /* as crowded as can be: 11.2 bits a hash */
    expect_theory(FILTER_WORDS, 4100, 8000); /* 16 bits */
    expect_theory(FILTER_WORDS, 300, 4000);
    expect_theory(FILTER_IDS, 1412, 30000); /* 23.2 bits */
    expect_theory(FILTER_IDS, 44, 30000);   /* tiny: 1024 bits */
}

/* ---- copies ---- */

TEST(a_copied_block_answers_as_before_beside_larger_and_smaller_ones)
{
    struct group from, to;
    group_begin(&from, FILTER_WORDS);
    for (size_t b = 0; b < 70; b++) add_numbered(&from, 3, b, b == 69 ? FILTER_HASHES_MAX + 1 : 20 * b);
    group_end(&from);
    group_begin(&to, FILTER_WORDS);
    add_numbered(&to, 4, 0, 10);
    for (size_t b = 0; b < 70; b++) filter_copy_block(to.builder, &from.f, b);
    add_numbered(&to, 4, 1, 9000);
    group_end(&to);
    EXPECT(to.f.bits > from.f.bits && to.f.n_blocks == 72);
    for (size_t b = 0; b < 69; b++)
        for (size_t i = 0; i < 20 * b; i += 7) EXPECT(may_hold(&to.f, hash_no(3, b, i), b + 1));
    for (size_t i = 0; i < 3000; i++)
        for (size_t b = 60; b < 70; b++)
            EXPECT(may_hold(&to.f, hash_no(5, 5, i), b + 1) == may_hold(&from.f, hash_no(5, 5, i), b));
    EXPECT(may_hold(&to.f, hash_no(4, 0, 5), 0) && may_hold(&to.f, hash_no(4, 1, 5), 71));
    group_release(&from);
    group_release(&to);
}

/* ---- bytes ---- */

/* Computed apart from the code (a few lines of Python after the format): one block, the hash 1, words. */
TEST(the_bits_of_a_hash_are_those_of_the_format)
{
    static const uint8_t bits[] = { 1, 8, 11, 39, 44, 35, 30, 25, 40, 11 };
    struct group g;
    uint64_t one = 1;
    group_begin(&g, FILTER_WORDS);
    filter_add_block(g.builder, &one, 1);
    group_end(&g);
    uint64_t expect = 0, got = 0;
    for (size_t i = 0; i < COUNT(bits); i++) expect |= (uint64_t)1 << bits[i];
    for (size_t i = 0; i < 8; i++) got |= (uint64_t)g.f.rows[i] << 8 * i;
    EXPECT(g.f.bits == 64 && got == expect);
    EXPECT(g.bytes.n == 8 + 8 + 8 && memcmp(g.bytes.p + 16, "\0\x06\x01\0\0\0\0\0", 8) == 0);
    group_release(&g);
}

TEST(damaged_bytes_are_refused_or_harmless)
{
    struct group g;
    struct filter f;
    struct dice d = { 5 };
    group_begin(&g, FILTER_WORDS);
    for (size_t b = 0; b < 70; b++) add_numbered(&g, 1, b, 20);
    group_end(&g);
    for (size_t cut = 0; cut < g.bytes.n; cut += 1 + cut / 20)
        EXPECT(filter_open(&f, str_make(g.bytes.p, cut), NULL) == ERR_CORRUPT);
    for (int i = 0; i < 2000; i++) {
        size_t at = g.bytes.n - 1 - roll_below(&d, i % 2 ? 24 : g.bytes.n);
        char before = g.bytes.p[at];
        g.bytes.p[at] = (char)roll(&d);
        if (filter_open(&f, buf_view(&g.bytes), NULL) == OK) may_hold(&f, roll(&d), 0);
        g.bytes.p[at] = before;
    }
    g.bytes.p[g.bytes.n - 9] = (char)0x80; /* block 127 of 70 is full */
    EXPECT(filter_open(&f, buf_view(&g.bytes), NULL) == ERR_CORRUPT);
    group_release(&g);
}

/* ---- words ---- */

struct hashes {
    uint64_t *at;
    size_t n, cap;
};

static bool of_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 128;
}

/* By the letter of the header. */
static void words_plainly(struct str s, struct hashes *h)
{
    for (size_t i = 0, from; i < s.n; i++) {
        char text[64];
        for (from = i; i < s.n && of_word((unsigned char)s.p[i]); i++)
            if (i - from < 64) text[i - from] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
        if (i - from < 2) continue;
        h->at = mem_grow(h->at, h->n, &h->cap, 8);
        h->at[h->n++] = hash64(text, i - from < 64 ? i - from : 64);
    }
}

static void expect_words(struct str s)
{
    struct hashes a = { 0 }, b = { 0 };
    filter_words(s, &a.at, &a.n, &a.cap);
    words_plainly(s, &b);
    EXPECT(a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n * 8) == 0));
    mem_free(a.at);
    mem_free(b.at);
}

static size_t random_text(struct dice *d, char *p, size_t most)
{
    size_t n = roll_below(d, most + 1), longest = roll_below(d, 20) ? 12 : 3000;
    for (size_t i = 0; i < n;) {
        for (size_t run = roll_below(d, longest); run > 0 && i < n; run--)
            p[i++] = "abcxyzABCXYZ0189__\x80\xc3\xff"[roll_below(d, 21)];
        if (i < n) p[i++] = " @[`{/:\x7f\0-.=\n"[roll_below(d, 13)];
    }
    return n;
}

TEST(words_are_the_runs_of_the_text_wherever_stretches_end)
{
    static char text[10000];
    struct dice d = { 6 };
    for (int i = 0; i < 3000; i++)
        expect_words(str_make(text, random_text(&d, text, i % 3 ? 200 : sizeof text)));
    for (size_t n = 0; n <= 400; n++) { /* one run around the end of a stretch and the longest word */
        memset(text, 'a', sizeof text);
        text[2048 - 200 + n / 2] = ' ';
        expect_words(str_make(text, 2048 - 100 + n));
        memset(text, '.', sizeof text);
        memset(text + 1900 + n, 'w', 64 + n % 3 - 1);
        expect_words(str_make(text, 4200));
    }
    for (int c = 0; c < 256; c++) {
        memset(text, 'q', 40);
        text[3] = text[20] = (char)c;
        expect_words(str_make(text, 40));
    }
}

TEST(a_word_is_hashed_alike_alone_in_text_and_in_any_case)
{
    struct hashes h = { 0 };
    filter_words(STR("Error: cannot OPEN socket_9"), &h.at, &h.n, &h.cap);
    EXPECT(h.n == 4 && h.at[0] == filter_word_hash(STR("error")) && h.at[2] == filter_word_hash(STR("open")));
    EXPECT(h.at[3] == filter_word_hash(STR("SOCKET_9")));
    mem_free(h.at);
    char more[100];
    memset(more, 'k', sizeof more);
    EXPECT(filter_word_hash(str_make(more, 100)) == filter_word_hash(str_make(more, 64)));
    EXPECT(filter_word_hash(str_make(more, 64)) != filter_word_hash(str_make(more, 63)));
}

TEST(a_text_that_contains_a_needle_has_its_words)
{
    static char text[6000];
    struct dice d = { 7 };
    size_t asked = 0;
    for (int i = 0; i < 3000; i++) {
        size_t n = random_text(&d, text, i % 10 ? 300 : sizeof text);
        size_t from = roll_below(&d, n + 1), m = roll_below(&d, n - from + 1);
        struct hashes of_text = { 0 }, of_needle = { 0 };
        filter_words(str_make(text, n), &of_text.at, &of_text.n, &of_text.cap);
        filter_needle_words(str_make(text + from, m), &of_needle.at, &of_needle.n, &of_needle.cap);
        for (size_t w = 0; w < of_needle.n; w++) {
            size_t at = 0;
            while (at < of_text.n && of_text.at[at] != of_needle.at[w]) at++;
            EXPECT(at < of_text.n);
        }
        asked += of_needle.n;
        mem_free(of_text.at);
        mem_free(of_needle.at);
    }
    EXPECT(asked > 10000);
    struct hashes h = { 0 };
    filter_needle_words(STR("timeout"), &h.at, &h.n, &h.cap);
    filter_needle_words(STR("connect timeout"), &h.at, &h.n, &h.cap);
    EXPECT(h.n == 0);
    filter_needle_words(STR("time out now"), &h.at, &h.n, &h.cap);
    EXPECT(h.n == 1 && h.at[0] == filter_word_hash(STR("out")));
    mem_free(h.at);
}

TEST(pairs_differ_in_scope_key_and_where_the_key_ends)
{
    uint64_t a = filter_pair_hash(1, STR("ab"), STR("c")), b = filter_pair_hash(1, STR("a"), STR("bc"));
    EXPECT(a != b && a != filter_pair_hash(2, STR("ab"), STR("c")) &&
           a != filter_pair_hash(1, STR("ab"), STR("d")));
    EXPECT(a == filter_pair_hash(1, STR("ab"), STR("c")));
    EXPECT(filter_pair_hash(1, STR(""), STR("")) != filter_pair_hash(2, STR(""), STR("")));
}

TESTS(CASE(what_a_block_holds_is_always_found_whatever_the_groups_size),
      CASE(candidates_are_only_ever_taken_away),
      CASE(zero_is_a_hash_like_others_and_an_empty_block_holds_nothing),
      CASE(a_block_of_too_many_hashes_may_hold_anything_and_its_neighbours_do_not),
      CASE(false_answers_are_as_many_as_theory_says),
      CASE(a_copied_block_answers_as_before_beside_larger_and_smaller_ones),
      CASE(the_bits_of_a_hash_are_those_of_the_format), CASE(damaged_bytes_are_refused_or_harmless),
      CASE(words_are_the_runs_of_the_text_wherever_stretches_end),
      CASE(a_word_is_hashed_alike_alone_in_text_and_in_any_case),
      CASE(a_text_that_contains_a_needle_has_its_words),
      CASE(pairs_differ_in_scope_key_and_where_the_key_ends))
