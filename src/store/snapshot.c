/* snapshot.c - a copy of the store that costs no copying: a flush, then hard links to all files and a
 * manifest of its own.
 *
 * The directory appears under its name when it is complete. It must lie on the same file system as the data.
 */
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/engine.h"
#include "store/seal.h"

static int link_file(const char *dir, const struct store_file *f, struct err *e)
{
    char day_dir[4096], path[4200];
    day_dir_path(day_dir, sizeof day_dir, dir, file_type(f->id.kind)->table, f->id.day);
    int rc = file_exists(day_dir) ? OK : file_mkdirs(day_dir, e);
    file_id_path(path, sizeof path, dir, &f->id);
    return rc == OK ? file_link(f->path, path, e) : rc;
}

static int link_extra(struct engine *s, const char *dir, const char *name, struct err *e)
{
    char from[4300], to[4300];
    snprintf(from, sizeof from, "%s/%s", s->dir, name);
    snprintf(to, sizeof to, "%s/%s", dir, name);
    return file_exists(from) ? file_link(from, to, e) : OK;
}

static int sync_days(const char *dir, const struct version *v, struct err *e)
{
    char path[4300];
    int rc = OK;
    for (size_t i = 0; rc == OK && i < v->n; i++) {
        const struct file_id *id = &v->at[i]->id;
        enum table table = file_type(id->kind)->table;
        if (i > 0 && id->day == v->at[i - 1]->id.day && table == file_type(v->at[i - 1]->id.kind)->table)
            continue;
        day_dir_path(path, sizeof path, dir, table, id->day);
        rc = file_sync_dir(path, e);
    }
    return rc == OK ? table_dirs_sync(dir, e) : rc;
}

static int write_manifest(struct engine *s, const char *dir, const struct version *v, struct err *e)
{
    struct registry_size size;
    registry_size(s->registry, &size);
    pthread_mutex_lock(&s->write_mu);
    uint64_t sequence = s->record_sequence; /* later writes there must have higher numbers */
    pthread_mutex_unlock(&s->write_mu);
    struct manifest_state state = { .n = v->n,
                                    .cap = v->n,
                                    .wal_floor = 1,
                                    .next_series_no = size.next_series_no,
                                    .next_metric_no = size.next_metric_no,
                                    .next_sequence = catalog_sequence(s->catalog),
                                    .records_floor = sequence };
    state.files = mem_array(v->n, sizeof state.files[0]);
    for (size_t i = 0; i < v->n; i++) state.files[i] = v->at[i]->id;
    int rc = manifest_write(dir, &state, e);
    manifest_state_release(&state);
    return rc;
}

static int fill(struct engine *s, const char *dir, const struct version *v, struct err *e)
{
    int rc = table_dirs_make(dir, e);
    for (size_t i = 0; rc == OK && i < v->n; i++) rc = link_file(dir, v->at[i], e);
    if (rc == OK) rc = link_extra(s, dir, EXEMPLARS_FILE, e);
    if (rc == OK) rc = link_extra(s, dir, METADATA_FILE, e);
    if (rc == OK) rc = link_extra(s, dir, SEAL_HEAD_FILE, e);
    if (rc == OK) rc = sync_days(dir, v, e);
    if (rc == OK) rc = write_manifest(s, dir, v, e);
    return rc;
}

int engine_snapshot(struct engine *s, const char *dir, struct err *e)
{
    char partial[4200];
    if (file_exists(dir)) return err_set(e, ERR_RANGE, "snapshot: %s exists already", dir);
    snprintf(partial, sizeof partial, "%s.partial", dir);
    if (file_exists(partial))
        return err_set(e, ERR_RANGE, "snapshot: %s is left from an attempt that failed; remove it", partial);

    int rc = engine_flush(s, e);
    if (rc == OK) rc = extras_save(s, e);
    struct version *v = catalog_pin(s->catalog);
    seal_share(s->dir, partial);
    if (rc == OK) rc = fill(s, partial, v, e);
    seal_close(partial);
    version_unref(v);
    if (rc == OK) rc = file_rename(partial, dir, e);
    if (rc < 0) err_where(e, "snapshot");
    return rc;
}
