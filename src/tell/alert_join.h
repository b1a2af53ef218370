/* alert_join.h - the alerts that have to do with a task, a correlation or traces, as JSON.
 *
 * An alert has to do with them when one of its labels or annotations says so: trace_id, traceID, traceId or
 * trace.id with the id in hex, or one of the names that are asked for with the very value. Those that are
 * known to the dispatcher now, and those of the history, of which only labels are kept. */
#pragma once
#include "base/json.h"
#include "tell/notify/notify.h"

#define ALERT_JOIN_MAX    200   /* alerts in an answer */
#define ALERT_CHANGES_MAX 20    /* of each, newest first */
#define ALERT_HISTORY_MAX 10000 /* changes looked at, newest first */

struct alert_join {
    const char *const *names; /* NULL: none */
    size_t n_names;
    struct str value;
    const uint8_t (*traces)[16];
    size_t n_traces;
    int64_t from_ms, to_ms; /* of the history */
};

/* The member "alerts". *truncated is set when there are more; NULL for notify: an empty list. */
int alert_join_json(struct json_writer *, struct notify *, const struct alert_join *, struct arena *,
                    bool *truncated, struct err *);
