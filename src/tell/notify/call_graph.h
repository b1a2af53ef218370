/* call_graph.h - who calls whom, as spans of the last hour have shown it: services among each other, agents
 * and the tools, MCP servers and models they use.
 *
 * It is made of the series of derive/service_graph.h and derive/agent_graph.h. Names of different kinds never
 * meet: a service "search" is not the tool "search".
 *
 * Threads: never changes once call_graph_end was called. */
#pragma once
#include "base/map.h"
#include "model/labels.h"
#include "model/store.h"

#define CALL_GRAPH_CALLS_MAX 20000
#define CALL_GRAPH_LIVE_MS   3600000
#define CALL_NOBODY          UINT32_MAX

enum call_kind { CALL_SERVICE, CALL_AGENT, CALL_MODEL, CALL_MCP, CALL_TOOL, CALL_KINDS };
const char *call_kind_text(enum call_kind); /* "service", "agent", ... */

struct call_node {
    enum call_kind kind;
    struct str name;
    uint32_t *callees;
    size_t n, cap;
    uint32_t
        ring; /* nodes that reach each other share it; what is called has a lower one than who calls it */
};

struct call_graph {
    struct arena arena;
    struct call_node *at;
    size_t n, cap, n_calls;
    struct map by_name;
};

struct call_graph *call_graph_new(void);
void call_graph_free(struct call_graph *); /* NULL is fine */
/* Copies the names; a call that is known, or one too many, changes nothing. */
void call_graph_add(struct call_graph *, enum call_kind caller_kind, struct str caller,
                    enum call_kind callee_kind, struct str callee);
void call_graph_end(struct call_graph *); /* all calls are there: finds the rings */

uint32_t call_graph_find(const struct call_graph *, enum call_kind, struct str name); /* CALL_NOBODY */

/* The live graph from its series in the store. */
int call_graph_read(struct store *, int64_t now_ms, struct call_graph **out, struct err *);
