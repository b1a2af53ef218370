/* pattern.c - see pattern.h. A pattern is a list of pieces, captures and literals in turn. */
#include "query/logql/pattern.h"

#include "base/check.h"
#include "model/labels.h"

struct piece {
    bool is_capture;
    struct str text; /* the literal; or the name, empty: <_> */
};

struct line_pattern {
    struct piece *at;
    size_t n;
    struct str names[LINE_PATTERN_MAX];
    size_t n_names;
};

/* <name> at the front of s: its name and length, 0 when there is none. */
static size_t capture_at(struct str s, struct str *name)
{
    struct str rest;
    if (s.n < 3 || s.p[0] != '<' || memchr(s.p, '>', s.n) == NULL) return 0;
    *name = str_cut(str_make(s.p + 1, s.n - 1), '>', &rest);
    return label_name_is_plain(*name) ? name->n + 2 : 0;
}

static int add_piece(struct line_pattern *p, struct piece piece, struct arena *a, size_t *cap, struct err *e)
{
    if (piece.is_capture && p->n > 0 && p->at[p->n - 1].is_capture)
        return err_set(e, ERR_PARSE, "pattern has two captures with nothing between them");
    if (p->n >= 2 * LINE_PATTERN_MAX)
        return err_set(e, ERR_PARSE, "pattern of more than %d captures", LINE_PATTERN_MAX);
    p->at = arena_grow(a, p->at, p->n, cap, sizeof *p->at);
    p->at[p->n++] = piece;
    return OK;
}

static int add_capture(struct line_pattern *p, struct str name, bool with_names, struct arena *a, size_t *cap,
                       struct err *e)
{
    bool unnamed = str_is(name, "_");
    if (!unnamed && !with_names)
        return err_set(e, ERR_PARSE, "pattern filters know only <_>, not <%.*s>", STR_ARG(name));
    int rc = add_piece(p, (struct piece){ true, unnamed ? STR("") : name }, a, cap, e);
    if (rc < 0 || unnamed) return rc;
    for (size_t i = 0; i < p->n_names; i++)
        if (str_eq(p->names[i], name))
            return err_set(e, ERR_PARSE, "pattern has <%.*s> twice", STR_ARG(name));
    p->names[p->n_names++] = name;
    return OK;
}

static int check_pattern(const struct line_pattern *p, bool with_names, struct err *e)
{
    if (p->n == 0) return err_set(e, ERR_PARSE, "empty pattern");
    if (with_names && p->n_names == 0) return err_set(e, ERR_PARSE, "pattern without a named capture");
    return OK;
}

int line_pattern_new(struct str text, bool with_names, struct arena *a, struct line_pattern **out,
                     struct err *e)
{
    struct line_pattern *p = arena_zero(a, sizeof *p);
    size_t cap = 0, from = 0;
    int rc = OK;
    for (size_t i = 0; rc == OK && i <= text.n; i++) {
        struct str name = { NULL, 0 };
        size_t n = i < text.n ? capture_at(str_make(text.p + i, text.n - i), &name) : 0;
        if (n == 0 && i < text.n) continue;
        if (i > from)
            rc = add_piece(p, (struct piece){ false, str_make(text.p + from, i - from) }, a, &cap, e);
        if (rc == OK && n > 0) rc = add_capture(p, name, with_names, a, &cap, e);
        from = i + n;
        if (n > 0) i += n - 1;
    }
    if (rc == OK) rc = check_pattern(p, with_names, e);
    *out = p;
    return rc;
}

static size_t find(struct str s, struct str what)
{
    const char *at = memmem(s.p, s.n, what.p, what.n);
    return at ? (size_t)(at - s.p) : SIZE_MAX;
}

static struct str after(struct str s, size_t n)
{
    return str_make(s.p + n, s.n - n);
}

static bool begins(struct str s, struct str with)
{
    return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

bool line_pattern_matches(const struct line_pattern *p, struct str line)
{
    if (line.p == NULL) line = STR("");
    bool floats = false; /* the piece before was a capture */
    for (size_t i = 0; i < p->n; i++) {
        struct str text = p->at[i].text;
        if (p->at[i].is_capture) {
            floats = true;
            continue;
        }
        size_t at = 0;
        if (!floats && !begins(line, text)) return false;
        if (floats && i + 1 == p->n) /* the last literal stands at the end */
            return line.n >= text.n && memcmp(line.p + line.n - text.n, text.p, text.n) == 0;
        if (floats && (at = find(line, text)) == SIZE_MAX) return false;
        line = after(line, at + text.n);
        floats = false;
    }
    return floats || line.n == 0;
}

size_t line_pattern_capture(const struct line_pattern *p, struct str line, struct str *values)
{
    size_t found = 0, i = 0;
    if (line.p == NULL) return 0;
    if (!p->at[0].is_capture) {
        if (!begins(line, p->at[0].text)) return 0;
        line = after(line, p->at[i++].text.n);
    }
    for (; i < p->n; i += 2) { /* a capture and what ends it */
        bool named = p->at[i].text.n > 0;
        size_t at = i + 1 < p->n ? find(line, p->at[i + 1].text) : SIZE_MAX;
        if (named) values[found++] = at == SIZE_MAX ? line : str_make(line.p, at);
        if (at == SIZE_MAX) break; /* the last one, or its end is missing: it has the rest */
        line = after(line, at + p->at[i + 1].text.n);
    }
    return found;
}

const struct str *line_pattern_names(const struct line_pattern *p, size_t *n)
{
    *n = p->n_names;
    return p->names;
}

struct str line_pattern_literal(const struct line_pattern *p)
{
    struct str best = { NULL, 0 };
    for (size_t i = 0; i < p->n; i++)
        if (!p->at[i].is_capture && p->at[i].text.n > best.n) best = p->at[i].text;
    return best;
}
