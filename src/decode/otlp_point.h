/* otlp_point.h - what the readers of OTLP's two encodings have in common: a metric, and one of its data
 * points. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "model/histogram.h"
#include "model/labels.h"

/* Ceilings on what is read of one point. One more than allowed is kept, so that whoever looks can tell, and
 * then the last one is overwritten: memory stays small whatever is sent. */
enum {
    OTLP_ATTRS_MAX = LABELS_MAX,
    OTLP_BUCKETS_MAX = HISTOGRAM_BUCKETS_MAX,
    OTLP_QUANTILES_MAX = 1024,
    OTLP_EXEMPLARS_MAX = 1024
};

struct otlp_attr {
    struct str key, value; /* any value as the text of a label */
};

struct otlp_attrs {
    struct otlp_attr *at;
    size_t n, cap;
};

struct otlp_scope {
    struct str name, version, schema_url;
    struct otlp_attrs attrs;
};

enum otlp_data { /* numbered as the fields of Metric */
                 OTLP_NONE = 0,
                 OTLP_GAUGE = 5,
                 OTLP_SUM = 7,
                 OTLP_HISTOGRAM = 9,
                 OTLP_EXPONENTIAL = 10,
                 OTLP_SUMMARY = 11,
};

enum { OTLP_DELTA = 1, OTLP_CUMULATIVE = 2 };
enum { OTLP_NO_RECORDED_VALUE = 1 }; /* bit of flags */

struct otlp_metric {
    struct str name, description, unit;
    enum otlp_data data;
    int64_t temporality; /* of sums and histograms */
    bool monotonic;      /* of sums */
};

struct otlp_exemplar {
    uint64_t time_ns;
    double value;
    bool has_value;
    struct str trace_id, span_id; /* lower-case hex; empty: none */
    struct otlp_attrs attrs;
};

struct otlp_counts {
    int32_t offset;
    uint64_t *at;
    size_t n, cap;
};

struct otlp_quantile {
    double q, value;
};

struct otlp_point {
    struct otlp_attrs attrs;
    uint64_t start_ns, time_ns, flags;

    bool has_value; /* numbers */
    double value;

    uint64_t count; /* histograms and summaries */
    bool has_sum;
    double sum;

    double *bounds; /* explicit bounds */
    size_t n_bounds, cap_bounds;
    struct otlp_counts pos, neg; /* of explicit bounds: pos */
    int32_t scale;               /* exponential */
    uint64_t zero_count;
    double zero_threshold;

    struct otlp_quantile *quantiles;
    size_t n_quantiles, cap_quantiles;

    struct otlp_exemplar *exemplars;
    size_t n_exemplars, cap_exemplars;
};

/* Ready for the next point; its arrays keep their room. */
static inline void otlp_point_clear(struct otlp_point *p)
{
    p->attrs.n = p->n_bounds = p->pos.n = p->neg.n = p->n_quantiles = p->n_exemplars = 0;
    p->pos.offset = p->neg.offset = p->scale = 0;
    p->start_ns = p->time_ns = p->flags = p->count = p->zero_count = 0;
    p->has_value = p->has_sum = false;
    p->value = p->sum = p->zero_threshold = 0;
}

static inline struct otlp_attr *otlp_attr_add(struct otlp_attrs *a, struct arena *arena)
{
    if (a->n > OTLP_ATTRS_MAX) a->n--;
    a->at = arena_grow(arena, a->at, a->n, &a->cap, sizeof *a->at);
    struct otlp_attr *fresh = &a->at[a->n++];
    *fresh = (struct otlp_attr){ 0 };
    return fresh;
}

static inline void otlp_count_add(struct otlp_counts *c, uint64_t v, struct arena *arena)
{
    if (c->n > OTLP_BUCKETS_MAX) return;
    c->at = arena_grow(arena, c->at, c->n, &c->cap, sizeof *c->at);
    c->at[c->n++] = v;
}

static inline void otlp_bound_add(struct otlp_point *p, double v, struct arena *arena)
{
    if (p->n_bounds > OTLP_BUCKETS_MAX) return;
    p->bounds = arena_grow(arena, p->bounds, p->n_bounds, &p->cap_bounds, sizeof *p->bounds);
    p->bounds[p->n_bounds++] = v;
}

static inline struct otlp_quantile *otlp_quantile_add(struct otlp_point *p, struct arena *arena)
{
    if (p->n_quantiles > OTLP_QUANTILES_MAX) p->n_quantiles--;
    p->quantiles = arena_grow(arena, p->quantiles, p->n_quantiles, &p->cap_quantiles, sizeof *p->quantiles);
    struct otlp_quantile *fresh = &p->quantiles[p->n_quantiles++];
    *fresh = (struct otlp_quantile){ 0 };
    return fresh;
}

/* Its attributes are its own: exemplars of one point live at the same time. */
static inline struct otlp_exemplar *otlp_exemplar_add(struct otlp_point *p, struct arena *arena)
{
    if (p->n_exemplars > OTLP_EXEMPLARS_MAX) p->n_exemplars--;
    p->exemplars = arena_grow(arena, p->exemplars, p->n_exemplars, &p->cap_exemplars, sizeof *p->exemplars);
    struct otlp_exemplar *fresh = &p->exemplars[p->n_exemplars++];
    *fresh = (struct otlp_exemplar){ 0 };
    return fresh;
}
