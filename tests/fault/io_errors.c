/* io_errors.c - every call to the disk fails once, in six ways.
 *
 *     io_errors [--every N] [--jobs J]
 *
 * A script writes, flushes, merges, drops old days, makes a snapshot, is killed, opens again, and closes.
 * First it runs undisturbed, and its calls are counted. Then it runs once for each call and kind of failure.
 * Whatever the script is told, a store must not crash or hang, and must never answer wrongly: a read gives an
 * error or what was written; a waiter that is refused finds `read_only` in the status. When the failure is
 * over, the store takes writes again within five seconds, holds all that was acknowledged, and fsck finds
 * nothing. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "fault/common/crew.h"
#include "fault/common/work.h"

enum { HANG_SECONDS = 120, RECOVER_MS = 5000, BATCHES = 90, LAST = WORK_BATCHES - 1 };
enum figure { ROUNDS, FIRED, REFUSED, START_REFUSED, READ_REFUSED, ADMIN_REFUSED, ROWS, SLOWEST_MS };

static const struct kind {
    const char *name;
    enum file_op op;
    int with_errno;
} kinds[] = {
    { "EIO", FILE_ANY, EIO },          { "ENOSPC", FILE_ANY, ENOSPC },
    { "EINTR", FILE_ANY, EINTR },      { "short write", FILE_WRITE, 0 },
    { "failed sync", FILE_SYNC, EIO }, { "failed rename", FILE_RENAME, EIO },
};

struct round {
    const struct kind *kind;
    uint64_t n; /* 0: undisturbed */
    char root[256], data[300];
    struct work *w;
    struct store *s;
    bool is_bad;
};

static void bad(struct round *r, const char *where, const char *why)
{
    if (!r->is_bad)
        crew_wrong("%s at call %llu: %s: %s", r->kind->name, (unsigned long long)r->n, where, why);
    r->is_bad = true;
}

static void rest(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* ---- the script's steps: what fails is done again, since only one call fails ---- */

static void start(struct round *r)
{
    struct err e = ERR_INIT;
    struct embedded_conf conf = work_conf(r->data);
    int rc = embedded_open(&conf, &r->s, &e);
    if (rc < 0) {
        crew_count(START_REFUSED, 1);
        rc = embedded_open(&conf, &r->s, &e);
    }
    if (rc < 0) {
        bad(r, "it does not start", e.text);
        exit(1);
    }
    r->w->watched = r->s;
}

static void stop(struct round *r)
{
    store_close(r->s);
    r->w->watched = NULL;
    r->s = NULL;
}

static void write_some(struct round *r, uint32_t first, uint32_t n)
{
    for (uint32_t b = first; b < first + n; b++) {
        if (work_write(r->w, r->s, b, b % 4 ? ACK_DURABLE : ACK_MEMORY, NULL) < 0) {
            crew_count(REFUSED, 1);
            rest(10);
        }
        if (b % 5 == 0) work_wait(r->w, first, b + 1, 0);
    }
    work_wait(r->w, first, first + n, 0);
}

static void look(struct round *r, const char *when, int64_t taken_before_ns)
{
    struct work_verdict v;
    for (int i = 0; i < 2; i++) {
        int rc = work_judge(r->w, r->s, taken_before_ns, i == 0, &v);
        if (v.wrong[0] != 0) bad(r, when, v.wrong);
        if (rc == OK) break;
        crew_count(READ_REFUSED, 1);
    }
    crew_count(ROWS, v.rows);
}

static void ask(struct round *r, enum store_admin op, const char *name)
{
    struct err e = ERR_INIT;
    char dir[4][320];
    for (int i = 0; i < 4; i++) {
        snprintf(dir[i], sizeof dir[i], "%s/snapshot-%d", r->root, i);
        if (store_admin(r->s, op, dir[i], &e) == OK) return;
        crew_count(ADMIN_REFUSED, 1);
        rest(30); /* the log is tried again after 20 ms */
    }
    bad(r, name, e.text);
}

static void first_life(struct round *r)
{
    work_clock(r->w, false);
    start(r);
    write_some(r, 0, 30);
    look(r, "from memory", INT64_MAX);
    ask(r, STORE_FLUSH, "flush");
    look(r, "from parts", INT64_MAX);
    write_some(r, 30, 20);
    ask(r, STORE_FLUSH, "flush");
    ask(r, STORE_MERGE, "merge");
    look(r, "after a merge", INT64_MAX);
    work_clock(r->w, true);
    write_some(r, 50, 10);
    ask(r, STORE_RETAIN, "retention");
    ask(r, STORE_SNAPSHOT, "snapshot");
    write_some(r, 60, 10);
}

static void second_life(struct round *r)
{
    work_clock(r->w, true);
    start(r);
    look(r, "after a kill", 0);
    write_some(r, 70, 20);
    ask(r, STORE_MERGE, "merge");
    look(r, "at the end", 0);
    stop(r);
}

static void arm(const struct round *r, uint64_t n)
{
    struct file_fault fault = { .n = n, .op = r->kind->op, .with_errno = r->kind->with_errno };
    file_fault_set(n > 0 ? &fault : NULL);
}

/* Both lives; the first in a process of its own, that is killed. Calls by kind of both into calls[]. */
static void script(struct round *r, uint64_t calls[COUNT(kinds)])
{
    uint64_t *first = mmap(NULL, sizeof kinds, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t before[COUNT(kinds)];
    int status;
    check(first != MAP_FAILED);
    for (size_t k = 0; k < COUNT(kinds); k++) before[k] = file_calls_of(kinds[k].op);
    fflush(stdout);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        alarm(HANG_SECONDS);
        arm(r, r->n);
        first_life(r);
        for (size_t k = 0; k < COUNT(kinds); k++) first[k] = file_calls_of(kinds[k].op) - before[k];
        raise(SIGKILL);
    }
    check(waitpid(pid, &status, 0) == pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        bad(r, "the first life", "it did not end as it should");
    uint64_t used = first[r->kind - kinds];
    arm(r, r->n > used ? r->n - used : 0);
    second_life(r);
    file_fault_set(NULL);
    for (size_t k = 0; k < COUNT(kinds); k++) calls[k] = first[k] + file_calls_of(kinds[k].op) - before[k];
    munmap(first, sizeof kinds);
}

/* ---- afterwards ---- */

static void must_recover(struct round *r)
{
    int64_t t0 = clock_mono_ns(), ms;
    struct store_status status;
    struct err e = ERR_INIT;
    int rc;
    while ((rc = work_write(r->w, r->s, LAST, ACK_DURABLE, &e)) < 0 &&
           clock_mono_ns() - t0 < RECOVER_MS * 1000000ll)
        rest(5);
    ms = (clock_mono_ns() - t0) / 1000000;
    if (rc < 0) return bad(r, "no write five seconds later", e.text);
    work_wait(r->w, LAST, WORK_BATCHES, 0);
    if (atomic_load(&r->w->state[LAST]) != WORK_DURABLE) bad(r, "afterwards", "the disk refuses still");
    store_status(r->s, &status);
    if (status.read_only) bad(r, "afterwards", "it says that it is read-only");
    crew_most(SLOWEST_MS, (uint64_t)ms);
}

static void one_finding(void *ctx, const char *text)
{
    if (strstr(text, "DAMAGED")) snprintf(ctx, 256, "%.255s", text);
}

static void afterwards(struct round *r)
{
    struct fsck_report report;
    struct err e = ERR_INIT;
    char line[256] = "";
    start(r);
    look(r, "afterwards", 0);
    must_recover(r);
    look(r, "after the last write", 0);
    stop(r);
    if (embedded_fsck(r->data, one_finding, line, &report, &e) < 0 || report.damaged > 0)
        bad(r, "fsck", line[0] ? line : e.text);
    unsigned silent = atomic_load(&r->w->silent);
    if (silent > 0) bad(r, "status", "a waiter was refused while read_only was not set");
}

static void round_begin(struct round *r, unsigned process, const char *scratch)
{
    snprintf(r->root, sizeof r->root, "%s/%u", scratch, process);
    snprintf(r->data, sizeof r->data, "%s/data", r->root);
    tree_remove(r->root);
    check(mkdir(r->root, 0750) == 0);
    r->w = mmap(NULL, sizeof *r->w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(r->w != MAP_FAILED);
    work_init(r->w, 11);
}

/* ---- all rounds ---- */

struct plan {
    const char *scratch;
    uint64_t calls[COUNT(kinds)], every;
    size_t rounds[COUNT(kinds)], n;
};

static void round_case(void *ctx, size_t i, unsigned process)
{
    const struct plan *p = ctx;
    struct round r = { .kind = kinds };
    size_t k = 0;
    for (size_t left = i; left >= p->rounds[k]; k++) left -= p->rounds[k];
    for (size_t before = 0; before < k; before++) i -= p->rounds[before];
    r.kind = &kinds[k];
    r.n = 1 + i * p->calls[k] / p->rounds[k];

    alarm(HANG_SECONDS);
    round_begin(&r, process, p->scratch);
    uint64_t calls[COUNT(kinds)];
    script(&r, calls);
    crew_count(FIRED, calls[k] >= r.n);
    afterwards(&r);
    crew_count(ROUNDS, 1);
    munmap(r.w, sizeof *r.w);
}

static void undisturbed(struct plan *p)
{
    struct round r = { .kind = kinds };
    round_begin(&r, 0, p->scratch);
    script(&r, p->calls);
    afterwards(&r);
    munmap(r.w, sizeof *r.w);
}

/* Every N-th call of any kind; of the rarer kinds (renames, syncs) at least thirty, evenly, or all. */
static void make_plan(struct plan *p)
{
    for (size_t k = 0; k < COUNT(kinds); k++) {
        p->rounds[k] = (p->calls[k] + p->every - 1) / p->every;
        if (p->rounds[k] < 30) p->rounds[k] = MIN(p->calls[k], 30);
        p->n += p->rounds[k];
    }
}

/* The first round runs in a process of its own: threads do not survive a fork. */
static void count_calls(void *ctx, size_t i, unsigned process)
{
    struct plan *p = ctx;
    (void)i, (void)process;
    undisturbed(p);
    for (size_t k = 0; k < COUNT(kinds); k++) crew_count(8 + (unsigned)k, p->calls[k]);
}

int main(int argc, char **argv)
{
    struct plan p = { .every = 1 };
    unsigned jobs = 2;
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--every") == 0) p.every = MAX(strtoull(argv[i + 1], NULL, 10), 1);
        if (strcmp(argv[i], "--jobs") == 0) jobs = (unsigned)atoi(argv[i + 1]);
    }
    int64_t t0 = clock_mono_ns();
    crew_init("io_errors", jobs);
    log_set_level((enum log_level)(LOG_ERROR + 1)); /* what is injected would fill the screen */
    p.scratch = scratch_make();
    crew_cases(1, count_calls, &p);
    for (size_t k = 0; k < COUNT(kinds); k++) p.calls[k] = crew_figure(8 + (unsigned)k);
    make_plan(&p);
    crew_cases(p.n, round_case, &p);
    scratch_remove();
    printf("# a script of %llu calls (%llu writes, %llu syncs, %llu renames); %llu rounds, %llu of them hit, "
           "in %.0f s\n",
           (unsigned long long)p.calls[0], (unsigned long long)p.calls[3], (unsigned long long)p.calls[4],
           (unsigned long long)p.calls[5], (unsigned long long)crew_figure(ROUNDS),
           (unsigned long long)crew_figure(FIRED), (double)(clock_mono_ns() - t0) / 1e9);
    printf("# said no: %llu writes, %llu starts, %llu reads, %llu flushes, merges and snapshots; %llu rows "
           "judged; "
           "slowest way back %llu ms\n",
           (unsigned long long)crew_figure(REFUSED), (unsigned long long)crew_figure(START_REFUSED),
           (unsigned long long)crew_figure(READ_REFUSED), (unsigned long long)crew_figure(ADMIN_REFUSED),
           (unsigned long long)crew_figure(ROWS), (unsigned long long)crew_figure(SLOWEST_MS));
    return crew_exit();
}
