/* explain.h - what a query did, node by node, as a tree a person can read.
 *
 * The query is run; while it runs each node's time, rows and reads are noted (struct costs, by the query's
 * own thread). Afterwards the tree is put into words. Steps taken from a kept answer cost nothing: what is
 * told is what was done now. */
#pragma once
#include "base/buf.h"
#include "query/promql/eval.h"

struct explain_node {
    const char *kind; /* "aggregation", "function", "selector", ... */
    struct str text;  /* the expression, on one line */
    struct str does;  /* what it does, a phrase */
    bool was_run;     /* false: never asked for, or part of its parent's work */
    uint64_t runs;
    double seconds, own_s;  /* with and without its children */
    size_t rows, steps;     /* of its result */
    bool reads;             /* a selector: */
    int64_t from_ms, to_ms; /* of the rows looked for */
    uint64_t series, samples;
    struct explain_node **child;
    size_t n;
};

/* ---- while the query runs; all do nothing when costs is NULL ---- */

struct costs *costs_new(struct arena *);
void costs_release(struct costs *); /* NULL is fine */
int64_t costs_begin(struct costs *);
void costs_end(struct costs *, const struct node *, int64_t begun, size_t rows, size_t steps);
void costs_read(struct costs *, const struct node *selector, int64_t from_ms, int64_t to_ms, size_t series,
                uint64_t samples);

/* ---- afterwards ---- */

struct explain_node *explain_tree(const struct query *, const struct node *root, struct arena *);

/* The tree in an aligned table, below it the totals and what the caches did. */
void explain_text(struct buf *out, const struct query_result *);
void explain_json(struct buf *out, const struct query_result *);
