/* explain_test.c - what a query did, counted by hand; its text and its JSON. */
#include "unit/test.h"

#include "base/json.h"
#include "query/promql/explain.h"
#include "unit/toy_store.c"

/* Three series, a row a minute from 0 to an hour. */
static struct store *filled(void)
{
    struct store *s = toy_store_new();
    for (int i = 0; i < 3; i++) {
        char id[] = { (char)('a' + i), 0 };
        struct label l[] = { { STR("__name__"), STR("m_total") }, { STR("i"), str_of(id) } };
        for (int t = 0; t <= 60; t++) toy_store_add(s, (struct labels){ l, 2 }, t * 60000, t, NULL, 0);
    }
    return s;
}

static void explain(struct engine *en, const char *text, int64_t start, int64_t end, int64_t step,
                    struct query_result *r)
{
    struct query_conf c = {
        .text = str_of(text), .start_ms = start, .end_ms = end, .step_ms = step, .explain = true
    };
    c.stats_per_step = true;
    EXPECT_INT(engine_query(en, &c, r, NULL), OK);
    EXPECT(r->explain != NULL);
}

TEST(each_node_tells_its_rows_and_each_selector_its_reads)
{
    struct store *s = filled();
    struct engine *en = engine_new(s, NULL, NULL);
    struct query_result r;

    explain(en, "sum(rate(m_total[5m])) * 2", 600000, 1200000, 60000, &r);
    const struct explain_node *mul = r.explain, *sum = mul->child[0], *rate = sum->child[0];
    EXPECT_STR(mul->kind, "operator");
    EXPECT_INT(mul->n, 2);
    EXPECT_INT(mul->steps, 11);
    EXPECT_STR(sum->kind, "aggregation");
    EXPECT_INT(sum->rows, 1);
    EXPECT_STR(rate->kind, "function");
    EXPECT_INT(rate->rows, 3);
    EXPECT(str_starts(rate->does, "window of 300s, moved along"));
    const struct explain_node *range = rate->child[0];
    EXPECT(range->reads && !range->was_run);
    EXPECT_INT(range->series, 3);
    EXPECT_INT(range->samples, 3 * 11 * 5); /* five rows a window, shown window by window */
    EXPECT_INT(range->from_ms, 300001);
    EXPECT_INT(range->to_ms, 1200000);
    EXPECT_INT(r.stats.steps, 11);
    for (size_t i = 0; i < 11; i++) EXPECT_INT(r.stats.samples_per_step[i], 15);
    query_result_release(&r);
    engine_free(en);
    store_close(s);
}

TEST(samples_of_a_step_are_counted_where_they_are_used)
{
    struct store *s = filled();
    struct engine *en = engine_new(s, NULL, NULL);
    struct query_result r;

    explain(en, "m_total", 3540000, 3960000, 60000, &r); /* from the last but one row on: five minutes seen */
    static const uint64_t seen[] = { 3, 3, 3, 3, 3, 3, 0, 0 };
    EXPECT_INT(r.stats.steps, 8);
    for (size_t i = 0; i < 8; i++) EXPECT_INT(r.stats.samples_per_step[i], seen[i]);
    query_result_release(&r);
    explain(en, "sum(m_total @ 600)", 600000, 720000, 60000, &r);
    for (size_t i = 0; i < 3; i++) EXPECT_INT(r.stats.samples_per_step[i], 3);
    EXPECT(str_ends(r.explain->does, "evaluated once"));
    query_result_release(&r);
    explain(en, "max_over_time(m_total[5m:1m])", 600000, 720000, 60000, &r);
    for (size_t i = 0; i < 3; i++) EXPECT_INT(r.stats.samples_per_step[i], 15);
    query_result_release(&r);
    engine_free(en);
    store_close(s);
}

static size_t column_of(struct str text, const char *line_with, const char *what)
{
    const char *line = strstr(text.p, line_with), *at = strstr(line, what);
    while (line > text.p && line[-1] != '\n') line--;
    return (size_t)(at - line);
}

TEST(the_text_is_aligned_and_the_json_is_json)
{
    struct store *s = filled();
    struct engine *en = engine_new(s, NULL, NULL);
    struct query_result r;
    struct arena a = ARENA_INIT((size_t)1 << 20);
    struct buf text = BUF_INIT((size_t)1 << 20), json = BUF_INIT((size_t)1 << 20);
    struct json_reader reader;
    struct err e = ERR_INIT;

    explain(en, "sum by (i) (rate(m_total{i=~\"[ab]\"}[5m]))", 600000, 1200000, 60000, &r);
    explain_text(&text, &r);
    buf_cstr(&text);
    EXPECT(strstr(text.p, "'- rate(m_total{i=~\"[ab]\"}[5m])") != NULL);
    EXPECT(strstr(text.p, "2 series, 110 samples from 300.001 to 1200.000") != NULL);
    EXPECT(strstr(text.p, "cache miss") != NULL);
    EXPECT_INT(column_of(buf_view(&text), "expression", "what"),
               column_of(buf_view(&text), "window of", "window of"));
    explain_json(&json, &r);
    json_open(&reader, buf_view(&json), &a);
    json_skip(&reader);
    EXPECT_INT(json_close(&reader, &e), OK);
    query_result_release(&r);
    buf_release(&text);
    buf_release(&json);
    arena_release(&a);
    engine_free(en);
    store_close(s);
}

TESTS(CASE(each_node_tells_its_rows_and_each_selector_its_reads),
      CASE(samples_of_a_step_are_counted_where_they_are_used), CASE(the_text_is_aligned_and_the_json_is_json))
