/* webhook.c - a POST of JSON, version 4 of what Alertmanager sends.
 *
 * Two keys are ours: hmac_secret (or hmac_secret_file) signs the body, in X-Vedette-Signature: sha256=<hex>,
 * so that the receiver knows it is from us. */
#include "base/check.h"
#include "tell/channel/channel_impl.h"

struct webhook {
    struct channel_http http;
    struct secret url, hmac;
    uint64_t max_alerts; /* 0: all */
};

static int read_conf(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                     struct err *e)
{
    struct webhook *w = arena_zero(a, sizeof *w);
    struct reader r;
    channel_reader(&r, d, a, e);
    channel_read_http(&r, map, d, &w->http);
    channel_read_url(&r, map, "url", d, NULL, &w->url);
    channel_read_secret(&r, map, "hmac_secret", d, NULL, &w->hmac);
    read_count(&r, map, "max_alerts", &w->max_alerts);
    channel_read_timeout(&r, map, &w->http);
    *conf = w;
    return r.rc;
}

/* ---- the body ---- */

static void put_pairs(struct json_writer *w, const char *key, struct labels l)
{
    json_put_key(w, str_of(key));
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) {
        json_put_key(w, l.at[i].name);
        json_put_string(w, l.at[i].value);
    }
    json_end_object(w);
}

static void put_alert(struct json_writer *w, const struct alert *a, int64_t now_ms, struct arena *arena)
{
    bool resolved = alert_is_resolved(a, now_ms);
    json_begin_object(w);
    json_kv_cs(w, "status", resolved ? "resolved" : "firing");
    put_pairs(w, "labels", a->labels);
    put_pairs(w, "annotations", a->annotations);
    json_kv_string(w, "startsAt", channel_time(arena, a->starts_ms));
    json_kv_string(w, "endsAt", channel_time(arena, resolved ? a->ends_ms : 0)); /* of the future: not told */
    json_kv_string(w, "generatorURL", a->generator_url);
    json_kv_string(w, "fingerprint",
                   arena_printf(arena, "%016llx", (unsigned long long)alert_fingerprint(a->labels)));
    json_end_object(w);
}

static void put_body(struct channel_send *s, uint64_t max_alerts)
{
    struct json_writer w;
    struct channel_view v = channel_view(s->n, max_alerts, &s->arena);
    json_writer_init(&w, &s->body);
    json_begin_object(&w);
    json_kv_string(&w, "receiver", v.receiver);
    json_kv_cs(&w, "status", v.status);
    json_put_key(&w, STR("alerts"));
    json_begin_array(&w);
    for (size_t i = 0; i < v.n; i++) put_alert(&w, &v.alerts[i], s->n->now_ms, &s->arena);
    json_end_array(&w);
    put_pairs(&w, "groupLabels", s->n->group_labels);
    put_pairs(&w, "commonLabels", v.common_labels);
    put_pairs(&w, "commonAnnotations", v.common_annotations);
    json_kv_string(&w, "externalURL", s->n->external_url);
    json_kv_cs(&w, "version", "4");
    json_kv_string(&w, "groupKey", s->n->group_key);
    json_kv_i64(&w, "truncatedAlerts", (int64_t)v.n_truncated);
    json_end_object(&w);
    buf_char(&s->body, '\n'); /* as Go's encoder ends what it writes */
}

/* ---- sending ---- */

static const char *signature(struct channel_send *s, const struct webhook *w)
{
    struct str key = str_of(channel_secret(s, &w->hmac));
    struct str sum = channel_hmac_sha256(&s->arena, key, buf_view(&s->body));
    return arena_printf(&s->arena, "X-Vedette-Signature: sha256=%.*s", STR_ARG(sum)).p;
}

static void send(const void *conf, const struct notification *n, struct channel_result *result)
{
    const struct webhook *w = conf;
    const char *headers[2] = { "Content-Type: application/json" };
    size_t n_headers = 1;
    struct channel_send s;
    channel_begin(&s, n, result);
    const char *url = channel_url(&s, &w->url);
    put_body(&s, w->max_alerts);
    if (secret_is_given(&w->hmac)) headers[n_headers++] = signature(&s, w);
    channel_post(&s, &w->http, url, headers, n_headers);
    channel_end(&s);
}

const struct channel_kind channel_webhook = { "webhook_configs", "webhook", true, read_conf, send };
