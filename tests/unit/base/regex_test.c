#include "base/regex.h"

#include "base/buf.h"
#include "base/mem.h"
#include "unit/test.h"

static struct regex *compiled(const char *pattern)
{
    struct regex *r = NULL;
    struct err e = ERR_INIT;
    if (regex_new(str_of(pattern), &r, &e) < 0) printf("%s\n", e.text);
    EXPECT(r != NULL);
    return r;
}

/* (?:p){1} says the same and is never recognised as simple, so RE2 itself answers. */
static struct regex *compiled_by_re2(const char *pattern)
{
    char text[256];
    snprintf(text, sizeof text, "(?:%s){1}", pattern);
    return compiled(text);
}

/* clang-format off */
static const char *const patterns[] = {
    "", "a", "abc", "a|b|c", "(a|b|c)", "(?:a|b|c)", "^(a|bc)$", "^a|b$", "^abc$", "a|", "|", ".*",
    ".+", "(.*)", "(.+)", "^.*$", "abc.*", "abc.+", ".*abc", ".+abc", ".*abc.*", ".+b.+", ".*b.+",
    "a.*c", "a.c", "a\\.c", "a\\.c|\\|", "é.*", ".+é", "é|ü", "\\d+", "a\\d.*", "[abc]", "(?i)abc",
    "abc\\$", "abc\\\\$", "a*", "ab*", "é*", "a?bc", "(a)(b)c", "(a|b)(c)?", "x{2}", "^^a", "a$$",
    "a\\nb", "\\Qa|b\\E", "()", "(?:)", "((a))", "(?s).*", "(?-s).*", "\\.*", "\\^a", "a-b_c",
    "abc|abd", "abc|abd.*", "ab(c|d)e", "a|b|c|d|e|f|g|h|i|j|abc|bc", ".*\\..*", "(abc.*)",
    "(?:.*abc)", ".+.+", ".+.*", ".*.*", "..", "a\\|b",
};
/* clang-format on */

/* clang-format off */
static const char *const texts[] = {
    "", "a", "b", "c", "ab", "bc", "abc", "abcd", "xabc", "xabcx", "abc$", "abc\\", "a.c", "axc",
    "a\nb", "a\nc", "\n", "é", "éa", "aé", "éé", "ü", "1", "a1", "a12", "ABC", "xx", "xxx", "|",
    "a|b", ".", "x.y", "^a", "a-b_c", "abd", "abdx", "abce", "abde", "j", "ac", "bbb", "abcabc",
};
/* clang-format on */

TEST(regex_fast_paths_answer_as_re2_does)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct regex *ours = compiled(patterns[i]), *theirs = compiled_by_re2(patterns[i]);
        size_t n;
        EXPECT(regex_literals(theirs, &n) == NULL);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            bool a = regex_match(ours, str_of(texts[k])), b = regex_match(theirs, str_of(texts[k]));
            if (a != b) printf("pattern %s, text %s: ours %d, RE2's %d\n", patterns[i], texts[k], a, b);
            EXPECT(a == b);
        }
        EXPECT(regex_groups(ours) == regex_groups(theirs));
        regex_free(ours);
        regex_free(theirs);
    }
}

TEST(regex_fast_paths_capture_as_re2_does)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct regex *ours = compiled(patterns[i]), *theirs = compiled_by_re2(patterns[i]);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            struct str a[4], b[4];
            bool matched = regex_capture(ours, str_of(texts[k]), a, 4);
            EXPECT(matched == regex_capture(theirs, str_of(texts[k]), b, 4));
            for (size_t g = 0; matched && g < 4; g++) {
                EXPECT((a[g].p == NULL) == (b[g].p == NULL));
                EXPECT(str_eq(a[g], b[g]));
            }
        }
        regex_free(ours);
        regex_free(theirs);
    }
}

TEST(regex_prefix_and_literals_never_lie)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct regex *r = compiled(patterns[i]);
        struct str prefix = regex_prefix(r);
        size_t n;
        const struct str *literals = regex_literals(r, &n);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            struct str text = str_of(texts[k]);
            bool listed = false;
            for (size_t l = 0; l < n; l++) listed |= str_eq(literals[l], text);
            if (literals != NULL) EXPECT(listed == regex_match(r, text));
            if (regex_match(r, text))
                EXPECT(text.n >= prefix.n && str_eq(str_make(text.p, prefix.n), prefix));
        }
        regex_free(r);
    }
}

TEST(regex_tells_what_is_known_without_running_it)
{
    size_t n;
    struct regex *r = compiled("(web|db|web|api)");
    const struct str *l = regex_literals(r, &n);
    EXPECT(n == 3 && str_is(l[0], "api") && str_is(l[1], "db") && str_is(l[2], "web"));
    regex_free(r);

    r = compiled("a\\.b\\|c");
    l = regex_literals(r, &n);
    EXPECT(n == 1 && str_is(l[0], "a.b|c"));
    regex_free(r);

    r = compiled("node_.+");
    EXPECT(regex_literals(r, &n) == NULL && n == 0 && str_is(regex_prefix(r), "node_"));
    EXPECT(str_is(regex_text(r), "node_.+"));
    regex_free(r);

    r = compiled("node_(cpu|mem)[0-9]");
    EXPECT(str_is(regex_prefix(r), "node_"));
    regex_free(r);

    r = compiled("(?i)node");
    EXPECT(regex_literals(r, &n) == NULL && regex_prefix(r).n == 0);
    regex_free(r);
}

TEST(regex_takes_long_lists_of_literals)
{
    struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i < 3000; i++) buf_printf(&b, "%spod-%d", i ? "|" : "", i);
    struct regex *r = NULL;
    EXPECT(regex_new(buf_view(&b), &r, NULL) == OK); /* longer than RE2 would be given */
    EXPECT(b.n > REGEX_TEXT_MAX);
    EXPECT(regex_match(r, STR("pod-0")) && regex_match(r, STR("pod-2999")) &&
           !regex_match(r, STR("pod-3000")));
    EXPECT(str_is(regex_prefix(r), "pod-"));
    regex_free(r);
    buf_release(&b);
}

TEST(regex_refuses_with_a_reason)
{
    struct regex *r = NULL;
    struct err e = ERR_INIT;
    EXPECT(regex_new(STR("a(b"), &r, &e) == ERR_PARSE && strstr(e.text, "a(b") != NULL);
    EXPECT(regex_new(STR("a**"), &r, &e) == ERR_PARSE);
    EXPECT(regex_new(STR("a)|(b"), &r, &e) == ERR_PARSE); /* no way out of the anchors */
    EXPECT(regex_new(STR("\\1"), &r, &e) == ERR_PARSE);
    EXPECT(regex_new(STR("\xff"), &r, &e) == ERR_PARSE);
    EXPECT(regex_new(STR("(?:a{1000}){1000}"), &r, &e) < 0);
    EXPECT(regex_new(STR("((\\pL{100}){100}){9}"), &r, &e) == ERR_PARSE || e.code == ERR_LIMIT);

    struct buf repeats = BUF_INIT(4096); /* RE2 would take it, after 3 s */
    for (int i = 0; i < 50; i++) buf_cs(&repeats, "a{0,1000}");
    EXPECT(regex_new(buf_view(&repeats), &r, &e) == ERR_LIMIT && strstr(e.text, "50000 times") != NULL);
    EXPECT(regex_new(STR("\\{9999}a{3,}b{900}"), &r, &e) == OK &&
           regex_match(r, str_of("nothing of the kind")) == false);
    regex_free(r);
    r = NULL;
    buf_release(&repeats);

    char *long_text = mem_alloc(REGEX_TEXT_MAX + 1);
    memset(long_text, '.', REGEX_TEXT_MAX + 1);
    EXPECT(regex_new(str_make(long_text, REGEX_TEXT_MAX + 1), &r, &e) == ERR_LIMIT);
    mem_free(long_text);
    EXPECT(r == NULL);
    regex_free(NULL);
}

TEST(regex_dot_matches_newlines_and_both_ends_are_anchored)
{
    struct regex *r = compiled("a.c\\d");
    EXPECT(regex_match(r, STR("a\nc1")));
    EXPECT(!regex_match(r, STR("xa\nc1")) && !regex_match(r, STR("a\nc1x")) &&
           !regex_match(r, STR("a\nc1\n")));
    regex_free(r);
}

static void expect_expansion(const char *pattern, const char *text, const char *replacement,
                             const char *wanted)
{
    struct str groups[8];
    struct buf out = BUF_INIT(1000);
    struct regex *r = compiled(pattern);
    EXPECT(regex_capture(r, str_of(text), groups, 8));
    regex_expand(r, str_of(text), groups, 8, str_of(replacement), &out);
    EXPECT_STR(buf_cstr(&out), wanted);
    regex_free(r);
    buf_release(&out);
}

/* Wanted: the rules of Go's regexp.Expand. */
TEST(regex_expands_as_go_does)
{
    expect_expansion("(.*):(\\d+)", "host:80", "$1", "host");
    expect_expansion("(.*):(\\d+)", "host:80", "${1}_$2", "host_80");
    expect_expansion("(.*):(\\d+)", "host:80", "$1_$2", "80"); /* the name is 1_ */
    expect_expansion("(.*):(\\d+)", "host:80", "$0|$$|$", "host:80|$|$");
    expect_expansion("(.*):(\\d+)", "host:80", "$9${x}$01-${1", "-${1");
    expect_expansion("(?P<h>.*):(\\d+)", "host:80", "<$h> <${h}>", "<host> <host>");
    expect_expansion("(.*)", "all", "x$1y ${1}y", "x ally");
    expect_expansion("a(b)?c", "ac", "[$1]", "[]");
}

TEST(regex_finds_groups_by_name)
{
    struct regex *r = compiled("(a)(?P<second>b)?");
    EXPECT(regex_groups(r) == 2);
    EXPECT(regex_group_named(r, STR("second")) == 2 && regex_group_named(r, STR("third")) == -1);

    struct str groups[5];
    EXPECT(regex_capture(r, STR("a"), groups, 5));
    EXPECT(str_is(groups[1], "a") && groups[2].p == NULL && groups[4].p == NULL);
    regex_free(r);
}

TESTS(CASE(regex_fast_paths_answer_as_re2_does), CASE(regex_fast_paths_capture_as_re2_does),
      CASE(regex_prefix_and_literals_never_lie), CASE(regex_tells_what_is_known_without_running_it),
      CASE(regex_takes_long_lists_of_literals), CASE(regex_refuses_with_a_reason),
      CASE(regex_dot_matches_newlines_and_both_ends_are_anchored), CASE(regex_expands_as_go_does),
      CASE(regex_finds_groups_by_name))
