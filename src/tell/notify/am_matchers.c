/* am_matchers.c - see am_matchers.h. Two small readers over one list. */
#include "tell/notify/am_matchers.h"

#include <stdlib.h>

#include "base/check.h"
#include "query/promql/lex.h"

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_reserved(char c)
{
    return is_blank(c) || memchr("{}!=~,\\\"'`", c, 10) != NULL;
}

static struct str trim(struct str s)
{
    while (s.n > 0 && is_blank(s.p[0])) s = str_make(s.p + 1, s.n - 1);
    while (s.n > 0 && is_blank(s.p[s.n - 1])) s.n--;
    return s;
}

int am_matchers_add(struct am_matchers *m, enum matcher_op op, struct str name, struct str value,
                    struct arena *a, struct err *e)
{
    if (m->n == AM_MATCHERS_MAX) return err_set(e, ERR_LIMIT, "more than %d matchers", AM_MATCHERS_MAX);
    m->at = arena_grow(a, m->at, m->n, &m->cap, sizeof *m->at);
    int rc = matcher_init(&m->at[m->n], op, arena_str(a, name), arena_str(a, value), e);
    if (rc == OK) m->n++;
    return rc;
}

/* An operator at the front of s; 0 when there is none, else its length. */
static size_t op_at(struct str s, enum matcher_op *op)
{
    static const struct {
        const char *text;
        enum matcher_op op;
    } ops[] = { { "=~", MATCH_RE }, { "!~", MATCH_NRE }, { "!=", MATCH_NEQ }, { "=", MATCH_EQ } };
    for (size_t i = 0; i < COUNT(ops); i++)
        if (str_starts(s, ops[i].text)) return *op = ops[i].op, strlen(ops[i].text);
    return 0;
}

/* ---- classic ---- */

static bool is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (!first && c >= '0' && c <= '9');
}

/* A backslash stands for itself unless n, " or another backslash follows. */
static bool classic_value(struct str raw, struct buf *out)
{
    bool quoted = raw.n > 0 && raw.p[0] == '"', closed = false;
    for (size_t i = quoted; i < raw.n; i++) {
        char c = raw.p[i];
        if (c == '"') {
            if (!quoted || i + 1 < raw.n) return false;
            closed = true;
        } else if (c != '\\' || i + 1 == raw.n) {
            buf_char(out, c);
        } else {
            char next = raw.p[++i];
            if (next != 'n' && next != '"' && next != '\\') buf_char(out, '\\');
            buf_char(out, next == 'n' ? '\n' : next);
        }
    }
    return quoted == closed && !out->full;
}

static int classic_one(struct str s, struct arena *a, struct am_matchers *m, struct err *e)
{
    size_t n = 0;
    enum matcher_op op;
    s = trim(s);
    while (n < s.n && is_name_char(s.p[n], n == 0)) n++;
    struct str name = { s.p, n }, rest = trim(str_make(s.p + n, s.n - n));
    size_t op_len = op_at(rest, &op);
    if (n == 0 || op_len == 0) return err_set(e, ERR_PARSE, "bad matcher format: %.*s", STR_ARG(s));

    struct buf value = BUF_INIT(LABEL_VALUE_MAX);
    int rc = OK;
    struct str raw = trim(str_make(rest.p + op_len, rest.n - op_len));
    if (!str_utf8_valid(raw))
        rc = err_set(e, ERR_PARSE, "matcher value not valid UTF-8: %.*s", STR_ARG(s));
    else if (!classic_value(raw, &value))
        rc = err_set(e, ERR_PARSE, "matcher value contains unescaped double quote: %.*s", STR_ARG(s));
    if (rc == OK) rc = am_matchers_add(m, op, name, buf_view(&value), a, e);
    buf_release(&value);
    return rc;
}

static int classic(struct str s, struct arena *a, struct am_matchers *m, struct err *e)
{
    bool quoted = false;
    int rc = OK;
    if (s.n > 0 && s.p[0] == '{') s = str_make(s.p + 1, s.n - 1);
    if (s.n > 0 && s.p[s.n - 1] == '}') s.n--;
    for (size_t from = 0, i = 0; i <= s.n && rc == OK; i++) {
        if (i < s.n && quoted && s.p[i] == '\\') {
            i++; /* whatever it escapes ends nothing */
        } else if (i < s.n && s.p[i] == '"') {
            quoted = !quoted;
        } else if (i == s.n || (s.p[i] == ',' && !quoted)) {
            struct str piece = { s.p + from, i - from };
            bool last = i == s.n;
            if (!last || trim(piece).n > 0) rc = classic_one(piece, a, m, e);
            from = i + 1;
        }
    }
    return rc;
}

/* ---- the newer grammar ---- */

struct cursor {
    const char *p, *end;
    struct arena *arena;
    struct err *e;
};

static struct str rest_of(const struct cursor *c)
{
    return str_make(c->p, (size_t)(c->end - c->p));
}

static void skip_blanks(struct cursor *c)
{
    while (c->p < c->end && is_blank(*c->p)) c->p++;
}

static bool take(struct cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->p == c->end || *c->p != wanted) return false;
    c->p++;
    return true;
}

/* A word, quoted or not. */
static int word(struct cursor *c, const char *what, struct str *out)
{
    skip_blanks(c);
    const char *from = c->p;
    if (c->p < c->end && *c->p == '"') {
        for (c->p++; c->p < c->end && *c->p != '"'; c->p++)
            if (*c->p == '\\' && c->p + 1 < c->end) c->p++;
        if (c->p == c->end)
            return err_set(c->e, ERR_PARSE, "missing closing quote in %.*s", (int)(c->end - from), from);
        c->p++;
        return lex_unquote(str_make(from, (size_t)(c->p - from)), c->arena, out, c->e);
    }
    while (c->p < c->end && !is_reserved(*c->p)) c->p++;
    *out = str_make(from, (size_t)(c->p - from));
    if (out->n == 0) return err_set(c->e, ERR_PARSE, "expected %s at \"%.*s\"", what, STR_ARG(rest_of(c)));
    return OK;
}

static int modern_one(struct cursor *c, struct am_matchers *m)
{
    struct str name, value;
    enum matcher_op op;
    int rc = word(c, "a label name", &name);
    if (rc < 0) return rc;
    skip_blanks(c);
    size_t n = op_at(rest_of(c), &op);
    if (n == 0) return err_set(c->e, ERR_PARSE, "expected =, !=, =~ or !~ at \"%.*s\"", STR_ARG(rest_of(c)));
    c->p += n;
    if ((rc = word(c, "a value", &value)) < 0) return rc;
    if (name.n == 0 || !str_utf8_valid(name) || !str_utf8_valid(value))
        return err_set(c->e, ERR_PARSE, "a name that is empty or a text that is not UTF-8");
    return am_matchers_add(m, op, name, value, c->arena, c->e);
}

static int modern(struct str s, struct arena *a, struct am_matchers *m, struct err *e)
{
    struct cursor c = { s.p, s.p + s.n, a, e };
    bool braces = take(&c, '{');
    bool closed = braces && take(&c, '}');

    while (!closed) {
        int rc = modern_one(&c, m);
        if (rc < 0) return rc;
        bool comma = take(&c, ',');
        closed = braces ? take(&c, '}') : (skip_blanks(&c), c.p == c.end);
        if (!comma && !closed)
            return err_set(e, ERR_PARSE, "expected a comma or the end at \"%.*s\"", STR_ARG(rest_of(&c)));
    }
    skip_blanks(&c);
    return c.p == c.end ? OK : err_set(e, ERR_PARSE, "expected the end at \"%.*s\"", STR_ARG(rest_of(&c)));
}

/* ---- both ---- */

static void cut_back(struct am_matchers *m, size_t n)
{
    while (m->n > n) matcher_release(&m->at[--m->n]);
}

int am_matchers_parse(struct str text, struct arena *a, struct am_matchers *m, struct err *e)
{
    size_t before = m->n;
    struct err classic_error = ERR_INIT;
    text = trim(text);
    int rc = classic(text, a, m, &classic_error);
    if (rc == OK) return OK;
    cut_back(m, before);
    if ((rc = modern(text, a, m, e)) < 0) cut_back(m, before);
    return rc;
}

void am_matchers_release(struct am_matchers *m)
{
    cut_back(m, 0);
}

static int order(const void *pa, const void *pb)
{
    const struct matcher *a = pa, *b = pb;
    int c = str_cmp(a->name, b->name);
    if (c == 0) c = str_cmp(a->value, b->value);
    return c != 0 ? c : (int)a->op - (int)b->op;
}

void am_matchers_sort(struct am_matchers *m)
{
    if (m->n > 1) qsort(m->at, m->n, sizeof *m->at, order);
}

static void put_escaped(struct buf *b, struct str s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\\' || c == '"' || c == '\n') buf_char(b, '\\');
        buf_char(b, c == '\n' ? 'n' : c);
    }
    buf_char(b, '"');
}

void am_matcher_print(struct buf *b, const struct matcher *m)
{
    bool odd = false;
    for (size_t i = 0; i < m->name.n; i++) odd |= is_reserved(m->name.p[i]);
    if (odd)
        put_escaped(b, m->name);
    else
        buf_str(b, m->name);
    buf_cs(b, matcher_op_text(m->op));
    put_escaped(b, m->value);
}

void am_matchers_print(struct buf *b, const struct am_matchers *m)
{
    buf_char(b, '{');
    for (size_t i = 0; i < m->n; i++) {
        if (i > 0) buf_char(b, ',');
        am_matcher_print(b, &m->at[i]);
    }
    buf_char(b, '}');
}
