/* toy_store.h - a store in memory, as plain as can be: arrays of rows, searched from the front. For tests,
 * and as the reference other stores and evaluators are compared with.
 *
 * Unit tests link only themselves and the library, so a test includes toy_store.c. Threads: writing and
 * reading at the same time is not allowed; reading by many threads is. */
#pragma once
#include "model/store.h"

struct store *toy_store_new(void); /* store_close() frees it */
void toy_store_clear(struct store *);
void toy_store_add(struct store *, struct labels, int64_t time_ms, double value, const struct histogram *,
                   int64_t start_ms);
