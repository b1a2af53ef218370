#include "base/err.h"

#include <errno.h>

#include "unit/test.h"

TEST(err_set_fills_and_returns_the_code)
{
    struct err e = ERR_INIT;
    EXPECT(err_set(&e, ERR_PARSE, "line %d", 7) == ERR_PARSE);
    EXPECT(e.code == ERR_PARSE);
    EXPECT_STR(e.text, "line 7");
    EXPECT(err_set(NULL, ERR_IO, "nobody listens") == ERR_IO);
}

TEST(err_where_puts_places_before_the_text)
{
    struct err e = ERR_INIT;
    err_set(&e, ERR_PARSE, "no such unit");
    err_where(&e, "rule %d", 3);
    err_where(&e, "file %s", "a.yml");
    EXPECT_STR(e.text, "file a.yml: rule 3: no such unit");
    EXPECT(e.code == ERR_PARSE);
    err_where(NULL, "nothing");
}

TEST(err_texts_are_cut_and_stay_terminated)
{
    struct err e = ERR_INIT;
    err_set(&e, ERR_IO, "%01000d", 0);
    EXPECT(strlen(e.text) == sizeof e.text - 1);
    err_where(&e, "%0900d", 1);
    EXPECT(strlen(e.text) == sizeof e.text - 1);
    err_set(&e, ERR_IO, "%0767d", 0);
    err_where(&e, "x");
    EXPECT(memcmp(e.text, "x: 000", 6) == 0 && strlen(e.text) == sizeof e.text - 1);
}

TEST(err_errno_adds_the_reason_and_keeps_errno)
{
    struct err e = ERR_INIT;
    errno = EACCES;
    EXPECT(err_errno(&e, ERR_IO, "cannot open %s", "x") == ERR_IO);
    EXPECT(errno == EACCES);
    EXPECT_STR(e.text, "cannot open x: Permission denied");
}

TEST(err_names_every_code)
{
    EXPECT_STR(err_name(OK), "ok");
    EXPECT_STR(err_name(ERR_LIMIT), "limit");
    EXPECT_STR(err_name(ERR_FULL), "full");
    EXPECT_STR(err_name(-99), "unknown");
    EXPECT_STR(err_name(5), "unknown");
}

TESTS(CASE(err_set_fills_and_returns_the_code), CASE(err_where_puts_places_before_the_text),
      CASE(err_texts_are_cut_and_stay_terminated), CASE(err_errno_adds_the_reason_and_keeps_errno),
      CASE(err_names_every_code))
