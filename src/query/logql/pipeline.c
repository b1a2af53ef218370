/* pipeline.c - see pipeline.h. */
#include "query/logql/pipeline.h"

#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "query/logql/ip.h"
#include "query/logql/parse.h"
#include "query/logql/pattern.h"

#define SCRATCH_KEPT (256u << 10)

void pipeline_init(struct pipeline *p)
{
    *p = (struct pipeline){ .scratch = ARENA_INIT(256u << 20), .text = BUF_INIT(PIPELINE_LINE_MAX) };
}

void pipeline_release(struct pipeline *p)
{
    lset_release(&p->labels);
    arena_release(&p->scratch);
    kept_regexes_release(&p->regexes);
    buf_release(&p->text);
}

void pipeline_next(struct pipeline *p, struct labels stream, struct str line, int64_t time_ns)
{
    if (p->scratch.used > 0) arena_reset(&p->scratch);
    if (p->scratch.used > SCRATCH_KEPT) arena_release(&p->scratch); /* one long line needs it no more */
    lset_begin(&p->labels, stream);
    p->line = line.p ? line : STR("");
    p->time_ns = time_ns;
}

/* ---- line filters ---- */

static bool term_is_in(const struct stage *s, const struct line_term *t, struct str line)
{
    if (t->is_ip) return ip_set_in_line(t->ip, line);
    if (t->re) return regex_match(t->re, line);
    if (t->pattern) return line_pattern_matches(t->pattern, line);
    (void)s;
    return t->text.n == 0 || memmem(line.p, line.n, t->text.p, t->text.n) != NULL;
}

bool line_passes(const struct stage *s, struct str line)
{
    bool found = false;
    for (size_t i = 0; i < s->n_terms && !found; i++) found = term_is_in(s, &s->terms[i], line);
    return found != line_op_is_negative(s->op);
}

/* ---- label filters ---- */

static bool compare(enum compare_op op, double a, double b)
{
    switch (op) {
    case CMP_EQ: return a == b;
    case CMP_NE: return a != b;
    case CMP_GT: return a > b;
    case CMP_GE: return a >= b;
    case CMP_LT: return a < b;
    case CMP_LE: return a <= b;
    }
    return false;
}

static bool quantity(enum label_filter_kind kind, struct str s, double *out)
{
    int64_t ns;
    if (kind == FILTER_NUMBER) return float_parse(s, out);
    if (kind == FILTER_BYTES) return logql_bytes(s, out);
    if (!logql_duration(s, &ns)) return false;
    *out = (double)ns;
    return true;
}

/* What cannot be compared passes, marked with an error. */
static bool quantity_passes(struct pipeline *p, const struct label_filter *f)
{
    const struct lset_entry *e = lset_find(&p->labels, f->name);
    double v;
    if (p->labels.has_error) return true;
    if (e == NULL || e->value.n == 0) return false;
    if (quantity(f->kind, e->value, &v)) return compare(f->op, v, f->number);
    lset_error(&p->labels, "LabelFilterErr",
               arena_printf(&p->scratch, "cannot read \"%.*s\" of label %.*s",
                            (int)MIN(e->value.n, (size_t)200), e->value.p, STR_ARG(f->name)));
    return true;
}

static bool filter_passes(struct pipeline *p, const struct label_filter *f)
{
    switch (f->kind) {
    case FILTER_AND: return filter_passes(p, f->left) && filter_passes(p, f->right);
    case FILTER_OR: return filter_passes(p, f->left) || filter_passes(p, f->right);
    case FILTER_STRING: return matcher_matches(&f->matcher, lset_get(&p->labels, f->name));
    case FILTER_IP: {
        struct str v = lset_get(&p->labels, f->name);
        return v.n > 0 && ip_set_has(f->ip, v) == (f->op == CMP_EQ);
    }
    default: return quantity_passes(p, f);
    }
}

/* ---- parsers that need no reader ---- */

static void parse_regexp(struct pipeline *p, const struct stage *s, unsigned no)
{
    struct str groups[REGEX_CAPTURES_MAX];
    if (!regex_find(s->re, p->line, 0, groups, s->n_groups)) return;
    for (size_t i = 0; i < s->n_groups; i++)
        if (s->group_names[i].n > 0 && groups[i].n > 0)
            lset_extract(&p->labels, s->group_names[i], groups[i], no, &p->scratch);
}

static void parse_pattern(struct pipeline *p, const struct stage *s, unsigned no)
{
    struct str values[LINE_PATTERN_MAX];
    size_t n, found = line_pattern_capture(s->pattern, p->line, values);
    const struct str *names = line_pattern_names(s->pattern, &n);
    for (size_t i = 0; i < found; i++) lset_extract(&p->labels, names[i], values[i], no, &p->scratch);
}

/* ---- formats ---- */

static struct tvalue label_of(void *ctx, struct str name, struct arena *a)
{
    const struct lset_entry *e = lset_find(&((struct pipeline *)ctx)->labels, name);
    (void)a;
    return e ? tv_str(e->value) : (struct tvalue){ 0 };
}

static void list_labels(void *ctx, struct arena *a, struct tentry **out, size_t *n)
{
    struct labels l = lset_labels(&((struct pipeline *)ctx)->labels, LABEL_ANY, a, false);
    *out = arena_array(a, l.n, sizeof **out);
    *n = l.n;
    for (size_t i = 0; i < l.n; i++) (*out)[i] = (struct tentry){ l.at[i].name, tv_str(l.at[i].value) };
}

static bool fill_template(struct pipeline *p, const struct template *t, struct str *out)
{
    struct tlookup labels = { label_of, list_labels, p, true };
    struct template_line line = { p->line, p->time_ns, &p->regexes };
    struct err why = ERR_INIT;
    struct str name;
    if (template_is_field(t, &name)) {
        *out = lset_get(&p->labels, name);
        return true;
    }
    buf_clear(&p->text);
    p->text.full = false;
    struct tvalue data = { .type = TV_LOOKUP, .lookup = &labels };
    if (template_run(t, data, &line, &p->scratch, &p->text, &why) < 0) {
        lset_error(&p->labels, "TemplateFormatErr", arena_str(&p->scratch, str_of(why.text)));
        return false;
    }
    *out = arena_str(&p->scratch, buf_view(&p->text));
    return true;
}

static void format_labels(struct pipeline *p, const struct stage *s, unsigned no)
{
    for (size_t i = 0; i < s->n_exprs; i++) {
        const struct label_expr *x = &s->exprs[i];
        struct str value;
        if (!x->renames) {
            if (fill_template(p, x->tmpl, &value)) lset_set(&p->labels, x->name, value, LABEL_PARSED, no);
            continue;
        }
        const struct lset_entry *e = lset_find(&p->labels, x->text);
        if (e == NULL || str_eq(x->name, x->text)) continue;
        enum label_kind kind = e->kind;
        value = e->value;
        lset_drop(&p->labels, x->text);
        lset_set(&p->labels, x->name, value, kind, no);
    }
}

/* Without ESC [ ... letter, the sequences terminals take for colours and the like. */
static void decolorize(struct pipeline *p)
{
    struct str s = p->line;
    if (s.n == 0 || memchr(s.p, 0x1b, s.n) == NULL) return;
    char *out = arena_alloc(&p->scratch, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        size_t end = i + 2;
        if (s.p[i] == 0x1b && i + 1 < s.n && s.p[i + 1] == '[') {
            while (end < s.n && s.p[end] >= 0x20 && s.p[end] < 0x40) end++;
            if (end < s.n && s.p[end] >= 0x40 && s.p[end] < 0x7f) {
                i = end;
                continue;
            }
        }
        out[n++] = s.p[i];
    }
    p->line = str_make(out, n);
}

/* ---- drop, keep ---- */

static bool is_named(const struct stage *s, const struct lset_entry *e)
{
    for (size_t i = 0; i < s->n_names; i++) {
        if (!str_eq(s->names[i].name, e->name)) continue;
        if (!s->names[i].has_matcher || matcher_matches(&s->names[i].matcher, e->value)) return true;
    }
    return false;
}

static void drop_or_keep(struct pipeline *p, const struct stage *s)
{
    struct lset *l = &p->labels;
    for (size_t i = 0; i < l->n;) {
        const struct lset_entry *e = &l->at[i];
        bool is_error = str_is(e->name, ERROR_LABEL) || str_is(e->name, DETAILS_LABEL);
        bool goes = s->kind == STAGE_DROP ? is_named(s, e) : !is_error && !is_named(s, e);
        if (goes)
            lset_drop(l, e->name);
        else
            i++;
    }
}

/* ---- the walk ---- */

bool pipeline_run(struct pipeline *p, const struct stage *first)
{
    unsigned no = 1;
    for (const struct stage *s = first; s != NULL; s = s->next, no++) {
        switch (s->kind) {
        case STAGE_LINE_FILTER:
            if (!line_passes(s, p->line)) return false;
            break;
        case STAGE_LABEL_FILTER:
            if (!filter_passes(p, s->filter)) return false;
            break;
        case STAGE_JSON: parse_json(p, s, no); break;
        case STAGE_LOGFMT: parse_logfmt(p, s, no); break;
        case STAGE_REGEXP: parse_regexp(p, s, no); break;
        case STAGE_PATTERN: parse_pattern(p, s, no); break;
        case STAGE_UNPACK: parse_unpack(p, no); break;
        case STAGE_LINE_FORMAT: fill_template(p, s->tmpl, &p->line); break;
        case STAGE_LABEL_FORMAT: format_labels(p, s, no); break;
        case STAGE_DECOLORIZE: decolorize(p); break;
        case STAGE_DROP:
        case STAGE_KEEP: drop_or_keep(p, s); break;
        }
    }
    return true;
}
