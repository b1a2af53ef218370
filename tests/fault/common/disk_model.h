/* disk_model.h - what a disk may hold after a power cut, worked out from a trace (base/file_trace.h).
 *
 * The model makes the weakest promises that a file system on Linux may make:
 *   1. Bytes and sizes are safe from the fdatasync that followed them on; before, each sector (512 bytes or
 *      4 KiB, per image) of each write is there or not, in any order, whatever happened to its neighbours. A
 *      sector inside the size of a file that never arrived is zeros, or garbage.
 *   2. A name (created, linked, renamed, removed; a directory's too) is safe from the fsync of its directory
 *      on; before, each such change is there or not, in any order. A rename is one change. Syncing a file
 * does not make its name safe.
 *   3. After a sync that failed, what was written before it is never safe again, though a later sync
 * succeeds. Ext4, XFS and Btrfs promise more. Not modelled: sectors that rot, disks that lie about a flush.
 *
 * One thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file_trace.h"

struct disk;

/* A disk that holds what is below root now, all of it safe. */
struct disk *disk_new(const char *root);
void disk_free(struct disk *);

/* A trace in memory. Records of the trace must go to disk_apply in order. */
struct trace {
    char *bytes;
    size_t n_bytes;
    size_t *at; /* where each record begins */
    size_t n;
};
bool trace_load(const char *path, struct trace *); /* false: not readable, or not to its end */
void trace_release(struct trace *);
const struct trace_record *trace_get(const struct trace *, size_t i, const char **path, const char **bytes);

void disk_apply(struct disk *, const struct trace *, size_t record);

/* One of the things that may be left if the power goes now, made below `to` (which must exist and be empty).
 * The seed decides all. The description says which kind of loss it was. */
struct disk_loss {
    char text[96];
    uint64_t lost; /* changes and sectors that were not there any more */
};
bool disk_image(const struct disk *, uint64_t seed, const char *to, struct disk_loss *);
