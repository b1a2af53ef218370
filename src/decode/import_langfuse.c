/* import_langfuse.c - what Langfuse exports: a trace, its observations and scores.
 *
 *     {"trace": {"id", "name", "sessionId", ..., "scores": []}, "observations": [{"id", "traceId", ...}]}
 *     {"id", "name", ..., "observations": [...]}                            the same as its API answers it
 *
 * An observation is a span. Its fields become attributes langfuse.observation.* (those that Langfuse's own
 * OTLP endpoint reads under another name keep that name), then come the attributes of the original span,
 * which Langfuse keeps as JSON in `metadata`, so that these win. What the trace says is put on the
 * observations without a parent, or when all have one (an export of a part) on the first. Scores are events
 * gen_ai.evaluation.result of the observation they are about, else of the same as what the trace says. */
#include <stdlib.h>

#include "base/check.h"
#include "decode/import_run.h"

struct score {
    struct str observation; /* empty: of the trace */
    struct json_reader at;
};

struct export
{
    struct import_later trace, observations, scores;
    struct str trace_id, trace_name;
    struct score *score; /* by observation */
    size_t n_scores, cap_scores;
    bool has_root;
};

struct observation {
    struct str id, trace_id, parent_id, type, level;
    struct import_later metadata;
    struct str scope_name, scope_version;
    int64_t start_ns, end_ns;
    bool has_start, has_end, is_root;
};

/* Keys whose attribute is not langfuse.observation.KEY_IN_SNAKE_CASE. */
static const struct {
    const char *key, *attribute;
} names[] = {
    { "model", "langfuse.observation.model.name" },
    { "modelParameters", "langfuse.observation.model.parameters" },
    { "promptName", "langfuse.observation.prompt.name" },
    { "promptVersion", "langfuse.observation.prompt.version" },
    { "environment", "langfuse.environment" },
    { "version", "langfuse.version" },
};

static const struct {
    const char *key, *attribute;
} trace_names[] = {
    { "sessionId", "session.id" },
    { "userId", "user.id" },
    { "environment", "langfuse.environment" },
    { "release", "langfuse.release" },
    { "version", "langfuse.version" },
};

/* ---- scores ---- */

static int by_observation(const void *a, const void *b)
{
    const struct score *x = a, *y = b;
    int order = str_cmp(x->observation, y->observation);
    return order ? order : (x->at.p > y->at.p) - (x->at.p < y->at.p);
}

static void find_scores(struct export *x, struct arena *a)
{
    struct str key;
    struct json_reader *r = &x->scores.at;
    if (!x->scores.known || json_peek(r) != JSON_ARRAY) return;
    json_array(r);
    while (json_next(r)) {
        struct score s = { STR(""), *r };
        if (json_peek(r) != JSON_OBJECT) {
            json_skip(r);
            continue;
        }
        json_object(r);
        while (import_field(r, &key)) {
            if (str_is(key, "observationId") && json_peek(r) == JSON_STRING)
                json_string(r, &s.observation);
            else
                json_skip(r);
        }
        if (r->failed) return;
        x->score = arena_grow(a, x->score, x->n_scores, &x->cap_scores, sizeof *x->score);
        x->score[x->n_scores++] = s;
    }
    if (x->n_scores) qsort(x->score, x->n_scores, sizeof *x->score, by_observation);
}

static size_t first_score(const struct export *x, struct str observation)
{
    size_t lo = 0, hi = x->n_scores;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (str_cmp(x->score[mid].observation, observation) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct str score_attribute(struct record_sink *s, struct str key)
{
    if (str_is(key, "name")) return STR("gen_ai.evaluation.name");
    if (str_is(key, "value")) return STR("gen_ai.evaluation.score.value");
    if (str_is(key, "stringValue")) return STR("gen_ai.evaluation.score.label");
    if (str_is(key, "comment")) return STR("gen_ai.evaluation.explanation");
    return import_snake(s, "langfuse.score.", key);
}

static void put_score(struct record_sink *s, const struct score *score)
{
    struct json_reader first = score->at, r = score->at;
    struct json_writer w;
    struct str key;
    int64_t ns = 0;
    first.arena = r.arena = s->at;
    json_object(&first);
    while (import_field(&first, &key)) {
        if (str_is(key, "timestamp"))
            import_time(&first, &ns);
        else
            json_skip(&first);
    }
    record_event_begin(s, &w, STR("gen_ai.evaluation.result"), (uint64_t)ns);
    json_put_key(&w, STR("attributes"));
    json_begin_object(&w);
    json_object(&r);
    while (import_field(&r, &key)) {
        if (import_is_empty(r)) {
            json_skip(&r);
            continue;
        }
        json_put_key(&w, score_attribute(s, key));
        json_copy(&r, &w);
    }
    json_end_object(&w);
    record_item_end(&w);
}

static void put_scores(struct record_sink *s, const struct export *x, struct str observation)
{
    for (size_t i = first_score(x, observation);
         i < x->n_scores && str_eq(x->score[i].observation, observation); i++)
        put_score(s, &x->score[i]);
}

/* ---- the original span, in metadata ---- */

static void read_scope(struct json_reader *r, struct record_sink *s, struct observation *o)
{
    struct str key;
    json_object(r);
    while (import_field(r, &key)) {
        if (str_is(key, "name"))
            json_scalar_text(r, s, &o->scope_name);
        else if (str_is(key, "version"))
            json_scalar_text(r, s, &o->scope_version);
        else
            import_put(r, s, &s->attrs, import_snake(s, "otel.scope.", key));
    }
}

static void read_metadata(struct json_reader *r, struct import_run *q, struct observation *o)
{
    struct record_sink *s = &q->sink;
    struct str key;
    json_object(r);
    while (import_field(r, &key)) {
        bool object = json_peek(r) == JSON_OBJECT;
        if (object && str_is(key, "attributes"))
            import_put_all(r, s, &s->attrs, "");
        else if (object && str_is(key, "resourceAttributes"))
            import_put_all(r, s, &q->resource, "");
        else if (object && str_is(key, "scope"))
            read_scope(r, s, o);
        else
            import_put(r, s, &s->attrs,
                       arena_printf(s->at, "langfuse.observation.metadata.%.*s", STR_ARG(key)));
    }
}

/* Metadata is an object, or one written as text; any other text is kept as it is. */
static void put_metadata(struct import_run *q, struct observation *o)
{
    struct record_sink *s = &q->sink;
    struct json_reader inside, *r = import_resume(&o->metadata, s, JSON_OBJECT);
    struct str text;
    if (r != NULL) {
        read_metadata(r, q, o);
        return;
    }
    r = import_resume(&o->metadata, s, JSON_STRING);
    if (r == NULL || !json_string(r, &text) || text.n == 0) return;
    json_open(&inside, text, s->at);
    inside.repair = true;
    bool object = json_peek(&inside) == JSON_OBJECT && json_skip(&inside) && json_close(&inside, NULL) == OK;
    json_open(&inside, text, s->at);
    inside.repair = true;
    if (object)
        read_metadata(&inside, q, o);
    else
        record_put_text(s, &s->attrs, STR("langfuse.observation.metadata"), text);
}

/* ---- the trace, on its roots ---- */

static struct str trace_attribute(struct record_sink *s, struct str key)
{
    for (size_t i = 0; i < COUNT(trace_names); i++)
        if (str_is(key, trace_names[i].key)) return str_of(trace_names[i].attribute);
    return import_snake(s, "langfuse.trace.", key);
}

static void put_trace(struct record_sink *s, const struct export *x)
{
    struct json_reader r = x->trace.at;
    struct str key;
    if (!x->trace.known) return;
    r.arena = s->at;
    json_object(&r);
    while (import_field(&r, &key)) {
        if (str_is(key, "observations") || str_is(key, "scores") || str_is(key, "id"))
            json_skip(&r);
        else
            import_put(&r, s, &s->attrs, trace_attribute(s, key));
    }
}

/* ---- observations ---- */

static struct str attribute_of(struct record_sink *s, struct str key)
{
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is(key, names[i].key)) return str_of(names[i].attribute);
    return import_snake(s, "langfuse.observation.", key);
}

static void read_key(struct json_reader *r, struct str key, struct observation *o, struct record_sink *s)
{
    if (str_is(key, "id"))
        json_scalar_text(r, s, &o->id);
    else if (str_is(key, "traceId"))
        json_scalar_text(r, s, &o->trace_id);
    else if (str_is(key, "parentObservationId"))
        json_scalar_text(r, s, &o->parent_id);
    else if (str_is(key, "name"))
        json_scalar_text(r, s, &s->record.span.name);
    else if (str_is(key, "startTime"))
        o->has_start = import_time(r, &o->start_ns);
    else if (str_is(key, "endTime"))
        o->has_end = import_time(r, &o->end_ns);
    else if (str_is(key, "metadata"))
        import_postpone(r, &o->metadata);
    else {
        struct json_reader once_more = *r;
        if (str_is(key, "type") && json_peek(r) == JSON_STRING) {
            json_string(r, &o->type);
            *r = once_more;
        } else if (str_is(key, "level") && json_peek(r) == JSON_STRING) {
            json_string(r, &o->level);
            *r = once_more;
        } else if (str_is(key, "statusMessage"))
            json_scalar_text(&once_more, s, &s->record.span.status_message);
        import_put(r, s, &s->attrs, attribute_of(s, key));
    }
}

static bool put_ids(struct record_sink *s, struct observation *o)
{
    struct record *to = &s->record;
    import_put_id(s, o->parent_id, sizeof to->span.parent_id, to->span.parent_id,
                  "vedette.import.parent_span_id");
    return import_put_id(s, o->trace_id, sizeof to->trace_id, to->trace_id, "vedette.import.trace_id") &&
           import_put_id(s, o->id, sizeof to->span_id, to->span_id, "vedette.import.span_id");
}

static void put_times(struct record_sink *s, const struct observation *o)
{
    struct record *to = &s->record;
    to->time_ns = o->has_start ? o->start_ns : o->end_ns;
    if (!o->has_end)
        to->span.duration_ns = str_is(o->type, "EVENT") ? 0 : SPAN_UNFINISHED;
    else if (o->end_ns >= to->time_ns)
        to->span.duration_ns = o->end_ns - to->time_ns;
    else {
        s->altered = true;
        record_put(s, &s->attrs, STR("vedette.clock_skew_ns"), value_int(to->time_ns - o->end_ns));
    }
}

static int add_observation(struct import_run *q, struct observation *o, const struct export *x)
{
    struct record_sink *s = &q->sink;
    if (o->trace_id.n == 0) o->trace_id = x->trace_id;
    if (!put_ids(s, o)) {
        record_refuse(s, REJECT_record_id, "observation without id or trace id");
        return OK;
    }
    if (!o->has_start && !o->has_end) {
        record_refuse(s, REJECT_record_time, "observation without startTime");
        return OK;
    }
    put_times(s, o);
    s->record.span.kind =
        str_is(o->type, "GENERATION") || str_is(o->type, "EMBEDDING") ? SPAN_CLIENT : SPAN_INTERNAL;
    s->record.span.status = str_is(o->level, "ERROR") ? 2 : 0;
    if (x->trace_name.n > 0) record_put_text(s, &s->attrs, STR("langfuse.trace.name"), x->trace_name);
    if (o->is_root) put_trace(s, x);
    q->resource.n = 0;
    put_metadata(q, o);
    put_scores(s, x, o->id);
    if (o->is_root) put_scores(s, x, STR(""));
    import_put_service(q, STR("langfuse"));
    record_origin_of(s, q->resource.at, q->resource.n, o->scope_name, o->scope_version);
    return record_add(s, q->err);
}

static int observation(struct import_run *q, struct json_reader *r, const struct export *x, bool is_first)
{
    struct observation o = { .has_start = false };
    struct str key;
    record_begin(&q->sink);
    r->arena = q->sink.at;
    json_object(r);
    while (import_field(r, &key)) read_key(r, key, &o, &q->sink);
    if (r->failed) return OK;
    o.is_root = o.parent_id.n == 0 || (is_first && !x->has_root);
    return add_observation(q, &o, x);
}

/* ---- the file ---- */

static void find_in_trace(struct json_reader r, struct export *x)
{
    struct str key;
    json_object(&r);
    while (import_field(&r, &key)) {
        if (str_is(key, "id") && json_peek(&r) == JSON_STRING)
            json_string(&r, &x->trace_id);
        else if (str_is(key, "name") && json_peek(&r) == JSON_STRING)
            json_string(&r, &x->trace_name);
        else if (str_is(key, "scores"))
            import_postpone(&r, &x->scores);
        else if (str_is(key, "observations") && !x->observations.known)
            import_postpone(&r, &x->observations);
        else
            json_skip(&r);
    }
}

static bool find_parts(struct json_reader *r, struct export *x)
{
    struct json_reader whole = *r;
    struct str key;
    json_object(r);
    while (import_field(r, &key)) {
        if (str_is(key, "trace") && json_peek(r) == JSON_OBJECT)
            import_postpone(r, &x->trace);
        else if (str_is(key, "observations"))
            import_postpone(r, &x->observations);
        else
            json_skip(r);
    }
    if (r->failed) return false;
    if (!x->trace.known) x->trace = (struct import_later){ whole, true };
    find_in_trace(x->trace.at, x);
    return x->observations.known && json_peek(&x->observations.at) == JSON_ARRAY;
}

static int export_of(struct import_run *q, struct json_reader *r)
{
    struct export x = { .n_scores = 0 };
    int rc = OK;
    r->arena = &q->whole;
    if (!find_parts(r, &x)) {
        if (!r->failed) json_fail(r, "no observations: not an export of a trace");
        return OK;
    }
    find_scores(&x, &q->whole);
    static const char *const parent_keys[] = { "parentObservationId" };
    struct json_reader *of = &x.observations.at;
    x.has_root = import_any_without(*of, parent_keys, COUNT(parent_keys));
    json_array(of);
    for (bool is_first = true; rc == OK && json_next(of); is_first = false) {
        import_at(q, of);
        if (json_peek(of) == JSON_OBJECT)
            rc = observation(q, of, &x, is_first);
        else if (json_skip(of))
            record_refuse(&q->sink, REJECT_record_field, "expected an observation, an object");
    }
    return rc;
}

int import_langfuse(struct str body, const struct record_options *options, struct records *out,
                    struct record_report *report, struct err *e)
{
    check(out->table == TABLE_SPANS);
    return import_each(body, options, out, report, e, export_of);
}
