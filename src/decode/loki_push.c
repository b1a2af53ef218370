/* loki_push.c - streams of log lines in two encodings, one rule for both. */
#include "decode/loki_push.h"

#include <stdio.h>

#include "base/check.h"
#include "decode/id_text.h"
#include "decode/json_value.h"
#include "decode/level_detect.h"
#include "decode/loki_labels.h"
#include "decode/protobuf.h"
#include "decode/severity.h"

struct loki {
    struct record_sink sink;
    size_t stream_no, entry_no;
    uint8_t stream_severity; /* from the labels; 0: they do not say */
    struct err *err;
    char place[64];
};

static const char *place(void *reader)
{
    struct loki *k = reader;
    snprintf(k->place, sizeof k->place, "streams[%zu].values[%zu]", k->stream_no, k->entry_no);
    return k->place;
}

/* ---- streams ---- */

static void stream_begin(struct loki *k)
{
    struct record_sink *s = &k->sink;
    loki_service(s, &s->resource);
    k->stream_severity = 0;
    for (size_t i = 0; i < s->resource.n && k->stream_severity == 0; i++)
        if (s->resource.at[i].value.type == VALUE_STR && level_is_key(s->resource.at[i].name))
            k->stream_severity = severity_of(s->resource.at[i].value.text);
    record_origin_end(s);
}

static void refuse_stream(struct loki *k, const char *why, size_t entries)
{
    k->entry_no = 0;
    record_refuse(&k->sink, REJECT_labels, "%s", why);
    record_refuse_more(&k->sink, REJECT_labels, entries > 0 ? entries - 1 : 0);
}

/* ---- entries ---- */

static void metadata(struct record_sink *s, struct str name, struct str text)
{
    struct record *r = &s->record;
    int64_t number;
    text = record_text(s, text);
    if (str_is(name, "trace_id") && id_from_text(text, sizeof r->trace_id, r->trace_id)) return;
    if (str_is(name, "span_id") && id_from_text(text, sizeof r->span_id, r->span_id)) return;
    if (str_is(name, "severity_number") && str_to_i64(text, &number) && number >= 0 && number <= SEVERITY_MAX)
        r->log.severity = (uint8_t)number;
    else if (str_is(name, "severity_text"))
        r->log.severity_text = text;
    else if (str_is(name, "event_name"))
        r->log.event_name = text;
    else
        record_put(s, &s->attrs, name, value_str(text));
}

static uint8_t severity(const struct loki *k, struct str line)
{
    const struct record_sink *s = &k->sink;
    uint8_t found = severity_of(s->record.log.severity_text);
    for (size_t i = 0; i < s->attrs.n && found == 0; i++)
        if (s->attrs.at[i].value.type == VALUE_STR && level_is_key(s->attrs.at[i].name))
            found = severity_of(s->attrs.at[i].value.text);
    if (found == 0) found = k->stream_severity;
    return found != 0 ? found : level_detect(line, s->at);
}

static int entry_end(struct loki *k, bool has_time, struct str line)
{
    struct record_sink *s = &k->sink;
    if (!has_time || s->record.time_ns < 0) {
        record_refuse(s, REJECT_record_time, "time missing or out of range");
        return OK;
    }
    s->record.log.body = record_value_text(s, line);
    if (s->record.log.severity == 0) s->record.log.severity = severity(k, line);
    return record_add(s, k->err);
}

/* ---- protobuf ---- */

/* Timestamp { 1 seconds, 2 nanos } */
static bool read_time(struct pb *r, struct str message, int64_t *ns)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    int64_t seconds = 0, nanos = 0;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_VARINT(1): seconds = (int64_t)f.u; break;
        case PB_VARINT(2): nanos = (int64_t)f.u; break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(2));
        }
    }
    if (!pb_join(r, &sub) || nanos < 0 || nanos > 999999999) return false;
    return !__builtin_mul_overflow(seconds, 1000000000, ns) && !__builtin_add_overflow(*ns, nanos, ns);
}

static void pair(struct pb *r, struct str message, struct record_sink *s)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    struct str name = STR(""), value = STR("");
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_LEN(1): name = f.bytes; break;
        case PB_LEN(2): value = f.bytes; break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(2));
        }
    }
    if (pb_join(r, &sub)) metadata(s, name, value);
}

static int entry(struct loki *k, const struct pb *stream, struct str message)
{
    struct pb r = pb_sub(stream, message);
    struct pb_field f;
    struct str line = STR("");
    bool has_time = false;
    struct err e = ERR_INIT;

    record_begin(&k->sink);
    while (pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_LEN(1): has_time = read_time(&r, f.bytes, &k->sink.record.time_ns); break;
        case PB_LEN(2): line = f.bytes; break;
        case PB_LEN(3): pair(&r, f.bytes, &k->sink); break;
        default: pb_other(&r, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    if (LIKELY(r.why == NULL)) return entry_end(k, has_time, line);
    pb_error(&r, &e);
    record_refuse(&k->sink, REJECT_record_field, "%s", e.text);
    return OK;
}

static int stream(struct loki *k, const struct pb *request, struct str message)
{
    struct pb r = pb_sub(request, message), head = r;
    struct pb_field f;
    struct str labels = STR("");
    struct err e = ERR_INIT;
    size_t entries = 0;
    int rc = OK;

    while (pb_next(&head, &f)) {
        if (f.tag == PB_LEN(1))
            labels = f.bytes;
        else if (f.tag == PB_LEN(2))
            entries++;
        else
            pb_other(&head, &f, PB_KNOWN(1) | PB_KNOWN(2));
    }
    if (head.why != NULL) {
        pb_error(&head, k->err);
        return err_where(k->err, "streams[%zu]", k->stream_no), ERR_PARSE;
    }
    record_origin_begin(&k->sink);
    if (loki_labels(labels, &k->sink, &k->sink.resource, &e) < 0) {
        refuse_stream(k, e.text, entries);
        return OK;
    }
    stream_begin(k);
    for (k->entry_no = 0; rc == OK && pb_next(&r, &f); k->entry_no += f.tag == PB_LEN(2))
        if (f.tag == PB_LEN(2)) rc = entry(k, &r, f.bytes);
    return rc;
}

int loki_push_proto(struct str body, const struct record_options *options, struct records *out,
                    struct record_report *report, struct err *e)
{
    struct loki k = { .err = e };
    struct pb r = pb_open(body);
    struct pb_field f;
    int rc = OK;

    check(out->table == TABLE_LOGS);
    record_sink_init(&k.sink, out, options, report, place, &k);
    record_sink_bound(&k.sink, body.n);
    for (; rc == OK && pb_next(&r, &f); k.stream_no += f.tag == PB_LEN(1)) {
        if (f.tag == PB_LEN(1))
            rc = stream(&k, &r, f.bytes);
        else
            pb_other(&r, &f, PB_KNOWN(1));
    }
    if (rc == OK) rc = pb_error(&r, e);
    record_sink_release(&k.sink);
    return rc;
}

/* ---- JSON ---- */

/* [time, line, {metadata}] */
static int value(struct loki *k, struct json_reader *r)
{
    struct record_sink *s = &k->sink;
    struct str name, text, when = STR(""), line = STR("");
    record_begin(s);
    r->arena = s->at;
    if (!json_array(r)) return OK;
    for (int i = 0; json_next(r); i++) {
        if (i == 0)
            json_scalar_text(r, s, &when);
        else if (i == 1)
            json_peek(r) == JSON_STRING ? json_string(r, &line)
                                        : (json_fail(r, "expected the line as text"), 0);
        else if (json_peek(r) != JSON_OBJECT)
            json_skip(r);
        else {
            json_object(r);
            while (json_key(r, &name))
                if (json_scalar_text(r, s, &text)) metadata(s, name, text);
        }
    }
    if (r->failed) return OK;
    return entry_end(k, str_to_i64(when, &s->record.time_ns), line);
}

static int value_or_skip(struct loki *k, struct json_reader *r)
{
    struct json_reader at = *r;
    int rc = value(k, r);
    r->arena = at.arena;
    if (LIKELY(!r->failed)) return rc;

    struct json_reader failed = *r;
    *r = at;
    if (json_skip(r)) record_refuse(&k->sink, REJECT_record_field, "%s", failed.why);
    return rc;
}

static const char *json_labels(struct json_reader *r, struct record_sink *s)
{
    const char *wrong = NULL;
    struct str name, text;
    if (json_peek(r) != JSON_OBJECT) return json_skip(r), "the labels are no object";
    json_object(r);
    while (json_key(r, &name)) {
        if (!json_scalar_text(r, s, &text)) break;
        if (!loki_is_name(name)) wrong = "the name of a label has other than letters, digits and _";
        record_put_text(s, &s->resource, name, text);
    }
    return s->resource.n == 0 ? "labels missing: at least one is required" : wrong;
}

struct later { /* values may come before the labels */
    struct json_reader at;
    bool known;
};

static size_t count_values(struct json_reader r)
{
    size_t n = 0;
    if (json_array(&r))
        for (; json_next(&r); n++) json_skip(&r);
    return n;
}

static int json_stream(struct loki *k, struct json_reader *r)
{
    struct later values = { .known = false };
    struct str key;
    const char *wrong = "labels missing: at least one is required";
    int rc = OK;

    record_origin_begin(&k->sink);
    r->arena = &k->sink.keep;
    if (!json_object(r)) return OK;
    while (json_key(r, &key)) {
        if (str_is(key, "stream") || str_is(key, "labels"))
            wrong = json_labels(r, &k->sink);
        else if (str_is(key, "values") || str_is(key, "entries"))
            values = (struct later){ *r, true }, json_skip(r);
        else
            json_skip(r);
    }
    if (r->failed || !values.known) return OK;
    if (wrong != NULL) {
        refuse_stream(k, wrong, count_values(values.at));
        return OK;
    }
    stream_begin(k);
    if (json_array(&values.at))
        for (k->entry_no = 0; rc == OK && json_next(&values.at); k->entry_no++)
            rc = value_or_skip(k, &values.at);
    if (values.at.failed) json_fail(r, values.at.why);
    return rc;
}

static int json_request(struct loki *k, struct json_reader *r)
{
    struct str key;
    int rc = OK;
    if (!json_object(r)) return OK;
    while (rc == OK && json_key(r, &key)) {
        if (!str_is(key, "streams")) {
            json_skip(r);
            continue;
        }
        if (!json_array(r)) return OK;
        for (; rc == OK && json_next(r); k->stream_no++) rc = json_stream(k, r);
    }
    return rc;
}

int loki_push_json(struct str body, const struct record_options *options, struct records *out,
                   struct record_report *report, struct err *e)
{
    struct loki k = { .err = e };
    struct arena whole = ARENA_INIT(SIZE_MAX / 2);
    struct json_reader r;

    check(out->table == TABLE_LOGS);
    record_sink_init(&k.sink, out, options, report, place, &k);
    record_sink_bound(&k.sink, body.n);
    json_open_liberal(&r, body, &whole);
    int rc = json_request(&k, &r);
    if (rc == OK) rc = json_close(&r, e);
    record_sink_release(&k.sink);
    arena_release(&whole);
    return rc;
}
