/* analysis.h - why traces take as long as they do: whole traces of a stretch of time built as trees, their
 * self times and critical paths added up by operation, their calls by caller and called. */
#pragma once
#include "query/traces/latency.h"
#include "query/traces/search.h"

#define ANALYSIS_TRACES_MAX 1000
#define ANALYSIS_SPANS_MAX  (512u << 10)
#define ANALYSIS_ROWS_MAX   5000 /* operations, edges */

struct bottleneck {
    struct str service, operation;
    uint64_t spans, errors, traces, on_path; /* on_path: spans on a critical path */
    int64_t self_ns, critical_ns;            /* sums */
    struct latency took;
    uint8_t slowest[16]; /* the trace in which it was on the critical path longest */
    int64_t slowest_ns;
    size_t last_trace;
};

struct call_edge {
    struct bottleneck *from, *to;
    uint64_t calls, errors;
    int64_t critical_ns; /* the called side's share of critical paths, with all below it in its service */
    struct latency took;
};

struct trace_analysis {
    size_t traces, spans;
    uint64_t errors, running, orphans, cycles;
    int64_t from_ns, to_ns;         /* of the traces looked at */
    int64_t duration_ns, idle_ns;   /* sums over traces; critical_ns of all add up to the difference */
    struct latency took;            /* whole traces */
    struct bottleneck **operations; /* most critical time first */
    struct call_edge **edges;       /* those between services; most critical time first, then slowest */
    size_t n_operations, n_edges;
    bool truncated; /* there are more traces than were looked at */
};

/* The newest traces that match, at most ask->limit of them. */
int trace_analyse(struct store_view *, struct call *, const struct trace_search *ask, struct trace_analysis *,
                  struct err *);
