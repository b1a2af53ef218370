/* genai.c - see genai.h. Attributes are taken one by one into a table of meanings, the best source of each
 * staying (genai_names.h); at the end the span is read off that table. */
#include "model/genai.h"

#include <math.h>

#include "base/check.h"
#include "base/json.h"
#include "model/genai_names.h"

#define RANK_SCOPE    0   /* of the convention the span is written in */
#define RANK_OTHER    128 /* another one */
#define RANK_RESOURCE 255

const char *genai_kind_name(enum genai_kind k)
{
    static const char *const names[GENAI_KINDS] = { "none",      "llm",   "embedding", "reranker",
                                                    "retriever", "agent", "workflow",  "step",
                                                    "tool",      "mcp",   "memory",    "guardrail",
                                                    "evaluator", "prompt" };
    return k < GENAI_KINDS ? names[k] : names[0];
}

const char *genai_convention_name(enum genai_convention c)
{
    static const char *const names[GENAI_CONVENTIONS] = { "otel",   "openinference", "openllmetry",
                                                          "vercel", "langfuse",      "other" };
    return c < GENAI_CONVENTIONS ? names[c] : names[GENAI_OTHER];
}

const char *genai_bucket_name(enum genai_bucket b)
{
    static const char *const names[TOKEN_BUCKETS] = { "input", "cache_read", "cache_write", "output",
                                                      "reasoning" };
    return b < TOKEN_BUCKETS ? names[b] : "";
}

const char *genai_class_name(enum genai_class c)
{
    static const char *const names[CLASSES] = { "standard", "batch", "flex", "priority" };
    return c < CLASSES ? names[c] : names[CLASS_STANDARD];
}

void genai_usage_add(struct genai_usage *to, const struct genai_usage *u)
{
    for (size_t i = 0; i < TOKEN_BUCKETS; i++) to->tokens[i] += u->tokens[i];
    to->cache_write_1h += u->cache_write_1h;
    to->audio_input += u->audio_input;
    to->audio_output += u->audio_output;
}

/* ---- taking ---- */

static enum genai_convention convention_of_scope(struct str scope)
{
    if (str_starts(scope, "openinference.") || str_starts(scope, "@arizeai/openinference"))
        return GENAI_OPENINFERENCE;
    if (str_starts(scope, "opentelemetry.instrumentation.") || str_starts(scope, "@traceloop/") ||
        str_starts(scope, "traceloop"))
        return GENAI_OPENLLMETRY;
    if (str_is(scope, "ai")) return GENAI_VERCEL;
    if (str_starts(scope, "langfuse")) return GENAI_LANGFUSE;
    return GENAI_OTHER;
}

void genai_begin(struct genai_parse *p, struct str scope_name, struct arena *a)
{
    p->arena = a;
    p->any = false;
    p->scope = convention_of_scope(scope_name);
}

/* Names that other spans have too: they say nothing of the kind of span. */
static bool is_common(enum meaning m)
{
    switch (m) {
    case M_ADDRESS:
    case M_SESSION:
    case M_USER:
    case M_TENANT:
    case M_TASK_TYPE:
    case M_ERROR:
    case M_HTTP_STATUS:
    case M_RPC_STATUS:
    case M_LEVEL:
    case M_SUCCESS:
    case M_DURATION_MS:
    case M_EVENT:
    case M_BARE_INPUT:
    case M_BARE_OUTPUT:
    case M_BARE_MODEL:
    case M_BARE_TOOL: return true;
    default: return false;
    }
}

bool genai_name_tells(uint8_t name)
{
    return !is_common(genai_name_row(name)->meaning);
}

bool genai_name_marks(uint8_t name)
{
    switch (genai_name_row(name)->meaning) {
    case M_OPERATION:
    case M_VERCEL_OPERATION:
    case M_SPAN_KIND:
    case M_INPUT:
    case M_OUTPUT:
    case M_USAGE_MAP:
    case M_COST:
    case M_COST_BILLED:
    case M_COST_MAP:
    case M_MCP_METHOD: return true;
    default: return false;
    }
}

bool genai_name_pays(uint8_t name)
{
    unsigned m = genai_name_row(name)->meaning;
    return m <= M_FUNCTION || m == M_MCP_METHOD || m == M_USER || m == M_TENANT;
}

static void take(struct genai_parse *p, uint8_t name, struct value v, uint8_t rank)
{
    struct genai_taken *best = &p->best[genai_name_row(name)->meaning];
    bool is_empty = v.type == VALUE_NONE || (v.type == VALUE_STR && v.text.n == 0);
    if (is_empty || (best->name != 0 && best->rank <= rank)) return;
    *best = (struct genai_taken){ v, name, rank };
}

void genai_put(struct genai_parse *p, uint8_t name, struct value v)
{
    const struct genai_name_row *row = genai_name_row(name);
    if (!p->any) {
        memset(p->best, 0, MEANINGS * sizeof p->best[0]);
        p->any = true;
    }
    uint8_t base = row->convention == p->scope ? RANK_SCOPE : RANK_OTHER;
    take(p, name, v, (uint8_t)(base + genai_name_rank(name)));
}

/* Who and whose, where the span does not say: its resource may. */
static void take_resource(struct genai_parse *p, const struct origin *o)
{
    for (size_t i = 0; o != NULL && i < o->resource.n; i++) {
        uint8_t name = genai_name(o->resource.at[i].name);
        if (name == 0) continue;
        enum meaning m = genai_name_row(name)->meaning;
        if (m == M_SESSION || m == M_USER || m == M_TENANT || m == M_TASK_TYPE || m == M_AGENT ||
            m == M_AGENT_ID || m == M_WORKFLOW)
            take(p, name, o->resource.at[i].value, RANK_RESOURCE);
    }
}

/* ---- reading the table ---- */

struct str genai_text(const struct genai_parse *p, enum meaning m)
{
    const struct genai_taken *t = &p->best[m];
    if (t->name == 0) return STR("");
    if (t->value.type == VALUE_STR) return t->value.text;
    if (t->value.type == VALUE_INT) return arena_printf(p->arena, "%lld", (long long)t->value.i);
    return STR("");
}

static bool is_true(const struct genai_parse *p, enum meaning m)
{
    struct value v = p->best[m].value;
    if (p->best[m].name == 0) return false;
    return v.type == VALUE_STR ? str_is_nocase(v.text, "true")
                               : (v.type == VALUE_BOOL || v.type == VALUE_INT) && v.i;
}

static bool is_false(const struct genai_parse *p, enum meaning m)
{
    return p->best[m].name != 0 && !is_true(p, m);
}

static struct str or_else(struct str a, struct str b)
{
    return a.n > 0 ? a : b;
}

/* ---- kind ---- */

struct kind_word {
    const char *word;
    enum genai_kind kind;
};

/* Operations of OpenTelemetry, of LiteLLM and OpenLLMetry. */
static const struct kind_word operations[] = {
    { "chat", GENAI_LLM },
    { "generate_content", GENAI_LLM },
    { "text_completion", GENAI_LLM },
    { "completion", GENAI_LLM },
    { "acompletion", GENAI_LLM },
    { "embeddings", GENAI_EMBEDDING },
    { "embedding", GENAI_EMBEDDING },
    { "aembedding", GENAI_EMBEDDING },
    { "rerank", GENAI_RERANKER },
    { "retrieval", GENAI_RETRIEVER },
    { "invoke_agent", GENAI_AGENT },
    { "create_agent", GENAI_STEP },
    { "plan", GENAI_STEP },
    { "agent_handoff", GENAI_STEP },
    { "invoke_workflow", GENAI_WORKFLOW },
    { "execute_tool", GENAI_TOOL },
    { "create_memory_store", GENAI_MEMORY },
    { "delete_memory_store", GENAI_MEMORY },
    { "create_memory", GENAI_MEMORY },
    { "update_memory", GENAI_MEMORY },
    { "upsert_memory", GENAI_MEMORY },
    { "search_memory", GENAI_MEMORY },
    { "delete_memory", GENAI_MEMORY },
};

/* Kinds as OpenInference, OpenLLMetry and Langfuse say them; case does not matter. */
static const struct kind_word span_kinds[] = {
    { "LLM", GENAI_LLM },           { "GENERATION", GENAI_LLM },      { "EMBEDDING", GENAI_EMBEDDING },
    { "RERANKER", GENAI_RERANKER }, { "RETRIEVER", GENAI_RETRIEVER }, { "AGENT", GENAI_AGENT },
    { "WORKFLOW", GENAI_WORKFLOW }, { "CHAIN", GENAI_STEP },          { "TASK", GENAI_STEP },
    { "TOOL", GENAI_TOOL },         { "GUARDRAIL", GENAI_GUARDRAIL }, { "EVALUATOR", GENAI_EVALUATOR },
    { "PROMPT", GENAI_PROMPT },
};

static enum genai_kind find_word(const struct kind_word *words, size_t n, struct str word)
{
    for (size_t i = 0; i < n; i++)
        if (str_is_nocase(word, words[i].word)) return words[i].kind;
    return GENAI_NONE;
}

/* ai.streamText.doStream is the call; ai.streamText is what surrounds it. */
static enum genai_kind kind_of_vercel(struct str operation)
{
    if (!str_starts(operation, "ai.")) return GENAI_NONE;
    if (str_ends(operation, ".doGenerate") || str_ends(operation, ".doStream")) return GENAI_LLM;
    if (str_ends(operation, ".doEmbed")) return GENAI_EMBEDDING;
    return str_is(operation, "ai.toolCall") ? GENAI_TOOL : GENAI_STEP;
}

static enum genai_kind kind_of_mcp(struct str method)
{
    if (method.n == 0) return GENAI_NONE;
    return str_is(method, "tools/call") ? GENAI_TOOL : GENAI_MCP;
}

static enum genai_kind find_kind(const struct genai_parse *p, struct str span_name)
{
    struct str vercel =
        or_else(genai_text(p, M_VERCEL_OPERATION), str_starts(span_name, "ai.") ? span_name : STR(""));
    enum genai_kind k = find_word(operations, COUNT(operations), genai_text(p, M_OPERATION));
    if (k == GENAI_NONE && genai_text(p, M_VERCEL_OPERATION).n > 0) k = kind_of_vercel(vercel);
    if (k == GENAI_NONE) k = find_word(span_kinds, COUNT(span_kinds), genai_text(p, M_SPAN_KIND));
    if (k == GENAI_NONE) k = kind_of_mcp(genai_text(p, M_MCP_METHOD));
    if (k == GENAI_NONE) k = kind_of_vercel(vercel);
    return k;
}

/* ---- names ---- */

static struct str canonical_provider(struct str p)
{
    static const struct {
        const char *from, *to;
    } same[] = {
        { "az.ai.openai", "azure.ai.openai" },
        { "azure", "azure.ai.openai" },
        { "azure_openai", "azure.ai.openai" },
        { "azure-openai", "azure.ai.openai" },
        { "az.ai.inference", "azure.ai.inference" },
        { "bedrock", "aws.bedrock" },
        { "aws_bedrock", "aws.bedrock" },
        { "amazon-bedrock", "aws.bedrock" },
        { "amazon_bedrock", "aws.bedrock" },
        { "aws", "aws.bedrock" },
        { "gemini", "gcp.gemini" },
        { "google", "gcp.gemini" },
        { "google-generative-ai", "gcp.gemini" },
        { "vertex_ai", "gcp.vertex_ai" },
        { "vertexai", "gcp.vertex_ai" },
        { "google-vertex", "gcp.vertex_ai" },
        { "gcp.vertex.agent", "gcp.vertex_ai" },
        { "mistralai", "mistral_ai" },
        { "mistral", "mistral_ai" },
        { "xai", "x_ai" },
        { "watsonx", "ibm.watsonx.ai" },
        { "moonshot", "moonshot_ai" },
    };
    for (size_t i = 0; i < COUNT(same); i++)
        if (str_is_nocase(p, same[i].from)) return str_of(same[i].to);
    return p;
}

static void read_provider(const struct genai_parse *p, struct genai_span *g)
{
    struct str text = genai_text(p, M_PROVIDER), rest;
    if (p->best[M_PROVIDER].name != 0 && genai_name_row(p->best[M_PROVIDER].name)->convention == GENAI_VERCEL)
        text = str_cut(text, '.', &rest); /* openai.responses */
    g->provider = canonical_provider(text);
}

static void read_models(const struct genai_parse *p, struct genai_span *g)
{
    struct str either = genai_text(p, M_MODEL);
    g->response_model = genai_text(p, M_RESPONSE_MODEL);
    g->request_model = or_else(genai_text(p, M_REQUEST_MODEL), either);
    g->model = or_else(or_else(g->response_model, either), g->request_model);
}

/* mcp__server__tool, server__tool. */
static void split_tool(struct genai_span *g)
{
    struct str t = g->tool;
    bool is_marked = str_starts(t, "mcp__");
    if (is_marked) t = str_make(t.p + 5, t.n - 5);
    for (size_t i = 1; i + 2 < t.n; i++) {
        if (t.p[i] != '_' || t.p[i + 1] != '_') continue;
        if (g->mcp_server.n == 0) g->mcp_server = str_make(t.p, i);
        if (is_marked || str_eq(g->mcp_server, str_make(t.p, i)))
            g->tool = str_make(t.p + i + 2, t.n - i - 2);
        return;
    }
}

static struct str service_name(const struct record *r)
{
    for (size_t i = 0; r->origin != NULL && i < r->origin->resource.n; i++) {
        const struct attr *a = &r->origin->resource.at[i];
        if (str_is(a->name, "service.name") && a->value.type == VALUE_STR) return a->value.text;
    }
    return STR("");
}

/* No attribute names the server for sure: from the surest to the last resort. */
static void read_mcp(const struct genai_parse *p, const struct record *r, enum table table,
                     struct genai_span *g)
{
    bool is_server = table == TABLE_SPANS && r->span.kind == SPAN_SERVER;
    g->mcp_method = genai_text(p, M_MCP_METHOD);
    g->mcp_session = genai_text(p, M_MCP_SESSION);
    g->mcp_server = genai_text(p, M_MCP_SERVER);
    if (g->mcp_method.n > 0 && g->mcp_server.n == 0)
        g->mcp_server = is_server ? service_name(r) : genai_text(p, M_ADDRESS);
    if (g->mcp_server.n == 0) g->mcp_server = genai_text(p, M_MCP_SERVER_LAST);
    if (g->kind == GENAI_TOOL) split_tool(g);
}

static bool is_langfuse_type(const struct genai_parse *p, const char *type)
{
    const struct genai_taken *t = &p->best[M_SPAN_KIND];
    return t->name != 0 && genai_name_row(t->name)->convention == GENAI_LANGFUSE &&
           str_is_nocase(t->value.text, type);
}

static void read_agents(const struct genai_parse *p, struct str span_name, struct genai_span *g)
{
    struct str entity = genai_text(p, M_ENTITY), function = genai_text(p, M_FUNCTION);
    g->agent = genai_text(p, M_AGENT);
    g->agent_id = genai_text(p, M_AGENT_ID);
    g->workflow = or_else(or_else(genai_text(p, M_WORKFLOW), function), genai_text(p, M_TRACE_NAME));
    g->tool = genai_text(p, M_TOOL);
    g->tool_call_id = genai_text(p, M_TOOL_CALL);
    if (g->agent.n == 0 && g->kind == GENAI_AGENT) {
        g->agent = entity;
        if (is_langfuse_type(p, "AGENT")) g->agent = or_else(entity, span_name);
    }
    if (g->agent.n == 0) g->agent = function;
    if (g->tool.n == 0 && g->kind == GENAI_TOOL) {
        g->tool = entity;
        if (is_langfuse_type(p, "TOOL")) g->tool = or_else(entity, span_name);
    }
}

static void read_people(const struct genai_parse *p, struct genai_span *g)
{
    g->session = genai_text(p, M_SESSION);
    g->user = genai_text(p, M_USER);
    g->tenant = genai_text(p, M_TENANT);
    g->task_type = genai_text(p, M_TASK_TYPE);
    g->prompt_version = genai_text(p, M_PROMPT_VERSION);
}

/* ---- how it went ---- */

/* ["stop"], or just stop. */
static struct str first_of(struct value v, struct arena *a)
{
    struct json_reader r;
    struct str text = STR("");
    if (v.type == VALUE_STR && (v.text.n == 0 || v.text.p[0] != '[')) return v.text;
    if (v.type != VALUE_STR && v.type != VALUE_JSON) return STR("");
    json_open(&r, v.text, a);
    if (json_peek(&r) != JSON_ARRAY || !json_array(&r) || !json_next(&r)) return STR("");
    if (json_peek(&r) == JSON_STRING) json_string(&r, &text);
    return text;
}

/* Of the first event that has one: "exception.type":"ValueError". */
static struct str exception_of(struct str events, struct arena *a)
{
    static const char key[] = "\"exception.type\":";
    const char *at = events.n > 0 ? memmem(events.p, events.n, key, sizeof key - 1) : NULL;
    struct json_reader r;
    struct str type = STR("");
    if (at == NULL) return type;
    at += sizeof key - 1;
    json_open(&r, str_make(at, events.n - (size_t)(at - events.p)), a);
    if (json_peek(&r) == JSON_STRING) json_string(&r, &type);
    return type;
}

static void read_error(const struct genai_parse *p, const struct record *r, enum table table,
                       struct genai_span *g)
{
    bool is_span = table == TABLE_SPANS;
    bool has_failed = (is_span && r->span.status == 2) || str_is_nocase(genai_text(p, M_LEVEL), "ERROR");
    double http;
    g->error_type = genai_text(p, M_ERROR);
    if (g->error_type.n == 0 && genai_number(p, M_HTTP_STATUS, &http) && http >= 400 && http < 600)
        g->error_type = arena_printf(p->arena, "%.0f", http);
    if (g->error_type.n == 0 && has_failed) g->error_type = genai_text(p, M_RPC_STATUS);
    if (g->error_type.n == 0 && has_failed && is_span) g->error_type = exception_of(r->span.events, p->arena);
    if (g->error_type.n == 0 && has_failed) g->error_type = STR("error");
    g->tool_error = str_is(g->error_type, "tool_error");
}

static void read_times(const struct genai_parse *p, const struct record *r, enum table table,
                       struct genai_span *g)
{
    double v;
    g->time_ns = r->time_ns;
    g->first_token_seconds = g->seconds = -1;
    if (genai_number(p, M_FIRST_SECONDS, &v) && v >= 0) g->first_token_seconds = v;
    if (g->first_token_seconds < 0 && genai_number(p, M_FIRST_MS, &v) && v >= 0)
        g->first_token_seconds = v / 1e3;
    if (table == TABLE_LOGS) {
        if (genai_number(p, M_DURATION_MS, &v) && v >= 0) g->seconds = v / 1e3;
    } else if (r->span.duration_ns != SPAN_UNFINISHED) {
        g->seconds = (double)r->span.duration_ns / 1e9;
    }
}

static void read_class(const struct genai_parse *p, struct genai_span *g)
{
    struct str tier = genai_text(p, M_SERVICE_TIER);
    for (unsigned c = 0; c < CLASSES; c++)
        if (str_is_nocase(tier, genai_class_name((enum genai_class)c))) g->price_class = (enum genai_class)c;
}

static void read_evaluation(const struct genai_parse *p, struct genai_span *g)
{
    struct genai_evaluation *e = &g->evaluation;
    e->name = genai_text(p, M_SCORE_NAME);
    e->label = genai_text(p, M_SCORE_LABEL);
    e->explanation = genai_text(p, M_SCORE_TEXT);
    e->source = genai_text(p, M_SCORE_SOURCE);
    e->has_score = genai_number(p, M_SCORE, &e->score);
}

/* ---- whose input is without the cached tokens ---- */

static bool contains(struct str s, const char *what)
{
    return s.n > 0 && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static bool is_native_claude(struct str model)
{
    static const char *const begins[] = { "claude", "anthropic.", "us.", "eu.", "apac.", "global." };
    for (size_t i = 0; i < COUNT(begins); i++)
        if (str_starts(model, begins[i])) return true;
    return false;
}

/* Frameworks that pass on what Anthropic's and Bedrock's APIs say: input is what was not cached. The Claude
 * Agent SDK does with any model, the others when the model's id is one of those APIs'. */
static bool is_exclusive(struct str scope, struct str model)
{
    static const char *const frameworks[] = { "strands",         "gcp.vertex.agent",
                                              "google_adk",      "agno",
                                              "agent_framework", "Microsoft.Extensions.AI",
                                              "Microsoft.Agents" };
    if (contains(scope, "claude_agent_sdk") || contains(scope, "claude_code")) return true;
    if (!is_native_claude(model)) return false;
    for (size_t i = 0; i < COUNT(frameworks); i++)
        if (contains(scope, frameworks[i])) return true;
    return false;
}

/* ---- the whole ---- */

static struct str scope_of(const struct record *r)
{
    return r->origin != NULL ? r->origin->scope_name : STR("");
}

static enum genai_convention convention_of(const struct genai_parse *p)
{
    static const enum meaning telling[] = { M_VERCEL_OPERATION, M_OPERATION, M_SPAN_KIND, M_MODEL, M_INPUT,
                                            M_USAGE_MAP };
    if (p->scope != GENAI_OTHER) return p->scope;
    for (size_t i = 0; i < COUNT(telling); i++)
        if (p->best[telling[i]].name != 0) return genai_name_row(p->best[telling[i]].name)->convention;
    return GENAI_OTHER;
}

static bool spends(const struct genai_span *g)
{
    return genai_input_total(&g->usage) + genai_output_total(&g->usage) > 0 || g->reported_nano_usd > 0;
}

static enum genai_part part_of(const struct genai_span *g, bool is_server)
{
    bool is_call = g->kind == GENAI_LLM || g->kind == GENAI_EMBEDDING;
    if (is_server) return spends(g) ? PART_SERVER : PART_NONE;
    if (is_call) return PART_CALL;
    return spends(g) ? PART_WRAPPER : PART_NONE;
}

static bool tells(const struct genai_parse *p)
{
    for (unsigned m = 0; m < MEANINGS; m++)
        if (p->best[m].name != 0 && !is_common((enum meaning)m)) return true;
    return false;
}

static void read_all(struct genai_parse *p, const struct record *r, enum table table, bool exclusive,
                     struct genai_span *g)
{
    take_resource(p, r->origin);
    g->convention = convention_of(p);
    g->kind = find_kind(p, table == TABLE_SPANS ? r->span.name : STR(""));
    read_provider(p, g);
    read_models(p, g);
    read_agents(p, table == TABLE_SPANS ? r->span.name : STR(""), g);
    read_mcp(p, r, table, g);
    read_people(p, g);
    g->finish_reason = first_of(p->best[M_FINISH].value, p->arena);
    g->is_stream = is_true(p, M_STREAM);
    read_error(p, r, table, g);
    read_times(p, r, table, g);
    read_class(p, g);
    genai_read_usage(p, exclusive || is_exclusive(scope_of(r), g->model), g);
    genai_read_cost(p, g);
    read_evaluation(p, g);
    g->operation = or_else(genai_text(p, M_OPERATION), str_of(genai_kind_name(g->kind)));
}

static bool end_span(struct genai_parse *p, const struct record *r, struct genai_span *g)
{
    if (!tells(p)) return false;
    read_all(p, r, TABLE_SPANS, false, g);
    if (g->kind == GENAI_NONE && spends(g)) g->kind = GENAI_STEP;
    g->part = part_of(g, r->span.kind == SPAN_SERVER);
    return g->kind != GENAI_NONE || g->evaluation.has_score || g->agent.n > 0;
}

/* ---- events ---- */

enum event {
    EVENT_OTHER,
    EVENT_DETAILS,
    EVENT_SCORE,
    EVENT_EXCEPTION,
    EVENT_REQUEST,
    EVENT_API_ERROR,
    EVENT_TOOL
};

static enum event event_of(const struct genai_parse *p, const struct record *r)
{
    static const struct {
        const char *name;
        enum event event;
    } known[] = {
        { "gen_ai.client.inference.operation.details", EVENT_DETAILS },
        { "gen_ai.evaluation.result", EVENT_SCORE },
        { "gen_ai.client.operation.exception", EVENT_EXCEPTION },
        { "claude_code.api_request", EVENT_REQUEST },
        { "claude_code.api_error", EVENT_API_ERROR },
        { "claude_code.tool_result", EVENT_TOOL },
    };
    const struct str names[] = { r->log.event_name,
                                 r->log.body.type == VALUE_STR ? r->log.body.text : STR(""),
                                 p->any ? genai_text(p, M_EVENT) : STR("") };
    for (size_t n = 0; n < COUNT(names); n++)
        for (size_t i = 0; names[n].n > 0 && i < COUNT(known); i++)
            if (str_is(names[n], known[i].name)) return known[i].event;
    return EVENT_OTHER;
}

/* Names too common to be taken from any record stand for the real ones. */
static void use_bare_names(struct genai_parse *p)
{
    static const struct {
        enum meaning from, to;
    } pairs[] = { { M_BARE_INPUT, M_INPUT },
                  { M_BARE_OUTPUT, M_OUTPUT },
                  { M_BARE_MODEL, M_MODEL },
                  { M_BARE_TOOL, M_TOOL } };
    for (size_t i = 0; i < COUNT(pairs); i++)
        if (p->best[pairs[i].to].name == 0) p->best[pairs[i].to] = p->best[pairs[i].from];
}

static bool has_span(const struct record *r)
{
    static const uint8_t none[8];
    return memcmp(r->span_id, none, sizeof none) != 0;
}

/* Claude Code's events are the only word of its calls. An inference event within a span repeats what the span
 * says; outside of one it stands for the call. */
static void shape_event(enum event e, struct genai_parse *p, const struct record *r, struct genai_span *g)
{
    bool is_claude = e == EVENT_REQUEST || e == EVENT_API_ERROR;
    if (is_claude) {
        g->kind = GENAI_LLM;
        g->operation = STR("chat");
        if (g->provider.n == 0) g->provider = STR("anthropic");
    }
    if (e == EVENT_TOOL) {
        g->kind = GENAI_TOOL;
        g->operation = STR("execute_tool");
        split_tool(g);
    }
    if (e == EVENT_SCORE) g->kind = GENAI_EVALUATOR;
    if (e == EVENT_DETAILS && g->kind == GENAI_NONE) g->kind = GENAI_LLM;
    if ((e == EVENT_API_ERROR || e == EVENT_EXCEPTION || (e == EVENT_TOOL && is_false(p, M_SUCCESS))) &&
        g->error_type.n == 0)
        g->error_type = STR("error");
    if (e == EVENT_TOOL && g->error_type.n > 0) g->tool_error = true;
    bool is_call = g->kind == GENAI_LLM || g->kind == GENAI_EMBEDDING;
    if (is_call && (is_claude || (e == EVENT_DETAILS && !has_span(r)))) g->part = PART_CALL;
}

static bool end_event(struct genai_parse *p, const struct record *r, struct genai_span *g)
{
    enum event e = event_of(p, r);
    if (e == EVENT_OTHER) return false;
    if (!p->any) memset(p->best, 0, MEANINGS * sizeof p->best[0]);
    p->any = true;
    bool is_claude = e == EVENT_REQUEST || e == EVENT_API_ERROR || e == EVENT_TOOL;
    if (is_claude) use_bare_names(p);
    read_all(p, r, TABLE_LOGS, is_claude, g);
    shape_event(e, p, r, g);
    return true;
}

bool genai_end(struct genai_parse *p, const struct record *r, enum table table, struct genai_span *g)
{
    if (table == TABLE_SPANS && !p->any) return false;
    memset(g, 0, sizeof *g);
    return table == TABLE_SPANS ? end_span(p, r, g) : end_event(p, r, g);
}

static bool of_record(struct genai_span *g, const struct record *r, enum table table, struct arena *a)
{
    struct genai_parse p;
    genai_begin(&p, scope_of(r), a);
    for (size_t i = 0; i < r->attrs.n; i++) {
        uint8_t name = genai_name(r->attrs.at[i].name);
        if (name != 0) genai_put(&p, name, r->attrs.at[i].value);
    }
    if (genai_end(&p, r, table, g)) return true;
    memset(g, 0, sizeof *g);
    return false;
}

bool genai_of_span(struct genai_span *g, const struct record *r, struct arena *a)
{
    return of_record(g, r, TABLE_SPANS, a);
}

bool genai_of_event(struct genai_span *g, const struct record *r, struct arena *a)
{
    return of_record(g, r, TABLE_LOGS, a);
}
