/* api_correlate.c - /api/v1/correlate: everything that a trace id, a task id or a correlation id joins.
 *
 * Spans and logs that carry the id themselves, and, by the trace ids of these, all of those traces: from one
 * task to the runs it took, and to the line that explains them. Alerts that name any of these come with
 * them. */
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "query/traces/errors.h"
#include "tell/alert_join.h"
#include "tell/api_traces_impl.h"

#define ROWS_DEFAULT 500
#define ROWS_MAX     10000
#define TRACES_MAX   100

struct correlation {
    struct trace_query *q;
    int64_t from_ns, to_ns;
    size_t limit;
    struct record_parts parts;
    const struct predicate *spans, *logs; /* what carries the id */
    const char *const *names;             /* of the attributes, labels, annotations that carry it */
    struct str id;
    uint8_t ids[TRACES_MAX][16];
    size_t n_ids;
    bool more_traces;
    struct record_list found_spans, found_logs;
    struct trace_summary traces[TRACES_MAX];
};

static int take_ids(struct correlation *c, struct err *e)
{
    static const char *const params[] = { "correlation_id", "task_id" };
    const char *const *const names[] = { correlation_names, task_names };
    struct arena *a = c->q->arena;
    struct str trace = http_param(c->q->x, "trace_id");

    if (trace.n > 0) {
        if (!trace_id_read(trace, c->ids[0])) return err_set(e, ERR_PARSE, "trace_id is no trace id");
        c->n_ids = 1;
        return OK;
    }
    for (size_t i = 0; i < COUNT(params); i++) {
        struct str id = http_param(c->q->x, params[i]);
        if (id.n == 0) continue;
        c->spans = where_named(a, names[i], 3, id);
        c->logs = c->spans;
        c->names = names[i];
        c->id = id;
        return OK;
    }
    return err_set(e, ERR_PARSE, "one of trace_id, task_id and correlation_id is needed");
}

static void note_traces(struct correlation *c, const struct record_list *list)
{
    static const uint8_t none[16];
    for (size_t i = 0; i < list->n; i++) {
        size_t k = 0;
        while (k < c->n_ids && memcmp(c->ids[k], list->at[i].trace_id, 16) != 0) k++;
        if (k < c->n_ids || memcmp(list->at[i].trace_id, none, 16) == 0) continue;
        if (c->n_ids == TRACES_MAX) {
            c->more_traces = true;
            return;
        }
        memcpy(c->ids[c->n_ids++], list->at[i].trace_id, 16);
    }
}

static int load(struct correlation *c, enum table table, const struct predicate *where,
                struct record_list *list)
{
    return records_load(c->q, table, c->from_ns, c->to_ns, where, ORDER_TIME, c->limit, list);
}

static int correlate(struct correlation *c)
{
    struct arena *a = c->q->arena;
    const struct predicate *by_trace = NULL;
    int rc = OK;

    if (c->spans != NULL) {
        if ((rc = load(c, TABLE_SPANS, c->spans, &c->found_spans)) < 0) return rc;
        if ((rc = load(c, TABLE_LOGS, c->logs, &c->found_logs)) < 0) return rc;
        note_traces(c, &c->found_spans);
        note_traces(c, &c->found_logs);
    }
    if (c->n_ids == 0) return OK;
    by_trace = where_traces(a, (const uint8_t(*)[16])c->ids, c->n_ids);
    const struct predicate *spans = c->spans == NULL ? by_trace : predicate_or(a, c->spans, by_trace);
    const struct predicate *logs = c->logs == NULL ? by_trace : predicate_or(a, c->logs, by_trace);
    if ((rc = load(c, TABLE_SPANS, spans, &c->found_spans)) < 0) return rc;
    if ((rc = load(c, TABLE_LOGS, logs, &c->found_logs)) < 0) return rc;
    return trace_summaries(c->q->view, &c->q->c.call, (const uint8_t(*)[16])c->ids, c->n_ids, c->traces,
                           &c->q->err);
}

/* ---- the answer ---- */

static int put_alerts(struct json_writer *w, const struct correlation *c, struct notify *notify,
                      bool *truncated, struct err *e)
{
    const struct alert_join ask = { .names = c->names,
                                    .n_names = c->names != NULL ? 3 : 0,
                                    .value = c->id,
                                    .traces = (const uint8_t(*)[16])c->ids,
                                    .n_traces = c->n_ids,
                                    .from_ms = c->from_ns / 1000000,
                                    .to_ms = c->to_ns / 1000000 };
    return alert_join_json(w, notify, &ask, c->q->arena, truncated, e);
}

static void put_list(struct json_writer *w, const char *key, const struct record_list *list, bool spans,
                     const struct record_parts *parts)
{
    int64_t now_ns = clock_now_ms() * 1000000;
    json_put_key(w, str_of(key));
    json_begin_array(w);
    for (size_t i = 0; i < list->n; i++)
        if (spans)
            span_record_json(w, &list->at[i], parts, now_ns);
        else
            log_record_json(w, &list->at[i], parts);
    json_end_array(w);
}

static void answer(struct http_exchange *x, const struct correlation *c, struct notify *notify)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    struct err e = ERR_INIT;
    bool truncated = c->found_spans.truncated || c->found_logs.truncated || c->more_traces;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("traces"));
    json_begin_array(&w);
    for (size_t i = 0; i < c->n_ids; i++)
        if (c->traces[i].spans > 0) trace_summary_json(&w, &c->traces[i]);
    json_end_array(&w);
    put_list(&w, "spans", &c->found_spans, true, &c->parts);
    put_list(&w, "logs", &c->found_logs, false, &c->parts);
    int rc = put_alerts(&w, c, notify, &truncated, &e);
    json_kv_bool(&w, "truncated", truncated);
    json_end_object(&w);
    if (rc == OK) {
        trace_answer(x, &out);
        return;
    }
    buf_release(&out);
    respond_err(x, &e);
}

static int take_ask(struct correlation *c, struct err *e)
{
    struct http_exchange *x = c->q->x;
    int rc;
    if ((rc = take_ids(c, e)) < 0) return rc;
    if ((rc = take_window(x, 0, &c->from_ns, &c->to_ns, e)) < 0) return rc;
    if ((rc = take_parts(x, &c->parts, e)) < 0) return rc;
    rc = take_count(x, "limit", ROWS_DEFAULT, ROWS_MAX, &c->limit, e);
    c->limit = MAX(c->limit, (size_t)1);
    return rc;
}

static void run_correlate(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct correlation c = { .q = &q };

    if (trace_query_open(&q, x, api)) {
        if (take_ask(&c, &q.err) < 0 || correlate(&c) < 0)
            respond_err(x, &q.err);
        else
            answer(x, &c, api->notify);
    }
    trace_query_release(&q);
}

void handle_correlate(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_correlate);
}
