/* durations.c - durations written as expressions, worth something only once start, end and step are known. */
#include <math.h>

#include "base/check.h"
#include "query/promql/eval.h"
#include "query/promql/parse.h"

/* So small that times may be added and subtracted along the deepest tree without a thought of overflow. */
#define DURATION_MAX_MS ((int64_t)1 << 45) /* a thousand years */

static int fail_at(const struct query *q, uint32_t pos, struct err *e, const char *text)
{
    int line, column;
    promql_position(q->notes.query, pos, &line, &column);
    return err_set(e, ERR_PARSE, "%d:%d: parse error: %s", line, column, text);
}

static int binary_value(const struct query *q, const struct duration_expr *d, double a, double b, double *out,
                        struct err *e)
{
    switch (d->op) {
    case DUR_ADD: *out = a + b; return OK;
    case DUR_SUB: *out = a - b; return OK;
    case DUR_MUL: *out = a * b; return OK;
    case DUR_POW: *out = pow(a, b); return OK;
    case DUR_MIN: *out = fmin(a, b); return OK;
    case DUR_MAX: *out = fmax(a, b); return OK;
    case DUR_DIV:
        if (b == 0) return fail_at(q, d->pos, e, "division by zero");
        *out = a / b;
        return OK;
    case DUR_MOD:
        if (b == 0) return fail_at(q, d->pos, e, "modulo by zero");
        *out = fmod(a, b);
        return OK;
    default: check(!"a duration operator of two arguments");
    }
    return OK;
}

int durations_value(const struct query *q, const struct duration_expr *d, double *out, struct err *e)
{
    double a = 0, b = 0;
    int rc;

    switch (d->op) {
    case DUR_NUMBER: *out = d->seconds; return OK;
    case DUR_STEP: *out = (double)q->step_ms / 1000; return OK;
    case DUR_RANGE: *out = (double)(q->end_ms - q->start_ms) / 1000; return OK;
    default: break;
    }
    const struct duration_expr *one = d->a ? d->a : d->b; /* of a sign there is only one side */
    if ((rc = durations_value(q, one, &a, e)) < 0) return rc;
    if (d->op == DUR_NEG || d->op == DUR_POS) {
        *out = d->op == DUR_NEG ? -a : a;
        return OK;
    }
    if ((rc = durations_value(q, d->b, &b, e)) < 0) return rc;
    return binary_value(q, d, a, b, out, e);
}

/* As milliseconds; positive when it is a range or a step. */
static int expr_ms(const struct query *q, const struct duration_expr *d, bool positive, int64_t *out,
                   struct err *e)
{
    double seconds;
    int rc = durations_value(q, d, &seconds, e);
    if (rc < 0) return rc;
    if (positive && !(seconds > 0)) return fail_at(q, d->pos, e, "duration must be greater than 0");
    if (!(fabs(seconds) <= (double)DURATION_MAX_MS / 1000))
        return fail_at(q, d->pos, e, "duration out of range");
    *out = (int64_t)llround(seconds * 1000);
    return OK;
}

/* The selector inside a matrix selector carries offset and @. */
static const struct node *carrier(const struct node *n)
{
    return n->kind == NODE_MATRIX ? n->child : n;
}

static bool fits(int64_t ms, int64_t max)
{
    return ms >= -max && ms <= max;
}

int timing_of(const struct query *q, const struct node *n, struct timing *t, struct err *e)
{
    const struct node *c = carrier(n);
    int rc = OK;

    *t = (struct timing){ c->offset_ms, n->range_ms, n->step_ms, c->at_kind != AT_NONE, 0 };
    if (t->fixed)
        t->at_ms = c->at_kind == AT_START ? q->start_ms : c->at_kind == AT_END ? q->end_ms : c->at_ms;
    if (c->offset_expr) rc = expr_ms(q, c->offset_expr, false, &t->offset_ms, e);
    if (rc == OK && n->range_expr) rc = expr_ms(q, n->range_expr, true, &t->range_ms, e);
    if (rc == OK && n->step_expr) rc = expr_ms(q, n->step_expr, true, &t->step_ms, e);
    if (t->step_ms == 0) t->step_ms = q->default_step_ms;
    if (rc == OK && (!fits(t->offset_ms, DURATION_MAX_MS) || !fits(t->range_ms, DURATION_MAX_MS) ||
                     !fits(t->step_ms, DURATION_MAX_MS)))
        return fail_at(q, n->at.pos, e, "duration out of range");
    if (rc == OK && !fits(t->at_ms, QUERY_TIME_MAX_MS))
        return fail_at(q, n->at.pos, e, "timestamp out of range");
    return rc;
}
