/* kg_glue.h - the knowledge graph, plugged in: its tap, the tracer of our own operations, its routes.
 *
 * Opened after the event series and before the doors; closed after the request workers and before the event
 * series, whose tap our own operations feed. */
#pragma once
#include "tell/api_kg.h"

struct kg_glue {
    struct kg_live *live; /* NULL: not open */
    struct self_trace trace;
    struct kg_api api;
};

/* series NULL: no gauges. taps: those that see our own operations, too. */
void kg_glue_open(struct kg_glue *, const struct prometheus_api *, struct record_taps *taps,
                  struct event_series *series);
void kg_glue_routes(struct kg_glue *, struct http_server *);
void kg_glue_close(struct kg_glue *);
