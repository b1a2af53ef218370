/* labels.c - label names and values of a view: sorted, unique, over all its days.
 *
 * Without matchers the indexes know the answer; with matchers the matching series are looked up and their
 * labels read. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/view.h"

#define CHECK_EVERY 1024

struct collected {
    struct call *call;
    struct str *at; /* arena */
    size_t n, cap;
    struct map seen; /* hash -> index */
};

struct same {
    const struct collected *c;
    struct str s;
};
static bool same_str(void *ctx, uint64_t index)
{
    const struct same *x = ctx;
    return str_eq(x->c->at[index], x->s);
}

static void add(struct collected *c, struct str s)
{
    struct same same = { c, s };
    uint64_t hash = hash64(s.p, s.n);
    if (map_find(&c->seen, hash, same_str, &same) != NULL) return;
    c->at = arena_grow(c->call->arena, c->at, c->n, &c->cap, sizeof c->at[0]);
    map_add(&c->seen, hash, c->n);
    c->at[c->n++] = s;
}

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* ---- without matchers: the indexes' own lists. name.p == NULL: names ---- */

static int add_registry(struct collected *c, const struct view *v, uint32_t day, struct str name,
                        struct err *e)
{
    struct str *found;
    size_t n;
    int rc = name.p ? registry_label_values(v->s->registry, day, name, c->call, &found, &n, e)
                    : registry_label_names(v->s->registry, day, c->call, &found, &n, e);
    for (size_t i = 0; rc == OK && i < n; i++) add(c, found[i]);
    return rc;
}

static int add_index(struct collected *c, const struct day_index *x, struct str name, struct err *e)
{
    struct str *found;
    size_t n;
    int rc = name.p ? day_index_label_values(x, name, c->call, &found, &n, e)
                    : day_index_label_names(x, c->call, &found, &n, e);
    for (size_t i = 0; rc == OK && i < n; i++) add(c, found[i]);
    return rc;
}

static int collect_days(struct collected *c, const struct view *v, const struct version *now, struct str name,
                        struct err *e)
{
    uint32_t *days;
    size_t n = view_days(v, c->call->arena, &days);
    int rc = OK;
    for (size_t i = 0; rc == OK && i < n; i++) {
        struct day_sources d;
        view_day_sources(v, now, days[i], c->call->arena, &d);
        if (d.ask_registry) rc = add_registry(c, v, days[i], name, e);
        for (size_t k = 0; rc == OK && k < d.n; k++) rc = add_index(c, d.at[k], name, e);
        if (rc == OK) rc = call_check(c->call, e);
    }
    return rc;
}

static int collect_all(struct collected *c, struct view *v, struct str name, struct err *e)
{
    pthread_rwlock_rdlock(&v->s->days_lock);
    struct version *now = catalog_pin(v->s->catalog);
    int rc = collect_days(c, v, now, name, e);
    version_unref(now);
    pthread_rwlock_unlock(&v->s->days_lock);
    return rc;
}

/* ---- with matchers ---- */

static int collect_matching(struct collected *c, struct view *v, struct str name, const struct matcher *m,
                            size_t n, struct err *e)
{
    struct series_set set;
    int rc = view_do_series(&v->base, c->call, m, n, 0, &set, e);
    for (size_t i = 0; rc == OK && i < set.n; i++) {
        struct labels l = set.at[i].labels;
        struct str value = name.p ? labels_get_str(l, name) : (struct str){ 0 };
        if (name.p && value.n > 0) add(c, value);
        for (size_t k = 0; !name.p && k < l.n; k++) add(c, l.at[k].name);
        if (i % CHECK_EVERY == 0) rc = call_check(c->call, e);
    }
    return rc;
}

static int collect(struct store_view *base, struct call *call, struct str name, const struct matcher *m,
                   size_t n, size_t limit, struct str **out, size_t *n_out, struct err *e)
{
    struct collected c = { .call = call };
    int rc =
        n > 0 ? collect_matching(&c, view_of(base), name, m, n, e) : collect_all(&c, view_of(base), name, e);
    map_release(&c.seen);
    if (rc == OK) rc = call_check(call, e);
    if (rc < 0) return rc;
    if (c.n > 0) qsort(c.at, c.n, sizeof c.at[0], by_bytes);
    *out = c.at;
    *n_out = limit != 0 && c.n > limit ? limit : c.n;
    return OK;
}

int view_do_label_names(struct store_view *v, struct call *call, const struct matcher *m, size_t n,
                        size_t limit, struct str **out, size_t *n_out, struct err *e)
{
    return collect(v, call, (struct str){ NULL, 0 }, m, n, limit, out, n_out, e);
}

int view_do_label_values(struct store_view *v, struct call *call, struct str name, const struct matcher *m,
                         size_t n, size_t limit, struct str **out, size_t *n_out, struct err *e)
{
    if (name.n == 0) name = STR("");
    return collect(v, call, name, m, n, limit, out, n_out, e);
}
