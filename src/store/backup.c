/* backup.c - making a backup, and a directory out of one. See backup.h.
 *
 * Always true:
 *   1. An object under objects/ is whole and synced: it is written in tmp/ and renamed.
 *   2. A list under backups/ names objects that were there, synced, before the list was.
 *   3. A file is taken for unchanged, and not read, when an earlier list has its path, length and time of
 * change. Parts are never changed under their name, and a snapshot's links keep that time.
 *
 * Threads: one; the target's lock keeps other processes out while it is written. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/backup_impl.h"

#define DEPTH_MAX 8

/* ---- one file, copied and hashed ---- */

static int copy(struct backup_work *w, const char *from, const char *to, struct backup_file *f, struct err *e)
{
    int in = file_open(from, O_RDONLY, e), out, rc;
    if (in < 0) return in;
    int64_t size = file_size(in, e);
    out = size < 0 ? (int)size : file_open(to, O_WRONLY | O_CREAT | O_TRUNC, e);
    rc = out < 0 ? out : OK;
    f->bytes = size < 0 ? 0 : (uint64_t)size;
    if (rc == OK) rc = backup_stream(w, in, out, f->bytes, &f->hash, e);
    if (out >= 0) {
        int closed = file_close(out, rc == OK ? e : NULL);
        if (rc == OK) rc = closed;
    }
    file_close(in, NULL);
    return rc;
}

/* ---- what there is to back up ---- */

struct walk {
    const char *root;
    struct str below; /* of root, "" or a path */
    struct backup_list *found;
    struct err *e;
    int depth;
};

static int walk_dir(struct walk *);

static int walk_one(const char *name, bool is_dir, void *ctx)
{
    struct walk *w = ctx;
    struct stat st;
    char below[BACKUP_PATH_MAX], path[BACKUP_PATH_MAX];
    int n = snprintf(below, sizeof below, "%.*s%s%s", STR_ARG(w->below), w->below.n > 0 ? "/" : "", name);
    if (n >= (int)sizeof below || strchr(name, '\n') != NULL)
        return err_set(w->e, ERR_RANGE, "%s/%s: a name that cannot be backed up", w->root, name);
    if (is_dir) {
        struct walk down = { w->root, str_of(below), w->found, w->e, w->depth + 1 };
        return walk_dir(&down);
    }
    int rc = backup_path(path, w->e, w->root, below, STR(""));
    if (rc < 0) return rc;
    if (stat(path, &st) < 0) return err_errno(w->e, ERR_IO, "%s", path);
    if (!S_ISREG(st.st_mode)) return err_set(w->e, ERR_RANGE, "%s: is not a regular file", path);
    backup_list_add(
        w->found, &(struct backup_file){ .path = str_of(below),
                                         .bytes = (uint64_t)st.st_size,
                                         .mtime_ns = st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec });
    return OK;
}

static int walk_dir(struct walk *w)
{
    char dir[BACKUP_PATH_MAX];
    if (w->depth > DEPTH_MAX) return err_set(w->e, ERR_LIMIT, "%s: directories too deep", w->root);
    int rc = backup_path(dir, w->e, w->root, "", w->below);
    return rc == OK ? file_list(dir, walk_one, w, w->e) : rc;
}

static int files_by_path(const void *a, const void *b)
{
    return str_cmp(((const struct backup_file *)a)->path, ((const struct backup_file *)b)->path);
}

/* ---- making ---- */

/* Whether the object is there, in its length. */
static bool object_is_there(const char *target, const struct backup_file *f)
{
    char path[BACKUP_PATH_MAX];
    struct stat st;
    return backup_object_path(path, target, f, NULL) == OK && stat(path, &st) == 0 &&
           (uint64_t)st.st_size == f->bytes;
}

static int keep_object(struct backup_work *w, const char *tmp, const struct backup_file *f, struct err *e)
{
    char path[BACKUP_PATH_MAX];
    int rc = backup_object_path(path, w->target, f, e);
    if (rc < 0) return rc;
    char *end = strrchr(path, '/');
    *end = 0;
    bool is_new = !file_exists(path);
    if (is_new && (rc = file_mkdirs(path, e)) < 0) return rc;
    *end = '/';
    if ((rc = file_rename(tmp, path, e)) < 0 || !is_new) return rc;
    rc = backup_path(path, e, w->target, "objects", STR(""));
    return rc == OK ? file_sync_dir(path, e) : rc;
}

static int put_file(struct backup_work *w, const char *from, struct backup_file *f, struct err *e)
{
    char path[BACKUP_PATH_MAX], tmp[BACKUP_PATH_MAX];
    int rc = backup_path(path, e, from, "", f->path);
    if (rc == OK) rc = backup_path(tmp, e, w->target, "tmp", STR("object"));
    if (rc == OK) rc = copy(w, path, tmp, f, e);
    if (rc < 0) return rc;
    if (object_is_there(w->target, f)) return file_unlink(tmp, e); /* equal bytes under another name */
    w->report->new_files++;
    w->report->new_bytes += f->bytes;
    return keep_object(w, tmp, f, e);
}

static int put_all(struct backup_work *w, const char *from, struct backup_list *fresh,
                   const struct backup_list *before, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < fresh->n && rc == OK; i++) {
        struct backup_file *f = &fresh->files[i];
        const struct backup_file *known = backup_list_find(before, f->path);
        if (known != NULL && known->bytes == f->bytes && known->mtime_ns == f->mtime_ns &&
            object_is_there(w->target, known)) {
            f->hash = known->hash;
            backup_work_did(w, f->bytes);
        } else {
            rc = put_file(w, from, f, e);
        }
        w->report->files++;
        w->report->bytes += f->bytes;
    }
    return rc;
}

/* The newest one that can be read: without one everything is copied. */
static void read_newest(const char *target, struct backup_list *l)
{
    struct backup_names names = { 0 };
    backup_list_init(l);
    if (backup_names_read(target, &names, NULL) == OK)
        for (size_t i = names.n; i-- > 0;) {
            backup_list_release(l);
            if (backup_read(target, names.at[i], l, NULL) == OK) break;
        }
    mem_free(names.at);
}

static void name_of(char out[BACKUP_NAME_MAX], int64_t time_ms)
{
    time_t at = (time_t)(time_ms / 1000);
    struct tm tm;
    char date[20];
    gmtime_r(&at, &tm);
    strftime(date, sizeof date, "%Y%m%dT%H%M%S", &tm);
    snprintf(out, BACKUP_NAME_MAX, "%s-%03dZ", date, (int)(time_ms % 1000));
}

static int make(struct backup_work *w, const char *from, struct backup_list *fresh, struct err *e)
{
    char path[BACKUP_PATH_MAX];
    struct backup_list before;
    struct walk walk = { from, STR(""), fresh, e, 0 };
    name_of(w->report->name, fresh->time_ms);
    int rc = backup_path(path, e, w->target, "backups", str_of(w->report->name));
    if (rc == OK && file_exists(path)) rc = err_set(e, ERR_RANGE, "%s exists already", path);
    if (rc == OK) rc = walk_dir(&walk);
    if (rc < 0) return rc;
    if (fresh->n > 1) qsort(fresh->files, fresh->n, sizeof fresh->files[0], files_by_path);
    for (size_t i = 0; i < fresh->n; i++) w->all += fresh->files[i].bytes;
    read_newest(w->target, &before);
    rc = put_all(w, from, fresh, &before, e);
    backup_list_release(&before);
    return rc == OK ? backup_list_write(path, fresh, e) : rc;
}

int backup_make(const char *from, const char *target, int64_t now_ms, const struct backup_watch *watch,
                struct backup_report *report, struct err *e)
{
    struct backup_work w;
    struct backup_list fresh;
    int lock = -1;
    backup_work_begin(&w, target, watch, report);
    backup_list_init(&fresh);
    fresh.time_ms = now_ms;
    int rc = backup_lock(target, &lock, e);
    if (rc == OK) rc = make(&w, from, &fresh, e);
    if (rc < 0) err_where(e, "backup");
    if (lock >= 0) file_close(lock, NULL);
    backup_list_release(&fresh);
    backup_work_end(&w);
    return rc;
}

/* ---- restoring ---- */

static int make_parents(const char *root, char *path, struct err *e)
{
    char *end = strrchr(path, '/');
    *end = 0;
    int rc = strlen(path) <= strlen(root) || file_exists(path) ? OK : file_mkdirs(path, e);
    *end = '/';
    return rc;
}

static int get_file(struct backup_work *w, const char *to, const struct backup_file *f, struct err *e)
{
    char object[BACKUP_PATH_MAX], path[BACKUP_PATH_MAX];
    struct backup_file got = { 0 };
    int rc = backup_object_path(object, w->target, f, e);
    if (rc == OK) rc = backup_path(path, e, to, "", f->path);
    if (rc == OK) rc = make_parents(to, path, e);
    if (rc == OK) rc = copy(w, object, path, &got, e);
    if (rc == OK && (got.bytes != f->bytes || !hash128_eq(got.hash, f->hash)))
        rc = err_set(e, ERR_CORRUPT, "%s: is not what was backed up as %.*s", object, STR_ARG(f->path));
    w->report->files++;
    w->report->bytes += f->bytes;
    return rc;
}

/* Every directory that a restored file lies in, and those above it: names must survive a power cut, too. */
static int sync_dirs(const char *root, const struct backup_list *l, struct err *e)
{
    char path[BACKUP_PATH_MAX];
    int rc = OK;
    for (size_t i = 0; i < l->n && rc == OK; i++) {
        if (backup_path(path, e, root, "", l->files[i].path) < 0) return ERR_LIMIT;
        for (char *end; rc == OK && (end = strrchr(path, '/')) != NULL && strlen(path) > strlen(root);) {
            *end = 0;
            rc = file_sync_dir(path, e);
        }
    }
    return rc;
}

static int find_at(const char *target, int64_t at_ms, struct backup_list *l, char name[BACKUP_NAME_MAX],
                   struct err *e)
{
    struct backup_names names = { 0 };
    int rc = backup_names_read(target, &names, e);
    char most[BACKUP_NAME_MAX];
    name_of(most, MIN(at_ms, 253402300799999ll));
    size_t n = names.n;
    while (n > 0 && strcmp(names.at[n - 1], most) > 0) n--;
    if (rc == OK && n == 0) rc = err_set(e, ERR_FIND, "%s: there is no backup as old as that", target);
    if (rc == OK) {
        snprintf(name, BACKUP_NAME_MAX, "%s", names.at[n - 1]);
        rc = backup_read(target, name, l, e);
    }
    mem_free(names.at);
    return rc;
}

int backup_restore(const char *target, int64_t at_ms, const char *to, const struct backup_watch *watch,
                   struct backup_report *report, struct err *e)
{
    struct backup_work w;
    struct backup_list l;
    char partial[BACKUP_PATH_MAX];
    backup_work_begin(&w, target, watch, report);
    backup_list_init(&l);
    int n = snprintf(partial, sizeof partial, "%s.partial", to), rc = OK;
    if (n >= (int)sizeof partial) rc = err_set(e, ERR_LIMIT, "%s: the path is too long", to);
    if (rc == OK && file_exists(to)) rc = err_set(e, ERR_RANGE, "%s exists already", to);
    if (rc == OK && file_exists(partial))
        rc = err_set(e, ERR_RANGE, "%s is left from an attempt that failed; remove it", partial);
    if (rc == OK) rc = find_at(target, at_ms, &l, report->name, e);
    for (size_t i = 0; i < l.n; i++) w.all += l.files[i].bytes;
    if (rc == OK) rc = file_mkdirs(partial, e);
    for (size_t i = 0; i < l.n && rc == OK; i++) rc = get_file(&w, partial, &l.files[i], e);
    if (rc == OK) rc = sync_dirs(partial, &l, e);
    if (rc == OK) rc = file_rename(partial, to, e);
    if (rc < 0) err_where(e, "restore");
    backup_list_release(&l);
    backup_work_end(&w);
    return rc;
}
