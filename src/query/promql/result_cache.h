/* result_cache.h - finished answers of range queries, to be continued instead of computed anew.
 *
 * A dashboard asks the same question every half minute about a window that has moved by half a minute. Here
 * is kept what was answered, by text, step, phase of the steps and lookback: a value for each series and
 * step, and the store's generation before the view it was read from. engine.c decides which of its steps
 * still hold (model/store.h, promise 7; reusable.h), computes the others, and keeps the whole again.
 *
 * Always true:
 *   1. A kept answer never changes; readers hold a reference, and a newer one takes its place.
 *   2. It is whole: without warnings or infos, not truncated, and every step of it was computed.
 *   3. Of one key there is one answer; all of them together take no more than max_bytes.
 *
 * Threads: any. `mu` is held for a look or an exchange, never while answers are copied. */
#pragma once
#include <stdatomic.h>

#include "base/hash.h"
#include "query/promql/engine.h"

struct kept_series {
    struct labels labels;
    double *v;                  /* a value for each step; ABSENT: none */
    const struct histogram **h; /* or NULL: floats only */
};

struct kept_key {
    struct str text;
    int64_t step_ms, phase_ms, lookback_ms; /* phase: start modulo step */
};

struct kept {
    atomic_uint refs;
    struct kept_key key;
    uint64_t hash;
    uint64_t generation;
    int64_t start_ms;
    size_t n;                    /* steps */
    size_t n_asked;              /* of the longest query it serves */
    int64_t first_day, last_day; /* of the view */
    struct kept_series *series;  /* sorted by labels */
    size_t n_series;
    struct arena arena;
    size_t bytes;
    struct kept *next, *newer, *older; /* the cache's mu */
};

struct result_cache;
struct result_cache *result_cache_new(size_t max_bytes);
void result_cache_free(struct result_cache *); /* NULL is fine */

struct kept *result_cache_get(struct result_cache *, const struct kept_key *); /* a reference, or NULL */
void result_cache_put(struct result_cache *,
                      struct kept *); /* takes the reference; instead of an older one */
void result_cache_drop(struct result_cache *, const struct kept_key *);
void result_cache_empty(struct result_cache *);
size_t result_cache_bytes(struct result_cache *);
size_t result_cache_room(const struct result_cache *); /* the largest answer it takes */

void kept_unref(struct kept *); /* NULL is fine */

/* A finished answer over [start_ms, + n steps) as a kept one; NULL: larger than `most` bytes. What it has of
 * `before` (may be NULL) at steps earlier than start_ms is kept on, from `from_ms` on. */
struct kept *kept_make(const struct kept_key *, const struct query_result *, int64_t start_ms, size_t n,
                       const struct kept *before, int64_t from_ms, size_t most);

/* tail: the answer over [from_ms, end]; out: `head`'s steps [start_ms, from_ms) and then tail's. False: at
 * from_ms, which both have, they disagree: out is empty, and head is not to be believed. */
bool kept_continue(const struct kept *head, const struct query_result *tail, int64_t start_ms,
                   int64_t from_ms, struct query_result *out);
/* Steps [start_ms, end_ms] of it. */
void kept_slice(const struct kept *, int64_t start_ms, int64_t end_ms, struct query_result *out);
