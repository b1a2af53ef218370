/* api_loki.c - query, query_range, and the small answers of Loki's API. */
#include "tell/api_loki_impl.h"

#include "base/check.h"
#include "base/json.h"
#include "query/logql/parse.h"
#include "tell/loki_json.h"

#define POINTS_MAX  11000
#define QUERY_ARENA ((size_t)64 << 20)

/* ---- query and query_range ---- */

static int take_direction(struct http_exchange *x, bool *forward, struct err *e)
{
    struct str s = http_param(x, "direction");
    *forward = str_is_nocase(s, "forward");
    if (s.n == 0 || *forward || str_is_nocase(s, "backward")) return OK;
    return err_set(e, ERR_PARSE, "invalid direction '%.*s'", STR_ARG(s));
}

static int take_query(struct http_exchange *x, struct logql_request *q, struct err *e)
{
    int rc;

    q->text = http_param(x, "query");
    q->cancelled = http_gone(x);
    if (q->text.n == 0) return err_set(e, ERR_PARSE, "parse error : syntax error: unexpected $end");
    if ((rc = take_direction(x, &q->forward, e)) < 0) return rc;
    return take_loki_limit(x, "limit", 100, LOKI_ENTRIES_MAX, &q->limit, e);
}

static void answer(struct http_exchange *x, const struct logs_api *api, const struct logql_request *q)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct logql_result r = { 0 };
    struct err e = ERR_INIT;

    if (logql_query(api->logql, q, &r, &e) < 0) {
        loki_error(x, &e);
        return;
    }
    loki_put_result(&out, &r, loki_wants_categories(x), q->forward);
    logql_result_release(&r);
    loki_answer(x, &out);
}

/* Lines have no instant. */
static int refuse_log_query(struct str text, struct err *e)
{
    struct arena a = ARENA_INIT(QUERY_ARENA);
    struct logql_query q;
    int rc = logql_parse(text, &a, &q, e);
    bool is_log = rc == OK && logql_is_log(q.root);
    if (rc == OK) logql_query_release(&q);
    if (is_log)
        rc = err_set(
            e, ERR_PARSE,
            "log queries are not supported as an instant query type, please change your query to a range "
            "query type");
    arena_release(&a);
    return rc;
}

static void run_query(struct http_exchange *x, const struct logs_api *api)
{
    struct logql_request q = { 0 };
    struct err e = ERR_INIT;

    if (take_query(x, &q, &e) < 0 || take_loki_time(x, "time", loki_now_ns(), &q.end_ns, &e) < 0 ||
        refuse_log_query(q.text, &e) < 0) {
        loki_error(x, &e);
        return;
    }
    q.start_ns = q.end_ns;
    answer(x, api, &q);
}

static int take_range(struct http_exchange *x, struct logql_request *q, struct err *e)
{
    int rc;

    if ((rc = take_query(x, q, e)) < 0) return rc;
    if ((rc = take_loki_window(x, &q->start_ns, &q->end_ns, e)) < 0) return rc;
    if ((rc = take_loki_duration(x, "interval", 0, &q->interval_ns, e)) < 0) return rc;
    int64_t span = q->end_ns - q->start_ns;
    if ((rc = take_loki_duration(x, "step", MAX(span / 250 / NS_PER_S, 1) * NS_PER_S, &q->step_ns, e)) < 0)
        return rc;
    if (q->step_ns <= 0)
        return err_set(
            e, ERR_PARSE,
            "zero or negative query resolution step widths are not accepted. Try a positive integer");
    if (span / q->step_ns > POINTS_MAX)
        return err_set(
            e, ERR_PARSE,
            "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of "
            "the step parameter");
    return OK;
}

static void run_query_range(struct http_exchange *x, const struct logs_api *api)
{
    struct logql_request q = { 0 };
    struct err e = ERR_INIT;

    if (take_range(x, &q, &e) < 0)
        loki_error(x, &e);
    else
        answer(x, api, &q);
}

static void handle_query(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_query);
}

static void handle_query_range(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_query_range);
}

/* ---- format_query ---- */

static void handle_format(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    struct buf text = BUF_INIT((size_t)16 << 20), out = BUF_INIT((size_t)32 << 20);
    struct err e = ERR_INIT;
    int rc = logql_format(http_param(x, "query"), &text, &e);

    if (rc < 0) {
        buf_printf(&out, "{\"status\":\"invalid-query\",\"error\":");
        json_escape(&out, str_of(e.text));
    } else {
        buf_cs(&out, "{\"status\":\"success\",\"data\":");
        json_escape(&out, buf_view(&text));
    }
    buf_char(&out, '}');
    buf_release(&text);
    http_answer_buf(x, rc < 0 ? 400 : 200, "application/json; charset=UTF-8", &out);
}

/* ---- what a client wants to know about the server ---- */

static void handle_buildinfo(struct http_exchange *x, void *ctx)
{
    const struct logs_api *api = ctx;
    struct buf out = BUF_INIT(4096);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_cs(&w, "version", api->loki_version);
    json_kv_cs(&w, "revision", api->base->version);
    json_kv_cs(&w, "branch", "main");
    json_kv_cs(&w, "buildUser", "vedette");
    json_kv_cs(&w, "buildDate", "");
    json_kv_cs(&w, "goVersion", "");
    json_end_object(&w);
    loki_answer(x, &out);
}

static void handle_ready(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *base = ((const struct logs_api *)ctx)->base;
    struct str why = STR("starting");
    if (base->ready == NULL || base->ready(base->ctx, &why))
        respond_text(x, 200, "ready");
    else
        respond_text(x, 503, "%.*s", STR_ARG(why));
}

/* Logs Drilldown asks what it may do before it asks for anything else. */
static void handle_drilldown_limits(struct http_exchange *x, void *ctx)
{
    const struct logs_api *api = ctx;
    struct buf out = BUF_INIT(4096);
    buf_printf(&out,
               "{\"limits\":{\"discover_log_levels\":true,\"discover_service_name\":[\"service_name\"],"
               "\"log_level_fields\":[\"level\",\"severity\"],\"max_entries_limit_per_query\":%d,"
               "\"max_line_size_truncate\":false,\"max_query_bytes_read\":\"0B\",\"max_query_length\":\"0s\","
               "\"max_query_lookback\":\"0s\",\"max_query_range\":\"0s\",\"max_query_series\":10000,"
               "\"metric_aggregation_enabled\":false,\"pattern_persistence_enabled\":false,"
               "\"query_timeout\":\"%llds\",\"retention_period\":\"0s\",\"retention_stream\":[],"
               "\"volume_enabled\":true,\"volume_max_series\":1000},"
               "\"pattern_ingester_enabled\":true,\"version\":\"%s\",\"maxDetectedFields\":1000,"
               "\"maxDetectedValues\":1000,\"maxLabelValues\":1000,\"maxLines\":%d}",
               LOKI_ENTRIES_MAX, (long long)(api->base->timeout_ms > 0 ? api->base->timeout_ms / 1000 : 120),
               api->loki_version, LOKI_ENTRIES_MAX);
    loki_answer(x, &out);
}

/* Rules are evaluated over metrics; those of LogQL are none yet, in the shapes that the alerting pages
 * expect. */
static void handle_no_rules(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer_static(x, 200, "application/json", STR("{\"status\":\"success\",\"data\":{\"groups\":[]}}"));
}

static void handle_no_alerts(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer_static(x, 200, "application/json", STR("{\"status\":\"success\",\"data\":{\"alerts\":[]}}"));
}

static void handle_no_rule_files(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer_static(x, 200, "application/yaml", STR("{}\n"));
}

#define LOKI "/loki/api/v1"
#define BOTH(path, handler)                                                                                  \
    { "GET", LOKI path, handler },                                                                           \
    {                                                                                                        \
        "POST", LOKI path, handler                                                                           \
    }

const struct http_route loki_routes[] = {
    BOTH("/query", handle_query),
    BOTH("/query_range", handle_query_range),
    BOTH("/labels", handle_loki_labels),
    BOTH("/label", handle_loki_labels), /* the older spelling */
    BOTH("/label/{name}/values", handle_loki_label_values),
    BOTH("/series", handle_loki_series),
    BOTH("/detected_labels", handle_loki_detected_labels),
    BOTH("/detected_fields", handle_loki_detected_fields),
    BOTH("/detected_field/{name}/values", handle_loki_detected_field_values),
    BOTH("/index/stats", handle_loki_stats),
    BOTH("/index/volume", handle_loki_volume),
    BOTH("/index/volume_range", handle_loki_volume_range),
    BOTH("/patterns", handle_loki_patterns),
    BOTH("/format_query", handle_format),
    { "GET", LOKI "/tail", handle_loki_tail },
    { "GET", LOKI "/drilldown-limits", handle_drilldown_limits },
    { "GET", LOKI "/status/buildinfo", handle_buildinfo },
    { "GET", LOKI "/rules", handle_no_rule_files },
    { "GET", "/loki/ready", handle_ready },
};
const size_t loki_n_routes = COUNT(loki_routes);

/* Of a Grafana source whose base URL is ours below /loki-api. */
const struct http_route loki_source_routes[] = {
    { "GET", "/ready", handle_ready },
    { "GET", "/prometheus/api/v1/rules", handle_no_rules },
    { "GET", "/prometheus/api/v1/alerts", handle_no_alerts },
};
const size_t loki_source_n_routes = COUNT(loki_source_routes);
