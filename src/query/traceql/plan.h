/* plan.h - what a query needs of the store, and its expressions on what came from there.
 *
 * 1. The predicate given to the store never refuses a span that the query would take; what it lets through
 * too much is sorted out by eval_filter, which alone decides.
 * 2. A query that is local decides on each span by itself; others see whole traces (tree.h).
 *
 * Pure but for the arenas given. */
#pragma once
#include "model/predicate.h"
#include "query/traceql/ast.h"
#include "query/traceql/tree.h"

/* Columns that every plan has. */
enum plan_column {
    PLAN_TRACE_ID,
    PLAN_SPAN_ID,
    PLAN_PARENT_ID,
    PLAN_DURATION,
    PLAN_NAME,
    PLAN_KIND,
    PLAN_STATUS,
    PLAN_SERVICE,
    PLAN_COLUMNS
};
#define NO_COLUMN UINT16_MAX

struct plan {
    const struct traceql_query *query;
    struct field *fields;
    size_t n_fields;
    uint16_t (*columns)[3];             /* of each attribute, in the order in which they are asked */
    const struct predicate *candidates; /* a trace without a span of these cannot match; NULL: all */
    bool is_local;
    struct arena *arena;
};

int plan_make(struct plan *, const struct traceql_query *, struct arena *, struct err *);
/* Of one filter only, for the values of a tag: NULL: all. */
const struct predicate *plan_filter(struct arena *, const struct traceql_query *, const struct field_expr *);

/* Spans as columns, of a scan or of loaded traces. */
struct evaluation {
    const struct plan *plan;
    const struct value *const *values;
    const int64_t *time_ns;
    const struct span_tree *tree; /* NULL: spans are rows, and nothing is known of their traces */
    struct arena scratch;         /* of one span; evaluation_release */
};
void evaluation_release(struct evaluation *);

/* Of lists the first. Texts live until the next eval_ of the same evaluation. */
struct static_value eval_attr(struct evaluation *, uint32_t attr, uint32_t span);
/* The same, and texts live until the next is_first: for several attributes of one span. */
struct static_value eval_attr_kept(struct evaluation *, uint32_t attr, uint32_t span, bool is_first);
struct static_value eval_field(struct evaluation *, const struct field_expr *, uint32_t span);
bool eval_filter(struct evaluation *, const struct field_expr *, uint32_t span); /* NULL: true */
/* Local queries: does the span pass all stages? */
bool eval_local(struct evaluation *, uint32_t span);

/* One operator on two values; not for && and ||. */
struct static_value static_binary(enum tq_op, struct static_value, struct static_value, const struct regex *);
bool static_compare(enum tq_op, struct static_value, struct static_value, const struct regex *);
double static_number(struct static_value); /* NaN: it is none. Durations: ns */
