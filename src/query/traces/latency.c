#include "query/traces/latency.h"

#include "base/check.h"

/* 16 buckets an octave, split evenly; below 16 ns each value has its own. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < 16) return (unsigned)ns;
    unsigned top = 63 - (unsigned)__builtin_clzll(ns);
    return MIN((top - 3) * 16 + (unsigned)(ns >> (top - 4) & 15), LATENCY_BUCKETS - 1u);
}

static double lower_bound(unsigned bucket)
{
    if (bucket < 16) return bucket;
    return (double)(16 + bucket % 16) * (double)(UINT64_C(1) << (bucket / 16 - 1));
}

void latency_add(struct latency *l, int64_t ns)
{
    if (ns < 0) return;
    l->n++;
    l->sum_ns += (double)ns;
    l->max_ns = MAX(l->max_ns, ns);
    l->count[bucket_of((uint64_t)ns)]++;
}

double latency_quantile(const struct latency *l, double q)
{
    double rank = q * (double)l->n, seen = 0;
    for (unsigned b = 0; b < LATENCY_BUCKETS; b++) {
        if (l->count[b] == 0 || seen + l->count[b] < rank) {
            seen += l->count[b];
            continue;
        }
        double low = lower_bound(b), high = lower_bound(b + 1);
        double v = b < 16 ? low : low + (high - low) * (rank - seen) / l->count[b];
        return MIN(v, (double)l->max_ns);
    }
    return (double)l->max_ns;
}
