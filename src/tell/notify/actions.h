/* actions.h - what an alert sets off by itself: a webhook or a command, with a record of everything that was
 * done, would have been done, or was left undone and why.
 *
 *     actions_open(state, &a, e);  actions_load(a, conf);  actions_attach(a, notify);
 *     dispatch.changed = { actions_see, a }
 *
 * Always true:
 *   1. Nothing is done unless the configuration says enabled, and of an action dry_run: false.
 *   2. An alert that is silenced, inhibited, in maintenance or flapping sets nothing off.
 *   3. Everything an action was asked for is in the audit, with its outcome, before another is begun by that
 * thread.
 *   4. A change of an alert sets each action off at most once; after a restart what fired before sets nothing
 * off.
 *
 * Threads: any. Two run actions; a queue that is full drops, and counts. */
#pragma once
#include "tell/notify/action_conf.h"
#include "tell/notify/notify.h"

#define ACTIONS_KEPT_MS (365ll * 86400000) /* audit */

struct actions;

int actions_open(struct state *, struct actions **out, struct err *);
void actions_load(struct actions *, struct action_conf *); /* takes the reference */
/* Whose alerts: asked whether they are muted. Before the first alert is seen, and until actions_stop. */
void actions_attach(struct actions *, struct notify *, struct str external_url);
void actions_stop(struct actions *);  /* what runs is killed, what waits is recorded as stopped */
void actions_close(struct actions *); /* NULL is fine */

/* For dispatch_changed: quick. ctx is a struct actions. */
void actions_see(void *ctx, struct held *, bool is_firing, int64_t now_ms);

struct action_event {
    int64_t at_ms, took_ms;
    struct str action, trigger, outcome, detail; /* trigger: firing, resolved; outcome: docs/alerting.md */
    uint64_t fp;
    struct labels labels;
};
struct actions_ask {
    int64_t from_ms, to_ms, limit;
    struct str action; /* empty: all */
};
/* Newest first. */
int actions_audit(struct actions *, const struct actions_ask *,
                  void (*visit)(const struct action_event *, void *), void *ctx, struct err *);
