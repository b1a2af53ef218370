/* kg_live.c - see kg_live.h. A record is read into a struct kgot_graph without the lock, then added with it.
 */
#include "derive/kg_live.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "derive/kg_series.h"
#include "model/event_kg.h"
#include "model/kgot.h"

#define PICKED_MAX    16 /* attributes of a record that matter */
#define RECORD_MEMORY (64u << 20)
#define GAUGES        4

struct kg_live {
    struct kg_live_conf conf;
    size_t nodes_family, edges_family, confidence_family;
    pthread_mutex_t mu;
    struct kg_graph *graph;              /* mu */
    uint64_t snapshots, graphs, refused; /* mu */
    struct stat *asked[GAUGES];
    pthread_t restorer;
    bool has_restorer;
    atomic_bool is_restoring, is_closing;
};

/* What came in one chunk. */
struct given {
    struct str system;
    size_t graphs, entities, edges; /* records that had any; named in them */
    int64_t new_entities, new_edges;
};

/* ---- one record ---- */

/* A number means something in its graph only. */
static struct str id_in(struct str graph_id, struct str id, bool is_number, struct arena *a)
{
    if (!is_number || graph_id.n == 0) return id;
    return arena_printf(a, "%.*s/%.*s", (int)graph_id.n, graph_id.p, (int)MIN(id.n, (size_t)KG_TEXT_MAX),
                        id.p);
}

static void add_graph(struct kg_live *k, const struct kgot_graph *g, struct str graph_id, struct str system,
                      int64_t time_ms, struct arena *a, struct given *given)
{
    given->system = system;
    given->graphs++;
    given->entities += g->n_nodes;
    given->edges += g->n_edges;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct kgot_node *n = &g->nodes[i];
        struct kg_entity e = { id_in(graph_id, n->id, n->has_number, a), n->type, n->name, system };
        int rc = kg_graph_entity(k->graph, &e, time_ms, NULL);
        given->new_entities += rc > 0;
        k->refused += rc < 0;
    }
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct kgot_edge *from = &g->edges[i];
        struct kg_edge e = { id_in(graph_id, from->source, from->numbered, a),
                             id_in(graph_id, from->target, from->numbered, a), from->type, from->weight };
        const uint64_t before = kg_graph_stats(k->graph).nodes_added;
        int rc = kg_graph_edge(k->graph, &e, time_ms, NULL);
        given->new_edges += rc > 0;
        given->new_entities += (int64_t)(kg_graph_stats(k->graph).nodes_added - before);
        k->refused += rc < 0;
    }
}

static void put_gauges(struct kg_live *k, const struct kgot_snapshot *s, const struct kgot_graph *g,
                       bool has_graph, int64_t now_ms, struct arena *a)
{
    struct kgot_score *scores;
    size_t n = kgot_scores(s, a, &scores);
    int64_t nodes = s->node_count >= 0 ? s->node_count : has_graph ? (int64_t)g->n_nodes : -1;
    int64_t edges = s->edge_count >= 0 ? s->edge_count : has_graph ? (int64_t)g->n_edges : -1;
    event_series_lock(k->conf.series);
    if (nodes >= 0) event_put(k->conf.series, k->nodes_family, &s->graph_id, (double)nodes, now_ms);
    if (edges >= 0) event_put(k->conf.series, k->edges_family, &s->graph_id, (double)edges, now_ms);
    for (size_t i = 0; i < n; i++) {
        const struct str labels[] = { s->graph_id, scores[i].name };
        event_put(k->conf.series, k->confidence_family, labels, scores[i].value, now_ms);
    }
    event_series_unlock(k->conf.series);
}

static void refuse(struct kg_live *k, const struct err *e)
{
    log_debug("kg", "snapshot or graph left out", "error", e->text, NULL);
    pthread_mutex_lock(&k->mu);
    k->refused++;
    pthread_mutex_unlock(&k->mu);
}

static void take_snapshot(struct kg_live *k, const struct kgot_snapshot *s, int64_t time_ms, int64_t now_ms,
                          bool is_live, struct arena *a, struct given *given)
{
    struct kgot_graph g;
    bool has_graph = kgot_graph(s, a, &g);
    pthread_mutex_lock(&k->mu);
    k->snapshots++;
    if (has_graph) add_graph(k, &g, s->graph_id, s->graph_id, time_ms, a, given);
    pthread_mutex_unlock(&k->mu);
    bool is_late = time_ms < now_ms - k->conf.late_ms || time_ms > now_ms + k->conf.late_ms;
    if (is_live && !is_late && k->conf.series != NULL) put_gauges(k, s, &g, has_graph, now_ms, a);
}

static struct value find(const struct attrs *attrs, const char *name)
{
    for (size_t i = 0; i < attrs->n; i++)
        if (str_is(attrs->at[i].name, name)) return attrs->at[i].value;
    return (struct value){ .type = VALUE_NONE };
}

static void take_graph(struct kg_live *k, const struct attrs *attrs, int64_t time_ms, struct arena *a,
                       struct given *given)
{
    struct value entities = find(attrs, "entities"), edges = find(attrs, "edges");
    struct value system = find(attrs, "system_id");
    struct kgot_graph g = { 0 };
    struct err e = ERR_INIT;
    int rc = OK;
    if (entities.type == VALUE_JSON) rc = kgot_nodes_read(entities.text, "entities", a, &g, &e);
    if (rc == OK && edges.type == VALUE_JSON) rc = kgot_edges_read(edges.text, "edges", a, &g, &e);
    if (rc < 0) {
        refuse(k, &e);
        return;
    }
    pthread_mutex_lock(&k->mu);
    k->graphs++;
    add_graph(k, &g, STR(""), system.type == VALUE_STR ? system.text : STR(""), time_ms, a, given);
    pthread_mutex_unlock(&k->mu);
}

static bool is_graph_event(const struct record *r, const struct attrs *attrs)
{
    struct value name = find(attrs, "event.name");
    if (r->log.event_name.n > 0) return str_is(r->log.event_name, KG_KIND_GRAPH);
    return name.type == VALUE_STR && str_is(name.text, KG_KIND_GRAPH);
}

static void take(struct kg_live *k, const struct record *r, const struct attrs *attrs, int64_t now_ms,
                 bool is_live, struct arena *a, struct given *given)
{
    struct kgot_snapshot s;
    struct err e = ERR_INIT;
    int rc;
    const int64_t time_ms = r->time_ns / 1000000;
    if (kgot_of(&s, attrs, a, &rc, &e)) {
        if (rc < 0)
            refuse(k, &e);
        else
            take_snapshot(k, &s, time_ms, now_ms, is_live, a, given);
    } else if (is_graph_event(r, attrs)) {
        take_graph(k, attrs, time_ms, a, given);
    }
}

/* ---- what is told of it ---- */

static struct value count_of(size_t n)
{
    return value_int((int64_t)n);
}

static void extracted(struct self_op *op, const struct self_op *above, const char *name,
                      const char *operation, const struct given *g, size_t n)
{
    self_op_begin(op, above->to, name, above);
    self_op_attr(op, "kg.system_id", value_str(g->system));
    self_op_attr(op, "kg.entity_count", count_of(n));
    self_op_field(op, "operation", value_str(str_of(operation)));
    self_op_field(op, "count", count_of(n));
    self_op_end(op, KG_KIND_OPERATION, NULL);
}

static void added(struct kg_live *k, struct self_op *op, const struct given *g)
{
    struct kg_stats now;
    pthread_mutex_lock(&k->mu);
    now = kg_graph_stats(k->graph);
    pthread_mutex_unlock(&k->mu);
    self_op_attr(op, "kg.system_id", value_str(g->system));
    self_op_attr(op, "kg.entities_to_add", count_of(g->entities));
    self_op_attr(op, "kg.edges_to_add", count_of(g->edges));
    self_op_field(op, "operation", value_str(STR("add_to_graph")));
    self_op_field(op, "system_id", value_str(g->system));
    self_op_field(op, "entities_added", value_int(g->new_entities));
    self_op_field(op, "edges_added", value_int(g->new_edges));
    self_op_field(op, "entities_total", count_of(now.nodes));
    self_op_field(op, "edges_total", count_of(now.edges));
    self_op_end(op, KG_KIND_OPERATION, NULL);
}

static void tell(struct kg_live *k, struct self_op op[3], const struct given *g)
{
    extracted(&op[1], &op[0], "kg.extract_entities", "extract_entities", g, g->entities);
    extracted(&op[2], &op[0], "kg.extract_relationships", "extract_relationships", g, g->edges);
    added(k, &op[0], g);
    self_ops_write(op, 3);
}

/* ---- the tap ---- */

static bool is_wanted(struct str name)
{
    return kgot_is_name(name) || str_is(name, "entities") || str_is(name, "edges");
}

static void take_chunk(struct kg_live *k, const struct record_chunk *chunk, int64_t now_ms,
                       struct given *given)
{
    struct arena a = ARENA_INIT(SIZE_MAX / 2), scratch = ARENA_INIT(RECORD_MEMORY);
    struct record_walk walk;
    struct record r;
    struct attr at[PICKED_MAX];
    struct value picked[PICKED_MAX];
    size_t n = 0;
    bool any = false;
    record_walk_open(&walk, chunk->bytes, &a);
    uint8_t *want = arena_zero(&a, walk.reader.n_names + 1);
    for (size_t i = 0; i < walk.reader.n_names && n < PICKED_MAX; i++) {
        struct str name = walk.reader.names[i];
        any = any || is_wanted(name);
        if (!is_wanted(name) && !str_is(name, "system_id") && !str_is(name, "event.name")) continue;
        at[n].name = name;
        want[i] = (uint8_t)++n;
    }
    while (any) {
        memset(picked, 0, sizeof picked);
        if (!record_walk_next(&walk, want, picked, &r)) break;
        for (size_t i = 0; i < n; i++) at[i].value = picked[i];
        take(k, &r, &(struct attrs){ at, n }, now_ms, true, &scratch, given);
        arena_reset(&scratch);
    }
    arena_release(&scratch);
    arena_release(&a);
}

static void seen(void *ctx, const struct records *records)
{
    struct kg_live *k = ctx;
    if (records->table != TABLE_LOGS) return;
    for (size_t i = 0; i < records->n_chunks; i++) {
        struct given given = { .graphs = 0 };
        struct self_op op[3];
        self_op_begin(&op[0], k->conf.trace, "kg.add_to_graph", NULL);
        take_chunk(k, &records->chunks[i], clock_now_ms(), &given);
        if (given.graphs > 0) tell(k, op, &given);
    }
}

struct record_tap kg_live_tap(struct kg_live *k)
{
    return (struct record_tap){ seen, k };
}

/* ---- restoring ---- */

struct restoring {
    struct kg_live *k;
    struct arena scratch;
    struct given given;
    int64_t now_ms;
};

static int restore_rows(void *ctx, const struct record_rows *rows)
{
    struct restoring *r = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        const struct record *one = &rows->records[i];
        take(r->k, one, &one->attrs, r->now_ms, false, &r->scratch, &r->given);
        arena_reset(&r->scratch);
    }
    return atomic_load(&r->k->is_closing) ? ERR_CANCEL : OK;
}

static const struct predicate *where_graphs(struct arena *a)
{
    const struct predicate *p =
        predicate_cmp(a, PRED_EQ, field_in(IN_EVENT_NAME), value_str(STR(KG_KIND_GRAPH)));
    p = predicate_or(a, p, predicate_exists(a, field_attr(FIELD_ATTR, STR(KGOT_ATTR))));
    return predicate_or(a, p, predicate_exists(a, field_attr(FIELD_ATTR, STR(KGOT_ATTR ".graph_id"))));
}

static int restore(struct kg_live *k, struct restoring *r, struct err *e)
{
    struct arena a = ARENA_INIT(256u << 20);
    struct call call = { .arena = &a, .cancelled = &k->is_closing };
    struct call_notes notes;
    struct store_view *view = NULL;
    struct record_scan scan = { .table = TABLE_LOGS, .to_ns = INT64_MAX, .order = ORDER_TIME };
    call_notes_init(&notes);
    call.notes = &notes;
    scan.where = where_graphs(&a);
    int rc = store_view_open(k->conf.store, 0, INT64_MAX / 1000000, &view, e);
    if (rc == OK) rc = view_records(view, &call, &scan, restore_rows, r, e);
    store_view_close(view);
    call_notes_release(&notes);
    arena_release(&a);
    return rc;
}

static void *restore_main(void *arg)
{
    struct kg_live *k = arg;
    struct restoring r = { .k = k, .scratch = ARENA_INIT(RECORD_MEMORY), .now_ms = clock_now_ms() };
    struct err e = ERR_INIT;
    if (restore(k, &r, &e) < 0 && !atomic_load(&k->is_closing))
        log_warn("kg", "the knowledge graph is not whole", "error", e.text, NULL);
    arena_release(&r.scratch);
    atomic_store(&k->is_restoring, false);
    return NULL;
}

void kg_live_restore(struct kg_live *k)
{
    check(!k->has_restorer);
    atomic_store(&k->is_restoring, true);
    k->has_restorer = pthread_create(&k->restorer, NULL, restore_main, k) == 0;
    if (!k->has_restorer) atomic_store(&k->is_restoring, false);
}

bool kg_live_is_restoring(struct kg_live *k)
{
    return atomic_load(&k->is_restoring);
}

/* ---- questions ---- */

int kg_live_neighbors(struct kg_live *k, struct str id, struct str edge_type, enum kg_direction d,
                      size_t limit, struct arena *a, struct kg_neighbors *out, struct err *e)
{
    pthread_mutex_lock(&k->mu);
    int rc = kg_graph_neighbors(k->graph, id, edge_type, d, limit, a, out, e);
    pthread_mutex_unlock(&k->mu);
    return rc;
}

int kg_live_path(struct kg_live *k, struct str source, struct str target, enum kg_direction d,
                 size_t max_hops, struct arena *a, struct kg_path *out, struct err *e)
{
    pthread_mutex_lock(&k->mu);
    int rc = kg_graph_path(k->graph, source, target, d, max_hops, a, out, e);
    pthread_mutex_unlock(&k->mu);
    return rc;
}

void kg_live_stats(struct kg_live *k, size_t most_types, struct arena *a, struct kg_live_stats *out)
{
    pthread_mutex_lock(&k->mu);
    *out = (struct kg_live_stats){ .graph = kg_graph_stats(k->graph),
                                   .limits = k->conf.graph,
                                   .snapshots = k->snapshots,
                                   .graphs = k->graphs,
                                   .refused = k->refused };
    if (most_types > 0) {
        out->n_entity_types = kg_graph_entity_types(k->graph, most_types, a, &out->entity_types);
        out->n_edge_types = kg_graph_edge_types(k->graph, most_types, a, &out->edge_types);
    }
    pthread_mutex_unlock(&k->mu);
}

/* ---- gauges of our own ---- */

static struct kg_live_stats ask(void *ctx)
{
    struct kg_live_stats s;
    kg_live_stats(ctx, 0, NULL, &s);
    return s;
}

static double ask_bytes(void *ctx)
{
    return (double)ask(ctx).graph.bytes;
}

static double ask_dropped_nodes(void *ctx)
{
    return (double)ask(ctx).graph.nodes_dropped;
}

static double ask_dropped_edges(void *ctx)
{
    return (double)ask(ctx).graph.edges_dropped;
}

static double ask_refused(void *ctx)
{
    return (double)ask(ctx).refused;
}

static void add_gauges(struct kg_live *k)
{
    static const char dropped[] = "vedette_kg_dropped_total";
    static const char help[] = "Entities and edges that left the knowledge graph for want of room.";
    k->asked[0] =
        stat_ask(STAT_GAUGE, "vedette_kg_bytes", "Memory of the knowledge graph.", NULL, ask_bytes, k);
    k->asked[1] = stat_ask(STAT_COUNTER, dropped, help, "of=\"entities\"", ask_dropped_nodes, k);
    k->asked[2] = stat_ask(STAT_COUNTER, dropped, help, "of=\"edges\"", ask_dropped_edges, k);
    k->asked[3] =
        stat_ask(STAT_COUNTER, "vedette_kg_refused_total",
                 "Snapshots, graphs, entities and edges that were not right: kept as records, not in the "
                 "knowledge graph.",
                 NULL, ask_refused, k);
}

/* ---- life ---- */

struct kg_live *kg_live_open(const struct kg_live_conf *conf)
{
    struct kg_live *k = mem_alloc_zero(sizeof *k);
    k->conf = *conf;
    k->graph = kg_graph_new(&conf->graph);
    pthread_mutex_init(&k->mu, NULL);
    if (conf->series != NULL) {
        k->nodes_family = event_family_at(conf->series, KG_SERIES_NODES);
        k->edges_family = event_family_at(conf->series, KG_SERIES_EDGES);
        k->confidence_family = event_family_at(conf->series, KG_SERIES_CONFIDENCE);
    }
    add_gauges(k);
    return k;
}

void kg_live_close(struct kg_live *k)
{
    if (k == NULL) return;
    atomic_store(&k->is_closing, true);
    if (k->has_restorer) pthread_join(k->restorer, NULL);
    for (size_t i = 0; i < GAUGES; i++) stat_forget(k->asked[i]);
    kg_graph_free(k->graph);
    pthread_mutex_destroy(&k->mu);
    mem_free(k);
}
