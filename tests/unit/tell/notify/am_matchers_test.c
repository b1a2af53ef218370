/* am_matchers_test.c - both grammars of matchers: what they take, what they refuse, what they print. */
#include "unit/test.h"

#include "tell/notify/am_matchers.h"

static struct arena arena = ARENA_INIT(1u << 20);

/* What text is printed as; "error" when it is refused. */
static const char *printed(const char *text)
{
    static char out[512];
    struct am_matchers m = { 0 };
    struct err e = ERR_INIT;
    struct buf b = BUF_INIT(sizeof out - 1);
    if (am_matchers_parse(str_of(text), &arena, &m, &e) < 0) {
        EXPECT(e.text[0] != 0 && m.n == 0);
        return "error";
    }
    am_matchers_print(&b, &m);
    snprintf(out, sizeof out, "%s", buf_cstr(&b));
    buf_release(&b);
    am_matchers_release(&m);
    return out;
}

static bool match(const char *text, const char *name, const char *value)
{
    struct am_matchers m = { 0 };
    struct label l = { str_of(name), str_of(value) };
    EXPECT(am_matchers_parse(str_of(text), &arena, &m, NULL) == OK);
    bool is = am_matchers_match(&m, (struct labels){ &l, 1 });
    am_matchers_release(&m);
    return is;
}

TEST(the_classic_grammar)
{
    EXPECT_STR(printed("foo=bar"), "{foo=\"bar\"}");
    EXPECT_STR(printed(" foo = \"bar\" "), "{foo=\"bar\"}");
    EXPECT_STR(printed("foo=~\"ba.*\""), "{foo=~\"ba.*\"}");
    EXPECT_STR(printed("{a=\"b\",c!=\"d\"}"), "{a=\"b\",c!=\"d\"}");
    EXPECT_STR(printed("{a=\"b\", c!~d,}"), "{a=\"b\",c!~\"d\"}");
    EXPECT_STR(printed("{a=\"x,y\",b=z}"), "{a=\"x,y\",b=\"z\"}");
    EXPECT_STR(printed("foo=bar baz"), "{foo=\"bar baz\"}"); /* a value runs on to the comma */
    EXPECT_STR(printed("foo=\"\""), "{foo=\"\"}");
    EXPECT_STR(printed("foo="), "{foo=\"\"}");
    EXPECT_STR(printed("foo=\"a\\\"b\\\\c\\nd\""), "{foo=\"a\\\"b\\\\c\\nd\"}");
    EXPECT_STR(printed("foo=\"a\\.b\""), "{foo=\"a\\\\.b\"}"); /* an escape that is none stands for itself */
    EXPECT_STR(printed("{}"), "{}");
    EXPECT_STR(printed("{foo=bar},"),
               "{foo=\"bar}\"}"); /* as odd as Alertmanager: a brace at the very end only */
}

TEST(the_newer_grammar)
{
    EXPECT_STR(printed("\"odd name\"=x"), "{\"odd name\"=\"x\"}");
    EXPECT_STR(printed("{\"odd.name\"=\"x\", b!=c}"), "{odd.name=\"x\",b!=\"c\"}");
    EXPECT_STR(printed("odd.name=\"\\u00e4\""), "{odd.name=\"\xc3\xa4\"}");
    EXPECT_STR(printed("\xc3\xa4=b"), "{\xc3\xa4=\"b\"}");
}

TEST(what_is_no_matcher)
{
    EXPECT_STR(printed("foo"), "error");
    EXPECT_STR(printed("=bar"), "error");
    EXPECT_STR(printed("foo==\"bar\"x\""), "error");
    EXPECT_STR(printed("foo=\"bar"), "error");
    EXPECT_STR(printed("foo=~\"(\""), "error");
    EXPECT_STR(printed("foo=bar,,b=c"), "error");
    EXPECT_STR(printed("foo=\"\xff\""), "error");
    EXPECT_STR(printed("\"\"=x"), "error");
}

TEST(a_regex_is_anchored_and_a_missing_label_is_empty)
{
    EXPECT(match("a=~\"b.\"", "a", "bc"));
    EXPECT(!match("a=~\"b\"", "a", "abc"));
    EXPECT(match("x=\"\"", "a", "b"));
    EXPECT(match("x!=y", "a", "b"));
    EXPECT(!match("x=~\".+\"", "a", "b"));
    EXPECT(match("x!~\".+\"", "a", "b"));
}

TEST(sorted_by_name_value_and_operator)
{
    struct am_matchers m = { 0 };
    struct buf b = BUF_INIT(1000);
    EXPECT(am_matchers_parse(STR("{b=\"1\",a!=\"2\",a=\"1\",a=~\"1\"}"), &arena, &m, NULL) == OK);
    am_matchers_sort(&m);
    am_matchers_print(&b, &m);
    EXPECT_STR(buf_cstr(&b), "{a=\"1\",a=~\"1\",a!=\"2\",b=\"1\"}");
    buf_release(&b);
    am_matchers_release(&m);
    arena_release(&arena);
}

TESTS(CASE(the_classic_grammar), CASE(the_newer_grammar), CASE(what_is_no_matcher),
      CASE(a_regex_is_anchored_and_a_missing_label_is_empty), CASE(sorted_by_name_value_and_operator))
