/* exemplar_store.h - the newest exemplars: a sample's pointer to a trace. In memory, bounded, saved
 * whole now and then.
 *
 * At most `limit` in all and EXEMPLARS_PER_SERIES of one series: a busy series replaces its own
 * oldest, not other series'. Losing the last minutes' exemplars in a crash is accepted: they are
 * hints, not data.
 * Threads: one lock inside; any thread. The labels() callback is called without it. */
#pragma once
#include "model/matcher.h"
#include "model/store.h"
#include "store/part.h"

#define EXEMPLARS_PER_SERIES      10
#define EXEMPLAR_LABELS_BYTES_MAX 1024 /* packed; OpenMetrics allows 128 characters */

struct exemplar_store;

struct exemplar_store *exemplar_store_new(size_t limit); /* 0 = 100 000 */
void exemplar_store_free(struct exemplar_store *);

/* 1 = kept, 0 = known already (equal series, labels and time) or older than all that the series may keep;
 * ERR_RANGE for labels that are not well formed, ERR_LIMIT for too many bytes of them. labels: packed,
 * may be empty. */
int exemplar_store_add(struct exemplar_store *, series_key, int64_t time_ms, double value, struct str labels,
                       struct err *);

/* Exemplars in [from_ms, to_ms] of the series that match, by key and time, in the call's arena.
 * labels() answers no labels for a series that is gone; its exemplars are then left out. */
int exemplar_store_query(struct exemplar_store *,
                         struct labels (*labels)(void *ctx, series_key, struct arena *), void *ctx,
                         const struct matcher *, size_t n, int64_t from_ms, int64_t to_ms, struct call *,
                         struct exemplar **out, size_t *n_out, struct err *);

/* Rewrites path if something changed since the last save. Load adds to what is there; ERR_CORRUPT
 * keeps what was sound. */
int exemplar_store_save(struct exemplar_store *, const char *path, struct err *);
int exemplar_store_load(struct exemplar_store *, const char *path, struct err *);
void exemplar_store_drop_before(struct exemplar_store *, int64_t time_ms); /* retention */

struct exemplar_stats {
    uint64_t kept;                       /* now */
    uint64_t added, duplicates, too_old; /* since start */
    uint64_t replaced, evicted;          /* dropped for a newer one of the series; of any series */
};
void exemplar_store_stats(struct exemplar_store *, struct exemplar_stats *);
