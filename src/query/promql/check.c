/* check.c - what the grammar alone cannot say: types, matching, arguments. Runs on a tree without syntax
 * errors and stops at the first thing wrong, in the order of the text. */
#include <stdio.h>

#include "base/check.h"
#include "query/promql/functions.h"
#include "query/promql/parser.h"

static int check_node(struct parser *, struct node *);

static const char *type_name(enum promql_type t)
{
    switch (t) {
    case PROMQL_SCALAR: return "scalar";
    case PROMQL_VECTOR: return "instant vector";
    case PROMQL_MATRIX: return "range vector";
    case PROMQL_STRING: return "string";
    case PROMQL_NONE: break;
    }
    return "none";
}

static int expect_type(struct parser *p, struct node *n, enum promql_type want, const char *context)
{
    int rc = check_node(p, n);
    if (rc < 0) return rc;
    if (n->type == want) return OK;
    return parse_fail(p, n->at.pos, "expected type %s in %s, got %s", type_name(want), context,
                      type_name(n->type));
}

/* ---- binary operators ---- */

static bool is_comparison(enum promql_op op)
{
    return op >= OP_EQ && op <= OP_LTE;
}

static bool is_set_operator(enum promql_op op)
{
    return op == OP_AND || op == OP_OR || op == OP_UNLESS;
}

static bool label_in(struct str label, const struct str *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(label, list[i])) return true;
    return false;
}

static int check_operator(struct parser *p, struct node *n)
{
    bool scalars = n->left->type == PROMQL_SCALAR && n->right->type == PROMQL_SCALAR;

    if (n->return_bool && !is_comparison(n->op))
        return parse_fail(p, n->op_at.pos, "bool modifier can only be used on comparison operators");
    if (is_comparison(n->op) && !n->return_bool && scalars)
        return parse_fail(p, n->op_at.pos, "comparisons between scalars must use BOOL modifier");
    for (size_t i = 0; n->on && i < n->n_match_labels; i++)
        if (label_in(n->match_labels[i], n->include, n->n_include))
            return parse_fail(p, n->op_at.pos, "label \"%.*s\" must not occur in ON and GROUP clause at once",
                              STR_ARG(n->match_labels[i]));
    for (int i = 0; i < 2; i++) {
        const struct node *side = i == 0 ? n->left : n->right;
        if (side->type != PROMQL_SCALAR && side->type != PROMQL_VECTOR)
            return parse_fail(p, side->at.pos,
                              "binary expression must contain only scalar and instant vector types");
    }
    return OK;
}

static int check_matching(struct parser *p, struct node *n)
{
    bool filled = n->has_fill_left || n->has_fill_right;
    struct str op = promql_op_text(n->op);

    if (n->left->type != PROMQL_VECTOR || n->right->type != PROMQL_VECTOR) {
        if (n->n_match_labels > 0)
            return parse_fail(p, n->at.pos, "vector matching only allowed between instant vectors");
        if (filled)
            return parse_fail(p, n->at.pos, "filling in missing series only allowed between instant vectors");
        if (is_set_operator(n->op))
            return parse_fail(p, n->at.pos, "set operator \"%.*s\" not allowed in binary scalar expression",
                              STR_ARG(op));
        return OK;
    }
    if (!is_set_operator(n->op)) return OK;
    if (n->card != CARD_ONE_TO_ONE)
        return parse_fail(p, n->at.pos, "no grouping allowed for \"%.*s\" operation", STR_ARG(op));
    if (filled) return parse_fail(p, n->at.pos, "filling in missing series not allowed for set operators");
    n->card = CARD_MANY_TO_MANY;
    return OK;
}

static int check_binary(struct parser *p, struct node *n)
{
    int rc;

    if ((rc = check_node(p, n->left)) < 0) return rc;
    if ((rc = check_node(p, n->right)) < 0) return rc;
    if ((rc = check_operator(p, n)) < 0) return rc;
    return check_matching(p, n);
}

/* ---- calls and aggregations ---- */

/* Optional arguments may be left out from the end; beyond the table's last entry its type repeats. */
static void arity(const struct promql_function *fn, size_t *least, size_t *most)
{
    size_t n = (size_t)fn->n_args;

    if (fn->variadic == 0) {
        *least = *most = n;
    } else if (fn->variadic < 0) {
        *least = n - 1;
        *most = SIZE_MAX;
    } else {
        *least = n >= (size_t)fn->variadic ? n - (size_t)fn->variadic : n - 1;
        *most = n >= (size_t)fn->variadic ? n : n - 1 + (size_t)fn->variadic;
    }
}

static int check_arity(struct parser *p, const struct node *n)
{
    const struct promql_function *fn = n->fn;
    size_t least, most;

    arity(fn, &least, &most);
    if (least == most && n->n_args != least)
        return parse_fail(p, n->at.pos, "expected %zu argument(s) in call to \"%s\", got %zu", least,
                          fn->name, n->n_args);
    if (n->n_args < least)
        return parse_fail(p, n->at.pos, "expected at least %zu argument(s) in call to \"%s\", got %zu", least,
                          fn->name, n->n_args);
    if (n->n_args > most)
        return parse_fail(p, n->at.pos, "expected at most %zu argument(s) in call to \"%s\", got %zu", most,
                          fn->name, n->n_args);
    return OK;
}

/* The second argument of info() names labels, not a metric: {x="y"}, which may match the empty value. */
static int check_info_selector(struct parser *p, const struct node *arg)
{
    if (arg->type != PROMQL_VECTOR)
        return parse_fail(p, arg->at.pos, "expected type instant vector in call to function \"info\", got %s",
                          type_name(arg->type));
    if (arg->kind != NODE_SELECTOR) return parse_fail(p, arg->at.pos, "expected label selectors only");
    if (arg->metric.n > 0)
        return parse_fail(p, arg->at.pos, "expected label selectors only, got vector selector instead");
    return OK;
}

static int check_call(struct parser *p, struct node *n)
{
    const struct promql_function *fn = n->fn;
    bool is_info = strcmp(fn->name, "info") == 0;
    char context[96];
    int rc;

    if ((rc = check_arity(p, n)) < 0) return rc;
    snprintf(context, sizeof context, "call to function \"%s\"", fn->name);
    for (size_t i = 0; i < n->n_args; i++) {
        enum promql_type want = fn->args[MIN(i, (size_t)fn->n_args - 1)];
        rc = is_info && i == 1 ? check_info_selector(p, n->args[i])
                               : expect_type(p, n->args[i], want, context);
        if (rc < 0) return rc;
    }
    return OK;
}

static int check_aggregate(struct parser *p, struct node *n)
{
    int rc = expect_type(p, n->child, PROMQL_VECTOR, "aggregation expression");

    if (rc < 0 || !n->param) return rc;
    return expect_type(p, n->param, n->agg == AGG_COUNT_VALUES ? PROMQL_STRING : PROMQL_SCALAR,
                       "aggregation parameter");
}

/* ---- selectors ---- */

/* A selector that matches everything is a slip of the pen: at least one matcher must refuse the empty value.
 */
static int check_selector(struct parser *p, const struct node *n)
{
    if (n->metric.n > 0) {
        for (size_t i = 0; i + 1 < n->n_matchers; i++) /* the last one is the name before the braces */
            if (str_is(n->matchers[i].name, LABEL_NAME))
                return parse_fail(p, n->at.pos, "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                                  STR_ARG(n->metric), STR_ARG(n->matchers[i].value));
        return OK;
    }
    for (size_t i = 0; i < n->n_matchers; i++)
        if (!matcher_matches_empty(&n->matchers[i])) return OK;
    return parse_fail(p, n->at.pos, "vector selector must contain at least one non-empty matcher");
}

static int check_unary(struct parser *p, struct node *n)
{
    int rc = check_node(p, n->child);
    if (rc < 0) return rc;
    if (n->child->type == PROMQL_SCALAR || n->child->type == PROMQL_VECTOR) return OK;
    return parse_fail(
        p, n->at.pos,
        "unary expression only allowed on expressions of type scalar or instant vector, got \"%s\"",
        type_name(n->child->type));
}

static int check_subquery(struct parser *p, struct node *n)
{
    static const char *const names[] = { "none", "scalar", "vector", "matrix", "string" };
    int rc = check_node(p, n->child);
    if (rc < 0) return rc;
    if (n->child->type == PROMQL_VECTOR) return OK;
    return parse_fail(p, n->at.pos, "subquery is only allowed on instant vector, got %s instead",
                      names[n->child->type]);
}

static int check_node(struct parser *p, struct node *n)
{
    switch (n->kind) {
    case NODE_PAREN:
    case NODE_MATRIX: return check_node(p, n->child);
    case NODE_UNARY: return check_unary(p, n);
    case NODE_BINARY: return check_binary(p, n);
    case NODE_AGGREGATE: return check_aggregate(p, n);
    case NODE_CALL: return check_call(p, n);
    case NODE_SELECTOR: return check_selector(p, n);
    case NODE_SUBQUERY: return check_subquery(p, n);
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_LEAF:
    case NODE_STEP_INVARIANT: return OK;
    }
    return OK;
}

int parse_check(struct parser *p, struct node *n)
{
    return check_node(p, n);
}
