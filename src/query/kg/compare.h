/* compare.h - what is different between two snapshots of knowledge graphs.
 *
 * Nodes are told apart by id, edges by source, target and type, scores by name; thoughts are a set, the
 * reasoning path is a list. Pure; memory: the arena. */
#pragma once
#include "model/kgot.h"

struct kg_texts {
    struct str *at;
    size_t n;
};

struct kg_changed_node {
    const struct kgot_node *before, *after; /* the one of both that is NULL: added, removed */
};
struct kg_changed_edge {
    const struct kgot_edge *before, *after;
};
struct kg_changed_score {
    struct str name;
    double before, after; /* NAN: was not there */
};

struct kg_difference {
    bool has_graphs; /* both have one that can be read */
    struct kg_changed_node *nodes;
    size_t n_nodes, nodes_same;
    struct kg_changed_edge *edges;
    size_t n_edges, edges_same;
    struct kg_changed_score *scores;
    size_t n_scores, scores_same;
    struct kg_texts thoughts_added, thoughts_removed, thoughts_same;
    struct kg_texts path_before, path_after;
    size_t path_common; /* steps both begin with */
};

void kg_compare(const struct kgot_snapshot *before, const struct kgot_snapshot *after, struct arena *,
                struct kg_difference *);
