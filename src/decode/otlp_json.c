/* otlp_json.c - ExportMetricsServiceRequest as JSON.
 *
 * The protobuf JSON mapping with OTLP's own turns: lowerCamelCase keys, ids in hex, enums as numbers (their
 * names are read too), 64-bit integers as numbers or strings, NaN and Infinity as strings, null as absent,
 * unknown keys skipped.
 *
 * Always true: keys may come in any order. Where a value needs to know what may stand behind it (points need
 * the name and temporality of their metric), the reader's position is kept, the value skipped, and read once
 * the rest is known. */
#include "decode/otlp_json.h"

#include "base/check.h"
#include "decode/otlp_translate.h"

struct reader {
    struct json_reader r;
    struct otlp_translate t;
    int rc; /* below 0: t has said why to stop */
};

/* ---- points ---- */

static void data_points(struct reader *q, struct json_reader *r)
{
    if (!json_array(r)) return;
    while (q->rc == OK && json_next(r)) {
        otlp_json_point(r, &q->t.point, q->t.arena);
        if (!r->failed) q->rc = otlp_point(&q->t);
    }
}

/* ---- metrics ---- */

static void read_temporality(struct json_reader *r, int64_t *out)
{
    struct json_reader number = *r;
    struct str name;
    if (json_peek(r) == JSON_STRING && json_string(r, &name)) {
        if (str_is(name, "AGGREGATION_TEMPORALITY_DELTA")) {
            *out = OTLP_DELTA;
            return;
        }
        if (str_is(name, "AGGREGATION_TEMPORALITY_CUMULATIVE")) {
            *out = OTLP_CUMULATIVE;
            return;
        }
        *r = number;
    }
    otlp_json_i64(r, out);
}

static const struct {
    const char *key;
    enum otlp_data data;
} kinds[] = {
    { "gauge", OTLP_GAUGE },         { "sum", OTLP_SUM },
    { "histogram", OTLP_HISTOGRAM }, { "exponentialHistogram", OTLP_EXPONENTIAL },
    { "summary", OTLP_SUMMARY },
};

static enum otlp_data kind_of(struct str key)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (str_is(key, kinds[i].key)) return kinds[i].data;
    return OTLP_NONE;
}

/* Gauge, Sum, Histogram, ...: what they say of themselves, then their points. */
static void data(struct reader *q, struct json_reader *r, struct otlp_metric *m)
{
    struct otlp_later points = { .known = false };
    struct str key;
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "dataPoints"))
            otlp_json_postpone(r, &points);
        else if (str_is(key, "aggregationTemporality"))
            read_temporality(r, &m->temporality);
        else if (str_is(key, "isMonotonic"))
            json_bool(r, &m->monotonic);
        else
            json_skip(r);
    }
    if (r->failed || !points.known) return;
    otlp_metric(&q->t, m);
    data_points(q, &points.at);
    otlp_json_come_back(r, &points.at);
}

static void metric(struct reader *q, struct json_reader *r)
{
    struct otlp_metric m = { .data = OTLP_NONE };
    struct otlp_later body = { .known = false };
    struct str key;

    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "name"))
            json_string(r, &m.name);
        else if (str_is(key, "description"))
            json_string(r, &m.description);
        else if (str_is(key, "unit"))
            json_string(r, &m.unit);
        else if (kind_of(key) != OTLP_NONE)
            m.data = kind_of(key), otlp_json_postpone(r, &body);
        else
            json_skip(r);
    }
    if (r->failed || !body.known) return;
    data(q, &body.at, &m);
    otlp_json_come_back(r, &body.at);
}

static void metrics(struct reader *q, struct json_reader *r)
{
    if (!json_array(r)) return;
    while (q->rc == OK && json_next(r)) metric(q, r);
}

/* ---- scope, resource, request ---- */

static void read_scope(struct json_reader *r, struct otlp_scope *s, struct arena *a)
{
    struct str key;
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "name"))
            json_string(r, &s->name);
        else if (str_is(key, "version"))
            json_string(r, &s->version);
        else if (str_is(key, "attributes"))
            otlp_json_attrs(r, &s->attrs, a);
        else
            json_skip(r);
    }
}

static void scope_metrics(struct reader *q, struct json_reader *r)
{
    struct otlp_scope s = { 0 };
    struct otlp_later all = { .known = false };
    struct str key;

    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "scope"))
            read_scope(r, &s, q->t.arena);
        else if (str_is(key, "schemaUrl"))
            json_string(r, &s.schema_url);
        else if (str_is(key, "metrics"))
            otlp_json_postpone(r, &all);
        else
            json_skip(r);
    }
    if (r->failed || !all.known) return;
    otlp_scope(&q->t, &s);
    metrics(q, &all.at);
    otlp_json_come_back(r, &all.at);
}

static void scopes(struct reader *q, struct json_reader *r)
{
    if (!json_array(r)) return;
    while (q->rc == OK && json_next(r)) scope_metrics(q, r);
}

static void read_resource(struct json_reader *r, struct otlp_attrs *attrs, struct arena *a)
{
    struct str key;
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "attributes"))
            otlp_json_attrs(r, attrs, a);
        else
            json_skip(r);
    }
}

static void resource_metrics(struct reader *q, struct json_reader *r)
{
    struct otlp_attrs attrs = { 0 };
    struct otlp_later all = { .known = false };
    struct str key;

    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "resource"))
            read_resource(r, &attrs, q->t.arena);
        else if (str_is(key, "scopeMetrics"))
            otlp_json_postpone(r, &all);
        else
            json_skip(r);
    }
    if (r->failed) return;
    otlp_resource(&q->t, &attrs);
    if (all.known) scopes(q, &all.at), otlp_json_come_back(r, &all.at);
    if (q->rc == OK && !r->failed) q->rc = otlp_resource_end(&q->t);
}

static void request(struct reader *q, struct json_reader *r)
{
    struct str key;
    if (!json_object(r)) return;
    while (q->rc == OK && otlp_json_field(r, &key)) {
        if (!str_is(key, "resourceMetrics")) {
            json_skip(r);
            continue;
        }
        if (!json_array(r)) return;
        while (q->rc == OK && json_next(r)) resource_metrics(q, r);
    }
}

int otlp_metrics_json(struct str body, const struct otlp_options *options, const struct decode_limits *limits,
                      struct arena *a, struct batch *out, struct write_result *refused, struct err *e)
{
    struct reader q = { .rc = OK };
    otlp_translate_init(&q.t, options, limits, a, out, refused, e);
    json_open(&q.r, body, a);
    request(&q, &q.r);
    return q.rc < 0 ? q.rc : json_close(&q.r, e);
}
