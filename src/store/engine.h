/* engine.h - the inside of the embedded store, shared by the files that are its parts.
 *
 *     write.c     batch -> registry -> head + WAL            under write_mu
 *     write_records.c  its logs and spans, before and under the lock
 *     flush.c     head -> part and index file per day        flush thread
 *     flush_records.c  its logs and spans -> a part a day and table
 *     view.c      a moment: files and heads; which series    any thread
 *     scan.c      rows of series out of a view               any thread
 *     tier_build.c, tier_scan.c  summaries of days, and of series out of a view
 *     record_view.c, record_scan.c  logs and spans out of a view
 *     compact.c   parts -> fewer parts                       merge thread
 *     extras.c    exemplars and metadata                   any thread
 *     delete.c, retention.c, recover.c, snapshot.c, fsck.c             as their names say
 *
 * Locks, in the order in which they may be taken: flush_mu, write_mu, days_lock, catalog_lock, then those
 * inside registry, head and WAL. No disk is touched under write_mu or catalog_lock.
 *
 * Always true:
 *   1. A published row is in `head`, in `flushing`, or in a part of the current version: in that order, never
 * in none.
 *   2. A series number met in a row is in the WAL from the floor on, or in an index file, before the row is
 * acknowledged.
 *   3. A day is open (in `open_days`) from the first row that arrives for it until its rows and series are in
 * files. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "store/batch_ids.h"
#include "store/catalog.h"
#include "store/changes.h"
#include "store/embedded.h"
#include "store/exemplar_store.h"
#include "store/head.h"
#include "store/metadata_store.h"
#include "store/registry.h"
#include "store/wal.h"

#define TIME_MS_MAX 253402300799999ll /* the year 9999 */

struct open_day {
    uint32_t day;
    bool is_whole;    /* the registry knows all series of the day: no index file need be asked */
    int64_t since_ms; /* wall clock of the last time it was opened or written to */
};

/* A head on its way to files. Kept, with what was built, until it has worked. */
struct flush_day {
    uint32_t day;
    enum table table;
    series_key *fresh; /* metrics: series for the index file */
    size_t n_fresh;
    size_t first, end; /* logs and spans: rows of the index */
    bool is_built;
};
struct flush_job {
    struct head *head; /* NULL: no job */
    uint64_t cut;
    struct flush_day *days;
    size_t n_days, cap_days;
    struct record_index *indexes[TABLE_COUNT]; /* logs and spans, once their days are noted */
    bool records_noted;
    uint64_t records_after;    /* its writes of logs and spans have higher numbers than this */
    uint64_t records_floor;    /* the writes of logs and spans up to this one are in the head or in parts */
    struct store_file **files; /* built */
    size_t n_files, cap_files;
    uint32_t next_series_no, next_metric_no;
};

struct engine_stats {
    struct stat *samples, *histograms, *logs, *spans, *repeats, *new_series, *flushes, *flush_seconds,
        *flush_bytes, *merges, *merge_seconds, *merge_bytes, *scanned, *files_set_aside;
};

struct engine {
    struct store store; /* first: this is a struct store */
    struct embedded_conf conf;
    char *dir;
    size_t flush_bytes; /* the head is flushed beyond */
    int lock_fd;
    bool is_sealed; /* seal.h knows it by us */

    struct registry *registry;
    struct wal *wal; /* NULL when read-only */
    struct catalog *catalog;
    struct exemplar_store *exemplars;
    struct metadata_store *metadata;
    uint64_t replaying; /* recovery: the WAL segment being read, which no flush may drop */

    pthread_mutex_t write_mu;
    struct arena scratch; /* write_mu */
    struct buf records;   /* write_mu: series, exemplars and metadata that are news */
    uint32_t day_seen;    /* write_mu: the day whose openness was checked last */
    _Atomic uint64_t samples_ingested, logs_ingested, spans_ingested;
    uint64_t record_sequence; /* write_mu: of the last write of logs or spans */
    uint64_t records_cut; /* write_mu: those up to this one are not in `head` but in older heads or parts */
    struct batch_ids batch_ids; /* write_mu */

    struct changes changes; /* its own lock, the innermost */

    struct head *head;     /* catalog_lock; changed under write_mu too */
    struct head *flushing; /* catalog_lock */

    pthread_rwlock_t days_lock;
    struct open_day *open_days; /* sorted */
    size_t n_open, cap_open;

    pthread_mutex_t flush_mu; /* one flush at a time */
    struct flush_job job;     /* flush_mu */
    pthread_mutex_t merge_mu; /* one merge at a time */

    /* Background threads. */
    pthread_mutex_t idle_mu;
    pthread_cond_t idle;
    bool stop;       /* idle_mu */
    bool want_flush; /* idle_mu */
    bool has_threads;
    pthread_t keeper, merger;
    atomic_bool stopping;
    atomic_int refusal; /* ERR_FULL: too little free space */
    atomic_int flushed; /* what the last flush came to; ERR_*: rows wait in memory and in the log */

    struct engine_stats stats;
};

static inline struct engine *engine_of(struct store *s)
{
    return (struct engine *)(void *)s;
}
static inline uint32_t day_of_ms(int64_t time_ms)
{
    return (uint32_t)(time_ms / DAY_MS);
}

/* write.c */
int engine_write(struct store *, const struct batch *, enum store_ack, struct write_result *, store_done *,
                 void *ctx, struct err *);

/* write_records.c */
struct records_write { /* the logs and spans of one batch, copied and ready */
    struct {
        enum table table;
        struct head_chunk *chunk;
    } * at;
    size_t n, cap;
};
/* Before the lock: refuses single records, fills in what is kept. */
int records_prepare(struct engine *, const struct batch *, struct records_write *, struct write_result *,
                    struct err *);
void records_release(struct records_write *);
/* write_mu held: into the head, or not when the batch is a repeat; then into the log, ended as a batch. */
void records_keep(struct engine *, const struct batch *, struct records_write *, struct write_result *);
void records_log(struct engine *, const struct batch *, struct records_write *, struct buf *);
void records_log_ids(struct engine *, struct buf *); /* after a cut */

/* extras.c */
#define EXEMPLARS_FILE "exemplars"
#define METADATA_FILE  "metadata"
void extras_load(struct engine *);
int extras_save(struct engine *, struct err *);
void extras_release(struct engine *);
void extras_write(struct engine *, const struct batch *, const series_key *keys, struct buf *records,
                  struct write_result *);
void extras_replay_exemplar(struct engine *, const struct wal_exemplar *);
void extras_replay_metadata(struct engine *, const struct wal_metadata *);
int view_do_exemplars(struct store_view *, struct call *, const struct matcher *, size_t n,
                      struct exemplar **out, size_t *n_out, struct err *);
int engine_metadata(struct store *, struct call *, struct str family, size_t limit, struct metadata **out,
                    size_t *n_out, struct err *);

/* days.c */
void days_open(struct engine *, uint32_t day);      /* write_mu; on the first row of a series in a day */
bool days_are_whole(struct engine *, uint32_t day); /* days_lock held: the registry alone can answer for it */
bool days_are_open(struct engine *, uint32_t day);  /* days_lock held */
void days_close_idle(struct engine *);              /* what is in files and not recent leaves the registry */
void days_add(struct engine *, uint32_t day, bool is_whole); /* recovery */

/* flush.c */
int engine_flush(struct engine *, struct err *); /* everything written before the call is in files when OK */
void flush_job_release(struct flush_job *);

/* flush_records.c */
void flush_note_records(struct flush_job *);
int flush_write_records(struct engine *, const struct flush_day *, const struct file_id *, const char *path,
                        struct err *);

/* compact.c */
int engine_merge(struct engine *, bool all,
                 struct err *); /* one merge, if one is due; all: until there is none. > 0: did something */

/* delete.c */
int engine_delete(struct engine *, const struct store_delete *, struct err *);

/* delete_samples.c: engine_delete for the table of metrics, but for the audit. */
int delete_samples(struct engine *, const struct store_delete *, uint64_t *rows, struct err *);

/* retention.c */
int64_t engine_oldest_ms(const struct engine *, enum table); /* rows before are refused */
int engine_retain(struct engine *, struct err *);
/* The wall clock beside the monotonic one. After a leap ahead of more than an hour false is answered for an
 * hour, or until it has leapt back: what a wrong clock makes old must not be dropped. Zeroed to begin with.
 */
struct retention_clock {
    int64_t now_ms, mono_ns; /* of the last call */
    int64_t hold_until_ns;   /* monotonic; 0: trusted */
    int64_t ahead_ms;        /* sum of the leaps while held */
};
bool retention_clock_ok(struct retention_clock *, int64_t now_ms, int64_t mono_ns);
void engine_check_space(struct engine *);

/* recover.c */
int engine_recover(struct engine *, struct err *);

/* snapshot.c */
int engine_snapshot(struct engine *, const char *dir, struct err *);

/* keeper.c */
void engine_start_threads(struct engine *);
void engine_stop_threads(struct engine *);
void engine_wake(struct engine *);

/* record_view.c, record_scan.c */
int view_do_records(struct store_view *, struct call *, const struct record_scan *, record_sink *, void *ctx,
                    struct err *);
int view_do_fields(struct store_view *, struct call *, enum table, size_t limit, struct field_info **out,
                   size_t *n_out, struct err *);
int view_do_field_values(struct store_view *, struct call *, enum table, struct field,
                         const struct predicate *, size_t limit, struct value_count **out, size_t *n_out,
                         struct err *);
int view_do_origins(struct store_view *, struct call *, enum table, const struct predicate *, size_t limit,
                    struct origin **out, size_t *n_out, struct err *);

/* view.c, scan.c, labels.c */
int view_do_open(struct store *, int64_t from_ms, int64_t to_ms, struct store_view **, struct err *);
void view_do_close(struct store_view *);
int view_do_series(struct store_view *, struct call *, const struct matcher *, size_t n, size_t limit,
                   struct series_set *, struct err *);
int view_do_scan(struct store_view *, struct call *, const struct series_ref *, size_t n, int64_t from_ms,
                 int64_t to_ms, series_sink *, void *ctx, struct err *);
/* tier_scan.c */
int view_do_summarize(struct store_view *, struct call *, const struct series_ref *, size_t n,
                      const struct summary_grid *, uint32_t fields, summary_sink *, void *ctx, struct err *);
void view_do_cover(struct store_view *, int64_t from_ms, int64_t to_ms, int64_t width_ms,
                   struct summary_cover *);
int view_do_label_names(struct store_view *, struct call *, const struct matcher *, size_t n, size_t limit,
                        struct str **out, size_t *n_out, struct err *);
int view_do_label_values(struct store_view *, struct call *, struct str name, const struct matcher *,
                         size_t n, size_t limit, struct str **out, size_t *n_out, struct err *);
