/* backup_keep.c - what all backups of a target need together: checking that it is there, and forgetting old
 * ones and then what nobody needs any more. See backup.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/backup_impl.h"

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

static void finding(struct backup_work *w, const char *text)
{
    w->report->damaged++;
    if (w->watch->line) w->watch->line(w->watch->ctx, text);
}

static void check_object(struct backup_work *w, const struct backup_file *f)
{
    char path[BACKUP_PATH_MAX];
    struct hash128 hash;
    struct err e = ERR_INIT;
    int rc = backup_object_path(path, w->target, f, &e), in = rc == OK ? file_open(path, O_RDONLY, &e) : rc;
    w->report->files++;
    w->report->bytes += f->bytes;
    rc = in < 0 ? in : backup_stream(w, in, -1, f->bytes, &hash, &e);
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
    struct backup_work w;
    struct backup_names names = { 0 };
    struct needed need = { 0 };
    backup_work_begin(&w, target, watch, report);
    int rc = backup_names_read(target, &names, e);
    need.lists = mem_array(names.n, sizeof need.lists[0]);
    for (size_t i = 0; i < names.n; i++) {
        struct err why = ERR_INIT;
        struct backup_list *l = &need.lists[need.n_lists++];
        if (backup_read(target, names.at[i], l, &why) < 0) finding(&w, why.text);
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
    backup_work_end(&w);
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
    char path[BACKUP_PATH_MAX];
    struct stat st;
    if (is_dir || object_is_needed(s->need, strrchr(s->dir, '/') + 1, name)) return OK;
    int rc = backup_path(path, s->e, s->dir, name, STR(""));
    if (rc < 0 || stat(path, &st) < 0) return rc;
    s->report->files++;
    s->report->bytes += (uint64_t)st.st_size;
    return file_unlink(path, s->e);
}

static int sweep_shelf(const char *name, bool is_dir, void *ctx)
{
    struct sweep *s = ctx;
    char dir[BACKUP_PATH_MAX];
    if (!is_dir) return OK;
    int rc = backup_path(dir, s->e, s->dir, name, STR(""));
    struct sweep shelf = { s->need, s->report, dir, s->e };
    return rc == OK ? file_list(dir, sweep_object, &shelf, s->e) : rc;
}

/* Every list that stays must be readable: an object is not thrown away for want of knowing. */
static int forget(const char *target, const struct backup_names *names, uint64_t keep, struct needed *need,
                  struct err *e)
{
    char path[BACKUP_PATH_MAX];
    size_t n_old = names->n > keep ? names->n - (size_t)keep : 0;
    int rc = OK;
    need->lists = mem_array(names->n, sizeof need->lists[0]);
    for (size_t i = n_old; i < names->n && rc == OK; i++) {
        rc = backup_read(target, names->at[i], &need->lists[need->n_lists++], e);
        if (rc == OK) needed_add(need, &need->lists[need->n_lists - 1]);
    }
    for (size_t i = 0; i < n_old && rc == OK; i++) {
        rc = backup_path(path, e, target, "backups", str_of(names->at[i]));
        if (rc == OK) rc = file_unlink(path, e);
    }
    if (rc == OK) rc = backup_path(path, e, target, "backups", STR(""));
    return rc == OK ? file_sync_dir(path, e) : rc; /* lists go before their objects do */
}

int backup_prune(const char *target, uint64_t keep, struct backup_report *report, struct err *e)
{
    struct backup_names names = { 0 };
    struct needed need = { 0 };
    char objects[BACKUP_PATH_MAX];
    int lock = -1;
    check(keep > 0);
    *report = (struct backup_report){ 0 };
    int rc = backup_names_read(target, &names, e); /* nothing is made where there is no backup */
    if (rc == OK) rc = backup_lock(target, &lock, e);
    names.n = 0;
    if (rc == OK) rc = backup_names_read(target, &names, e); /* now that nobody adds any */
    if (rc == OK) rc = forget(target, &names, keep, &need, e);
    if (rc == OK) rc = backup_path(objects, e, target, "objects", STR(""));
    needed_sort(&need);
    struct sweep sweep = { &need, report, objects, e };
    if (rc == OK) rc = file_list(objects, sweep_shelf, &sweep, e);
    if (rc < 0) err_where(e, "prune");
    if (lock >= 0) file_close(lock, NULL);
    needed_release(&need);
    mem_free(names.at);
    return rc;
}
