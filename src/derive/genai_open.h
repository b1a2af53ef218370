/* genai_open.h - traces of model calls that are still growing: which of their spans count (genai_owner.h),
 * and for which agent, workflow and tool they worked. Known only as the spans come in, children first,
 * parents last.
 *
 * A call is handed out as soon as the agent above it is known, or cannot be known any more: the trace's root
 * has come, or nothing came for wait_ms. Wrappers, which count only when nothing beneath them did, are handed
 * out when the trace is over: its root is here and no parent is missing, or nothing came for wait_ms.
 *
 * Bounded: OPEN_TRACES traces and OPEN_SPANS spans; the trace that has been quiet longest is settled as it is
 * and forgotten. What comes after that begins a new one. One thread at a time. */
#pragma once
#include "model/genai_owner.h"
#include "model/price.h"

#define OPEN_TRACES 4096
#define OPEN_SPANS  65536
#define OPEN_KEPT_MS                                                                                         \
    600000                /* how long a quiet trace is remembered, so that late wrappers find their calls    \
                           */
#define OPEN_TEXT_MAX 128 /* bytes of a name; longer ones are cut */

enum spent_text {
    SPENT_PROVIDER,
    SPENT_MODEL,
    SPENT_REQUEST_MODEL,
    SPENT_OPERATION,
    SPENT_SERVICE,
    SPENT_AGENT,
    SPENT_WORKFLOW,
    SPENT_MCP_SERVER,
    SPENT_TOOL,
    SPENT_ERROR,
    SPENT_TEXTS
};

/* What a span that counts has spent. */
struct spent {
    struct genai_usage usage;
    struct cost cost;
    bool has_usage;
    double seconds, first_token_seconds; /* < 0: not known */
    struct str text[SPENT_TEXTS];
};

struct open_traces;
/* counted: of each span that counts, once. */
struct open_traces *open_traces_new(int64_t wait_ms, void (*counted)(void *ctx, const struct spent *),
                                    void *ctx);
void open_traces_free(struct open_traces *); /* settles nothing; NULL is fine */

/* Is this trace followed? Then even spans that are nothing to genai.h must be told, as they lead upwards. */
bool open_traces_follow(const struct open_traces *, const uint8_t trace_id[16]);
/* g NULL: a span of a followed trace that only leads upwards. False: it was here already. */
bool open_traces_add(struct open_traces *, const struct record *, const struct genai_span *g,
                     const struct cost *, struct str service, int64_t now_ms);
/* Now and then. all: everything, whether over or not; at the end of the program. */
void open_traces_settle(struct open_traces *, int64_t now_ms, bool all);
size_t open_traces_spans(const struct open_traces *);
