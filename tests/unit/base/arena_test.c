#include "base/arena.h"

#include "unit/test.h"

TEST(arena_aligns_every_allocation)
{
    struct arena a = ARENA_INIT(1 << 20);
    for (size_t n = 0; n < 100; n++) EXPECT((uintptr_t)arena_alloc(&a, n) % 16 == 0);
    arena_release(&a);
}

TEST(arena_keeps_pieces_apart)
{
    struct arena a = ARENA_INIT(64 << 20);
    char *pieces[300];
    for (int i = 0; i < 300; i++) { /* crosses many chunk borders */
        pieces[i] = arena_alloc(&a, (size_t)i * 37 + 1);
        memset(pieces[i], i, (size_t)i * 37 + 1);
    }
    for (int i = 0; i < 300; i++)
        for (int k = 0; k <= i * 37; k++) EXPECT((unsigned char)pieces[i][k] == (unsigned char)i);
    arena_release(&a);
}

TEST(arena_serves_what_is_larger_than_a_chunk)
{
    struct arena a = ARENA_INIT(64 << 20);
    char *p = arena_zero(&a, 5 << 20);
    EXPECT(p[0] == 0 && p[(5 << 20) - 1] == 0);
    EXPECT(a.used >= 5 << 20);
    arena_release(&a);
    EXPECT(a.used == 0 && a.budget == 64 << 20);
}

TEST(arena_reset_keeps_one_chunk_and_counts_it)
{
    struct arena a = ARENA_INIT(1 << 20);
    for (int i = 0; i < 100; i++) arena_alloc(&a, 1000);
    size_t before = a.used;
    arena_reset(&a);
    EXPECT(a.used > 0 && a.used < before);

    size_t kept = a.used;
    arena_alloc(&a, 16);
    EXPECT(a.used == kept); /* served from what was kept */
    arena_release(&a);

    arena_reset(&a); /* of an empty arena: nothing */
    EXPECT(a.used == 0);
}

TEST(arena_budget_is_soft_but_seen)
{
    struct arena a = ARENA_INIT(20000);
    EXPECT(arena_fits(&a, 20000) && !arena_fits(&a, 20001));
    arena_alloc(&a, 16000);
    EXPECT(!arena_over(&a));
    EXPECT(arena_alloc(&a, 16000) != NULL);
    EXPECT(arena_over(&a) && !arena_fits(&a, 0));
    arena_release(&a);
}

TEST(arena_grow_keeps_what_was_there)
{
    struct arena a = ARENA_INIT(1 << 20);
    int *v = NULL;
    size_t cap = 0;
    for (int i = 0; i < 1000; i++) {
        v = arena_grow(&a, v, (size_t)i, &cap, sizeof *v);
        v[i] = i;
    }
    for (int i = 0; i < 1000; i++) EXPECT(v[i] == i);
    arena_release(&a);
}

TEST(arena_text_is_terminated)
{
    struct arena a = ARENA_INIT(1 << 20);
    EXPECT_STR(arena_str(&a, str_make("abcdef", 3)).p, "abc");
    EXPECT_STR(arena_str(&a, (struct str){ NULL, 0 }).p, "");
    struct str s = arena_printf(&a, "%d-%s", 42, "x");
    EXPECT_STR(s.p, "42-x");
    EXPECT(s.n == 4);
    arena_release(&a);
}

static size_t shared, shared_most;
static bool take(const struct arena *a, size_t more)
{
    EXPECT(more <= a->used);
    return (shared += more) <= shared_most;
}
static void give(size_t n)
{
    shared -= n;
}

TEST(arena_counts_with_others_and_is_over_when_they_have_all)
{
    static const struct arena_share share = { take, give };
    struct arena a = ARENA_INIT(1 << 30), b = ARENA_INIT(1 << 30);
    shared_most = 300000;
    arena_alloc(&a, 10); /* before it shares */
    arena_share_begin(&a, &share);
    arena_share_begin(&b, &share);
    EXPECT(shared == a.used);
    arena_alloc(&a, 200000);
    arena_alloc(&b, 1000);
    EXPECT(shared == a.used + b.used && !arena_over(&a) && !arena_over(&b));
    EXPECT(arena_alloc(&b, 200000) != NULL);
    EXPECT(arena_over(&b) && b.is_refused && !arena_over(&a));
    arena_reset(&a);
    EXPECT(shared == a.used + b.used);
    arena_share_end(&a);
    EXPECT(shared == b.used);
    arena_release(&a);
    arena_release(&b);
    EXPECT(shared == 0);
}

TESTS(CASE(arena_counts_with_others_and_is_over_when_they_have_all), CASE(arena_aligns_every_allocation),
      CASE(arena_keeps_pieces_apart), CASE(arena_serves_what_is_larger_than_a_chunk),
      CASE(arena_reset_keeps_one_chunk_and_counts_it), CASE(arena_budget_is_soft_but_seen),
      CASE(arena_grow_keeps_what_was_there), CASE(arena_text_is_terminated))
