/* api_targets.c - what is scraped, and to whom alerts go: lists that the server's callbacks fill. */
#include "base/duration.h"
#include "base/float.h"
#include "base/json.h"
#include "query/promql/parse.h"
#include "tell/api_job.h"
#include "tell/handlers.h"
#include "tell/notify/notify.h"
#include "tell/prom_json.h"

struct listing {
    struct buf *out;
    bool dropped;    /* which kind is being listed */
    struct str pool; /* only this one; empty = all */
    size_t n;
};

static void put_text(struct buf *out, const char *key, struct str text)
{
    buf_printf(out, ",\"%s\":", key);
    json_escape(out, text);
}

static void put_duration(struct buf *out, const char *key, int64_t ms)
{
    buf_printf(out, ",\"%s\":\"", key);
    duration_print_ms(out, ms);
    buf_char(out, '"');
}

static void put_active(struct buf *out, const struct target_view *t)
{
    char seconds[FLOAT_TEXT_MAX];

    buf_cs(out, "{\"discoveredLabels\":");
    prom_put_labels(out, t->discovered);
    buf_cs(out, ",\"labels\":");
    prom_put_labels(out, t->labels);
    put_text(out, "scrapePool", t->pool);
    put_text(out, "scrapeUrl", t->url);
    put_text(out, "globalUrl", t->global_url.n > 0 ? t->global_url : t->url);
    put_text(out, "lastError", t->last_error);
    buf_cs(out, ",\"lastScrape\":");
    if (t->last_scrape_ms > 0)
        prom_put_rfc3339(out, t->last_scrape_ms);
    else
        buf_cs(out, "\"0001-01-01T00:00:00Z\""); /* how Go writes never */
    buf_cs(out, ",\"lastScrapeDuration\":");
    buf_add(out, seconds, float_text(t->last_seconds, seconds));
    put_text(out, "health", str_of(t->health));
    put_duration(out, "scrapeInterval", t->interval_ms);
    put_duration(out, "scrapeTimeout", t->timeout_ms);
    buf_char(out, '}');
}

static void put_dropped(struct buf *out, const struct target_view *t)
{
    buf_cs(out, "{\"discoveredLabels\":");
    prom_put_labels(out, t->discovered);
    put_text(out, "scrapePool", t->pool);
    buf_char(out, '}');
}

static void list_target(const struct target_view *t, void *arg)
{
    struct listing *l = arg;

    if (t->dropped != l->dropped || (l->pool.n > 0 && !str_eq(l->pool, t->pool))) return;
    if (l->n++ > 0) buf_char(l->out, ',');
    if (t->dropped)
        put_dropped(l->out, t);
    else
        put_active(l->out, t);
}

static void put_targets(struct buf *out, const struct scrape_source *s, bool dropped, bool wanted,
                        struct str pool)
{
    struct listing l = { out, dropped, pool, 0 };

    buf_char(out, '[');
    if (wanted && s && s->each_target) s->each_target(s->ctx, list_target, &l);
    buf_char(out, ']');
}

/* Dropped targets counted by pool; pools come one after the other. */
struct counting {
    struct buf *out;
    struct str pool; /* copied, since visits only lend */
    char text[256];
    size_t n, pools;
};

static void flush_count(struct counting *c)
{
    if (!c->pool.p) return;
    if (c->pools++ > 0) buf_char(c->out, ',');
    json_escape(c->out, c->pool);
    buf_printf(c->out, ":%zu", c->n);
}

static void count_target(const struct target_view *t, void *arg)
{
    struct counting *c = arg;
    size_t n = t->pool.n < sizeof c->text ? t->pool.n : sizeof c->text;

    if (!c->pool.p || !str_eq(c->pool, str_make(t->pool.p, n))) {
        flush_count(c);
        memcpy(c->text, t->pool.p, n);
        c->pool = str_make(c->text, n);
        c->n = 0;
    }
    c->n += t->dropped;
}

static void put_dropped_counts(struct buf *out, const struct scrape_source *s)
{
    struct counting c = { .out = out };

    buf_char(out, '{');
    if (s && s->each_target) s->each_target(s->ctx, count_target, &c);
    flush_count(&c);
    buf_char(out, '}');
}

void handle_targets(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct str state = http_param(x, "state"), pool = http_param(x, "scrapePool");
    bool any = state.n == 0 || str_is_nocase(state, "any");
    bool dropped = any || str_is_nocase(state, "dropped");

    respond_begin(&out);
    buf_cs(&out, "{\"activeTargets\":");
    put_targets(&out, api->scrape, false, any || str_is_nocase(state, "active"), pool);
    buf_cs(&out, ",\"droppedTargets\":");
    put_targets(&out, api->scrape, true, dropped, pool);
    buf_cs(&out, ",\"droppedTargetCounts\":");
    put_dropped_counts(&out, dropped ? api->scrape : NULL);
    buf_char(&out, '}');
    respond_data(x, &out);
}

static void list_pool(struct str name, void *arg)
{
    struct listing *l = arg;

    if (l->n++ > 0) buf_char(l->out, ',');
    json_escape(l->out, name);
}

void handle_scrape_pools(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct listing l = { .out = &out };

    respond_begin(&out);
    buf_cs(&out, "{\"scrapePools\":[");
    if (api->scrape && api->scrape->each_pool) api->scrape->each_pool(api->scrape->ctx, list_pool, &l);
    buf_cs(&out, "]}");
    respond_data(x, &out);
}

/* ---- metadata by target ---- */

/* The store keeps metadata by family, not by target, so each is told once, without a target's labels. */
static void run_targets_metadata(struct http_exchange *x, const struct prometheus_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct metadata *m = NULL;
    struct str limit = http_param(x, "limit"), metric = http_param(x, "metric");
    int64_t most = -1;
    struct api_call c;
    struct err e = ERR_INIT;
    size_t n = 0;

    api_call_init(&c, x, api);
    if (limit.n > 0 && !str_to_i64(limit, &most)) {
        respond_error(x, API_BAD_DATA, "limit must be a number");
    } else if (store_metadata(api->store, &c.call, metric, 0, &m, &n, &e) < 0) {
        respond_err(x, &e);
    } else {
        respond_begin(&out);
        buf_char(&out, '[');
        for (size_t i = 0; i < n && (most < 0 || (int64_t)i < most); i++) {
            buf_cs(&out, i > 0 ? ",{\"target\":{}" : "{\"target\":{}");
            if (metric.n == 0) put_text(&out, "metric", m[i].family);
            put_text(&out, "type", m[i].type.n > 0 ? m[i].type : STR("unknown"));
            put_text(&out, "help", m[i].help);
            put_text(&out, "unit", m[i].unit);
            buf_char(&out, '}');
        }
        buf_char(&out, ']');
        respond_data(x, &out);
    }
    api_call_release(&c);
}

void handle_targets_metadata(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_targets_metadata);
}

/* ---- alertmanagers, notifications ---- */

static void put_alertmanager(const char *url, void *ctx)
{
    struct json_writer *w = ctx;
    json_begin_object(w);
    json_kv_cs(w, "url", url);
    json_end_object(w);
}

/* Those outside; the one inside is no peer of its own. */
void handle_alertmanagers(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    respond_begin(&out);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("activeAlertmanagers"));
    json_begin_array(&w);
    if (api->notify != NULL) notify_each_outside(api->notify, put_alertmanager, &w);
    json_end_array(&w);
    json_put_key(&w, STR("droppedAlertmanagers"));
    json_begin_array(&w);
    json_end_array(&w);
    json_end_object(&w);
    respond_data(x, &out);
}

void handle_notifications(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    respond_json(x, STR("[]"));
}
