/* channel.h - a kind of receiver: how one group of alerts becomes a message at Slack, a webhook, a mailbox.
 *
 * notify/ decides who is told what and when; a channel turns a notification into bytes and sends it once. It
 * never retries, never blocks for longer than `timeout_ms`, never follows a redirect, and reaches no address
 * that net/outbound.h refuses.
 *
 *     const struct channel_kind *k = channel_kind("webhook_configs");
 *     void *conf;
 *     k->read(map, &defaults, &arena, &conf, &e);           once, when the configuration is loaded
 *     k->send(conf, &notification, &result);                any number of times, any thread
 *
 * Threads: a conf never changes after read; send may run on any number of threads at once. */
#pragma once
#include "base/yaml.h"
#include "model/alert.h"

struct notify_templates; /* template.h of this folder: Alertmanager's templates, ours and the user's */
struct outbound;         /* net/outbound.h: which addresses may be reached */

/* What the `global` section gives to receivers that do not say it themselves. Borrowed. */
struct channel_defaults {
    struct yaml *global; /* NULL: none */
    struct str base_dir; /* relative file names start here */
    const struct outbound *outbound;
};

/* One message to one integration of one receiver. */
struct notification {
    struct str receiver, group_key;
    struct labels group_labels, common_labels, common_annotations, route_labels;
    const struct alert *alerts; /* firing first; of a group, as many as the integration may show */
    size_t n, n_firing, n_truncated;
    int64_t now_ms;
    int64_t timeout_ms;
    struct str external_url;
    const char *reason; /* why now: "first", "new alerts", "resolved", "repeat", "escalation" */
    const struct notify_templates *templates;
};

enum channel_outcome {
    CHANNEL_SENT,
    CHANNEL_RETRY, /* network, 5xx, 429: may work later */
    CHANNEL_FAILED /* the receiver says no: asking again is of no use */
};

struct channel_result {
    enum channel_outcome outcome;
    int64_t retry_after_ms; /* what the receiver asked for; 0: nothing */
    long status;            /* HTTP or SMTP; 0: none came */
    char error[256];        /* never with a secret in it */
};

struct channel_kind {
    const char *key, *name; /* "webhook_configs", "webhook" */
    bool sends_resolved;    /* when the configuration does not say */
    /* Every key that Alertmanager knows is known here; secrets may be given by *_file. ERR_PARSE with
     * line and key. send_resolved is read by notify/. */
    int (*read)(struct yaml *map, const struct channel_defaults *, struct arena *, void **conf, struct err *);
    void (*send)(const void *conf, const struct notification *, struct channel_result *);
};

/* NULL: a kind that is not ours. */
const struct channel_kind *channel_kind(struct str key);
/* Kinds that Alertmanager has and we load with a warning but do not send: victorops, pushover, ... */
bool channel_is_foreign(struct str key);
