/* hist_column.h - a run of native histograms as columns: each bucket's counts down the run
 * (column.h makes them small).
 *
 * Neighbours mostly share their layout, so the run is cut into stretches of one layout {schema,
 * reset hint, zero threshold, spans, custom bounds}, and within a stretch bucket k of all rows is
 * one column. Exact to the bit. Bytes: docs/format-part.md. */
#pragma once
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/histogram.h"

void hist_column_put(struct buf *, struct histogram *const *h, size_t n);
/* Writes n histograms, made in the arena. limit: most values (rows x columns) a stretch of several
 * rows may hold. */
int hist_column_get(struct str *in, struct histogram **h, size_t n, size_t limit, struct arena *,
                    struct err *);
