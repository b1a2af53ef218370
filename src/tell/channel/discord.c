/* discord.c - Discord: a webhook's message with one embed. */
#include "base/check.h"
#include "tell/channel/channel_impl.h"

#define TITLE_MAX       256 /* characters, as are the others */
#define DESCRIPTION_MAX 4096
#define CONTENT_MAX     2000
#define USERNAME_MAX    80
#define RED             0x992D22
#define GREEN           0x2ECC71

struct discord {
    struct channel_http http;
    struct secret url;
    const char *content, *title, *message, *username, *avatar_url;
};

static int read_conf(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                     struct err *e)
{
    struct discord *c = arena_zero(a, sizeof *c);
    struct reader r;
    channel_reader(&r, d, a, e);
    channel_read_http(&r, map, d, &c->http);
    channel_read_url(&r, map, "webhook_url", d, NULL, &c->url);
    c->content = "{{ template \"discord.default.content\" . }}";
    c->title = "{{ template \"discord.default.title\" . }}";
    c->message = "{{ template \"discord.default.message\" . }}";
    channel_read_template(&r, map, "content", &c->content);
    channel_read_template(&r, map, "title", &c->title);
    channel_read_template(&r, map, "message", &c->message);
    channel_read_template(&r, map, "username", &c->username);
    channel_read_template(&r, map, "avatar_url", &c->avatar_url);
    *conf = c;
    return r.rc;
}

static struct str cut(struct channel_send *s, const char *text, size_t most)
{
    return channel_cut(&s->arena, channel_text(s, text), most);
}

static void put_body(struct channel_send *s, const struct discord *c)
{
    struct json_writer w;
    bool firing = str_is(str_of(channel_view(s->n, 0, &s->arena).status), "firing");
    json_writer_init(&w, &s->body);
    json_begin_object(&w);
    json_kv_string(&w, "content", cut(s, c->content, CONTENT_MAX));
    json_put_key(&w, STR("embeds"));
    json_begin_array(&w);
    json_begin_object(&w);
    json_kv_string(&w, "title", cut(s, c->title, TITLE_MAX));
    json_kv_string(&w, "description", cut(s, c->message, DESCRIPTION_MAX));
    json_kv_i64(&w, "color", firing ? RED : GREEN);
    json_end_object(&w);
    json_end_array(&w);
    struct str username = cut(s, c->username, USERNAME_MAX);
    if (username.n > 0) json_kv_string(&w, "username", username);
    channel_put(s, &w, "avatar_url", c->avatar_url);
    /* a label that reads @everyone wakes nobody */
    json_put_key(&w, STR("allowed_mentions"));
    json_put_raw(&w, STR("{\"parse\":[\"users\",\"roles\"]}"));
    json_end_object(&w);
}

static void send(const void *conf, const struct notification *n, struct channel_result *result)
{
    const struct discord *c = conf;
    static const char *const headers[] = { "Content-Type: application/json" };
    struct channel_send s;
    channel_begin(&s, n, result);
    const char *url = channel_url(&s, &c->url);
    put_body(&s, c);
    channel_post(&s, &c->http, url, headers, 1);
    channel_end(&s);
}

const struct channel_kind channel_discord = { "discord_configs", "discord", true, read_conf, send };
