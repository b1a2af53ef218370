/* record_merge.c - several record parts into one, in one pass.
 *
 * Every source stands at its lowest row not yet taken; the lowest of all is next. A block that no other
 * source reaches into, that loses no row and in which nothing is to be joined goes over as it lies.
 *
 * Spans: rows of one trace and bucket are gathered, and of those with equal (span, kind) one stays: a
 * finished one before a running one, then the one written last. Spans without an id are told apart: they are
 * never equal.
 *
 * Always true:
 *   1. Sources are ordered by sequence; rows of equal keys come in that order.
 *   2. What is written is every row that does not match `drop` and was not joined away, once.
 *   3. Memory is a decoded block for each source and what is gathered of one trace, up to GATHER_ROWS or
 *      GATHER_BYTES; what lies further apart than that is joined when it is read.
 *   4. On any error the unfinished file is gone. A damaged block is one, unless the caller keeps account of
 *      losses: then (2) is said of what can be read. */
#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/record_writer.h"

#define GATHER_ROWS   65536u
#define GATHER_BYTES  (64u << 20)
#define THROTTLE_ROWS 8192u
enum { CREDIT = 4 }; /* whole blocks that must have gone over since the last ragged one */

struct source {
    struct record_part *part;
    struct record_block *block;
    size_t i;                 /* the block it stands in */
    bool is_open;             /* ... which is decoded; else it stands at its first row */
    const uint64_t *may_drop; /* blocks that may lose a row; NULL: none does */
    struct arena arena;       /* of the decoded block */
    struct record *record;
    uint64_t *sequence;
    uint64_t drop[RECORD_BLOCK_ROWS / 64];
    size_t rows, at;
    struct record_key key; /* where it stands */
    size_t number;         /* as the caller counts */
};

struct gathered {
    const struct record *record;
    uint64_t sequence;
    struct source *from; /* whose block it lies in; NULL: copied */
    bool is_out;
};

struct merge {
    const struct record_layout *layout;
    struct record_writer *writer;
    struct source *source;
    size_t n;
    const struct predicate *drop;
    uint64_t dropped;
    int wrap_level, credit;
    int (*throttle)(void *ctx);
    void *ctx;
    size_t rows_since;           /* throttle() was asked */
    struct merge_losses *losses; /* NULL: damage is an error */

    struct gathered *row; /* of one trace and bucket, in key order */
    size_t n_rows, rows_cap;
    struct record_key trace; /* of row[] */
    struct arena arena;      /* rows whose block was left */
    struct arena bits;       /* may_drop of all sources */
};

/* ---- sources ---- */

static bool at_end(const struct source *s)
{
    return s->i >= s->part->info.blocks;
}

static int ask_throttle(struct merge *m, size_t rows, struct err *e)
{
    m->rows_since += rows;
    if (m->throttle == NULL || m->rows_since < THROTTLE_ROWS) return OK;
    m->rows_since = 0;
    int rc = m->throttle(m->ctx);
    return rc < 0 ? err_set(e, rc, "merge: stopped") : OK;
}

/* OK: the block it stands at cannot be read, and may be passed over to *next. */
static int lose(struct merge *m, struct source *s, size_t *next, int rc, struct err *e)
{
    struct damage d;
    if (m->losses == NULL || rc != ERR_CORRUPT) return rc;
    *next = record_part_loss(s->part, s->i, &d);
    damage_found(&d, e ? e->text : NULL);
    m->losses->damaged |= UINT32_C(1) << s->number;
    m->losses->rows += d.rows;
    return OK;
}

/* Stand at the first row of block i, or of the first sound one from there on; its head is read. */
static int stand_at(struct merge *m, struct source *s, size_t i, struct err *e)
{
    s->is_open = false;
    for (;;) {
        s->i = i;
        if (at_end(s)) return OK;
        int rc = record_block_seek(s->block, i, e);
        s->key = s->block->place.first;
        if (rc == OK || (rc = lose(m, s, &i, rc, e)) < 0) return rc;
    }
}

/* Gathered rows of the block that s is about to leave. */
static void keep_gathered(struct merge *m, const struct source *s)
{
    for (size_t i = 0; i < m->n_rows; i++) {
        if (m->row[i].from != s) continue;
        struct record *copy = arena_alloc(&m->arena, sizeof *copy);
        record_copy(copy, m->row[i].record, m->layout->table, &m->arena);
        m->row[i].record = copy;
        m->row[i].from = NULL;
    }
}

static int decode(struct merge *m, struct source *s, struct err *e)
{
    keep_gathered(m, s);
    arena_reset(&s->arena);
    s->rows = record_block_rows(s->block);
    uint32_t *rows = arena_array(&s->arena, s->rows, sizeof *rows);
    s->record = arena_array(&s->arena, s->rows, sizeof *s->record);
    s->sequence = arena_array(&s->arena, s->rows, sizeof *s->sequence);
    for (size_t i = 0; i < s->rows; i++) rows[i] = (uint32_t)i;
    memset(s->drop, 0, sizeof s->drop);
    int rc = record_block_records(s->block, rows, s->rows, &s->arena, s->record, e);
    if (rc == OK) rc = record_block_sequences(s->block, rows, s->rows, s->sequence, e);
    if (rc == OK && s->may_drop && bit_get(s->may_drop, s->i))
        rc = record_block_match(s->block, m->drop, INT64_MIN, INT64_MAX, s->drop, e);
    s->is_open = rc == OK;
    s->at = 0;
    return rc;
}

/* To the next row that stays, opening blocks on the way as long as this one is open. */
static int step(struct merge *m, struct source *s, struct err *e)
{
    while (s->at < s->rows && bit_get(s->drop, s->at)) {
        m->dropped++;
        s->at++;
    }
    if (s->at == s->rows) return stand_at(m, s, s->i + 1, e);
    record_key_of(m->layout, &s->record[s->at], &s->key);
    return OK;
}

/* decode(), then to its first row that stays; a block that cannot be read is left behind. */
static int open_block(struct merge *m, struct source *s, struct err *e)
{
    size_t next;
    int rc = decode(m, s, e);
    if (rc == OK) return step(m, s, e);
    if ((rc = lose(m, s, &next, rc, e)) < 0) return rc;
    return stand_at(m, s, next, e);
}

static struct source *lowest(const struct merge *m)
{
    struct source *low = NULL;
    for (struct source *s = m->source; s < m->source + m->n; s++)
        if (!at_end(s) && (low == NULL || record_key_cmp(&s->key, &low->key) < 0)) low = s;
    return low;
}

/* ---- what is gathered ---- */

static int trace_cmp(const struct record_key *a, const struct record_key *b)
{
    struct record_key x = *a, y = *b;
    x.time_ns = y.time_ns = 0;
    return record_key_cmp(&x, &y);
}

static uint64_t span_of(const struct record *r)
{
    uint64_t id;
    memcpy(&id, r->span_id, 8);
    return id;
}

struct same_span {
    const struct merge *merge;
    const struct record *record;
};

static bool same_span(void *ctx, uint64_t i)
{
    const struct same_span *s = ctx;
    const struct record *r = s->merge->row[i].record;
    return span_of(r) == span_of(s->record) && r->span.kind == s->record->span.kind;
}

/* The later one of two; b stands behind a. */
static bool second_wins(const struct gathered *a, const struct gathered *b)
{
    bool a_runs = a->record->span.duration_ns == SPAN_UNFINISHED;
    bool b_runs = b->record->span.duration_ns == SPAN_UNFINISHED;
    return a_runs != b_runs ? a_runs : b->sequence >= a->sequence;
}

static void join_spans(struct merge *m)
{
    struct map seen;
    map_init(&seen, m->n_rows);
    for (size_t i = 0; i < m->n_rows; i++) {
        struct gathered *g = &m->row[i];
        uint64_t id = span_of(g->record), hash = (id + g->record->span.kind) * UINT64_C(0x9E3779B97F4A7C15);
        struct same_span same = { m, g->record };
        if (id == 0) continue;
        uint64_t *before = map_find(&seen, hash, same_span, &same);
        if (before == NULL) {
            map_add(&seen, hash, i);
        } else if (second_wins(&m->row[*before], g)) {
            m->row[*before].is_out = true;
            *before = i;
        } else {
            g->is_out = true;
        }
    }
    map_release(&seen);
}

static int write_gathered(struct merge *m, struct err *e)
{
    int rc = OK;
    if (m->n_rows > 1 && m->layout->joins_equal) join_spans(m);
    for (size_t i = 0; i < m->n_rows && rc == OK; i++)
        if (!m->row[i].is_out) rc = record_writer_add(m->writer, m->row[i].record, m->row[i].sequence, e);
    m->n_rows = 0;
    arena_reset(&m->arena);
    return rc;
}

static int take(struct merge *m, struct source *s, struct err *e)
{
    bool is_more = m->n_rows > 0 && m->layout->joins_equal && trace_cmp(&m->trace, &s->key) == 0 &&
                   m->n_rows < GATHER_ROWS && m->arena.used < GATHER_BYTES;
    int rc = is_more ? OK : write_gathered(m, e);
    if (rc < 0) return rc;
    m->row = mem_grow(m->row, m->n_rows, &m->rows_cap, sizeof *m->row);
    m->row[m->n_rows++] = (struct gathered){ &s->record[s->at], s->sequence[s->at], s, false };
    m->trace = s->key;
    s->at++;
    if ((rc = step(m, s, e)) < 0) return rc;
    return ask_throttle(m, 1, e);
}

/* ---- whole blocks ---- */

/* With joins, rows of one trace must not stand on both sides of a copied block's edge. */
static bool is_apart(const struct merge *m, const struct record_key *a, const struct record_key *b)
{
    return m->layout->joins_equal ? trace_cmp(a, b) < 0 : record_key_cmp(a, b) <= 0;
}

static bool others_reach(const struct merge *m, const struct source *s)
{
    for (const struct source *o = m->source; o < m->source + m->n; o++)
        if (o != s && !at_end(o) && !is_apart(m, &s->block->place.last, &o->key)) return true;
    return false;
}

static int next_is_apart(const struct merge *m, const struct source *s, struct page_unpacker *u, bool *apart,
                         struct err *e)
{
    size_t next = s->i + 1, g = record_part_group(s->part, next);
    const struct record_index *x;
    int rc = record_part_index(s->part, u, g, &x, e);
    if (rc == OK)
        *apart = is_apart(m, &s->block->place.last, &x->place[next - s->part->first_block[g]].first);
    return rc;
}

/* The last block of a part is ragged and not worth it. */
static int may_copy(struct merge *m, struct source *s, bool *may, struct err *e)
{
    const struct record_place *p = &s->block->place;
    bool wrapped_enough = s->part->head.wrap_level > 0 || m->wrap_level <= s->part->head.wrap_level;
    *may = false;
    if (s->is_open || s->i + 1 >= s->part->info.blocks || !wrapped_enough || p->repeats) return OK;
    if (s->may_drop && bit_get(s->may_drop, s->i)) return OK;
    if (others_reach(m, s) || (m->n_rows > 0 && !is_apart(m, &m->trace, &p->first))) return OK;
    if (record_writer_pending(m->writer) + m->n_rows > 0 && m->credit < CREDIT) return OK;
    int rc = next_is_apart(m, s, s->block->unpacker, may, e);
    return rc == ERR_CORRUPT && m->losses ? OK : rc;
}

/* 1 = the block s stands at went over whole, 0 = it cannot. */
static int copy_block(struct merge *m, struct source *s, struct err *e)
{
    bool may;
    int rc = may_copy(m, s, &may, e);
    if (rc < 0 || !may) return rc;
    bool is_ragged = record_writer_pending(m->writer) + m->n_rows > 0;
    if ((rc = write_gathered(m, e)) < 0) return rc;
    rc = record_writer_copy(m->writer, s->block, s->i, e);
    if (rc == ERR_CORRUPT && m->losses) return record_block_seek(s->block, s->i, e); /* row by row, then */
    if (rc <= 0) return rc;
    m->credit = is_ragged ? 0 : m->credit + 1;
    size_t rows = s->block->rows;
    if ((rc = stand_at(m, s, s->i + 1, e)) < 0 || (rc = ask_throttle(m, rows, e)) < 0) return rc;
    return 1;
}

static int merge_all(struct merge *m, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < m->n && rc == OK; i++) rc = stand_at(m, &m->source[i], 0, e);
    for (struct source *s; rc == OK && (s = lowest(m)) != NULL;) {
        if (s->is_open) {
            rc = take(m, s, e);
            continue;
        }
        if ((rc = copy_block(m, s, e)) == 0) rc = open_block(m, s, e);
        rc = MIN(rc, 0);
    }
    return rc == OK ? write_gathered(m, e) : rc;
}

/* ---- the whole ---- */

static int merge_init(struct merge *m, struct record_part *const *sources, size_t n, struct err *e)
{
    int rc = OK;
    m->n = n;
    m->arena = m->bits = (struct arena)ARENA_INIT(SIZE_MAX);
    m->source = mem_array(n, sizeof *m->source);
    for (size_t i = 0; i < n; i++) {
        size_t at = i; /* insertion sort by sequence, stable */
        for (; at > 0 && m->source[at - 1].part->info.sequence > sources[i]->info.sequence; at--)
            m->source[at] = m->source[at - 1];
        m->source[at] = (struct source){ .part = sources[i], .arena = ARENA_INIT(SIZE_MAX), .number = i };
    }
    for (size_t i = 0; i < n && rc == OK; i++) {
        struct source *s = &m->source[i];
        size_t blocks;
        uint64_t *may;
        s->block = record_block_new(s->part);
        if (m->drop == NULL) continue;
        rc = record_part_candidates(s->part, m->drop, INT64_MIN, INT64_MAX, &m->bits, &may, &blocks, e);
        s->may_drop = may;
    }
    return rc;
}

static void merge_release(struct merge *m)
{
    for (size_t i = 0; i < m->n; i++) {
        record_block_free(m->source[i].block);
        arena_release(&m->source[i].arena);
    }
    mem_free(m->source);
    mem_free(m->row);
    arena_release(&m->arena);
    arena_release(&m->bits);
}

static int merge_to(struct merge *m, struct record_part *const *sources, size_t n, const char *path,
                    uint32_t level, uint64_t sequence, struct record_part_info *info, struct err *e)
{
    int rc = record_writer_open(path, m->layout, level, sequence, m->wrap_level, &m->writer, e);
    if (rc < 0) return rc;

    record_writer_covers_all(m->writer, sources, n);
    rc = merge_init(m, sources, n, e);
    if (rc == OK) rc = merge_all(m, e);
    merge_release(m);
    if (rc < 0) {
        record_writer_abandon(m->writer);
        return rc;
    }
    return record_writer_finish(m->writer, info, e);
}

int record_part_merge(struct record_part *const *sources, size_t n, const char *path,
                      const struct record_layout *layout, uint32_t level, uint64_t sequence, int zstd_level,
                      const struct predicate *drop, int (*throttle)(void *ctx), void *ctx,
                      struct record_part_info *info, uint64_t *dropped, struct err *e)
{
    struct merge m = { .layout = layout,
                       .drop = drop,
                       .wrap_level = zstd_level,
                       .credit = CREDIT,
                       .throttle = throttle,
                       .ctx = ctx };
    int rc = merge_to(&m, sources, n, path, level, sequence, info, e);
    if (dropped) *dropped = m.dropped;
    return rc;
}

int record_part_join(struct record_part *const *sources, size_t n, const char *path,
                     const struct record_layout *layout, uint32_t level, uint64_t sequence, int zstd_level,
                     int (*throttle)(void *ctx), void *ctx, struct record_part_info *info,
                     struct merge_losses *losses, struct err *e)
{
    struct merge m = { .layout = layout,
                       .wrap_level = zstd_level,
                       .credit = CREDIT,
                       .throttle = throttle,
                       .ctx = ctx,
                       .losses = losses };
    *losses = (struct merge_losses){ 0 };
    check(n <= 32);
    return merge_to(&m, sources, n, path, level, sequence, info, e);
}
