/* record_source.c - see record_source.h. */
#include "store/record_source.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define CHECK_ROWS 1024 /* of a head, between looks at the clock */

/* ---- what the condition says of the key's id ---- */

/* The one id that any match must have, or NULL. */
static const struct value *wanted_id(const struct predicate *p, enum intrinsic id)
{
    if (p == NULL) return NULL;
    if (p->op == PRED_AND) {
        const struct value *v = NULL;
        for (size_t i = 0; v == NULL && i < p->n_children; i++) v = wanted_id(p->child[i], id);
        return v;
    }
    bool is_id = p->op == PRED_EQ && p->field.scope == FIELD_INTRINSIC && p->field.intrinsic == id;
    return is_id && p->value.type == VALUE_BYTES && p->value.text.n == 16 ? &p->value : NULL;
}

/* ---- pieces ---- */

static uint64_t bucket_of(const struct record_sources *x, int64_t time_ns)
{
    return time_ns < 0 ? 0 : (uint64_t)(time_ns / x->layout->bucket_ns);
}

static void add_piece(struct record_sources *x, struct record_piece piece)
{
    x->pieces = arena_grow(&x->arena, x->pieces, x->n_pieces, &x->cap_pieces, sizeof x->pieces[0]);
    x->pieces[x->n_pieces++] = piece;
}

static int add_block(struct record_sources *x, uint32_t source, uint32_t block, struct err *e)
{
    struct record_source *s = &x->at[source];
    struct record_key first, last;
    int64_t min_ns, max_ns;
    int rc = record_block_seek(s->block, block, e);
    if (rc < 0) return rc;
    s->at = block;
    record_block_range(s->block, &first, &last, &min_ns, &max_ns);
    if (min_ns <= x->to_ns && max_ns >= x->from_ns)
        add_piece(x, (struct record_piece){ source, block, 0, 0, first.bucket, last.bucket });
    return OK;
}

static int add_blocks(struct record_sources *x, uint32_t source, struct err *e)
{
    struct record_source *s = &x->at[source];
    uint64_t *bits;
    size_t n;
    int rc = record_part_candidates(s->part, x->scan->where, x->from_ns, x->to_ns, &x->arena, &bits, &n, e);
    for (size_t i = 0; rc == OK && i < n; i++) {
        if (!(bits[i / 64] >> (i % 64) & 1)) continue;
        if (s->block == NULL) s->block = record_block_new(s->part);
        rc = add_block(x, source, (uint32_t)i, e);
    }
    return rc;
}

static void add_stretch(struct record_sources *x, uint32_t source, size_t first, size_t end)
{
    const struct record_index *index = x->at[source].index;
    for (size_t stop; first < end; first = stop) {
        stop = MIN(end, first + PIECE_ROWS);
        add_piece(x, (struct record_piece){ source, 0, first, stop, index->at[first].bucket,
                                            index->at[stop - 1].bucket });
    }
}

/* Of each bucket the rows of one id. */
static void add_runs(struct record_sources *x, uint32_t source, const uint8_t *id, size_t first, size_t end)
{
    static const uint8_t lowest[16] = { 0 };
    const struct record_index *index = x->at[source].index;
    while (first < end) {
        uint64_t bucket = index->at[first].bucket;
        size_t begin = record_index_find(index, bucket, id), stop = begin;
        while (stop < end && index->at[stop].bucket == bucket && record_row_has_id(&index->at[stop], id))
            stop++;
        add_stretch(x, source, begin, stop);
        first = record_index_find(index, bucket + 1, lowest);
    }
}

static void add_rows(struct record_sources *x, uint32_t source)
{
    static const uint8_t lowest[16] = { 0 };
    const struct record_index *index = x->at[source].index;
    const struct value *id =
        wanted_id(x->scan->where, x->scan->table == TABLE_SPANS ? IN_TRACE_ID : IN_ORIGIN);
    size_t first = record_index_find(index, bucket_of(x, x->from_ns), lowest);
    size_t end = record_index_find(index, bucket_of(x, x->to_ns) + 1, lowest);
    if (id != NULL)
        add_runs(x, source, (const uint8_t *)id->text.p, first, end);
    else
        add_stretch(x, source, first, end);
}

/* ---- sources ---- */

static struct record_source *add_source(struct record_sources *x)
{
    x->at = arena_grow(&x->arena, x->at, x->n, &x->cap, sizeof x->at[0]);
    x->at[x->n] = (struct record_source){ .at = SIZE_MAX };
    return &x->at[x->n++];
}

static void add_part(struct record_sources *x, const struct store_file *f)
{
    const struct record_part_info *info = record_part_info(f->records);
    struct record_source *s = add_source(x);
    s->part = f->records;
    s->first_bucket = info->first.bucket;
    s->last_bucket = info->last.bucket;
}

static void add_head(struct record_sources *x, const struct head_pin *pin)
{
    size_t n_chunks = pin->chunks[x->scan->table];
    if (pin->head == NULL || n_chunks == 0) return;
    struct record_index *index = record_head_index(head_records(pin->head, x->scan->table), n_chunks);
    struct record_source *s = add_source(x);
    s->index = index;
    s->n_chunks = n_chunks;
    s->first_bucket = index->n > 0 ? index->at[0].bucket : 1;
    s->last_bucket = index->n > 0 ? index->at[index->n - 1].bucket : 0;
}

/* All of the days in question: a part out of the range may still hold the better of two equal spans. */
static void list_sources(struct record_sources *x, const struct view *v)
{
    enum file_kind kind = table_kind(x->scan->table);
    uint32_t last = day_of_ms(x->to_ns / 1000000);
    for (size_t i = version_from(v->version, day_of_ms(x->from_ns / 1000000));
         i < v->version->n && v->version->at[i]->id.day <= last; i++)
        if (v->version->at[i]->id.kind == kind) add_part(x, v->version->at[i]);
    add_head(x, &v->flushing);
    add_head(x, &v->head);
}

int record_sources_check(struct record_sources *x, struct err *e)
{
    if (arena_over(&x->arena) || arena_over(&x->scratch))
        return err_set(e, ERR_LIMIT, "the query needs more memory than its limit leaves");
    return call_check(x->call, e);
}

int record_sources_open(struct record_sources *x, struct view *v, struct call *call,
                        const struct record_scan *scan, struct err *e)
{
    const struct arena *theirs = call->arena;
    size_t left = theirs == NULL ? SIZE_MAX : theirs->budget - MIN(theirs->budget, theirs->used);
    *x = (struct record_sources){ .scan = scan,
                                  .layout = record_layout(scan->table),
                                  .call = call,
                                  .from_ns = MAX(scan->from_ns, ns_of_ms(v->from_ms)),
                                  .to_ns = MIN(scan->to_ns, ns_of_ms(v->to_ms)),
                                  .arena = ARENA_INIT(left),
                                  .scratch = ARENA_INIT(left) };
    if (ns_of_ms(v->to_ms) <= INT64_MAX - 999999) x->to_ns = MIN(scan->to_ns, ns_of_ms(v->to_ms) + 999999);
    if (x->from_ns > x->to_ns) return call_check(call, e);

    list_sources(x, v);
    int rc = record_sources_check(x, e);
    for (uint32_t i = 0; rc == OK && i < x->n; i++) {
        if (x->at[i].part != NULL)
            rc = add_blocks(x, i, e);
        else
            add_rows(x, i);
        if (rc == OK) rc = record_sources_check(x, e);
    }
    return rc;
}

void record_sources_close(struct record_sources *x)
{
    for (size_t i = 0; i < x->n; i++) {
        record_block_free(x->at[i].block);
        record_block_free(x->at[i].probe);
        record_index_unref(x->at[i].index);
    }
    arena_release(&x->arena);
    arena_release(&x->scratch);
}

/* ---- rows of a piece ---- */

static int place(struct record_source *s, const struct record_piece *p, struct err *e)
{
    if (s->at == p->block) return OK;
    int rc = record_block_seek(s->block, p->block, e);
    s->at = rc == OK ? p->block : SIZE_MAX;
    return rc;
}

size_t record_bits_list(const uint64_t *bits, size_t n, uint32_t *rows)
{
    size_t found = 0;
    for (size_t w = 0; w < (n + 63) / 64; w++)
        for (uint64_t word = bits[w]; word != 0; word &= word - 1)
            rows[found++] = (uint32_t)(w * 64 + (unsigned)__builtin_ctzll(word));
    return found;
}

static int match_block(struct record_sources *x, const struct record_piece *p, int64_t from_ns, int64_t to_ns,
                       uint32_t *rows, size_t *n, struct err *e)
{
    struct record_source *s = &x->at[p->source];
    uint64_t bits[PIECE_ROWS / 64];
    int rc = place(s, p, e);
    if (rc == OK) rc = record_block_match(s->block, x->scan->where, from_ns, to_ns, bits, e);
    *n = rc == OK ? record_bits_list(bits, record_block_rows(s->block), rows) : 0;
    return rc;
}

static int match_rows(struct record_sources *x, const struct record_piece *p, int64_t from_ns, int64_t to_ns,
                      uint32_t *rows, size_t *n, struct err *e)
{
    const struct record_source *s = &x->at[p->source];
    int rc = OK;
    *n = 0;
    for (size_t i = p->first; rc == OK && i < p->end; i++) {
        const struct record_row *row = &s->index->at[i];
        struct record r;
        if (row->chunk >= s->n_chunks || row->time_ns < from_ns || row->time_ns > to_ns) continue;
        if (x->scan->where != NULL) record_index_get(s->index, row, &x->scratch, &r);
        if (x->scan->where == NULL || predicate_matches(x->scan->where, &r, x->scan->table))
            rows[(*n)++] = (uint32_t)(i - p->first);
        if (i % CHECK_ROWS == 0) {
            arena_reset(&x->scratch);
            rc = record_sources_check(x, e);
        }
    }
    arena_reset(&x->scratch);
    return rc;
}

int record_piece_match(struct record_sources *x, const struct record_piece *p, int64_t from_ns, int64_t to_ns,
                       uint32_t *rows, size_t *n, struct err *e)
{
    from_ns = MAX(from_ns, x->from_ns);
    to_ns = MIN(to_ns, x->to_ns);
    return x->at[p->source].part != NULL ? match_block(x, p, from_ns, to_ns, rows, n, e)
                                         : match_rows(x, p, from_ns, to_ns, rows, n, e);
}

static const struct record_row *row_at(const struct record_sources *x, const struct record_piece *p,
                                       uint32_t row)
{
    return &x->at[p->source].index->at[p->first + row];
}

int record_piece_times(struct record_sources *x, const struct record_piece *p, const uint32_t *rows, size_t n,
                       int64_t *out, struct err *e)
{
    struct record_source *s = &x->at[p->source];
    if (s->part == NULL) {
        for (size_t i = 0; i < n; i++) out[i] = row_at(x, p, rows[i])->time_ns;
        return OK;
    }
    int rc = place(s, p, e);
    const int64_t *times = rc == OK ? record_block_times(s->block, e) : NULL;
    if (times == NULL) return rc < 0 ? rc : ERR_CORRUPT;
    for (size_t i = 0; i < n; i++) out[i] = times[rows[i]];
    return OK;
}

int record_piece_ids(struct record_sources *x, const struct record_piece *p, const uint32_t *rows, size_t n,
                     uint8_t (*out)[16], struct err *e)
{
    if (x->at[p->source].part == NULL) {
        for (size_t i = 0; i < n; i++) record_row_id(row_at(x, p, rows[i]), out[i]);
        return OK;
    }
    struct value *v = arena_array(&x->scratch, n, sizeof *v);
    struct field field = field_in(x->scan->table == TABLE_SPANS ? IN_TRACE_ID : IN_ORIGIN);
    int rc = record_piece_values(x, p, &field, 1, rows, n, &x->scratch, &v, e);
    for (size_t i = 0; rc == OK && i < n; i++) {
        memset(out[i], 0, 16);
        if (v[i].type == VALUE_BYTES && v[i].text.n == 16) memcpy(out[i], v[i].text.p, 16);
    }
    return rc;
}

static int block_values(struct record_source *s, const struct record_piece *p, const struct field *fields,
                        size_t n_fields, const uint32_t *rows, size_t n, struct value *const *out,
                        struct err *e)
{
    int rc = place(s, p, e);
    for (size_t f = 0; rc == OK && f < n_fields; f++)
        rc = record_block_values(s->block, fields[f], rows, n, out[f], e);
    return rc;
}

/* Values that are no text of the record itself (ids, the kind as a number) must outlive it: they point into
 * the record, which therefore lies in the arena. */
int record_piece_values(struct record_sources *x, const struct record_piece *p, const struct field *fields,
                        size_t n_fields, const uint32_t *rows, size_t n, struct arena *a,
                        struct value *const *out, struct err *e)
{
    struct record_source *s = &x->at[p->source];
    if (s->part != NULL) return block_values(s, p, fields, n_fields, rows, n, out, e);
    for (size_t i = 0; i < n; i++) {
        struct record *r = arena_alloc(a, sizeof *r);
        record_index_get(s->index, row_at(x, p, rows[i]), a, r);
        for (size_t f = 0; f < n_fields; f++) out[f][i] = record_value(r, x->scan->table, fields[f]);
    }
    return OK;
}

int record_piece_records(struct record_sources *x, const struct record_piece *p, const uint32_t *rows,
                         size_t n, struct arena *a, struct record *out, struct err *e)
{
    struct record_source *s = &x->at[p->source];
    if (s->part != NULL) {
        int rc = place(s, p, e);
        return rc == OK ? record_block_records(s->block, rows, n, a, out, e) : rc;
    }
    for (size_t i = 0; i < n; i++) record_index_get(s->index, row_at(x, p, rows[i]), a, &out[i]);
    return OK;
}
