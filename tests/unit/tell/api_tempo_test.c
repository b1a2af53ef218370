/* Tempo's API over a real socket and a toy store: the requests that Grafana's Tempo data source makes. */
#include "base/check.h"
#include "tell/api_prometheus.h"
#include "tell/api_tempo.h"
#include "unit/net/raw.h"
#include "unit/test.h"
#include "unit/toy_store.c"

#define SECOND 1000000000LL

static struct store *store;
static struct work_pool *pool;
static struct http_server *server;
static struct prometheus_api api;
static struct arena arena = ARENA_INIT((size_t)64 << 20);
static char body[1 << 20];

/* A trace 0a..: front "GET /" calls back "query", which fails. */
static void add_span(struct records *r, int id, int parent, const char *service, const char *name, int status)
{
    struct attr resource = { STR("service.name"), value_str(str_of(service)) };
    struct attr own[] = { { STR("http.status"), value_int(500) }, { STR("path"), value_str(STR("/a")) } };
    struct origin origin = { .resource = { &resource, 1 } };
    struct record s = { .time_ns = 1700000000 * SECOND + id * 1000000, .attrs = { own, 2 } };
    s.trace_id[0] = 0x0a;
    s.span_id[7] = (uint8_t)id;
    s.span.parent_id[7] = (uint8_t)parent;
    s.span.name = str_of(name);
    s.span.status = (uint8_t)status;
    s.span.kind = SPAN_SERVER;
    s.span.duration_ns = 250000000 / id;
    records_origin(r, &origin);
    check(records_add(r, &s, NULL) == OK);
}

static int open_all(void **state)
{
    struct http_conf conf = { .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2 };
    struct records r;
    struct batch b;
    struct write_result result;
    struct err e = ERR_INIT;

    (void)state;
    store = toy_store_new();
    records_init(&r, &arena, TABLE_SPANS);
    add_span(&r, 1, 0, "front", "GET /", 0);
    add_span(&r, 2, 1, "back", "query", 2);
    records_end(&r);
    batch_init(&b, &arena, (enum labels_spelling)0);
    b.spans = &r;
    check(store_write(store, &b, ACK_MEMORY, &result, NULL, NULL, NULL) == OK);
    pool = work_start("test", 2, 100);
    api = (struct prometheus_api){ .store = store, .pool = pool, .version = "0.0.1" };
    server = http_server_new();
    http_server_routes(server, tempo_routes, tempo_routes_count, &api);
    http_server_routes(server, tempo_prefixed_routes, tempo_prefixed_routes_count, &api);
    if (http_server_start(server, &conf, &e) < 0) fail_msg("%s", e.text);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    http_server_stop(server, 1000);
    http_server_free(server);
    work_stop(pool);
    store_close(store);
    arena_release(&arena);
    return 0;
}

static int ask(const char *target, const char *accept)
{
    char request[4096];
    int status = 0, n = snprintf(request, sizeof request,
                                 "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", target, accept);
    char *text = raw_ask(http_server_port(server, 0), request, (size_t)n, NULL);
    sscanf(text, "HTTP/1.1 %d", &status);
    const char *at = strstr(text, "\r\n\r\n");
    snprintf(body, sizeof body, "%s", at != NULL ? at + 4 : "");
    free(text);
    return status;
}

static void expect(const char *target, int status, const char *want)
{
    int got = ask(target, "");
    if (got != status || strstr(body, want) == NULL) fail_msg("%s: %d %s", target, got, body);
}

TEST(the_health_call_answers_echo)
{
    expect("/api/echo", 200, "echo");
    expect("/tempo/api/echo", 200, "echo");
    expect("/api/status/buildinfo", 200, "\"version\":");
}

TEST(a_search_names_root_matches_and_attributes)
{
    expect("/api/search?q=%7B%20status%20%3D%20error%20%7D%20%7C%20select(span.path)&limit=5", 200,
           "{\"traces\":[{\"traceID\":\"0a000000000000000000000000000000\",\"rootServiceName\":\"front\","
           "\"rootTraceName\":\"GET /\",\"startTimeUnixNano\":\"1700000000001000000\",\"durationMs\":250,");
    assert_non_null(strstr(body,
                           "\"spanSets\":[{\"spans\":[{\"spanID\":\"0000000000000002\",\"name\":\"query\","
                           "\"startTimeUnixNano\":\"1700000000002000000\",\"durationNanos\":\"125000000\","
                           "\"attributes\":[{\"key\":\"status\",\"value\":{\"stringValue\":\"error\"}},"
                           "{\"key\":\"path\",\"value\":{\"stringValue\":\"/a\"}}]}],\"matched\":1}]"));
    assert_non_null(strstr(
        body, "\"serviceStats\":{\"front\":{\"spanCount\":1},\"back\":{\"spanCount\":1,\"errorCount\":1}}"));
}

TEST(older_parameters_and_empty_searches_are_understood)
{
    expect("/api/search", 200, "\"traceID\":\"0a0");
    expect("/api/search?tags=service.name%3Dback%20http.status%3D500&minDuration=100ms", 200,
           "\"traceID\":\"0a0");
    expect("/api/search?tags=service.name%3Dnobody", 200, "{\"traces\":[],");
    expect("/api/search?minDuration=300ms", 200, "{\"traces\":[],");
    expect("/api/search?q=%7B%7D&start=1600000000&end=1600000001", 200, "{\"traces\":[],");
}

TEST(a_wrong_query_is_told_its_place)
{
    expect("/api/search?q=%7B%20foo%20%3D%201%20%7D", 400, "TraceQL, character 3");
    expect("/api/search?start=x", 400, "invalid start");
    expect("/api/search?limit=-1", 400, "invalid limit");
    expect("/api/metrics/query_range?q=%7B%7D", 400, "needs a metrics function");
}

TEST(tags_come_by_scope_or_flat)
{
    expect("/api/v2/search/tags", 200, "{\"name\":\"resource\",\"tags\":[\"service.name\"]}");
    assert_non_null(strstr(body, "{\"name\":\"span\",\"tags\":[\"http.status\",\"path\"]}"));
    expect("/api/v2/search/tags?scope=span", 200,
           "{\"scopes\":[{\"name\":\"span\",\"tags\":[\"http.status\",\"path\"]}]}");
    expect("/api/search/tags", 200, "{\"tagNames\":[\"http.status\",\"path\",\"service.name\"]}");
}

TEST(values_of_a_tag_heed_the_query_so_far)
{
    expect("/api/v2/search/tag/resource.service.name/values", 200,
           "{\"type\":\"string\",\"value\":\"front\"}");
    expect("/api/v2/search/tag/resource.service.name/values?q=%7Bstatus%3Derror%20%26%26%20span.x%3D", 200,
           "{\"tagValues\":[{\"type\":\"string\",\"value\":\"back\"}]}");
    expect("/api/v2/search/tag/span.http.status/values", 200,
           "{\"tagValues\":[{\"type\":\"int\",\"value\":\"500\"}]}");
    expect("/api/v2/search/tag/resource%252Eservice.name/values", 200, "front");
    expect("/api/v2/search/tag/status/values", 200, "{\"type\":\"keyword\",\"value\":\"error\"}");
    expect("/api/v2/search/tag/rootName/values", 200,
           "{\"tagValues\":[{\"type\":\"string\",\"value\":\"GET /\"}]}");
    expect("/api/search/tag/service.name/values", 200, "\"front\"");
}

TEST(a_trace_comes_whole_and_an_unknown_one_is_404)
{
    expect("/api/v2/traces/0a000000000000000000000000000000", 200, "{\"trace\":{\"resourceSpans\":[");
    expect("/tempo/api/traces/0a000000000000000000000000000000", 200, "{\"batches\":[");
    expect("/api/v2/traces/0b", 404, "trace not found");
    expect("/api/v2/traces/xyz", 400, "hex");
    EXPECT_INT(ask("/api/v2/traces/0a000000000000000000000000000000", "Accept: application/protobuf\r\n"),
               200);
    EXPECT_INT(body[0], 0x0a); /* field 1, a message */
}

TEST(series_of_spans_come_as_protojson)
{
    expect(
        "/api/metrics/query_range?q=%7B%7D%7Ccount_over_time()by(resource.service.name)&start=1700000000&end="
        "1700000060&step=60s",
        200, "\"labels\":[{\"key\":\"resource.service.name\",\"value\":{\"stringValue\":\"front\"}}]");
    assert_non_null(strstr(body, "{\"timestampMs\":\"1700000040000\",\"value\":1}"));
    assert_non_null(
        strstr(body, "\"exemplars\":[{\"labels\":[{\"key\":\"trace:id\",\"value\":{\"stringValue\":\"0a"));
    expect("/api/metrics/query?q=%7B%7D%7Cmax_over_time(duration)&start=1700000000&end=1700000060", 200,
           "\"value\":0.25}]");
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(the_health_call_answers_echo),
        CASE(a_search_names_root_matches_and_attributes),
        CASE(older_parameters_and_empty_searches_are_understood),
        CASE(a_wrong_query_is_told_its_place),
        CASE(tags_come_by_scope_or_flat),
        CASE(values_of_a_tag_heed_the_query_so_far),
        CASE(a_trace_comes_whole_and_an_unknown_one_is_404),
        CASE(series_of_spans_come_as_protojson),
    };
    return cmocka_run_group_tests(all, open_all, close_all);
}
