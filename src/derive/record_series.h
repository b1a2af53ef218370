/* record_series.h - the series that records give: span metrics, the service graph, the agent graph, and how
 * many log records each service writes. One tap feeds them all, one thread writes them.
 *
 *     struct record_series *s = record_series_start(store, &conf);
 *     taps.at[taps.n++] = record_series_tap(s);       before the doors open
 *     record_series_stop(s);                          after the doors have closed, before the store does
 *
 * vedette_log_records_total {service, severity}: severity as level names: trace ... fatal, unknown.
 *
 * A span counts once: repeats are known while recent.h remembers them, spans that still run wait for their
 * end, and what has ended too long ago (span_metrics.h) is not counted. What was not counted is, in
 * vedette_span_metrics_skipped_total {reason}.
 *
 * Threads: the tap on any; it holds its locks for the time of a chunk. The writer is a thread of its own. */
#pragma once
#include "derive/service_graph.h"
#include "derive/span_metrics.h"
#include "model/tap.h"

struct record_series_conf {
    int64_t interval_ms;
    struct span_metrics_conf spans;
    struct service_graph_conf graph;
    size_t max_log_rows;
};
#define RECORD_SERIES_DEFAULT                                                                                \
    {                                                                                                        \
        .interval_ms = 15000, .spans = SPAN_METRICS_DEFAULT, .graph = SERVICE_GRAPH_DEFAULT,                 \
        .max_log_rows = 5000                                                                                 \
    }

/* An attribute's name as a label's: http.route is http_route. Dimensions must differ in it from one another
 * and from the fixed labels. */
#define SPAN_LABEL_MAX 64
void span_dimension_label(char out[SPAN_LABEL_MAX], struct str attribute);

struct record_series;
/* interval_ms 0: no thread; record_series_write is called by hand. */
struct record_series *record_series_start(struct store *, const struct record_series_conf *);
void record_series_stop(struct record_series *); /* writes what came last; NULL is fine */

struct record_tap record_series_tap(struct record_series *);

/* One tick, as the thread does it. From one thread. */
int record_series_write(struct record_series *, int64_t tick_ms, int64_t step_ms, struct err *);
