/* server.c - see server.h. The order of opening: store, workers, engine, then the doors, then what feeds
 * itself. */
#include "server/server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/turns.h"
#include "receive/push_otlp_config.h"
#include "server/config.h"
#include "server/prices_glue.h"
#include "server/version.h"
#include "tell/page.h"

#define QUERY_NICENESS 10  /* fifty heavy queries must not make senders wait */
#define QUERY_QUEUE    256 /* requests waiting for a worker; beyond, 503 */
#define STOP_GRACE_MS  5000
#define PEM_MAX        (1u << 20)

/* ---- what the API asks of the server ---- */

static void api_flags(void *ctx, void (*visit)(const char *, const char *, void *), void *arg)
{
    options_each(&((struct server *)ctx)->options, visit, arg);
}

static int api_reload(void *ctx, struct err *e)
{
    return server_reload(ctx, e);
}

static void api_components(void *ctx, void (*visit)(const struct component *, void *), void *arg)
{
    const struct server *s = ctx;
    visit(&(struct component){ "http", "ok", str_of(s->options.listen) }, arg);
    if (s->grpc != NULL) visit(&(struct component){ "grpc", "ok", str_of(s->options.listen_grpc) }, arg);
}

static void api_config(void *ctx, struct buf *out)
{
    struct server *s = ctx;
    pthread_mutex_lock(&s->reload_mu);
    scrape_glue_print(&s->scrape, out);
    pthread_mutex_unlock(&s->reload_mu);
}

static int open_config(struct server *s, struct err *e)
{
    struct yaml *file = s->options.file;
    int rc = config_check(file, s->options.config, e);
    if (rc == OK) rc = push_otlp_config(yaml_get(file, "otlp"), &s->options.arena, &s->otlp_options, e);
    if (rc < 0) return rc;
    config_warn_unused(file);
    return scrape_glue_open(&s->scrape, file, s->options.config, s->store, &s->api, e);
}

/* Where people reach us, as links in notifications and alerts begin. */
static const char *external_url(const struct server *s, char *own, size_t cap)
{
    const struct options *o = &s->options;
    snprintf(own, cap, "http%s://%s", o->tls_cert_file[0] ? "s" : "", o->listen);
    return o->external_url[0] ? o->external_url : own;
}

static int open_notify(struct server *s, struct err *e)
{
    const struct options *o = &s->options;
    char url[300];
    struct notify_glue_conf conf = {
        .config = o->config,
        .root = o->file,
        .text = o->file_text,
        .data_dir = o->data,
        .external_url = external_url(s, url, sizeof url),
        .version = VEDETTE_VERSION,
        .pool = s->requests,
        .started_ms = s->api.started_ms,
        .store = s->store,
    };
    int rc = notify_glue_open(&s->notify, &conf, e);
    s->api.notify = s->notify.notify;
    return rc;
}

/* The rules of a configuration, read and checked; server_open and server_reload put them in force. */
static int read_judge(const struct server *s, struct yaml *file, struct judge_conf **out, struct err *e)
{
    const struct options *o = &s->options;
    char url[300];
    return judge_conf_read(file, o->config, o->builtin_rules, external_url(s, url, sizeof url), out, e);
}

static int open_judge(struct server *s, struct err *e)
{
    struct judge_conf *conf;
    int rc = read_judge(s, s->options.file, &conf, e);
    if (rc == OK) judge_glue_open(&s->judge, conf, s->pool, &s->api, notify_glue_sink(&s->notify));
    return rc;
}

/* ---- opening ---- */

/* An address, not a name that starts like one: 127.0.0.1.example.org is somewhere else. */
static bool is_loopback(const char *listen)
{
    if (strncmp(listen, "localhost:", 10) == 0 || strncmp(listen, "[::1]:", 6) == 0) return true;
    const char *colon = strrchr(listen, ':');
    char host[64];
    struct in_addr at;
    if (colon == NULL || (size_t)(colon - listen) >= sizeof host) return strcmp(listen, "none") == 0;
    snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
    return inet_pton(AF_INET, host, &at) == 1 && ntohl(at.s_addr) >> 24 == 127;
}

static int listeners_check(const struct options *o, struct err *e)
{
    const char *all[] = { o->listen, o->listen_otlp, o->listen_grpc, o->listen_syslog, o->listen_syslog_udp };
    for (size_t i = 0; i < COUNT(all); i++)
        if (!is_loopback(all[i]) && !o->allow_insecure_listen)
            return err_set(e, ERR_RANGE,
                           "%s is not a loopback address and there is no authentication yet: put a proxy "
                           "with one in front, "
                           "or say --allow-insecure-listen",
                           all[i]);
    if ((o->tls_cert_file[0] == 0) != (o->tls_key_file[0] == 0))
        return err_set(e, ERR_RANGE, "TLS wants both --tls-cert-file and --tls-key-file");
    return OK;
}

static int read_pem(const char *path, char **out, struct err *e)
{
    if (path[0] == 0) return OK;
    struct buf pem = BUF_INIT(PEM_MAX);
    int rc = file_slurp(path, &pem, e);
    if (rc == OK) *out = str_dup(buf_view(&pem));
    buf_release(&pem);
    return rc;
}

static int open_budget(struct server *s, struct err *e)
{
    uint64_t limit;
    int rc = budget_parse(str_of(s->options.memory_limit), &limit, e);
    if (rc < 0) return err_where(e, "--memory-limit"), rc;
    budget_start(limit);
    s->has_budget = true;
    return OK;
}

static int open_store(struct server *s, struct err *e)
{
    const struct options *o = &s->options;
    uint64_t series_bytes = budget_share(BUDGET_SERIES);
    struct embedded_conf conf = {
        .dir = o->data,
        .key_file = o->encryption_key_file && *o->encryption_key_file ? o->encryption_key_file : NULL,
        .retention_ms = o->retention_ms,
        .retention_rollups_ms = o->retention_rollups_ms,
        .tier_1h = options_rollup_1h(o),
        .tier_5m = o->rollup_5m,
        .retention_bytes = o->retention_bytes,
        .retention_logs_ms = o->retention_logs_ms,
        .retention_spans_ms = o->retention_traces_ms,
        .retention_metrics_bytes = o->retention_metrics_bytes,
        .retention_logs_bytes = o->retention_logs_bytes,
        .retention_spans_bytes = o->retention_traces_bytes,
        .head_bytes = budget_at_most(BUDGET_HEAD, o->head_bytes),
        .head_age_ms = o->head_age_ms,
        .sync_interval_ms = o->sync_interval_ms,
        .max_series = o->max_series,
        .max_series_per_metric = o->max_series_per_metric,
        .max_values_per_label = o->max_label_values,
        .max_series_bytes = series_bytes == UINT64_MAX ? 0 : series_bytes,
        .min_free_bytes = o->min_free_bytes,
    };
    return embedded_open(&conf, &s->store, e);
}

static void shrink_engine(void *engine)
{
    engine_shrink(engine);
}

static void open_engine(struct server *s)
{
    const struct options *o = &s->options;
    size_t processors = (size_t)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
    struct engine_conf conf = {
        .lookback_ms = o->query_lookback_ms,
        .timeout_ms = o->query_timeout_ms,
        .max_samples = o->query_max_samples,
        .max_memory_bytes = budget_at_most(BUDGET_QUERIES, o->query_memory_bytes),
        .max_concurrent = o->query_concurrency,
        .max_total_memory = budget_at_most(BUDGET_QUERIES, o->query_total_memory_bytes),
        .result_cache_bytes = budget_at_most(BUDGET_CACHES, 2 * o->query_cache_bytes) / 2,
        .no_result_cache = o->query_cache_bytes == 0,
    };
    s->pool = work_start_nice("query", MAX(processors, 2), QUERY_QUEUE, QUERY_NICENESS);
    /* Whoever waits for a place in the engine holds a thread: so many that light queries find one, too. */
    s->requests =
        work_start_nice("request", 4 * o->query_concurrency + processors, QUERY_QUEUE, QUERY_NICENESS);
    s->turns = turns_new(processors + 1); /* one may wait for the disk */
    work_take_turns(s->pool, s->turns, false);
    work_take_turns(s->requests, s->turns, true);
    s->engine = engine_new(s->store, s->pool, &conf);
    budget_on_tight(shrink_engine, s->engine);
}

static void fill_api(struct server *s)
{
    struct buf retention = BUF_INIT(sizeof s->retention - 1);
    if (s->options.retention_ms > 0) duration_print_ms(&retention, s->options.retention_ms);
    snprintf(s->retention, sizeof s->retention, "%s", retention.n > 0 ? buf_cstr(&retention) : "forever");
    buf_release(&retention);
    s->api = (struct prometheus_api){
        .engine = s->engine,
        .store = s->store,
        .pool = s->requests,
        .version = VEDETTE_VERSION,
        .prometheus_version = PROMETHEUS_API_VERSION,
        .data_dir = s->options.data,
        .retention = s->retention,
        .started_ms = clock_now_ms(),
        .lookback_ms = s->options.query_lookback_ms,
        .timeout_ms = s->options.query_timeout_ms,
        .memory_bytes = budget_at_most(BUDGET_QUERIES, s->options.query_memory_bytes),
        .admin_enabled = s->options.admin_api,
        .ctx = s,
        .each_flag = api_flags,
        .config_yaml = api_config,
        .reload = api_reload,
        .each_component = api_components,
    };
}

/* Grafana users may point a data source at /prometheus: the same handlers below that prefix. */
static void add_prefixed(struct server *s)
{
    s->prefixed = mem_array(prometheus_routes_count, sizeof *s->prefixed);
    for (size_t i = 0; i < prometheus_routes_count; i++) {
        s->prefixed[i] = prometheus_routes[i];
        s->prefixed[i].path = arena_printf(&s->options.arena, "/prometheus%s", prometheus_routes[i].path).p;
    }
    http_server_routes(s->http, s->prefixed, prometheus_routes_count, &s->api);
}

static int open_http(struct server *s, struct err *e)
{
    const struct options *o = &s->options;
    const size_t max_body = budget_at_most(BUDGET_REQUESTS, o->max_body_bytes);
    const size_t in_flight = budget_at_most(BUDGET_REQUESTS, o->max_inflight_bytes);
    budget_requests_most(in_flight);
    signals_api_open(&s->signals, &s->api, s->pool, &s->taps);
    kg_glue_open(&s->kg, &s->api, &s->taps, s->derive.events);
    struct limit limit = LIMIT_DEFAULT;
    limit.body_bytes = max_body;
    limit.memory_bytes = budget_at_most(BUDGET_REQUESTS, limit.memory_bytes);
    push_prom_init(&s->push, s->store, &limit);
    push_otlp_init(&s->otlp, s->store, &limit, &s->otlp_options);
    int rc = doors_open(&s->doors, o, &limit, &s->otlp, &s->taps, e);
    if (rc < 0) return rc;
    s->push.write_v1.policy = s->push.write_v2.policy = s->push.import.policy = &s->doors.policy;
    s->pushgateway = pushgateway_start(s->store, &limit, &(struct pushgateway_conf){ 0 });

    s->http = http_server_new();
    http_server_routes(s->http, push_prom_routes, push_prom_n_routes, &s->push);
    http_server_routes(s->http, push_otlp_routes, push_otlp_n_routes, &s->otlp);
    push_events_ids(&s->doors.events, event_series_ids(s->derive.events));
    doors_routes(&s->doors, s->http);
    kg_glue_routes(&s->kg, s->http);
    http_server_routes(s->http, pushgateway_routes, pushgateway_n_routes, s->pushgateway);
    http_server_routes(s->http, reports_routes, reports_n_routes, &s->reports.api);
    http_server_routes(s->http, prometheus_routes, prometheus_routes_count, &s->api);
    add_prefixed(s);
    signals_api_routes(&s->signals, s->http, &s->options.arena);
    notify_glue_routes(&s->notify, s->http, &s->options.arena);
    http_server_routes(s->http, dashboards_routes, dashboards_n_routes, &s->dashboards.api);
    http_server_routes(s->http, page_routes, page_n_routes, NULL);

    struct http_conf conf = {
        .listen = { o->listen, o->listen_otlp },
        .n_listen = strcmp(o->listen_otlp, "none") == 0 ? 1 : 2,
        .threads = (size_t)o->http_threads,
        .max_body_bytes = max_body,
        .max_inflight_bytes = MAX(in_flight / 2, max_body), /* the other half is for what is made of them */
        .max_connections = (unsigned)o->max_connections,
        .tls_cert_pem = s->tls_cert,
        .tls_key_pem = s->tls_key,
    };
    return http_server_start(s->http, &conf, e);
}

static int open_grpc(struct server *s, struct err *e)
{
    const struct options *o = &s->options;
    if (strcmp(o->listen_grpc, "none") == 0) return OK;
    struct grpc_conf conf = {
        .listen = o->listen_grpc,
        .max_message_bytes = (size_t)o->max_body_bytes,
        .tls_cert_pem = s->tls_cert,
        .tls_key_pem = s->tls_key,
    };
    s->grpc = grpc_server_new();
    grpc_server_methods(s->grpc, push_otlp_methods, push_otlp_n_methods, &s->otlp);
    return grpc_server_start(s->grpc, &conf, e);
}

static bool real_arrived(void *ctx, uint64_t own)
{
    const struct server *s = ctx;
    const struct ingest *doors[] = { &s->push.write_v1, &s->push.write_v2, &s->push.import, &s->otlp.http,
                                     &s->otlp.grpc };
    double samples = 0;
    for (size_t i = 0; i < COUNT(doors); i++) samples += stat_value(doors[i]->samples);
    samples += stat_value(stat_gauge("vedette_pushgateway_groups", "Groups of pushed metrics.", NULL));
    struct store_status status;
    store_status(s->store, &status);
    bool has_records = status.table[TABLE_LOGS].ingested + status.table[TABLE_SPANS].ingested > own;
    return samples > 0 || has_records || s->scrape.manager != NULL;
}

static void open_self(struct server *s)
{
    const struct options *o = &s->options;
    if (o->self_metrics || o->host_metrics) {
        struct self_conf conf = { o->self_interval_ms, o->self_metrics, o->host_metrics, o->listen };
        s->self = self_start(s->store, &conf);
    }
    if (!o->demo) return;
    s->demo = demo_start(
        &(struct demo_conf){ s->store, &s->doors.policy, &s->taps, &s->doors.limit, real_arrived, s });
}

int server_open(struct server *s, struct options *o, struct err *e)
{
    int rc;
    *s = (struct server){ .options = *o };
    *o = (struct options){ 0 };
    pthread_mutex_init(&s->reload_mu, NULL);

    if ((rc = listeners_check(&s->options, e)) < 0) goto fail;
    if ((rc = read_pem(s->options.tls_cert_file, &s->tls_cert, e)) < 0) goto fail;
    if ((rc = read_pem(s->options.tls_key_file, &s->tls_key, e)) < 0) goto fail;
    if ((rc = open_budget(s, e)) < 0) goto fail;
    if ((rc = open_store(s, e)) < 0) goto fail;
    store_gauges_start(&s->gauges, s->store);
    open_engine(s);
    fill_api(s);
    if ((rc = doors_begin(&s->doors, &s->options, s->store, e)) < 0) goto fail;
    if ((rc = open_config(s, e)) < 0) goto fail;
    if ((rc = prices_glue_apply(s->options.file, s->options.config, e)) < 0) goto fail;
    rc = derive_glue_open(&s->derive, s->options.file, &s->options.arena, s->store, &s->taps, e);
    if (rc < 0) goto fail;
    if ((rc = open_notify(s, e)) < 0) goto fail;
    rc = dashboards_glue_open(&s->dashboards, s->options.file, s->options.config, s->notify.state,
                              s->requests, e);
    if (rc < 0) goto fail;
    if ((rc = open_judge(s, e)) < 0) goto fail;
    rc = report_glue_open(&s->reports, s->options.file, &s->api, s->options.data, e);
    if (rc < 0) goto fail;
    if ((rc = open_http(s, e)) < 0) goto fail;
    if ((rc = open_grpc(s, e)) < 0) goto fail;
    if ((rc = doors_start(&s->doors, e)) < 0) goto fail;
    open_self(s);
    log_info("server", "ready", "http", s->options.listen, "otlp", s->options.listen_otlp, "grpc",
             s->options.listen_grpc, "data", s->options.data, "version", VEDETTE_VERSION, NULL);
    return OK;
fail:
    server_close(s);
    return rc;
}

int server_reload(struct server *s, struct err *e)
{
    if (s->options.config[0] == 0) return OK;
    struct arena arena = ARENA_INIT(64u << 20);
    struct yaml *file = NULL;
    struct judge_conf *judge = NULL;
    struct str text;
    int rc = options_read_file(s->options.config, &arena, &file, &text, e);
    if (rc == OK) rc = config_check(file, s->options.config, e);
    if (rc == OK) rc = read_judge(s, file, &judge, e);
    if (rc == OK) config_warn_unused(file);
    pthread_mutex_lock(&s->reload_mu);
    if (rc == OK) rc = scrape_glue_reload(&s->scrape, file, s->options.config, &s->api, e);
    if (rc == OK) rc = notify_glue_reload(&s->notify, file, text, e);
    if (rc == OK) rc = prices_glue_apply(file, s->options.config, e);
    if (rc == OK) rc = dashboards_glue_reload(&s->dashboards, file, s->options.config, e);
    if (rc == OK) rc = doors_reload(&s->doors, file, e);
    if (rc == OK) rc = report_glue_reload(&s->reports, file, e);
    if (rc == OK)
        judge_glue_reload(&s->judge, judge);
    else
        judge_conf_free(judge);
    pthread_mutex_unlock(&s->reload_mu);
    arena_release(&arena);
    return rc;
}

void server_close(struct server *s)
{
    if (s->has_budget) budget_stop();
    scrape_glue_close(&s->scrape);
    demo_stop(s->demo);
    self_stop(s->self);
    if (s->grpc != NULL) grpc_server_stop(s->grpc, STOP_GRACE_MS);
    if (s->http != NULL) http_server_stop(s->http, STOP_GRACE_MS);
    doors_stop(&s->doors);
    pushgateway_stop(s->pushgateway);
    report_glue_close(&s->reports);
    judge_glue_close(&s->judge);
    work_stop(s->requests);
    work_stop(s->pool);
    kg_glue_close(&s->kg);
    derive_glue_close(&s->derive); /* after those whose own operations it counts */
    dashboards_glue_close(&s->dashboards);
    notify_glue_close(&s->notify); /* after the pool that answers its API */
    turns_free(s->turns);
    signals_api_close(&s->signals);
    engine_free(s->engine);
    store_gauges_stop(&s->gauges);
    store_close(s->store);
    push_otlp_release(&s->otlp);
    grpc_server_free(s->grpc);
    http_server_free(s->http);
    doors_close(&s->doors);
    mem_free(s->prefixed);
    mem_free(s->tls_cert);
    mem_free(s->tls_key);
    pthread_mutex_destroy(&s->reload_mu);
    options_release(&s->options);
}
