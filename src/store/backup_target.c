/* backup_target.c - a directory of backups as such: its names and paths, its lock, its bytes. See
 * backup_impl.h. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/backup_impl.h"

#define COPY_BYTES ((size_t)1 << 20)

int backup_path(char out[BACKUP_PATH_MAX], struct err *e, const char *a, const char *b, struct str c)
{
    int n = snprintf(out, BACKUP_PATH_MAX, "%s/%s%s%.*s", a, b, c.n > 0 && b[0] != 0 ? "/" : "", STR_ARG(c));
    return n < BACKUP_PATH_MAX ? OK : err_set(e, ERR_LIMIT, "%s/%s: the path is too long", a, b);
}

int backup_object_path(char out[BACKUP_PATH_MAX], const char *target, const struct backup_file *f,
                       struct err *e)
{
    char name[BACKUP_OBJECT_MAX];
    backup_object_name(name, f);
    return backup_path(out, e, target, "objects", str_of(name));
}

/* ---- which backups there are ---- */

static int take_name(const char *name, bool is_dir, void *ctx)
{
    struct backup_names *names = ctx;
    if (is_dir || strlen(name) >= BACKUP_NAME_MAX || strchr(name, '.') != NULL)
        return OK; /* .tmp: cut short */
    names->at = mem_grow(names->at, names->n, &names->cap, sizeof names->at[0]);
    snprintf(names->at[names->n++], BACKUP_NAME_MAX, "%s", name);
    return OK;
}

int backup_names_read(const char *target, struct backup_names *names, struct err *e)
{
    char dir[BACKUP_PATH_MAX];
    int rc = backup_path(dir, e, target, "backups", STR(""));
    if (rc == OK && !file_exists(dir)) return err_set(e, ERR_FIND, "%s: there is no backup", target);
    return rc == OK ? file_list(dir, take_name, names, e) : rc;
}

int backup_read(const char *target, const char *name, struct backup_list *l, struct err *e)
{
    char path[BACKUP_PATH_MAX];
    backup_list_init(l);
    int rc = backup_path(path, e, target, "backups", str_of(name));
    return rc == OK ? backup_list_read(path, l, e) : rc;
}

int backup_each(const char *target, void (*visit)(void *ctx, const struct backup_info *), void *ctx,
                struct err *e)
{
    struct backup_names names = { 0 };
    int rc = backup_names_read(target, &names, e);
    for (size_t i = 0; i < names.n && rc == OK; i++) {
        struct backup_list l;
        struct backup_info info = { 0 };
        rc = backup_read(target, names.at[i], &l, e);
        snprintf(info.name, sizeof info.name, "%s", names.at[i]);
        info.time_ms = l.time_ms;
        info.files = l.n;
        for (size_t k = 0; k < l.n; k++) info.bytes += l.files[k].bytes;
        if (rc == OK) visit(ctx, &info);
        backup_list_release(&l);
    }
    mem_free(names.at);
    return rc;
}

int backup_lock(const char *target, int *lock, struct err *e)
{
    char path[BACKUP_PATH_MAX];
    static const char *const dirs[] = { "objects", "backups", "tmp" };
    int rc = file_mkdirs(target, e);
    for (size_t i = 0; i < COUNT(dirs) && rc == OK; i++) {
        rc = backup_path(path, e, target, dirs[i], STR(""));
        if (rc == OK) rc = file_mkdirs(path, e);
    }
    if (rc == OK) rc = backup_path(path, e, target, "lock", STR(""));
    if (rc == OK) rc = *lock = file_lock(path, e);
    if (rc >= 0) rc = file_sync_dir(target, e);
    if (rc == OK) rc = backup_path(path, e, target, "tmp", STR("object"));
    if (rc == OK && file_exists(path)) rc = file_unlink(path, e);
    return rc;
}

/* ---- bytes ---- */

void backup_work_begin(struct backup_work *w, const char *target, const struct backup_watch *watch,
                       struct backup_report *report)
{
    *report = (struct backup_report){ 0 };
    *w = (struct backup_work){
        .target = target, .watch = watch, .report = report, .block = mem_alloc(COPY_BYTES)
    };
}

void backup_work_end(struct backup_work *w)
{
    mem_free(w->block);
}

void backup_work_did(struct backup_work *w, uint64_t bytes)
{
    w->done += bytes;
    if (w->watch->progress) w->watch->progress(w->watch->ctx, w->done, w->all, w->report->files);
}

/* out < 0: only hashed. */
int backup_stream(struct backup_work *w, int in, int out, uint64_t bytes, struct hash128 *hash, struct err *e)
{
    XXH3_state_t state;
    int rc = OK;
    XXH3_128bits_reset(&state);
    for (uint64_t at = 0; at < bytes && rc == OK;) {
        size_t n = (size_t)MIN(bytes - at, (uint64_t)COPY_BYTES);
        rc = file_read_at(in, w->block, n, at, e);
        if (rc == OK) XXH3_128bits_update(&state, w->block, n);
        if (rc == OK && out >= 0) rc = file_write(out, w->block, n, e);
        at += n;
        backup_work_did(w, n);
    }
    XXH128_hash_t h = XXH3_128bits_digest(&state);
    *hash = (struct hash128){ h.low64, h.high64 };
    if (rc == OK && out >= 0) rc = file_sync(out, e);
    return rc;
}
