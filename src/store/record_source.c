/* record_source.c - see record_source.h. */
#include "store/record_source.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/turns.h"
#include "store/record_attrs.h"
#include "store/record_verdict.h"

#define CHECK_ROWS 1024 /* of a head, between looks at the clock */

/* ---- what the condition says of the key's id ---- */

/* A condition that any match must meet and that lists ids, or NULL. */
static const struct predicate *lists_ids(const struct predicate *p, enum intrinsic id)
{
    if (p == NULL) return NULL;
    if (p->op == PRED_AND) {
        const struct predicate *found = NULL;
        for (size_t i = 0; found == NULL && i < p->n_children; i++) found = lists_ids(p->child[i], id);
        return found;
    }
    bool is_list = p->op == PRED_EQ || (p->op == PRED_IN && p->is_sorted);
    return is_list && p->field.scope == FIELD_INTRINSIC && p->field.intrinsic == id ? p : NULL;
}

static uint64_t big_endian(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return be64toh(v);
}

/* Values that are no ids equal none. The order of bytes is the order of the index. */
static void list_wanted(struct record_sources *x)
{
    const struct predicate *p =
        lists_ids(x->scan->where, x->scan->table == TABLE_SPANS ? IN_TRACE_ID : IN_ORIGIN);
    if (p == NULL) return;
    const struct value *v = p->op == PRED_EQ ? &p->value : p->values;
    size_t n = p->op == PRED_EQ ? 1 : p->n_values;
    struct record_id *id = arena_array(&x->arena, n + 1, sizeof *id);
    for (size_t i = 0; i < n; i++)
        if (value_is_text(v[i].type) && v[i].text.n == 16)
            id[x->n_wanted++] = (struct record_id){ big_endian(v[i].text.p), big_endian(v[i].text.p + 8) };
    x->wanted = id;
}

static bool is_below(const struct record_id *id, const struct record_row *row)
{
    return id->high != row->id_high ? id->high < row->id_high : id->low < row->id_low;
}

/* The first of the wanted ids that is not below the row's. */
static size_t wanted_from(const struct record_sources *x, const struct record_row *row)
{
    size_t low = 0, high = x->n_wanted;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (is_below(&x->wanted[mid], row))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The first row from i on that has a wanted id; by leaps, since rows of a bucket are in order of their ids.
 */
static size_t next_wanted(const struct record_sources *x, const struct record_index *index, size_t i,
                          size_t end)
{
    static const uint8_t lowest[16] = { 0 };
    while (x->wanted != NULL && i < end) {
        const struct record_row *row = &index->at[i];
        size_t k = wanted_from(x, row);
        if (k == x->n_wanted) {
            i = record_index_find(index, (uint64_t)row->bucket + 1, lowest);
            continue;
        }
        struct record_row want = { .id_high = x->wanted[k].high, .id_low = x->wanted[k].low };
        if (want.id_high == row->id_high && want.id_low == row->id_low) return i;
        uint8_t id[16];
        record_row_id(&want, id);
        i = record_index_find(index, row->bucket, id);
    }
    return MIN(i, end);
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
    size_t rows;
    int rc = record_block_look(s->block, block, &first, &last, &min_ns, &max_ns, &rows, e);
    if (rc < 0) return rc;
    if (min_ns <= x->to_ns && max_ns >= x->from_ns)
        add_piece(x, (struct record_piece){ .source = source,
                                            .block = block,
                                            .first_bucket = first.bucket,
                                            .last_bucket = last.bucket,
                                            .min_ns = min_ns,
                                            .max_ns = max_ns,
                                            .rows = rows });
    return OK;
}

static int add_blocks(struct record_sources *x, uint32_t source, struct err *e)
{
    struct record_source *s = &x->at[source];
    uint64_t *bits;
    size_t n;
    int rc = record_part_candidates(s->part, x->scan->where, x->from_ns, x->to_ns, &x->arena, &bits, &n, e);
    for (size_t i = 0, next; rc == OK && i < n; i = next) {
        next = i + 1;
        if (!(bits[i / 64] >> (i % 64) & 1)) continue;
        if (s->block == NULL) s->block = record_block_new(s->part);
        rc = add_block(x, source, (uint32_t)i, e);
        if (rc < 0) {
            struct damage d;
            next = record_part_loss(s->part, i, &d);
            rc = damage_leave_out(x->call, &d, rc, e);
        }
    }
    return rc;
}

static int64_t bucket_begin(const struct record_sources *x, uint64_t bucket)
{
    return bucket == 0 ? INT64_MIN : (int64_t)bucket * x->layout->bucket_ns;
}

static void add_stretch(struct record_sources *x, uint32_t source, size_t first, size_t end)
{
    const struct record_source *s = &x->at[source];
    uint64_t first_bucket = s->index->at[first].bucket, last_bucket = s->index->at[end - 1].bucket;
    add_piece(x, (struct record_piece){ .source = source,
                                        .first = first,
                                        .end = end,
                                        .first_bucket = first_bucket,
                                        .last_bucket = last_bucket,
                                        .min_ns = MAX(bucket_begin(x, first_bucket), s->min_ns),
                                        .max_ns = MIN(bucket_begin(x, last_bucket + 1) - 1, s->max_ns),
                                        .rows = end - first });
}

static void add_rows(struct record_sources *x, uint32_t source)
{
    static const uint8_t lowest[16] = { 0 };
    const struct record_index *index = x->at[source].index;
    size_t end = record_index_find(index, bucket_of(x, x->to_ns) + 1, lowest);
    size_t i = next_wanted(x, index, record_index_find(index, bucket_of(x, x->from_ns), lowest), end);
    for (size_t stop; i < end; i = next_wanted(x, index, stop, end)) {
        stop = MIN(end, i + PIECE_ROWS);
        add_stretch(x, source, i, stop);
    }
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
    s->verdicts = record_verdicts_new(&x->arena, x->scan, n_chunks);
    s->min_ns = INT64_MAX, s->max_ns = INT64_MIN;
    for (size_t i = 0; i < n_chunks; i++) {
        s->min_ns = MIN(s->min_ns, index->chunks[i]->min_ns);
        s->max_ns = MAX(s->max_ns, index->chunks[i]->max_ns);
    }
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
    turns_yield();
    return call_check(x->call, e);
}

int record_sources_open(struct record_sources *x, struct view *v, struct call *call,
                        const struct record_scan *scan, struct err *e)
{
    const struct arena *theirs = call->arena;
    size_t left = theirs == NULL ? SIZE_MAX : theirs->budget - MIN(theirs->budget, theirs->used);
    *x = (struct record_sources){ .scan = &x->prepared,
                                  .prepared = *scan,
                                  .layout = record_layout(scan->table),
                                  .call = call,
                                  .from_ns = MAX(scan->from_ns, ns_of_ms(v->from_ms)),
                                  .to_ns = MIN(scan->to_ns, ns_of_ms(v->to_ms)),
                                  .arena = ARENA_INIT(left),
                                  .scratch = ARENA_INIT(left) };
    if (ns_of_ms(v->to_ms) <= INT64_MAX - 999999) x->to_ns = MIN(scan->to_ns, ns_of_ms(v->to_ms) + 999999);
    if (x->from_ns > x->to_ns) return call_check(call, e);

    x->prepared.where = predicate_prepare(&x->arena, scan->where);
    list_wanted(x);
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

void record_sources_share(struct record_sources *x, const struct record_sources *of, size_t budget)
{
    *x = *of;
    x->scan = &x->prepared;
    x->own = *of->call;
    x->own.arena = NULL; /* it is the other's to use */
    x->call = &x->own;
    x->is_share = true;
    x->arena = x->scratch = (struct arena)ARENA_INIT(budget);
    x->at = arena_array(&x->arena, of->n + 1, sizeof *x->at);
    if (of->n > 0) memcpy(x->at, of->at, of->n * sizeof *x->at);
    for (size_t i = 0; i < x->n; i++) {
        x->at[i].block = x->at[i].probe = NULL;
        x->at[i].at = SIZE_MAX;
        if (x->at[i].index) x->at[i].verdicts = record_verdicts_new(&x->arena, x->scan, x->at[i].n_chunks);
    }
}

void record_sources_close(struct record_sources *x)
{
    for (size_t i = 0; i < x->n; i++) {
        record_block_free(x->at[i].block);
        record_block_free(x->at[i].probe);
        if (!x->is_share) record_index_unref(x->at[i].index);
    }
    arena_release(&x->arena);
    arena_release(&x->scratch);
}

/* ---- rows of a piece ---- */

static int place(struct record_source *s, const struct record_piece *p, struct err *e)
{
    if (s->at == p->block) return OK;
    if (s->block == NULL) s->block = record_block_new(s->part);
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

static bool row_matches(struct record_sources *x, struct record_source *s, const struct record_row *row)
{
    const struct record_reader *chunk = &s->index->chunks[row->chunk]->reader;
    struct record r;
    enum verdict v = record_verdict(s->verdicts, row->chunk, chunk, row->row);
    if (v != VERDICT_OPEN) return v == VERDICT_ALL;
    record_index_get(s->index, row, &x->scratch, &r);
    return predicate_matches(x->scan->where, &r, x->scan->table);
}

static int match_rows(struct record_sources *x, const struct record_piece *p, int64_t from_ns, int64_t to_ns,
                      uint32_t *rows, size_t *n, struct err *e)
{
    struct record_source *s = &x->at[p->source];
    int rc = OK;
    *n = 0;
    for (size_t i = next_wanted(x, s->index, p->first, p->end); rc == OK && i < p->end;
         i = next_wanted(x, s->index, i + 1, p->end)) {
        const struct record_row *row = &s->index->at[i];
        if (row->chunk >= s->n_chunks || row->time_ns < from_ns || row->time_ns > to_ns) continue;
        if (x->scan->where == NULL || row_matches(x, s, row)) rows[(*n)++] = (uint32_t)(i - p->first);
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

int record_piece_lost(struct record_sources *x, const struct record_piece *p, int rc, struct err *e)
{
    struct damage d;
    if (x->at[p->source].part == NULL) return rc;
    x->at[p->source].at = SIZE_MAX;
    record_part_loss(x->at[p->source].part, p->block, &d);
    return damage_leave_out(x->call, &d, rc, e);
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
