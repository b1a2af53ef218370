/* series_table.c - rows of the registry: adding one, finding one by its labels or its key. See
 * registry_impl.h. */
#include "store/series_table.h"

#include <string.h>

#include "base/check.h"

#define ROW_SHIFT  10
#define LIST_SHIFT 14
#define LIST_PAGE  (1u << LIST_SHIFT)

_Static_assert(LIST_PAGE >= LABELS_MAX, "a list fits a page");

void series_table_init(struct series_table *t)
{
    *t = (struct series_table){ 0 };
    label_pool_init(&t->labels);
    paged_init(&t->postings, sizeof(struct postings), ROW_SHIFT);
    paged_init(&t->rows, sizeof(struct series_row), ROW_SHIFT);
    paged_init(&t->lists, sizeof(uint32_t), LIST_SHIFT);
    paged_init(&t->row_of, sizeof(uint32_t), ROW_SHIFT);
}

void series_table_release(struct series_table *t)
{
    for (uint32_t i = 0; i < t->labels.n_pairs; i++) postings_release(table_postings(t, i));
    label_pool_release(&t->labels);
    paged_release(&t->postings);
    paged_release(&t->rows);
    paged_release(&t->lists);
    paged_release(&t->row_of);
    id_table_release(&t->by_pairs);
    map_release(&t->metrics);
}

size_t series_table_bytes(const struct series_table *t)
{
    return label_pool_bytes(&t->labels) + paged_bytes(&t->postings) + t->postings_bytes +
           paged_bytes(&t->rows) + paged_bytes(&t->lists) + paged_bytes(&t->row_of) +
           id_table_bytes(&t->by_pairs) + map_bytes(&t->metrics);
}

uint32_t table_find_key(const struct series_table *t, series_key key)
{
    const uint32_t *row = paged_find(&t->row_of, (uint32_t)key);
    if (row == NULL || *row == 0) return ID_NONE;
    return row_key(table_row(t, *row - 1)) == key ? *row - 1 : ID_NONE;
}

/* ---- by labels ---- */

bool series_table_known_pairs(const struct series_table *t, struct labels l, uint32_t *pairs)
{
    for (size_t i = 0; i < l.n; i++)
        if ((pairs[i] = label_pool_find_pair(&t->labels, l.at[i].name, l.at[i].value)) == ID_NONE)
            return false;
    pairs[l.n - 1] |= PAIR_LAST;
    return true;
}

static size_t list_length(const uint32_t *pairs)
{
    size_t n = 0;
    while (!(pairs[n++] & PAIR_LAST)) continue;
    return n;
}

static uint32_t pairs_hash(const struct series_table *t, const uint32_t *pairs)
{
    return id_table_fold(XXH3_64bits_withSeed(pairs, list_length(pairs) * sizeof *pairs, t->labels.seed));
}

struct wanted {
    const struct series_table *t;
    const uint32_t *pairs;
};

static bool same_pairs(const void *ctx, uint32_t row)
{
    const struct wanted *w = ctx;
    const uint32_t *a = w->pairs, *b = table_pairs(w->t, row);
    for (size_t i = 0; a[i] == b[i]; i++)
        if (a[i] & PAIR_LAST) return true;
    return false;
}

uint32_t series_table_find(const struct series_table *t, const uint32_t *pairs)
{
    struct wanted w = { t, pairs };
    return id_table_find(&t->by_pairs, pairs_hash(t, pairs), same_pairs, &w);
}

/* ---- adding ---- */

void series_table_make_pairs(struct series_table *t, struct labels l, uint32_t *pairs)
{
    for (size_t i = 0; i < l.n; i++) {
        pairs[i] = label_pool_add(&t->labels, l.at[i].name, l.at[i].value);
        check(pairs[i] < PAIR_LAST - 1);
        paged_make(&t->postings, pairs[i]);
    }
    pairs[l.n - 1] |= PAIR_LAST;
}

static uint32_t keep_list(struct series_table *t, const uint32_t *pairs)
{
    size_t n = list_length(pairs);
    if (t->lists_used % LIST_PAGE + n > LIST_PAGE) t->lists_used += LIST_PAGE - t->lists_used % LIST_PAGE;
    check(t->lists_used <= UINT32_MAX - LIST_PAGE);

    uint32_t at = t->lists_used;
    memcpy(paged_make(&t->lists, at), pairs, n * sizeof *pairs);
    t->lists_used += (uint32_t)n;
    return at;
}

static void index_pairs(struct series_table *t, const uint32_t *pairs, uint32_t row)
{
    uint32_t newest = series_table_find(t, pairs);
    if (newest == ID_NONE)
        id_table_add(&t->by_pairs, pairs_hash(t, pairs), row);
    else if (table_row(t, newest)->series_no < table_row(t, row)->series_no)
        id_table_replace(&t->by_pairs, pairs_hash(t, pairs), newest, row);

    for (size_t i = 0;; i++) {
        postings_add(table_postings(t, pairs[i] & ~PAIR_LAST), row, &t->postings_bytes);
        if (pairs[i] & PAIR_LAST) break;
    }
}

/* The pair of __name__, or a number no pair has for a series without a name. */
static uint64_t metric_hash(const struct series_table *t, const uint32_t *pairs)
{
    uint32_t name_no = label_pool_name(&t->labels, STR(LABEL_NAME));
    for (size_t i = 0; name_no != ID_NONE; i++) {
        uint32_t pair = pairs[i] & ~PAIR_LAST;
        if (label_pool_pair_at(&t->labels, pair)->name_no == name_no) return (uint64_t)pair + 1;
        if (pairs[i] & PAIR_LAST) break;
    }
    return UINT64_MAX;
}

uint32_t series_table_metric(const struct series_table *t, const uint32_t *pairs)
{
    uint64_t *found = map_find(&t->metrics, metric_hash(t, pairs), NULL, NULL);
    return found == NULL ? 0 : (uint32_t)*found;
}

uint32_t series_table_add(struct series_table *t, const uint32_t *pairs, series_key key)
{
    uint32_t row = t->n_rows++;
    *(struct series_row *)paged_make(&t->rows, row) =
        (struct series_row){ (uint32_t)(key >> 32), (uint32_t)key, keep_list(t, pairs) };
    *(uint32_t *)paged_make(&t->row_of, (uint32_t)key) = row + 1;

    uint64_t metric = metric_hash(t, pairs), *known = map_find(&t->metrics, metric, NULL, NULL);
    if (known == NULL)
        map_add(&t->metrics, metric, key >> 32);
    else if (*known < key >> 32)
        *known = key >> 32;

    index_pairs(t, pairs, row);
    return row;
}

struct labels series_table_labels(const struct series_table *t, uint32_t row, struct arena *a)
{
    const uint32_t *pairs = table_pairs(t, row);
    size_t n = list_length(pairs);
    struct label *at = arena_array(a, n, sizeof *at);
    for (size_t i = 0; i < n; i++) at[i] = label_pool_label(&t->labels, pairs[i] & ~PAIR_LAST);
    return (struct labels){ at, n };
}
