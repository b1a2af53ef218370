/* result_json.h - what a query found, as the data part of its answer. */
#pragma once
#include "base/buf.h"
#include "query/promql/engine.h"

/* At most limit series (0 = all); time_ms stands beside a string. True when there were more series. */
bool result_json(struct buf *out, const struct query_result *, size_t limit, bool stats, int64_t time_ms);
