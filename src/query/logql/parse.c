/* parse.c - the metric part of LogQL: range aggregations, vector aggregations, operators; and the whole. */
#include "query/logql/parse.h"

#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "query/logql/parser.h"
#include "query/promql/parse.h"
#include "query/template.h"

static struct expr *parse_expr(struct logql_parser *, int min_binding);

static struct expr *expr_new(struct logql_parser *p, enum expr_kind kind, uint32_t pos)
{
    struct expr *x = arena_zero(p->arena, sizeof *x);
    x->kind = kind;
    x->pos = pos;
    return x;
}

const struct expr *logql_bare(const struct expr *x)
{
    while (x->kind == EXPR_PAREN) x = x->child;
    return x;
}

bool logql_is_log(const struct expr *x)
{
    return logql_bare(x)->kind == EXPR_LOG;
}

static bool is_scalar(const struct expr *x)
{
    x = logql_bare(x);
    return x->kind == EXPR_NUMBER || (x->kind == EXPR_BINARY && is_scalar(x->left) && is_scalar(x->right));
}

/* ---- small pieces ---- */

static bool take_number(struct logql_parser *p, double *out)
{
    bool negative = logql_at(p, "-");
    if (negative || logql_at(p, "+")) logql_advance(p);
    if (p->tok.kind != LEX_NUMBER || !float_parse(p->tok.text, out) || !isfinite(*out))
        return logql_unexpected(p, "a number"), false;
    if (negative) *out = -*out;
    logql_advance(p);
    return true;
}

/* (a, b, c) */
static bool take_name_list(struct logql_parser *p, struct str **out, size_t *n)
{
    size_t cap = 0;
    if (!logql_expect(p, "(")) return false;
    while (!logql_at(p, ")")) {
        if (!logql_count_term(p)) return false;
        *out = arena_grow(p->arena, *out, *n, &cap, sizeof **out);
        if (!logql_take_name(p, &(*out)[*n])) return false;
        ++*n;
        if (!logql_accept(p, ",") && !logql_at(p, ")")) return logql_unexpected(p, ", or )"), false;
    }
    logql_advance(p);
    return true;
}

static bool at_grouping(const struct logql_parser *p)
{
    return logql_at(p, "by") || logql_at(p, "without");
}

static bool take_grouping(struct logql_parser *p, struct grouping *g)
{
    if (g->by || g->without) return logql_unexpected(p, NULL), false;
    g->by = logql_at(p, "by");
    g->without = !g->by;
    logql_advance(p);
    return take_name_list(p, &g->names, &g->n);
}

static bool take_duration(struct logql_parser *p, int64_t *ns)
{
    bool negative = logql_accept(p, "-");
    if (p->tok.kind != LEX_NUMBER || !logql_duration(p->tok.text, ns))
        return logql_unexpected(p, "a duration"), false;
    if (negative) *ns = -*ns;
    if (*ns > LOGQL_SPAN_MAX_NS || *ns < -LOGQL_SPAN_MAX_NS)
        return logql_fail(p, p->tok.pos, "durations of more than 20 years are not allowed"), false;
    logql_advance(p);
    return true;
}

/* ---- range aggregations ---- */

static const struct {
    const char *word;
    enum range_op op;
    bool of_lines, of_values; /* without, with unwrap */
    bool groups;              /* by and without are allowed */
} range_ops[] = {
    { "rate", RANGE_RATE, true, true, false },
    { "rate_counter", RANGE_RATE_COUNTER, false, true, false },
    { "count_over_time", RANGE_COUNT, true, false, false },
    { "bytes_rate", RANGE_BYTES_RATE, true, false, false },
    { "bytes_over_time", RANGE_BYTES, true, false, false },
    { "absent_over_time", RANGE_ABSENT, true, true, false },
    { "sum_over_time", RANGE_SUM, false, true, false },
    { "avg_over_time", RANGE_AVG, false, true, true },
    { "min_over_time", RANGE_MIN, false, true, true },
    { "max_over_time", RANGE_MAX, false, true, true },
    { "first_over_time", RANGE_FIRST, false, true, true },
    { "last_over_time", RANGE_LAST, false, true, true },
    { "stddev_over_time", RANGE_STDDEV, false, true, true },
    { "stdvar_over_time", RANGE_STDVAR, false, true, true },
    { "quantile_over_time", RANGE_QUANTILE, false, true, true },
};

struct str range_op_text(enum range_op op)
{
    for (size_t i = 0; i < COUNT(range_ops); i++)
        if (range_ops[i].op == op) return str_of(range_ops[i].word);
    return STR("");
}

static bool require_selective(struct logql_parser *p, const struct log_expr *log, uint32_t pos)
{
    for (size_t i = 0; i < log->n_matchers; i++)
        if (!matcher_matches_empty(&log->matchers[i])) return true;
    logql_fail(
        p, pos,
        "a selector needs at least one matcher that no empty value satisfies: app=~\".*\" does not do, "
        "app=~\".+\" does");
    return false;
}

static bool take_range(struct logql_parser *p, struct expr *x)
{
    uint32_t pos = p->tok.pos;
    if (x->range_ns != 0) return logql_unexpected(p, NULL), false;
    logql_advance(p);
    if (!take_duration(p, &x->range_ns) || !logql_expect(p, "]")) return false;
    if (x->range_ns <= 0) return logql_fail(p, pos, "a range must be longer than 0"), false;
    return true;
}

static bool take_range_stage(struct logql_parser *p, struct expr *x)
{
    struct stage **filters = &x->unwrap.filters;
    bool unwrapped = x->unwrap.name.n > 0;
    struct stage *s = logql_parse_stage(p, unwrapped ? NULL : &x->unwrap);
    if (s == NULL) return false;
    if (!unwrapped && x->unwrap.name.n > 0) return true; /* that was it */
    if (!unwrapped) return logql_append(x->log, s), true;
    if (s->kind != STAGE_LABEL_FILTER)
        return logql_fail(p, s->pos, "only label filters may follow unwrap"), false;
    while (*filters) filters = &(*filters)->next;
    *filters = s;
    return true;
}

/* {selector}, [range], offset and stages, in any order the language allows; perhaps in parentheses. */
static bool take_log_range(struct logql_parser *p, struct expr *x)
{
    int parens = 0;
    uint32_t pos;
    bool has_offset = false;
    for (; logql_accept(p, "("); parens++)
        if (!logql_enter(p)) return false;
    p->depth -= parens;
    pos = p->tok.pos;
    if ((x->log = logql_parse_matchers(p)) == NULL || !require_selective(p, x->log, pos)) return false;
    for (;;) {
        if (logql_at(p, "[")) {
            if (!take_range(p, x)) return false;
        } else if (logql_at(p, "offset") && x->range_ns != 0 && !has_offset) {
            logql_advance(p);
            has_offset = true;
            if (!take_duration(p, &x->offset_ns)) return false;
        } else if (logql_at_stage(p)) {
            if (!take_range_stage(p, x)) return false;
        } else if (parens > 0 && logql_at(p, ")")) {
            logql_advance(p);
            parens--;
        } else {
            break;
        }
    }
    if (logql_at(p, "@")) return logql_fail(p, p->tok.pos, "LogQL has no @ modifier"), false;
    if (parens > 0) return logql_unexpected(p, ")"), false;
    return x->range_ns != 0 || (logql_unexpected(p, "a range like [5m]"), false);
}

static bool check_range(struct logql_parser *p, const struct expr *x, size_t i)
{
    bool unwraps = x->unwrap.name.n > 0, grouped = x->grouping.by || x->grouping.without;
    if (grouped && !range_ops[i].groups)
        return logql_fail(p, x->pos, "grouping not allowed for %s aggregation", range_ops[i].word), false;
    if (unwraps ? !range_ops[i].of_values : !range_ops[i].of_lines)
        return logql_fail(p, x->pos, "invalid aggregation %s %s unwrap", range_ops[i].word,
                          unwraps ? "with" : "without"),
               false;
    if (x->range_op == RANGE_QUANTILE && !x->has_param)
        return logql_fail(p, x->pos, "parameter required for operation quantile_over_time"), false;
    if (x->range_op != RANGE_QUANTILE && x->has_param)
        return logql_fail(p, x->pos, "parameter not supported for operation %s", range_ops[i].word), false;
    return true;
}

static struct expr *parse_range(struct logql_parser *p, size_t i)
{
    struct expr *x = expr_new(p, EXPR_RANGE, p->tok.pos);
    x->range_op = range_ops[i].op;
    logql_advance(p);
    if (!logql_expect(p, "(")) return NULL;
    x->has_param = !logql_at(p, "(") && !logql_at(p, "{");
    if (x->has_param && (!take_number(p, &x->param) || !logql_expect(p, ","))) return NULL;
    if (!take_log_range(p, x) || !logql_expect(p, ")")) return NULL;
    if (at_grouping(p) && !take_grouping(p, &x->grouping)) return NULL;
    return check_range(p, x, i) ? x : NULL;
}

/* ---- vector aggregations ---- */

static const struct {
    const char *word;
    enum promql_agg agg;
    bool has_param, approx;
} aggregations[] = {
    { "sum", AGG_SUM, false, false },        { "avg", AGG_AVG, false, false },
    { "min", AGG_MIN, false, false },        { "max", AGG_MAX, false, false },
    { "count", AGG_COUNT, false, false },    { "stddev", AGG_STDDEV, false, false },
    { "stdvar", AGG_STDVAR, false, false },  { "topk", AGG_TOPK, true, false },
    { "bottomk", AGG_BOTTOMK, true, false }, { "approx_topk", AGG_TOPK, true, true },
};

static struct expr *parse_metric_child(struct logql_parser *p)
{
    uint32_t pos = p->tok.pos;
    struct expr *x = parse_expr(p, 0);
    if (x == NULL || !logql_is_log(x)) return x;
    logql_fail(p, pos,
               "a log query cannot be aggregated; use a range aggregation like count_over_time(...[5m])");
    return NULL;
}

static bool take_k(struct logql_parser *p, struct expr *x)
{
    if (!take_number(p, &x->param)) return false;
    x->has_param = true;
    if (!(x->param > 0 && x->param <= 1e9) || x->param != (double)(int64_t)x->param)
        return logql_fail(p, x->pos, "invalid parameter: a whole number above 0 is needed"), false;
    return logql_expect(p, ",");
}

static struct expr *parse_aggregation(struct logql_parser *p, size_t i)
{
    struct expr *x = expr_new(p, EXPR_AGGREGATE, p->tok.pos);
    x->agg = aggregations[i].agg;
    x->approx = aggregations[i].approx;
    logql_advance(p);
    if (at_grouping(p) && !take_grouping(p, &x->grouping)) return NULL;
    if (!logql_expect(p, "(") || (aggregations[i].has_param && !take_k(p, x))) return NULL;
    if ((x->child = parse_metric_child(p)) == NULL || !logql_expect(p, ")")) return NULL;
    if (at_grouping(p) && !take_grouping(p, &x->grouping)) return NULL;
    if (x->approx && (x->grouping.by || x->grouping.without))
        return logql_fail(p, x->pos, "grouping not allowed for approx_topk aggregation"), NULL;
    if (is_scalar(x->child)) return logql_fail(p, x->pos, "a number cannot be aggregated"), NULL;
    return x;
}

static struct expr *parse_sort(struct logql_parser *p)
{
    struct expr *x = expr_new(p, EXPR_SORT, p->tok.pos);
    x->descending = logql_at(p, "sort_desc");
    logql_advance(p);
    if (!logql_expect(p, "(") || (x->child = parse_metric_child(p)) == NULL || !logql_expect(p, ")"))
        return NULL;
    if (at_grouping(p)) return logql_fail(p, x->pos, "sort and sort_desc do not allow grouping"), NULL;
    if (is_scalar(x->child)) return logql_fail(p, x->pos, "a number cannot be sorted"), NULL;
    return x;
}

/* ---- functions ---- */

static struct expr *parse_label_replace(struct logql_parser *p)
{
    struct expr *x = expr_new(p, EXPR_LABEL_REPLACE, p->tok.pos);
    logql_advance(p);
    if (!logql_expect(p, "(") || (x->child = parse_metric_child(p)) == NULL) return NULL;
    for (size_t i = 0; i < COUNT(x->replace); i++)
        if (!logql_expect(p, ",") || !logql_take_string(p, &x->replace[i])) return NULL;
    if (is_scalar(x->child)) return logql_fail(p, x->pos, "a number has no labels"), NULL;
    if (logql_regex(p, x->replace[3], false, x->pos) == NULL) return NULL; /* told here, with its place */
    return logql_expect(p, ")") ? x : NULL;
}

static struct expr *parse_vector(struct logql_parser *p)
{
    struct expr *x = expr_new(p, EXPR_VECTOR, p->tok.pos);
    logql_advance(p);
    if (!logql_expect(p, "(") || !take_number(p, &x->number) || !logql_expect(p, ")")) return NULL;
    return x;
}

/* ---- operands ---- */

static struct expr *parse_log(struct logql_parser *p)
{
    struct expr *x = expr_new(p, EXPR_LOG, p->tok.pos);
    if ((x->log = logql_parse_matchers(p)) == NULL || !require_selective(p, x->log, x->pos)) return NULL;
    while (logql_at_stage(p)) {
        struct stage *s = logql_parse_stage(p, NULL);
        if (s == NULL) return NULL;
        logql_append(x->log, s);
    }
    return x;
}

static struct expr *parse_word(struct logql_parser *p)
{
    for (size_t i = 0; i < COUNT(range_ops); i++)
        if (logql_at(p, range_ops[i].word)) return parse_range(p, i);
    for (size_t i = 0; i < COUNT(aggregations); i++)
        if (logql_at(p, aggregations[i].word)) return parse_aggregation(p, i);
    if (logql_at(p, "sort") || logql_at(p, "sort_desc")) return parse_sort(p);
    if (logql_at(p, "label_replace")) return parse_label_replace(p);
    if (logql_at(p, "vector")) return parse_vector(p);
    if (logql_at(p, "variants")) return logql_fail(p, p->tok.pos, "variants() is not supported"), NULL;
    return logql_unexpected(p, "a selector or a function"), NULL;
}

static struct expr *parse_operand(struct logql_parser *p)
{
    struct expr *x = NULL;
    uint32_t pos = p->tok.pos;
    if (!logql_enter(p)) return NULL;
    if (logql_accept(p, "(")) {
        x = expr_new(p, EXPR_PAREN, pos);
        if ((x->child = parse_expr(p, 0)) == NULL || !logql_expect(p, ")")) x = NULL;
    } else if (logql_at(p, "{")) {
        x = parse_log(p);
    } else if (p->tok.kind == LEX_NUMBER || logql_at(p, "-") || logql_at(p, "+")) {
        x = expr_new(p, EXPR_NUMBER, pos);
        if (!take_number(p, &x->number)) x = NULL;
    } else {
        x = parse_word(p);
    }
    p->depth--;
    return x;
}

/* ---- operators ---- */

static const struct {
    const char *sign;
    enum promql_op op;
    int binding;
} operators[] = {
    { "or", OP_OR, 1 },  { "and", OP_AND, 2 }, { "unless", OP_UNLESS, 2 }, { "==", OP_EQ, 3 },
    { "!=", OP_NEQ, 3 }, { ">", OP_GT, 3 },    { ">=", OP_GTE, 3 },        { "<", OP_LT, 3 },
    { "<=", OP_LTE, 3 }, { "+", OP_ADD, 4 },   { "-", OP_SUB, 4 },         { "*", OP_MUL, 5 },
    { "/", OP_DIV, 5 },  { "%", OP_MOD, 5 },   { "^", OP_POW, 6 },
};

static int at_operator(const struct logql_parser *p)
{
    for (size_t i = 0; i < COUNT(operators); i++)
        if (logql_at(p, operators[i].sign)) return (int)i;
    return -1;
}

static bool take_matching(struct logql_parser *p, struct expr *x)
{
    x->return_bool = logql_accept(p, "bool");
    if (!logql_at(p, "on") && !logql_at(p, "ignoring")) return true;
    x->has_matching = true;
    x->on = logql_at(p, "on");
    logql_advance(p);
    if (!take_name_list(p, &x->match_labels, &x->n_match_labels)) return false;
    if (!logql_at(p, "group_left") && !logql_at(p, "group_right")) return true;
    x->card = logql_at(p, "group_left") ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
    logql_advance(p);
    return !logql_at(p, "(") || take_name_list(p, &x->include, &x->n_include);
}

static bool check_binary(struct logql_parser *p, struct expr *x)
{
    bool is_set = x->op >= OP_AND, compares = x->op >= OP_EQ && x->op <= OP_LTE;
    if (logql_is_log(x->left) || logql_is_log(x->right))
        return logql_fail(p, x->pos, "unexpected log query as a leg of a binary operation (%.*s)",
                          STR_ARG(promql_op_text(x->op))),
               false;
    if (is_set && (is_scalar(x->left) || is_scalar(x->right)))
        return logql_fail(p, x->pos, "unexpected number as a leg of a logical/set binary operation (%.*s)",
                          STR_ARG(promql_op_text(x->op))),
               false;
    if (x->return_bool && !compares)
        return logql_fail(p, x->pos, "bool modifier can only be used on comparison operators"), false;
    if (is_set && x->card != CARD_ONE_TO_ONE)
        return logql_fail(p, x->pos, "no grouping allowed for set operations"), false;
    if (x->has_matching && (is_scalar(x->left) || is_scalar(x->right)))
        return logql_fail(p, x->pos, "vector matching only allowed between vectors"), false;
    if (is_set) x->card = CARD_MANY_TO_MANY;
    return true;
}

static struct expr *parse_expr(struct logql_parser *p, int min_binding)
{
    struct expr *left = parse_operand(p);
    int i;
    while (left != NULL && (i = at_operator(p)) >= 0 && operators[i].binding >= min_binding) {
        struct expr *x = expr_new(p, EXPR_BINARY, p->tok.pos);
        x->op = operators[i].op;
        x->left = left;
        logql_advance(p);
        if (!take_matching(p, x)) return NULL;
        if (++p->n_operators > LOGQL_OPERATORS_MAX)
            return logql_fail(p, x->pos, "more than %d operators", LOGQL_OPERATORS_MAX), NULL;
        if (!logql_enter(p)) return NULL;
        x->right = parse_expr(p, operators[i].binding + (x->op != OP_POW)); /* ^ binds to the right */
        p->depth--;
        if (x->right == NULL || !check_binary(p, x)) return NULL;
        left = x;
    }
    return left;
}

/* ---- the whole ---- */

void logql_query_release(struct logql_query *q)
{
    for (size_t i = 0; i < q->n_regexes; i++) regex_free(q->regexes[i]);
    for (size_t i = 0; i < q->n_templates; i++) template_free(q->templates[i]);
    *q = (struct logql_query){ 0 };
}

static int parser_init(struct logql_parser *p, struct str text, struct arena *a, struct logql_query *q,
                       struct err *e)
{
    *q = (struct logql_query){ .arena = a };
    if (text.n > LOGQL_TEXT_MAX)
        return err_set(e, ERR_LIMIT, "query of %zu bytes; at most %u are allowed", text.n, LOGQL_TEXT_MAX);
    if (!str_utf8_valid(text)) return err_set(e, ERR_PARSE, "parse error : the query is not valid UTF-8");
    q->text = arena_str(a, text);
    *p = (struct logql_parser){ .text = q->text, .query = q, .arena = a, .err = e };
    logql_advance(p);
    return OK;
}

static int finish(struct logql_parser *p, struct logql_query *q)
{
    if (p->err->code == OK && p->tok.kind != LEX_END) logql_unexpected(p, NULL);
    int rc = p->err->code;
    if (rc < 0) logql_query_release(q);
    return rc;
}

int logql_parse(struct str text, struct arena *a, struct logql_query *out, struct err *e)
{
    struct err own = ERR_INIT;
    struct logql_parser p;
    int rc = parser_init(&p, text, a, out, &own);
    if (rc == OK) {
        out->root = parse_expr(&p, 0);
        rc = finish(&p, out);
    }
    if (rc < 0) return err_set(e, rc, "%s", own.text);
    return OK;
}

int logql_parse_selector(struct str text, struct arena *a, struct logql_query *out, struct err *e)
{
    struct err own = ERR_INIT;
    struct logql_parser p;
    int rc = parser_init(&p, text, a, out, &own);
    if (rc == OK) {
        struct stage *s = NULL;
        struct expr *x = expr_new(&p, EXPR_LOG, 0);
        x->log = logql_parse_matchers(&p);
        while (x->log && logql_at_stage(&p) && (s = logql_parse_stage(&p, NULL)) != NULL)
            logql_append(x->log, s);
        out->root = x;
        rc = finish(&p, out);
    }
    if (rc < 0) return err_set(e, rc, "%s", own.text);
    return OK;
}
