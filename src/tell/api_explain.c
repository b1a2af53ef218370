/* api_explain.c - GET and POST /api/v1/explain: runs a query and answers with what was done for it, node by
 * node. Parameters as of query, or with start, end and step as of query_range; format=text for people. */
#include "query/promql/explain.h"
#include "tell/api_job.h"
#include "tell/api_query.h"
#include "tell/handlers.h"

#define TEXT "text/plain; charset=utf-8"

static void answer(struct http_exchange *x, const struct query_result *r)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    if (str_is(http_param(x, "format"), "text")) {
        explain_text(&out, r);
        http_answer_buf(x, 200, TEXT, &out);
        return;
    }
    respond_begin(&out);
    explain_json(&out, r);
    respond_success(x, &out, r->notes.warnings, r->notes.n_warnings, r->notes.infos, r->notes.n_infos);
}

static void run_explain(struct http_exchange *x, const struct prometheus_api *api)
{
    struct query_ask a = { 0 };
    struct query_result r = { 0 };
    struct err e = ERR_INIT;
    bool range = http_has_param(x, "start") || http_has_param(x, "end") || http_has_param(x, "step");
    int rc = range ? query_ask_range(x, &a, &e) : query_ask_instant(x, &a, &e);

    a.conf.explain = true;
    if (rc == OK && (rc = engine_query(api->engine, &a.conf, &r, &e)) == ERR_PARSE)
        err_where(&e, "invalid parameter \"query\"");
    if (rc < 0) {
        respond_err(x, &e);
        return;
    }
    answer(x, &r);
    query_result_release(&r);
}

void handle_explain(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_explain);
}
