/* rule_group_test.c - groups over a toy store: what they write, tell, restore and take over. */
#include "judge/rule_group.h"

#include "judge/rule_template.h"
#include "unit/test.h"
#include "unit/toy_store.c"

#define MIN_MS 60000

struct heard { /* of the last notice of each alert */
    size_t n_sends, n_alerts;
    int64_t starts_ms, ends_ms;
    char labels[200], annotations[200], url[200];
};

struct lab {
    struct rule_env env;
    struct heard heard;
    struct rule_file *file;
    struct rule_group *group;
};

static void hear(void *ctx, const struct alert *a, size_t n)
{
    struct lab *lab = ctx;
    struct buf b = BUF_INIT(199);
    lab->heard.n_sends++;
    lab->heard.n_alerts += n;
    lab->heard.starts_ms = a->starts_ms;
    lab->heard.ends_ms = a->ends_ms;
    labels_print(&b, a->labels);
    snprintf(lab->heard.labels, sizeof lab->heard.labels, "%s", buf_cstr(&b));
    buf_clear(&b);
    labels_print(&b, a->annotations);
    snprintf(lab->heard.annotations, sizeof lab->heard.annotations, "%s", buf_cstr(&b));
    snprintf(lab->heard.url, sizeof lab->heard.url, "%.*s", STR_ARG(a->generator_url));
    buf_release(&b);
}

static struct rule_file *parse(const char *rules)
{
    struct rule_file *f = NULL;
    struct err e = ERR_INIT;
    if (rule_file_parse(str_of(rules), "r.yml", RULE_PROMQL, &f, &e) < 0) fail_msg("%s", e.text);
    return f;
}

static void lab_open(struct lab *lab, const char *rules, bool is_restored)
{
    memset(lab, 0, sizeof *lab);
    lab->env.store = toy_store_new();
    lab->env.query.engine =
        engine_new(lab->env.store, NULL, &(struct engine_conf){ .no_result_cache = true });
    lab->env.external_url = STR("http://v");
    lab->env.sink = (struct alert_sink){ hear, lab };
    lab->file = parse(rules);
    lab->group = rule_group_new(lab->file, 0, &lab->env, is_restored);
}

static void lab_close(struct lab *lab)
{
    rule_group_free(lab->group);
    rule_file_free(lab->file);
    engine_free(lab->env.query.engine);
    store_close(lab->env.store);
}

static void put(struct lab *lab, const char *name, const char *host, int64_t at_ms, double value)
{
    struct label at[] = { { STR(LABEL_NAME), str_of(name) }, { STR("host"), str_of(host) } };
    toy_store_add(lab->env.store, (struct labels){ at, 2 }, at_ms, value, NULL, 0);
}

/* What a query finds, one series a line. */
static const char *ask(struct lab *lab, const char *expr, int64_t at_ms)
{
    static char text[2000];
    struct rule_answer a = { 0 };
    struct err e = ERR_INIT;
    struct buf b = BUF_INIT(sizeof text - 1);
    if (rule_ask(&lab->env.query, RULE_PROMQL, str_of(expr), at_ms, &a, &e) < 0) fail_msg("%s", e.text);
    for (size_t i = 0; i < a.n; i++) {
        labels_print(&b, a.series[i].labels);
        buf_printf(&b, " %g\n", a.series[i].points[0].value);
    }
    snprintf(text, sizeof text, "%s", buf_cstr(&b));
    buf_release(&b);
    rule_answer_release(&a);
    return text;
}

static const char two_rules[] = "groups:\n- name: g\n  rules:\n"
                                "  - {record: total, expr: sum(load), labels: {kind: all}}\n"
                                "  - {record: twice, expr: total * 2}\n";

TEST(a_rule_sees_what_those_before_it_recorded)
{
    struct lab lab;
    lab_open(&lab, two_rules, true);
    put(&lab, "load", "a", MIN_MS, 1);
    put(&lab, "load", "b", MIN_MS, 2);
    rule_group_eval(lab.group, MIN_MS);
    EXPECT_STR(ask(&lab, "total", MIN_MS), "total{kind=\"all\"} 3\n");
    EXPECT_STR(ask(&lab, "twice", MIN_MS), "twice{kind=\"all\"} 6\n");
    EXPECT(lab.group->rules[0].health == RULE_OK && lab.group->samples == 2 && lab.group->eval_ms == MIN_MS);
    lab_close(&lab);
}

TEST(a_series_no_longer_recorded_ends_at_once)
{
    struct lab lab;
    lab_open(&lab, "groups: [{name: g, rules: [{record: high, expr: load > 1}]}]", true);
    put(&lab, "load", "a", 0, 5);
    put(&lab, "load", "b", 0, 6);
    rule_group_eval(lab.group, 1000);
    put(&lab, "load", "a", 2000, 0);
    rule_group_eval(lab.group, 2000);
    EXPECT_STR(ask(&lab, "high", 1999), "high{host=\"a\"} 5\nhigh{host=\"b\"} 6\n");
    EXPECT_STR(ask(&lab, "high", 2000), "high{host=\"b\"} 6\n");
    lab_close(&lab);
}

TEST(an_offset_moves_question_and_answer)
{
    struct lab lab;
    lab_open(
        &lab,
        "groups: [{name: g, query_offset: 1m, rules: [{record: r, expr: load}, {alert: A, expr: load > 0}]}]",
        true);
    put(&lab, "load", "a", 0, 1);
    put(&lab, "load", "a", MIN_MS, 2);
    rule_group_eval(lab.group, MIN_MS);
    EXPECT_STR(ask(&lab, "r", 0), "r{host=\"a\"} 1\n");
    EXPECT_STR(ask(&lab, "timestamp(r)", MIN_MS), "{host=\"a\"} 0\n");
    EXPECT_STR(ask(&lab, "ALERTS_FOR_STATE", 0), "ALERTS_FOR_STATE{alertname=\"A\", host=\"a\"} 60\n");
    lab_close(&lab);
}

TEST(a_limit_is_an_error_and_writes_nothing)
{
    struct lab lab;
    lab_open(&lab, "groups: [{name: g, limit: 1, rules: [{record: r, expr: load}, {alert: A, expr: load}]}]",
             true);
    put(&lab, "load", "a", 0, 1);
    rule_group_eval(lab.group, 0);
    EXPECT(lab.group->rules[0].health == RULE_OK && lab.group->rules[1].alerts.n == 1);
    put(&lab, "load", "b", 1000, 1);
    rule_group_eval(lab.group, 1000);
    EXPECT_STR(lab.group->rules[0].error, "exceeded limit of 1 with 2 series");
    EXPECT_STR(lab.group->rules[1].error, "exceeded limit of 1 with 2 alerts");
    EXPECT_INT(lab.group->rules[1].alerts.n, 0);
    EXPECT_STR(ask(&lab, "timestamp(r)", 1000), "{host=\"a\"} 0\n"); /* the old one has not ended */
    lab_close(&lab);
}

TEST(an_error_keeps_the_old_alerts)
{
    struct lab lab;
    lab_open(&lab, "groups: [{name: g, rules: [{alert: A, expr: 'load / on (host) other'}]}]", true);
    put(&lab, "load", "a", 0, 1);
    put(&lab, "other", "a", 0, 1);
    rule_group_eval(lab.group, 0);
    EXPECT_INT(lab.group->rules[0].alerts.n, 1);
    struct label at[] = { { STR(LABEL_NAME), STR("other") },
                          { STR("host"), STR("a") },
                          { STR("x"), STR("y") } };
    toy_store_add(lab.env.store, (struct labels){ at, 3 }, 1000, 1, NULL, 0); /* many to many */
    rule_group_eval(lab.group, 1000);
    EXPECT(lab.group->rules[0].health == RULE_ERR && lab.group->rules[0].alerts.n == 1);
    EXPECT(lab.group->rules[0].alerts.at[0]->phase == ALERT_FIRING);
    EXPECT_STR(ask(&lab, "ALERTS", 1000), "ALERTS{alertname=\"A\", alertstate=\"firing\", host=\"a\"} 1\n");
    lab_close(&lab);
}

TEST(recorded_twice_under_one_name_is_an_error)
{
    struct lab lab;
    lab_open(&lab, "groups: [{name: g, rules: [{record: r, expr: load, labels: {host: same}}]}]", true);
    put(&lab, "load", "a", 0, 1);
    put(&lab, "load", "b", 0, 1);
    rule_group_eval(lab.group, 0);
    EXPECT(strstr(lab.group->rules[0].error, "same labelset after applying rule labels") != NULL);
    lab_close(&lab);
}

static const char alert_rule[] =
    "groups: [{name: g, interval: 1m, rules: [{alert: High, expr: load > 1, for: 2m, "
    "labels: {severity: page, where: 'at {{ $labels.host }}'}, "
    "annotations: {summary: '{{ $value }} on {{ $labels.host }}'}}]}]";

TEST(an_alert_ripens_is_told_and_ends)
{
    struct lab lab;
    lab_open(&lab, alert_rule, true);
    for (int64_t m = 0; m < 4; m++) put(&lab, "load", "a", m * MIN_MS, 2 + (double)m);
    put(&lab, "load", "a", 4 * MIN_MS, 0);
    rule_group_eval(lab.group, 0);
    EXPECT_STR(ask(&lab, "ALERTS", 0), "ALERTS{alertname=\"High\", alertstate=\"pending\", host=\"a\", "
                                       "severity=\"page\", where=\"at a\"} 1\n");
    rule_group_eval(lab.group, MIN_MS);
    EXPECT_INT(lab.heard.n_sends, 0);
    rule_group_eval(lab.group, 2 * MIN_MS);
    EXPECT_INT(lab.heard.n_sends, 1);
    EXPECT_STR(lab.heard.labels, "{alertname=\"High\", host=\"a\", severity=\"page\", where=\"at a\"}");
    EXPECT_STR(lab.heard.annotations, "{summary=\"4 on a\"}");
    EXPECT_STR(lab.heard.url, "http://v/graph?g0.expr=load+%3E+1&g0.tab=1");
    EXPECT(lab.heard.starts_ms == 2 * MIN_MS && lab.heard.ends_ms == 6 * MIN_MS); /* 4 x the larger of both */
    EXPECT_STR(ask(&lab, "ALERTS", 2 * MIN_MS), "ALERTS{alertname=\"High\", alertstate=\"firing\", "
                                                "host=\"a\", severity=\"page\", where=\"at a\"} 1\n");
    rule_group_eval(lab.group, 4 * MIN_MS);
    EXPECT(lab.heard.n_sends == 2 && lab.heard.ends_ms == 4 * MIN_MS && lab.heard.starts_ms == 2 * MIN_MS);
    EXPECT_STR(ask(&lab, "ALERTS", 4 * MIN_MS), "");
    EXPECT_STR(ask(&lab, "ALERTS_FOR_STATE", 4 * MIN_MS), "");
    lab_close(&lab);
}

static const char slow_rule[] = "groups: [{name: g, rules: [{alert: Slow, expr: load > 1, for: 30m}]}]";

/* Written by an earlier life until down_ms: active since since_s. */
static int64_t restored_begin(int64_t since_s, int64_t down_ms, int64_t up_ms, double last)
{
    struct lab lab;
    lab_open(&lab, slow_rule, false);
    struct label at[] = { { STR(LABEL_NAME), STR("ALERTS_FOR_STATE") },
                          { STR("alertname"), STR("Slow") },
                          { STR("host"), STR("a") } };
    toy_store_add(lab.env.store, (struct labels){ at, 3 }, down_ms - 1000, (double)since_s, NULL, 0);
    toy_store_add(lab.env.store, (struct labels){ at, 3 }, down_ms, last, NULL, 0);
    put(&lab, "load", "a", up_ms, 5);
    rule_group_eval(lab.group, up_ms);
    EXPECT_STR(ask(&lab, "ALERTS", up_ms), ""); /* not before it is restored */
    rule_group_restore(lab.group, up_ms);
    int64_t begin = lab.group->rules[0].alerts.at[0]->active_ms;
    rule_group_eval(lab.group, up_ms + 1000);
    EXPECT(strlen(ask(&lab, "ALERTS", up_ms + 1000)) > 0);
    lab_close(&lab);
    return begin;
}

TEST(for_goes_on_after_a_restart)
{
    int64_t base = 100 * MIN_MS; /* active since then */
    /* 5 minutes waited, 10 away: 25 to go from now on */
    EXPECT_INT(restored_begin(base / 1000, base + 5 * MIN_MS, base + 15 * MIN_MS, (double)base / 1000),
               base + 10 * MIN_MS);
    /* 25 waited, 5 to go are less than the grace period: 10 from now on */
    EXPECT_INT(restored_begin(base / 1000, base + 25 * MIN_MS, base + 27 * MIN_MS, (double)base / 1000),
               base + 27 * MIN_MS + 10 * MIN_MS - 30 * MIN_MS);
    /* it was firing: it is again with the next evaluation */
    EXPECT_INT(restored_begin(base / 1000, base + 45 * MIN_MS, base + 50 * MIN_MS, (double)base / 1000),
               base);
    /* it had ended, or we were away for too long: all anew */
    EXPECT_INT(restored_begin(base / 1000, base + 5 * MIN_MS, base + 15 * MIN_MS, double_of(STALE_BITS)),
               base + 15 * MIN_MS);
    EXPECT_INT(restored_begin(base / 1000, base + 5 * MIN_MS, base + 75 * MIN_MS, (double)base / 1000),
               base + 75 * MIN_MS);
}

TEST(another_version_takes_alerts_and_series_over)
{
    struct lab lab;
    lab_open(&lab,
             "groups: [{name: g, rules: [{record: a, expr: load}, {record: b, expr: load}, "
             "{alert: High, expr: load > 1, for: 2m}]}]",
             true);
    put(&lab, "load", "a", 0, 2);
    rule_group_eval(lab.group, 0);

    struct rule_file *next = parse("groups: [{name: g, rules: [{alert: High, expr: load > 0, for: 1m}, "
                                   "{record: a, expr: load * 2}]}]");
    struct rule_group *fresh = rule_group_new(next, 0, &lab.env, true);
    rule_group_take_over(fresh, lab.group);
    rule_group_free(lab.group);
    lab.group = fresh;
    EXPECT(fresh->rules[0].alerts.n == 1 && fresh->rules[0].alerts.at[0]->active_ms == 0);
    rule_group_eval(fresh, MIN_MS);
    EXPECT(fresh->rules[0].alerts.at[0]->phase == ALERT_FIRING);               /* it had waited since 0 */
    EXPECT_STR(ask(&lab, "{__name__=~\"a|b\"}", MIN_MS), "a{host=\"a\"} 4\n"); /* b has no rule any more */
    rule_file_free(next);
    lab_close(&lab);
}

TEST(what_moves_to_another_rule_does_not_end)
{
    struct lab lab;
    lab_open(&lab, "groups: [{name: g, rules: [{record: a, expr: load, labels: {x: y}}]}]", true);
    put(&lab, "load", "a", 0, 2);
    rule_group_eval(lab.group, 0);
    struct rule_file *next = parse(
        "groups: [{name: g, rules: [{record: a, expr: 'label_replace(load, \"x\", \"y\", \"\", \"\")'}]}]");
    struct rule_group *fresh = rule_group_new(next, 0, &lab.env, true);
    rule_group_take_over(fresh, lab.group);
    rule_group_free(lab.group);
    lab.group = fresh;
    rule_group_eval(fresh, MIN_MS);
    EXPECT_STR(ask(&lab, "a", MIN_MS), "a{host=\"a\", x=\"y\"} 2\n");
    rule_file_free(next);
    lab_close(&lab);
}

TESTS(CASE(a_rule_sees_what_those_before_it_recorded), CASE(a_series_no_longer_recorded_ends_at_once),
      CASE(an_offset_moves_question_and_answer), CASE(a_limit_is_an_error_and_writes_nothing),
      CASE(an_error_keeps_the_old_alerts), CASE(recorded_twice_under_one_name_is_an_error),
      CASE(an_alert_ripens_is_told_and_ends), CASE(for_goes_on_after_a_restart),
      CASE(another_version_takes_alerts_and_series_over), CASE(what_moves_to_another_rule_does_not_end))
