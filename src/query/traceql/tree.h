/* tree.h - the spans of one trace in their order, for the relations between them.
 *
 * Numbers of spans are local: 0 to n - 1. Two spans of one id (the two sides of a call as Zipkin has them):
 * the called side is the parent of its children and the calling side its own. Rings of parents belong to no
 * tree: their spans have no parent, and left and right are 0.
 *
 * Pure; the arena's memory, 32 bytes a span. */
#pragma once
#include "base/arena.h"
#include "model/record.h"

#define SPAN_NOWHERE UINT32_MAX

struct span_tree {
    size_t n;
    const uint32_t *rows;     /* where each is in the columns */
    uint32_t *parent;         /* SPAN_NOWHERE: a root, an orphan, of a ring */
    uint32_t *order;          /* parents before their children */
    uint32_t *left, *right;   /* nested sets, from 1 */
    uint32_t *children;       /* how many */
    uint32_t root;            /* the earliest without a parent id, else the earliest */
    int64_t start_ns, end_ns; /* from the first start to the last end */
};

struct value;
/* The columns are those of ids, parents' ids, durations and kinds, by row. */
struct tree_columns {
    const struct value *id, *parent_id, *duration, *kind;
    const int64_t *time_ns;
};
void span_tree_make(struct span_tree *, const struct tree_columns *, const uint32_t *rows, size_t n,
                    struct arena *);
