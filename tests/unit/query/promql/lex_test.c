#include "query/promql/lex.h"

#include "base/check.h"
#include "unit/test.h"

/* The kinds of all tokens of a text, for comparing. */
static size_t kinds_of(const char *text, enum token_kind *out, size_t max)
{
    struct lexer l;
    struct token t;
    size_t n = 0;

    lex_init(&l, str_of(text));
    do {
        lex_next(&l, &t);
        if (n < max) out[n++] = t.kind;
    } while (t.kind != TOK_EOF && t.kind != TOK_ERROR);
    return n;
}

static void expect_kinds(const char *text, const enum token_kind *want, size_t n)
{
    enum token_kind got[32];
    assert_int_equal(kinds_of(text, got, 32), n);
    for (size_t i = 0; i < n; i++) assert_int_equal(got[i], want[i]);
}

#define KINDS(text, ...)                                                                                     \
    do {                                                                                                     \
        const enum token_kind want_[] = { __VA_ARGS__ };                                                     \
        expect_kinds(text, want_, COUNT(want_));                                                             \
    } while (0)

static void expect_error(const char *text, const char *why)
{
    struct lexer l;
    struct token t;

    lex_init(&l, str_of(text));
    do lex_next(&l, &t);
    while (t.kind != TOK_EOF && t.kind != TOK_ERROR);
    assert_int_equal(t.kind, TOK_ERROR);
    EXPECT_STR(l.why, why);
}

TEST(words_are_keywords_in_any_case_and_names_otherwise)
{
    KINDS("SUM Offset bool foo a:b", TOK_AGG, TOK_OFFSET, TOK_BOOL, TOK_IDENT, TOK_METRIC_IDENT, TOK_EOF);
    KINDS("NaN inf iNF", TOK_NUMBER, TOK_NUMBER, TOK_NUMBER, TOK_EOF);
    KINDS("fill fill (", TOK_IDENT, TOK_FILL, TOK_LPAREN,
          TOK_ERROR); /* a keyword only before its parenthesis */
}

TEST(numbers_and_durations_are_told_apart)
{
    KINDS("1 .5 1e3 1e-3 0x1F 1_000 5m 1h30m 250ms", TOK_NUMBER, TOK_NUMBER, TOK_NUMBER, TOK_NUMBER,
          TOK_NUMBER, TOK_NUMBER, TOK_DURATION, TOK_DURATION, TOK_DURATION, TOK_EOF);
    expect_error("1__0", "bad number or duration syntax: \"1__\"");
    expect_error("5mm", "bad number or duration syntax: \"5mm\"");
    expect_error("1.2.3", "bad number or duration syntax: \"1.2.\"");
}

TEST(longer_operators_win)
{
    KINDS("a </ b >/ c < d <= e", TOK_IDENT, TOK_OP, TOK_IDENT, TOK_OP, TOK_IDENT, TOK_OP, TOK_IDENT, TOK_OP,
          TOK_IDENT, TOK_EOF);
    KINDS("==!=>=^@", TOK_OP, TOK_OP, TOK_OP, TOK_OP, TOK_AT, TOK_EOF);
    expect_error("a =~ b", "unexpected character after '=': '~'");
    expect_error("a ! b", "unexpected character after '!': ' '");
}

TEST(keywords_mean_nothing_between_braces)
{
    KINDS("{by=\"a\", on!~'b', sum=~`c`}", TOK_LBRACE, TOK_IDENT, TOK_EQL, TOK_STRING, TOK_COMMA, TOK_IDENT,
          TOK_MATCH_NRE, TOK_STRING, TOK_COMMA, TOK_IDENT, TOK_MATCH_RE, TOK_STRING, TOK_RBRACE, TOK_EOF);
    expect_error("{a", "unexpected end of input inside braces");
    expect_error("{1", "unexpected character inside braces: '1'");
    expect_error("{{", "unexpected left brace '{'");
}

TEST(brackets_know_only_durations)
{
    KINDS("[5m:step()]", TOK_LBRACKET, TOK_DURATION, TOK_COLON, TOK_STEP, TOK_LPAREN, TOK_RPAREN,
          TOK_RBRACKET, TOK_EOF);
    KINDS("[MIN_OF(1,2)]", TOK_LBRACKET, TOK_MIN_OF, TOK_LPAREN, TOK_NUMBER, TOK_COMMA, TOK_NUMBER,
          TOK_RPAREN, TOK_RBRACKET, TOK_EOF);
    expect_error("[foo]", "unexpected character in duration expression: 'f'");
    expect_error("[5m foo]", "unexpected character: 'f', expected ':'");
    expect_error("[5m[", "unexpected left bracket '['");
    expect_error("[5m", "unclosed left bracket");
    expect_error("[5m:1m:1m]", "unexpected colon ':'");
}

TEST(comments_reach_to_the_end_of_the_line)
{
    KINDS("a # sum(\n b{# x\n c=\"#\"}", TOK_IDENT, TOK_IDENT, TOK_LBRACE, TOK_IDENT, TOK_EQL, TOK_STRING,
          TOK_RBRACE, TOK_EOF);
}

TEST(parentheses_are_counted)
{
    expect_error("(a", "unclosed left parenthesis");
    expect_error("a)", "unexpected right parenthesis ')'");
}

TEST(strings_must_end_and_escape_rightly)
{
    expect_error("\"abc", "unterminated quoted string");
    expect_error("\"a\nb\"", "unterminated quoted string");
    expect_error("`abc", "unterminated raw string");
    expect_error("\"\\d\"", "unknown escape sequence U+0064 'd'");
    expect_error("'\\\"'", "unknown escape sequence U+0022 '\"'"); /* only its own quote may be escaped */
    expect_error("\"\\x4\"", "illegal character U+0022 '\"' in escape sequence");
    expect_error("\"\\ud800\"", "escape sequence is an invalid Unicode code point");
    expect_error("\"\\777\"", "escape sequence is an invalid Unicode code point");
    expect_error("\"\xff\"", "invalid UTF-8 rune");
}

static void expect_unquoted(const char *written, const char *meant, size_t n)
{
    struct arena a = ARENA_INIT(1 << 16);
    struct str out;

    assert_int_equal(lex_unquote(str_of(written), &a, &out, NULL), OK);
    assert_int_equal(out.n, n);
    assert_memory_equal(out.p, meant, n);
    arena_release(&a);
}

TEST(escapes_are_those_of_go)
{
    expect_unquoted("\"plain\"", "plain", 5);
    expect_unquoted("\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"", "\a\b\f\n\r\t\v\\\"", 9);
    expect_unquoted("'\\''", "'", 1);
    expect_unquoted("\"\\x41\\101\\377\"", "AA\xff", 3); /* hex and octal are bytes */
    expect_unquoted("\"\\u00e9\\U0001F600\"", "\xc3\xa9\xf0\x9f\x98\x80", 6);
    expect_unquoted("`\\n`", "\\n", 2);
}

static void expect_quoted(struct str meant, const char *written)
{
    struct buf b = BUF_INIT(1000);

    lex_quote(&b, meant, 0);
    EXPECT_STR(buf_cstr(&b), written);
    buf_release(&b);
}

TEST(quoting_escapes_what_cannot_be_seen)
{
    expect_quoted(STR("a\"b\\c\n"), "\"a\\\"b\\\\c\\n\"");
    expect_quoted(STR("\xc3\xa9"), "\"\xc3\xa9\"");
    expect_quoted(STR("\xff\x01\x7f"), "\"\\xff\\x01\\x7f\"");
    expect_quoted(STR("\xc2\xa0\xe2\x80\x8b"), "\"\\u00a0\\u200b\""); /* no-break and zero-width space */
}

TESTS(CASE(words_are_keywords_in_any_case_and_names_otherwise), CASE(numbers_and_durations_are_told_apart),
      CASE(longer_operators_win), CASE(keywords_mean_nothing_between_braces),
      CASE(brackets_know_only_durations), CASE(comments_reach_to_the_end_of_the_line),
      CASE(parentheses_are_counted), CASE(strings_must_end_and_escape_rightly), CASE(escapes_are_those_of_go),
      CASE(quoting_escapes_what_cannot_be_seen))
