/* view.c - a moment of the store, and which series it has.
 *
 * Opening pins the version of the catalog and the published rows of both heads in one instant under the
 * catalog's lock. Series are looked up day by day: in the registry for open days, in index files for the
 * others, in both for a day that late rows have opened again. A number means one label set for ever, so keys
 * are united first and labels after. */
#include "store/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

#define CHECK_EVERY 256

/* ---- opening and closing ---- */

static int64_t clamp_ms(int64_t t)
{
    return t < 0 ? 0 : MIN(t, TIME_MS_MAX);
}

int view_do_open(struct store *store, int64_t from_ms, int64_t to_ms, struct store_view **out, struct err *e)
{
    struct engine *s = engine_of(store);
    struct view *v = mem_alloc_zero(sizeof *v);
    (void)e;
    v->base.store = store;
    v->s = s;
    v->from_ms = clamp_ms(from_ms);
    v->to_ms = clamp_ms(to_ms);
    pthread_mutex_init(&v->mu, NULL);
    uint32_t first = day_of_ms(v->from_ms), last = day_of_ms(v->to_ms);

    catalog_lock(s->catalog);
    v->version = catalog_pin_locked(s->catalog);
    if (s->flushing != NULL) head_pin(s->flushing, first, last, &v->flushing);
    head_pin(s->head, first, last, &v->head);
    catalog_unlock(s->catalog);
    *out = &v->base;
    return OK;
}

struct view *view_of_files(struct engine *s, struct version *version, uint32_t day)
{
    struct view *v = mem_alloc_zero(sizeof *v);
    v->base.store = &s->store;
    v->s = s;
    v->from_ms = (int64_t)day * DAY_MS;
    v->to_ms = v->from_ms + DAY_MS - 1;
    v->version = version_ref(version);
    pthread_mutex_init(&v->mu, NULL);
    return v;
}

void view_do_close(struct store_view *base)
{
    struct view *v = view_of(base);
    scanner_free(v->idle);
    head_unpin(&v->head);
    head_unpin(&v->flushing);
    version_unref(v->version);
    for (size_t i = 0; i < v->n_lists; i++) mem_free(v->lists[i].at);
    mem_free(v->lists);
    pthread_mutex_destroy(&v->mu);
    mem_free(v);
}

/* ---- days ---- */

static int by_day(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static size_t unique(uint32_t *days, size_t n)
{
    size_t kept = 0;
    qsort(days, n, sizeof days[0], by_day);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || days[kept - 1] != days[i]) days[kept++] = days[i];
    return kept;
}

size_t view_days(const struct view *v, struct arena *a, uint32_t **out)
{
    uint32_t last = day_of_ms(v->to_ms);
    size_t n = 0;
    uint32_t *days = arena_array(a, v->version->n + v->flushing.n + v->head.n, sizeof days[0]);
    for (size_t i = version_from(v->version, day_of_ms(v->from_ms));
         i < v->version->n && v->version->at[i]->id.day <= last; i++)
        days[n++] = v->version->at[i]->id.day;
    for (size_t i = 0; i < v->flushing.n; i++) days[n++] = v->flushing.at[i].slab->day;
    for (size_t i = 0; i < v->head.n; i++) days[n++] = v->head.at[i].slab->day;
    *out = days;
    return unique(days, n);
}

static bool has_index(const struct day_sources *d, const struct day_index *x)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->at[i] == x) return true;
    return false;
}

void view_day_sources(const struct view *v, const struct version *now, uint32_t day, struct arena *a,
                      struct day_sources *out)
{
    *out = (struct day_sources){ .ask_registry = days_are_open(v->s, day) };
    if (days_are_whole(v->s, day)) return;

    size_t n_pinned, n_now;
    struct store_file *const *pinned = version_day(v->version, day, FILE_INDEX, &n_pinned);
    struct store_file *const *current = version_day(now, day, FILE_INDEX, &n_now);
    out->at = arena_array(a, n_pinned + n_now, sizeof out->at[0]);
    for (size_t i = 0; i < n_pinned; i++) out->at[out->n++] = pinned[i]->index;
    for (size_t i = 0; i < n_now; i++)
        if (!has_index(out, current[i]->index)) out->at[out->n++] = current[i]->index;
}

/* ---- series ---- */

struct found {
    series_key key;
    struct day_index *index; /* NULL: the registry knows its labels */
};

struct search {
    struct view *v;
    struct call *call;
    const struct matcher *matchers;
    size_t n_matchers;
    struct found *at; /* arena */
    size_t n, cap;
    struct series_set *out;
    size_t cap_out, limit;
    struct map by_labels;  /* hash -> index in out */
    struct key_list *keys; /* by index in out; at: arena */
    size_t cap_keys;
};

static void add_found(struct search *x, const series_key *keys, size_t n, struct day_index *index)
{
    for (size_t i = 0; i < n; i++) {
        x->at = arena_grow(x->call->arena, x->at, x->n, &x->cap, sizeof x->at[0]);
        x->at[x->n++] = (struct found){ keys[i], index };
    }
}

static int search_day(struct search *x, const struct version *now, uint32_t day, struct err *e)
{
    struct day_sources d;
    series_key *keys;
    size_t n;
    int rc = OK;
    view_day_sources(x->v, now, day, x->call->arena, &d);
    if (d.ask_registry) {
        rc = registry_select(x->v->s->registry, day, x->matchers, x->n_matchers, x->call, &keys, &n, e);
        if (rc == OK) add_found(x, keys, n, NULL);
    }
    for (size_t i = 0; rc == OK && i < d.n; i++) {
        rc = day_index_select(d.at[i], x->matchers, x->n_matchers, x->call, &keys, &n, e);
        if (rc == OK) add_found(x, keys, n, d.at[i]);
    }
    return rc == OK ? call_check(x->call, e) : rc;
}

static int by_key(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->index != NULL) - (y->index != NULL); /* the registry first: it is the quickest to ask */
}

static bool is_sorted(const struct found *f, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (f[i].key <= f[i - 1].key) return false;
    return true;
}

static void unite_keys(struct search *x)
{
    if (is_sorted(x->at, x->n)) return;
    qsort(x->at, x->n, sizeof x->at[0], by_key);
    size_t kept = 0;
    for (size_t i = 0; i < x->n; i++)
        if (kept == 0 || x->at[kept - 1].key != x->at[i].key) x->at[kept++] = x->at[i];
    x->n = kept;
}

static uint64_t hash_labels(struct labels l)
{
    uint64_t h = l.n;
    for (size_t i = 0; i < l.n; i++) {
        h = (h ^ hash64(l.at[i].name.p, l.at[i].name.n)) * 0x9e3779b97f4a7c15ull;
        h = (h ^ hash64(l.at[i].value.p, l.at[i].value.n)) * 0xc2b2ae3d27d4eb4full;
        h ^= h >> 29;
    }
    return h;
}

struct same {
    const struct series_set *set;
    struct labels labels;
};
static bool same_labels(void *ctx, uint64_t index)
{
    const struct same *s = ctx;
    return labels_eq(s->set->at[index].labels, s->labels);
}

static void add_key(struct search *x, size_t series, series_key key)
{
    struct key_list *list = &x->keys[series];
    series_key *more = arena_array(x->call->arena, list->n + 1, sizeof *more);
    if (list->n > 0) memcpy(more, list->at, list->n * sizeof *more);
    more[list->n] = key;
    *list = (struct key_list){ more, list->n + 1 };
}

static void add_series(struct search *x, series_key key, struct labels l)
{
    struct same same = { x->out, l };
    uint64_t hash = hash_labels(l), *at = map_find(&x->by_labels, hash, same_labels, &same);
    if (at != NULL) {
        add_key(x, *at, key);
        return;
    }
    if (x->limit != 0 && x->out->n == x->limit) {
        x->out->truncated = true;
        return;
    }
    size_t i = x->out->n;
    map_add(&x->by_labels, hash, i);
    x->out->at = arena_grow(x->call->arena, x->out->at, i, &x->cap_out, sizeof x->out->at[0]);
    x->keys = arena_grow(x->call->arena, x->keys, i, &x->cap_keys, sizeof x->keys[0]);
    x->out->at[i] = (struct series_ref){ key, l };
    x->keys[i] = (struct key_list){ NULL, 0 };
    add_key(x, i, key);
    x->out->n++;
}

static int name_series(struct search *x, struct err *e)
{
    for (size_t i = 0; i < x->n && !x->out->truncated; i++) {
        struct labels l = { 0 };
        int rc = i % CHECK_EVERY == 0 ? call_check(x->call, e) : OK;
        if (rc == OK && x->at[i].index == NULL)
            l = registry_labels(x->v->s->registry, x->at[i].key, x->call->arena);
        else if (rc == OK)
            rc = day_index_labels_told(x->at[i].index, x->at[i].key, x->call, &l, e);
        if (rc < 0) return rc;
        if (l.n > 0) add_series(x, x->at[i].key, l);
    }
    return call_check(x->call, e);
}

/* Series with one key carry it in their id; the others get a list in the view. */
static void number_series(struct search *x)
{
    struct view *v = x->v;
    for (size_t i = 0; i < x->out->n; i++) {
        if (x->keys[i].n == 1) continue;
        pthread_mutex_lock(&v->mu);
        v->lists = mem_grow(v->lists, v->n_lists, &v->cap_lists, sizeof v->lists[0]);
        v->lists[v->n_lists] =
            (struct key_list){ mem_copy(x->keys[i].at, x->keys[i].n * sizeof(series_key)), x->keys[i].n };
        x->out->at[i].id = SERIES_HAS_LIST | v->n_lists++;
        pthread_mutex_unlock(&v->mu);
    }
}

static int search(struct search *x, const struct version *now, struct err *e)
{
    uint32_t *days;
    size_t n = view_days(x->v, x->call->arena, &days);
    int rc = OK;
    for (size_t i = 0; rc == OK && i < n; i++) rc = search_day(x, now, days[i], e);
    if (rc < 0) return rc;
    unite_keys(x);
    map_init(&x->by_labels, x->limit ? MIN(x->limit, x->n) : x->n);
    if ((rc = name_series(x, e)) == OK) number_series(x);
    map_release(&x->by_labels);
    return rc;
}

int view_do_series(struct store_view *base, struct call *call, const struct matcher *m, size_t n,
                   size_t limit, struct series_set *out, struct err *e)
{
    struct view *v = view_of(base);
    struct search x = { .v = v, .call = call, .matchers = m, .n_matchers = n, .out = out, .limit = limit };
    *out = (struct series_set){ 0 };

    pthread_rwlock_rdlock(&v->s->days_lock); /* no day leaves the registry while it is asked */
    struct version *now = catalog_pin(v->s->catalog);
    int rc = search(&x, now, e);
    version_unref(now);
    pthread_rwlock_unlock(&v->s->days_lock);
    return rc;
}
