/* log_json.c - see log_json.h. */
#include "tell/log_json.h"

#include <math.h>
#include <time.h>

#include "base/json.h"
#include "decode/severity.h"

#define VALUE_MAX (RECORD_BYTES_MAX * 2)

void log_put_time(struct buf *out, int64_t ns)
{
    int64_t rest = ns % 1000000000;
    if (rest < 0) rest += 1000000000;
    time_t s = (time_t)((ns - rest) / 1000000000);
    struct tm tm;
    gmtime_r(&s, &tm);
    buf_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%09lldZ\"", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec, (long long)rest);
}

void log_put_value(struct buf *out, struct value v)
{
    struct buf text = BUF_INIT(VALUE_MAX);
    switch (v.type) {
    case VALUE_STR: json_escape(out, v.text); return;
    case VALUE_JSON: buf_str(out, v.text); return;
    case VALUE_INT: buf_i64(out, v.i); return;
    case VALUE_BOOL: buf_cs(out, v.i ? "true" : "false"); return;
    case VALUE_DOUBLE:
    case VALUE_BYTES:
        value_print(&text, v);
        if (v.type == VALUE_DOUBLE && isfinite(v.d))
            buf_str(out, buf_view(&text));
        else
            json_escape(out, buf_view(&text));
        buf_release(&text);
        return;
    default: buf_cs(out, "null");
    }
}

static void put_attrs(struct buf *out, const char *key, struct attrs a)
{
    if (a.n == 0) return;
    buf_printf(out, ",\"%s\":{", key);
    for (size_t i = 0; i < a.n; i++) {
        if (i > 0) buf_char(out, ',');
        json_escape(out, a.at[i].name);
        buf_char(out, ':');
        log_put_value(out, a.at[i].value);
    }
    buf_char(out, '}');
}

static void put_id(struct buf *out, const char *key, const uint8_t *id, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) any |= id[i] != 0;
    if (!any) return;
    buf_printf(out, ",\"%s\":\"", key);
    for (size_t i = 0; i < n; i++) buf_printf(out, "%02x", id[i]);
    buf_char(out, '"');
}

static void put_text(struct buf *out, const char *key, struct str text)
{
    if (text.n == 0) return;
    buf_printf(out, ",\"%s\":", key);
    json_escape(out, text);
}

static struct str service_of(const struct record *r)
{
    for (size_t i = 0; r->origin != NULL && i < r->origin->resource.n; i++) {
        const struct attr *a = &r->origin->resource.at[i];
        if (str_is(a->name, "service.name") && a->value.type == VALUE_STR) return a->value.text;
    }
    return (struct str){ NULL, 0 };
}

void log_put_record(struct buf *out, const struct record *r, struct str line)
{
    buf_cs(out, "{\"timestamp\":");
    log_put_time(out, r->time_ns);
    if (r->log.severity > 0)
        buf_printf(out, ",\"severity\":\"%s\",\"severity_number\":%u", severity_name(r->log.severity),
                   r->log.severity);
    put_text(out, "severity_text", r->log.severity_text);
    put_text(out, "service", service_of(r));
    buf_cs(out, ",\"message\":");
    log_put_value(out, line.p ? value_str(line) : r->log.body);
    put_id(out, "trace_id", r->trace_id, sizeof r->trace_id);
    put_id(out, "span_id", r->span_id, sizeof r->span_id);
    put_text(out, "event_name", r->log.event_name);
    put_attrs(out, "attributes", r->attrs);
    if (r->origin) put_attrs(out, "resource", r->origin->resource);
    buf_char(out, '}');
}
