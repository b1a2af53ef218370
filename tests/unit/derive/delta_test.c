#include "derive/delta.h"

#include <math.h>
#include <pthread.h>

#include "base/clock.h"
#include "derive/histogram_add.h"
#include "unit/test.h"

static struct arena arena = ARENA_INIT(16 << 20);

static struct hash128 id(uint64_t n)
{
    return (struct hash128){ n * 0x9e3779b97f4a7c15u, n };
}

static struct delta *with(size_t max_streams)
{
    struct delta_conf conf = DELTA_CONF_DEFAULT;
    conf.max_streams = max_streams;
    return delta_new(&conf);
}

/* The sum after the point, or NaN and *rc when it was refused. */
static double sum(struct delta *d, uint64_t stream, uint64_t start, uint64_t time, double value,
                  uint64_t *start_out, int *rc)
{
    struct err e = ERR_INIT;
    uint64_t s = start;
    *rc = delta_sum(d, id(stream), &s, time, &value, &e);
    if (start_out != NULL) *start_out = s;
    return *rc < 0 ? (double)NAN : value;
}

TEST(deltas_add_up_from_the_first_start)
{
    struct delta *d = with(10);
    uint64_t start;
    int rc;
    EXPECT(sum(d, 1, 100, 200, 5, &start, &rc) == 5 && start == 100);
    EXPECT(sum(d, 1, 200, 300, 2.5, &start, &rc) == 7.5 && start == 100);
    EXPECT(sum(d, 1, 900, 1000, 1, &start, &rc) == 8.5 && start == 100); /* a gap */
    EXPECT(sum(d, 2, 0, 50, -1, &start, &rc) == -1 && start == 0);
    EXPECT_INT(delta_streams(d), 2);
    delta_free(d);
}

TEST(a_repeated_point_adds_nothing)
{
    struct delta *d = with(10);
    int rc;
    sum(d, 1, 100, 200, 5, NULL, &rc);
    sum(d, 1, 200, 300, 2, NULL, &rc);
    EXPECT(sum(d, 1, 200, 300, 2, NULL, &rc) == 7);
    EXPECT(sum(d, 1, 300, 400, 1, NULL, &rc) == 8);
    delta_free(d);
}

TEST(points_out_of_order_are_refused_and_change_nothing)
{
    struct delta *d = with(10);
    int rc;
    sum(d, 1, 100, 200, 5, NULL, &rc);
    sum(d, 1, 200, 300, 2, NULL, &rc);
    sum(d, 1, 100, 250, 9, NULL, &rc);
    EXPECT_INT(rc, ERR_ORDER);
    sum(d, 1, 50, 400, 9, NULL, &rc);
    EXPECT_INT(rc, ERR_ORDER);
    EXPECT(sum(d, 1, 300, 400, 1, NULL, &rc) == 8);
    delta_free(d);
}

TEST(a_full_table_refuses_new_streams_only)
{
    struct delta *d = with(2);
    int rc;
    sum(d, 1, 0, 1, 1, NULL, &rc);
    sum(d, 2, 0, 1, 1, NULL, &rc);
    sum(d, 3, 0, 1, 1, NULL, &rc);
    EXPECT_INT(rc, ERR_LIMIT);
    EXPECT(sum(d, 1, 1, 2, 1, NULL, &rc) == 2);
    delta_free(d);
}

TEST(idle_streams_are_forgotten_and_start_anew)
{
    struct delta *d = with(2);
    uint64_t start;
    int rc;
    clock_fix_ms(1000000);
    sum(d, 1, 10, 20, 5, NULL, &rc);
    sum(d, 2, 10, 20, 5, NULL, &rc);
    clock_fix_ms(1000000 + 30 * 60 * 1000);
    sum(d, 2, 20, 30, 5, NULL, &rc);
    clock_fix_ms(1000000 + 61 * 60 * 1000);
    EXPECT(sum(d, 3, 40, 50, 1, NULL, &rc) == 1); /* there is room again */
    EXPECT_INT(delta_streams(d), 2);
    EXPECT(sum(d, 2, 30, 40, 1, NULL, &rc) == 11); /* half an hour is not idle */
    clock_fix_ms(1000000 + 1000 * 60 * 1000);
    EXPECT(sum(d, 1, 60, 70, 3, &start, &rc) == 3 && start == 60);
    clock_fix_ms(0);
    delta_free(d);
}

TEST(many_streams_grow_the_table)
{
    struct delta *d = with(20000);
    int rc;
    for (int round = 1; round <= 3; round++)
        for (uint64_t i = 0; i < 10000; i++) EXPECT(sum(d, i, 0, (uint64_t)round, 1, NULL, &rc) == round);
    EXPECT_INT(delta_streams(d), 10000);
    delta_free(d);
}

static void *adder(void *d)
{
    int rc;
    for (uint64_t t = 1; t <= 2000; t++)
        for (uint64_t i = 0; i < 8; i++) sum(d, i * 2 + 100, 0, t, 1, NULL, &rc);
    return NULL;
}

TEST(threads_count_each_point_once)
{
    struct delta *d = with(20000);
    pthread_t other;
    int rc;
    pthread_create(&other, NULL, adder, d);
    adder(d);
    pthread_join(other, NULL);
    for (uint64_t i = 0; i < 8; i++) EXPECT(sum(d, i * 2 + 100, 0, 2000, 1, NULL, &rc) == 2000);
    delta_free(d);
}

/* ---- histograms ---- */

static struct histogram *exponential(int schema, int first, const double *counts, uint32_t n, double zero)
{
    struct histogram *h = arena_zero(&arena, sizeof *h);
    h->schema = schema;
    h->zero_threshold = 1e-128;
    h->zero_count = zero;
    h->n_pos_spans = 1;
    h->pos_spans = arena_alloc(&arena, sizeof *h->pos_spans);
    h->pos_spans[0] = (struct hist_span){ first, n };
    h->pos = arena_array(&arena, n, sizeof *h->pos);
    h->n_pos = n;
    h->count = zero;
    for (uint32_t i = 0; i < n; i++) h->pos[i] = counts[i], h->count += counts[i];
    h->sum = 10;
    return h;
}

static double at(const struct histogram *h, int wanted)
{
    int index = 0;
    uint32_t k = 0;
    for (uint32_t s = 0; s < h->n_pos_spans; s++) {
        index += h->pos_spans[s].offset;
        for (uint32_t i = 0; i < h->pos_spans[s].length; i++, index++, k++)
            if (index == wanted) return h->pos[k];
    }
    return 0;
}

static double total(const struct histogram *h)
{
    double n = h->zero_count;
    for (uint32_t i = 0; i < h->n_pos; i++) n += h->pos[i];
    for (uint32_t i = 0; i < h->n_neg; i++) n += h->neg[i];
    return n;
}

TEST(exponential_histograms_add_up)
{
    struct delta *d = with(10);
    struct err e = ERR_INIT;
    uint64_t start = 100;
    struct histogram *h = exponential(2, 0, (const double[]){ 1, 2 }, 2, 1);
    EXPECT_INT(delta_histogram(d, id(1), &start, 200, h, &arena, &e), OK);
    EXPECT(h->count == 4);

    start = 200;
    h = exponential(2, 1, (const double[]){ 5, 0, 0, 0, 0, 7 }, 6, 0);
    EXPECT_INT(delta_histogram(d, id(1), &start, 300, h, &arena, &e), OK);
    EXPECT_INT(start, 100);
    EXPECT_INT(histogram_check(h, &e), OK);
    EXPECT(h->count == 16 && h->sum == 20 && total(h) == 16);
    EXPECT(at(h, 0) == 1 && at(h, 1) == 7 && at(h, 6) == 7 && h->zero_count == 1);

    start = 200; /* and again: the same answer */
    h = exponential(2, 1, (const double[]){ 5, 0, 0, 0, 0, 7 }, 6, 0);
    EXPECT_INT(delta_histogram(d, id(1), &start, 300, h, &arena, &e), OK);
    EXPECT(h->count == 16 && at(h, 1) == 7);
    delta_free(d);
}

TEST(of_two_schemas_the_coarser_is_kept)
{
    /* At schema 1, buckets 1 and 2 end at 2^0.5 and 2; both lie in bucket 1 of schema 0, (1, 2]. Bucket 3 is
     * in 2. */
    struct histogram *fine = exponential(1, 1, (const double[]){ 1, 2, 4 }, 3, 0);
    struct histogram *coarse = exponential(0, 1, (const double[]){ 10, 20 }, 2, 0);
    EXPECT(histogram_add(fine, coarse, &arena));
    EXPECT_INT(fine->schema, 0);
    EXPECT(at(fine, 1) == 13 && at(fine, 2) == 24 && fine->count == 37 && total(fine) == 37);

    struct histogram *low =
        exponential(1, -3, (const double[]){ 1, 2, 4 }, 3, 0); /* -3, -2, -1: below 1, into -1, -1, 0 */
    EXPECT(histogram_add(low, exponential(0, 1, (const double[]){ 0 }, 1, 0), &arena));
    EXPECT(at(low, -1) == 3 && at(low, 0) == 4);
}

TEST(the_wider_zero_bucket_swallows_what_it_overlaps)
{
    /* Schema 0: bucket 0 is (0.5, 1], bucket 1 is (1, 2]. A threshold of 0.75 cuts bucket 0, so it grows
     * to 1. */
    struct histogram *x = exponential(0, 0, (const double[]){ 3, 4 }, 2, 0);
    struct histogram *y = exponential(0, 3, (const double[]){ 1 }, 1, 2);
    y->zero_threshold = 0.75;
    EXPECT(histogram_add(x, y, &arena));
    EXPECT(x->zero_threshold == 1 && x->zero_count == 5);
    EXPECT(at(x, 0) == 0 && at(x, 1) == 4 && at(x, 3) == 1 && total(x) == x->count);
}

TEST(sums_never_have_too_many_buckets)
{
    static double ones[HISTOGRAM_BUCKETS_MAX];
    struct err e = ERR_INIT;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS_MAX; i++) ones[i] = 1;
    struct histogram *x = exponential(8, 0, ones, HISTOGRAM_BUCKETS_MAX, 0);
    EXPECT(histogram_add(x, exponential(8, 10000, ones, HISTOGRAM_BUCKETS_MAX, 0), &arena));
    EXPECT_INT(x->schema, 7);
    EXPECT_INT(histogram_check(x, &e), OK);
    EXPECT(total(x) == 2.0 * HISTOGRAM_BUCKETS_MAX);
    arena_reset(&arena);
}

static struct histogram *custom(double *bounds, const double *counts, uint32_t n_bounds)
{
    struct histogram *h = exponential(0, 0, counts, n_bounds + 1, 0);
    h->schema = HISTOGRAM_CUSTOM;
    h->zero_threshold = 0;
    h->custom = bounds;
    h->n_custom = n_bounds;
    return h;
}

TEST(custom_bounds_add_up_and_new_ones_start_anew)
{
    struct delta *d = with(10);
    struct err e = ERR_INIT;
    double bounds[] = { 1, 2 }, other[] = { 1, 3 };
    uint64_t start = 100;
    struct histogram *h = custom(bounds, (const double[]){ 1, 2, 3 }, 2);
    EXPECT_INT(delta_histogram(d, id(1), &start, 200, h, &arena, &e), OK);
    start = 200;
    h = custom(bounds, (const double[]){ 10, 0, 1 }, 2);
    EXPECT_INT(delta_histogram(d, id(1), &start, 300, h, &arena, &e), OK);
    EXPECT(start == 100 && h->n_pos == 3 && h->pos[0] == 11 && h->pos[1] == 2 && h->pos[2] == 4 &&
           h->count == 17);
    start = 300;
    h = custom(other, (const double[]){ 1, 1, 1 }, 2);
    EXPECT_INT(delta_histogram(d, id(1), &start, 400, h, &arena, &e), OK);
    EXPECT(start == 300 && h->pos[0] == 1 && h->count == 3);
    delta_free(d);
}

TEST(bytes_are_bounded_too)
{
    struct delta_conf conf = { .max_streams = 100, .max_bytes = 300, .idle_ms = 1000 };
    struct delta *d = delta_new(&conf);
    struct err e = ERR_INIT;
    int kept = 0;
    for (uint64_t i = 0; i < 50; i++) {
        uint64_t start = 1;
        kept += delta_histogram(d, id(i), &start, 2, exponential(0, 0, (const double[]){ 1, 1 }, 2, 0),
                                &arena, &e) == OK;
    }
    EXPECT(kept > 0 && kept < 5);
    EXPECT_INT(delta_streams(d), (size_t)kept);
    delta_free(d);
}

TESTS(CASE(deltas_add_up_from_the_first_start), CASE(a_repeated_point_adds_nothing),
      CASE(points_out_of_order_are_refused_and_change_nothing), CASE(a_full_table_refuses_new_streams_only),
      CASE(idle_streams_are_forgotten_and_start_anew), CASE(many_streams_grow_the_table),
      CASE(threads_count_each_point_once), CASE(exponential_histograms_add_up),
      CASE(of_two_schemas_the_coarser_is_kept), CASE(the_wider_zero_bucket_swallows_what_it_overlaps),
      CASE(sums_never_have_too_many_buckets), CASE(custom_bounds_add_up_and_new_ones_start_anew),
      CASE(bytes_are_bounded_too))
