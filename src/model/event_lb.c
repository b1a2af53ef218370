/* event_lb.c - what a load balancer in front of model backends reports. */
#include "base/check.h"
#include "model/event_kinds.h"

#define REQUEST_FIELDS(backend_need)                                                                         \
    [LBR_REQUEST_ID] = { "request_id", EVENT_TEXT, .help = "what tells this request from others" },          \
    [LBR_BACKEND_ID] = { "backend_id", EVENT_TEXT, backend_need, .help = "the backend that answered" },      \
    [LBR_BACKEND_TYPE] = { "backend_type", EVENT_TEXT, .help = "what kind of backend it is" },               \
    [LBR_ALGORITHM] = { "algorithm", EVENT_TEXT, .help = "how the backend was chosen" },                     \
    [LBR_REASON] = { "selection_reason", EVENT_TEXT, .help = "why this backend was chosen" },                \
    [LBR_STATUS] = { "status", EVENT_TEXT, EVENT_REQUIRED,                                                   \
                     .help = "success, ok, completed or an HTTP status below 400; all else is a failure" },  \
    [LBR_METHOD] = { "method", EVENT_TEXT, .help = "what was asked for: chat, embed, GET, ..." },            \
    [LBR_ERROR_TYPE] = { "error_type", EVENT_TEXT, .help = "why it failed" },                                \
    [LBR_START_TIME] = { "start_time", EVENT_TIME, .help = "when it came" },                                 \
    [LBR_END_TIME] = { "end_time", EVENT_TIME, .help = "when it was answered" },                             \
    [LBR_DURATION_MS] = { "duration_ms", EVENT_NUMBER, EVENT_NOT_NEG_OPT, .unit = "ms",                      \
                          .help = "how long it took; else end_time minus start_time" },                      \
    [LBR_QUEUE_WAIT_MS] = { "queue_wait_ms", EVENT_NUMBER, EVENT_NOT_NEG_OPT, .unit = "ms",                  \
                            .help = "how long it waited for a connection" },                                 \
    [LBR_ATTEMPTS] = { "attempts", EVENT_INT,   EVENT_OPTIONAL,                                              \
                       .min = 1,   .max = 1000, .help = "how many backends were tried, 1 when absent" },     \
    [LBR_COST_USD] = { "cost_usd", EVENT_NUMBER, EVENT_NOT_NEG_OPT, .unit = "USD",                           \
                       .help = "what it cost; else worked out from model and tokens" },                      \
    [LBR_QUALITY] = { "quality_score", EVENT_NUMBER, EVENT_SHARE_OPT, .help = "of the answer" },             \
    [LBR_ACCURACY] = { "accuracy_score", EVENT_NUMBER, EVENT_SHARE_OPT, .help = "of the answer" },           \
    [LBR_RELEVANCE] = { "relevance_score", EVENT_NUMBER, EVENT_SHARE_OPT, .help = "of the answer" },         \
    [LBR_COMPLETENESS] = { "completeness_score", EVENT_NUMBER, EVENT_SHARE_OPT, .help = "of the answer" },   \
    [LBR_SATISFACTION] = { "user_satisfaction_score", EVENT_NUMBER, EVENT_SHARE_OPT,                         \
                           .help = "as the user rated it" },                                                 \
    [LBR_REQUEST_SIZE] = { "request_size_bytes", EVENT_INT, EVENT_NOT_NEG_OPT, .unit = "bytes",              \
                           .help = "of the request" },                                                       \
    [LBR_RESPONSE_SIZE] = { "response_size_bytes", EVENT_INT, EVENT_NOT_NEG_OPT, .unit = "bytes",            \
                            .help = "of the answer" },                                                       \
    [LBR_PROVIDER] = { "provider", EVENT_TEXT, .help = "whose prices hold" },                                \
    [LBR_MODEL] = { "model", EVENT_TEXT, .help = "the model that answered" },                                \
    [LBR_INPUT_TOKENS] = { "input_tokens", EVENT_INT, EVENT_NOT_NEG_OPT, .unit = "tokens",                   \
                           .help = "of the prompt, cached ones included" },                                  \
    [LBR_OUTPUT_TOKENS] = { "output_tokens", EVENT_INT, EVENT_NOT_NEG_OPT, .unit = "tokens",                 \
                            .help = "of the answer" },                                                       \
    [LBR_CACHED_TOKENS] = { "cached_tokens", EVENT_INT, EVENT_NOT_NEG_OPT, .unit = "tokens",                 \
                            .help = "of the prompt, read from the provider's cache" },                       \
    [LBR_CACHE_TYPE] = { "cache_type", EVENT_TEXT, .help = "the cache that was asked" },                     \
    [LBR_CACHE_HIT] = { "cache_hit", EVENT_BOOL, .help = "it had the answer" },                              \
    [LBR_PROMPT_VERSION] = { "prompt_version", EVENT_TEXT, .help = "of the prompt" },                        \
    [LBR_CORRELATION_ID] = { "correlation_id", EVENT_TEXT, .help = "joins the records of one request" },     \
    [LBR_OK] = { "@ok", EVENT_NUMBER, EVENT_DERIVED },                                                       \
    [LBR_FAILED] = { "@failed", EVENT_NUMBER, EVENT_DERIVED },                                               \
    [LBR_ERROR] = { "@error", EVENT_TEXT, EVENT_DERIVED },                                                   \
    [LBR_PRICED_USD] = { "@priced_usd", EVENT_NUMBER, EVENT_DERIVED },                                       \
    [LBR_SATISFIED] = { "@satisfied", EVENT_NUMBER, EVENT_DERIVED },                                         \
    [LBR_IN_TIME] = { "@in_time", EVENT_NUMBER, EVENT_DERIVED },                                             \
    [LBR_AVAILABLE] = { "@available", EVENT_NUMBER, EVENT_DERIVED },                                         \
    [LBR_GOOD] = { "@good", EVENT_NUMBER, EVENT_DERIVED },                                                   \
    [LBR_SLOW] = { "@slow", EVENT_TEXT, EVENT_DERIVED },                                                     \
    [LBR_HIT] = { "@hit", EVENT_NUMBER, EVENT_DERIVED },                                                     \
    [LBR_LOOKED_UP] = { "@looked_up", EVENT_NUMBER, EVENT_DERIVED },                                         \
    [LBR_MISSED] = { "@missed", EVENT_NUMBER, EVENT_DERIVED },                                               \
    [LBR_POOR] = { "@poor", EVENT_NUMBER, EVENT_DERIVED },                                                   \
    [LBR_UNREACHED] = { "@unreached", EVENT_NUMBER, EVENT_DERIVED },                                         \
    [LBR_WORTH] = { "@worth", EVENT_NUMBER, EVENT_DERIVED }

#define EVENT_NOT_NEG_OPT EVENT_OPTIONAL, EVENT_NOT_NEGATIVE
#define EVENT_SHARE_OPT   EVENT_OPTIONAL, EVENT_SHARE

static const struct event_field request[LBR_FIELDS] = { REQUEST_FIELDS(EVENT_REQUIRED) };
static const struct event_field complete[LBR_FIELDS] = { REQUEST_FIELDS(EVENT_OPTIONAL) };

static const struct event_field start[LBS_FIELDS] = {
    [LBS_REQUEST_ID] = { "request_id", EVENT_TEXT, EVENT_REQUIRED, .help = "of the request that begins" },
    [LBS_BACKEND_ID] = { "backend_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the backend it goes to" },
    [LBS_BACKEND_TYPE] = { "backend_type", EVENT_TEXT, .help = "what kind of backend it is" },
    [LBS_ALGORITHM] = { "algorithm", EVENT_TEXT, .help = "how the backend was chosen" },
    [LBS_METHOD] = { "method", EVENT_TEXT, .help = "what is asked for" },
};

static const struct event_field health[LBH_FIELDS] = {
    [LBH_BACKEND_ID] = { "backend_id", EVENT_TEXT, EVENT_REQUIRED, .help = "the backend that was checked" },
    [LBH_HEALTHY] = { "healthy", EVENT_BOOL, EVENT_REQUIRED, .help = "it may be sent requests" },
    [LBH_RESPONSE_TIME_MS] = { "response_time_ms", EVENT_NUMBER, EVENT_NOT_NEG_OPT, .unit = "ms",
                               .help = "how long the check took" },
    [LBH_REASON] = { "reason", EVENT_TEXT, .help = "why it is not healthy" },
    [LBH_RESULT] = { "@result", EVENT_TEXT, EVENT_DERIVED },
    [LBH_UP] = { "@up", EVENT_NUMBER, EVENT_DERIVED },
    [LBH_DOWN] = { "@down", EVENT_NUMBER, EVENT_DERIVED },
    [LBH_SECONDS] = { "@seconds", EVENT_NUMBER, EVENT_DERIVED },
};

static const struct event_field breaker[LBB_FIELDS] = {
    [LBB_BACKEND_ID] = { "backend_id", EVENT_TEXT, EVENT_REQUIRED, .help = "whose breaker it is" },
    [LBB_STATE] = { "state", EVENT_TEXT, EVENT_REQUIRED, .words = "closed|open|half_open",
                    .help = "from now on" },
    [LBB_FAILURE_REASON] = { "failure_reason", EVENT_TEXT,
                             .help = "the failure that is reported, with or without a change of state" },
    [LBB_FROM_STATE] = { "from_state", EVENT_TEXT, .words = "closed|open|half_open", .help = "until now" },
    [LBB_TRIPPED] = { "@tripped", EVENT_NUMBER, EVENT_DERIVED },
    [LBB_RECOVERY] = { "@recovery", EVENT_NUMBER, EVENT_DERIVED },
};

static const struct event_field pool[LBP_FIELDS] = {
    [LBP_POOL] = { "pool", EVENT_TEXT, .help = "name of the pool" },
    [LBP_BACKEND_ID] = { "backend_id", EVENT_TEXT, .help = "whose connections these are" },
    [LBP_TOTAL] = { "total", EVENT_INT, EVENT_NOT_NEG_OPT, .help = "backends in the pool" },
    [LBP_AVAILABLE] = { "available", EVENT_INT, EVENT_NOT_NEG_OPT, .help = "of them, that take requests" },
    [LBP_UNAVAILABLE] = { "unavailable", EVENT_INT, EVENT_NOT_NEG_OPT,
                          .help = "of them, that take none; total minus available when absent" },
    [LBP_ACTIVE] = { "active_connections", EVENT_INT, EVENT_NOT_NEG_OPT, .help = "in use" },
    [LBP_IDLE] = { "idle_connections", EVENT_INT, EVENT_NOT_NEG_OPT, .help = "open, and not in use" },
    [LBP_QUEUE_SIZE] = { "queue_size", EVENT_INT, EVENT_NOT_NEG_OPT, .help = "requests that wait" },
    [LBP_MAX_CONNECTIONS] = { "max_connections", EVENT_INT, EVENT_NOT_NEG_OPT,
                              .help = "as many as may be open; active and idle together when absent" },
    [LBP_UTILIZATION] = { "@utilization", EVENT_NUMBER, EVENT_DERIVED },
    [LBP_CONNECTIONS_USED] = { "@connections_used", EVENT_NUMBER, EVENT_DERIVED },
};

static const struct event_field cache[LBC_FIELDS] = {
    [LBC_CACHE_TYPE] = { "cache_type", EVENT_TEXT, EVENT_REQUIRED, .help = "which cache" },
    [LBC_HITS] = { "hits", EVENT_INT, EVENT_NOT_NEG_OPT, .help = "since the record before" },
    [LBC_MISSES] = { "misses", EVENT_INT, EVENT_NOT_NEG_OPT, .help = "since the record before" },
    [LBC_EVICTIONS] = { "evictions", EVENT_INT, EVENT_NOT_NEG_OPT, .help = "since the record before" },
    [LBC_EVICTION_REASON] = { "eviction_reason", EVENT_TEXT, .help = "of these evictions" },
    [LBC_SIZE_BYTES] = { "size_bytes", EVENT_INT, EVENT_NOT_NEG_OPT, .unit = "bytes", .help = "now" },
    [LBC_HIT_TIME_MS] = { "hit_time_ms", EVENT_NUMBER, EVENT_NOT_NEG_OPT, .unit = "ms",
                          .help = "mean time of a hit" },
    [LBC_MISS_TIME_MS] = { "miss_time_ms", EVENT_NUMBER, EVENT_NOT_NEG_OPT, .unit = "ms",
                           .help = "mean time of a miss: of a request without the cache" },
    [LBC_LOOKUPS] = { "@lookups", EVENT_NUMBER, EVENT_DERIVED },
    [LBC_SAVED_MS] = { "@saved_ms", EVENT_NUMBER, EVENT_DERIVED },
    [LBC_WITHOUT_MS] = { "@without_ms", EVENT_NUMBER, EVENT_DERIVED },
};

static const struct event_field budget[LBU_FIELDS] = {
    [LBU_BACKEND_ID] = { "backend_id", EVENT_TEXT, .help = "whose budget; of all backends when absent" },
    [LBU_DAILY] = { "daily_usd", EVENT_NUMBER, EVENT_NOT_NEG_OPT, .unit = "USD", .help = "for a day, UTC" },
    [LBU_MONTHLY] = { "monthly_usd", EVENT_NUMBER, EVENT_NOT_NEG_OPT, .unit = "USD",
                      .help = "for a month, UTC" },
};

static const struct event_field backend[LBK_FIELDS] = {
    [LBK_BACKEND_ID] = { "backend_id", EVENT_TEXT, EVENT_REQUIRED, .help = "which backend" },
    [LBK_WEIGHT] = { "weight", EVENT_NUMBER, EVENT_NOT_NEG_OPT,
                     .help = "share of the load it should get, against the weights of others" },
    [LBK_MEMORY] = { "memory_usage_bytes", EVENT_INT, EVENT_NOT_NEG_OPT, .unit = "bytes", .help = "now" },
    [LBK_CPU] = { "cpu_usage_percent", EVENT_NUMBER, EVENT_OPTIONAL, EVENT_PERCENT, .unit = "percent",
                  .help = "now" },
    [LBK_SENT] = { "network_bytes_sent", EVENT_INT, EVENT_NOT_NEG_OPT, .unit = "bytes",
                   .help = "since the record before" },
    [LBK_RECEIVED] = { "network_bytes_received", EVENT_INT, EVENT_NOT_NEG_OPT, .unit = "bytes",
                       .help = "since the record before" },
    [LBK_ACTIVE_REQUESTS] = { "active_requests", EVENT_INT, EVENT_NOT_NEG_OPT, .help = "now" },
    [LBK_CAPACITY] = { "max_requests", EVENT_INT, EVENT_OPTIONAL, .min = 1, .max = INFINITY,
                       .help = "as many as it takes at once" },
    [LBK_UTILIZATION] = { "utilization_percent", EVENT_NUMBER, EVENT_OPTIONAL, EVENT_PERCENT,
                          .unit = "percent", .help = "active_requests over max_requests when absent" },
    [LBK_UTILIZED] = { "@utilized", EVENT_NUMBER, EVENT_DERIVED },
};

#define FIELDS(table) .fields = (table), .n_fields = COUNT(table)

const struct event_kind event_kinds_lb[] = {
    { "vedette.lb.request", "/api/v1/lb/requests", "request_id", .service = "load_balancer",
      .time = "end_time|start_time", FIELDS(request), .help = "A request that has been answered." },
    { "vedette.lb.request.start", "/api/v1/lb/requests/start", "request_id", .service = "load_balancer",
      FIELDS(start), .help = "A request begins." },
    { "vedette.lb.request.complete", "/api/v1/lb/requests/complete", "request_id", .service = "load_balancer",
      .time = "end_time", FIELDS(complete),
      .help = "A request that began has been answered; what its start said need not be said again." },
    { "vedette.lb.health_check", "/api/v1/lb/health-checks", .service = "load_balancer", FIELDS(health),
      .help = "A backend was checked." },
    { "vedette.lb.breaker", "/api/v1/lb/breakers", .service = "load_balancer", FIELDS(breaker),
      .help = "A circuit breaker changed its state, or counted a failure." },
    { "vedette.lb.pool", "/api/v1/lb/pools", .service = "load_balancer", FIELDS(pool),
      .help = "How a pool of backends or of connections stands." },
    { "vedette.lb.cache", "/api/v1/lb/cache", .service = "load_balancer", FIELDS(cache),
      .help = "What a cache did." },
    { "vedette.lb.budget", "/api/v1/lb/budgets", .service = "load_balancer", FIELDS(budget),
      .help = "How much may be spent." },
    { "vedette.lb.backend", "/api/v1/lb/backends", .service = "load_balancer", FIELDS(backend),
      .help = "What a backend uses, and how much load it should get." },
};
const size_t event_kinds_lb_count = COUNT(event_kinds_lb);
