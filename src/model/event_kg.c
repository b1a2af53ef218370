/* event_kg.c - what knowledge graphs, analytics, embedding services and circuit breakers report. */
#include "model/event_kg.h"

#include <stdio.h>

#include "base/check.h"
#include "model/kgot.h"

#define FIELDS(table) .fields = (table), .n_fields = COUNT(table)
#define DERIVED(name)                                                                                        \
    {                                                                                                        \
        name, EVENT_NUMBER, EVENT_DERIVED                                                                    \
    }

static const struct event_field snapshot[KGS_FIELDS] = {
    [KGS_TASK_ID] = { "task_id", EVENT_TEXT, .help = "the task that is thought about" },
    [KGS_SNAPSHOT] = { KGOT_ATTR, EVENT_OBJECT, EVENT_REQUIRED,
                       .help = "graph_id, node_count, edge_count, active_thoughts, reasoning_path, "
                               "confidence_scores, timestamp, serialized_graph" },
};

static const struct event_field graph[KGG_FIELDS] = {
    [KGG_SYSTEM_ID] = { "system_id", EVENT_TEXT, .help = "whose knowledge it is" },
    [KGG_ENTITIES] = { "entities", EVENT_LIST, .help = "objects with id, and perhaps type and name" },
    [KGG_EDGES] = { "edges", EVENT_LIST,
                    .help = "objects with source and target, and perhaps type and weight" },
};

static const struct event_field operation[KGO_FIELDS] = {
    [KGO_OPERATION] = { "operation", EVENT_TEXT, EVENT_REQUIRED,
                        .words = "extract_entities|extract_relationships|add_to_graph|get_neighbors|"
                                 "find_shortest_path",
                        .help = "what was done" },
    [KGO_STATUS] = { "status", EVENT_TEXT, .words = "ok|found|not_found|failed", .help = "how it ended" },
    [KGO_SYSTEM_ID] = { "system_id", EVENT_TEXT, .help = "whose graph" },
    [KGO_COUNT] = { "count", EVENT_INT, EVENT_OPTIONAL, EVENT_NOT_NEGATIVE,
                    .help = "extracted, found; hops of a path" },
    [KGO_REASON] = { "reason", EVENT_TEXT, .help = "why it failed" },
    [KGO_ENTITIES_ADDED] = { "entities_added", EVENT_INT, EVENT_OPTIONAL, EVENT_NOT_NEGATIVE,
                             .help = "entities that are new" },
    [KGO_EDGES_ADDED] = { "edges_added", EVENT_INT, EVENT_OPTIONAL, EVENT_NOT_NEGATIVE,
                          .help = "edges that are new" },
    [KGO_ENTITIES_TOTAL] = { "entities_total", EVENT_INT, EVENT_OPTIONAL, EVENT_NOT_NEGATIVE,
                             .help = "entities in the graph now" },
    [KGO_EDGES_TOTAL] = { "edges_total", EVENT_INT, EVENT_OPTIONAL, EVENT_NOT_NEGATIVE,
                          .help = "edges in the graph now" },
    [KGO_EXTRACTED_E] = DERIVED("@extracted_entities"),
    [KGO_EXTRACTED_R] = DERIVED("@extracted_relationships"),
    [KGO_NEIGHBORS] = DERIVED("@neighbors"),
    [KGO_HOPS] = DERIVED("@hops"),
    [KGO_PATH] = { "@path", EVENT_TEXT, EVENT_DERIVED },
};

static const struct event_field analytics[ANA_FIELDS] = {
    [ANA_OPERATION] = { "operation", EVENT_TEXT, EVENT_REQUIRED,
                        .words = "add_metric|analyze_trend|detect_anomalies|correlate_systems",
                        .help = "what was done" },
    [ANA_STATUS] = { "status", EVENT_TEXT, .words = "completed|failed", .help = "how it ended" },
    [ANA_METRIC_NAME] = { "metric_name", EVENT_TEXT, .help = "the metric looked at" },
    [ANA_SYSTEM_ID] = { "system_id", EVENT_TEXT, .help = "the system looked at; all of them when absent" },
    [ANA_VALUE] = { "value", EVENT_NUMBER, .help = "of the metric that is added" },
    [ANA_DIRECTION] = { "direction", EVENT_TEXT, .help = "of a trend: increasing, decreasing, stable" },
    [ANA_STRENGTH] = { "strength", EVENT_NUMBER, EVENT_OPTIONAL, EVENT_SHARE, .help = "of a trend" },
    [ANA_CONFIDENCE] = { "confidence", EVENT_NUMBER, EVENT_OPTIONAL, EVENT_SHARE, .help = "of a trend" },
    [ANA_RATE] = { "rate", EVENT_NUMBER, EVENT_OPTIONAL, EVENT_SHARE, .help = "anomalies of all points" },
    [ANA_COUNT] = { "count", EVENT_INT, EVENT_OPTIONAL, EVENT_NOT_NEGATIVE,
                    .help = "anomalies, or pairs of systems that go together" },
    [ANA_REASON] = { "reason", EVENT_TEXT, .help = "why it failed" },
    [ANA_TREND] = { "@trend", EVENT_TEXT, EVENT_DERIVED },
    [ANA_PAIRS] = DERIVED("@pairs"),
    [ANA_FOUND] = DERIVED("@found"),
    [ANA_ADDED] = DERIVED("@added"),
};

static const struct event_field embedding[EMB_FIELDS] = {
    [EMB_MODE] = { "mode", EVENT_TEXT, EVENT_REQUIRED,
                   .help = "real, fallback, or another way of making it" },
    [EMB_TEXT_LENGTH] = { "text_length", EVENT_INT, EVENT_OPTIONAL, EVENT_NOT_NEGATIVE, .unit = "characters",
                          .help = "of the text; in a batch, of all texts together" },
    [EMB_BATCH_SIZE] = { "batch_size", EVENT_INT, EVENT_OPTIONAL, .min = 1, .max = INFINITY,
                         .help = "texts of a batch; absent: one text" },
    [EMB_DURATION_MS] = { "duration_ms", EVENT_NUMBER, EVENT_OPTIONAL, EVENT_NOT_NEGATIVE, .unit = "ms",
                          .help = "how long it took" },
    [EMB_ERROR_TYPE] = { "error_type", EVENT_TEXT, .help = "why nothing was made" },
    [EMB_MODEL] = { "model", EVENT_TEXT, .help = "the model" },
    [EMB_GENERATED] = DERIVED("@generated"),
    [EMB_BATCHES] = DERIVED("@batches"),
};

static const struct event_field circuit[CIR_FIELDS] = {
    [CIR_SERVICE_NAME] = { "protected_service", EVENT_TEXT, EVENT_REQUIRED,
                           .help = "whose calls go through it: the label service_name" },
    [CIR_STATE] = { "state", EVENT_TEXT, .words = "open|closed|half_open", .help = "now" },
    [CIR_RESULT] = { "result", EVENT_TEXT, .words = "success|failure|rejected",
                     .help = "of a call; absent when only the state is reported" },
    [CIR_CONSECUTIVE_FAILURES] = { "consecutive_failures", EVENT_INT, EVENT_OPTIONAL, EVENT_NOT_NEGATIVE,
                                   .help = "up to now; counted here when absent" },
    [CIR_CONSECUTIVE_SUCCESSES] = { "consecutive_successes", EVENT_INT, EVENT_OPTIONAL, EVENT_NOT_NEGATIVE,
                                    .help = "up to now; counted here when absent" },
    [CIR_SUCCESS_RATE] = { "success_rate", EVENT_NUMBER, EVENT_OPTIONAL, EVENT_SHARE,
                           .help = "of calls that were let through; of the last 100 when absent" },
    [CIR_STATE_CODE] = { "@state_code", EVENT_TEXT, EVENT_DERIVED },
    [CIR_FAILURES] = DERIVED("@failures"),
    [CIR_SUCCESSES] = DERIVED("@successes"),
    [CIR_RATE] = DERIVED("@rate"),
};

/* ---- what a table cannot say ---- */

static bool wrong(struct event_fault *f, size_t field, const struct err *e)
{
    f->field = field;
    snprintf(f->why, sizeof f->why, "%.*s", (int)sizeof f->why - 1, e->text);
    return false;
}

static bool check_snapshot(const struct value *v, struct event_fault *f)
{
    struct arena a = ARENA_INIT(8u << 20);
    struct kgot_snapshot s;
    struct err e = ERR_INIT;
    int rc = kgot_read(&s, v[KGS_SNAPSHOT].text, &a, &e);
    if (rc < 0) err_where(&e, KGOT_ATTR);
    arena_release(&a);
    return rc == OK || wrong(f, KGS_SNAPSHOT, &e);
}

static bool check_graph(const struct value *v, struct event_fault *f)
{
    struct arena a = ARENA_INIT(32u << 20);
    struct kgot_graph g = { 0 };
    struct err e = ERR_INIT;
    size_t field = KGG_ENTITIES;
    int rc = OK;
    if (v[KGG_ENTITIES].type != VALUE_NONE)
        rc = kgot_nodes_read(v[KGG_ENTITIES].text, "entities", &a, &g, &e);
    if (rc == OK && v[KGG_EDGES].type != VALUE_NONE) {
        field = KGG_EDGES;
        rc = kgot_edges_read(v[KGG_EDGES].text, "edges", &a, &g, &e);
    }
    if (rc == OK && g.n_nodes + g.n_edges == 0)
        rc = err_set(&e, ERR_RANGE, "entities: neither these nor edges");
    arena_release(&a);
    return rc == OK || wrong(f, field, &e);
}

const struct event_kind event_kinds_kg[] = {
    { KG_KIND_SNAPSHOT, "/api/v1/kgot/events", .trace = "task_id", .service = "kgot", FIELDS(snapshot),
      .check = check_snapshot, .help = "A snapshot of a knowledge graph of thoughts." },
    { KG_KIND_GRAPH, "/api/v1/kg/graph", .service = "knowledge_graph", FIELDS(graph), .check = check_graph,
      .help = "Entities and edges for the knowledge graph of the server." },
    { KG_KIND_OPERATION, "/api/v1/kg/operations", .service = "knowledge_graph", FIELDS(operation),
      .help = "A knowledge graph was filled or asked." },
    { KG_KIND_ANALYTICS, "/api/v1/analytics/operations", .service = "analytics", FIELDS(analytics),
      .help = "A metric was added to an analysis, or one was made." },
    { KG_KIND_EMBEDDING, "/api/v1/embeddings", .service = "embedding", FIELDS(embedding),
      .help = "A text, or a batch of them, was embedded." },
    { KG_KIND_CIRCUIT, "/api/v1/circuits", .service = "circuit_breaker", FIELDS(circuit),
      .help = "A call through a circuit breaker, or its new state." },
};
const size_t event_kinds_kg_count = COUNT(event_kinds_kg);
