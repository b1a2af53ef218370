/* plan_cache.h - trees of queries asked before, parsed and checked, with their compiled regular expressions.
 *
 * Always true:
 *   1. A plan never changes once it is made: any number of threads may evaluate it at once.
 *   2. A text has at most one plan in the cache; the text alone decides what it parses to.
 *   3. The cache holds no more than its entries and bytes allow; a plan in use outlives its place in it.
 *
 * Threads: any. `mu` is held for a look or an insertion, never while parsing. */
#pragma once
#include <stdatomic.h>

#include "query/promql/ast.h"

struct plan_cache;

struct plan {
    atomic_uint refs;
    struct arena arena;
    struct str text;
    struct node *root;
    const char *not_reusable; /* why answers may not be kept (reusable.h); NULL: they may */
    uint64_t hash;
    size_t bytes;
    struct plan *next, *newer, *older; /* the cache's mu: same bucket; by last use */
};

struct plan_cache *plan_cache_new(size_t max_entries, size_t max_bytes);
void plan_cache_free(struct plan_cache *); /* NULL is fine */

/* The plan of a text, from the cache or parsed now within `budget` bytes. One reference, yours. */
int plan_cache_get(struct plan_cache *, struct str text, size_t budget, struct plan **out, bool *was_cached,
                   struct err *);
void plan_unref(struct plan *); /* NULL is fine */

struct plan_cache_size {
    size_t entries, bytes;
};
struct plan_cache_size plan_cache_size(struct plan_cache *);
