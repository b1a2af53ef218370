/* functions.h - the table of PromQL functions: signature for the parser, implementation for the evaluator,
 * text for completion, docs and tests. A new function is one line in functions.c and one C function. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "query/promql/ast.h"

#define PROMQL_ARGS_MAX 8

struct eval; /* one evaluation under way; eval.h */
struct series_matrix;

/* How the evaluator runs it; the parser does not look. Filled in by functions.c. */
typedef int promql_call_fn(struct eval *, const struct node *call, struct series_matrix *out, struct err *);

struct promql_function {
    const char *name;
    enum promql_type args[PROMQL_ARGS_MAX];
    int n_args;   /* entries of args in use */
    int variadic; /* 0: exactly n_args; k > 0: the last k are optional; -1: the last may repeat any number of
                     times */
    enum promql_type returns;
    bool experimental;
    promql_call_fn *call;
    const char *help;                /* one sentence */
    double (*map)(double);           /* functions of one float (abs, ln, ...) */
    const struct window_def *window; /* functions of a range vector; window.h */
    bool uses_time;                  /* the value depends on the evaluation time, whatever the arguments */
    const char *params; /* what the arguments are called, blanks between; the same name twice: at least one of
                           them. NULL without arguments */
};

const struct promql_function *promql_function_find(struct str name); /* NULL when unknown */
const struct promql_function *promql_functions(size_t *n);           /* the whole table, by name */

/* "round(v vector [, multiple scalar])" */
void promql_signature(struct buf *out, const struct promql_function *);
const char *promql_type_name(enum promql_type); /* scalar, vector, range, string */

/* The language's other words, for completion, colours and docs; words.c. */
enum promql_word_kind { PROMQL_AGGREGATOR, PROMQL_KEYWORD, PROMQL_MODIFIER };

struct promql_word {
    const char *name;
    enum promql_word_kind kind;
    const char *syntax; /* an example of its place */
    bool experimental;
    const char *help; /* one sentence */
};

const struct promql_word *promql_words(size_t *n);
