/* Queries over a store with summaries answer what they answer over its rows; where rows have expired they
 * answer from summaries, and say so. */
#include "query/promql/summaries.h"

#include <math.h>

#include "query/promql/engine.h"
#include "unit/store/tier_kit.h"

#define HOUR (3600 * 1000ll)

/* ---- what a query reads: the store's doors, counted ---- */

static struct store_ops doors;
static const struct store_ops *behind;
static size_t n_scans, n_summaries;

static int counted_scan(struct store_view *v, struct call *c, const struct series_ref *refs, size_t n,
                        int64_t from_ms, int64_t to_ms, series_sink *sink, void *ctx, struct err *e)
{
    n_scans += n;
    return behind->scan(v, c, refs, n, from_ms, to_ms, sink, ctx, e);
}

static int counted_summarize(struct store_view *v, struct call *c, const struct series_ref *refs, size_t n,
                             const struct summary_grid *g, uint32_t fields, summary_sink *sink, void *ctx,
                             struct err *e)
{
    n_summaries += n;
    return behind->summarize(v, c, refs, n, g, fields, sink, ctx, e);
}

static void count_doors(struct store *s)
{
    behind = s->ops;
    doors = *s->ops;
    doors.scan = counted_scan;
    doors.summarize = counted_summarize;
    s->ops = &doors;
}

/* ---- two stores of the same rows ---- */

struct pair {
    char *dir[2];
    struct store *store[2]; /* rows; with summaries */
    struct engine *engine[2];
    int64_t start_ms;
};

static void pair_open(struct pair *p, struct kit_conf conf, int64_t expired_days)
{
    p->start_ms = kit_start_ms();
    for (int i = 0; i < 2; i++) {
        p->dir[i] = test_dir();
        p->store[i] = kit_open(p->dir[i], i ? conf : (struct kit_conf){ 0 });
        kit_fill(p->store[i], p->start_ms);
        kit_do(p->store[i], STORE_MERGE);
    }
    if (expired_days > 0) {
        store_close(p->store[1]);
        conf.retention_ms = clock_now_ms() - (p->start_ms + expired_days * DAY) - HOUR;
        p->store[1] = kit_open(p->dir[1], conf);
        kit_do(p->store[1], STORE_RETAIN);
    }
    count_doors(p->store[1]);
    for (int i = 0; i < 2; i++) p->engine[i] = engine_new(p->store[i], NULL, &(struct engine_conf){ 0 });
}

static void pair_close(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        engine_free(p->engine[i]);
        store_close(p->store[i]);
        test_dir_remove(p->dir[i]);
    }
}

static void ask(struct engine *en, const char *text, int64_t start_ms, int64_t end_ms, int64_t step_ms,
                struct query_result *out)
{
    struct query_conf conf = {
        .text = str_of(text), .start_ms = start_ms, .end_ms = end_ms, .step_ms = step_ms, .nocache = true
    };
    struct err e = ERR_INIT;
    *out = (struct query_result){ 0 };
    int rc = engine_query(en, &conf, out, &e);
    if (rc < 0) print_error("%s: %s\n", text, e.text);
    EXPECT(rc == OK);
}

static bool near(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static bool same_series(const struct result_series *a, const struct result_series *b)
{
    if (!labels_eq(a->labels, b->labels) || a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->points[i].time_ms != b->points[i].time_ms || !near(a->points[i].value, b->points[i].value))
            return false;
    return true;
}

static size_t expect_same(struct pair *p, const char *text, int64_t start, int64_t end, int64_t step)
{
    struct query_result a, b;
    size_t points = 0;
    ask(p->engine[0], text, start, end, step, &a);
    ask(p->engine[1], text, start, end, step, &b);
    bool same = a.n == b.n;
    for (size_t i = 0; same && i < a.n; i++) {
        same = same_series(&a.series[i], &b.series[i]);
        points += a.series[i].n;
    }
    if (!same)
        print_error("%s from %lld, step %lld: not the same\n", text, (long long)start, (long long)step);
    EXPECT(same);
    query_result_release(&a);
    query_result_release(&b);
    return points;
}

static const char *const functions[] = {
    "rate",
    "increase",
    "delta",
    "sum_over_time",
    "avg_over_time",
    "count_over_time",
    "present_over_time",
    "min_over_time",
    "max_over_time",
    "first_over_time",
    "last_over_time",
    "changes",
    "resets",
    "stdvar_over_time",
    "stddev_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
};

#define ALL "{__name__=~\"metric_.*\",host!=\"host-9\"}" /* without the histograms */

/* ---- the tests ---- */

TEST(summaries_answer_what_rows_answer)
{
    static const struct {
        const char *range;
        int64_t step_ms, from_ms;
    } shapes[] = { { "[1h]", HOUR, 0 },
                   { "[3h]", HOUR, HOUR },
                   { "[2h] offset 1h", HOUR, HOUR },
                   { "[1d]", 6 * HOUR, 0 },
                   { "[5m]", 5 * 60000, 3 * HOUR },
                   { "[40m]", 10 * 60000, 300000 },
                   { "[36h]", HOUR, 2 * HOUR },
                   { "[4d]", DAY, 0 } };
    struct pair p;
    pair_open(&p, (struct kit_conf){ true, true, 0 }, 0);
    for (size_t f = 0; f < COUNT(functions); f++)
        for (size_t i = 0; i < COUNT(shapes); i++) {
            char text[200];
            snprintf(text, sizeof text, "%s(" ALL "%s)", functions[f], shapes[i].range);
            n_scans = n_summaries = 0;
            EXPECT(expect_same(&p, text, p.start_ms + shapes[i].from_ms, p.start_ms + KIT_DAYS * DAY,
                               shapes[i].step_ms) > 0);
            EXPECT(n_scans == 0 && n_summaries > 0);
        }
    pair_close(&p);
}

TEST(summaries_are_left_alone_where_they_do_not_fit)
{
    struct pair p;
    pair_open(&p, (struct kit_conf){ true, true, 0 }, 0);
    n_summaries = 0;
    int64_t end = p.start_ms + KIT_DAYS * DAY;
    expect_same(&p, "rate(" ALL "[1h])", p.start_ms + 1, end, HOUR);
    expect_same(&p, "rate(" ALL "[1h])", p.start_ms, end, HOUR + 1000);
    expect_same(&p, "sum_over_time(" ALL "[7m])", p.start_ms, end, HOUR);
    expect_same(&p, "sum_over_time(" ALL "[1h] offset 1s)", p.start_ms, end, HOUR);
    expect_same(&p, "quantile_over_time(0.5, " ALL "[1h])", p.start_ms, end, HOUR);
    expect_same(&p, "irate(" ALL "[1h])", p.start_ms, end, HOUR);
    expect_same(&p, "max_over_time(sum(" ALL ")[1h:5m])", p.start_ms, end, HOUR);
    expect_same(&p, "sum by (host) (" ALL ")", p.start_ms, end, HOUR);
    EXPECT_INT(n_summaries, 0);
    pair_close(&p);
}

/* Series with histograms, or with start times, are read from rows. */
TEST(summaries_leave_histograms_to_rows)
{
    struct pair p;
    pair_open(&p, (struct kit_conf){ .tier_1h = true }, 0);
    n_scans = n_summaries = 0;
    EXPECT(expect_same(&p, "count_over_time({host=~\".+\"}[1h])", p.start_ms, p.start_ms + KIT_DAYS * DAY,
                       HOUR) > 0);
    EXPECT(n_scans == 1 && n_summaries == KIT_SERIES);
    EXPECT(expect_same(&p, "histogram_count(rate({host=\"host-9\"}[1h]))", p.start_ms,
                       p.start_ms + KIT_DAYS * DAY, HOUR) == 0); /* mixed with floats all over */
    pair_close(&p);
}

TEST(summaries_with_late_rows_answer_what_rows_answer)
{
    struct pair p;
    pair_open(&p, (struct kit_conf){ .tier_1h = true }, 0);
    for (int i = 0; i < 2; i++) kit_write(p.store[i], p.start_ms + 3, 4, 1000, 300);
    EXPECT(expect_same(&p, "increase(" ALL "[6h])", p.start_ms, p.start_ms + KIT_DAYS * DAY, HOUR) > 0);
    for (int i = 0; i < 2; i++) kit_do(p.store[i], STORE_FLUSH);
    EXPECT(expect_same(&p, "increase(" ALL "[6h])", p.start_ms, p.start_ms + KIT_DAYS * DAY, HOUR) > 0);
    pair_close(&p);
}

static bool warns(struct engine *en, const char *text, int64_t start, int64_t end, int64_t step,
                  size_t *points)
{
    struct query_result r;
    bool told = false;
    ask(en, text, start, end, step, &r);
    *points = 0;
    for (size_t i = 0; i < r.n; i++) *points += r.series[i].n;
    for (size_t i = 0; i < r.notes.n_warnings; i++)
        told |= strstr(r.notes.warnings[i].p, "have expired") != NULL;
    query_result_release(&r);
    return told;
}

/* Two days of rows are gone. What fits is exact as before; and it is said. */
TEST(summaries_stand_in_for_expired_rows_and_say_so)
{
    struct pair p;
    size_t n;
    pair_open(&p, (struct kit_conf){ .tier_1h = true }, 2);
    int64_t end = p.start_ms + KIT_DAYS * DAY, gone = p.start_ms + 2 * DAY;
    for (size_t f = 0; f < COUNT(functions); f++) {
        char text[200];
        snprintf(text, sizeof text, "%s(" ALL "[2h])", functions[f]);
        EXPECT(expect_same(&p, text, p.start_ms, end, HOUR) > 0);
        EXPECT(warns(p.engine[1], text, p.start_ms, end, HOUR, &n));
        EXPECT(!warns(p.engine[1], text, gone + 2 * HOUR, end, HOUR, &n) && n > 0);
    }
    EXPECT(!warns(p.engine[0], "rate(" ALL "[2h])", p.start_ms, end, HOUR, &n));
    pair_close(&p);
}

/* Windows that fit no buckets are moved to whole ones: a counter's rate is about what it was. */
TEST(summaries_answer_for_windows_that_fit_no_buckets_when_rows_have_expired)
{
    struct pair p;
    struct query_result a, b;
    pair_open(&p, (struct kit_conf){ .tier_1h = true }, 2);
    int64_t start = p.start_ms + 2 * HOUR + 123456, end = p.start_ms + 3 * DAY, step = 11 * 60000;
    const char *text = "rate(metric_0{host=\"host-0\"}[10m])";
    ask(p.engine[0], text, start, end, step, &a);
    ask(p.engine[1], text, start, end, step, &b);
    EXPECT(a.n == 1 && b.n == 1 && b.series[0].n == a.series[0].n);
    for (size_t i = 0; i < b.series[0].n; i++) { /* 1.5 every 20 s */
        double v = b.series[0].points[i].value;
        EXPECT(v > 0.06 && v < 0.09);
        /* from rows again once the windows begin after the expired days */
        if (b.series[0].points[i].time_ms > p.start_ms + 2 * DAY + 10 * 60000)
            EXPECT(near(v, a.series[0].points[i].value));
    }
    query_result_release(&a);
    query_result_release(&b);
    pair_close(&p);
}

/* An instant selector sees the last value of a bucket, for as long as a bucket. */
TEST(summaries_show_instant_selectors_the_last_value_of_a_bucket)
{
    struct pair p;
    size_t n_rows, n;
    pair_open(&p, (struct kit_conf){ .tier_1h = true }, KIT_DAYS);
    int64_t start = p.start_ms + 2 * HOUR, end = p.start_ms + KIT_DAYS * DAY - 1, step = 7 * 60000;
    const char *text = "metric_0{host=\"host-0\"}";
    EXPECT(!warns(p.engine[0], text, start, end, step, &n_rows));
    EXPECT(warns(p.engine[1], text, start, end, step, &n) && n == n_rows);
    EXPECT(warns(p.engine[1], "max_over_time(metric_0{host=\"host-0\"}[3h:30m])", start, end, HOUR, &n));
    EXPECT(n > 0);
    EXPECT(
        warns(p.engine[1], "quantile_over_time(0.9, metric_0{host=\"host-0\"}[6h])", start, end, HOUR, &n));
    EXPECT(n > 0);
    /* On the hour it is the very value, where a row lies there. */
    struct query_result a, b;
    ask(p.engine[0], text, start, end, HOUR, &a);
    ask(p.engine[1], text, start, end, HOUR, &b);
    EXPECT(a.n == 1 && b.n == 1 && same_series(&a.series[0], &b.series[0]));
    query_result_release(&a);
    query_result_release(&b);
    pair_close(&p);
}

/* Kept answers: with a warning none is kept; without, they are those of before. */
TEST(summaries_and_kept_answers_agree)
{
    static const char *const texts[] = { "sum_over_time(" ALL "[2h])", "rate(" ALL "[2h])",
                                         "max_over_time(" ALL "[2h])" };
    struct pair p;
    pair_open(&p, (struct kit_conf){ .tier_1h = true }, 1);
    for (size_t t = 0; t < COUNT(texts); t++)
        for (int shift = 0; shift < 3; shift++) {
            int64_t start = p.start_ms + (26 + shift) * HOUR, end = p.start_ms + (60 + shift * 5) * HOUR;
            struct query_conf conf = { .text = str_of(texts[t]),
                                       .start_ms = start - (shift == 2 ? DAY : 0),
                                       .end_ms = end,
                                       .step_ms = HOUR };
            struct query_result a = { 0 }, b = { 0 };
            struct err e = ERR_INIT;
            EXPECT(engine_query(p.engine[1], &conf, &a, &e) == OK);
            if (shift == 2)
                EXPECT(a.notes.n_warnings > 0 && a.stats.cache == CACHE_MISS && a.stats.cache_why);
            conf.nocache = true;
            EXPECT(engine_query(p.engine[0], &conf, &b, &e) == OK && a.n == b.n && a.n > 0);
            for (size_t i = 0; i < a.n; i++) EXPECT(same_series(&a.series[i], &b.series[i]));
            query_result_release(&a);
            query_result_release(&b);
        }
    pair_close(&p);
}

/* ---- rollup=never, rollup=only ---- */

static int ask_rollup(struct engine *en, const char *text, int64_t start_ms, int64_t end_ms, int64_t step_ms,
                      enum rollup_use use, struct query_result *out)
{
    struct query_conf conf = {
        .text = str_of(text), .start_ms = start_ms, .end_ms = end_ms, .step_ms = step_ms, .rollup = use
    };
    struct err e = ERR_INIT;
    *out = (struct query_result){ 0 };
    int rc = engine_query(en, &conf, out, &e);
    EXPECT(rc == OK || (rc == ERR_EXEC && strstr(e.text, "rollup=only") != NULL));
    return rc;
}

/* Of the points before `from` nothing is left, the others are those of all samples. */
static void expect_only_from(const struct query_result *all, const struct query_result *got, int64_t from_ms)
{
    for (size_t i = 0, k = 0; i < all->n; i++) {
        struct result_series rest = all->series[i];
        while (rest.n > 0 && rest.points[0].time_ms < from_ms) rest.points++, rest.n--;
        if (rest.n == 0) continue;
        struct result_series late = got->series[k++];
        while (late.n > 0 && late.points[0].time_ms < from_ms) late.points++, late.n--;
        EXPECT(k <= got->n && same_series(&rest, &late));
    }
}

TEST(rollup_never_reads_samples_only)
{
    static const char *const texts[] = { "rate(" ALL "[2h])", "max_over_time(" ALL "[2h])", ALL };
    struct pair p;
    pair_open(&p, (struct kit_conf){ .tier_1h = true }, 2);
    int64_t end = p.start_ms + KIT_DAYS * DAY, gone = p.start_ms + 2 * DAY;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct query_result all, got, nothing;
        n_summaries = 0;
        ask(p.engine[0], texts[i], p.start_ms, end, HOUR, &all);
        EXPECT(ask_rollup(p.engine[1], texts[i], p.start_ms, end, HOUR, ROLLUP_NEVER, &got) == OK);
        EXPECT(n_summaries == 0 && got.n > 0 && got.notes.n_warnings == 1);
        EXPECT(strstr(got.notes.warnings[0].p, "have expired and are left out") != NULL);
        for (size_t k = 0; k < got.n; k++) EXPECT(got.series[k].points[0].time_ms >= gone);
        expect_only_from(&all, &got, gone + 2 * HOUR);
        EXPECT(got.stats.cache == CACHE_UNUSED);
        EXPECT(ask_rollup(p.engine[1], texts[i], p.start_ms, gone - HOUR, HOUR, ROLLUP_NEVER, &nothing) ==
               OK);
        EXPECT(nothing.n == 0 && nothing.notes.n_warnings == 1);
        query_result_release(&nothing);
        query_result_release(&all);
        query_result_release(&got);
    }
    struct query_result raw;
    EXPECT(ask_rollup(p.engine[1], ALL "[4d]", end, end, 0, ROLLUP_NEVER, &raw) == OK && raw.n > 0);
    for (size_t k = 0; k < raw.n; k++) EXPECT(raw.series[k].points[0].time_ms >= gone);
    query_result_release(&raw);
    pair_close(&p);
}

TEST(rollup_only_refuses_what_would_read_samples)
{
    static const struct {
        const char *text;
        int64_t step_ms;
        bool is_answered;
    } asked[] = {
        { "rate(" ALL "[2h])", HOUR, true },
        { "sum(avg_over_time(" ALL "[1d])) / 2", 6 * HOUR, true },
        { "irate(" ALL "[2h])", HOUR, false },
        { "rate(" ALL "[2h])", HOUR + 1000, false },
        { "rate(" ALL "[90m])", HOUR, false },
        { "sum(" ALL ")", HOUR, false },
        { "max_over_time(rate(" ALL "[2h])[1d:1h])", HOUR, true },
        { "vector(1)", HOUR, true },
    };
    struct pair p;
    struct query_result r;
    pair_open(&p, (struct kit_conf){ .tier_1h = true }, 0);
    int64_t start = p.start_ms + DAY, end = p.start_ms + KIT_DAYS * DAY;
    for (size_t i = 0; i < COUNT(asked); i++) {
        n_scans = 0;
        int rc = ask_rollup(p.engine[1], asked[i].text, start, end, asked[i].step_ms, ROLLUP_ONLY, &r);
        EXPECT(rc == (asked[i].is_answered ? OK : ERR_EXEC) && n_scans == 0);
        if (rc == OK) query_result_release(&r);
    }
    EXPECT(ask_rollup(p.engine[1], ALL "[1h]", end, end, 0, ROLLUP_ONLY, &r) == ERR_EXEC);
    EXPECT(ask_rollup(p.engine[0], "rate(" ALL "[2h])", start, end, HOUR, ROLLUP_ONLY, &r) == ERR_EXEC);
    pair_close(&p);
}

TESTS(CASE(summaries_answer_what_rows_answer), CASE(summaries_are_left_alone_where_they_do_not_fit),
      CASE(summaries_leave_histograms_to_rows), CASE(summaries_with_late_rows_answer_what_rows_answer),
      CASE(summaries_stand_in_for_expired_rows_and_say_so),
      CASE(summaries_answer_for_windows_that_fit_no_buckets_when_rows_have_expired),
      CASE(summaries_show_instant_selectors_the_last_value_of_a_bucket),
      CASE(summaries_and_kept_answers_agree), CASE(rollup_never_reads_samples_only),
      CASE(rollup_only_refuses_what_would_read_samples))
