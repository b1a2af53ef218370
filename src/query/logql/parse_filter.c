/* parse_filter.c - label filters, and what stages need compiled. */
#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "query/logql/ip.h"
#include "query/logql/json_path.h"
#include "query/logql/parser.h"
#include "query/logql/pattern.h"
#include "query/logql/template_loki.h"

/* ---- label filters ---- */

static const struct {
    const char *sign;
    enum compare_op op;
} compare_ops[] = { { "==", CMP_EQ }, { "=", CMP_EQ },  { "!=", CMP_NE }, { ">=", CMP_GE },
                    { ">", CMP_GT },  { "<=", CMP_LE }, { "<", CMP_LT } };

struct str compare_op_text(enum compare_op op)
{
    for (size_t i = 0; i < COUNT(compare_ops); i++)
        if (compare_ops[i].op == op) return str_of(compare_ops[i].sign);
    return STR("");
}

static bool take_compare_op(struct logql_parser *p, enum compare_op *out)
{
    for (size_t i = 0; i < COUNT(compare_ops); i++) {
        if (!logql_accept(p, compare_ops[i].sign)) continue;
        *out = compare_ops[i].op;
        return true;
    }
    logql_unexpected(p, "a comparison");
    return false;
}

/* A number, a duration or a size, told apart by how it is written. */
static bool take_quantity(struct logql_parser *p, struct label_filter *f)
{
    bool negative = logql_at(p, "-");
    int64_t ns;
    if (negative || logql_at(p, "+")) logql_advance(p);
    if (p->tok.kind != LEX_NUMBER) return logql_unexpected(p, "a string, number, duration or size"), false;
    f->text = p->tok.text;
    if (float_parse(f->text, &f->number) && isfinite(f->number)) {
        f->kind = FILTER_NUMBER;
    } else if (logql_duration(f->text, &ns)) {
        f->kind = FILTER_DURATION;
        f->number = (double)ns;
    } else if (logql_bytes(f->text, &f->number)) {
        f->kind = FILTER_BYTES;
    } else {
        return logql_unexpected(p, "a number, duration or size"), false;
    }
    if (negative) {
        f->number = -f->number;
        f->text = arena_printf(p->arena, "-%.*s", STR_ARG(f->text));
    }
    logql_advance(p);
    return true;
}

static bool take_ip(struct logql_parser *p, struct label_filter *f)
{
    struct err why = ERR_INIT;
    uint32_t pos = p->tok.pos;
    logql_advance(p);
    f->kind = FILTER_IP;
    if (f->op != CMP_EQ && f->op != CMP_NE) return logql_fail(p, pos, "ip() goes with = and != only"), false;
    if (!logql_expect(p, "(") || !logql_take_string(p, &f->text) || !logql_expect(p, ")")) return false;
    if (ip_set_new(f->text, p->arena, &f->ip, &why) < 0) return logql_fail(p, pos, "%s", why.text), false;
    return true;
}

static bool take_comparison(struct logql_parser *p, struct label_filter *f)
{
    enum matcher_op op;
    uint32_t pos = p->tok.pos;
    struct lex_token value = logql_peek(p);
    if (logql_match_op(p, &op) && value.kind == LEX_STRING) {
        logql_advance(p);
        f->kind = FILTER_STRING;
        return logql_take_string(p, &f->text) && logql_matcher(p, op, f->name, f->text, pos, &f->matcher);
    }
    if (!take_compare_op(p, &f->op)) return false;
    return logql_at(p, "ip") ? take_ip(p, f) : take_quantity(p, f);
}

static struct label_filter *parse_unit(struct logql_parser *p)
{
    if (logql_at(p, "(")) {
        if (!logql_enter(p)) return NULL;
        logql_advance(p);
        struct label_filter *inner = logql_parse_label_filter(p);
        p->depth--;
        return inner && logql_expect(p, ")") ? inner : NULL;
    }
    struct label_filter *f = arena_zero(p->arena, sizeof *f);
    if (!logql_count_term(p) || !logql_take_name(p, &f->name) || !take_comparison(p, f)) return NULL;
    return f;
}

/* From left to right: `and` and `or` bind alike, as the language's documentation has it. A comma, or nothing
 * at all, is `and`. */
struct label_filter *logql_parse_label_filter(struct logql_parser *p)
{
    struct label_filter *left = parse_unit(p);
    while (left != NULL) {
        bool is_or = logql_at(p, "or"), is_and = logql_at(p, "and") || logql_at(p, ",");
        if (!is_or && !is_and && p->tok.kind != LEX_IDENT && !logql_at(p, "(")) return left;
        if (!is_or && !is_and && logql_at(p, "offset")) return left; /* {...}[5m] | a > 1 offset 1h */
        if (is_or || is_and) logql_advance(p);
        struct label_filter *right = parse_unit(p), *both = arena_zero(p->arena, sizeof *both);
        if (right == NULL) return NULL;
        *both = (struct label_filter){ .kind = is_or ? FILTER_OR : FILTER_AND, .left = left, .right = right };
        left = both;
    }
    return NULL;
}

/* ---- what is compiled ---- */

static bool told(struct logql_parser *p, uint32_t pos, int rc, const struct err *why)
{
    if (rc < 0) logql_fail(p, pos, "%s", why->text);
    return rc == OK;
}

static bool compile_term(struct logql_parser *p, struct stage *s, struct line_term *t)
{
    struct err why = ERR_INIT;
    if (t->is_ip && s->op != LINE_HAS && s->op != LINE_HAS_NOT)
        return logql_fail(p, s->pos, "ip() goes with |= and != only"), false;
    if (t->is_ip) return told(p, s->pos, ip_set_new(t->text, p->arena, &t->ip, &why), &why);
    if (s->op == LINE_RE || s->op == LINE_NOT_RE)
        return (t->re = logql_regex(p, t->text, true, s->pos)) != NULL;
    if (s->op == LINE_PATTERN || s->op == LINE_NOT_PATTERN)
        return told(p, s->pos, line_pattern_new(t->text, false, p->arena, &t->pattern, &why), &why);
    return true;
}

static struct template *compile_template(struct logql_parser *p, struct str text, uint32_t pos)
{
    struct logql_query *q = p->query;
    struct err why = ERR_INIT;
    struct template *t;
    if (!told(p, pos, template_new(text, template_loki(), &t, &why), &why)) return NULL;
    q->templates =
        arena_grow(p->arena, q->templates, q->n_templates, &q->cap_templates, sizeof(struct template *));
    return q->templates[q->n_templates++] = t;
}

/* (?<name> is written (?P<name> where RE2 is older than the shorter form. */
static struct str with_long_names(struct logql_parser *p, struct str s)
{
    struct buf b = BUF_INIT(2 * REGEX_TEXT_MAX);
    for (size_t i = 0; i < s.n; i++) {
        buf_char(&b, s.p[i]);
        bool escaped = s.p[i] == '\\' && i + 1 < s.n;
        if (escaped) buf_char(&b, s.p[++i]);
        if (escaped || s.n - i < 4 || memcmp(s.p + i, "(?<", 3) != 0 || strchr("=!", s.p[i + 3])) continue;
        buf_cs(&b, "?P");
        i++;
    }
    struct str out = b.full ? s : arena_str(p->arena, buf_view(&b));
    buf_release(&b);
    return out;
}

static bool name_groups(struct logql_parser *p, struct stage *s, struct str pattern)
{
    bool any = false;
    s->n_groups = regex_groups(s->re) + 1;
    if (s->n_groups > REGEX_CAPTURES_MAX)
        return logql_fail(p, s->pos, "more than %d groups in a regular expression", REGEX_CAPTURES_MAX - 1),
               false;
    s->group_names = arena_zero(p->arena, s->n_groups * sizeof *s->group_names);
    for (size_t i = 0; i + 4 < pattern.n; i++) {
        struct str rest = str_make(pattern.p + i, pattern.n - i), after;
        if (rest.p[0] == '\\') {
            i++;
            continue;
        }
        if (!str_starts(rest, "(?P<")) continue;
        struct str name = str_cut(str_make(rest.p + 4, rest.n - 4), '>', &after);
        int group = regex_group_named(s->re, name);
        if (group < 0 || (size_t)group >= s->n_groups) continue;
        if (!label_name_is_plain(name))
            return logql_fail(p, s->pos, "invalid extracted label name '%.*s'", STR_ARG(name)), false;
        s->group_names[group] = name;
        any = true;
    }
    if (!any) logql_fail(p, s->pos, "at least one named capture must be supplied");
    return any;
}

static bool compile_regexp(struct logql_parser *p, struct stage *s)
{
    struct str pattern = with_long_names(p, s->text);
    s->re = logql_regex(p, pattern, true, s->pos);
    return s->re != NULL && name_groups(p, s, pattern);
}

static bool compile_exprs(struct logql_parser *p, struct stage *s)
{
    struct err why = ERR_INIT;
    for (size_t i = 0; i < s->n_exprs; i++) {
        struct label_expr *x = &s->exprs[i];
        if (s->kind == STAGE_JSON && !told(p, s->pos, json_path_new(x->text, p->arena, &x->path, &why), &why))
            return false;
        if (s->kind == STAGE_LOGFMT && x->text.n == 0)
            return logql_fail(p, s->pos, "empty logfmt expression for %.*s", STR_ARG(x->name)), false;
        if (s->kind == STAGE_LABEL_FORMAT && !x->renames &&
            (x->tmpl = compile_template(p, x->text, s->pos)) == NULL)
            return false;
    }
    return true;
}

bool logql_compile_stage(struct logql_parser *p, struct stage *s)
{
    struct err why = ERR_INIT;
    switch (s->kind) {
    case STAGE_LINE_FILTER:
        for (size_t i = 0; i < s->n_terms; i++)
            if (!compile_term(p, s, &s->terms[i])) return false;
        return true;
    case STAGE_REGEXP: return compile_regexp(p, s);
    case STAGE_PATTERN:
        return told(p, s->pos, line_pattern_new(s->text, true, p->arena, &s->pattern, &why), &why);
    case STAGE_LINE_FORMAT: return (s->tmpl = compile_template(p, s->text, s->pos)) != NULL;
    case STAGE_JSON:
    case STAGE_LOGFMT:
    case STAGE_LABEL_FORMAT: return compile_exprs(p, s);
    default: return true;
    }
}
