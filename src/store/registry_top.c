/* registry_top.c - what there is most of, for the status page: a small heap holds the largest so far. */
#include <stdlib.h>

#include "base/check.h"
#include "store/series_table.h"

#define TOP_MAX     10000
#define CHECK_EVERY 4096

struct top {
    struct name_count *at; /* a heap, the least on top */
    size_t n, limit;
};

static bool is_less(const struct name_count *a, const struct name_count *b)
{
    return a->n != b->n ? a->n < b->n : str_cmp(a->name, b->name) > 0;
}

static void swap(struct name_count *a, struct name_count *b)
{
    struct name_count c = *a;
    *a = *b;
    *b = c;
}

static void sift_down(struct top *t)
{
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < t->n; child++)
            if (is_less(&t->at[child], &t->at[least])) least = child;
        if (least == i) return;
        swap(&t->at[i], &t->at[least]);
        i = least;
    }
}

static void sift_up(struct top *t)
{
    for (size_t i = t->n - 1; i > 0 && is_less(&t->at[i], &t->at[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&t->at[i], &t->at[(i - 1) / 2]);
}

/* Whether offer() would keep it: asked first, so that names are only built for winners. */
static bool top_wants(const struct top *t, uint64_t n)
{
    return t->n < t->limit || n >= t->at[0].n;
}

static void offer(struct top *t, struct str name, uint64_t n)
{
    struct name_count c = { name, n };
    if (t->n < t->limit) {
        t->at[t->n++] = c;
        sift_up(t);
    } else if (is_less(&t->at[0], &c)) {
        t->at[0] = c;
        sift_down(t);
    }
}

static int largest_first(const void *a, const void *b)
{
    return is_less(a, b) ? 1 : is_less(b, a) ? -1 : 0;
}

/* ---- what can be counted ---- */

static void metric_series(const struct series_table *t, struct top *top, uint32_t pair, struct arena *a)
{
    struct label l = label_pool_label(&t->labels, pair);
    (void)a;
    if (str_is(l.name, LABEL_NAME)) offer(top, l.value, table_postings(t, pair)->n);
}

static void pair_series(const struct series_table *t, struct top *top, uint32_t pair, struct arena *a)
{
    uint64_t n = table_postings(t, pair)->n;
    if (!top_wants(top, n)) return;
    struct label l = label_pool_label(&t->labels, pair);
    offer(top, arena_printf(a, "%.*s=%.*s", STR_ARG(l.name), STR_ARG(l.value)), n);
}

static void name_values(const struct series_table *t, struct top *top, uint32_t name_no, struct arena *a)
{
    const struct pool_name *name = label_pool_name_at(&t->labels, name_no);
    (void)a;
    offer(top, str_make(name->text, name->len), name->n_pairs);
}

static void name_bytes(const struct series_table *t, struct top *top, uint32_t name_no, struct arena *a)
{
    const struct pool_name *name = label_pool_name_at(&t->labels, name_no);
    uint64_t bytes = 0;
    (void)a;
    for (uint32_t i = 0; i < name->n_pairs; i++) bytes += label_pool_pair_at(&t->labels, name->pairs[i])->len;
    offer(top, str_make(name->text, name->len), bytes);
}

static const struct counter {
    const char *what;
    bool by_name; /* visits names, not pairs */
    void (*count)(const struct series_table *, struct top *, uint32_t no, struct arena *);
} counters[] = {
    { "series_by_metric", false, metric_series },
    { "series_by_pair", false, pair_series },
    { "values_by_label", true, name_values },
    { "bytes_by_label", true, name_bytes },
};

static int count_all(const struct series_table *t, const struct counter *c, struct top *top,
                     struct call *call, struct err *e)
{
    uint32_t n = c->by_name ? t->labels.n_names : t->labels.n_pairs;
    for (uint32_t i = 0; i < n; i++) {
        int rc = i % CHECK_EVERY == 0 ? call_check(call, e) : OK;
        if (rc < 0) return rc;
        c->count(t, top, i, call->arena);
    }
    for (size_t i = 0; i < top->n; i++) top->at[i].name = arena_str(call->arena, top->at[i].name);
    return OK;
}

int registry_top(const struct registry *r, struct call *call, const char *what, size_t limit,
                 struct name_count **out, size_t *n_out, struct err *e)
{
    limit = limit == 0 ? TOP_MAX : MIN(limit, TOP_MAX);
    for (size_t i = 0; i < COUNT(counters); i++) {
        if (!str_is(str_of(what), counters[i].what)) continue;
        struct top top = { arena_array(call->arena, limit, sizeof *top.at), 0, limit };
        registry_read_lock(r);
        int rc = count_all(&r->t, &counters[i], &top, call, e);
        registry_unlock(r);
        qsort(top.at, top.n, sizeof *top.at, largest_first);
        *out = top.at;
        *n_out = rc < 0 ? 0 : top.n;
        return rc;
    }
    return err_set(e, ERR_RANGE, "cannot count \"%s\"", what);
}
