/* Figures worked out by hand; of Student's t from its printed tables. */
#include "query/analytics/statistics.h"

#include <math.h>

#include "unit/test.h"

#define HOUR 3600000

static bool near(double a, double b, double within)
{
    return fabs(a - b) <= within;
}

/* S2-003. Points (0,1) (1,3) (2,2) (3,5) (4,4): means 2 and 3; sxx 10, sxy 8, syy 10. Slope 0.8, r 0.8,
 * t = 0.8 * sqrt(3 / 0.36) = 2.3094 with 3 degrees of freedom, whose p is 0.1041. */
TEST(a_trend_is_the_line_of_least_squares)
{
    const int64_t t[] = { 0, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR };
    const double v[] = { 1, 3, 2, 5, 4 };
    struct trend r;
    EXPECT(trend_of(t, v, 5, &r));
    EXPECT(near(r.slope, 0.8, 1e-12) && near(r.intercept, 1.4, 1e-12) && near(r.change, 3.2, 1e-12));
    EXPECT(near(r.strength, 0.8, 1e-12) && near(r.r2, 0.64, 1e-12));
    EXPECT(near(r.confidence, 1 - 0.1041, 1e-4));
}

TEST(holes_are_left_out_and_too_little_is_no_trend)
{
    const int64_t t[] = { 0, HOUR, 2 * HOUR, 3 * HOUR };
    const double v[] = { NAN, 1, 3, 5 }, few[] = { 1, NAN, 3, NAN }, flat[] = { 7, 7, 7, 7 };
    struct trend r;
    EXPECT(trend_of(t, v, 4, &r) && r.n == 3);
    EXPECT(near(r.slope, 2, 1e-12) && near(r.intercept, 1, 1e-12) && r.confidence > 0.999999);
    EXPECT(!trend_of(t, few, 4, &r) && r.n == 2);
    EXPECT(trend_of(t, flat, 4, &r) && r.slope == 0 && r.strength == 0 && r.confidence == 1);
}

/* Two-sided 0.05: t of 12.706 with 1 degree of freedom, 2.228 with 10, 1.984 with 100; 0.001: 4.587 with 10.
 */
TEST(tails_of_students_t_are_those_of_the_tables)
{
    EXPECT(near(student_two_sided(12.706, 1), 0.05, 1e-5));
    EXPECT(near(student_two_sided(2.228, 10), 0.05, 2e-5));
    EXPECT(near(student_two_sided(1.984, 100), 0.05, 2e-5));
    EXPECT(near(student_two_sided(4.587, 10), 0.001, 1e-6));
    EXPECT(near(student_two_sided(0, 5), 1, 1e-12) && student_two_sided(INFINITY, 5) == 0);
}

/* S2-004. Median of 1 2 3 4 100 is 3; distances 2 1 0 1 97, their median 1: sigma 1.4826, of 100 the score
 * 65.4256. When most are equal (5 5 5 5 10): mean distance 1, sigma 1.2533. */
TEST(outliers_stand_out_against_the_middle)
{
    struct arena a = ARENA_INIT(1 << 20);
    const double v[] = { 100, 1, NAN, 3, 2, 4 }, same[] = { 5, 5, 10, 5, 5 }, equal[] = { 4, 4, 4 };
    struct spread s;
    spread_of(v, 6, &a, &s);
    EXPECT(s.n == 5 && s.median == 3 && near(s.sigma, 1.4826, 1e-12));
    EXPECT(near(spread_score(&s, 100), 65.4256, 1e-4) && spread_score(&s, 2) < 0);
    spread_of(same, 5, &a, &s);
    EXPECT(s.median == 5 && near(s.sigma, 1.2533, 1e-12));
    spread_of(equal, 3, &a, &s);
    EXPECT(s.sigma == 0 && spread_score(&s, 4) == 0);
    spread_of(equal, 0, &a, &s);
    EXPECT(s.n == 0);
    arena_release(&a);
}

/* S2-005. 1 2 3 4 against 1 3 2 4: sxy 4, sxx and syy 5: r 0.8. */
TEST(correlation_is_pearsons_over_what_both_have)
{
    const double x[] = { 1, 2, NAN, 3, 4 }, y[] = { 1, 3, 99, 2, 4 }, up[] = { 0, 1, 4, 9, 16 },
                 later[] = { 7, 0, 1, 4, 9 }, flat[] = { 1, 1, 1, 1, 1 };
    size_t n;
    EXPECT(near(correlation(x, y, 5, 0, &n), 0.8, 1e-12) && n == 4);
    EXPECT(near(correlation(up, later, 5, 1, &n), 1, 1e-12) && n == 4);
    EXPECT(isnan(correlation(x, flat, 5, 0, &n)));
    EXPECT(isnan(correlation(x, y, 5, 4, &n)) && n == 1);
}

TESTS(CASE(a_trend_is_the_line_of_least_squares), CASE(holes_are_left_out_and_too_little_is_no_trend),
      CASE(tails_of_students_t_are_those_of_the_tables), CASE(outliers_stand_out_against_the_middle),
      CASE(correlation_is_pearsons_over_what_both_have))
