/* alert_states.h - the alerts of one rule, and how time and evidence move them. Pure: no clock, no store.
 *
 *              seen, for `for`                  gone, and keep_firing_for is over
 *     pending ----------------> firing --------------------------------------------> inactive
 *        |  gone                  ^ |                                                    |
 *        v                        +-+ gone, but kept firing                              v 15 minutes later
 *     forgotten                                                                       forgotten
 *
 * Always true:
 *   1. An alert is its labels. What is seen again keeps its begin; value and annotations are the newest.
 *   2. An inactive alert is one that fired: it is kept so that its end can be told again. Seen once more it
 *      begins anew.
 *   3. A step that fails because of duplicates changes nothing; one that exceeds the limit forgets all.
 *   4. On a partial answer nothing ends that was pending or firing.
 *
 * Threads: one at a time. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "model/labels.h"

#define ALERT_NEVER       INT64_MIN
#define ALERT_RESOLVED_MS (15 * 60000) /* an end is told for so long */

enum alert_phase { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING };

struct live_alert {
    struct hash128 id;
    struct labels labels, annotations; /* its own */
    double value;
    enum alert_phase phase;
    int64_t active_ms;                            /* when it was first seen */
    int64_t fired_ms, resolved_ms, kept_since_ms; /* or ALERT_NEVER */
    int64_t sent_ms, valid_until_ms;              /* of the last time it was told, or ALERT_NEVER */
    bool seen;                                    /* by the last step */
};

struct alert_states {
    struct live_alert **at; /* in the order they began */
    size_t n, cap;
    struct map by_id;
    bool is_indexed; /* by_id is of today */
};

struct alert_seen {    /* what an evaluation found, borrowed */
    struct hash128 id; /* labels_id of the labels */
    struct labels labels, annotations;
    double value;
};

struct alert_terms {
    int64_t for_ms, keep_firing_ms;
    uint64_t limit;  /* of alerts that are not inactive; 0 = none */
    bool is_partial; /* what is not seen may be hidden by damage: it stays as it was */
};

void alert_states_release(struct alert_states *);

/* ERR_EXEC: two of `seen` are one alert. ERR_LIMIT. */
int alert_states_step(struct alert_states *, const struct alert_terms *, const struct alert_seen *, size_t n,
                      int64_t at_ms, struct err *);

/* Is it to be told now: it has ended since it was told last, or resend_ms have passed. */
bool live_alert_is_due(const struct live_alert *, int64_t at_ms, int64_t resend_ms);

/* Everything of `from` that is not there yet; `from` is empty afterwards. */
void alert_states_take_over(struct alert_states *to, struct alert_states *from);

/* The most urgent phase of all. */
enum alert_phase alert_states_phase(const struct alert_states *);
const char *alert_phase_text(enum alert_phase); /* "inactive", "pending", "firing" */
