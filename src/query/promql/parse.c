/* parse.c - expressions, by precedence climbing.
 *
 *     or | and unless | == != < <= > >= </ >/ | + - | * / % atan2 | signs | ^ | what follows an operand: []
 * offset @ ...
 *
 * Always true:
 *   1. Recursion is bounded: PROMQL_DEPTH_MAX levels of nesting, each a handful of frames.
 *   2. A tree that came out has at most PROMQL_NODES_MAX nodes and PROMQL_HEIGHT_MAX levels.
 *   3. Linear in the text.
 *
 * Threads: a parse touches only its own parser and arena. */
#include "query/promql/parser.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/duration.h"
#include "base/float.h"
#include "query/promql/functions.h"

/* ---- errors and tokens ---- */

void promql_position(struct str text, uint32_t pos, int *line, int *column)
{
    uint32_t line_at = 0;
    *line = 1;
    for (uint32_t i = 0; i < pos && i < text.n; i++)
        if (text.p[i] == '\n') {
            line_at = i + 1;
            ++*line;
        }
    *column = (int)(pos - line_at) + 1;
}

int parse_fail(struct parser *p, uint32_t pos, const char *fmt, ...)
{
    char text[512];
    int line, column;
    va_list ap;

    if (p->err->code != OK) return p->err->code;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    promql_position(p->lex.text, pos, &line, &column);
    p->tok.kind = TOK_ERROR;
    if (p->lex.text.n == 0) return err_set(p->err, ERR_PARSE, "unknown position: parse error: %s", text);
    return err_set(p->err, ERR_PARSE, "%d:%d: parse error: %s", line, column, text);
}

int parse_unexpected(struct parser *p, const char *context, const char *expected)
{
    if (p->lex.failed) return parse_fail(p, p->tok.pos, "%s", p->lex.why);

    struct buf what = BUF_INIT(400);
    token_describe(&p->tok, &what);
    if (context) buf_printf(&what, " in %s", context);
    if (expected) buf_printf(&what, ", expected %s", expected);
    parse_fail(p, p->tok.pos, "unexpected %s", buf_cstr(&what));
    buf_release(&what);
    return ERR_PARSE;
}

void parse_advance(struct parser *p)
{
    if (p->tok.kind == TOK_ERROR) return;
    p->end = p->tok.pos + (uint32_t)p->tok.text.n;
    lex_next(&p->lex, &p->tok);
}

bool parse_accept(struct parser *p, enum token_kind kind)
{
    if (p->tok.kind != kind) return false;
    parse_advance(p);
    return true;
}

bool parse_enter(struct parser *p)
{
    if (p->depth >= PROMQL_DEPTH_MAX) {
        parse_fail(p, p->tok.pos, "expression is nested deeper than %d levels", PROMQL_DEPTH_MAX);
        return false;
    }
    p->depth++;
    return true;
}

void parse_leave(struct parser *p)
{
    p->depth--;
}

struct node *parse_node(struct parser *p, enum promql_kind kind, uint32_t pos, uint32_t end)
{
    if (p->nodes >= PROMQL_NODES_MAX) {
        parse_fail(p, pos, "expression has more than %d parts", PROMQL_NODES_MAX);
        return NULL;
    }
    p->nodes++;
    struct node *n = arena_zero(p->arena, sizeof *n);
    n->kind = kind;
    n->height = 1;
    n->at = (struct promql_span){ pos, end };
    return n;
}

bool parse_stand_on(struct parser *p, struct node *n, const struct node *child)
{
    if (child->height >= PROMQL_HEIGHT_MAX) {
        parse_fail(p, n->at.pos, "expression has more than %d levels", PROMQL_HEIGHT_MAX);
        return false;
    }
    if (n->height <= child->height) n->height = (uint16_t)(child->height + 1);
    return true;
}

/* ---- literals ---- */

static bool integer_value(struct str s, double *out)
{
    int base = 10;
    uint64_t v = 0;

    if (s.n > 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x') {
        base = 16;
        s = str_make(s.p + 2, s.n - 2);
    } else if (s.n > 1 && s.p[0] == '0') {
        base = 8; /* as in Go and C: 010 is eight, but 089 is eighty-nine */
    }
    for (size_t i = 0; i < s.n; i++) {
        int c = s.p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : 99;
        if (d >= base || v > (INT64_MAX - (uint64_t)d) / (uint64_t)base) return false;
        v = v * (uint64_t)base + (uint64_t)d;
    }
    *out = (double)v;
    return s.n > 0;
}

static bool number_value(struct parser *p, const struct token *t, double *out)
{
    char digits[512];
    size_t n = 0;

    for (size_t i = 0; i < t->text.n && n < sizeof digits; i++)
        if (t->text.p[i] != '_') digits[n++] = t->text.p[i];
    struct str s = str_make(digits, n);
    bool hex = n > 1 && (digits[1] | 0x20) == 'x';
    bool is_word = n > 0 && (digits[0] | 0x20) >= 'a'; /* inf, nan */

    if (integer_value(s, out)) return true;
    if (!hex && n < sizeof digits && float_parse(s, out) && (is_word || !isinf(*out))) return true;
    bool cut = n > 0 && !hex && strchr("eE+-", digits[n - 1]); /* 1e, 1e+ */
    parse_fail(p, t->pos, "error parsing number: \"%.*s\": %s", (int)MIN(t->text.n, 100), t->text.p,
               cut ? "invalid syntax" : "value out of range");
    return false;
}

bool parse_number(struct parser *p, const struct token *t, double *out)
{
    int64_t ms;

    if (t->kind == TOK_NUMBER) return number_value(p, t, out);
    if (!duration_parse_ms(t->text, &ms)) {
        parse_fail(p, t->pos, "not a valid duration string: \"%.*s\"", (int)MIN(t->text.n, 100), t->text.p);
        return false;
    }
    *out = (double)ms / 1000.0;
    return true;
}

static struct node *parse_number_node(struct parser *p)
{
    struct node *n = parse_node(p, NODE_NUMBER, p->tok.pos, p->tok.pos + (uint32_t)p->tok.text.n);
    if (!n || !parse_number(p, &p->tok, &n->number)) return NULL;
    n->is_duration = p->tok.kind == TOK_DURATION;
    n->type = PROMQL_SCALAR;
    parse_advance(p);
    return n;
}

static struct node *parse_string_node(struct parser *p)
{
    struct node *n = parse_node(p, NODE_STRING, p->tok.pos, p->tok.pos + (uint32_t)p->tok.text.n);
    struct err why = ERR_INIT;

    if (!n) return NULL;
    if (lex_unquote(p->tok.text, p->arena, &n->text, &why) < 0) {
        parse_fail(p, p->tok.pos, "%s", why.text);
        return NULL;
    }
    n->type = PROMQL_STRING;
    parse_advance(p);
    return n;
}

static struct node *parse_paren(struct parser *p)
{
    struct node *n = parse_node(p, NODE_PAREN, p->tok.pos, 0);

    if (!n || !parse_enter(p)) return NULL;
    parse_advance(p);
    n->child = parse_expr(p);
    if (!n->child || !parse_stand_on(p, n, n->child)) return NULL;
    n->type = n->child->type;
    if (!parse_accept(p, TOK_RPAREN)) {
        parse_unexpected(p, p->context, NULL);
        return NULL;
    }
    n->at.end = p->end;
    parse_leave(p);
    return n;
}

/* ---- calls and aggregations ---- */

static bool starts_expr(const struct token *t)
{
    switch (t->kind) {
    case TOK_NUMBER:
    case TOK_DURATION:
    case TOK_STRING:
    case TOK_LPAREN:
    case TOK_LBRACE:
    case TOK_ERROR: /* told when it is looked at */
    case TOK_EOF: return true;
    case TOK_OP: return t->which == OP_ADD || t->which == OP_SUB || token_names_metric(t);
    default: return token_names_metric(t);
    }
}

/* "(a, b, c)"; n stands on its arguments. */
static bool parse_args(struct parser *p, struct node *n, struct node ***args, size_t *n_args)
{
    size_t cap = 0;

    if (!parse_enter(p)) return false;
    if (!parse_accept(p, TOK_LPAREN)) {
        parse_unexpected(p, p->context, NULL);
        return false;
    }
    for (bool more = p->tok.kind != TOK_RPAREN; more;) {
        struct node *arg = parse_expr(p);
        if (!arg || !parse_stand_on(p, n, arg)) return false;
        *args = arena_grow(p->arena, *args, *n_args, &cap, sizeof **args);
        (*args)[(*n_args)++] = arg;
        struct token comma = p->tok;
        more = parse_accept(p, TOK_COMMA);
        if (more && !starts_expr(&p->tok)) {
            parse_fail(p, comma.pos, "trailing commas not allowed in function call args");
            return false;
        }
    }
    if (!parse_accept(p, TOK_RPAREN)) {
        parse_unexpected(p, p->context, NULL);
        return false;
    }
    parse_leave(p);
    return true;
}

/* Past the name, at "(". */
static struct node *parse_call(struct parser *p, const struct token *name)
{
    struct node *n = parse_node(p, NODE_CALL, name->pos, 0);

    if (!n || !parse_args(p, n, &n->args, &n->n_args)) return NULL;
    n->at.end = p->end;
    n->fn = promql_function_find(name->text);
    if (!n->fn) {
        parse_fail(p, name->pos, "unknown function with name \"%.*s\"", (int)MIN(name->text.n, 200),
                   name->text.p);
        return NULL;
    }
    n->type = n->fn->returns;
    return n;
}

static bool parse_by_without(struct parser *p, struct node *n)
{
    if (p->tok.kind != TOK_BY && p->tok.kind != TOK_WITHOUT) return true;
    n->by = p->tok.kind == TOK_BY;
    n->without = !n->by;
    parse_advance(p);
    return parse_grouping(p, &n->grouping, &n->n_grouping);
}

static bool agg_takes_param(enum promql_agg agg)
{
    return agg == AGG_TOPK || agg == AGG_BOTTOMK || agg == AGG_QUANTILE || agg == AGG_COUNT_VALUES ||
           agg == AGG_LIMITK || agg == AGG_LIMIT_RATIO;
}

static bool aggregate_operands(struct parser *p, struct node *n, struct node **args, size_t n_args)
{
    size_t want = agg_takes_param(n->agg) ? 2 : 1;

    if (n_args == 0) {
        parse_fail(p, n->at.pos, "no arguments for aggregate expression provided");
        return false;
    }
    if (n_args != want) {
        parse_fail(p, n->at.pos,
                   "wrong number of arguments for aggregate expression provided, expected %zu, got %zu", want,
                   n_args);
        return false;
    }
    n->param = want == 2 ? args[0] : NULL;
    n->child = args[want - 1];
    return true;
}

/* Past the operator's name, at "(", by or without. */
static struct node *parse_aggregate(struct parser *p, const struct token *op)
{
    const char *outer = p->context;
    struct node **args = NULL, *n = parse_node(p, NODE_AGGREGATE, op->pos, 0);
    size_t n_args = 0;

    if (!n) return NULL;
    p->context = "aggregation";
    n->agg = (enum promql_agg)op->which;
    n->type = PROMQL_VECTOR;
    if (!parse_by_without(p, n) || !parse_args(p, n, &args, &n_args)) return NULL;
    if (!n->by && !n->without && !parse_by_without(p, n)) return NULL;
    n->at.end = p->end;
    p->context = outer;
    return aggregate_operands(p, n, args, n_args) ? n : NULL;
}

/* ---- operands and operators ---- */

/* A word: what comes after it tells whether it is a call, an aggregation or the name of a metric. */
static struct node *parse_word(struct parser *p)
{
    struct token word = p->tok;

    parse_advance(p);
    bool open = p->tok.kind == TOK_LPAREN;
    if (word.kind == TOK_AGG && (open || p->tok.kind == TOK_BY || p->tok.kind == TOK_WITHOUT))
        return parse_aggregate(p, &word);
    if (open && (word.kind == TOK_IDENT || word.kind >= TOK_START)) return parse_call(p, &word);
    return parse_selector(p, &word);
}

static struct node *parse_operand(struct parser *p)
{
    switch (p->tok.kind) {
    case TOK_NUMBER:
    case TOK_DURATION: return parse_number_node(p);
    case TOK_STRING: return parse_string_node(p);
    case TOK_LPAREN: return parse_paren(p);
    case TOK_LBRACE: return parse_selector(p, NULL);
    default: break;
    }
    if (token_names_metric(&p->tok)) return parse_word(p);
    parse_unexpected(p, p->context, NULL);
    return NULL;
}

static int precedence(enum promql_op op)
{
    switch (op) {
    case OP_OR: return 1;
    case OP_AND:
    case OP_UNLESS: return 2;
    case OP_EQ:
    case OP_NEQ:
    case OP_GT:
    case OP_LT:
    case OP_GTE:
    case OP_LTE:
    case OP_TRIM_UPPER:
    case OP_TRIM_LOWER: return 3;
    case OP_ADD:
    case OP_SUB: return 4;
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
    case OP_ATAN2: return 5;
    case OP_POW: return 6;
    }
    return 0;
}

static struct node *parse_binary(struct parser *p, int least);

/* A sign binds less than ^ and more than *: -2^2 is -4. Before a plain number it is part of the number. */
static struct node *parse_sign(struct parser *p)
{
    struct token sign = p->tok;

    if (!parse_enter(p)) return NULL;
    parse_advance(p);
    struct node *operand = parse_binary(p, precedence(OP_POW));
    parse_leave(p);
    if (!operand) return NULL;
    if (operand->kind == NODE_NUMBER) {
        if (sign.which == OP_SUB) operand->number = -operand->number;
        operand->at.pos = sign.pos;
        return operand;
    }
    struct node *n = parse_node(p, NODE_UNARY, sign.pos, operand->at.end);
    if (!n || !parse_stand_on(p, n, operand)) return NULL;
    n->op = (enum promql_op)sign.which;
    n->op_at = (struct promql_span){ sign.pos, sign.pos + 1 };
    n->child = operand;
    n->type = operand->type;
    return n;
}

static struct node *parse_unary(struct parser *p)
{
    if (p->tok.kind == TOK_OP && (p->tok.which == OP_ADD || p->tok.which == OP_SUB)) return parse_sign(p);

    struct node *n = parse_operand(p);
    return n ? parse_postfix(p, n) : NULL;
}

/* "(1)", "(-2.5)" of fill. */
static bool parse_fill_value(struct parser *p, double *out)
{
    bool minus = false;

    parse_advance(p);
    if (!parse_accept(p, TOK_LPAREN)) goto unexpected;
    if (p->tok.kind == TOK_OP && (p->tok.which == OP_ADD || p->tok.which == OP_SUB)) {
        minus = p->tok.which == OP_SUB;
        parse_advance(p);
    }
    if (p->tok.kind != TOK_NUMBER && p->tok.kind != TOK_DURATION) goto unexpected;
    if (!parse_number(p, &p->tok, out)) return false;
    if (minus) *out = -*out;
    parse_advance(p);
    if (parse_accept(p, TOK_RPAREN)) return true;
unexpected:
    parse_unexpected(p, p->context, NULL);
    return false;
}

/* fill(v), or fill_left(v) and fill_right(v) in either order. */
static bool parse_fill(struct parser *p, struct node *n)
{
    if (p->tok.kind == TOK_FILL) {
        n->has_fill_left = n->has_fill_right = true;
        if (!parse_fill_value(p, &n->fill_left)) return false;
        n->fill_right = n->fill_left;
        return true;
    }
    while ((p->tok.kind == TOK_FILL_LEFT && !n->has_fill_left) ||
           (p->tok.kind == TOK_FILL_RIGHT && !n->has_fill_right)) {
        bool left = p->tok.kind == TOK_FILL_LEFT;
        *(left ? &n->has_fill_left : &n->has_fill_right) = true;
        if (!parse_fill_value(p, left ? &n->fill_left : &n->fill_right)) return false;
    }
    return true;
}

/* bool, on/ignoring (labels), group_left/group_right (labels), fill: in this order, each optional. */
static bool parse_matching(struct parser *p, struct node *n)
{
    n->return_bool = parse_accept(p, TOK_BOOL);
    if (p->tok.kind == TOK_ON || p->tok.kind == TOK_IGNORING) {
        n->has_matching = true;
        n->on = p->tok.kind == TOK_ON;
        parse_advance(p);
        if (!parse_grouping(p, &n->match_labels, &n->n_match_labels)) return false;
        if (p->tok.kind == TOK_GROUP_LEFT || p->tok.kind == TOK_GROUP_RIGHT) {
            n->card = p->tok.kind == TOK_GROUP_LEFT ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
            parse_advance(p);
            if (p->tok.kind == TOK_LPAREN && !parse_grouping(p, &n->include, &n->n_include)) return false;
        }
    }
    return parse_fill(p, n);
}

static struct node *parse_operation(struct parser *p, struct node *left)
{
    enum promql_op op = (enum promql_op)p->tok.which;
    struct node *n = parse_node(p, NODE_BINARY, left->at.pos, 0);

    if (!n) return NULL;
    n->op = op;
    n->op_at = (struct promql_span){ p->tok.pos, p->tok.pos + (uint32_t)p->tok.text.n };
    parse_advance(p);
    if (!parse_matching(p, n)) return NULL;
    if (op == OP_POW && !parse_enter(p)) return NULL;
    n->left = left;
    n->right = parse_binary(p, op == OP_POW ? precedence(op) : precedence(op) + 1);
    if (op == OP_POW) parse_leave(p);
    if (!n->right || !parse_stand_on(p, n, left) || !parse_stand_on(p, n, n->right)) return NULL;
    n->at.end = n->right->at.end;
    n->type = left->type == PROMQL_SCALAR && n->right->type == PROMQL_SCALAR ? PROMQL_SCALAR : PROMQL_VECTOR;
    return n;
}

/* Operands joined by operators of at least this precedence. */
static struct node *parse_binary(struct parser *p, int least)
{
    struct node *n = parse_unary(p);

    while (n && p->tok.kind == TOK_OP && precedence((enum promql_op)p->tok.which) >= least)
        n = parse_operation(p, n);
    return n;
}

struct node *parse_expr(struct parser *p)
{
    return parse_binary(p, 1);
}

/* ---- the whole ---- */

static int parser_open(struct parser *p, struct str text, struct arena *a, struct err *e)
{
    *e = (struct err)ERR_INIT;
    *p = (struct parser){ .arena = a, .err = e };
    if (text.n > PROMQL_TEXT_MAX)
        return err_set(e, ERR_PARSE, "1:1: parse error: expression is longer than %u bytes", PROMQL_TEXT_MAX);
    lex_init(&p->lex, arena_str(a, text));
    parse_advance(p);
    return OK;
}

static void parser_drop_matchers(struct parser *p)
{
    matchers_release(p->matchers, p->n_matchers);
}

int promql_parse(struct str text, struct arena *a, struct node **out, struct err *e)
{
    struct err unheard;
    struct parser p;
    struct node *n = NULL;

    if (!e) e = &unheard;
    if (parser_open(&p, text, a, e) < 0) return e->code;
    if (p.tok.kind == TOK_EOF)
        parse_fail(&p, 0, "no expression found in input");
    else
        n = parse_expr(&p);
    if (n && p.tok.kind != TOK_EOF) parse_unexpected(&p, NULL, NULL);
    if (n && e->code == OK) parse_check(&p, n);
    if (e->code != OK) {
        parser_drop_matchers(&p);
        return e->code;
    }
    *out = n;
    return OK;
}

int promql_parse_selector(struct str text, struct arena *a, struct matcher **out, size_t *n_out,
                          struct err *e)
{
    struct err unheard;
    struct parser p;
    struct node *n = NULL;

    if (!e) e = &unheard;
    if (parser_open(&p, text, a, e) < 0) return e->code;
    if (p.tok.kind == TOK_LBRACE) {
        n = parse_selector(&p, NULL);
    } else if (token_names_metric(&p.tok)) {
        struct token name = p.tok;
        parse_advance(&p);
        n = parse_selector(&p, &name);
    }
    if (e->code == OK && (!n || p.tok.kind != TOK_EOF)) parse_unexpected(&p, NULL, NULL);
    if (e->code != OK) {
        parser_drop_matchers(&p);
        return e->code;
    }
    *out = n->matchers;
    *n_out = n->n_matchers;
    return OK;
}

void promql_release(struct node *n)
{
    if (!n) return;
    matchers_release(n->matchers, n->n_matchers);
    promql_release(n->child);
    promql_release(n->left);
    promql_release(n->right);
    promql_release(n->param);
    for (size_t i = 0; i < n->n_args; i++) promql_release(n->args[i]);
}

void matchers_release(struct matcher *m, size_t n)
{
    for (size_t i = 0; i < n; i++) matcher_release(&m[i]);
}
