/* parsers.c - json, logfmt and unpack: labels out of structured lines. */
#include "base/check.h"
#include "base/json.h"
#include "query/logql/json_path.h"
#include "query/logql/pipeline.h"
#include "query/promql/lex.h"

struct parsing {
    struct pipeline *p;
    struct json_reader r;
    unsigned no;
};

static void json_error(struct pipeline *p, const struct err *why)
{
    lset_error(&p->labels, "JSONParserErr", arena_str(&p->scratch, str_of(why->text)));
}

/* ---- json: every property, nested ones flattened with _ ---- */

/* prefix_key, as a label name. */
static struct str joined(struct parsing *x, struct str prefix, struct str key)
{
    key = label_sanitised(key, &x->p->scratch);
    return prefix.n == 0 ? key : arena_printf(&x->p->scratch, "%.*s_%.*s", STR_ARG(prefix), STR_ARG(key));
}

static void json_object_labels(struct parsing *x, struct str prefix)
{
    struct json_reader *r = &x->r;
    struct str key, value;
    bool flag;
    for (json_object(r); json_key(r, &key);) {
        enum json_kind kind = json_peek(r);
        struct str name = kind == JSON_ARRAY || kind == JSON_NULL ? key : joined(x, prefix, key);
        switch (kind) {
        case JSON_OBJECT: json_object_labels(x, name); continue;
        case JSON_STRING:
            if (!json_string(r, &value)) return;
            break;
        case JSON_NUMBER:
            if (!json_number_text(r, &value)) return;
            break;
        case JSON_BOOL:
            if (!json_bool(r, &flag)) return;
            value = flag ? STR("true") : STR("false");
            break;
        default: json_skip(r); continue; /* arrays are skipped; null is no value */
        }
        lset_extract(&x->p->labels, name, value, x->no, &x->p->scratch);
    }
}

/* ---- json with expressions ---- */

static bool json_step_into(struct json_reader *r, const struct json_step *s)
{
    struct str key;
    if (s->key.p != NULL) {
        if (json_peek(r) != JSON_OBJECT || !json_object(r)) return false;
        while (json_key(r, &key)) {
            if (str_eq(key, s->key)) return true;
            json_skip(r);
        }
        return false;
    }
    if (json_peek(r) != JSON_ARRAY || !json_array(r)) return false;
    for (size_t i = 0; json_next(r); i++) {
        if (i == s->index) return true;
        json_skip(r);
    }
    return false;
}

static void json_expression(struct pipeline *p, const struct label_expr *x, unsigned no)
{
    struct json_reader r;
    struct err why = ERR_INIT;
    struct str value;
    json_open(&r, p->line, &p->scratch);
    if (json_peek(&r) != JSON_OBJECT && json_peek(&r) != JSON_ARRAY) json_fail(&r, "no object");
    for (size_t i = 0; i < x->path->n; i++) {
        if (json_step_into(&r, &x->path->steps[i])) continue;
        if (r.failed && json_close(&r, &why) < 0) json_error(p, &why);
        return; /* no such thing: no label */
    }
    enum json_kind kind = json_peek(&r);
    if (kind == JSON_NULL) return;
    if (kind == JSON_STRING ? json_string(&r, &value) : json_raw(&r, &value))
        lset_extract(&p->labels, x->name, value, no, &p->scratch);
    else if (json_close(&r, &why) < 0)
        json_error(p, &why);
}

void parse_json(struct pipeline *p, const struct stage *s, unsigned no)
{
    struct parsing x = { .p = p, .no = no };
    struct err why = ERR_INIT;
    for (size_t i = 0; i < s->n_exprs; i++) json_expression(p, &s->exprs[i], no);
    if (s->n_exprs > 0) return;
    json_open(&x.r, p->line, &p->scratch);
    x.r.repair = true;
    if (json_peek(&x.r) != JSON_OBJECT)
        json_fail(&x.r, "no object");
    else
        json_object_labels(&x, STR(""));
    if (json_close(&x.r, &why) < 0) json_error(p, &why);
}

/* ---- unpack: what Promtail's pack stage has packed ---- */

void parse_unpack(struct pipeline *p, unsigned no)
{
    struct json_reader r;
    struct err why = ERR_INIT;
    struct str key, value, entry = p->line;
    json_open(&r, p->line, &p->scratch);
    if (json_peek(&r) != JSON_OBJECT) json_fail(&r, "no object");
    for (json_object(&r); json_key(&r, &key);) {
        if (json_peek(&r) != JSON_STRING) {
            json_skip(&r); /* only texts are packed */
            continue;
        }
        if (!json_string(&r, &value)) break;
        if (str_is(key, "_entry"))
            entry = value;
        else
            lset_extract(&p->labels, label_sanitised(key, &p->scratch), value, no, &p->scratch);
    }
    if (json_close(&r, &why) < 0)
        json_error(p, &why);
    else
        p->line = entry;
}

/* ---- logfmt ---- */

struct pair {
    struct str key, value;
    bool has_value;  /* there was a = */
    const char *bad; /* why it is none */
};

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

static struct str unquoted(struct str quoted, struct arena *a)
{
    struct str out;
    if (memchr(quoted.p, '\\', quoted.n) == NULL) return str_make(quoted.p + 1, quoted.n - 2);
    return lex_unquote(quoted, a, &out, NULL) == OK ? out : str_make(quoted.p + 1, quoted.n - 2);
}

static void take_value(struct str s, size_t *at, struct arena *a, struct pair *out)
{
    size_t i = *at, from = i;
    if (i < s.n && s.p[i] == '"') {
        for (i++; i < s.n && s.p[i] != '"'; i++) i += s.p[i] == '\\';
        if (i >= s.n)
            out->bad = "unterminated quoted value";
        else
            out->value = unquoted(str_make(s.p + from, ++i - from), a);
        if (i < s.n && !is_blank(s.p[i])) out->bad = "unexpected character after a quoted value";
    }
    size_t plain = i;
    for (; i < s.n && !is_blank(s.p[i]); i++)
        if (s.p[i] == '=' || s.p[i] == '"') out->bad = "unexpected '=' or '\"' in a value";
    if (plain == from) out->value = str_make(s.p + from, i - from);
    *at = MIN(i, s.n);
}

/* The next key=value, key or what is neither; false at the end. */
static bool next_pair(struct str s, size_t *at, struct arena *a, struct pair *out)
{
    size_t i = *at, from;
    *out = (struct pair){ 0 };
    while (i < s.n && is_blank(s.p[i])) i++;
    if (i >= s.n) return false;
    for (from = i; i < s.n && s.p[i] != '=' && !is_blank(s.p[i]); i++)
        if (s.p[i] == '"') out->bad = "unexpected '\"' in a key";
    out->key = str_make(s.p + from, i - from);
    if (i < s.n && s.p[i] == '=') {
        if (out->key.n == 0) out->bad = "a value without a key";
        out->has_value = true;
        i++;
        take_value(s, &i, a, out);
    }
    *at = i;
    return true;
}

static void logfmt_label(struct pipeline *p, const struct stage *s, const struct pair *x, unsigned no)
{
    if (s->n_exprs == 0) {
        if (!x->has_value && !s->keep_empty) return;
        lset_extract(&p->labels, label_sanitised(x->key, &p->scratch), x->value, no, &p->scratch);
        return;
    }
    for (size_t i = 0; i < s->n_exprs; i++)
        if (str_eq(s->exprs[i].text, x->key))
            lset_extract(&p->labels, s->exprs[i].name, x->value, no, &p->scratch);
}

void parse_logfmt(struct pipeline *p, const struct stage *s, unsigned no)
{
    struct str line = p->line;
    struct pair x;
    for (size_t at = 0; next_pair(line, &at, &p->scratch, &x);) {
        if (x.bad == NULL) {
            logfmt_label(p, s, &x, no);
        } else if (s->strict) {
            lset_error(&p->labels, "LogfmtParserErr",
                       arena_printf(&p->scratch, "logfmt syntax error at pos %zu: %s", at, x.bad));
            return;
        }
    }
}
