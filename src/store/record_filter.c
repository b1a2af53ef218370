/* record_filter.c - the filters of a group of blocks as they lie in a record part, and asking them.
 *
 *     section:    | directory page | piece | piece | ...          pages, all of kind RECORD_FILTER
 *     directory:  | pieces varint | of each: its page's bytes varint | the filter behind its rows |
 *     piece:      as many whole rows as fit RECORD_FILTER_PIECE bytes
 *
 * A question needs ten or twenty rows of 64 bytes out of up to 16 MiB. So it reads the pieces with those
 * rows, one after the other until no block is left, by way of a cache of bounded size; only the directory
 * stays with the part. Merges and fsck want every row and load the whole.
 *
 * Threads: any; a directory is published by compare-and-swap (record_impl.h). */
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/bytes.h"
#include "store/page_cache.h"
#include "store/record_impl.h"

/* ---- writing ---- */

void record_filter_put(struct page_packer *packer, struct buf *out, struct str bytes)
{
    struct buf directory = BUF_INIT(PAGE_RAW_MAX), pieces = BUF_INIT(SIZE_MAX / 4);
    struct filter f;
    check(filter_open(&f, bytes, NULL) == OK);
    size_t rows = filter_rows_bytes(&f), piece = filter_piece_bytes(&f, RECORD_FILTER_PIECE);

    buf_varint(&directory, (rows + piece - 1) / piece);
    for (size_t at = 0; at < rows; at += piece) {
        size_t before = pieces.n;
        page_put(packer, &pieces, PAGE_RECORD_FILTER, str_make(bytes.p + at, MIN(piece, rows - at)));
        buf_varint(&directory, pieces.n - before);
    }
    buf_add(&directory, bytes.p + rows, bytes.n - rows);
    page_put(packer, out, PAGE_RECORD_FILTER, buf_view(&directory));
    buf_str(out, buf_view(&pieces));
    buf_release(&directory);
    buf_release(&pieces);
}

/* ---- the directory ---- */

struct record_pieces {
    struct filter filter; /* without rows */
    size_t n, piece_bytes, rows_bytes;
    uint64_t *at; /* of each piece's page, and where the last one ends */
    struct buf raw;
};

static void pieces_free(struct record_pieces *x)
{
    if (x == NULL) return;
    buf_release(&x->raw);
    mem_free(x->at);
    mem_free(x);
}

static int directory_get(struct record_pieces *x, uint64_t at, uint64_t end, struct err *e)
{
    struct bytes in = bytes_of(buf_view(&x->raw));
    uint64_t n = bytes_varint(&in);
    if (in.failed || n > bytes_left(&in)) return err_set(e, ERR_CORRUPT, "impossible length");
    x->n = n;
    x->at = mem_array(n + 1, sizeof *x->at);
    x->at[0] = at;
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = bytes_varint(&in);
        if (in.failed || bytes < PAGE_HEAD_BYTES || bytes > end - x->at[i])
            return err_set(e, ERR_CORRUPT, "piece %zu lies outside", i);
        x->at[i + 1] = x->at[i] + bytes;
    }
    if (x->at[n] != end) return err_set(e, ERR_CORRUPT, "the pieces do not fill their place");
    int rc = filter_open_tail(&x->filter, bytes_take(&in, bytes_left(&in)), e);
    if (rc < 0) return rc;
    x->rows_bytes = filter_rows_bytes(&x->filter);
    x->piece_bytes = filter_piece_bytes(&x->filter, RECORD_FILTER_PIECE);
    if ((x->rows_bytes + x->piece_bytes - 1) / x->piece_bytes != n)
        return err_set(e, ERR_CORRUPT, "%zu pieces are not as many as the rows need", x->n);
    return OK;
}

static int directory_read(const struct record_part *p, struct page_unpacker *u, const struct record_group *g,
                          enum filter_class c, struct record_pieces *x, struct err *e)
{
    char head[PAGE_HEAD_BYTES];
    uint64_t at = g->filter_at[c], end = at + g->filter_bytes[c];
    int rc = g->filter_bytes[c] < sizeof head ? err_set(e, ERR_CORRUPT, "no room for a page")
                                              : file_read_at(p->fd, head, sizeof head, at, e);
    uint64_t n = rc == OK ? page_bytes(str_make(head, sizeof head)) : 0;
    if (rc == OK && n > end - at) rc = err_set(e, ERR_CORRUPT, "directory: it is cut");
    if (rc == OK) rc = page_read(u, p->fd, at, n, PAGE_RECORD_FILTER, &x->raw, e);
    if (rc == OK) rc = directory_get(x, at + n, end, e);
    if (rc == OK && x->filter.n_blocks != g->blocks)
        rc = err_set(e, ERR_CORRUPT, "filter of %u blocks where there are %llu", x->filter.n_blocks,
                     (unsigned long long)g->blocks);
    return rc;
}

static int pieces_of(struct record_part *p, struct page_unpacker *u, size_t g, enum filter_class c,
                     const struct record_pieces **out, struct err *e)
{
    _Atomic(struct record_pieces *) *place = &p->pieces[g * FILTER_CLASSES + (size_t)c];
    struct record_pieces *x = atomic_load_explicit(place, memory_order_acquire), *none = NULL;
    if (x == NULL) {
        x = mem_alloc_zero(sizeof *x);
        x->raw = (struct buf)BUF_INIT(RECORD_PAGE_MAX);
        int rc = directory_read(p, u, &p->top.group[g], c, x, e);
        if (rc < 0) {
            err_where(e, "part %s: filter of group %zu", p->path, g);
            pieces_free(x);
            return rc;
        }
        if (!atomic_compare_exchange_strong(place, &none, x)) {
            pieces_free(x);
            x = none;
        }
    }
    *out = x;
    return OK;
}

/* ---- pieces ---- */

static int piece_read(const struct record_part *p, struct page_unpacker *u, const struct record_pieces *x,
                      size_t i, struct buf *raw, struct err *e)
{
    size_t most = MIN(x->piece_bytes, x->rows_bytes - i * x->piece_bytes);
    int rc = page_read(u, p->fd, x->at[i], x->at[i + 1] - x->at[i], PAGE_RECORD_FILTER, raw, e);
    if (rc == OK && raw->n != most)
        rc = err_set(e, ERR_CORRUPT, "piece of %zu bytes where %zu belong", raw->n, most);
    if (rc < 0) err_where(e, "part %s: filter piece at %llu", p->path, (unsigned long long)x->at[i]);
    return rc;
}

struct probing {
    const struct record_part *part;
    struct page_unpacker *unpacker;
    const struct record_pieces *pieces;
    uint8_t row[FILTER_GROUP / 8];
};

static int fetch_row(void *ctx, size_t at, size_t n, const uint8_t **row, struct err *e)
{
    struct probing *q = ctx;
    const struct record_pieces *x = q->pieces;
    size_t i = at / x->piece_bytes;
    const struct cached_page *page = page_cache_find(page_cache_shared(), q->part->cache_file, x->at[i]);
    if (page == NULL) {
        struct buf raw = BUF_INIT(RECORD_FILTER_PIECE);
        int rc = piece_read(q->part, q->unpacker, x, i, &raw, e);
        if (rc == OK)
            page = page_cache_add(page_cache_shared(), q->part->cache_file, x->at[i], buf_view(&raw));
        buf_release(&raw);
        if (rc < 0) return rc;
    }
    memcpy(q->row, page->raw.p + at % x->piece_bytes, n);
    page_cache_unref(page);
    *row = q->row;
    return OK;
}

int record_part_probe(struct record_part *p, struct page_unpacker *u, size_t g, enum filter_class c,
                      uint64_t hash, uint64_t bits[FILTER_GROUP / 64], struct err *e)
{
    if (p->top.group[g].filter_bytes[c] == 0) return OK;
    const struct record_pieces *x;
    int rc = pieces_of(p, u, g, c, &x, e);
    if (rc < 0) return rc;
    struct probing q = { .part = p, .unpacker = u, .pieces = x };
    return filter_probe_by(&x->filter, hash, bits, fetch_row, &q, e);
}

/* ---- the whole ---- */

static void filter_free(struct record_filter *f)
{
    if (f == NULL) return;
    buf_release(&f->bytes);
    mem_free(f);
}

static int filter_load(struct record_part *p, struct page_unpacker *u, size_t g, enum filter_class c,
                       struct record_filter **out, struct err *e)
{
    const struct record_pieces *x;
    struct buf raw = BUF_INIT(RECORD_FILTER_PIECE);
    int rc = pieces_of(p, u, g, c, &x, e);
    if (rc < 0) return rc;
    struct record_filter *f = mem_alloc_zero(sizeof *f);
    f->bytes = (struct buf)BUF_INIT(2 * PAGE_RAW_MAX);
    for (size_t i = 0; i < x->n && rc == OK; i++) {
        rc = piece_read(p, u, x, i, &raw, e);
        if (rc == OK) buf_str(&f->bytes, buf_view(&raw));
    }
    size_t tail = filter_tail_bytes(&x->filter);
    buf_add(&f->bytes, x->raw.p + x->raw.n - tail, tail);
    if (rc == OK) rc = filter_open(&f->filter, buf_view(&f->bytes), e);
    buf_release(&raw);
    if (rc < 0) {
        filter_free(f);
        return rc;
    }
    *out = f;
    return OK;
}

int record_part_filter(struct record_part *p, struct page_unpacker *u, size_t g, enum filter_class c,
                       const struct filter **out, struct err *e)
{
    *out = NULL;
    if (p->top.group[g].filter_bytes[c] == 0) return OK;
    _Atomic(struct record_filter *) *place = &p->filter[g * FILTER_CLASSES + (size_t)c];
    struct record_filter *f = atomic_load_explicit(place, memory_order_acquire), *none = NULL;
    if (f == NULL) {
        int rc = filter_load(p, u, g, c, &f, e);
        if (rc < 0) return rc;
        if (!atomic_compare_exchange_strong(place, &none, f)) {
            filter_free(f);
            f = none;
        }
    }
    *out = &f->filter;
    return OK;
}

/* ---- life ---- */

void record_filters_init(struct record_part *p)
{
    p->filter = mem_array(p->top.n * FILTER_CLASSES, sizeof *p->filter);
    p->pieces = mem_array(p->top.n * FILTER_CLASSES, sizeof *p->pieces);
    p->cache_file = page_cache_file(page_cache_shared());
}

void record_filters_release(struct record_part *p)
{
    for (size_t i = 0; p->filter && i < p->top.n * FILTER_CLASSES; i++) {
        filter_free(atomic_load(&p->filter[i]));
        pieces_free(atomic_load(&p->pieces[i]));
    }
    if (p->filter) page_cache_drop(page_cache_shared(), p->cache_file);
    mem_free((void *)p->filter);
    mem_free((void *)p->pieces);
}
