/* lb_series.c - the 64 load_balancer_* families: the table, and the fields that it needs and nobody sends.
 * What backends are remembered for (breakers, budgets, uptime) and the scores over all of them: lb_state.c.
 * docs/metrics-reference.md has the formulas with examples. */
#include "base/check.h"
#include "base/stat.h"
#include "derive/lb_state.h"
#include "model/event_kinds.h"
#include "model/price.h"

#define BACKEND   "backend_id,backend_type"
#define RATES     "backend_id,backend_type,algorithm"
#define CACHE     "cache_type"
#define POOL      "pool"
#define CONNS     "pool,backend_id"
#define ALGORITHM "algorithm"
#define REQUEST   "vedette.lb.request"
#define COMPLETE  "vedette.lb.request.complete"

/* Of both records of an answered request. */
#define EACH(...)                                                                                            \
    {                                                                                                        \
        { REQUEST, __VA_ARGS__ },                                                                            \
        {                                                                                                    \
            COMPLETE, __VA_ARGS__                                                                            \
        }                                                                                                    \
    }
#define HIST(b)  .bounds = (b), .n_bounds = COUNT(b)
#define LB(name) "load_balancer_" name

static const double seconds_bounds[] = { 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5,
                                         0.75,  1,    2.5,   5,    7.5,   10,  15 };
static const double bytes_bounds[] = { 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304 };
static const double recovery_bounds[] = { 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600 };

static const struct event_family families[] = {
    /* ---- requests ---- */
    { LB("requests_total"), EV_COUNT, RATES ",status,method", "Requests answered.",
      .from = EACH(.value = NULL) },
    { LB("requests_in_flight"), EV_LEVEL, BACKEND, "Requests that have begun and not been answered.",
      .from = { { "vedette.lb.request.start" } } },
    { LB("requests_per_second"), EV_RATE, BACKEND, "Requests a second, over 10 seconds.", .window = EV_10S,
      .from = EACH(.value = NULL) },
    { LB("queries_per_minute"), EV_RATE, BACKEND, "Requests a minute, over 10 seconds.", .window = EV_10S,
      .per_s = 60, .from = EACH(.value = NULL) },
    { LB("request_duration_seconds"), EV_HISTOGRAM, BACKEND, "How long requests took.", "seconds",
      .scale = 0.001, HIST(seconds_bounds), .from = EACH("duration_ms") },
    { LB("response_time_ms"), EV_SUMMARY, BACKEND, "How long requests took, over 5 to 10 minutes.",
      "milliseconds", .from = EACH("duration_ms") },
    { LB("error_rate_percent"), EV_RATIO, RATES, "Share of requests that failed, over 5 minutes.", "percent",
      .window = EV_5M, .scale = 100, .from = EACH("@failed") },
    { LB("success_rate_percent"), EV_RATIO, RATES, "Share of requests that succeeded, over 5 minutes.",
      "percent", .window = EV_5M, .scale = 100, .from = EACH("@ok") },
    { LB("errors_total"), EV_COUNT, BACKEND ",error_type<@error", "Requests that failed, by why.",
      .from = EACH(.when = "@failed") },
    { LB("request_size_bytes"), EV_HISTOGRAM, BACKEND, "Size of requests.", "bytes", HIST(bytes_bounds),
      .from = EACH("request_size_bytes") },
    { LB("response_size_bytes"), EV_HISTOGRAM, BACKEND, "Size of answers.", "bytes", HIST(bytes_bounds),
      .from = EACH("response_size_bytes") },
    { LB("connection_queue_wait_seconds"), EV_HISTOGRAM, BACKEND,
      "How long requests waited for a connection.", "seconds", .scale = 0.001, HIST(seconds_bounds),
      .from = EACH("queue_wait_ms") },

    /* ---- cost ---- */
    { LB("cost_per_request_usd"), EV_MEAN, BACKEND, "Mean cost of a request, over 5 minutes.", "usd",
      .window = EV_5M, .from = EACH("@priced_usd") },
    { LB("total_cost_usd"), EV_MONEY, BACKEND, "What requests cost.", "usd", .from = EACH("@priced_usd") },
    { "@spend", EV_RATIO, BACKEND, .window = EV_5M, .from = EACH("@priced_usd", .weight = "@worth") },
    { LB("cost_efficiency_score"), EV_LAST, BACKEND,
      "Quality-weighted successes for a dollar, against the best backend, over 5 minutes." },
    { LB("daily_budget_usd"), EV_LAST, "backend_id", "Budget of a day.", "usd",
      .from = { { "vedette.lb.budget", "daily_usd" } } },
    { LB("monthly_budget_usd"), EV_LAST, "backend_id", "Budget of a month.", "usd",
      .from = { { "vedette.lb.budget", "monthly_usd" } } },
    { LB("daily_budget_usage_percent"), EV_LAST, "backend_id", "Share of the day's budget that is spent.",
      "percent" },
    { LB("monthly_budget_usage_percent"), EV_LAST, "backend_id", "Share of the month's budget that is spent.",
      "percent" },
    { LB("budget_exceeded_total"), EV_COUNT, "period,backend_id", "Times a budget was passed." },

    /* ---- quality ---- */
    { LB("quality_score"), EV_MEAN, BACKEND, "Mean quality of answers, over 5 minutes.", .window = EV_5M,
      .from = EACH("quality_score") },
    { LB("accuracy_score"), EV_MEAN, BACKEND, "Mean accuracy of answers, over 5 minutes.", .window = EV_5M,
      .from = EACH("accuracy_score") },
    { LB("relevance_score"), EV_MEAN, BACKEND, "Mean relevance of answers, over 5 minutes.", .window = EV_5M,
      .from = EACH("relevance_score") },
    { LB("completeness_score"), EV_MEAN, BACKEND, "Mean completeness of answers, over 5 minutes.",
      .window = EV_5M, .from = EACH("completeness_score") },
    { LB("user_satisfaction_score"), EV_MEAN, BACKEND,
      "Mean of user ratings, or of what status and duration let expect, over 5 minutes.", .window = EV_5M,
      .from = EACH("@satisfied") },

    /* ---- balancing ---- */
    { LB("algorithm_selection_total"), EV_COUNT,
      "algorithm,reason<selection_reason,backend_chosen<backend_id",
      "Backends chosen, by algorithm and reason.", .from = EACH(.when = "algorithm") },
    { "@algorithm_ok", EV_MEAN, ALGORITHM, .window = EV_5M, .from = EACH("@ok", "algorithm") },
    { "@algorithm_ms", EV_MEAN, ALGORITHM, .window = EV_5M, .from = EACH("duration_ms", "algorithm") },
    { "@algorithm_usd", EV_MEAN, ALGORITHM, .window = EV_5M, .from = EACH("@priced_usd", "algorithm") },
    { "@algorithm_quality", EV_MEAN, ALGORITHM, .window = EV_5M, .from = EACH("quality_score", "algorithm") },
    { LB("algorithm_effectiveness_score"), EV_LAST, ALGORITHM,
      "Success, latency, cost and quality of an algorithm's choices, weighed, over 5 minutes." },
    { LB("load_distribution_score"), EV_LAST, "",
      "How near the load is to the intended weights, over 5 minutes." },
    { LB("balancing_efficiency_percent"), EV_RATIO, "", "Successes over all attempts, over 5 minutes.",
      "percent", .window = EV_5M, .scale = 100, .from = EACH("@ok", .weight = "attempts") },

    /* ---- backends ---- */
    { LB("backend_health"), EV_LAST, "backend_id", "1: the backend takes requests; 0: it does not.",
      .from = { { "vedette.lb.health_check", "@up" } } },
    { LB("backend_availability_percent"), EV_MEAN, "backend_id", "Share of health checks that were good.",
      "percent", .window = EV_LONG, .scale = 100, .from = { { "vedette.lb.health_check", "@up" } } },
    { LB("backend_uptime_hours"), EV_LAST, "backend_id", "How long the backend has been healthy.", "hours" },
    { LB("backend_response_time_ms"), EV_LAST, "backend_id", "How long the last health check took.",
      "milliseconds", .from = { { "vedette.lb.health_check", "response_time_ms" } } },
    { LB("health_checks_total"), EV_COUNT, "backend_id,result<@result", "Health checks.",
      .from = { { "vedette.lb.health_check" } } },
    { LB("health_check_duration_seconds"), EV_HISTOGRAM, "backend_id", "How long health checks took.",
      "seconds", .scale = 0.001, HIST(seconds_bounds),
      .from = { { "vedette.lb.health_check", "response_time_ms" } } },
    { LB("backend_utilization_percent"), EV_LAST, "backend_id", "Share of the backend's capacity in use.",
      "percent", .from = { { "vedette.lb.backend", "@utilized" } } },
    { LB("memory_usage_bytes"), EV_LAST, "backend_id", "Memory of the backend.", "bytes",
      .from = { { "vedette.lb.backend", "memory_usage_bytes" } } },
    { LB("cpu_usage_percent"), EV_LAST, "backend_id", "Processor of the backend.", "percent",
      .from = { { "vedette.lb.backend", "cpu_usage_percent" } } },
    { LB("network_bytes_sent_total"), EV_SUM, "backend_id", "Bytes that the backend sent.", "bytes",
      .from = { { "vedette.lb.backend", "network_bytes_sent" } } },
    { LB("network_bytes_received_total"), EV_SUM, "backend_id", "Bytes that the backend received.", "bytes",
      .from = { { "vedette.lb.backend", "network_bytes_received" } } },

    /* ---- breakers ---- */
    { LB("circuit_breaker_state"), EV_STATES, "backend_id", "1 for the state that the breaker is in.",
      .states = "closed|open|half_open", .from = { { "vedette.lb.breaker", "state" } } },
    { LB("circuit_breaker_trips_total"), EV_COUNT, "backend_id", "Times a breaker opened.",
      .from = { { "vedette.lb.breaker", .when = "@tripped" } } },
    { LB("circuit_breaker_failures_total"), EV_COUNT, "backend_id,failure_reason",
      "Failures that breakers counted.", .from = { { "vedette.lb.breaker", .when = "failure_reason" } } },
    { LB("circuit_breaker_recovery_seconds"), EV_HISTOGRAM, "backend_id",
      "From a breaker's opening to its closing.", "seconds", HIST(recovery_bounds),
      .from = { { "vedette.lb.breaker", "@recovery" } } },

    /* ---- pools ---- */
    { LB("pool_size_total"), EV_LAST, POOL, "Backends in the pool.",
      .from = { { "vedette.lb.pool", "total" } } },
    { LB("pool_size_available"), EV_LAST, POOL, "Backends in the pool that take requests.",
      .from = { { "vedette.lb.pool", "available" } } },
    { LB("pool_size_unavailable"), EV_LAST, POOL, "Backends in the pool that take none.",
      .from = { { "vedette.lb.pool", "unavailable" } } },
    { LB("pool_utilization_percent"), EV_LAST, POOL,
      "Share of the pool's backends that take no more requests.", "percent",
      .from = { { "vedette.lb.pool", "@utilization" } } },
    { LB("connection_pool_active"), EV_LAST, CONNS, "Connections in use.",
      .from = { { "vedette.lb.pool", "active_connections" } } },
    { LB("connection_pool_idle"), EV_LAST, CONNS, "Connections open and not in use.",
      .from = { { "vedette.lb.pool", "idle_connections" } } },
    { LB("connection_pool_utilization_percent"), EV_LAST, CONNS, "Share of connections in use.", "percent",
      .from = { { "vedette.lb.pool", "@connections_used" } } },
    { LB("connection_queue_size"), EV_LAST, CONNS, "Requests that wait for a connection.",
      .from = { { "vedette.lb.pool", "queue_size" } } },

    /* ---- caches ---- */
    { LB("cache_hits_total"), EV_SUM, CACHE, "Answers that came from a cache.",
      .from = { { "vedette.lb.cache", "hits" }, { REQUEST, "@hit" }, { COMPLETE, "@hit" } } },
    { LB("cache_misses_total"), EV_SUM, CACHE, "Lookups in a cache that found nothing.",
      .from = { { "vedette.lb.cache", "misses" }, { REQUEST, "@missed" }, { COMPLETE, "@missed" } } },
    { LB("cache_hit_rate_percent"), EV_RATIO, CACHE,
      "Share of lookups that found the answer, over 5 minutes.", "percent", .window = EV_5M, .scale = 100,
      .from = { { "vedette.lb.cache", "hits", .weight = "@lookups" },
                { REQUEST, "@hit", .weight = "@looked_up" },
                { COMPLETE, "@hit", .weight = "@looked_up" } } },
    { LB("cache_size_bytes"), EV_LAST, CACHE, "Size of a cache.", "bytes",
      .from = { { "vedette.lb.cache", "size_bytes" } } },
    { LB("cache_evictions_total"), EV_SUM, "cache_type,reason<eviction_reason",
      "Entries that a cache gave up.", .from = { { "vedette.lb.cache", "evictions" } } },
    { LB("cache_performance_gain_percent"), EV_RATIO, CACHE,
      "Time that hits saved over the time that all would have taken without the cache, over 5 minutes.",
      "percent", .window = EV_5M, .scale = 100,
      .from = { { "vedette.lb.cache", "@saved_ms", .weight = "@without_ms" } } },

    /* ---- service levels ---- */
    { LB("sla_compliance_percent"), EV_MEAN, "sla_type=response_time,backend_id",
      "Share of what was within the service level.", "percent", .window = EV_LONG, .scale = 100,
      .from = EACH("@in_time") },
    { LB("sla_compliance_percent"), EV_MEAN, "sla_type=availability,backend_id", .window = EV_LONG,
      .scale = 100, .from = EACH("@available") },
    { LB("sla_compliance_percent"), EV_MEAN, "sla_type=quality,backend_id", .window = EV_LONG, .scale = 100,
      .from = EACH("@good") },
    { "@sla_errors", EV_MEAN, "sla_type=error_rate,backend_id", .window = EV_5M, .from = EACH("@failed") },
    { LB("sla_compliance_percent"), EV_LAST, "sla_type=error_rate,backend_id" },
    { LB("sla_violations_total"), EV_COUNT, "sla_type=response_time,backend_id,severity<@slow",
      "Violations of service levels.", .from = EACH(.when = "@slow") },
    { LB("sla_violations_total"), EV_COUNT, "sla_type=availability,severity=high,backend_id",
      .from = { { REQUEST, .when = "@unreached" },
                { COMPLETE, .when = "@unreached" },
                { "vedette.lb.health_check", .when = "@down" } } },
    { LB("sla_violations_total"), EV_COUNT, "sla_type=quality,severity=medium,backend_id",
      .from = EACH(.when = "@poor") },
    { LB("sla_violations_total"), EV_COUNT, "sla_type=error_rate,severity=high,backend_id" },
    { LB("sla_response_time_violations_total"), EV_COUNT, "backend_id", "Requests that took too long.",
      .from = EACH(.when = "@slow") },
    { LB("sla_availability_violations_total"), EV_COUNT, "backend_id",
      "Requests that did not reach the backend, and health checks that failed.",
      .from = { { REQUEST, .when = "@unreached" },
                { COMPLETE, .when = "@unreached" },
                { "vedette.lb.health_check", .when = "@down" } } },
    { LB("sla_error_rate_violations_total"), EV_COUNT, "backend_id",
      "Times the error rate passed its limit." },
    { LB("sla_quality_violations_total"), EV_COUNT, "backend_id", "Answers below the least quality.",
      .from = EACH(.when = "@poor") },
};

/* ---- fields that nobody sends ---- */

static struct value flag(bool yes)
{
    return value_double(yes ? 1 : 0);
}

static bool is_success(struct str status)
{
    static const char *const words[] = { "success", "ok", "completed", "succeeded" };
    int64_t code;
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_is_nocase(status, words[i])) return true;
    return str_to_i64(status, &code) && code >= 100 && code < 400;
}

/* The backend never saw the request, or never answered. */
static bool is_unreached(struct str why)
{
    static const char *const words[] = {
        "unavailable", "timeout",    "connection_error", "connection_refused",
        "refused",     "no_backend", "circuit_open",     "502",
        "503",         "504"
    };
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_is_nocase(why, words[i])) return true;
    return false;
}

static double duration_ms(const struct event_seen *e)
{
    double ms = event_number(e->v[LBR_DURATION_MS]);
    if (!isnan(ms) || e->v[LBR_START_TIME].type != VALUE_INT || e->v[LBR_END_TIME].type != VALUE_INT)
        return ms;
    ms = (double)(e->v[LBR_END_TIME].i - e->v[LBR_START_TIME].i) / 1e6;
    return ms >= 0 ? ms : (double)NAN;
}

static int64_t tokens(struct value v)
{
    double n = event_number(v);
    return n > 0 && n < (double)GENAI_TOKENS_MAX ? (int64_t)n : 0;
}

static struct str text(struct value v)
{
    return v.type == VALUE_STR ? v.text : STR("");
}

/* As the sender says, else what its tokens cost. */
static struct value priced(struct lb_state *s, const struct event_seen *e)
{
    struct genai_span g = { .kind = GENAI_LLM, .part = PART_CALL, .time_ns = e->time_ms * 1000000 };
    if (e->v[LBR_COST_USD].type != VALUE_NONE) return value_double(event_number(e->v[LBR_COST_USD]));
    if (e->v[LBR_INPUT_TOKENS].type == VALUE_NONE && e->v[LBR_OUTPUT_TOKENS].type == VALUE_NONE)
        return (struct value){ .type = VALUE_NONE };
    g.provider = text(e->v[LBR_PROVIDER]);
    g.model = text(e->v[LBR_MODEL]);
    g.has_usage = true;
    int64_t input = tokens(e->v[LBR_INPUT_TOKENS]), cached = MIN(tokens(e->v[LBR_CACHED_TOKENS]), input);
    g.usage.tokens[TOKENS_INPUT] = input - cached;
    g.usage.tokens[TOKENS_CACHE_READ] = cached;
    g.usage.tokens[TOKENS_OUTPUT] = tokens(e->v[LBR_OUTPUT_TOKENS]);
    g.first_token_seconds = g.seconds = -1;
    struct price_book *book = price_book_current();
    struct cost cost = price_book_cost(book, &g);
    price_book_unref(book);
    if (cost.source == COST_LIST) return value_double(money_double(cost.nano_usd));
    stat_add(s->unpriced, 1);
    return (struct value){ .type = VALUE_NONE };
}

static void judge_time(struct value *v, double ms, double limit_ms, bool ok)
{
    bool is_slow = ms > limit_ms;
    if (!isnan(ms)) v[LBR_IN_TIME] = flag(!is_slow);
    if (is_slow) v[LBR_SLOW] = value_str(ms > 2 * limit_ms ? STR("high") : STR("medium"));
    double guess = !ok ? 0 : isnan(ms) || !is_slow ? 1 : ms <= 4 * limit_ms ? 0.5 : 0;
    v[LBR_SATISFIED] = v[LBR_SATISFACTION].type != VALUE_NONE ? v[LBR_SATISFACTION] : value_double(guess);
}

static void judge_quality(struct value *v, double least, bool ok)
{
    double quality = event_number(v[LBR_QUALITY]);
    if (!isnan(quality)) v[LBR_GOOD] = flag(quality >= least);
    if (quality < least) v[LBR_POOR] = flag(true);
    if (v[LBR_PRICED_USD].type != VALUE_NONE)
        v[LBR_WORTH] = value_double(!ok ? 0 : isnan(quality) ? 1 : quality);
}

static void prepare_request(struct lb_state *s, struct event_seen *e)
{
    struct value *v = e->v;
    struct str status = text(v[LBR_STATUS]), error = text(v[LBR_ERROR_TYPE]);
    const bool ok = is_success(status);
    const bool unreached = !ok && (is_unreached(error) || is_unreached(status));
    v[LBR_OK] = flag(ok);
    v[LBR_FAILED] = flag(!ok);
    v[LBR_ERROR] = value_str(error.n > 0 ? error : status);
    v[LBR_AVAILABLE] = flag(!unreached);
    if (unreached) v[LBR_UNREACHED] = flag(true);
    v[LBR_PRICED_USD] = priced(s, e);
    double ms = duration_ms(e);
    if (!isnan(ms)) v[LBR_DURATION_MS] = value_double(ms);
    judge_time(v, ms, s->conf.sla_response_ms, ok);
    judge_quality(v, s->conf.min_quality, ok);
    if (v[LBR_CACHE_HIT].type == VALUE_BOOL) {
        v[LBR_HIT] = flag(v[LBR_CACHE_HIT].i);
        v[LBR_MISSED] = flag(!v[LBR_CACHE_HIT].i);
        v[LBR_LOOKED_UP] = flag(true);
    }
    lb_state_spent(s, text(v[LBR_BACKEND_ID]), event_number(v[LBR_PRICED_USD]), e->time_ms);
}

static void prepare_health(struct lb_state *s, struct event_seen *e)
{
    const bool up = e->v[LBH_HEALTHY].i != 0;
    e->v[LBH_RESULT] = value_str(up ? STR("success") : STR("failure"));
    e->v[LBH_UP] = flag(up);
    if (!up) e->v[LBH_DOWN] = flag(true);
    lb_state_health(s, text(e->v[LBH_BACKEND_ID]), up, e->time_ms);
}

static double or_else(double a, double b)
{
    return isnan(a) ? b : a;
}

static void prepare_pool(struct value *v)
{
    double total = event_number(v[LBP_TOTAL]), available = event_number(v[LBP_AVAILABLE]);
    double away = or_else(event_number(v[LBP_UNAVAILABLE]), MAX(total - available, 0.0));
    double active = event_number(v[LBP_ACTIVE]), idle = event_number(v[LBP_IDLE]);
    double most = or_else(event_number(v[LBP_MAX_CONNECTIONS]), active + idle);
    if (!isnan(total - available) || v[LBP_UNAVAILABLE].type != VALUE_NONE)
        v[LBP_UNAVAILABLE] = value_double(away);
    if (total > 0 && available <= total) v[LBP_UTILIZATION] = value_double(100 * (total - available) / total);
    if (most > 0 && !isnan(active)) v[LBP_CONNECTIONS_USED] = value_double(MIN(100 * active / most, 100.0));
}

static void prepare_cache(struct value *v)
{
    double hits = or_else(event_number(v[LBC_HITS]), 0), misses = or_else(event_number(v[LBC_MISSES]), 0);
    double hit_ms = event_number(v[LBC_HIT_TIME_MS]), miss_ms = event_number(v[LBC_MISS_TIME_MS]);
    v[LBC_LOOKUPS] = value_double(hits + misses);
    if (isnan(hit_ms + miss_ms)) return;
    v[LBC_SAVED_MS] = value_double(hits * (miss_ms - hit_ms));
    v[LBC_WITHOUT_MS] = value_double((hits + misses) * miss_ms);
}

static void prepare_backend(struct lb_state *s, struct event_seen *e)
{
    struct value *v = e->v;
    double active = event_number(v[LBK_ACTIVE_REQUESTS]), most = event_number(v[LBK_CAPACITY]);
    if (v[LBK_UTILIZATION].type != VALUE_NONE)
        v[LBK_UTILIZED] = v[LBK_UTILIZATION];
    else if (most > 0 && !isnan(active))
        v[LBK_UTILIZED] = value_double(MIN(100 * active / most, 100.0));
    if (v[LBK_WEIGHT].type != VALUE_NONE)
        lb_state_weight(s, text(v[LBK_BACKEND_ID]), event_number(v[LBK_WEIGHT]), e->time_ms);
}

static void prepare(void *state, struct event_seen *e)
{
    struct lb_state *s = state;
    const ptrdiff_t i = e->kind - event_kinds_lb;
    if (e->kind < event_kinds_lb || (size_t)i >= event_kinds_lb_count) return;
    switch ((enum lb_kind)i) {
    case LB_COMPLETE: lb_state_completed(s, e); /* fallthrough */
    case LB_REQUEST: prepare_request(s, e); break;
    case LB_START: lb_state_started(s, e); break;
    case LB_HEALTH: prepare_health(s, e); break;
    case LB_BREAKER: lb_state_breaker(s, e); break;
    case LB_POOL: prepare_pool(e->v); break;
    case LB_CACHE: prepare_cache(e->v); break;
    case LB_BUDGET: lb_state_budget(s, e); break;
    case LB_BACKEND: prepare_backend(s, e); break;
    }
}

const struct event_module lb_series_module = {
    .families = families,
    .n_families = COUNT(families),
    .open = lb_state_open,
    .close = lb_state_close,
    .prepare = prepare,
    .tick = lb_state_tick,
};
