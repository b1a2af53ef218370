/* ast.h - a LogQL query as a tree. Made by parse.c, read by the planner, the pipeline, the printer.
 *
 * Everything lives in the arena it was parsed into and never changes afterwards. Compiled regular expressions
 * and templates hang on a list of the query, so that one call releases them (logql_query_release).
 * Positions are byte offsets into the query text. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/regex.h"
#include "model/matcher.h"
#include "query/promql/ast.h"

#define LOGQL_SPAN_MAX_NS   (20 * 365 * 86400 * (int64_t)1000000000) /* of ranges and offsets */
#define LOGQL_TEXT_MAX      (128u << 10)
#define LOGQL_DEPTH_MAX     100 /* parentheses, calls and operators within each other */
#define LOGQL_OPERATORS_MAX 200
#define LOGQL_STAGES_MAX    200  /* of one pipeline */
#define LOGQL_TERMS_MAX     1000 /* filters, names and label expressions of one query */

struct ip_set;       /* ip.h */
struct line_pattern; /* pattern.h */
struct template;     /* query/template.h */
struct json_path;    /* stage_json.c */

/* ---- line filters ---- */

enum line_op { LINE_HAS, LINE_HAS_NOT, LINE_RE, LINE_NOT_RE, LINE_PATTERN, LINE_NOT_PATTERN };

static inline bool line_op_is_negative(enum line_op op)
{
    return op == LINE_HAS_NOT || op == LINE_NOT_RE || op == LINE_NOT_PATTERN;
}

struct line_term { /* one of those joined by `or` */
    struct str text;
    bool is_ip;
    struct regex *re;
    struct ip_set *ip;
    struct line_pattern *pattern;
};

/* ---- label filters ---- */

enum label_filter_kind {
    FILTER_AND,
    FILTER_OR,
    FILTER_STRING,
    FILTER_NUMBER,
    FILTER_DURATION,
    FILTER_BYTES,
    FILTER_IP
};
enum compare_op { CMP_EQ, CMP_NE, CMP_GT, CMP_GE, CMP_LT, CMP_LE };

struct label_filter {
    enum label_filter_kind kind;
    struct str name;
    enum compare_op op;     /* NUMBER, DURATION (ns), BYTES; IP: EQ or NE */
    double number;          /* what it is compared with */
    struct str text;        /* as it was written: 10s, 5KB, the address */
    struct matcher matcher; /* STRING */
    struct ip_set *ip;
    struct label_filter *left, *right; /* AND, OR */
};

/* ---- stages ---- */

enum stage_kind {
    STAGE_LINE_FILTER,
    STAGE_LABEL_FILTER,
    STAGE_JSON,
    STAGE_LOGFMT,
    STAGE_REGEXP,
    STAGE_PATTERN,
    STAGE_UNPACK,
    STAGE_LINE_FORMAT,
    STAGE_LABEL_FORMAT,
    STAGE_DECOLORIZE,
    STAGE_DROP,
    STAGE_KEEP,
};

struct label_expr { /* json, logfmt: name="expression"; label_format: name=other or name="template" */
    struct str name, text;
    bool renames; /* label_format name=other */
    struct template *tmpl;
    struct json_path *path;
};

struct name_or_matcher { /* drop, keep */
    struct str name;
    bool has_matcher;
    struct matcher matcher;
};

struct stage {
    enum stage_kind kind;
    struct stage *next;
    uint32_t pos;
    /* LINE_FILTER */
    enum line_op op;
    struct line_term *terms;
    size_t n_terms;
    /* LABEL_FILTER */
    struct label_filter *filter;
    /* JSON, LOGFMT, LABEL_FORMAT */
    struct label_expr *exprs;
    size_t n_exprs;
    bool strict, keep_empty; /* LOGFMT */
    /* REGEXP, PATTERN, LINE_FORMAT */
    struct str text;
    struct regex *re;
    struct str *group_names; /* by group; empty: none */
    size_t n_groups;
    struct line_pattern *pattern;
    struct template *tmpl;
    /* DROP, KEEP */
    struct name_or_matcher *names;
    size_t n_names;
};

struct log_expr { /* {selector} | pipeline */
    struct matcher *matchers;
    size_t n_matchers;
    struct stage *stages;
    size_t n_stages;
};

/* ---- metric expressions ---- */

enum expr_kind {
    EXPR_LOG,
    EXPR_NUMBER,
    EXPR_RANGE,
    EXPR_AGGREGATE,
    EXPR_SORT,
    EXPR_BINARY,
    EXPR_LABEL_REPLACE,
    EXPR_VECTOR,
    EXPR_PAREN
};

enum range_op {
    RANGE_RATE,
    RANGE_RATE_COUNTER,
    RANGE_COUNT,
    RANGE_BYTES_RATE,
    RANGE_BYTES,
    RANGE_ABSENT,
    RANGE_SUM,
    RANGE_AVG,
    RANGE_MIN,
    RANGE_MAX,
    RANGE_FIRST,
    RANGE_LAST,
    RANGE_STDDEV,
    RANGE_STDVAR,
    RANGE_QUANTILE,
};

enum unwrap_conversion { UNWRAP_NUMBER, UNWRAP_DURATION, UNWRAP_DURATION_SECONDS, UNWRAP_BYTES };

struct unwrap {
    struct str name; /* empty: there is no unwrap */
    enum unwrap_conversion conversion;
    struct stage *filters; /* label filters after it */
};

struct grouping {
    bool by, without;
    struct str *names;
    size_t n;
};

struct expr {
    enum expr_kind kind;
    uint32_t pos;
    struct log_expr *log; /* LOG, RANGE */
    double number;        /* NUMBER, VECTOR */
    /* RANGE */
    enum range_op range_op;
    int64_t range_ns, offset_ns;
    struct unwrap unwrap;
    bool has_param;
    double param;             /* RANGE quantile, AGGREGATE topk, bottomk, approx_topk */
    struct grouping grouping; /* RANGE, AGGREGATE */
    /* AGGREGATE, SORT, LABEL_REPLACE, PAREN */
    struct expr *child;
    enum promql_agg agg;
    bool approx, descending;
    struct str replace[4]; /* LABEL_REPLACE: dst, replacement, src, regex */
    /* BINARY */
    struct expr *left, *right;
    enum promql_op op;
    bool return_bool, has_matching, on;
    enum promql_card card;
    struct str *match_labels, *include;
    size_t n_match_labels, n_include;
};

struct logql_query { /* a parsed text and what must be released with it */
    struct str text;
    struct expr *root;
    struct arena *arena;
    struct regex **regexes;
    size_t n_regexes, cap_regexes;
    struct template **templates;
    size_t n_templates, cap_templates;
};

/* names as they are written */
struct str range_op_text(enum range_op);
struct str compare_op_text(enum compare_op);
struct str line_op_text(enum line_op);
