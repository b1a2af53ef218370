/* prom_text_series.c - the text that names a series, and exemplars.
 *
 *     name    name{a="b",c="d",}    {"odd name",a="b"}    name{"odd.label"="b"}
 *
 * Blanks are allowed between all pieces. Strings without a backslash are borrowed, others unescaped into the
 * arena. */
#include "decode/prom_text.h"

#include "base/check.h"

struct scan {
    const char *p, *end;
    struct arena *arena;
    const char *why; /* the first objection; all later steps do nothing */
    bool is_limit;   /* it is about too much, not about the form */
};

static bool fail(struct scan *s, const char *why)
{
    if (s->why == NULL) s->why = why;
    return false;
}

static void blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t')) s->p++;
}

static bool at(const struct scan *s, char c)
{
    return s->p < s->end && *s->p == c;
}

static bool eat(struct scan *s, char c)
{
    blanks(s);
    if (!at(s, c)) return false;
    s->p++;
    blanks(s);
    return true;
}

struct str prom_text_unescape(struct str text, struct arena *a)
{
    if (text.n == 0 || memchr(text.p, '\\', text.n) == NULL) return text;
    char *to = arena_alloc(a, text.n);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : 0;
        if (c == '\\' && (next == '\\' || next == '"' || next == 'n')) {
            c = next == 'n' ? '\n' : next;
            i++;
        }
        to[n++] = c; /* a backslash before anything else stands for itself */
    }
    return (struct str){ to, n };
}

/* The first quote with an even number of backslashes before it; NULL when there is none. */
static const char *closing_quote(const char *begin, const char *end)
{
    for (const char *p = begin; p < end; p++) {
        p = memchr(p, '"', (size_t)(end - p));
        if (p == NULL) return NULL;
        const char *slash = p;
        while (slash > begin && slash[-1] == '\\') slash--;
        if ((p - slash) % 2 == 0) return p;
    }
    return NULL;
}

static bool quoted(struct scan *s, struct str *out)
{
    if (!at(s, '"')) return fail(s, "a quoted string is missing");
    const char *begin = ++s->p;
    const char *quote = closing_quote(begin, s->end);
    if (quote == NULL) return fail(s, "a quoted string has no end");
    s->p = quote;
    *out = prom_text_unescape((struct str){ begin, (size_t)(s->p - begin) }, s->arena);
    s->p++;
    return true;
}

/* A bare name: everything up to a sign of the grammar; whoever asked checks its letters. */
static struct str bare(struct scan *s)
{
    static const bool is_sign[256] = {
        [' '] = 1, ['\t'] = 1, ['{'] = 1, ['}'] = 1, ['='] = 1, [','] = 1, ['"'] = 1
    };
    const char *begin = s->p;
    while (s->p < s->end && !is_sign[(unsigned char)*s->p]) s->p++;
    return (struct str){ begin, (size_t)(s->p - begin) };
}

static bool label_name(struct scan *s, struct str *out)
{
    if (at(s, '"')) return quoted(s, out);
    *out = bare(s);
    return label_name_is_plain(*out) || fail(s, "a label name is not valid (quote names with odd letters)");
}

struct pairs {
    struct label *at;
    size_t n, cap;
};

static bool add(struct scan *s, struct pairs *p, struct str name, struct str value)
{
    if (p->n == LABELS_MAX) {
        s->is_limit = s->why == NULL;
        return fail(s, "too many labels");
    }
    p->at = arena_grow(s->arena, p->at, p->n, &p->cap, sizeof *p->at);
    p->at[p->n++] = (struct label){ name, value };
    return true;
}

/* One piece between commas: name="value", or (the metric's name) a quoted string alone. */
static bool pair(struct scan *s, struct pairs *p, bool *has_name)
{
    struct str name, value;
    bool was_quoted = at(s, '"');
    if (!label_name(s, &name)) return false;
    if (eat(s, '=')) return quoted(s, &value) && add(s, p, name, value);
    if (!was_quoted) return fail(s, "a label has no value");
    if (*has_name) return fail(s, "a second metric name");
    *has_name = true;
    return add(s, p, STR(LABEL_NAME), name);
}

static bool braces(struct scan *s, struct pairs *p, bool *has_name)
{
    if (!eat(s, '{')) return fail(s, "{ is missing");
    while (!eat(s, '}')) {
        if (!pair(s, p, has_name)) return false;
        if (eat(s, ',')) continue; /* one may follow the last, too */
        if (!eat(s, '}')) return fail(s, "labels do not end with }");
        return true;
    }
    return true;
}

int prom_text_series(struct str series, size_t spare, struct arena *a, struct label **out, size_t *n_out,
                     struct err *e)
{
    struct scan s = { .p = series.p, .end = series.p + series.n, .arena = a };
    struct pairs p = { arena_array(a, 16 + spare, sizeof *p.at), 0, 16 };
    bool has_name = false;

    blanks(&s);
    if (s.p < s.end && *s.p != '{') {
        struct str name = bare(&s);
        has_name = true;
        if (!metric_name_is_plain(name))
            fail(&s, "the metric name is not valid (quote names with odd letters)");
        add(&s, &p, STR(LABEL_NAME), name);
        blanks(&s);
    }
    if (s.why == NULL && s.p < s.end) braces(&s, &p, &has_name);
    if (s.why == NULL && s.p < s.end) fail(&s, "unexpected text after the labels");
    if (s.why == NULL && !has_name) fail(&s, "a series without a metric name");
    if (s.why != NULL)
        return err_set(e, s.is_limit ? ERR_LIMIT : ERR_PARSE, "%s: \"%.*s\"", s.why,
                       (int)MIN(series.n, (size_t)100), series.p);

    if (p.cap > 16) { /* it has grown: the spare places went */
        struct label *roomy = arena_array(a, p.n + spare, sizeof *roomy);
        memcpy(roomy, p.at, p.n * sizeof *roomy);
        p.at = roomy;
    }
    *out = p.at;
    *n_out = p.n;
    return OK;
}

/* value [seconds] */
static bool exemplar_numbers(struct scan *s, struct prom_text_exemplar *x)
{
    struct str piece = bare(s);
    double seconds;
    if (!prom_text_number(piece, &x->value)) return fail(s, "the exemplar's value is not a number");
    blanks(s);
    if (s->p == s->end) return true;
    piece = bare(s);
    if (!prom_text_number(piece, &seconds) || !(seconds > -9e15 && seconds < 9e15))
        return fail(s, "the exemplar's timestamp is not valid");
    x->time_ms = (int64_t)(seconds * 1000 + (seconds < 0 ? -0.5 : 0.5));
    x->has_time = true;
    blanks(s);
    return s->p == s->end || fail(s, "unexpected text after the exemplar");
}

int prom_text_exemplar(struct str text, struct arena *a, struct prom_text_exemplar *out, struct err *e)
{
    struct scan s = { .p = text.p, .end = text.p + text.n, .arena = a };
    struct pairs p = { NULL, 0, 0 };
    bool has_name = true; /* a name has no place here */

    *out = (struct prom_text_exemplar){ .value = 0 };
    if (braces(&s, &p, &has_name)) exemplar_numbers(&s, out);
    if (s.why != NULL)
        return err_set(e, ERR_PARSE, "%s: \"%.*s\"", s.why, (int)MIN(text.n, (size_t)100), text.p);
    if (p.n > 0) {
        int rc = labels_normalise(p.at, &p.n, e);
        if (rc < 0) return rc;
    }
    out->labels = (struct labels){ p.at, p.n };
    return OK;
}
