/* tq_parse_metrics.c - what makes series of spans: rate() by (...) | topk(5) with (...). */
#include "base/check.h"
#include "query/traceql/parser.h"

static const struct {
    const char *name;
    enum metric_kind kind;
    bool takes_attr;
} functions[] = {
    { "rate", METRIC_RATE, false },
    { "count_over_time", METRIC_COUNT, false },
    { "min_over_time", METRIC_MIN, true },
    { "max_over_time", METRIC_MAX, true },
    { "avg_over_time", METRIC_AVG, true },
    { "sum_over_time", METRIC_SUM, true },
    { "quantile_over_time", METRIC_QUANTILE, true },
    { "histogram_over_time", METRIC_HISTOGRAM, true },
    { "compare", METRIC_COMPARE, false },
};

static bool find_function(const struct traceql_parser *p, size_t *which)
{
    for (*which = 0; *which < COUNT(functions); (*which)++)
        if (p->tok.kind == LEX_WORD && str_is(p->tok.text, functions[*which].name)) return true;
    return false;
}

bool tq_parse_at_metrics(const struct traceql_parser *p)
{
    size_t which;
    return find_function(p, &which);
}

static bool parse_quantiles(struct traceql_parser *p, struct metrics *m)
{
    while (tq_lex_accept(p, ",")) {
        double q;
        uint32_t pos = p->tok.pos;
        if (m->n_quantiles == QUANTILES_MAX)
            return tq_parse_fail(p, ERR_LIMIT, pos, "more than %d quantiles", QUANTILES_MAX);
        if (!tq_parse_number(p, &q)) return false;
        if (!(q >= 0 && q <= 1))
            return tq_parse_fail(p, ERR_PARSE, pos, "a quantile must be between 0 and 1");
        m->quantile[m->n_quantiles++] = q;
    }
    return m->n_quantiles > 0 || tq_parse_unexpected(p, "\",\" and a quantile");
}

static bool parse_whole(struct traceql_parser *p, int64_t *out)
{
    if (p->tok.kind != LEX_STATIC || p->tok.value.type != STATIC_INT)
        return tq_parse_unexpected(p, "a whole number");
    *out = p->tok.value.i;
    tq_lex_advance(p);
    return true;
}

/* compare({selection}, 10, start, end): the last two, in Unix ns, narrow the selection. */
static bool parse_compare(struct traceql_parser *p, struct metrics *m)
{
    m->top = 10;
    if (!tq_lex_expect(p, "{")) return false;
    if (!tq_lex_at(p, "}")) {
        m->selection = tq_parse_field(p);
        if (m->selection == NULL || !tq_check_filter(p, m->selection)) return false;
    }
    if (!tq_lex_expect(p, "}")) return false;
    uint32_t pos = p->tok.pos;
    if (tq_lex_accept(p, ",") && !parse_whole(p, &m->top)) return false;
    if (m->top < 1 || m->top > 1000)
        return tq_parse_fail(p, ERR_PARSE, pos, "compare() shows 1 to 1000 values");
    if (!tq_lex_accept(p, ",")) return true;
    return parse_whole(p, &m->from_ns) && tq_lex_expect(p, ",") && parse_whole(p, &m->to_ns);
}

static bool parse_arguments(struct traceql_parser *p, struct metrics *m, bool takes_attr)
{
    if (m->kind == METRIC_COMPARE) return parse_compare(p, m);
    if (!takes_attr) return true;
    uint32_t pos = p->tok.pos;
    if (!tq_parse_attr(p, &m->attr)) return false;
    const struct attr_ref *a = &p->query->attrs[m->attr];
    if (a->scope == SCOPE_INTRINSIC && intrinsic_type(a->intrinsic) != STATIC_DURATION &&
        intrinsic_type(a->intrinsic) != STATIC_INT)
        return tq_parse_fail(p, ERR_PARSE, pos, "this is not a number, and has no average or quantile");
    return m->kind != METRIC_QUANTILE || parse_quantiles(p, m);
}

/* ---- what is done with the series ---- */

static bool parse_second(struct traceql_parser *p, struct second_stage *s)
{
    static const enum tq_op ops[] = { TQ_EQ, TQ_NE, TQ_LT, TQ_LE, TQ_GT, TQ_GE };
    bool is_top = tq_lex_at(p, "topk");

    if (is_top || tq_lex_at(p, "bottomk")) {
        s->kind = is_top ? SECOND_TOPK : SECOND_BOTTOMK;
        tq_lex_advance(p);
        if (!tq_lex_expect(p, "(")) return false;
        uint32_t pos = p->tok.pos;
        if (!parse_whole(p, &s->n)) return false;
        if (s->n < 1) return tq_parse_fail(p, ERR_PARSE, pos, "topk and bottomk want a number above 0");
        return tq_lex_expect(p, ")");
    }
    s->kind = SECOND_COMPARE;
    if (!tq_parse_op(p, ops, COUNT(ops), &s->op))
        return tq_parse_unexpected(p, "topk, bottomk or a comparison");
    tq_lex_advance(p);
    return tq_parse_number(p, &s->value);
}

static bool at_comparison(const struct traceql_parser *p)
{
    static const enum tq_op ops[] = { TQ_EQ, TQ_NE, TQ_LT, TQ_LE, TQ_GT, TQ_GE };
    enum tq_op op;
    return tq_parse_op(p, ops, COUNT(ops), &op);
}

bool tq_parse_metrics(struct traceql_parser *p)
{
    struct metrics *m = &p->query->metrics;
    struct second_stage **next = &m->second;
    size_t which;

    if (!find_function(p, &which)) return tq_parse_unexpected(p, "a metrics function");
    m->kind = functions[which].kind;
    tq_lex_advance(p);
    if (!tq_lex_expect(p, "(") || !parse_arguments(p, m, functions[which].takes_attr) ||
        !tq_lex_expect(p, ")"))
        return false;
    if (tq_lex_accept(p, "by") && !tq_parse_attr_list(p, m->by, BY_MAX, &m->n_by)) return false;
    while (tq_lex_accept(p, "|") || at_comparison(p)) {
        if (!tq_parse_count(p)) return false;
        *next = arena_zero(p->arena, sizeof **next);
        if (!parse_second(p, *next)) return false;
        next = &(*next)->next;
    }
    return p->tok.kind != LEX_ERROR;
}

/* with (name=value, ...): kept, and of no consequence here. */
bool tq_parse_hints(struct traceql_parser *p)
{
    struct hint **next = &p->query->hints;

    if (!tq_lex_accept(p, "with")) return p->tok.kind != LEX_ERROR;
    if (!tq_lex_expect(p, "(")) return false;
    do {
        if (!tq_parse_count(p)) return false;
        struct hint *h = arena_zero(p->arena, sizeof *h);
        if (p->tok.kind != LEX_WORD) return tq_parse_unexpected(p, "the name of a hint");
        h->name = p->tok.text;
        tq_lex_advance(p);
        if (!tq_lex_expect(p, "=")) return false;
        if (p->tok.kind != LEX_STATIC && p->tok.kind != LEX_WORD)
            return tq_parse_unexpected(p, "the value of a hint");
        h->value = p->tok.text;
        tq_lex_advance(p);
        *next = h;
        next = &h->next;
    } while (tq_lex_accept(p, ","));
    return tq_lex_expect(p, ")");
}
