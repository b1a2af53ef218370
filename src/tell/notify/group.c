/* group.c - a group of alerts that are told together: it is joined, flushed, escalated, and goes when empty.
 *
 * Its key is the one Alertmanager prints, route key and group labels; receivers build their own identities on
 * it. Two routes with equal matchers share such a key, so inside a group is found by route and labels. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "query/promql/lex.h"
#include "tell/notify/dispatch_impl.h"

#define FLUSH_MS_MIN      10000 /* a flush may last this long however short the group_interval */
#define GROUP_BYTES_MAX   (1u << 20)
#define QUOTE_RUNES_MAX   (64u << 10)
#define ESCALATE_LATER_MS 1000

/* ---- identity ---- */

static bool in_group_by(const struct am_route *r, struct str name)
{
    for (size_t i = 0; i < r->n_group_by; i++)
        if (str_eq(r->group_by[i], name)) return true;
    return r->group_by_all;
}

static size_t group_labels(const struct am_route *r, struct labels l, struct label *out)
{
    size_t n = 0;
    for (size_t i = 0; i < l.n && n < LABELS_MAX; i++)
        if (in_group_by(r, l.at[i].name)) out[n++] = l.at[i];
    return n;
}

static void put_key(struct buf *b, const struct am_route *r, struct labels l)
{
    buf_str(b, r->key);
    buf_cs(b, ":{");
    for (size_t i = 0; i < l.n; i++) {
        buf_printf(b, "%s%.*s=", i ? ", " : "", STR_ARG(l.at[i].name));
        lex_quote(b, l.at[i].value, QUOTE_RUNES_MAX);
    }
    buf_char(b, '}');
}

static uint64_t table_key(const struct am_route *r, struct labels l)
{
    return alert_fingerprint(l) ^ ((uint64_t)r->index + 1) * 0x9e3779b97f4a7c15u;
}

static struct am_group *group_new(struct dispatch *d, const struct am_route *r, struct labels l, uint64_t key)
{
    struct am_group *g = mem_alloc_zero(sizeof *g);
    struct buf text = BUF_INIT(GROUP_BYTES_MAX);
    g->arena = (struct arena)ARENA_INIT(GROUP_BYTES_MAX);
    g->route = r;
    g->id = ++d->last_id;
    g->table_key = key;
    struct label *at = arena_array(&g->arena, l.n + 1, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(&g->arena, l.at[i].name), arena_str(&g->arena, l.at[i].value) };
    g->labels = (struct labels){ at, l.n };
    put_key(&text, r, g->labels);
    g->key = arena_str(&g->arena, buf_view(&text));
    buf_release(&text);
    fp_table_put(&d->groups, key, g);
    fp_table_put(&d->groups_by_id, g->id, g);
    return g;
}

static void drop_flushed(struct am_group *g)
{
    for (size_t i = 0; i < g->n_flushed; i++) held_unref(g->flushed[i]);
    mem_free(g->flushed);
    g->flushed = NULL;
    g->n_flushed = 0;
}

/* It is in the tables no more. */
void group_free(struct dispatch *d, struct am_group *g)
{
    struct held *h;
    timer_clear(&d->flushes, &g->flush_timer);
    timer_clear(&d->escalations, &g->escalation_timer);
    for (size_t i = 0; (h = fp_table_next(&g->alerts, &i)) != NULL;) held_unref(h);
    fp_table_release(&g->alerts);
    drop_flushed(g);
    arena_release(&g->arena);
    mem_free(g);
}

/* ---- joining ---- */

/* When the next step of escalation is due for anyone in the group. */
static void plan_escalation(struct dispatch *d, struct am_group *g, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    struct held *h;
    for (size_t i = 0; g->route->n_escalations > 0 && (h = fp_table_next(&g->alerts, &i)) != NULL;)
        for (size_t k = 0; k < g->route->n_escalations; k++) {
            int64_t at = h->a.starts_ms + g->route->escalations[k].delay_ms;
            if (at > now_ms && at < next && !held_resolved(h, now_ms)) next = at;
        }
    if (next < INT64_MAX)
        timer_set(&d->escalations, &g->escalation_timer, next);
    else
        timer_clear(&d->escalations, &g->escalation_timer);
}

void group_join(struct dispatch *d, const struct am_route *r, struct held *h, int64_t now_ms)
{
    struct label pairs[LABELS_MAX];
    struct labels l = { pairs, group_labels(r, h->a.labels, pairs) };
    uint64_t key = table_key(r, l);
    struct am_group *g = fp_table_get(&d->groups, key);
    if (g == NULL) {
        g = group_new(d, r, l, key);
        timer_set(&d->flushes, &g->flush_timer, now_ms + r->group_wait_ms);
    }
    held_unref(fp_table_put(&g->alerts, h->fp, held_ref(h)));
    /* It has waited long enough elsewhere: in another Alertmanager, or before a restart. */
    if (!g->has_flushed && h->a.starts_ms + r->group_wait_ms < now_ms)
        timer_set(&d->flushes, &g->flush_timer, now_ms);
    if (r->n_escalations > 0) plan_escalation(d, g, now_ms);
}

/* ---- flushing ---- */

/* The alerts of a group at one moment, as they are told. */
struct snapshot {
    struct held **at;
    bool *resolved;
    size_t n;
    uint64_t *firing, *gone; /* fingerprints, sorted */
    size_t n_firing, n_gone;
    struct arena arena;
};

static int by_number(const void *pa, const void *pb)
{
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;
    return a < b ? -1 : a > b;
}

static void snapshot_sets(struct snapshot *s)
{
    s->n_firing = s->n_gone = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->resolved[i])
            s->gone[s->n_gone++] = s->at[i]->fp;
        else
            s->firing[s->n_firing++] = s->at[i]->fp;
    }
    qsort(s->firing, s->n_firing, sizeof *s->firing, by_number);
    qsort(s->gone, s->n_gone, sizeof *s->gone, by_number);
}

static void snapshot_take(struct snapshot *s, const struct am_group *g, int64_t now_ms)
{
    size_t n = g->alerts.n + 1;
    struct held *h;
    *s = (struct snapshot){ .arena = ARENA_INIT(SIZE_MAX / 2) };
    s->at = arena_array(&s->arena, n, sizeof(struct held *));
    s->resolved = arena_array(&s->arena, n, sizeof *s->resolved);
    s->firing = arena_array(&s->arena, n, sizeof *s->firing);
    s->gone = arena_array(&s->arena, n, sizeof *s->gone);
    for (size_t i = 0; (h = fp_table_next(&g->alerts, &i)) != NULL;) s->at[s->n++] = h;
    qsort(s->at, s->n, sizeof(struct held *), held_order);
    for (size_t i = 0; i < s->n; i++) s->resolved[i] = held_resolved(s->at[i], now_ms);
}

static void snapshot_mute(struct snapshot *s, struct dispatch *d, const struct am_route *r, int64_t now_ms)
{
    size_t n = 0;
    struct mute_reasons why;
    if (r->cascade_suppresses) dispatch_cascade(d, now_ms);
    for (size_t i = 0; i < s->n; i++) {
        if (dispatch_is_effect(d, r, s->at[i]->fp)) continue;
        if (dispatch_mute_reasons(d, s->at[i], now_ms, &why)) continue;
        s->at[n] = s->at[i];
        s->resolved[n++] = s->resolved[i];
    }
    s->n = n;
}

struct news {
    const struct nflog_entry *now;
    bool send_resolved;
    int64_t repeat_ms;
    const char *reason;
};

static void ask_news(const struct nflog_entry *last, void *ctx)
{
    struct news *n = ctx;
    n->reason = nflog_news(last, n->now, n->send_resolved, n->repeat_ms);
}

/* suffix tells steps of escalation apart from the route's own telling. */
static struct str log_key(const struct am_group *g, const struct am_integration *in, const char *suffix,
                          struct arena *a)
{
    return arena_printf(a, "%.*s:%.*s%s", STR_ARG(g->key), STR_ARG(in->key), suffix);
}

static void tell_one(struct dispatch *d, struct am_group *g, const struct am_integration *in,
                     struct snapshot *s, const char *suffix, int64_t repeat_ms, int64_t now_ms)
{
    struct nflog_entry now = { now_ms, 0, s->firing, s->gone, s->n_firing, s->n_gone };
    struct news news = { &now, in->send_resolved, repeat_ms, NULL };
    struct str key = log_key(g, in, suffix, &s->arena);
    if (!nflog_ask(d->nflog, key, ask_news, &news))
        news.reason = nflog_news(NULL, &now, in->send_resolved, repeat_ms);
    if (news.reason == NULL) return;

    bool escalates =
        suffix[0] != 0 && (strcmp(news.reason, "first") == 0 || strcmp(news.reason, "new alerts") == 0);
    struct delivery *m = delivery_new(&(struct delivery_of){
        .conf = d->conf,
        .route = g->route,
        .in = in,
        .group_key = g->key,
        .log_key = key,
        .group_labels = g->labels,
        .alerts = s->at,
        .resolved = s->resolved,
        .n = s->n,
        .reason = escalates ? "escalation" : news.reason,
        .log = &now,
        .now_ms = now_ms,
        .deadline_ms = now_ms + MAX(g->route->group_interval_ms, FLUSH_MS_MIN),
    });
    m->group_id = g->id;
    if (m->n_firing == 0 && !in->send_resolved) { /* nothing to say, but the log must know */
        dispatch_log(d, m, now_ms);
        delivery_free(m);
        return;
    }
    g->in_flight++;
    d->n_deliveries++;
    queue_push(d, m);
}

static void tell(struct dispatch *d, struct am_group *g, const struct am_receiver *to, struct snapshot *s,
                 const char *suffix, int64_t repeat_ms, int64_t now_ms)
{
    snapshot_sets(s);
    for (size_t i = 0; s->n > 0 && i < to->n; i++)
        if (to->at[i].kind != NULL) tell_one(d, g, &to->at[i], s, suffix, repeat_ms, now_ms);
}

static void keep_resolved(struct am_group *g, const struct snapshot *s)
{
    drop_flushed(g);
    g->flushed = mem_array(s->n + 1, sizeof(struct held *));
    for (size_t i = 0; i < s->n; i++)
        if (s->resolved[i]) g->flushed[g->n_flushed++] = held_ref(s->at[i]);
}

static void forget_resolved(struct am_group *g)
{
    for (size_t i = 0; i < g->n_flushed; i++) {
        struct held *h = g->flushed[i];
        if (fp_table_get(&g->alerts, h->fp) != h) continue; /* it has come again */
        fp_table_remove(&g->alerts, h->fp);
        held_unref(h);
    }
    drop_flushed(g);
}

static void escalate(struct dispatch *d, struct am_group *g, int64_t now_ms);

void group_flush(struct dispatch *d, struct am_group *g, int64_t now_ms)
{
    struct snapshot s;
    bool inactive;
    if (g->in_flight > 0) {
        g->is_late = true;
        return;
    }
    timer_set(&d->flushes, &g->flush_timer, now_ms + g->route->group_interval_ms);
    g->has_flushed = true;
    g->is_late = g->has_failed = false;
    if (g->alerts.n == 0) return;

    snapshot_take(&s, g, now_ms);
    keep_resolved(g, &s);
    snapshot_mute(&s, d, g->route, now_ms);
    g->was_mute_by_time = dispatch_route_mute(g->route, now_ms, &inactive).n > 0 || inactive;
    if (!g->was_mute_by_time) {
        tell(d, g, g->route->receiver, &s, "", g->route->repeat_interval_ms, now_ms);
        escalate(d, g, now_ms);
    }
    arena_release(&s.arena);
    if (g->in_flight == 0) forget_resolved(g);
}

void group_told(struct dispatch *d, struct am_group *g, bool ok, int64_t now_ms)
{
    check(g->in_flight > 0);
    g->has_failed |= !ok;
    if (--g->in_flight > 0) return;
    if (g->has_failed)
        drop_flushed(g);
    else
        forget_resolved(g);
    if (g->is_late) timer_set(&d->flushes, &g->flush_timer, now_ms);
}

/* ---- escalation ---- */

/* To be told to step k: what fires unacknowledged for that long; what has been told to it already stays, so
 * that its end is told, too. */
static void snapshot_escalate(struct snapshot *s, const struct dispatch *d, int64_t delay_ms, int64_t now_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct held *h = s->at[i];
        bool due = now_ms - h->a.starts_ms >= delay_ms && !track_is_acknowledged(d->track, h->fp, NULL);
        if (!s->resolved[i] && !due) continue;
        s->at[n] = s->at[i];
        s->resolved[n++] = s->resolved[i];
    }
    s->n = n;
}

static void escalate(struct dispatch *d, struct am_group *g, int64_t now_ms)
{
    for (size_t k = 0; k < g->route->n_escalations; k++) {
        struct snapshot s;
        char suffix[48];
        snapshot_take(&s, g, now_ms);
        snapshot_mute(&s, d, g->route, now_ms);
        snapshot_escalate(&s, d, g->route->escalations[k].delay_ms, now_ms);
        snprintf(suffix, sizeof suffix, "/escalation/%zu", k);
        tell(d, g, g->route->escalations[k].receiver, &s, suffix, g->route->repeat_interval_ms, now_ms);
        arena_release(&s.arena);
    }
    plan_escalation(d, g, now_ms);
}

void group_escalate(struct dispatch *d, struct am_group *g, int64_t now_ms)
{
    bool inactive;
    if (g->in_flight > 0) {
        timer_set(&d->escalations, &g->escalation_timer, now_ms + ESCALATE_LATER_MS);
        return;
    }
    g->has_failed = true; /* resolved ones leave with a flush, not now */
    if (dispatch_route_mute(g->route, now_ms, &inactive).n == 0 && !inactive) escalate(d, g, now_ms);
}

/* ---- all of them ---- */

static void unlist(struct dispatch *d, struct am_group *g)
{
    fp_table_remove(&d->groups, g->table_key);
    fp_table_remove(&d->groups_by_id, g->id);
}

void groups_gc(struct dispatch *d)
{
    struct am_group *g, **empty = mem_array(d->groups.n + 1, sizeof *empty);
    size_t n = 0;
    for (size_t i = 0; (g = fp_table_next(&d->groups, &i)) != NULL;)
        if (g->alerts.n == 0 && g->in_flight == 0) empty[n++] = g;
    for (size_t i = 0; i < n; i++) {
        unlist(d, empty[i]);
        group_free(d, empty[i]);
    }
    mem_free(empty);
}

/* What a new group takes over from one of the same key: its clock and what is under way. */
static void take_over(struct dispatch *d, struct am_group *g, struct am_group *old, int64_t now_ms)
{
    fp_table_remove(&d->groups_by_id, g->id);
    g->id = old->id;
    fp_table_put(&d->groups_by_id, g->id, g);
    g->has_flushed = old->has_flushed;
    g->in_flight = old->in_flight;
    g->has_failed = old->has_failed;
    g->is_late = old->is_late;
    g->flushed = old->flushed;
    g->n_flushed = old->n_flushed;
    old->flushed = NULL;
    old->n_flushed = 0;
    int64_t soonest = now_ms + (g->has_flushed ? g->route->group_interval_ms : g->route->group_wait_ms);
    timer_set(&d->flushes, &g->flush_timer, MIN(old->flush_timer.at_ms, soonest));
}

static uint64_t key_hash(const struct am_group *g)
{
    return hash64(g->key.p, g->key.n);
}

static void rejoin(struct dispatch *d, struct held *h, int64_t now_ms)
{
    const struct am_route *routes[64];
    size_t n = am_route_walk(d->conf, h->a.labels, routes, COUNT(routes));
    for (size_t i = 0; i < MIN(n, COUNT(routes)); i++) group_join(d, routes[i], h, now_ms);
}

void groups_reload(struct dispatch *d, int64_t now_ms)
{
    struct fp_table old = d->groups, by_key = { 0 };
    struct am_group *g, *before;
    struct held *h;
    d->groups = (struct fp_table){ 0 };
    fp_table_release(&d->groups_by_id);
    for (size_t i = 0; (g = fp_table_next(&old, &i)) != NULL;) {
        for (size_t k = 0; (h = fp_table_next(&g->alerts, &k)) != NULL;) rejoin(d, h, now_ms);
        fp_table_put(&by_key, key_hash(g), g);
    }
    for (size_t i = 0; (g = fp_table_next(&d->groups, &i)) != NULL;)
        if ((before = fp_table_remove(&by_key, key_hash(g))) != NULL) take_over(d, g, before, now_ms);
    for (size_t i = 0; (g = fp_table_next(&old, &i)) != NULL;) group_free(d, g);
    fp_table_release(&old);
    fp_table_release(&by_key);
}
