/* rule_file_test.c - what a rule file may hold, and what is said of what it may not. */
#include "judge/rule_file.h"

#include "judge/builtin.h"
#include "judge/rule_check.h"
#include "unit/test.h"

static struct rule_file *good(const char *text)
{
    struct rule_file *f = NULL;
    struct err e = ERR_INIT;
    if (rule_file_parse(str_of(text), "r.yml", RULE_PROMQL, &f, &e) < 0) fail_msg("%s", e.text);
    return f;
}

static void bad(const char *text, const char *why)
{
    struct rule_file *f = NULL;
    struct err e = ERR_INIT;
    EXPECT(rule_file_parse(str_of(text), "r.yml", RULE_PROMQL, &f, &e) < 0);
    if (strstr(e.text, why) == NULL) fail_msg("wanted \"%s\", got \"%s\"", why, e.text);
}

TEST(everything_that_may_be_said)
{
    struct rule_file *f = good("groups:\n"
                               "- name: g\n"
                               "  interval: 30s\n"
                               "  limit: 7\n"
                               "  query_offset: 1m\n"
                               "  labels: {team: a, tier: low}\n"
                               "  rules:\n"
                               "  - record: job:up:sum\n"
                               "    expr: sum by(job)(up)\n"
                               "    labels: {tier: high}\n"
                               "  - alert: Down\n"
                               "    expr: up==0\n"
                               "    for: 5m\n"
                               "    keep_firing_for: 1h\n"
                               "    labels: {severity: '{{ $labels.s }}'}\n"
                               "    annotations: {summary: down, value: '{{ $value }}'}\n"
                               "- name: h\n");
    const struct rule_group_spec *g = &f->groups[0];
    EXPECT_INT(f->n_groups, 2);
    EXPECT(str_is(g->name, "g") && g->interval_ms == 30000 && g->limit == 7);
    EXPECT(g->has_offset && g->offset_ms == 60000 && g->n_rules == 2);
    EXPECT(!g->rules[0].is_alert && str_is(g->rules[0].expr, "sum by (job) (up)"));
    EXPECT_INT(g->rules[0].labels.n, 2); /* team of the group, tier of the rule */
    EXPECT(str_is(g->rules[0].labels.at[1].name, "tier") && str_is(g->rules[0].labels.at[1].text, "high"));
    const struct rule_spec *r = &g->rules[1];
    EXPECT(r->is_alert && r->for_ms == 300000 && r->keep_firing_ms == 3600000 && str_is(r->expr, "up == 0"));
    EXPECT(r->labels.n == 3 && r->annotations.n == 2);
    EXPECT(r->labels.at[0].filled != NULL); /* severity */
    EXPECT(r->annotations.at[0].filled == NULL && r->annotations.at[1].filled != NULL);
    EXPECT(!f->groups[1].has_offset && f->groups[1].n_rules == 0);
    rule_file_free(f);
}

TEST(an_empty_file_has_no_groups)
{
    struct rule_file *f = good("");
    EXPECT_INT(f->n_groups, 0);
    rule_file_free(f);
    f = good("groups: []\n");
    EXPECT_INT(f->n_groups, 0);
    rule_file_free(f);
}

#define RULE(text) "groups:\n- name: g\n  rules:\n  - " text "\n"

TEST(errors_name_file_line_and_place)
{
    bad(RULE("{alert: A}"), "r.yml:4: groups[0].rules[0]: field 'expr' must be set in rule");
    bad(RULE("{alert: A, record: b, expr: up}"),
        "r.yml:4: groups[0].rules[0]: only one of 'record' and 'alert'");
    bad(RULE("{expr: up}"), "r.yml:4: groups[0].rules[0]: one of 'record' or 'alert' must be set");
    bad(RULE("{record: a, expr: up, for: 5m}"), "invalid field 'for' in recording rule");
    bad(RULE("{record: a, expr: up, annotations: {a: b}}"), "invalid field 'annotations' in recording rule");
    bad(RULE("{record: 'a{b=\"c\"}', expr: up}"), "invalid recording rule name");
    bad(RULE("{record: a, expr: 'up +'}"),
        "could not parse expression: 1:5: parse error: unexpected end of input");
    bad(RULE("{record: a, expr: 'up[5m]'}"), "a rule wants a vector or a scalar, not a range vector");
    bad(RULE("{alert: A, expr: up, for: five}"), "r.yml:4: groups[0].rules[0]: for: expected");
    bad(RULE("{alert: A, expr: up, fro: 5m}"), "r.yml:4: groups[0].rules[0]: unknown key \"fro\"");
    bad(RULE("{alert: A, expr: up, labels: {__name__: x}}"), "labels: __name__ is not allowed");
    bad(RULE("{alert: A, expr: up, labels: [x]}"), "labels: expected a map");
    bad(RULE("{alert: A, expr: up, annotations: {s: '{{ $labels.x'}}"), "annotation s: template:");
    bad(RULE("{alert: A, expr: up, labels: {s: '{{ nothing }}'}}"), "label s: template:");
    bad(RULE("text"), "r.yml:4: groups[0].rules[0]: expected a rule");
    bad("groups: [{rules: []}]", "r.yml:1: groups[0]: Groupname must not be empty");
    bad("groups:\n- name: a\n- name: a\n",
        "r.yml:3: groups[1]: groupname: \"a\" is repeated in the same file");
    bad("groups: [{name: a, limit: many}]", "groups[0]: limit: expected an integer");
    bad("groups: {a: b}", "r.yml:1: groups: expected a list");
    bad("group: []", "r.yml:1: unknown key \"group\"");
    bad("- a", "r.yml:1: expected a map");
    bad("groups: [", "r.yml:");
}

TEST(recording_rules_have_plain_labels)
{
    struct rule_file *f = good(RULE("{record: a, expr: up, labels: {x: '{{ not a template'}}"));
    EXPECT(f->groups[0].rules[0].labels.at[0].filled == NULL);
    rule_file_free(f);
}

TEST(rules_on_logs_speak_logql)
{
    struct rule_file *f =
        good("groups:\n- name: g\n  type: log\n  rules:\n"
             "  - {alert: A, expr: 'sum(count_over_time({service=\"x\"} |= \"error\" [5m])) > 10'}\n"
             "- name: h\n  rules:\n"
             "  - {alert: B, expr: 'up == 0'}\n"
             "  - {record: c, type: loki, expr: 'sum(rate({service=\"x\"}[1m]))'}\n");
    EXPECT(f->groups[0].rules[0].lang == RULE_LOGQL);
    EXPECT(f->groups[1].rules[0].lang == RULE_PROMQL && f->groups[1].rules[1].lang == RULE_LOGQL);
    rule_file_free(f);
    bad("type: log\ngroups: [{name: g, rules: [{alert: A, expr: '{a=\"b\"}'}]}]",
        "a rule counts or measures lines");
    bad("type: graphite\n", "neither prometheus nor log");
}

TEST(the_identity_of_a_group_is_all_it_says)
{
    static const char *const texts[] = {
        RULE("{alert: A, expr: up, labels: {a: b}}"),
        RULE("{alert: A, expr: up, labels: {a: c}}"),
        RULE("{alert: A, expr: up, annotations: {a: b}}"),
        RULE("{alert: A, expr: up, for: 1m}"),
        RULE("{alert: A, expr: up, keep_firing_for: 1m}"),
        RULE("{record: A, expr: up}"),
        "groups:\n- name: g\n  interval: 1m\n  rules:\n  - {record: A, expr: up}\n",
        "groups:\n- name: g\n  limit: 1\n  rules:\n  - {record: A, expr: up}\n",
        "groups:\n- name: g\n  query_offset: 0s\n  rules:\n  - {record: A, expr: up}\n",
    };
    struct hash128 ids[sizeof texts / sizeof *texts];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct rule_file *f = good(texts[i]), *again = good(texts[i]);
        ids[i] = f->groups[0].identity;
        EXPECT(hash128_eq(ids[i], again->groups[0].identity));
        for (size_t k = 0; k < i; k++) EXPECT(!hash128_eq(ids[i], ids[k]));
        rule_file_free(f);
        rule_file_free(again);
    }
}

TEST(equal_templates_are_read_once)
{
    struct rule_file *f = good(RULE(
        "{alert: A, expr: up, annotations: {s: '{{ $value }}'}}") "  - {alert: B, expr: up, annotations: {s: "
                                                                  "'{{ $value }}', t: '{{ $labels.a }}'}}\n");
    EXPECT_INT(f->n_templates, 2);
    rule_file_free(f);
}

TEST(duplicates_are_found)
{
    struct rule_file *f = good(RULE("{record: a, expr: up}") "  - {record: a, expr: up + 1}\n"
                                                             "  - {record: a, expr: up, labels: {x: y}}\n");
    struct buf out = BUF_INIT(1000);
    EXPECT_INT(rule_check_duplicates(f, &out), 1);
    EXPECT_INT(rule_check_count(f), 3);
    EXPECT(strstr(buf_cstr(&out), "Metric: a\nLabel(s):\n") != NULL);
    buf_release(&out);
    rule_file_free(f);
}

static bool has_text(const struct rule_texts *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_is(t->at[i].name, name)) return t->at[i].text.n > 0;
    return false;
}

TEST(built_in_rules_say_what_people_need)
{
    static const char *const needed[] = { "summary", "description", "value", "threshold", "runbook_url" };
    size_t n = 0;
    for (size_t i = 0; i < builtin_rules_count; i++) {
        const struct builtin_rules *b = &builtin_rules[i];
        struct rule_file *f;
        struct err e = ERR_INIT;
        EXPECT_INT(
            rule_file_parse(str_make(b->begin, (size_t)(b->end - b->begin)), b->name, RULE_PROMQL, &f, &e),
            OK);
        for (size_t g = 0; g < f->n_groups; g++)
            for (size_t k = 0; k < f->groups[g].n_rules; k++, n++) {
                const struct rule_spec *r = &f->groups[g].rules[k];
                char path[300];
                snprintf(path, sizeof path, "docs/runbooks/%.*s.md", STR_ARG(r->name));
                FILE *page = fopen(path, "r"); /* tests run at the top of the project */
                if (page == NULL) fail_msg("%s is missing", path);
                fclose(page);
                EXPECT(r->is_alert && has_text(&r->labels, "severity"));
                for (size_t a = 0; a < sizeof needed / sizeof *needed; a++)
                    EXPECT(has_text(&r->annotations, needed[a]));
            }
        if (i == 0) EXPECT_INT(f->groups[0].n_rules, 11); /* core */
        rule_file_free(f);
    }
    EXPECT_INT(builtin_rules_count, 8);
    EXPECT(n >= 40);
}

TESTS(CASE(everything_that_may_be_said), CASE(an_empty_file_has_no_groups),
      CASE(errors_name_file_line_and_place), CASE(recording_rules_have_plain_labels),
      CASE(rules_on_logs_speak_logql), CASE(the_identity_of_a_group_is_all_it_says),
      CASE(equal_templates_are_read_once), CASE(duplicates_are_found),
      CASE(built_in_rules_say_what_people_need))
