/* file.c - the only door to the disk.
 *
 * Always true:
 *   1. Every system call that touches the disk is counted by call_fails() just before it, and can
 *      be made to fail there. (A write told to fail is cut in half first: half the bytes arrive,
 *      then comes the error.) Those that change the disk can be recorded: do_*().
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
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file_trace.h"
#include "base/mem.h"

/* ---- making calls fail ---- */

/* Globals, because the disk is one: a test counts and breaks the calls of whatever module it exercises. */
static _Atomic uint64_t calls[FILE_OPS];
static struct {
    _Atomic uint64_t from, until; /* of calls[op]; from = 0: nothing fails */
    atomic_int op, number;
    atomic_uint delay_ms;
} fault;

void file_fault_set(const struct file_fault *f)
{
    atomic_store(&fault.from, 0);
    if (f == NULL || f->n == 0) return;
    check(f->op < FILE_OPS);
    uint64_t from = atomic_load(&calls[f->op]) + f->n, until;
    if (__builtin_add_overflow(from + 1, f->more, &until)) until = UINT64_MAX;
    atomic_store(&fault.op, (int)f->op);
    atomic_store(&fault.number, f->with_errno);
    atomic_store(&fault.delay_ms, f->delay_ms);
    atomic_store(&fault.until, until);
    atomic_store(&fault.from, from);
}

void file_fail_at(uint64_t n, int with_errno)
{
    file_fault_set(&(struct file_fault){ .n = n, .with_errno = with_errno });
}

uint64_t file_calls_of(enum file_op op)
{
    return atomic_load(&calls[op]);
}

uint64_t file_calls(void)
{
    return file_calls_of(FILE_ANY);
}

static bool is_chosen(enum file_op op, uint64_t n_any, uint64_t n_op)
{
    uint64_t from = atomic_load(&fault.from);
    enum file_op want = (enum file_op)atomic_load(&fault.op);
    uint64_t n = want == FILE_ANY ? n_any : n_op;
    return from != 0 && (want == FILE_ANY || want == op) && n >= from && n < atomic_load(&fault.until);
}

/* Counts a call; true (and errno set) when a test wants this one to fail. */
static bool call_fails(enum file_op op)
{
    uint64_t n_any = atomic_fetch_add_explicit(&calls[FILE_ANY], 1, memory_order_relaxed) + 1;
    uint64_t n_op = atomic_fetch_add_explicit(&calls[op], 1, memory_order_relaxed) + 1;
    if (LIKELY(atomic_load_explicit(&fault.from, memory_order_relaxed) == 0)) return false;
    if (!is_chosen(op, n_any, n_op)) return false;

    unsigned ms = atomic_load(&fault.delay_ms);
    if (ms > 0) nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000l }, NULL);
    int number = atomic_load(&fault.number);
    bool is_short = number == 0 && ms == 0;
    errno = number;
    return number != 0 || (is_short && op == FILE_WRITE);
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

/* ---- calls that change the disk: as they are, or between the two ends of a record (file_trace.h) ---- */

static bool traced(void)
{
    return UNLIKELY(atomic_load_explicit(&file_trace_on, memory_order_relaxed));
}

static int do_open(const char *path, int flags)
{
    if (!traced()) return open(path, flags | O_CLOEXEC, 0640);
    file_trace_begin();
    int fd = open(path, flags | O_CLOEXEC, 0640);
    file_trace_open(fd, path, flags);
    return fd;
}

enum { AT_POSITION = -1 };

static ssize_t do_write(int fd, const char *p, size_t n, int64_t at)
{
    if (!traced()) return at == AT_POSITION ? write(fd, p, n) : pwrite(fd, p, n, at);
    file_trace_begin();
    if (at == AT_POSITION) at = lseek(fd, 0, SEEK_CUR);
    ssize_t did = pwrite(fd, p, n, at);
    if (did > 0) lseek(fd, at + did, SEEK_SET);
    file_trace_fd(did > 0, TRACE_WRITE, fd, (uint64_t)at, p, did > 0 ? (size_t)did : 0);
    return did;
}

static int do_sync(int fd, bool told_to_fail)
{
    if (!traced()) return told_to_fail ? -1 : fdatasync(fd);
    file_trace_begin();
    int rc = told_to_fail ? -1 : fdatasync(fd);
    file_trace_fd(true, rc == 0 ? TRACE_SYNC : TRACE_SYNC_FAILED, fd, 0, NULL, 0);
    return rc;
}

/* posix_fallocate answers an errno and does not set it. */
static int do_allocate(int fd, uint64_t size)
{
    if (!traced()) return posix_fallocate(fd, 0, (off_t)size);
    file_trace_begin();
    int rc = posix_fallocate(fd, 0, (off_t)size);
    file_trace_fd(rc == 0, TRACE_ALLOCATE, fd, size, NULL, 0);
    return rc;
}

static int do_truncate(int fd, uint64_t size)
{
    if (!traced()) return ftruncate(fd, (off_t)size);
    file_trace_begin();
    int rc = ftruncate(fd, (off_t)size);
    file_trace_fd(rc == 0, TRACE_SIZE, fd, size, NULL, 0);
    return rc;
}

static int call_names(enum trace_kind kind, const char *path, const char *to)
{
    switch (kind) {
    case TRACE_RENAME: return rename(path, to);
    case TRACE_LINK: return link(path, to);
    case TRACE_UNLINK: return unlink(path);
    default: return mkdir(path, 0750);
    }
}

static int do_names(enum trace_kind kind, const char *path, const char *to)
{
    if (!traced()) return call_names(kind, path, to);
    file_trace_begin();
    int rc = call_names(kind, path, to);
    file_trace_path(rc == 0, kind, path, to);
    return rc;
}

static int do_sync_dir(int fd, const char *path)
{
    if (!traced()) return fsync(fd);
    file_trace_begin();
    int rc = fsync(fd);
    file_trace_path(rc == 0, TRACE_SYNC_DIR, path, NULL);
    return rc;
}

/* ---- one file ---- */

int file_open(const char *path, int flags, struct err *e)
{
    int fd;
    do fd = call_fails(FILE_OPEN) ? -1 : do_open(path, flags);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? fail_path(e, "open", path) : fd;
}

int file_close(int fd, struct err *e)
{
    struct fd_path path = path_of(fd); /* afterwards nobody knows it */
    bool told_to_fail = call_fails(FILE_CLOSE);
    int saved = errno;
    int rc = close(fd); /* Linux releases the descriptor whatever close says, so it is never repeated */
    if (told_to_fail) errno = saved;
    return (rc < 0 && errno != EINTR) || told_to_fail ? fail_path(e, "close", path.text) : OK;
}

static int write_all(int fd, const char *p, size_t n, int64_t at, struct err *e)
{
    while (n > 0) {
        bool told_to_fail = call_fails(FILE_WRITE);
        int saved = errno;
        ssize_t did = do_write(fd, p, told_to_fail ? n / 2 : n, at);
        if (told_to_fail && saved != EINTR && saved != 0) {
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
        ssize_t did = call_fails(FILE_READ) ? -1 : pread(fd, to, n, (off_t)at);
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
    return do_sync(fd, call_fails(FILE_SYNC)) < 0 ? fail_fd(e, "sync", fd) : OK;
}

int file_allocate(int fd, uint64_t size, struct err *e)
{
    int rc;
    check(size <= INT64_MAX);
    do rc = call_fails(FILE_ALLOCATE) ? errno : do_allocate(fd, size);
    while (rc == EINTR);
    if (rc == 0) return OK;
    errno = rc;
    return fail_fd(e, "reserve space for", fd);
}

int file_truncate(int fd, uint64_t size, struct err *e)
{
    int rc;
    check(size <= INT64_MAX);
    do rc = call_fails(FILE_TRUNCATE) ? -1 : do_truncate(fd, size);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? fail_fd(e, "truncate", fd) : OK;
}

int64_t file_size(int fd, struct err *e)
{
    struct stat s;
    if (call_fails(FILE_LOOK) || fstat(fd, &s) < 0) return fail_fd(e, "stat", fd);
    return s.st_size;
}

/* ---- names ---- */

int file_sync_dir(const char *path, struct err *e)
{
    int fd = file_open(path, O_RDONLY | O_DIRECTORY, e);
    if (fd < 0) return fd;
    int rc = call_fails(FILE_SYNC) || do_sync_dir(fd, path) < 0 ? fail_path(e, "sync directory", path) : OK;
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
    if (call_fails(FILE_RENAME) || do_names(TRACE_RENAME, from, to) < 0) return fail_path(e, "rename", from);
    return sync_parent(to, e);
}

int file_unlink(const char *path, struct err *e)
{
    return call_fails(FILE_UNLINK) || do_names(TRACE_UNLINK, path, NULL) < 0 ? fail_path(e, "remove", path)
                                                                             : OK;
}

int file_link(const char *from, const char *to, struct err *e)
{
    return call_fails(FILE_LINK) || do_names(TRACE_LINK, from, to) < 0 ? fail_path(e, "link", from) : OK;
}

static int make_dir(const char *path, struct err *e)
{
    struct stat s;
    if (!call_fails(FILE_MKDIR) && do_names(TRACE_MKDIR, path, NULL) == 0) return OK;
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
        ssize_t did = call_fails(FILE_READ) ? -1 : read(fd, piece, sizeof piece);
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
        file_unlink(name, NULL); /* tidy up; the next attempt would overwrite it anyway */
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
    int rc = OK, n = call_fails(FILE_LOOK) ? -1 : scandir(dir, &entries, keep_entry, by_bytes);
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
    if (call_fails(FILE_LOOK) || statvfs(path, &s) < 0) return fail_path(e, "stat the file system of", path);
    uint64_t bytes;
    if (__builtin_mul_overflow((uint64_t)s.f_bavail, (uint64_t)s.f_frsize, &bytes) || bytes > INT64_MAX)
        return INT64_MAX;
    return (int64_t)bytes;
}

int file_lock(const char *path, struct err *e)
{
    int rc, fd = file_open(path, O_RDWR | O_CREAT, e);
    if (fd < 0) return fd;
    do rc = call_fails(FILE_LOOK) ? -1 : flock(fd, LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    if (rc == 0) return fd;

    rc = errno == EWOULDBLOCK ? err_set(e, ERR_BUSY, "%s is locked by another process", path)
                              : fail_path(e, "lock", path);
    close(fd);
    return rc;
}
