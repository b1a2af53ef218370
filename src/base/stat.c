/* stat.c - the registry of the server's own metrics.
 *
 * Always true:
 *   1. A stat is never freed and never moves: pointers handed out stay good for the life of the
 *      process.
 *   2. Counting takes no lock. A counter is an integer part (stat_add) and a double part
 *      (stat_add_f); its value is the sum.
 *   3. No stat_ask callback runs while, or after, stat_forget returns: both hold `mu`.
 *
 * Threads: `mu` guards the list, the index, and fn/ctx of asked stats; numbers are relaxed atomics. */
#include "base/stat.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

enum { BOUNDS_MAX = 24 };

struct stat {
    enum stat_type type;
    char *name, *help, *labels; /* labels "" when none */
    bool asked;
    double (*fn)(void *); /* NULL: not asked, or forgotten */
    void *ctx;
    _Atomic uint64_t whole;
    _Atomic double part; /* gauge: the value; histogram: the sum */
    size_t n_bounds;
    double bounds[BOUNDS_MAX];
    _Atomic uint64_t counts[BOUNDS_MAX + 1];
};

/* Global: there is one process, and so one set of its metrics. */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct stat *all[STAT_MAX];
static size_t n_all;
static struct map by_name; /* hash of name and labels -> index into all */

/* What comes after STAT_MAX counts here, whatever its type: one per use. */
static struct stat overflow = {
    .type = STAT_COUNTER,
    .name = (char *)"vedette_stat_overflow_total",
    .help = (char *)"Uses of metrics that were not registered because there were too many.",
    .labels = (char *)"",
};

/* ---- registry ---- */

struct wanted {
    const char *name, *labels;
};

static bool same_name(void *ctx, uint64_t index)
{
    const struct wanted *w = ctx;
    return strcmp(all[index]->name, w->name) == 0 && strcmp(all[index]->labels, w->labels) == 0;
}

static uint64_t name_hash(const char *name, const char *labels)
{
    return hash64(name, strlen(name)) * 31 + hash64(labels, strlen(labels));
}

/* The stat of this name, made when there is none. Under mu. */
static struct stat *find_or_make(enum stat_type type, const char *name, const char *help, const char *labels)
{
    if (labels == NULL) labels = "";
    uint64_t hash = name_hash(name, labels);
    uint64_t *found = map_find(&by_name, hash, same_name, &(struct wanted){ name, labels });
    if (found != NULL) {
        check(all[*found]->type == type);
        return all[*found];
    }
    if (n_all == STAT_MAX) return &overflow;

    struct stat *s = mem_alloc_zero(sizeof *s);
    s->type = type;
    s->name = mem_strdup(name);
    s->help = mem_strdup(help);
    s->labels = mem_strdup(labels);
    map_add(&by_name, hash, n_all);
    all[n_all++] = s;
    return s;
}

static struct stat *make(enum stat_type type, const char *name, const char *help, const char *labels)
{
    pthread_mutex_lock(&mu);
    struct stat *s = find_or_make(type, name, help, labels);
    pthread_mutex_unlock(&mu);
    return s;
}

struct stat *stat_counter(const char *name, const char *help, const char *labels)
{
    return make(STAT_COUNTER, name, help, labels);
}

struct stat *stat_gauge(const char *name, const char *help, const char *labels)
{
    return make(STAT_GAUGE, name, help, labels);
}

struct stat *stat_histogram(const char *name, const char *help, const char *labels, const double *bounds,
                            size_t n)
{
    check(n <= BOUNDS_MAX);
    pthread_mutex_lock(&mu);
    struct stat *s = find_or_make(STAT_HISTOGRAM, name, help, labels);
    if (s != &overflow && s->n_bounds == 0 && n > 0) {
        memcpy(s->bounds, bounds, n * sizeof *bounds);
        s->n_bounds = n;
    }
    check(s == &overflow || s->n_bounds == n);
    pthread_mutex_unlock(&mu);
    return s;
}

struct stat *stat_ask(enum stat_type type, const char *name, const char *help, const char *labels,
                      double (*fn)(void *), void *ctx)
{
    check(type != STAT_HISTOGRAM);
    pthread_mutex_lock(&mu);
    struct stat *s = find_or_make(type, name, help, labels);
    if (s != &overflow) {
        s->asked = true;
        s->fn = fn;
        s->ctx = ctx;
    }
    pthread_mutex_unlock(&mu);
    return s;
}

void stat_forget(struct stat *s)
{
    pthread_mutex_lock(&mu);
    s->fn = NULL;
    s->ctx = NULL;
    pthread_mutex_unlock(&mu);
}

/* ---- counting ---- */

static void add_whole(_Atomic uint64_t *to, uint64_t n)
{
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static void add_double(_Atomic double *to, double v)
{
    double old = atomic_load_explicit(to, memory_order_relaxed);
    while (
        !atomic_compare_exchange_weak_explicit(to, &old, old + v, memory_order_relaxed, memory_order_relaxed))
        ;
}

void stat_add(struct stat *s, uint64_t n)
{
    add_whole(&s->whole, s == &overflow ? 1 : n);
}

void stat_add_f(struct stat *s, double v)
{
    if (s == &overflow)
        add_whole(&s->whole, 1);
    else
        add_double(&s->part, v);
}

void stat_set(struct stat *s, double v)
{
    if (s == &overflow)
        add_whole(&s->whole, 1);
    else
        atomic_store_explicit(&s->part, v, memory_order_relaxed);
}

void stat_observe(struct stat *s, double v)
{
    if (s == &overflow) {
        add_whole(&s->whole, 1);
        return;
    }
    size_t i = 0;
    while (i < s->n_bounds && !(v <= s->bounds[i])) i++;
    add_whole(&s->counts[i], 1);
    add_double(&s->part, v);
}

/* ---- reading ---- */

static double own_value(const struct stat *s)
{
    return (double)atomic_load_explicit(&s->whole, memory_order_relaxed) +
           atomic_load_explicit(&s->part, memory_order_relaxed);
}

double stat_value(const struct stat *s)
{
    if (!s->asked) return own_value(s);
    pthread_mutex_lock(&mu);
    double v = s->fn ? s->fn(s->ctx) : 0;
    pthread_mutex_unlock(&mu);
    return v;
}

struct reading {
    const struct stat *s;
    double value; /* of an asked stat */
};

static int by_name_and_labels(const void *a, const void *b)
{
    const struct stat *x = ((const struct reading *)a)->s, *y = ((const struct reading *)b)->s;
    int c = strcmp(x->name, y->name);
    return c ? c : strcmp(x->labels, y->labels);
}

/* Callbacks of asked stats run under the lock, visitors do not. */
static struct reading *read_all(size_t *n)
{
    struct reading *r = mem_array(STAT_MAX + 1, sizeof *r);
    *n = 0;
    pthread_mutex_lock(&mu);
    for (size_t i = 0; i < n_all; i++) {
        struct stat *s = all[i];
        if (s->asked && s->fn == NULL) continue;
        r[(*n)++] = (struct reading){ s, s->asked ? s->fn(s->ctx) : own_value(s) };
    }
    pthread_mutex_unlock(&mu);
    if (own_value(&overflow) > 0) r[(*n)++] = (struct reading){ &overflow, own_value(&overflow) };
    qsort(r, *n, sizeof *r, by_name_and_labels);
    return r;
}

static void visit_one(const struct reading *r, void (*visit)(const struct stat_view *, void *ctx), void *ctx)
{
    const struct stat *s = r->s;
    uint64_t counts[BOUNDS_MAX + 1];
    struct stat_view v = {
        .type = s->type, .name = s->name, .help = s->help, .labels = s->labels, .value = r->value
    };

    if (s->type == STAT_HISTOGRAM) {
        for (size_t i = 0; i <= s->n_bounds; i++)
            counts[i] = atomic_load_explicit(&s->counts[i], memory_order_relaxed);
        v.value = 0;
        v.sum = r->value;
        v.bounds = s->bounds;
        v.n_bounds = s->n_bounds;
        v.counts = counts;
    }
    visit(&v, ctx);
}

void stat_each(void (*visit)(const struct stat_view *, void *ctx), void *ctx)
{
    size_t n;
    struct reading *r = read_all(&n);
    for (size_t i = 0; i < n; i++) visit_one(&r[i], visit, ctx);
    mem_free(r);
}
