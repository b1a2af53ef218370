/* spend_json.h - tokens and money as our API shows them: docs/money.md. */
#pragma once
#include "base/json.h"
#include "query/traces/cost.h"

/* USD as a JSON number with up to 9 decimals, exactly. */
void json_kv_usd(struct json_writer *, const char *key, int64_t nano_usd);
/* {"input", "cache_read", "cache_write", "output", "reasoning", "total"} */
void json_kv_tokens(struct json_writer *, const char *key, const struct genai_usage *);
/* Keys of a trace: total_cost_usd, tokens, model_calls, and what is not known of them. */
void trace_spend_json(struct json_writer *, const struct trace_spend *);
/* "genai": {...} of a span; nothing for spans that are none of it. */
void span_spend_json(struct json_writer *, const struct span_spend *);
