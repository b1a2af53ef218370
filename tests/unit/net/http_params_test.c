#include "unit/test.h"

#include "net/http_params.h"

static struct arena arena = ARENA_INIT(1 << 20);

TEST(pairs_are_read_in_order_and_may_repeat)
{
    struct http_params p = { 0 };
    EXPECT(http_params_read(&p, STR("match[]=up&match%5B%5D=a%7Bb%3D%22c%22%7D&time=1+2&flag&=x&&e="), &arena,
                            NULL) == OK);
    EXPECT_INT(p.n, 6);
    EXPECT(str_is(p.at[0].name, "match[]") && str_is(p.at[0].value, "up"));
    EXPECT(str_is(p.at[1].name, "match[]") && str_is(p.at[1].value, "a{b=\"c\"}"));
    EXPECT(str_is(p.at[2].value, "1 2"));
    EXPECT(str_is(p.at[3].name, "flag") && p.at[3].value.n == 0);
    EXPECT(p.at[4].name.n == 0 && str_is(p.at[4].value, "x"));
    EXPECT(str_is(p.at[5].name, "e") && p.at[5].value.n == 0);
    arena_release(&arena);
}

TEST(a_percent_sign_without_digits_stands_for_itself)
{
    EXPECT(str_is(http_decode(STR("100%"), true, &arena), "100%"));
    EXPECT(str_is(http_decode(STR("%4"), true, &arena), "%4"));
    EXPECT(str_is(http_decode(STR("%zz%41"), true, &arena), "%zzA"));
    EXPECT(str_is(http_decode(STR("a+b"), false, &arena), "a+b"));
    EXPECT(str_eq(http_decode(STR("a%00b"), true, &arena), str_make("a\0b", 3)));
    EXPECT(http_escapes_valid(STR("/a%2Fb")) && !http_escapes_valid(STR("/a%2")) &&
           !http_escapes_valid(STR("/%00")));
    arena_release(&arena);
}

TEST(too_many_pairs_are_refused)
{
    size_t n = 2 * (HTTP_PARAMS_MAX + 1);
    char *text = malloc(n);
    for (size_t i = 0; i < n; i += 2) memcpy(text + i, "a&", 2);
    struct http_params p = { 0 };
    struct err e = ERR_INIT;
    EXPECT(http_params_read(&p, str_make(text, n), &arena, &e) == ERR_LIMIT);
    free(text);
    arena_release(&arena);
}

TESTS(CASE(pairs_are_read_in_order_and_may_repeat), CASE(a_percent_sign_without_digits_stands_for_itself),
      CASE(too_many_pairs_are_refused))
