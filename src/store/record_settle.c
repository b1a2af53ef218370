/* record_settle.c - see record_settle.h. */
#include "store/record_settle.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define SOURCE_SHIFT 40 /* of a claim's tag: source, block, row */
#define BLOCK_SHIFT  14

struct settling {
    struct record_sources *x;
    const struct record_piece *piece;
    uint64_t bucket;
    const uint8_t *id;
    struct span_claim *claims; /* arena of the scan's scratch */
    size_t n, cap;
};

static bool covers(const struct record_source *s, uint64_t first, uint64_t last)
{
    return s->first_bucket <= last && s->last_bucket >= first;
}

/* Cheap and mostly enough: nobody else has anything in these buckets. */
static bool is_alone(const struct record_sources *x, const struct record_piece *p)
{
    if (x->at[p->source].part == NULL) return false;
    for (size_t i = 0; i < x->n; i++)
        if (i != p->source && covers(&x->at[i], p->first_bucket, p->last_bucket)) return false;
    return true;
}

static struct span_claim *add_claim(struct settling *t)
{
    t->claims = arena_grow(&t->x->scratch, t->claims, t->n, &t->cap, sizeof t->claims[0]);
    t->claims[t->n] = (struct span_claim){ 0 };
    return &t->claims[t->n++];
}

/* ---- a head's rows of the trace ---- */

static size_t tag_of(const struct record_sources *x, const struct record_piece *p, uint32_t row)
{
    size_t source = (size_t)p->source << SOURCE_SHIFT;
    return x->at[p->source].part ? source | (size_t)p->block << BLOCK_SHIFT | row : source | (p->first + row);
}

static void claims_of_head(struct settling *t, size_t source)
{
    const struct record_source *s = &t->x->at[source];
    size_t i = record_index_find(s->index, t->bucket, t->id);
    for (; i < s->index->n; i++) {
        const struct record_row *row = &s->index->at[i];
        if (row->bucket != t->bucket || !record_row_has_id(row, t->id)) break;
        if (row->chunk >= s->n_chunks) continue;
        struct span_claim *c = add_claim(t);
        record_index_claim(s->index, row, &t->x->scratch, c);
        c->tag = source << SOURCE_SHIFT | i;
    }
}

/* ---- a part's ---- */

static uint64_t span_number(const struct value *v)
{
    uint64_t id = 0;
    if (v->type == VALUE_BYTES && v->text.n == sizeof id) memcpy(&id, v->text.p, sizeof id);
    return id;
}

static int claims_of_rows(struct settling *t, size_t source, size_t block, const uint32_t *rows, size_t n,
                          struct err *e)
{
    struct record_block *b = t->x->at[source].probe;
    struct arena *a = &t->x->scratch;
    struct value *id = arena_array(a, n, sizeof *id), *kind = arena_array(a, n, sizeof *kind),
                 *duration = arena_array(a, n, sizeof *duration);
    uint64_t *sequence = arena_array(a, n, sizeof *sequence);
    int rc = record_block_values(b, field_in(IN_SPAN_ID), rows, n, id, e);
    if (rc == OK) rc = record_block_values(b, field_in(IN_KIND), rows, n, kind, e);
    if (rc == OK) rc = record_block_values(b, field_in(IN_DURATION), rows, n, duration, e);
    if (rc == OK) rc = record_block_sequences(b, rows, n, sequence, e);
    for (size_t i = 0; rc == OK && i < n; i++)
        *add_claim(t) = (struct span_claim){ .span_id = span_number(&id[i]),
                                             .kind = (uint8_t)kind[i].i,
                                             .is_finished = duration[i].i != SPAN_UNFINISHED,
                                             .sequence = sequence[i],
                                             .place = rows[i],
                                             .tag = source << SOURCE_SHIFT | block << BLOCK_SHIFT | rows[i] };
    return rc;
}

static int claims_of_block(struct settling *t, size_t source, size_t block, const struct predicate *is_trace,
                           int64_t from_ns, int64_t to_ns, struct err *e)
{
    struct record_source *s = &t->x->at[source];
    uint64_t bits[PIECE_ROWS / 64];
    uint32_t *rows = arena_array(&t->x->scratch, PIECE_ROWS, sizeof *rows);
    if (s->probe == NULL) s->probe = record_block_new(s->part);
    int rc = record_block_seek(s->probe, block, e);
    if (rc == OK) rc = record_block_match(s->probe, is_trace, from_ns, to_ns, bits, e);
    if (rc < 0) return rc;
    size_t n = record_bits_list(bits, record_block_rows(s->probe), rows);
    return n > 0 ? claims_of_rows(t, source, block, rows, n, e) : OK;
}

/* An id of zeros is an absent one. */
static struct predicate trace_is(const uint8_t *id, const struct predicate *has_trace,
                                 const struct predicate **child)
{
    static const uint8_t none[16] = { 0 };
    *child = has_trace;
    if (memcmp(id, none, sizeof none) == 0)
        return (struct predicate){ .op = PRED_NOT, .child = child, .n_children = 1 };
    return (struct predicate){ .op = PRED_EQ,
                               .field = field_in(IN_TRACE_ID),
                               .value = { .type = VALUE_BYTES, .text = str_make(id, sizeof none) } };
}

static int claims_of_part(struct settling *t, size_t source, struct err *e)
{
    const struct predicate has_trace = { .op = PRED_EXISTS, .field = field_in(IN_TRACE_ID) }, *child;
    const struct predicate is_trace = trace_is(t->id, &has_trace, &child);
    int64_t from_ns = (int64_t)t->bucket * t->x->layout->bucket_ns, to_ns;
    if (__builtin_add_overflow(from_ns, t->x->layout->bucket_ns - 1, &to_ns)) to_ns = INT64_MAX;
    uint64_t *bits;
    size_t n;
    int rc = record_part_candidates(t->x->at[source].part, &is_trace, from_ns, to_ns, &t->x->scratch, &bits,
                                    &n, e);
    for (size_t i = 0, next; rc == OK && i < n; i = next) {
        next = i + 1;
        if (!(bits[i / 64] >> (i % 64) & 1)) continue;
        rc = claims_of_block(t, source, i, &is_trace, from_ns, to_ns, e);
        if (rc < 0) { /* an equal span may be there, and the better one */
            struct damage d;
            next = record_part_loss(t->x->at[source].part, i, &d);
            rc = damage_leave_out(t->x->call, &d, rc, e);
        }
    }
    return rc;
}

/* ---- one trace of a piece ---- */

static int gather(struct settling *t, size_t source, struct err *e)
{
    if (!covers(&t->x->at[source], t->bucket, t->bucket)) return OK;
    if (t->x->at[source].part != NULL) return claims_of_part(t, source, e);
    claims_of_head(t, source);
    return OK;
}

static int by_tag(const void *a, const void *b)
{
    const struct span_claim *x = a, *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

/* Leaves the winners, by tag. */
static void judge(struct settling *t)
{
    size_t kept = 0;
    span_claims_sort(t->claims, t->n);
    for (size_t i = 0; i < t->n; i++) t->claims[i].place = span_claim_wins(t->claims, i);
    for (size_t i = 0; i < t->n; i++)
        if (t->claims[i].place) t->claims[kept++] = t->claims[i];
    t->n = kept;
    qsort(t->claims, t->n, sizeof t->claims[0], by_tag);
}

static bool has_contested(const struct settling *t, const uint32_t *rows, size_t n)
{
    const struct record_source *s = &t->x->at[t->piece->source];
    for (size_t i = 0; s->part == NULL && i < n; i++)
        if (s->index->at[t->piece->first + rows[i]].span & ROW_CONTESTED) return true;
    return false;
}

/* The n rows of one trace and bucket; those that are kept go to `to`, which may be the same array. */
static int settle_run(struct settling *t, const uint32_t *rows, size_t n, uint32_t *to, size_t *kept,
                      struct err *e)
{
    bool is_open = has_contested(t, rows, n);
    int rc = OK;
    for (size_t i = 0; rc == OK && i < t->x->n; i++)
        if (i != t->piece->source) rc = gather(t, i, e);
    is_open |= t->n > 0;
    if (rc == OK && is_open) rc = gather(t, t->piece->source, e);
    if (rc < 0) return rc;

    if (is_open) judge(t);
    for (size_t i = 0; i < n; i++) {
        struct span_claim me = { .tag = tag_of(t->x, t->piece, rows[i]) };
        if (!is_open || (t->n > 0 && bsearch(&me, t->claims, t->n, sizeof me, by_tag) != NULL))
            to[(*kept)++] = rows[i];
    }
    return OK;
}

static uint64_t bucket_of(const struct record_sources *x, int64_t time_ns)
{
    return (uint64_t)(time_ns / x->layout->bucket_ns);
}

static int settle_all(struct record_sources *x, const struct record_piece *p, uint32_t *rows, size_t *n,
                      const uint8_t (*ids)[16], const int64_t *times, struct err *e)
{
    size_t kept = 0;
    int rc = OK;
    for (size_t i = 0, end; rc == OK && i < *n; i = end) {
        struct settling t = { .x = x, .piece = p, .bucket = bucket_of(x, times[i]), .id = ids[i] };
        for (end = i + 1;
             end < *n && memcmp(ids[end], ids[i], 16) == 0 && bucket_of(x, times[end]) == t.bucket;)
            end++;
        rc = settle_run(&t, rows + i, end - i, rows, &kept, e);
        arena_reset(&x->scratch);
    }
    *n = kept;
    return rc;
}

int record_settle(struct record_sources *x, const struct record_piece *p, uint32_t *rows, size_t *n,
                  struct err *e)
{
    if (*n == 0 || !x->layout->joins_equal || is_alone(x, p)) return OK;

    struct arena own = ARENA_INIT(SIZE_MAX);
    uint8_t(*ids)[16] = arena_array(&own, *n, sizeof ids[0]);
    int64_t *times = arena_array(&own, *n, sizeof times[0]);
    int rc = record_piece_ids(x, p, rows, *n, ids, e);
    if (rc == OK) rc = record_piece_times(x, p, rows, *n, times, e);
    if (rc == OK) rc = settle_all(x, p, rows, n, (const uint8_t(*)[16])ids, times, e);
    arena_release(&own);
    return rc;
}
