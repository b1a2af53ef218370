/* Joined summaries say what their rows say, however they are cut and grouped. The rows are looked at plainly,
 * in long double. */
#include "model/summary.h"

#include <math.h>

#include "unit/test.h"

enum { ROWS = 240 };

struct series {
    size_t n;
    int64_t t[ROWS];
    double v[ROWS];
};

static uint64_t seed = 88172645463325252ull;
static uint64_t rnd(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* Counters with resets, gauges on a high base, repeats; now and then stale markers, NaN and gaps. */
static void series_make(struct series *s, int shape, bool odd_values)
{
    double v = shape == 1 ? 1e9 : 0;
    int64_t t = 0;
    s->n = 1 + rnd(ROWS);
    for (size_t i = 0; i < s->n; i++) {
        t += 1 + (int64_t)rnd(rnd(20) == 0 ? 400000 : 15000);
        if (shape == 0) v = rnd(30) == 0 ? (double)rnd(3) : v + (double)rnd(1000) / 8;
        if (shape == 1) v = 1e9 + (double)rnd(1000) / 7;
        if (shape == 2) v = (double)(int)rnd(3) - 1;
        s->t[i] = t;
        s->v[i] = v;
        if (odd_values && rnd(12) == 0) s->v[i] = rnd(3) ? double_of(STALE_BITS) : NAN;
    }
}

static bool close_to(long double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    return fabsl(a - b) <= 1e-11L * (1 + fabsl(a));
}

static void expect_is(const struct summary *s, const struct series *rows)
{
    long double sum = 0, lost = 0, mean, spread = 0;
    double v[ROWS], min = NAN, max = NAN;
    int64_t t[ROWS];
    size_t n = 0, changes = 0, resets = 0;
    for (size_t i = 0; i < rows->n; i++) {
        if (is_stale(rows->v[i])) continue;
        t[n] = rows->t[i];
        v[n++] = rows->v[i];
    }
    EXPECT(s->n == n && s->odd == 0);
    EXPECT(s->ends_stale == is_stale(rows->v[rows->n - 1]));
    EXPECT(!s->ends_stale || s->stale_ms == rows->t[rows->n - 1]);
    if (n == 0) return;
    for (size_t i = 0; i < n; i++) {
        sum += v[i];
        if (isnan(min) || v[i] < min) min = v[i];
        if (isnan(max) || v[i] > max) max = v[i];
        if (i == 0) continue;
        changes += v[i] != v[i - 1] && !(isnan(v[i]) && isnan(v[i - 1]));
        resets += v[i] < v[i - 1];
        if (v[i] < v[i - 1]) lost += v[i - 1];
    }
    mean = sum / n;
    for (size_t i = 0; i < n; i++) spread += (v[i] - mean) * (v[i] - mean);
    EXPECT(s->first_ms == t[0] && s->last_ms == t[n - 1]);
    EXPECT(close_to(v[0], s->first) && close_to(v[n - 1], s->last));
    EXPECT(close_to(sum, summary_total(s)) && close_to(lost, s->lost));
    EXPECT(close_to(min, s->min) && close_to(max, s->max));
    EXPECT(s->changes == changes && s->resets == resets);
    EXPECT(close_to(mean, s->first + s->drift) && close_to(spread, s->spread));
}

static struct summary of_rows(const struct series *rows, size_t lo, size_t hi)
{
    struct summary s = { 0 };
    for (size_t i = lo; i < hi; i++) summary_add(&s, rows->t[i], rows->v[i], false, 0);
    return s;
}

TEST(summary_of_rows_is_what_the_rows_say)
{
    struct series rows;
    for (int i = 0; i < 600; i++) {
        series_make(&rows, i % 3, i % 2);
        struct summary s = of_rows(&rows, 0, rows.n);
        expect_is(&s, &rows);
    }
}

TEST(summary_join_is_associative_and_loses_nothing)
{
    struct series rows;
    for (int i = 0; i < 600; i++) {
        series_make(&rows, i % 3, i % 2);
        size_t x = rnd(rows.n + 1), y = x + rnd(rows.n + 1 - x);
        struct summary a = of_rows(&rows, 0, x), b = of_rows(&rows, x, y), c = of_rows(&rows, y, rows.n);
        struct summary left = a, right = a;
        summary_join(&left, &b); /* (a b) c */
        summary_join(&left, &c);
        summary_join(&b, &c); /* a (b c) */
        summary_join(&right, &b);
        expect_is(&left, &rows);
        expect_is(&right, &rows);
    }
}

TEST(summary_of_nothing_changes_nothing)
{
    struct summary none = { 0 }, s = { 0 }, also;
    summary_add(&s, 5, 7, false, 0);
    also = s;
    summary_join(&also, &none);
    EXPECT_INT(also.n, 1);
    EXPECT(also.first_ms == 5 && also.last == 7);
    summary_join(&none, &s);
    EXPECT(none.n == 1 && none.first == 7 && none.last_ms == 5);
}

TEST(summary_counts_what_it_cannot_sum_up)
{
    struct summary s = { 0 };
    summary_add(&s, 1, 3, true, 0);  /* a histogram */
    summary_add(&s, 2, 3, false, 1); /* a float with a start time */
    summary_add(&s, 3, 4, false, 0);
    EXPECT(s.odd == 2 && s.n == 2 && summary_total(&s) == 7);
}

TEST(summary_survives_infinities)
{
    struct summary a = { 0 }, b = { 0 };
    summary_add(&a, 1, 1, false, 0);
    summary_add(&a, 2, INFINITY, false, 0);
    summary_add(&b, 3, 2, false, 0);
    summary_join(&a, &b);
    EXPECT(summary_total(&a) == INFINITY && a.max == INFINITY && a.min == 1 && isnan(a.spread));
}

/* Bucket i has the rows in (start + i w, start + (i + 1) w]. */
TEST(summary_fold_puts_a_row_on_the_edge_into_the_bucket_that_ends_there)
{
    const int64_t t[] = { 100, 101, 110, 111, 120, 121 };
    const double v[] = { 1, 2, 3, 4, 5, 6 };
    struct summary at[2] = { 0 };
    struct summary_grid g = { 100, 10, 2 };
    summary_fold(at, &g, 6, t, v, NULL, NULL);
    EXPECT(at[0].n == 2 && at[0].first == 2 && at[0].last == 3);
    EXPECT(at[1].n == 2 && at[1].first == 4 && at[1].last == 5);
}

TEST(summary_goes_through_its_fields_and_back)
{
    struct series rows;
    double fields[SUM_FIELDS];
    for (int i = 0; i < 300; i++) {
        series_make(&rows, i % 3, true);
        struct summary s = of_rows(&rows, 0, rows.n), back;
        int64_t end = rows.t[rows.n - 1] + (int64_t)rnd(1000), width = end - rows.t[0] + 1 + (int64_t)rnd(9);
        summary_put(&s, end, width, fields);
        summary_get(&back, end, width, fields);
        expect_is(&back, &rows);
    }
}

/* Fields come from files, and files may lie. */
TEST(summary_fields_may_be_anything)
{
    const double strange[] = { NAN, -1, 1e300, INFINITY, -INFINITY, 0.5, 1e18 };
    for (int i = 0; i < 2000; i++) {
        double fields[SUM_FIELDS];
        struct summary s;
        for (int f = 0; f < SUM_FIELDS; f++) fields[f] = strange[rnd(7)];
        summary_get(&s, 1000, 100, fields);
        EXPECT(s.first_ms >= 900 && s.first_ms <= 1000 && s.last_ms >= 900 && s.last_ms <= 1000);
        EXPECT(s.stale_ms >= 900 && s.stale_ms <= 1000 && s.n < 1000000000000000ull);
    }
}

TESTS(CASE(summary_of_rows_is_what_the_rows_say), CASE(summary_join_is_associative_and_loses_nothing),
      CASE(summary_of_nothing_changes_nothing), CASE(summary_counts_what_it_cannot_sum_up),
      CASE(summary_survives_infinities),
      CASE(summary_fold_puts_a_row_on_the_edge_into_the_bucket_that_ends_there),
      CASE(summary_goes_through_its_fields_and_back), CASE(summary_fields_may_be_anything))
