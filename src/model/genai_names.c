/* genai_names.c - see genai_names.h. Looked up through a table of 4096 places and a seed with which no two
 * names share one: found once, when the first name is asked for. */
#include "model/genai_names.h"

#include <pthread.h>

#include "base/check.h"

#define PLACES 4096

enum {
    O = GENAI_OTEL,
    I = GENAI_OPENINFERENCE,
    L = GENAI_OPENLLMETRY,
    V = GENAI_VERCEL,
    F = GENAI_LANGFUSE,
    X = GENAI_OTHER
};

/* clang-format off */
static const struct genai_name_row rows[] = {
    { "gen_ai.operation.name", M_OPERATION, O },
    { "llm.request.type", M_OPERATION, L },
    { "ai.operationId", M_VERCEL_OPERATION, V },
    { "openinference.span.kind", M_SPAN_KIND, I },
    { "traceloop.span.kind", M_SPAN_KIND, L },
    { "langfuse.observation.type", M_SPAN_KIND, F },
    { "aws.genai.span_kind", M_SPAN_KIND, X },

    { "gen_ai.provider.name", M_PROVIDER, O },
    { "gen_ai.system", M_PROVIDER, O },
    { "llm.provider", M_PROVIDER, I },
    { "llm.system", M_PROVIDER, I },
    { "ai.model.provider", M_PROVIDER, V },
    { "gen_ai.request.provider", M_PROVIDER, X },

    { "gen_ai.request.model", M_REQUEST_MODEL, O },
    { "llm.request.model_name", M_REQUEST_MODEL, I },
    { "ai.model.id", M_REQUEST_MODEL, V },
    { "gen_ai.response.model", M_RESPONSE_MODEL, O },
    { "llm.response.model_name", M_RESPONSE_MODEL, I },
    { "ai.response.model", M_RESPONSE_MODEL, V },
    { "llm.model_name", M_MODEL, I },
    { "embedding.model_name", M_MODEL, I },
    { "reranker.model_name", M_MODEL, I },
    { "langfuse.observation.model.name", M_MODEL, F },
    { "model_name", M_MODEL, X },

    { "gen_ai.usage.input_tokens", M_INPUT, O },
    { "gen_ai.usage.prompt_tokens", M_INPUT, O },
    { "llm.token_count.prompt", M_INPUT, I },
    { "llm.usage.prompt_tokens", M_INPUT, L },
    { "llm.usage.input_tokens", M_INPUT, L },
    { "ai.usage.inputTokens", M_INPUT, V },
    { "ai.usage.promptTokens", M_INPUT, V },
    { "ai.usage.tokens", M_INPUT, V },
    { "ai.usage.inputTokenDetails.noCacheTokens", M_UNCACHED, V },

    { "gen_ai.usage.cache_read.input_tokens", M_CACHE_READ, O },
    { "llm.token_count.prompt_details.cache_read", M_CACHE_READ, I },
    { "gen_ai.usage.cache_read_input_tokens", M_CACHE_READ, L },
    { "llm.usage.cache_read_input_tokens", M_CACHE_READ, L },
    { "ai.usage.inputTokenDetails.cacheReadTokens", M_CACHE_READ, V },
    { "ai.usage.cachedInputTokens", M_CACHE_READ, V },
    { "gen_ai.usage.input_tokens.cached", M_CACHE_READ, X },
    { "gen_ai.usage.details.cache_read_tokens", M_CACHE_READ, X },
    { "gen_ai.usage.details.cached_content_tokens", M_CACHE_READ, X },

    { "gen_ai.usage.cache_write.input_tokens", M_CACHE_WRITE, O },
    { "gen_ai.usage.cache_creation.input_tokens", M_CACHE_WRITE, O },
    { "llm.token_count.prompt_details.cache_write", M_CACHE_WRITE, I },
    { "gen_ai.usage.cache_creation_input_tokens", M_CACHE_WRITE, L },
    { "llm.usage.cache_creation_input_tokens", M_CACHE_WRITE, L },
    { "ai.usage.inputTokenDetails.cacheWriteTokens", M_CACHE_WRITE, V },
    { "gen_ai.usage.cache_write_input_tokens", M_CACHE_WRITE, X },
    { "gen_ai.usage.input_tokens.cache_write", M_CACHE_WRITE, X },
    { "gen_ai.usage.details.cache_write_tokens", M_CACHE_WRITE, X },

    { "gen_ai.usage.output_tokens", M_OUTPUT, O },
    { "gen_ai.usage.completion_tokens", M_OUTPUT, O },
    { "llm.token_count.completion", M_OUTPUT, I },
    { "llm.usage.completion_tokens", M_OUTPUT, L },
    { "llm.usage.output_tokens", M_OUTPUT, L },
    { "ai.usage.outputTokens", M_OUTPUT, V },
    { "ai.usage.completionTokens", M_OUTPUT, V },
    { "ai.usage.outputTokenDetails.textTokens", M_TEXT_OUTPUT, V },

    { "gen_ai.usage.reasoning.output_tokens", M_REASONING, O },
    { "llm.token_count.completion_details.reasoning", M_REASONING, I },
    { "gen_ai.usage.reasoning_tokens", M_REASONING, L },
    { "llm.usage.reasoning_tokens", M_REASONING, L },
    { "ai.usage.outputTokenDetails.reasoningTokens", M_REASONING, V },
    { "ai.usage.reasoningTokens", M_REASONING, V },
    { "gen_ai.usage.details.reasoning_tokens", M_REASONING, X },
    { "gen_ai.usage.details.thoughts_tokens", M_REASONING, X },
    { "gen_ai.usage.output_tokens.reasoning", M_REASONING, X },

    { "gen_ai.usage.audio.input_tokens", M_AUDIO_INPUT, O },
    { "llm.token_count.prompt_details.audio", M_AUDIO_INPUT, I },
    { "gen_ai.usage.audio.output_tokens", M_AUDIO_OUTPUT, O },
    { "llm.token_count.completion_details.audio", M_AUDIO_OUTPUT, I },
    { "langfuse.observation.usage_details", M_USAGE_MAP, F },

    { "gen_ai.usage.cost.amount", M_COST, O },
    { "llm.cost.total", M_COST, I },
    { "gen_ai.usage.cost", M_COST, X },
    { "gen_ai.usage.total_cost", M_COST, X },
    { "operation.cost", M_COST, X },
    { "litellm.cost.total", M_COST, X },
    { "openrouter.cost", M_COST_BILLED, X },
    { "cost_usd", M_COST_BILLED, X },
    { "gen_ai.usage.cost.currency", M_COST_CURRENCY, O },
    { "gen_ai.usage.cost.source", M_COST_SOURCE, O },
    { "langfuse.observation.cost_details", M_COST_MAP, F },
    { "openai.response.service_tier", M_SERVICE_TIER, O },
    { "gen_ai.openai.response.service_tier", M_SERVICE_TIER, O },
    { "openai.request.service_tier", M_SERVICE_TIER, O },
    { "gen_ai.openai.request.service_tier", M_SERVICE_TIER, O },
    { "gen_ai.response.service_tier", M_SERVICE_TIER, X },
    { "gen_ai.request.service_tier", M_SERVICE_TIER, X },

    { "gen_ai.agent.name", M_AGENT, O },
    { "agent.name", M_AGENT, I },
    { "graph.node.name", M_AGENT, X },
    { "recipient_agent", M_AGENT, X },
    { "gen_ai.agent.id", M_AGENT_ID, O },
    { "graph.node.id", M_AGENT_ID, I },
    { "agent_id", M_AGENT_ID, X },
    { "traceloop.entity.name", M_ENTITY, L },
    { "ai.telemetry.functionId", M_FUNCTION, V },
    { "gen_ai.workflow.name", M_WORKFLOW, O },
    { "traceloop.workflow.name", M_WORKFLOW, L },
    { "langfuse.trace.name", M_TRACE_NAME, F },
    { "gen_ai.tool.name", M_TOOL, O },
    { "tool.name", M_TOOL, I },
    { "ai.toolCall.name", M_TOOL, V },
    { "mcp.tool.name", M_TOOL, X },
    { "gen_ai.tool.call.id", M_TOOL_CALL, O },
    { "tool_call.id", M_TOOL_CALL, I },
    { "ai.toolCall.id", M_TOOL_CALL, V },

    { "mcp.server.name", M_MCP_SERVER, X },
    { "mcp.server", M_MCP_SERVER_LAST, X },
    { "mcp.method.name", M_MCP_METHOD, O },
    { "mcp.method", M_MCP_METHOD, X },
    { "mcp.session.id", M_MCP_SESSION, O },
    { "server.address", M_ADDRESS, O },

    { "gen_ai.conversation.id", M_SESSION, O },
    { "session.id", M_SESSION, I },
    { "traceloop.association.properties.session_id", M_SESSION, L },
    { "ai.telemetry.metadata.sessionId", M_SESSION, V },
    { "langfuse.session.id", M_SESSION, F },
    { "gcp.vertex.agent.session_id", M_SESSION, X },
    { "gen_ai.session.id", M_SESSION, X },
    { "user.id", M_USER, O },
    { "enduser.id", M_USER, O },
    { "traceloop.association.properties.user_id", M_USER, L },
    { "gen_ai.user", M_USER, L },
    { "ai.telemetry.metadata.userId", M_USER, V },
    { "langfuse.user.id", M_USER, F },
    { "user.email", M_USER, X },
    { "tenant.id", M_TENANT, X },
    { "tenant_id", M_TENANT, X },
    { "tenant", M_TENANT, X },
    { "organization.id", M_TENANT, X },
    { "gen_ai.task.type", M_TASK_TYPE, L },
    { "task_type", M_TASK_TYPE, X },
    { "task.type", M_TASK_TYPE, X },
    { "gen_ai.prompt.version", M_PROMPT_VERSION, O },
    { "traceloop.prompt.version", M_PROMPT_VERSION, L },
    { "langfuse.observation.prompt.version", M_PROMPT_VERSION, F },

    { "gen_ai.response.finish_reasons", M_FINISH, O },
    { "llm.finish_reason", M_FINISH, I },
    { "gen_ai.completion.0.finish_reason", M_FINISH, L },
    { "gen_ai.response.finish_reason", M_FINISH, L },
    { "ai.response.finishReason", M_FINISH, V },
    { "error.type", M_ERROR, O },
    { "exception.type", M_ERROR, I },
    { "http.response.status_code", M_HTTP_STATUS, O },
    { "http.status_code", M_HTTP_STATUS, X },
    { "status_code", M_HTTP_STATUS, X },
    { "rpc.response.status_code", M_RPC_STATUS, O },
    { "rpc.jsonrpc.error_code", M_RPC_STATUS, X },
    { "langfuse.observation.level", M_LEVEL, F },
    { "success", M_SUCCESS, X },
    { "gen_ai.request.stream", M_STREAM, O },
    { "gen_ai.request.is_stream", M_STREAM, X },
    { "llm.is_streaming", M_STREAM, L },
    { "gen_ai.response.time_to_first_chunk", M_FIRST_SECONDS, O },
    { "gen_ai.server.time_to_first_token", M_FIRST_SECONDS, X },
    { "ai.response.msToFirstChunk", M_FIRST_MS, V },
    { "duration_ms", M_DURATION_MS, X },

    { "event.name", M_EVENT, O },
    { "gen_ai.evaluation.name", M_SCORE_NAME, O },
    { "evaluation.name", M_SCORE_NAME, I },
    { "gen_ai.evaluation.score.value", M_SCORE, O },
    { "evaluation.score", M_SCORE, I },
    { "gen_ai.evaluation.score.label", M_SCORE_LABEL, O },
    { "evaluation.label", M_SCORE_LABEL, I },
    { "gen_ai.evaluation.explanation", M_SCORE_TEXT, O },
    { "evaluation.explanation", M_SCORE_TEXT, I },
    { "langfuse.score.source", M_SCORE_SOURCE, F },

    { "input_tokens", M_BARE_INPUT, X },
    { "output_tokens", M_BARE_OUTPUT, X },
    { "cache_read_tokens", M_CACHE_READ, X },
    { "cache_creation_tokens", M_CACHE_WRITE, X },
    { "model", M_BARE_MODEL, X },
    { "tool_name", M_BARE_TOOL, X },
};
/* clang-format on */
_Static_assert(COUNT(rows) <= GENAI_NAMES_MAX, "a name's number is a byte");

static uint8_t place[PLACES];        /* once; 0: free */
static uint8_t rank_of[COUNT(rows)]; /* once: how many names of its meaning stand before it */
static uint64_t seed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t place_of(struct str name)
{
    return XXH3_64bits_withSeed(name.p, name.n, seed) % PLACES;
}

static bool fits(void)
{
    memset(place, 0, sizeof place);
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t *at = &place[place_of(str_of(rows[i].text))];
        if (*at != 0) return false;
        *at = (uint8_t)(i + 1);
    }
    return true;
}

/* Some 170 names in 4096 places: about one seed in 35 has no two in one. */
static void prepare(void)
{
    uint8_t met[MEANINGS] = { 0 };
    for (size_t i = 0; i < COUNT(rows); i++) rank_of[i] = met[rows[i].meaning]++;
    while (!fits()) {
        check(seed < 1000000); /* a name stands there twice */
        seed++;
    }
}

uint8_t genai_name(struct str name)
{
    pthread_once(&once, prepare);
    if (name.n < 5 || name.n > 64) return 0;
    uint8_t i = place[place_of(name)];
    return i != 0 && str_is(name, rows[i - 1].text) ? i : 0;
}

struct str genai_name_text(uint8_t name)
{
    return name >= 1 && name <= COUNT(rows) ? str_of(rows[name - 1].text) : STR("");
}

const struct genai_name_row *genai_name_row(uint8_t name)
{
    check(name >= 1 && name <= COUNT(rows));
    return &rows[name - 1];
}

uint8_t genai_name_rank(uint8_t name)
{
    check(name >= 1 && name <= COUNT(rows));
    return rank_of[name - 1];
}
