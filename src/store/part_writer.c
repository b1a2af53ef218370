/* part_writer.c - a part from front to back: header, blocks, index pages, top page, footer.
 *
 * Always true:
 *   1. Until the footer is written the file is not a part; a writer that fails or is abandoned
 *      removes it.
 *   2. Keys, kinds and times only rise, checked row by row: what breaks the order is refused and
 *      nothing is written.
 *   3. Memory is one block, an output buffer and an index entry for each block (72 bytes for up to
 *      8192 rows). */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/page_file.h"
#include "store/part_block.h"
#include "store/part_format.h"
#include "store/part_writer.h"

struct part_writer {
    struct page_file file;
    char head[PART_HEAD_BYTES];
    struct part_info info;
    struct block_builder *block;

    struct part_place *place; /* blocks of the data, in order; index pages are cut from them at the end */
    size_t n_places, places_cap;
    bool any; /* a run was accepted */
    series_key last_key;
    enum row_kind last_kind;
    int64_t last_ms;
};

int part_writer_open(const char *path, uint32_t level, uint64_t sequence, int zstd_level,
                     struct part_writer **out, struct err *e)
{
    struct part_writer *w = mem_alloc_zero(sizeof *w);
    part_head_put(w->head, &(struct part_head){ level, zstd_level, sequence });
    int rc = page_file_open(&w->file, path, zstd_level, str_make(w->head, sizeof w->head), e);
    if (rc < 0) {
        mem_free(w);
        return rc;
    }
    w->block = block_builder_new();
    w->info = (struct part_info){ .min_time_ms = INT64_MAX,
                                  .max_time_ms = INT64_MIN,
                                  .min_key = UINT64_MAX,
                                  .level = level,
                                  .sequence = sequence };
    *out = w;
    return OK;
}

static void writer_free(struct part_writer *w)
{
    block_builder_free(w->block);
    mem_free(w->place);
    mem_free(w);
}

void part_writer_abandon(struct part_writer *w)
{
    if (w == NULL) return;
    page_file_abandon(&w->file);
    writer_free(w);
}

/* ---- blocks ---- */

static void count_place(struct part_writer *w, struct part_place place)
{
    place.at = page_file_here(&w->file) - place.bytes;
    w->place = mem_grow(w->place, w->n_places, &w->places_cap, sizeof *w->place);
    w->place[w->n_places++] = place;
    w->info.blocks++;
    w->info.rows += place.rows;
    w->info.runs += place.runs;
    w->info.min_time_ms = MIN(w->info.min_time_ms, place.min_ms);
    w->info.max_time_ms = MAX(w->info.max_time_ms, place.max_ms);
    w->info.min_key = MIN(w->info.min_key, place.first_key);
    w->info.max_key = MAX(w->info.max_key, place.last_key);
}

static int flush_block(struct part_writer *w, struct err *e)
{
    if (block_builder_rows(w->block) == 0) return OK;
    struct part_place place;
    block_builder_finish(w->block, w->file.packer, &w->file.out, &place);
    count_place(w, place);
    return page_file_drain_much(&w->file, e);
}

/* ---- runs ---- */

static int order_check(const struct part_writer *w, const struct run *r, struct err *e)
{
    bool falls = false;
    for (size_t i = 1; i < r->n; i++) falls |= r->time_ms[i] <= r->time_ms[i - 1];
    if (falls)
        return err_set(e, ERR_ORDER, "series %llx: times do not rise within a run",
                       (unsigned long long)r->key);
    if (!w->any || r->key > w->last_key) return OK;
    if (r->key == w->last_key && r->kind > w->last_kind) return OK;
    if (r->key == w->last_key && r->kind == w->last_kind && r->time_ms[0] > w->last_ms) return OK;
    return err_set(e, ERR_ORDER, "series %llx kind %d after series %llx kind %d", (unsigned long long)r->key,
                   (int)r->kind, (unsigned long long)w->last_key, (int)w->last_kind);
}

static struct run piece_of(const struct run *r, size_t from, size_t n)
{
    return (struct run){ r->key,
                         r->kind,
                         n,
                         r->time_ms + from,
                         r->value ? r->value + from : NULL,
                         r->start_ms ? r->start_ms + from : NULL,
                         r->hist ? r->hist + from : NULL };
}

/* How many rows from `from` on make one piece: equal shares of a long run; of histograms as
 * many as do not hold too much. */
static size_t piece_rows(const struct run *r, size_t from, size_t most)
{
    size_t left = r->n - from, shares = (left + PART_RUN_ROWS - 1) / PART_RUN_ROWS;
    size_t n = MIN((left + shares - 1) / shares, most), numbers = 0;
    if (r->kind != ROW_HISTOGRAM) return n;
    for (size_t i = 0; i < n; i++) {
        const struct histogram *h = r->hist[from + i];
        numbers += 3u + h->n_pos + h->n_neg + h->n_pos_spans + h->n_neg_spans + h->n_custom;
        if (i > 0 && numbers > PART_HIST_VALUES) return i;
    }
    return n;
}

/* A run that does not fit what is left of a block at least half full starts the next one. */
static int make_room(struct part_writer *w, size_t n, struct err *e)
{
    size_t rows = block_builder_rows(w->block);
    return rows >= PART_BLOCK_ROWS / 2 && n > PART_BLOCK_ROWS - rows ? flush_block(w, e) : OK;
}

int part_writer_run(struct part_writer *w, const struct run *r, struct err *e)
{
    if (r->n == 0) return OK;
    int rc = order_check(w, r, e);
    if (rc == OK) rc = make_room(w, r->n, e);
    for (size_t at = 0, n; at < r->n && rc == OK; at += n) {
        if (block_builder_full(w->block) && (rc = flush_block(w, e)) < 0) return rc;
        n = piece_rows(r, at, PART_BLOCK_ROWS - block_builder_rows(w->block));
        struct run piece = piece_of(r, at, n);
        block_builder_add(w->block, &piece);
    }
    if (rc < 0) return rc;
    w->any = true;
    w->last_key = r->key;
    w->last_kind = r->kind;
    w->last_ms = r->time_ms[r->n - 1];
    return OK;
}

size_t part_writer_pending(const struct part_writer *w)
{
    return block_builder_rows(w->block);
}

int part_writer_copy(struct part_writer *w, struct page_unpacker *u, struct str stored,
                     const struct part_place *place, const struct run_head *last, struct err *e)
{
    int rc = flush_block(w, e);
    struct part_place here = *place;
    size_t before = w->file.out.n;
    if (rc == OK) rc = page_copy(w->file.packer, u, stored, place->at, &w->file.out, e);
    if (rc < 0) return rc;
    here.bytes = w->file.out.n - before;
    count_place(w, here);
    w->any = true;
    w->last_key = last->key;
    w->last_kind = last->kind;
    w->last_ms = last->last_ms;
    return page_file_drain_much(&w->file, e);
}

/* ---- the end ---- */

/* One place for an index page: what its blocks have in common. */
static struct part_place sum_of(const struct part_place *block, size_t n)
{
    struct part_place sum = block[0];
    for (size_t i = 1; i < n; i++) {
        sum.last_key = block[i].last_key;
        sum.min_ms = MIN(sum.min_ms, block[i].min_ms);
        sum.max_ms = MAX(sum.max_ms, block[i].max_ms);
        sum.rows += block[i].rows;
        sum.runs += block[i].runs;
        sum.blocks++;
    }
    return sum;
}

/* Writes the index pages and leaves the page over them in `top`. */
static void put_index(struct part_writer *w, struct buf *top)
{
    size_t n_pages = (w->n_places + PART_INDEX_BLOCKS - 1) / PART_INDEX_BLOCKS;
    if (n_pages == 0) return;
    struct part_place *page = mem_array(n_pages, sizeof *page);
    struct buf raw = BUF_INIT(PAGE_RAW_MAX);
    for (size_t i = 0; i < n_pages; i++) {
        const struct part_place *block = w->place + i * PART_INDEX_BLOCKS;
        size_t n = MIN(w->n_places - i * PART_INDEX_BLOCKS, (size_t)PART_INDEX_BLOCKS);
        page[i] = sum_of(block, n);
        page[i].at = page_file_here(&w->file);
        buf_clear(&raw);
        part_places_put(&raw, block, n);
        page[i].bytes = page_file_put(&w->file, PAGE_INDEX, buf_view(&raw));
    }
    buf_clear(&raw);
    part_places_put(&raw, page, n_pages);
    page_put(w->file.packer, top, PAGE_TOP, buf_view(&raw));
    buf_release(&raw);
    mem_free(page);
}

static int put_end(struct part_writer *w, struct err *e)
{
    int rc = flush_block(w, e);
    if (rc < 0) return rc;
    if (w->n_places > (size_t)PART_INDEX_BLOCKS * 65536)
        return err_set(e, ERR_LIMIT, "part: too many blocks");

    struct buf top = BUF_INIT(PAGE_RAW_MAX + PAGE_OVERHEAD + PART_FOOT_BYTES);
    struct part_foot foot = { w->info.rows,
                              w->info.min_time_ms,
                              w->info.max_time_ms,
                              page_file_here(&w->file),
                              w->info.sequence,
                              w->info.level,
                              0,
                              0 };
    put_index(w, &top);
    foot.top_bytes = (uint32_t)top.n;
    char bytes[PART_FOOT_BYTES];
    rc = page_file_seal_last(&w->file, &top, e);
    part_foot_put(bytes, &foot, w->head, buf_view(&top));
    buf_add(&top, bytes, sizeof bytes);
    if (rc == OK) rc = page_file_close(&w->file, buf_view(&top), e);
    buf_release(&top);
    return rc;
}

int part_writer_finish(struct part_writer *w, struct part_info *info, struct err *e)
{
    int rc = put_end(w, e);
    if (rc < 0) {
        err_where(e, "writing %s", w->file.path);
        part_writer_abandon(w);
        return rc;
    }
    w->info.bytes = w->file.written;
    if (info) *info = w->info;
    page_file_release(&w->file);
    writer_free(w);
    return OK;
}
