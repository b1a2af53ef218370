/* genai_owner.h - whose tokens and money count in a trace. Agents, steps and wrappers of SDKs repeat what the
 * model calls beneath them say; adding all up would count them twice or more.
 *
 *   1. A call owns its usage, unless a call beneath it counts with no agent, tool or workflow between them:
 * then two libraries have seen the same call, and the inner one is nearer to the truth.
 *   2. A wrapper counts when nothing beneath it does: an agent whose model calls are not traced.
 *   3. The server's side of a call counts when nothing above or beneath it does.
 *   4. A call without usage counts (as a request of unknown cost) where 1 would let it and no call right
 * above it counts.
 *   5. A counted call whose parent is missing may have been beneath any wrapper of its trace: wrappers
 * outside its own tree do not count then. Too little with a hole in the trace is better than twice.
 *
 * Traces that are still growing are asked again: what has been settled stays, and while `is_over` is false
 * wrappers and servers wait. Pure. */
#pragma once
#include "model/genai.h"

#define GENAI_NO_PARENT UINT32_MAX

struct genai_node {
    uint32_t parent; /* its place among the nodes, before this one; GENAI_NO_PARENT */
    enum genai_part part;
    enum genai_kind kind;
    bool has_usage; /* tokens or a reported cost */
    bool is_orphan; /* it names a parent that is not here */

    bool is_settled; /* counts is final */
    bool counts;
};

/* How a span is told to the tree; parent and is_orphan are the caller's. */
struct genai_node genai_node_of(const struct genai_span *);

/* Settles what can be: parents come before their children. marks: n bytes of scratch. */
void genai_owners(struct genai_node *, size_t n, bool is_over, uint8_t *marks);
