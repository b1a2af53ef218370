/* print.h - pieces of an expression as text, for the one-line printer, the formatter and the JSON tree. */
#pragma once
#include "base/buf.h"
#include "query/promql/ast.h"

void print_label_list(struct buf *out, const struct str *labels, size_t n); /* a, "b.c" */
void print_aggregate_head(struct buf *out, const struct node *);            /* sum by (a) */
void print_operator(struct buf *out, const struct node *);                  /* == bool on (a) group_left () */
void print_subquery_tail(struct buf *out, const struct node *);             /* [5m:1m] @ 10.000 offset 1m */
void print_duration_expr(struct buf *out, const struct duration_expr *);
struct str duration_op_text(int op);
