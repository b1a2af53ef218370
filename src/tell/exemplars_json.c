/* exemplars_json.c - see exemplars_json.h. */
#include "tell/exemplars_json.h"

#include <stdlib.h>

#include "tell/prom_json.h"

struct gather {
    struct store_view *view;
    struct call *call;
    struct exemplar *at;
    size_t n, cap;
    struct err *err;
};

static int gather_selector(struct gather *g, const struct node *n)
{
    struct exemplar *found = NULL;
    size_t n_found = 0;
    int rc = view_exemplars(g->view, g->call, n->matchers, n->n_matchers, &found, &n_found, g->err);

    for (size_t i = 0; i < n_found && rc == OK; i++) {
        g->at = arena_grow(g->call->arena, g->at, g->n, &g->cap, sizeof *g->at);
        g->at[g->n++] = found[i];
    }
    return rc;
}

/* Every selector below n. */
static int gather_node(struct gather *g, const struct node *n)
{
    int rc = OK;

    if (!n) return OK;
    if (n->kind == NODE_SELECTOR) return gather_selector(g, n);
    if ((rc = gather_node(g, n->child)) < 0) return rc;
    if ((rc = gather_node(g, n->left)) < 0) return rc;
    if ((rc = gather_node(g, n->right)) < 0) return rc;
    if ((rc = gather_node(g, n->param)) < 0) return rc;
    for (size_t i = 0; i < n->n_args && rc == OK; i++) rc = gather_node(g, n->args[i]);
    return rc;
}

static int by_series_and_time(const void *a, const void *b)
{
    const struct exemplar *x = a, *y = b;
    int c = labels_cmp(x->series, y->series);

    if (c != 0) return c;
    if (x->time_ms != y->time_ms) return x->time_ms < y->time_ms ? -1 : 1;
    return labels_cmp(x->labels, y->labels);
}

static bool same(const struct exemplar *a, const struct exemplar *b)
{
    return a->time_ms == b->time_ms && double_bits(a->value) == double_bits(b->value) &&
           labels_eq(a->labels, b->labels);
}

static void put_exemplar(struct buf *out, const struct exemplar *e)
{
    buf_cs(out, "{\"labels\":");
    prom_put_labels(out, e->labels);
    buf_cs(out, ",\"value\":");
    prom_put_value(out, e->value);
    buf_cs(out, ",\"timestamp\":");
    prom_put_time(out, e->time_ms);
    buf_char(out, '}');
}

/* Sorted ones; a series that several selectors found comes once. */
static void put_all(struct buf *out, const struct exemplar *e, size_t n)
{
    const struct exemplar *last = NULL;

    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        bool begins = !last || !labels_eq(last->series, e[i].series);
        if (!begins && same(last, &e[i])) continue;
        if (begins) {
            buf_cs(out, last ? "]},{\"seriesLabels\":" : "{\"seriesLabels\":");
            prom_put_labels(out, e[i].series);
            buf_cs(out, ",\"exemplars\":[");
        } else {
            buf_char(out, ',');
        }
        put_exemplar(out, &e[i]);
        last = &e[i];
    }
    buf_cs(out, last ? "]}]" : "]");
}

int exemplars_json(struct buf *out, struct store_view *view, struct call *call, const struct node *query,
                   int64_t from_ms, int64_t to_ms, struct err *e)
{
    struct gather g = { .view = view, .call = call, .err = e };
    size_t n = 0;
    int rc = gather_node(&g, query);

    if (rc < 0) return rc;
    for (size_t i = 0; i < g.n; i++)
        if (g.at[i].time_ms >= from_ms && g.at[i].time_ms <= to_ms) g.at[n++] = g.at[i];
    if (n > 0) qsort(g.at, n, sizeof *g.at, by_series_and_time);
    put_all(out, g.at, n);
    return OK;
}
