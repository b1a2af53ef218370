/* day_index_write.c - from rows of pool numbers to the bytes of an index file, front to back.
 *
 * Pools number pairs as they come, files by (name, value): `rank` leads from one to the other.
 * Postings are made by walking all rows once for every POSTINGS_AT_ONCE of them, so that their memory
 * is bounded whatever the size of the day. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/crc32c.h"
#include "store/day_index_build.h"
#include "store/page_file.h"

#define POSTINGS_AT_ONCE (4u << 20)
#define ZSTD_LEVEL       3

struct page_list { /* what the directory says of the pages of one kind */
    struct buf lines;
    uint32_t n;
};

struct writer {
    struct index_build *b;
    struct page_file file;
    struct buf raw;
    uint32_t *rank;    /* pool pair -> file pair */
    uint32_t *by_rank; /* file pair -> pool pair */
    uint32_t *names;   /* pool names, sorted */
    uint32_t *counts;  /* rows, by file pair */
    uint32_t *lengths; /* bytes of postings, by file pair */
    uint64_t postings_bytes;
    struct page_list series, postings, pairs;
    struct err *e;
};

static void put_u64(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) p[i] = (unsigned char)(v >> (8 * i));
}

/* ---- the order of the file ---- */

static int compare_names(const void *a, const void *b, void *ctx)
{
    const struct pool_name *x = label_pool_name_at(ctx, *(const uint32_t *)a),
                           *y = label_pool_name_at(ctx, *(const uint32_t *)b);
    return str_cmp(str_make(x->text, x->len), str_make(y->text, y->len));
}

static int compare_values(const void *a, const void *b, void *ctx)
{
    const struct pool_pair *x = label_pool_pair_at(ctx, *(const uint32_t *)a),
                           *y = label_pool_pair_at(ctx, *(const uint32_t *)b);
    return str_cmp(str_make(x->value, x->len), str_make(y->value, y->len));
}

static void rank_pairs(struct writer *w)
{
    struct label_pool *pool = &w->b->pool;
    uint32_t n = 0;
    w->names = mem_array(pool->n_names + 1, sizeof *w->names);
    w->rank = mem_array(pool->n_pairs + 1, sizeof *w->rank);
    w->by_rank = mem_array(pool->n_pairs + 1, sizeof *w->by_rank);
    for (uint32_t i = 0; i < pool->n_names; i++) w->names[i] = i;
    qsort_r(w->names, pool->n_names, sizeof *w->names, compare_names, pool);

    for (uint32_t i = 0; i < pool->n_names; i++) {
        const struct pool_name *name = label_pool_name_at(pool, w->names[i]);
        memcpy(w->by_rank + n, name->pairs, name->n_pairs * sizeof *w->by_rank);
        qsort_r(w->by_rank + n, name->n_pairs, sizeof *w->by_rank, compare_values, pool);
        n += name->n_pairs;
    }
    for (uint32_t i = 0; i < n; i++) w->rank[w->by_rank[i]] = i;
}

/* ---- pages ---- */

/* raw becomes a page; its length on disk is the first word of its line in the directory. */
static int put_page(struct writer *w, enum index_page_kind kind, struct page_list *list)
{
    uint64_t bytes = page_file_put(&w->file, kind, buf_view(&w->raw));
    if (list != NULL) {
        buf_varint(&list->lines, bytes);
        list->n++;
    }
    buf_clear(&w->raw);
    return page_file_drain_much(&w->file, w->e);
}

/* ---- series pages ---- */

struct row_walk { /* over all rows, in order */
    const struct index_build *b;
    uint32_t row;
    size_t list;
};

static size_t next_row(struct row_walk *walk, const uint32_t *rank, series_key *key, uint32_t *pairs)
{
    size_t n = 0;
    uint32_t pair;
    *key = *(series_key *)paged_at(&walk->b->keys, walk->row++);
    do {
        pair = *(uint32_t *)paged_at(&walk->b->lists, walk->list++);
        pairs[n++] = rank[pair & ~INDEX_PAIR_LAST];
    } while (!(pair & INDEX_PAIR_LAST));
    return n;
}

struct series_page {
    struct buf rows;
    uint32_t n;
    series_key first_key, last_key, previous_first;
    /* Pairs of the row before: rows of a metric differ in few places, the rest become zeros. */
    uint32_t last[LABELS_MAX];
};

static void add_row(struct series_page *p, series_key key, const uint32_t *pairs, size_t n)
{
    if (p->n == 0) p->first_key = p->last_key = key;
    buf_varint(&p->rows, key - p->last_key);
    buf_varint(&p->rows, n);
    for (size_t i = 0; i < n; i++) {
        buf_varint(&p->rows, zigzag((int64_t)pairs[i] - p->last[i]));
        p->last[i] = pairs[i];
    }
    p->last_key = key;
    p->n++;
}

static int put_series_page(struct writer *w, struct series_page *p)
{
    buf_str(&w->raw, buf_view(&p->rows));
    int rc = put_page(w, INDEX_SERIES, &w->series);
    buf_varint(&w->series.lines, p->n);
    buf_varint(&w->series.lines, p->first_key - p->previous_first);
    p->previous_first = p->first_key;
    buf_clear(&p->rows);
    p->n = 0;
    memset(p->last, 0, sizeof p->last);
    return rc;
}

static int put_series(struct writer *w)
{
    struct row_walk walk = { .b = w->b };
    struct series_page page = { .rows = BUF_INIT(PAGE_BYTES_MAX) };
    int rc = OK;
    while (walk.row < w->b->n_rows && rc == OK) {
        uint32_t pairs[LABELS_MAX];
        series_key key;
        size_t n = next_row(&walk, w->rank, &key, pairs);
        for (size_t i = 0; i < n; i++) w->counts[pairs[i]]++;
        add_row(&page, key, pairs, n);
        if (page.rows.n >= SERIES_PAGE_BYTES) rc = put_series_page(w, &page);
    }
    if (rc == OK && page.n > 0) rc = put_series_page(w, &page);
    buf_release(&page.rows);
    return rc;
}

/* ---- postings pages ---- */

static int put_postings_bytes(struct writer *w, struct buf *bytes)
{
    size_t at = 0;
    int rc = OK;
    while (at < bytes->n && rc == OK) {
        size_t n = MIN(POSTINGS_PAGE_BYTES - w->raw.n, bytes->n - at);
        buf_add(&w->raw, bytes->p + at, n);
        at += n;
        if (w->raw.n == POSTINGS_PAGE_BYTES) rc = put_page(w, INDEX_POSTINGS, &w->postings);
    }
    return rc;
}

/* A run of rows is the gap before it and its length; most runs are one row: the gap's low bit tells. */
static int put_list(struct writer *w, uint32_t pair, const uint32_t *rows, struct buf *scratch)
{
    uint32_t next = 0, n = w->counts[pair];
    buf_clear(scratch);
    for (uint32_t i = 0; i < n;) {
        uint32_t run = 1;
        while (i + run < n && rows[i + run] == rows[i] + run) run++;
        buf_varint(scratch, (uint64_t)(rows[i] - next) << 1 | (run > 1));
        if (run > 1) buf_varint(scratch, run - 2);
        next = rows[i] + run;
        i += run;
    }
    if (scratch->full || scratch->n > UINT32_MAX)
        return err_set(w->e, ERR_LIMIT, "a posting list is too long");
    w->lengths[pair] = (uint32_t)scratch->n;
    w->postings_bytes += scratch->n;
    return put_postings_bytes(w, scratch);
}

/* Pairs [from, *to) have at most POSTINGS_AT_ONCE rows together, or are one pair. */
static size_t batch_of_pairs(const struct writer *w, uint32_t from, uint32_t *to)
{
    size_t sum = w->counts[from];
    for (*to = from + 1; *to < w->b->pool.n_pairs && sum + w->counts[*to] <= POSTINGS_AT_ONCE; ++*to)
        sum += w->counts[*to];
    return sum;
}

static void gather_rows(const struct writer *w, uint32_t from, uint32_t to, uint32_t *rows, size_t *at)
{
    struct row_walk walk = { .b = w->b };
    while (walk.row < w->b->n_rows) {
        uint32_t pairs[LABELS_MAX], row = walk.row;
        series_key key;
        size_t n = next_row(&walk, w->rank, &key, pairs);
        for (size_t i = 0; i < n; i++)
            if (pairs[i] >= from && pairs[i] < to) rows[at[pairs[i] - from]++] = row;
    }
}

static int put_batch(struct writer *w, uint32_t from, uint32_t to, size_t sum)
{
    uint32_t *rows = mem_array(sum + 1, sizeof *rows);
    size_t *at = mem_array(to - from, sizeof *at), start = 0;
    struct buf scratch = BUF_INIT(UINT32_MAX);
    int rc = OK;
    for (uint32_t i = from; i < to; start += w->counts[i++]) at[i - from] = start;
    gather_rows(w, from, to, rows, at);
    for (uint32_t i = from; i < to && rc == OK; i++)
        rc = put_list(w, i, rows + at[i - from] - w->counts[i], &scratch);
    buf_release(&scratch);
    mem_free(rows);
    mem_free(at);
    return rc;
}

static int put_postings(struct writer *w)
{
    int rc = OK;
    for (uint32_t from = 0, to; from < w->b->pool.n_pairs && rc == OK; from = to) {
        size_t sum = batch_of_pairs(w, from, &to);
        rc = put_batch(w, from, to, sum);
    }
    return rc == OK && w->raw.n > 0 ? put_page(w, INDEX_POSTINGS, &w->postings) : rc;
}

/* ---- pair pages ---- */

static uint32_t pairs_of_a_page(const struct writer *w, uint32_t from)
{
    size_t bytes = 0;
    uint64_t postings = 0;
    uint32_t to = from;
    while (to < w->b->pool.n_pairs && bytes < PAIR_PAGE_BYTES &&
           (to == from || postings + w->lengths[to] <= UINT32_MAX)) {
        bytes += label_pool_pair_at(&w->b->pool, w->by_rank[to])->len + 4;
        postings += w->lengths[to++];
    }
    return to;
}

static int put_pair_page(struct writer *w, uint32_t from, uint32_t to, uint64_t *postings_at)
{
    const struct label_pool *pool = &w->b->pool;
    buf_varint(&w->raw, *postings_at);
    for (uint32_t i = from; i < to; i++) {
        buf_varint(&w->raw, label_pool_pair_at(pool, w->by_rank[i])->len);
        buf_varint(&w->raw, w->counts[i]);
        buf_varint(&w->raw, w->lengths[i]);
        *postings_at += w->lengths[i];
    }
    for (uint32_t i = from; i < to; i++) {
        const struct pool_pair *pair = label_pool_pair_at(pool, w->by_rank[i]);
        buf_add(&w->raw, pair->value, pair->len);
    }
    int rc = put_page(w, INDEX_PAIRS, &w->pairs);
    const struct pool_pair *first = label_pool_pair_at(pool, w->by_rank[from]);
    buf_varint(&w->pairs.lines, to - from);
    buf_varint(&w->pairs.lines, first->len);
    buf_add(&w->pairs.lines, first->value, MIN(first->len, FIRST_VALUE_BYTES));
    return rc;
}

static int put_pairs(struct writer *w)
{
    uint64_t postings_at = 0;
    int rc = OK;
    for (uint32_t from = 0, to; from < w->b->pool.n_pairs && rc == OK; from = to) {
        to = pairs_of_a_page(w, from);
        rc = put_pair_page(w, from, to, &postings_at);
    }
    return rc;
}

/* ---- directory and footer ---- */

static void directory_make(struct writer *w, struct buf *to)
{
    const struct label_pool *pool = &w->b->pool;
    for (uint32_t i = 0; i < pool->n_names; i++) {
        const struct pool_name *name = label_pool_name_at(pool, w->names[i]);
        buf_varint(to, name->len);
        buf_add(to, name->text, name->len);
        buf_varint(to, name->n_pairs);
    }
    buf_varint(to, w->postings_bytes);
    const struct page_list *lists[] = { &w->series, &w->postings, &w->pairs };
    for (size_t i = 0; i < COUNT(lists); i++) {
        buf_varint(to, lists[i]->n);
        buf_str(to, buf_view(&lists[i]->lines));
    }
}

static void footer_make(const struct writer *w, uint64_t directory_at, uint64_t directory_end, uint64_t raw,
                        unsigned char *f)
{
    memset(f, 0, DAY_INDEX_FOOTER_BYTES);
    put_u64(f, directory_at);
    put_u64(f + 8, directory_end - directory_at);
    put_u64(f + 16, raw);
    put_u64(f + 24, w->b->n_rows);
    put_u64(f + 32, w->b->pool.n_pairs);
    put_u64(f + 40, w->b->pool.n_names);
    put_u64(f + 48, DAY_INDEX_VERSION | (uint64_t)crc32c(0, f, 48) << 32);
    memcpy(f + 56, DAY_INDEX_MAGIC, 8);
}

static int put_directory(struct writer *w)
{
    struct buf directory = BUF_INIT(SIZE_MAX / 4);
    char footer[DAY_INDEX_FOOTER_BYTES];
    uint64_t at = page_file_here(&w->file);
    int rc = OK;
    directory_make(w, &directory);
    for (size_t i = 0; i < directory.n && rc == OK; i += DIRECTORY_PAGE_BYTES) {
        buf_add(&w->raw, directory.p + i, MIN(DIRECTORY_PAGE_BYTES, directory.n - i));
        rc = put_page(w, INDEX_DIRECTORY, NULL);
    }
    if (rc == OK) rc = page_file_drain(&w->file, w->e);
    footer_make(w, at, w->file.written, directory.n, (unsigned char *)footer);
    if (rc == OK) rc = page_file_close(&w->file, str_make(footer, sizeof footer), w->e);
    buf_release(&directory);
    return rc;
}

/* ---- all together ---- */

static int write_all(struct writer *w)
{
    int rc;
    rank_pairs(w);
    w->counts = mem_array(w->b->pool.n_pairs + 1, sizeof *w->counts);
    w->lengths = mem_array(w->b->pool.n_pairs + 1, sizeof *w->lengths);
    if ((rc = put_series(w)) < 0 || (rc = put_postings(w)) < 0 || (rc = put_pairs(w)) < 0) return rc;
    return put_directory(w);
}

static void writer_release(struct writer *w)
{
    buf_release(&w->raw);
    mem_free(w->rank);
    mem_free(w->by_rank);
    mem_free(w->names);
    mem_free(w->counts);
    mem_free(w->lengths);
    struct page_list *lists[] = { &w->series, &w->postings, &w->pairs };
    for (size_t i = 0; i < COUNT(lists); i++) buf_release(&lists[i]->lines);
}

int index_build_write(struct index_build *b, const char *path, uint64_t *bytes, struct err *e)
{
    struct writer w = { .b = b, .e = e };
    char head[DAY_INDEX_HEADER_BYTES] = DAY_INDEX_MAGIC;
    struct buf *grow[] = { &w.raw, &w.series.lines, &w.postings.lines, &w.pairs.lines };
    for (size_t i = 0; i < COUNT(grow); i++) grow[i]->max = SIZE_MAX / 4;

    head[8] = DAY_INDEX_VERSION;
    int rc = page_file_open(&w.file, path, ZSTD_LEVEL, str_make(head, sizeof head), e);
    if (rc < 0) return rc;
    if ((rc = write_all(&w)) < 0) {
        page_file_abandon(&w.file);
    } else {
        if (bytes != NULL) *bytes = w.file.written;
        page_file_release(&w.file);
    }
    writer_release(&w);
    return rc;
}
