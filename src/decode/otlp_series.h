/* otlp_series.h - from the attributes of a data point to the packed labels of its series.
 *
 * Points of a metric nearly always have the same attribute keys in the same order. So the work on keys
 * (translation, collisions, order) is done once and kept as a layout; a point that fits one is packed by
 * copying its values between prepared bytes.
 *
 *     otlp_series_constants(s, weak, n, strong, n);          // per resource and scope
 *     if (otlp_series_point(s, attrs, &why) < 0) refuse;     // per point
 *     raw = otlp_series_pack(s, metric, suffix, OTLP_LE, bound);   // per series of the point
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "decode/limits.h"
#include "decode/otlp_names.h"
#include "decode/otlp_point.h"
#include "model/labels.h"

enum otlp_extra { OTLP_NO_EXTRA, OTLP_LE, OTLP_QUANTILE, OTLP_EXTRAS };

struct otlp_series;

struct otlp_series *otlp_series_new(enum otlp_strategy, const struct decode_limits *, struct arena *);

/* Labels of all series from here on. An attribute of the point beats a weak one, a strong one beats the
 * attribute. */
void otlp_series_constants(struct otlp_series *, const struct label *weak, size_t n_weak,
                           const struct label *strong, size_t n_strong);

/* Borrowed until the next call. ERR_RANGE and *reason: these attributes make no labels. */
int otlp_series_point(struct otlp_series *, const struct otlp_attrs *, enum reject *reason, struct err *);

/* Of the point at hand; in the arena. extra_value is not looked at for OTLP_NO_EXTRA. */
struct str otlp_series_pack(struct otlp_series *, struct str metric, struct str suffix, enum otlp_extra,
                            struct str extra_value);

/* The label name for an attribute key, from the cache; ERR_RANGE as otlp_label_name. */
int otlp_series_label(struct otlp_series *, struct str key, struct str *out, struct err *);
