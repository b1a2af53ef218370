/* api_traces_json.h - pieces of answers about stretches of time: rates, latencies, errors. */
#pragma once
#include "query/traces/errors.h"
#include "query/traces/window.h"
#include "tell/trace_json.h"

void latency_json(struct json_writer *, const struct latency *); /* "latency_ms": {...} */
void rates_json(struct json_writer *, uint64_t n, uint64_t errors, double seconds);
void window_json(struct json_writer *, int64_t from_ns, int64_t to_ns);
void span_group_json(struct json_writer *, const struct span_group *, double seconds);
void error_group_json(struct json_writer *, const struct error_group *);
