/* run.h - the traces that may match, newest first, each with the sets its pipeline leaves.
 *
 * First candidates are sought by the plan's predicate, without their traces; then whole traces of a batch of
 * candidates are loaded, and the pipeline decides. A trace is found when one of its candidates begins within
 * the times asked for; it then is whole, as far as the view reaches. Memory: that of a batch, no more. */
#pragma once
#include "query/traceql/spansets.h"

#define RUN_TRACES_MAX (4u << 20) /* looked at by one query */

struct run_stats {
    uint64_t traces, spans; /* loaded and looked at */
};

/* A trace that matched; all is borrowed. Positive: enough, stop; negative: an error. */
typedef int run_visit(void *ctx, struct evaluation *, const struct spansets *, struct err *);

/* first: how many traces to try at once to begin with. */
int run_traces(struct store_view *, struct call *, const struct plan *, int64_t from_ns, int64_t to_ns,
               size_t first, run_visit *, void *ctx, struct run_stats *, struct err *);

/* Of a view for a query about these times: traces reach beyond them. */
void run_view_times(int64_t from_ns, int64_t to_ns, int64_t *from_ms, int64_t *to_ms);
