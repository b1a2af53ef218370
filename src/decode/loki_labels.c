#include "decode/loki_labels.h"

#include "base/check.h"
#include "decode/utf8.h"

struct cursor {
    const char *begin, *p, *end;
    struct err *err;
};

static int fail(const struct cursor *c, const char *why)
{
    return err_set(c->err, ERR_PARSE, "labels, byte %zu: %s", (size_t)(c->p - c->begin), why);
}

static void skip_blanks(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r')) c->p++;
}

static bool take(struct cursor *c, char want)
{
    skip_blanks(c);
    if (c->p == c->end || *c->p != want) return false;
    c->p++;
    return true;
}

static bool is_name_char(char ch, bool first)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_' ||
           (!first && ch >= '0' && ch <= '9');
}

bool loki_is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_name_char(s.p[i], i == 0)) return false;
    return s.n > 0;
}

static int take_name(struct cursor *c, struct str *out)
{
    skip_blanks(c);
    const char *from = c->p;
    while (c->p < c->end && is_name_char(*c->p, c->p == from)) c->p++;
    *out = str_make(from, (size_t)(c->p - from));
    return out->n > 0 ? OK : fail(c, "expected the name of a label");
}

/* ---- values ---- */

/* n digits of base 8 or 16 at the cursor. */
static int take_number(struct cursor *c, int n, unsigned base, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, c->p++) {
        char ch = c->p < c->end ? *c->p : 0;
        unsigned digit = ch >= '0' && ch <= '9'                     ? (unsigned)(ch - '0')
                         : (ch | 0x20) >= 'a' && (ch | 0x20) <= 'f' ? (unsigned)((ch | 0x20) - 'a' + 10)
                                                                    : 99;
        if (digit >= base) return fail(c, "expected a digit of an escape");
        *out = *out * base + digit;
    }
    return OK;
}

static int take_escape(struct cursor *c, char **to)
{
    static const char from[] = "abfnrtv\\'\"", into[] = "\a\b\f\n\r\t\v\\'\"";
    uint32_t v;
    if (c->p == c->end) return fail(c, "the text ends too early");
    char ch = *c->p;
    const char *known = ch ? strchr(from, ch) : NULL;
    if (known != NULL) {
        *(*to)++ = into[known - from];
        c->p++;
        return OK;
    }
    if (ch >= '0' && ch <= '7') {
        if (take_number(c, 3, 8, &v) < 0) return ERR_PARSE;
        if (v > 255) return fail(c, "an escape beyond one byte");
        *(*to)++ = (char)v;
        return OK;
    }
    int digits = ch == 'x' ? 2 : ch == 'u' ? 4 : ch == 'U' ? 8 : 0;
    if (digits == 0) return fail(c, "no such escape");
    c->p++;
    if (take_number(c, digits, 16, &v) < 0) return ERR_PARSE;
    if (digits == 2) {
        *(*to)++ = (char)v;
        return OK;
    }
    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff)) return fail(c, "an escape that is no character");
    *to += utf8_put(*to, v);
    return OK;
}

/* No escape makes text longer than it is. */
static int take_value(struct cursor *c, struct arena *a, struct str *out)
{
    skip_blanks(c);
    char quote = c->p < c->end ? *c->p : 0;
    if (quote != '"' && quote != '`' && quote != '\'') return fail(c, "expected a quoted value");
    const char *from = ++c->p;
    char *text = NULL, *to = NULL;
    while (c->p < c->end && *c->p != quote) {
        if (*c->p == '\\' && quote != '`') {
            if (text == NULL) {
                to = text = arena_alloc(a, (size_t)(c->end - from) + 4);
                memcpy(to, from, (size_t)(c->p - from));
                to += c->p - from;
            }
            c->p++;
            if (take_escape(c, &to) < 0) return ERR_PARSE;
            continue;
        }
        if (*c->p == '\n' && quote != '`') return fail(c, "a line break in a quoted value");
        if (text != NULL) *to++ = *c->p;
        c->p++;
    }
    if (c->p == c->end) return fail(c, "the value has no closing quote");
    *out = text != NULL ? str_make(text, (size_t)(to - text)) : str_make(from, (size_t)(c->p - from));
    c->p++;
    return OK;
}

/* ---- all of them ---- */

static const struct attr *find(const struct attr_list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_is(l->at[i].name, name)) return &l->at[i];
    return NULL;
}

static int take_pair(struct cursor *c, struct record_sink *s, struct attr_list *l)
{
    struct str name, value;
    int rc = take_name(c, &name);
    if (rc < 0) return rc;
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->at[i].name, name)) return fail(c, "a label given twice");
    if (!take(c, '=')) return fail(c, "expected =");
    if ((rc = take_value(c, s->at, &value)) < 0) return rc;
    if (l->n == 256) return fail(c, "more than 256 labels");
    record_put_text(s, l, name, value);
    return OK;
}

int loki_labels(struct str text, struct record_sink *s, struct attr_list *l, struct err *e)
{
    struct cursor c = { text.p, text.p, text.p + text.n, e };
    int rc;
    if (!take(&c, '{')) return fail(&c, "expected {");
    do {
        skip_blanks(&c);
        if (l->n > 0 && c.p < c.end && *c.p == '}') break; /* after the last comma */
        if ((rc = take_pair(&c, s, l)) < 0) return rc;
    } while (take(&c, ','));
    if (!take(&c, '}')) return fail(&c, "expected , or }");
    skip_blanks(&c);
    return c.p == c.end ? OK : fail(&c, "something follows the labels");
}

void loki_service(struct record_sink *s, struct attr_list *l)
{
    static const char *const from[] = { "service",
                                        "app",
                                        "application",
                                        "app_name",
                                        "name",
                                        "app_kubernetes_io_name",
                                        "container",
                                        "container_name",
                                        "k8s_container_name",
                                        "component",
                                        "workload",
                                        "job",
                                        "k8s_job_name" };
    for (size_t i = 0; i < l->n; i++)
        if (str_is(l->at[i].name, "service_name")) {
            l->at[i].name = STR("service.name");
            return;
        }
    for (size_t i = 0; i < COUNT(from); i++) {
        const struct attr *label = find(l, from[i]);
        if (label == NULL || label->value.type != VALUE_STR) continue;
        struct value v = label->value;
        record_put(s, l, STR("service.name"), v);
        return;
    }
}
