/* api_am_beyond.c - what goes beyond Alertmanager: acknowledge, resolve, comment; history; noise; "who would
 * get this?". Answers are in Prometheus' envelope, as the rest of /api/v1 is. */
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "tell/api_am_impl.h"
#include "tell/params.h"
#include "tell/respond.h"

#define HISTORY_LIMIT     1000
#define HISTORY_LIMIT_MAX 100000
#define NOISE_EVENTS_MAX  1000000
#define NOISE_WINDOW_MS   (7ll * 86400000)
#define ROUTES_SHOWN      64

static void respond_code(struct http_exchange *x, const struct err *e)
{
    bool ours = e->code == ERR_IO || e->code == ERR_FULL || e->code == ERR_BUSY || e->code == ERR_CORRUPT;
    respond_error(x, e->code == ERR_FIND ? API_NOT_FOUND : ours ? API_INTERNAL : API_BAD_DATA, "%s", e->text);
}

/* ---- acknowledge, resolve, comment ---- */

struct word { /* {"by": "ann", "comment": "..."} */
    struct str who, text;
};

static int read_word(struct http_exchange *x, struct word *out, struct err *e)
{
    struct json_reader r;
    struct str key;
    *out = (struct word){ 0 };
    if (http_body(x).n == 0) {
        *out = (struct word){ http_param(x, "by"), http_param(x, "comment") };
        return OK;
    }
    json_open(&r, http_body(x), http_arena(x));
    if (json_object(&r)) {
        while (json_key(&r, &key)) {
            if (str_is(key, "by"))
                json_string(&r, &out->who);
            else if (str_is(key, "comment"))
                json_string(&r, &out->text);
            else
                json_fail(&r, "known keys are by and comment");
        }
    }
    return json_close(&r, e);
}

static bool read_fingerprint(struct str s, uint64_t *out)
{
    char text[17], *end;
    if (s.n != 16) return false;
    memcpy(text, s.p, 16);
    text[16] = 0;
    for (int i = 0; i < 16; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || ((text[i] | 32) >= 'a' && (text[i] | 32) <= 'f')))
            return false;
    *out = strtoull(text, &end, 16);
    return true;
}

/* The alert of the path, still firing; a reference is the caller's. */
static struct held *find_alert(struct http_exchange *x, struct am_api *api, struct err *e)
{
    uint64_t fp;
    if (!read_fingerprint(http_path_param(x, "fingerprint"), &fp)) {
        err_set(e, ERR_RANGE, "a fingerprint has 16 hexadecimal digits");
        return NULL;
    }
    struct held *h = fp_table_get(&notify_lock(api->notify)->alerts, fp);
    if (h != NULL) held_ref(h);
    notify_unlock(api->notify);
    if (h == NULL || held_resolved(h, clock_now_ms())) {
        held_unref(h);
        err_set(e, ERR_FIND, "no alert with this fingerprint fires");
        return NULL;
    }
    return h;
}

static void resolve_now(struct am_api *api, const struct held *h, int64_t now_ms)
{
    struct alert a = h->a;
    a.ends_ms = a.updated_ms = now_ms;
    notify_post(api->notify, &a, 1);
}

typedef int act_fn(struct am_api *, const struct held *, const struct word *, int64_t now_ms, struct err *);

static int acknowledge(struct am_api *api, const struct held *h, const struct word *w, int64_t now_ms,
                       struct err *e)
{
    return track_acknowledge(notify_track(api->notify), h->fp, h->a.labels, w->who, w->text, now_ms, e);
}

static int comment(struct am_api *api, const struct held *h, const struct word *w, int64_t now_ms,
                   struct err *e)
{
    if (w->text.n == 0) return err_set(e, ERR_RANGE, "an empty comment");
    return track_note(notify_track(api->notify), TRACK_COMMENTED, h->fp, h->a.labels, w->who, w->text, now_ms,
                      e);
}

/* Whoever sends the alert may raise it again: then it is reopened. */
static int resolve(struct am_api *api, const struct held *h, const struct word *w, int64_t now_ms,
                   struct err *e)
{
    struct str why = w->text.n > 0 ? w->text : STR("resolved by hand");
    if (w->who.n == 0) return err_set(e, ERR_RANGE, "who resolves it?");
    int rc =
        track_note(notify_track(api->notify), TRACK_COMMENTED, h->fp, h->a.labels, w->who, why, now_ms, e);
    if (rc == OK) resolve_now(api, h, now_ms);
    return rc;
}

static void act(struct http_exchange *x, struct am_api *api, act_fn *fn)
{
    struct word w;
    struct err e = ERR_INIT;
    struct held *h = find_alert(x, api, &e);
    int rc = h == NULL ? e.code : read_word(x, &w, &e);
    if (rc == OK) rc = fn(api, h, &w, clock_now_ms(), &e);
    held_unref(h);
    if (rc < 0)
        respond_code(x, &e);
    else
        respond_json(x, STR("{}"));
}

static void handle_ack(struct http_exchange *x, void *ctx)
{
    act(x, ctx, acknowledge);
}

static void handle_resolve(struct http_exchange *x, void *ctx)
{
    act(x, ctx, resolve);
}

static void handle_comment(struct http_exchange *x, void *ctx)
{
    act(x, ctx, comment);
}

/* ---- history ---- */

static int put_event(const struct track_event *v, void *ctx)
{
    struct json_writer *w = ctx;
    json_begin_object(w);
    am_kv_time(w, "at", v->at_ms);
    json_kv_cs(w, "event", track_kind_text(v->kind));
    am_kv_fingerprint(w, "fingerprint", v->fp);
    am_kv_labels(w, "labels", v->labels);
    json_kv_string(w, "by", v->who);
    json_kv_string(w, "comment", v->text);
    json_end_object(w);
    return 0;
}

static int take_ask(struct http_exchange *x, int64_t window_ms, struct track_ask *q, struct err *e)
{
    int64_t now_ms = clock_now_ms();
    struct str fp = http_param(x, "fingerprint");
    size_t limit = HISTORY_LIMIT;
    *q = (struct track_ask){ .to_ms = now_ms };
    int rc = take_time(x, "end", now_ms, &q->to_ms, e);
    if (rc == OK) rc = take_time(x, "start", q->to_ms - window_ms, &q->from_ms, e);
    if (rc == OK) rc = take_limit(x, "limit", &limit, e);
    if (rc == OK && fp.n > 0 && !read_fingerprint(fp, &q->fp))
        rc = err_set(e, ERR_PARSE, "invalid parameter \"fingerprint\": it has 16 hexadecimal digits");
    q->limit = (int64_t)MIN(limit ? limit : HISTORY_LIMIT, (size_t)HISTORY_LIMIT_MAX);
    return rc;
}

static void answer_history(struct http_exchange *x, struct am_api *api)
{
    struct track_ask q;
    struct err e = ERR_INIT;
    struct buf out = BUF_INIT(AM_ANSWER_MAX);
    struct json_writer w;
    int rc = take_ask(x, TRACK_KEPT_MS, &q, &e);
    track_flush(notify_track(api->notify), clock_now_ms());
    respond_begin(&out);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("events"));
    json_begin_array(&w);
    if (rc == OK) rc = track_history(notify_track(api->notify), &q, put_event, &w, &e);
    json_end_array(&w);
    json_end_object(&w);
    if (rc == OK) {
        respond_data(x, &out);
        return;
    }
    buf_release(&out);
    respond_code(x, &e);
}

static void handle_history(struct http_exchange *x, void *ctx)
{
    am_post(x, ctx, answer_history);
}

/* ---- noise ---- */

struct noisy { /* all alerts of one name */
    struct str name;
    int64_t raised, reopened, resolved, acknowledged;
    int64_t firing_ms;
};

struct open_end { /* an alert's end, whose beginning lies before it */
    uint64_t fp;
    int64_t at_ms;
};

struct noise {
    struct arena arena;
    struct noisy *at;
    size_t n, cap;
    struct map by_name, ends;
    struct open_end *end;
    size_t n_end, cap_end;
    int64_t n_events;
};

static struct noisy *noisy_of(struct noise *n, struct str name)
{
    uint64_t *slot = map_find(&n->by_name, hash64(name.p, name.n), NULL, NULL);
    if (slot != NULL) return &n->at[*slot];
    map_add(&n->by_name, hash64(name.p, name.n), n->n);
    n->at = mem_grow(n->at, n->n, &n->cap, sizeof *n->at);
    n->at[n->n] = (struct noisy){ .name = arena_str(&n->arena, name) };
    return &n->at[n->n++];
}

static void keep_end(struct noise *n, const struct track_event *v)
{
    uint64_t *slot = map_find(&n->ends, v->fp, NULL, NULL);
    if (slot == NULL) {
        map_add(&n->ends, v->fp, n->n_end);
        n->end = mem_grow(n->end, n->n_end, &n->cap_end, sizeof *n->end);
        n->end[n->n_end++] = (struct open_end){ v->fp, v->at_ms };
    } else {
        n->end[*slot].at_ms = v->at_ms;
    }
}

/* Events come newest first: an end is seen before its beginning. */
static int64_t take_duration_of(struct noise *n, const struct track_event *v)
{
    uint64_t *slot = map_find(&n->ends, v->fp, NULL, NULL);
    if (slot == NULL || n->end[*slot].at_ms == 0) return 0;
    int64_t ms = n->end[*slot].at_ms - v->at_ms;
    n->end[*slot].at_ms = 0;
    return ms;
}

static int count_event(const struct track_event *v, void *ctx)
{
    struct noise *n = ctx;
    struct noisy *of = noisy_of(n, labels_get(v->labels, "alertname"));
    n->n_events++;
    of->raised += v->kind == TRACK_RAISED;
    of->reopened += v->kind == TRACK_REOPENED;
    of->resolved += v->kind == TRACK_RESOLVED;
    of->acknowledged += v->kind == TRACK_ACKNOWLEDGED;
    if (v->kind == TRACK_RESOLVED) keep_end(n, v);
    if (v->kind == TRACK_RAISED || v->kind == TRACK_REOPENED) of->firing_ms += take_duration_of(n, v);
    return 0;
}

static int loudest_first(const void *pa, const void *pb)
{
    const struct noisy *a = pa, *b = pb;
    int64_t x = a->raised + a->reopened, y = b->raised + b->reopened;
    return x > y ? -1 : x < y ? 1 : str_cmp(a->name, b->name);
}

/* Advice follows from three proportions; docs/alerting.md says how. */
static const char *advice(const struct noisy *n)
{
    int64_t fired = n->raised + n->reopened;
    if (n->reopened >= 5 && n->reopened * 2 >= fired)
        return "flapping: lengthen for or keep_firing_for, or damp it";
    if (n->resolved >= 5 && n->firing_ms / n->resolved < 5 * 60000) return "short-lived: lengthen for";
    if (fired >= 10 && n->acknowledged == 0) return "never acknowledged: is anyone to act on it?";
    return "";
}

static void put_noisy(struct json_writer *w, const struct noisy *n)
{
    json_begin_object(w);
    json_kv_string(w, "alertname", n->name);
    json_kv_i64(w, "raised", n->raised);
    json_kv_i64(w, "reopened", n->reopened);
    json_kv_i64(w, "resolved", n->resolved);
    json_kv_i64(w, "acknowledged", n->acknowledged);
    json_kv_double(w, "firing_seconds", (double)n->firing_ms / 1000);
    json_kv_cs(w, "advice", advice(n));
    json_end_object(w);
}

static void noise_release(struct noise *n)
{
    map_release(&n->by_name);
    map_release(&n->ends);
    mem_free(n->at);
    mem_free(n->end);
    arena_release(&n->arena);
}

static void answer_noise(struct http_exchange *x, struct am_api *api)
{
    struct noise n = { .arena = ARENA_INIT(64u << 20) };
    struct track_ask q;
    struct err e = ERR_INIT;
    int rc = take_ask(x, NOISE_WINDOW_MS, &q, &e);
    q.limit = NOISE_EVENTS_MAX;
    track_flush(notify_track(api->notify), clock_now_ms());
    if (rc == OK) rc = track_history(notify_track(api->notify), &q, count_event, &n, &e);
    if (rc < 0) {
        noise_release(&n);
        respond_code(x, &e);
        return;
    }
    struct buf out = BUF_INIT(AM_ANSWER_MAX);
    struct json_writer w;
    if (n.n > 1) qsort(n.at, n.n, sizeof *n.at, loudest_first);
    respond_begin(&out);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_i64(&w, "events", n.n_events);
    json_put_key(&w, STR("alerts"));
    json_begin_array(&w);
    for (size_t i = 0; i < n.n; i++) put_noisy(&w, &n.at[i]);
    json_end_array(&w);
    json_end_object(&w);
    noise_release(&n);
    respond_data(x, &out);
}

static void handle_noise(struct http_exchange *x, void *ctx)
{
    am_post(x, ctx, answer_noise);
}

/* ---- who would get this? ---- */

static void put_integrations(struct json_writer *w, const struct am_receiver *to)
{
    json_put_key(w, STR("integrations"));
    json_begin_array(w);
    for (size_t i = 0; i < to->n; i++) json_put_string(w, to->at[i].kind_name);
    json_end_array(w);
}

static void put_escalations(struct json_writer *w, const struct am_route *r)
{
    json_put_key(w, STR("escalations"));
    json_begin_array(w);
    for (size_t i = 0; i < r->n_escalations; i++) {
        json_begin_object(w);
        json_kv_double(w, "after_seconds", (double)r->escalations[i].delay_ms / 1000);
        json_kv_string(w, "receiver", r->escalations[i].receiver->name);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_route(struct json_writer *w, const struct am_route *r, int64_t now_ms)
{
    bool inactive;
    struct str mute = dispatch_route_mute(r, now_ms, &inactive);
    json_begin_object(w);
    json_kv_string(w, "receiver", r->receiver->name);
    put_integrations(w, r->receiver);
    json_kv_string(w, "route", r->key);
    json_kv_double(w, "group_wait_seconds", (double)r->group_wait_ms / 1000);
    json_kv_double(w, "group_interval_seconds", (double)r->group_interval_ms / 1000);
    json_kv_double(w, "repeat_interval_seconds", (double)r->repeat_interval_ms / 1000);
    json_kv_string(w, "muted_by_time_interval", mute);
    json_kv_bool(w, "outside_active_time", inactive);
    put_escalations(w, r);
    json_end_object(w);
}

static void put_answer(struct json_writer *w, struct am_api *api, struct labels l)
{
    const struct am_route *routes[ROUTES_SHOWN];
    struct alert a = { .labels = l };
    struct mute_reasons why;
    int64_t now_ms = clock_now_ms();
    struct held *h = held_new(&a, false);
    const struct dispatch *d = notify_lock(api->notify);
    size_t n = MIN(am_route_walk(d->conf, l, routes, ROUTES_SHOWN), (size_t)ROUTES_SHOWN);
    dispatch_mute_reasons(d, h, now_ms, &why);
    json_begin_object(w);
    am_kv_fingerprint(w, "fingerprint", h->fp);
    json_put_key(w, STR("routes"));
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) put_route(w, routes[i], now_ms);
    json_end_array(w);
    json_kv_bool(w, "silenced", why.is_silenced);
    json_kv_bool(w, "inhibited", why.is_inhibited);
    json_kv_string(w, "maintenance", why.maintenance);
    json_end_object(w);
    notify_unlock(api->notify);
    held_unref(h);
}

static void handle_route_test(struct http_exchange *x, void *ctx)
{
    struct json_reader r;
    struct labels l = { 0 };
    struct str key;
    struct err e = ERR_INIT;
    json_open(&r, http_body(x), http_arena(x));
    if (json_object(&r)) {
        while (json_key(&r, &key)) {
            if (!str_is(key, "labels"))
                json_fail(&r, "the only key is labels");
            else
                am_read_labels(&r, http_arena(x), &l, &e);
        }
    }
    int rc = json_close(&r, e.code < 0 ? NULL : &e);
    if (e.code < 0 || rc < 0) {
        respond_code(x, &e);
        return;
    }
    struct buf out = BUF_INIT(AM_ANSWER_MAX);
    struct json_writer w;
    respond_begin(&out);
    json_writer_init(&w, &out);
    put_answer(&w, ctx, l);
    respond_data(x, &out);
}

const struct http_route am_beyond_routes[] = {
    { "POST", "/api/v1/alerts/{fingerprint}/ack", handle_ack },
    { "POST", "/api/v1/alerts/{fingerprint}/resolve", handle_resolve },
    { "POST", "/api/v1/alerts/{fingerprint}/comment", handle_comment },
    { "GET", "/api/v1/alerts/history", handle_history },
    { "GET", "/api/v1/alerts/noise", handle_noise },
    { "GET", "/api/v1/alerts/cascades", handle_am_cascades },
    { "GET", "/api/v1/actions/audit", handle_actions_audit },
    { "POST", "/api/v1/alerts/route-test", handle_route_test },
};
const size_t am_n_beyond_routes = COUNT(am_beyond_routes);
