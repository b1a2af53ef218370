/* day_index_reader.c - rows, pairs and postings of an index file, one at a time. A reader keeps the
 * pages it looked at last pinned, so that walking along costs neither lock nor search. */
#include <string.h>

#include "base/check.h"
#include "store/day_index_impl.h"

void index_reader_release(struct index_reader *r)
{
    day_index_unpin(r->series);
    day_index_unpin(r->pairs);
    index_reader_init(r, r->d);
}

/* The last of pages [from, to) whose first row or pair is <= no. */
static uint32_t page_of(const struct day_index *d, uint32_t from, uint32_t to, uint32_t no)
{
    while (to - from > 1) {
        uint32_t mid = from + (to - from) / 2;
        if (d->pages[mid].first <= no)
            from = mid;
        else
            to = mid;
    }
    return from;
}

static bool holds(const struct day_index *d, uint32_t page, uint32_t no)
{
    return no >= d->pages[page].first && no - d->pages[page].first < d->pages[page].n;
}

static int turn_to(struct index_reader *r, uint32_t page, struct cached_page **held, uint32_t *held_no,
                   struct err *e)
{
    if (*held != NULL && *held_no == page) return OK;
    day_index_unpin(*held);
    *held = NULL;
    *held_no = r->unread = page;
    return day_index_pin(r->d, page, held, e);
}

/* ---- rows ---- */

int index_reader_row(struct index_reader *r, uint32_t row, series_key *key, const uint32_t **pairs,
                     uint32_t *n, struct err *e)
{
    const struct day_index *d = r->d;
    check(row < d->n_series);
    if (r->series == NULL || !holds(d, r->series_no, row)) {
        int rc = turn_to(r, page_of(d, 0, d->n_series_pages, row), &r->series, &r->series_no, e);
        if (rc < 0) return rc;
    }
    uint32_t i = row - d->pages[r->series_no].first;
    *key = r->series->keys[i];
    *pairs = r->series->pairs + r->series->starts[i];
    *n = r->series->starts[i + 1] - r->series->starts[i];
    return OK;
}

static uint32_t page_of_key(const struct day_index *d, series_key key)
{
    uint32_t from = 0, to = d->n_series_pages;
    while (to - from > 1) {
        uint32_t mid = from + (to - from) / 2;
        if (d->pages[mid].first_key <= key)
            from = mid;
        else
            to = mid;
    }
    return from;
}

int index_reader_find_key(struct index_reader *r, series_key key, uint32_t *row, struct err *e)
{
    const struct day_index *d = r->d;
    if (d->n_series == 0) return ERR_FIND;
    uint32_t page = page_of_key(d, key);
    int rc = turn_to(r, page, &r->series, &r->series_no, e);
    if (rc < 0) return rc;

    uint32_t low = 0, high = d->pages[page].n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (r->series->keys[mid] < key)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == d->pages[page].n || r->series->keys[low] != key) return ERR_FIND;
    *row = d->pages[page].first + low;
    return OK;
}

int index_reader_labels(struct index_reader *r, uint32_t row, series_key *key, struct arena *a,
                        struct labels *out, struct err *e)
{
    const uint32_t *pairs;
    uint32_t n;
    int rc = index_reader_row(r, row, key, &pairs, &n, e);
    if (rc < 0) return rc;

    struct label *at = arena_array(a, n, sizeof *at);
    for (uint32_t i = 0; i < n; i++) {
        struct pair_entry entry;
        if ((rc = index_reader_pair(r, pairs[i], &entry, e)) < 0) return rc;
        at[i] = (struct label){ day_index_name_of(r->d, pairs[i])->text, arena_str(a, entry.value) };
        if (i > 0 && str_cmp(at[i - 1].name, at[i].name) >= 0)
            return err_set(e, ERR_CORRUPT, "a series has the label %.*s twice", STR_ARG(at[i].name));
    }
    for (uint32_t i = 0; i < n; i++) at[i].name = arena_str(a, at[i].name);
    *out = (struct labels){ at, n };
    return OK;
}

/* ---- pairs ---- */

static uint32_t first_pair_page(const struct day_index *d)
{
    return d->n_series_pages + d->n_postings_pages;
}

int index_reader_pair(struct index_reader *r, uint32_t pair, struct pair_entry *out, struct err *e)
{
    const struct day_index *d = r->d;
    check(pair < d->n_pairs);
    if (r->pairs == NULL || !holds(d, r->pairs_no, pair)) {
        int rc = turn_to(r, page_of(d, first_pair_page(d), d->n_pages, pair), &r->pairs, &r->pairs_no, e);
        if (rc < 0) return rc;
    }
    const struct cached_page *page = r->pairs;
    const struct pair_line *line = &page->lines[pair - d->pages[r->pairs_no].first];
    *out = (struct pair_entry){
        .value = { page->raw.p + line->value_at, line[1].value_at - line->value_at },
        .postings_at = page->postings_at + line->postings_at,
        .postings_bytes = line[1].postings_at - line->postings_at,
        .count = line->count,
    };
    return OK;
}

/* How a page's first value compares to value; the page is only read when the directory's cut of it
 * cannot tell. */
static int compare_first(struct index_reader *r, uint32_t page, struct str value, int *order, struct err *e)
{
    const struct index_page *p = &r->d->pages[page];
    struct str cut = { value.p, MIN(value.n, FIRST_VALUE_BYTES) };
    *order = str_cmp(p->first_value, cut);
    if (*order != 0 || p->first_value_len <= FIRST_VALUE_BYTES) {
        if (*order == 0) *order = str_cmp(p->first_value, value);
        return OK;
    }
    struct pair_entry first;
    int rc = index_reader_pair(r, p->first, &first, e);
    if (rc == OK) *order = str_cmp(first.value, value);
    return rc;
}

int index_reader_lower(struct index_reader *r, const struct index_name *name, struct str value,
                       uint32_t *pair, struct err *e)
{
    const struct day_index *d = r->d;
    uint32_t end = name->first_pair + name->n_pairs;
    uint32_t from = page_of(d, first_pair_page(d), d->n_pages, name->first_pair);
    uint32_t to = page_of(d, first_pair_page(d), d->n_pages, end - 1) + 1;
    int rc, order;
    while (to - from > 1) { /* pages after the first start with a pair of this name */
        uint32_t mid = from + (to - from) / 2;
        if ((rc = compare_first(r, mid, value, &order, e)) < 0) return rc;
        if (order <= 0)
            from = mid;
        else
            to = mid;
    }
    uint32_t low = MAX(name->first_pair, d->pages[from].first),
             high = MIN(end, d->pages[from].first + d->pages[from].n);
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        struct pair_entry entry;
        if ((rc = index_reader_pair(r, mid, &entry, e)) < 0) return rc;
        if (str_cmp(entry.value, value) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *pair = low;
    return OK;
}

const struct index_name *day_index_name(const struct day_index *d, struct str name)
{
    uint32_t low = 0, high = d->n_names;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = str_cmp(d->names[mid].text, name);
        if (order == 0) return &d->names[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct index_name *day_index_name_of(const struct day_index *d, uint32_t pair)
{
    uint32_t low = 0, high = d->n_names;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (d->names[mid].first_pair <= pair)
            low = mid;
        else
            high = mid;
    }
    return &d->names[low];
}

/* ---- postings ---- */

static int rows_decode(const struct day_index *d, struct str bytes, uint32_t count, uint32_t *rows,
                       struct err *e)
{
    struct bytes in = bytes_of(bytes);
    uint64_t next = 0;
    uint32_t n = 0;
    while (n < count && !in.failed) {
        uint64_t step = bytes_varint(&in), run = step & 1 ? bytes_varint(&in) + 2 : 1;
        next += step >> 1;
        if (in.failed || run < 1 || run > count - n || next > d->n_series || run > d->n_series - next) break;
        for (uint64_t i = 0; i < run; i++) rows[n++] = (uint32_t)next++;
    }
    if (n < count || bytes_left(&in) != 0)
        return err_set(e, ERR_CORRUPT, "a posting list is not well formed");
    return OK;
}

/* A list that spans pages is put together first. */
static int gather_bytes(const struct day_index *d, uint64_t at, size_t n, char *to, struct err *e)
{
    while (n > 0) {
        struct cached_page *page;
        size_t skip = at % POSTINGS_PAGE_BYTES, piece = MIN(n, POSTINGS_PAGE_BYTES - skip);
        int rc = day_index_pin(d, d->n_series_pages + (uint32_t)(at / POSTINGS_PAGE_BYTES), &page, e);
        if (rc < 0) return rc;
        memcpy(to, page->raw.p + skip, piece);
        day_index_unpin(page);
        to += piece;
        at += piece;
        n -= piece;
    }
    return OK;
}

int index_reader_postings(struct index_reader *r, const struct pair_entry *entry, struct arena *scratch,
                          uint32_t *rows, struct err *e)
{
    const struct day_index *d = r->d;
    uint64_t skip = entry->postings_at % POSTINGS_PAGE_BYTES;
    if (skip + entry->postings_bytes > POSTINGS_PAGE_BYTES) {
        if (!arena_fits(scratch, entry->postings_bytes))
            return err_set(e, ERR_LIMIT, "a posting list exceeds this query's memory limit");
        char *bytes = arena_alloc(scratch, entry->postings_bytes);
        int rc = gather_bytes(d, entry->postings_at, entry->postings_bytes, bytes, e);
        return rc < 0 ? rc : rows_decode(d, str_make(bytes, entry->postings_bytes), entry->count, rows, e);
    }
    struct cached_page *page;
    int rc =
        day_index_pin(d, d->n_series_pages + (uint32_t)(entry->postings_at / POSTINGS_PAGE_BYTES), &page, e);
    if (rc < 0) return rc;
    rc = rows_decode(d, str_make(page->raw.p + skip, entry->postings_bytes), entry->count, rows, e);
    day_index_unpin(page);
    return rc;
}
