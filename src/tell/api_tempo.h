/* api_tempo.h - Tempo's HTTP API over the store's spans, for Grafana's Tempo data source.
 *
 * tempo_routes are registered with a struct prometheus_api as their context (store, pool, limits, version),
 * and tempo_prefixed_routes, the same and /api/traces/{id} below /tempo, too. At the root /api/traces/{id} is
 * Jaeger's: who answers it may call tempo_handle_trace for clients that accept application/protobuf.
 *
 * Errors are plain text with their status, as Grafana shows them. */
#pragma once
#include "net/http_server.h"

extern const struct http_route tempo_routes[], tempo_prefixed_routes[];
extern const size_t tempo_routes_count, tempo_prefixed_routes_count;

http_handler tempo_handle_trace; /* {id}; v1: {"batches":[...]} or protobuf Trace */
