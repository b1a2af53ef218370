/* otlp_json_point.c - data points in JSON. Each key means the same in every kind of point, so one reader
 * serves all. */
#include "base/check.h"
#include "decode/otlp_json.h"
#include "decode/otlp_value.h"

/* ---- parts of points ---- */

static void read_counts(struct json_reader *r, struct otlp_counts *out, struct arena *a)
{
    uint64_t v = 0;
    if (!json_array(r)) return;
    while (json_next(r)) {
        otlp_json_u64(r, &v);
        otlp_count_add(out, v, a);
    }
}

static void read_bounds(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    double v = 0;
    if (!json_array(r)) return;
    while (json_next(r)) {
        otlp_json_double(r, &v);
        otlp_bound_add(p, v, a);
    }
}

static void read_buckets(struct json_reader *r, struct otlp_counts *out, struct arena *a)
{
    struct str key;
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "offset"))
            otlp_json_i32(r, &out->offset);
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
        while (otlp_json_field(r, &key)) {
            if (str_is(key, "quantile"))
                otlp_json_double(r, &q->q);
            else if (str_is(key, "value"))
                otlp_json_double(r, &q->value);
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
    otlp_json_i64(r, &v);
    *out = (double)v;
    *has = true;
}

static void read_double_value(struct json_reader *r, double *out, bool *has)
{
    otlp_json_double(r, out);
    *has = true;
}

static void read_exemplar(struct json_reader *r, struct otlp_exemplar *x, struct arena *a)
{
    struct str key;
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "filteredAttributes"))
            otlp_json_attrs(r, &x->attrs, a);
        else if (str_is(key, "timeUnixNano"))
            otlp_json_u64(r, &x->time_ns);
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

/* ---- points ---- */

enum key {
    K_ATTRIBUTES,
    K_START,
    K_TIME,
    K_AS_DOUBLE,
    K_AS_INT,
    K_FLAGS,
    K_COUNTED,
    K_SUM,
    K_BUCKET_COUNTS,
    K_BOUNDS,
    K_SCALE,
    K_ZERO_COUNT,
    K_ZERO_THRESHOLD,
    K_POSITIVE,
    K_NEGATIVE,
    K_QUANTILES,
    K_EXEMPLARS,
    K_OTHER
};

static const char *const keys[] = {
    [K_ATTRIBUTES] = "attributes",
    [K_START] = "startTimeUnixNano",
    [K_TIME] = "timeUnixNano",
    [K_AS_DOUBLE] = "asDouble",
    [K_AS_INT] = "asInt",
    [K_FLAGS] = "flags",
    [K_COUNTED] = "count",
    [K_SUM] = "sum",
    [K_BUCKET_COUNTS] = "bucketCounts",
    [K_BOUNDS] = "explicitBounds",
    [K_SCALE] = "scale",
    [K_ZERO_COUNT] = "zeroCount",
    [K_ZERO_THRESHOLD] = "zeroThreshold",
    [K_POSITIVE] = "positive",
    [K_NEGATIVE] = "negative",
    [K_QUANTILES] = "quantileValues",
    [K_EXEMPLARS] = "exemplars",
};

static enum key key_of(struct str name)
{
    size_t i = 0;
    while (i < COUNT(keys) && !str_is(name, keys[i])) i++;
    return (enum key)i;
}

void otlp_json_point(struct json_reader *r, struct otlp_point *p, struct arena *a)
{
    struct str name;
    otlp_point_clear(p);
    if (!json_object(r)) return;
    while (otlp_json_field(r, &name)) {
        switch (key_of(name)) {
        case K_ATTRIBUTES: otlp_json_attrs(r, &p->attrs, a); break;
        case K_START: otlp_json_u64(r, &p->start_ns); break;
        case K_TIME: otlp_json_u64(r, &p->time_ns); break;
        case K_AS_DOUBLE: read_double_value(r, &p->value, &p->has_value); break;
        case K_AS_INT: read_int_value(r, &p->value, &p->has_value); break;
        case K_FLAGS: otlp_json_u64(r, &p->flags); break;
        case K_COUNTED: otlp_json_u64(r, &p->count); break;
        case K_SUM: read_double_value(r, &p->sum, &p->has_sum); break;
        case K_BUCKET_COUNTS: read_counts(r, &p->pos, a); break;
        case K_BOUNDS: read_bounds(r, p, a); break;
        case K_SCALE: otlp_json_i32(r, &p->scale); break;
        case K_ZERO_COUNT: otlp_json_u64(r, &p->zero_count); break;
        case K_ZERO_THRESHOLD: otlp_json_double(r, &p->zero_threshold); break;
        case K_POSITIVE: read_buckets(r, &p->pos, a); break;
        case K_NEGATIVE: read_buckets(r, &p->neg, a); break;
        case K_QUANTILES: read_quantiles(r, p, a); break;
        case K_EXEMPLARS: read_exemplars(r, p, a); break;
        case K_OTHER: json_skip(r); break;
        }
    }
}
