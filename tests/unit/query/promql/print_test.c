#include "base/check.h"
#include "query/promql/parse.h"
#include "unit/test.h"

static struct arena arena = ARENA_INIT(64 << 20);

static struct node *parse(const char *text)
{
    struct node *n = NULL;
    struct err e = ERR_INIT;

    if (promql_parse(str_of(text), &arena, &n, &e) < 0) fail_msg("%s: %s", text, e.text);
    return n;
}

static void expect_printed(const char *text, const char *want)
{
    struct buf out = BUF_INIT(1 << 20);
    struct node *n = parse(text);

    promql_print(&out, n);
    EXPECT_STR(buf_cstr(&out), want);
    promql_release(n);
    buf_release(&out);
    arena_reset(&arena);
}

static void expect_formatted(const char *text, const char *want)
{
    struct buf out = BUF_INIT(1 << 20);
    struct node *n = parse(text);

    promql_format(&out, n);
    EXPECT_STR(buf_cstr(&out), want);
    promql_release(n);
    buf_release(&out);
    arena_reset(&arena);
}

static void expect_json(const char *text, const char *want)
{
    struct buf out = BUF_INIT(1 << 20);
    struct node *n = parse(text);

    promql_ast_json(&out, n);
    EXPECT_STR(buf_cstr(&out), want);
    promql_release(n);
    buf_release(&out);
    arena_reset(&arena);
}

TEST(one_form_for_each_expression)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "sum by(a,b)(x)", "sum by (a, b) (x)" },
        { "sum(x)by(a)", "sum by (a) (x)" },
        { "sum(x) by ()", "sum(x)" },
        { "sum(x) without ()", "sum without () (x)" },
        { "TOPK(5,x)", "topk(5, x)" },
        { "sum by (\"a.b\") (x)", "sum by (\"a.b\") (x)" },
        { "a+on(x)group_left(y)b", "a + on (x) group_left (y) b" },
        { "a == bool ignoring(x) group_right b", "a == bool ignoring (x) group_right () b" },
        { "a + ignoring() b", "a + b" },
        { "a + on() b", "a + on () b" },
        { "a + fill(1) b", "a + fill (1) b" },
        { "a + fill_right(2) fill_left(1) b", "a + fill_left (1) fill_right (2) b" },
        { "a AND b UNLESS c", "a and b unless c" },
        { "-(1)", "-(1)" },
        { "- 1", "-1" },
        { "1e3", "1000" },
        { "1e-7", "0.0000001" },
        { "inf", "+Inf" },
        { "nan", "NaN" },
        { "90m", "1h30m" },
        { "'a\"b'", "\"a\\\"b\"" },
        { "x{b=\"2\",a='1'}", "x{a=\"1\",b=\"2\"}" },
        { "{\"a.b\",c!~'d'}", "{__name__=\"a.b\",c!~\"d\"}" },
        { "{\"l l\"='v'}", "{\"l l\"=\"v\"}" },
        { "x offset 5m @ 10", "x @ 10.000 offset 5m" },
        { "x[5m] offset -1h @ end()", "x[5m] @ end() offset -1h" },
        { "x[60] anchored", "x[1m] anchored" },
        { "x[1h:5m] @ start()", "x[1h:5m] @ start()" },
        { "x[1h:]", "x[1h:]" },
        { "x[step()+5m*2]", "x[step() + 5m * 2]" },
        { "x[(step()+60)*2] offset -(step())", "x[(step() + 60) * 2] offset -(step())" },
        { "x offset (1m) * 2", "x offset (1m * 2)" }, /* what would read differently without parentheses */
        { "x[(-2)^2]", "x[(-2) ^ 2]" },
        { "x[min_of(step(),1m)]", "x[min_of(step(), 1m)]" },
        { "clamp_max( x ,  1 )", "clamp_max(x, 1)" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) expect_printed(cases[i].text, cases[i].want);
}

TEST(what_fits_stays_on_one_line)
{
    expect_formatted("sum(rate( foo[5m] ))", "sum(rate(foo[5m]))");
}

/* Lines longer than 100 bytes are opened up, outermost first. */
TEST(what_does_not_fit_is_opened_up)
{
    expect_formatted("sum by (job) (rate(http_requests_total{job=\"one\"}[5m])) / sum by (job) "
                     "(rate(http_requests_total{job=\"two\"}[5m]))",
                     "  sum by (job) (rate(http_requests_total{job=\"one\"}[5m]))\n"
                     "/\n"
                     "  sum by (job) (rate(http_requests_total{job=\"two\"}[5m]))");
    expect_formatted("histogram_quantile(0.9, sum by (le, a_long_label_name, another_long_label_name) "
                     "(rate(a_rather_long_metric_name_bucket[5m])))",
                     "histogram_quantile(\n"
                     "  0.9,\n"
                     "  sum by (le, a_long_label_name, another_long_label_name) "
                     "(rate(a_rather_long_metric_name_bucket[5m]))\n"
                     ")");
    expect_formatted("-topk(5, (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa + "
                     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb))",
                     "-topk(\n"
                     "  5,\n"
                     "  (\n"
                     "      aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
                     "    +\n"
                     "      bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
                     "  )\n"
                     ")");
}

TEST(a_full_buffer_ends_the_printing)
{
    struct buf out = BUF_INIT(10);
    struct node *n = parse("a_long_name + another_long_name");

    promql_print(&out, n);
    EXPECT(out.full);
    promql_release(n);
    buf_release(&out);
    arena_reset(&arena);
}

TEST(trees_as_json)
{
    expect_json("-1", "{\"type\":\"numberLiteral\",\"val\":\"-1\"}");
    expect_json("('x')", "{\"expr\":{\"type\":\"stringLiteral\",\"val\":\"x\"},\"type\":\"parenExpr\"}");
    expect_json("a{b=~\"c\"} @ 1 offset 1m", "{\"anchored\":false,\"matchers\":[{\"name\":\"b\",\"type\":\"=~"
                                             "\",\"value\":\"c\"},{\"name\":\"__name__\",\"type\":\"=\","
                                             "\"value\":\"a\"}],\"name\":\"a\",\"offset\":60000,"
                                             "\"offsetExpr\":null,\"smoothed\":false,\"startOrEnd\":null,"
                                             "\"timestamp\":1000,\"type\":\"vectorSelector\"}");
    expect_json("pi()", "{\"args\":[],\"func\":{\"argTypes\":[],\"name\":\"pi\",\"returnType\":\"scalar\","
                        "\"variadic\":0},\"type\":\"call\"}");
    expect_json(
        "1 + 2",
        "{\"bool\":false,\"lhs\":{\"type\":\"numberLiteral\",\"val\":\"1\"},\"matching\":null,\"op\":\"+\","
        "\"rhs\":{\"type\":\"numberLiteral\",\"val\":\"2\"},\"type\":\"binaryExpr\"}");
}

static bool json_has(const char *text, const char *piece)
{
    struct buf out = BUF_INIT(1 << 20);
    struct node *n = parse(text);

    promql_ast_json(&out, n);
    bool has = strstr(buf_cstr(&out), piece);
    promql_release(n);
    buf_release(&out);
    arena_reset(&arena);
    return has;
}

TEST(json_of_matching_ranges_and_durations)
{
    EXPECT(json_has("a * on(x) group_left(y) b",
                    "\"matching\":{\"card\":\"many-to-one\",\"fillValues\":{\"lhs\":null,\"rhs\":null},"
                    "\"include\":[\"y\"],\"labels\":[\"x\"],\"on\":true}"));
    EXPECT(json_has("a and b", "\"card\":\"many-to-many\""));
    EXPECT(json_has("a + fill_left(0.5) b", "\"fillValues\":{\"lhs\":0.5,\"rhs\":null}"));
    EXPECT(json_has("rate(a[5m])", "\"range\":300000,\"rangeExpr\":null"));
    EXPECT(json_has("a[1h:1m] @ start()", "\"startOrEnd\":\"start\",\"step\":60000,\"stepExpr\":null,"
                                          "\"timestamp\":null,\"type\":\"subquery\"}"));
    EXPECT(json_has(
        "rate(a[-step()])",
        "\"rangeExpr\":{\"lhs\":null,\"op\":\"-\",\"rhs\":{\"lhs\":null,\"op\":\"step\",\"rhs\":null,"
        "\"type\":\"durationExpr\",\"wrapped\":false},\"type\":\"durationExpr\",\"wrapped\":false}"));
    EXPECT(json_has("count_values without (b) ('x', a)",
                    "\"grouping\":[\"b\"],\"op\":\"count_values\",\"param\":{\"type\":"
                    "\"stringLiteral\",\"val\":\"x\"},\"type\":\"aggregation\",\"without\":true}"));
}

TESTS(CASE(one_form_for_each_expression), CASE(what_fits_stays_on_one_line),
      CASE(what_does_not_fit_is_opened_up), CASE(a_full_buffer_ends_the_printing), CASE(trees_as_json),
      CASE(json_of_matching_ranges_and_durations))
