/* api_kgot.c - snapshots of knowledge graphs of thoughts: a list, one of them, two compared. */
#include <math.h>

#include "base/check.h"
#include "query/kg/compare.h"
#include "query/kg/snapshots.h"
#include "tell/api_kg.h"
#include "tell/api_kg_impl.h"
#include "tell/api_traces_impl.h"

#define LIST_DEFAULT 50
#define LIST_MAX     1000

/* ---- pieces ---- */

/* As it came: it was read once already, so it is JSON. */
static void raw_or(struct json_writer *w, const char *key, struct str json, const char *absent)
{
    json_put_key(w, str_of(key));
    json_put_raw(w, json.n > 0 ? json : str_of(absent));
}

static void count_json(struct json_writer *w, const char *key, int64_t n)
{
    json_put_key(w, str_of(key));
    if (n >= 0)
        json_put_i64(w, n);
    else
        json_put_null(w);
}

static void snapshot_json(struct json_writer *w, const struct kg_snapshot *s)
{
    const struct record *r = &s->record;
    json_kv_cs(w, "id", s->id);
    json_kv_time(w, "timestamp", r->time_ns);
    json_kv_string(w, "graph_id", s->of.graph_id);
    count_json(w, "node_count", s->of.node_count);
    count_json(w, "edge_count", s->of.edge_count);
    raw_or(w, "active_thoughts", s->of.thoughts, "[]");
    raw_or(w, "reasoning_path", s->of.path, "[]");
    raw_or(w, "confidence_scores", s->of.scores, "{}");
    json_kv_bool(w, "has_graph", s->of.graph.n > 0);
    if (s->of.time.type != VALUE_NONE) {
        json_put_key(w, STR("snapshot_timestamp"));
        json_put_value(w, s->of.time);
    }
    if (s->task.n > 0) json_kv_string(w, "task_id", s->task);
    if (s->correlation.n > 0) json_kv_string(w, "correlation_id", s->correlation);
    json_kv_string(w, "service", s->service);
    json_kv_cs(w, "severity", severity_word(r->log.severity));
    json_put_key(w, STR("message"));
    json_put_value(w, r->log.body.type == VALUE_NONE ? value_str(STR("")) : r->log.body);
    static const uint8_t none[16];
    if (memcmp(r->trace_id, none, 16) != 0) json_kv_hex(w, "trace_id", r->trace_id, 16);
    if (memcmp(r->span_id, none, 8) != 0) json_kv_hex(w, "span_id", r->span_id, 8);
}

static void node_json(struct json_writer *w, const struct kgot_node *n)
{
    json_begin_object(w);
    json_kv_string(w, "id", n->id);
    if (n->type.n > 0) json_kv_string(w, "type", n->type);
    if (n->name.n > 0) json_kv_string(w, "name", n->name);
    json_end_object(w);
}

static void edge_json(struct json_writer *w, const struct kgot_edge *e)
{
    json_begin_object(w);
    json_kv_string(w, "source", e->source);
    json_kv_string(w, "target", e->target);
    if (e->type.n > 0) json_kv_string(w, "type", e->type);
    json_kv_double(w, "weight", e->weight);
    json_end_object(w);
}

/* The graph as drawing wants it, whatever names its sender used; null when it is of another format. */
static void graph_json(struct json_writer *w, const struct kgot_snapshot *s, struct arena *a)
{
    struct kgot_graph g;
    json_put_key(w, STR("graph"));
    if (!kgot_graph(s, a, &g)) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    json_put_key(w, STR("nodes"));
    json_begin_array(w);
    for (size_t i = 0; i < g.n_nodes; i++) node_json(w, &g.nodes[i]);
    json_end_array(w);
    json_put_key(w, STR("links"));
    json_begin_array(w);
    for (size_t i = 0; i < g.n_edges; i++) edge_json(w, &g.edges[i]);
    json_end_array(w);
    json_kv_bool(w, "truncated", g.truncated);
    json_end_object(w);
}

/* ---- the list ---- */

static void answer_list(struct http_exchange *x, const struct kg_snapshots *found)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("snapshots"));
    json_begin_array(&w);
    for (size_t i = 0; i < found->n; i++) {
        json_begin_object(&w);
        snapshot_json(&w, &found->at[i]);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_kv_bool(&w, "truncated", found->truncated);
    json_end_object(&w);
    trace_answer(x, &out);
}

static int take_ask(struct http_exchange *x, struct kg_snapshot_ask *ask, struct err *e)
{
    *ask = (struct kg_snapshot_ask){ .graph_id = http_param(x, "graph_id"),
                                     .task = http_param(x, "task_id"),
                                     .correlation = http_param(x, "correlation_id"),
                                     .service = http_param(x, "service") };
    int rc = take_window(x, 0, &ask->from_ns, &ask->to_ns, e);
    if (rc == OK && ask->graph_id.n > KGOT_NAME_MAX)
        rc = err_set(e, ERR_PARSE, "graph_id is longer than %d bytes", KGOT_NAME_MAX);
    return rc < 0 ? rc : take_count(x, "limit", LIST_DEFAULT, LIST_MAX, &ask->limit, e);
}

static void run_list(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct kg_snapshot_ask ask;
    struct kg_snapshots found;
    if (trace_query_open(&q, x, api)) {
        if (take_ask(x, &ask, &q.err) < 0 || kg_snapshots(q.view, &q.c.call, &ask, &found, &q.err) < 0)
            respond_err(x, &q.err);
        else
            answer_list(x, &found);
    }
    trace_query_release(&q);
}

void handle_snapshots(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_list);
}

/* ---- one ---- */

static void answer_one(struct http_exchange *x, const struct kg_snapshot *s, struct arena *a)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    snapshot_json(&w, s);
    json_put_key(&w, STR("serialized_graph"));
    if (s->of.graph.n > 0)
        json_put_string(&w, s->of.graph);
    else
        json_put_null(&w);
    graph_json(&w, &s->of, a);
    json_end_object(&w);
    trace_answer(x, &out);
}

static void run_one(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct kg_snapshot found;
    if (trace_query_open(&q, x, api)) {
        if (kg_snapshot_by_id(q.view, &q.c.call, http_path_param(x, "id"), &found, &q.err) < 0)
            respond_err(x, &q.err);
        else
            answer_one(x, &found, q.arena);
    }
    trace_query_release(&q);
}

void handle_snapshot(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_one);
}

/* ---- two ---- */

static void nodes_json(struct json_writer *w, const struct kg_difference *d)
{
    static const char *const keys[] = { "added", "removed", "changed" };
    json_put_key(w, STR("nodes"));
    json_begin_object(w);
    for (unsigned k = 0; k < COUNT(keys); k++) {
        json_put_key(w, str_of(keys[k]));
        json_begin_array(w);
        for (size_t i = 0; i < d->n_nodes; i++) {
            const struct kg_changed_node *c = &d->nodes[i];
            const unsigned kind = c->before == NULL ? 0 : c->after == NULL ? 1 : 2;
            if (kind != k) continue;
            if (kind < 2) {
                node_json(w, c->before != NULL ? c->before : c->after);
                continue;
            }
            json_begin_object(w);
            json_put_key(w, STR("before"));
            node_json(w, c->before);
            json_put_key(w, STR("after"));
            node_json(w, c->after);
            json_end_object(w);
        }
        json_end_array(w);
    }
    json_kv_i64(w, "same", (int64_t)d->nodes_same);
    json_end_object(w);
}

static void edges_json(struct json_writer *w, const struct kg_difference *d)
{
    static const char *const keys[] = { "added", "removed", "changed" };
    json_put_key(w, STR("edges"));
    json_begin_object(w);
    for (unsigned k = 0; k < COUNT(keys); k++) {
        json_put_key(w, str_of(keys[k]));
        json_begin_array(w);
        for (size_t i = 0; i < d->n_edges; i++) {
            const struct kg_changed_edge *c = &d->edges[i];
            const unsigned kind = c->before == NULL ? 0 : c->after == NULL ? 1 : 2;
            if (kind != k) continue;
            if (kind < 2) {
                edge_json(w, c->before != NULL ? c->before : c->after);
                continue;
            }
            json_begin_object(w);
            json_put_key(w, STR("before"));
            edge_json(w, c->before);
            json_put_key(w, STR("after"));
            edge_json(w, c->after);
            json_end_object(w);
        }
        json_end_array(w);
    }
    json_kv_i64(w, "same", (int64_t)d->edges_same);
    json_end_object(w);
}

static void texts_json(struct json_writer *w, const char *key, const struct str *at, size_t n)
{
    json_put_key(w, str_of(key));
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) json_put_string(w, at[i]);
    json_end_array(w);
}

static void thoughts_json(struct json_writer *w, const struct kg_difference *d)
{
    json_put_key(w, STR("active_thoughts"));
    json_begin_object(w);
    texts_json(w, "added", d->thoughts_added.at, d->thoughts_added.n);
    texts_json(w, "removed", d->thoughts_removed.at, d->thoughts_removed.n);
    texts_json(w, "same", d->thoughts_same.at, d->thoughts_same.n);
    json_end_object(w);
}

static void path_json(struct json_writer *w, const struct kg_difference *d)
{
    const size_t c = d->path_common;
    json_put_key(w, STR("reasoning_path"));
    json_begin_object(w);
    texts_json(w, "before", d->path_before.at, d->path_before.n);
    texts_json(w, "after", d->path_after.at, d->path_after.n);
    json_kv_i64(w, "common_steps", (int64_t)c);
    texts_json(w, "removed", d->path_before.n > c ? d->path_before.at + c : NULL, d->path_before.n - c);
    texts_json(w, "added", d->path_after.n > c ? d->path_after.at + c : NULL, d->path_after.n - c);
    json_end_object(w);
}

static void scores_json(struct json_writer *w, const struct kg_difference *d)
{
    static const char *const keys[] = { "added", "removed", "changed" };
    json_put_key(w, STR("confidence_scores"));
    json_begin_object(w);
    for (unsigned k = 0; k < COUNT(keys); k++) {
        json_put_key(w, str_of(keys[k]));
        json_begin_object(w);
        for (size_t i = 0; i < d->n_scores; i++) {
            const struct kg_changed_score *c = &d->scores[i];
            const unsigned kind = isnan(c->before) ? 0 : isnan(c->after) ? 1 : 2;
            if (kind != k) continue;
            json_put_key(w, c->name);
            if (kind < 2) {
                json_put_double(w, kind == 0 ? c->after : c->before);
                continue;
            }
            json_begin_object(w);
            json_kv_double(w, "before", c->before);
            json_kv_double(w, "after", c->after);
            json_kv_double(w, "delta", c->after - c->before);
            json_end_object(w);
        }
        json_end_object(w);
    }
    json_kv_i64(w, "same", (int64_t)d->scores_same);
    json_end_object(w);
}

static void count_change_json(struct json_writer *w, const char *key, int64_t before, int64_t after)
{
    json_put_key(w, str_of(key));
    json_begin_object(w);
    count_json(w, "before", before);
    count_json(w, "after", after);
    json_end_object(w);
}

static void answer_compare(struct http_exchange *x, const struct kg_snapshot *a, const struct kg_snapshot *b,
                           const struct kg_difference *d)
{
    const struct kg_snapshot *const both[] = { a, b };
    static const char *const keys[] = { "a", "b" };
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    for (size_t i = 0; i < 2; i++) {
        json_put_key(&w, str_of(keys[i]));
        json_begin_object(&w);
        json_kv_cs(&w, "id", both[i]->id);
        json_kv_string(&w, "graph_id", both[i]->of.graph_id);
        json_kv_time(&w, "timestamp", both[i]->record.time_ns);
        json_end_object(&w);
    }
    count_change_json(&w, "node_count", a->of.node_count, b->of.node_count);
    count_change_json(&w, "edge_count", a->of.edge_count, b->of.edge_count);
    json_kv_bool(&w, "graphs_compared", d->has_graphs);
    nodes_json(&w, d);
    edges_json(&w, d);
    thoughts_json(&w, d);
    path_json(&w, d);
    scores_json(&w, d);
    json_end_object(&w);
    trace_answer(x, &out);
}

static int take_both(struct trace_query *q, struct kg_snapshot both[2])
{
    static const char *const names[] = { "a", "b" };
    for (size_t i = 0; i < 2; i++) {
        struct str id = http_param(q->x, names[i]);
        if (id.n == 0) return err_set(&q->err, ERR_PARSE, "a and b are needed: ids of two snapshots");
        int rc = kg_snapshot_by_id(q->view, &q->c.call, id, &both[i], &q->err);
        if (rc < 0) return rc;
    }
    return OK;
}

static void run_compare(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct kg_snapshot both[2];
    struct kg_difference d;
    if (trace_query_open(&q, x, api)) {
        if (take_both(&q, both) < 0) {
            respond_err(x, &q.err);
        } else {
            kg_compare(&both[0].of, &both[1].of, q.arena, &d);
            answer_compare(x, &both[0], &both[1], &d);
        }
    }
    trace_query_release(&q);
}

void handle_compare(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_compare);
}
