/* summary.h - what is left of the samples of one stretch of time when the samples are forgotten: enough for
 * sums, extremes, rates and spreads over it.
 *
 * Summaries form a monoid: the zeroed struct is that of no rows, and summary_join(a, b) is the summary of a's
 * rows followed by b's. So a window's is put together from its buckets', a day's from its hours'. Joining is
 * exact for all fields but total, drift and spread, which differ by the rounding of floating-point sums.
 *
 * Histograms, and floats whose start time is told, are only counted (`odd`): who meets any must look at the
 * rows. Stale markers are no samples; one that ends a bucket is remembered, so that a series that went away
 * stays away.
 *
 * Times are Unix milliseconds. Bucket i of a grid holds the rows in (start + i * width, start + (i + 1) *
 * width], as the windows of PromQL do. Threads: pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/histogram.h"

struct summary {
    uint64_t n;                /* floats; all up to `spread` mean nothing when 0 */
    int64_t first_ms, last_ms; /* of the first and last of them */
    double first, last;
    double total, total_low; /* their sum, and what rounding has left out of it */
    double min, max;         /* NaN only when all are */
    double lost;             /* sum of the values before each fall: what a counter lost by its resets */
    uint64_t changes, resets;
    double drift;    /* mean - first */
    double spread;   /* sum of the squares of the distances from the mean */
    bool ends_stale; /* the last row of all is a stale marker: */
    int64_t stale_ms;
    uint64_t odd; /* rows that are not summed up */
};

/* On disk: never renumber. A field that is not asked for may be 0. */
enum summary_field {
    SUM_N,
    SUM_FIRST_AT, /* milliseconds from the bucket's start */
    SUM_LAST_AT,  /* milliseconds before the bucket's end */
    SUM_FIRST,
    SUM_LAST,
    SUM_TOTAL,
    SUM_MIN,
    SUM_MAX,
    SUM_LOST,
    SUM_CHANGES,
    SUM_RESETS,
    SUM_DRIFT,
    SUM_SPREAD,
    SUM_STALE_AT, /* milliseconds from the bucket's start; 0: it does not end in a stale marker */
    SUM_ODD,
    SUM_FIELDS,
};
#define SUM_BIT(field) (1u << (field))
#define SUM_ALL        (SUM_BIT(SUM_FIELDS) - 1)

struct summary_grid {
    int64_t start_ms, width_ms;
    size_t n;
};
static inline int64_t summary_grid_end(const struct summary_grid *g) /* the last time in it */
{
    return g->start_ms + (int64_t)g->n * g->width_ms;
}

/* One row more, later than all before. hist: it is a histogram; start_ms: 0 when unknown. */
void summary_add(struct summary *, int64_t time_ms, double v, bool is_hist, int64_t start_ms);
void summary_join(struct summary *a, const struct summary *b); /* b's rows come after a's */
double summary_total(const struct summary *);

/* n rows of rising time into the buckets at[0, grid.n); rows outside of the grid are passed over. Each bucket
 * must hold earlier rows only. hist and start_ms may be NULL. */
void summary_fold(struct summary *at, const struct summary_grid *, size_t n, const int64_t *time_ms,
                  const double *value, struct histogram *const *hist, const int64_t *start_ms);

/* A bucket as numbers by field, and back. end_ms and width_ms: of the bucket. */
void summary_put(const struct summary *, int64_t end_ms, int64_t width_ms, double out[SUM_FIELDS]);
void summary_get(struct summary *, int64_t end_ms, int64_t width_ms, const double in[SUM_FIELDS]);
