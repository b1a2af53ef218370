/* eval.c - the walk over the tree: each node becomes a matrix. See eval.h. */
#include "query/promql/eval.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/turns.h"
#include "query/promql/explain.h"
#include "query/promql/reusable.h"
#include "query/promql/window.h"

const struct node *node_bare(const struct node *n)
{
    while (n->kind == NODE_PAREN) n = n->child;
    return n;
}

struct str node_string(const struct node *n)
{
    n = node_bare(n);
    check(n->kind == NODE_STRING);
    return n->text;
}

int eval_check(struct eval *ev, struct err *e)
{
    struct query *q = ev->q;
    size_t used = q->arena.used + q->memory;
    turns_yield();
    if (used > q->max_memory)
        return err_set(e, ERR_LIMIT, "query needs more than its memory limit of %zu bytes", q->max_memory);
    int rc = query_count(q, e);
    return rc < 0 ? rc : call_check(&q->call, e);
}

/* Rows are counted before they are made: a range of a million steps over a thousand series must fail, not
 * swap. */
int eval_room(struct eval *ev, size_t series, struct err *e)
{
    struct query *q = ev->q;
    size_t points, bytes;
    if (__builtin_mul_overflow(series, ev->n, &points) ||
        __builtin_mul_overflow(points, sizeof(double), &bytes))
        points = bytes = SIZE_MAX;
    q->points += points;
    if (points > q->max_samples)
        return err_set(e, ERR_LIMIT,
                       "query processing would load too many samples into memory in query execution");
    if (bytes > q->max_memory || q->arena.used + q->memory + bytes > q->max_memory)
        return err_set(e, ERR_LIMIT, "query needs more than its memory limit of %zu bytes", q->max_memory);
    return engine_has_room(q->engine, bytes) ? OK : query_no_room(q, e);
}

void eval_subquery_steps(struct eval *child, int64_t from_ms, int64_t to_ms)
{
    int64_t step = child->step_ms, first = from_ms / step * step;
    while (first <= from_ms) first += step; /* the first multiple after from, also below zero */
    while (first - step > from_ms) first -= step;
    child->start_ms = first;
    child->n = first > to_ms ? 0 : (size_t)((to_ms - first) / step) + 1;
}

int eval_scalar(struct eval *ev, const struct node *n, const double **out, struct err *e)
{
    struct series_matrix m;
    int rc = eval_node(ev, n, &m, e);
    if (rc < 0) return rc;
    check(m.n == 1 && m.steps == ev->n);
    *out = m.at[0].v;
    return OK;
}

static int eval_unary(struct eval *ev, const struct node *n, struct series_matrix *out, struct err *e)
{
    struct arena scratch = ARENA_INIT(ev->q->max_memory);
    int rc = eval_node(ev, n->child, out, e);

    for (size_t s = 0; rc == OK && n->op == OP_SUB && s < out->n; s++) {
        struct mseries *in = &out->at[s];
        double *v = row_new(&ev->q->arena, ev->n);
        const struct histogram **h = in->h ? arena_zero(&ev->q->arena, ev->n * sizeof *h) : NULL;
        for (size_t i = 0; i < ev->n; i++) {
            if (has_hist(in, i)) {
                struct hwork w;
                hwork_init(&w, &scratch, in->h[i]);
                hwork_scale(&w, -1);
                h[i] = hwork_done(&w, &ev->q->arena);
            } else if (has_float(in, i)) {
                v[i] = -in->v[i];
            }
        }
        in->v = v;
        in->h = h;
        in->drop_name = true;
        arena_reset(&scratch);
        rc = eval_check(ev, e);
    }
    arena_release(&scratch);
    return rc;
}

static int eval_kind(struct eval *ev, const struct node *n, struct series_matrix *out, struct err *e)
{
    switch (n->kind) {
    case NODE_NUMBER: matrix_scalar(ev->q, out, ev->n, n->number); return OK;
    case NODE_PAREN: return eval_node(ev, n->child, out, e);
    case NODE_UNARY: return eval_unary(ev, n, out, e);
    case NODE_BINARY: return eval_binary(ev, n, out, e);
    case NODE_AGGREGATE: return eval_aggregate(ev, n, out, e);
    case NODE_CALL: return n->fn->call(ev, n, out, e);
    case NODE_SELECTOR: return eval_selector(ev, n, SELECT_VALUES, out, e);
    case NODE_LEAF: return n->leaf(ev, n, out, e);
    default: return err_set(e, ERR_EXEC, "a range vector or string cannot be evaluated here");
    }
}

static int by_labels(const void *a, const void *b)
{
    const struct mseries *x = a, *y = b;
    int c = labels_cmp(x->labels, y->labels);
    return c ? c : x->drop_name - y->drop_name;
}

/* Sums and ties follow the order of rows. Where that comes of which rows have a sample somewhere in the
 * range, it is made one of labels: so that the value at a step does not depend on where the query begins. */
static void put_in_order(struct series_matrix *m)
{
    for (size_t i = 1; i < m->n; i++) {
        if (by_labels(&m->at[i - 1], &m->at[i]) <= 0) continue;
        qsort(m->at, m->n, sizeof *m->at, by_labels);
        return;
    }
}

static int eval_at_all_steps(struct eval *ev, const struct node *n, struct series_matrix *out, struct err *e)
{
    if (ev->n == 1 || n->kind == NODE_NUMBER || !node_is_invariant(n)) return eval_kind(ev, n, out, e);
    struct eval once = *ev;
    _Atomic uint64_t samples = 0;
    once.n = 1;
    if (ev->samples_at) once.samples_at = &samples;
    int rc = eval_kind(&once, n, out, e);
    for (size_t i = 0; ev->samples_at && i < ev->n; i++) ev->samples_at[i] += samples;
    return rc < 0 ? rc : matrix_broadcast(ev->q, out, ev->n, e);
}

int eval_node(struct eval *ev, const struct node *n, struct series_matrix *out, struct err *e)
{
    struct costs *costs = ev->q->costs;
    struct eval inner = *ev;
    int64_t begun = costs_begin(costs);
    int rc = eval_check(ev, e);
    if (rc < 0) return rc;
    inner.needs_order = reuse_needs_order(n);
    if ((rc = eval_at_all_steps(&inner, n, out, e)) < 0) return rc;
    if (ev->needs_order && !reuse_keeps_order(n)) put_in_order(out);
    costs_end(costs, n, begun, out->n, ev->n);
    return OK;
}
