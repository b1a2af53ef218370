/* quantile.c - see quantile.h.
 *
 * Inside a bucket observations are taken as spread evenly, on a logarithmic scale for exponential buckets, on
 * a linear one for all others. A histogram whose sum is NaN has seen NaN; those count as observations above
 * every bucket. */
#include "query/promql/quantile.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

/* The zero bucket of a histogram with buckets on one side only holds no values of the other side. */
static void lean_zero_bucket(struct hbucket *b, const struct histogram *h)
{
    if (hist_is_custom(h) || !(b->lower <= 0 && b->upper >= 0)) return;
    if (h->n_neg == 0 && h->n_pos > 0)
        b->lower = 0;
    else if (h->n_pos == 0 && h->n_neg > 0)
        b->upper = 0;
}

static bool is_linear(const struct hbucket *b, const struct histogram *h)
{
    return hist_is_custom(h) || (b->lower <= 0 && b->upper >= 0);
}

static double inside(const struct hbucket *b, double fraction)
{
    double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper));
    if (b->lower > 0) return exp2(lower + (upper - lower) * fraction);
    return -exp2(upper + (lower - upper) * (1 - fraction));
}

struct found {
    struct hbucket bucket;
    double count; /* of all buckets up to it, from the end we came from */
};

static struct found find_rank(const struct hbucket *b, size_t n, double rank, bool forward)
{
    struct found f = { { 0, 0, 0 }, 0 };
    for (size_t i = 0; i < n; i++) {
        const struct hbucket *at = forward ? &b[i] : &b[n - 1 - i];
        if (at->count == 0) continue;
        f.bucket = *at;
        f.count += at->count;
        if (f.count >= rank) break;
    }
    return f;
}

double quantile_native(double q, const struct histogram *h, struct arena *scratch, int *told)
{
    *told = 0;
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    if (h->count == 0 || isnan(q)) return NAN;

    struct hbucket *buckets;
    size_t n = hist_buckets(h, scratch, &buckets);
    bool forward = isnan(h->sum) || q < 0.5;
    double rank = (forward ? q : 1 - q) * h->count;
    struct found f = find_rank(buckets, n, rank, forward);
    struct hbucket b = f.bucket;

    if (isnan(h->sum)) *told = f.count < rank ? QUANTILE_NAN : QUANTILE_SKEWED;
    if (isnan(h->sum) && f.count < rank) return NAN;
    lean_zero_bucket(&b, h);
    if (hist_is_custom(h)) {
        if (b.lower == -INFINITY) {
            if (b.upper <= 0) return b.upper;
            b.lower = 0;
        } else if (b.upper == INFINITY) {
            return b.lower;
        }
    }
    double count = MIN(f.count, h->count);
    if (count < rank) return b.upper;
    double fraction = (forward ? rank - (count - b.count) : count - rank) / b.count;
    return is_linear(&b, h) ? b.lower + (b.upper - b.lower) * fraction : inside(&b, fraction);
}

/* How much of the bucket lies below v, which is inside it. Of a bucket that is infinitely wide nothing is
 * known: the part above -Inf counts as below, the part below +Inf as above. */
static double below(const struct hbucket *b, const struct histogram *h, double v)
{
    double lower = b->lower;
    if (is_linear(b, h)) {
        if (lower == -INFINITY && (v < 0 || b->upper == INFINITY))
            return b->upper > 0 && v >= 0 ? 0 : b->count;
        if (lower == -INFINITY) lower = b->upper > 0 ? 0 : b->upper;
        return b->count * (v - lower) / (b->upper - lower);
    }
    double low = log2(fabs(b->lower)), up = log2(fabs(b->upper)), at = log2(fabs(v));
    return b->count * (v > 0 ? (at - low) / (up - low) : 1 - (at - up) / (low - up));
}

double fraction_native(double lower, double upper, const struct histogram *h, struct arena *scratch,
                       int *told)
{
    *told = isnan(h->sum) && h->count != 0 ? QUANTILE_NAN : 0;
    if (h->count == 0 || isnan(lower) || isnan(upper)) return NAN;
    if (lower >= upper) return 0;

    struct hbucket *buckets;
    size_t n = hist_buckets(h, scratch, &buckets);
    double rank = 0, at[2] = { NAN, NAN }, want[2] = { lower, upper };
    for (size_t i = 0; i < n; i++) {
        struct hbucket b = buckets[i];
        lean_zero_bucket(&b, h);
        for (int k = 0; k < 2; k++) {
            if (!isnan(at[k])) continue;
            if (b.lower >= want[k])
                at[k] = rank;
            else if (b.upper > want[k])
                at[k] = rank + below(&b, h, want[k]);
        }
        rank += b.count;
    }
    double most = isnan(h->sum) ? rank : h->count;
    for (int k = 0; k < 2; k++)
        if (isnan(at[k]) || at[k] > most) at[k] = most;
    return (at[1] - at[0]) / h->count;
}

double variance_native(const struct histogram *h, struct arena *scratch)
{
    struct hbucket *b;
    size_t n = hist_buckets(h, scratch, &b);
    double mean = h->sum / h->count;
    struct ksum sum = { 0, 0 };
    for (size_t i = 0; i < n; i++) {
        double v;
        if (b[i].count == 0) continue;
        if (hist_is_custom(h))
            v = (b[i].upper + b[i].lower) / 2;
        else if (b[i].lower <= 0 && b[i].upper >= 0)
            v = 0;
        else
            v = copysign(sqrt(b[i].upper * b[i].lower), b[i].upper);
        ksum_add(&sum, b[i].count * (v - mean) * (v - mean));
    }
    return ksum_value(sum) / h->count;
}

/* ---- classic buckets ---- */

static int by_upper(const void *a, const void *b)
{
    double x = ((const struct classic_bucket *)a)->upper, y = ((const struct classic_bucket *)b)->upper;
    return (x > y) - (x < y);
}

/* Sort, and join buckets with the same bound. 0 when the +Inf bucket is missing. */
static size_t make_whole(struct classic_bucket *b, size_t n)
{
    size_t m = 0;
    if (n == 0) return 0;
    qsort(b, n, sizeof *b, by_upper);
    if (b[n - 1].upper != INFINITY) return 0;
    for (size_t i = 1; i < n; i++) {
        if (b[i].upper == b[m].upper)
            b[m].count += b[i].count;
        else
            b[++m] = b[i];
    }
    return m + 1;
}

static bool nearly(double a, double b)
{
    return fabs(a - b) <= 1e-12 * (fabs(a) + fabs(b));
}

/* Counts must not fall: scrapes and rules can race. Differences of rounding are not worth a word. */
static bool make_monotonic(struct classic_bucket *b, size_t n)
{
    bool forced = false;
    for (size_t i = 1; i < n; i++) {
        double prev = b[i - 1].count;
        if (nearly(prev, b[i].count)) {
            b[i].count = prev;
        } else if (b[i].count < prev) {
            b[i].count = prev;
            forced = true;
        }
    }
    return forced;
}

double quantile_classic(double q, struct classic_bucket *b, size_t n, int *told)
{
    *told = 0;
    if (isnan(q)) return NAN;
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    if ((n = make_whole(b, n)) == 0) return NAN;
    if (make_monotonic(b, n)) *told = QUANTILE_FORCED;
    double observations = b[n - 1].count;
    if (n < 2 || observations == 0 || isnan(observations)) return NAN;

    double rank = q * observations, lower = 0, before = 0;
    size_t at = 0;
    while (at < n - 1 && !(b[at].count >= rank)) at++;
    if (at == n - 1) return b[n - 2].upper;
    if (at == 0 && b[0].upper <= 0) return b[0].upper;
    if (at > 0) lower = b[at - 1].upper, before = b[at - 1].count;
    return lower + (b[at].upper - lower) * ((rank - before) / (b[at].count - before));
}

double fraction_classic(double lower, double upper, struct classic_bucket *b, size_t n)
{
    if ((n = make_whole(b, n)) == 0) return NAN;
    double observations = b[n - 1].count, rank = 0, at[2] = { NAN, NAN }, want[2] = { lower, upper };
    struct histogram custom = { .schema = HISTOGRAM_CUSTOM };

    if (observations == 0 || isnan(lower) || isnan(upper)) return NAN;
    if (lower >= upper) return 0;
    for (size_t i = 0; i < n; i++) {
        struct hbucket one = { i ? b[i - 1].upper : -INFINITY, b[i].upper, b[i].count - rank };
        for (int k = 0; k < 2; k++) {
            if (!isnan(at[k])) continue;
            if (one.lower >= want[k])
                at[k] = rank;
            else if (one.upper > want[k])
                at[k] = rank + below(&one, &custom, want[k]);
        }
        rank = b[i].count;
    }
    for (int k = 0; k < 2; k++)
        if (isnan(at[k]) || at[k] > observations) at[k] = observations;
    return (at[1] - at[0]) / observations;
}

/* ---- plain values ---- */

#define SORT_RUN 8

static void insert_each(double *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        double x = v[i];
        size_t k = i;
        for (; k > 0 && x < v[k - 1]; k--) v[k] = v[k - 1];
        v[k] = x;
    }
}

/* a and b, both sorted, to out; of equals those of a come first. */
static void merge_runs(const double *a, size_t n_a, const double *b, size_t n_b, double *out)
{
    size_t i = 0, j = 0;
    while (i < n_a && j < n_b) { /* no branch on what is smaller: it comes at random */
        bool second = b[j] < a[i];
        *out++ = second ? b[j] : a[i];
        i += !second;
        j += second;
    }
    memcpy(out, a + i, (n_a - i) * sizeof *a);
    memcpy(out + (n_a - i), b + j, (n_b - j) * sizeof *b);
}

static void sort_numbers(double *v, size_t n, double *spare)
{
    double *from = v, *to = spare;
    for (size_t i = 0; i < n; i += SORT_RUN) insert_each(v + i, MIN(n - i, (size_t)SORT_RUN));
    for (size_t run = SORT_RUN; run < n; run *= 2) {
        for (size_t i = 0; i < n; i += 2 * run) {
            size_t mid = MIN(i + run, n), end = MIN(i + 2 * run, n);
            merge_runs(from + i, mid - i, from + mid, end - mid, to + i);
        }
        double *was = from;
        from = to;
        to = was;
    }
    if (from != v) memcpy(v, from, n * sizeof *v);
}

/* Those that are not a number come first. */
void sort_values(double *v, size_t n)
{
    double small[512], *spare = n <= COUNT(small) ? small : mem_alloc(n * sizeof *spare);
    size_t nans = 0, kept = 0;
    for (size_t i = 0; i < n; i++) nans += isnan(v[i]);
    if (nans > 0) {
        for (size_t i = 0; i < n; i++)
            if (!isnan(v[i])) spare[kept++] = v[i];
        for (size_t i = 0; i < nans; i++) v[i] = NAN;
        memcpy(v + nans, spare, kept * sizeof *v);
    }
    sort_numbers(v + nans, n - nans, spare);
    if (spare != small) mem_free(spare);
}

double quantile_sorted(double q, const double *v, size_t n)
{
    if (n == 0 || isnan(q)) return NAN;
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    double rank = q * (double)(n - 1), weight = rank - floor(rank);
    size_t lower = (size_t)floor(rank), upper = MIN(n - 1, lower + 1);
    return v[lower] * (1 - weight) + v[upper] * weight;
}

double quantile_values(double q, double *v, size_t n)
{
    sort_values(v, n);
    return quantile_sorted(q, v, n);
}

/* ---- mean and variance ---- */

/* One step of a compensated moving mean: k is the mean of the i values before v. */
static struct ksum mean_step(struct ksum k, double v, double i)
{
    double part = v / (i + 1), mean = i / (i + 1) * k.s;
    struct ksum next = { mean, i / (i + 1) * k.c };
    ksum_add(&next, part);
    return next;
}

/* Sum over count, as long as the sum does not overflow; from there on a moving mean. */
double mean_values(const double *v, size_t n)
{
    struct ksum k = { 0, 0 };
    size_t i = 0;
    for (; i < n; i++) {
        struct ksum next = k;
        ksum_add(&next, v[i]);
        if (isinf(next.s)) break;
        k = next;
    }
    if (i == n) return k.s / (double)n + k.c / (double)n;
    if (i > 0) k = (struct ksum){ k.s / (double)i, k.c / (double)i };
    for (; i < n; i++) {
        if (isinf(k.s) && (isfinite(v[i]) || v[i] == k.s)) continue; /* stays infinite */
        k = mean_step(k, v[i], (double)i);
    }
    return ksum_value(k);
}

double variance_values(const double *v, size_t n)
{
    struct ksum mean = { 0, 0 }, spread = { 0, 0 };
    for (size_t i = 0; i < n; i++) {
        double delta = v[i] - (mean.s + mean.c);
        ksum_add(&mean, delta / (double)(i + 1));
        ksum_add(&spread, delta * (v[i] - (mean.s + mean.c)));
    }
    return (spread.s + spread.c) / (double)n;
}
