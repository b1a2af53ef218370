/* commit.c - the committer: takes what writers have left, makes frames of it, writes and syncs, and tells
 * those who wait.
 *
 * Always true:
 *   1. A waiter hears OK only after an fdatasync that followed the write of its frames and did not fail.
 *   2. `unsynced` holds every frame written (or meant to be) since the last good sync; nothing else would
 * bring them back, since the head's rows name series whose labels may be in one of these frames only.
 *   3. Segment numbers and frame numbers only go up. A frame written twice has the same number both times.
 *   4. A segment is synced before the next one is begun.
 *
 * Threads: all of this is one thread; `mu` where it meets the writers (wal.c). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/wal_frame.h"
#include "store/wal_impl.h"

#define FRAME_RAW (256u << 10) /* raw bytes a frame aims at: what one flipped bit can cost */
#define WRITE_AFTER_NS                                                                                       \
    50000000ll /* unawaited records reach the page cache this soon: a kill loses little                      \
                */

/* ---- the segment file ---- */

static int segment_fill(int fd, const char *path, uint64_t number, uint64_t bytes, const char *dir,
                        struct err *e)
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

/* A small disk must not be full of promises. */
static uint64_t room_here(const struct wal *w)
{
    int64_t bytes = file_free_bytes(w->dir, NULL);
    return bytes < 0 ? w->segment_bytes : wal_segment_room((uint64_t)bytes, w->segment_bytes);
}

static int segment_begin(struct wal *w, struct err *e)
{
    char path[4096];
    wal_segment_path(path, sizeof path, w->dir, w->number);
    w->room = room_here(w);
    int fd = file_open(path, O_RDWR | O_CREAT | O_EXCL, e);
    int rc = fd < 0 ? fd : segment_fill(fd, path, w->number, w->room, w->dir, e);
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

void wal_segment_end(struct wal *w)
{
    if (w->fd >= 0) {
        file_close(w->fd, NULL);
        w->number++;
    }
    w->fd = -1;
}

void wal_release_waiters(struct wal *w, int rc)
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
    if (w->fd >= 0 && w->at + n > w->room && w->at > WAL_SEGMENT_HEAD) {
        if (w->written > 0 && (rc = file_sync(w->fd, e)) < 0) return rc; /* (4) */
        wal_segment_end(w);
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
        wal_frame_put(&w->unsynced, w->next_lsn++, str_make(raw.p, n), w->user);
        raw = str_make(raw.p + n, raw.n - n);
    }
}

/* The disk has refused: tell the waiters, remember why, try elsewhere in a second. */
static void fail(struct wal *w, int rc, const struct err *e)
{
    if (rc != ERR_FULL) rc = ERR_IO;
    wal_segment_end(w);
    w->written = 0;
    w->retry_ns = clock_mono_ns() + w->retry_after_ns;
    stat_add(w->failures_total, 1);

    pthread_mutex_lock(&w->mu);
    bool is_news = w->verdict == OK;
    w->verdict = rc;
    snprintf(w->why, sizeof w->why, "%.*s", (int)sizeof w->why - 1, e->text);
    pthread_cond_broadcast(&w->turned);
    pthread_mutex_unlock(&w->mu);
    if (is_news)
        log_error("wal", "the log cannot be written: writes are refused, trying again every second", "why",
                  e->text, NULL);
    wal_release_waiters(w, rc);
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
        wal_release_waiters(w, OK);
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
    wal_segment_end(w);
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

/* One turn: all groups that had gathered. Keeps on to the end even when the disk refuses: the frames must be
 * kept (2). */
static void turn(struct wal *w, struct group *g, bool may_try)
{
    struct err e = ERR_INIT;
    int rc = OK;
    bool sync = w->sync_now;

    for (struct group *next; g != NULL; g = next) {
        next = g->next;
        if (g->cut != 0) {
            if (may_try && rc == OK && (rc = commit(w, true, &e)) < 0) fail(w, rc, &e);
            cut_here(w,
                     g->cut); /* after the verdict, which tells whoever waits for the cut what it is worth */
        }
        if (w->unsynced.n == 0) w->unsynced_since_ns = g->since_ns;
        frames_add(w, buf_view(&g->raw));
        hold_waiters(w, g);
        sync |= g->durable;
        group_free(g);
    }
    bool has_failed = rc < 0;
    if (may_try && !has_failed) rc = commit(w, sync, &e);
    if (rc < 0 && !has_failed)
        fail(w, rc, &e);
    else if (!may_try || has_failed)
        wal_release_waiters(w, w->verdict);
    w->sync_now = false;
}

/* When the committer must act next; INT64_MAX: when something comes. Called with mu held. */
static int64_t due_ns(const struct wal *w)
{
    int64_t due = INT64_MAX;
    if (w->verdict != OK && (w->unsynced.n > 0 || w->first != NULL))
        due = w->retry_ns;
    else if (w->unsynced.n > 0)
        due = w->unsynced_since_ns + w->sync_interval_ns;
    for (const struct group *g = w->first; g != NULL; g = g->next) {
        if (g->durable || g->cut != 0 || w->pending > WAL_PENDING_MAX / 16) return 0;
        if (g->raw.n > 0 || g->n_waiters > 0)
            due = MIN(due, g->since_ns + MIN(WRITE_AFTER_NS, w->sync_interval_ns));
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

void *wal_committer(void *arg)
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
        w->sync_now = last_turn || w->verdict != OK ||
                      (w->unsynced.n > 0 && now >= w->unsynced_since_ns + w->sync_interval_ns);
        pthread_mutex_unlock(&w->mu);

        turn(w, g, may_try);

        pthread_mutex_lock(&w->mu);
        if (last_turn && w->first == NULL) break;
    }
    pthread_mutex_unlock(&w->mu);
    return NULL;
}
