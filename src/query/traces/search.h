/* search.h - which traces are there: newest first, by what one of their spans is and by what they are as a
 * whole.
 *
 * Order: by the newest span that matches, so that a run that goes on stands where its last sign of life is.
 * A page is then sorted by start. The cursor is a place in that order; a trace that was on an earlier page is
 * not on a later one, even when spans of it arrive in between. */
#pragma once
#include "query/traces/spans.h"

#define SEARCH_LIMIT_MAX 1000

enum trace_status {
    TRACE_ANY,
    TRACE_ERROR,   /* a span failed */
    TRACE_OK,      /* none did, and all have ended */
    TRACE_RUNNING, /* a span has not ended */
};

struct trace_cursor {
    int64_t time_ns; /* of the newest matching span of the last trace given; 0: from the beginning */
    uint8_t trace_id[16];
};

struct trace_search {
    int64_t from_ns, to_ns;        /* when a matching span began; closed */
    const struct predicate *where; /* of one span; NULL: any */
    enum trace_status status;
    int64_t min_ns, max_ns; /* duration of the whole; max 0: no limit */
    size_t limit;           /* 1 to SEARCH_LIMIT_MAX */
    struct trace_cursor after;
};

struct service_count {
    struct str name;
    uint32_t spans, errors;
};

struct trace_summary {
    uint8_t id[16];
    int64_t seen_ns; /* the newest span that matched */
    int64_t start_ns, end_ns;
    struct str root_name, root_service, agent; /* of the root; when it is not here, of the earliest span */
    bool has_root;
    uint32_t spans, errors, running;
    struct service_count *services; /* most spans first */
    size_t n_services, cap_services;
    int64_t root_start_ns;
    const struct trace_spend *spend; /* cost.h; NULL: was not asked for */
};

struct trace_found {
    struct trace_summary *at;
    size_t n;
    bool more;                /* there may be others: go on with */
    struct trace_cursor next; /* this */
};

/* View of all time: traces are counted whole, though only what is in from_ns to to_ns is searched. */
int trace_search(struct store_view *, struct call *, const struct trace_search *, struct trace_found *,
                 struct err *);

/* Of these traces, in the given order; one that is not there has no spans. */
int trace_summaries(struct store_view *, struct call *, const uint8_t (*ids)[16], size_t n,
                    struct trace_summary *out, struct err *);
