#include "base/budget.h"

#include <time.h>

#include "unit/test.h"

#define MIB ((uint64_t)1 << 20)

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* Memory that is really there: stores that nobody reads would be left out. */
static volatile char *touched(size_t bytes)
{
    volatile char *p = malloc(bytes);
    for (size_t i = 0; i < bytes; i += 1024) p[i] = 1;
    return p;
}

static uint64_t parsed(const char *text)
{
    uint64_t limit = 1;
    struct err e = ERR_INIT;
    if (budget_parse(str_of(text), &limit, &e) < 0) fail_msg("%s: %s", text, e.text);
    return limit;
}

TEST(a_limit_is_said_in_bytes_in_percent_or_left_to_the_machine)
{
    bool is_group;
    uint64_t machine = budget_machine_bytes(&is_group), limit;
    struct err e = ERR_INIT;
    EXPECT(machine > 0);
    EXPECT_INT(parsed("512MiB"), 512 * MIB);
    EXPECT_INT(parsed("none"), 0);
    EXPECT_INT(parsed("0"), 0);
    EXPECT_INT(parsed("50%"), machine / 100 * 50);
    EXPECT_INT(parsed("auto"), is_group ? machine / 5 * 4 : 0);
    EXPECT(budget_parse(STR("0%"), &limit, &e) == ERR_RANGE);
    EXPECT(budget_parse(STR("101%"), &limit, &e) == ERR_RANGE);
    EXPECT(budget_parse(STR("%"), &limit, &e) == ERR_PARSE);
    EXPECT(budget_parse(STR("much"), &limit, &e) == ERR_PARSE);
    EXPECT(budget_parse(STR("10MiB"), &limit, &e) == ERR_RANGE); /* no server runs in that */
}

TEST(without_a_limit_nobody_is_refused_and_shares_are_endless)
{
    struct err e = ERR_INIT;
    budget_start(0);
    budget_take(BUDGET_QUERIES, (size_t)1 << 40);
    EXPECT(budget_admit_ingest((size_t)1 << 40, &e) == OK);
    EXPECT(budget_admit_query((size_t)1 << 40, &e) == OK);
    EXPECT(budget_share(BUDGET_HEAD) == UINT64_MAX);
    EXPECT_INT(budget_at_most(BUDGET_HEAD, 5), 5);
    EXPECT(budget_taken(BUDGET_QUERIES) == (uint64_t)1 << 40); /* counted all the same */
    budget_give(BUDGET_QUERIES, (size_t)1 << 40);
    budget_stop();
}

TEST(shares_leave_a_fifth_to_nobody)
{
    uint64_t sum = 0;
    budget_start(1024 * MIB);
    for (int i = 0; i < BUDGET_USES; i++) sum += budget_share((enum budget_use)i);
    EXPECT(sum <= 1024 * MIB / 100 * 82);
    EXPECT_INT(budget_share(BUDGET_HEAD), 128 * MIB);
    EXPECT_INT(budget_at_most(BUDGET_HEAD, 1024 * MIB), 128 * MIB);
    budget_stop();
}

TEST(telemetry_is_refused_before_queries_are)
{
    struct err e = ERR_INIT;
    budget_start(8192 * MIB);
    uint64_t own = budget_used();
    EXPECT(own > 0 && own < 1024 * MIB);
    EXPECT(budget_admit_ingest(0, &e) == OK && budget_admit_query(0, &e) == OK);

    budget_take(BUDGET_QUERIES, 8192 * MIB / 100 * 80 - own); /* known at once, before any look */
    EXPECT(budget_admit_ingest(0, &e) == ERR_BUSY);
    EXPECT(strstr(e.text, "8589934592") != NULL && strstr(e.text, "--memory-limit") != NULL);
    EXPECT(budget_admit_query(0, &e) == OK);
    EXPECT(budget_admit_query(8192 * MIB / 10, &e) == ERR_LIMIT); /* with so much more it would be too much */
    EXPECT(strstr(e.text, "8589934592") != NULL);
    budget_give(BUDGET_QUERIES, 8192 * MIB / 100 * 80 - own);
    budget_stop();
}

TEST(memory_nobody_counts_is_seen_and_forgotten_when_it_is_freed)
{
    struct err e = ERR_INIT;
    size_t bytes = 120 * MIB;
    budget_start(BUDGET_LEAST);
    EXPECT(budget_admit_ingest(0, &e) == OK);
    volatile char *p = touched(bytes);
    sleep_ms(300);
    EXPECT(budget_level() == BUDGET_NO_QUERIES);
    EXPECT(budget_admit_ingest(0, &e) == ERR_BUSY && budget_admit_query(0, &e) == ERR_LIMIT);
    free((void *)p);
    sleep_ms(300);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed for a while */
    EXPECT(budget_admit_ingest(0, &e) == OK && budget_admit_query(0, &e) == OK);
#endif
    budget_stop();
}

TEST(requests_have_a_ceiling_together_but_small_ones_and_one_alone_pass)
{
    budget_requests_most(100 * MIB);
    EXPECT(budget_request_take(90 * MIB, 90 * MIB));
    EXPECT(budget_request_take(10 * MIB, 10 * MIB));
    EXPECT(!budget_request_take(2 * MIB, 2 * MIB)); /* counted, though: to be given back */
    EXPECT(budget_taken(BUDGET_REQUESTS) == 102 * MIB);
    EXPECT(budget_request_take(1000, 1000));
    budget_request_give(12 * MIB + 1000);
    EXPECT(budget_request_take(200 * MIB, 290 * MIB)); /* nobody else is there */
    budget_request_give(290 * MIB);
    EXPECT(budget_taken(BUDGET_REQUESTS) == 0);
    budget_requests_most(256 * MIB);
}

static void note(void *ctx)
{
    ++*(int *)ctx;
}

TEST(caches_are_emptied_once_a_second_while_it_is_tight)
{
    int n = 0;
    budget_start(1024 * MIB);
    budget_on_tight(note, &n);
    sleep_ms(100);
    EXPECT_INT(n, 0);
    budget_stop();

    budget_start(BUDGET_LEAST);
    budget_on_tight(note, &n);
    volatile char *p = touched(75 * MIB);
    sleep_ms(500);
    EXPECT_INT(n, 1);
    budget_stop();
    free((void *)p);
}

TESTS(CASE(a_limit_is_said_in_bytes_in_percent_or_left_to_the_machine),
      CASE(without_a_limit_nobody_is_refused_and_shares_are_endless), CASE(shares_leave_a_fifth_to_nobody),
      CASE(telemetry_is_refused_before_queries_are),
      CASE(memory_nobody_counts_is_seen_and_forgotten_when_it_is_freed),
      CASE(requests_have_a_ceiling_together_but_small_ones_and_one_alone_pass),
      CASE(caches_are_emptied_once_a_second_while_it_is_tight))
