/* crew.c - see crew.h. */
#include "fault/common/crew.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

enum { JOBS_MAX = 16, FAILURES_SHOWN = 40 };

static struct shared {
    _Atomic uint64_t figures[CREW_FIGURES], failures;
    _Atomic size_t current[JOBS_MAX];
} * shared;
static const char *name;
static unsigned jobs;

void crew_init(const char *program, unsigned n)
{
    name = program;
    jobs = MIN(MAX(n, 1), JOBS_MAX);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(shared != MAP_FAILED);
    setvbuf(stdout, NULL, _IOLBF, 0);
}

void crew_wrong(const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    if (atomic_fetch_add(&shared->failures, 1) >= FAILURES_SHOWN) return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    printf("# WRONG: %s\n", text);
}

void crew_count(unsigned figure, uint64_t n)
{
    atomic_fetch_add(&shared->figures[figure], n);
}

void crew_most(unsigned figure, uint64_t n)
{
    uint64_t was = atomic_load(&shared->figures[figure]);
    while (n > was && !atomic_compare_exchange_weak(&shared->figures[figure], &was, n)) continue;
}

uint64_t crew_figure(unsigned figure)
{
    return atomic_load(&shared->figures[figure]);
}

uint64_t crew_failures(void)
{
    return atomic_load(&shared->failures);
}

int crew_exit(void)
{
    uint64_t n = crew_failures();
    if (n == 0)
        printf("ok %s\n", name);
    else
        printf("not ok %s: %llu findings\n", name, (unsigned long long)n);
    return n > 0;
}

/* Every case from `from` on that is this process' own. */
static void share(size_t from, size_t n, unsigned k, void (*run)(void *, size_t, unsigned), void *ctx)
{
    for (size_t i = from; i < n; i += jobs) {
        atomic_store(&shared->current[k], i);
        run(ctx, i, k);
    }
}

static pid_t begin(size_t from, size_t n, unsigned k, void (*run)(void *, size_t, unsigned), void *ctx)
{
    fflush(stdout);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid > 0) return pid;
    share(from, n, k, run, ctx);
    fflush(stdout);
    _exit(0);
}

void crew_cases(size_t n, void (*run)(void *ctx, size_t i, unsigned process), void *ctx)
{
    pid_t pids[JOBS_MAX] = { 0 };
    unsigned alive = 0;
    for (unsigned k = 0; k < jobs && k < n; k++, alive++) pids[k] = begin(k, n, k, run, ctx);
    while (alive > 0) {
        int status;
        pid_t pid = wait(&status);
        unsigned k = 0;
        while (k < jobs && pids[k] != pid) k++;
        if (k == jobs) continue;
        size_t next = atomic_load(&shared->current[k]) + jobs;
        bool died = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        if (died) crew_wrong("case %zu: the process died (status %#x)", next - jobs, (unsigned)status);
        pids[k] = died && next < n ? begin(next, n, k, run, ctx) : 0;
        alive -= pids[k] == 0;
    }
}

/* ---- directories ---- */

static char scratch[64];

const char *scratch_make(void)
{
    const char *at = getenv("VEDETTE_FAULT_DIR")     ? getenv("VEDETTE_FAULT_DIR")
                     : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                                     : "/tmp";
    snprintf(scratch, sizeof scratch, "%.40s/vedette-fault-XXXXXX", at);
    check(mkdtemp(scratch) != NULL);
    return scratch;
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *where)
{
    (void)s, (void)kind, (void)where;
    return remove(path);
}

void tree_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_remove(void)
{
    tree_remove(scratch);
}

static void file_copy(const char *from, const char *to, size_t n)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    static char piece[64 << 10], zeros[64 << 10];
    check(in >= 0 && out >= 0);
    for (size_t at = 0; at < n;) {
        ssize_t did = pread(in, piece, MIN(sizeof piece, n - at), (off_t)at);
        check(did > 0);
        if (memcmp(piece, zeros, (size_t)did) != 0) check(pwrite(out, piece, (size_t)did, (off_t)at) == did);
        at += (size_t)did;
    }
    check(ftruncate(out, (off_t)n) == 0);
    close(in);
    close(out);
}

void tree_copy(const char *from, const char *to)
{
    struct stat s;
    check(stat(from, &s) == 0);
    if (!S_ISDIR(s.st_mode)) {
        file_copy(from, to, (size_t)s.st_size);
        return;
    }
    check(mkdir(to, 0750) == 0);
    DIR *h = opendir(from);
    check(h != NULL);
    for (struct dirent *e; (e = readdir(h)) != NULL;) {
        char a[4096], b[4096];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        check(snprintf(a, sizeof a, "%s/%s", from, e->d_name) < (int)sizeof a);
        check(snprintf(b, sizeof b, "%s/%s", to, e->d_name) < (int)sizeof b);
        tree_copy(a, b);
    }
    closedir(h);
}
