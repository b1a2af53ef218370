/* genai_names.h - the table of attribute names: what each means, and whose it is. One line a name; within a
 * meaning an earlier line wins, but for those of the convention the span is written in, which come first.
 * Facts: docs/genai.md. For genai*.c only. */
#pragma once
#include "model/genai.h"

enum meaning {
    M_OPERATION,
    M_VERCEL_OPERATION,
    M_SPAN_KIND,
    M_PROVIDER,
    M_REQUEST_MODEL,
    M_RESPONSE_MODEL,
    M_MODEL, /* of which is not said whether asked for or used */
    M_INPUT, /* tokens; cached ones included or not: genai_usage.c */
    M_UNCACHED,
    M_CACHE_READ,
    M_CACHE_WRITE,
    M_OUTPUT, /* reasoning included */
    M_TEXT_OUTPUT,
    M_REASONING,
    M_AUDIO_INPUT,
    M_AUDIO_OUTPUT,
    M_USAGE_MAP, /* JSON */
    M_COST,
    M_COST_BILLED,
    M_COST_CURRENCY,
    M_COST_SOURCE,
    M_COST_MAP, /* JSON */
    M_SERVICE_TIER,
    M_AGENT,
    M_AGENT_ID,
    M_ENTITY,   /* an agent's or a tool's, as the kind says */
    M_FUNCTION, /* an agent's and a workflow's */
    M_WORKFLOW,
    M_TRACE_NAME,
    M_TOOL,
    M_TOOL_CALL,
    M_MCP_SERVER,
    M_MCP_SERVER_LAST, /* after what is derived */
    M_MCP_METHOD,
    M_MCP_SESSION,
    M_ADDRESS,
    M_SESSION,
    M_USER,
    M_TENANT,
    M_TASK_TYPE,
    M_PROMPT_VERSION,
    M_FINISH,
    M_ERROR,
    M_HTTP_STATUS,
    M_RPC_STATUS,
    M_LEVEL,
    M_SUCCESS,
    M_STREAM,
    M_FIRST_SECONDS,
    M_FIRST_MS,
    M_DURATION_MS,
    M_EVENT,
    M_SCORE_NAME,
    M_SCORE,
    M_SCORE_LABEL,
    M_SCORE_TEXT,
    M_SCORE_SOURCE,
    M_BARE_INPUT, /* names so common that only events of known names may use them */
    M_BARE_OUTPUT,
    M_BARE_MODEL,
    M_BARE_TOOL,
    MEANINGS
};
_Static_assert(MEANINGS <= GENAI_MEANINGS_MAX, "struct genai_parse has room for every meaning");

struct genai_name_row {
    const char *text;
    uint8_t meaning, convention;
};
const struct genai_name_row *genai_name_row(uint8_t name); /* from 1; genai_name gave it */
uint8_t genai_name_rank(uint8_t name);                     /* within its meaning: 0 is best */

/* Taken values, as the table of meanings has them. */
struct str genai_text(const struct genai_parse *, enum meaning);
bool genai_number(const struct genai_parse *, enum meaning, double *out); /* finite */

/* Of one value, whatever it is written as: 12, 12.0, "12", {"intValue":"12"}. */
bool genai_value_number(struct value, struct arena *, double *out);

/* genai_usage.c */
void genai_read_usage(struct genai_parse *, bool is_exclusive, struct genai_span *);
void genai_read_cost(struct genai_parse *, struct genai_span *);
