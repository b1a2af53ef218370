/* insight.c - see insight.h. */
#include "judge/insight.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"

/* ---- rules of thumb ---- */

const struct insight_rule insight_rules[] = {
    { "backend_errors", "load_balancer", "high", "load_balancer_errors_total",
      "100 * sum by (backend_id) (increase(load_balancer_errors_total[$w])) / sum by (backend_id) "
      "(increase(load_balancer_requests_total[$w])) and sum by (backend_id) "
      "(increase(load_balancer_requests_total[$w])) >= 20",
      INSIGHT_ABOVE, 1, "percent", "backend_id", "fails more than one request in a hundred",
      "look at its errors by type, and lower its weight until they are gone" },
    { "backend_slow", "load_balancer", "warning", "load_balancer_request_duration_seconds",
      "histogram_quantile(0.95, sum by (backend_id, le) "
      "(increase(load_balancer_request_duration_seconds_bucket[$w])))",
      INSIGHT_ABOVE, 2, "seconds", "backend_id", "answers one request in twenty later than in 2 s",
      "compare it with its neighbours in the ranking, and move load away from it" },
    { "quality_low", "load_balancer", "warning", "load_balancer_quality_score",
      "avg by (backend_id) (avg_over_time(load_balancer_quality_score[$w]))", INSIGHT_BELOW, 0.7, "score",
      "backend_id", "gives answers below the quality that is asked for",
      "compare models and prompt versions by quality before sending it more" },
    { "load_uneven", "load_balancer", "info", "load_balancer_load_distribution_score",
      "avg(avg_over_time(load_balancer_load_distribution_score[$w]))", INSIGHT_BELOW, 0.8, "score", NULL,
      "the load is not spread as the weights intend", "check the weights, and breakers that stay open" },
    { "unpriced_calls", "cost", "warning", "vedette_genai_unpriced_requests_total",
      "sum by (model) (increase(vedette_genai_unpriced_requests_total[$w]))", INSIGHT_ABOVE, 0, "calls",
      "model", "has no price: what it costs is not in any total",
      "add it to the price list of the configuration" },
    { "cache_unused", "cost", "info", "vedette_genai_tokens_total",
      "sum by (model) (increase(vedette_genai_tokens_total{token_type=\"cache_read\"}[$w])) / sum by (model) "
      "(increase(vedette_genai_tokens_total{token_type=~\"input|cache_read|cache_write\"}[$w])) and sum by "
      "(model) "
      "(increase(vedette_genai_tokens_total{token_type=\"input\"}[$w])) > 100000",
      INSIGHT_BELOW, 0.1, "share", "model", "takes less than a tenth of its input from the prompt cache",
      "put what never changes at the beginning of the prompt; the cost report says how much of it repeats" },
    { "budget_tight", "cost", "high", "vedette_budget_usage_percent",
      "max by (budget, period) (vedette_budget_usage_percent)", INSIGHT_ABOVE, 80, "percent", "budget",
      "has less than a fifth left", "see who spends it in the cost report, or raise it" },
    { "tools_fail", "mcp", "warning", "mcp_requests_total",
      "100 * sum by (mcp_server) (increase(mcp_requests_total{status!=\"ok\",side=\"client\"}[$w])) / sum by "
      "(mcp_server) (increase(mcp_requests_total{side=\"client\"}[$w]))",
      INSIGHT_ABOVE, 5, "percent", "mcp_server", "fails more than one call in twenty",
      "tell errors of transport from tool_error, then look at the slowest traces through it" },
    { "conflicts_open", "agents", "warning", "conflict_resolution_rate", "min(conflict_resolution_rate)",
      INSIGHT_BELOW, 0.7, "share", NULL, "too few conflicts between agents are resolved",
      "see the report of conflicts by method and pair of agents" },
    { "agents_slow", "agents", "info", "agent_task_throughput_per_hour", "agent_task_throughput_per_hour",
      INSIGHT_BELOW, 5, "tasks per hour", "agent_id", "finishes fewer tasks an hour than it should",
      "look at what it waits for: dependencies, tools, models" },
    { "spans_dropped", "monitoring", "warning", "vedette_rejected_total",
      "sum by (reason) (increase(vedette_rejected_total[$w]))", INSIGHT_ABOVE, 0, "rows", "reason",
      "has kept records out", "the reason names the limit; raise it, or fix the sender" },
};
const size_t insight_rules_count = COUNT(insight_rules);

/* ---- backends ---- */

static double mean_nano(const struct insight_backend *b)
{
    return (double)b->nano_usd / (double)b->requests;
}

static bool is_equal_or_better(double is, double was, double slack)
{
    return isnan(was) ||
           (!isnan(is) && is >= was - slack); /* what is not known cannot be said to be as good */
}

static bool may_replace(const struct insight_backend *from, const struct insight_backend *to)
{
    return to->requests >= INSIGHT_REQUESTS_MIN && mean_nano(to) < mean_nano(from) &&
           is_equal_or_better(to->quality, from->quality, INSIGHT_QUALITY_SLACK) &&
           is_equal_or_better(to->success, from->success, 0.005);
}

static int most_saving_first(const void *x, const void *y)
{
    const struct insight_move *a = x, *b = y;
    return (a->saving_nano < b->saving_nano) - (a->saving_nano > b->saving_nano);
}

size_t insight_cheaper(const struct insight_backend *at, size_t n, struct insight_move *out)
{
    size_t moves = 0;
    for (size_t i = 0; i < n; i++) {
        struct insight_move best = { i, i, 0 };
        if (at[i].requests < INSIGHT_REQUESTS_MIN || at[i].nano_usd <= 0 || isnan(at[i].quality)) continue;
        for (size_t k = 0; k < n; k++) {
            if (k == i || !may_replace(&at[i], &at[k])) continue;
            int64_t saving = llround((mean_nano(&at[i]) - mean_nano(&at[k])) * (double)at[i].requests);
            if (saving > best.saving_nano) best = (struct insight_move){ i, k, saving };
        }
        if ((double)best.saving_nano >= INSIGHT_SAVING_MIN * (double)at[i].nano_usd) out[moves++] = best;
    }
    if (moves > 1) qsort(out, moves, sizeof *out, most_saving_first);
    return moves;
}

/* ---- outliers ---- */

static int ascending(const void *x, const void *y)
{
    const double *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* Between neighbours, as spreadsheets do. */
static double quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t below = (size_t)at;
    double part = at - (double)below;
    return below + 1 < n ? sorted[below] * (1 - part) + sorted[below + 1] * part : sorted[below];
}

bool insight_outliers(double *values, size_t n, struct insight_outliers *o)
{
    *o = (struct insight_outliers){ 0 };
    if (n < INSIGHT_PROMPTS_MIN) return false;
    qsort(values, n, sizeof *values, ascending);
    double q1 = quantile(values, n, 0.25), q3 = quantile(values, n, 0.75);
    o->median = quantile(values, n, 0.5);
    o->limit = fmax(q3 + 3 * (q3 - q1), 2 * o->median);
    for (size_t i = n; i > 0 && values[i - 1] > o->limit; i--) {
        o->n++;
        o->excess += values[i - 1] - o->median;
    }
    return true;
}

/* ---- prefixes ---- */

void insight_prefixes_init(struct insight_prefixes *p)
{
    *p = (struct insight_prefixes){ 0 };
    map_init(&p->seen, 1024);
}

void insight_prefixes_release(struct insight_prefixes *p)
{
    map_release(&p->seen);
}

/* One block; its hash tells all before it, too. is_prefix: so far all were known. */
static bool add_block(struct insight_prefixes *p, uint64_t hash, bool is_prefix)
{
    bool known = map_find(&p->seen, hash, NULL, NULL) != NULL;
    p->blocks++;
    p->repeated += known && is_prefix;
    if (!known && p->seen.n < INSIGHT_BLOCKS_MAX) map_add(&p->seen, hash, 1);
    return known && is_prefix;
}

void insight_prefix_ids(struct insight_prefixes *p, const int64_t *ids, size_t n)
{
    bool is_prefix = true;
    p->prompts++;
    for (size_t i = 0; i < n; i++) is_prefix = add_block(p, hash64(&ids[i], sizeof ids[i]), is_prefix);
}

void insight_prefix_text(struct insight_prefixes *p, struct str prompt)
{
    uint64_t chain[2] = { 0, 0 };
    bool is_prefix = true;
    p->prompts++;
    for (size_t i = 0; i + INSIGHT_BLOCK_BYTES <= prompt.n; i += INSIGHT_BLOCK_BYTES) {
        chain[1] = hash64(prompt.p + i, INSIGHT_BLOCK_BYTES);
        chain[0] = hash64(chain, sizeof chain);
        is_prefix = add_block(p, chain[0], is_prefix);
    }
}

double insight_prefix_share(const struct insight_prefixes *p)
{
    return p->blocks > 0 ? (double)p->repeated / (double)p->blocks : 0;
}
