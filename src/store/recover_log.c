/* recover_log.c - the log back into the head, flushed on the way as in normal running.
 *
 * Samples are put in whether or not a part has them: a sample twice is one sample. Logs and spans are left
 * out when a part covers their write (covers.h): rows of one write may be in a part for one day and in the
 * log alone for another, so it is asked row by row. */
#include <fcntl.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/recover_impl.h"

#define NS_A_DAY (DAY_MS * 1000000)

/* ---- samples ---- */

static int on_series(void *ctx, series_key key, struct str packed)
{
    recover_learn(ctx, key, packed);
    return OK;
}

/* On a full disk the rows stay in memory, which the log bounds (keeper.c): a store that can be read, and
 * waits for room, is worth more than one that does not start. The keeper flushes when there is space again.
 */
static int keep_memory_bounded(struct recovery *r)
{
    struct engine *s = r->s;
    struct err why = ERR_INIT;
    if (r->is_full || head_bytes(s->head) <= s->flush_bytes || s->conf.read_only) return OK;
    head_publish(s->head);
    int rc = engine_flush(s, &why);
    if (rc < 0 && rc != ERR_FULL) return err_set(r->e, rc, "%s", why.text);
    r->is_full = rc == ERR_FULL;
    if (r->is_full)
        log_error("store", "the disk is full: the log's rows stay in memory until there is room", "why",
                  why.text, NULL);
    return OK;
}

static int on_row(void *ctx, enum row_kind kind, series_key key, int64_t time_ms, uint64_t bits,
                  struct str packed)
{
    struct recovery *r = ctx;
    struct engine *s = r->s;
    if (time_ms < 0 || time_ms > TIME_MS_MAX || !recover_know(r, key)) {
        r->lost_rows++;
        return OK;
    }
    if (kind == ROW_HISTOGRAM) {
        struct histogram *h;
        if (histogram_unpack(packed, &r->arena, &h, NULL) < 0) {
            r->lost_rows++;
            return OK;
        }
        bits = head_keep(s->head, h);
        arena_reset(&r->arena);
    }
    uint32_t day = day_of_ms(time_ms);
    if (registry_mark(s->registry, day, key)) days_open(s, day);
    head_add(s->head, kind, key, time_ms, bits);
    return ++r->rows % 4096 == 0 ? keep_memory_bounded(r) : OK;
}

static int on_exemplar(void *ctx, const struct wal_exemplar *x)
{
    struct recovery *r = ctx;
    extras_replay_exemplar(r->s, x);
    return OK;
}

static int on_metadata(void *ctx, const struct wal_metadata *m)
{
    struct recovery *r = ctx;
    extras_replay_metadata(r->s, m);
    return OK;
}

/* ---- logs and spans ---- */

static void stage(struct recovery *r, enum table table, const struct record_chunk *c, uint64_t sequence)
{
    struct records_write *w = &r->staged;
    w->at = mem_grow(w->at, w->n, &w->cap, sizeof w->at[0]);
    w->at[w->n].table = table;
    w->at[w->n++].chunk = head_chunk_new(c, sequence);
}

static void stage_whole(struct recovery *r, const struct wal_records *x, const struct record_reader *reader)
{
    struct record_chunk c = { x->chunk, reader->n, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < reader->n; i++) {
        struct record head;
        record_chunk_head(reader, i, &head);
        c.min_ns = MIN(c.min_ns, head.time_ns);
        c.max_ns = MAX(c.max_ns, head.time_ns);
    }
    stage(r, x->table, &c, x->sequence);
}

static bool is_covered(const struct recovery *r, const struct wal_records *x,
                       const struct record_reader *reader, size_t i)
{
    struct record head;
    record_chunk_head(reader, i, &head);
    return covers_have(&r->covered, x->table, (uint32_t)(head.time_ns / NS_A_DAY), x->sequence);
}

/* The rows of which no part is sure, packed anew. */
static int stage_uncovered(struct recovery *r, const struct wal_records *x, struct record_reader *reader,
                           struct err *why)
{
    struct records kept;
    const struct origin *origin = NULL;
    int rc = OK;
    records_init(&kept, &r->arena, x->table);
    for (size_t i = 0; rc == OK && i < reader->n; i++) {
        struct record row;
        if (is_covered(r, x, reader, i)) continue;
        record_chunk_get(reader, i, &r->arena, &row);
        if (row.origin != origin) records_origin(&kept, row.origin);
        origin = row.origin;
        rc = records_add(&kept, &row, why);
    }
    records_end(&kept);
    for (size_t i = 0; rc == OK && i < kept.n_chunks; i++)
        if (kept.chunks[i].n > 0) stage(r, x->table, &kept.chunks[i], x->sequence);
    return rc;
}

static void drop_staged(struct recovery *r)
{
    for (size_t i = 0; i < r->staged.n; i++) head_chunk_free(r->staged.at[i].chunk);
    r->staged.n = 0;
}

static void keep_staged(struct recovery *r, uint64_t sequence)
{
    struct engine *s = r->s;
    for (size_t i = 0; i < r->staged.n; i++) {
        struct head_chunk *c = r->staged.at[i].chunk;
        r->rows += c->n;
        c->sequence = sequence;
        head_add_chunk(s->head, r->staged.at[i].table, c);
    }
    r->staged.n = 0;
    s->record_sequence = sequence;
}

/* The first chunk of a write. What is still staged is of a write whose end is missing. With the same number
 * it is one that a crash cut off, never answered, and its number was given again: it goes. Else the end was
 * lost by damage, and what is left of it is kept. */
static void begin_batch(struct recovery *r, uint64_t sequence)
{
    uint64_t before = r->staged.n > 0 ? r->staged.at[0].chunk->sequence : sequence;
    if (before == sequence)
        drop_staged(r);
    else
        keep_staged(r, before);
    r->s->replaying = r->segment; /* all before it is in the head */
}

/* Chunks wait for the end of their batch: a write that the crash cut off was never answered, and whoever sent
 * it sends it again. Writes up to the floor are in parts. */
static int on_records(void *ctx, const struct wal_records *x)
{
    struct recovery *r = ctx;
    struct record_reader reader;
    struct err why = ERR_INIT;
    if (x->sequence <= r->s->record_sequence) return OK;
    if (x->place == 0) begin_batch(r, x->sequence);
    int rc = record_chunk_open(&reader, x->chunk, &r->arena, &why);
    if (rc == OK && reader.table != x->table) rc = err_set(&why, ERR_CORRUPT, "a chunk of another table");
    if (rc == OK && x->sequence <= r->covered.last)
        rc = stage_uncovered(r, x, &reader, &why);
    else if (rc == OK && reader.n > 0)
        stage_whole(r, x, &reader);
    arena_reset(&r->arena);
    if (rc < 0) log_warn("store", "records of the log are left out", "why", why.text, NULL);
    return OK;
}

static int on_batch(void *ctx, const struct wal_batch *b)
{
    struct recovery *r = ctx;
    if (!batch_id_is_none(b->id)) batch_ids_add(&r->s->batch_ids, b->id, b->time_ms, clock_now_ms());
    if (b->sequence <= r->s->record_sequence) return OK;
    keep_staged(r, b->sequence);
    r->s->replaying = r->segment;
    return keep_memory_bounded(r);
}

/* ---- segments ---- */

static int on_segment(void *ctx, uint64_t segment, uint64_t bytes)
{
    struct recovery *r = ctx;
    char dir[4096], path[4200];
    r->segments = mem_grow(r->segments, r->n_segments, &r->cap_segments, sizeof r->segments[0]);
    r->segments[r->n_segments].number = segment;
    r->segments[r->n_segments++].bytes = bytes;
    r->segment = segment;
    if (r->staged.n == 0) r->s->replaying = segment; /* else a batch has begun in one before */
    if (r->s->conf.read_only) return OK;
    snprintf(dir, sizeof dir, "%s/wal", r->s->dir);
    wal_segment_path(path, sizeof path, dir, segment);
    return recover_make_safe(path, r->e);
}

static void on_text(void *ctx, const char *text)
{
    (void)ctx;
    log_warn("wal", text, NULL);
}

static int open_wal(struct recovery *r, const char *dir, const struct wal_report *report)
{
    struct engine *s = r->s;
    uint64_t next = MAX(report->last_segment + 1, s->replaying);
    int rc = wal_open(&(struct wal_conf){ .dir = dir,
                                          .sync_interval_ms = s->conf.sync_interval_ms,
                                          .segment_bytes = s->conf.wal_segment_bytes,
                                          .retry_ms = s->conf.wal_retry_ms,
                                          .next_segment = next,
                                          .next_lsn = report->next_lsn },
                      &s->wal, r->e);
    for (size_t i = 0; rc == OK && i < r->n_segments; i++)
        wal_adopt(s->wal, r->segments[i].number, r->segments[i].bytes);
    return rc;
}

static int drop_segment(const char *name, bool is_dir, void *ctx)
{
    const struct recovery *r = ctx;
    char path[4200];
    uint64_t number;
    if (is_dir || !wal_segment_number(name, &number) || number >= r->s->replaying) return 0;
    snprintf(path, sizeof path, "%s/wal/%s", r->s->dir, name);
    file_unlink(path, NULL); /* below the floor: its rows are in parts */
    return 0;
}

/* ---- the whole ---- */

/* Parts that do not say which writes they have may have some with higher numbers than the log knows of, when
 * the manifest has lost its end: the clock in milliseconds is beyond them all, as numbers are counted. */
static void raise_sequence(struct recovery *r)
{
    struct engine *s = r->s;
    s->record_sequence = MAX(s->record_sequence, r->covered.last);
    if (r->was_damaged && r->is_silent)
        s->record_sequence = MAX(s->record_sequence, (uint64_t)clock_now_ms());
}

static void say_what_was_read(const struct recovery *r, const struct wal_report *report, int64_t t0)
{
    if (report->frames == 0 && r->lost_rows == 0) return;
    log_info("store", "write-ahead log read", "rows", log_num((int64_t)r->rows), "frames",
             log_num((int64_t)report->frames), "damaged places", log_num((int64_t)report->holes),
             "missing frames", log_num((int64_t)report->missing), "rows without a series",
             log_num((int64_t)r->lost_rows), "ms", log_num((clock_mono_ns() - t0) / 1000000), NULL);
}

int recover_log(struct recovery *r)
{
    struct engine *s = r->s;
    struct wal_report report;
    char dir[4096];
    snprintf(dir, sizeof dir, "%s/wal", s->dir);
    struct wal_reader reader = { { on_series, on_row, on_exemplar, on_metadata, r, on_records, on_batch },
                                 on_segment,
                                 on_text,
                                 !s->conf.read_only };

    int64_t t0 = clock_mono_ns();
    if (!s->conf.read_only) file_list(dir, drop_segment, r, NULL);
    int rc = wal_replay(dir, s->replaying, &reader, &report, r->e);
    records_release(&r->staged); /* never answered */
    head_publish(s->head);
    if (rc < 0) return rc;
    raise_sequence(r);
    say_what_was_read(r, &report, t0);
    return s->conf.read_only ? OK : open_wal(r, dir, &report);
}
