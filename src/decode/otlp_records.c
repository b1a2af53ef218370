/* otlp_records.c - the rules of otlp_traces.h and otlp_logs.h, whatever the encoding. */
#include "decode/otlp_records.h"

#include <stdio.h>

#include "base/check.h"
#include "decode/severity.h"

void otlp_records_init(struct otlp_records *q, struct str body, struct records *out,
                       const struct record_options *options, struct record_report *report, struct err *e)
{
    *q = (struct otlp_records){ .table = out->table, .err = e };
    check(out->table == TABLE_LOGS || out->table == TABLE_SPANS);
    record_sink_init(&q->sink, out, options, report, otlp_place, q);
    record_sink_bound(&q->sink, body.n);
}

const char *otlp_place(void *reader)
{
    struct otlp_records *q = reader;
    const bool spans = q->table == TABLE_SPANS;
    const char *what = spans ? "spans" : "logs";
    char request[32] = "";
    if (q->many) snprintf(request, sizeof request, "[%zu].", q->request_no);
    snprintf(q->place, sizeof q->place, "%sresource_%s[%zu].scope_%s[%zu].%s[%zu]", request, what,
             q->resource_no, what, q->scope_no, spans ? "spans" : "log_records", q->item_no);
    return q->place;
}

bool otlp_id(struct str bytes, size_t n, uint8_t *out)
{
    uint8_t any = 0;
    if (bytes.n != n) return false;
    for (size_t i = 0; i < n; i++) any |= (uint8_t)bytes.p[i];
    if (any != 0) memcpy(out, bytes.p, n);
    return any != 0;
}

static int refuse_id(struct otlp_records *q, const char *which, struct str id, size_t want)
{
    if (id.p == OTLP_NO_ID.p)
        record_refuse(&q->sink, REJECT_record_id, "%s id is neither hex nor base64 of %zu bytes", which,
                      want);
    else if (id.n == want)
        record_refuse(&q->sink, REJECT_record_id, "%s id is all zeros", which);
    else
        record_refuse(&q->sink, REJECT_record_id, "%s id of %zu bytes, %zu wanted", which, id.n, want);
    return OK;
}

static int refuse_time(struct otlp_records *q, const char *why)
{
    record_refuse(&q->sink, REJECT_record_time, "%s", why);
    return OK;
}

static void span_times(struct record_sink *s, const struct otlp_span *in)
{
    struct record *r = &s->record;
    uint64_t start = in->start_ns != 0 ? in->start_ns : in->end_ns;
    r->time_ns = (int64_t)start;
    if (in->end_ns == 0)
        r->span.duration_ns = SPAN_UNFINISHED;
    else if (in->end_ns >= start)
        r->span.duration_ns = (int64_t)(in->end_ns - start);
    else {
        r->span.duration_ns = 0;
        s->altered = true;
        record_put(s, &s->attrs, STR("vedette.clock_skew_ns"), value_int((int64_t)(start - in->end_ns)));
    }
}

static void put_dropped(struct record_sink *s, struct str name, uint64_t n)
{
    if (n > 0) record_put(s, &s->attrs, name, value_int((int64_t)MIN(n, (uint64_t)INT64_MAX)));
}

int otlp_span_end(struct otlp_records *q, const struct otlp_span *in)
{
    struct record_sink *s = &q->sink;
    struct record *r = &s->record;

    if (!otlp_id(in->trace_id, sizeof r->trace_id, r->trace_id))
        return refuse_id(q, "trace", in->trace_id, sizeof r->trace_id);
    if (!otlp_id(in->span_id, sizeof r->span_id, r->span_id))
        return refuse_id(q, "span", in->span_id, sizeof r->span_id);
    if (in->parent_id.n > 0 && in->parent_id.n != sizeof r->span.parent_id)
        record_note(s, "parent id of %zu bytes left out", in->parent_id.n);
    else
        otlp_id(in->parent_id, sizeof r->span.parent_id, r->span.parent_id);
    if ((in->start_ns | in->end_ns) == 0) return refuse_time(q, "neither start nor end");
    if (in->start_ns > RECORD_TIME_MAX || in->end_ns > RECORD_TIME_MAX)
        return refuse_time(q, "time beyond the year 2262");

    span_times(s, in);
    r->span.kind = in->kind <= SPAN_CONSUMER ? (uint8_t)in->kind : SPAN_UNSPECIFIED;
    r->span.status = in->status <= 2 ? (uint8_t)in->status : 0;
    put_dropped(s, STR("otel.dropped_events_count"), in->dropped_events);
    put_dropped(s, STR("otel.dropped_links_count"), in->dropped_links);
    return record_add(s, q->err);
}

static void log_id(struct otlp_records *q, const char *which, struct str id, size_t n, uint8_t *out)
{
    if (id.n > 0 && id.n != n)
        record_note(&q->sink, "%s id of %zu bytes left out", which, id.n);
    else
        otlp_id(id, n, out);
}

static struct str event_name(const struct record_sink *s)
{
    for (size_t i = s->attrs.n; i-- > 0;) {
        const struct attr *a = &s->attrs.at[i];
        if (a->value.type == VALUE_STR && str_is(a->name, "event.name")) return a->value.text;
    }
    return STR("");
}

int otlp_log_end(struct otlp_records *q, const struct otlp_log *in)
{
    struct record_sink *s = &q->sink;
    struct record *r = &s->record;

    if (in->time_ns > RECORD_TIME_MAX || in->observed_ns > RECORD_TIME_MAX)
        return refuse_time(q, "time beyond the year 2262");
    r->log.observed_ns = (int64_t)in->observed_ns;
    r->time_ns = (int64_t)(in->time_ns != 0 ? in->time_ns : in->observed_ns);
    if (r->time_ns == 0) r->time_ns = s->options->now_ns;
    log_id(q, "trace", in->trace_id, sizeof r->trace_id, r->trace_id);
    log_id(q, "span", in->span_id, sizeof r->span_id, r->span_id);
    r->log.severity = in->severity <= SEVERITY_MAX ? (uint8_t)in->severity : 0;
    if (r->log.severity == 0) r->log.severity = severity_of(r->log.severity_text);
    if (r->log.event_name.n == 0) r->log.event_name = event_name(s);
    return record_add(s, q->err);
}
