/* reusable.c - see reusable.h. */
#include "query/promql/reusable.h"

#include <string.h>

#include "base/check.h"
#include "query/promql/window.h"

/* ---- functions ---- */

enum says {
    STEP,    /* a function of the step and the rows it sees */
    ORDERED, /* the same, of the order of its argument's rows, too */
    SPOILS,  /* not so, or not worth the proof */
};

/* clang-format off: a table */
static const struct {
    const char *name;
    enum says says;
} table[] = {
    { "abs", STEP },
    { "absent", STEP },
    { "absent_over_time", STEP },
    { "acos", STEP },
    { "acosh", STEP },
    { "asin", STEP },
    { "asinh", STEP },
    { "atan", STEP },
    { "atanh", STEP },
    { "avg_over_time", STEP },
    { "ceil", STEP },
    { "changes", STEP },
    { "clamp", STEP },
    { "clamp_max", STEP },
    { "clamp_min", STEP },
    { "cos", STEP },
    { "cosh", STEP },
    { "count_over_time", STEP },
    { "day_of_month", STEP },
    { "day_of_week", STEP },
    { "day_of_year", STEP },
    { "days_in_month", STEP },
    { "deg", STEP },
    { "delta", STEP },
    { "deriv", STEP },
    { "double_exponential_smoothing", STEP },
    { "end", SPOILS }, /* the query's */
    { "exp", STEP },
    { "first_over_time", STEP },
    { "floor", STEP },
    { "histogram_avg", STEP },
    { "histogram_count", STEP },
    { "histogram_fraction", ORDERED },
    { "histogram_quantile", ORDERED },
    { "histogram_quantiles", ORDERED },
    { "histogram_stddev", STEP },
    { "histogram_stdvar", STEP },
    { "histogram_sum", STEP },
    { "hour", STEP },
    { "idelta", STEP },
    { "increase", STEP },
    { "info", SPOILS }, /* which of several info series is taken follows from all of them */
    { "irate", STEP },
    { "label_join", STEP },
    { "label_replace", STEP },
    { "last_over_time", STEP },
    { "ln", STEP },
    { "log10", STEP },
    { "log2", STEP },
    { "mad_over_time", STEP },
    { "max_of", STEP },
    { "max_over_time", STEP },
    { "min_of", STEP },
    { "min_over_time", STEP },
    { "minute", STEP },
    { "month", STEP },
    { "pi", STEP },
    { "predict_linear", STEP },
    { "present_over_time", STEP },
    { "quantile_over_time", SPOILS }, /* the sorted window moves along: 0 and -0 may lie either way */
    { "rad", STEP },
    { "range", SPOILS }, /* the query's */
    { "rate", STEP },
    { "resets", STEP },
    { "round", STEP },
    { "scalar", STEP },
    { "sgn", STEP },
    { "sin", STEP },
    { "sinh", STEP },
    { "sort", SPOILS },
    { "sort_by_label", SPOILS },
    { "sort_by_label_desc", SPOILS },
    { "sort_desc", SPOILS },
    { "sqrt", STEP },
    { "start", SPOILS }, /* the query's */
    { "start_timestamp", STEP },
    { "stddev_over_time", STEP },
    { "stdvar_over_time", STEP },
    { "step", STEP }, /* answers are kept for one step only */
    { "sum_over_time", STEP },
    { "tan", STEP },
    { "tanh", STEP },
    { "time", STEP },
    { "timestamp", STEP },
    { "ts_of_first_over_time", STEP },
    { "ts_of_last_over_time", STEP },
    { "ts_of_max_over_time", STEP },
    { "ts_of_min_over_time", STEP },
    { "vector", STEP },
    { "year", STEP },
};
/* clang-format on */

static const enum says *find(const char *name)
{
    for (size_t i = 0; i < COUNT(table); i++)
        if (strcmp(table[i].name, name) == 0) return &table[i].says;
    return NULL;
}

bool reuse_knows(const char *function)
{
    return find(function) != NULL;
}

static enum says says_of(const struct promql_function *f)
{
    const enum says *s = find(f->name);
    return s ? *s : SPOILS;
}

/* ---- the tree ---- */

static bool asks_for_range(const struct duration_expr *d)
{
    return d != NULL && (d->op == DUR_RANGE || asks_for_range(d->a) || asks_for_range(d->b));
}

static const char *node_refused(const struct node *n)
{
    if (n->at_kind == AT_START || n->at_kind == AT_END) return "it asks for the start or end of the query";
    if (asks_for_range(n->offset_expr) || asks_for_range(n->range_expr) || asks_for_range(n->step_expr))
        return "a duration in it depends on the length of the query";
    if (n->kind == NODE_AGGREGATE && n->agg == AGG_LIMITK) return "limitk takes whichever series come first";
    if (n->kind == NODE_CALL && says_of(n->fn) == SPOILS)
        return "one of its functions is not of a single step alone";
    return NULL;
}

const char *reuse_refused(const struct node *n)
{
    const char *why = NULL;
    if (n == NULL || (why = node_refused(n)) != NULL) return why;
    const struct node *fixed[] = { n->child, n->left, n->right, n->param };
    for (size_t i = 0; i < COUNT(fixed); i++)
        if ((why = reuse_refused(fixed[i])) != NULL) return why;
    for (size_t i = 0; i < n->n_args; i++)
        if ((why = reuse_refused(n->args[i])) != NULL) return why;
    return NULL;
}

bool reuse_runs(const struct window_def *d)
{
    return d == &window_sum_over_time || d == &window_avg_over_time || d == &window_stddev_over_time ||
           d == &window_stdvar_over_time || d == &window_deriv || d == &window_predict_linear;
}

/* ---- order ---- */

bool reuse_needs_order(const struct node *n)
{
    return n->kind == NODE_AGGREGATE || (n->kind == NODE_CALL && says_of(n->fn) == ORDERED);
}

/* Functions that give one row for each of their argument's, in the same order. */
static bool row_by_row(const struct promql_function *f)
{
    return f->map != NULL || (f->window != NULL && f->returns == PROMQL_VECTOR);
}

bool reuse_keeps_order(const struct node *n)
{
    switch (n->kind) {
    case NODE_SELECTOR: return true;
    case NODE_PAREN:
    case NODE_UNARY:
    case NODE_SUBQUERY: return reuse_keeps_order(n->child);
    case NODE_MATRIX: return true;
    case NODE_CALL:
        if (!row_by_row(n->fn)) return false;
        for (size_t i = 0; i < n->n_args; i++)
            if (n->args[i]->type != PROMQL_SCALAR && !reuse_keeps_order(n->args[i])) return false;
        return true;
    case NODE_BINARY:
        if (n->left->type == PROMQL_SCALAR) return reuse_keeps_order(n->right);
        return n->right->type == PROMQL_SCALAR && reuse_keeps_order(n->left);
    default: return false;
    }
}

/* ---- how far ahead ---- */

struct looking {
    const struct query *q;
    int64_t ahead_ms; /* of the step, where the node is evaluated */
    bool is_fixed;    /* @ above: at fixed_ms, whatever the step */
    int64_t fixed_ms;
    struct reuse_reach *out;
};

static bool look(struct looking l, const struct node *n);

static bool look_at_children(struct looking l, const struct node *n)
{
    const struct node *fixed[] = { n->child, n->left, n->right, n->param };
    for (size_t i = 0; i < COUNT(fixed); i++)
        if (fixed[i] && !look(l, fixed[i])) return false;
    for (size_t i = 0; i < n->n_args; i++)
        if (!look(l, n->args[i])) return false;
    return true;
}

static bool too_many_rows(struct looking l, const struct node *call)
{
    struct timing t;
    for (size_t i = 0; i < call->n_args; i++) {
        const struct node *sub = node_bare(call->args[i]);
        if (sub->kind != NODE_SUBQUERY) continue;
        if (timing_of(l.q, sub, &t, NULL) < 0 || t.range_ms / t.step_ms >= WINDOW_RUN_WORTH - 1) return true;
    }
    return false;
}

static bool look(struct looking l, const struct node *n)
{
    struct timing t;
    if (n->kind == NODE_CALL && n->fn->window && reuse_runs(n->fn->window) && too_many_rows(l, n))
        return false;
    if (n->kind != NODE_SELECTOR && n->kind != NODE_MATRIX && n->kind != NODE_SUBQUERY)
        return look_at_children(l, n);
    if (timing_of(l.q, n, &t, NULL) < 0) return false;
    if (t.fixed) l.is_fixed = true, l.fixed_ms = t.at_ms, l.ahead_ms = 0;
    l.ahead_ms -= t.offset_ms;
    if (n->kind == NODE_SUBQUERY) return look(l, n->child);

    const struct node *selector = n->kind == NODE_MATRIX ? n->child : n;
    if (selector->extent == EXTENT_SMOOTHED) l.ahead_ms += l.q->lookback_ms;
    if (l.is_fixed)
        l.out->fixed_ms = MAX(l.out->fixed_ms, l.fixed_ms + l.ahead_ms);
    else
        l.out->ahead_ms = MAX(l.out->ahead_ms, l.ahead_ms);
    return true;
}

bool reuse_reach(const struct query *q, const struct node *root, struct reuse_reach *out)
{
    *out = (struct reuse_reach){ INT64_MIN, INT64_MIN };
    return look((struct looking){ .q = q, .out = out }, root);
}
