#include "decode/jaeger_thrift.h"

#include <endian.h>
#include <stdio.h>

#include "base/check.h"
#include "decode/thrift.h"

struct jaeger {
    struct record_sink sink;
    size_t span_no;
    struct err *err;
    char place[32];

    struct str service, scope_name, scope_version; /* of the process; of the span at hand */
    struct attr *process;
    size_t n_process, cap_process;
    uint64_t trace_low, trace_high, span_id, parent_id; /* of the span at hand */
    int64_t start_us, duration_us;
    bool has_status, has_error;
};

static const char *place(void *reader)
{
    struct jaeger *j = reader;
    snprintf(j->place, sizeof j->place, "spans[%zu]", j->span_no);
    return j->place;
}

static void put_id(uint8_t *out, uint64_t id)
{
    id = htobe64(id);
    memcpy(out, &id, 8);
}

/* ---- tags ---- */

enum { TAG_STRING, TAG_DOUBLE, TAG_BOOL, TAG_LONG, TAG_BINARY };

struct tag {
    struct str key, text, bytes;
    int64_t type, number;
    double fraction;
    bool truth;
};

static bool read_tag(struct thrift *t, struct tag *tag)
{
    struct thrift_field f;
    *tag = (struct tag){ .type = TAG_STRING };
    if (!thrift_struct(t)) return false;
    while (thrift_next(t, &f)) {
        if (f.id == 1 && f.type == THRIFT_STRING)
            thrift_bytes(t, &tag->key);
        else if (f.id == 2 && f.type == THRIFT_I32)
            thrift_int(t, f.type, &tag->type);
        else if (f.id == 3 && f.type == THRIFT_STRING)
            thrift_bytes(t, &tag->text);
        else if (f.id == 4 && f.type == THRIFT_DOUBLE)
            thrift_double(t, &tag->fraction);
        else if (f.id == 5 && f.type == THRIFT_BOOL)
            thrift_bool(t, &tag->truth);
        else if (f.id == 6 && f.type == THRIFT_I64)
            thrift_int(t, f.type, &tag->number);
        else if (f.id == 7 && f.type == THRIFT_STRING)
            thrift_bytes(t, &tag->bytes);
        else
            thrift_skip(t, f.type);
    }
    return t->why == NULL;
}

static struct value tag_value(struct record_sink *s, const struct tag *tag)
{
    switch (tag->type) {
    case TAG_DOUBLE: return value_double(tag->fraction);
    case TAG_BOOL: return value_bool(tag->truth);
    case TAG_LONG: return value_int(tag->number);
    case TAG_BINARY: return record_value_bytes(s, tag->bytes);
    default: return record_value_text(s, tag->text);
    }
}

static enum span_kind kind_of(struct str text)
{
    static const char *const kinds[] = { "internal", "server", "client", "producer", "consumer" };
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (str_is_nocase(text, kinds[i])) return (enum span_kind)(i + 1);
    return SPAN_UNSPECIFIED;
}

/* Tags that say what a span has a field for; true when they are no attribute then. */
static bool tag_with_a_place(struct jaeger *j, struct str key, struct value v)
{
    struct record *r = &j->sink.record;
    if (str_is(key, "error")) {
        j->has_error = v.type == VALUE_BOOL ? v.i != 0 : v.type == VALUE_STR && str_is_nocase(v.text, "true");
        return false;
    }
    if (v.type != VALUE_STR) return false;
    if (str_is(key, "span.kind"))
        r->span.kind = (uint8_t)kind_of(v.text);
    else if (str_is(key, "otel.status_code")) {
        r->span.status = str_is_nocase(v.text, "error") ? 2 : str_is_nocase(v.text, "ok") ? 1 : 0;
        j->has_status = true;
    } else if (str_is(key, "otel.status_description"))
        r->span.status_message = v.text;
    else if (str_is(key, "otel.scope.name") || str_is(key, "otel.library.name"))
        j->scope_name = v.text;
    else if (str_is(key, "otel.scope.version") || str_is(key, "otel.library.version"))
        j->scope_version = v.text;
    else if (str_is(key, "w3c.tracestate"))
        r->span.trace_state = v.text;
    else
        return false;
    return true;
}

static bool structs(struct thrift *t, uint32_t *n)
{
    enum thrift_type type;
    if (!thrift_list(t, &type, n)) return false;
    return *n == 0 || type == THRIFT_STRUCT || thrift_fail(t, "expected a list of structs");
}

static void span_tags(struct thrift *t, struct jaeger *j)
{
    struct tag tag;
    uint32_t n = 0;
    if (!structs(t, &n)) return;
    for (uint32_t i = 0; i < n && read_tag(t, &tag); i++) {
        struct value v = tag_value(&j->sink, &tag);
        if (!tag_with_a_place(j, tag.key, v)) record_put(&j->sink, &j->sink.attrs, tag.key, v);
    }
}

/* ---- logs and references ---- */

static void put_value(struct json_writer *w, const struct tag *tag)
{
    switch (tag->type) {
    case TAG_DOUBLE: json_put_double(w, tag->fraction); break;
    case TAG_BOOL: json_put_bool(w, tag->truth); break;
    case TAG_LONG: json_put_i64(w, tag->number); break;
    default: json_put_string(w, tag->type == TAG_BINARY ? tag->bytes : tag->text);
    }
}

/* The fields are read twice: first for the name. */
static struct str event_name(struct thrift t)
{
    struct str name = STR("");
    struct tag tag;
    uint32_t n = 0;
    structs(&t, &n);
    for (uint32_t i = 0; i < n && read_tag(&t, &tag); i++) {
        if (str_is(tag.key, "event")) return tag.text;
        if (str_is(tag.key, "message") && name.n == 0) name = tag.text;
    }
    return name;
}

static void event_fields(struct thrift *t, struct json_writer *w)
{
    struct tag tag;
    uint32_t n = 0;
    structs(t, &n);
    json_put_key(w, STR("attributes"));
    json_begin_object(w);
    for (uint32_t i = 0; i < n && read_tag(t, &tag); i++) {
        if (str_is(tag.key, "event")) continue;
        json_put_key(w, tag.key);
        put_value(w, &tag);
    }
    json_end_object(w);
}

static void span_log(struct thrift *t, struct record_sink *s)
{
    struct thrift fields = { .p = NULL };
    struct thrift_field f;
    struct json_writer w;
    int64_t us = 0;
    if (!thrift_struct(t)) return;
    while (thrift_next(t, &f)) {
        if (f.id == 1 && f.type == THRIFT_I64)
            thrift_int(t, f.type, &us);
        else if (f.id == 2 && f.type == THRIFT_LIST)
            fields = *t, thrift_skip(t, f.type);
        else
            thrift_skip(t, f.type);
    }
    if (t->why != NULL) return;
    record_event_begin(s, &w, fields.p ? event_name(fields) : STR(""), us > 0 ? (uint64_t)us * 1000 : 0);
    if (fields.p != NULL) event_fields(&fields, &w);
    record_item_end(&w);
}

static void reference(struct thrift *t, struct jaeger *j)
{
    int64_t type = 0, low = 0, high = 0, id = 0;
    uint8_t trace[16], span[8];
    struct thrift_field f;
    struct json_writer w;
    if (!thrift_struct(t)) return;
    while (thrift_next(t, &f)) {
        int64_t *const to[] = { NULL, &type, &low, &high, &id };
        if (f.id >= 1 && f.id <= 4 && (f.type == THRIFT_I32 || f.type == THRIFT_I64))
            thrift_int(t, f.type, to[f.id]);
        else
            thrift_skip(t, f.type);
    }
    bool in_trace = (uint64_t)low == j->trace_low && (uint64_t)high == j->trace_high;
    if (type == 0 && in_trace && j->parent_id == 0) j->parent_id = (uint64_t)id;
    if (type == 0 && in_trace && j->parent_id == (uint64_t)id) return;
    put_id(trace, (uint64_t)high);
    put_id(trace + 8, (uint64_t)low);
    put_id(span, (uint64_t)id);
    record_link_begin(&j->sink, &w, str_make(trace, 16), str_make(span, 8));
    json_put_key(&w, STR("attributes"));
    json_begin_object(&w);
    json_kv_cs(&w, "opentracing.ref_type", type == 0 ? "child_of" : "follows_from");
    json_end_object(&w);
    record_item_end(&w);
}

/* ---- spans ---- */

static void span_ints(struct thrift *t, const struct thrift_field *f, struct jaeger *j)
{
    int64_t v = 0;
    thrift_int(t, f->type, &v);
    switch (f->id) {
    case 1: j->trace_low = (uint64_t)v; break;
    case 2: j->trace_high = (uint64_t)v; break;
    case 3: j->span_id = (uint64_t)v; break;
    case 4: j->parent_id = (uint64_t)v; break;
    case 7: j->sink.record.flags = (uint32_t)v & 1; break; /* sampled: the bit W3C has, too */
    case 8: j->start_us = v; break;
    case 9: j->duration_us = v; break;
    default: break;
    }
}

static void span_field(struct thrift *t, const struct thrift_field *f, struct jaeger *j)
{
    struct str name;
    uint32_t n = 0;
    if (f->type == THRIFT_I64 || f->type == THRIFT_I32)
        span_ints(t, f, j);
    else if (f->id == 5 && f->type == THRIFT_STRING) {
        if (thrift_bytes(t, &name)) j->sink.record.span.name = record_text(&j->sink, name);
    } else if (f->id == 6 && f->type == THRIFT_LIST) {
        structs(t, &n);
        for (uint32_t i = 0; i < n && t->why == NULL; i++) reference(t, j);
    } else if (f->id == 10 && f->type == THRIFT_LIST)
        span_tags(t, j);
    else if (f->id == 11 && f->type == THRIFT_LIST) {
        structs(t, &n);
        for (uint32_t i = 0; i < n && t->why == NULL; i++) span_log(t, &j->sink);
    } else
        thrift_skip(t, f->type);
}

static bool span_times(struct jaeger *j)
{
    struct record *r = &j->sink.record;
    if (j->start_us < 0 || __builtin_mul_overflow(j->start_us, 1000, &r->time_ns)) return false;
    if (__builtin_mul_overflow(j->duration_us, 1000, &r->span.duration_ns)) return false;
    if (r->span.duration_ns >= 0) return true;
    record_put(&j->sink, &j->sink.attrs, STR("vedette.clock_skew_ns"), value_int(-r->span.duration_ns));
    r->span.duration_ns = 0;
    j->sink.altered = true;
    return true;
}

static int span_end(struct jaeger *j)
{
    struct record_sink *s = &j->sink;
    struct record *r = &s->record;
    if ((j->trace_low | j->trace_high) == 0 || j->span_id == 0) {
        record_refuse(s, REJECT_record_id, "%s id is zero", j->span_id == 0 ? "span" : "trace");
        return OK;
    }
    put_id(r->trace_id, j->trace_high);
    put_id(r->trace_id + 8, j->trace_low);
    put_id(r->span_id, j->span_id);
    put_id(r->span.parent_id, j->parent_id);
    if (!span_times(j)) {
        record_refuse(s, REJECT_record_time, "start or duration out of range");
        return OK;
    }
    if (j->has_error && !j->has_status) r->span.status = 2;
    record_origin_of(s, j->process, j->n_process, j->scope_name, j->scope_version);
    return record_add(s, j->err);
}

static int span(struct thrift *t, struct jaeger *j)
{
    struct thrift_field f;
    record_begin(&j->sink);
    j->trace_low = j->trace_high = j->span_id = j->parent_id = 0;
    j->start_us = j->duration_us = 0;
    j->has_status = j->has_error = false;
    j->scope_name = j->scope_version = STR("");
    if (!thrift_struct(t)) return OK;
    while (thrift_next(t, &f)) span_field(t, &f, j);
    return t->why == NULL ? span_end(j) : OK;
}

/* ---- the batch ---- */

static void process_put(struct jaeger *j, struct str name, struct value v)
{
    if (name.n == 0 || j->n_process == RECORD_ATTRS_MAX) return;
    j->process = arena_grow(&j->sink.lists, j->process, j->n_process, &j->cap_process, sizeof *j->process);
    j->process[j->n_process++] = (struct attr){ record_text(&j->sink, name), v };
}

static void process_tags(struct thrift *t, struct jaeger *j)
{
    struct tag tag;
    uint32_t n = 0;
    if (!structs(t, &n)) return;
    for (uint32_t i = 0; i < n && read_tag(t, &tag); i++) process_put(j, tag.key, tag_value(&j->sink, &tag));
}

/* Its texts live in `lists`, which is never emptied: it holds for all spans. */
static void process(struct thrift *t, struct jaeger *j)
{
    struct thrift_field f;
    struct str service;
    j->sink.at = &j->sink.lists;
    j->n_process = 0;
    if (!thrift_struct(t)) return;
    while (thrift_next(t, &f)) {
        if (f.id == 1 && f.type == THRIFT_STRING) {
            if (thrift_bytes(t, &service) && service.n > 0)
                process_put(j, STR("service.name"), record_value_text(&j->sink, service));
        } else if (f.id == 2 && f.type == THRIFT_LIST)
            process_tags(t, j);
        else
            thrift_skip(t, f.type);
    }
}

static int spans(struct thrift *t, struct jaeger *j)
{
    uint32_t n = 0;
    int rc = OK;
    if (!structs(t, &n)) return OK;
    for (uint32_t i = 0; i < n && t->why == NULL && rc == OK; i++, j->span_no++) rc = span(t, j);
    return rc;
}

static int batch(struct thrift *t, struct jaeger *j)
{
    struct thrift later = { .p = NULL }; /* the spans, when they come before the process */
    struct thrift_field f;
    bool has_process = false;
    int rc = OK;
    thrift_struct(t);
    while (rc == OK && thrift_next(t, &f)) {
        if (f.id == 1 && f.type == THRIFT_STRUCT)
            process(t, j), has_process = true;
        else if (f.id == 2 && f.type == THRIFT_LIST && has_process)
            rc = spans(t, j);
        else {
            if (f.id == 2 && f.type == THRIFT_LIST) later = *t;
            thrift_skip(t, f.type);
        }
    }
    if (rc < 0) return rc;
    if (t->why == NULL && later.p != NULL) {
        rc = spans(&later, j);
        *t = later;
    }
    return rc;
}

int jaeger_thrift(struct str body, const struct record_options *options, struct records *out,
                  struct record_report *report, struct err *e)
{
    struct jaeger j = { .err = e };
    /* The first byte is a field's head: its type in the binary protocol, so below 16; in the compact one the
     * upper half is the number of the field. */
    struct thrift t = thrift_open(body, body.n > 0 && (uint8_t)body.p[0] >= 16);

    check(out->table == TABLE_SPANS);
    record_sink_init(&j.sink, out, options, report, place, &j);
    record_sink_bound(&j.sink, body.n);
    int rc = batch(&t, &j);
    if (rc == OK && thrift_error(&t, e) < 0) {
        err_where(e, "spans[%zu]", j.span_no);
        rc = ERR_PARSE;
    }
    record_sink_release(&j.sink);
    return rc;
}
