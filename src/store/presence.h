/* presence.h - which series have a row in one UTC day: a bit per series number, and which of them an
 * index file holds.
 *
 * In pages of 32768 series, so that a day of a few survivors among many dead numbers stays small.
 * Threads: one writer sets bits; it takes the registry's write lock only to add a page. Readers (under
 * the read lock) may or may not see a bit set meanwhile: a row is published after its mark. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/paged.h"

#define PRESENCE_WORDS 512 /* of 64 series a page */

struct presence_page {
    _Atomic uint64_t seen[PRESENCE_WORDS];
    uint64_t indexed[PRESENCE_WORDS]; /* the writer only */
};

struct presence {
    uint32_t day;
    struct paged pages; /* of struct presence_page, one a page */
};

static inline struct presence_page *presence_page(const struct presence *p, uint32_t series_no)
{
    return paged_find(&p->pages, series_no / (PRESENCE_WORDS * 64));
}

static inline bool presence_has(const struct presence *p, uint32_t series_no)
{
    const struct presence_page *page = presence_page(p, series_no);
    if (page == NULL) return false;
    uint64_t word = atomic_load_explicit(&page->seen[series_no / 64 % PRESENCE_WORDS], memory_order_relaxed);
    return word >> series_no % 64 & 1;
}

/* The writer; the page is there. True when the bit was not set before. */
static inline bool presence_set(struct presence_page *page, uint32_t series_no)
{
    _Atomic uint64_t *word = &page->seen[series_no / 64 % PRESENCE_WORDS];
    uint64_t bit = (uint64_t)1 << series_no % 64, old = atomic_load_explicit(word, memory_order_relaxed);
    if (old & bit) return false;
    atomic_store_explicit(word, old | bit, memory_order_release);
    return true;
}

static inline void presence_set_indexed(struct presence_page *page, uint32_t series_no)
{
    page->indexed[series_no / 64 % PRESENCE_WORDS] |= (uint64_t)1 << series_no % 64;
}
