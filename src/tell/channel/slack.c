/* slack.c - Slack: an incoming webhook, or chat.postMessage with a bot's token. Both answer 200 to a message
 * they did not take: the first says anything but "ok", the second {"ok": false, "error": ...}.
 *
 * Known and without effect: edit_messages, update_message (every notification is a message of its own), which
 * is warned of. */
#include "base/log.h"
#include "tell/channel/attachment.h"

#define TITLE_MAX 1024 /* characters; what Slack shows of a title */
#define TEXT_MAX  (40u << 10)

struct slack_action {
    const char *type, *text, *url, *style, *name, *value;
    const char *confirm_text, *confirm_title, *confirm_ok, *confirm_dismiss; /* text NULL: not asked */
};

struct slack {
    struct channel_http http;
    struct secret url, token;
    struct attachment attachment;
    const char *channel, *username, *icon_emoji, *icon_url, *message_text, *callback_id;
    struct str *mrkdwn_in;
    size_t n_mrkdwn_in;
    struct slack_action *actions;
    size_t n_actions;
    bool link_names;
};

/* ---- configuration ---- */

static void read_confirm(struct reader *r, struct yaml *map, struct slack_action *a)
{
    struct yaml *confirm = read_map(r, map, "confirm");
    if (confirm == NULL) return;
    channel_read_template(r, confirm, "text", &a->confirm_text);
    channel_read_template(r, confirm, "title", &a->confirm_title);
    channel_read_template(r, confirm, "ok_text", &a->confirm_ok);
    channel_read_template(r, confirm, "dismiss_text", &a->confirm_dismiss);
    if (a->confirm_text == NULL) read_fail(r, confirm->line, "confirm: text is missing");
}

static void read_action(struct reader *r, struct yaml *map, struct slack_action *a)
{
    if (map->kind != YAML_MAP) return read_fail(r, map->line, "actions: expected a map");
    channel_read_template(r, map, "type", &a->type);
    channel_read_template(r, map, "text", &a->text);
    channel_read_template(r, map, "url", &a->url);
    channel_read_template(r, map, "style", &a->style);
    channel_read_template(r, map, "name", &a->name);
    channel_read_template(r, map, "value", &a->value);
    read_confirm(r, map, a);
    if (a->type == NULL || a->text == NULL) read_fail(r, map->line, "actions: type and text are needed");
    if (a->url == NULL && a->name == NULL) read_fail(r, map->line, "actions: a url or a name is needed");
    if (a->url != NULL) a->name = a->value = a->confirm_text = NULL; /* a link asks nothing */
}

static void read_actions(struct reader *r, struct yaml *map, struct slack *s)
{
    struct yaml *list = read_list(r, map, "actions");
    if (list == NULL) return;
    s->actions = arena_zero(r->arena, (list->n + 1) * sizeof *s->actions);
    for (size_t i = 0; i < list->n && r->rc == OK; i++)
        read_action(r, list->items[i], &s->actions[s->n_actions++]);
}

/* A token of its own, or slack_app_token: then messages go to Slack's API. */
static void read_where(struct reader *r, struct yaml *map, const struct channel_defaults *d, struct slack *s)
{
    channel_read_secret(r, map, "app_token", d, "slack_app_token", &s->token);
    bool own_url = yaml_get(map, "api_url") != NULL || yaml_get(map, "api_url_file") != NULL;
    bool own_token = yaml_get(map, "app_token") != NULL || yaml_get(map, "app_token_file") != NULL;
    if (own_url && own_token)
        read_fail(r, map->line, "at most one of api_url & app_token must be configured");
    if (own_url || (!own_token && !secret_is_given(&s->token))) {
        channel_read_url(r, map, "api_url", d, "slack_api_url", &s->url);
        s->token = (struct secret){ NULL, NULL };
        return;
    }
    s->url.text = "https://slack.com/api/chat.postMessage";
    read_cstr(r, map, "app_url", &s->url.text);
    if (yaml_get(map, "app_url") == NULL && d->global != NULL)
        read_cstr(r, d->global, "slack_app_url", &s->url.text);
    if (!http_url_is_web(s->url.text)) read_fail(r, map->line, "app_url: expected an http or https URL");
}

/* To edit a message one must know what Slack called it, over restarts: not kept. */
static void warn_of_edits(struct reader *r, struct yaml *map)
{
    static const char *const keys[] = { "edit_messages", "update_message" };
    for (size_t i = 0; i < COUNT(keys); i++) {
        bool wanted = false;
        read_flag(r, map, keys[i], &wanted);
        if (wanted)
            log_warn("notify", "messages are not edited: each notification is a message of its own", "key",
                     keys[i], NULL);
    }
}

static int read_conf(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                     struct err *e)
{
    struct slack *s = arena_zero(a, sizeof *s);
    struct reader r;
    channel_reader(&r, d, a, e);
    channel_read_http(&r, map, d, &s->http);
    read_where(&r, map, d, s);
    s->username = "{{ template \"slack.default.username\" . }}";
    s->icon_emoji = "{{ template \"slack.default.iconemoji\" . }}";
    s->icon_url = "{{ template \"slack.default.iconurl\" . }}";
    s->callback_id = "{{ template \"slack.default.callbackid\" . }}";
    s->attachment = (struct attachment){
        .color = "{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}",
        .title = "{{ template \"slack.default.title\" . }}",
        .title_link = "{{ template \"slack.default.titlelink\" . }}",
        .pretext = "{{ template \"slack.default.pretext\" . }}",
        .text = "{{ template \"slack.default.text\" . }}",
        .fallback = "{{ template \"slack.default.fallback\" . }}",
        .footer = "{{ template \"slack.default.footer\" . }}",
    };
    attachment_read(&r, map, &s->attachment);
    channel_read_template(&r, map, "channel", &s->channel);
    channel_read_template(&r, map, "username", &s->username);
    channel_read_template(&r, map, "icon_emoji", &s->icon_emoji);
    channel_read_template(&r, map, "icon_url", &s->icon_url);
    channel_read_template(&r, map, "message_text", &s->message_text);
    channel_read_template(&r, map, "callback_id", &s->callback_id);
    read_flag(&r, map, "link_names", &s->link_names);
    read_texts(&r, read_list(&r, map, "mrkdwn_in"), &s->mrkdwn_in, &s->n_mrkdwn_in);
    read_actions(&r, map, s);
    channel_read_timeout(&r, map, &s->http);
    warn_of_edits(&r, map);
    *conf = s;
    return r.rc;
}

/* ---- the message ---- */

static void put_action(struct channel_send *s, struct json_writer *w, const struct slack_action *a)
{
    json_begin_object(w);
    channel_put(s, w, "type", a->type);
    channel_put(s, w, "text", a->text);
    channel_put(s, w, "url", a->url);
    channel_put(s, w, "style", a->style);
    channel_put(s, w, "name", a->name);
    channel_put(s, w, "value", a->value);
    if (a->confirm_text != NULL) {
        json_put_key(w, STR("confirm"));
        json_begin_object(w);
        channel_put(s, w, "text", a->confirm_text);
        channel_put(s, w, "title", a->confirm_title);
        channel_put(s, w, "ok_text", a->confirm_ok);
        channel_put(s, w, "dismiss_text", a->confirm_dismiss);
        json_end_object(w);
    }
    json_end_object(w);
}

static void put_mrkdwn_in(struct json_writer *w, const struct slack *conf)
{
    static const char *const usual[] = { "fallback", "pretext", "text" };
    json_put_key(w, STR("mrkdwn_in"));
    json_begin_array(w);
    for (size_t i = 0; i < conf->n_mrkdwn_in; i++) json_put_string(w, conf->mrkdwn_in[i]);
    for (size_t i = 0; conf->n_mrkdwn_in == 0 && i < COUNT(usual); i++) json_put_string(w, str_of(usual[i]));
    json_end_array(w);
}

static void put_attachment(struct channel_send *s, struct json_writer *w, const struct slack *conf)
{
    json_begin_object(w);
    attachment_put(s, w, &conf->attachment, TITLE_MAX, TEXT_MAX, ATTACHMENT_TEXTS_ALWAYS);
    json_kv_string(w, "callback_id", channel_text(s, conf->callback_id));
    if (conf->n_actions > 0) {
        json_put_key(w, STR("actions"));
        json_begin_array(w);
        for (size_t i = 0; i < conf->n_actions; i++) put_action(s, w, &conf->actions[i]);
        json_end_array(w);
    }
    put_mrkdwn_in(w, conf);
    json_end_object(w);
}

static void put_body(struct channel_send *s, const struct slack *conf)
{
    struct json_writer w;
    json_writer_init(&w, &s->body);
    json_begin_object(&w);
    channel_put(s, &w, "channel", conf->channel);
    channel_put(s, &w, "username", conf->username);
    channel_put(s, &w, "icon_emoji", conf->icon_emoji);
    channel_put(s, &w, "icon_url", conf->icon_url);
    channel_put(s, &w, "text", conf->message_text);
    if (conf->link_names) json_kv_bool(&w, "link_names", true);
    json_put_key(&w, STR("attachments"));
    json_begin_array(&w);
    put_attachment(s, &w, conf);
    json_end_array(&w);
    json_end_object(&w);
}

/* ---- the answer ---- */

/* What may go away by itself; anything else is our message's or our token's fault. */
static bool passes(struct str error)
{
    static const char *const passing[] = { "ratelimited", "rate_limited",        "internal_error",
                                           "fatal_error", "service_unavailable", "request_timeout",
                                           "rollup_error" };
    for (size_t i = 0; i < COUNT(passing); i++)
        if (str_is(error, passing[i])) return true;
    return false;
}

static void judge_json(struct channel_send *s)
{
    struct json_reader r;
    struct str key, error = STR("no reason given");
    bool ok = false;
    json_open(&r, buf_view(&s->answer), &s->arena);
    if (!json_object(&r)) json_fail(&r, "expected an object");
    while (json_key(&r, &key))
        if (str_is(key, "ok"))
            json_bool(&r, &ok);
        else if (str_is(key, "error") && json_peek(&r) == JSON_STRING)
            json_string(&r, &error);
        else
            json_skip(&r);
    if (json_close(&r, NULL) < 0)
        return channel_fail(s, CHANNEL_RETRY, "Slack's answer is no JSON that we can read");
    if (!ok)
        channel_fail(s, passes(error) ? CHANNEL_RETRY : CHANNEL_FAILED, "Slack says %.*s", STR_ARG(error));
}

static void judge(struct channel_send *s)
{
    struct str said = str_trim(buf_view(&s->answer));
    if (s->failed) return;
    if (str_starts(str_of(s->answer_type), "application/json")) return judge_json(s);
    if (!str_is(said, "ok"))
        channel_fail(s, CHANNEL_FAILED, "Slack says %.*s", STR_ARG(channel_cut(&s->arena, said, 120)));
}

static void send(const void *conf, const struct notification *n, struct channel_result *result)
{
    const struct slack *slack = conf;
    struct channel_send s;
    const char *headers[2] = { "Content-Type: application/json" };
    size_t n_headers = 1;
    channel_begin(&s, n, result);
    const char *url = channel_url(&s, &slack->url);
    if (secret_is_given(&slack->token))
        headers[n_headers++] =
            arena_printf(&s.arena, "Authorization: Bearer %s", channel_secret(&s, &slack->token)).p;
    put_body(&s, slack);
    channel_post(&s, &slack->http, url, headers, n_headers);
    judge(&s);
    channel_end(&s);
}

const struct channel_kind channel_slack = { "slack_configs", "slack", false, read_conf, send };
