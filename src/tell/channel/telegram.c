/* telegram.c - Telegram: sendMessage of its bots. The token is part of the URL, so no URL is ever shown. */
#include "base/check.h"
#include "tell/channel/channel_impl.h"

#define MESSAGE_MAX 4096 /* characters, after entities are parsed; markup counts here as well */

struct telegram {
    struct channel_http http;
    struct secret token, chat_id;
    const char *url, *message, *parse_mode;
    int64_t thread_id;
    bool silent;
};

static void read_parse_mode(struct reader *r, struct yaml *map, struct telegram *t)
{
    static const char *const modes[] = { "", "Markdown", "MarkdownV2", "HTML" };
    t->parse_mode = "HTML";
    read_cstr(r, map, "parse_mode", &t->parse_mode);
    for (size_t i = 0; i < COUNT(modes); i++)
        if (strcmp(t->parse_mode, modes[i]) == 0) return;
    read_fail(r, map->line, "parse_mode: none of Markdown, MarkdownV2, HTML or empty");
}

static void read_chat(struct reader *r, struct yaml *map, const struct channel_defaults *d,
                      struct telegram *t)
{
    int64_t id;
    channel_read_secret(r, map, "chat_id", d, NULL, &t->chat_id);
    if (!secret_is_given(&t->chat_id)) read_fail(r, map->line, "chat_id or chat_id_file is missing");
    if (t->chat_id.text != NULL && (!str_to_i64(str_of(t->chat_id.text), &id) || id == 0))
        read_fail(r, map->line, "chat_id: expected a whole number");
}

static int read_conf(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                     struct err *e)
{
    struct telegram *t = arena_zero(a, sizeof *t);
    struct reader r;
    uint64_t thread = 0;
    channel_reader(&r, d, a, e);
    channel_read_http(&r, map, d, &t->http);
    channel_read_secret(&r, map, "bot_token", d, "telegram_bot_token", &t->token);
    if (!secret_is_given(&t->token)) read_fail(&r, map->line, "bot_token or bot_token_file is missing");
    t->url = "https://api.telegram.org";
    if (d->global != NULL) read_cstr(&r, d->global, "telegram_api_url", &t->url);
    read_cstr(&r, map, "api_url", &t->url);
    if (!http_url_is_web(t->url)) read_fail(&r, map->line, "api_url: expected an http or https URL");
    read_chat(&r, map, d, t);
    read_count(&r, map, "message_thread_id", &thread);
    t->thread_id = (int64_t)thread;
    t->message = "{{ template \"telegram.default.message\" . }}";
    channel_read_template(&r, map, "message", &t->message);
    read_flag(&r, map, "disable_notifications", &t->silent);
    read_parse_mode(&r, map, t);
    channel_read_timeout(&r, map, &t->http);
    *conf = t;
    return r.rc;
}

/* HTML that was cut would no longer be well formed: then the text without its markup is sent. */
static struct str message_of(struct channel_send *s, const struct telegram *t, const char **mode)
{
    *mode = t->parse_mode;
    if (strcmp(t->parse_mode, "HTML") != 0)
        return channel_cut(&s->arena, channel_text(s, t->message), MESSAGE_MAX);
    struct str page = channel_html(s, t->message);
    if (channel_cut(&s->arena, page, MESSAGE_MAX).n == page.n) return page;
    *mode = "";
    return channel_cut(&s->arena, channel_text(s, t->message), MESSAGE_MAX);
}

static void put_body(struct channel_send *s, const struct telegram *t)
{
    struct json_writer w;
    const char *mode;
    struct str message = message_of(s, t, &mode);
    json_writer_init(&w, &s->body);
    json_begin_object(&w);
    json_kv_cs(&w, "chat_id", channel_secret(s, &t->chat_id));
    json_kv_string(&w, "text", message);
    if (*mode) json_kv_cs(&w, "parse_mode", mode);
    json_kv_bool(&w, "disable_web_page_preview", true);
    json_kv_bool(&w, "disable_notification", t->silent);
    if (t->thread_id > 0) json_kv_i64(&w, "message_thread_id", t->thread_id);
    json_end_object(&w);
}

/* 429 says in its body how long to wait. */
static void take_wait(struct channel_send *s)
{
    const char *found = s->answer.n ? memmem(s->answer.p, s->answer.n, "\"retry_after\":", 14) : NULL;
    int64_t seconds = 0;
    if (found == NULL || s->result->retry_after_ms > 0) return;
    for (found += 14; found < s->answer.p + s->answer.n && seconds < 86400; found++)
        if (*found >= '0' && *found <= '9')
            seconds = seconds * 10 + (*found - '0');
        else if (*found != ' ')
            break;
    s->result->retry_after_ms = seconds * 1000;
}

static void send(const void *conf, const struct notification *n, struct channel_result *result)
{
    const struct telegram *t = conf;
    static const char *const headers[] = { "Content-Type: application/json" };
    struct channel_send s;
    channel_begin(&s, n, result);
    const char *token = channel_secret(&s, &t->token);
    const char *slash = str_ends(str_of(t->url), "/") ? "" : "/";
    put_body(&s, t);
    channel_post(&s, &t->http, arena_printf(&s.arena, "%s%sbot%s/sendMessage", t->url, slash, token).p,
                 headers, 1);
    take_wait(&s);
    channel_end(&s);
}

const struct channel_kind channel_telegram = { "telegram_configs", "telegram", true, read_conf, send };
