/* toy_store.c - see toy_store.h. */
#include "unit/query/promql/toy_store.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

struct toy_series {
    struct labels labels;
    size_t n, cap, cap_v, cap_h, cap_s;
    int64_t *time_ms;
    double *value;
    struct histogram **hist;
    int64_t *start_ms;
    bool has_hists;
};

struct toy {
    struct store store;
    struct arena arena;
    struct toy_series *series;
    size_t n, cap;
};

struct toy_view {
    struct store_view view;
};

static struct toy *toy_of(struct store *s)
{
    return (struct toy *)s;
}

static struct toy_series *toy_series_of(struct toy *t, struct labels l)
{
    for (size_t i = 0; i < t->n; i++)
        if (labels_eq(t->series[i].labels, l)) return &t->series[i];
    t->series = arena_grow(&t->arena, t->series, t->n, &t->cap, sizeof *t->series);
    struct toy_series *s = &t->series[t->n++];
    struct label *at = arena_array(&t->arena, l.n, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(&t->arena, l.at[i].name), arena_str(&t->arena, l.at[i].value) };
    *s = (struct toy_series){ .labels = { at, l.n } };
    return s;
}

static void toy_make_room(struct toy *t, struct toy_series *s)
{
    struct arena *a = &t->arena;
    s->time_ms = arena_grow(a, s->time_ms, s->n, &s->cap, sizeof *s->time_ms);
    s->value = arena_grow(a, s->value, s->n, &s->cap_v, sizeof *s->value);
    s->hist = arena_grow(a, s->hist, s->n, &s->cap_h, sizeof *s->hist);
    s->start_ms = arena_grow(a, s->start_ms, s->n, &s->cap_s, sizeof *s->start_ms);
}

void toy_store_add(struct store *store, struct labels l, int64_t time_ms, double value,
                   const struct histogram *h, int64_t start_ms)
{
    struct toy *t = toy_of(store);
    struct toy_series *s = toy_series_of(t, l);
    size_t at = s->n;

    while (at > 0 && s->time_ms[at - 1] >= time_ms) at--;
    if (at == s->n || s->time_ms[at] != time_ms) {
        toy_make_room(t, s);
        for (size_t i = s->n++; i > at; i--) {
            s->time_ms[i] = s->time_ms[i - 1];
            s->value[i] = s->value[i - 1];
            s->hist[i] = s->hist[i - 1];
            s->start_ms[i] = s->start_ms[i - 1];
        }
    }
    s->time_ms[at] = time_ms;
    s->value[at] = h ? h->sum : value;
    s->hist[at] = h ? histogram_copy(h, &t->arena) : NULL;
    s->start_ms[at] = start_ms;
    s->has_hists |= h != NULL;
}

static uint64_t toy_caps(struct store *s)
{
    (void)s;
    return 0;
}

static void toy_close(struct store *s)
{
    arena_release(&toy_of(s)->arena);
    mem_free(s);
}

static int toy_write(struct store *s, const struct batch *b, enum store_ack ack, struct write_result *result,
                     store_done *done, void *ctx, struct err *e)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    (void)ack;
    *result = (struct write_result){ 0 };
    for (size_t i = 0; i < b->n_series; i++) {
        const struct batch_series *bs = &b->series[i];
        struct labels l;
        if (labels_from(b->spelling, bs->raw, &a, &l, e) < 0) continue;
        for (size_t r = bs->row; r < bs->row + bs->n_rows; r++)
            toy_store_add(s, l, b->time_ms[r], b->value[r], b->hist ? b->hist[r] : NULL,
                          b->start_ms ? b->start_ms[r] : 0);
        result->samples += bs->n_rows;
    }
    arena_release(&a);
    if (done) done(ctx, OK);
    return OK;
}

static int toy_view_open(struct store *s, int64_t from_ms, int64_t to_ms, struct store_view **out,
                         struct err *e)
{
    (void)from_ms, (void)to_ms, (void)e;
    struct toy_view *v = mem_alloc_zero(sizeof *v);
    v->view.store = s;
    *out = &v->view;
    return OK;
}

static void toy_view_close(struct store_view *v)
{
    mem_free(v);
}

static int toy_select(struct store_view *v, struct call *c, const struct matcher *m, size_t n, size_t limit,
                      struct series_set *out, struct err *e)
{
    struct toy *t = toy_of(v->store);
    (void)e, (void)limit;
    *out = (struct series_set){ arena_array(c->arena, t->n, sizeof *out->at), 0, false };
    for (size_t i = 0; i < t->n; i++)
        if (matchers_match(m, n, t->series[i].labels))
            out->at[out->n++] = (struct series_ref){ i, t->series[i].labels };
    return OK;
}

static int toy_scan(struct store_view *v, struct call *c, const struct series_ref *refs, size_t n,
                    int64_t from_ms, int64_t to_ms, series_sink *sink, void *ctx, struct err *e)
{
    struct toy *t = toy_of(v->store);
    for (size_t i = 0; i < n; i++) {
        const struct toy_series *s = &t->series[refs[i].id];
        size_t lo = 0, hi = s->n;
        while (lo < s->n && s->time_ms[lo] < from_ms) lo++;
        while (hi > lo && s->time_ms[hi - 1] > to_ms) hi--;
        struct series_rows rows = {
            i, hi - lo, s->time_ms + lo, s->value + lo, s->has_hists ? s->hist + lo : NULL, s->start_ms + lo
        };
        int rc = sink(ctx, &rows);
        if (rc < 0 || (rc = call_check(c, e)) < 0) return rc;
    }
    return OK;
}

static const struct store_ops toy_ops = {
    .caps = toy_caps,
    .close = toy_close,
    .write = toy_write,
    .view_open = toy_view_open,
    .view_close = toy_view_close,
    .series = toy_select,
    .scan = toy_scan,
};

struct store *toy_store_new(void)
{
    struct toy *t = mem_alloc_zero(sizeof *t);
    t->store.ops = &toy_ops;
    t->arena.budget = SIZE_MAX;
    return &t->store;
}

void toy_store_clear(struct store *s)
{
    struct toy *t = toy_of(s);
    arena_release(&t->arena);
    t->series = NULL;
    t->n = t->cap = 0;
}
