#include "tell/result_json.h"

#include "base/check.h"
#include "unit/test.h"

static const struct label up_a[] = { { STR("__name__"), STR("up") }, { STR("job"), STR("a\"b") } };
static const struct label up_b[] = { { STR("__name__"), STR("up") }, { STR("job"), STR("c") } };

static void expect_json(const struct query_result *r, size_t limit, bool truncated, const char *want)
{
    struct buf out = BUF_INIT(1 << 20);
    assert_int_equal(result_json(&out, r, limit, false, 4000), truncated);
    EXPECT_STR(buf_cstr(&out), want);
    buf_release(&out);
}

TEST(vectors_have_one_value_each)
{
    struct histogram h = { .schema = 0, .count = 1, .sum = 2 };
    struct result_point a = { 1500, 1, NULL }, b = { 1500, 0, &h };
    struct result_series s[] = { { { up_a, 2 }, &a, 1 }, { { up_b, 2 }, &b, 1 } };
    struct query_result r = { .type = PROMQL_VECTOR, .series = s, .n = 2 };

    expect_json(&r, 0, false,
                "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"up\",\"job\":\"a\\\"b\"},"
                "\"value\":[1.500,\"1\"]},"
                "{\"metric\":{\"__name__\":\"up\",\"job\":\"c\"},\"histogram\":[1.500,{\"count\":\"1\","
                "\"sum\":\"2\"}]}]}");
    expect_json(&r, 1, true,
                "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"up\",\"job\":\"a\\\"b\"},"
                "\"value\":[1.500,\"1\"]}]}");
    r.n = 0;
    expect_json(&r, 1, false, "{\"resultType\":\"vector\",\"result\":[]}");
}

TEST(a_matrix_keeps_floats_and_histograms_apart)
{
    struct histogram h = { .schema = 0, .count = 1, .sum = 2 };
    struct result_point p[] = { { 0, 1, NULL }, { 60000, 0, &h }, { 120000, 3.5, NULL } };
    struct result_series s[] = { { { up_b, 2 }, p, 3 }, { { NULL, 0 }, p + 1, 1 } };
    struct query_result r = { .type = PROMQL_MATRIX, .series = s, .n = 2 };

    expect_json(&r, 2, false,
                "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"up\",\"job\":\"c\"},"
                "\"values\":[[0,\"1\"],[120,\"3.5\"]],"
                "\"histograms\":[[60,{\"count\":\"1\",\"sum\":\"2\"}]]},"
                "{\"metric\":{},\"histograms\":[[60,{\"count\":\"1\",\"sum\":\"2\"}]]}]}");
}

TEST(scalars_and_strings_have_no_labels)
{
    struct result_point p = { 4000, 2, NULL };
    struct result_series s = { { NULL, 0 }, &p, 1 };
    struct query_result r = { .type = PROMQL_SCALAR, .series = &s, .n = 1 };

    expect_json(&r, 1, false, "{\"resultType\":\"scalar\",\"result\":[4,\"2\"]}");
    r.type = PROMQL_STRING;
    r.text = STR("a\nb");
    expect_json(&r, 1, false, "{\"resultType\":\"string\",\"result\":[4,\"a\\nb\"]}");
}

TEST(long_series_are_written_in_blocks)
{
    enum { N = 1000 };
    static struct result_point p[N];
    struct buf out = BUF_INIT(1 << 20);
    for (int i = 0; i < N; i++) p[i] = (struct result_point){ i * 1000, i, NULL };
    struct result_series s = { { up_b, 2 }, p, N };
    struct query_result r = { .type = PROMQL_MATRIX, .series = &s, .n = 1 };

    result_json(&out, &r, 0, false, 0);
    const char *at = strstr(buf_cstr(&out), "\"values\":[") + 10;
    for (int i = 0; i < N; i++) {
        char want[64];
        int n = snprintf(want, sizeof want, "[%d,\"%d\"]%c", i, i, i + 1 < N ? ',' : ']');
        EXPECT(strncmp(at, want, (size_t)n) == 0);
        at += n;
    }
    buf_release(&out);
}

TEST(statistics_on_demand)
{
    struct query_result r = { .type = PROMQL_VECTOR,
                              .stats = { .samples_total = 10, .samples_peak = 4, .eval_s = 0.5 } };
    struct buf out = BUF_INIT(1 << 20);

    result_json(&out, &r, 0, true, 0);
    EXPECT(strstr(buf_cstr(&out), "\"stats\":{\"timings\":{\"evalTotalTime\":0.5,"));
    EXPECT(strstr(buf_cstr(&out),
                  "\"samples\":{\"totalQueryableSamples\":10,\"samplesRead\":10,\"peakSamples\":4}}"));
    buf_release(&out);
}

TESTS(CASE(vectors_have_one_value_each), CASE(a_matrix_keeps_floats_and_histograms_apart),
      CASE(scalars_and_strings_have_no_labels), CASE(long_series_are_written_in_blocks),
      CASE(statistics_on_demand))
