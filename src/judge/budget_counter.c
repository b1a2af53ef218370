/* budget_counter.c - see budget_counter.h.
 *
 * Series are read from an hour before the window on, as most are written every few seconds; those whose first
 * value then lies within the window are looked for again further back, since a counter that is written on
 * events only may have been silent for days. */
#include "judge/budget_counter.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"

#define NEAR_MS INT64_C(3600000)
#define FAR_MS  (INT64_C(35) * 24 * 3600000)
#define LARGEST 9.0e18

struct one { /* series */
    int64_t base, grew;
    bool has_base, has_rows, is_young; /* young: begun within the window, as far as was looked */
};

struct reader {
    const struct counter_ask *ask;
    struct one *at;
    const size_t *place; /* of the refs that are scanned now; NULL: as they are */
};

static int64_t units(const struct counter_ask *ask, double v)
{
    double scaled = v * (ask->scale != 0 ? ask->scale : 1);
    return scaled >= LARGEST ? INT64_MAX : scaled <= 0 ? 0 : llround(scaled);
}

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static void take_value(struct one *o, int64_t v)
{
    if (o->has_base) o->grew = add(o->grew, v >= o->base ? v - o->base : v);
    o->base = v;
    o->has_base = true;
}

static int take_rows(void *ctx, const struct series_rows *rows)
{
    struct reader *r = ctx;
    struct one *o = &r->at[r->place != NULL ? r->place[rows->series] : rows->series];
    for (size_t i = 0; i < rows->n; i++) {
        if (isnan(rows->value[i]) || (rows->hist != NULL && rows->hist[i] != NULL))
            continue; /* stale markers */
        int64_t v = units(r->ask, rows->value[i]);
        if (rows->time_ms[i] <= r->ask->from_ms) {
            o->base = v;
            o->has_base = true;
        } else {
            if (!o->has_base) o->is_young = true;
            take_value(o, v);
        }
        o->has_rows = true;
    }
    return OK;
}

/* Young series once more, from further back. */
static int look_back(struct store_view *view, struct call *call, const struct series_set *set,
                     struct reader *r, struct err *e)
{
    struct series_ref *refs = arena_array(call->arena, set->n + 1, sizeof *refs);
    size_t *place = arena_array(call->arena, set->n + 1, sizeof *place);
    struct one *again = arena_zero(call->arena, (set->n + 1) * sizeof *again);
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++)
        if (r->at[i].is_young) {
            refs[n] = set->at[i];
            place[n++] = i;
        }
    if (n == 0) return OK;
    struct reader far = { r->ask, again, place };
    int rc = view_scan(view, call, refs, n, r->ask->from_ms - FAR_MS, r->ask->to_ms, take_rows, &far, e);
    for (size_t i = 0; i < n && rc == OK; i++) r->at[place[i]] = again[place[i]];
    return rc;
}

/* ---- groups ---- */

struct groups {
    struct counter_growth *g;
    size_t cap;
    struct str wanted;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct groups *s = ctx;
    return str_eq(s->g->at[i].value, s->wanted);
}

static int most_first(const void *x, const void *y)
{
    const struct counter_group *a = x, *b = y;
    return a->grew != b->grew ? (a->grew < b->grew ? 1 : -1) : str_cmp(a->value, b->value);
}

static void sum_up(const struct counter_ask *ask, const struct series_set *set, const struct one *at,
                   struct arena *a, struct counter_growth *g)
{
    struct groups s = { .g = g };
    struct map map;
    map_init(&map, 64);
    for (size_t i = 0; i < set->n; i++) {
        if (!at[i].has_rows) continue;
        s.wanted = ask->by != NULL ? labels_get(set->at[i].labels, ask->by) : STR("");
        uint64_t hash = hash64(s.wanted.p, s.wanted.n);
        const uint64_t *known = map_find(&map, hash, is_wanted, &s);
        size_t k = known != NULL ? (size_t)*known : g->n;
        if (known == NULL) {
            g->at = arena_grow(a, g->at, g->n, &s.cap, sizeof *g->at);
            g->at[g->n++] = (struct counter_group){ s.wanted, 0 };
            map_add(&map, hash, k);
        }
        g->at[k].grew = add(g->at[k].grew, at[i].grew);
        g->total = add(g->total, at[i].grew);
        g->is_known = true;
    }
    map_release(&map);
    if (g->n > 1) qsort(g->at, g->n, sizeof *g->at, most_first);
}

static int find_series(struct store_view *view, struct call *call, const struct counter_ask *ask,
                       struct series_set *set, struct err *e)
{
    struct matcher m[COUNTER_MATCHES_MAX + 1];
    int rc = matcher_init(&m[0], MATCH_EQ, STR(LABEL_NAME), str_of(ask->name), e);
    for (size_t i = 0; i < ask->n_match && rc == OK; i++)
        rc = matcher_init(&m[i + 1], MATCH_EQ, ask->match[i].name, ask->match[i].value, e);
    return rc < 0 ? rc : view_series(view, call, m, ask->n_match + 1, 0, set, e); /* MATCH_EQ holds nothing */
}

int counter_growth(struct store *store, struct call *call, const struct counter_ask *ask,
                   struct counter_growth *g, struct err *e)
{
    struct store_view *view;
    struct series_set set = { 0 };
    check(ask->n_match <= COUNTER_MATCHES_MAX);
    *g = (struct counter_growth){ 0 };
    int rc = store_view_open(store, ask->from_ms - FAR_MS, ask->to_ms, &view, e);
    if (rc < 0) return rc;
    rc = find_series(view, call, ask, &set, e);
    if (rc == OK && set.n > 0) {
        struct reader r = { ask, arena_zero(call->arena, set.n * sizeof *r.at), NULL };
        rc = view_scan(view, call, set.at, set.n, ask->from_ms - NEAR_MS, ask->to_ms, take_rows, &r, e);
        if (rc == OK) rc = look_back(view, call, &set, &r, e);
        if (rc == OK) sum_up(ask, &set, r.at, call->arena, g);
    }
    store_view_close(view);
    return rc;
}
