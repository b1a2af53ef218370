/* api_workflows.c - GET /api/v1/workflows: the workflows of a window, out of their records: the end joined to
 * the start, newest first. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/event.h"
#include "tell/api_events_impl.h"

struct workflow {
    struct str id, type, agents, status;
    int64_t began_ns, ended_ns; /* 0: not known */
    double duration_ms, cost_usd;
};

struct workflows {
    struct workflow *at;
    size_t n, cap;
    struct map by_id;
    struct arena *arena;
    bool ends; /* what is read now */
};

enum { W_ID, W_TYPE, W_AGENTS, W_STATUS, W_DURATION, W_COST, W_FIELDS };

struct looked_for {
    const struct workflows *all;
    struct str id;
};

static bool same_id(void *ctx, uint64_t i)
{
    const struct looked_for *l = ctx;
    return str_eq(l->all->at[i].id, l->id);
}

static struct workflow *find(struct workflows *all, struct str id)
{
    struct looked_for l = { all, id };
    const uint64_t hash = hash64(id.p, id.n), *i = map_find(&all->by_id, hash, same_id, &l);
    if (i != NULL) return &all->at[*i];
    if (all->n == all->cap) all->at = mem_grow(all->at, all->n, &all->cap, sizeof *all->at);
    all->at[all->n] = (struct workflow){ .id = arena_str(all->arena, id),
                                         .duration_ms = (double)NAN,
                                         .cost_usd = (double)NAN };
    map_add(&all->by_id, hash, all->n);
    return &all->at[all->n++];
}

static void take(struct workflows *all, struct str *out, struct value v)
{
    if ((v.type == VALUE_STR || v.type == VALUE_JSON) && v.text.n > 0) *out = arena_str(all->arena, v.text);
}

static int sink(void *ctx, const struct record_rows *rows)
{
    struct workflows *all = ctx;
    for (size_t r = 0; r < rows->n; r++) {
        if (rows->values[W_ID][r].type != VALUE_STR) continue;
        struct workflow *w = find(all, rows->values[W_ID][r].text);
        *(all->ends ? &w->ended_ns : &w->began_ns) = rows->time_ns[r];
        take(all, &w->type, rows->values[W_TYPE][r]);
        take(all, &w->agents, rows->values[W_AGENTS][r]);
        take(all, &w->status, rows->values[W_STATUS][r]);
        double ms = event_number(rows->values[W_DURATION][r]), usd = event_number(rows->values[W_COST][r]);
        if (!isnan(ms)) w->duration_ms = ms;
        if (!isnan(usd)) w->cost_usd = usd;
    }
    return OK;
}

static int read_all(struct http_exchange *x, const struct prometheus_api *api, struct api_call *c,
                    struct workflows *all, int64_t window_ms, size_t limit, struct err *e)
{
    static const char *const names[W_FIELDS] = { "workflow_id", "workflow_type", "agents",
                                                 "status",      "duration_ms",   "cost_usd" };
    struct event_rows_ask ask = { "vedette.workflow.start", names, W_FIELDS, window_ms, STR(""), limit };
    int rc = event_rows_read(x, api, c, &ask, sink, all, e);
    if (rc < 0) return rc;
    all->ends = true;
    ask.event = "vedette.workflow.complete";
    return event_rows_read(x, api, c, &ask, sink, all, e);
}

static int newest_first(const void *a, const void *b)
{
    const struct workflow *x = a, *y = b;
    int64_t s = MAX(x->began_ns, x->ended_ns), t = MAX(y->began_ns, y->ended_ns);
    return s != t ? (s < t) - (s > t) : str_cmp(x->id, y->id);
}

static void put(struct json_writer *w, const struct workflow *f)
{
    uint8_t id[16];
    char hex[33];
    event_trace_id("workflow_id", f->id, id);
    for (size_t i = 0; i < 16; i++) snprintf(hex + 2 * i, 3, "%02x", id[i]);
    double took = !isnan(f->duration_ms) || f->began_ns == 0 || f->ended_ns == 0
                      ? f->duration_ms
                      : (double)(f->ended_ns - f->began_ns) / 1e6;
    json_begin_object(w);
    json_kv_string(w, "workflow_id", f->id);
    json_kv_string(w, "workflow_type", f->type);
    json_kv_string(w, "status", f->ended_ns == 0 ? STR("running") : f->status);
    json_put_key(w, STR("agents"));
    json_put_raw(w, f->agents.n > 0 ? f->agents : STR("[]"));
    json_kv_cs(w, "trace_id", hex);
    json_kv_known(w, "started_ms", f->began_ns > 0 ? (double)(f->began_ns / 1000000) : (double)NAN);
    json_kv_known(w, "ended_ms", f->ended_ns > 0 ? (double)(f->ended_ns / 1000000) : (double)NAN);
    json_kv_known(w, "duration_ms", took);
    json_kv_known(w, "cost_usd", f->cost_usd);
    json_end_object(w);
}

static void run(struct http_exchange *x, const struct prometheus_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err e = ERR_INIT;
    struct workflows all = { .at = NULL };
    struct json_writer w;
    struct api_call c;
    int64_t window_ms;
    size_t limit = 0;

    api_call_init(&c, x, api);
    all.arena = &c.arena;
    map_init(&all.by_id, 64);
    int rc = take_event_window(x, &window_ms, &e);
    if (rc == OK) rc = take_limit(x, "limit", &limit, &e);
    limit = limit > 0 ? MIN(limit, (size_t)EVENTS_LIMIT_MAX) : 100;
    if (rc == OK) rc = read_all(x, api, &c, &all, window_ms, limit, &e);
    if (rc < 0) {
        respond_err(x, &e);
    } else {
        if (all.n > 1) qsort(all.at, all.n, sizeof *all.at, newest_first);
        json_writer_init(&w, &out);
        json_begin_object(&w);
        json_put_key(&w, STR("workflows"));
        json_begin_array(&w);
        for (size_t i = 0; i < all.n && i < limit; i++) put(&w, &all.at[i]);
        json_end_array(&w);
        json_end_object(&w);
        events_answer(x, &out);
    }
    mem_free(all.at);
    map_release(&all.by_id);
    api_call_release(&c);
}

void handle_workflows(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run);
}
