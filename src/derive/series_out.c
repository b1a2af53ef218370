/* series_out.c - see series_out.h.
 *
 * A row is its key (the values, each a varint length and bytes), its numbers and one exemplar, in an array of
 * equal strides: the writer copies it whole under the lock and works on the copy. Keys are memory of their
 * own that only the writer frees, so the copy may point at them. */
#include "derive/series_out.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/float.h"
#include "base/map.h"
#include "base/mem.h"
#include "decode/utf8.h"

#define KEY_MAX    (OUT_LABELS_MAX * (OUT_VALUE_BYTES + 2))
#define BATCH_ROWS 20000 /* samples a write */

struct out_row {
    char *key;
    uint32_t key_bytes;
    bool is_written, is_gone;
    int64_t born_ms, used_ms; /* born_ms: the tick before the first write */
    uint64_t hash;
    struct out_exemplar exemplar;
    union out_word {
        uint64_t n;
        double d;
    } words[]; /* counters; then for each histogram its sum and n_bounds + 1 counts */
};

struct series_out {
    struct out_shape shape;
    size_t max_rows, stride;
    int64_t idle_ms;
    const char *sorted[OUT_LABELS_MAX + 2]; /* label names with __name__ and le, as labels are ordered */
    size_t value_of[OUT_LABELS_MAX + 2];    /* which value is theirs */

    pthread_mutex_t mu; /* all below */
    char *rows;
    size_t n, cap;
    struct map by_key;
    struct out_row *overflow;
    uint64_t overflowed;
};

enum { VALUE_OF_NAME = OUT_LABELS_MAX, VALUE_OF_LE };

static struct out_row *row_at(const struct series_out *o, char *rows, size_t i)
{
    return (struct out_row *)(void *)(rows + i * o->stride);
}

static size_t hist_at(const struct series_out *o, size_t hist)
{
    return o->shape.n_counts + hist * (o->shape.n_bounds + 2);
}

/* ---- life ---- */

static void sort_labels(struct series_out *o)
{
    size_t n = o->shape.n_labels;
    for (size_t i = 0; i < n + 2; i++) {
        const char *name = i < n ? o->shape.labels[i] : i == n ? LABEL_NAME : "le";
        size_t of = i < n ? i : i == n ? (size_t)VALUE_OF_NAME : (size_t)VALUE_OF_LE, at = i;
        for (; at > 0 && strcmp(o->sorted[at - 1], name) > 0; at--) {
            o->sorted[at] = o->sorted[at - 1];
            o->value_of[at] = o->value_of[at - 1];
        }
        check(at == 0 || strcmp(o->sorted[at - 1], name) != 0);
        o->sorted[at] = name;
        o->value_of[at] = of;
    }
}

struct series_out *series_out_new(const struct out_shape *shape, size_t max_rows, int64_t idle_ms)
{
    check(shape->n_labels <= OUT_LABELS_MAX && shape->n_families <= OUT_FAMILIES_MAX);
    check(shape->n_bounds <= OUT_BOUNDS_MAX && max_rows > 0);
    struct series_out *o = mem_alloc_zero(sizeof *o);
    o->shape = *shape;
    o->max_rows = max_rows;
    o->idle_ms = idle_ms;
    o->stride = sizeof(struct out_row) +
                (shape->n_counts + shape->n_hists * (shape->n_bounds + 2)) * sizeof(union out_word);
    sort_labels(o);
    pthread_mutex_init(&o->mu, NULL);
    map_init(&o->by_key, 64);
    o->overflow = mem_alloc_zero(o->stride);
    o->overflow->exemplar.value = -1;
    return o;
}

void series_out_free(struct series_out *o)
{
    if (o == NULL) return;
    for (size_t i = 0; i < o->n; i++) mem_free(row_at(o, o->rows, i)->key);
    mem_free(o->rows);
    mem_free(o->overflow->key);
    mem_free(o->overflow);
    map_release(&o->by_key);
    pthread_mutex_destroy(&o->mu);
    mem_free(o);
}

void series_out_lock(struct series_out *o)
{
    pthread_mutex_lock(&o->mu);
}

void series_out_unlock(struct series_out *o)
{
    pthread_mutex_unlock(&o->mu);
}

/* ---- rows ---- */

static size_t make_key(const struct series_out *o, const struct str *values, char *key)
{
    size_t at = 0;
    for (size_t i = 0; i < o->shape.n_labels; i++) {
        struct str v = values[i];
        if (UNLIKELY(v.n > OUT_VALUE_BYTES)) v.n = utf8_floor(v, OUT_VALUE_BYTES);
        if (v.n >= 0x80) key[at++] = (char)(v.n | 0x80);
        key[at++] = (char)(v.n >= 0x80 ? v.n >> 7 : v.n);
        if (v.n > 0) memcpy(key + at, v.p, v.n);
        at += v.n;
    }
    return at;
}

struct looked_for {
    const struct series_out *o;
    const char *key;
    size_t n;
};

static bool same_key(void *ctx, uint64_t i)
{
    const struct looked_for *l = ctx;
    const struct out_row *row = row_at(l->o, l->o->rows, i);
    return row->key_bytes == l->n && memcmp(row->key, l->key, l->n) == 0;
}

static struct out_row *add_row(struct series_out *o, const char *key, size_t n, uint64_t hash)
{
    if (o->n == o->cap) o->rows = mem_grow(o->rows, o->n, &o->cap, o->stride);
    struct out_row *row = row_at(o, o->rows, o->n);
    memset(row, 0, o->stride);
    row->key = mem_copy(key, n);
    row->key_bytes = (uint32_t)n;
    row->hash = hash;
    row->exemplar.value = -1;
    map_add(&o->by_key, hash, o->n++);
    return row;
}

struct out_row *series_out_row(struct series_out *o, const struct str *values, int64_t now_ms)
{
    char key[KEY_MAX];
    struct looked_for l = { o, key, make_key(o, values, key) };
    uint64_t hash = hash64(key, l.n);
    const uint64_t *i = map_find(&o->by_key, hash, same_key, &l);
    struct out_row *row = i != NULL            ? row_at(o, o->rows, *i)
                          : o->n < o->max_rows ? add_row(o, key, l.n, hash)
                                               : o->overflow;
    if (row == o->overflow) o->overflowed++;
    row->used_ms = now_ms;
    return row;
}

void series_out_count(struct series_out *o, struct out_row *row, size_t counter, uint64_t n)
{
    check(counter < o->shape.n_counts);
    row->words[counter].n += n;
}

void series_out_observe(struct series_out *o, struct out_row *row, size_t hist, double value)
{
    union out_word *h = row->words + hist_at(o, hist);
    size_t lo = 0, hi = o->shape.n_bounds;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (value <= o->shape.bounds[mid])
            hi = mid;
        else
            lo = mid + 1;
    }
    h[0].d += value;
    h[1 + lo].n++;
}

void series_out_exemplar(struct out_row *row, double value, int64_t time_ms, const uint8_t trace_id[16],
                         const uint8_t span_id[8])
{
    struct out_exemplar *x = &row->exemplar;
    if (value <= x->value) return;
    x->value = value;
    x->time_ms = time_ms;
    memcpy(x->trace_id, trace_id, sizeof x->trace_id);
    memcpy(x->span_id, span_id, sizeof x->span_id);
}

struct out_status series_out_status(struct series_out *o)
{
    pthread_mutex_lock(&o->mu);
    struct out_status s = { o->n, o->overflowed };
    pthread_mutex_unlock(&o->mu);
    return s;
}

/* ---- the copy ---- */

static void after_copy(struct out_row *row, int64_t born_ms)
{
    row->exemplar.value = -1;
    if (!row->is_written) row->born_ms = born_ms;
    row->is_written = true;
}

/* Rows that have gone leave the table; the copy has them, with their keys. */
static void forget_gone(struct series_out *o, const char *copy)
{
    size_t kept = 0;
    for (size_t i = 0; i < o->n; i++) {
        if (row_at(o, (char *)copy, i)->is_gone) continue;
        if (kept != i) memcpy(row_at(o, o->rows, kept), row_at(o, o->rows, i), o->stride);
        kept++;
    }
    if (kept == o->n) return;
    o->n = kept;
    map_release(&o->by_key);
    map_init(&o->by_key, kept + 64);
    for (size_t i = 0; i < kept; i++) map_add(&o->by_key, row_at(o, o->rows, i)->hash, i);
}

/* All rows, the overflow row last when it was ever used. */
static char *copy_rows(struct series_out *o, int64_t tick_ms, int64_t step_ms, size_t *n)
{
    pthread_mutex_lock(&o->mu);
    char *copy = mem_array(o->n + 1, o->stride);
    if (o->n) memcpy(copy, o->rows, o->n * o->stride);
    for (size_t i = 0; i < o->n; i++) {
        struct out_row *row = row_at(o, copy, i);
        row->is_gone = row->is_written && tick_ms - row->used_ms > o->idle_ms;
        if (!row->is_written) row->born_ms = tick_ms - step_ms;
        after_copy(row_at(o, o->rows, i), tick_ms - step_ms);
    }
    *n = o->n;
    if (o->overflowed > 0) {
        memcpy(row_at(o, copy, (*n)++), o->overflow, o->stride);
        if (!o->overflow->is_written) row_at(o, copy, *n - 1)->born_ms = tick_ms - step_ms;
        after_copy(o->overflow, tick_ms - step_ms);
    }
    forget_gone(o, copy);
    pthread_mutex_unlock(&o->mu);
    return copy;
}

/* ---- writing ---- */

struct writing {
    const struct series_out *o;
    struct store *store;
    int64_t tick_ms, step_ms;
    struct arena arena;
    struct batch batch;
    struct str value[OUT_LABELS_MAX + 2];
    struct str bounds[OUT_FAMILIES_MAX][OUT_BOUNDS_MAX + 1]; /* as `le` says them */
    const struct out_row *row;
};

static void begin_batch(struct writing *w)
{
    arena_reset(&w->arena);
    batch_init(&w->batch, &w->arena, LABELS_PACKED);
}

static int end_batch(struct writing *w, struct err *e)
{
    struct write_result result;
    return w->batch.n_rows == 0 ? OK : store_write(w->store, &w->batch, ACK_MEMORY, &result, NULL, NULL, e);
}

static void put_sample(struct writing *w, double value)
{
    const struct out_row *row = w->row;
    if (!row->is_written) {
        batch_sample(&w->batch, w->tick_ms - w->step_ms, 0);
        batch_start(&w->batch, row->born_ms);
    }
    batch_sample(&w->batch, w->tick_ms, row->is_gone ? double_of(STALE_BITS) : value);
    batch_start(&w->batch, row->born_ms);
}

static void put(struct writing *w, const char *family, const char *suffix, struct str le, double value)
{
    const struct series_out *o = w->o;
    struct label l[OUT_LABELS_MAX + 2];
    char name[128];
    size_t n = 0;
    int n_name = snprintf(name, sizeof name, "%s%s", family, suffix);
    w->value[VALUE_OF_NAME] = str_make(name, (size_t)n_name);
    w->value[VALUE_OF_LE] = le;
    for (size_t i = 0; i < o->shape.n_labels + 2; i++) {
        struct str v = w->value[o->value_of[i]];
        if (v.n > 0) l[n++] = (struct label){ str_of(o->sorted[i]), v };
    }
    batch_series_labels(&w->batch, (struct labels){ l, n });
    put_sample(w, value);
}

static void put_exemplar(struct writing *w, double scale)
{
    static const char hex[] = "0123456789abcdef";
    const struct out_exemplar *x = &w->row->exemplar;
    char text[48];
    for (size_t i = 0; i < 24; i++) {
        uint8_t byte = i < 16 ? x->trace_id[i] : x->span_id[i - 16];
        text[2 * i] = hex[byte >> 4];
        text[2 * i + 1] = hex[byte & 15];
    }
    struct buf packed = BUF_INIT(256);
    struct label l[] = { { STR("span_id"), str_make(text + 32, 16) },
                         { STR("trace_id"), str_make(text, 32) } };
    labels_pack(&packed, (struct labels){ l, COUNT(l) });
    batch_exemplar(&w->batch, x->time_ms, x->value * scale, arena_str(&w->arena, buf_view(&packed)));
    buf_release(&packed);
}

static uint64_t seen_by(const struct series_out *o, const union out_word *h)
{
    uint64_t n = 0;
    for (size_t i = 0; i <= o->shape.n_bounds; i++) n += h[1 + i].n;
    return n;
}

static void put_histogram(struct writing *w, const struct out_family *f, size_t family_no)
{
    const struct out_shape *shape = &w->o->shape;
    const union out_word *h = w->row->words + hist_at(w->o, f->from);
    const struct out_exemplar *x = &w->row->exemplar;
    bool has_exemplar = f->has_exemplars && f->from == 0 && x->value >= 0 && !w->row->is_gone;
    uint64_t total = 0;
    for (size_t i = 0; i <= shape->n_bounds; i++) {
        total += h[1 + i].n;
        put(w, f->name, "_bucket", w->bounds[family_no][i], (double)total);
        if (has_exemplar && (i == shape->n_bounds || x->value <= shape->bounds[i])) {
            put_exemplar(w, f->scale);
            has_exemplar = false;
        }
    }
    put(w, f->name, "_sum", STR(""), h[0].d * f->scale);
    put(w, f->name, "_count", STR(""), (double)total);
}

static void read_key(struct writing *w)
{
    const struct series_out *o = w->o;
    const uint8_t *p = (const uint8_t *)w->row->key;
    for (size_t i = 0; i < o->shape.n_labels; i++) {
        w->value[i] = STR("");
        if (p == NULL) { /* the overflow row */
            if (strcmp(o->shape.labels[i], o->shape.overflow) == 0) w->value[i] = STR(OUT_OVERFLOW);
            continue;
        }
        size_t n = *p++;
        if (n & 0x80) n = (n & 0x7f) | (size_t)*p++ << 7;
        w->value[i] = str_make(p, n);
        p += n;
    }
}

static void put_row(struct writing *w, const struct out_row *row)
{
    const struct out_shape *shape = &w->o->shape;
    w->row = row;
    read_key(w);
    for (size_t i = 0; i < shape->n_families; i++) {
        const struct out_family *f = &shape->families[i];
        if (f->type == OUT_HISTOGRAM)
            put_histogram(w, f, i);
        else if (f->type == OUT_CALLS)
            put(w, f->name, "", STR(""), (double)seen_by(w->o, row->words + hist_at(w->o, f->from)));
        else
            put(w, f->name, "", STR(""), (double)row->words[f->from].n / (f->divide > 0 ? f->divide : 1));
    }
}

/* 0.1, and whole ones as 1.0, as scrapes have them. */
static void print_bounds(struct writing *w, struct arena *a)
{
    const struct out_shape *shape = &w->o->shape;
    for (size_t f = 0; f < shape->n_families; f++)
        for (size_t i = 0; i <= shape->n_bounds; i++) {
            char text[FLOAT_TEXT_MAX];
            size_t n =
                i < shape->n_bounds ? float_text(shape->bounds[i] * shape->families[f].scale, text) : 0;
            bool plain = memchr(text, '.', n) == NULL && memchr(text, 'e', n) == NULL;
            w->bounds[f][i] = i == shape->n_bounds
                                  ? STR("+Inf")
                                  : arena_printf(a, "%.*s%s", (int)n, text, plain ? ".0" : "");
        }
}

static void describe(struct writing *w)
{
    for (size_t i = 0; i < w->o->shape.n_families; i++) {
        const struct out_family *f = &w->o->shape.families[i];
        batch_metadata(&w->batch, str_of(f->name),
                       f->type == OUT_HISTOGRAM ? STR("histogram") : STR("counter"), str_of(f->help),
                       STR(""));
    }
}

int series_out_write(struct series_out *o, struct store *store, int64_t tick_ms, int64_t step_ms,
                     struct err *e)
{
    struct writing w = {
        .o = o, .store = store, .tick_ms = tick_ms, .step_ms = step_ms, .arena = ARENA_INIT((size_t)256 << 20)
    };
    struct arena texts = ARENA_INIT(1u << 20);
    size_t n;
    char *copy = copy_rows(o, tick_ms, step_ms, &n);
    int rc = OK;
    print_bounds(&w, &texts);
    begin_batch(&w);
    if (n > 0) describe(&w);
    for (size_t i = 0; i < n; i++) {
        const struct out_row *row = row_at(o, copy, i);
        if (rc == OK) put_row(&w, row);
        if (rc == OK && w.batch.n_rows >= BATCH_ROWS) {
            rc = end_batch(&w, e);
            begin_batch(&w);
        }
    }
    if (rc == OK) rc = end_batch(&w, e);
    for (size_t i = 0; i < n; i++)
        if (row_at(o, copy, i)->is_gone) mem_free(row_at(o, copy, i)->key);
    mem_free(copy);
    arena_release(&texts);
    arena_release(&w.arena);
    return rc;
}
