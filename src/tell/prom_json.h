/* prom_json.h - the pieces that all Prometheus answers are made of: times, values, labels, histograms.
 *
 * Written straight into the buffer: an answer of 77000 points should cost milliseconds. */
#pragma once
#include "base/buf.h"
#include "model/histogram.h"
#include "model/labels.h"

#define PROM_VALUE_MAX 64  /* bytes of a value's text */
#define PROM_POINT_MAX 128 /* of [time,"value"], */

/* 0.000001 to 1e21 in plain digits, others with an exponent: 0.1, 1e-07, 1e+21, NaN, +Inf, -Inf. Returns the
 * length. */
size_t prom_value_text(double v, char out[PROM_VALUE_MAX]);
size_t prom_time_text(int64_t ms, char out[32]); /* seconds, with up to three decimals */

void prom_put_time(struct buf *out, int64_t ms);
void prom_put_value(struct buf *out, double v);                         /* "1.5", with the quotes */
size_t prom_point_text(int64_t ms, double v, char out[PROM_POINT_MAX]); /* [1.5,"2"] */
void prom_put_point(struct buf *out, int64_t ms, double v);
void prom_put_labels(struct buf *out, struct labels); /* {"a":"b"} */
void prom_put_histogram(struct buf *out,
                        const struct histogram *);  /* {"count":"","sum":"","buckets":[...]} */
void prom_put_rfc3339(struct buf *out, int64_t ms); /* "2024-01-02T03:04:05.678Z", with the quotes */
