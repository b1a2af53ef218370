/* lex.c - TraceQL's words.
 *
 * An attribute is one token, scope and all, because its name may hold what would else be operators:
 * span.k8s.io/pod-name. So a minus behind a name is part of it, and subtraction asks for a space. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/float.h"
#include "query/traceql/parser.h"

/* ---- characters ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static bool is_attr_char(char c)
{
    return !is_space(c) && c != '\0' && strchr("(){}=!<>&|~^,+*%\"`", c) == NULL;
}

static char at(const struct traceql_parser *p, size_t i)
{
    return i < p->text.n ? p->text.p[i] : '\0';
}

static struct str part(const struct traceql_parser *p, size_t from, size_t to)
{
    return (struct str){ p->text.p + from, to - from };
}

/* ---- strings ---- */

static void put_code_point(struct buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_char(b, (char)c);
    } else if (c < 0x800) {
        buf_char(b, (char)(0xc0 | c >> 6));
        buf_char(b, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_char(b, (char)(0xe0 | c >> 12));
        buf_char(b, (char)(0x80 | (c >> 6 & 63)));
        buf_char(b, (char)(0x80 | (c & 63)));
    } else {
        buf_char(b, (char)(0xf0 | c >> 18));
        buf_char(b, (char)(0x80 | (c >> 12 & 63)));
        buf_char(b, (char)(0x80 | (c >> 6 & 63)));
        buf_char(b, (char)(0x80 | (c & 63)));
    }
}

static bool read_hex(const struct traceql_parser *p, size_t from, size_t n, uint32_t *out)
{
    *out = 0;
    for (size_t i = from; i < from + n; i++) {
        if (!isxdigit((unsigned char)at(p, i))) return false;
        char c = at(p, i);
        *out = *out * 16 + (uint32_t)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return true;
}

/* The escape at i (behind the backslash). Returns the place after it, 0: there is no such escape. */
static size_t read_escape(const struct traceql_parser *p, size_t i, struct buf *b)
{
    static const char from[] = "abfnrtv\\\"'`", to[] = "\a\b\f\n\r\t\v\\\"'`";
    char c = at(p, i);
    const char *simple = c == '\0' ? NULL : strchr(from, c);
    uint32_t code;

    if (simple != NULL) {
        buf_char(b, to[simple - from]);
        return i + 1;
    }
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 || !read_hex(p, i + 1, digits, &code)) return 0;
    if (c == 'x') {
        buf_char(b, (char)code);
    } else {
        if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
        put_code_point(b, code);
    }
    return i + 1 + digits;
}

/* "..." with escapes or `...` without, whose first quote is at i. Returns the place behind it, 0: error told.
 */
static size_t read_string(struct traceql_parser *p, size_t i, struct str *out)
{
    char quote = at(p, i);
    struct buf b = BUF_INIT(TRACEQL_TEXT_MAX);
    size_t k = i + 1;

    while (k < p->text.n && at(p, k) != quote) {
        if (quote == '"' && at(p, k) == '\\') {
            size_t next = read_escape(p, k + 1, &b);
            if (next == 0) {
                buf_release(&b);
                tq_parse_fail(p, ERR_PARSE, (uint32_t)k, "unknown escape in a string");
                return 0;
            }
            k = next;
        } else {
            buf_char(&b, at(p, k++));
        }
    }
    *out = arena_str(p->arena, buf_view(&b));
    buf_release(&b);
    if (k < p->text.n) return k + 1;
    tq_parse_fail(p, ERR_PARSE, (uint32_t)i, "a string is not closed");
    return 0;
}

/* ---- numbers and durations ---- */

static const struct unit {
    const char *name;
    double ns;
} units[] = { { "ns", 1 },  { "us", 1e3 }, { "\xc2\xb5s", 1e3 }, { "\xce\xbcs", 1e3 }, { "ms", 1e6 },
              { "s", 1e9 }, { "m", 6e10 }, { "h", 3.6e12 },      { "d", 8.64e13 },     { "w", 6.048e14 } };

static const struct unit *read_unit(const struct traceql_parser *p, size_t i)
{
    for (size_t u = 0; u < COUNT(units); u++) {
        size_t n = strlen(units[u].name);
        if (i + n <= p->text.n && memcmp(p->text.p + i, units[u].name, n) == 0 &&
            !isalpha((unsigned char)at(p, i + n)))
            return &units[u];
    }
    return NULL;
}

static size_t skip_number(const struct traceql_parser *p, size_t i)
{
    while (is_digit(at(p, i))) i++;
    if (at(p, i) == '.' && is_digit(at(p, i + 1)))
        for (i++; is_digit(at(p, i));) i++;
    if (at(p, i) == 'e' || at(p, i) == 'E') {
        size_t k = i + 1 + (at(p, i + 1) == '-' || at(p, i + 1) == '+');
        if (is_digit(at(p, k)))
            for (i = k; is_digit(at(p, i));) i++;
    }
    return i;
}

/* 1h30m: number and unit as often as they follow each other. Returns the place behind it, 0: none. */
static size_t read_duration(const struct traceql_parser *p, size_t i, struct static_value *v)
{
    double total = 0, number;

    do {
        size_t end = skip_number(p, i);
        const struct unit *u = end > i ? read_unit(p, end) : NULL;
        if (u == NULL || !float_parse(part(p, i, end), &number)) return 0;
        total += number * u->ns;
        i = end + strlen(u->name);
    } while (is_digit(at(p, i)));
    if (!(total < 9.2e18)) return 0;
    *v = (struct static_value){ .type = STATIC_DURATION, .i = (int64_t)llround(total) };
    return i;
}

static void lex_number(struct traceql_parser *p, size_t i)
{
    struct lex_token *t = &p->tok;
    size_t end = read_duration(p, i, &t->value);

    t->kind = LEX_STATIC;
    if (end == 0) {
        end = skip_number(p, i);
        struct str digits = part(p, i, end);
        t->value.type = STATIC_INT;
        if (!str_to_i64(digits, &t->value.i)) {
            t->value.type = STATIC_FLOAT;
            if (!float_parse(digits, &t->value.d) || !isfinite(t->value.d)) {
                tq_parse_fail(p, ERR_PARSE, (uint32_t)i, "this is no number");
                return;
            }
        }
    }
    if (is_word(at(p, end))) {
        tq_parse_fail(p, ERR_PARSE, (uint32_t)i, "this is neither a number nor a duration");
        return;
    }
    t->text = part(p, i, end);
    p->at = (uint32_t)end;
}

/* ---- attributes ---- */

/* The name from i on: bare, "quoted", or both in turn. */
static size_t read_attr_name(struct traceql_parser *p, size_t i, struct str *name)
{
    struct buf b = BUF_INIT(TRACEQL_TEXT_MAX);
    struct str quoted;
    size_t k = i;

    while (k < p->text.n && (is_attr_char(at(p, k)) || at(p, k) == '"')) {
        if (at(p, k) != '"') {
            buf_char(&b, at(p, k++));
            continue;
        }
        if ((k = read_string(p, k, &quoted)) == 0) break;
        buf_str(&b, quoted);
    }
    *name = arena_str(p->arena, buf_view(&b));
    buf_release(&b);
    if (k == i) tq_parse_fail(p, ERR_PARSE, (uint32_t)i, "the name of an attribute is missing");
    return k == i ? 0 : k;
}

static const struct {
    const char *word;
    enum attr_scope scope;
} scopes[] = { { "span", SCOPE_SPAN },
               { "resource", SCOPE_RESOURCE },
               { "instrumentation", SCOPE_INSTRUMENTATION },
               { "event", SCOPE_EVENT },
               { "link", SCOPE_LINK } };

static bool scope_of(struct str word, enum attr_scope *scope)
{
    for (size_t i = 0; i < COUNT(scopes); i++) {
        if (!str_is(word, scopes[i].word)) continue;
        *scope = scopes[i].scope;
        return true;
    }
    return false;
}

static bool intrinsic_of(struct str text, enum span_intrinsic *out)
{
    for (const struct intrinsic_spelling *s = intrinsic_spellings; s->text != NULL; s++) {
        if (!str_is(text, s->text)) continue;
        *out = s->intrinsic;
        return true;
    }
    return false;
}

static void end_attr(struct traceql_parser *p, size_t from, size_t to)
{
    if (to == 0) return;
    p->tok.kind = LEX_ATTR;
    p->tok.text = part(p, from, to);
    p->at = (uint32_t)to;
}

/* Behind "parent.": span.a, resource.a, an intrinsic, or the name of an attribute. */
static void lex_parent(struct traceql_parser *p, size_t from, size_t i)
{
    struct attr_ref *a = &p->tok.attr;
    size_t k = i;

    *a = (struct attr_ref){ .scope = SCOPE_ANY, .of_parent = true };
    while (is_word(at(p, k))) k++;
    if (at(p, k) == '.' && scope_of(part(p, i, k), &a->scope)) i = k + 1;
    size_t end = read_attr_name(p, i, &a->name);
    if (end != 0 && a->scope == SCOPE_ANY && intrinsic_of(a->name, &a->intrinsic)) {
        a->scope = SCOPE_INTRINSIC;
        a->name = STR("");
    }
    end_attr(p, from, end);
}

static void lex_word_or_attr(struct traceql_parser *p, size_t from)
{
    struct lex_token *t = &p->tok;
    size_t i = from;
    enum attr_scope scope;

    while (is_word(at(p, i))) i++;
    struct str word = part(p, from, i);
    t->attr = (struct attr_ref){ 0 };
    if (at(p, i) == '.' && str_is(word, "parent")) {
        lex_parent(p, from, i + 1);
    } else if (at(p, i) == '.' && scope_of(word, &scope)) {
        t->attr.scope = scope;
        end_attr(p, from, read_attr_name(p, i + 1, &t->attr.name));
    } else if (at(p, i) == ':' && (scope_of(word, &scope) || str_is(word, "trace"))) {
        for (i++; is_word(at(p, i));) i++;
        t->attr.scope = SCOPE_INTRINSIC;
        if (intrinsic_of(part(p, from, i), &t->attr.intrinsic))
            end_attr(p, from, i);
        else
            tq_parse_fail(p, ERR_PARSE, (uint32_t)from, "unknown intrinsic \"%.*s\"",
                          (int)MIN(i - from, (size_t)60), p->text.p + from);
    } else if (intrinsic_of(word, &t->attr.intrinsic)) {
        t->attr.scope = SCOPE_INTRINSIC;
        end_attr(p, from, i);
    } else {
        t->kind = LEX_WORD;
        t->text = word;
        p->at = (uint32_t)i;
    }
}

/* ---- signs ---- */

static const char *const signs[] = {
    /* longer ones first */
    "&>>", "&<<", "!>>", "!<<", "&&", "||", "!=", "=~", "!~", "<=", ">=", ">>",
    "<<",  "&>",  "&<",  "&~",  "!>", "!<", "{",  "}",  "(",  ")",  "|",  "=",
    "<",   ">",   "!",   "~",   "+",  "-",  "*",  "/",  "%",  "^",  ",",
};

static void lex_sign(struct traceql_parser *p, size_t i)
{
    for (size_t s = 0; s < COUNT(signs); s++) {
        size_t n = strlen(signs[s]);
        if (i + n > p->text.n || memcmp(p->text.p + i, signs[s], n) != 0) continue;
        p->tok.kind = LEX_SIGN;
        p->tok.text = part(p, i, i + n);
        p->at = (uint32_t)(i + n);
        return;
    }
    tq_parse_fail(p, ERR_PARSE, (uint32_t)i, "nothing in TraceQL begins with this character");
}

static size_t skip_space(struct traceql_parser *p, size_t i)
{
    for (;;) {
        while (i < p->text.n && is_space(at(p, i))) i++;
        if (at(p, i) == '/' && at(p, i + 1) == '/') {
            while (i < p->text.n && at(p, i) != '\n') i++;
        } else if (at(p, i) == '/' && at(p, i + 1) == '*') {
            const char *end = memmem(p->text.p + i + 2, p->text.n - i - 2, "*/", 2);
            i = end == NULL ? p->text.n : (size_t)(end + 2 - p->text.p);
        } else {
            return i;
        }
    }
}

void tq_lex_advance(struct traceql_parser *p)
{
    struct lex_token *t = &p->tok;
    if (t->kind == LEX_ERROR) return;

    size_t i = skip_space(p, p->at);
    char c = at(p, i);
    *t = (struct lex_token){ .pos = (uint32_t)i };
    p->at = (uint32_t)i;
    if (i >= p->text.n) {
        t->kind = LEX_END;
    } else if (is_digit(c) || (c == '.' && is_digit(at(p, i + 1)))) {
        lex_number(p, i);
    } else if (c == '"' || c == '`') {
        size_t end = read_string(p, i, &t->value.s);
        if (end == 0) return;
        t->kind = LEX_STATIC;
        t->value.type = STATIC_STRING;
        t->text = part(p, i, end);
        p->at = (uint32_t)end;
    } else if (c == '.') {
        end_attr(p, i, read_attr_name(p, i + 1, &t->attr.name));
    } else if (is_word(c)) {
        lex_word_or_attr(p, i);
    } else {
        lex_sign(p, i);
    }
}

bool tq_lex_at(const struct traceql_parser *p, const char *text)
{
    return (p->tok.kind == LEX_SIGN || p->tok.kind == LEX_WORD) && str_is(p->tok.text, text);
}

bool tq_lex_accept(struct traceql_parser *p, const char *text)
{
    if (!tq_lex_at(p, text)) return false;
    tq_lex_advance(p);
    return p->tok.kind != LEX_ERROR;
}

bool tq_lex_expect(struct traceql_parser *p, const char *text)
{
    char expected[32];
    if (tq_lex_accept(p, text)) return true;
    snprintf(expected, sizeof expected, "\"%s\"", text);
    return tq_parse_unexpected(p, expected);
}
