#include "query/analytics/statistics.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"

#define HOUR_MS 3600000.0

/* ---- Student's t ---- */

/* The continued fraction of the incomplete beta function (NIST DLMF 8.17.22), by Lentz's method. */
static double beta_fraction(double x, double a, double b)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m <= 300; m++) {
        for (int odd = 0; odd < 2; odd++) {
            double k = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                           : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 + k * d;
            c = 1 + k / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            f *= d * c;
        }
        if (fabs(d * c - 1) < 1e-15) break;
    }
    return f;
}

static double beta_regularised(double x, double a, double b)
{
    int sign;
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    double front =
        exp(lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(x, a, b) / a
                                     : 1 - front * beta_fraction(1 - x, b, a) / b;
}

double student_two_sided(double t, double df)
{
    return isinf(t) ? 0 : beta_regularised(df / (df + t * t), df / 2, 0.5);
}

/* ---- a line ---- */

struct sums {
    size_t n;
    double x, y;        /* means */
    double xx, xy, yy;  /* of what differs from them */
    double first, last; /* x */
};

static struct sums sum_up(const int64_t *time_ms, const double *value, size_t n)
{
    struct sums s = { .n = 0 };
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(value[i])) continue;
        double x = (double)(time_ms[i] - time_ms[0]) / HOUR_MS;
        if (s.n++ == 0) s.first = x;
        s.last = x;
        double dx = x - s.x, dy = value[i] - s.y;
        s.x += dx / (double)s.n;
        s.y += dy / (double)s.n;
        s.xx += dx * (x - s.x);
        s.xy += dx * (value[i] - s.y);
        s.yy += dy * (value[i] - s.y);
    }
    return s;
}

bool trend_of(const int64_t *time_ms, const double *value, size_t n, struct trend *t)
{
    struct sums s = sum_up(time_ms, value, n);
    *t = (struct trend){ .n = s.n, .mean = s.y };
    if (s.n < 3 || !(s.xx > 0)) return false;
    t->slope = s.xy / s.xx;
    t->intercept = s.y + t->slope * (s.first - s.x);
    t->change = t->slope * (s.last - s.first);
    if (!(s.yy > 0)) { /* nothing varies: that it is flat is certain, and there is no trend */
        t->slope = t->change = 0;
        t->r2 = 1;
        t->confidence = 1;
        return true;
    }
    t->strength = MIN(fabs(s.xy) / sqrt(s.xx * s.yy), 1.0);
    t->r2 = t->strength * t->strength;
    double df = (double)s.n - 2, rest = 1 - t->r2;
    double score = rest > 0 ? t->strength * sqrt(df / rest) : INFINITY;
    t->confidence = 1 - student_two_sided(score, df);
    return true;
}

/* ---- outliers ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *sorted_here, size_t n)
{
    qsort(sorted_here, n, sizeof *sorted_here, by_value);
    return n % 2 ? sorted_here[n / 2] : (sorted_here[n / 2 - 1] + sorted_here[n / 2]) / 2;
}

void spread_of(const double *value, size_t n, struct arena *a, struct spread *s)
{
    double *at = arena_array(a, n + 1, sizeof *at), sum = 0;
    *s = (struct spread){ .n = 0 };
    for (size_t i = 0; i < n; i++)
        if (isfinite(value[i])) at[s->n++] = value[i];
    if (s->n == 0) return;
    s->median = median_of(at, s->n);
    for (size_t i = 0; i < s->n; i++) sum += at[i] = fabs(at[i] - s->median);
    s->sigma = 1.4826 * median_of(at, s->n);
    if (!(s->sigma > 0)) s->sigma = 1.2533 * sum / (double)s->n;
}

double spread_score(const struct spread *s, double value)
{
    return s->sigma > 0 ? (value - s->median) / s->sigma : 0;
}

/* ---- two series ---- */

double correlation(const double *a, const double *b, size_t n, long lag, size_t *n_pairs)
{
    double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        long j = (long)i + lag;
        if (j < 0 || j >= (long)n || !isfinite(a[i]) || !isfinite(b[j])) continue;
        double dx = a[i] - x, dy = b[j] - y;
        k++;
        x += dx / (double)k;
        y += dy / (double)k;
        xx += dx * (a[i] - x);
        xy += dx * (b[j] - y);
        yy += dy * (b[j] - y);
    }
    *n_pairs = k;
    if (k < 3 || !(xx > 0) || !(yy > 0)) return (double)NAN;
    return MAX(-1.0, MIN(1.0, xy / sqrt(xx * yy)));
}
