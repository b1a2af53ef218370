/* event_kinds.h - the tables of event.c, each of one area; and the numbers of the fields that code speaks of.
 */
#pragma once
#include "model/event.h"

extern const struct event_kind event_kinds_lb[], event_kinds_mcp[], event_kinds_agents[];
extern const size_t event_kinds_lb_count, event_kinds_mcp_count, event_kinds_agents_count;

/* vedette.lb.request and vedette.lb.request.complete have the same fields. */
enum lb_request_field {
    LBR_REQUEST_ID,
    LBR_BACKEND_ID,
    LBR_BACKEND_TYPE,
    LBR_ALGORITHM,
    LBR_REASON,
    LBR_STATUS,
    LBR_METHOD,
    LBR_ERROR_TYPE,
    LBR_START_TIME,
    LBR_END_TIME,
    LBR_DURATION_MS,
    LBR_QUEUE_WAIT_MS,
    LBR_ATTEMPTS,
    LBR_COST_USD,
    LBR_QUALITY,
    LBR_ACCURACY,
    LBR_RELEVANCE,
    LBR_COMPLETENESS,
    LBR_SATISFACTION,
    LBR_REQUEST_SIZE,
    LBR_RESPONSE_SIZE,
    LBR_PROVIDER,
    LBR_MODEL,
    LBR_INPUT_TOKENS,
    LBR_OUTPUT_TOKENS,
    LBR_CACHED_TOKENS,
    LBR_CACHE_TYPE,
    LBR_CACHE_HIT,
    LBR_PROMPT_VERSION,
    LBR_CORRELATION_ID,
    /* derived */
    LBR_OK,         /* 1 or 0 */
    LBR_FAILED,     /* 1 or 0 */
    LBR_ERROR,      /* why it failed: error_type, else the status */
    LBR_PRICED_USD, /* cost_usd, else what its tokens cost */
    LBR_SATISFIED,  /* 0 to 1: user_satisfaction_score, else from status and duration */
    LBR_IN_TIME,    /* 1 or 0: within the limit of the SLA */
    LBR_AVAILABLE,  /* 1 or 0: the backend was reached */
    LBR_GOOD,       /* 1 or 0: quality_score above the least */
    LBR_SLOW,       /* how badly the limit was passed: "medium", "high" */
    LBR_HIT,        /* 1 or 0, when cache_hit was given */
    LBR_LOOKED_UP,  /* 1 when cache_hit was given */
    LBR_MISSED,     /* 1 when the cache did not have it */
    LBR_POOR,       /* 1 when quality_score was below the least */
    LBR_UNREACHED,  /* 1 when the backend was not reached */
    LBR_WORTH,      /* quality_score, 1 when absent, of a success whose cost is known; 0 of such a failure */
    LBR_FIELDS
};

enum lb_start_field {
    LBS_REQUEST_ID,
    LBS_BACKEND_ID,
    LBS_BACKEND_TYPE,
    LBS_ALGORITHM,
    LBS_METHOD,
    LBS_FIELDS
};

enum lb_health_field {
    LBH_BACKEND_ID,
    LBH_HEALTHY,
    LBH_RESPONSE_TIME_MS,
    LBH_REASON,
    LBH_RESULT, /* derived: "success", "failure" */
    LBH_UP,     /* derived: 1 or 0 */
    LBH_DOWN,
    LBH_SECONDS, /* derived */
    LBH_FIELDS
};

enum lb_breaker_field {
    LBB_BACKEND_ID,
    LBB_STATE,
    LBB_FAILURE_REASON,
    LBB_FROM_STATE,
    LBB_TRIPPED,  /* derived: it has just opened */
    LBB_RECOVERY, /* derived: seconds from its opening to its closing */
    LBB_FIELDS
};

enum lb_pool_field {
    LBP_POOL,
    LBP_BACKEND_ID,
    LBP_TOTAL,
    LBP_AVAILABLE,
    LBP_UNAVAILABLE,
    LBP_ACTIVE,
    LBP_IDLE,
    LBP_QUEUE_SIZE,
    LBP_MAX_CONNECTIONS,
    LBP_UTILIZATION,      /* derived: percent of the pool that is not available for more */
    LBP_CONNECTIONS_USED, /* derived: percent */
    LBP_FIELDS
};

enum lb_cache_field {
    LBC_CACHE_TYPE,
    LBC_HITS,
    LBC_MISSES,
    LBC_EVICTIONS,
    LBC_EVICTION_REASON,
    LBC_SIZE_BYTES,
    LBC_HIT_TIME_MS,
    LBC_MISS_TIME_MS,
    LBC_LOOKUPS,    /* derived */
    LBC_SAVED_MS,   /* derived: time that hits saved */
    LBC_WITHOUT_MS, /* derived: time it all would have taken without a cache */
    LBC_FIELDS
};

enum lb_budget_field { LBU_BACKEND_ID, LBU_DAILY, LBU_MONTHLY, LBU_FIELDS };

enum lb_backend_field {
    LBK_BACKEND_ID,
    LBK_WEIGHT,
    LBK_MEMORY,
    LBK_CPU,
    LBK_SENT,
    LBK_RECEIVED,
    LBK_ACTIVE_REQUESTS,
    LBK_CAPACITY,
    LBK_UTILIZATION,
    LBK_UTILIZED, /* derived: utilization_percent, else active over capacity */
    LBK_FIELDS
};

enum mcp_metrics_field {
    MCM_RECORD_ID,
    MCM_MCP_ID,
    MCM_TASK_TYPE,
    MCM_ACCURACY,
    MCM_PROMPT_TOKENS,
    MCM_COMPLETION_TOKENS,
    MCM_LATENCY_MS,
    MCM_SUCCESS_RATE,
    MCM_COST,
    MCM_REQUESTS,
    MCM_MODEL,
    MCM_PROMPT_VERSION,
    MCM_TIMESTAMP,
    /* derived */
    MCM_COUNT,     /* request_count, else 1 */
    MCM_SUCCEEDED, /* of them */
    MCM_FAILED,
    MCM_COST_ALL, /* of all of them */
    MCM_QUALITY,  /* accuracy as 0 to 1 */
    MCM_FIELDS
};

/* vedette.agent.task, .start and .complete */
enum agent_task_field {
    AGT_TASK_ID,
    AGT_AGENT_ID,
    AGT_AGENT_TYPE,
    AGT_TASK_TYPE,
    AGT_WORKFLOW_ID,
    AGT_SUCCESS,
    AGT_DURATION_MS,
    AGT_WAITING_MS,
    AGT_QUALITY,
    AGT_COST_USD,
    AGT_ERROR_TYPE,
    AGT_STARTED,   /* derived: 1 for a start */
    AGT_STATUS,    /* derived: "success", "failure", of a task that has ended */
    AGT_SECONDS,   /* derived: of a task that has ended */
    AGT_ENDED,     /* derived: 1 for a task that has ended */
    AGT_SUCCEEDED, /* derived: 1 or 0, of a task that has ended */
    AGT_SHARED_S,  /* derived: seconds of work with others: of tasks that say how long they waited */
    AGT_WORKED_S,  /* derived: of them, without waiting */
    AGT_SHARED_OK, /* derived: AGT_SUCCEEDED of such tasks */
    AGT_FIELDS
};

/* vedette.workflow.start and .complete */
enum workflow_field {
    WFL_WORKFLOW_ID,
    WFL_TYPE,
    WFL_AGENTS,
    WFL_STATUS,
    WFL_DURATION_MS,
    WFL_COST_USD,
    WFL_SECONDS, /* derived */
    WFL_ENDED,   /* derived */
    WFL_SUCCEEDED,
    WFL_FIELDS
};

/* vedette.conflict, .start and .resolve */
enum conflict_field {
    CFL_CONFLICT_ID,
    CFL_TYPE,
    CFL_AGENTS,
    CFL_METHOD,
    CFL_SUCCESS,
    CFL_RESOLUTION_MS,
    CFL_STATUS,   /* derived: "resolved", "unresolved", of one that has ended */
    CFL_SECONDS,  /* derived: of one that has ended */
    CFL_STARTED,  /* derived: 1 for a start */
    CFL_ENDED,    /* derived */
    CFL_RESOLVED, /* derived: 1 or 0 */
    CFL_PAIR,     /* derived: "a,b" */
    CFL_FIELDS
};

enum dependency_field {
    DEP_DEPENDENCY_ID,
    DEP_AGENT_ID,
    DEP_DEPENDS_ON,
    DEP_TASK_ID,
    DEP_STATE,
    DEP_RESOLUTION_MS,
    DEP_SECONDS, /* derived */
    DEP_FIELDS
};

enum coordination_field {
    COO_COORDINATION_ID,
    COO_AGENT_ID,
    COO_PEER_ID,
    COO_TYPE,
    COO_STATE,
    COO_SUCCESS,
    COO_DURATION_MS,
    COO_WAITING_MS,
    COO_ERROR_TYPE,
    COO_REQUESTED, /* derived: 1 for a request: a start or a whole one */
    COO_SECONDS,   /* derived */
    COO_FAILED,    /* derived: 1 */
    COO_WORKED_S,  /* derived */
    COO_ENDED_OK,  /* derived: 1 or 0 */
    COO_FIELDS
};

enum message_field {
    MSG_MESSAGE_ID,
    MSG_SENDER,
    MSG_RECEIVER,
    MSG_TYPE,
    MSG_LATENCY_MS,
    MSG_SIZE,
    MSG_SECONDS,
    MSG_FIELDS
};

enum interaction_field { INT_INTERACTION_ID, INT_USER_ID, INT_TYPE, INT_AGENT_ID, INT_SUCCESS, INT_FIELDS };

enum inference_field {
    INF_OPERATION_ID,
    INF_AGENT_ID,
    INF_MODEL,
    INF_OPERATION,
    INF_DURATION_MS,
    INF_SUCCESS,
    INF_STATUS,  /* derived */
    INF_SECONDS, /* derived */
    INF_FIELDS
};
