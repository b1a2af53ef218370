/* demo_platform.c - see demo_platform.h. Counters only grow; what is a mean of lately is an exponential one.
 */
#include "receive/demo_platform.h"

#include <stdarg.h>

#include "base/check.h"
#include "base/float.h"

#define OPEN_MS      60000 /* a breaker stays open so long */
#define FAILURES_MAX 4     /* in a row open it */

#define ENTITIES_AT_FIRST 1840
#define EDGES_AT_FIRST    5210

static const char *const circuits[DEMO_CIRCUITS] = { "embedding-api", "vector-store", "kg-store",
                                                     "search-tool", "billing-api" };

static const struct {
    const char *id, *type, *algorithm;
    double share, seconds, failure, usd, quality;
} backends[DEMO_BACKENDS] = {
    { "northwind-large", "hosted", "least_cost", 0.5, 1.6, 0.008, 0.0095, 0.93 },
    { "northwind-small", "hosted", "round_robin", 0.3, 0.5, 0.005, 0.0011, 0.84 },
    { "in-house-70b", "own", "least_latency", 0.2, 1.1, 0.022, 0.0028, 0.88 },
};

static const struct {
    const char *id, *task;
    double per_s, ms, failure, usd, accuracy, prompt, completion;
} mcps[DEMO_MCPS] = {
    { "web-search", "retrieval", 0.9, 620, 0.02, 0.0021, 91, 410, 160 },
    { "code-runner", "execution", 0.5, 1350, 0.04, 0.0004, 95, 950, 220 },
    { "sql-reader", "retrieval", 0.7, 180, 0.01, 0.0002, 97, 320, 90 },
    { "browser", "navigation", 0.3, 2400, 0.06, 0.0032, 86, 1800, 340 },
};

static const struct {
    const char *id, *type;
    double memory, per_hour;
} agents[DEMO_AGENTS] = {
    { "planner", "coordinator", 21e6, 9.5 },
    { "researcher", "worker", 27e6, 13.2 },
    { "coder", "worker", 30e6, 7.8 },
    { "reviewer", "critic", 18e6, 6.4 },
};

static const char *const trend_directions[3] = { "improving", "degrading", "stable" };
static const char *const coordination_types[3] = { "handoff", "negotiation", "consensus" };
static const double coordination_shares[3] = { 0.5, 0.3, 0.2 };

/* Upper bounds, ended by a 0. */
static const double length_bounds[DEMO_BUCKETS] = { 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384 };
static const double size_bounds[DEMO_BUCKETS] = { 1, 2, 4, 8, 16, 32, 64, 128 };
static const double second_bounds[DEMO_BUCKETS] = { 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 15 };
static const double ms_bounds[DEMO_BUCKETS] = { 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000 };
static const double share_bounds[DEMO_BUCKETS] = { 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1 };

/* ---- what happens ---- */

static void count(struct demo_histogram *h, const double *bounds, double v)
{
    size_t i = 0;
    while (i < DEMO_BUCKETS && bounds[i] > 0 && v > bounds[i]) i++;
    h->below[i]++;
    h->sum += v;
}

static void drift(double *mean, double towards, double share)
{
    *mean += (towards - *mean) * share;
}

static double around(struct demo_random *r, double mean, double spread)
{
    return mean * exp(spread * random_normal(r) - spread * spread / 2);
}

static double between(double v, double least, double most)
{
    return fmin(fmax(v, least), most);
}

/* Every service fails for two minutes now and then, at a time of its own. */
static double failure_of(size_t circuit, int64_t t_ms)
{
    double minute = fmod((double)t_ms / 60000 + 13 * (double)circuit, 71);
    return minute < 2 ? 0.85 : 0.012;
}

static void call_through(struct demo_circuit *c, bool fails, int64_t t_ms)
{
    c->total++;
    if (c->state == CIRCUIT_OPEN && t_ms - c->since_ms >= OPEN_MS) c->state = CIRCUIT_HALF_OPEN;
    if (c->state == CIRCUIT_OPEN) {
        c->rejected++;
        drift(&c->success_rate, 0, 0.004);
        return;
    }
    drift(&c->success_rate, fails ? 0 : 1, 0.02);
    if (!fails) {
        c->successful++;
        c->in_a_row = 0;
        c->state = CIRCUIT_CLOSED;
        return;
    }
    c->failed++;
    c->in_a_row++;
    if (c->state == CIRCUIT_HALF_OPEN || c->in_a_row >= FAILURES_MAX) {
        c->state = CIRCUIT_OPEN;
        c->since_ms = t_ms;
    }
}

static void tick_circuits(struct demo_platform *p, struct demo_random *r, int64_t t_ms, double events)
{
    for (size_t i = 0; i < DEMO_CIRCUITS; i++) {
        unsigned n = random_poisson(r, 0.9 * events);
        double failure = failure_of(i, t_ms);
        for (unsigned k = 0; k < n; k++) call_through(&p->circuits[i], random_unit(r) < failure, t_ms);
    }
}

static void tick_embeddings(struct demo_platform *p, struct demo_random *r, double events)
{
    unsigned n = random_poisson(r, 1.2 * events);
    bool is_open = p->circuits[0].state == CIRCUIT_OPEN; /* then the fallback makes all of them */
    for (unsigned i = 0; i < n; i++) {
        bool real = !is_open && random_unit(r) > 0.05;
        *(real ? &p->embedded_real : &p->embedded_fallback) += 1;
        count(&p->text_length, length_bounds, random_tokens(r, 900));
        count(&p->embedding_seconds, second_bounds, around(r, real ? 0.09 : 0.02, 0.5));
        if (random_unit(r) < 0.006) p->embedding_errors++;
    }
    unsigned batches = random_poisson(r, 0.25 * events);
    for (unsigned i = 0; i < batches; i++) count(&p->batch_size, size_bounds, floor(around(r, 18, 0.7)) + 1);
    p->batches += batches;
}

static void tick_knowledge(struct demo_platform *p, struct demo_random *r, double events)
{
    unsigned entities = random_poisson(r, 0.35 * events), edges = random_poisson(r, 0.8 * events);
    p->entities += entities;
    p->edges += edges;
    p->values_seen += random_poisson(r, 3 * events);
    drift(&p->anomaly_rate, between(around(r, 0.028, 0.6), 0, 0.2), 0.05);
    unsigned trends = random_poisson(r, 0.2 * events);
    for (unsigned i = 0; i < trends; i++) {
        double which = random_unit(r);
        p->trends[which < 0.45 ? 2 : which < 0.8 ? 0 : 1]++;
        count(&p->trend_strength, share_bounds, between(0.5 + 0.22 * random_normal(r), 0.01, 1));
    }
}

static void tick_backend(struct demo_backend *b, size_t i, struct demo_random *r, double events, double load)
{
    unsigned n = random_poisson(r, 2.4 * events * backends[i].share), failed = 0;
    for (unsigned k = 0; k < n; k++) {
        if (random_unit(r) < backends[i].failure * load) failed++;
        count(&b->duration, second_bounds, around(r, backends[i].seconds * (0.7 + 0.4 * load), 0.6));
        double cost = around(r, backends[i].usd, 0.5);
        b->cost_usd += cost;
        b->spent_today_usd += cost;
    }
    b->ok += n - failed;
    b->failed += failed;
    if (n > 0) drift(&b->error_percent, 100.0 * failed / n, 0.05);
    drift(&b->rate, n / 5.0, 0.2);
    drift(&b->quality, between(backends[i].quality + 0.03 * random_normal(r), 0, 1), 0.05);
}

static void tick_mcp(struct demo_mcp *m, size_t i, struct demo_random *r, double events, double load)
{
    unsigned n = random_poisson(r, mcps[i].per_s * events), failed = 0;
    for (unsigned k = 0; k < n; k++) {
        if (random_unit(r) < mcps[i].failure * load) failed++;
        count(&m->latency, ms_bounds, around(r, mcps[i].ms * (0.7 + 0.4 * load), 0.5));
        m->cost_usd += around(r, mcps[i].usd, 0.3);
    }
    m->ok += n - failed;
    m->failed += failed;
    if (n > 0) drift(&m->success_rate, 1 - (double)failed / n, 0.04);
    drift(&m->accuracy, between(mcps[i].accuracy + 3 * random_normal(r), 0, 100), 0.05);
    drift(&m->prompt, random_tokens(r, mcps[i].prompt), 0.03);
    drift(&m->completion, random_tokens(r, mcps[i].completion), 0.03);
}

static void tick_agents(struct demo_platform *p, struct demo_random *r, double events, double load)
{
    for (size_t i = 0; i < DEMO_AGENTS; i++) {
        struct demo_agent *a = &p->agents[i];
        drift(&a->memory, around(r, agents[i].memory * (0.9 + 0.1 * load), 0.03), 0.1);
        drift(&a->per_hour, around(r, agents[i].per_hour * (0.8 + 0.2 * load), 0.2), 0.03);
        drift(&a->belief, between(0.87 + 0.05 * random_normal(r), 0, 1), 0.05);
        drift(&a->quality, between(0.84 + 0.06 * random_normal(r), 0, 1), 0.05);
    }
    for (size_t k = 0; k < 3; k++) {
        unsigned n = random_poisson(r, 0.6 * events * coordination_shares[k]);
        p->coordinated[k] += n;
        for (unsigned i = 0; i < n; i++) {
            count(&p->coordination, second_bounds, around(r, 0.8, 0.7));
            if (random_unit(r) < 0.012) p->timeouts++;
            if (random_unit(r) < 0.008) p->refusals++;
        }
    }
    if (random_unit(r) < 0.6) count(&p->convergence, second_bounds, around(r, 1.9, 0.5));
    p->sessions = random_poisson(r, 3 * load);
    p->interactions += random_poisson(r, 0.3 * events);
    drift(&p->resolved, between(0.9 + 0.1 * random_normal(r), 0, 1), 0.03);
}

void demo_platform_tick(struct demo_platform *p, struct demo_random *r, int64_t t_ms, int64_t interval_ms,
                        double load)
{
    double events = load * (double)interval_ms / 1000;
    tick_circuits(p, r, t_ms, events);
    tick_embeddings(p, r, events);
    tick_knowledge(p, r, events);
    for (size_t i = 0; i < DEMO_BACKENDS; i++) tick_backend(&p->backends[i], i, r, events, load);
    for (size_t i = 0; i < DEMO_MCPS; i++) tick_mcp(&p->mcps[i], i, r, events, load);
    tick_agents(p, r, events, load);
    p->backends[2].is_down = failure_of(3, t_ms) > 0.5; /* it hangs on the same network */
}

void demo_platform_init(struct demo_platform *p, int64_t from_ms)
{
    *p = (struct demo_platform){ .from_ms = from_ms,
                                 .entities = ENTITIES_AT_FIRST,
                                 .edges = EDGES_AT_FIRST,
                                 .anomaly_rate = 0.03,
                                 .resolved = 0.9 };
    for (size_t i = 0; i < DEMO_CIRCUITS; i++)
        p->circuits[i] = (struct demo_circuit){ .state = CIRCUIT_CLOSED, .success_rate = 0.985 };
    for (size_t i = 0; i < DEMO_BACKENDS; i++)
        p->backends[i] = (struct demo_backend){ .quality = backends[i].quality,
                                                .error_percent = 100 * backends[i].failure,
                                                .spent_today_usd = 30 + 12 * (double)i };
    for (size_t i = 0; i < DEMO_MCPS; i++)
        p->mcps[i] = (struct demo_mcp){ .accuracy = mcps[i].accuracy,
                                        .success_rate = 1 - mcps[i].failure,
                                        .prompt = mcps[i].prompt,
                                        .completion = mcps[i].completion };
    for (size_t i = 0; i < DEMO_AGENTS; i++)
        p->agents[i] = (struct demo_agent){ agents[i].memory, agents[i].per_hour, 0.87, 0.84 };
}

/* ---- as series ---- */

struct out {
    struct batch *batch;
    int64_t t_ms;
};

/* More labels as pairs of texts, ended by NULL. */
static void put(struct out *o, const char *name, double v, ...)
{
    struct label l[12] = { { STR(LABEL_NAME), str_of(name) },
                           { STR("instance"), STR("demo") },
                           { STR("job"), STR("demo") } };
    size_t n = 3;
    va_list ap;
    va_start(ap, v);
    for (const char *k; (k = va_arg(ap, const char *)) != NULL && n < COUNT(l);)
        l[n++] = (struct label){ str_of(k), str_of(va_arg(ap, const char *)) };
    va_end(ap);
    check(labels_normalise(l, &n, NULL) == OK);
    batch_series_labels(o->batch, (struct labels){ l, n });
    batch_sample(o->batch, o->t_ms, v);
}

/* With one label more; key "" none. */
static void put_histogram(struct out *o, const char *name, const double *bounds,
                          const struct demo_histogram *h, const char *key, const char *value)
{
    struct arena *a = o->batch->arena;
    const char *k = key[0] ? key : NULL, *bucket = arena_printf(a, "%s_bucket", name).p;
    double total = 0;
    for (size_t i = 0; i < DEMO_BUCKETS && bounds[i] > 0; i++) {
        char le[FLOAT_TEXT_MAX];
        total += h->below[i];
        put(o, bucket, total, "le", arena_str(a, str_make(le, float_text(bounds[i], le))).p, k, value, NULL);
    }
    size_t last = 0;
    while (last < DEMO_BUCKETS && bounds[last] > 0) last++;
    total += h->below[last];
    put(o, bucket, total, "le", "+Inf", k, value, NULL);
    put(o, arena_printf(a, "%s_count", name).p, total, k, value, NULL);
    put(o, arena_printf(a, "%s_sum", name).p, h->sum, k, value, NULL);
}

static void put_embeddings(struct out *o, const struct demo_platform *p)
{
    put(o, "embedding_generated_total", p->embedded_real, "mode", "real", NULL);
    put(o, "embedding_generated_total", p->embedded_fallback, "mode", "fallback", NULL);
    put(o, "embedding_batch_generated_total", p->batches, NULL);
    put(o, "embedding_errors_total", p->embedding_errors, NULL);
    put_histogram(o, "embedding_text_length", length_bounds, &p->text_length, "", "");
    put_histogram(o, "embedding_batch_size", size_bounds, &p->batch_size, "", "");
    put_histogram(o, "embedding_duration_seconds", second_bounds, &p->embedding_seconds, "", "");
}

static void put_circuits(struct out *o, const struct demo_platform *p)
{
    static const char *const states[] = { "0", "1", "2" };
    for (size_t i = 0; i < DEMO_CIRCUITS; i++) {
        const struct demo_circuit *c = &p->circuits[i];
        const char *name = circuits[i];
        for (size_t s = 0; s < COUNT(states); s++)
            put(o, "circuit_state", (size_t)c->state == s, "service_name", name, "state", states[s], NULL);
        put(o, "circuit_total_calls", c->total, "service_name", name, NULL);
        put(o, "circuit_successful_calls", c->successful, "service_name", name, NULL);
        put(o, "circuit_failed_calls", c->failed, "service_name", name, NULL);
        put(o, "circuit_rejected_calls", c->rejected, "service_name", name, NULL);
        put(o, "circuit_consecutive_failures", c->in_a_row, "service_name", name, NULL);
        put(o, "circuit_success_rate", c->success_rate, "service_name", name, NULL);
    }
}

static void put_knowledge(struct out *o, const struct demo_platform *p)
{
    put(o, "kg_entities_total", p->entities, NULL);
    put(o, "kg_edges_total", p->edges, NULL);
    put(o, "kg_entities_added_total", p->entities - ENTITIES_AT_FIRST, NULL);
    put(o, "kg_edges_added_total", p->edges - EDGES_AT_FIRST, NULL);
    put(o, "analytics_metrics_added_total", p->values_seen, "metric_name", "response_time", NULL);
    put(o, "analytics_anomaly_rate", p->anomaly_rate, "metric_name", "response_time", NULL);
    for (size_t i = 0; i < 3; i++)
        put(o, "analytics_trend_completed_total", p->trends[i], "direction", trend_directions[i], NULL);
    put_histogram(o, "analytics_trend_strength", share_bounds, &p->trend_strength, "", "");
}

static void put_breaker(struct out *o, const char *id, bool is_down)
{
    put(o, "load_balancer_circuit_breaker_state", !is_down, "backend_id", id, "state", "closed", NULL);
    put(o, "load_balancer_circuit_breaker_state", is_down, "backend_id", id, "state", "open", NULL);
    put(o, "load_balancer_circuit_breaker_state", 0, "backend_id", id, "state", "half_open", NULL);
    put(o, "load_balancer_backend_health", !is_down, "backend_id", id, NULL);
}

static void put_backend(struct out *o, const struct demo_backend *b, size_t i)
{
    const char *id = backends[i].id, *type = backends[i].type, *by = backends[i].algorithm;
    put(o, "load_balancer_requests_total", b->ok, "backend_id", id, "backend_type", type, "algorithm", by,
        "status", "success", "method", "POST", NULL);
    put(o, "load_balancer_requests_total", b->failed, "backend_id", id, "backend_type", type, "algorithm", by,
        "status", "error", "method", "POST", NULL);
    put_histogram(o, "load_balancer_request_duration_seconds", second_bounds, &b->duration, "backend_id", id);
    put(o, "load_balancer_requests_per_second", b->rate, "backend_id", id, NULL);
    put(o, "load_balancer_error_rate_percent", b->error_percent, "backend_id", id, NULL);
    put(o, "load_balancer_success_rate_percent", 100 - b->error_percent, "backend_id", id, NULL);
    put(o, "load_balancer_cost_per_request_usd", b->cost_usd / fmax(b->ok + b->failed, 1), "backend_id", id,
        NULL);
    put(o, "load_balancer_total_cost_usd", b->cost_usd, "backend_id", id, NULL);
    put(o, "load_balancer_daily_budget_usage_percent", fmin(b->spent_today_usd, 100), "backend_id", id, NULL);
    put(o, "load_balancer_quality_score", b->quality, "backend_id", id, NULL);
    put(o, "load_balancer_sla_compliance_percent", fmin(100, 100.15 - b->error_percent / 10), "backend_id",
        id, "sla_type", "error_rate", NULL);
    put_breaker(o, id, b->is_down);
}

static void put_pool(struct out *o, const struct demo_platform *p)
{
    double down = 0, asked = p->embedded_real + p->embedded_fallback;
    for (size_t i = 0; i < DEMO_BACKENDS; i++) down += p->backends[i].is_down;
    put(o, "load_balancer_pool_size_total", DEMO_BACKENDS, "pool", "chat", NULL);
    put(o, "load_balancer_pool_size_available", DEMO_BACKENDS - down, "pool", "chat", NULL);
    put(o, "load_balancer_pool_size_unavailable", down, "pool", "chat", NULL);
    put(o, "load_balancer_cache_hit_rate_percent", 38 + 6 * sin(asked / 900), "cache_type", "semantic", NULL);
    put(o, "load_balancer_cache_hit_rate_percent", 61 + 5 * sin(asked / 700), "cache_type", "prefix", NULL);
}

static void put_mcp(struct out *o, const struct demo_mcp *m, size_t i)
{
    const char *id = mcps[i].id;
    put(o, "mcp_accuracy_percent", m->accuracy, "mcp_id", id, "task_type", mcps[i].task, NULL);
    put(o, "mcp_requests_total", m->ok, "mcp_id", id, "status", "success", NULL);
    put(o, "mcp_requests_total", m->failed, "mcp_id", id, "status", "error", NULL);
    put(o, "mcp_success_rate", m->success_rate, "mcp_id", id, NULL);
    put(o, "mcp_cost_usd_total", m->cost_usd, "mcp_id", id, NULL);
    put(o, "mcp_cost_per_request_usd", m->cost_usd / fmax(m->ok + m->failed, 1), "mcp_id", id, NULL);
    put(o, "avg_prompt_tokens", m->prompt, "mcp_id", id, NULL);
    put(o, "avg_completion_tokens", m->completion, "mcp_id", id, NULL);
    put_histogram(o, "mcp_latency_ms", ms_bounds, &m->latency, "mcp_id", id);
}

static void put_agents(struct out *o, const struct demo_platform *p)
{
    double quality = 0;
    for (size_t i = 0; i < DEMO_AGENTS; i++) {
        const struct demo_agent *a = &p->agents[i];
        const char *id = agents[i].id;
        put(o, "agent_memory_bytes", a->memory, "agent_id", id, "agent_type", agents[i].type, NULL);
        put(o, "agent_task_throughput_per_hour", a->per_hour, "agent_id", id, NULL);
        put(o, "agent_task_quality_score", a->quality, "agent_id", id, NULL);
        put(o, "belief_accuracy_ratio", a->belief, "agent_id", id, NULL);
        quality += a->quality / DEMO_AGENTS;
    }
    put(o, "business_response_quality_score", quality, NULL);
    put(o, "business_user_interactions_total", p->interactions, NULL);
}

static void put_coordination(struct out *o, const struct demo_platform *p)
{
    for (size_t k = 0; k < 3; k++)
        put(o, "agent_coordination_requests_total", p->coordinated[k], "coordination_type",
            coordination_types[k], NULL);
    put(o, "agent_coordination_errors_total", p->timeouts, "error_type", "timeout", NULL);
    put(o, "agent_coordination_errors_total", p->refusals, "error_type", "refused", NULL);
    put(o, "agent_coordination_concurrent_sessions", p->sessions, NULL);
    put(o, "conflict_resolution_rate", p->resolved, NULL);
    put_histogram(o, "agent_coordination_duration_seconds", second_bounds, &p->coordination, "", "");
    put_histogram(o, "belief_convergence_seconds", second_bounds, &p->convergence, "", "");
}

void demo_platform_put(const struct demo_platform *p, struct batch *b, int64_t t_ms)
{
    struct out o = { b, t_ms };
    put_embeddings(&o, p);
    put_circuits(&o, p);
    put_knowledge(&o, p);
    for (size_t i = 0; i < DEMO_BACKENDS; i++) put_backend(&o, &p->backends[i], i);
    put_pool(&o, p);
    for (size_t i = 0; i < DEMO_MCPS; i++) put_mcp(&o, &p->mcps[i], i);
    put_agents(&o, p);
    put_coordination(&o, p);
}
