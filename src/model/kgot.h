/* kgot.h - a snapshot of a knowledge graph of thoughts, as it comes within a log entry.
 *
 *     "kgot_snapshot": { "graph_id": "g1", "node_count": 3, "edge_count": 2, "active_thoughts": ["..."],
 *                        "reasoning_path": ["..."], "confidence_scores": {"answer": 0.8},
 *                        "timestamp": "2026-01-01T00:00:00Z", "serialized_graph": {"nodes":[],"links":[]} }
 *
 * Stored it is one attribute that is JSON (typed events, OTLP), or an attribute kgot_snapshot.NAME for each
 * field (POST /api/v1/logs): both are read here. Only graph_id must be there. serialized_graph is text of any
 * format, or node-link JSON, itself or as text; docs/knowledge-graph.md.
 *
 * Pure. Texts point into what was read, or into the arena. */
#pragma once
#include "model/record.h"

#define KGOT_ATTR      "kgot_snapshot"
#define KGOT_NAME_MAX  256        /* bytes of a graph_id */
#define KGOT_LIST_MAX  1000       /* thoughts, steps, scores */
#define KGOT_GRAPH_MAX (1u << 20) /* bytes of serialized_graph */
#define KGOT_NODES_MAX 20000      /* read of one serialized graph, and as many edges */

struct kgot_snapshot {
    struct str graph_id;
    int64_t node_count, edge_count;    /* -1: not said */
    struct str thoughts, path, scores; /* JSON; empty: none */
    struct value time;                 /* VALUE_NONE: the log entry's */
    struct str graph;                  /* empty: none */
};

/* "graph_id: missing" and the like: ERR_PARSE, ERR_RANGE. Names it does not know are left alone. */
int kgot_read(struct kgot_snapshot *, struct str json, struct arena *, struct err *);
/* Of a record: false when it has none. rc: as kgot_read. */
bool kgot_of(struct kgot_snapshot *, const struct attrs *, struct arena *, int *rc, struct err *);
/* An attribute that kgot_of looks at. */
bool kgot_is_name(struct str attr);

/* ---- what is in it; arena ---- */

size_t kgot_texts(struct str list, struct arena *, struct str **out);

struct kgot_score {
    struct str name;
    double value;
};
size_t kgot_scores(const struct kgot_snapshot *, struct arena *, struct kgot_score **out);

struct kgot_node {
    struct str id, type, name;
    bool has_number; /* its id is a number, which means something within this graph only */
};
struct kgot_edge {
    struct str source, target, type;
    double weight;
    bool numbered; /* source and target are numbers */
};
struct kgot_graph {
    struct kgot_node *nodes;
    struct kgot_edge *edges;
    size_t n_nodes, n_edges;
    bool truncated; /* there were more than KGOT_NODES_MAX */
};
/* The serialized graph as node-link data; false when it is of another format. */
bool kgot_graph(const struct kgot_snapshot *, struct arena *, struct kgot_graph *);

/* Lists of nodes and edges as JSON arrays, as kgot_graph takes them; also POST /api/v1/kg/graph. ERR_PARSE
 * names the place: "entities[3]: id: missing". */
int kgot_nodes_read(struct str json, const char *what, struct arena *, struct kgot_graph *, struct err *);
int kgot_edges_read(struct str json, const char *what, struct arena *, struct kgot_graph *, struct err *);
