/* am_config.h - an Alertmanager configuration: who is told what, when, and what is left unsaid.
 *
 * Files are taken as they are, with strict keys. Some keys are ours and optional:
 *     route.escalations: [{delay: 10m, receiver: boss}]      told when nobody has acknowledged by then
 *     maintenance_windows: [{name, matchers, time_intervals: [names]}]
 *     flap_damping: {changes: 6, window: 10m}
 *     route.cascade: mark | suppress                         alerts that follow from others (cascade.h)
 *     cascade_detection: {window: 10m, hops: 3}
 *
 * Always true:
 *   1. A configuration never changes once loaded; whoever works with one holds a reference.
 *   2. Every name in a route (receiver, time interval) leads to something: pointers, not names.
 *
 * Threads: any. */
#pragma once
#include "tell/channel/channel.h"
#include "tell/notify/am_matchers.h"
#include "tell/notify/time_interval.h"

#define AM_CONFIG_BYTES_MAX (4u << 20)
#define AM_ROUTES_MAX       10000

struct am_receiver;

struct am_integration {              /* one way to reach a receiver */
    const struct channel_kind *kind; /* NULL: a kind we do not send to; counted, never asked */
    void *conf;
    bool send_resolved;
    size_t index; /* among those of its kind */
    const struct am_receiver *receiver;
    struct str kind_name, key; /* key: receiver/kind/index */
    _Atomic int in_flight;     /* deliveries under way: a slow receiver has few threads */
};

struct am_receiver {
    struct str name;
    struct am_integration *at;
    size_t n;
};

struct am_escalation {
    int64_t delay_ms; /* after the alert began to fire */
    const struct am_receiver *receiver;
};

struct am_route {
    const struct am_route *parent;
    struct am_route **children;
    size_t n_children;
    struct am_matchers matchers;
    const struct am_receiver *receiver;
    struct str *group_by; /* sorted */
    size_t n_group_by;
    bool group_by_all, continues;
    bool cascade_suppresses; /* effects are not told while their root fires */
    int64_t group_wait_ms, group_interval_ms, repeat_interval_ms;
    const struct time_interval **mute, **active;
    size_t n_mute, n_active;
    struct labels labels; /* told with the notification */
    const struct am_escalation *escalations;
    size_t n_escalations;
    struct str key; /* of all matchers from the root: how Alertmanager names it */
    size_t index;   /* in the order of the file */
};

struct am_inhibit_rule {
    struct str name;
    struct am_matchers source, target;
    struct str *equal;
    size_t n_equal;
};

struct am_maintenance {
    struct str name;
    struct am_matchers matchers;
    const struct time_interval **when;
    size_t n_when;
};

struct am_config {
    _Atomic int refs;
    struct arena arena;
    int64_t resolve_timeout_ms;
    struct am_route *root;
    struct am_route **routes; /* all, by index */
    size_t n_routes, n_receivers, n_inhibit, n_intervals, n_maintenance, n_foreign;
    struct am_receiver *receivers;
    struct am_inhibit_rule *inhibit;
    struct time_interval *intervals;
    struct am_maintenance *maintenance;
    uint64_t flap_changes; /* 0: none */
    int64_t flap_window_ms;
    int64_t cascade_window_ms;
    unsigned cascade_hops;
    struct str *template_files; /* patterns, absolute or from the working directory */
    size_t n_template_files;
    struct notify_templates *templates; /* NULL: none */
    void (*free_templates)(struct notify_templates *);
    struct str original; /* as YAML, without secrets and without our own keys */
};

struct am_load {
    const char *name; /* of the file, for errors */
    const char *base_dir;
    const char *section; /* the key of a larger file that holds the configuration; NULL: the file is it */
    const struct outbound *outbound;
    const struct channel_kind *(*kind)(struct str key); /* channel_kind, or a test's own */
    bool (*is_foreign)(struct str key);
};

/* Takes the text. ERR_PARSE, ERR_FIND, ERR_LIMIT: "file:line: ...". A reference is yours. */
int am_config_parse(struct str text, const struct am_load *, struct am_config **out, struct err *);
/* What a server without a file has: one route to a receiver that nobody listens to. */
struct am_config *am_config_empty(void);
struct am_config *am_config_ref(struct am_config *);
void am_config_unref(struct am_config *); /* NULL is fine */

const struct am_receiver *am_config_receiver(const struct am_config *, struct str name);

/* The routes an alert with these labels takes, in order, at most max; returns how many there are. */
size_t am_route_walk(const struct am_config *, struct labels, const struct am_route **out, size_t max);
