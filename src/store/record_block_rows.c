/* record_block_rows.c - what a block's rows share and refer to: trace ids in runs, parents by distance,
 * origins, shapes of attributes, and the rest column.
 *
 * Each is decoded once a block and checked whole, so that users need not look again. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/column.h"
#include "store/record_impl.h"

/* A column as a cursor; its absence is an empty one and *there false. */
static int open_column(struct record_block *b, uint32_t number, struct bytes *in, bool *there, struct err *e)
{
    const struct block_column *c = block_column(b, number);
    struct str raw = { "", 0 };
    *there = c != NULL;
    int rc = c ? block_bytes(b, c, &raw, e) : OK;
    *in = bytes_of(raw);
    return rc;
}

static int done(const struct record_block *b, uint32_t number, const struct bytes *in, int rc, struct err *e)
{
    if (rc == OK && (in->failed || bytes_left(in) > 0))
        rc = err_set(e, ERR_CORRUPT, in->failed ? "too short" : "%zu bytes too many", bytes_left(in));
    return rc == OK ? OK : block_damaged(b, number, e);
}

/* ---- ids ---- */

static int traces_read(struct record_block *b, struct bytes *in, uint8_t (*trace)[16], struct err *e)
{
    uint64_t runs = bytes_varint(in);
    if (in->failed || runs == 0 || runs > b->rows)
        return err_set(e, ERR_CORRUPT, "impossible number of runs");
    int64_t *rows = arena_array(&b->arena, runs + RECORD_ROOM, sizeof *rows);
    uint8_t(*id)[16] = arena_array(&b->arena, runs, sizeof *id);
    int rc = bytes_ints(in, rows, runs, e);
    if (rc == OK) rc = bytes_fixed_texts(in, id[0], 16, runs, e);
    size_t at = 0;
    for (size_t i = 0; i < runs && rc == OK; i++) {
        if (rows[i] <= 0 || (uint64_t)rows[i] > b->rows - at)
            return err_set(e, ERR_CORRUPT, "run %zu is too long", i);
        for (size_t end = at + (size_t)rows[i]; at < end; at++) memcpy(trace[at], id[i], 16);
    }
    if (rc == OK && at != b->rows) rc = err_set(e, ERR_CORRUPT, "runs of %zu rows", at);
    return rc;
}

int block_traces(struct record_block *b, struct err *e)
{
    struct bytes in;
    bool there;
    if (b->trace) return OK;
    uint8_t(*trace)[16] = arena_zero(&b->arena, b->rows * sizeof *trace);
    int rc = open_column(b, IN_TRACE_ID, &in, &there, e);
    if (rc == OK && there) rc = traces_read(b, &in, trace, e);
    if ((rc = done(b, IN_TRACE_ID, &in, rc, e)) < 0) return rc;
    b->trace = (const uint8_t(*)[16])trace;
    return OK;
}

int block_spans(struct record_block *b, struct err *e)
{
    struct bytes in;
    bool there;
    if (b->span) return OK;
    uint8_t(*span)[8] = arena_zero(&b->arena, b->rows * sizeof *span);
    int rc = open_column(b, IN_SPAN_ID, &in, &there, e);
    if (rc == OK && there) rc = bytes_fixed_texts(&in, span[0], 8, b->rows, e);
    if ((rc = done(b, IN_SPAN_ID, &in, rc, e)) < 0) return rc;
    b->span = (const uint8_t(*)[8])span;
    return OK;
}

static int parents_read(struct record_block *b, struct bytes *in, uint8_t (*parent)[8], struct err *e)
{
    int64_t *code = arena_array(&b->arena, b->rows + RECORD_ROOM, sizeof *code);
    int rc = bytes_ints(in, code, b->rows, e);
    if (rc < 0) return rc;
    uint64_t n_raw = bytes_varint(in), used = 0;
    if (in->failed || n_raw > b->rows) return err_set(e, ERR_CORRUPT, "impossible number of ids");
    uint8_t(*raw)[8] = arena_array(&b->arena, n_raw + 1, sizeof *raw);
    if (n_raw > 0 && (rc = bytes_fixed_texts(in, raw[0], 8, n_raw, e)) < 0) return rc;
    for (size_t i = 0; i < b->rows; i++) {
        if (code[i] == 0) continue;
        uint64_t at = (uint64_t)i + (uint64_t)unzigzag((uint64_t)code[i] - 2);
        if (code[i] == 1 ? used >= n_raw : at >= b->rows)
            return err_set(e, ERR_CORRUPT, "the parent of row %zu is nowhere", i);
        memcpy(parent[i], code[i] == 1 ? raw[used++] : b->span[at], 8);
    }
    return used == n_raw ? OK : err_set(e, ERR_CORRUPT, "%zu ids of no row", (size_t)(n_raw - used));
}

int block_parents(struct record_block *b, struct err *e)
{
    struct bytes in;
    bool there;
    if (b->parent) return OK;
    int rc = block_spans(b, e);
    if (rc < 0) return rc;
    uint8_t(*parent)[8] = arena_zero(&b->arena, b->rows * sizeof *parent);
    rc = open_column(b, IN_PARENT_ID, &in, &there, e);
    if (rc == OK && there) rc = parents_read(b, &in, parent, e);
    if ((rc = done(b, IN_PARENT_ID, &in, rc, e)) < 0) return rc;
    b->parent = (const uint8_t(*)[8])parent;
    return OK;
}

/* ---- which of a few each row has ---- */

static int choices(struct record_block *b, uint32_t number, size_t of, const uint32_t **out, struct err *e)
{
    const int64_t *v;
    int rc = block_ints(b, number, &v, e);
    if (rc < 0) return rc;
    uint32_t *choice = arena_zero(&b->arena, b->rows * sizeof *choice);
    for (size_t i = 0; v && i < b->rows; i++) {
        if ((uint64_t)v[i] >= of) {
            err_set(e, ERR_CORRUPT, "row %zu has number %lld of %zu", i, (long long)v[i], of);
            return block_damaged(b, number, e);
        }
        choice[i] = (uint32_t)v[i];
    }
    *out = choice;
    return OK;
}

int block_origins(struct record_block *b, struct err *e)
{
    struct bytes in;
    bool there;
    if (b->origin) return OK;
    int rc = open_column(b, COLUMN_ORIGINS, &in, &there, e);
    uint64_t n = bytes_varint(&in);
    if (rc == OK && (in.failed || n == 0 || n > b->rows))
        rc = err_set(e, ERR_CORRUPT, "impossible number of origins");
    struct origin *origin = arena_array(&b->arena, rc == OK ? n : 0, sizeof *origin);
    for (size_t i = 0; rc == OK && i < n; i++) {
        record_origin_get(&in, &origin[i], &b->arena);
        if (in.failed) break;
    }
    if ((rc = done(b, COLUMN_ORIGINS, &in, rc, e)) < 0) return rc;
    if ((rc = choices(b, COLUMN_ORIGIN, n, &b->origin_of_row, e)) < 0) return rc;
    b->origin = origin;
    b->n_origins = n;
    return OK;
}

/* ---- shapes ---- */

static int shape_read(struct record_block *b, struct bytes *in, struct buf *numbers, struct err *e)
{
    uint64_t n = bytes_varint(in);
    if (in->failed || n > bytes_left(in)) return err_set(e, ERR_CORRUPT, "a shape is too long");
    size_t before = numbers->n;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = bytes_varint(in);
        if (v > RECORD_COLUMNS_MAX || (v > 0 && block_column(b, (uint32_t)v + COLUMN_ATTRS - 1) == NULL))
            return err_set(e, ERR_CORRUPT, "a shape names a column that is not there");
        uint16_t number = v ? (uint16_t)(v + COLUMN_ATTRS - 1) : 0;
        buf_add(numbers, &number, sizeof number);
    }
    uint64_t seen[COLUMN_END / 64] = { 0 };
    for (size_t i = before; i < numbers->n; i += sizeof(uint16_t)) {
        uint16_t number;
        memcpy(&number, numbers->p + i, sizeof number);
        if (number && bit_get(seen, number)) return err_set(e, ERR_CORRUPT, "a shape names a column twice");
        bit_set(seen, number);
    }
    return OK;
}

/* Each column must have as many values as rows name it. */
static int shapes_count(struct record_block *b, const struct block_shapes *s, struct err *e)
{
    uint32_t *rows = arena_zero(&b->arena, s->n * sizeof *rows), values[COLUMN_END] = { 0 };
    for (size_t i = 0; i < b->rows; i++) rows[s->of_row[i]]++;
    for (size_t i = 0; i < s->n; i++)
        for (uint32_t k = s->start[i]; k < s->start[i + 1]; k++) values[s->number[k]] += rows[i];
    for (size_t i = 0; i < b->n_columns; i++)
        if (b->column[i].number >= COLUMN_ATTRS && b->column[i].n != values[b->column[i].number])
            return err_set(e, ERR_CORRUPT, "%u values of column %u, %u rows have it", b->column[i].n,
                           b->column[i].number, values[b->column[i].number]);
    return OK;
}

static int shapes_read(struct record_block *b, struct bytes *in, struct block_shapes *s, struct err *e)
{
    uint64_t n = bytes_varint(in);
    if (in->failed || n == 0 || n > b->rows) return err_set(e, ERR_CORRUPT, "impossible number of shapes");
    struct buf numbers = BUF_INIT(RECORD_PAGE_MAX);
    uint32_t *start = arena_array(&b->arena, n + 1, sizeof *start);
    int rc = OK;
    for (size_t i = 0; i < n && rc == OK; i++) {
        start[i] = (uint32_t)(numbers.n / sizeof(uint16_t));
        rc = shape_read(b, in, &numbers, e);
    }
    start[n] = (uint32_t)(numbers.n / sizeof(uint16_t));
    s->n = n;
    s->start = start;
    s->number = rc == OK ? (const uint16_t *)(void *)arena_str(&b->arena, buf_view(&numbers)).p : NULL;
    if (rc == OK && numbers.full) rc = err_set(e, ERR_CORRUPT, "shapes are too long");
    buf_release(&numbers);
    return rc;
}

int block_shapes(struct record_block *b, struct err *e)
{
    struct bytes in;
    bool there;
    if (b->shapes) return OK;
    struct block_shapes *s = arena_zero(&b->arena, sizeof *s);
    int rc = open_column(b, COLUMN_SHAPES, &in, &there, e);
    if (rc == OK) rc = shapes_read(b, &in, s, e);
    if ((rc = done(b, COLUMN_SHAPES, &in, rc, e)) < 0) return rc;
    if ((rc = choices(b, COLUMN_SHAPE, s->n, &s->of_row, e)) < 0) return rc;
    if ((rc = shapes_count(b, s, e)) < 0) return block_damaged(b, COLUMN_SHAPES, e);
    b->shapes = s;
    return OK;
}

void block_presence(const struct record_block *b, uint32_t number, uint64_t *bits)
{
    const struct block_shapes *s = b->shapes;
    uint8_t has[RECORD_BLOCK_ROWS];
    for (size_t i = 0; i < s->n; i++) {
        has[i] = 0;
        for (uint32_t k = s->start[i]; k < s->start[i + 1] && !has[i]; k++) has[i] = s->number[k] == number;
    }
    for (size_t at = 0; at < b->rows; at += 64) {
        uint64_t word = 0;
        for (size_t i = 0, n = MIN(b->rows - at, (size_t)64); i < n; i++)
            word |= (uint64_t)has[s->of_row[at + i]] << i;
        bits[at / 64] = word;
    }
}

/* ---- the rest column ---- */

static uint32_t *rest_counts(struct record_block *b)
{
    const struct block_shapes *s = b->shapes;
    uint32_t *in_shape = arena_zero(&b->arena, s->n * sizeof *in_shape);
    uint32_t *first = arena_array(&b->arena, b->rows + 1, sizeof *first);
    for (size_t i = 0; i < s->n; i++)
        for (uint32_t k = s->start[i]; k < s->start[i + 1]; k++) in_shape[i] += s->number[k] == 0;
    first[0] = 0;
    for (size_t i = 0; i < b->rows; i++) first[i + 1] = first[i] + in_shape[s->of_row[i]];
    return first;
}

static int rest_read(struct record_block *b, struct bytes *in, struct block_rest *r, struct err *e)
{
    uint32_t *first = rest_counts(b), n = first[b->rows];
    if (n > bytes_left(in) / 2) return err_set(e, ERR_CORRUPT, "%u attributes are too many", n);
    struct attr *attr = arena_array(&b->arena, n, sizeof *attr);
    struct content_ref *ref = arena_array(&b->arena, n, sizeof *ref);
    for (uint32_t i = 0; i < n && !in->failed; i++) {
        record_attr_get(in, &attr[i], &ref[i]);
        if (!in->failed && ref[i].length != UINT32_MAX && ref[i].page >= b->place.content_pages)
            return err_set(e, ERR_CORRUPT, "content text %u is nowhere", i);
    }
    *r = (struct block_rest){ first, attr, ref };
    return OK;
}

int block_rest(struct record_block *b, struct err *e)
{
    struct bytes in;
    bool there;
    if (b->rest) return OK;
    int rc = block_shapes(b, e);
    if (rc < 0) return rc;
    struct block_rest *r = arena_zero(&b->arena, sizeof *r);
    rc = open_column(b, COLUMN_REST, &in, &there, e);
    if (rc == OK) rc = rest_read(b, &in, r, e);
    if ((rc = done(b, COLUMN_REST, &in, rc, e)) < 0) return rc;
    b->rest = r;
    return OK;
}
