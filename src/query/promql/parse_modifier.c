/* parse_modifier.c - what may follow an operand: [range], [range:step], offset, @, anchored, smoothed. They
 * bind tighter than any operator, so -foo[5m] is -(foo[5m]). */
#include <math.h>

#include "base/float.h"
#include "query/promql/parser.h"

/* Seconds to whole milliseconds, rounded to nanoseconds first as Prometheus does. */
static int64_t to_ms(double seconds)
{
    return (int64_t)(round(seconds * 1e9) / 1e6);
}

/* The node that carries offset, @ and extent: a selector, also of a range; or a subquery. NULL for anything
 * else. */
static struct node *carrier(struct node *n)
{
    if (n->kind == NODE_MATRIX) return n->child;
    return n->kind == NODE_SELECTOR || n->kind == NODE_SUBQUERY ? n : NULL;
}

static bool has_offset(const struct node *n)
{
    return n->offset_ms != 0 || n->offset_expr;
}

static struct node *make_matrix(struct parser *p, struct node *n, uint32_t bracket, double range,
                                struct duration_expr *expr)
{
    const char *why = n->kind != NODE_SELECTOR ? "ranges only allowed for vector selectors"
                      : has_offset(n)          ? "no offset modifiers allowed before range"
                      : n->at_kind != AT_NONE  ? "no @ modifiers allowed before range"
                                               : NULL;
    if (why) {
        parse_fail(p, bracket, "%s", why);
        return NULL;
    }
    struct node *m = parse_node(p, NODE_MATRIX, n->at.pos, p->end);
    if (!m || !parse_stand_on(p, m, n)) return NULL;
    m->type = PROMQL_MATRIX;
    m->child = n;
    m->range_ms = to_ms(range);
    m->range_expr = expr;
    return m;
}

static struct node *make_subquery(struct parser *p, struct node *n, double range, struct duration_expr *expr)
{
    double step = 0;

    struct node *s = parse_node(p, NODE_SUBQUERY, n->at.pos, 0);
    if (!s || !parse_stand_on(p, s, n)) return NULL;
    s->type = PROMQL_MATRIX;
    s->child = n;
    s->range_ms = to_ms(range);
    s->range_expr = expr;
    if (p->tok.kind != TOK_RBRACKET) {
        if (!parse_duration(p, "subquery selector", "number, duration, step(), range(), or \"]\"", &step,
                            &s->step_expr))
            return NULL;
        s->step_ms = to_ms(step);
    }
    if (!parse_accept(p, TOK_RBRACKET)) {
        parse_unexpected(p, "subquery selector", "\"]\"");
        return NULL;
    }
    s->at.end = p->end;
    return s;
}

static struct node *parse_bracket(struct parser *p, struct node *n)
{
    struct duration_expr *expr = NULL;
    uint32_t bracket = p->tok.pos;
    double range = 0;

    parse_advance(p);
    if (!parse_duration(p, "subquery or range selector", "number, duration, step(), or range()", &range,
                        &expr))
        return NULL;
    if (parse_accept(p, TOK_COLON)) return make_subquery(p, n, range, expr);
    if (parse_accept(p, TOK_RBRACKET)) return make_matrix(p, n, bracket, range, expr);
    parse_unexpected(p, "subquery or range", "\":\" or \"]\"");
    return NULL;
}

static struct node *parse_offset(struct parser *p, struct node *n)
{
    struct node *c = carrier(n);
    struct duration_expr *expr = NULL;
    double seconds = 0;

    parse_advance(p);
    if (!parse_offset_duration(p, &seconds, &expr)) return NULL;
    if (!c) {
        parse_fail(p, n->at.pos,
                   "offset modifier must be preceded by an instant vector selector or range vector selector "
                   "or a subquery");
        return NULL;
    }
    if (has_offset(c)) {
        parse_fail(p, n->at.pos, "offset may not be set multiple times");
        return NULL;
    }
    c->offset_ms = to_ms(seconds);
    c->offset_expr = expr;
    n->at.end = p->end;
    return n;
}

/* A number of seconds with an optional sign, start() or end(). */
static bool parse_at_value(struct parser *p, enum promql_at *kind, double *seconds)
{
    bool minus = false;

    if (p->tok.kind == TOK_START || p->tok.kind == TOK_END) {
        *kind = p->tok.kind == TOK_START ? AT_START : AT_END;
        parse_advance(p);
        if (parse_accept(p, TOK_LPAREN) && parse_accept(p, TOK_RPAREN)) return true;
        parse_unexpected(p, "@", "timestamp");
        return false;
    }
    if (p->tok.kind == TOK_OP && (p->tok.which == OP_ADD || p->tok.which == OP_SUB)) {
        minus = p->tok.which == OP_SUB;
        parse_advance(p);
    }
    if (p->tok.kind != TOK_NUMBER && p->tok.kind != TOK_DURATION) {
        parse_unexpected(p, "@", "timestamp");
        return false;
    }
    *kind = AT_TIME;
    if (!parse_number(p, &p->tok, seconds)) return false;
    if (minus) *seconds = -*seconds;
    parse_advance(p);
    return true;
}

static struct node *parse_at(struct parser *p, struct node *n)
{
    struct node *c = carrier(n);
    enum promql_at kind = AT_NONE;
    double seconds = 0;

    parse_advance(p);
    if (!parse_at_value(p, &kind, &seconds)) return NULL;
    if (!(fabs(seconds) < 0x1p63 / 1000)) { /* milliseconds must fit; also refuses NaN */
        char text[FLOAT_TEXT_MAX];
        parse_fail(p, n->at.pos, "timestamp out of bounds for @ modifier: %.*s",
                   (int)float_text(seconds, text), text);
        return NULL;
    }
    if (!c) {
        parse_fail(p, n->at.pos,
                   "@ modifier must be preceded by an instant vector selector or range vector selector or a "
                   "subquery");
        return NULL;
    }
    if (c->at_kind != AT_NONE) {
        parse_fail(p, n->at.pos, "@ <timestamp> may not be set multiple times");
        return NULL;
    }
    c->at_kind = kind;
    c->at_ms = (int64_t)round(seconds * 1000);
    n->at.end = p->end;
    return n;
}

static struct node *parse_extent(struct parser *p, struct node *n)
{
    bool anchored = p->tok.kind == TOK_ANCHORED;
    enum promql_extent extent = anchored ? EXTENT_ANCHORED : EXTENT_SMOOTHED;
    const char *word = anchored ? "anchored" : "smoothed";
    struct node *c = carrier(n);

    parse_advance(p);
    if (n->kind == NODE_SUBQUERY) {
        parse_fail(p, n->at.pos, "%s modifier is not supported for subqueries", word);
        return NULL;
    }
    if (!c) {
        parse_fail(p, n->at.pos, "%s modifier not implemented", word);
        return NULL;
    }
    if (c->extent != EXTENT_PLAIN && c->extent != extent) {
        parse_fail(p, n->at.pos, "anchored and smoothed modifiers cannot be used together");
        return NULL;
    }
    c->extent = extent;
    return n;
}

struct node *parse_postfix(struct parser *p, struct node *n)
{
    while (n) {
        switch (p->tok.kind) {
        case TOK_LBRACKET: n = parse_bracket(p, n); break;
        case TOK_OFFSET: n = parse_offset(p, n); break;
        case TOK_AT: n = parse_at(p, n); break;
        case TOK_ANCHORED:
        case TOK_SMOOTHED: n = parse_extent(p, n); break;
        default: return n;
        }
    }
    return NULL;
}
