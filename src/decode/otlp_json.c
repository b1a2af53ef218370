/* otlp_json.c - ExportMetricsServiceRequest as JSON.
 *
 * The protobuf JSON mapping with OTLP's own turns: lowerCamelCase keys, ids in hex, enums as numbers (their
 * names are read too), 64-bit integers as numbers or strings, NaN and Infinity as strings, null as absent,
 * unknown keys skipped.
 *
 * Always true: keys may come in any order. Where a value needs to know what may stand behind it (points need
 * the name and temporality of their metric), the reader's position is kept, the value skipped, and read once
 * the rest is known. */
#include "base/json.h"

#include "base/check.h"
#include "base/float.h"
#include "decode/otlp_translate.h"
#include "decode/otlp_value.h"

struct reader {
    struct json_reader r;
    struct otlp_translate t;
    int rc; /* below 0: t has said why to stop */
};

/* ---- fields ---- */

/* The next key whose value is not null. */
static bool field(struct json_reader *r, struct str *key)
{
    while (json_key(r, key)) {
        if (json_peek(r) != JSON_NULL) return true;
        json_null(r);
    }
    return false;
}

struct later { /* a value to come back to */
    struct json_reader at;
    bool known;
};

static void postpone(struct json_reader *r, struct later *l)
{
    l->at = *r;
    l->known = true;
    json_skip(r);
}

/* What went wrong at the place gone back to is what went wrong. */
static void come_back(struct json_reader *r, const struct json_reader *from)
{
    if (r->failed || !from->failed) return;
    r->failed = true;
    r->failed_at = from->failed_at;
    memcpy(r->why, from->why, sizeof r->why);
}

/* ---- numbers, which may be strings ---- */

static bool number_text(struct json_reader *r, struct str *out)
{
    return json_peek(r) == JSON_STRING ? json_string(r, out) : json_number_text(r, out);
}

static void read_double(struct json_reader *r, double *out)
{
    struct str text;
    if (!number_text(r, &text)) return;
    if (!float_parse(text, out)) json_fail(r, "expected a number");
}

static bool integral(struct str text, double *out)
{
    return float_parse(text, out) && *out >= -9007199254740992.0 && *out <= 9007199254740992.0 &&
           *out == (double)(int64_t)*out;
}

static void read_u64(struct json_reader *r, uint64_t *out)
{
    struct str text;
    double v;
    if (!number_text(r, &text) || str_to_u64(text, out)) return;
    if (integral(text, &v) && v >= 0)
        *out = (uint64_t)v;
    else
        json_fail(r, "expected an unsigned integer of 64 bits");
}

static void read_i64(struct json_reader *r, int64_t *out)
{
    struct str text;
    double v;
    if (!number_text(r, &text) || str_to_i64(text, out)) return;
    if (integral(text, &v))
        *out = (int64_t)v;
    else
        json_fail(r, "expected an integer of 64 bits");
}

static void read_i32(struct json_reader *r, int32_t *out)
{
    int64_t v = 0;
    read_i64(r, &v);
    if (v < INT32_MIN || v > INT32_MAX) json_fail(r, "expected an integer of 32 bits");
    *out = (int32_t)v;
}

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
    read_i64(r, out);
}

/* ---- attribute values ---- */

static void value_write(struct json_reader *r, struct json_writer *w, struct arena *a, int depth);

static struct str read_base64(struct json_reader *r, struct arena *a)
{
    struct str text = STR("");
    if (!json_string(r, &text)) return text;
    char *out = arena_alloc(a, text.n + 4);
    size_t n = 0;
    for (size_t i = 0; i < text.n && text.p[i] != '='; i++) {
        char c = text.p[i] == '-' ? '+' : text.p[i] == '_' ? '/' : text.p[i]; /* the URL-safe letters */
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
              c == '/'))
            json_fail(r, "expected base64");
        out[n++] = c;
    }
    while (n % 4 != 0) out[n++] = '=';
    return str_make(out, n);
}

/* {"values": [AnyValue...]} */
static void array_write(struct json_reader *r, struct json_writer *w, struct arena *a, int depth)
{
    struct str key;
    json_begin_array(w);
    if (json_object(r)) {
        while (field(r, &key)) {
            if (!str_is(key, "values")) {
                json_skip(r);
                continue;
            }
            if (json_array(r))
                while (json_next(r)) value_write(r, w, a, depth + 1);
        }
    }
    json_end_array(w);
}

/* {"key": ..., "value": AnyValue}, keys in any order */
static void pair_write(struct json_reader *r, struct json_writer *w, struct arena *a, int depth)
{
    struct later value = { .known = false };
    struct str key, name = STR("");
    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "key"))
            json_string(r, &name);
        else if (str_is(key, "value"))
            postpone(r, &value);
        else
            json_skip(r);
    }
    if (r->failed) return;
    json_put_key(w, name);
    if (!value.known) {
        json_put_null(w);
        return;
    }
    value_write(&value.at, w, a, depth + 1);
    come_back(r, &value.at);
}

/* {"values": [KeyValue...]} */
static void list_write(struct json_reader *r, struct json_writer *w, struct arena *a, int depth)
{
    struct str key;
    json_begin_object(w);
    if (json_object(r)) {
        while (field(r, &key)) {
            if (!str_is(key, "values")) {
                json_skip(r);
                continue;
            }
            if (json_array(r))
                while (json_next(r)) pair_write(r, w, a, depth);
        }
    }
    json_end_object(w);
}

/* One member of an AnyValue, as JSON. False when the key is none of them. */
static bool member_write(struct json_reader *r, struct str key, struct json_writer *w, struct arena *a,
                         int depth)
{
    struct str text = STR("");
    int64_t i = 0;
    double d = 0;
    bool b = false;

    if (str_is(key, "stringValue"))
        json_string(r, &text), json_put_string(w, text);
    else if (str_is(key, "boolValue"))
        json_bool(r, &b), json_put_bool(w, b);
    else if (str_is(key, "intValue"))
        read_i64(r, &i), json_put_i64(w, i);
    else if (str_is(key, "doubleValue"))
        read_double(r, &d), json_put_double(w, d);
    else if (str_is(key, "bytesValue"))
        json_put_string(w, read_base64(r, a));
    else if (str_is(key, "arrayValue"))
        array_write(r, w, a, depth);
    else if (str_is(key, "kvlistValue"))
        list_write(r, w, a, depth);
    else
        return false;
    return true;
}

static void value_write(struct json_reader *r, struct json_writer *w, struct arena *a, int depth)
{
    struct str key;
    bool written = false;

    if (depth > OTLP_VALUE_DEPTH_MAX) json_fail(r, "attribute values nested too deeply");
    if (json_peek(r) == JSON_NULL)
        json_null(r);
    else if (json_object(r)) {
        while (field(r, &key)) {
            if (!written && member_write(r, key, w, a, depth))
                written = true;
            else
                json_skip(r);
        }
    }
    if (!written && !r->failed) json_put_null(w);
}

static struct str nested_text(struct json_reader *r, struct str key, struct arena *a)
{
    struct buf text = BUF_INIT(OTLP_VALUE_JSON_MAX);
    struct json_writer w;
    json_writer_init(&w, &text);
    member_write(r, key, &w, a, 0);
    struct str kept = arena_str(a, buf_view(&text));
    buf_release(&text);
    return kept;
}

static void value_text(struct json_reader *r, struct arena *a, struct str *out)
{
    struct str key;
    int64_t i = 0;
    double d = 0;
    bool b = false;

    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "stringValue"))
            json_string(r, out);
        else if (str_is(key, "boolValue"))
            json_bool(r, &b), *out = otlp_bool_text(b);
        else if (str_is(key, "intValue"))
            read_i64(r, &i), *out = otlp_int_text(i, a);
        else if (str_is(key, "doubleValue"))
            read_double(r, &d), *out = otlp_double_text(d, a);
        else if (str_is(key, "bytesValue"))
            *out = read_base64(r, a);
        else if (str_is(key, "arrayValue") || str_is(key, "kvlistValue"))
            *out = nested_text(r, key, a);
        else
            json_skip(r);
    }
}

static void read_attr(struct json_reader *r, struct otlp_attr *out, struct arena *a)
{
    struct str key;
    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "key"))
            json_string(r, &out->key);
        else if (str_is(key, "value"))
            value_text(r, a, &out->value);
        else
            json_skip(r);
    }
}

static void read_attrs(struct json_reader *r, struct otlp_attrs *out, struct arena *a)
{
    if (!json_array(r)) return;
    while (json_next(r)) read_attr(r, otlp_attr_add(out, a), a);
}

/* ---- parts of points ---- */

static void read_counts(struct json_reader *r, struct otlp_counts *out, struct arena *a)
{
    uint64_t v = 0;
    if (!json_array(r)) return;
    while (json_next(r)) {
        read_u64(r, &v);
        otlp_count_add(out, v, a);
    }
}

static void read_bounds(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    double v = 0;
    if (!json_array(r)) return;
    while (json_next(r)) {
        read_double(r, &v);
        otlp_bound_add(p, v, a);
    }
}

static void read_buckets(struct json_reader *r, struct otlp_counts *out, struct arena *a)
{
    struct str key;
    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "offset"))
            read_i32(r, &out->offset);
        else if (str_is(key, "bucketCounts"))
            read_counts(r, out, a);
        else
            json_skip(r);
    }
}

static void read_quantiles(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    struct str key;
    if (!json_array(r)) return;
    while (json_next(r)) {
        struct otlp_quantile *q = otlp_quantile_add(p, a);
        if (!json_object(r)) return;
        while (field(r, &key)) {
            if (str_is(key, "quantile"))
                read_double(r, &q->q);
            else if (str_is(key, "value"))
                read_double(r, &q->value);
            else
                json_skip(r);
        }
    }
}

static void read_id(struct json_reader *r, struct str *out, struct arena *a)
{
    struct str hex;
    if (json_string(r, &hex) && !otlp_id_from_hex(hex, a, out)) json_fail(r, "expected an id in hex");
}

static void read_int_value(struct json_reader *r, double *out, bool *has)
{
    int64_t v = 0;
    read_i64(r, &v);
    *out = (double)v;
    *has = true;
}

static void read_double_value(struct json_reader *r, double *out, bool *has)
{
    read_double(r, out);
    *has = true;
}

static void read_exemplar(struct json_reader *r, struct otlp_exemplar *x, struct arena *a)
{
    struct str key;
    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "filteredAttributes"))
            read_attrs(r, &x->attrs, a);
        else if (str_is(key, "timeUnixNano"))
            read_u64(r, &x->time_ns);
        else if (str_is(key, "asDouble"))
            read_double_value(r, &x->value, &x->has_value);
        else if (str_is(key, "asInt"))
            read_int_value(r, &x->value, &x->has_value);
        else if (str_is(key, "spanId"))
            read_id(r, &x->span_id, a);
        else if (str_is(key, "traceId"))
            read_id(r, &x->trace_id, a);
        else
            json_skip(r);
    }
}

static void read_exemplars(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    if (!json_array(r)) return;
    while (json_next(r)) read_exemplar(r, otlp_exemplar_add(p, a), a);
}

/* ---- points: keys mean the same in every kind ---- */

static void f_attributes(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    read_attrs(r, &p->attrs, a);
}
static void f_start(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    (void)a, read_u64(r, &p->start_ns);
}
static void f_time(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    (void)a, read_u64(r, &p->time_ns);
}
static void f_flags(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    (void)a, read_u64(r, &p->flags);
}
static void f_double(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    (void)a, read_double_value(r, &p->value, &p->has_value);
}
static void f_int(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    (void)a, read_int_value(r, &p->value, &p->has_value);
}
static void f_count(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    (void)a, read_u64(r, &p->count);
}
static void f_sum(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    (void)a, read_double_value(r, &p->sum, &p->has_sum);
}
static void f_counts(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    read_counts(r, &p->pos, a);
}
static void f_bounds(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    read_bounds(r, p, a);
}
static void f_scale(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    (void)a, read_i32(r, &p->scale);
}
static void f_zero_count(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    (void)a, read_u64(r, &p->zero_count);
}
static void f_zero_threshold(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    (void)a, read_double(r, &p->zero_threshold);
}
static void f_positive(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    read_buckets(r, &p->pos, a);
}
static void f_negative(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    read_buckets(r, &p->neg, a);
}
static void f_quantiles(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    read_quantiles(r, p, a);
}
static void f_exemplars(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    read_exemplars(r, p, a);
}

static const struct {
    const char *key;
    void (*read)(struct json_reader *, struct otlp_point *, struct arena *);
} point_fields[] = {
    { "attributes", f_attributes },
    { "startTimeUnixNano", f_start },
    { "timeUnixNano", f_time },
    { "asDouble", f_double },
    { "asInt", f_int },
    { "flags", f_flags },
    { "count", f_count },
    { "sum", f_sum },
    { "bucketCounts", f_counts },
    { "explicitBounds", f_bounds },
    { "scale", f_scale },
    { "zeroCount", f_zero_count },
    { "zeroThreshold", f_zero_threshold },
    { "positive", f_positive },
    { "negative", f_negative },
    { "quantileValues", f_quantiles },
    { "exemplars", f_exemplars },
};

static void read_point(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    struct str key;
    otlp_point_clear(p);
    if (!json_object(r)) return;
    while (field(r, &key)) {
        size_t i = 0;
        while (i < COUNT(point_fields) && !str_is(key, point_fields[i].key)) i++;
        if (i < COUNT(point_fields))
            point_fields[i].read(r, p, a);
        else
            json_skip(r);
    }
}

static void data_points(struct reader *q, struct json_reader *r)
{
    if (!json_array(r)) return;
    while (q->rc == OK && json_next(r)) {
        read_point(r, &q->t.point, q->t.arena);
        if (!r->failed) q->rc = otlp_point(&q->t);
    }
}

/* ---- metrics ---- */

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
    struct later points = { .known = false };
    struct str key;
    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "dataPoints"))
            postpone(r, &points);
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
    come_back(r, &points.at);
}

static void metric(struct reader *q, struct json_reader *r)
{
    struct otlp_metric m = { .data = OTLP_NONE };
    struct later body = { .known = false };
    struct str key;

    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "name"))
            json_string(r, &m.name);
        else if (str_is(key, "description"))
            json_string(r, &m.description);
        else if (str_is(key, "unit"))
            json_string(r, &m.unit);
        else if (kind_of(key) != OTLP_NONE)
            m.data = kind_of(key), postpone(r, &body);
        else
            json_skip(r);
    }
    if (r->failed || !body.known) return;
    data(q, &body.at, &m);
    come_back(r, &body.at);
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
    while (field(r, &key)) {
        if (str_is(key, "name"))
            json_string(r, &s->name);
        else if (str_is(key, "version"))
            json_string(r, &s->version);
        else if (str_is(key, "attributes"))
            read_attrs(r, &s->attrs, a);
        else
            json_skip(r);
    }
}

static void scope_metrics(struct reader *q, struct json_reader *r)
{
    struct otlp_scope s = { 0 };
    struct later all = { .known = false };
    struct str key;

    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "scope"))
            read_scope(r, &s, q->t.arena);
        else if (str_is(key, "schemaUrl"))
            json_string(r, &s.schema_url);
        else if (str_is(key, "metrics"))
            postpone(r, &all);
        else
            json_skip(r);
    }
    if (r->failed || !all.known) return;
    otlp_scope(&q->t, &s);
    metrics(q, &all.at);
    come_back(r, &all.at);
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
    while (field(r, &key)) {
        if (str_is(key, "attributes"))
            read_attrs(r, attrs, a);
        else
            json_skip(r);
    }
}

static void resource_metrics(struct reader *q, struct json_reader *r)
{
    struct otlp_attrs attrs = { 0 };
    struct later all = { .known = false };
    struct str key;

    if (!json_object(r)) return;
    while (field(r, &key)) {
        if (str_is(key, "resource"))
            read_resource(r, &attrs, q->t.arena);
        else if (str_is(key, "scopeMetrics"))
            postpone(r, &all);
        else
            json_skip(r);
    }
    if (r->failed) return;
    otlp_resource(&q->t, &attrs);
    if (all.known) scopes(q, &all.at), come_back(r, &all.at);
    if (q->rc == OK && !r->failed) q->rc = otlp_resource_end(&q->t);
}

static void request(struct reader *q, struct json_reader *r)
{
    struct str key;
    if (!json_object(r)) return;
    while (q->rc == OK && field(r, &key)) {
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
