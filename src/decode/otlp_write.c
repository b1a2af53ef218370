/* otlp_write.c - records by resource and scope, and the pieces of them that are kept as JSON. */
#include "base/check.h"
#include "base/map.h"
#include "decode/otlp_write_impl.h"

/* ---- groups ---- */

static bool same_attrs(const struct attrs *a, const struct attrs *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(a->at[i].name, b->at[i].name) || !value_same(a->at[i].value, b->at[i].value))
            return false;
    return true;
}

static bool same_scope(const struct origin *a, const struct origin *b)
{
    return str_eq(a->scope_name, b->scope_name) && str_eq(a->scope_version, b->scope_version) &&
           same_attrs(&a->scope, &b->scope);
}

struct grouping {
    struct otlp_groups *g;
    size_t cap, n_resources;
    struct map resources, groups; /* hash -> index of a group */
    const struct origin *last;
    size_t last_group;
};

struct wanted_origin {
    const struct otlp_groups *g;
    const struct origin *origin;
    bool whole; /* the scope, too */
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted_origin *w = ctx;
    const struct origin *have = w->g->at[i].origin;
    return hash128_eq(have->id, w->origin->id) && (!w->whole || same_scope(have, w->origin));
}

static size_t resource_number(struct grouping *p, const struct origin *o)
{
    struct wanted_origin want = { p->g, o, false };
    const uint64_t *known = map_find(&p->resources, o->id.lo, is_wanted, &want);
    if (known != NULL) return p->g->at[*known].resource;
    map_add(&p->resources, o->id.lo, p->g->n);
    return p->n_resources++;
}

static size_t group_of(struct grouping *p, const struct origin *o)
{
    if (p->last == o) return p->last_group;
    struct wanted_origin want = { p->g, o, true };
    uint64_t hash = o->id.lo ^ hash64(o->scope_name.p, o->scope_name.n);
    const uint64_t *known = map_find(&p->groups, hash, is_wanted, &want);
    p->last = o;
    if (known != NULL) return p->last_group = *known;

    size_t resource = resource_number(p, o); /* looks at the groups that are there */
    p->g->at = arena_grow(&p->g->arena, p->g->at, p->g->n, &p->cap, sizeof *p->g->at);
    p->g->at[p->g->n] = (struct otlp_group){ .origin = o, .resource = resource };
    map_add(&p->groups, hash, p->g->n);
    return p->last_group = p->g->n++;
}

/* Groups side by side with those of their resource: a counting sort. Returns where each has gone. */
static size_t *sort_groups(struct otlp_groups *g, size_t n_resources)
{
    size_t *begin = arena_zero(&g->arena, (n_resources + 1) * sizeof *begin);
    size_t *now = arena_array(&g->arena, g->n, sizeof *now);
    struct otlp_group *sorted = arena_array(&g->arena, g->n, sizeof *sorted);
    for (size_t i = 0; i < g->n; i++) begin[g->at[i].resource + 1]++;
    for (size_t r = 0; r < n_resources; r++) begin[r + 1] += begin[r];
    for (size_t i = 0; i < g->n; i++) {
        now[i] = begin[g->at[i].resource]++;
        sorted[now[i]] = g->at[i];
    }
    g->at = sorted;
    return now;
}

static void place_records(struct otlp_groups *g, const struct record *r, size_t n, const size_t *group,
                          const size_t *now)
{
    size_t at = 0;
    for (size_t i = 0; i < g->n; i++) {
        g->at[i].begin = at;
        at += g->at[i].n;
        g->at[i].n = 0;
    }
    g->records = arena_array(&g->arena, n, sizeof *g->records);
    for (size_t i = 0; i < n; i++) {
        struct otlp_group *to = &g->at[now[group[i]]];
        g->records[to->begin + to->n++] = &r[i];
    }
}

void otlp_groups_init(struct otlp_groups *g, const struct record *r, size_t n)
{
    *g = (struct otlp_groups){ .arena = ARENA_INIT(SIZE_MAX / 2) };
    struct grouping p = { .g = g };
    size_t *group = arena_array(&g->arena, n, sizeof *group);

    map_init(&p.resources, 16);
    map_init(&p.groups, 16);
    for (size_t i = 0; i < n; i++) {
        group[i] = group_of(&p, r[i].origin);
        g->at[group[i]].n++;
    }
    map_release(&p.resources);
    map_release(&p.groups);
    place_records(g, r, n, group, sort_groups(g, p.n_resources));
}

void otlp_groups_release(struct otlp_groups *g)
{
    arena_release(&g->arena);
}

/* ---- pieces ---- */

bool otlp_item_next(struct json_reader *r, struct otlp_item *item)
{
    struct str key, digits;
    int64_t dropped = 0;

    *item = (struct otlp_item){ 0 };
    if (!json_next(r) || !json_object(r)) return false;
    while (json_key(r, &key)) {
        if (str_is(key, "name"))
            json_string(r, &item->name);
        else if (str_is(key, "trace_id"))
            json_string(r, &item->trace_id);
        else if (str_is(key, "span_id"))
            json_string(r, &item->span_id);
        else if (str_is(key, "trace_state"))
            json_string(r, &item->trace_state);
        else if (str_is(key, "attributes"))
            json_raw(r, &item->attributes);
        else if (str_is(key, "time_ns") && json_string(r, &digits))
            (void)str_to_u64(digits, &item->time_ns);
        else if (str_is(key, "dropped") && json_i64(r, &dropped))
            item->dropped = (uint64_t)MAX(dropped, 0);
        else
            json_skip(r);
    }
    return !r->failed;
}

bool otlp_number(struct json_reader *r, int64_t *i, double *d, bool *is_int)
{
    struct json_reader again = *r;
    struct str digits;
    if (!json_number_text(r, &digits)) return false;
    *is_int = str_to_i64(digits, i);
    return *is_int || json_double(&again, d);
}

uint64_t otlp_end_ns(const struct record *s)
{
    return s->span.duration_ns == SPAN_UNFINISHED ? 0 : (uint64_t)s->time_ns + (uint64_t)s->span.duration_ns;
}

bool otlp_has_id(const uint8_t *id, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= id[i];
    return any != 0;
}
