/* delivery.c - see delivery.h. */
#include "tell/notify/delivery.h"

#include "base/check.h"
#include "base/mem.h"

#define SEND_MS_MAX            10000 /* one attempt at the longest: there may be time for another */
#define BACK_OFF_MS            500
#define NOTIFICATION_BYTES_MAX (64u << 20)

static const uint64_t *copy_set(struct arena *a, const uint64_t *set, size_t n)
{
    uint64_t *to = arena_array(a, n + 1, sizeof *to);
    if (n > 0) memcpy(to, set, n * sizeof *to);
    return to;
}

static struct labels copy_labels(struct arena *a, struct labels l)
{
    struct label *at = arena_array(a, l.n + 1, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(a, l.at[i].name), arena_str(a, l.at[i].value) };
    return (struct labels){ at, l.n };
}

static void take_alerts(struct delivery *d, const struct delivery_of *of)
{
    bool with_resolved = of->in->send_resolved;
    d->alerts = arena_array(&d->arena, of->n + 1, sizeof(struct held *));
    for (size_t i = 0; i < of->n; i++)
        if (!of->resolved[i]) d->alerts[d->n++] = held_ref(of->alerts[i]);
    d->n_firing = d->n;
    for (size_t i = 0; with_resolved && i < of->n; i++)
        if (of->resolved[i]) d->alerts[d->n++] = held_ref(of->alerts[i]);
}

struct delivery *delivery_new(const struct delivery_of *of)
{
    struct delivery *d = mem_alloc_zero(sizeof *d);
    d->arena = (struct arena)ARENA_INIT(NOTIFICATION_BYTES_MAX);
    d->conf = am_config_ref(of->conf);
    d->route = of->route;
    d->in = of->in;
    d->reason = of->reason;
    d->flush_ms = of->now_ms;
    d->deadline_ms = of->deadline_ms;
    d->back_off_ms = BACK_OFF_MS;
    d->log = *of->log;
    d->log.firing = copy_set(&d->arena, of->log->firing, of->log->n_firing);
    d->log.resolved = copy_set(&d->arena, of->log->resolved, of->log->n_resolved);
    d->group_key = arena_str(&d->arena, of->group_key);
    d->log_key = arena_str(&d->arena, of->log_key);
    d->group_labels = copy_labels(&d->arena, of->group_labels);
    take_alerts(d, of);
    return d;
}

void delivery_free(struct delivery *d)
{
    if (d == NULL) return;
    for (size_t i = 0; i < d->n; i++) held_unref(d->alerts[i]);
    am_config_unref(d->conf);
    arena_release(&d->arena);
    mem_free(d);
}

/* ---- sending ---- */

/* The pairs that all have. */
static struct labels common(struct arena *a, const struct delivery *d, bool annotations)
{
    if (d->n == 0) return (struct labels){ 0 };
    const struct alert *first = &d->alerts[0]->a;
    struct labels some = annotations ? first->annotations : first->labels;
    struct label *at = arena_array(a, some.n + 1, sizeof *at);
    size_t n = 0;
    for (size_t i = 0; i < some.n; i++) {
        bool all = true;
        for (size_t k = 1; k < d->n && all; k++) {
            struct labels l = annotations ? d->alerts[k]->a.annotations : d->alerts[k]->a.labels;
            all = str_eq(labels_get_str(l, some.at[i].name), some.at[i].value);
        }
        if (all) at[n++] = some.at[i];
    }
    return (struct labels){ at, n };
}

void delivery_send(struct delivery *d, const struct notify_templates *t, struct str external_url,
                   int64_t now_ms, struct channel_result *out)
{
    struct arena a = ARENA_INIT(NOTIFICATION_BYTES_MAX);
    struct alert *alerts = arena_array(&a, d->n + 1, sizeof *alerts);
    for (size_t i = 0; i < d->n; i++) {
        alerts[i] = d->alerts[i]->a;
        if (i < d->n_firing) alerts[i].ends_ms = 0; /* what fires has no end yet */
    }
    struct notification n = {
        .receiver = d->in->receiver->name,
        .group_key = d->group_key,
        .group_labels = d->group_labels,
        .common_labels = common(&a, d, false),
        .common_annotations = common(&a, d, true),
        .route_labels = d->route->labels,
        .alerts = alerts,
        .n = d->n,
        .n_firing = d->n_firing,
        .now_ms = d->flush_ms,
        .timeout_ms = MAX(MIN(d->deadline_ms - now_ms, SEND_MS_MAX), 1000),
        .external_url = external_url,
        .reason = d->reason,
        .templates = t,
    };
    *out = (struct channel_result){ .outcome = CHANNEL_FAILED };
    d->in->kind->send(d->in->conf, &n, out);
    arena_release(&a);
}
