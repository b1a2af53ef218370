/* file.h - the only door to the disk: every open, read, write, sync, rename and unlink of ours goes through
 * here, so that one place can make call N fail, count calls and record them (tests only).
 *
 * Errors: ERR_IO with the path and errno's text; ERR_FULL for ENOSPC/EDQUOT; ERR_FIND for ENOENT.
 * EINTR and short transfers are handled inside. A failed sync is never retried: the file's state is unknown.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Returns a descriptor >= 0 or a negative code. flags as open(2); O_CLOEXEC is added. */
int file_open(const char *path, int flags, struct err *e);
int file_close(int fd, struct err *e);

int file_write(int fd, const void *p, size_t n, struct err *e); /* all of it, at the file position */
int file_write_at(int fd, const void *p, size_t n, uint64_t at, struct err *e); /* all of it */
/* Exactly n bytes; ERR_CORRUPT when the file ends before. */
int file_read_at(int fd, void *p, size_t n, uint64_t at, struct err *e);
int file_sync(int fd, struct err *e);                    /* fdatasync */
int file_allocate(int fd, uint64_t size, struct err *e); /* posix_fallocate */
int file_truncate(int fd, uint64_t size, struct err *e);
int64_t file_size(int fd, struct err *e);

int file_rename(const char *from, const char *to, struct err *e); /* and fsync of the target's directory */
int file_unlink(const char *path, struct err *e);
int file_link(const char *from, const char *to, struct err *e);
int file_mkdirs(const char *path, struct err *e); /* mkdir -p; existing is fine */
int file_sync_dir(const char *path, struct err *e);
bool file_exists(const char *path);

/* Whole small files. file_replace writes tmp, syncs, renames: readers see the old or the new. */
int file_slurp(const char *path, struct buf *out, struct err *e);
int file_replace(const char *path, struct str bytes, struct err *e);

/* Names in a directory (without . and ..), sorted. visit may return non-zero to stop, and that is returned.
 */
int file_list(const char *dir, int (*visit)(const char *name, bool is_dir, void *ctx), void *ctx,
              struct err *e);

int64_t file_free_bytes(const char *path, struct err *e); /* for unprivileged users */

/* An exclusive lock held until close: returns the descriptor, ERR_BUSY when another process has it. */
int file_lock(const char *path, struct err *e);

/* ---- tests only: calls that fail (what was done is recorded by file_trace.h) ---- */

enum file_op {
    FILE_ANY, /* every call */
    FILE_OPEN,
    FILE_CLOSE,
    FILE_READ,
    FILE_WRITE,
    FILE_SYNC, /* of a file or a directory */
    FILE_ALLOCATE,
    FILE_TRUNCATE,
    FILE_RENAME,
    FILE_UNLINK,
    FILE_LINK,
    FILE_MKDIR,
    FILE_LOOK, /* stat, list, statvfs, lock */
    FILE_OPS
};

/* The n-th call of this kind from now (1 = next), and the `more` ones that follow it, fail with this errno.
 * A write that is to fail writes half first; with EINTR, or 0 for a short write, it then goes on as writes
 * do. delay_ms is slept before the call, with or without an errno. */
struct file_fault {
    uint64_t n, more; /* n = 0: none */
    enum file_op op;
    int with_errno;
    unsigned delay_ms;
};
void file_fault_set(const struct file_fault *); /* NULL: none */
uint64_t file_calls_of(enum file_op);           /* since the process began */

/* The same for one call of any kind. 0 = off. */
void file_fail_at(uint64_t n, int with_errno);
uint64_t file_calls(void);
