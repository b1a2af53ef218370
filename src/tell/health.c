/* health.c - is it alive, is it ready, and reload: what load balancers and operators ask. */
#include "base/json.h"
#include "tell/api_prometheus.h"
#include "tell/handlers.h"
#include "tell/prom_json.h"
#include "tell/respond.h"

static bool is_ready(const struct prometheus_api *api, struct str *why)
{
    *why = STR("");
    return !api->ready || api->ready(api->ctx, why);
}

void handle_healthy(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    respond_text(x, 200, "Vedette is Healthy.");
}

void handle_ready(struct http_exchange *x, void *ctx)
{
    struct str why;

    if (is_ready(ctx, &why))
        respond_text(x, 200, "Vedette is Ready.");
    else
        respond_text(x, 503, "Service Unavailable: %.*s", STR_ARG(why));
}

void handle_reload(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct err e = ERR_INIT;

    if (!api->reload)
        respond_text(x, 403, "Lifecycle API is not enabled.");
    else if (api->reload(api->ctx, &e) < 0)
        respond_text(x, 500, "failed to reload config: %s", e.text);
    else
        http_answer(x, 200, "text/plain; charset=utf-8", STR(""));
}

/* ---- /health ---- */

struct health {
    struct buf components;
    bool ok;
    size_t n;
};

static void put_component(const struct component *c, void *arg)
{
    struct health *h = arg;
    struct buf *out = &h->components;

    if (strcmp(c->state, "ok") != 0) h->ok = false;
    if (h->n++ > 0) buf_char(out, ',');
    json_escape(out, str_of(c->name));
    buf_printf(out, ":{\"status\":\"%s\"", c->state);
    if (c->detail.n > 0) {
        buf_cs(out, ",\"detail\":");
        json_escape(out, c->detail);
    }
    buf_char(out, '}');
}

static void put_store(const struct prometheus_api *api, struct health *h)
{
    struct store_status s;

    store_status(api->store, &s);
    struct component c = { "store", "ok", STR("") };
    if (s.read_only) {
        c.state = "degraded";
        c.detail = STR("read-only: the disk is full or failing");
    }
    put_component(&c, h);
}

/* 200 as long as queries are answered; a load balancer that wants more looks at "status". */
void handle_health(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct buf out = BUF_INIT((size_t)1 << 20);
    struct health h = { .components = BUF_INIT((size_t)1 << 20), .ok = true };
    struct str why;
    bool ready = is_ready(api, &why);

    put_store(api, &h);
    if (api->each_component) api->each_component(api->ctx, put_component, &h);
    buf_printf(&out, "{\"status\":\"%s\",\"version\":", !ready ? "starting" : h.ok ? "ok" : "degraded");
    json_escape(&out, str_of(api->version));
    buf_cs(&out, ",\"prometheus_api\":");
    json_escape(&out, str_of(api->prometheus_version));
    buf_cs(&out, ",\"started\":");
    prom_put_rfc3339(&out, api->started_ms);
    buf_cs(&out, ",\"components\":{");
    buf_str(&out, buf_view(&h.components));
    buf_cs(&out, "}}");
    buf_release(&h.components);
    http_answer_buf(x, ready ? 200 : 503, "application/json", &out);
}
