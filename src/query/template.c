/* template.c - the text of a template to its tree. See template.h.
 *
 * Text lies between actions {{ }}; an action is a word (if, range, end, ...) or a pipeline. Inside actions
 * tokens are taken straight from the text, one character of look-ahead is enough. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/float.h"
#include "base/mem.h"
#include "query/promql/lex.h"
#include "query/template_impl.h"

#define SMALL 1024 /* bytes: most templates are a line */

struct tparser {
    struct template *t;
    const struct template_functions *functions;
    struct str s;
    size_t at;
    int depth, loops;
    size_t nodes;
    struct err *err;
    bool trim_next;                     /* the action before ended in -}} */
    struct str word;                    /* of the action that ended a list: end, else */
    struct str vars[TEMPLATE_VARS_MAX]; /* declared here and around, from first_var on */
    size_t first_var, n_vars;
};

static int line_of(const struct tparser *p, size_t at)
{
    int line = 1;
    for (size_t i = 0; i < at && i < p->s.n; i++) line += p->s.p[i] == '\n';
    return line;
}

static bool fail(struct tparser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct tparser *p, const char *fmt, ...)
{
    char why[400];
    va_list args;
    if (p->err->code != OK) return false;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    err_set(p->err, ERR_PARSE, "template: :%d: %s", line_of(p, p->at), why);
    return false;
}

static void *node_alloc(struct tparser *p, size_t size)
{
    if (++p->nodes > TEMPLATE_NODES_MAX) fail(p, "more than %d pieces", TEMPLATE_NODES_MAX);
    return arena_zero(&p->t->arena, size);
}

/* ---- characters ---- */

static char look(const struct tparser *p, size_t ahead)
{
    return p->at + ahead < p->s.n ? p->s.p[p->at + ahead] : 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool skip_space(struct tparser *p)
{
    size_t from = p->at;
    while (is_space(look(p, 0))) p->at++;
    return p->at > from;
}

static bool at_text(const struct tparser *p, const char *text)
{
    return str_starts(str_make(p->s.p + p->at, p->s.n - p->at), text);
}

static struct str take_word(struct tparser *p)
{
    size_t from = p->at;
    while (is_letter(look(p, 0)) || is_digit(look(p, 0))) p->at++;
    return str_make(p->s.p + from, p->at - from);
}

/* }} or " -}}" here? */
static bool at_end(const struct tparser *p)
{
    return at_text(p, "}}") || at_text(p, "-}}");
}

static bool take_end(struct tparser *p)
{
    skip_space(p);
    if (!at_end(p)) {
        if (p->at >= p->s.n) return fail(p, "unclosed action");
        return fail(p, "unexpected \"%c\" in action", look(p, 0));
    }
    p->trim_next = look(p, 0) == '-';
    p->at += p->trim_next ? 3 : 2;
    return true;
}

/* ---- operands ---- */

static struct tpipe *parse_pipe(struct tparser *);

static bool take_fields(struct tparser *p, struct toperand *o)
{
    struct str fields[TEMPLATE_CHAIN_MAX];
    while (look(p, 0) == '.' && is_letter(look(p, 1))) {
        if (o->n_fields == TEMPLATE_CHAIN_MAX)
            return fail(p, "more than %d fields in a row", TEMPLATE_CHAIN_MAX);
        p->at++;
        fields[o->n_fields++] = take_word(p);
    }
    if (o->n_fields == 0) return true;
    o->fields = arena_array(&p->t->arena, o->n_fields, sizeof *fields);
    memcpy(o->fields, fields, o->n_fields * sizeof *fields);
    return true;
}

static bool take_string(struct tparser *p, struct toperand *o)
{
    char quote = look(p, 0);
    size_t from = p->at++;
    struct err why = ERR_INIT;
    while (p->at < p->s.n && look(p, 0) != quote) p->at += look(p, 0) == '\\' && quote != '`' ? 2 : 1;
    if (p->at >= p->s.n) {
        p->at = from;
        return fail(p, "unterminated quoted string");
    }
    p->at++;
    struct str text;
    if (lex_unquote(str_make(p->s.p + from, p->at - from), &p->t->arena, &text, &why) < 0)
        return fail(p, "%s", why.text);
    o->value = tv_str(text);
    return true;
}

static size_t rune_size(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static bool take_character(struct tparser *p, struct toperand *o)
{
    struct str text;
    size_t from = p->at, n;
    p->at += look(p, 1) == '\\' ? 3 : 2;
    while (p->at < p->s.n && look(p, 0) != '\'') p->at++;
    if (p->at >= p->s.n) {
        p->at = from;
        return fail(p, "unterminated character constant");
    }
    n = ++p->at - from;
    char *quoted = arena_alloc(&p->t->arena, n);
    memcpy(quoted, p->s.p + from, n);
    quoted[0] = quoted[n - 1] = '"';
    if (n > 14 || n < 3 || lex_unquote(str_make(quoted, n), &p->t->arena, &text, NULL) < 0 || text.n == 0)
        return fail(p, "malformed character constant");
    size_t size = rune_size((unsigned char)text.p[0]);
    unsigned char c = (unsigned char)text.p[0];
    if (text.n != size) return fail(p, "malformed character constant");
    int64_t rune = c < 0x80 ? c : c < 0xe0 ? c & 0x1f : c < 0xf0 ? c & 0x0f : c & 0x07;
    for (size_t i = 1; i < text.n; i++) rune = rune << 6 | ((unsigned char)text.p[i] & 0x3f);
    o->value = tv_int(rune);
    return true;
}

static bool take_number(struct tparser *p, struct toperand *o)
{
    size_t from = p->at;
    int64_t i;
    double d;
    if (look(p, 0) == '+' || look(p, 0) == '-') p->at++;
    while (is_letter(look(p, 0)) || is_digit(look(p, 0)) || look(p, 0) == '.' ||
           ((look(p, 0) == '-' || look(p, 0) == '+') && p->at > from && (p->s.p[p->at - 1] | 0x20) == 'e'))
        p->at++;
    struct str text = str_make(p->s.p + from, p->at - from);
    if (text.n > 0 && text.p[0] == '+') text = str_make(text.p + 1, text.n - 1);
    char copy[24] = "", *end;
    if (text.n < sizeof copy) memcpy(copy, text.p, text.n);
    i = strtoll(copy, &end, 16);
    if (str_starts(text, "0x") && text.n > 2 && text.n < 18 && *end == 0)
        o->value = tv_int(i);
    else if (str_to_i64(text, &i))
        o->value = tv_int(i);
    else if (float_parse(text, &d))
        o->value = tv_float(d);
    else
        return fail(p, "bad number syntax: \"%.*s\"", STR_ARG(text));
    return true;
}

static const struct template_function *function_of(const struct tparser *p, struct str name)
{
    const struct template_functions *tables[] = { template_builtin(), p->functions };
    for (size_t k = 0; k < COUNT(tables); k++)
        for (const struct template_functions *t = tables[k]; t != NULL; t = t->next)
            for (size_t i = 0; i < t->n; i++)
                if (str_is(name, t->at[i].name)) return &t->at[i];
    return NULL;
}

static bool take_name(struct tparser *p, struct toperand *o)
{
    struct str word = take_word(p);
    if (str_is(word, "true") || str_is(word, "false")) {
        o->value = tv_bool(word.p[0] == 't');
        return true;
    }
    if (str_is(word, "nil")) return true;
    o->kind = TO_FN;
    o->name = word;
    o->is_and = str_is(word, "and");
    o->is_or = str_is(word, "or");
    o->fn = function_of(p, word);
    return o->fn != NULL || fail(p, "function \"%.*s\" not defined", STR_ARG(word));
}

static bool is_declared(const struct tparser *p, struct str name)
{
    for (size_t i = p->first_var; i < p->n_vars; i++)
        if (str_eq(p->vars[i], name)) return true;
    return false;
}

/* From here to the end of the list it stands in. */
static bool declare(struct tparser *p, struct str name)
{
    if (p->n_vars == TEMPLATE_VARS_MAX) return fail(p, "more than %d variables", TEMPLATE_VARS_MAX);
    p->vars[p->n_vars++] = name;
    return true;
}

static bool take_operand(struct tparser *p, struct toperand *o)
{
    char c = look(p, 0);
    o->kind = TO_CONST;
    if (c == '"' || c == '`') return take_string(p, o);
    if (c == '\'') return take_character(p, o);
    if (is_digit(c) || ((c == '-' || c == '+') && (is_digit(look(p, 1)) || look(p, 1) == '.')) ||
        (c == '.' && is_digit(look(p, 1))))
        return take_number(p, o);
    if (is_letter(c)) return take_name(p, o);
    if (c == '(') {
        p->at++;
        o->kind = TO_PIPE;
        if ((o->pipe = parse_pipe(p)) == NULL) return false;
        skip_space(p);
        if (look(p, 0) != ')') return fail(p, "unclosed left paren");
        p->at++;
        return take_fields(p, o);
    }
    if (c == '$') {
        p->at++;
        o->kind = TO_VAR;
        o->name = take_word(p);
        if (o->name.n > 0 && !is_declared(p, o->name))
            return fail(p, "undefined variable \"$%.*s\"", STR_ARG(o->name));
        return take_fields(p, o);
    }
    if (c != '.') return c ? fail(p, "unexpected \"%c\" in operand", c) : fail(p, "unclosed action");
    o->kind = TO_DOT;
    if (is_letter(look(p, 1))) return take_fields(p, o);
    p->at++;
    return true;
}

/* ---- pipelines ---- */

static bool command_ends(const struct tparser *p)
{
    char c = look(p, 0);
    return c == 0 || c == '|' || c == ')' || at_end(p);
}

static struct tcommand *parse_command(struct tparser *p)
{
    struct tcommand *c = node_alloc(p, sizeof *c);
    struct toperand **end = &c->args;
    skip_space(p);
    while (p->err->code == OK && !command_ends(p)) {
        struct toperand *o = node_alloc(p, sizeof *o);
        if (c->n == TEMPLATE_ARGS_MAX) return fail(p, "more than %d arguments", TEMPLATE_ARGS_MAX), NULL;
        if (!take_operand(p, o)) return NULL;
        *end = o;
        end = &o->next;
        c->n++;
        if (!skip_space(p) && !command_ends(p))
            return fail(p, "unexpected \"%c\" after operand", look(p, 0)), NULL;
    }
    if (c->n == 0) fail(p, "missing value for command");
    if (c->n > 1 && c->args->kind != TO_FN && c->args->n_fields == 0)
        fail(p, "only functions and methods take arguments");
    return p->err->code == OK ? c : NULL;
}

/* $a := , $a, $b := , $a = ; or nothing of the kind, and p where it was. */
static bool take_variables(struct tparser *p, struct tpipe *pipe)
{
    size_t from = p->at;
    do {
        skip_space(p);
        if (look(p, 0) != '$' || pipe->n_vars == 2) break;
        p->at++;
        pipe->vars[pipe->n_vars++] = take_word(p);
        skip_space(p);
        if (look(p, 0) == ',') {
            p->at++;
            continue;
        }
        pipe->declares = at_text(p, ":=");
        if (!pipe->declares && (look(p, 0) != '=' || look(p, 1) == '=')) break;
        p->at += pipe->declares ? 2 : 1;
        for (size_t i = 0; i < pipe->n_vars; i++) {
            if (pipe->declares && !declare(p, pipe->vars[i])) return false;
            if (!is_declared(p, pipe->vars[i]))
                return fail(p, "undefined variable \"$%.*s\"", STR_ARG(pipe->vars[i]));
        }
        return true;
    } while (true);
    p->at = from;
    pipe->n_vars = 0;
    return true;
}

static struct tpipe *parse_pipe(struct tparser *p)
{
    struct tpipe *pipe = node_alloc(p, sizeof *pipe);
    struct tcommand **end = &pipe->commands;
    if (++p->depth > TEMPLATE_DEPTH_MAX) return fail(p, "nested more than %d deep", TEMPLATE_DEPTH_MAX), NULL;
    pipe->line = line_of(p, p->at);
    if (!take_variables(p, pipe)) return NULL;
    for (;;) {
        if ((*end = parse_command(p)) == NULL) return NULL;
        if (end != &pipe->commands && (*end)->args->kind != TO_FN && (*end)->args->n_fields == 0)
            return fail(p, "a value cannot follow | : only functions and methods take arguments"), NULL;
        end = &(*end)->next;
        skip_space(p);
        if (look(p, 0) != '|') break;
        p->at++;
    }
    p->depth--;
    return pipe;
}

/* ---- lists of nodes ---- */

static struct tnode *parse_list(struct tparser *, bool top);

static bool add_define(struct tparser *p, struct str name, struct tnode *body)
{
    struct tdefine *d = node_alloc(p, sizeof *d);
    *d = (struct tdefine){ name, body, p->t->defines };
    p->t->defines = d;
    return p->err->code == OK;
}

static bool take_template_name(struct tparser *p, struct str *out)
{
    struct toperand o = { 0 };
    skip_space(p);
    if (look(p, 0) != '"' && look(p, 0) != '`') return fail(p, "a template's name must be a string");
    if (!take_string(p, &o)) return false;
    *out = o.value.s;
    return true;
}

static bool parse_branches(struct tparser *p, struct tnode *n)
{
    size_t vars = p->n_vars;
    p->loops += n->kind == TN_RANGE;
    n->body = parse_list(p, false);
    p->loops -= n->kind == TN_RANGE;
    p->n_vars = vars;
    if (p->err->code != OK || str_is(p->word, "end")) return p->err->code == OK;
    /* else: perhaps with its own condition */
    skip_space(p);
    if (at_text(p, "if") || at_text(p, "with")) {
        struct tnode *inner = node_alloc(p, sizeof *inner);
        inner->kind = str_is(take_word(p), "if") ? TN_IF : TN_WITH;
        inner->line = line_of(p, p->at);
        if (++p->depth > TEMPLATE_DEPTH_MAX) return fail(p, "nested more than %d deep", TEMPLATE_DEPTH_MAX);
        n->otherwise = inner;
        bool good = (inner->pipe = parse_pipe(p)) != NULL && take_end(p) && parse_branches(p, inner);
        p->depth--;
        return good;
    }
    if (!take_end(p)) return false;
    n->otherwise = parse_list(p, false);
    if (p->err->code == OK && !str_is(p->word, "end")) return fail(p, "expected end; found else");
    return p->err->code == OK;
}

static bool parse_define(struct tparser *p, struct tnode *call)
{
    struct str name;
    if (!take_template_name(p, &name)) return false;
    if (call != NULL) { /* block: defined and called at once */
        call->kind = TN_CALL;
        call->text = name;
        if ((call->pipe = parse_pipe(p)) == NULL) return false;
    }
    if (!take_end(p)) return false;
    size_t vars = p->n_vars, first = p->first_var; /* what is defined sees none of those outside */
    p->first_var = vars;
    struct tnode *body = parse_list(p, false);
    p->first_var = first;
    p->n_vars = vars;
    if (p->err->code == OK && !str_is(p->word, "end")) return fail(p, "unexpected else in define");
    return p->err->code == OK && add_define(p, name, body);
}

static bool parse_call(struct tparser *p, struct tnode *n)
{
    n->kind = TN_CALL;
    if (!take_template_name(p, &n->text)) return false;
    skip_space(p);
    if (!at_end(p) && (n->pipe = parse_pipe(p)) == NULL) return false;
    return take_end(p);
}

static bool parse_word(struct tparser *p, struct str word, struct tnode *n, bool *is_node)
{
    static const struct {
        const char *word;
        enum tnode_kind kind;
    } branches[] = { { "if", TN_IF }, { "with", TN_WITH }, { "range", TN_RANGE } };
    *is_node = true;
    for (size_t i = 0; i < COUNT(branches); i++) {
        if (!str_is(word, branches[i].word)) continue;
        n->kind = branches[i].kind;
        size_t vars = p->n_vars;
        bool good = (n->pipe = parse_pipe(p)) != NULL && take_end(p) && parse_branches(p, n);
        p->n_vars = vars;
        return good;
    }
    if (str_is(word, "template")) return parse_call(p, n);
    if (str_is(word, "block")) return parse_define(p, n);
    if (str_is(word, "break") || str_is(word, "continue")) {
        n->kind = word.p[0] == 'b' ? TN_BREAK : TN_CONTINUE;
        return p->loops > 0 ? take_end(p) : fail(p, "{{%.*s}} outside {{range}}", STR_ARG(word));
    }
    *is_node = false;
    return str_is(word, "define") && parse_define(p, NULL);
}

static struct str keyword_here(struct tparser *p)
{
    static const char *const words[] = { "if",    "with",     "range",  "template", "block",
                                         "break", "continue", "define", "end",      "else" };
    size_t from = p->at;
    struct str word = take_word(p);
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_is(word, words[i]) && look(p, 0) != '.') return word;
    p->at = from;
    return STR("");
}

/* The text up to the next action; trimmed where its neighbours say so. False: no action follows. */
static bool take_text(struct tparser *p, struct str *out)
{
    const char *open = memmem(p->s.p + p->at, p->s.n - p->at, "{{", 2);
    size_t end = open ? (size_t)(open - p->s.p) : p->s.n;
    struct str text = str_make(p->s.p + p->at, end - p->at);
    bool trims = open && p->s.n - end > 3 && open[2] == '-' && is_space(open[3]);
    if (p->trim_next)
        while (text.n > 0 && is_space(text.p[0])) text = str_make(text.p + 1, text.n - 1);
    if (trims)
        while (text.n > 0 && is_space(text.p[text.n - 1])) text.n--;
    p->trim_next = false;
    p->at = end + (open ? 2 : 0) + (trims ? 1 : 0);
    *out = text;
    return open != NULL;
}

static bool take_comment(struct tparser *p)
{
    const char *close = memmem(p->s.p + p->at, p->s.n - p->at, "*/", 2);
    if (close == NULL) return fail(p, "unclosed comment");
    p->at = (size_t)(close - p->s.p) + 2;
    return take_end(p);
}

static bool parse_action(struct tparser *p, struct tnode *n, bool *is_node, bool *ends)
{
    n->line = line_of(p, p->at);
    skip_space(p);
    *is_node = *ends = false;
    if (at_text(p, "/*")) return take_comment(p);
    struct str word = is_letter(look(p, 0)) ? keyword_here(p) : STR("");
    if (str_is(word, "end") || str_is(word, "else")) {
        *ends = true;
        p->word = word;
        return str_is(word, "else") || take_end(p);
    }
    if (word.n > 0) return parse_word(p, word, n, is_node);
    *is_node = true;
    n->kind = TN_ACTION;
    return (n->pipe = parse_pipe(p)) != NULL && take_end(p);
}

/* Nodes up to {{end}} or {{else}} (whose word is in p->word), or at the top to the end of the text. */
static struct tnode *parse_list(struct tparser *p, bool top)
{
    struct tnode *first = NULL, **end = &first;
    if (++p->depth > TEMPLATE_DEPTH_MAX) return fail(p, "nested more than %d deep", TEMPLATE_DEPTH_MAX), NULL;
    for (bool ends = false, is_node; p->err->code == OK;) {
        struct str text;
        bool opened = take_text(p, &text);
        if (text.n > 0) {
            *end = node_alloc(p, sizeof **end);
            **end = (struct tnode){ .kind = TN_TEXT, .text = text };
            end = &(*end)->next;
        }
        if (!opened) {
            if (!top) fail(p, "unexpected EOF");
            break;
        }
        struct tnode *n = node_alloc(p, sizeof *n);
        if (!parse_action(p, n, &is_node, &ends)) break;
        if (ends && top) fail(p, "unexpected {{%.*s}}", STR_ARG(p->word));
        if (ends) break;
        if (!is_node) continue;
        *end = n;
        end = &n->next;
    }
    p->depth--;
    return first;
}

/* ---- the whole ---- */

int template_new(struct str text, const struct template_functions *functions, struct template **out,
                 struct err *e)
{
    return template_new_with(text, functions, NULL, out, e);
}

int template_new_with(struct str text, const struct template_functions *functions,
                      const struct template *library, struct template **out, struct err *e)
{
    struct err why = ERR_INIT;
    if (text.n > TEMPLATE_TEXT_MAX)
        return err_set(e, ERR_LIMIT, "template of %zu bytes; at most %u are allowed", text.n,
                       TEMPLATE_TEXT_MAX);
    struct template *t = mem_alloc_zero(sizeof *t);
    t->arena = (struct arena)ARENA_INIT(64u << 20);
    arena_begin(&t->arena, SMALL); /* rules have hundreds of them */
    t->text = arena_str(&t->arena, text);
    t->library = library;
    struct tparser p = { .t = t, .functions = functions, .s = t->text, .err = &why };
    t->root = parse_list(&p, true);
    if (why.code != OK) {
        template_free(t);
        return err_set(e, why.code, "%s", why.text);
    }
    *out = t;
    return OK;
}

void template_free(struct template *t)
{
    if (t == NULL) return;
    arena_release(&t->arena);
    mem_free(t);
}

bool template_is_field(const struct template *t, struct str *name)
{
    const struct tnode *n = t->root;
    if (n == NULL || n->next != NULL || n->kind != TN_ACTION || n->pipe->n_vars > 0) return false;
    const struct tcommand *c = n->pipe->commands;
    if (c->next != NULL || c->n != 1 || c->args->kind != TO_DOT || c->args->n_fields != 1) return false;
    *name = c->args->fields[0];
    return true;
}
