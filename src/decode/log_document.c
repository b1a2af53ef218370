/* log_document.c - flattens first and sorts the known names out of the attributes afterwards, so that
 * {"log":{"level":"info"}} and {"log.level":"info"} mean the same. */
#include "decode/log_document.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "decode/id_text.h"
#include "decode/severity.h"
#include "decode/time_text.h"

#define RESOURCE_DEPTH 4

/* ---- known names ---- */

enum meaning {
    F_TIME,
    F_LEVEL,
    F_NUMBER,
    F_TRACE,
    F_SPAN,
    F_EVENT,
    F_SERVICE,
    F_TASK,
    F_CORRELATION,
    F_OTHER
};

/* Of the names for one thing, the first in this table wins; the others stay attributes. */
static const struct known {
    const char *name;
    enum meaning is;
} names[] = {
    { "timestamp", F_TIME },
    { "@timestamp", F_TIME },
    { "time", F_TIME },
    { "ts", F_TIME },
    { "datetime", F_TIME },
    { "date", F_TIME },
    { "severity_number", F_NUMBER },
    { "severityNumber", F_NUMBER },
    { "severity", F_LEVEL },
    { "level", F_LEVEL },
    { "severity_text", F_LEVEL },
    { "severityText", F_LEVEL },
    { "log.level", F_LEVEL },
    { "log_level", F_LEVEL },
    { "loglevel", F_LEVEL },
    { "lvl", F_LEVEL },
    { "levelname", F_LEVEL },
    { "trace_id", F_TRACE },
    { "traceId", F_TRACE },
    { "traceID", F_TRACE },
    { "traceid", F_TRACE },
    { "trace.id", F_TRACE },
    { "span_id", F_SPAN },
    { "spanId", F_SPAN },
    { "spanID", F_SPAN },
    { "spanid", F_SPAN },
    { "span.id", F_SPAN },
    { "event_name", F_EVENT },
    { "event.name", F_EVENT },
    { "eventName", F_EVENT },
    { "service.name", F_SERVICE },
    { "service_name", F_SERVICE },
    { "serviceName", F_SERVICE },
    { "service", F_SERVICE },
    { "task_id", F_TASK },
    { "taskId", F_TASK },
    { "task.id", F_TASK },
    { "correlation_id", F_CORRELATION },
    { "correlationId", F_CORRELATION },
    { "correlation.id", F_CORRELATION },
};

static size_t rank_of(struct str name)
{
    size_t i = 0;
    while (i < COUNT(names) && !str_is(name, names[i].name)) i++;
    return i;
}

static bool is_body(struct str key)
{
    return str_is(key, "message") || str_is(key, "msg") || str_is(key, "body");
}

/* ---- reading ---- */

__attribute__((format(printf, 3, 4))) static void wrong(struct log_document *d, enum reject reason,
                                                        const char *fmt, ...)
{
    va_list ap;
    if (d->reason != REJECT_COUNT) return;
    d->reason = reason;
    va_start(ap, fmt);
    vsnprintf(d->why, sizeof d->why, fmt, ap);
    va_end(ap);
}

static void body(struct json_reader *r, struct record_sink *s, struct str key)
{
    struct value v;
    if (s->record.log.body.type != VALUE_NONE)
        json_flatten(r, s, &s->attrs, key, 1);
    else if (json_value(r, s, &v))
        s->record.log.body = record_body(s, v);
}

/* "log" is the line when it is text (Docker, Fluent Bit), else an object like any other. */
static void top_field(struct json_reader *r, struct record_sink *s, struct str key, int depth)
{
    if (is_body(key) || (str_is(key, "log") && json_peek(r) == JSON_STRING))
        body(r, s, key);
    else if (str_is(key, "attributes") && json_peek(r) == JSON_OBJECT)
        json_flatten(r, s, &s->attrs, STR(""), depth);
    else if (str_is(key, "resource") && json_peek(r) == JSON_OBJECT)
        json_flatten(r, s, &s->attrs, key, RESOURCE_DEPTH);
    else
        json_flatten(r, s, &s->attrs, key, depth - 1);
}

static bool text_of(struct record_sink *s, struct value v, struct str *out)
{
    struct buf b = BUF_INIT(64);
    if (v.type == VALUE_STR) {
        *out = v.text;
        return true;
    }
    if (v.type != VALUE_INT && v.type != VALUE_DOUBLE) return false;
    value_print(&b, v);
    *out = arena_str(s->at, buf_view(&b));
    buf_release(&b);
    return true;
}

static void take_time(struct record_sink *s, struct attr *a, struct log_document *d)
{
    struct str text;
    if (text_of(s, a->value, &text) && time_from_text(str_trim(text), &s->record.time_ns))
        d->has_time = true;
    else
        wrong(d, REJECT_record_time, "%.*s: expected RFC 3339 or a number since 1970",
              (int)MIN(a->name.n, (size_t)40), a->name.p);
}

/* Numbers: OTLP's where the name says severity, else bunyan's and pino's. */
static void take_level(struct record_sink *s, struct attr *a, struct log_document *d)
{
    struct record *r = &s->record;
    int64_t number = 0;
    bool is_number = a->value.type == VALUE_INT;
    bool pino = is_number && (a->value.i > SEVERITY_MAX || !str_starts(a->name, "severity"));
    if (is_number) number = a->value.i;
    if (a->value.type == VALUE_STR) {
        r->log.severity_text = a->value.text;
        if (r->log.severity == 0) r->log.severity = severity_of(str_trim(a->value.text));
    } else if (pino && severity_of_pino(number) != 0)
        r->log.severity = severity_of_pino(number);
    else if (is_number && number >= 0 && number <= SEVERITY_MAX)
        r->log.severity = (uint8_t)number;
    else
        wrong(d, REJECT_record_field, "%.*s: expected a severity", (int)MIN(a->name.n, (size_t)40),
              a->name.p);
}

static void take_number(struct record_sink *s, struct attr *a, struct log_document *d)
{
    if (a->value.type == VALUE_STR && severity_of(a->value.text) != 0)
        s->record.log.severity = severity_of(a->value.text);
    else if (a->value.type == VALUE_INT && a->value.i >= 0 && a->value.i <= SEVERITY_MAX)
        s->record.log.severity = (uint8_t)a->value.i;
    else
        wrong(d, REJECT_record_field, "severity number: expected 0 to 24");
}

/* ids are indexed as one word: control characters have no place in them */
static void clean(struct record_sink *s, struct attr *a)
{
    struct str from;
    if (!text_of(s, a->value, &from)) return;
    char *text = arena_alloc(s->at, from.n + 1), *to = text;
    for (size_t i = 0; i < from.n; i++)
        if ((uint8_t)from.p[i] >= 0x20 && from.p[i] != 0x7f) *to++ = from.p[i];
    a->value = value_str(str_make(text, (size_t)(to - text)));
}

/* True: it has a place of its own and is no attribute any more. */
static bool take(struct record_sink *s, struct attr *a, enum meaning f, struct log_document *d)
{
    struct record *r = &s->record;
    switch (f) {
    case F_TIME: take_time(s, a, d); return true;
    case F_LEVEL: take_level(s, a, d); return true;
    case F_NUMBER: take_number(s, a, d); return true;
    case F_TRACE:
        return a->value.type == VALUE_STR && id_from_text(a->value.text, sizeof r->trace_id, r->trace_id);
    case F_SPAN:
        return a->value.type == VALUE_STR && id_from_text(a->value.text, sizeof r->span_id, r->span_id);
    case F_EVENT:
        if (a->value.type == VALUE_STR) r->log.event_name = a->value.text;
        return a->value.type == VALUE_STR;
    case F_SERVICE: a->name = STR("service.name"); return false;
    case F_TASK: a->name = STR("task_id"), clean(s, a); return false;
    case F_CORRELATION: a->name = STR("correlation_id"), clean(s, a); return false;
    case F_OTHER: break;
    }
    return false;
}

/* For each thing, the attribute with the best of its names. */
static void find_known(const struct record_sink *s, size_t *at)
{
    size_t best[F_OTHER];
    for (size_t f = 0; f < F_OTHER; f++) best[f] = COUNT(names), at[f] = SIZE_MAX;
    for (size_t i = 0; i < s->attrs.n; i++) {
        size_t rank = rank_of(s->attrs.at[i].name);
        if (rank == COUNT(names) || rank >= best[names[rank].is]) continue;
        best[names[rank].is] = rank;
        at[names[rank].is] = i;
    }
}

static void take_known(struct record_sink *s, struct log_document *d)
{
    size_t at[F_OTHER], kept = 0;
    bool taken[F_OTHER] = { false };
    find_known(s, at);
    if (at[F_NUMBER] != SIZE_MAX) /* before the text, which it beats */
        taken[F_NUMBER] = take(s, &s->attrs.at[at[F_NUMBER]], F_NUMBER, d);
    for (size_t f = 0; f < F_OTHER; f++)
        if (f != F_NUMBER && at[f] != SIZE_MAX) taken[f] = take(s, &s->attrs.at[at[f]], (enum meaning)f, d);
    for (size_t i = 0; i < s->attrs.n; i++) {
        bool gone = false;
        for (size_t f = 0; f < F_OTHER; f++) gone |= taken[f] && at[f] == i;
        if (!gone) s->attrs.at[kept++] = s->attrs.at[i];
    }
    s->attrs.n = kept;
}

void log_document_read(struct json_reader *r, struct record_sink *s, int depth, struct log_document *d)
{
    struct str key;
    *d = (struct log_document){ .reason = REJECT_COUNT };
    if (!json_object(r)) return;
    while (json_key(r, &key)) top_field(r, s, key, depth);
    if (r->failed) return;
    take_known(s, d);
    for (size_t i = 0; i < s->attrs.n; i++) {
        const struct attr *a = &s->attrs.at[i];
        if (!str_is(a->name, "service.name") && !str_is(a->name, "resource.service.name")) continue;
        d->has_service = true;
        if (a->value.type != VALUE_STR || a->value.text.n == 0 || a->value.text.n > 256)
            wrong(d, REJECT_record_field, "service.name: expected text of 1 to 256 bytes");
    }
}

/* ---- adding ---- */

/* service.* and resource.* are not of the record but of what sent it. */
static bool resource_name(struct str *name)
{
    const size_t prefix = sizeof "resource." - 1;
    if (!str_starts(*name, "resource.") || name->n == prefix) return str_starts(*name, "service.");
    name->p += prefix, name->n -= prefix;
    return true;
}

static void set_origin(struct record_sink *s, const struct log_document *d, struct str service)
{
    struct attr resource[32];
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < s->attrs.n; i++) {
        struct attr a = s->attrs.at[i];
        if (n < COUNT(resource) - 1 && resource_name(&a.name))
            resource[n++] = a;
        else
            s->attrs.at[kept++] = a;
    }
    s->attrs.n = kept;
    if (!d->has_service && service.n > 0)
        resource[n++] = (struct attr){ STR("service.name"), record_value_text(s, service) };
    record_origin_of(s, resource, n, STR(""), STR(""));
}

int log_document_add(struct record_sink *s, const struct log_document *d, struct str service, struct err *e)
{
    if (d->reason != REJECT_COUNT) {
        record_refuse(s, d->reason, "%s", d->why);
        return OK;
    }
    if (!d->has_time) s->record.time_ns = s->options->now_ns;
    set_origin(s, d, service);
    return record_add(s, e);
}
