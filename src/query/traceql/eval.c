/* eval.c - expressions on one span. */
#include <math.h>

#include "base/check.h"
#include "base/json.h"
#include "query/traceql/plan.h"

#define SCRATCH_BYTES ((size_t)64 << 20)
#define SCRATCH_RESET ((size_t)256 << 10)
#define LIST_MAX      10000 /* events of one span that are looked at */

static const struct static_value nil = { .type = STATIC_NIL };

void evaluation_release(struct evaluation *ev)
{
    arena_release(&ev->scratch);
}

static void freshen(struct evaluation *ev)
{
    ev->scratch.budget = SCRATCH_BYTES;
    if (ev->scratch.used > SCRATCH_RESET)
        arena_release(&ev->scratch);
    else if (ev->scratch.used > 0)
        arena_reset(&ev->scratch);
}

/* ---- from the store ---- */

static struct static_value from_store(struct value v)
{
    switch (v.type) {
    case VALUE_STR:
    case VALUE_JSON: return (struct static_value){ .type = STATIC_STRING, .s = v.text };
    case VALUE_BYTES: return (struct static_value){ .type = STATIC_BYTES, .s = v.text };
    case VALUE_INT: return (struct static_value){ .type = STATIC_INT, .i = v.i };
    case VALUE_BOOL: return (struct static_value){ .type = STATIC_BOOL, .i = v.i };
    case VALUE_DOUBLE: return (struct static_value){ .type = STATIC_FLOAT, .d = v.d };
    default: return nil;
    }
}

static uint32_t row_of(const struct evaluation *ev, uint32_t span)
{
    return ev->tree != NULL ? ev->tree->rows[span] : span;
}

static struct value cell(const struct evaluation *ev, size_t column, uint32_t span)
{
    return ev->values[column][row_of(ev, span)];
}

static struct static_value hex(struct evaluation *ev, struct value id)
{
    static const char digits[] = "0123456789abcdef";
    struct static_value v = { .type = STATIC_STRING };
    if (id.type != VALUE_BYTES) return v;
    char *text = arena_alloc(&ev->scratch, id.text.n * 2);
    for (size_t i = 0; i < id.text.n; i++) {
        text[2 * i] = digits[(unsigned char)id.text.p[i] >> 4];
        text[2 * i + 1] = digits[(unsigned char)id.text.p[i] & 15];
    }
    v.s = (struct str){ text, id.text.n * 2 };
    return v;
}

static struct static_value text_or_empty(struct value v)
{
    struct static_value s = from_store(v);
    return s.type == STATIC_NIL ? (struct static_value){ .type = STATIC_STRING } : s;
}

static struct static_value typed(enum static_type type, int64_t i)
{
    return (struct static_value){ .type = type, .i = i };
}

/* ---- events and links: [{"name":..,"time_ns":"..","attributes":{..}}] ---- */

struct list {
    struct static_value *at;
    size_t n, cap;
};

static struct static_value json_value(struct json_reader *r)
{
    struct static_value v = { .type = STATIC_STRING };
    struct str digits;

    switch (json_peek(r)) {
    case JSON_STRING: json_string(r, &v.s); return v;
    case JSON_BOOL: {
        bool b = false;
        json_bool(r, &b);
        return typed(STATIC_BOOL, b);
    }
    case JSON_NUMBER:
        if (!json_number_text(r, &digits)) return nil;
        if (str_to_i64(digits, &v.i)) return typed(STATIC_INT, v.i);
        v.d = strtod(arena_str(r->arena, digits).p, NULL);
        v.type = STATIC_FLOAT;
        return v;
    case JSON_ARRAY:
    case JSON_OBJECT: json_raw(r, &v.s); return v;
    default: json_skip(r); return nil;
    }
}

static void list_add(struct evaluation *ev, struct list *l, struct static_value v)
{
    if (v.type == STATIC_NIL || l->n >= LIST_MAX) return;
    l->at = arena_grow(&ev->scratch, l->at, l->n, &l->cap, sizeof *l->at);
    l->at[l->n++] = v;
}

static void read_attributes(struct evaluation *ev, struct json_reader *r, struct str name, struct list *l)
{
    struct str key;
    if (!json_object(r)) return;
    while (json_key(r, &key)) {
        if (str_eq(key, name))
            list_add(ev, l, json_value(r));
        else
            json_skip(r);
    }
}

static const char *key_of_intrinsic(enum span_intrinsic i)
{
    switch (i) {
    case EVENT_NAME: return "name";
    case EVENT_TIME_SINCE_START: return "time_ns";
    case LINK_TRACE_ID: return "trace_id";
    default: return "span_id";
    }
}

static struct static_value since_start(struct evaluation *ev, struct static_value v, uint32_t span)
{
    int64_t t, d;
    if (v.type == STATIC_STRING ? !str_to_i64(v.s, &t) : v.type != STATIC_INT) return nil;
    if (v.type == STATIC_INT) t = v.i;
    if (__builtin_sub_overflow(t, ev->time_ns[row_of(ev, span)], &d)) return nil;
    return typed(STATIC_DURATION, d);
}

static struct static_value eval_list(struct evaluation *ev, const struct attr_ref *a, struct value json,
                                     uint32_t span)
{
    struct json_reader r;
    struct list l = { 0 };
    struct str key;

    if (json.type != VALUE_JSON && json.type != VALUE_STR) return nil;
    json_open(&r, json.text, &ev->scratch);
    if (!json_array(&r)) return nil;
    while (json_next(&r)) {
        if (!json_object(&r)) break;
        while (json_key(&r, &key)) {
            if (a->scope != SCOPE_INTRINSIC && str_is(key, "attributes")) {
                read_attributes(ev, &r, a->name, &l);
            } else if (a->scope == SCOPE_INTRINSIC && str_is(key, key_of_intrinsic(a->intrinsic))) {
                struct static_value v = json_value(&r);
                list_add(ev, &l, a->intrinsic == EVENT_TIME_SINCE_START ? since_start(ev, v, span) : v);
            } else {
                json_skip(&r);
            }
        }
    }
    if (l.n == 0) return nil;
    return (struct static_value){ .type = STATIC_LIST, .n = (uint32_t)l.n, .list = l.at };
}

/* ---- attributes ---- */

static struct static_value eval_tree(const struct evaluation *ev, enum span_intrinsic which, uint32_t span)
{
    const struct span_tree *t = ev->tree;
    if (t == NULL) return nil;
    switch (which) {
    case SPAN_CHILD_COUNT: return typed(STATIC_INT, t->children[span]);
    case TRACE_DURATION: return typed(STATIC_DURATION, t->end_ns - t->start_ns);
    case TRACE_ROOT_NAME: return text_or_empty(cell(ev, PLAN_NAME, t->root));
    case TRACE_ROOT_SERVICE: return text_or_empty(cell(ev, PLAN_SERVICE, t->root));
    case NESTED_LEFT: return typed(STATIC_INT, t->left[span]);
    case NESTED_RIGHT: return typed(STATIC_INT, t->right[span]);
    case NESTED_PARENT:
        if (t->parent[span] != SPAN_NOWHERE) return typed(STATIC_INT, t->left[t->parent[span]]);
        return typed(STATIC_INT, cell(ev, PLAN_PARENT_ID, span).type == VALUE_NONE ? -1 : 0);
    default: check(!"an intrinsic of the tree"); return nil;
    }
}

static struct static_value eval_intrinsic(struct evaluation *ev, const struct attr_ref *a, uint16_t column,
                                          uint32_t span)
{
    struct value v;
    if (intrinsic_needs_trace(a->intrinsic)) return eval_tree(ev, a->intrinsic, span);
    v = cell(ev, column, span);
    switch (a->intrinsic) {
    case SPAN_STATUS: return typed(STATIC_STATUS, v.i);
    case SPAN_KIND: return typed(STATIC_KIND, v.i);
    case SPAN_DURATION: return v.i == SPAN_UNFINISHED ? nil : typed(STATIC_DURATION, v.i);
    case SPAN_ID:
    case SPAN_PARENT_ID:
    case TRACE_ID: return hex(ev, v);
    case SPAN_IS_ROOT: return typed(STATIC_BOOL, v.type == VALUE_NONE);
    case EVENT_NAME:
    case EVENT_TIME_SINCE_START:
    case LINK_TRACE_ID:
    case LINK_SPAN_ID: return eval_list(ev, a, v, span);
    default: return text_or_empty(v);
    }
}

static struct static_value eval_ref(struct evaluation *ev, uint32_t number, uint32_t span)
{
    const struct attr_ref *a = &ev->plan->query->attrs[number];
    const uint16_t *column = ev->plan->columns[number];

    if (a->of_parent) span = ev->tree == NULL ? SPAN_NOWHERE : ev->tree->parent[span];
    if (span == SPAN_NOWHERE) return nil;
    if (a->scope == SCOPE_INTRINSIC) return eval_intrinsic(ev, a, column[0], span);
    if (a->scope == SCOPE_EVENT || a->scope == SCOPE_LINK)
        return eval_list(ev, a, cell(ev, column[0], span), span);
    for (size_t i = 0; i < 3 && column[i] != NO_COLUMN; i++) {
        struct static_value v = from_store(cell(ev, column[i], span));
        if (v.type != STATIC_NIL) return v;
    }
    return nil;
}

struct static_value eval_attr(struct evaluation *ev, uint32_t attr, uint32_t span)
{
    return eval_attr_kept(ev, attr, span, true);
}

struct static_value eval_attr_kept(struct evaluation *ev, uint32_t attr, uint32_t span, bool is_first)
{
    if (is_first) freshen(ev);
    struct static_value v = eval_ref(ev, attr, span);
    return v.type == STATIC_LIST ? v.list[0] : v;
}

/* ---- expressions ---- */

static bool is_true(struct static_value v)
{
    return v.type == STATIC_BOOL && v.i != 0;
}

static bool is_nil_literal(const struct field_expr *x)
{
    return x->kind == EXPR_STATIC && x->value.type == STATIC_NIL;
}

static struct static_value eval_any(struct evaluation *, const struct field_expr *, uint32_t span);

static struct static_value eval_unary(struct evaluation *ev, const struct field_expr *x, uint32_t span)
{
    struct static_value v = eval_any(ev, x->left, span);
    if (x->op == TQ_NOT) return v.type == STATIC_BOOL ? typed(STATIC_BOOL, !v.i) : nil;
    return static_binary(TQ_SUB, typed(STATIC_INT, 0), v, NULL);
}

static struct static_value eval_binary(struct evaluation *ev, const struct field_expr *x, uint32_t span)
{
    if (x->op == TQ_AND || x->op == TQ_OR) {
        bool left = is_true(eval_any(ev, x->left, span));
        if (left == (x->op == TQ_OR)) return typed(STATIC_BOOL, left);
        return typed(STATIC_BOOL, is_true(eval_any(ev, x->right, span)));
    }
    struct static_value a = eval_any(ev, x->left, span), b = eval_any(ev, x->right, span);
    if (is_nil_literal(x->left) || is_nil_literal(x->right)) {
        bool same = a.type == STATIC_NIL && b.type == STATIC_NIL;
        return typed(STATIC_BOOL, x->op == TQ_EQ ? same : x->op == TQ_NE && !same);
    }
    return static_binary(x->op, a, b, x->re);
}

static struct static_value eval_any(struct evaluation *ev, const struct field_expr *x, uint32_t span)
{
    switch (x->kind) {
    case EXPR_STATIC: return x->value;
    case EXPR_REF: return eval_ref(ev, x->attr, span);
    case EXPR_UNARY: return eval_unary(ev, x, span);
    default: return eval_binary(ev, x, span);
    }
}

struct static_value eval_field(struct evaluation *ev, const struct field_expr *x, uint32_t span)
{
    freshen(ev);
    struct static_value v = eval_any(ev, x, span);
    return v.type == STATIC_LIST ? v.list[0] : v;
}

bool eval_filter(struct evaluation *ev, const struct field_expr *x, uint32_t span)
{
    if (x == NULL) return true;
    freshen(ev);
    return is_true(eval_any(ev, x, span));
}

static bool passes(struct evaluation *ev, const struct spanset_expr *s, uint32_t span)
{
    if (s->kind == SPANSET_FILTER) return eval_filter(ev, s->filter, span);
    return passes(ev, s->left, span) || passes(ev, s->right, span);
}

bool eval_local(struct evaluation *ev, uint32_t span)
{
    for (const struct stage *s = ev->plan->query->pipeline.first; s != NULL; s = s->next)
        if (s->kind == STAGE_SPANSET && !passes(ev, s->spanset, span)) return false;
    return true;
}
