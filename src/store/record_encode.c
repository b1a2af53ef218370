/* record_encode.c - the columns of a block as pages: the second half of writing a block.
 *
 *     head page   | rows varint | columns varint | of each: number's step, values, bytes << 1 | inline | then
 *                 the inline columns, end to end |
 *     pages       those columns that are longer than RECORD_INLINE_MAX, in the order of the head
 *
 * Columns stand in rising number. Bytes of each: docs/format-record.md. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/column.h"
#include "store/record_columns.h"
#include "store/text_column.h"

/* ---- texts ---- */

static void refs_put(struct buf *out, const struct record_column *col)
{
    uint64_t bits[COLUMN_ROWS_MAX / 64] = { 0 };
    int64_t *v = mem_array(col->n_refs, sizeof *v);
    for (size_t i = 0; i < col->n_refs; i++)
        bits[col->ref[i].value / 64] |= UINT64_C(1) << col->ref[i].value % 64;
    presence_put(out, bits, col->n);
    for (size_t i = 0; i < col->n_refs; i++) v[i] = col->ref[i].where.page;
    column_put_ints(out, v, col->n_refs);
    for (size_t i = 0; i < col->n_refs; i++) v[i] = col->ref[i].where.offset;
    column_put_ints(out, v, col->n_refs);
    for (size_t i = 0; i < col->n_refs; i++) v[i] = col->ref[i].where.length;
    column_put_ints(out, v, col->n_refs);
    mem_free(v);
}

static void text_put(struct buf *out, const struct record_column *col)
{
    buf_varint(out, col->n_refs);
    if (col->n_refs > 0) refs_put(out, col);
    text_column_put(out, col->text, col->n);
}

/* ---- ids ---- */

static bool all_zero(const void *p, size_t n)
{
    const char *c = p;
    return n == 0 || (c[0] == 0 && memcmp(c, c + 1, n - 1) == 0);
}

/* Runs of equal trace ids: how long, then each once. */
static void traces_put(const struct record_columns *c, struct buf *out)
{
    int64_t *rows = mem_array(c->rows, sizeof *rows);
    uint8_t(*id)[16] = mem_array(c->rows, sizeof *id);
    size_t runs = 0;
    for (size_t i = 0; i < c->rows; i++) {
        if (i == 0 || memcmp(c->trace[i], c->trace[i - 1], 16) != 0) memcpy(id[runs++], c->trace[i], 16);
        rows[runs - 1]++;
    }
    buf_varint(out, runs);
    column_put_ints(out, rows, runs);
    text_column_put_fixed(out, id[0], 16, runs);
    mem_free(rows);
    mem_free(id);
}

/* ---- parents: where in the block the parent stands ---- */

struct span_slot {
    uint64_t id;
    uint32_t row; /* + 1; 0: free */
};

struct span_table {
    struct span_slot *slot;
    size_t mask;
};

static struct span_slot *span_slot(const struct span_table *t, uint64_t id)
{
    size_t i = (id * UINT64_C(0x9E3779B97F4A7C15) >> 20) & t->mask;
    while (t->slot[i].row != 0 && t->slot[i].id != id) i = (i + 1) & t->mask;
    return &t->slot[i];
}

static uint64_t id_of(const uint8_t p[8])
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* *repeats: whether two rows share their span id. */
static void span_table_fill(struct span_table *t, const struct record_columns *c, uint64_t *repeats)
{
    size_t slots = 64;
    while (slots < 2 * c->rows) slots *= 2;
    *t = (struct span_table){ mem_array(slots, sizeof *t->slot), slots - 1 };
    for (size_t i = 0; i < c->rows; i++) {
        struct span_slot *s = span_slot(t, id_of(c->span[i]));
        if (s->row != 0) *repeats = 1;
        *s = (struct span_slot){ id_of(c->span[i]), (uint32_t)i + 1 };
    }
}

/* 0: none. 1: not in this block, the id follows. Else 2 + zigzag of how many rows further it stands. */
static void parents_put(const struct record_columns *c, const struct span_table *t, struct buf *out)
{
    int64_t *code = mem_array(c->rows, sizeof *code);
    uint8_t(*raw)[8] = mem_array(c->rows, sizeof *raw);
    size_t n_raw = 0;
    for (size_t i = 0; i < c->rows; i++) {
        uint64_t id = id_of(c->parent[i]);
        if (id == 0) continue;
        const struct span_slot *s = span_slot(t, id);
        code[i] = s->row ? 2 + (int64_t)zigzag((int64_t)s->row - 1 - (int64_t)i) : 1;
        if (s->row == 0) memcpy(raw[n_raw++], c->parent[i], 8);
    }
    column_put_ints(out, code, c->rows);
    buf_varint(out, n_raw);
    if (n_raw > 0) text_column_put_fixed(out, raw[0], 8, n_raw);
    mem_free(code);
    mem_free(raw);
}

/* ---- origins and shapes ---- */

static void origins_put(const struct record_columns *c, struct buf *out)
{
    buf_varint(out, c->n_origins);
    buf_str(out, buf_view(&c->origins));
}

static void shapes_put(const struct record_columns *c, struct buf *out)
{
    buf_varint(out, c->n_shapes);
    for (size_t i = 0; i < c->n_shapes; i++) {
        buf_varint(out, c->shape[i].n);
        for (size_t k = 0; k < c->shape[i].n; k++) {
            uint16_t number = c->shape_numbers[c->shape[i].first + k];
            buf_varint(out, number ? number - COLUMN_ATTRS + 1u : 0u);
        }
    }
}

/* ---- a column ---- */

static void values_put(const struct record_columns *c, struct buf *out, uint32_t number)
{
    const struct record_column *col = &c->column[number];
    switch (col->type) {
    case VALUE_STR:
    case VALUE_BYTES:
    case VALUE_JSON: text_put(out, col); break;
    case VALUE_INT:
    case VALUE_BOOL:
        if (number == IN_TIME)
            column_put_times(out, col->i, col->n);
        else
            column_put_ints(out, col->i, col->n);
        break;
    case VALUE_DOUBLE: column_put_doubles(out, col->d, col->n); break;
    case VALUE_NONE:
    case VALUE_TYPES: break;
    }
}

/* The last rows may have none: every row of an intrinsic's column has a value. */
static void fill_up(struct record_columns *c, uint32_t number)
{
    static const struct str empty = { "", 0 };
    struct record_column *col = &c->column[number];
    while (number < COLUMN_ATTRS && col->n < c->rows) {
        size_t width = col->type == VALUE_INT ? sizeof *col->i : sizeof *col->text;
        col->at = mem_grow(col->at, col->n, &col->cap, width);
        if (col->type == VALUE_INT)
            col->i[col->n++] = 0;
        else
            col->text[col->n++] = empty;
    }
}

struct heads { /* of the columns, while they are written */
    struct record_columns *c;
    struct page_packer *packer;
    struct buf list, inlined;
    size_t n;
    uint32_t last;
};

/* What is in scratch is the column's bytes. */
static void column_done(struct heads *h, uint32_t number, size_t values)
{
    struct buf *raw = &h->c->scratch;
    bool is_inline = raw->n <= RECORD_INLINE_MAX;
    size_t before = h->c->pages.n;
    if (is_inline)
        buf_str(&h->inlined, buf_view(raw));
    else
        page_put(h->packer, &h->c->pages, PAGE_RECORD_COLUMN, buf_view(raw));
    size_t bytes = is_inline ? raw->n : h->c->pages.n - before;
    buf_varint(&h->list, number - h->last);
    buf_varint(&h->list, values);
    buf_varint(&h->list, bytes << 1 | is_inline);
    h->last = number;
    h->n++;
    buf_clear(raw);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Columns that do not come from values: numbers are used[] entries all the same, so that all stand in order.
 */
static bool special_put(struct record_columns *c, uint32_t number, const struct span_table *spans)
{
    switch (number) {
    case IN_TRACE_ID: traces_put(c, &c->scratch); return true;
    case IN_SPAN_ID: text_column_put_fixed(&c->scratch, c->span[0], 8, c->rows); return true;
    case IN_PARENT_ID: parents_put(c, spans, &c->scratch); return true;
    case COLUMN_ORIGINS: origins_put(c, &c->scratch); return true;
    case COLUMN_SHAPES: shapes_put(c, &c->scratch); return true;
    case COLUMN_REST: buf_str(&c->scratch, buf_view(&c->rest)); return true;
    default: return false;
    }
}

static void use_specials(struct record_columns *c)
{
    c->used[c->n_used++] = COLUMN_ORIGINS;
    c->used[c->n_used++] = COLUMN_SHAPES;
    if (c->rest.n > 0) c->used[c->n_used++] = COLUMN_REST;
    if (!all_zero(c->trace, c->rows * 16)) c->used[c->n_used++] = IN_TRACE_ID;
    if (!all_zero(c->span, c->rows * 8)) c->used[c->n_used++] = IN_SPAN_ID;
    if (c->layout->table == TABLE_SPANS && !all_zero(c->parent, c->rows * 8))
        c->used[c->n_used++] = IN_PARENT_ID;
    qsort(c->used, c->n_used, sizeof *c->used, by_number);
}

static void columns_put(struct heads *h)
{
    struct record_columns *c = h->c;
    struct span_table spans = { NULL, 0 };
    if (c->layout->table == TABLE_SPANS) span_table_fill(&spans, c, &c->place.repeats);
    use_specials(c);
    for (size_t i = 0; i < c->n_used; i++) {
        uint32_t number = c->used[i];
        bool is_special = special_put(c, number, &spans);
        if (!is_special) {
            fill_up(c, number);
            values_put(c, &c->scratch, number);
        }
        column_done(h, number, is_special ? c->rows : c->column[number].n);
    }
    mem_free(spans.slot);
}

/* ---- the block ---- */

static void origins_count(struct record_columns *c)
{
    for (size_t i = 0; i < c->n_origins; i++) {
        const struct block_origin *o = &c->origin[i];
        for (size_t k = 0; k < o->n_fields; k++)
            c->fields->at[c->origin_fields[o->first_field + k]].rows += o->rows;
    }
}

static void begin_again(struct record_columns *c)
{
    for (size_t i = 0; i < c->n_used; i++) {
        struct record_column *col = &c->column[c->used[i]];
        col->n = col->n_refs = 0;
        col->row = 0;
    }
    arena_reset(&c->arena);
    map_clear(&c->origin_map);
    map_clear(&c->shape_map);
    struct buf *bufs[] = { &c->origins, &c->rest, &c->scratch, &c->pages, &c->head };
    for (size_t i = 0; i < COUNT(bufs); i++) buf_clear(bufs[i]);
    c->n_used = c->n_origins = c->last_origin = c->n_origin_fields = 0;
    c->n_shapes = c->n_shape_numbers = 0;
    c->rows = c->raw = 0;
    record_hashes_clear(&c->hashes);
}

void record_columns_finish(struct record_columns *c, struct page_packer *packer, struct buf *out,
                           struct record_place *place)
{
    struct heads h = {
        .c = c, .packer = packer, .list = BUF_INIT(SIZE_MAX / 4), .inlined = BUF_INIT(SIZE_MAX / 4)
    };
    columns_put(&h);
    origins_count(c);
    buf_varint(&c->head, c->rows);
    buf_varint(&c->head, h.n);
    buf_str(&c->head, buf_view(&h.list));
    buf_str(&c->head, buf_view(&h.inlined));

    size_t before = out->n;
    page_put(packer, out, PAGE_RECORD_BLOCK, buf_view(&c->head));
    *place = c->place;
    place->rows = c->rows;
    place->head_bytes = out->n - before;
    buf_str(out, buf_view(&c->pages));
    place->bytes = out->n - before;
    buf_release(&h.list);
    buf_release(&h.inlined);
    begin_again(c);
}
