/* api_am_cascade.c - cascades: each alert that others follow from, with those others and the way to them. */
#include "base/check.h"
#include "base/clock.h"
#include "tell/api_am_impl.h"
#include "tell/respond.h"

static void put_link(struct json_writer *w, const struct dispatch *d, const struct cascade_link *l)
{
    const struct held *h = fp_table_get(&d->alerts, l->fp);
    json_begin_object(w);
    am_kv_fingerprint(w, "fingerprint", l->fp);
    am_kv_labels(w, "labels", h != NULL ? h->a.labels : (struct labels){ 0 });
    am_kv_time(w, "startsAt", h != NULL ? h->a.starts_ms : 0);
    json_kv_cs(w, "kind", call_kind_text(l->kind));
    json_kv_string(w, "place", l->place);
    if (l->is_effect) {
        am_kv_fingerprint(w, "cause", l->cause);
        json_kv_i64(w, "hops", l->hops);
    }
    json_end_object(w);
}

static void put_cascades(struct json_writer *w, const struct dispatch *d, const struct cascade *c)
{
    json_begin_array(w);
    for (size_t i = 0; c != NULL && i < c->n; i += 1 + c->at[i].n_effects) {
        json_begin_object(w);
        json_put_key(w, STR("root"));
        put_link(w, d, &c->at[i]);
        json_put_key(w, STR("effects"));
        json_begin_array(w);
        for (size_t k = 1; k <= c->at[i].n_effects; k++) put_link(w, d, &c->at[i + k]);
        json_end_array(w);
        json_end_object(w);
    }
    json_end_array(w);
}

static void answer_cascades(struct http_exchange *x, struct am_api *api)
{
    struct buf out = BUF_INIT(AM_ANSWER_MAX);
    struct json_writer w;
    respond_begin(&out);
    json_writer_init(&w, &out);
    struct dispatch *d = notify_lock(api->notify);
    const struct cascade *c = dispatch_cascade(d, clock_now_ms());
    json_begin_object(&w);
    json_put_key(&w, STR("cascades"));
    put_cascades(&w, d, c);
    json_kv_i64(&w, "calls", d->calls != NULL ? (int64_t)d->calls->n_calls : 0);
    json_end_object(&w);
    notify_unlock(api->notify);
    respond_data(x, &out);
}

void handle_am_cascades(struct http_exchange *x, void *ctx)
{
    am_post(x, ctx, answer_cascades);
}
