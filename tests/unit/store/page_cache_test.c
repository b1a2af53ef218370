#include "store/page_cache.h"

#include <pthread.h>

#include "base/check.h"
#include "unit/store/shape.h"
#include "unit/test.h"

static const size_t budget = 1 << 20;

/* What page (file, at) holds; its length depends on it, too. */
static struct str page_text(char *p, size_t cap, uint64_t file, uint64_t at)
{
    struct dice d = { file << 32 ^ at };
    size_t n = roll_below(&d, cap);
    for (size_t i = 0; i < n; i++) p[i] = (char)(roll(&d) >> 5);
    return str_make(p, n);
}

static void add(struct page_cache *c, uint64_t file, uint64_t at, size_t n)
{
    static char zeros[1 << 20];
    page_cache_unref(page_cache_add(c, file, at, str_make(zeros, n)));
}

static bool has(struct page_cache *c, uint64_t file, uint64_t at)
{
    const struct cached_page *p = page_cache_find(c, file, at);
    page_cache_unref(p);
    return p != NULL;
}

TEST(a_page_added_is_found_under_its_file_and_offset_only)
{
    struct page_cache *c = page_cache_new(budget);
    uint64_t a = page_cache_file(c), b = page_cache_file(c);
    EXPECT(a != b);
    const struct cached_page *p = page_cache_add(c, a, 4096, STR("hello")), *q;
    EXPECT(str_is(p->raw, "hello") && (uintptr_t)p->raw.p % 16 == 0);
    q = page_cache_find(c, a, 4096);
    EXPECT(q == p && !has(c, b, 4096) && !has(c, a, 4097));
    page_cache_unref(p);
    page_cache_unref(q);
    p = page_cache_add(c, a, 4096, STR("other")); /* the first one stays */
    EXPECT(str_is(p->raw, "hello"));
    page_cache_unref(p);
    page_cache_unref(NULL);
    page_cache_free(c);
}

TEST(the_budget_holds_and_a_page_in_use_survives_every_eviction)
{
    struct page_cache *c = page_cache_new(budget);
    struct page_cache_stats st;
    const struct cached_page *held = page_cache_add(c, 0, 0, STR("held"));
    for (uint64_t at = 1; at < 3000; at++) {
        add(c, 0, at, 5000);
        page_cache_stats(c, &st);
        EXPECT(st.bytes <= st.budget && st.budget <= budget);
    }
    EXPECT(st.evictions > 2000 && st.pages > 100 && str_is(held->raw, "held") && has(c, 0, 0));
    page_cache_drop(c, 0);
    page_cache_stats(c, &st);
    EXPECT(st.pages == 0 && st.bytes == 0 && !has(c, 0, 0));
    EXPECT(str_is(held->raw, "held"));
    page_cache_unref(held);
    page_cache_free(c);
}

/* Many small pages are asked for again and again while others pass once. */
TEST(a_scan_does_not_push_out_what_is_asked_for_often)
{
    struct page_cache *c = page_cache_new(budget);
    size_t hot = 0;
    for (uint64_t at = 0; at < 64; at++) add(c, 1, at, 4000);
    for (uint64_t at = 0; at < 20000; at++) {
        has(c, 1, at % 64); /* again before a quarter of the cache has passed */
        add(c, 2, at, 4000);
    }
    for (uint64_t at = 0; at < 64; at++) hot += has(c, 1, at);
    EXPECT(hot >= 60); /* which shard is chance */
    page_cache_free(c);
}

TEST(what_is_too_large_or_has_no_room_is_lent_but_not_kept)
{
    struct page_cache *c = page_cache_new(budget), *none = page_cache_new(0);
    static char large[1 << 17];
    const struct cached_page *p = page_cache_add(c, 1, 1, str_make(large, sizeof large)), *many[2000];
    EXPECT(p->raw.n == sizeof large && !has(c, 1, 1));
    page_cache_unref(p);
    for (size_t i = 0; i < COUNT(many); i++) many[i] = page_cache_add(c, 2, i, str_make(large, 3000));
    struct page_cache_stats st;
    page_cache_stats(c, &st);
    EXPECT(st.refused > 1000 && st.bytes <= st.budget);
    for (size_t i = 0; i < COUNT(many); i++) page_cache_unref(many[i]);
    add(c, 3, 3, 3000);
    EXPECT(has(c, 3, 3)); /* once they are given back there is room again */
    p = page_cache_add(none, 1, 1, STR("x"));
    EXPECT(str_is(p->raw, "x") && !has(none, 1, 1));
    page_cache_unref(p);
    page_cache_free(c);
    page_cache_free(none);
}

/* ---- many threads ---- */

enum { THREADS = 4, ROUNDS = 20000, PAGES = 400, LONGEST = 6000 };

struct reader {
    struct page_cache *cache;
    uint64_t seed;
    size_t wrong;
};

static void *read_pages(void *ctx)
{
    struct reader *r = ctx;
    struct dice d = { r->seed };
    char text[LONGEST];
    const struct cached_page *held[8] = { NULL };
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t file = roll_below(&d, 4), at = roll_below(&d, PAGES);
        struct str expect = page_text(text, LONGEST, file, at);
        const struct cached_page *p = page_cache_find(r->cache, file, at);
        if (p == NULL) p = page_cache_add(r->cache, file, at, expect);
        r->wrong += !str_eq(p->raw, expect);
        size_t h = roll_below(&d, 8);
        page_cache_unref(held[h]);
        held[h] = p;
        if (roll_below(&d, 3000) == 0) page_cache_drop(r->cache, file);
    }
    for (size_t h = 0; h < COUNT(held); h++) page_cache_unref(held[h]);
    return NULL;
}

TEST(readers_in_many_threads_always_see_the_page_they_asked_for)
{
    struct page_cache *c = page_cache_new(budget);
    struct reader r[THREADS];
    pthread_t t[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        r[i] = (struct reader){ c, i, 0 };
        EXPECT(pthread_create(&t[i], NULL, read_pages, &r[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        EXPECT(r[i].wrong == 0);
    }
    struct page_cache_stats st;
    page_cache_stats(c, &st);
    EXPECT(st.hits + st.misses == (uint64_t)THREADS * ROUNDS && st.hits > 0 && st.bytes <= st.budget);
    page_cache_free(c);
}

TEST(a_lower_limit_and_emptying_spare_pages_in_use_only)
{
    struct page_cache *c = page_cache_new(budget);
    struct page_cache_stats st;
    for (uint64_t at = 0; at < 500; at++) add(c, 1, at, 1000);
    const struct cached_page *held = page_cache_find(c, 1, 7);
    EXPECT(held != NULL);
    page_cache_limit(c, budget / 8);
    page_cache_stats(c, &st);
    EXPECT(st.budget == budget / 8 && st.bytes <= st.budget && st.bytes > st.budget / 2);
    EXPECT(has(c, 1, 7));
    page_cache_empty(c);
    page_cache_stats(c, &st);
    EXPECT(st.pages == 1 && has(c, 1, 7));
    page_cache_unref(held);
    page_cache_empty(c);
    page_cache_stats(c, &st);
    EXPECT(st.pages == 0 && st.bytes == 0 && !has(c, 1, 7));
    page_cache_free(c);
}

TESTS(CASE(a_page_added_is_found_under_its_file_and_offset_only),
      CASE(the_budget_holds_and_a_page_in_use_survives_every_eviction),
      CASE(a_scan_does_not_push_out_what_is_asked_for_often),
      CASE(what_is_too_large_or_has_no_room_is_lent_but_not_kept),
      CASE(readers_in_many_threads_always_see_the_page_they_asked_for),
      CASE(a_lower_limit_and_emptying_spare_pages_in_use_only))
