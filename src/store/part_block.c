/* part_block.c - a block of runs as bytes and back.
 *
 *     runs page:    | runs << 1 | has times page: varint | one entry per run |
 *     entry:        | flags u8 | field u8 of summaries | key | rows unless SAME_ROWS | times | value bytes |
 * all varints times page:   the vectors that are not evenly spaced, as integer columns, one after the other
 *     values page:  each run's column, one after the other
 *
 * Keys are metric << 32 | series: with SAME_METRIC the gap to the series before, else the gap to
 * the metric before and the zigzag difference of the series. Times: EVEN says first and last, NEW
 * also how many bytes of the times page, AGAIN repeats the run before, EARLIER says which of the
 * block's vectors. first is a difference to the vector made before.
 *
 * Always true:
 *   1. Every entry's rows, vector and bytes are checked against the block's limits before anything
 *      is decoded.
 *   2. All bytes of the times and values pages belong to some entry; they follow each other without
 *      gaps. */
#include "store/part_block.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/codec_bitpack.h"
#include "store/codec_vector.h"
#include "store/column.h"
#include "store/hist_column.h"

enum { KIND = 3, SAME_METRIC = 4, SAME_ROWS = 8, TIMES_SHIFT = 4, FLAGS_END = 64 };
enum times { EVEN, NEW, AGAIN, EARLIER };

#define VALUES_ENOUGH (512u << 10) /* a block of histograms is written when its values have grown to this */

/* ---- gathering ---- */

struct vector_seen {
    uint64_t hash;
    uint32_t at, n; /* in times[] */
};

struct block_builder {
    struct buf runs, times, values;
    size_t n_runs, rows;
    struct part_place place;
    series_key last_key;
    size_t last_n;
    uint32_t last_vector;
    int64_t last_first_ms;
    int64_t *row_times; /* of the vectors seen, to compare with */
    size_t n_row_times;
    struct vector_seen *seen;
    size_t n_seen, seen_cap;
    uint16_t slot[2 * PART_BLOCK_ROWS]; /* hash table of seen, by number + 1 */
};

struct block_builder *block_builder_new(void)
{
    struct block_builder *b = mem_alloc_zero(sizeof *b);
    b->runs = b->times = b->values = (struct buf)BUF_INIT(PART_BLOCK_RAW_MAX);
    b->row_times = mem_array(PART_BLOCK_ROWS, sizeof *b->row_times);
    return b;
}

void block_builder_free(struct block_builder *b)
{
    if (b == NULL) return;
    buf_release(&b->runs);
    buf_release(&b->times);
    buf_release(&b->values);
    mem_free(b->row_times);
    mem_free(b->seen);
    mem_free(b);
}

size_t block_builder_rows(const struct block_builder *b)
{
    return b->rows;
}

bool block_builder_full(const struct block_builder *b)
{
    return b->rows == PART_BLOCK_ROWS || b->values.n >= VALUES_ENOUGH;
}

static bool is_vector(const struct block_builder *b, uint32_t i, const struct run *r)
{
    return b->seen[i].n == r->n &&
           memcmp(b->row_times + b->seen[i].at, r->time_ms, r->n * sizeof r->time_ms[0]) == 0;
}

/* The number of r's time vector; *fresh when it was not in this block before. */
static uint32_t vector_of(struct block_builder *b, const struct run *r, bool *fresh)
{
    *fresh = false;
    if (b->n_seen > 0 && is_vector(b, b->last_vector, r)) return b->last_vector;

    uint64_t hash = hash64(r->time_ms, r->n * sizeof r->time_ms[0]);
    size_t at = hash % COUNT(b->slot);
    for (; b->slot[at] != 0; at = (at + 1) % COUNT(b->slot)) {
        uint32_t i = b->slot[at] - 1u;
        if (b->seen[i].hash == hash && is_vector(b, i, r)) return i;
    }
    *fresh = true;
    b->slot[at] = (uint16_t)(b->n_seen + 1);
    b->seen = mem_grow(b->seen, b->n_seen, &b->seen_cap, sizeof *b->seen);
    b->seen[b->n_seen] = (struct vector_seen){ hash, (uint32_t)b->n_row_times, (uint32_t)r->n };
    memcpy(b->row_times + b->n_row_times, r->time_ms, r->n * sizeof r->time_ms[0]);
    b->n_row_times += r->n;
    return (uint32_t)b->n_seen++;
}

static bool evenly_spaced(const int64_t *t, size_t n)
{
    if (n < 3) return true;
    uint64_t step = (uint64_t)t[1] - (uint64_t)t[0], odd = 0;
    for (size_t i = 2; i < n; i++) odd |= ((uint64_t)t[i] - (uint64_t)t[i - 1]) ^ step;
    return odd == 0;
}

static void put_vector(struct block_builder *b, const struct run *r, bool even)
{
    buf_varint(&b->runs, zigzag((uint64_t)r->time_ms[0] - (uint64_t)b->last_first_ms));
    buf_varint(&b->runs, (uint64_t)r->time_ms[r->n - 1] - (uint64_t)r->time_ms[0]);
    b->last_first_ms = r->time_ms[0];
    if (even) return;
    size_t before = b->times.n;
    column_put_times(&b->times, r->time_ms, r->n);
    buf_varint(&b->runs, b->times.n - before);
}

static void put_values(struct block_builder *b, const struct run *r)
{
    size_t before = b->values.n;
    switch (r->kind) {
    case ROW_START: column_put_ints(&b->values, r->start_ms, r->n); break;
    case ROW_HISTOGRAM: hist_column_put(&b->values, r->hist, r->n); break;
    default: column_put_doubles(&b->values, r->value, r->n); break;
    }
    buf_varint(&b->runs, b->values.n - before);
}

static void put_key(struct block_builder *b, series_key key, bool same_metric)
{
    if (same_metric) {
        buf_varint(&b->runs, key - b->last_key);
        return;
    }
    buf_varint(&b->runs, (key >> 32) - (b->last_key >> 32));
    buf_varint(&b->runs, zigzag((key & UINT32_MAX) - (b->last_key & UINT32_MAX)));
}

static void widen(struct part_place *p, const struct run *r, bool is_first)
{
    if (is_first)
        *p = (struct part_place){ .first_key = r->key,
                                  .min_ms = r->time_ms[0],
                                  .max_ms = r->time_ms[r->n - 1] };
    p->last_key = r->key;
    p->min_ms = MIN(p->min_ms, r->time_ms[0]);
    p->max_ms = MAX(p->max_ms, r->time_ms[r->n - 1]);
    p->rows += r->n;
    p->runs++;
}

void block_builder_add(struct block_builder *b, const struct run *r)
{
    check(r->n > 0 && r->n <= PART_BLOCK_ROWS - b->rows);
    bool fresh, same_metric = r->key >> 32 == b->last_key >> 32, same_rows = r->n == b->last_n;
    uint32_t vector = vector_of(b, r, &fresh);
    bool even = fresh && evenly_spaced(r->time_ms, r->n);
    enum times times = fresh ? (even ? EVEN : NEW) : vector == b->last_vector ? AGAIN : EARLIER;

    buf_u8(&b->runs, (uint8_t)((int)MIN(r->kind, ROW_SUMMARY) | (same_metric ? SAME_METRIC : 0) |
                               (same_rows ? SAME_ROWS : 0) | (int)times << TIMES_SHIFT));
    if (r->kind >= ROW_SUMMARY) buf_u8(&b->runs, (uint8_t)(r->kind - ROW_SUMMARY));
    put_key(b, r->key, same_metric);
    if (!same_rows) buf_varint(&b->runs, r->n);
    if (fresh)
        put_vector(b, r, even);
    else if (times == EARLIER)
        buf_varint(&b->runs, vector);
    put_values(b, r);

    widen(&b->place, r, b->n_runs == 0);
    b->n_runs++;
    b->rows += r->n;
    b->last_key = r->key;
    b->last_n = r->n;
    b->last_vector = vector;
}

static void forget(struct block_builder *b)
{
    buf_clear(&b->runs);
    buf_clear(&b->times);
    buf_clear(&b->values);
    memset(b->slot, 0, sizeof b->slot);
    b->n_runs = b->rows = b->last_n = b->n_seen = b->n_row_times = 0;
    b->last_key = 0;
    b->last_vector = 0;
    b->last_first_ms = 0;
}

void block_builder_finish(struct block_builder *b, struct page_packer *packer, struct buf *out,
                          struct part_place *place)
{
    check(b->n_runs > 0 && !b->runs.full && !b->times.full && !b->values.full);
    struct buf directory = BUF_INIT(PAGE_RAW_MAX);
    size_t before = out->n;
    buf_varint(&directory, b->n_runs << 1 | (b->times.n > 0));
    buf_str(&directory, buf_view(&b->runs));
    page_put(packer, out, PAGE_RUNS, buf_view(&directory));
    if (b->times.n > 0) page_put(packer, out, PAGE_TIMES, buf_view(&b->times));
    page_put(packer, out, PAGE_VALUES, buf_view(&b->values));
    buf_release(&directory);

    *place = b->place;
    place->bytes = out->n - before;
    place->blocks = 1;
    forget(b);
}

/* ---- reading ---- */

void block_view_init(struct block_view *v)
{
    *v = (struct block_view){ 0 };
    v->runs = v->times = v->values = (struct buf)BUF_INIT(PART_BLOCK_RAW_MAX);
}

void block_view_release(struct block_view *v)
{
    buf_release(&v->runs);
    buf_release(&v->times);
    buf_release(&v->values);
    mem_free(v->run);
    mem_free(v->vector);
    for (size_t i = 0; i < BLOCK_TIMES; i++) mem_free(v->decoded[i].time_ms);
    mem_free(v->value);
    mem_free(v->hist);
    block_view_init(v);
}

/* Where the directory reader is. */
struct walk {
    struct str in;
    series_key key;
    enum row_kind kind;
    uint64_t n, rows, times_at, values_at;
    uint64_t first_ms;
    uint32_t vector;
};

static bool walk_key(struct walk *w, bool same_metric)
{
    uint64_t gap, series;
    if (!varint_get(&w->in, &gap)) return false;
    if (same_metric) {
        if (gap > UINT32_MAX - (w->key & UINT32_MAX)) return false;
        w->key += gap;
        return true;
    }
    if (gap == 0 || gap > UINT32_MAX - (w->key >> 32) || !varint_get(&w->in, &series)) return false;
    series = unzigzag(series) + (w->key & UINT32_MAX);
    if (series > UINT32_MAX) return false;
    w->key = ((w->key >> 32) + gap) << 32 | series;
    return true;
}

static bool walk_vector(struct walk *w, struct block_view *v, bool even)
{
    uint64_t first, span, bytes = 0;
    if (!varint_get(&w->in, &first) || !varint_get(&w->in, &span)) return false;
    if (!even && (!varint_get(&w->in, &bytes) || bytes == 0 || bytes > PART_BLOCK_RAW_MAX)) return false;
    w->first_ms += unzigzag(first);
    int64_t first_ms = (int64_t)w->first_ms, last_ms;
    if (span > INT64_MAX || __builtin_add_overflow(first_ms, (int64_t)span, &last_ms)) return false;
    if (w->n == 1 ? span != 0 : span < w->n - 1) return false;
    if (even && w->n > 1 && span % (w->n - 1) != 0) return false;

    v->vector = mem_grow(v->vector, v->n_vectors, &v->vectors_cap, sizeof *v->vector);
    w->vector = (uint32_t)v->n_vectors;
    v->vector[v->n_vectors++] =
        (struct block_vector){ first_ms, last_ms, (uint32_t)w->n, (uint32_t)w->times_at, (uint32_t)bytes };
    w->times_at += bytes;
    return w->times_at <= PART_BLOCK_RAW_MAX;
}

static bool walk_times(struct walk *w, struct block_view *v, enum times times)
{
    uint64_t earlier;
    switch (times) {
    case EVEN:
    case NEW: return walk_vector(w, v, times == EVEN);
    case EARLIER:
        if (!varint_get(&w->in, &earlier) || earlier >= v->n_vectors) return false;
        w->vector = (uint32_t)earlier;
        break;
    case AGAIN: break;
    }
    return w->vector < v->n_vectors && v->vector[w->vector].n == w->n;
}

static bool walk_field(struct walk *w)
{
    if (w->in.n < 1 || (unsigned char)w->in.p[0] >= ROW_KINDS - ROW_SUMMARY) return false;
    w->kind = (enum row_kind)(ROW_SUMMARY + (unsigned char)w->in.p[0]);
    w->in = str_make(w->in.p + 1, w->in.n - 1);
    return true;
}

static bool walk_run(struct walk *w, struct block_view *v, struct block_run *out)
{
    if (w->in.n < 1) return false;
    unsigned flags = (unsigned char)w->in.p[0];
    w->in = str_make(w->in.p + 1, w->in.n - 1);
    struct walk before = *w;
    w->kind = flags & KIND;
    if (flags >= FLAGS_END || (w->kind == ROW_SUMMARY && !walk_field(w))) return false;
    if (!walk_key(w, flags & SAME_METRIC)) return false;
    if (!(flags & SAME_ROWS) && !varint_get(&w->in, &w->n)) return false;
    if (w->n == 0 || w->n > PART_BLOCK_ROWS - w->rows) return false;
    w->rows += w->n;
    if (!walk_times(w, v, (enum times)(flags >> TIMES_SHIFT))) return false;
    uint64_t bytes;
    if (!varint_get(&w->in, &bytes) || bytes > PART_BLOCK_RAW_MAX - w->values_at) return false;

    const struct block_vector *t = &v->vector[w->vector];
    *out = (struct block_run){
        { w->key, w->kind, w->n, t->first_ms, t->last_ms }, w->vector, (uint32_t)w->values_at, (uint32_t)bytes
    };
    w->values_at += bytes;
    bool is_first = before.rows == 0;
    return is_first || w->key > before.key || w->kind > before.kind ||
           (w->kind == before.kind && t->first_ms > v->vector[before.vector].last_ms);
}

static bool walk_all(struct block_view *v, struct walk *w, bool *has_times)
{
    uint64_t n;
    if (!varint_get(&w->in, &n) || n >> 1 == 0 || n >> 1 > PART_BLOCK_ROWS) return false;
    *has_times = n & 1;
    v->n_runs = v->n_vectors = 0;
    for (n >>= 1; v->n_runs < n; v->n_runs++) {
        v->run = mem_grow(v->run, v->n_runs, &v->runs_cap, sizeof *v->run);
        if (!walk_run(w, v, &v->run[v->n_runs])) return false;
    }
    return w->in.n == 0 && (w->times_at > 0) == *has_times;
}

int block_view_open(struct block_view *v, struct page_unpacker *u, struct str stored, uint64_t at,
                    struct err *e)
{
    size_t whole = stored.n;
    v->n_runs = 0;
    for (size_t i = 0; i < BLOCK_TIMES; i++) v->decoded[i].vector = UINT32_MAX;
    v->has_times = v->has_values = false;
    int rc = page_get_at(u, &stored, at, PAGE_RUNS, &v->runs, e);
    if (rc < 0) return rc;

    bool has_times;
    struct walk w = { .in = buf_view(&v->runs) };
    if (!walk_all(v, &w, &has_times)) {
        size_t bad = v->n_runs;
        v->n_runs = 0;
        return err_set(e, ERR_CORRUPT, "run directory: entry %zu makes no sense", bad);
    }
    uint64_t times_bytes = has_times ? page_bytes(stored) : 0;
    if (times_bytes > stored.n) return err_set(e, ERR_CORRUPT, "times page: cut");
    v->times_at = at + (whole - stored.n);
    v->values_at = v->times_at + times_bytes;
    v->stored_times = str_make(stored.p, times_bytes);
    v->stored_values = str_make(stored.p + times_bytes, stored.n - times_bytes);
    return OK;
}

int block_view_check(const struct block_view *v, const struct part_place *place, struct err *e)
{
    uint64_t rows = 0;
    int64_t min_ms = INT64_MAX, max_ms = INT64_MIN;
    for (size_t i = 0; i < v->n_runs; i++) {
        rows += v->run[i].head.n;
        min_ms = MIN(min_ms, v->run[i].head.first_ms);
        max_ms = MAX(max_ms, v->run[i].head.last_ms);
    }
    if (v->n_runs != place->runs || rows != place->rows || min_ms != place->min_ms ||
        max_ms != place->max_ms || v->run[0].head.key != place->first_key ||
        v->run[v->n_runs - 1].head.key != place->last_key)
        return err_set(e, ERR_CORRUPT, "run directory: it is not what the index says");
    return OK;
}

/* Unwrap a page of the block when it is first needed. */
static int unwrap_once(struct page_unpacker *u, struct str stored, uint64_t at, uint8_t kind, struct buf *raw,
                       bool *is_there, struct err *e)
{
    if (*is_there) return OK;
    int rc = page_get_at(u, &stored, at, kind, raw, e);
    if (rc < 0) return rc;
    if (stored.n != 0) return err_set(e, ERR_CORRUPT, "page: %zu bytes too many", stored.n);
    *is_there = true;
    return OK;
}

/* An evenly spaced vector is what its first, last and count say; any other is known by its number, in its
 * block only. */
static bool holds(const struct block_times *d, uint32_t i, const struct block_vector *t)
{
    if (d->vector == i) return true;
    return t->bytes == 0 && d->holds.bytes == 0 && d->holds.n == t->n && d->holds.first_ms == t->first_ms &&
           d->holds.last_ms == t->last_ms;
}

static int decode_times(struct block_view *v, struct page_unpacker *u, uint32_t i, int64_t *time_ms,
                        struct err *e)
{
    const struct block_vector *t = &v->vector[i];
    int rc = unwrap_once(u, v->stored_times, v->times_at, PAGE_TIMES, &v->times, &v->has_times, e);
    if (rc < 0) return rc;
    if (t->at + t->bytes > v->times.n) return err_set(e, ERR_CORRUPT, "times page: too short");
    struct str in = str_make(v->times.p + t->at, t->bytes);
    if ((rc = column_get_times(&in, time_ms, t->n, e)) < 0) return rc;
    bool rises = in.n == 0 && time_ms[0] == t->first_ms && time_ms[t->n - 1] == t->last_ms;
    for (size_t k = 1 + vector_rises(time_ms, t->n); k < t->n; k++) rises &= time_ms[k] > time_ms[k - 1];
    if (!rises) return err_set(e, ERR_CORRUPT, "times page: vector %u is not what the directory says", i);
    return OK;
}

static int vector_get(struct block_view *v, struct page_unpacker *u, uint32_t i, const int64_t **out,
                      struct err *e)
{
    struct block_times *d = &v->decoded[i % BLOCK_TIMES];
    const struct block_vector *t = &v->vector[i];
    if (!holds(d, i, t)) {
        d->holds.n = 0;
        d->vector = UINT32_MAX;
        if (d->cap < t->n + 128u) {
            mem_free(d->time_ms);
            d->time_ms = mem_array(d->cap = t->n + 128u, sizeof *d->time_ms);
        }
        if (t->bytes == 0) {
            int64_t step = t->n > 1 ? (t->last_ms - t->first_ms) / (int64_t)(t->n - 1) : 0;
            for (size_t k = 0; k < t->n; k++) d->time_ms[k] = t->first_ms + (int64_t)k * step;
        } else {
            int rc = decode_times(v, u, i, d->time_ms, e);
            if (rc < 0) return rc;
        }
        d->holds = *t;
    }
    d->vector = i;
    *out = d->time_ms;
    return OK;
}

static int values_get(struct block_view *v, struct page_unpacker *u, const struct block_run *r,
                      struct arena *a, struct err *e)
{
    int rc = unwrap_once(u, v->stored_values, v->values_at, PAGE_VALUES, &v->values, &v->has_values, e);
    if (rc < 0) return rc;
    if ((uint64_t)r->values_at + r->values_bytes > v->values.n)
        return err_set(e, ERR_CORRUPT, "values page: too short");
    struct str in = str_make(v->values.p + r->values_at, r->values_bytes);
    size_t n = r->head.n;
    if (r->head.kind == ROW_HISTOGRAM) {
        while (v->hist_cap < n) v->hist = mem_grow(v->hist, v->hist_cap, &v->hist_cap, sizeof(void *));
        rc = hist_column_get(&in, v->hist, n, PART_HIST_VALUES, a, e);
    } else {
        if (v->value_cap < n + 128) {
            mem_free(v->value);
            v->value = mem_array(v->value_cap = n + 128, sizeof *v->value);
        }
        rc = row_is_double(r->head.kind) ? column_get_doubles(&in, v->value, n, e)
                                         : column_get_ints(&in, (int64_t *)(void *)v->value, n, e);
    }
    if (rc == OK && in.n != 0)
        return err_set(e, ERR_CORRUPT, "values page: a run has %zu bytes too many", in.n);
    return rc;
}

/* First row at or after t. */
static size_t row_from(const int64_t *time_ms, size_t n, int64_t t)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (time_ms[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int block_view_read(struct block_view *v, struct page_unpacker *u, size_t i, int64_t from_ms, int64_t to_ms,
                    struct arena *a, struct run *out, struct err *e)
{
    const struct block_run *r = &v->run[i];
    *out = (struct run){ .key = r->head.key, .kind = r->head.kind };
    if (r->head.last_ms < from_ms || r->head.first_ms > to_ms) return OK;
    const int64_t *time_ms;
    int rc = vector_get(v, u, r->vector, &time_ms, e);
    if (rc < 0) return rc;
    size_t lo = row_from(time_ms, r->head.n, from_ms);
    size_t hi = to_ms == INT64_MAX ? r->head.n : row_from(time_ms, r->head.n, to_ms + 1);
    if (lo >= hi) return OK;
    if ((rc = values_get(v, u, r, a, e)) < 0) return rc;

    out->n = hi - lo;
    out->time_ms = time_ms + lo;
    switch (r->head.kind) {
    case ROW_START: out->start_ms = (const int64_t *)(const void *)v->value + lo; break;
    case ROW_HISTOGRAM: out->hist = v->hist + lo; break;
    default: out->value = v->value + lo; break;
    }
    return OK;
}
