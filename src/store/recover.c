/* recover.c - from a directory to a running engine, whatever state the last run left it in.
 *
 *     1. MANIFEST up to its last good record
 *     2. files it does not list go; unless the manifest was damaged, or lists files that are gone, so that
 * its end must be missing: then every readable one is taken in, since a row found twice does no harm and a
 * row lost does. A file newer than all that the manifest has heard of is taken in, too, for the same reason
 *     3. listed files are opened; a damaged one is renamed to NAME.damaged and left out
 *     4. the registry learns the series of today and yesterday from their index files
 *     5. the WAL from the floor on goes into the head, which is flushed on the way as in normal running
 *
 * Only errors of the disk and a foreign or locked directory stop a start. Threads: none yet. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/engine.h"

struct recovery {
    struct engine *s;
    struct manifest_state state;
    struct store_file **files;
    size_t n_files, cap_files;
    enum table table;            /* of the directories being walked */
    const char *day_name;        /* of the directory being walked */
    uint64_t heard_of;           /* sequences below were given out, says the manifest */
    size_t n_listed;             /* files of the manifest; those taken in during the walk follow, unsorted */
    struct map known;            /* keys that the registry has: by hash */
    struct arena arena;          /* histograms, labels and opened chunks on their way */
    struct records_write staged; /* chunks whose batch has not ended yet */
    uint64_t segment;            /* being read */
    bool was_damaged;            /* the manifest: its records floor may be an old one */
    uint64_t rows, lost_rows;
    bool is_full; /* a flush on the way found no room: no more of them */
    struct err *e;
};

/* What a killed process had written may be in the page cache only. Before anything leans on it (a file that
 * the manifest dropped is removed, a row is acknowledged whose series an old frame names) the disk must have
 * it. */
static int make_safe(const char *path, struct err *e)
{
    int fd = file_open(path, O_RDONLY, e);
    if (fd == ERR_FIND) return OK;
    if (fd < 0) return fd;
    int rc = file_sync(fd, e);
    file_close(fd, NULL);
    return rc;
}

/* ---- 2: files that are there ---- */

static bool is_listed(const struct recovery *r, const struct file_id *id)
{
    const struct manifest_state *m = &r->state;
    for (size_t low = 0, high = r->n_listed; low < high;) {
        size_t mid = low + (high - low) / 2;
        int c = file_id_cmp(&m->files[mid], id);
        if (c == 0) return true;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static void adopt(struct recovery *r, const struct file_id *id)
{
    struct manifest_state *m = &r->state;
    m->files = mem_grow(m->files, m->n, &m->cap, sizeof m->files[0]);
    m->files[m->n++] = *id; /* sorted again after the walk */
}

static bool is_readable(const char *dir, const struct file_id *id)
{
    struct store_file *f;
    if (store_file_open(dir, id, &f, NULL) < 0) return false;
    store_file_unref(f);
    return true;
}

static void no_report(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

/* Every byte of it: what a flush left unfinished may have its last page on the disk and not its first. And it
 * is synced, as the manifest will list it. */
static bool is_sound(const struct file_id *id, const char *path)
{
    if (make_safe(path, NULL) < 0) return false;
    return id->kind == FILE_PART ? part_verify(path, no_report, NULL, NULL) == 0
                                 : day_index_verify(path, no_report, NULL, NULL) == 0;
}

static int walk_file(const char *name, bool is_dir, void *ctx)
{
    struct recovery *r = ctx;
    struct file_id id;
    char path[4200];
    if (is_dir || str_ends(str_of(name), ".damaged")) return 0;
    snprintf(path, sizeof path, "%s/%s/%s/%s", r->s->dir, table_name(r->table), r->day_name, name);

    bool is_ours = file_id_parse(r->table, r->day_name, name, &id);
    if (is_ours && is_listed(r, &id)) return 0;
    if (is_ours)
        r->state.next_sequence = MAX(r->state.next_sequence, id.sequence + 1); /* its name may stay taken */
    bool is_newer =
        id.sequence >= r->heard_of && r->table == TABLE_METRICS; /* where a row twice counts once */
    if (is_ours &&
        ((r->state.is_damaged && is_readable(r->s->dir, &id)) || (is_newer && is_sound(&id, path)))) {
        log_warn("store", "a file that the manifest does not list is taken in", "path", path, NULL);
        adopt(r, &id);
    } else if (file_unlink(path, NULL) == OK) {
        log_info("store", "a file that is not part of the store is removed", "path", path, NULL);
    }
    return 0;
}

static int walk_day(const char *name, bool is_dir, void *ctx)
{
    struct recovery *r = ctx;
    char path[4200];
    if (!is_dir) return 0;
    snprintf(path, sizeof path, "%s/%s/%s", r->s->dir, table_name(r->table), name);
    r->day_name = name;
    return file_list(path, walk_file, r, r->e);
}

static int by_id(const void *a, const void *b)
{
    return file_id_cmp(a, b);
}

/* A drop is in the manifest before the file goes: so when a listed one is gone, the manifest has lost its
 * end. */
static bool lists_what_is_gone(const struct recovery *r)
{
    char path[4200];
    for (size_t i = 0; i < r->state.n; i++) {
        file_id_path(path, sizeof path, r->s->dir, &r->state.files[i]);
        if (!file_exists(path)) return true;
    }
    return false;
}

static int walk(struct recovery *r)
{
    char path[4200];
    int rc = OK;
    r->n_listed = r->state.n;
    r->heard_of = r->state.next_sequence;
    r->state.is_damaged |= lists_what_is_gone(r);
    for (int t = 0; rc == OK && t < TABLE_COUNT; t++) {
        r->table = (enum table)t;
        snprintf(path, sizeof path, "%s/%s", r->s->dir, table_name(r->table));
        rc = file_list(path, walk_day, r, r->e);
        if (rc == ERR_FIND) rc = OK;
    }
    r->state.is_damaged |= r->state.n != r->n_listed; /* so that they are listed from now on */
    if (r->state.n != r->n_listed) qsort(r->state.files, r->state.n, sizeof r->state.files[0], by_id);
    return rc;
}

/* ---- 3: files that should be there ---- */

static void set_aside(struct recovery *r, const struct file_id *id, const char *why)
{
    char path[4200], aside[4300];
    file_id_path(path, sizeof path, r->s->dir, id);
    snprintf(aside, sizeof aside, "%s.damaged", path);
    if (!r->s->conf.read_only) file_rename(path, aside, NULL);
    stat_add(r->s->stats.files_set_aside, 1);
    log_error("store", "a file is missing or damaged and left out", "path", path, "why", why, NULL);
}

static int open_listed(struct recovery *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->state.n; i++) {
        struct store_file *f;
        struct err why = ERR_INIT;
        int rc = store_file_open(r->s->dir, &r->state.files[i], &f, &why);
        if (rc == ERR_CORRUPT || rc == ERR_FIND || rc == ERR_UNSUPPORTED) {
            set_aside(r, &r->state.files[i], why.text);
            r->state.is_damaged = true; /* so that the manifest is written anew, without it */
            continue;
        }
        if (rc < 0) return err_set(r->e, rc, "%s", why.text);
        r->files = mem_grow(r->files, r->n_files, &r->cap_files, sizeof r->files[0]);
        r->files[r->n_files++] = f;
        r->state.files[kept++] = r->state.files[i];
    }
    r->state.n = kept;
    return OK;
}

static int open_catalog(struct recovery *r)
{
    bool read_only = r->s->conf.read_only;
    char path[4200];
    int rc = manifest_load(r->s->dir, &r->state, r->e);
    if (rc == OK && r->state.is_damaged && r->state.bytes > 0)
        log_warn("store", "the manifest is damaged: what follows its last good record is cut off", "bytes",
                 log_num((int64_t)r->state.bytes), NULL);
    snprintf(path, sizeof path, "%s/MANIFEST", r->s->dir);
    if (rc == OK && !read_only) rc = make_safe(path, r->e);
    if (rc == OK && !read_only) rc = walk(r);
    if (rc == OK) rc = open_listed(r);
    if (rc < 0) return rc;

    r->was_damaged = r->state.is_damaged;
    registry_reserve(r->s->registry, r->state.next_series_no, r->state.next_metric_no);
    r->s->replaying = r->segment = r->state.wal_floor;
    r->s->record_sequence = r->state.records_floor;
    rc = catalog_open(r->s->dir, &r->state, r->files, r->n_files, read_only, &r->s->catalog, r->e);
    if (rc == OK) r->n_files = 0;
    return rc;
}

/* ---- 4: series of the open days ---- */

static bool same_key(void *ctx, uint64_t value)
{
    return *(const series_key *)ctx == value;
}

static bool is_known(const struct recovery *r, series_key key)
{
    return map_find(&r->known, hash64(&key, sizeof key), same_key, &key) != NULL;
}

static bool learn(struct recovery *r, series_key key, struct str packed)
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

struct indexed {
    struct recovery *r;
    uint32_t day;
};

static int learn_indexed(void *ctx, series_key key, struct str packed)
{
    struct indexed *x = ctx;
    if (learn(x->r, key, packed)) registry_mark_indexed(x->r->s->registry, x->day, key);
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

/* ---- 5: the WAL ---- */

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
        found = learn(r, key, buf_view(&packed));
        buf_release(&packed);
    }
    version_unref(v);
    arena_reset(&r->arena);
    return found;
}

static int on_series(void *ctx, series_key key, struct str packed)
{
    learn(ctx, key, packed);
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
    if (time_ms < 0 || time_ms > TIME_MS_MAX || (!is_known(r, key) && !find_elsewhere(r, key))) {
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

static void stage(struct recovery *r, const struct wal_records *x, const struct record_reader *reader)
{
    struct records_write *w = &r->staged;
    struct record_chunk c = { x->chunk, reader->n, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < reader->n; i++) {
        struct record head;
        record_chunk_head(reader, i, &head);
        c.min_ns = MIN(c.min_ns, head.time_ns);
        c.max_ns = MAX(c.max_ns, head.time_ns);
    }
    w->at = mem_grow(w->at, w->n, &w->cap, sizeof w->at[0]);
    w->at[w->n].table = x->table;
    w->at[w->n++].chunk = head_chunk_new(&c, x->sequence);
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
    if (rc == OK && reader.n > 0) stage(r, x, &reader);
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

struct kept_segments { /* for wal_adopt, once there is a WAL */
    struct recovery r;
    struct {
        uint64_t number, bytes;
    } * at;
    size_t n, cap;
};

static int on_segment(void *ctx, uint64_t segment, uint64_t bytes)
{
    struct kept_segments *k = ctx;
    char dir[4096], path[4200];
    k->at = mem_grow(k->at, k->n, &k->cap, sizeof k->at[0]);
    k->at[k->n].number = segment;
    k->at[k->n++].bytes = bytes;
    k->r.segment = segment;
    if (k->r.staged.n == 0) k->r.s->replaying = segment; /* else a batch has begun in one before */
    if (k->r.s->conf.read_only) return OK;
    snprintf(dir, sizeof dir, "%s/wal", k->r.s->dir);
    wal_segment_path(path, sizeof path, dir, segment);
    return make_safe(path, k->r.e);
}

static void on_text(void *ctx, const char *text)
{
    (void)ctx;
    log_warn("wal", text, NULL);
}

static int open_wal(struct kept_segments *k, const char *dir, const struct wal_report *report, struct err *e)
{
    struct engine *s = k->r.s;
    uint64_t next = MAX(report->last_segment + 1, s->replaying);
    int rc = wal_open(&(struct wal_conf){ .dir = dir,
                                          .sync_interval_ms = s->conf.sync_interval_ms,
                                          .segment_bytes = s->conf.wal_segment_bytes,
                                          .retry_ms = s->conf.wal_retry_ms,
                                          .next_segment = next,
                                          .next_lsn = report->next_lsn },
                      &s->wal, e);
    for (size_t i = 0; rc == OK && i < k->n; i++) wal_adopt(s->wal, k->at[i].number, k->at[i].bytes);
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

static int replay(struct kept_segments *k)
{
    struct recovery *r = &k->r;
    struct engine *s = r->s;
    struct wal_report report;
    char dir[4096];
    snprintf(dir, sizeof dir, "%s/wal", s->dir);
    struct wal_reader reader = { { on_series, on_row, on_exemplar, on_metadata, k, on_records, on_batch },
                                 on_segment,
                                 on_text,
                                 !s->conf.read_only };

    int64_t t0 = clock_mono_ns();
    if (!s->conf.read_only) file_list(dir, drop_segment, r, NULL);
    int rc = wal_replay(dir, s->replaying, &reader, &report, r->e);
    records_release(&r->staged); /* never answered */
    head_publish(s->head);
    if (rc < 0) return rc;
    /* Parts may hold rows of writes with higher numbers than we know of. The clock in milliseconds is beyond
     * them all: numbers are counted. */
    if (r->was_damaged) s->record_sequence = MAX(s->record_sequence, (uint64_t)clock_now_ms());
    if (report.frames > 0 || r->lost_rows > 0)
        log_info("store", "write-ahead log read", "rows", log_num((int64_t)r->rows), "frames",
                 log_num((int64_t)report.frames), "damaged places", log_num((int64_t)report.holes),
                 "missing frames", log_num((int64_t)report.missing), "rows without a series",
                 log_num((int64_t)r->lost_rows), "ms", log_num((clock_mono_ns() - t0) / 1000000), NULL);
    return s->conf.read_only ? OK : open_wal(k, dir, &report, r->e);
}

int engine_recover(struct engine *s, struct err *e)
{
    struct kept_segments k = { .r = { .s = s, .arena = ARENA_INIT(SIZE_MAX), .e = e } };
    uint32_t today = day_of_ms(clock_now_ms());
    int rc = open_catalog(&k.r);
    if (rc == OK) {
        extras_load(s);
        load_day(&k.r, today - 1);
        load_day(&k.r, today);
        rc = replay(&k);
    }
    while (k.r.n_files > 0) store_file_unref(k.r.files[--k.r.n_files]);
    mem_free(k.r.files);
    mem_free(k.at);
    map_release(&k.r.known);
    arena_release(&k.r.arena);
    manifest_state_release(&k.r.state);
    return rc;
}
