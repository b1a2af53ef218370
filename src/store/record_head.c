/* record_head.c - see record_head.h.
 *
 * `mu` guards the list and the sums for an instant; `index_mu` is held while an index is made, so that two
 * readers do not do the same work, and guards the arena of the opened chunks. */
#include "store/record_head.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

struct record_head {
    enum table table;
    pthread_mutex_t mu;
    struct head_chunk **chunks; /* mu */
    size_t n, cap, published;   /* mu */
    size_t bytes;               /* mu: of chunks */
    uint64_t rows, sequence;    /* mu: published */
    int64_t min_ns, max_ns;     /* mu: published */

    pthread_mutex_t index_mu;
    struct record_index *index; /* index_mu: the newest; NULL: none yet */
    struct arena readers;       /* index_mu: of opened chunks */
    _Atomic size_t index_bytes;
};

/* ---- chunks ---- */

struct head_chunk *head_chunk_new(const struct record_chunk *from, uint64_t sequence)
{
    struct head_chunk *c = mem_alloc(sizeof *c + from->bytes.n);
    char *bytes = (char *)(c + 1);
    if (from->bytes.n > 0) memcpy(bytes, from->bytes.p, from->bytes.n);
    *c = (struct head_chunk){ .bytes = { bytes, from->bytes.n },
                              .n = from->n,
                              .min_ns = from->min_ns,
                              .max_ns = from->max_ns,
                              .sequence = sequence };
    return c;
}

void head_chunk_free(struct head_chunk *c)
{
    mem_free(c);
}

/* ---- life ---- */

struct record_head *record_head_new(enum table table)
{
    struct record_head *h = mem_alloc_zero(sizeof *h);
    h->table = table;
    h->min_ns = INT64_MAX;
    h->max_ns = INT64_MIN;
    h->readers = (struct arena)ARENA_INIT(SIZE_MAX);
    pthread_mutex_init(&h->mu, NULL);
    pthread_mutex_init(&h->index_mu, NULL);
    return h;
}

void record_head_free(struct record_head *h)
{
    if (h == NULL) return;
    for (size_t i = 0; i < h->n; i++) head_chunk_free(h->chunks[i]);
    mem_free(h->chunks);
    record_index_unref(h->index);
    arena_release(&h->readers);
    pthread_mutex_destroy(&h->mu);
    pthread_mutex_destroy(&h->index_mu);
    mem_free(h);
}

/* ---- the writer ---- */

void record_head_add(struct record_head *h, struct head_chunk *c)
{
    pthread_mutex_lock(&h->mu);
    h->chunks = mem_grow(h->chunks, h->n, &h->cap, sizeof h->chunks[0]);
    h->chunks[h->n++] = c;
    h->bytes += sizeof *c + c->bytes.n;
    pthread_mutex_unlock(&h->mu);
}

void record_head_publish(struct record_head *h)
{
    pthread_mutex_lock(&h->mu);
    for (; h->published < h->n; h->published++) {
        const struct head_chunk *c = h->chunks[h->published];
        h->rows += c->n;
        h->sequence = c->sequence;
        h->min_ns = MIN(h->min_ns, c->min_ns);
        h->max_ns = MAX(h->max_ns, c->max_ns);
    }
    pthread_mutex_unlock(&h->mu);
}

/* ---- sums ---- */

size_t record_head_chunks(struct record_head *h)
{
    pthread_mutex_lock(&h->mu);
    size_t n = h->published;
    pthread_mutex_unlock(&h->mu);
    return n;
}

uint64_t record_head_rows(struct record_head *h)
{
    pthread_mutex_lock(&h->mu);
    uint64_t n = h->rows;
    pthread_mutex_unlock(&h->mu);
    return n;
}

size_t record_head_bytes(struct record_head *h)
{
    pthread_mutex_lock(&h->mu);
    size_t n = h->bytes;
    pthread_mutex_unlock(&h->mu);
    return n + atomic_load_explicit(&h->index_bytes, memory_order_relaxed);
}

uint64_t record_head_sequence(struct record_head *h)
{
    pthread_mutex_lock(&h->mu);
    uint64_t n = h->sequence;
    pthread_mutex_unlock(&h->mu);
    return n;
}

void record_head_times(struct record_head *h, int64_t *min_ns, int64_t *max_ns)
{
    pthread_mutex_lock(&h->mu);
    *min_ns = h->min_ns;
    *max_ns = h->max_ns;
    pthread_mutex_unlock(&h->mu);
}

/* ---- order ---- */

static inline int row_cmp(const struct record_row *a, const struct record_row *b)
{
    if (a->bucket != b->bucket) return a->bucket < b->bucket ? -1 : 1;
    if (a->id_high != b->id_high) return a->id_high < b->id_high ? -1 : 1;
    if (a->id_low != b->id_low) return a->id_low < b->id_low ? -1 : 1;
    return (a->time_ns > b->time_ns) - (a->time_ns < b->time_ns);
}

static inline bool same_key_id(const struct record_row *a, const struct record_row *b)
{
    return a->id_low == b->id_low && a->id_high == b->id_high && a->bucket == b->bucket;
}

/* Two sorted runs into `to`, those of `a` first where equal. */
static void merge_runs(const struct record_row *a, size_t n_a, const struct record_row *b, size_t n_b,
                       struct record_row *to)
{
    while (n_a > 0 && n_b > 0) {
        bool take_b = row_cmp(b, a) < 0;
        *to++ = take_b ? *b : *a;
        a += !take_b, n_a -= !take_b;
        b += take_b, n_b -= take_b;
    }
    if (n_a > 0) memmove(to, a, n_a * sizeof *to);
    if (n_b > 0) memmove(to, b, n_b * sizeof *to); /* where they are already, when a run is merged in place */
}

#define INSERTION_ROWS 12

static void sort_few(struct record_row *at, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct record_row row = at[i];
        size_t k = i;
        for (; k > 0 && row_cmp(&row, &at[k - 1]) < 0; k--) at[k] = at[k - 1];
        at[k] = row;
    }
}

/* Stable, with the comparison inlined: qsort's call a comparison would be half of a flush. */
static void sort_rows(struct record_row *at, size_t n, struct record_row *scratch)
{
    if (n <= INSERTION_ROWS) {
        sort_few(at, n);
        return;
    }
    size_t half = n / 2;
    sort_rows(at, half, scratch);
    sort_rows(at + half, n - half, scratch);
    if (row_cmp(&at[half], &at[half - 1]) >= 0) return;
    memcpy(scratch, at, half * sizeof *at);
    merge_runs(scratch, half, at + half, n - half, at);
}

/* ---- contested spans ---- */

static int by_hash(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

#define RUN_FEW 32

static bool is_twice(const uint32_t *sorted, size_t n, uint32_t hash)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (sorted[mid] < hash)
            low = mid + 1;
        else
            high = mid;
    }
    return low + 1 < n && sorted[low] == hash && sorted[low + 1] == hash;
}

static void mark_long_run(struct record_row *at, size_t n)
{
    uint32_t *hash = mem_array(n, sizeof *hash);
    for (size_t i = 0; i < n; i++) hash[i] = at[i].span & ~ROW_CONTESTED;
    qsort(hash, n, sizeof *hash, by_hash);
    for (size_t i = 0; i < n; i++)
        if (is_twice(hash, n, at[i].span & ~ROW_CONTESTED)) at[i].span |= ROW_CONTESTED;
    mem_free(hash);
}

static void mark_run(struct record_row *at, size_t n)
{
    if (n > RUN_FEW) {
        mark_long_run(at, n);
        return;
    }
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (((at[i].span ^ at[k].span) | ROW_CONTESTED) == ROW_CONTESTED) {
                at[i].span |= ROW_CONTESTED;
                at[k].span |= ROW_CONTESTED;
            }
}

static void mark_contested(struct record_index *x)
{
    for (size_t i = 0, end; i < x->n; i = end) {
        for (end = i + 1; end < x->n && same_key_id(&x->at[end], &x->at[i]);) end++;
        if (end - i > 1) mark_run(x->at + i, end - i);
    }
}

/* ---- the index ---- */

void record_index_unref(struct record_index *x)
{
    if (x == NULL || atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) != 1) return;
    mem_free(x->chunks);
    mem_free(x->at);
    mem_free(x);
}

static struct record_index *index_ref(struct record_index *x)
{
    atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
    return x;
}

static size_t index_bytes(const struct record_index *x)
{
    return sizeof *x + x->n_chunks * sizeof x->chunks[0] + x->n * sizeof x->at[0];
}

static uint64_t big_endian(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return be64toh(v);
}

static struct record_row row_of(const struct record_layout *layout, const struct record *r, size_t chunk,
                                size_t row)
{
    struct record_key key;
    uint64_t span;
    record_key_of(layout, r, &key);
    memcpy(&span, r->span_id, sizeof span);
    span *= 0x9e3779b97f4a7c15ull;
    return (struct record_row){ .id_high = big_endian(key.id),
                                .id_low = big_endian(key.id + 8),
                                .time_ns = r->time_ns,
                                .bucket = (uint32_t)key.bucket,
                                .chunk = (uint32_t)chunk,
                                .row = (uint32_t)row,
                                .span = (uint32_t)(span >> 32) & ~ROW_CONTESTED };
}

/* The log's checksums and the packer stand for the bytes; should they be wrong, the chunk's rows are left
 * out. */
static void open_chunk(struct record_head *h, struct head_chunk *c)
{
    struct err e = ERR_INIT;
    if (record_chunk_open(&c->reader, c->bytes, &h->readers, &e) == OK && c->reader.n == c->n &&
        c->reader.table == h->table)
        return;
    log_error("store", "a chunk of records in memory cannot be read", "table", table_name(h->table), "why",
              e.text, NULL);
    c->reader.n = 0;
}

static size_t list_rows(struct record_head *h, struct head_chunk *const *chunks, size_t first, size_t end,
                        struct record_row *out)
{
    const struct record_layout *layout = record_layout(h->table);
    size_t n = 0;
    for (size_t i = first; i < end; i++) {
        open_chunk(h, chunks[i]);
        for (size_t row = 0; row < chunks[i]->reader.n; row++) {
            struct record r;
            record_chunk_head(&chunks[i]->reader, row, &r);
            out[n++] = row_of(layout, &r, i, row);
        }
    }
    return n;
}

static size_t copy_chunks(struct record_head *h, struct head_chunk ***out)
{
    pthread_mutex_lock(&h->mu);
    size_t n = h->published;
    *out = mem_array(n, sizeof **out);
    if (n > 0) memcpy(*out, h->chunks, n * sizeof **out);
    pthread_mutex_unlock(&h->mu);
    return n;
}

/* index_mu held: the one before, and what was published since. */
static struct record_index *index_make(struct record_head *h)
{
    const struct record_index *old = h->index;
    struct record_index *x = mem_alloc_zero(sizeof *x);
    size_t first = old ? old->n_chunks : 0, n_old = old ? old->n : 0, n_new = 0;
    atomic_init(&x->refs, 1);
    x->n_chunks = copy_chunks(h, &x->chunks);
    for (size_t i = first; i < x->n_chunks; i++) n_new += x->chunks[i]->n;

    struct record_row *fresh = mem_array(n_new, sizeof *fresh);
    x->at = mem_array(n_old + n_new, sizeof x->at[0]);
    n_new = list_rows(h, x->chunks, first, x->n_chunks, fresh);
    sort_rows(fresh, n_new, x->at); /* half of x->at is room enough */
    x->n = n_old + n_new;
    merge_runs(old ? old->at : NULL, n_old, fresh, n_new, x->at);
    mem_free(fresh);
    if (record_layout(h->table)->joins_equal) mark_contested(x);
    return x;
}

struct record_index *record_head_index(struct record_head *h, size_t n_chunks)
{
    pthread_mutex_lock(&h->index_mu);
    if (h->index == NULL || h->index->n_chunks < n_chunks) {
        struct record_index *fresh = index_make(h);
        record_index_unref(h->index);
        h->index = fresh;
        atomic_store_explicit(&h->index_bytes, index_bytes(fresh) + h->readers.used, memory_order_relaxed);
    }
    struct record_index *x = index_ref(h->index);
    pthread_mutex_unlock(&h->index_mu);
    return x;
}

void record_index_get(const struct record_index *x, const struct record_row *row, struct arena *a,
                      struct record *out)
{
    record_chunk_get(&x->chunks[row->chunk]->reader, row->row, a, out);
}

void record_row_id(const struct record_row *row, uint8_t out[16])
{
    uint64_t high = htobe64(row->id_high), low = htobe64(row->id_low);
    memcpy(out, &high, 8);
    memcpy(out + 8, &low, 8);
}

bool record_row_has_id(const struct record_row *row, const uint8_t id[16])
{
    return row->id_high == big_endian(id) && row->id_low == big_endian(id + 8);
}

size_t record_index_find(const struct record_index *x, uint64_t bucket, const uint8_t id[16])
{
    struct record_row want = { .id_high = big_endian(id),
                               .id_low = big_endian(id + 8),
                               .time_ns = INT64_MIN,
                               .bucket = (uint32_t)MIN(bucket, (uint64_t)UINT32_MAX) };
    size_t low = 0, high = x->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (row_cmp(&x->at[mid], &want) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* ---- which of equal spans ---- */

void record_index_claim(const struct record_index *x, const struct record_row *row, struct arena *scratch,
                        struct span_claim *out)
{
    struct record r;
    record_index_get(x, row, scratch, &r);
    *out = (struct span_claim){ .kind = r.span.kind,
                                .is_finished = r.span.duration_ns != SPAN_UNFINISHED,
                                .sequence = x->chunks[row->chunk]->sequence,
                                .place = (uint64_t)row->chunk << 32 | row->row };
    memcpy(&out->span_id, r.span_id, sizeof out->span_id);
}
