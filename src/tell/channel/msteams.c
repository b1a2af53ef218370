/* msteams.c - Microsoft Teams: an adaptive card for a workflow's webhook (msteamsv2_configs). The old
 * connectors (msteams_configs) are gone at Microsoft's side; their configuration sends the same card. */
#include "base/check.h"
#include "tell/channel/channel_impl.h"

#define CARD_MAX  28000 /* bytes; what Teams takes of a message */
#define TITLE_MAX 1024

struct msteams {
    struct channel_http http;
    struct secret url;
    const char *title, *text, *summary;
};

static int read_for(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                    struct err *e, bool old)
{
    struct msteams *m = arena_zero(a, sizeof *m);
    struct reader r;
    channel_reader(&r, d, a, e);
    channel_read_http(&r, map, d, &m->http);
    channel_read_url(&r, map, "webhook_url", d, NULL, &m->url);
    m->title =
        old ? "{{ template \"msteams.default.title\" . }}" : "{{ template \"msteamsv2.default.title\" . }}";
    m->text =
        old ? "{{ template \"msteams.default.text\" . }}" : "{{ template \"msteamsv2.default.text\" . }}";
    channel_read_template(&r, map, "title", &m->title);
    channel_read_template(&r, map, "text", &m->text);
    if (old) channel_read_template(&r, map, "summary", &m->summary);
    *conf = m;
    return r.rc;
}

static int read_old(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                    struct err *e)
{
    return read_for(map, d, a, conf, e, true);
}

static int read_new(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                    struct err *e)
{
    return read_for(map, d, a, conf, e, false);
}

static void put_block(struct json_writer *w, struct str text, const char *color)
{
    json_begin_object(w);
    json_kv_cs(w, "type", "TextBlock");
    json_kv_string(w, "text", text);
    if (color != NULL) {
        json_kv_cs(w, "weight", "Bolder");
        json_kv_cs(w, "size", "Medium");
        json_kv_cs(w, "style", "heading");
        json_kv_cs(w, "color", color);
    }
    json_kv_bool(w, "wrap", true);
    json_end_object(w);
}

static void put_card(struct json_writer *w, struct str title, struct str text, bool firing)
{
    json_begin_object(w);
    json_kv_cs(w, "$schema", "http://adaptivecards.io/schemas/adaptive-card.json");
    json_kv_cs(w, "type", "AdaptiveCard");
    json_kv_cs(w, "version", "1.4");
    json_put_key(w, STR("body"));
    json_begin_array(w);
    put_block(w, title, firing ? "Attention" : "Good");
    put_block(w, text, NULL);
    json_end_array(w);
    json_put_key(w, STR("msteams"));
    json_begin_object(w);
    json_kv_cs(w, "width", "full");
    json_end_object(w);
    json_end_object(w);
}

static void put_body(struct channel_send *s, const struct msteams *m, size_t text_max)
{
    struct json_writer w;
    bool firing = str_is(str_of(channel_view(s->n, 0, &s->arena).status), "firing");
    struct str summary = channel_text(s, m->summary);
    buf_clear(&s->body);
    json_writer_init(&w, &s->body);
    json_begin_object(&w);
    json_kv_cs(&w, "type", "message");
    if (summary.n > 0) json_kv_string(&w, "summary", channel_cut(&s->arena, summary, TITLE_MAX));
    json_put_key(&w, STR("attachments"));
    json_begin_array(&w);
    json_begin_object(&w);
    json_kv_cs(&w, "contentType", "application/vnd.microsoft.card.adaptive");
    json_put_key(&w, STR("contentUrl"));
    json_put_null(&w);
    json_put_key(&w, STR("content"));
    put_card(&w, channel_cut(&s->arena, channel_text(s, m->title), TITLE_MAX),
             channel_cut_bytes(&s->arena, channel_text(s, m->text), text_max), firing);
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
}

static void send(const void *conf, const struct notification *n, struct channel_result *result)
{
    const struct msteams *m = conf;
    static const char *const headers[] = { "Content-Type: application/json" };
    struct channel_send s;
    channel_begin(&s, n, result);
    const char *url = channel_url(&s, &m->url);
    size_t text_max = CARD_MAX;
    put_body(&s, m, text_max);
    while (s.body.n > CARD_MAX && text_max > 100)
        put_body(&s, m, text_max = text_max * 3 / 4); /* escapes count, too */
    channel_post(&s, &m->http, url, headers, 1);
    channel_end(&s);
}

const struct channel_kind channel_msteams = { "msteams_configs", "msteams", true, read_old, send };
const struct channel_kind channel_msteamsv2 = { "msteamsv2_configs", "msteamsv2", true, read_new, send };
