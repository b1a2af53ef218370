/* tail.c - finds the files, and goes round: read a little of each, write all of it, note how far.
 *
 * A round takes at most TAIL_READ_BYTES of a file and TAIL_ROUND_BYTES of all, and the next begins when those
 * are durable: files cannot run ahead of the disk, and one that grows quickly cannot keep the others waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "receive/ingest_wait.h"
#include "receive/tail_impl.h"

#define POLL_MS           200
#define FIND_MS           1000
#define RETRY_MS          500
#define GONE_MS           5000 /* how long a file that no name leads to may still grow */
#define MULTILINE_WAIT_MS 1000
#define PARTIAL_WAIT_MS   5000
#define FORGET_MAX        1024 /* files remembered that have not been seen since we started */

struct tail {
    struct ingest in;
    struct tail_conf *conf;
    char *state_path;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;
    struct stat *open_files, *lag_bytes, *refused;

    struct tailed *at; /* from here on: the thread's own */
    size_t n, cap;
    char *bytes; /* TAIL_READ_BYTES */
    const struct tailed *reading;
    char place[160];
    int64_t found_ms;
    size_t first; /* whose turn it is */
    bool was_started, warned_full;
};

static int64_t now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

/* ---- which files ---- */

static bool is_excluded(const struct tail_entry *entry, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    for (size_t i = 0; i < entry->n_exclude; i++)
        if (fnmatch(entry->exclude[i].p, path, 0) == 0 || fnmatch(entry->exclude[i].p, name, 0) == 0)
            return true;
    return false;
}

static uint64_t head_of(int fd, uint32_t n, uint32_t *got)
{
    char head[TAIL_HEAD_BYTES];
    ssize_t read = pread(fd, head, n, 0);
    *got = read > 0 ? (uint32_t)read : 0;
    return hash64(head, *got);
}

static bool same_head(const struct tailed *f, int fd)
{
    uint32_t got;
    return f->head_n == 0 || (head_of(fd, f->head_n, &got) == f->head && got == f->head_n);
}

static struct tailed *find_known(struct tail *t, const struct stat *st)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->at[i].dev == st->st_dev && t->at[i].ino == st->st_ino) return &t->at[i];
    return NULL;
}

static void rename_to(struct tailed *f, const char *path)
{
    if (strcmp(f->path, path) == 0) return;
    mem_free(f->path);
    f->path = str_dup(str_of(path));
}

/* It begins anew under its name. */
static void restart(struct tailed *f)
{
    f->at = f->size_seen = 0;
    f->head_n = 0;
    f->skips = false;
    stat_add(f->entry->truncated, 1);
}

/* One that we know from before a restart, and now see again. */
static void take_up(struct tailed *f, const struct tail_entry *entry, int fd, const struct stat *st)
{
    f->entry = entry;
    f->fd = fd;
    f->grown_ms = now_ms();
    if ((uint64_t)st->st_size < f->at || !same_head(f, fd)) restart(f);
}

static void add(struct tail *t, const struct tail_entry *entry, const char *path, int fd,
                const struct stat *st)
{
    struct tailed f = { .entry = entry,
                        .path = str_dup(str_of(path)),
                        .fd = fd,
                        .dev = st->st_dev,
                        .ino = st->st_ino,
                        .grown_ms = now_ms(),
                        .is_listed = true };
    if (entry->from_end && !t->was_started) f.at = (uint64_t)st->st_size;
    t->at = mem_grow(t->at, t->n, &t->cap, sizeof *t->at);
    t->at[t->n++] = f;
}

static bool is_full(struct tail *t)
{
    bool full = t->n >= TAIL_FILES_MAX;
    if (full && !t->warned_full)
        log_warn("tail", "too many files: the others are not followed", "most", log_num(TAIL_FILES_MAX),
                 NULL);
    t->warned_full = full;
    return full;
}

static void look_at(struct tail *t, const struct tail_entry *entry, const char *path)
{
    struct stat st;
    if (is_excluded(entry, path) || stat(path, &st) < 0 || !S_ISREG(st.st_mode)) return;
    struct tailed *known = find_known(t, &st);
    if (known != NULL && known->fd >= 0) {
        known->is_listed = true;
        rename_to(known, path);
        return;
    }
    if (known == NULL && is_full(t)) return;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        log_warn("tail", "a file cannot be read", "file", path, "error", strerror(errno), NULL);
        return;
    }
    if (known == NULL) {
        add(t, entry, path, fd, &st);
        return;
    }
    known->is_listed = true;
    rename_to(known, path);
    take_up(known, entry, fd, &st);
}

static void find_files(struct tail *t)
{
    for (size_t i = 0; i < t->n; i++) t->at[i].is_listed = false;
    for (size_t i = 0; i < t->conf->n; i++) {
        const struct tail_entry *entry = &t->conf->at[i];
        for (size_t k = 0; k < entry->n_paths; k++) {
            glob_t found = { 0 };
            if (glob(entry->paths[k].p, 0, NULL, &found) == 0)
                for (size_t j = 0; j < found.gl_pathc; j++) look_at(t, entry, found.gl_pathv[j]);
            globfree(&found);
        }
    }
    t->found_ms = now_ms();
    t->was_started = true;
}

/* ---- one file's bytes ---- */

/* How much there is beyond what was taken; restarts what was truncated. */
static uint64_t waiting(struct tailed *f)
{
    struct stat st;
    if (f->fd < 0 || fstat(f->fd, &st) < 0) return 0;
    uint64_t size = (uint64_t)st.st_size;
    if (size < f->at || (size != f->size_seen && !same_head(f, f->fd))) restart(f);
    if (size != f->size_seen) {
        f->size_seen = size;
        f->grown_ms = now_ms();
    }
    if (f->head_n < TAIL_HEAD_BYTES && f->head_n < size)
        f->head = head_of(f->fd, TAIL_HEAD_BYTES, &f->head_n);
    return size - f->at;
}

static bool has_waited(const struct tailed *f)
{
    int64_t wait = f->entry->start != NULL ? MULTILINE_WAIT_MS : PARTIAL_WAIT_MS;
    return now_ms() - f->grown_ms >= wait;
}

static const char *place(void *ctx)
{
    struct tail *t = ctx;
    snprintf(t->place, sizeof t->place, "%s, after byte %llu", t->reading->path,
             (unsigned long long)t->reading->at);
    return t->place;
}

static int read_file(struct tail *t, struct tailed *f, struct record_sink *sink, struct err *e)
{
    f->taken = 0;
    f->skips_next = f->skips;
    uint64_t more = waiting(f);
    if (more == 0) return OK;
    ssize_t n = pread(f->fd, t->bytes, MIN(more, (uint64_t)TAIL_READ_BYTES), (off_t)f->at);
    if (n <= 0) return OK;
    struct tail_bytes b = { str_make(t->bytes, (size_t)n), (uint64_t)n == more && has_waited(f) };
    t->reading = f;
    stat_add(t->in.bytes, (size_t)n);
    return tail_take(f, &b, sink, e);
}

/* ---- a round ---- */

static uint64_t take_all(struct tail *t, struct ingest_request *q)
{
    struct record_sink sink;
    struct err e = ERR_INIT;
    uint64_t taken = 0;
    record_sink_init(&sink, ingest_records(q, TABLE_LOGS), ingest_options(q, TABLE_LOGS), &q->report, place,
                     t);
    for (size_t i = 0; i < t->n; i++) t->at[i].taken = 0;
    for (size_t i = 0; i < t->n && taken < TAIL_ROUND_BYTES; i++) {
        struct tailed *f = &t->at[(t->first + i) % t->n];
        if (f->entry == NULL) continue;
        if (read_file(t, f, &sink, &e) < 0) log_warn("tail", "records dropped", "error", e.text, NULL);
        taken += f->taken;
    }
    if (t->n > 0) t->first = (t->first + 1) % t->n;
    record_sink_release(&sink);
    ingest_decoded(q, STR(""));
    return taken;
}

static void note_progress(struct tail *t)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < t->n; i++) {
        t->at[i].at += t->at[i].taken;
        if (t->at[i].taken > 0) t->at[i].skips = t->at[i].skips_next;
        t->at[i].taken = 0;
    }
    if (tail_state_write(t->state_path, t->at, t->n, &e) < 0)
        log_warn("tail", "cannot write down how far files were read", "error", e.text, NULL);
}

/* What is refused for good would be so the next time, too: it is passed, and counted. */
static bool is_passed(int rc)
{
    return rc == OK || rc == ERR_LIMIT || rc == ERR_RANGE || rc == ERR_PARSE;
}

static bool is_any_waiting(struct tail *t)
{
    bool any = false;
    for (size_t i = 0; i < t->n; i++) any |= t->at[i].entry != NULL && waiting(&t->at[i]) > 0;
    return any;
}

static uint64_t round_of(struct tail *t)
{
    if (!is_any_waiting(t)) return 0;
    struct ingest_request *q = ingest_begin(&t->in, NULL);
    uint64_t taken = take_all(t, q);
    int rc = ingest_write_waiting(q, &t->stopping, RETRY_MS);
    if (rc < 0) stat_add(t->refused, 1);
    if (taken > 0 && is_passed(rc)) note_progress(t);
    return rc < 0 ? 0 : taken;
}

/* Files that no name leads to and that have been read to their end. */
static void let_go(struct tail *t)
{
    size_t kept = 0, unseen = 0;
    for (size_t i = 0; i < t->n; i++) {
        struct tailed *f = &t->at[i];
        bool is_done =
            f->fd >= 0 && !f->is_listed && f->at >= f->size_seen && now_ms() - f->grown_ms > GONE_MS;
        bool is_past = f->fd < 0 && ++unseen > FORGET_MAX;
        if (is_done || is_past) {
            if (f->fd >= 0) close(f->fd);
            mem_free(f->path);
        } else
            t->at[kept++] = *f;
    }
    t->n = kept;
}

static void look_round(struct tail *t)
{
    uint64_t behind = 0;
    size_t open_files = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (t->at[i].fd < 0) continue;
        open_files++;
        behind += t->at[i].size_seen > t->at[i].at ? t->at[i].size_seen - t->at[i].at : 0;
    }
    stat_set(t->open_files, (double)open_files);
    stat_set(t->lag_bytes, (double)behind);
}

static void *follow(void *arg)
{
    struct tail *t = arg;
    const struct timespec pause = { 0, POLL_MS * 1000000 };
    while (!atomic_load(&t->stopping)) {
        if (t->found_ms == 0 || now_ms() - t->found_ms >= FIND_MS) {
            find_files(t);
            let_go(t);
        }
        uint64_t taken = round_of(t);
        look_round(t);
        if (taken < TAIL_READ_BYTES) nanosleep(&pause, NULL);
    }
    return NULL;
}

/* ---- life ---- */

struct tail *tail_new(struct tail_conf *conf, const char *data_dir, struct store *store,
                      const struct limit *limit)
{
    struct tail *t = mem_alloc_zero(sizeof *t);
    char path[4096];
    t->conf = conf;
    snprintf(path, sizeof path, "%s/tail.json", data_dir);
    t->state_path = str_dup(str_of(path));
    t->bytes = mem_alloc(TAIL_READ_BYTES);
    ingest_init(&t->in, "tail", store, limit);
    t->open_files = stat_gauge("vedette_tail_files", "Files that are followed.", NULL);
    t->lag_bytes = stat_gauge("vedette_tail_lag_bytes", "Bytes of followed files not read yet.", NULL);
    t->refused =
        stat_counter("vedette_tail_rounds_refused_total", "Rounds that the store did not take.", NULL);
    return t;
}

struct ingest *tail_ingest(struct tail *t)
{
    return t != NULL ? &t->in : NULL;
}

int tail_start(struct tail *t, struct err *e)
{
    tail_state_read(t->state_path, &t->at, &t->n, &t->cap);
    t->was_started = t->n > 0; /* what has come while we were down is new */
    if (pthread_create(&t->thread, NULL, follow, t) != 0) return err_errno(e, ERR_IO, "tail thread");
    t->has_thread = true;
    return OK;
}

void tail_stop(struct tail *t)
{
    if (t == NULL || !t->has_thread) return;
    atomic_store(&t->stopping, true);
    pthread_join(t->thread, NULL);
    t->has_thread = false;
}

void tail_free(struct tail *t)
{
    if (t == NULL) return;
    for (size_t i = 0; i < t->n; i++) {
        if (t->at[i].fd >= 0) close(t->at[i].fd);
        mem_free(t->at[i].path);
    }
    mem_free(t->at);
    mem_free(t->bytes);
    mem_free(t->state_path);
    tail_conf_free(t->conf);
    mem_free(t);
}
