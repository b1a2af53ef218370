/* otlp_traces_proto.c - spans in protobuf's wire form. */
#include "base/check.h"
#include "decode/otlp_records.h"
#include "decode/otlp_traces.h"

/* ---- events and links ---- */

/* Field 3 or 4 of the item that r reads again: its attributes. */
static void put_attributes(struct pb r, uint32_t tag, struct record_sink *s, struct json_writer *w)
{
    struct pb_field f;
    bool any = false;
    while (pb_next(&r, &f)) {
        if (f.tag != tag) continue;
        if (!any) {
            json_put_key(w, STR("attributes"));
            json_begin_object(w);
            any = true;
        }
        otlp_member_proto(&r, f.bytes, s, w);
    }
    if (any) json_end_object(w);
}

static void event(struct pb *r, struct str message, struct record_sink *s)
{
    struct pb sub = pb_sub(r, message), again = sub;
    struct json_writer w;
    struct pb_field f;
    struct str name = STR("");
    uint64_t time_ns = 0, dropped = 0;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_I64(1): time_ns = f.u; break;
        case PB_LEN(2): name = f.bytes; break;
        case PB_LEN(3): break;
        case PB_VARINT(4): dropped = f.u; break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3) | PB_KNOWN(4));
        }
    }
    if (!pb_join(r, &sub)) return;
    record_event_begin(s, &w, name, time_ns);
    put_attributes(again, PB_LEN(3), s, &w);
    if (dropped > 0) json_kv_i64(&w, "dropped", (int64_t)(uint32_t)dropped);
    record_item_end(&w);
}

static void link_of(struct pb *r, struct str message, struct record_sink *s)
{
    struct pb sub = pb_sub(r, message), again = sub;
    struct json_writer w;
    struct pb_field f;
    struct str trace_id = STR(""), span_id = STR(""), trace_state = STR("");
    uint64_t dropped = 0;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_LEN(1): trace_id = f.bytes; break;
        case PB_LEN(2): span_id = f.bytes; break;
        case PB_LEN(3): trace_state = f.bytes; break;
        case PB_LEN(4): break;
        case PB_VARINT(5): dropped = f.u; break;
        case PB_I32(6): break; /* flags */
        default: pb_other(&sub, &f, (PB_KNOWN(7) - 1) & ~PB_KNOWN(0));
        }
    }
    if (!pb_join(r, &sub)) return;
    record_link_begin(s, &w, trace_id, span_id);
    if (trace_state.n > 0) json_kv_string(&w, "trace_state", trace_state);
    put_attributes(again, PB_LEN(4), s, &w);
    if (dropped > 0) json_kv_i64(&w, "dropped", (int64_t)(uint32_t)dropped);
    record_item_end(&w);
}

/* ---- spans ---- */

static void status(struct pb *r, struct str message, struct record_sink *s, struct otlp_span *span)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_LEN(2): s->record.span.status_message = record_text(s, f.bytes); break;
        case PB_VARINT(3): span->status = f.u; break;
        case PB_VARINT(1): break; /* the code as it was before 1.0 */
        default: pb_other(&sub, &f, PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    pb_join(r, &sub);
}

static void span_field(struct pb *r, const struct pb_field *f, struct record_sink *s, struct otlp_span *span)
{
    struct record *to = &s->record;
    switch (f->tag) {
    case PB_LEN(9): otlp_attr_proto(r, f->bytes, s, &s->attrs); break;
    case PB_LEN(1): span->trace_id = f->bytes; break;
    case PB_LEN(2): span->span_id = f->bytes; break;
    case PB_LEN(3): to->span.trace_state = record_text(s, f->bytes); break;
    case PB_LEN(4): span->parent_id = f->bytes; break;
    case PB_LEN(5): to->span.name = record_text(s, f->bytes); break;
    case PB_VARINT(6): span->kind = f->u; break;
    case PB_I64(7): span->start_ns = f->u; break;
    case PB_I64(8): span->end_ns = f->u; break;
    case PB_VARINT(10): to->dropped = (uint32_t)f->u; break;
    case PB_LEN(11): event(r, f->bytes, s); break;
    case PB_VARINT(12): span->dropped_events = (uint32_t)f->u; break;
    case PB_LEN(13): link_of(r, f->bytes, s); break;
    case PB_VARINT(14): span->dropped_links = (uint32_t)f->u; break;
    case PB_LEN(15): status(r, f->bytes, s, span); break;
    case PB_I32(16): to->flags = (uint32_t)f->u; break;
    default: pb_other(r, f, (PB_KNOWN(17) - 1) & ~PB_KNOWN(0));
    }
}

int otlp_span_proto(struct otlp_records *q, const struct pb *scope, struct str message)
{
    struct pb r = pb_sub(scope, message);
    struct otlp_span span = { .trace_id = { NULL, 0 } };
    struct pb_field f;

    record_begin(&q->sink);
    while (pb_next(&r, &f)) span_field(&r, &f, &q->sink, &span);
    if (LIKELY(r.why == NULL)) return otlp_span_end(q, &span);

    struct err e = ERR_INIT;
    pb_error(&r, &e);
    record_refuse(&q->sink, REJECT_record_field, "%s", e.text);
    return OK;
}

int otlp_traces_proto(struct str body, const struct record_options *options, struct records *out,
                      struct record_report *report, struct err *e)
{
    check(out->table == TABLE_SPANS);
    return otlp_records_proto(body, options, out, report, e);
}
