/* flush.c - the head to files: for each of its days one part, and one index file with the series that are new
 * in the day.
 *
 *     1. under the write lock: a fresh head takes the writes, the WAL is cut, the days' new series are noted
 *     2. for each day: rows of all slabs in order of (key, kind, time) into a part; its series into an index
 * file; its logs and its spans into a part each (flush_records.c)
 *     3. exemplars and metadata are saved, then one manifest edit lists all files and moves the WAL floor to
 * the cut
 *     4. in the instant in which the files become visible the old head stops being so
 *     5. segments below the floor go
 *
 * When the disk refuses, the job is kept with what was built, and the next call goes on with it: until then
 * the old head answers reads, and the WAL keeps its rows. Threads: one at a time (flush_mu). */
#include <malloc.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/engine.h"
#include "store/gather.h"

#define KINDS         3
#define ZSTD_FLUSH    1
#define LABELS_BUDGET (1u << 20)

/* ---- 1: what is to be flushed ---- */

static void note_days(struct engine *s, struct flush_job *job)
{
    uint32_t *days;
    job->n_days = job->cap_days = head_days(job->head, &days);
    job->days = mem_array(job->n_days, sizeof job->days[0]);
    for (size_t i = 0; i < job->n_days; i++) {
        job->days[i].day = days[i];
        job->days[i].n_fresh = registry_fresh(s->registry, days[i], &job->days[i].fresh, true);
    }
    mem_free(days);

    struct registry_size size;
    registry_size(s->registry, &size);
    job->next_series_no = size.next_series_no;
    job->next_metric_no = size.next_metric_no;
}

/* Behind the cut, so that a batch is known as a repeat though its segment is gone. */
static void log_batch_ids(struct engine *s)
{
    if (s->batch_ids.newer.n + s->batch_ids.older.n == 0) return;
    records_log_ids(s, wal_begin(s->wal));
    wal_end(s->wal, false, NULL, NULL);
}

static void begin(struct engine *s)
{
    struct flush_job *job = &s->job;
    pthread_mutex_lock(&s->write_mu);
    if (!head_is_empty(s->head)) {
        job->head = s->head; /* its reference moves into the job */
        note_days(s, job);
        job->cut = s->wal ? wal_cut(s->wal) : 0;
        job->records_after = s->records_cut;
        job->records_floor = s->records_cut = s->record_sequence;
        if (s->wal != NULL) log_batch_ids(s);

        catalog_lock(s->catalog);
        s->head = head_new();
        s->flushing = job->head;
        catalog_unlock(s->catalog);
    }
    pthread_mutex_unlock(&s->write_mu);
}

void flush_job_release(struct flush_job *job)
{
    for (size_t i = 0; i < job->n_days; i++) mem_free(job->days[i].fresh);
    for (size_t i = 0; i < job->n_files; i++) store_file_unref(job->files[i]);
    for (int t = 0; t < TABLE_COUNT; t++) record_index_unref(job->indexes[t]);
    mem_free(job->days);
    mem_free(job->files);
    head_unref(job->head);
    *job = (struct flush_job){ 0 };
}

/* ---- 2: rows of a day, in order ---- */

struct feed { /* one sorted slab being read */
    struct slab *slab;
    uint32_t at;
};

struct day_rows {
    struct feed *feeds;
    size_t n;
    struct gather rows;
};

static void day_rows_init(struct day_rows *d, struct head *head, uint32_t day)
{
    struct head_pin pin;
    head_pin(head, day, day, &pin);
    *d = (struct day_rows){ .feeds = mem_array(pin.n, sizeof d->feeds[0]), .n = pin.n };
    for (size_t i = 0; i < pin.n; i++) d->feeds[i].slab = slab_sorted(pin.at[i].slab, pin.at[i].rows);
    head_unpin(&pin);
}

static void day_rows_release(struct day_rows *d)
{
    for (size_t i = 0; i < d->n; i++) slab_unref(d->feeds[i].slab);
    mem_free(d->feeds);
    gather_release(&d->rows);
}

/* The smallest (key, kind) not yet read; false at the end. */
static bool next_run(const struct day_rows *d, series_key *key, enum row_kind *kind)
{
    bool any = false;
    for (size_t i = 0; i < d->n; i++) {
        const struct slab *s = d->feeds[i].slab;
        if (d->feeds[i].at == s->n) continue;
        series_key k = s->key[d->feeds[i].at];
        if (!any || k < *key || (k == *key && s->kind < *kind)) {
            *key = k;
            *kind = s->kind;
            any = true;
        }
    }
    return any;
}

static void take_run(struct day_rows *d, series_key key, enum row_kind kind)
{
    gather_clear(&d->rows);
    for (size_t i = 0; i < d->n; i++) {
        struct feed *f = &d->feeds[i];
        const struct slab *s = f->slab;
        if (s->kind != kind || f->at == s->n || s->key[f->at] != key) continue;
        uint32_t end = slab_run_end(s, f->at);
        gather_add(&d->rows, s->time_ms + f->at, s->bits + f->at, end - f->at);
        f->at = end;
    }
    gather_join(&d->rows);
}

static int write_runs(struct day_rows *d, struct part_writer *w, struct err *e)
{
    series_key key = 0;
    enum row_kind kind = ROW_FLOAT;
    while (next_run(d, &key, &kind)) {
        take_run(d, key, kind);
        const void *bits = d->rows.bits; /* 8 bytes each, whatever they are */
        struct run run = { .key = key, .kind = kind, .n = d->rows.n, .time_ms = d->rows.time_ms };
        if (kind == ROW_FLOAT) run.value = bits;
        if (kind == ROW_START) run.start_ms = bits;
        if (kind == ROW_HISTOGRAM) run.hist = bits;
        int rc = part_writer_run(w, &run, e);
        if (rc < 0) return rc;
    }
    return OK;
}

static int write_part(struct engine *s, struct head *head, const struct file_id *id, const char *path,
                      struct err *e)
{
    struct part_writer *w;
    struct part_info info;
    struct day_rows rows;
    int rc = part_writer_open(path, id->level, id->sequence, ZSTD_FLUSH, &w, e);
    if (rc < 0) return rc;

    day_rows_init(&rows, head, id->day);
    rc = write_runs(&rows, w, e);
    if (rc == OK)
        rc = part_writer_finish(w, &info, e);
    else
        part_writer_abandon(w);
    day_rows_release(&rows);
    if (rc == OK) stat_add(s->stats.flush_bytes, info.bytes);
    return rc;
}

/* ---- 2: series of a day ---- */

struct lender {
    const struct registry *registry;
    struct arena arena;
};

static struct str lend_packed(void *ctx, series_key key)
{
    struct lender *l = ctx;
    arena_reset(&l->arena);
    return registry_packed(l->registry, key, &l->arena);
}

static int write_index(struct engine *s, const struct flush_day *d, const char *path, struct err *e)
{
    struct lender lender = { s->registry, ARENA_INIT(LABELS_BUDGET) };
    uint64_t bytes;
    int rc = day_index_write(path, d->fresh, d->n_fresh, lend_packed, &lender, &bytes, e);
    arena_release(&lender.arena);
    return rc;
}

/* ---- 2: the files of a day ---- */

static int add_file(struct engine *s, const struct file_id *id, struct err *e)
{
    struct store_file *f;
    int rc = store_file_open(s->dir, id, &f, e);
    if (rc < 0) return rc;
    s->job.files = mem_grow(s->job.files, s->job.n_files, &s->job.cap_files, sizeof s->job.files[0]);
    s->job.files[s->job.n_files++] = f;
    return OK;
}

static int build_rows(struct engine *s, const struct flush_day *d, const struct file_id *id, struct err *e)
{
    char path[4200];
    file_id_path(path, sizeof path, s->dir, id);
    int rc = d->table == TABLE_METRICS ? write_part(s, s->job.head, id, path, e)
                                       : flush_write_records(s, d, id, path, e);
    return rc == OK ? add_file(s, id, e) : rc;
}

static int build_index(struct engine *s, const struct flush_day *d, uint64_t sequence, struct err *e)
{
    char path[4200];
    struct file_id id = { d->day, FILE_INDEX, 0, sequence, false };
    file_id_path(path, sizeof path, s->dir, &id);
    int rc = write_index(s, d, path, e);
    return rc == OK ? add_file(s, &id, e) : rc;
}

static int build_day(struct engine *s, struct flush_day *d, struct err *e)
{
    char dir[4096];
    size_t built = s->job.n_files;
    struct file_id id = { d->day, table_kind(d->table), 0, catalog_sequence(s->catalog), false };

    day_dir_path(dir, sizeof dir, s->dir, d->table, d->day);
    int rc = file_mkdirs(dir, e);
    if (rc == OK) rc = build_rows(s, d, &id, e);
    if (rc == OK && d->n_fresh > 0) rc = build_index(s, d, id.sequence, e);
    if (rc == OK) rc = file_sync_dir(dir, e);
    d->is_built = rc == OK;
    while (rc < 0 && s->job.n_files > built) { /* not in any manifest yet: the next try makes new ones */
        struct store_file *f = s->job.files[--s->job.n_files];
        atomic_store(&f->is_doomed, true);
        store_file_unref(f);
    }
    return rc;
}

/* ---- 3 to 5 ---- */

static void head_gone(void *ctx)
{
    ((struct engine *)ctx)->flushing = NULL;
}

static int install(struct engine *s, uint64_t floor, struct err *e)
{
    struct flush_job *job = &s->job;
    int rc = catalog_apply(s->catalog,
                           &(struct catalog_change){ .add = job->files,
                                                     .n_add = job->n_files,
                                                     .wal_floor = floor,
                                                     .next_series_no = job->next_series_no,
                                                     .next_metric_no = job->next_metric_no,
                                                     .records_floor = job->records_floor,
                                                     .swapped = head_gone,
                                                     .ctx = s },
                           e);
    if (rc == OK) job->n_files = 0; /* the catalog's now */
    return rc;
}

/* The first segment that will still be needed. While the WAL is being replayed that is the one being read. */
static int floor_after(struct engine *s, uint64_t *floor, struct err *e)
{
    *floor = s->replaying;
    return s->wal ? wal_cut_wait(s->wal, s->job.cut, floor, e) : OK;
}

static int run(struct engine *s, struct err *e)
{
    struct flush_job *job = &s->job;
    uint64_t floor;
    int64_t t0 = clock_mono_ns();
    int rc = floor_after(s, &floor, e);
    if (!job->records_noted) flush_note_records(job);
    for (size_t i = 0; rc == OK && i < job->n_days; i++)
        if (!job->days[i].is_built) rc = build_day(s, &job->days[i], e);
    if (rc == OK) rc = table_dirs_sync(s->dir, e);
    if (rc == OK) rc = extras_save(s, e);
    if (rc == OK && s->wal != NULL) rc = wal_sync(s->wal, e); /* ids of batches, behind the cut, first */
    if (rc == OK) rc = install(s, floor, e);
    if (rc < 0) return rc;

    uint64_t rows = head_rows(job->head);
    flush_job_release(job);
    if (s->wal != NULL) wal_drop_below(s->wal, floor);
    double seconds = (double)(clock_mono_ns() - t0) / 1e9;
    stat_add(s->stats.flushes, 1);
    stat_observe(s->stats.flush_seconds, seconds);
    log_debug("store", "head flushed", "rows", log_num((int64_t)rows), "ms",
              log_num((int64_t)(seconds * 1000)), NULL);
    return OK;
}

int engine_flush(struct engine *s, struct err *e)
{
    int rc = OK;
    pthread_mutex_lock(&s->flush_mu);
    if (s->job.head != NULL) rc = run(s, e); /* left over from a disk that refused */
    if (rc == OK) begin(s);
    if (rc == OK && s->job.head != NULL) rc = run(s, e);
    atomic_store(&s->flushed, rc);
    pthread_mutex_unlock(&s->flush_mu);
    return rc;
}
