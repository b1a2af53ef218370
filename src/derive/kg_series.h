/* kg_series.h - series of knowledge graphs, analytics, embeddings and circuit breakers, out of the events of
 * model/event_kg.h: a module of event_series. docs/analytics.md, docs/knowledge-graph.md. */
#pragma once
#include "derive/event_series.h"

extern const struct event_module kg_series_module;

/* Families that no event's table fills. */
#define KG_SERIES_NODES      "kgot_snapshot_nodes"
#define KG_SERIES_EDGES      "kgot_snapshot_edges"
#define KG_SERIES_CONFIDENCE "kgot_confidence"
