/* parse_selector.c - which series: name{label="value", "odd.label"=~"..."}, and the label lists of by, on,
 * group_left. */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "query/promql/parser.h"

/* Words that may stand where a metric's name stands; the others would make the grammar ambiguous. */
bool token_names_metric(const struct token *t)
{
    switch (t->kind) {
    case TOK_IDENT:
    case TOK_METRIC_IDENT:
    case TOK_AGG:
    case TOK_BY:
    case TOK_WITHOUT:
    case TOK_OFFSET:
    case TOK_FILL:
    case TOK_FILL_LEFT:
    case TOK_FILL_RIGHT:
    case TOK_ANCHORED:
    case TOK_SMOOTHED:
    case TOK_START:
    case TOK_END:
    case TOK_STEP:
    case TOK_RANGE:
    case TOK_MIN_OF:
    case TOK_MAX_OF: return true;
    case TOK_OP: return t->which == OP_AND || t->which == OP_OR || t->which == OP_UNLESS;
    default: return false;
    }
}

static bool token_names_label(const struct token *t)
{
    switch (t->kind) {
    case TOK_WITHOUT: return false;
    case TOK_BOOL:
    case TOK_ON:
    case TOK_IGNORING:
    case TOK_GROUP_LEFT:
    case TOK_GROUP_RIGHT: return true;
    case TOK_OP: return t->which == OP_ATAN2 || token_names_metric(t);
    default: return token_names_metric(t);
    }
}

/* ---- label lists ---- */

static bool take_label(struct parser *p, struct str *out)
{
    if (p->tok.kind == TOK_STRING) {
        if (lex_unquote(p->tok.text, p->arena, out, NULL) < 0 || out->n == 0 || !str_utf8_valid(*out)) {
            parse_fail(p, p->tok.pos, "invalid label name for grouping: %.*s", (int)MIN(p->tok.text.n, 100),
                       p->tok.text.p);
            return false;
        }
    } else if (token_names_label(&p->tok)) {
        *out = p->tok.text;
    } else {
        parse_unexpected(p, "grouping opts", "label");
        return false;
    }
    parse_advance(p);
    return true;
}

bool parse_grouping(struct parser *p, struct str **out, size_t *n)
{
    size_t cap = 0;

    if (!parse_accept(p, TOK_LPAREN)) {
        parse_unexpected(p, "grouping opts", "\"(\"");
        return false;
    }
    while (p->tok.kind != TOK_RPAREN) {
        struct str label;
        if (*n == PROMQL_LABELS_MAX) {
            parse_fail(p, p->tok.pos, "more than %d labels in one list", PROMQL_LABELS_MAX);
            return false;
        }
        if (!take_label(p, &label)) return false;
        *out = arena_grow(p->arena, *out, *n, &cap, sizeof **out);
        (*out)[(*n)++] = label;
        if (p->tok.kind == TOK_RPAREN) break;
        if (!parse_accept(p, TOK_COMMA)) {
            parse_unexpected(p, "grouping opts", "\",\" or \")\"");
            return false;
        }
    }
    parse_advance(p);
    return p->err->code == OK;
}

/* ---- matchers ---- */

static bool unquote(struct parser *p, const struct token *t, struct str *out)
{
    struct err why = ERR_INIT;

    if (lex_unquote(t->text, p->arena, out, &why) == OK) return true;
    parse_fail(p, t->pos, "%s", why.text);
    return false;
}

/* Regular expressions of a few bytes may take milliseconds and megabytes to compile: there is a budget for
 * all. */
static bool init_regex(struct parser *p, struct matcher *m, enum matcher_op op, struct str name,
                       struct str value, struct err *why)
{
    if (p->regex_ns > PROMQL_REGEX_CPU_MS * INT64_C(1000000)) {
        err_set(why, ERR_LIMIT, "the regular expressions before this one took more than %d ms to compile",
                PROMQL_REGEX_CPU_MS);
        return false;
    }
    int64_t begin = clock_cpu_ns();
    int rc = matcher_init(m, op, name, value, why);
    p->regex_ns += clock_cpu_ns() - begin;
    return rc == OK;
}

/* Keep a matcher on n, and on the list of what a failed parse must release. */
static bool add_matcher(struct parser *p, struct node *n, size_t *cap, enum matcher_op op, struct str name,
                        struct str value, uint32_t pos)
{
    struct err why = ERR_INIT;
    struct matcher m;

    if (p->n_matchers >= PROMQL_MATCHERS_MAX) {
        parse_fail(p, pos, "expression has more than %d label matchers", PROMQL_MATCHERS_MAX);
        return false;
    }
    bool plain = op == MATCH_EQ || op == MATCH_NEQ;
    if (plain ? matcher_init(&m, op, name, value, &why) < 0 : !init_regex(p, &m, op, name, value, &why)) {
        parse_fail(p, pos, "%s", why.text);
        return false;
    }
    p->matchers = arena_grow(p->arena, p->matchers, p->n_matchers, &p->cap_matchers, sizeof m);
    p->matchers[p->n_matchers++] = m;
    n->matchers = arena_grow(p->arena, n->matchers, n->n_matchers, cap, sizeof m);
    n->matchers[n->n_matchers++] = m;
    return true;
}

static bool take_match_op(struct parser *p, enum matcher_op *op)
{
    switch (p->tok.kind) {
    case TOK_EQL: *op = MATCH_EQ; break;
    case TOK_MATCH_RE: *op = MATCH_RE; break;
    case TOK_MATCH_NRE: *op = MATCH_NRE; break;
    case TOK_OP:
        if (p->tok.which != OP_NEQ) return false;
        *op = MATCH_NEQ;
        break;
    default: return false;
    }
    parse_advance(p);
    return true;
}

/* label="x", "label"="x", or "metric". */
static bool parse_matcher(struct parser *p, struct node *n, size_t *cap)
{
    struct token name_tok = p->tok;
    struct str name = name_tok.text, value;
    enum matcher_op op;

    if (name_tok.kind == TOK_STRING) {
        if (!unquote(p, &name_tok, &name)) return false;
    } else if (name_tok.kind != TOK_IDENT) {
        parse_unexpected(p, "label matching", "identifier or \"}\"");
        return false;
    }
    parse_advance(p);
    if (!take_match_op(p, &op)) {
        if (name_tok.kind == TOK_STRING)
            return add_matcher(p, n, cap, MATCH_EQ, STR(LABEL_NAME), name, name_tok.pos);
        parse_unexpected(p, "label matching", "label matching operator");
        return false;
    }
    if (p->tok.kind != TOK_STRING) {
        parse_unexpected(p, "label matching", "string");
        return false;
    }
    if (!unquote(p, &p->tok, &value) || !add_matcher(p, n, cap, op, name, value, name_tok.pos)) return false;
    parse_advance(p);
    return true;
}

/* Past "{", up to and with "}". A comma may stand before the brace. */
static bool parse_matchers(struct parser *p, struct node *n, size_t *cap)
{
    while (p->tok.kind != TOK_RBRACE) {
        if (!parse_matcher(p, n, cap)) return false;
        if (p->tok.kind == TOK_RBRACE) break;
        if (!parse_accept(p, TOK_COMMA)) {
            parse_unexpected(p, "label matching", "\",\" or \"}\"");
            return false;
        }
    }
    parse_advance(p);
    return true;
}

struct node *parse_selector(struct parser *p, const struct token *name)
{
    uint32_t pos = name ? name->pos : p->tok.pos;
    struct node *n = parse_node(p, NODE_SELECTOR, pos, 0);
    size_t cap = 0;

    if (!n) return NULL;
    n->type = PROMQL_VECTOR;
    n->at.end = name ? name->pos + (uint32_t)name->text.n : 0;
    if (parse_accept(p, TOK_LBRACE)) {
        if (!parse_matchers(p, n, &cap)) return NULL;
        n->at.end = p->end;
    }
    if (name) {
        n->metric = name->text;
        if (!add_matcher(p, n, &cap, MATCH_EQ, STR(LABEL_NAME), name->text, pos)) return NULL;
    }
    return p->err->code == OK ? n : NULL;
}
