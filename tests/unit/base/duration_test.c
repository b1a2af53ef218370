#include "base/duration.h"

#include "unit/test.h"

static int64_t ms(const char *text)
{
    int64_t v = -1;
    return duration_parse_ms(str_of(text), &v) ? v : -1;
}

static void prints(int64_t v, const char *wanted)
{
    struct buf b = BUF_INIT(100);
    duration_print_ms(&b, v);
    EXPECT_STR(buf_cstr(&b), wanted);
    buf_release(&b);
}

TEST(duration_units_are_prometheus_own)
{
    EXPECT(ms("0") == 0 && ms("0s") == 0);
    EXPECT(ms("7ms") == 7 && ms("6s") == 6000 && ms("5m") == 300000 && ms("4h") == 14400000);
    EXPECT(ms("3d") == 3 * 86400000ll && ms("2w") == 14 * 86400000ll && ms("1y") == 365 * 86400000ll);
    EXPECT(ms("1y2w3d4h5m6s7ms") == 382 * 86400000ll + 4 * 3600000 + 5 * 60000 + 6 * 1000 + 7);
    EXPECT(ms("90s") == 90000 && ms("1h5ms") == 3600005);
}

TEST(duration_order_is_falling_and_each_unit_once)
{
    /* clang-format off */
    static const char *const bad[] = {
        "", "1", "s", "5", "1s1m", "1m1m", "1ms1s", "1.5h", "-1s", "+1s", " 1s", "1s ", "1S",
        "1us", "1mss", "00", "1h30", "99999999999999999999s", "300y", "9223372036854775807y",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EXPECT(ms(bad[i]) == -1);
}

TEST(duration_prints_as_prometheus_does)
{
    prints(0, "0s");
    prints(90000, "1m30s");
    prints(5400000, "1h30m");
    prints(86400000, "1d");
    prints(7 * 86400000ll, "1w");
    prints(8 * 86400000ll, "8d"); /* weeks and years only when nothing is left */
    prints(365 * 86400000ll, "1y");
    prints(366 * 86400000ll, "366d");
    prints(1001, "1s1ms");
    prints(-15000, "-15s");
}

TEST(duration_text_reads_back)
{
    struct buf b = BUF_INIT(100);
    for (int64_t v = 1; v < (int64_t)1 << 40; v = v * 3 + 7) {
        buf_clear(&b);
        duration_print_ms(&b, v);
        EXPECT(ms(buf_cstr(&b)) == v);
    }
    buf_release(&b);
}

TESTS(CASE(duration_units_are_prometheus_own), CASE(duration_order_is_falling_and_each_unit_once),
      CASE(duration_prints_as_prometheus_does), CASE(duration_text_reads_back))
