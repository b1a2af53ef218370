/* reusable.h - may steps of an earlier answer stand for those of a new one?
 *
 * Yes when the value at a step is a function of the step's time and of rows that have not changed since. Two
 * things are asked of the tree: whether each node is such a function (a table decides for functions), and
 * how far ahead of a step it looks for rows. Threads: pure. */
#pragma once
#include "query/promql/eval.h"

/* Why not, as the end of a sentence ("it asks for ..."); NULL: they may be kept. */
const char *reuse_refused(const struct node *root);

/* The newest row time the value at step t can depend on is the greater of t + ahead_ms and fixed_ms. */
struct reuse_reach {
    int64_t ahead_ms, fixed_ms; /* INT64_MIN: no row at all */
};
/* False: windows over a subquery are so long that values depend on where the query begins. */
bool reuse_reach(const struct query *, const struct node *root, struct reuse_reach *out);

/* Rows a window must have for sums over it to be put together of longer runs, which begin where the query
 * does (window_over_time.c, window_moments.c). */
#define WINDOW_RUN_WORTH 48
bool reuse_runs(const struct window_def *); /* is this function one of those? */

/* Do the values of this node depend on the order of its arguments' rows? */
bool reuse_needs_order(const struct node *);
/* Is the order of two rows of this node the same whatever steps it is evaluated at? */
bool reuse_keeps_order(const struct node *);

/* The table's word on a function; false when it has none. For the test that it has them all. */
bool reuse_knows(const char *function);
