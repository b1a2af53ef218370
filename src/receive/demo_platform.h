/* demo_platform.h - the made-up platform around the demo's model calls: embeddings, circuit breakers, a
 * knowledge graph, analytics, a load balancer, MCP servers and agents, as their clients would report them.
 * Every dashboard that is built in finds its series here. */
#pragma once
#include "model/batch.h"
#include "receive/demo_random.h"

#define DEMO_CIRCUITS 5
#define DEMO_BACKENDS 3
#define DEMO_MCPS     4
#define DEMO_AGENTS   4
#define DEMO_BUCKETS  12

struct demo_histogram { /* classic; buckets as the series has them */
    double below[DEMO_BUCKETS + 1], sum;
};

struct demo_circuit {
    enum { CIRCUIT_OPEN, CIRCUIT_CLOSED, CIRCUIT_HALF_OPEN } state; /* the numbers of circuit_state */
    int64_t since_ms;
    double total, successful, failed, rejected, in_a_row, success_rate;
};

struct demo_backend {
    struct demo_histogram duration;
    double ok, failed, cost_usd, error_percent, quality, spent_today_usd, rate;
    bool is_down;
};

struct demo_mcp {
    struct demo_histogram latency;
    double ok, failed, cost_usd, accuracy, success_rate, prompt, completion;
};

struct demo_agent {
    double memory, per_hour, belief, quality;
};

struct demo_platform {
    int64_t from_ms;
    double embedded_real, embedded_fallback, batches, embedding_errors;
    struct demo_histogram text_length, batch_size, embedding_seconds;
    struct demo_circuit circuits[DEMO_CIRCUITS];
    double entities, edges;
    double values_seen, trends[3], anomaly_rate;
    struct demo_histogram trend_strength;
    struct demo_backend backends[DEMO_BACKENDS];
    struct demo_mcp mcps[DEMO_MCPS];
    struct demo_agent agents[DEMO_AGENTS];
    double coordinated[3], timeouts, refusals, sessions, resolved, interactions;
    struct demo_histogram coordination, convergence;
};

void demo_platform_init(struct demo_platform *, int64_t from_ms);
/* What happened in the interval before t_ms. */
void demo_platform_tick(struct demo_platform *, struct demo_random *, int64_t t_ms, int64_t interval_ms,
                        double load);
void demo_platform_put(const struct demo_platform *, struct batch *, int64_t t_ms);
