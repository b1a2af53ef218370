/* damage.c - bytes that the disk gives back wrong: every kind of file, every kind of damage.
 *
 *     damage [--images N] [--seed S] [--jobs J]
 *
 * A store is made once: parts and index files of three days, merged and fresh, exemplars, metadata, and a log
 * that holds rows of its own. Each image is a copy with one file damaged. Then:
 *   1. fsck finds it; or, where it finds nothing, the store answers every row as if nothing had happened (the
 *      bytes meant nothing: zeros reserved in the log, say). So nothing wrong is ever believed. One
 * exception: what is damaged at the very end of the log looks like a write that a crash cut off.
 *   2. The store starts by itself, and what it answers was written by somebody: a read may be refused, it may
 *      lack rows, it never invents one.
 *   3. It takes a write, and holds it over a restart.
 * What is lost is counted by kind of file: in rows that no read, series by series, brings back. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#include "fault/common/random.h"
#include "fault/common/work.h"

#define DAY 86400000ll

enum { BATCHES = 700, LAST = WORK_BATCHES - 1, FILES_MAX = 256 };

/* ---- files ---- */

enum kind { MANIFEST, LOG, PART, INDEX, EXEMPLARS, METADATA, LOGS, SPANS, KINDS };
static const char *const kind_names[KINDS] = { "MANIFEST",  "log",      "part", "index",
                                               "exemplars", "metadata", "logs", "spans" };
/* Where the version stands in each of them: docs/format-*.md. */
static const unsigned version_at[KINDS] = { 7, 8, 8, 8, 7, 7, 8, 8 };

/* Figures: images and most rows lost of each kind; of all, those without effect, refused, at the log's end.
 */
enum figure { IMAGES, LOST_MOST = KINDS, NO_EFFECT = 2 * KINDS, REFUSED, ROWS_LOST, LOG_END };

struct files {
    char root[300];
    struct {
        char path[400]; /* below the root */
        enum kind kind;
    } at[FILES_MAX];
    size_t n, of[KINDS];
    struct work *work;
    const char *scratch;
    uint64_t seed, rows;
};

static bool kind_of(const char *path, enum kind *kind)
{
    const char *name = strrchr(path, '/') + 1;
    struct str p = str_of(path);
    *kind = strcmp(name, "MANIFEST") == 0    ? MANIFEST
            : strcmp(name, "exemplars") == 0 ? EXEMPLARS
            : strcmp(name, "metadata") == 0  ? METADATA
            : str_starts(p, "/logs/")        ? LOGS
            : str_starts(p, "/spans/")       ? SPANS
            : str_ends(p, ".part")           ? PART
            : str_ends(p, ".idx")            ? INDEX
                                             : LOG;
    return *kind != LOG || str_starts(p, "/wal/");
}

struct walk {
    struct files *f;
    const char *below;
};

static int collect(const char *name, bool is_dir, void *ctx)
{
    const struct walk *w = ctx;
    struct files *f = w->f;
    char below[400], dir[800];
    snprintf(below, sizeof below, "%.300s/%.90s", w->below, name);
    snprintf(dir, sizeof dir, "%s%s", f->root, below);
    if (is_dir) return file_list(dir, collect, &(struct walk){ f, below }, NULL);
    enum kind kind;
    if (!kind_of(below, &kind) || f->n == FILES_MAX) return OK;
    snprintf(f->at[f->n].path, sizeof f->at[0].path, "%s", below);
    f->at[f->n++].kind = kind;
    f->of[kind]++;
    return OK;
}

/* ---- the store that is damaged ---- */

static _Noreturn void make(const struct files *f)
{
    struct embedded_conf conf = work_conf(f->root);
    struct store *s;
    struct err e = ERR_INIT;
    conf.head_bytes = 16u << 20;
    if (embedded_open(&conf, &s, &e) < 0) _exit(3);
    for (uint32_t b = 0; b < BATCHES; b++) {
        check(work_write(f->work, s, b, ACK_DURABLE, &e) == OK);
        if (b % 20 == 0) work_wait(f->work, 0, b + 1, 0);
        if (b % 100 == 99 && b < 650) check(store_admin(s, STORE_FLUSH, NULL, &e) == OK);
        if (b == 450) check(store_admin(s, STORE_MERGE, NULL, &e) == OK);
    }
    work_wait(f->work, 0, BATCHES, 0);
    raise(SIGKILL);
    _exit(1);
}

static void prepare(struct files *f)
{
    int status;
    fflush(stdout);
    snprintf(f->root, sizeof f->root, "%s/pristine", f->scratch);
    f->work = mem_alloc_zero(sizeof *f->work);
    work_init(f->work, 5);
    work_clock(f->work, false);
    pid_t pid = fork();
    if (pid == 0) make(f);
    check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    check(file_list(f->root, collect, &(struct walk){ f, "" }, NULL) == OK);
    for (int k = 0; k < KINDS; k++) check(f->of[k] > 0);
    for (uint32_t b = 0; b < BATCHES; b++) atomic_store(&f->work->state[b], WORK_DURABLE);
}

/* ---- damage ---- */

struct hurt {
    char what[160];
    struct buf bytes;
    bool took_the_end; /* of the log: what is left ends with a whole frame, or with nothing */
};

static void random_bytes(struct rnd *rnd, char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = (char)random_next(rnd);
}

static void swap_ranges(struct rnd *rnd, struct buf *b)
{
    size_t n = (size_t)1 << random_below(rnd, 13);
    n = MIN(n, b->n / 2);
    size_t x = random_below(rnd, b->n - n + 1), y = random_below(rnd, b->n - n + 1);
    for (size_t i = 0; i < n; i++) {
        char c = b->p[x + i];
        b->p[x + i] = b->p[y + i];
        b->p[y + i] = c;
    }
}

/* Of the log mostly the part that is used, not the zeros reserved behind it. */
static size_t used_bytes(const struct buf *b)
{
    size_t n = b->n;
    while (n > 1 && b->p[n - 1] == 0) n--;
    return n;
}

static void hurt_bytes(struct rnd *rnd, enum kind kind, struct hurt *h)
{
    static const char *const names[] = { "a bit flipped",  "bytes overwritten", "cut",  "zeroed",
                                         "ranges swapped", "another version",   "empty" };
    struct buf *b = &h->bytes;
    unsigned what = (unsigned)random_below(rnd, 6);
    if (what == 2 && random_below(rnd, 8) == 0) what = 6;
    size_t n = random_below(rnd, 16) ? used_bytes(b) : b->n, at = random_below(rnd, n);
    size_t run = 1 + random_below(rnd, (uint64_t)1 << random_below(rnd, 13)); /* MIN looks twice */
    run = MIN(run, n - at);
    switch (what) {
    case 0: b->p[at] = (char)(b->p[at] ^ 1 << random_below(rnd, 8)); break;
    case 1: random_bytes(rnd, b->p + at, MIN(run, 64)); break;
    case 2: b->n = at; break;
    case 3: memset(b->p + at, 0, run); break;
    case 4: swap_ranges(rnd, b); break;
    case 5: b->p[MIN(version_at[kind], b->n - 1)]++; break;
    default: b->n = 0; break;
    }
    snprintf(h->what, sizeof h->what, "%s at %zu of %zu", names[what], at, n);
}

static bool hurt_file(struct rnd *rnd, enum kind kind, const char *path, struct hurt *h)
{
    struct buf before = BUF_INIT(1 << 28);
    h->bytes = (struct buf)BUF_INIT(1 << 28);
    check(file_slurp(path, &before, NULL) == OK);
    buf_str(&h->bytes, buf_view(&before));
    for (int tries = 0; tries < 20; tries++) {
        hurt_bytes(rnd, kind, h);
        if (h->bytes.n != before.n || memcmp(h->bytes.p, before.p, before.n) != 0) break;
    }
    bool is_same = h->bytes.n == before.n && memcmp(h->bytes.p, before.p, before.n) == 0;
    h->took_the_end = kind == LOG && used_bytes(&h->bytes) < used_bytes(&before);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    check(fd >= 0 && write(fd, h->bytes.p, h->bytes.n) == (ssize_t)h->bytes.n);
    close(fd);
    buf_release(&h->bytes);
    buf_release(&before);
    return !is_same;
}

/* ---- looking ---- */

static int count_rows(void *ctx, const struct series_rows *r)
{
    *(uint64_t *)ctx += r->n;
    return OK;
}

static int count_records(void *ctx, const struct record_rows *r)
{
    *(uint64_t *)ctx += r->n;
    return OK;
}

/* Records of the time that come back when what is damaged is stepped over. */
static uint64_t readable_records(struct store_view *v, int64_t from_ms, int64_t to_ms)
{
    struct arena a = ARENA_INIT(256u << 20);
    struct call_notes notes;
    struct call call = { .arena = &a, .notes = &notes };
    uint64_t sum = 0;
    call_notes_init(&notes);
    for (int t = TABLE_LOGS; t < TABLE_COUNT; t++) {
        struct record_scan scan = { .table = (enum table)t,
                                    .from_ns = from_ms * 1000000,
                                    .to_ns = to_ms * 1000000 + 999999 };
        uint64_t n = 0;
        if (view_records(v, &call, &scan, count_records, &n, NULL) == OK) sum += n;
    }
    call_notes_release(&notes);
    arena_release(&a);
    return sum;
}

/* Rows that come back when each series and day is asked for alone. */
static uint64_t readable_rows(const struct files *f, struct store *s)
{
    struct arena a = ARENA_INIT(256u << 20);
    struct call call = { .arena = &a };
    uint64_t rows = 0;
    for (int64_t day = f->work->day0_ms; day < f->work->day0_ms + WORK_DAYS * DAY; day += DAY) {
        struct series_set set = { 0 };
        struct store_view *v;
        check(store_view_open(s, day, day + DAY - 1, &v, NULL) == OK);
        int rc = view_series(v, &call, NULL, 0, 0, &set, NULL);
        for (size_t i = 0; rc == OK && i < set.n; i++) {
            uint64_t n = 0;
            if (view_scan(v, &call, &set.at[i], 1, day, day + DAY - 1, count_rows, &n, NULL) == OK) rows += n;
        }
        rows += readable_records(v, day, day + DAY - 1);
        store_view_close(v);
    }
    arena_release(&a);
    return rows;
}

/* fsck says of the log how many unfinished ends it has seen: they are no damage by themselves. */
static void look_for_end(void *ctx, const char *text)
{
    if (strstr(text, "unfinished ends") != NULL && strstr(text, " 0 unfinished ends") == NULL)
        *(bool *)ctx = true;
}

struct look {
    const struct files *f;
    size_t i;
    enum kind kind;
    const char *path;
    struct hurt hurt;
    char dir[400];
};

static void bad(const struct look *x, const char *what, const char *why)
{
    crew_wrong("seed %llu, image %zu, %s, %s: %s: %s", (unsigned long long)x->f->seed, x->i, x->path,
               x->hurt.what, what, why);
}

static void must_go_on(struct look *x, struct store *s, struct work *w)
{
    struct embedded_conf conf = work_conf(x->dir);
    struct work_verdict v;
    struct err e = ERR_INIT;
    if (work_write(w, s, LAST, ACK_DURABLE, &e) < 0) bad(x, "it takes no write", e.text);
    work_wait(w, LAST, WORK_BATCHES, 0);
    store_close(s);
    if (embedded_open(&conf, &s, &e) < 0) return bad(x, "it does not start again", e.text);
    work_judge(w, s, 0, true, &v);
    if (v.wrong[0]) bad(x, "after a restart", v.wrong);
    store_close(s);
}

static void look(struct look *x)
{
    struct embedded_conf conf = work_conf(x->dir);
    struct fsck_report report = { 0 };
    struct err e = ERR_INIT;
    struct work_verdict v;
    struct store *s;
    bool is_torn = false;
    bool found = embedded_fsck(x->dir, look_for_end, &is_torn, &report, &e) < 0 || report.damaged > 0;
    bool is_end = !found && (is_torn || x->hurt.took_the_end);
    if (embedded_open(&conf, &s, &e) < 0) return bad(x, "it does not start", e.text);

    struct work *w = mem_copy(x->f->work, sizeof *w);
    for (uint32_t b = 0; (found || is_end) && b < BATCHES; b++) atomic_store(&w->state[b], WORK_FAILED);
    int rc = work_judge(w, s, 0, found || is_end, &v);
    if (v.wrong[0]) bad(x, found ? "found by fsck" : "NOT found by fsck", v.wrong);
    uint64_t rows = rc == OK ? v.rows : readable_rows(x->f, s), lost = x->f->rows - MIN(rows, x->f->rows);
    crew_count(NO_EFFECT, !found && !is_end);
    crew_count(LOG_END, is_end);
    crew_count(REFUSED, rc < 0);
    crew_count(ROWS_LOST, lost);
    crew_most(LOST_MOST + x->kind, lost);
    must_go_on(x, s, w);
    mem_free(w);
}

static void image_case(void *ctx, size_t i, unsigned process)
{
    const struct files *f = ctx;
    struct look x = { .f = f, .i = i, .kind = (enum kind)(i % KINDS) };
    struct rnd rnd = random_of(f->seed, i);
    char path[800];
    size_t which = random_below(&rnd, f->of[x.kind]), k = 0;
    for (;; k++)
        if (f->at[k].kind == x.kind && which-- == 0) break;
    x.path = f->at[k].path;
    snprintf(x.dir, sizeof x.dir, "%s/image-%u", f->scratch, process);
    tree_remove(x.dir);
    tree_copy(f->root, x.dir);
    snprintf(path, sizeof path, "%s%s", x.dir, x.path);
    if (!hurt_file(&rnd, x.kind, path, &x.hurt)) return;
    alarm(120);
    look(&x);
    crew_count(IMAGES + (unsigned)x.kind, 1);
}

static void count_pristine(void *ctx, size_t i, unsigned process)
{
    struct files *f = ctx;
    char dir[400];
    struct work_verdict v;
    struct store *s;
    struct err e = ERR_INIT;
    (void)i, (void)process;
    snprintf(dir, sizeof dir, "%s/count", f->scratch);
    tree_copy(f->root, dir);
    struct embedded_conf conf = work_conf(dir);
    if (embedded_open(&conf, &s, &e) < 0) return crew_wrong("the store does not start: %s", e.text);
    work_judge(f->work, s, 0, false, &v);
    if (v.wrong[0]) crew_wrong("before any damage: %s", v.wrong);
    crew_count(ROWS_LOST, v.rows);
    store_close(s);
}

int main(int argc, char **argv)
{
    struct files *f = mem_alloc_zero(sizeof *f);
    size_t images = 1000;
    unsigned jobs = 2;
    f->seed = (uint64_t)time(NULL);
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--images") == 0) images = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0) f->seed = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--jobs") == 0) jobs = (unsigned)atoi(argv[i + 1]);
    }
    int64_t t0 = clock_mono_ns();
    crew_init("damage", jobs);
    log_set_level((enum log_level)(LOG_ERROR + 1));
    printf("# damage: seed %llu\n", (unsigned long long)f->seed);
    f->scratch = scratch_make();
    prepare(f);
    crew_cases(1, count_pristine, f);
    f->rows = crew_figure(ROWS_LOST); /* lent by the figures, and given back */
    crew_count(ROWS_LOST, -f->rows);
    crew_cases(images, image_case, f);
    scratch_remove();

    uint64_t sum = 0;
    for (unsigned k = 0; k < KINDS; k++) {
        sum += crew_figure(IMAGES + k);
        printf("# %-9s %6llu images of %3zu files; at most %llu of %llu rows lost\n", kind_names[k],
               (unsigned long long)crew_figure(IMAGES + k), f->of[k],
               (unsigned long long)crew_figure(LOST_MOST + k), (unsigned long long)f->rows);
    }
    printf("# %llu images in %.0f s: %llu found by fsck, %llu at the log's end and taken for an unfinished "
           "write, "
           "%llu without any effect; whole reads refused in %llu; %.1f rows lost on average\n",
           (unsigned long long)sum, (double)(clock_mono_ns() - t0) / 1e9,
           (unsigned long long)(sum - crew_figure(NO_EFFECT) - crew_figure(LOG_END)),
           (unsigned long long)crew_figure(LOG_END), (unsigned long long)crew_figure(NO_EFFECT),
           (unsigned long long)crew_figure(REFUSED), sum ? (double)crew_figure(ROWS_LOST) / (double)sum : 0);
    mem_free(f->work);
    mem_free(f);
    return crew_exit();
}
