/* parse.h - PromQL text to a checked tree. */
#pragma once
#include "base/buf.h"
#include "query/promql/ast.h"

#define PROMQL_TEXT_MAX     (256u << 10)
#define PROMQL_DEPTH_MAX    200  /* parentheses, calls and signs within each other */
#define PROMQL_HEIGHT_MAX   1000 /* of the tree: a or b or c ... is a tree as high as it has operators */
#define PROMQL_NODES_MAX    20000
#define PROMQL_LABELS_MAX   1000 /* in one list after by, without, on, ignoring, group_left, group_right */
#define PROMQL_MATCHERS_MAX 2000 /* in one expression */
#define PROMQL_REGEX_CPU_MS 1000 /* to compile all its regular expressions; small ones can be dear */

/* Tree lives in the arena; the text is copied into it. Errors as Prometheus words them: `1:5: parse error:
 * ...`. Matchers hold compiled regexes: promql_release(root) frees them. */
int promql_parse(struct str text, struct arena *, struct node **out, struct err *);
void promql_release(struct node *root);

/* Only the selector part, for match[] parameters: up{job="x"}. */
int promql_parse_selector(struct str text, struct arena *, struct matcher **out, size_t *n, struct err *);
void matchers_release(struct matcher *, size_t n);

void promql_print(struct buf *out, const struct node *);    /* one line, canonical */
void promql_format(struct buf *out, const struct node *);   /* many lines, as format_query */
void promql_ast_json(struct buf *out, const struct node *); /* as /api/v1/parse_query */

/* "line:column" of a byte offset, both from 1. */
void promql_position(struct str text, uint32_t pos, int *line, int *column);

struct str promql_op_text(enum promql_op);
struct str promql_agg_text(enum promql_agg);
