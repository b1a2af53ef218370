/* The scripts of tests/scripts/traceql, what a tree is understood as, and hostile texts. */
#include "query/traceql/parse.h"

#include "base/buf.h"
#include "base/clock.h"
#include "unit/test.h"

static struct arena arena = ARENA_INIT((size_t)64 << 20);
static char printed[4096];

static int parse(struct str text, struct err *e)
{
    struct traceql_query q;
    struct buf out = BUF_INIT((size_t)1 << 22);
    int rc = traceql_parse(text, &arena, &q, e);

    if (rc == OK) traceql_print(&out, &q);
    snprintf(printed, sizeof printed, "%.*s", (int)out.n, out.n > 0 ? out.p : "");
    buf_release(&out);
    traceql_release(&q);
    arena_reset(&arena);
    return rc;
}

static void expect_tree(const char *text, const char *want)
{
    struct err e = ERR_INIT;
    if (parse(str_of(text), &e) < 0) fail_msg("%s: %s", text, e.text);
    EXPECT_STR(printed, want);
}

static void run_line(const char *line, int number)
{
    static const struct {
        const char *verdict;
        bool parses;
        int code;
    } verdicts[] = { { "ok", true, OK }, { "bad", false, 0 }, { "unsupported", false, ERR_UNSUPPORTED } };
    struct err e = ERR_INIT;
    size_t n = strcspn(line, " ");

    for (size_t i = 0; i < 3; i++) {
        if (strlen(verdicts[i].verdict) != n || strncmp(line, verdicts[i].verdict, n) != 0) continue;
        int rc = parse(str_of(line + n), &e);
        if (verdicts[i].parses != (rc == OK) || (verdicts[i].code != 0 && rc != verdicts[i].code))
            fail_msg("line %d: %s -> %s %s", number, line, printed, e.text);
        if (rc < 0 && strstr(e.text, "character ") == NULL)
            fail_msg("line %d: no place in \"%s\"", number, e.text);
        return;
    }
    fail_msg("line %d: no verdict", number);
}

TEST(the_script_of_queries_is_judged_as_written)
{
    char line[1024];
    int number = 0;
    FILE *f = fopen("tests/scripts/traceql/parse.test", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        number++;
        if (line[0] != '#' && line[0] != '\0') run_line(line, number);
    }
    fclose(f);
    EXPECT(number > 100);
}

TEST(operators_bind_as_in_the_grammar)
{
    expect_tree("{ .a || .b && .c }", "{ ((.a || .b) && .c) }"); /* alike, from the left */
    expect_tree("{ .a + 2 * 3 ^ 2 ^ 2 = 1 }", "{ ((.a + (2 * (3 ^ (2 ^ 2)))) = 1) }");
    expect_tree("{ !.a = true }", "{ (!(.a) = true) }");
    expect_tree("{ -.a * 2 = 1 }", "{ (-((.a * 2)) = 1) }");
    expect_tree("{ .a } && { .b } >> { .c }", "({ .a } && ({ .b } >> { .c }))");
    expect_tree("{ .a } > { .b } > { .c }", "(({ .a } > { .b }) > { .c })");
}

TEST(a_name_takes_all_that_may_be_of_it)
{
    expect_tree("{ span.a-b/c.d = 1 }", "{ (span.a-b/c.d = 1) }");
    expect_tree("{ .a - 1 = 1 }", "{ ((.a - 1) = 1) }");
    expect_tree("{ span.\"a b\" = 1 }", "{ (span.\"a b\" = 1) }");
    expect_tree("{ .service.name = \"x\\u00e4\" }", "{ (.service.name = \"x\xc3\xa4\") }");
    expect_tree("{ parent.name = \"x\" }", "{ (parent.name = \"x\") }");
}

TEST(durations_and_numbers_are_what_they_say)
{
    expect_tree("{ duration > 1h30m }", "{ (duration > 90m) }");
    expect_tree("{ duration > 1.5s }", "{ (duration > 1500ms) }");
    expect_tree("{ .a = 1.50 }", "{ (.a = 1.5) }");
    expect_tree("{ .a = 1e3 }", "{ (.a = 1000.0) }");
}

TEST(the_place_of_a_mistake_is_told)
{
    struct err e = ERR_INIT;
    EXPECT(parse(STR("{ .a = 1 && }"), &e) == ERR_PARSE);
    EXPECT_STR(e.text, "TraceQL, character 13: an attribute or a value is expected, not \"}\"");
    EXPECT(parse(STR("{ foo = 1 }"), &e) == ERR_PARSE);
    EXPECT(strstr(e.text, "character 3: unknown name \"foo\"") != NULL);
}

/* ---- salvage ---- */

static void expect_salvaged(const char *text, const char *want)
{
    struct traceql_query q;
    struct buf out = BUF_INIT(1 << 20);

    traceql_salvage(str_of(text), &arena, &q);
    traceql_print(&out, &q);
    if (!str_is(buf_view(&out), want)) fail_msg("%s -> %s", text, buf_cstr(&out));
    buf_release(&out);
    traceql_release(&q);
    arena_reset(&arena);
}

TEST(of_an_unfinished_query_the_whole_conditions_are_kept)
{
    expect_salvaged("{ resource.service.name = \"a\" && span.b = }", "{ (resource.service.name = \"a\") }");
    expect_salvaged("{ span.b = && name = \"x\" }", "{ (name = \"x\") }");
    expect_salvaged("{ span.b = \"open", "{  }");
    expect_salvaged("{ .a = 1 && .b = 2 && .c", "{ (((.a = 1) && (.b = 2)) && .c) }");
    expect_salvaged("{", "{  }");
    expect_salvaged("", "{  }");
    expect_salvaged("nonsense", "{  }");
    expect_salvaged("{ .a = 1 || .b = 2 && .c = 3 }", "{ (.c = 3) }");
}

/* ---- ceilings ---- */

static struct str repeat(const char *piece, size_t times)
{
    size_t n = strlen(piece);
    char *text = arena_alloc(&arena, n * times + 1);
    for (size_t i = 0; i < times; i++) memcpy(text + i * n, piece, n);
    return (struct str){ text, n * times };
}

TEST(hostile_queries_are_refused_soon)
{
    static const char *const pieces[] = { "{",        "(",          "{ !", "{(",   "-",  "{} > ",
                                          "{.a} && ", "{ .a=1 && ", "\"",  "({}|", "/*", "{ . ",
                                          "1+",       "{-",         "&>>", "by(",  "1h", "{} | " };
    struct err e = ERR_INIT;
    int64_t began = clock_cpu_ns();

    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        for (size_t times = 1; times < 60000; times *= 7)
            EXPECT(parse(repeat(pieces[i], times), &e) < 0 && e.text[0] != '\0');
    EXPECT(clock_cpu_ns() - began < 10000000000);
}

TEST(many_conditions_are_a_query_still)
{
    struct err e = ERR_INIT;
    struct buf b = BUF_INIT(1 << 20);
    buf_cs(&b, "{ true");
    for (int i = 0; i < 400; i++) buf_printf(&b, " || .a = %d", i);
    buf_cs(&b, " }");
    EXPECT(parse(buf_view(&b), &e) == OK);
    buf_clear(&b);
    buf_cs(&b, "{ true");
    for (int i = 0; i < 3000; i++) buf_printf(&b, " || .a = %d", i);
    buf_cs(&b, " }");
    EXPECT(parse(buf_view(&b), &e) == ERR_LIMIT);
    buf_release(&b);
}

TESTS(CASE(the_script_of_queries_is_judged_as_written), CASE(operators_bind_as_in_the_grammar),
      CASE(a_name_takes_all_that_may_be_of_it), CASE(durations_and_numbers_are_what_they_say),
      CASE(the_place_of_a_mistake_is_told), CASE(of_an_unfinished_query_the_whole_conditions_are_kept),
      CASE(hostile_queries_are_refused_soon), CASE(many_conditions_are_a_query_still))
