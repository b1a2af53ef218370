/* dispatch.h - from alerts to messages that are due: what is active, sorted into groups, each with its clock.
 *
 *     dispatch_put(d, alerts, n, now)            an alert is merged with what is known of it and joins its
 * groups next = dispatch_run(d, now)                groups whose time has come are flushed into deliveries
 *     while ((m = dispatch_take(d))) ...         a delivery to be sent (delivery.h), by any thread
 *     dispatch_done(d, m, &result, now)          told, or to be tried again, or given up
 *
 * A group waits group_wait, then is flushed every group_interval. A flush asks of each alert whether it is
 * muted (inhibited, out of its route's times, silenced, in maintenance, flapping), asks the notification log
 * whether there is news for each integration, and makes one delivery for each that has some.
 *
 * Always true:
 *   1. A group has at most one flush under way; the next waits for it. So one group's messages to one
 *      integration are sent in order.
 *   2. A resolved alert leaves its group only after a flush all of whose deliveries were told, and only if it
 *      has not come back meanwhile.
 *   3. Nothing here reads a clock: time is an argument, and hours pass in a test as quickly as it likes.
 *
 * Threads: none; the owner locks. */
#pragma once
#include "tell/notify/cascade.h"
#include "tell/notify/delivery.h"
#include "tell/notify/fp_table.h"
#include "tell/notify/held.h"
#include "tell/notify/inhibit.h"
#include "tell/notify/nflog.h"
#include "tell/notify/silences.h"
#include "tell/notify/timer_heap.h"
#include "tell/notify/track.h"

#define DISPATCH_ALERTS_MAX 200000
#define DISPATCH_LANE_MAX   8 /* deliveries under way to one integration */

struct am_group {
    struct timer flush_timer, escalation_timer;
    uint64_t id; /* lives on over a reload */
    uint64_t table_key;
    const struct am_route *route;
    struct labels labels;
    struct str key;
    struct arena arena;     /* of labels and key */
    struct fp_table alerts; /* fingerprint -> held */
    bool has_flushed;
    size_t in_flight;      /* deliveries of the flush under way */
    bool is_late;          /* its time came while it was busy */
    bool has_failed;       /* one of them was given up */
    bool was_mute_by_time; /* at the last flush: for the API */
    struct held **flushed; /* resolved ones that leave when all were told */
    size_t n_flushed;
};

/* Who wants to know that an alert has begun to fire or resolved. Under the owner's lock: quick. */
struct dispatch_changed {
    void (*see)(void *ctx, struct held *, bool is_firing, int64_t now_ms);
    void *ctx;
};

struct dispatch {
    struct am_config *conf;
    struct nflog *nflog;
    struct silences *silences;
    struct track *track; /* acknowledgements and changes */
    struct inhibit *inhibit;
    struct fp_table alerts; /* fingerprint -> held: all that is known, resolved ones for a while */
    struct fp_table groups, groups_by_id;
    struct fp_table lanes; /* hash of an integration's key -> lane */
    struct timer_heap flushes, escalations, retries;
    uint64_t last_id;
    int64_t next_upkeep_ms, next_look_ms;
    size_t n_deliveries;
    uint64_t n_refused;       /* alerts beyond DISPATCH_ALERTS_MAX */
    struct call_graph *calls; /* NULL: not known */
    struct cascade *cascade;  /* of the alerts as they were at cascade_ms */
    bool cascade_is_old;
    int64_t cascade_ms;
    struct dispatch_changed changed; /* see may be NULL */
};

/* Takes a reference of conf. The others are borrowed. */
void dispatch_init(struct dispatch *, struct am_config *, struct nflog *, struct silences *, struct track *);
void dispatch_release(struct dispatch *);

/* starts_ms and updated_ms are set; ends_ms 0: the resolve_timeout. */
void dispatch_put(struct dispatch *, const struct alert *, size_t n, int64_t now_ms);
int64_t dispatch_run(struct dispatch *, int64_t now_ms); /* when to run again at the latest */
struct delivery *dispatch_take(struct dispatch *);       /* NULL: nothing may be sent now */
/* It was told: this goes into the notification log, before dispatch_done and without the lock. */
void dispatch_log(struct dispatch *, struct delivery *, int64_t now_ms);
void dispatch_done(struct dispatch *, struct delivery *, const struct channel_result *, int64_t now_ms);
void dispatch_reload(struct dispatch *, struct am_config *, int64_t now_ms); /* takes a reference */

/* The live call graph, taken over. */
void dispatch_calls(struct dispatch *, struct call_graph *);
/* What follows from what, of the alerts that fire now; NULL: no graph. Borrowed until the next call of any
 * function here. */
const struct cascade *dispatch_cascade(struct dispatch *, int64_t now_ms);
/* Is it an effect, and would this route keep it quiet? As of the last dispatch_cascade. */
bool dispatch_is_effect(const struct dispatch *, const struct am_route *, uint64_t fp);

/* The clock was set: all that waits waits as long as it did. */
void dispatch_shift(struct dispatch *, int64_t by_ms);

/* Why an alert is not told, of the reasons that do not depend on its route. Texts are borrowed. */
struct mute_reasons {
    bool is_inhibited, is_silenced, is_flapping;
    uint64_t inhibited_by;
    struct str maintenance; /* its name; empty: none */
};
bool dispatch_mute_reasons(const struct dispatch *, const struct held *, int64_t now_ms,
                           struct mute_reasons *);
/* The time interval that mutes a route now: empty when none does. is_inactive: none of its active ones holds.
 */
struct str dispatch_route_mute(const struct am_route *, int64_t now_ms, bool *is_inactive);
