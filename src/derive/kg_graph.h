/* kg_graph.h - a knowledge graph in memory: entities, and edges of a type between them.
 *
 *     struct kg_graph *g = kg_graph_new(&(struct kg_conf)KG_DEFAULT);
 *     kg_graph_entity(g, &(struct kg_entity){ .id = STR("paris"), .type = STR("city") }, now_ms);
 *     kg_graph_edge(g, &(struct kg_edge){ STR("paris"), STR("france"), STR("in"), 1 }, now_ms);
 *
 * Always true:
 *   1. Entities differ in their id, edges in source, target and type: adding one again renews it.
 *   2. Both ends of an edge are there. An end nobody has named before becomes an entity without a type.
 *   3. There are at most max_nodes entities and max_edges edges, and they take at most max_bytes. When one
 *      more comes, the one that was renewed longest ago goes, an entity with all its edges; both are counted.
 *   4. Texts longer than KG_TEXT_MAX are refused (ERR_RANGE), and nothing changes.
 *
 * Not for two threads; kg_live.h has the lock. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

#define KG_TEXT_MAX 1024
#define KG_HOPS_MAX 64

struct kg_conf {
    size_t max_nodes, max_edges, max_bytes;
};
#define KG_DEFAULT                                                                                           \
    {                                                                                                        \
        .max_nodes = 50000, .max_edges = 200000, .max_bytes = 32u << 20                                      \
    }

struct kg_entity {
    struct str id, type, name, system; /* empty: not known; what was known before stays */
};

struct kg_edge {
    struct str source, target, type;
    double weight;
};

struct kg_graph;
struct kg_graph *kg_graph_new(const struct kg_conf *);
void kg_graph_free(struct kg_graph *); /* NULL is fine */

/* 1: new; 0: was there; negative: refused. */
int kg_graph_entity(struct kg_graph *, const struct kg_entity *, int64_t time_ms, struct err *);
int kg_graph_edge(struct kg_graph *, const struct kg_edge *, int64_t time_ms, struct err *);

enum kg_direction { KG_BOTH, KG_OUT, KG_IN };

struct kg_neighbor {
    struct kg_entity entity;
    struct str edge_type;
    double weight;
    bool is_target; /* the edge points at it */
};
struct kg_neighbors {
    struct kg_entity of;
    struct kg_neighbor *at; /* latest renewed first */
    size_t n, total;        /* total: without the limit */
};
/* Texts are copied into the arena. ERR_FIND: no such entity. edge_type empty: any. */
int kg_graph_neighbors(const struct kg_graph *, struct str id, struct str edge_type, enum kg_direction,
                       size_t limit, struct arena *, struct kg_neighbors *, struct err *);

struct kg_path {
    struct kg_entity *at;   /* from source to target: hops + 1; NULL: there is none within max_hops */
    struct str *edge_types; /* hops of them */
    size_t hops;
};
/* A shortest one, breadth first. ERR_FIND: source or target is no entity. */
int kg_graph_path(struct kg_graph *, struct str source, struct str target, enum kg_direction, size_t max_hops,
                  struct arena *, struct kg_path *, struct err *);

struct kg_stats {
    size_t nodes, edges, bytes;
    uint64_t nodes_added, edges_added;     /* ever */
    uint64_t nodes_dropped, edges_dropped; /* for want of room; edges that went with an entity too */
    int64_t oldest_ms, newest_ms;          /* of entities; 0: none */
};
struct kg_stats kg_graph_stats(const struct kg_graph *);

struct kg_type_count {
    struct str type; /* empty: none */
    size_t n;
};
/* Types and how many have them, most frequent first, at most `most` of them; arena. */
size_t kg_graph_entity_types(const struct kg_graph *, size_t most, struct arena *, struct kg_type_count **);
size_t kg_graph_edge_types(const struct kg_graph *, size_t most, struct arena *, struct kg_type_count **);
