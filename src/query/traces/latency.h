/* latency.h - how long things took: counts in buckets whose bounds grow by 1/16 octave, so that a quantile is
 * at most 4.5 % off. 4 KiB; no allocation. */
#pragma once
#include <stdint.h>

#define LATENCY_BUCKETS 1024 /* 64 octaves of 16 */

struct latency {
    uint64_t n;
    int64_t max_ns;
    double sum_ns;
    uint32_t count[LATENCY_BUCKETS];
};

void latency_add(struct latency *, int64_t ns);
double latency_quantile(const struct latency *, double q); /* ns; 0 when empty */
