/* cascade.c - see cascade.h.
 *
 * Alerts are taken in the order of their rings, callees first, and within a ring by time: so every possible
 * cause of an alert has its own root by the time the alert is looked at, and one pass is enough. */
#include "tell/notify/cascade.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

#define NOBODY SIZE_MAX

struct entry { /* an alert with a place */
    const struct cascade_alert *a;
    uint32_t node, ring;
    size_t root, cause; /* indices of entries; NOBODY */
    unsigned hops;
    size_t n_effects;
};

struct place { /* a node with alerts */
    uint32_t node;
    size_t first, n; /* its entries in `listed`, by time */
    struct reach {
        uint32_t place;
        unsigned hops;
    } * reached; /* places it calls */
    size_t n_reached, cap_reached;
    bool is_walked;
};

struct work {
    const struct call_graph *g;
    const struct cascade_terms *terms;
    struct arena arena;
    struct entry *at;
    size_t n;
    struct place *places;
    uint32_t *place_of; /* of a node; CALL_NOBODY */
    size_t *listed, n_places;
    uint32_t *queue, *seen; /* of the walk; seen: number of the walk that saw it */
    unsigned *depth;
    uint32_t walks;
};

/* ---- where an alert belongs ---- */

static uint32_t node_of(const struct call_graph *g, struct labels l)
{
    static const struct {
        enum call_kind kind;
        const char *label;
    } names[] = {
        { CALL_AGENT, "agent" },
        { CALL_AGENT, "agent_name" },
        { CALL_AGENT, "gen_ai_agent_name" },
        { CALL_SERVICE, "service" },
        { CALL_SERVICE, "service_name" },
        { CALL_SERVICE, "job" },
        { CALL_MODEL, "model" },
        { CALL_MODEL, "gen_ai_request_model" },
        { CALL_MCP, "mcp_server" },
        { CALL_MCP, "mcp_id" },
        { CALL_TOOL, "tool" },
        { CALL_TOOL, "tool_name" },
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        struct str value = labels_get(l, names[i].label);
        uint32_t node = value.n > 0 ? call_graph_find(g, names[i].kind, value) : CALL_NOBODY;
        if (node != CALL_NOBODY) return node;
    }
    return CALL_NOBODY;
}

/* Within a ring: who is earlier may be the cause. */
static int earlier(const struct entry *a, const struct entry *b)
{
    if (a->a->starts_ms != b->a->starts_ms) return a->a->starts_ms < b->a->starts_ms ? -1 : 1;
    if (a->node != b->node) return a->node < b->node ? -1 : 1;
    return a->a->fp < b->a->fp ? -1 : a->a->fp > b->a->fp;
}

static int callees_first(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;
    return a->ring != b->ring ? (a->ring < b->ring ? -1 : 1) : earlier(a, b);
}

static void take_alerts(struct work *w, const struct cascade_alert *a, size_t n)
{
    w->at = arena_zero(&w->arena, (n + 1) * sizeof *w->at);
    for (size_t i = 0; i < n; i++) {
        uint32_t node = node_of(w->g, a[i].labels);
        if (node == CALL_NOBODY) continue;
        w->at[w->n++] = (struct entry){
            .a = &a[i], .node = node, .ring = w->g->at[node].ring, .root = NOBODY, .cause = NOBODY
        };
    }
    if (w->n > 1) qsort(w->at, w->n, sizeof *w->at, callees_first);
}

/* Each place with its alerts by time: the order of the entries is already that. */
static void list_places(struct work *w)
{
    size_t nodes = w->g->n, at = 0;
    w->place_of = arena_array(&w->arena, nodes + 1, sizeof *w->place_of);
    w->places = arena_zero(&w->arena, (MIN(nodes, (size_t)CASCADE_PLACES_MAX) + 1) * sizeof *w->places);
    w->listed = arena_zero(&w->arena, (w->n + 1) * sizeof *w->listed);
    for (size_t i = 0; i < nodes; i++) w->place_of[i] = CALL_NOBODY;
    for (size_t i = 0; i < w->n; i++) {
        uint32_t *p = &w->place_of[w->at[i].node];
        if (*p == CALL_NOBODY && w->n_places < CASCADE_PLACES_MAX) {
            w->places[w->n_places].node = w->at[i].node;
            *p = (uint32_t)w->n_places++;
        }
        if (*p != CALL_NOBODY) w->places[*p].n++;
    }
    for (size_t p = 0; p < w->n_places; p++) {
        w->places[p].first = at;
        at += w->places[p].n;
        w->places[p].n = 0;
    }
    for (size_t i = 0; i < w->n; i++) {
        uint32_t p = w->place_of[w->at[i].node];
        if (p != CALL_NOBODY) w->listed[w->places[p].first + w->places[p].n++] = i;
    }
}

/* ---- who is called ---- */

static void note_reached(struct work *w, struct place *p, uint32_t node, unsigned hops)
{
    if (w->place_of[node] == CALL_NOBODY || node == p->node) return;
    p->reached = arena_grow(&w->arena, p->reached, p->n_reached, &p->cap_reached, sizeof *p->reached);
    p->reached[p->n_reached++] = (struct reach){ w->place_of[node], hops };
}

static void reach(struct work *w, struct place *p)
{
    size_t from = 0, to = 0;
    p->is_walked = true;
    w->walks++;
    w->queue[to++] = p->node;
    w->seen[p->node] = w->walks;
    w->depth[p->node] = 0;
    while (from < to) {
        uint32_t v = w->queue[from++];
        if (w->depth[v] > 0) note_reached(w, p, v, w->depth[v]);
        const struct call_node *node = &w->g->at[v];
        for (size_t i = 0; w->depth[v] < w->terms->hops && i < node->n; i++) {
            uint32_t u = node->callees[i];
            if (w->seen[u] == w->walks) continue;
            w->seen[u] = w->walks;
            w->depth[u] = w->depth[v] + 1;
            w->queue[to++] = u;
        }
    }
}

/* ---- causes ---- */

/* The earliest alert of a place that began at `from_ms` or later. */
static size_t first_since(const struct work *w, const struct place *p, int64_t from_ms)
{
    size_t low = 0, high = p->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (w->at[w->listed[p->first + mid]].a->starts_ms < from_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low < p->n ? w->listed[p->first + low] : NOBODY;
}

static bool can_cause(const struct work *w, const struct entry *cause, const struct entry *effect)
{
    if (cause->a->starts_ms - effect->a->starts_ms > w->terms->window_ms) return false;
    return cause->ring != effect->ring || earlier(cause, effect) < 0;
}

static size_t root_of(const struct work *w, size_t i)
{
    return w->at[i].root != NOBODY ? w->at[i].root : i;
}

/* Is a better than what we have? By root, then by distance. */
static bool is_better(const struct work *w, size_t a, unsigned hops, const struct entry *of)
{
    if (of->cause == NOBODY) return true;
    size_t x = root_of(w, a), y = root_of(w, of->cause);
    if (x != y) return earlier(&w->at[x], &w->at[y]) < 0;
    return hops < of->hops;
}

static void find_cause(struct work *w, size_t i)
{
    struct entry *of = &w->at[i];
    uint32_t place = w->place_of[of->node];
    if (place == CALL_NOBODY) return;
    struct place *p = &w->places[place];
    if (!p->is_walked) reach(w, p);
    for (size_t k = 0; k < p->n_reached; k++) {
        size_t c = first_since(w, &w->places[p->reached[k].place], of->a->starts_ms - w->terms->window_ms);
        if (c == NOBODY || !can_cause(w, &w->at[c], of) || !is_better(w, c, p->reached[k].hops, of)) continue;
        of->cause = c;
        of->hops = p->reached[k].hops;
    }
    if (of->cause == NOBODY) return;
    of->root = root_of(w, of->cause);
    w->at[of->root].n_effects++;
}

/* ---- the answer ---- */

static int by_root(const void *pa, const void *pb)
{
    const struct cascade_link *a = pa, *b = pb;
    if (a->root != b->root) return a->root < b->root ? -1 : 1;
    if (a->is_effect != b->is_effect) return a->is_effect ? 1 : -1;
    if (a->hops != b->hops) return a->hops < b->hops ? -1 : 1;
    return a->fp < b->fp ? -1 : a->fp > b->fp;
}

static struct cascade *answer(const struct work *w)
{
    struct cascade *c = mem_alloc_zero(sizeof *c);
    c->at = mem_array(w->n + 1, sizeof *c->at);
    for (size_t i = 0; i < w->n; i++) {
        const struct entry *x = &w->at[i];
        if (x->cause == NOBODY && x->n_effects == 0) continue;
        struct cascade_link *l = &c->at[c->n++];
        *l = (struct cascade_link){ .fp = x->a->fp,
                                    .root = x->a->fp,
                                    .hops = x->hops,
                                    .n_effects = x->n_effects,
                                    .kind = w->g->at[x->node].kind,
                                    .place = w->g->at[x->node].name };
        c->n_roots += x->cause == NOBODY;
        if (x->cause == NOBODY) continue;
        l->is_effect = true;
        l->cause = w->at[x->cause].a->fp;
        l->root = w->at[x->root].a->fp;
    }
    if (c->n > 1) qsort(c->at, c->n, sizeof *c->at, by_root);
    for (size_t i = 0; i < c->n; i++) map_add(&c->by_fp, c->at[i].fp, i);
    return c;
}

struct cascade *cascade_new(const struct call_graph *g, const struct cascade_alert *a, size_t n,
                            const struct cascade_terms *terms)
{
    struct work w = { .g = g, .terms = terms, .arena = ARENA_INIT(SIZE_MAX / 2) };
    w.queue = arena_zero(&w.arena, (g->n + 1) * sizeof *w.queue);
    w.seen = arena_zero(&w.arena, (g->n + 1) * sizeof *w.seen);
    w.depth = arena_zero(&w.arena, (g->n + 1) * sizeof *w.depth);
    take_alerts(&w, a, n);
    list_places(&w);
    for (size_t i = 0; i < w.n; i++) find_cause(&w, i);
    struct cascade *c = answer(&w);
    arena_release(&w.arena);
    return c;
}

void cascade_free(struct cascade *c)
{
    if (c == NULL) return;
    map_release(&c->by_fp);
    mem_free(c->at);
    mem_free(c);
}

struct same_fp {
    const struct cascade *c;
    uint64_t fp;
};

static bool is_same(void *ctx, uint64_t i)
{
    const struct same_fp *s = ctx;
    return s->c->at[i].fp == s->fp;
}

const struct cascade_link *cascade_find(const struct cascade *c, uint64_t fp)
{
    struct same_fp s = { c, fp };
    const uint64_t *at = c != NULL ? map_find(&c->by_fp, fp, is_same, &s) : NULL;
    return at != NULL ? &c->at[*at] : NULL;
}
