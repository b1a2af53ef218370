#include "server/cli.h"

#include "unit/test.h"

/* argv as main gets it: the strings may be anything, the array is changed. */
#define ARGS(...)                                                                                            \
    char **argv = (char **)(const char *[]){ __VA_ARGS__ };                                                  \
    int argc = (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *))

TEST(a_flag_is_taken_out_with_its_value)
{
    ARGS("a", "--server", "http://x", "b");
    EXPECT_STR(cli_flag(&argc, argv, "--server"), "http://x");
    EXPECT_INT(argc, 2);
    EXPECT_STR(argv[0], "a");
    EXPECT_STR(argv[1], "b");
}

TEST(a_joined_value_may_be_empty_and_may_hold_equal_signs)
{
    ARGS("--server=http://x/?a=b", "--time=", "up");
    EXPECT_STR(cli_flag(&argc, argv, "--server"), "http://x/?a=b");
    EXPECT_STR(cli_flag(&argc, argv, "--time"), "");
    EXPECT_INT(argc, 1);
    EXPECT_STR(argv[0], "up");
}

TEST(a_flag_that_only_begins_alike_is_left_alone)
{
    ARGS("--server-name", "x");
    EXPECT(cli_flag(&argc, argv, "--server") == NULL);
    EXPECT_INT(argc, 2);
}

TEST(a_flag_without_its_value_stays_and_is_complained_about)
{
    ARGS("up", "--time");
    EXPECT(cli_flag(&argc, argv, "--time") == NULL);
    EXPECT_INT(argc, 2);
    EXPECT_INT(cli_no_more_flags(argc, argv, "test"), 2);
}

TEST(switches_are_there_or_not)
{
    ARGS("--json", "up");
    EXPECT_INT(cli_switch(&argc, argv, "--help"), 0);
    EXPECT_INT(cli_switch(&argc, argv, "--json"), 1);
    EXPECT_INT(cli_switch(&argc, argv, "--json"), 0);
    EXPECT_INT(argc, 1);
    EXPECT_INT(cli_no_more_flags(argc, argv, "test"), 0);
}

TEST(a_single_dash_is_a_file_and_a_minus_is_an_expression)
{
    ARGS("-", "-up");
    EXPECT_INT(cli_no_more_flags(argc, argv, "test"), 0);
}

TESTS(CASE(a_flag_is_taken_out_with_its_value), CASE(a_joined_value_may_be_empty_and_may_hold_equal_signs),
      CASE(a_flag_that_only_begins_alike_is_left_alone),
      CASE(a_flag_without_its_value_stays_and_is_complained_about), CASE(switches_are_there_or_not),
      CASE(a_single_dash_is_a_file_and_a_minus_is_an_expression))
