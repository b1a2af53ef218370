/* toy_store.h - a store of a few series in memory, for tests of what stands above the waist. */
#pragma once
#include <stdlib.h>

#include "base/check.h"
#include "model/store.h"

struct toy_series {
    struct labels labels;
    const int64_t *time_ms;
    const double *value;
    size_t n;
};

struct toy {
    struct store store;
    const struct toy_series *series;
    size_t n_series;
    struct exemplar *exemplars;
    size_t n_exemplars;
    struct metadata *metadata;
    size_t n_metadata;
    const char *snapshot_dir; /* of the last STORE_SNAPSHOT */
    bool read_only;
};

struct toy_view {
    struct store_view view;
    struct toy *toy;
};

static int toy_view_open(struct store *s, int64_t from_ms, int64_t to_ms, struct store_view **out,
                         struct err *e)
{
    (void)from_ms, (void)to_ms, (void)e;
    struct toy_view *v = calloc(1, sizeof *v);
    v->view.store = s;
    v->toy = (struct toy *)s;
    *out = &v->view;
    return OK;
}

static void toy_view_close(struct store_view *v)
{
    free(v);
}

static struct toy *toy_of(struct store_view *v)
{
    return ((struct toy_view *)v)->toy;
}

static int toy_find(struct store_view *v, struct call *c, const struct matcher *m, size_t n, size_t limit,
                    struct series_set *out, struct err *e)
{
    struct toy *t = toy_of(v);
    (void)e;
    *out = (struct series_set){ .at = arena_array(c->arena, t->n_series + 1, sizeof *out->at) };
    for (size_t i = t->n_series; i-- > 0;) { /* in no particular order */
        if (!matchers_match(m, n, t->series[i].labels)) continue;
        if (limit > 0 && out->n == limit) {
            out->truncated = true;
            break;
        }
        out->at[out->n++] = (struct series_ref){ i, t->series[i].labels };
    }
    return OK;
}

static int toy_scan(struct store_view *v, struct call *c, const struct series_ref *refs, size_t n,
                    int64_t from_ms, int64_t to_ms, series_sink *sink, void *ctx, struct err *e)
{
    struct toy *t = toy_of(v);
    (void)c, (void)e;
    for (size_t i = 0; i < n; i++) {
        const struct toy_series *s = &t->series[refs[i].id];
        size_t a = 0, b = s->n;
        while (a < b && s->time_ms[a] < from_ms) a++;
        while (b > a && s->time_ms[b - 1] > to_ms) b--;
        struct series_rows rows = { i, b - a, s->time_ms + a, s->value + a, NULL, NULL };
        int rc = sink(ctx, &rows);
        if (rc < 0) return rc;
    }
    return OK;
}

static int toy_cmp(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Names, or the values of one name, of the series that match: sorted and unique. */
static int toy_labels(struct store_view *v, struct call *c, const struct str *name, const struct matcher *m,
                      size_t n, size_t limit, struct str **out, size_t *n_out)
{
    struct toy *t = toy_of(v);
    struct str *all = arena_array(c->arena, 1000, sizeof *all);
    size_t k = 0, distinct = 0;
    for (size_t i = 0; i < t->n_series; i++) {
        if (!matchers_match(m, n, t->series[i].labels)) continue;
        for (size_t j = 0; j < t->series[i].labels.n; j++) {
            struct label l = t->series[i].labels.at[j];
            if (!name)
                all[k++] = l.name;
            else if (str_eq(l.name, *name))
                all[k++] = l.value;
        }
    }
    qsort(all, k, sizeof *all, toy_cmp);
    for (size_t i = 0; i < k; i++)
        if (i == 0 || !str_eq(all[distinct - 1], all[i])) all[distinct++] = all[i];
    *out = all;
    *n_out = limit > 0 && distinct > limit ? limit : distinct;
    return OK;
}

static int toy_label_names(struct store_view *v, struct call *c, const struct matcher *m, size_t n,
                           size_t limit, struct str **out, size_t *n_out, struct err *e)
{
    (void)e;
    return toy_labels(v, c, NULL, m, n, limit, out, n_out);
}

static int toy_label_values(struct store_view *v, struct call *c, struct str name, const struct matcher *m,
                            size_t n, size_t limit, struct str **out, size_t *n_out, struct err *e)
{
    (void)e;
    return toy_labels(v, c, &name, m, n, limit, out, n_out);
}

static int toy_exemplars(struct store_view *v, struct call *c, const struct matcher *m, size_t n,
                         struct exemplar **out, size_t *n_out, struct err *e)
{
    struct toy *t = toy_of(v);
    (void)e;
    *out = arena_array(c->arena, t->n_exemplars + 1, sizeof **out);
    *n_out = 0;
    for (size_t i = 0; i < t->n_exemplars; i++)
        if (matchers_match(m, n, t->exemplars[i].series)) (*out)[(*n_out)++] = t->exemplars[i];
    return OK;
}

static int toy_metadata(struct store *s, struct call *c, struct str family, size_t limit,
                        struct metadata **out, size_t *n_out, struct err *e)
{
    struct toy *t = (struct toy *)s;
    (void)limit, (void)e;
    *out = arena_array(c->arena, t->n_metadata + 1, sizeof **out);
    *n_out = 0;
    for (size_t i = 0; i < t->n_metadata; i++)
        if (family.n == 0 || str_eq(family, t->metadata[i].family)) (*out)[(*n_out)++] = t->metadata[i];
    return OK;
}

static void toy_status(struct store *s, struct store_status *out)
{
    *out = (struct store_status){ .series_active = ((struct toy *)s)->n_series,
                                  .parts = 7,
                                  .min_time_ms = 1000,
                                  .max_time_ms = 2000,
                                  .read_only = ((struct toy *)s)->read_only };
}

static int toy_top(struct store *s, struct call *c, const char *what, size_t limit, struct name_count **out,
                   size_t *n_out, struct err *e)
{
    (void)s, (void)limit, (void)e;
    *out = arena_array(c->arena, 2, sizeof **out);
    (*out)[0] = (struct name_count){ str_of(what), 5 };
    (*out)[1] = (struct name_count){ STR("other"), 2 };
    *n_out = 2;
    return OK;
}

static int toy_admin(struct store *s, enum store_admin what, const void *arg, struct err *e)
{
    (void)e;
    if (what == STORE_SNAPSHOT) ((struct toy *)s)->snapshot_dir = strdup(arg);
    return OK;
}

static uint64_t toy_caps(struct store *s)
{
    (void)s;
    return STORE_HAS_EXEMPLARS;
}

static const struct store_ops toy_ops = {
    .caps = toy_caps,
    .view_open = toy_view_open,
    .view_close = toy_view_close,
    .series = toy_find,
    .scan = toy_scan,
    .label_names = toy_label_names,
    .label_values = toy_label_values,
    .exemplars = toy_exemplars,
    .metadata = toy_metadata,
    .status = toy_status,
    .top = toy_top,
    .admin = toy_admin,
};
