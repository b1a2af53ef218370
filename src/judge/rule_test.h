/* rule_test.h - promtool's unit tests for rules: series that are given, the alerts and answers expected of
 * them.
 *
 *     rule_files: [rules.yml]
 *     tests:
 *       - interval: 1m
 *         input_series: [{ series: 'up{job="a"}', values: '1x5 0x10' }]
 *         alert_rule_test: [{ eval_time: 10m, alertname: Down, exp_alerts: [{ exp_labels: { job: a } }] }]
 *         promql_expr_test: [{ expr: up, eval_time: 5m, exp_samples: [{ labels: 'up{job="a"}', value: 1 }] }]
 *
 * Each test has a store of its own, where time begins at 0. Verdicts and texts are those of promtool. */
#pragma once
#include "base/work.h"
#include "judge/rule_group.h"

struct rule_test_host { /* who can make stores */
    void *ctx;
    struct store *(*open)(void *ctx, struct err *); /* fresh and empty; NULL on failure */
    void (*close)(void *ctx, struct store *);
    void (*warn)(void *ctx, const char *text);
    const char *run; /* only tests whose names match this; NULL: all */
};

/* Appends what failed. OK: all passed; ERR_EXEC: something did not; other errors: the file cannot be used. */
int rule_test_file(const char *path, const struct rule_test_host *, struct buf *failures, struct err *);
