/* summaries.h - window functions out of summaries (model/summary.h) instead of rows.
 *
 * Exact, up to the rounding of sums, when each window is a union of buckets: range, step and the first
 * window's end are multiples of the buckets' width. Then summaries are taken where the store has them for
 * much of the time. Where the rows have expired there is no choice: windows are moved to the buckets' edges,
 * forwards, and made whole buckets long, at least one; the caller says so in a note.
 *
 * Always true:
 *   1. With all rows there a value made here is that of the rows, or rows are read.
 *   2. Series with histograms or start times are read from rows (those are not in summaries).
 *   3. Which buckets make a value is a matter of the step's time alone, not of where the query begins.
 *
 * Threads: a plan is shared and not written; the rest belongs to one thread. */
#pragma once
#include "query/promql/window.h"

struct summary_fn;

struct summary_plan {
    const struct summary_fn *fn; /* NULL: rows are read */
    struct summary_grid grid;
    uint32_t fields;
    int64_t range_ms; /* of the windows as they are taken: whole buckets */
    size_t per_window;
    size_t steps; /* the first so many are answered from summaries, the others from rows */
};

/* How the job's steps are best answered, given what the store has of [from_ms, to_ms]. */
void summaries_plan(struct store_view *, const struct window_job *, int64_t from_ms, int64_t to_ms,
                    struct summary_plan *out);
/* Where rows of [from_ms, to_ms] have expired: */
struct expired {
    int64_t before_ms; /* INT64_MIN: nowhere */
    int64_t width_ms;  /* how far apart the rows are that stand for summaries there */
};
/* Finds out, and says so at pos. */
struct expired summaries_note(struct query *, uint32_t pos, int64_t from_ms, int64_t to_ms);
/* What is to be read from from_ms on, read it from here on. */
int64_t summaries_read_from(const struct query *, struct expired, int64_t from_ms);
/* ERR_EXEC when the query wants summaries only and the plan (NULL: there is none) reads rows. */
int summaries_check(const struct query *, const struct summary_plan *, size_t steps, struct err *);

bool summaries_are_odd(const struct summary_plan *, const struct summary *at);
/* r->v of the plan's steps; the other steps stay. spoiled: values depend on what the store happens to have.
 */
void summaries_series(struct window_run *r, const struct summary_plan *, const struct summary *at,
                      bool *spoiled);
