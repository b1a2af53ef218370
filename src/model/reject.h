/* reject.h - every reason for which telemetry is refused or dropped, as counted in
 * vedette_rejected_total{reason}. */
#pragma once

#define REJECT_REASONS(X)                                                                                    \
    X(future, "time stamp too far in the future")                                                            \
    X(too_old, "older than the retention")                                                                   \
    X(labels, "label set not valid: empty, unsorted or duplicate")                                           \
    X(utf8, "label or name is not UTF-8")                                                                    \
    X(label_limit, "too many labels, or one too long")                                                       \
    X(series_limit, "too many series")                                                                       \
    X(metric_series_limit, "too many series of one metric")                                                  \
    X(label_values_limit, "too many values of one label")                                                    \
    X(series_memory, "the memory for series is used up")                                                     \
    X(histogram, "native histogram not well formed")                                                         \
    X(exemplar, "exemplar not well formed")                                                                  \
    X(temporality, "temporality not supported for this metric")                                              \
    X(name, "no usable metric name")                                                                         \
    X(value, "value missing or not a number")                                                                \
    X(scrape_limit, "scrape exceeded its sample, label or body limit")                                       \
    X(record_size, "log record or span too large, or with too many attributes")                              \
    X(record_count, "more log records or spans in a request than its bytes can tell of")                     \
    X(record_id, "trace or span id missing, all zeros or of the wrong length")                               \
    X(record_time, "time of a log record or span missing or out of range")                                   \
    X(record_field, "field of a log record or span missing or of the wrong kind")

enum reject {
#define X(name, text) REJECT_##name,
    REJECT_REASONS(X)
#undef X
        REJECT_COUNT
};

const char *reject_name(enum reject); /* "future" */
const char *reject_text(enum reject);
void reject_count(enum reject, unsigned long n); /* into the metric */
