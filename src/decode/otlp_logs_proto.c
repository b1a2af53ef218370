/* otlp_logs_proto.c - log records in protobuf's wire form. */
#include "base/check.h"
#include "decode/otlp_logs.h"
#include "decode/otlp_records.h"

static void body_read(struct pb *r, struct str message, struct record_sink *s)
{
    struct value v = { .type = VALUE_NONE };
    if (otlp_value_proto(r, message, s, &v))
        s->record.log.body = record_body(s, v);
    else
        s->left_out++;
}

static void log_field(struct pb *r, const struct pb_field *f, struct record_sink *s, struct otlp_log *log)
{
    struct record *to = &s->record;
    switch (f->tag) {
    case PB_LEN(6): otlp_attr_proto(r, f->bytes, s, &s->attrs); break;
    case PB_I64(1): log->time_ns = f->u; break;
    case PB_VARINT(2): log->severity = f->u; break;
    case PB_LEN(3): to->log.severity_text = record_text(s, f->bytes); break;
    case PB_LEN(5): body_read(r, f->bytes, s); break;
    case PB_VARINT(7): to->dropped = (uint32_t)f->u; break;
    case PB_I32(8): to->flags = (uint32_t)f->u; break;
    case PB_LEN(9): log->trace_id = f->bytes; break;
    case PB_LEN(10): log->span_id = f->bytes; break;
    case PB_I64(11): log->observed_ns = f->u; break;
    case PB_LEN(12): to->log.event_name = record_text(s, f->bytes); break;
    default: pb_other(r, f, (PB_KNOWN(13) - 1) & ~(PB_KNOWN(0) | PB_KNOWN(4)));
    }
}

int otlp_log_proto(struct otlp_records *q, const struct pb *scope, struct str message)
{
    struct pb r = pb_sub(scope, message);
    struct otlp_log log = { .trace_id = { NULL, 0 } };
    struct pb_field f;

    record_begin(&q->sink);
    while (pb_next(&r, &f)) log_field(&r, &f, &q->sink, &log);
    if (LIKELY(r.why == NULL)) return otlp_log_end(q, &log);

    struct err e = ERR_INIT;
    pb_error(&r, &e);
    record_refuse(&q->sink, REJECT_record_field, "%s", e.text);
    return OK;
}

int otlp_logs_proto(struct str body, const struct record_options *options, struct records *out,
                    struct record_report *report, struct err *e)
{
    check(out->table == TABLE_LOGS);
    return otlp_records_proto(body, options, out, report, e);
}
