/* toy_channel.h - a channel that writes down what it was told, and a configuration that uses it. */
#pragma once
#include "tell/notify/am_config.h"

struct told {
    char receiver[64], key[256], reason[32],
        alerts[512]; /* alerts: "+a +b -c", firing and resolved by name */
    int64_t now_ms;
};

#define TOLD_MAX 4096
static struct told told[TOLD_MAX];
static size_t n_told;
static enum channel_outcome toy_outcome = CHANNEL_SENT;

static int toy_read(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                    struct err *e)
{
    struct str url = STR("");
    (void)d;
    *conf = arena_alloc(a, 1);
    return yaml_str(yaml_get(map, "url"), &url, e);
}

static void toy_send(const void *conf, const struct notification *n, struct channel_result *r)
{
    struct told *t = &told[n_told++ % TOLD_MAX];
    size_t at = 0;
    (void)conf;
    *t = (struct told){ .now_ms = n->now_ms };
    snprintf(t->receiver, sizeof t->receiver, "%.*s", STR_ARG(n->receiver));
    snprintf(t->key, sizeof t->key, "%.*s", STR_ARG(n->group_key));
    snprintf(t->reason, sizeof t->reason, "%s", n->reason);
    for (size_t i = 0; i < n->n; i++) {
        struct str name = labels_get(n->alerts[i].labels, "alertname");
        at += (size_t)snprintf(t->alerts + at, sizeof t->alerts - at, "%s%c%.*s", i ? " " : "",
                               i < n->n_firing ? '+' : '-', STR_ARG(name));
    }
    r->outcome = toy_outcome;
}

static const struct channel_kind toy_kind = { "webhook_configs", "webhook", true, toy_read, toy_send };

static inline const struct channel_kind *toy_find(struct str key)
{
    return str_is(key, "webhook_configs") ? &toy_kind : NULL;
}

static inline bool toy_foreign(struct str key)
{
    return str_is(key, "pushover_configs");
}

static inline int toy_config(const char *text, struct am_config **out, struct err *e)
{
    struct am_load load = { "am.yml", "/etc/am", NULL, NULL, toy_find, toy_foreign };
    return am_config_parse(str_of(text), &load, out, e);
}
