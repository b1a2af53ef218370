#include "unit/test.h"

#include "tell/loki_json.h"

static struct label env[] = { { { "env", 3 }, { "prod", 4 } } };
static struct label level[] = { { { "detected_level", 14 }, { "warn", 4 } } };
static struct label parsed[] = { { { "code", 4 }, { "500", 3 } } };
static struct label clash[] = { { { "env", 3 }, { "other", 5 } } };

static struct logql_entry entries[] = {
    { 20, { "b \"quoted\"", 10 }, { level, 1 }, { parsed, 1 } },
    { 10, { "a", 1 }, { level, 1 }, { NULL, 0 } },
};

static void expect_streams(const struct logql_stream *s, size_t n, bool categorised, bool forward,
                           const char *want)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct buf out = BUF_INIT(1 << 20);
    loki_put_streams(&out, s, n, categorised, forward, &a);
    EXPECT_STR(buf_cstr(&out), want);
    buf_release(&out);
    arena_release(&a);
}

TEST(without_categories_all_labels_tell_streams_apart)
{
    const struct logql_stream s = { { env, 1 }, entries, 2 };
    expect_streams(
        &s, 1, false, false,
        "[{\"stream\":{\"code\":\"500\",\"detected_level\":\"warn\",\"env\":\"prod\"},"
        "\"values\":[[\"20\",\"b \\\"quoted\\\"\"]]},"
        "{\"stream\":{\"detected_level\":\"warn\",\"env\":\"prod\"},\"values\":[[\"10\",\"a\"]]}]");
}

TEST(with_categories_every_line_has_both_objects)
{
    const struct logql_stream s = { { env, 1 }, entries, 2 };
    expect_streams(&s, 1, true, false,
                   "[{\"stream\":{\"env\":\"prod\"},\"values\":["
                   "[\"20\",\"b \\\"quoted\\\"\",{\"structuredMetadata\":{\"detected_level\":\"warn\"},"
                   "\"parsed\":{\"code\":\"500\"}}],"
                   "[\"10\",\"a\",{\"structuredMetadata\":{\"detected_level\":\"warn\"},\"parsed\":{}}]]}]");
}

TEST(lines_of_one_group_are_in_the_order_asked_for_wherever_they_came_from)
{
    struct logql_entry one[] = { { 5, { "x", 1 } } }, two[] = { { 7, { "y", 1 } } };
    const struct logql_stream s[] = { { { env, 1 }, one, 1 }, { { env, 1 }, two, 1 } };
    expect_streams(s, 2, false, true,
                   "[{\"stream\":{\"env\":\"prod\"},\"values\":[[\"5\",\"x\"],[\"7\",\"y\"]]}]");
    expect_streams(s, 2, false, false,
                   "[{\"stream\":{\"env\":\"prod\"},\"values\":[[\"7\",\"y\"],[\"5\",\"x\"]]}]");
}

TEST(of_equal_names_the_streams_label_stays)
{
    struct logql_entry e[] = { { 5, { "x", 1 }, { clash, 1 } } };
    const struct logql_stream s = { { env, 1 }, e, 1 };
    expect_streams(&s, 1, false, true, "[{\"stream\":{\"env\":\"prod\"},\"values\":[[\"5\",\"x\"]]}]");
}

TEST(nothing_is_an_empty_list)
{
    expect_streams(NULL, 0, false, false, "[]");
}

static void expect_result(struct logql_result *r, const char *begin)
{
    struct buf out = BUF_INIT(1 << 20);
    loki_put_result(&out, r, false, false);
    EXPECT(strncmp(buf_cstr(&out), begin, strlen(begin)) == 0);
    EXPECT(strstr(buf_cstr(&out), "\"stats\":{\"summary\":{") != NULL);
    buf_release(&out);
}

/* Times have three decimals when they are no whole seconds, as Prometheus writes them. */
TEST(vectors_and_matrices_are_prometheus_shaped)
{
    struct result_point points[] = { { 1500, 2, NULL }, { 2500, 0.5, NULL } };
    struct result_series series = { { env, 1 }, points, 2 };
    struct logql_result r = { .type = LOGQL_MATRIX, .series = &series, .n_series = 1 };
    expect_result(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":"
                      "{\"env\":\"prod\"},\"values\":[[1.500,\"2\"],[2.500,\"0.5\"]]}],");
    r.type = LOGQL_VECTOR;
    series.n = 1;
    expect_result(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":"
                      "{\"env\":\"prod\"},\"value\":[1.500,\"2\"]}],");
    r.n_series = 0;
    expect_result(&r, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[],");
}

TESTS(CASE(without_categories_all_labels_tell_streams_apart),
      CASE(with_categories_every_line_has_both_objects),
      CASE(lines_of_one_group_are_in_the_order_asked_for_wherever_they_came_from),
      CASE(of_equal_names_the_streams_label_stays), CASE(nothing_is_an_empty_list),
      CASE(vectors_and_matrices_are_prometheus_shaped))
