/* explain.c - costs of nodes while a query runs, and the tree of them put into words. See explain.h. */
#include "query/promql/explain.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "query/promql/parse.h"
#include "query/promql/window.h"

/* ---- costs ---- */

struct cost {
    const struct node *node;
    uint64_t runs, samples, series;
    int64_t ns, from_ms, to_ms;
    size_t rows, steps;
    bool reads;
};

struct costs {
    struct arena *arena;
    struct cost *at;
    size_t n, cap;
    struct map by_node;
};

struct costs *costs_new(struct arena *a)
{
    struct costs *c = arena_zero(a, sizeof *c);
    c->arena = a;
    map_init(&c->by_node, 64);
    return c;
}

void costs_release(struct costs *c)
{
    if (c != NULL) map_release(&c->by_node);
}

struct same_node {
    const struct costs *c;
    const struct node *n;
};

static bool is_node(void *ctx, uint64_t i)
{
    const struct same_node *s = ctx;
    return s->c->at[i].node == s->n;
}

static struct cost *cost_find(const struct costs *c, const struct node *n)
{
    uint64_t *i = map_find(&c->by_node, hash64(&n, sizeof n), is_node, &(struct same_node){ c, n });
    return i ? &c->at[*i] : NULL;
}

static struct cost *cost_of(struct costs *c, const struct node *n)
{
    struct cost *found = cost_find(c, n);
    if (found) return found;
    c->at = arena_grow(c->arena, c->at, c->n, &c->cap, sizeof *c->at);
    map_add(&c->by_node, hash64(&n, sizeof n), c->n);
    c->at[c->n] = (struct cost){ .node = n, .from_ms = INT64_MAX, .to_ms = INT64_MIN };
    return &c->at[c->n++];
}

int64_t costs_begin(struct costs *c)
{
    return c ? clock_mono_ns() : 0;
}

void costs_end(struct costs *c, const struct node *n, int64_t begun, size_t rows, size_t steps)
{
    if (c == NULL) return;
    struct cost *x = cost_of(c, n);
    x->runs++;
    x->ns += clock_mono_ns() - begun;
    x->rows = rows;
    x->steps = steps;
}

void costs_read(struct costs *c, const struct node *selector, int64_t from_ms, int64_t to_ms, size_t series,
                uint64_t samples)
{
    if (c == NULL) return;
    struct cost *x = cost_of(c, selector);
    x->reads = true;
    x->from_ms = MIN(x->from_ms, from_ms);
    x->to_ms = MAX(x->to_ms, to_ms);
    x->series = MAX(x->series, series);
    x->samples += samples;
}

/* ---- words ---- */

static const char *kind_text(const struct node *n)
{
    switch (n->kind) {
    case NODE_NUMBER: return "number";
    case NODE_STRING: return "string";
    case NODE_UNARY: return "sign";
    case NODE_BINARY: return "operator";
    case NODE_AGGREGATE: return "aggregation";
    case NODE_CALL: return "function";
    case NODE_SELECTOR: return "selector";
    case NODE_MATRIX: return "range selector";
    case NODE_SUBQUERY: return "subquery";
    default: return "expression";
    }
}

static void put_seconds_of(struct buf *b, int64_t ms)
{
    if (ms % 1000 == 0)
        buf_printf(b, "%llds", (long long)(ms / 1000));
    else
        buf_printf(b, "%lldms", (long long)ms);
}

static void say_window(const struct query *q, const struct node *call, struct buf *b)
{
    const struct window_def *d = call->fn->window;
    for (size_t i = 0; i < call->n_args; i++) {
        const struct node *range = node_bare(call->args[i]);
        struct timing t;
        if (range->type != PROMQL_MATRIX || timing_of(q, range, &t, NULL) < 0) continue;
        buf_cs(b, "window of ");
        put_seconds_of(b, t.range_ms);
        bool extended = range->kind == NODE_MATRIX && range->child->extent != EXTENT_PLAIN;
        buf_cs(b, extended ? ", each with its neighbours"
                  : d->run ? ", moved along (histograms: one by one)"
                           : ", looked at one by one");
    }
}

static void say_matching(const struct node *n, struct buf *b)
{
    if (n->left->type == PROMQL_SCALAR || n->right->type == PROMQL_SCALAR) {
        buf_cs(b, n->type == PROMQL_SCALAR ? "number with number" : "each series with a number");
        return;
    }
    static const char *const cards[] = { "one to one", "many to one", "one to many", "many to many" };
    buf_printf(b, "series matched %s", cards[n->card]);
}

static void say_selector(const struct query *q, const struct node *n, struct buf *b)
{
    struct timing t;
    const struct node *sel = n->kind == NODE_MATRIX ? n->child : n;
    if (timing_of(q, n, &t, NULL) < 0) return;
    if (n->kind == NODE_MATRIX)
        buf_cs(b, "rows go through the window as they are read");
    else
        buf_cs(b, sel->extent == EXTENT_SMOOTHED ? "value between neighbours" : "newest value");
    if (t.fixed) buf_printf(b, ", at %lld.%03lld", (long long)(t.at_ms / 1000), (long long)(t.at_ms % 1000));
    if (t.offset_ms) {
        buf_cs(b, ", offset ");
        put_seconds_of(b, t.offset_ms);
    }
}

static void say_subquery(const struct query *q, const struct node *n, struct buf *b)
{
    struct timing t;
    if (timing_of(q, n, &t, NULL) < 0) return;
    buf_cs(b, "evaluated every ");
    put_seconds_of(b, t.step_ms);
    buf_cs(b, " over ");
    put_seconds_of(b, t.range_ms);
}

static struct str words(const struct query *q, const struct node *n, struct arena *a)
{
    struct buf b = BUF_INIT(4096);
    if (n->kind == NODE_CALL && n->fn->window) say_window(q, n, &b);
    if (n->kind == NODE_BINARY) say_matching(n, &b);
    if (n->kind == NODE_SELECTOR || n->kind == NODE_MATRIX) say_selector(q, n, &b);
    if (n->kind == NODE_SUBQUERY) say_subquery(q, n, &b);
    if (n->type != PROMQL_STRING && n->kind != NODE_NUMBER && q->is_range && node_is_invariant(n))
        buf_printf(&b, "%sthe same at all steps: evaluated once", b.n ? "; " : "");
    struct str text = arena_str(a, buf_view(&b));
    buf_release(&b);
    return text;
}

/* ---- the tree ---- */

#define TEXT_MAX 200

static struct str text_of(const struct node *n, struct arena *a)
{
    struct buf b = BUF_INIT((size_t)1 << 20);
    promql_print(&b, n);
    size_t len = MIN(b.n, (size_t)TEXT_MAX);
    while (len < b.n && len > 0 && ((unsigned char)b.p[len] & 0xc0) == 0x80) len--; /* whole characters */
    struct str text = len < b.n ? arena_printf(a, "%.*s...", (int)len, b.p) : arena_str(a, buf_view(&b));
    buf_release(&b);
    return text;
}

static size_t children_of(const struct node *n, const struct node **out)
{
    const struct node *fixed[] = { n->param, n->child, n->left, n->right };
    size_t count = 0;
    if (n->kind == NODE_MATRIX) return 0; /* its selector is told with it */
    for (size_t i = 0; i < COUNT(fixed); i++)
        if (fixed[i]) out[count++] = node_bare(fixed[i]);
    for (size_t i = 0; i < n->n_args; i++)
        if (n->args[i]->type != PROMQL_STRING) out[count++] = node_bare(n->args[i]);
    return count;
}

/* Time of what was run at or beneath a node: some are part of their parent's work. */
static double time_beneath(const struct explain_node *x)
{
    double sum = 0;
    if (x->was_run) return x->seconds;
    for (size_t i = 0; i < x->n; i++) sum += time_beneath(x->child[i]);
    return sum;
}

struct explain_node *explain_tree(const struct query *q, const struct node *n, struct arena *a)
{
    n = node_bare(n);
    struct explain_node *x = arena_zero(a, sizeof *x);
    const struct node **children = arena_array(a, 4 + n->n_args, sizeof *children);
    const struct cost *c = cost_find(q->costs, n);
    const struct cost *read = n->kind == NODE_MATRIX ? cost_find(q->costs, n->child) : c;

    x->kind = kind_text(n);
    x->text = text_of(n, a);
    x->does = words(q, n, a);
    if (c && c->runs) {
        x->was_run = true;
        x->runs = c->runs;
        x->seconds = x->own_s = (double)c->ns / 1e9;
        x->rows = c->rows;
        x->steps = c->steps;
    }
    if (read && read->reads) {
        x->reads = true;
        x->from_ms = read->from_ms;
        x->to_ms = read->to_ms;
        x->series = read->series;
        x->samples = read->samples;
    }
    x->n = children_of(n, children);
    x->child = arena_array(a, x->n, sizeof *x->child);
    for (size_t i = 0; i < x->n; i++) {
        x->child[i] = explain_tree(q, children[i], a);
        x->own_s -= time_beneath(x->child[i]);
    }
    x->own_s = MAX(x->own_s, 0.0);
    return x;
}
