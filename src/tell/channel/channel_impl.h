/* channel_impl.h - what the channels share: how their configuration is read, and one send from its beginning
 * to its verdict. Not for others.
 *
 *     static void send(const void *conf, const struct notification *n, struct channel_result *result)
 *     {
 *         struct channel_send s;
 *         channel_begin(&s, n, result);
 *         ... write a body into s.body, read secrets with channel_secret ...
 *         channel_post(&s, &conf->http, url, headers, n_headers);
 *         channel_end(&s);
 *     }
 *
 * Errors are sticky: after channel_fail nothing is sent, so that a channel reads straight down.
 *
 * Always true: no secret that channel_secret has handed out is in result->error, nor a long part of one. */
#pragma once
#include "base/json.h"
#include "base/yaml_read.h"
#include "net/http_conf.h"
#include "tell/channel/channel.h"
#include "tell/channel/template.h"

#define CHANNEL_SECRETS_MAX 8
#define CHANNEL_BODY_MAX    (4u << 20)

/* ---- configuration ---- */

struct secret { /* one of the two; both NULL: not given */
    const char *text, *file;
};

struct channel_http {
    struct http_client_conf conf;
    const struct outbound *outbound;
    int64_t timeout_ms; /* of one attempt, when less than the notification's; 0: not said */
};

void channel_reader(struct reader *, const struct channel_defaults *, struct arena *, struct err *);
/* key and key_file, of the map or else of `global` under global_key (NULL: not there). */
void channel_read_secret(struct reader *, struct yaml *map, const char *key, const struct channel_defaults *,
                         const char *global_key, struct secret *out);
/* The same, and it must be there, and be an http or https URL unless it is in a file or a template. */
void channel_read_url(struct reader *, struct yaml *map, const char *key, const struct channel_defaults *,
                      const char *global_key, struct secret *out);
/* http_config of the map, or else of `global`. Redirects are never followed. */
void channel_read_http(struct reader *, struct yaml *map, const struct channel_defaults *,
                       struct channel_http *out);
/* `timeout`; 0 is none, as Alertmanager has it. */
void channel_read_timeout(struct reader *, struct yaml *map, struct channel_http *);
/* A text that is a template: it is read once, to be sure that it can be. *out keeps its default when absent.
 */
void channel_read_template(struct reader *, struct yaml *map, const char *key, const char **out);
static inline bool secret_is_given(const struct secret *s)
{
    return s->text != NULL || s->file != NULL;
}

/* ---- one send ---- */

struct channel_send {
    const struct notification *n;
    struct channel_result *result;
    struct arena arena;
    struct tvalue data; /* of templates; TV_NIL until the first one */
    struct buf body, answer;
    char answer_type[64];
    bool failed;
    struct str secrets[CHANNEL_SECRETS_MAX];
    size_t n_secrets;
};

void channel_begin(struct channel_send *, const struct notification *, struct channel_result *);
void channel_end(struct channel_send *);
void channel_fail(struct channel_send *, enum channel_outcome, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "" when none is given or it could not be read, which fails the send. */
const char *channel_secret(struct channel_send *, const struct secret *);

/* A template of the configuration, run; NULL is "". What fails, fails the send for good. */
struct str channel_text(struct channel_send *, const char *text);
struct str channel_html(struct channel_send *, const char *text);
/* Its key and text into an object that is open, unless the text is empty. */
void channel_put(struct channel_send *, struct json_writer *, const char *key, const char *text);
/* The same of a URL that is a secret and may be a template; terminated. */
const char *channel_url(struct channel_send *, const struct secret *);

/* Sends s->body and judges the answer, whose body is then in s->answer: 2xx is CHANNEL_SENT; a network's
 * failure, 5xx and 429 CHANNEL_RETRY; anything else CHANNEL_FAILED. */
void channel_post(struct channel_send *, const struct channel_http *, const char *url,
                  const char *const *headers, size_t n_headers);
void channel_request(struct channel_send *, const struct channel_http *, const char *method, const char *url,
                     const char *const *headers, size_t n_headers, int64_t timeout_ms);

/* ---- what is told ---- */

/* A notification as receivers see it, of the first max_alerts alerts (0: all): status and what is common are
 * those of the shown, as Alertmanager has it. */
struct channel_view {
    struct str receiver; /* as Go's regexp.QuoteMeta writes it, which is what Alertmanager sends */
    const char *status;  /* "firing" or "resolved" */
    const struct alert *alerts;
    size_t n, n_truncated;
    struct labels common_labels, common_annotations;
};

struct channel_view channel_view(const struct notification *, uint64_t max_alerts, struct arena *);

/* ---- texts ---- */

/* 2026-11-21T10:00:00.5Z; year 1 for 0, which is how Go prints a time that is not set. */
struct str channel_time(struct arena *, int64_t ms);
/* The first `most` characters of UTF-8, the last of them "…" when it was longer. */
struct str channel_cut(struct arena *, struct str, size_t most);
struct str channel_cut_bytes(struct arena *, struct str, size_t most); /* the same in bytes */
/* Hexadecimal SHA-256: how vendors want a group's key. */
struct str channel_sha256(struct arena *, struct str);
struct str channel_hmac_sha256(struct arena *, struct str key, struct str text);

extern const struct channel_kind channel_webhook, channel_slack, channel_email, channel_pagerduty,
    channel_opsgenie, channel_msteams, channel_msteamsv2, channel_discord, channel_telegram,
    channel_mattermost;
