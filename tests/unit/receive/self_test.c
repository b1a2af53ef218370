#include "receive/self.h"

#include "base/clock.h"
#include "base/stat.h"
#include "unit/test.h"

#include "unit/receive/fake_store.h"

#define STEP_MS 100

static size_t writes(struct fake_store *f)
{
    pthread_mutex_lock(&f->mu);
    size_t n = f->writes;
    pthread_mutex_unlock(&f->mu);
    return n;
}

static void run_until(struct fake_store *f, const struct self_conf *conf, size_t n_writes)
{
    struct self *s = self_start(&f->store, conf);
    for (int i = 0; i < 500 && writes(f) < n_writes; i++) usleep(10000);
    self_stop(s);
    EXPECT(writes(f) >= n_writes);
}

static double value_of(const struct fake_store *f, const char *series)
{
    const struct fake_row *row = fake_row(f, series);
    if (row == NULL) fail_msg("no series %s", series);
    return row->value;
}

TEST(both_targets_look_scraped)
{
    struct fake_store f;
    fake_init(&f);
    run_until(&f, &(struct self_conf){ STEP_MS, true, true, "here:1" }, 4);
    EXPECT(value_of(&f, "up{instance=\"here:1\", job=\"vedette\"}") == 1);
    EXPECT(value_of(&f, "up{instance=\"here:1\", job=\"node\"}") == 1);
    EXPECT(value_of(&f, "scrape_samples_scraped{instance=\"here:1\", job=\"node\"}") > 1);
    EXPECT(value_of(&f, "scrape_duration_seconds{instance=\"here:1\", job=\"node\"}") >= 0);
    EXPECT(fake_row(&f, "process_threads{instance=\"here:1\", job=\"vedette\"}") != NULL);
    EXPECT_INT(f.last_ack, ACK_MEMORY);
    for (size_t i = 0; i < f.n; i++) EXPECT(strstr(f.rows[i].series, "instance=\"here:1\"") != NULL);
    fake_clear(&f);
}

TEST(either_target_can_be_off)
{
    struct fake_store f;
    fake_init(&f);
    run_until(&f, &(struct self_conf){ STEP_MS, false, true, "here:1" }, 2);
    for (size_t i = 0; i < f.n; i++) EXPECT(strstr(f.rows[i].series, "job=\"vedette\"") == NULL);
    fake_clear(&f);
}

/* Times are multiples of the step, each once, none left out by more than a late wake-up would. */
TEST(timestamps_keep_the_step)
{
    struct fake_store f;
    fake_init(&f);
    run_until(&f, &(struct self_conf){ STEP_MS, true, false, "here:1" }, 6);
    int64_t last = 0;
    size_t n = 0;
    for (size_t i = 0; i < f.n; i++) {
        EXPECT_INT(f.rows[i].time_ms % STEP_MS, 0);
        if (strcmp(f.rows[i].series, "up{instance=\"here:1\", job=\"vedette\"}") != 0) continue;
        EXPECT(f.rows[i].time_ms > last);
        last = f.rows[i].time_ms;
        n++;
    }
    EXPECT(n >= 6);
    EXPECT(last <= clock_now_ms());
    fake_clear(&f);
}

TEST(a_histogram_becomes_cumulative_buckets)
{
    static const double bounds[] = { 0.1, 1, 10 };
    struct stat *h = stat_histogram("self_test_seconds", "Test.", "kind=\"a\"", bounds, 3);
    stat_observe(h, 0.05);
    stat_observe(h, 0.5);
    stat_observe(h, 0.75);
    stat_observe(h, 100);
    stat_add(stat_counter("self_test_total", "Test.", "a=\"x\",b=\"y\""), 5);

    struct fake_store f;
    fake_init(&f);
    run_until(&f, &(struct self_conf){ STEP_MS, true, false, "i" }, 1);
    EXPECT(value_of(
               &f, "self_test_seconds_bucket{instance=\"i\", job=\"vedette\", kind=\"a\", le=\"0.1\"}") == 1);
    EXPECT(value_of(
               &f, "self_test_seconds_bucket{instance=\"i\", job=\"vedette\", kind=\"a\", le=\"1.0\"}") == 3);
    EXPECT(
        value_of(&f, "self_test_seconds_bucket{instance=\"i\", job=\"vedette\", kind=\"a\", le=\"10.0\"}") ==
        3);
    EXPECT(
        value_of(&f, "self_test_seconds_bucket{instance=\"i\", job=\"vedette\", kind=\"a\", le=\"+Inf\"}") ==
        4);
    EXPECT(value_of(&f, "self_test_seconds_count{instance=\"i\", job=\"vedette\", kind=\"a\"}") == 4);
    EXPECT(value_of(&f, "self_test_seconds_sum{instance=\"i\", job=\"vedette\", kind=\"a\"}") ==
           0.05 + 0.5 + 0.75 + 100);
    EXPECT(value_of(&f, "self_test_total{a=\"x\", b=\"y\", instance=\"i\", job=\"vedette\"}") == 5);
    EXPECT(f.n_metadata >= 2);
    fake_clear(&f);
}

TEST(a_store_that_refuses_is_tried_again)
{
    struct fake_store f;
    fake_init(&f);
    f.refuse_with = ERR_FULL;
    struct self *s = self_start(&f.store, &(struct self_conf){ STEP_MS, true, false, "i" });
    for (int i = 0; i < 500 && writes(&f) < 2; i++) usleep(10000);
    pthread_mutex_lock(&f.mu);
    EXPECT_INT(f.n, 0);
    f.refuse_with = 0;
    size_t before = f.writes;
    pthread_mutex_unlock(&f.mu);
    for (int i = 0; i < 500 && writes(&f) < before + 1; i++) usleep(10000);
    self_stop(s);
    EXPECT(f.n > 0);
    fake_clear(&f);
}

TEST(stopping_does_not_wait_for_the_next_step)
{
    struct fake_store f;
    fake_init(&f);
    struct self *s = self_start(&f.store, &(struct self_conf){ 3600000, true, true, "i" });
    int64_t start = clock_mono_ns();
    self_stop(s);
    EXPECT(clock_mono_ns() - start < 2000000000);
    self_stop(NULL);
    fake_clear(&f);
}

TESTS(CASE(both_targets_look_scraped), CASE(either_target_can_be_off), CASE(timestamps_keep_the_step),
      CASE(a_histogram_becomes_cumulative_buckets), CASE(a_store_that_refuses_is_tried_again),
      CASE(stopping_does_not_wait_for_the_next_step))
