/* channel_view.c - a notification as receivers see it. */
#include "base/check.h"
#include "tell/channel/channel_impl.h"

static struct labels set_of(const struct alert *a, bool annotations)
{
    return annotations ? a->annotations : a->labels;
}

/* The pairs that all have. */
static struct labels common_of(const struct alert *alerts, size_t n, bool annotations, struct arena *a)
{
    struct labels first = n > 0 ? set_of(alerts, annotations) : (struct labels){ 0 };
    struct label *kept = arena_array(a, first.n + 1, sizeof *kept);
    size_t n_kept = 0;
    for (size_t i = 0; i < first.n; i++) {
        bool common = true;
        for (size_t k = 1; k < n && common; k++)
            common =
                str_eq(labels_get_str(set_of(&alerts[k], annotations), first.at[i].name), first.at[i].value);
        if (common) kept[n_kept++] = first.at[i];
    }
    return (struct labels){ kept, n_kept };
}

static struct str quote_meta(struct str s, struct arena *a)
{
    char *out = arena_alloc(a, 2 * s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != 0 && strchr("\\.+*?()|[]{}^$", s.p[i])) out[n++] = '\\';
        out[n++] = s.p[i];
    }
    return str_make(out, n);
}

struct channel_view channel_view(const struct notification *n, uint64_t max_alerts, struct arena *a)
{
    struct channel_view v = { .receiver = quote_meta(n->receiver, a),
                              .status = "resolved",
                              .alerts = n->alerts,
                              .n = n->n,
                              .n_truncated = n->n_truncated,
                              .common_labels = n->common_labels,
                              .common_annotations = n->common_annotations };
    if (max_alerts > 0 && v.n > max_alerts) {
        v.n_truncated += v.n - max_alerts;
        v.n = max_alerts;
        v.common_labels = common_of(v.alerts, v.n, false, a);
        v.common_annotations = common_of(v.alerts, v.n, true, a);
    }
    for (size_t i = 0; i < v.n; i++)
        if (!alert_is_resolved(&v.alerts[i], n->now_ms)) v.status = "firing";
    return v;
}
