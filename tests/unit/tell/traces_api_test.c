/* Our own API over traces and Jaeger's two, over a real socket and the toy store. Shapes are those that
 * Jaeger's documentation and Grafana's data source have; figures are counted by hand below. */
#include "base/clock.h"
#include "base/json.h"
#include "decode/otlp_logs.h"
#include "decode/otlp_traces.h"
#include "tell/api_traces.h"
#include "unit/net/raw.h"
#include "unit/test.h"
#include "unit/toy_store.c"

#define NOW_MS 1700000100000

/* One trace: shop (server) > chat of an agent (client, prompt, error) > db call; an orphan; a running one. */
#define T1 "0af7651916cd43dd8448eb211c80319c"
#define T2 "00000000000000000000000000000abc"
static const char spans[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
    "\"shop\"}},{\"key\":\"host\",\"value\":{\"stringValue\":\"h1\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":"
    "\"lib\",\"version\":\"2\"},\"spans\":["
    "{\"traceId\":\"" T1 "\",\"spanId\":\"00000000000000a1\",\"name\":\"GET /\",\"kind\":2,"
    "\"startTimeUnixNano\":\"1700000000000000000\",\"endTimeUnixNano\":\"1700000000100000000\"},"
    "{\"traceId\":\"" T1 "\",\"spanId\":\"00000000000000a2\",\"parentSpanId\":\"00000000000000a1\",\"name\":"
    "\"call\",\"kind\":3,\"startTimeUnixNano\":\"1700000000010000000\",\"endTimeUnixNano\":"
    "\"1700000000090000000\"},"
    "{\"traceId\":\"" T2 "\",\"spanId\":\"00000000000000b1\",\"name\":\"job\",\"kind\":1,"
    "\"startTimeUnixNano\":\"1700000050000000000\",\"endTimeUnixNano\":\"0\"}"
    "]}]},{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"agents\"}}]},"
    "\"scopeSpans\":[{\"scope\":{},\"spans\":["
    "{\"traceId\":\"" T1 "\",\"spanId\":\"00000000000000a3\",\"parentSpanId\":\"00000000000000a2\",\"name\":"
    "\"chat gpt\",\"kind\":2,\"startTimeUnixNano\":\"1700000000020000000\",\"endTimeUnixNano\":"
    "\"1700000000080000000\",\"attributes\":[{\"key\":\"gen_ai.agent.name\",\"value\":{\"stringValue\":"
    "\"writer\"}},{\"key\":\"gen_ai.request.model\",\"value\":{\"stringValue\":\"gpt\"}},{\"key\":\"tokens\","
    "\"value\":{\"intValue\":\"12\"}},{\"key\":\"task_id\",\"value\":{\"stringValue\":\"task-7\"}}],"
    "\"events\":[{\"timeUnixNano\":\"1700000000070000000\",\"name\":\"exception\",\"attributes\":[{\"key\":"
    "\"exception.type\",\"value\":{\"stringValue\":\"TimeoutError\"}},{\"key\":\"exception.message\","
    "\"value\":"
    "{\"stringValue\":\"no answer after 60 s\"}}]}],\"links\":[{\"traceId\":\"" T2 "\",\"spanId\":"
    "\"00000000000000b1\"}],\"status\":{\"code\":2,\"message\":\"timed out\"}},"
    "{\"traceId\":\"" T1 "\",\"spanId\":\"00000000000000a4\",\"parentSpanId\":\"00000000000000ff\",\"name\":"
    "\"lost\",\"kind\":1,\"startTimeUnixNano\":\"1700000000030000000\",\"endTimeUnixNano\":"
    "\"1700000000031000000\"}"
    "]}]}]}";
static const char logs[] =
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
    "\"agents\"}}]},\"scopeLogs\":[{\"logRecords\":["
    "{\"timeUnixNano\":\"1700000000075000000\",\"severityNumber\":17,\"body\":{\"stringValue\":\"gave up\"},"
    "\"traceId\":\"" T1 "\",\"spanId\":\"00000000000000a3\"},"
    "{\"timeUnixNano\":\"1700000000076000000\",\"severityNumber\":9,\"body\":{\"stringValue\":\"elsewhere\"},"
    "\"attributes\":[{\"key\":\"task_id\",\"value\":{\"stringValue\":\"task-7\"}}]}"
    "]}]}]}";

static struct store *store;
static struct work_pool *pool;
static struct http_server *server;
static struct prometheus_api api;
static char body[1 << 20], head[1 << 14];

static void write_body(record_decoder *decode, enum table t, const char *text)
{
    struct arena arena = ARENA_INIT(64 << 20);
    struct record_options options = { .now_ns = NOW_MS * INT64_C(1000000) };
    struct record_report report = { 0 };
    struct write_result result = { 0 };
    struct records records;
    struct batch batch;
    struct err e = ERR_INIT;
    records_init(&records, &arena, t);
    if (decode(str_of(text), &options, &records, &report, &e) < 0) fail_msg("%s", e.text);
    records_end(&records);
    EXPECT_INT(report.rejected_total, 0);
    batch_init(&batch, &arena, LABELS_PACKED);
    *(t == TABLE_SPANS ? &batch.spans : &batch.logs) = &records;
    if (store_write(store, &batch, ACK_MEMORY, &result, NULL, NULL, &e) < 0) fail_msg("%s", e.text);
    arena_release(&arena);
}

static int open_all(void **state)
{
    struct http_conf conf = { .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2 };
    struct err e = ERR_INIT;

    (void)state;
    clock_fix_ms(NOW_MS);
    store = toy_store_new();
    write_body(otlp_traces_json, TABLE_SPANS, spans);
    write_body(otlp_logs_json, TABLE_LOGS, logs);
    pool = work_start("test", 2, 100);
    api = (struct prometheus_api){ .store = store, .pool = pool };
    server = http_server_new();
    http_server_routes(server, traces_routes, traces_routes_count, &api);
    http_server_routes(server, jaeger_routes, jaeger_routes_count, &api);
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
    clock_fix_ms(0);
    return 0;
}

/* The status; the body is in `body`. */
static int ask_with(const char *method, const char *target, const char *headers, const char *content)
{
    char request[16384];
    int n = snprintf(request, sizeof request,
                     "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
                     method, target, headers, strlen(content), content);
    char *text = raw_ask(http_server_port(server, 0), request, (size_t)n, NULL);
    int status = 0;
    sscanf(text, "HTTP/1.1 %d", &status);
    const char *at = strstr(text, "\r\n\r\n");
    snprintf(head, sizeof head, "%s", text);
    snprintf(body, sizeof body, "%s", at ? at + 4 : "");
    free(text);
    return status;
}

static int ask(const char *target)
{
    return ask_with("GET", target, "", "");
}

static void expect(const char *target, int status, const char *want)
{
    int got = ask(target);
    if (got != status || strcmp(body, want) != 0) fail_msg("%s: %d\n%s\nwanted\n%s", target, got, body, want);
}

/* 200, JSON that parses, and these pieces in this order. NULL ends them. */
static void expect_pieces(const char *target, ...)
{
    struct arena arena = ARENA_INIT(16 << 20);
    struct json_reader r;
    struct err e = ERR_INIT;
    int got = ask(target);
    if (got != 200) fail_msg("%s: %d %s", target, got, body);
    json_open(&r, str_of(body), &arena);
    json_skip(&r);
    if (json_close(&r, &e) < 0) fail_msg("%s: %s in %s", target, e.text, body);
    arena_release(&arena);

    va_list ap;
    const char *at = body;
    va_start(ap, target);
    for (const char *piece; (piece = va_arg(ap, const char *)) != NULL;) {
        at = strstr(at, piece);
        if (at == NULL) fail_msg("%s: %s not in its place in\n%s", target, piece, body);
    }
    va_end(ap);
}

/* ---- our own ---- */

TEST(the_list_is_newest_first_and_pages)
{
    expect_pieces(
        "/api/v1/traces", "{\"traces\":[{\"trace_id\":\"" T2 "\",\"root_name\":\"job\"",
        "\"status\":\"running\"", "{\"trace_id\":\"" T1 "\",\"root_name\":\"GET /\",\"service\":\"shop\"",
        "\"start\":1700000000,",
        "\"duration_ms\":100,\"span_count\":4,\"error_count\":1,\"running_count\":0,\"status\":\"error\"",
        "{\"name\":\"agents\",\"span_count\":2,\"error_count\":1}",
        "{\"name\":\"shop\",\"span_count\":2,\"error_count\":0}]}]}", NULL);
    expect_pieces("/api/v1/traces?limit=1", T2, "\"next_cursor\":\"1700000050000000000-" T2 "\"", NULL);
    expect_pieces("/api/v1/traces?limit=1&cursor=1700000050000000000-" T2, "{\"traces\":[{\"trace_id\":\"" T1,
                  NULL);
    expect("/api/v1/traces?limit=1&cursor=1700000000000000001-" T1, 200, "{\"traces\":[]}");
    expect("/api/v1/traces?cursor=x", 400,
           "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"cursor is none that this server "
           "gave\"}");
}

static void finds(const char *filter, const char *id)
{
    char target[300];
    snprintf(target, sizeof target, "/api/v1/traces?%s", filter);
    if (ask(target) != 200) fail_msg("%s: %s", target, body);
    bool t1 = strstr(body, "\"trace_id\":\"" T1) != NULL, t2 = strstr(body, "\"trace_id\":\"" T2) != NULL;
    if (t1 != (strcmp(id, T1) == 0) || t2 != (strcmp(id, T2) == 0)) fail_msg("%s: %s", target, body);
}

TEST(filters_of_the_list)
{
    finds("service=agents", T1);
    finds("service=agents&operation=call", ""); /* of one span */
    finds("service=shop&operation=call", T1);
    finds("agent=writer", T1);
    finds("kind=internal&service=shop", T2);
    finds("status=error", T1);
    finds("status=running", T2);
    finds("status=ok", "");
    finds("min_duration=90ms", T1);
    finds("min_duration=200ms", "");
    finds("max_duration=0.05", T2);
    finds("attribute=tokens=12", T1);
    finds("attribute=tokens%3E12", "");
    finds("attribute=tokens%3E%3D12", T1);
    finds("attribute=resource.host=h1&operation=job", T2);
    finds("attribute=span.host=h1", "");
    finds("attribute=gen_ai.agent.name%3D~wr.*", T1);
    finds("attribute=task_id", T1);
    finds("service=shop&attribute=host!=h1", "");
    finds("start=1700000040", T2);
    finds("end=1700000040000", T1);
    finds("start=1700000040000000&end=2023-11-14T22:15:00Z", T2);
    EXPECT_INT(ask("/api/v1/traces?attribute=tokens%3Eoften"), 400);
    EXPECT_INT(ask("/api/v1/traces?attribute=a%3D~("), 400);
    EXPECT_INT(ask("/api/v1/traces?start=yesterday"), 400);
    EXPECT_INT(ask("/api/v1/traces?start=2&end=1"), 400);
    EXPECT_INT(ask("/api/v1/traces?limit=-1"), 400);
    EXPECT_INT(ask("/api/v1/traces?status=perhaps"), 400);
    EXPECT_INT(ask("/api/v1/traces?min_duration=5parsec"), 400);
}

TEST(one_trace_is_a_tree_with_its_logs)
{
    expect_pieces(
        "/api/v1/traces/" T1, "\"root_name\":\"GET /\"", "\"duration_ms\":100", "\"idle_ms\":0",
        "\"span_count\":4,\"error_count\":1,\"running_count\":0,\"root_count\":2,\"orphan_count\":1",
        "\"depth\":3", "\"critical_path\":[{\"span_id\":\"00000000000000a3\"", "\"critical_ms\":60}",
        "\"offset\":0,\"spans\":[{\"span_id\":\"00000000000000a1\",\"name\":\"GET /\"",
        "\"self_ms\":20,\"critical_ms\":20,\"depth\":0,\"children\":1,\"descendants\":2",
        "{\"span_id\":\"00000000000000a2\",\"parent_span_id\":\"00000000000000a1\"", "\"self_ms\":20",
        "{\"span_id\":\"00000000000000a3\"", "\"status\":\"error\"", "\"offset_ms\":20",
        "\"agent\":\"writer\",\"model\":\"gpt\",\"status_message\":\"timed out\"",
        "\"attributes\":{\"gen_ai.agent.name\":\"writer\"", "\"tokens\":12",
        "\"events\":[{\"name\":\"exception\"", "\"links\":[{\"trace_id\":\"" T2 "\"",
        "\"span_id\":\"00000000000000a4\"", "\"marks\":[\"orphan\"]", "\"logs\":[{\"time\":1700000000.075",
        "\"severity\":\"ERROR\"", "\"body\":\"gave up\"", "\"alerts\":[]}", NULL);
    EXPECT(strstr(body, "elsewhere") == NULL);
}

TEST(ids_of_any_case_and_length)
{
    expect_pieces("/api/v1/traces/0AF7651916CD43DD8448EB211C80319C", T1, NULL);
    expect_pieces("/api/v1/traces/abc", T2, "\"duration_ms\":null,\"age_ms\":50000", NULL);
    expect("/api/v1/traces/0af7651916cd43dd8448eb211c80319d", 404,
           "{\"status\":\"error\",\"errorType\":\"not_found\",\"error\":\"trace not found\"}");
    EXPECT_INT(ask("/api/v1/traces/xyz"), 400);
    EXPECT_INT(ask("/api/v1/traces/00"), 400);
}

TEST(pages_and_fields_of_one_trace)
{
    expect_pieces("/api/v1/traces/" T1 "?offset=1&limit=2&fields=structure",
                  "\"offset\":1,\"spans\":[{\"span_id\":"
                  "\"00000000000000a2\"",
                  "00000000000000a3", "\"next_offset\":3,\"logs\":[]", NULL);
    EXPECT(strstr(body, "attributes") == NULL);
    EXPECT(strstr(body, "{\"span_id\":\"00000000000000a1\"") == NULL);
    expect_pieces("/api/v1/traces/" T1 "?offset=9", "\"offset\":9,\"spans\":[],\"logs\"", NULL);
    expect_pieces("/api/v1/traces/" T1 "/spans/a3", "{\"spans\":[{\"trace_id\":\"" T1 "\"", "\"resource\":{",
                  NULL);
    EXPECT_INT(ask("/api/v1/traces/" T1 "/spans/a9"), 404);
    EXPECT_INT(ask("/api/v1/traces/" T1 "?fields=everything"), 400);
}

TEST(stats_of_a_window)
{
    expect_pieces("/api/v1/traces/stats",
                  "\"trace_count\":2,\"span_count\":5,\"root_count\":2,\"error_count\":1,"
                  "\"running_count\":1,\"service_count\":2",
                  "\"error_rate\":0.2", "\"services\":[{\"service\":\"shop\",\"span_count\":3",
                  "{\"service\":\"agents\",\"span_count\":2", "\"operations\":[", "\"over_time\":[", NULL);
    expect_pieces("/api/v1/traces/stats?end=1600000000", "\"trace_count\":0,\"span_count\":0", NULL);
    expect_pieces("/api/v1/services", "\"services\":[{\"service\":\"shop\"", NULL);
}

TEST(analysis_ranks_by_time_on_the_critical_path)
{
    expect_pieces("/api/v1/traces/analysis", "\"trace_count\":2,\"span_count\":5", "\"duration_ms\":100",
                  "\"bottlenecks\":[{\"service\":\"agents\",\"operation\":\"chat gpt\"",
                  "\"critical_ms\":60,"
                  "\"critical_share\":0.6",
                  "\"slowest_trace_id\":\"" T1 "\"",
                  "\"slow_edges\":[{\"from_service\":\"shop\",\"from_operation\":\"call\",\"to_service\":"
                  "\"agents\",\"to_operation\":\"chat gpt\",\"calls\":1,\"error_count\":1,\"critical_ms\":60",
                  "\"error_clusters\":[{", "\"type\":\"TimeoutError\"", NULL);
}

TEST(the_map_of_services_and_agents)
{
    expect_pieces("/api/v1/services/map", "\"truncated\":false,\"span_count\":5", "\"name\":\"shop\"",
                  "\"edges\":[{\"from\":\"shop\",\"to\":\"agents\"", "\"calls\":1,\"error_count\":1",
                  "\"avg\":60,\"p50\":", "\"max\":60}", NULL);
    expect_pieces("/api/v1/services/map?by=agent",
                  "{\"id\":", "\"edges\":[{\"from\":\"writer\",\"to\":\"gpt\"", "\"calls\":1", NULL);
    EXPECT_INT(ask("/api/v1/services/map?by=tribe"), 400);
}

TEST(errors_of_spans_and_logs_together)
{
    expect_pieces("/api/v1/errors", "\"count\":2,\"span_count\":1,\"log_count\":1,\"group_count\":2",
                  "\"errors\":[{", "\"message\":\"gave up\"",
                  "\"type\":\"TimeoutError\",\"message\":\"no answer after 60 s\","
                  "\"pattern\":\"no answer after <n> s\"",
                  "\"trace_ids\":[\"" T1 "\"]", NULL);
    expect_pieces("/api/v1/errors?source=spans&service=agents", "\"count\":1", NULL);
    expect_pieces("/api/v1/errors?severity=INFO&source=logs", "\"count\":2", NULL);
    EXPECT_INT(ask("/api/v1/errors?severity=terrible"), 400);
}

TEST(correlation_joins_spans_logs_and_traces)
{
    expect_pieces("/api/v1/correlate?task_id=task-7", "\"traces\":[{\"trace_id\":\"" T1 "\"", "\"spans\":[{",
                  "\"00000000000000a3\"", "\"logs\":[{", "gave up", "elsewhere", "\"truncated\":false", NULL);
    expect_pieces("/api/v1/correlate?trace_id=" T1, "\"spans\":[{", "gave up", NULL);
    expect("/api/v1/correlate?correlation_id=none", 200,
           "{\"traces\":[],\"spans\":[],\"logs\":[],\"alerts\":[],\"truncated\":false}");
    EXPECT_INT(ask("/api/v1/correlate"), 400);
}

/* ---- Jaeger v1 ---- */

#define ENVELOPE(total) ",\"total\":" #total ",\"limit\":0,\"offset\":0,\"errors\":null}"

TEST(jaeger_names)
{
    expect("/api/services", 200, "{\"data\":[\"agents\",\"shop\"]" ENVELOPE(2));
    expect("/jaeger/api/services", 200, "{\"data\":[\"agents\",\"shop\"]" ENVELOPE(2));
    expect("/api/services/shop/operations", 200, "{\"data\":[\"GET /\",\"call\",\"job\"]" ENVELOPE(3));
    expect("/api/operations?service=agents", 200,
           "{\"data\":[{\"name\":\"chat gpt\",\"spanKind\":\"server\"},{\"name\":\"lost\",\"spanKind\":"
           "\"internal\"}]" ENVELOPE(2));
    expect("/api/operations?service=agents&spanKind=server", 200,
           "{\"data\":[{\"name\":\"chat gpt\",\"spanKind\":\"server\"}]" ENVELOPE(1));
    expect(
        "/api/operations", 400,
        "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":400,\"msg\":\"parameter "
        "'service' is required\"}]}");
}

TEST(a_trace_in_jaegers_json)
{
    expect(
        "/api/traces/abc?start=1700000000000&end=1700000100000", 200,
        "{\"data\":[{\"traceID\":\"0000000000000abc\",\"spans\":[{\"traceID\":\"0000000000000abc\","
        "\"spanID\":"
        "\"00000000000000b1\",\"flags\":0,\"operationName\":\"job\",\"references\":[],\"startTime\":"
        "1700000050000000,\"duration\":50000000,\"tags\":[{\"key\":\"otel.scope.name\",\"type\":\"string\","
        "\"value\":\"lib\"},{\"key\":\"otel.scope.version\",\"type\":\"string\",\"value\":\"2\"},{\"key\":"
        "\"span.kind\",\"type\":\"string\",\"value\":\"internal\"}],\"logs\":[],\"processID\":\"p1\","
        "\"warnings\":[\"this span has not ended; its duration is its age\"]}],\"processes\":{\"p1\":{"
        "\"serviceName\":\"shop\",\"tags\":[{\"key\":\"host\",\"type\":\"string\",\"value\":\"h1\"}]}},"
        "\"warnings\":null}]" ENVELOPE(1));
    expect_pieces(
        "/api/traces/" T1,
        "\"references\":[{\"refType\":\"CHILD_OF\",\"traceID\":\"" T1 "\",\"spanID\":"
        "\"00000000000000a2\"},{\"refType\":\"FOLLOWS_FROM\",\"traceID\":\"0000000000000abc\"",
        "{\"key\":\"tokens\",\"type\":\"int64\",\"value\":12}",
        "{\"key\":\"error\",\"type\":\"bool\",\"value\":true}",
        "{\"key\":\"otel.status_code\",\"type\":\"string\",\"value\":\"ERROR\"}",
        "{\"key\":\"otel.status_description\",\"type\":\"string\",\"value\":\"timed out\"}",
        "\"logs\":[{\"timestamp\":1700000000070000,\"fields\":[{\"key\":\"event\",\"type\":\"string\","
        "\"value\":\"exception\"},{\"key\":\"exception.type\"",
        "\"processes\":{\"p1\":", "\"p2\":", NULL);
    expect(
        "/api/traces/0af7651916cd43dd8448eb211c80319d", 404,
        "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":404,\"msg\":\"trace not "
        "found\"}]}");
    EXPECT_INT(ask("/api/traces/zzz"), 400);
}

TEST(protobuf_is_for_those_that_ask)
{
    EXPECT_INT(ask_with("GET", "/api/traces/" T1, "Accept: application/protobuf\r\n", ""), 200);
    EXPECT(strstr(head, "application/protobuf") != NULL);
    EXPECT_INT(body[0], 0x0a); /* field 1, a message */
    EXPECT_INT(ask_with("GET", "/api/traces/77", "Accept: application/protobuf\r\n", ""), 404);
}

static void jaeger_finds(const char *params, size_t n)
{
    char target[400], want[40];
    snprintf(target, sizeof target, "/api/traces?%s", params);
    snprintf(want, sizeof want, "\"total\":%zu,", n);
    if (ask(target) != 200 || strstr(body, want) == NULL) fail_msg("%s: %s", target, body);
}

TEST(jaeger_search)
{
    jaeger_finds("service=shop", 2);
    jaeger_finds("service=shop&limit=1", 1);
    jaeger_finds("service=shop&operation=call&start=1699999999000000&end=1700000001000000", 1);
    jaeger_finds("service=shop&start=1700000040000000&end=1700000060000000", 1);
    jaeger_finds("service=agents&tags=%7B%22error%22%3A%22true%22%7D", 1);
    jaeger_finds("service=agents&tags=%7B%22tokens%22%3A%2212%22%2C%22span.kind%22%3A%22server%22%7D", 1);
    jaeger_finds("service=agents&tags=%7B%22tokens%22%3A%2213%22%7D", 0);
    jaeger_finds("service=agents&tag=tokens:12", 1);
    jaeger_finds("service=agents&minDuration=50ms&maxDuration=70ms", 1);
    jaeger_finds("service=agents&minDuration=70ms", 0);
    jaeger_finds("service=nobody", 0);
    jaeger_finds("traceID=abc&traceID=" T1 "&traceID=99", 2);
    EXPECT_INT(ask("/api/traces"), 400);
    EXPECT_INT(ask("/api/traces?service=a&tags=%7B"), 400);
    EXPECT_INT(ask("/api/traces?service=a&minDuration=x"), 400);
}

TEST(jaeger_dependencies_and_what_is_not_there)
{
    expect("/api/dependencies?endTs=1700000100000&lookback=604800000", 200,
           "{\"data\":[{\"parent\":\"shop\",\"child\":\"agents\",\"callCount\":1}]" ENVELOPE(1));
    EXPECT_INT(ask("/api/metrics/latencies?service=a"), 501);
    EXPECT_INT(ask_with("POST", "/api/transform", "Content-Type: application/json\r\n", spans), 200);
    EXPECT(strstr(body, "\"total\":2,") != NULL);
    EXPECT_INT(ask_with("POST", "/api/transform", "Content-Type: application/json\r\n", "{"), 400);
}

/* ---- Jaeger v3 ---- */

#define WINDOW "query.startTimeMin=2023-11-14T22:00:00Z&query.startTimeMax=2023-11-14T23:00:00Z"

TEST(jaeger_v3)
{
    expect("/api/v3/services", 200, "{\"services\":[\"agents\",\"shop\"]}");
    expect("/api/v3/operations?service=agents&span_kind=SPAN_KIND_SERVER", 200,
           "{\"operations\":[{\"name\":\"chat gpt\",\"spanKind\":\"server\"}]}");
    expect_pieces("/api/v3/traces/" T1,
                  "{\"result\":{\"resourceSpans\":[{\"resource\":", "\"endTimeUnixNano\"", NULL);
    expect("/api/v3/traces/77", 404, "{\"error\":{\"httpCode\":404,\"message\":\"No traces found\"}}");
    expect("/api/v3/traces?query.serviceName=shop", 400,
           "{\"error\":{\"httpCode\":400,\"message\":\"query.startTimeMin is required\"}}");
    expect_pieces("/api/v3/traces?" WINDOW "&query.service_name=agents&query.searchDepth=5", T1, NULL);
    EXPECT_INT(ask("/api/v3/traces?" WINDOW "&query.serviceName=nobody"), 404);
    expect("/api/v3/trace-summaries?" WINDOW "&query.serviceName=agents", 200,
           "{\"summaries\":[{\"traceId\":\"" T1
           "\",\"rootServiceName\":\"shop\",\"rootOperationName\":\"GET /\","
           "\"minStartTimeUnixNano\":\"1700000000000000000\",\"maxEndTimeUnixNano\":\"1700000000100000000\","
           "\"spanCount\":4,\"errorSpanCount\":1,\"services\":[{\"name\":\"agents\",\"spanCount\":2,"
           "\"errorSpanCount\":1},{\"name\":\"shop\",\"spanCount\":2,\"errorSpanCount\":0}]}]}");
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(the_list_is_newest_first_and_pages),
        CASE(filters_of_the_list),
        CASE(one_trace_is_a_tree_with_its_logs),
        CASE(ids_of_any_case_and_length),
        CASE(pages_and_fields_of_one_trace),
        CASE(stats_of_a_window),
        CASE(analysis_ranks_by_time_on_the_critical_path),
        CASE(the_map_of_services_and_agents),
        CASE(errors_of_spans_and_logs_together),
        CASE(correlation_joins_spans_logs_and_traces),
        CASE(jaeger_names),
        CASE(a_trace_in_jaegers_json),
        CASE(protobuf_is_for_those_that_ask),
        CASE(jaeger_search),
        CASE(jaeger_dependencies_and_what_is_not_there),
        CASE(jaeger_v3),
    };
    return cmocka_run_group_tests(all, open_all, close_all);
}
