/* parse_duration.c - durations: 5m, 300, and expressions of them: step() * 2, min_of(1h, range()), -(5m +
 * 1m).
 *
 *     + - | * / % | signs | ^ | numbers, step(), range(), min_of(a, b), max_of(a, b), ( )
 *
 * A plain number stays a number; anything else becomes a tree whose value only the evaluation knows.
 * After `offset` an expression must stand in parentheses, since `foo offset 5m * 2` has always meant (foo
 * offset 5m) * 2. */
#include <math.h>

#include "base/check.h"
#include "query/promql/parser.h"

#define DURATION_PARTS_MAX 200 /* of one expression; also bounds its height */

/* How an unexpected token is told: depends on where the duration stands. */
struct place {
    const char *context, *expected;
    int parts;
};

static struct duration_expr *parse_tree(struct parser *, struct place *, int least);

static bool unexpected(struct parser *p, const struct place *at)
{
    parse_unexpected(p, at->context, at->expected);
    return false;
}

static struct duration_expr *make(struct parser *p, struct place *at, int op, uint32_t pos)
{
    if (++at->parts > DURATION_PARTS_MAX) {
        parse_fail(p, pos, "duration expression has more than %d parts", DURATION_PARTS_MAX);
        return NULL;
    }
    struct duration_expr *d = arena_zero(p->arena, sizeof *d);
    d->op = op;
    d->pos = pos;
    d->end = p->end;
    return d;
}

static bool in_range(struct parser *p, const struct duration_expr *d)
{
    if (fabs(d->seconds) <= 0x1p63 / 1e9) return true; /* nanoseconds must fit an int64; refuses NaN too */
    parse_fail(p, d->pos, "duration out of range");
    return false;
}

static struct duration_expr *parse_plain(struct parser *p, struct place *at)
{
    struct token t = p->tok;

    parse_advance(p);
    struct duration_expr *d = make(p, at, DUR_NUMBER, t.pos);
    if (!d || !parse_number(p, &t, &d->seconds)) return NULL;
    d->written_as_duration = t.kind == TOK_DURATION;
    return in_range(p, d) ? d : NULL;
}

/* step() and range(). */
static struct duration_expr *parse_known(struct parser *p, struct place *at)
{
    struct token t = p->tok;

    parse_advance(p);
    if (!parse_accept(p, TOK_LPAREN) || !parse_accept(p, TOK_RPAREN)) {
        unexpected(p, at);
        return NULL;
    }
    return make(p, at, t.kind == TOK_STEP ? DUR_STEP : DUR_RANGE, t.pos);
}

/* min_of(a, b) and max_of(a, b). */
static struct duration_expr *parse_extreme(struct parser *p, struct place *at)
{
    struct token t = p->tok;
    struct duration_expr *a, *b, *d;

    if (!parse_enter(p)) return NULL;
    parse_advance(p);
    if (!parse_accept(p, TOK_LPAREN)) goto bad;
    if (!(a = parse_tree(p, at, 1))) return NULL;
    if (!parse_accept(p, TOK_COMMA)) goto bad;
    if (!(b = parse_tree(p, at, 1))) return NULL;
    if (!parse_accept(p, TOK_RPAREN)) goto bad;
    parse_leave(p);
    if (!(d = make(p, at, t.kind == TOK_MIN_OF ? DUR_MIN : DUR_MAX, t.pos))) return NULL;
    d->a = a;
    d->b = b;
    return d;
bad:
    unexpected(p, at);
    return NULL;
}

static struct duration_expr *parse_wrapped(struct parser *p, struct place *at)
{
    if (!parse_enter(p)) return NULL;
    parse_advance(p);
    struct duration_expr *d = parse_tree(p, at, 1);
    if (!d) return NULL;
    if (!parse_accept(p, TOK_RPAREN)) {
        unexpected(p, at);
        return NULL;
    }
    parse_leave(p);
    if (d->op != DUR_NUMBER) d->wrapped = true;
    return d;
}

static bool at_sign(const struct parser *p)
{
    return p->tok.kind == TOK_OP && (p->tok.which == OP_ADD || p->tok.which == OP_SUB);
}

/* A minus becomes part of a number, a node before anything else; a plus changes nothing. */
static struct duration_expr *with_sign(struct parser *p, struct place *at, const struct token *sign,
                                       struct duration_expr *d)
{
    if (!d) return NULL;
    if (d->op == DUR_NUMBER) {
        if (sign->which == OP_SUB) d->seconds = -d->seconds;
        d->pos = sign->pos;
        return d;
    }
    if (sign->which == OP_ADD) return d;
    struct duration_expr *neg = make(p, at, DUR_NEG, sign->pos);
    if (neg) neg->a = d;
    return neg;
}

static struct duration_expr *parse_signed(struct parser *p, struct place *at)
{
    struct token sign = p->tok;

    if (!parse_enter(p)) return NULL;
    parse_advance(p);
    struct duration_expr *d = parse_tree(p, at, 3);
    parse_leave(p);
    return with_sign(p, at, &sign, d);
}

/* All but signs. */
static struct duration_expr *parse_operand(struct parser *p, struct place *at)
{
    switch (p->tok.kind) {
    case TOK_NUMBER:
    case TOK_DURATION: return parse_plain(p, at);
    case TOK_STEP:
    case TOK_RANGE: return parse_known(p, at);
    case TOK_MIN_OF:
    case TOK_MAX_OF: return parse_extreme(p, at);
    case TOK_LPAREN: return parse_wrapped(p, at);
    default: break;
    }
    unexpected(p, at);
    return NULL;
}

static int precedence(const struct token *t, int *op)
{
    if (t->kind != TOK_OP) return 0;
    switch (t->which) {
    case OP_ADD: *op = DUR_ADD; return 1;
    case OP_SUB: *op = DUR_SUB; return 1;
    case OP_MUL: *op = DUR_MUL; return 2;
    case OP_DIV: *op = DUR_DIV; return 2;
    case OP_MOD: *op = DUR_MOD; return 2;
    case OP_POW: *op = DUR_POW; return 3;
    default: return 0;
    }
}

static struct duration_expr *parse_operation(struct parser *p, struct place *at, struct duration_expr *left,
                                             int op, int prec)
{
    struct token sign = p->tok;

    parse_advance(p);
    if (!parse_enter(p)) return NULL;
    struct duration_expr *right = parse_tree(p, at, op == DUR_POW ? prec : prec + 1);
    parse_leave(p);
    if (!right) return NULL;
    if ((op == DUR_DIV || op == DUR_MOD) && right->op == DUR_NUMBER && right->seconds == 0) {
        parse_fail(p, sign.pos, "%s by zero", op == DUR_DIV ? "division" : "modulo");
        return NULL;
    }
    struct duration_expr *d = make(p, at, op, left->pos);
    if (!d) return NULL;
    d->a = left;
    d->b = right;
    return d;
}

/* `d` and the operators of at least this precedence that follow it. */
static struct duration_expr *parse_rest(struct parser *p, struct place *at, struct duration_expr *d,
                                        int least)
{
    int op = 0, prec;

    while (d && (prec = precedence(&p->tok, &op)) >= least && prec > 0)
        d = parse_operation(p, at, d, op, prec);
    return d;
}

static struct duration_expr *parse_tree(struct parser *p, struct place *at, int least)
{
    return parse_rest(p, at, at_sign(p) ? parse_signed(p, at) : parse_operand(p, at), least);
}

static void give(struct duration_expr *d, double *seconds, struct duration_expr **expr)
{
    bool plain = d->op == DUR_NUMBER;
    *seconds = plain ? d->seconds : 0;
    *expr = plain ? NULL : d;
}

bool parse_duration(struct parser *p, const char *context, const char *expected, double *seconds,
                    struct duration_expr **expr)
{
    struct place at = { context, expected, 0 };
    struct duration_expr *d = parse_tree(p, &at, 1);

    if (!d) return false;
    if (d->op == DUR_NUMBER && d->seconds <= 0) {
        parse_fail(p, d->pos, "duration must be greater than 0");
        return false;
    }
    give(d, seconds, expr);
    return true;
}

/* offset: one operand with an optional sign; what starts with a parenthesis or two signs goes on as far as it
 * can. */
bool parse_offset_duration(struct parser *p, double *seconds, struct duration_expr **expr)
{
    struct place at = { "offset", "number, duration, step(), or range()", 0 };
    struct token first = p->tok;
    struct duration_expr *d;

    if (first.kind == TOK_LPAREN) {
        d = parse_tree(p, &at, 1);
    } else if (at_sign(p)) {
        parse_advance(p);
        if (at_sign(p)) {
            d = parse_rest(p, &at, with_sign(p, &at, &first, parse_tree(p, &at, 3)), 1);
        } else {
            d = with_sign(p, &at, &first, parse_operand(p, &at));
        }
    } else {
        d = parse_operand(p, &at);
    }
    if (!d) return false;
    give(d, seconds, expr);
    return true;
}
