/* trace.h - the spans of one trace as a tree: who called whom, where the time went.
 *
 *     struct trace t;
 *     trace_build(&t, spans, n, &arena);       spans in any order, as the loader (spans.h) gave them
 *
 * After that, and whatever was sent:
 *   1. Spans stand in tree order: a span, then what it called, siblings by start. The subtree of span i is
 *      [i, i + 1 + at[i].below). Roots without a parent come before those of 2, so at[0] names the trace.
 *   2. Every span has one place. Who names a parent that is not here is a root and marked an orphan; a ring
 *      of parents is cut at its earliest span, which is a root and marked so.
 *   3. Spans that share an id (Zipkin's two sides of one call) are told apart by kind: the calling side
 * stands above the called one, and children go to the one of their own sender, else to the called one.
 *   4. from_ns and to_ns are free of skew between processes: see trace_time.c. start_ns is as it was sent.
 *   5. self_ns is what no child covers, overlapping children counted once. The critical_ns of all spans and
 *      idle_ns add up to end_ns - start_ns.
 *   6. A span that still runs ends, for all this, with the last thing known of the trace.
 *
 * Pure; memory is the arena's: some 800 bytes a span, of which 230 stay in use. */
#pragma once
#include "base/arena.h"
#include "model/record.h"

#define SPAN_NONE    UINT32_MAX
#define STATUS_ERROR 2

enum span_mark {
    SPAN_ORPHAN = 1 << 0,   /* its parent is not here */
    SPAN_CYCLE = 1 << 1,    /* it was its own ancestor; the link to its parent is cut */
    SPAN_SHARED = 1 << 2,   /* another span has the same id */
    SPAN_RUNNING = 1 << 3,  /* not ended */
    SPAN_SKEWED = 1 << 4,   /* from_ns is not start_ns */
    SPAN_CRITICAL = 1 << 5, /* on the critical path */
};

struct trace_span {
    uint8_t trace_id[16], id[8], parent_id[8];
    int64_t start_ns, duration_ns; /* SPAN_UNFINISHED */
    uint64_t process;              /* of which resource: equal numbers share a clock */
    struct str name, service, agent, operation, tool, model; /* the last four may be empty */
    uint8_t kind, status;

    uint8_t marks; /* from here on made by trace_build */
    uint32_t parent, depth, below, children;
    int64_t from_ns, to_ns, self_ns, critical_ns;
};

struct span_spend;
struct trace_spend;

struct trace {
    struct trace_span *at;
    size_t n;
    uint32_t roots, orphans, cycles, running, errors, depth; /* depth: levels */
    int64_t start_ns, end_ns;                                /* from the first start to the last end known */
    int64_t idle_ns;                                         /* between roots */
    const struct span_spend *spend;  /* of each span, as cost.h fills it in; NULL: was not asked for */
    const struct trace_spend *total; /* likewise */
};

/* The spans of one trace, n > 0; they are copied. */
void trace_build(struct trace *, const struct trace_span *, size_t n, struct arena *);

/* ---- for trace.c and trace_time.c ---- */

bool trace_skew(struct trace *); /* from_ns and to_ns; true: some were moved */
void trace_times(struct trace *, struct arena *);
