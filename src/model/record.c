/* record.c - values, fields, and one field of a record. How records are packed: record_pack.c. */
#include "model/record.h"

#include "base/check.h"
#include "base/float.h"

const char *table_name(enum table t)
{
    static const char *const names[] = { "metrics", "logs", "spans" };
    check((unsigned)t < COUNT(names));
    return names[t];
}

/* ---- values ---- */

struct value value_str(struct str s)
{
    return (struct value){ .type = VALUE_STR, .text = s };
}

struct value value_int(int64_t i)
{
    return (struct value){ .type = VALUE_INT, .i = i };
}

struct value value_double(double d)
{
    return (struct value){ .type = VALUE_DOUBLE, .d = d };
}

struct value value_bool(bool b)
{
    return (struct value){ .type = VALUE_BOOL, .i = b };
}

static bool value_has_text(struct value v)
{
    return v.type == VALUE_STR || v.type == VALUE_BYTES || v.type == VALUE_JSON;
}

bool value_same(struct value a, struct value b)
{
    if (a.type != b.type) return false;
    if (value_has_text(a)) return str_eq(a.text, b.text);
    if (a.type == VALUE_DOUBLE) return memcmp(&a.d, &b.d, sizeof a.d) == 0;
    return a.type == VALUE_NONE || a.i == b.i;
}

static void print_hex(struct buf *out, struct str s)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        buf_char(out, digit[c >> 4]);
        buf_char(out, digit[c & 15]);
    }
}

static void print_double(struct buf *out, double d)
{
    char text[FLOAT_TEXT_MAX];
    buf_add(out, text, float_text(d, text));
}

void value_print(struct buf *out, struct value v)
{
    switch (v.type) {
    case VALUE_STR:
    case VALUE_JSON: buf_str(out, v.text); break;
    case VALUE_INT: buf_i64(out, v.i); break;
    case VALUE_DOUBLE: print_double(out, v.d); break;
    case VALUE_BOOL: buf_cs(out, v.i ? "true" : "false"); break;
    case VALUE_BYTES: print_hex(out, v.text); break;
    case VALUE_NONE:
    case VALUE_TYPES: break;
    }
}

/* ---- fields ---- */

const char *intrinsic_name(enum intrinsic i)
{
    static const char *const names[INTRINSIC_END] = {
        [IN_TIME] = "time",
        [IN_TRACE_ID] = "trace_id",
        [IN_SPAN_ID] = "span_id",
        [IN_FLAGS] = "flags",
        [IN_DROPPED] = "dropped",
        [IN_SCOPE_NAME] = "scope_name",
        [IN_SCOPE_VERSION] = "scope_version",
        [IN_ORIGIN] = "origin",
        [IN_PARENT_ID] = "parent_id",
        [IN_DURATION] = "duration",
        [IN_NAME] = "name",
        [IN_KIND] = "kind",
        [IN_STATUS] = "status",
        [IN_STATUS_MESSAGE] = "status_message",
        [IN_TRACE_STATE] = "trace_state",
        [IN_EVENTS] = "events",
        [IN_LINKS] = "links",
        [IN_OBSERVED] = "observed",
        [IN_SEVERITY] = "severity",
        [IN_SEVERITY_TEXT] = "severity_text",
        [IN_BODY] = "body",
        [IN_EVENT_NAME] = "event_name",
    };
    return (unsigned)i < INTRINSIC_END && names[i] != NULL ? names[i] : "unknown";
}

bool field_same(struct field a, struct field b)
{
    if (a.scope != b.scope) return false;
    return a.scope == FIELD_INTRINSIC ? a.intrinsic == b.intrinsic : str_eq(a.name, b.name);
}

void field_print(struct buf *out, struct field f)
{
    static const char *const scope[] = { "", "resource.", "scope.", "attr." };
    check((unsigned)f.scope < COUNT(scope));
    buf_cs(out, scope[f.scope]);
    if (f.scope == FIELD_INTRINSIC)
        buf_cs(out, intrinsic_name(f.intrinsic));
    else
        buf_str(out, f.name);
}

/* ---- one field of a record ---- */

static const struct value absent = { .type = VALUE_NONE };

static struct value text_or_absent(struct str s)
{
    return s.n ? value_str(s) : absent;
}

static struct value int_or_absent(int64_t i)
{
    return i ? value_int(i) : absent;
}

static struct value json_or_absent(struct str s)
{
    return s.n ? (struct value){ .type = VALUE_JSON, .text = s } : absent;
}

static struct value bytes_value(const void *p, size_t n)
{
    return (struct value){ .type = VALUE_BYTES, .text = str_make(p, n) };
}

static struct value id_or_absent(const uint8_t *id, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (id[i]) return bytes_value(id, n);
    return absent;
}

static struct value span_value(const struct record *r, enum intrinsic in)
{
    switch ((int)in) {
    case IN_PARENT_ID: return id_or_absent(r->span.parent_id, sizeof r->span.parent_id);
    case IN_DURATION: return value_int(r->span.duration_ns);
    case IN_NAME: return text_or_absent(r->span.name);
    case IN_KIND: return value_int(r->span.kind);
    case IN_STATUS: return value_int(r->span.status);
    case IN_STATUS_MESSAGE: return text_or_absent(r->span.status_message);
    case IN_TRACE_STATE: return text_or_absent(r->span.trace_state);
    case IN_EVENTS: return json_or_absent(r->span.events);
    case IN_LINKS: return json_or_absent(r->span.links);
    default: return absent;
    }
}

static struct value log_value(const struct record *r, enum intrinsic in)
{
    switch ((int)in) {
    case IN_OBSERVED: return int_or_absent(r->log.observed_ns);
    case IN_SEVERITY: return int_or_absent(r->log.severity);
    case IN_SEVERITY_TEXT: return text_or_absent(r->log.severity_text);
    case IN_BODY: return r->log.body.type == VALUE_STR ? text_or_absent(r->log.body.text) : r->log.body;
    case IN_EVENT_NAME: return text_or_absent(r->log.event_name);
    default: return absent;
    }
}

static struct value intrinsic_value(const struct record *r, enum table t, enum intrinsic in)
{
    const struct origin *o = r->origin;
    switch ((int)in) {
    case IN_TIME: return value_int(r->time_ns);
    case IN_TRACE_ID: return id_or_absent(r->trace_id, sizeof r->trace_id);
    case IN_SPAN_ID: return id_or_absent(r->span_id, sizeof r->span_id);
    case IN_FLAGS: return int_or_absent(r->flags);
    case IN_DROPPED: return int_or_absent(r->dropped);
    case IN_SCOPE_NAME: return o ? text_or_absent(o->scope_name) : absent;
    case IN_SCOPE_VERSION: return o ? text_or_absent(o->scope_version) : absent;
    case IN_ORIGIN: return o ? bytes_value(&o->id, sizeof o->id) : absent;
    default: return t == TABLE_SPANS ? span_value(r, in) : log_value(r, in);
    }
}

/* From the back: while attributes are on their way in, the last of a name is the one that counts. */
static struct value attrs_value(const struct attrs *attrs, struct str name)
{
    for (size_t i = attrs->n; i-- > 0;)
        if (str_eq(attrs->at[i].name, name)) return attrs->at[i].value;
    return absent;
}

struct value record_value(const struct record *r, enum table t, struct field f)
{
    check(t == TABLE_LOGS || t == TABLE_SPANS);
    switch (f.scope) {
    case FIELD_INTRINSIC: return intrinsic_value(r, t, f.intrinsic);
    case FIELD_RESOURCE: return r->origin ? attrs_value(&r->origin->resource, f.name) : absent;
    case FIELD_SCOPE: return r->origin ? attrs_value(&r->origin->scope, f.name) : absent;
    case FIELD_ATTR: return attrs_value(&r->attrs, f.name);
    }
    return absent;
}

/* ---- copies ---- */

static struct value copy_value(struct value v, struct arena *a)
{
    if (value_has_text(v)) v.text = arena_str(a, v.text);
    return v;
}

static void copy_attrs(struct attrs *to, const struct attrs *from, struct arena *a)
{
    struct attr *at = arena_array(a, from->n, sizeof *at);
    for (size_t i = 0; i < from->n; i++) {
        at[i].name = arena_str(a, from->at[i].name);
        at[i].value = copy_value(from->at[i].value, a);
    }
    *to = (struct attrs){ at, from->n };
}

static const struct origin *copy_origin(const struct origin *from, struct arena *a)
{
    if (from == NULL) return NULL;
    struct origin *to = arena_alloc(a, sizeof *to);
    copy_attrs(&to->resource, &from->resource, a);
    copy_attrs(&to->scope, &from->scope, a);
    to->scope_name = arena_str(a, from->scope_name);
    to->scope_version = arena_str(a, from->scope_version);
    to->id = from->id;
    return to;
}

void record_copy(struct record *to, const struct record *from, enum table t, struct arena *a)
{
    check(t == TABLE_LOGS || t == TABLE_SPANS);
    *to = *from;
    to->origin = copy_origin(from->origin, a);
    copy_attrs(&to->attrs, &from->attrs, a);
    if (t == TABLE_SPANS) {
        to->span.name = arena_str(a, from->span.name);
        to->span.status_message = arena_str(a, from->span.status_message);
        to->span.trace_state = arena_str(a, from->span.trace_state);
        to->span.events = arena_str(a, from->span.events);
        to->span.links = arena_str(a, from->span.links);
    } else {
        to->log.severity_text = arena_str(a, from->log.severity_text);
        to->log.event_name = arena_str(a, from->log.event_name);
        to->log.body = copy_value(from->log.body, a);
    }
}
