/* ast.h - a PromQL expression as a tree. Made by parse.c, read by the evaluator, the printer and parse_query.
 *
 * Nodes live in the arena they were parsed into and never change afterwards, so a plan may be shared by many
 * queries at once. Positions are byte offsets into the query text. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/matcher.h"

enum promql_type { PROMQL_NONE, PROMQL_SCALAR, PROMQL_VECTOR, PROMQL_MATRIX, PROMQL_STRING };

enum promql_kind {
    NODE_NUMBER,
    NODE_STRING,
    NODE_PAREN,
    NODE_UNARY,
    NODE_BINARY,
    NODE_AGGREGATE,
    NODE_CALL,
    NODE_SELECTOR,       /* instant vector selector */
    NODE_MATRIX,         /* selector[range] */
    NODE_SUBQUERY,       /* expr[range:step] */
    NODE_STEP_INVARIANT, /* reserved for the evaluator's own marking; the parser never makes it */
    NODE_LEAF,           /* of another language: it fills itself (engine_run_tree) */
};

enum promql_op {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_POW,
    OP_ATAN2,
    OP_EQ,
    OP_NEQ,
    OP_GT,
    OP_LT,
    OP_GTE,
    OP_LTE,
    OP_TRIM_UPPER,
    OP_TRIM_LOWER, /* "</" keeps what is below, ">/" what is above */
    OP_AND,
    OP_OR,
    OP_UNLESS,
};

enum promql_agg {
    AGG_SUM,
    AGG_AVG,
    AGG_COUNT,
    AGG_MIN,
    AGG_MAX,
    AGG_GROUP,
    AGG_STDDEV,
    AGG_STDVAR,
    AGG_TOPK,
    AGG_BOTTOMK,
    AGG_QUANTILE,
    AGG_COUNT_VALUES,
    AGG_LIMITK,
    AGG_LIMIT_RATIO,
};

enum promql_card { CARD_ONE_TO_ONE, CARD_MANY_TO_ONE, CARD_ONE_TO_MANY, CARD_MANY_TO_MANY };

enum promql_at { AT_NONE, AT_TIME, AT_START, AT_END };
enum promql_extent { EXTENT_PLAIN, EXTENT_ANCHORED, EXTENT_SMOOTHED };

/* A duration written as an expression (step(), range(), min_of(...), 5m*2) is a tree of its own; its value is
 * known only when start, end and step are. NULL where the duration is a plain number. */
struct duration_expr {
    enum {
        DUR_NUMBER,
        DUR_STEP,
        DUR_RANGE,
        DUR_NEG,
        DUR_POS,
        DUR_ADD,
        DUR_SUB,
        DUR_MUL,
        DUR_DIV,
        DUR_MOD,
        DUR_POW,
        DUR_MIN,
        DUR_MAX
    } op;
    double seconds;           /* DUR_NUMBER */
    bool written_as_duration; /* 5m rather than 300, for printing */
    struct duration_expr *a, *b;
    bool wrapped; /* had parentheses, for printing */
    uint32_t pos, end;
};

struct promql_span { /* bytes [pos, end) of the query */
    uint32_t pos, end;
};

struct promql_function; /* one line of the function table (functions.h) */

struct eval;
struct series_matrix;
struct node;

/* Fills a matrix at the steps of the eval; what it makes lives in the query's arena. */
typedef int promql_leaf_fn(struct eval *, const struct node *, struct series_matrix *out, struct err *);

struct node {
    enum promql_kind kind;
    enum promql_type type;
    uint16_t height; /* 1 for a leaf; at most PROMQL_HEIGHT_MAX, so a walk may recurse */
    struct promql_span at;

    /* NUMBER */
    double number;
    bool is_duration; /* 1h written where a number stands */
    /* STRING */
    struct str text;

    /* PAREN, UNARY, AGGREGATE, SUBQUERY, MATRIX (its selector): child; BINARY: left, right */
    struct node *child, *left, *right;

    /* UNARY, BINARY */
    enum promql_op op;
    struct promql_span op_at;
    bool return_bool;
    bool has_matching;     /* on/ignoring was written */
    bool on;               /* on(...) rather than ignoring(...) */
    enum promql_card card; /* of a vector-vector operation */
    struct str *match_labels;
    size_t n_match_labels;
    struct str *include; /* group_left(...) / group_right(...) */
    size_t n_include;
    bool has_fill_left, has_fill_right;
    double fill_left, fill_right;

    /* AGGREGATE: child is the vector */
    enum promql_agg agg;
    struct node *param;
    bool by, without;
    struct str *grouping;
    size_t n_grouping;

    /* CALL */
    const struct promql_function *fn;
    struct node **args;
    size_t n_args;

    /* SELECTOR, MATRIX via child, SUBQUERY */
    struct matcher *matchers;
    size_t n_matchers;
    struct str metric; /* the name as written before the braces; empty when only in braces */
    int64_t offset_ms;
    struct duration_expr *offset_expr;
    enum promql_at at_kind; /* the @ modifier */
    int64_t at_ms;
    enum promql_extent extent;
    int64_t range_ms; /* MATRIX, SUBQUERY */
    struct duration_expr *range_expr;
    int64_t step_ms; /* SUBQUERY; 0 = default */
    struct duration_expr *step_expr;

    /* LEAF */
    promql_leaf_fn *leaf;
    void *leaf_ctx;
};
