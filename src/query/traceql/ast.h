/* ast.h - a TraceQL query as a tree. Made by parse.c, read by the planner, the evaluators, the printer.
 *
 * Everything lives in the arena it was parsed into and never changes afterwards; compiled regular expressions
 * hang on a list of the query, so that one call releases them (traceql_release). Every attribute that the
 * query speaks of has one number (traceql_query.attrs), however often it is named. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/regex.h"

#define TRACEQL_TEXT_MAX  (64u << 10)
#define TRACEQL_DEPTH_MAX 64   /* parentheses and pipelines within each other */
#define TRACEQL_NODES_MAX 2000 /* of one query */
#define TRACEQL_ATTRS_MAX 100

/* ---- values ---- */

enum static_type {
    STATIC_NIL,
    STATIC_BOOL,     /* i */
    STATIC_INT,      /* i */
    STATIC_FLOAT,    /* d */
    STATIC_DURATION, /* i: ns */
    STATIC_STRING,   /* s */
    STATIC_BYTES,    /* s: raw; compares with strings, no regex matches it */
    STATIC_STATUS,   /* i: 0 unset, 1 ok, 2 error, as model/record.h has it */
    STATIC_KIND,     /* i: enum span_kind */
    STATIC_LIST,     /* of events and links: `list`, n of them */
    STATIC_ANY,      /* the checker's: an attribute, whose type only its spans know */
};

struct static_value {
    enum static_type type;
    uint32_t n;
    union {
        int64_t i;
        double d;
        struct str s;
        const struct static_value *list;
    };
};

/* ---- attributes ---- */

enum attr_scope {
    SCOPE_ANY, /* .name: of the span, else of the resource, else of the instrumentation */
    SCOPE_SPAN,
    SCOPE_RESOURCE,
    SCOPE_INSTRUMENTATION,
    SCOPE_EVENT,
    SCOPE_LINK,
    SCOPE_INTRINSIC,
};

enum span_intrinsic {
    SPAN_NAME,
    SPAN_STATUS,
    SPAN_STATUS_MESSAGE,
    SPAN_KIND,
    SPAN_DURATION,
    SPAN_ID,
    SPAN_PARENT_ID,
    SPAN_CHILD_COUNT,
    SPAN_IS_ROOT, /* made by the parser of nestedSetParent < 0: needs no tree */
    TRACE_ID,
    TRACE_DURATION,
    TRACE_ROOT_NAME,
    TRACE_ROOT_SERVICE,
    NESTED_LEFT,
    NESTED_RIGHT,
    NESTED_PARENT,
    EVENT_NAME,
    EVENT_TIME_SINCE_START,
    LINK_TRACE_ID,
    LINK_SPAN_ID,
    INSTRUMENTATION_NAME,
    INSTRUMENTATION_VERSION,
    SPAN_INTRINSICS
};

struct attr_ref {
    enum attr_scope scope;
    bool of_parent; /* parent.name: of the span above */
    enum span_intrinsic intrinsic;
    struct str name;
    uint32_t uses; /* 0: the parser found a way without it */
};

struct intrinsic_spelling {
    const char *text;
    enum span_intrinsic intrinsic;
};
/* Those with a colon first; the last has text NULL. */
extern const struct intrinsic_spelling intrinsic_spellings[];
const char *intrinsic_text(enum span_intrinsic);
enum static_type intrinsic_type(enum span_intrinsic);
bool intrinsic_needs_trace(enum span_intrinsic); /* cannot be told from the span alone */

/* ---- expressions on a span ---- */

enum tq_op {
    TQ_AND,
    TQ_OR,
    TQ_EQ,
    TQ_NE,
    TQ_LT,
    TQ_LE,
    TQ_GT,
    TQ_GE,
    TQ_RE,
    TQ_NOT_RE,
    TQ_ADD,
    TQ_SUB,
    TQ_MUL,
    TQ_DIV,
    TQ_MOD,
    TQ_POW,
    TQ_NOT, /* unary; so is TQ_NEG */
    TQ_NEG,
};
const char *tq_op_text(enum tq_op);

enum field_kind { EXPR_STATIC, EXPR_REF, EXPR_UNARY, EXPR_BINARY };

struct field_expr {
    enum field_kind kind;
    enum tq_op op;
    struct static_value value; /* STATIC */
    uint32_t attr;             /* REF: number in the query's attrs */
    struct regex *re;          /* of =~ and !~ */
    struct field_expr *left, *right;
    uint32_t pos;
};

/* ---- expressions on a set of spans ---- */

enum aggregate { FOLD_COUNT, FOLD_AVG, FOLD_MIN, FOLD_MAX, FOLD_SUM };

enum scalar_kind { SCALAR_STATIC, SCALAR_AGGREGATE, SCALAR_BINARY };

struct scalar_expr {
    enum scalar_kind kind;
    struct static_value value;
    enum aggregate agg;
    struct field_expr *of; /* NULL: count() */
    enum tq_op op;
    struct scalar_expr *left, *right;
};

enum relation { REL_AND, REL_OR, REL_CHILD, REL_PARENT, REL_DESCENDANT, REL_ANCESTOR, REL_SIBLING };
enum relation_mode { MODE_PLAIN, MODE_NOT, MODE_UNION };

enum spanset_kind { SPANSET_FILTER, SPANSET_RELATION, SPANSET_PIPELINE };

struct spanset_expr {
    enum spanset_kind kind;
    struct field_expr *filter; /* NULL: {} */
    enum relation relation;
    enum relation_mode mode;
    struct spanset_expr *left, *right;
    struct pipeline *pipeline;
};

enum stage_kind { STAGE_SPANSET, STAGE_SCALAR, STAGE_BY, STAGE_COALESCE, STAGE_SELECT };

struct stage {
    enum stage_kind kind;
    struct spanset_expr *spanset;
    struct scalar_expr *left, *right; /* SCALAR: left op right */
    enum tq_op op;
    struct field_expr *by;
    uint32_t *select; /* numbers of attributes */
    size_t n_select;
    struct stage *next;
};

struct pipeline {
    struct stage *first;
};

/* ---- metrics ---- */

enum metric_kind {
    METRIC_NONE,
    METRIC_RATE,
    METRIC_COUNT,
    METRIC_MIN,
    METRIC_MAX,
    METRIC_AVG,
    METRIC_SUM,
    METRIC_QUANTILE,
    METRIC_HISTOGRAM,
    METRIC_COMPARE,
};

#define QUANTILES_MAX 20
#define BY_MAX        5

struct second_stage { /* topk(n), bottomk(n), > 5 */
    enum { SECOND_TOPK, SECOND_BOTTOMK, SECOND_COMPARE } kind;
    int64_t n;
    enum tq_op op;
    double value;
    struct second_stage *next;
};

struct metrics {
    enum metric_kind kind;
    uint32_t attr; /* of min, max, avg, sum, quantile, histogram */
    double quantile[QUANTILES_MAX];
    size_t n_quantiles;
    uint32_t by[BY_MAX];
    size_t n_by;
    struct field_expr *selection; /* COMPARE; NULL: all */
    int64_t top, from_ns, to_ns;  /* COMPARE; times 0: none */
    struct second_stage *second;
};

struct hint {
    struct str name, value; /* value as it was written */
    struct hint *next;
};

struct traceql_query {
    struct pipeline pipeline;
    struct metrics metrics;
    struct hint *hints;
    struct attr_ref *attrs;
    size_t n_attrs, cap_attrs;
    struct regex **regexes;
    size_t n_regexes, cap_regexes;
    struct arena *arena;
};
