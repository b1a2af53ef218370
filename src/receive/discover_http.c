/* discover_http.c - an HTTP server that answers with a JSON list of targets. */
#include "base/duration.h"
#include "receive/discover_impl.h"
#include "receive/scrape_request.h"

#define ANSWER_MAX (32u << 20)
#define TIMEOUT_MS 30000

static int take_answer(struct discover_source *s, struct http_fetched *got, struct err *e)
{
    struct discover_found *found = discover_found_new();
    struct label also = { STR("__meta_url"), str_of(s->conf->url) };
    struct str rest, type = str_trim(str_cut(str_of(got->content_type), ';', &rest));
    int rc = got->rc;
    if (rc < 0)
        rc = err_set(e, rc, "%s", got->error);
    else if (got->status != 200)
        rc = err_set(e, ERR_IO, "server returned HTTP status %ld", got->status);
    else if (!str_is_nocase(type, "application/json"))
        rc = err_set(e, ERR_PARSE, "unsupported content type \"%s\"", got->content_type);
    else
        rc = discover_parse_json(arena_str(&found->arena, buf_view(&got->body)), &also, found, e);
    if (rc == OK)
        discover_good(s, found);
    else
        discover_found_free(found);
    return rc;
}

static void answered(struct http_fetched *got, void *ctx)
{
    struct discover_source *s = ctx;
    struct err e = ERR_INIT;
    int64_t seconds;
    if (str_to_i64(str_of(got->refresh_interval), &seconds) && seconds > 0 && seconds < 86400) {
        pthread_mutex_lock(&s->mu);
        s->refresh_ms = seconds * 1000;
        pthread_mutex_unlock(&s->mu);
    }
    if (got->rc != ERR_CANCEL && take_answer(s, got, &e) < 0) discover_bad(s, s->conf->url, e.text);
    discover_unref(s);
}

void discover_http_ask(struct discover_source *s)
{
    struct arena arena = ARENA_INIT(4u << 20);
    struct http_fetch fetch;
    struct err e = ERR_INIT;
    struct buf seconds = BUF_INIT(128);
    buf_printf(&seconds, "X-Prometheus-Refresh-Interval-Seconds: %g", (double)s->conf->refresh_ms / 1e3);
    const char *headers[] = { "Accept: application/json", buf_cstr(&seconds) };
    int rc = http_conf_request(&s->conf->http, s->conf->url, headers, 2, NULL, &arena, &fetch, &e);
    fetch.accept_gzip = true;
    fetch.timeout_ms = TIMEOUT_MS;
    fetch.max_answer_bytes = ANSWER_MAX;
    if (rc == OK) rc = http_client_fetch(s->env.client, &fetch, answered, s, &e);
    if (rc < 0) {
        discover_bad(s, s->conf->url, e.text);
        discover_unref(s);
    }
    buf_release(&seconds);
    arena_release(&arena);
}
