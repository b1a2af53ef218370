/* rule_query.h - how rules ask: one instant, one answer, whatever the language.
 *
 * Rules have an engine of their own (no kept answers, so nothing stale is judged; a plan cache as large as
 * the rules need), so that a full house of dashboards does not keep them waiting. Any thread. */
#pragma once
#include "judge/rule_file.h"
#include "query/logql/logql.h"
#include "query/promql/engine.h"

struct rule_query {
    struct engine *engine;
    struct logql *logql;          /* NULL: rules on logs answer an error */
    const atomic_bool *cancelled; /* NULL: never */
};

struct rule_answer {
    struct result_series *series; /* one point each */
    size_t n;
    struct query_result promql; /* whichever was asked holds the memory */
    struct logql_result logql;
    enum rule_lang lang;
    bool is_partial; /* damage hides a part: what is missing may well be there */
};

/* A vector, or a scalar as one series without labels; ERR_EXEC for anything else. */
int rule_ask(const struct rule_query *, enum rule_lang, struct str expr, int64_t at_ms, struct rule_answer *,
             struct err *);
void rule_answer_release(struct rule_answer *);
