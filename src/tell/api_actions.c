/* api_actions.c - what actions have done: GET /api/v1/actions/audit?start=&end=&action=&limit=, newest first.
 */
#include "base/check.h"
#include "base/clock.h"
#include "tell/api_am_impl.h"
#include "tell/notify/actions.h"
#include "tell/params.h"
#include "tell/respond.h"

#define LIMIT     1000
#define LIMIT_MAX 100000

static void put_event(const struct action_event *v, void *ctx)
{
    struct json_writer *w = ctx;
    json_begin_object(w);
    am_kv_time(w, "at", v->at_ms);
    json_kv_string(w, "action", v->action);
    json_kv_string(w, "trigger", v->trigger);
    json_kv_string(w, "outcome", v->outcome);
    json_kv_string(w, "detail", v->detail);
    json_kv_double(w, "seconds", (double)v->took_ms / 1000);
    am_kv_fingerprint(w, "fingerprint", v->fp);
    am_kv_labels(w, "labels", v->labels);
    json_end_object(w);
}

static int take_ask(struct http_exchange *x, struct actions_ask *q, struct err *e)
{
    size_t limit = LIMIT;
    int64_t now_ms = clock_now_ms();
    *q = (struct actions_ask){ .action = http_param(x, "action") };
    int rc = take_time(x, "end", now_ms, &q->to_ms, e);
    if (rc == OK) rc = take_time(x, "start", q->to_ms - ACTIONS_KEPT_MS, &q->from_ms, e);
    if (rc == OK) rc = take_limit(x, "limit", &limit, e);
    q->limit = (int64_t)MIN(limit ? limit : LIMIT, (size_t)LIMIT_MAX);
    return rc;
}

static void answer_audit(struct http_exchange *x, struct am_api *api)
{
    struct actions_ask q;
    struct err e = ERR_INIT;
    struct buf out = BUF_INIT(AM_ANSWER_MAX);
    struct json_writer w;
    int rc = take_ask(x, &q, &e);
    respond_begin(&out);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("events"));
    json_begin_array(&w);
    if (rc == OK) rc = actions_audit(api->actions, &q, put_event, &w, &e);
    json_end_array(&w);
    json_end_object(&w);
    if (rc == OK) {
        respond_data(x, &out);
        return;
    }
    buf_release(&out);
    respond_err(x, &e);
}

void handle_actions_audit(struct http_exchange *x, void *ctx)
{
    am_post(x, ctx, answer_audit);
}
