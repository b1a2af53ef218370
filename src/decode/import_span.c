/* import_span.c - spans as SDKs and exporters print them: one object a span, in many spellings.
 *
 *     {"trace_id", "span_id", "parent_span_id", "name", "start_time", "end_time", "attributes": {}, ...}
 *     {"spanContext": {"traceId", "spanId"}, "startTime": [s, ns], ...}          the JS SDK's ReadableSpan
 *     {"context": {"trace_id", "span_id"}, "parent_id", ...}                     the Python SDK's to_json
 *     {"span_name", "timestamp", "duration": "PT1.5S", "child_spans": []}        TRAIL
 *     {"trace_id", "spans": [], "total_tokens", ...}                             a list with something to say
 *
 * A key we know goes to its field, any other becomes an attribute by its own name. What a list says beside
 * its spans becomes attributes trace.KEY of those of its spans that name no parent, or of the first one when
 * all do.
 *
 * Keys may come in any order, so a span is read twice: its keys, with the readers of its parts remembered,
 * and then its parts. */
#include "base/check.h"
#include "decode/import_run.h"

enum part {
    P_ATTRIBUTES,
    P_RESOURCE,
    P_SCOPE,
    P_STATUS,
    P_EVENTS,
    P_LINKS,
    P_LOGS,
    P_CONTEXT,
    P_PARENT_CONTEXT,
    P_CHILDREN,
    P_DURATION,
    P_KIND,
    PARTS
};

struct span_dict {
    struct import_later part[PARTS];
    struct str trace_id, span_id, parent_id, status_code;
    struct str service, scope_name, scope_version;
    int64_t start_ns, end_ns;
    bool has_start, has_end, is_js;
};

/* What the list around it said. */
struct around {
    struct import_later whole; /* the list's own object, to be read once more; or unknown */
    struct str trace_id, parent_id;
    bool has_root;
};

static const struct {
    const char *key;
    enum part part;
} parts[] = {
    { "attributes", P_ATTRIBUTES },
    { "span_attributes", P_ATTRIBUTES },
    { "spanAttributes", P_ATTRIBUTES },
    { "resource", P_RESOURCE },
    { "resource_attributes", P_RESOURCE },
    { "resourceAttributes", P_RESOURCE },
    { "scope", P_SCOPE },
    { "instrumentationScope", P_SCOPE },
    { "instrumentation_scope", P_SCOPE },
    { "instrumentationLibrary", P_SCOPE },
    { "status", P_STATUS },
    { "events", P_EVENTS },
    { "span_events", P_EVENTS },
    { "links", P_LINKS },
    { "span_links", P_LINKS },
    { "logs", P_LOGS },
    { "spanContext", P_CONTEXT },
    { "span_context", P_CONTEXT },
    { "context", P_CONTEXT },
    { "parentSpanContext", P_PARENT_CONTEXT },
    { "parent", P_PARENT_CONTEXT },
    { "child_spans", P_CHILDREN },
    { "childSpans", P_CHILDREN },
    { "duration", P_DURATION },
    { "kind", P_KIND },
    { "span_kind", P_KIND },
    { "spanKind", P_KIND },
};

static bool is_one_of(struct str key, const char *a, const char *b, const char *c)
{
    return str_is(key, a) || str_is(key, b) || (c != NULL && str_is(key, c));
}

/* ---- small parts ---- */

/* "SPAN_KIND_CLIENT", "SpanKind.CLIENT", "Client"; numbers as OTLP has them, the JS SDK's one less. */
static uint8_t kind_of(struct str text, bool is_js)
{
    static const char *const names[] = {
        "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"
    };
    int64_t number;
    if (str_to_i64(text, &number)) {
        if (is_js) number++;
        return number >= 0 && number <= SPAN_CONSUMER ? (uint8_t)number : SPAN_UNSPECIFIED;
    }
    if (str_starts(text, "SPAN_KIND_")) text = str_make(text.p + 10, text.n - 10);
    if (str_starts(text, "SpanKind.")) text = str_make(text.p + 9, text.n - 9);
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is_nocase(text, names[i])) return (uint8_t)i;
    return SPAN_UNSPECIFIED;
}

static uint8_t status_of(struct str text)
{
    if (str_starts(text, "STATUS_CODE_")) text = str_make(text.p + 12, text.n - 12);
    if (str_starts(text, "StatusCode.")) text = str_make(text.p + 11, text.n - 11);
    if (str_is_nocase(text, "OK") || str_is(text, "1")) return 1;
    return str_is_nocase(text, "ERROR") || str_is(text, "2") ? 2 : 0;
}

static void read_status(struct span_dict *d, struct record_sink *s)
{
    struct str key;
    struct json_reader *r = import_resume(&d->part[P_STATUS], s, JSON_OBJECT);
    if (r == NULL) {
        struct import_later *alone = &d->part[P_STATUS];
        if (alone->known) json_scalar_text(&alone->at, s, &d->status_code);
        return;
    }
    json_object(r);
    while (import_field(r, &key)) {
        if (is_one_of(key, "code", "status_code", "statusCode"))
            json_scalar_text(r, s, &d->status_code);
        else if (is_one_of(key, "message", "description", NULL))
            json_scalar_text(r, s, &s->record.span.status_message);
        else
            json_skip(r);
    }
}

static void read_context(struct json_reader *r, struct record_sink *s, struct str *trace_id,
                         struct str *span_id, struct str *trace_state)
{
    struct str key;
    if (!json_object(r)) return;
    while (import_field(r, &key)) {
        if (is_one_of(key, "trace_id", "traceId", NULL))
            json_scalar_text(r, s, trace_id);
        else if (is_one_of(key, "span_id", "spanId", NULL))
            json_scalar_text(r, s, span_id);
        else if (trace_state != NULL && is_one_of(key, "trace_state", "traceState", NULL) &&
                 json_peek(r) == JSON_STRING)
            json_string(r, trace_state);
        else
            json_skip(r);
    }
}

static void read_contexts(struct span_dict *d, struct record_sink *s)
{
    struct str ignored = STR("");
    struct json_reader *r = import_resume(&d->part[P_CONTEXT], s, JSON_OBJECT);
    if (r != NULL) read_context(r, s, &d->trace_id, &d->span_id, &s->record.span.trace_state);
    r = import_resume(&d->part[P_PARENT_CONTEXT], s, JSON_OBJECT);
    if (r != NULL)
        read_context(r, s, &ignored, &d->parent_id, NULL);
    else if ((r = import_resume(&d->part[P_PARENT_CONTEXT], s, JSON_STRING)) != NULL)
        json_string(r, &d->parent_id);
}

/* A duration: [s, ns], ISO 8601, or a number of seconds. */
static bool read_duration(struct span_dict *d, struct record_sink *s, int64_t *ns)
{
    struct import_later *l = &d->part[P_DURATION];
    struct json_reader *r;
    struct str text;
    double v;
    if ((r = import_resume(l, s, JSON_ARRAY)) != NULL) return import_time(r, ns);
    if ((r = import_resume(l, s, JSON_STRING)) != NULL)
        return json_string(r, &text) && import_iso_duration(text, ns);
    if ((r = import_resume(l, s, JSON_NUMBER)) != NULL && json_double(r, &v) && v >= 0 && v < 9e9) {
        *ns = (int64_t)(v * 1e9 + 0.5);
        return true;
    }
    return false;
}

/* ---- events and links ---- */

static void read_event(struct json_reader *r, struct record_sink *s)
{
    struct import_later attributes = { .known = false };
    struct str key, name = STR("");
    struct json_writer w;
    int64_t ns = 0;
    if (!json_object(r)) return;
    while (import_field(r, &key)) {
        if (is_one_of(key, "name", "event_name", NULL))
            json_scalar_text(r, s, &name);
        else if (is_one_of(key, "timestamp", "time", "time_unix_nano") || str_is(key, "timeUnixNano"))
            import_time(r, &ns);
        else if (is_one_of(key, "attributes", "event_attributes", "body"))
            import_postpone(r, &attributes);
        else
            json_skip(r);
    }
    record_event_begin(s, &w, name, (uint64_t)ns);
    struct json_reader *of = import_resume(&attributes, s, JSON_OBJECT);
    if (of != NULL) {
        json_put_key(&w, STR("attributes"));
        json_copy(of, &w);
    }
    record_item_end(&w);
}

/* TRAIL keeps a span's log records inside it: events named log, with all they say. */
static void read_log(struct json_reader *r, struct record_sink *s)
{
    struct json_reader all = *r;
    struct str key;
    struct json_writer w;
    int64_t ns = 0;
    if (!json_object(r)) return;
    while (import_field(r, &key)) {
        if (str_is(key, "timestamp"))
            import_time(r, &ns);
        else
            json_skip(r);
    }
    record_event_begin(s, &w, STR("log"), (uint64_t)ns);
    json_put_key(&w, STR("attributes"));
    json_copy(&all, &w);
    record_item_end(&w);
}

static void read_link(struct json_reader *r, struct record_sink *s)
{
    struct import_later attributes = { .known = false };
    struct str key, trace_text = STR(""), span_text = STR("");
    uint8_t trace_id[16], span_id[8];
    struct json_writer w;
    bool exact;
    if (!json_object(r)) return;
    while (import_field(r, &key)) {
        if (is_one_of(key, "trace_id", "traceId", NULL))
            json_scalar_text(r, s, &trace_text);
        else if (is_one_of(key, "span_id", "spanId", NULL))
            json_scalar_text(r, s, &span_text);
        else if (is_one_of(key, "context", "spanContext", NULL) && json_peek(r) == JSON_OBJECT)
            read_context(r, s, &trace_text, &span_text, NULL);
        else if (str_is(key, "attributes"))
            import_postpone(r, &attributes);
        else
            json_skip(r);
    }
    bool has_trace = import_id(trace_text, sizeof trace_id, trace_id, &exact);
    bool has_span = import_id(span_text, sizeof span_id, span_id, &exact);
    record_link_begin(s, &w, str_make(trace_id, has_trace ? sizeof trace_id : 0),
                      str_make(span_id, has_span ? sizeof span_id : 0));
    struct json_reader *of = import_resume(&attributes, s, JSON_OBJECT);
    if (of != NULL) {
        json_put_key(&w, STR("attributes"));
        json_copy(of, &w);
    }
    record_item_end(&w);
}

static void each_item(struct import_later *l, struct record_sink *s,
                      void (*read)(struct json_reader *, struct record_sink *))
{
    struct json_reader *r = import_resume(l, s, JSON_ARRAY);
    if (r == NULL) return;
    json_array(r);
    while (json_next(r)) {
        if (json_peek(r) == JSON_OBJECT)
            read(r, s);
        else
            json_skip(r);
    }
}

/* ---- where it is from ---- */

/* {"attributes": {...}} or the attributes themselves. */
static void read_resource(struct span_dict *d, struct record_sink *s, struct attr_list *l)
{
    struct json_reader *r = import_resume(&d->part[P_RESOURCE], s, JSON_OBJECT), inside;
    struct str key;
    if (r == NULL) return;
    struct json_reader flat = *r;
    json_object(r);
    while (import_field(r, &key)) {
        if (is_one_of(key, "attributes", "_attributes", NULL) && json_peek(r) == JSON_OBJECT) {
            inside = *r;
            import_put_all(&inside, s, l, "");
            return;
        }
        json_skip(r);
    }
    import_put_all(&flat, s, l, "");
}

static void read_scope(struct span_dict *d, struct record_sink *s)
{
    struct json_reader *r = import_resume(&d->part[P_SCOPE], s, JSON_OBJECT);
    struct str key;
    if (r == NULL) return;
    json_object(r);
    while (import_field(r, &key)) {
        if (str_is(key, "name"))
            json_scalar_text(r, s, &d->scope_name);
        else if (str_is(key, "version"))
            json_scalar_text(r, s, &d->scope_version);
        else
            json_skip(r);
    }
}

static void put_origin(struct span_dict *d, struct import_run *q)
{
    struct record_sink *s = &q->sink;
    q->resource.n = 0;
    read_resource(d, s, &q->resource);
    read_scope(d, s);
    import_put_service(q, d->service);
    record_origin_of(s, q->resource.at, q->resource.n, d->scope_name, d->scope_version);
}

/* ---- a span ---- */

static void read_key(struct json_reader *r, struct str key, struct span_dict *d, struct record_sink *s)
{
    struct record *to = &s->record;
    for (size_t i = 0; i < COUNT(parts); i++)
        if (str_is(key, parts[i].key) && !(parts[i].part == P_CONTEXT && json_peek(r) != JSON_OBJECT)) {
            import_postpone(r, &d->part[parts[i].part]);
            return;
        }
    if (is_one_of(key, "trace_id", "traceId", NULL))
        json_scalar_text(r, s, &d->trace_id);
    else if (is_one_of(key, "span_id", "spanId", NULL))
        json_scalar_text(r, s, &d->span_id);
    else if (is_one_of(key, "parent_span_id", "parentSpanId", "parent_id"))
        json_scalar_text(r, s, &d->parent_id);
    else if (is_one_of(key, "name", "span_name", "spanName"))
        json_scalar_text(r, s, &to->span.name);
    else if (is_one_of(key, "start_time", "startTime", "timestamp") || str_is(key, "start_time_unix_nano"))
        d->has_start = import_time(r, &d->start_ns);
    else if (is_one_of(key, "end_time", "endTime", "end_time_unix_nano"))
        d->has_end = import_time(r, &d->end_ns);
    else if (is_one_of(key, "trace_state", "traceState", NULL))
        json_scalar_text(r, s, &to->span.trace_state);
    else if (is_one_of(key, "status_code", "statusCode", NULL))
        json_scalar_text(r, s, &d->status_code);
    else if (is_one_of(key, "status_message", "statusMessage", NULL))
        json_scalar_text(r, s, &to->span.status_message);
    else if (is_one_of(key, "service_name", "serviceName", NULL))
        json_scalar_text(r, s, &d->service);
    else if (is_one_of(key, "scope_name", "scopeName", NULL))
        json_scalar_text(r, s, &d->scope_name);
    else if (is_one_of(key, "scope_version", "scopeVersion", NULL))
        json_scalar_text(r, s, &d->scope_version);
    else
        import_put(r, s, &s->attrs, key);
}

static void put_around(struct record_sink *s, const struct around *around)
{
    struct json_reader r = around->whole.at;
    struct str key;
    if (!around->whole.known) return;
    r.arena = s->at;
    json_object(&r);
    while (import_field(&r, &key)) {
        if (is_one_of(key, "spans", "trace_id", "traceId"))
            json_skip(&r);
        else
            import_put(&r, s, &s->attrs, arena_printf(s->at, "trace.%.*s", STR_ARG(key)));
    }
}

static bool put_times(struct span_dict *d, struct record_sink *s)
{
    struct record *to = &s->record;
    int64_t ns;
    if (!d->has_start && !d->has_end) return false;
    to->time_ns = d->has_start ? d->start_ns : d->end_ns;
    if (d->has_end && d->end_ns < to->time_ns) {
        s->altered = true;
        record_put(s, &s->attrs, STR("vedette.clock_skew_ns"), value_int(to->time_ns - d->end_ns));
    } else if (d->has_end)
        to->span.duration_ns = d->end_ns - to->time_ns;
    else
        to->span.duration_ns = read_duration(d, s, &ns) ? ns : SPAN_UNFINISHED;
    return true;
}

static bool put_ids(struct span_dict *d, struct record_sink *s)
{
    struct record *to = &s->record;
    if (!import_put_id(s, d->trace_id, sizeof to->trace_id, to->trace_id, "vedette.import.trace_id") ||
        !import_put_id(s, d->span_id, sizeof to->span_id, to->span_id, "vedette.import.span_id"))
        return false;
    import_put_id(s, d->parent_id, sizeof to->span.parent_id, to->span.parent_id,
                  "vedette.import.parent_span_id");
    return true;
}

static void put_parts(struct span_dict *d, struct record_sink *s)
{
    struct str kind = STR("");
    struct json_reader *r = import_resume(&d->part[P_ATTRIBUTES], s, JSON_OBJECT);
    if (r != NULL) import_put_all(r, s, &s->attrs, "");
    if (d->part[P_KIND].known) json_scalar_text(&d->part[P_KIND].at, s, &kind);
    s->record.span.kind = kind_of(kind, d->is_js);
    read_status(d, s);
    s->record.span.status = status_of(d->status_code);
    each_item(&d->part[P_EVENTS], s, read_event);
    each_item(&d->part[P_LINKS], s, read_link);
    each_item(&d->part[P_LOGS], s, read_log);
}

static int refuse(struct record_sink *s, const struct span_dict *d, bool has_ids)
{
    if (!has_ids)
        record_refuse(s, REJECT_record_id, "%s id missing or all zeros",
                      d->trace_id.n == 0 ? "trace" : "span");
    else
        record_refuse(s, REJECT_record_time, "neither start nor end, or not a time");
    return OK;
}

static int spans_in(struct import_run *, struct json_reader *, const struct around *);

static int add_span(struct import_run *q, struct span_dict *d, const struct around *around, bool is_first)
{
    struct record_sink *s = &q->sink;
    read_contexts(d, s);
    if (d->trace_id.n == 0) d->trace_id = around->trace_id;
    if (d->parent_id.n == 0) d->parent_id = around->parent_id;
    bool has_ids = put_ids(d, s);
    if (!has_ids || !put_times(d, s)) return refuse(s, d, has_ids);
    put_parts(d, s);
    if (d->parent_id.n == 0 || (is_first && !around->has_root)) put_around(s, around);
    put_origin(d, q);
    return record_add(s, q->err);
}

static int span(struct import_run *q, struct json_reader *r, const struct around *around, bool is_first)
{
    struct record_sink *s = &q->sink;
    struct span_dict d = { .has_start = false };
    struct str key;
    record_begin(s);
    r->arena = &q->whole; /* ids outlive the record, for those within */
    s->record.span.duration_ns = 0;
    json_object(r);
    while (import_field(r, &key)) read_key(r, key, &d, s);
    if (r->failed) return OK;
    d.is_js = d.part[P_CONTEXT].known && json_peek(&d.part[P_CONTEXT].at) == JSON_OBJECT;

    int rc = add_span(q, &d, around, is_first);
    struct import_later *children = &d.part[P_CHILDREN];
    if (rc < 0 || !children->known) return rc;
    children->at.arena = &q->whole;
    return spans_in(q, &children->at, &(struct around){ .trace_id = d.trace_id, .parent_id = d.span_id });
}

/* ---- lists ---- */

static bool is_list(struct json_reader r, struct import_later *spans, struct str *trace_id)
{
    struct str key;
    spans->known = false;
    json_object(&r);
    while (import_field(&r, &key)) {
        if (str_is(key, "spans") && json_peek(&r) == JSON_ARRAY)
            import_postpone(&r, spans);
        else if (is_one_of(key, "trace_id", "traceId", NULL) && json_peek(&r) == JSON_STRING)
            json_string(&r, trace_id);
        else
            json_skip(&r);
    }
    return spans->known;
}

static int spans_in(struct import_run *q, struct json_reader *r, const struct around *around)
{
    int rc = OK;
    if (!json_array(r)) return OK;
    for (bool is_first = true; rc == OK && json_next(r); is_first = false) {
        import_at(q, r);
        if (json_peek(r) == JSON_OBJECT)
            rc = span(q, r, around, is_first);
        else if (json_skip(r))
            record_refuse(&q->sink, REJECT_record_field, "expected a span, an object");
    }
    return rc;
}

static int span_or_list(struct import_run *q, struct json_reader *r)
{
    static const char *const parent_keys[] = { "parent_span_id", "parentSpanId", "parent_id", "parent",
                                               "parentSpanContext" };
    struct import_later spans;
    struct around around = { .trace_id = STR("") };
    r->arena = &q->whole;
    if (!is_list(*r, &spans, &around.trace_id)) return span(q, r, &around, false);

    around.has_root = import_any_without(spans.at, parent_keys, COUNT(parent_keys));
    import_postpone(r, &around.whole);
    return r->failed ? OK : spans_in(q, &spans.at, &around);
}

int import_span_dicts(struct str body, const struct record_options *options, struct records *out,
                      struct record_report *report, struct err *e)
{
    check(out->table == TABLE_SPANS);
    return import_each(body, options, out, report, e, span_or_list);
}
