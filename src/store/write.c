/* write.c - a batch into the store: series resolved, rows appended to the head, the same rows into the WAL.
 *
 * All under one lock: at a hundred nanoseconds a row one core takes ten million rows a second, and a lock per
 * shard would only spread the cache misses. Series are looked up 64 at a time with a prefetch, because the
 * misses are the cost. Nothing can fail once the lock is taken but single rows, which are refused and
 * counted. */
#include <stdio.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/engine.h"

#define AHEAD               64
#define HISTOGRAMS_A_RECORD 16 /* half a megabyte each at the worst, and a record must fit into a frame */
#define SCRATCH_KEEP        (4u << 20)
#define NO_SERIES           ((series_key)0) /* numbers start at 1 */

struct writing {
    struct engine *s;
    const struct batch *batch;
    struct write_result *result;
    series_key *keys;  /* by series of the batch; NO_SERIES: refused */
    int64_t oldest_ms; /* rows before are refused */
    uint64_t new_series;
    int64_t first_ms; /* of the rows kept; INT64_MAX: none */
};

/* ---- refusals ---- */

static void refuse(struct writing *w, const struct batch_series *series, enum reject why, uint64_t rows,
                   const char *text)
{
    struct write_result *r = w->result;
    if (r->rejected_total == 0) {
        struct labels l = { 0 };
        struct buf name = BUF_INIT(160);
        if (labels_from(w->batch->spelling, series->raw, &w->s->scratch, &l, NULL) == OK)
            labels_print(&name, l);
        snprintf(r->why, sizeof r->why, "%.140s: %.100s", name.n ? buf_cstr(&name) : "a series", text);
        buf_release(&name);
    }
    r->rejected[why] += rows;
    r->rejected_total += rows;
    reject_count(why, rows);
}

/* The registry says ERR_LIMIT when it is full; everything else is about the labels themselves. */
static enum reject reason_of(const struct writing *w, const struct batch_series *series, int rc)
{
    return rc == ERR_LIMIT ? registry_refusal(w->s->registry)
                           : labels_reject(w->batch->spelling, series->raw);
}

/* ---- series ---- */

static series_key resolve(struct writing *w, const struct batch_series *series)
{
    struct err e = ERR_INIT;
    series_key key;
    enum registry_added added;
    struct str packed;
    if (registry_find(w->s->registry, series->key, &key)) return key;

    int rc = registry_resolve(w->s->registry, series->key, w->batch->spelling, series->raw, &w->s->scratch,
                              &key, &added, &packed, &e);
    if (rc < 0) {
        refuse(w, series, reason_of(w, series, rc), series->n_rows, e.text);
        return NO_SERIES;
    }
    if (added == REGISTRY_NEW) {
        wal_put_series(&w->s->records, key, packed);
        w->new_series++;
    }
    return key;
}

static void resolve_all(struct writing *w)
{
    const struct batch *b = w->batch;
    w->keys = arena_array(&w->s->scratch, b->n_series, sizeof w->keys[0]);
    for (size_t i = 0; i < b->n_series; i += AHEAD) {
        size_t stop = MIN(i + AHEAD, b->n_series);
        for (size_t k = i; k < stop; k++) registry_prefetch(w->s->registry, b->series[k].key);
        for (size_t k = i; k < stop; k++) w->keys[k] = resolve(w, &b->series[k]);
    }
}

/* ---- rows ---- */

static void add_row(struct writing *w, series_key key, uint32_t row)
{
    const struct batch *b = w->batch;
    struct head *h = w->s->head;
    int64_t t = b->time_ms[row];
    w->first_ms = MIN(w->first_ms, t);
    if (UNLIKELY(b->hist != NULL && b->hist[row] != NULL)) {
        head_add(h, ROW_HISTOGRAM, key, t, head_keep(h, b->hist[row]));
        w->result->histograms++;
    } else {
        head_add(h, ROW_FLOAT, key, t, double_bits(b->value[row]));
        w->result->samples++;
    }
    if (UNLIKELY(b->start_ms != NULL && b->start_ms[row] != 0))
        head_add(h, ROW_START, key, t, (uint64_t)b->start_ms[row]);
}

static void add_series_rows(struct writing *w, const struct batch_series *series, series_key key)
{
    uint32_t marked = UINT32_MAX; /* a day no row can have */
    for (uint32_t row = series->row; row < series->row + series->n_rows; row++) {
        int64_t t = w->batch->time_ms[row];
        if (UNLIKELY(t < w->oldest_ms)) {
            refuse(w, series, REJECT_too_old, 1, "a sample is older than the retention");
            continue;
        }
        if (UNLIKELY(t > TIME_MS_MAX)) {
            refuse(w, series, REJECT_future, 1, "a sample is beyond the year 9999");
            continue;
        }
        uint32_t day = day_of_ms(t);
        if (day != marked) {
            if (UNLIKELY(registry_mark(w->s->registry, day, key))) days_open(w->s, day);
            marked = day;
        }
        add_row(w, key, row);
    }
}

static void add_rows(struct writing *w)
{
    for (size_t i = 0; i < w->batch->n_series; i++)
        if (LIKELY(w->keys[i] != NO_SERIES)) add_series_rows(w, &w->batch->series[i], w->keys[i]);
}

/* ---- the log; and the moment when the rows are seen ---- */

static void log_slab(void *ctx, const struct slab *slab, uint32_t from)
{
    uint32_t most = slab->kind == ROW_HISTOGRAM ? HISTOGRAMS_A_RECORD : SLAB_ROWS_MAX;
    for (uint32_t n; from < slab->n; from += n) {
        n = MIN(slab->n - from, most);
        wal_put_rows(ctx, slab->kind, slab->key + from, slab->time_ms + from, slab->bits + from, n);
    }
}

static void log_and_publish(struct writing *w, struct records_write *records, bool durable, store_done *done,
                            void *ctx)
{
    struct buf *b = wal_begin(w->s->wal);
    buf_str(b, buf_view(&w->s->records));
    head_each_fresh(w->s->head, log_slab, b);
    records_log(w->s, w->batch, records, b);
    head_publish(w->s->head); /* before anybody can hear that it is durable */
    wal_end(w->s->wal, durable, done, ctx);
}

static void forget_scratch(struct engine *s)
{
    if (s->scratch.used > SCRATCH_KEEP)
        arena_release(&s->scratch);
    else
        arena_reset(&s->scratch);
    buf_clear(&s->records);
    if (s->records.cap > SCRATCH_KEEP) buf_release(&s->records);
}

/* ---- the whole ---- */

/* May a write begin? Memory is bounded by the head that fills and the one that is being flushed. */
static int admit(struct engine *s, struct err *e)
{
    if (s->wal == NULL) return err_set(e, ERR_IO, "the store was opened read-only");
    if (atomic_load(&s->refusal) != OK)
        return err_set(e, ERR_FULL, "less than %llu bytes are free on the disk",
                       (unsigned long long)s->conf.min_free_bytes);
    int rc = wal_ready(s->wal, e);
    if (rc == OK) rc = budget_admit_ingest(0, e);
    if (rc < 0) return rc;

    catalog_lock(s->catalog);
    bool is_behind = s->flushing != NULL && head_bytes(s->head) > 2 * s->flush_bytes;
    catalog_unlock(s->catalog);
    if (!is_behind) return OK;
    if (atomic_load(&s->flushed) == ERR_FULL)
        return err_set(e, ERR_FULL, "the disk is full: memory waits to be flushed");
    return err_set(e, ERR_BUSY, "the disk is behind: memory waits to be flushed");
}

static void count(struct writing *w)
{
    struct engine *s = w->s;
    stat_add(s->stats.samples, w->result->samples);
    if (w->result->histograms) stat_add(s->stats.histograms, w->result->histograms);
    if (w->new_series) stat_add(s->stats.new_series, w->new_series);
    atomic_fetch_add(&s->samples_ingested, w->result->samples + w->result->histograms);
    if (w->result->is_repeat || w->result->logs + w->result->spans == 0) return;
    stat_add(s->stats.logs, w->result->logs);
    stat_add(s->stats.spans, w->result->spans);
    atomic_fetch_add(&s->logs_ingested, w->result->logs);
    atomic_fetch_add(&s->spans_ingested, w->result->spans);
}

int engine_write(struct store *store, const struct batch *batch, enum store_ack ack,
                 struct write_result *result, store_done *done, void *ctx, struct err *e)
{
    struct engine *s = engine_of(store);
    *result = (struct write_result){ 0 };
    struct records_write records = { 0 };
    int rc = admit(s, e);
    if (rc == OK) rc = records_prepare(s, batch, &records, result, e);
    if (rc < 0) return rc;

    struct writing w = { s, batch, result, NULL, engine_oldest_ms(s, TABLE_METRICS), 0, INT64_MAX };
    bool durable = ack == ACK_DURABLE;
    pthread_mutex_lock(&s->write_mu);
    resolve_all(&w);
    add_rows(&w);
    extras_write(s, batch, w.keys, &s->records, result);
    records_keep(s, batch, &records, result);
    changes_note(&s->changes, w.first_ms); /* before and after: changes.h */
    log_and_publish(&w, &records, durable, durable ? done : NULL, ctx);
    changes_note(&s->changes, w.first_ms);
    bool is_full = head_bytes(s->head) > s->flush_bytes;
    forget_scratch(s);
    pthread_mutex_unlock(&s->write_mu);

    records_release(&records);
    count(&w);
    if (is_full) engine_wake(s);
    if (!durable && done != NULL) done(ctx, OK);
    return OK;
}
