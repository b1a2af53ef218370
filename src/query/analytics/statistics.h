/* statistics.h - plain statistics of one series and of two: trends, outliers, correlation. docs/analytics.md
 * has the formulas and an example worked by hand for each.
 *
 * NaN among the values are holes: they are left out. Pure; memory: the caller's arena. */
#pragma once
#include "base/arena.h"

/* A straight line by least squares; x is in hours. */
struct trend {
    size_t n;
    double slope, intercept; /* per hour; at the first x */
    double r2;               /* share of the variance that the line explains; 1 when nothing varies */
    double strength;         /* |r|: 0 to 1 */
    double confidence;       /* 1 - p of the two-sided t-test of slope 0, n - 2 degrees of freedom */
    double mean, change;     /* change: of the line from the first to the last x */
};
/* False: fewer than 3 values, or all at one time. */
bool trend_of(const int64_t *time_ms, const double *value, size_t n, struct trend *);

/* How far values are from the median, in standard deviations as far as the middle half tells them:
 * 1.4826 * median(|x - median|); when that is 0, 1.2533 * mean(|x - median|). */
struct spread {
    size_t n;
    double median, sigma; /* sigma 0: all are equal */
};
void spread_of(const double *value, size_t n, struct arena *, struct spread *);
double spread_score(const struct spread *, double value); /* signed */

/* Pearson's r over the places where both have a value, b shifted: a[i] with b[i + lag]. NAN: fewer than 3
 * such places, or one of both does not vary. *n_pairs: places. */
double correlation(const double *a, const double *b, size_t n, long lag, size_t *n_pairs);

/* P(|T| > t) of Student's t with df degrees of freedom. */
double student_two_sided(double t, double df);
