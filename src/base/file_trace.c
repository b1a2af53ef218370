/* file_trace.c - see file_trace.h. It writes its log with the bare system calls: through file.c it would
 * record itself. */
#include "base/file_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

atomic_bool file_trace_on;

/* Globals, as the disk is one. */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int log; /* a descriptor */
    char *root;
    size_t n_root;
    uint64_t bytes, max_bytes, records, die_after;
    enum trace_kind die_kind; /* 0: any */
    bool is_full;
} trace = { .log = -1 };

int file_trace_start(const char *root, const char *log, uint64_t max_bytes, struct err *e)
{
    struct stat s;
    check(trace.log < 0);
    trace.log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (trace.log < 0 || fstat(trace.log, &s) < 0)
        return err_errno(e, ERR_IO, "cannot open the trace %s", log);
    trace.root = mem_strdup(root);
    trace.n_root = strlen(root);
    trace.bytes = (uint64_t)s.st_size;
    trace.max_bytes = max_bytes;
    trace.records = trace.die_after = 0;
    trace.is_full = false;
    atomic_store(&file_trace_on, true);
    return OK;
}

void file_trace_stop(void)
{
    atomic_store(&file_trace_on, false);
    pthread_mutex_lock(&mu); /* a call that had begun ends */
    if (trace.log >= 0) close(trace.log);
    trace.log = -1;
    mem_free(trace.root);
    trace.root = NULL;
    pthread_mutex_unlock(&mu);
}

bool file_trace_is_full(void)
{
    pthread_mutex_lock(&mu);
    bool is_full = trace.is_full;
    pthread_mutex_unlock(&mu);
    return is_full;
}

uint64_t file_trace_records(void)
{
    pthread_mutex_lock(&mu);
    uint64_t n = trace.records;
    pthread_mutex_unlock(&mu);
    return n;
}

void file_trace_die_after(uint64_t records, enum trace_kind kind)
{
    pthread_mutex_lock(&mu);
    trace.die_after = records;
    trace.die_kind = kind;
    pthread_mutex_unlock(&mu);
}

/* ---- recording, with mu held ---- */

static void record(struct trace_record *r, const char *path, const char *to, const void *bytes)
{
    if (trace.log < 0) return;
    r->mono_ns = clock_mono_ns();
    struct iovec v[] = { { r, sizeof *r },
                         { (void *)path, (size_t)r->n_path },
                         { (void *)to, (size_t)r->n_to },
                         { (void *)bytes, (size_t)r->n_bytes } };
    uint64_t n = sizeof *r + r->n_path + r->n_to + r->n_bytes;
    if (trace.is_full || n > trace.max_bytes - MIN(trace.bytes, trace.max_bytes)) {
        trace.is_full = true;
        return;
    }
    check(writev(trace.log, v, COUNT(v)) == (ssize_t)n);
    trace.bytes += n;
    trace.records++;
    bool is_time = trace.die_after > 0 && trace.records >= trace.die_after;
    if (is_time && (trace.die_kind == 0 || trace.die_kind == r->kind)) raise(SIGKILL);
}

/* The path below root; NULL when it is not there. */
static const char *below_root(const char *path)
{
    if (trace.root == NULL || strncmp(path, trace.root, trace.n_root) != 0) return NULL;
    if (path[trace.n_root] != '/' && path[trace.n_root] != 0) return NULL;
    return path + trace.n_root;
}

void file_trace_begin(void)
{
    int saved = errno;
    pthread_mutex_lock(&mu);
    errno = saved;
}

static void end(int saved)
{
    pthread_mutex_unlock(&mu);
    errno = saved;
}

void file_trace_fd(bool did, enum trace_kind kind, int fd, uint64_t at, const void *bytes, size_t n)
{
    int saved = errno;
    struct stat s;
    if (did && fstat(fd, &s) == 0) {
        struct trace_record r = { .kind = kind, .inode = s.st_ino, .at = at, .n_bytes = n };
        record(&r, NULL, NULL, bytes);
    }
    end(saved);
}

void file_trace_path(bool did, enum trace_kind kind, const char *path, const char *to)
{
    int saved = errno;
    const char *from = did ? below_root(path) : NULL;
    const char *target = did && to != NULL ? below_root(to) : NULL;
    if (from != NULL && (to == NULL || target != NULL)) {
        struct trace_record r = { .kind = kind, .n_path = strlen(from), .n_to = target ? strlen(target) : 0 };
        record(&r, from, target, NULL);
    }
    end(saved);
}

void file_trace_open(int fd, const char *path, int flags)
{
    int saved = errno;
    struct stat s;
    const char *from = fd >= 0 && (flags & (O_CREAT | O_TRUNC)) ? below_root(path) : NULL;
    if (from != NULL && fstat(fd, &s) == 0) {
        struct trace_record r = { .kind = TRACE_OPEN, .inode = s.st_ino, .at = (flags & O_TRUNC) != 0 };
        r.n_path = strlen(from);
        record(&r, from, NULL, NULL);
    }
    end(saved);
}

void file_trace_mark(const void *bytes, size_t n)
{
    if (!atomic_load(&file_trace_on)) return;
    file_trace_begin();
    struct trace_record r = { .kind = TRACE_MARK, .n_bytes = n };
    record(&r, NULL, NULL, bytes);
    end(errno);
}
