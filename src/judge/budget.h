/* budget.h - how much may be spent in a day and in a month, how much was, and when it will be gone.
 *
 *     budgets:
 *       - {name: everything, daily: 100, monthly: 2000}
 *       - {name: research, scope: agent, of: researcher, daily: 5}
 *       - {name: gateway, scope: overall, sources: [load_balancer], monthly: 500}
 *
 * scope: overall (default), agent, mcp, model, backend, user, tenant; `of` names which. Days and months are
 * those of UTC. Money is what the series of cost say (exact growth of counters), but for users and tenants,
 * which are no labels: theirs is counted from the stored spans, as far back as those are kept.
 *
 * Burn is what the last hour cost (of the day's budget), or the last day by the hour (of the month's). What
 * is left divided by it says when the budget is gone, if that is before the period ends.
 *
 * Pure but for budget_spent. */
#pragma once
#include "base/yaml.h"
#include "model/store.h"

enum budget_scope {
    BUDGET_OF_ALL,
    BUDGET_OF_AGENT,
    BUDGET_OF_MCP,
    BUDGET_OF_MODEL,
    BUDGET_OF_BACKEND,
    BUDGET_OF_USER,
    BUDGET_OF_TENANT,
    BUDGET_SCOPES
};
const char *budget_scope_name(enum budget_scope);

enum budget_source { SPENT_ON_MODELS = 1, SPENT_ON_BACKENDS = 2, SPENT_ON_MCP = 4 };
enum budget_period { BUDGET_DAILY, BUDGET_MONTHLY, BUDGET_PERIODS };
const char *budget_period_name(enum budget_period);

#define BUDGETS_MAX 1000

struct budget {
    struct str name, of;
    enum budget_scope scope;
    unsigned sources;                   /* of the scope overall */
    int64_t limit_nano[BUDGET_PERIODS]; /* 0: none */
};

/* The section, NULL: none. Texts lie in the arena. */
int budgets_read(struct yaml *section, struct arena *, struct budget **out, size_t *n, struct err *);

struct budget_state {
    int64_t start_ms, end_ms; /* of the period: end is when the next begins */
    int64_t limit_nano, used_nano;
    double usage_percent; /* 0 to 100 and beyond */
    double burn_usd_per_hour;
    double projected_usd; /* at the end of the period, if it goes on like this */
    int64_t exhausted_ms; /* when it is gone, at the latest now; 0: not within the period */
    bool is_exceeded;
};

void budget_period_at(enum budget_period, int64_t now_ms, int64_t *start_ms, int64_t *end_ms);
int64_t budget_recent_ms(enum budget_period); /* what burn is measured over */
/* recent_nano: spent in the last budget_recent_ms. */
struct budget_state budget_judge(enum budget_period, int64_t limit_nano, int64_t used_nano,
                                 int64_t recent_nano, int64_t now_ms);

/* After from, up to and including to. */
int budget_spent(struct store *, struct call *, const struct budget *, int64_t from_ms, int64_t to_ms,
                 int64_t *nano, struct err *);
/* Of the period that now is in; a budget without a limit for it has limit_nano 0. */
int budget_now(struct store *, struct call *, const struct budget *, enum budget_period, int64_t now_ms,
               struct budget_state *, struct err *);

/* ---- series ---- */

struct batch;
/* vedette_budget_* of one budget and period; of the scopes overall and backend load_balancer_*_budget_* as
 * well. */
void budget_rows(struct batch *, const struct budget *, enum budget_period, const struct budget_state *,
                 int64_t now_ms);
void budget_metadata(struct batch *);
