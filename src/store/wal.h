/* wal.h - what lets the head survive a crash: records appended by writers, made durable in groups by one
 * thread.
 *
 *     struct buf *b = wal_begin(w);          the pending buffer, locked for you
 *     wal_put_rows(b, ...);                  wal_record.h
 *     wal_end(w, true, done, ctx);           done(ctx, rc) when the disk has it (or has refused it)
 *
 * Group commit needs no timer: while one group is being synced the next one gathers. Frames that were not
 * synced stay in memory; after a failure their writers are told, later writes are refused, and once a second
 * the frames are written again into a NEW segment: a failed sync is never asked a second time. When that
 * works, writes are welcome again.
 *
 * Threads: any, but wal_begin..wal_end is short and never nested. `done` is called on the committer's thread,
 * no locks held. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/store.h"
#include "store/wal_record.h"

struct wal;

struct wal_conf {
    const char *dir;
    uint64_t segment_bytes;   /* 0 = 64 MiB, preallocated */
    int64_t sync_interval_ms; /* for records nobody waits for; 0 = 1000 */
    int64_t retry_ms;         /* after a refusal of the disk; 0 = 1000 */
    uint64_t next_segment;    /* number of the first segment to make */
    uint64_t next_lsn;        /* of the first frame */
};

int wal_open(const struct wal_conf *, struct wal **,
             struct err *);   /* starts the committer; makes no segment yet */
void wal_close(struct wal *); /* commits what is pending; NULL is fine */

struct buf *wal_begin(struct wal *);
void wal_end(struct wal *, bool durable, store_done *done, void *ctx); /* done may be NULL */

/* May a writer begin? OK; ERR_BUSY: too much pending; ERR_FULL, ERR_IO: the disk refuses, see above. Cheap.
 */
int wal_ready(struct wal *, struct err *);
int wal_sync(struct wal *, struct err *); /* all that was appended before this call is durable */

/* Everything appended from now on goes to a later segment. wal_cut_wait says which: once the rows before the
 * cut are in parts, segments below it may go. It waits for the committer; ERR_* when the disk refuses (ask
 * again later). */
uint64_t wal_cut(struct wal *);
int wal_cut_wait(struct wal *, uint64_t cut, uint64_t *segment, struct err *);
void wal_drop_below(struct wal *, uint64_t segment);
void wal_adopt(struct wal *, uint64_t segment,
               uint64_t bytes); /* recovery: a segment that is there already */

uint64_t wal_bytes(struct wal *); /* in segments not dropped yet */
/* What a segment reserves on a disk with so much free space: the whole, or a sixteenth of what is free. */
uint64_t wal_segment_room(uint64_t free_bytes, uint64_t segment_bytes /* 0 = 64 MiB */);

/* ---- reading back ---- */

struct wal_report {
    uint64_t segments, frames, bytes; /* read */
    uint64_t torn;                    /* segments with an unfinished end: normal after a crash */
    uint64_t holes, skipped_bytes; /* damage: unreadable bytes with good frames behind them, or bad records */
    uint64_t missing;              /* frames whose numbers are nowhere */
    uint64_t last_segment, next_lsn; /* highest found; 0 and 1 when there are none */
};

/* Visit all records of the segments from `floor` on, oldest first. Damage is counted, reported through say()
 * and skipped, never an error; errors are those of the visitor and of the disk. begin(segment) comes before
 * each segment's records. */
struct wal_reader {
    struct wal_visitor visit;
    int (*begin)(void *ctx, uint64_t segment, uint64_t bytes);
    void (*say)(void *ctx, const char *text);
    bool keep_damaged; /* link a damaged segment aside as NAME.damaged */
};
int wal_replay(const char *dir, uint64_t floor, const struct wal_reader *, struct wal_report *, struct err *);

/* Names: 16 digits of decimal, in the WAL directory. */
#define WAL_SEGMENT_HEAD 32
void wal_segment_path(char *out, size_t cap, const char *dir, uint64_t segment);
bool wal_segment_number(const char *name, uint64_t *out);
/* Segment header. Damaged or foreign: false. */
void wal_segment_head(char out[WAL_SEGMENT_HEAD], uint64_t segment);
bool wal_segment_head_valid(struct str head, uint64_t segment);
