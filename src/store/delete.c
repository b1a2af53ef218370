/* delete.c - forgetting on demand: logs or spans that match leave every file that holds them (samples:
 * delete_samples.c).
 *
 *     1. a flush: what was written before the call is in files
 *     2. each part with a block that may hold a match is written anew without them and takes the old one's
 * place by a manifest edit; a part of which nothing is left is dropped
 *     3. a line in <data>/audit.jsonl says who deleted what
 *
 * A crash half-way leaves some parts old and some new; asked again, the rest is done. Views that were opened
 * before see what they saw. Snapshots are other directories: they keep what they have.
 *
 * Threads: any; merges wait meanwhile (merge_mu). */
#include <fcntl.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/engine.h"

#define ZSTD_DELETE  1
#define AUDIT_FILE   "audit.jsonl"
#define AUDIT_LINE   (64u << 10)
#define NS_A_MS      1000000
#define SPACE_FACTOR 1.2

struct deleting {
    struct engine *s;
    const struct store_delete *what;
    struct predicate leaf[2], where; /* time, and what was asked for */
    const struct predicate *children[3];
    struct arena arena;
    uint64_t rows;
};

/* ---- the condition ---- */

static int64_t clamp_ns(int64_t ms)
{
    return ms > INT64_MAX / NS_A_MS ? INT64_MAX : MAX(ms, (int64_t)0) * NS_A_MS;
}

static void set_condition(struct deleting *d)
{
    int64_t to_ns = clamp_ns(d->what->to_ms);
    if (to_ns <= INT64_MAX - (NS_A_MS - 1)) to_ns += NS_A_MS - 1;
    d->leaf[0] = (struct predicate){ .op = PRED_GE,
                                     .field = field_in(IN_TIME),
                                     .value = value_int(clamp_ns(d->what->from_ms)) };
    d->leaf[1] = (struct predicate){ .op = PRED_LE, .field = field_in(IN_TIME), .value = value_int(to_ns) };
    d->children[0] = &d->leaf[0];
    d->children[1] = &d->leaf[1];
    d->children[2] = d->what->where;
    d->where =
        (struct predicate){ .op = PRED_AND, .child = d->children, .n_children = d->what->where ? 3u : 2u };
}

/* ---- one file ---- */

static int may_hold(struct deleting *d, struct store_file *f, bool *may, struct err *e)
{
    uint64_t *bits;
    size_t n;
    *may = false;
    arena_reset(&d->arena);
    if (f->max_ms < d->what->from_ms || f->min_ms > d->what->to_ms) return OK;
    int rc = record_part_candidates(f->records, &d->where, 0, INT64_MAX, &d->arena, &bits, &n, e);
    for (size_t i = 0; rc == OK && i < n; i++) *may |= bits[i / 64] >> (i % 64) & 1;
    return rc;
}

static int has_space(struct engine *s, uint64_t bytes, struct err *e)
{
    int64_t room = file_free_bytes(s->dir, e);
    if (room < 0) return (int)room;
    if ((double)room < SPACE_FACTOR * (double)bytes)
        return err_set(e, ERR_FULL, "deletion writes a part anew and needs %llu bytes of free space",
                       (unsigned long long)bytes);
    return OK;
}

static int may_go_on(void *ctx)
{
    return atomic_load(&((struct engine *)ctx)->stopping) ? ERR_CANCEL : OK;
}

/* The part again, under the next level's name, without the rows. */
static int write_anew(struct deleting *d, struct store_file *f, const struct file_id *id, const char *path,
                      uint64_t *dropped, struct err *e)
{
    char dir[4096];
    struct record_part_info info;
    day_dir_path(dir, sizeof dir, d->s->dir, d->what->table, id->day);
    file_unlink(path, NULL); /* left by an attempt that failed */
    int rc = record_part_merge(&f->records, 1, path, record_layout(d->what->table), id->level, id->sequence,
                               ZSTD_DELETE, &d->where, may_go_on, d->s, &info, dropped, e);
    return rc == OK ? file_sync_dir(dir, e) : rc;
}

static int replace(struct deleting *d, struct store_file *f, struct store_file *fresh, struct err *e)
{
    struct catalog_change change = { .add = &fresh, .n_add = fresh ? 1 : 0, .drop = &f, .n_drop = 1 };
    int rc = catalog_apply(d->s->catalog, &change, e);
    if (rc < 0 && fresh != NULL) { /* its name may be in a record that failed half-way: see compact.c */
        atomic_store(&fresh->is_doomed, catalog_settle(d->s->catalog, NULL) == OK);
        store_file_unref(fresh);
    }
    return rc;
}

static int thin_out(struct deleting *d, struct store_file *f, struct err *e)
{
    char path[4200];
    struct file_id id = f->id;
    struct store_file *fresh = NULL;
    uint64_t dropped = 0, rows = f->rows;
    id.level++;
    file_id_path(path, sizeof path, d->s->dir, &id);

    int rc = has_space(d->s, f->bytes, e);
    if (rc == OK) rc = catalog_settle(d->s->catalog, e);
    if (rc == OK) rc = write_anew(d, f, &id, path, &dropped, e);
    if (rc < 0) return rc;
    if (dropped == 0 || dropped == rows) file_unlink(path, NULL);
    if (dropped == 0) return OK;
    if (dropped < rows) rc = store_file_open(d->s->dir, &id, &fresh, e);
    if (rc == OK) rc = replace(d, f, fresh, e);
    if (rc == OK) d->rows += dropped;
    return rc;
}

static int thin_out_all(struct deleting *d, struct err *e)
{
    struct version *v = catalog_pin(d->s->catalog);
    int rc = OK;
    for (size_t i = 0; rc == OK && i < v->n; i++) {
        bool may = false;
        if (v->at[i]->id.kind != table_kind(d->what->table)) continue;
        rc = may_hold(d, v->at[i], &may, e);
        if (rc == OK && may) rc = thin_out(d, v->at[i], e);
    }
    version_unref(v);
    return rc;
}

/* ---- the audit ---- */

static int append(const char *path, struct str line, struct err *e)
{
    int fd = file_open(path, O_WRONLY | O_CREAT | O_APPEND, e);
    if (fd < 0) return fd;
    int rc = file_write(fd, line.p, line.n, e);
    if (rc == OK) rc = file_sync(fd, e);
    file_close(fd, NULL);
    return rc;
}

static int audit(const struct deleting *d, int verdict, struct err *e)
{
    char path[4200];
    struct json_writer j;
    struct buf line = BUF_INIT(AUDIT_LINE);
    json_writer_init(&j, &line);
    json_begin_object(&j);
    json_kv_i64(&j, "time_ms", clock_now_ms());
    json_kv_string(&j, "who", d->what->who);
    json_kv_cs(&j, "what", "delete");
    json_kv_cs(&j, "table", table_name(d->what->table));
    json_kv_string(&j, "reason", d->what->reason);
    json_kv_i64(&j, "from_ms", d->what->from_ms);
    json_kv_i64(&j, "to_ms", d->what->to_ms);
    json_kv_i64(&j, "rows", (int64_t)d->rows);
    json_kv_cs(&j, "result", verdict == OK ? "done" : err_name(verdict));
    json_end_object(&j);
    buf_char(&line, '\n');
    snprintf(path, sizeof path, "%s/%s", d->s->dir, AUDIT_FILE);
    int rc = line.full ? err_set(e, ERR_LIMIT, "audit: too long a reason") : append(path, buf_view(&line), e);
    buf_release(&line);
    return rc;
}

/* ---- the whole ---- */

static int refuse(const struct store_delete *what, struct err *e)
{
    if (what->table == TABLE_METRICS && what->n_matchers == 0)
        return err_set(e, ERR_RANGE, "deletion: which series is not said");
    if (what->from_ms > what->to_ms) return err_set(e, ERR_RANGE, "deletion ends before it begins");
    if (what->who.n + what->reason.n > AUDIT_LINE / 8)
        return err_set(e, ERR_LIMIT, "deletion: who and why are too long for the audit");
    return what->where ? predicate_check(what->where, e) : OK;
}

int engine_delete(struct engine *s, const struct store_delete *what, struct err *e)
{
    struct deleting d = { .s = s, .what = what, .arena = ARENA_INIT(SIZE_MAX) };
    int rc = refuse(what, e);
    if (rc == OK) rc = engine_flush(s, e);
    if (rc < 0) return rc;

    if (what->table == TABLE_METRICS) {
        rc = delete_samples(s, what, &d.rows, e);
    } else {
        set_condition(&d);
        pthread_mutex_lock(&s->merge_mu);
        rc = thin_out_all(&d, e);
        pthread_mutex_unlock(&s->merge_mu);
    }
    arena_release(&d.arena);
    if (what->rows != NULL) *what->rows = d.rows;
    int noted = audit(&d, rc, rc == OK ? e : NULL);
    return rc == OK ? noted : rc;
}
