/* event_agents.c - what agents, MCP servers and the business around them report. */
#include "base/check.h"
#include "model/event_kinds.h"

#define NOT_NEGATIVE  EVENT_OPTIONAL, EVENT_NOT_NEGATIVE
#define SHARE         EVENT_OPTIONAL, EVENT_SHARE
#define FIELDS(table) .fields = (table), .n_fields = COUNT(table)

/* ---- MCP ---- */

static const struct event_field metrics[MCM_FIELDS] = {
    [MCM_RECORD_ID] = { "record_id", EVENT_TEXT, .help = "what tells this record from others" },
    [MCM_MCP_ID] = { "mcp_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the MCP server or tool" },
    [MCM_TASK_TYPE] = { "task_type", EVENT_TEXT, .help = "class of the task" },
    [MCM_ACCURACY] = { "accuracy_percentage", EVENT_NUMBER, EVENT_OPTIONAL, EVENT_PERCENT, .unit = "percent",
                       .help = "how many answers were right" },
    [MCM_PROMPT_TOKENS] = { "avg_prompt_tokens", EVENT_NUMBER, NOT_NEGATIVE, .unit = "tokens",
                            .help = "of a request" },
    [MCM_COMPLETION_TOKENS] = { "avg_completion_tokens", EVENT_NUMBER, NOT_NEGATIVE, .unit = "tokens",
                                .help = "of a request" },
    [MCM_LATENCY_MS] = { "latency_ms", EVENT_NUMBER, NOT_NEGATIVE, .unit = "ms", .help = "of a request" },
    [MCM_SUCCESS_RATE] = { "success_rate", EVENT_NUMBER, SHARE, .help = "how many requests succeeded" },
    [MCM_COST] = { "cost_per_request", EVENT_NUMBER, NOT_NEGATIVE, .unit = "USD", .help = "of a request" },
    [MCM_REQUESTS] = { "request_count", EVENT_INT, EVENT_OPTIONAL, .min = 1, .max = 1e12,
                       .help = "how many requests this tells of, 1 when absent" },
    [MCM_MODEL] = { "model", EVENT_TEXT, .help = "the model behind it" },
    [MCM_PROMPT_VERSION] = { "prompt_version", EVENT_TEXT, .help = "of the prompt" },
    [MCM_TIMESTAMP] = { "timestamp", EVENT_TIME, .help = "when" },
    [MCM_COUNT] = { "@count", EVENT_NUMBER, EVENT_DERIVED },
    [MCM_SUCCEEDED] = { "@succeeded", EVENT_NUMBER, EVENT_DERIVED },
    [MCM_FAILED] = { "@failed", EVENT_NUMBER, EVENT_DERIVED },
    [MCM_COST_ALL] = { "@cost_all", EVENT_NUMBER, EVENT_DERIVED },
    [MCM_QUALITY] = { "@quality", EVENT_NUMBER, EVENT_DERIVED },
};

const struct event_kind event_kinds_mcp[] = {
    { "vedette.mcp.metrics", "/api/v1/mcp/metrics", "record_id", .service = "mcp", .time = "timestamp",
      FIELDS(metrics), .help = "How an MCP server did, for one request or several." },
};
const size_t event_kinds_mcp_count = COUNT(event_kinds_mcp);

/* ---- agents ---- */

#define TASK_FIELDS(agent_need, success_need)                                                                \
    [AGT_TASK_ID] = { "task_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the task" },                           \
    [AGT_AGENT_ID] = { "agent_id", EVENT_TEXT, agent_need, .help = "the agent that does it" },               \
    [AGT_AGENT_TYPE] = { "agent_type", EVENT_TEXT, .help = "what kind of agent it is" },                     \
    [AGT_TASK_TYPE] = { "task_type", EVENT_TEXT, .help = "class of the task" },                              \
    [AGT_WORKFLOW_ID] = { "workflow_id", EVENT_TEXT, .help = "the workflow it is part of" },                 \
    [AGT_SUCCESS] = { "success", EVENT_BOOL, success_need, .help = "it reached its goal" },                  \
    [AGT_DURATION_MS] = { "duration_ms", EVENT_NUMBER, NOT_NEGATIVE, .unit = "ms",                           \
                          .help = "how long it took; since its start when absent" },                         \
    [AGT_WAITING_MS] = { "waiting_ms", EVENT_NUMBER, NOT_NEGATIVE, .unit = "ms",                             \
                         .help = "of that, waiting for other agents; absent when it worked alone" },         \
    [AGT_QUALITY] = { "quality_score", EVENT_NUMBER, SHARE, .help = "of what came out" },                    \
    [AGT_COST_USD] = { "cost_usd", EVENT_NUMBER, NOT_NEGATIVE, .unit = "USD", .help = "what it cost" },      \
    [AGT_ERROR_TYPE] = { "error_type", EVENT_TEXT, .help = "why it failed" },                                \
    [AGT_STARTED] = { "@started", EVENT_NUMBER, EVENT_DERIVED },                                             \
    [AGT_STATUS] = { "@status", EVENT_TEXT, EVENT_DERIVED },                                                 \
    [AGT_SECONDS] = { "@seconds", EVENT_NUMBER, EVENT_DERIVED },                                             \
    [AGT_ENDED] = { "@ended", EVENT_NUMBER, EVENT_DERIVED },                                                 \
    [AGT_SUCCEEDED] = { "@succeeded", EVENT_NUMBER, EVENT_DERIVED },                                         \
    [AGT_SHARED_S] = { "@shared_s", EVENT_NUMBER, EVENT_DERIVED },                                           \
    [AGT_WORKED_S] = { "@worked_s", EVENT_NUMBER, EVENT_DERIVED },                                           \
    [AGT_SHARED_OK] = { "@shared_ok", EVENT_NUMBER, EVENT_DERIVED }

static const struct event_field task[AGT_FIELDS] = { TASK_FIELDS(EVENT_REQUIRED, EVENT_REQUIRED) };
static const struct event_field task_start[AGT_FIELDS] = { TASK_FIELDS(EVENT_REQUIRED, EVENT_OPTIONAL) };
static const struct event_field task_complete[AGT_FIELDS] = { TASK_FIELDS(EVENT_OPTIONAL, EVENT_REQUIRED) };

#define WORKFLOW_FIELDS(type_need, status_need)                                                              \
    [WFL_WORKFLOW_ID] = { "workflow_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the workflow" },               \
    [WFL_TYPE] = { "workflow_type", EVENT_TEXT, type_need, .help = "class of the workflow" },                \
    [WFL_AGENTS] = { "agents", EVENT_LIST, .help = "ids of the agents that take part" },                     \
    [WFL_STATUS] = { "status", EVENT_TEXT, status_need,                                                      \
                     .words = "completed|success|failed|cancelled|timeout",                                  \
                     .help = "how it ended; completed and success are good" },                               \
    [WFL_DURATION_MS] = { "duration_ms", EVENT_NUMBER, NOT_NEGATIVE, .unit = "ms",                           \
                          .help = "how long it took; since its start when absent" },                         \
    [WFL_COST_USD] = { "cost_usd", EVENT_NUMBER, NOT_NEGATIVE, .unit = "USD", .help = "what it cost" },      \
    [WFL_SECONDS] = { "@seconds", EVENT_NUMBER, EVENT_DERIVED },                                             \
    [WFL_ENDED] = { "@ended", EVENT_NUMBER, EVENT_DERIVED },                                                 \
    [WFL_SUCCEEDED] = { "@succeeded", EVENT_NUMBER, EVENT_DERIVED }

static const struct event_field workflow_start[WFL_FIELDS] = { WORKFLOW_FIELDS(EVENT_OPTIONAL,
                                                                               EVENT_OPTIONAL) };
static const struct event_field workflow_complete[WFL_FIELDS] = { WORKFLOW_FIELDS(EVENT_OPTIONAL,
                                                                                  EVENT_REQUIRED) };

#define CONFLICT_FIELDS(success_need)                                                                        \
    [CFL_CONFLICT_ID] = { "conflict_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the conflict" },               \
    [CFL_TYPE] = { "conflict_type", EVENT_TEXT, .help = "class of the conflict" },                           \
    [CFL_AGENTS] = { "agents", EVENT_LIST, .help = "ids of the agents in it" },                              \
    [CFL_METHOD] = { "method", EVENT_TEXT, .help = "how it was resolved" },                                  \
    [CFL_SUCCESS] = { "success", EVENT_BOOL, success_need, .help = "it is resolved" },                       \
    [CFL_RESOLUTION_MS] = { "resolution_time_ms", EVENT_NUMBER, NOT_NEGATIVE, .unit = "ms",                  \
                            .help = "how long it took; since its start when absent" },                       \
    [CFL_STATUS] = { "@status", EVENT_TEXT, EVENT_DERIVED },                                                 \
    [CFL_SECONDS] = { "@seconds", EVENT_NUMBER, EVENT_DERIVED },                                             \
    [CFL_STARTED] = { "@started", EVENT_NUMBER, EVENT_DERIVED },                                             \
    [CFL_ENDED] = { "@ended", EVENT_NUMBER, EVENT_DERIVED },                                                 \
    [CFL_RESOLVED] = { "@resolved", EVENT_NUMBER, EVENT_DERIVED },                                           \
    [CFL_PAIR] = { "@pair", EVENT_TEXT, EVENT_DERIVED }

static const struct event_field conflict[CFL_FIELDS] = { CONFLICT_FIELDS(EVENT_REQUIRED) };
static const struct event_field conflict_start[CFL_FIELDS] = { CONFLICT_FIELDS(EVENT_OPTIONAL) };

static const struct event_field dependency[DEP_FIELDS] = {
    [DEP_DEPENDENCY_ID] = { "dependency_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the dependency" },
    [DEP_AGENT_ID] = { "agent_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the agent that waits" },
    [DEP_DEPENDS_ON] = { "depends_on", EVENT_TEXT, .help = "the agent it waits for" },
    [DEP_TASK_ID] = { "task_id", EVENT_TEXT, .help = "the task that waits" },
    [DEP_STATE] = { "state", EVENT_TEXT, EVENT_REQUIRED, .words = "started|resolved|failed",
                    .help = "it began, or ended" },
    [DEP_RESOLUTION_MS] = { "resolution_ms", EVENT_NUMBER, NOT_NEGATIVE, .unit = "ms",
                            .help = "how long it took; since its start when absent" },
    [DEP_SECONDS] = { "@seconds", EVENT_NUMBER, EVENT_DERIVED },
};

static const struct event_field coordination[COO_FIELDS] = {
    [COO_COORDINATION_ID] = { "coordination_id", EVENT_TEXT, .help = "the session; needed to match its end" },
    [COO_AGENT_ID] = { "agent_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the agent that asks" },
    [COO_PEER_ID] = { "peer_id", EVENT_TEXT, .help = "the agent that is asked" },
    [COO_TYPE] = { "coordination_type", EVENT_TEXT, .help = "class of the session" },
    [COO_STATE] = { "state", EVENT_TEXT, .words = "started|ended",
                    .help = "a session begins or ends; absent: the record is of a whole one" },
    [COO_SUCCESS] = { "success", EVENT_BOOL, .help = "true when absent" },
    [COO_DURATION_MS] = { "duration_ms", EVENT_NUMBER, NOT_NEGATIVE, .unit = "ms",
                          .help = "how long it took; since its start when absent" },
    [COO_WAITING_MS] = { "waiting_ms", EVENT_NUMBER, NOT_NEGATIVE, .unit = "ms",
                         .help = "of that, waiting for the peer" },
    [COO_ERROR_TYPE] = { "error_type", EVENT_TEXT, .help = "why it failed: timeout, ..." },
    [COO_REQUESTED] = { "@requested", EVENT_NUMBER, EVENT_DERIVED },
    [COO_SECONDS] = { "@seconds", EVENT_NUMBER, EVENT_DERIVED },
    [COO_FAILED] = { "@failed", EVENT_NUMBER, EVENT_DERIVED },
    [COO_WORKED_S] = { "@worked_s", EVENT_NUMBER, EVENT_DERIVED },
    [COO_ENDED_OK] = { "@ended_ok", EVENT_NUMBER, EVENT_DERIVED },
};

static const struct event_field message[MSG_FIELDS] = {
    [MSG_MESSAGE_ID] = { "message_id", EVENT_TEXT, .help = "what tells this message from others" },
    [MSG_SENDER] = { "sender", EVENT_TEXT, EVENT_REQUIRED, .help = "the agent that sent it" },
    [MSG_RECEIVER] = { "receiver", EVENT_TEXT, EVENT_REQUIRED, .help = "the agent it went to" },
    [MSG_TYPE] = { "message_type", EVENT_TEXT, .help = "class of the message" },
    [MSG_LATENCY_MS] = { "latency_ms", EVENT_NUMBER, NOT_NEGATIVE, .unit = "ms",
                         .help = "until it was read" },
    [MSG_SIZE] = { "size_bytes", EVENT_INT, NOT_NEGATIVE, .unit = "bytes", .help = "of the message" },
    [MSG_SECONDS] = { "@seconds", EVENT_NUMBER, EVENT_DERIVED },
};

static const struct event_field state[] = {
    { "agent_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the agent" },
    { "agent_type", EVENT_TEXT, .help = "what kind of agent it is" },
    { "state", EVENT_TEXT, .words = "idle|busy|waiting|stopped|error", .help = "what it does" },
    { "memory_bytes", EVENT_INT, NOT_NEGATIVE, .unit = "bytes", .help = "what it holds" },
    { "cpu_percent", EVENT_NUMBER, NOT_NEGATIVE, .unit = "percent", .help = "of one processor" },
};

static const struct event_field belief[] = {
    { "agent_id", EVENT_TEXT, EVENT_REQUIRED, .help = "whose belief" },
    { "belief_type", EVENT_TEXT, .help = "class of the belief" },
    { "accuracy", EVENT_NUMBER, SHARE, .help = "how much of it was right" },
    { "convergence_seconds", EVENT_NUMBER, NOT_NEGATIVE, .unit = "s", .help = "until it stood still" },
    { "free_energy", EVENT_NUMBER, .help = "variational free energy; may be negative" },
    { "prediction_error", EVENT_BOOL, .help = "what came was not what was believed" },
};

static const struct event_field interaction[INT_FIELDS] = {
    [INT_INTERACTION_ID] = { "interaction_id", EVENT_TEXT, .help = "what tells it from others" },
    [INT_USER_ID] = { "user_id", EVENT_TEXT, .help = "who; counted, never a label" },
    [INT_TYPE] = { "interaction_type", EVENT_TEXT, .help = "class of the interaction" },
    [INT_AGENT_ID] = { "agent_id", EVENT_TEXT, .help = "with which agent" },
    [INT_SUCCESS] = { "success", EVENT_BOOL, .help = "the user got what was wanted" },
};

static const struct event_field quality[] = {
    { "response_id", EVENT_TEXT, .help = "what tells it from others" },
    { "agent_id", EVENT_TEXT, .help = "who answered" },
    { "model", EVENT_TEXT, .help = "the model that answered" },
    { "prompt_version", EVENT_TEXT, .help = "of the prompt" },
    { "quality_score", EVENT_NUMBER, EVENT_REQUIRED, EVENT_SHARE, .help = "of the response" },
};

static const struct event_field inference[INF_FIELDS] = {
    [INF_OPERATION_ID] = { "operation_id", EVENT_TEXT, .help = "what tells it from others" },
    [INF_AGENT_ID] = { "agent_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the agent that infers" },
    [INF_MODEL] = { "model", EVENT_TEXT, .help = "the model it uses" },
    [INF_OPERATION] = { "operation", EVENT_TEXT, .help = "class of the inference" },
    [INF_DURATION_MS] = { "duration_ms", EVENT_NUMBER, EVENT_REQUIRED, EVENT_NOT_NEGATIVE, .unit = "ms",
                          .help = "how long it took" },
    [INF_SUCCESS] = { "success", EVENT_BOOL, .help = "true when absent" },
    [INF_STATUS] = { "@status", EVENT_TEXT, EVENT_DERIVED },
    [INF_SECONDS] = { "@seconds", EVENT_NUMBER, EVENT_DERIVED },
};

const struct event_kind event_kinds_agents[] = {
    { "vedette.agent.task", "/api/v1/agents/tasks", "task_id", "task_id", "agents", FIELDS(task),
      .help = "A task that has ended." },
    { "vedette.agent.task.start", "/api/v1/agents/tasks/start", "task_id", "task_id", "agents",
      FIELDS(task_start), .help = "A task begins." },
    { "vedette.agent.task.complete", "/api/v1/agents/tasks/complete", "task_id", "task_id", "agents",
      FIELDS(task_complete),
      .help = "A task that began has ended; its start's fields need not be repeated." },
    { "vedette.workflow.start", "/api/v1/workflows", "workflow_id", "workflow_id", "agents",
      FIELDS(workflow_start), .help = "A workflow begins." },
    { "vedette.workflow.complete", "/api/v1/workflows/{workflow_id}/complete", "workflow_id", "workflow_id",
      "agents", FIELDS(workflow_complete), .help = "A workflow has ended." },
    { "vedette.conflict", "/api/v1/conflicts", "conflict_id", "conflict_id", "agents", FIELDS(conflict),
      .help = "A conflict between agents that has ended." },
    { "vedette.conflict.start", "/api/v1/conflicts/start", "conflict_id", "conflict_id", "agents",
      FIELDS(conflict_start), .help = "A conflict begins to be resolved." },
    { "vedette.conflict.resolve", "/api/v1/conflicts/resolve", "conflict_id", "conflict_id", "agents",
      FIELDS(conflict), .help = "A conflict that began has ended." },
    { "vedette.agent.dependency", "/api/v1/agents/dependencies", .service = "agents", FIELDS(dependency),
      .help = "An agent waits for another, or waits no more." },
    { "vedette.agent.coordination", "/api/v1/agents/coordination", .service = "agents", FIELDS(coordination),
      .help = "Agents work together." },
    { "vedette.agent.message", "/api/v1/agents/messages", "message_id", .service = "agents", FIELDS(message),
      .help = "One agent told another something." },
    { "vedette.agent.state", "/api/v1/agents/state", .service = "agents", FIELDS(state),
      .help = "How an agent stands; sent now and then." },
    { "vedette.agent.inference", "/api/v1/agents/inference", "operation_id", .service = "agents",
      FIELDS(inference), .help = "An agent inferred something." },
    { "vedette.belief", "/api/v1/beliefs", .service = "agents", FIELDS(belief),
      .help = "An agent's belief was updated." },
    { "vedette.user.interaction", "/api/v1/business/interactions", "interaction_id", .service = "business",
      FIELDS(interaction), .help = "A user did something." },
    { "vedette.response.quality", "/api/v1/business/responses", "response_id", .service = "business",
      FIELDS(quality), .help = "A response was rated." },
};
const size_t event_kinds_agents_count = COUNT(event_kinds_agents);
