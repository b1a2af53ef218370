/* wal.c - the writers' side of the log: the queue, its groups and cuts, names of segments, life. See wal.h
 * and commit.c. */
#include <pthread.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/crc32c.h"
#include "store/wal_impl.h"

#define SEGMENT_BYTES (64ull << 20)
#define ROOM_LEAST    (1ull << 20) /* of a segment, however small the disk */
#define BUF_MAX       (1ull << 30)

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
    if (rc == OK && w->pending > WAL_PENDING_MAX)
        rc =
            err_set(e, ERR_BUSY, "%zu bytes wait for the disk, the limit is %u", w->pending, WAL_PENDING_MAX);
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
    while (w->cuts_done < cut)
        pthread_cond_wait(&w->turned, &w->mu); /* a cut happens even on a refusing disk */
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
        if (file_unlink(path, &e) < 0 &&
            e.code != ERR_FIND) /* the next start does it: it is below the floor */
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

uint64_t wal_segment_room(uint64_t free_bytes, uint64_t segment_bytes)
{
    uint64_t most = segment_bytes ? segment_bytes : SEGMENT_BYTES;
    return MIN(most, MAX(ROOM_LEAST, free_bytes / 16));
}

/* ---- life ---- */

static void stats_init(struct wal *w)
{
    static const double bounds[] = { 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5 };
    w->bytes_total =
        stat_counter("vedette_store_wal_written_bytes_total", "Bytes written to the write-ahead log.", NULL);
    w->syncs_total =
        stat_counter("vedette_store_wal_syncs_total", "fdatasync calls on the write-ahead log.", NULL);
    w->sync_seconds =
        stat_histogram("vedette_store_wal_sync_seconds", "Duration of fdatasync on the write-ahead log.",
                       NULL, bounds, COUNT(bounds));
    w->failures_total = stat_counter("vedette_store_wal_failures_total",
                                     "Commits of the write-ahead log that the disk refused.", NULL);
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
    w->user = seal_user(w->dir);
    stats_init(w);

    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->mu, NULL);
    pthread_cond_init(&w->wake, &mono);
    pthread_cond_init(&w->turned, &mono);
    pthread_condattr_destroy(&mono);
    check(pthread_create(&w->thread, NULL, wal_committer, w) == 0);
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

    wal_segment_end(w);
    wal_release_waiters(w, w->verdict < 0 ? w->verdict : ERR_IO); /* only those of a refusing disk are left */
    buf_release(&w->unsynced);
    cipher_user_free(w->user);
    mem_free(w->held);
    mem_free(w->segments);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->turned);
    pthread_mutex_destroy(&w->mu);
    mem_free(w->dir);
    mem_free(w);
}
