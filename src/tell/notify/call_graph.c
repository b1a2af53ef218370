/* call_graph.c - see call_graph.h. Rings are found by Tarjan's walk, without recursion: a chain of calls may
 * be as long as the graph. */
#include "tell/notify/call_graph.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#define GRAPH_BYTES_MAX ((size_t)64 << 20)
#define CALLEES_MAX     4096 /* of one caller */

const char *call_kind_text(enum call_kind k)
{
    static const char *const texts[CALL_KINDS] = { "service", "agent", "model", "mcp", "tool" };
    check((unsigned)k < CALL_KINDS);
    return texts[k];
}

struct call_graph *call_graph_new(void)
{
    struct call_graph *g = mem_alloc_zero(sizeof *g);
    g->arena = (struct arena)ARENA_INIT(GRAPH_BYTES_MAX);
    return g;
}

void call_graph_free(struct call_graph *g)
{
    if (g == NULL) return;
    map_release(&g->by_name);
    arena_release(&g->arena);
    mem_free(g);
}

/* ---- nodes and calls ---- */

struct wanted {
    const struct call_graph *g;
    enum call_kind kind;
    struct str name;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted *w = ctx;
    return w->g->at[i].kind == w->kind && str_eq(w->g->at[i].name, w->name);
}

static uint64_t name_hash(enum call_kind kind, struct str name)
{
    return hash64(name.p, name.n) + (uint64_t)kind * 0x9e3779b97f4a7c15u;
}

uint32_t call_graph_find(const struct call_graph *g, enum call_kind kind, struct str name)
{
    struct wanted w = { g, kind, name };
    const uint64_t *known = map_find(&g->by_name, name_hash(kind, name), is_wanted, &w);
    return known != NULL ? (uint32_t)*known : CALL_NOBODY;
}

static uint32_t node_of(struct call_graph *g, enum call_kind kind, struct str name)
{
    uint32_t known = call_graph_find(g, kind, name);
    if (known != CALL_NOBODY) return known;
    g->at = arena_grow(&g->arena, g->at, g->n, &g->cap, sizeof *g->at);
    g->at[g->n] = (struct call_node){ .kind = kind, .name = arena_str(&g->arena, name) };
    map_add(&g->by_name, name_hash(kind, name), g->n);
    return (uint32_t)g->n++;
}

void call_graph_add(struct call_graph *g, enum call_kind from_kind, struct str from, enum call_kind to_kind,
                    struct str to)
{
    if (from.n == 0 || to.n == 0 || g->n_calls == CALL_GRAPH_CALLS_MAX || arena_over(&g->arena)) return;
    uint32_t a = node_of(g, from_kind, from), b = node_of(g, to_kind, to);
    struct call_node *caller = &g->at[a];
    if (a == b || caller->n == CALLEES_MAX) return;
    for (size_t i = 0; i < caller->n; i++)
        if (caller->callees[i] == b) return;
    caller->callees =
        arena_grow(&g->arena, caller->callees, caller->n, &caller->cap, sizeof *caller->callees);
    caller->callees[caller->n++] = b;
    g->n_calls++;
}

/* ---- rings ---- */

struct walker {
    struct call_graph *g;
    uint32_t *order, *low, *stack, *path; /* order: from 1, 0 not seen */
    size_t *next, n_stack, n_path;
    bool *on_stack;
    uint32_t clock, rings;
};

static void enter(struct walker *w, uint32_t v)
{
    w->order[v] = w->low[v] = ++w->clock;
    w->stack[w->n_stack++] = v;
    w->on_stack[v] = true;
    w->path[w->n_path++] = v;
}

static void leave(struct walker *w, uint32_t v)
{
    w->n_path--;
    if (w->n_path > 0) {
        uint32_t above = w->path[w->n_path - 1];
        w->low[above] = MIN(w->low[above], w->low[v]);
    }
    if (w->low[v] != w->order[v]) return;
    for (uint32_t u = v + 1; u != v;) {
        u = w->stack[--w->n_stack];
        w->on_stack[u] = false;
        w->g->at[u].ring = w->rings;
    }
    w->rings++;
}

static void walk_from(struct walker *w, uint32_t start)
{
    enter(w, start);
    while (w->n_path > 0) {
        uint32_t v = w->path[w->n_path - 1];
        const struct call_node *node = &w->g->at[v];
        if (w->next[v] == node->n) {
            leave(w, v);
            continue;
        }
        uint32_t to = node->callees[w->next[v]++];
        if (w->order[to] == 0)
            enter(w, to);
        else if (w->on_stack[to])
            w->low[v] = MIN(w->low[v], w->order[to]);
    }
}

void call_graph_end(struct call_graph *g)
{
    struct arena a = ARENA_INIT(GRAPH_BYTES_MAX);
    struct walker w = { .g = g };
    w.order = arena_zero(&a, (g->n + 1) * sizeof *w.order);
    w.low = arena_zero(&a, (g->n + 1) * sizeof *w.low);
    w.stack = arena_zero(&a, (g->n + 1) * sizeof *w.stack);
    w.path = arena_zero(&a, (g->n + 1) * sizeof *w.path);
    w.next = arena_zero(&a, (g->n + 1) * sizeof *w.next);
    w.on_stack = arena_zero(&a, (g->n + 1) * sizeof *w.on_stack);
    for (uint32_t v = 0; v < g->n; v++)
        if (w.order[v] == 0) walk_from(&w, v);
    arena_release(&a);
}

/* ---- from the store ---- */

struct reading {
    struct call_graph *g;
    const struct series_set *set;
    bool is_agents;
};

static enum call_kind kind_of(struct str connection)
{
    for (enum call_kind k = CALL_AGENT; k < CALL_KINDS; k++)
        if (str_is(connection, call_kind_text(k))) return k;
    return CALL_AGENT;
}

static int take_series(void *ctx, const struct series_rows *rows)
{
    struct reading *r = ctx;
    struct labels l = r->set->at[rows->series].labels;
    if (rows->n == 0) return OK; /* not of the last hour */
    enum call_kind from = r->is_agents ? CALL_AGENT : CALL_SERVICE;
    enum call_kind to = r->is_agents ? kind_of(labels_get(l, "connection_type")) : CALL_SERVICE;
    call_graph_add(r->g, from, labels_get(l, "client"), to, labels_get(l, "server"));
    return OK;
}

static int read_one(struct store_view *v, struct call *c, const char *name, int64_t now_ms, struct reading *r,
                    struct err *e)
{
    struct matcher m;
    struct series_set set = { 0 };
    int rc = matcher_init(&m, MATCH_EQ, STR("__name__"), str_of(name), e);
    if (rc < 0) return rc;
    rc = view_series(v, c, &m, 1, CALL_GRAPH_CALLS_MAX, &set, e);
    r->set = &set;
    if (rc == OK) rc = view_scan(v, c, set.at, set.n, now_ms - CALL_GRAPH_LIVE_MS, now_ms, take_series, r, e);
    matcher_release(&m);
    return rc;
}

int call_graph_read(struct store *store, int64_t now_ms, struct call_graph **out, struct err *e)
{
    struct arena arena = ARENA_INIT(GRAPH_BYTES_MAX);
    struct call_notes notes; /* what damage hides is missing from the graph, and no more */
    struct call c = { .arena = &arena, .notes = &notes };
    struct store_view *view = NULL;
    struct reading r = { .g = call_graph_new() };
    call_notes_init(&notes);
    int rc = store_view_open(store, now_ms - CALL_GRAPH_LIVE_MS, now_ms, &view, e);
    if (rc == OK) rc = read_one(view, &c, "traces_service_graph_request_total", now_ms, &r, e);
    r.is_agents = true;
    if (rc == OK) rc = read_one(view, &c, "vedette_agent_graph_request_total", now_ms, &r, e);
    store_view_close(view);
    call_notes_release(&notes);
    arena_release(&arena);
    if (rc < 0) {
        call_graph_free(r.g);
        return rc;
    }
    call_graph_end(r.g);
    *out = r.g;
    return OK;
}
