/* log_json.h - log entries as JSON, as POST /api/v1/logs takes them: one object, an array of objects, or
 * objects one after the other (a line each, or over several).
 *
 * Fields: log_document.h. service.name is required, 1 to 256 bytes; a missing time is now; a time or severity
 * that is none refuses the entry. payload, kgot_snapshot and rag_mcp_metrics keep their names: each of their
 * keys is an attribute (payload.KEY), deeper values are JSON.
 *
 * Texts of refusals begin with "line N", counted from 1. After an entry that is no JSON, reading goes on with
 * the line that follows its first one; in an array, the array has ended there. */
#pragma once
#include "decode/record_sink.h"

record_decoder log_json;
