/* text_column.c - which shape a column of strings gets.
 *
 *     | shape u4, form u4 << 4 | the shape's own |          form: codec_text.h, of the values stored
 *
 *     SAME     the one value
 *     PLAIN    n values
 *     PACKED   | distinct values - 1 varint | those, rising by bytes | n ids, bit-packed |
 *     BYTES    the same with an id a byte: entropy coders above see whole symbols
 *     RUNS     | distinct - 1 | values | runs - 1 varint | an id a run, bit-packed | rows a run - 1, likewise
 * |
 *
 * A column of no rows takes no bytes. Distinct values are found by a hash table that grows with them, and
 * looking for them ends early when nearly every value is new.
 *
 * Always true:
 *   1. A dictionary rises strictly: equal strings have equal ids, and a reader may search it by halves.
 *   2. Every id read is below the number of values. */
#include "store/text_column.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/codec_bitpack.h"
#include "store/codec_text.h"
#include "store/column.h"

enum shape { SAME, PLAIN, PACKED, BYTES, RUNS, SHAPES }; /* on disk: never renumber */

/* ---- distinct values, in the order they are met ---- */

struct slot {
    uint32_t hash, id; /* id + 1; 0 is free */
};

struct distinct {
    struct slot *slots; /* a power of two, at most half full */
    size_t mask;
    struct str *value;
    size_t n, cap, bytes, runs;
    uint32_t *ids; /* of each row */
};

#define SLOTS_MIN 64

static void distinct_release(struct distinct *d)
{
    mem_free(d->slots);
    mem_free(d->value);
    mem_free(d->ids);
}

static void distinct_widen(struct distinct *d)
{
    size_t old = d->slots ? d->mask + 1 : 0;
    struct slot *before = d->slots;
    d->mask = MAX(old * 4, (size_t)SLOTS_MIN) - 1;
    d->slots = mem_array(d->mask + 1, sizeof *d->slots);
    for (size_t i = 0; i < old; i++) {
        if (before[i].id == 0) continue;
        size_t at = before[i].hash & d->mask;
        while (d->slots[at].id != 0) at = (at + 1) & d->mask;
        d->slots[at] = before[i];
    }
    mem_free(before);
}

static uint32_t distinct_id(struct distinct *d, struct str s)
{
    uint32_t hash = (uint32_t)hash64(s.p, s.n);
    size_t at = hash & d->mask;
    for (; d->slots[at].id != 0; at = (at + 1) & d->mask)
        if (d->slots[at].hash == hash && str_eq(d->value[d->slots[at].id - 1], s)) return d->slots[at].id - 1;

    d->value = mem_grow(d->value, d->n, &d->cap, sizeof *d->value);
    d->value[d->n++] = s;
    d->bytes += s.n;
    d->slots[at] = (struct slot){ hash, (uint32_t)d->n };
    if (d->n * 2 > d->mask) distinct_widen(d);
    return (uint32_t)d->n - 1;
}

/* Beyond one new value in three rows zstd finds the repeats itself, and in fewer bytes (measured on the words
 * of log lines: 4 to 6 %); so many in the first rows say that it will be so in the end. */
#define LOOK_ROWS 1024
#define LOOK_MOST (LOOK_ROWS / 4 * 3)

/* false: too many to be worth it, and d is of no use. */
static bool distinct_find(struct distinct *d, const struct str *v, size_t n)
{
    distinct_widen(d);
    d->ids = mem_alloc(n * sizeof *d->ids);
    d->ids[0] = distinct_id(d, v[0]);
    d->runs = 1;
    for (size_t i = 1; i < n; i++) {
        bool again = str_eq(v[i], v[i - 1]);
        d->ids[i] = again ? d->ids[i - 1] : distinct_id(d, v[i]);
        d->runs += !again;
        if (d->n > n / 3 && i >= 16) return false;
        if (i + 1 == LOOK_ROWS && d->n > LOOK_MOST) return false;
    }
    return true;
}

/* ---- in rising order ---- */

struct ranked {
    uint64_t prefix; /* the first eight bytes decide nearly always */
    struct str value;
    uint32_t id;
};

static uint64_t prefix_of(struct str s)
{
    unsigned char first[8] = { 0 };
    if (s.n > 0) memcpy(first, s.p, MIN(s.n, sizeof first));
    uint64_t v = 0;
    for (size_t i = 0; i < sizeof first; i++) v = v << 8 | first[i];
    return v;
}

static int by_value(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->prefix != y->prefix) return x->prefix < y->prefix ? -1 : 1;
    return str_cmp(x->value, y->value);
}

static void distinct_sort(struct distinct *d, size_t rows)
{
    struct ranked *r = mem_alloc(d->n * sizeof *r);
    uint32_t *rank = mem_alloc(d->n * sizeof *rank);
    for (size_t i = 0; i < d->n; i++)
        r[i] = (struct ranked){ prefix_of(d->value[i]), d->value[i], (uint32_t)i };
    qsort(r, d->n, sizeof *r, by_value);
    for (size_t i = 0; i < d->n; i++) {
        d->value[i] = r[i].value;
        rank[r[i].id] = (uint32_t)i;
    }
    for (size_t i = 0; i < rows; i++) d->ids[i] = rank[d->ids[i]];
    mem_free(rank);
    mem_free(r);
}

/* ---- choosing ---- */

static unsigned id_bits(size_t n_dict)
{
    return n_dict <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(n_dict - 1);
}

static size_t ids_bytes(const struct distinct *d, size_t rows, enum shape shape)
{
    return shape == RUNS ? d->runs * (id_bits(d->n) + 8u) / 8 : rows * id_bits(d->n) / 8;
}

/* BYTES or PACKED? zstd sees whole symbols in a byte an id and takes a tenth less than of packed ones, though
 * these are shorter before it; of two to four values packed ones win. Above 256, planes of bytes do not pay.
 */
static enum shape shape_of_ids(const struct distinct *d, size_t rows)
{
    if (ids_bytes(d, rows, RUNS) < ids_bytes(d, rows, PACKED)) return RUNS;
    return d->n > 4 && d->n <= 256 ? BYTES : PACKED;
}

static size_t sum_bytes(const struct str *v, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += v[i].n;
    return sum;
}

static bool all_same(const struct str *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (!str_eq(v[i], v[0])) return false;
    return true;
}

/* ---- writing ---- */

static void put_values(struct buf *out, enum shape shape, enum text_form form, const struct str *v, size_t n)
{
    buf_u8(out, (uint8_t)(shape | form << 4));
    if (shape > PLAIN) buf_varint(out, n - 1);
    text_put(out, form, v, n);
}

static void put_runs(struct buf *out, const uint32_t *ids, size_t n, size_t runs)
{
    uint32_t *id = mem_alloc(2 * runs * sizeof *id), *more = id + runs;
    size_t at = 0;
    for (size_t i = 0, from = 0; i < n; i++) {
        if (i + 1 < n && ids[i + 1] == ids[i]) continue;
        id[at] = ids[i];
        more[at++] = (uint32_t)(i - from);
        from = i + 1;
    }
    check(at == runs);
    buf_varint(out, runs - 1);
    packed_put(out, id, runs);
    packed_put(out, more, runs);
    mem_free(id);
}

static void put_ids(struct buf *out, enum shape shape, const struct distinct *d, size_t rows)
{
    if (shape == RUNS) {
        put_runs(out, d->ids, rows, d->runs);
    } else if (shape == PACKED) {
        packed_put(out, d->ids, rows);
    } else {
        char *to = buf_room(out, rows);
        if (to == NULL) return;
        for (size_t i = 0; i < rows; i++) to[i] = (char)d->ids[i];
        buf_added(out, rows);
    }
}

/* As a dictionary, when that is smaller. What all distinct values look like, all values do. */
static bool put_dictionary(struct buf *out, struct distinct *d, const struct str *v, size_t n)
{
    if (!distinct_find(d, v, n)) return false;
    enum text_form form = text_form_of(d->value, d->n);
    enum shape shape = shape_of_ids(d, n);
    size_t as_dictionary = text_bytes(form, d->n, d->bytes) + ids_bytes(d, n, shape);
    if (as_dictionary >= text_bytes(form, n, sum_bytes(v, n))) return false;
    distinct_sort(d, n);
    put_values(out, shape, form, d->value, d->n);
    put_ids(out, shape, d, n);
    return true;
}

void text_column_put(struct buf *out, const struct str *v, size_t n)
{
    check(n <= COLUMN_ROWS_MAX);
    if (n == 0) return;
    if (all_same(v, n)) {
        put_values(out, SAME, text_form_of(v, 1), v, 1);
        return;
    }
    struct distinct d = { 0 };
    if (!put_dictionary(out, &d, v, n)) put_values(out, PLAIN, text_form_of(v, n), v, n);
    distinct_release(&d);
}

/* ---- reading ---- */

static bool rises(const struct str *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (str_cmp(v[i - 1], v[i]) >= 0) return false;
    return true;
}

static bool get_values(struct str *in, enum shape shape, enum text_form form, size_t n, struct arena *a,
                       struct text_column *c)
{
    uint64_t count = 0;
    if (shape > PLAIN && (!varint_get(in, &count) || count >= n)) return false;
    size_t values = shape == PLAIN ? n : (size_t)count + 1;
    struct str *v = arena_array(a, values, sizeof *v);
    *c = (struct text_column){ .n = n, .value = v, .n_dict = shape == PLAIN ? 0 : values };
    return text_get(in, form, v, values, a) && (shape == PLAIN || rises(v, values));
}

static bool get_runs(struct str *in, uint32_t *ids, size_t n)
{
    uint64_t count;
    if (!varint_get(in, &count) || count >= n) return false;
    size_t runs = (size_t)count + 1, at = 0;
    uint32_t *id = mem_alloc(2 * runs * sizeof *id), *more = id + runs;
    bool ok = packed_get(in, id, runs) && packed_get(in, more, runs);
    for (size_t r = 0; ok && r < runs; r++) {
        ok = more[r] < n - at;
        if (!ok) break;
        for (size_t end = at + more[r] + 1; at < end; at++) ids[at] = id[r];
    }
    mem_free(id);
    return ok && at == n;
}

static bool get_bytes(struct str *in, uint32_t *ids, size_t n)
{
    if (in->n < n) return false;
    for (size_t i = 0; i < n; i++) ids[i] = (unsigned char)in->p[i];
    *in = str_make(in->p + n, in->n - n);
    return true;
}

static bool get_ids(struct str *in, enum shape shape, uint32_t *ids, size_t n, size_t below)
{
    switch (shape) {
    case SAME: memset(ids, 0, n * sizeof *ids); return true;
    case RUNS:
        if (!get_runs(in, ids, n)) return false;
        break;
    case BYTES:
        if (!get_bytes(in, ids, n)) return false;
        break;
    default:
        if (!packed_get(in, ids, n)) return false;
    }
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) most = MAX(most, ids[i]);
    return most < below;
}

static bool column_get(struct str *in, size_t n, struct arena *a, struct text_column *c)
{
    if (in->n < 1) return false;
    unsigned head = (unsigned char)in->p[0];
    enum shape shape = head & 15;
    enum text_form form = head >> 4;
    if (shape >= SHAPES || form >= TEXT_FORMS) return false;
    *in = str_make(in->p + 1, in->n - 1);
    if (!get_values(in, shape, form, n, a, c)) return false;
    if (shape == PLAIN) return true;

    uint32_t *ids = arena_array(a, n, sizeof *ids);
    c->ids = ids;
    return get_ids(in, shape, ids, n, c->n_dict);
}

int text_column_get(struct str *in, size_t n, struct arena *a, struct text_column *c, struct err *e)
{
    check(n <= COLUMN_ROWS_MAX);
    *c = (struct text_column){ 0 };
    if (n == 0) return OK;
    struct str rest = *in;
    if (!column_get(&rest, n, a, c)) {
        *c = (struct text_column){ 0 };
        return err_set(e, ERR_CORRUPT, "column of %zu texts: damaged", n);
    }
    *in = rest;
    return OK;
}
