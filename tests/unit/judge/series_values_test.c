/* series_values_test.c - the notation of test files. */
#include "judge/series_values.h"

#include "unit/test.h"

static void values(const char *text, const char *want)
{
    struct arena a = ARENA_INIT(1u << 20);
    struct series_values v;
    struct err e = ERR_INIT;
    struct buf got = BUF_INIT(1000);
    if (series_values_parse(str_of(text), &a, &v, &e) < 0) fail_msg("%s: %s", text, e.text);
    for (size_t i = 0; i < v.n; i++) {
        if (i > 0) buf_char(&got, ' ');
        if (v.at[i].omitted)
            buf_char(&got, '_');
        else if (v.at[i].hist != NULL)
            series_histogram_print(&got, v.at[i].hist);
        else if (is_stale(v.at[i].value))
            buf_cs(&got, "stale");
        else
            buf_printf(&got, "%g", v.at[i].value);
    }
    EXPECT_STR(buf_cstr(&got), want);
    buf_release(&got);
    arena_release(&a);
}

static void refused(const char *text, const char *why)
{
    struct arena a = ARENA_INIT(1u << 20);
    struct series_values v;
    struct err e = ERR_INIT;
    EXPECT(series_values_parse(str_of(text), &a, &v, &e) < 0);
    if (strstr(e.text, why) == NULL) fail_msg("wanted \"%s\", got \"%s\"", why, e.text);
    arena_release(&a);
}

TEST(numbers_and_sequences)
{
    values("1 2.5 -3 1e3 +4", "1 2.5 -3 1000 4");
    values("0+10x3", "0 10 20 30");
    values("10-2.5x2", "10 7.5 5");
    values("-1+1x2", "-1 0 1");
    values("7x2", "7 7 7");
    values("1x0", "1");
    values("_ _x3 stale 1", "_ _ _ _ stale 1");
    values("NaN Inf -Inf Infx1", "nan inf -inf inf inf");
    values("", "");
    values("1e-3+1e-3x1", "0.001 0.002");
}

TEST(histograms)
{
    values("{{schema:1 sum:5 count:4 buckets:[1 2 1]}}x1",
           "{{schema:1 count:4 sum:5 buckets:[1 2 1]}} {{schema:1 count:4 sum:5 buckets:[1 2 1]}}");
    values("{{count:1 sum:2 buckets:[1]}}+{{count:1 sum:3 buckets:[1]}}x2",
           "{{schema:0 count:1 sum:2 buckets:[1]}} {{schema:0 count:2 sum:5 buckets:[2]}} "
           "{{schema:0 count:3 sum:8 buckets:[3]}}");
    values("{{schema:-53 count:3 sum:4 custom_values:[1 2] buckets:[1 2]}}",
           "{{schema:-53 count:3 sum:4 custom_values:[1 2] buckets:[1 2]}}");
    values(
        "{{count:3 sum:4 z_bucket:1 z_bucket_w:0.5 offset:2 buckets:[2] counter_reset_hint:gauge}}",
        "{{schema:0 count:3 sum:4 counter_reset_hint:gauge z_bucket:1 z_bucket_w:0.5 offset:2 buckets:[2]}}");
}

TEST(what_is_none_is_refused_with_its_place)
{
    refused("1 x", "column 3: expected a number");
    refused("1x", "column 3: expected a number of times");
    refused("1+x3", "column 2: expected a number");
    refused("1x99999999", "more than");
    refused("1 2,3", "column 4: expected a space");
    refused("{{schema:99}}", "column");
    refused("{{buckets:[1}}", "expected");
    refused("{{sum:1", "expected }}");
    refused("{{what:1}}", "not a part of a histogram");
    refused("{{count:1 buckets:[1] schema:0}}+{{count:1 schema:-53 custom_values:[1] buckets:[1]}}x1",
            "cannot be added");
}

TEST(names)
{
    struct arena a = ARENA_INIT(1u << 20);
    struct labels l;
    struct err e = ERR_INIT;
    struct buf b = BUF_INIT(200);
    EXPECT_INT(series_labels_parse(STR("up{b=\"2\", a='1', c=\"\"}"), &a, &l, &e), OK);
    labels_print(&b, l);
    EXPECT_STR(buf_cstr(&b), "up{a=\"1\", b=\"2\"}");
    EXPECT_INT(series_labels_parse(STR(" { } "), &a, &l, &e), OK);
    EXPECT_INT(l.n, 0);
    EXPECT(series_labels_parse(STR("up{a=~\"1\"}"), &a, &l, &e) < 0);
    EXPECT(series_labels_parse(STR("up{"), &a, &l, &e) < 0);
    buf_release(&b);
    arena_release(&a);
}

TESTS(CASE(numbers_and_sequences), CASE(histograms), CASE(what_is_none_is_refused_with_its_place),
      CASE(names))
