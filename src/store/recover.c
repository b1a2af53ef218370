/* recover.c - from a directory to a running engine, whatever state the last run left it in.
 *
 *     1. MANIFEST up to its last good record; the files that it lists, and those that it ought to
 * (recover_files.c)
 *     2. the registry learns the series of today and yesterday from their index files
 *     3. the WAL from the floor on goes into the head, without what files have (recover_log.c)
 *
 * Always true, after any crash and any damage to the manifest (docs/decisions/0012 has the argument):
 *   1. A row of logs or spans is in one listed part, or in the head, never in both. Of parts that the
 * manifest does not list those are taken in that hold what no listed one does; and whatever a listed part
 * covers is left out when the log is read, this time and at every later start.
 *   2. Write numbers, series numbers and sequences of files that anything on the disk bears are not given out
 * again.
 *
 * Only errors of the disk and a foreign or locked directory stop a start. Threads: none yet. */
#include <fcntl.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/recover_impl.h"

int recover_make_safe(const char *path, struct err *e)
{
    int fd = file_open(path, O_RDONLY, e);
    if (fd == ERR_FIND) return OK;
    if (fd < 0) return fd;
    int rc = file_sync(fd, e);
    file_close(fd, NULL);
    return rc;
}

static int open_catalog(struct recovery *r)
{
    struct engine *s = r->s;
    int rc = recover_files(r);
    if (rc < 0) return rc;
    r->was_damaged = r->state.is_damaged;
    registry_reserve(s->registry, r->state.next_series_no, r->state.next_metric_no);
    s->replaying = r->segment = r->state.wal_floor;
    s->record_sequence = s->records_cut = r->state.records_floor;
    rc = catalog_open(s->dir, &r->state, r->files, r->n_files, s->conf.read_only, &s->catalog, r->e);
    if (rc == OK) r->n_files = 0; /* the catalog's now */
    return rc;
}

/* ---- series ---- */

static bool same_key(void *ctx, uint64_t value)
{
    return *(const series_key *)ctx == value;
}

static bool is_known(const struct recovery *r, series_key key)
{
    return map_find(&r->known, hash64(&key, sizeof key), same_key, &key) != NULL;
}

bool recover_learn(struct recovery *r, series_key key, struct str packed)
{
    struct err why = ERR_INIT;
    if (is_known(r, key)) return true;
    if (registry_restore(r->s->registry, key, packed, &why) < 0) {
        log_warn("store", "a series is left out", "why", why.text, NULL);
        return false;
    }
    map_add(&r->known, hash64(&key, sizeof key), key);
    return true;
}

/* A series that is in neither of the open days nor in the WAL: some older day's index has its labels. */
static bool find_elsewhere(struct recovery *r, series_key key)
{
    bool found = false;
    struct version *v = catalog_pin(r->s->catalog);
    for (size_t i = v->n; i-- > 0 && !found;) {
        struct labels l;
        if (v->at[i]->id.kind != FILE_INDEX ||
            day_index_labels(v->at[i]->index, key, &r->arena, &l, NULL) < 0)
            continue;
        struct buf packed = BUF_INIT(64u << 20);
        labels_pack(&packed, l);
        found = recover_learn(r, key, buf_view(&packed));
        buf_release(&packed);
    }
    version_unref(v);
    arena_reset(&r->arena);
    return found;
}

bool recover_know(struct recovery *r, series_key key)
{
    return is_known(r, key) || find_elsewhere(r, key);
}

struct indexed {
    struct recovery *r;
    uint32_t day;
};

static int learn_indexed(void *ctx, series_key key, struct str packed)
{
    struct indexed *x = ctx;
    if (recover_learn(x->r, key, packed)) registry_mark_indexed(x->r->s->registry, x->day, key);
    return OK;
}

static void load_day(struct recovery *r, uint32_t day)
{
    size_t n;
    struct version *v = catalog_pin(r->s->catalog);
    struct store_file *const *files = version_day(v, day, FILE_INDEX, &n);
    bool is_whole = true;
    for (size_t i = 0; i < n; i++) {
        struct err why = ERR_INIT;
        struct indexed x = { r, day };
        if (day_index_each(files[i]->index, learn_indexed, &x, &why) >= 0) continue;
        is_whole = false;
        log_error("store", "a series index is damaged", "path", files[i]->path, "why", why.text, NULL);
    }
    version_unref(v);
    days_add(r->s, day, is_whole);
}

static int reserve_number(void *ctx, series_key key, struct str packed)
{
    (void)packed;
    registry_reserve(ctx, (uint32_t)key + 1, (uint32_t)(key >> 32) + 1);
    return OK;
}

/* A manifest without its end does not say which numbers were given out: a new series must not get the number
 * that some older day knows another one by. */
static void reserve_numbers(struct recovery *r)
{
    struct version *v = catalog_pin(r->s->catalog);
    for (size_t i = 0; i < v->n; i++)
        if (v->at[i]->id.kind == FILE_INDEX)
            day_index_each(v->at[i]->index, reserve_number, r->s->registry, NULL);
    version_unref(v);
}

/* ---- the whole ---- */

int engine_recover(struct engine *s, struct err *e)
{
    struct recovery r = { .s = s, .arena = ARENA_INIT(SIZE_MAX), .e = e };
    uint32_t today = day_of_ms(clock_now_ms());
    int rc = open_catalog(&r);
    if (rc == OK) {
        extras_load(s);
        if (r.was_damaged) reserve_numbers(&r);
        load_day(&r, today - 1);
        load_day(&r, today);
        rc = recover_log(&r);
    }
    while (r.n_files > 0) store_file_unref(r.files[--r.n_files]);
    mem_free(r.files);
    mem_free(r.segments);
    covers_release(&r.covered);
    map_release(&r.known);
    arena_release(&r.arena);
    manifest_state_release(&r.state);
    return rc;
}
