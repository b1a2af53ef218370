/* loki_push.h - Loki's push, protobuf (its snappy already undone) or JSON, -> log records.
 *
 * Stream labels are resource attributes (loki_labels.h); structured metadata are attributes, but for
 * trace_id, span_id, severity_number, severity_text and event_name, which are fields of a record. A record's
 * severity is what its sender calls its level (severity_number; else a level in metadata or labels), else
 * what the line says (level_detect.h): detected_level is made of it when read.
 *
 * Streams whose labels are wrong are refused with all their entries (labels), entries without a usable time
 * alone (record_time); the rest is kept. */
#pragma once
#include "decode/record_sink.h"

record_decoder loki_push_proto;
record_decoder loki_push_json;
