/* api_analytics.c - /api/v1/analytics/trend, anomalies, correlate: plain statistics over what a query answers
 * (query/analytics/statistics.h). Each is traced and counted as an operation of our own. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "model/event_kg.h"
#include "query/analytics/statistics.h"
#include "tell/api_kg.h"
#include "tell/api_kg_impl.h"
#include "tell/api_traces_impl.h"

#define HOURS_DEFAULT   24
#define HOURS_MAX       8784 /* a year */
#define STEPS           240
#define STEPS_MAX       11000
#define STEP_LEAST_MS   15000
#define SERIES_MAX      200 /* looked at; of pairs there are n * (n - 1) / 2 */
#define THRESHOLD       3.0
#define LAG_MAX         100
#define ANOMALIES_SHOWN 500
#define PAIRS_SHOWN     100
#define SURE            0.95 /* confidence below which a trend is called stable */
#define NOISE           0.01 /* and the change of the mean that is none */
#define GOES_TOGETHER   0.7  /* |r| from which a pair counts as correlated */
#define MIN_PAIR_POINTS 5

/* ---- what is asked ---- */

struct ask {
    struct str metric, system, label; /* label: which one names the system */
    struct query_conf query;
    double hours;
    struct arena *a;
    struct self_op *op;
};

static int take_number(struct http_exchange *x, const char *name, double low, double high, double *out,
                       struct err *e)
{
    struct str s = http_param(x, name);
    char text[64], *end;
    if (s.n == 0) return OK;
    snprintf(text, sizeof text, "%.*s", (int)MIN(s.n, sizeof text - 1), s.p);
    double v = strtod(text, &end);
    if (s.n >= sizeof text || *end != 0 || !(v >= low && v <= high))
        return err_set(e, ERR_PARSE, "%s must be a number from %g to %g", name, low, high);
    *out = v;
    return OK;
}

static struct str quoted(struct arena *a, struct str s)
{
    struct buf b = BUF_INIT(64u << 10);
    json_escape(&b, s); /* PromQL reads the same escapes */
    struct str q = arena_str(a, buf_view(&b));
    buf_release(&b);
    return q;
}

static bool is_counter(struct str name)
{
    return str_ends(name, "_total") || str_ends(name, "_count") || str_ends(name, "_sum") ||
           str_ends(name, "_bucket");
}

/* What a name alone means: a metric (counters as rates), or values added by events under that name. */
static struct str query_of(const struct ask *q, int64_t step_ms)
{
    struct str name = quoted(q->a, q->metric), system = STR("");
    if (q->system.n > 0)
        system = arena_printf(q->a, ",%.*s=%.*s", STR_ARG(q->label), STR_ARG(quoted(q->a, q->system)));
    if (is_counter(q->metric))
        return arena_printf(q->a, "rate({__name__=%.*s%.*s}[%lldms])", STR_ARG(name), STR_ARG(system),
                            (long long)MAX(4 * step_ms, (int64_t)300000));
    struct str added =
        q->system.n > 0 ? arena_printf(q->a, ",system_id=%.*s", STR_ARG(quoted(q->a, q->system))) : STR("");
    return arena_printf(q->a, "{__name__=%.*s%.*s} or analytics_metric_last{metric_name=%.*s%.*s}",
                        STR_ARG(name), STR_ARG(system), STR_ARG(name), STR_ARG(added));
}

static bool is_label(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];
        if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return s.n > 0 && s.n <= 128;
}

static int take_ask(struct http_exchange *x, struct ask *q, struct err *e)
{
    struct str text = http_param(x, "query");
    int64_t step_ms = 0;
    int rc;
    q->metric = http_param(x, "metric").n > 0 ? http_param(x, "metric") : http_param(x, "metric_name");
    q->system = http_param(x, "system_id");
    q->label = http_param(x, "system_label").n > 0 ? http_param(x, "system_label") : STR("system_id");
    q->hours = HOURS_DEFAULT;
    if (str_is(q->system, "all")) q->system = STR("");
    if (text.n == 0 && q->metric.n == 0) return err_set(e, ERR_PARSE, "metric or query is needed");
    if (!is_label(q->label)) return err_set(e, ERR_PARSE, "system_label is no name of a label");
    if ((rc = take_number(x, "time_window_hours", 0.01, HOURS_MAX, &q->hours, e)) < 0) return rc;
    const int64_t window_ms = (int64_t)(q->hours * 3600000);
    if ((rc = take_time(x, "end", clock_now_ms(), &q->query.end_ms, e)) < 0 ||
        (rc = take_duration(x, "step", MAX(window_ms / STEPS, STEP_LEAST_MS), &step_ms, e)) < 0)
        return rc;
    if (step_ms < 1000 || window_ms / step_ms > STEPS_MAX)
        return err_set(e, ERR_PARSE, "step must be 1s or more, and the window at most %d steps", STEPS_MAX);
    q->query.start_ms = q->query.end_ms - window_ms;
    q->query.step_ms = step_ms;
    q->query.text = text.n > 0 ? text : query_of(q, step_ms);
    q->query.cancelled = http_gone(x);
    if (q->metric.n == 0) q->metric = text;
    return OK;
}

static void note_ask(const struct ask *q)
{
    struct str system = q->system.n > 0 ? q->system : STR("all");
    self_op_attr(q->op, "analytics.metric_name", value_str(q->metric));
    self_op_attr(q->op, "analytics.system_id", value_str(system));
    self_op_attr(q->op, "analytics.time_window_hours", value_double(q->hours));
    self_op_field(q->op, "metric_name", value_str(q->metric));
    self_op_field(q->op, "system_id", value_str(system));
}

/* ---- what is looked at: series on the same steps ---- */

struct columns {
    size_t n, steps;
    bool truncated;
    int64_t *time_ms;
    double **value; /* NAN: none */
    struct labels *labels;
};

static void make_columns(const struct query_result *r, const struct ask *q, struct columns *c)
{
    c->steps = (size_t)((q->query.end_ms - q->query.start_ms) / q->query.step_ms) + 1;
    c->n = MIN(r->n, (size_t)SERIES_MAX);
    c->truncated = r->n > SERIES_MAX;
    c->time_ms = arena_array(q->a, c->steps, sizeof *c->time_ms);
    c->value = arena_array(q->a, c->n + 1, sizeof *c->value);
    c->labels = arena_array(q->a, c->n + 1, sizeof *c->labels);
    for (size_t k = 0; k < c->steps; k++) c->time_ms[k] = q->query.start_ms + (int64_t)k * q->query.step_ms;
    for (size_t i = 0; i < c->n; i++) {
        const struct result_series *s = &r->series[i];
        c->labels[i] = s->labels;
        c->value[i] = arena_array(q->a, c->steps, sizeof **c->value);
        for (size_t k = 0; k < c->steps; k++) c->value[i][k] = (double)NAN;
        for (size_t k = 0; k < s->n; k++) {
            int64_t at = (s->points[k].time_ms - q->query.start_ms) / q->query.step_ms;
            if (s->points[k].hist == NULL && at >= 0 && at < (int64_t)c->steps)
                c->value[i][at] = s->points[k].value;
        }
    }
}

/* The mean of all series, step by step. */
static double *mean_column(const struct columns *c, struct arena *a)
{
    double *mean = arena_array(a, c->steps, sizeof *mean);
    for (size_t k = 0; k < c->steps; k++) {
        double sum = 0;
        size_t n = 0;
        for (size_t i = 0; i < c->n; i++)
            if (isfinite(c->value[i][k])) sum += c->value[i][k], n++;
        mean[k] = n > 0 ? sum / (double)n : (double)NAN;
    }
    return mean;
}

static void labels_json(struct json_writer *w, const struct labels *l)
{
    json_put_key(w, STR("labels"));
    json_begin_object(w);
    for (size_t i = 0; i < l->n; i++) {
        json_put_key(w, l->at[i].name);
        json_put_string(w, l->at[i].value);
    }
    json_end_object(w);
}

static void ask_json(struct json_writer *w, const struct ask *q, const struct columns *c)
{
    json_kv_string(w, "metric", q->metric);
    json_kv_string(w, "query", q->query.text);
    json_kv_string(w, "system_id", q->system.n > 0 ? q->system : STR("all"));
    json_kv_double(w, "time_window_hours", q->hours);
    json_kv_double(w, "step_seconds", (double)q->query.step_ms / 1000);
    json_kv_i64(w, "series_count", (int64_t)c->n);
    json_kv_bool(w, "truncated", c->truncated);
}

/* ---- trends ---- */

/* Lower is better of what hurts: told by words of the name. */
static bool is_lower_better(struct str name)
{
    static const char *const words[] = { "latency", "duration", "error",  "fail",   "cost",
                                         "wait",    "queue",    "reject", "memory", "cpu",
                                         "drop",    "miss",     "age",    "lag",    "usd" };
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)MIN(name.n, sizeof text - 1), name.p);
    for (size_t i = 0; i < COUNT(words); i++)
        if (strstr(text, words[i]) != NULL) return true;
    return false;
}

static const char *line_of(const struct trend *t)
{
    double least = NOISE * fabs(t->mean);
    if (t->confidence < SURE || !(fabs(t->change) > least)) return "stable";
    return t->change > 0 ? "increasing" : "decreasing";
}

static const char *direction_of(const struct trend *t, bool lower_is_better)
{
    const char *line = line_of(t);
    if (strcmp(line, "stable") == 0) return line;
    return (t->change < 0) == lower_is_better ? "improving" : "degrading";
}

static void trend_json(struct json_writer *w, const struct trend *t, bool lower)
{
    json_kv_cs(w, "direction", direction_of(t, lower));
    json_kv_cs(w, "line", line_of(t));
    json_kv_double(w, "strength", t->strength);
    json_kv_double(w, "confidence", t->confidence);
    json_kv_double(w, "slope_per_hour", t->slope);
    json_kv_double(w, "intercept", t->intercept);
    json_kv_double(w, "r_squared", t->r2);
    json_kv_double(w, "mean", t->mean);
    json_kv_double(w, "change", t->change);
    json_put_key(w, STR("change_percent"));
    json_put_double(w, t->intercept != 0 ? 100 * t->change / fabs(t->intercept) : (double)NAN);
    json_kv_i64(w, "points", (int64_t)t->n);
}

static int trend(struct http_exchange *x, const struct ask *q, const struct columns *c, struct json_writer *w,
                 struct err *e)
{
    struct str says = http_param(x, "lower_is_better");
    bool lower = says.n > 0 ? str_is(says, "true") : is_lower_better(q->metric);
    struct trend all;
    if (!trend_of(c->time_ms, mean_column(c, q->a), c->steps, &all))
        return err_set(e, ERR_EXEC,
                       "not enough data: a trend needs 3 values at different times, there are %zu", all.n);
    self_op_field(q->op, "status", value_str(STR("completed")));
    self_op_field(q->op, "direction", value_str(str_of(direction_of(&all, lower))));
    self_op_field(q->op, "strength", value_double(all.strength));
    self_op_field(q->op, "confidence", value_double(all.confidence));
    ask_json(w, q, c);
    json_kv_bool(w, "lower_is_better", lower);
    trend_json(w, &all, lower);
    json_put_key(w, STR("series"));
    json_begin_array(w);
    for (size_t i = 0; i < c->n; i++) {
        struct trend t;
        if (!trend_of(c->time_ms, c->value[i], c->steps, &t)) continue;
        json_begin_object(w);
        labels_json(w, &c->labels[i]);
        trend_json(w, &t, lower);
        json_end_object(w);
    }
    json_end_array(w);
    return OK;
}

/* ---- anomalies ---- */

struct anomaly {
    size_t series, step;
    double score;
};

static int by_score(const void *a, const void *b)
{
    double x = fabs(((const struct anomaly *)a)->score), y = fabs(((const struct anomaly *)b)->score);
    return (x < y) - (x > y);
}

static void anomalies_json(struct json_writer *w, const struct columns *c, const struct spread *s,
                           const struct anomaly *at, size_t n)
{
    json_put_key(w, STR("anomalies"));
    json_begin_array(w);
    for (size_t i = 0; i < MIN(n, (size_t)ANOMALIES_SHOWN); i++) {
        const struct anomaly *one = &at[i];
        json_begin_object(w);
        labels_json(w, &c->labels[one->series]);
        json_kv_time(w, "time", c->time_ms[one->step] * 1000000);
        json_kv_double(w, "value", c->value[one->series][one->step]);
        json_kv_double(w, "expected", s[one->series].median);
        json_kv_double(w, "score", one->score);
        json_end_object(w);
    }
    json_end_array(w);
}

static int anomalies(struct http_exchange *x, const struct ask *q, const struct columns *c,
                     struct json_writer *w, struct err *e)
{
    struct spread *s = arena_array(q->a, c->n + 1, sizeof *s);
    struct anomaly *at = NULL;
    size_t n = 0, cap = 0, points = 0;
    double threshold = THRESHOLD;
    int rc = take_number(x, "threshold_std", 0.1, 1000, &threshold, e);
    if (rc < 0) return rc;
    self_op_attr(q->op, "analytics.threshold_std", value_double(threshold));
    for (size_t i = 0; i < c->n; i++) {
        spread_of(c->value[i], c->steps, q->a, &s[i]);
        points += s[i].n;
        for (size_t k = 0; k < c->steps; k++) {
            double score = isfinite(c->value[i][k]) ? spread_score(&s[i], c->value[i][k]) : 0;
            if (fabs(score) < threshold) continue;
            at = arena_grow(q->a, at, n, &cap, sizeof *at);
            at[n++] = (struct anomaly){ i, k, score };
        }
    }
    if (points < 3)
        return err_set(e, ERR_EXEC, "not enough data: 3 values are needed, there are %zu", points);
    if (n > 0) qsort(at, n, sizeof *at, by_score);
    const double rate = (double)n / (double)points;
    self_op_field(q->op, "status", value_str(STR("completed")));
    self_op_field(q->op, "rate", value_double(rate));
    self_op_field(q->op, "count", value_int((int64_t)n));
    ask_json(w, q, c);
    json_kv_double(w, "threshold_std", threshold);
    json_kv_i64(w, "points", (int64_t)points);
    json_kv_i64(w, "anomaly_count", (int64_t)n);
    json_kv_double(w, "anomaly_rate", rate);
    anomalies_json(w, c, s, at, n);
    return OK;
}

/* ---- correlation ---- */

struct couple {
    size_t a, b, points;
    long lag;
    double r;
};

static int by_strength(const void *a, const void *b)
{
    double x = fabs(((const struct couple *)a)->r), y = fabs(((const struct couple *)b)->r);
    return (x < y) - (x > y);
}

/* The lag whose |r| is largest; of equal ones the shortest. */
static struct couple best_lag(const struct columns *c, size_t a, size_t b, long most)
{
    struct couple best = { a, b, 0, 0, (double)NAN };
    for (long k = 0; k <= 2 * most; k++) {
        size_t points;
        const long lag = k % 2 ? (k + 1) / 2 : -k / 2; /* 0, 1, -1, 2, -2, ... */
        double r = correlation(c->value[a], c->value[b], c->steps, lag, &points);
        if (isnan(r) || points < MIN_PAIR_POINTS || (!isnan(best.r) && fabs(r) <= fabs(best.r) + 1e-12))
            continue;
        best = (struct couple){ a, b, points, lag, r };
    }
    return best;
}

static void couple_json(struct json_writer *w, const struct columns *c, const struct ask *q,
                        const struct couple *p)
{
    json_begin_object(w);
    json_put_key(w, STR("a"));
    json_begin_object(w);
    labels_json(w, &c->labels[p->a]);
    json_end_object(w);
    json_put_key(w, STR("b"));
    json_begin_object(w);
    labels_json(w, &c->labels[p->b]);
    json_end_object(w);
    json_kv_double(w, "correlation", p->r);
    json_kv_i64(w, "points", (int64_t)p->points);
    json_kv_i64(w, "lag_steps", p->lag);
    json_kv_double(w, "lag_seconds", (double)(p->lag * q->query.step_ms) / 1000);
    json_end_object(w);
}

static int correlate(struct http_exchange *x, const struct ask *q, const struct columns *c,
                     struct json_writer *w, struct err *e)
{
    struct couple *at = NULL;
    size_t n = 0, cap = 0, together = 0, lag = 0;
    double least = GOES_TOGETHER;
    int rc;
    if ((rc = take_count(x, "max_lag", 0, LAG_MAX, &lag, e)) < 0 ||
        (rc = take_number(x, "min_correlation", 0, 1, &least, e)) < 0)
        return rc;
    self_op_attr(q->op, "analytics.system_count", value_int((int64_t)c->n));
    if (c->n < 2) return err_set(e, ERR_EXEC, "not enough data: two series are needed, there are %zu", c->n);
    for (size_t a = 0; a < c->n; a++)
        for (size_t b = a + 1; b < c->n; b++) {
            struct couple p = best_lag(c, a, b, (long)lag);
            if (http_gone(x) != NULL && atomic_load(http_gone(x)))
                return err_set(e, ERR_CANCEL, "the client has gone");
            if (isnan(p.r)) continue;
            together += fabs(p.r) >= least;
            at = arena_grow(q->a, at, n, &cap, sizeof *at);
            at[n++] = p;
        }
    if (n > 0) qsort(at, n, sizeof *at, by_strength);
    self_op_field(q->op, "status", value_str(STR("completed")));
    self_op_field(q->op, "count", value_int((int64_t)together));
    ask_json(w, q, c);
    json_kv_double(w, "min_correlation", least);
    json_kv_i64(w, "pairs_compared", (int64_t)n);
    json_kv_i64(w, "correlated_pairs", (int64_t)together);
    json_put_key(w, STR("pairs"));
    json_begin_array(w);
    for (size_t i = 0; i < MIN(n, (size_t)PAIRS_SHOWN); i++) couple_json(w, c, q, &at[i]);
    json_end_array(w);
    return OK;
}

/* ---- all of them ---- */

struct analysis {
    const char *span, *operation;
    int (*run)(struct http_exchange *, const struct ask *, const struct columns *, struct json_writer *,
               struct err *);
};

static const char *reason_of(int code)
{
    switch (code) {
    case ERR_PARSE: return "bad_request";
    case ERR_EXEC: return "not_enough_data";
    case ERR_TIMEOUT: return "timeout";
    case ERR_LIMIT: return "too_large";
    default: return "error";
    }
}

static int analyse(struct http_exchange *x, const struct kg_api *api, const struct analysis *what,
                   struct ask *q, struct query_result *r, struct buf *out, struct err *e)
{
    struct columns c;
    struct json_writer w;
    int rc = take_ask(x, q, e);
    if (rc < 0) return rc;
    note_ask(q);
    if ((rc = engine_query(api->base.engine, &q->query, r, e)) < 0) return rc;
    make_columns(r, q, &c);
    json_writer_init(&w, out);
    json_begin_object(&w);
    rc = what->run(x, q, &c, &w, e);
    json_end_object(&w);
    return rc;
}

static void run(struct http_exchange *x, const struct kg_api *api, const struct analysis *what)
{
    struct arena a = ARENA_INIT(256u << 20);
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct query_result r = { 0 };
    struct self_op op;
    struct ask q = { .a = &a, .op = &op };
    struct err e = ERR_INIT;
    self_op_begin(&op, api->trace, what->span, NULL);
    self_op_field(&op, "operation", value_str(str_of(what->operation)));
    int rc = analyse(x, api, what, &q, &r, &out, &e);
    if (rc < 0) {
        self_op_field(&op, "status", value_str(STR("failed")));
        self_op_field(&op, "reason", value_str(str_of(reason_of(rc))));
    }
    self_op_end(&op, KG_KIND_ANALYTICS, rc < 0 ? &e : NULL);
    self_ops_write(&op, 1);
    query_result_release(&r);
    if (rc < 0) {
        buf_release(&out);
        respond_err(x, &e);
    } else
        trace_answer(x, &out);
    arena_release(&a);
}

static void run_trend(struct http_exchange *x, const struct prometheus_api *api)
{
    run(x, (const struct kg_api *)api,
        &(struct analysis){ "analytics.analyze_trend", "analyze_trend", trend });
}

static void run_anomalies(struct http_exchange *x, const struct prometheus_api *api)
{
    run(x, (const struct kg_api *)api,
        &(struct analysis){ "analytics.detect_anomalies", "detect_anomalies", anomalies });
}

static void run_correlate(struct http_exchange *x, const struct prometheus_api *api)
{
    run(x, (const struct kg_api *)api,
        &(struct analysis){ "analytics.correlate_systems", "correlate_systems", correlate });
}

void handle_trend(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_trend);
}

void handle_anomalies(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_anomalies);
}

void handle_correlate_systems(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_correlate);
}
