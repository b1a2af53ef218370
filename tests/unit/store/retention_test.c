/* A clock that leaps ahead makes nothing old; one that runs, is set by a little, or leaps back, changes
 * nothing. */
#include "store/engine.h"
#include "unit/test.h"

#define HOUR_MS (3600 * 1000ll)
#define YEAR_MS (365 * 24 * HOUR_MS)
#define NS(ms)  ((ms)*1000000ll)

static const int64_t wall = 1790000000000ll, mono = 77;

TEST(retention_trusts_a_clock_that_runs)
{
    struct retention_clock c = { 0 };
    EXPECT(retention_clock_ok(&c, wall, mono));
    EXPECT(retention_clock_ok(&c, wall + 60000, mono + NS(60000)));
    EXPECT(retention_clock_ok(&c, wall + 60000 + HOUR_MS / 2, mono + NS(120000))); /* set by half an hour */
    EXPECT(retention_clock_ok(&c, wall - YEAR_MS, mono + NS(180000))); /* back: nothing gets old */
    EXPECT(retention_clock_ok(&c, wall - YEAR_MS + 60000, mono + NS(240000)));
}

TEST(retention_holds_for_an_hour_after_a_leap)
{
    struct retention_clock c = { 0 };
    EXPECT(retention_clock_ok(&c, wall, mono));
    EXPECT(!retention_clock_ok(&c, wall + YEAR_MS, mono + NS(60000)));
    EXPECT(!retention_clock_ok(&c, wall + YEAR_MS + 60000, mono + NS(120000)));
    EXPECT(!retention_clock_ok(&c, wall + YEAR_MS + HOUR_MS - 1000, mono + NS(HOUR_MS + 59000)));
    EXPECT(retention_clock_ok(&c, wall + YEAR_MS + HOUR_MS, mono + NS(HOUR_MS + 60000)));
}

TEST(retention_goes_on_when_the_clock_is_put_right)
{
    struct retention_clock c = { 0 };
    EXPECT(retention_clock_ok(&c, wall, mono));
    EXPECT(!retention_clock_ok(&c, wall + YEAR_MS, mono + NS(60000)));
    EXPECT(retention_clock_ok(&c, wall + 120000, mono + NS(120000)));
    EXPECT(retention_clock_ok(&c, wall + 180000, mono + NS(180000)));
}

TESTS(CASE(retention_trusts_a_clock_that_runs), CASE(retention_holds_for_an_hour_after_a_leap),
      CASE(retention_goes_on_when_the_clock_is_put_right))
