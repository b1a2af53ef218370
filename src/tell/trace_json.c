/* trace_json.c - see trace_json.h. Texts longer than a preview are cut, and "cut" says how long they are: a
 * page of spans stays readable when their prompts are megabytes. */
#include "tell/trace_json.h"

#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "tell/spend_json.h"

/* ---- pieces ---- */

void json_put_hex(struct json_writer *w, const uint8_t *id, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    char hex[32];
    check(n <= 16);
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digit[id[i] >> 4];
        hex[2 * i + 1] = digit[id[i] & 15];
    }
    json_put_string(w, str_make(hex, 2 * n));
}

static bool any_byte(const uint8_t *id, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= id[i];
    return any != 0;
}

/* Left out when there is none. */
void json_kv_hex(struct json_writer *w, const char *key, const uint8_t *id, size_t n)
{
    if (!any_byte(id, n)) return;
    json_put_key(w, str_of(key));
    json_put_hex(w, id, n);
}

void json_kv_time(struct json_writer *w, const char *key, int64_t ns)
{
    char name[32], digits[24];
    json_kv_double(w, key, (double)(ns / 1000) / 1e6);
    snprintf(name, sizeof name, "%s_ns", key);
    snprintf(digits, sizeof digits, "%lld", (long long)ns);
    json_kv_cs(w, name, digits);
}

void json_kv_ms(struct json_writer *w, const char *key, int64_t ns)
{
    json_kv_double(w, key, (double)ns / 1e6);
}

void json_put_value(struct json_writer *w, struct value v)
{
    struct buf text = BUF_INIT((size_t)64 << 20);
    switch (v.type) {
    case VALUE_STR: json_put_string(w, v.text); break;
    case VALUE_JSON: json_put_raw(w, v.text); break;
    case VALUE_INT: json_put_i64(w, v.i); break;
    case VALUE_BOOL: json_put_bool(w, v.i != 0); break;
    case VALUE_NONE: json_put_null(w); break;
    default:
        if (v.type == VALUE_DOUBLE && isfinite(v.d)) {
            json_put_double(w, v.d);
            break;
        }
        value_print(&text, v); /* bytes as hex; NaN and infinities are no numbers of JSON */
        json_put_string(w, buf_view(&text));
    }
    buf_release(&text);
}

static bool has_text(struct value v)
{
    return v.type == VALUE_STR || v.type == VALUE_JSON || v.type == VALUE_BYTES;
}

static bool is_long(struct value v)
{
    return has_text(v) && v.text.n > PREVIEW_BYTES;
}

/* Its first bytes, not within a character. */
static struct str preview(struct str s)
{
    size_t n = MIN(s.n, (size_t)PREVIEW_BYTES);
    while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    return str_make(s.p, n);
}

static void put_maybe_cut(struct json_writer *w, struct value v, bool whole)
{
    if (whole || !is_long(v))
        json_put_value(w, v);
    else
        json_put_string(w, preview(v.text));
}

static void put_attrs(struct json_writer *w, const char *key, const struct attrs *l, bool whole)
{
    json_put_key(w, str_of(key));
    json_begin_object(w);
    for (size_t i = 0; i < l->n; i++) {
        json_put_key(w, l->at[i].name);
        put_maybe_cut(w, l->at[i].value, whole);
    }
    json_end_object(w);
}

void json_kv_attrs(struct json_writer *w, const char *key, const struct attrs *l)
{
    put_attrs(w, key, l, true);
}

const char *span_kind_name(unsigned kind)
{
    static const char *const names[] = {
        "unspecified", "internal", "server", "client", "producer", "consumer"
    };
    return kind < COUNT(names) ? names[kind] : names[0];
}

const char *span_status_name(unsigned status)
{
    static const char *const names[] = { "unset", "ok", "error" };
    return status < COUNT(names) ? names[status] : names[0];
}

const char *severity_word(unsigned severity)
{
    static const char *const names[] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL" };
    return severity >= 1 && severity <= 24 ? names[(severity - 1) / 4] : "";
}

static void put_text(struct json_writer *w, const char *key, struct str text)
{
    if (text.n > 0) json_kv_string(w, key, text);
}

static void put_service(struct json_writer *w, const struct record *r, enum table table)
{
    json_kv_string(w, "service", service_or_unknown(record_value(r, table, span_fields[COL_SERVICE])));
}

/* ---- what was cut ---- */

struct cuts {
    struct json_writer *w;
    bool any;
};

static void put_cut(struct cuts *c, struct str name, size_t bytes)
{
    if (!c->any) {
        json_put_key(c->w, STR("cut"));
        json_begin_object(c->w);
    }
    c->any = true;
    json_put_key(c->w, name);
    json_put_u64(c->w, bytes);
}

static void put_cuts(struct json_writer *w, const struct attrs *l, struct value other, const char *other_name)
{
    struct cuts c = { w, false };
    for (size_t i = 0; i < l->n; i++)
        if (is_long(l->at[i].value)) put_cut(&c, l->at[i].name, l->at[i].value.text.n);
    if (is_long(other)) put_cut(&c, str_of(other_name), other.text.n);
    if (c.any) json_end_object(w);
}

/* Events without their attributes, when these are long. */
static void put_event_names(struct json_writer *w, struct str json)
{
    struct arena scratch = ARENA_INIT((size_t)64 << 20);
    struct json_reader r;
    struct str key, name, time_ns;

    json_begin_array(w);
    json_open(&r, json, &scratch);
    if (json_array(&r))
        while (json_next(&r) && json_object(&r)) {
            name = time_ns = STR("");
            while (json_key(&r, &key))
                if (str_is(key, "name"))
                    json_string(&r, &name);
                else if (str_is(key, "time_ns"))
                    json_string(&r, &time_ns);
                else
                    json_skip(&r);
            json_begin_object(w);
            json_kv_string(w, "name", name);
            json_kv_string(w, "time_ns", time_ns);
            json_end_object(w);
        }
    json_end_array(w);
    arena_release(&scratch);
}

/* ---- spans ---- */

#define EVENTS_PREVIEW_BYTES 4096

static void put_scope(struct json_writer *w, const struct origin *o)
{
    if (o->scope_name.n == 0) return;
    json_put_key(w, STR("scope"));
    json_begin_object(w);
    json_kv_string(w, "name", o->scope_name);
    put_text(w, "version", o->scope_version);
    json_end_object(w);
}

/* What only the whole record has. */
static void put_parts(struct json_writer *w, const struct record *r, const struct record_parts *parts)
{
    struct value events = { .type = VALUE_NONE };

    put_text(w, "status_message", r->span.status_message);
    put_text(w, "trace_state", r->span.trace_state);
    if (record_flags(r) != 0) json_kv_i64(w, "flags", record_flags(r));
    if (r->dropped != 0) json_kv_i64(w, "dropped_attributes", r->dropped);
    put_scope(w, r->origin);
    if (parts->attributes) put_attrs(w, "attributes", &r->attrs, parts->content);
    if (parts->resource) put_attrs(w, "resource", &r->origin->resource, true);
    if (parts->events && r->span.events.n > 0) {
        json_put_key(w, STR("events"));
        if (parts->content || r->span.events.n <= EVENTS_PREVIEW_BYTES) {
            json_put_raw(w, r->span.events);
        } else {
            put_event_names(w, r->span.events);
            events = (struct value){ .type = VALUE_JSON, .text = r->span.events };
        }
    }
    if (parts->links && r->span.links.n > 0) {
        json_put_key(w, STR("links"));
        json_put_raw(w, r->span.links);
    }
    if (!parts->content && parts->attributes) put_cuts(w, &r->attrs, events, "events");
}

static void put_marks(struct json_writer *w, unsigned marks)
{
    static const char *const names[] = { "orphan", "cycle", "shared_id", "running", "skewed", "critical" };
    if (marks == 0) return;
    json_put_key(w, STR("marks"));
    json_begin_array(w);
    for (size_t i = 0; i < COUNT(names); i++)
        if (marks >> i & 1) json_put_string(w, str_of(names[i]));
    json_end_array(w);
}

static void put_length(struct json_writer *w, int64_t start_ns, int64_t duration_ns, int64_t now_ns)
{
    if (duration_ns != SPAN_UNFINISHED) {
        json_kv_ms(w, "duration_ms", duration_ns);
        return;
    }
    json_put_key(w, STR("duration_ms"));
    json_put_null(w);
    json_kv_ms(w, "age_ms", MAX(now_ns - start_ns, 0));
}

void trace_span_json(struct json_writer *w, const struct trace *t, size_t i, const struct record *r,
                     const struct record_parts *parts, int64_t now_ns)
{
    const struct trace_span *s = &t->at[i];

    json_begin_object(w);
    json_kv_hex(w, "span_id", s->id, 8);
    json_kv_hex(w, "parent_span_id", s->parent_id, 8);
    json_kv_string(w, "name", s->name);
    json_kv_string(w, "service", s->service);
    json_kv_cs(w, "kind", span_kind_name(s->kind));
    json_kv_cs(w, "status", span_status_name(s->status));
    json_kv_time(w, "start", s->start_ns);
    put_length(w, s->start_ns, s->duration_ns, now_ns);
    json_kv_ms(w, "offset_ms", s->from_ns - t->start_ns);
    json_kv_ms(w, "self_ms", s->self_ns);
    json_kv_ms(w, "critical_ms", s->critical_ns);
    if (s->marks & SPAN_SKEWED) json_kv_ms(w, "moved_ms", s->from_ns - s->start_ns);
    json_kv_i64(w, "depth", s->depth);
    json_kv_i64(w, "children", s->children);
    json_kv_i64(w, "descendants", s->below);
    put_marks(w, s->marks);
    put_text(w, "agent", s->agent);
    put_text(w, "operation", s->operation);
    put_text(w, "tool", s->tool);
    put_text(w, "model", s->model);
    if (t->spend != NULL) span_spend_json(w, &t->spend[i]);
    if (r != NULL) put_parts(w, r, parts);
    json_end_object(w);
}

void span_record_json(struct json_writer *w, const struct record *r, const struct record_parts *parts,
                      int64_t now_ns)
{
    json_begin_object(w);
    json_kv_hex(w, "trace_id", r->trace_id, 16);
    json_kv_hex(w, "span_id", r->span_id, 8);
    json_kv_hex(w, "parent_span_id", r->span.parent_id, 8);
    json_kv_string(w, "name", r->span.name);
    put_service(w, r, TABLE_SPANS);
    json_kv_cs(w, "kind", span_kind_name(r->span.kind));
    json_kv_cs(w, "status", span_status_name(r->span.status));
    json_kv_time(w, "start", r->time_ns);
    put_length(w, r->time_ns, r->span.duration_ns, now_ns);
    put_parts(w, r, parts);
    json_end_object(w);
}

/* ---- logs ---- */

void log_record_json(struct json_writer *w, const struct record *r, const struct record_parts *parts)
{
    struct value body = r->log.body;

    json_begin_object(w);
    json_kv_time(w, "time", r->time_ns);
    put_service(w, r, TABLE_LOGS);
    if (r->log.severity != 0) {
        json_kv_cs(w, "severity", severity_word(r->log.severity));
        json_kv_i64(w, "severity_number", r->log.severity);
    }
    put_text(w, "severity_text", r->log.severity_text);
    put_text(w, "event_name", r->log.event_name);
    json_kv_hex(w, "trace_id", r->trace_id, 16);
    json_kv_hex(w, "span_id", r->span_id, 8);
    json_put_key(w, STR("body"));
    put_maybe_cut(w, body, parts->content);
    if (parts->attributes) put_attrs(w, "attributes", &r->attrs, parts->content);
    if (parts->resource) put_attrs(w, "resource", &r->origin->resource, true);
    if (!parts->content && parts->attributes) put_cuts(w, &r->attrs, body, "body");
    json_end_object(w);
}

/* ---- traces ---- */

void trace_summary_json(struct json_writer *w, const struct trace_summary *t)
{
    json_begin_object(w);
    json_kv_hex(w, "trace_id", t->id, 16);
    json_kv_string(w, "root_name", t->root_name);
    json_kv_string(w, "service", t->root_service);
    put_text(w, "agent", t->agent);
    json_kv_time(w, "start", t->start_ns);
    json_kv_ms(w, "duration_ms", t->end_ns - t->start_ns);
    json_kv_i64(w, "span_count", t->spans);
    json_kv_i64(w, "error_count", t->errors);
    json_kv_i64(w, "running_count", t->running);
    json_kv_cs(w, "status", t->errors > 0 ? "error" : t->running > 0 ? "running" : "ok");
    json_kv_bool(w, "has_root", t->has_root);
    if (t->spend != NULL) trace_spend_json(w, t->spend);
    json_put_key(w, STR("services"));
    json_begin_array(w);
    for (size_t i = 0; i < t->n_services; i++) {
        json_begin_object(w);
        json_kv_string(w, "name", t->services[i].name);
        json_kv_i64(w, "span_count", t->services[i].spans);
        json_kv_i64(w, "error_count", t->services[i].errors);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}
