/* log_document.h - a JSON object as one log record: the known fields under all their usual names, the rest as
 * attributes. What log_json.h, elastic_bulk.h and tailed files have in common.
 *
 *     time         timestamp, @timestamp, time, ts, datetime, date           see time_text.h
 *     severity     severity, level, severity_text, severity_number,
 *                  log.level, log_level, loglevel, lvl, levelname            a word or a number
 *     body         message, msg, body, log                                   text, or JSON
 *     service      service.name, service_name, service; other service.* too  of the resource
 *     trace, span  trace_id, traceId, trace.id, span_id, ...                 no id: an attribute
 *     event name   event_name, event.name
 *     correlation  task_id, correlation_id (taskId, correlationId)           attributes of that name
 *     attributes   the object's keys become attributes by their own names
 *     resource     likewise, of the resource
 *
 * A severity that is an unknown word is kept as text; one that is neither word nor number of a known scale is
 * wrong, as is a time that cannot be read.
 *
 * Objects under any other name are attributes "name.key", down to `depth` names; deeper ones are JSON. */
#pragma once
#include "decode/json_value.h"

struct log_document {
    enum reject reason; /* REJECT_COUNT: nothing wrong */
    char why[160];      /* "timestamp: expected ..." */
    bool has_time, has_service;
};

/* Between record_begin and log_document_add. The reader fails only when the text is no JSON object. */
void log_document_read(struct json_reader *, struct record_sink *, int depth, struct log_document *);

/* The service when the document names none; empty: it stays without. Adds or refuses. */
int log_document_add(struct record_sink *, const struct log_document *, struct str service, struct err *);
