/* push_otlp.h - the doors for OTLP, all signals: HTTP with protobuf or JSON, and gRPC.
 *
 *     POST /v1/metrics, /v1/traces, /v1/logs; the same below /otlp; /api/v1/otlp/v1/metrics
 *         200 and an empty response; or one with partial_success: how many data points, spans or log records
 *         were refused and why, or none and what was kept but altered
 *         400 broken, 413 too large, 415 unknown type or coding: a sender must not repeat these
 *         429, 503 with Retry-After: it should. Never 500, which OTLP senders do not repeat
 *     gRPC opentelemetry.proto.collector.{metrics,trace,logs}.v1.*Service/Export
 *         OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED (too large), UNAVAILABLE with RetryInfo
 *
 * Answers come in the request's encoding; errors are google.rpc.Status. An answer of success means that the
 * rows are on disk. Refused counts are data points, spans, log records; what the store itself refuses of
 * metrics it counts in rows. */
#pragma once
#include "base/work.h"
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
    struct work_pool
        *pool; /* decodes large gRPC messages; NULL: the loop does. Set before the server starts */
};

/* options (NULL: presets) is copied, what it points to is not; its times and cumulate are set here. */
void push_otlp_init(struct push_otlp *, struct store *, const struct limit *, const struct otlp_options *);
void push_otlp_release(struct push_otlp *); /* after the servers have stopped */

extern const struct http_route push_otlp_routes[]; /* ctx: struct push_otlp * */
extern const size_t push_otlp_n_routes;
extern const struct grpc_method push_otlp_methods[]; /* ctx: struct push_otlp * */
extern const size_t push_otlp_n_methods;
