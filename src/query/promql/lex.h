/* lex.h - PromQL text to tokens, one at a time.
 *
 * The language has three alphabets: expressions, label matchers between braces, and durations between
 * brackets. The lexer knows which one it is in, so that the parser only ever sees whole tokens. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "query/promql/ast.h"

enum token_kind {
    TOK_EOF,
    TOK_ERROR,
    TOK_IDENT,
    TOK_METRIC_IDENT /* has a colon */,
    TOK_NUMBER,
    TOK_DURATION,
    TOK_STRING,
    TOK_LPAREN,
    TOK_RPAREN,
    TOK_LBRACE,
    TOK_RBRACE,
    TOK_LBRACKET,
    TOK_RBRACKET,
    TOK_COMMA,
    TOK_COLON,
    TOK_EQL,
    TOK_OP, /* which: enum promql_op */
    TOK_MATCH_RE,
    TOK_MATCH_NRE,
    TOK_AT,
    TOK_AGG, /* which: enum promql_agg */
    TOK_BOOL,
    TOK_BY,
    TOK_WITHOUT,
    TOK_ON,
    TOK_IGNORING,
    TOK_GROUP_LEFT,
    TOK_GROUP_RIGHT,
    TOK_OFFSET,
    TOK_FILL,
    TOK_FILL_LEFT,
    TOK_FILL_RIGHT,
    TOK_ANCHORED,
    TOK_SMOOTHED,
    TOK_START,
    TOK_END,
    TOK_STEP,
    TOK_RANGE,
    TOK_MIN_OF,
    TOK_MAX_OF,
};

struct token {
    enum token_kind kind;
    int which;
    struct str text; /* as written, strings with their quotes */
    uint32_t pos;
};

struct lexer {
    struct str text;
    uint32_t at, start; /* next byte; first byte of the token being read */
    int parens;
    bool braces, brackets; /* inside {} or [] */
    bool durations;        /* inside [] and nothing but duration words and operators may come */
    bool colon;            /* seen since the bracket was opened */
    bool failed;
    char why[160]; /* of the TOK_ERROR */
};

void lex_init(struct lexer *, struct str text);
void lex_next(struct lexer *, struct token *out); /* after TOK_EOF and TOK_ERROR: the same again */

/* What the token is, as error texts call it: identifier "foo", <op:+>, end of input. */
void token_describe(const struct token *, struct buf *out);

/* The value of a string token. ERR_PARSE with the reason when an escape is wrong (the lexer has checked
 * most). */
int lex_unquote(struct str quoted, struct arena *, struct str *out, struct err *);

/* "text" with Go's escapes, cut after max_runes runes (0 = never). */
void lex_quote(struct buf *out, struct str text, size_t max_runes);
