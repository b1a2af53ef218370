/* dispatch.c - see dispatch.h: the alerts themselves, why they are mute, and the round of timers. */
#include "tell/notify/dispatch_impl.h"

#include <stddef.h>

#include "base/check.h"
#include "base/mem.h"

#define UPKEEP_MS     30000          /* how often empty groups go, as in Alertmanager */
#define RESOLVED_MS   (30ll * 60000) /* how long a resolved alert is remembered */
#define ROUTES_OF_ONE 64             /* routes one alert may take */
#define LOOK_MS       1000           /* how often alerts that ran out are noticed */

void dispatch_init(struct dispatch *d, struct am_config *conf, struct nflog *log, struct silences *s,
                   struct track *t)
{
    *d = (struct dispatch){ .conf = am_config_ref(conf), .nflog = log, .silences = s, .track = t };
    d->inhibit = inhibit_new(conf);
}

void dispatch_release(struct dispatch *d)
{
    struct am_group *g;
    struct held *h;
    queue_release(d);
    for (size_t i = 0; (g = fp_table_next(&d->groups, &i)) != NULL;) group_free(d, g);
    fp_table_release(&d->groups);
    fp_table_release(&d->groups_by_id);
    for (size_t i = 0; (h = fp_table_next(&d->alerts, &i)) != NULL;) held_unref(h);
    fp_table_release(&d->alerts);
    timer_heap_release(&d->flushes);
    timer_heap_release(&d->escalations);
    inhibit_free(d->inhibit);
    cascade_free(d->cascade);
    call_graph_free(d->calls);
    am_config_unref(d->conf);
    *d = (struct dispatch){ 0 };
}

/* ---- alerts ---- */

static bool overlap(const struct alert *a, const struct alert *old)
{
    return (a->ends_ms > old->starts_ms && a->ends_ms < old->ends_ms) ||
           (a->starts_ms > old->starts_ms && a->starts_ms < old->ends_ms);
}

static struct held *merged(struct dispatch *d, const struct alert *a, int64_t now_ms)
{
    struct alert full = *a;
    bool is_timeout = a->ends_ms == 0;
    if (is_timeout) full.ends_ms = now_ms + d->conf->resolve_timeout_ms;
    struct held *fresh = held_new(&full, is_timeout), *old = fp_table_get(&d->alerts, fresh->fp);
    if (old == NULL || !overlap(&fresh->a, &old->a)) return fresh;
    struct held *both = held_merge(old, fresh, now_ms);
    held_unref(fresh);
    return both;
}

/* A change is history, and may begin or end a cascade. */
static void see(struct dispatch *d, struct held *h, int64_t now_ms)
{
    bool is_firing = !held_resolved(h, now_ms);
    if (!track_see(d->track, h->fp, h->a.labels, is_firing, now_ms)) return;
    d->cascade_is_old = true;
    if (d->changed.see != NULL) d->changed.see(d->changed.ctx, h, is_firing, now_ms);
}

static void put_one(struct dispatch *d, const struct alert *a, int64_t now_ms)
{
    const struct am_route *routes[ROUTES_OF_ONE];
    struct held *h = merged(d, a, now_ms);
    if (d->alerts.n >= DISPATCH_ALERTS_MAX && fp_table_get(&d->alerts, h->fp) == NULL) {
        d->n_refused++;
        held_unref(h);
        return;
    }
    struct held *old = fp_table_put(&d->alerts, h->fp, h);
    d->cascade_is_old |= old == NULL;
    held_unref(old);
    inhibit_see(d->inhibit, h);
    see(d, h, now_ms);
    size_t n = am_route_walk(d->conf, h->a.labels, routes, ROUTES_OF_ONE);
    for (size_t i = 0; i < MIN(n, ROUTES_OF_ONE); i++) group_join(d, routes[i], h, now_ms);
}

void dispatch_put(struct dispatch *d, const struct alert *a, size_t n, int64_t now_ms)
{
    for (size_t i = 0; i < n; i++) put_one(d, &a[i], now_ms);
}

/* Those whose end has come without a word from their sender. */
static void notice_ends(struct dispatch *d, int64_t now_ms)
{
    struct held *h;
    for (size_t i = 0; (h = fp_table_next(&d->alerts, &i)) != NULL;)
        if (held_resolved(h, now_ms)) see(d, h, now_ms);
}

static void alerts_gc(struct dispatch *d, int64_t now_ms)
{
    struct fp_table left = { 0 };
    struct held *h;
    for (size_t i = 0; (h = fp_table_next(&d->alerts, &i)) != NULL;) {
        if (h->a.ends_ms + RESOLVED_MS <= now_ms)
            held_unref(h);
        else
            fp_table_put(&left, h->fp, h);
    }
    fp_table_release(&d->alerts);
    d->alerts = left;
}

/* ---- why mute ---- */

static struct str maintenance(const struct am_config *c, struct labels l, int64_t now_ms)
{
    for (size_t i = 0; i < c->n_maintenance; i++) {
        const struct am_maintenance *m = &c->maintenance[i];
        if (!am_matchers_match(&m->matchers, l)) continue;
        for (size_t k = 0; k < m->n_when; k++)
            if (time_interval_holds(m->when[k], now_ms)) return m->name;
    }
    return STR("");
}

bool dispatch_mute_reasons(const struct dispatch *d, const struct held *h, int64_t now_ms,
                           struct mute_reasons *why)
{
    *why = (struct mute_reasons){ 0 };
    why->is_inhibited = inhibit_mutes(d->inhibit, h->a.labels, now_ms, &why->inhibited_by);
    why->is_silenced = silences_mute(d->silences, h->a.labels, now_ms);
    why->is_flapping =
        track_is_flapping(d->track, h->fp, d->conf->flap_changes, d->conf->flap_window_ms, now_ms);
    why->maintenance = maintenance(d->conf, h->a.labels, now_ms);
    return why->is_inhibited || why->is_silenced || why->is_flapping || why->maintenance.n > 0;
}

struct str dispatch_route_mute(const struct am_route *r, int64_t now_ms, bool *is_inactive)
{
    *is_inactive = r->n_active > 0;
    for (size_t i = 0; i < r->n_active; i++)
        if (time_interval_holds(r->active[i], now_ms)) *is_inactive = false;
    for (size_t i = 0; i < r->n_mute; i++)
        if (time_interval_holds(r->mute[i], now_ms)) return r->mute[i]->name;
    return STR("");
}

/* ---- cascades ---- */

#define CASCADE_MANY    1000 /* alerts; from there on a new look is taken once a second */
#define CASCADE_LOOK_MS 1000

void dispatch_calls(struct dispatch *d, struct call_graph *g)
{
    cascade_free(d->cascade); /* it points into the graph */
    d->cascade = NULL;
    call_graph_free(d->calls);
    d->calls = g;
    d->cascade_is_old = true;
}

static struct cascade *look(const struct dispatch *d, int64_t now_ms)
{
    const struct cascade_terms terms = { d->conf->cascade_window_ms, d->conf->cascade_hops };
    struct cascade_alert *at = mem_array(d->alerts.n + 1, sizeof *at);
    struct held *h;
    size_t n = 0;
    for (size_t i = 0; (h = fp_table_next(&d->alerts, &i)) != NULL;)
        if (!held_resolved(h, now_ms)) at[n++] = (struct cascade_alert){ h->fp, h->a.labels, h->a.starts_ms };
    struct cascade *found = cascade_new(d->calls, at, n, &terms);
    mem_free(at);
    return found;
}

const struct cascade *dispatch_cascade(struct dispatch *d, int64_t now_ms)
{
    bool soon = d->alerts.n > CASCADE_MANY && d->cascade != NULL && now_ms >= d->cascade_ms &&
                now_ms - d->cascade_ms < CASCADE_LOOK_MS;
    if (d->calls == NULL || !d->cascade_is_old || soon) return d->cascade;
    cascade_free(d->cascade);
    d->cascade = look(d, now_ms);
    d->cascade_is_old = false;
    d->cascade_ms = now_ms;
    return d->cascade;
}

bool dispatch_is_effect(const struct dispatch *d, const struct am_route *r, uint64_t fp)
{
    const struct cascade_link *l = r->cascade_suppresses ? cascade_find(d->cascade, fp) : NULL;
    return l != NULL && l->is_effect;
}

/* ---- the round ---- */

static struct am_group *of_flush(struct timer *t)
{
    return (struct am_group *)((char *)t - offsetof(struct am_group, flush_timer));
}

static struct am_group *of_escalation(struct timer *t)
{
    return (struct am_group *)((char *)t - offsetof(struct am_group, escalation_timer));
}

static void upkeep(struct dispatch *d, int64_t now_ms)
{
    groups_gc(d);
    alerts_gc(d, now_ms);
    inhibit_gc(d->inhibit, now_ms);
}

int64_t dispatch_run(struct dispatch *d, int64_t now_ms)
{
    for (struct timer *t; (t = timer_due(&d->flushes, now_ms)) != NULL;) group_flush(d, of_flush(t), now_ms);
    for (struct timer *t; (t = timer_due(&d->escalations, now_ms)) != NULL;)
        group_escalate(d, of_escalation(t), now_ms);
    queue_retry_due(d, now_ms);
    if (now_ms >= d->next_look_ms) {
        notice_ends(d, now_ms);
        d->next_look_ms = now_ms + LOOK_MS;
    }
    if (now_ms >= d->next_upkeep_ms) {
        if (d->next_upkeep_ms > 0) upkeep(d, now_ms);
        d->next_upkeep_ms = now_ms + UPKEEP_MS;
    }
    int64_t next = MIN(timer_next_ms(&d->flushes), timer_next_ms(&d->escalations));
    next = MIN(next, timer_next_ms(&d->retries));
    return MIN(next, now_ms + LOOK_MS);
}

void dispatch_reload(struct dispatch *d, struct am_config *conf, int64_t now_ms)
{
    struct am_config *old = d->conf;
    struct held *h;
    inhibit_free(d->inhibit);
    d->conf = am_config_ref(conf);
    d->inhibit = inhibit_new(conf);
    for (size_t i = 0; (h = fp_table_next(&d->alerts, &i)) != NULL;) inhibit_see(d->inhibit, h);
    d->cascade_is_old = true;
    groups_reload(d, now_ms);
    am_config_unref(old);
}

static void shift(struct timer_heap *h, int64_t by_ms)
{
    for (size_t i = 0; i < h->n; i++) h->at[i]->at_ms += by_ms;
}

void dispatch_shift(struct dispatch *d, int64_t by_ms)
{
    shift(&d->flushes, by_ms);
    shift(&d->escalations, by_ms);
    shift(&d->retries, by_ms);
    d->next_upkeep_ms += by_ms;
    d->next_look_ms += by_ms;
}
