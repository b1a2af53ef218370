/* parse_log.c - the log part of a query: {selector} and the stages of its pipeline. */
#include "base/check.h"
#include "query/logql/parser.h"

/* ---- {a="b", c=~"d"} ---- */

static bool take_matcher(struct logql_parser *p, struct matcher *out)
{
    struct str name, value;
    enum matcher_op op;
    uint32_t pos = p->tok.pos;
    if (!logql_count_term(p) || !logql_take_name(p, &name)) return false;
    if (!logql_match_op(p, &op)) return logql_unexpected(p, "= != =~ or !~"), false;
    logql_advance(p);
    return logql_take_string(p, &value) && logql_matcher(p, op, name, value, pos, out);
}

struct log_expr *logql_parse_matchers(struct logql_parser *p)
{
    struct log_expr *log = arena_zero(p->arena, sizeof *log);
    size_t cap = 0;
    if (!logql_expect(p, "{")) return NULL;
    while (!logql_at(p, "}")) {
        log->matchers = arena_grow(p->arena, log->matchers, log->n_matchers, &cap, sizeof *log->matchers);
        if (!take_matcher(p, &log->matchers[log->n_matchers])) return NULL;
        log->n_matchers++;
        if (!logql_accept(p, ",") && !logql_at(p, "}")) return logql_unexpected(p, ", or }"), NULL;
    }
    logql_advance(p);
    return log;
}

void logql_append(struct log_expr *log, struct stage *s)
{
    struct stage **end = &log->stages;
    while (*end) end = &(*end)->next;
    *end = s;
    log->n_stages++;
}

/* ---- |= "a" or "b" or ip("c") ---- */

static const struct {
    const char *sign;
    enum line_op op;
} line_ops[] = { { "|=", LINE_HAS },    { "!=", LINE_HAS_NOT }, { "|~", LINE_RE },
                 { "!~", LINE_NOT_RE }, { "|>", LINE_PATTERN }, { "!>", LINE_NOT_PATTERN } };

static bool at_line_op(const struct logql_parser *p, enum line_op *op)
{
    for (size_t i = 0; i < COUNT(line_ops); i++) {
        if (!logql_at(p, line_ops[i].sign)) continue;
        *op = line_ops[i].op;
        return true;
    }
    return false;
}

struct str line_op_text(enum line_op op)
{
    for (size_t i = 0; i < COUNT(line_ops); i++)
        if (line_ops[i].op == op) return str_of(line_ops[i].sign);
    return STR("");
}

static bool take_line_term(struct logql_parser *p, struct line_term *out)
{
    *out = (struct line_term){ .is_ip = logql_at(p, "ip") };
    if (!logql_count_term(p)) return false;
    if (!out->is_ip) return logql_take_string(p, &out->text);
    logql_advance(p);
    return logql_expect(p, "(") && logql_take_string(p, &out->text) && logql_expect(p, ")");
}

static bool take_line_filter(struct logql_parser *p, struct stage *s)
{
    size_t cap = 0;
    logql_advance(p);
    do {
        s->terms = arena_grow(p->arena, s->terms, s->n_terms, &cap, sizeof *s->terms);
        if (!take_line_term(p, &s->terms[s->n_terms])) return false;
        s->n_terms++;
    } while (logql_accept(p, "or"));
    return true;
}

/* ---- | json a="b", c ---- */

static struct label_expr *add_expr(struct logql_parser *p, struct stage *s, size_t *cap)
{
    if (!logql_count_term(p)) return NULL;
    s->exprs = arena_grow(p->arena, s->exprs, s->n_exprs, cap, sizeof *s->exprs);
    s->exprs[s->n_exprs] = (struct label_expr){ 0 };
    return &s->exprs[s->n_exprs++];
}

static bool take_extractions(struct logql_parser *p, struct stage *s)
{
    size_t cap = 0;
    if (p->tok.kind != LEX_IDENT) return true;
    do {
        struct label_expr *x = add_expr(p, s, &cap);
        if (x == NULL || !logql_take_name(p, &x->name)) return false;
        x->text = x->name;
        if (logql_accept(p, "=") && !logql_take_string(p, &x->text)) return false;
    } while (logql_accept(p, ","));
    return true;
}

static bool take_logfmt(struct logql_parser *p, struct stage *s)
{
    for (; p->tok.kind == LEX_FLAG; logql_advance(p)) {
        if (str_is(p->tok.text, "--strict"))
            s->strict = true;
        else if (str_is(p->tok.text, "--keep-empty"))
            s->keep_empty = true;
        else
            return logql_unexpected(p, "--strict or --keep-empty"), false;
    }
    return take_extractions(p, s);
}

/* | label_format a=b, c="{{.d}}" */
static bool take_label_format(struct logql_parser *p, struct stage *s)
{
    size_t cap = 0;
    do {
        uint32_t pos = p->tok.pos;
        struct label_expr *x = add_expr(p, s, &cap);
        if (x == NULL || !logql_take_name(p, &x->name) || !logql_expect(p, "=")) return false;
        for (size_t i = 0; i + 1 < s->n_exprs; i++)
            if (str_eq(s->exprs[i].name, x->name))
                return logql_fail(p, pos, "duplicate label name `%.*s` in label_format", STR_ARG(x->name)),
                       false;
        if (str_is(x->name, "__error__")) return logql_fail(p, pos, "__error__ cannot be formatted"), false;
        x->renames = p->tok.kind == LEX_IDENT;
        if (x->renames ? !logql_take_name(p, &x->text) : !logql_take_string(p, &x->text)) return false;
    } while (logql_accept(p, ","));
    return true;
}

/* | drop a, b="c" */
static bool take_names(struct logql_parser *p, struct stage *s)
{
    size_t cap = 0;
    do {
        enum matcher_op op;
        struct str value;
        uint32_t pos = p->tok.pos;
        if (!logql_count_term(p)) return false;
        s->names = arena_grow(p->arena, s->names, s->n_names, &cap, sizeof *s->names);
        struct name_or_matcher *n = &s->names[s->n_names++];
        *n = (struct name_or_matcher){ 0 };
        if (!logql_take_name(p, &n->name)) return false;
        if (!logql_match_op(p, &op)) continue;
        logql_advance(p);
        n->has_matcher = true;
        if (!logql_take_string(p, &value) || !logql_matcher(p, op, n->name, value, pos, &n->matcher))
            return false;
    } while (logql_accept(p, ","));
    return true;
}

static bool take_text(struct logql_parser *p, struct stage *s)
{
    return logql_take_string(p, &s->text);
}

static bool take_nothing(struct logql_parser *p, struct stage *s)
{
    (void)s;
    return p->err->code == OK;
}

static const struct {
    const char *word;
    enum stage_kind kind;
    bool (*take)(struct logql_parser *, struct stage *);
} words[] = {
    { "json", STAGE_JSON, take_extractions },
    { "logfmt", STAGE_LOGFMT, take_logfmt },
    { "regexp", STAGE_REGEXP, take_text },
    { "pattern", STAGE_PATTERN, take_text },
    { "unpack", STAGE_UNPACK, take_nothing },
    { "line_format", STAGE_LINE_FORMAT, take_text },
    { "label_format", STAGE_LABEL_FORMAT, take_label_format },
    { "decolorize", STAGE_DECOLORIZE, take_nothing },
    { "drop", STAGE_DROP, take_names },
    { "keep", STAGE_KEEP, take_names },
};

/* ---- | unwrap duration(x) | filters ---- */

static bool take_unwrap(struct logql_parser *p, struct unwrap *u)
{
    static const struct {
        const char *word;
        enum unwrap_conversion as;
    } conversions[] = { { "duration", UNWRAP_DURATION },
                        { "duration_seconds", UNWRAP_DURATION_SECONDS },
                        { "bytes", UNWRAP_BYTES } };
    uint32_t pos = p->tok.pos;
    if (!logql_take_name(p, &u->name)) return false;
    if (!logql_accept(p, "(")) return true;
    for (size_t i = 0; i < COUNT(conversions); i++)
        if (str_is(u->name, conversions[i].word)) u->conversion = conversions[i].as;
    if (u->conversion == UNWRAP_NUMBER)
        return logql_fail(p, pos, "unknown conversion %.*s: duration, duration_seconds and bytes are known",
                          STR_ARG(u->name)),
               false;
    return logql_take_name(p, &u->name) && logql_expect(p, ")");
}

/* ---- a stage ---- */

bool logql_at_stage(const struct logql_parser *p)
{
    enum line_op op;
    return logql_at(p, "|") || at_line_op(p, &op);
}

static bool compares(const struct logql_parser *p)
{
    static const char *const signs[] = { "=", "==", "!=", "=~", "!~", ">", ">=", "<", "<=" };
    struct lex_token next = logql_peek(p);
    for (size_t i = 0; i < COUNT(signs); i++)
        if (next.kind == LEX_SIGN && str_is(next.text, signs[i])) return true;
    return false;
}

static bool take_word_stage(struct logql_parser *p, struct stage *s)
{
    for (size_t i = 0; i < COUNT(words); i++) {
        if (!logql_at(p, words[i].word)) continue;
        s->kind = words[i].kind;
        logql_advance(p);
        return words[i].take(p, s);
    }
    logql_unexpected(p, "a stage or a label filter");
    return false;
}

static bool take_stage(struct logql_parser *p, struct stage *s, struct unwrap *unwrap)
{
    if (at_line_op(p, &s->op)) return take_line_filter(p, s);
    logql_advance(p); /* the bar */
    s->kind = STAGE_LABEL_FILTER;
    if (logql_at(p, "(") || (p->tok.kind == LEX_IDENT && compares(p)))
        return (s->filter = logql_parse_label_filter(p)) != NULL;
    if (logql_at(p, "unwrap")) {
        if (unwrap == NULL)
            return logql_fail(p, p->tok.pos, "unwrap is allowed only once, in a range aggregation"), false;
        logql_advance(p);
        return take_unwrap(p, unwrap);
    }
    return take_word_stage(p, s);
}

struct stage *logql_parse_stage(struct logql_parser *p, struct unwrap *unwrap)
{
    struct stage *s = arena_zero(p->arena, sizeof *s);
    s->pos = p->tok.pos;
    if (p->n_stages++ >= LOGQL_STAGES_MAX)
        return logql_fail(p, s->pos, "more than %d stages", LOGQL_STAGES_MAX), NULL;
    if (!take_stage(p, s, unwrap) || !logql_compile_stage(p, s)) return NULL;
    return s;
}
