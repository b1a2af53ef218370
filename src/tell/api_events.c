/* api_events.c - see api_events.h. Agents and backends are read from their series: a table of columns, each
 * one expression whose results are joined by a label. */
#include "tell/api_events.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "tell/api_events_impl.h"
#include "tell/missing.h"

#define COLUMNS_MAX 20
#define HOUR_MS     INT64_C(3600000)

/* ---- shared ---- */

int take_event_window(struct http_exchange *x, int64_t *window_ms, struct err *e)
{
    int rc = take_duration(x, "window", HOUR_MS, window_ms, e);
    if (rc == OK && (*window_ms < 1000 || *window_ms > 400 * 24 * HOUR_MS))
        rc = err_set(e, ERR_PARSE, "window must be 1s to 400d");
    return rc;
}

void events_answer(struct http_exchange *x, struct buf *json)
{
    missing_json(x, json);
    if (json->full)
        respond_error(x, API_EXECUTION, "the answer is too large: ask for less");
    else
        http_answer_buf(x, 200, "application/json", json);
    buf_release(json);
}

void json_kv_known(struct json_writer *w, const char *key, double v)
{
    json_kv_double(w, key, v); /* NaN is null */
}

int event_rows_read(struct http_exchange *x, const struct prometheus_api *api, struct api_call *c,
                    const struct event_rows_ask *ask, record_sink *sink, void *ctx, struct err *e)
{
    struct arena *a = &c->arena;
    struct store_view *view = NULL;
    struct field *fields = arena_array(a, ask->n, sizeof *fields);
    const int64_t now_ms = clock_now_ms();
    (void)x;
    for (size_t i = 0; i < ask->n; i++) fields[i] = field_attr(FIELD_ATTR, str_of(ask->attributes[i]));
    const struct predicate *where =
        ask->event != NULL ? predicate_cmp(a, PRED_EQ, field_in(IN_EVENT_NAME), value_str(str_of(ask->event)))
                           : predicate_exists(a, fields[0]);
    if (ask->is.n > 0)
        where = predicate_and(a, where, predicate_cmp(a, PRED_EQ, fields[0], value_str(ask->is)));
    int rc = store_view_open(api->store, now_ms - ask->window_ms, now_ms + HOUR_MS, &view, e);
    if (rc < 0) return rc;
    const struct record_scan scan = { .table = TABLE_LOGS,
                                      .from_ns = (now_ms - ask->window_ms) * 1000000,
                                      .to_ns = (now_ms + HOUR_MS) * 1000000,
                                      .where = where,
                                      .fields = fields,
                                      .n_fields = ask->n,
                                      .order = ask->limit > 0 ? ORDER_TIME_DESC : ORDER_ANY,
                                      .limit = ask->limit };
    rc = view_records(view, &c->call, &scan, sink, ctx, e);
    store_view_close(view);
    return rc;
}

/* ---- tables out of series ---- */

struct column {
    const char *key, *expr;
    bool is_low_better;
};

struct entity {
    struct str id;
    double value[COLUMNS_MAX];
    struct str state_text;
};

struct entity_table {
    const struct column *columns;
    size_t n_columns;
    const char *label, *states; /* states: an expression whose `state` label is the state; NULL */
    struct entity *at;
    size_t n, cap;
    struct map by_id;
    struct arena *arena;
};

static const struct column agent_columns[] = {
    { "throughput_per_hour", "max by (agent_id) (agent_task_throughput_per_hour)", false },
    { "tasks_total", "sum by (agent_id) (agent_tasks_total)", false },
    { "tasks_failed", "sum by (agent_id) (agent_tasks_total{status=\"failure\"})", true },
    { "tasks_in_progress", "max by (agent_id) (agent_tasks_in_progress)", false },
    { "success_rate", "max by (agent_id) (agent_task_success_rate)", false },
    { "quality_score", "max by (agent_id) (agent_task_quality_score)", false },
    { "memory_bytes", "max by (agent_id) (agent_memory_bytes)", true },
    { "errors_total", "sum by (agent_id) (agent_errors_total)", true },
    { "cost_usd_total", "sum by (agent_id) (agent_cost_usd_total)", true },
    { "mean_duration_seconds",
      "sum by (agent_id) (agent_task_duration_seconds_sum) / sum by (agent_id) "
      "(agent_task_duration_seconds_count)",
      true },
    { "collaboration_efficiency", "max by (agent_id) (agent_collaboration_efficiency)", false },
    { "coordination_errors_total", "sum by (agent_id) (agent_coordination_errors_total)", true },
    { "concurrent_sessions", "max by (agent_id) (agent_coordination_concurrent_sessions)", false },
};

static const struct column backend_columns[] = {
    { "success_rate_percent", "avg by (backend_id) (load_balancer_success_rate_percent)", false },
    { "error_rate_percent", "avg by (backend_id) (load_balancer_error_rate_percent)", true },
    { "requests_total", "sum by (backend_id) (load_balancer_requests_total)", false },
    { "requests_per_second", "sum by (backend_id) (load_balancer_requests_per_second)", false },
    { "p50_ms", "max by (backend_id) (load_balancer_response_time_ms{quantile=\"0.5\"})", true },
    { "p95_ms", "max by (backend_id) (load_balancer_response_time_ms{quantile=\"0.95\"})", true },
    { "p99_ms", "max by (backend_id) (load_balancer_response_time_ms{quantile=\"0.99\"})", true },
    { "cost_per_request_usd", "avg by (backend_id) (load_balancer_cost_per_request_usd)", true },
    { "total_cost_usd", "sum by (backend_id) (load_balancer_total_cost_usd)", true },
    { "cost_efficiency_score", "max by (backend_id) (load_balancer_cost_efficiency_score)", false },
    { "quality_score", "avg by (backend_id) (load_balancer_quality_score)", false },
    { "user_satisfaction_score", "avg by (backend_id) (load_balancer_user_satisfaction_score)", false },
    { "availability_percent", "max by (backend_id) (load_balancer_backend_availability_percent)", false },
    { "uptime_hours", "max by (backend_id) (load_balancer_backend_uptime_hours)", false },
};

struct looked_for {
    const struct entity_table *t;
    struct str id;
};

static bool same_id(void *ctx, uint64_t i)
{
    const struct looked_for *l = ctx;
    return str_eq(l->t->at[i].id, l->id);
}

static struct entity *entity(struct entity_table *t, struct str id)
{
    struct looked_for l = { t, id };
    const uint64_t hash = hash64(id.p, id.n), *i = map_find(&t->by_id, hash, same_id, &l);
    if (i != NULL) return &t->at[*i];
    if (t->n == t->cap) t->at = mem_grow(t->at, t->n, &t->cap, sizeof *t->at);
    struct entity *one = &t->at[t->n];
    *one = (struct entity){ .id = arena_str(t->arena, id) };
    for (size_t c = 0; c < COLUMNS_MAX; c++) one->value[c] = (double)NAN;
    map_add(&t->by_id, hash, t->n++);
    return one;
}

static int ask(struct entity_table *t, struct http_exchange *x, const struct prometheus_api *api,
               const char *expr, size_t column, struct err *e)
{
    struct query_conf conf = { .text = str_of(expr), .start_ms = clock_now_ms(), .cancelled = http_gone(x) };
    struct query_result r = { 0 };
    conf.end_ms = conf.start_ms;
    int rc = engine_query(api->engine, &conf, &r, e);
    if (rc < 0) return rc;
    for (size_t i = 0; i < r.n; i++) {
        struct str id = labels_get(r.series[i].labels, t->label),
                   state = labels_get(r.series[i].labels, "state");
        if (id.n == 0 || r.series[i].n == 0) continue;
        if (column < COLUMNS_MAX)
            entity(t, id)->value[column] = r.series[i].points[0].value;
        else
            entity(t, id)->state_text = arena_str(t->arena, state);
    }
    query_result_release(&r);
    return OK;
}

static int fill(struct entity_table *t, struct http_exchange *x, const struct prometheus_api *api,
                struct err *e)
{
    int rc = OK;
    check(t->n_columns <= COLUMNS_MAX);
    for (size_t i = 0; rc == OK && i < t->n_columns; i++) rc = ask(t, x, api, t->columns[i].expr, i, e);
    if (rc == OK && t->states != NULL) rc = ask(t, x, api, t->states, SIZE_MAX, e);
    return rc;
}

static void put_entity(struct json_writer *w, const struct entity_table *t, const struct entity *one)
{
    json_kv_string(w, t->label, one->id);
    if (t->states != NULL)
        json_kv_string(w, "state", one->state_text.n > 0 ? one->state_text : STR("unknown"));
    for (size_t c = 0; c < t->n_columns; c++) json_kv_known(w, t->columns[c].key, one->value[c]);
}

static void table_open(struct entity_table *t, struct api_call *c, struct http_exchange *x,
                       const struct prometheus_api *api)
{
    api_call_init(c, x, api);
    t->arena = &c->arena;
    map_init(&t->by_id, 64);
}

static void table_close(struct entity_table *t, struct api_call *c)
{
    mem_free(t->at);
    map_release(&t->by_id);
    api_call_release(c);
}

/* ---- agents ---- */

#define AGENT_TABLE                                                                                          \
    {                                                                                                        \
        .columns = agent_columns, .n_columns = COUNT(agent_columns), .label = "agent_id",                    \
        .states = "agent_state == 1"                                                                         \
    }

static int by_id(const void *a, const void *b)
{
    return str_cmp(((const struct entity *)a)->id, ((const struct entity *)b)->id);
}

static void run_agents(struct http_exchange *x, const struct prometheus_api *api)
{
    struct entity_table t = AGENT_TABLE;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err e = ERR_INIT;
    struct json_writer w;
    struct api_call c;

    table_open(&t, &c, x, api);
    if (fill(&t, x, api, &e) < 0) {
        respond_err(x, &e);
    } else {
        if (t.n > 1) qsort(t.at, t.n, sizeof *t.at, by_id);
        json_writer_init(&w, &out);
        json_begin_object(&w);
        json_kv_i64(&w, "count", (int64_t)t.n);
        json_put_key(&w, STR("agents"));
        json_begin_array(&w);
        for (size_t i = 0; i < t.n; i++) {
            json_begin_object(&w);
            put_entity(&w, &t, &t.at[i]);
            json_end_object(&w);
        }
        json_end_array(&w);
        json_end_object(&w);
        events_answer(x, &out);
    }
    table_close(&t, &c);
}

static void handle_agents(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_agents);
}

/* What a rule of the group "agents" would say of it, and the targets it is held against. */
static void put_targets(struct json_writer *w, double throughput)
{
    json_put_key(w, STR("throughput"));
    json_begin_object(w);
    json_kv_known(w, "per_hour", throughput);
    json_kv_i64(w, "target", 10);
    json_kv_i64(w, "warning_below", 5);
    json_kv_i64(w, "critical_below", 2);
    json_kv_cs(w, "level",
               isnan(throughput)  ? "unknown"
               : throughput < 2   ? "critical"
               : throughput < 5   ? "warning"
               : throughput >= 10 ? "on_target"
                                  : "ok");
    json_end_object(w);
}

static void run_agent(struct http_exchange *x, const struct prometheus_api *api)
{
    struct entity_table t = AGENT_TABLE;
    struct str id = http_path_param(x, "id");
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err e = ERR_INIT;
    struct json_writer w;
    struct api_call c;

    table_open(&t, &c, x, api);
    if (fill(&t, x, api, &e) < 0) {
        respond_err(x, &e);
    } else {
        struct looked_for l = { &t, id };
        const bool known = map_find(&t.by_id, hash64(id.p, id.n), same_id, &l) != NULL;
        const struct entity *one = entity(&t, id);
        json_writer_init(&w, &out);
        json_begin_object(&w);
        json_kv_bool(&w, "known", known);
        put_entity(&w, &t, one);
        put_targets(&w, one->value[0]);
        json_end_object(&w);
        events_answer(x, &out);
    }
    table_close(&t, &c);
}

static void handle_agent(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_agent);
}

/* ---- backends ---- */

static _Thread_local struct {
    size_t column;
    bool is_low_better;
} sorting;

static int by_column(const void *a, const void *b)
{
    const struct entity *one = a, *other = b;
    double x = one->value[sorting.column], y = other->value[sorting.column];
    if (isnan(x) || isnan(y)) return isnan(x) != isnan(y) ? isnan(x) - isnan(y) : str_cmp(one->id, other->id);
    int way = sorting.is_low_better ? 1 : -1;
    return x < y ? -way : x > y ? way : str_cmp(one->id, other->id);
}

static int take_by(struct http_exchange *x, size_t *out, struct err *e)
{
    struct str name = http_param(x, "by");
    struct buf known = BUF_INIT(1024);
    *out = 0;
    for (size_t i = 0; i < COUNT(backend_columns); i++) {
        if (str_is(name, backend_columns[i].key)) *out = i;
        buf_printf(&known, "%s%s", i > 0 ? ", " : "", backend_columns[i].key);
    }
    bool is_one = name.n == 0 || str_is(name, backend_columns[*out].key);
    if (!is_one) err_set(e, ERR_PARSE, "by must be one of %.*s", (int)known.n, known.p);
    buf_release(&known);
    return is_one ? OK : ERR_PARSE;
}

static void answer_ranking(struct http_exchange *x, struct entity_table *t, size_t by, size_t limit)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    sorting.column = by;
    sorting.is_low_better = backend_columns[by].is_low_better;
    if (t->n > 1) qsort(t->at, t->n, sizeof *t->at, by_column);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_cs(&w, "by", backend_columns[by].key);
    json_kv_cs(&w, "best", backend_columns[by].is_low_better ? "lowest" : "highest");
    json_put_key(&w, STR("backends"));
    json_begin_array(&w);
    for (size_t i = 0; i < t->n && i < limit; i++) {
        json_begin_object(&w);
        json_kv_i64(&w, "rank", (int64_t)i + 1);
        put_entity(&w, t, &t->at[i]);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    events_answer(x, &out);
}

static void run_ranking(struct http_exchange *x, const struct prometheus_api *api)
{
    struct entity_table t = { .columns = backend_columns,
                              .n_columns = COUNT(backend_columns),
                              .label = "backend_id" };
    struct err e = ERR_INIT;
    struct api_call c;
    size_t by, limit;

    table_open(&t, &c, x, api);
    if (take_by(x, &by, &e) < 0 || take_limit(x, "limit", &limit, &e) < 0 || fill(&t, x, api, &e) < 0)
        respond_err(x, &e);
    else
        answer_ranking(x, &t, by, limit > 0 ? limit : EVENTS_LIMIT_MAX);
    table_close(&t, &c);
}

static void handle_ranking(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_ranking);
}

/* ---- routes ---- */

const struct http_route events_routes[] = {
    { "GET", "/api/v1/mcp/{id}/performance", handle_mcp_performance },
    { "GET", "/api/v1/mcp/top", handle_mcp_top },
    { "GET", "/api/v1/agents", handle_agents },
    { "GET", "/api/v1/monitoring/agents", handle_agents },
    { "GET", "/api/v1/agents/{id}", handle_agent },
    { "GET", "/api/v1/agents/{id}/performance", handle_agent },
    { "GET", "/api/v1/workflows", handle_workflows },
    { "GET", "/api/v1/lb/backends/ranking", handle_ranking },
};
const size_t events_n_routes = COUNT(events_routes);
