/* binary.h - one operator on two samples. */
#pragma once
#include "query/promql/eval.h"

struct sample { /* a float, or a histogram when h is set */
    double v;
    const struct histogram *h;
};

struct binop {
    struct query *q;
    const struct node *node;
    bool scalar_left; /* a filter keeps the right value */
    struct arena *scratch;
};

static inline bool op_is_comparison(enum promql_op op)
{
    return op >= OP_EQ && op <= OP_LTE;
}
static inline bool op_is_set(enum promql_op op)
{
    return op >= OP_AND;
}
/* Arithmetic makes something new, which has not the old name. Filters and trims keep it. */
static inline bool op_changes_metric(enum promql_op op)
{
    return op <= OP_ATAN2;
}

/* a op b. False: no result (filtered out, or they do not go together, which is then noted). With `bool` 0
 * or 1. */
bool binop_apply(struct binop *, struct sample a, struct sample b, struct sample *out);
