/* time_interval_test.c - stretches of time; the moments were worked out with date(1). */
#include "unit/test.h"

#include "tell/notify/time_interval.h"

static struct arena arena;

/* 1 or 0: does it hold? -1: refused. */
static int holds(const char *spans, int64_t unix_s)
{
    struct yaml *root;
    struct time_interval t;
    struct err e = ERR_INIT;
    char text[1000];
    arena = (struct arena)ARENA_INIT(1u << 20);
    snprintf(text, sizeof text, "name: x\ntime_intervals: %s\n", spans);
    EXPECT(yaml_parse(str_of(text), "t", &arena, &root, &e) == OK);
    int rc = time_interval_read(root, &arena, &t, &e);
    int is = rc < 0 ? -1 : time_interval_holds(&t, unix_s * 1000);
    EXPECT(rc == OK || strstr(e.text, "line 2") != NULL);
    time_interval_release(&t);
    arena_release(&arena);
    return is;
}

#define WED_NOON 1705492800ll /* 2024-01-17 12:00 UTC, a Wednesday */
#define LEAP_DAY 1709208000ll /* 2024-02-29 12:00 UTC */
#define SUMMER   1721212200ll /* 2024-07-17 10:30 UTC: 12:30 in Berlin, 06:30 in New York */

TEST(each_kind_of_range)
{
    EXPECT_INT(holds("[{weekdays: ['monday:friday']}]", WED_NOON), 1);
    EXPECT_INT(holds("[{weekdays: [saturday, Sunday]}]", WED_NOON), 0);
    EXPECT_INT(holds("[{times: [{start_time: '12:00', end_time: '12:01'}]}]", WED_NOON), 1);
    EXPECT_INT(holds("[{times: [{start_time: '09:00', end_time: '12:00'}]}]", WED_NOON),
               0); /* the end is not in it */
    EXPECT_INT(holds("[{times: [{start_time: '09:00', end_time: '24:00'}]}]", WED_NOON), 1);
    EXPECT_INT(holds("[{months: ['january:march']}]", WED_NOON), 1);
    EXPECT_INT(holds("[{months: ['2:12']}]", WED_NOON), 0);
    EXPECT_INT(holds("[{years: ['2023:2024']}]", WED_NOON), 1);
    EXPECT_INT(holds("[{years: [2025]}]", WED_NOON), 0);
    EXPECT_INT(holds("[{days_of_month: ['17']}]", WED_NOON), 1);
}

TEST(days_from_the_end_of_the_month)
{
    EXPECT_INT(holds("[{days_of_month: ['-1']}]", LEAP_DAY), 1);
    EXPECT_INT(holds("[{days_of_month: ['-2']}]", LEAP_DAY), 0);
    EXPECT_INT(holds("[{days_of_month: ['28:-1']}]", LEAP_DAY),
               -1); /* in the shortest month it ends before it begins */
    EXPECT_INT(holds("[{days_of_month: ['20:31']}]", LEAP_DAY), 1);
    EXPECT_INT(holds("[{days_of_month: ['31']}]", LEAP_DAY), 0);
}

TEST(all_kinds_of_one_entry_must_hold_and_any_entry_is_enough)
{
    EXPECT_INT(holds("[{weekdays: [wednesday], months: [july]}]", WED_NOON), 0);
    EXPECT_INT(holds("[{weekdays: [wednesday], months: [july]}, {years: [2024]}]", WED_NOON), 1);
    EXPECT_INT(holds("[]", WED_NOON), 0);
    EXPECT_INT(holds("[{}]", WED_NOON), 1);
}

TEST(a_place_has_its_own_clock)
{
    EXPECT_INT(
        holds("[{times: [{start_time: '12:30', end_time: '12:31'}], location: Europe/Berlin}]", SUMMER), 1);
    EXPECT_INT(
        holds("[{times: [{start_time: '06:30', end_time: '06:31'}], location: America/New_York}]", SUMMER),
        1);
    EXPECT_INT(
        holds("[{times: [{start_time: '13:00', end_time: '13:01'}], location: Europe/Berlin}]", WED_NOON), 1);
    EXPECT_INT(holds("[{times: [{start_time: '16:00', end_time: '16:01'}], location: Asia/Kolkata}]", SUMMER),
               1);
    EXPECT_INT(holds("[{location: Mars/Olympus}]", SUMMER), -1);
    EXPECT_INT(holds("[{location: ../../etc/passwd}]", SUMMER), -1);
}

TEST(a_zone_knows_years_beyond_its_table)
{
    struct zone *z;
    EXPECT(zone_load(STR("Europe/Berlin"), &z, NULL) == OK);
    EXPECT_INT(zone_offset_s(z, 2540808000ll), 7200); /* 2050-07-07 12:00 UTC */
    EXPECT_INT(zone_offset_s(z, 2556532800ll), 3600); /* 2051-01-05 12:00 UTC */
    EXPECT_INT(zone_offset_s(z, 2531955599ll), 3600); /* 2050-03-27 00:59:59 UTC, the last second of winter */
    EXPECT_INT(zone_offset_s(z, 2531955600ll), 7200);
    zone_free(z);
    EXPECT(zone_load(STR("Australia/Sydney"), &z, NULL) == OK);
    EXPECT_INT(zone_offset_s(z, 2556532800ll), 39600); /* summer in January */
    EXPECT_INT(zone_offset_s(z, 2540808000ll), 36000);
    zone_free(z);
}

TEST(what_is_no_range)
{
    EXPECT_INT(holds("[{weekdays: [someday]}]", WED_NOON), -1);
    EXPECT_INT(holds("[{weekdays: ['friday:monday']}]", WED_NOON), -1);
    EXPECT_INT(holds("[{days_of_month: ['0']}]", WED_NOON), -1);
    EXPECT_INT(holds("[{days_of_month: ['-1:3']}]", WED_NOON), -1);
    EXPECT_INT(holds("[{months: ['13']}]", WED_NOON), -1);
    EXPECT_INT(holds("[{times: [{start_time: '25:00', end_time: '26:00'}]}]", WED_NOON), -1);
    EXPECT_INT(holds("[{times: [{start_time: '12:00', end_time: '12:00'}]}]", WED_NOON), -1);
    EXPECT_INT(holds("[{times: [{start_time: '9:00', end_time: '12:00'}]}]", WED_NOON), -1);
}

TESTS(CASE(each_kind_of_range), CASE(days_from_the_end_of_the_month),
      CASE(all_kinds_of_one_entry_must_hold_and_any_entry_is_enough), CASE(a_place_has_its_own_clock),
      CASE(a_zone_knows_years_beyond_its_table), CASE(what_is_no_range))
