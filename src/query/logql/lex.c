/* lex.c - LogQL text to tokens, and the small steps all of the parser takes. */
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "query/logql/parser.h"
#include "query/promql/lex.h"
#include "query/promql/parse.h"

#define REGEX_CPU_NS ((int64_t)1000 * 1000000) /* for all regular expressions of a query */

static bool is_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

static uint32_t skip_blank(struct str s, uint32_t at)
{
    while (at < s.n) {
        if (s.p[at] == '#') {
            while (at < s.n && s.p[at] != '\n') at++;
        } else if (strchr(" \t\r\n", s.p[at]) == NULL || s.p[at] == 0) {
            break;
        } else {
            at++;
        }
    }
    return at;
}

/* Where the word that starts like a number ends: 1.5h30m, 5KB, 1e-3, 0x1f. */
static uint32_t number_end(struct str s, uint32_t at)
{
    uint32_t from = at;
    bool hex = s.n - at > 1 && s.p[at] == '0' && (s.p[at + 1] | 0x20) == 'x';
    for (; at < s.n; at++) {
        unsigned char c = (unsigned char)s.p[at];
        if (is_word(c) || c == '.' || c >= 0x80) continue; /* the micro sign is no ASCII */
        bool exponent = (c == '-' || c == '+') && at > from && (s.p[at - 1] | 0x20) == 'e' && !hex;
        if (!exponent || at + 1 >= s.n || s.p[at + 1] < '0' || s.p[at + 1] > '9') break;
    }
    return at;
}

/* The end of a quoted string, 0: it has none. */
static uint32_t string_end(struct str s, uint32_t at)
{
    char quote = s.p[at++];
    for (; at < s.n; at++) {
        if (s.p[at] == quote) return at + 1;
        if (s.p[at] == '\n' && quote != '`') return 0;
        if (s.p[at] == '\\' && quote != '`') at++;
    }
    return 0;
}

static uint32_t sign_end(struct str s, uint32_t at)
{
    static const char *const two[] = { "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=" };
    for (size_t i = 0; i < COUNT(two); i++)
        if (s.n - at >= 2 && memcmp(s.p + at, two[i], 2) == 0) return at + 2;
    return s.p[at] != 0 && strchr("|=<>(){}[],+-*/%^@!", s.p[at]) ? at + 1 : 0;
}

static void lex(const struct logql_parser *p, uint32_t at, struct lex_token *out, uint32_t *after)
{
    struct str s = p->text;
    at = skip_blank(s, at);
    *out = (struct lex_token){ LEX_END, str_make(s.p + at, 0), at };
    *after = at;
    if (at >= s.n) return;
    unsigned char c = (unsigned char)s.p[at];
    uint32_t end = at;

    if (c == '"' || c == '`') {
        end = string_end(s, at);
        out->kind = LEX_STRING;
    } else if ((c >= '0' && c <= '9') ||
               (c == '.' && at + 1 < s.n && s.p[at + 1] >= '0' && s.p[at + 1] <= '9')) {
        end = number_end(s, at);
        out->kind = LEX_NUMBER;
    } else if (is_word(c)) {
        while (end < s.n && (is_word((unsigned char)s.p[end]) || s.p[end] == ':')) end++;
        out->kind = LEX_IDENT;
    } else if (s.n - at > 2 && c == '-' && s.p[at + 1] == '-' && is_word((unsigned char)s.p[at + 2])) {
        for (end = at + 2; end < s.n && (is_word((unsigned char)s.p[end]) || s.p[end] == '-');) end++;
        out->kind = LEX_FLAG;
    } else {
        end = sign_end(s, at);
        out->kind = LEX_SIGN;
    }
    if (end == 0) out->kind = LEX_ERROR;
    *after = end == 0 ? at : end;
    out->text = str_make(s.p + at, end == 0 ? 1 : end - at);
}

void logql_advance(struct logql_parser *p)
{
    if (p->err->code == OK) lex(p, p->at, &p->tok, &p->at);
}

struct lex_token logql_peek(const struct logql_parser *p)
{
    struct lex_token t;
    uint32_t after;
    lex(p, p->at, &t, &after);
    return t;
}

bool logql_at(const struct logql_parser *p, const char *what)
{
    return (p->tok.kind == LEX_SIGN || p->tok.kind == LEX_IDENT) && str_is(p->tok.text, what);
}

bool logql_accept(struct logql_parser *p, const char *what)
{
    if (!logql_at(p, what)) return false;
    logql_advance(p);
    return true;
}

bool logql_expect(struct logql_parser *p, const char *what)
{
    if (logql_accept(p, what)) return true;
    logql_unexpected(p, what);
    return false;
}

int logql_fail(struct logql_parser *p, uint32_t pos, const char *fmt, ...)
{
    char why[512];
    int line, column;
    va_list args;
    if (p->err->code != OK) return p->err->code;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    promql_position(p->text, pos, &line, &column);
    p->tok.kind = LEX_ERROR;
    return err_set(p->err, ERR_PARSE, "parse error at line %d, col %d: %s", line, column, why);
}

int logql_unexpected(struct logql_parser *p, const char *expected)
{
    static const char *const names[] = {
        [LEX_END] = "end of query", [LEX_ERROR] = "character", [LEX_IDENT] = "word", [LEX_NUMBER] = "number",
        [LEX_STRING] = "string",    [LEX_FLAG] = "flag",       [LEX_SIGN] = "sign"
    };
    struct lex_token t = p->tok;
    if (t.kind == LEX_ERROR && (t.text.p[0] == '"' || t.text.p[0] == '`'))
        return logql_fail(p, t.pos, "syntax error: literal not terminated");
    if (t.text.n > 60) t.text.n = 60;
    return logql_fail(p, t.pos, "syntax error: unexpected %s%s%.*s%s%s", names[t.kind], t.text.n ? " " : "",
                      STR_ARG(t.text), expected ? ", expecting " : "", expected ? expected : "");
}

bool logql_take_string(struct logql_parser *p, struct str *out)
{
    struct err why = ERR_INIT;
    if (p->tok.kind != LEX_STRING) return logql_unexpected(p, "a string"), false;
    if (lex_unquote(p->tok.text, p->arena, out, &why) < 0)
        return logql_fail(p, p->tok.pos, "%s", why.text), false;
    logql_advance(p);
    return true;
}

bool logql_take_name(struct logql_parser *p, struct str *out)
{
    if (p->tok.kind != LEX_IDENT) return logql_unexpected(p, "a label name"), false;
    *out = p->tok.text;
    logql_advance(p);
    return true;
}

bool logql_enter(struct logql_parser *p)
{
    if (p->depth++ < LOGQL_DEPTH_MAX) return true;
    logql_fail(p, p->tok.pos, "nested more than %d deep", LOGQL_DEPTH_MAX);
    return false;
}

bool logql_count_term(struct logql_parser *p)
{
    if (p->terms++ < LOGQL_TERMS_MAX) return true;
    logql_fail(p, p->tok.pos, "more than %d filters and names", LOGQL_TERMS_MAX);
    return false;
}

/* ---- what the query owns ---- */

static struct regex *keep_regex(struct logql_parser *p, struct regex *re)
{
    struct logql_query *q = p->query;
    q->regexes = arena_grow(p->arena, q->regexes, q->n_regexes, &q->cap_regexes, sizeof(struct regex *));
    return q->regexes[q->n_regexes++] = re;
}

static bool regex_time_left(struct logql_parser *p, int64_t begun, uint32_t pos)
{
    p->regex_ns += clock_cpu_ns() - begun;
    if (p->regex_ns <= REGEX_CPU_NS) return true;
    logql_fail(p, pos, "the query's regular expressions take too long to compile");
    return false;
}

struct regex *logql_regex(struct logql_parser *p, struct str pattern, bool search, uint32_t pos)
{
    struct err why = ERR_INIT;
    struct regex *re;
    int64_t begun = clock_cpu_ns();
    if ((search ? regex_new_search : regex_new)(pattern, &re, &why) < 0) {
        logql_fail(p, pos, "%s", why.text);
        return NULL;
    }
    keep_regex(p, re);
    return regex_time_left(p, begun, pos) ? re : NULL;
}

bool logql_match_op(const struct logql_parser *p, enum matcher_op *out)
{
    static const struct {
        const char *sign;
        enum matcher_op op;
    } ops[] = { { "=", MATCH_EQ }, { "!=", MATCH_NEQ }, { "=~", MATCH_RE }, { "!~", MATCH_NRE } };
    for (size_t i = 0; i < COUNT(ops); i++) {
        if (!logql_at(p, ops[i].sign)) continue;
        *out = ops[i].op;
        return true;
    }
    return false;
}

bool logql_matcher(struct logql_parser *p, enum matcher_op op, struct str name, struct str value,
                   uint32_t pos, struct matcher *out)
{
    *out = (struct matcher){ .op = op, .name = name, .value = value };
    if (op != MATCH_RE && op != MATCH_NRE) return true;
    out->re = logql_regex(p, value, false, pos);
    return out->re != NULL;
}
