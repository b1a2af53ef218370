/* LogQL text to a tree and back. Accepted texts are the language documentation's forms. */
#include "query/logql/parse.h"
#include "unit/test.h"

static struct arena arena = ARENA_INIT(64 << 20);

/* The text as it is printed, or the error's text. */
static const char *printed(const char *text)
{
    static struct buf out = BUF_INIT(1 << 20);
    struct logql_query q;
    struct err e = ERR_INIT;
    buf_clear(&out);
    if (logql_parse(str_of(text), &arena, &q, &e) == OK) {
        logql_print(&out, q.root);
        logql_query_release(&q);
    } else {
        buf_cs(&out, e.text);
    }
    return buf_cstr(&out);
}

static void expect_prints(const char *text, const char *want)
{
    EXPECT_STR(printed(text), want);
    char *once = strdup(printed(text));
    EXPECT_STR(printed(once), once); /* what is printed parses to the same print */
    free(once);
}

TEST(selectors_and_line_filters)
{
    expect_prints("{app=\"mysql\",name=\"mysql-backup\"}", "{app=\"mysql\", name=\"mysql-backup\"}");
    expect_prints("{name !~ `mysql-\\d+`, a=\"b\",}", "{name!~\"mysql-\\\\d+\", a=\"b\"}");
    expect_prints("{job=\"mysql\"} |= \"error\" != \"timeout\"",
                  "{job=\"mysql\"} |= \"error\" != \"timeout\"");
    expect_prints("{a=\"b\"} |~ `error=\\w+` !~\"x\"", "{a=\"b\"} |~ \"error=\\\\w+\" !~ \"x\"");
    expect_prints("{a=\"b\"} |> `<_>x<_>` !> `<_>y`", "{a=\"b\"} |> \"<_>x<_>\" !> \"<_>y\"");
    expect_prints("{a=\"b\"}|=\"x\" or \"y\" or ip(\"10.0.0.0/8\")",
                  "{a=\"b\"} |= \"x\" or \"y\" or ip(\"10.0.0.0/8\")");
    expect_prints("{a=\"b\"} # all of b\n |= \"#\" # no comment in a string", "{a=\"b\"} |= \"#\"");
    expect_prints("({a=\"b\"} |= \"x\")", "({a=\"b\"} |= \"x\")");
}

TEST(parsers_and_formats)
{
    expect_prints("{a=\"b\"} | json", "{a=\"b\"} | json");
    expect_prints("{a=\"b\"} | json first=\"servers[0]\", ua=\"request.headers[\\\"User-Agent\\\"]\"",
                  "{a=\"b\"} | json first=\"servers[0]\",ua=\"request.headers[\\\"User-Agent\\\"]\"");
    expect_prints("{a=\"b\"} | json servers", "{a=\"b\"} | json servers=\"servers\"");
    expect_prints("{a=\"b\"} | logfmt --keep-empty --strict host, fwd_ip=\"fwd\"",
                  "{a=\"b\"} | logfmt --strict --keep-empty host=\"host\",fwd_ip=\"fwd\"");
    expect_prints("{a=\"b\"} | regexp `(?P<method>\\w+) (?<path>.*)`",
                  "{a=\"b\"} | regexp \"(?P<method>\\\\w+) (?<path>.*)\"");
    expect_prints("{a=\"b\"} | pattern `<ip> - - <_>` | unpack | decolorize",
                  "{a=\"b\"} | pattern \"<ip> - - <_>\" | unpack | decolorize");
    expect_prints("{a=\"b\"} | line_format \"{{.x}}\" | label_format a=b,c=`{{.d}}`",
                  "{a=\"b\"} | line_format \"{{.x}}\" | label_format a=b,c=\"{{.d}}\"");
    expect_prints("{a=\"b\"} | drop level, method=\"GET\", x=~\"y.*\" | keep z",
                  "{a=\"b\"} | drop level,method=\"GET\",x=~\"y.*\" | keep z");
}

TEST(label_filters_bind_from_left_to_right)
{
    const char *same = "{a=\"b\"} | ( ( duration>=20ms or size==20KB ) , method!~\"2..\" )";
    expect_prints("{a=\"b\"} | duration >= 20ms or size == 20KB and method!~\"2..\"", same);
    expect_prints("{a=\"b\"} | duration >= 20ms or size == 20KB , method!~\"2..\"", same);
    expect_prints("{a=\"b\"} | duration >= 20ms or size == 20KB method!~\"2..\"", same);
    expect_prints("{a=\"b\"} | duration >= 20ms or (method=\"GET\" and size <= 20KB)",
                  "{a=\"b\"} | ( duration>=20ms or ( method=\"GET\" , size<=20KB ) )");
    expect_prints("{a=\"b\"} | status = 500 | addr != ip(\"192.168.4.5/16\") | x > -1.5 | y < 1d",
                  "{a=\"b\"} | status==500 | addr!=ip(\"192.168.4.5/16\") | x>-1.5 | y<1d");
    expect_prints("{a=\"b\"} | json=\"x\" | duration > 10s", "{a=\"b\"} | json=\"x\" | duration>10s");
}

TEST(range_aggregations)
{
    expect_prints("count_over_time({job=\"mysql\"}[5m])", "count_over_time({job=\"mysql\"}[5m])");
    expect_prints("rate({job=\"mysql\"} |= \"error\" != \"timeout\" | json | duration > 10s [1m])",
                  "rate({job=\"mysql\"} |= \"error\" != \"timeout\" | json | duration>10s[1m])");
    expect_prints("rate({job=\"mysql\"}[1m] |= \"error\")", "rate({job=\"mysql\"} |= \"error\"[1m])");
    expect_prints("rate(({job=\"mysql\"} |= \"error\")[1m] offset 5m)",
                  "rate({job=\"mysql\"} |= \"error\"[1m] offset 5m)");
    expect_prints("count_over_time({job=\"mysql\"}[5m] offset -30s)",
                  "count_over_time({job=\"mysql\"}[5m] offset -30s)");
    expect_prints(
        "quantile_over_time(0.99, {a=\"b\"} | json | __error__=\"\" | unwrap request_time [1m]) by (path)",
        "quantile_over_time(0.99,{a=\"b\"} | json | __error__=\"\" | unwrap request_time[1m]) by (path)");
    expect_prints("sum_over_time({a=\"b\"} | logfmt | unwrap duration(took) | __error__=\"\" [1h30m])",
                  "sum_over_time({a=\"b\"} | logfmt | unwrap duration(took) | __error__=\"\"[1h30m])");
}

TEST(vector_expressions)
{
    expect_prints("sum by (host) (rate({a=\"b\"}[1m]))", "sum by (host)(rate({a=\"b\"}[1m]))");
    expect_prints("topk(10, sum(rate({a=\"b\"}[1m])) without (x,y))",
                  "topk(10,sum without (x,y)(rate({a=\"b\"}[1m])))");
    expect_prints("sort_desc(sum(rate({a=\"b\"}[1m])))", "sort_desc(sum(rate({a=\"b\"}[1m])))");
    expect_prints("vector(1)+vector(1)", "vector(1) + vector(1)");
    expect_prints("1 + 2 * 3 ^ 2 ^ 2", "1 + (2 * (3 ^ (2 ^ 2)))");
    expect_prints("sum(count_over_time({a=\"b\"}[5m])) or vector(0)",
                  "sum(count_over_time({a=\"b\"}[5m])) or vector(0)");
    expect_prints("sum by (app) (rate({a=\"b\"}[1m])) > bool on (app) group_left(team) sum by(app,team) "
                  "(rate({c=\"d\"}[1m]))",
                  "sum by (app)(rate({a=\"b\"}[1m])) > bool on (app) group_left (team) sum by "
                  "(app,team)(rate({c=\"d\"}[1m]))");
    expect_prints("label_replace(rate({a=\"b\"}[1m]), \"foo\", \"$1\", \"service\", \"(.*):.*\")",
                  "label_replace(rate({a=\"b\"}[1m]),\"foo\",\"$1\",\"service\",\"(.*):.*\")");
    expect_prints("approx_topk(3, sum by (x) (rate({a=\"b\"}[1m])))",
                  "approx_topk(3,sum by (x)(rate({a=\"b\"}[1m])))");
}

static void expect_refused(const char *text, const char *place, const char *part)
{
    const char *told = printed(text);
    if (strstr(told, place) == NULL || strstr(told, part) == NULL) print_error("%s\n-> %s\n", text, told);
    EXPECT(strstr(told, place) != NULL);
    EXPECT(strstr(told, part) != NULL);
}

TEST(what_is_wrong_is_told_with_its_place)
{
    expect_refused("{a=\"b\"", "line 1, col 7", "unexpected end of query");
    expect_refused("{a=\"b}", "line 1, col 4", "not terminated");
    expect_refused("", "line 1, col 1", "unexpected end of query");
    expect_refused("{}", "line 1, col 1", "at least one matcher");
    expect_refused("{a=~\".*\"}", "line 1, col 1", "at least one matcher");
    expect_refused("{a=\"b\"}\n| jso", "line 2, col 3", "unexpected word jso");
    expect_refused("{a=\"b\"} |~ \"(\"", "line 1, col 9", "regular expression");
    expect_refused("{a=\"b\"} | line_format \"{{.x\"", "line 1, col 9", "unclosed action");
    expect_refused("{a=\"b\"} | line_format `{{nosuch .x}}`", "line 1, col 9", "\"nosuch\" not defined");
    expect_refused("{a=\"b\"} | pattern `<a><b>`", "line 1, col 9", "nothing between");
    expect_refused("{a=\"b\"} | pattern `abc`", "line 1, col 9", "named capture");
    expect_refused("{a=\"b\"} | regexp `abc`", "line 1, col 9", "named capture");
    expect_refused("{a=\"b\"} | label_format foo=bar,foo=\"new\"", "line 1, col 32", "duplicate label name");
    expect_refused("{a=\"b\"} | unwrap x", "line 1, col 11", "range aggregation");
    expect_refused("{a=\"b\"} | x = ip(\"nonsense\")", "line 1, col 15", "ip:");
    expect_refused("rate({a=\"b\"})", "line 1, col 13", "a range like [5m]");
    expect_refused("rate({a=\"b\"}[0s])", "line 1, col 13", "longer than 0");
    expect_refused("count_over_time({job=\"mysql\"}[5m]) offset 5m", "line 1, col 36", "offset");
    expect_refused("count_over_time({a=\"b\"}[5m] @ 1)", "line 1, col 29", "no @ modifier");
    expect_refused("sum_over_time({a=\"b\"}[5m])", "line 1, col 1", "without unwrap");
    expect_refused("count_over_time({a=\"b\"} | unwrap x [5m])", "line 1, col 1", "with unwrap");
    expect_refused("sum_over_time({a=\"b\"} | unwrap x [5m]) by (y)", "line 1, col 1",
                   "grouping not allowed");
    expect_refused("quantile_over_time({a=\"b\"} | unwrap x [5m])", "line 1, col 1", "parameter required");
    expect_refused("topk(0, rate({a=\"b\"}[5m]))", "line 1, col 1", "whole number above 0");
    expect_refused("sum({a=\"b\"})", "line 1, col 5", "range aggregation");
    expect_refused("{a=\"b\"} + 1", "line 1, col 9", "log query");
    expect_refused("1 or rate({a=\"b\"}[5m])", "line 1, col 3", "set binary");
    expect_refused("rate({a=\"b\"}[5m]) + bool 1", "line 1, col 19", "bool modifier");
    expect_refused("sort(rate({a=\"b\"}[5m])) by (x)", "line 1, col 1", "grouping");
    expect_refused("variants(1)", "line 1, col 1", "variants() is not supported");
}

/* ~1 s of hostile text must not be needed to refuse it: depth, counts, and regexes are bounded. */
TEST(hostile_texts_are_refused)
{
    size_t n = 100000;
    char *text = malloc(n + 64);
    memset(text, '(', n);
    text[n] = 0;
    EXPECT(strstr(printed(text), "nested more than") != NULL);
    strcpy(text, "{a=\"b\"} | ");
    for (size_t i = strlen(text); i + 1 < n; i++) text[i] = '(';
    EXPECT(strstr(printed(text), "nested more than") != NULL);
    size_t at = 0;
    for (int i = 0; i < 5000; i++) at += (size_t)sprintf(text + at, "1+");
    EXPECT(strstr(printed(text), "operators") != NULL);
    at = (size_t)sprintf(text, "{a=\"b\"}");
    for (int i = 0; i < 5000; i++) at += (size_t)sprintf(text + at, "|=\"x\"");
    EXPECT(strstr(printed(text), "stages") != NULL);
    at = (size_t)sprintf(text, "{a=\"b\"} |~ \"");
    for (int i = 0; i < 2000; i++) at += (size_t)sprintf(text + at, "(a{1,100}){1,100}");
    sprintf(text + at, "\"");
    EXPECT(strstr(printed(text), "regular expression") != NULL);
    free(text);
}

TEST(durations_and_sizes)
{
    int64_t ns;
    double bytes;
    EXPECT(logql_duration(STR("1h30m"), &ns) && ns == 5400000000000);
    EXPECT(logql_duration(STR("1.5s"), &ns) && ns == 1500000000);
    EXPECT(logql_duration(STR("-2ms"), &ns) && ns == -2000000);
    EXPECT(logql_duration(STR("1d"), &ns) && ns == 86400000000000);
    EXPECT(logql_duration(STR("3\xc2\xb5s"), &ns) && ns == 3000);
    EXPECT(!logql_duration(STR("5"), &ns) && !logql_duration(STR("5x"), &ns) &&
           !logql_duration(STR(""), &ns));
    EXPECT(logql_bytes(STR("42MB"), &bytes) && bytes == 42e6);
    EXPECT(logql_bytes(STR("1.5KiB"), &bytes) && bytes == 1536);
    EXPECT(logql_bytes(STR("5 MiB"), &bytes) && bytes == 5 * 1048576);
    EXPECT(logql_bytes(STR("3k"), &bytes) && bytes == 3000);
    EXPECT(!logql_bytes(STR("MB"), &bytes) && !logql_bytes(STR("5 parsecs"), &bytes));
}

TESTS(CASE(selectors_and_line_filters), CASE(parsers_and_formats),
      CASE(label_filters_bind_from_left_to_right), CASE(range_aggregations), CASE(vector_expressions),
      CASE(what_is_wrong_is_told_with_its_place), CASE(hostile_texts_are_refused), CASE(durations_and_sizes))
