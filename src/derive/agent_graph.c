/* agent_graph.c - see agent_graph.h.
 *
 * Three roles wait (waiting.h). AGENT and STEP stand under their own id: a finished agent, and a span of such
 * a trace that only leads further up. USE stands under the id of the span it hopes to find above it; when
 * that one comes and is no agent, the use moves up to its parent. Only traces in which something of an
 * agent has been seen are followed: `traces` remembers them. */
#include "derive/agent_graph.h"

#include "base/check.h"
#include "base/mem.h"
#include "derive/span_metrics.h"
#include "derive/waiting.h"

#define TRACES   4096
#define HOPS_MAX 64 /* a circle of parents ends here */

enum role { AGENT, STEP, USE };
enum use { NO_USE, USE_AGENT, USE_TOOL, USE_MCP, USE_MODEL };
enum { REQUESTS, FAILED, COUNTS };

struct agent_graph {
    struct series_out *out;
    struct waiting *waiting;
    uint64_t unpaired, traces[TRACES];
    int64_t now_ms;
};

static void alone(void *ctx, const struct half *h)
{
    struct agent_graph *g = ctx;
    if (h->role == USE) g->unpaired++;
}

struct agent_graph *agent_graph_new(const struct service_graph_conf *conf)
{
    static const struct out_shape shape = {
        .labels = { "client", "server", "connection_type" },
        .n_labels = 3,
        .overflow = "client",
        .families = { { "vedette_agent_graph_request_total", "Uses of agents, tools, MCP servers, models.",
                        OUT_COUNTER, REQUESTS, 1, false },
                      { "vedette_agent_graph_request_failed_total", "Uses that failed.", OUT_COUNTER, FAILED,
                        1, false },
                      { "vedette_agent_graph_request_seconds", "How long uses took.", OUT_HISTOGRAM, 0, 1,
                        false } },
        .n_families = 3,
        .n_counts = COUNTS,
        .n_hists = 1,
        .bounds = span_bounds,
        .n_bounds = SPAN_BOUNDS,
    };
    struct agent_graph *g = mem_alloc_zero(sizeof *g);
    g->out = series_out_new(&shape, conf->max_rows, conf->idle_ms);
    g->waiting = waiting_new(conf->max_waiting, conf->wait_ms, alone, g);
    return g;
}

void agent_graph_free(struct agent_graph *g)
{
    if (g == NULL) return;
    waiting_free(g->waiting);
    series_out_free(g->out);
    mem_free(g);
}

struct series_out *agent_graph_out(struct agent_graph *g)
{
    return g->out;
}

/* ---- what a span is ---- */

struct node {
    enum use use;
    struct str name, of_agent; /* of_agent: the agent that the span itself names as its own */
};

static struct str either(struct str a, struct str b)
{
    return a.n > 0 ? a : b;
}

static struct node node_of(const struct record *r, const struct value *picked)
{
    struct str op = span_field(picked, SPAN_FIELD_GEN_AI_OPERATION);
    struct str kind = span_field(picked, SPAN_FIELD_OPENINFERENCE_KIND);
    struct str agent =
        either(span_field(picked, SPAN_FIELD_GEN_AI_AGENT_NAME), span_field(picked, SPAN_FIELD_AGENT_NAME));
    struct str tool =
        either(span_field(picked, SPAN_FIELD_GEN_AI_TOOL_NAME), span_field(picked, SPAN_FIELD_TOOL_NAME));
    struct str model = either(span_field(picked, SPAN_FIELD_GEN_AI_RESPONSE_MODEL),
                              either(span_field(picked, SPAN_FIELD_GEN_AI_REQUEST_MODEL),
                                     span_field(picked, SPAN_FIELD_LLM_MODEL_NAME)));
    if (str_is(op, "invoke_agent") || str_is(kind, "AGENT"))
        return (struct node){ USE_AGENT, either(agent, r->span.name), STR("") };
    if (picked[SPAN_FIELD_MCP_METHOD].type == VALUE_STR && r->span.kind == SPAN_CLIENT)
        return (struct node){ USE_MCP,
                              either(either(span_field(picked, SPAN_FIELD_MCP_SERVER),
                                            span_field(picked, SPAN_FIELD_SERVER_ADDRESS)),
                                     either(tool, STR("mcp"))),
                              agent };
    if (str_is(op, "execute_tool") || str_is(kind, "TOOL"))
        return (struct node){ USE_TOOL, either(tool, r->span.name), agent };
    if (model.n > 0 &&
        (str_is(op, "chat") || str_is(op, "generate_content") || str_is(op, "text_completion") ||
         str_is(op, "embeddings") || str_is(kind, "LLM") || str_is(kind, "EMBEDDING")))
        return (struct node){ USE_MODEL, model, agent };
    return (struct node){ NO_USE, STR(""), STR("") };
}

static bool is_followed(struct agent_graph *g, const struct record *r, bool follow)
{
    uint64_t h = hash64(r->trace_id, sizeof r->trace_id) | 1, *at = &g->traces[(h >> 32) % TRACES];
    if (follow) *at = h;
    return *at == h;
}

static bool is_zero(const uint8_t id[8])
{
    static const uint8_t none[8];
    return memcmp(id, none, sizeof none) == 0;
}

/* ---- edges ---- */

static void count(struct agent_graph *g, struct str agent, const struct half *use)
{
    static const char *const connections[] = { "", "agent", "tool", "mcp", "model" };
    const struct str values[] = { agent, waiting_text(&use->name), str_of(connections[use->connection]) };
    if (use->connection == USE_AGENT && str_eq(agent, values[1])) return;
    struct out_row *row = series_out_row(g->out, values, g->now_ms);
    series_out_count(g->out, row, REQUESTS, 1);
    series_out_count(g->out, row, FAILED, use->has_failed);
    series_out_observe(g->out, row, 0, use->seconds);
}

static const struct half *stands(struct agent_graph *g, const uint8_t key[24])
{
    const struct half *h = waiting_find(g->waiting, key, NULL);
    while (h != NULL && h->role == USE) h = waiting_find(g->waiting, key, h);
    return h;
}

/* use->key: the span above it. */
static void go_up(struct agent_graph *g, struct half *use)
{
    for (int hops = 0; hops < HOPS_MAX && !is_zero(use->key + 16); hops++) {
        const struct half *above = stands(g, use->key);
        if (above == NULL) {
            waiting_add(g->waiting, use, g->now_ms);
            return;
        }
        if (above->role == AGENT) {
            count(g, waiting_text(&above->name), use);
            return;
        }
        memcpy(use->key + 16, above->parent_id, 8);
    }
    if (use->connection != USE_AGENT) g->unpaired++; /* an agent at the top has nobody above it */
}

/* Those who waited for this span; it stands already. In a ring too small for all of them one could wait for
 * the same span again: nobody is woken twice. */
static void wake(struct agent_graph *g, const uint8_t key[24])
{
    struct half *h = waiting_find(g->waiting, key, NULL), use;
    for (size_t left = waiting_count(g->waiting); h != NULL && left > 0; left--) {
        if (h->role != USE) {
            h = waiting_find(g->waiting, key, h);
            continue;
        }
        use = *h;
        waiting_remove(g->waiting, h);
        go_up(g, &use);
        h = waiting_find(g->waiting, key, NULL);
    }
}

void agent_graph_seen(struct agent_graph *g, const struct record *r, const struct value *picked,
                      int64_t now_ms)
{
    struct node node = node_of(r, picked);
    g->now_ms = now_ms;
    if (!is_followed(g, r, node.use != NO_USE)) return;

    struct half stand = { .role = node.use == USE_AGENT ? AGENT : STEP, .name = waiting_name(node.name) };
    waiting_key(stand.key, r->trace_id, r->span_id);
    memcpy(stand.parent_id, r->span.parent_id, 8);
    waiting_add(g->waiting, &stand, now_ms);
    wake(g, stand.key);
    if (node.use == NO_USE) return;

    struct half use = { .role = USE,
                        .connection = (uint8_t)node.use,
                        .has_failed = r->span.status == 2,
                        .seconds = (double)r->span.duration_ns / 1e9,
                        .name = waiting_name(node.name) };
    waiting_key(use.key, r->trace_id, r->span.parent_id);
    if (node.of_agent.n > 0)
        count(g, node.of_agent, &use);
    else
        go_up(g, &use);
}

void agent_graph_expire(struct agent_graph *g, int64_t now_ms)
{
    g->now_ms = now_ms;
    waiting_expire(g->waiting, now_ms);
}

uint64_t agent_graph_unpaired(const struct agent_graph *g)
{
    return g->unpaired;
}
