/* toy_store.h - a store in memory, as plain as can be: arrays of rows and of whole records, searched from the
 * front. For tests, and as the reference that other stores and evaluators are compared with.
 *
 * A view pins the state it was opened on; a write that finds the state pinned goes on with a copy. So a view
 * needs no lock and sees one moment. Nothing is forgotten before the store is closed.
 *
 * Unit tests link only themselves and the library, so a test includes toy_store.c. */
#pragma once
#include "model/store.h"

struct store *toy_store_new(void);    /* store_close() frees it */
void toy_store_clear(struct store *); /* while no view is open */
void toy_store_add(struct store *, struct labels, int64_t time_ms, double value, const struct histogram *,
                   int64_t start_ms);
