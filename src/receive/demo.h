/* demo.h - a made-up agent platform, so that a fresh server has something to show. Every series carries
 * job="demo".
 *
 * Four agents call three models; arrivals are random with a slow wave and short bursts, token counts are
 * log-normal with means like those of public traces of production LLM serving, latency is the time to the
 * first token plus tokens times pace. Starts with an hour of history and stops for good as soon as somebody
 * else sends telemetry (demo_stop_when). */
#pragma once
#include <stdbool.h>

#include "model/store.h"

struct demo;

/* Borrows the store. real_arrived(ctx) is asked once a tick; true ends the demo. */
struct demo *demo_start(struct store *, bool (*real_arrived)(void *ctx), void *ctx);
void demo_stop(struct demo *); /* NULL is fine */
