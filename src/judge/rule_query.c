/* rule_query.c - see rule_query.h. */
#include "judge/rule_query.h"

static int ask_promql(const struct rule_query *q, struct str expr, int64_t at_ms, struct rule_answer *a,
                      struct err *e)
{
    struct query_conf conf = {
        .text = expr, .start_ms = at_ms, .end_ms = at_ms, .cancelled = q->cancelled, .nocache = true
    };
    int rc = engine_query(q->engine, &conf, &a->promql, e);
    if (rc < 0) return rc;
    if (a->promql.type != PROMQL_VECTOR && a->promql.type != PROMQL_SCALAR) {
        query_result_release(&a->promql);
        return err_set(e, ERR_EXEC, "rule result is not a vector or scalar");
    }
    a->series = a->promql.series;
    a->n = a->promql.n;
    a->is_partial = a->promql.is_partial;
    return OK;
}

static int ask_logql(const struct rule_query *q, struct str expr, int64_t at_ms, struct rule_answer *a,
                     struct err *e)
{
    struct logql_request request = { .text = expr, .end_ns = at_ms * 1000000, .cancelled = q->cancelled };
    if (q->logql == NULL) return err_set(e, ERR_UNSUPPORTED, "there are no logs here to judge");
    request.start_ns = request.end_ns;
    int rc = logql_query(q->logql, &request, &a->logql, e);
    if (rc < 0) return rc;
    if (a->logql.type != LOGQL_VECTOR && a->logql.type != LOGQL_SCALAR) {
        logql_result_release(&a->logql);
        return err_set(e, ERR_EXEC, "rule result is not a vector or scalar");
    }
    a->series = a->logql.series;
    a->n = a->logql.n_series;
    a->is_partial = a->logql.is_partial;
    return OK;
}

int rule_ask(const struct rule_query *q, enum rule_lang lang, struct str expr, int64_t at_ms,
             struct rule_answer *a, struct err *e)
{
    a->lang = lang;
    return lang == RULE_LOGQL ? ask_logql(q, expr, at_ms, a, e) : ask_promql(q, expr, at_ms, a, e);
}

void rule_answer_release(struct rule_answer *a)
{
    if (a->lang == RULE_LOGQL)
        logql_result_release(&a->logql);
    else
        query_result_release(&a->promql);
}
