#include "model/matcher.h"

#include "unit/test.h"

static bool matches(enum matcher_op op, const char *condition, const char *value)
{
    struct matcher m;
    EXPECT(matcher_init(&m, op, STR("l"), str_of(condition), NULL) == OK);
    bool yes = matcher_matches(&m, str_of(value));
    EXPECT(matcher_matches_empty(&m) == matcher_matches(&m, STR("")));
    matcher_release(&m);
    return yes;
}

TEST(matcher_each_operator)
{
    EXPECT(matches(MATCH_EQ, "a", "a") && !matches(MATCH_EQ, "a", "b"));
    EXPECT(!matches(MATCH_NEQ, "a", "a") && matches(MATCH_NEQ, "a", ""));
    EXPECT(matches(MATCH_RE, "a|b.*", "bcd") && !matches(MATCH_RE, "a|b.*", "ab"));
    EXPECT(!matches(MATCH_NRE, "a|b.*", "bcd") && matches(MATCH_NRE, "a", ""));
}

TEST(matcher_sees_a_missing_label_as_empty)
{
    struct label pairs[] = { { STR("a"), STR("1") } };
    struct labels l = { pairs, 1 };
    struct matcher m[2];
    EXPECT(matcher_init(&m[0], MATCH_EQ, STR("a"), STR("1"), NULL) == OK);
    EXPECT(matcher_init(&m[1], MATCH_RE, STR("b"), STR(".*"), NULL) == OK);
    EXPECT(matchers_match(m, 2, l) && matchers_match(m, 0, l));
    matcher_release(&m[1]);
    EXPECT(matcher_init(&m[1], MATCH_RE, STR("b"), STR(".+"), NULL) == OK);
    EXPECT(!matchers_match(m, 2, l));
    matcher_release(&m[1]);
    matcher_release(&m[0]);
}

TEST(matcher_refuses_a_bad_regex)
{
    struct matcher m;
    struct err e = ERR_INIT;
    EXPECT(matcher_init(&m, MATCH_RE, STR("a"), STR("("), &e) == ERR_PARSE);
    matcher_release(&m); /* fine after a failure */
    EXPECT_STR(matcher_op_text(MATCH_NRE), "!~");
    EXPECT_STR(matcher_op_text(MATCH_EQ), "=");
}

TESTS(CASE(matcher_each_operator), CASE(matcher_sees_a_missing_label_as_empty),
      CASE(matcher_refuses_a_bad_regex))
