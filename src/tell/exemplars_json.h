/* exemplars_json.h - the exemplars of all series an expression selects. */
#pragma once
#include "base/buf.h"
#include "model/store.h"
#include "query/promql/ast.h"

/* [{"seriesLabels":{},"exemplars":[{"labels":{},"value":"","timestamp":1.5}]}], series by labels, exemplars
 * by time. */
int exemplars_json(struct buf *out, struct store_view *, struct call *, const struct node *query,
                   int64_t from_ms, int64_t to_ms, struct err *);
