/* Syslog; the messages are the examples of RFC 5424, section 6.5, the frames those of RFC 6587. */
#include "decode/syslog.h"
#include "unit/decode/record_lines.h"

static struct lines lines;

static const char *decoded(const char *text)
{
    return lines_decode(&lines, syslog_frames, TABLE_LOGS, str_of(text));
}

TEST(the_examples_of_the_rfc)
{
    EXPECT_STR(decoded("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su "
                       "root' failed for "
                       "lonvick on /dev/pts/8"),
               "log 1065910455003000000 sev=18 \"'su root' failed for lonvick on /dev/pts/8\""
               " attrs{syslog.msgid=\"ID47\",syslog.facility=\"auth\"}"
               " resource{host.name=\"mymachine.example.com\",service.name=\"su\"}\n");
    EXPECT_STR(
        decoded("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the "
                "do-nuts."),
        "log 1061727255000003000 sev=10 \"%% It's time to make the do-nuts.\""
        " attrs{syslog.procid=\"8710\",syslog.facility=\"local4\"}"
        " resource{host.name=\"192.0.2.1\",service.name=\"myproc\"}\n");
    EXPECT_STR(decoded("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
                       "[exampleSDID@32473 iut=\"3\" eventSource=\"App\\\"\\]\\\\x\" eventID=\"1011\"]"
                       "[examplePriority@32473 class=\"high\"]"),
               "log 1065910455003000000 sev=10 \"\" attrs{syslog.msgid=\"ID47\",exampleSDID@32473.iut=\"3\","
               "exampleSDID@32473.eventSource=\"App\"]\\x\",exampleSDID@32473.eventID=\"1011\","
               "examplePriority@32473.class=\"high\",syslog.facility=\"local4\"}"
               " resource{host.name=\"mymachine.example.com\",service.name=\"evntslog\"}\n");
}

/* Times of GNU date, nearest to now, 2023-11-14T22:13:20Z. The forms are what rsyslog's templates
 * TraditionalForwardFormat and ForwardFormat, and logger without a host, write. */
TEST(the_older_form)
{
    EXPECT_STR(decoded("<13>Oct 11 22:14:15 box app[7]: warning: hot\n"),
               "log 1697062455000000000 sev=10 \"warning: hot\""
               " attrs{syslog.procid=\"7\",syslog.facility=\"user\"}"
               " resource{host.name=\"box\",service.name=\"app\"}\n");
    EXPECT_STR(decoded("<34>Nov  1 22:14:15 mymachine su: 'su root' failed\n"),
               "log 1698876855000000000 sev=18 \"'su root' failed\" attrs{syslog.facility=\"auth\"}"
               " resource{host.name=\"mymachine\",service.name=\"su\"}\n");
    EXPECT_STR(decoded("<13>2023-11-14T23:13:19.5+01:00 box app: x\n"),
               "log 1699999999500000000 sev=10 \"x\" attrs{syslog.facility=\"user\"}"
               " resource{host.name=\"box\",service.name=\"app\"}\n");
    EXPECT_STR(
        decoded("<13>Nov 14 22:13:20 cron[12]: no host\n"),
        "log 1700000000000000000 sev=10 \"no host\" attrs{syslog.procid=\"12\",syslog.facility=\"user\"}"
        " resource{service.name=\"cron\"}\n");
    EXPECT_STR(
        decoded("<14>Nov 14 22:13:20 host app[1] no colon\n"),
        "log 1700000000000000000 sev=9 \"no colon\" attrs{syslog.procid=\"1\",syslog.facility=\"user\"}"
        " resource{host.name=\"host\",service.name=\"app\"}\n");
    EXPECT_STR(decoded("<13>Nov 14 22:13:20 nothing but words\n"),
               "log 1700000000000000000 sev=10 \"nothing but words\" attrs{syslog.facility=\"user\"}\n");
}

TEST(a_time_without_a_year_and_a_zone)
{
    /* the next year's is nearer than this one's; a day that only leap years have; a clock east of us */
    EXPECT_STR(decoded("<13>Jan  2 00:00:00 b a: x\n"),
               "log 1700000000000000000 sev=10 \"x\" attrs{syslog.timestamp=\"Jan  2 "
               "00:00:00\",syslog.facility=\"user\"}"
               " resource{host.name=\"b\",service.name=\"a\"}\n");
    EXPECT_STR(decoded("<13>Jun 30 00:00:00 b a: x\n"),
               "log 1688083200000000000 sev=10 \"x\" attrs{syslog.facility=\"user\"}"
               " resource{host.name=\"b\",service.name=\"a\"}\n");
    EXPECT_STR(decoded("<13>Nov 15 00:13:20 b a: x\n"),
               "log 1700000000000000000 sev=10 \"x\" attrs{syslog.timestamp=\"Nov 15 "
               "00:13:20\",syslog.facility=\"user\"}"
               " resource{host.name=\"b\",service.name=\"a\"}\n");
    EXPECT_STR(decoded("<13>Nov 31 00:13:20 b a: x\n"),
               "log 1700000000000000000 sev=10 \"Nov 31 00:13:20 b a: x\" attrs{syslog.facility=\"user\"}\n");
}

TEST(what_does_not_conform_is_kept)
{
    EXPECT_STR(decoded("just ERROR text\n<999>1 x\n\n"),
               "log 1700000000000000000 sev=17 \"just ERROR text\"\nlog 1700000000000000000 \"<999>1 x\"\n");
    EXPECT_STR(decoded("<34>1 2003-10-11T22:14:15.003Z h a - - [broken m"),
               "log 1700000000000000000 sev=18 \"1 2003-10-11T22:14:15.003Z h a - - [broken m\""
               " attrs{syslog.facility=\"auth\"}\n");
}

TEST(frames_counted_and_by_line)
{
    EXPECT_STR(decoded("17 <34>1 - - - - - -16 <34>1 - - - - -\n<34>1 - - - - - - c\n12 monkeys\n"),
               "log 1700000000000000000 sev=18 \"\" attrs{syslog.facility=\"auth\"}\n"
               "log 1700000000000000000 sev=18 \"1 - - - - -\" attrs{syslog.facility=\"auth\"}\n"
               "log 1700000000000000000 sev=18 \"c\" attrs{syslog.facility=\"auth\"}\n"
               "log 1700000000000000000 \"12 monkeys\"\n");
}

TEST(frames_that_are_not_all_there)
{
    struct str m;
    size_t used;
    EXPECT(syslog_frame(STR(""), false, &m, &used) == SYSLOG_MORE);
    EXPECT(syslog_frame(STR("1"), false, &m, &used) == SYSLOG_MORE);
    EXPECT(syslog_frame(STR("10 <34>"), false, &m, &used) == SYSLOG_MORE);
    EXPECT(syslog_frame(STR("<34>1 half"), false, &m, &used) == SYSLOG_MORE);
    EXPECT(syslog_frame(STR("<34>1 half"), true, &m, &used) == SYSLOG_FRAME);
    EXPECT_INT(m.n, 10);
    EXPECT(syslog_frame(STR("4 <3>\nrest"), false, &m, &used) == SYSLOG_FRAME);
    EXPECT(str_is(m, "<3>\n"));
    EXPECT_INT(used, 6);
    EXPECT(syslog_frame(STR("99999999 <34>"), false, &m, &used) == SYSLOG_BROKEN);
}

TESTS(CASE(the_examples_of_the_rfc), CASE(the_older_form), CASE(a_time_without_a_year_and_a_zone),
      CASE(what_does_not_conform_is_kept), CASE(frames_counted_and_by_line),
      CASE(frames_that_are_not_all_there))
