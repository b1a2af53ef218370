/* The small readers beneath the decoders: times, ids, repaired text, levels of lines. */
#include "decode/base64.h"
#include "decode/id_text.h"
#include "decode/level_detect.h"
#include "decode/time_text.h"
#include "decode/utf8.h"
#include "unit/test.h"

static int64_t time_of(const char *text)
{
    int64_t ns = -1;
    return time_from_text(str_of(text), &ns) ? ns : -1;
}

/* Expectations computed with Python's datetime. */
TEST(times_as_text)
{
    EXPECT(time_of("1970-01-01T00:00:00Z") == 0);
    EXPECT(time_of("2024-02-29T23:59:59.123456789Z") == 1709251199123456789);
    EXPECT(time_of("2024-02-29t23:59:59,5+02:00") == 1709243999500000000);
    EXPECT(time_of("2024-02-29 23:59:59-0230") == 1709260199000000000);
    EXPECT(time_of("2100-03-01T00:00:00Z") == 4107542400000000000);
    EXPECT(time_of("2016-12-31T23:59:60Z") == 1483228800000000000);
    EXPECT(time_of("2024-01-01T00:00:00.1234567891Z") == 1704067200123456789);
    EXPECT(time_of("1969-12-31T23:00:00-01:00") == 0);
    static const char *const bad[] = { "",
                                       "yesterday",
                                       "2023-02-29T00:00:00Z",
                                       "2024-13-01T00:00:00Z",
                                       "2024-01-01T24:00:00Z",
                                       "2024-01-01T00:00:00.Z",
                                       "2024-01-01T00:00:00+25:00",
                                       "2024-01-01T00:00:00Zx",
                                       "1969-12-31T23:59:59Z",
                                       "9999-01-01T00:00:00Z",
                                       "2024-01-01" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) EXPECT(time_of(bad[i]) == -1);
}

TEST(times_as_numbers_of_any_unit)
{
    EXPECT(time_of("0") == 0);
    EXPECT(time_of("1714564800") == 1714564800000000000);
    EXPECT(time_of("1714564800.123456789") == 1714564800123456789);
    EXPECT(time_of("1714564800123") == 1714564800123000000);
    EXPECT(time_of("1714564800123456") == 1714564800123456000);
    EXPECT(time_of("1714564800123456789") == 1714564800123456789);
    EXPECT(time_of("1.7145648e9") == 1714564800000000000);
    EXPECT(time_of("-1") == -1);
    EXPECT(time_of("99999999999999999999") == -1);
    EXPECT(time_of("NaN") == -1);
    EXPECT(time_of("18888888888.88") == -1); /* found by the fuzzer: seconds beyond 2262, which overflowed */
    EXPECT(time_of("9223372036.854775807") == INT64_MAX);
    EXPECT(time_of("9223372036.854775808") == -1);
}

static bool id_is(const char *text, size_t n, const char *hex)
{
    uint8_t id[16];
    char got[33];
    if (!id_from_text(str_of(text), n, id)) return false;
    for (size_t i = 0; i < n; i++) snprintf(got + 2 * i, 3, "%02x", id[i]);
    return strcmp(got, hex) == 0;
}

TEST(ids_as_text)
{
    EXPECT(id_is("0AF7651916cd43dd8448eb211c80319c", 16, "0af7651916cd43dd8448eb211c80319c"));
    EXPECT(id_is("0x0af7651916cd43dd8448eb211c80319c", 16, "0af7651916cd43dd8448eb211c80319c"));
    EXPECT(id_is("0af76519-16cd-43dd-8448-eb211c80319c", 16, "0af7651916cd43dd8448eb211c80319c"));
    EXPECT(id_is("8448eb211c80319c", 16, "00000000000000008448eb211c80319c"));
    EXPECT(id_is("CvdlGRbNQ92ESOshHIAxnA==", 16, "0af7651916cd43dd8448eb211c80319c"));
    EXPECT(id_is("CvdlGRbNQ92ESOshHIAxnA", 16, "0af7651916cd43dd8448eb211c80319c"));
    EXPECT(id_is("t61rcWkgMzE=", 8, "b7ad6b7169203331"));
    uint8_t id[16];
    EXPECT(!id_from_text(STR("xyz"), 16, id));
    EXPECT(!id_from_text(STR(""), 8, id));
    EXPECT(!id_from_text(STR("0af7651916cd43dd8448eb211c80319cff"), 16, id));
    EXPECT(!id_from_text(STR("b7ad6b71692033"), 8, id));
    EXPECT(id_from_hex(STR("1"), 8, id) && id[7] == 1 && id[0] == 0);
    EXPECT(!id_from_hex(STR("12345678123456781"), 8, id));
}

TEST(base64_of_both_alphabets)
{
    char out[16];
    size_t n;
    EXPECT(base64_read(STR("-_-_"), out, &n) && n == 3 && memcmp(out, "\xfb\xff\xbf", 3) == 0);
    EXPECT(base64_read(STR("aGk="), out, &n) && n == 2 && memcmp(out, "hi", 2) == 0);
    EXPECT(base64_read(STR(""), out, &n) && n == 0);
    EXPECT(!base64_read(STR("a"), out, &n));
    EXPECT(!base64_read(STR("a b="), out, &n));
}

/* The table of the Unicode standard, chapter 3.9, "U+FFFD Substitution of Maximal Subparts". */
TEST(broken_text_as_unicode_recommends)
{
    struct arena a = ARENA_INIT(1 << 20);
#define R "\xef\xbf\xbd"
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "ok \xc3\xa4", "ok \xc3\xa4" },
        { "\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", R R R R R R R R "A" },
        { "\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", R R R R R R R R "A" },
        { "\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", R R R R R "A" R R "B" },
        { "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", R R R R "A" },
        { "a\xe2\x82", "a" R },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        EXPECT(str_is(utf8_repaired(str_of(cases[i].in), &a), cases[i].out));
    EXPECT_INT(utf8_floor(STR("a\xc3\xa4"), 2), 1);
    EXPECT_INT(utf8_floor(STR("a\xc3\xa4z"), 3), 3);
    EXPECT_INT(utf8_floor(STR("abc"), 9), 3);
    EXPECT_INT(utf8_floor(STR("\x80\x80\x80\x80\x80\x80"), 5), 5);
    arena_release(&a);
}

TEST(levels_of_lines)
{
    static const struct {
        const char *line;
        int level;
    } cases[] = {
        { "{\"a\":{\"level\":\"debug\"},\"level\":\"error\"}", 17 },
        { "{\"level\":50,\"msg\":\"x\"}", 17 },
        { "{\"msg\":\"ERROR\"}", 0 },
        { "ts=1 level=warn msg=\"no error\"", 13 },
        { "lvl=\"info\" x", 9 },
        { "2024-01-01 12:00:00,1 INFO main: error count 0", 9 },
        { "[error] 7#7: *1 connect() failed", 17 },
        { "error: no such file", 17 },
        { "Traceback: an error occurred", 17 },
        { "panic: runtime error", 21 },
        { "all is well, more information below", 0 },
        { "terror in the night", 0 },
        { "", 0 },
    };
    struct arena a = ARENA_INIT(1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        EXPECT_INT(level_detect(str_of(cases[i].line), &a), cases[i].level);
    arena_release(&a);
}

TESTS(CASE(times_as_text), CASE(times_as_numbers_of_any_unit), CASE(ids_as_text),
      CASE(base64_of_both_alphabets), CASE(broken_text_as_unicode_recommends), CASE(levels_of_lines))
