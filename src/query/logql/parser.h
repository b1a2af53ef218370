/* parser.h - what the files of the parser share. Not for others; they use parse.h.
 *
 * The first error is kept and told by a NULL or false return; after it the current token is of kind
 * LEX_ERROR, which fits nowhere, so no loop goes on. */
#pragma once
#include "query/logql/parse.h"

enum lex_kind { LEX_END, LEX_ERROR, LEX_IDENT, LEX_NUMBER, LEX_STRING, LEX_FLAG, LEX_SIGN };

struct lex_token {
    enum lex_kind kind;
    struct str text; /* as written; of a string with its quotes */
    uint32_t pos;
};

struct logql_parser {
    struct str text;
    uint32_t at; /* the byte after tok */
    struct lex_token tok;
    struct logql_query *query;
    struct arena *arena;
    struct err *err;
    int depth;
    size_t terms, n_stages, n_operators;
    int64_t regex_ns; /* spent on compiling */
};

/* lex.c */
void logql_advance(struct logql_parser *);
struct lex_token logql_peek(const struct logql_parser *); /* the token after the current one */
bool logql_at(const struct logql_parser *, const char *sign_or_word);
bool logql_accept(struct logql_parser *, const char *sign_or_word); /* advances when it is there */
bool logql_expect(struct logql_parser *, const char *sign);
int logql_fail(struct logql_parser *, uint32_t pos, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int logql_unexpected(struct logql_parser *, const char *expected);
bool logql_take_string(struct logql_parser *, struct str *out);
bool logql_take_name(struct logql_parser *, struct str *out);
bool logql_enter(struct logql_parser *);
bool logql_count_term(struct logql_parser *); /* one more of LOGQL_TERMS_MAX */

/* Regexes that the query owns. */
struct regex *logql_regex(struct logql_parser *, struct str pattern, bool search, uint32_t pos);
bool logql_matcher(struct logql_parser *, enum matcher_op, struct str name, struct str value, uint32_t pos,
                   struct matcher *out);
bool logql_match_op(const struct logql_parser *, enum matcher_op *out); /* = != =~ !~ at the current token */

/* parse_log.c */
struct log_expr *logql_parse_matchers(struct logql_parser *); /* {...} only */
bool logql_at_stage(const struct logql_parser *);
struct stage *logql_parse_stage(struct logql_parser *, struct unwrap *); /* unwrap NULL: not here */
void logql_append(struct log_expr *, struct stage *);

/* parse_filter.c */
struct label_filter *logql_parse_label_filter(struct logql_parser *);
bool logql_compile_stage(struct logql_parser *, struct stage *); /* regexes, patterns, templates, paths */
