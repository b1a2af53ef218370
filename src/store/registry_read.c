/* registry_read.c - the reading half of the registry: every function takes the read lock for as long
 * as it works. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/select.h"
#include "store/series_table.h"

#define CHECK_EVERY 4096
#define ROW_COST    16 /* looking at a row's pairs: 10 ns for neighbours, 50 ns at random */

/* ---- a series ---- */

struct labels registry_labels(const struct registry *r, series_key key, struct arena *a)
{
    struct labels l = { NULL, 0 };
    registry_read_lock(r);
    uint32_t row = table_find_key(&r->t, key);
    if (row != ID_NONE) l = series_table_labels(&r->t, row, a);
    for (size_t i = 0; i < l.n; i++) { /* copied: the pool's texts go when the registry is rebuilt */
        struct label *at = (struct label *)&l.at[i];
        *at = (struct label){ arena_str(a, at->name), arena_str(a, at->value) };
    }
    registry_unlock(r);
    return l;
}

struct str registry_packed(const struct registry *r, series_key key, struct arena *a)
{
    struct str packed = { NULL, 0 };
    registry_read_lock(r);
    uint32_t row = table_find_key(&r->t, key);
    if (row != ID_NONE) {
        struct labels l = series_table_labels(&r->t, row, a);
        size_t most = 0;
        for (size_t i = 0; i < l.n; i++) most += l.at[i].name.n + l.at[i].value.n + 2 * 10; /* two varints */
        struct buf b = { arena_alloc(a, most), 0, most, most, false };
        labels_pack(&b, l);
        packed = buf_view(&b);
    }
    registry_unlock(r);
    return packed;
}

/* ---- the registry as an index (select.h) ---- */

struct day_view {
    struct index index;
    const struct registry *r;
    const struct presence *day;
};

static int view_name(struct index *index, struct str name, uint32_t *name_no, uint32_t *n_values,
                     struct err *e)
{
    const struct label_pool *p = &((struct day_view *)index)->r->t.labels;
    (void)e;
    *name_no = label_pool_name(p, name);
    if (*name_no == ID_NONE) return 0;
    *n_values = label_pool_name_at(p, *name_no)->n_pairs;
    return 1;
}

static int view_pair(struct index *index, uint32_t name_no, struct str value, uint32_t *pair, struct err *e)
{
    (void)e;
    *pair = label_pool_find(&((struct day_view *)index)->r->t.labels, name_no, value);
    return *pair != ID_NONE;
}

static struct str pair_value(const struct registry *r, uint32_t pair)
{
    const struct pool_pair *at = label_pool_pair_at(&r->t.labels, pair);
    return str_make(at->value, at->len);
}

static int view_values(struct index *index, uint32_t name_no, struct str prefix,
                       int (*visit)(void *ctx, uint32_t pair, struct str value, struct err *), void *ctx,
                       struct err *e)
{
    const struct registry *r = ((struct day_view *)index)->r;
    const struct pool_name *name = label_pool_name_at(&r->t.labels, name_no);
    for (uint32_t i = 0; i < name->n_pairs; i++) {
        struct str value = pair_value(r, name->pairs[i]);
        if (value.n < prefix.n || (prefix.n > 0 && memcmp(value.p, prefix.p, prefix.n) != 0)) continue;
        int rc = visit(ctx, name->pairs[i], value, e);
        if (rc < 0) return rc;
    }
    return OK;
}

static int view_count(struct index *index, uint32_t pair, size_t *n, struct err *e)
{
    (void)e;
    *n = table_postings(&((struct day_view *)index)->r->t, pair)->n;
    return 1;
}

static int view_postings(struct index *index, uint32_t pair, struct call *call, const uint32_t **rows,
                         size_t *n, struct err *e)
{
    const struct postings *p = table_postings(&((struct day_view *)index)->r->t, pair);
    (void)call, (void)e;
    *rows = postings_rows(p);
    *n = p->n;
    return OK;
}

static int view_row_pair(struct index *index, uint32_t row, uint32_t name_no, uint32_t *pair, struct err *e)
{
    const struct registry *r = ((struct day_view *)index)->r;
    (void)e;
    for (const uint32_t *at = table_pairs(&r->t, row);; at++) {
        *pair = *at & ~PAIR_LAST;
        if (label_pool_pair_at(&r->t.labels, *pair)->name_no == name_no) return 1;
        if (*at & PAIR_LAST) return 0;
    }
}

static int view_value(struct index *index, uint32_t pair, struct arena *a, struct str *value, struct err *e)
{
    (void)a, (void)e;
    *value = pair_value(((struct day_view *)index)->r, pair);
    return 1;
}

static bool row_alive(const struct day_view *v, uint32_t row)
{
    return presence_has(v->day, table_row(&v->r->t, row)->series_no);
}

static size_t view_alive(struct index *index, uint32_t *rows, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (row_alive((struct day_view *)index, rows[i])) rows[kept++] = rows[i];
    return kept;
}

static const struct index_ops view_ops = {
    .name = view_name,
    .pair = view_pair,
    .values = view_values,
    .count = view_count,
    .postings = view_postings,
    .row_pair = view_row_pair,
    .value = view_value,
    .alive = view_alive,
};

/* Under the read lock. False when the day is not remembered: it has no series. */
static bool view_init(struct day_view *v, const struct registry *r, uint32_t day)
{
    *v = (struct day_view){ { &view_ops, r->t.n_rows, 0, ROW_COST, 0, 1 }, r, registry_day(r, day) };
    return v->day != NULL;
}

/* ---- select ---- */

static int rows_to_keys(const struct registry *r, const uint32_t *rows, size_t n, struct call *call,
                        series_key **out, struct err *e)
{
    if (!arena_fits(call->arena, 2 * n * sizeof **out))
        return err_set(e, ERR_LIMIT, "%zu series are too many for this query's memory limit", n);
    series_key *keys = arena_array(call->arena, n + 1, sizeof *keys),
               *scratch = arena_array(call->arena, n + 1, sizeof *keys);
    for (size_t i = 0; i < n; i++) keys[i] = row_key(table_row(&r->t, rows[i]));
    keys_sort(keys, n, scratch);
    *out = keys;
    return OK;
}

int registry_select(const struct registry *r, uint32_t day, const struct matcher *m, size_t n,
                    struct call *call, series_key **out, size_t *n_out, struct err *e)
{
    struct day_view v;
    uint32_t *rows;
    int rc = OK;

    *out = NULL;
    *n_out = 0;
    registry_read_lock(r);
    if (!view_init(&v, r, day)) goto done;
    if ((rc = index_select(&v.index, m, n, call, &rows, n_out, e)) < 0) goto done;
    rc = rows_to_keys(r, rows, *n_out, call, out, e);
done:
    registry_unlock(r);
    if (rc < 0) *n_out = 0;
    return rc;
}

/* ---- names and values ---- */

/* New series are at the end of a list and likely in the day that is asked about. */
static bool pair_alive(const struct day_view *v, uint32_t pair)
{
    const struct postings *p = table_postings(&v->r->t, pair);
    for (size_t i = p->n; i-- > 0;)
        if (row_alive(v, postings_rows(p)[i])) return true;
    return false;
}

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

struct str_list {
    struct str *at;
    size_t n, cap;
};

static int keep_str(struct str_list *list, struct str s, struct call *call, struct err *e)
{
    list->at = arena_grow(call->arena, list->at, list->n, &list->cap, sizeof *list->at);
    list->at[list->n++] = arena_str(call->arena, s);
    return list->n % 256 == 0 ? call_check(call, e) : OK;
}

static int names_of_day(const struct day_view *v, struct call *call, struct str_list *list, struct err *e)
{
    const struct label_pool *p = &v->r->t.labels;
    for (uint32_t no = 0; no < p->n_names; no++) {
        const struct pool_name *name = label_pool_name_at(p, no);
        int rc = call_check(call, e);
        if (rc < 0) return rc;
        for (uint32_t i = name->n_pairs; i-- > 0;) {
            if (!pair_alive(v, name->pairs[i])) continue;
            if ((rc = keep_str(list, str_make(name->text, name->len), call, e)) < 0) return rc;
            break;
        }
    }
    return OK;
}

static int values_of_day(const struct day_view *v, struct str name_text, struct call *call,
                         struct str_list *list, struct err *e)
{
    uint32_t name_no = label_pool_name(&v->r->t.labels, name_text);
    if (name_no == ID_NONE) return OK;

    const struct pool_name *name = label_pool_name_at(&v->r->t.labels, name_no);
    for (uint32_t i = 0; i < name->n_pairs; i++) {
        int rc = i % CHECK_EVERY == 0 ? call_check(call, e) : OK;
        if (rc == OK && pair_alive(v, name->pairs[i]))
            rc = keep_str(list, pair_value(v->r, name->pairs[i]), call, e);
        if (rc < 0) return rc;
    }
    return OK;
}

static int list_strings(const struct registry *r, uint32_t day, const struct str *name, struct call *call,
                        struct str **out, size_t *n_out, struct err *e)
{
    struct str_list list = { 0 };
    struct day_view v;
    int rc = OK;

    registry_read_lock(r);
    if (view_init(&v, r, day))
        rc = name == NULL ? names_of_day(&v, call, &list, e) : values_of_day(&v, *name, call, &list, e);
    registry_unlock(r);
    if (rc == OK && list.n > 1) qsort(list.at, list.n, sizeof *list.at, compare_str);
    *out = list.at;
    *n_out = rc < 0 ? 0 : list.n;
    return rc;
}

int registry_label_names(const struct registry *r, uint32_t day, struct call *call, struct str **out,
                         size_t *n_out, struct err *e)
{
    return list_strings(r, day, NULL, call, out, n_out, e);
}

int registry_label_values(const struct registry *r, uint32_t day, struct str name, struct call *call,
                          struct str **out, size_t *n_out, struct err *e)
{
    return list_strings(r, day, &name, call, out, n_out, e);
}

/* ---- sizes ---- */

void registry_size(const struct registry *r, struct registry_size *out)
{
    registry_read_lock(r);
    size_t bytes = sizeof *r + series_table_bytes(&r->t) + r->spellings.bytes;
    for (size_t i = 0; i < r->n_days; i++) bytes += paged_bytes(&r->days[i]->pages);
    *out = (struct registry_size){
        .series = r->t.n_rows,
        .pairs = r->t.labels.n_pairs,
        .metrics = r->t.metrics.n,
        .bytes = bytes,
        .next_series_no = r->next_series_no,
        .next_metric_no = r->next_metric_no,
    };
    registry_unlock(r);
}
