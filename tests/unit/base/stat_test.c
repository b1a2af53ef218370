#include "base/stat.h"

#include <pthread.h>

#include "unit/test.h"

enum { THREADS = 4, ROUNDS = 20000 };

static const double bounds[] = { 1, 2.5, 10 };

static void *count(void *arg)
{
    (void)arg;
    struct stat *c = stat_counter("test_shared_total", "Counted by many.", NULL);
    struct stat *h = stat_histogram("test_shared_seconds", "Observed by many.", NULL, bounds, 3);
    for (int i = 0; i < ROUNDS; i++) {
        stat_add(c, 2);
        stat_add_f(c, 0.5);
        stat_observe(h, i % 4); /* 0 1 2 3 */
    }
    return NULL;
}

struct found {
    const char *name;
    struct stat_view view;
    uint64_t counts[25];
    int times;
};

static void find(const struct stat_view *v, void *ctx)
{
    struct found *f = ctx;
    if (strcmp(v->name, f->name) != 0) return;
    f->view = *v;
    f->times++;
    if (v->counts) memcpy(f->counts, v->counts, (v->n_bounds + 1) * sizeof *v->counts);
}

TEST(stat_loses_no_count_among_threads)
{
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, count, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);

    EXPECT(stat_value(stat_counter("test_shared_total", "Counted by many.", NULL)) == 2.5 * THREADS * ROUNDS);

    struct found f = { .name = "test_shared_seconds" };
    stat_each(find, &f);
    EXPECT(f.times == 1 && f.view.type == STAT_HISTOGRAM && f.view.n_bounds == 3);
    EXPECT(f.counts[0] == THREADS * ROUNDS / 2); /* 0 and 1: a bound belongs to its bucket */
    EXPECT(f.counts[1] == THREADS * ROUNDS / 4);
    EXPECT(f.counts[2] == THREADS * ROUNDS / 4 && f.counts[3] == 0);
    EXPECT(f.view.sum == 1.5 * THREADS * ROUNDS);
}

TEST(stat_same_name_and_labels_is_the_same_stat)
{
    struct stat *a = stat_counter("test_same_total", "Help.", "x=\"1\""),
                *b = stat_counter("test_same_total", "Help.", "x=\"2\"");
    EXPECT(a != b);
    EXPECT(a == stat_counter("test_same_total", "Help.", "x=\"1\""));
}

static double answer(void *ctx)
{
    return *(double *)ctx;
}

TEST(stat_asks_until_told_to_forget)
{
    double v = 42;
    struct stat *s = stat_ask(STAT_GAUGE, "test_asked", "Asked for.", NULL, answer, &v);
    struct found f = { .name = "test_asked" };
    stat_each(find, &f);
    EXPECT(f.times == 1 && f.view.value == 42 && stat_value(s) == 42);

    stat_forget(s);
    stat_each(find, &f);
    EXPECT(f.times == 1 && stat_value(s) == 0); /* gone from the list */

    v = 43;
    EXPECT(stat_ask(STAT_GAUGE, "test_asked", "Asked for.", NULL, answer, &v) == s);
    EXPECT(stat_value(s) == 43);
    stat_forget(s);
}

static void in_order(const struct stat_view *v, void *ctx)
{
    static char last_name[64], last_labels[64];
    int *n = ctx;
    int c = strcmp(last_name, v->name);
    if (*n > 0) EXPECT(c < 0 || (c == 0 && strcmp(last_labels, v->labels) < 0));
    snprintf(last_name, sizeof last_name, "%s", v->name);
    snprintf(last_labels, sizeof last_labels, "%s", v->labels);
    ++*n;
}

TEST(stat_each_goes_in_name_order)
{
    int n = 0;
    stat_counter("test_b_total", "B.", NULL);
    stat_set(stat_gauge("test_a", "A.", NULL), -1.5);
    stat_counter("test_b_total", "B.", "z=\"1\"");
    stat_counter("test_c_total", "C.", NULL);
    stat_each(in_order, &n);
    EXPECT(n >= 4 && stat_value(stat_gauge("test_a", "A.", NULL)) == -1.5);
}

/* Last: fills the registry for good. */
TEST(stat_too_many_share_one_that_says_so)
{
    struct stat *last = NULL, *before = NULL;
    for (int i = 0; i <= STAT_MAX; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "n=\"%d\"", i);
        before = last;
        last = stat_counter("test_many_total", "Many.", labels);
    }
    EXPECT(last == before);
    EXPECT(last == stat_histogram("test_late_seconds", "Late.", NULL, bounds, 3));
    stat_add(last, 5);
    stat_set(last, 99);
    stat_observe(last, 0.1);

    struct found f = { .name = "vedette_stat_overflow_total" };
    stat_each(find, &f);
    EXPECT(f.times == 1 && f.view.value == 3); /* one per use, whatever was meant */
}

TESTS(CASE(stat_loses_no_count_among_threads), CASE(stat_same_name_and_labels_is_the_same_stat),
      CASE(stat_asks_until_told_to_forget), CASE(stat_each_goes_in_name_order),
      CASE(stat_too_many_share_one_that_says_so))
