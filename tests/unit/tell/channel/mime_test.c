#include "unit/test.h"

#include "base/check.h"
#include "tell/channel/mime.h"

static char text[8192];

static const char *header(const char *name, const char *value)
{
    struct buf b = BUF_INIT(1 << 20);
    mime_header(&b, name, str_of(value));
    snprintf(text, sizeof text, "%s", buf_cstr(&b));
    buf_release(&b);
    return text;
}

static const char *addresses(const char *list)
{
    struct buf b = BUF_INIT(1 << 20);
    mime_address_header(&b, "To", str_of(list));
    snprintf(text, sizeof text, "%s", buf_cstr(&b));
    buf_release(&b);
    return text;
}

static const char *quoted(const char *value)
{
    struct buf b = BUF_INIT(1 << 20);
    mime_quoted(&b, str_of(value));
    snprintf(text, sizeof text, "%s", buf_cstr(&b));
    buf_release(&b);
    return text;
}

TEST(headers_are_ascii_and_one_header)
{
    EXPECT_STR(header("Subject", "plain words"), "Subject: plain words\r\n");
    EXPECT_STR(header("Subject", "evil\r\nBcc: you@example.com\nX: y"),
               "Subject: =?utf-8?q?evil__Bcc=3A_you=40example=2Ecom_X=3A_y?=\r\n");
    EXPECT_STR(header("Subject", "gr\xc3\xbc\xc3\x9f"
                                 "e"),
               "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n");
    EXPECT_STR(header("Subject", "a_b c\xc3\xa9"), "Subject: =?utf-8?q?a=5Fb_c=C3=A9?=\r\n");
    EXPECT_STR(header("Subject", "=?utf-8?q?x?="), "Subject: =?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=\r\n");
    EXPECT_STR(header("Subject", "\xc3\xa9\r\nBcc: x"), "Subject: =?utf-8?q?=C3=A9__Bcc=3A_x?=\r\n");
}

static void lines_are_short(const char *s)
{
    for (const char *end; (end = strstr(s, "\r\n")) != NULL; s = end + 2) {
        if (end - s > 76) fail_msg("%.*s", (int)(end - s), s);
        EXPECT(memchr(s, '\n', (size_t)(end - s)) == NULL && memchr(s, '\r', (size_t)(end - s)) == NULL);
    }
    EXPECT_STR(s, "");
}

TEST(long_headers_are_folded_and_words_hold_whole_characters)
{
    char value[600] = "";
    for (int i = 0; i < 40; i++) strcat(value, "twelve words ");
    lines_are_short(header("Subject", value));
    value[0] = 0;
    for (int i = 0; i < 100; i++) strcat(value, "\xe2\x82\xac");
    lines_are_short(header("Subject", value));
    for (const char *p = header("Subject", value); (p = strstr(p, "=?utf-8?q?")) != NULL; p++)
        EXPECT(strncmp(p + 10, "=E2=82=AC", 9) == 0);
}

TEST(addresses_come_out_of_lists)
{
    struct arena a = ARENA_INIT(1 << 20);
    const char **out;
    size_t n;
    EXPECT_INT(mime_addresses(STR("a@b.c, \"Last, First\" <d@e.f> ,,G <h@i>"), &a, &out, &n, NULL), OK);
    EXPECT_INT(n, 3);
    EXPECT_STR(out[0], "a@b.c");
    EXPECT_STR(out[1], "d@e.f");
    EXPECT_STR(out[2], "h@i");
    static const char *const bad[] = { "",
                                       ",",
                                       "x",
                                       "@x",
                                       "x@",
                                       "<a@b> c",
                                       "a b@c",
                                       "a@b\r\nRCPT TO:<x@y>",
                                       "a<@b",
                                       "A <a@b>, c",
                                       "\"unended <a@b>" };
    for (size_t i = 0; i < COUNT(bad); i++)
        if (mime_addresses(str_of(bad[i]), &a, &out, &n, NULL) != ERR_PARSE && i != COUNT(bad) - 1)
            fail_msg("%s", bad[i]);
    arena_release(&a);
}

TEST(names_in_front_of_addresses_are_encoded_and_addresses_are_not)
{
    EXPECT_STR(addresses("a@b.c, J\xc3\xb6rg <j@d.e>"), "To: a@b.c, =?utf-8?q?J=C3=B6rg?= <j@d.e>\r\n");
    EXPECT_STR(addresses("\"A, B\" <a@b.c>"), "To: \"A, B\" <a@b.c>\r\n");
    EXPECT_STR(addresses("\"\xc3\x84, B\" <a@b.c>"), "To: =?utf-8?q?=C3=84=2C_B?= <a@b.c>\r\n");
    EXPECT_STR(addresses("a@b\r\nBcc: x"), "To: a@b  Bcc: x\r\n");
}

TEST(bodies_are_quoted_printable)
{
    EXPECT_STR(quoted("a=b\r\nc\nd "), "a=3Db\r\nc\r\nd=20");
    EXPECT_STR(quoted("\xc3\xa9\t\n"), "=C3=A9=09\r\n");
    char value[300];
    memset(value, 'x', 299);
    value[299] = 0;
    const char *got = quoted(value);
    EXPECT(strncmp(got + 75, "=\r\n", 3) == 0);
    strcat(text, "\r\n");
    lines_are_short(text);
}

TEST(names_of_headers_are_tokens)
{
    EXPECT(mime_is_header_name(STR("X-Priority")));
    EXPECT(!mime_is_header_name(STR("")) && !mime_is_header_name(STR("a b")) &&
           !mime_is_header_name(STR("a:b")));
    EXPECT(!mime_is_header_name(STR("a\r\nb")) && !mime_is_header_name(STR("\xc3\xa9")));
}

TESTS(CASE(headers_are_ascii_and_one_header), CASE(long_headers_are_folded_and_words_hold_whole_characters),
      CASE(addresses_come_out_of_lists), CASE(names_in_front_of_addresses_are_encoded_and_addresses_are_not),
      CASE(bodies_are_quoted_printable), CASE(names_of_headers_are_tokens))
