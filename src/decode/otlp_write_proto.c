/* otlp_write_proto.c - OTLP's protobuf, from the field numbers of opentelemetry-proto 1.x. */
#include "base/check.h"
#include "decode/id_text.h"
#include "decode/otlp_write_impl.h"
#include "decode/protobuf.h"

static void put_text(struct buf *out, uint32_t no, struct str text)
{
    if (text.n > 0) pb_put_bytes(out, no, text);
}

/* ---- values: AnyValue's fields are its types ---- */

static void put_json(struct buf *out, struct json_reader *r);

/* An object's members as KeyValues under field no. */
static void put_members(struct buf *out, uint32_t no, struct json_reader *r)
{
    struct str key;
    if (!json_object(r)) return;
    while (json_key(r, &key)) {
        size_t member = pb_put_begin(out, no);
        pb_put_bytes(out, 1, key);
        size_t value = pb_put_begin(out, 2);
        put_json(out, r);
        pb_put_end(out, value);
        pb_put_end(out, member);
    }
}

static void put_array(struct buf *out, struct json_reader *r)
{
    size_t array = pb_put_begin(out, 5);
    if (json_array(r))
        while (json_next(r)) {
            size_t value = pb_put_begin(out, 1);
            put_json(out, r);
            pb_put_end(out, value);
        }
    pb_put_end(out, array);
}

static void put_number(struct buf *out, struct json_reader *r)
{
    int64_t i = 0;
    double d = 0;
    bool is_int = true;
    otlp_number(r, &i, &d, &is_int);
    if (is_int)
        pb_put_varint(out, 3, (uint64_t)i);
    else
        pb_put_double(out, 4, d);
}

/* The next value of the reader, whose depth is bounded; null is an empty AnyValue. */
static void put_json(struct buf *out, struct json_reader *r)
{
    struct str text = STR("");
    bool truth = false;
    size_t list;

    switch (json_peek(r)) {
    case JSON_STRING: json_string(r, &text), pb_put_bytes(out, 1, text); break;
    case JSON_BOOL: json_bool(r, &truth), pb_put_varint(out, 2, truth); break;
    case JSON_NUMBER: put_number(out, r); break;
    case JSON_ARRAY: put_array(out, r); break;
    case JSON_OBJECT:
        list = pb_put_begin(out, 6);
        put_members(out, 1, r);
        pb_put_end(out, list);
        break;
    default: json_skip(r);
    }
}

static void put_value(struct buf *out, struct value v)
{
    struct arena scratch = ARENA_INIT(SIZE_MAX / 2);
    struct json_reader r;

    switch (v.type) {
    case VALUE_STR: pb_put_bytes(out, 1, v.text); break;
    case VALUE_BOOL: pb_put_varint(out, 2, v.i != 0); break;
    case VALUE_INT: pb_put_varint(out, 3, (uint64_t)v.i); break;
    case VALUE_DOUBLE: pb_put_double(out, 4, v.d); break;
    case VALUE_BYTES: pb_put_bytes(out, 7, v.text); break;
    case VALUE_JSON:
        json_open(&r, v.text, &scratch);
        put_json(out, &r);
        break;
    default: break;
    }
    arena_release(&scratch);
}

static void put_attrs(struct buf *out, uint32_t no, const struct attrs *l)
{
    for (size_t i = 0; i < l->n; i++) {
        size_t member = pb_put_begin(out, no);
        pb_put_bytes(out, 1, l->at[i].name);
        size_t value = pb_put_begin(out, 2);
        put_value(out, l->at[i].value);
        pb_put_end(out, value);
        pb_put_end(out, member);
    }
}

/* ---- events and links ---- */

static void put_hex_id(struct buf *out, uint32_t no, struct str hex, size_t n)
{
    uint8_t id[16];
    if (hex.n > 0 && id_from_hex(hex, n, id)) pb_put_bytes(out, no, str_make(id, n));
}

static void put_item_attrs(struct buf *out, uint32_t no, const struct otlp_item *item, struct arena *scratch)
{
    struct json_reader r;
    if (item->attributes.n == 0) return;
    json_open(&r, item->attributes, scratch);
    put_members(out, no, &r);
}

static void put_event(struct buf *out, const struct otlp_item *item, struct arena *scratch)
{
    size_t event = pb_put_begin(out, 11);
    pb_put_i64(out, 1, item->time_ns);
    put_text(out, 2, item->name);
    put_item_attrs(out, 3, item, scratch);
    if (item->dropped > 0) pb_put_varint(out, 4, item->dropped);
    pb_put_end(out, event);
}

static void put_link(struct buf *out, const struct otlp_item *item, struct arena *scratch)
{
    size_t link = pb_put_begin(out, 13);
    put_hex_id(out, 1, item->trace_id, 16);
    put_hex_id(out, 2, item->span_id, 8);
    put_text(out, 3, item->trace_state);
    put_item_attrs(out, 4, item, scratch);
    if (item->dropped > 0) pb_put_varint(out, 5, item->dropped);
    pb_put_end(out, link);
}

static void put_items(struct buf *out, struct str json,
                      void (*put)(struct buf *, const struct otlp_item *, struct arena *))
{
    struct arena scratch = ARENA_INIT(SIZE_MAX / 2);
    struct json_reader r;
    struct otlp_item item;

    if (json.n == 0) return;
    json_open(&r, json, &scratch);
    if (json_array(&r))
        while (otlp_item_next(&r, &item)) put(out, &item, &scratch);
    arena_release(&scratch);
}

/* ---- spans ---- */

static void put_status(struct buf *out, const struct record *s)
{
    if (s->span.status == 0 && s->span.status_message.n == 0) return;
    size_t status = pb_put_begin(out, 15);
    put_text(out, 2, s->span.status_message);
    if (s->span.status != 0) pb_put_varint(out, 3, s->span.status);
    pb_put_end(out, status);
}

static void put_span(struct buf *out, const struct record *s)
{
    size_t span = pb_put_begin(out, 2);
    pb_put_bytes(out, 1, str_make(s->trace_id, 16));
    pb_put_bytes(out, 2, str_make(s->span_id, 8));
    put_text(out, 3, s->span.trace_state);
    if (otlp_has_id(s->span.parent_id, 8)) pb_put_bytes(out, 4, str_make(s->span.parent_id, 8));
    put_text(out, 5, s->span.name);
    if (s->span.kind != 0) pb_put_varint(out, 6, s->span.kind);
    pb_put_i64(out, 7, (uint64_t)s->time_ns);
    if (otlp_end_ns(s) != 0) pb_put_i64(out, 8, otlp_end_ns(s));
    put_attrs(out, 9, &s->attrs);
    if (s->dropped != 0) pb_put_varint(out, 10, s->dropped);
    put_items(out, s->span.events, put_event);
    put_items(out, s->span.links, put_link);
    put_status(out, s);
    if (record_flags(s) != 0) pb_put_i32(out, 16, record_flags(s));
    pb_put_end(out, span);
}

/* ---- requests ---- */

static void put_group(struct buf *out, const struct otlp_groups *g, const struct otlp_group *group)
{
    size_t scope_spans = pb_put_begin(out, 2), scope = pb_put_begin(out, 1);
    put_text(out, 1, group->origin->scope_name);
    put_text(out, 2, group->origin->scope_version);
    put_attrs(out, 3, &group->origin->scope);
    pb_put_end(out, scope);
    for (size_t i = 0; i < group->n; i++) put_span(out, g->records[group->begin + i]);
    pb_put_end(out, scope_spans);
}

void otlp_write_spans_proto(const struct record *spans, size_t n, struct buf *out)
{
    struct otlp_groups g;

    otlp_groups_init(&g, spans, n);
    for (size_t i = 0, end; i < g.n; i = end) {
        size_t resource_spans = pb_put_begin(out, 1), resource = pb_put_begin(out, 1);
        put_attrs(out, 1, &g.at[i].origin->resource);
        pb_put_end(out, resource);
        for (end = i; end < g.n && g.at[end].resource == g.at[i].resource; end++)
            put_group(out, &g, &g.at[end]);
        pb_put_end(out, resource_spans);
    }
    otlp_groups_release(&g);
}
