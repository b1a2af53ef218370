/* series_out.h - counters and histograms that grow out of records: a bounded table of label sets, cumulative
 * since each began, written into the store at a steady step.
 *
 *     struct series_out *o = series_out_new(&shape, max_rows, idle_ms);
 *     series_out_lock(o);
 *     struct out_row *row = series_out_row(o, values, now_ms);     one value for each label of the shape
 *     series_out_observe(o, row, 0, seconds);
 *     series_out_unlock(o);
 *     series_out_write(o, store, tick_ms, step_ms, &e);            the collecting thread
 *
 * Always true:
 *   1. There are at most max_rows rows and one more, the overflow row, which has only the shape's overflow
 *      label. Whatever finds no room is counted there.
 *   2. A row's first sample is preceded by a zero one step earlier, so that increase() sees its first events.
 *   3. A row without events for idle_ms gets a stale marker and is forgotten; if it comes back it starts at
 *      zero with a new start time.
 *
 * Threads: between lock and unlock any thread; series_out_write from one thread at a time, and it holds the
 * lock only while it copies the table. */
#pragma once
#include "model/record.h"
#include "model/store.h"

#define OUT_LABELS_MAX   13
#define OUT_VALUE_BYTES  256 /* longer label values are cut */
#define OUT_BOUNDS_MAX   24
#define OUT_FAMILIES_MAX 8

enum out_type {
    OUT_COUNTER,   /* counts[from] */
    OUT_CALLS,     /* how many the histogram `from` has seen, as a counter */
    OUT_HISTOGRAM, /* _bucket, _sum, _count of histogram `from` */
};

struct out_family {
    const char *name, *help;
    enum out_type type;
    size_t from;
    double scale; /* histograms: bounds and sums are multiplied; 1000 turns seconds into milliseconds */
    bool has_exemplars;
    double divide; /* counters: what one is counted in, 1e9 for nano-dollars; 0: ones */
};

struct out_shape {
    const char *labels[OUT_LABELS_MAX];
    size_t n_labels;
    const char *overflow; /* the label whose value is OUT_OVERFLOW in the overflow row */
    struct out_family families[OUT_FAMILIES_MAX];
    size_t n_families;
    size_t n_counts, n_hists;
    const double *bounds; /* of all histograms; ascending, without +Inf; borrowed */
    size_t n_bounds;
};
#define OUT_OVERFLOW "__overflow__"

struct out_exemplar {
    double value; /* the largest since the last write; < 0: none */
    int64_t time_ms;
    uint8_t trace_id[16], span_id[8];
};

struct series_out;
struct out_row;

struct series_out *series_out_new(const struct out_shape *, size_t max_rows, int64_t idle_ms);
void series_out_free(struct series_out *); /* NULL is fine */

void series_out_lock(struct series_out *);
void series_out_unlock(struct series_out *);

/* ---- locked ---- */

/* An empty value: the label is absent. Valid until the lock is given back. */
struct out_row *series_out_row(struct series_out *, const struct str *values, int64_t now_ms);
void series_out_count(struct series_out *, struct out_row *, size_t counter, uint64_t n);
void series_out_observe(struct series_out *, struct out_row *, size_t hist, double value);
/* For the bucket of `value` in histogram 0; the slowest of a step is kept. */
void series_out_exemplar(struct out_row *, double value, int64_t time_ms, const uint8_t trace_id[16],
                         const uint8_t span_id[8]);

/* ---- any time ---- */

/* tick_ms: the time of the samples, a multiple of step_ms and later than at the call before. */
int series_out_write(struct series_out *, struct store *, int64_t tick_ms, int64_t step_ms, struct err *);

struct out_status {
    size_t rows;
    uint64_t overflowed; /* events counted in the overflow row */
};
struct out_status series_out_status(struct series_out *);
