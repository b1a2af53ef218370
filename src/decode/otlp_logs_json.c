/* otlp_logs_json.c - log records as JSON. */
#include "base/check.h"
#include "decode/otlp_logs.h"
#include "decode/otlp_records_json.h"
#include "decode/severity.h"

enum key {
    K_ATTRIBUTES,
    K_TIME,
    K_OBSERVED,
    K_SEVERITY,
    K_SEVERITY_TEXT,
    K_BODY,
    K_TRACE_ID,
    K_SPAN_ID,
    K_FLAGS,
    K_EVENT_NAME,
    K_DROPPED,
    K_OTHER
};

static const char *const keys[] = {
    [K_ATTRIBUTES] = "attributes",
    [K_TIME] = "timeUnixNano",
    [K_OBSERVED] = "observedTimeUnixNano",
    [K_SEVERITY] = "severityNumber",
    [K_SEVERITY_TEXT] = "severityText",
    [K_BODY] = "body",
    [K_TRACE_ID] = "traceId",
    [K_SPAN_ID] = "spanId",
    [K_FLAGS] = "flags",
    [K_EVENT_NAME] = "eventName",
    [K_DROPPED] = "droppedAttributesCount",
};

static uint64_t severity_number(struct json_reader *r)
{
    struct json_reader at = *r;
    struct str name;
    if (json_peek(r) == JSON_STRING && json_string(r, &name) && severity_of(name) != 0)
        return severity_of(name);
    *r = at;
    return otlp_json_enum(r, "", NULL, 0);
}

static void body_read(struct json_reader *r, struct record_sink *s)
{
    struct value v;
    if (otlp_json_value(r, s, &v))
        s->record.log.body = record_body(s, v);
    else
        s->left_out++;
}

static void log_field(struct json_reader *r, struct str key, struct record_sink *s, struct otlp_log *log)
{
    struct record *to = &s->record;
    switch ((enum key)otlp_json_key(key, keys, COUNT(keys))) {
    case K_ATTRIBUTES: otlp_json_pairs(r, s, &s->attrs); break;
    case K_TIME: log->time_ns = otlp_json_time(r); break;
    case K_OBSERVED: log->observed_ns = otlp_json_time(r); break;
    case K_SEVERITY: log->severity = severity_number(r); break;
    case K_SEVERITY_TEXT: to->log.severity_text = otlp_json_text(r, s); break;
    case K_BODY: body_read(r, s); break;
    case K_TRACE_ID: log->trace_id = otlp_json_id(r, s, 16); break;
    case K_SPAN_ID: log->span_id = otlp_json_id(r, s, 8); break;
    case K_FLAGS: to->flags = otlp_json_count(r); break;
    case K_EVENT_NAME: to->log.event_name = otlp_json_text(r, s); break;
    case K_DROPPED: to->dropped = otlp_json_count(r); break;
    case K_OTHER: json_skip(r); break;
    }
}

int otlp_log_json(struct otlp_records *q, struct json_reader *r)
{
    struct otlp_log log = { .trace_id = { NULL, 0 } };
    struct str key;
    if (!json_object(r)) return OK;
    while (otlp_json_field(r, &key)) log_field(r, key, &q->sink, &log);
    return r->failed ? OK : otlp_log_end(q, &log);
}

int otlp_logs_json(struct str body, const struct record_options *options, struct records *out,
                   struct record_report *report, struct err *e)
{
    check(out->table == TABLE_LOGS);
    return otlp_records_json(body, options, out, report, e);
}
