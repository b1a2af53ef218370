/* record_block.c - a block whose columns are decoded as they are asked for.
 *
 * Seeking reads the head page only: which columns there are and where. A column is read, checked and decoded
 * when first asked for, and stays until the next seek.
 *
 * Always true:
 *   1. A column of an intrinsic has a value for each row; one of an attribute has as many as the shapes of
 * the rows name it (block_shapes checks), so that reading by rank never leaves it.
 *   2. Memory of a block is bounded: page lengths by RECORD_PAGE_MAX, counts by RECORD_BLOCK_ROWS. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/column.h"
#include "store/page_cache.h"
#include "store/record_impl.h"

struct record_block *record_block_new(struct record_part *p)
{
    struct record_block *b = mem_alloc_zero(sizeof *b);
    b->part = p;
    b->unpacker = page_unpacker_new();
    page_unpacker_seal(b->unpacker, &p->seal);
    b->head = (struct buf)BUF_INIT(RECORD_PAGE_MAX);
    b->arena = (struct arena)ARENA_INIT(SIZE_MAX);
    content_reader_init(&b->content);
    return b;
}

void record_block_free(struct record_block *b)
{
    if (b == NULL) return;
    page_unpacker_free(b->unpacker);
    content_reader_release(&b->content);
    buf_release(&b->head);
    for (size_t i = 0; i < b->raws; i++) buf_release(&b->raw[i]);
    mem_free(b->raw);
    mem_free(b->column);
    arena_release(&b->arena);
    mem_free(b);
}

/* Heads and small columns are asked for twice by a scan in order of time, and again by the next one like it.
 * Large columns are read by whoever reads everything, and would only push out the others. */
#define CACHED_MOST (128u << 10)

static int cached_read(struct record_block *b, uint64_t at, size_t n, uint8_t kind, struct buf *out,
                       struct err *e)
{
    const struct cached_page *page =
        n <= CACHED_MOST ? page_cache_find(page_cache_shared(), b->part->cache_file, at) : NULL;
    if (page != NULL) {
        buf_clear(out);
        buf_str(out, page->raw);
        page_cache_unref(page);
        return OK;
    }
    int rc = page_read(b->unpacker, b->part->fd, at, n, kind, out, e);
    if (rc == OK && n <= CACHED_MOST && out->n <= CACHED_MOST)
        page_cache_unref(page_cache_add(page_cache_shared(), b->part->cache_file, at, buf_view(out)));
    return rc;
}

/* ---- the head page ---- */

static int head_column(struct record_block *b, struct bytes *in, uint32_t *number, struct err *e)
{
    uint64_t step = bytes_varint(in), n = bytes_varint(in), bytes = bytes_varint(in);
    if (in->failed || step == 0 || step > COLUMN_END || *number + step >= COLUMN_END)
        return err_set(e, ERR_CORRUPT, "head: column after %u is impossible", *number);
    *number += (uint32_t)step;
    bool is_dense = *number < COLUMN_ATTRS;
    if (!is_dense && *number - COLUMN_ATTRS >= b->part->fields.columns)
        return err_set(e, ERR_CORRUPT, "head: column %u is of no field", *number);
    if (n > b->rows || (is_dense && n != b->rows) || bytes >> 1 > b->place.bytes)
        return err_set(e, ERR_CORRUPT, "head: column %u of %llu values is impossible", *number,
                       (unsigned long long)n);
    b->column = mem_grow(b->column, b->n_columns, &b->columns_cap, sizeof *b->column);
    b->column[b->n_columns++] = (struct block_column){
        .number = *number, .n = (uint32_t)n, .bytes = (uint32_t)(bytes >> 1), .is_inline = bytes & 1
    };
    b->slot[*number] = (uint16_t)b->n_columns;
    return OK;
}

/* Inline columns fill the rest of the head page, the others the rest of the block. */
static int place_columns(struct record_block *b, const struct bytes *in, struct err *e)
{
    uint64_t in_head = b->head.n - bytes_left(in), in_file = b->place.at + b->place.head_bytes;
    for (size_t i = 0; i < b->n_columns; i++) {
        struct block_column *c = &b->column[i];
        uint64_t *at = c->is_inline ? &in_head : &in_file;
        c->at = *at;
        *at += c->bytes;
    }
    if (in_head != b->head.n || in_file != b->place.at + b->place.bytes)
        return err_set(e, ERR_CORRUPT, "head: lengths do not add up to the block");
    return OK;
}

static int head_read(struct record_block *b, struct err *e)
{
    int rc = cached_read(b, b->place.at, b->place.head_bytes, PAGE_RECORD_BLOCK, &b->head, e);
    if (rc < 0) return rc;
    struct bytes in = bytes_of(buf_view(&b->head));
    b->rows = bytes_varint(&in);
    uint64_t n = bytes_varint(&in);
    if (in.failed || b->rows != b->place.rows || n >= COLUMN_END)
        return err_set(e, ERR_CORRUPT, "head: it is not what the index says");
    uint32_t number = 0;
    for (size_t i = 0; i < n && rc == OK; i++) rc = head_column(b, &in, &number, e);
    return rc == OK ? place_columns(b, &in, e) : rc;
}

static void forget(struct record_block *b)
{
    arena_reset(&b->arena);
    b->raws_used = 0;
    b->n_columns = b->rows = b->n_origins = 0;
    memset(b->slot, 0, sizeof b->slot);
    b->trace = NULL;
    b->span = b->parent = NULL;
    b->origin = NULL;
    b->origin_of_row = NULL;
    b->shapes = NULL;
    b->rest = NULL;
}

int record_block_seek(struct record_block *b, size_t i, struct err *e)
{
    forget(b);
    if (i >= b->part->info.blocks)
        return err_set(e, ERR_RANGE, "block %zu of %zu", i, (size_t)b->part->info.blocks);
    size_t g = record_part_group(b->part, i);
    const struct record_index *x;
    int rc = record_part_index(b->part, b->unpacker, g, &x, e);
    if (rc < 0) return rc;
    b->place = x->place[i - b->part->first_block[g]];
    rc = head_read(b, e);
    if (rc < 0) {
        err_where(e, "part %s: block %zu", b->part->path, i);
        forget(b);
    }
    return rc;
}

int record_block_look(struct record_block *b, size_t i, struct record_key *first, struct record_key *last,
                      int64_t *min_ns, int64_t *max_ns, size_t *rows, struct err *e)
{
    size_t g = record_part_group(b->part, i);
    const struct record_index *x;
    int rc = record_part_index(b->part, b->unpacker, g, &x, e);
    if (rc < 0) return rc;
    const struct record_place *p = &x->place[i - b->part->first_block[g]];
    *first = p->first;
    *last = p->last;
    *min_ns = p->min_ns;
    *max_ns = p->max_ns;
    *rows = p->rows;
    return OK;
}

size_t record_block_rows(const struct record_block *b)
{
    return b->rows;
}

void record_block_range(const struct record_block *b, struct record_key *first, struct record_key *last,
                        int64_t *min_ns, int64_t *max_ns)
{
    *first = b->place.first;
    *last = b->place.last;
    *min_ns = b->place.min_ns;
    *max_ns = b->place.max_ns;
}

/* ---- columns ---- */

const struct block_column *block_column(const struct record_block *b, uint32_t number)
{
    return b->slot[number] ? &b->column[b->slot[number] - 1] : NULL;
}

static struct block_column *column_of(struct record_block *b, uint32_t number)
{
    return b->slot[number] ? &b->column[b->slot[number] - 1] : NULL;
}

int block_bytes(struct record_block *b, const struct block_column *c, struct str *out, struct err *e)
{
    if (c->is_inline) {
        *out = str_make(b->head.p + c->at, c->bytes);
        return OK;
    }
    if (b->raws_used == b->raws) {
        size_t more = b->raws ? 2 * b->raws : 16;
        b->raw = mem_realloc(b->raw, more * sizeof *b->raw);
        for (size_t i = b->raws; i < more; i++) b->raw[i] = (struct buf)BUF_INIT(RECORD_PAGE_MAX);
        b->raws = more;
    }
    struct buf *raw = &b->raw[b->raws_used++];
    int rc = cached_read(b, c->at, c->bytes, PAGE_RECORD_COLUMN, raw, e);
    *out = buf_view(raw);
    return rc;
}

int block_damaged(const struct record_block *b, uint32_t number, struct err *e)
{
    err_where(e, "part %s: block at %llu: column %u", b->part->path, (unsigned long long)b->place.at, number);
    return e ? e->code : ERR_CORRUPT;
}

static int all_read(struct str in, struct err *e)
{
    return in.n ? err_set(e, ERR_CORRUPT, "%zu bytes too many", in.n) : OK;
}

static int numbers(struct record_block *b, uint32_t number, bool is_double, void **out, struct err *e)
{
    struct block_column *c = column_of(b, number);
    struct str in;
    *out = c ? c->decoded : NULL;
    if (c == NULL || c->decoded != NULL) return OK;
    int rc = block_bytes(b, c, &in, e);
    if (rc == OK) {
        *out = arena_array(&b->arena, c->n + RECORD_ROOM, 8);
        rc = is_double ? column_get_doubles(&in, *out, c->n, e) : column_get_ints(&in, *out, c->n, e);
    }
    if (rc == OK) rc = all_read(in, e);
    if (rc == OK) c->decoded = *out;
    return rc == OK ? OK : block_damaged(b, number, e);
}

int block_ints(struct record_block *b, uint32_t number, const int64_t **out, struct err *e)
{
    void *v;
    int rc = numbers(b, number, false, &v, e);
    *out = v;
    return rc;
}

int block_doubles(struct record_block *b, uint32_t number, const double **out, struct err *e)
{
    void *v;
    int rc = numbers(b, number, true, &v, e);
    *out = v;
    return rc;
}

/* ---- texts ---- */

static int refs_read(struct record_block *b, struct bytes *in, struct block_text *t, size_t n, struct err *e)
{
    size_t words = (n + 63) / 64;
    t->in_content = arena_zero(&b->arena, (words + 1) * sizeof *t->in_content);
    t->ref_rank = arena_array(&b->arena, words + 1, sizeof *t->ref_rank);
    struct str s = str_make(in->p, bytes_left(in));
    int rc = presence_get(&s, t->in_content, n, e);
    if (rc < 0) return rc;
    in->p = (const unsigned char *)s.p;
    size_t count = 0;
    for (size_t i = 0; i < words; i++) {
        t->ref_rank[i] = (uint32_t)count;
        count += (size_t)__builtin_popcountll(t->in_content[i]);
    }
    if (count != t->n_refs) return err_set(e, ERR_CORRUPT, "%zu content texts, %zu said", count, t->n_refs);

    struct content_ref *ref = arena_array(&b->arena, count, sizeof *ref);
    int64_t *v[3];
    for (size_t k = 0; k < 3 && rc == OK; k++) {
        v[k] = arena_array(&b->arena, count + RECORD_ROOM, sizeof *v[k]);
        rc = bytes_ints(in, v[k], count, e);
    }
    for (size_t i = 0; rc == OK && i < count; i++) {
        if ((uint64_t)v[0][i] >= b->place.content_pages || (uint64_t)v[1][i] >= RECORD_PAGE_MAX ||
            (uint64_t)v[2][i] >= RECORD_PAGE_MAX)
            return err_set(e, ERR_CORRUPT, "content text %zu is nowhere", i);
        ref[i] = (struct content_ref){ (uint32_t)v[0][i], (uint32_t)v[1][i], (uint32_t)v[2][i] };
    }
    t->ref = ref;
    return rc;
}

static int text_read(struct record_block *b, const struct block_column *c, struct block_text *t,
                     struct err *e)
{
    struct str raw;
    int rc = block_bytes(b, c, &raw, e);
    if (rc < 0) return rc;
    struct bytes in = bytes_of(raw);
    t->n_refs = bytes_varint(&in);
    if (in.failed || t->n_refs > c->n) return err_set(e, ERR_CORRUPT, "impossible number of content texts");
    if (t->n_refs > 0 && (rc = refs_read(b, &in, t, c->n, e)) < 0) return rc;
    raw = str_make(in.p, bytes_left(&in));
    rc = text_column_get(&raw, c->n, &b->arena, &t->column, e);
    return rc == OK ? all_read(raw, e) : rc;
}

int block_text(struct record_block *b, uint32_t number, struct block_text **out, struct err *e)
{
    struct block_column *c = column_of(b, number);
    *out = c ? c->decoded : NULL;
    if (c == NULL || c->decoded != NULL) return OK;
    struct block_text *t = arena_zero(&b->arena, sizeof *t);
    int rc = text_read(b, c, t, e);
    if (rc < 0) return block_damaged(b, number, e);
    c->decoded = *out = t;
    return OK;
}

int block_content(struct record_block *b, const struct content_ref *ref, struct str *out, struct err *e)
{
    int rc = content_read(&b->content, b->part, b->unpacker, b->place.content_first + ref->page, ref, out, e);
    if (rc < 0) err_where(e, "part %s: block at %llu", b->part->path, (unsigned long long)b->place.at);
    return rc;
}

int block_text_at(struct record_block *b, const struct block_text *t, size_t i, struct str *out,
                  struct err *e)
{
    if (t->in_content == NULL || !bit_get(t->in_content, i)) {
        *out = text_column_at(&t->column, i);
        return OK;
    }
    uint64_t before = t->in_content[i / 64] & ((UINT64_C(1) << i % 64) - 1);
    return block_content(b, &t->ref[t->ref_rank[i / 64] + (size_t)__builtin_popcountll(before)], out, e);
}

int block_text_keep(struct record_block *b, const struct block_text *t, size_t i, struct arena *a,
                    struct str *out, struct err *e)
{
    int rc = block_text_at(b, t, i, out, e);
    bool is_borrowed = a == &b->arena && (t->in_content == NULL || !bit_get(t->in_content, i));
    if (rc == OK && !is_borrowed) *out = arena_str(a, *out);
    return rc;
}
