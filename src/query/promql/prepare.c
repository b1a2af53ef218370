/* prepare.c - what is known of a query before anything is read: whether its extents are allowed, which time
 * it touches, which of its parts do not depend on the step. */
#include "base/check.h"
#include "query/promql/window.h"

/* Calls f for each child until it says false. */
static bool each_child(const struct node *n, bool (*f)(void *, const struct node *), void *ctx)
{
    const struct node *fixed[] = { n->child, n->left, n->right, n->param };
    for (size_t i = 0; i < COUNT(fixed); i++)
        if (fixed[i] && !f(ctx, fixed[i])) return false;
    for (size_t i = 0; i < n->n_args; i++)
        if (!f(ctx, n->args[i])) return false;
    return true;
}

/* ---- does it depend on the step? ---- */

static bool invariant_child(void *ctx, const struct node *n)
{
    (void)ctx;
    return node_is_invariant(n);
}

bool node_is_invariant(const struct node *n)
{
    switch (n->kind) {
    case NODE_NUMBER:
    case NODE_STRING: return true;
    case NODE_LEAF: return false;
    case NODE_SELECTOR:
    case NODE_SUBQUERY: return n->at_kind != AT_NONE;
    case NODE_CALL:
        if (n->fn->uses_time) return false;
        return each_child(n, invariant_child, NULL);
    default: return each_child(n, invariant_child, NULL);
    }
}

/* ---- extents ---- */

struct checking {
    struct query *q;
    struct err *e;
    int rc;
};

/* The functions an extent goes with, from the table, for the error. */
static void allowed_names(struct buf *b, bool smoothed)
{
    size_t n;
    const struct promql_function *all = promql_functions(&n);
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        if (all[i].window == NULL || !(smoothed ? all[i].window->smoothed : all[i].window->anchored))
            continue;
        buf_printf(b, "%s%s", first ? "" : ", ", all[i].name);
        first = false;
    }
}

static int check_extent(struct checking *c, const struct node *call)
{
    for (size_t i = 0; i < call->n_args; i++) {
        const struct node *m = node_bare(call->args[i]);
        enum promql_extent extent = m->kind == NODE_MATRIX ? m->child->extent : EXTENT_PLAIN;
        bool smoothed = extent == EXTENT_SMOOTHED;
        if (extent == EXTENT_PLAIN || (smoothed ? call->fn->window->smoothed : call->fn->window->anchored))
            continue;
        struct buf names = BUF_INIT(1024);
        allowed_names(&names, smoothed);
        c->rc = err_set(c->e, ERR_EXEC, "%s modifier can only be used with: %s - not with %s",
                        smoothed ? "smoothed" : "anchored", buf_cstr(&names), call->fn->name);
        buf_release(&names);
    }
    return c->rc;
}

static bool check_node(void *ctx, const struct node *n)
{
    struct checking *c = ctx;
    struct timing t;
    if (n->kind == NODE_SELECTOR || n->kind == NODE_MATRIX || n->kind == NODE_SUBQUERY)
        c->rc = timing_of(c->q, n, &t, c->e);
    if (c->rc == OK && n->kind == NODE_CALL && n->fn->window) check_extent(c, n);
    return c->rc == OK && each_child(n, check_node, c);
}

int prepare_check(struct query *q, const struct node *n, struct err *e)
{
    struct checking c = { q, e, OK };
    check_node(&c, n);
    return c.rc;
}

/* ---- the time it touches ---- */

struct touching {
    struct query *q;
    int64_t start, end; /* evaluated at these times */
    int64_t from, to;   /* of samples looked at so far; from > to: none */
};

static void touch(struct touching *t, int64_t from, int64_t to)
{
    t->from = MIN(t->from, from);
    t->to = MAX(t->to, to);
}

static void shift(struct touching *t, const struct timing *by)
{
    if (by->fixed) t->start = t->end = by->at_ms;
    t->start -= by->offset_ms;
    t->end -= by->offset_ms;
}

static bool touch_node(void *ctx, const struct node *n);

static void touch_inner(struct touching *t, const struct node *n, struct touching inner)
{
    if (n->kind == NODE_SUBQUERY) touch_node(&inner, n->child);
    t->from = inner.from;
    t->to = inner.to;
}

static bool touch_node(void *ctx, const struct node *n)
{
    struct touching *t = ctx, inner = *t;
    int64_t lookback = t->q->lookback_ms;
    struct timing by;

    if (n->kind != NODE_SELECTOR && n->kind != NODE_MATRIX && n->kind != NODE_SUBQUERY)
        return each_child(n, touch_node, t);
    if (timing_of(t->q, n, &by, NULL) < 0) return false;
    shift(&inner, &by);
    inner.start -= by.range_ms;
    /* Lookback on both sides whatever the extent: info() reads its own series around these times. */
    if (n->kind != NODE_SUBQUERY)
        touch(&inner, inner.start - lookback,
              inner.end + (n->kind == NODE_MATRIX || n->extent ? lookback : 0));
    touch_inner(t, n, inner);
    return true;
}

bool prepare_window(struct query *q, const struct node *n, int64_t *from_ms, int64_t *to_ms)
{
    struct touching t = { q, q->start_ms, q->end_ms, INT64_MAX, INT64_MIN };
    touch_node(&t, n);
    *from_ms = t.from;
    *to_ms = t.to;
    return t.from <= t.to;
}
