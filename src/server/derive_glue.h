/* derive_glue.h - series out of records, plugged in: the section `span_metrics` of the configuration, the
 * tap, the thread.
 *
 *     span_metrics:
 *       enabled: true
 *       interval: 15s          how often the series are written
 *       dimensions: [http.route, gen_ai.request.model]      more labels, from attributes; at most 8
 *       max_series: 10000      label sets; what comes after them is counted under __overflow__
 *       idle: 15m              after which a series that gets no spans ends
 *       late: 1h               spans that ended longer ago do not count; 0s: all do
 *       wait: 30s              for the other half of an edge of a graph
 *
 *     genai:
 *       enabled: true
 *       interval: 15s          as above, of model calls, tokens, cost, agents, MCP
 *       wait: 30s              for the rest of a trace, where it decides what counts and for whom
 *       max_series: 5000       label sets of each of its tables
 *       idle: 15m
 *       late: 1h
 *
 *     events:                  series of typed events (docs/events.md)
 *       enabled: true
 *       interval: 1s           how often a busy row is written
 *       window: 60m            of means that have no window of their own
 *       max_series: 5000       label sets of each of its tables
 *       max_ids: 250000        ids that are remembered, at least; so many and as many again at most
 *       idle: 2h
 *       late: 1h
 *       response_time_sla_ms: 1000, error_rate_threshold_percent: 1, min_quality_score: 0.7,
 *       cost_per_request_threshold_usd: 0.01     what service levels and scores are judged by
 *     prices: FILE             a price list in front of the built-in one (prices_glue.h)
 *
 * Opened after the store and before the doors, closed after the doors and before the store. */
#pragma once
#include "base/yaml.h"
#include "derive/event_series.h"
#include "derive/genai_series.h"
#include "derive/record_series.h"

struct derive_glue {
    struct record_series *series; /* NULL: not enabled */
    struct genai_series *genai;   /* likewise */
    struct event_series *events;  /* likewise */
};

int derive_glue_check(struct yaml *file, const char *path, struct err *);
/* a: what the configuration's names lie in; they are used as long as this is open. */
int derive_glue_open(struct derive_glue *, struct yaml *file, struct arena *a, struct store *,
                     struct record_taps *, struct err *);
void derive_glue_close(struct derive_glue *);
