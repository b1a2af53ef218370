/* print.c - a query as text, in the form Loki gives it; what is printed parses back to the same tree. */
#include "base/check.h"
#include "base/duration.h"
#include "base/float.h"
#include "query/logql/parse.h"
#include "query/promql/lex.h"
#include "query/promql/parse.h"

#define COLUMNS_MAX 100

static void print_number(struct buf *out, double v)
{
    char text[400];
    buf_add(out, text, float_text_plain(v, text, sizeof text));
}

static void print_string(struct buf *out, struct str s)
{
    lex_quote(out, s, 0);
}

/* In whole units where there are any, else as so many ns. */
static void print_duration(struct buf *out, int64_t ns)
{
    if (ns < 0) {
        buf_char(out, '-');
        ns = -ns;
    }
    if (ns % 1000000 == 0)
        duration_print_ms(out, ns / 1000000);
    else
        buf_printf(out, "%lldns", (long long)ns);
}

static void print_matcher(struct buf *out, const struct matcher *m)
{
    buf_str(out, m->name);
    buf_cs(out, matcher_op_text(m->op));
    print_string(out, m->value);
}

static void print_names(struct buf *out, const struct str *names, size_t n)
{
    buf_char(out, '(');
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_char(out, ',');
        buf_str(out, names[i]);
    }
    buf_char(out, ')');
}

/* ---- stages ---- */

static void print_filter(struct buf *out, const struct label_filter *f)
{
    switch (f->kind) {
    case FILTER_AND:
    case FILTER_OR:
        buf_cs(out, "( ");
        print_filter(out, f->left);
        buf_cs(out, f->kind == FILTER_OR ? " or " : " , ");
        print_filter(out, f->right);
        buf_cs(out, " )");
        return;
    case FILTER_STRING: print_matcher(out, &f->matcher); return;
    default: break;
    }
    buf_str(out, f->name);
    buf_str(out, f->kind == FILTER_IP && f->op == CMP_EQ ? STR("=") : compare_op_text(f->op));
    if (f->kind == FILTER_IP) buf_cs(out, "ip(");
    if (f->kind == FILTER_IP)
        print_string(out, f->text);
    else
        buf_str(out, f->text);
    if (f->kind == FILTER_IP) buf_char(out, ')');
}

static void print_line_filter(struct buf *out, const struct stage *s)
{
    buf_str(out, line_op_text(s->op));
    for (size_t i = 0; i < s->n_terms; i++) {
        buf_cs(out, i > 0 ? " or " : " ");
        if (s->terms[i].is_ip) buf_cs(out, "ip(");
        print_string(out, s->terms[i].text);
        if (s->terms[i].is_ip) buf_char(out, ')');
    }
}

static void print_exprs(struct buf *out, const struct stage *s)
{
    for (size_t i = 0; i < s->n_exprs; i++) {
        buf_cs(out, i > 0 ? "," : " ");
        buf_str(out, s->exprs[i].name);
        buf_char(out, '=');
        if (s->exprs[i].renames)
            buf_str(out, s->exprs[i].text);
        else
            print_string(out, s->exprs[i].text);
    }
}

static void print_kept(struct buf *out, const struct stage *s)
{
    for (size_t i = 0; i < s->n_names; i++) {
        buf_cs(out, i > 0 ? "," : " ");
        if (s->names[i].has_matcher)
            print_matcher(out, &s->names[i].matcher);
        else
            buf_str(out, s->names[i].name);
    }
}

static void print_stage(struct buf *out, const struct stage *s)
{
    static const char *const words[] = { [STAGE_JSON] = "json",
                                         [STAGE_LOGFMT] = "logfmt",
                                         [STAGE_REGEXP] = "regexp ",
                                         [STAGE_PATTERN] = "pattern ",
                                         [STAGE_UNPACK] = "unpack",
                                         [STAGE_LINE_FORMAT] = "line_format ",
                                         [STAGE_LABEL_FORMAT] = "label_format",
                                         [STAGE_DECOLORIZE] = "decolorize",
                                         [STAGE_DROP] = "drop",
                                         [STAGE_KEEP] = "keep" };
    if (s->kind == STAGE_LINE_FILTER) {
        print_line_filter(out, s);
        return;
    }
    buf_cs(out, "| ");
    if (s->kind == STAGE_LABEL_FILTER) {
        print_filter(out, s->filter);
        return;
    }
    buf_cs(out, words[s->kind]);
    if (s->strict) buf_cs(out, " --strict");
    if (s->keep_empty) buf_cs(out, " --keep-empty");
    if (s->kind == STAGE_REGEXP || s->kind == STAGE_PATTERN || s->kind == STAGE_LINE_FORMAT)
        print_string(out, s->text);
    print_exprs(out, s);
    print_kept(out, s);
}

/* ---- expressions ---- */

struct printer {
    struct buf *out;
    bool pretty;
};

static void new_line(struct printer *p, int indent)
{
    buf_char(p->out, '\n');
    for (int i = 0; i < indent; i++) buf_cs(p->out, "  ");
}

static void print_log(struct printer *p, const struct log_expr *log, int indent)
{
    buf_char(p->out, '{');
    for (size_t i = 0; i < log->n_matchers; i++) {
        if (i > 0) buf_cs(p->out, ", ");
        print_matcher(p->out, &log->matchers[i]);
    }
    buf_char(p->out, '}');
    for (const struct stage *s = log->stages; s != NULL; s = s->next) {
        if (p->pretty)
            new_line(p, indent + 1);
        else
            buf_char(p->out, ' ');
        print_stage(p->out, s);
    }
}

static void print_unwrap(struct buf *out, const struct unwrap *u)
{
    static const char *const words[] = { "", "duration", "duration_seconds", "bytes" };
    if (u->name.n == 0) return;
    buf_cs(out, " | unwrap ");
    if (u->conversion != UNWRAP_NUMBER) buf_printf(out, "%s(", words[u->conversion]);
    buf_str(out, u->name);
    if (u->conversion != UNWRAP_NUMBER) buf_char(out, ')');
    for (const struct stage *s = u->filters; s != NULL; s = s->next) {
        buf_char(out, ' ');
        print_stage(out, s);
    }
}

static void print_grouping(struct buf *out, const struct grouping *g)
{
    if (!g->by && !g->without) return;
    buf_cs(out, g->by ? " by " : " without ");
    print_names(out, g->names, g->n);
}

static void print_expr(struct printer *, const struct expr *, int indent);

static void print_range(struct printer *p, const struct expr *x, int indent)
{
    buf_str(p->out, range_op_text(x->range_op));
    buf_char(p->out, '(');
    if (x->has_param) {
        print_number(p->out, x->param);
        buf_char(p->out, ',');
    }
    if (p->pretty) new_line(p, indent + 1);
    print_log(p, x->log, indent + 1);
    print_unwrap(p->out, &x->unwrap);
    buf_char(p->out, '[');
    print_duration(p->out, x->range_ns);
    buf_char(p->out, ']');
    if (x->offset_ns != 0) {
        buf_cs(p->out, " offset ");
        print_duration(p->out, x->offset_ns);
    }
    if (p->pretty) new_line(p, indent);
    buf_char(p->out, ')');
    print_grouping(p->out, &x->grouping);
}

static void print_child(struct printer *p, const struct expr *x, int indent)
{
    if (p->pretty) new_line(p, indent + 1);
    print_expr(p, x->child, indent + 1);
}

static void print_aggregate(struct printer *p, const struct expr *x, int indent)
{
    buf_str(p->out, x->approx ? STR("approx_topk") : promql_agg_text(x->agg));
    print_grouping(p->out, &x->grouping);
    buf_char(p->out, '(');
    if (x->has_param) {
        print_number(p->out, x->param);
        buf_char(p->out, ',');
    }
    print_child(p, x, indent);
    if (p->pretty) new_line(p, indent);
    buf_char(p->out, ')');
}

static void print_replace(struct printer *p, const struct expr *x, int indent)
{
    buf_cs(p->out, "label_replace(");
    print_child(p, x, indent);
    for (size_t i = 0; i < COUNT(x->replace); i++) {
        buf_char(p->out, ',');
        print_string(p->out, x->replace[i]);
    }
    if (p->pretty) new_line(p, indent);
    buf_char(p->out, ')');
}

/* Operators are printed in parentheses, so that nobody need know how they bind. */
static void print_leg(struct printer *p, const struct expr *x, int indent)
{
    bool wraps = x->kind == EXPR_BINARY;
    if (wraps) buf_char(p->out, '(');
    print_expr(p, x, indent);
    if (wraps) buf_char(p->out, ')');
}

static void print_binary(struct printer *p, const struct expr *x, int indent)
{
    print_leg(p, x->left, indent);
    buf_char(p->out, ' ');
    buf_str(p->out, promql_op_text(x->op));
    if (x->return_bool) buf_cs(p->out, " bool");
    if (x->has_matching) {
        buf_cs(p->out, x->on ? " on " : " ignoring ");
        print_names(p->out, x->match_labels, x->n_match_labels);
    }
    if (x->card == CARD_MANY_TO_ONE || x->card == CARD_ONE_TO_MANY) {
        buf_cs(p->out, x->card == CARD_MANY_TO_ONE ? " group_left " : " group_right ");
        print_names(p->out, x->include, x->n_include);
    }
    buf_char(p->out, ' ');
    print_leg(p, x->right, indent);
}

static void print_expr(struct printer *p, const struct expr *x, int indent)
{
    switch (x->kind) {
    case EXPR_LOG: print_log(p, x->log, indent); break;
    case EXPR_NUMBER: print_number(p->out, x->number); break;
    case EXPR_RANGE: print_range(p, x, indent); break;
    case EXPR_AGGREGATE: print_aggregate(p, x, indent); break;
    case EXPR_SORT:
        buf_cs(p->out, x->descending ? "sort_desc(" : "sort(");
        print_child(p, x, indent);
        buf_char(p->out, ')');
        break;
    case EXPR_BINARY: print_binary(p, x, indent); break;
    case EXPR_LABEL_REPLACE: print_replace(p, x, indent); break;
    case EXPR_VECTOR:
        buf_cs(p->out, "vector(");
        print_number(p->out, x->number);
        buf_char(p->out, ')');
        break;
    case EXPR_PAREN:
        buf_char(p->out, '(');
        print_expr(p, x->child, indent);
        buf_char(p->out, ')');
        break;
    }
}

void logql_print(struct buf *out, const struct expr *x)
{
    print_expr(&(struct printer){ out, false }, x, 0);
}

void logql_print_pretty(struct buf *out, const struct expr *x)
{
    size_t from = out->n;
    logql_print(out, x);
    if (out->full || out->n - from <= COLUMNS_MAX) return;
    out->n = from;
    print_expr(&(struct printer){ out, true }, x, 0);
}
