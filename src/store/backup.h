/* backup.h - copies of a store in a directory of their own, each whole, together hardly more than one.
 *
 *     TARGET/objects/4f/4f0c...-1234   what a file holds, once, named by its hash (XXH3-128) and length
 *     TARGET/backups/20261121T091500Z  one backup: the names of its files, and which object each is
 *     TARGET/lock, TARGET/tmp/         one writer at a time; what it has not finished
 *
 * Nothing here knows what the files are: a backup is of a directory that does not change (a snapshot of the
 * store). So what is encrypted stays so, and tables that come later are backed up, too. Empty directories are
 * left out.
 *
 * A backup appears when all of its objects are on disk, by one rename. Whatever is cut short leaves the
 * earlier ones as they were, and is cleaned up by the next. The hash finds damage, not forgery. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define BACKUP_NAME_MAX 32

struct backup_report {
    uint64_t files, bytes;         /* of the backup */
    uint64_t new_files, new_bytes; /* copied now; the others were there */
    uint64_t damaged;              /* of a check: objects missing or not what they should be */
    char name[BACKUP_NAME_MAX];
};

struct backup_watch { /* may be all zeros */
    void (*progress)(void *ctx, uint64_t bytes, uint64_t of_bytes, uint64_t files);
    void (*line)(void *ctx, const char *text); /* findings of a check */
    void *ctx;
};

/* from: a directory nobody writes to. ERR_BUSY: another backup is being made there. */
int backup_make(const char *from, const char *target, int64_t now_ms, const struct backup_watch *,
                struct backup_report *, struct err *);
/* The newest backup made at or before at_ms, as the directory `to`, which must not exist; each byte checked.
 */
int backup_restore(const char *target, int64_t at_ms, const char *to, const struct backup_watch *,
                   struct backup_report *, struct err *);
/* Every object of every backup read and compared. ERR_CORRUPT: some are damaged, see the report. */
int backup_check(const char *target, const struct backup_watch *, struct backup_report *, struct err *);
/* Forgets all but the newest `keep` (> 0), then the objects that nobody needs. report: what went. */
int backup_prune(const char *target, uint64_t keep, struct backup_report *, struct err *);

struct backup_info {
    char name[BACKUP_NAME_MAX];
    int64_t time_ms;
    uint64_t files, bytes;
};
/* Oldest first. */
int backup_each(const char *target, void (*visit)(void *ctx, const struct backup_info *), void *ctx,
                struct err *);
