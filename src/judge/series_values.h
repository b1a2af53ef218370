/* series_values.h - series as promtool's test files write them: a name with labels, and values at equal
 * steps.
 *
 *     http_requests_total{job="a"}      0+10x5 _ _x3 stale 1e3 NaN -1-2x4 7x2
 *                                       {{schema:0 sum:5 count:4 buckets:[1 2 1]}}+{{sum:1 count:1
 * buckets:[1]}}x9
 *
 * `1+2x3` is 1 3 5 7, `1x3` is 1 1 1 1, `_x3` three times nothing. Bad texts are errors that name the place,
 * and at most SERIES_VALUES_MAX values are made of one. */
#pragma once
#include "base/err.h"
#include "model/histogram.h"
#include "model/labels.h"

#define SERIES_VALUES_MAX (4u << 20)

struct series_value {
    bool omitted;
    double value;
    const struct histogram *hist; /* or NULL */
};

struct series_values {
    struct series_value *at;
    size_t n, cap;
};

/* Everything lives in the arena. ERR_PARSE, ERR_LIMIT. */
int series_values_parse(struct str text, struct arena *, struct series_values *out, struct err *);
int series_labels_parse(struct str text, struct arena *, struct labels *out, struct err *);
int series_histogram_parse(struct str text, struct arena *, const struct histogram **out, struct err *);

/* {{schema:0 count:4 ...}} again. */
void series_histogram_print(struct buf *out, const struct histogram *);
