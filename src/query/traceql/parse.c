/* parse.c - the pipeline: sets of spans, what relates them, and the stages they pass. */
#include "query/traceql/parse.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "query/traceql/parser.h"

/* ---- errors and ceilings ---- */

bool tq_parse_fail(struct traceql_parser *p, int code, uint32_t pos, const char *fmt, ...)
{
    char text[400];
    va_list args;

    if (p->tok.kind == LEX_ERROR) return false;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err_set(p->err, code, "TraceQL, character %u: %s", pos + 1, text);
    p->tok.kind = LEX_ERROR;
    return false;
}

bool tq_parse_unexpected(struct traceql_parser *p, const char *expected)
{
    if (p->tok.kind == LEX_END)
        return tq_parse_fail(p, ERR_PARSE, p->tok.pos, "the query ends where %s is expected", expected);
    return tq_parse_fail(p, ERR_PARSE, p->tok.pos, "%s is expected, not \"%.*s\"", expected,
                         (int)MIN(p->tok.text.n, (size_t)60), p->tok.text.p);
}

bool tq_parse_enter(struct traceql_parser *p)
{
    if (p->depth++ < TRACEQL_DEPTH_MAX) return true;
    return tq_parse_fail(p, ERR_LIMIT, p->tok.pos, "nested deeper than %d levels", TRACEQL_DEPTH_MAX);
}

bool tq_parse_count(struct traceql_parser *p)
{
    if (++p->nodes <= TRACEQL_NODES_MAX) return p->tok.kind != LEX_ERROR;
    return tq_parse_fail(p, ERR_LIMIT, p->tok.pos, "a query of more than %d parts", TRACEQL_NODES_MAX);
}

/* ---- sets of spans ---- */

static bool parse_stages(struct traceql_parser *, struct pipeline *, bool is_whole);

static const struct {
    const char *sign;
    enum relation relation;
    enum relation_mode mode;
} relations[] = {
    { "&&", REL_AND, MODE_PLAIN },         { "||", REL_OR, MODE_PLAIN },
    { ">", REL_CHILD, MODE_PLAIN },        { "<", REL_PARENT, MODE_PLAIN },
    { ">>", REL_DESCENDANT, MODE_PLAIN },  { "<<", REL_ANCESTOR, MODE_PLAIN },
    { "~", REL_SIBLING, MODE_PLAIN },      { "!>", REL_CHILD, MODE_NOT },
    { "!<", REL_PARENT, MODE_NOT },        { "!>>", REL_DESCENDANT, MODE_NOT },
    { "!<<", REL_ANCESTOR, MODE_NOT },     { "!~", REL_SIBLING, MODE_NOT },
    { "&>", REL_CHILD, MODE_UNION },       { "&<", REL_PARENT, MODE_UNION },
    { "&>>", REL_DESCENDANT, MODE_UNION }, { "&<<", REL_ANCESTOR, MODE_UNION },
    { "&~", REL_SIBLING, MODE_UNION },
};
#define LOGIC_RELATIONS 2 /* the first ones; they bind least */

static struct spanset_expr *new_spanset(struct traceql_parser *p, enum spanset_kind kind)
{
    if (!tq_parse_count(p)) return NULL;
    struct spanset_expr *s = arena_zero(p->arena, sizeof *s);
    s->kind = kind;
    return s;
}

static struct spanset_expr *parse_filter(struct traceql_parser *p)
{
    struct spanset_expr *s = new_spanset(p, SPANSET_FILTER);
    if (s == NULL) return NULL;
    tq_lex_advance(p);
    if (tq_lex_accept(p, "}")) return s;
    s->filter = tq_parse_field(p);
    if (s->filter == NULL || !tq_check_filter(p, s->filter)) return NULL;
    return tq_lex_expect(p, "}") ? s : NULL;
}

/* ( ... ): a pipeline of its own, or only parentheses. */
static struct spanset_expr *parse_wrapped(struct traceql_parser *p)
{
    struct spanset_expr *s = new_spanset(p, SPANSET_PIPELINE);
    if (s == NULL || !tq_parse_enter(p)) return NULL;
    tq_lex_advance(p);
    s->pipeline = arena_zero(p->arena, sizeof *s->pipeline);
    if (!parse_stages(p, s->pipeline, false)) return NULL;
    p->depth--;
    if (!tq_lex_expect(p, ")")) return NULL;
    const struct stage *only = s->pipeline->first;
    return only->kind == STAGE_SPANSET && only->next == NULL ? only->spanset : s;
}

static struct spanset_expr *parse_set(struct traceql_parser *p)
{
    if (tq_lex_at(p, "{")) return parse_filter(p);
    if (tq_lex_at(p, "(")) return parse_wrapped(p);
    tq_parse_unexpected(p, "\"{\"");
    return NULL;
}

static bool at_relation(const struct traceql_parser *p, size_t from, size_t to, size_t *which)
{
    for (size_t i = from; i < to; i++) {
        if (p->tok.kind != LEX_SIGN || !str_is(p->tok.text, relations[i].sign)) continue;
        *which = i;
        return true;
    }
    return false;
}

static struct spanset_expr *parse_relation(struct traceql_parser *p, size_t from, size_t to,
                                           struct spanset_expr *(*operand)(struct traceql_parser *))
{
    struct spanset_expr *left = operand(p);
    size_t which;

    while (left != NULL && at_relation(p, from, to, &which)) {
        struct spanset_expr *s = new_spanset(p, SPANSET_RELATION);
        if (s == NULL) return NULL;
        tq_lex_advance(p);
        s->relation = relations[which].relation;
        s->mode = relations[which].mode;
        s->left = left;
        s->right = operand(p);
        left = s->right != NULL ? s : NULL;
    }
    return left;
}

static struct spanset_expr *parse_structure(struct traceql_parser *p)
{
    return parse_relation(p, LOGIC_RELATIONS, COUNT(relations), parse_set);
}

static struct spanset_expr *parse_spanset(struct traceql_parser *p)
{
    return parse_relation(p, 0, LOGIC_RELATIONS, parse_structure);
}

/* ---- aggregates and what they are compared with ---- */

static const char *const aggregates[] = { "count", "avg", "min", "max", "sum" }; /* as enum aggregate */

static struct scalar_expr *new_scalar(struct traceql_parser *p, enum scalar_kind kind)
{
    if (!tq_parse_count(p)) return NULL;
    struct scalar_expr *s = arena_zero(p->arena, sizeof *s);
    s->kind = kind;
    return s;
}

static bool at_aggregate(const struct traceql_parser *p, enum aggregate *out)
{
    for (size_t i = 0; i < COUNT(aggregates); i++) {
        if (p->tok.kind != LEX_WORD || !str_is(p->tok.text, aggregates[i])) continue;
        *out = (enum aggregate)i;
        return true;
    }
    return false;
}

static struct scalar_expr *parse_aggregate(struct traceql_parser *p, enum aggregate agg)
{
    struct scalar_expr *s = new_scalar(p, SCALAR_AGGREGATE);
    if (s == NULL) return NULL;
    s->agg = agg;
    tq_lex_advance(p);
    if (!tq_lex_expect(p, "(")) return NULL;
    if (agg != FOLD_COUNT && (s->of = tq_parse_field(p)) == NULL) return NULL;
    return tq_lex_expect(p, ")") ? s : NULL;
}

static struct scalar_expr *parse_scalar(struct traceql_parser *);

static struct scalar_expr *parse_scalar_leaf(struct traceql_parser *p)
{
    enum aggregate agg;
    bool minus = tq_lex_accept(p, "-");
    struct scalar_expr *s;

    if (!minus && at_aggregate(p, &agg)) return parse_aggregate(p, agg);
    if (!minus && tq_lex_accept(p, "(")) {
        if (!tq_parse_enter(p)) return NULL;
        s = parse_scalar(p);
        p->depth--;
        return s != NULL && tq_lex_expect(p, ")") ? s : NULL;
    }
    if (p->tok.kind != LEX_STATIC || p->tok.value.type == STATIC_STRING) {
        tq_parse_unexpected(p, "an aggregate or a number");
        return NULL;
    }
    if ((s = new_scalar(p, SCALAR_STATIC)) == NULL) return NULL;
    s->value = p->tok.value;
    if (minus && s->value.type == STATIC_FLOAT)
        s->value.d = -s->value.d;
    else if (minus)
        s->value.i = -s->value.i; /* at most INT64_MAX, so it can be */
    tq_lex_advance(p);
    return s;
}

static struct scalar_expr *parse_scalar_level(struct traceql_parser *p, int level)
{
    static const struct {
        enum tq_op at[3];
        size_t n;
    } levels[] = { { { TQ_ADD, TQ_SUB }, 2 }, { { TQ_MUL, TQ_DIV, TQ_MOD }, 3 }, { { TQ_POW }, 1 } };
    if (level == (int)COUNT(levels)) return parse_scalar_leaf(p);
    struct scalar_expr *left = parse_scalar_level(p, level + 1);
    enum tq_op op;

    while (left != NULL && tq_parse_op(p, levels[level].at, levels[level].n, &op)) {
        struct scalar_expr *s = new_scalar(p, SCALAR_BINARY);
        if (s == NULL) return NULL;
        tq_lex_advance(p);
        s->op = op;
        s->left = left;
        s->right = parse_scalar_level(p, level + 1);
        left = s->right != NULL ? s : NULL;
    }
    return left;
}

static struct scalar_expr *parse_scalar(struct traceql_parser *p)
{
    return parse_scalar_level(p, 0);
}

static bool parse_scalar_stage(struct traceql_parser *p, struct stage *s)
{
    static const enum tq_op ops[] = { TQ_EQ, TQ_NE, TQ_LT, TQ_LE, TQ_GT, TQ_GE };
    uint32_t pos = p->tok.pos;

    s->kind = STAGE_SCALAR;
    if ((s->left = parse_scalar(p)) == NULL) return false;
    if (!tq_parse_op(p, ops, COUNT(ops), &s->op))
        return tq_parse_unexpected(p, "a comparison of the aggregate");
    tq_lex_advance(p);
    return (s->right = parse_scalar(p)) != NULL && tq_check_scalar(p, s, pos);
}

/* ---- stages ---- */

static bool parse_by(struct traceql_parser *p, struct stage *s)
{
    s->kind = STAGE_BY;
    tq_lex_advance(p);
    if (!tq_lex_expect(p, "(")) return false;
    uint32_t pos = p->tok.pos;
    s->by = tq_parse_field(p);
    if (s->by == NULL) return false;
    tq_check_field(p, s->by);
    if (p->tok.kind == LEX_ERROR) return false;
    if (!tq_field_names_span(s->by)) return tq_parse_fail(p, ERR_PARSE, pos, "by() must speak of the span");
    return tq_lex_expect(p, ")");
}

static bool parse_select(struct traceql_parser *p, struct stage *s)
{
    s->kind = STAGE_SELECT;
    s->select = arena_array(p->arena, TRACEQL_ATTRS_MAX, sizeof *s->select);
    tq_lex_advance(p);
    return tq_parse_attr_list(p, s->select, TRACEQL_ATTRS_MAX, &s->n_select);
}

/* "(avg(duration)) > 1s" begins like a pipeline in parentheses. What is within tells: a pipeline has braces,
 * bars or comparisons. Looked at ahead, with a copy of the parser. */
static bool at_wrapped_scalar(const struct traceql_parser *p)
{
    static const char *const of_pipelines[] = { "{", "|", "=", "!=", "<", "<=", ">", ">=" };
    struct traceql_parser ahead = *p;
    struct err none = ERR_INIT;
    int open = 0;

    if (!tq_lex_at(p, "(")) return false;
    ahead.err = &none;
    do {
        for (size_t i = 0; i < COUNT(of_pipelines); i++)
            if (tq_lex_at(&ahead, of_pipelines[i])) return false;
        if (ahead.tok.kind == LEX_END || ahead.tok.kind == LEX_ERROR) return false;
        open += tq_lex_at(&ahead, "(") ? 1 : tq_lex_at(&ahead, ")") ? -1 : 0;
        tq_lex_advance(&ahead);
    } while (open > 0);
    return true;
}

static bool parse_stage(struct traceql_parser *p, struct stage *s, bool is_first)
{
    enum aggregate agg;

    if (tq_lex_at(p, "by")) return parse_by(p, s);
    if (tq_lex_at(p, "select")) return parse_select(p, s);
    if (tq_lex_at(p, "coalesce")) {
        if (is_first)
            return tq_parse_fail(p, ERR_PARSE, p->tok.pos, "a pipeline cannot begin with coalesce()");
        s->kind = STAGE_COALESCE;
        tq_lex_advance(p);
        return tq_lex_expect(p, "(") && tq_lex_expect(p, ")");
    }
    if (at_aggregate(p, &agg) || p->tok.kind == LEX_STATIC || tq_lex_at(p, "-") || at_wrapped_scalar(p))
        return parse_scalar_stage(p, s);
    if (tq_parse_at_metrics(p) && !is_first)
        return tq_parse_fail(p, ERR_UNSUPPORTED, p->tok.pos, "series within parentheses are not supported");
    if (p->tok.kind == LEX_WORD) return tq_parse_unexpected(p, "a set of spans or a stage");
    s->kind = STAGE_SPANSET;
    return (s->spanset = parse_spanset(p)) != NULL;
}

static bool parse_stages(struct traceql_parser *p, struct pipeline *pipeline, bool is_whole)
{
    struct stage **next = &pipeline->first;

    do {
        if (is_whole && next != &pipeline->first && tq_parse_at_metrics(p)) return tq_parse_metrics(p);
        if (!tq_parse_count(p)) return false;
        struct stage *s = arena_zero(p->arena, sizeof *s);
        if (!parse_stage(p, s, next == &pipeline->first)) return false;
        *next = s;
        next = &s->next;
    } while (tq_lex_accept(p, "|"));
    return p->tok.kind != LEX_ERROR;
}

/* ---- in ---- */

static void begin(struct traceql_parser *p, struct str text, struct arena *a, struct traceql_query *q,
                  struct err *e)
{
    *q = (struct traceql_query){ .arena = a };
    *p = (struct traceql_parser){ .text = text, .query = q, .arena = a, .err = e };
    if (text.n > TRACEQL_TEXT_MAX)
        tq_parse_fail(p, ERR_LIMIT, TRACEQL_TEXT_MAX, "longer than %u bytes", TRACEQL_TEXT_MAX);
    else
        tq_lex_advance(p);
}

/* What of the language's newest corners we do not answer, by name. */
static void name_unsupported(struct traceql_parser *p)
{
    if (tq_lex_at(p, "+") || tq_lex_at(p, "-") || tq_lex_at(p, "*") || tq_lex_at(p, "/"))
        tq_parse_fail(p, ERR_UNSUPPORTED, p->tok.pos, "arithmetic between pipelines is not supported");
    else
        tq_parse_unexpected(p, "\"|\" or the end");
}

int traceql_parse(struct str text, struct arena *a, struct traceql_query *q, struct err *e)
{
    struct traceql_parser p;
    struct err local = ERR_INIT;

    if (e == NULL) e = &local;
    begin(&p, text, a, q, e);
    if (parse_stages(&p, &q->pipeline, true) && tq_parse_hints(&p) && p.tok.kind != LEX_END)
        name_unsupported(&p);
    return p.tok.kind == LEX_ERROR ? e->code : OK;
}

void traceql_release(struct traceql_query *q)
{
    for (size_t i = 0; i < q->n_regexes; i++) regex_free(q->regexes[i]);
    q->n_regexes = 0;
}

int traceql_parse_attr(struct str text, struct arena *a, struct attr_ref *out, struct err *e)
{
    struct traceql_query q;
    struct traceql_parser p;
    uint32_t number;
    struct err local = ERR_INIT;

    if (e == NULL) e = &local;
    begin(&p, text, a, &q, e);
    if (!tq_parse_attr(&p, &number)) return e->code;
    if (p.tok.kind != LEX_END && !tq_parse_unexpected(&p, "the end of the attribute")) return e->code;
    *out = q.attrs[number];
    return OK;
}

/* ---- what an editor has so far ---- */

/* Over what does not parse, to the next && or the end. */
static void skip_broken(struct traceql_parser *p, struct err *e)
{
    *e = (struct err){ 0 };
    if (p->tok.kind == LEX_ERROR) {
        p->at = p->tok.pos;
        p->tok.kind = LEX_END;
        tq_lex_advance(p);
    }
    while (p->tok.kind != LEX_END && !tq_lex_at(p, "&&") && !tq_lex_at(p, "}")) {
        if (p->tok.kind == LEX_ERROR) {
            p->tok.kind = LEX_END;
            p->at = p->at < p->text.n ? p->at + 1 : p->at;
        }
        tq_lex_advance(p);
    }
}

static struct field_expr *join(struct traceql_parser *p, struct field_expr *a, struct field_expr *b)
{
    if (a == NULL || b == NULL) return a == NULL ? b : a;
    struct field_expr *x = arena_zero(p->arena, sizeof *x);
    *x = (struct field_expr){ .kind = EXPR_BINARY, .op = TQ_AND, .left = a, .right = b };
    return x;
}

void traceql_salvage(struct str text, struct arena *a, struct traceql_query *q)
{
    struct err e = ERR_INIT;
    struct traceql_parser p;
    struct field_expr *all = NULL;

    begin(&p, text, a, q, &e);
    if (tq_lex_accept(&p, "{")) {
        do {
            struct field_expr *x = tq_parse_comparison(&p);
            bool is_whole = x != NULL && (tq_lex_at(&p, "&&") || tq_lex_at(&p, "}") || p.tok.kind == LEX_END);
            if (is_whole && tq_check_filter(&p, x)) all = join(&p, all, x);
            if (!is_whole || p.tok.kind == LEX_ERROR) skip_broken(&p, &e);
        } while (tq_lex_accept(&p, "&&") && p.nodes < TRACEQL_NODES_MAX);
    }
    struct spanset_expr *s = arena_zero(a, sizeof *s);
    struct stage *stage = arena_zero(a, sizeof *stage);
    s->filter = all;
    stage->spanset = s;
    q->pipeline.first = stage;
    q->metrics = (struct metrics){ 0 };
}
