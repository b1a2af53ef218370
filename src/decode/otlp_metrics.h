/* otlp_metrics.h - an OTLP ExportMetricsServiceRequest, protobuf or JSON, -> rows (LABELS_PACKED).
 *
 * Two readers feed one translation (otlp_translate.h): names by strategy, resource to job, instance and
 * target_info, scope to otel_scope_* labels, histograms to _bucket, _sum and _count, exponential ones to
 * native histograms.
 *
 * The batch borrows from body and arena. What cannot be kept is refused by data point: counted under its
 * reason in *refused, the first one described by metric and cause; the rest is kept. ERR_PARSE: the message
 * is broken, with the place; ERR_LIMIT: more points or memory than allowed. */
#pragma once
#include "base/arena.h"
#include "base/hash.h"
#include "decode/limits.h"
#include "decode/otlp_names.h"
#include "model/batch.h"

/* Turns delta points of a stream into cumulative ones, in place (derive/delta.h does). stream: the identity
 * of the series it becomes. A refusal is a negative code with the reason for people. */
struct otlp_cumulate {
    void *ctx;
    int (*sum)(void *ctx, struct hash128 stream, uint64_t *start_ns, uint64_t time_ns, double *value,
               struct err *);
    int (*histogram)(void *ctx, struct hash128 stream, uint64_t *start_ns, uint64_t time_ns,
                     struct histogram *, struct arena *, struct err *);
};

struct otlp_options {
    enum otlp_strategy strategy;
    bool no_scope_labels;  /* leave otel_scope_* out: promote_scope_metadata: false */
    bool keep_identifying; /* service.name and its like in target_info too */
    bool promote_all; /* resource attributes -> labels of every series; promote is then what to leave out */
    const struct str *promote; /* promote_resource_attributes */
    size_t n_promote;
    int64_t now_ms;      /* for points that do not say when: 0 refuses them */
    int64_t latest_ms;   /* points beyond are refused; 0: none */
    int64_t lookback_ms; /* of queries: target_info is repeated twice as often; 0: five minutes */
    const struct otlp_cumulate *cumulate; /* NULL: delta points are refused */
};

int otlp_metrics_proto(struct str body, const struct otlp_options *, const struct decode_limits *,
                       struct arena *, struct batch *out, struct write_result *refused, struct err *);
int otlp_metrics_json(struct str body, const struct otlp_options *, const struct decode_limits *,
                      struct arena *, struct batch *out, struct write_result *refused, struct err *);
