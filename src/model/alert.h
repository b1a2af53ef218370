/* alert.h - an alert on its way: from a rule, or from another Prometheus, to those who route and tell.
 *
 * Its identity is its labels: two alerts with equal labels are one alert at two times. */
#pragma once
#include "model/labels.h"

struct alert {
    struct labels labels, annotations; /* alertname is a label like any other */
    int64_t starts_ms, ends_ms;        /* ends_ms 0: not said, the receiver gives it its resolve_timeout */
    int64_t updated_ms;
    struct str generator_url;
};

/* FNV-1a, 64 bits, over name 0xff value 0xff of each pair: what Prometheus and Alertmanager call the
 * fingerprint, printed as 16 hex digits. */
uint64_t alert_fingerprint(struct labels);
/* ends_ms is set and not after now. */
static inline bool alert_is_resolved(const struct alert *a, int64_t now_ms)
{
    return a->ends_ms > 0 && a->ends_ms <= now_ms;
}

/* Who takes them. Copies what it keeps; quick; any thread. */
struct alert_sink {
    void (*send)(void *ctx, const struct alert *, size_t n);
    void *ctx;
};
