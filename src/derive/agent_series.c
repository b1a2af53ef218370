/* agent_series.c - series of agents, workflows, conflicts, beliefs and the business around them: the table,
 * and the fields that it needs and nobody sends. What begins and ends is matched in agent_state.c.
 * docs/metrics-reference.md has the formulas with examples. */
#include "base/check.h"
#include "derive/agent_state.h"
#include "model/event_kinds.h"

#define TASK     "vedette.agent.task"
#define TASK_END "vedette.agent.task.complete"
#define CONFLICT "vedette.conflict"
#define RESOLVE  "vedette.conflict.resolve"
#define COORD    "vedette.agent.coordination"
#define WORK_END "vedette.workflow.complete"
#define QUALITY  "vedette.response.quality"
#define BELIEF   "vedette.belief"
#define STATE    "vedette.agent.state"
#define HIST(b)  .bounds = (b), .n_bounds = COUNT(b)

/* Of both records of a task, or a conflict, that has ended. */
#define TASKS(...)                                                                                           \
    {                                                                                                        \
        { TASK, __VA_ARGS__ },                                                                               \
        {                                                                                                    \
            TASK_END, __VA_ARGS__                                                                            \
        }                                                                                                    \
    }
#define CONFLICTS(...)                                                                                       \
    {                                                                                                        \
        { CONFLICT, __VA_ARGS__ },                                                                           \
        {                                                                                                    \
            RESOLVE, __VA_ARGS__                                                                             \
        }                                                                                                    \
    }

static const double task_bounds[] = { 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600 };
static const double fast_bounds[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60 };

static const struct event_family families[] = {
    /* ---- tasks ---- */
    { "agent_tasks_total", EV_COUNT, "agent_id,agent_type,task_type,status<@status", "Tasks that have ended.",
      .from = TASKS(.when = "@ended") },
    { "agent_tasks_in_progress", EV_LEVEL, "agent_id", "Tasks that have begun and not ended.",
      .from = { { "vedette.agent.task.start" } } },
    { "agent_task_duration_seconds", EV_HISTOGRAM, "agent_id,task_type", "How long tasks took.", "seconds",
      HIST(task_bounds), .from = TASKS("@seconds") },
    { "agent_task_throughput_per_hour", EV_RATE, "agent_id", "Tasks that succeeded in the last hour.",
      .window = EV_HOUR, .per_s = 3600, .from = TASKS("@succeeded") },
    { "agent_task_success_rate", EV_MEAN, "agent_id", "Share of tasks that succeeded.", .window = EV_LONG,
      .from = TASKS("@succeeded") },
    { "agent_task_quality_score", EV_MEAN, "agent_id", "Mean quality of what tasks brought.",
      .window = EV_LONG, .from = TASKS("quality_score") },
    { "agent_cost_usd_total", EV_MONEY, "agent_id", "What tasks cost.", "usd", .from = TASKS("cost_usd") },
    { "agent_errors_total", EV_COUNT, "agent_id,error_type", "Tasks that failed, by why.",
      .from = TASKS(.when = "@status=failure") },

    /* ---- working together ---- */
    { "@shared", EV_RATIO, "agent_id", .window = EV_LONG,
      .from = { { TASK, "@worked_s", .weight = "@shared_s" },
                { TASK_END, "@worked_s", .weight = "@shared_s" },
                { COORD, "@worked_s", .weight = "@seconds" } } },
    { "@shared_ok", EV_MEAN, "agent_id", .window = EV_LONG,
      .from = { { TASK, "@shared_ok" }, { TASK_END, "@shared_ok" }, { COORD, "@ended_ok" } } },
    { "agent_collaboration_efficiency", EV_LAST, "agent_id",
      "Share of shared time not spent waiting for others, times the share of it that succeeded." },
    { "@pair", EV_RATIO, "agent_id,peer_id", .window = EV_LONG,
      .from = { { COORD, "@worked_s", "peer_id", "@seconds" } } },
    { "@pair_ok", EV_MEAN, "agent_id,peer_id", .window = EV_LONG,
      .from = { { COORD, "@ended_ok", "peer_id" } } },
    { "agent_pair_collaboration_efficiency", EV_LAST, "agent_id,peer_id",
      "The same, of what two agents did together." },
    { "agent_coordination_requests_total", EV_COUNT, "agent_id,coordination_type",
      "Sessions that agents began.", .from = { { COORD, .when = "@requested" } } },
    { "agent_coordination_duration_seconds", EV_HISTOGRAM, "agent_id,coordination_type",
      "How long sessions took.", "seconds", HIST(task_bounds), .from = { { COORD, "@seconds" } } },
    { "agent_coordination_errors_total", EV_COUNT, "agent_id,coordination_type,error_type",
      "Sessions that failed.", .from = { { COORD, .when = "@failed" } } },
    { "agent_coordination_concurrent_sessions", EV_LEVEL, "agent_id", "Sessions under way.",
      .from = { { COORD, .when = "state=started" } } },
    { "agent_dependency_resolution_seconds", EV_HISTOGRAM, "agent_id,depends_on",
      "How long agents waited for what they depend on.", "seconds", HIST(task_bounds),
      .from = { { "vedette.agent.dependency", "@seconds", "state=resolved" } } },
    { "agent_dependencies_total", EV_COUNT, "agent_id,depends_on,state", "Dependencies, begun and ended.",
      .from = { { "vedette.agent.dependency" } } },
    { "agent_messages_total", EV_COUNT, "sender,receiver,message_type", "Messages between agents.",
      .from = { { "vedette.agent.message" } } },
    { "agent_message_latency_seconds", EV_HISTOGRAM, "sender,receiver", "How long messages took to be read.",
      "seconds", HIST(fast_bounds), .from = { { "vedette.agent.message", "@seconds" } } },

    /* ---- agents ---- */
    { "agent_memory_bytes", EV_LAST, "agent_id", "Memory of the agent.", "bytes",
      .from = { { STATE, "memory_bytes" } } },
    { "agent_cpu_percent", EV_LAST, "agent_id", "Processor time of the agent, of one processor.", "percent",
      .from = { { STATE, "cpu_percent" } } },
    { "agent_state", EV_STATES, "agent_id", "1 for the state that the agent is in.",
      .states = "idle|busy|waiting|stopped|error", .from = { { STATE, "state" } } },
    { "agent_inference_duration_seconds", EV_HISTOGRAM, "agent_id,model", "How long inferences took.",
      "seconds", HIST(fast_bounds), .from = { { "vedette.agent.inference", "@seconds" } } },

    /* ---- workflows ---- */
    { "workflows_total", EV_COUNT, "workflow_type,status", "Workflows that have ended.",
      .from = { { WORK_END, .when = "@ended" } } },
    { "workflows_in_progress", EV_LEVEL, "workflow_type", "Workflows that have begun and not ended.",
      .from = { { "vedette.workflow.start" } } },
    { "workflow_duration_seconds", EV_HISTOGRAM, "workflow_type", "How long workflows took.", "seconds",
      HIST(task_bounds), .from = { { WORK_END, "@seconds" } } },
    { "workflow_success_rate", EV_MEAN, "workflow_type", "Share of workflows that ended well.",
      .window = EV_LONG, .from = { { WORK_END, "@succeeded" } } },
    { "workflow_cost_usd_total", EV_MONEY, "workflow_type", "What workflows cost.", "usd",
      .from = { { WORK_END, "cost_usd" } } },

    /* ---- conflicts ---- */
    { "conflicts_total", EV_COUNT, "conflict_type,method,status<@status", "Conflicts that have ended.",
      .from = CONFLICTS(.when = "@ended") },
    { "conflicts_in_progress", EV_LEVEL, "conflict_type", "Conflicts that have begun and not ended.",
      .from = { { "vedette.conflict.start" } } },
    { "conflict_resolution_rate", EV_MEAN, "conflict_type", "Share of conflicts that were resolved.",
      .window = EV_LONG, .from = CONFLICTS("@resolved") },
    { "conflict_resolution_seconds", EV_HISTOGRAM, "conflict_type,method", "How long conflicts took.",
      "seconds", HIST(task_bounds), .from = CONFLICTS("@seconds") },
    { "conflict_agent_pairs_total", EV_COUNT, "agents<@pair,status<@status",
      "Conflicts between two agents that have ended.", .from = CONFLICTS(.when = "@pair") },

    /* ---- beliefs ---- */
    { "belief_accuracy_ratio", EV_MEAN, "agent_id,belief_type", "Mean share of a belief that was right.",
      .window = EV_LONG, .from = { { BELIEF, "accuracy" } } },
    { "belief_convergence_seconds", EV_HISTOGRAM, "agent_id,belief_type",
      "How long beliefs took to stand still.", "seconds", HIST(task_bounds),
      .from = { { BELIEF, "convergence_seconds" } } },
    { "belief_free_energy", EV_LAST, "agent_id,belief_type", "Variational free energy.",
      .from = { { BELIEF, "free_energy" } } },
    { "belief_updates_total", EV_COUNT, "agent_id,belief_type", "Updates of beliefs.",
      .from = { { BELIEF } } },
    { "belief_prediction_errors_total", EV_COUNT, "agent_id,belief_type", "Predictions that were wrong.",
      .from = { { BELIEF, .when = "prediction_error" } } },

    /* ---- business ---- */
    { "business_user_interactions_total", EV_COUNT, "interaction_type", "What users did.",
      .from = { { "vedette.user.interaction" } } },
    { "business_active_users", EV_LAST, "", "Users who did something in the last 15 minutes." },
    { "business_response_quality_score", EV_MEAN, "", "Mean quality of responses.", .window = EV_LONG,
      .from = { { QUALITY, "quality_score" }, { TASK, "quality_score" }, { TASK_END, "quality_score" } } },
    { "business_inference_operations_total", EV_COUNT, "operation,status<@status", "Inferences of agents.",
      .from = { { "vedette.agent.inference" } } },
    { "@tasks_ok", EV_MEAN, "", .window = EV_LONG, .from = TASKS("@succeeded") },
    { "@all_shared", EV_RATIO, "", .window = EV_LONG,
      .from = { { TASK, "@worked_s", .weight = "@shared_s" },
                { TASK_END, "@worked_s", .weight = "@shared_s" },
                { COORD, "@worked_s", .weight = "@seconds" } } },
    { "business_system_efficiency_ratio", EV_LAST, "",
      "Share of tasks that succeeded, times the share of shared time not spent waiting." },
};

/* ---- fields that nobody sends ---- */

static struct value flag(bool yes)
{
    return value_double(yes ? 1 : 0);
}

static struct value seconds_of(struct value ms)
{
    return ms.type == VALUE_NONE ? ms : value_double(event_number(ms) / 1000);
}

static void prepare_task(struct agent_state *s, struct event_seen *e)
{
    struct value *v = e->v;
    if (e->kind == &event_kinds_agents[AGENT_TASK_COMPLETE]) agent_state_task_ended(s, e);
    const bool ok = v[AGT_SUCCESS].i != 0;
    v[AGT_ENDED] = flag(true);
    v[AGT_SUCCEEDED] = flag(ok);
    v[AGT_STATUS] = value_str(ok ? STR("success") : STR("failure"));
    v[AGT_SECONDS] = seconds_of(v[AGT_DURATION_MS]);
    double seconds = event_number(v[AGT_SECONDS]), waiting = event_number(v[AGT_WAITING_MS]) / 1000;
    if (isnan(seconds) || isnan(waiting)) return;
    v[AGT_SHARED_S] = value_double(seconds);
    v[AGT_WORKED_S] = value_double(MAX(seconds - waiting, 0.0));
    v[AGT_SHARED_OK] = flag(ok);
}

static void prepare_workflow(struct agent_state *s, struct event_seen *e)
{
    struct value *v = e->v;
    agent_state_workflow_ended(s, e);
    v[WFL_ENDED] = flag(true);
    v[WFL_SUCCEEDED] = flag(str_is(v[WFL_STATUS].text, "completed") || str_is(v[WFL_STATUS].text, "success"));
    v[WFL_SECONDS] = seconds_of(v[WFL_DURATION_MS]);
}

/* ["b","a"] as "a,b"; of more or fewer agents than two: none. */
static struct value pair_of(struct value agents, struct arena *a)
{
    struct json_reader r;
    struct str name[3];
    size_t n = 0;
    if (agents.type != VALUE_JSON) return (struct value){ .type = VALUE_NONE };
    json_open(&r, agents.text, a);
    if (json_array(&r))
        while (n < 3 && json_next(&r) && json_string(&r, &name[n])) n++;
    if (n != 2) return (struct value){ .type = VALUE_NONE };
    bool swap = str_cmp(name[0], name[1]) > 0;
    return value_str(
        arena_printf(a, "%.*s,%.*s", (int)name[swap].n, name[swap].p, (int)name[!swap].n, name[!swap].p));
}

static void prepare_conflict(struct agent_state *s, struct event_seen *e)
{
    struct value *v = e->v;
    if (e->kind == &event_kinds_agents[AGENT_CONFLICT_RESOLVE]) agent_state_conflict_ended(s, e);
    const bool resolved = v[CFL_SUCCESS].i != 0;
    v[CFL_ENDED] = flag(true);
    v[CFL_RESOLVED] = flag(resolved);
    v[CFL_STATUS] = value_str(resolved ? STR("resolved") : STR("unresolved"));
    v[CFL_SECONDS] = seconds_of(v[CFL_RESOLUTION_MS]);
    v[CFL_PAIR] = pair_of(v[CFL_AGENTS], e->arena);
}

static void prepare_coordination(struct agent_state *s, struct event_seen *e)
{
    struct value *v = e->v;
    const bool starts = v[COO_STATE].type == VALUE_STR && str_is(v[COO_STATE].text, "started");
    const bool ends = v[COO_STATE].type == VALUE_STR && !starts;
    if (!ends) v[COO_REQUESTED] = flag(true);
    if (starts) {
        agent_state_session_started(s, e);
        return;
    }
    if (ends) agent_state_session_ended(s, e);
    const bool ok = v[COO_SUCCESS].type == VALUE_NONE || v[COO_SUCCESS].i != 0;
    if (!ok) v[COO_FAILED] = flag(true);
    v[COO_SECONDS] = seconds_of(v[COO_DURATION_MS]);
    double seconds = event_number(v[COO_SECONDS]), waiting = event_number(v[COO_WAITING_MS]) / 1000;
    if (isnan(seconds)) return;
    v[COO_WORKED_S] = value_double(MAX(seconds - (isnan(waiting) ? 0 : waiting), 0.0));
    v[COO_ENDED_OK] =
        flag(ok); /* of sessions whose time is known: both parts of a score tell of the same ones */
}

static void prepare_inference(struct value *v)
{
    const bool ok = v[INF_SUCCESS].type == VALUE_NONE || v[INF_SUCCESS].i != 0;
    v[INF_STATUS] = value_str(ok ? STR("success") : STR("failure"));
    v[INF_SECONDS] = seconds_of(v[INF_DURATION_MS]);
}

static void prepare(void *state, struct event_seen *e)
{
    struct agent_state *s = state;
    if (e->kind < event_kinds_agents || (size_t)(e->kind - event_kinds_agents) >= event_kinds_agents_count)
        return;
    switch ((enum agent_kind)(e->kind - event_kinds_agents)) {
    case AGENT_TASK:
    case AGENT_TASK_COMPLETE: prepare_task(s, e); break;
    case AGENT_TASK_START: agent_state_task_started(s, e); break;
    case AGENT_WORKFLOW_START: agent_state_workflow_started(s, e); break;
    case AGENT_WORKFLOW_COMPLETE: prepare_workflow(s, e); break;
    case AGENT_CONFLICT:
    case AGENT_CONFLICT_RESOLVE: prepare_conflict(s, e); break;
    case AGENT_CONFLICT_START: agent_state_conflict_started(s, e); break;
    case AGENT_DEPENDENCY: agent_state_dependency(s, e); break;
    case AGENT_COORDINATION: prepare_coordination(s, e); break;
    case AGENT_MESSAGE: e->v[MSG_SECONDS] = seconds_of(e->v[MSG_LATENCY_MS]); break;
    case AGENT_INFERENCE: prepare_inference(e->v); break;
    case AGENT_INTERACTION: agent_state_user(s, e); break;
    case AGENT_STATE:
    case AGENT_BELIEF:
    case AGENT_RESPONSE: break;
    }
}

const struct event_module agent_series_module = {
    .families = families,
    .n_families = COUNT(families),
    .open = agent_state_open,
    .close = agent_state_close,
    .prepare = prepare,
    .tick = agent_state_tick,
};
