/* otlp_write.h - spans and logs back out as OTLP: what Tempo's, Jaeger v3's and our own APIs answer with.
 *
 * Records are grouped by resource, then scope, in the order of their first appearance. Pure. */
#pragma once
#include "model/record.h"

/* Protobuf: repeated ResourceSpans (field 1), that is a TracesData / Tempo Trace message body. */
void otlp_write_spans_proto(const struct record *spans, size_t n, struct buf *);
/* JSON: {"resourceSpans":[...]}, ids in hex, 64-bit integers as strings. `array_key` may be "batches"
 * instead. */
void otlp_write_spans_json(const struct record *spans, size_t n, const char *array_key, struct buf *);
void otlp_write_logs_json(const struct record *logs, size_t n, struct buf *);
/* One attribute as an OTLP JSON KeyValue / AnyValue. */
void otlp_write_value_json(struct value, struct buf *);
