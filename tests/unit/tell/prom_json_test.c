#include "tell/prom_json.h"

#include <math.h>

#include "base/check.h"
#include "unit/test.h"

TEST(values_read_as_prometheus_writes_them)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { -0.0, "-0" },
        { 1, "1" },
        { -42, "-42" },
        { 0.1, "0.1" },
        { 1.5, "1.5" },
        { 123456789012345, "123456789012345" },
        { 1e15, "1000000000000000" },
        { 1e20, "100000000000000000000" },
        { 1e21, "1e+21" },
        { 1.5e300, "1.5e+300" },
        { 1e-6, "0.000001" },
        { 1e-7, "1e-07" },
        { -2.5e-10, "-2.5e-10" },
        { 5e-324, "5e-324" },
        { INFINITY, "+Inf" },
        { -INFINITY, "-Inf" },
        { 0.30000000000000004, "0.30000000000000004" },
        { 12345.678, "12345.678" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 0.000001234, "0.000001234" },
        { 99, "99" },
        { 100, "100" },
        { 9007199254740992, "9007199254740992" },
        { 1.23456789012345678e20, "123456789012345680000" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[PROM_VALUE_MAX + 1];
        text[prom_value_text(cases[i].v, text)] = 0;
        EXPECT_STR(text, cases[i].text);
    }
    char text[PROM_VALUE_MAX + 1];
    text[prom_value_text(NAN, text)] = 0;
    EXPECT_STR(text, "NaN");
}

TEST(times_are_seconds_with_up_to_three_decimals)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { 1, "0.001" },
        { 10, "0.010" },
        { 999, "0.999" },
        { 1000, "1" },
        { 1500, "1.500" },
        { 1435781451781, "1435781451.781" },
        { -1, "-0.001" },
        { -1500, "-1.500" },
        { -60000, "-60" },
        { INT64_MIN, "-9223372036854775.808" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[33];
        text[prom_time_text(cases[i].ms, text)] = 0;
        EXPECT_STR(text, cases[i].text);
    }
}

static void expect_date(int64_t ms, const char *want)
{
    struct buf b = BUF_INIT(100);
    prom_put_rfc3339(&b, ms);
    EXPECT_STR(buf_cstr(&b), want);
    buf_release(&b);
}

TEST(dates)
{
    expect_date(0, "\"1970-01-01T00:00:00Z\"");
    expect_date(951782400000, "\"2000-02-29T00:00:00Z\"");
    expect_date(1700000000123, "\"2023-11-14T22:13:20.123Z\"");
    expect_date(-1, "\"1969-12-31T23:59:59.999Z\"");
    expect_date(4102444799000, "\"2099-12-31T23:59:59Z\"");
}

static void expect_histogram(const struct histogram *h, const char *want)
{
    struct buf b = BUF_INIT(10000);
    prom_put_histogram(&b, h);
    EXPECT_STR(buf_cstr(&b), want);
    buf_release(&b);
}

/* Schema 0: bucket i covers (2^(i-1), 2^i]. Empty buckets are left out. */
TEST(exponential_histograms_rise_from_negative_to_positive)
{
    struct hist_span pos[] = { { 0, 2 }, { 1, 1 } }, neg[] = { { 1, 2 } };
    double p[] = { 1, 0, 3 }, n[] = { 4, 5 };
    struct histogram h = { .schema = 0,
                           .zero_threshold = 0.25,
                           .zero_count = 2,
                           .count = 15,
                           .sum = -7.5,
                           .n_pos_spans = 2,
                           .n_neg_spans = 1,
                           .n_pos = 3,
                           .n_neg = 2,
                           .pos_spans = pos,
                           .neg_spans = neg,
                           .pos = p,
                           .neg = n };
    expect_histogram(&h, "{\"count\":\"15\",\"sum\":\"-7.5\",\"buckets\":["
                         "[1,\"-4\",\"-2\",\"5\"],[1,\"-2\",\"-1\",\"4\"],"
                         "[3,\"-0.25\",\"0.25\",\"2\"],"
                         "[0,\"0.5\",\"1\",\"1\"],[0,\"4\",\"8\",\"3\"]]}");
}

TEST(a_wide_zero_bucket_cuts_its_neighbours)
{
    struct hist_span pos[] = { { 0, 1 } };
    double p[] = { 1 };
    struct histogram h = { .schema = 0,
                           .zero_threshold = 0.75,
                           .count = 1,
                           .sum = 1,
                           .n_pos_spans = 1,
                           .n_pos = 1,
                           .pos_spans = pos,
                           .pos = p };
    expect_histogram(&h, "{\"count\":\"1\",\"sum\":\"1\",\"buckets\":[[0,\"0.75\",\"1\",\"1\"]]}");
}

TEST(custom_bounds)
{
    struct hist_span pos[] = { { 0, 3 } };
    double p[] = { 1, 2, 3 }, custom[] = { 5, 10 };
    struct histogram h = { .schema = HISTOGRAM_CUSTOM,
                           .count = 6,
                           .sum = 60,
                           .n_pos_spans = 1,
                           .n_pos = 3,
                           .n_custom = 2,
                           .pos_spans = pos,
                           .pos = p,
                           .custom = custom };
    expect_histogram(&h, "{\"count\":\"6\",\"sum\":\"60\",\"buckets\":["
                         "[3,\"-Inf\",\"5\",\"1\"],[0,\"5\",\"10\",\"2\"],[0,\"10\",\"+Inf\",\"3\"]]}");
}

/* As after multiplying with -1: other buckets show their negative counts. */
TEST(a_negative_zero_bucket_is_not_shown)
{
    struct hist_span pos[] = { { 0, 1 } };
    double p[] = { -1 };
    struct histogram h = { .schema = 0,
                           .zero_threshold = 0.001,
                           .zero_count = -3,
                           .count = -4,
                           .sum = -1,
                           .n_pos_spans = 1,
                           .n_pos = 1,
                           .pos_spans = pos,
                           .pos = p };
    expect_histogram(&h, "{\"count\":\"-4\",\"sum\":\"-1\",\"buckets\":[[0,\"0.5\",\"1\",\"-1\"]]}");
}

TEST(an_empty_histogram_has_no_buckets)
{
    struct histogram h = { .schema = 3 };
    expect_histogram(&h, "{\"count\":\"0\",\"sum\":\"0\"}");
}

TESTS(CASE(values_read_as_prometheus_writes_them), CASE(times_are_seconds_with_up_to_three_decimals),
      CASE(dates), CASE(exponential_histograms_rise_from_negative_to_positive),
      CASE(a_wide_zero_bucket_cuts_its_neighbours), CASE(custom_bounds),
      CASE(a_negative_zero_bucket_is_not_shown), CASE(an_empty_histogram_has_no_buckets))
