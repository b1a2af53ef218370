/* window_test.c - window functions that move along must give what a fresh look at each window gives. Random
 * series with gaps, resets, NaN and large values; a range query is compared with an instant query at each of
 * its steps. */
#include "unit/test.h"

#include <math.h>

#include "query/promql/engine.h"
#include "unit/toy_store.c"

static uint64_t seed = 42;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static double random_value(int kind, double before)
{
    switch (kind) {
    case 0:
        return next_random() % 20 == 0 ? (double)(next_random() % 5)
                                       : before + (double)(next_random() % 10); /* counter */
    case 1: return (double)(next_random() % 7);                                 /* many equal */
    case 2: return next_random() % 9 == 0 ? NAN : (double)(next_random() % 1000) / 7;
    default: return ldexp((double)(next_random() % 1000) - 500, (int)(next_random() % 120) - 60);
    }
}

static struct store *random_store(void)
{
    struct store *s = toy_store_new();
    for (int kind = 0; kind < 4; kind++) {
        char id[2] = { (char)('0' + kind), 0 };
        struct label l[] = { { STR("__name__"), STR("x_total") }, { STR("kind"), { id, 1 } } };
        double v = 0;
        int64_t start = 0;
        for (int64_t t = 0; t < 4000; t++) {
            if (next_random() % 6 == 0) continue;
            v = next_random() % 50 == 0 ? double_of(STALE_BITS)
                                        : random_value(kind, is_stale(v) || isnan(v) ? 0 : v);
            if (next_random() % 40 == 0) start = t * 10000 - (int64_t)(next_random() % 15000);
            toy_store_add(s, (struct labels){ l, 2 }, t * 10000 + (int64_t)(next_random() % 3000), v, NULL,
                          kind == 0 ? start : 0);
        }
    }
    return s;
}

static bool near(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static const struct result_point *point_at(const struct query_result *r, struct labels l, int64_t t)
{
    for (size_t i = 0; i < r->n; i++)
        for (size_t p = 0; labels_eq(r->series[i].labels, l) && p < r->series[i].n; p++)
            if (r->series[i].points[p].time_ms == t) return &r->series[i].points[p];
    return NULL;
}

static void compare(struct engine *en, const char *text, int64_t from, int64_t to, int64_t step)
{
    struct query_result range, one;
    struct err e = ERR_INIT;
    EXPECT_INT(
        engine_query(
            en, &(struct query_conf){ .text = str_of(text), .start_ms = from, .end_ms = to, .step_ms = step },
            &range, &e),
        OK);
    for (int64_t t = from; t <= to; t += step) {
        size_t points = 0;
        EXPECT_INT(engine_query(en, &(struct query_conf){ .text = str_of(text), .start_ms = t, .end_ms = t },
                                &one, &e),
                   OK);
        for (size_t i = 0; i < one.n; i++) {
            const struct result_point *p = point_at(&range, one.series[i].labels, t);
            if (p == NULL || !near(p->value, one.series[i].points[0].value)) {
                fprintf(stderr, "%s at %ld: %.17g, alone %.17g\n", text, (long)t, p ? p->value : 0,
                        one.series[i].points[0].value);
                fail();
            }
        }
        for (size_t i = 0; i < range.n; i++) points += point_at(&range, range.series[i].labels, t) != NULL;
        EXPECT_INT(points, one.n);
        query_result_release(&one);
    }
    query_result_release(&range);
}

TEST(a_range_query_is_many_instant_queries)
{
    static const char *const functions[] = {
        "rate",
        "increase",
        "delta",
        "irate",
        "idelta",
        "resets",
        "changes",
        "sum_over_time",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "count_over_time",
        "last_over_time",
        "first_over_time",
        "stddev_over_time",
        "mad_over_time",
        "ts_of_max_over_time",
        "ts_of_min_over_time",
        "deriv",
        "present_over_time",
    };
    static const struct {
        const char *range;
        int64_t step;
    } shapes[] = { { "[1m]", 47000 }, { "[30m]", 60000 }, { "[3h]", 300000 }, { "[20s]", 300000 } };
    struct store *s = random_store();
    struct engine *en = engine_new(s, NULL, NULL);

    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
            char text[128];
            snprintf(text, sizeof text, "%s(x_total%s)", functions[f], shapes[k].range);
            compare(en, text, 1000000, 1000000 + 60 * shapes[k].step, shapes[k].step);
        }
    }
    compare(en, "quantile_over_time(0.3, x_total[30m])", 1000000, 4000000, 60000);
    compare(en, "predict_linear(x_total[1h], 600)", 1000000, 4000000, 60000);
    compare(en, "increase(x_total[2m] anchored)", 1000000, 4000000, 37000);
    compare(en, "rate(x_total[2m] smoothed)", 1000000, 4000000, 37000);
    compare(en, "max_over_time(rate(x_total[2m])[20m:1m])", 1000000, 4000000, 60000);
    engine_free(en);
    store_close(s);
}

TESTS(CASE(a_range_query_is_many_instant_queries))
