/* catalog.c - see catalog.h.
 *
 * Always true: every file in a version is in the manifest, or was when the version was made; `edit` (the
 * mutex) is held from building a version to swapping it, so versions never lose each other's changes; `mu`
 * guards only the pointer. */
#include "store/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define DIR_MAX 4200

/* ---- files ---- */

static uint64_t size_of(const char *path)
{
    int fd = file_open(path, 0, NULL);
    if (fd < 0) return 0;
    int64_t n = file_size(fd, NULL);
    file_close(fd, NULL);
    return n < 0 ? 0 : (uint64_t)n;
}

int store_file_open(const char *dir, const struct file_id *id, struct store_file **out, struct err *e)
{
    char path[4200];
    file_id_path(path, sizeof path, dir, id);

    struct store_file *f = mem_alloc_zero(sizeof *f);
    atomic_init(&f->refs, 1);
    f->id = *id;
    f->path = mem_strdup(path);
    f->since_ms = clock_now_ms();
    f->bytes = size_of(path);
    int rc = file_type(id->kind)->open(f, e);
    if (rc < 0) {
        store_file_unref(f);
        return rc;
    }
    *out = f;
    return OK;
}

struct store_file *store_file_ref(struct store_file *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

/* The disk no longer has it under its name. */
static int let_go(const struct store_file *f, struct err *e)
{
    char aside[4300];
    if (!atomic_load(&f->is_kept)) return file_unlink(f->path, e);
    snprintf(aside, sizeof aside, "%s.damaged", f->path);
    return file_rename(f->path, aside, e);
}

/* A reference less; true when it was the last and the file has lost its name. Then the name is gone for good
 * only when its directory is synced. */
static bool unref(struct store_file *f, char dir[DIR_MAX])
{
    if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1) return false;
    file_type(f->id.kind)->close(f);

    struct err e = ERR_INIT;
    bool is_gone = atomic_load(&f->is_doomed) && let_go(f, &e) == OK;
    if (e.code < 0 && e.code != ERR_FIND) /* the next start does it */
        log_warn("catalog", "a dropped file stays", "why", e.text, NULL);
    snprintf(dir, DIR_MAX, "%.*s", (int)(strrchr(f->path, '/') - f->path), f->path);
    mem_free(f->path);
    mem_free(f);
    return is_gone;
}

/* Were the manifest lost, too, a power cut would bring back names that were not synced away. */
static void sync_names(const char *dir)
{
    struct err e = ERR_INIT;
    if (dir[0] != 0 && file_sync_dir(dir, &e) < 0)
        log_warn("catalog", "not known whether dropped files are gone", "why", e.text, NULL);
}

void store_file_unref(struct store_file *f)
{
    char dir[DIR_MAX];
    if (f != NULL && unref(f, dir)) sync_names(dir);
}

/* ---- versions ---- */

static int by_id(const void *a, const void *b)
{
    return file_id_cmp(&(*(struct store_file *const *)a)->id, &(*(struct store_file *const *)b)->id);
}

struct version *version_ref(struct version *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void version_unref(struct version *v)
{
    if (v == NULL || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
    char dir[DIR_MAX], gone[DIR_MAX] = "";
    for (size_t i = 0; i < v->n; i++) { /* by day: one sync for a directory, as a rule */
        if (!unref(v->at[i], dir) || strcmp(dir, gone) == 0) continue;
        sync_names(gone);
        strcpy(gone, dir);
    }
    sync_names(gone);
    mem_free(v);
}

size_t version_from(const struct version *v, uint32_t day)
{
    size_t low = 0, high = v->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (v->at[mid]->id.day < day)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct store_file *const *version_day(const struct version *v, uint32_t day, enum file_kind kind, size_t *n)
{
    size_t i = version_from(v, day);
    while (i < v->n && v->at[i]->id.day == day && v->at[i]->id.kind < kind) i++;
    size_t end = i;
    while (end < v->n && v->at[end]->id.day == day && v->at[end]->id.kind == kind) end++;
    *n = end - i;
    return v->at + i;
}

static bool is_in(struct store_file *const *set, size_t n, const struct store_file *f)
{
    for (size_t i = 0; i < n; i++)
        if (set[i] == f) return true;
    return false;
}

/* The files of `old` without `drop`, and `add`: those referenced anew, these taken over. */
static struct version *version_make(const struct version *old, const struct catalog_change *c)
{
    size_t n_old = old ? old->n : 0;
    struct version *v = mem_alloc_zero(sizeof *v + (n_old + c->n_add) * sizeof v->at[0]);
    atomic_init(&v->refs, 1);
    for (size_t i = 0; i < n_old; i++)
        if (!is_in(c->drop, c->n_drop, old->at[i])) v->at[v->n++] = store_file_ref(old->at[i]);
    for (size_t i = 0; i < c->n_add; i++) v->at[v->n++] = c->add[i];
    qsort(v->at, v->n, sizeof v->at[0], by_id);
    return v;
}

/* ---- the catalog ---- */

struct catalog {
    pthread_mutex_t edit, mu;
    struct version *current;   /* mu */
    struct manifest *manifest; /* edit; NULL when read-only */
    _Atomic uint64_t sequence;
};

int catalog_open(const char *dir, struct manifest_state *s, struct store_file **files, size_t n,
                 bool read_only, struct catalog **out, struct err *e)
{
    struct catalog *c = mem_alloc_zero(sizeof *c);
    pthread_mutex_init(&c->edit, NULL);
    pthread_mutex_init(&c->mu, NULL);
    atomic_init(&c->sequence, s->next_sequence);

    int rc = read_only ? OK : manifest_open(dir, s, &c->manifest, e);
    if (rc == OK) c->current = version_make(NULL, &(struct catalog_change){ .add = files, .n_add = n });
    manifest_state_release(s);
    if (rc < 0) {
        catalog_close(c);
        return rc;
    }
    *out = c;
    return OK;
}

void catalog_close(struct catalog *c)
{
    if (c == NULL) return;
    version_unref(c->current);
    manifest_close(c->manifest);
    pthread_mutex_destroy(&c->edit);
    pthread_mutex_destroy(&c->mu);
    mem_free(c);
}

void catalog_lock(struct catalog *c)
{
    pthread_mutex_lock(&c->mu);
}
void catalog_unlock(struct catalog *c)
{
    pthread_mutex_unlock(&c->mu);
}

struct version *catalog_pin_locked(struct catalog *c)
{
    return version_ref(c->current);
}

struct version *catalog_pin(struct catalog *c)
{
    catalog_lock(c);
    struct version *v = catalog_pin_locked(c);
    catalog_unlock(c);
    return v;
}

static struct file_id *ids_of(struct store_file *const *files, size_t n)
{
    struct file_id *ids = mem_array(n, sizeof ids[0]);
    for (size_t i = 0; i < n; i++) ids[i] = files[i]->id;
    return ids;
}

static int log_change(struct catalog *c, const struct catalog_change *x, struct err *e)
{
    struct file_id *add = ids_of(x->add, x->n_add), *drop = ids_of(x->drop, x->n_drop);
    int rc = manifest_apply(c->manifest,
                            &(struct manifest_edit){ add, drop, x->n_add, x->n_drop, x->wal_floor,
                                                     x->next_series_no, x->next_metric_no, x->records_floor },
                            e);
    mem_free(add);
    mem_free(drop);
    return rc;
}

static struct version *swap(struct catalog *c, const struct catalog_change *x)
{
    struct version *fresh = version_make(c->current, x);
    catalog_lock(c);
    struct version *old = c->current;
    c->current = fresh;
    if (x->swapped != NULL) x->swapped(x->ctx);
    catalog_unlock(c);
    return old;
}

int catalog_apply(struct catalog *c, const struct catalog_change *x, struct err *e)
{
    struct version *old = NULL;
    pthread_mutex_lock(&c->edit);
    int rc = log_change(c, x, e);
    if (rc == OK) {
        for (size_t i = 0; i < x->n_drop; i++) atomic_store(&x->drop[i]->is_doomed, true);
        old = swap(c, x);
    }
    pthread_mutex_unlock(&c->edit);
    version_unref(old); /* may unlink: outside the locks */
    return rc;
}

int catalog_settle(struct catalog *c, struct err *e)
{
    pthread_mutex_lock(&c->edit);
    int rc = manifest_settle(c->manifest, e);
    pthread_mutex_unlock(&c->edit);
    return rc;
}

uint64_t catalog_sequence(struct catalog *c)
{
    return atomic_fetch_add(&c->sequence, 1);
}
