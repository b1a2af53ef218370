#include "derive/record_series.h"

#include "base/clock.h"
#include "base/stat.h"
#include "unit/test.h"
/* after stdio.h */
#include "unit/receive/fake_store.h"

#define NOW_MS  INT64_C(1790000000000)
#define STEP_MS 15000

struct bench {
    struct fake_store store;
    struct record_series *series;
    struct arena arena;
    struct records records;
    int64_t tick_ms;
};

static void begin(struct bench *b, enum table t)
{
    records_init(&b->records, &b->arena, t);
}

static void setup(struct bench *b, const struct record_series_conf *conf)
{
    *b = (struct bench){ .arena = ARENA_INIT(64 << 20), .tick_ms = NOW_MS };
    fake_init(&b->store);
    clock_fix_ms(NOW_MS);
    b->series = record_series_start(&b->store.store, conf);
    begin(b, TABLE_SPANS);
}

static void give(struct bench *b)
{
    struct record_tap tap = record_series_tap(b->series);
    records_end(&b->records);
    tap.seen(tap.ctx, &b->records);
    begin(b, TABLE_SPANS);
}

static void tick(struct bench *b)
{
    EXPECT(record_series_write(b->series, b->tick_ms += STEP_MS, STEP_MS, NULL) == OK);
}

static void teardown(struct bench *b)
{
    records_end(&b->records);
    record_series_stop(b->series);
    arena_release(&b->arena);
    fake_clear(&b->store);
    clock_fix_ms(0);
}

static void from(struct bench *b, const char *service)
{
    struct attr a[] = { { STR("service.name"), value_str(str_of(service)) },
                        { STR("deployment.environment"), value_str(STR("prod")) } };
    records_origin(&b->records, &(struct origin){ .resource = { a, 2 } });
}

/* Ids are small numbers; attributes key, value, ..., NULL. */
static void span(struct bench *b, uint8_t trace, uint8_t id, uint8_t parent, enum span_kind kind,
                 const char *name, double seconds, ...)
{
    struct attr attrs[8];
    struct record r = { .time_ns = (NOW_MS - 1000) * 1000000 - (int64_t)(seconds * 1e9) };
    va_list ap;
    r.trace_id[15] = trace;
    r.span_id[7] = id;
    r.span.parent_id[7] = parent;
    r.span.kind = (uint8_t)kind;
    r.span.name = str_of(name);
    r.span.duration_ns = seconds < 0 ? SPAN_UNFINISHED : (int64_t)(seconds * 1e9);
    r.attrs.at = attrs;
    va_start(ap, seconds);
    for (const char *key; (key = va_arg(ap, const char *)) != NULL; r.attrs.n++) {
        const char *value = va_arg(ap, const char *);
        if (strcmp(key, "!status") == 0)
            r.span.status = (uint8_t)atoi(value), r.attrs.n--;
        else if (strcmp(key, "!age_s") == 0)
            r.time_ns -= atoll(value) * 1000000000, r.attrs.n--;
        else
            attrs[r.attrs.n] = (struct attr){ str_of(key), value_str(str_of(value)) };
    }
    va_end(ap);
    EXPECT(records_add(&b->records, &r, NULL) == OK);
}

/* The last value written for the series; -1: never written. */
static double last(const struct bench *b, const char *series)
{
    double v = -1;
    for (size_t i = 0; i < b->store.n; i++)
        if (strcmp(b->store.rows[i].series, series) == 0) v = b->store.rows[i].value;
    return v;
}

static const struct record_series_conf preset = {
    .interval_ms = 0, .spans = SPAN_METRICS_DEFAULT, .graph = SERVICE_GRAPH_DEFAULT, .max_log_rows = 100
};

#define CALLS(name, kind, status)                                                                            \
    "traces_spanmetrics_calls_total{service=\"shop\", span_kind=\"SPAN_KIND_" kind "\", span_name=\"" name   \
    "\", status_code=\"STATUS_CODE_" status "\"}"

TEST(spans_are_counted_once_when_they_are_over)
{
    struct bench b;
    setup(&b, &preset);
    from(&b, "shop");
    span(&b, 1, 1, 0, SPAN_SERVER, "GET /", -1, NULL); /* still runs */
    give(&b);
    from(&b, "shop");
    span(&b, 1, 1, 0, SPAN_SERVER, "GET /", 0.2, NULL);
    span(&b, 1, 1, 0, SPAN_SERVER, "GET /", 0.2, NULL); /* sent twice */
    span(&b, 1, 2, 1, SPAN_INTERNAL, "work", 0.1, "!status", "2", NULL);
    span(&b, 2, 1, 0, SPAN_SERVER, "GET /", 40.0, NULL);
    span(&b, 3, 1, 0, SPAN_SERVER, "GET /", 1.0, "!age_s", "7200", NULL); /* imported: too late */
    give(&b);
    tick(&b);
    EXPECT(last(&b, CALLS("GET /", "SERVER", "UNSET")) == 2);
    EXPECT(last(&b, CALLS("work", "INTERNAL", "ERROR")) == 1);
    teardown(&b);
}

TEST(latency_is_a_histogram_in_seconds_and_in_milliseconds)
{
    struct bench b;
    setup(&b, &preset);
    from(&b, "shop");
    span(&b, 1, 1, 0, SPAN_SERVER, "q", 0.25, NULL); /* on a bound: within */
    span(&b, 2, 1, 0, SPAN_SERVER, "q", 0.75, NULL);
    give(&b);
    tick(&b);
#define Q                                                                                                    \
    "service=\"shop\", span_kind=\"SPAN_KIND_SERVER\", span_name=\"q\", status_code=\"STATUS_CODE_UNSET\"}"
    EXPECT(last(&b, "traces_spanmetrics_latency_bucket{le=\"0.1\", " Q) == 0);
    EXPECT(last(&b, "traces_spanmetrics_latency_bucket{le=\"0.25\", " Q) == 1);
    EXPECT(last(&b, "traces_spanmetrics_latency_bucket{le=\"1.0\", " Q) == 2);
    EXPECT(last(&b, "traces_spanmetrics_latency_bucket{le=\"+Inf\", " Q) == 2);
    EXPECT(last(&b, "traces_spanmetrics_latency_sum{" Q) == 1.0);
    EXPECT(last(&b, "traces_spanmetrics_latency_count{" Q) == 2);
    EXPECT(last(&b, "span_duration_milliseconds_bucket{le=\"250.0\", " Q) == 1);
    EXPECT(last(&b, "span_duration_milliseconds_sum{" Q) == 1000.0);
    EXPECT_INT(b.store.n_exemplars, 2); /* the slowest, in both */
    teardown(&b);
}

TEST(a_series_begins_with_zero_and_ends_with_a_stale_marker)
{
    struct bench b;
    struct record_series_conf conf = preset;
    conf.spans.idle_ms = conf.graph.idle_ms = 60000;
    setup(&b, &conf);
    from(&b, "shop");
    span(&b, 1, 1, 0, SPAN_SERVER, "q", 0.1, NULL);
    give(&b);
    tick(&b);
    EXPECT(strstr(b.store.rows[0].series, "traces_spanmetrics_calls_total") != NULL);
    EXPECT(b.store.rows[0].value == 0 && b.store.rows[0].time_ms == NOW_MS);
    EXPECT(b.store.rows[1].value == 1 && b.store.rows[1].time_ms == NOW_MS + STEP_MS);
    for (int i = 0; i < 4; i++) tick(&b);
    EXPECT(is_stale(last(&b, CALLS("q", "SERVER", "UNSET"))));
    size_t n = b.store.n;
    tick(&b);
    EXPECT_INT(b.store.n, n); /* forgotten */

    from(&b, "shop");
    span(&b, 9, 1, 0, SPAN_SERVER, "q", 0.1, NULL);
    give(&b);
    tick(&b);
    EXPECT(last(&b, CALLS("q", "SERVER", "UNSET")) == 1); /* from zero again */
    teardown(&b);
}

TEST(too_many_label_sets_are_counted_together)
{
    struct bench b;
    struct record_series_conf conf = preset;
    conf.spans.max_rows = 2;
    setup(&b, &conf);
    from(&b, "shop");
    for (uint8_t i = 1; i <= 5; i++) {
        char name[] = { 'n', (char)('0' + i), 0 };
        span(&b, i, 1, 0, SPAN_SERVER, name, 0.1, NULL);
    }
    give(&b);
    tick(&b);
    EXPECT(last(&b, CALLS("n1", "SERVER", "UNSET")) == 1);
    EXPECT(last(&b, "traces_spanmetrics_calls_total{span_name=\"__overflow__\"}") == 3);
    teardown(&b);
}

TEST(dimensions_come_from_the_span_or_its_resource)
{
    struct bench b;
    struct record_series_conf conf = preset;
    conf.spans.dimensions[0] = "http.route";
    conf.spans.dimensions[1] = "deployment.environment";
    conf.spans.dimensions[2] = "server.address"; /* the graph wants it, too */
    conf.spans.n_dimensions = 3;
    setup(&b, &conf);
    from(&b, "shop");
    span(&b, 1, 1, 0, SPAN_SERVER, "q", 0.1, "http.route", "/a", "server.address", "db1", NULL);
    give(&b);
    tick(&b);
    EXPECT(last(&b, "traces_spanmetrics_calls_total{deployment_environment=\"prod\", http_route=\"/a\", "
                    "server_address=\"db1\", service=\"shop\", span_kind=\"SPAN_KIND_SERVER\", "
                    "span_name=\"q\", status_code=\"STATUS_CODE_UNSET\"}") == 1);
    teardown(&b);
}

#define EDGE(what, client, server, type)                                                                     \
    "traces_service_graph_request_" what "{client=\"" client "\"" type ", server=\"" server "\"}"

TEST(services_are_joined_whichever_side_comes_first)
{
    struct bench b;
    setup(&b, &preset);
    from(&b, "web");
    span(&b, 1, 2, 1, SPAN_CLIENT, "GET", 0.3, NULL);
    from(&b, "api");
    span(&b, 1, 3, 2, SPAN_SERVER, "GET", 0.2, NULL);
    span(&b, 2, 3, 2, SPAN_SERVER, "GET", 0.2, "!status", "2", NULL); /* before its client */
    give(&b);
    from(&b, "web");
    span(&b, 2, 2, 1, SPAN_CLIENT, "GET", 0.3, NULL);
    give(&b);
    tick(&b);
    EXPECT(last(&b, EDGE("total", "web", "api", "")) == 2);
    EXPECT(last(&b, EDGE("failed_total", "web", "api", "")) == 1);
    EXPECT(last(&b, EDGE("server_seconds_count", "web", "api", "")) == 2);
    EXPECT(last(&b, EDGE("client_seconds_sum", "web", "api", "")) == 0.6);
    teardown(&b);
}

#define DB    ", connection_type=\"database\""
#define VIRT  ", connection_type=\"virtual_node\""
#define QUEUE ", connection_type=\"messaging_system\""

TEST(databases_queues_and_strangers_are_nodes)
{
    struct bench b;
    setup(&b, &preset);
    from(&b, "api");
    span(&b, 1, 1, 0, SPAN_SERVER, "GET", 0.2, NULL); /* nobody above */
    span(&b, 1, 2, 1, SPAN_CLIENT, "select", 0.1, "db.system", "postgresql", "db.name", "orders", NULL);
    span(&b, 1, 3, 1, SPAN_CLIENT, "POST", 0.1, "server.address", "api.model.example", NULL);
    span(&b, 1, 4, 1, SPAN_PRODUCER, "send", 0.1, NULL);
    span(&b, 1, 7, 1, SPAN_CLIENT, "POST", 0.1, NULL); /* to nobody knows whom */
    from(&b, "mailer");
    span(&b, 1, 5, 4, SPAN_CONSUMER, "take", 0.1, NULL);
    from(&b, "audit");
    span(&b, 1, 6, 4, SPAN_CONSUMER, "take", 0.1, NULL);
    give(&b);
    tick(&b);
    EXPECT(last(&b, EDGE("total", "user", "api", VIRT)) == 1);
    EXPECT(last(&b, EDGE("total", "api", "orders", DB)) == 1);
    EXPECT(last(&b, EDGE("total", "api", "mailer", QUEUE)) == 1);
    EXPECT(last(&b, EDGE("total", "api", "audit", QUEUE)) == 1);
    EXPECT(last(&b, EDGE("total", "api", "api.model.example", VIRT)) == -1); /* it may still answer */
    clock_fix_ms(NOW_MS + 31000);
    tick(&b);
    EXPECT(last(&b, EDGE("total", "api", "api.model.example", VIRT)) == 1);
    EXPECT(stat_value(stat_counter("vedette_graph_unpaired_total", "", "of=\"services\"")) == 1);
    teardown(&b);
}

#define USE(client, server, type)                                                                            \
    "vedette_agent_graph_request_total{client=\"" client "\", connection_type=\"" type                       \
    "\", server=\"" server "\"}"

TEST(agents_are_joined_to_what_they_use_in_any_order)
{
    for (int parents_first = 0; parents_first < 2; parents_first++) {
        struct bench b;
        setup(&b, &preset);
        for (int pass = 0; pass < 2; pass++) {
            from(&b, "crew");
            if (pass == parents_first) {
                span(&b, 1, 9, 5, SPAN_CLIENT, "tools/call", 0.1, "mcp.method.name", "tools/call",
                     "mcp.server.name", "files", NULL);
                span(&b, 1, 7, 5, SPAN_INTERNAL, "execute_tool search", 0.1, "gen_ai.operation.name",
                     "execute_tool", "gen_ai.tool.name", "search", NULL);
                span(&b, 1, 8, 5, SPAN_CLIENT, "chat", 0.1, "openinference.span.kind", "LLM",
                     "llm.model_name", "m1", NULL);
                span(&b, 1, 5, 4, SPAN_INTERNAL, "step", 0.1, NULL);
            } else {
                span(&b, 1, 1, 0, SPAN_INTERNAL, "invoke_agent planner", 1, "gen_ai.operation.name",
                     "invoke_agent", "gen_ai.agent.name", "planner", NULL);
                span(&b, 1, 2, 1, SPAN_INTERNAL, "handoff", 1, NULL);
                span(&b, 1, 4, 2, SPAN_INTERNAL, "AGENT", 1, "openinference.span.kind", "AGENT", "agent.name",
                     "writer", NULL);
            }
            give(&b);
        }
        tick(&b);
        EXPECT(last(&b, USE("writer", "search", "tool")) == 1);
        EXPECT(last(&b, USE("writer", "files", "mcp")) == 1);
        EXPECT(last(&b, USE("writer", "m1", "model")) == 1);
        EXPECT(last(&b, USE("planner", "writer", "agent")) == 1);
        teardown(&b);
    }
}

TEST(log_records_are_counted_by_service_and_severity)
{
    static const uint8_t severities[] = { 9, 10, 17, 0 };
    struct bench b;
    setup(&b, &preset);
    records_end(&b.records);
    begin(&b, TABLE_LOGS);
    from(&b, "shop");
    for (size_t i = 0; i < 4; i++) {
        struct record r = { .time_ns = NOW_MS * 1000000, .log.severity = severities[i] };
        EXPECT(records_add(&b.records, &r, NULL) == OK);
    }
    give(&b);
    tick(&b);
    EXPECT(last(&b, "vedette_log_records_total{service=\"shop\", severity=\"info\"}") == 2);
    EXPECT(last(&b, "vedette_log_records_total{service=\"shop\", severity=\"error\"}") == 1);
    EXPECT(last(&b, "vedette_log_records_total{service=\"shop\", severity=\"unknown\"}") == 1);
    teardown(&b);
}

TEST(parents_in_a_circle_and_a_tiny_table_do_no_harm)
{
    struct bench b;
    struct record_series_conf conf = preset;
    conf.graph.max_waiting = 2;
    setup(&b, &conf);
    from(&b, "crew");
    for (uint8_t i = 1; i < 60; i++) {
        span(&b, 1, i, (uint8_t)(i % 7 + 1), SPAN_INTERNAL, "t", 0.1, "openinference.span.kind", "TOOL",
             "tool.name", "x", NULL);
        span(&b, 1, i, i, SPAN_CLIENT, "c", 0.1, NULL);
        span(&b, 1, i, i, SPAN_SERVER, "s", 0.1, NULL);
    }
    give(&b);
    tick(&b);
    teardown(&b);
}

TESTS(CASE(spans_are_counted_once_when_they_are_over),
      CASE(latency_is_a_histogram_in_seconds_and_in_milliseconds),
      CASE(a_series_begins_with_zero_and_ends_with_a_stale_marker),
      CASE(too_many_label_sets_are_counted_together), CASE(dimensions_come_from_the_span_or_its_resource),
      CASE(services_are_joined_whichever_side_comes_first), CASE(databases_queues_and_strangers_are_nodes),
      CASE(agents_are_joined_to_what_they_use_in_any_order),
      CASE(log_records_are_counted_by_service_and_severity),
      CASE(parents_in_a_circle_and_a_tiny_table_do_no_harm))
