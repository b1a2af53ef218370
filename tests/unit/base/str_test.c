#include "base/str.h"

#include "base/mem.h"
#include "unit/test.h"

static bool valid(const char *bytes)
{
    return str_utf8_valid(str_of(bytes));
}

TEST(utf8_takes_the_first_and_last_code_point_of_each_length)
{
    EXPECT(valid(""));
    EXPECT(valid("\x7f"));
    EXPECT(valid("\xc2\x80") && valid("\xdf\xbf"));
    EXPECT(valid("\xe0\xa0\x80") && valid("\xef\xbf\xbf"));
    EXPECT(valid("\xf0\x90\x80\x80") && valid("\xf4\x8f\xbf\xbf"));
    EXPECT(valid("\xed\x9f\xbf") && valid("\xee\x80\x80")); /* around the surrogates */
    EXPECT(str_utf8_valid(STR("a\0b")));
}

TEST(utf8_refuses_overlong_forms_surrogates_and_what_lies_beyond)
{
    EXPECT(!valid("\xc0\x80") && !valid("\xc1\xbf"));
    EXPECT(!valid("\xe0\x9f\xbf"));
    EXPECT(!valid("\xf0\x8f\xbf\xbf"));
    EXPECT(!valid("\xed\xa0\x80") && !valid("\xed\xbf\xbf"));
    EXPECT(!valid("\xf4\x90\x80\x80") && !valid("\xf5\x80\x80\x80") && !valid("\xff"));
}

TEST(utf8_refuses_cut_sequences_wherever_they_stand)
{
    EXPECT(!valid("\x80"));
    EXPECT(!valid("\xc3") && !valid("\xe2\x82") && !valid("\xf0\x9f\x98"));
    EXPECT(!valid("12345678\xc3") && !valid("1234567\xe2\x82"
                                            "12345678")); /* across the eight-byte stride */
    EXPECT(valid("1234567\xe2\x82\xac"
                 "12345678"));
}

TEST(str_compares_by_bytes_and_the_shorter_comes_first)
{
    EXPECT(str_cmp(STR("a"), STR("ab")) < 0);
    EXPECT(str_cmp(STR("ab"), STR("a")) > 0);
    EXPECT(str_cmp(STR("\x7f"), STR("\xc2\x80")) < 0);
    EXPECT(str_cmp((struct str){ NULL, 0 }, STR("")) == 0);
    EXPECT(str_eq((struct str){ NULL, 0 }, STR("")));
}

TEST(str_cut_leaves_the_rest)
{
    struct str rest;
    EXPECT(str_is(str_cut(STR("a=b=c"), '=', &rest), "a") && str_is(rest, "b=c"));
    EXPECT(str_is(str_cut(STR("abc"), '=', &rest), "abc") && rest.n == 0);
    EXPECT(str_is(str_cut(STR("abc="), '=', &rest), "abc") && rest.n == 0);
    EXPECT(str_is(str_trim(STR(" \t a b\r\n")), "a b"));
    EXPECT(str_starts(STR("abc"), "ab") && !str_starts(STR("a"), "ab"));
    EXPECT(str_ends(STR("abc"), "bc") && !str_ends(STR("c"), "bc"));
}

TEST(str_reads_integers_to_their_very_ends)
{
    int64_t i;
    uint64_t u;
    EXPECT(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    EXPECT(str_to_i64(STR("+9223372036854775807"), &i) && i == INT64_MAX);
    EXPECT(!str_to_i64(STR("9223372036854775808"), &i) && !str_to_i64(STR("-9223372036854775809"), &i));
    EXPECT(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    EXPECT(!str_to_u64(STR("18446744073709551616"), &u) && !str_to_u64(STR("99999999999999999999999"), &u));
    EXPECT(!str_to_i64(STR(""), &i) && !str_to_i64(STR("-"), &i) && !str_to_i64(STR("--1"), &i) &&
           !str_to_i64(STR("1 "), &i));
}

TEST(str_dup_terminates)
{
    char *p = str_dup(str_make("abcdef", 3));
    EXPECT_STR(p, "abc");
    mem_free(p);
}

TESTS(CASE(utf8_takes_the_first_and_last_code_point_of_each_length),
      CASE(utf8_refuses_overlong_forms_surrogates_and_what_lies_beyond),
      CASE(utf8_refuses_cut_sequences_wherever_they_stand),
      CASE(str_compares_by_bytes_and_the_shorter_comes_first), CASE(str_cut_leaves_the_rest),
      CASE(str_reads_integers_to_their_very_ends), CASE(str_dup_terminates))
