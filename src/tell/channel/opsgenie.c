/* opsgenie.c - Opsgenie's alerts: one for a group, found again by the hash of the group's key. */
#include "base/check.h"
#include "tell/channel/channel_impl.h"

#define MESSAGE_MAX     130 /* characters */
#define DESCRIPTION_MAX 15000
#define SOURCE_MAX      100

struct responder {
    const char *id, *name, *username, *type;
};

struct detail {
    struct str name;
    const char *text;
};

struct opsgenie {
    struct channel_http http;
    struct secret api_key;
    const char *url; /* ends in / */
    const char *message, *description, *source, *entity, *actions, *tags, *note, *priority;
    struct detail *details;
    struct responder *responders;
    size_t n_details, n_responders;
    bool update_alerts;
};

/* ---- configuration ---- */

static void read_details(struct reader *r, struct yaml *map, struct opsgenie *o)
{
    struct yaml *details = read_map(r, map, "details");
    if (details == NULL) return;
    o->details = arena_zero(r->arena, (details->n + 1) * sizeof *o->details);
    for (size_t i = 0; i < details->n && r->rc == OK; i++) {
        struct detail *d = &o->details[o->n_details++];
        d->name = arena_str(r->arena, details->keys[i]);
        d->text = "";
        channel_read_template(r, details, d->name.p, &d->text);
    }
}

static void check_type(struct reader *r, int line, const char *type)
{
    static const char *const types[] = { "team", "teams", "user", "escalation", "schedule" };
    if (type != NULL && strstr(type, "{{") != NULL) return;
    for (size_t i = 0; i < COUNT(types); i++)
        if (type != NULL && str_is_nocase(str_of(type), types[i])) return;
    read_fail(r, line, "responders: type is none of team, teams, user, escalation, schedule");
}

static void read_responders(struct reader *r, struct yaml *map, struct opsgenie *o)
{
    struct yaml *list = read_list(r, map, "responders");
    if (list == NULL) return;
    o->responders = arena_zero(r->arena, (list->n + 1) * sizeof *o->responders);
    for (size_t i = 0; i < list->n && r->rc == OK; i++) {
        struct responder *one = &o->responders[o->n_responders++];
        struct yaml *y = list->items[i];
        if (y->kind != YAML_MAP) return read_fail(r, y->line, "responders: expected a map");
        channel_read_template(r, y, "id", &one->id);
        channel_read_template(r, y, "name", &one->name);
        channel_read_template(r, y, "username", &one->username);
        channel_read_template(r, y, "type", &one->type);
        if (one->id == NULL && one->name == NULL && one->username == NULL)
            read_fail(r, y->line, "responders: id, name or username is needed");
        check_type(r, y->line, one->type);
    }
}

static void read_url(struct reader *r, struct yaml *map, const struct channel_defaults *d, struct opsgenie *o)
{
    o->url = "https://api.opsgenie.com/";
    if (yaml_get(map, "api_url") == NULL && d->global != NULL)
        read_cstr(r, d->global, "opsgenie_api_url", &o->url);
    read_cstr(r, map, "api_url", &o->url);
    if (!http_url_is_web(o->url)) read_fail(r, map->line, "api_url: expected an http or https URL");
    if (!str_ends(str_of(o->url), "/")) o->url = arena_printf(r->arena, "%s/", o->url).p;
}

static int read_conf(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                     struct err *e)
{
    struct opsgenie *o = arena_zero(a, sizeof *o);
    struct reader r;
    channel_reader(&r, d, a, e);
    channel_read_http(&r, map, d, &o->http);
    channel_read_secret(&r, map, "api_key", d, "opsgenie_api_key", &o->api_key);
    if (!secret_is_given(&o->api_key)) read_fail(&r, map->line, "api_key is missing, here and in global");
    read_url(&r, map, d, o);
    o->message = "{{ template \"opsgenie.default.message\" . }}";
    o->description = "{{ template \"opsgenie.default.description\" . }}";
    o->source = "{{ template \"opsgenie.default.source\" . }}";
    const struct {
        const char *key, **to;
    } texts[] = { { "message", &o->message }, { "description", &o->description }, { "source", &o->source },
                  { "entity", &o->entity },   { "actions", &o->actions },         { "tags", &o->tags },
                  { "note", &o->note },       { "priority", &o->priority } };
    for (size_t i = 0; i < COUNT(texts); i++) channel_read_template(&r, map, texts[i].key, texts[i].to);
    read_details(&r, map, o);
    read_responders(&r, map, o);
    read_flag(&r, map, "update_alerts", &o->update_alerts);
    *conf = o;
    return r.rc;
}

/* ---- bodies ---- */

static struct str cut(struct channel_send *s, const char *text, size_t most)
{
    return channel_cut(&s->arena, channel_text(s, text), most);
}

/* The common labels, and over them what is configured. */
static void put_details(struct channel_send *s, struct json_writer *w, const struct opsgenie *o)
{
    struct labels common = channel_view(s->n, 0, &s->arena).common_labels;
    json_put_key(w, STR("details"));
    json_begin_object(w);
    for (size_t i = 0; i < common.n; i++) {
        bool replaced = false;
        for (size_t k = 0; k < o->n_details; k++) replaced |= str_eq(o->details[k].name, common.at[i].name);
        if (replaced) continue;
        json_put_key(w, common.at[i].name);
        json_put_string(w, common.at[i].value);
    }
    for (size_t i = 0; i < o->n_details; i++) {
        json_put_key(w, o->details[i].name);
        json_put_string(w, channel_text(s, o->details[i].text));
    }
    json_end_object(w);
}

/* "a, b,c" as a list; left out when it is empty. */
static void put_split(struct channel_send *s, struct json_writer *w, const char *key, const char *text)
{
    struct str rest = str_trim(channel_text(s, text));
    if (rest.n == 0) return;
    json_put_key(w, str_of(key));
    json_begin_array(w);
    while (rest.n > 0) {
        struct str one = str_cut(rest, ',', &rest);
        if (one.n > 0) json_put_string(w, one);
    }
    json_end_array(w);
}

static void put_team(struct json_writer *w, struct str name)
{
    json_begin_object(w);
    json_kv_string(w, "name", name);
    json_kv_cs(w, "type", "team");
    json_end_object(w);
}

static void put_responder(struct channel_send *s, struct json_writer *w, const struct responder *one)
{
    struct str type = channel_text(s, one->type), rest = channel_text(s, one->name);
    if (str_is_nocase(type, "teams")) {
        while (rest.n > 0) {
            struct str name = str_cut(rest, ',', &rest);
            if (name.n > 0) put_team(w, name);
        }
        return;
    }
    if (rest.n + channel_text(s, one->id).n + channel_text(s, one->username).n + type.n == 0) return;
    json_begin_object(w);
    channel_put(s, w, "id", one->id);
    channel_put(s, w, "name", one->name);
    channel_put(s, w, "username", one->username);
    json_kv_string(w, "type", type);
    json_end_object(w);
}

static void put_new(struct channel_send *s, const struct opsgenie *o, struct str alias)
{
    struct json_writer w;
    json_writer_init(&w, &s->body);
    json_begin_object(&w);
    json_kv_string(&w, "alias", alias);
    json_kv_string(&w, "message", cut(s, o->message, MESSAGE_MAX));
    struct str description = cut(s, o->description, DESCRIPTION_MAX);
    if (description.n > 0) json_kv_string(&w, "description", description);
    put_details(s, &w, o);
    json_kv_string(&w, "source", cut(s, o->source, SOURCE_MAX));
    if (o->n_responders > 0) {
        json_put_key(&w, STR("responders"));
        json_begin_array(&w);
        for (size_t i = 0; i < o->n_responders; i++) put_responder(s, &w, &o->responders[i]);
        json_end_array(&w);
    }
    put_split(s, &w, "tags", o->tags);
    channel_put(s, &w, "note", o->note);
    channel_put(s, &w, "priority", o->priority);
    channel_put(s, &w, "entity", o->entity);
    put_split(s, &w, "actions", o->actions);
    json_end_object(&w);
}

static void put_one(struct channel_send *s, const char *key, struct str text)
{
    struct json_writer w;
    buf_clear(&s->body);
    json_writer_init(&w, &s->body);
    json_begin_object(&w);
    json_kv_string(&w, key, text);
    json_end_object(&w);
}

/* ---- sending ---- */

static void ask(struct channel_send *s, const struct opsgenie *o, const char *method, struct str path)
{
    const char *key = s->n_secrets ? s->secrets[0].p : channel_secret(s, &o->api_key);
    const char *url = arena_printf(&s->arena, "%sv2/alerts%.*s", o->url, STR_ARG(path)).p;
    const char *const headers[] = { "Content-Type: application/json",
                                    arena_printf(&s->arena, "Authorization: GenieKey %s", key).p };
    buf_release(&s->answer);
    channel_request(s, &o->http, method, url, headers, COUNT(headers), s->n->timeout_ms);
}

static void update(struct channel_send *s, const struct opsgenie *o, struct str alias, const char *what,
                   struct str text)
{
    if (text.n == 0) return;
    put_one(s, what, text);
    ask(s, o, "PUT", arena_printf(&s->arena, "/%.*s/%s?identifierType=alias", STR_ARG(alias), what));
}

static void send(const void *conf, const struct notification *n, struct channel_result *result)
{
    const struct opsgenie *o = conf;
    struct channel_send s;
    channel_begin(&s, n, result);
    struct str alias = channel_sha256(&s.arena, n->group_key);
    if (str_is(str_of(channel_view(n, 0, &s.arena).status), "resolved")) {
        put_one(&s, "source", cut(&s, o->source, SOURCE_MAX));
        ask(&s, o, "POST", arena_printf(&s.arena, "/%.*s/close?identifierType=alias", STR_ARG(alias)));
    } else {
        put_new(&s, o, alias);
        ask(&s, o, "POST", STR(""));
        if (o->update_alerts) update(&s, o, alias, "message", cut(&s, o->message, MESSAGE_MAX));
        if (o->update_alerts) update(&s, o, alias, "description", cut(&s, o->description, DESCRIPTION_MAX));
    }
    channel_end(&s);
}

const struct channel_kind channel_opsgenie = { "opsgenie_configs", "opsgenie", true, read_conf, send };
