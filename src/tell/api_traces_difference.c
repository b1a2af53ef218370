/* api_traces_difference.c - GET /api/v1/traces/difference: what the selected spans have more often, or less,
 * than the others of the same time. Selected is what the filters let through, with status, min_duration and
 * max_duration those of the span itself. */
#include "query/traces/difference.h"
#include "tell/api_traces_impl.h"

#define HOUR_NS         3600000000000
#define DIFFERENCES     40
#define DIFFERENCES_MAX 500

static int take_status_of_span(struct http_exchange *x, struct span_filter *f, struct arena *a, struct err *e)
{
    struct str s = http_param(x, "status");
    const struct predicate *failed = predicate_cmp(a, PRED_EQ, field_in(IN_STATUS), value_int(STATUS_ERROR));

    if (s.n == 0) return OK;
    if (!str_is(s, "error") && !str_is(s, "ok")) return err_set(e, ERR_PARSE, "status must be error or ok");
    filter_and(f, a, str_is(s, "error") ? failed : predicate_not(a, failed));
    return OK;
}

static int take_span_duration(struct http_exchange *x, struct span_filter *f, struct arena *a, struct err *e)
{
    int64_t min_ns = 0, max_ns = 0;
    int rc = take_trace_duration(x, "min_duration", &min_ns, e);
    if (rc == OK) rc = take_trace_duration(x, "max_duration", &max_ns, e);
    if (min_ns > 0) filter_and(f, a, predicate_cmp(a, PRED_GE, field_in(IN_DURATION), value_int(min_ns)));
    if (max_ns > 0) filter_and(f, a, predicate_cmp(a, PRED_LE, field_in(IN_DURATION), value_int(max_ns)));
    return rc;
}

static int take_ask(struct http_exchange *x, struct span_filter *f, struct arena *a,
                    struct difference_ask *ask, size_t *limit, struct err *e)
{
    int rc = take_span_filter(x, f, a, e);
    if (rc == OK) rc = take_status_of_span(x, f, a, e);
    if (rc == OK) rc = take_span_duration(x, f, a, e);
    if (rc == OK) rc = take_window(x, HOUR_NS, &ask->from_ns, &ask->to_ns, e);
    if (rc == OK) rc = take_count(x, "limit", DIFFERENCES, DIFFERENCES_MAX, limit, e);
    if (rc == OK && f->where == NULL)
        rc = err_set(e, ERR_PARSE,
                     "nothing is selected: give service, operation, agent, kind, attribute, "
                     "status, min_duration or max_duration");
    ask->selected = f->where;
    return rc;
}

static void put_difference(struct json_writer *w, const struct difference *d)
{
    struct buf text = BUF_INIT(4096);

    json_begin_object(w);
    field_print(&text, d->field);
    json_kv_string(w, "field", str_make(text.p, text.n));
    text.n = 0;
    value_print(&text, d->value);
    json_kv_string(w, "value", str_make(text.p, text.n));
    json_kv_i64(w, "selected", (int64_t)d->selected);
    json_kv_i64(w, "others", (int64_t)d->others);
    json_kv_double(w, "selected_share", d->selected_share);
    json_kv_double(w, "others_share", d->others_share);
    json_end_object(w);
    buf_release(&text);
}

static void answer(struct http_exchange *x, const struct difference_report *r)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_i64(&w, "selected_spans", (int64_t)r->selected);
    json_kv_i64(&w, "other_spans", (int64_t)r->others);
    json_kv_bool(&w, "sampled", r->is_sampled);
    json_put_key(&w, STR("differences"));
    json_begin_array(&w);
    for (size_t i = 0; i < r->n; i++) put_difference(&w, &r->at[i]);
    json_end_array(&w);
    json_end_object(&w);
    trace_answer(x, &out);
}

static void run_difference(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct span_filter filter = { 0 };
    struct difference_ask ask = { 0 };
    struct difference_report report;
    size_t limit;

    if (trace_query_open(&q, x, api)) {
        if (take_ask(x, &filter, q.arena, &ask, &limit, &q.err) < 0 ||
            span_differences(q.view, &q.c.call, &ask, limit, &report, &q.err) < 0)
            respond_err(x, &q.err);
        else
            answer(x, &report);
    }
    span_filter_release(&filter);
    trace_query_release(&q);
}

void handle_traces_difference(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_difference);
}
