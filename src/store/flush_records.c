/* flush_records.c - the logs and spans of a head to files: one part a day and table, rows in key order.
 *
 * Buckets of time are the first of a key and never cross midnight, so a day is a stretch of the index. Equal
 * spans of a bucket are joined on the way; equal ones that are already in a part are joined by merges. */
#include "base/check.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/engine.h"

#define ZSTD_FLUSH 1
#define ARENA_ROWS 64 /* attributes of so many rows are held at once */
#define NS_A_DAY   (DAY_MS * 1000000)

/* ---- which days ---- */

static void note_day(struct flush_job *job, enum table table, uint32_t day, size_t first, size_t end)
{
    job->days = mem_grow(job->days, job->n_days, &job->cap_days, sizeof job->days[0]);
    job->days[job->n_days++] = (struct flush_day){ .day = day, .table = table, .first = first, .end = end };
}

static void note_table(struct flush_job *job, enum table table)
{
    struct record_head *head = head_records(job->head, table);
    if (record_head_rows(head) == 0) return;
    struct record_index *x = job->indexes[table] = record_head_index(head, record_head_chunks(head));
    for (size_t i = 0, end; i < x->n; i = end) {
        uint32_t day = (uint32_t)(x->at[i].time_ns / NS_A_DAY);
        for (end = i + 1; end < x->n && x->at[end].time_ns / NS_A_DAY == day;) end++;
        note_day(job, table, day, i, end);
    }
}

void flush_note_records(struct flush_job *job)
{
    for (int t = TABLE_LOGS; t < TABLE_COUNT; t++) note_table(job, (enum table)t);
    job->records_noted = true;
}

/* ---- rows ---- */

struct feed {
    const struct record_index *x;
    struct record_writer *writer;
    struct arena arena;
    size_t held; /* rows in the arena */
    struct span_claim *claims;
    size_t cap_claims;
    bool *lost; /* of the run at hand */
    size_t cap_lost;
};

static int add_row(struct feed *f, const struct record_row *row, struct err *e)
{
    struct record r;
    if (++f->held % ARENA_ROWS == 0) arena_reset(&f->arena);
    record_index_get(f->x, row, &f->arena, &r);
    return record_writer_add(f->writer, &r, f->x->chunks[row->chunk]->sequence, e);
}

static bool is_same_id(const struct record_row *a, const struct record_row *b)
{
    return a->id_low == b->id_low && a->id_high == b->id_high && a->bucket == b->bucket;
}

/* Of the contested rows in [first, end), which belong to one trace, all but the best of each span are lost.
 */
static void settle(struct feed *f, size_t first, size_t end)
{
    size_t n = 0;
    while (f->cap_lost < end - first)
        f->lost = mem_grow(f->lost, f->cap_lost, &f->cap_lost, sizeof f->lost[0]);
    for (size_t i = first; i < end; i++) {
        f->lost[i - first] = false;
        if (!(f->x->at[i].span & ROW_CONTESTED)) continue;
        f->claims = mem_grow(f->claims, n, &f->cap_claims, sizeof f->claims[0]);
        record_index_claim(f->x, &f->x->at[i], &f->arena, &f->claims[n]);
        f->claims[n++].tag = i - first;
    }
    span_claims_sort(f->claims, n);
    for (size_t i = 0; i < n; i++) f->lost[f->claims[i].tag] = !span_claim_wins(f->claims, i);
}

static int add_run(struct feed *f, size_t first, size_t end, bool is_contested, struct err *e)
{
    int rc = OK;
    if (is_contested) settle(f, first, end);
    for (size_t i = first; rc == OK && i < end; i++)
        if (!is_contested || !f->lost[i - first]) rc = add_row(f, &f->x->at[i], e);
    return rc;
}

static int add_rows(struct feed *f, size_t first, size_t end, struct err *e)
{
    int rc = OK;
    for (size_t i = first, k; rc == OK && i < end; i = k) {
        bool is_contested = false;
        for (k = i; k < end && is_same_id(&f->x->at[k], &f->x->at[i]); k++)
            is_contested |= f->x->at[k].span & ROW_CONTESTED;
        rc = add_run(f, i, k, is_contested, e);
    }
    return rc;
}

/* The part has all of its day that came with the head's writes; what parts of the day have already is theirs
 * alone (a start that found parts which the manifest did not list: recover_files.c). */
static void note_writes(struct engine *s, const struct flush_day *d, struct record_writer *w)
{
    size_t n;
    uint64_t after = s->job.records_after, last = s->job.records_floor;
    struct version *v = catalog_pin(s->catalog);
    struct store_file *const *files = version_day(v, d->day, table_kind(d->table), &n);
    for (size_t i = 0; i < n; i++) after = MAX(after, record_part_info(files[i]->records)->last_write);
    version_unref(v);
    if (after < last) record_writer_covers(w, after, last);
}

int flush_write_records(struct engine *s, const struct flush_day *d, const struct file_id *id,
                        const char *path, struct err *e)
{
    struct feed f = { .x = s->job.indexes[d->table], .arena = ARENA_INIT(SIZE_MAX) };
    struct record_part_info info;
    int rc =
        record_writer_open(path, record_layout(d->table), id->level, id->sequence, ZSTD_FLUSH, &f.writer, e);
    if (rc < 0) return rc;

    note_writes(s, d, f.writer);
    rc = add_rows(&f, d->first, d->end, e);
    if (rc == OK)
        rc = record_writer_finish(f.writer, &info, e);
    else
        record_writer_abandon(f.writer);
    mem_free(f.claims);
    mem_free(f.lost);
    arena_release(&f.arena);
    if (rc == OK) stat_add(s->stats.flush_bytes, info.bytes);
    return rc;
}
