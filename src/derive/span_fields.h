/* span_fields.h - the attributes of spans that the graphs look at, picked in one pass over a chunk. */
#pragma once
#include "model/record.h"

#define SPAN_FIELDS(X)                                                                                       \
    X(PEER_SERVICE, "peer.service")                                                                          \
    X(DB_NAMESPACE, "db.namespace")                                                                          \
    X(DB_NAME, "db.name")                                                                                    \
    X(DB_SYSTEM_NAME, "db.system.name")                                                                      \
    X(DB_SYSTEM, "db.system")                                                                                \
    X(SERVER_ADDRESS, "server.address")                                                                      \
    X(NET_PEER_NAME, "net.peer.name")                                                                        \
    X(GEN_AI_AGENT_NAME, "gen_ai.agent.name")                                                                \
    X(AGENT_NAME, "agent.name")                                                                              \
    X(GEN_AI_OPERATION, "gen_ai.operation.name")                                                             \
    X(OPENINFERENCE_KIND, "openinference.span.kind")                                                         \
    X(GEN_AI_TOOL_NAME, "gen_ai.tool.name")                                                                  \
    X(TOOL_NAME, "tool.name")                                                                                \
    X(MCP_METHOD, "mcp.method.name")                                                                         \
    X(MCP_SERVER, "mcp.server.name")                                                                         \
    X(GEN_AI_RESPONSE_MODEL, "gen_ai.response.model")                                                        \
    X(GEN_AI_REQUEST_MODEL, "gen_ai.request.model")                                                          \
    X(LLM_MODEL_NAME, "llm.model_name")

enum span_field {
#define X(id, name) SPAN_FIELD_##id,
    SPAN_FIELDS(X)
#undef X
        SPAN_FIELDS_COUNT
};

/* Text, or empty. */
static inline struct str span_field(const struct value *picked, enum span_field f)
{
    return picked[f].type == VALUE_STR ? picked[f].text : STR("");
}
static inline struct str span_field_first(const struct value *picked, const enum span_field *f, size_t n)
{
    struct str v = STR("");
    for (size_t i = 0; i < n && v.n == 0; i++) v = span_field(picked, f[i]);
    return v;
}
