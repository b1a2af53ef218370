#include "query/promql/parse.h"

#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "query/promql/functions.h"
#include "unit/test.h"

static struct arena arena = ARENA_INIT(64 << 20);
static struct node *root;

static struct node *parse(const char *text)
{
    struct err e = ERR_INIT;

    promql_release(root);
    arena_reset(&arena);
    root = NULL;
    if (promql_parse(str_of(text), &arena, &root, &e) < 0) fail_msg("%s: %s", text, e.text);
    return root;
}

static void refuse(const char *text, const char *why)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct node *n = NULL;
    struct err e = ERR_INIT;

    if (promql_parse(str_of(text), &a, &n, &e) == OK) fail_msg("%s: was accepted", text);
    assert_int_equal(e.code, ERR_PARSE);
    EXPECT_STR(e.text, why);
    arena_release(&a);
}

struct refusal {
    const char *text, *why;
};

static void refuse_all(const struct refusal *r, size_t n)
{
    for (size_t i = 0; i < n; i++) refuse(r[i].text, r[i].why);
}

/* ---- numbers and strings ---- */

TEST(numbers_in_all_their_forms)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        { "1", 1 },
        { ".5", 0.5 },
        { "5.", 5 },
        { "1e-3", 0.001 },
        { "0x1f", 31 },
        { "0X_1F", 31 },
        { "1_000.5", 1000.5 },
        { "010", 8 },
        { "089", 89 },
        { "Inf", INFINITY },
        { "-iNf", -INFINITY },
        { "+1", 1 },
        { "--1", 1 },
        { "1h", 3600 },
        { "1h30m", 5400 },
        { "-250ms", -0.25 },
        { "1y2w3d", 31536000 + 14 * 86400 + 3 * 86400 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct node *n = parse(cases[i].text);
        assert_int_equal(n->kind, NODE_NUMBER);
        assert_int_equal(n->type, PROMQL_SCALAR);
        EXPECT(n->number == cases[i].value);
    }
    EXPECT(isnan(parse("nan")->number));
    EXPECT(parse("1h")->is_duration);
}

TEST(strings_are_expressions)
{
    struct node *n = parse("'it\\'s'");
    assert_int_equal(n->kind, NODE_STRING);
    assert_int_equal(n->type, PROMQL_STRING);
    EXPECT(str_is(n->text, "it's"));
}

/* ---- precedence ---- */

TEST(power_binds_tightest_and_to_the_right)
{
    struct node *n = parse("2^3^2");
    assert_int_equal(n->op, OP_POW);
    EXPECT(n->left->number == 2);
    assert_int_equal(n->right->op, OP_POW);

    n = parse("-1^2"); /* -(1^2) */
    assert_int_equal(n->kind, NODE_UNARY);
    assert_int_equal(n->child->op, OP_POW);

    n = parse("2^-1*3"); /* (2^-1)*3 */
    assert_int_equal(n->op, OP_MUL);
    assert_int_equal(n->left->op, OP_POW);
    EXPECT(n->left->right->number == -1);
}

TEST(levels_from_or_to_power)
{
    struct node *n = parse("a or b and c == d + e * f ^ g");
    static const enum promql_op down[] = { OP_OR, OP_AND, OP_EQ, OP_ADD, OP_MUL, OP_POW };
    for (size_t i = 0; i < COUNT(down); i++, n = n->right) assert_int_equal(n->op, down[i]);

    n = parse("a - b - c"); /* to the left */
    assert_int_equal(n->left->kind, NODE_BINARY);
    assert_int_equal(parse("a atan2 b / c")->op, OP_DIV);
    assert_int_equal(parse("a </ 1 + b")->op, OP_TRIM_UPPER);
    assert_int_equal(parse("a >/ 1")->op, OP_TRIM_LOWER);
}

TEST(modifiers_bind_tighter_than_signs)
{
    struct node *n = parse("-foo offset 1m ^ bar @ 5"); /* -((foo offset 1m) ^ (bar @ 5)) */
    assert_int_equal(n->kind, NODE_UNARY);
    assert_int_equal(n->child->left->offset_ms, 60000);
    assert_int_equal(n->child->right->at_ms, 5000);
    assert_int_equal(parse("sum_over_time(foo[5m:])")->args[0]->kind, NODE_SUBQUERY);
}

/* ---- selectors ---- */

TEST(a_selector_keeps_its_matchers_and_then_its_name)
{
    struct node *n = parse("foo{a='b', c!=\"d\", e=~`f.*`, \"g.h\"!~'i',}");
    assert_int_equal(n->kind, NODE_SELECTOR);
    assert_int_equal(n->n_matchers, 5);
    EXPECT(str_is(n->metric, "foo"));
    assert_int_equal(n->matchers[2].op, MATCH_RE);
    EXPECT(str_is(n->matchers[3].name, "g.h"));
    EXPECT(str_is(n->matchers[4].name, "__name__"));
    EXPECT(str_is(n->matchers[4].value, "foo"));
    EXPECT(matcher_matches(&n->matchers[2], STR("fff")));
}

TEST(names_of_any_letters_stand_in_quotes)
{
    struct node *n = parse("{\"my.metric\", \"my label\"=\"x\"}");
    assert_int_equal(n->n_matchers, 2);
    EXPECT(n->metric.n == 0);
    EXPECT(str_is(n->matchers[0].name, "__name__"));
    EXPECT(str_is(n->matchers[0].value, "my.metric"));
    EXPECT(str_is(n->matchers[1].name, "my label"));
}

TEST(keywords_may_name_metrics_and_labels)
{
    static const char *const metrics[] = {
        "sum",    "by",   "offset",   "start", "step",    "range",
        "min_of", "fill", "anchored", "and",   "without", "limitk{a=\"b\"}"
    };
    for (size_t i = 0; i < COUNT(metrics); i++) assert_int_equal(parse(metrics[i])->kind, NODE_SELECTOR);

    struct node *n = parse("sum by (by, on, sum, bool, atan2, start, \"a b\",) (sum)");
    assert_int_equal(n->n_grouping, 7);
    EXPECT(str_is(n->grouping[6], "a b"));
    EXPECT(str_is(parse("foo{by=\"x\", sum=\"y\"}")->matchers[0].name, "by"));
}

TEST(offset_and_at_in_either_order)
{
    static const char *const same[] = { "foo offset 5m @ 100", "foo @ 100 offset 5m",
                                        "foo @ 1m40s offset 300" };
    for (size_t i = 0; i < COUNT(same); i++) {
        struct node *n = parse(same[i]);
        assert_int_equal(n->offset_ms, 300000);
        assert_int_equal(n->at_kind, AT_TIME);
        assert_int_equal(n->at_ms, 100000);
    }
    assert_int_equal(parse("foo offset -5m")->offset_ms, -300000);
    assert_int_equal(parse("foo @ -1.5")->at_ms, -1500);
    assert_int_equal(parse("foo @ start()")->at_kind, AT_START);

    struct node *n =
        parse("rate(foo[5m] @ end() offset 1m)")->args[0]; /* a range keeps them on its selector */
    assert_int_equal(n->kind, NODE_MATRIX);
    assert_int_equal(n->range_ms, 300000);
    assert_int_equal(n->child->at_kind, AT_END);
    assert_int_equal(n->child->offset_ms, 60000);
}

TEST(subqueries)
{
    struct node *n = parse("foo[1h:5m] @ 10 offset 1m");
    assert_int_equal(n->kind, NODE_SUBQUERY);
    assert_int_equal(n->type, PROMQL_MATRIX);
    assert_int_equal(n->range_ms, 3600000);
    assert_int_equal(n->step_ms, 300000);
    assert_int_equal(n->at_ms, 10000);
    assert_int_equal(n->offset_ms, 60000);
    assert_int_equal(parse("foo[1h:]")->step_ms, 0);
    assert_int_equal(parse("sum_over_time(rate(foo[5m])[1h:])")->args[0]->child->kind, NODE_CALL);
    assert_int_equal(parse("foo[300]")->range_ms, 300000); /* numbers are seconds */
    assert_int_equal(parse("foo[0x10]")->range_ms, 16000);
    assert_int_equal(parse("foo[0.5]")->range_ms, 500);
}

TEST(anchored_and_smoothed)
{
    assert_int_equal(parse("foo[5m] anchored")->child->extent, EXTENT_ANCHORED);
    assert_int_equal(parse("foo smoothed @ 5")->extent, EXTENT_SMOOTHED);
}

/* ---- duration expressions ---- */

TEST(durations_are_computed_from_step_and_range)
{
    struct duration_expr *d = parse("foo[step() * 2 + min_of(5m, range())]")->range_expr;
    assert_int_equal(d->op, DUR_ADD);
    assert_int_equal(d->a->op, DUR_MUL);
    assert_int_equal(d->a->a->op, DUR_STEP);
    EXPECT(d->a->b->seconds == 2);
    assert_int_equal(d->b->op, DUR_MIN);
    EXPECT(d->b->a->seconds == 300 && d->b->a->written_as_duration);
    assert_int_equal(d->b->b->op, DUR_RANGE);

    d = parse("foo[-2^2 + 1h]")->range_expr; /* a sign binds less than ^ */
    assert_int_equal(d->a->op, DUR_NEG);
    assert_int_equal(d->a->a->op, DUR_POW);
    EXPECT(parse("foo[(5m)]")->range_expr == NULL); /* still a plain number */
    EXPECT(parse("foo[1h:(step())]")->step_expr->wrapped);
}

TEST(offset_takes_one_operand_unless_in_parentheses)
{
    struct node *n = parse("foo offset 5m * 2");
    assert_int_equal(n->kind, NODE_BINARY);
    assert_int_equal(n->left->offset_ms, 300000);

    n = parse("foo offset (5m * 2)");
    assert_int_equal(n->kind, NODE_SELECTOR);
    assert_int_equal(n->offset_expr->op, DUR_MUL);
    assert_int_equal(parse("foo offset -step()")->offset_expr->op, DUR_NEG);
    assert_int_equal(parse("foo offset -max_of(1m, 2m) ^ 2")->op, OP_POW);
}

/* ---- operators ---- */

TEST(matching_and_grouping)
{
    struct node *n = parse("a / on(x, \"y.z\") group_left(p) b");
    EXPECT(n->has_matching && n->on);
    assert_int_equal(n->n_match_labels, 2);
    EXPECT(str_is(n->match_labels[1], "y.z"));
    assert_int_equal(n->card, CARD_MANY_TO_ONE);
    assert_int_equal(n->n_include, 1);

    n = parse("a > bool ignoring() group_right b");
    EXPECT(n->return_bool && n->has_matching && !n->on);
    assert_int_equal(n->card, CARD_ONE_TO_MANY);
    assert_int_equal(parse("a and b")->card, CARD_MANY_TO_MANY);
    assert_int_equal(parse("a + b")->card, CARD_ONE_TO_ONE);
}

TEST(fill_gives_missing_sides_a_value)
{
    struct node *n = parse("a + fill(-1) b");
    EXPECT(n->has_fill_left && n->has_fill_right && n->fill_left == -1 && n->fill_right == -1);
    n = parse("a + on(x) fill_right(2) fill_left(1m) b");
    EXPECT(n->fill_left == 60 && n->fill_right == 2);
    n = parse("a + fill_left(3) b");
    EXPECT(n->has_fill_left && !n->has_fill_right);
    assert_int_equal(parse("fill + fill")->left->kind, NODE_SELECTOR);
}

TEST(aggregation_modifiers_before_or_after)
{
    struct node *n = parse("sum without (a) (foo)");
    EXPECT(n->without && !n->by && n->n_grouping == 1);
    n = parse("topk(5, foo) by (a, b)");
    EXPECT(n->by && n->param->number == 5 && n->n_grouping == 2);
    assert_int_equal(n->agg, AGG_TOPK);
    EXPECT(parse("SUM(foo) BY ()")->by);
}

TEST(calls_know_their_function)
{
    struct node *n = parse("clamp(foo, 1, 2)");
    EXPECT_STR(n->fn->name, "clamp");
    assert_int_equal(n->n_args, 3);
    assert_int_equal(n->type, PROMQL_VECTOR);
    assert_int_equal(parse("time()")->type, PROMQL_SCALAR);
    parse("hour()");
    parse("hour(foo)");
    parse("label_join(foo, 'd', ',')");
    parse("label_join(foo, 'd', ',', 'a', 'b', 'c', 'd', 'e', 'f', 'g')");
    parse("start() + end() + step() + range() + min_of(1, 2)");
    parse("info(foo, {a=~'.*'})"); /* the one selector that may match the empty value */
}

TEST(positions_are_bytes_of_the_query)
{
    const char *text = " rate( foo{a='\xc3\xa9'}[5m] offset 1m ) + -(bar)";
    struct node *n = parse(text);
    EXPECT(n->at.pos == 1 && n->at.end == strlen(text));
    assert_int_equal(n->op_at.pos, strchr(text, '+') - text);
    assert_int_equal(n->left->args[0]->at.pos, strstr(text, "foo") - text);
    assert_int_equal(n->left->args[0]->at.end, strstr(text, " )") - text);
    assert_int_equal(n->left->at.end, strstr(text, " +") - text);
    assert_int_equal(n->right->at.pos, strchr(text, '-') - text);

    int line, column;
    promql_position(STR("a\nbc\nd"), 3, &line, &column);
    EXPECT(line == 2 && column == 2);
}

/* ---- refusals, in the words users know ---- */

TEST(syntax_errors_name_the_token_and_the_place)
{
    static const struct refusal all[] = {
        { "", "unknown position: parse error: no expression found in input" },
        { "# only\n", "1:1: parse error: no expression found in input" },
        { "foo bar", "1:5: parse error: unexpected identifier \"bar\"" },
        { "1 +", "1:4: parse error: unexpected end of input" },
        { "foo\n  $", "2:3: parse error: unexpected character: '$'" },
        { "sum(foo bar)", "1:9: parse error: unexpected identifier \"bar\" in aggregation" },
        { "sum(foo", "1:8: parse error: unclosed left parenthesis" },
        { "foo)", "1:5: parse error: unexpected right parenthesis ')'" },
        { "foo{a}",
          "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator" },
        { "foo{a=b}", "1:7: parse error: unexpected identifier \"b\" in label matching, expected string" },
        { "foo{a=\"b\" c=\"d\"}",
          "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"" },
        { "foo{,}", "1:5: parse error: unexpected \",\" in label matching, expected identifier or \"}\"" },
        { "a + on b", "1:8: parse error: unexpected identifier \"b\" in grouping opts, expected \"(\"" },
        { "sum by (a b) (c)",
          "1:11: parse error: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\"" },
        { "sum by (1) (c)", "1:9: parse error: unexpected number \"1\" in grouping opts, expected label" },
        { "foo offset bar", "1:12: parse error: unexpected identifier \"bar\" in offset, expected number, "
                            "duration, step(), or range()" },
        { "foo @ bar", "1:7: parse error: unexpected identifier \"bar\" in @, expected timestamp" },
        { "foo[5m", "1:7: parse error: unclosed left bracket" },
        { "foo[]", "1:5: parse error: unexpected \"]\" in subquery or range selector, expected number, "
                   "duration, step(), or range()" },
        { "foo[5m 5m]",
          "1:8: parse error: unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\"" },
        { "nope(foo)", "1:1: parse error: unknown function with name \"nope\"" },
        { "rate(foo[5m],)", "1:13: parse error: trailing commas not allowed in function call args" },
        { "a + bool group_left b", "1:10: parse error: unexpected <group_left>" },
    };
    refuse_all(all, COUNT(all));
}

TEST(types_must_fit)
{
    static const struct refusal all[] = {
        { "rate(foo)",
          "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector" },
        { "sum(foo[5m])",
          "1:5: parse error: expected type instant vector in aggregation expression, got range vector" },
        { "topk(foo, bar)",
          "1:6: parse error: expected type scalar in aggregation parameter, got instant vector" },
        { "count_values(1, foo)",
          "1:14: parse error: expected type string in aggregation parameter, got scalar" },
        { "clamp(foo, 1)", "1:1: parse error: expected 3 argument(s) in call to \"clamp\", got 2" },
        { "hour(foo, foo)", "1:1: parse error: expected at most 1 argument(s) in call to \"hour\", got 2" },
        { "label_join(foo, 'a')",
          "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 2" },
        { "sum()", "1:1: parse error: no arguments for aggregate expression provided" },
        { "topk(foo)", "1:1: parse error: wrong number of arguments for aggregate expression provided, "
                       "expected 2, got 1" },
        { "1 < 2", "1:3: parse error: comparisons between scalars must use BOOL modifier" },
        { "a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators" },
        { "1 and b", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression" },
        { "a and on(x) group_left b", "1:1: parse error: no grouping allowed for \"and\" operation" },
        { "a or fill(0) b", "1:1: parse error: filling in missing series not allowed for set operators" },
        { "a + on(x) 1", "1:1: parse error: vector matching only allowed between instant vectors" },
        { "a + fill(0) 1",
          "1:1: parse error: filling in missing series only allowed between instant vectors" },
        { "a + on(x) group_left(x) b",
          "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once" },
        { "a + 'b'",
          "1:5: parse error: binary expression must contain only scalar and instant vector types" },
        { "-'b'", "1:1: parse error: unary expression only allowed on expressions of type scalar or instant "
                  "vector, got \"string\"" },
        { "1[5m:]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead" },
        { "(foo)[5m]", "1:6: parse error: ranges only allowed for vector selectors" },
        { "foo offset 1m [5m]", "1:15: parse error: no offset modifiers allowed before range" },
        { "foo @ 5 [5m]", "1:9: parse error: no @ modifiers allowed before range" },
        { "foo offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times" },
        { "foo @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times" },
        { "1 offset 5m",
          "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector "
          "selector or a subquery" },
        { "foo[5m:] anchored", "1:1: parse error: anchored modifier is not supported for subqueries" },
        { "foo anchored smoothed",
          "1:1: parse error: anchored and smoothed modifiers cannot be used together" },
        { "{}", "1:1: parse error: vector selector must contain at least one non-empty matcher" },
        { "{a='', b=~'.*'}",
          "1:1: parse error: vector selector must contain at least one non-empty matcher" },
        { "foo{__name__='bar'}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\"" },
        { "foo[0]", "1:5: parse error: duration must be greater than 0" },
        { "foo[-5m]", "1:5: parse error: duration must be greater than 0" },
        { "foo[5m/0]", "1:7: parse error: division by zero" },
        { "foo[step()%0]", "1:11: parse error: modulo by zero" },
        { "info(foo, bar)", "1:11: parse error: expected label selectors only, got vector selector instead" },
        { "foo @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf" },
    };
    refuse_all(all, COUNT(all));
}

TEST(a_bad_regex_is_refused_with_its_place)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct node *n;
    struct err e = ERR_INIT;

    assert_int_equal(promql_parse(STR("foo{a=\"b\", c=~\"(\"}"), &a, &n, &e), ERR_PARSE);
    EXPECT(strncmp(e.text, "1:12: parse error: ", 19) == 0);
    arena_release(&a);
}

/* ---- hostile input ---- */

/* Refused with an error that names a limit, and fast: a second would be a thousand times too slow. */
static void refuse_hostile(struct buf *text)
{
    struct arena a = ARENA_INIT(256 << 20);
    struct node *n;
    struct err e = ERR_INIT;

    assert_int_equal(promql_parse(buf_view(text), &a, &n, &e), ERR_PARSE);
    EXPECT(strstr(e.text, "more than") || strstr(e.text, "deeper than") || strstr(e.text, "longer than"));
    arena_release(&a);
    buf_release(text);
}

static struct buf repeated(const char *head, const char *what, size_t times, const char *tail)
{
    struct buf b = BUF_INIT(8 << 20);

    buf_cs(&b, head);
    for (size_t i = 0; i < times; i++) buf_cs(&b, what);
    buf_cs(&b, tail);
    return b;
}

TEST(hostile_depth_and_length_are_refused)
{
    static const struct {
        const char *head, *what;
        size_t times;
        const char *tail;
    } cases[] = {
        { "", "(", 10000, "" },
        { "", "-", 100000, "foo" },
        { "", "sum(", 10000, "" },
        { "", "1^", 50000, "1" },
        { "", "1+", 100000, "1" },
        { "", "a or ", 20000, "a" },
        { "foo", "[5m:]", 40000, "" },
        { "foo[", "(", 10000, "" },
        { "foo[", "-", 50000, "1m]" },
        { "foo[", "1m+", 9000, "1m]" },
        { "foo{", "a=~\"x.y\",", 9000, "}" },
        { "label_join(a,'b'", ",''", 60000, ")" },
        { "foo", " ", 1 << 20, "" },
        { "foo[", "min_of(1,", 9000, "" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b = repeated(cases[i].head, cases[i].what, cases[i].times, cases[i].tail);
        int64_t begin = clock_mono_ns();
        refuse_hostile(&b);
        EXPECT(clock_mono_ns() - begin < 1000000000); /* a guard against the quadratic, not a measure */
    }
}

/* Seven bytes that make a program of megabytes: refused after about a second of compiling, not after a
 * minute. */
TEST(dear_regular_expressions_have_a_budget)
{
    struct buf b = repeated("x{", "a=~\"\\\\pL{90}y\",", 1900, "}");
    struct arena a = ARENA_INIT(64 << 20);
    struct node *n;
    struct err e = ERR_INIT;

    assert_int_equal(promql_parse(buf_view(&b), &a, &n, &e), ERR_PARSE);
    EXPECT(strstr(e.text, "ms to compile"));
    arena_release(&a);
    buf_release(&b);
}

TEST(what_people_generate_is_accepted)
{
    struct buf b = repeated("", "up{job=\"some-service\"} or ", 900, "up");
    struct arena a = ARENA_INIT(64 << 20);
    struct node *n;
    struct err e = ERR_INIT;

    assert_int_equal(promql_parse(buf_view(&b), &a, &n, &e), OK);
    promql_release(n);
    arena_release(&a);
    buf_release(&b);
    b = repeated("", "(", 150, "");
    buf_cs(&b, "1");
    for (int i = 0; i < 150; i++) buf_char(&b, ')');
    parse(buf_cstr(&b));
    buf_release(&b);
}

/* ---- selectors alone ---- */

TEST(match_parameters_are_selectors)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct matcher *m;
    size_t n;
    struct err e = ERR_INIT;

    assert_int_equal(promql_parse_selector(STR("up{job=~\"a|b\"}"), &a, &m, &n, &e), OK);
    assert_int_equal(n, 2);
    matchers_release(m, n);
    assert_int_equal(promql_parse_selector(STR("{}"), &a, &m, &n, &e),
                     OK); /* the caller decides whether that is allowed */
    assert_int_equal(n, 0);
    assert_int_equal(promql_parse_selector(STR("up{job=~\"a\"} + 1"), &a, &m, &n, &e), ERR_PARSE);
    EXPECT_STR(e.text, "1:14: parse error: unexpected <op:+>");
    assert_int_equal(promql_parse_selector(STR("1"), &a, &m, &n, &e), ERR_PARSE);
    arena_release(&a);
}

TESTS(CASE(numbers_in_all_their_forms), CASE(strings_are_expressions),
      CASE(power_binds_tightest_and_to_the_right), CASE(levels_from_or_to_power),
      CASE(modifiers_bind_tighter_than_signs), CASE(a_selector_keeps_its_matchers_and_then_its_name),
      CASE(names_of_any_letters_stand_in_quotes), CASE(keywords_may_name_metrics_and_labels),
      CASE(offset_and_at_in_either_order), CASE(subqueries), CASE(anchored_and_smoothed),
      CASE(durations_are_computed_from_step_and_range), CASE(offset_takes_one_operand_unless_in_parentheses),
      CASE(matching_and_grouping), CASE(fill_gives_missing_sides_a_value),
      CASE(aggregation_modifiers_before_or_after), CASE(calls_know_their_function),
      CASE(positions_are_bytes_of_the_query), CASE(syntax_errors_name_the_token_and_the_place),
      CASE(types_must_fit), CASE(a_bad_regex_is_refused_with_its_place),
      CASE(hostile_depth_and_length_are_refused), CASE(dear_regular_expressions_have_a_budget),
      CASE(what_people_generate_is_accepted), CASE(match_parameters_are_selectors))
