/* backup.c - see backup.h.
 *
 * Always true:
 *   1. An object under objects/ is whole and synced: it is written in tmp/ and renamed.
 *   2. A list under backups/ names objects that were there, synced, before the list was.
 *   3. A file is taken for unchanged, and not read, when an earlier list has its path, length and time of
 * change. Parts are never changed under their name, and a snapshot's links keep that time.
 *
 * Threads: one; the target's lock keeps other processes out while it is written. */
#include "store/backup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/backup_list.h"

#define PATH_MAX_BYTES 4096
#define DEPTH_MAX      8
#define COPY_BYTES     ((size_t)1 << 20)

static int path_into(char out[PATH_MAX_BYTES], struct err *e, const char *a, const char *b, struct str c)
{
    int n = snprintf(out, PATH_MAX_BYTES, "%s/%s%s%.*s", a, b, c.n > 0 && b[0] != 0 ? "/" : "", STR_ARG(c));
    return n < PATH_MAX_BYTES ? OK : err_set(e, ERR_LIMIT, "%s/%s: the path is too long", a, b);
}

static const struct str NOTHING = { "", 0 };

/* ---- which backups there are ---- */

struct names {
    char (*at)[BACKUP_NAME_MAX];
    size_t n, cap;
};

static int take_name(const char *name, bool is_dir, void *ctx)
{
    struct names *names = ctx;
    if (is_dir || strlen(name) >= BACKUP_NAME_MAX || strchr(name, '.') != NULL)
        return OK; /* .tmp: cut short */
    names->at = mem_grow(names->at, names->n, &names->cap, sizeof names->at[0]);
    snprintf(names->at[names->n++], BACKUP_NAME_MAX, "%s", name);
    return OK;
}

/* Sorted, which is by time. */
static int names_read(const char *target, struct names *names, struct err *e)
{
    char dir[PATH_MAX_BYTES];
    int rc = path_into(dir, e, target, "backups", NOTHING);
    if (rc == OK && !file_exists(dir)) return err_set(e, ERR_FIND, "%s: there is no backup", target);
    return rc == OK ? file_list(dir, take_name, names, e) : rc;
}

static int list_read(const char *target, const char *name, struct backup_list *l, struct err *e)
{
    char path[PATH_MAX_BYTES];
    backup_list_init(l);
    int rc = path_into(path, e, target, "backups", str_of(name));
    return rc == OK ? backup_list_read(path, l, e) : rc;
}

int backup_each(const char *target, void (*visit)(void *ctx, const struct backup_info *), void *ctx,
                struct err *e)
{
    struct names names = { 0 };
    int rc = names_read(target, &names, e);
    for (size_t i = 0; i < names.n && rc == OK; i++) {
        struct backup_list l;
        struct backup_info info = { 0 };
        rc = list_read(target, names.at[i], &l, e);
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

/* ---- one file, copied and hashed ---- */

struct work {
    const char *target;
    const struct backup_watch *watch;
    struct backup_report *report;
    uint64_t done, all; /* bytes */
    char *block;        /* COPY_BYTES */
};

static void progress(struct work *w, uint64_t bytes)
{
    w->done += bytes;
    if (w->watch->progress) w->watch->progress(w->watch->ctx, w->done, w->all, w->report->files);
}

/* out < 0: only hashed. */
static int stream(struct work *w, int in, int out, uint64_t bytes, struct hash128 *hash, struct err *e)
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
        progress(w, n);
    }
    XXH128_hash_t h = XXH3_128bits_digest(&state);
    *hash = (struct hash128){ h.low64, h.high64 };
    if (rc == OK && out >= 0) rc = file_sync(out, e);
    return rc;
}

static int copy(struct work *w, const char *from, const char *to, struct backup_file *f, struct err *e)
{
    int in = file_open(from, O_RDONLY, e), out, rc;
    if (in < 0) return in;
    int64_t size = file_size(in, e);
    out = size < 0 ? (int)size : file_open(to, O_WRONLY | O_CREAT | O_TRUNC, e);
    rc = out < 0 ? out : OK;
    f->bytes = size < 0 ? 0 : (uint64_t)size;
    if (rc == OK) rc = stream(w, in, out, f->bytes, &f->hash, e);
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
    char below[PATH_MAX_BYTES], path[PATH_MAX_BYTES];
    int n = snprintf(below, sizeof below, "%.*s%s%s", STR_ARG(w->below), w->below.n > 0 ? "/" : "", name);
    if (n >= (int)sizeof below || strchr(name, '\n') != NULL)
        return err_set(w->e, ERR_RANGE, "%s/%s: a name that cannot be backed up", w->root, name);
    if (is_dir) {
        struct walk down = { w->root, str_of(below), w->found, w->e, w->depth + 1 };
        return walk_dir(&down);
    }
    int rc = path_into(path, w->e, w->root, below, NOTHING);
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
    char dir[PATH_MAX_BYTES];
    if (w->depth > DEPTH_MAX) return err_set(w->e, ERR_LIMIT, "%s: directories too deep", w->root);
    int rc = path_into(dir, w->e, w->root, "", w->below);
    return rc == OK ? file_list(dir, walk_one, w, w->e) : rc;
}

static int files_by_path(const void *a, const void *b)
{
    return str_cmp(((const struct backup_file *)a)->path, ((const struct backup_file *)b)->path);
}

/* ---- making ---- */

static int lock_and_tidy(const char *target, int *lock, struct err *e)
{
    char path[PATH_MAX_BYTES];
    static const char *const dirs[] = { "objects", "backups", "tmp" };
    int rc = file_mkdirs(target, e);
    for (size_t i = 0; i < COUNT(dirs) && rc == OK; i++) {
        rc = path_into(path, e, target, dirs[i], NOTHING);
        if (rc == OK) rc = file_mkdirs(path, e);
    }
    if (rc == OK) rc = path_into(path, e, target, "lock", NOTHING);
    if (rc == OK) rc = *lock = file_lock(path, e);
    if (rc >= 0) rc = file_sync_dir(target, e);
    if (rc == OK) rc = path_into(path, e, target, "tmp", STR("object"));
    if (rc == OK && file_exists(path)) rc = file_unlink(path, e);
    return rc;
}

static int object_path(char out[PATH_MAX_BYTES], const char *target, const struct backup_file *f,
                       struct err *e)
{
    char name[BACKUP_OBJECT_MAX];
    backup_object_name(name, f);
    return path_into(out, e, target, "objects", str_of(name));
}

/* Whether the object is there, in its length. */
static bool object_is_there(const char *target, const struct backup_file *f)
{
    char path[PATH_MAX_BYTES];
    struct stat st;
    return object_path(path, target, f, NULL) == OK && stat(path, &st) == 0 &&
           (uint64_t)st.st_size == f->bytes;
}

static int keep_object(struct work *w, const char *tmp, const struct backup_file *f, struct err *e)
{
    char path[PATH_MAX_BYTES];
    int rc = object_path(path, w->target, f, e);
    if (rc < 0) return rc;
    char *end = strrchr(path, '/');
    *end = 0;
    bool is_new = !file_exists(path);
    if (is_new && (rc = file_mkdirs(path, e)) < 0) return rc;
    *end = '/';
    if ((rc = file_rename(tmp, path, e)) < 0 || !is_new) return rc;
    rc = path_into(path, e, w->target, "objects", NOTHING);
    return rc == OK ? file_sync_dir(path, e) : rc;
}

static int put_file(struct work *w, const char *from, struct backup_file *f, struct err *e)
{
    char path[PATH_MAX_BYTES], tmp[PATH_MAX_BYTES];
    int rc = path_into(path, e, from, "", f->path);
    if (rc == OK) rc = path_into(tmp, e, w->target, "tmp", STR("object"));
    if (rc == OK) rc = copy(w, path, tmp, f, e);
    if (rc < 0) return rc;
    if (object_is_there(w->target, f)) return file_unlink(tmp, e); /* equal bytes under another name */
    w->report->new_files++;
    w->report->new_bytes += f->bytes;
    return keep_object(w, tmp, f, e);
}

static int put_all(struct work *w, const char *from, struct backup_list *fresh,
                   const struct backup_list *before, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < fresh->n && rc == OK; i++) {
        struct backup_file *f = &fresh->files[i];
        const struct backup_file *known = backup_list_find(before, f->path);
        if (known != NULL && known->bytes == f->bytes && known->mtime_ns == f->mtime_ns &&
            object_is_there(w->target, known)) {
            f->hash = known->hash;
            progress(w, f->bytes);
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
    struct names names = { 0 };
    backup_list_init(l);
    if (names_read(target, &names, NULL) == OK)
        for (size_t i = names.n; i-- > 0;) {
            backup_list_release(l);
            if (list_read(target, names.at[i], l, NULL) == OK) break;
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

static int make(struct work *w, const char *from, struct backup_list *fresh, struct err *e)
{
    char path[PATH_MAX_BYTES];
    struct backup_list before;
    struct walk walk = { from, NOTHING, fresh, e, 0 };
    name_of(w->report->name, fresh->time_ms);
    int rc = path_into(path, e, w->target, "backups", str_of(w->report->name));
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

static void work_begin(struct work *w, const char *target, const struct backup_watch *watch,
                       struct backup_report *report)
{
    *report = (struct backup_report){ 0 };
    *w = (struct work){ .target = target, .watch = watch, .report = report, .block = mem_alloc(COPY_BYTES) };
}

int backup_make(const char *from, const char *target, int64_t now_ms, const struct backup_watch *watch,
                struct backup_report *report, struct err *e)
{
    struct work w;
    struct backup_list fresh;
    int lock = -1;
    work_begin(&w, target, watch, report);
    backup_list_init(&fresh);
    fresh.time_ms = now_ms;
    int rc = lock_and_tidy(target, &lock, e);
    if (rc == OK) rc = make(&w, from, &fresh, e);
    if (rc < 0) err_where(e, "backup");
    if (lock >= 0) file_close(lock, NULL);
    backup_list_release(&fresh);
    mem_free(w.block);
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

static int get_file(struct work *w, const char *to, const struct backup_file *f, struct err *e)
{
    char object[PATH_MAX_BYTES], path[PATH_MAX_BYTES];
    struct backup_file got = { 0 };
    int rc = object_path(object, w->target, f, e);
    if (rc == OK) rc = path_into(path, e, to, "", f->path);
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
    char path[PATH_MAX_BYTES];
    int rc = OK;
    for (size_t i = 0; i < l->n && rc == OK; i++) {
        if (path_into(path, e, root, "", l->files[i].path) < 0) return ERR_LIMIT;
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
    struct names names = { 0 };
    int rc = names_read(target, &names, e);
    char most[BACKUP_NAME_MAX];
    name_of(most, MIN(at_ms, 253402300799999ll));
    size_t n = names.n;
    while (n > 0 && strcmp(names.at[n - 1], most) > 0) n--;
    if (rc == OK && n == 0) rc = err_set(e, ERR_FIND, "%s: there is no backup as old as that", target);
    if (rc == OK) {
        snprintf(name, BACKUP_NAME_MAX, "%s", names.at[n - 1]);
        rc = list_read(target, name, l, e);
    }
    mem_free(names.at);
    return rc;
}

int backup_restore(const char *target, int64_t at_ms, const char *to, const struct backup_watch *watch,
                   struct backup_report *report, struct err *e)
{
    struct work w;
    struct backup_list l;
    char partial[PATH_MAX_BYTES];
    work_begin(&w, target, watch, report);
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
    mem_free(w.block);
    return rc;
}

/* ---- checking and forgetting: what the lists need, all together ---- */

struct needed {
    struct backup_list *lists; /* one for each backup */
    size_t n_lists;
    struct backup_file *files; /* by object, each once; borrowed from the lists */
    size_t n, cap;
};

static int by_object(const void *a, const void *b)
{
    const struct backup_file *x = a, *y = b;
    if (x->hash.hi != y->hash.hi) return x->hash.hi < y->hash.hi ? -1 : 1;
    if (x->hash.lo != y->hash.lo) return x->hash.lo < y->hash.lo ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static void needed_release(struct needed *s)
{
    for (size_t i = 0; i < s->n_lists; i++) backup_list_release(&s->lists[i]);
    mem_free(s->lists);
    mem_free(s->files);
}

static void needed_add(struct needed *s, const struct backup_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        s->files = mem_grow(s->files, s->n, &s->cap, sizeof s->files[0]);
        s->files[s->n++] = l->files[i];
    }
}

static void needed_sort(struct needed *s)
{
    size_t kept = 0;
    if (s->n > 1) qsort(s->files, s->n, sizeof s->files[0], by_object);
    for (size_t i = 0; i < s->n; i++)
        if (i == 0 || by_object(&s->files[i], &s->files[kept - 1]) != 0) s->files[kept++] = s->files[i];
    s->n = kept;
}

static void finding(struct work *w, const char *text)
{
    w->report->damaged++;
    if (w->watch->line) w->watch->line(w->watch->ctx, text);
}

static void check_object(struct work *w, const struct backup_file *f)
{
    char path[PATH_MAX_BYTES];
    struct hash128 hash;
    struct err e = ERR_INIT;
    int rc = object_path(path, w->target, f, &e), in = rc == OK ? file_open(path, O_RDONLY, &e) : rc;
    w->report->files++;
    w->report->bytes += f->bytes;
    rc = in < 0 ? in : stream(w, in, -1, f->bytes, &hash, &e);
    if (rc == OK && (!hash128_eq(hash, f->hash) || file_size(in, &e) != (int64_t)f->bytes))
        rc = err_set(&e, ERR_CORRUPT, "%s: damaged", path);
    if (in >= 0) file_close(in, NULL);
    if (rc == OK) return;
    err_where(&e, "%.*s", STR_ARG(f->path));
    finding(w, e.text);
}

int backup_check(const char *target, const struct backup_watch *watch, struct backup_report *report,
                 struct err *e)
{
    struct work w;
    struct names names = { 0 };
    struct needed need = { 0 };
    work_begin(&w, target, watch, report);
    int rc = names_read(target, &names, e);
    need.lists = mem_array(names.n, sizeof need.lists[0]);
    for (size_t i = 0; i < names.n; i++) {
        struct err why = ERR_INIT;
        struct backup_list *l = &need.lists[need.n_lists++];
        if (list_read(target, names.at[i], l, &why) < 0) finding(&w, why.text);
        needed_add(&need, l);
    }
    needed_sort(&need);
    for (size_t i = 0; i < need.n; i++) w.all += need.files[i].bytes;
    for (size_t i = 0; i < need.n; i++) check_object(&w, &need.files[i]);
    if (rc == OK && report->damaged > 0)
        rc = err_set(e, ERR_CORRUPT, "%s: %llu objects or lists are damaged", target,
                     (unsigned long long)report->damaged);
    needed_release(&need);
    mem_free(names.at);
    mem_free(w.block);
    return rc;
}

struct sweep {
    const struct needed *need;
    struct backup_report *report;
    const char *dir; /* objects, then one below it */
    struct err *e;
};

static bool object_is_needed(const struct needed *s, const char *shelf, const char *name)
{
    char want[BACKUP_OBJECT_MAX], have[BACKUP_OBJECT_MAX];
    snprintf(have, sizeof have, "%.2s/%.90s", shelf, name);
    for (size_t low = 0, high = s->n; low < high;) { /* names sort as their hashes do */
        size_t mid = (low + high) / 2;
        backup_object_name(want, &s->files[mid]);
        int order = strncmp(have, want, 35); /* "4f/" and the hash: lengths do not sort as text */
        if (order == 0) return true;         /* equal hash of another length: kept, for it costs little */
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

static int sweep_object(const char *name, bool is_dir, void *ctx)
{
    struct sweep *s = ctx;
    char path[PATH_MAX_BYTES];
    struct stat st;
    if (is_dir || object_is_needed(s->need, strrchr(s->dir, '/') + 1, name)) return OK;
    int rc = path_into(path, s->e, s->dir, name, NOTHING);
    if (rc < 0 || stat(path, &st) < 0) return rc;
    s->report->files++;
    s->report->bytes += (uint64_t)st.st_size;
    return file_unlink(path, s->e);
}

static int sweep_shelf(const char *name, bool is_dir, void *ctx)
{
    struct sweep *s = ctx;
    char dir[PATH_MAX_BYTES];
    if (!is_dir) return OK;
    int rc = path_into(dir, s->e, s->dir, name, NOTHING);
    struct sweep shelf = { s->need, s->report, dir, s->e };
    return rc == OK ? file_list(dir, sweep_object, &shelf, s->e) : rc;
}

/* Every list that stays must be readable: an object is not thrown away for want of knowing. */
static int forget(const char *target, const struct names *names, uint64_t keep, struct needed *need,
                  struct err *e)
{
    char path[PATH_MAX_BYTES];
    size_t n_old = names->n > keep ? names->n - (size_t)keep : 0;
    int rc = OK;
    need->lists = mem_array(names->n, sizeof need->lists[0]);
    for (size_t i = n_old; i < names->n && rc == OK; i++) {
        rc = list_read(target, names->at[i], &need->lists[need->n_lists++], e);
        if (rc == OK) needed_add(need, &need->lists[need->n_lists - 1]);
    }
    for (size_t i = 0; i < n_old && rc == OK; i++) {
        rc = path_into(path, e, target, "backups", str_of(names->at[i]));
        if (rc == OK) rc = file_unlink(path, e);
    }
    if (rc == OK) rc = path_into(path, e, target, "backups", NOTHING);
    return rc == OK ? file_sync_dir(path, e) : rc; /* lists go before their objects do */
}

int backup_prune(const char *target, uint64_t keep, struct backup_report *report, struct err *e)
{
    struct names names = { 0 };
    struct needed need = { 0 };
    char objects[PATH_MAX_BYTES];
    int lock = -1;
    check(keep > 0);
    *report = (struct backup_report){ 0 };
    int rc = names_read(target, &names, e); /* nothing is made where there is no backup */
    if (rc == OK) rc = lock_and_tidy(target, &lock, e);
    names.n = 0;
    if (rc == OK) rc = names_read(target, &names, e); /* now that nobody adds any */
    if (rc == OK) rc = forget(target, &names, keep, &need, e);
    if (rc == OK) rc = path_into(objects, e, target, "objects", NOTHING);
    needed_sort(&need);
    struct sweep sweep = { &need, report, objects, e };
    if (rc == OK) rc = file_list(objects, sweep_shelf, &sweep, e);
    if (rc < 0) err_where(e, "prune");
    if (lock >= 0) file_close(lock, NULL);
    needed_release(&need);
    mem_free(names.at);
    return rc;
}
