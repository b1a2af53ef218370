/* The fast looks and the sort against their definitions. */
#include "query/promql/blocks.h"

#include <math.h>

#include "query/promql/quantile.h"
#include "unit/test.h"

TEST(one_nan_anywhere_in_a_block_is_seen)
{
    double v[BLOCK];
    for (size_t i = 0; i < BLOCK; i++) v[i] = i % 3 ? INFINITY : -0.0;
    EXPECT(!block_has_nan(v));
    for (size_t at = 0; at < BLOCK; at++) {
        double was = v[at];
        v[at] = NAN;
        EXPECT(block_has_nan(v));
        v[at] = was;
    }
}

TEST(one_fall_anywhere_in_a_block_is_seen_and_equals_are_none)
{
    double v[BLOCK + 1];
    for (size_t i = 0; i <= BLOCK; i++) v[i] = (double)(i / 2);
    EXPECT(!block_falls(v + 1));
    for (size_t at = 1; at <= BLOCK; at++) {
        double was = v[at];
        v[at] = v[at - 1] - 1;
        EXPECT(block_falls(v + 1));
        v[at] = was;
    }
    v[7] = NAN; /* neither falls nor is fallen to */
    EXPECT(!block_falls(v + 1));
}

TEST(values_are_sorted_with_nans_in_front)
{
    static double v[2000];
    uint64_t state = 7;
    for (size_t n = 0; n < 2000; n += n < 70 ? 1 : 193) {
        size_t nans = 0;
        double sum = 0, sorted_sum = 0;
        for (size_t i = 0; i < n; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            v[i] = (state >> 60) == 0 ? NAN : (double)(int64_t)(state >> 33) - 1e9;
            if (isnan(v[i]))
                nans++;
            else
                sum += v[i]; /* whole numbers: exact */
        }
        sort_values(v, n);
        for (size_t i = 0; i < n; i++) {
            EXPECT(isnan(v[i]) == (i < nans));
            if (i > nans) EXPECT(v[i - 1] <= v[i]);
            if (i >= nans) sorted_sum += v[i];
        }
        EXPECT(sum == sorted_sum);
    }
}

TESTS(CASE(one_nan_anywhere_in_a_block_is_seen),
      CASE(one_fall_anywhere_in_a_block_is_seen_and_equals_are_none),
      CASE(values_are_sorted_with_nans_in_front))
