/* tier.h - summaries of whole days by buckets of 5 minutes or an hour: read instead of the rows where they
 * say the same, and kept when the rows are long gone.
 *
 * A tier is one file a day and width: a part (part.h) whose runs are fields of summaries (model/summary.h),
 * the fields of a series side by side with one time vector, a bucket's time being its end. A field that is 0
 * all day is not there. Bytes: docs/format-part.md, "Summaries".
 *
 * Always true:
 *   1. A tier says what the rows of its day say that are in the parts up to its sequence. It is current when
 *      no part of the day has a higher one and no row of the day waits in memory.
 *   2. A bucket ends after its last row and not before; the bucket across midnight is in both days, in each
 *      with the day's own rows: joined in the order of days they are the whole.
 *   3. Where there are no parts of a day but a tier, its rows have expired. */
#pragma once
#include "model/summary.h"
#include "store/view.h"

#define TIER_KINDS 2

struct tier_kind {
    enum file_kind kind;
    int64_t width_ms;
    const char *name;
};
extern const struct tier_kind tier_kinds[TIER_KINDS]; /* widest first */
const struct tier_kind *tier_kind_of(enum file_kind); /* NULL: not a tier */

/* The day's file of a kind; NULL: there is none. */
struct store_file *tier_of_day(const struct version *, uint32_t day, enum file_kind);
/* (1), but for rows in memory. */
bool tier_is_current(const struct version *, uint32_t day, const struct store_file *tier);
bool tier_is_wanted(const struct engine *, enum file_kind);

/* Make the day's tier anew out of its parts and let it take the place of the one before, by one manifest
 * edit. merge_mu held. */
int tier_build(struct engine *, struct version *, uint32_t day, const struct tier_kind *, struct err *);
/* Those that are wanted and not current of the days before `day`; merge_mu held. > 0: how many were built. */
int tier_build_before(struct engine *, struct version *, uint32_t day, struct err *);

/* ---- reading ---- */

struct tier_rows { /* the buckets of one series in one tier */
    size_t n, cap;
    uint32_t has; /* fields */
    int64_t *end_ms;
    double *column[SUM_FIELDS];
};
void tier_rows_release(struct tier_rows *);
/* Key's buckets, n = 0 when it has none; fields not in `fields` are passed over. When some of them cannot be
 * read none is given, *lost is where (rows 0: the error is another), and the next key may be asked for. */
int tier_read(struct part_cursor *, series_key, uint32_t fields, struct tier_rows *, struct part_loss *lost,
              struct err *);
void tier_get(const struct tier_rows *, size_t row, int64_t width_ms, struct summary *);
