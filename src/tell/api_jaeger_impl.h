/* api_jaeger_impl.h - what Jaeger's two APIs share. */
#pragma once
#include "tell/api_traces_impl.h"

/* A search as both write it; conditions are of one span. */
struct jaeger_ask {
    struct str service, operation, tags; /* tags: a JSON object of texts */
    int64_t min_ns, max_ns;              /* of the span; 0: none */
    int64_t from_ns, to_ns;
    size_t limit;
};
int jaeger_search(struct trace_query *, const struct jaeger_ask *, struct trace_found *);

int jaeger_services(struct trace_query *, struct str **names, size_t *n); /* sorted */

struct jaeger_operation {
    struct str name;
    unsigned kind;
};
/* Sorted; with_kinds false: names only, each once. kind empty: all. */
int jaeger_operations(struct trace_query *, struct str service, struct str kind, bool with_kinds,
                      struct jaeger_operation **, size_t *n);
const char *jaeger_kind(unsigned kind); /* "server"; empty when unspecified */

/* All records of these traces, trace by trace in the given order; begin[n] is the end. */
struct trace_records {
    struct record_list list;
    size_t *begin, n;
};
int jaeger_load(struct trace_query *, const uint8_t (*ids)[16], size_t n, struct trace_records *);

/* One trace as v1 has it. */
void jaeger_trace_json(struct json_writer *, const struct record *, size_t n, struct arena *, int64_t now_ns);

http_handler handle_jaeger_services, handle_jaeger_service_operations, handle_jaeger_operations,
    handle_jaeger_traces, handle_jaeger_trace, handle_jaeger_dependencies, handle_jaeger_transform,
    handle_jaeger_none;
http_handler handle_jaeger3_services, handle_jaeger3_operations, handle_jaeger3_traces, handle_jaeger3_trace,
    handle_jaeger3_summaries;
