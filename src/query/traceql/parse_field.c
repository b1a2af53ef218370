/* tq_parse_field.c - expressions on one span: what stands within { }, by( ) and the aggregates. */
#include <math.h>

#include "base/check.h"
#include "base/clock.h"
#include "model/record.h"
#include "query/traceql/parser.h"

/* Compiling what a stranger sends, all patterns of a query together. */
#define REGEX_BUDGET_NS 500000000

/* ---- leaves ---- */

static bool same_attr(const struct attr_ref *a, const struct attr_ref *b)
{
    return a->scope == b->scope && a->of_parent == b->of_parent && a->intrinsic == b->intrinsic &&
           str_eq(a->name, b->name);
}

static bool number_of_attr(struct traceql_parser *p, const struct attr_ref *a, uint32_t pos, uint32_t *number)
{
    struct traceql_query *q = p->query;
    for (uint32_t i = 0; i < q->n_attrs; i++) {
        if (!same_attr(&q->attrs[i], a)) continue;
        *number = i;
        q->attrs[i].uses++;
        return true;
    }
    if (q->n_attrs == TRACEQL_ATTRS_MAX)
        return tq_parse_fail(p, ERR_LIMIT, pos, "more than %d attributes in one query", TRACEQL_ATTRS_MAX);
    q->attrs = arena_grow(p->arena, q->attrs, q->n_attrs, &q->cap_attrs, sizeof *q->attrs);
    q->attrs[q->n_attrs] = *a;
    q->attrs[q->n_attrs].uses = 1;
    *number = (uint32_t)q->n_attrs++;
    return true;
}

bool tq_parse_attr(struct traceql_parser *p, uint32_t *number)
{
    if (p->tok.kind != LEX_ATTR) return tq_parse_unexpected(p, "an attribute");
    if (!number_of_attr(p, &p->tok.attr, p->tok.pos, number)) return false;
    tq_lex_advance(p);
    return true;
}

bool tq_parse_attr_list(struct traceql_parser *p, uint32_t *out, size_t max, size_t *n)
{
    *n = 0;
    if (!tq_lex_expect(p, "(")) return false;
    do {
        if (*n == max) return tq_parse_fail(p, ERR_LIMIT, p->tok.pos, "more than %zu attributes here", max);
        if (!tq_parse_attr(p, &out[(*n)++])) return false;
    } while (tq_lex_accept(p, ","));
    return tq_lex_accept(p, ")") || tq_parse_unexpected(p, "\",\" or \")\" behind an attribute");
}

static const struct {
    const char *word;
    enum static_type type;
    int64_t i;
} words[] = {
    { "true", STATIC_BOOL, 1 },
    { "false", STATIC_BOOL, 0 },
    { "nil", STATIC_NIL, 0 },
    { "unset", STATIC_STATUS, 0 },
    { "ok", STATIC_STATUS, 1 },
    { "error", STATIC_STATUS, 2 },
    { "unspecified", STATIC_KIND, SPAN_UNSPECIFIED },
    { "internal", STATIC_KIND, SPAN_INTERNAL },
    { "server", STATIC_KIND, SPAN_SERVER },
    { "client", STATIC_KIND, SPAN_CLIENT },
    { "producer", STATIC_KIND, SPAN_PRODUCER },
    { "consumer", STATIC_KIND, SPAN_CONSUMER },
};

static struct field_expr *new_expr(struct traceql_parser *p, enum field_kind kind, uint32_t pos)
{
    if (!tq_parse_count(p)) return NULL;
    struct field_expr *x = arena_zero(p->arena, sizeof *x);
    x->kind = kind;
    x->pos = pos;
    return x;
}

static struct field_expr *new_static(struct traceql_parser *p, struct static_value v)
{
    struct field_expr *x = new_expr(p, EXPR_STATIC, p->tok.pos);
    if (x == NULL) return NULL;
    x->value = v;
    tq_lex_advance(p);
    return x;
}

static struct field_expr *parse_word(struct traceql_parser *p)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_is(p->tok.text, words[i].word))
            return new_static(p, (struct static_value){ .type = words[i].type, .i = words[i].i });
    tq_parse_fail(p, ERR_PARSE, p->tok.pos,
                  "unknown name \"%.*s\": attributes begin with a scope or a dot, as .%.*s",
                  (int)MIN(p->tok.text.n, (size_t)60), p->tok.text.p, (int)MIN(p->tok.text.n, (size_t)60),
                  p->tok.text.p);
    return NULL;
}

static struct field_expr *parse_group(struct traceql_parser *p)
{
    tq_lex_advance(p);
    if (!tq_parse_enter(p)) return NULL;
    struct field_expr *x = tq_parse_field(p);
    p->depth--;
    return x != NULL && tq_lex_expect(p, ")") ? x : NULL;
}

static struct field_expr *parse_leaf(struct traceql_parser *p)
{
    if (tq_lex_at(p, "(")) return parse_group(p);
    if (p->tok.kind == LEX_STATIC) return new_static(p, p->tok.value);
    if (p->tok.kind == LEX_WORD) return parse_word(p);
    if (p->tok.kind == LEX_ATTR) {
        struct field_expr *x = new_expr(p, EXPR_REF, p->tok.pos);
        return x != NULL && tq_parse_attr(p, &x->attr) ? x : NULL;
    }
    tq_parse_unexpected(p, "an attribute or a value");
    return NULL;
}

/* ---- operators ---- */

static const enum tq_op logic_ops[] = { TQ_AND, TQ_OR };
static const enum tq_op compare_ops[] = { TQ_EQ, TQ_NE, TQ_LT, TQ_LE, TQ_GT, TQ_GE, TQ_RE, TQ_NOT_RE };
static const enum tq_op sum_ops[] = { TQ_ADD, TQ_SUB };
static const enum tq_op product_ops[] = { TQ_MUL, TQ_DIV, TQ_MOD };

bool tq_parse_op(const struct traceql_parser *p, const enum tq_op *ops, size_t n, enum tq_op *out)
{
    for (size_t i = 0; i < n; i++) {
        if (p->tok.kind != LEX_SIGN || !str_is(p->tok.text, tq_op_text(ops[i]))) continue;
        *out = ops[i];
        return true;
    }
    return false;
}

static bool compile_regex(struct traceql_parser *p, struct field_expr *x)
{
    struct traceql_query *q = p->query;
    struct err e = ERR_INIT;

    if (x->right->kind != EXPR_STATIC || x->right->value.type != STATIC_STRING)
        return tq_parse_fail(p, ERR_PARSE, x->right->pos, "a regular expression must be a string");
    if (p->regex_ns > REGEX_BUDGET_NS)
        return tq_parse_fail(p, ERR_LIMIT, x->pos,
                             "the regular expressions of this query are too large together");
    int64_t began = clock_cpu_ns();
    int rc = regex_new(x->right->value.s, &x->re, &e);
    p->regex_ns += clock_cpu_ns() - began;
    if (rc < 0) return tq_parse_fail(p, rc, x->right->pos, "%s", e.text);
    q->regexes = arena_grow(p->arena, q->regexes, q->n_regexes, &q->cap_regexes, sizeof *q->regexes);
    q->regexes[q->n_regexes++] = x->re;
    return true;
}

static struct field_expr *new_binary(struct traceql_parser *p, enum tq_op op, uint32_t pos,
                                     struct field_expr *left, struct field_expr *right)
{
    struct field_expr *x = left != NULL && right != NULL ? new_expr(p, EXPR_BINARY, pos) : NULL;
    if (x == NULL) return NULL;
    x->op = op;
    x->left = left;
    x->right = right;
    if ((op == TQ_RE || op == TQ_NOT_RE) && !compile_regex(p, x)) return NULL;
    return x;
}

typedef struct field_expr *operand_fn(struct traceql_parser *);

static struct field_expr *parse_left(struct traceql_parser *p, const enum tq_op *ops, size_t n,
                                     operand_fn *operand)
{
    struct field_expr *x = operand(p);
    enum tq_op op;

    while (x != NULL && tq_parse_op(p, ops, n, &op)) {
        uint32_t pos = p->tok.pos;
        tq_lex_advance(p);
        x = new_binary(p, op, pos, x, operand(p));
    }
    return x;
}

static struct field_expr *parse_unary(struct traceql_parser *p, enum tq_op op, operand_fn *operand)
{
    struct field_expr *x = new_expr(p, EXPR_UNARY, p->tok.pos);
    if (x == NULL || !tq_parse_enter(p)) return NULL;
    x->op = op;
    tq_lex_advance(p);
    x->left = operand(p);
    p->depth--;
    return x->left != NULL ? x : NULL;
}

static struct field_expr *parse_power(struct traceql_parser *);
static struct field_expr *parse_product(struct traceql_parser *);

/* From the right: 2 ^ 3 ^ 2 is 2 ^ (3 ^ 2). A minus reaches over ^ and *, a ! over all but sums. */
static struct field_expr *parse_power(struct traceql_parser *p)
{
    if (tq_lex_at(p, "-")) return parse_unary(p, TQ_NEG, parse_product);
    if (tq_lex_at(p, "!")) return parse_unary(p, TQ_NOT, parse_product);
    struct field_expr *x = parse_leaf(p);
    if (x == NULL || !tq_lex_at(p, "^")) return x;
    uint32_t pos = p->tok.pos;
    tq_lex_advance(p);
    if (!tq_parse_enter(p)) return NULL;
    struct field_expr *right = parse_power(p);
    p->depth--;
    return new_binary(p, TQ_POW, pos, x, right);
}

static struct field_expr *parse_product(struct traceql_parser *p)
{
    return parse_left(p, product_ops, COUNT(product_ops), parse_power);
}

static struct field_expr *parse_sum(struct traceql_parser *p)
{
    return parse_left(p, sum_ops, COUNT(sum_ops), parse_product);
}

static bool is_attr(const struct traceql_parser *p, const struct field_expr *x, enum span_intrinsic intrinsic)
{
    return x->kind == EXPR_REF && p->query->attrs[x->attr].scope == SCOPE_INTRINSIC &&
           !p->query->attrs[x->attr].of_parent && p->query->attrs[x->attr].intrinsic == intrinsic;
}

/* nestedSetParent < 0 is how everyone asks for root spans; no tree is needed to tell one. */
static struct field_expr *as_root_test(struct traceql_parser *p, struct field_expr *x)
{
    static const struct attr_ref is_root = { .scope = SCOPE_INTRINSIC, .intrinsic = SPAN_IS_ROOT };
    if (x->kind != EXPR_BINARY || x->right->kind != EXPR_STATIC) return x;
    const struct static_value *v = &x->right->value;
    if (v->type != STATIC_INT) return x;
    if (!is_attr(p, x->left, NESTED_PARENT)) return x;
    if (!(x->op == TQ_LT && v->i == 0) && !(x->op == TQ_EQ && v->i == -1)) return x;
    p->query->attrs[x->left->attr].uses--;
    struct field_expr *ref = new_expr(p, EXPR_REF, x->pos);
    return ref != NULL && number_of_attr(p, &is_root, x->pos, &ref->attr) ? ref : NULL;
}

struct field_expr *tq_parse_comparison(struct traceql_parser *p)
{
    struct field_expr *x = parse_left(p, compare_ops, COUNT(compare_ops), parse_sum);
    return x == NULL ? NULL : as_root_test(p, x);
}

struct field_expr *tq_parse_field(struct traceql_parser *p)
{
    return parse_left(p, logic_ops, COUNT(logic_ops), tq_parse_comparison);
}

bool tq_parse_number(struct traceql_parser *p, double *out)
{
    bool minus = tq_lex_accept(p, "-");
    const struct static_value *v = &p->tok.value;

    if (p->tok.kind != LEX_STATIC || v->type == STATIC_STRING) return tq_parse_unexpected(p, "a number");
    *out = v->type == STATIC_FLOAT ? v->d : v->type == STATIC_DURATION ? (double)v->i / 1e9 : (double)v->i;
    if (minus) *out = -*out;
    tq_lex_advance(p);
    return true;
}
