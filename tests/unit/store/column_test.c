#include "store/column.h"

#include "store/codec_bitpack.h"
#include "store/hist_column.h"
#include "unit/store/shape.h"
#include "unit/test.h"

static const size_t lengths[] = { 1, 2, 3, 7, 20, 127, 128, 129, 130, 240, 256, 257, 1000, 5000 };

static void expect_doubles_back(const double *v, size_t n)
{
    struct buf b = BUF_INIT(1 << 24);
    double *back = malloc((n + 128) * sizeof *back);
    column_put_doubles(&b, v, n);
    buf_char(&b, '!');
    struct str in = buf_view(&b);
    EXPECT(column_get_doubles(&in, back, n, NULL) == OK);
    EXPECT(in.n == 1);
    EXPECT(memcmp(v, back, n * sizeof *v) == 0);
    free(back);
    buf_release(&b);
}

static void expect_ints_back(const int64_t *v, size_t n)
{
    struct buf b = BUF_INIT(1 << 24);
    int64_t *back = malloc((n + 128) * sizeof *back);
    column_put_ints(&b, v, n);
    buf_char(&b, '!');
    struct str in = buf_view(&b);
    EXPECT(column_get_ints(&in, back, n, NULL) == OK);
    EXPECT(in.n == 1);
    EXPECT(memcmp(v, back, n * sizeof *v) == 0);
    free(back);
    buf_release(&b);
}

static void expect_times_back(const int64_t *t, size_t n)
{
    struct buf b = BUF_INIT(1 << 24);
    int64_t *back = malloc((n + 128) * sizeof *back);
    column_put_times(&b, t, n);
    struct str in = buf_view(&b);
    EXPECT(column_get_times(&in, back, n, NULL) == OK && in.n == 0);
    EXPECT(memcmp(t, back, n * sizeof *t) == 0);
    free(back);
    buf_release(&b);
}

TEST(doubles_of_every_shape_and_length_survive_to_the_bit)
{
    double v[5000];
    struct dice d = { 1 };
    for (unsigned shape = 0; shape < VALUE_SHAPES; shape++)
        for (size_t l = 0; l < COUNT(lengths); l++)
            for (int again = 0; again < 8; again++) {
                shape_values(&d, shape, v, lengths[l]);
                expect_doubles_back(v, lengths[l]);
            }
}

TEST(integers_of_every_shape_and_length_survive)
{
    int64_t v[5000];
    struct dice d = { 2 };
    for (unsigned shape = 0; shape < INT_SHAPES; shape++)
        for (size_t l = 0; l < COUNT(lengths); l++)
            for (int again = 0; again < 8; again++) {
                shape_ints(&d, shape, v, lengths[l]);
                expect_ints_back(v, lengths[l]);
            }
}

TEST(times_of_every_shape_survive_and_a_grid_is_nearly_free)
{
    int64_t t[5000];
    struct dice d = { 3 };
    struct buf b = BUF_INIT(1 << 20);
    for (unsigned shape = 0; shape < TIME_SHAPES; shape++)
        for (size_t l = 0; l < COUNT(lengths); l++) {
            shape_times(&d, shape, t, lengths[l], 1700000000000);
            expect_times_back(t, lengths[l]);
            shape_ints(&d, shape, t, lengths[l]); /* not times, but nothing forbids them */
            expect_times_back(t, lengths[l]);
        }
    for (int i = 0; i < 240; i++) t[i] = 1700000000000 + i * 15000;
    column_put_times(&b, t, 240);
    EXPECT(b.n < 16);
    buf_clear(&b);

    for (int i = 0; i < 240; i++) t[i] += (int64_t)roll_below(&d, 4); /* up to 3 ms late */
    column_put_times(&b, t, 240);
    EXPECT(b.n <= 16 + 240 * 3 / 8 + 8); /* 3 bits each: zigzag of what is left of the grid */
    expect_times_back(t, 240);
    buf_release(&b);
}

TEST(miniblocks_of_every_width_survive_with_and_without_patches)
{
    struct dice d = { 4 };
    for (unsigned width = 0; width <= 64; width++)
        for (size_t n = 1; n <= MINIBLOCK; n += 1 + n / 3)
            for (int outliers = 0; outliers < 2; outliers++) {
                uint64_t v[MINIBLOCK], back[MINIBLOCK];
                for (size_t i = 0; i < n; i++) v[i] = width ? roll(&d) >> (64 - width) : 0;
                if (outliers) v[roll_below(&d, n)] = roll(&d);
                struct bitpack_plan plan = bitpack_plan(v, n);
                struct buf b = BUF_INIT(1 << 20);
                bitpack_put(&b, v, n, plan);
                EXPECT(b.n * 8 <= plan.bits + (outliers ? 8 : 0)); /* the plan is an upper bound */
                struct str in = buf_view(&b);
                EXPECT(bitpack_get(&in, back, n) && in.n == 0);
                EXPECT(memcmp(v, back, n * sizeof v[0]) == 0);
                buf_release(&b);
            }
}

/* Sizes a reader can work out by hand from the format. */
TEST(columns_are_as_small_as_the_format_promises)
{
    struct buf b = BUF_INIT(1 << 20);
    double v[240];
    for (int i = 0; i < 240; i++) v[i] = 0;
    column_put_doubles(&b, v, 240);
    EXPECT(b.n == 3); /* kind and exponent, CONST, zigzag 0 */
    buf_clear(&b);

    for (int i = 0; i < 240; i++) v[i] = double_of(NAN_BITS);
    column_put_doubles(&b, v, 240);
    EXPECT(b.n == 9); /* kind, 8 bytes of bits */
    buf_clear(&b);

    for (int i = 0; i < 240; i++) v[i] = 100 + i; /* every step 1 */
    column_put_doubles(&b, v, 240);
    EXPECT(b.n <= 10);
    buf_clear(&b);

    for (int i = 0; i < 240; i++) v[i] = (i % 2) / 10.0; /* steps of 0.1: one bit each is enough */
    column_put_doubles(&b, v, 240);
    EXPECT(b.n <= 2 + 2 + 2 * 2 + 30 + 4);
    buf_release(&b);
}

TEST(a_few_odd_values_do_not_spoil_a_decimal_column)
{
    struct buf clean = BUF_INIT(1 << 20), spoilt = BUF_INIT(1 << 20);
    double v[240];
    struct dice d = { 5 };
    for (int i = 0; i < 240; i++) v[i] = (double)roll_below(&d, 1000) / 10;
    column_put_doubles(&clean, v, 240);
    v[7] = double_of(STALE_BITS);
    v[200] = -0.0;
    column_put_doubles(&spoilt, v, 240);
    EXPECT(spoilt.n <= clean.n + 1 + 2 * 10);
    expect_doubles_back(v, 240);
    buf_release(&clean);
    buf_release(&spoilt);
}

TEST(histogram_runs_of_changing_layout_survive_to_the_bit)
{
    struct dice d = { 6 };
    for (size_t l = 0; l < COUNT(lengths) && lengths[l] <= 1000; l++)
        for (int again = 0; again < 4; again++) {
            size_t n = lengths[l];
            struct arena a = ARENA_INIT(1 << 28);
            struct histogram **h = arena_array(&a, n, sizeof *h), **back = arena_array(&a, n, sizeof *back);
            struct buf b = BUF_INIT(1 << 24);
            shape_histograms(&d, &a, h, n);
            hist_column_put(&b, h, n);
            struct str in = buf_view(&b);
            EXPECT(hist_column_get(&in, back, n, 1 << 20, &a, NULL) == OK && in.n == 0);
            for (size_t i = 0; i < n; i++) EXPECT(same_histogram(h[i], back[i]));
            if (n == 240)
                EXPECT(hist_column_get(&(struct str){ b.p, b.n }, back, n, 100, &a, NULL) == ERR_CORRUPT);
            buf_release(&b);
            arena_release(&a);
        }
}

TEST(damaged_columns_are_refused_or_decoded_but_never_overrun)
{
    struct dice d = { 7 };
    double v[300];
    for (unsigned shape = 0; shape < VALUE_SHAPES; shape++) {
        struct buf whole = BUF_INIT(1 << 20);
        shape_values(&d, shape, v, 300);
        column_put_doubles(&whole, v, 300);
        for (int again = 0; again < 300; again++) {
            size_t cut = again % 2 ? whole.n : roll_below(&d, whole.n + 1);
            char *exact = malloc(cut ? cut : 1); /* of exactly this size, so that ASan sees an overrun */
            memcpy(exact, whole.p, cut);
            if (cut) exact[roll_below(&d, cut)] ^= (char)roll(&d);
            struct str in = str_make(exact, cut);
            double *back = malloc((300 + 128) * sizeof *back);
            int rc = column_get_doubles(&in, back, 300, NULL);
            EXPECT(rc == OK || rc == ERR_CORRUPT);
            in = str_make(exact, cut);
            rc = column_get_ints(&in, (int64_t *)(void *)back, 300, NULL);
            EXPECT(rc == OK || rc == ERR_CORRUPT);
            free(back);
            free(exact);
        }
        buf_release(&whole);
    }
}

TESTS(CASE(doubles_of_every_shape_and_length_survive_to_the_bit),
      CASE(integers_of_every_shape_and_length_survive),
      CASE(times_of_every_shape_survive_and_a_grid_is_nearly_free),
      CASE(miniblocks_of_every_width_survive_with_and_without_patches),
      CASE(columns_are_as_small_as_the_format_promises), CASE(a_few_odd_values_do_not_spoil_a_decimal_column),
      CASE(histogram_runs_of_changing_layout_survive_to_the_bit),
      CASE(damaged_columns_are_refused_or_decoded_but_never_overrun))
