/* scrape_target.h - a discovered set of labels made into a target: defaults, relabelling, URL, and the
 * checks. */
#pragma once
#include <stdatomic.h>

#include "receive/scrape_config.h"

struct scrape_spec { /* read-only once made, shared by reference */
    struct arena arena;
    atomic_int refs;
    struct hash128 id; /* of pool, labels and URL: what makes it the same target */
    struct labels discovered, labels;
    const char *url;
    int64_t interval_ms, timeout_ms;
    bool dropped; /* by relabelling: only discovered counts */
};

/* ERR_RANGE: no address, or something else that makes no target. */
int scrape_spec_make(const struct scrape_job *, const struct label *found, size_t n, struct scrape_spec **out,
                     struct err *);
struct scrape_spec *scrape_spec_ref(struct scrape_spec *);
void scrape_spec_unref(struct scrape_spec *); /* NULL is fine */
