/* kg_graph.c - see kg_graph.h.
 *
 * Two hash tables of chains, and two lists from the one renewed longest ago to the latest; an edge is in the
 * ring-free lists of both its ends as well, so that an entity goes with its edges in time that grows with
 * their number only. */
#include "derive/kg_graph.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

struct item {           /* first of node and edge */
    struct item *chain; /* of its hash */
    struct item *older, *newer;
    uint64_t hash;
};

struct link { /* an edge in the list of one of its ends */
    struct edge *next, *before;
};

struct node {
    struct item item;
    char *text; /* id, type, name, system behind one another */
    uint32_t n[4];
    struct edge *ends[2]; /* edges that leave, edges that arrive; latest made first */
    int64_t time_ms;
    uint64_t visit; /* the search that has reached it */
    struct node *from;
    struct edge *by;
    size_t hops;
};

struct edge {
    struct item item;
    struct node *end[2]; /* source, target */
    struct link link[2]; /* in the list of end[0] of leaving ones, of end[1] of arriving ones */
    double weight;
    uint32_t n;
    char type[];
};

struct table {
    struct item **slots, *oldest, *newest;
    size_t n, mask;
};

struct kg_graph {
    struct kg_conf conf;
    struct table nodes, edges;
    size_t bytes;
    uint64_t searches;
    struct kg_stats counts;
};

#define SLOTS_LEAST 64

/* ---- tables ---- */

static void table_init(struct table *t)
{
    t->slots = mem_array(SLOTS_LEAST, sizeof *t->slots);
    t->mask = SLOTS_LEAST - 1;
}

static void table_grow(struct table *t)
{
    size_t slots = 2 * (t->mask + 1);
    mem_free(t->slots);
    t->slots = mem_array(slots, sizeof *t->slots);
    t->mask = slots - 1;
    for (struct item *i = t->oldest; i != NULL; i = i->newer) {
        i->chain = t->slots[i->hash & t->mask];
        t->slots[i->hash & t->mask] = i;
    }
}

static void list_add(struct table *t, struct item *i)
{
    i->older = t->newest;
    i->newer = NULL;
    *(t->newest != NULL ? &t->newest->newer : &t->oldest) = i;
    t->newest = i;
}

static void list_remove(struct table *t, struct item *i)
{
    *(i->older != NULL ? &i->older->newer : &t->oldest) = i->newer;
    *(i->newer != NULL ? &i->newer->older : &t->newest) = i->older;
}

static void table_add(struct table *t, struct item *i)
{
    list_add(t, i);
    t->n++;
    i->chain = t->slots[i->hash & t->mask];
    t->slots[i->hash & t->mask] = i;
    if (t->n > t->mask) table_grow(t);
}

static void table_remove(struct table *t, struct item *i)
{
    struct item **at = &t->slots[i->hash & t->mask];
    while (*at != i) at = &(*at)->chain;
    *at = i->chain;
    list_remove(t, i);
    t->n--;
}

static void renew(struct table *t, struct item *i)
{
    list_remove(t, i);
    list_add(t, i);
}

/* ---- entities ---- */

static struct str node_text(const struct node *n, size_t which)
{
    size_t at = 0;
    for (size_t i = 0; i < which; i++) at += n->n[i];
    return str_make(n->text + at, n->n[which]);
}

static struct str id_of(const struct node *n)
{
    return node_text(n, 0);
}

static struct node *find_node(const struct kg_graph *g, struct str id)
{
    uint64_t hash = hash64(id.p, id.n);
    for (struct item *i = g->nodes.slots[hash & g->nodes.mask]; i != NULL; i = i->chain)
        if (i->hash == hash && str_eq(id_of((struct node *)i), id)) return (struct node *)i;
    return NULL;
}

static size_t node_bytes(const struct node *n)
{
    return sizeof *n + n->n[0] + n->n[1] + n->n[2] + n->n[3];
}

static size_t edge_bytes(const struct edge *e)
{
    return sizeof *e + e->n;
}

static void set_texts(struct kg_graph *g, struct node *n, const struct str text[4])
{
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < 4; i++) bytes += text[i].n;
    char *fresh = mem_alloc(MAX(bytes, (size_t)1));
    if (n->text != NULL) g->bytes -= node_bytes(n);
    for (size_t i = 0; i < 4; i++) {
        if (text[i].n > 0) memcpy(fresh + at, text[i].p, text[i].n);
        at += text[i].n;
    }
    for (size_t i = 0; i < 4; i++) n->n[i] = (uint32_t)text[i].n;
    mem_free(n->text);
    n->text = fresh;
    g->bytes += node_bytes(n);
}

/* ---- going ---- */

static void unlink_end(struct edge *e, size_t end)
{
    struct link *l = &e->link[end];
    *(l->before != NULL ? &l->before->link[end].next : &e->end[end]->ends[end]) = l->next;
    if (l->next != NULL) l->next->link[end].before = l->before;
}

static void remove_edge(struct kg_graph *g, struct edge *e)
{
    unlink_end(e, 0);
    unlink_end(e, 1);
    table_remove(&g->edges, &e->item);
    g->bytes -= edge_bytes(e);
    mem_free(e);
}

static void drop_edge(struct kg_graph *g, struct edge *e)
{
    remove_edge(g, e);
    g->counts.edges_dropped++;
}

static void drop_node(struct kg_graph *g, struct node *n)
{
    while (n->ends[0] != NULL) drop_edge(g, n->ends[0]);
    while (n->ends[1] != NULL) drop_edge(g, n->ends[1]);
    table_remove(&g->nodes, &n->item);
    g->bytes -= node_bytes(n);
    mem_free(n->text);
    mem_free(n);
    g->counts.nodes_dropped++;
}

/* keep, its ends and what was just made stay: they are the latest. */
static void make_room(struct kg_graph *g)
{
    while (g->nodes.n > g->conf.max_nodes && g->nodes.n > 2) drop_node(g, (struct node *)g->nodes.oldest);
    while (g->edges.n > g->conf.max_edges && g->edges.n > 1) drop_edge(g, (struct edge *)g->edges.oldest);
    while (g->bytes > g->conf.max_bytes && g->nodes.n > 2) drop_node(g, (struct node *)g->nodes.oldest);
    while (g->bytes > g->conf.max_bytes && g->edges.n > 1) drop_edge(g, (struct edge *)g->edges.oldest);
}

/* ---- a life ---- */

struct kg_graph *kg_graph_new(const struct kg_conf *conf)
{
    struct kg_graph *g = mem_alloc_zero(sizeof *g);
    g->conf = *conf;
    table_init(&g->nodes);
    table_init(&g->edges);
    return g;
}

void kg_graph_free(struct kg_graph *g)
{
    if (g == NULL) return;
    while (g->nodes.oldest != NULL) drop_node(g, (struct node *)g->nodes.oldest);
    mem_free(g->nodes.slots);
    mem_free(g->edges.slots);
    mem_free(g);
}

/* ---- adding ---- */

static int text_fits(struct str s, const char *what, struct err *e)
{
    return s.n <= KG_TEXT_MAX ? OK : err_set(e, ERR_RANGE, "%s: longer than %d bytes", what, KG_TEXT_MAX);
}

static struct node *touch_node(struct kg_graph *g, const struct kg_entity *in, int64_t time_ms, int *is_new)
{
    const struct str given[4] = { in->id, in->type, in->name, in->system };
    struct node *n = find_node(g, in->id);
    *is_new = n == NULL;
    if (n != NULL) {
        struct str text[4];
        bool differs = false;
        for (size_t i = 0; i < 4; i++) {
            text[i] = given[i].n > 0 ? given[i] : node_text(n, i);
            differs = differs || !str_eq(text[i], node_text(n, i));
        }
        if (differs) set_texts(g, n, text);
        renew(&g->nodes, &n->item);
    } else {
        n = mem_alloc_zero(sizeof *n);
        n->item.hash = hash64(in->id.p, in->id.n);
        set_texts(g, n, given);
        table_add(&g->nodes, &n->item);
        g->counts.nodes_added++;
    }
    n->time_ms = time_ms;
    return n;
}

int kg_graph_entity(struct kg_graph *g, const struct kg_entity *in, int64_t time_ms, struct err *e)
{
    int rc, is_new;
    if (in->id.n == 0) return err_set(e, ERR_RANGE, "id: empty");
    if ((rc = text_fits(in->id, "id", e)) < 0 || (rc = text_fits(in->type, "type", e)) < 0 ||
        (rc = text_fits(in->name, "name", e)) < 0 || (rc = text_fits(in->system, "system_id", e)) < 0)
        return rc;
    touch_node(g, in, time_ms, &is_new);
    make_room(g);
    return is_new;
}

static uint64_t edge_hash(const struct node *from, const struct node *to, struct str type)
{
    const uint64_t part[3] = { from->item.hash, to->item.hash, hash64(type.p, type.n) };
    return hash64(part, sizeof part);
}

static struct edge *find_edge(const struct kg_graph *g, const struct node *from, const struct node *to,
                              struct str type, uint64_t hash)
{
    for (struct item *i = g->edges.slots[hash & g->edges.mask]; i != NULL; i = i->chain) {
        struct edge *e = (struct edge *)i;
        if (i->hash == hash && e->end[0] == from && e->end[1] == to && str_eq(str_make(e->type, e->n), type))
            return e;
    }
    return NULL;
}

static void link_end(struct edge *e, size_t end)
{
    struct edge **first = &e->end[end]->ends[end];
    e->link[end] = (struct link){ .next = *first };
    if (*first != NULL) (*first)->link[end].before = e;
    *first = e;
}

static struct edge *make_edge(struct kg_graph *g, struct node *from, struct node *to, struct str type,
                              uint64_t hash)
{
    struct edge *e = mem_alloc_zero(sizeof *e + type.n);
    e->item.hash = hash;
    e->end[0] = from;
    e->end[1] = to;
    e->n = (uint32_t)type.n;
    if (type.n > 0) memcpy(e->type, type.p, type.n);
    link_end(e, 0);
    link_end(e, 1);
    table_add(&g->edges, &e->item);
    g->bytes += edge_bytes(e);
    g->counts.edges_added++;
    return e;
}

int kg_graph_edge(struct kg_graph *g, const struct kg_edge *in, int64_t time_ms, struct err *e)
{
    int rc, unused;
    if (in->source.n == 0) return err_set(e, ERR_RANGE, "source: empty");
    if (in->target.n == 0) return err_set(e, ERR_RANGE, "target: empty");
    if ((rc = text_fits(in->source, "source", e)) < 0 || (rc = text_fits(in->target, "target", e)) < 0 ||
        (rc = text_fits(in->type, "type", e)) < 0)
        return rc;
    struct node *from = touch_node(g, &(struct kg_entity){ .id = in->source }, time_ms, &unused);
    struct node *to = touch_node(g, &(struct kg_entity){ .id = in->target }, time_ms, &unused);
    uint64_t hash = edge_hash(from, to, in->type);
    struct edge *edge = find_edge(g, from, to, in->type, hash);
    bool is_new = edge == NULL;
    if (is_new)
        edge = make_edge(g, from, to, in->type, hash);
    else
        renew(&g->edges, &edge->item);
    edge->weight = in->weight;
    make_room(g);
    return is_new;
}

/* ---- asking ---- */

static struct kg_entity entity_of(const struct node *n, struct arena *a)
{
    return (struct kg_entity){ arena_str(a, node_text(n, 0)), arena_str(a, node_text(n, 1)),
                               arena_str(a, node_text(n, 2)), arena_str(a, node_text(n, 3)) };
}

static int no_entity(struct str id, const char *what, struct err *e)
{
    return err_set(e, ERR_FIND, "%s \"%.*s\": no such entity", what, (int)MIN(id.n, (size_t)64), id.p);
}

static bool goes(enum kg_direction d, size_t end)
{
    return d == KG_BOTH || (d == KG_OUT) == (end == 0);
}

int kg_graph_neighbors(const struct kg_graph *g, struct str id, struct str edge_type, enum kg_direction d,
                       size_t limit, struct arena *a, struct kg_neighbors *out, struct err *e)
{
    const struct node *n = find_node(g, id);
    size_t cap = 0;
    *out = (struct kg_neighbors){ 0 };
    if (n == NULL) return no_entity(id, "entity_id", e);
    out->of = entity_of(n, a);
    for (size_t end = 0; end < 2; end++) {
        if (!goes(d, end)) continue;
        for (const struct edge *at = n->ends[end]; at != NULL; at = at->link[end].next) {
            struct str type = str_make(at->type, at->n);
            if (edge_type.n > 0 && !str_eq(edge_type, type)) continue;
            if (out->total++ >= limit) continue;
            out->at = arena_grow(a, out->at, out->n, &cap, sizeof *out->at);
            out->at[out->n++] = (struct kg_neighbor){ entity_of(at->end[1 - end], a), arena_str(a, type),
                                                      at->weight, end == 0 };
        }
    }
    return OK;
}

struct search {
    struct node **queue;
    size_t first, n;
    uint64_t number;
};

static void reach(struct search *s, struct node *to, struct node *from, struct edge *by)
{
    if (to->visit == s->number) return;
    to->visit = s->number;
    to->from = from;
    to->by = by;
    to->hops = from != NULL ? from->hops + 1 : 0;
    s->queue[s->n++] = to;
}

static void look_around(struct search *s, struct node *n, enum kg_direction d)
{
    for (size_t end = 0; end < 2; end++)
        for (struct edge *e = goes(d, end) ? n->ends[end] : NULL; e != NULL; e = e->link[end].next)
            reach(s, e->end[1 - end], n, e);
}

static void tell_path(const struct node *to, struct arena *a, struct kg_path *out)
{
    out->hops = to->hops;
    out->at = arena_array(a, to->hops + 1, sizeof *out->at);
    out->edge_types = arena_array(a, to->hops + 1, sizeof *out->edge_types);
    for (size_t i = to->hops + 1; i-- > 0; to = to->from) {
        out->at[i] = entity_of(to, a);
        if (i > 0) out->edge_types[i - 1] = arena_str(a, str_make(to->by->type, to->by->n));
    }
}

int kg_graph_path(struct kg_graph *g, struct str source, struct str target, enum kg_direction d,
                  size_t max_hops, struct arena *a, struct kg_path *out, struct err *e)
{
    struct node *from = find_node(g, source), *to = find_node(g, target);
    *out = (struct kg_path){ 0 };
    if (from == NULL) return no_entity(source, "source_id", e);
    if (to == NULL) return no_entity(target, "target_id", e);
    struct search s = { .queue = arena_array(a, g->nodes.n, sizeof *s.queue), .number = ++g->searches };
    reach(&s, from, NULL, NULL);
    while (s.first < s.n && to->visit != s.number) {
        struct node *n = s.queue[s.first++];
        if (n->hops < max_hops) look_around(&s, n, d);
    }
    if (to->visit == s.number) tell_path(to, a, out);
    return OK;
}

struct kg_stats kg_graph_stats(const struct kg_graph *g)
{
    struct kg_stats s = g->counts;
    s.nodes = g->nodes.n;
    s.edges = g->edges.n;
    s.bytes = g->bytes;
    if (s.nodes > 0) {
        s.oldest_ms = ((struct node *)g->nodes.oldest)->time_ms;
        s.newest_ms = ((struct node *)g->nodes.newest)->time_ms;
    }
    return s;
}

/* ---- types ---- */

static int by_count(const void *a, const void *b)
{
    const struct kg_type_count *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : str_cmp(x->type, y->type);
}

static int by_type(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

/* all is put in order. */
static size_t count_types(struct str *all, size_t n, size_t most, struct arena *a, struct kg_type_count **out)
{
    struct kg_type_count *at = NULL;
    size_t kinds = 0, cap = 0;
    qsort(all, n, sizeof *all, by_type);
    for (size_t i = 0; i < n; i++) {
        if (kinds == 0 || !str_eq(at[kinds - 1].type, all[i])) {
            at = arena_grow(a, at, kinds, &cap, sizeof *at);
            at[kinds++] = (struct kg_type_count){ all[i], 0 };
        }
        at[kinds - 1].n++;
    }
    if (kinds > 0) qsort(at, kinds, sizeof *at, by_count);
    kinds = MIN(kinds, most);
    for (size_t i = 0; i < kinds; i++) at[i].type = arena_str(a, at[i].type);
    *out = at;
    return kinds;
}

size_t kg_graph_entity_types(const struct kg_graph *g, size_t most, struct arena *a,
                             struct kg_type_count **out)
{
    struct str *all = mem_array(g->nodes.n + 1, sizeof *all);
    size_t n = 0;
    for (struct item *i = g->nodes.oldest; i != NULL; i = i->newer) all[n++] = node_text((struct node *)i, 1);
    n = count_types(all, n, most, a, out);
    mem_free(all);
    return n;
}

size_t kg_graph_edge_types(const struct kg_graph *g, size_t most, struct arena *a, struct kg_type_count **out)
{
    struct str *all = mem_array(g->edges.n + 1, sizeof *all);
    size_t n = 0;
    for (struct item *i = g->edges.oldest; i != NULL; i = i->newer) {
        struct edge *e = (struct edge *)i;
        all[n++] = str_make(e->type, e->n);
    }
    n = count_types(all, n, most, a, out);
    mem_free(all);
    return n;
}
