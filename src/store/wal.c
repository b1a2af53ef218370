/* wal.c - segments and the committer: see wal.h. Bytes: docs/format-wal.md.
 *
 * Always true:
 *   1. A waiter hears OK only after an fdatasync that followed the write of its frames and did not fail.
 *   2. `unsynced` holds every frame written (or meant to be) since the last good sync; nothing else would bring
 *      them back, since the head's rows name series whose labels may be in one of these frames only.
 *   3. Segment numbers and frame numbers only go up. A frame written twice has the same number both times.
 *   4. A segment is synced before the next one is begun.
 *
 * Threads: `mu` guards the queue, the segment list and the verdict; the segment file belongs to the committer alone. */
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/bytes.h"
#include "store/crc32c.h"
#include "store/wal_frame.h"

#define SEGMENT_BYTES (64ull << 20)
#define FRAME_RAW (256u << 10)        /* raw bytes a frame aims at: what one flipped bit can cost */
#define PENDING_MAX (64u << 20)       /* beyond, writers are told to come back */
#define BUF_MAX (1ull << 30)
#define WRITE_AFTER_NS 50000000ll     /* unawaited records reach the page cache this soon: a kill loses little */

struct waiter {
    store_done *done;
    void *ctx;
};

/* What gathers between two turns of the committer, or up to a cut. */
struct group {
    struct group *next;
    struct buf raw;
    struct waiter *waiters;
    size_t n_waiters, cap_waiters;
    bool durable;   /* somebody waits */
    uint64_t cut;   /* begins a new segment: number of the cut, else 0 */
    int64_t since_ns;
};

struct segment {
    uint64_t number, bytes;
};

struct wal {
    char *dir;
    uint64_t segment_bytes;
    int64_t sync_interval_ns, retry_after_ns;

    pthread_mutex_t mu;
    pthread_cond_t wake, turned; /* for the committer; for wal_sync and wal_cut_wait */
    struct group *first, *last;
    size_t pending;
    bool stop;
    int verdict;               /* OK, ERR_FULL or ERR_IO: what writers are told */
    char why[256];
    uint64_t cuts, cuts_done, cut_segment;
    uint64_t appended, synced; /* wal_end calls; how many of them are durable */
    struct segment *segments;
    size_t n_segments, cap_segments;

    /* The committer's own. */
    pthread_t thread;
    int fd;                    /* -1: no segment is open */
    uint64_t number, at, next_lsn;
    uint64_t taken;            /* wal_end calls seen by the committer */
    struct buf unsynced;
    size_t written;            /* bytes of unsynced that are in the file */
    struct waiter *held;       /* of unsynced */
    size_t n_held, cap_held;
    bool sync_now;
    int64_t unsynced_since_ns, retry_ns;

    struct stat *bytes_total, *syncs_total, *sync_seconds, *failures_total;
};

/* ---- names and headers ---- */

void wal_segment_path(char *out, size_t cap, const char *dir, uint64_t segment)
{
    snprintf(out, cap, "%s/%016llu", dir, (unsigned long long)segment);
}

bool wal_segment_number(const char *name, uint64_t *out)
{
    return strlen(name) == 16 && str_to_u64(str_of(name), out);
}

static const char segment_magic[8] = { 'V', 'D', 'W', 'A', 'L', 'S', 'E', 'G' };

void wal_segment_head(char out[WAL_SEGMENT_HEAD], uint64_t segment)
{
    memset(out, 0, WAL_SEGMENT_HEAD);
    memcpy(out, segment_magic, 8);
    out[8] = 1; /* version */
    for (int i = 0; i < 8; i++) out[16 + i] = (char)(segment >> (8 * i));
    uint32_t crc = crc32c(0, out, 24);
    for (int i = 0; i < 4; i++) out[24 + i] = (char)(crc >> (8 * i));
}

bool wal_segment_head_valid(struct str head, uint64_t segment)
{
    char want[WAL_SEGMENT_HEAD];
    wal_segment_head(want, segment);
    return head.n >= sizeof want && memcmp(head.p, want, sizeof want) == 0;
}

/* ---- the segment file (committer only) ---- */

static int segment_fill(int fd, const char *path, uint64_t number, uint64_t bytes, const char *dir, struct err *e)
{
    char head[WAL_SEGMENT_HEAD];
    int rc;
    wal_segment_head(head, number);
    if ((rc = file_allocate(fd, bytes, e)) < 0) return rc;
    if ((rc = file_write_at(fd, head, sizeof head, 0, e)) < 0) return rc;
    if ((rc = file_sync(fd, e)) < 0) return rc;
    if ((rc = file_sync_dir(dir, e)) < 0) err_where(e, "%s", path);
    return rc;
}

static int segment_begin(struct wal *w, struct err *e)
{
    char path[4096];
    wal_segment_path(path, sizeof path, w->dir, w->number);
    int fd = file_open(path, O_RDWR | O_CREAT | O_EXCL, e);
    int rc = fd < 0 ? fd : segment_fill(fd, path, w->number, w->segment_bytes, w->dir, e);
    if (rc < 0) {
        if (fd >= 0) file_close(fd, NULL);
        if (fd >= 0) file_unlink(path, NULL);
        w->number++; /* spent: whatever is left under this name is not ours to write to */
        return rc;
    }
    w->fd = fd;
    w->at = WAL_SEGMENT_HEAD;
    wal_adopt(w, w->number, w->at);
    return OK;
}

static void segment_end(struct wal *w)
{
    if (w->fd >= 0) {
        file_close(w->fd, NULL);
        w->number++;
    }
    w->fd = -1;
}

static void release_waiters(struct wal *w, int rc)
{
    for (size_t i = 0; i < w->n_held; i++)
        if (w->held[i].done != NULL) w->held[i].done(w->held[i].ctx, rc);
    w->n_held = 0;
}

static int segment_sync(struct wal *w, struct err *e)
{
    if (w->unsynced.n == 0) return OK;
    check(w->fd >= 0 && w->written == w->unsynced.n);

    int64_t t0 = clock_mono_ns();
    int rc = file_sync(w->fd, e);
    stat_add(w->syncs_total, 1);
    stat_observe(w->sync_seconds, (double)(clock_mono_ns() - t0) / 1e9);
    if (rc < 0) return rc;

    buf_clear(&w->unsynced);
    if (w->unsynced.cap > 4u << 20) buf_release(&w->unsynced);
    w->written = 0;
    return OK;
}

static void publish_synced(struct wal *w)
{
    pthread_mutex_lock(&w->mu);
    w->synced = w->taken;
    pthread_cond_broadcast(&w->turned);
    pthread_mutex_unlock(&w->mu);
}

/* Write what of `unsynced` is not in the file yet; a new segment when this one has no room. */
static int segment_write(struct wal *w, struct err *e)
{
    int rc;
    size_t n = w->unsynced.n - w->written;
    if (n == 0) return OK;
    if (w->fd >= 0 && w->at + n > w->segment_bytes && w->at > WAL_SEGMENT_HEAD) {
        if (w->written > 0 && (rc = file_sync(w->fd, e)) < 0) return rc; /* (4) */
        segment_end(w);
    }
    if (w->fd < 0 && (rc = segment_begin(w, e)) < 0) return rc;
    if ((rc = file_write_at(w->fd, w->unsynced.p + w->written, n, w->at, e)) < 0) return rc;

    w->at += n;
    w->written = w->unsynced.n;
    stat_add(w->bytes_total, n);
    pthread_mutex_lock(&w->mu);
    w->segments[w->n_segments - 1].bytes = w->at;
    pthread_mutex_unlock(&w->mu);
    return OK;
}

/* ---- the committer ---- */

static void frames_add(struct wal *w, struct str raw)
{
    while (raw.n > 0) {
        size_t n = 0;
        do n += wal_record_size(str_make(raw.p + n, raw.n - n));
        while (n < raw.n && n < FRAME_RAW);
        wal_frame_put(&w->unsynced, w->next_lsn++, str_make(raw.p, n));
        raw = str_make(raw.p + n, raw.n - n);
    }
}

/* The disk has refused: tell the waiters, remember why, try elsewhere in a second. */
static void fail(struct wal *w, int rc, const struct err *e)
{
    if (rc != ERR_FULL) rc = ERR_IO;
    segment_end(w);
    w->written = 0;
    w->retry_ns = clock_mono_ns() + w->retry_after_ns;
    stat_add(w->failures_total, 1);

    pthread_mutex_lock(&w->mu);
    bool is_news = w->verdict == OK;
    w->verdict = rc;
    snprintf(w->why, sizeof w->why, "%.*s", (int)sizeof w->why - 1, e->text);
    pthread_cond_broadcast(&w->turned);
    pthread_mutex_unlock(&w->mu);
    if (is_news) log_error("wal", "the log cannot be written: writes are refused, trying again every second", "why", e->text, NULL);
    release_waiters(w, rc);
}

static void recovered(struct wal *w)
{
    pthread_mutex_lock(&w->mu);
    bool is_news = w->verdict != OK;
    w->verdict = OK;
    pthread_mutex_unlock(&w->mu);
    if (is_news) log_info("wal", "the log can be written again", NULL);
}

static int commit(struct wal *w, bool sync, struct err *e)
{
    int rc = segment_write(w, e);
    if (rc == OK && sync) rc = segment_sync(w, e);
    if (rc == OK && sync) {
        recovered(w);
        publish_synced(w);
        release_waiters(w, OK);
    }
    return rc;
}

static void hold_waiters(struct wal *w, const struct group *g)
{
    for (size_t i = 0; i < g->n_waiters; i++) {
        w->held = mem_grow(w->held, w->n_held, &w->cap_held, sizeof w->held[0]);
        w->held[w->n_held++] = g->waiters[i];
    }
    w->taken += g->n_waiters;
}

static void cut_here(struct wal *w, uint64_t cut)
{
    segment_end(w);
    pthread_mutex_lock(&w->mu);
    w->cuts_done = cut;
    w->cut_segment = w->number;
    pthread_cond_broadcast(&w->turned);
    pthread_mutex_unlock(&w->mu);
}

static void group_free(struct group *g)
{
    buf_release(&g->raw);
    mem_free(g->waiters);
    mem_free(g);
}

/* One turn: all groups that had gathered. Keeps on to the end even when the disk refuses: the frames must be kept (2). */
static void turn(struct wal *w, struct group *g, bool may_try)
{
    struct err e = ERR_INIT;
    int rc = OK;
    bool sync = w->sync_now;

    for (struct group *next; g != NULL; g = next) {
        next = g->next;
        if (g->cut != 0) {
            if (may_try && rc == OK) rc = commit(w, true, &e);
            cut_here(w, g->cut);
        }
        if (w->unsynced.n == 0) w->unsynced_since_ns = g->since_ns;
        frames_add(w, buf_view(&g->raw));
        hold_waiters(w, g);
        sync |= g->durable;
        group_free(g);
    }
    if (may_try && rc == OK) rc = commit(w, sync, &e);
    if (rc < 0) fail(w, rc, &e);
    else if (!may_try) release_waiters(w, w->verdict);
    w->sync_now = false;
}

/* When the committer must act next; INT64_MAX: when something comes. Called with mu held. */
static int64_t due_ns(const struct wal *w)
{
    int64_t due = INT64_MAX;
    if (w->verdict != OK && (w->unsynced.n > 0 || w->first != NULL)) due = w->retry_ns;
    else if (w->unsynced.n > 0) due = w->unsynced_since_ns + w->sync_interval_ns;
    for (const struct group *g = w->first; g != NULL; g = g->next) {
        if (g->durable || g->cut != 0 || w->pending > PENDING_MAX / 16) return 0;
        if (g->raw.n > 0 || g->n_waiters > 0) due = MIN(due, g->since_ns + MIN(WRITE_AFTER_NS, w->sync_interval_ns));
    }
    return due;
}

static void wait_until(struct wal *w, int64_t due)
{
    if (due == INT64_MAX) {
        pthread_cond_wait(&w->wake, &w->mu);
        return;
    }
    struct timespec t = { due / 1000000000, due % 1000000000 };
    pthread_cond_timedwait(&w->wake, &w->mu, &t);
}

static void *committer(void *arg)
{
    struct wal *w = arg;
    pthread_mutex_lock(&w->mu);
    for (;;) {
        int64_t due = due_ns(w), now = clock_mono_ns();
        if (due > now && !w->stop) {
            wait_until(w, due);
            continue;
        }
        struct group *g = w->first;
        bool last_turn = w->stop;
        w->first = w->last = NULL;
        w->pending = 0;
        bool may_try = w->verdict == OK || last_turn || now >= w->retry_ns;
        w->sync_now = last_turn || w->verdict != OK || (w->unsynced.n > 0 && now >= w->unsynced_since_ns + w->sync_interval_ns);
        pthread_mutex_unlock(&w->mu);

        turn(w, g, may_try);

        pthread_mutex_lock(&w->mu);
        if (last_turn && w->first == NULL) break;
    }
    pthread_mutex_unlock(&w->mu);
    return NULL;
}

/* ---- writers ---- */

static struct group *group_last(struct wal *w)
{
    if (w->last == NULL) {
        w->last = mem_alloc_zero(sizeof *w->last);
        w->last->raw = (struct buf)BUF_INIT(BUF_MAX);
        if (w->first == NULL) w->first = w->last;
    }
    return w->last;
}

struct buf *wal_begin(struct wal *w)
{
    pthread_mutex_lock(&w->mu);
    struct group *g = group_last(w);
    if (g->since_ns == 0) g->since_ns = clock_mono_ns();
    return &g->raw;
}

void wal_end(struct wal *w, bool durable, store_done *done, void *ctx)
{
    struct group *g = w->last;
    g->waiters = mem_grow(g->waiters, g->n_waiters, &g->cap_waiters, sizeof g->waiters[0]);
    g->waiters[g->n_waiters++] = (struct waiter){ done, ctx };
    g->durable |= durable;
    w->appended++;
    w->pending = g->raw.n;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mu);
}

static int refuse(struct wal *w, struct err *e)
{
    return w->verdict < 0 ? err_set(e, w->verdict, "write-ahead log: %s", w->why) : OK;
}

int wal_ready(struct wal *w, struct err *e)
{
    pthread_mutex_lock(&w->mu);
    int rc = refuse(w, e);
    if (rc == OK && w->pending > PENDING_MAX)
        rc = err_set(e, ERR_BUSY, "%zu bytes wait for the disk, the limit is %u", w->pending, PENDING_MAX);
    pthread_mutex_unlock(&w->mu);
    return rc;
}

int wal_sync(struct wal *w, struct err *e)
{
    pthread_mutex_lock(&w->mu);
    uint64_t upto = w->appended;
    int rc = OK;
    if (w->synced < upto) {
        group_last(w)->durable = true;
        pthread_cond_signal(&w->wake);
    }
    while (w->synced < upto && (rc = refuse(w, e)) == OK) pthread_cond_wait(&w->turned, &w->mu);
    pthread_mutex_unlock(&w->mu);
    return rc;
}

uint64_t wal_cut(struct wal *w)
{
    pthread_mutex_lock(&w->mu);
    struct group *before = w->last;
    w->last = NULL;
    struct group *g = group_last(w);
    if (before != NULL) before->next = g;
    g->cut = ++w->cuts;
    uint64_t cut = g->cut;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mu);
    return cut;
}

int wal_cut_wait(struct wal *w, uint64_t cut, uint64_t *segment, struct err *e)
{
    int rc = OK;
    pthread_mutex_lock(&w->mu);
    while (w->cuts_done < cut) pthread_cond_wait(&w->turned, &w->mu); /* a cut happens even on a refusing disk */
    rc = refuse(w, e); /* the frames before the cut may still be in memory only, and will go behind it */
    *segment = w->cut_segment;
    pthread_mutex_unlock(&w->mu);
    return rc;
}

void wal_adopt(struct wal *w, uint64_t segment, uint64_t bytes)
{
    pthread_mutex_lock(&w->mu);
    w->segments = mem_grow(w->segments, w->n_segments, &w->cap_segments, sizeof w->segments[0]);
    w->segments[w->n_segments++] = (struct segment){ segment, bytes };
    pthread_mutex_unlock(&w->mu);
}

/* Take one dropped segment off the list; false when there is none. */
static bool segment_take(struct wal *w, uint64_t below, uint64_t *number)
{
    bool any = false;
    pthread_mutex_lock(&w->mu);
    if (w->n_segments > 0 && w->segments[0].number < below) {
        *number = w->segments[0].number;
        memmove(w->segments, w->segments + 1, --w->n_segments * sizeof w->segments[0]);
        any = true;
    }
    pthread_mutex_unlock(&w->mu);
    return any;
}

void wal_drop_below(struct wal *w, uint64_t below)
{
    uint64_t number;
    while (segment_take(w, below, &number)) {
        char path[4096];
        struct err e = ERR_INIT;
        wal_segment_path(path, sizeof path, w->dir, number);
        if (file_unlink(path, &e) < 0 && e.code != ERR_FIND) /* the next start does it: it is below the floor */
            log_warn("wal", "a segment no longer needed stays", "why", e.text, NULL);
    }
}

uint64_t wal_bytes(struct wal *w)
{
    uint64_t sum = 0;
    pthread_mutex_lock(&w->mu);
    for (size_t i = 0; i < w->n_segments; i++) sum += w->segments[i].bytes;
    pthread_mutex_unlock(&w->mu);
    return sum;
}

/* ---- life ---- */

static void stats_init(struct wal *w)
{
    static const double bounds[] = { 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5 };
    w->bytes_total = stat_counter("vedette_store_wal_written_bytes_total", "Bytes written to the write-ahead log.", NULL);
    w->syncs_total = stat_counter("vedette_store_wal_syncs_total", "fdatasync calls on the write-ahead log.", NULL);
    w->sync_seconds = stat_histogram("vedette_store_wal_sync_seconds", "Duration of fdatasync on the write-ahead log.", NULL, bounds, COUNT(bounds));
    w->failures_total = stat_counter("vedette_store_wal_failures_total", "Commits of the write-ahead log that the disk refused.", NULL);
}

int wal_open(const struct wal_conf *conf, struct wal **out, struct err *e)
{
    int rc = file_mkdirs(conf->dir, e);
    if (rc < 0) return rc;

    struct wal *w = mem_alloc_zero(sizeof *w);
    w->dir = mem_strdup(conf->dir);
    w->segment_bytes = conf->segment_bytes ? conf->segment_bytes : SEGMENT_BYTES;
    w->sync_interval_ns = (conf->sync_interval_ms ? conf->sync_interval_ms : 1000) * 1000000;
    w->retry_after_ns = (conf->retry_ms ? conf->retry_ms : 1000) * 1000000;
    w->number = MAX(conf->next_segment, 1);
    w->next_lsn = MAX(conf->next_lsn, 1);
    w->fd = -1;
    w->unsynced = (struct buf)BUF_INIT(BUF_MAX * 4);
    stats_init(w);

    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->mu, NULL);
    pthread_cond_init(&w->wake, &mono);
    pthread_cond_init(&w->turned, &mono);
    pthread_condattr_destroy(&mono);
    check(pthread_create(&w->thread, NULL, committer, w) == 0);
    *out = w;
    return OK;
}

void wal_close(struct wal *w)
{
    if (w == NULL) return;
    pthread_mutex_lock(&w->mu);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mu);
    pthread_join(w->thread, NULL);

    segment_end(w);
    release_waiters(w, w->verdict < 0 ? w->verdict : ERR_IO); /* only those of a refusing disk are left */
    buf_release(&w->unsynced);
    mem_free(w->held);
    mem_free(w->segments);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->turned);
    pthread_mutex_destroy(&w->mu);
    mem_free(w->dir);
    mem_free(w);
}
