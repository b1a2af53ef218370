/* day_index_select.c - what callers ask of an index file: conditions to series, a series to labels,
 * names and values. */
#include <string.h>

#include "base/check.h"
#include "store/day_index_impl.h"
#include "store/select.h"

#define CHECK_EVERY 1024
#define ROW_COST    4
#define PAGE_COST   8000 /* reading and decoding a page of rows takes 30 us when it is not cached */

/* ---- the file as an index (select.h) ---- */

struct file_view {
    struct index index;
    struct index_reader reader;
};

static struct index_reader *reader_of(struct index *index)
{
    return &((struct file_view *)index)->reader;
}

static const struct index_name *name_at(struct index *index, uint32_t name_no)
{
    return &reader_of(index)->d->names[name_no];
}

static int view_name(struct index *index, struct str name, uint32_t *name_no, uint32_t *n_values,
                     struct err *e)
{
    const struct day_index *d = reader_of(index)->d;
    const struct index_name *found = day_index_name(d, name);
    (void)e;
    if (found == NULL) return 0;
    *name_no = (uint32_t)(found - d->names);
    *n_values = found->n_pairs;
    return 1;
}

static int view_pair(struct index *index, uint32_t name_no, struct str value, uint32_t *pair, struct err *e)
{
    const struct index_name *name = name_at(index, name_no);
    struct pair_entry entry;
    int rc = index_reader_lower(reader_of(index), name, value, pair, e);
    if (rc < 0 || *pair == name->first_pair + name->n_pairs) return rc;
    if ((rc = index_reader_pair(reader_of(index), *pair, &entry, e)) < 0) return rc;
    return str_eq(entry.value, value);
}

static bool has_prefix(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* Values of a name by rising value, from the first with this prefix to the last. A reader of its own:
 * visit may turn pages. */
static int each_value(const struct day_index *d, const struct index_name *name, struct str prefix,
                      int (*visit)(void *ctx, uint32_t pair, struct str value, struct err *), void *ctx,
                      struct err *e)
{
    struct index_reader r;
    uint32_t pair;
    index_reader_init(&r, d);
    int rc = index_reader_lower(&r, name, prefix, &pair, e);
    for (; rc == OK && pair < name->first_pair + name->n_pairs; pair++) {
        struct pair_entry entry;
        if ((rc = index_reader_pair(&r, pair, &entry, e)) < 0 || !has_prefix(entry.value, prefix)) break;
        rc = visit(ctx, pair, entry.value, e);
    }
    index_reader_release(&r);
    return rc;
}

static int view_values(struct index *index, uint32_t name_no, struct str prefix,
                       int (*visit)(void *ctx, uint32_t pair, struct str value, struct err *), void *ctx,
                       struct err *e)
{
    return each_value(reader_of(index)->d, name_at(index, name_no), prefix, visit, ctx, e);
}

static int view_count(struct index *index, uint32_t pair, size_t *n, struct err *e)
{
    struct pair_entry entry;
    int rc = index_reader_pair(reader_of(index), pair, &entry, e);
    if (rc < 0) return rc;
    *n = entry.count;
    return 1;
}

static int view_postings(struct index *index, uint32_t pair, struct call *call, const uint32_t **rows,
                         size_t *n, struct err *e)
{
    struct pair_entry entry;
    int rc = index_reader_pair(reader_of(index), pair, &entry, e);
    if (rc < 0) return rc;
    if (!arena_fits(call->arena, (size_t)entry.count * sizeof **rows))
        return err_set(e, ERR_LIMIT, "the condition selects too many series for this query's memory limit");
    uint32_t *to = arena_array(call->arena, entry.count, sizeof *to);
    *n = entry.count;
    *rows = to;
    return index_reader_postings(reader_of(index), &entry, call->arena, to, e);
}

static int view_row_pair(struct index *index, uint32_t row, uint32_t name_no, uint32_t *pair, struct err *e)
{
    const struct index_name *name = name_at(index, name_no);
    const uint32_t *pairs;
    series_key key;
    uint32_t n;
    int rc = index_reader_row(reader_of(index), row, &key, &pairs, &n, e);
    if (rc < 0) return rc;
    for (uint32_t i = 0; i < n; i++) {
        if (pairs[i] < name->first_pair || pairs[i] - name->first_pair >= name->n_pairs) continue;
        *pair = pairs[i];
        return 1;
    }
    return 0;
}

static int view_value(struct index *index, uint32_t pair, struct arena *a, struct str *value, struct err *e)
{
    struct pair_entry entry;
    int rc = index_reader_pair(reader_of(index), pair, &entry, e);
    (void)a; /* read at once, while the page is pinned */
    if (rc < 0) return rc;
    *value = entry.value;
    return 1;
}

static const struct index_ops view_ops = {
    .name = view_name,
    .pair = view_pair,
    .values = view_values,
    .count = view_count,
    .postings = view_postings,
    .row_pair = view_row_pair,
    .value = view_value,
};

/* ---- select ---- */

static int rows_to_keys(struct index_reader *r, const uint32_t *rows, size_t n, struct call *call,
                        series_key **out, struct err *e)
{
    if (!arena_fits(call->arena, n * sizeof **out))
        return err_set(e, ERR_LIMIT, "%zu series are too many for this query's memory limit", n);
    *out = arena_array(call->arena, n + 1, sizeof **out);
    for (size_t i = 0; i < n; i++) {
        const uint32_t *pairs;
        uint32_t n_pairs;
        int rc = index_reader_row(r, rows[i], &(*out)[i], &pairs, &n_pairs, e);
        if (rc == OK && i % CHECK_EVERY == 0) rc = call_check(call, e);
        if (rc < 0) return rc;
    }
    return OK;
}

int day_index_select(const struct day_index *d, const struct matcher *m, size_t n, struct call *call,
                     series_key **out, size_t *n_out, struct err *e)
{
    struct file_view v = { { &view_ops, d->n_series, 1, ROW_COST, PAGE_COST, 1 }, { d } };
    if (d->n_series_pages > 0) v.index.rows_per_page = d->n_series / d->n_series_pages + 1;
    uint32_t *rows;
    *out = NULL;
    *n_out = 0;
    int rc = index_select(&v.index, m, n, call, &rows, n_out, e);
    if (rc == OK) rc = rows_to_keys(&v.reader, rows, *n_out, call, out, e);
    if (rc < 0) *n_out = 0;
    index_reader_release(&v.reader);
    bool is_damaged = rc == ERR_CORRUPT || rc == ERR_IO;
    return is_damaged && call->notes ? index_sound_select(d, m, n, call, out, n_out, e) : rc;
}

/* ---- labels ---- */

int day_index_labels(const struct day_index *d, series_key key, struct arena *a, struct labels *out,
                     struct err *e)
{
    struct index_reader r;
    uint32_t row;
    index_reader_init(&r, d);
    int rc = index_reader_find_key(&r, key, &row, e);
    if (rc == OK) rc = index_reader_labels(&r, row, &key, a, out, e);
    index_reader_release(&r);
    return rc;
}

int day_index_labels_told(const struct day_index *d, series_key key, const struct call *call,
                          struct labels *out, struct err *e)
{
    struct index_reader r;
    uint32_t row;
    index_reader_init(&r, d);
    int rc = index_reader_find_key(&r, key, &row, e);
    if (rc == OK) rc = index_reader_labels(&r, row, &key, call->arena, out, e);
    if (rc < 0 && rc != ERR_FIND) {
        *out = (struct labels){ 0 };
        rc = day_index_leave_out(d, r.unread, call, rc, e);
    }
    index_reader_release(&r);
    return rc;
}

/* All pairs in memory: rows name them in any order, and a page at a time would be read again and again. */
static int load_pairs(struct index_reader *r, struct arena *a, struct label **out, struct err *e)
{
    const struct day_index *d = r->d;
    struct label *at = *out = arena_array(a, d->n_pairs + 1u, sizeof *at);
    for (uint32_t i = 0; i < d->n_names; i++)
        for (uint32_t k = 0; k < d->names[i].n_pairs; k++, at++) {
            struct pair_entry entry;
            int rc = index_reader_pair(r, d->names[i].first_pair + k, &entry, e);
            if (rc < 0) return rc;
            *at = (struct label){ d->names[i].text, arena_str(a, entry.value) };
        }
    return OK;
}

static int pack_row(struct index_reader *r, uint32_t row, const struct label *all, series_key *key,
                    struct buf *packed, struct err *e)
{
    struct label at[LABELS_MAX];
    const uint32_t *pairs;
    uint32_t n;
    int rc = index_reader_row(r, row, key, &pairs, &n, e);
    if (rc < 0) return rc;
    for (uint32_t i = 0; i < n; i++) {
        at[i] = all[pairs[i]];
        if (i > 0 && at[i].name.p == at[i - 1].name.p)
            return err_set(e, ERR_CORRUPT, "a series has the label %.*s twice", STR_ARG(at[i].name));
    }
    buf_clear(packed);
    labels_pack(packed, (struct labels){ at, n });
    return OK;
}

int day_index_each(const struct day_index *d, int (*visit)(void *ctx, series_key, struct str packed),
                   void *ctx, struct err *e)
{
    struct index_reader r;
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct buf packed = BUF_INIT(SIZE_MAX / 4);
    struct label *all;
    index_reader_init(&r, d);
    int rc = load_pairs(&r, &a, &all, e);
    for (uint32_t row = 0; row < d->n_series && rc == OK; row++) {
        series_key key;
        rc = pack_row(&r, row, all, &key, &packed, e);
        if (rc == OK) rc = visit(ctx, key, buf_view(&packed));
    }
    buf_release(&packed);
    arena_release(&a);
    index_reader_release(&r);
    return rc;
}

/* ---- names and values ---- */

int day_index_label_names(const struct day_index *d, struct call *call, struct str **out, size_t *n_out,
                          struct err *e)
{
    *n_out = 0;
    *out = arena_array(call->arena, d->n_names + 1u, sizeof **out);
    for (uint32_t i = 0; i < d->n_names; i++) {
        int rc = i % CHECK_EVERY == 0 ? call_check(call, e) : OK;
        if (rc < 0) return rc;
        (*out)[i] = arena_str(call->arena, d->names[i].text);
    }
    *n_out = d->n_names;
    return OK;
}

/* Every value of a name, but for those on damaged pages. */
static int list_values(const struct day_index *d, const struct index_name *name, struct call *call,
                       struct str *at, size_t *n, struct err *e)
{
    struct index_reader r;
    uint32_t end = name->first_pair + name->n_pairs;
    int rc = OK;
    index_reader_init(&r, d);
    for (uint32_t pair = name->first_pair, next; rc == OK && pair < end; pair = next) {
        struct pair_entry entry;
        next = pair + 1;
        rc = index_reader_pair(&r, pair, &entry, e);
        if (rc == OK) {
            at[(*n)++] = arena_str(call->arena, entry.value);
        } else {
            next = d->pages[r.unread].first + d->pages[r.unread].n;
            rc = day_index_leave_out(d, r.unread, call, rc, e);
        }
        if (rc == OK && *n % CHECK_EVERY == 0) rc = call_check(call, e);
    }
    index_reader_release(&r);
    return rc;
}

int day_index_label_values(const struct day_index *d, struct str name, struct call *call, struct str **out,
                           size_t *n_out, struct err *e)
{
    const struct index_name *found = day_index_name(d, name);
    *out = NULL;
    *n_out = 0;
    if (found == NULL) return OK;
    if (!arena_fits(call->arena, found->n_pairs * sizeof **out))
        return err_set(e, ERR_LIMIT, "%u values are too many for this query's memory limit", found->n_pairs);
    *out = arena_array(call->arena, found->n_pairs, sizeof **out);
    int rc = list_values(d, found, call, *out, n_out, e);
    if (rc < 0) *n_out = 0;
    return rc;
}
