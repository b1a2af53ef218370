/* wal_impl.h - the inside of a WAL, shared by its two halves: wal.c (writers, names, life) and commit.c (the
 * committer).
 *
 * Threads: `mu` guards what stands under it; the rest belongs to the committer's thread alone. */
#pragma once
#include <pthread.h>

#include "base/stat.h"
#include "store/seal.h"
#include "store/wal.h"

#define WAL_PENDING_MAX (64u << 20) /* beyond, writers are told to come back */

struct waiter {
    store_done *done;
    void *ctx;
};

/* What gathers between two turns of the committer, or up to a cut. */
struct group {
    struct group *next;
    struct buf raw;
    struct waiter *waiters;
    size_t n_waiters, cap_waiters;
    bool durable; /* somebody waits */
    uint64_t cut; /* begins a new segment: number of the cut, else 0 */
    int64_t since_ns;
};

struct segment {
    uint64_t number, bytes;
};

struct wal {
    char *dir;
    uint64_t segment_bytes;
    int64_t sync_interval_ns, retry_after_ns;

    pthread_mutex_t mu;
    pthread_cond_t wake, turned; /* for the committer; for wal_sync and wal_cut_wait */
    struct group *first, *last;
    size_t pending;
    bool stop;
    int verdict; /* OK, ERR_FULL or ERR_IO: what writers are told */
    char why[256];
    uint64_t cuts, cuts_done, cut_segment;
    uint64_t appended, synced; /* wal_end calls; how many of them are durable */
    struct segment *segments;
    size_t n_segments, cap_segments;

    /* The committer's own. */
    pthread_t thread;
    int fd;        /* -1: no segment is open */
    uint64_t room; /* of the open segment: what was reserved for it */
    uint64_t number, at, next_lsn;
    uint64_t taken;           /* wal_end calls seen by the committer */
    struct cipher_user *user; /* NULL: frames are not sealed */
    struct buf unsynced;
    size_t written;      /* bytes of unsynced that are in the file */
    struct waiter *held; /* of unsynced */
    size_t n_held, cap_held;
    bool sync_now;
    int64_t unsynced_since_ns, retry_ns;

    struct stat *bytes_total, *syncs_total, *sync_seconds, *failures_total;
};

void *wal_committer(void *wal);                 /* the thread; ends after a last commit when `stop` is set */
void wal_release_waiters(struct wal *, int rc); /* those of frames not synced */
void wal_segment_end(struct wal *);
