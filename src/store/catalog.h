/* catalog.h - the files that are the store right now, as an immutable list that readers pin.
 *
 * A change makes the manifest durable first, then swaps the list. A file that was dropped is closed and
 * unlinked when the last version that lists it is let go. `catalog_lock` is the store's state lock: whoever
 * must see files and heads in one moment (a view) or change both at once (the end of a flush) holds it for
 * that instant.
 *
 * Threads: any. Changes are serialised inside. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "store/day_index.h"
#include "store/manifest.h"
#include "store/part.h"
#include "store/record_part.h"
#include "store/table.h"

#define STORE_JOIN_MAX 16 /* files of one merge */

struct store_file {
    atomic_uint refs;
    atomic_bool is_doomed; /* dropped: unlink at the end */
    atomic_bool is_kept;   /* ... but keep what it was as NAME.damaged */
    struct file_id id;
    char *path;
    struct part *part;           /* FILE_PART */
    struct part *tier;           /* FILE_TIER_* */
    struct day_index *index;     /* FILE_INDEX */
    struct part_info info;       /* FILE_PART, FILE_TIER_* */
    struct record_part *records; /* FILE_LOGS, FILE_SPANS */
    uint64_t rows;               /* of all but FILE_INDEX, as are the times */
    int64_t min_ms, max_ms;
    uint64_t bytes;
    int64_t since_ms; /* wall clock when it was opened or made */
};

/* Opens the file that id names under dir. One reference, yours. */
int store_file_open(const char *dir, const struct file_id *, struct store_file **out, struct err *);
struct store_file *store_file_ref(struct store_file *);
void store_file_unref(struct store_file *);

struct version {
    atomic_uint refs;
    size_t n;
    struct store_file *at[]; /* by day, kind, sequence */
};
struct version *version_ref(struct version *);
void version_unref(struct version *);
/* Files of one kind in the days [first, last]: *n of them from the result on (parts and indexes of a day lie
 * apart: ask for one day at a time). */
struct store_file *const *version_day(const struct version *, uint32_t day, enum file_kind, size_t *n);
/* Index of the first file of `day` or later. */
size_t version_from(const struct version *, uint32_t day);

struct catalog;
/* files: those of the state, opened; their references are taken over when it works. The state is taken over
 * in any case. */
int catalog_open(const char *dir, struct manifest_state *, struct store_file **files, size_t n,
                 bool read_only, struct catalog **out, struct err *);
void catalog_close(struct catalog *);

void catalog_lock(struct catalog *);
void catalog_unlock(struct catalog *);
struct version *catalog_pin(struct catalog *);        /* a reference; takes the lock */
struct version *catalog_pin_locked(struct catalog *); /* you hold it */

struct catalog_change {
    struct store_file **add, **drop; /* add: the references move into the catalog when it works */
    size_t n_add, n_drop;
    uint64_t wal_floor;
    uint32_t next_series_no, next_metric_no;
    uint64_t records_floor;
    void (*swapped)(void *ctx); /* called under the lock, in the instant of the change; may be NULL */
    void *ctx;
};
/* On an error the list is as it was, but the disk may know the change: keep the files until catalog_settle
 * answers OK. */
int catalog_apply(struct catalog *, const struct catalog_change *, struct err *);
int catalog_settle(struct catalog *, struct err *);

uint64_t catalog_sequence(struct catalog *); /* a new one, never given out before */
