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

TEST(what_does_not_conform_is_kept)
{
    EXPECT_STR(decoded("<13>Oct 11 22:14:15 box app[7]: warning: hot\n"),
               "log 1700000000000000000 sev=10 \"Oct 11 22:14:15 box app[7]: warning: hot\""
               " attrs{syslog.facility=\"user\"}\n");
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

TESTS(CASE(the_examples_of_the_rfc), CASE(what_does_not_conform_is_kept), CASE(frames_counted_and_by_line),
      CASE(frames_that_are_not_all_there))
