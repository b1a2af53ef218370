/* cascade.h - which alerts follow from which: what fires where something is called, and what fires at its
 * callers at about the same time.
 *
 *     web --calls--> shop --calls--> db        an alert of db; then one of shop, then one of web:
 *                                              db's is the root, the others are its effects
 *
 * An alert is about the first of these that the call graph knows: the agent its labels name (agent,
 * agent_name, gen_ai_agent_name), the service (service, service_name, job), the model (model,
 * gen_ai_request_model), the MCP server (mcp_server, mcp_id), the tool (tool, tool_name).
 *
 * Always true:
 *   1. An alert is an effect of another when its place calls the other's, over at most `hops` calls, and the
 *      two began at most `window_ms` apart. The cause may be the later of them: rules notice it with delays.
 *   2. Where two places call each other (a ring), the earlier alert is the cause.
 *   3. So there are no circles, each effect has one root, and a root is no effect. Of several causes the one
 *      whose root is the earliest counts.
 *
 * Pure: no clock, no store. */
#pragma once
#include "tell/notify/call_graph.h"

#define CASCADE_WINDOW_MS  (10ll * 60000)
#define CASCADE_HOPS       3
#define CASCADE_HOPS_MAX   10
#define CASCADE_PLACES_MAX 2000 /* that have alerts; alerts of others have no part in cascades */

struct cascade_terms {
    int64_t window_ms;
    unsigned hops;
};

struct cascade_alert { /* one that fires; borrowed */
    uint64_t fp;
    struct labels labels;
    int64_t starts_ms;
};

struct cascade_link { /* an alert that is root or effect */
    uint64_t fp, root, cause;
    bool is_effect;
    unsigned hops;    /* calls between it and its cause */
    size_t n_effects; /* of a root */
    enum call_kind kind;
    struct str place; /* the graph's */
};

struct cascade {
    struct cascade_link *at; /* each root with its effects behind it, the nearest first */
    size_t n, n_roots;
    struct map by_fp;
};

/* The graph outlives it. */
struct cascade *cascade_new(const struct call_graph *, const struct cascade_alert *, size_t n,
                            const struct cascade_terms *);
void cascade_free(struct cascade *); /* NULL is fine */

/* NULL: neither root nor effect; also when the cascade is NULL. */
const struct cascade_link *cascade_find(const struct cascade *, uint64_t fp);
