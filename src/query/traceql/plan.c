/* plan.c - which columns a query reads, and what the store may leave out.
 *
 * Conditions are widened, never narrowed (plan.h, 1). What is not exactly the store's is wide: a ! over it
 * would turn too much into too little, so it asks for all. */
#include "query/traceql/plan.h"

#include "base/check.h"

/* ---- columns ---- */

static uint16_t add_column(struct plan *p, struct field f)
{
    for (size_t i = 0; i < p->n_fields; i++)
        if (field_same(p->fields[i], f)) return (uint16_t)i;
    p->fields[p->n_fields] = f;
    return (uint16_t)p->n_fields++;
}

static const enum intrinsic stored[SPAN_INTRINSICS] = {
    [SPAN_NAME] = IN_NAME,
    [SPAN_STATUS] = IN_STATUS,
    [SPAN_STATUS_MESSAGE] = IN_STATUS_MESSAGE,
    [SPAN_KIND] = IN_KIND,
    [SPAN_DURATION] = IN_DURATION,
    [SPAN_ID] = IN_SPAN_ID,
    [SPAN_PARENT_ID] = IN_PARENT_ID,
    [SPAN_IS_ROOT] = IN_PARENT_ID,
    [TRACE_ID] = IN_TRACE_ID,
    [EVENT_NAME] = IN_EVENTS,
    [EVENT_TIME_SINCE_START] = IN_EVENTS,
    [LINK_TRACE_ID] = IN_LINKS,
    [LINK_SPAN_ID] = IN_LINKS,
    [INSTRUMENTATION_NAME] = IN_SCOPE_NAME,
    [INSTRUMENTATION_VERSION] = IN_SCOPE_VERSION,
};

/* Of one attribute; in the order in which they are asked. Returns how many: none when the tree knows it. */
static size_t fields_of(const struct attr_ref *a, struct field out[3])
{
    switch (a->scope) {
    case SCOPE_ANY:
        out[0] = field_attr(FIELD_ATTR, a->name);
        out[1] = field_attr(FIELD_RESOURCE, a->name);
        out[2] = field_attr(FIELD_SCOPE, a->name);
        return 3;
    case SCOPE_SPAN: out[0] = field_attr(FIELD_ATTR, a->name); return 1;
    case SCOPE_RESOURCE: out[0] = field_attr(FIELD_RESOURCE, a->name); return 1;
    case SCOPE_INSTRUMENTATION: out[0] = field_attr(FIELD_SCOPE, a->name); return 1;
    case SCOPE_EVENT: out[0] = field_in(IN_EVENTS); return 1;
    case SCOPE_LINK: out[0] = field_in(IN_LINKS); return 1;
    case SCOPE_INTRINSIC: break;
    }
    out[0] = field_in(stored[a->intrinsic]);
    return stored[a->intrinsic] == 0 ? 0 : 1;
}

static void plan_columns(struct plan *p)
{
    static const enum intrinsic fixed[] = { IN_TRACE_ID, IN_SPAN_ID, IN_PARENT_ID, IN_DURATION,
                                            IN_NAME,     IN_KIND,    IN_STATUS };
    const struct traceql_query *q = p->query;
    struct field fields[3];

    p->fields = arena_array(p->arena, PLAN_COLUMNS + 3 * q->n_attrs, sizeof *p->fields);
    p->columns = arena_array(p->arena, q->n_attrs, sizeof *p->columns);
    for (size_t i = 0; i < COUNT(fixed); i++) add_column(p, field_in(fixed[i]));
    add_column(p, field_attr(FIELD_RESOURCE, STR("service.name")));
    for (size_t i = 0; i < q->n_attrs; i++) {
        size_t n = fields_of(&q->attrs[i], fields);
        for (size_t k = 0; k < 3; k++) p->columns[i][k] = k < n ? add_column(p, fields[k]) : NO_COLUMN;
    }
}

/* ---- comparisons for the store ---- */

/* What a condition became: `p` takes all that it takes, and when exact, no more. NULL: all. */
struct wide {
    const struct predicate *p;
    bool exact;
};
static const struct wide everything = { NULL, false };

struct widener {
    struct arena *arena;
    const struct traceql_query *query;
};

static bool read_id(struct str hex, size_t bytes, struct arena *a, struct value *out)
{
    if (hex.n != bytes * 2) return false;
    char *raw = arena_alloc(a, bytes);
    for (size_t i = 0; i < hex.n; i++) {
        char c = hex.p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return false;
        raw[i / 2] = (char)(i % 2 == 0 ? digit << 4 : raw[i / 2] | digit);
    }
    *out = (struct value){ .type = VALUE_BYTES, .text = { raw, bytes } };
    return true;
}

static bool as_stored(const struct attr_ref *a, struct static_value v, struct arena *arena, struct value *out)
{
    if (a->scope == SCOPE_INTRINSIC &&
        (a->intrinsic == TRACE_ID || a->intrinsic == SPAN_ID || a->intrinsic == SPAN_PARENT_ID))
        return v.type == STATIC_STRING && read_id(v.s, a->intrinsic == TRACE_ID ? 16 : 8, arena, out);
    switch (v.type) {
    case STATIC_STRING: *out = value_str(v.s); return true;
    case STATIC_FLOAT: *out = value_double(v.d); return true;
    case STATIC_BOOL:
    case STATIC_INT:
    case STATIC_DURATION:
    case STATIC_STATUS:
    case STATIC_KIND: *out = value_int(v.i); return true;
    default: return false;
    }
}

static const struct predicate *compare_field(struct widener *w, enum tq_op op, struct field f, struct value v,
                                             const struct regex *re)
{
    struct arena *a = w->arena;
    switch (op) {
    case TQ_EQ: return predicate_cmp(a, PRED_EQ, f, v);
    case TQ_LT: return predicate_cmp(a, PRED_LT, f, v);
    case TQ_LE: return predicate_cmp(a, PRED_LE, f, v);
    case TQ_GT: return predicate_cmp(a, PRED_GT, f, v);
    case TQ_GE: return predicate_cmp(a, PRED_GE, f, v);
    case TQ_RE: return predicate_regex(a, f, re);
    case TQ_NE:
        return predicate_and(a, predicate_exists(a, f), predicate_not(a, predicate_cmp(a, PRED_EQ, f, v)));
    default: return predicate_and(a, predicate_exists(a, f), predicate_not(a, predicate_regex(a, f, re)));
    }
}

/* Texts that are always there, and absent in the store when empty. */
static bool is_text_intrinsic(const struct attr_ref *a)
{
    return a->scope == SCOPE_INTRINSIC &&
           (a->intrinsic == SPAN_NAME || a->intrinsic == SPAN_STATUS_MESSAGE ||
            a->intrinsic == INSTRUMENTATION_NAME || a->intrinsic == INSTRUMENTATION_VERSION);
}

static const struct predicate *is_absent(struct widener *w, const struct field *f, size_t n)
{
    const struct predicate *p = predicate_not(w->arena, predicate_exists(w->arena, f[0]));
    for (size_t i = 1; i < n; i++)
        p = predicate_and(w->arena, p, predicate_not(w->arena, predicate_exists(w->arena, f[i])));
    return p;
}

/* Bare texts only: in numbers the store takes true for 1, and of a name in several scopes one hides others.
 */
static bool is_exact(const struct attr_ref *a, struct static_value v, size_t n_fields)
{
    return n_fields == 1 && (v.type == STATIC_STRING || a->scope == SCOPE_INTRINSIC) &&
           !(a->scope == SCOPE_INTRINSIC && a->intrinsic == SPAN_DURATION);
}

static bool is_listed(const struct attr_ref *a)
{
    return a->scope == SCOPE_EVENT || a->scope == SCOPE_LINK ||
           (a->scope == SCOPE_INTRINSIC &&
            (stored[a->intrinsic] == IN_EVENTS || stored[a->intrinsic] == IN_LINKS));
}

static struct wide widen_nil(struct widener *w, enum tq_op op, const struct attr_ref *a,
                             const struct field *f, size_t n)
{
    if (a->scope == SCOPE_INTRINSIC || is_listed(a) || (op != TQ_EQ && op != TQ_NE)) return everything;
    const struct predicate *absent = is_absent(w, f, n);
    return (struct wide){ op == TQ_EQ ? absent : predicate_not(w->arena, absent), true };
}

static struct wide widen_attr(struct widener *w, enum tq_op op, const struct attr_ref *a,
                              struct static_value v, const struct regex *re)
{
    struct field f[3];
    struct value stored_value = { 0 };
    size_t n = fields_of(a, f);
    const struct predicate *p;

    if (a->of_parent) return everything;
    if (n == 0) return everything; /* of the trace: another span may show it */
    if (v.type == STATIC_NIL) return widen_nil(w, op, a, f, n);
    if (is_listed(a)) return (struct wide){ predicate_exists(w->arena, f[0]), false };
    bool is_id = a->scope == SCOPE_INTRINSIC &&
                 (a->intrinsic == TRACE_ID || a->intrinsic == SPAN_ID || a->intrinsic == SPAN_PARENT_ID);
    if ((is_id && op != TQ_EQ) || !as_stored(a, v, w->arena, &stored_value)) return everything;
    p = compare_field(w, op, f[0], stored_value, re);
    for (size_t i = 1; i < n; i++)
        p = predicate_or(w->arena, p, compare_field(w, op, f[i], stored_value, re));
    if (is_text_intrinsic(a) && static_compare(op, (struct static_value){ .type = STATIC_STRING }, v, re))
        p = predicate_or(w->arena, p, is_absent(w, f, 1));
    return (struct wide){ p, is_exact(a, v, n) };
}

/* ---- expressions ---- */

static struct wide widen(struct widener *, const struct field_expr *);

/* A name alone must be true itself. */
static struct wide widen_ref(struct widener *w, const struct field_expr *x)
{
    const struct attr_ref *a = &w->query->attrs[x->attr];
    struct field f[3];
    if (a->of_parent) return everything;
    if (a->scope == SCOPE_INTRINSIC && a->intrinsic == SPAN_IS_ROOT)
        return (struct wide){ predicate_not(w->arena, predicate_exists(w->arena, field_in(IN_PARENT_ID))),
                              true };
    size_t n = fields_of(a, f);
    if (n == 0) return everything;
    struct wide all = { predicate_exists(w->arena, f[0]), false };
    for (size_t i = 1; i < n; i++) all.p = predicate_or(w->arena, all.p, predicate_exists(w->arena, f[i]));
    return all;
}

static enum tq_op mirrored(enum tq_op op)
{
    switch (op) {
    case TQ_LT: return TQ_GT;
    case TQ_LE: return TQ_GE;
    case TQ_GT: return TQ_LT;
    case TQ_GE: return TQ_LE;
    default: return op;
    }
}

static struct wide widen_binary(struct widener *w, const struct field_expr *x)
{
    if (x->op == TQ_AND || x->op == TQ_OR) {
        struct wide a = widen(w, x->left), b = widen(w, x->right);
        if (x->op == TQ_AND) return (struct wide){ predicate_and(w->arena, a.p, b.p), a.exact && b.exact };
        if (a.p == NULL || b.p == NULL) return everything;
        return (struct wide){ predicate_or(w->arena, a.p, b.p), a.exact && b.exact };
    }
    if (x->op >= TQ_ADD) return everything;
    if (x->left->kind == EXPR_REF && x->right->kind == EXPR_STATIC)
        return widen_attr(w, x->op, &w->query->attrs[x->left->attr], x->right->value, x->re);
    if (x->left->kind == EXPR_STATIC && x->right->kind == EXPR_REF)
        return widen_attr(w, mirrored(x->op), &w->query->attrs[x->right->attr], x->left->value, x->re);
    return everything;
}

static struct wide widen(struct widener *w, const struct field_expr *x)
{
    if (x->kind == EXPR_REF) return widen_ref(w, x);
    if (x->kind == EXPR_BINARY) return widen_binary(w, x);
    if (x->kind != EXPR_UNARY || x->op != TQ_NOT) return everything;
    struct wide inner = widen(w, x->left);
    if (!inner.exact || inner.p == NULL) return everything;
    return (struct wide){ predicate_not(w->arena, inner.p), true };
}

const struct predicate *plan_filter(struct arena *a, const struct traceql_query *q,
                                    const struct field_expr *x)
{
    struct widener w = { a, q };
    const struct predicate *p = x == NULL ? NULL : widen(&w, x).p;
    return predicate_check(p, NULL) == OK ? p : NULL; /* too large for the store: then all */
}

/* ---- a trace must have one of these ---- */

static const struct predicate *candidates_of(struct plan *, const struct pipeline *);

static const struct predicate *candidates_of_set(struct plan *p, const struct spanset_expr *s)
{
    if (s->kind == SPANSET_FILTER) return plan_filter(p->arena, p->query, s->filter);
    if (s->kind == SPANSET_PIPELINE) return candidates_of(p, s->pipeline);
    const struct predicate *left = candidates_of_set(p, s->left), *right = candidates_of_set(p, s->right);
    if (s->relation == REL_OR)
        return left == NULL || right == NULL ? NULL : predicate_or(p->arena, left, right);
    if (s->mode == MODE_NOT || left == NULL) return right; /* the left side may be empty */
    return left;
}

/* The first stage that chooses spans decides; later ones only take away. */
static const struct predicate *candidates_of(struct plan *p, const struct pipeline *pipeline)
{
    const struct predicate *all = NULL;
    for (const struct stage *s = pipeline->first; s != NULL; s = s->next) {
        if (s->kind == STAGE_COALESCE || s->kind == STAGE_BY || s->kind == STAGE_SELECT) continue;
        if (s->kind == STAGE_SPANSET && all == NULL) all = candidates_of_set(p, s->spanset);
        if (all != NULL) break;
    }
    return all;
}

/* ---- is each span for itself? ---- */

static bool set_is_local(const struct spanset_expr *s)
{
    if (s->kind == SPANSET_FILTER) return true;
    return s->kind == SPANSET_RELATION && s->relation == REL_OR && set_is_local(s->left) &&
           set_is_local(s->right);
}

static bool is_local(const struct traceql_query *q)
{
    for (size_t i = 0; i < q->n_attrs; i++)
        if (q->attrs[i].uses > 0 && (q->attrs[i].of_parent || (q->attrs[i].scope == SCOPE_INTRINSIC &&
                                                               intrinsic_needs_trace(q->attrs[i].intrinsic))))
            return false;
    for (const struct stage *s = q->pipeline.first; s != NULL; s = s->next)
        if (s->kind != STAGE_SELECT && !(s->kind == STAGE_SPANSET && set_is_local(s->spanset))) return false;
    return true;
}

int plan_make(struct plan *p, const struct traceql_query *q, struct arena *a, struct err *e)
{
    *p = (struct plan){ .query = q, .arena = a };
    plan_columns(p);
    p->is_local = is_local(q);
    p->candidates = candidates_of(p, &q->pipeline);
    if (predicate_check(p->candidates, NULL) < 0) p->candidates = NULL;
    return arena_over(a) ? err_set(e, ERR_LIMIT, "the query needs more memory than it may take") : OK;
}
