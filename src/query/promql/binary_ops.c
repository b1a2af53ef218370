/* binary_ops.c - see binary.h. */
#include "query/promql/binary.h"

#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "query/promql/histogram_ops.h"
#include "query/promql/parse.h"

static bool compare(enum promql_op op, double a, double b)
{
    switch (op) {
    case OP_EQ: return a == b;
    case OP_NEQ: return a != b;
    case OP_GT: return a > b;
    case OP_LT: return a < b;
    case OP_GTE: return a >= b;
    default: return a <= b;
    }
}

static double arithmetic(enum promql_op op, double a, double b)
{
    switch (op) {
    case OP_ADD: return a + b;
    case OP_SUB: return a - b;
    case OP_MUL: return a * b;
    case OP_DIV: return a / b;
    case OP_MOD: return fmod(a, b);
    case OP_POW: return pow(a, b);
    default: return atan2(a, b);
    }
}

static const char *kind_of(struct sample s)
{
    return s.h ? "histogram" : "float";
}

static bool refuse(struct binop *b, struct sample x, struct sample y)
{
    struct str op = promql_op_text(b->node->op);
    char types[64];
    int n = snprintf(types, sizeof types, "%s %.*s %s", kind_of(x), STR_ARG(op), kind_of(y));
    notes_add(&b->q->notes,
              (struct note){ NOTE_INCOMPATIBLE_TYPES, b->node->at.pos, op, str_make(types, (size_t)n), 0 });
    return false;
}

/* What a filter or comparison makes of its verdict. */
static bool verdict(struct binop *b, bool holds, struct sample kept, struct sample *out)
{
    if (b->node->return_bool) {
        *out = (struct sample){ holds ? 1 : 0, NULL };
        return true;
    }
    *out = kept;
    return holds;
}

static bool scaled(struct binop *b, const struct histogram *h, double by, bool divide, struct sample *out)
{
    struct hwork w;
    hwork_init(&w, b->scratch, h);
    if (divide)
        hwork_divide(&w, by);
    else
        hwork_scale(&w, by);
    *out = (struct sample){ ABSENT, hwork_done(&w, &b->q->arena) };
    return true;
}

static void note_told(struct binop *b, int told, struct str what)
{
    uint32_t pos = b->node->at.pos;
    if (told & HWORK_COLLISION)
        notes_add(&b->q->notes, (struct note){ NOTE_RESET_COLLISION, pos, STR(""), what, 0 });
    if (told & HWORK_RECONCILED)
        notes_add(&b->q->notes, (struct note){ NOTE_CUSTOM_RECONCILED, pos, STR(""), what, 0 });
}

static bool added(struct binop *b, struct sample x, struct sample y, bool minus, struct sample *out)
{
    struct hwork w;
    hwork_init(&w, b->scratch, x.h);
    int told = hwork_add(&w, y.h, minus ? -1 : 1);
    if (told & HWORK_INCOMPATIBLE) {
        notes_add(&b->q->notes, (struct note){ NOTE_INCOMPATIBLE_BUCKETS, b->node->at.pos, STR(""),
                                               promql_op_text(b->node->op), 0 });
        return false;
    }
    note_told(b, told, minus ? STR("subtraction") : STR("addition"));
    if (minus) w.reset = HIST_GAUGE;
    *out = (struct sample){ ABSENT, hwork_done(&w, &b->q->arena) };
    return true;
}

static bool with_histograms(struct binop *b, struct sample x, struct sample y, struct sample *out)
{
    enum promql_op op = b->node->op;
    if (x.h && y.h) {
        if (op == OP_ADD || op == OP_SUB) return added(b, x, y, op == OP_SUB, out);
        if (op == OP_EQ || op == OP_NEQ)
            return verdict(b, hist_equal(x.h, y.h, b->scratch) == (op == OP_EQ), x, out);
        return refuse(b, x, y);
    }
    if (op == OP_MUL) return scaled(b, x.h ? x.h : y.h, x.h ? y.v : x.v, false, out);
    if (op == OP_DIV && x.h) return scaled(b, x.h, y.v, true, out);
    if ((op == OP_TRIM_UPPER || op == OP_TRIM_LOWER) && x.h) {
        *out = (struct sample){ ABSENT, hist_trim(x.h, y.v, op == OP_TRIM_UPPER, b->scratch, &b->q->arena) };
        return true;
    }
    return refuse(b, x, y);
}

bool binop_apply(struct binop *b, struct sample x, struct sample y, struct sample *out)
{
    enum promql_op op = b->node->op;
    if (x.h || y.h) {
        bool has = with_histograms(b, x, y, out);
        if (b->scratch->used) arena_reset(b->scratch);
        return has;
    }
    if (op_is_comparison(op)) return verdict(b, compare(op, x.v, y.v), b->scalar_left ? y : x, out);
    if (!op_changes_metric(op)) return refuse(b, x, y); /* trims are for histograms */
    *out = (struct sample){ arithmetic(op, x.v, y.v), NULL };
    return true;
}
