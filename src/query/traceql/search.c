/* search.c - traces that match, newest first, each with the first spans of its sets. */
#include <stdlib.h>

#include "base/check.h"
#include "query/traceql/traceql.h"

struct searching {
    const struct search_ask *ask;
    struct search_found *found;
    struct arena *arena;
};

static struct str keep_text(struct searching *s, struct value v)
{
    return v.type == VALUE_STR ? arena_str(s->arena, v.text) : STR("");
}

static struct static_value keep(struct searching *s, struct static_value v)
{
    if (v.type == STATIC_STRING || v.type == STATIC_BYTES) v.s = arena_str(s->arena, v.s);
    return v;
}

static struct str name_of(struct searching *s, const struct attr_ref *a)
{
    struct buf b = BUF_INIT(4096);
    if (a->scope == SCOPE_INTRINSIC || a->of_parent)
        attr_ref_print(&b, a);
    else
        buf_str(&b, a->name);
    struct str name = arena_str(s->arena, buf_view(&b));
    buf_release(&b);
    return name;
}

/* ---- spans ---- */

static const struct value *cell(const struct evaluation *ev, size_t column, uint32_t span)
{
    return &ev->values[column][ev->tree->rows[span]];
}

static int64_t start_of(const struct evaluation *ev, uint32_t span)
{
    return ev->time_ns[ev->tree->rows[span]];
}

static bool is_shown_elsewhere(const struct attr_ref *a)
{
    return a->scope == SCOPE_INTRINSIC &&
           (a->intrinsic == SPAN_NAME || a->intrinsic == SPAN_DURATION || a->intrinsic == SPAN_ID ||
            a->intrinsic == SPAN_IS_ROOT || a->intrinsic == TRACE_ID);
}

static void add_attrs(struct searching *s, struct evaluation *ev, uint32_t span, struct found_span *f)
{
    const struct traceql_query *q = s->ask->query;
    f->attrs = arena_array(s->arena, q->n_attrs, sizeof *f->attrs);
    for (uint32_t i = 0; i < q->n_attrs; i++) {
        if (q->attrs[i].uses == 0 || is_shown_elsewhere(&q->attrs[i])) continue;
        struct static_value v = eval_attr(ev, i, span);
        if (v.type == STATIC_NIL) continue;
        f->attrs[f->n_attrs++] = (struct traceql_attr){ name_of(s, &q->attrs[i]), keep(s, v) };
    }
}

static void add_span(struct searching *s, struct evaluation *ev, uint32_t span, struct found_span *f)
{
    const struct value *id = cell(ev, PLAN_SPAN_ID, span);
    *f = (struct found_span){ .name = keep_text(s, *cell(ev, PLAN_NAME, span)),
                              .start_ns = start_of(ev, span),
                              .duration_ns = cell(ev, PLAN_DURATION, span)->i };
    if (id->type == VALUE_BYTES && id->text.n == 8) memcpy(f->id, id->text.p, 8);
    add_attrs(s, ev, span, f);
}

/* The earliest few of a set, by insertion: few are asked for. */
static size_t earliest(const struct evaluation *ev, const struct spanset *set, uint32_t *out, size_t want)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++) {
        int64_t start = start_of(ev, set->at[i]);
        if (n == want && start >= start_of(ev, out[n - 1])) continue;
        size_t k = n < want ? n++ : n - 1;
        for (; k > 0 && start_of(ev, out[k - 1]) > start; k--) out[k] = out[k - 1];
        out[k] = set->at[i];
    }
    return n;
}

static void add_set(struct searching *s, struct evaluation *ev, const struct spanset *from,
                    struct found_set *to)
{
    size_t want = s->ask->spans_per_set > 0 ? s->ask->spans_per_set : 3;
    uint32_t *first = arena_array(s->arena, MIN(want, from->n), sizeof *first);

    *to = (struct found_set){ .matched = from->n, .n_attrs = from->n_attrs };
    to->n = earliest(ev, from, first, MIN(want, from->n));
    to->spans = arena_array(s->arena, to->n, sizeof *to->spans);
    for (size_t i = 0; i < to->n; i++) add_span(s, ev, first[i], &to->spans[i]);
    to->attrs = arena_array(s->arena, from->n_attrs, sizeof *to->attrs);
    for (size_t i = 0; i < from->n_attrs; i++)
        to->attrs[i] =
            (struct traceql_attr){ arena_str(s->arena, from->attrs[i].name), keep(s, from->attrs[i].value) };
}

/* ---- traces ---- */

static void count_services(struct searching *s, const struct evaluation *ev, struct found_trace *t)
{
    t->services = arena_array(s->arena, SERVICES_MAX, sizeof *t->services);
    for (uint32_t i = 0; i < ev->tree->n; i++) {
        const struct value *name = cell(ev, PLAN_SERVICE, i);
        size_t k = 0;
        if (name->type != VALUE_STR) continue;
        while (k < t->n_services && !str_eq(t->services[k].service, name->text)) k++;
        if (k == SERVICES_MAX) continue;
        if (k == t->n_services)
            t->services[t->n_services++] = (struct service_count){ keep_text(s, *name), 0, 0 };
        t->services[k].spans++;
        t->services[k].errors += cell(ev, PLAN_STATUS, i)->i == 2;
    }
}

static int take_trace(void *ctx, struct evaluation *ev, const struct spansets *sets, struct err *e)
{
    struct searching *s = ctx;
    struct search_found *f = s->found;
    const struct span_tree *tree = ev->tree;
    int64_t lasts = tree->end_ns - tree->start_ns;

    if (lasts < s->ask->min_ns || (s->ask->max_ns > 0 && lasts > s->ask->max_ns)) return OK;
    f->at = arena_grow(s->arena, f->at, f->n, &f->cap, sizeof *f->at);
    struct found_trace *t = &f->at[f->n++];
    *t = (struct found_trace){ .root_service = keep_text(s, *cell(ev, PLAN_SERVICE, tree->root)),
                               .root_name = keep_text(s, *cell(ev, PLAN_NAME, tree->root)),
                               .start_ns = tree->start_ns,
                               .duration_ns = lasts };
    memcpy(t->id, cell(ev, PLAN_TRACE_ID, 0)->text.p, 16);
    count_services(s, ev, t);
    t->sets = arena_array(s->arena, sets->n, sizeof *t->sets);
    for (size_t i = 0; i < sets->n; i++) add_set(s, ev, &sets->at[i], &t->sets[t->n_sets++]);
    if (arena_over(s->arena))
        return err_set(e, ERR_LIMIT, "the answer needs more memory than a query may take");
    return f->n >= (s->ask->limit > 0 ? s->ask->limit : 20) ? 1 : OK;
}

static int newest_first(const void *x, const void *y)
{
    const struct found_trace *a = x, *b = y;
    return (a->start_ns < b->start_ns) - (a->start_ns > b->start_ns);
}

int traceql_search(struct store_view *view, struct call *call, const struct search_ask *ask,
                   struct search_found *out, struct err *e)
{
    struct searching s = { ask, out, call->arena };
    struct plan plan;
    int rc;

    *out = (struct search_found){ 0 };
    if (ask->query->metrics.kind != METRIC_NONE)
        return err_set(e, ERR_EXEC, "this query makes series; ask for it at /api/metrics/query_range");
    if ((rc = plan_make(&plan, ask->query, call->arena, e)) < 0) return rc;
    rc = run_traces(view, call, &plan, ask->from_ns, ask->to_ns, ask->limit > 0 ? ask->limit : 20, take_trace,
                    &s, &out->stats, e);
    if (rc == OK && out->n > 1) qsort(out->at, out->n, sizeof *out->at, newest_first);
    return rc;
}
