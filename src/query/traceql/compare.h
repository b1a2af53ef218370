/* compare.h - compare({selection}): which values of which attributes stand out in the selection.
 *
 * Of every attribute of the spans that match, how often each value occurs among those selected and among the
 * others, step by step; the most frequent values of each attribute are shown, and each attribute's total. */
#pragma once
#include "query/traceql/traceql.h"

int traceql_compare(struct store_view *, struct call *, const struct metrics_ask *, const struct plan *,
                    struct metrics_made *, struct err *);
