/* tier_build.c - a day's rows to its summaries.
 *
 * The rows of all parts of the day are read as a query reads them, series by series, and folded into the
 * buckets of the day. The file is complete and synced before one manifest edit puts it in the place of the
 * one before: a crash leaves the old one, or none, and the day is due again.
 *
 * Threads: the merge thread, or whoever holds merge_mu. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/tier.h"

#define ZSTD_TIER    3
#define SERIES_ONCE  1024        /* series scanned in one call */
#define FIELDS_BYTES (64u << 20) /* of one such call's arena */

struct building {
    struct engine *s;
    struct version *version;
    uint32_t day;
    const struct tier_kind *kind;
    struct part_writer *writer;
    struct part_cursor **cursors; /* of the day's parts */
    size_t n_parts;

    const series_key *keys; /* of the call under way */
    struct summary_grid grid;
    struct summary *at; /* grid.n */
    int64_t *end_ms;    /* of the buckets that have rows */
    double *column[SUM_FIELDS];
    struct err *err;
};

static void building_init(struct building *b)
{
    /* The bucket that ends at midnight holds the day's very first instant only. */
    int64_t begin_ms = (int64_t)b->day * DAY_MS;
    b->grid = (struct summary_grid){ begin_ms - b->kind->width_ms, b->kind->width_ms,
                                     (size_t)(DAY_MS / b->kind->width_ms) + 1 };
    b->at = mem_array(b->grid.n, sizeof *b->at);
    b->end_ms = mem_array(b->grid.n, sizeof *b->end_ms);
    for (int f = 0; f < SUM_FIELDS; f++) b->column[f] = mem_array(b->grid.n, sizeof **b->column);

    struct store_file *const *parts = version_day(b->version, b->day, FILE_PART, &b->n_parts);
    b->cursors = mem_array(b->n_parts, sizeof *b->cursors);
    for (size_t i = 0; i < b->n_parts; i++) b->cursors[i] = part_cursor_new(parts[i]->part);
}

static void building_release(struct building *b)
{
    for (size_t i = 0; i < b->n_parts; i++) part_cursor_free(b->cursors[i]);
    for (int f = 0; f < SUM_FIELDS; f++) mem_free(b->column[f]);
    mem_free(b->cursors);
    mem_free(b->at);
    mem_free(b->end_ms);
}

/* ---- one series ---- */

/* The buckets with rows, as columns; how many. */
static size_t to_columns(struct building *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->grid.n; i++) {
        const struct summary *s = &b->at[i];
        double fields[SUM_FIELDS];
        if (s->n == 0 && s->odd == 0 && !s->ends_stale) continue;
        b->end_ms[n] = b->grid.start_ms + (int64_t)(i + 1) * b->grid.width_ms;
        summary_put(s, b->end_ms[n], b->grid.width_ms, fields);
        for (int f = 0; f < SUM_FIELDS; f++) b->column[f][n] = fields[f];
        n++;
    }
    return n;
}

static bool all_zero(const double *v, size_t n)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) bits |= double_bits(v[i]);
    return bits == 0;
}

static int write_series(void *ctx, const struct series_rows *r)
{
    struct building *b = ctx;
    memset(b->at, 0, b->grid.n * sizeof *b->at);
    summary_fold(b->at, &b->grid, r->n, r->time_ms, r->value, r->hist, r->start_ms);
    size_t n = to_columns(b);
    for (int f = 0; n > 0 && f < SUM_FIELDS; f++) {
        if (all_zero(b->column[f], n)) continue;
        struct run run = { .key = b->keys[r->series],
                           .kind = (enum row_kind)(ROW_SUMMARY + f),
                           .n = n,
                           .time_ms = b->end_ms,
                           .value = b->column[f] };
        int rc = part_writer_run(b->writer, &run, b->err);
        if (rc < 0) return rc;
    }
    return OK;
}

/* ---- all series ---- */

/* The lowest key under the cursors, which then step over it. 1: there is one. */
static int next_key(struct building *b, series_key *key, struct err *e)
{
    struct run_head h;
    bool any = false;
    int rc;
    for (size_t i = 0; i < b->n_parts; i++) {
        if ((rc = part_cursor_peek(b->cursors[i], &h, e)) < 0) return rc;
        if (rc == 0 || (any && h.key >= *key)) continue;
        *key = h.key;
        any = true;
    }
    for (size_t i = 0; any && i < b->n_parts; i++)
        while ((rc = part_cursor_peek(b->cursors[i], &h, e)) != 0 && (rc < 0 || h.key == *key))
            if (rc < 0 || (rc = part_cursor_skip(b->cursors[i], e)) < 0) return rc;
    return any;
}

static int write_some(struct building *b, struct store_view *view, const series_key *keys, size_t n,
                      struct err *e)
{
    struct arena arena = ARENA_INIT(FIELDS_BYTES);
    struct call call = { .arena = &arena };
    struct series_ref *refs = arena_zero(&arena, n * sizeof *refs);
    for (size_t i = 0; i < n; i++) refs[i].id = keys[i];
    b->keys = keys;
    b->err = e;
    int rc =
        view_do_scan(view, &call, refs, n, b->grid.start_ms, summary_grid_end(&b->grid), write_series, b, e);
    arena_release(&arena);
    if (rc == OK && atomic_load(&b->s->stopping)) rc = err_set(e, ERR_CANCEL, "summaries: stopped");
    return rc;
}

static int write_all(struct building *b, struct err *e)
{
    struct view *view = view_of_files(b->s, b->version, b->day);
    series_key *keys = mem_array(SERIES_ONCE, sizeof *keys);
    int rc = OK;
    for (bool more = true; more && rc == OK;) {
        size_t n = 0;
        while (n < SERIES_ONCE && rc == OK && more) {
            if ((rc = next_key(b, &keys[n], e)) < 0) break;
            more = rc > 0;
            n += more;
            rc = OK;
        }
        if (rc == OK && n > 0) rc = write_some(b, &view->base, keys, n, e);
    }
    mem_free(keys);
    view_do_close(&view->base);
    return rc;
}

/* ---- the file ---- */

static int write_file(struct building *b, const struct file_id *id, const char *path, struct err *e)
{
    struct part_info info;
    int rc = part_writer_open(path, id->level, id->sequence, ZSTD_TIER, &b->writer, e);
    if (rc < 0) return rc;
    building_init(b);
    rc = write_all(b, e);
    building_release(b);
    if (rc < 0) {
        part_writer_abandon(b->writer);
        return rc;
    }
    return part_writer_finish(b->writer, &info, e);
}

/* The level goes up, so that a file built anew for the same parts has a name of its own. */
static struct file_id id_of(const struct building *b, const struct store_file *old)
{
    size_t n;
    struct store_file *const *parts = version_day(b->version, b->day, FILE_PART, &n);
    return (struct file_id){ b->day, b->kind->kind, old ? old->id.level + 1 : 0, parts[n - 1]->id.sequence,
                             false };
}

static int make(struct building *b, const struct file_id *id, struct store_file **out, struct err *e)
{
    char path[4200], dir[4096];
    file_id_path(path, sizeof path, b->s->dir, id);
    day_dir_path(dir, sizeof dir, b->s->dir, TABLE_METRICS, id->day);
    file_unlink(path, NULL); /* left by an attempt that failed */
    int rc = write_file(b, id, path, e);
    if (rc == OK) rc = file_sync_dir(dir, e);
    if (rc == OK) rc = store_file_open(b->s->dir, id, out, e);
    return rc;
}

int tier_build(struct engine *s, struct version *v, uint32_t day, const struct tier_kind *kind, struct err *e)
{
    struct building b = { .s = s, .version = v, .day = day, .kind = kind };
    struct store_file *old = tier_of_day(v, day, kind->kind), *fresh = NULL;
    struct file_id id = id_of(&b, old);
    int rc = catalog_settle(s->catalog, e); /* nothing unsure may bear the name we are about to write */
    if (rc == OK) rc = make(&b, &id, &fresh, e);
    if (rc == OK)
        rc = catalog_apply(
            s->catalog,
            &(struct catalog_change){ .add = &fresh, .n_add = 1, .drop = &old, .n_drop = old ? 1 : 0 }, e);
    if (rc < 0 && fresh != NULL) { /* its name may be in a record that failed half-way: see compact.c */
        atomic_store(&fresh->is_doomed, catalog_settle(s->catalog, NULL) == OK);
        store_file_unref(fresh);
    }
    return rc;
}

int tier_build_before(struct engine *s, struct version *v, uint32_t day, struct err *e)
{
    size_t n;
    int built = 0;
    for (size_t i = 0; i < v->n && v->at[i]->id.day < day; i += n) {
        struct file_id id = v->at[i]->id;
        version_day(v, id.day, id.kind, &n);
        for (size_t k = 0; id.kind == FILE_PART && k < TIER_KINDS; k++) {
            const struct store_file *old = tier_of_day(v, id.day, tier_kinds[k].kind);
            if (!tier_is_wanted(s, tier_kinds[k].kind)) continue;
            if (old != NULL && tier_is_current(v, id.day, old)) continue;
            int rc = tier_build(s, v, id.day, &tier_kinds[k], e);
            if (rc < 0) return rc;
            built++;
        }
    }
    return built;
}
