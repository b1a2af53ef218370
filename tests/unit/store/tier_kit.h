/* tier_kit.h - a store with closed days of generated series, with and without summaries: for the tests of the
 * tiers and of the queries over them.
 *
 * Counters with resets, gauges on a high base, gaps, stale markers, and a series with rows at midnight
 * exactly; the last series has histograms. Values are a function of (series, instant), so that two stores
 * hold the same. */
#pragma once
#include "base/clock.h"
#include "base/mem.h"
#include "store/embedded.h"
#include "unit/store/store_model.h"

#define KIT_SERIES  10
#define KIT_DAYS    4
#define KIT_STEP_MS 20000 /* divides the day: rows fall on its edges */
#define KIT_HIST    (KIT_SERIES - 1)

/* Midnight that began the first day: the last day is closed since more than an hour, whatever the hour. */
static inline int64_t kit_start_ms(void)
{
    return (clock_now_ms() / DAY - KIT_DAYS - 2) * DAY;
}

static inline uint64_t kit_mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15ull;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9ull;
    return x ^ x >> 32;
}

/* False: no row there. */
static inline bool kit_value(size_t s, uint64_t i, double *v)
{
    uint64_t r = kit_mix(i * 31 + s);
    if (s % 4 == 3 && i / 500 % 3 == 1) return false; /* long gaps */
    if (r % 50 == 0) return false;
    *v = s % 2 ? 1e6 + (double)(r % 4096) / 7 : (double)(i % (700 + 37 * s)) * 1.5 + (double)(r % 3) / 4;
    if (s % 3 == 1 && r % 97 == 1) *v = double_of(STALE_BITS);
    if (s == 7 && r % 400 == 2) *v = NAN;
    return true;
}

static inline void kit_write(struct store *s, int64_t start_ms, size_t series, uint64_t first, uint64_t n)
{
    struct arena a = ARENA_INIT(256u << 20);
    struct batch b;
    struct write_result r;
    struct err e = ERR_INIT;
    batch_init(&b, &a, LABELS_PACKED);
    batch_series_labels(&b, model_labels(series, &a));
    for (uint64_t i = first; i < first + n; i++) {
        double v;
        int64_t t = start_ms + (int64_t)i * KIT_STEP_MS;
        if (!kit_value(series, i, &v)) continue;
        if (series == KIT_HIST && i % 5 == 0)
            batch_histogram(&b, t, model_histogram((double)(i % 1000), &a));
        else
            batch_sample(&b, t, v);
    }
    EXPECT(store_write(s, &b, ACK_MEMORY, &r, NULL, NULL, &e) == OK && r.rejected_total == 0);
    arena_release(&a);
}

static inline void kit_fill(struct store *s, int64_t start_ms)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < KIT_SERIES; i++)
        for (uint64_t d = 0; d < KIT_DAYS; d++)
            kit_write(s, start_ms, i, d * DAY / KIT_STEP_MS, DAY / KIT_STEP_MS);
    EXPECT(store_admin(s, STORE_FLUSH, NULL, &e) == OK);
}

struct kit_conf {
    bool tier_5m, tier_1h;
    int64_t retention_ms;
};

static inline struct store *kit_open(const char *dir, struct kit_conf k)
{
    struct store *s = NULL;
    struct err e = ERR_INIT;
    struct embedded_conf conf = { .dir = dir,
                                  .min_free_bytes = 1,
                                  .tier_5m = k.tier_5m,
                                  .tier_1h = k.tier_1h,
                                  .retention_ms = k.retention_ms };
    int rc = embedded_open(&conf, &s, &e);
    if (rc < 0) print_error("open: %s\n", e.text);
    EXPECT(rc == OK);
    return s;
}

static inline void kit_do(struct store *s, enum store_admin what)
{
    struct err e = ERR_INIT;
    int rc = store_admin(s, what, NULL, &e);
    if (rc < 0) print_error("admin: %s\n", e.text);
    EXPECT(rc == OK);
}
