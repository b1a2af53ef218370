/* api_tail.c - following lines: Loki's tail over a WebSocket, ours as server-sent events. */
#include "base/check.h"
#include "base/mem.h"
#include "tell/api_loki_impl.h"

static int hub_check(const struct logs_api *api, struct err *e)
{
    return api->hub ? OK : err_set(e, ERR_UNSUPPORTED, "live lines are turned off on this server");
}

/* ---- Loki's ---- */

struct history { /* of a tail: the newest lines from start until now */
    const struct logs_api *api;
    struct log_tail *tail;
    struct logql_request q;
    char text[]; /* of the query */
};

static void run_history(void *arg)
{
    struct history *h = arg;
    struct logql_result *r = mem_alloc_zero(sizeof *r);
    struct err e = ERR_INIT;
    if (logql_query(h->api->logql, &h->q, r, &e) < 0) {
        mem_free(r);
        r = NULL;
    }
    log_tail_begin(h->api->hub, h->tail, r);
    mem_free(h);
}

static int take_tail(struct http_exchange *x, struct logql_request *q, struct err *e)
{
    int64_t delay_ns;
    int rc;

    q->text = http_param(x, "query");
    q->end_ns = loki_now_ns();
    if (q->text.n == 0) return err_set(e, ERR_PARSE, "parse error : syntax error: unexpected $end");
    if ((rc = take_loki_duration(x, "delay_for", 0, &delay_ns, e)) < 0) return rc;
    if (delay_ns > 5 * NS_PER_S) return err_set(e, ERR_PARSE, "delay_for can't be greater than 5");
    if ((rc = take_loki_limit(x, "limit", 100, LOKI_ENTRIES_MAX, &q->limit, e)) < 0) return rc;
    return take_loki_time(x, "start", q->end_ns - LOKI_SINCE_NS, &q->start_ns, e);
}

static struct history *history_new(const struct logs_api *api, const struct logql_request *q)
{
    struct history *h = mem_alloc(sizeof *h + q->text.n);
    *h = (struct history){ .api = api, .q = *q };
    memcpy(h->text, q->text.p, q->text.n);
    h->q.text = str_make(h->text, q->text.n);
    return h;
}

/* The history is read on the pool; lines that come meanwhile are held back for it. */
static void follow(struct http_exchange *x, const struct logs_api *api, struct history *h,
                   struct logql_tail *query)
{
    struct log_tail_ask ask = { loki_wants_categories(x) ? LOG_TAIL_CATEGORISED : LOG_TAIL_LOKI, query,
                                NULL };
    struct http_stream *stream = http_stream_websocket(x); /* x is gone */
    if (stream == NULL) {
        logql_tail_free(query);
        mem_free(h);
        return;
    }
    if (log_tail_follow(api->hub, &ask, stream, &h->tail, NULL) < 0) { /* it was closed */
        mem_free(h);
        return;
    }
    struct log_tail *tail = h->tail;
    if (work_post(api->base->pool, run_history, h)) return;
    log_tail_begin(api->hub, tail, NULL);
    mem_free(h);
}

void handle_loki_tail(struct http_exchange *x, void *ctx)
{
    const struct logs_api *api = ctx;
    struct logql_request q = { 0 };
    struct logql_tail *query;
    struct err e = ERR_INIT;

    if (hub_check(api, &e) < 0 || take_tail(x, &q, &e) < 0 || logql_tail_new(q.text, &query, &e) < 0)
        loki_error(x, &e);
    else
        follow(x, api, history_new(api, &q), query);
}

/* ---- ours ---- */

void handle_logs_tail(struct http_exchange *x, void *ctx)
{
    const struct logs_api *api = ctx;
    struct log_filter filter;
    struct log_tail_ask ask = { .form = LOG_TAIL_EVENTS };
    struct str text = http_param(x, "query");
    struct err e = ERR_INIT;

    int rc = hub_check(api, &e);
    if (rc == OK && text.n > 0) rc = logql_tail_new(text, &ask.query, &e);
    if (rc == OK) rc = log_filter_take(&filter, x, &e);
    if (rc < 0) {
        logql_tail_free(ask.query);
        respond_err(x, &e);
        return;
    }
    ask.filter = mem_copy(&filter, sizeof filter);
    struct http_stream *stream = http_stream_begin(x, "text/event-stream"); /* x is gone */
    if (stream == NULL) {
        log_filter_release(ask.filter);
        mem_free(ask.filter);
        logql_tail_free(ask.query);
        return;
    }
    http_stream_put(stream, STR(": lines as they come\n\n"), 0);
    log_tail_follow(api->hub, &ask, stream, NULL, NULL);
}
