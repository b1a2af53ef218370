/* predicate_make.c - the makers of conditions. Conditions joined by the same word lie side by side under one
 * node, however many calls made them: the depth that predicate_check allows is for nesting. */
#include <string.h>

#include "base/check.h"
#include "model/predicate.h"

static struct predicate *make(struct arena *a, enum predicate_op op)
{
    struct predicate *p = arena_zero(a, sizeof *p);
    p->op = op;
    return p;
}

static size_t width(const struct predicate *p, enum predicate_op op)
{
    return p->op == op ? p->n_children : 1;
}

static const struct predicate **put(const struct predicate **to, const struct predicate *p,
                                    enum predicate_op op)
{
    if (p->op != op) {
        *to = p;
        return to + 1;
    }
    memcpy(to, p->child, p->n_children * sizeof *to);
    return to + p->n_children;
}

static const struct predicate *join(struct arena *a, enum predicate_op op, const struct predicate *x,
                                    const struct predicate *y)
{
    struct predicate *p = make(a, op);
    p->n_children = width(x, op) + width(y, op);
    const struct predicate **child = arena_array(a, p->n_children, sizeof *child);
    put(put(child, x, op), y, op);
    p->child = child;
    return p;
}

static bool is_all(const struct predicate *p)
{
    return p == NULL || p->op == PRED_ALL;
}

const struct predicate *predicate_and(struct arena *a, const struct predicate *x, const struct predicate *y)
{
    if (is_all(x)) return y;
    return is_all(y) ? x : join(a, PRED_AND, x, y);
}

const struct predicate *predicate_or(struct arena *a, const struct predicate *x, const struct predicate *y)
{
    return is_all(x) || is_all(y) ? NULL : join(a, PRED_OR, x, y);
}

const struct predicate *predicate_not(struct arena *a, const struct predicate *x)
{
    struct predicate *p = make(a, PRED_NOT);
    const struct predicate **child = arena_array(a, 1, sizeof *child);
    child[0] = x ? x : make(a, PRED_ALL);
    p->child = child;
    p->n_children = 1;
    return p;
}

static struct predicate *leaf(struct arena *a, enum predicate_op op, struct field f)
{
    struct predicate *p = make(a, op);
    p->field = f;
    return p;
}

const struct predicate *predicate_exists(struct arena *a, struct field f)
{
    return leaf(a, PRED_EXISTS, f);
}

const struct predicate *predicate_cmp(struct arena *a, enum predicate_op op, struct field f, struct value v)
{
    check(op >= PRED_EQ && op <= PRED_GE);
    struct predicate *p = leaf(a, op, f);
    p->value = v;
    return p;
}

const struct predicate *predicate_in(struct arena *a, struct field f, const struct value *values, size_t n)
{
    struct predicate *p = leaf(a, PRED_IN, f);
    p->values = values;
    p->n_values = n;
    return p;
}

const struct predicate *predicate_contains(struct arena *a, struct field f, struct str text, bool fold)
{
    struct predicate *p = leaf(a, PRED_CONTAINS, f);
    p->value = value_str(text);
    p->fold = fold;
    return p;
}

const struct predicate *predicate_regex(struct arena *a, struct field f, const struct regex *re)
{
    struct predicate *p = leaf(a, PRED_REGEX, f);
    p->re = re;
    return p;
}

/* ---- as text ---- */

static void print_value(struct buf *out, struct value v)
{
    bool quoted = v.type == VALUE_STR || v.type == VALUE_JSON;
    if (quoted) buf_char(out, '"');
    value_print(out, v);
    if (quoted) buf_char(out, '"');
}

static void print_children(struct buf *out, const struct predicate *p)
{
    if (p->op == PRED_NOT) buf_cs(out, "not ");
    buf_char(out, '(');
    for (size_t i = 0; i < p->n_children; i++) {
        if (i > 0) buf_cs(out, p->op == PRED_AND ? " and " : " or ");
        predicate_print(out, p->child[i]);
    }
    buf_char(out, ')');
}

void predicate_print(struct buf *out, const struct predicate *p)
{
    static const char *const signs[] = { [PRED_EQ] = "=",
                                         [PRED_LT] = "<",
                                         [PRED_LE] = "<=",
                                         [PRED_GT] = ">",
                                         [PRED_GE] = ">=",
                                         [PRED_IN] = "in",
                                         [PRED_CONTAINS] = "contains",
                                         [PRED_REGEX] = "=~",
                                         [PRED_EXISTS] = "exists" };
    if (is_all(p)) {
        buf_cs(out, "all");
        return;
    }
    if (p->op == PRED_AND || p->op == PRED_OR || p->op == PRED_NOT) {
        print_children(out, p);
        return;
    }
    field_print(out, p->field);
    buf_printf(out, " %s", signs[p->op]);
    if (p->op == PRED_EXISTS) return;
    buf_cs(out, p->fold ? " (fold) " : " ");
    if (p->op == PRED_REGEX)
        print_value(out, value_str(regex_text(p->re)));
    else if (p->op != PRED_IN)
        print_value(out, p->value);
    for (size_t i = 0; p->op == PRED_IN && i < p->n_values; i++) {
        buf_cs(out, i > 0 ? ", " : "");
        print_value(out, p->values[i]);
    }
}
