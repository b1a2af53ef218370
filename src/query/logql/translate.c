/* translate.c - a metric expression as the tree PromQL's evaluator walks: operators and aggregations are the
 * same in both languages, range aggregations are leaves.
 *
 * The tree counts time in steps: step i of the query is time i to it, so that nanoseconds are not lost. */
#include "base/check.h"
#include "query/logql/run.h"
#include "query/promql/functions.h"

static struct node *node_new(struct logql_run *r, enum promql_kind kind, enum promql_type type,
                             const struct expr *x)
{
    struct node *n = arena_zero(&r->arena, sizeof *n);
    n->kind = kind;
    n->type = type;
    n->height = 1;
    n->at = n->op_at = (struct promql_span){ x->pos, x->pos };
    return n;
}

static struct node *number_node(struct logql_run *r, const struct expr *x, double v)
{
    struct node *n = node_new(r, NODE_NUMBER, PROMQL_SCALAR, x);
    n->number = v;
    return n;
}

static struct node *string_node(struct logql_run *r, const struct expr *x, struct str s)
{
    struct node *n = node_new(r, NODE_STRING, PROMQL_STRING, x);
    n->text = s;
    return n;
}

static struct node *translate(struct logql_run *, const struct expr *, const struct grouping *outer);

static struct node *call_node(struct logql_run *r, const struct expr *x, const char *name, size_t n_args)
{
    struct node *n = node_new(r, NODE_CALL, PROMQL_VECTOR, x);
    n->fn = promql_function_find(str_of(name));
    check(n->fn != NULL);
    n->n_args = n_args;
    n->args = arena_zero(&r->arena, n_args * sizeof *n->args);
    return n;
}

static struct node *leaf_node(struct logql_run *r, const struct expr *x, const struct grouping *outer)
{
    struct node *n = node_new(r, NODE_LEAF, PROMQL_VECTOR, x);
    struct leaf *leaf = arena_zero(&r->arena, sizeof *leaf);
    *leaf = (struct leaf){ r, x, outer };
    n->leaf = logql_leaf;
    n->leaf_ctx = leaf;
    return n;
}

/* A sum of counts is a count: lines may be grouped as the sum groups, before any series is made. */
static bool sums_up(const struct expr *sum, const struct expr *x)
{
    if (sum->agg != AGG_SUM || x->kind != EXPR_RANGE) return false;
    return x->range_op == RANGE_COUNT || x->range_op == RANGE_BYTES || x->range_op == RANGE_RATE ||
           x->range_op == RANGE_BYTES_RATE || x->range_op == RANGE_SUM;
}

static struct node *aggregate_node(struct logql_run *r, const struct expr *x)
{
    struct node *n = node_new(r, NODE_AGGREGATE, PROMQL_VECTOR, x);
    struct grouping *g = arena_zero(&r->arena, sizeof *g);
    *g = x->grouping;
    if (!g->without) g->by = true; /* sum(x) is sum by () (x) */
    n->agg = x->agg;
    n->by = x->grouping.by;
    n->without = x->grouping.without;
    n->grouping = g->names;
    n->n_grouping = g->n;
    if (x->has_param) n->param = number_node(r, x, x->param);
    n->child = translate(r, x->child, sums_up(x, logql_bare(x->child)) ? g : NULL);
    return n;
}

static struct node *binary_node(struct logql_run *r, const struct expr *x)
{
    struct node *n = node_new(r, NODE_BINARY, PROMQL_VECTOR, x);
    n->op = x->op;
    n->left = translate(r, x->left, NULL);
    n->right = translate(r, x->right, NULL);
    n->return_bool = x->return_bool;
    n->has_matching = x->has_matching;
    n->on = x->on;
    n->card = x->card;
    n->match_labels = x->match_labels;
    n->n_match_labels = x->n_match_labels;
    n->include = x->include;
    n->n_include = x->n_include;
    if (n->left->type == PROMQL_SCALAR && n->right->type == PROMQL_SCALAR) {
        n->type = PROMQL_SCALAR;
        n->return_bool |= x->op >= OP_EQ && x->op <= OP_LTE; /* numbers cannot be filtered away */
    }
    return n;
}

static struct node *replace_node(struct logql_run *r, const struct expr *x)
{
    struct node *n = call_node(r, x, "label_replace", 5);
    n->args[0] = translate(r, x->child, NULL);
    for (size_t i = 0; i < COUNT(x->replace); i++) n->args[i + 1] = string_node(r, x, x->replace[i]);
    return n;
}

static struct node *translate(struct logql_run *r, const struct expr *x, const struct grouping *outer)
{
    struct node *n;
    switch (x->kind) {
    case EXPR_NUMBER: return number_node(r, x, x->number);
    case EXPR_RANGE: return leaf_node(r, x, outer);
    case EXPR_AGGREGATE: return aggregate_node(r, x);
    case EXPR_BINARY: return binary_node(r, x);
    case EXPR_LABEL_REPLACE: return replace_node(r, x);
    case EXPR_PAREN: return translate(r, x->child, outer);
    case EXPR_VECTOR:
        n = call_node(r, x, "vector", 1);
        n->args[0] = number_node(r, x, x->number);
        return n;
    case EXPR_SORT:
        n = call_node(r, x, x->descending ? "sort_desc" : "sort", 1);
        n->args[0] = translate(r, x->child, NULL);
        return n;
    case EXPR_LOG: break;
    }
    check(!"a log query is no metric");
    return NULL;
}

int logql_translate(struct logql_run *r, const struct expr *x, struct node **out, struct err *e)
{
    *out = translate(r, x, NULL);
    return call_check(&r->call, e);
}

static void reach(const struct logql_run *r, const struct expr *x, int64_t *from, int64_t *to)
{
    if (x == NULL) return;
    if (x->kind == EXPR_RANGE) {
        int64_t last = r->start_ns + (int64_t)(r->n_steps - 1) * r->step_ns, first, end;
        if (__builtin_sub_overflow(r->start_ns, x->range_ns, &first) ||
            __builtin_sub_overflow(first, x->offset_ns, &first))
            first = 0;
        if (__builtin_sub_overflow(last, x->offset_ns, &end)) end = INT64_MAX;
        *from = MIN(*from, first);
        *to = MAX(*to, end);
    }
    reach(r, x->child, from, to);
    reach(r, x->left, from, to);
    reach(r, x->right, from, to);
}

bool logql_reach(const struct logql_run *r, const struct expr *x, int64_t *from_ns, int64_t *to_ns)
{
    *from_ns = INT64_MAX;
    *to_ns = INT64_MIN;
    reach(r, x, from_ns, to_ns);
    return *from_ns <= *to_ns;
}
