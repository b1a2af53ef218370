/* compact.c - which files of a day to join, and when. Joining itself: part_merge, day_index_merge.
 *
 * Of equal rows the part with the higher sequence wins, so only neighbours in sequence are joined, and the
 * result takes the highest sequence of its sources with a higher level: its place among the others stays
 * right.
 *
 *     busy day     from 8 parts on, the run of neighbours with the best (sum of sizes / largest); at
 * least 1.7, so that a row is rewritten few times; beyond 12 parts the best run there is closed day   an hour
 * after its end all that is there becomes one part, packed tighter; late crumbs wait until they are worth it,
 * or a day old
 *
 *     closed day at rest   when its parts need no joining its summaries are made (tier_build.c)
 *
 * Threads: one merge at a time (merge_mu). */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/tier.h"

#define FAN_IN       STORE_JOIN_MAX
#define PARTS_BUSY   8
#define PARTS_MAX    12
#define RATIO_LEAST  1.7
#define CRUMBS       16 /* late rows below 1/16 of the day wait */
#define HOUR_MS      (3600 * 1000ll)
#define ZSTD_BUSY    1
#define ZSTD_FINAL   3
#define SPACE_FACTOR 1.2

struct plan {
    struct store_file *const *files; /* neighbours in sequence */
    size_t n;
    bool is_final;
};

/* ---- choosing ---- */

static uint64_t sum_bytes(struct store_file *const *files, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += files[i]->bytes;
    return sum;
}

static uint64_t largest(struct store_file *const *files, size_t n)
{
    uint64_t most = 1;
    for (size_t i = 0; i < n; i++) most = MAX(most, files[i]->bytes);
    return most;
}

/* The neighbours that gain most; n = 0 when none gains enough. */
static struct plan best_run(struct store_file *const *files, size_t n, double least)
{
    struct plan best = { 0 };
    for (size_t i = 0; i < n; i++)
        for (size_t k = 2; k <= FAN_IN && i + k <= n; k++) {
            double ratio = (double)sum_bytes(files + i, k) / (double)largest(files + i, k);
            if (ratio <= least) continue;
            least = ratio;
            best = (struct plan){ files + i, k, false };
        }
    return best;
}

static bool is_closed(uint32_t day, int64_t now_ms)
{
    return now_ms > ((int64_t)day + 1) * DAY_MS + HOUR_MS;
}

static bool worth_finishing(struct store_file *const *files, size_t n, int64_t now_ms)
{
    int64_t newest = 0;
    for (size_t i = 0; i < n; i++) newest = MAX(newest, files[i]->since_ms);
    if (newest > now_ms - HOUR_MS) return false;
    uint64_t most = largest(files, n);
    return sum_bytes(files, n) - most >= most / CRUMBS || newest < now_ms - 24 * HOUR_MS;
}

static struct plan plan_parts(struct store_file *const *files, size_t n, uint32_t day, bool all)
{
    int64_t now_ms = clock_now_ms();
    bool finish = is_closed(day, now_ms) && worth_finishing(files, n, now_ms);
    if (n < 2) return (struct plan){ 0 };
    if ((all || finish) && n <= FAN_IN) return (struct plan){ files, n, is_closed(day, now_ms) };
    if (all || finish || n > PARTS_MAX) return best_run(files, n, 0);
    return n >= PARTS_BUSY ? best_run(files, n, RATIO_LEAST) : (struct plan){ 0 };
}

static struct plan plan_indexes(struct store_file *const *files, size_t n, uint32_t day, bool all)
{
    int64_t now_ms = clock_now_ms();
    bool finish = is_closed(day, now_ms) && n > 1 && worth_finishing(files, n, now_ms);
    if (n < 2 || !(all || finish || n >= PARTS_BUSY)) return (struct plan){ 0 };
    return (struct plan){ files, MIN(n, (size_t)FAN_IN), false };
}

/* ---- joining ---- */

static int may_go_on(void *ctx)
{
    return atomic_load(&((struct engine *)ctx)->stopping) ? ERR_CANCEL : OK;
}

static int has_space(struct engine *s, const struct plan *p, struct err *e)
{
    int64_t bytes = file_free_bytes(s->dir, e);
    if (bytes < 0) return (int)bytes;
    double need = SPACE_FACTOR * (double)sum_bytes(p->files, p->n) + (double)s->conf.min_free_bytes;
    return (double)bytes < need ? err_set(e, ERR_FULL, "a merge needs %.0f bytes of free space", need) : OK;
}

static int join(struct engine *s, const struct plan *p, const struct file_id *id, const char *path,
                struct merge_losses *losses, struct err *e)
{
    struct table_join j = { p->files,  p->n, path,  id, p->is_final ? ZSTD_FINAL : ZSTD_BUSY,
                            may_go_on, s,    losses };
    return file_type(id->kind)->join(&j, e);
}

static struct file_id id_of(const struct plan *p)
{
    struct file_id id = p->files[0]->id;
    for (size_t i = 1; i < p->n; i++) {
        id.level = MAX(id.level, p->files[i]->id.level);
        id.sequence = MAX(id.sequence, p->files[i]->id.sequence);
    }
    id.level++;
    id.is_final = p->is_final;
    return id;
}

/* Let go of a result that is not in the catalog. Its name may be in a manifest record that failed half-way:
 * only when the manifest is settled may the file go; else the next start decides. */
static void discard(struct engine *s, struct store_file *f)
{
    if (f == NULL) return;
    atomic_store(&f->is_doomed, catalog_settle(s->catalog, NULL) == OK);
    store_file_unref(f);
}

static int make(struct engine *s, const struct plan *p, const struct file_id *id, struct store_file **out,
                struct merge_losses *losses, struct err *e)
{
    char path[4200], dir[4096];
    file_id_path(path, sizeof path, s->dir, id);
    day_dir_path(dir, sizeof dir, s->dir, file_type(id->kind)->table, id->day);
    file_unlink(path, NULL); /* left by an attempt that failed */
    int rc = join(s, p, id, path, losses, e);
    if (rc == OK) rc = file_sync_dir(dir, e);
    if (rc == OK) rc = store_file_open(s->dir, id, out, e);
    return rc;
}

/* What the merge could not read is still in its sources, for whoever can. */
static void keep_damaged(struct engine *s, const struct plan *p, const struct merge_losses *losses)
{
    for (size_t i = 0; i < p->n; i++) {
        if (!(losses->damaged >> i & 1)) continue;
        atomic_store(&p->files[i]->is_kept, true);
        stat_add(s->stats.files_set_aside, 1);
        log_error("store", "a merge left out what it could not read; the file is kept as NAME.damaged",
                  "file", p->files[i]->path, NULL);
    }
    log_error("store", "rows or series lost to damage in this merge, at most", "n",
              log_num((int64_t)losses->rows), NULL);
}

static int run(struct engine *s, const struct plan *p, struct err *e)
{
    struct store_file *joined = NULL;
    struct merge_losses losses = { 0 };
    struct file_id id = id_of(p);
    int64_t t0 = clock_mono_ns();
    int rc = has_space(s, p, e);
    if (rc == OK)
        rc = catalog_settle(s->catalog, e); /* nothing unsure may bear the name we are about to write */
    if (rc == OK) rc = make(s, p, &id, &joined, &losses, e);
    if (rc == OK && losses.damaged != 0) keep_damaged(s, p, &losses);
    uint64_t bytes = joined ? joined->bytes : 0;
    struct store_file **drop = mem_array(p->n, sizeof *drop);
    for (size_t i = 0; i < p->n; i++) drop[i] = p->files[i];
    if (rc == OK)
        rc = catalog_apply(
            s->catalog, &(struct catalog_change){ .add = &joined, .n_add = 1, .drop = drop, .n_drop = p->n },
            e);
    mem_free(drop);
    if (rc < 0) {
        discard(s, joined);
        return rc;
    }
    stat_add(s->stats.merges, 1);
    stat_add(s->stats.merge_bytes, bytes);
    stat_add_f(s->stats.merge_seconds, (double)(clock_mono_ns() - t0) / 1e9);
    return OK;
}

/* ---- summaries ---- */

/* A closed day at rest, whose parts are as few as they get for now. */
static const struct tier_kind *due_tier(const struct engine *s, const struct version *v, uint32_t day,
                                        struct store_file *const *parts, size_t n, bool all)
{
    int64_t now_ms = clock_now_ms(), newest = 0;
    for (size_t i = 0; i < n; i++) newest = MAX(newest, parts[i]->since_ms);
    if (!is_closed(day, now_ms) || (!all && newest > now_ms - HOUR_MS)) return NULL;
    for (size_t k = 0; k < TIER_KINDS; k++) {
        const struct store_file *old = tier_of_day(v, day, tier_kinds[k].kind);
        bool is_due = old == NULL || !tier_is_current(v, day, old);
        if (is_due && tier_is_wanted(s, tier_kinds[k].kind)) return &tier_kinds[k];
    }
    return NULL;
}

/* The first merge that is due, oldest day first. 1: done; 0: none is due. Damage in a day's files is no
 * reason to leave the others as they are. */
static int merge_one(struct engine *s, struct version *v, bool all, struct err *e)
{
    int damaged = 0;
    for (size_t i = 0, n; i < v->n; i += n) { /* a day's files of one kind at a time */
        struct file_id id = v->at[i]->id;
        struct store_file *const *files = version_day(v, id.day, id.kind, &n);
        if (tier_kind_of(id.kind) != NULL) continue;
        struct plan plan = file_type(id.kind)->has_rows ? plan_parts(files, n, id.day, all)
                                                        : plan_indexes(files, n, id.day, all);
        const struct tier_kind *tier =
            plan.n == 0 && id.kind == FILE_PART ? due_tier(s, v, id.day, files, n, all) : NULL;
        if (plan.n == 0 && tier == NULL) continue;
        int rc = tier ? tier_build(s, v, id.day, tier, e) : run(s, &plan, e);
        if (rc != ERR_CORRUPT) return rc < 0 ? rc : 1;
        damaged = rc;
    }
    return damaged;
}

int engine_merge(struct engine *s, bool all, struct err *e)
{
    int rc, did = 0;
    if (s->wal == NULL) return 0;
    do {
        pthread_mutex_lock(&s->merge_mu);
        struct version *v = catalog_pin(s->catalog);
        rc = merge_one(s, v, all, e);
        version_unref(v);
        pthread_mutex_unlock(&s->merge_mu);
        did += rc > 0;
    } while (all && rc > 0);
    return rc < 0 ? rc : did;
}
