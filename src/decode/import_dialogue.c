/* import_dialogue.c - runs of agents that were kept as a list of messages: Who&When and tau-bench.
 *
 * A run is a trace: a span for the run, and under it one for each message. The file has neither ids nor
 * times, so ids are hashes of the run's text, and a message takes a second: message i from second i to i + 1,
 * the run from the first to the last. The run itself starts at record_options.now_ns plus a part of a day
 * that its hash decides, so that the runs of a file do not lie on one another. Nothing measured may be read
 * from these times, and the attribute vedette.import.synthetic_time on every span says so. */
#include "base/check.h"
#include "decode/import_run.h"

#define NS_PER_S      INT64_C(1000000000)
#define SECONDS_A_DAY 86400
#define MESSAGES_MAX  1000000 /* 11 days in seconds */

struct message {
    struct str role, name, call_id;
};

struct dialogue {
    const char *format, *prefix; /* service.name; of the attributes of the run */
    const char *messages;        /* the key of the list */
    void (*describe)(struct record_sink *, struct str name, const struct dialogue *, const struct message *,
                     size_t i);
    /* of the run at hand */
    struct hash128 hash;
    int64_t begin_ns;
    struct import_later list;
    size_t n;
    struct str title, mistake_step;
};

static int begin_span(struct import_run *q, const struct dialogue *d, uint64_t number, int64_t start_ns,
                      int64_t seconds)
{
    struct record_sink *s = &q->sink;
    struct attr resource = { STR("service.name"), value_str(str_of(d->format)) };
    if (__builtin_add_overflow(d->begin_ns, start_ns, &s->record.time_ns)) {
        record_refuse(s, REJECT_record_time, "time beyond the year 2262");
        return ERR_RANGE;
    }
    s->record.span.duration_ns = seconds * NS_PER_S;
    s->record.span.kind = SPAN_INTERNAL;
    import_make_id(d->hash, 0, sizeof s->record.trace_id, s->record.trace_id);
    import_make_id(d->hash, number + 1, sizeof s->record.span_id, s->record.span_id);
    record_put(s, &s->attrs, STR("vedette.import.synthetic_time"), value_bool(true));
    record_origin_of(s, &resource, 1, STR(""), STR(""));
    return OK;
}

/* ---- the run ---- */

static void put_run(struct import_run *q, struct dialogue *d, struct json_reader r)
{
    struct record_sink *s = &q->sink;
    struct str key;
    r.arena = s->at;
    json_object(&r);
    while (import_field(&r, &key)) {
        if (str_is(key, d->messages))
            json_skip(&r);
        else
            json_flatten(&r, s, &s->attrs, arena_printf(s->at, "%s.%.*s", d->prefix, STR_ARG(key)), 2);
    }
}

static int add_run(struct import_run *q, struct dialogue *d, const struct json_reader *whole)
{
    struct record_sink *s = &q->sink;
    record_begin(s);
    if (begin_span(q, d, 0, 0, (int64_t)d->n) < 0) return OK;
    s->record.span.name = record_text(s, d->title);
    record_put_text(s, &s->attrs, STR("gen_ai.operation.name"), STR("invoke_workflow"));
    put_run(q, d, *whole);
    return record_add(s, q->err);
}

/* ---- a message ---- */

static struct message look(struct json_reader r, struct record_sink *s)
{
    struct message m = { .role = STR("") };
    struct str key;
    r.arena = s->at;
    json_object(&r);
    while (import_field(&r, &key)) {
        if (str_is(key, "role"))
            json_scalar_text(&r, s, &m.role);
        else if (str_is(key, "name"))
            json_scalar_text(&r, s, &m.name);
        else if (str_is(key, "tool_call_id"))
            json_scalar_text(&r, s, &m.call_id);
        else
            json_skip(&r);
    }
    return m;
}

static int add_message(struct import_run *q, struct dialogue *d, struct json_reader *r, size_t i)
{
    struct record_sink *s = &q->sink;
    record_begin(s);
    r->arena = s->at;
    struct message m = look(*r, s);
    import_make_id(d->hash, 1, sizeof s->record.span.parent_id, s->record.span.parent_id);
    if (begin_span(q, d, i + 1, (int64_t)i * NS_PER_S, 1) < 0) return json_skip(r), OK;
    record_put(s, &s->attrs, STR("message.index"), value_int((int64_t)i));
    d->describe(s, record_text(s, m.role), d, &m, i);
    import_put_all(r, s, &s->attrs, "message");
    return r->failed ? OK : record_add(s, q->err);
}

static size_t count_messages(struct json_reader r)
{
    size_t n = 0;
    json_array(&r);
    for (; json_next(&r); n++) json_skip(&r);
    return n;
}

static void find_list(struct json_reader *r, struct record_sink *s, struct dialogue *d)
{
    struct str key;
    json_object(r);
    while (import_field(r, &key)) {
        if (str_is(key, d->messages) && json_peek(r) == JSON_ARRAY)
            import_postpone(r, &d->list);
        else if (str_is(key, "mistake_step"))
            json_scalar_text(r, s, &d->mistake_step);
        else
            json_skip(r);
    }
}

static int dialogue(struct import_run *q, struct json_reader *r, struct dialogue *d)
{
    r->arena = &q->whole;
    struct json_reader whole = *r;
    const char *begin = r->p;
    find_list(r, &q->sink, d);
    if (r->failed) return OK;
    if (!d->list.known) return json_fail(r, "no list of messages"), OK;

    d->hash = hash128(begin, (size_t)(r->p - begin));
    d->n = count_messages(d->list.at);
    if (d->n > MESSAGES_MAX) return json_fail(r, "more than 1000000 messages"), OK;
    d->begin_ns = q->sink.options->now_ns + (int64_t)(d->hash.lo % SECONDS_A_DAY) * NS_PER_S;

    int rc = add_run(q, d, &whole);
    struct json_reader *of = &d->list.at;
    json_array(of);
    for (size_t i = 0; rc == OK && json_next(of); i++) {
        import_at(q, of);
        if (json_peek(of) == JSON_OBJECT)
            rc = add_message(q, d, of, i);
        else if (json_skip(of))
            record_refuse(&q->sink, REJECT_record_field, "expected a message, an object");
    }
    return rc;
}

/* ---- Who&When: {question, history: [{role, content}], mistake_agent, mistake_step, ...} ---- */

/* "Orchestrator (-> WebSurfer)" is the Orchestrator's. */
static void describe_step(struct record_sink *s, struct str role, const struct dialogue *d,
                          const struct message *m, size_t i)
{
    struct str rest, agent = str_trim(str_cut(role, '(', &rest));
    int64_t mistake;
    (void)m;
    s->record.span.name = role.n > 0 ? role : STR("message");
    if (!str_is(role, "human") && agent.n > 0) {
        record_put(s, &s->attrs, STR("gen_ai.operation.name"), value_str(STR("invoke_agent")));
        record_put(s, &s->attrs, STR("gen_ai.agent.name"), value_str(agent));
    }
    if (d->mistake_step.n > 0 && str_to_i64(d->mistake_step, &mistake) && mistake >= 0 &&
        (size_t)mistake == i)
        record_put(s, &s->attrs, STR("who_and_when.is_mistake"), value_bool(true));
}

static int who_and_when(struct import_run *q, struct json_reader *r)
{
    struct dialogue d = { .format = "who_and_when",
                          .prefix = "who_and_when",
                          .messages = "history",
                          .title = STR("who_and_when run"),
                          .describe = describe_step };
    return dialogue(q, r, &d);
}

int import_who_and_when(struct str body, const struct record_options *options, struct records *out,
                        struct record_report *report, struct err *e)
{
    check(out->table == TABLE_SPANS);
    return import_each(body, options, out, report, e, who_and_when);
}

/* ---- tau-bench: [{task_id, trial, reward, info, traj: [message as OpenAI has it]}] ---- */

static void describe_turn(struct record_sink *s, struct str role, const struct dialogue *d,
                          const struct message *m, size_t i)
{
    (void)d, (void)i;
    if (str_is(role, "assistant")) {
        s->record.span.name = STR("chat");
        s->record.span.kind = SPAN_CLIENT;
        record_put(s, &s->attrs, STR("gen_ai.operation.name"), value_str(STR("chat")));
    } else if (str_is(role, "tool")) {
        struct str tool = record_text(s, m->name);
        s->record.span.name = arena_printf(s->at, "execute_tool %.*s", STR_ARG(tool));
        record_put(s, &s->attrs, STR("gen_ai.operation.name"), value_str(STR("execute_tool")));
        record_put_text(s, &s->attrs, STR("gen_ai.tool.name"), tool);
        record_put_text(s, &s->attrs, STR("gen_ai.tool.call.id"), m->call_id);
    } else
        s->record.span.name = arena_printf(s->at, "%.*s message", STR_ARG(role));
}

static int tau_bench(struct import_run *q, struct json_reader *r)
{
    struct dialogue d = { .format = "tau_bench",
                          .prefix = "tau_bench",
                          .messages = "traj",
                          .title = STR("tau_bench run"),
                          .describe = describe_turn };
    return dialogue(q, r, &d);
}

int import_tau_bench(struct str body, const struct record_options *options, struct records *out,
                     struct record_report *report, struct err *e)
{
    check(out->table == TABLE_SPANS);
    return import_each(body, options, out, report, e, tau_bench);
}
