/* otlp_traces_json.c - spans as JSON. */
#include "base/check.h"
#include "decode/otlp_records_json.h"
#include "decode/otlp_traces.h"

static const char *const kinds[] = { "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER" };
static const char *const statuses[] = { "UNSET", "OK", "ERROR" };

/* ---- events and links ---- */

static void event(struct json_reader *r, struct record_sink *s)
{
    static const char *const keys[] = { "attributes", "name", "timeUnixNano", "droppedAttributesCount" };
    struct otlp_later attributes = { .known = false };
    struct json_writer w;
    struct str key, name = STR("");
    uint64_t time_ns = 0, dropped = 0;
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        switch (otlp_json_key(key, keys, COUNT(keys))) {
        case 0: otlp_json_postpone(r, &attributes); break;
        case 1: name = otlp_json_text(r, s); break;
        case 2: time_ns = otlp_json_time(r); break;
        case 3: dropped = otlp_json_count(r); break;
        default: json_skip(r);
        }
    }
    record_event_begin(s, &w, name, time_ns);
    if (attributes.known) otlp_json_members(&attributes.at, s, &w);
    if (dropped > 0) json_kv_i64(&w, "dropped", (int64_t)dropped);
    record_item_end(&w);
    if (attributes.known) otlp_json_come_back(r, &attributes.at);
}

static void link_of(struct json_reader *r, struct record_sink *s)
{
    static const char *const keys[] = { "traceId", "spanId", "traceState", "attributes",
                                        "droppedAttributesCount" };
    struct otlp_later attributes = { .known = false };
    struct json_writer w;
    struct str key, trace_id = STR(""), span_id = STR(""), trace_state = STR("");
    uint64_t dropped = 0;
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        switch (otlp_json_key(key, keys, COUNT(keys))) {
        case 0: trace_id = otlp_json_id(r, s, 16); break;
        case 1: span_id = otlp_json_id(r, s, 8); break;
        case 2: trace_state = otlp_json_text(r, s); break;
        case 3: otlp_json_postpone(r, &attributes); break;
        case 4: dropped = otlp_json_count(r); break;
        default: json_skip(r);
        }
    }
    record_link_begin(s, &w, trace_id, span_id);
    if (trace_state.n > 0) json_kv_string(&w, "trace_state", trace_state);
    if (attributes.known) otlp_json_members(&attributes.at, s, &w);
    if (dropped > 0) json_kv_i64(&w, "dropped", (int64_t)dropped);
    record_item_end(&w);
    if (attributes.known) otlp_json_come_back(r, &attributes.at);
}

static void each(struct json_reader *r, struct record_sink *s,
                 void (*read)(struct json_reader *, struct record_sink *))
{
    if (!json_array(r)) return;
    while (json_next(r)) read(r, s);
}

/* ---- spans ---- */

static void status(struct json_reader *r, struct record_sink *s, struct otlp_span *span)
{
    struct str key;
    if (json_peek(r) != JSON_OBJECT) { /* its code alone */
        span->status = otlp_json_enum(r, "STATUS_CODE_", statuses, COUNT(statuses));
        return;
    }
    json_object(r);
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "code"))
            span->status = otlp_json_enum(r, "STATUS_CODE_", statuses, COUNT(statuses));
        else if (str_is(key, "message"))
            s->record.span.status_message = otlp_json_text(r, s);
        else
            json_skip(r);
    }
}

enum key {
    K_ATTRIBUTES,
    K_TRACE_ID,
    K_SPAN_ID,
    K_PARENT_ID,
    K_NAME,
    K_KIND,
    K_START,
    K_END,
    K_STATUS,
    K_EVENTS,
    K_LINKS,
    K_FLAGS,
    K_TRACE_STATE,
    K_DROPPED,
    K_DROPPED_EVENTS,
    K_DROPPED_LINKS,
    K_OTHER
};

static const char *const keys[] = {
    [K_ATTRIBUTES] = "attributes",
    [K_TRACE_ID] = "traceId",
    [K_SPAN_ID] = "spanId",
    [K_PARENT_ID] = "parentSpanId",
    [K_NAME] = "name",
    [K_KIND] = "kind",
    [K_START] = "startTimeUnixNano",
    [K_END] = "endTimeUnixNano",
    [K_STATUS] = "status",
    [K_EVENTS] = "events",
    [K_LINKS] = "links",
    [K_FLAGS] = "flags",
    [K_TRACE_STATE] = "traceState",
    [K_DROPPED] = "droppedAttributesCount",
    [K_DROPPED_EVENTS] = "droppedEventsCount",
    [K_DROPPED_LINKS] = "droppedLinksCount",
};

static void span_field(struct json_reader *r, struct str key, struct record_sink *s, struct otlp_span *span)
{
    struct record *to = &s->record;
    switch ((enum key)otlp_json_key(key, keys, COUNT(keys))) {
    case K_ATTRIBUTES: otlp_json_pairs(r, s, &s->attrs); break;
    case K_TRACE_ID: span->trace_id = otlp_json_id(r, s, 16); break;
    case K_SPAN_ID: span->span_id = otlp_json_id(r, s, 8); break;
    case K_PARENT_ID: span->parent_id = otlp_json_id(r, s, 8); break;
    case K_NAME: to->span.name = otlp_json_text(r, s); break;
    case K_KIND: span->kind = otlp_json_enum(r, "SPAN_KIND_", kinds, COUNT(kinds)); break;
    case K_START: span->start_ns = otlp_json_time(r); break;
    case K_END: span->end_ns = otlp_json_time(r); break;
    case K_STATUS: status(r, s, span); break;
    case K_EVENTS: each(r, s, event); break;
    case K_LINKS: each(r, s, link_of); break;
    case K_FLAGS: to->flags = otlp_json_count(r); break;
    case K_TRACE_STATE: to->span.trace_state = otlp_json_text(r, s); break;
    case K_DROPPED: to->dropped = otlp_json_count(r); break;
    case K_DROPPED_EVENTS: span->dropped_events = otlp_json_count(r); break;
    case K_DROPPED_LINKS: span->dropped_links = otlp_json_count(r); break;
    case K_OTHER: json_skip(r); break;
    }
}

int otlp_span_json(struct otlp_records *q, struct json_reader *r)
{
    struct otlp_span span = { .trace_id = { NULL, 0 } };
    struct str key;
    if (!json_object(r)) return OK;
    while (otlp_json_field(r, &key)) span_field(r, key, &q->sink, &span);
    return r->failed ? OK : otlp_span_end(q, &span);
}

int otlp_traces_json(struct str body, const struct record_options *options, struct records *out,
                     struct record_report *report, struct err *e)
{
    check(out->table == TABLE_SPANS);
    return otlp_records_json(body, options, out, report, e);
}
