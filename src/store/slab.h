/* slab.h - up to 64 Ki rows of one UTC day and one kind, as three parallel arrays.
 *
 * Born empty and appended to by the writer; once full (or asked for by a reader) a sorted twin is made, in
 * (key, time) order, one row per time, the row that arrived last winning. Rows never change after they were
 * published, so a reader that holds a reference and a row count needs no lock.
 *
 * Threads: slab_add by the writer; everything else by any thread that holds a reference. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/part.h"

#define SLAB_ROWS_MAX 65536u
#define DAY_MS        86400000ll

struct slab {
    atomic_uint refs;
    enum row_kind kind;
    uint32_t day;
    bool is_sorted;
    bool is_touched;        /* has rows that are not published yet (head.c) */
    uint32_t n, cap;        /* n: the writer's */
    uint32_t published;     /* head.c, its lock */
    int64_t min_ms, max_ms; /* sorted slabs only */
    series_key *key;
    int64_t *time_ms;
    uint64_t *bits; /* a double, a start time, or a pointer to struct histogram in the head's arena */

    pthread_mutex_t mu; /* guards twin */
    struct slab *twin;  /* sorted copy of the first twin_rows rows */
    uint32_t twin_rows;
};

struct slab *slab_new(uint32_t day, enum row_kind, uint32_t cap);
struct slab *slab_ref(struct slab *);
void slab_unref(struct slab *); /* NULL is fine */
size_t slab_bytes(const struct slab *);

static inline bool slab_is_full(const struct slab *s)
{
    return s->n == s->cap;
}

static inline void slab_add(struct slab *s, series_key key, int64_t time_ms, uint64_t bits)
{
    uint32_t i = s->n++;
    s->key[i] = key;
    s->time_ms[i] = time_ms;
    s->bits[i] = bits;
}

/* A sorted slab with the first n rows of s: s itself when it is sorted, else a copy kept for the next who
 * asks. Yours to unref. */
struct slab *slab_sorted(struct slab *s, uint32_t n);

/* In a sorted slab: first row at or after `from` whose key is >= key. Quick when it is near `from`. */
uint32_t slab_find(const struct slab *s, uint32_t from, series_key key);
/* Rows [begin, end) of one key: the end of the run that begins at `begin`. */
uint32_t slab_run_end(const struct slab *s, uint32_t begin);
