#include "base/clock.h"

#include <time.h>

#include "unit/test.h"

TEST(clock_wall_can_be_held_still)
{
    clock_fix_ms(1234);
    EXPECT(clock_now_ms() == 1234);
    clock_fix_ms(0);
    EXPECT(llabs((long long)clock_now_ms() / 1000 - (long long)time(NULL)) <= 1);
}

TEST(clock_monotonic_never_goes_back)
{
    int64_t last = clock_mono_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_mono_ns();
        EXPECT(now >= last);
        last = now;
    }
    EXPECT(clock_cpu_ns() > 0);
}

TESTS(CASE(clock_wall_can_be_held_still), CASE(clock_monotonic_never_goes_back))
