/* rules.c - see rules.h. The clock, the hands that evaluate, and the change from one set of rules to the
 * next.
 *
 * Always true:
 *   1. A slot that is running belongs to its worker: nobody else touches its group but under the group's
 * lock.
 *   2. The array of slots changes under `mu` only, and only when the slots that leave it are not running.
 *   3. Lock order: loading, then mu, then a group's mu. */
#include "judge/rules.h"

#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/work.h"
#include "judge/rule_stats.h"

#define THREADS_DEFAULT 4
#define QUEUE_MAX       (RULE_GROUPS_MAX + 1)
#define NAP_MS          5    /* groups due within it are started together */
#define NAP_MOST_MS     1000 /* the wall may be set */

struct slot {
    struct rule_group *group;
    struct rules *rules;
    int64_t next_ms;             /* of the evaluation that is to come; the worker's while running */
    unsigned runs;               /* up to 2: then what was is restored */
    bool is_running, is_leaving; /* mu */
};

struct rules {
    struct rules_conf conf;
    struct rule_env *env; /* of the groups in force; loading */
    struct arena *env_arena;
    struct work_pool *pool;
    pthread_t clock;
    atomic_bool stopping;

    pthread_mutex_t loading; /* one load at a time */
    pthread_mutex_t mu;
    pthread_cond_t changed; /* a run has ended, slots have changed, or the end has come */
    struct slot **slots;    /* mu; by file and name */
    size_t n_slots;         /* mu */
    bool has_loaded;        /* loading */
};

/* ---- times ---- */

static int64_t shift_of(const struct rule_group *g)
{
    struct hash128 h =
        hash128_seed(g->spec->name.p, g->spec->name.n, hash64(g->file->name.p, g->file->name.n));
    return (int64_t)(h.lo % (uint64_t)g->interval_ms);
}

/* The first time of the group after now. */
static int64_t first_ms(const struct rule_group *g, int64_t now_ms)
{
    int64_t shifted = now_ms - shift_of(g), since = shifted % g->interval_ms;
    if (since < 0) since += g->interval_ms;
    return now_ms - since + g->interval_ms;
}

/* ---- one evaluation ---- */

static void run(void *arg)
{
    struct slot *s = arg;
    struct rules *r = s->rules;
    struct rule_group *g = s->group;
    int64_t missed = MAX(clock_now_ms() - s->next_ms, 0) / g->interval_ms;
    int64_t at_ms = s->next_ms + missed * g->interval_ms;

    rule_group_eval(g, at_ms);
    rule_stats_iterations(g->stats, 1 + (uint64_t)missed, (uint64_t)missed);
    /* The first evaluation of a life may find too little: what it needs is only just arriving. */
    if (s->runs < 2 && ++s->runs == 2) rule_group_restore(g, clock_now_ms());

    pthread_mutex_lock(&r->mu);
    s->next_ms = at_ms + g->interval_ms;
    s->is_running = false;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mu);
}

/* Starts what is due; when to look again. */
static int64_t start_due(struct rules *r, int64_t now_ms)
{
    int64_t next = now_ms + NAP_MOST_MS;
    for (size_t i = 0; i < r->n_slots; i++) {
        struct slot *s = r->slots[i];
        if (s->is_running || s->is_leaving) continue;
        if (s->next_ms - now_ms > s->group->interval_ms)
            s->next_ms = first_ms(s->group, now_ms); /* wall set back */
        if (s->next_ms <= now_ms) {
            s->is_running = true;
            if (work_post(r->pool, run, s)) continue;
            s->is_running = false;
        }
        next = MIN(next, s->next_ms);
    }
    return MAX(next, now_ms + NAP_MS);
}

static void *watch_clock(void *arg)
{
    struct rules *r = arg;
    pthread_mutex_lock(&r->mu);
    while (!r->stopping) {
        int64_t now_ms = clock_now_ms(), nap_ms = start_due(r, now_ms) - now_ms;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t ns = until.tv_nsec + nap_ms % 1000 * 1000000;
        until.tv_sec += nap_ms / 1000 + ns / 1000000000;
        until.tv_nsec = ns % 1000000000;
        pthread_cond_timedwait(&r->changed, &r->mu, &until);
    }
    pthread_mutex_unlock(&r->mu);
    return NULL;
}

/* ---- beginning and end ---- */

struct rules *rules_start(const struct rules_conf *conf)
{
    struct rules *r = mem_alloc_zero(sizeof *r);
    pthread_condattr_t monotonic;
    r->conf = *conf;
    r->conf.query.cancelled = &r->stopping;
    pthread_mutex_init(&r->loading, NULL);
    pthread_mutex_init(&r->mu, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    r->pool = work_start("rules", conf->threads > 0 ? conf->threads : THREADS_DEFAULT, QUEUE_MAX);
    check(pthread_create(&r->clock, NULL, watch_clock, r) == 0);
    return r;
}

static void slot_free(struct slot *s)
{
    if (s == NULL) return;
    rule_group_free(s->group);
    mem_free(s);
}

static void env_free(struct rule_env *env, struct arena *arena)
{
    mem_free(env);
    if (arena != NULL) arena_release(arena);
    mem_free(arena);
}

void rules_stop(struct rules *r)
{
    if (r == NULL) return;
    pthread_mutex_lock(&r->mu);
    r->stopping = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mu);
    pthread_join(r->clock, NULL);
    work_stop(r->pool);
    for (size_t i = 0; i < r->n_slots; i++) slot_free(r->slots[i]);
    mem_free(r->slots);
    env_free(r->env, r->env_arena);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->mu);
    pthread_mutex_destroy(&r->loading);
    mem_free(r);
}

/* ---- loading ---- */

static bool is_same_env(const struct rule_env *env, const struct rules_settings *s)
{
    return env->interval_ms == s->interval_ms && env->offset_ms == s->offset_ms &&
           env->resend_ms == s->resend_ms && env->outage_ms == s->outage_ms && env->grace_ms == s->grace_ms &&
           labels_eq(env->external, s->external) && str_eq(env->external_url, s->external_url);
}

static struct labels copy_labels(struct labels l, struct arena *a)
{
    struct label *at = arena_array(a, l.n + 1, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(a, l.at[i].name), arena_str(a, l.at[i].value) };
    return (struct labels){ at, l.n };
}

static struct rule_env *env_new(const struct rules *r, const struct rules_settings *s, struct arena *a)
{
    struct rule_env *env = mem_alloc_zero(sizeof *env);
    *env = (struct rule_env){ .store = r->conf.store,
                              .query = r->conf.query,
                              .external = copy_labels(s->external, a),
                              .external_url = arena_str(a, s->external_url),
                              .interval_ms = s->interval_ms,
                              .offset_ms = s->offset_ms,
                              .resend_ms = s->resend_ms,
                              .outage_ms = s->outage_ms,
                              .grace_ms = s->grace_ms,
                              .sink = r->conf.sink };
    return env;
}

static int by_key(const void *a, const void *b)
{
    const struct rule_group *x = (*(struct slot *const *)a)->group, *y = (*(struct slot *const *)b)->group;
    int c = str_cmp(x->file->name, y->file->name);
    return c != 0 ? c : str_cmp(x->spec->name, y->spec->name);
}

static struct slot *slot_like(struct slot **slots, size_t n, const struct slot *s)
{
    struct slot **found = n > 0 ? bsearch(&s, slots, n, sizeof *slots, by_key) : NULL;
    return found ? *found : NULL;
}

static struct slot **build(struct rules *r, struct rule_file **files, size_t n_files,
                           const struct rule_env *env, size_t *n)
{
    struct slot **slots = NULL;
    size_t cap = 0;
    bool is_restored = r->has_loaded || r->conf.fresh;
    *n = 0;
    for (size_t f = 0; f < n_files; f++)
        for (size_t i = 0; i < files[f]->n_groups; i++) {
            struct slot *s = mem_alloc_zero(sizeof *s);
            s->rules = r;
            s->group = rule_group_new(files[f], i, env, is_restored);
            s->runs = is_restored ? 2 : 0;
            s->next_ms = first_ms(s->group, clock_now_ms());
            slots = mem_grow(slots, *n, &cap, sizeof(struct slot *));
            slots[(*n)++] = s;
        }
    if (*n > 0) qsort(slots, *n, sizeof(struct slot *), by_key);
    return slots;
}

/* mu is held; when this returns none that leaves is running. Where a fresh slot is as one that was, the old
 * one stays in its place. */
static void keep_unchanged(struct rules *r, struct slot **fresh, size_t n, bool same_env)
{
    for (size_t i = 0; i < r->n_slots; i++) r->slots[i]->is_leaving = true;
    for (size_t i = 0; same_env && i < n; i++) {
        struct slot *old = slot_like(r->slots, r->n_slots, fresh[i]);
        if (old == NULL || !hash128_eq(old->group->spec->identity, fresh[i]->group->spec->identity)) continue;
        old->is_leaving = false;
        slot_free(fresh[i]);
        fresh[i] = old;
    }
    for (size_t i = 0; i < r->n_slots; i++)
        while (r->slots[i]->is_leaving && r->slots[i]->is_running) pthread_cond_wait(&r->changed, &r->mu);
}

/* ---- series that lose their rule ---- */

struct heirs { /* who may go on writing them: groups by the names they record or alert */
    struct map names;
    struct slot **slots;
};

static uint64_t name_hash(bool is_alert, struct str name)
{
    return hash128_seed(name.p, name.n, is_alert).lo;
}

static void heirs_init(struct heirs *h, struct slot **slots, size_t n)
{
    map_init(&h->names, 256);
    h->slots = slots;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < slots[i]->group->spec->n_rules; k++) {
            const struct rule_spec *s = &slots[i]->group->spec->rules[k];
            uint64_t hash = name_hash(s->is_alert, s->name);
            if (map_find(&h->names, hash, NULL, NULL) == NULL) map_add(&h->names, hash, i);
        }
}

static struct rule_group *heir_of(const struct heirs *h, struct str packed, struct arena *a)
{
    struct labels l = labels_unpack(packed, a);
    struct str name = labels_get(l, LABEL_NAME);
    bool is_alert = str_is(name, "ALERTS") || str_is(name, "ALERTS_FOR_STATE");
    uint64_t *at =
        map_find(&h->names, name_hash(is_alert, is_alert ? labels_get(l, "alertname") : name), NULL, NULL);
    return at != NULL ? h->slots[*at]->group : NULL;
}

/* The series of a rule that has gone: another group that records the same name ends them at its next
 * evaluation, unless it writes them then; those of no one end now. */
static void bequeath(struct rules *r, const struct heirs *h, const struct rule_series *left)
{
    struct arena a = ARENA_INIT((size_t)1 << 30);
    struct rule_rows rows;
    struct rule_series ended = { 0 };
    struct err why = ERR_INIT;
    rule_rows_init(&rows, &a, 0);
    for (size_t i = 0; i < left->n; i++) {
        struct rule_group *g = heir_of(h, left->packed[i], &a);
        if (g != NULL)
            rule_group_inherit(g, left->packed[i]);
        else
            rule_rows_add_packed(&rows, left->packed[i], 0);
    }
    rule_series_keep(&ended, &rows);
    rule_rows_init(&rows, &a, clock_now_ms() - r->env->offset_ms);
    if (rule_rows_write(&rows, &ended, r->conf.store, &why) < 0)
        log_warn("rules", "the series of rules that are gone could not be ended", "error", why.text, NULL);
    rule_series_release(&ended);
    arena_release(&a);
}

static void bequeath_all(struct rules *r, const struct heirs *h, const struct rule_group *g)
{
    for (size_t i = 0; i < g->spec->n_rules; i++)
        if (g->rules[i].written.n > 0) bequeath(r, h, &g->rules[i].written);
    if (g->gone.n > 0) bequeath(r, h, &g->gone);
}

/* mu is held. */
static void hand_over(struct rules *r, struct slot **fresh, size_t n)
{
    struct heirs heirs;
    heirs_init(&heirs, fresh, n);
    for (size_t i = 0; i < r->n_slots; i++) {
        struct slot *old = r->slots[i];
        if (!old->is_leaving) continue;
        struct slot *next = slot_like(fresh, n, old);
        if (next != NULL) {
            next->runs = old->runs;
            if (next->group->interval_ms == old->group->interval_ms) next->next_ms = old->next_ms;
            rule_group_take_over(next->group, old->group);
        } else {
            bequeath_all(r, &heirs, old->group);
            rule_stats_gone(old->group->stats);
        }
        slot_free(old);
    }
    map_release(&heirs.names);
}

void rules_load(struct rules *r, struct rule_file **files, size_t n_files,
                const struct rules_settings *settings)
{
    pthread_mutex_lock(&r->loading);
    bool same_env = r->env != NULL && is_same_env(r->env, settings);
    struct rule_env *old_env = r->env;
    struct arena *old_arena = r->env_arena;
    if (!same_env) {
        r->env_arena = mem_alloc_zero(sizeof *r->env_arena);
        *r->env_arena = (struct arena)ARENA_INIT(1u << 20);
        r->env = env_new(r, settings, r->env_arena);
    }
    size_t n;
    struct slot **fresh = build(r, files, n_files, r->env, &n);

    pthread_mutex_lock(&r->mu);
    keep_unchanged(r, fresh, n, same_env);
    hand_over(r, fresh, n);
    mem_free(r->slots);
    r->slots = fresh;
    r->n_slots = n;
    for (size_t i = 0; i < n; i++) fresh[i]->group->stats = rule_stats_of(fresh[i]->group);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mu);

    if (!same_env) env_free(old_env, old_arena);
    for (size_t i = 0; i < n_files; i++) rule_file_free(files[i]);
    r->has_loaded = true;
    pthread_mutex_unlock(&r->loading);
}

/* ---- showing ---- */

void rules_each_group(struct rules *r, void (*visit)(const struct rule_group *, void *ctx), void *ctx)
{
    pthread_mutex_lock(&r->mu);
    for (size_t i = 0; i < r->n_slots; i++) {
        struct rule_group *g = r->slots[i]->group;
        pthread_mutex_lock(&g->mu);
        visit(g, ctx);
        pthread_mutex_unlock(&g->mu);
    }
    pthread_mutex_unlock(&r->mu);
}
