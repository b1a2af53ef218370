/* api_traces.h - our own API over traces (docs/traces.md) and Jaeger's, v1 and v3.
 *
 * Register each table with a struct prometheus_api as its context: store, pool, timeout and memory are used.
 * jaeger_routes serve at the root and under /jaeger, in one table. */
#pragma once
#include "tell/api_prometheus.h"

extern const struct http_route traces_routes[];
extern const size_t traces_routes_count;
extern const struct http_route jaeger_routes[];
extern const size_t jaeger_routes_count;
