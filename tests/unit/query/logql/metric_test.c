/* Metric queries: by hand where the documentation says what must come out, and by a plain evaluator over
 * random lines where it does not: windows looked at one by one, every line tried for each. */
#include <math.h>

#include "unit/query/logql/logs.h"

static const struct line lines[] = {
    { "web", "prod", 10, "v=1 d=100ms b=1KB", NULL, 0, NULL },
    { "web", "prod", 20, "v=3 d=300ms b=3KB", NULL, 0, NULL },
    { "web", "dev", 20, "v=10 d=1s", NULL, 0, NULL },
    { "web", "prod", 30, "v=5 d=500ms b=5KB", NULL, 0, NULL },
    { "api", "prod", 30, "v=bad", NULL, 0, NULL },
    { "api", "prod", 40, "none", NULL, 0, NULL },
};

static struct logql *lq;

static const char *metric(const char *text, int64_t start, int64_t end, int64_t step)
{
    if (lq == NULL) {
        struct store *s = toy_store_new();
        logs_write(s, lines, sizeof lines / sizeof *lines);
        lq = logql_new(s, NULL, NULL);
    }
    return ask(lq, text, start, end, step);
}

static const char *at(const char *text, int64_t t)
{
    return metric(text, 0, t, 0);
}

TEST(counting_lines)
{
    /* (10, 30]: what lies at 10 is out, at 30 in */
    EXPECT_STR(at("sum by (env) (count_over_time({service_app=\"web\"}[20s]))", 30),
               "{env=dev} 30:1\n{env=prod} 30:2\n");
    EXPECT_STR(at("sum(count_over_time({env=\"prod\"}[1m]))", 60), "{} 60:5\n");
    EXPECT_STR(at("count_over_time({env=\"dev\"}[1m])", 60),
               "{detected_level=unknown,env=dev,service_app=web} 60:1\n");
    EXPECT_STR(at("sum by (service_app) (rate({env=\"prod\"} |= \"v\" [20s]))", 30),
               "{service_app=api} 30:0.05\n{service_app=web} 30:0.1\n");
    EXPECT_STR(at("sum(bytes_over_time({service_app=\"api\"}[1m]))", 60), "{} 60:9\n");
    EXPECT_STR(at("sum(bytes_rate({service_app=\"api\"}[10s]))", 40), "{} 40:0.4\n");
    EXPECT_STR(
        at("sum without (detected_level, service_app) (count_over_time({service_app=\"web\"}[1m]))", 60),
        "{env=dev} 60:1\n{env=prod} 60:3\n");
    EXPECT_STR(metric("sum(count_over_time({service_app=\"web\"}[10s]))", 10, 50, 10), "{} 10:1 20:2 30:1\n");
    EXPECT_STR(metric("sum(count_over_time({service_app=\"web\"}[20s] offset 10s))", 20, 60, 20),
               "{} 20:1 40:3\n");
}

TEST(absence)
{
    EXPECT_STR(metric("absent_over_time({service_app=\"api\", env=~\"p.*\"}[10s])", 20, 60, 10),
               "{service_app=api} 20:1 50:1 60:1\n");
    EXPECT_STR(at("absent_over_time({nosuch=\"x\"}[10s])", 20), "{nosuch=x} 20:1\n");
    EXPECT_STR(at("sum(count_over_time({nosuch=\"x\"}[10s])) or vector(0)", 20), "{} 20:0\n");
}

TEST(unwrapped_values)
{
#define PROD(op, conv) op "({service_app=\"web\",env=\"prod\"} | logfmt | unwrap " conv " [1m]) by (env)"
    EXPECT_STR(at(PROD("avg_over_time", "v"), 60), "{env=prod} 60:3\n");
    EXPECT_STR(at(PROD("min_over_time", "v"), 60), "{env=prod} 60:1\n");
    EXPECT_STR(at(PROD("max_over_time", "duration(d)"), 60), "{env=prod} 60:0.5\n");
    EXPECT_STR(at(PROD("first_over_time", "bytes(b)"), 60), "{env=prod} 60:1000\n");
    EXPECT_STR(at(PROD("last_over_time", "v"), 60), "{env=prod} 60:5\n");
    EXPECT_STR(at(PROD("stdvar_over_time", "v"), 60), "{env=prod} 60:2.66667\n"); /* 8/3 */
    EXPECT_STR(
        at("quantile_over_time(0.5, {env=\"prod\"} | logfmt | unwrap v | __error__=\"\" [1m]) by (env)", 60),
        "{env=prod} 60:3\n");
    EXPECT_STR(at("sum(sum_over_time({service_app=\"web\"} | logfmt | unwrap v [1m]))", 60), "{} 60:19\n");
    EXPECT_STR(at("sum(rate({service_app=\"web\"} | logfmt | unwrap v [1m]))", 60),
               "{} 60:0.316667\n"); /* 19/60 */
    EXPECT_STR(at("sum_over_time({env=\"dev\"} | logfmt | unwrap v [1m])", 60),
               "{d=1s,detected_level=unknown,env=dev,service_app=web} 60:10\n");
}

TEST(a_line_that_fails_fails_the_query_unless_it_is_filtered_out)
{
    EXPECT(strstr(at("sum_over_time({env=\"prod\"} | logfmt | unwrap v [1m])", 60), "SampleExtractionErr") !=
           NULL);
    EXPECT(strstr(at("count_over_time({env=\"prod\"} | json [1m])", 60), "JSONParserErr") != NULL);
    EXPECT_STR(at("sum(count_over_time({env=\"prod\"} | json | __error__=\"\" [1m]))", 60), "");
}

TEST(operators_are_those_of_promql)
{
    EXPECT_STR(at("vector(1)+vector(1)", 60), "{} 60:2\n");
    EXPECT_STR(at("1 + 2 * 3", 60), "{} 60:7\n");
    EXPECT_STR(at("2 > 1", 60), "{} 60:1\n");
    EXPECT_STR(at("topk(1, sum by (env) (count_over_time({env=~\".+\"}[1m])))", 60), "{env=prod} 60:5\n");
    EXPECT_STR(at("sort_desc(sum by (env) (count_over_time({env=~\".+\"}[1m])))", 60),
               "{env=prod} 60:5\n{env=dev} 60:1\n");
    EXPECT_STR(at("sum by (env) (count_over_time({env=~\".+\"}[1m])) / on () group_left () "
                  "sum(count_over_time({env=~\".+\"}[1m])) > 0.5",
                  60),
               "{env=prod} 60:0.833333\n");
    EXPECT_STR(at("sum by (env) (count_over_time({env=~\".+\"}[1m])) unless sum by (env) "
                  "(count_over_time({env=\"dev\"}[1m]))",
                  60),
               "{env=prod} 60:5\n");
    EXPECT_STR(
        at("label_replace(sum by (env) (count_over_time({env=\"dev\"}[1m])), \"x\", \"${1}y\", \"env\", "
           "\"(.).*\")",
           60),
        "{env=dev,x=dy} 60:1\n");
    EXPECT_STR(at("avg(sum by (env) (count_over_time({env=~\".+\"}[1m])))", 60), "{} 60:3\n");
}

/* ---- against a plain evaluator ---- */

#define MANY 400

static uint64_t seed = 42;

static uint64_t below(uint64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

static struct line many[MANY];
static char texts[MANY][32];
static double values[MANY];

static struct logql *random_logs(struct store **out)
{
    static const char *const apps[] = { "a", "b", "c" };
    struct store *s = *out = toy_store_new();
    for (size_t i = 0; i < MANY; i++) {
        values[i] = (double)below(1000) / 8;
        snprintf(texts[i], sizeof texts[i], "v=%g", values[i]);
        many[i] = (struct line){ apps[below(3)], "e", (int64_t)below(600), texts[i], NULL, 0, NULL };
    }
    logs_write(s, many, MANY);
    return logql_new(s, NULL, NULL);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The lines of one app in (end - range, end], one after the other. NaN: none. */
static double plainly(const char *op, const char *app, int64_t end, int64_t range)
{
    double v[MANY], sum = 0, spread = 0;
    size_t n = 0;
    for (size_t i = 0; i < MANY; i++)
        if (strcmp(many[i].app, app) == 0 && many[i].t <= end && many[i].t > end - range) v[n++] = values[i];
    if (n == 0) return NAN;
    qsort(v, n, sizeof *v, by_value);
    for (size_t i = 0; i < n; i++) sum += v[i];
    for (size_t i = 0; i < n; i++) spread += (v[i] - sum / (double)n) * (v[i] - sum / (double)n);
    if (strcmp(op, "count") == 0) return (double)n;
    if (strcmp(op, "sum") == 0) return sum;
    if (strcmp(op, "avg") == 0) return sum / (double)n;
    if (strcmp(op, "min") == 0) return v[0];
    if (strcmp(op, "max") == 0) return v[n - 1];
    if (strcmp(op, "stdvar") == 0) return spread / (double)n;
    double rank = 0.75 * (double)(n - 1); /* quantile: between its neighbours */
    size_t low = (size_t)rank;
    return low + 1 < n ? v[low] + (rank - (double)low) * (v[low + 1] - v[low]) : v[low];
}

static void compare_with_plain(struct logql *random, const char *op, int64_t step, int64_t range)
{
    char text[200];
    struct logql_result r;
    struct err e = ERR_INIT;
    bool counts = strcmp(op, "count") == 0, sums = strcmp(op, "sum") == 0;
    snprintf(text, sizeof text, "%s%s_over_time(%s{env=\"e\"} %s [%llds])%s",
             counts || sums ? "sum by (service_app) (" : "", op, strcmp(op, "quantile") == 0 ? "0.75," : "",
             counts ? "" : "| logfmt | unwrap v", (long long)range,
             counts || sums ? ")" : " by (service_app)");
    struct logql_request q = {
        .text = str_of(text), .start_ns = 17 * SECOND, .end_ns = 630 * SECOND, .step_ns = step * SECOND
    };
    EXPECT(logql_query(random, &q, &r, &e) == OK);
    size_t points = 0, expected = 0;
    for (size_t i = 0; i < r.n_series; i++) {
        char app[2] = { labels_get(r.series[i].labels, "service_app").p[0], 0 };
        for (size_t k = 0; k < r.series[i].n; k++, points++) {
            double want = plainly(op, app, r.series[i].points[k].time_ms / 1000, range),
                   got = r.series[i].points[k].value;
            if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want))))
                print_error("%s at %lld: %g, not %g\n", text, (long long)r.series[i].points[k].time_ms / 1000,
                            got, want);
            EXPECT(fabs(got - want) <= 1e-9 * fmax(1, fabs(want)));
        }
    }
    for (int64_t t = 17; t <= 630; t += step)
        for (const char *app = "abc"; *app; app++)
            expected += !isnan(plainly(op, (char[]){ *app, 0 }, t, range));
    EXPECT_INT(points, expected); /* neither more nor fewer */
    logql_result_release(&r);
}

TEST(windows_of_any_shape_hold_what_a_plain_evaluator_finds)
{
    static const char *const ops[] = { "count", "sum", "avg", "min", "max", "stdvar", "quantile" };
    struct store *store;
    struct logql *random = random_logs(&store);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        compare_with_plain(random, ops[i], 30, 30); /* side by side */
        compare_with_plain(random, ops[i], 60, 7);  /* with gaps */
        compare_with_plain(random, ops[i], 7, 100); /* overlapping much */
        compare_with_plain(random, ops[i], 13, 17);
        compare_with_plain(random, ops[i], 1, 600);
    }
    logql_free(random);
    store_close(store);
}

TEST(lines_between_windows_do_not_mix_up_series)
{
    static const struct line gaps[] = {
        { "web", "prod", 10, "x", NULL, 0, "a" }, { "web", "prod", 15, "x", NULL, 0, "b" },
        { "web", "prod", 20, "x", NULL, 0, "b" }, { "web", "dev", 25, "x", NULL, 0, "c" },
        { "web", "prod", 30, "x", NULL, 0, "c" }, { "web", "prod", 30, "x", NULL, 0, "c" },
    };
    struct store *s = toy_store_new();
    logs_write(s, gaps, sizeof gaps / sizeof *gaps);
    struct logql *few = logql_new(s, NULL, NULL);
    EXPECT_STR(ask(few, "sum by (user_id) (count_over_time({env=\"prod\"}[2s]))", 10, 40, 10),
               "{user_id=a} 10:1\n{user_id=b} 20:1\n{user_id=c} 30:2\n");
    logql_free(few);
    store_close(s);
}

TEST(limits_are_told)
{
    EXPECT(strstr(metric("count_over_time({env=\"dev\"}[1m])", 0, 1000000, 1), "error limit") != NULL);
    struct store *s = toy_store_new();
    logs_write(s, lines, sizeof lines / sizeof *lines);
    struct logql *small = logql_new(s, NULL, &(struct logql_conf){ .max_series = 1 });
    EXPECT(strstr(ask(small, "count_over_time({env=~\".+\"}[1m])", 0, 60, 0),
                  "maximum number of series (1)") != NULL);
    logql_free(small);
    store_close(s);
}

TEST(hostile_queries_end_soon)
{
    struct logql_request q = {
        .text = STR("rate({env=\"prod\"}[1m])"), .start_ns = INT64_MIN, .end_ns = INT64_MAX, .step_ns = 1
    };
    struct logql_result r;
    struct err e = ERR_INIT;
    metric("vector(1)", 0, 0, 0);
    EXPECT(logql_query(lq, &q, &r, &e) == ERR_PARSE);
    q.start_ns = 0;
    q.end_ns = 4000000000000000000;
    EXPECT(logql_query(lq, &q, &r, &e) == ERR_LIMIT); /* steps */
    q.step_ns = 1000000000000000000;
    q.text = STR("sum(rate({env=\"prod\"}[20y] offset -20y)) + sum(rate({env=\"prod\"}[20y] offset 20y))");
    EXPECT(logql_query(lq, &q, &r, &e) == OK);
    logql_result_release(&r);
    EXPECT(strstr(at("rate({env=\"prod\"}[200y])", 60), "20 years") != NULL);
    /* filters that nest deeper than a store takes are decided by the pipeline alone */
    char text[20000] = "{env=~\".+\"} | a=\"x\"";
    for (int i = 0; i < 400; i++) strcat(text, i % 2 ? " and a=\"x\"" : " or a=\"x\"");
    EXPECT_STR(at(text, 60), "");
    strcpy(text, "sum(count_over_time({env=~\".+\"}");
    for (int i = 0; i < 150; i++) strcat(text, " != \"zz\" |= \"\"");
    EXPECT(strstr(at(text, 60), "stages") != NULL);
}

TESTS(CASE(hostile_queries_end_soon), CASE(counting_lines), CASE(absence), CASE(unwrapped_values),
      CASE(a_line_that_fails_fails_the_query_unless_it_is_filtered_out), CASE(operators_are_those_of_promql),
      CASE(windows_of_any_shape_hold_what_a_plain_evaluator_finds),
      CASE(lines_between_windows_do_not_mix_up_series), CASE(limits_are_told))
