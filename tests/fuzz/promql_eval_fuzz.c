/* promql_eval_fuzz.c - any text as a query over a small store with counters, gauges, classic and native
 * histograms.
 *
 * The first byte chooses instant or range. Memory, samples and time are limited, so that only crashes and
 * wrong memory are found, not slowness. */
#include <stdlib.h>

#include "query/promql/engine.h"
#include "unit/toy_store.c"

static struct engine *en;

static void add(struct store *s, const char *name, const char *key, const char *value, int64_t t, double v,
                const struct histogram *h)
{
    struct label l[] = { { STR("__name__"), str_of(name) }, { str_of(key), str_of(value) } };
    toy_store_add(s, (struct labels){ l, 2 }, t, v, h, t % 7 == 0 ? t - 5000 : 0);
}

static void fill(struct store *s)
{
    static const char *const les[] = { "0.1", "1", "10", "+Inf" };
    struct hist_span span = { 0, 3 };
    double counts[3], bounds[2] = { 1, 5 };
    for (int i = 0; i < 60; i++) {
        int64_t t = i * 15000;
        for (int k = 0; k < 3; k++) counts[k] = (double)((i % 20) * (k + 1));
        struct histogram h = { .schema = i % 3,
                               .count = counts[0] * 6,
                               .sum = i,
                               .zero_threshold = 0.01 * (i % 2),
                               .n_pos_spans = 1,
                               .n_pos = 3,
                               .pos_spans = &span,
                               .pos = counts,
                               .n_neg_spans = i % 2,
                               .n_neg = i % 2 ? 3 : 0,
                               .neg_spans = &span,
                               .neg = counts };
        struct histogram c = { .schema = HISTOGRAM_CUSTOM,
                               .count = counts[0] * 6,
                               .sum = i,
                               .n_pos_spans = 1,
                               .n_pos = 3,
                               .pos_spans = &span,
                               .pos = counts,
                               .n_custom = 2,
                               .custom = bounds };
        add(s, "c_total", "a", "x", t, (double)(i % 25), NULL);
        add(s, "c_total", "a", "y", t, i == 30 ? double_of(STALE_BITS) : i * 2.5, NULL);
        add(s, "g", "a", "x", t, i % 9 == 0 ? double_of(NAN_BITS) : 10 - i, NULL);
        add(s, "h", "a", "x", t, 0, &h);
        add(s, "h", "a", "y", t, 0, &c);
        add(s, "mixed", "a", "x", t, i, i % 10 < 5 ? &h : NULL);
        add(s, "target_info", "a", "z", t, 1, NULL);
        for (int k = 0; k < 4; k++) add(s, "b_bucket", "le", les[k], t, (double)(i * (k + 1)), NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct query_result r;
    struct err e = ERR_INIT;

    if (en == NULL) {
        struct store *s = toy_store_new();
        fill(s);
        en = engine_new(
            s, NULL,
            &(struct engine_conf){ .timeout_ms = 300, .max_samples = 200000, .max_memory_bytes = 32 << 20 });
    }
    if (size == 0) return 0;
    struct query_conf c = { .text = str_make(data + 1, size - 1), .start_ms = 300000, .end_ms = 300000 };
    if (data[0] & 1) c.end_ms = 600000, c.step_ms = 30000;
    if (engine_query(en, &c, &r, &e) == OK) query_result_release(&r);
    return 0;
}
