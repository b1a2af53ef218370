#include "derive/event_series.h"

#include "base/clock.h"
#include "unit/test.h"
/* after stdio.h */
#include "unit/receive/fake_store.h"

#define NOW_MS INT64_C(1790000000000)

static const struct event_module *const modules[] = { &lb_series_module, &mcp_series_module,
                                                      &agent_series_module };

struct bench {
    struct fake_store store;
    struct event_series *series;
    struct arena arena;
    int64_t now_ms;
};

static void setup_with(struct bench *b, const struct event_series_conf *conf)
{
    *b = (struct bench){ .arena = ARENA_INIT(64 << 20), .now_ms = NOW_MS };
    fake_init(&b->store);
    clock_fix_ms(NOW_MS);
    struct event_series_conf by_hand = *conf;
    by_hand.interval_ms = 0;
    b->series = event_series_start(&b->store.store, &by_hand, modules, 3);
}

static void setup(struct bench *b)
{
    setup_with(b, &(struct event_series_conf)EVENT_SERIES_DEFAULT);
}

static void teardown(struct bench *b)
{
    event_series_stop(b->series);
    arena_release(&b->arena);
    fake_clear(&b->store);
    clock_fix_ms(0);
}

/* Attributes key, value, ..., NULL; a value that is a number is one. */
static void event_at(struct bench *b, int64_t time_ms, const char *name, ...)
{
    struct attr attrs[24];
    struct record r = { .time_ns = time_ms * 1000000 };
    struct records records;
    va_list ap;
    records_init(&records, &b->arena, TABLE_LOGS);
    records_origin(&records, &(struct origin){ .scope_name = STR("") });
    r.log.event_name = str_of(name);
    r.attrs.at = attrs;
    va_start(ap, name);
    for (const char *key; (key = va_arg(ap, const char *)) != NULL; r.attrs.n++) {
        const char *text = va_arg(ap, const char *);
        char *end;
        double d = strtod(text, &end);
        attrs[r.attrs.n].name = str_of(key);
        attrs[r.attrs.n].value = *end == 0 && *text != 0      ? value_double(d)
                                 : strcmp(text, "true") == 0  ? value_bool(true)
                                 : strcmp(text, "false") == 0 ? value_bool(false)
                                                              : value_str(str_of(text));
    }
    va_end(ap);
    EXPECT(records_add(&records, &r, NULL) == OK);
    records_end(&records);
    struct record_tap tap = event_series_tap(b->series);
    tap.seen(tap.ctx, &records);
}
#define event(b, ...) event_at(b, (b)->now_ms, __VA_ARGS__)

static void tick(struct bench *b, int64_t later_ms)
{
    clock_fix_ms(b->now_ms += later_ms);
    EXPECT(event_series_write(b->series, b->now_ms, false, NULL) == OK);
}

/* The last row written for the series; NULL: none was. */
static const struct fake_row *row(const struct bench *b, const char *series)
{
    const struct fake_row *found = NULL;
    for (size_t i = 0; i < b->store.n; i++)
        if (strcmp(b->store.rows[i].series, series) == 0) found = &b->store.rows[i];
    return found;
}

static double last(const struct bench *b, const char *series)
{
    const struct fake_row *r = row(b, series);
    return r != NULL ? r->value : -1;
}

static size_t samples(const struct bench *b, const char *series)
{
    size_t n = 0;
    for (size_t i = 0; i < b->store.n; i++) n += strcmp(b->store.rows[i].series, series) == 0;
    return n;
}

#define OK_OF(backend)    "vedette.lb.request", "backend_id", backend, "status", "ok"
#define COUNT_OF(backend) "load_balancer_requests_total{backend_id=\"" backend "\", status=\"ok\"}"
#define RPS_OF(backend)   "load_balancer_requests_per_second{backend_id=\"" backend "\"}"

TEST(a_counter_begins_with_a_zero_and_grows)
{
    struct bench b;
    setup(&b);
    event(&b, OK_OF("x"), NULL);
    tick(&b, 500);
    EXPECT(samples(&b, COUNT_OF("x")) == 2);
    EXPECT(b.store.rows[0].time_ms < b.now_ms);
    EXPECT(last(&b, COUNT_OF("x")) == 1);
    event(&b, OK_OF("x"), NULL);
    event(&b, OK_OF("x"), NULL);
    tick(&b, 1000);
    EXPECT(samples(&b, COUNT_OF("x")) == 3 && last(&b, COUNT_OF("x")) == 3);
    tick(&b, 1000); /* nothing happened: nothing is written */
    EXPECT(samples(&b, COUNT_OF("x")) == 3);
    tick(&b, EVENT_BEAT_MS); /* but now and then */
    EXPECT(samples(&b, COUNT_OF("x")) == 4);
    teardown(&b);
}

/* S1-004: 10 seconds. */
TEST(a_rate_falls_to_zero_when_nothing_comes)
{
    struct bench b;
    setup(&b);
    for (int i = 0; i < 20; i++) event(&b, OK_OF("x"), NULL);
    tick(&b, 500);
    EXPECT(last(&b, RPS_OF("x")) == 2);
    EXPECT(last(&b, "load_balancer_queries_per_minute{backend_id=\"x\"}") == 120);
    for (int i = 0; i < 12; i++) tick(&b, 1000);
    EXPECT(last(&b, RPS_OF("x")) == 0);
    teardown(&b);
}

TEST(a_mean_over_an_empty_window_ends)
{
    struct bench b;
    setup(&b);
    event(&b, OK_OF("x"), "quality_score", "0.4", NULL);
    event(&b, OK_OF("x"), "quality_score", "0.8", NULL);
    tick(&b, 500);
    EXPECT(fabs(last(&b, "load_balancer_quality_score{backend_id=\"x\"}") - 0.6) < 1e-12);
    for (int i = 0; i < 33; i++) tick(&b, 10000);
    EXPECT(is_stale(last(&b, "load_balancer_quality_score{backend_id=\"x\"}")));
    EXPECT(last(&b, COUNT_OF("x")) == 2);
    event(&b, OK_OF("x"), "quality_score", "1", NULL);
    tick(&b, 1000);
    EXPECT(last(&b, "load_balancer_quality_score{backend_id=\"x\"}") == 1);
    teardown(&b);
}

TEST(an_event_of_the_past_counts_in_its_own_slot)
{
    struct bench b;
    setup(&b);
    event_at(&b, NOW_MS - 50 * 60000, "vedette.agent.task", "task_id", "1", "agent_id", "a", "success",
             "true", NULL);
    tick(&b, 500);
    EXPECT(last(&b, "agent_task_throughput_per_hour{agent_id=\"a\"}") ==
           -1); /* task_id 1 is a number: refused */
    event_at(&b, NOW_MS - 50 * 60000, "vedette.agent.task", "task_id", "t1", "agent_id", "a", "success",
             "true", NULL);
    event_at(&b, NOW_MS - 61 * 60000, "vedette.agent.task", "task_id", "t2", "agent_id", "a", "success",
             "true", NULL);
    tick(&b, 500);
    EXPECT(last(&b, "agent_task_throughput_per_hour{agent_id=\"a\"}") == 1);
    for (int i = 0; i < 12; i++) tick(&b, 60000);
    EXPECT(last(&b, "agent_task_throughput_per_hour{agent_id=\"a\"}") == 0);
    teardown(&b);
}

TEST(an_id_counts_once_and_a_wrong_value_not_at_all)
{
    struct bench b;
    setup(&b);
    for (int i = 0; i < 3; i++) event(&b, OK_OF("x"), "request_id", "same", NULL);
    event(&b, OK_OF("x"), "request_id", "other", "quality_score", "1.01", NULL);
    event(&b, OK_OF("x"), "request_id", "third", "cost_usd", "nan", NULL);
    event(&b, "vedette.lb.request", "backend_id", "x", NULL);
    event(&b, "vedette.no.such.kind", "backend_id", "x", "status", "ok", NULL);
    tick(&b, 500);
    EXPECT(last(&b, COUNT_OF("x")) == 1);
    teardown(&b);
}

TEST(labels_beyond_the_limit_are_counted_together)
{
    struct event_series_conf conf = EVENT_SERIES_DEFAULT;
    struct bench b;
    conf.max_rows = 3;
    setup_with(&b, &conf);
    for (int i = 0; i < 10; i++) {
        char backend[8];
        snprintf(backend, sizeof backend, "b%d", i);
        event(&b, OK_OF(backend), NULL);
    }
    tick(&b, 500);
    EXPECT(last(&b, COUNT_OF("b2")) == 1 && last(&b, COUNT_OF("b3")) == -1);
    EXPECT(last(&b, "load_balancer_requests_total{backend_id=\"" EVENT_OVERFLOW "\"}") == 7);
    teardown(&b);
}

TEST(what_is_idle_ends_and_begins_anew_at_zero)
{
    struct bench b;
    setup(&b);
    event(&b, OK_OF("x"), NULL);
    event(&b, OK_OF("x"), NULL);
    tick(&b, 500);
    for (int i = 0; i < 130; i++) tick(&b, 60000);
    EXPECT(is_stale(last(&b, COUNT_OF("x"))));
    event(&b, OK_OF("x"), NULL);
    tick(&b, 1000);
    EXPECT(last(&b, COUNT_OF("x")) == 1);
    teardown(&b);
}

/* A request that begins is under way until it completes, and its completion knows what it said. */
TEST(a_request_is_in_flight_between_start_and_completion)
{
    struct bench b;
    setup(&b);
#define IN_FLIGHT "load_balancer_requests_in_flight{backend_id=\"x\", backend_type=\"t\"}"
    event(&b, "vedette.lb.request.start", "request_id", "r", "backend_id", "x", "backend_type", "t", NULL);
    event(&b, "vedette.lb.request.start", "request_id", "s", "backend_id", "x", "backend_type", "t", NULL);
    tick(&b, 500);
    EXPECT(last(&b, IN_FLIGHT) == 2);
    event(&b, "vedette.lb.request.complete", "request_id", "r", "status", "ok", NULL);
    tick(&b, 1500);
    EXPECT(last(&b, IN_FLIGHT) == 1);
    EXPECT(last(&b, "load_balancer_request_duration_seconds_sum{backend_id=\"x\", backend_type=\"t\"}") ==
           0.5);
    teardown(&b);
}

TEST(a_state_set_has_one_that_holds)
{
    struct bench b;
    setup(&b);
#define BREAKER(state) "load_balancer_circuit_breaker_state{backend_id=\"x\", state=\"" state "\"}"
    event(&b, "vedette.lb.breaker", "backend_id", "x", "state", "open", NULL);
    tick(&b, 500);
    EXPECT(last(&b, BREAKER("open")) == 1 && last(&b, BREAKER("closed")) == 0 &&
           last(&b, BREAKER("half_open")) == 0);
    event_at(&b, b.now_ms + 1000, "vedette.lb.breaker", "backend_id", "x", "state", "open", NULL);
    clock_fix_ms(b.now_ms += 7500);
    event(&b, "vedette.lb.breaker", "backend_id", "x", "state", "closed", NULL);
    tick(&b, 500);
    EXPECT(last(&b, BREAKER("open")) == 0 && last(&b, BREAKER("closed")) == 1);
    EXPECT(last(&b, "load_balancer_circuit_breaker_trips_total{backend_id=\"x\"}") == 1);
    EXPECT(last(&b, "load_balancer_circuit_breaker_recovery_seconds_sum{backend_id=\"x\"}") == 8);
    teardown(&b);
}

/* S1-025: sums of money are exact: a million times 0.000001 is 1. */
TEST(money_does_not_drift)
{
    struct bench b;
    setup(&b);
    for (int i = 0; i < 100000; i++) event(&b, OK_OF("x"), "cost_usd", "0.000001", NULL);
    tick(&b, 500);
    EXPECT(last(&b, "load_balancer_total_cost_usd{backend_id=\"x\"}") == 0.1);
    teardown(&b);
}

TEST(a_failed_write_loses_no_counts)
{
    struct bench b;
    struct err e = ERR_INIT;
    setup(&b);
    b.store.refuse_with = ERR_BUSY;
    event(&b, OK_OF("x"), NULL);
    clock_fix_ms(b.now_ms += 500);
    EXPECT(event_series_write(b.series, b.now_ms, false, &e) == ERR_BUSY);
    b.store.refuse_with = 0;
    tick(&b, 1000);
    EXPECT(last(&b, COUNT_OF("x")) == 1 && samples(&b, COUNT_OF("x")) == 2); /* its zero, too */
    teardown(&b);
}

TESTS(CASE(a_counter_begins_with_a_zero_and_grows), CASE(a_rate_falls_to_zero_when_nothing_comes),
      CASE(a_mean_over_an_empty_window_ends), CASE(an_event_of_the_past_counts_in_its_own_slot),
      CASE(an_id_counts_once_and_a_wrong_value_not_at_all),
      CASE(labels_beyond_the_limit_are_counted_together), CASE(what_is_idle_ends_and_begins_anew_at_zero),
      CASE(a_request_is_in_flight_between_start_and_completion), CASE(a_state_set_has_one_that_holds),
      CASE(money_does_not_drift), CASE(a_failed_write_loses_no_counts))
