/* api_services.c - /api/v1/services: rate, errors and latency of each; /api/v1/services/map: who calls whom.
 */
#include "base/check.h"
#include "tell/api_traces_impl.h"
#include "tell/api_traces_json.h"

#define HOUR_NS INT64_C(3600000000000)

/* ---- the list ---- */

static void run_services(struct http_exchange *x, const struct prometheus_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    struct trace_query q;
    struct window_stats stats;
    int64_t from_ns, to_ns;

    if (!trace_query_open(&q, x, api)) return trace_query_release(&q);
    if (take_window(x, HOUR_NS, &from_ns, &to_ns, &q.err) < 0 ||
        window_stats(q.view, &q.c.call, from_ns, to_ns, NULL, &stats, &q.err) < 0) {
        respond_err(x, &q.err);
    } else {
        double seconds = ((double)to_ns - (double)from_ns) / 1e9;
        json_writer_init(&w, &out);
        json_begin_object(&w);
        window_json(&w, from_ns, to_ns);
        json_put_key(&w, STR("services"));
        json_begin_array(&w);
        for (size_t i = 0; i < stats.n_services; i++) span_group_json(&w, stats.services[i], seconds);
        json_end_array(&w);
        json_end_object(&w);
        trace_answer(x, &out);
    }
    trace_query_release(&q);
}

void handle_services(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_services);
}

/* ---- the map ---- */

static void put_nodes(struct json_writer *w, const struct service_map *map)
{
    json_put_key(w, STR("nodes"));
    json_begin_array(w);
    for (size_t i = 0; i < map->n_nodes; i++) {
        const struct map_node *n = &map->nodes[i];
        json_begin_object(w);
        json_kv_i64(w, "id", (int64_t)i);
        json_kv_string(w, "name", n->name);
        json_kv_string(w, "kind", n->kind);
        json_kv_i64(w, "span_count", (int64_t)n->spans);
        json_kv_i64(w, "error_count", (int64_t)n->errors);
        json_kv_double(w, "error_rate", n->spans > 0 ? (double)n->errors / (double)n->spans : 0);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_edges(struct json_writer *w, const struct service_map *map, double seconds)
{
    json_put_key(w, STR("edges"));
    json_begin_array(w);
    for (size_t i = 0; i < map->n_edges; i++) {
        const struct map_edge *e = map->edges[i];
        json_begin_object(w);
        json_kv_string(w, "from", map->nodes[e->from].name);
        json_kv_string(w, "to", map->nodes[e->to].name);
        json_kv_i64(w, "from_id", e->from);
        json_kv_i64(w, "to_id", e->to);
        json_kv_i64(w, "calls", (int64_t)e->calls);
        json_kv_i64(w, "error_count", (int64_t)e->errors);
        rates_json(w, e->calls, e->errors, seconds);
        latency_json(w, &e->took);
        json_end_object(w);
    }
    json_end_array(w);
}

static void answer_map(struct http_exchange *x, const struct service_map *map, int64_t from_ns, int64_t to_ns)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    window_json(&w, map->from_ns, to_ns);
    json_kv_bool(&w, "truncated", map->from_ns > from_ns);
    json_kv_i64(&w, "span_count", (int64_t)map->spans);
    put_nodes(&w, map);
    put_edges(&w, map, ((double)to_ns - (double)map->from_ns) / 1e9);
    json_end_object(&w);
    trace_answer(x, &out);
}

static int take_by(struct http_exchange *x, enum map_by *by, struct err *e)
{
    struct str s = http_param(x, "by");
    *by = str_is(s, "agent") ? MAP_AGENTS : MAP_SERVICES;
    if (s.n == 0 || str_is(s, "agent") || str_is(s, "service")) return OK;
    return err_set(e, ERR_PARSE, "by must be service or agent");
}

static void run_map(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct service_map map;
    int64_t from_ns, to_ns;
    enum map_by by;

    if (trace_query_open(&q, x, api)) {
        if (take_by(x, &by, &q.err) < 0 || take_window(x, HOUR_NS, &from_ns, &to_ns, &q.err) < 0 ||
            window_map(q.view, &q.c.call, by, from_ns, to_ns, &map, &q.err) < 0)
            respond_err(x, &q.err);
        else
            answer_map(x, &map, from_ns, to_ns);
    }
    trace_query_release(&q);
}

void handle_services_map(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_map);
}
