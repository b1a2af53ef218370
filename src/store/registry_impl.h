/* registry_impl.h - the inside of struct registry, shared by the writing half (registry.c) and the
 * reading (registry_read.c).
 *
 * A series is a row: its key and where its pair numbers stand. Rows are numbered as they come; posting
 * lists hold rows.
 * Always true:
 *   1. Rows, pairs and postings change under the write lock only; the writer may read them without a lock.
 *   2. The pairs of a row are in the order of their names; the last one carries PAIR_LAST.
 *   3. by_pairs finds, for a set of pairs, the row with the highest series number: the one that new
 *      samples get. (Two rows may have equal labels when a series was forgotten, came again, and
 *      recovery brought the old one back.)
 * Threads: spellings, by_pairs, metrics, indexed bits: the writer only. */
#pragma once
#include <pthread.h>

#include "base/map.h"
#include "store/label_pool.h"
#include "store/postings.h"
#include "store/presence.h"
#include "store/registry.h"
#include "store/spelling.h"

#define PAIR_LAST 0x80000000u /* no pair number has this bit */

struct series_row {
    uint32_t metric_no, series_no;
    uint32_t pairs_at; /* in lists */
};

struct series_table {
    struct label_pool labels;
    struct paged postings; /* struct postings, by pair */
    struct paged rows;     /* struct series_row */
    struct paged lists;    /* uint32_t pair numbers; a list lies within one page */
    struct paged row_of;   /* uint32_t row + 1, by series number; 0 = unknown */
    uint32_t n_rows, lists_used;
    size_t postings_bytes;
    struct id_table by_pairs;
    struct map metrics; /* pair of __name__ -> metric number */
};

struct registry {
    pthread_rwlock_t lock;
    uint64_t max_series;
    struct registry_limits limits;
    enum reject refusal; /* the writer's */
    uint64_t bytes;      /* the writer's: as of the last look */
    uint32_t bytes_in;   /* new series until the next */
    uint32_t next_series_no, next_metric_no;
    struct series_table t;
    struct spelling_table spellings;
    struct presence **days; /* unsorted, few */
    size_t n_days, cap_days;
    struct presence *last; /* the writer's latest day */
    struct buf pack;       /* the writer's scratch */
};

static inline const struct series_row *table_row(const struct series_table *t, uint32_t row)
{
    return paged_at(&t->rows, row);
}
static inline const uint32_t *table_pairs(const struct series_table *t, uint32_t row)
{
    return paged_at(&t->lists, table_row(t, row)->pairs_at);
}
static inline series_key row_key(const struct series_row *row)
{
    return (series_key)row->metric_no << 32 | row->series_no;
}
static inline struct postings *table_postings(const struct series_table *t, uint32_t pair)
{
    return paged_at(&t->postings, pair);
}

/* The row of a key, or ID_NONE. */
uint32_t table_find_key(const struct series_table *, series_key);
struct presence *registry_day(const struct registry *, uint32_t day); /* NULL when not remembered */

static inline void registry_read_lock(const struct registry *r)
{
    pthread_rwlock_rdlock((pthread_rwlock_t *)&r->lock);
}
static inline void registry_unlock(const struct registry *r)
{
    pthread_rwlock_unlock((pthread_rwlock_t *)&r->lock);
}
