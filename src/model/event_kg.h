/* event_kg.h - the kinds of events of knowledge graphs, analytics, embeddings and circuit breakers, and the
 * numbers of their fields. See event_kinds.h; docs/knowledge-graph.md, docs/analytics.md. */
#pragma once
#include "model/event.h"

extern const struct event_kind event_kinds_kg[];
extern const size_t event_kinds_kg_count;

#define KG_KIND_SNAPSHOT  "vedette.kgot.snapshot"
#define KG_KIND_GRAPH     "vedette.kg.graph"
#define KG_KIND_OPERATION "vedette.kg.operation"
#define KG_KIND_ANALYTICS "vedette.analytics.operation"
#define KG_KIND_EMBEDDING "vedette.embedding"
#define KG_KIND_CIRCUIT   "vedette.circuit"

enum kgot_field { KGS_TASK_ID, KGS_SNAPSHOT, KGS_FIELDS };

enum kg_graph_field { KGG_SYSTEM_ID, KGG_ENTITIES, KGG_EDGES, KGG_FIELDS };

enum kg_operation_field {
    KGO_OPERATION,
    KGO_STATUS,
    KGO_SYSTEM_ID,
    KGO_COUNT,
    KGO_REASON,
    KGO_ENTITIES_ADDED,
    KGO_EDGES_ADDED,
    KGO_ENTITIES_TOTAL,
    KGO_EDGES_TOTAL,
    KGO_EXTRACTED_E, /* derived: entities extracted */
    KGO_EXTRACTED_R, /* derived: relationships extracted */
    KGO_NEIGHBORS,   /* derived: found */
    KGO_HOPS,        /* derived: of a path that was found */
    KGO_PATH,        /* derived: status of find_shortest_path */
    KGO_FIELDS
};

enum analytics_field {
    ANA_OPERATION,
    ANA_STATUS,
    ANA_METRIC_NAME,
    ANA_SYSTEM_ID,
    ANA_VALUE,
    ANA_DIRECTION,
    ANA_STRENGTH,
    ANA_CONFIDENCE,
    ANA_RATE,
    ANA_COUNT,
    ANA_REASON,
    ANA_TREND, /* derived: status of analyze_trend */
    ANA_PAIRS, /* derived: count of correlate_systems that was completed */
    ANA_FOUND, /* derived: count of detect_anomalies */
    ANA_ADDED, /* derived: value of add_metric */
    ANA_FIELDS
};

enum embedding_field {
    EMB_MODE,
    EMB_TEXT_LENGTH,
    EMB_BATCH_SIZE,
    EMB_DURATION_MS,
    EMB_ERROR_TYPE,
    EMB_MODEL,
    EMB_GENERATED, /* derived: embeddings made */
    EMB_BATCHES,   /* derived: 1 for a batch */
    EMB_FIELDS
};

enum circuit_field {
    CIR_SERVICE_NAME,
    CIR_STATE,
    CIR_RESULT,
    CIR_CONSECUTIVE_FAILURES,
    CIR_CONSECUTIVE_SUCCESSES,
    CIR_SUCCESS_RATE,
    CIR_STATE_CODE, /* derived: "0" open, "1" closed, "2" half-open */
    CIR_FAILURES,   /* derived: in a row, sent or counted */
    CIR_SUCCESSES,  /* derived */
    CIR_RATE,       /* derived: sent, or of the last calls */
    CIR_FIELDS
};
