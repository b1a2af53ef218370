/* otlp_translate.h - OTLP's metrics, in the order of the message, -> rows; for the readers otlp_proto.c and
 * otlp_json.c only.
 *
 *     otlp_resource, then per scope: otlp_scope, then per metric: otlp_metric, then per point: otlp_point;
 *     otlp_resource_end after the last scope of a resource.
 *
 * All texts are borrowed from the body or the arena. */
#pragma once
#include "decode/otlp_metrics.h"
#include "decode/otlp_point.h"
#include "decode/otlp_series.h"

struct otlp_target { /* the resource at hand (otlp_target.c) */
    struct otlp_attrs attrs;
    struct label identity[2]; /* job, instance; as far as known */
    size_t n_identity;
    struct label *promoted;
    size_t n_promoted;
    int64_t first_ms, last_ms; /* of its points; first above last: none yet */
};

struct otlp_family { /* the metric at hand, translated */
    struct otlp_metric metric;
    struct str name; /* of the family; empty: this metric is refused whole, for `reason` and `why` */
    enum reject reason;
    struct err why;
    bool told; /* its metadata is in the batch */
};

struct otlp_le { /* bounds seen last, as text */
    double *bounds;
    struct str *text;
    size_t n;
};

struct otlp_translate {
    const struct otlp_options *options;
    const struct decode_limits *limits;
    struct arena *arena;
    struct batch *batch;
    struct write_result *refused;
    struct err *err;

    struct otlp_series *series;
    struct otlp_target target;
    struct label *constants; /* strong ones: scope, then identity */
    size_t n_constants;
    struct otlp_family family;
    struct otlp_le le;
    struct otlp_point point; /* for the readers to fill */
};

void otlp_translate_init(struct otlp_translate *, const struct otlp_options *, const struct decode_limits *,
                         struct arena *, struct batch *, struct write_result *refused, struct err *);

void otlp_resource(struct otlp_translate *, const struct otlp_attrs *);
void otlp_scope(struct otlp_translate *, const struct otlp_scope *);
void otlp_metric(struct otlp_translate *, const struct otlp_metric *);
/* The point in t->point, of the metric at hand. OK also when it was refused; ERR_LIMIT ends the decoding. */
int otlp_point(struct otlp_translate *);
int otlp_resource_end(struct otlp_translate *);

/* ---- between the files of the translation ---- */

/* OK while the message keeps to its ceilings. Asked before each point, and before each row of points with
 * many: one point's labels may be written out as often as it has buckets. */
int otlp_room(struct otlp_translate *);

/* Refuses the point at hand: counts it, names the metric. Returns OK. */
int otlp_refuse(struct otlp_translate *, enum reject, const char *why);

static inline int64_t otlp_ms(uint64_t ns)
{
    return (int64_t)(ns / 1000000);
}
/* Of the point, for its rows; 0 when it is not known or not before the point. */
static inline int64_t otlp_start_ms(const struct otlp_point *p)
{
    return p->start_ns < p->time_ns ? otlp_ms(p->start_ns) : 0;
}

/* One row of the point at hand, as a series of its own. */
void otlp_row(struct otlp_translate *, struct str raw, double value);

/* otlp_histogram.c: the point at hand as rows; OK also when refused. */
int otlp_explicit(struct otlp_translate *);
int otlp_exponential(struct otlp_translate *);

/* otlp_exemplar.c */
void otlp_exemplar_put(struct otlp_translate *, const struct otlp_exemplar *); /* to the series just begun */
void otlp_exemplars_sort(struct otlp_translate *); /* by value; those without one go */

/* otlp_target.c: target's identity and promoted labels from its attrs; target_info rows at its end. */
void otlp_target_read(struct otlp_translate *);
int otlp_target_info(struct otlp_translate *);
