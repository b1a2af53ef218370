/* write_records.c - the logs and spans of a batch.
 *
 * Chunks are kept as they came: copied before the lock is taken, handed to the head and written to the log
 * under it. Only a chunk with a record that must be refused is packed anew without it.
 *
 * A write is whole or not there: its chunks are followed by the end of the batch in the log, and a replay
 * keeps chunks only when that has come. So a client that was never answered may send again, and has each
 * record once. The id of a batch is remembered with it (batch_ids.h): a batch that was answered and is sent
 * again is answered again, when the log has what was written before this moment. */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/engine.h"

#define NS_A_MS 1000000

struct preparing {
    struct records_write *out;
    struct write_result *result;
    int64_t oldest_ns;
};

/* ---- refusals ---- */

static void refuse(struct preparing *p, enum table table, enum reject why)
{
    struct write_result *r = p->result;
    if (r->rejected_total == 0)
        snprintf(r->why, sizeof r->why, "a %s: %s", table == TABLE_LOGS ? "log record" : "span",
                 reject_text(why));
    r->rejected[why]++;
    r->rejected_total++;
    reject_count(why, 1);
}

static bool is_welcome(struct preparing *p, enum table table, int64_t time_ns)
{
    if (time_ns >= p->oldest_ns) return true;
    refuse(p, table, time_ns < 0 ? REJECT_record_time : REJECT_too_old);
    return false;
}

/* ---- chunks ---- */

static void keep(struct preparing *p, enum table table, const struct record_chunk *c)
{
    struct records_write *w = p->out;
    w->at = mem_grow(w->at, w->n, &w->cap, sizeof w->at[0]);
    w->at[w->n].table = table;
    w->at[w->n++].chunk = head_chunk_new(c, 0);
    *(table == TABLE_LOGS ? &p->result->logs : &p->result->spans) += c->n;
}

/* The welcome ones of a chunk, packed anew. */
static int sift(struct preparing *p, enum table table, const struct record_chunk *c, struct arena *a,
                struct err *e)
{
    struct record_reader reader;
    struct records kept;
    const struct origin *origin = NULL;
    int rc = record_chunk_open(&reader, c->bytes, a, e);
    if (rc < 0) return rc;

    records_init(&kept, a, table);
    for (size_t i = 0; rc == OK && i < reader.n; i++) {
        struct record r;
        record_chunk_get(&reader, i, a, &r);
        if (!is_welcome(p, table, r.time_ns)) continue;
        if (r.origin != origin) records_origin(&kept, r.origin);
        origin = r.origin;
        rc = records_add(&kept, &r, e);
    }
    records_end(&kept);
    for (size_t i = 0; rc == OK && i < kept.n_chunks; i++) keep(p, table, &kept.chunks[i]);
    return rc;
}

static int prepare_table(struct preparing *p, const struct records *r, struct err *e)
{
    struct arena scratch = ARENA_INIT(SIZE_MAX);
    int rc = OK;
    for (size_t i = 0; rc == OK && r != NULL && i < r->n_chunks; i++) {
        const struct record_chunk *c = &r->chunks[i];
        if (c->n == 0) continue;
        if (c->min_ns >= p->oldest_ns) {
            keep(p, r->table, c);
        } else {
            rc = sift(p, r->table, c, &scratch, e);
            arena_reset(&scratch);
        }
    }
    arena_release(&scratch);
    return rc;
}

int records_prepare(struct engine *s, const struct batch *b, struct records_write *out,
                    struct write_result *result, struct err *e)
{
    struct preparing p = { out, result, engine_oldest_ms(s, TABLE_LOGS) * NS_A_MS };
    int rc = prepare_table(&p, b->logs, e);
    p.oldest_ns = engine_oldest_ms(s, TABLE_SPANS) * NS_A_MS;
    if (rc == OK) rc = prepare_table(&p, b->spans, e);
    if (rc < 0) records_release(out);
    return rc;
}

void records_release(struct records_write *w)
{
    for (size_t i = 0; i < w->n; i++) head_chunk_free(w->at[i].chunk);
    mem_free(w->at);
    *w = (struct records_write){ 0 };
}

/* ---- under the lock ---- */

static void forget_all(struct records_write *w)
{
    for (size_t i = 0; i < w->n; i++) head_chunk_free(w->at[i].chunk);
    w->n = 0;
}

void records_keep(struct engine *s, const struct batch *b, struct records_write *w,
                  struct write_result *result)
{
    int64_t now_ms = clock_now_ms();
    if (w->n == 0) return;
    result->is_repeat = !batch_id_is_none(b->id) && batch_ids_known(&s->batch_ids, b->id);
    if (result->is_repeat) {
        forget_all(w);
        stat_add(s->stats.repeats, 1);
        return;
    }
    s->record_sequence++;
    if (!batch_id_is_none(b->id)) batch_ids_add(&s->batch_ids, b->id, now_ms, now_ms);
    for (size_t i = 0; i < w->n; i++) {
        w->at[i].chunk->sequence = s->record_sequence;
        head_add_chunk(s->head, w->at[i].table, w->at[i].chunk);
    }
}

/* The chunks are the head's from here on: borrowed for this call, then forgotten. */
void records_log(struct engine *s, const struct batch *b, struct records_write *w, struct buf *log)
{
    if (w->n == 0) return;
    for (size_t i = 0; i < w->n; i++)
        wal_put_records(log, &(struct wal_records){ s->record_sequence, (uint32_t)i, w->at[i].table,
                                                    w->at[i].chunk->bytes });
    wal_put_batch(log, &(struct wal_batch){ s->record_sequence, b->id, clock_now_ms() });
    w->n = 0;
}

static void log_id(void *ctx, const struct batch_id *id)
{
    wal_put_batch(ctx, &(struct wal_batch){ 0, id->id, id->time_ms });
}

void records_log_ids(struct engine *s, struct buf *log)
{
    batch_ids_each(&s->batch_ids, log_id, log);
}
