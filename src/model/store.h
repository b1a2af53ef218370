/* store.h - the waist: everything above (receive, derive, query, judge, tell) knows a store only by this.
 *
 * An embedded engine (store/), ClickHouse (clickhouse/) and a test's toy implement struct store_ops; callers
 * use the store_* and view_* wrappers. Fixed by the interface, not by the engine:
 *   1. Times are Unix milliseconds. Ranges are closed: [from_ms, to_ms].
 *   2. After store_write has returned OK its rows are seen by every view opened later.
 *   3. Of rows with equal (series, time) the one written last wins.
 *   4. Rows of a series come in rising time, one per time. Stale markers are ordinary rows.
 *   5. A view sees one moment: nothing written, merged or dropped after it was opened.
 *   6. Every reading call keeps to its struct call: ERR_TIMEOUT, ERR_CANCEL, ERR_LIMIT, never a partial
 * answer said to be whole: what damage has made unreadable is left out and said in call.notes; a call without
 * notes fails instead (ERR_CORRUPT).
 *   7. What has changed is told (store_changed_since): with a generation taken before view A was opened, and
 * the question asked after view B was, A and B hold the same sample rows before the time answered.
 *
 * Threads: store_* from any thread. A view may be scanned by many threads at once. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/batch.h"
#include "model/matcher.h"
#include "model/predicate.h"
#include "model/reject.h"
#include "model/summary.h"

struct work_pool;

/* What an answer lacks, in sentences for whoever asked. Parallel parts of a call share one. */
#define CALL_NOTES_SHOWN 10
#define CALL_NOTES_KEPT  256 /* distinct ones told apart */
struct call_notes {
    pthread_mutex_t mu; /* all below */
    size_t n, n_seen;   /* texts; notes, those without room for their text as well */
    uint64_t seen[CALL_NOTES_KEPT];
    char text[CALL_NOTES_SHOWN][256];
};
void call_notes_init(struct call_notes *);
void call_notes_release(struct call_notes *);
void call_notes_clear(struct call_notes *);
bool call_notes_any(struct call_notes *);
/* The texts, and a last line that counts those not shown; arena. */
size_t call_notes_list(struct call_notes *, struct arena *, struct str **out);

/* What every reading call carries. One thread at a time uses a struct call; parallel parts each have their
 * own arena. */
struct call {
    int64_t deadline_ns;          /* clock_mono_ns(); 0 = none */
    const atomic_bool *cancelled; /* NULL = never */
    struct arena *arena;          /* results and scratch; its budget is the memory limit */
    struct str tenant;            /* empty = the only one */
    struct call_notes *notes;     /* NULL: the answer is whole or an error */
    struct work_pool *pool;       /* whose idle threads may help; NULL: none. Sinks run on the caller's */
};

/* Keep a note, each text once; false when the call has no place for it. */
bool call_note(const struct call *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int call_check(const struct call *,
               struct err *); /* OK, ERR_TIMEOUT, ERR_CANCEL or ERR_LIMIT; cheap, call it often */

/* ---- writing ---- */

enum store_ack {
    ACK_MEMORY,  /* at once; durable within the sync interval */
    ACK_DURABLE, /* when fdatasync'ed */
};

struct write_result {
    uint64_t samples, histograms, exemplars, metadata; /* kept */
    uint64_t logs, spans;                              /* kept, those of a batch that was here before too */
    bool is_repeat;                  /* batch.id was here before: its records were not written again */
    uint64_t rejected[REJECT_COUNT]; /* rows refused, by reason */
    uint64_t rejected_total;
    char why[256]; /* of the first refusal, naming the series */
};

/* Once per accepted write, perhaps on the committer's thread, perhaps before store_write returns. OK, or
 * ERR_IO/ERR_FULL. */
typedef void store_done(void *ctx, int rc);

/* ---- reading ---- */

struct series_ref {
    uint64_t id;          /* means something to this view only */
    struct labels labels; /* borrowed from the call's arena */
};

struct series_set {
    struct series_ref *at; /* in no particular order; call's arena */
    size_t n;
    bool truncated; /* limit reached */
};

struct series_rows { /* one series in a window; borrowed until the sink returns */
    size_t series;   /* index into the refs given to view_scan */
    size_t n;        /* may be 0: nothing in the window (such series are delivered too) */
    const int64_t *time_ms;
    const double *value;           /* of a histogram: its sum */
    struct histogram *const *hist; /* NULL: floats only */
    const int64_t *start_ms;       /* NULL: none known; 0: unknown */
};

/* Return OK to go on, anything negative to stop (view_scan returns it). */
typedef int series_sink(void *ctx, const struct series_rows *);

/* ---- reading summaries ---- */

/* The series' buckets, grid.n of them; borrowed until the sink returns. series: index into the refs. */
typedef int summary_sink(void *ctx, size_t series, const struct summary *);

/* What a view has of [from, to] in summaries made in advance. */
struct summary_cover {
    size_t days;          /* whose rows need not be read for buckets of the width asked about */
    int64_t rows_from_ms; /* before this time rows are gone and only summaries are left; INT64_MIN: none
                             are gone. view_scan gives the last row of each of their buckets there */
    int64_t widest_ms;    /* of the buckets before rows_from_ms; 0: there are none */
};

struct exemplar {
    struct labels series, labels;
    int64_t time_ms;
    double value;
};

struct metadata {
    struct str family, type, help, unit;
};

/* ---- reading logs and spans ---- */

enum record_order {
    ORDER_ANY,       /* as it lies: fastest */
    ORDER_TIME,      /* oldest first */
    ORDER_TIME_DESC, /* newest first */
};

struct record_scan {
    enum table table;              /* TABLE_LOGS or TABLE_SPANS */
    int64_t from_ns, to_ns;        /* closed, of IN_TIME */
    const struct predicate *where; /* NULL: all */
    const struct field *fields;    /* what is wanted of each; none: whole records */
    size_t n_fields;
    enum record_order order;
    size_t limit; /* 0 = none: stop after so many, the first in the order asked for */
};

struct record_rows { /* borrowed until the sink returns; at most 8192 at a time */
    size_t n;
    const int64_t *time_ns;
    const struct value *const *values; /* values[f][row] of field f; VALUE_NONE: absent. Equal texts of one
                                          call often share their pointer */
    const struct record *records;      /* whole records, when no fields were asked for; else NULL */
};

typedef int record_sink(void *ctx, const struct record_rows *); /* negative: stop; view_records returns it */

struct field_info {
    struct field field;
    uint32_t types; /* bit i: values of enum value_type i */
    uint64_t rows;  /* about how many have it */
};

struct value_count {
    struct value value;
    uint64_t rows; /* about */
};

struct store_status {
    uint64_t series_active, samples_ingested, parts, rows_on_disk, bytes_on_disk, wal_bytes, head_rows,
        head_bytes;
    struct table_status {
        uint64_t ingested, parts, rows_on_disk, bytes_on_disk, head_rows, head_bytes;
        int64_t min_time_ms, max_time_ms; /* INT64_MAX, INT64_MIN when empty */
    } table[TABLE_COUNT]; /* those above are of TABLE_METRICS, but bytes_on_disk and parts: of all */
    int64_t min_time_ms, max_time_ms; /* INT64_MAX, INT64_MIN when empty */
    bool read_only;                   /* disk full or failing: queries go on */
};

struct name_count { /* for status/tsdb */
    struct str name;
    uint64_t n;
};

enum store_admin {
    STORE_FLUSH,    /* head to parts */
    STORE_MERGE,    /* all mergeable parts, now */
    STORE_RETAIN,   /* drop what is past the retention, now */
    STORE_SNAPSHOT, /* arg: const char *dir, must not exist */
    STORE_DELETE,   /* arg: const struct store_delete * */
};

/* Rows in [from_ms, to_ms] that match leave the store, summaries of them too: of what was written before the
 * call nothing of it is there when the answer is OK. After an error some of it may be: ask again. */
struct store_delete {
    enum table table;
    int64_t from_ms, to_ms;
    const struct predicate *where;  /* logs and spans; NULL: all of that time */
    const struct matcher *matchers; /* samples: of these series; at least one */
    size_t n_matchers;
    struct str who, reason; /* for the audit */
    uint64_t *rows;         /* out: how many went; may be NULL */
};

enum { STORE_HAS_SUMMARY = 1, STORE_HAS_EXEMPLARS = 2 };

struct store;
struct store_view;

struct store_ops {
    uint64_t (*caps)(struct store *);
    void (*close)(struct store *);
    int (*write)(struct store *, const struct batch *, enum store_ack, struct write_result *, store_done *,
                 void *ctx, struct err *);
    int (*view_open)(struct store *, int64_t from_ms, int64_t to_ms, struct store_view **, struct err *);
    void (*view_close)(struct store_view *);
    int (*series)(struct store_view *, struct call *, const struct matcher *, size_t n, size_t limit,
                  struct series_set *, struct err *);
    int (*scan)(struct store_view *, struct call *, const struct series_ref *, size_t n, int64_t from_ms,
                int64_t to_ms, series_sink *, void *ctx, struct err *);
    int (*label_names)(struct store_view *, struct call *, const struct matcher *, size_t n, size_t limit,
                       struct str **out, size_t *n_out, struct err *);
    int (*label_values)(struct store_view *, struct call *, struct str name, const struct matcher *, size_t n,
                        size_t limit, struct str **out, size_t *n_out, struct err *);
    int (*exemplars)(struct store_view *, struct call *, const struct matcher *, size_t n,
                     struct exemplar **out, size_t *n_out, struct err *);
    int (*records)(struct store_view *, struct call *, const struct record_scan *, record_sink *, void *ctx,
                   struct err *);
    int (*fields)(struct store_view *, struct call *, enum table, size_t limit, struct field_info **out,
                  size_t *n_out, struct err *);
    int (*field_values)(struct store_view *, struct call *, enum table, struct field,
                        const struct predicate *, size_t limit, struct value_count **out, size_t *n_out,
                        struct err *);
    int (*origins)(struct store_view *, struct call *, enum table, const struct predicate *, size_t limit,
                   struct origin **out, size_t *n_out, struct err *);
    int (*metadata)(struct store *, struct call *, struct str family, size_t limit, struct metadata **out,
                    size_t *n_out, struct err *);
    void (*status)(struct store *, struct store_status *);
    int (*top)(struct store *, struct call *, const char *what, size_t limit, struct name_count **out,
               size_t *n_out, struct err *);
    int (*admin)(struct store *, enum store_admin, const void *arg, struct err *);
    int64_t (*changed_since)(struct store *, uint64_t generation, uint64_t *now); /* NULL: not known */
    int (*summarize)(struct store_view *, struct call *, const struct series_ref *, size_t n,
                     const struct summary_grid *, uint32_t fields, summary_sink *, void *ctx,
                     struct err *); /* NULL: rows are scanned */
    void (*cover)(struct store_view *, int64_t from_ms, int64_t to_ms, int64_t width_ms,
                  struct summary_cover *); /* NULL: no summaries are kept */
};

struct store { /* an engine puts this first in its own struct */
    const struct store_ops *ops;
};
struct store_view { /* likewise */
    struct store *store;
};

void store_close(struct store *); /* flushes what must be, then frees; NULL is fine */

/* Rows are seen when this returns OK; `done` (may be NULL) is then called exactly once. On a negative return
 * nothing was kept and done is not called: ERR_BUSY (memory or WAL behind: 429), ERR_FULL (507), ERR_IO.
 * Refused rows are in result. */
int store_write(struct store *, const struct batch *, enum store_ack, struct write_result *, store_done *done,
                void *ctx, struct err *);

/* Pins what overlaps [from_ms, to_ms]. Close it soon: it keeps dropped parts alive. */
int store_view_open(struct store *, int64_t from_ms, int64_t to_ms, struct store_view **out, struct err *);
void store_view_close(struct store_view *); /* NULL is fine */

/* Series with at least one matching label set in the view's days. limit 0 = none. ERR_LIMIT when the arena is
 * full. The order is the engine's, but two views of the same days have the series they share in the same one:
 * sums of kept answers (query/promql/range_cached.c) lean on it. */
int view_series(struct store_view *, struct call *, const struct matcher *, size_t n, size_t limit,
                struct series_set *out, struct err *);

/* Each given series once, in the given order. Cheapest when refs are in the order view_series gave them. */
int view_scan(struct store_view *, struct call *, const struct series_ref *, size_t n, int64_t from_ms,
              int64_t to_ms, series_sink *, void *ctx, struct err *);

/* The buckets of a grid for each series: what summary_fold makes of its rows, from summaries made in advance
 * where they say the same, or where the rows are gone. fields: SUM_BIT of those wanted (SUM_N always is).
 * Times before the view's and after it are empty. */
int view_summarize(struct store_view *, struct call *, const struct series_ref *, size_t n,
                   const struct summary_grid *, uint32_t fields, summary_sink *, void *ctx, struct err *);
/* Buckets that end at multiples of width_ms. Cheap. */
void view_cover(struct store_view *, int64_t from_ms, int64_t to_ms, int64_t width_ms,
                struct summary_cover *);

/* Sorted, unique. n matchers may be 0: everything. */
int view_label_names(struct store_view *, struct call *, const struct matcher *, size_t n, size_t limit,
                     struct str **out, size_t *n_out, struct err *);
int view_label_values(struct store_view *, struct call *, struct str name, const struct matcher *, size_t n,
                      size_t limit, struct str **out, size_t *n_out, struct err *);
int view_exemplars(struct store_view *, struct call *, const struct matcher *, size_t n,
                   struct exemplar **out, size_t *n_out, struct err *);

/* Logs or spans. Of spans with equal (trace, span, kind) one is delivered: the finished one before the
 * running one, then the one written last; spans without an id are all delivered. Fields that are absent
 * everywhere cost nothing. */
int view_records(struct store_view *, struct call *, const struct record_scan *, record_sink *, void *ctx,
                 struct err *);
/* Attributes that occur (intrinsics are not listed), by scope and name. */
int view_fields(struct store_view *, struct call *, enum table, size_t limit, struct field_info **out,
                size_t *n_out, struct err *);
/* Distinct values of a field, most frequent first; among the records that match, NULL: all. */
int view_field_values(struct store_view *, struct call *, enum table, struct field, const struct predicate *,
                      size_t limit, struct value_count **out, size_t *n_out, struct err *);
/* Distinct resources (scope left empty) whose attributes match: log streams, services. The predicate may
 * speak of FIELD_RESOURCE and IN_ORIGIN only. */
int view_origins(struct store_view *, struct call *, enum table, const struct predicate *, size_t limit,
                 struct origin **out, size_t *n_out, struct err *);

int store_metadata(struct store *, struct call *, struct str family /* empty = all */, size_t limit,
                   struct metadata **out, size_t *n_out, struct err *);
void store_status(struct store *, struct store_status *);
/* what: "series_by_metric", "values_by_label", "bytes_by_label", "series_by_pair". Largest first. */
int store_top(struct store *, struct call *, const char *what, size_t limit, struct name_count **out,
              size_t *n_out, struct err *);
int store_admin(struct store *, enum store_admin, const void *arg, struct err *);

/* The oldest time of a sample row written, overwritten, deleted, dropped or expired after `generation`;
 * INT64_MAX: none was. Refused rows do not count. *now: the generation of this moment; generations start at 1
 * and mean something to this opening of the store only. Too old a time is an allowed answer: an engine that
 * does not know answers INT64_MIN, and so must a caller believe that anything may have changed. */
int64_t store_changed_since(struct store *, uint64_t generation, uint64_t *now);
