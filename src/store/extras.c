/* extras.c - exemplars and metadata: small things beside the samples, kept in memory, in two files and in the
 * WAL.
 *
 * What is new of them goes into the WAL with its batch; at every flush both are saved whole before segments
 * are dropped. A file that is damaged gives what is sound of it: they are hints and help texts, and no reason
 * not to start. */
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/view.h"

static void path_of(const struct engine *s, char *out, size_t cap, const char *name)
{
    snprintf(out, cap, "%s/%s", s->dir, name);
}

static void tell(int rc, const struct err *e, const char *what)
{
    if (rc < 0 && rc != ERR_FIND) log_warn("store", what, "why", e->text, NULL);
}

void extras_load(struct engine *s)
{
    char path[4200];
    struct err e = ERR_INIT;
    s->exemplars = exemplar_store_new(0);
    s->metadata = metadata_store_new(0);
    path_of(s, path, sizeof path, EXEMPLARS_FILE);
    tell(exemplar_store_load(s->exemplars, path, &e), &e, "exemplars not read");
    path_of(s, path, sizeof path, METADATA_FILE);
    tell(metadata_store_load(s->metadata, path, &e), &e, "metadata not read");
}

int extras_save(struct engine *s, struct err *e)
{
    char path[4200];
    path_of(s, path, sizeof path, EXEMPLARS_FILE);
    int rc = exemplar_store_save(s->exemplars, path, e);
    path_of(s, path, sizeof path, METADATA_FILE);
    return rc < 0 ? rc : metadata_store_save(s->metadata, path, e);
}

void extras_release(struct engine *s)
{
    exemplar_store_free(s->exemplars);
    metadata_store_free(s->metadata);
}

/* ---- writing: under write_mu; what is news is appended to `records` ---- */

static void refuse_exemplar(struct write_result *r, const char *text)
{
    if (r->rejected_total == 0) snprintf(r->why, sizeof r->why, "exemplar: %.200s", text);
    r->rejected[REJECT_exemplar]++;
    r->rejected_total++;
    reject_count(REJECT_exemplar, 1);
}

void extras_write(struct engine *s, const struct batch *b, const series_key *keys, struct buf *records,
                  struct write_result *r)
{
    for (size_t i = 0; i < b->n_exemplars; i++) {
        const struct batch_exemplar *x = &b->exemplars[i];
        struct wal_exemplar record = { keys[x->series], x->time_ms, x->value, x->labels };
        struct err e = ERR_INIT;
        if (record.key == 0) continue; /* its series was refused, and counted */
        int rc = exemplar_store_add(s->exemplars, record.key, x->time_ms, x->value, x->labels, &e);
        if (rc < 0)
            refuse_exemplar(r, e.text);
        else
            r->exemplars++;
        if (rc > 0) wal_put_exemplars(records, &record, 1);
    }
    for (size_t i = 0; i < b->n_metadata; i++) {
        const struct batch_metadata *m = &b->metadata[i];
        int rc =
            metadata_store_put(s->metadata, &(struct metadata){ m->family, m->type, m->help, m->unit }, NULL);
        r->metadata += rc >= 0; /* refused ones are counted in the store of metadata */
        if (rc > 0)
            wal_put_metadata(records, &(struct wal_metadata){ m->family, m->type, m->help, m->unit }, 1);
    }
}

void extras_replay_exemplar(struct engine *s, const struct wal_exemplar *x)
{
    exemplar_store_add(s->exemplars, x->key, x->time_ms, x->value, x->labels, NULL);
}

void extras_replay_metadata(struct engine *s, const struct wal_metadata *m)
{
    metadata_store_put(s->metadata, &(struct metadata){ m->family, m->type, m->help, m->unit }, NULL);
}

/* ---- reading ---- */

struct naming {
    const struct engine *s;
    const struct version *now;
};

/* Labels of a series, wherever they are: the registry, else the newest index that has them. */
static struct labels name_of(void *ctx, series_key key, struct arena *a)
{
    const struct naming *x = ctx;
    struct labels l = registry_labels(x->s->registry, key, a);
    for (size_t i = x->now->n; i-- > 0 && l.n == 0;) {
        const struct store_file *f = x->now->at[i];
        if (f->index != NULL && day_index_labels(f->index, key, a, &l, NULL) < 0) l.n = 0;
    }
    return l;
}

int view_do_exemplars(struct store_view *base, struct call *call, const struct matcher *m, size_t n,
                      struct exemplar **out, size_t *n_out, struct err *e)
{
    struct view *v = view_of(base);
    struct naming naming = { v->s, catalog_pin(v->s->catalog) };
    int rc = exemplar_store_query(v->s->exemplars, name_of, &naming, m, n, v->from_ms, v->to_ms, call, out,
                                  n_out, e);
    version_unref((struct version *)naming.now);
    return rc;
}

int engine_metadata(struct store *store, struct call *call, struct str family, size_t limit,
                    struct metadata **out, size_t *n_out, struct err *e)
{
    return metadata_store_query(engine_of(store)->metadata, call, family, limit, out, n_out, e);
}
