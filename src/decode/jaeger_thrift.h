/* jaeger_thrift.h - Jaeger's Batch in Thrift, as POST /api/traces brings it: the binary protocol; the compact
 * one is recognised by its first byte.
 *
 *     Batch { 1 process { 1 serviceName, 2 tags }, 2 spans }
 *     Span  { 1 traceIdLow, 2 traceIdHigh, 3 spanId, 4 parentSpanId, 5 operationName, 6 references, 7 flags,
 *             8 startTime us, 9 duration us, 10 tags, 11 logs }
 *
 * The process is the resource: service.name and its tags. Tags keep their types. What OpenTelemetry's and
 * OpenTracing's clients put in tags goes where it belongs: span.kind, otel.status_code,
 * otel.status_description, otel.scope.name (otel.library.name) and .version, w3c.tracestate; error=true makes
 * the status an error. Logs are events: their field `event` (else `message`) is the name. The parent is
 * parentSpanId, else the first CHILD_OF reference within the trace; all other references are links with
 * opentracing.ref_type.
 *
 * Ids of zero are refused (record_id), a negative start too (record_time); a negative duration becomes 0 with
 * vedette.clock_skew_ns. Thrift has no frame around a span: a broken batch is refused as a whole. */
#pragma once
#include "decode/record_sink.h"

record_decoder jaeger_thrift;
