#include "derive/span_metrics.h"

#include "base/check.h"

const double span_bounds[SPAN_BOUNDS] = { 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                          2.5,   5,     10,   20,    30,   60,  120,  300 };

static const struct str kinds[] = {
    { "SPAN_KIND_UNSPECIFIED", 21 }, { "SPAN_KIND_INTERNAL", 18 }, { "SPAN_KIND_SERVER", 16 },
    { "SPAN_KIND_CLIENT", 16 },      { "SPAN_KIND_PRODUCER", 18 }, { "SPAN_KIND_CONSUMER", 18 },
};
static const struct str statuses[] = {
    { "STATUS_CODE_UNSET", 17 },
    { "STATUS_CODE_OK", 14 },
    { "STATUS_CODE_ERROR", 17 },
};

enum { FIXED = 4 }; /* labels before the dimensions */

struct series_out *span_metrics_new(const struct span_metrics_conf *conf)
{
    static const struct out_family families[] = {
        { "traces_spanmetrics_calls_total", "Finished spans.", OUT_CALLS, 0, 1, false },
        { "traces_spanmetrics_latency", "How long spans took, in seconds.", OUT_HISTOGRAM, 0, 1, true },
        { "span_duration_milliseconds", "How long spans took, in milliseconds.", OUT_HISTOGRAM, 0, 1000,
          true },
    };
    struct out_shape shape = { .labels = { "service", "span_name", "span_kind", "status_code" },
                               .n_labels = FIXED,
                               .overflow = "span_name",
                               .n_families = COUNT(families),
                               .n_hists = 1,
                               .bounds = span_bounds,
                               .n_bounds = SPAN_BOUNDS };
    check(conf->n_dimensions <= SPAN_DIMENSIONS_MAX && FIXED + SPAN_DIMENSIONS_MAX + 1 <= OUT_LABELS_MAX);
    memcpy(shape.families, families, sizeof families);
    for (size_t i = 0; i < conf->n_dimensions; i++) shape.labels[shape.n_labels++] = conf->dimensions[i];
    if (conf->is_late) shape.labels[shape.n_labels++] = SPAN_LATE_LABEL;
    return series_out_new(&shape, conf->max_rows, conf->idle_ms);
}

const char *span_metrics_skip(const struct span_metrics_conf *conf, const struct record *r, int64_t now_ms)
{
    if (r->span.duration_ns == SPAN_UNFINISHED) return "running";
    if (conf->late_ms == 0) return NULL;
    int64_t end_ns;
    if (__builtin_add_overflow(r->time_ns, r->span.duration_ns, &end_ns)) return "future";
    if (end_ns / 1000000 < now_ms - conf->late_ms) return "late";
    return end_ns / 1000000 > now_ms + conf->late_ms ? "future" : NULL;
}

struct out_row *span_metrics_row(struct series_out *o, const struct span_metrics_conf *conf,
                                 const struct seen_span *span, int64_t now_ms)
{
    const struct record *r = span->record;
    struct str values[FIXED + SPAN_DIMENSIONS_MAX + 1] = { span->service, r->span.name, kinds[r->span.kind],
                                                           statuses[r->span.status] };
    for (size_t i = 0; i < conf->n_dimensions; i++) values[FIXED + i] = span->dimensions[i];
    if (conf->is_late) values[FIXED + conf->n_dimensions] = STR("true");
    return series_out_row(o, values, now_ms);
}

void span_metrics_seen(struct series_out *o, const struct span_metrics_conf *conf,
                       const struct seen_span *span, int64_t now_ms)
{
    const struct record *r = span->record;
    struct out_row *row = span_metrics_row(o, conf, span, now_ms);
    double seconds = (double)r->span.duration_ns / 1e9;
    series_out_observe(o, row, 0, seconds);
    series_out_exemplar(row, seconds, r->time_ns / 1000000, r->trace_id, r->span_id);
}
