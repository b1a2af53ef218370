/* parser.h - what the files of the parser share. Not for others; they use parse.h.
 *
 * The first error is kept and told by a NULL or false return; after it the current token is of kind
 * LEX_ERROR, which fits nowhere, so no loop goes on. */
#pragma once
#include "query/traceql/parse.h"

enum lex_kind {
    LEX_END,
    LEX_ERROR,
    LEX_WORD,   /* text */
    LEX_ATTR,   /* attr */
    LEX_STATIC, /* value: a number, a duration, a string */
    LEX_SIGN,   /* text */
};

struct lex_token {
    enum lex_kind kind;
    struct str text; /* as it was written */
    uint32_t pos;
    struct attr_ref attr;
    struct static_value value;
};

struct traceql_parser {
    struct str text;
    uint32_t at; /* the byte after tok */
    struct lex_token tok;
    struct traceql_query *query;
    struct arena *arena;
    struct err *err;
    int depth;
    size_t nodes;
    int64_t regex_ns;
};

/* lex.c */
void tq_lex_advance(struct traceql_parser *);
bool tq_lex_at(const struct traceql_parser *, const char *sign_or_word);
bool tq_lex_accept(struct traceql_parser *, const char *sign_or_word);
bool tq_lex_expect(struct traceql_parser *, const char *sign_or_word);

/* parse.c: keep the error, spoil the token, return false */
bool tq_parse_fail(struct traceql_parser *, int code, uint32_t pos, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
bool tq_parse_unexpected(struct traceql_parser *, const char *expected);
bool tq_parse_enter(struct traceql_parser *);
bool tq_parse_count(struct traceql_parser *); /* one more of TRACEQL_NODES_MAX */

/* tq_parse_field.c */
struct field_expr *tq_parse_field(struct traceql_parser *);
struct field_expr *tq_parse_comparison(struct traceql_parser *); /* without && and || */
bool tq_parse_attr(struct traceql_parser *, uint32_t *number);
bool tq_parse_attr_list(struct traceql_parser *, uint32_t *out, size_t max, size_t *n); /* (a, b) */
bool tq_parse_number(struct traceql_parser *, double *out);
bool tq_parse_op(const struct traceql_parser *, const enum tq_op *ops, size_t n, enum tq_op *out);

/* tq_parse_metrics.c: the stage that the current word begins, and all that follows it */
bool tq_parse_at_metrics(const struct traceql_parser *);
bool tq_parse_metrics(struct traceql_parser *);
bool tq_parse_hints(struct traceql_parser *);

/* check.c: types */
enum static_type tq_check_field(struct traceql_parser *, const struct field_expr *);
bool tq_check_filter(struct traceql_parser *, const struct field_expr *);
bool tq_check_scalar(struct traceql_parser *, const struct stage *, uint32_t pos);
bool tq_field_names_span(const struct field_expr *); /* speaks of an attribute */
