/* pushdown.c - what the store can decide of a pipeline: line filters before anything changes the line, and
 * equalities of metadata before anything changes the labels. */
#include "base/check.h"
#include "query/logql/pattern.h"
#include "query/logql/source.h"

struct pushing {
    const struct source *src;
    const struct field_info *fields;
    size_t n_fields;
    struct arena *arena;
    bool exact;
};

/* ---- line filters ---- */

/* NULL: cannot be said. A missing body is an empty line. */
static const struct predicate *term_predicate(struct pushing *p, const struct line_term *t, bool *exact)
{
    struct field body = field_in(IN_BODY);
    const struct predicate *found = NULL;
    *exact = !t->is_ip && t->pattern == NULL;
    if (t->is_ip) return NULL;
    if (t->pattern != NULL) {
        struct str literal = line_pattern_literal(t->pattern);
        return literal.n ? predicate_contains(p->arena, body, literal, false) : NULL;
    }
    if (t->re == NULL) return predicate_contains(p->arena, body, t->text, false);
    found = predicate_regex(p->arena, body, t->re);
    if (!regex_match(t->re, STR(""))) return found;
    return predicate_or(p->arena, found, predicate_not(p->arena, predicate_exists(p->arena, body)));
}

static const struct predicate *line_predicate(struct pushing *p, const struct stage *s)
{
    const struct predicate *any = NULL;
    bool negative = line_op_is_negative(s->op);
    for (size_t i = 0; i < s->n_terms; i++) {
        bool exact;
        bool all = !s->terms[i].is_ip && !s->terms[i].re && !s->terms[i].pattern && s->terms[i].text.n == 0;
        const struct predicate *one = all ? NULL : term_predicate(p, &s->terms[i], &exact);
        if (one == NULL || (negative && !exact)) {
            p->exact = false;
            return NULL;
        }
        p->exact &= exact;
        any = any ? predicate_or(p->arena, any, one) : one;
    }
    return negative ? predicate_not(p->arena, any) : any;
}

/* ---- metadata ---- */

static bool is_stream_label(const struct source *s, struct str name)
{
    for (size_t i = 0; i < s->n_streams; i++)
        if (labels_get_str(s->streams[i].labels, name).n > 0) return true;
    return false;
}

static bool id_bytes(struct str hex, size_t n, uint8_t *out)
{
    if (hex.n != 2 * n) return false;
    for (size_t i = 0; i < hex.n; i++) {
        char c = hex.p[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!digit && !letter) return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit ? c - '0' : c - 'a' + 10));
    }
    return true;
}

static const struct predicate *id_predicate(struct pushing *p, enum intrinsic in, size_t n, struct str hex)
{
    uint8_t *id = arena_zero(p->arena, 16);
    if (!id_bytes(hex, n, id)) return NULL;
    struct value v = { .type = VALUE_BYTES, .text = str_make(id, n) };
    return predicate_cmp(p->arena, PRED_EQ, field_in(in), v);
}

static const struct predicate *level_predicate(struct pushing *p, struct str level)
{
    for (uint8_t low = 1; low < 25; low = (uint8_t)(low + 4)) {
        if (!str_is(level, level_name(low))) continue;
        struct field f = field_in(IN_SEVERITY);
        return predicate_and(p->arena, predicate_cmp(p->arena, PRED_GE, f, value_int(low)),
                             predicate_cmp(p->arena, PRED_LE, f, value_int(low + 3)));
    }
    return NULL;
}

static const struct predicate *attr_predicate(struct pushing *p, struct str name, struct str value)
{
    const struct predicate *any = NULL;
    for (size_t i = 0; i < p->n_fields; i++) {
        const struct field_info *f = &p->fields[i];
        if (f->field.scope == FIELD_RESOURCE || !str_eq(label_sanitised(f->field.name, p->arena), name))
            continue;
        if (f->types & ~(1u << VALUE_STR)) return NULL; /* 5 is no "5" to the store */
        const struct predicate *one = predicate_cmp(p->arena, PRED_EQ, f->field, value_str(value));
        any = any ? predicate_or(p->arena, any, one) : one;
    }
    return any;
}

static bool is_intrinsic_label(struct str name)
{
    static const char *const names[] = { "severity_text", "severity_number", "scope_name", "scope_version",
                                         "event_name" };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is(name, names[i])) return true;
    return false;
}

static const struct predicate *filter_predicate(struct pushing *p, const struct label_filter *f)
{
    const struct predicate *l, *r;
    if (f->kind == FILTER_AND)
        return predicate_and(p->arena, filter_predicate(p, f->left), filter_predicate(p, f->right));
    if (f->kind == FILTER_OR) {
        l = filter_predicate(p, f->left);
        r = filter_predicate(p, f->right);
        return l && r ? predicate_or(p->arena, l, r) : NULL;
    }
    if (f->kind != FILTER_STRING || f->matcher.op != MATCH_EQ || f->text.n == 0) return NULL;
    if (is_stream_label(p->src, f->name)) return NULL;
    if (str_is(f->name, "trace_id")) return id_predicate(p, IN_TRACE_ID, 16, f->text);
    if (str_is(f->name, "span_id")) return id_predicate(p, IN_SPAN_ID, 8, f->text);
    if (str_is(f->name, "detected_level")) return level_predicate(p, f->text);
    if (is_intrinsic_label(f->name)) return NULL;
    return attr_predicate(p, f->name, f->text);
}

const struct predicate *pushdown(const struct log_expr *log, const struct source *src,
                                 const struct field_info *fields, size_t n_fields, bool *exact)
{
    struct pushing p = { src, fields, n_fields, src->arena, true };
    const struct predicate *all = NULL, *one;
    const struct stage *s = log->stages;
    bool same_line = true;
    for (; s != NULL; s = s->next) {
        one = NULL;
        if (s->kind == STAGE_LINE_FILTER && same_line)
            one = line_predicate(&p, s);
        else if (s->kind == STAGE_LABEL_FILTER) {
            one = filter_predicate(&p, s->filter);
            p.exact = false;
        } else if (s->kind == STAGE_DECOLORIZE)
            same_line = p.exact = false;
        else
            break;
        all = predicate_and(p.arena, all, one);
    }
    *exact = p.exact && s == NULL;
    return all;
}
