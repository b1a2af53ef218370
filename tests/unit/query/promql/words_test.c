#include "unit/test.h"

#include "base/check.h"
#include "query/promql/functions.h"

static const struct promql_word *word(const char *name)
{
    size_t n;
    const struct promql_word *all = promql_words(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0) return &all[i];
    return NULL;
}

static void expect_signature(const char *name, const char *want)
{
    struct buf out = BUF_INIT(256);
    promql_signature(&out, promql_function_find(str_of(name)));
    EXPECT_STR(buf_cstr(&out), want);
    buf_release(&out);
}

TEST(a_signature_says_what_may_be_left_out_and_what_may_repeat)
{
    expect_signature("abs", "abs(v vector)");
    expect_signature("pi", "pi()");
    expect_signature("hour", "hour([v vector])");
    expect_signature("round", "round(v vector [, multiple scalar])");
    expect_signature("rate", "rate(v range)");
    expect_signature("quantile_over_time", "quantile_over_time(q scalar, v range)");
    expect_signature("label_join",
                     "label_join(v vector, target string, separator string, source string, ...)");
    expect_signature("histogram_quantiles", "histogram_quantiles(h vector, label string, q scalar, ...)");
}

TEST(every_argument_has_a_name)
{
    size_t n;
    const struct promql_function *all = promql_functions(&n);
    for (size_t i = 0; i < n; i++) {
        int names = 0;
        for (const char *p = all[i].params; p && *p; p += strspn(p, " ")) {
            p += strcspn(p, " ");
            names++;
        }
        EXPECT(names == all[i].n_args);
    }
}

TEST(every_aggregation_of_the_parser_is_described_and_no_word_twice)
{
    static const char *const aggregations[] = { "sum",      "avg",          "min",    "max",        "count",
                                                "group",    "stddev",       "stdvar", "topk",       "bottomk",
                                                "quantile", "count_values", "limitk", "limit_ratio" };
    size_t n;
    const struct promql_word *all = promql_words(&n);
    for (size_t i = 0; i < COUNT(aggregations); i++)
        EXPECT(word(aggregations[i]) && word(aggregations[i])->kind == PROMQL_AGGREGATOR);
    for (size_t i = 0; i < n; i++) {
        EXPECT(word(all[i].name) == &all[i]);
        EXPECT(all[i].help[strlen(all[i].help) - 1] == '.');
        EXPECT(strstr(all[i].syntax, all[i].name) != NULL);
    }
}

TESTS(CASE(a_signature_says_what_may_be_left_out_and_what_may_repeat), CASE(every_argument_has_a_name),
      CASE(every_aggregation_of_the_parser_is_described_and_no_word_twice))
