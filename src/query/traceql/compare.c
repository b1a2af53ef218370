/* compare.c - see compare.h. Whole spans are read, so this is the dearest of the metrics. */
#include "query/traceql/compare.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"

#define ENTRIES_MAX 20000 /* values counted, of all attributes */
#define TEXT_MAX    1024  /* longer values are no category of anything */

enum side { BASELINE, SELECTION };

struct entry { /* one value of one attribute; value nil: all of the attribute */
    struct str name;
    struct static_value value;
    uint32_t *counts[2]; /* by step; of BASELINE, SELECTION */
    uint64_t total[2];
};

struct comparing {
    const struct metrics_ask *ask;
    const struct metrics *m;
    const struct plan *plan;
    struct metrics_made *out;
    struct arena *arena;
    struct call *call;
    struct evaluation ev;
    const struct value **columns; /* one row */
    struct value *row;
    struct entry *at;
    size_t n, cap;
    struct map map;
    struct err *err;
};

/* ---- counting ---- */

struct wanted {
    const struct entry *at;
    struct str name;
    struct static_value value;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted *w = ctx;
    const struct entry *e = &w->at[i];
    if (e->value.type != w->value.type || !str_eq(e->name, w->name)) return false;
    if (e->value.type == STATIC_STRING) return str_eq(e->value.s, w->value.s);
    return e->value.type == STATIC_NIL || e->value.i == w->value.i;
}

static struct entry *new_entry(struct comparing *c, struct str name, struct static_value v)
{
    size_t bytes = c->out->steps * sizeof(uint32_t);
    if (c->n == ENTRIES_MAX || !arena_fits(c->arena, 2 * bytes)) {
        c->out->warning = STR("more values of attributes than are compared; the later ones are left out");
        return NULL;
    }
    c->at = arena_grow(c->arena, c->at, c->n, &c->cap, sizeof *c->at);
    struct entry *e = &c->at[c->n++];
    *e = (struct entry){ .name = arena_str(c->arena, name), .value = v };
    if (v.type == STATIC_STRING) e->value.s = arena_str(c->arena, v.s);
    e->counts[BASELINE] = arena_zero(c->arena, bytes);
    e->counts[SELECTION] = arena_zero(c->arena, bytes);
    return e;
}

static void count_one(struct comparing *c, struct str name, struct static_value v, enum side side,
                      size_t step)
{
    uint64_t hash = hash64(name.p, name.n) * 3 + (uint64_t)v.type;
    hash ^= v.type == STATIC_STRING ? hash64(v.s.p, v.s.n)
            : v.type == STATIC_NIL  ? 0
                                    : hash64(&v.i, sizeof v.i);
    uint64_t *known = map_find(&c->map, hash, is_wanted, &(struct wanted){ c->at, name, v });
    struct entry *e = known != NULL ? &c->at[*known] : new_entry(c, name, v);
    if (e == NULL) return;
    if (known == NULL) map_add(&c->map, hash, c->n - 1);
    e->counts[side][step]++;
    e->total[side]++;
}

static void count(struct comparing *c, struct str name, struct static_value v, enum side side, size_t step)
{
    if (v.type == STATIC_NIL || (v.type == STATIC_STRING && v.s.n > TEXT_MAX)) return;
    count_one(c, name, v, side, step);
    count_one(c, name, (struct static_value){ .type = STATIC_NIL }, side, step);
}

static struct static_value as_static(struct value v)
{
    switch (v.type) {
    case VALUE_STR:
    case VALUE_JSON: return (struct static_value){ .type = STATIC_STRING, .s = v.text };
    case VALUE_INT: return (struct static_value){ .type = STATIC_INT, .i = v.i };
    case VALUE_BOOL: return (struct static_value){ .type = STATIC_BOOL, .i = v.i };
    case VALUE_DOUBLE: return (struct static_value){ .type = STATIC_FLOAT, .d = v.d };
    default: return (struct static_value){ .type = STATIC_NIL };
    }
}

static void count_attrs(struct comparing *c, const char *scope, struct attrs attrs, enum side side,
                        size_t step)
{
    char name[256];
    for (size_t i = 0; i < attrs.n; i++) {
        int n = snprintf(name, sizeof name, "%s.%.*s", scope, (int)MIN(attrs.at[i].name.n, (size_t)200),
                         attrs.at[i].name.p);
        count(c, str_make(name, (size_t)n), as_static(attrs.at[i].value), side, step);
    }
}

static void count_span(struct comparing *c, const struct record *r, enum side side, size_t step)
{
    struct static_value status = { .type = STATIC_STATUS, .i = r->span.status };
    struct static_value kind = { .type = STATIC_KIND, .i = r->span.kind };
    struct static_value name = { .type = STATIC_STRING, .s = r->span.name };

    count(c, STR("name"), name, side, step);
    count(c, STR("status"), status, side, step);
    count(c, STR("kind"), kind, side, step);
    count_attrs(c, "resource", r->origin->resource, side, step);
    count_attrs(c, "span", r->attrs, side, step);
}

/* ---- spans ---- */

static bool is_selected(struct comparing *c, int64_t time_ns)
{
    if (c->m->from_ns != 0 && time_ns < c->m->from_ns) return false;
    if (c->m->to_ns != 0 && time_ns > c->m->to_ns) return false;
    return eval_filter(&c->ev, c->m->selection, 0);
}

static int take_records(void *ctx, const struct record_rows *rows)
{
    struct comparing *c = ctx;
    c->out->stats.spans += rows->n;
    for (size_t i = 0; i < rows->n; i++) {
        const struct record *r = &rows->records[i];
        int64_t after = r->time_ns - c->ask->from_ns;
        size_t step = (size_t)((after - 1) / c->ask->step_ns);
        if (after <= 0 || step >= c->out->steps) continue;
        for (size_t f = 0; f < c->plan->n_fields; f++)
            c->row[f] = record_value(r, TABLE_SPANS, c->plan->fields[f]);
        c->ev.time_ns = &rows->time_ns[i];
        if (eval_local(&c->ev, 0)) count_span(c, r, is_selected(c, r->time_ns) ? SELECTION : BASELINE, step);
    }
    return call_check(c->call, c->err);
}

/* ---- series ---- */

static void add_series(struct comparing *c, const struct entry *e, enum side side, size_t *cap)
{
    static const char *const types[2][2] = { { "baseline", "selection" },
                                             { "baseline_total", "selection_total" } };
    struct metrics_made *m = c->out;

    m->series = arena_grow(c->arena, m->series, m->n, cap, sizeof *m->series);
    struct span_series *s = &m->series[m->n++];
    *s = (struct span_series){ .labels = arena_array(c->arena, 2, sizeof *s->labels), .n_labels = 2 };
    const char *type = types[e->value.type == STATIC_NIL][side];
    s->labels[0] = (struct traceql_attr){ STR("__meta_type"), { .type = STATIC_STRING, .s = str_of(type) } };
    s->labels[1] = (struct traceql_attr){ e->name, e->value };
    s->values = arena_array(c->arena, m->steps, sizeof *s->values);
    for (size_t step = 0; step < m->steps; step++) s->values[step] = e->counts[side][step];
}

static int by_name_then_selection(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    int by_name = str_cmp(a->name, b->name);
    if (by_name != 0) return by_name;
    if (a->total[SELECTION] != b->total[SELECTION]) return a->total[SELECTION] > b->total[SELECTION] ? -1 : 1;
    return (a->total[BASELINE] < b->total[BASELINE]) - (a->total[BASELINE] > b->total[BASELINE]);
}

/* Of each attribute its total and the values most frequent in the selection. */
static void make_series(struct comparing *c)
{
    size_t cap = 0;
    int64_t shown = 0;

    if (c->n > 1) qsort(c->at, c->n, sizeof *c->at, by_name_then_selection);
    for (size_t i = 0; i < c->n; i++) {
        const struct entry *e = &c->at[i];
        if (i == 0 || !str_eq(e->name, e[-1].name)) shown = 0;
        if (e->value.type != STATIC_NIL && shown++ >= c->m->top) continue;
        for (int side = BASELINE; side <= SELECTION; side++)
            if (e->total[side] > 0) add_series(c, e, (enum side)side, &cap);
    }
}

int traceql_compare(struct store_view *view, struct call *call, const struct metrics_ask *ask,
                    const struct plan *plan, struct metrics_made *out, struct err *e)
{
    struct comparing c = { .ask = ask,
                           .m = &ask->query->metrics,
                           .plan = plan,
                           .out = out,
                           .arena = call->arena,
                           .call = call,
                           .err = e };
    struct arena scratch = ARENA_INIT(call->arena->budget / 2);
    struct call own = *call;
    struct record_scan scan = {
        .table = TABLE_SPANS, .from_ns = ask->from_ns, .to_ns = ask->to_ns, .where = plan->candidates
    };

    if (!plan->is_local)
        return err_set(e, ERR_UNSUPPORTED,
                       "compare() of spans chosen by the structure of their traces is not supported");
    own.arena = &scratch;
    c.row = arena_array(call->arena, plan->n_fields, sizeof *c.row);
    c.columns = arena_array(call->arena, plan->n_fields, sizeof *c.columns);
    for (size_t f = 0; f < plan->n_fields; f++) c.columns[f] = &c.row[f];
    c.ev.plan = plan;
    c.ev.values = c.columns;
    map_init(&c.map, 1024);
    int rc = view_records(view, &own, &scan, take_records, &c, e);
    if (rc == OK) make_series(&c);
    evaluation_release(&c.ev);
    map_release(&c.map);
    arena_release(&scratch);
    return rc;
}
