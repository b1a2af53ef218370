/* rule_test_file.h - a file of unit tests as it was read: inside of rule_test.c. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "judge/rule_file.h"
#include "judge/series_values.h"

struct test_series {
    struct labels labels;
    struct series_values values;
};

struct expected_alert {
    struct labels labels, annotations;
};

struct alert_case {
    int64_t at_ms;
    struct str alert;
    struct expected_alert *want; /* sorted */
    size_t n;
};

struct expected_sample {
    struct labels labels;
    double value;
    const struct histogram *hist;
    struct str bad; /* why the labels cannot be read */
};

struct expr_case {
    struct str expr;
    int64_t at_ms;
    struct expected_sample *want; /* sorted */
    size_t n;
};

struct rule_test {
    struct str name;
    int64_t interval_ms, start_ms;
    struct test_series *series;
    size_t n_series;
    struct alert_case *alerts; /* by time */
    size_t n_alerts;
    struct expr_case *exprs;
    size_t n_exprs;
    struct labels external;
    struct str external_url;
};

struct rule_tests {
    struct arena arena;
    const char *path;
    void (*warn)(void *ctx, const char *text);
    void *warn_ctx;
    int64_t interval_ms; /* of evaluation */
    bool fuzzy;          /* numbers may differ in their last digits */
    struct str *order;   /* names of groups */
    size_t n_order;
    struct rule_file **files;
    size_t n_files, cap_files;
    struct rule_test *tests;
    size_t n_tests;
};

/* warn: of patterns that no file matches, as they were resolved. */
int rule_tests_read(const char *path, void (*warn)(void *ctx, const char *text), void *ctx,
                    struct rule_tests **out, struct err *);
void rule_tests_free(struct rule_tests *); /* NULL is fine */
