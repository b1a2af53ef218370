/* spansets.c - see spansets.h. */
#include "query/traceql/spansets.h"

#include <math.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/turns.h"
#include "query/traceql/parse.h"

#define GROUPS_MAX 10000 /* of by(), in one trace */

struct running {
    struct evaluation *ev;
    struct call *call;
    struct arena *arena;
    struct err *err;
};

static int run_pipeline(struct running *, const struct pipeline *, struct spansets *);
static int run_set(struct running *, const struct spanset_expr *, const struct spanset *in,
                   struct spansets *out);

/* ---- sets ---- */

static struct spanset *add_set(struct running *r, struct spansets *l, size_t room)
{
    l->at = arena_grow(r->arena, l->at, l->n, &l->cap, sizeof *l->at);
    struct spanset *s = &l->at[l->n++];
    *s = (struct spanset){ .at = arena_array(r->arena, room, sizeof *s->at) };
    return s;
}

static void drop_empty(struct spansets *l)
{
    if (l->n > 0 && l->at[l->n - 1].n == 0) l->n--;
}

static void add_attr(struct running *r, struct spanset *s, struct str name, struct static_value v)
{
    struct spanset_attr *attrs = arena_array(r->arena, s->n_attrs + 1, sizeof *attrs);
    if (s->n_attrs > 0) memcpy(attrs, s->attrs, s->n_attrs * sizeof *attrs);
    attrs[s->n_attrs] = (struct spanset_attr){ name, v };
    s->attrs = attrs;
    s->n_attrs++;
}

static uint8_t *mark(struct running *r, const struct spansets *l)
{
    uint8_t *in = arena_zero(r->arena, r->ev->tree->n);
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->at[i].n; k++) in[l->at[i].at[k]] = 1;
    return in;
}

/* ---- relations ---- */

/* For each span: does the relation lead from it to a span in `to`? Of its parent, its children, all above,
 * all below, those beside it. */
static void related(struct running *r, enum relation how, const uint8_t *to, uint8_t *out)
{
    const struct span_tree *t = r->ev->tree;
    uint32_t *beside = how == REL_SIBLING ? arena_zero(r->arena, t->n * sizeof *beside) : NULL;

    memset(out, 0, t->n);
    for (size_t i = 0; how == REL_SIBLING && i < t->n; i++)
        if (to[i] && t->parent[i] != SPAN_NOWHERE) beside[t->parent[i]]++;
    for (size_t k = 0; k < t->n; k++) {
        bool upwards = how == REL_ANCESTOR;
        uint32_t i = t->order[upwards ? t->n - 1 - k : k], p = t->parent[i];
        if (p == SPAN_NOWHERE) continue;
        switch (how) {
        case REL_CHILD: out[i] = to[p]; break;
        case REL_DESCENDANT: out[i] = to[p] | out[p]; break;
        case REL_PARENT: out[p] |= to[i]; break;
        case REL_ANCESTOR: out[p] |= to[i] | out[i]; break;
        default: out[i] = beside[p] > to[i]; break;
        }
    }
}

static enum relation reversed(enum relation how)
{
    switch (how) {
    case REL_CHILD: return REL_PARENT;
    case REL_PARENT: return REL_CHILD;
    case REL_DESCENDANT: return REL_ANCESTOR;
    case REL_ANCESTOR: return REL_DESCENDANT;
    default: return how;
    }
}

/* left > right takes those of the right whose parent is of the left. */
static void relate(struct running *r, const struct spanset_expr *x, const uint8_t *left, const uint8_t *right,
                   uint8_t *out)
{
    size_t n = r->ev->tree->n;
    uint8_t *hits = arena_alloc(r->arena, n);

    related(r, x->relation, left, out);
    for (size_t i = 0; i < n; i++) out[i] = right[i] && (out[i] != 0) == (x->mode != MODE_NOT);
    if (x->mode != MODE_UNION) return;
    related(r, reversed(x->relation), right, hits);
    for (size_t i = 0; i < n; i++) out[i] |= left[i] && hits[i];
}

static int run_relation(struct running *r, const struct spanset_expr *x, const struct spanset *in,
                        struct spansets *out)
{
    struct spansets left = { 0 }, right = { 0 };
    int rc;

    if ((rc = run_set(r, x->left, in, &left)) < 0 || (rc = run_set(r, x->right, in, &right)) < 0) return rc;
    if (x->relation == REL_AND && (left.n == 0 || right.n == 0)) return OK;
    uint8_t *a = mark(r, &left), *b = mark(r, &right), *hit = arena_alloc(r->arena, r->ev->tree->n);
    if (x->relation == REL_AND || x->relation == REL_OR)
        for (size_t i = 0; i < r->ev->tree->n; i++) hit[i] = a[i] | b[i];
    else
        relate(r, x, a, b, hit);
    struct spanset *s = add_set(r, out, in->n);
    s->attrs = in->attrs;
    s->n_attrs = in->n_attrs;
    for (size_t i = 0; i < in->n; i++)
        if (hit[in->at[i]]) s->at[s->n++] = in->at[i];
    drop_empty(out);
    return OK;
}

static int run_filter(struct running *r, const struct spanset_expr *x, const struct spanset *in,
                      struct spansets *out)
{
    struct spanset *s = add_set(r, out, in->n);
    s->attrs = in->attrs;
    s->n_attrs = in->n_attrs;
    for (size_t i = 0; i < in->n; i++) {
        if (eval_filter(r->ev, x->filter, in->at[i])) s->at[s->n++] = in->at[i];
        if (i % 1024 == 1023) turns_yield();
        if (i % 1024 == 1023 && call_check(r->call, r->err) < 0) return r->err->code;
    }
    drop_empty(out);
    return OK;
}

static int run_set(struct running *r, const struct spanset_expr *x, const struct spanset *in,
                   struct spansets *out)
{
    struct spansets own = { 0 };
    int rc = call_check(r->call, r->err);

    if (rc < 0) return rc;
    if (x->kind == SPANSET_FILTER) return run_filter(r, x, in, out);
    if (x->kind == SPANSET_RELATION) return run_relation(r, x, in, out);
    *add_set(r, &own, 0) = *in;
    if ((rc = run_pipeline(r, x->pipeline, &own)) < 0) return rc;
    for (size_t i = 0; i < own.n; i++) *add_set(r, out, 0) = own.at[i];
    return OK;
}

/* ---- aggregates ---- */

static const char *const aggregate_names[] = { "count", "avg", "min", "max", "sum" };

static struct static_value fold(struct running *r, const struct scalar_expr *x, const struct spanset *in)
{
    struct static_value best = { .type = STATIC_NIL };
    double sum = 0;
    size_t n = 0;
    bool is_duration = true;

    for (size_t i = 0; i < in->n; i++) {
        struct static_value v = eval_field(r->ev, x->of, in->at[i]);
        double d = static_number(v);
        if (isnan(d)) continue;
        n++;
        sum += d;
        is_duration &= v.type == STATIC_DURATION;
        if (best.type == STATIC_NIL ||
            (x->agg == FOLD_MIN ? d < static_number(best) : d > static_number(best)))
            best = v;
    }
    if (n == 0 || x->agg == FOLD_MIN || x->agg == FOLD_MAX) return best;
    double out = x->agg == FOLD_AVG ? sum / (double)n : sum;
    if (is_duration && fabs(out) < 9.2e18)
        return (struct static_value){ .type = STATIC_DURATION, .i = (int64_t)out };
    return (struct static_value){ .type = STATIC_FLOAT, .d = out };
}

static struct static_value eval_scalar(struct running *r, const struct scalar_expr *x, struct spanset *in)
{
    struct static_value v;
    switch (x->kind) {
    case SCALAR_STATIC: return x->value;
    case SCALAR_BINARY:
        v = eval_scalar(r, x->left, in);
        return static_binary(x->op, v, eval_scalar(r, x->right, in), NULL);
    case SCALAR_AGGREGATE: break;
    }
    v = x->agg == FOLD_COUNT ? (struct static_value){ .type = STATIC_INT, .i = (int64_t)in->n }
                             : fold(r, x, in);
    struct buf name = BUF_INIT(4096);
    buf_printf(&name, "%s(", aggregate_names[x->agg]);
    if (x->of != NULL && x->of->kind == EXPR_REF)
        attr_ref_print(&name, &r->ev->plan->query->attrs[x->of->attr]);
    buf_char(&name, ')');
    add_attr(r, in, arena_str(r->arena, buf_view(&name)), v);
    buf_release(&name);
    return v;
}

static int run_scalar(struct running *r, const struct stage *s, struct spansets *sets)
{
    size_t kept = 0;
    for (size_t i = 0; i < sets->n; i++) {
        struct spanset *in = &sets->at[i];
        struct static_value a = eval_scalar(r, s->left, in), b = eval_scalar(r, s->right, in);
        if (static_compare(s->op, a, b, NULL)) sets->at[kept++] = *in;
        if (call_check(r->call, r->err) < 0) return r->err->code;
    }
    sets->n = kept;
    return OK;
}

/* ---- by() and coalesce() ---- */

static uint64_t hash_static(struct static_value v)
{
    bool is_text = v.type == STATIC_STRING || v.type == STATIC_BYTES;
    uint64_t h = is_text ? hash64(v.s.p, v.s.n) : hash64(&v.i, sizeof v.i);
    return h ^ (uint64_t)v.type * 0x9e3779b97f4a7c15u;
}

static bool same_static(struct static_value a, struct static_value b)
{
    if (a.type != b.type) return false;
    if (a.type == STATIC_STRING || a.type == STATIC_BYTES) return str_eq(a.s, b.s);
    return a.type == STATIC_NIL || a.i == b.i;
}

struct wanted_group {
    const struct static_value *of, v;
};

static bool is_group(void *ctx, uint64_t i)
{
    const struct wanted_group *w = ctx;
    return same_static(w->of[i], w->v);
}

static struct static_value kept(struct running *r, struct static_value v)
{
    if (v.type == STATIC_STRING || v.type == STATIC_BYTES) v.s = arena_str(r->arena, v.s);
    return v;
}

struct grouping {
    struct map map;
    struct static_value *of; /* value of each group */
    size_t n, cap;
    uint32_t *group; /* of each span of the set */
    uint32_t *sizes;
    size_t cap_sizes;
};

static int find_groups(struct running *r, const struct field_expr *by, const struct spanset *in,
                       struct grouping *g)
{
    g->group = arena_array(r->arena, in->n, sizeof *g->group);
    for (size_t i = 0; i < in->n; i++) {
        struct static_value v = eval_field(r->ev, by, in->at[i]);
        uint64_t hash = hash_static(v),
                 *known = map_find(&g->map, hash, is_group, &(struct wanted_group){ g->of, v });
        if (known == NULL) {
            if (g->n == GROUPS_MAX)
                return err_set(r->err, ERR_LIMIT, "by() makes more than %d groups of one trace", GROUPS_MAX);
            g->of = arena_grow(r->arena, g->of, g->n, &g->cap, sizeof *g->of);
            g->sizes = arena_grow(r->arena, g->sizes, g->n, &g->cap_sizes, sizeof *g->sizes);
            g->of[g->n] = kept(r, v);
            g->sizes[g->n] = 0;
            map_add(&g->map, hash, g->n++);
            known = NULL;
        }
        g->group[i] = known != NULL ? (uint32_t)*known : (uint32_t)g->n - 1;
        g->sizes[g->group[i]]++;
    }
    return call_check(r->call, r->err);
}

static struct str name_of_by(struct running *r, const struct field_expr *by)
{
    struct buf b = BUF_INIT(4096);
    buf_cs(&b, "by(");
    if (by->kind == EXPR_REF) attr_ref_print(&b, &r->ev->plan->query->attrs[by->attr]);
    buf_char(&b, ')');
    struct str name = arena_str(r->arena, buf_view(&b));
    buf_release(&b);
    return name;
}

static int group_set(struct running *r, const struct field_expr *by, const struct spanset *in,
                     struct spansets *out)
{
    struct grouping g = { 0 };
    size_t first = out->n;

    map_init(&g.map, 16);
    int rc = find_groups(r, by, in, &g);
    map_release(&g.map);
    if (rc < 0) return rc;
    for (size_t i = 0; i < g.n; i++) {
        struct spanset *s = add_set(r, out, g.sizes[i]);
        s->attrs = in->attrs;
        s->n_attrs = in->n_attrs;
        add_attr(r, s, name_of_by(r, by), g.of[i]);
    }
    for (size_t i = 0; i < in->n; i++) {
        struct spanset *s = &out->at[first + g.group[i]];
        s->at[s->n++] = in->at[i];
    }
    return OK;
}

static int run_by(struct running *r, const struct stage *s, struct spansets *sets)
{
    struct spansets out = { 0 };
    for (size_t i = 0; i < sets->n; i++) {
        int rc = group_set(r, s->by, &sets->at[i], &out);
        if (rc < 0) return rc;
    }
    *sets = out;
    return OK;
}

static void run_coalesce(struct running *r, struct spansets *sets)
{
    uint8_t *in = mark(r, sets);
    struct spansets out = { 0 };
    struct spanset *s = add_set(r, &out, r->ev->tree->n);
    for (uint32_t i = 0; i < r->ev->tree->n; i++)
        if (in[i]) s->at[s->n++] = i;
    drop_empty(&out);
    *sets = out;
}

/* ---- pipelines ---- */

static int run_stage(struct running *r, const struct stage *s, struct spansets *sets)
{
    struct spansets out = { 0 };
    switch (s->kind) {
    case STAGE_SCALAR: return run_scalar(r, s, sets);
    case STAGE_BY: return run_by(r, s, sets);
    case STAGE_COALESCE: run_coalesce(r, sets); return OK;
    case STAGE_SELECT: return OK;
    case STAGE_SPANSET: break;
    }
    for (size_t i = 0; i < sets->n; i++) {
        int rc = run_set(r, s->spanset, &sets->at[i], &out);
        if (rc < 0) return rc;
    }
    *sets = out;
    return OK;
}

static int run_pipeline(struct running *r, const struct pipeline *p, struct spansets *sets)
{
    int rc = OK;
    for (const struct stage *s = p->first; s != NULL && sets->n > 0 && rc == OK; s = s->next)
        rc = run_stage(r, s, sets);
    return rc;
}

int spansets_run(struct evaluation *ev, struct call *call, struct spansets *out, struct err *e)
{
    struct running r = { ev, call, call->arena, e };

    *out = (struct spansets){ 0 };
    struct spanset *all = add_set(&r, out, ev->tree->n);
    for (uint32_t i = 0; i < ev->tree->n; i++) all->at[all->n++] = i;
    return run_pipeline(&r, &ev->plan->query->pipeline, out);
}
