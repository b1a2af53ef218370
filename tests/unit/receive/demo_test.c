#include "receive/demo.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "unit/test.h"

#include "unit/receive/fake_store.h"

#define TICK_MS 5000
#define TICKS   (3600 * 1000 / TICK_MS) /* the hour of history */

struct visitor {
    atomic_bool arrived;
    atomic_int asked;
};

static bool has_arrived(void *ctx, uint64_t own)
{
    (void)own;
    struct visitor *v = ctx;
    atomic_fetch_add(&v->asked, 1);
    return atomic_load(&v->arrived);
}

static size_t writes(struct fake_store *f)
{
    pthread_mutex_lock(&f->mu);
    size_t n = f->writes;
    pthread_mutex_unlock(&f->mu);
    return n;
}

static struct demo *begin(struct fake_store *f, struct visitor *v)
{
    static const struct limit limit = LIMIT_DEFAULT;
    return demo_start(
        &(struct demo_conf){ .store = &f->store, .limit = &limit, .real_arrived = has_arrived, .ctx = v });
}

/* The demo up to the end of its history, and whether it went on beyond it. */
static void play(struct fake_store *f, struct visitor *v)
{
    struct demo *d = begin(f, v);
    for (int i = 0; i < 2000 && atomic_load(&v->asked) == 0; i++) usleep(10000);
    EXPECT(atomic_load(&v->asked) > 0);
    demo_stop(d);
}

TEST(an_hour_of_history_in_steps_all_marked_as_demo)
{
    struct fake_store f;
    struct visitor v = { 0 };
    fake_init(&f);
    atomic_store(&v.arrived, true);
    play(&f, &v);
    EXPECT(f.writes >= TICKS);  /* samples at every tick, traces and logs now and then */
    EXPECT_INT(f.n % TICKS, 0); /* the same series at every tick */
    for (size_t i = 0; i < f.n; i++) {
        EXPECT(strstr(f.rows[i].series, "job=\"demo\"") != NULL);
        EXPECT_INT(f.rows[i].time_ms % TICK_MS, 0);
    }
    EXPECT(f.rows[0].time_ms == f.rows[f.n - 1].time_ms - (TICKS - 1) * TICK_MS);
    EXPECT(f.rows[f.n - 1].time_ms <= clock_now_ms());
    EXPECT(f.n_metadata > 0);
    fake_clear(&f);
}

static bool is_counter(const char *series)
{
    static const char *const ends[] = { "_total{", "_bucket{", "_count{", "_sum{" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strstr(series, ends[i]) != NULL) return true;
    return false;
}

/* As many series a tick, in the same order, so each can be compared with its past self. */
TEST(no_counter_ever_runs_backwards)
{
    struct fake_store f;
    struct visitor v = { 0 };
    fake_init(&f);
    atomic_store(&v.arrived, true);
    play(&f, &v);
    size_t a_tick = f.n / TICKS;
    for (size_t i = a_tick; i < f.n; i++) {
        EXPECT_STR(f.rows[i].series, f.rows[i - a_tick].series);
        if (is_counter(f.rows[i].series)) EXPECT(f.rows[i].value >= f.rows[i - a_tick].value);
    }
    fake_clear(&f);
}

TEST(it_ends_for_good_when_somebody_else_sends)
{
    struct fake_store f;
    struct visitor v = { 0 };
    fake_init(&f);
    atomic_store(&v.arrived, true);
    struct demo *d = begin(&f, &v);
    for (int i = 0; i < 2000 && atomic_load(&v.asked) == 0; i++) usleep(10000);
    size_t then = writes(&f);
    usleep(100000);
    EXPECT_INT(writes(&f), then);
    EXPECT_INT(atomic_load(&v.asked), 1);
    demo_stop(d);
    fake_clear(&f);
}

TEST(without_visitors_it_goes_on)
{
    struct fake_store f;
    struct visitor v = { 0 };
    fake_init(&f);
    play(&f, &v);
    EXPECT(f.writes >= TICKS);
    fake_clear(&f);
}

TEST(stopping_during_the_history_or_the_wait_is_quick)
{
    struct fake_store f;
    struct visitor v = { 0 };
    fake_init(&f);
    int64_t start = clock_mono_ns();
    demo_stop(begin(&f, &v));
    EXPECT(clock_mono_ns() - start < 5000000000);
    demo_stop(NULL);
    fake_clear(&f);
}

TESTS(CASE(an_hour_of_history_in_steps_all_marked_as_demo), CASE(no_counter_ever_runs_backwards),
      CASE(it_ends_for_good_when_somebody_else_sends), CASE(without_visitors_it_goes_on),
      CASE(stopping_during_the_history_or_the_wait_is_quick))
