/* check.c - what can be said of types before a span is seen: { 1 + "a" = 2 } is refused, { .a + 1 = 2 } is
 * not. */
#include "base/check.h"
#include "query/traceql/parser.h"

static bool is_number(enum static_type t)
{
    return t == STATIC_INT || t == STATIC_FLOAT || t == STATIC_DURATION || t == STATIC_ANY;
}

static bool is_bool(enum static_type t)
{
    return t == STATIC_BOOL || t == STATIC_ANY;
}

static bool are_comparable(enum static_type a, enum static_type b)
{
    if (a == b || a == STATIC_ANY || b == STATIC_ANY || a == STATIC_NIL || b == STATIC_NIL) return true;
    return is_number(a) && is_number(b);
}

/* The type of an operator's answer; STATIC_LIST, which no expression has: these operands it cannot take. */
static enum static_type type_of_binary(enum tq_op op, enum static_type a, enum static_type b)
{
    bool is_ordered = a != STATIC_STATUS && a != STATIC_KIND && b != STATIC_STATUS && b != STATIC_KIND;
    switch (op) {
    case TQ_AND:
    case TQ_OR: return is_bool(a) && is_bool(b) ? STATIC_BOOL : STATIC_LIST;
    case TQ_EQ:
    case TQ_NE: return are_comparable(a, b) ? STATIC_BOOL : STATIC_LIST;
    case TQ_LT:
    case TQ_LE:
    case TQ_GT:
    case TQ_GE: return is_ordered && are_comparable(a, b) ? STATIC_BOOL : STATIC_LIST;
    case TQ_RE:
    case TQ_NOT_RE: return a == STATIC_STRING || a == STATIC_ANY ? STATIC_BOOL : STATIC_LIST;
    default: break;
    }
    if (!is_number(a) || !is_number(b)) return STATIC_LIST;
    if (a == STATIC_DURATION || b == STATIC_DURATION) return STATIC_DURATION;
    return a == STATIC_ANY || b == STATIC_ANY || a == STATIC_FLOAT || b == STATIC_FLOAT ? STATIC_FLOAT
                                                                                        : STATIC_INT;
}

static enum static_type type_of_attr(const struct attr_ref *a)
{
    return a->scope == SCOPE_INTRINSIC ? intrinsic_type(a->intrinsic) : STATIC_ANY;
}

static enum static_type refuse(struct traceql_parser *p, const struct field_expr *x)
{
    tq_parse_fail(p, ERR_PARSE, x->pos, "the operator %s cannot be applied to values of these types",
                  tq_op_text(x->op));
    return STATIC_NIL;
}

/* STATIC_NIL: nil itself, or refused (then the token is an error). */
enum static_type tq_check_field(struct traceql_parser *p, const struct field_expr *x)
{
    enum static_type a, b;

    switch (x->kind) {
    case EXPR_STATIC: return x->value.type;
    case EXPR_REF: return type_of_attr(&p->query->attrs[x->attr]);
    case EXPR_UNARY:
        a = tq_check_field(p, x->left);
        if (p->tok.kind == LEX_ERROR) return STATIC_NIL;
        return x->op == TQ_NOT ? is_bool(a) ? STATIC_BOOL : refuse(p, x) : is_number(a) ? a : refuse(p, x);
    case EXPR_BINARY:
        a = tq_check_field(p, x->left);
        b = tq_check_field(p, x->right);
        if (p->tok.kind == LEX_ERROR) return STATIC_NIL;
        a = type_of_binary(x->op, a, b);
        return a == STATIC_LIST ? refuse(p, x) : a;
    }
    return STATIC_NIL;
}

bool tq_check_filter(struct traceql_parser *p, const struct field_expr *x)
{
    enum static_type t = tq_check_field(p, x);
    if (p->tok.kind == LEX_ERROR) return false;
    return is_bool(t) ||
           tq_parse_fail(p, ERR_PARSE, x->pos, "a filter must be true or false; this is neither");
}

bool tq_field_names_span(const struct field_expr *x)
{
    if (x == NULL || x->kind == EXPR_STATIC) return false;
    return x->kind == EXPR_REF || tq_field_names_span(x->left) || tq_field_names_span(x->right);
}

static bool check_side(struct traceql_parser *p, const struct scalar_expr *s, uint32_t pos,
                       bool *has_aggregate)
{
    if (s->kind == SCALAR_STATIC) return true;
    if (s->kind == SCALAR_BINARY)
        return check_side(p, s->left, pos, has_aggregate) && check_side(p, s->right, pos, has_aggregate);
    *has_aggregate = true;
    if (s->agg == FOLD_COUNT) return true;
    enum static_type t = tq_check_field(p, s->of);
    if (p->tok.kind == LEX_ERROR) return false;
    if (!is_number(t)) return tq_parse_fail(p, ERR_PARSE, s->of->pos, "an aggregate wants a number");
    return tq_field_names_span(s->of) ||
           tq_parse_fail(p, ERR_PARSE, s->of->pos, "an aggregate must speak of the span");
}

bool tq_check_scalar(struct traceql_parser *p, const struct stage *s, uint32_t pos)
{
    bool has_aggregate = false;
    if (!check_side(p, s->left, pos, &has_aggregate) || !check_side(p, s->right, pos, &has_aggregate))
        return false;
    return has_aggregate ||
           tq_parse_fail(p, ERR_PARSE, pos, "this compares numbers, but nothing of the spans");
}
