/* api_mcp.c - how MCP servers did, out of stored records: the means that a sender would work out by hand,
 * each record weighed by the requests it tells of. */
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "tell/api_events_impl.h"

enum { OF_MCP, OF_REQUESTS, OF_MEANS };

static const struct mean {
    const char *field, *key;
    bool is_low_better;
} means[] = {
    { "accuracy_percentage", "avg_accuracy", false },
    { "latency_ms", "avg_latency", true },
    { "avg_prompt_tokens", "avg_prompt_tokens", true },
    { "avg_completion_tokens", "avg_completion_tokens", true },
    { "success_rate", "success_rate", false },
    { "cost_per_request", "avg_cost", true },
};
#define MEANS COUNT(means)

struct mcp {
    struct str id;
    double count, sum[MEANS], weight[MEANS];
    uint64_t records;
};

struct mcps {
    struct mcp *at;
    size_t n, cap;
    struct map by_id;
    struct arena *arena;
};

static bool same_id(void *ctx, uint64_t i)
{
    const struct mcps *all = ((void **)ctx)[0];
    return str_eq(all->at[i].id, *(const struct str *)((void **)ctx)[1]);
}

static struct mcp *find(struct mcps *all, struct str id)
{
    void *ctx[] = { all, &id };
    const uint64_t hash = hash64(id.p, id.n), *i = map_find(&all->by_id, hash, same_id, ctx);
    if (i != NULL) return &all->at[*i];
    if (all->n == all->cap) all->at = mem_grow(all->at, all->n, &all->cap, sizeof *all->at);
    all->at[all->n] = (struct mcp){ .id = arena_str(all->arena, id) };
    map_add(&all->by_id, hash, all->n);
    return &all->at[all->n++];
}

static double number(struct value v)
{
    return v.type == VALUE_DOUBLE ? v.d : v.type == VALUE_INT ? (double)v.i : (double)NAN;
}

static int sink(void *ctx, const struct record_rows *rows)
{
    for (size_t r = 0; r < rows->n; r++) {
        if (rows->values[OF_MCP][r].type != VALUE_STR) continue;
        struct mcp *m = find(ctx, rows->values[OF_MCP][r].text);
        double n = number(rows->values[OF_REQUESTS][r]);
        if (!(n >= 1)) n = 1;
        m->records++;
        m->count += n;
        for (size_t i = 0; i < MEANS; i++) {
            double v = number(rows->values[OF_MEANS + i][r]);
            if (!isfinite(v)) continue;
            m->sum[i] += v * n;
            m->weight[i] += n;
        }
    }
    return OK;
}

/* Those that came as events, and those within log entries. */
static int read_mcps(struct http_exchange *x, const struct prometheus_api *api, struct api_call *c,
                     struct mcps *all, struct str id, int64_t window_ms, struct err *e)
{
    static const char *const names[] = { "mcp_id",       "request_count",     "accuracy_percentage",
                                         "latency_ms",   "avg_prompt_tokens", "avg_completion_tokens",
                                         "success_rate", "cost_per_request" };
    const char *within[COUNT(names)];
    for (size_t i = 0; i < COUNT(names); i++)
        within[i] = arena_printf(&c->arena, "rag_mcp_metrics.%s", names[i]).p;
    const struct event_rows_ask events = { "vedette.mcp.metrics", names, COUNT(names), window_ms, id, 0 };
    const struct event_rows_ask entries = { NULL, within, COUNT(names), window_ms, id, 0 };
    int rc = event_rows_read(x, api, c, &events, sink, all, e);
    return rc < 0 ? rc : event_rows_read(x, api, c, &entries, sink, all, e);
}

static double mean_of(const struct mcp *m, size_t i)
{
    return m->weight[i] > 0 ? m->sum[i] / m->weight[i] : (double)NAN;
}

static void put_mcp(struct json_writer *w, const struct mcp *m)
{
    json_kv_string(w, "mcp_id", m->id);
    json_kv_double(w, "count", m->count);
    json_kv_i64(w, "records", (int64_t)m->records);
    for (size_t i = 0; i < MEANS; i++) json_kv_known(w, means[i].key, mean_of(m, i));
    json_kv_known(w, "failure_rate", 1 - mean_of(m, 4));
}

static void open_mcps(struct mcps *all, struct api_call *c, struct http_exchange *x,
                      const struct prometheus_api *api)
{
    api_call_init(c, x, api);
    *all = (struct mcps){ .arena = &c->arena };
    map_init(&all->by_id, 64);
}

static void close_mcps(struct mcps *all, struct api_call *c)
{
    mem_free(all->at);
    map_release(&all->by_id);
    api_call_release(c);
}

static void run_performance(struct http_exchange *x, const struct prometheus_api *api)
{
    struct str id = http_path_param(x, "id");
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err e = ERR_INIT;
    struct json_writer w;
    struct api_call c;
    struct mcps all;
    int64_t window_ms;

    open_mcps(&all, &c, x, api);
    if (take_event_window(x, &window_ms, &e) < 0 || read_mcps(x, api, &c, &all, id, window_ms, &e) < 0) {
        respond_err(x, &e);
    } else {
        json_writer_init(&w, &out);
        json_begin_object(&w);
        json_kv_double(&w, "window_minutes", (double)window_ms / 60000);
        put_mcp(&w, all.n > 0 ? &all.at[0] : &(struct mcp){ .id = id });
        json_end_object(&w);
        events_answer(x, &out);
    }
    close_mcps(&all, &c);
}

void handle_mcp_performance(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_performance);
}

/* ---- the best ---- */

static _Thread_local size_t sort_mean;

static int by_mean(const void *a, const void *b)
{
    double x = mean_of(a, sort_mean), y = mean_of(b, sort_mean);
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    int way = means[sort_mean].is_low_better ? 1 : -1;
    if (x != y) return x < y ? -way : way;
    return str_cmp(((const struct mcp *)a)->id, ((const struct mcp *)b)->id);
}

static int take_metric(struct http_exchange *x, size_t *out, struct err *e)
{
    struct str name = http_param(x, "metric");
    *out = 0;
    if (name.n == 0) return OK;
    for (size_t i = 0; i < MEANS; i++)
        if (str_is(name, means[i].key)) return *out = i, OK;
    return err_set(
        e, ERR_PARSE,
        "metric must be avg_accuracy, avg_latency, avg_prompt_tokens, avg_completion_tokens, success_rate "
        "or avg_cost");
}

static void answer_top(struct http_exchange *x, struct mcps *all, size_t metric, size_t limit)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    sort_mean = metric;
    if (all->n > 1) qsort(all->at, all->n, sizeof *all->at, by_mean);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_cs(&w, "metric", means[metric].key);
    json_kv_cs(&w, "best", means[metric].is_low_better ? "lowest" : "highest");
    json_put_key(&w, STR("mcps"));
    json_begin_array(&w);
    for (size_t i = 0; i < all->n && i < limit && !isnan(mean_of(&all->at[i], metric)); i++) {
        json_begin_object(&w);
        json_kv_i64(&w, "rank", (int64_t)i + 1);
        put_mcp(&w, &all->at[i]);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    events_answer(x, &out);
}

static void run_top(struct http_exchange *x, const struct prometheus_api *api)
{
    struct err e = ERR_INIT;
    struct api_call c;
    struct mcps all;
    int64_t window_ms;
    size_t metric, limit;

    open_mcps(&all, &c, x, api);
    if (take_event_window(x, &window_ms, &e) < 0 || take_metric(x, &metric, &e) < 0 ||
        take_limit(x, "limit", &limit, &e) < 0 || read_mcps(x, api, &c, &all, STR(""), window_ms, &e) < 0)
        respond_err(x, &e);
    else
        answer_top(x, &all, metric, limit > 0 ? limit : 5);
    close_mcps(&all, &c);
}

void handle_mcp_top(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_top);
}
