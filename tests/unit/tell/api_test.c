/* The API over a real socket, a toy store and the engine. */
#include "base/clock.h"
#include "base/stat.h"
#include "tell/api_prometheus.h"
#include "unit/net/raw.h"
#include "unit/tell/toy_store.h"
#include "unit/test.h"

static const int64_t times[] = { 1000, 61000, 121000 };
static const double values[] = { 1, 2, 3 };
static struct toy_series series[3];
static struct toy toy = { .store = { &toy_ops } };
static struct work_pool *pool;
static struct engine *engine;
static struct http_server *server;
static struct prometheus_api api;
static char body[1 << 20];

static void write_flag(void *ctx, void (*visit)(const char *, const char *, void *), void *arg)
{
    (void)ctx;
    visit("listen", "127.0.0.1:8090", arg);
    visit("data", "./\"data\"", arg);
}

static void write_config(void *ctx, struct buf *out)
{
    (void)ctx;
    buf_cs(out, "global:\n  scrape_interval: 15s\n");
}

static void visit_targets(void *ctx, void (*visit)(const struct target_view *, void *), void *arg)
{
    static const struct label l[] = { { STR("instance"), STR("host:1") } };
    struct target_view t = { .discovered = { l, 1 },
                             .labels = { l, 1 },
                             .pool = STR("node"),
                             .url = STR("http://host:1/metrics"),
                             .health = "up",
                             .last_scrape_ms = 1500,
                             .last_seconds = 0.25,
                             .interval_ms = 15000,
                             .timeout_ms = 10000 };
    (void)ctx;
    visit(&t, arg);
    t.dropped = true;
    visit(&t, arg);
}

static void visit_pools(void *ctx, void (*visit)(struct str, void *), void *arg)
{
    (void)ctx;
    visit(STR("node"), arg);
}

static const struct scrape_source scrape = { NULL, visit_targets, visit_pools };

static void fill_toy(void)
{
    static struct label a[] = { { STR("__name__"), STR("up") }, { STR("job"), STR("a") } };
    static struct label b[] = { { STR("__name__"), STR("up") }, { STR("job"), STR("b") } };
    static struct label c[] = { { STR("__name__"), STR("down") }, { STR("my.label"), STR("x") } };
    static const struct label trace[] = { { STR("trace_id"), STR("abc") } };
    static struct exemplar ex[2];
    static struct metadata md[] = {
        { STR("zed"), STR("counter"), STR("Z."), STR("") },
        { STR("up"), STR("gauge"), STR("Is it?"), STR("") },
        { STR("up"), STR("gauge"), STR("Is it?"), STR("") },
        { STR("up"), STR("counter"), STR("Was it?"), STR("s") },
    };
    series[0] = (struct toy_series){ { a, 2 }, times, values, 3 };
    series[1] = (struct toy_series){ { b, 2 }, times, values, 3 };
    series[2] = (struct toy_series){ { c, 2 }, times, values, 3 };
    ex[0] = (struct exemplar){ { b, 2 }, { trace, 1 }, 2000, 0.5 };
    ex[1] = (struct exemplar){ { b, 2 }, { trace, 1 }, 1000, 0.25 };
    toy.series = series;
    toy.n_series = 3;
    toy.exemplars = ex;
    toy.n_exemplars = 2;
    toy.metadata = md;
    toy.n_metadata = 4;
}

static int open_all(void **state)
{
    struct http_conf conf = { .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2 };
    struct err e = ERR_INIT;

    (void)state;
    fill_toy();
    pool = work_start("test", 2, 100);
    engine = engine_new(&toy.store, pool, &(struct engine_conf){ 0 });
    api = (struct prometheus_api){ .engine = engine,
                                   .store = &toy.store,
                                   .pool = pool,
                                   .version = "0.0.1",
                                   .prometheus_version = "3.14.0",
                                   .retention = "30d",
                                   .started_ms = 1700000000000,
                                   .scrape = &scrape,
                                   .config_yaml = write_config,
                                   .each_flag = write_flag };
    server = http_server_new();
    http_server_routes(server, prometheus_routes, prometheus_routes_count, &api);
    if (http_server_start(server, &conf, &e) < 0) fail_msg("%s", e.text);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    http_server_stop(server, 1000);
    http_server_free(server);
    engine_free(engine);
    work_stop(pool);
    return 0;
}

/* The status; the body is in `body`. */
static int ask(const char *method, const char *target, const char *form)
{
    char request[4096];
    int n = snprintf(request, sizeof request,
                     "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: "
                     "application/x-www-form-urlencoded\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     method, target, strlen(form), form);
    char *text = raw_ask(http_server_port(server, 0), request, (size_t)n, NULL);
    int status = 0;
    sscanf(text, "HTTP/1.1 %d", &status);
    const char *at = strstr(text, "\r\n\r\n");
    snprintf(body, sizeof body, "%s", at ? at + 4 : "");
    free(text);
    return status;
}

static void expect(const char *target, int status, const char *want)
{
    int got = ask("GET", target, "");
    if (got != status || strcmp(body, want) != 0) fail_msg("%s: %d %s", target, got, body);
}

static void expect_data(const char *target, const char *data)
{
    char want[8192];
    snprintf(want, sizeof want, "{\"status\":\"success\",\"data\":%s}", data);
    expect(target, 200, want);
}

static void expect_error(const char *target, int status, const char *type, const char *text)
{
    char want[8192];
    snprintf(want, sizeof want, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":\"%s\"}", type, text);
    expect(target, status, want);
}

/* ---- queries ---- */

TEST(instant_queries)
{
    expect_data("/api/v1/query?query=1%2B1&time=4", "{\"resultType\":\"scalar\",\"result\":[4,\"2\"]}");
    expect_data("/api/v1/query?query=up{job=%22b%22}&time=62",
                "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"up\",\"job\":\"b\"},"
                "\"value\":[62,\"2\"]}]}");
    expect_data("/api/v1/query?query='x'&time=4", "{\"resultType\":\"string\",\"result\":[4,\"x\"]}");
    assert_int_equal(ask("POST", "/api/v1/query", "query=vector(7)&time=1.5"), 200);
    EXPECT_STR(body, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},"
                     "\"value\":[1.500,\"7\"]}]}}");
    assert_int_equal(ask("POST", "/api/v1/query?query=1&time=0", ""),
                     200); /* the query in the URL of a POST */
}

TEST(range_queries)
{
    expect_data("/api/v1/query_range?query=up{job=%22a%22}&start=61&end=121&step=60",
                "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"up\",\"job\":\"a\"},"
                "\"values\":[[61,\"2\"],[121,\"3\"]]}]}");
}

TEST(limits_truncate_with_a_warning)
{
    expect(
        "/api/v1/query?query=count_values(%22v%22,up*0%2B1)or+vector(5)&time=62&limit=1", 200,
        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"v\":\"1\"},"
        "\"value\":[62,\"2\"]}]},\"warnings\":[\"results truncated due to limit\"]}");
}

TEST(wrong_parameters_are_named)
{
    expect_error(
        "/api/v1/query?query=", 400, "bad_data",
        "invalid parameter \\\"query\\\": unknown position: parse error: no expression found in input");
    expect_error("/api/v1/query?query=up&time=x", 400, "bad_data",
                 "invalid parameter \\\"time\\\": invalid time value for 'time': cannot parse \\\"x\\\" to a "
                 "valid timestamp");
    expect_error("/api/v1/query_range?query=up&end=1&step=1", 400, "bad_data",
                 "invalid parameter \\\"start\\\": cannot parse \\\"\\\" to a valid timestamp");
    expect_error("/api/v1/query_range?query=up&start=2&end=1&step=1", 400, "bad_data",
                 "invalid parameter \\\"end\\\": end timestamp must not be before start time");
    expect_error("/api/v1/query_range?query=up&start=0&end=1&step=0", 400, "bad_data",
                 "invalid parameter \\\"step\\\": zero or negative query resolution step widths are not "
                 "accepted. Try a positive integer");
    expect_error("/api/v1/query_range?query=up&start=0&end=11001&step=1", 400, "bad_data",
                 "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                 "resolution (?step=XX)");
    assert_int_equal(ask("GET", "/api/v1/query_range?query=up&start=0&end=11000&step=1", ""), 200);
    expect_error("/api/v1/query?query=up&timeout=x", 400, "bad_data",
                 "invalid parameter \\\"timeout\\\": cannot parse \\\"x\\\" to a valid duration");
    expect_error("/api/v1/query?query=up&lookback_delta=x", 400, "bad_data",
                 "error parsing lookback delta duration: cannot parse \\\"x\\\" to a valid duration");
    expect_error("/api/v1/query?query=up&limit=-1", 400, "bad_data",
                 "invalid parameter \\\"limit\\\": limit must be non-negative");
}

TEST(queries_are_formatted_and_parsed)
{
    expect_data("/api/v1/format_query?query=sum(up)by(job)", "\"sum by (job) (up)\"");
    expect_data("/api/v1/parse_query?query=1", "{\"type\":\"numberLiteral\",\"val\":\"1\"}");
    expect_error("/api/v1/format_query?query=sum(", 400, "bad_data",
                 "invalid parameter \\\"query\\\": 1:5: parse error: unclosed left parenthesis");
}

TEST(exemplars)
{
    expect_data("/api/v1/query_exemplars?query=rate(up[5m])%2Bup&start=0&end=10",
                "[{\"seriesLabels\":{\"__name__\":\"up\",\"job\":\"b\"},\"exemplars\":["
                "{\"labels\":{\"trace_id\":\"abc\"},\"value\":\"0.25\",\"timestamp\":1},"
                "{\"labels\":{\"trace_id\":\"abc\"},\"value\":\"0.5\",\"timestamp\":2}]}]");
    expect_data("/api/v1/query_exemplars?query=test&start=1700000000000&end=1700000600000",
                "[]"); /* Grafana's probe, in milliseconds */
    expect_data("/api/v1/query_exemplars?query=1", "[]");
    expect_error("/api/v1/query_exemplars?query=up&start=2&end=1", 400, "bad_data",
                 "end timestamp must not be before start timestamp");
}

/* ---- what there is ---- */

TEST(series_of_several_selectors_come_once_and_sorted)
{
    expect_data("/api/v1/series?match[]=up&match[]={job=%22a%22}",
                "[{\"__name__\":\"up\",\"job\":\"a\"},{\"__name__\":\"up\",\"job\":\"b\"}]");
    expect_data("/api/v1/series?match[]=nothing", "[]");
    expect("/api/v1/series?match[]=up&limit=1", 200, body); /* any single series, and a warning */
    EXPECT(strstr(body, "\"warnings\":[\"results truncated due to limit\"]"));
    expect_error("/api/v1/series", 400, "bad_data", "no match[] parameter provided");
    expect_error("/api/v1/series?match[]={}", 400, "bad_data",
                 "match[] must contain at least one non-empty matcher");
    expect_error("/api/v1/series?match[]=up&start=x", 400, "bad_data",
                 "invalid parameter \\\"start\\\": invalid time value for 'start': cannot parse \\\"x\\\" to "
                 "a valid timestamp");
    assert_int_equal(ask("POST", "/api/v1/series", "match%5B%5D=up"), 200);
    EXPECT(strstr(body, "\"job\":\"b\""));
}

TEST(label_names_and_values)
{
    expect_data("/api/v1/labels", "[\"__name__\",\"job\",\"my.label\"]");
    expect_data("/api/v1/labels?match[]=up&match[]=down", "[\"__name__\",\"job\",\"my.label\"]");
    expect_data("/api/v1/labels?match[]=up", "[\"__name__\",\"job\"]");
    expect_data("/api/v1/label/job/values", "[\"a\",\"b\"]");
    expect_data("/api/v1/label/U__my_2e_label/values", "[\"x\"]");
    expect_data("/api/v1/label/nope/values", "[]");
    expect("/api/v1/label/job/values?limit=1", 200,
           "{\"status\":\"success\",\"data\":[\"a\"],\"warnings\":[\"results truncated due to limit\"]}");
}

TEST(metadata_by_family)
{
    expect_data("/api/v1/metadata", "{\"up\":[{\"type\":\"gauge\",\"unit\":\"\",\"help\":\"Is it?\"},"
                                    "{\"type\":\"counter\",\"unit\":\"s\",\"help\":\"Was it?\"}],"
                                    "\"zed\":[{\"type\":\"counter\",\"unit\":\"\",\"help\":\"Z.\"}]}");
    expect_data("/api/v1/metadata?limit=1&limit_per_metric=1",
                "{\"up\":[{\"type\":\"gauge\",\"unit\":\"\",\"help\":\"Is it?\"}]}");
    expect_data("/api/v1/metadata?metric=zed",
                "{\"zed\":[{\"type\":\"counter\",\"unit\":\"\",\"help\":\"Z.\"}]}");
    expect_data("/api/v1/metadata?limit=0", "{}");
    expect_error("/api/v1/metadata?limit=x", 400, "bad_data", "limit must be a number");
}

/* ---- the server itself ---- */

static const char *federated(const char *target)
{
    int status = ask("GET", target, "");
    if (status != 200) fail_msg("%s: %d %s", target, status, body);
    return body;
}

/* The newest sample of each series, with its time, grouped by name; here the clock stands still at 2 min. */
TEST(federation)
{
    static const struct label external[] = { { STR("cluster"), STR("c1") }, { STR("job"), STR("never") } };

    clock_fix_ms(121000);
    EXPECT_STR(federated("/federate?match[]=up"),
               "# TYPE up untyped\nup{job=\"a\"} 3 121000\nup{job=\"b\"} 3 121000\n");
    EXPECT_STR(federated("/federate?match[]=up{job=%22a%22}&match[]={job=~%22a|zzz%22}"),
               "# TYPE up untyped\nup{job=\"a\"} 3 121000\n");
    EXPECT_STR(federated("/federate"), "");
    api.external_labels = external;
    api.n_external_labels = 2;
    EXPECT_STR(federated("/federate?match[]=up{job=%22a%22}"),
               "# TYPE up untyped\nup{cluster=\"c1\",job=\"a\"} 3 121000\n");
    api.n_external_labels = 0;
    clock_fix_ms(1000000); /* all samples lie before the lookback */
    EXPECT_STR(federated("/federate?match[]=up"), "");
    clock_fix_ms(0);
    assert_int_equal(ask("GET", "/federate?match[]=up{", ""), 400);
}

TEST(own_metrics)
{
    static const double bounds[] = { 0.5, 1 };
    struct stat *counter = stat_counter("toy_things_total", "Things.", "kind=\"a\\\"b\"");
    struct stat *histogram = stat_histogram("toy_seconds", "Time.", NULL, bounds, 2);

    stat_add(counter, 3);
    stat_observe(histogram, 0.25);
    stat_observe(histogram, 0.75);
    stat_observe(histogram, 2);
    assert_int_equal(ask("GET", "/metrics", ""), 200);
    EXPECT(strstr(body, "# HELP toy_things_total Things.\n# TYPE toy_things_total "
                        "counter\ntoy_things_total{kind=\"a\\\"b\"} 3\n"));
    EXPECT(strstr(body, "toy_seconds_bucket{le=\"0.5\"} 1\ntoy_seconds_bucket{le=\"1\"} "
                        "2\ntoy_seconds_bucket{le=\"+Inf\"} 3\n"
                        "toy_seconds_sum 3\ntoy_seconds_count 3\n"));
}

TEST(targets)
{
    expect_data("/api/v1/targets?state=active",
                "{\"activeTargets\":[{\"discoveredLabels\":{\"instance\":\"host:1\"},\"labels\":{"
                "\"instance\":\"host:1\"},"
                "\"scrapePool\":\"node\",\"scrapeUrl\":\"http://host:1/metrics\",\"globalUrl\":\"http://"
                "host:1/metrics\",\"lastError\":\"\","
                "\"lastScrape\":\"1970-01-01T00:00:01.500Z\",\"lastScrapeDuration\":0.25,\"health\":\"up\","
                "\"scrapeInterval\":\"15s\","
                "\"scrapeTimeout\":\"10s\"}],\"droppedTargets\":[],\"droppedTargetCounts\":{}}");
    expect_data("/api/v1/targets?state=dropped",
                "{\"activeTargets\":[],\"droppedTargets\":[{\"discoveredLabels\":{\"instance\":\"host:1\"},"
                "\"scrapePool\":\"node\"}],"
                "\"droppedTargetCounts\":{\"node\":1}}");
    expect_data("/api/v1/scrape_pools", "{\"scrapePools\":[\"node\"]}");
    api.scrape = NULL;
    expect_data("/api/v1/targets", "{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}");
    expect_data("/api/v1/scrape_pools", "{\"scrapePools\":[]}");
    api.scrape = &scrape;
}

TEST(rules_and_alerts_are_empty_but_well_formed)
{
    expect_data("/api/v1/rules", "{\"groups\":[]}");
    expect_data("/api/v1/alerts", "{\"alerts\":[]}");
    expect_error("/api/v1/rules?type=x", 400, "bad_data",
                 "invalid parameter \\\"type\\\": not supported value \\\"x\\\"");
    assert_int_equal(ask("POST", "/api/v1/alerts", ""), 410);
}

TEST(status)
{
    expect_data("/api/v1/status/config", "{\"yaml\":\"global:\\n  scrape_interval: 15s\\n\"}");
    expect_data("/api/v1/status/flags", "{\"listen\":\"127.0.0.1:8090\",\"data\":\"./\\\"data\\\"\"}");
    expect_data(
        "/api/v1/status/buildinfo",
        "{\"version\":\"3.14.0\",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\","
        "\"goVersion\":\"\"}");
    expect_data("/api/v1/status/tsdb?limit=1",
                "{\"headStats\":{\"numSeries\":3,\"numLabelPairs\":7,\"chunkCount\":7,\"minTime\":1000,"
                "\"maxTime\":2000},"
                "\"seriesCountByMetricName\":[{\"name\":\"series_by_metric\",\"value\":5}],"
                "\"labelValueCountByLabelName\":[{\"name\":\"values_by_label\",\"value\":5}],"
                "\"memoryInBytesByLabelName\":[{\"name\":\"bytes_by_label\",\"value\":5}],"
                "\"seriesCountByLabelValuePair\":[{\"name\":\"series_by_pair\",\"value\":5}]}");
    expect_error("/api/v1/status/tsdb?limit=0", 400, "bad_data", "limit must be a positive number");
    assert_int_equal(ask("GET", "/api/v1/status/runtimeinfo", ""), 200);
    EXPECT(strstr(body, "\"startTime\":\"2023-11-14T22:13:20Z\"") &&
           strstr(body, "\"storageRetention\":\"30d\""));
}

TEST(health)
{
    expect("/-/healthy", 200, "Vedette is Healthy.\n");
    expect("/-/ready", 200, "Vedette is Ready.\n");
    assert_int_equal(ask("GET", "/health", ""), 200);
    EXPECT(strstr(body, "{\"status\":\"ok\",\"version\":\"0.0.1\"") &&
           strstr(body, "\"store\":{\"status\":\"ok\"}"));
    toy.read_only = true;
    ask("GET", "/health", "");
    EXPECT(strstr(body, "\"status\":\"degraded\""));
    toy.read_only = false;
    assert_int_equal(ask("GET", "/-/reload", ""), 405);
}

TEST(admin_is_off_unless_allowed)
{
    assert_int_equal(ask("POST", "/api/v1/admin/tsdb/snapshot", ""), 500);
    EXPECT_STR(body,
               "{\"status\":\"error\",\"errorType\":\"unavailable\",\"error\":\"admin APIs disabled\"}");
    assert_int_equal(ask("GET", "/api/v1/admin/tsdb/snapshot", ""), 405);
    api.admin_enabled = true;
    assert_int_equal(ask("PUT", "/api/v1/admin/tsdb/clean_tombstones", ""), 204);
    assert_int_equal(ask("POST", "/api/v1/admin/tsdb/delete_series?match[]=up", ""), 204);
    assert_int_equal(ask("POST", "/api/v1/admin/tsdb/delete_series", ""), 400);
    assert_int_equal(ask("POST", "/api/v1/admin/tsdb/delete_series?match[]={}", ""), 400);
    api.admin_enabled = false;
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(instant_queries),
        CASE(range_queries),
        CASE(limits_truncate_with_a_warning),
        CASE(wrong_parameters_are_named),
        CASE(queries_are_formatted_and_parsed),
        CASE(exemplars),
        CASE(series_of_several_selectors_come_once_and_sorted),
        CASE(label_names_and_values),
        CASE(metadata_by_family),
        CASE(federation),
        CASE(own_metrics),
        CASE(targets),
        CASE(rules_and_alerts_are_empty_but_well_formed),
        CASE(status),
        CASE(health),
        CASE(admin_is_off_unless_allowed),
    };
    return cmocka_run_group_tests(all, open_all, close_all);
}
