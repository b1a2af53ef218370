/* plan_cache_test.c - trees kept, shared and forgotten. */
#include "unit/test.h"

#include <pthread.h>

#include "query/promql/parse.h"
#include "query/promql/plan_cache.h"

#define BUDGET ((size_t)64 << 20)

static struct plan *get(struct plan_cache *c, const char *text, bool expect_cached)
{
    struct plan *p = NULL;
    struct err e = ERR_INIT;
    bool was_cached = !expect_cached;
    EXPECT_INT(plan_cache_get(c, str_of(text), BUDGET, &p, &was_cached, &e), OK);
    EXPECT(was_cached == expect_cached);
    return p;
}

TEST(a_text_asked_again_has_the_same_tree)
{
    struct plan_cache *c = plan_cache_new(10, BUDGET);
    struct plan *a = get(c, "sum(rate(x{a=~\"b.*c\"}[5m]))", false);
    struct plan *b = get(c, "sum(rate(x{a=~\"b.*c\"}[5m]))", true);
    struct plan *other = get(c, "sum(rate(x{a=~\"b.*c\"}[5m])) ", false); /* the text decides, blanks too */
    EXPECT(a == b && a != other);
    EXPECT(a->root->kind == NODE_AGGREGATE);
    EXPECT_INT(plan_cache_size(c).entries, 2);
    plan_unref(a);
    plan_unref(b);
    plan_unref(other);
    plan_cache_free(c);
}

TEST(what_does_not_parse_is_not_kept)
{
    struct plan_cache *c = plan_cache_new(10, BUDGET);
    struct err e = ERR_INIT;
    struct plan *p = NULL;
    bool was_cached;
    EXPECT_INT(plan_cache_get(c, STR("sum("), BUDGET, &p, &was_cached, &e), ERR_PARSE);
    EXPECT(strstr(e.text, "1:5") != NULL);
    EXPECT_INT(plan_cache_size(c).entries, 0);
    EXPECT_INT(plan_cache_size(c).bytes, 0);
    plan_cache_free(c);
}

TEST(the_one_not_used_for_longest_goes_first_and_lives_while_it_is_used)
{
    struct plan_cache *c = plan_cache_new(2, BUDGET);
    struct plan *a = get(c, "a", false), *b = get(c, "b", false);
    plan_unref(get(c, "a", true));
    plan_unref(get(c, "c", false)); /* b goes */
    EXPECT(str_is(b->root->metric, "b"));
    plan_unref(get(c, "a", true));
    plan_unref(get(c, "b", false));
    EXPECT_INT(plan_cache_size(c).entries, 2);
    plan_unref(a);
    plan_unref(b);
    plan_cache_free(c);
}

TEST(bytes_are_bounded_and_programs_of_regular_expressions_count)
{
    struct plan_cache *c = plan_cache_new(1000, (size_t)1 << 20);
    for (int i = 0; i < 200; i++) {
        char text[64];
        snprintf(text, sizeof text, "x{a=~\"b[0-9]+c%d\"}", i);
        plan_unref(get(c, text, false));
        EXPECT(plan_cache_size(c).bytes <= (size_t)1 << 20);
    }
    EXPECT(plan_cache_size(c).entries > 1 && plan_cache_size(c).entries < 20);
    plan_cache_free(c);
}

static void *ask_many(void *ctx)
{
    struct plan_cache *c = ctx;
    for (int i = 0; i < 2000; i++) {
        struct plan *p;
        bool was_cached;
        char text[32];
        snprintf(text, sizeof text, "x{a=~\"%d.*\"}", i * 7 % 40);
        if (plan_cache_get(c, str_of(text), BUDGET, &p, &was_cached, NULL) < 0) return (void *)"refused";
        struct label l = { STR("a"), str_make(text + 6, strchr(text, '.') - text - 6) };
        if (!matcher_matches(&p->root->matchers[0], l.value)) return (void *)"does not match";
        plan_unref(p);
    }
    return NULL;
}

TEST(many_threads_share_trees)
{
    struct plan_cache *c = plan_cache_new(20, BUDGET);
    pthread_t t[4];
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, ask_many, c);
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(t[i], &wrong);
        EXPECT(wrong == NULL);
    }
    EXPECT(plan_cache_size(c).entries <= 20);
    plan_cache_free(c);
}

TESTS(CASE(a_text_asked_again_has_the_same_tree), CASE(what_does_not_parse_is_not_kept),
      CASE(the_one_not_used_for_longest_goes_first_and_lives_while_it_is_used),
      CASE(bytes_are_bounded_and_programs_of_regular_expressions_count), CASE(many_threads_share_trees))
