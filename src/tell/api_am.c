/* api_am.c - Alertmanager's v2 API: status, receivers, silences, and what all its handlers share. */
#include "tell/api_am_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tell/notify/silence_json.h"

/* ---- shared ---- */

struct job {
    struct http_exchange *x;
    struct am_api *api;
    am_job_fn *run;
};

static void run_job(void *arg)
{
    struct job j = *(struct job *)arg; /* it lives in the exchange */
    j.run(j.x, j.api);
}

void am_post(struct http_exchange *x, struct am_api *api, am_job_fn *run)
{
    struct job *j = arena_alloc(http_arena(x), sizeof *j);
    *j = (struct job){ x, api, run };
    if (!work_post(api->pool, run_job, j))
        am_error(x, 503, "too many requests are waiting; try again in a moment");
}

void am_answer(struct http_exchange *x, struct buf *json)
{
    if (json->full) {
        buf_release(json);
        am_error(x, 500, "the answer is too long: ask for less with filter");
        return;
    }
    http_answer_buf(x, 200, "application/json", json);
}

void am_error(struct http_exchange *x, int status, const char *fmt, ...)
{
    char text[1024];
    struct buf json = BUF_INIT(16u << 10);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_escape(&json, str_of(text));
    http_answer_buf(x, status, "application/json", &json);
}

void am_error_of(struct http_exchange *x, const struct err *e)
{
    bool ours = e->code == ERR_IO || e->code == ERR_FULL || e->code == ERR_BUSY || e->code == ERR_CORRUPT;
    am_error(x, e->code == ERR_FIND ? 404 : ours ? 500 : 400, "%s", e->text);
}

void am_kv_time(struct json_writer *w, const char *key, int64_t ms)
{
    struct buf text = BUF_INIT(64);
    am_time_put(&text, ms);
    json_put_key(w, str_of(key));
    json_put_raw(w, buf_view(&text));
    buf_release(&text);
}

void am_kv_labels(struct json_writer *w, const char *key, struct labels l)
{
    json_put_key(w, str_of(key));
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) {
        json_put_key(w, l.at[i].name);
        json_put_string(w, l.at[i].value);
    }
    json_end_object(w);
}

void am_kv_fingerprint(struct json_writer *w, const char *key, uint64_t fp)
{
    char hex[24];
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)fp);
    json_kv_cs(w, key, hex);
}

int am_take_filters(struct http_exchange *x, struct am_matchers *m, struct err *e)
{
    struct str *texts;
    size_t n = http_params(x, "filter", &texts);
    int rc = OK;
    *m = (struct am_matchers){ 0 };
    for (size_t i = 0; i < n && rc == OK; i++) rc = am_matchers_parse(texts[i], http_arena(x), m, e);
    if (rc < 0) err_where(e, "bad filter");
    return rc;
}

int am_take_bool(struct http_exchange *x, const char *name, bool *out, struct err *e)
{
    static const char *const yes[] = { "1", "t", "true", "yes", "on" }, *const no[] = { "0", "f", "false",
                                                                                        "no", "off" };
    struct str s = http_param(x, name);
    if (s.n == 0) return OK;
    for (size_t i = 0; i < COUNT(yes); i++) {
        if (str_is_nocase(s, yes[i])) return *out = true, OK;
        if (str_is_nocase(s, no[i])) return *out = false, OK;
    }
    return err_set(e, ERR_RANGE, "%s is true or false, not \"%.*s\"", name, (int)MIN(s.n, 100u), s.p);
}

/* A name that comes twice means its last value, as in Go: vmalert writes alertname so. */
static struct label *label_named(struct label *at, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(at[i].name, name)) return &at[i];
    return NULL;
}

int am_read_labels(struct json_reader *r, struct arena *a, struct labels *out, struct err *e)
{
    struct label *at = NULL;
    size_t n = 0, cap = 0;
    struct str key;
    *out = (struct labels){ 0 };
    if (!json_object(r)) return OK;
    while (json_key(r, &key)) {
        struct label *l = label_named(at, n, key);
        if (l == NULL) {
            at = arena_grow(a, at, n, &cap, sizeof *at);
            l = &at[n++];
            *l = (struct label){ key, { NULL, 0 } };
        }
        json_string(r, &l->value);
        if (n > LABELS_MAX) json_fail(r, "too many labels");
    }
    size_t full = 0;
    for (size_t i = 0; i < n; i++) full += at[i].value.n > 0;
    if (r->failed || full == 0) return OK;
    int rc = labels_normalise(at, &n, e);
    if (rc == OK) *out = (struct labels){ at, n };
    return rc;
}

/* ---- status, receivers ---- */

static void put_version(struct json_writer *w, const struct am_api *api)
{
    json_begin_object(w);
    json_kv_cs(w, "branch", "vedette");
    json_kv_cs(w, "buildDate", "");
    json_kv_cs(w, "buildUser", "");
    json_kv_cs(w, "goVersion", "");
    json_kv_cs(w, "revision", api->version);
    json_kv_cs(w, "version", api->api_version);
    json_end_object(w);
}

static void handle_status(struct http_exchange *x, void *ctx)
{
    struct am_api *api = ctx;
    struct buf out = BUF_INIT(AM_ANSWER_MAX);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("cluster"));
    json_put_raw(&w, STR("{\"peers\":[],\"status\":\"disabled\"}"));
    json_put_key(&w, STR("config"));
    json_begin_object(&w);
    json_kv_string(&w, "original", notify_lock(api->notify)->conf->original);
    notify_unlock(api->notify);
    json_end_object(&w);
    am_kv_time(&w, "uptime", api->started_ms);
    json_put_key(&w, STR("versionInfo"));
    put_version(&w, api);
    json_end_object(&w);
    am_answer(x, &out);
}

static void handle_receivers(struct http_exchange *x, void *ctx)
{
    struct am_api *api = ctx;
    struct buf out = BUF_INIT(AM_ANSWER_MAX);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_array(&w);
    const struct am_config *c = notify_lock(api->notify)->conf;
    for (size_t i = 0; i < c->n_receivers; i++) {
        json_begin_object(&w);
        json_kv_string(&w, "name", c->receivers[i].name);
        json_end_object(&w);
    }
    notify_unlock(api->notify);
    json_end_array(&w);
    am_answer(x, &out);
}

/* ---- silences ---- */

struct found { /* one silence of a list */
    enum silence_state state;
    int64_t starts_ms, ends_ms;
    struct str json;
};

struct listing {
    const struct am_matchers *filters;
    struct arena *arena;
    struct found *at;
    size_t n, cap;
    int64_t now_ms;
};

/* A filter asks of what labels a silence speaks: its patterns are taken for values. */
static bool passes(const struct silence *s, const struct am_matchers *filters)
{
    for (size_t i = 0; i < filters->n; i++) {
        struct str value = STR("");
        for (size_t k = 0; k < s->matchers.n; k++)
            if (str_eq(s->matchers.at[k].name, filters->at[i].name)) value = s->matchers.at[k].value;
        if (!matcher_matches(&filters->at[i], value)) return false;
    }
    return true;
}

static int list_one(const struct silence *s, void *ctx)
{
    struct listing *l = ctx;
    struct buf json = BUF_INIT(1u << 20);
    if (!passes(s, l->filters)) return 0;
    silence_json_put(&json, s, l->now_ms);
    l->at = arena_grow(l->arena, l->at, l->n, &l->cap, sizeof *l->at);
    l->at[l->n++] = (struct found){ silence_state(s, l->now_ms), s->starts_ms, s->ends_ms,
                                    arena_str(l->arena, buf_view(&json)) };
    buf_release(&json);
    return 0;
}

/* Active ones first, the next to end at the top; then pending ones by start; then those that ended last. */
static int found_order(const void *pa, const void *pb)
{
    static const int rank[] = { [SILENCE_ACTIVE] = 0, [SILENCE_PENDING] = 1, [SILENCE_EXPIRED] = 2 };
    const struct found *a = pa, *b = pb;
    if (a->state != b->state) return rank[a->state] - rank[b->state];
    int64_t x = a->state == SILENCE_PENDING ? a->starts_ms : a->ends_ms;
    int64_t y = a->state == SILENCE_PENDING ? b->starts_ms : b->ends_ms;
    int c = x < y ? -1 : x > y;
    return a->state == SILENCE_EXPIRED ? -c : c;
}

static void handle_silences(struct http_exchange *x, void *ctx)
{
    struct am_api *api = ctx;
    struct am_matchers filters;
    struct err e = ERR_INIT;
    int rc = am_take_filters(x, &filters, &e);
    struct listing l = { .filters = &filters, .arena = http_arena(x), .now_ms = clock_now_ms() };
    if (rc == OK) silences_each(notify_silences(api->notify), list_one, &l);
    am_matchers_release(&filters);
    if (rc < 0) {
        am_error_of(x, &e);
        return;
    }
    struct buf out = BUF_INIT(AM_ANSWER_MAX);
    if (l.n > 1) qsort(l.at, l.n, sizeof *l.at, found_order);
    buf_char(&out, '[');
    for (size_t i = 0; i < l.n; i++) {
        if (i > 0) buf_char(&out, ',');
        buf_str(&out, l.at[i].json);
    }
    buf_char(&out, ']');
    am_answer(x, &out);
}

static void handle_post_silence(struct http_exchange *x, void *ctx)
{
    struct am_api *api = ctx;
    struct silence s;
    struct err e = ERR_INIT;
    char id[SILENCE_ID_MAX];
    int64_t now_ms = clock_now_ms();
    int rc = silence_json_read(http_body(x), http_arena(x), &s, &e);
    if (rc == OK && (s.starts_ms == 0 || s.ends_ms == 0))
        rc = err_set(&e, ERR_RANGE, "startsAt and endsAt are required");
    if (rc == OK && s.ends_ms <= s.starts_ms)
        rc = err_set(&e, ERR_RANGE, "failed to create silence: start time must be before end time");
    if (rc == OK && s.ends_ms < now_ms)
        rc = err_set(&e, ERR_RANGE, "failed to create silence: end time can't be in the past");
    if (rc == OK) rc = silences_set(notify_silences(api->notify), &s, now_ms, id, &e);
    am_matchers_release(&s.matchers);
    if (rc < 0) {
        am_error_of(x, &e);
        return;
    }
    struct buf out = BUF_INIT(256);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_cs(&w, "silenceID", id);
    json_end_object(&w);
    am_answer(x, &out);
}

struct one {
    struct str id;
    struct buf *out;
    int64_t now_ms;
};

static int put_one(const struct silence *s, void *ctx)
{
    struct one *o = ctx;
    if (!str_is(o->id, s->id)) return 0;
    silence_json_put(o->out, s, o->now_ms);
    return 1;
}

static void handle_silence(struct http_exchange *x, void *ctx)
{
    struct am_api *api = ctx;
    struct buf out = BUF_INIT(1u << 20);
    struct one o = { http_path_param(x, "id"), &out, clock_now_ms() };
    if (silences_each(notify_silences(api->notify), put_one, &o) != 0)
        am_answer(x, &out);
    else
        am_error(x, 404, "silence not found");
}

static void handle_delete_silence(struct http_exchange *x, void *ctx)
{
    struct am_api *api = ctx;
    struct err e = ERR_INIT;
    int rc = silences_expire(notify_silences(api->notify), http_path_param(x, "id"), clock_now_ms(), &e);
    if (rc == OK)
        http_answer(x, 200, "application/json", STR(""));
    else if (rc == ERR_RANGE)
        am_error(x, 500, "%s", e.text); /* already expired: so Alertmanager answers */
    else
        am_error_of(x, &e);
}

const struct http_route am_routes[] = {
    { "GET", "/api/v2/status", handle_status },
    { "GET", "/api/v2/receivers", handle_receivers },
    { "GET", "/api/v2/silences", handle_silences },
    { "POST", "/api/v2/silences", handle_post_silence },
    { "GET", "/api/v2/silence/{id}", handle_silence },
    { "DELETE", "/api/v2/silence/{id}", handle_delete_silence },
    { "GET", "/api/v2/alerts", handle_am_alerts },
    { "POST", "/api/v2/alerts", handle_am_post_alerts },
    { "GET", "/api/v2/alerts/groups", handle_am_groups },
};
const size_t am_n_routes = COUNT(am_routes);
