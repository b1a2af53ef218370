/* quote.c - PromQL strings as written and as meant: Go's escapes, both ways. */
#include "query/promql/lex.h"

#include "base/check.h"

/* ---- written to meant ---- */

static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    return (unsigned)((c | 0x20) - 'a') + 10;
}

static size_t utf8_put(char *out, uint32_t r)
{
    if (r < 0x80) {
        out[0] = (char)r;
        return 1;
    }
    size_t n = r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, r >>= 6) out[i] = (char)(0x80 | (r & 0x3f));
    out[0] = (char)((0xf00 >> n) | r); /* 110x, 1110, 11110 */
    return n;
}

/* The escape at s->p[0] (after the backslash) into out; how many bytes it wrote, 0 when it is none. */
static size_t unescape(struct str *s, char *out)
{
    static const char plain[] = "abfnrtv\\'\"", meant[] = "\a\b\f\n\r\t\v\\'\"";
    if (s->n == 0) return 0;
    char c = s->p[0];
    const char *at = c ? strchr(plain, c) : NULL;
    if (at) {
        out[0] = meant[at - plain];
        *s = str_make(s->p + 1, s->n - 1);
        return 1;
    }

    bool octal = c >= '0' && c <= '7';
    size_t digits = octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    size_t from = octal ? 0 : 1;
    if (digits == 0 || s->n < from + digits) return 0;
    uint32_t r = 0;
    for (size_t i = from; i < from + digits; i++) {
        unsigned d = digit_of(s->p[i]);
        if (d >= (octal ? 8u : 16u)) return 0;
        r = r * (octal ? 8 : 16) + d;
    }
    *s = str_make(s->p + from + digits, s->n - from - digits);
    if (octal || c == 'x') { /* a byte, not a character */
        out[0] = (char)r;
        return r <= 255 ? 1 : 0;
    }
    return r > 0x10ffff || (r >= 0xd800 && r < 0xe000) ? 0 : utf8_put(out, r);
}

int lex_unquote(struct str quoted, struct arena *a, struct str *out, struct err *e)
{
    check(quoted.n >= 2);
    struct str s = str_make(quoted.p + 1, quoted.n - 2);
    if (quoted.p[0] == '`' || !memchr(s.p, '\\', s.n)) {
        *out = s;
        return OK;
    }
    char *p = arena_alloc(a, s.n); /* an escape is never shorter than what it means */
    size_t n = 0;
    while (s.n > 0) {
        if (s.p[0] != '\\') {
            p[n++] = s.p[0];
            s = str_make(s.p + 1, s.n - 1);
            continue;
        }
        s = str_make(s.p + 1, s.n - 1);
        size_t k = unescape(&s, p + n);
        if (k == 0) return err_set(e, ERR_PARSE, "invalid escape in string %.*s", STR_ARG(quoted));
        n += k;
    }
    *out = str_make(p, n);
    return OK;
}

/* ---- meant to written ---- */

/* Length of the UTF-8 character at s, and its code point; 0 when the bytes are none. */
static size_t utf8_take(struct str s, uint32_t *r)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (s.n < n || !str_utf8_valid(str_make(s.p, n))) return 0;
    *r = n == 1 ? c : c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) *r = *r << 6 | ((unsigned char)s.p[i] & 0x3f);
    return n;
}

/* Characters that show nothing, or would change how the rest is shown. */
static bool is_printable(uint32_t r)
{
    static const struct {
        uint32_t from, to;
    } hidden[] = {
        { 0x0, 0x1f },      { 0x7f, 0xa0 },     { 0xad, 0xad },        { 0x600, 0x605 },   { 0x61c, 0x61c },
        { 0x6dd, 0x6dd },   { 0x70f, 0x70f },   { 0x1680, 0x1680 },    { 0x180e, 0x180e }, { 0x2000, 0x200f },
        { 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x3000, 0x3000 },    { 0xe000, 0xf8ff }, { 0xfeff, 0xfeff },
        { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0x10ffff },
    };
    for (size_t i = 0; i < COUNT(hidden); i++)
        if (r >= hidden[i].from && r <= hidden[i].to) return false;
    return true;
}

static void put_escaped(struct buf *out, uint32_t r)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\\"", letter[] = "abfnrtv\\\"";
    const char *at = r && r < 0x80 ? strchr(plain, (int)r) : NULL;

    if (at)
        buf_printf(out, "\\%c", letter[at - plain]);
    else if (r < 0x80)
        buf_printf(out, "\\x%02x", r);
    else
        buf_printf(out, r < 0x10000 ? "\\u%04x" : "\\U%08x", r);
}

void lex_quote(struct buf *out, struct str s, size_t max_runes)
{
    buf_char(out, '"');
    for (size_t runes = 0; s.n > 0 && (max_runes == 0 || runes < max_runes); runes++) {
        uint32_t r = 0;
        size_t n = utf8_take(s, &r);
        if (n == 0) {
            buf_printf(out, "\\x%02x", (unsigned char)s.p[0]);
            n = 1;
        } else if (r == '"' || r == '\\' || !is_printable(r)) {
            put_escaped(out, r);
        } else {
            buf_add(out, s.p, n);
        }
        s = str_make(s.p + n, s.n - n);
    }
    buf_char(out, '"');
}

/* ---- tokens in error texts ---- */

static void quote_short(struct buf *out, struct str text)
{
    lex_quote(out, text, 10);
    if (text.n > 10) buf_cs(out, "...");
}

void token_describe(const struct token *t, struct buf *out)
{
    static const char *const kinds[] = {
        [TOK_IDENT] = "identifier ", [TOK_METRIC_IDENT] = "metric identifier ",
        [TOK_NUMBER] = "number ",    [TOK_DURATION] = "duration ",
        [TOK_STRING] = "string ",
    };
    switch (t->kind) {
    case TOK_EOF: buf_cs(out, "end of input"); return;
    case TOK_OP:
    case TOK_MATCH_RE:
    case TOK_MATCH_NRE:
    case TOK_AT: buf_printf(out, "<op:%.*s>", STR_ARG(t->text)); return;
    case TOK_AGG: buf_printf(out, "<aggr:%.*s>", STR_ARG(t->text)); return;
    case TOK_IDENT:
    case TOK_METRIC_IDENT:
        buf_cs(out, kinds[t->kind]);
        lex_quote(out, t->text, 0);
        return;
    case TOK_NUMBER:
    case TOK_DURATION:
    case TOK_STRING: buf_cs(out, kinds[t->kind]); break;
    default:
        if (t->kind >= TOK_BOOL && t->kind <= TOK_SMOOTHED) {
            buf_printf(out, "<%.*s>", STR_ARG(t->text));
            return;
        }
    }
    quote_short(out, t->text);
}
