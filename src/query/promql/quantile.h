/* quantile.h - quantiles and fractions: of native histograms, of classic buckets, of plain values. */
#pragma once
#include "query/promql/histogram_ops.h"

enum { QUANTILE_NAN = 1, QUANTILE_SKEWED = 2, QUANTILE_FORCED = 4 }; /* in *told */

double quantile_native(double q, const struct histogram *, struct arena *scratch, int *told);
double fraction_native(double lower, double upper, const struct histogram *, struct arena *scratch,
                       int *told);
double variance_native(const struct histogram *, struct arena *scratch);

struct classic_bucket {
    double upper, count; /* cumulative */
};
/* Buckets are sorted, made whole and monotonic in place. */
double quantile_classic(double q, struct classic_bucket *, size_t n, int *told);
double fraction_classic(double lower, double upper, struct classic_bucket *, size_t n);

/* Sorts the values; NaN counts as the smallest. */
double quantile_values(double q, double *values, size_t n);
void sort_values(double *values, size_t n);
double quantile_sorted(double q, const double *values, size_t n); /* of values already sorted */

double mean_values(const double *, size_t n);     /* compensated, does not overflow */
double variance_values(const double *, size_t n); /* of the population */
