/* parse.h - TraceQL text to a tree, and back.
 *
 * As in the language's own grammar && and || bind alike and from the left; the structural operators and the
 * comparisons bind tighter; then + -, then !, then * / %, then ^, from the right. Comments are // and
 * slash-star. */
#pragma once
#include "query/traceql/ast.h"

/* The tree is in the arena; release it in any case. ERR_PARSE, ERR_LIMIT, ERR_UNSUPPORTED (it is TraceQL, but
 * nothing we answer); the text names the place. */
int traceql_parse(struct str text, struct arena *, struct traceql_query *, struct err *);
void traceql_release(struct traceql_query *);

/* An unfinished query, as an editor sends it: the comparisons of its first { } that stand alone or are joined
 * by
 * && and are whole. What does not parse is left out; an empty filter when nothing does. Never fails. */
void traceql_salvage(struct str text, struct arena *, struct traceql_query *);

/* One attribute, "span.http.method", ".foo", "name", as API parameters have it. */
int traceql_parse_attr(struct str text, struct arena *, struct attr_ref *, struct err *);

/* Whole again, with the parentheses that its meaning needs; parses to the same tree. */
void traceql_print(struct buf *, const struct traceql_query *);
void attr_ref_print(struct buf *, const struct attr_ref *);
void static_print(struct buf *, struct static_value); /* as TraceQL writes it */
