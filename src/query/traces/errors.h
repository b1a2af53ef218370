/* errors.h - the errors of a stretch of time, out of spans and logs, the same ones together.
 *
 * An error is a span whose status is error, and a log record of severity ERROR or above. Its type, message
 * and stack come from the first of: the span's exception event, attributes exception.*, error.type and the
 * status message; of a log its body. */
#pragma once
#include "model/store.h"
#include "query/traces/fingerprint.h"

#define ERROR_GROUPS_MAX  2000
#define ERROR_SAMPLES_MAX 5
#define ERROR_ROWS_MAX    (200u << 10) /* looked at of each table, newest first */
#define ERROR_BUCKETS     30

struct error_group {
    struct hash128 fingerprint;
    struct str type, message, pattern, frames; /* message: of the newest; pattern: normalised */
    struct str service, operation;             /* of the newest */
    uint64_t spans, logs;
    int64_t first_ns, last_ns;
    unsigned severity; /* the highest; spans count as 17 */
    uint8_t traces[ERROR_SAMPLES_MAX][16];
    size_t n_traces;
    struct str services[ERROR_SAMPLES_MAX], correlations[ERROR_SAMPLES_MAX];
    size_t n_services, n_correlations;
    struct str tasks[ERROR_SAMPLES_MAX];
    size_t n_tasks;
    uint32_t over_time[ERROR_BUCKETS];
};

struct error_ask {
    int64_t from_ns, to_ns;
    struct str service, correlation; /* empty: any */
    unsigned min_severity;           /* of logs; 0: 17 */
    bool no_spans, no_logs;
};

struct error_report {
    struct error_group **at; /* most frequent first */
    size_t n;
    uint64_t spans, logs; /* errors in all */
    uint64_t not_grouped; /* of more kinds than ERROR_GROUPS_MAX */
    bool truncated;       /* there were more rows than are looked at */
};

int error_groups(struct store_view *, struct call *, const struct error_ask *, struct error_report *,
                 struct err *);
/* Attributes that may hold a correlation or task id, as a condition. */
const struct predicate *where_named(struct arena *, const char *const *names, size_t n, struct str value);
extern const char *const correlation_names[3], *const task_names[3];
