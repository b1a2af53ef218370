/* record_writer.c - a record part from front to back: header, then blocks with their content pages between
 * them; after each group of blocks its filters and its index; at the end the fields, the places of the
 * content pages, the origins, the top page and the footer.
 *
 * Always true:
 *   1. Until the footer is written the file is not a part; a writer that fails or is abandoned removes it.
 *   2. Keys only rise, checked row by row: what breaks the order is refused and nothing is written.
 *   3. Memory is a block, a content page, the hashes of a group and its index entries. */
#include "store/record_writer_impl.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

int record_writer_open(const char *path, const struct record_layout *layout, uint32_t level,
                       uint64_t sequence, int zstd_level, struct record_writer **out, struct err *e)
{
    struct record_writer *w = mem_alloc_zero(sizeof *w);
    w->part_head = (struct record_part_head){ level, zstd_level, sequence, (uint32_t)layout->table, 0, 0 };
    record_head_put(w->head, &w->part_head);
    int rc = page_file_open(&w->file, path, zstd_level, str_make(w->head, sizeof w->head), e);
    if (rc < 0) {
        mem_free(w);
        return rc;
    }
    w->layout = layout;
    record_fields_init(&w->fields);
    record_content_init(&w->content, w->file.packer, &w->file.out, &w->file.written);
    record_origins_init(&w->origins);
    record_columns_init(&w->columns, layout, &w->fields, &w->content, &w->origins);
    for (int c = 0; c < FILTER_CLASSES; c++) w->filter[c] = filter_builder_new((enum filter_class)c);
    w->info = (struct record_part_info){
        .min_ns = INT64_MAX, .max_ns = INT64_MIN, .level = level, .sequence = sequence
    };
    *out = w;
    return OK;
}

void record_writer_covers(struct record_writer *w, uint64_t after_write, uint64_t last_write)
{
    check(after_write < last_write && page_file_here(&w->file) == sizeof w->head);
    w->info.after_write = w->part_head.after_write = after_write;
    w->info.last_write = w->part_head.last_write = last_write;
    record_head_put(w->head, &w->part_head);
    memcpy(w->file.out.p, w->head, sizeof w->head);
}

void record_writer_covers_all(struct record_writer *w, struct record_part *const *sources, size_t n)
{
    uint64_t after = UINT64_MAX, last = 0;
    for (size_t i = 0; i < n; i++) {
        const struct record_part_info *s = record_part_info(sources[i]);
        if (s->last_write == 0) continue; /* the result says less than it holds, never more */
        after = MIN(after, s->after_write);
        last = MAX(last, s->last_write);
    }
    if (last > 0) record_writer_covers(w, after, last);
}

static void writer_free(struct record_writer *w)
{
    record_columns_release(&w->columns);
    record_origins_release(&w->origins);
    record_content_release(&w->content);
    record_fields_release(&w->fields);
    for (int c = 0; c < FILTER_CLASSES; c++) filter_builder_free(w->filter[c]);
    mem_free(w->group);
    mem_free(w);
}

void record_writer_abandon(struct record_writer *w)
{
    if (w == NULL) return;
    page_file_abandon(&w->file);
    writer_free(w);
}

/* ---- groups ---- */

static void put_filter(struct record_writer *w, enum filter_class c, struct record_group *g)
{
    struct buf raw = BUF_INIT(SIZE_MAX / 4);
    filter_finish(w->filter[c], &raw);
    g->filter_at[c] = page_file_here(&w->file);
    record_filter_put(w->file.packer, &w->file.out, buf_view(&raw));
    g->filter_bytes[c] = page_file_here(&w->file) - g->filter_at[c];
    buf_release(&raw);
}

static int flush_group(struct record_writer *w, struct err *e)
{
    if (w->n_places == 0) return OK;
    struct record_group g = { .blocks = w->n_places, .min_ns = INT64_MAX, .max_ns = INT64_MIN };
    for (size_t i = 0; i < w->n_places; i++) {
        g.rows += w->place[i].rows;
        g.min_ns = MIN(g.min_ns, w->place[i].min_ns);
        g.max_ns = MAX(g.max_ns, w->place[i].max_ns);
    }
    for (int c = 0; c < FILTER_CLASSES; c++) put_filter(w, (enum filter_class)c, &g);
    struct buf raw = BUF_INIT(PAGE_RAW_MAX);
    record_places_put(&raw, w->place, w->n_places);
    g.index_at = page_file_here(&w->file);
    g.index_bytes = page_file_put(&w->file, PAGE_RECORD_INDEX, buf_view(&raw));
    buf_release(&raw);

    w->group = mem_grow(w->group, w->n_groups, &w->groups_cap, sizeof *w->group);
    w->group[w->n_groups++] = g;
    w->n_places = 0;
    memset(w->most_hashes, 0, sizeof w->most_hashes);
    return page_file_drain(&w->file, e);
}

/* What the group's filter would take with one block more of n hashes: 14 or 29 bits a hash, rounded up to a
 * power of two, a row of a bit a block. */
static bool outgrows(const struct record_writer *w, enum filter_class c, size_t n)
{
    static const uint64_t bits[FILTER_CLASSES] = { [FILTER_WORDS] = 14, [FILTER_IDS] = 29 };
    uint64_t most = MAX(w->most_hashes[c], n), rows = 64;
    while (rows < most * bits[c]) rows *= 2;
    return rows * (w->n_places / 8 + 1) > RECORD_FILTER_MAX;
}

int record_writer_placed(struct record_writer *w, struct record_place place, struct err *e)
{
    w->place[w->n_places++] = place;
    if (w->info.blocks++ == 0) w->info.first = place.first;
    w->info.last = place.last;
    w->info.rows += place.rows;
    w->info.min_ns = MIN(w->info.min_ns, place.min_ns);
    w->info.max_ns = MAX(w->info.max_ns, place.max_ns);
    return page_file_drain_much(&w->file, e);
}

int record_writer_room(struct record_writer *w, const size_t n[FILTER_CLASSES], struct err *e)
{
    bool is_full = w->n_places == FILTER_GROUP;
    for (int c = 0; c < FILTER_CLASSES; c++)
        is_full |= w->n_places > 0 && outgrows(w, (enum filter_class)c, n[c]);
    int rc = is_full ? flush_group(w, e) : OK;
    for (int c = 0; c < FILTER_CLASSES; c++) w->most_hashes[c] = MAX(w->most_hashes[c], n[c]);
    return rc;
}

int record_writer_flush(struct record_writer *w, struct err *e)
{
    if (w->columns.rows == 0) return OK;
    struct record_hashes *h = &w->columns.hashes;
    int rc = record_writer_room(w, h->n, e);
    if (rc < 0) return rc;
    for (int c = 0; c < FILTER_CLASSES; c++) filter_add_block(w->filter[c], h->at[c], h->n[c]);
    struct record_place place;
    uint64_t at = page_file_here(&w->file);
    record_columns_finish(&w->columns, w->file.packer, &w->file.out, &place);
    place.at = at;
    return record_writer_placed(w, place, e);
}

/* ---- rows ---- */

int record_writer_add(struct record_writer *w, const struct record *r, uint64_t sequence, struct err *e)
{
    struct record_key key;
    record_key_of(w->layout, r, &key);
    const struct record_key *last = w->columns.rows > 0 ? &w->columns.place.last : &w->info.last;
    bool any = w->columns.rows > 0 || w->info.blocks > 0;
    if (any && record_key_cmp(last, &key) > 0)
        return err_set(e, ERR_ORDER, "record of time %lld after one of time %lld: keys fall",
                       (long long)key.time_ns, (long long)last->time_ns);
    record_columns_add(&w->columns, r, &key, sequence);
    return record_columns_full(&w->columns) ? record_writer_flush(w, e) : OK;
}

size_t record_writer_pending(const struct record_writer *w)
{
    return w->columns.rows;
}

/* ---- the end ---- */

static uint32_t put_tail_page(struct record_writer *w, enum page_kind kind, struct buf *raw)
{
    uint64_t bytes = page_file_put(&w->file, kind, buf_view(raw));
    buf_clear(raw);
    return (uint32_t)bytes;
}

static void put_tail(struct record_writer *w, struct record_part_foot *foot, struct buf *top)
{
    struct buf raw = BUF_INIT(PAGE_RAW_MAX);
    record_fields_put(&raw, &w->fields);
    foot->fields_bytes = put_tail_page(w, PAGE_RECORD_FIELDS, &raw);
    record_contents_put(&raw, w->content.at, w->content.n);
    foot->contents_bytes = put_tail_page(w, PAGE_RECORD_CONTENTS, &raw);
    record_origins_put(&raw, &w->origins);
    foot->origins_bytes = put_tail_page(w, PAGE_RECORD_ORIGINS, &raw);
    struct record_top t = { w->content.bytes, w->info.first, w->info.last, w->info.min_ns,
                            w->info.max_ns,   w->n_groups,   w->group };
    record_top_put(&raw, &t);
    page_put(w->file.packer, top, PAGE_RECORD_TOP, buf_view(&raw));
    foot->top_bytes = (uint32_t)top->n;
    buf_release(&raw);
}

static int put_end(struct record_writer *w, struct err *e)
{
    int rc = record_writer_flush(w, e);
    if (rc == OK) rc = flush_group(w, e);
    if (rc < 0) return rc;

    record_content_close(&w->content);
    struct buf top = BUF_INIT(PAGE_RAW_MAX + PAGE_OVERHEAD + RECORD_FOOT_BYTES);
    struct record_part_foot foot = { .rows = w->info.rows,
                                     .tail_at = page_file_here(&w->file),
                                     .sequence = w->info.sequence,
                                     .level = w->info.level };
    char bytes[RECORD_FOOT_BYTES];
    put_tail(w, &foot, &top);
    rc = page_file_seal_last(&w->file, &top, e);
    record_foot_put(bytes, &foot, w->head, buf_view(&top));
    buf_add(&top, bytes, sizeof bytes);
    if (rc == OK) rc = page_file_close(&w->file, buf_view(&top), e);
    buf_release(&top);
    return rc;
}

int record_writer_finish(struct record_writer *w, struct record_part_info *info, struct err *e)
{
    int rc = put_end(w, e);
    if (rc < 0) {
        err_where(e, "writing %s", w->file.path);
        record_writer_abandon(w);
        return rc;
    }
    w->info.bytes = w->file.written;
    w->info.content_bytes = w->content.bytes;
    w->info.columns = w->fields.columns;
    if (info) *info = w->info;
    page_file_release(&w->file);
    writer_free(w);
    return OK;
}
