/* delete_samples.c - samples that leave on demand: of the series that match, the rows between two times.
 *
 *     1. which keys: by a view of that time (everything written before is in files already, see delete.c)
 *     2. each part that holds a row of theirs is written anew without it; the day's summaries, which tell of
 *        those rows, go in the same manifest edit, and the merge thread makes them again
 *     3. summaries whose rows have expired are written anew without the buckets that overlap the time
 *
 * A crash half-way leaves some parts old and some new; asked again, the rest is done. The labels of a series
 * stay in the day's index until the day goes.
 *
 * Threads: any; merges wait meanwhile (merge_mu). */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/scan.h"
#include "store/tier.h"

#define ZSTD_DELETE  1
#define SPACE_FACTOR 1.2

struct cutting {
    struct engine *s;
    int64_t from_ms, to_ms;
    series_key *keys; /* sorted */
    size_t n, cap;
    uint64_t rows;
    struct version *version;
};

/* ---- which ---- */

static int by_key(const void *a, const void *b)
{
    series_key x = *(const series_key *)a, y = *(const series_key *)b;
    return (x > y) - (x < y);
}

static bool is_ours(void *ctx, series_key key)
{
    const struct cutting *c = ctx;
    return c->n > 0 && bsearch(&key, c->keys, c->n, sizeof key, by_key) != NULL;
}

static int find_keys(struct cutting *c, const struct store_delete *what, struct err *e)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct call call = { .arena = &a };
    struct series_set set;
    struct store_view *view;
    int rc = view_do_open(&c->s->store, c->from_ms, c->to_ms, &view, e);
    if (rc < 0) return rc;
    rc = view_do_series(view, &call, what->matchers, what->n_matchers, 0, &set, e);
    for (size_t i = 0; rc == OK && i < set.n; i++) {
        series_key one;
        struct key_list list = view_keys(view_of(view), &set.at[i], &one);
        for (size_t k = 0; k < list.n; k++) {
            c->keys = mem_grow(c->keys, c->n, &c->cap, sizeof *c->keys);
            c->keys[c->n++] = list.at[k];
        }
    }
    view_do_close(view);
    arena_release(&a);
    if (c->n > 0) qsort(c->keys, c->n, sizeof *c->keys, by_key);
    return rc;
}

static bool holds_ours(const struct cutting *c, const struct part_info *i, int64_t to_ms)
{
    size_t low = 0, high = c->n; /* the first key that is not below the file's */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->keys[mid] < i->min_key)
            low = mid + 1;
        else
            high = mid;
    }
    return low < c->n && c->keys[low] <= i->max_key && i->min_time_ms <= to_ms &&
           i->max_time_ms >= c->from_ms;
}

/* ---- one file ---- */

static int may_go_on(void *ctx)
{
    return atomic_load(&((struct engine *)ctx)->stopping) ? ERR_CANCEL : OK;
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

/* In place of f, and of the day's summaries when f is of rows, what is left of it: fresh, or nothing. */
static int replace(struct cutting *c, struct store_file *f, struct store_file *fresh, struct err *e)
{
    struct store_file *drop[1 + TIER_KINDS] = { f };
    struct catalog_change change = { .add = &fresh, .n_add = fresh ? 1 : 0, .drop = drop, .n_drop = 1 };
    for (size_t k = 0; f->id.kind == FILE_PART && k < TIER_KINDS; k++) {
        struct store_file *tier = tier_of_day(c->version, f->id.day, tier_kinds[k].kind);
        if (tier != NULL) drop[change.n_drop++] = tier;
    }
    int64_t oldest_ms = MAX(c->from_ms, (int64_t)f->id.day * DAY_MS);
    changes_note(&c->s->changes, oldest_ms); /* before and after: changes.h */
    int rc = catalog_apply(c->s->catalog, &change, e);
    changes_note(&c->s->changes, oldest_ms);
    if (rc < 0 && fresh != NULL) { /* its name may be in a record that failed half-way: see compact.c */
        atomic_store(&fresh->is_doomed, catalog_settle(c->s->catalog, NULL) == OK);
        store_file_unref(fresh);
    }
    return rc;
}

/* f again, under the next level's name, without the rows. to_ms: of rows, or of the ends of buckets. */
static int write_anew(struct cutting *c, struct store_file *f, int64_t to_ms, const struct file_id *id,
                      const char *path, struct part_cut *cut, struct part_info *info, struct err *e)
{
    char dir[4096];
    day_dir_path(dir, sizeof dir, c->s->dir, TABLE_METRICS, id->day);
    file_unlink(path, NULL); /* left by an attempt that failed */
    *cut = (struct part_cut){ is_ours, c, c->from_ms, to_ms, 0 };
    int rc = part_cut(f->part ? f->part : f->tier, path, id->level, id->sequence, ZSTD_DELETE, cut, may_go_on,
                      c->s, info, e);
    return rc == OK ? file_sync_dir(dir, e) : rc;
}

static int cut_file(struct cutting *c, struct store_file *f, int64_t to_ms, struct err *e)
{
    char path[4200];
    struct file_id id = f->id;
    struct store_file *fresh = NULL;
    struct part_info info;
    struct part_cut cut;
    id.level++;
    file_id_path(path, sizeof path, c->s->dir, &id);

    int rc = has_space(c->s, f->bytes, e);
    if (rc == OK) rc = catalog_settle(c->s->catalog, e);
    if (rc == OK) rc = write_anew(c, f, to_ms, &id, path, &cut, &info, e);
    if (rc < 0) return rc;
    if (cut.rows == 0 || info.rows == 0) file_unlink(path, NULL);
    if (cut.rows == 0) return OK;
    if (info.rows > 0) rc = store_file_open(c->s->dir, &id, &fresh, e);
    if (rc == OK) rc = replace(c, f, fresh, e);
    if (rc == OK && f->id.kind == FILE_PART) c->rows += cut.rows;
    return rc;
}

/* ---- all ---- */

/* The tier is all that is left of its day. */
static bool is_alone(const struct version *v, const struct store_file *tier)
{
    size_t n;
    version_day(v, tier->id.day, FILE_PART, &n);
    return n == 0;
}

/* Pinned anew for each file: what one edit dropped must not be dropped again. */
static int cut_next(struct cutting *c, struct file_id *after, bool *any, struct err *e)
{
    int rc = OK;
    *any = false;
    c->version = catalog_pin(c->s->catalog);
    for (size_t i = 0; i < c->version->n && !*any; i++) {
        struct store_file *f = c->version->at[i];
        const struct tier_kind *tier = tier_kind_of(f->id.kind);
        if (file_id_cmp(&f->id, after) <= 0 || (f->part == NULL && tier == NULL)) continue;
        int64_t to_ms = tier ? c->to_ms + tier->width_ms - 1 : c->to_ms; /* a bucket's time is its end */
        if (!holds_ours(c, &f->info, to_ms) || (tier && !is_alone(c->version, f))) continue;
        *any = true;
        *after = f->id;
        after->level++; /* what we made of it */
        rc = cut_file(c, f, to_ms, e);
    }
    version_unref(c->version);
    return rc;
}

int delete_samples(struct engine *s, const struct store_delete *what, uint64_t *rows, struct err *e)
{
    struct cutting c = { .s = s,
                         .from_ms = MAX(what->from_ms, (int64_t)0),
                         .to_ms = MIN(what->to_ms, (int64_t)TIME_MS_MAX) };
    struct file_id after = { 0 };
    bool any = true;
    if (c.from_ms > c.to_ms) return OK;
    int rc = find_keys(&c, what, e);
    pthread_mutex_lock(&s->merge_mu);
    while (rc == OK && any && c.n > 0) rc = cut_next(&c, &after, &any, e);
    pthread_mutex_unlock(&s->merge_mu);
    *rows = c.rows;
    mem_free(c.keys);
    return rc;
}
