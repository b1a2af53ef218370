/* kg_live.h - the server's knowledge graph: made of all snapshots and graph events that come by any door, and
 * after a restart of those in the store.
 *
 *     struct kg_live *k = kg_live_open(&conf);
 *     taps.at[taps.n++] = kg_live_tap(k);        before the doors open
 *     kg_live_restore(k);                         a thread reads what the store has
 *     kg_live_close(k);                           after the doors, before the event series and the store
 *
 * What a snapshot (model/kgot.h) gives: its graph as node-link data. Ids that are texts mean the same thing
 * in every graph; ids that are numbers mean nothing elsewhere and become GRAPH_ID/NUMBER. Its counts and
 * confidence scores become gauges, unless it is older than late_ms.
 *
 * What came in is seen by questions before its sender has its answer. Operations are traced (self_trace.h):
 * kg.extract_entities, kg.extract_relationships and kg.add_to_graph once for each chunk of records.
 *
 * Threads: any; one lock, held for one record or one question. */
#pragma once
#include "derive/kg_graph.h"
#include "derive/self_trace.h"

struct event_series;

struct kg_live_conf {
    struct kg_conf graph;
    int64_t late_ms;
    struct store *store;
    struct event_series *series;    /* where gauges go; NULL: nowhere */
    const struct self_trace *trace; /* NULL: not traced */
};
#define KG_LATE_MS 3600000

struct kg_live;
struct kg_live *kg_live_open(const struct kg_live_conf *);
void kg_live_close(struct kg_live *); /* NULL is fine */
struct record_tap kg_live_tap(struct kg_live *);

void kg_live_restore(struct kg_live *);      /* at most once */
bool kg_live_is_restoring(struct kg_live *); /* questions are answered of what there is */

/* As of kg_graph.h. */
int kg_live_neighbors(struct kg_live *, struct str id, struct str edge_type, enum kg_direction, size_t limit,
                      struct arena *, struct kg_neighbors *, struct err *);
int kg_live_path(struct kg_live *, struct str source, struct str target, enum kg_direction, size_t max_hops,
                 struct arena *, struct kg_path *, struct err *);

struct kg_live_stats {
    struct kg_stats graph;
    struct kg_conf limits;
    uint64_t snapshots, graphs, refused; /* records: taken, taken, not right */
    struct kg_type_count *entity_types, *edge_types;
    size_t n_entity_types, n_edge_types;
};
void kg_live_stats(struct kg_live *, size_t most_types, struct arena *, struct kg_live_stats *);
