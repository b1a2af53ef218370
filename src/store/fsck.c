/* fsck.c - every checksum and every promise of the formats, without changing a byte and without the lock. */
#include <stdio.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/engine.h"
#include "store/fsck_sealed.h"
#include "store/seal.h"

struct fsck {
    const char *dir;
    void (*line)(void *ctx, const char *text);
    void *ctx;
    struct fsck_report *report;
    struct manifest_state state;
    uint64_t found;   /* in the file being checked */
    enum table table; /* being walked */
    const char *day_name;
    struct err *e;
};

static void say(struct fsck *f, const char *text)
{
    if (f->line != NULL) f->line(f->ctx, text);
}

static void finding(void *ctx, const char *text)
{
    struct fsck *f = ctx;
    f->found++;
    say(f, text);
}

static void count_rows(struct fsck *f, const struct file_id *id)
{
    struct store_file *file;
    if (!file_type(id->kind)->has_rows) return;
    f->report->parts++;
    if (store_file_open(f->dir, id, &file, NULL) < 0) return;
    f->report->rows += file->rows;
    store_file_unref(file);
}

static void count_bytes(struct fsck *f, const char *path)
{
    int fd = file_open(path, 0, NULL);
    int64_t n = fd < 0 ? 0 : file_size(fd, NULL);
    if (fd >= 0) file_close(fd, NULL);
    f->report->files++;
    f->report->bytes += n > 0 ? (uint64_t)n : 0;
}

static void verdict(struct fsck *f, const char *path)
{
    char text[4400];
    f->report->damaged += f->found > 0;
    snprintf(text, sizeof text, "%s: %s", path, f->found ? "DAMAGED" : "ok");
    say(f, text);
}

static void check_file(struct fsck *f, const struct file_id *id)
{
    char path[4200];
    struct err e = ERR_INIT;
    file_id_path(path, sizeof path, f->dir, id);
    f->found = 0;
    int64_t n = file_type(id->kind)->verify(path, finding, f, &e);
    if (n < 0)
        finding(f, e.text);
    else
        f->found = MAX(f->found, (uint64_t)n);
    count_bytes(f, path);
    count_rows(f, id);
    verdict(f, path);
}

/* ---- files that nobody lists ---- */

static bool is_listed(const struct manifest_state *s, const struct file_id *id)
{
    for (size_t i = 0; i < s->n; i++)
        if (file_id_cmp(&s->files[i], id) == 0) return true;
    return false;
}

static int look_at(const char *name, bool is_dir, void *ctx)
{
    struct fsck *f = ctx;
    struct file_id id;
    char text[4400];
    if (is_dir || (file_id_parse(f->table, f->day_name, name, &id) && is_listed(&f->state, &id))) return 0;
    snprintf(text, sizeof text, "%s/%s/%s/%s: not listed in the manifest; the next start deals with it",
             f->dir, table_name(f->table), f->day_name, name);
    say(f, text);
    return 0;
}

static int look_at_day(const char *name, bool is_dir, void *ctx)
{
    struct fsck *f = ctx;
    char path[4200];
    if (!is_dir) return 0;
    snprintf(path, sizeof path, "%s/%s/%s", f->dir, table_name(f->table), name);
    f->day_name = name;
    return file_list(path, look_at, f, f->e);
}

static int look_at_tables(struct fsck *f)
{
    char path[4200];
    for (int t = 0; t < TABLE_COUNT; t++) {
        f->table = (enum table)t;
        snprintf(path, sizeof path, "%s/%s", f->dir, table_name(f->table));
        int rc = file_list(path, look_at_day, f, f->e);
        if (rc < 0 && rc != ERR_FIND) return rc; /* a store from before a table was: no directory */
    }
    return OK;
}

/* ---- exemplars and metadata ---- */

static int load_exemplars(const char *path, struct err *e)
{
    struct exemplar_store *x = exemplar_store_new(0);
    int rc = exemplar_store_load(x, path, e);
    exemplar_store_free(x);
    return rc;
}

static int load_metadata(const char *path, struct err *e)
{
    struct metadata_store *m = metadata_store_new(0);
    int rc = metadata_store_load(m, path, e);
    metadata_store_free(m);
    return rc;
}

static void check_extra(struct fsck *f, const char *name, int (*load)(const char *path, struct err *))
{
    char path[4200];
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    if (!file_exists(path)) return;
    f->found = 0;
    if (load(path, &e) < 0) finding(f, e.text);
    count_bytes(f, path);
    verdict(f, path);
}

/* ---- the WAL ---- */

static int any_series(void *ctx, series_key key, struct str packed)
{
    (void)ctx, (void)key, (void)packed;
    return OK;
}
static int any_row(void *ctx, enum row_kind kind, series_key key, int64_t time_ms, uint64_t bits,
                   struct str histogram)
{
    (void)kind, (void)key, (void)time_ms, (void)bits, (void)histogram;
    ((struct fsck *)ctx)->report->rows++;
    return OK;
}
static int any_exemplar(void *ctx, const struct wal_exemplar *x)
{
    (void)ctx, (void)x;
    return OK;
}
static int any_metadata(void *ctx, const struct wal_metadata *m)
{
    (void)ctx, (void)m;
    return OK;
}
static void wal_text(void *ctx, const char *text)
{
    say(ctx, text);
}

static int check_wal(struct fsck *f)
{
    char dir[4096], text[256];
    struct wal_report r;
    struct wal_reader reader = {
        { any_series, any_row, any_exemplar, any_metadata, f }, NULL, wal_text, false
    };
    snprintf(dir, sizeof dir, "%s/wal", f->dir);
    int rc = wal_replay(dir, f->state.wal_floor, &reader, &r, f->e);
    if (rc < 0) return rc;
    f->report->files += r.segments;
    f->report->bytes += r.bytes;
    f->report->damaged += r.holes > 0 || r.missing > 0;
    snprintf(text, sizeof text,
             "write-ahead log: %llu segments, %llu frames, %llu damaged places, %llu frames missing, %llu "
             "unfinished ends",
             (unsigned long long)r.segments, (unsigned long long)r.frames, (unsigned long long)r.holes,
             (unsigned long long)r.missing, (unsigned long long)r.torn);
    say(f, text);
    return OK;
}

int embedded_fsck(const char *dir, void (*line)(void *ctx, const char *text), void *ctx,
                  struct fsck_report *report, struct err *e)
{
    struct fsck f = { .dir = dir, .line = line, .ctx = ctx, .report = report, .e = e };
    char path[4200];
    *report = (struct fsck_report){ 0 };
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    if (!file_exists(path))
        return err_set(e, ERR_FIND, "%s: no MANIFEST here, so this is no data directory", dir);
    if (seal_is_needed(dir) && !seal_is_known(dir)) {
        say(&f, "the store is encrypted: without its key, only checksums are looked at");
        return fsck_sealed(dir, line, ctx, report, e);
    }

    int rc = manifest_load(dir, &f.state, e);
    if (rc < 0) return rc;
    f.found = f.state.is_damaged;
    count_bytes(&f, path);
    verdict(&f, path);
    for (size_t i = 0; i < f.state.n; i++) check_file(&f, &f.state.files[i]);

    rc = look_at_tables(&f);
    check_extra(&f, EXEMPLARS_FILE, load_exemplars);
    check_extra(&f, METADATA_FILE, load_metadata);
    if (rc == OK) rc = check_wal(&f);
    manifest_state_release(&f.state);
    return rc;
}
