/* report_cost.h - what was spent, on what, and what could be saved. */
#pragma once
#include "tell/report/report_records.h"

struct report_budgets; /* report_budgets.h */

/* ---- model calls, from the stored spans or from series ---- */

struct model_spend {
    struct tally models, agents; /* n: calls; name: model, agent; bad: unpriced */
    int64_t nano, calls, unpriced, unknown;
    struct genai_usage usage;
    struct map counted;     /* hashes of the spans that count: prompt_prefixes looks at these only */
    struct prompt *prompts; /* of calls, at most PROMPTS_MAX */
    size_t n_prompts, cap_prompts;
    struct str agent_filter;
    struct arena *arena;
};
struct prompt {
    uint32_t model; /* place in models */
    int64_t input;
    uint8_t trace_id[16];
};
#define PROMPTS_MAX 200000

void model_spend_init(struct model_spend *, struct report *);
void model_spend_release(struct model_spend *);
void model_spend_read(struct report *, struct model_spend *, const struct price_book *);

/* ---- the answers ---- */

void report_cost(struct report *, struct report_budgets *);
/* "total_cost_usd" and its sources; the same figures as report_cost, for dashboards. */
void report_cost_totals(struct report *);

/* report_advice.c: "savings": a list, each with its evidence and saving_usd. */
void report_savings(struct report *, const struct model_spend *, const struct price_book *);
