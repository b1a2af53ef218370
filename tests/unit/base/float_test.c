#include "base/float.h"

#include <math.h>

#include "unit/test.h"

static const char *text(double v)
{
    static char out[FLOAT_TEXT_MAX + 1];
    out[float_text(v, out)] = 0;
    return out;
}

static const char *plain(double v)
{
    static char out[401];
    out[float_text_plain(v, out, 400)] = 0;
    return out;
}

static uint64_t bits(double v)
{
    uint64_t b;
    memcpy(&b, &v, 8);
    return b;
}

static uint64_t random_bits(void)
{
    static uint64_t state = 88172645463325252u; /* xorshift64 */
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

TEST(float_text_changes_to_exponents_where_go_does)
{
    EXPECT_STR(text(0), "0");
    EXPECT_STR(text(-0.0), "-0");
    EXPECT_STR(text(0.1), "0.1");
    EXPECT_STR(text(100), "100");
    EXPECT_STR(text(0.0001), "0.0001");
    EXPECT_STR(text(0.00001), "1e-05");
    EXPECT_STR(text(1e-7), "1e-07");
    EXPECT_STR(text(1e20), "100000000000000000000");
    EXPECT_STR(text(1e21), "1e+21");
    EXPECT_STR(text(-1.5e300), "-1.5e+300");
    EXPECT_STR(text(5e-324), "5e-324");
    EXPECT_STR(text(1.7976931348623157e308), "1.7976931348623157e+308");
    EXPECT_STR(text(NAN), "NaN");
    EXPECT_STR(text(INFINITY), "+Inf");
    EXPECT_STR(text(-INFINITY), "-Inf");
}

TEST(float_text_plain_has_no_exponent)
{
    EXPECT_STR(plain(1e-7), "0.0000001");
    EXPECT_STR(plain(1e21), "1000000000000000000000");
    EXPECT_STR(plain(1e23),
               "100000000000000000000000"); /* shortest digits, then zeros: not 99999999999999991611392 */
    EXPECT_STR(plain(-123.456), "-123.456");
    EXPECT_STR(plain(NAN), "NaN");
    EXPECT(strlen(plain(-1.7976931348623157e308)) == 310);
    EXPECT(strlen(plain(-2.2250738585072014e-308)) == 1 + 2 + 307 + 17);
    EXPECT(float_text_plain(123456, (char[3]){ 0 }, 3) == 3); /* never more than the caller has */
}

/* The C library is the other opinion: what we print must read back there, and what it prints must read back
 * here. */
TEST(float_agrees_with_the_c_library_on_random_bits)
{
    for (int i = 0; i < 200000; i++) {
        uint64_t b = random_bits();
        double v, back;
        char theirs[64];
        memcpy(&v, &b, 8);
        if (!isfinite(v)) continue;

        EXPECT(bits(strtod(text(v), NULL)) == b);
        int n = snprintf(theirs, sizeof theirs, "%.17g", v);
        EXPECT(float_parse(str_make(theirs, (size_t)n), &back) && bits(back) == b);
        n = snprintf(theirs, sizeof theirs, "%a", v);
        EXPECT(float_parse(str_make(theirs, (size_t)n), &back) && bits(back) == b);
    }
}

TEST(float_agrees_with_the_c_library_on_short_decimals)
{
    for (int i = 0; i < 200000; i++) {
        char s[64];
        double v;
        uint64_t r = random_bits();
        uint64_t whole = random_bits() % 1000000000000u >> r % 40;
        int n = snprintf(s, sizeof s, "%s%llu.%0*llu", r & 1 ? "-" : "", (unsigned long long)whole,
                         (int)(r % 9 + 1), (unsigned long long)(random_bits() % 1000));
        EXPECT(float_parse(str_make(s, (size_t)n), &v) && bits(v) == bits(strtod(s, NULL)));
        EXPECT(float_parse(str_of(plain(v)), &v) && bits(v) == bits(strtod(s, NULL)));
    }
}

TEST(float_parse_reads_what_prometheus_reads)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {
        { "1", 1 },
        { "+1", 1 },
        { "-1.5", -1.5 },
        { "1.", 1 },
        { ".5", 0.5 },
        { "1e5", 1e5 },
        { "1E+5", 1e5 },
        { "0x1p3", 8 },
        { "0X1.8P-1", .75 },
        { "-0x1p-1", -0.5 },
        { "1e-400", 0 },
        { "0x1p-2000", 0 },
        { "inf", INFINITY },
        { "+Inf", INFINITY },
        { "-INFINITY", -INFINITY },
        { "00012", 12 },
        { "123456789012345678901234567890", 123456789012345678901234567890.0 },
        { "0.00000000000000000000000000000000000000001e41", 1 },
        { "9007199254740993", 9007199254740992.0 }, /* halfway: to even */
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double v = -7;
        EXPECT(float_parse(str_of(good[i].text), &v) && v == good[i].value);
    }
    double v;
    EXPECT(float_parse(STR("NaN"), &v) &&
           bits(v) == 0x7ff8000000000001u); /* Prometheus' ordinary NaN, never the stale one */
    EXPECT(float_parse(STR("-0"), &v) && v == 0 && signbit(v));
}

TEST(float_parse_refuses_what_is_left_over_or_too_large)
{
    /* clang-format off */
    static const char *const bad[] = {
        "", " 1", "1 ", "+", "-", ".", "+-1", "--1", "1_000", "1e", "e5", "0x1", "0x", "0xp1",
        "1e999", "-1e999", "0x1p5000", "nan(1)", "-nan", "+NaN", "infinit", "in", "1,5", "1.2.3",
        "0x-1p1", "1f", "\x80",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double v = -7;
        EXPECT(!float_parse(str_of(bad[i]), &v));
    }
}

TESTS(CASE(float_text_changes_to_exponents_where_go_does), CASE(float_text_plain_has_no_exponent),
      CASE(float_agrees_with_the_c_library_on_random_bits),
      CASE(float_agrees_with_the_c_library_on_short_decimals), CASE(float_parse_reads_what_prometheus_reads),
      CASE(float_parse_refuses_what_is_left_over_or_too_large))
