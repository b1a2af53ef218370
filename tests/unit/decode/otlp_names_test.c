/* The expectations are worked out by hand from OpenTelemetry's Prometheus compatibility document and from the
 * behaviour that Prometheus documents for its translation strategies. */
#include "decode/otlp_names.h"

#include "unit/test.h"

static struct arena arena = ARENA_INIT(1 << 20);

static const char *metric(enum otlp_strategy strategy, const char *name, const char *unit,
                          enum otlp_name_kind kind)
{
    static char text[512];
    struct str out;
    if (otlp_metric_name(strategy, str_of(name), str_of(unit), kind, &arena, &out, NULL) < 0)
        return "(refused)";
    snprintf(text, sizeof text, "%.*s", STR_ARG(out));
    return text;
}

static const char *label(enum otlp_strategy strategy, const char *key)
{
    static char text[512];
    struct str out;
    if (otlp_label_name(strategy, str_of(key), &arena, &out, NULL) < 0) return "(refused)";
    snprintf(text, sizeof text, "%.*s", STR_ARG(out));
    return text;
}

static const char *plain(const char *name, const char *unit)
{
    return metric(OTLP_UNDERSCORE_WITH_SUFFIXES, name, unit, OTLP_NAME_PLAIN);
}
static const char *counter(const char *name, const char *unit)
{
    return metric(OTLP_UNDERSCORE_WITH_SUFFIXES, name, unit, OTLP_NAME_COUNTER);
}
static const char *gauge(const char *name, const char *unit)
{
    return metric(OTLP_UNDERSCORE_WITH_SUFFIXES, name, unit, OTLP_NAME_GAUGE);
}

TEST(names_lose_odd_characters_and_gain_their_unit)
{
    EXPECT_STR(plain("http.server.request.duration", "s"), "http_server_request_duration_seconds");
    EXPECT_STR(plain("process.memory", "By"), "process_memory_bytes");
    EXPECT_STR(plain("a..b--c", ""), "a_b_c");
    EXPECT_STR(plain("_lead.trail_", ""), "lead_trail");
    EXPECT_STR(plain("keeps:colons", ""), "keeps:colons");
    EXPECT_STR(plain("gr\xc3\xb6\xc3\x9f"
                     "e",
                     ""),
               "gr_e");
    EXPECT_STR(plain("3d.prints", ""), "_3d_prints");
}

TEST(a_unit_already_in_the_name_is_not_repeated)
{
    EXPECT_STR(plain("uptime.seconds", "s"), "uptime_seconds");
    EXPECT_STR(plain("seconds.up", "s"), "seconds_up");
    EXPECT_STR(plain("nanoseconds_x", "s"), "nanoseconds_x_seconds"); /* a token, not a part of one */
}

TEST(counters_end_in_total)
{
    EXPECT_STR(counter("requests", ""), "requests_total");
    EXPECT_STR(counter("total.requests", "{request}"), "requests_total");
    EXPECT_STR(counter("requests_total", ""), "requests_total");
    EXPECT_STR(counter("io", "By"), "io_bytes_total");
    EXPECT_STR(counter("work", "1"), "work_total");
}

TEST(gauges_of_unit_one_are_ratios)
{
    EXPECT_STR(gauge("utilization", "1"), "utilization_ratio");
    EXPECT_STR(gauge("ratio.of.hits", "1"), "of_hits_ratio");
    EXPECT_STR(plain("utilization", "1"), "utilization");
    EXPECT_STR(gauge("fill", "%"), "fill_percent");
}

TEST(units_over_units)
{
    EXPECT_STR(plain("speed", "m/s"), "speed_meters_per_second");
    EXPECT_STR(counter("net", "By/s"), "net_bytes_per_second_total");
    EXPECT_STR(plain("rate", "{request}/s"), "rate_per_second");
    EXPECT_STR(plain("rate", "1/min"), "rate_per_min"); /* only m is a minute below the line */
    EXPECT_STR(plain("rate", "1/m"), "rate_per_minute");
    EXPECT_STR(plain("x", "s/{thing}"), "x_seconds");
    EXPECT_STR(plain("x", "foo/bar"), "x_foo_per_bar");
    EXPECT_STR(plain("x", " ms "), "x_milliseconds");
    EXPECT_STR(plain("x", "a-b"), "x_a_b");
}

TEST(all_units_of_the_table)
{
    static const char *const pairs[][2] = {
        { "d", "days" },          { "h", "hours" },        { "min", "minutes" },    { "ms", "milliseconds" },
        { "us", "microseconds" }, { "ns", "nanoseconds" }, { "KiBy", "kibibytes" }, { "MiBy", "mebibytes" },
        { "GiBy", "gibibytes" },  { "TiBy", "tibibytes" }, { "KBy", "kilobytes" },  { "MBy", "megabytes" },
        { "GBy", "gigabytes" },   { "TBy", "terabytes" },  { "m", "meters" },       { "V", "volts" },
        { "A", "amperes" },       { "J", "joules" },       { "W", "watts" },        { "g", "grams" },
        { "Cel", "celsius" },     { "Hz", "hertz" },
    };
    char want[64];
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        snprintf(want, sizeof want, "x_%s", pairs[i][1]);
        EXPECT_STR(plain("x", pairs[i][0]), want);
    }
}

TEST(names_of_nothing_are_refused)
{
    EXPECT_STR(plain("", "s"), "(refused)");
    EXPECT_STR(plain("...", ""), "(refused)");
    EXPECT_STR(metric(OTLP_UNDERSCORE_ONLY, "-- --", "", OTLP_NAME_PLAIN), "(refused)");
    EXPECT_STR(metric(OTLP_NO_TRANSLATION, "", "", OTLP_NAME_PLAIN), "(refused)");
    EXPECT_STR(label(OTLP_UNDERSCORE_WITH_SUFFIXES, ""), "(refused)");
    EXPECT_STR(label(OTLP_UNDERSCORE_WITH_SUFFIXES, ".."), "(refused)");
    EXPECT_STR(label(OTLP_NO_TRANSLATION, "__"), "(refused)");
}

TEST(escaping_without_suffixes_keeps_underscores)
{
    EXPECT_STR(metric(OTLP_UNDERSCORE_ONLY, "http.server__duration", "s", OTLP_NAME_COUNTER),
               "http_server__duration");
    EXPECT_STR(metric(OTLP_UNDERSCORE_ONLY, "a . b", "", OTLP_NAME_PLAIN), "a_b");
    EXPECT_STR(metric(OTLP_UNDERSCORE_ONLY, "1up", "", OTLP_NAME_PLAIN), "_1up");
}

TEST(utf8_with_suffixes_leaves_the_name_and_adds)
{
    EXPECT_STR(metric(OTLP_UTF8_WITH_SUFFIXES, "http.duration", "s", OTLP_NAME_PLAIN),
               "http.duration_seconds");
    EXPECT_STR(metric(OTLP_UTF8_WITH_SUFFIXES, "http.seconds", "s", OTLP_NAME_PLAIN), "http.seconds");
    EXPECT_STR(metric(OTLP_UTF8_WITH_SUFFIXES, "jobs.total", "", OTLP_NAME_COUNTER), "jobs_total");
    EXPECT_STR(metric(OTLP_UTF8_WITH_SUFFIXES, "net.io", "By/s", OTLP_NAME_COUNTER),
               "net.io_bytes_per_second_total");
    EXPECT_STR(metric(OTLP_UTF8_WITH_SUFFIXES, "hit.rate", "1", OTLP_NAME_GAUGE), "hit.rate_ratio");
}

TEST(no_translation_is_none)
{
    EXPECT_STR(metric(OTLP_NO_TRANSLATION, "http.duration", "s", OTLP_NAME_COUNTER), "http.duration");
    EXPECT_STR(label(OTLP_NO_TRANSLATION, "http.route"), "http.route");
}

TEST(labels)
{
    EXPECT_STR(label(OTLP_UNDERSCORE_WITH_SUFFIXES, "http.route"), "http_route");
    EXPECT_STR(label(OTLP_UNDERSCORE_WITH_SUFFIXES, "a..b"), "a__b");
    EXPECT_STR(label(OTLP_UNDERSCORE_WITH_SUFFIXES, "0day"), "key_0day");
    EXPECT_STR(label(OTLP_UNDERSCORE_WITH_SUFFIXES, "_own"), "key_own");
    EXPECT_STR(label(OTLP_UNDERSCORE_WITH_SUFFIXES, "__reserved"), "__reserved");
    EXPECT_STR(label(OTLP_UNDERSCORE_WITH_SUFFIXES, "colon:ed"), "colon_ed");
    EXPECT_STR(label(OTLP_UNDERSCORE_ONLY, "\xc3\xbc"
                                           "ber"),
               "key_ber");
    EXPECT_STR(label(OTLP_UTF8_WITH_SUFFIXES, "\xc3\xbc"
                                              "ber"),
               "\xc3\xbc"
               "ber");
}

TEST(strategies_have_the_names_prometheus_gives_them)
{
    enum otlp_strategy s = OTLP_NO_TRANSLATION;
    EXPECT(otlp_strategy_by_name(STR("UnderscoreEscapingWithSuffixes"), &s) &&
           s == OTLP_UNDERSCORE_WITH_SUFFIXES);
    EXPECT(otlp_strategy_by_name(STR("UnderscoreEscapingWithoutSuffixes"), &s) && s == OTLP_UNDERSCORE_ONLY);
    EXPECT(otlp_strategy_by_name(STR("NoUTF8EscapingWithSuffixes"), &s) && s == OTLP_UTF8_WITH_SUFFIXES);
    EXPECT(otlp_strategy_by_name(STR("NoTranslation"), &s) && s == OTLP_NO_TRANSLATION);
    EXPECT(!otlp_strategy_by_name(STR("notranslation"), &s));
}

TESTS(CASE(names_lose_odd_characters_and_gain_their_unit), CASE(a_unit_already_in_the_name_is_not_repeated),
      CASE(counters_end_in_total), CASE(gauges_of_unit_one_are_ratios), CASE(units_over_units),
      CASE(all_units_of_the_table), CASE(names_of_nothing_are_refused),
      CASE(escaping_without_suffixes_keeps_underscores), CASE(utf8_with_suffixes_leaves_the_name_and_adds),
      CASE(no_translation_is_none), CASE(labels), CASE(strategies_have_the_names_prometheus_gives_them))
