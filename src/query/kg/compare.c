/* compare.c - both sides are put in order and walked together. */
#include "query/kg/compare.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"

/* ---- any two sorted lists ---- */

typedef int order(const void *a, const void *b);
/* One of both may be NULL. */
typedef void pair(void *ctx, const void *before, const void *after);

/* Of equal neighbours the first stands for all. */
static size_t sorted(void *at, size_t n, size_t size, order *cmp)
{
    char *p = at;
    size_t kept = 0;
    if (n > 0) qsort(at, n, size, cmp);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || cmp(p + (kept - 1) * size, p + i * size) != 0) {
            if (kept != i) memcpy(p + kept * size, p + i * size, size);
            kept++;
        }
    return kept;
}

static void walk(void *a, size_t n, void *b, size_t m, size_t size, order *cmp, pair *visit, void *ctx)
{
    char *p = a, *q = b;
    n = sorted(a, n, size, cmp);
    m = sorted(b, m, size, cmp);
    for (size_t i = 0, k = 0; i < n || k < m;) {
        int c = i == n ? 1 : k == m ? -1 : cmp(p + i * size, q + k * size);
        visit(ctx, c <= 0 ? p + i * size : NULL, c >= 0 ? q + k * size : NULL);
        i += c <= 0, k += c >= 0;
    }
}

/* ---- of what ---- */

struct work {
    struct arena *a;
    struct kg_difference *d;
    size_t cap_nodes, cap_edges, cap_scores, cap_added, cap_removed, cap_same;
};

static int by_id(const void *a, const void *b)
{
    return str_cmp(((const struct kgot_node *)a)->id, ((const struct kgot_node *)b)->id);
}

static void node(void *ctx, const void *before, const void *after)
{
    struct work *w = ctx;
    const struct kgot_node *a = before, *b = after;
    if (a != NULL && b != NULL && str_eq(a->type, b->type) && str_eq(a->name, b->name)) {
        w->d->nodes_same++;
        return;
    }
    w->d->nodes = arena_grow(w->a, w->d->nodes, w->d->n_nodes, &w->cap_nodes, sizeof *w->d->nodes);
    w->d->nodes[w->d->n_nodes++] = (struct kg_changed_node){ a, b };
}

static int by_ends(const void *a, const void *b)
{
    const struct kgot_edge *x = a, *y = b;
    int c = str_cmp(x->source, y->source);
    if (c == 0) c = str_cmp(x->target, y->target);
    return c != 0 ? c : str_cmp(x->type, y->type);
}

static void edge(void *ctx, const void *before, const void *after)
{
    struct work *w = ctx;
    const struct kgot_edge *a = before, *b = after;
    if (a != NULL && b != NULL && a->weight == b->weight) {
        w->d->edges_same++;
        return;
    }
    w->d->edges = arena_grow(w->a, w->d->edges, w->d->n_edges, &w->cap_edges, sizeof *w->d->edges);
    w->d->edges[w->d->n_edges++] = (struct kg_changed_edge){ a, b };
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct kgot_score *)a)->name, ((const struct kgot_score *)b)->name);
}

static void score(void *ctx, const void *before, const void *after)
{
    struct work *w = ctx;
    const struct kgot_score *a = before, *b = after;
    if (a != NULL && b != NULL && a->value == b->value) {
        w->d->scores_same++;
        return;
    }
    w->d->scores = arena_grow(w->a, w->d->scores, w->d->n_scores, &w->cap_scores, sizeof *w->d->scores);
    w->d->scores[w->d->n_scores++] =
        (struct kg_changed_score){ a != NULL ? a->name : b->name, a != NULL ? a->value : (double)NAN,
                                   b != NULL ? b->value : (double)NAN };
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void add_text(struct work *w, struct kg_texts *to, size_t *cap, const struct str *s)
{
    to->at = arena_grow(w->a, to->at, to->n, cap, sizeof *to->at);
    to->at[to->n++] = *s;
}

static void thought(void *ctx, const void *before, const void *after)
{
    struct work *w = ctx;
    if (before != NULL && after != NULL)
        add_text(w, &w->d->thoughts_same, &w->cap_same, before);
    else if (before != NULL)
        add_text(w, &w->d->thoughts_removed, &w->cap_removed, before);
    else
        add_text(w, &w->d->thoughts_added, &w->cap_added, after);
}

/* ---- all of it ---- */

static void compare_graphs(struct work *w, const struct kgot_snapshot *before,
                           const struct kgot_snapshot *after)
{
    struct kgot_graph a, b;
    w->d->has_graphs = kgot_graph(before, w->a, &a) && kgot_graph(after, w->a, &b);
    if (!w->d->has_graphs) return;
    walk(a.nodes, a.n_nodes, b.nodes, b.n_nodes, sizeof *a.nodes, by_id, node, w);
    walk(a.edges, a.n_edges, b.edges, b.n_edges, sizeof *a.edges, by_ends, edge, w);
}

static void compare_paths(struct work *w, const struct kgot_snapshot *before,
                          const struct kgot_snapshot *after)
{
    struct kg_difference *d = w->d;
    d->path_before.n = kgot_texts(before->path, w->a, &d->path_before.at);
    d->path_after.n = kgot_texts(after->path, w->a, &d->path_after.at);
    while (d->path_common < MIN(d->path_before.n, d->path_after.n) &&
           str_eq(d->path_before.at[d->path_common], d->path_after.at[d->path_common]))
        d->path_common++;
}

void kg_compare(const struct kgot_snapshot *before, const struct kgot_snapshot *after, struct arena *a,
                struct kg_difference *d)
{
    struct work w = { .a = a, .d = d };
    struct str *was, *is;
    struct kgot_score *old, *fresh;
    *d = (struct kg_difference){ 0 };
    compare_graphs(&w, before, after);
    compare_paths(&w, before, after);
    size_t n = kgot_texts(before->thoughts, a, &was), m = kgot_texts(after->thoughts, a, &is);
    walk(was, n, is, m, sizeof *was, by_text, thought, &w);
    n = kgot_scores(before, a, &old), m = kgot_scores(after, a, &fresh);
    walk(old, n, fresh, m, sizeof *old, by_name, score, &w);
}
