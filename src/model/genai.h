/* genai.h - what a span or an event says about a model call, an agent or a tool, whatever convention it is
 * written in: OpenTelemetry GenAI (old names and new) and MCP, OpenInference, OpenLLMetry, Vercel AI SDK,
 * Langfuse, OpenLIT, Claude Code.
 *
 *     struct genai_span g;
 *     if (genai_of_span(&g, &record, &arena)) ...        else it has nothing to do with all this
 *
 * Of records that are read attribute by attribute (a scan's columns, a walk over a chunk) the same is made by
 * genai_begin, genai_put for each attribute, genai_end; genai_name tells once which names are worth it.
 *
 * Always true:
 *   1. The buckets of tokens are disjoint and none is negative: whatever the emitter counts twice (cached
 *      tokens within the input, reasoning within the output) is taken apart here. docs/genai.md has the
 * rules.
 *   2. Whether a span's usage counts is not known from the span alone: `part` says what it is by itself,
 *      genai_owner.h decides for a trace.
 *   3. Values that make no sense (text for a number, NaN, negative counts, more than GENAI_TOKENS_MAX) are
 * left out, never guessed; `odd` says that there were some.
 *
 * Pure, no locks. Texts are borrowed from the record or lie in the arena. */
#pragma once
#include "model/record.h"

enum genai_kind {
    GENAI_NONE,
    GENAI_LLM,
    GENAI_EMBEDDING,
    GENAI_RERANKER,
    GENAI_RETRIEVER,
    GENAI_AGENT,
    GENAI_WORKFLOW,
    GENAI_STEP, /* chains, tasks, plans: parts of a workflow or agent */
    GENAI_TOOL,
    GENAI_MCP, /* an MCP message that is no tool call */
    GENAI_MEMORY,
    GENAI_GUARDRAIL,
    GENAI_EVALUATOR,
    GENAI_PROMPT,
    GENAI_KINDS
};
const char *genai_kind_name(enum genai_kind); /* "none", "llm", "embedding", ... */

/* Which convention a name belongs to; of a span: the one it is written in. */
enum genai_convention {
    GENAI_OTEL,
    GENAI_OPENINFERENCE,
    GENAI_OPENLLMETRY,
    GENAI_VERCEL,
    GENAI_LANGFUSE,
    GENAI_OTHER,
    GENAI_CONVENTIONS
};
const char *genai_convention_name(enum genai_convention);

enum genai_bucket {
    TOKENS_INPUT, /* not from a cache */
    TOKENS_CACHE_READ,
    TOKENS_CACHE_WRITE,
    TOKENS_OUTPUT, /* without reasoning */
    TOKENS_REASONING,
    TOKEN_BUCKETS
};
const char *genai_bucket_name(
    enum genai_bucket); /* "input", "cache_read", "cache_write", "output", "reasoning" */

#define GENAI_TOKENS_MAX INT64_C(1000000000000) /* a bucket of one call; more is odd */

struct genai_usage {
    int64_t tokens[TOKEN_BUCKETS];
    int64_t cache_write_1h;            /* of cache_write */
    int64_t audio_input, audio_output; /* of input, of output */
};
static inline int64_t genai_input_total(const struct genai_usage *u)
{
    return u->tokens[TOKENS_INPUT] + u->tokens[TOKENS_CACHE_READ] + u->tokens[TOKENS_CACHE_WRITE];
}
static inline int64_t genai_output_total(const struct genai_usage *u)
{
    return u->tokens[TOKENS_OUTPUT] + u->tokens[TOKENS_REASONING];
}
void genai_usage_add(struct genai_usage *to, const struct genai_usage *);

/* What a span is to the money of its trace. */
enum genai_part {
    PART_NONE,    /* no model call, and says nothing of tokens or cost */
    PART_CALL,    /* a call of a model: owns its usage */
    PART_WRAPPER, /* around calls, with usage: counts when nothing beneath it does */
    PART_SERVER /* the model server's side of a call: counts when nothing else of the trace around it does */
};

enum genai_class { CLASS_STANDARD, CLASS_BATCH, CLASS_FLEX, CLASS_PRIORITY, CLASSES };
const char *genai_class_name(enum genai_class); /* "standard", ... */

struct genai_evaluation {
    struct str name, label, explanation, source;
    double score;
    bool has_score;
};

struct genai_span {
    enum genai_kind kind;
    enum genai_part part;
    enum genai_convention convention;
    int64_t time_ns;
    double seconds; /* how long it took; < 0: not known, or it still runs */

    struct str
        operation; /* gen_ai.operation.name where there is one, else what the kind is called there: chat */
    struct str provider; /* in OpenTelemetry's spelling where it has one: aws.bedrock */
    struct str model;    /* billed: the one that answered, else the one asked for */
    struct str request_model, response_model;
    struct str agent, agent_id, workflow, tool, tool_call_id;
    struct str mcp_server, mcp_method, mcp_session; /* mcp_server: genai_mcp_server */
    struct str session, user, tenant, task_type, prompt_version;
    struct str finish_reason; /* the first */
    struct str error_type;    /* empty: no error. "error" when the status alone says so */
    bool tool_error;          /* the tool answered, and its answer is an error: no error of transport */
    bool is_stream;

    struct genai_usage usage;
    bool has_usage; /* some number of tokens, if only 0, was given */
    bool is_odd;    /* a value was left out or clamped */
    enum genai_class price_class;

    bool has_reported_cost;
    bool
        is_billed; /* reported by who sends the bill (OpenRouter, Claude Code), not worked out by a library */
    int64_t reported_nano_usd;
    double first_token_seconds; /* < 0: not known */
    struct genai_evaluation evaluation;
};

/* False: not of this world, and *out is empty. */
bool genai_of_span(struct genai_span *out, const struct record *, struct arena *);
/* Of log records: gen_ai.client.inference.operation.details, gen_ai.evaluation.result,
 * gen_ai.client.operation.exception, claude_code.api_request, .api_error, .tool_result. */
bool genai_of_event(struct genai_span *out, const struct record *, struct arena *);

/* ---- attribute by attribute ---- */

/* Number of a name that means something here, from 1 to GENAI_NAMES; 0: it does not. One hash and one
 * comparison. */
#define GENAI_NAMES_MAX 255
uint8_t genai_name(struct str);
/* Not one that other spans have too, such as session.id: a record with one is worth the parse. */
bool genai_name_tells(uint8_t);
/* Of spans with usage or a kind: every span that has to do with money has one of these. */
bool genai_name_marks(uint8_t);
/* Matters to tokens, cost, or whose they are. */
bool genai_name_pays(uint8_t);
struct str genai_name_text(uint8_t); /* from 1; empty beyond the last */

struct genai_taken { /* a value, and how good its source is */
    struct value value;
    uint8_t name; /* 0: none */
    uint8_t rank; /* smaller is better */
};

#define GENAI_MEANINGS_MAX 96
struct genai_parse {
    struct arena *arena;
    enum genai_convention scope; /* of the instrumentation; GENAI_OTHER: not known */
    struct genai_taken best[GENAI_MEANINGS_MAX];
    bool any;
};
void genai_begin(struct genai_parse *, struct str scope_name, struct arena *);
void genai_put(struct genai_parse *, uint8_t name, struct value);
/* r: name, kind, status, times and origin are read; attrs are not. */
bool genai_end(struct genai_parse *, const struct record *r, enum table, struct genai_span *out);
