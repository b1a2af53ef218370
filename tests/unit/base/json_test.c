#include "base/json.h"

#include <math.h>

#include "unit/test.h"

static struct arena arena = ARENA_INIT(16 << 20);

/* What json_close says of text read as one value; "" when it is right. */
static const char *verdict(struct str text)
{
    static struct err e;
    struct json_reader r;
    e = (struct err)ERR_INIT;
    arena_reset(&arena);
    json_open(&r, text, &arena);
    bool skipped = json_skip(&r);
    int rc = json_close(&r, &e);
    EXPECT(rc == OK || rc == ERR_PARSE);
    EXPECT(skipped || rc < 0);
    return rc == OK ? "" : e.text;
}

TEST(json_takes_every_kind_of_value)
{
    /* clang-format off */
    static const char *const good[] = {
        "null", " true ", "false\n", "0", "-0", "12", "-1.5e+10", "1E5", "0.0", "\"\"",
        "\"a\\n\\u00e9\"", "[]", "[ ]", "{}", "{ }", "[1,2]", "{\"a\":{\"b\":[null]}}",
        "\"\xc3\xa9\"", "\"\x7f\"", "\t\r\n 1", "{\"\":1,\"\":2}", "\"\\ud83d\\ude00\"",
        "\"\\u0000\"",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) EXPECT_STR(verdict(str_of(good[i])), "");
}

TEST(json_refuses_what_rfc_8259_does_not_know)
{
    /* clang-format off */
    static const char *const bad[] = {
        "", " ", "nul", "nullx", "True", "01", "-", "-a", "+1", ".5", "1.", "1.e5", "1e", "1e+",
        "0x10", "NaN", "Inf", "'a'", "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"",
        "\"\n\"", "\"\t\"", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "{", "{\"a\"",
        "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{1:1}",
        "{\"a\":1]", "{,}", "1 2", "[] []", "// x\n1", "\"\\ud800\"", "\"\\udc00\"",
        "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc3\"",
        "\xef\xbb\xbf[]", "]", "}", ",", ":",
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (*verdict(str_of(bad[i])) == 0) printf("taken: %s\n", bad[i]);
        EXPECT(*verdict(str_of(bad[i])) != 0);
    }
    EXPECT(*verdict(STR("\"\0\"")) != 0);
    EXPECT(*verdict(STR("1\0")) != 0);
    EXPECT(*verdict(STR("\"\\\0\"")) != 0);
}

TEST(json_survives_every_cut_of_a_good_text)
{
    const char *text =
        "{\"a\":[1.5e3,-2,\"x\\u00e9\\ud83d\\ude00\\n\",true,false,null,{}],\"b\":{\"c\":\"\xc3\xa9\"}}";
    for (size_t n = 0; n < strlen(text); n++) EXPECT(*verdict(str_make(text, n)) != 0);
    EXPECT_STR(verdict(str_of(text)), "");
}

/* `levels` arrays around a text. */
static const char *wrapped(size_t levels, const char *inner, char *to)
{
    size_t n = strlen(inner);
    memset(to, '[', levels);
    memcpy(to + levels, inner, n);
    memset(to + levels + n, ']', levels);
    to[2 * levels + n] = 0;
    return to;
}

TEST(json_readers_enter_so_deep_and_skip_what_is_deeper)
{
    static char text[4 * JSON_SKIP_DEPTH_MAX];
    struct arena a = ARENA_INIT(1 << 20);
    struct json_reader r;
    json_open(&r, str_of(wrapped(JSON_DEPTH_MAX + 1, "", text)), &a);
    for (int i = 0; i < JSON_DEPTH_MAX; i++) EXPECT(json_array(&r) && json_next(&r));
    EXPECT(!json_array(&r));
    EXPECT(strstr(r.why, "nested too deeply") != NULL);

    EXPECT_STR(verdict(str_of(wrapped(JSON_DEPTH_MAX + 1, "", text))), "");
    EXPECT_STR(verdict(str_of(wrapped(JSON_SKIP_DEPTH_MAX, "{}", text))), "");
    EXPECT(strstr(verdict(str_of(wrapped(JSON_SKIP_DEPTH_MAX + JSON_DEPTH_MAX + 1, "", text))),
                  "nested too deeply") != NULL);
    arena_release(&a);
}

TEST(json_skips_deep_values_by_the_same_grammar)
{
    /* clang-format off */
    static const char *const good[] = {
        "", "null", "-1.5e+10", "\"a\\n\"", "[]", "[ ]", "{}", "{ }", "[1,2]", "1,2",
        "{\"a\":{\"b\":[null]}, \"c\" : [ {} , [] ] }", "[[],{}],{\"\":[{\"\":1}]}",
    };
    static const char *const bad[] = {
        "nul", "01", ",", "1,", ",1", "1 2", "[", "[1", "[1,]", "[1}", "{", "{\"a\"", "{\"a\":", "{\"a\":1",
        "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{1:1}", "{\"a\":1]", "{,}", "]", "}", ":", "[]{}", "{\"a\":1 \"b\":2}",
    };
    /* clang-format on */
    char text[1024];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        EXPECT_STR(verdict(str_of(wrapped(JSON_DEPTH_MAX + 9, good[i], text))), "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT(*verdict(str_of(wrapped(JSON_DEPTH_MAX + 9, bad[i], text))) != 0);
}

TEST(json_errors_name_line_and_column)
{
    EXPECT(strncmp(verdict(STR("{\n  \"a\": 1,\n  \"b\": x\n}")), "line 3, column 8: ", 18) == 0);
    EXPECT(strncmp(verdict(STR("[1,]")), "line 1, column 4: ", 18) == 0);
}

TEST(json_strings_without_escapes_are_not_copied)
{
    struct str text = STR("[\"plain\", \"esc\\taped \\u00e9 \\ud83d\\ude00 \\/\\\\\\\"\\b\\f\"]"), s;
    struct json_reader r;
    arena_reset(&arena);
    json_open(&r, text, &arena);
    EXPECT(json_array(&r) && json_next(&r) && json_string(&r, &s));
    EXPECT(s.p == text.p + 2 && str_is(s, "plain"));
    EXPECT(json_next(&r) && json_string(&r, &s));
    EXPECT(str_is(s, "esc\taped \xc3\xa9 \xf0\x9f\x98\x80 /\\\"\b\f"));
    EXPECT(!json_next(&r) && json_close(&r, NULL) == OK);
}

TEST(json_reads_straight_down)
{
    struct json_reader r;
    struct str key, name = STR(""), raw = STR("");
    int64_t count = 0;
    double share = 0;
    bool on = false;
    arena_reset(&arena);
    json_open(&r,
              STR("{\"name\":\"x\",\"odd\":[{\"a\":1},2],\"count\":-42,\"share\":0.25,\"on\":true,\"raw\": "
                  "{\"k\": [1, 2]} ,\"no\":null}"),
              &arena);
    EXPECT(json_peek(&r) == JSON_OBJECT && json_object(&r));
    while (json_key(&r, &key)) {
        if (str_is(key, "name"))
            json_string(&r, &name);
        else if (str_is(key, "count"))
            json_i64(&r, &count);
        else if (str_is(key, "share"))
            json_double(&r, &share);
        else if (str_is(key, "on"))
            json_bool(&r, &on);
        else if (str_is(key, "raw"))
            json_raw(&r, &raw);
        else
            json_skip(&r);
    }
    EXPECT(json_close(&r, NULL) == OK);
    EXPECT(str_is(name, "x") && count == -42 && share == 0.25 && on);
    EXPECT(str_is(raw, "{\"k\": [1, 2]}"));
}

TEST(json_errors_are_sticky)
{
    struct json_reader r;
    struct err e = ERR_INIT;
    struct str s = STR("before");
    int64_t v = 7;
    json_open(&r, STR("[1, \"a\", {\"k\":2}]"), &arena);
    EXPECT(json_array(&r) && json_next(&r));
    EXPECT(!json_string(&r, &s)); /* a number stands there */
    EXPECT(!json_i64(&r, &v) && !json_next(&r) && !json_skip(&r) && !json_object(&r) && !json_key(&r, &s) &&
           !json_null(&r));
    EXPECT(json_peek(&r) == JSON_NOTHING && v == 7 && str_is(s, "before"));
    EXPECT(json_close(&r, &e) == ERR_PARSE);
    EXPECT_STR(e.text, "line 1, column 2: expected a string");

    json_open(&r, STR("[1]"), &arena);
    json_array(&r);
    json_fail(&r, "we wanted an odd one");
    EXPECT(json_close(&r, &e) == ERR_PARSE && strstr(e.text, "we wanted an odd one") != NULL);
}

TEST(json_close_notices_what_was_not_read)
{
    struct json_reader r;
    json_open(&r, STR("[1, 2]"), &arena);
    EXPECT(json_array(&r));
    EXPECT(json_close(&r, NULL) == ERR_PARSE);
}

TEST(json_integers_are_exact_or_refused)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = { { "9223372036854775807", true, INT64_MAX },
                  { "-9223372036854775808", true, INT64_MIN },
                  { "9223372036854775808", false, 0 },
                  { "1e3", true, 1000 },
                  { "5.0", true, 5 },
                  { "5.5", false, 0 },
                  { "1e300", false, 0 },
                  { "1e999", false, 0 },
                  { "-0", true, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_reader r;
        int64_t v = 0;
        json_open(&r, str_of(cases[i].text), &arena);
        EXPECT(json_i64(&r, &v) == cases[i].good && v == cases[i].value);
    }
}

TEST(json_writer_puts_the_commas)
{
    struct buf b = BUF_INIT(1000);
    struct json_writer w;
    json_writer_init(&w, &b);
    json_begin_object(&w);
    json_kv_cs(&w, "s", "a\"\\\n\t\x01");
    json_kv_i64(&w, "i", -5);
    json_kv_double(&w, "d", 0.1);
    json_kv_double(&w, "n", NAN);
    json_kv_bool(&w, "b", true);
    json_put_key(&w, STR("l"));
    json_begin_array(&w);
    json_put_u64(&w, UINT64_MAX);
    json_begin_array(&w);
    json_end_array(&w);
    json_put_null(&w);
    json_put_raw(&w, STR("{\"x\":1}"));
    json_begin_object(&w);
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    EXPECT_STR(buf_cstr(&b), "{\"s\":\"a\\\"\\\\\\n\\t\\u0001\",\"i\":-5,\"d\":0.1,\"n\":null,\"b\":true,"
                             "\"l\":[18446744073709551615,[],null,{\"x\":1},{}]}");
    EXPECT_STR(verdict(buf_view(&b)), "");
    buf_release(&b);
}

TEST(json_escape_mends_broken_utf8)
{
    struct buf b = BUF_INIT(1000);
    json_escape(&b, STR("\xc3\xa9 \xff \xe2\x82 \xe2\x82\xac\xc3"));
    EXPECT_STR(buf_cstr(&b), "\"\xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd \xe2\x82\xac\xef\xbf\xbd\"");
    EXPECT_STR(verdict(buf_view(&b)), "");
    buf_clear(&b);
    json_escape(&b, (struct str){ NULL, 0 });
    EXPECT_STR(buf_cstr(&b), "\"\"");
    buf_release(&b);
    arena_release(&arena);
}

TEST(json_repairs_half_a_surrogate_pair_only_when_told_to)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        { "\"a\\ud83db\"", "a\xef\xbf\xbd"
                           "b" },
        { "\"\\ude00\"", "\xef\xbf\xbd" },
        { "\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80" },
        { "\"\\ud83d\\u0041\"", "\xef\xbf\xbd"
                                "A" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_reader r;
        struct str s = STR("");
        json_open(&r, str_of(cases[i].json), &arena);
        EXPECT(!json_string(&r, &s));
        json_open(&r, str_of(cases[i].json), &arena);
        r.repair = true;
        EXPECT(json_string(&r, &s) && str_is(s, cases[i].text));
    }
    arena_release(&arena);
}

TESTS(CASE(json_repairs_half_a_surrogate_pair_only_when_told_to), CASE(json_takes_every_kind_of_value),
      CASE(json_refuses_what_rfc_8259_does_not_know), CASE(json_survives_every_cut_of_a_good_text),
      CASE(json_readers_enter_so_deep_and_skip_what_is_deeper),
      CASE(json_skips_deep_values_by_the_same_grammar), CASE(json_errors_name_line_and_column),
      CASE(json_strings_without_escapes_are_not_copied), CASE(json_reads_straight_down),
      CASE(json_errors_are_sticky), CASE(json_close_notices_what_was_not_read),
      CASE(json_integers_are_exact_or_refused), CASE(json_writer_puts_the_commas),
      CASE(json_escape_mends_broken_utf8))
