/* scrape_parse.h - an exposition's text to a batch, through a target's cache.
 *
 * The whole text or nothing: the first bad line or passed limit is the error, and the batch is then to be
 * thrown away. */
#pragma once
#include "base/map.h"
#include "decode/prom_text.h"
#include "model/batch.h"
#include "receive/scrape_cache.h"
#include "receive/scrape_config.h"

struct scrape_families; /* the metadata last stored, by family */
struct scrape_families *scrape_families_new(void);
void scrape_families_forget(struct scrape_families *); /* all of it is to be stored again */
void scrape_families_free(struct scrape_families *);   /* NULL is fine */

struct scrape_parse {
    const struct scrape_job *job;
    struct labels target; /* labels every series gets; sorted, without __ names */
    struct scrape_cache *cache;
    struct scrape_families *families;
    int64_t time_ms;
    struct batch *out; /* LABELS_PACKED */

    size_t scraped, kept, duplicates; /* lines; after relabelling; of a series that had its sample already */
    bool timed;                       /* some rows have times of their own */
};

/* Between scrape_cache_begin and scrape_cache_end, which are the caller's. */
int scrape_parse(struct scrape_parse *, struct str text, enum prom_text_form form, struct err *);

/* The name and labels of one line as the series they become: labels of the target, metric_relabel_configs.
 * packed in the arena; empty: dropped. ERR_LIMIT: a limit on labels. */
int scrape_series_make(const struct scrape_job *, struct labels target, struct str text, struct str type,
                       struct arena *, struct str *packed, struct err *);
