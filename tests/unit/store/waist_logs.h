/* waist_logs.h - what every store promises about logs only: equal ones all stay, severities, bodies. */
#pragma once
#include "unit/store/waist_conditions.h"
#include "unit/store/waist_records.h"

static void equal_logs_all_stay(struct waist *w)
{
    RECORDS(w, { .label = "a", .trace = 1, .id = 1 }, { .label = "a", .trace = 1, .id = 1 });
    RECORDS(w, { .label = "a", .trace = 1, .id = 1 });
    EXPECT_STR(matching(w, NULL), "a a a");
}

static void severities_are_asked(struct waist *w)
{
    RECORDS(w, { .label = "none" }, { .label = "info", .severity = 9 });
    RECORDS(w, { .label = "error", .severity = 17 }, { .label = "fatal", .severity = 21 });
    EXPECT_STR(matching(w, ge(w, "severity", "17")), "error fatal");
    EXPECT_STR(matching(w, eq(w, "severity", "9")), "info");
    EXPECT_STR(matching(w, not_(w, exists(w, "severity"))), "none");
    EXPECT_STR(matching(w, lt(w, "severity", "17")), "info");
}

static void bodies_of_every_type_come_back(struct waist *w)
{
    static const char *const bodies[] = { "text", "5", "2.5", "true", "{\"k\":1}" };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct record r = { .time_ns = T0_NS + (int64_t)i };
        r.log.body = value_of(str_of(bodies[i]));
        put_record(w, &r);
    }
    EXPECT_STR(columns(w, "body", NULL), "0: stext\n1: i5\n2: d2.5\n3: btrue\n4: j{\"k\":1}\n");
}

static void a_line_of_two_megabytes(struct waist *w)
{
    size_t n = 2u << 20;
    struct record r = { .time_ns = T0_NS };
    r.log.body = value_str(str_make(long_text(w, n, " needle."), n));
    put_record(w, &r);
    RECORDS(w, { .label = "a needle too" }, { .label = "none" });
    struct record_scan scan = scan_of(w, contains(w, "body", "needle", false));
    EXPECT(find(w, &scan).n == 2);
    struct record_scan all = scan_of(w, contains(w, "body", "an agent", false));
    struct found f = find(w, &all);
    EXPECT(f.n == 1 && same_record(&f.at[0], &r, TABLE_LOGS));
}

static const struct waist_case log_cases[] = {
    { WAIST(equal_logs_all_stay) },
    { WAIST(severities_are_asked) },
    { WAIST(bodies_of_every_type_come_back) },
    { WAIST(a_line_of_two_megabytes) },
};
