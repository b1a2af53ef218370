/* forward.c - see forward.h. */
#include "tell/notify/forward.h"

#include <pthread.h>
#include <stdio.h>

#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "net/http_conf.h"
#include "tell/notify/held.h"
#include "tell/notify/silence_json.h"

#define BODY_MAX   (32u << 20)
#define ANSWER_MAX (64u << 10)

struct set { /* one entry of alertmanagers */
    struct http_client_conf http;
    const char *scheme, *prefix;
    int64_t timeout_ms;
    void *relabel; /* of the host; NULL: none */
};

struct target {
    const struct set *set;
    const char *url;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    struct held *queue[FORWARD_QUEUE]; /* a ring; under mu */
    size_t first, n;
    bool stopping;
    pthread_t thread;
    struct stat *sent, *errors, *dropped;
};

struct forward {
    struct arena arena;
    const struct forward_relabel *relabel;
    void *rules[FORWARD_TARGETS_MAX]; /* of all sets */
    size_t n_rules;
    struct target *targets[FORWARD_TARGETS_MAX];
    size_t n;
};

/* ---- configuration ---- */

static const char *joined_url(struct arena *a, const struct set *s, struct str host)
{
    struct str prefix = str_of(s->prefix);
    while (prefix.n > 0 && prefix.p[0] == '/') prefix = str_make(prefix.p + 1, prefix.n - 1);
    while (prefix.n > 0 && prefix.p[prefix.n - 1] == '/') prefix.n--;
    return arena_printf(a, "%s://%.*s/%.*s%sapi/v2/alerts", s->scheme, STR_ARG(host), STR_ARG(prefix),
                        prefix.n ? "/" : "")
        .p;
}

static void add_target(struct forward *f, struct reader *r, const struct set *s, struct str host, int line)
{
    if (f->n == FORWARD_TARGETS_MAX) {
        read_fail(r, line, "more than %d Alertmanagers", FORWARD_TARGETS_MAX);
        return;
    }
    struct target *t = mem_alloc_zero(sizeof *t);
    t->set = s;
    t->url = joined_url(&f->arena, s, host);
    f->targets[f->n++] = t;
}

static void read_static(struct forward *f, struct reader *r, struct yaml *map, const struct set *s)
{
    struct yaml *list = read_list(r, map, "static_configs");
    for (size_t i = 0; list != NULL && i < list->n && r->rc == OK; i++) {
        struct str *hosts;
        size_t n = 0;
        struct yaml *targets = read_list(r, list->items[i], "targets");
        read_accept(list->items[i], "labels");
        if (targets != NULL) read_texts(r, targets, &hosts, &n);
        for (size_t k = 0; k < n && r->rc == OK; k++) add_target(f, r, s, hosts[k], targets->items[k]->line);
    }
}

/* Discovery other than by static_configs, and relabelling of targets, are not served: said once. */
static void accept_rest(struct reader *r, struct yaml *map)
{
    for (size_t i = 0; i < map->n; i++) {
        struct str key = map->keys[i];
        if (!str_ends(key, "_sd_configs") && !str_is(key, "relabel_configs")) continue;
        log_warn("notify", "this key of alertmanagers is not served: only static_configs are", "file",
                 r->file, "key", arena_str(r->arena, key).p, NULL);
        read_accept_all(yaml_only(map, i));
    }
}

static void read_relabel(struct forward *f, struct reader *r, struct yaml *map, struct set *s)
{
    struct yaml *list = read_list(r, map, "alert_relabel_configs");
    if (list == NULL || r->rc < 0) return;
    if (f->n_rules == FORWARD_TARGETS_MAX) {
        read_fail(r, list->line, "more than %d lists of alert_relabel_configs", FORWARD_TARGETS_MAX);
        return;
    }
    r->rc = f->relabel->read(list, r->file, r->arena, &s->relabel, r->e);
    if (r->rc == OK) f->rules[f->n_rules++] = s->relabel;
}

static void read_set(struct forward *f, struct reader *r, struct yaml *map)
{
    struct set *s = arena_zero(&f->arena, sizeof *s);
    const char *version = "v2";
    *s = (struct set){ .scheme = "http", .prefix = "/", .timeout_ms = 10000 };
    read_cstr(r, map, "scheme", &s->scheme);
    read_cstr(r, map, "path_prefix", &s->prefix);
    read_cstr(r, map, "api_version", &version);
    read_duration(r, map, "timeout", &s->timeout_ms);
    read_accept(map, "sigv4");
    if (r->rc == OK && strcmp(s->scheme, "http") != 0 && strcmp(s->scheme, "https") != 0)
        read_fail(r, map->line, "scheme is http or https, not \"%s\"", s->scheme);
    if (r->rc == OK && strcmp(version, "v2") != 0)
        read_fail(r, map->line, "api_version v2 is the only one left");
    http_conf_read(r, map, &s->http);
    accept_rest(r, map);
    read_relabel(f, r, map, s);
    read_static(f, r, map, s);
}

static int read_sets(struct forward *f, struct yaml *alerting, const char *file, struct err *e)
{
    struct reader r = { .file = file, .arena = &f->arena, .e = e };
    struct yaml *list = read_list(&r, alerting, "alertmanagers");
    for (size_t i = 0; list != NULL && i < list->n && r.rc == OK; i++) {
        if (list->items[i]->kind != YAML_MAP)
            read_fail(&r, list->items[i]->line, "alertmanagers[%zu] is a map", i);
        else
            read_set(f, &r, list->items[i]);
    }
    return r.rc == OK && list != NULL ? yaml_unknown(list, file, e) : r.rc;
}

/* ---- sending ---- */

static void put_time(struct json_writer *w, const char *key, int64_t ms)
{
    struct buf text = BUF_INIT(64);
    if (ms <= 0) return;
    am_time_put(&text, ms);
    json_put_key(w, str_of(key));
    json_put_raw(w, buf_view(&text));
    buf_release(&text);
}

static void put_labels(struct json_writer *w, const char *key, struct labels l)
{
    json_put_key(w, str_of(key));
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) {
        json_put_key(w, l.at[i].name);
        json_put_string(w, l.at[i].value);
    }
    json_end_object(w);
}

static void put_alert(struct json_writer *w, const struct alert *a)
{
    json_begin_object(w);
    put_labels(w, "labels", a->labels);
    put_labels(w, "annotations", a->annotations);
    put_time(w, "startsAt", a->starts_ms);
    put_time(w, "endsAt", a->ends_ms);
    if (a->generator_url.n > 0) json_kv_string(w, "generatorURL", a->generator_url);
    json_end_object(w);
}

static int post(const struct target *t, struct str body, struct err *e)
{
    static const char *const headers[] = { "Content-Type: application/json" };
    struct arena a = ARENA_INIT(1u << 20);
    struct http_fetch f;
    struct http_fetched got = { 0 };
    int rc = http_conf_request(&t->set->http, t->url, headers, 1, NULL, &a, &f, e);
    f.method = "POST";
    f.body = body;
    f.timeout_ms = (unsigned)t->set->timeout_ms;
    f.max_answer_bytes = ANSWER_MAX;
    if (rc == OK) rc = http_fetch_now(&f, &got, e);
    if (rc == OK && got.rc < 0) rc = err_set(e, got.rc, "%s", got.error);
    if (rc == OK && got.status / 100 != 2) rc = err_set(e, ERR_IO, "answered %ld", got.status);
    buf_release(&got.body);
    arena_release(&a);
    return rc;
}

static void send_batch(struct target *t, struct held **batch, size_t n)
{
    struct buf body = BUF_INIT(BODY_MAX);
    struct json_writer w;
    struct err e = ERR_INIT;
    json_writer_init(&w, &body);
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) put_alert(&w, &batch[i]->a);
    json_end_array(&w);
    int rc = body.full ? err_set(&e, ERR_LIMIT, "a batch of more than 32 MiB") : post(t, buf_view(&body), &e);
    stat_add(rc == OK ? t->sent : t->errors, n);
    if (rc < 0) {
        stat_add(t->dropped, n);
        log_warn("notify", "alerts not taken by an outside Alertmanager", "url", t->url, "alerts",
                 log_num((int64_t)n), "error", e.text, NULL);
    }
    buf_release(&body);
}

static size_t take_batch(struct target *t, struct held **batch)
{
    size_t n = 0;
    for (; n < FORWARD_BATCH && t->n > 0; n++, t->n--) {
        batch[n] = t->queue[t->first];
        t->first = (t->first + 1) % FORWARD_QUEUE;
    }
    return n;
}

static void *run(void *arg)
{
    struct target *t = arg;
    struct held *batch[FORWARD_BATCH];
    pthread_mutex_lock(&t->mu);
    for (;;) {
        while (t->n == 0 && !t->stopping) pthread_cond_wait(&t->wake, &t->mu);
        size_t n = take_batch(t, batch);
        bool last = t->stopping;
        pthread_mutex_unlock(&t->mu);
        if (n > 0) send_batch(t, batch, n);
        for (size_t i = 0; i < n; i++) held_unref(batch[i]);
        pthread_mutex_lock(&t->mu);
        if (last) break; /* one batch on the way out, not all: stopping is quick */
    }
    pthread_mutex_unlock(&t->mu);
    return NULL;
}

/* ---- life ---- */

static void start_target(struct target *t)
{
    char labels[512];
    snprintf(labels, sizeof labels, "alertmanager=\"%s\"", t->url);
    t->sent = stat_counter("vedette_forward_sent_total", "Alerts taken by an outside Alertmanager.", labels);
    t->errors = stat_counter("vedette_forward_errors_total", "Alerts it did not take.", labels);
    t->dropped = stat_counter("vedette_forward_dropped_total",
                              "Alerts dropped: refused, or the queue was full.", labels);
    check(pthread_create(&t->thread, NULL, run, t) == 0);
}

static void free_target(struct target *t, bool was_started)
{
    if (was_started) {
        pthread_mutex_lock(&t->mu);
        t->stopping = true;
        pthread_cond_signal(&t->wake);
        pthread_mutex_unlock(&t->mu);
        pthread_join(t->thread, NULL);
    }
    for (; t->n > 0; t->n--, t->first = (t->first + 1) % FORWARD_QUEUE) held_unref(t->queue[t->first]);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->mu);
    mem_free(t);
}

static void forward_free(struct forward *f, bool was_started)
{
    for (size_t i = 0; i < f->n; i++) free_target(f->targets[i], was_started);
    for (size_t i = 0; i < f->n_rules; i++) f->relabel->release(f->rules[i]);
    arena_release(&f->arena);
    mem_free(f);
}

int forward_start(struct yaml *alerting, const char *file, const struct forward_relabel *relabel,
                  struct forward **out, struct err *e)
{
    struct forward *f = mem_alloc_zero(sizeof *f);
    f->relabel = relabel;
    *out = NULL;
    f->arena = (struct arena)ARENA_INIT(8u << 20);
    int rc = alerting != NULL ? read_sets(f, alerting, file, e) : OK;
    for (size_t i = 0; i < f->n; i++) {
        pthread_mutex_init(&f->targets[i]->mu, NULL);
        pthread_cond_init(&f->targets[i]->wake, NULL);
    }
    if (rc < 0 || f->n == 0) {
        forward_free(f, false);
        return rc;
    }
    for (size_t i = 0; i < f->n; i++) start_target(f->targets[i]);
    *out = f;
    return OK;
}

void forward_stop(struct forward *f)
{
    if (f != NULL) forward_free(f, true);
}

static void push(struct target *t, struct held *h)
{
    if (t->n == FORWARD_QUEUE) {
        held_unref(t->queue[t->first]);
        t->first = (t->first + 1) % FORWARD_QUEUE;
        t->n--;
        stat_add(t->dropped, 1);
    }
    t->queue[(t->first + t->n++) % FORWARD_QUEUE] = held_ref(h);
}

/* As the set would have it. */
static struct held *relabelled(const struct forward *f, const struct set *s, struct held *h)
{
    struct arena arena = ARENA_INIT(4u << 20);
    struct alert a = h->a;
    if (s->relabel == NULL) return held_ref(h);
    struct held *other = f->relabel->apply(s->relabel, &a, &arena) ? held_new(&a, false) : NULL;
    arena_release(&arena);
    return other;
}

static void give(const struct forward *f, struct target *t, struct held *h)
{
    struct held *own = relabelled(f, t->set, h);
    if (own == NULL) return;
    pthread_mutex_lock(&t->mu);
    push(t, own);
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mu);
    held_unref(own);
}

static void sink_send(void *ctx, const struct alert *a, size_t n)
{
    struct forward *f = ctx;
    for (size_t i = 0; i < n; i++) {
        struct held *h = held_new(&a[i], false);
        for (size_t k = 0; k < f->n; k++) give(f, f->targets[k], h);
        held_unref(h);
    }
}

void forward_each(const struct forward *f, void (*visit)(const char *url, void *), void *ctx)
{
    for (size_t i = 0; i < f->n; i++) visit(f->targets[i]->url, ctx);
}

struct alert_sink forward_sink(struct forward *f)
{
    return (struct alert_sink){ sink_send, f };
}
