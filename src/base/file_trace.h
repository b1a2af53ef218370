/* file_trace.h - what file.c did to the disk, call by call: for tests that ask what a power cut would have
 * left.
 *
 * While a trace runs, every call under `root` that changes the disk or makes it remember is done under one
 * lock and appended to a log: so the log's order is the disk's. The log is a file; a process may be killed
 * and the next go on with it. tests/fault/common/disk_model.h makes crash images of it.
 *
 *     record: struct trace_record | path, n_path bytes | to, n_to bytes | bytes, n_bytes
 *
 * Not here: calls that only look. Beyond max_bytes nothing more is recorded, and file_trace_is_full says so.
 * Threads: any. In production all of this is one relaxed load a call. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum trace_kind {
    TRACE_OPEN = 1,    /* with O_CREAT or O_TRUNC: path, inode; at = 1: O_TRUNC */
    TRACE_WRITE,       /* inode, at, bytes */
    TRACE_SYNC,        /* inode */
    TRACE_SYNC_FAILED, /* inode: what was written before may be lost although a later sync succeeds */
    TRACE_SYNC_DIR,    /* path */
    TRACE_SIZE,        /* inode, at: truncated to this */
    TRACE_ALLOCATE,    /* inode, at: at least as large as this, zeros */
    TRACE_RENAME,      /* path, to */
    TRACE_LINK,        /* path, to */
    TRACE_UNLINK,      /* path */
    TRACE_MKDIR,       /* path */
    TRACE_MARK,        /* bytes: a note of the test */
};

struct trace_record {
    uint64_t kind, inode, at;
    int64_t mono_ns;
    uint64_t n_path, n_to, n_bytes;
};

/* Paths are recorded relative to root, which must be the prefix that the program under test uses. */
int file_trace_start(const char *root, const char *log, uint64_t max_bytes, struct err *);
void file_trace_stop(void);
bool file_trace_is_full(void);
uint64_t file_trace_records(void); /* since file_trace_start */
/* SIGKILL to ourselves, exactly after this record or the first one of the kind (0: any) behind it; 0 = never
 */
void file_trace_die_after(uint64_t records, enum trace_kind);
void file_trace_mark(const void *bytes, size_t n); /* nothing when no trace runs */

/* ---- for file.c ---- */

extern atomic_bool file_trace_on;

/* Around a call, when file_trace_on. The lock is held from begin to end; errno survives both. did: it has
 * worked, and is to be recorded. */
void file_trace_begin(void);
void file_trace_fd(bool did, enum trace_kind, int fd, uint64_t at, const void *bytes, size_t n);
void file_trace_path(bool did, enum trace_kind, const char *path, const char *to);
void file_trace_open(int fd, const char *path, int flags);
