/* rule_test.c - see rule_test.h. A test walks through its time step by step: the samples up to now, every
 * group, the alerts expected now. Its questions come last. */
#include "judge/rule_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/duration.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/regex.h"
#include "judge/rule_test_file.h"

#define FAILURES_MAX  (8u << 20)
#define QUERY_THREADS 1

struct bench { /* one test under way */
    const struct rule_tests *all;
    const struct rule_test *test;
    struct rule_env env;
    struct work_pool *pool;
    struct rule_group **groups; /* in the order they are evaluated */
    size_t n_groups;
    size_t *fed; /* values of each series that are in the store */
    struct arena scratch;
    struct buf *out;
    bool failed;
};

/* ---- words ---- */

static void put_duration(struct buf *out, int64_t ms)
{
    if (ms == 0)
        buf_cs(out, "0s");
    else
        duration_print_ms(out, ms);
}

/* Go's way: 2m0s, 1h0m30s. */
static void put_go_duration(struct buf *out, int64_t ms)
{
    int64_t s = ms / 1000;
    if (s >= 3600) buf_printf(out, "%lldh", (long long)(s / 3600));
    if (s >= 60) buf_printf(out, "%lldm", (long long)(s / 60 % 60));
    buf_printf(out, "%lld", (long long)(s % 60));
    if (ms % 1000 != 0) buf_printf(out, ".%03lld", (long long)(ms % 1000));
    buf_char(out, 's');
}

static void put_labels(struct buf *out, struct labels l)
{
    buf_char(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        buf_printf(out, "%s%.*s=", i > 0 ? ", " : "", STR_ARG(l.at[i].name));
        struct buf quoted = BUF_INIT(LABEL_VALUE_MAX * 6);
        json_escape(&quoted, l.at[i].value);
        buf_str(out, buf_view(&quoted));
        buf_release(&quoted);
    }
    buf_char(out, '}');
}

static void put_alerts(struct buf *out, const struct expected_alert *a, size_t n)
{
    if (n == 0) {
        buf_cs(out, "[]");
        return;
    }
    buf_cs(out, "[\n");
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "            %zu:\n              Labels:", i);
        put_labels(out, a[i].labels);
        buf_cs(out, "\n              Annotations:");
        put_labels(out, a[i].annotations);
        buf_cs(out, i + 1 < n ? ",\n" : "\n");
    }
    buf_cs(out, "            ]");
}

/* Go's %G: 2E+00 as promtool writes it. */
static void put_value(struct buf *out, double v)
{
    char text[40];
    int digits = 0;
    if (isnan(v) || isinf(v)) {
        buf_cs(out, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return;
    }
    do snprintf(text, sizeof text, "%.*E", digits, v);
    while (strtod(text, NULL) != v && ++digits < 17);
    buf_cs(out, text);
}

static void put_samples(struct buf *out, const struct expected_sample *s, size_t n)
{
    if (n == 0) buf_cs(out, "nil");
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_cs(out, ", ");
        put_labels(out, s[i].labels);
        buf_char(out, ' ');
        if (s[i].hist != NULL)
            series_histogram_print(out, s[i].hist);
        else
            put_value(out, s[i].value);
    }
}

/* ---- time passes ---- */

static int feed(struct bench *b, int64_t until_ms, struct err *e)
{
    struct batch batch;
    struct write_result result = { 0 };
    batch_init(&batch, &b->scratch, LABELS_PACKED);
    for (size_t i = 0; i < b->test->n_series; i++) {
        const struct test_series *s = &b->test->series[i];
        bool begun = false;
        for (; b->fed[i] < s->values.n && (int64_t)b->fed[i] * b->test->interval_ms <= until_ms;
             b->fed[i]++) {
            const struct series_value *v = &s->values.at[b->fed[i]];
            int64_t at_ms = (int64_t)b->fed[i] * b->test->interval_ms;
            if (v->omitted) continue;
            if (!begun) batch_series_labels(&batch, s->labels);
            begun = true;
            if (v->hist != NULL)
                batch_histogram(&batch, at_ms, histogram_copy(v->hist, &b->scratch));
            else
                batch_sample(&batch, at_ms, v->value);
        }
    }
    int rc = batch.n_rows > 0 ? store_write(b->env.store, &batch, ACK_MEMORY, &result, NULL, NULL, e) : OK;
    arena_reset(&b->scratch);
    if (rc == OK && result.rejected_total > 0)
        rc = err_set(e, ERR_EXEC, "a sample was refused: %s", result.why);
    return rc;
}

/* False: a rule cannot be evaluated, and the test ends. */
static bool evaluate(struct bench *b, int64_t at_ms)
{
    bool good = true;
    for (size_t i = 0; i < b->n_groups; i++) {
        struct rule_group *g = b->groups[i];
        rule_group_eval(g, at_ms);
        for (size_t k = 0; k < g->spec->n_rules; k++) {
            if (g->rules[k].error == NULL) continue;
            buf_printf(b->out, "    rule: %.*s, time: ", STR_ARG(g->rules[k].spec->name));
            put_go_duration(b->out, at_ms);
            buf_printf(b->out, ", err: %s\n", g->rules[k].error);
            good = false;
        }
    }
    return good;
}

/* ---- alerts ---- */

static int by_alert(const void *a, const void *b)
{
    const struct expected_alert *x = a, *y = b;
    int c = labels_cmp(x->labels, y->labels);
    return c != 0 ? c : labels_cmp(x->annotations, y->annotations);
}

static size_t firing(struct bench *b, struct str name, struct expected_alert **out)
{
    size_t n = 0, cap = 0;
    *out = NULL;
    for (size_t i = 0; i < b->n_groups; i++)
        for (size_t k = 0; k < b->groups[i]->spec->n_rules; k++) {
            const struct rule *r = &b->groups[i]->rules[k];
            if (!r->spec->is_alert || !str_eq(r->spec->name, name)) continue;
            for (size_t j = 0; j < r->alerts.n; j++) {
                if (r->alerts.at[j]->phase != ALERT_FIRING) continue;
                *out = arena_grow(&b->scratch, *out, n, &cap, sizeof **out);
                (*out)[n++] =
                    (struct expected_alert){ r->alerts.at[j]->labels, r->alerts.at[j]->annotations };
            }
        }
    if (n > 0) qsort(*out, n, sizeof **out, by_alert);
    return n;
}

static bool is_same_alerts(const struct expected_alert *a, size_t n, const struct expected_alert *b,
                           size_t n_b)
{
    if (n != n_b) return false;
    for (size_t i = 0; i < n; i++)
        if (!labels_eq(a[i].labels, b[i].labels) || !labels_eq(a[i].annotations, b[i].annotations))
            return false;
    return true;
}

static void check_alerts(struct bench *b, const struct alert_case *c)
{
    struct expected_alert *got;
    size_t n = firing(b, c->alert, &got);
    if (!is_same_alerts(c->want, c->n, got, n)) {
        b->failed = true;
        if (b->test->name.n > 0) buf_printf(b->out, "    name: %.*s,\n", STR_ARG(b->test->name));
        buf_printf(b->out, "    alertname: %.*s, time: ", STR_ARG(c->alert));
        put_duration(b->out, c->at_ms);
        buf_cs(b->out, ", \n        exp:");
        put_alerts(b->out, c->want, c->n);
        buf_cs(b->out, ", \n        got:");
        put_alerts(b->out, got, n);
        buf_char(b->out, '\n');
    }
    arena_reset(&b->scratch);
}

/* ---- expressions ---- */

static int by_sample(const void *a, const void *b)
{
    return labels_cmp(((const struct expected_sample *)a)->labels,
                      ((const struct expected_sample *)b)->labels);
}

static bool is_same_number(double a, double b, bool fuzzy)
{
    if (a == b || (isnan(a) && isnan(b))) return true;
    return fuzzy && fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b));
}

/* Printed alike is alike: bucket layouts that say the same may differ. */
static bool is_same_histogram(const struct histogram *a, const struct histogram *b)
{
    struct buf x = BUF_INIT(1u << 20), y = BUF_INIT(1u << 20);
    if (a == NULL || b == NULL) return a == b;
    series_histogram_print(&x, a);
    series_histogram_print(&y, b);
    bool same = str_eq(buf_view(&x), buf_view(&y));
    buf_release(&x);
    buf_release(&y);
    return same;
}

static bool is_same_samples(const struct expr_case *c, const struct expected_sample *got, size_t n,
                            bool fuzzy)
{
    if (n != c->n) return false;
    for (size_t i = 0; i < n; i++)
        if (!labels_eq(c->want[i].labels, got[i].labels) ||
            !is_same_histogram(c->want[i].hist, got[i].hist) ||
            (got[i].hist == NULL && !is_same_number(c->want[i].value, got[i].value, fuzzy)))
            return false;
    return true;
}

static void begin_expr_failure(struct bench *b, const struct expr_case *c)
{
    b->failed = true;
    buf_cs(b->out, "    expr: ");
    struct buf quoted = BUF_INIT(1u << 20);
    json_escape(&quoted, c->expr);
    buf_str(b->out, buf_view(&quoted));
    buf_release(&quoted);
    buf_cs(b->out, ", time: ");
    put_duration(b->out, c->at_ms);
}

static void compare_answer(struct bench *b, const struct expr_case *c, const struct rule_answer *a)
{
    struct expected_sample *got = arena_array(&b->scratch, a->n + 1, sizeof *got);
    for (size_t i = 0; i < a->n; i++)
        got[i] = (struct expected_sample){ a->series[i].labels, a->series[i].points[0].value,
                                           a->series[i].points[0].hist, STR("") };
    qsort(got, a->n, sizeof *got, by_sample);
    if (is_same_samples(c, got, a->n, b->all->fuzzy)) return;
    begin_expr_failure(b, c);
    buf_cs(b->out, ",\n        exp: ");
    put_samples(b->out, c->want, c->n);
    buf_cs(b->out, "\n        got: ");
    put_samples(b->out, got, a->n);
    buf_char(b->out, '\n');
}

static void check_expr(struct bench *b, const struct expr_case *c)
{
    struct rule_answer answer = { 0 };
    struct err why = ERR_INIT;
    int rc = rule_ask(&b->env.query, RULE_PROMQL, c->expr, c->at_ms, &answer, &why);
    for (size_t i = 0; rc == OK && i < c->n; i++) {
        if (c->want[i].bad.n == 0) continue;
        rc = err_set(&why, ERR_PARSE, "%.*s", STR_ARG(c->want[i].bad));
        rule_answer_release(&answer);
    }
    if (rc < 0) {
        begin_expr_failure(b, c);
        buf_printf(b->out, ", err: %s\n", why.text);
        return;
    }
    compare_answer(b, c, &answer);
    rule_answer_release(&answer);
    arena_reset(&b->scratch);
}

/* ---- one test ---- */

static int64_t last_ms(const struct rule_test *t)
{
    int64_t last = 0;
    for (size_t i = 0; i < t->n_alerts; i++) last = t->alerts[i].at_ms > last ? t->alerts[i].at_ms : last;
    for (size_t i = 0; i < t->n_exprs; i++) last = t->exprs[i].at_ms > last ? t->exprs[i].at_ms : last;
    return last;
}

static int walk(struct bench *b, struct err *e)
{
    const struct rule_test *t = b->test;
    int64_t step_ms = b->all->interval_ms, last = last_ms(t);
    size_t next = 0;
    for (int64_t at_ms = 0; at_ms <= last; at_ms += step_ms) {
        int rc = feed(b, at_ms, e);
        if (rc < 0) return rc;
        if (!evaluate(b, at_ms)) {
            b->failed = true;
            return OK;
        }
        for (; next < t->n_alerts && t->alerts[next].at_ms < at_ms + step_ms; next++)
            check_alerts(b, &t->alerts[next]);
    }
    for (size_t i = 0; i < t->n_exprs; i++) check_expr(b, &t->exprs[i]);
    return OK;
}

static size_t place_of(const struct rule_tests *all, struct str group)
{
    size_t i = 0;
    while (i < all->n_order && !str_eq(all->order[i], group)) i++;
    return i < all->n_order ? i : 0;
}

/* As the files name them, then by group_eval_order. */
static void make_groups(struct bench *b)
{
    size_t cap = 0;
    for (size_t f = 0; f < b->all->n_files; f++)
        for (size_t i = 0; i < b->all->files[f]->n_groups; i++) {
            struct rule_group *g = rule_group_new(b->all->files[f], i, &b->env, true);
            b->groups = mem_grow(b->groups, b->n_groups, &cap, sizeof(struct rule_group *));
            size_t k = b->n_groups++;
            for (; k > 0 && place_of(b->all, b->groups[k - 1]->spec->name) > place_of(b->all, g->spec->name);
                 k--)
                b->groups[k] = b->groups[k - 1];
            b->groups[k] = g;
        }
}

static int run_test(const struct rule_tests *all, const struct rule_test *t,
                    const struct rule_test_host *host, struct buf *out, bool *failed, struct err *e)
{
    struct store *store = host->open(host->ctx, e);
    if (store == NULL) return e->code;
    struct bench b = { .all = all, .test = t, .out = out, .scratch = ARENA_INIT((size_t)1 << 30) };
    b.pool = work_start("query", QUERY_THREADS, 64);
    b.env = (struct rule_env){ .store = store,
                               .external = t->external,
                               .external_url = t->external_url,
                               .interval_ms = all->interval_ms };
    b.env.query.engine = engine_new(store, b.pool, &(struct engine_conf){ .no_result_cache = true });
    b.fed = mem_array(t->n_series + 1, sizeof *b.fed);
    make_groups(&b);

    int rc = walk(&b, e);
    *failed = b.failed;
    for (size_t i = 0; i < b.n_groups; i++) rule_group_free(b.groups[i]);
    mem_free(b.groups);
    mem_free(b.fed);
    engine_free(b.env.query.engine);
    work_stop(b.pool);
    arena_release(&b.scratch);
    host->close(host->ctx, store);
    return rc;
}

int rule_test_file(const char *path, const struct rule_test_host *host, struct buf *failures, struct err *e)
{
    struct rule_tests *all = NULL;
    struct regex *only = NULL;
    bool any = false;
    int rc = host->run != NULL ? regex_new_search(str_of(host->run), &only, e) : OK;
    if (rc == OK) rc = rule_tests_read(path, host->warn, host->ctx, &all, e);
    for (size_t i = 0; rc == OK && i < all->n_tests; i++) {
        bool failed = false;
        if (only != NULL && !regex_match(only, all->tests[i].name)) continue;
        rc = run_test(all, &all->tests[i], host, failures, &failed, e);
        any |= failed;
    }
    rule_tests_free(all);
    regex_free(only);
    return rc < 0 ? rc : any ? err_set(e, ERR_EXEC, "a test failed") : OK;
}
