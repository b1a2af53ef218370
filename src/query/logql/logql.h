/* logql.h - runs LogQL over a store: the one way in for the Loki API, rules, pages and the command line.
 *
 * A log query gives streams of lines, a metric query gives series. Metric queries are one evaluator for
 * instant and range, as in PromQL. Threads: any. */
#pragma once
#include "base/work.h"
#include "model/store.h"
#include "query/promql/engine.h"

struct logql;

struct logql_conf {
    int64_t timeout_ms;      /* 0 = 2 min */
    size_t max_memory_bytes; /* of one query; 0 = 512 MiB */
    size_t max_entries;      /* of a log query's answer; 0 = 5000 */
    uint64_t max_series;     /* of a metric query's answer; 0 = 10000 */
    size_t max_concurrent;   /* 0 = 20 */
};

struct logql *logql_new(struct store *, struct work_pool *, const struct logql_conf *);
void logql_free(struct logql *);

struct logql_request {
    struct str text;
    int64_t start_ns,
        end_ns;      /* log queries: [start, end); metric queries: steps at start, start + step, ... <= end */
    int64_t step_ns; /* 0: an instant query at end_ns */
    int64_t interval_ns; /* log queries: at most one entry an interval and stream; 0 = all */
    size_t limit;        /* of entries; 0 = 100 */
    bool forward;        /* oldest first; else newest first */
    const atomic_bool *cancelled;
};

struct logql_entry {
    int64_t time_ns;
    struct str line;                  /* after line_format */
    struct labels structured, parsed; /* beside the stream's */
};

struct logql_stream {
    struct labels labels; /* of the stream itself; group by all three sets where the client wants one */
    struct logql_entry *entries;
    size_t n;
};

enum logql_type { LOGQL_STREAMS, LOGQL_SCALAR, LOGQL_VECTOR, LOGQL_MATRIX };

struct logql_stats {
    uint64_t lines, bytes, matched;
    double total_s;
};

struct logql_result {
    enum logql_type type;
    struct logql_stream *streams; /* LOGQL_STREAMS; entries in the order asked for */
    size_t n_streams;
    struct result_series *series; /* the others; as in query_result */
    size_t n_series;
    struct str *warnings;
    size_t n_warnings;
    bool is_partial; /* damage hides a part of what was asked about; warnings say which */
    struct logql_stats stats;
    struct arena arena;
};

/* ERR_PARSE (400, with line and column as Loki words it), ERR_LIMIT (422/429), ERR_TIMEOUT (504), ERR_CANCEL
 * (499). */
int logql_query(struct logql *, const struct logql_request *, struct logql_result *, struct err *);
void logql_result_release(struct logql_result *);

/* ---- for tails: one query kept, records tried as they come ---- */

struct logql_tail;
int logql_tail_new(struct str text, struct logql_tail **, struct err *); /* log queries only */
void logql_tail_free(struct logql_tail *);
/* Does the record pass? Then its stream labels and entry, in the arena. One thread at a time. */
bool logql_tail_try(struct logql_tail *, const struct record *, struct arena *, struct labels *stream,
                    struct logql_entry *);

/* ---- names ---- */

/* A log record's labels as LogQL sees them: resource attributes with every byte outside [A-Za-z0-9_] as `_`.
 */
struct labels logql_stream_labels(const struct origin *, struct arena *);
/* The selector of a query ({...}, pipeline ignored) as a predicate on origins, NULL = all, for labels and
 * series calls. */
int logql_selector(struct str text, struct store_view *, struct call *, const struct predicate **,
                   struct err *);
/* The query as Loki prints it. */
int logql_format(struct str text, struct buf *, struct err *);
