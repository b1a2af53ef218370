/* paged.h - an array in pages: grows without ever moving or copying an item, and may have holes.
 *
 * A million-item array that doubles needs three times its size for a moment; this one needs one page more. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct paged {
    char **pages; /* NULL: a hole */
    size_t n_pages, cap;
    uint32_t item, shift; /* bytes of an item; a page has 1 << shift of them */
    size_t bytes;
};

static inline void paged_init(struct paged *p, size_t item, uint32_t shift)
{
    *p = (struct paged){ .item = (uint32_t)item, .shift = shift };
}

static inline void paged_release(struct paged *p)
{
    for (size_t i = 0; i < p->n_pages; i++) mem_free(p->pages[i]);
    mem_free(p->pages);
    paged_init(p, p->item, p->shift);
}

/* The item, which must have been asked for with paged_make before. */
static inline void *paged_at(const struct paged *p, size_t i)
{
    return p->pages[i >> p->shift] + (i & (((size_t)1 << p->shift) - 1)) * p->item;
}

/* The item or NULL when its page was never made. */
static inline void *paged_find(const struct paged *p, size_t i)
{
    size_t page = i >> p->shift;
    return page < p->n_pages && p->pages[page] != NULL ? paged_at(p, i) : NULL;
}

/* The item; its page is made, zeroed, when there is none. */
static inline void *paged_make(struct paged *p, size_t i)
{
    size_t page = i >> p->shift;
    while (p->n_pages <= page) {
        p->pages = mem_grow(p->pages, p->n_pages, &p->cap, sizeof *p->pages);
        p->pages[p->n_pages++] = NULL;
    }
    if (p->pages[page] == NULL) {
        p->pages[page] = mem_array((size_t)1 << p->shift, p->item);
        p->bytes += ((size_t)1 << p->shift) * p->item;
    }
    return paged_at(p, i);
}

static inline size_t paged_bytes(const struct paged *p)
{
    return p->bytes + p->cap * sizeof *p->pages;
}
