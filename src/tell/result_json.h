/* result_json.h - what a query found, as the data part of its answer. */
#pragma once
#include "base/buf.h"
#include "query/promql/engine.h"

/* At most limit series (0 = all). True when there were more. */
bool result_json(struct buf *out, const struct query_result *, size_t limit, bool stats);
