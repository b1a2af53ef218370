/* span_metrics.h - rate, errors and duration of finished spans, by service, name, kind and status.
 *
 *     traces_spanmetrics_calls_total, traces_spanmetrics_latency_{bucket,sum,count} (seconds),
 *     span_duration_milliseconds_{bucket,sum,count}
 *         {service, span_name, span_kind="SPAN_KIND_SERVER", status_code="STATUS_CODE_ERROR", dimensions}
 *
 * One exemplar a row and step: the slowest span, with trace_id and span_id.
 *
 * Not counted here: spans that still run (they are when they have ended), and spans that ended more than
 * late_ms ago or lie as far ahead: imports of old files must not look like load of now. Late ones are counted
 * at their own time (late_series.h), the others by reason in vedette_span_metrics_skipped_total. Repeats are
 * sorted out before (recent.h). */
#pragma once
#include "derive/series_out.h"

#define SPAN_DIMENSIONS_MAX 8

struct span_metrics_conf {
    size_t max_rows;
    int64_t idle_ms, late_ms; /* late_ms 0: no span is too late */
    const char
        *dimensions[SPAN_DIMENSIONS_MAX]; /* attributes, of the span or else of its resource; borrowed */
    size_t n_dimensions;
    bool is_late; /* the label vedette_late="true" in all of it (late_series.h) */
};
#define SPAN_LATE_LABEL "vedette_late"
#define SPAN_METRICS_DEFAULT                                                                                 \
    {                                                                                                        \
        .max_rows = 10000, .idle_ms = 15 * 60000, .late_ms = 3600000                                         \
    }

/* 2 ms to 5 minutes, in seconds: model calls and agent runs are slow. Shared with the service graph. */
#define SPAN_BOUNDS 17
extern const double span_bounds[SPAN_BOUNDS];

/* A span as those who count it see it. Values of dimensions are text already. */
struct seen_span {
    const struct record *record;
    struct str service;
    const struct str *dimensions;
};

/* Too old, too new, or still running; NULL: it counts. */
const char *span_metrics_skip(const struct span_metrics_conf *, const struct record *, int64_t now_ms);

struct series_out *span_metrics_new(const struct span_metrics_conf *);
/* Locked. Where such spans are counted; the labels alone matter. */
struct out_row *span_metrics_row(struct series_out *, const struct span_metrics_conf *,
                                 const struct seen_span *, int64_t now_ms);
/* Locked. Of a span that counts. */
void span_metrics_seen(struct series_out *, const struct span_metrics_conf *, const struct seen_span *,
                       int64_t now_ms);
