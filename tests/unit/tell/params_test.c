#include "tell/params.h"

#include "base/check.h"
#include "unit/test.h"

TEST(times_are_seconds_or_rfc3339)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        { "0", 0 },
        { "4", 4000 },
        { "1435781451.781", 1435781451781 },
        { "-1.5", -1500 },
        { "1e3", 1000000 },
        { "1970-01-01T00:00:00Z", 0 },
        { "2015-07-01T20:10:51.781Z", 1435781451781 },
        { "2015-07-01T22:10:51.781+02:00", 1435781451781 },
        { "2015-07-01T15:10:51.781000000-05:00", 1435781451781 },
        { "2000-02-29T00:00:00Z", 951782400000 },
        { "1969-12-31T23:59:59.5Z", -500 },
        { "0001-01-01T00:00:00Z", -62135596800000 },
        { "1e300", API_TIME_MAX },
        { "-Inf", API_TIME_MIN },
        { "-292273086-05-16T16:47:06Z", API_TIME_MIN },
        { "292277025-08-18T07:12:54.999999999Z", API_TIME_MAX },
        { "1700000000000", 1700000000000000 },
    };
    static const char *const bad[] = { "",
                                       "x",
                                       "NaN",
                                       "2015-07-01",
                                       "2015-07-01T20:10:51",
                                       "2015-13-01T00:00:00Z",
                                       "2015-02-29T00:00:00Z",
                                       "2015-07-01T24:00:00Z",
                                       "2015-07-01T20:10:51.Z",
                                       "2015-07-01T20:10:51Z ",
                                       "15-07-01T20:10:51Z",
                                       "5m" };
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t ms = 1;
        if (!param_time(str_of(good[i].text), &ms)) fail_msg("%s", good[i].text);
        EXPECT(ms == good[i].ms);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms;
        if (param_time(str_of(bad[i]), &ms)) fail_msg("%s", bad[i]);
    }
}

TEST(durations_are_seconds_or_units)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        { "15", 15000 }, { "0.5", 500 }, { "5m", 300000 }, { "1h30m", 5400000 },
        { "-1", -1000 }, { "0", 0 },     { "250ms", 250 },
    };
    static const char *const bad[] = { "", "x", "5 m", "1e30", "NaN", "m5" };
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t ms = 1;
        if (!param_duration(str_of(good[i].text), &ms)) fail_msg("%s", good[i].text);
        EXPECT(ms == good[i].ms);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms;
        if (param_duration(str_of(bad[i]), &ms)) fail_msg("%s", bad[i]);
    }
}

static void expect_name(const char *escaped, const char *want)
{
    struct arena a = ARENA_INIT(1 << 16);
    struct str name = param_label_name(str_of(escaped), &a);
    if (!str_is(name, want)) fail_msg("%s: %.*s", escaped, STR_ARG(name));
    arena_release(&a);
}

/* U__ marks an escaped name: __ is an underscore, _hex_ a character. */
TEST(escaped_label_names_are_decoded)
{
    expect_name("job", "job");
    expect_name("U__my_2e_label", "my.label");
    expect_name("U__a__b", "a_b");
    expect_name("U__http_2e_status_3a_code", "http.status:code");
    expect_name("U___e9_t_e9_", "\xc3\xa9t\xc3\xa9");
    expect_name("U___1f600_", "\xf0\x9f\x98\x80");
    expect_name("U__bad_zz_", "U__bad_zz_"); /* no escape: the name as it is */
    expect_name("U__open_2e", "U__open_2e");
    expect_name("U___d800_", "U___d800_");
}

TESTS(CASE(times_are_seconds_or_rfc3339), CASE(durations_are_seconds_or_units),
      CASE(escaped_label_names_are_decoded))
