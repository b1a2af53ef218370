/* pagerduty.c - PagerDuty: events of its API, version 2 (routing_key) and the old one (service_key). The
 * group's key is the incident's, so that what fires again joins it and what is resolved closes it. */
#include "base/check.h"
#include "tell/channel/channel_impl.h"

#define SUMMARY_MAX 1024
#define EVENT_MAX   512000 /* bytes */

struct pair {
    struct str name;
    const char *text;
};

struct thing { /* an image or a link */
    const char *src, *alt, *href, *text;
};

struct pagerduty {
    struct channel_http http;
    struct secret routing_key, service_key;
    const char *url;
    const char *client, *client_url, *description, *source, *severity, *class, *component, *group;
    struct pair *details;
    struct thing *images, *links;
    size_t n_details, n_images, n_links;
};

/* ---- configuration ---- */

static struct pair *detail_named(struct pagerduty *p, struct str name)
{
    for (size_t i = 0; i < p->n_details; i++)
        if (str_eq(p->details[i].name, name)) return &p->details[i];
    p->details[p->n_details].name = name;
    return &p->details[p->n_details++];
}

static void read_details(struct reader *r, struct yaml *map, struct pagerduty *p)
{
    static const struct {
        const char *name, *text;
    } usual[] = { { "firing", "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}" },
                  { "resolved", "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}" },
                  { "num_firing", "{{ .Alerts.Firing | len }}" },
                  { "num_resolved", "{{ .Alerts.Resolved | len }}" } };
    struct yaml *details = read_map(r, map, "details");
    size_t n = details ? details->n : 0;
    p->details = arena_zero(r->arena, (n + COUNT(usual)) * sizeof *p->details);
    for (size_t i = 0; i < COUNT(usual); i++) detail_named(p, str_of(usual[i].name))->text = usual[i].text;
    for (size_t i = 0; i < n && r->rc == OK; i++) {
        struct str name = arena_str(r->arena, details->keys[i]);
        const char *text = "";
        channel_read_template(r, details, name.p, &text);
        detail_named(p, name)->text = text;
    }
}

static void read_things(struct reader *r, struct yaml *map, const char *key, struct thing **out, size_t *n)
{
    struct yaml *list = read_list(r, map, key);
    bool images = str_is(str_of(key), "images");
    if (list == NULL) return;
    *out = arena_zero(r->arena, (list->n + 1) * sizeof **out);
    for (size_t i = 0; i < list->n && r->rc == OK; i++) {
        struct thing *t = &(*out)[(*n)++];
        if (list->items[i]->kind != YAML_MAP)
            return read_fail(r, list->items[i]->line, "%s: expected a map", key);
        channel_read_template(r, list->items[i], "href", &t->href);
        if (images) channel_read_template(r, list->items[i], "src", &t->src);
        if (images) channel_read_template(r, list->items[i], "alt", &t->alt);
        if (!images) channel_read_template(r, list->items[i], "text", &t->text);
    }
}

static void read_keys(struct reader *r, struct yaml *map, const struct channel_defaults *d,
                      struct pagerduty *p)
{
    channel_read_secret(r, map, "routing_key", d, NULL, &p->routing_key);
    channel_read_secret(r, map, "service_key", d, NULL, &p->service_key);
    bool v1 = secret_is_given(&p->service_key);
    if (!v1 && !secret_is_given(&p->routing_key))
        read_fail(r, map->line, "routing_key or service_key is missing");
    p->url = v1 ? "https://events.pagerduty.com/generic/2010-04-15/create_event.json"
                : "https://events.pagerduty.com/v2/enqueue";
    if (yaml_get(map, "url") == NULL && d->global != NULL && !v1)
        read_cstr(r, d->global, "pagerduty_url", &p->url);
    read_cstr(r, map, "url", &p->url);
    if (!http_url_is_web(p->url)) read_fail(r, map->line, "url: expected an http or https URL");
}

static int read_conf(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                     struct err *e)
{
    struct pagerduty *p = arena_zero(a, sizeof *p);
    struct reader r;
    channel_reader(&r, d, a, e);
    channel_read_http(&r, map, d, &p->http);
    read_keys(&r, map, d, p);
    p->client = "{{ template \"pagerduty.default.client\" . }}";
    p->client_url = "{{ template \"pagerduty.default.clientURL\" . }}";
    p->description = "{{ template \"pagerduty.default.description\" . }}";
    p->severity = "error";
    const struct {
        const char *key, **to;
    } texts[] = { { "client", &p->client },           { "client_url", &p->client_url },
                  { "description", &p->description }, { "source", &p->source },
                  { "severity", &p->severity },       { "class", &p->class },
                  { "component", &p->component },     { "group", &p->group } };
    for (size_t i = 0; i < COUNT(texts); i++) channel_read_template(&r, map, texts[i].key, texts[i].to);
    if (p->source == NULL || *p->source == 0) p->source = p->client;
    read_details(&r, map, p);
    read_things(&r, map, "images", &p->images, &p->n_images);
    read_things(&r, map, "links", &p->links, &p->n_links);
    channel_read_timeout(&r, map, &p->http);
    *conf = p;
    return r.rc;
}

/* ---- the event ---- */

static void put_details(struct channel_send *s, struct json_writer *w, const char *key,
                        const struct pagerduty *p, bool cut)
{
    json_put_key(w, str_of(key));
    json_begin_object(w);
    for (size_t i = 0; i < p->n_details && !cut; i++) {
        json_put_key(w, p->details[i].name);
        json_put_string(w, channel_text(s, p->details[i].text));
    }
    if (cut)
        json_kv_cs(w, "error",
                   "The details were left out: with them the event was larger than PagerDuty takes.");
    json_end_object(w);
}

static void put_things(struct channel_send *s, struct json_writer *w, const char *key, const struct thing *t,
                       size_t n, bool images)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        struct str needed = channel_text(s, images ? t[i].src : t[i].href);
        if (needed.n == 0) continue;
        if (!any) json_put_key(w, str_of(key));
        if (!any) json_begin_array(w);
        any = true;
        json_begin_object(w);
        if (images) json_kv_string(w, "src", needed);
        if (images) json_kv_string(w, "alt", channel_text(s, t[i].alt));
        json_kv_string(w, "href", channel_text(s, t[i].href));
        if (!images) json_kv_string(w, "text", channel_text(s, t[i].text));
        json_end_object(w);
    }
    if (any) json_end_array(w);
}

static void put_payload(struct channel_send *s, struct json_writer *w, const struct pagerduty *p, bool cut)
{
    json_put_key(w, STR("payload"));
    json_begin_object(w);
    json_kv_string(w, "summary", channel_cut(&s->arena, channel_text(s, p->description), SUMMARY_MAX));
    json_kv_string(w, "source", channel_text(s, p->source));
    json_kv_string(w, "severity", channel_text(s, p->severity));
    channel_put(s, w, "class", p->class);
    channel_put(s, w, "component", p->component);
    channel_put(s, w, "group", p->group);
    put_details(s, w, "custom_details", p, cut);
    json_end_object(w);
}

static void put_v2(struct channel_send *s, struct json_writer *w, const struct pagerduty *p, const char *key,
                   bool firing, bool cut)
{
    json_kv_cs(w, "routing_key", key);
    json_kv_string(w, "dedup_key", channel_sha256(&s->arena, s->n->group_key));
    json_kv_cs(w, "event_action", firing ? "trigger" : "resolve");
    put_payload(s, w, p, cut);
    channel_put(s, w, "client", p->client);
    channel_put(s, w, "client_url", p->client_url);
    put_things(s, w, "images", p->images, p->n_images, true);
    put_things(s, w, "links", p->links, p->n_links, false);
}

static void put_v1(struct channel_send *s, struct json_writer *w, const struct pagerduty *p, const char *key,
                   bool firing, bool cut)
{
    json_kv_cs(w, "service_key", key);
    json_kv_string(w, "incident_key", channel_sha256(&s->arena, s->n->group_key));
    json_kv_cs(w, "event_type", firing ? "trigger" : "resolve");
    json_kv_string(w, "description", channel_cut(&s->arena, channel_text(s, p->description), SUMMARY_MAX));
    if (firing) channel_put(s, w, "client", p->client);
    if (firing) channel_put(s, w, "client_url", p->client_url);
    put_details(s, w, "details", p, cut);
}

static void put_body(struct channel_send *s, const struct pagerduty *p, bool cut)
{
    struct json_writer w;
    bool v1 = secret_is_given(&p->service_key);
    bool firing = str_is(str_of(channel_view(s->n, 0, &s->arena).status), "firing");
    s->n_secrets = 0;
    const char *key = channel_text(s, channel_secret(s, v1 ? &p->service_key : &p->routing_key)).p;
    if (*key == 0) channel_fail(s, CHANNEL_FAILED, "the key of the service is empty");
    s->secrets[s->n_secrets++] = str_of(key);
    buf_clear(&s->body);
    json_writer_init(&w, &s->body);
    json_begin_object(&w);
    (v1 ? put_v1 : put_v2)(s, &w, p, key, firing, cut);
    json_end_object(&w);
}

static void send(const void *conf, const struct notification *n, struct channel_result *result)
{
    const struct pagerduty *p = conf;
    static const char *const headers[] = { "Content-Type: application/json" };
    struct channel_send s;
    channel_begin(&s, n, result);
    put_body(&s, p, false);
    if (s.body.n > EVENT_MAX) put_body(&s, p, true);
    channel_post(&s, &p->http, p->url, headers, 1);
    if (result->status == 403 && secret_is_given(&p->service_key))
        result->outcome = CHANNEL_RETRY; /* its 429 */
    channel_end(&s);
}

const struct channel_kind channel_pagerduty = { "pagerduty_configs", "pagerduty", true, read_conf, send };
