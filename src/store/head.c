/* head.c - see head.h.
 *
 * Always true:
 *   1. The last slab of a (day, kind) is the only one that may have room. Its predecessors are full and
 * published at the latest with the batch that filled them.
 *   2. A slab in the list is replaced only by its sorted twin, only when full and published, and only under
 * mu.
 *   3. Slabs of a day double in size, from 256 rows to 64 Ki: a stray late row costs kilobytes, a busy day
 * few slabs. */
#include "store/head.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

#define KINDS           3
#define SLAB_ROWS_FIRST 256u

struct slab_list {
    struct slab **at;
    size_t n, cap;
};

struct head_day {
    uint32_t day;
    struct slab_list kind[KINDS];

    /* The writer's: the slab with room, or NULL. The list's entry of a full one may change under it (2). */
    struct slab *open[KINDS];
    uint32_t cap[KINDS]; /* of the slab begun last */
};

struct head {
    atomic_uint refs;
    pthread_mutex_t mu;
    struct head_day **days; /* in order of first row */
    size_t n_days, cap_days;
    size_t slab_bytes;
    uint64_t rows;          /* published */
    int64_t min_ms, max_ms; /* of them */
    int64_t since_ns;

    /* The writer's. */
    struct map by_day; /* day -> index in days */
    struct head_day *latest;
    struct slab **touched;
    size_t n_touched, cap_touched;
    struct arena arena; /* histograms */
    _Atomic size_t arena_bytes;

    struct record_head *records[TABLE_COUNT]; /* NULL: metrics */
};

struct head *head_new(void)
{
    struct head *h = mem_alloc_zero(sizeof *h);
    atomic_init(&h->refs, 1);
    pthread_mutex_init(&h->mu, NULL);
    h->arena = (struct arena)ARENA_INIT(SIZE_MAX);
    h->min_ms = INT64_MAX;
    h->max_ms = INT64_MIN;
    for (int t = TABLE_LOGS; t < TABLE_COUNT; t++) h->records[t] = record_head_new((enum table)t);
    return h;
}

struct head *head_ref(struct head *h)
{
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

static void day_free(struct head_day *d)
{
    for (int k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < d->kind[k].n; i++) slab_unref(d->kind[k].at[i]);
        mem_free(d->kind[k].at);
    }
    mem_free(d);
}

void head_unref(struct head *h)
{
    if (h == NULL || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < h->n_days; i++) day_free(h->days[i]);
    for (int t = 0; t < TABLE_COUNT; t++) record_head_free(h->records[t]);
    mem_free(h->days);
    map_release(&h->by_day);
    mem_free(h->touched);
    arena_release(&h->arena);
    pthread_mutex_destroy(&h->mu);
    mem_free(h);
}

/* ---- the writer ---- */

static uint64_t day_hash(uint32_t day)
{
    return (day + 1ull) * 0x9e3779b97f4a7c15ull;
}

static struct head_day *day_add(struct head *h, uint32_t day)
{
    struct head_day *d = mem_alloc_zero(sizeof *d);
    d->day = day;
    map_add(&h->by_day, day_hash(day), h->n_days);

    pthread_mutex_lock(&h->mu);
    h->days = mem_grow(h->days, h->n_days, &h->cap_days, sizeof h->days[0]);
    h->days[h->n_days++] = d;
    if (h->since_ns == 0) h->since_ns = clock_mono_ns();
    pthread_mutex_unlock(&h->mu);
    return d;
}

static struct head_day *day_of(struct head *h, uint32_t day)
{
    if (LIKELY(h->latest != NULL && h->latest->day == day)) return h->latest;
    uint64_t *index = map_find(&h->by_day, day_hash(day), NULL, NULL);
    h->latest = index ? h->days[*index] : day_add(h, day);
    return h->latest;
}

static struct slab *slab_begin(struct head *h, struct head_day *d, enum row_kind kind)
{
    struct slab_list *list = &d->kind[kind];
    d->cap[kind] = d->cap[kind] ? MIN(d->cap[kind] * 2, SLAB_ROWS_MAX) : SLAB_ROWS_FIRST;
    struct slab *s = slab_new(d->day, kind, d->cap[kind]);

    pthread_mutex_lock(&h->mu);
    list->at = mem_grow(list->at, list->n, &list->cap, sizeof list->at[0]);
    list->at[list->n++] = s;
    h->slab_bytes += slab_bytes(s);
    pthread_mutex_unlock(&h->mu);
    d->open[kind] = s;
    return s;
}

static void touch(struct head *h, struct slab *s)
{
    s->is_touched = true;
    h->touched = mem_grow(h->touched, h->n_touched, &h->cap_touched, sizeof h->touched[0]);
    h->touched[h->n_touched++] = s;
}

void head_add(struct head *h, enum row_kind kind, series_key key, int64_t time_ms, uint64_t bits)
{
    struct head_day *d = day_of(h, (uint32_t)(time_ms / DAY_MS));
    struct slab *s = d->open[kind];
    if (UNLIKELY(s == NULL)) s = slab_begin(h, d, kind);
    if (UNLIKELY(!s->is_touched)) touch(h, s);
    slab_add(s, key, time_ms, bits);
    if (UNLIKELY(slab_is_full(s))) d->open[kind] = NULL;
}

uint64_t head_keep(struct head *h, const struct histogram *hist)
{
    struct histogram *copy = histogram_copy(hist, &h->arena);
    atomic_store_explicit(&h->arena_bytes, h->arena.used, memory_order_relaxed);
    return (uint64_t)(uintptr_t)copy;
}

void head_each_fresh(struct head *h, void (*visit)(void *ctx, const struct slab *, uint32_t from), void *ctx)
{
    for (size_t i = 0; i < h->n_touched; i++) visit(ctx, h->touched[i], h->touched[i]->published);
}

static void stretch(struct head *h, const struct slab *s)
{
    for (uint32_t i = s->published; i < s->n; i++) {
        h->min_ms = MIN(h->min_ms, s->time_ms[i]);
        h->max_ms = MAX(h->max_ms, s->time_ms[i]);
    }
}

void head_add_chunk(struct head *h, enum table table, struct head_chunk *c)
{
    record_head_add(h->records[table], c);
    pthread_mutex_lock(&h->mu);
    if (h->since_ns == 0) h->since_ns = clock_mono_ns();
    pthread_mutex_unlock(&h->mu);
}

struct record_head *head_records(struct head *h, enum table table)
{
    return h->records[table];
}

void head_publish(struct head *h)
{
    pthread_mutex_lock(&h->mu);
    for (size_t i = 0; i < h->n_touched; i++) {
        struct slab *s = h->touched[i];
        stretch(h, s);
        h->rows += s->n - s->published;
        s->published = s->n;
        s->is_touched = false;
    }
    for (int t = TABLE_LOGS; t < TABLE_COUNT; t++) record_head_publish(h->records[t]);
    pthread_mutex_unlock(&h->mu);
    h->n_touched = 0;
}

/* ---- anyone ---- */

size_t head_bytes(struct head *h)
{
    pthread_mutex_lock(&h->mu);
    size_t n = h->slab_bytes;
    pthread_mutex_unlock(&h->mu);
    for (int t = TABLE_LOGS; t < TABLE_COUNT; t++) n += record_head_bytes(h->records[t]);
    return n + atomic_load_explicit(&h->arena_bytes, memory_order_relaxed);
}

bool head_is_empty(struct head *h)
{
    return head_rows(h) + record_head_rows(h->records[TABLE_LOGS]) +
               record_head_rows(h->records[TABLE_SPANS]) ==
           0;
}

uint64_t head_rows(struct head *h)
{
    pthread_mutex_lock(&h->mu);
    uint64_t n = h->rows;
    pthread_mutex_unlock(&h->mu);
    return n;
}

void head_times(struct head *h, int64_t *min_ms, int64_t *max_ms)
{
    pthread_mutex_lock(&h->mu);
    *min_ms = h->min_ms;
    *max_ms = h->max_ms;
    pthread_mutex_unlock(&h->mu);
}

int64_t head_since_ns(struct head *h)
{
    pthread_mutex_lock(&h->mu);
    int64_t ns = h->since_ns;
    pthread_mutex_unlock(&h->mu);
    return ns;
}

/* A full unsorted slab, referenced, or NULL. */
static struct slab *unsorted(struct head *h, size_t *day, int *kind, size_t *index)
{
    for (size_t d = 0; d < h->n_days; d++)
        for (int k = 0; k < KINDS; k++)
            for (size_t i = 0; i < h->days[d]->kind[k].n; i++) {
                struct slab *s = h->days[d]->kind[k].at[i];
                if (s->is_sorted || s->published < s->cap) continue;
                *day = d, *kind = k, *index = i;
                return slab_ref(s);
            }
    return NULL;
}

void head_sort_full(struct head *h)
{
    for (;;) {
        size_t day, index;
        int kind;
        pthread_mutex_lock(&h->mu);
        struct slab *s = unsorted(h, &day, &kind, &index);
        pthread_mutex_unlock(&h->mu);
        if (s == NULL) return;

        struct slab *sorted = slab_sorted(s, s->cap);
        struct slab **entry, *unneeded = sorted;
        pthread_mutex_lock(&h->mu);
        entry = &h->days[day]->kind[kind].at[index];
        if (*entry == s) {   /* else another thread was quicker */
            *entry = sorted; /* (2); our reference moves into the list, the list's becomes ours */
            h->slab_bytes += slab_bytes(sorted) - slab_bytes(s);
            unneeded = s;
        }
        pthread_mutex_unlock(&h->mu);
        slab_unref(unneeded);
        slab_unref(s);
    }
}

static int by_day_kind(const void *a, const void *b)
{
    const struct head_day *x = *(struct head_day *const *)a, *y = *(struct head_day *const *)b;
    return x->day < y->day ? -1 : x->day > y->day;
}

static void pin_day(struct head_pin *pin, size_t *cap, const struct head_day *d)
{
    for (int k = 0; k < KINDS; k++)
        for (size_t i = 0; i < d->kind[k].n; i++) {
            struct slab *s = d->kind[k].at[i];
            if (s->published == 0) continue;
            pin->at = mem_grow(pin->at, pin->n, cap, sizeof pin->at[0]);
            pin->at[pin->n++] = (struct head_piece){ slab_ref(s), s->published };
        }
}

void head_pin(struct head *h, uint32_t first_day, uint32_t last_day, struct head_pin *pin)
{
    size_t n = 0, cap = 0;
    *pin = (struct head_pin){ .head = head_ref(h) };

    pthread_mutex_lock(&h->mu);
    struct head_day **days = mem_array(h->n_days, sizeof days[0]);
    for (size_t i = 0; i < h->n_days; i++)
        if (h->days[i]->day >= first_day && h->days[i]->day <= last_day) days[n++] = h->days[i];
    qsort(days, n, sizeof days[0], by_day_kind);
    for (size_t i = 0; i < n; i++) pin_day(pin, &cap, days[i]);
    for (int t = TABLE_LOGS; t < TABLE_COUNT; t++) pin->chunks[t] = record_head_chunks(h->records[t]);
    pthread_mutex_unlock(&h->mu);
    mem_free(days);
}

void head_unpin(struct head_pin *pin)
{
    for (size_t i = 0; i < pin->n; i++) slab_unref(pin->at[i].slab);
    mem_free(pin->at);
    head_unref(pin->head);
    *pin = (struct head_pin){ 0 };
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

size_t head_days(struct head *h, uint32_t **out)
{
    pthread_mutex_lock(&h->mu);
    size_t n = h->n_days;
    *out = mem_array(n, sizeof **out);
    for (size_t i = 0; i < n; i++) (*out)[i] = h->days[i]->day;
    pthread_mutex_unlock(&h->mu);
    qsort(*out, n, sizeof **out, by_number);
    return n;
}
