/* ast_json.c - an expression as the JSON tree of /api/v1/parse_query: Prometheus 3's shape, keys in its order
 * (by name). */
#include "base/float.h"
#include "base/json.h"
#include "query/promql/functions.h"
#include "query/promql/parse.h"
#include "query/promql/print.h"

/* The tree may be deeper than a json_writer's stack, so this writes the punctuation itself. */

static void put_node(struct buf *out, const struct node *n);

static void put_key(struct buf *out, bool first, const char *key)
{
    buf_printf(out, "%c\"%s\":", first ? '{' : ',', key);
}

static void put_string(struct buf *out, const char *key, struct str s)
{
    put_key(out, false, key);
    json_escape(out, s);
}

static void put_bool(struct buf *out, const char *key, bool v)
{
    put_key(out, false, key);
    buf_cs(out, v ? "true" : "false");
}

static void put_i64(struct buf *out, const char *key, int64_t v)
{
    put_key(out, false, key);
    buf_i64(out, v);
}

static void put_labels(struct buf *out, const char *key, const struct str *labels, size_t n)
{
    put_key(out, false, key);
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_char(out, ',');
        json_escape(out, labels[i]);
    }
    buf_char(out, ']');
}

static void put_plain(struct buf *out, const char *key, double v)
{
    char text[400];
    put_string(out, key, str_make(text, float_text_plain(v, text, sizeof text)));
}

static void put_type(struct buf *out, const char *type)
{
    put_string(out, "type", str_of(type));
}

/* ---- durations ---- */

static void put_duration(struct buf *out, const struct duration_expr *d)
{
    if (!d) {
        buf_cs(out, "null");
    } else if (d->op == DUR_NUMBER) {
        put_key(out, true, "duration");
        buf_cs(out, d->written_as_duration ? "true" : "false");
        put_type(out, "numberLiteral");
        put_plain(out, "val", d->seconds);
        buf_char(out, '}');
    } else {
        bool sign = d->op == DUR_NEG || d->op == DUR_POS; /* its operand stands on the right */
        put_key(out, true, "lhs");
        put_duration(out, sign ? NULL : d->a);
        put_string(out, "op", duration_op_text(d->op));
        put_key(out, false, "rhs");
        put_duration(out, sign ? d->a : d->b);
        put_type(out, "durationExpr");
        put_bool(out, "wrapped", d->wrapped);
        buf_char(out, '}');
    }
}

static void put_duration_key(struct buf *out, const char *key, const struct duration_expr *d)
{
    put_key(out, false, key);
    put_duration(out, d);
}

/* ---- selectors ---- */

static void put_matchers(struct buf *out, const struct node *n)
{
    put_key(out, false, "matchers");
    buf_char(out, '[');
    for (size_t i = 0; i < n->n_matchers; i++) {
        const struct matcher *m = &n->matchers[i];
        if (i > 0) buf_char(out, ',');
        put_key(out, true, "name");
        json_escape(out, m->name);
        put_string(out, "type", str_of(matcher_op_text(m->op)));
        put_string(out, "value", m->value);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void put_start_or_end(struct buf *out, const struct node *n)
{
    put_key(out, false, "startOrEnd");
    buf_cs(out, n->at_kind == AT_START ? "\"start\"" : n->at_kind == AT_END ? "\"end\"" : "null");
}

static void put_timestamp(struct buf *out, const struct node *n)
{
    put_key(out, false, "timestamp");
    if (n->at_kind == AT_TIME)
        buf_i64(out, n->at_ms);
    else
        buf_cs(out, "null");
}

/* A selector, or with `matrix` a range of it. */
static void put_selector(struct buf *out, const struct node *n, const struct node *matrix)
{
    put_key(out, true, "anchored");
    buf_cs(out, n->extent == EXTENT_ANCHORED ? "true" : "false");
    put_matchers(out, n);
    put_string(out, "name", n->metric);
    put_i64(out, "offset", n->offset_ms);
    put_duration_key(out, "offsetExpr", n->offset_expr);
    if (matrix) {
        put_i64(out, "range", matrix->range_ms);
        put_duration_key(out, "rangeExpr", matrix->range_expr);
    }
    put_bool(out, "smoothed", n->extent == EXTENT_SMOOTHED);
    put_start_or_end(out, n);
    put_timestamp(out, n);
    put_type(out, matrix ? "matrixSelector" : "vectorSelector");
    buf_char(out, '}');
}

static void put_subquery(struct buf *out, const struct node *n)
{
    put_key(out, true, "expr");
    put_node(out, n->child);
    put_i64(out, "offset", n->offset_ms);
    put_duration_key(out, "offsetExpr", n->offset_expr);
    put_i64(out, "range", n->range_ms);
    put_duration_key(out, "rangeExpr", n->range_expr);
    put_start_or_end(out, n);
    put_i64(out, "step", n->step_ms);
    put_duration_key(out, "stepExpr", n->step_expr);
    put_timestamp(out, n);
    put_type(out, "subquery");
    buf_char(out, '}');
}

/* ---- operators and calls ---- */

static void put_aggregate(struct buf *out, const struct node *n)
{
    put_key(out, true, "expr");
    put_node(out, n->child);
    put_labels(out, "grouping", n->grouping, n->n_grouping);
    put_string(out, "op", promql_agg_text(n->agg));
    put_key(out, false, "param");
    put_node(out, n->param);
    put_type(out, "aggregation");
    put_bool(out, "without", n->without);
    buf_char(out, '}');
}

static void put_fill(struct buf *out, bool first, const char *key, bool has, double v)
{
    char text[FLOAT_TEXT_MAX];

    put_key(out, first, key);
    if (has && v - v == 0) /* JSON has no NaN and no infinities */
        buf_add(out, text, float_text(v, text));
    else
        buf_cs(out, "null");
}

static void put_matching(struct buf *out, const struct node *n)
{
    static const char *const cards[] = { "one-to-one", "many-to-one", "one-to-many", "many-to-many" };

    put_key(out, false, "matching");
    if (n->left->type != PROMQL_VECTOR || n->right->type != PROMQL_VECTOR) {
        buf_cs(out, "null");
        return;
    }
    put_key(out, true, "card");
    json_escape(out, str_of(cards[n->card]));
    put_key(out, false, "fillValues");
    put_fill(out, true, "lhs", n->has_fill_left, n->fill_left);
    put_fill(out, false, "rhs", n->has_fill_right, n->fill_right);
    buf_char(out, '}');
    put_labels(out, "include", n->include, n->n_include);
    put_labels(out, "labels", n->match_labels, n->n_match_labels);
    put_bool(out, "on", n->on);
    buf_char(out, '}');
}

static void put_binary(struct buf *out, const struct node *n)
{
    put_key(out, true, "bool");
    buf_cs(out, n->return_bool ? "true" : "false");
    put_key(out, false, "lhs");
    put_node(out, n->left);
    put_matching(out, n);
    put_string(out, "op", promql_op_text(n->op));
    put_key(out, false, "rhs");
    put_node(out, n->right);
    put_type(out, "binaryExpr");
    buf_char(out, '}');
}

static void put_function(struct buf *out, const struct promql_function *fn)
{
    static const char *const types[] = { "none", "scalar", "vector", "matrix", "string" };

    put_key(out, true, "argTypes");
    buf_char(out, '[');
    for (int i = 0; i < fn->n_args; i++) buf_printf(out, "%s\"%s\"", i > 0 ? "," : "", types[fn->args[i]]);
    buf_char(out, ']');
    put_string(out, "name", str_of(fn->name));
    put_string(out, "returnType", str_of(types[fn->returns]));
    put_i64(out, "variadic", fn->variadic);
    buf_char(out, '}');
}

static void put_call(struct buf *out, const struct node *n)
{
    put_key(out, true, "args");
    buf_char(out, '[');
    for (size_t i = 0; i < n->n_args; i++) {
        if (i > 0) buf_char(out, ',');
        put_node(out, n->args[i]);
    }
    buf_char(out, ']');
    put_key(out, false, "func");
    put_function(out, n->fn);
    put_type(out, "call");
    buf_char(out, '}');
}

static void put_wrapped(struct buf *out, const struct node *n)
{
    put_key(out, true, "expr");
    put_node(out, n->child);
    if (n->kind == NODE_UNARY) put_string(out, "op", promql_op_text(n->op));
    put_type(out, n->kind == NODE_UNARY ? "unaryExpr" : "parenExpr");
    buf_char(out, '}');
}

static void put_number(struct buf *out, const struct node *n)
{
    char text[400];

    buf_cs(out, "{\"type\":\"numberLiteral\",\"val\":\"");
    buf_add(out, text, float_text_plain(n->number, text, sizeof text));
    buf_cs(out, "\"}");
}

static void put_node(struct buf *out, const struct node *n)
{
    if (!n) {
        buf_cs(out, "null");
        return;
    }
    if (out->full) return;
    switch (n->kind) {
    case NODE_NUMBER: put_number(out, n); break;
    case NODE_STRING:
        buf_cs(out, "{\"type\":\"stringLiteral\",\"val\":");
        json_escape(out, n->text);
        buf_char(out, '}');
        break;
    case NODE_PAREN:
    case NODE_UNARY: put_wrapped(out, n); break;
    case NODE_BINARY: put_binary(out, n); break;
    case NODE_AGGREGATE: put_aggregate(out, n); break;
    case NODE_CALL: put_call(out, n); break;
    case NODE_SELECTOR: put_selector(out, n, NULL); break;
    case NODE_MATRIX: put_selector(out, n->child, n); break;
    case NODE_SUBQUERY: put_subquery(out, n); break;
    case NODE_LEAF: break; /* never parsed */
    case NODE_STEP_INVARIANT: put_node(out, n->child); break;
    }
}

void promql_ast_json(struct buf *out, const struct node *n)
{
    put_node(out, n);
}
