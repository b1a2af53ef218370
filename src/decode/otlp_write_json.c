/* otlp_write_json.c - OTLP's JSON: ids in hex, 64-bit integers as text, bytes in base64. Written straight
 * into the buffer: what OTLP wraps around a nested value goes deeper than base/json.h's writer allows. */
#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "decode/otlp_value.h"
#include "decode/otlp_write_impl.h"

/* ---- values ---- */

static void put_int(struct buf *out, int64_t v)
{
    buf_cs(out, "{\"intValue\":\"");
    buf_i64(out, v);
    buf_cs(out, "\"}");
}

static void put_double(struct buf *out, double v)
{
    struct json_writer w;
    buf_cs(out, "{\"doubleValue\":");
    if (isnan(v))
        buf_cs(out, "\"NaN\"");
    else if (isinf(v))
        buf_cs(out, v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else {
        json_writer_init(&w, out);
        json_put_double(&w, v);
    }
    buf_char(out, '}');
}

static void put_string(struct buf *out, struct str text)
{
    buf_cs(out, "{\"stringValue\":");
    json_escape(out, text);
    buf_char(out, '}');
}

static void put_bool(struct buf *out, bool v)
{
    buf_cs(out, v ? "{\"boolValue\":true}" : "{\"boolValue\":false}");
}

static void put_json(struct buf *out, struct json_reader *r);

static void put_members(struct buf *out, struct json_reader *r)
{
    struct str key;
    bool first = true;
    buf_char(out, '[');
    if (json_object(r))
        while (json_key(r, &key)) {
            buf_cs(out, first ? "{\"key\":" : ",{\"key\":");
            json_escape(out, key);
            buf_cs(out, ",\"value\":");
            put_json(out, r);
            buf_char(out, '}');
            first = false;
        }
    buf_char(out, ']');
}

static void put_array(struct buf *out, struct json_reader *r)
{
    bool first = true;
    buf_cs(out, "{\"arrayValue\":{\"values\":[");
    if (json_array(r))
        while (json_next(r)) {
            if (!first) buf_char(out, ',');
            put_json(out, r);
            first = false;
        }
    buf_cs(out, "]}}");
}

static void put_number(struct buf *out, struct json_reader *r)
{
    int64_t i = 0;
    double d = 0;
    bool is_int = true;
    otlp_number(r, &i, &d, &is_int);
    if (is_int)
        put_int(out, i);
    else
        put_double(out, d);
}

/* The next value of the reader, whose depth is bounded. */
static void put_json(struct buf *out, struct json_reader *r)
{
    struct str text = STR("");
    bool truth = false;

    switch (json_peek(r)) {
    case JSON_STRING: json_string(r, &text), put_string(out, text); break;
    case JSON_BOOL: json_bool(r, &truth), put_bool(out, truth); break;
    case JSON_NUMBER: put_number(out, r); break;
    case JSON_ARRAY: put_array(out, r); break;
    case JSON_OBJECT:
        buf_cs(out, "{\"kvlistValue\":{\"values\":");
        put_members(out, r);
        buf_cs(out, "}}");
        break;
    default: json_skip(r), buf_cs(out, "{}");
    }
}

void otlp_write_value_json(struct value v, struct buf *out)
{
    struct arena scratch = ARENA_INIT(SIZE_MAX / 2);
    struct json_reader r;

    switch (v.type) {
    case VALUE_STR: put_string(out, v.text); break;
    case VALUE_INT: put_int(out, v.i); break;
    case VALUE_DOUBLE: put_double(out, v.d); break;
    case VALUE_BOOL: put_bool(out, v.i != 0); break;
    case VALUE_BYTES:
        buf_cs(out, "{\"bytesValue\":\"");
        buf_str(out, otlp_base64(v.text, &scratch));
        buf_cs(out, "\"}");
        break;
    case VALUE_JSON:
        json_open(&r, v.text, &scratch);
        put_json(out, &r);
        break;
    default: buf_cs(out, "{}");
    }
    arena_release(&scratch);
}

/* ---- fields ---- */

/* ,"key": or, for the first of an object, "key": */
static void put_key(struct buf *out, const char *key)
{
    if (out->n > 0 && out->p[out->n - 1] != '{') buf_char(out, ',');
    buf_printf(out, "\"%s\":", key);
}

static void put_text(struct buf *out, const char *key, struct str text)
{
    if (text.n == 0) return;
    put_key(out, key);
    json_escape(out, text);
}

static void put_u64(struct buf *out, const char *key, uint64_t v)
{
    put_key(out, key);
    buf_char(out, '"');
    buf_u64(out, v);
    buf_char(out, '"');
}

static void put_number_unless_0(struct buf *out, const char *key, uint64_t v)
{
    if (v == 0) return;
    put_key(out, key);
    buf_u64(out, v);
}

static void put_id(struct buf *out, const char *key, const uint8_t *id, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    if (!otlp_has_id(id, n)) return;
    put_key(out, key);
    buf_char(out, '"');
    for (size_t i = 0; i < n; i++) {
        buf_char(out, digit[id[i] >> 4]);
        buf_char(out, digit[id[i] & 15]);
    }
    buf_char(out, '"');
}

static void put_attrs(struct buf *out, const struct attrs *l)
{
    if (l->n == 0) return;
    put_key(out, "attributes");
    buf_char(out, '[');
    for (size_t i = 0; i < l->n; i++) {
        buf_cs(out, i == 0 ? "{\"key\":" : ",{\"key\":");
        json_escape(out, l->at[i].name);
        buf_cs(out, ",\"value\":");
        otlp_write_value_json(l->at[i].value, out);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

/* ---- spans ---- */

static void put_item(struct buf *out, const struct otlp_item *item, bool is_event, struct arena *scratch)
{
    struct json_reader r;
    buf_char(out, '{');
    if (is_event) put_u64(out, "timeUnixNano", item->time_ns);
    put_text(out, "name", item->name);
    put_text(out, "traceId", item->trace_id);
    put_text(out, "spanId", item->span_id);
    put_text(out, "traceState", item->trace_state);
    if (item->attributes.n > 2) {
        put_key(out, "attributes");
        json_open(&r, item->attributes, scratch);
        put_members(out, &r);
    }
    put_number_unless_0(out, "droppedAttributesCount", item->dropped);
    buf_char(out, '}');
}

static void put_items(struct buf *out, const char *key, struct str json, bool is_event)
{
    struct arena scratch = ARENA_INIT(SIZE_MAX / 2);
    struct json_reader r;
    struct otlp_item item;
    bool first = true;

    if (json.n == 0) return;
    put_key(out, key);
    buf_char(out, '[');
    json_open(&r, json, &scratch);
    if (json_array(&r))
        for (; otlp_item_next(&r, &item); first = false) {
            if (!first) buf_char(out, ',');
            put_item(out, &item, is_event, &scratch);
        }
    buf_char(out, ']');
    arena_release(&scratch);
}

static void put_status(struct buf *out, const struct record *s)
{
    put_key(out, "status");
    buf_char(out, '{');
    put_text(out, "message", s->span.status_message);
    put_number_unless_0(out, "code", s->span.status);
    buf_char(out, '}');
}

static void put_span(struct buf *out, const struct record *s)
{
    buf_char(out, '{');
    put_id(out, "traceId", s->trace_id, 16);
    put_id(out, "spanId", s->span_id, 8);
    put_text(out, "traceState", s->span.trace_state);
    put_id(out, "parentSpanId", s->span.parent_id, 8);
    put_number_unless_0(out, "flags", record_flags(s));
    put_text(out, "name", s->span.name);
    put_number_unless_0(out, "kind", s->span.kind);
    put_u64(out, "startTimeUnixNano", (uint64_t)s->time_ns);
    put_u64(out, "endTimeUnixNano", otlp_end_ns(s));
    put_attrs(out, &s->attrs);
    put_number_unless_0(out, "droppedAttributesCount", s->dropped);
    put_items(out, "events", s->span.events, true);
    put_items(out, "links", s->span.links, false);
    put_status(out, s);
    buf_char(out, '}');
}

/* ---- logs ---- */

static void put_log(struct buf *out, const struct record *l)
{
    buf_char(out, '{');
    put_u64(out, "timeUnixNano", (uint64_t)l->time_ns);
    if (l->log.observed_ns != 0) put_u64(out, "observedTimeUnixNano", (uint64_t)l->log.observed_ns);
    put_number_unless_0(out, "severityNumber", l->log.severity);
    put_text(out, "severityText", l->log.severity_text);
    put_text(out, "eventName", l->log.event_name);
    if (l->log.body.type != VALUE_NONE) {
        put_key(out, "body");
        otlp_write_value_json(l->log.body, out);
    }
    put_attrs(out, &l->attrs);
    put_number_unless_0(out, "droppedAttributesCount", l->dropped);
    put_number_unless_0(out, "flags", l->flags);
    put_id(out, "traceId", l->trace_id, 16);
    put_id(out, "spanId", l->span_id, 8);
    buf_char(out, '}');
}

/* ---- requests ---- */

struct shape {
    const char *scopes, *records;
    void (*put)(struct buf *, const struct record *);
};

static void put_group(struct buf *out, const struct otlp_groups *g, const struct otlp_group *group,
                      const struct shape *shape)
{
    buf_cs(out, "{\"scope\":{");
    put_text(out, "name", group->origin->scope_name);
    put_text(out, "version", group->origin->scope_version);
    put_attrs(out, &group->origin->scope);
    buf_printf(out, "},\"%s\":[", shape->records);
    for (size_t i = 0; i < group->n; i++) {
        if (i > 0) buf_char(out, ',');
        shape->put(out, g->records[group->begin + i]);
    }
    buf_cs(out, "]}");
}

static void put_all(const struct record *r, size_t n, const char *array_key, const struct shape *shape,
                    struct buf *out)
{
    struct otlp_groups g;

    otlp_groups_init(&g, r, n);
    buf_printf(out, "{\"%s\":[", array_key);
    for (size_t i = 0; i < g.n; i++) {
        bool opens = i == 0 || g.at[i].resource != g.at[i - 1].resource;
        if (i > 0) buf_cs(out, opens ? "]}," : ",");
        if (opens) {
            buf_cs(out, "{\"resource\":{");
            put_attrs(out, &g.at[i].origin->resource);
            buf_printf(out, "},\"%s\":[", shape->scopes);
        }
        put_group(out, &g, &g.at[i], shape);
    }
    buf_cs(out, g.n > 0 ? "]}]}" : "]}");
    otlp_groups_release(&g);
}

void otlp_write_spans_json(const struct record *spans, size_t n, const char *array_key, struct buf *out)
{
    put_all(spans, n, array_key, &(struct shape){ "scopeSpans", "spans", put_span }, out);
}

void otlp_write_logs_json(const struct record *logs, size_t n, struct buf *out)
{
    put_all(logs, n, "resourceLogs", &(struct shape){ "scopeLogs", "logRecords", put_log }, out);
}
