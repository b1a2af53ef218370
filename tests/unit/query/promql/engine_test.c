/* engine_test.c - limits, deadlines and manners of the engine. What the language means is in
 * tests/scripts/promql. */
#include "unit/test.h"

#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "query/promql/engine.h"
#include "unit/toy_store.c"

/* n series, one sample a minute from 0 to `minutes`; the value is the series' number. */
static struct store *filled(int n, int minutes)
{
    struct store *s = toy_store_new();
    for (int i = 0; i < n; i++) {
        char id[16];
        struct label l[] = { { STR("__name__"), STR("m") }, { STR("i"), { id, 0 } } };
        l[1].value.n = (size_t)snprintf(id, sizeof id, "%d", i);
        for (int t = 0; t <= minutes; t++) toy_store_add(s, (struct labels){ l, 2 }, t * 60000, i, NULL, 0);
    }
    return s;
}

static int query(struct engine *en, const char *text, int64_t start, int64_t end, int64_t step,
                 struct query_result *r, struct err *e)
{
    return engine_query(
        en, &(struct query_conf){ .text = str_of(text), .start_ms = start, .end_ms = end, .step_ms = step },
        r, e);
}

TEST(a_range_answer_is_a_matrix_sorted_by_labels)
{
    struct store *s = filled(12, 10);
    struct engine *en = engine_new(s, NULL, NULL);
    struct query_result r;

    EXPECT_INT(query(en, "m", 60000, 180000, 60000, &r, NULL), OK);
    EXPECT(r.type == PROMQL_MATRIX);
    EXPECT_INT(r.n, 12);
    for (size_t i = 1; i < r.n; i++) EXPECT(labels_cmp(r.series[i - 1].labels, r.series[i].labels) < 0);
    EXPECT_INT(r.series[0].n, 3);
    EXPECT_INT(r.series[0].points[2].time_ms, 180000);
    query_result_release(&r);
    engine_free(en);
    store_close(s);
}

TEST(a_text_that_is_no_promql_says_where)
{
    struct store *s = toy_store_new();
    struct engine *en = engine_new(s, NULL, NULL);
    struct query_result r;
    struct err e = ERR_INIT;

    EXPECT_INT(query(en, "sum(", 0, 0, 0, &r, &e), ERR_PARSE);
    EXPECT(strstr(e.text, "1:5") != NULL);
    EXPECT_INT(query(en, "m[5m]", 0, 60000, 1000, &r, &e), ERR_PARSE); /* no range query of a range vector */
    EXPECT_INT(query(en, "m", 10, 0, 1, &r, &e), ERR_PARSE);
    engine_free(en);
    store_close(s);
}

TEST(memory_is_asked_for_before_it_is_taken)
{
    struct store *s = filled(100, 10);
    struct engine_conf conf = { .max_memory_bytes = 8 << 20 };
    struct engine *en = engine_new(s, NULL, &conf);
    struct query_result r;
    struct err e = ERR_INIT;

    /* 100 series x 1 M steps would be 800 MB. */
    int64_t begun = clock_mono_ns();
    EXPECT_INT(query(en, "m", 0, 1000000000, 1000, &r, &e), ERR_LIMIT);
    EXPECT(clock_mono_ns() - begun < 2000000000);
    EXPECT_INT(query(en, "m", 0, 600000, 60000, &r, &e), OK);
    query_result_release(&r);
    engine_free(en);
    store_close(s);
}

TEST(a_million_steps_of_nearly_nothing_are_refused_too)
{
    struct store *s = filled(1, 10);
    struct engine *en = engine_new(s, NULL, &(struct engine_conf){ .max_memory_bytes = 64 << 20 });
    struct query_result r;
    struct err e = ERR_INIT;

    EXPECT_INT(query(en, "vector(1)", 0, INT64_C(100000000000), 1, &r, &e), ERR_LIMIT);
    EXPECT_INT(query(en, "sum_over_time(vector(1)[1000000h:1ms])", 0, 0, 0, &r, &e), ERR_LIMIT);
    EXPECT_INT(query(en, "count_values(\"v\", time() + m)", 0, 50000000, 1000, &r, &e), ERR_LIMIT);
    engine_free(en);
    store_close(s);
}

TEST(times_beyond_all_reason_are_refused)
{
    static const char *const texts[] = {
        "m @ 9e15",      "m offset 2000y",      "m offset -2000y",
        "rate(m[1e12])", "m offset (1e15 * 2)", "sum_over_time(m[5m:1e13])"
    };
    struct store *s = filled(1, 10);
    struct engine *en = engine_new(s, NULL, NULL);
    struct query_result r;
    struct err e = ERR_INIT;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        EXPECT_INT(query(en, texts[i], 0, 0, 0, &r, &e), ERR_PARSE);
    EXPECT_INT(query(en, "m", INT64_MAX, INT64_MAX, 0, &r, &e), ERR_PARSE);
    EXPECT_INT(query(en, "m", INT64_MIN, 0, 1000, &r, &e), ERR_PARSE);
    EXPECT_INT(query(en, "m offset 200y", 0, 0, 0, &r, &e), OK);
    query_result_release(&r);
    engine_free(en);
    store_close(s);
}

TEST(too_many_samples_are_refused)
{
    struct store *s = filled(100, 10);
    struct engine *en = engine_new(s, NULL, &(struct engine_conf){ .max_samples = 500 });
    struct query_result r;
    struct err e = ERR_INIT;

    EXPECT_INT(query(en, "m", 0, 600000, 60000, &r, &e), ERR_LIMIT);
    EXPECT(strstr(e.text, "too many samples") != NULL);
    EXPECT_INT(query(en, "m", 0, 120000, 60000, &r, &e), OK);
    query_result_release(&r);
    EXPECT_INT(query(en, "m[10m]", 600000, 600000, 0, &r, &e), ERR_LIMIT);
    engine_free(en);
    store_close(s);
}

TEST(a_deadline_ends_a_slow_query)
{
    struct store *s = filled(2, 20000);
    struct engine *en = engine_new(s, NULL, NULL);
    struct query_result r;
    struct err e = ERR_INIT;
    /* 200 steps over 20000 samples, each sorted twice: some seconds of work. */
    struct query_conf c = { .text = STR("mad_over_time(m[20000m])"),
                            .start_ms = 0,
                            .end_ms = 1200000000,
                            .step_ms = 600000,
                            .timeout_ms = 50 };

    int64_t begun = clock_mono_ns();
    EXPECT_INT(engine_query(en, &c, &r, &e), ERR_TIMEOUT);
    EXPECT(clock_mono_ns() - begun < 3000000000);
    engine_free(en);
    store_close(s);
}

TEST(a_cancelled_query_stops)
{
    struct store *s = filled(10, 10);
    struct engine *en = engine_new(s, NULL, NULL);
    struct query_result r;
    struct err e = ERR_INIT;
    atomic_bool cancelled = true;

    EXPECT_INT(engine_query(en, &(struct query_conf){ .text = STR("m"), .cancelled = &cancelled }, &r, &e),
               ERR_CANCEL);
    engine_free(en);
    store_close(s);
}

struct asker {
    struct engine *en;
    struct query_conf conf;
    int rc;
};

static void *ask(void *ctx)
{
    struct asker *a = ctx;
    struct query_result r;
    struct err e = ERR_INIT;
    a->rc = engine_query(a->en, &a->conf, &r, &e);
    if (a->rc == OK) query_result_release(&r);
    return NULL;
}

TEST(who_waits_too_long_for_a_turn_goes_away)
{
    struct store *s = filled(2, 20000);
    struct engine *en = engine_new(s, NULL, &(struct engine_conf){ .max_concurrent = 1 });
    atomic_bool stop = false;
    struct asker slow = { en,
                          { .text = STR("mad_over_time(m[20000m])"),
                            .end_ms = 1200000000,
                            .step_ms = 60000,
                            .cancelled = &stop },
                          0 };
    struct asker quick = { en, { .text = STR("count_over_time(m[2h])"), .timeout_ms = 30 }, 0 };
    struct asker light = { en, { .text = STR("count_over_time(m[5m])"), .timeout_ms = 10000 }, 0 };
    pthread_t t;

    pthread_create(&t, NULL, ask, &slow);
    usleep(100000); /* it has begun by now, and takes many seconds */
    ask(&quick);
    EXPECT_INT(quick.rc, ERR_TIMEOUT);
    ask(&light); /* there is a place for those that look at little */
    EXPECT_INT(light.rc, OK);
    atomic_store(&stop, true);
    pthread_join(t, NULL);
    EXPECT_INT(slow.rc, ERR_CANCEL);
    quick.conf.timeout_ms = 10000;
    ask(&quick);
    EXPECT_INT(quick.rc, OK);
    engine_free(en);
    store_close(s);
}

#define CAP   ((size_t)48 << 20)
#define HEAVY 50

static void *watch(void *ctx) /* the largest it ever said */
{
    struct watching {
        atomic_bool stop;
        struct engine *en;
        size_t most;
    } *w = ctx;
    while (!atomic_load(&w->stop)) {
        size_t now = engine_memory(w->en);
        if (now > w->most) w->most = now;
        usleep(200);
    }
    return NULL;
}

/* Each would like some 25 MB: rows of 400 series by 900 steps twice, and the answer. */
TEST(fifty_heavy_queries_share_the_memory_there_is)
{
    struct store *s = filled(400, 600);
    struct work_pool *pool = work_start("test", 2, 100);
    struct engine *en =
        engine_new(s, pool, &(struct engine_conf){ .max_total_memory = CAP, .no_result_cache = true });
    struct {
        atomic_bool stop;
        struct engine *en;
        size_t most;
    } watching = { false, en, 0 };
    struct asker heavy[HEAVY], light = { en, { .text = STR("count_over_time(m{i=\"1\"}[5m])") }, 0 };
    pthread_t threads[HEAVY], watcher;
    size_t answered = 0, refused = 0;

    light.conf.start_ms = light.conf.end_ms = 600000;
    pthread_create(&watcher, NULL, watch, &watching);
    for (size_t i = 0; i < HEAVY; i++) {
        heavy[i] = (struct asker){
            en, { .text = STR("m + 1"), .end_ms = 36000000, .step_ms = 40000, .timeout_ms = 60000 }, 0
        };
        pthread_create(&threads[i], NULL, ask, &heavy[i]);
    }
    usleep(20000);
    int64_t begun = clock_mono_ns();
    ask(&light);
    double seconds = (double)(clock_mono_ns() - begun) / 1e9;
    for (size_t i = 0; i < HEAVY; i++) {
        pthread_join(threads[i], NULL);
        answered += heavy[i].rc == OK;
        refused += heavy[i].rc == ERR_LIMIT;
    }
    atomic_store(&watching.stop, true);
    pthread_join(watcher, NULL);
    printf("%zu answered, %zu refused, at most %zu of %zu bytes; the light one took %.3f s\n", answered,
           refused, watching.most, CAP, seconds);
    EXPECT_INT(answered + refused, HEAVY);
    EXPECT(answered > 0);
    EXPECT_INT(light.rc, OK);
    EXPECT(watching.most > CAP / 4);
    EXPECT(watching.most < CAP + CAP / 8); /* what is asked for by all threads in one moment */
    EXPECT_INT(engine_memory(en), 0);
    engine_free(en);
    work_stop(pool);
    store_close(s);
}

TEST(many_threads_give_the_same_answer_as_one)
{
    static const char *const texts[] = { "sum by (i) (rate(m[3m]))", "topk(3, m)",
                                         "quantile_over_time(0.5, m[5m])", "m * on(i) m" };
    struct store *s = filled(200, 60);
    struct work_pool *pool = work_start("test", 3, 100);
    struct engine *one = engine_new(s, NULL, NULL), *many = engine_new(s, pool, NULL);

    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        struct query_result a, b;
        EXPECT_INT(query(one, texts[k], 0, 3600000, 60000, &a, NULL), OK);
        EXPECT_INT(query(many, texts[k], 0, 3600000, 60000, &b, NULL), OK);
        EXPECT_INT(a.n, b.n);
        EXPECT_INT(a.stats.samples_total, b.stats.samples_total);
        for (size_t i = 0; i < a.n; i++) {
            EXPECT(labels_eq(a.series[i].labels, b.series[i].labels));
            EXPECT_INT(a.series[i].n, b.series[i].n);
            for (size_t p = 0; p < a.series[i].n; p++)
                EXPECT(double_bits(a.series[i].points[p].value) == double_bits(b.series[i].points[p].value));
        }
        query_result_release(&a);
        query_result_release(&b);
    }
    engine_free(one);
    engine_free(many);
    work_stop(pool);
    store_close(s);
}

TEST(at_most_ten_notes_of_a_kind_are_listed)
{
    struct store *s = toy_store_new();
    for (int i = 0; i < 15; i++) {
        char name[16];
        struct label l[] = { { STR("__name__"), { name, 0 } } };
        l[0].value.n = (size_t)snprintf(name, sizeof name, "gauge_%02d", i);
        for (int t = 0; t < 5; t++) toy_store_add(s, (struct labels){ l, 1 }, t * 60000, t, NULL, 0);
    }
    struct engine *en = engine_new(s, NULL, NULL);
    struct query_result r;

    EXPECT_INT(query(en, "sum(rate({__name__=~\"gauge_.+\"}[5m]))", 240000, 240000, 0, &r, NULL), OK);
    EXPECT_INT(r.notes.n_infos, 11);
    EXPECT_INT(r.notes.n_warnings, 0);
    EXPECT(str_is(r.notes.infos[10], "5 more info annotations omitted"));
    EXPECT(str_ends(r.notes.infos[0], "\"gauge_00\" (1:10)"));
    query_result_release(&r);
    engine_free(en);
    store_close(s);
}

TESTS(CASE(a_range_answer_is_a_matrix_sorted_by_labels), CASE(a_text_that_is_no_promql_says_where),
      CASE(memory_is_asked_for_before_it_is_taken), CASE(a_million_steps_of_nearly_nothing_are_refused_too),
      CASE(times_beyond_all_reason_are_refused), CASE(too_many_samples_are_refused),
      CASE(a_deadline_ends_a_slow_query), CASE(a_cancelled_query_stops),
      CASE(who_waits_too_long_for_a_turn_goes_away), CASE(fifty_heavy_queries_share_the_memory_there_is),
      CASE(many_threads_give_the_same_answer_as_one), CASE(at_most_ten_notes_of_a_kind_are_listed))
