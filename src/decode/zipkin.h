/* zipkin.h - Zipkin v2: a JSON array of spans, as POST /api/v2/spans brings it.
 *
 * localEndpoint.serviceName is resource service.name; its address and port are network.local.address and
 * .port, those of remoteEndpoint network.peer.*, with its name as peer.service. Annotations are events. Tags
 * are text attributes, but for what OpenTelemetry's exporter puts there: otel.status_code,
 * otel.status_description, otel.scope.name and .version go where they came from. A tag `error` makes the
 * status an error, its value the message. No kind is internal.
 *
 *   ids                       1 to 32 (16) hex digits; else, or all zero: refused, record_id
 *   no timestamp              the earliest annotation's; without one refused, record_time
 *   no duration               SPAN_UNFINISHED
 *   shared                    kept beside the client's span of the same id, marked zipkin.shared=true */
#pragma once
#include "decode/record_sink.h"

record_decoder zipkin_json;
