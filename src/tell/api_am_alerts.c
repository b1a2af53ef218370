/* api_am_alerts.c - Alertmanager's v2 API: alerts that are active, their groups, and alerts that come in.
 *
 * An answer is made under the dispatcher's lock, so that it shows one moment. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tell/api_am_impl.h"
#include "tell/notify/silence_json.h"

#define ROUTES_SHOWN    64
#define POST_ALERTS_MAX 100000

/* ---- what is asked for ---- */

struct question {
    bool active, silenced, inhibited, unprocessed, muted;
    struct am_matchers filters, receivers; /* receivers: conditions on the label "receiver" */
    int64_t now_ms;
};

static int take_receivers(struct http_exchange *x, struct question *q, struct err *e)
{
    struct str pattern = http_param(x, "receiver"), *texts;
    int rc = OK;
    if (pattern.n > 0)
        rc = am_matchers_add(&q->receivers, MATCH_RE, STR("receiver"), pattern, http_arena(x), e);
    if (rc < 0) return err_where(e, "failed to parse receiver param"), rc;
    size_t n = http_params(x, "receiver_matchers", &texts);
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = am_matchers_parse(texts[i], http_arena(x), &q->receivers, e);
    return rc;
}

static void question_release(struct question *q)
{
    am_matchers_release(&q->filters);
    am_matchers_release(&q->receivers);
}

static int take_question(struct http_exchange *x, struct question *q, struct err *e)
{
    *q = (struct question){ true, true, true, true, true, .now_ms = clock_now_ms() };
    int rc = am_take_bool(x, "active", &q->active, e);
    if (rc == OK) rc = am_take_bool(x, "silenced", &q->silenced, e);
    if (rc == OK) rc = am_take_bool(x, "inhibited", &q->inhibited, e);
    if (rc == OK) rc = am_take_bool(x, "unprocessed", &q->unprocessed, e);
    if (rc == OK) rc = am_take_bool(x, "muted", &q->muted, e);
    if (rc == OK) rc = am_take_filters(x, &q->filters, e);
    if (rc == OK) rc = take_receivers(x, q, e);
    if (rc < 0) question_release(q);
    return rc;
}

static bool receiver_passes(const struct question *q, struct str name)
{
    struct label l = { STR("receiver"), name };
    return am_matchers_match(&q->receivers, (struct labels){ &l, name.n > 0 });
}

static bool alert_passes(const struct question *q, const struct held *h, const struct mute_reasons *why)
{
    bool is_muted = why->is_flapping || why->maintenance.n > 0;
    bool is_active = !why->is_silenced && !why->is_inhibited && !is_muted;
    if (held_resolved(h, q->now_ms)) return false;
    if ((is_active && !q->active) || (why->is_silenced && !q->silenced) ||
        (why->is_inhibited && !q->inhibited) || (is_muted && !q->muted))
        return false;
    return am_matchers_match(&q->filters, h->a.labels);
}

/* ---- one alert ---- */

struct by_silences {
    struct json_writer *w;
    const struct held *h;
    int64_t now_ms;
};

static int put_silencer(const struct silence *s, void *ctx)
{
    struct by_silences *b = ctx;
    if (silence_state(s, b->now_ms) == SILENCE_ACTIVE && am_matchers_match(&s->matchers, b->h->a.labels))
        json_put_string(b->w, str_of(s->id));
    return 0;
}

static void put_fingerprint(struct json_writer *w, uint64_t fp)
{
    char hex[24];
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)fp);
    json_put_string(w, str_of(hex));
}

/* Of an effect its root and what it follows from at once; of a root how many follow from it. */
static void put_cascade(struct json_writer *w, const struct dispatch *d, const struct held *h)
{
    const struct cascade_link *l = cascade_find(d->cascade, h->fp);
    if (l == NULL) return;
    json_put_key(w, STR("cascade"));
    json_begin_object(w);
    json_kv_cs(w, "role", l->is_effect ? "effect" : "root");
    am_kv_fingerprint(w, "root", l->root);
    if (l->is_effect) am_kv_fingerprint(w, "cause", l->cause);
    json_put_key(w, STR("effects"));
    json_begin_array(w);
    for (size_t i = 0; !l->is_effect && i < l->n_effects; i++) put_fingerprint(w, l[i + 1].fp);
    json_end_array(w);
    json_end_object(w);
}

static bool is_suppressed_effect(const struct dispatch *d, const struct held *h)
{
    const struct am_route *routes[ROUTES_SHOWN];
    const struct cascade_link *l = cascade_find(d->cascade, h->fp);
    if (l == NULL || !l->is_effect) return false;
    size_t n = MIN(am_route_walk(d->conf, h->a.labels, routes, ROUTES_SHOWN), (size_t)ROUTES_SHOWN);
    for (size_t i = 0; i < n; i++)
        if (!routes[i]->cascade_suppresses) return false;
    return true;
}

static void put_status(struct json_writer *w, const struct dispatch *d, const struct held *h,
                       const struct mute_reasons *why, int64_t now_ms)
{
    bool is_effect = is_suppressed_effect(d, h), is_muted = why->is_flapping || why->maintenance.n > 0;
    json_begin_object(w);
    json_put_key(w, STR("inhibitedBy"));
    json_begin_array(w);
    if (why->is_inhibited) put_fingerprint(w, why->inhibited_by);
    json_end_array(w);
    json_put_key(w, STR("silencedBy"));
    json_begin_array(w);
    if (why->is_silenced) silences_each(d->silences, put_silencer, &(struct by_silences){ w, h, now_ms });
    json_end_array(w);
    json_put_key(w, STR("mutedBy"));
    json_begin_array(w);
    if (why->maintenance.n > 0) json_put_string(w, why->maintenance);
    if (why->is_flapping) json_put_string(w, STR("flapping"));
    if (is_effect) json_put_string(w, STR("cascade"));
    json_end_array(w);
    put_cascade(w, d, h);
    is_muted |= is_effect || why->is_inhibited || why->is_silenced;
    json_kv_cs(w, "state", is_muted ? "suppressed" : "active");
    json_end_object(w);
}

static void put_receivers(struct json_writer *w, const struct am_route *const *routes, size_t n)
{
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(w);
        json_kv_string(w, "name", routes[i]->receiver->name);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_acknowledged(struct json_writer *w, const struct dispatch *d, uint64_t fp)
{
    struct track_ack ack;
    if (!track_is_acknowledged(d->track, fp, &ack)) return;
    json_put_key(w, STR("acknowledged"));
    json_begin_object(w);
    json_kv_cs(w, "by", ack.who);
    am_kv_time(w, "at", ack.at_ms);
    json_end_object(w);
}

static void put_alert(struct json_writer *w, const struct dispatch *d, const struct held *h,
                      const struct mute_reasons *why, const struct am_route *const *routes, size_t n,
                      int64_t now_ms)
{
    json_begin_object(w);
    am_kv_labels(w, "annotations", h->a.annotations);
    am_kv_time(w, "endsAt", h->a.ends_ms);
    am_kv_fingerprint(w, "fingerprint", h->fp);
    json_put_key(w, STR("receivers"));
    put_receivers(w, routes, n);
    am_kv_time(w, "startsAt", h->a.starts_ms);
    json_put_key(w, STR("status"));
    put_status(w, d, h, why, now_ms);
    am_kv_time(w, "updatedAt", h->a.updated_ms);
    if (h->a.generator_url.n > 0) json_kv_string(w, "generatorURL", h->a.generator_url);
    am_kv_labels(w, "labels", h->a.labels);
    put_acknowledged(w, d, h->fp);
    json_end_object(w);
}

/* ---- lists ---- */

static int by_fingerprint(const void *pa, const void *pb)
{
    uint64_t a = (*(struct held *const *)pa)->fp, b = (*(struct held *const *)pb)->fp;
    return a < b ? -1 : a > b;
}

static struct held **all_of(const struct fp_table *t, int (*order)(const void *, const void *))
{
    struct held **at = mem_array(t->n + 1, sizeof(struct held *)), *h;
    size_t n = 0;
    for (size_t i = 0; (h = fp_table_next(t, &i)) != NULL;) at[n++] = h;
    qsort(at, n, sizeof(struct held *), order);
    return at;
}

static void put_if_asked(struct json_writer *w, const struct dispatch *d, const struct held *h,
                         const struct question *q)
{
    const struct am_route *routes[ROUTES_SHOWN];
    struct mute_reasons why;
    bool any = false;
    size_t n = MIN(am_route_walk(d->conf, h->a.labels, routes, ROUTES_SHOWN), (size_t)ROUTES_SHOWN);
    for (size_t i = 0; i < n; i++) any |= receiver_passes(q, routes[i]->receiver->name);
    if (!any) return;
    dispatch_mute_reasons(d, h, q->now_ms, &why);
    if (alert_passes(q, h, &why)) put_alert(w, d, h, &why, routes, n, q->now_ms);
}

static void answer_alerts(struct http_exchange *x, struct am_api *api)
{
    struct question q;
    struct err e = ERR_INIT;
    if (take_question(x, &q, &e) < 0) {
        am_error_of(x, &e);
        return;
    }
    struct buf out = BUF_INIT(AM_ANSWER_MAX);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_array(&w);
    struct dispatch *d = notify_lock(api->notify);
    dispatch_cascade(d, q.now_ms);
    struct held **all = all_of(&d->alerts, by_fingerprint);
    for (size_t i = 0; i < d->alerts.n; i++) put_if_asked(&w, d, all[i], &q);
    notify_unlock(api->notify);
    mem_free(all);
    json_end_array(&w);
    question_release(&q);
    am_answer(x, &out);
}

void handle_am_alerts(struct http_exchange *x, void *ctx)
{
    am_post(x, ctx, answer_alerts);
}

static int group_order(const void *pa, const void *pb)
{
    const struct am_group *a = *(struct am_group *const *)pa, *b = *(struct am_group *const *)pb;
    int c =
        a->labels.n != b->labels.n ? (a->labels.n < b->labels.n ? -1 : 1) : labels_cmp(a->labels, b->labels);
    return c != 0 ? c : str_cmp(a->route->receiver->name, b->route->receiver->name);
}

static void put_group(struct json_writer *w, const struct dispatch *d, const struct am_group *g,
                      const struct question *q)
{
    struct held **all = all_of(&g->alerts, held_order);
    size_t shown = 0;
    for (size_t i = 0; i < g->alerts.n; i++) {
        const struct am_route *routes[ROUTES_SHOWN];
        struct mute_reasons why;
        dispatch_mute_reasons(d, all[i], q->now_ms, &why);
        if (!alert_passes(q, all[i], &why)) continue;
        size_t n = MIN(am_route_walk(d->conf, all[i]->a.labels, routes, ROUTES_SHOWN), (size_t)ROUTES_SHOWN);
        if (shown++ == 0) {
            json_begin_object(w);
            json_put_key(w, STR("alerts"));
            json_begin_array(w);
        }
        put_alert(w, d, all[i], &why, routes, n, q->now_ms);
    }
    mem_free(all);
    if (shown == 0) return;
    json_end_array(w);
    am_kv_labels(w, "labels", g->labels);
    am_kv_labels(w, "routeLabels", g->route->labels);
    json_put_key(w, STR("receiver"));
    json_begin_object(w);
    json_kv_string(w, "name", g->route->receiver->name);
    json_end_object(w);
    json_end_object(w);
}

static void answer_groups(struct http_exchange *x, struct am_api *api)
{
    struct question q;
    struct err e = ERR_INIT;
    if (take_question(x, &q, &e) < 0) {
        am_error_of(x, &e);
        return;
    }
    struct buf out = BUF_INIT(AM_ANSWER_MAX);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_array(&w);
    struct dispatch *d = notify_lock(api->notify);
    dispatch_cascade(d, q.now_ms);
    struct am_group *g, **all = mem_array(d->groups.n + 1, sizeof *all);
    size_t n = 0;
    for (size_t i = 0; (g = fp_table_next(&d->groups, &i)) != NULL;)
        if (receiver_passes(&q, g->route->receiver->name)) all[n++] = g;
    qsort(all, n, sizeof *all, group_order);
    for (size_t i = 0; i < n; i++) put_group(&w, d, all[i], &q);
    notify_unlock(api->notify);
    mem_free(all);
    json_end_array(&w);
    question_release(&q);
    am_answer(x, &out);
}

void handle_am_groups(struct http_exchange *x, void *ctx)
{
    am_post(x, ctx, answer_groups);
}

/* ---- alerts that come in ---- */

struct incoming {
    struct alert *at;
    size_t n, cap, n_bad;
    struct arena *arena;
    struct buf why; /* of those that are not taken */
    int64_t now_ms;
};

static void refuse(struct incoming *in, const char *why)
{
    if (in->n_bad++ > 0) buf_cs(&in->why, "; ");
    buf_cs(&in->why, why);
}

static void read_time(struct json_reader *r, int64_t *ms)
{
    struct str text;
    if (json_string(r, &text) && text.n > 0 && !am_time_read(text, ms))
        json_fail(r, "not a time like 2006-01-02T15:04:05Z");
}

static void accept(struct incoming *in, struct alert a, const struct err *e)
{
    if (a.starts_ms == 0) a.starts_ms = a.ends_ms > 0 ? a.ends_ms : in->now_ms;
    a.updated_ms = in->now_ms;
    if (e->code < 0) {
        refuse(in, e->text);
    } else if (a.labels.n == 0) {
        refuse(in, "at least one label pair required");
    } else if (a.ends_ms > 0 && a.ends_ms < a.starts_ms) {
        refuse(in, "start time must be before end time");
    } else {
        in->at = arena_grow(in->arena, in->at, in->n, &in->cap, sizeof *in->at);
        in->at[in->n++] = a;
    }
}

static void read_alert(struct json_reader *r, struct incoming *in)
{
    struct alert a = { 0 };
    struct err e = ERR_INIT;
    struct str key;
    if (!json_object(r)) return;
    while (json_key(r, &key)) {
        if (json_peek(r) == JSON_NULL)
            json_skip(r);
        else if (str_is(key, "labels"))
            am_read_labels(r, in->arena, &a.labels, &e);
        else if (str_is(key, "annotations"))
            am_read_labels(r, in->arena, &a.annotations, &e);
        else if (str_is(key, "startsAt"))
            read_time(r, &a.starts_ms);
        else if (str_is(key, "endsAt"))
            read_time(r, &a.ends_ms);
        else if (str_is(key, "generatorURL"))
            json_string(r, &a.generator_url);
        else
            json_skip(r);
    }
    if (r->failed) return;
    if (in->n + in->n_bad >= POST_ALERTS_MAX) json_fail(r, "more than 100000 alerts in one request");
    accept(in, a, &e);
}

static void take_alerts(struct http_exchange *x, struct am_api *api)
{
    struct arena arena = ARENA_INIT((size_t)256 << 20);
    struct incoming in = { .arena = &arena, .why = BUF_INIT(700), .now_ms = clock_now_ms() };
    struct json_reader r;
    struct err e = ERR_INIT;
    json_open(&r, http_body(x), &arena);
    if (json_array(&r))
        while (json_next(&r)) read_alert(&r, &in);
    int rc = json_close(&r, &e);
    if (rc == OK) notify_post(api->notify, in.at, in.n);
    if (rc < 0)
        am_error_of(x, &e);
    else if (in.n_bad > 0)
        am_error(x, 400, "%s", buf_cstr(&in.why)); /* the good rest is taken, as by Alertmanager */
    else
        http_answer(x, 200, "application/json", STR(""));
    buf_release(&in.why);
    arena_release(&arena);
}

void handle_am_post_alerts(struct http_exchange *x, void *ctx)
{
    am_post(x, ctx, take_alerts);
}
