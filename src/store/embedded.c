/* embedded.c - the engine's life and its table of operations; the work is in the files that engine.h lists.
 */
#include "store/embedded.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/damage.h"
#include "store/engine.h"
#include "store/page_cache.h"
#include "store/seal.h"

#define PAGE_CACHE_BYTES ((uint64_t)64 << 20) /* or an eighth of the memory limit */

#define RECORDS_MAX (1ull << 30)

static uint64_t engine_caps(struct store *s)
{
    (void)s;
    return STORE_HAS_EXEMPLARS | STORE_HAS_SUMMARY;
}

/* ---- status ---- */

static void stretch(struct table_status *t, int64_t min_ms, int64_t max_ms)
{
    t->min_time_ms = MIN(t->min_time_ms, min_ms);
    t->max_time_ms = MAX(t->max_time_ms, max_ms);
}

static void count_files(const struct version *v, struct store_status *out)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct store_file *f = v->at[i];
        const struct file_type *type = file_type(f->id.kind);
        struct table_status *t = &out->table[type->table];
        t->bytes_on_disk += f->bytes;
        if (!type->has_rows) continue;
        t->parts++;
        t->rows_on_disk += f->rows;
        stretch(t, f->min_ms, f->max_ms);
    }
}

static void count_head_table(struct record_head *h, struct table_status *t)
{
    int64_t min_ns, max_ns;
    record_head_times(h, &min_ns, &max_ns);
    t->head_rows += record_head_rows(h);
    t->head_bytes += record_head_bytes(h);
    if (min_ns <= max_ns) stretch(t, min_ns / 1000000, max_ns / 1000000);
}

static void count_head(struct head *h, struct store_status *out)
{
    struct table_status *metrics = &out->table[TABLE_METRICS];
    int64_t min_ms, max_ms;
    size_t bytes = head_bytes(h);
    head_times(h, &min_ms, &max_ms);
    for (int t = TABLE_LOGS; t < TABLE_COUNT; t++) {
        bytes -= MIN(bytes, record_head_bytes(head_records(h, (enum table)t)));
        count_head_table(head_records(h, (enum table)t), &out->table[t]);
    }
    metrics->head_rows += head_rows(h);
    metrics->head_bytes += bytes;
    stretch(metrics, min_ms, max_ms);
}

static void sum_up(struct store_status *out)
{
    const struct table_status *metrics = &out->table[TABLE_METRICS];
    for (int t = 0; t < TABLE_COUNT; t++) {
        out->bytes_on_disk += out->table[t].bytes_on_disk;
        out->parts += out->table[t].parts;
    }
    out->rows_on_disk = metrics->rows_on_disk;
    out->head_rows = metrics->head_rows;
    out->head_bytes = metrics->head_bytes;
    out->min_time_ms = metrics->min_time_ms;
    out->max_time_ms = metrics->max_time_ms;
    out->samples_ingested = metrics->ingested;
}

static void engine_status(struct store *store, struct store_status *out)
{
    struct engine *s = engine_of(store);
    struct registry_size size;
    *out = (struct store_status){ 0 };
    for (int t = 0; t < TABLE_COUNT; t++)
        out->table[t] = (struct table_status){ .min_time_ms = INT64_MAX, .max_time_ms = INT64_MIN };

    catalog_lock(s->catalog);
    struct version *v = catalog_pin_locked(s->catalog);
    struct head *head = head_ref(s->head), *flushing = s->flushing ? head_ref(s->flushing) : NULL;
    catalog_unlock(s->catalog);

    count_files(v, out);
    count_head(head, out);
    if (flushing != NULL) count_head(flushing, out);
    version_unref(v);
    head_unref(head);
    head_unref(flushing);

    registry_size(s->registry, &size);
    out->series_active = size.series;
    out->table[TABLE_METRICS].ingested = atomic_load(&s->samples_ingested);
    out->table[TABLE_LOGS].ingested = atomic_load(&s->logs_ingested);
    out->table[TABLE_SPANS].ingested = atomic_load(&s->spans_ingested);
    sum_up(out);
    out->wal_bytes = s->wal ? wal_bytes(s->wal) : 0;
    int flushed = atomic_load(&s->flushed), log = s->wal ? wal_ready(s->wal, NULL) : ERR_IO;
    out->read_only = log == ERR_IO || log == ERR_FULL || atomic_load(&s->refusal) != OK ||
                     flushed == ERR_IO || flushed == ERR_FULL;
}

static int engine_top(struct store *store, struct call *call, const char *what, size_t limit,
                      struct name_count **out, size_t *n_out, struct err *e)
{
    return registry_top(engine_of(store)->registry, call, what, limit, out, n_out, e);
}

/* ---- administration ---- */

static int engine_admin(struct store *store, enum store_admin op, const void *arg, struct err *e)
{
    struct engine *s = engine_of(store);
    if (s->wal == NULL) return err_set(e, ERR_IO, "the store was opened read-only");
    switch (op) {
    case STORE_FLUSH: return engine_flush(s, e);
    case STORE_MERGE: return MIN(engine_merge(s, true, e), 0);
    case STORE_RETAIN: return engine_retain(s, e);
    case STORE_SNAPSHOT: return engine_snapshot(s, arg, e);
    case STORE_DELETE: return engine_delete(s, arg, e);
    }
    return err_set(e, ERR_UNSUPPORTED, "no such operation");
}

/* ---- life ---- */

static void engine_free(struct engine *s)
{
    wal_close(s->wal);
    flush_job_release(&s->job);
    head_unref(s->head);
    catalog_close(s->catalog);
    registry_free(s->registry);
    extras_release(s);
    if (s->is_sealed) seal_close(s->dir);
    if (s->lock_fd >= 0) file_close(s->lock_fd, NULL);
    arena_release(&s->scratch);
    buf_release(&s->records);
    batch_ids_release(&s->batch_ids);
    mem_free(s->open_days);
    mem_free(s->dir);
    changes_release(&s->changes);
    pthread_mutex_destroy(&s->write_mu);
    pthread_mutex_destroy(&s->flush_mu);
    pthread_mutex_destroy(&s->merge_mu);
    pthread_mutex_destroy(&s->idle_mu);
    pthread_cond_destroy(&s->idle);
    pthread_rwlock_destroy(&s->days_lock);
    mem_free(s);
}

/* A flush is not needed for safety, the WAL has it all: it makes the next start quick. */
static void engine_close(struct store *store)
{
    struct engine *s = engine_of(store);
    struct err e = ERR_INIT;
    engine_stop_threads(s);
    int rc = s->wal ? engine_flush(s, &e) : OK;
    if (rc == OK && s->wal != NULL) rc = extras_save(s, &e);
    if (rc < 0)
        log_warn("store", "not flushed at the end; the next start reads the log", "why", e.text, NULL);
    engine_free(s);
}

static int64_t engine_changed_since(struct store *store, uint64_t generation, uint64_t *now)
{
    return changes_since(&engine_of(store)->changes, generation, now);
}

static const struct store_ops ops = {
    .caps = engine_caps,
    .close = engine_close,
    .write = engine_write,
    .view_open = view_do_open,
    .view_close = view_do_close,
    .series = view_do_series,
    .summarize = view_do_summarize,
    .cover = view_do_cover,
    .scan = view_do_scan,
    .label_names = view_do_label_names,
    .label_values = view_do_label_values,
    .exemplars = view_do_exemplars,
    .records = view_do_records,
    .fields = view_do_fields,
    .field_values = view_do_field_values,
    .origins = view_do_origins,
    .metadata = engine_metadata,
    .status = engine_status,
    .top = engine_top,
    .admin = engine_admin,
    .changed_since = engine_changed_since,
};

static void stats_init(struct engine_stats *t)
{
    static const double bounds[] = { 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30 };
    t->samples = stat_counter("vedette_store_samples_total", "Samples kept.", NULL);
    t->histograms = stat_counter("vedette_store_histograms_total", "Native histogram samples kept.", NULL);
    t->logs = stat_counter("vedette_store_log_records_total", "Log records kept.", NULL);
    t->spans = stat_counter("vedette_store_spans_total", "Spans kept.", NULL);
    t->repeats = stat_counter("vedette_store_repeated_batches_total",
                              "Batches of logs or spans that had been written before.", NULL);
    t->new_series =
        stat_counter("vedette_store_series_created_total", "Series seen for the first time.", NULL);
    t->flushes = stat_counter("vedette_store_flushes_total", "Heads written to parts.", NULL);
    t->flush_seconds =
        stat_histogram("vedette_store_flush_seconds", "Duration of a flush.", NULL, bounds, COUNT(bounds));
    t->flush_bytes =
        stat_counter("vedette_store_flush_written_bytes_total", "Bytes of parts written by flushes.", NULL);
    t->merges = stat_counter("vedette_store_merges_total", "Files made by merges.", NULL);
    t->merge_seconds = stat_counter("vedette_store_merge_seconds_total", "Time spent in merges.", NULL);
    t->merge_bytes =
        stat_counter("vedette_store_merge_written_bytes_total", "Bytes written by merges.", NULL);
    t->scanned = stat_counter("vedette_store_rows_scanned_total", "Rows handed to queries.", NULL);
    damage_init();
    page_cache_limit(page_cache_shared(), budget_at_most(BUDGET_CACHES, PAGE_CACHE_BYTES));
    t->files_set_aside = stat_counter("vedette_store_files_set_aside_total",
                                      "Files found missing or damaged at the start.", NULL);
}

static void conf_init(struct engine *s, const struct embedded_conf *conf)
{
    s->conf = *conf;
    s->dir = mem_strdup(conf->dir);
    s->conf.dir = s->dir;
    s->flush_bytes = (s->conf.head_bytes ? s->conf.head_bytes : 32u << 20) / 2;
    if (s->conf.head_age_ms == 0) s->conf.head_age_ms = 5 * 60 * 1000;
    if (s->conf.sync_interval_ms == 0) s->conf.sync_interval_ms = 1000;
    if (s->conf.max_series == 0) s->conf.max_series = 10 * 1000 * 1000;
    if (s->conf.min_free_bytes == 0) s->conf.min_free_bytes = 64u << 20;
}

static struct engine *engine_new(const struct embedded_conf *conf)
{
    struct engine *s = mem_alloc_zero(sizeof *s);
    pthread_condattr_t mono;
    s->store.ops = &ops;
    s->lock_fd = -1;
    s->day_seen = UINT32_MAX;
    s->scratch = (struct arena)ARENA_INIT(SIZE_MAX);
    s->records = (struct buf)BUF_INIT(RECORDS_MAX);
    conf_init(s, conf);
    stats_init(&s->stats);
    changes_init(&s->changes);
    pthread_mutex_init(&s->write_mu, NULL);
    pthread_mutex_init(&s->flush_mu, NULL);
    pthread_mutex_init(&s->merge_mu, NULL);
    pthread_mutex_init(&s->idle_mu, NULL);
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&s->idle, &mono);
    pthread_condattr_destroy(&mono);
    pthread_rwlockattr_t rw; /* a crowd of readers must not keep the writer at midnight waiting */
    pthread_rwlockattr_init(&rw);
    pthread_rwlockattr_setkind_np(&rw, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s->days_lock, &rw);
    pthread_rwlockattr_destroy(&rw);
    s->registry = registry_new(s->conf.max_series);
    registry_set_limits(s->registry,
                        &(struct registry_limits){ s->conf.max_series_per_metric,
                                                   s->conf.max_values_per_label, s->conf.max_series_bytes });
    s->head = head_new();
    return s;
}

/* The fixed directories, and the memory of them: a power cut must not take the whole store away. */
static int make_directories(struct engine *s, struct err *e)
{
    char path[4200];
    int rc;
    if ((rc = table_dirs_make(s->dir, e)) < 0) return rc;
    snprintf(path, sizeof path, "%s/wal", s->dir);
    if ((rc = file_mkdirs(path, e)) < 0) return rc;
    if ((rc = file_sync_dir(s->dir, e)) < 0) return rc;
    snprintf(path, sizeof path, "%s/..", s->dir);
    return file_sync_dir(path, e);
}

static int open_seal(struct engine *s, struct err *e)
{
    int rc = seal_open(s->dir, s->conf.key_file, !s->conf.read_only, e);
    s->is_sealed = rc == OK && s->conf.key_file != NULL;
    s->conf.key_file = NULL; /* the caller's string */
    return rc;
}

static int take_directory(struct engine *s, struct err *e)
{
    char path[4200];
    if (s->conf.read_only)
        return file_exists(s->dir) ? open_seal(s, e)
                                   : err_set(e, ERR_FIND, "data directory %s is not there", s->dir);
    int rc = file_mkdirs(s->dir, e);
    if (rc < 0) return rc;
    snprintf(path, sizeof path, "%s/lock", s->dir);
    s->lock_fd = file_lock(path, e);
    if (s->lock_fd < 0) return s->lock_fd;
    rc = open_seal(s, e); /* the head of its cipher is in a store before anything else */
    return rc < 0 ? rc : make_directories(s, e);
}

int embedded_rotate_key(const char *dir, const char *key_file, const char *next_key_file, struct err *e)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/lock", dir);
    if (!seal_is_needed(dir)) return err_set(e, ERR_FIND, "encryption: %s is no encrypted store", dir);
    int fd = file_lock(path, e);
    if (fd < 0) return fd;
    int rc = seal_rotate(dir, key_file, next_key_file, e);
    file_close(fd, NULL);
    return rc;
}

int embedded_unlock(const char *dir, const char *key_file, struct err *e)
{
    return seal_open(dir, key_file, false, e);
}

void embedded_lock(const char *dir)
{
    seal_close(dir);
}

int embedded_open(const struct embedded_conf *conf, struct store **out, struct err *e)
{
    struct engine *s = engine_new(conf);
    int rc = take_directory(s, e);
    if (rc == OK) rc = engine_recover(s, e);
    if (rc < 0) {
        err_where(e, "store %s", s->dir);
        engine_free(s);
        return rc;
    }
    if (!conf->read_only) {
        engine_check_space(s);
        engine_start_threads(s);
    }
    *out = &s->store;
    return OK;
}
