/* scrape_pool.c - a pool is a job and its targets: what discovery finds, relabelled, against what is being
 * scraped.
 *
 * A target that is found again keeps everything; one that is not is marked gone and ends at its next moment,
 * and until then comes back to life when it is found again. Discovery thread only; what others read is
 * changed under mu. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "receive/scrape_impl.h"

#define SYNC_EVERY_MS 1000 /* a flapping source costs one sync a second */
#define FIRST_WAIT_MS                                                                                        \
    5000 /* how long a new pool waits for all of its sources before it takes what there is */

/* ---- targets ---- */

static struct scrape_target *target_new(struct scrape_manager *m, struct scrape_pool *p,
                                        struct scrape_spec *spec)
{
    struct scrape_target *t = mem_alloc_zero(sizeof *t);
    t->manager = m;
    t->conf = scrape_conf_ref(p->conf);
    t->job = p->job;
    t->spec = spec;
    t->cache = scrape_cache_new();
    t->families = scrape_families_new();
    t->series_identity = p->job->series_identity;
    t->due_ms = scrape_next_ms(t, clock_now_ms());
    return t;
}

void scrape_target_free(struct scrape_target *t)
{
    scrape_spec_unref(t->spec);
    scrape_conf_free(t->conf);
    scrape_cache_free(t->cache);
    scrape_families_free(t->families);
    mem_free(t);
}

/* mu. The job, or only its labels before relabelling, may have changed: a scrape under way has its own
 * references. */
static void target_update(struct scrape_manager *m, struct scrape_pool *p, struct scrape_target *t,
                          struct scrape_spec *spec)
{
    bool moved = t->spec->interval_ms != spec->interval_ms;
    scrape_spec_unref(t->spec);
    t->spec = spec;
    scrape_conf_ref(p->conf);
    scrape_conf_free(t->conf);
    t->conf = p->conf;
    t->job = p->job;
    t->gone = false;
    if (!moved) return;
    t->due_ms = scrape_next_ms(t, clock_now_ms());
    heap_fix(m, t);
}

/* ---- one sync ---- */

struct sync {
    struct scrape_manager *m;
    struct scrape_pool *pool;
    struct scrape_spec **specs;
    size_t n, cap;
    size_t n_dropped;
    size_t bad;
    struct err first_bad;
};

static void take_target(const struct discover_group *g, struct str address, struct sync *s)
{
    struct label *l = mem_array(g->n_labels + 1, sizeof *l);
    struct scrape_spec *spec;
    struct err e = ERR_INIT;
    size_t n = 0;
    if (address.n > 0) l[n++] = (struct label){ STR("__address__"), address };
    for (size_t i = 0; i < g->n_labels; i++) l[n++] = g->labels[i];
    if (scrape_spec_make(s->pool->job, l, n, &spec, &e) == OK) {
        s->specs = mem_grow(s->specs, s->n, &s->cap, sizeof *s->specs);
        s->specs[s->n++] = spec;
    } else if (s->bad++ == 0) {
        s->first_bad = e;
    }
    mem_free(l);
}

static void take_group(const struct discover_group *g, void *ctx)
{
    for (size_t i = 0; i < g->n_targets; i++) take_target(g, g->targets[i], ctx);
}

static int spec_cmp(const void *a, const void *b)
{
    const struct scrape_spec *x = *(struct scrape_spec *const *)a, *y = *(struct scrape_spec *const *)b;
    if (x->dropped != y->dropped) return x->dropped - y->dropped;
    if (x->id.hi != y->id.hi) return x->id.hi < y->id.hi ? -1 : 1;
    return x->id.lo < y->id.lo ? -1 : x->id.lo > y->id.lo;
}

/* Wanted ones first, each once. */
static void sort_specs(struct sync *s)
{
    size_t n = 0;
    if (s->n > 0) qsort(s->specs, s->n, sizeof *s->specs, spec_cmp);
    for (size_t i = 0; i < s->n; i++) {
        if (n > 0 && !s->specs[i]->dropped && !s->specs[n - 1]->dropped &&
            hash128_eq(s->specs[n - 1]->id, s->specs[i]->id))
            scrape_spec_unref(s->specs[i]);
        else
            s->specs[n++] = s->specs[i];
    }
    s->n = n;
    for (s->n_dropped = 0; s->n_dropped < n && s->specs[n - 1 - s->n_dropped]->dropped;) s->n_dropped++;
}

static int target_cmp(const void *a, const void *b)
{
    const struct scrape_spec *x = (*(struct scrape_target *const *)a)->spec,
                             *y = (*(struct scrape_target *const *)b)->spec;
    return spec_cmp(&x, &y);
}

/* All that are scheduled, gone ones too, sorted by identity; mu. */
static struct scrape_target **all_sorted(const struct scrape_manager *m)
{
    struct scrape_target **all = mem_array(m->n_heap + 1, sizeof *all);
    if (m->n_heap > 0) memcpy(all, m->heap, m->n_heap * sizeof *all);
    if (m->n_heap > 0) qsort(all, m->n_heap, sizeof *all, target_cmp);
    return all;
}

static struct scrape_target *find_target(struct scrape_target **all, size_t n, struct scrape_spec *spec)
{
    struct scrape_target probe = { .spec = spec }, *key = &probe;
    struct scrape_target **hit = n > 0 ? bsearch(&key, all, n, sizeof *all, target_cmp) : NULL;
    return hit ? *hit : NULL;
}

static void list_target(struct scrape_pool *p, struct scrape_target *t)
{
    p->targets = mem_grow(p->targets, p->n_targets, &p->cap_targets, sizeof *p->targets);
    p->targets[p->n_targets++] = t;
    t->listed = true;
    t->over_limit = p->over_limit[0] ? p->over_limit : NULL;
}

static void forget_dropped(struct scrape_pool *p)
{
    for (size_t i = 0; i < p->n_dropped; i++) scrape_spec_unref(p->dropped[i]);
    p->n_dropped = 0;
}

static void keep_dropped(struct sync *s)
{
    struct scrape_pool *p = s->pool;
    forget_dropped(p);
    for (size_t i = s->n - s->n_dropped; i < s->n; i++) {
        bool kept = p->job->keep_dropped_targets == 0 || p->n_dropped < p->job->keep_dropped_targets;
        p->dropped = mem_grow(p->dropped, p->n_dropped, &p->cap_dropped, sizeof *p->dropped);
        if (kept)
            p->dropped[p->n_dropped++] = s->specs[i];
        else
            scrape_spec_unref(s->specs[i]);
    }
}

/* mu. Targets that are wanted and known go on, new ones begin, the rest ends at its next moment. */
static void put_in_force(struct sync *s)
{
    struct scrape_pool *p = s->pool;
    size_t wanted = s->n - s->n_dropped, n_old = p->n_targets, n_all = s->m->n_heap;
    struct scrape_target **old = p->targets, **all = all_sorted(s->m);
    for (size_t i = 0; i < n_old; i++) old[i]->listed = false;
    p->targets = NULL;
    p->n_targets = p->cap_targets = 0;
    p->over_limit[0] = 0;
    if (p->job->target_limit > 0 && wanted > p->job->target_limit)
        snprintf(p->over_limit, sizeof p->over_limit,
                 "target_limit exceeded (number of targets: %zu, limit: %llu)", wanted,
                 (unsigned long long)p->job->target_limit);
    for (size_t i = 0; i < wanted; i++) {
        struct scrape_target *t = find_target(all, n_all, s->specs[i]);
        if (t != NULL) {
            target_update(s->m, p, t, s->specs[i]);
        } else {
            t = target_new(s->m, p, s->specs[i]);
            heap_add(s->m, t);
        }
        list_target(p, t);
    }
    for (size_t i = 0; i < n_old; i++)
        if (!old[i]->listed) old[i]->gone = true, old[i]->over_limit = NULL;
    keep_dropped(s);
    mem_free(old);
    mem_free(all);
}

static void pool_sync(struct scrape_manager *m, struct scrape_pool *p)
{
    struct sync s = { .m = m, .pool = p };
    for (size_t i = 0; i < p->n_sources; i++) discover_each(p->sources[i], take_group, &s);
    sort_specs(&s);
    pthread_mutex_lock(&m->mu);
    put_in_force(&s);
    pthread_mutex_unlock(&m->mu);
    if (s.bad > 0)
        log_warn("scrape", "targets that make no sense are left out", "job", p->name.p, "number",
                 log_num((int64_t)s.bad), "first", s.first_bad.text, NULL);
    mem_free(s.specs);
}

/* ---- pools ---- */

static struct scrape_pool *pool_new(struct scrape_manager *m, struct scrape_conf *conf,
                                    const struct scrape_job *job)
{
    struct discover_env env = scrape_discover_env(m);
    struct scrape_pool *p = mem_alloc_zero(sizeof *p);
    p->conf = scrape_conf_ref(conf);
    p->job = job;
    p->name = job->name;
    p->born_ms = clock_mono_ns() / 1000000;
    p->stale = true;
    p->sources = mem_array(job->n_discover + 1, sizeof *p->sources);
    for (size_t i = 0; i < job->n_discover; i++)
        p->sources[p->n_sources++] = discover_source_new(conf, &job->discover[i], &env);
    return p;
}

void scrape_pool_free(struct scrape_pool *p)
{
    for (size_t i = 0; i < p->n_sources; i++) discover_source_drop(p->sources[i]);
    forget_dropped(p);
    scrape_conf_free(p->conf);
    mem_free(p->sources);
    mem_free(p->targets);
    mem_free(p->dropped);
    mem_free(p);
}

static bool sources_are_known(const struct scrape_pool *p)
{
    for (size_t i = 0; i < p->n_sources; i++)
        if (!discover_is_known(p->sources[i])) return false;
    return true;
}

static int64_t pool_tick(struct scrape_manager *m, struct scrape_pool *p, int64_t now_ms)
{
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < p->n_sources; i++) {
        due_ms = MIN(due_ms, discover_tick(p->sources[i], now_ms));
        p->stale |= discover_take_changed(p->sources[i]);
    }
    if (!p->stale) return due_ms;
    int64_t sync_ms = p->synced_ms > 0       ? p->synced_ms + SYNC_EVERY_MS
                      : sources_are_known(p) ? now_ms
                                             : p->born_ms + FIRST_WAIT_MS;
    if (now_ms < sync_ms) return MIN(due_ms, sync_ms);
    p->stale = false;
    p->synced_ms = now_ms;
    pool_sync(m, p);
    return due_ms;
}

int64_t scrape_pools_tick(struct scrape_manager *m, int64_t now_ms)
{
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < m->n_pools; i++) due_ms = MIN(due_ms, pool_tick(m, m->pools[i], now_ms));
    return due_ms;
}

/* ---- reload ---- */

static struct scrape_pool *take_pool(struct scrape_pool **old, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        struct scrape_pool *p = old[i];
        if (p == NULL || !str_eq(p->name, name)) continue;
        old[i] = NULL;
        return p;
    }
    return NULL;
}

/* mu. The new pool stands in for the old one: it shows its targets until it knows its own. */
static void inherit(struct scrape_pool *fresh, struct scrape_pool *old)
{
    fresh->targets = old->targets;
    fresh->n_targets = old->n_targets;
    fresh->cap_targets = old->cap_targets;
    old->targets = NULL;
    old->n_targets = 0;
    for (size_t i = 0; i < fresh->n_targets; i++) fresh->targets[i]->over_limit = NULL;
}

static int pool_cmp(const void *a, const void *b)
{
    return str_cmp((*(struct scrape_pool *const *)a)->name, (*(struct scrape_pool *const *)b)->name);
}

void scrape_pools_reload(struct scrape_manager *m, struct scrape_conf *conf)
{
    struct scrape_pool **pools = mem_array(conf->n_jobs + 1, sizeof *pools), **old = m->pools;
    size_t n_old = m->n_pools;
    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < conf->n_jobs; i++) {
        struct scrape_pool *before = take_pool(old, n_old, conf->jobs[i].name);
        bool same = before != NULL && hash128_eq(before->job->identity, conf->jobs[i].identity);
        pools[i] = same ? before : pool_new(m, conf, &conf->jobs[i]);
        if (before == NULL || same) continue;
        inherit(pools[i], before);
        scrape_pool_free(before);
    }
    for (size_t i = 0; i < n_old; i++) {
        if (old[i] == NULL) continue;
        for (size_t k = 0; k < old[i]->n_targets; k++)
            old[i]->targets[k]->gone = true, old[i]->targets[k]->over_limit = NULL;
        scrape_pool_free(old[i]);
    }
    if (conf->n_jobs > 0) qsort(pools, conf->n_jobs, sizeof *pools, pool_cmp);
    m->pools = pools;
    m->n_pools = conf->n_jobs;
    scrape_conf_free(m->conf);
    m->conf = conf;
    pthread_mutex_unlock(&m->mu);
    mem_free(old);
}
