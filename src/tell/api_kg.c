/* api_kg.c - the graph: neighbours, paths, figures; and the table of routes. Snapshots: api_kgot.c. */
#include "tell/api_kg.h"

#include "base/check.h"
#include "model/event_kg.h"
#include "tell/api_kg_impl.h"
#include "tell/api_traces_impl.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     10000
#define HOPS_DEFAULT  6
#define TYPES_SHOWN   20
#define MEMORY        (64u << 20)

/* ---- pieces ---- */

static const struct kg_api *kg_of(const struct prometheus_api *api)
{
    return (const struct kg_api *)api; /* base is its first member, and it is what was registered */
}

static void entity_json(struct json_writer *w, const struct kg_entity *e)
{
    json_kv_string(w, "id", e->id);
    if (e->type.n > 0) json_kv_string(w, "type", e->type);
    if (e->name.n > 0) json_kv_string(w, "name", e->name);
    if (e->system.n > 0) json_kv_string(w, "system_id", e->system);
}

static int take_direction(struct http_exchange *x, enum kg_direction *out, struct err *e)
{
    static const char *const words[] = { "both", "out", "in" };
    struct str s = http_param(x, "direction");
    *out = KG_BOTH;
    if (s.n == 0) return OK;
    for (unsigned i = 0; i < COUNT(words); i++)
        if (str_is(s, words[i])) {
            *out = (enum kg_direction)i;
            return OK;
        }
    return err_set(e, ERR_PARSE, "direction must be both, out or in");
}

static int take_needed(struct http_exchange *x, const char *name, struct str *out, struct err *e)
{
    *out = http_param(x, name);
    return out->n > 0 ? OK : err_set(e, ERR_PARSE, "%s is needed", name);
}

static const char *reason_of(const struct err *e)
{
    return e->code == ERR_FIND ? "no_such_entity" : e->code == ERR_PARSE ? "bad_request" : "error";
}

/* The operation is over: said before the client is answered, as its parameters live as long as the request.
 */
static void tell(struct self_op *op, const struct err *failed)
{
    if (failed != NULL) {
        self_op_field(op, "status", value_str(STR("failed")));
        self_op_field(op, "reason", value_str(str_of(reason_of(failed))));
    }
    self_op_end(op, KG_KIND_OPERATION, failed);
    self_ops_write(op, 1);
}

/* ---- neighbours ---- */

static void answer_neighbors(struct http_exchange *x, const struct kg_neighbors *n, bool is_restoring)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("entity"));
    json_begin_object(&w);
    entity_json(&w, &n->of);
    json_end_object(&w);
    json_put_key(&w, STR("neighbors"));
    json_begin_array(&w);
    for (size_t i = 0; i < n->n; i++) {
        json_begin_object(&w);
        entity_json(&w, &n->at[i].entity);
        json_kv_string(&w, "edge_type", n->at[i].edge_type);
        json_kv_cs(&w, "direction", n->at[i].is_target ? "out" : "in");
        json_kv_double(&w, "weight", n->at[i].weight);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_kv_i64(&w, "count", (int64_t)n->n);
    json_kv_i64(&w, "total", (int64_t)n->total);
    json_kv_bool(&w, "restoring", is_restoring);
    json_end_object(&w);
    trace_answer(x, &out);
}

static int neighbors(struct http_exchange *x, const struct kg_api *api, struct self_op *op, struct arena *a,
                     struct kg_neighbors *out, struct err *e)
{
    struct str id, type = http_param(x, "edge_type");
    enum kg_direction direction;
    size_t limit;
    int rc;
    if ((rc = take_needed(x, "entity_id", &id, e)) < 0 ||
        (rc = take_count(x, "limit", LIMIT_DEFAULT, LIMIT_MAX, &limit, e)) < 0 ||
        (rc = take_direction(x, &direction, e)) < 0)
        return rc;
    self_op_attr(op, "kg.entity_id", value_str(id));
    self_op_attr(op, "kg.edge_type", value_str(type));
    self_op_attr(op, "kg.limit", value_int((int64_t)limit));
    if ((rc = kg_live_neighbors(api->live, id, type, direction, limit, a, out, e)) < 0) return rc;
    self_op_attr(op, "kg.system_id", value_str(out->of.system));
    self_op_field(op, "count", value_int((int64_t)out->n));
    self_op_field(op, "system_id", value_str(out->of.system));
    return OK;
}

static void run_neighbors(struct http_exchange *x, const struct prometheus_api *base)
{
    const struct kg_api *api = kg_of(base);
    struct arena a = ARENA_INIT(MEMORY);
    struct kg_neighbors found;
    struct self_op op;
    struct err e = ERR_INIT;
    self_op_begin(&op, api->trace, "kg.get_neighbors", NULL);
    self_op_field(&op, "operation", value_str(STR("get_neighbors")));
    int rc = neighbors(x, api, &op, &a, &found, &e);
    tell(&op, rc < 0 ? &e : NULL);
    if (rc < 0)
        respond_err(x, &e);
    else
        answer_neighbors(x, &found, kg_live_is_restoring(api->live));
    arena_release(&a);
}

static void handle_neighbors(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_neighbors);
}

/* ---- paths ---- */

static void answer_path(struct http_exchange *x, const struct kg_path *p, size_t max_hops, bool is_restoring)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_bool(&w, "found", p->at != NULL);
    json_put_key(&w, STR("length"));
    if (p->at != NULL)
        json_put_u64(&w, p->hops);
    else
        json_put_null(&w);
    json_put_key(&w, STR("path"));
    json_begin_array(&w);
    for (size_t i = 0; p->at != NULL && i <= p->hops; i++) {
        json_begin_object(&w);
        entity_json(&w, &p->at[i]);
        if (i > 0) json_kv_string(&w, "edge_type", p->edge_types[i - 1]);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_kv_i64(&w, "max_hops", (int64_t)max_hops);
    json_kv_bool(&w, "restoring", is_restoring);
    json_end_object(&w);
    trace_answer(x, &out);
}

static int path(struct http_exchange *x, const struct kg_api *api, struct self_op *op, struct arena *a,
                struct kg_path *out, size_t *max_hops, struct err *e)
{
    struct str source, target;
    enum kg_direction direction;
    int rc;
    if ((rc = take_needed(x, "source_id", &source, e)) < 0 ||
        (rc = take_needed(x, "target_id", &target, e)) < 0 ||
        (rc = take_count(x, "max_hops", HOPS_DEFAULT, KG_HOPS_MAX, max_hops, e)) < 0 ||
        (rc = take_direction(x, &direction, e)) < 0)
        return rc;
    self_op_attr(op, "kg.source_id", value_str(source));
    self_op_attr(op, "kg.target_id", value_str(target));
    self_op_attr(op, "kg.max_hops", value_int((int64_t)*max_hops));
    if ((rc = kg_live_path(api->live, source, target, direction, *max_hops, a, out, e)) < 0) return rc;
    self_op_field(op, "status", value_str(out->at != NULL ? STR("found") : STR("not_found")));
    if (out->at != NULL) self_op_field(op, "count", value_int((int64_t)out->hops));
    return OK;
}

static void run_path(struct http_exchange *x, const struct prometheus_api *base)
{
    const struct kg_api *api = kg_of(base);
    struct arena a = ARENA_INIT(MEMORY);
    struct kg_path found;
    struct self_op op;
    struct err e = ERR_INIT;
    size_t max_hops = 0;
    self_op_begin(&op, api->trace, "kg.find_shortest_path", NULL);
    self_op_field(&op, "operation", value_str(STR("find_shortest_path")));
    int rc = path(x, api, &op, &a, &found, &max_hops, &e);
    tell(&op, rc < 0 ? &e : NULL);
    if (rc < 0)
        respond_err(x, &e);
    else
        answer_path(x, &found, max_hops, kg_live_is_restoring(api->live));
    arena_release(&a);
}

static void handle_path(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_path);
}

/* ---- figures ---- */

static void types_json(struct json_writer *w, const char *key, const struct kg_type_count *at, size_t n)
{
    json_put_key(w, str_of(key));
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(w);
        json_kv_string(w, "type", at[i].type);
        json_kv_i64(w, "count", (int64_t)at[i].n);
        json_end_object(w);
    }
    json_end_array(w);
}

static void stats_json(struct json_writer *w, const struct kg_live_stats *s)
{
    json_kv_i64(w, "entities", (int64_t)s->graph.nodes);
    json_kv_i64(w, "edges", (int64_t)s->graph.edges);
    json_kv_i64(w, "bytes", (int64_t)s->graph.bytes);
    json_kv_i64(w, "max_entities", (int64_t)s->limits.max_nodes);
    json_kv_i64(w, "max_edges", (int64_t)s->limits.max_edges);
    json_kv_i64(w, "max_bytes", (int64_t)s->limits.max_bytes);
    json_kv_i64(w, "entities_added", (int64_t)s->graph.nodes_added);
    json_kv_i64(w, "edges_added", (int64_t)s->graph.edges_added);
    json_kv_i64(w, "entities_dropped", (int64_t)s->graph.nodes_dropped);
    json_kv_i64(w, "edges_dropped", (int64_t)s->graph.edges_dropped);
    json_kv_i64(w, "snapshots", (int64_t)s->snapshots);
    json_kv_i64(w, "graphs", (int64_t)s->graphs);
    json_kv_i64(w, "refused", (int64_t)s->refused);
    if (s->graph.nodes > 0) {
        json_kv_time(w, "oldest", s->graph.oldest_ms * 1000000);
        json_kv_time(w, "newest", s->graph.newest_ms * 1000000);
    }
    types_json(w, "entity_types", s->entity_types, s->n_entity_types);
    types_json(w, "edge_types", s->edge_types, s->n_edge_types);
}

static void run_stats(struct http_exchange *x, const struct prometheus_api *base)
{
    const struct kg_api *api = kg_of(base);
    struct arena a = ARENA_INIT(MEMORY);
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct kg_live_stats s;
    struct json_writer w;
    kg_live_stats(api->live, TYPES_SHOWN, &a, &s);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    stats_json(&w, &s);
    json_kv_bool(&w, "restoring", kg_live_is_restoring(api->live));
    json_end_object(&w);
    trace_answer(x, &out);
    arena_release(&a);
}

static void handle_stats(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_stats);
}

const struct http_route kg_routes[] = {
    { "GET", "/api/v1/kg/neighbors", handle_neighbors },
    { "GET", "/api/v1/kg/path", handle_path },
    { "GET", "/api/v1/kg/stats", handle_stats },
    { "GET", "/api/v1/kgot/snapshots", handle_snapshots },
    { "GET", "/api/v1/kgot/snapshots/{id}", handle_snapshot },
    { "GET", "/api/v1/kgot/compare", handle_compare },
    { "GET", "/api/v1/analytics/trend", handle_trend },
    { "GET", "/api/v1/analytics/anomalies", handle_anomalies },
    { "GET", "/api/v1/analytics/correlate", handle_correlate_systems },
};
const size_t kg_routes_count = COUNT(kg_routes);
