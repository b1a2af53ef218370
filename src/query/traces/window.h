/* window.h - what the spans of a stretch of time say together: rates, errors and latencies by service and
 * operation; who calls whom.
 *
 * Spans are counted when they begin in the window and match. The map looks at the newest WINDOW_SPANS_MAX of
 * them at most and says since when (from_ns): caller and called are joined within that. */
#pragma once
#include "query/traces/latency.h"
#include "query/traces/spans.h"

#define WINDOW_SPANS_MAX  (2u << 20)
#define WINDOW_GROUPS_MAX 2000 /* services, operations, edges: the rest is counted together as "other" */
#define WINDOW_BUCKETS    60   /* of the histogram over time */

struct span_group {
    struct str service, name; /* name empty: the service as a whole */
    uint64_t spans, errors, running;
    int64_t last_ns;
    struct latency took;
};

struct window_stats {
    uint64_t spans, errors, running, traces, roots;
    int64_t first_ns, last_ns; /* of the spans counted */
    struct latency took;
    struct span_group **services, **operations; /* most spans first */
    size_t n_services, n_operations;
    uint64_t over_time[WINDOW_BUCKETS], errors_over_time[WINDOW_BUCKETS];
    bool traces_estimated; /* too many to be counted one by one */
};

int window_stats(struct store_view *, struct call *, int64_t from_ns, int64_t to_ns,
                 const struct predicate *where, struct window_stats *, struct err *);

enum map_by { MAP_SERVICES, MAP_AGENTS };

struct map_node {
    struct str name,
        kind; /* service; agent, tool, model; database, messaging, external: not seen themselves */
    uint64_t spans, errors;
};

struct map_edge {
    uint32_t from, to; /* nodes */
    uint64_t calls, errors;
    struct latency took; /* of the called side, else as the caller saw it */
};

struct service_map {
    struct map_node *nodes;
    struct map_edge **edges; /* most calls first */
    size_t n_nodes, n_edges;
    int64_t from_ns; /* later than asked for when there were too many spans */
    uint64_t spans;
};

int window_map(struct store_view *, struct call *, enum map_by, int64_t from_ns, int64_t to_ns,
               struct service_map *, struct err *);
