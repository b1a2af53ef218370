/* otlp_check.h - any bytes through a decoder of OTLP metrics: what comes out is well formed whatever went in.
 */
#pragma once
#include "base/check.h"
#include "decode/otlp_metrics.h"
#include "derive/delta.h"

typedef int otlp_decoder(struct str, const struct otlp_options *, const struct decode_limits *,
                         struct arena *, struct batch *, struct write_result *, struct err *);

static inline int otlp_check_sum(void *d, struct hash128 id, uint64_t *start, uint64_t time, double *v,
                                 struct err *e)
{
    return delta_sum(d, id, start, time, v, e);
}
static inline int otlp_check_histogram(void *d, struct hash128 id, uint64_t *start, uint64_t time,
                                       struct histogram *h, struct arena *a, struct err *e)
{
    return delta_histogram(d, id, start, time, h, a, e);
}

static inline void otlp_check_batch(const struct batch *b, struct arena *a, int64_t latest_ms)
{
    size_t row = 0;
    for (size_t i = 0; i < b->n_series; i++) {
        struct labels l;
        check(labels_unpack_checked(b->series[i].raw, a, &l, NULL) == OK);
        check(labels_get(l, LABEL_NAME).n > 0);
        check(b->series[i].row == row);
        row += b->series[i].n_rows;
    }
    check(row == b->n_rows);
    for (size_t i = 0; i < b->n_rows; i++) {
        check(b->time_ms[i] <= latest_ms);
        if (b->hist != NULL && b->hist[i] != NULL) check(histogram_check(b->hist[i], NULL) == OK);
    }
    for (size_t i = 0; i < b->n_exemplars; i++) {
        struct labels l;
        check(b->exemplars[i].series < b->n_series);
        check(labels_unpack_checked(b->exemplars[i].labels, a, &l, NULL) == OK);
    }
}

static inline int otlp_check(otlp_decoder *decode, const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(64 << 20);
    const struct delta_conf conf = { .max_streams = 8, .max_bytes = 4096, .idle_ms = 1000 };
    struct delta *d = delta_new(&conf);
    struct otlp_cumulate cumulate = { d, otlp_check_sum, otlp_check_histogram };
    struct otlp_options options = {
        .strategy = (enum otlp_strategy)(size % 4),
        .promote_all = size % 8 >= 4,
        .keep_identifying = size % 16 >= 8,
        .now_ms = 1700000000000,
        .latest_ms = 4000000000000,
        .cumulate = size % 3 == 0 ? NULL : &cumulate,
    };
    struct decode_limits limits = DECODE_LIMITS_DEFAULT;
    struct batch b;
    struct write_result refused = { 0 };
    struct err e = ERR_INIT;

    limits.rows = 100000;
    int rc = decode(str_make(data, size), &options, &limits, &a, &b, &refused, &e);
    check(rc == OK || ((rc == ERR_PARSE || rc == ERR_LIMIT) && e.text[0] != 0));
    if (refused.rejected_total > 0) check(refused.why[0] != 0);
    otlp_check_batch(&b, &a, options.latest_ms);
    delta_free(d);
    arena_release(&a);
    return 0;
}
