/* channel_send.c - one send: secrets read, a request made, its answer judged, and the verdict put into words
 * that hold no secret. */
#include <gnutls/crypto.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "query/template_time.h"
#include "tell/channel/channel_impl.h"

#define SEND_MEMORY      (64u << 20)
#define ANSWER_MAX       (256u << 10)
#define SHOWN_OF_ANSWER  120
#define SECRET_PIECE_MIN 8 /* a piece of a URL shorter than this is no secret */

void channel_begin(struct channel_send *s, const struct notification *n, struct channel_result *result)
{
    *result = (struct channel_result){ .outcome = CHANNEL_SENT };
    *s = (struct channel_send){ .n = n,
                                .result = result,
                                .arena = ARENA_INIT(SEND_MEMORY),
                                .body = BUF_INIT(CHANNEL_BODY_MAX),
                                .answer = BUF_INIT(ANSWER_MAX) };
}

void channel_fail(struct channel_send *s, enum channel_outcome outcome, const char *fmt, ...)
{
    if (s->failed) return;
    va_list args;
    s->failed = true;
    s->result->outcome = outcome;
    va_start(args, fmt);
    vsnprintf(s->result->error, sizeof s->result->error, fmt, args);
    va_end(args);
}

/* ---- secrets ---- */

const char *channel_secret(struct channel_send *s, const struct secret *from)
{
    struct err e = ERR_INIT;
    const char *text = from->text ? from->text : "";
    if (http_conf_secret(from->file, &text, &s->arena, &e) < 0) channel_fail(s, CHANNEL_RETRY, "%s", e.text);
    check(s->n_secrets < CHANNEL_SECRETS_MAX);
    s->secrets[s->n_secrets++] = str_of(text);
    return text;
}

/* ---- templates ---- */

static struct str run_template(struct channel_send *s, const char *text, bool html)
{
    struct buf out = BUF_INIT(CHANNEL_BODY_MAX);
    struct err e = ERR_INIT;
    struct str made = STR("");
    if (s->failed || text == NULL || *text == 0) return made;
    if (s->data.type == TV_NIL) s->data = notify_template_data(s->n, 0, &s->arena);
    if (notify_template_run(s->n->templates, str_of(text), s->data, s->n->now_ms, html, &s->arena, &out, &e) <
        0)
        channel_fail(s, CHANNEL_FAILED, "%s", e.text);
    else
        made = arena_str(&s->arena, buf_view(&out));
    buf_release(&out);
    return made;
}

struct str channel_text(struct channel_send *s, const char *text)
{
    bool plain = text == NULL || strstr(text, "{{") == NULL;
    return plain ? (text ? str_of(text) : STR("")) : run_template(s, text, false);
}

struct str channel_html(struct channel_send *s, const char *text)
{
    return run_template(s, text, true);
}

void channel_put(struct channel_send *s, struct json_writer *w, const char *key, const char *text)
{
    struct str made = channel_text(s, text);
    if (made.n > 0) json_kv_string(w, key, made);
}

const char *channel_url(struct channel_send *s, const struct secret *from)
{
    const char *url = channel_secret(s, from);
    if (strstr(url, "{{") == NULL) return url;
    struct str made = channel_text(s, url);
    s->secrets[s->n_secrets - 1] = made;
    return made.p;
}

/* ---- words without secrets ---- */

static void blot(char *text, struct str secret)
{
    char *at = text;
    size_t left = strlen(text);
    if (secret.n == 0) return;
    for (char *found; (found = memmem(at, left, secret.p, secret.n)) != NULL;) {
        memset(found, '*', secret.n);
        left -= (size_t)(found - at) + secret.n;
        at = found + secret.n;
    }
}

/* As a whole, and of URLs each longer piece: a server may well quote the last part of a path. The host stays.
 */
static void blot_pieces(char *text, struct str secret)
{
    const char *scheme = memmem(secret.p, secret.n, "://", 3);
    blot(text, secret);
    if (scheme == NULL) return;
    struct str rest = str_make(scheme + 3, secret.n - (size_t)(scheme + 3 - secret.p)), path;
    struct str host = str_cut(rest, '/', &path);
    const char *at = memrchr(host.p, '@', host.n);
    if (at != NULL) blot(text, str_make(host.p, (size_t)(at - host.p)));
    for (size_t i = 0, from = 0; i <= path.n; i++) {
        if (i < path.n && strchr("/?&=#", path.p[i]) == NULL) continue;
        if (i - from >= SECRET_PIECE_MIN) blot(text, str_make(path.p + from, i - from));
        from = i + 1;
    }
}

static void one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) *text = ' ';
}

void channel_end(struct channel_send *s)
{
    for (size_t i = 0; i < s->n_secrets; i++) blot_pieces(s->result->error, s->secrets[i]);
    one_line(s->result->error);
    buf_release(&s->body);
    buf_release(&s->answer);
    arena_release(&s->arena);
}

/* ---- a request ---- */

static void judge_status(struct channel_send *s, long status, int64_t retry_after_ms)
{
    struct str said = buf_view(&s->answer);
    if (status / 100 == 2) return;
    if (said.n > SHOWN_OF_ANSWER) said = channel_cut(&s->arena, said, SHOWN_OF_ANSWER);
    s->result->retry_after_ms = retry_after_ms;
    if (status / 100 == 3)
        return channel_fail(s, CHANNEL_FAILED, "answered with HTTP status %ld: redirects are not followed",
                            status);
    channel_fail(s, status / 100 == 5 || status == 429 ? CHANNEL_RETRY : CHANNEL_FAILED,
                 "answered with HTTP status %ld%s%.*s", status, said.n ? ": " : "", STR_ARG(said));
}

static void judge(struct channel_send *s, struct http_fetched *got)
{
    s->result->status = got->status;
    s->answer = got->body;
    got->body = (struct buf)BUF_INIT(0);
    snprintf(s->answer_type, sizeof s->answer_type, "%.*s", (int)sizeof s->answer_type - 1,
             got->content_type);
    if (got->rc == OK || (got->rc == ERR_LIMIT && got->status > 0)) /* too long an answer is an answer */
        judge_status(s, got->status, got->retry_after_ms);
    else
        channel_fail(s, got->rc == ERR_RANGE ? CHANNEL_FAILED : CHANNEL_RETRY, "%s",
                     got->error[0] ? got->error : "the request cannot be made: its URL or a header is wrong");
}

void channel_request(struct channel_send *s, const struct channel_http *http, const char *method,
                     const char *url, const char *const *headers, size_t n_headers, int64_t timeout_ms)
{
    struct http_fetch f;
    struct http_fetched got = { 0 };
    struct err e = ERR_INIT;
    if (s->body.full || arena_over(&s->arena)) channel_fail(s, CHANNEL_FAILED, "the message is too large");
    if (s->failed) return;
    if (http_conf_request(&http->conf, url, headers, n_headers, http->outbound, &s->arena, &f, &e) < 0)
        return channel_fail(s, CHANNEL_RETRY, "%s", e.text);
    f.method = method;
    f.body = buf_view(&s->body);
    f.timeout_ms = (unsigned)MIN(MAX(timeout_ms, 1), 86400000);
    f.max_answer_bytes = ANSWER_MAX;
    if (http_fetch_now(&f, &got, NULL) < 0 && got.rc == OK) got.rc = ERR_IO;
    judge(s, &got);
}

void channel_post(struct channel_send *s, const struct channel_http *http, const char *url,
                  const char *const *headers, size_t n_headers)
{
    int64_t most_ms = s->n->timeout_ms;
    if (http->timeout_ms > 0) most_ms = MIN(most_ms, http->timeout_ms);
    channel_request(s, http, "POST", url, headers, n_headers, most_ms);
}

/* ---- texts ---- */

struct str channel_time(struct arena *a, int64_t ms)
{
    struct buf b = BUF_INIT(128);
    if (ms == 0) return STR("0001-01-01T00:00:00Z");
    time_format(&b, STR("2006-01-02T15:04:05.999Z07:00"), ms * 1000000, 0);
    struct str out = arena_str(a, buf_view(&b));
    buf_release(&b);
    return out;
}

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

struct str channel_cut(struct arena *a, struct str text, size_t most)
{
    size_t n = 0, keep = 0; /* keep: bytes of the first most - 1 characters */
    for (size_t i = 0; i < text.n; i++) {
        if (!begins_character(text.p[i])) continue;
        if (n + 1 == most) keep = i;
        if (n++ == most) return arena_printf(a, "%.*s…", (int)keep, text.p);
    }
    return text;
}

struct str channel_cut_bytes(struct arena *a, struct str text, size_t most)
{
    static const size_t dots = sizeof "…" - 1;
    size_t keep = most > dots ? most - dots : 0;
    if (text.n <= most) return text;
    while (keep > 0 && !begins_character(text.p[keep])) keep--;
    return most < dots ? str_make(text.p, 0) : arena_printf(a, "%.*s…", (int)keep, text.p);
}

static struct str hex(struct arena *a, const unsigned char *p, size_t n)
{
    char *out = arena_alloc(a, 2 * n + 1);
    for (size_t i = 0; i < n; i++) snprintf(out + 2 * i, 3, "%02x", p[i]);
    return str_make(out, 2 * n);
}

struct str channel_sha256(struct arena *a, struct str text)
{
    unsigned char sum[32];
    check(gnutls_hash_fast(GNUTLS_DIG_SHA256, text.p, text.n, sum) == 0);
    return hex(a, sum, sizeof sum);
}

struct str channel_hmac_sha256(struct arena *a, struct str key, struct str text)
{
    unsigned char sum[32];
    check(gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.p, key.n, text.p, text.n, sum) == 0);
    return hex(a, sum, sizeof sum);
}
