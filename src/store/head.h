/* head.h - the newest rows, in memory, until they go to a part: samples in slabs (slab.h) grouped by UTC day
 * and kind, logs and spans in record heads (record_head.h).
 *
 * A store has one head that takes rows; when it is flushed a fresh one takes its place, and the old one stays
 * readable until its parts are in the catalog. Every day has its own slabs, so late rows need no option: they
 * only start small.
 *
 * Threads: head_add, head_keep, head_each_fresh and head_publish by the writer (the store's write lock). The
 * rest by any thread with a reference. Inside, `mu` is held for a few instructions when slabs are added,
 * published, pinned or replaced. */
#pragma once
#include "store/record_head.h"
#include "store/slab.h"

struct head;

struct head *head_new(void); /* one reference, yours */
struct head *head_ref(struct head *);
void head_unref(struct head *);

/* Rows are not seen before head_publish. time_ms >= 0. A histogram's bits are head_keep's pointer. */
void head_add(struct head *, enum row_kind, series_key, int64_t time_ms, uint64_t bits);
uint64_t head_keep(struct head *, const struct histogram *); /* a copy that lives as long as the head */
/* The rows added since the last publish, slab by slab: for the WAL. */
void head_each_fresh(struct head *, void (*visit)(void *ctx, const struct slab *, uint32_t from), void *ctx);
void head_publish(struct head *);

/* Logs or spans; takes the chunk. Not seen before head_publish either. */
void head_add_chunk(struct head *, enum table, struct head_chunk *);
struct record_head *head_records(struct head *, enum table);

bool head_is_empty(struct head *);
size_t head_bytes(struct head *);                                 /* memory taken, of all tables */
uint64_t head_rows(struct head *);                                /* of metrics, as are the times */
void head_times(struct head *, int64_t *min_ms, int64_t *max_ms); /* INT64_MAX, INT64_MIN when empty */
int64_t head_since_ns(struct head *); /* clock_mono_ns of the first row; 0: empty */

/* Sort what is full, outside all locks: readers and the flush find it done. */
void head_sort_full(struct head *);

/* A moment of the head: which slabs, and how many rows of each. */
struct head_piece {
    struct slab *slab; /* a reference */
    uint32_t rows;
};
struct head_pin {
    struct head *head;     /* a reference */
    struct head_piece *at; /* by day, kind, then in order of arrival */
    size_t n;
    size_t chunks[TABLE_COUNT]; /* of the record heads */
};
void head_pin(struct head *, uint32_t first_day, uint32_t last_day, struct head_pin *); /* days inclusive */
void head_unpin(struct head_pin *);

/* Days that have rows, sorted; yours (mem_free). */
size_t head_days(struct head *, uint32_t **out);
