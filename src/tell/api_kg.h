/* api_kg.h - our own API over knowledge graphs and analytics: docs/knowledge-graph.md, docs/analytics.md.
 *
 *     GET /api/v1/kgot/snapshots  /api/v1/kgot/snapshots/{id}  /api/v1/kgot/compare?a=&b=
 *     GET /api/v1/kg/neighbors    /api/v1/kg/path              /api/v1/kg/stats
 *     GET /api/v1/analytics/trend /api/v1/analytics/anomalies  /api/v1/analytics/correlate
 *
 * Register kg_routes with a struct kg_api as their context. Questions to the graph and analyses are traced
 * and counted by ourselves (derive/self_trace.h). */
#pragma once
#include "derive/kg_live.h"
#include "tell/api_prometheus.h"

struct kg_api {
    struct prometheus_api base; /* first: a copy, whose store, engine, pool, timeout and memory are used */
    struct kg_live *live;
    const struct self_trace *trace;
};

extern const struct http_route kg_routes[];
extern const size_t kg_routes_count;
