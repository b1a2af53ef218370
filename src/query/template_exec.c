/* template_exec.c - runs a template's tree. See template.h. */
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "query/template_impl.h"

enum { BREAK = 1, CONTINUE = 2 }; /* beside OK and errors */

struct variable {
    struct str name;
    struct tvalue value;
};

struct template_run {
    const struct template *t;
    struct tvalue data;
    void *host;
    struct arena *arena;
    struct buf *out;
    const struct template_printer *printer; /* NULL: straight to out */
    struct err *err;
    struct variable vars[TEMPLATE_VARS_MAX];
    size_t n_vars, steps;
    int depth;
};

static int exec_fail(struct template_run *r, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int exec_fail(struct template_run *r, int line, const char *fmt, ...)
{
    char why[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return err_set(r->err, ERR_EXEC, "template: :%d: %s", line, why);
}

int tf_fail(struct template_call *c, const char *fmt, ...)
{
    char why[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return err_set(c->err, ERR_EXEC, "error calling %s: %s", c->name, why);
}

static int step(struct template_run *r)
{
    if (++r->steps > TEMPLATE_STEPS_MAX)
        return err_set(r->err, ERR_LIMIT, "template: more than %d steps", TEMPLATE_STEPS_MAX);
    if (r->out->full)
        return err_set(r->err, ERR_LIMIT, "template: more than %zu bytes of output", r->out->max);
    if (arena_over(r->arena)) return err_set(r->err, ERR_LIMIT, "template: needs too much memory");
    return OK;
}

/* ---- values ---- */

static int eval_pipe(struct template_run *, const struct tpipe *, struct tvalue dot, struct tvalue *out);

/* ERR_FIND: there is none. */
static int call_method(struct template_run *r, struct tvalue self, struct str name, const struct tvalue *args,
                       size_t n, int line, struct tvalue *out)
{
    char shown[64];
    snprintf(shown, sizeof shown, "%.*s", STR_ARG(name));
    struct template_call c = { r, r->arena, r->host, shown, args, n, r->err };
    int rc = tv_method(&c, self, name, out);
    if (rc < 0 && rc != ERR_FIND) err_where(r->err, "template: :%d", line);
    return rc;
}

static int field_of(struct template_run *r, struct tvalue v, struct str name, int line, struct tvalue *out)
{
    *out = (struct tvalue){ 0 };
    int rc = call_method(r, v, name, NULL, 0, line, out);
    if (rc != ERR_FIND) return rc;
    if (v.type == TV_LOOKUP) {
        *out = v.lookup->get(v.lookup->ctx, name, r->arena);
        if (out->type == TV_NIL && v.lookup->missing_is_empty) *out = tv_str(STR(""));
        return OK;
    }
    if (v.type == TV_MAP) {
        if (v.map.methods != NULL && v.map.methods->missing_is_empty) *out = tv_str(STR(""));
        for (size_t i = 0; i < v.map.n; i++)
            if (str_eq(v.map.at[i].key, name)) *out = v.map.at[i].value;
        return OK;
    }
    if (v.type == TV_NIL) return OK;
    return exec_fail(r, line, "can't evaluate field %.*s: not a map", STR_ARG(name));
}

static struct variable *variable_of(struct template_run *r, struct str name)
{
    for (size_t i = r->n_vars; i-- > 0;)
        if (str_eq(r->vars[i].name, name)) return &r->vars[i];
    return NULL;
}

static int call(struct template_run *r, const struct toperand *fn, const struct tvalue *args, size_t n,
                int line, struct tvalue *out)
{
    struct template_call c = { r, r->arena, r->host, fn->fn->name, args, n, r->err };
    *out = (struct tvalue){ 0 };
    if (n < (size_t)fn->fn->min || (fn->fn->max >= 0 && n > (size_t)fn->fn->max))
        return exec_fail(r, line, "wrong number of args for %s: %zu", fn->fn->name, n);
    int rc = fn->fn->fn(&c, out);
    if (rc < 0) err_where(r->err, "template: :%d", line);
    return rc;
}

/* A function's name where a value stands is a call without arguments. Of the fields behind it the first n. */
static int eval_fields(struct template_run *r, const struct toperand *o, struct tvalue dot, size_t n_fields,
                       int line, struct tvalue *out)
{
    int rc = step(r);
    if (rc < 0) return rc;
    switch (o->kind) {
    case TO_DOT: *out = dot; break;
    case TO_CONST: *out = o->value; break;
    case TO_FN: rc = call(r, o, NULL, 0, line, out); break;
    case TO_PIPE: rc = eval_pipe(r, o->pipe, dot, out); break;
    case TO_VAR: {
        struct variable *v = variable_of(r, o->name);
        if (o->name.n == 0)
            *out = r->data;
        else if (v != NULL)
            *out = v->value;
        else
            return exec_fail(r, line, "undefined variable \"$%.*s\"", STR_ARG(o->name));
    }
    }
    for (size_t i = 0; rc == OK && i < n_fields; i++) rc = field_of(r, *out, o->fields[i], line, out);
    return rc;
}

static int eval_operand(struct template_run *r, const struct toperand *o, struct tvalue dot, int line,
                        struct tvalue *out)
{
    return eval_fields(r, o, dot, o->n_fields, line, out);
}

/* The first argument that decides, or the last. */
static int eval_shortcut(struct template_run *r, const struct tcommand *c, struct tvalue dot,
                         const struct tvalue *last, int line, struct tvalue *out)
{
    size_t n = c->n - 1 + (last != NULL);
    if (n == 0) return exec_fail(r, line, "wrong number of args for %s: 0", c->args->fn->name);
    for (const struct toperand *o = c->args->next; o != NULL; o = o->next) {
        int rc = eval_operand(r, o, dot, line, out);
        if (rc < 0 || tv_true(*out) == c->args->is_or) return rc;
    }
    if (last != NULL) *out = *last;
    return OK;
}

/* .a.b.Method x y: what is before the last name, and then that called. */
static int eval_method(struct template_run *r, const struct toperand *o, struct tvalue dot,
                       const struct tvalue *args, size_t n, int line, struct tvalue *out)
{
    struct tvalue self;
    struct str name = o->fields[o->n_fields - 1];
    int rc = eval_fields(r, o, dot, o->n_fields - 1, line, &self);
    if (rc < 0) return rc;
    *out = (struct tvalue){ 0 };
    rc = call_method(r, self, name, args, n, line, out);
    return rc == ERR_FIND ? exec_fail(r, line, "%.*s is no method here but has arguments", STR_ARG(name))
                          : rc;
}

static int eval_command(struct template_run *r, const struct tcommand *c, struct tvalue dot,
                        const struct tvalue *last, int line, struct tvalue *out)
{
    struct tvalue args[TEMPLATE_ARGS_MAX + 1];
    size_t n = 0;
    int rc = OK;
    bool is_function = c->args->kind == TO_FN;
    if (!is_function && c->n == 1 && last == NULL) return eval_operand(r, c->args, dot, line, out);
    if (c->args->is_and || c->args->is_or) return eval_shortcut(r, c, dot, last, line, out);
    for (const struct toperand *o = c->args->next; o != NULL && rc == OK; o = o->next)
        rc = eval_operand(r, o, dot, line, &args[n++]);
    if (last != NULL) args[n++] = *last;
    if (rc == OK) rc = step(r);
    if (rc < 0) return rc;
    return is_function ? call(r, c->args, args, n, line, out)
                       : eval_method(r, c->args, dot, args, n, line, out);
}

static int set_variable(struct template_run *r, const struct tpipe *p, struct str name, struct tvalue v)
{
    struct variable *old = p->declares ? NULL : variable_of(r, name);
    if (old != NULL) {
        old->value = v;
        return OK;
    }
    if (!p->declares) return exec_fail(r, p->line, "undefined variable \"$%.*s\"", STR_ARG(name));
    if (r->n_vars == TEMPLATE_VARS_MAX)
        return err_set(r->err, ERR_LIMIT, "template: more than %d variables", TEMPLATE_VARS_MAX);
    r->vars[r->n_vars++] = (struct variable){ name, v };
    return OK;
}

static int eval_commands(struct template_run *r, const struct tpipe *p, struct tvalue dot, struct tvalue *out)
{
    struct tvalue last;
    int rc = OK;
    for (const struct tcommand *c = p->commands; c != NULL && rc == OK; c = c->next) {
        rc = eval_command(r, c, dot, c == p->commands ? NULL : &last, p->line, out);
        last = *out;
    }
    return rc;
}

static int eval_pipe(struct template_run *r, const struct tpipe *p, struct tvalue dot, struct tvalue *out)
{
    *out = (struct tvalue){ 0 };
    int rc = eval_commands(r, p, dot, out);
    if (rc == OK && p->n_vars > 0) rc = set_variable(r, p, p->vars[p->n_vars - 1], *out);
    return rc;
}

/* ---- nodes ---- */

static int exec_list(struct template_run *, const struct tnode *, struct tvalue dot);

/* A list whose variables end with it. */
static int exec_scope(struct template_run *r, const struct tnode *n, struct tvalue dot)
{
    size_t vars = r->n_vars;
    int rc = ++r->depth > 2 * TEMPLATE_DEPTH_MAX
                 ? err_set(r->err, ERR_LIMIT, "template: nested more than %d deep", 2 * TEMPLATE_DEPTH_MAX)
                 : exec_list(r, n, dot);
    r->depth--;
    r->n_vars = vars;
    return rc;
}

static int exec_if(struct template_run *r, const struct tnode *n, struct tvalue dot)
{
    struct tvalue v;
    size_t vars = r->n_vars;
    int rc = eval_pipe(r, n->pipe, dot, &v);
    if (rc == OK) {
        bool yes = tv_true(v);
        rc = exec_scope(r, yes ? n->body : n->otherwise, yes && n->kind == TN_WITH ? v : dot);
    }
    r->n_vars = vars;
    return rc;
}

struct items { /* what range walks over */
    const struct tvalue *list;
    const struct tentry *map;
    size_t n;
    bool counts; /* over an integer */
};

static int items_of(struct template_run *r, const struct tnode *n, struct tvalue v, struct items *out)
{
    struct tentry *entries;
    *out = (struct items){ 0 };
    switch (v.type) {
    case TV_NIL: return OK;
    case TV_LIST: *out = (struct items){ .list = v.list.at, .n = v.list.n }; return OK;
    case TV_MAP: *out = (struct items){ .map = v.map.at, .n = v.map.n }; return OK;
    case TV_INT: *out = (struct items){ .n = v.i > 0 ? (size_t)v.i : 0, .counts = true }; return OK;
    case TV_LOOKUP:
        if (v.lookup->list == NULL) break;
        v.lookup->list(v.lookup->ctx, r->arena, &entries, &out->n);
        out->map = entries;
        return OK;
    default: break;
    }
    return exec_fail(r, n->line, "range can't iterate over this value");
}

static int exec_item(struct template_run *r, const struct tnode *n, const struct items *it, size_t i)
{
    const struct tpipe *p = n->pipe;
    struct tvalue key = it->map ? tv_str(it->map[i].key) : tv_int((int64_t)i);
    struct tvalue value = it->map ? it->map[i].value : it->counts ? key : it->list[i];
    size_t vars = r->n_vars;
    int rc = step(r);
    if (rc == OK && p->n_vars == 2) rc = set_variable(r, p, p->vars[0], key);
    if (rc == OK && p->n_vars > 0) rc = set_variable(r, p, p->vars[p->n_vars - 1], value);
    if (rc == OK) rc = exec_scope(r, n->body, value);
    r->n_vars = vars;
    return rc;
}

static int exec_range(struct template_run *r, const struct tnode *n, struct tvalue dot)
{
    struct tvalue v = { 0 };
    struct items it;
    int rc = eval_commands(r, n->pipe, dot, &v);
    if (rc == OK) rc = items_of(r, n, v, &it);
    if (rc < 0) return rc;
    if (it.n == 0) return exec_scope(r, n->otherwise, dot);
    for (size_t i = 0; i < it.n && rc != BREAK; i++)
        if ((rc = exec_item(r, n, &it, i)) < 0) return rc;
    return OK;
}

static const struct tdefine *define_of(const struct template *t, struct str name)
{
    for (; t != NULL; t = t->library)
        for (const struct tdefine *d = t->defines; d != NULL; d = d->next)
            if (str_eq(d->name, name)) return d;
    return NULL;
}

static int exec_call(struct template_run *r, const struct tnode *n, struct tvalue dot)
{
    const struct tdefine *d = define_of(r->t, n->text);
    struct tvalue v = { 0 }, data = r->data;
    if (d == NULL) return exec_fail(r, n->line, "template \"%.*s\" not defined", STR_ARG(n->text));
    int rc = n->pipe ? eval_pipe(r, n->pipe, dot, &v) : OK;
    if (rc < 0) return rc;
    r->data = v; /* $ is the data a template was called with */
    rc = exec_scope(r, d->body, v);
    r->data = data;
    return rc;
}

static int exec_action(struct template_run *r, const struct tnode *n, struct tvalue dot)
{
    struct tvalue v;
    int rc = eval_pipe(r, n->pipe, dot, &v);
    if (rc < 0 || n->pipe->n_vars > 0) return rc;
    if (r->printer != NULL)
        r->printer->value(r->printer->ctx, r->out, v);
    else
        tv_print(r->out, v);
    return OK;
}

static void put_text(struct template_run *r, struct str text)
{
    if (r->printer != NULL)
        r->printer->text(r->printer->ctx, r->out, text);
    else
        buf_str(r->out, text);
}

static int exec_list(struct template_run *r, const struct tnode *n, struct tvalue dot)
{
    int rc = OK;
    for (; n != NULL && rc == OK; n = n->next) {
        if ((rc = step(r)) < 0) break;
        switch (n->kind) {
        case TN_TEXT: put_text(r, n->text); break;
        case TN_ACTION: rc = exec_action(r, n, dot); break;
        case TN_IF:
        case TN_WITH: rc = exec_if(r, n, dot); break;
        case TN_RANGE: rc = exec_range(r, n, dot); break;
        case TN_CALL: rc = exec_call(r, n, dot); break;
        case TN_BREAK: return BREAK;
        case TN_CONTINUE: return CONTINUE;
        }
    }
    return rc;
}

int template_run(const struct template *t, struct tvalue data, void *host, struct arena *a, struct buf *out,
                 struct err *e)
{
    return template_run_through(t, data, host, a, out, NULL, e);
}

int template_run_through(const struct template *t, struct tvalue data, void *host, struct arena *a,
                         struct buf *out, const struct template_printer *printer, struct err *e)
{
    struct template_run r;
    struct err own = ERR_INIT;
    r.t = t; /* not zeroed as a whole: vars are many, and a run is one line of a log */
    r.data = data;
    r.host = host;
    r.arena = a;
    r.out = out;
    r.printer = printer;
    r.err = &own;
    r.n_vars = r.steps = 0;
    r.depth = 0;
    int rc = exec_list(&r, t->root, data);
    if (rc >= 0) rc = step(&r); /* the output's ceiling */
    return rc < 0 ? err_set(e, rc, "%s", own.text) : OK;
}
