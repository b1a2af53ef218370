#include "decode/zipkin.h"

#include <stdio.h>

#include "base/check.h"
#include "base/float.h"
#include "decode/id_text.h"
#include "decode/json_value.h"

struct zipkin {
    struct record_sink sink;
    size_t span_no;
    struct err *err;
    char place[32];

    /* of the span at hand */
    struct str service, scope_name, scope_version, error;
    bool has_trace_id, has_id, has_time, has_error, has_status;
    int64_t first_event_ns;
};

static const char *place(void *reader)
{
    struct zipkin *z = reader;
    snprintf(z->place, sizeof z->place, "spans[%zu]", z->span_no);
    return z->place;
}

/* ---- small things ---- */

static bool is_zero(const uint8_t *id, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= id[i];
    return any == 0;
}

static bool read_id(struct json_reader *r, size_t n, uint8_t *out)
{
    struct str text = STR("");
    return json_string(r, &text) && id_from_hex(text, n, out) && !is_zero(out, n);
}

/* Microseconds, also as text or in floating form, to ns. */
static bool micros(struct json_reader *r, struct record_sink *s, int64_t *ns)
{
    struct str text;
    int64_t us;
    double v;
    if (!json_scalar_text(r, s, &text)) return false;
    if (str_to_i64(text, &us)) return us >= 0 && !__builtin_mul_overflow(us, 1000, ns);
    if (!float_parse(text, &v) || !(v >= 0) || v > 9.2e15) return false;
    *ns = (int64_t)(v * 1000);
    return true;
}

static bool field(struct json_reader *r, struct str *key)
{
    while (json_key(r, key)) {
        if (json_peek(r) != JSON_NULL) return true;
        json_null(r);
    }
    return false;
}

/* ---- parts of a span ---- */

static void endpoint(struct json_reader *r, struct record_sink *s, struct str *service, struct str address,
                     struct str port)
{
    struct str key, text;
    int64_t number;
    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "serviceName"))
            json_scalar_text(r, s, service);
        else if (str_is(key, "ipv4") || str_is(key, "ipv6")) {
            if (json_scalar_text(r, s, &text)) record_put_text(s, &s->attrs, address, text);
        } else if (str_is(key, "port")) {
            if (json_scalar_text(r, s, &text) && str_to_i64(text, &number))
                record_put(s, &s->attrs, port, value_int(number));
        } else
            json_skip(r);
    }
}

static void annotation(struct json_reader *r, struct zipkin *z)
{
    struct json_writer w;
    struct str key, name = STR("");
    int64_t ns = 0;
    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "timestamp"))
            micros(r, &z->sink, &ns);
        else if (str_is(key, "value"))
            json_scalar_text(r, &z->sink, &name);
        else
            json_skip(r);
    }
    if (ns > 0 && (z->first_event_ns == 0 || ns < z->first_event_ns)) z->first_event_ns = ns;
    record_event_begin(&z->sink, &w, name, (uint64_t)ns);
    record_item_end(&w);
}

static void status_code(struct zipkin *z, struct str code)
{
    z->has_status = true;
    z->sink.record.span.status = str_is_nocase(code, "error") ? 2 : str_is_nocase(code, "ok") ? 1 : 0;
}

static bool tag_with_a_place(struct zipkin *z, struct str name, struct value v)
{
    if (v.type != VALUE_STR) return false;
    if (str_is(name, "otel.status_code"))
        status_code(z, v.text);
    else if (str_is(name, "otel.status_description"))
        z->sink.record.span.status_message = v.text;
    else if (str_is(name, "otel.scope.name"))
        z->scope_name = v.text;
    else if (str_is(name, "otel.scope.version"))
        z->scope_version = v.text;
    else
        return false;
    return true;
}

static void tags(struct json_reader *r, struct zipkin *z)
{
    struct record_sink *s = &z->sink;
    struct str name;
    struct value v;
    if (!json_object(r)) return;
    while (field(r, &name)) {
        if (!json_value(r, s, &v) || tag_with_a_place(z, name, v)) continue;
        if (str_is(name, "error")) {
            z->has_error =
                !(v.type == VALUE_STR && str_is(v.text, "false")) && !(v.type == VALUE_BOOL && !v.i);
            if (v.type == VALUE_STR) z->error = v.text;
        }
        record_put(s, &s->attrs, name, v);
    }
}

static enum span_kind kind_of(struct str text)
{
    if (str_is_nocase(text, "client")) return SPAN_CLIENT;
    if (str_is_nocase(text, "server")) return SPAN_SERVER;
    if (str_is_nocase(text, "producer")) return SPAN_PRODUCER;
    if (str_is_nocase(text, "consumer")) return SPAN_CONSUMER;
    return SPAN_INTERNAL;
}

/* ---- spans ---- */

static void span_field(struct json_reader *r, struct str key, struct zipkin *z)
{
    struct record_sink *s = &z->sink;
    struct record *to = &s->record;
    struct str text, peer = STR("");
    bool yes = false;
    if (str_is(key, "tags"))
        tags(r, z);
    else if (str_is(key, "traceId"))
        z->has_trace_id = read_id(r, sizeof to->trace_id, to->trace_id);
    else if (str_is(key, "id"))
        z->has_id = read_id(r, sizeof to->span_id, to->span_id);
    else if (str_is(key, "parentId"))
        read_id(r, sizeof to->span.parent_id, to->span.parent_id);
    else if (str_is(key, "name"))
        json_scalar_text(r, s, &to->span.name);
    else if (str_is(key, "kind"))
        to->span.kind = json_scalar_text(r, s, &text) ? (uint8_t)kind_of(text) : SPAN_INTERNAL;
    else if (str_is(key, "timestamp"))
        z->has_time = micros(r, s, &to->time_ns);
    else if (str_is(key, "duration"))
        micros(r, s, &to->span.duration_ns);
    else if (str_is(key, "localEndpoint"))
        endpoint(r, s, &z->service, STR("network.local.address"), STR("network.local.port"));
    else if (str_is(key, "remoteEndpoint")) {
        endpoint(r, s, &peer, STR("network.peer.address"), STR("network.peer.port"));
        if (peer.n > 0) record_put(s, &s->attrs, STR("peer.service"), value_str(peer));
    } else if (str_is(key, "annotations")) {
        if (json_array(r))
            while (json_next(r)) annotation(r, z);
    } else if (str_is(key, "shared")) {
        if (json_bool(r, &yes) && yes) record_put(s, &s->attrs, STR("zipkin.shared"), value_bool(true));
    } else if (str_is(key, "debug")) {
        if (json_bool(r, &yes) && yes) record_put(s, &s->attrs, STR("zipkin.debug"), value_bool(true));
    } else
        json_skip(r);
}

static int span_end(struct zipkin *z)
{
    struct record_sink *s = &z->sink;
    struct record *r = &s->record;
    if (!z->has_trace_id || !z->has_id) {
        record_refuse(s, REJECT_record_id, "%s id missing, all zeros or not hex",
                      z->has_trace_id ? "span" : "trace");
        return OK;
    }
    if (!z->has_time) r->time_ns = z->first_event_ns;
    if (r->time_ns <= 0) {
        record_refuse(s, REJECT_record_time, "no timestamp, or it is out of range");
        return OK;
    }
    if (z->has_error && !z->has_status) r->span.status = 2;
    if (r->span.status == 2 && r->span.status_message.n == 0 && !str_is(z->error, "true"))
        r->span.status_message = z->error;
    const struct attr service = { STR("service.name"), value_str(z->service) };
    record_origin_of(s, &service, z->service.n > 0, z->scope_name, z->scope_version);
    return record_add(s, z->err);
}

static int span(struct zipkin *z, struct json_reader *r)
{
    struct str key;
    record_begin(&z->sink);
    r->arena = z->sink.at;
    z->service = z->scope_name = z->scope_version = z->error = STR("");
    z->has_trace_id = z->has_id = z->has_time = z->has_error = z->has_status = false;
    z->first_event_ns = 0;
    z->sink.record.span.kind = SPAN_INTERNAL;
    z->sink.record.span.duration_ns = SPAN_UNFINISHED;
    if (!json_object(r)) return OK;
    while (field(r, &key)) span_field(r, key, z);
    return r->failed ? OK : span_end(z);
}

/* A span of the wrong shape is refused alone, when the text is JSON at all. */
static int span_or_skip(struct zipkin *z, struct json_reader *r)
{
    struct json_reader at = *r;
    int rc = span(z, r);
    if (LIKELY(!r->failed)) return rc;

    struct json_reader failed = *r;
    *r = at;
    if (json_skip(r)) record_refuse(&z->sink, REJECT_record_field, "%s", failed.why);
    return rc;
}

int zipkin_json(struct str body, const struct record_options *options, struct records *out,
                struct record_report *report, struct err *e)
{
    struct zipkin z = { .err = e };
    struct arena whole = ARENA_INIT(SIZE_MAX / 2);
    struct json_reader r;
    int rc = OK;

    check(out->table == TABLE_SPANS);
    record_sink_init(&z.sink, out, options, report, place, &z);
    record_sink_bound(&z.sink, body.n);
    json_open_liberal(&r, body, &whole);
    if (json_array(&r))
        for (; rc == OK && json_next(&r); z.span_no++) rc = span_or_skip(&z, &r);
    if (rc == OK) rc = json_close(&r, e);
    record_sink_release(&z.sink);
    arena_release(&whole);
    return rc;
}
