/* parser.h - what the files of the parser share: one parse under way. Not for others; they use parse.h.
 *
 * Errors: the first one is kept in `err` and told by a NULL or false return. After it the current token is
 * TOK_ERROR, which fits nowhere, so no loop goes on. What the lexer objects to is told when somebody looks at
 * that token in vain. */
#pragma once
#include "query/promql/lex.h"
#include "query/promql/parse.h"

struct parser {
    struct lexer lex;
    struct token tok; /* the one to look at */
    uint32_t end;     /* where the token before it ended */
    struct arena *arena;
    struct err *err;
    const char *context; /* of an unexpected token: "aggregation" */
    int depth;
    size_t nodes;
    struct matcher *matchers; /* all of this parse, to release if it fails; grown in the arena */
    size_t n_matchers, cap_matchers;
    int64_t regex_ns; /* spent on compiling */
};

/* The error at byte `pos`, as `line:column: parse error: ...`. Always ERR_PARSE; keeps only the first. */
int parse_fail(struct parser *, uint32_t pos, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "unexpected TOKEN in context, expected WHAT" at the current token; context and expected may be NULL. */
int parse_unexpected(struct parser *, const char *context, const char *expected);

void parse_advance(struct parser *);
bool parse_accept(struct parser *, enum token_kind); /* advances when it is there */

bool parse_enter(struct parser *); /* one level deeper; false past the limit */
void parse_leave(struct parser *);

struct node *parse_node(struct parser *, enum promql_kind, uint32_t pos,
                        uint32_t end);                                         /* NULL past the limit */
bool parse_stand_on(struct parser *, struct node *, const struct node *child); /* a level higher than child */
bool parse_number(struct parser *, const struct token *, double *out); /* NUMBER or DURATION, in seconds */

struct node *parse_expr(struct parser *);

/* parse_selector.c */
struct node *parse_selector(struct parser *,
                            const struct token *name); /* name NULL: only braces; at "{" or past the name */
bool parse_grouping(struct parser *, struct str **out, size_t *n); /* "(a, b)" of by, on, group_left, ... */
bool token_names_metric(const struct token *);

/* parse_modifier.c: what may follow an operand. NULL on error. */
struct node *parse_postfix(struct parser *, struct node *);

/* parse_duration.c: a plain number of seconds (*expr NULL), or a tree. */
bool parse_duration(struct parser *, const char *context, const char *expected, double *seconds,
                    struct duration_expr **expr); /* in brackets: above 0 */
bool parse_offset_duration(struct parser *, double *seconds,
                           struct duration_expr **expr); /* after offset: any sign */

/* check.c: types, and what grammar alone cannot say. The first error found. */
int parse_check(struct parser *, struct node *);
