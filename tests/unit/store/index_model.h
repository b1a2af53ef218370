/* index_model.h - what an index of series must answer, the slow and obvious way: every series, one
 * after the other. */
#pragma once
#include <stdlib.h>

#include "base/check.h"
#include "model/matcher.h"
#include "model/store.h"
#include "unit/test.h"

struct model_series {
    uint64_t key;
    struct labels labels;
    struct str packed;
};

struct model {
    struct arena arena;
    struct model_series *at;
    size_t n, cap;
};

static inline uint32_t model_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static const char *const model_names[] = { "instance", "job", "le", "mode", "odd.name", "zone" };
static const char *const model_values[] = { "a",   "b",        "c",      "a1",           "a2",  "ab",
                                            "abc", "b1",       "10",     "100",          "200", "x-",
                                            "é",   "a\nnewer", "a.b|c*", "prod-eu-west", "+Inf" };
static const char *const model_metrics[] = { "up", "http_requests_total", "http_requests", "cpu",
                                             "cpu_seconds" };
static const char *const model_patterns[] = {
    "",       "a",      ".*",     ".+",   "a|b|c",           "a.*",    "a|",       "[0-9]+",
    "(a|b)1", "http.*", "up|cpu", "x.*|", "prod-(eu|us)-.*", "nosuch", "nosuch.*", "[^a].*",
    "a.+",    "cpu"
};

static inline struct str model_pick(const char *const *from, size_t n, uint64_t *seed)
{
    return str_of(from[model_random(seed) % n]);
}

/* A random label set; about one in ten has no name. values: how many values a label may have (numbered
 * ones beyond the list). */
static inline struct labels model_labels(uint64_t *seed, size_t values, struct arena *a)
{
    struct label *at = arena_array(a, 8, sizeof *at);
    size_t n = 0;
    struct err e = ERR_INIT;
    if (model_random(seed) % 10 != 0)
        at[n++] = (struct label){ STR(LABEL_NAME), model_pick(model_metrics, COUNT(model_metrics), seed) };
    for (size_t i = 0; i < COUNT(model_names); i++) {
        if (model_random(seed) % 3 == 0 && !(n == 0 && i == COUNT(model_names) - 1)) continue;
        uint32_t v = model_random(seed) % (uint32_t)values;
        at[n++] = (struct label){ str_of(model_names[i]), v < COUNT(model_values)
                                                              ? str_of(model_values[v])
                                                              : arena_printf(a, "value-%u", v) };
    }
    EXPECT(labels_normalise(at, &n, &e) == OK);
    return (struct labels){ at, n };
}

static inline struct str model_pack(struct labels l, struct arena *a)
{
    struct buf b = BUF_INIT(1 << 20);
    labels_pack(&b, l);
    struct str s = arena_str(a, buf_view(&b));
    buf_release(&b);
    return s;
}

static inline struct model_series *model_find(const struct model *m, struct labels l)
{
    for (size_t i = 0; i < m->n; i++)
        if (labels_eq(m->at[i].labels, l)) return &m->at[i];
    return NULL;
}

static inline void model_add(struct model *m, uint64_t key, struct labels l)
{
    m->at = arena_grow(&m->arena, m->at, m->n, &m->cap, sizeof *m->at);
    m->at[m->n++] = (struct model_series){ key, l, model_pack(l, &m->arena) };
}

static inline int model_by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct model_series *)a)->key, y = ((const struct model_series *)b)->key;
    return (x > y) - (x < y);
}

/* Random conditions: 0 to 3 of them, every operator, on known and unknown labels. */
static inline size_t model_matchers(struct matcher *out, uint64_t *seed)
{
    size_t n = model_random(seed) % 4;
    for (size_t i = 0; i < n; i++) {
        enum matcher_op op = model_random(seed) % 4;
        struct err e = ERR_INIT;
        uint32_t which = model_random(seed) % 10;
        struct str name = which < 3    ? STR(LABEL_NAME)
                          : which == 3 ? STR("nosuch")
                                       : model_pick(model_names, COUNT(model_names), seed);
        struct str value;
        if (op == MATCH_RE || op == MATCH_NRE)
            value = model_pick(model_patterns, COUNT(model_patterns), seed);
        else if (which < 3)
            value = model_pick(model_metrics, COUNT(model_metrics), seed);
        else
            value =
                model_random(seed) % 6 == 0 ? STR("") : model_pick(model_values, COUNT(model_values), seed);
        EXPECT(matcher_init(&out[i], op, name, value, &e) == OK);
    }
    return n;
}

static inline void model_release_matchers(struct matcher *m, size_t n)
{
    for (size_t i = 0; i < n; i++) matcher_release(&m[i]);
}

/* got must be the keys of exactly the series for which counts() holds and the matchers match; the
 * model is sorted by key. */
static inline void model_expect(const struct model *m, const struct matcher *matchers, size_t n,
                                bool (*counts)(void *ctx, size_t i), void *ctx, const uint64_t *got,
                                size_t n_got)
{
    size_t at = 0;
    for (size_t i = 0; i < m->n; i++) {
        if ((counts != NULL && !counts(ctx, i)) || !matchers_match(matchers, n, m->at[i].labels)) continue;
        EXPECT(at < n_got);
        EXPECT(got[at] == m->at[i].key);
        at++;
    }
    EXPECT(at == n_got);
}

static inline struct call model_call(struct arena *a)
{
    return (struct call){ .arena = a };
}
