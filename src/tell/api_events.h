/* api_events.h - reading what typed events tell (docs/events.md):
 *
 *     GET /api/v1/mcp/{id}/performance?window=60m     means over stored records, exact
 *     GET /api/v1/mcp/top?metric=&limit=&window=      the best first, whichever way the metric goes
 *     GET /api/v1/agents, /api/v1/monitoring/agents   each agent with state, throughput, quality, memory,
 * errors GET /api/v1/agents/{id}, /{id}/performance      one of them; the parts of its scores too GET
 * /api/v1/workflows?window=&limit=            workflows that began or ended, newest first GET
 * /api/v1/lb/backends/ranking?by=             backends, the best first
 *
 * An id that is not known answers 200 with nothing in it. Context: struct prometheus_api. */
#pragma once
#include "tell/api_prometheus.h"

extern const struct http_route events_routes[];
extern const size_t events_n_routes;
