/* print.c - an expression as one line, in the one form Prometheus gives it: what is printed parses back to
 * the same tree.
 *
 * Stops early once `out` is full, so that asking "is this longer than n?" costs n and not the whole text. */
#include "query/promql/print.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/duration.h"
#include "base/float.h"
#include "query/promql/functions.h"
#include "query/promql/lex.h"
#include "query/promql/parse.h"

struct str promql_op_text(enum promql_op op)
{
    static const struct str text[] = {
        [OP_ADD] = STR("+"),  [OP_SUB] = STR("-"),         [OP_MUL] = STR("*"),         [OP_DIV] = STR("/"),
        [OP_MOD] = STR("%"),  [OP_POW] = STR("^"),         [OP_ATAN2] = STR("atan2"),   [OP_EQ] = STR("=="),
        [OP_NEQ] = STR("!="), [OP_GT] = STR(">"),          [OP_LT] = STR("<"),          [OP_GTE] = STR(">="),
        [OP_LTE] = STR("<="), [OP_TRIM_UPPER] = STR("</"), [OP_TRIM_LOWER] = STR(">/"), [OP_AND] = STR("and"),
        [OP_OR] = STR("or"),  [OP_UNLESS] = STR("unless"),
    };
    return text[op];
}

struct str promql_agg_text(enum promql_agg agg)
{
    static const struct str text[] = {
        [AGG_SUM] = STR("sum"),           [AGG_AVG] = STR("avg"),
        [AGG_COUNT] = STR("count"),       [AGG_MIN] = STR("min"),
        [AGG_MAX] = STR("max"),           [AGG_GROUP] = STR("group"),
        [AGG_STDDEV] = STR("stddev"),     [AGG_STDVAR] = STR("stdvar"),
        [AGG_TOPK] = STR("topk"),         [AGG_BOTTOMK] = STR("bottomk"),
        [AGG_QUANTILE] = STR("quantile"), [AGG_COUNT_VALUES] = STR("count_values"),
        [AGG_LIMITK] = STR("limitk"),     [AGG_LIMIT_RATIO] = STR("limit_ratio"),
    };
    return text[agg];
}

struct str duration_op_text(int op)
{
    static const struct str text[] = {
        [DUR_NUMBER] = STR(""),    [DUR_STEP] = STR("step"), [DUR_RANGE] = STR("range"),
        [DUR_NEG] = STR("-"),      [DUR_POS] = STR("+"),     [DUR_ADD] = STR("+"),
        [DUR_SUB] = STR("-"),      [DUR_MUL] = STR("*"),     [DUR_DIV] = STR("/"),
        [DUR_MOD] = STR("%"),      [DUR_POW] = STR("^"),     [DUR_MIN] = STR("min_of"),
        [DUR_MAX] = STR("max_of"),
    };
    return text[op];
}

/* ---- numbers and labels ---- */

static void print_seconds(struct buf *out, double seconds, bool as_duration)
{
    char text[400];

    if (as_duration) {
        if (seconds < 0) buf_char(out, '-');
        duration_print_ms(out, (int64_t)(fabs(seconds) * 1e9 / 1e6));
    } else {
        buf_add(out, text, float_text_plain(seconds, text, sizeof text));
    }
}

void print_label_list(struct buf *out, const struct str *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_cs(out, ", ");
        if (label_name_is_plain(labels[i]))
            buf_str(out, labels[i]);
        else
            lex_quote(out, labels[i], 0);
    }
}

/* ---- durations ---- */

static void print_call(struct buf *out, struct str name, const struct duration_expr *d)
{
    buf_str(out, name);
    buf_char(out, '(');
    if (d->a) {
        print_duration_expr(out, d->a);
        buf_cs(out, ", ");
        print_duration_expr(out, d->b);
    }
    buf_char(out, ')');
}

void print_duration_expr(struct buf *out, const struct duration_expr *d)
{
    struct str op = duration_op_text(d->op);

    if (d->wrapped) buf_char(out, '(');
    switch (d->op) {
    case DUR_NUMBER: print_seconds(out, d->seconds, d->written_as_duration); break;
    case DUR_STEP:
    case DUR_RANGE:
    case DUR_MIN:
    case DUR_MAX: print_call(out, op, d); break;
    case DUR_NEG:
        buf_char(out, '-');
        print_duration_expr(out, d->a);
        break;
    case DUR_POS: print_duration_expr(out, d->a); break;
    default: {
        bool negative_base =
            d->op == DUR_POW && d->a->op == DUR_NUMBER && d->a->seconds < 0; /* -1 ^ 2 is -(1 ^ 2) */
        if (negative_base) buf_char(out, '(');
        print_duration_expr(out, d->a);
        if (negative_base) buf_char(out, ')');
        buf_printf(out, " %.*s ", STR_ARG(op));
        print_duration_expr(out, d->b);
    }
    }
    if (d->wrapped) buf_char(out, ')');
}

static void print_duration(struct buf *out, int64_t ms, const struct duration_expr *expr)
{
    if (expr)
        print_duration_expr(out, expr);
    else
        duration_print_ms(out, ms);
}

/* After offset only one operand counts: an operation must stand in parentheses, even if it was written
 * without. */
static bool needs_parens(const struct duration_expr *d)
{
    if (d->wrapped) return false;
    return (d->op >= DUR_ADD && d->op <= DUR_POW) || (d->op == DUR_NEG && needs_parens(d->a));
}

static void print_offset(struct buf *out, const struct node *n)
{
    if (!n->offset_expr && n->offset_ms == 0) return;
    if (n->offset_expr && needs_parens(n->offset_expr)) {
        buf_cs(out, " offset (");
        print_duration_expr(out, n->offset_expr);
        buf_char(out, ')');
        return;
    }
    buf_cs(out, n->offset_ms < 0 ? " offset -" : " offset ");
    print_duration(out, n->offset_ms < 0 ? -n->offset_ms : n->offset_ms, n->offset_expr);
}

static void print_at(struct buf *out, const struct node *n)
{
    switch (n->at_kind) {
    case AT_NONE: break;
    case AT_TIME: buf_printf(out, " @ %.3f", (double)n->at_ms / 1000.0); break;
    case AT_START: buf_cs(out, " @ start()"); break;
    case AT_END: buf_cs(out, " @ end()"); break;
    }
}

static void print_extent(struct buf *out, const struct node *n)
{
    if (n->extent == EXTENT_ANCHORED) buf_cs(out, " anchored");
    if (n->extent == EXTENT_SMOOTHED) buf_cs(out, " smoothed");
}

void print_subquery_tail(struct buf *out, const struct node *n)
{
    buf_char(out, '[');
    print_duration(out, n->range_ms, n->range_expr);
    buf_char(out, ':');
    if (n->step_ms != 0 || n->step_expr) print_duration(out, n->step_ms, n->step_expr);
    buf_char(out, ']');
    print_at(out, n);
    print_offset(out, n);
}

/* ---- selectors ---- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void print_matcher(struct buf *out, const struct matcher *m)
{
    print_label_list(out, &m->name, 1);
    buf_cs(out, matcher_op_text(m->op));
    lex_quote(out, m->value, 0);
}

/* The name before the braces is a matcher too; it is not printed twice. */
static bool is_the_name(const struct node *n, const struct matcher *m)
{
    return m->op == MATCH_EQ && m->value.n > 0 && str_eq(m->value, n->metric) && str_is(m->name, LABEL_NAME);
}

static void print_matchers(struct buf *out, const struct node *n)
{
    struct arena scratch = ARENA_INIT(SIZE_MAX);
    struct str *texts = arena_array(&scratch, n->n_matchers + 1, sizeof *texts);
    struct buf one = BUF_INIT(SIZE_MAX);
    size_t k = 0;

    for (size_t i = 0; i < n->n_matchers; i++) {
        if (is_the_name(n, &n->matchers[i])) continue;
        buf_clear(&one);
        print_matcher(&one, &n->matchers[i]);
        texts[k++] = arena_str(&scratch, buf_view(&one));
    }
    qsort(texts, k, sizeof *texts, by_text);
    for (size_t i = 0; i < k; i++) {
        buf_char(out, i == 0 ? '{' : ',');
        buf_str(out, texts[i]);
    }
    if (k > 0) buf_char(out, '}');
    buf_release(&one);
    arena_release(&scratch);
}

static void print_selector(struct buf *out, const struct node *n)
{
    buf_str(out, n->metric);
    print_matchers(out, n);
}

static void print_matrix(struct buf *out, const struct node *n)
{
    print_selector(out, n->child);
    buf_char(out, '[');
    print_duration(out, n->range_ms, n->range_expr);
    buf_char(out, ']');
    print_extent(out, n->child);
    print_at(out, n->child);
    print_offset(out, n->child);
}

/* ---- operators and calls ---- */

void print_aggregate_head(struct buf *out, const struct node *n)
{
    buf_str(out, promql_agg_text(n->agg));
    if (!n->without && n->n_grouping == 0) return;
    buf_cs(out, n->without ? " without (" : " by (");
    print_label_list(out, n->grouping, n->n_grouping);
    buf_cs(out, ") ");
}

static void print_fill(struct buf *out, const char *word, double v)
{
    char text[FLOAT_TEXT_MAX];

    buf_printf(out, " %s (", word);
    buf_add(out, text, float_text(v, text));
    buf_char(out, ')');
}

static void print_matching(struct buf *out, const struct node *n)
{
    bool grouped = n->card == CARD_MANY_TO_ONE || n->card == CARD_ONE_TO_MANY;

    if (n->n_match_labels > 0 || n->on || grouped) {
        buf_cs(out, n->on ? " on (" : " ignoring (");
        print_label_list(out, n->match_labels, n->n_match_labels);
        buf_char(out, ')');
    }
    if (grouped) {
        buf_cs(out, n->card == CARD_MANY_TO_ONE ? " group_left (" : " group_right (");
        print_label_list(out, n->include, n->n_include);
        buf_char(out, ')');
    }
    if (n->has_fill_left && n->has_fill_right && n->fill_left == n->fill_right) {
        print_fill(out, "fill", n->fill_left);
    } else {
        if (n->has_fill_left) print_fill(out, "fill_left", n->fill_left);
        if (n->has_fill_right) print_fill(out, "fill_right", n->fill_right);
    }
}

void print_operator(struct buf *out, const struct node *n)
{
    buf_str(out, promql_op_text(n->op));
    if (n->return_bool) buf_cs(out, " bool");
    if (n->left->type == PROMQL_VECTOR && n->right->type == PROMQL_VECTOR) print_matching(out, n);
}

static void print_args(struct buf *out, const struct node *n)
{
    for (size_t i = 0; i < n->n_args; i++) {
        if (i > 0) buf_cs(out, ", ");
        promql_print(out, n->args[i]);
    }
}

void promql_print(struct buf *out, const struct node *n)
{
    if (out->full) return;
    switch (n->kind) {
    case NODE_NUMBER: print_seconds(out, n->number, n->is_duration); break;
    case NODE_STRING: lex_quote(out, n->text, 0); break;
    case NODE_PAREN:
        buf_char(out, '(');
        promql_print(out, n->child);
        buf_char(out, ')');
        break;
    case NODE_UNARY:
        buf_str(out, promql_op_text(n->op));
        promql_print(out, n->child);
        break;
    case NODE_BINARY:
        promql_print(out, n->left);
        buf_char(out, ' ');
        print_operator(out, n);
        buf_char(out, ' ');
        promql_print(out, n->right);
        break;
    case NODE_AGGREGATE:
        print_aggregate_head(out, n);
        buf_char(out, '(');
        if (n->param) {
            promql_print(out, n->param);
            buf_cs(out, ", ");
        }
        promql_print(out, n->child);
        buf_char(out, ')');
        break;
    case NODE_CALL:
        buf_cs(out, n->fn->name);
        buf_char(out, '(');
        print_args(out, n);
        buf_char(out, ')');
        break;
    case NODE_SELECTOR:
        print_selector(out, n);
        print_at(out, n);
        print_extent(out, n);
        print_offset(out, n);
        break;
    case NODE_MATRIX: print_matrix(out, n); break;
    case NODE_SUBQUERY:
        promql_print(out, n->child);
        print_subquery_tail(out, n);
        break;
    case NODE_LEAF: break; /* never parsed */
    case NODE_STEP_INVARIANT: promql_print(out, n->child); break;
    }
}
