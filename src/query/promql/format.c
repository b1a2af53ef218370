/* format.c - an expression over several lines: what is longer than a line is opened up, two spaces a level,
 * outermost first; what fits is left on one line. The same layout as Prometheus' format_query. */
#include "query/promql/functions.h"
#include "query/promql/parse.h"
#include "query/promql/print.h"

#define LINE_MAX_BYTES 100

static void format_at(struct buf *out, const struct node *n, int level);

static void indent(struct buf *out, int level)
{
    for (int i = 0; i < level; i++) buf_cs(out, "  ");
}

static bool fits(const struct node *n)
{
    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    promql_print(&line, n);
    bool whole = !line.full;
    buf_release(&line);
    return whole;
}

static void format_aggregate(struct buf *out, const struct node *n, int level)
{
    indent(out, level);
    print_aggregate_head(out, n);
    buf_cs(out, "(\n");
    if (n->param) {
        format_at(out, n->param, level + 1);
        buf_cs(out, ",\n");
    }
    format_at(out, n->child, level + 1);
    buf_char(out, '\n');
    indent(out, level);
    buf_char(out, ')');
}

static void format_binary(struct buf *out, const struct node *n, int level)
{
    format_at(out, n->left, level + 1);
    buf_char(out, '\n');
    indent(out, level);
    print_operator(out, n);
    buf_char(out, '\n');
    format_at(out, n->right, level + 1);
}

static void format_call(struct buf *out, const struct node *n, int level)
{
    indent(out, level);
    buf_cs(out, n->fn->name);
    buf_cs(out, "(\n");
    for (size_t i = 0; i < n->n_args; i++) {
        if (i > 0) buf_cs(out, ",\n");
        format_at(out, n->args[i], level + 1);
    }
    buf_char(out, '\n');
    indent(out, level);
    buf_char(out, ')');
}

static void format_paren(struct buf *out, const struct node *n, int level)
{
    indent(out, level);
    buf_cs(out, "(\n");
    format_at(out, n->child, level + 1);
    buf_char(out, '\n');
    indent(out, level);
    buf_char(out, ')');
}

/* The sign stands directly before its operand, which indents itself: take that away again. */
static void format_unary(struct buf *out, const struct node *n, int level)
{
    struct buf child = BUF_INIT(out->max);

    format_at(&child, n->child, level);
    indent(out, level);
    buf_str(out, promql_op_text(n->op));
    buf_str(out, str_trim(buf_view(&child)));
    out->full |= child.full;
    buf_release(&child);
}

static void format_at(struct buf *out, const struct node *n, int level)
{
    if (out->full) return;
    if (n->kind == NODE_UNARY) {
        format_unary(out, n, level);
        return;
    }
    if (fits(n)) {
        if (n->kind != NODE_SUBQUERY)
            indent(out, level); /* as Prometheus has it: a short subquery is not indented */
        promql_print(out, n);
        return;
    }
    switch (n->kind) {
    case NODE_AGGREGATE: format_aggregate(out, n, level); break;
    case NODE_BINARY: format_binary(out, n, level); break;
    case NODE_CALL: format_call(out, n, level); break;
    case NODE_PAREN: format_paren(out, n, level); break;
    case NODE_SUBQUERY:
        format_at(out, n->child, level);
        print_subquery_tail(out, n);
        break;
    default: indent(out, level); promql_print(out, n);
    }
}

void promql_format(struct buf *out, const struct node *n)
{
    format_at(out, n, 0);
}
