#include "unit/test.h"

#include <math.h>

#include "query/promql/histogram_ops.h"
#include "query/promql/quantile.h"

static struct arena a = { .budget = SIZE_MAX };

/* Positive buckets from index `offset` on. */
static struct histogram *made(int schema, int32_t offset, double *counts, uint32_t n)
{
    struct histogram *h = arena_zero(&a, sizeof *h);
    h->schema = schema;
    h->pos_spans = arena_array(&a, 1, sizeof *h->pos_spans);
    *h->pos_spans = (struct hist_span){ offset, n };
    h->n_pos_spans = 1;
    h->pos = counts;
    h->n_pos = n;
    for (uint32_t i = 0; i < n; i++) h->count += counts[i];
    return h;
}

#define MADE(schema, offset, ...)                                                                            \
    made(schema, offset, (double[]){ __VA_ARGS__ }, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double))

static struct histogram *sum_of(const struct histogram *x, const struct histogram *y, double factor,
                                int *told)
{
    struct hwork w;
    hwork_init(&w, &a, x);
    *told = hwork_add(&w, y, factor);
    return hwork_done(&w, &a);
}

TEST(bounds_are_powers_of_two_in_equal_ratios)
{
    EXPECT(hist_bound(0, 0) == 1);
    EXPECT(hist_bound(3, 0) == 8);
    EXPECT(hist_bound(-1, 0) == 0.5);
    EXPECT(hist_bound(1, -1) == 4);
    EXPECT(hist_bound(2, 1) == 2);
    EXPECT(fabs(hist_bound(1, 1) - sqrt(2)) < 1e-15);
    EXPECT(hist_bound(256, 8) == 2);
    EXPECT(isinf(hist_bound(1025, 0)));
    EXPECT(hist_bound(-2000, 0) == 0);
}

TEST(resolutions_meet_at_the_coarser)
{
    int told;
    /* Schema 1: indices 1, 2 are (1, sqrt 2], (sqrt 2, 2]; schema 0: index 1 is (1, 2]. */
    struct histogram *sum = sum_of(MADE(1, 1, 1, 2, 4), MADE(0, 1, 10), 1, &told);
    EXPECT_INT(told, 0);
    EXPECT_INT(sum->schema, 0);
    EXPECT_INT(sum->n_pos, 2);
    EXPECT(sum->pos[0] == 13 && sum->pos[1] == 4);
    EXPECT_INT(sum->pos_spans[0].offset, 1);
}

TEST(a_wider_zero_bucket_swallows_what_lies_inside)
{
    int told;
    struct histogram *x = MADE(0, -1, 5, 7), *y = MADE(0, 3, 1); /* (0.25, 0.5], (0.5, 1]; (4, 8] */
    y->zero_threshold = 0.4; /* cuts (0.25, 0.5]: populated, so the zero bucket grows to 0.5 */
    y->zero_count = 2;
    struct histogram *sum = sum_of(x, y, 1, &told);
    EXPECT(sum->zero_threshold == 0.5);
    EXPECT(sum->zero_count == 7);
    EXPECT_INT(sum->n_pos, 2);
    EXPECT(sum->pos[0] == 7 && sum->pos[1] == 1);
}

TEST(exponential_and_custom_do_not_add)
{
    int told;
    struct histogram *c = MADE(HISTOGRAM_CUSTOM, 0, 1, 2);
    c->custom = (double[]){ 5 };
    c->n_custom = 1;
    sum_of(MADE(0, 0, 1), c, 1, &told);
    EXPECT_INT(told, HWORK_INCOMPATIBLE);
}

TEST(custom_bounds_meet_at_those_they_share)
{
    int told;
    struct histogram *x = MADE(HISTOGRAM_CUSTOM, 0, 1, 2, 3), *y = MADE(HISTOGRAM_CUSTOM, 0, 10, 20, 30);
    x->custom = (double[]){ 1, 5 }, x->n_custom = 2;
    y->custom = (double[]){ 5, 9 }, y->n_custom = 2;
    struct histogram *sum = sum_of(x, y, 1, &told);
    EXPECT_INT(told, HWORK_RECONCILED);
    EXPECT_INT(sum->n_custom, 1);
    EXPECT(sum->custom[0] == 5);
    EXPECT(sum->pos[0] == 13 && sum->pos[1] == 53); /* 1 + 2 + 10; 3 + 20 + 30 */
}

TEST(what_is_equal_leaves_nothing)
{
    int told;
    struct histogram *none = sum_of(MADE(2, -5, 1, 0, 3), MADE(2, -5, 1, 0, 3), -1, &told);
    EXPECT_INT(none->n_pos, 0);
    EXPECT_INT(none->n_pos_spans, 0);
    EXPECT(none->count == 0);
}

TEST(hints_that_disagree_collide)
{
    int told;
    struct histogram *x = MADE(0, 0, 1), *y = MADE(0, 0, 1);
    x->reset = HIST_RESET_YES;
    y->reset = HIST_RESET_NO;
    EXPECT_INT(sum_of(x, y, 1, &told)->reset, HIST_RESET_UNKNOWN);
    EXPECT_INT(told, HWORK_COLLISION);
    y->reset = HIST_GAUGE;
    EXPECT_INT(sum_of(x, y, 1, &told)->reset, HIST_GAUGE);
    EXPECT_INT(told, 0);
}

TEST(a_reset_shows_in_any_bucket)
{
    EXPECT(!hist_was_reset(MADE(0, 0, 2, 2), MADE(0, 0, 1, 2), &a));
    EXPECT(hist_was_reset(MADE(0, 0, 1, 5), MADE(0, 0, 2, 1), &a)); /* one fell, though the count rose */
    EXPECT(hist_was_reset(MADE(0, 1, 5), MADE(0, 0, 1, 1), &a));    /* one is gone */
    EXPECT(hist_was_reset(MADE(1, 0, 9), MADE(0, 0, 1), &a));       /* finer than before */
    EXPECT(!hist_was_reset(MADE(0, 1, 3), MADE(1, 1, 1, 2), &a));   /* coarser: compared there */
    struct histogram *across = MADE(0, -3, 2); /* 0.0625..0.125, and a zero bucket that ends inside */
    across->zero_threshold = 0.1;
    EXPECT(!hist_was_reset(across, across, &a));
}

TEST(sums_keep_small_values_beside_large_ones)
{
    struct hist_mean m = { 0 };
    double sums[] = { 1, 1e100, 1, -1e100 };
    for (int i = 0; i < 4; i++) {
        struct histogram *h = MADE(0, 0, 1);
        h->sum = sums[i];
        hist_mean_add(&m, &a, h, false);
    }
    EXPECT(hist_mean_done(&m, false, &a)->sum == 2);
}

TEST(a_mean_survives_a_sum_that_would_overflow)
{
    struct hist_mean m = { 0 };
    for (int i = 0; i < 4; i++) {
        struct histogram *h = MADE(0, 0, 1);
        h->count = 1e308;
        hist_mean_add(&m, &a, h, true);
    }
    double count = hist_mean_done(&m, true, &a)->count;
    EXPECT(fabs(count / 1e308 - 1) < 1e-12);
}

TEST(trimming_at_both_ends_adds_up)
{
    struct histogram *h = MADE(0, -2, 3, 1, 4, 1, 5, 9);
    h->zero_threshold = 0.01;
    h->zero_count = 2;
    h->count += 2;
    for (double at = 0.001; at < 20; at *= 1.37) {
        double below = hist_trim(h, at, true, &a, &a)->count, above = hist_trim(h, at, false, &a, &a)->count;
        int told;
        EXPECT(fabs(below + above - h->count) < 1e-9);
        EXPECT(fabs(below / h->count - fraction_native(-INFINITY, at, h, &a, &told)) < 1e-9);
    }
}

TEST(quantile_and_fraction_are_each_others_inverse)
{
    struct histogram *h = MADE(1, -3, 3, 1, 4, 1, 5, 9);
    int told;
    for (double q = 0.02; q < 1; q += 0.07)
        EXPECT(fabs(fraction_native(-INFINITY, quantile_native(q, h, &a, &told), h, &a, &told) - q) < 1e-9);
}

TEST(text_is_as_prometheus_prints_it)
{
    struct histogram *h = MADE(0, 0, 1, 2);
    h->sum = 10;
    h->count = 20;
    EXPECT(str_is(hist_text(h, &a, &a), "{count:20, sum:10, (0.5,1]:1, (1,2]:2}"));
}

TEST(means_and_quantiles_of_values)
{
    EXPECT(mean_values((double[]){ 1e308, 1e308, 1e308 }, 3) == 1e308);
    EXPECT(mean_values((double[]){ 1e100, 1, -1e100, 2 }, 4) == 0.75);
    EXPECT(isinf(mean_values((double[]){ INFINITY, 1 }, 2)));
    EXPECT(isnan(mean_values((double[]){ INFINITY, -INFINITY }, 2)));
    EXPECT(quantile_values(0.25, (double[]){ 4, 1, 3, 2 }, 4) == 1.75);
    EXPECT(isnan(quantile_values(0, (double[]){ 4, NAN }, 2))); /* NaN is the smallest */
    EXPECT(variance_values((double[]){ 2, 4 }, 2) == 1);
}

TESTS(CASE(bounds_are_powers_of_two_in_equal_ratios), CASE(resolutions_meet_at_the_coarser),
      CASE(a_wider_zero_bucket_swallows_what_lies_inside), CASE(exponential_and_custom_do_not_add),
      CASE(custom_bounds_meet_at_those_they_share), CASE(what_is_equal_leaves_nothing),
      CASE(hints_that_disagree_collide), CASE(a_reset_shows_in_any_bucket),
      CASE(sums_keep_small_values_beside_large_ones), CASE(a_mean_survives_a_sum_that_would_overflow),
      CASE(trimming_at_both_ends_adds_up), CASE(quantile_and_fraction_are_each_others_inverse),
      CASE(text_is_as_prometheus_prints_it), CASE(means_and_quantiles_of_values))
