/* notify_glue.h - notifications plugged into the server: the sections of the configuration that concern them,
 * the state file, the API's routes, and the sink for our rules' alerts.
 *
 *     alertmanager_config: FILE      an Alertmanager configuration, relative to this file; or its text in
 * line outbound: {allow_private: true, allow_networks: [10.0.0.0/8]} alerting: {alertmanagers: [...]} our
 * rules' alerts go to those as well
 *     actions: {...}                 what alerts set off (tell/notify/action_conf.h)
 *
 * Threads: open, reload and close from one thread at a time; the sink from any. */
#pragma once
#include <pthread.h>

#include "net/outbound.h"
#include "tell/api_am.h"
#include "tell/notify/actions.h"
#include "tell/notify/forward.h"

struct notify_glue_source { /* one of them, or neither */
    char *file;             /* the Alertmanager's */
    char *in_line;          /* the main configuration's text, which holds the Alertmanager's */
};

struct notify_glue {
    struct arena arena;
    const char *file; /* the main configuration; "" none, NULL: not open */
    struct notify_glue_source from;
    struct outbound *outbound;
    struct outbound *past[64]; /* of earlier configurations: messages under way may still ask them */
    size_t n_past;
    struct state *state;
    struct actions *actions;
    struct notify *notify;
    struct am_api api;
    struct http_route *below_am;
    pthread_mutex_t mu;
    struct forward *forward; /* under mu */
};

struct notify_glue_conf {
    const char *config; /* path of the main configuration; "" none */
    struct yaml *root;  /* and its tree; NULL: none */
    struct str text;    /* and its text */
    const char *data_dir, *external_url, *version;
    struct work_pool *pool; /* of API requests */
    int64_t started_ms;
    struct store *store; /* the call graph is read from it */
};

int notify_glue_check(struct yaml *root, const char *path, struct err *); /* are the sections well formed? */
int notify_glue_open(struct notify_glue *, const struct notify_glue_conf *, struct err *);
void notify_glue_routes(struct notify_glue *, struct http_server *, struct arena *names);
/* The main configuration was read again. On failure the old one stays. */
int notify_glue_reload(struct notify_glue *, struct yaml *root, struct str text, struct err *);
struct alert_sink notify_glue_sink(struct notify_glue *);
void notify_glue_close(struct notify_glue *); /* a glue of zeros is fine */
