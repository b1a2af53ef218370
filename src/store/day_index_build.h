/* day_index_build.h - a day's index in the making: series in order of their keys, then all written at once.
 *
 * About 40 bytes a series of eight labels are held, and each distinct pair once. */
#pragma once
#include "store/day_index_impl.h"
#include "store/label_pool.h"

struct index_build {
    struct label_pool pool;
    struct paged keys, lists; /* series_key by row; pair numbers, the last of a row with INDEX_PAIR_LAST */
    uint32_t n_rows;
    size_t n_lists;
};

#define INDEX_PAIR_LAST 0x80000000u

void index_build_init(struct index_build *);
void index_build_release(struct index_build *);

/* Numbers of the pool, in order of their names; keys rise. ERR_LIMIT when the file could not number them. */
int index_build_row(struct index_build *, series_key, const uint32_t *pairs, size_t n, struct err *);
/* Creates path, which must not exist; nothing of it is left on failure. */
int index_build_write(struct index_build *, const char *path, uint64_t *bytes, struct err *);
