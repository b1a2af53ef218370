/* mattermost.c - Mattermost: an incoming webhook with a text and attachments as Slack has them. */
#include "tell/channel/attachment.h"

#define TEXT_MAX  16383 /* characters */
#define TITLE_MAX 1024

struct mattermost {
    struct channel_http http;
    struct secret url;
    const char *channel, *username, *text, *icon_url, *icon_emoji, *type, *card, *priority;
    bool requested_ack, persistent_notifications;
    struct attachment *attachments;
    size_t n_attachments;
};

/* ---- configuration ---- */

static void read_author(struct reader *r, struct yaml *map, struct attachment *a)
{
    channel_read_template(r, map, "author_name", &a->author_name);
    channel_read_template(r, map, "author_link", &a->author_link);
    channel_read_template(r, map, "author_icon", &a->author_icon);
    channel_read_template(r, map, "footer_icon", &a->footer_icon);
}

/* Listed ones, or one that is described beside the text. */
static void read_attachments(struct reader *r, struct yaml *map, struct mattermost *m)
{
    struct yaml *list = read_list(r, map, "attachments");
    size_t n = list ? list->n : 0;
    struct attachment own = {
        .color = "{{ template \"mattermost.default.color\" . }}",
        .title = "{{ template \"mattermost.default.title\" . }}",
        .title_link = "{{ template \"mattermost.default.titlelink\" . }}",
        .fallback = "{{ template \"mattermost.default.fallback\" . }}",
    };
    m->attachments = arena_zero(r->arena, (n + 1) * sizeof *m->attachments);
    attachment_read(r, map, &own);
    read_author(r, map, &own);
    own.text = NULL; /* the message's own */
    if (n == 0) m->attachments[m->n_attachments++] = own;
    for (size_t i = 0; i < n && r->rc == OK; i++) {
        struct attachment *a = &m->attachments[m->n_attachments++];
        if (list->items[i]->kind != YAML_MAP)
            return read_fail(r, list->items[i]->line, "attachments: expected a map");
        attachment_read(r, list->items[i], a);
        read_author(r, list->items[i], a);
    }
}

static void read_priority(struct reader *r, struct yaml *map, struct mattermost *m)
{
    struct yaml *props = read_map(r, map, "props"), *priority = read_map(r, map, "priority");
    if (props != NULL) channel_read_template(r, props, "card", &m->card);
    if (priority == NULL) return;
    channel_read_template(r, priority, "priority", &m->priority);
    read_flag(r, priority, "requested_ack", &m->requested_ack);
    read_flag(r, priority, "persistent_notifications", &m->persistent_notifications);
}

static int read_conf(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                     struct err *e)
{
    struct mattermost *m = arena_zero(a, sizeof *m);
    struct reader r;
    channel_reader(&r, d, a, e);
    channel_read_http(&r, map, d, &m->http);
    channel_read_url(&r, map, "webhook_url", d, "mattermost_webhook_url", &m->url);
    m->username = "{{ template \"mattermost.default.username\" . }}";
    m->text = "{{ template \"mattermost.default.text\" . }}";
    channel_read_template(&r, map, "channel", &m->channel);
    channel_read_template(&r, map, "username", &m->username);
    channel_read_template(&r, map, "text", &m->text);
    channel_read_template(&r, map, "icon_url", &m->icon_url);
    channel_read_template(&r, map, "icon_emoji", &m->icon_emoji);
    channel_read_template(&r, map, "type", &m->type);
    read_attachments(&r, map, m);
    read_priority(&r, map, m);
    *conf = m;
    return r.rc;
}

/* ---- the message ---- */

static void put_priority(struct channel_send *s, struct json_writer *w, const struct mattermost *m)
{
    struct str wanted = channel_text(s, m->priority);
    bool urgent = str_is_nocase(wanted, "urgent"), important = str_is_nocase(wanted, "important");
    if (wanted.n == 0) return;
    json_put_key(w, STR("priority"));
    json_begin_object(w);
    json_kv_cs(w, "priority", urgent ? "urgent" : important ? "important" : "standard");
    if (m->requested_ack && (urgent || important)) json_kv_bool(w, "requested_ack", true);
    if (m->persistent_notifications && urgent) json_kv_bool(w, "persistent_notifications", true);
    json_end_object(w);
}

static void put_body(struct channel_send *s, const struct mattermost *m)
{
    struct json_writer w;
    struct str card = channel_text(s, m->card);
    json_writer_init(&w, &s->body);
    json_begin_object(&w);
    json_kv_string(&w, "text", channel_cut(&s->arena, channel_text(s, m->text), TEXT_MAX));
    channel_put(s, &w, "channel", m->channel);
    channel_put(s, &w, "username", m->username);
    channel_put(s, &w, "icon_url", m->icon_url);
    channel_put(s, &w, "icon_emoji", m->icon_emoji);
    json_put_key(&w, STR("attachments"));
    json_begin_array(&w);
    for (size_t i = 0; i < m->n_attachments; i++) {
        json_begin_object(&w);
        attachment_put(s, &w, &m->attachments[i], TITLE_MAX, TEXT_MAX, ATTACHMENT_TEXTS_IF_ANY);
        json_end_object(&w);
    }
    json_end_array(&w);
    channel_put(s, &w, "type", m->type);
    if (card.n > 0) {
        json_put_key(&w, STR("props"));
        json_begin_object(&w);
        json_kv_string(&w, "card", card);
        json_end_object(&w);
    }
    put_priority(s, &w, m);
    json_end_object(&w);
}

static void send(const void *conf, const struct notification *n, struct channel_result *result)
{
    const struct mattermost *m = conf;
    static const char *const headers[] = { "Content-Type: application/json" };
    struct channel_send s;
    channel_begin(&s, n, result);
    const char *url = channel_url(&s, &m->url);
    put_body(&s, m);
    channel_post(&s, &m->http, url, headers, 1);
    channel_end(&s);
}

const struct channel_kind channel_mattermost = { "mattermost_configs", "mattermost", true, read_conf, send };
