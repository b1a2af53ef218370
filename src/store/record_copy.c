/* record_copy.c - a block of another part taken over as it lies: its pages are copied, only what numbers
 * columns (head, shapes) and content pages (index) is written anew.
 *
 * A block with a rest column is not taken: its attributes might have columns here. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/record_writer_impl.h"

struct moved { /* a column under its number here */
    const struct block_column *column;
    uint32_t number;
};

static int by_number(const void *a, const void *b)
{
    const struct moved *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* False when one of them cannot have a column here. */
static bool number_columns(struct record_writer *w, const struct record_block *b, struct moved *to)
{
    const struct record_fields *from = &b->part->fields;
    for (size_t i = 0; i < b->n_columns; i++) {
        const struct block_column *c = &b->column[i];
        to[i] = (struct moved){ c, c->number };
        if (c->number < COLUMN_ATTRS) continue;
        const struct record_field *f = &from->at[from->field_of[c->number - COLUMN_ATTRS]];
        uint32_t here = record_fields_make(&w->fields, f->scope, f->name, f->type);
        if (here == FIELD_NONE || w->fields.at[here].column == 0) return false;
        to[i].number = w->fields.at[here].column;
    }
    qsort(to, b->n_columns, sizeof *to, by_number);
    return true;
}

/* ---- what is counted ---- */

static void count_columns(struct record_writer *w, const struct moved *column, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (column[i].number >= COLUMN_ATTRS)
            w->fields.at[w->fields.field_of[column[i].number - COLUMN_ATTRS]].rows += column[i].column->n;
}

static void count_attrs(struct record_writer *w, enum field_scope scope, const struct attrs *a, uint64_t rows)
{
    for (size_t i = 0; i < a->n; i++) {
        uint32_t f = record_fields_make(&w->fields, scope, a->at[i].name, a->at[i].value.type);
        if (f != FIELD_NONE) w->fields.at[f].rows += rows;
    }
}

static void count_origins(struct record_writer *w, const struct record_block *b)
{
    uint64_t *rows = mem_array(b->n_origins, sizeof *rows);
    for (size_t i = 0; i < b->rows; i++) rows[b->origin_of_row[i]]++;
    for (size_t i = 0; i < b->n_origins; i++) {
        record_origins_add(&w->origins, &b->origin[i]);
        count_attrs(w, FIELD_RESOURCE, &b->origin[i].resource, rows[i]);
        count_attrs(w, FIELD_SCOPE, &b->origin[i].scope, rows[i]);
    }
    mem_free(rows);
}

/* ---- content pages ---- */

/* A page that two neighbouring blocks share goes over once. */
static int copy_content(struct record_writer *w, const struct record_block *b, struct record_place *place,
                        struct err *e)
{
    const struct record_part *p = b->part;
    for (uint64_t i = 0; i < place->content_pages; i++) {
        uint64_t page = b->place.content_first + i;
        if (page >= p->n_contents)
            return err_set(e, ERR_CORRUPT, "content page %llu of %zu", (unsigned long long)page,
                           p->n_contents);
        bool is_again = i == 0 && w->copied_from == p && w->copied_page == page && w->content.raw.n == 0 &&
                        w->copied_to + 1 == w->content.n;
        if (!is_again) {
            size_t n = p->contents[page].bytes;
            char *stored = mem_alloc(n + 1);
            struct str in = str_make(stored, n);
            int rc = file_read_at(p->fd, stored, n, p->contents[page].at, e);
            if (rc == OK) rc = page_check(&in, PAGE_RECORD_CONTENT, e);
            if (rc == OK)
                rc = record_content_copy(&w->content, b->unpacker, str_make(stored, n), p->contents[page].at,
                                         e);
            mem_free(stored);
            if (rc < 0) return rc;
        }
        if (i == 0) place->content_first = w->content.n - 1;
        w->copied_from = p;
        w->copied_page = page;
        w->copied_to = w->content.n - 1;
    }
    return OK;
}

/* ---- pages ---- */

static void shapes_put(const struct record_block *b, const uint32_t here[COLUMN_END], struct buf *out)
{
    const struct block_shapes *s = b->shapes;
    buf_varint(out, s->n);
    for (size_t i = 0; i < s->n; i++) {
        buf_varint(out, s->start[i + 1] - s->start[i]);
        for (uint32_t k = s->start[i]; k < s->start[i + 1]; k++)
            buf_varint(out, s->number[k] ? here[s->number[k]] - COLUMN_ATTRS + 1 : 0);
    }
}

struct copying {
    struct record_writer *w;
    struct record_block *b;
    struct buf list, inlined, pages, shapes, stored;
    uint32_t last;
};

static void list_add(struct copying *c, uint32_t number, uint64_t n, uint64_t bytes, bool is_inline)
{
    buf_varint(&c->list, number - c->last);
    buf_varint(&c->list, n);
    buf_varint(&c->list, bytes << 1 | is_inline);
    c->last = number;
}

static void put_shapes(struct copying *c)
{
    bool is_inline = c->shapes.n <= RECORD_INLINE_MAX;
    size_t before = c->pages.n;
    if (is_inline)
        buf_str(&c->inlined, buf_view(&c->shapes));
    else
        page_put(c->w->file.packer, &c->pages, PAGE_RECORD_COLUMN, buf_view(&c->shapes));
    list_add(c, COLUMN_SHAPES, c->b->rows, is_inline ? c->shapes.n : c->pages.n - before, is_inline);
}

static int put_column(struct copying *c, const struct moved *m, struct err *e)
{
    const struct block_column *from = m->column;
    if (m->number == COLUMN_SHAPES) {
        put_shapes(c);
        return OK;
    }
    if (from->is_inline) {
        list_add(c, m->number, from->n, from->bytes, true);
        buf_add(&c->inlined, c->b->head.p + from->at, from->bytes);
        return OK;
    }
    buf_clear(&c->stored);
    char *to = buf_room(&c->stored, from->bytes);
    size_t before = c->pages.n;
    struct str in = str_make(to, from->bytes);
    int rc = file_read_at(c->b->part->fd, to, from->bytes, from->at, e);
    if (rc == OK) rc = page_check(&in, PAGE_RECORD_COLUMN, e);
    if (rc == OK)
        rc = page_copy(c->w->file.packer, c->b->unpacker, str_make(to, from->bytes), from->at, &c->pages, e);
    if (rc == OK) list_add(c, m->number, from->n, c->pages.n - before, false);
    return rc;
}

static int copy_pages(struct record_writer *w, struct record_block *b, const struct moved *column,
                      struct record_place *place, struct err *e)
{
    struct buf none = BUF_INIT(SIZE_MAX / 4), head = none;
    struct copying c = { w, b, none, none, none, none, none, 0 };
    uint32_t here[COLUMN_END] = { 0 };
    int rc = OK;
    for (size_t i = 0; i < b->n_columns; i++) here[column[i].column->number] = column[i].number;
    shapes_put(b, here, &c.shapes);
    for (size_t i = 0; i < b->n_columns && rc == OK; i++) rc = put_column(&c, &column[i], e);
    buf_varint(&head, b->rows);
    buf_varint(&head, b->n_columns);
    buf_str(&head, buf_view(&c.list));
    buf_str(&head, buf_view(&c.inlined));
    size_t before = w->file.out.n;
    if (rc == OK) {
        place->head_bytes = page_file_put(&w->file, PAGE_RECORD_BLOCK, buf_view(&head));
        buf_str(&w->file.out, buf_view(&c.pages));
        place->bytes = w->file.out.n - before;
    }
    struct buf *all[] = { &c.list, &c.inlined, &c.pages, &c.shapes, &c.stored, &head };
    for (size_t i = 0; i < COUNT(all); i++) buf_release(all[i]);
    return rc;
}

/* ---- the block ---- */

/* Its group's, and room for what the block has in them. */
static int find_filters(struct record_writer *w, struct record_block *b, size_t block,
                        const struct filter *f[FILTER_CLASSES], struct err *e)
{
    size_t g = record_part_group(b->part, block), n[FILTER_CLASSES];
    int rc = OK;
    for (int c = 0; c < FILTER_CLASSES && rc == OK; c++) {
        rc = record_part_filter(b->part, b->unpacker, g, (enum filter_class)c, &f[c], e);
        if (rc == OK && f[c] == NULL) rc = err_set(e, ERR_CORRUPT, "group %zu: no filter", g);
        /* as many hashes as fill that bitmap */
        if (rc == OK) n[c] = f[c]->bits / (c == FILTER_IDS ? 29 : 14);
    }
    return rc == OK ? record_writer_room(w, n, e) : rc;
}

static void copy_filters(struct record_writer *w, const struct record_block *b, size_t block,
                         const struct filter *const f[FILTER_CLASSES])
{
    size_t first = b->part->first_block[record_part_group(b->part, block)];
    for (int c = 0; c < FILTER_CLASSES; c++) filter_copy_block(w->filter[c], f[c], block - first);
}

int record_writer_copy(struct record_writer *w, struct record_block *b, size_t block, struct err *e)
{
    if (block_column(b, COLUMN_REST)) return 0;
    struct moved *column = mem_array(b->n_columns, sizeof *column);
    struct record_place place = b->place;
    const struct filter *f[FILTER_CLASSES];
    bool fits = number_columns(w, b, column);
    int rc = fits ? block_origins(b, e) : OK;
    if (fits && rc == OK) rc = block_shapes(b, e);
    if (fits && rc == OK) rc = record_writer_flush(w, e);
    if (fits && rc == OK) rc = find_filters(w, b, block, f, e);
    if (fits && rc == OK) rc = copy_content(w, b, &place, e);
    place.at = page_file_here(&w->file);
    if (fits && rc == OK) rc = copy_pages(w, b, column, &place, e);
    if (fits && rc == OK) { /* from here on nothing of the source is read any more */
        copy_filters(w, b, block, f);
        count_columns(w, column, b->n_columns);
        count_origins(w, b);
        rc = record_writer_placed(w, place, e);
    }
    mem_free(column);
    return rc < 0 ? rc : fits;
}
