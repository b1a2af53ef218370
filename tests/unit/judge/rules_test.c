/* rules_test.c - the clock and the change of rules, over a toy store. Times are polled, never asserted. */
#include "judge/rules.h"

#include <math.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/test.h"
#include "unit/toy_store.c"

struct lab {
    struct store *store;
    struct engine *engine;
    struct rules *rules;
    atomic_size_t sent;
};

static void hear(void *ctx, const struct alert *a, size_t n)
{
    (void)a;
    ((struct lab *)ctx)->sent += n;
}

static void lab_open(struct lab *lab)
{
    memset(lab, 0, sizeof *lab);
    lab->store = toy_store_new();
    lab->engine = engine_new(lab->store, NULL, &(struct engine_conf){ .no_result_cache = true });
    lab->rules = rules_start(&(struct rules_conf){ .store = lab->store,
                                                   .query = { .engine = lab->engine },
                                                   .sink = { hear, lab },
                                                   .threads = 2,
                                                   .fresh = true });
}

static void lab_close(struct lab *lab)
{
    rules_stop(lab->rules);
    engine_free(lab->engine);
    store_close(lab->store);
}

static void load(struct lab *lab, const char *name, const char *text)
{
    struct rule_file *f = NULL;
    struct err e = ERR_INIT;
    struct rules_settings s = { .interval_ms = 50, .external_url = STR("http://v") };
    if (text != NULL && rule_file_parse(str_of(text), name, RULE_PROMQL, &f, &e) < 0) fail_msg("%s", e.text);
    rules_load(lab->rules, &f, text != NULL ? 1 : 0, &s);
}

struct seen {
    size_t groups, alerts;
    int64_t eval_ms, active_ms;
    const struct rule_group *at;
};

static void look_at(const struct rule_group *g, void *ctx)
{
    struct seen *s = ctx;
    s->groups++;
    s->at = g;
    s->eval_ms = g->eval_ms;
    for (size_t i = 0; i < g->spec->n_rules; i++) {
        s->alerts += g->rules[i].alerts.n;
        if (g->rules[i].alerts.n > 0) s->active_ms = g->rules[i].alerts.at[0]->active_ms;
    }
}

static struct seen look(struct lab *lab)
{
    struct seen s = { 0 };
    rules_each_group(lab->rules, look_at, &s);
    return s;
}

static double value_of(struct lab *lab, const char *expr)
{
    struct rule_query q = { .engine = lab->engine };
    struct rule_answer a = { 0 };
    struct err e = ERR_INIT;
    if (rule_ask(&q, RULE_PROMQL, str_of(expr), clock_now_ms(), &a, &e) < 0) fail_msg("%s", e.text);
    double v = a.n > 0 ? a.series[0].points[0].value : NAN;
    rule_answer_release(&a);
    return v;
}

#define UNTIL(condition)                                                                                     \
    for (int i = 0; !(condition); i++) {                                                                     \
        if (i > 3000) fail_msg("not within 30 s: %s", #condition);                                           \
        usleep(10000);                                                                                       \
    }

TEST(groups_are_judged_again_and_again)
{
    struct lab lab;
    lab_open(&lab);
    EXPECT_INT(look(&lab).groups, 0);
    load(&lab, "r.yml",
         "groups: [{name: g, rules: [{record: one, expr: vector(1)}, {alert: A, expr: one == 1}]}]");
    UNTIL(look(&lab).eval_ms > 0);
    int64_t first = look(&lab).eval_ms;
    UNTIL(look(&lab).eval_ms > first);
    EXPECT_INT((look(&lab).eval_ms - first) % 50, 0); /* whole intervals apart */
    EXPECT(value_of(&lab, "one") == 1);
    UNTIL(lab.sent > 0);
    lab_close(&lab);
}

TEST(an_unchanged_group_goes_on_undisturbed)
{
    struct lab lab;
    static const char same[] = "groups: [{name: g, rules: [{alert: A, expr: vector(1)}]}]";
    lab_open(&lab);
    load(&lab, "r.yml", same);
    UNTIL(look(&lab).alerts == 1);
    struct seen before = look(&lab);
    load(&lab, "r.yml", same);
    struct seen after = look(&lab);
    EXPECT(after.at == before.at && after.active_ms == before.active_ms);
    lab_close(&lab);
}

TEST(a_changed_group_takes_its_alerts_along)
{
    struct lab lab;
    lab_open(&lab);
    load(&lab, "r.yml", "groups: [{name: g, rules: [{alert: A, expr: vector(1), for: 1h}]}]");
    UNTIL(look(&lab).alerts == 1);
    int64_t since = look(&lab).active_ms;
    load(&lab, "r.yml", "groups: [{name: g, rules: [{alert: A, expr: vector(2), for: 2h}]}]");
    EXPECT(look(&lab).alerts == 1 && look(&lab).active_ms == since);
    lab_close(&lab);
}

TEST(series_without_a_rule_end)
{
    struct lab lab;
    lab_open(&lab);
    load(&lab, "r.yml",
         "groups: [{name: g, rules: [{record: one, expr: vector(1)}, {alert: A, expr: vector(1)}]}]");
    UNTIL(value_of(&lab, "one") == 1 && value_of(&lab, "ALERTS") == 1);
    load(&lab, "r.yml", NULL);
    EXPECT_INT(look(&lab).groups, 0);
    UNTIL(isnan(value_of(&lab, "one")) && isnan(value_of(&lab, "ALERTS")));
    lab_close(&lab);
}

TEST(a_rule_that_moves_to_another_group_keeps_its_series)
{
    struct lab lab;
    lab_open(&lab);
    load(&lab, "r.yml", "groups: [{name: g, rules: [{record: one, expr: vector(1)}]}]");
    UNTIL(value_of(&lab, "one") == 1);
    load(&lab, "r.yml", "groups: [{name: other, rules: [{record: one, expr: vector(2)}]}]");
    UNTIL(value_of(&lab, "one") == 2);
    int64_t first = look(&lab).eval_ms;
    UNTIL(look(&lab).eval_ms > first);
    EXPECT(value_of(&lab, "one") == 2);
    lab_close(&lab);
}

TEST(it_stops_while_rules_wait_for_their_time)
{
    struct lab lab;
    lab_open(&lab);
    load(&lab, "r.yml", "groups: [{name: g, interval: 1h, rules: [{record: one, expr: vector(1)}]}]");
    lab_close(&lab);
}

TESTS(CASE(groups_are_judged_again_and_again), CASE(an_unchanged_group_goes_on_undisturbed),
      CASE(a_changed_group_takes_its_alerts_along), CASE(series_without_a_rule_end),
      CASE(a_rule_that_moves_to_another_group_keeps_its_series),
      CASE(it_stops_while_rules_wait_for_their_time))
