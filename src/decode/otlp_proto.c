/* otlp_proto.c - ExportMetricsServiceRequest in protobuf's wire form.
 *
 *     Request 1 ResourceMetrics { 1 resource { 1 attributes }, 2 ScopeMetrics { 1 scope { 1 name 2 version 3
 * attributes }, 2 Metric, 3 schema_url } } Metric  { 1 name 2 description 3 unit, one of: 5 gauge 7 sum 9
 * histogram 10 exponential 11 summary } each { 1 data points, 2 temporality, 3 monotonic }
 *
 * Always true:
 *   1. Fields may come in any order: what points need to know (resource, scope, name, temporality) is read in
 * a pass of its own over the message around them, which skips the points by their length.
 *   2. Singular messages that occur more than once are merged; of the kinds of data the last one counts.
 *   3. Numbers that may be packed are read packed and one by one. */
#include "base/check.h"
#include "base/json.h"
#include "decode/otlp_any.h"
#include "decode/otlp_translate.h"
#include "decode/otlp_value.h"
#include "decode/protobuf.h"

struct reader {
    struct otlp_translate t;
    size_t resource_no, scope_no, metric_no; /* where we are, for error texts */
};

static int broken(struct reader *q, const struct pb *r, const char *where)
{
    int rc = pb_error(r, q->t.err);
    err_where(q->t.err, "resource_metrics[%zu].scope_metrics[%zu].metrics[%zu]%s", q->resource_no,
              q->scope_no, q->metric_no, where);
    return rc;
}

/* ---- attribute values ---- */

static struct str value_nested(struct pb *r, struct str message, struct arena *a)
{
    struct buf text = BUF_INIT(OTLP_VALUE_JSON_MAX);
    struct json_writer w;
    json_writer_init(&w, &text);
    otlp_any_json(r, message, 0, a, &w);
    struct str kept = arena_str(a, buf_view(&text));
    buf_release(&text);
    return kept;
}

static struct str value_text(struct pb *r, struct str message, struct arena *a)
{
    struct pb_field v;
    if (!otlp_any_last(r, message, &v)) return STR("");
    switch (v.tag) {
    case PB_LEN(1): return v.bytes;
    case PB_VARINT(2): return otlp_bool_text(v.u != 0);
    case PB_VARINT(3): return otlp_int_text((int64_t)v.u, a);
    case PB_I64(4): return otlp_double_text(pb_double(v.u), a);
    case PB_LEN(5):
    case PB_LEN(6): return value_nested(r, message, a);
    case PB_LEN(7): return otlp_base64(v.bytes, a);
    default: return STR("");
    }
}

/* Nearly every attribute is  0a <key length> key 12 <n> 0a <length> text  with lengths below 128. */
static bool attr_at_a_glance(struct str message, struct otlp_attr *out)
{
    const uint8_t *p = (const uint8_t *)message.p;
    if (message.n < 6 || p[0] != PB_LEN(1) || p[1] >= 0x80 || (size_t)p[1] + 6 > message.n) return false;
    const uint8_t *v = p + 2 + p[1];
    size_t left = message.n - 2 - p[1];
    if (v[0] != PB_LEN(2) || v[1] >= 0x80 || (size_t)v[1] + 2 != left) return false;
    if (v[2] != PB_LEN(1) || v[3] >= 0x80 || (size_t)v[3] + 4 != left) return false;
    out->key = str_make(p + 2, p[1]);
    out->value = str_make(v + 4, v[3]);
    return true;
}

static void attr_read(struct pb *r, struct str message, struct otlp_attrs *attrs, struct arena *a)
{
    struct otlp_attr *out = otlp_attr_add(attrs, a);
    struct str value;
    if (LIKELY(attr_at_a_glance(message, out))) return;
    if (!otlp_key_value(r, message, &out->key, &value)) return;
    struct str text = value_text(r, value, a);
    out->value = text;
}

/* ---- numbers in rows ---- */

static void fixed64s(struct pb *r, const struct pb_field *f, struct otlp_counts *out, struct arena *a)
{
    struct pb sub = pb_sub(r, f->bytes);
    uint64_t v;
    while (pb_more(&sub) && pb_i64(&sub, &v)) otlp_count_add(out, v, a);
    pb_join(r, &sub);
}

static void varints(struct pb *r, const struct pb_field *f, struct otlp_counts *out, struct arena *a)
{
    struct pb sub = pb_sub(r, f->bytes);
    uint64_t v;
    while (pb_more(&sub) && pb_varint(&sub, &v)) otlp_count_add(out, v, a);
    pb_join(r, &sub);
}

static void bounds_read(struct pb *r, const struct pb_field *f, struct otlp_point *p, struct arena *a)
{
    struct pb sub = pb_sub(r, f->bytes);
    uint64_t v;
    while (pb_more(&sub) && pb_i64(&sub, &v)) otlp_bound_add(p, pb_double(v), a);
    pb_join(r, &sub);
}

static void buckets_read(struct pb *r, struct str message, struct otlp_counts *out, struct arena *a)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_VARINT(1): out->offset = (int32_t)pb_zigzag((uint32_t)f.u); break;
        case PB_LEN(2): varints(&sub, &f, out, a); break;
        case PB_VARINT(2): otlp_count_add(out, f.u, a); break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(2));
        }
    }
    pb_join(r, &sub);
}

static void exemplar_read(struct pb *r, struct str message, struct otlp_point *p, struct arena *a)
{
    struct pb sub = pb_sub(r, message);
    struct otlp_exemplar *x = otlp_exemplar_add(p, a);
    struct pb_field f;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_LEN(7): attr_read(&sub, f.bytes, &x->attrs, a); break;
        case PB_I64(2): x->time_ns = f.u; break;
        case PB_I64(3): x->value = pb_double(f.u), x->has_value = true; break;
        case PB_I64(6): x->value = (double)(int64_t)f.u, x->has_value = true; break;
        case PB_LEN(4): x->span_id = otlp_id_hex(f.bytes, a); break;
        case PB_LEN(5): x->trace_id = otlp_id_hex(f.bytes, a); break;
        default:
            pb_other(&sub, &f,
                     PB_KNOWN(2) | PB_KNOWN(3) | PB_KNOWN(4) | PB_KNOWN(5) | PB_KNOWN(6) | PB_KNOWN(7));
        }
    }
    pb_join(r, &sub);
}

static void quantile_read(struct pb *r, struct str message, struct otlp_point *p, struct arena *a)
{
    struct pb sub = pb_sub(r, message);
    struct otlp_quantile *q = otlp_quantile_add(p, a);
    struct pb_field f;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_I64(1): q->q = pb_double(f.u); break;
        case PB_I64(2): q->value = pb_double(f.u); break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(2));
        }
    }
    pb_join(r, &sub);
}

/* ---- data points, one reader for each kind ---- */

static void number_field(struct pb *r, const struct pb_field *f, struct otlp_point *p, struct arena *a)
{
    switch (f->tag) {
    case PB_LEN(7): attr_read(r, f->bytes, &p->attrs, a); break;
    case PB_I64(2): p->start_ns = f->u; break;
    case PB_I64(3): p->time_ns = f->u; break;
    case PB_I64(4): p->value = pb_double(f->u), p->has_value = true; break;
    case PB_I64(6): p->value = (double)(int64_t)f->u, p->has_value = true; break;
    case PB_LEN(5): exemplar_read(r, f->bytes, p, a); break;
    case PB_VARINT(8): p->flags = f->u; break;
    default: pb_other(r, f, (PB_KNOWN(9) - 1) & ~(PB_KNOWN(0) | PB_KNOWN(1)));
    }
}

static void explicit_field(struct pb *r, const struct pb_field *f, struct otlp_point *p, struct arena *a)
{
    switch (f->tag) {
    case PB_LEN(9): attr_read(r, f->bytes, &p->attrs, a); break;
    case PB_I64(2): p->start_ns = f->u; break;
    case PB_I64(3): p->time_ns = f->u; break;
    case PB_I64(4): p->count = f->u; break;
    case PB_I64(5): p->sum = pb_double(f->u), p->has_sum = true; break;
    case PB_LEN(6): fixed64s(r, f, &p->pos, a); break;
    case PB_I64(6): otlp_count_add(&p->pos, f->u, a); break;
    case PB_LEN(7): bounds_read(r, f, p, a); break;
    case PB_I64(7): otlp_bound_add(p, pb_double(f->u), a); break;
    case PB_LEN(8): exemplar_read(r, f->bytes, p, a); break;
    case PB_VARINT(10): p->flags = f->u; break;
    case PB_I64(11):
    case PB_I64(12): break; /* min and max have no place in a Prometheus histogram */
    default: pb_other(r, f, (PB_KNOWN(13) - 1) & ~(PB_KNOWN(0) | PB_KNOWN(1)));
    }
}

static void exponential_field(struct pb *r, const struct pb_field *f, struct otlp_point *p, struct arena *a)
{
    switch (f->tag) {
    case PB_LEN(1): attr_read(r, f->bytes, &p->attrs, a); break;
    case PB_I64(2): p->start_ns = f->u; break;
    case PB_I64(3): p->time_ns = f->u; break;
    case PB_I64(4): p->count = f->u; break;
    case PB_I64(5): p->sum = pb_double(f->u), p->has_sum = true; break;
    case PB_VARINT(6): p->scale = (int32_t)pb_zigzag((uint32_t)f->u); break;
    case PB_I64(7): p->zero_count = f->u; break;
    case PB_LEN(8): buckets_read(r, f->bytes, &p->pos, a); break;
    case PB_LEN(9): buckets_read(r, f->bytes, &p->neg, a); break;
    case PB_VARINT(10): p->flags = f->u; break;
    case PB_LEN(11): exemplar_read(r, f->bytes, p, a); break;
    case PB_I64(12):
    case PB_I64(13): break; /* min, max */
    case PB_I64(14): p->zero_threshold = pb_double(f->u); break;
    default: pb_other(r, f, (PB_KNOWN(15) - 1) & ~PB_KNOWN(0));
    }
}

static void summary_field(struct pb *r, const struct pb_field *f, struct otlp_point *p, struct arena *a)
{
    switch (f->tag) {
    case PB_LEN(7): attr_read(r, f->bytes, &p->attrs, a); break;
    case PB_I64(2): p->start_ns = f->u; break;
    case PB_I64(3): p->time_ns = f->u; break;
    case PB_I64(4): p->count = f->u; break;
    case PB_I64(5): p->sum = pb_double(f->u), p->has_sum = true; break;
    case PB_LEN(6): quantile_read(r, f->bytes, p, a); break;
    case PB_VARINT(8): p->flags = f->u; break;
    default: pb_other(r, f, (PB_KNOWN(9) - 1) & ~(PB_KNOWN(0) | PB_KNOWN(1)));
    }
}

typedef void point_field_fn(struct pb *, const struct pb_field *, struct otlp_point *, struct arena *);

static point_field_fn *const point_fields[] = {
    [OTLP_GAUGE] = number_field,       [OTLP_SUM] = number_field,
    [OTLP_HISTOGRAM] = explicit_field, [OTLP_EXPONENTIAL] = exponential_field,
    [OTLP_SUMMARY] = summary_field,
};

static int point(struct reader *q, const struct pb *data, struct str message)
{
    struct pb r = pb_sub(data, message);
    struct otlp_point *p = &q->t.point;
    point_field_fn *field = point_fields[q->t.family.metric.data];
    struct pb_field f;

    otlp_point_clear(p);
    while (pb_next(&r, &f)) {
        field(&r, &f, p, q->t.arena);
        if (UNLIKELY(arena_over(q->t.arena))) break; /* otlp_point says it */
    }
    if (UNLIKELY(r.why != NULL)) return broken(q, &r, ".data_points");
    return otlp_point(&q->t);
}

/* ---- metrics ---- */

/* Gauge, Sum, Histogram, ... without their points. */
static void data_head(struct pb *r, struct str message, struct otlp_metric *m)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_LEN(1): break;
        case PB_VARINT(2): m->temporality = (int64_t)f.u; break;
        case PB_VARINT(3): m->monotonic = f.u != 0; break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    pb_join(r, &sub);
}

static void metric_head(struct pb r, struct pb *out, struct otlp_metric *m)
{
    struct pb_field f;
    while (pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_LEN(1): m->name = f.bytes; break;
        case PB_LEN(2): m->description = f.bytes; break;
        case PB_LEN(3): m->unit = f.bytes; break;
        case PB_LEN(OTLP_GAUGE):
        case PB_LEN(OTLP_SUM):
        case PB_LEN(OTLP_HISTOGRAM):
        case PB_LEN(OTLP_EXPONENTIAL):
        case PB_LEN(OTLP_SUMMARY):
            if (m->data != (enum otlp_data)pb_no(&f)) m->temporality = m->monotonic = 0;
            m->data = (enum otlp_data)pb_no(&f);
            data_head(&r, f.bytes, m);
            break;
        default:
            pb_other(&r, &f,
                     PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3) | PB_KNOWN(5) | PB_KNOWN(7) | PB_KNOWN(9) |
                         PB_KNOWN(10) | PB_KNOWN(11));
        }
    }
    *out = r;
}

static int data_points(struct reader *q, const struct pb *metric, struct str message)
{
    struct pb r = pb_sub(metric, message);
    struct pb_field f;
    int rc = OK;
    while (rc == OK && pb_next(&r, &f))
        if (f.tag == PB_LEN(1)) rc = point(q, &r, f.bytes);
    return rc;
}

static int metric(struct reader *q, const struct pb *scope, struct str message)
{
    struct pb r = pb_sub(scope, message), done;
    struct otlp_metric m = { .data = OTLP_NONE };
    struct pb_field f;
    int rc = OK;

    metric_head(r, &done, &m);
    if (done.why != NULL) return broken(q, &done, "");
    if (m.data == OTLP_NONE) return OK; /* no data, or of a kind newer than we are */
    otlp_metric(&q->t, &m);
    while (rc == OK && pb_next(&r, &f))
        if (f.tag == PB_LEN(m.data)) rc = data_points(q, &r, f.bytes);
    return rc;
}

/* ---- scope, resource, request ---- */

static void scope_read(struct pb *r, struct str message, struct otlp_scope *s, struct arena *a)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_LEN(1): s->name = f.bytes; break;
        case PB_LEN(2): s->version = f.bytes; break;
        case PB_LEN(3): attr_read(&sub, f.bytes, &s->attrs, a); break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    pb_join(r, &sub);
}

static int scope_metrics(struct reader *q, const struct pb *resource, struct str message)
{
    struct pb r = pb_sub(resource, message), head = r;
    struct otlp_scope s = { 0 };
    struct pb_field f;
    int rc = OK;

    q->metric_no = 0;
    while (pb_next(&head, &f)) {
        switch (f.tag) {
        case PB_LEN(1): scope_read(&head, f.bytes, &s, q->t.arena); break;
        case PB_LEN(2): break;
        case PB_LEN(3): s.schema_url = f.bytes; break;
        default: pb_other(&head, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    if (head.why != NULL) return broken(q, &head, "");
    otlp_scope(&q->t, &s);
    for (; rc == OK && pb_next(&r, &f); q->metric_no += f.tag == PB_LEN(2))
        if (f.tag == PB_LEN(2)) rc = metric(q, &r, f.bytes);
    return rc;
}

static void resource_read(struct pb *r, struct str message, struct otlp_attrs *attrs, struct arena *a)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_LEN(1): attr_read(&sub, f.bytes, attrs, a); break;
        default: pb_other(&sub, &f, PB_KNOWN(1));
        }
    }
    pb_join(r, &sub);
}

static int resource_metrics(struct reader *q, const struct pb *request, struct str message)
{
    struct pb r = pb_sub(request, message), head = r;
    struct otlp_attrs attrs = { 0 };
    struct pb_field f;
    int rc = OK;

    q->scope_no = q->metric_no = 0;
    while (pb_next(&head, &f)) {
        switch (f.tag) {
        case PB_LEN(1): resource_read(&head, f.bytes, &attrs, q->t.arena); break;
        case PB_LEN(2): break;
        default: pb_other(&head, &f, PB_KNOWN(1) | PB_KNOWN(2));
        }
    }
    if (head.why != NULL) return broken(q, &head, "");
    otlp_resource(&q->t, &attrs);
    for (; rc == OK && pb_next(&r, &f); q->scope_no += f.tag == PB_LEN(2))
        if (f.tag == PB_LEN(2)) rc = scope_metrics(q, &r, f.bytes);
    return rc < 0 ? rc : otlp_resource_end(&q->t);
}

int otlp_metrics_proto(struct str body, const struct otlp_options *options,
                       const struct decode_limits *limits, struct arena *a, struct batch *out,
                       struct write_result *refused, struct err *e)
{
    struct reader q = { .resource_no = 0 };
    struct pb r = pb_open(body);
    struct pb_field f;
    int rc = OK;

    otlp_translate_init(&q.t, options, limits, a, out, refused, e);
    for (; rc == OK && pb_next(&r, &f); q.resource_no += f.tag == PB_LEN(1)) {
        if (f.tag == PB_LEN(1))
            rc = resource_metrics(&q, &r, f.bytes);
        else
            pb_other(&r, &f, PB_KNOWN(1));
    }
    if (rc == OK && r.why != NULL) rc = pb_error(&r, e);
    return rc;
}
