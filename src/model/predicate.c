/* predicate.c - conditions on records, one record at a time. Plain on purpose: engines with columns decide
 * most rows without coming here, and are tested against this. */
#include "model/predicate.h"

#include <stdlib.h>

#include "base/check.h"

#define DEPTH_MAX 64
#define NODES_MAX 4096

/* ---- comparing two values ---- */

enum cmp { CMP_LESS, CMP_EQUAL, CMP_GREATER, CMP_NOT }; /* NOT: nothing can be said of the two */

static bool is_text(struct value v)
{
    return v.type == VALUE_STR || v.type == VALUE_JSON || v.type == VALUE_BYTES;
}

static bool is_integer(struct value v)
{
    return v.type == VALUE_INT || v.type == VALUE_BOOL;
}

static bool is_number(struct value v)
{
    return is_integer(v) || v.type == VALUE_DOUBLE;
}

static enum cmp cmp_ints(int64_t a, int64_t b)
{
    return a < b ? CMP_LESS : a > b ? CMP_GREATER : CMP_EQUAL;
}

static enum cmp cmp_doubles(double a, double b)
{
    return a < b ? CMP_LESS : a > b ? CMP_GREATER : a == b ? CMP_EQUAL : CMP_NOT;
}

/* Exact: a conversion of i to double would round from 2^53 on. Within int64's range the whole part of d is
 * an integer; only when that equals i does the fraction decide. */
static enum cmp cmp_int_double(int64_t i, double d)
{
    if (d != d) return CMP_NOT;
    if (d >= 0x1p63) return CMP_LESS;
    if (d < -0x1p63) return CMP_GREATER;

    int64_t whole = (int64_t)d; /* towards zero */
    if (i != whole) return cmp_ints(i, whole);
    return cmp_doubles((double)whole, d);
}

static enum cmp reversed(enum cmp c)
{
    return c == CMP_LESS ? CMP_GREATER : c == CMP_GREATER ? CMP_LESS : c;
}

static enum cmp cmp_values(struct value a, struct value b)
{
    if (is_text(a) && is_text(b)) return cmp_ints(str_cmp(a.text, b.text), 0);
    if (!is_number(a) || !is_number(b)) return CMP_NOT;
    if (is_integer(a)) return is_integer(b) ? cmp_ints(a.i, b.i) : cmp_int_double(a.i, b.d);
    return is_integer(b) ? reversed(cmp_int_double(b.i, a.d)) : cmp_doubles(a.d, b.d);
}

/* ---- text in text ---- */

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

static bool same_folded(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lower((unsigned char)a[i]) != lower((unsigned char)b[i])) return false;
    return true;
}

static bool contains_folded(struct str text, struct str word)
{
    unsigned char first = lower((unsigned char)word.p[0]);
    for (size_t i = 0; i + word.n <= text.n; i++)
        if (lower((unsigned char)text.p[i]) == first && same_folded(text.p + i, word.p, word.n)) return true;
    return false;
}

static bool contains(struct str text, struct str word, bool fold)
{
    if (word.n == 0) return true;
    if (word.n > text.n) return false;
    return fold ? contains_folded(text, word) : memmem(text.p, text.n, word.p, word.n) != NULL;
}

/* ---- leaves and trees ---- */

static bool is_nan(struct value v)
{
    return v.type == VALUE_DOUBLE && v.d != v.d;
}

/* Texts before numbers; what equals nothing is in no set. */
static int set_order(const void *x, const void *y)
{
    const struct value *a = x, *b = y;
    if (is_text(*a) != is_text(*b)) return is_text(*a) ? -1 : 1;
    enum cmp c = cmp_values(*a, *b);
    return (c == CMP_GREATER) - (c == CMP_LESS);
}

static bool can_be_in(struct value v)
{
    return is_text(v) || (is_number(v) && !is_nan(v));
}

static bool is_in(const struct predicate *p, struct value v)
{
    if (p->is_sorted)
        return p->n_values > 0 && can_be_in(v) &&
               bsearch(&v, p->values, p->n_values, sizeof v, set_order) != NULL;
    for (size_t i = 0; i < p->n_values; i++)
        if (cmp_values(v, p->values[i]) == CMP_EQUAL) return true;
    return false;
}

bool value_matches(const struct predicate *p, struct value v)
{
    enum cmp c;
    switch (p->op) {
    case PRED_ALL: return true;
    case PRED_EXISTS: return v.type != VALUE_NONE;
    case PRED_EQ: return cmp_values(v, p->value) == CMP_EQUAL;
    case PRED_LT: return cmp_values(v, p->value) == CMP_LESS;
    case PRED_GT: return cmp_values(v, p->value) == CMP_GREATER;
    case PRED_LE: return (c = cmp_values(v, p->value)) == CMP_LESS || c == CMP_EQUAL;
    case PRED_GE: return (c = cmp_values(v, p->value)) == CMP_GREATER || c == CMP_EQUAL;
    case PRED_IN: return is_in(p, v);
    case PRED_CONTAINS:
        if (v.type != VALUE_STR && v.type != VALUE_JSON) return false;
        return is_text(p->value) && contains(v.text, p->value.text, p->fold);
    case PRED_REGEX:
        if (v.type != VALUE_STR && v.type != VALUE_JSON) return false;
        return p->re != NULL && regex_match(p->re, v.text);
    case PRED_AND:
    case PRED_OR:
    case PRED_NOT: break;
    }
    check(!"a leaf");
    return false;
}

bool predicate_matches(const struct predicate *p, const struct record *r, enum table t)
{
    if (p == NULL) return true;
    switch (p->op) {
    case PRED_ALL: return true;
    case PRED_AND:
        for (size_t i = 0; i < p->n_children; i++)
            if (!predicate_matches(p->child[i], r, t)) return false;
        return true;
    case PRED_OR:
        for (size_t i = 0; i < p->n_children; i++)
            if (predicate_matches(p->child[i], r, t)) return true;
        return false;
    case PRED_NOT: return !predicate_matches(p->child[0], r, t);
    default: return value_matches(p, record_value(r, t, p->field));
    }
}

/* ---- prepared ---- */

static void sort_set(struct arena *a, struct predicate *p)
{
    struct value *v = arena_array(a, p->n_values, sizeof *v);
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < p->n_values; i++)
        if (can_be_in(p->values[i])) v[n++] = p->values[i];
    if (n > 1) qsort(v, n, sizeof *v, set_order);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || set_order(&v[kept - 1], &v[i]) != 0) v[kept++] = v[i];
    p->values = v;
    p->n_values = kept;
    p->is_sorted = true;
}

const struct predicate *predicate_prepare(struct arena *a, const struct predicate *p)
{
    if (p == NULL || (p->op == PRED_IN && p->is_sorted)) return p;
    if (p->op != PRED_IN && p->op != PRED_AND && p->op != PRED_OR && p->op != PRED_NOT) return p;

    struct predicate *own = arena_alloc(a, sizeof *own);
    *own = *p;
    if (p->op == PRED_IN) {
        sort_set(a, own);
        return own;
    }
    const struct predicate **child = arena_array(a, p->n_children, sizeof *child);
    for (size_t i = 0; i < p->n_children; i++) child[i] = predicate_prepare(a, p->child[i]);
    own->child = child;
    return own;
}

/* ---- is the tree well formed, and small enough to walk? ---- */

static int check_leaf(const struct predicate *p, struct err *e)
{
    if (p->op == PRED_ALL) return OK;
    if ((unsigned)p->field.scope > FIELD_ATTR)
        return err_set(e, ERR_RANGE, "condition on an unknown kind of field");
    if (p->field.scope == FIELD_INTRINSIC && strcmp(intrinsic_name(p->field.intrinsic), "unknown") == 0)
        return err_set(e, ERR_RANGE, "condition on unknown field %d", (int)p->field.intrinsic);
    if (p->op == PRED_REGEX && p->re == NULL) return err_set(e, ERR_RANGE, "regular expression is missing");
    if (p->op == PRED_CONTAINS && !is_text(p->value))
        return err_set(e, ERR_RANGE, "the text to look for is not text");
    return OK;
}

static int check_node(const struct predicate *p, int depth, size_t *nodes, struct err *e)
{
    if (depth > DEPTH_MAX) return err_set(e, ERR_LIMIT, "condition nested deeper than %d levels", DEPTH_MAX);
    if (++*nodes > NODES_MAX) return err_set(e, ERR_LIMIT, "condition of more than %d parts", NODES_MAX);
    if ((unsigned)p->op > PRED_REGEX) return err_set(e, ERR_RANGE, "unknown condition %d", (int)p->op);
    if (p->op != PRED_AND && p->op != PRED_OR && p->op != PRED_NOT) return check_leaf(p, e);
    if (p->op == PRED_NOT && p->n_children != 1)
        return err_set(e, ERR_RANGE, "NOT of %zu conditions", p->n_children);

    int rc = OK;
    for (size_t i = 0; i < p->n_children && rc == OK; i++) rc = check_node(p->child[i], depth + 1, nodes, e);
    return rc;
}

int predicate_check(const struct predicate *p, struct err *e)
{
    size_t nodes = 0;
    return p == NULL ? OK : check_node(p, 1, &nodes, e);
}
