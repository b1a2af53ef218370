/* api_jaeger_json.c - a trace in Jaeger's own JSON, as its OpenTelemetry translation would have it: what a
 * resource is becomes a process, kind, status and scope become tags, events logs, links references. */
#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "base/map.h"
#include "decode/id_text.h"
#include "decode/otlp_value.h"
#include "tell/api_jaeger_impl.h"

#define SAFE_INTEGER ((int64_t)1 << 53) /* beyond it a browser cannot count */

/* ---- ids: 64-bit trace ids without their zeros ---- */

static void put_trace_id(struct json_writer *w, const char *key, const uint8_t id[16])
{
    static const uint8_t zeros[8];
    json_put_key(w, str_of(key));
    if (memcmp(id, zeros, 8) == 0)
        json_put_hex(w, id + 8, 8);
    else
        json_put_hex(w, id, 16);
}

static void put_reference(struct json_writer *w, const char *type, const uint8_t trace[16],
                          const uint8_t span[8])
{
    json_begin_object(w);
    json_kv_cs(w, "refType", type);
    put_trace_id(w, "traceID", trace);
    json_put_key(w, STR("spanID"));
    json_put_hex(w, span, 8);
    json_end_object(w);
}

/* ---- tags ---- */

static void begin_tag(struct json_writer *w, struct str key, const char *type)
{
    json_begin_object(w);
    json_kv_string(w, "key", key);
    json_kv_cs(w, "type", type);
    json_put_key(w, STR("value"));
}

static void put_text_tag(struct json_writer *w, const char *key, struct str text)
{
    if (text.n == 0) return;
    begin_tag(w, str_of(key), "string");
    json_put_string(w, text);
    json_end_object(w);
}

static void put_int_tag(struct json_writer *w, struct str key, int64_t v)
{
    begin_tag(w, key, "int64");
    if (v >= -SAFE_INTEGER && v <= SAFE_INTEGER)
        json_put_i64(w, v);
    else {
        char digits[24];
        int n = snprintf(digits, sizeof digits, "%lld", (long long)v);
        json_put_string(w, str_make(digits, (size_t)n));
    }
    json_end_object(w);
}

static void put_tag(struct json_writer *w, struct str key, struct value v, struct arena *scratch)
{
    switch (v.type) {
    case VALUE_INT: put_int_tag(w, key, v.i); return;
    case VALUE_BOOL: begin_tag(w, key, "bool"), json_put_bool(w, v.i != 0); break;
    case VALUE_DOUBLE:
        if (isfinite(v.d)) {
            begin_tag(w, key, "float64"), json_put_double(w, v.d);
            break;
        }
        begin_tag(w, key, "string");
        json_put_value(w, v);
        break;
    case VALUE_BYTES: begin_tag(w, key, "binary"), json_put_string(w, otlp_base64(v.text, scratch)); break;
    case VALUE_STR:
    case VALUE_JSON: begin_tag(w, key, "string"), json_put_string(w, v.text); break;
    default: return;
    }
    json_end_object(w);
}

static void put_tags(struct json_writer *w, const struct attrs *l, const char *but, struct arena *scratch)
{
    for (size_t i = 0; i < l->n; i++)
        if (but == NULL || !str_is(l->at[i].name, but)) put_tag(w, l->at[i].name, l->at[i].value, scratch);
}

static void put_status_tags(struct json_writer *w, const struct record *r)
{
    if (r->span.status == STATUS_ERROR) {
        begin_tag(w, STR("error"), "bool");
        json_put_bool(w, true);
        json_end_object(w);
    }
    if (r->span.status != 0)
        put_text_tag(w, "otel.status_code", r->span.status == STATUS_ERROR ? STR("ERROR") : STR("OK"));
    put_text_tag(w, "otel.status_description", r->span.status_message);
}

static void put_span_tags(struct json_writer *w, const struct record *r, struct arena *scratch)
{
    json_put_key(w, STR("tags"));
    json_begin_array(w);
    put_tags(w, &r->attrs, NULL, scratch);
    put_text_tag(w, "otel.scope.name", r->origin->scope_name);
    put_text_tag(w, "otel.scope.version", r->origin->scope_version);
    put_text_tag(w, "span.kind", str_of(jaeger_kind(r->span.kind)));
    put_status_tags(w, r);
    put_text_tag(w, "w3c.tracestate", r->span.trace_state);
    json_end_array(w);
}

/* ---- events and links ---- */

static struct value json_scalar(struct json_reader *r)
{
    struct value v = { .type = VALUE_NONE };
    struct json_reader again = *r;
    bool truth;
    switch (json_peek(r)) {
    case JSON_STRING: v.type = VALUE_STR, json_string(r, &v.text); return v;
    case JSON_BOOL: json_bool(r, &truth); return value_bool(truth);
    case JSON_NUMBER:
        if (json_i64(&again, &v.i)) {
            v.type = VALUE_INT;
            json_skip(r);
        } else if (json_double(r, &v.d))
            v.type = VALUE_DOUBLE;
        return v;
    default: v.type = VALUE_JSON, json_raw(r, &v.text); return v;
    }
}

static void put_fields(struct json_writer *w, struct json_reader *r, struct arena *scratch)
{
    struct str key;
    if (!json_object(r)) return;
    while (json_key(r, &key)) put_tag(w, key, json_scalar(r), scratch);
}

static void put_event(struct json_writer *w, struct json_reader *r, struct arena *scratch)
{
    struct str key, name = STR(""), attributes = STR(""), digits;
    int64_t time_ns = 0;
    struct json_reader inner;

    while (json_key(r, &key))
        if (str_is(key, "name"))
            json_string(r, &name);
        else if (str_is(key, "time_ns") && json_string(r, &digits))
            (void)str_to_i64(digits, &time_ns);
        else if (str_is(key, "attributes"))
            json_raw(r, &attributes);
        else
            json_skip(r);
    json_begin_object(w);
    json_kv_i64(w, "timestamp", time_ns / 1000);
    json_put_key(w, STR("fields"));
    json_begin_array(w);
    put_text_tag(w, "event", name);
    if (attributes.n > 0) {
        json_open(&inner, attributes, scratch);
        put_fields(w, &inner, scratch);
    }
    json_end_array(w);
    json_end_object(w);
}

static void put_events(struct json_writer *w, struct str json, struct arena *scratch)
{
    struct json_reader r;
    json_put_key(w, STR("logs"));
    json_begin_array(w);
    if (json.n > 0) {
        json_open(&r, json, scratch);
        if (json_array(&r))
            while (json_next(&r) && json_object(&r)) put_event(w, &r, scratch);
    }
    json_end_array(w);
}

static void put_links(struct json_writer *w, struct str json, struct arena *scratch)
{
    struct json_reader r;
    struct str key, text;
    if (json.n == 0) return;
    json_open(&r, json, scratch);
    if (!json_array(&r)) return;
    while (json_next(&r) && json_object(&r)) {
        uint8_t trace[16] = { 0 }, span[8] = { 0 };
        while (json_key(&r, &key))
            if (str_is(key, "trace_id") && json_string(&r, &text))
                (void)id_from_hex(text, 16, trace);
            else if (str_is(key, "span_id") && json_string(&r, &text))
                (void)id_from_hex(text, 8, span);
            else
                json_skip(&r);
        put_reference(w, "FOLLOWS_FROM", trace, span);
    }
}

static void put_references(struct json_writer *w, const struct record *r, struct arena *scratch)
{
    static const uint8_t none[8];
    json_put_key(w, STR("references"));
    json_begin_array(w);
    if (memcmp(r->span.parent_id, none, 8) != 0) put_reference(w, "CHILD_OF", r->trace_id, r->span.parent_id);
    put_links(w, r->span.links, scratch);
    json_end_array(w);
}

/* ---- processes ---- */

struct processes {
    struct map by_id; /* hash of a resource -> number from 0 */
    const struct origin **at;
    size_t n, cap;
};

static size_t process_of(struct processes *p, const struct origin *o, struct arena *a)
{
    const uint64_t *known = map_find(&p->by_id, o->id.lo, NULL, NULL);
    if (known != NULL) return *known;
    p->at = arena_grow(a, p->at, p->n, &p->cap, sizeof *p->at);
    p->at[p->n] = o;
    map_add(&p->by_id, o->id.lo, p->n);
    return p->n++;
}

static void put_processes(struct json_writer *w, const struct processes *p, struct arena *scratch)
{
    json_put_key(w, STR("processes"));
    json_begin_object(w);
    for (size_t i = 0; i < p->n; i++) {
        struct record r = { .origin = p->at[i] };
        char key[24];
        int n = snprintf(key, sizeof key, "p%zu", i + 1);
        json_put_key(w, str_make(key, (size_t)n));
        json_begin_object(w);
        json_kv_string(w, "serviceName",
                       service_or_unknown(record_value(&r, TABLE_SPANS, span_fields[COL_SERVICE])));
        json_put_key(w, STR("tags"));
        json_begin_array(w);
        put_tags(w, &p->at[i]->resource, "service.name", scratch);
        json_end_array(w);
        json_end_object(w);
    }
    json_end_object(w);
}

/* ---- spans ---- */

static void put_warnings(struct json_writer *w, const struct record *r)
{
    json_put_key(w, STR("warnings"));
    if (r->span.duration_ns != SPAN_UNFINISHED) {
        json_put_null(w);
        return;
    }
    json_begin_array(w);
    json_put_string(w, STR("this span has not ended; its duration is its age"));
    json_end_array(w);
}

static void put_span(struct json_writer *w, const struct record *r, size_t process, struct arena *scratch,
                     int64_t now_ns)
{
    bool runs = r->span.duration_ns == SPAN_UNFINISHED;
    char key[24];
    int n = snprintf(key, sizeof key, "p%zu", process + 1);

    json_begin_object(w);
    put_trace_id(w, "traceID", r->trace_id);
    json_put_key(w, STR("spanID"));
    json_put_hex(w, r->span_id, 8);
    json_kv_i64(w, "flags", r->flags & 0xff);
    json_kv_string(w, "operationName", r->span.name);
    put_references(w, r, scratch);
    json_kv_i64(w, "startTime", r->time_ns / 1000);
    json_kv_i64(w, "duration", (runs ? MAX(now_ns - r->time_ns, 0) : r->span.duration_ns) / 1000);
    put_span_tags(w, r, scratch);
    put_events(w, r->span.events, scratch);
    json_kv_string(w, "processID", str_make(key, (size_t)n));
    put_warnings(w, r);
    json_end_object(w);
}

void jaeger_trace_json(struct json_writer *w, const struct record *r, size_t n, struct arena *a,
                       int64_t now_ns)
{
    struct arena scratch = ARENA_INIT(SIZE_MAX / 2);
    struct processes p = { .n = 0 };

    map_init(&p.by_id, 8);
    json_begin_object(w);
    put_trace_id(w, "traceID", r[0].trace_id);
    json_put_key(w, STR("spans"));
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        put_span(w, &r[i], process_of(&p, r[i].origin, a), &scratch, now_ns);
        arena_reset(&scratch);
    }
    json_end_array(w);
    put_processes(w, &p, &scratch);
    json_put_key(w, STR("warnings"));
    json_put_null(w);
    json_end_object(w);
    map_release(&p.by_id);
    arena_release(&scratch);
}
