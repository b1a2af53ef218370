/* otlp_logs.h - an OTLP ExportLogsServiceRequest, protobuf or JSON, -> log records.
 *
 * A record's time is its own, else when it was observed, else now. A missing severity number is taken from
 * the text; a missing event name from the attribute event.name. Ids of traces and spans that are no ids are
 * left out, and the record is kept. A body that is a number or a truth is kept as JSON. JSON is read as
 * liberally as by otlp_traces.h. */
#pragma once
#include "decode/record_sink.h"

record_decoder otlp_logs_proto;
record_decoder otlp_logs_json;
