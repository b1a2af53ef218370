/* power_loss.c - the power goes, at any moment, on a disk that keeps its weakest promises.
 *
 *     power_loss [--images N] [--images-a-run N] [--seed S] [--jobs J]
 *
 * A run is one to three lives of a store under a trace: batches are written and acknowledged, flushed,
 * merged, dropped by the retention, copied to snapshots; the disk fails now and then; and each life but the
 * last ends by SIGKILL at a random call. Then, for random points of the trace, the disk model
 * (common/disk_model.h) makes what a power cut there may have left, and each image is opened and judged
 * (common/work.h): it must start by itself, hold what had been acknowledged by then, take a write, and be
 * found whole by fsck after that. Every other run begins in such an image of the run before. */
#include <errno.h>
#include <pthread.h>
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
#include "base/file_trace.h"
#include "base/log.h"
#include "base/mem.h"
#include "fault/common/crew.h"
#include "fault/common/disk_model.h"
#include "fault/common/random.h"
#include "fault/common/work.h"

enum {
    IMAGES_A_RUN = 100,
    TRACE_MAX = 256 << 20,
    STATE_SNAPSHOT = 1000, /* of a mark: a snapshot of all batches below this one is complete */
    STATE_KILLED,          /* of a mark: the process was killed here */
    STATE_LATE,            /* of a mark: a thread that wanted to sleep shortly slept so many ms too long */
    NAP_MS = 10,
    LATE_MS = 50,        /* worth a mark */
    WRITE_AFTER_MS = 50, /* rows that nobody waits for are in the page cache after that (store/commit.c) */
    SLACK_MS = 1000,     /* what a busy machine may add to both */
};

enum figure {
    IMAGES,
    ROWS,
    PROMISED,
    PARTIAL,
    LOST,
    OLDEST_LOST_MS,
    RECORDS,
    KILLS,
    SNAPSHOTS,
    FAULTS,
    CHAINED,
    LATEST_MS
};

struct run {
    char root[256], trace_path[300];
    uint64_t seed;
    struct work *work; /* shared with the lives */
    struct work start; /* as it was before the first life */
    bool has_faults;
    struct trace trace;
    size_t at[IMAGES_A_RUN]; /* records after which the power goes; rising */
    size_t n;
};

/* ---- a life ---- */

static void upset(struct rnd *rnd)
{
    static const struct file_fault kinds[] = {
        { .op = FILE_SYNC, .with_errno = EIO },
        { .op = FILE_WRITE, .with_errno = ENOSPC, .more = 12 },
        { .op = FILE_RENAME, .with_errno = EIO },
        { .op = FILE_ANY, .with_errno = EIO },
        { .op = FILE_WRITE, .with_errno = EINTR },
        { .op = FILE_OPEN, .with_errno = ENOSPC, .more = 3 },
        { .op = FILE_SYNC, .with_errno = EIO, .more = 4 },
    };
    struct file_fault f = kinds[random_below(rnd, COUNT(kinds))];
    f.n = 1 + random_below(rnd, 12);
    file_fault_set(&f);
    crew_count(FAULTS, 1);
}

static void snapshot(struct run *r, struct store *s, uint32_t b)
{
    char dir[512];
    struct work_mark mark = { b, STATE_SNAPSHOT };
    snprintf(dir, sizeof dir, "%s/snapshot-%u", r->root, b);
    if (store_admin(s, STORE_SNAPSHOT, dir, NULL) == OK) file_trace_mark(&mark, sizeof mark);
}

/* Rows that the retention takes away when the day has changed. */
static void write_prey(const struct work *w, struct store *s)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct batch b;
    struct write_result r;
    struct label l[] = { { STR("__name__"), STR("prey") } };
    batch_init(&b, &a, LABELS_PACKED);
    batch_series_labels(&b, (struct labels){ l, 1 });
    for (int i = 0; i < 20; i++) batch_sample(&b, w->day0_ms - 2 * 86400000ll - 3600000 + i, i);
    store_write(s, &b, ACK_MEMORY, &r, NULL, NULL, NULL);
    arena_release(&a);
}

static void one_step(struct run *r, struct store *s, struct rnd *rnd, uint32_t b)
{
    switch (random_below(rnd, 48)) {
    case 0: store_admin(s, STORE_FLUSH, NULL, NULL); break;
    case 1:
    case 2: store_admin(s, STORE_MERGE, NULL, NULL); break;
    case 3: store_admin(s, STORE_RETAIN, NULL, NULL); break;
    case 4:
        if (random_below(rnd, 4) == 0) snapshot(r, s, b + 1);
        break;
    case 5: write_prey(r->work, s); break;
    case 6: nanosleep(&(struct timespec){ 0, (long)random_below(rnd, 120) * 1000000 }, NULL); break;
    case 7:
        if (r->has_faults) upset(rnd);
        break;
    default: break;
    }
}

/* The store's committer is a thread that sleeps for a time, too: how much longer it may have slept on a busy
 * machine is seen by one that does nothing else. */
static void *watch_lateness(void *arg)
{
    for (int64_t before = clock_mono_ns(), now;; before = now) {
        nanosleep(&(struct timespec){ 0, NAP_MS * 1000000 }, NULL);
        now = clock_mono_ns();
        struct work_mark mark = { (uint32_t)((now - before) / 1000000), STATE_LATE };
        if (mark.batch > NAP_MS + LATE_MS) file_trace_mark(&mark, sizeof mark);
    }
    return arg;
}

static void live(struct run *r, unsigned life, uint32_t first, bool must_die)
{
    struct rnd rnd = random_of(r->seed, 77 + life);
    struct embedded_conf conf;
    struct store *s;
    struct err e = ERR_INIT;
    char data[300];
    uint32_t n = 40 + (uint32_t)random_below(&rnd, 360), end = MIN(first + n, WORK_BATCHES - 8);
    unsigned most = (unsigned)random_below(&rnd, 20);
    snprintf(data, sizeof data, "%s/data", r->root);
    conf = work_conf(data);
    if (file_trace_start(r->root, r->trace_path, TRACE_MAX, &e) < 0) _exit(4);
    check(pthread_create(&(pthread_t){ 0 }, NULL, watch_lateness, NULL) == 0);
    /* Mostly between a write and its sync: the page cache has what the disk has not. */
    if (must_die)
        file_trace_die_after(1 + random_below(&rnd, 6 * n), random_below(&rnd, 3) ? TRACE_WRITE : 0);
    if (embedded_open(&conf, &s, &e) < 0) {
        printf("# %s\n", e.text);
        fflush(stdout);
        _exit(3);
    }
    for (uint32_t b = first; b < end; b++) {
        if (b == first + n / 2) work_clock(r->work, true);
        work_write(r->work, s, b, random_below(&rnd, 4) ? ACK_DURABLE : ACK_MEMORY, NULL);
        work_wait(r->work, first, b + 1, most);
        one_step(r, s, &rnd, b);
    }
    file_fault_set(NULL);
    if (random_below(&rnd, 4) == 0) nanosleep(&(struct timespec){ 1, 300000000 }, NULL);
    if (random_below(&rnd, 2)) store_close(s);
    if (file_trace_is_full()) _exit(5);
    if (must_die) raise(SIGKILL);
    _exit(0);
}

static uint32_t first_free(const struct work *w)
{
    uint32_t b = 0;
    for (uint32_t i = 0; i < WORK_BATCHES; i++)
        if (atomic_load(&w->state[i]) != WORK_NONE) b = i + 1;
    return b;
}

static void note_kill(const struct run *r)
{
    struct work_mark mark = { 0, STATE_KILLED };
    check(file_trace_start(r->root, r->trace_path, TRACE_MAX, NULL) == OK);
    file_trace_mark(&mark, sizeof mark);
    file_trace_stop();
}

static bool live_all(struct run *r)
{
    struct rnd rnd = random_of(r->seed, 1);
    unsigned lives = 1 + (unsigned)random_below(&rnd, 3);
    for (unsigned life = 0; life < lives; life++) {
        bool must_die = life + 1 < lives || random_below(&rnd, 2);
        int status;
        fflush(stdout);
        pid_t pid = fork();
        check(pid >= 0);
        if (pid == 0) live(r, life, first_free(r->work), must_die);
        check(waitpid(pid, &status, 0) == pid);
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        crew_count(KILLS, killed);
        note_kill(r);
        if (!(must_die && killed) && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
            crew_wrong("run %llu, life %u: ended with status %#x", (unsigned long long)r->seed, life,
                       (unsigned)status);
            return false;
        }
    }
    return true;
}

/* ---- an image ---- */

struct moment { /* what had been acknowledged when the power went */
    struct work work;
    size_t next;
    uint32_t snapshot; /* the latest complete one; 0: none */
    int64_t now_ns, late_ms;
};

/* What was taken before this must have been written, or synced, `interval` later: with time for a busy
 * machine, which may keep the committer waiting at each of its few steps. */
static int64_t must_be_done_ns(const struct moment *m, int64_t interval_ms)
{
    return m->now_ns - (interval_ms + SLACK_MS + 4 * m->late_ms) * 1000000ll;
}

/* The log is in order of writing: what one thread wrote before a batch that is durable now is so, too. */
static void promise_earlier(struct moment *m, uint32_t durable)
{
    for (uint32_t b = 0; b < durable; b++)
        if (atomic_load(&m->work.state[b]) == WORK_TAKEN) atomic_store(&m->work.state[b], WORK_DURABLE);
}

/* A kill takes what had not even been written: rows acknowledged in memory within the last moments. */
static void forgive(struct moment *m)
{
    int64_t since = must_be_done_ns(m, WRITE_AFTER_MS);
    for (uint32_t b = 0; b < WORK_BATCHES; b++)
        if (atomic_load(&m->work.state[b]) == WORK_TAKEN && atomic_load(&m->work.taken_ns[b]) >= since)
            atomic_store(&m->work.state[b], WORK_FAILED);
}

static void go_to(struct moment *m, struct disk *d, const struct run *r, size_t record)
{
    const char *path, *bytes;
    for (; m->next <= record; m->next++) {
        disk_apply(d, &r->trace, m->next);
        const struct trace_record *rec = trace_get(&r->trace, m->next, &path, &bytes);
        struct work_mark mark;
        m->now_ns = rec->mono_ns;
        if (rec->kind != TRACE_MARK || rec->n_bytes != sizeof mark) continue;
        memcpy(&mark, bytes, sizeof mark);
        if (mark.state == STATE_SNAPSHOT) {
            m->snapshot = mark.batch;
            continue;
        }
        if (mark.state == STATE_KILLED) {
            forgive(m);
            continue;
        }
        if (mark.state == STATE_LATE) {
            m->late_ms = MAX(m->late_ms, mark.batch);
            crew_most(LATEST_MS, mark.batch);
            continue;
        }
        atomic_store(&m->work.state[mark.batch], mark.state);
        if (mark.state == WORK_DURABLE && !r->has_faults) promise_earlier(m, mark.batch);
        if (mark.state == WORK_TAKEN) atomic_store(&m->work.taken_ns[mark.batch], rec->mono_ns);
    }
}

static void say_wrong(const struct run *r, size_t i, const struct disk_loss *loss, const char *what,
                      const char *why)
{
    crew_wrong("seed %llu, image %zu (after record %zu of %zu; %s): %s: %s", (unsigned long long)r->seed, i,
               r->at[i], r->trace.n, loss->text, what, why);
}

static bool judge(const struct work *w, struct store *s, int64_t before_ns, struct work_verdict *v)
{
    work_judge(w, s, before_ns, false, v);
    return v->wrong[0] == 0;
}

static void fsck_line(void *ctx, const char *text)
{
    if (strstr(text, "DAMAGED") || strstr(text, "damage")) snprintf(ctx, 256, "%.255s", text);
}

static void look_at_store(const struct run *r, struct moment *m, size_t i, const struct disk_loss *loss,
                          const char *data)
{
    struct embedded_conf conf = work_conf(data);
    struct store *s;
    struct err e = ERR_INIT;
    struct work_verdict v;
    int64_t before_ns = r->has_faults ? 0 : must_be_done_ns(m, WORK_INTERVAL_MS);
    if (embedded_open(&conf, &s, &e) < 0) return say_wrong(r, i, loss, "it does not start", e.text);
    bool ok = judge(&m->work, s, before_ns, &v);
    if (!ok) say_wrong(r, i, loss, "after the start", v.wrong);
    crew_count(ROWS, v.rows);
    crew_count(PROMISED, v.cells);
    crew_count(PARTIAL, v.partial);
    if (v.oldest_lost_ns > 0 && !r->has_faults)
        crew_most(OLDEST_LOST_MS, (uint64_t)(m->now_ns - v.oldest_lost_ns) / 1000000);

    uint32_t fresh = WORK_BATCHES - 1;
    enum work_state was = atomic_load(&m->work.state[fresh]);
    if (work_write(&m->work, s, fresh, ACK_DURABLE, &e) < 0)
        say_wrong(r, i, loss, "it takes no write", e.text);
    work_wait(&m->work, fresh, fresh + 1, 0);
    if (ok && !judge(&m->work, s, before_ns, &v)) say_wrong(r, i, loss, "after a write", v.wrong);
    store_close(s);
    if (ok && i % 4 == 0) {
        struct fsck_report report;
        char line[256] = "";
        if (embedded_fsck(data, fsck_line, line, &report, &e) < 0 || report.damaged > 0)
            say_wrong(r, i, loss, "fsck", line[0] ? line : e.text);
        if (embedded_open(&conf, &s, &e) < 0) return say_wrong(r, i, loss, "it does not start again", e.text);
        if (!judge(&m->work, s, before_ns, &v)) say_wrong(r, i, loss, "after the second start", v.wrong);
        store_close(s);
    }
    atomic_store(&m->work.state[fresh], was);
}

/* A snapshot holds what had been seen when it was asked for, and nothing of later batches. */
static void look_at_snapshot(const struct run *r, const struct moment *m, size_t i,
                             const struct disk_loss *loss, const char *image)
{
    char dir[512];
    struct store *s;
    struct err e = ERR_INIT;
    struct work_verdict v;
    struct work *then = mem_copy(&m->work, sizeof *then);
    for (uint32_t b = m->snapshot; b < WORK_BATCHES; b++) atomic_store(&then->state[b], WORK_NONE);
    snprintf(dir, sizeof dir, "%s/snapshot-%u", image, m->snapshot);
    struct embedded_conf conf = work_conf(dir);
    if (embedded_open(&conf, &s, &e) < 0) {
        say_wrong(r, i, loss, "the snapshot does not open", e.text);
    } else {
        if (!judge(then, s, 0, &v)) say_wrong(r, i, loss, "snapshot", v.wrong);
        store_close(s);
    }
    crew_count(SNAPSHOTS, 1);
    mem_free(then);
}

static void make_and_look(const struct run *r, const struct disk *d, struct moment *m, size_t i,
                          const char *image)
{
    char data[310];
    struct disk_loss loss = { 0 };
    tree_remove(image);
    check(mkdir(image, 0750) == 0);
    if (!disk_image(d, r->seed * 1000003 + i, image, &loss))
        return say_wrong(r, i, &loss, "harness", "the image cannot be made");
    snprintf(data, sizeof data, "%s/data", image);
    look_at_store(r, m, i, &loss, data);
    if (m->snapshot > 0 && i % 8 == 1) look_at_snapshot(r, m, i, &loss, image);
    crew_count(IMAGES, 1);
    crew_count(LOST, loss.lost);
}

/* All images of one process: the disk goes through the trace once. */
struct share {
    struct run *r;
    struct disk *disk; /* as it was before the first life; each process has its own copy */
    struct moment *m;
    const char *scratch;
};

static void image_case(void *ctx, size_t i, unsigned process)
{
    struct share *x = ctx;
    char image[300];
    if (x->m == NULL) {
        x->m = mem_alloc_zero(sizeof *x->m);
        memcpy(&x->m->work, &x->r->start, sizeof x->m->work);
        work_clock(x->r->work, true);
    }
    snprintf(image, sizeof image, "%s/image-%u", x->scratch, process);
    go_to(x->m, x->disk, x->r, x->r->at[i]);
    make_and_look(x->r, x->disk, x->m, i, image);
}

static int by_size(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* The first kill after this record, from the front again behind the last; trace.n: there is none. */
static size_t next_kill(const struct run *r, size_t record)
{
    const char *path, *bytes;
    for (size_t i = 1; i <= r->trace.n; i++) {
        size_t at = (record + i) % r->trace.n;
        struct work_mark mark;
        if (trace_get(&r->trace, at, &path, &bytes)->kind != TRACE_MARK) continue;
        memcpy(&mark, bytes, sizeof mark);
        if (mark.state == STATE_KILLED) return at;
    }
    return r->trace.n;
}

static void choose_points(struct run *r, size_t n)
{
    struct rnd rnd = random_of(r->seed, 2);
    r->n = MIN(n, IMAGES_A_RUN);
    size_t kill = 0; /* half of the moments soon after a kill, where two ways of losing meet */
    for (size_t i = 0; i < r->n; i++) {
        r->at[i] = random_below(&rnd, r->trace.n);
        if (i % 2 == 0 && (kill = next_kill(r, kill)) < r->trace.n)
            r->at[i] = kill + random_below(&rnd, 400) % (r->trace.n - kill);
    }
    r->at[0] = r->trace.n - 1;
    qsort(r->at, r->n, sizeof r->at[0], by_size);
}

/* ---- a run ---- */

static void run_init(struct run *r, const char *scratch, uint64_t seed, bool goes_on)
{
    char data[300];
    snprintf(r->root, sizeof r->root, "%s/root", scratch);
    snprintf(r->trace_path, sizeof r->trace_path, "%s/trace", scratch);
    snprintf(data, sizeof data, "%s/data", r->root);
    unlink(r->trace_path);
    r->seed = seed;
    r->has_faults = seed % 3 == 0;
    if (!goes_on || first_free(r->work) > WORK_BATCHES - 200) {
        tree_remove(r->root);
        check(mkdir(r->root, 0750) == 0);
        work_init(r->work, seed);
    }
    memcpy(&r->start, r->work, sizeof r->start);
    work_clock(r->work, false);
}

/* The next run begins where the power went in this one. */
static void chain(struct run *r, const struct disk *base, size_t point)
{
    struct moment *m = mem_alloc_zero(sizeof *m);
    struct disk *d = (struct disk *)base;
    struct disk_loss loss;
    memcpy(&m->work, &r->start, sizeof m->work);
    go_to(m, d, r, r->at[point]);
    for (uint32_t b = 0; b < WORK_BATCHES; b++) /* what is there now was not promised to be */
        if (atomic_load(&m->work.state[b]) == WORK_TAKEN) atomic_store(&m->work.state[b], WORK_FAILED);
    tree_remove(r->root);
    check(mkdir(r->root, 0750) == 0);
    check(disk_image(d, r->seed * 1000003 + point, r->root, &loss));
    memcpy(r->work, &m->work, sizeof *r->work);
    crew_count(CHAINED, 1);
    mem_free(m);
}

static void run_one(struct run *r, const char *scratch, uint64_t seed, size_t images, bool *goes_on)
{
    run_init(r, scratch, seed, *goes_on);
    struct disk *disk = disk_new(r->root);
    bool ok = live_all(r) && trace_load(r->trace_path, &r->trace);
    if (!ok) crew_wrong("run %llu: no trace", (unsigned long long)seed);
    if (ok && r->trace.n > 0) {
        struct share x = { r, disk, NULL, scratch };
        choose_points(r, images);
        crew_count(RECORDS, r->trace.n);
        crew_cases(r->n, image_case, &x);
    }
    *goes_on = ok && seed % 2 == 0;
    if (*goes_on) chain(r, disk, r->n / 2);
    disk_free(disk);
    trace_release(&r->trace);
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t preset)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0) return strtoull(argv[i + 1], NULL, 10);
    return preset;
}

static void report(uint64_t seed, size_t images, double seconds)
{
    printf("# seed %llu: %llu images of %zu in %.0f s; %llu records traced, %llu lives killed, %llu faults "
           "of the "
           "disk on the way, %llu runs begun in an image\n",
           (unsigned long long)seed, (unsigned long long)crew_figure(IMAGES), images, seconds,
           (unsigned long long)crew_figure(RECORDS), (unsigned long long)crew_figure(KILLS),
           (unsigned long long)crew_figure(FAULTS), (unsigned long long)crew_figure(CHAINED));
    printf("# %llu sectors and names lost by the disk; %llu rows found, %llu promised rows looked for, %llu "
           "batches "
           "never acknowledged were there in part; %llu snapshots judged; oldest row lost of an ACK_MEMORY "
           "batch: "
           "%llu ms before the cut, at an interval of %d ms; latest waking of a thread %llu ms\n",
           (unsigned long long)crew_figure(LOST), (unsigned long long)crew_figure(ROWS),
           (unsigned long long)crew_figure(PROMISED), (unsigned long long)crew_figure(PARTIAL),
           (unsigned long long)crew_figure(SNAPSHOTS), (unsigned long long)crew_figure(OLDEST_LOST_MS),
           WORK_INTERVAL_MS, (unsigned long long)crew_figure(LATEST_MS));
}

int main(int argc, char **argv)
{
    size_t images = option(argc, argv, "--images", 500);
    size_t at_once = MIN(option(argc, argv, "--images-a-run", IMAGES_A_RUN), IMAGES_A_RUN);
    uint64_t seed = option(argc, argv, "--seed", (uint64_t)time(NULL));
    struct run *r = mem_alloc_zero(sizeof *r);
    bool goes_on = false;
    int64_t t0 = clock_mono_ns();
    crew_init("power_loss", (unsigned)option(argc, argv, "--jobs", 2));
    log_set_level((enum log_level)(LOG_ERROR + 1)); /* what is injected would fill the screen */
    printf("# power_loss: seed %llu\n", (unsigned long long)seed);
    r->work = mmap(NULL, sizeof *r->work, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(r->work != MAP_FAILED);
    const char *scratch = scratch_make();
    for (size_t done = 0; done < images && crew_failures() < 20; done += at_once)
        run_one(r, scratch, seed++, MIN(at_once, images - done), &goes_on);
    report(seed, images, (double)(clock_mono_ns() - t0) / 1e9);
    scratch_remove();
    mem_free(r);
    return crew_exit();
}
