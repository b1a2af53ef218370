/* scrape_cache.h - what one target exposed last time: from the raw text of a series to the series it became.
 *
 * A target writes the same lines in the same order, so the entry after the last one is guessed first: one
 * comparison of bytes. Else one hash lookup. Only a text never seen is parsed and relabelled.
 *
 *     scrape_cache_begin(c);
 *     for each line:
 *         s = scrape_cache_find(c, text);              NULL: parse and relabel, then
 *         s = scrape_cache_add(c, text, packed);       packed empty: relabelling drops it
 *         if (s->n_packed > 0 && (scrape_cache_see(c, s, tracked) || has_time)) ...a row of
 * scrape_series_packed(s), s->key... scrape_cache_end(c, ok, gone, ctx);
 *
 * Series are borrowed until scrape_cache_end; those given to gone() until it returns. gone() is called for
 * each series that deserves a stale marker: tracked in the last good scrape and not in this one. After a
 * failed scrape all that were tracked are gone, and what only the failed one showed is forgotten.
 *
 * Threads: one at a time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"

struct scrape_cache;

struct scrape_series {
    struct scrape_series *next; /* followed this one last time */
    struct scrape_series
        *owner;         /* the first text that spells this series; usually itself. Marks live there */
    struct hash128 key; /* as batch_series makes it */
    uint64_t text_hash;
    uint64_t exemplar; /* hash of the last one stored; of the text */
    uint32_t n_text, n_packed;
    uint32_t seen; /* number of the scrape that showed the text (of an owner: any of its texts) */
    uint32_t tracked,
        before; /* numbers of the last and the last but one scrape that showed it without a time of its own */
    uint32_t refs;         /* other texts that have this owner */
    bool doomed, replaced; /* replaced: a new text has taken an orphan's series over */
    bool orphan;           /* no text leads here any more */
    char bytes[];          /* text, packed */
};

static inline struct str scrape_series_packed(const struct scrape_series *s)
{
    return str_make(s->bytes + s->n_text, s->n_packed);
}

struct scrape_cache *scrape_cache_new(void);
void scrape_cache_free(struct scrape_cache *); /* NULL is fine */

void scrape_cache_begin(struct scrape_cache *);
struct scrape_series *scrape_cache_find(struct scrape_cache *, struct str text);
struct scrape_series *scrape_cache_add(struct scrape_cache *, struct str text, struct str packed);
/* tracked: it shall end with a stale marker. False: this series had a tracked row already in this scrape. */
bool scrape_cache_see(struct scrape_cache *, struct scrape_series *, bool tracked);
size_t scrape_cache_added(
    const struct scrape_cache *); /* series in this scrape that the cache did not know */
void scrape_cache_end(struct scrape_cache *, bool ok, void (*gone)(const struct scrape_series *, void *),
                      void *ctx);

/* The rules that make series of texts have changed: no text is known any more, but what was there still ends
 * properly. */
void scrape_cache_forget_texts(struct scrape_cache *);
size_t scrape_cache_size(const struct scrape_cache *); /* series and dropped texts held */
