/* file.c - the only door to the disk.
 *
 * Always true:
 *   1. Every system call that touches the disk is counted by call_fails() just before it, and can
 *      be made to fail there. (A write told to fail is cut in half first: half the bytes arrive,
 *      then comes the error.)
 *   2. EINTR and short transfers never reach a caller. A failed fdatasync is reported once and
 *      never repeated: the kernel may have dropped the dirty pages, so a second call that succeeds
 *      would prove nothing.
 *   3. On an error the answer is ERR_FIND (no such file), ERR_FULL (no space left) or ERR_IO, with
 *      the path or, where only a descriptor is known, with what /proc says about it. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

/* ---- making calls fail ---- */

/* Globals, because the disk is one: a test counts and breaks the calls of whatever module it exercises. */
static _Atomic uint64_t calls, fail_at;
static atomic_int fail_errno;

void file_fail_at(uint64_t n, int with_errno)
{
    atomic_store(&fail_errno, with_errno);
    atomic_store(&fail_at, n ? atomic_load(&calls) + n : 0);
}

uint64_t file_calls(void)
{
    return atomic_load(&calls);
}

/* Counts a call; true (and errno set) when a test wants this one to fail. */
static bool call_fails(void)
{
    uint64_t n = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
    uint64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (LIKELY(n != at)) return false;
    errno = atomic_load(&fail_errno);
    return true;
}

/* ---- errors ---- */

static int code_of(int number)
{
    if (number == ENOENT) return ERR_FIND;
    return number == ENOSPC || number == EDQUOT ? ERR_FULL : ERR_IO;
}

static int fail_path(struct err *e, const char *what, const char *path)
{
    return err_errno(e, code_of(errno), "cannot %s %s", what, path);
}

struct fd_path {
    char text[512];
};

static struct fd_path path_of(int fd)
{
    struct fd_path path;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path.text, sizeof path.text - 1);
    if (n < 0)
        snprintf(path.text, sizeof path.text, "descriptor %d", fd);
    else
        path.text[n] = 0;
    return path;
}

static int fail_fd(struct err *e, const char *what, int fd)
{
    int saved = errno;
    struct fd_path path = path_of(fd);
    errno = saved;
    return fail_path(e, what, path.text);
}

/* ---- one file ---- */

int file_open(const char *path, int flags, struct err *e)
{
    int fd;
    do fd = call_fails() ? -1 : open(path, flags | O_CLOEXEC, 0640);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? fail_path(e, "open", path) : fd;
}

int file_close(int fd, struct err *e)
{
    struct fd_path path = path_of(fd); /* afterwards nobody knows it */
    bool told_to_fail = call_fails();
    int saved = errno;
    int rc = close(fd); /* Linux releases the descriptor whatever close says, so it is never repeated */
    if (told_to_fail) errno = saved;
    return (rc < 0 && errno != EINTR) || told_to_fail ? fail_path(e, "close", path.text) : OK;
}

enum { AT_POSITION = -1 };

static ssize_t write_some(int fd, const char *p, size_t n, int64_t at)
{
    return at == AT_POSITION ? write(fd, p, n) : pwrite(fd, p, n, at);
}

static int write_all(int fd, const char *p, size_t n, int64_t at, struct err *e)
{
    while (n > 0) {
        bool told_to_fail = call_fails();
        int saved = errno;
        ssize_t did = write_some(fd, p, told_to_fail ? n / 2 : n, at);
        if (told_to_fail && saved != EINTR) {
            errno = saved;
            return fail_fd(e, "write", fd);
        }
        if (did < 0 && errno != EINTR) return fail_fd(e, "write", fd);
        if (did <= 0) continue;
        p += did;
        n -= (size_t)did;
        if (at != AT_POSITION) at += did;
    }
    return OK;
}

int file_write(int fd, const void *p, size_t n, struct err *e)
{
    return write_all(fd, p, n, AT_POSITION, e);
}

int file_write_at(int fd, const void *p, size_t n, uint64_t at, struct err *e)
{
    check(at <= INT64_MAX);
    return write_all(fd, p, n, (int64_t)at, e);
}

int file_read_at(int fd, void *p, size_t n, uint64_t at, struct err *e)
{
    char *to = p;
    check(at <= INT64_MAX);
    while (n > 0) {
        ssize_t did = call_fails() ? -1 : pread(fd, to, n, (off_t)at);
        if (did < 0 && errno == EINTR) continue;
        if (did < 0) return fail_fd(e, "read", fd);
        if (did == 0) {
            struct fd_path path = path_of(fd);
            return err_set(e, ERR_CORRUPT, "%s ends at %llu, %zu bytes too early", path.text,
                           (unsigned long long)at, n);
        }
        to += did;
        n -= (size_t)did;
        at += (uint64_t)did;
    }
    return OK;
}

int file_sync(int fd, struct err *e)
{
    return call_fails() || fdatasync(fd) < 0 ? fail_fd(e, "sync", fd) : OK;
}

int file_allocate(int fd, uint64_t size, struct err *e)
{
    int rc;
    check(size <= INT64_MAX);
    do
        rc = call_fails() ? errno
                          : posix_fallocate(fd, 0, (off_t)size); /* answers an errno, does not set it */
    while (rc == EINTR);
    if (rc == 0) return OK;
    errno = rc;
    return fail_fd(e, "reserve space for", fd);
}

int file_truncate(int fd, uint64_t size, struct err *e)
{
    int rc;
    check(size <= INT64_MAX);
    do rc = call_fails() ? -1 : ftruncate(fd, (off_t)size);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? fail_fd(e, "truncate", fd) : OK;
}

int64_t file_size(int fd, struct err *e)
{
    struct stat s;
    if (call_fails() || fstat(fd, &s) < 0) return fail_fd(e, "stat", fd);
    return s.st_size;
}

/* ---- names ---- */

int file_sync_dir(const char *path, struct err *e)
{
    int fd = file_open(path, O_RDONLY | O_DIRECTORY, e);
    if (fd < 0) return fd;
    int rc = call_fails() || fsync(fd) < 0 ? fail_path(e, "sync directory", path) : OK;
    close(fd);
    return rc;
}

static int sync_parent(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return file_sync_dir(".", e);
    if (slash == path) return file_sync_dir("/", e);
    char *dir = str_dup(str_make(path, (size_t)(slash - path)));
    int rc = file_sync_dir(dir, e);
    mem_free(dir);
    return rc;
}

int file_rename(const char *from, const char *to, struct err *e)
{
    if (call_fails() || rename(from, to) < 0) return fail_path(e, "rename", from);
    return sync_parent(to, e);
}

int file_unlink(const char *path, struct err *e)
{
    return call_fails() || unlink(path) < 0 ? fail_path(e, "remove", path) : OK;
}

int file_link(const char *from, const char *to, struct err *e)
{
    return call_fails() || link(from, to) < 0 ? fail_path(e, "link", from) : OK;
}

static int make_dir(const char *path, struct err *e)
{
    struct stat s;
    if (!call_fails() && mkdir(path, 0750) == 0) return OK;
    if (errno != EEXIST) return fail_path(e, "make directory", path);
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) return OK;
    errno = ENOTDIR;
    return fail_path(e, "make directory", path);
}

int file_mkdirs(const char *path, struct err *e)
{
    char *prefix = mem_strdup(path);
    int rc = OK;
    for (char *p = prefix + 1; rc == OK && *prefix != 0 && *p != 0; p++) {
        if (*p != '/') continue;
        *p = 0;
        rc = make_dir(prefix, e);
        *p = '/';
    }
    if (rc == OK) rc = make_dir(prefix, e);
    mem_free(prefix);
    return rc;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---- whole files ---- */

static int slurp_fd(int fd, struct buf *out, struct err *e)
{
    char piece[16 << 10];
    for (;;) {
        ssize_t did = call_fails() ? -1 : read(fd, piece, sizeof piece);
        if (did < 0 && errno == EINTR) continue;
        if (did < 0) return fail_fd(e, "read", fd);
        if (did == 0) return OK;
        buf_add(out, piece, (size_t)did);
        if (out->full)
            return err_set(e, ERR_LIMIT, "%s is larger than %zu bytes", path_of(fd).text, out->max);
    }
}

int file_slurp(const char *path, struct buf *out, struct err *e)
{
    int fd = file_open(path, O_RDONLY, e);
    if (fd < 0) return fd;
    int rc = slurp_fd(fd, out, e);
    close(fd);
    return rc;
}

static int write_new(const char *path, struct str bytes, struct err *e)
{
    int rc, fd = file_open(path, O_WRONLY | O_CREAT | O_TRUNC, e);
    if (fd < 0) return fd;
    rc = file_write(fd, bytes.p, bytes.n, e);
    if (rc == OK) rc = file_sync(fd, e);
    int closed = file_close(fd, rc == OK ? e : NULL);
    return rc < 0 ? rc : closed;
}

int file_replace(const char *path, struct str bytes, struct err *e)
{
    struct buf tmp = BUF_INIT(SIZE_MAX / 4);
    buf_printf(&tmp, "%s.tmp", path);
    const char *name = buf_cstr(&tmp);

    int rc = write_new(name, bytes, e);
    if (rc < 0)
        unlink(name); /* tidy up; the next attempt would overwrite it anyway */
    else
        rc = file_rename(name, path, e);
    buf_release(&tmp);
    return rc;
}

/* ---- directories ---- */

static int keep_entry(const struct dirent *d)
{
    return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not alphasort: that depends on the locale */
}

static bool entry_is_dir(const char *dir, const struct dirent *d)
{
    if (d->d_type != DT_UNKNOWN && d->d_type != DT_LNK) return d->d_type == DT_DIR;

    struct buf path = BUF_INIT(1 << 20);
    struct stat s;
    buf_printf(&path, "%s/%s", dir, d->d_name);
    bool is_dir = stat(buf_cstr(&path), &s) == 0 && S_ISDIR(s.st_mode);
    buf_release(&path);
    return is_dir;
}

int file_list(const char *dir, int (*visit)(const char *name, bool is_dir, void *ctx), void *ctx,
              struct err *e)
{
    struct dirent **entries;
    int rc = OK, n = call_fails() ? -1 : scandir(dir, &entries, keep_entry, by_bytes);
    if (n < 0) return fail_path(e, "list", dir);
    for (int i = 0; i < n; i++) {
        if (rc == OK) rc = visit(entries[i]->d_name, entry_is_dir(dir, entries[i]), ctx);
        free(entries[i]); /* scandir's */
    }
    free(entries);
    return rc;
}

int64_t file_free_bytes(const char *path, struct err *e)
{
    struct statvfs s;
    if (call_fails() || statvfs(path, &s) < 0) return fail_path(e, "stat the file system of", path);
    uint64_t bytes;
    if (__builtin_mul_overflow((uint64_t)s.f_bavail, (uint64_t)s.f_frsize, &bytes) || bytes > INT64_MAX)
        return INT64_MAX;
    return (int64_t)bytes;
}

int file_lock(const char *path, struct err *e)
{
    int rc, fd = file_open(path, O_RDWR | O_CREAT, e);
    if (fd < 0) return fd;
    do rc = call_fails() ? -1 : flock(fd, LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    if (rc == 0) return fd;

    rc = errno == EWOULDBLOCK ? err_set(e, ERR_BUSY, "%s is locked by another process", path)
                              : fail_path(e, "lock", path);
    close(fd);
    return rc;
}
