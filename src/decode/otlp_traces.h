/* otlp_traces.h - an OTLP ExportTraceServiceRequest, protobuf or JSON, -> spans.
 *
 * Rules for spans that are not as they should be:
 *   trace or span id missing, of another length or all zero     refused, record_id
 *   parent id that is no id                                     kept as a root, altered
 *   neither start nor end, or a time beyond the year 2262       refused, record_time
 *   no start                                                    kept, starts at its end
 *   no end                                                      kept, SPAN_UNFINISHED
 *   end before start                                            kept, duration 0, altered
 *   kind or status beyond the known ones                        kept as unspecified, unset
 *   a field of the wrong wire type, a broken message inside     refused, record_field
 *
 * The attribute vedette.clock_skew_ns says by how much an end lay before its start. Counts of dropped events
 * and links become otel.dropped_events_count and otel.dropped_links_count. */
#pragma once
#include "decode/record_sink.h"

record_decoder otlp_traces_proto;
/* Liberal: ids in hex or base64, enums by number or name, 64-bit integers and times as numbers or strings,
 * keys in camelCase or snake_case, values without their type; one request or an array of them. */
record_decoder otlp_traces_json;
