/* lex.c - see lex.h. Error texts are those Prometheus users know.
 *
 * Always true:
 *   1. Every byte is looked at a bounded number of times: linear in the text.
 *   2. `start` is where the token, or the error, begins.
 *
 * Threads: a lexer belongs to one parse. Not here: quoting and unquoting (quote.c). */
#include "query/promql/lex.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

#define END (-1)

struct word {
    const char *text;
    enum token_kind kind;
    int which;
};

/* Reserved words, in any case. Most may still be metric or label names: parse.c knows where. */
static const struct word words[] = {
    { "and", TOK_OP, OP_AND },
    { "or", TOK_OP, OP_OR },
    { "unless", TOK_OP, OP_UNLESS },
    { "atan2", TOK_OP, OP_ATAN2 },
    { "sum", TOK_AGG, AGG_SUM },
    { "avg", TOK_AGG, AGG_AVG },
    { "count", TOK_AGG, AGG_COUNT },
    { "min", TOK_AGG, AGG_MIN },
    { "max", TOK_AGG, AGG_MAX },
    { "group", TOK_AGG, AGG_GROUP },
    { "stddev", TOK_AGG, AGG_STDDEV },
    { "stdvar", TOK_AGG, AGG_STDVAR },
    { "topk", TOK_AGG, AGG_TOPK },
    { "bottomk", TOK_AGG, AGG_BOTTOMK },
    { "quantile", TOK_AGG, AGG_QUANTILE },
    { "count_values", TOK_AGG, AGG_COUNT_VALUES },
    { "limitk", TOK_AGG, AGG_LIMITK },
    { "limit_ratio", TOK_AGG, AGG_LIMIT_RATIO },
    { "bool", TOK_BOOL, 0 },
    { "by", TOK_BY, 0 },
    { "without", TOK_WITHOUT, 0 },
    { "on", TOK_ON, 0 },
    { "ignoring", TOK_IGNORING, 0 },
    { "group_left", TOK_GROUP_LEFT, 0 },
    { "group_right", TOK_GROUP_RIGHT, 0 },
    { "offset", TOK_OFFSET, 0 },
    { "fill", TOK_FILL, 0 },
    { "fill_left", TOK_FILL_LEFT, 0 },
    { "fill_right", TOK_FILL_RIGHT, 0 },
    { "anchored", TOK_ANCHORED, 0 },
    { "smoothed", TOK_SMOOTHED, 0 },
    { "start", TOK_START, 0 },
    { "end", TOK_END, 0 },
    { "step", TOK_STEP, 0 },
    { "range", TOK_RANGE, 0 },
    { "min_of", TOK_MIN_OF, 0 },
    { "max_of", TOK_MAX_OF, 0 },
    { "inf", TOK_NUMBER, 0 },
    { "nan", TOK_NUMBER, 0 },
};

struct sign {
    const char *text;
    enum token_kind kind;
    int which;
};

/* Longer signs before their beginnings. */
static const struct sign signs[] = {
    { "==", TOK_OP, OP_EQ },
    { "=", TOK_EQL, 0 },
    { "!=", TOK_OP, OP_NEQ },
    { "<=", TOK_OP, OP_LTE },
    { "</", TOK_OP, OP_TRIM_UPPER },
    { "<", TOK_OP, OP_LT },
    { ">=", TOK_OP, OP_GTE },
    { ">/", TOK_OP, OP_TRIM_LOWER },
    { ">", TOK_OP, OP_GT },
    { "+", TOK_OP, OP_ADD },
    { "-", TOK_OP, OP_SUB },
    { "*", TOK_OP, OP_MUL },
    { "/", TOK_OP, OP_DIV },
    { "%", TOK_OP, OP_MOD },
    { "^", TOK_OP, OP_POW },
    { ",", TOK_COMMA, 0 },
    { "@", TOK_AT, 0 },
};

static bool is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(int c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(int c)
{
    return is_alpha(c) || is_digit(c);
}

static int peek_at(const struct lexer *l, uint32_t at)
{
    return at < l->text.n ? (unsigned char)l->text.p[at] : END;
}

static int peek(const struct lexer *l)
{
    return peek_at(l, l->at);
}

static bool take_any(struct lexer *l, const char *set)
{
    int c = peek(l);
    if (c == END || c == 0 || !strchr(set, c)) return false;
    l->at++;
    return true;
}

static void take_run(struct lexer *l, const char *set)
{
    while (take_any(l, set)) {
    }
}

void lex_init(struct lexer *l, struct str text)
{
    *l = (struct lexer){ .text = text };
}

static void emit(struct lexer *l, struct token *t, enum token_kind kind, int which)
{
    *t = (struct token){ kind, which, str_make(l->text.p + l->start, l->at - l->start), l->start };
}

static void fail(struct lexer *l, struct token *t, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct lexer *l, struct token *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(l->why, sizeof l->why, fmt, ap);
    va_end(ap);
    l->failed = true;
    emit(l, t, TOK_ERROR, 0);
}

/* The UTF-8 character at `at`, for error texts; an invalid one is a single byte. */
static struct str rune_at(const struct lexer *l, uint32_t at)
{
    for (size_t n = 1; n <= 4 && at + n <= l->text.n; n++) {
        struct str s = str_make(l->text.p + at, n);
        if (str_utf8_valid(s)) return s;
    }
    return str_make("\xef\xbf\xbd", 3); /* U+FFFD, also for the end of the text */
}

/* "words: 'c'", where c is the character at `at`. */
static void fail_char(struct lexer *l, struct token *t, const char *what, uint32_t at, const char *after)
{
    struct str c = rune_at(l, at);
    const char *escape = c.n == 1 && c.p[0] == '\n'   ? "\\n"
                         : c.n == 1 && c.p[0] == '\t' ? "\\t"
                         : c.n == 1 && c.p[0] == '\r' ? "\\r"
                         : c.n == 1 && c.p[0] == '\'' ? "\\'"
                         : c.n == 1 && c.p[0] == '\\' ? "\\\\"
                                                      : NULL;
    if (escape)
        fail(l, t, "%s '%s'%s", what, escape, after);
    else if (c.n == 1 && ((unsigned char)c.p[0] < ' ' || c.p[0] == 0x7f))
        fail(l, t, "%s '\\x%02x'%s", what, (unsigned char)c.p[0], after);
    else
        fail(l, t, "%s '%.*s'%s", what, STR_ARG(c), after);
}

/* ---- numbers ---- */

/* A decimal, hexadecimal or float number may be here; whether it is one is seen by what follows. Underscores
 * may stand between digits only. */
static bool scan_number(struct lexer *l)
{
    const char *digits = "0123456789";
    uint32_t begin = l->at;
    bool hex = false, dot = false, exponent = false;

    if (take_any(l, "0") && take_any(l, "xX")) {
        take_any(l, "_");
        digits = "0123456789abcdefABCDEF";
        hex = true;
    }
    take_any(l, ".");
    take_any(l, digits);
    for (;;) {
        if (take_any(l, digits)) {
            take_run(l, digits);
        } else if (take_any(l, ".")) {
            if (dot || hex || take_any(l, "_.")) return false;
            dot = true;
        } else if (take_any(l, "eE")) {
            if (exponent) return false;
            exponent = true;
            take_any(l, "+-");
            if (take_any(l, "._eE") || peek(l) == END) return false;
        } else if (take_any(l, "_")) {
            if (take_any(l, "._eE") || peek(l) == END) return false;
        } else {
            break;
        }
    }
    return l->at > begin && !is_alnum(peek(l));
}

/* The digits of a duration have been read: a unit, then more digits and units. Which units may follow each
 * other is for duration_parse_ms to say. */
static bool scan_duration_rest(struct lexer *l)
{
    if (!take_any(l, "smhdwy")) return false;
    take_any(l, "s"); /* ms */
    while (take_any(l, "0123456789")) {
        take_run(l, "0123456789");
        if (!take_any(l, "smhdw")) return false; /* years come first or not at all */
        take_any(l, "s");
    }
    if (!is_alnum(peek(l))) return true;
    l->at++; /* for the error text */
    return false;
}

static void lex_number(struct lexer *l, struct token *t)
{
    l->durations = false; /* after a number in brackets a colon may follow */
    if (scan_number(l)) {
        emit(l, t, TOK_NUMBER, 0);
    } else if (scan_duration_rest(l)) {
        emit(l, t, TOK_DURATION, 0);
    } else {
        struct buf quoted = BUF_INIT(100);
        lex_quote(&quoted, str_make(l->text.p + l->start, l->at - l->start), 20);
        fail(l, t, "bad number or duration syntax: %s", buf_cstr(&quoted));
        buf_release(&quoted);
    }
}

/* ---- strings ---- */

static int hex_value(int c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 16;
}

static void fail_escape(struct lexer *l, struct token *t, const char *before, const char *after)
{
    int c = peek(l);
    struct str r = rune_at(l, l->at);

    if (c >= ' ' && c < 0x7f)
        fail(l, t, "%s U+%04X '%c'%s", before, (unsigned)c, c, after);
    else
        fail(l, t, "%s '%.*s'%s", before, STR_ARG(r), after);
}

/* After a backslash. False when the escape is none, with the error told. */
static bool lex_escape(struct lexer *l, struct token *t, int quote)
{
    int c = peek(l), n = 0;
    unsigned base = 16;
    uint32_t max = 0x10ffff, x = 0;

    if (c == END) {
        fail(l, t, "escape sequence not terminated");
        return false;
    }
    if (c == quote || (c != 0 && strchr("abfnrtv\\", c))) {
        l->at++;
        return true;
    }
    if (c >= '0' && c <= '7') {
        n = 3, base = 8, max = 255;
    } else if (c == 'x' || c == 'u' || c == 'U') {
        n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        if (c == 'x') max = 255;
        l->at++;
    } else {
        fail_escape(l, t, "unknown escape sequence", "");
        return false;
    }
    for (; n > 0; n--, l->at++) {
        c = peek(l);
        unsigned d = (unsigned)hex_value(c);
        if (d >= base) {
            if (c == END)
                fail(l, t, "escape sequence not terminated");
            else
                fail_escape(l, t, "illegal character", " in escape sequence");
            return false;
        }
        x = x * base + d;
    }
    if (x > max || (x >= 0xd800 && x < 0xe000)) {
        fail(l, t, "escape sequence is an invalid Unicode code point");
        return false;
    }
    return true;
}

static void lex_string(struct lexer *l, struct token *t, int quote)
{
    l->at++;
    for (;;) {
        int c = peek(l);
        if (c == END || (c == '\n' && quote != '`')) {
            fail(l, t, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
            return;
        }
        l->at++;
        if (c == quote) break;
        if (c == '\\' && quote != '`' && !lex_escape(l, t, quote)) return;
    }
    if (!str_utf8_valid(str_make(l->text.p + l->start, l->at - l->start)))
        fail(l, t, "invalid UTF-8 rune");
    else
        emit(l, t, TOK_STRING, 0);
}

/* ---- words ---- */

static const struct word *word_find(struct str s)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_is_nocase(s, words[i].text)) return &words[i];
    return NULL;
}

/* fill, fill_left and fill_right are keywords only before "(": metrics of these names came first. */
static bool paren_follows(const struct lexer *l)
{
    uint32_t at = l->at;
    while (is_space(peek_at(l, at))) at++;
    return peek_at(l, at) == '(';
}

static void lex_word(struct lexer *l, struct token *t)
{
    bool colon = false;
    for (int c = peek(l); is_alnum(c) || c == ':'; c = peek(l)) {
        colon |= c == ':';
        l->at++;
    }
    struct str s = str_make(l->text.p + l->start, l->at - l->start);
    const struct word *w = s.n <= 12 ? word_find(s) : NULL;
    bool fill = w && (w->kind == TOK_FILL || w->kind == TOK_FILL_LEFT || w->kind == TOK_FILL_RIGHT);

    if (w && !(fill && !paren_follows(l)))
        emit(l, t, w->kind, w->which);
    else
        emit(l, t, colon ? TOK_METRIC_IDENT : TOK_IDENT, 0);
}

/* step, range, min_of, max_of: the words durations know. */
static bool lex_duration_word(struct lexer *l, struct token *t)
{
    while (is_alpha(peek(l))) l->at++;
    struct str s = str_make(l->text.p + l->start, l->at - l->start);
    const struct word *w = s.n <= 6 ? word_find(s) : NULL;

    if (!w || w->kind < TOK_STEP || w->kind > TOK_MAX_OF) return false;
    emit(l, t, w->kind, 0);
    return true;
}

/* ---- the three alphabets ---- */

static bool lex_sign(struct lexer *l, struct token *t)
{
    struct str rest = str_make(l->text.p + l->at, l->text.n - l->at);
    for (size_t i = 0; i < COUNT(signs); i++) {
        if (!str_starts(rest, signs[i].text)) continue;
        l->at += (uint32_t)strlen(signs[i].text);
        emit(l, t, signs[i].kind, signs[i].which);
        return true;
    }
    return false;
}

static void lex_in_braces(struct lexer *l, struct token *t)
{
    int c = peek(l), next = peek_at(l, l->at + 1);

    if (c == END) {
        fail(l, t, "unexpected end of input inside braces");
    } else if (is_alpha(c)) {
        while (is_alnum(peek(l))) l->at++;
        emit(l, t, TOK_IDENT, 0);
    } else if (c == '"' || c == '\'' || c == '`') {
        lex_string(l, t, c);
    } else if (c == ',') {
        l->at++;
        emit(l, t, TOK_COMMA, 0);
    } else if (c == '=') {
        l->at += next == '~' ? 2 : 1;
        emit(l, t, next == '~' ? TOK_MATCH_RE : TOK_EQL, 0);
    } else if (c == '!' && (next == '~' || next == '=')) {
        l->at += 2;
        emit(l, t, next == '~' ? TOK_MATCH_NRE : TOK_OP, OP_NEQ);
    } else if (c == '!') {
        fail_char(l, t, "unexpected character after '!' inside braces:", l->at + 1, "");
    } else if (c == '}') {
        l->at++;
        l->braces = false;
        emit(l, t, TOK_RBRACE, 0);
    } else {
        fail_char(l, t, c == '{' ? "unexpected left brace" : "unexpected character inside braces:", l->at,
                  "");
    }
}

static void lex_paren(struct lexer *l, struct token *t, int c)
{
    uint32_t at = l->at++;
    l->parens += c == '(' ? 1 : -1;
    if (l->parens < 0) {
        l->start = l->at; /* Prometheus counts it as read */
        fail_char(l, t, "unexpected right parenthesis", at, "");
    } else {
        emit(l, t, c == '(' ? TOK_LPAREN : TOK_RPAREN, 0);
    }
}

static void lex_close_bracket(struct lexer *l, struct token *t)
{
    l->at++;
    l->brackets = l->durations = false;
    emit(l, t, TOK_RBRACKET, 0);
}

static void lex_colon(struct lexer *l, struct token *t)
{
    if (l->colon) {
        fail_char(l, t, "unexpected colon", l->at, "");
        return;
    }
    l->at++;
    l->colon = true;
    emit(l, t, TOK_COLON, 0);
}

/* Directly after "[" and until the first number: nothing but durations. */
static void lex_in_durations(struct lexer *l, struct token *t)
{
    int c = peek(l);

    if (c == END)
        fail(l, t, "unexpected end of input in duration expression");
    else if (c == ']')
        lex_close_bracket(l, t);
    else if (c == ':')
        lex_colon(l, t);
    else if (c == '(' || c == ')')
        lex_paren(l, t, c);
    else if (c != 0 && strchr("+-*/%^,", c))
        lex_sign(l, t);
    else if (is_digit(c) || (c == '.' && is_digit(peek_at(l, l->at + 1))))
        lex_number(l, t);
    else if (!is_alpha(c) || !lex_duration_word(l, t))
        fail_char(l, t, "unexpected character in duration expression:", l->start, "");
}

static void lex_in_expression(struct lexer *l, struct token *t)
{
    int c = peek(l), next = peek_at(l, l->at + 1);

    if (c == END) {
        if (l->parens != 0)
            fail(l, t, "unclosed left parenthesis");
        else if (l->brackets)
            fail(l, t, "unclosed left bracket");
        else
            emit(l, t, TOK_EOF, 0);
    } else if (is_digit(c) || (c == '.' && is_digit(next))) {
        lex_number(l, t);
    } else if (c == '"' || c == '\'' || c == '`') {
        lex_string(l, t, c);
    } else if (l->brackets && c == ':') {
        lex_colon(l, t);
    } else if (l->brackets && is_alpha(c)) {
        if (!lex_duration_word(l, t)) fail_char(l, t, "unexpected character:", l->start, ", expected ':'");
    } else if (is_alpha(c) || c == ':') {
        lex_word(l, t);
    } else if (c == '(' || c == ')') {
        lex_paren(l, t, c);
    } else if (c == '{') {
        l->at++;
        l->braces = true;
        emit(l, t, TOK_LBRACE, 0);
    } else if (c == '[' && !l->brackets) {
        l->at++;
        l->brackets = l->durations = true;
        l->colon = false;
        emit(l, t, TOK_LBRACKET, 0);
    } else if (c == '[') {
        fail_char(l, t, "unexpected left bracket", l->at, "");
    } else if (c == ']') {
        if (l->brackets)
            lex_close_bracket(l, t);
        else
            fail_char(l, t, "unexpected right bracket", l->at, "");
    } else if (c == '!' && next != '=') {
        fail_char(l, t, "unexpected character after '!':", l->at + 1, "");
    } else if (c == '=' && next == '~') {
        fail_char(l, t, "unexpected character after '=':", l->at + 1, "");
    } else if (!lex_sign(l, t)) {
        fail_char(l, t, "unexpected character:", l->at, "");
    }
}

static void skip_space_and_comments(struct lexer *l)
{
    for (;;) {
        int c = peek(l);
        if (is_space(c)) {
            l->at++;
        } else if (c == '#' && !l->durations) {
            while (peek(l) != END && peek(l) != '\n' && peek(l) != '\r') l->at++;
        } else {
            return;
        }
    }
}

void lex_next(struct lexer *l, struct token *t)
{
    if (l->failed) {
        emit(l, t, TOK_ERROR, 0);
        return;
    }
    skip_space_and_comments(l);
    l->start = l->at;
    if (l->braces)
        lex_in_braces(l, t);
    else if (l->durations)
        lex_in_durations(l, t);
    else
        lex_in_expression(l, t);
}
