/* rule_test_file.c - see rule_test_file.h. Errors name the file, the line and the test. */
#include "judge/rule_test_file.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/yaml_read.h"

#define TESTS_ARENA_MAX ((size_t)2 << 30)

static void read_number(struct reader *r, struct yaml *map, const char *key, double *out)
{
    struct yaml *y = yaml_get(map, key);
    struct err why = ERR_INIT;
    if (r->rc < 0 || y == NULL) return;
    if (y->kind == YAML_SCALAR && str_is_nocase(y->text, ".nan"))
        *out = NAN;
    else if (y->kind == YAML_SCALAR && (str_is_nocase(y->text, ".inf") || str_is_nocase(y->text, "+.inf")))
        *out = INFINITY;
    else if (y->kind == YAML_SCALAR && str_is_nocase(y->text, "-.inf"))
        *out = -INFINITY;
    else if (yaml_double(y, out, &why) < 0)
        read_fail(r, y->line, "%s: expected a number", key);
}

/* Zero is a good time here. */
static void read_when(struct reader *r, struct yaml *map, const char *key, int64_t *out)
{
    struct yaml *y = yaml_get(map, key);
    struct err why = ERR_INIT;
    if (r->rc < 0 || y == NULL) return;
    if (yaml_duration_ms(y, out, &why) < 0) read_fail(r, y->line, "%s: expected a duration like 5m", key);
}

static int by_label(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Sorted; empty values are kept out of labels and kept in annotations. */
static struct labels read_labels(struct reader *r, struct yaml *map, const char *key, const char *alert)
{
    struct yaml *y = read_map(r, map, key);
    size_t n = 0, cap = (y ? y->n : 0) + 1;
    struct label *at = arena_array(r->arena, cap, sizeof *at);
    if (alert != NULL) at[n++] = (struct label){ STR("alertname"), str_of(alert) };
    for (size_t i = 0; r->rc == OK && y != NULL && i < y->n; i++) {
        struct label one = { arena_str(r->arena, y->keys[i]), STR("") };
        struct err why = ERR_INIT;
        if (yaml_str(yaml_only(y, i), &one.value, &why) < 0)
            read_fail(r, y->key_lines[i], "%s: expected a text", key);
        one.value = arena_str(r->arena, one.value);
        if (alert != NULL && (one.value.n == 0 || str_is(one.name, "alertname"))) continue;
        at[n++] = one;
    }
    qsort(at, n, sizeof *at, by_label);
    return (struct labels){ at, n };
}

/* ---- series ---- */

static void read_series(struct reader *r, struct yaml *map, struct test_series *out)
{
    struct str series = { 0 }, values = { 0 };
    struct err why = ERR_INIT;
    read_text(r, map, "series", &series);
    read_text(r, map, "values", &values);
    if (r->rc < 0) return;
    if (series_labels_parse(series, r->arena, &out->labels, &why) < 0)
        read_fail(r, map->line, "series %.*s: %s", STR_ARG(series), why.text);
    else if (out->labels.n == 0)
        read_fail(r, map->line, "a series without labels");
    else if (series_values_parse(values, r->arena, &out->values, &why) < 0)
        read_fail(r, map->line, "values of %.*s: %s", STR_ARG(series), why.text);
    else if (arena_over(r->arena))
        read_fail(r, map->line, "the file makes too many values");
}

/* ---- alerts ---- */

static int by_alert(const void *a, const void *b)
{
    const struct expected_alert *x = a, *y = b;
    int c = labels_cmp(x->labels, y->labels);
    return c != 0 ? c : labels_cmp(x->annotations, y->annotations);
}

static void read_alert_case(struct reader *r, struct yaml *map, const char *test, struct alert_case *out)
{
    read_when(r, map, "eval_time", &out->at_ms);
    read_text(r, map, "alertname", &out->alert);
    if (r->rc == OK && out->alert.n == 0)
        read_fail(r, map->line,
                  "an item under alert_rule_test misses required attribute alertname at eval_time %lldms%s",
                  (long long)out->at_ms, test);
    struct yaml *list = read_list(r, map, "exp_alerts");
    out->n = r->rc == OK && list ? list->n : 0;
    out->want = arena_zero(r->arena, (out->n + 1) * sizeof *out->want);
    for (size_t i = 0; r->rc == OK && i < out->n; i++) {
        out->want[i].labels = read_labels(r, list->items[i], "exp_labels", arena_str(r->arena, out->alert).p);
        out->want[i].annotations = read_labels(r, list->items[i], "exp_annotations", NULL);
    }
    qsort(out->want, out->n, sizeof *out->want, by_alert);
}

static int by_time(const void *a, const void *b)
{
    const struct alert_case *x = a, *y = b;
    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

/* ---- expressions ---- */

static int by_sample(const void *a, const void *b)
{
    return labels_cmp(((const struct expected_sample *)a)->labels,
                      ((const struct expected_sample *)b)->labels);
}

static void read_sample(struct reader *r, struct yaml *map, struct expected_sample *out)
{
    struct str labels = { 0 }, hist = { 0 };
    struct err why = ERR_INIT;
    read_text(r, map, "labels", &labels);
    read_number(r, map, "value", &out->value);
    read_text(r, map, "histogram", &hist);
    if (r->rc < 0) return;
    if (series_labels_parse(labels, r->arena, &out->labels, &why) < 0)
        out->bad = arena_printf(r->arena, "labels \"%.*s\": %s", STR_ARG(labels), why.text);
    if (hist.n > 0 && series_histogram_parse(hist, r->arena, &out->hist, &why) < 0)
        out->bad = arena_printf(r->arena, "histogram \"%.*s\": %s", STR_ARG(hist), why.text);
}

static void read_expr_case(struct reader *r, struct yaml *map, struct expr_case *out)
{
    read_text(r, map, "expr", &out->expr);
    read_when(r, map, "eval_time", &out->at_ms);
    struct yaml *list = read_list(r, map, "exp_samples");
    out->n = r->rc == OK && list ? list->n : 0;
    out->want = arena_zero(r->arena, (out->n + 1) * sizeof *out->want);
    for (size_t i = 0; r->rc == OK && i < out->n; i++) read_sample(r, list->items[i], &out->want[i]);
    qsort(out->want, out->n, sizeof *out->want, by_sample);
}

/* ---- a test ---- */

static void *room(struct reader *r, const struct yaml *list, size_t size, size_t *n)
{
    *n = r->rc == OK && list != NULL ? list->n : 0;
    return arena_zero(r->arena, (*n + 1) * size);
}

static void read_test(struct reader *r, struct yaml *map, int64_t interval_ms, struct rule_test *t)
{
    struct yaml *list;
    if (map->kind != YAML_MAP) {
        read_fail(r, map->line, "a test is a map");
        return;
    }
    *t = (struct rule_test){ .interval_ms = interval_ms, .external_url = STR("") };
    read_text(r, map, "name", &t->name);
    read_duration(r, map, "interval", &t->interval_ms);
    read_text(r, map, "external_url", &t->external_url);
    t->external = read_labels(r, map, "external_labels", NULL);
    const char *in = t->name.n > 0 ? arena_printf(r->arena, " (in TestGroup %.*s)", STR_ARG(t->name)).p : "";

    t->series = room(r, list = read_list(r, map, "input_series"), sizeof *t->series, &t->n_series);
    for (size_t i = 0; r->rc == OK && i < t->n_series; i++) read_series(r, list->items[i], &t->series[i]);
    t->alerts = room(r, list = read_list(r, map, "alert_rule_test"), sizeof *t->alerts, &t->n_alerts);
    for (size_t i = 0; r->rc == OK && i < t->n_alerts; i++)
        read_alert_case(r, list->items[i], in, &t->alerts[i]);
    qsort(t->alerts, t->n_alerts, sizeof *t->alerts, by_time);
    t->exprs = room(r, list = read_list(r, map, "promql_expr_test"), sizeof *t->exprs, &t->n_exprs);
    for (size_t i = 0; r->rc == OK && i < t->n_exprs; i++) read_expr_case(r, list->items[i], &t->exprs[i]);
}

/* ---- the file ---- */

static void read_rules(struct reader *r, struct rule_tests *t, struct str pattern, int line)
{
    char text[600];
    glob_t found = { 0 };
    const char *path = read_resolve(r, pattern);
    if (r->rc < 0) return;
    int status = glob(path, 0, NULL, &found);
    if (status == GLOB_NOMATCH) {
        snprintf(text, sizeof text, "no file match pattern %s", path);
        t->warn(t->warn_ctx, text);
    } else if (status != 0) {
        read_fail(r, line, "rule_files: %.*s cannot be read", STR_ARG(pattern));
    }
    for (size_t i = 0; r->rc == OK && i < found.gl_pathc; i++) {
        struct rule_file *f;
        r->rc = rule_file_load(found.gl_pathv[i], RULE_PROMQL, &f, r->e);
        if (r->rc < 0) break;
        t->files = mem_grow(t->files, t->n_files, &t->cap_files, sizeof(struct rule_file *));
        t->files[t->n_files++] = f;
    }
    globfree(&found);
}

static void read_order(struct reader *r, struct rule_tests *t, struct yaml *list)
{
    if (list == NULL) return;
    read_texts(r, list, &t->order, &t->n_order);
    for (size_t i = 0; r->rc == OK && i < t->n_order; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(t->order[i], t->order[k]))
                read_fail(r, list->line, "group name repeated in evaluation order: %.*s",
                          STR_ARG(t->order[i]));
}

static void read_root(struct reader *r, struct yaml *root, struct rule_tests *t)
{
    struct str *patterns = NULL;
    size_t n = 0;
    struct yaml *list = read_list(r, root, "rule_files");
    if (list != NULL) read_texts(r, list, &patterns, &n);
    read_duration(r, root, "evaluation_interval", &t->interval_ms);
    read_flag(r, root, "fuzzy_compare", &t->fuzzy);
    read_order(r, t, read_list(r, root, "group_eval_order"));
    for (size_t i = 0; r->rc == OK && i < n; i++) read_rules(r, t, patterns[i], list->line);

    t->tests = room(r, list = read_list(r, root, "tests"), sizeof *t->tests, &t->n_tests);
    for (size_t i = 0; r->rc == OK && i < t->n_tests; i++) {
        read_test(r, list->items[i], t->interval_ms, &t->tests[i]);
        if (r->rc < 0) err_where(r->e, "tests[%zu]", i);
    }
}

int rule_tests_read(const char *path, void (*warn)(void *ctx, const char *text), void *ctx,
                    struct rule_tests **out, struct err *e)
{
    struct rule_tests *t = mem_alloc_zero(sizeof *t);
    struct buf text = BUF_INIT(RULE_FILE_BYTES_MAX);
    struct yaml *root = NULL;
    *t = (struct rule_tests){ .arena = ARENA_INIT(TESTS_ARENA_MAX),
                              .path = path,
                              .interval_ms = 60000,
                              .warn = warn,
                              .warn_ctx = ctx };
    struct reader r = { .file = path, .arena = &t->arena, .e = e };

    r.rc = file_slurp(path, &text, e);
    if (r.rc == OK) r.rc = yaml_parse(arena_str(&t->arena, buf_view(&text)), path, &t->arena, &root, e);
    if (r.rc == OK && root->kind == YAML_MAP) read_root(&r, root, t);
    if (r.rc == OK && root->kind != YAML_MAP && root->kind != YAML_NULL)
        read_fail(&r, root->line, "expected a map");
    if (r.rc == OK && root->kind == YAML_MAP) r.rc = yaml_unknown(root, path, e);
    buf_release(&text);
    if (r.rc < 0)
        rule_tests_free(t);
    else
        *out = t;
    return r.rc;
}

void rule_tests_free(struct rule_tests *t)
{
    if (t == NULL) return;
    for (size_t i = 0; i < t->n_files; i++) rule_file_free(t->files[i]);
    mem_free(t->files);
    arena_release(&t->arena);
    mem_free(t);
}
