/* demo.h - a made-up agent platform, so that a fresh server has something to show. Every series carries
 * job="demo"; every span and log record the resource attribute vedette.demo and a service whose name begins
 * with "demo-".
 *
 * Four agents call three models through a load balancer, MCP servers and circuit breakers; arrivals are
 * random with a slow wave and short bursts, token counts are log-normal with means like those of public
 * traces of production LLM serving, latency is the time to the first token plus tokens times pace. Starts
 * with an hour of history and stops for good as soon as somebody else sends telemetry. */
#pragma once
#include <stdbool.h>

#include "model/store.h"
#include "model/tap.h"
#include "receive/limit.h"
#include "receive/policy.h"

struct demo;

struct demo_conf { /* everything is borrowed */
    struct store *store;
    const struct policy *policy; /* traces and logs take the way of all others */
    const struct record_taps *taps;
    const struct limit *limit;
    /* Asked once a tick; true ends the demo. own: records that the demo itself has sent. */
    bool (*real_arrived)(void *ctx, uint64_t own);
    void *ctx;
};

struct demo *demo_start(const struct demo_conf *);
void demo_stop(struct demo *); /* NULL is fine */
