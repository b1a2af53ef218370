/* value.c - TraceQL's operators on values.
 *
 * A comparison of values that cannot be compared is false, != too: { .a != 1 } is true of no span without .a,
 * nor of one whose .a is text. Only nil itself asks for absence. Of a list (events, links) any element will
 * do; for != and !~ all must. Arithmetic that has no answer (1 / 0, "a" + 1) is nil. */
#include <math.h>

#include "base/check.h"
#include "query/traceql/plan.h"

static bool is_integer(struct static_value v)
{
    return v.type == STATIC_INT || v.type == STATIC_DURATION;
}

static bool is_number(struct static_value v)
{
    return is_integer(v) || v.type == STATIC_FLOAT;
}

static bool is_text(struct static_value v)
{
    return v.type == STATIC_STRING || v.type == STATIC_BYTES;
}

double static_number(struct static_value v)
{
    return v.type == STATIC_FLOAT ? v.d : is_integer(v) ? (double)v.i : NAN;
}

static struct static_value make_bool(bool b)
{
    return (struct static_value){ .type = STATIC_BOOL, .i = b };
}

/* ---- comparison ---- */

/* As the store compares, so that both always agree. */
static struct value as_value(struct static_value v)
{
    if (is_text(v)) return value_str(v.s);
    return v.type == STATIC_FLOAT ? value_double(v.d) : value_int(v.i);
}

static bool compare_same(enum tq_op op, struct static_value a, struct static_value b)
{
    static const enum predicate_op ops[] = { [TQ_EQ] = PRED_EQ, [TQ_NE] = PRED_EQ, [TQ_LT] = PRED_LT,
                                             [TQ_LE] = PRED_LE, [TQ_GT] = PRED_GT, [TQ_GE] = PRED_GE };
    struct predicate leaf = { .op = ops[op], .value = as_value(b) };
    return value_matches(&leaf, as_value(a)) != (op == TQ_NE);
}

static bool compare_one(enum tq_op op, struct static_value a, struct static_value b, const struct regex *re)
{
    if (op == TQ_RE || op == TQ_NOT_RE) {
        if (a.type == STATIC_BYTES) return op == TQ_NOT_RE;
        return a.type == STATIC_STRING && re != NULL && regex_match(re, a.s) == (op == TQ_RE);
    }
    if ((is_number(a) && is_number(b)) || (is_text(a) && is_text(b))) return compare_same(op, a, b);
    if (a.type != b.type) return false;
    if (a.type == STATIC_BOOL) return compare_same(op, a, b);
    bool is_ordered = op != TQ_EQ && op != TQ_NE;
    return (a.type == STATIC_STATUS || a.type == STATIC_KIND) && !is_ordered && compare_same(op, a, b);
}

bool static_compare(enum tq_op op, struct static_value a, struct static_value b, const struct regex *re)
{
    bool for_all = op == TQ_NE || op == TQ_NOT_RE;

    if (b.type == STATIC_LIST && a.type != STATIC_LIST) {
        for (uint32_t i = 0; i < b.n; i++)
            if (compare_one(op, a, b.list[i], re) != for_all) return !for_all;
        return for_all;
    }
    if (a.type != STATIC_LIST) return compare_one(op, a, b, re);
    if (b.type == STATIC_LIST) return false;
    for (uint32_t i = 0; i < a.n; i++)
        if (compare_one(op, a.list[i], b, re) != for_all) return !for_all;
    return for_all;
}

/* ---- arithmetic ---- */

static struct static_value make_float(double d)
{
    return isnan(d) ? (struct static_value){ .type = STATIC_NIL }
                    : (struct static_value){ .type = STATIC_FLOAT, .d = d };
}

static double on_doubles(enum tq_op op, double a, double b)
{
    switch (op) {
    case TQ_ADD: return a + b;
    case TQ_SUB: return a - b;
    case TQ_MUL: return a * b;
    case TQ_DIV: return b == 0 ? (double)NAN : a / b;
    case TQ_MOD: return b == 0 ? (double)NAN : fmod(a, b);
    case TQ_POW: return pow(a, b);
    default: check(!"an arithmetic operator"); return 0;
    }
}

/* Whole numbers stay whole where the answer is: sums, products, remainders. */
static bool on_integers(enum tq_op op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case TQ_ADD: return !__builtin_add_overflow(a, b, out);
    case TQ_SUB: return !__builtin_sub_overflow(a, b, out);
    case TQ_MUL: return !__builtin_mul_overflow(a, b, out);
    case TQ_MOD:
        if (b == 0 || b == -1) return false;
        *out = a % b;
        return true;
    default: return false;
    }
}

struct static_value static_binary(enum tq_op op, struct static_value a, struct static_value b,
                                  const struct regex *re)
{
    struct static_value out = { .type = STATIC_INT };

    if (op < TQ_ADD) return make_bool(static_compare(op, a, b, re));
    if (a.type == STATIC_LIST) a = a.list[0];
    if (b.type == STATIC_LIST) b = b.list[0];
    if (!is_number(a) || !is_number(b)) return (struct static_value){ .type = STATIC_NIL };
    if (!is_integer(a) || !is_integer(b) || !on_integers(op, a.i, b.i, &out.i))
        return make_float(on_doubles(op, static_number(a), static_number(b)));
    if (a.type == STATIC_DURATION || b.type == STATIC_DURATION) out.type = STATIC_DURATION;
    return out;
}
