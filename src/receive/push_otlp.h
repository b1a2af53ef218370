/* push_otlp.h - the doors for OTLP metrics: HTTP with protobuf or JSON, and gRPC.
 *
 *     POST /v1/metrics, /otlp/v1/metrics, /api/v1/otlp/v1/metrics
 *         200 and an empty response, or one with partial_success: how many data points were refused, and the
 * first reason 400 broken, 413 too large, 415 unknown type or coding: a sender must not repeat these 429, 503
 * with Retry-After: it should. Never 500, which OTLP senders do not repeat. gRPC
 * opentelemetry.proto.collector.metrics.v1.MetricsService/Export OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED
 * (too large), UNAVAILABLE with RetryInfo POST .../v1/traces, .../v1/logs   404 with a text that says so: not
 * yet
 *
 * Answers come in the request's encoding; errors are google.rpc.Status. An answer of success means that the
 * rows are on disk. Refused counts are data points, but what the store itself refuses it counts in rows. */
#pragma once
#include "decode/otlp_metrics.h"
#include "derive/delta.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "receive/ingest.h"

struct push_otlp {
    struct ingest http, grpc;
    struct otlp_options options;
    struct otlp_cumulate cumulate;
    struct delta *delta;
    struct stat *streams;
};

/* options (NULL: presets) is copied, what it points to is not; its times and cumulate are set here. */
void push_otlp_init(struct push_otlp *, struct store *, const struct limit *, const struct otlp_options *);
void push_otlp_release(struct push_otlp *); /* after the servers have stopped */

extern const struct http_route push_otlp_routes[]; /* ctx: struct push_otlp * */
extern const size_t push_otlp_n_routes;
extern const struct grpc_method push_otlp_methods[]; /* ctx: struct push_otlp * */
extern const size_t push_otlp_n_methods;
