/* file.h - the only door to the disk: every open, read, write, sync, rename and unlink of ours goes through
 * here, so that one place can make call N fail (file_fail_at, tests only) and count bytes.
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

/* Tests only: the n-th call from now (1 = next) that touches the disk fails with this errno (short writes:
 * EINTR after half). 0 = off. */
void file_fail_at(uint64_t n, int with_errno);
uint64_t file_calls(void);
