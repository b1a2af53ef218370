/* api_tempo_metrics.c - /api/metrics/query_range and query: series made of spans. */
#include <math.h>

#include "base/check.h"
#include "base/clock.h"
#include "tell/api_tempo_impl.h"

#define HOUR_NS       3600000000000
#define SECOND_NS     1000000000
#define STEPS_USUAL   120
#define EXEMPLARS_MAX 1000

/* ---- parameters ---- */

static int take_times(struct http_exchange *x, struct metrics_ask *a, struct err *e)
{
    int64_t now = clock_now_ms() * 1000000, since = HOUR_NS;
    struct str text = http_param(x, "since");
    int rc;

    if (text.n > 0 && !tempo_read_duration(text, &since))
        return err_set(e, ERR_PARSE, "invalid since: a duration is expected");
    if ((rc = tempo_take_time(x, "end", now, &a->to_ns, e)) < 0) return rc;
    if ((rc = tempo_take_time(x, "start", MAX(a->to_ns - since, 0), &a->from_ns, e)) < 0) return rc;
    if (a->to_ns <= a->from_ns) return err_set(e, ERR_RANGE, "end must be after start");
    return OK;
}

/* The times widened to whole steps, so that the steps of two requests are the same. */
static void align(struct metrics_ask *a)
{
    a->from_ns -= a->from_ns % a->step_ns;
    int64_t beyond = a->to_ns % a->step_ns;
    if (beyond > 0 && a->to_ns < INT64_MAX - a->step_ns) a->to_ns += a->step_ns - beyond;
}

static int take_step(struct http_exchange *x, struct metrics_ask *a, struct err *e)
{
    struct str text = http_param(x, "step");
    int64_t usual = (a->to_ns - a->from_ns) / STEPS_USUAL;

    a->step_ns = MAX(usual - usual % SECOND_NS, SECOND_NS);
    if (text.n > 0 && (!tempo_read_duration(text, &a->step_ns) || a->step_ns <= 0))
        return err_set(e, ERR_PARSE, "invalid step: a duration above zero is expected");
    align(a);
    return OK;
}

static int take_exemplars(struct http_exchange *x, struct metrics_ask *a, struct err *e)
{
    struct str text = http_param(x, "exemplars");
    int64_t n = 100;
    if (text.n > 0 && (!str_to_i64(text, &n) || n < 0))
        return err_set(e, ERR_PARSE, "invalid exemplars: a number is expected");
    a->exemplars = (size_t)MIN(n, EXEMPLARS_MAX);
    return OK;
}

/* ---- the answer ---- */

/* {a="b", c="d"}: by which Grafana names a series. */
static void put_prom_labels(struct json_writer *w, const struct span_series *s)
{
    struct buf b = BUF_INIT(1 << 20);
    buf_char(&b, '{');
    for (size_t i = 0; i < s->n_labels; i++) {
        const struct static_value *v = &s->labels[i].value;
        struct buf text = BUF_INIT(1 << 16);
        if (v->type == STATIC_STRING)
            buf_str(&text, v->s);
        else
            static_print(&text, *v);
        buf_printf(&b, "%s%.*s=", i > 0 ? ", " : "", STR_ARG(s->labels[i].name));
        json_escape(&b, buf_view(&text));
        buf_release(&text);
    }
    buf_char(&b, '}');
    json_kv_string(w, "promLabels", buf_view(&b));
    buf_release(&b);
}

static void put_labels(struct json_writer *w, const struct span_series *s)
{
    json_put_key(w, STR("labels"));
    json_begin_array(w);
    for (size_t i = 0; i < s->n_labels; i++) tempo_put_key_value(w, s->labels[i].name, s->labels[i].value);
    json_end_array(w);
    put_prom_labels(w, s);
}

static void put_samples(struct json_writer *w, const struct metrics_made *m, const struct span_series *s)
{
    json_put_key(w, STR("samples"));
    json_begin_array(w);
    for (size_t i = 0; i < m->steps; i++) {
        if (isnan(s->values[i])) continue;
        json_begin_object(w);
        tempo_put_int_text(w, "timestampMs", (m->first_ns + (int64_t)i * m->step_ns) / 1000000);
        json_kv_double(w, "value", s->values[i]);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_exemplars(struct json_writer *w, const struct span_series *s)
{
    json_put_key(w, STR("exemplars"));
    json_begin_array(w);
    for (size_t i = 0; i < s->n_exemplars; i++) {
        const struct span_exemplar *x = &s->exemplars[i];
        json_begin_object(w);
        json_put_key(w, STR("labels"));
        json_begin_array(w);
        json_begin_object(w);
        json_kv_cs(w, "key", "trace:id");
        json_put_key(w, STR("value"));
        json_begin_object(w);
        tempo_put_hex(w, "stringValue", x->trace_id, 16);
        json_end_object(w);
        json_end_object(w);
        json_end_array(w);
        json_kv_double(w, "value", x->value);
        tempo_put_int_text(w, "timestampMs", x->time_ns / 1000000);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_end(struct json_writer *w, const struct metrics_made *m)
{
    json_put_key(w, STR("metrics"));
    json_begin_object(w);
    json_kv_i64(w, "inspectedTraces", (int64_t)m->stats.traces);
    tempo_put_int_text(w, "inspectedSpans", (int64_t)m->stats.spans);
    json_kv_i64(w, "completedJobs", 1);
    json_kv_i64(w, "totalJobs", 1);
    json_end_object(w);
    if (m->warning.n == 0) return;
    json_kv_cs(w, "status", "PARTIAL");
    json_kv_string(w, "message", m->warning);
}

static void answer(struct http_exchange *x, const struct metrics_made *m, bool is_instant)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("series"));
    json_begin_array(&w);
    for (size_t i = 0; i < m->n; i++) {
        if (is_instant && isnan(m->series[i].values[0])) continue;
        json_begin_object(&w);
        put_labels(&w, &m->series[i]);
        if (is_instant)
            json_kv_double(&w, "value", m->series[i].values[0]);
        else
            put_samples(&w, m, &m->series[i]);
        if (!is_instant) put_exemplars(&w, &m->series[i]);
        json_end_object(&w);
    }
    json_end_array(&w);
    put_end(&w, m);
    json_end_object(&w);
    tempo_answer_json(x, &out);
}

static int make(struct http_exchange *x, const struct prometheus_api *api, struct call *call,
                struct metrics_ask *ask, struct traceql_query *q, struct metrics_made *m, struct err *e)
{
    struct store_view *view = NULL;
    struct str text = http_param(x, "q");
    int64_t from_ms, to_ms;
    int rc;

    if (text.n == 0) text = http_param(x, "query");
    if ((rc = traceql_parse(text, call->arena, q, e)) < 0) return rc;
    ask->query = q;
    run_view_times(ask->from_ns, ask->to_ns, &from_ms, &to_ms);
    if ((rc = store_view_open(api->store, from_ms, to_ms, &view, e)) < 0) return rc;
    rc = traceql_metrics(view, call, ask, m, e);
    store_view_close(view);
    return rc;
}

static void run(struct http_exchange *x, const struct prometheus_api *api, bool is_instant)
{
    struct api_call c;
    struct metrics_ask ask = { 0 };
    struct metrics_made made;
    struct traceql_query q = { 0 };
    struct err e = ERR_INIT;
    int rc = take_times(x, &ask, &e);

    api_call_init(&c, x, api);
    if (rc == OK && !is_instant && (rc = take_step(x, &ask, &e)) == OK) rc = take_exemplars(x, &ask, &e);
    if (rc == OK && is_instant) ask.step_ns = ask.to_ns - ask.from_ns; /* one step: all of the time */
    if (rc < 0 || make(x, api, &c.call, &ask, &q, &made, &e) < 0)
        tempo_error(x, &e);
    else
        answer(x, &made, is_instant);
    traceql_release(&q);
    api_call_release(&c);
}

static void run_range(struct http_exchange *x, const struct prometheus_api *api)
{
    run(x, api, false);
}

static void run_instant(struct http_exchange *x, const struct prometheus_api *api)
{
    run(x, api, true);
}

void tempo_handle_query_range(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_range);
}

void tempo_handle_query(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_instant);
}
