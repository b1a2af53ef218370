/* demo_records.h - the demo's traces and logs: tasks of agents that ask models and use tools, and security
 * events, as OTLP through the same door as everybody's.
 *
 * Thread: the demo's. */
#pragma once
#include <stdatomic.h>

#include "receive/demo.h"
#include "receive/demo_random.h"
#include "receive/ingest.h"

struct demo_records {
    struct ingest in;
    uint64_t sent; /* records that the store has taken */
    uint64_t tasks;
};

void demo_records_init(struct demo_records *, const struct demo_conf *);
/* A few tasks spread over what lies behind. */
void demo_records_past(struct demo_records *, struct demo_random *, int64_t now_ms, int64_t span_ms,
                       const atomic_bool *stopping);
/* Those that ended just now. */
void demo_records_tick(struct demo_records *, struct demo_random *, int64_t now_ms, double load,
                       const atomic_bool *stopping);
