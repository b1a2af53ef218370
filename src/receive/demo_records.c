/* demo_records.c - see demo_records.h. One task is a trace: the agent's span, and below it, one after the
 * other, model calls and tool calls through MCP. Spans and logs are written as OTLP's JSON and decoded like
 * anybody's. */
#include "receive/demo_records.h"

#include <stdio.h>

#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "decode/otlp_logs.h"
#include "decode/otlp_traces.h"
#include "receive/ingest_wait.h"

#define BODY_MAX  (4u << 20)
#define RETRY_MS  1000
#define PAST      48 /* tasks of the past */
#define NS_PER_MS 1000000ull

static const char *const agents[] = { "planner", "researcher", "coder", "reviewer" };
static const struct {
    const char *provider, *name;
    double usd_in, usd_out, seconds_per_token;
} models[] = {
    { "northwind", "large-reasoner", 3e-6, 15e-6, 0.018 },
    { "northwind", "swift-small", 0.25e-6, 1.25e-6, 0.006 },
    { "in-house", "open-70b", 0.6e-6, 0.6e-6, 0.012 },
};
static const struct {
    const char *server, *tool;
    double ms, failure;
} tools[] = {
    { "web-search", "search", 620, 0.03 },
    { "code-runner", "run_tests", 1350, 0.08 },
    { "sql-reader", "query", 180, 0.02 },
    { "browser", "open_page", 2400, 0.1 },
};
static const char *const tasks[] = { "compare supplier offers", "summarise the incident",
                                     "draft the release notes", "find the failing test",
                                     "answer ticket 4711",      "check the invoice totals" };

/* ---- OTLP's JSON ---- */

struct body {
    struct buf text;
    struct json_writer w;
    unsigned agent; /* of the resource at hand */
};

static void attribute_begin(struct json_writer *w, const char *name)
{
    json_begin_object(w);
    json_kv_cs(w, "key", name);
    json_put_key(w, STR("value"));
    json_begin_object(w);
}

static void attribute_end(struct json_writer *w)
{
    json_end_object(w);
    json_end_object(w);
}

static void attribute(struct json_writer *w, const char *name, const char *text)
{
    attribute_begin(w, name);
    json_kv_cs(w, "stringValue", text);
    attribute_end(w);
}

static void attribute_number(struct json_writer *w, const char *name, double v)
{
    attribute_begin(w, name);
    if (v == floor(v))
        json_kv_i64(w, "intValue", (int64_t)v);
    else
        json_kv_double(w, "doubleValue", v);
    attribute_end(w);
}

static void kv_ns(struct json_writer *w, const char *key, uint64_t ns)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)ns);
    json_kv_cs(w, key, text);
}

/* groups: "resourceSpans", items "scopeSpans" and "spans"; or those of logs. */
static void body_begin(struct body *b, const char *groups, const char *scopes, const char *items,
                       unsigned agent)
{
    struct json_writer *w = &b->w;
    char service[32];
    *b = (struct body){ .text = BUF_INIT(BODY_MAX), .agent = agent };
    snprintf(service, sizeof service, "demo-%s", agents[agent]);
    json_writer_init(w, &b->text);
    json_begin_object(w);
    json_put_key(w, str_of(groups));
    json_begin_array(w);
    json_begin_object(w);
    json_put_key(w, STR("resource"));
    json_begin_object(w);
    json_put_key(w, STR("attributes"));
    json_begin_array(w);
    attribute(w, "service.name", service);
    attribute(w, "service.type", "agent");
    attribute(w, "vedette.demo", "yes");
    json_end_array(w);
    json_end_object(w);
    json_put_key(w, str_of(scopes));
    json_begin_array(w);
    json_begin_object(w);
    json_put_key(w, str_of(items));
    json_begin_array(w);
}

static void body_end(struct body *b)
{
    struct json_writer *w = &b->w;
    json_end_array(w);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
}

static void send(struct demo_records *d, struct body *b, enum table table, const atomic_bool *stopping)
{
    struct err e = ERR_INIT;
    body_end(b);
    struct ingest_request *q = ingest_begin(&d->in, NULL);
    int rc = ingest_decode(q, table, table == TABLE_SPANS ? otlp_traces_json : otlp_logs_json,
                           buf_view(&b->text), &e);
    uint64_t n = q->report.accepted;
    if (rc < 0) log_warn("demo", "records not decoded", "error", e.text, NULL);
    if (ingest_write_waiting(q, stopping, RETRY_MS) == OK) d->sent += n;
    buf_release(&b->text);
}

/* ---- a task ---- */

struct task {
    char trace[33];
    uint64_t root, next; /* span ids */
    uint64_t begin_ns, at_ns;
    bool failed;
    unsigned agent, number;
};

static uint64_t random_id(struct demo_random *r)
{
    return (uint64_t)(random_unit(r) * 0x1p53) << 11 | 1;
}

static void span_begin(struct json_writer *w, const struct task *t, uint64_t id, uint64_t parent,
                       const char *name, int kind, uint64_t from_ns, uint64_t to_ns)
{
    char text[17];
    json_begin_object(w);
    json_kv_cs(w, "traceId", t->trace);
    snprintf(text, sizeof text, "%016llx", (unsigned long long)id);
    json_kv_cs(w, "spanId", text);
    snprintf(text, sizeof text, "%016llx", (unsigned long long)parent);
    if (parent != 0) json_kv_cs(w, "parentSpanId", text);
    json_kv_cs(w, "name", name);
    json_kv_i64(w, "kind", kind);
    kv_ns(w, "startTimeUnixNano", from_ns);
    kv_ns(w, "endTimeUnixNano", to_ns);
    json_put_key(w, STR("attributes"));
    json_begin_array(w);
}

static void span_end(struct json_writer *w, bool failed, const char *why)
{
    json_end_array(w);
    json_put_key(w, STR("status"));
    json_begin_object(w);
    json_kv_i64(w, "code", failed ? 2 : 0);
    if (failed) json_kv_cs(w, "message", why);
    json_end_object(w);
    json_end_object(w);
}

static void put_model_call(struct body *b, struct task *t, struct demo_random *r)
{
    size_t m = (size_t)(random_unit(r) * 2.999);
    double in = random_tokens(r, 1800), out = random_tokens(r, 220);
    uint64_t from = t->at_ns, took = (uint64_t)((0.3 + out * models[m].seconds_per_token) * 1e9);
    char name[64];
    snprintf(name, sizeof name, "chat %s", models[m].name);
    t->at_ns += took;
    span_begin(&b->w, t, ++t->next, t->root, name, 3, from, t->at_ns);
    attribute(&b->w, "gen_ai.operation.name", "chat");
    attribute(&b->w, "gen_ai.provider.name", models[m].provider);
    attribute(&b->w, "gen_ai.request.model", models[m].name);
    attribute(&b->w, "gen_ai.agent.name", agents[t->agent]);
    attribute_number(&b->w, "gen_ai.usage.input_tokens", in);
    attribute_number(&b->w, "gen_ai.usage.output_tokens", out);
    attribute_number(&b->w, "gen_ai.usage.cost", in * models[m].usd_in + out * models[m].usd_out);
    span_end(&b->w, false, "");
}

static void put_tool_call(struct body *b, struct task *t, struct demo_random *r)
{
    size_t k = (size_t)(random_unit(r) * 3.999);
    bool failed = random_unit(r) < tools[k].failure;
    uint64_t from = t->at_ns, took = (uint64_t)(tools[k].ms * exp(0.5 * random_normal(r)) * 1e6);
    char name[64];
    snprintf(name, sizeof name, "execute_tool %s", tools[k].tool);
    t->at_ns += took;
    t->failed |= failed;
    span_begin(&b->w, t, ++t->next, t->root, name, 3, from, t->at_ns);
    attribute(&b->w, "gen_ai.operation.name", "execute_tool");
    attribute(&b->w, "gen_ai.tool.name", tools[k].tool);
    attribute(&b->w, "gen_ai.agent.name", agents[t->agent]);
    attribute(&b->w, "mcp.method.name", "tools/call");
    attribute(&b->w, "mcp.server.name", tools[k].server);
    if (failed) attribute(&b->w, "error.type", "tool_error");
    span_end(&b->w, failed, "the tool gave up");
}

static void put_root(struct body *b, const struct task *t)
{
    char name[64], id[32];
    snprintf(name, sizeof name, "invoke_agent %s", agents[t->agent]);
    snprintf(id, sizeof id, "demo-task-%u", t->number);
    span_begin(&b->w, t, t->root, 0, name, 1, t->begin_ns, t->at_ns);
    attribute(&b->w, "gen_ai.operation.name", "invoke_agent");
    attribute(&b->w, "gen_ai.agent.name", agents[t->agent]);
    attribute(&b->w, "task_id", id);
    attribute(&b->w, "task", tasks[t->number % COUNT(tasks)]);
    span_end(&b->w, t->failed, "a tool gave up");
}

static void put_line(struct body *b, const struct task *t, uint64_t at_ns, bool failed, const char *text)
{
    struct json_writer *w = &b->w;
    char id[32];
    json_begin_object(w);
    kv_ns(w, "timeUnixNano", at_ns);
    json_kv_i64(w, "severityNumber", failed ? 17 : 9);
    json_kv_cs(w, "severityText", failed ? "ERROR" : "INFO");
    json_put_key(w, STR("body"));
    json_begin_object(w);
    json_kv_cs(w, "stringValue", text);
    json_end_object(w);
    json_kv_cs(w, "traceId", t->trace);
    snprintf(id, sizeof id, "%016llx", (unsigned long long)t->root);
    json_kv_cs(w, "spanId", id);
    json_put_key(w, STR("attributes"));
    json_begin_array(w);
    snprintf(id, sizeof id, "demo-task-%u", t->number);
    attribute(w, "task_id", id);
    json_end_array(w);
    json_end_object(w);
}

/* One that ended at end_ms. */
static void one_task(struct demo_records *d, struct demo_random *r, int64_t end_ms,
                     const atomic_bool *stopping)
{
    struct task t = { .agent = (unsigned)(random_unit(r) * 3.999), .number = (unsigned)++d->tasks };
    struct body spans, lines;
    char text[160];
    unsigned steps = 2 + (unsigned)(random_unit(r) * 4);
    snprintf(t.trace, sizeof t.trace, "%016llx%016llx", (unsigned long long)random_id(r),
             (unsigned long long)random_id(r));
    t.root = t.next = random_id(r);
    t.begin_ns = t.at_ns = ((uint64_t)end_ms - 7000u * steps) * NS_PER_MS;

    body_begin(&spans, "resourceSpans", "scopeSpans", "spans", t.agent);
    for (unsigned i = 0; i < steps; i++) {
        put_model_call(&spans, &t, r);
        if (i + 1 < steps) put_tool_call(&spans, &t, r);
    }
    put_root(&spans, &t);
    send(d, &spans, TABLE_SPANS, stopping);

    body_begin(&lines, "resourceLogs", "scopeLogs", "logRecords", t.agent);
    snprintf(text, sizeof text, "task %u taken: %s", t.number, tasks[t.number % COUNT(tasks)]);
    put_line(&lines, &t, t.begin_ns, false, text);
    snprintf(text, sizeof text,
             t.failed ? "task %u: a tool gave up after %u steps" : "task %u done in %u steps", t.number,
             steps);
    put_line(&lines, &t, t.at_ns, t.failed, text);
    send(d, &lines, TABLE_LOGS, stopping);
}

/* ---- security ---- */

static void put_event(struct body *b, int64_t at_ms, const char *event, const char *from, const char *text)
{
    struct json_writer *w = &b->w;
    json_begin_object(w);
    kv_ns(w, "timeUnixNano", (uint64_t)at_ms * NS_PER_MS);
    json_kv_i64(w, "severityNumber", 13);
    json_kv_cs(w, "severityText", "WARN");
    json_kv_cs(w, "eventName", event);
    json_put_key(w, STR("body"));
    json_begin_object(w);
    json_kv_cs(w, "stringValue", text);
    json_end_object(w);
    json_put_key(w, STR("attributes"));
    json_begin_array(w);
    attribute(w, "client.address", from);
    json_end_array(w);
    json_end_object(w);
}

static void one_event(struct demo_records *d, struct demo_random *r, int64_t at_ms,
                      const atomic_bool *stopping)
{
    /* Addresses that RFC 5737 keeps for examples. */
    static const char *const from[] = { "192.0.2.17", "198.51.100.4", "203.0.113.99", "203.0.113.12" };
    const char *address = from[(size_t)(random_unit(r) * random_unit(r) * 3.999)];
    bool is_threat = random_unit(r) < 0.12;
    struct body b;
    char text[128];
    body_begin(&b, "resourceLogs", "scopeLogs", "logRecords", 0);
    snprintf(text, sizeof text,
             is_threat ? "a prompt from %s asks to ignore its instructions" : "wrong password from %s",
             address);
    put_event(&b, at_ms, is_threat ? "security.threat" : "security.login_failed", address, text);
    send(d, &b, TABLE_LOGS, stopping);
}

/* ---- when ---- */

void demo_records_init(struct demo_records *d, const struct demo_conf *conf)
{
    ingest_init(&d->in, "demo", conf->store, conf->limit);
    d->in.policy = conf->policy;
    d->in.taps = conf->taps;
}

void demo_records_past(struct demo_records *d, struct demo_random *r, int64_t now_ms, int64_t span_ms,
                       const atomic_bool *stopping)
{
    for (int i = 0; i < PAST && !*stopping; i++) {
        int64_t at = now_ms - 60000 - (span_ms - 120000) * (PAST - i) / PAST;
        one_task(d, r, at, stopping);
        if (i % 3 == 0) one_event(d, r, at, stopping);
    }
}

void demo_records_tick(struct demo_records *d, struct demo_random *r, int64_t now_ms, double load,
                       const atomic_bool *stopping)
{
    unsigned n = random_poisson(r, 0.5 * load);
    for (unsigned i = 0; i < n && !*stopping; i++) one_task(d, r, now_ms - 1000 * (int64_t)i, stopping);
    if (random_unit(r) < 0.08) one_event(d, r, now_ms, stopping);
}
