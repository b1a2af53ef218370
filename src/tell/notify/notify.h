/* notify.h - Alertmanager inside: alerts in, messages out, everything between on its own threads.
 *
 *     notify_start(&conf, &n, e);
 *     rules->sink = notify_sink(n);           alerts of our own rules
 *     notify_post(n, alerts, count);          alerts of others, from the API
 *     notify_reload(n, e);                    on failure the old configuration stays
 *
 * Threads: one that runs the dispatcher's clock, and a pool that sends. notify_lock gives the API a look at
 * the dispatcher; hold it shortly. */
#pragma once
#include "state/state.h"
#include "tell/notify/dispatch.h"

struct notify;

/* How the configuration is read, again at each reload. A reference is the caller's. */
struct notify_source {
    int (*read)(void *ctx, struct am_config **out, struct err *);
    void *ctx;
};

/* The live call graph, for cascades. Asked now and then while alerts are known, from a thread that may wait.
 */
struct notify_calls {
    int (*read)(void *ctx, int64_t now_ms, struct call_graph **out, struct err *); /* NULL: none */
    void *ctx;
};

/* The Alertmanagers outside that alerts go to as well, for the API. */
struct notify_outside {
    void (*each)(void *ctx, void (*visit)(const char *url, void *), void *visit_ctx); /* NULL: none */
    void *ctx;
};

struct notify_conf {
    struct notify_source source;
    struct state *state; /* NULL: all in memory */
    const char *external_url;
    size_t threads; /* that send; 0 = 24 */
    struct notify_calls calls;
    struct dispatch_changed changed; /* see may be NULL */
    struct notify_outside outside;
};

int notify_start(const struct notify_conf *, struct notify **out, struct err *);
void notify_stop(
    struct notify *); /* NULL is fine. Messages under way are finished, waiting ones stay unlogged */
int notify_reload(struct notify *, struct err *);

struct alert_sink notify_sink(struct notify *); /* quick: they are taken over by the clock's thread */
/* On disk when it returns, unless the disk refuses. Alerts are as in dispatch_put. */
void notify_post(struct notify *, const struct alert *, size_t n);

struct dispatch *notify_lock(struct notify *);
void notify_unlock(struct notify *);
struct silences *notify_silences(struct notify *);
struct track *notify_track(struct notify *);
void notify_each_outside(const struct notify *, void (*visit)(const char *url, void *), void *ctx);
struct str notify_external_url(const struct notify *);
