/* registry.h - the series that are alive: labels to a number, a number to labels, a condition to numbers.
 *
 * Numbers (series_no, metric_no) are given out once, rise for ever, and are what parts and WAL rows carry.
 * The registry holds the series seen in the open days; older days have their own index files (day_index.h).
 * Label pairs are interned, so a series costs 4 bytes a pair plus its hash slots and postings.
 *
 * Threads: one writer at a time (the store's write lock); readers on any thread take the registry's read lock
 * inside. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/batch.h"
#include "model/matcher.h"
#include "model/reject.h"
#include "model/store.h"
#include "store/part.h"

struct registry;

struct registry *registry_new(uint64_t max_series);
void registry_free(struct registry *);

/* What may not grow for ever; 0: no limit. Only new series are refused, known ones go on. Those of days gone
 * by count until registry_collect. Recovery is not refused anything. */
struct registry_limits {
    uint64_t series_per_metric;
    uint64_t values_per_label; /* distinct ones of one name */
    uint64_t bytes;            /* of the registry */
};
void registry_set_limits(struct registry *, const struct registry_limits *); /* writer only */
/* Which limit the last ERR_LIMIT of registry_resolve was about. Writer only. */
enum reject registry_refusal(const struct registry *);

/* Prefetch, then resolve: call registry_prefetch for a few dozen keys ahead of registry_find. Writer only. */
void registry_prefetch(const struct registry *, struct hash128 spelling_key);
/* The series that this spelling is known to mean; false when never seen. Writer only. */
bool registry_find(const struct registry *, struct hash128 spelling_key, series_key *out);

enum registry_added { REGISTRY_KNOWN, REGISTRY_NEW };
/* Slow path: check and normalise raw, find the series or make it, remember the spelling. *packed (arena) is
 * set for a new series: it must reach the WAL before its first row. ERR_RANGE (labels), ERR_LIMIT (label or
 * series limit). Writer only. */
int registry_resolve(struct registry *, struct hash128 spelling_key, enum labels_spelling, struct str raw,
                     struct arena *scratch, series_key *out, enum registry_added *added, struct str *packed,
                     struct err *);
/* Recovery: a series under its old number. ERR_CORRUPT when the number is taken by other labels. Writer only.
 */
int registry_restore(struct registry *, series_key key, struct str packed, struct err *);

/* Recovery: numbers below these are taken, though no series here has them (days served by their index files
 * alone). Writer only. */
void registry_reserve(struct registry *, uint32_t next_series_no, uint32_t next_metric_no);

/* Presence: the series has a row in this UTC day (days since 1970). True when that is news. Writer only,
 * called for each row: quick. */
bool registry_mark(struct registry *, uint32_t day, series_key key);
/* Series marked in this day since the last call that said `commit`, sorted by key: what the next index file
 * must hold. Writer only. A flush that may fail asks without commit and calls registry_mark_indexed for what
 * it has written. */
size_t registry_fresh(struct registry *, uint32_t day, series_key **out /* yours */, bool commit);
/* A series is in an index file on disk already (recovery). */
void registry_mark_indexed(struct registry *, uint32_t day, series_key key);
void registry_forget_day(struct registry *,
                         uint32_t day); /* retention, or the day is served by its index file alone */
/* Drop series not present in any remembered day; numbers are not reused. Writer only. */
void registry_collect(struct registry *);

/* Readers. */
struct str registry_packed(const struct registry *, series_key key,
                           struct arena *); /* labels; empty when unknown */
struct labels registry_labels(const struct registry *, series_key key, struct arena *);
/* Series of this day that match, sorted by key, in the arena. */
int registry_select(const struct registry *, uint32_t day, const struct matcher *, size_t n, struct call *,
                    series_key **out, size_t *n_out, struct err *);
int registry_label_names(const struct registry *, uint32_t day, struct call *, struct str **out,
                         size_t *n_out, struct err *); /* sorted */
int registry_label_values(const struct registry *, uint32_t day, struct str name, struct call *,
                          struct str **out, size_t *n_out, struct err *);

struct registry_size {
    uint64_t series, pairs, metrics, bytes;
    uint32_t next_series_no, next_metric_no;
};
void registry_size(const struct registry *, struct registry_size *);
/* See store_top. */
int registry_top(const struct registry *, struct call *, const char *what, size_t limit,
                 struct name_count **out, size_t *n_out, struct err *);
