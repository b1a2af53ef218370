/* push_group.c - groups and the arithmetic of replacing them.
 *
 * Always true:
 *   1. A group's series are sorted by key and unique. All of a group's text lives in its own arena.
 *   2. Times written for a group only go up: a stale marker is never overtaken by a value written before it.
 *   3. n_series is the sum over all groups, without the two series that every group has beside (push times).
 */
#include "receive/push_group.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

struct pushed {
    struct hash128 key, name; /* of the packed labels, of the metric name */
    struct str packed;
    double value;
    size_t place; /* in its push: of a series given twice the later value counts */
};

struct push_group {
    struct arena arena;
    struct str labels; /* packed; the group's name */
    uint64_t hash;
    struct str push_time, failure_time; /* packed labels of the two series */
    double push_s, failure_s;
    int64_t last_ms; /* newest time written */
    struct pushed *at;
    size_t n;
};

struct push_groups {
    struct push_group **at;
    size_t n, cap, max_groups, n_series, max_series;
};

struct push_groups *push_groups_new(size_t max_groups, size_t max_series)
{
    struct push_groups *g = mem_alloc_zero(sizeof *g);
    g->max_groups = max_groups;
    g->max_series = max_series;
    return g;
}

static void group_free(struct push_group *g)
{
    if (g == NULL) return;
    arena_release(&g->arena);
    mem_free(g);
}

void push_groups_free(struct push_groups *g)
{
    if (g == NULL) return;
    for (size_t i = 0; i < g->n; i++) group_free(g->at[i]);
    mem_free(g->at);
    mem_free(g);
}

size_t push_groups_n(const struct push_groups *g)
{
    return g->n;
}

size_t push_groups_series(const struct push_groups *g)
{
    return g->n_series;
}

/* ---- a group ---- */

static struct str packed_in(struct arena *a, struct labels l)
{
    struct buf b = BUF_INIT(SIZE_MAX / 4);
    labels_pack(&b, l);
    struct str packed = arena_str(a, buf_view(&b));
    buf_release(&b);
    return packed;
}

/* The group's labels with a metric name. */
static struct str packed_named(struct arena *a, struct labels l, const char *metric)
{
    struct label *pairs = arena_array(a, l.n + 1, sizeof *pairs);
    size_t n = l.n + 1;
    if (l.n > 0) memcpy(pairs, l.at, l.n * sizeof *pairs);
    pairs[l.n] = (struct label){ STR(LABEL_NAME), str_of(metric) };
    labels_normalise(pairs, &n, NULL); /* sorts; nothing can be wrong with labels that were normalised */
    return packed_in(a, (struct labels){ pairs, n });
}

static struct push_group *group_new(struct labels l, const struct push_group *old)
{
    struct push_group *g = mem_alloc_zero(sizeof *g);
    g->arena.budget = SIZE_MAX;
    g->labels = packed_in(&g->arena, l);
    g->hash = hash64(g->labels.p, g->labels.n);
    g->push_time = packed_named(&g->arena, l, "push_time_seconds");
    g->failure_time = packed_named(&g->arena, l, "push_failure_time_seconds");
    g->last_ms = old ? old->last_ms : INT64_MIN;
    g->push_s = old ? old->push_s : 0;
    g->failure_s = old ? old->failure_s : 0;
    return g;
}

static struct push_group **place_of(struct push_groups *g, struct str packed, uint64_t hash)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->at[i]->hash == hash && str_eq(g->at[i]->labels, packed)) return &g->at[i];
    return NULL;
}

static int by_key(const void *pa, const void *pb)
{
    const struct pushed *a = pa, *b = pb;
    if (a->key.hi != b->key.hi) return a->key.hi < b->key.hi ? -1 : 1;
    return a->key.lo < b->key.lo ? -1 : a->key.lo > b->key.lo;
}

static int by_name(const void *pa, const void *pb)
{
    const struct hash128 *a = pa, *b = pb;
    if (a->hi != b->hi) return a->hi < b->hi ? -1 : 1;
    return a->lo < b->lo ? -1 : a->lo > b->lo;
}

static const struct pushed *find_series(const struct pushed *at, size_t n, struct hash128 key)
{
    const struct pushed wanted = { .key = key };
    return n ? bsearch(&wanted, at, n, sizeof *at, by_key) : NULL;
}

static int by_key_latest_first(const void *pa, const void *pb)
{
    const struct pushed *a = pa, *b = pb;
    int order = by_key(a, b);
    return order ? order : (a->place < b->place) - (a->place > b->place);
}

/* The pushed series become the group's, sorted and unique. */
static void take_series(struct push_group *g, const struct batch *b)
{
    struct pushed *at = arena_array(&g->arena, b->n_series, sizeof *at);
    for (size_t i = 0; i < b->n_series; i++) {
        const struct batch_series *s = &b->series[i];
        struct str name = labels_get(labels_unpack(s->raw, b->arena), LABEL_NAME);
        at[i] = (struct pushed){ labels_packed_id(s->raw), hash128(name.p, name.n), s->raw,
                                 b->value[s->row + s->n_rows - 1], i };
    }
    if (b->n_series > 0) qsort(at, b->n_series, sizeof *at, by_key_latest_first);

    for (size_t i = 0; i < b->n_series; i++) {
        if (g->n > 0 && hash128_eq(at[g->n - 1].key, at[i].key)) continue;
        at[g->n] = at[i];
        at[g->n].packed = arena_str(&g->arena, at[i].packed);
        g->n++;
    }
    g->at = at;
}

/* ---- plans ---- */

static void end_series(struct batch *b, struct str packed, int64_t time_ms)
{
    batch_series(b, packed);
    batch_sample(b, time_ms, double_of(STALE_BITS));
}

/* Old series whose names were pushed again end when they are not among the new; the others stay. */
static void merge_old(struct push_group *fresh, const struct push_group *old, struct batch *b,
                      int64_t time_ms)
{
    size_t n_new = fresh->n;
    struct hash128 *names = arena_array(b->arena, n_new, sizeof *names);
    struct pushed *all = arena_array(&fresh->arena, n_new + old->n, sizeof *all);
    for (size_t i = 0; i < n_new; i++) names[i] = fresh->at[i].name, all[i] = fresh->at[i];
    if (n_new > 0) qsort(names, n_new, sizeof *names, by_name);

    for (size_t i = 0; i < old->n; i++) {
        const struct pushed *p = &old->at[i];
        if (find_series(fresh->at, n_new, p->key) != NULL) continue;
        if (n_new > 0 && bsearch(&p->name, names, n_new, sizeof *names, by_name) != NULL) {
            end_series(b, p->packed, time_ms);
            continue;
        }
        all[fresh->n] = *p;
        all[fresh->n++].packed = arena_str(&fresh->arena, p->packed);
    }
    if (fresh->n > 0) qsort(all, fresh->n, sizeof *all, by_key);
    fresh->at = all;
}

static void end_old(const struct push_group *fresh, const struct push_group *old, struct batch *b,
                    int64_t time_ms)
{
    for (size_t i = 0; i < old->n; i++)
        if (fresh == NULL || find_series(fresh->at, fresh->n, old->at[i].key) == NULL)
            end_series(b, old->at[i].packed, time_ms);
    if (fresh != NULL) return;
    end_series(b, old->push_time, time_ms);
    end_series(b, old->failure_time, time_ms);
}

static void sample_times(const struct push_group *g, struct str push_time, struct str failure_time,
                         struct batch *b, int64_t time_ms)
{
    batch_series(b, push_time);
    batch_sample(b, time_ms, g->push_s);
    batch_series(b, failure_time);
    batch_sample(b, time_ms, g->failure_s);
}

static int plan_limits(const struct push_groups *g, const struct push_plan *p, struct err *e)
{
    if (p->group == NULL && g->n >= g->max_groups)
        return err_set(e, ERR_LIMIT, "there are %zu push groups already: delete some", g->n);
    if (g->n_series - (p->group ? p->group->n : 0) + p->fresh->n > g->max_series)
        return err_set(e, ERR_LIMIT, "all push groups together would hold more than %zu series",
                       g->max_series);
    return OK;
}

int push_groups_plan(struct push_groups *g, struct labels l, enum push_mode mode, int64_t now_ms,
                     struct batch *b, struct push_plan *out, struct err *e)
{
    struct push_plan p = { .key = packed_in(b->arena, l) };
    p.hash = hash64(p.key.p, p.key.n);
    struct push_group **place = place_of(g, p.key, p.hash);
    p.group = place ? *place : NULL;

    int64_t time_ms = p.group && p.group->last_ms >= now_ms ? p.group->last_ms + 1 : now_ms;
    for (size_t i = 0; i < b->n_rows; i++) b->time_ms[i] = time_ms;

    if (mode == PUSH_DELETE) {
        if (p.group != NULL) end_old(NULL, p.group, b, time_ms);
        *out = p;
        return OK;
    }
    p.fresh = group_new(l, p.group);
    take_series(p.fresh, b);
    if (p.group != NULL && mode == PUSH_MERGE) merge_old(p.fresh, p.group, b, time_ms);
    if (p.group != NULL && mode == PUSH_REPLACE) end_old(p.fresh, p.group, b, time_ms);
    int rc = plan_limits(g, &p, e);
    if (rc < 0) {
        push_plan_drop(&p);
        return rc;
    }
    p.fresh->last_ms = time_ms;
    p.fresh->push_s = (double)time_ms / 1000;
    sample_times(p.fresh, p.fresh->push_time, p.fresh->failure_time, b, time_ms);
    *out = p;
    return OK;
}

void push_plan_commit(struct push_groups *g, struct push_plan *p)
{
    struct push_group **place = place_of(g, p->key, p->hash);
    g->n_series -= p->group ? p->group->n : 0;
    g->n_series += p->fresh ? p->fresh->n : 0;
    if (p->fresh != NULL && place == NULL) {
        g->at = mem_grow(g->at, g->n, &g->cap, sizeof *g->at);
        g->at[g->n++] = p->fresh;
    } else if (p->fresh != NULL) {
        *place = p->fresh;
    } else if (place != NULL) {
        *place = g->at[--g->n];
    }
    group_free(p->group);
    *p = (struct push_plan){ 0 };
}

void push_plan_drop(struct push_plan *p)
{
    group_free(p->fresh);
    *p = (struct push_plan){ 0 };
}

void push_groups_failed(struct push_groups *g, struct labels l, int64_t now_ms)
{
    struct push_group *fresh = group_new(l, NULL);
    struct push_group **place = place_of(g, fresh->labels, fresh->hash);
    if (place != NULL || g->n >= g->max_groups) {
        if (place != NULL) (*place)->failure_s = (double)now_ms / 1000;
        group_free(fresh);
        return;
    }
    fresh->failure_s = (double)now_ms / 1000;
    g->at = mem_grow(g->at, g->n, &g->cap, sizeof *g->at);
    g->at[g->n++] = fresh;
}

/* ---- sampling ---- */

static void sample_group(struct push_group *g, int64_t time_ms, struct batch *b)
{
    for (size_t i = 0; i < g->n; i++) {
        batch_series(b, arena_str(b->arena, g->at[i].packed));
        batch_sample(b, time_ms, g->at[i].value);
    }
    sample_times(g, arena_str(b->arena, g->push_time), arena_str(b->arena, g->failure_time), b, time_ms);
    g->last_ms = time_ms;
}

bool push_groups_sample(struct push_groups *g, size_t *cursor, int64_t now_ms, size_t max_rows,
                        struct batch *b)
{
    while (*cursor < g->n && b->n_rows < max_rows) {
        struct push_group *one = g->at[(*cursor)++];
        if (one->last_ms < now_ms) sample_group(one, now_ms, b); /* else it was just pushed */
    }
    return *cursor < g->n;
}
