/* otlp_records_proto.c - resources, scopes and attributes of spans and logs in protobuf's wire form.
 *
 *     Request 1 Resource* { 1 resource { 1 attributes }, 2 Scope* }
 *     Scope* { 1 scope { 1 name, 2 version, 3 attributes }, 2 spans or log records }
 *
 * Always true:
 *   1. Fields may come in any order: what stands around the records is read in a pass of its own, which skips
 *      them by their length.
 *   2. A record that is broken inside is refused alone; a broken frame around records ends the request. */
#include "base/check.h"
#include "decode/otlp_any.h"
#include "decode/otlp_records.h"

/* ---- values ---- */

static bool nested_value(struct pb *r, struct str message, struct record_sink *s, struct value *out)
{
    struct buf text = BUF_INIT(RECORD_JSON_MAX);
    struct json_writer w;
    json_writer_init(&w, &text);
    bool ok = otlp_any_json(r, message, 0, s->at, &w);
    if (ok) *out = record_value_json(s, &text);
    buf_release(&text);
    return ok;
}

bool otlp_value_proto(struct pb *r, struct str message, struct record_sink *s, struct value *out)
{
    struct pb value = *r; /* what goes wrong in a value stays there */
    struct pb_field v;
    if (!otlp_any_last(&value, message, &v)) return false;
    switch (v.tag) {
    case PB_LEN(1): *out = record_value_text(s, v.bytes); break;
    case PB_VARINT(2): *out = value_bool(v.u != 0); break;
    case PB_VARINT(3): *out = value_int((int64_t)v.u); break;
    case PB_I64(4): *out = value_double(pb_double(v.u)); break;
    case PB_LEN(5):
    case PB_LEN(6): return nested_value(&value, message, s, out);
    case PB_LEN(7): *out = record_value_bytes(s, v.bytes); break;
    default: *out = value_str(STR(""));
    }
    return true;
}

/* Nearly every attribute is  0a <key length> key 12 <length> <one AnyValue field>  with lengths below 128,
 * and the value a text, a truth, an int or a double. */
static bool attr_at_a_glance(struct str message, struct str *key, struct value *out)
{
    const uint8_t *p = (const uint8_t *)message.p;
    if (message.n < 6 || p[0] != PB_LEN(1) || p[1] >= 0x80 || (size_t)p[1] + 6 > message.n) return false;
    const uint8_t *v = p + 2 + p[1];
    size_t left = message.n - 2 - p[1];
    if (v[0] != PB_LEN(2) || v[1] >= 0x80 || (size_t)v[1] + 2 != left) return false;
    *key = str_make(p + 2, p[1]);
    switch (v[2]) {
    case PB_LEN(1):
        if (v[3] >= 0x80 || (size_t)v[3] + 4 != left) return false;
        *out = value_str(str_make(v + 4, v[3]));
        return true;
    case PB_VARINT(2):
        if (v[3] >= 0x80 || left != 4) return false;
        *out = value_bool(v[3] != 0);
        return true;
    case PB_VARINT(3):
        if (v[3] >= 0x80 || left != 4) return false;
        *out = value_int(v[3]);
        return true;
    default: return false;
    }
}

void otlp_attr_proto(struct pb *r, struct str message, struct record_sink *s, struct attr_list *l)
{
    struct str key, value;
    struct value v = { .type = VALUE_NONE };
    if (LIKELY(attr_at_a_glance(message, &key, &v))) {
        if (v.type == VALUE_STR) v.text = record_text(s, v.text);
        record_put(s, l, key, v);
        return;
    }
    if (!otlp_key_value(r, message, &key, &value)) return;
    if (otlp_value_proto(r, value, s, &v))
        record_put(s, l, key, v);
    else
        s->left_out++;
}

void otlp_member_proto(struct pb *r, struct str message, struct record_sink *s, struct json_writer *w)
{
    struct str key, value;
    if (!otlp_key_value(r, message, &key, &value)) return;
    struct pb alone = *r;
    const struct json_writer before = *w;
    size_t n = w->out->n;
    json_put_key(w, key);
    if (LIKELY(otlp_any_json(&alone, value, 0, s->at, w))) return;
    *w = before;
    w->out->n = n;
    s->left_out++;
}

/* ---- scope, resource, request ---- */

static int broken(struct otlp_records *q, const struct pb *r)
{
    int rc = pb_error(r, q->err);
    err_where(q->err, "%s", otlp_place(q));
    return rc;
}

static void scope_read(struct pb *r, struct str message, struct record_sink *s)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_LEN(1): s->origin.scope_name = record_text(s, f.bytes); break;
        case PB_LEN(2): s->origin.scope_version = record_text(s, f.bytes); break;
        case PB_LEN(3): otlp_attr_proto(&sub, f.bytes, s, &s->scope); break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    pb_join(r, &sub);
}

static int scope_records(struct otlp_records *q, const struct pb *resource, struct str message)
{
    int (*const record)(struct otlp_records *, const struct pb *, struct str) =
        q->table == TABLE_SPANS ? otlp_span_proto : otlp_log_proto;
    struct pb r = pb_sub(resource, message), head = r;
    struct pb_field f;
    int rc = OK;

    q->item_no = 0;
    record_scope_begin(&q->sink);
    while (pb_next(&head, &f)) {
        if (f.tag == PB_LEN(1))
            scope_read(&head, f.bytes, &q->sink);
        else if (f.tag != PB_LEN(2))
            pb_other(&head, &f, PB_KNOWN(1) | PB_KNOWN(2));
    }
    if (head.why != NULL) return broken(q, &head);
    record_origin_end(&q->sink);
    for (; rc == OK && pb_next(&r, &f); q->item_no += f.tag == PB_LEN(2))
        if (f.tag == PB_LEN(2)) rc = record(q, &r, f.bytes);
    return rc;
}

static void resource_read(struct pb *r, struct str message, struct record_sink *s)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    while (pb_next(&sub, &f)) {
        if (f.tag == PB_LEN(1))
            otlp_attr_proto(&sub, f.bytes, s, &s->resource);
        else
            pb_other(&sub, &f, PB_KNOWN(1));
    }
    pb_join(r, &sub);
}

static int resource_records(struct otlp_records *q, const struct pb *request, struct str message)
{
    struct pb r = pb_sub(request, message), head = r;
    struct pb_field f;
    int rc = OK;

    q->scope_no = q->item_no = 0;
    record_origin_begin(&q->sink);
    while (pb_next(&head, &f)) {
        if (f.tag == PB_LEN(1))
            resource_read(&head, f.bytes, &q->sink);
        else if (f.tag != PB_LEN(2))
            pb_other(&head, &f, PB_KNOWN(1) | PB_KNOWN(2));
    }
    if (head.why != NULL) return broken(q, &head);
    for (; rc == OK && pb_next(&r, &f); q->scope_no += f.tag == PB_LEN(2))
        if (f.tag == PB_LEN(2)) rc = scope_records(q, &r, f.bytes);
    return rc;
}

static int request(struct otlp_records *q, struct str body)
{
    struct pb r = pb_open(body);
    struct pb_field f;
    int rc = OK;
    for (; rc == OK && pb_next(&r, &f); q->resource_no += f.tag == PB_LEN(1)) {
        if (f.tag == PB_LEN(1))
            rc = resource_records(q, &r, f.bytes);
        else
            pb_other(&r, &f, PB_KNOWN(1));
    }
    return rc == OK ? pb_error(&r, q->err) : rc;
}

int otlp_records_proto(struct str body, const struct record_options *options, struct records *out,
                       struct record_report *report, struct err *e)
{
    struct otlp_records q;
    otlp_records_init(&q, body, out, options, report, e);
    int rc = request(&q, body);
    record_sink_release(&q.sink);
    return rc;
}
