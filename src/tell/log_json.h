/* log_json.h - a log record as our own API gives it. */
#pragma once
#include "base/buf.h"
#include "model/record.h"

/* {"timestamp":RFC 3339 with ns, "severity", "severity_number", "service", "message", "trace_id", "span_id",
 * "event_name", "attributes":{}, "resource":{}}; what is absent is left out. line: instead of the body, when
 * it has a p. */
void log_put_record(struct buf *out, const struct record *, struct str line);
void log_put_value(struct buf *out, struct value);
void log_put_time(struct buf *out, int64_t ns); /* "2026-01-02T03:04:05.000000006Z", with the quotes */
