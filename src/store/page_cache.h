/* page_cache.h - unwrapped pages that were read before, up to so many bytes, shared by all readers.
 *
 *     const struct cached_page *p = page_cache_find(cache, file, at);
 *     if (p == NULL) { page_read(..., &raw, ...); p = page_cache_add(cache, file, at, buf_view(&raw)); }
 *     use(p->raw);
 *     page_cache_unref(p);
 *
 * A page found or added stays as it is until its unref, whatever is evicted meanwhile. What was asked for
 * once goes before what was asked for again (CLOCK), so a scan does not empty the cache. Pages are never
 * written, so nothing is ever out of date: a file's number is never given twice.
 *
 * Threads: all functions from any thread; a lock for each of a few shards. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct cached_page {
    struct str raw; /* 16-byte aligned */
};

struct page_cache;
struct page_cache *page_cache_new(size_t budget_bytes); /* 0: nothing is kept, everything works */
void page_cache_free(struct page_cache *);              /* when no page is held any more */

/* The one that all record parts of the process share; made when first asked for. Its bytes are on the account
 * of caches (base/budget.h), it is emptied when memory is tight, and vedette_page_cache_* tell of it. */
struct page_cache *page_cache_shared(void);
void page_cache_limit(struct page_cache *,
                      size_t budget_bytes); /* what is above goes, as soon as it is free */
void page_cache_empty(struct page_cache *); /* but for pages in use */

uint64_t page_cache_file(struct page_cache *);            /* a number for a file just opened */
void page_cache_drop(struct page_cache *, uint64_t file); /* it is closed: forget its pages */

/* Held until page_cache_unref; NULL when not there. */
const struct cached_page *page_cache_find(struct page_cache *, uint64_t file, uint64_t at);
/* A copy of raw, held until page_cache_unref; the one that is there when another thread was quicker. What
 * does not fit beside pages in use, or is more than a quarter of a shard, is not kept. */
const struct cached_page *page_cache_add(struct page_cache *, uint64_t file, uint64_t at, struct str raw);
void page_cache_unref(const struct cached_page *); /* NULL is fine */

struct page_cache_stats {
    uint64_t hits, misses, evictions, refused;
    uint64_t pages, bytes, budget; /* bytes: never more than the budget */
};
void page_cache_stats(struct page_cache *, struct page_cache_stats *);
