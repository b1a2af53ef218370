/* kg_series.c - the 38 analytics_*, kg_*, embedding_* and circuit_* families, and those of snapshots: the
 * table, and the fields that it needs and nobody sends.
 *
 * kg_entities_total, kg_edges_total and analytics_anomaly_rate are histograms, and under the bare name gauges
 * of the last value, too; counters of circuits are there with and without _total. docs/analytics.md. */
#include "derive/kg_series.h"

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/event_kg.h"

static const double share_bounds[] = { 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1 };
static const double count_bounds[] = { 0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000, 50000 };
static const double hop_bounds[] = { 0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20 };
static const double value_bounds[] = {
    0, 0.01, 0.1, 0.5, 1, 5, 10, 50, 100, 500, 1000, 10000, 100000, 1000000
};
static const double length_bounds[] = { 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536 };
static const double batch_bounds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024 };
static const double seconds_bounds[] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                         0.25,  0.5,    1,     2.5,  5,     10 };

#define HIST(b)   .bounds = (b), .n_bounds = COUNT(b)
#define FROM(...) .from = { { __VA_ARGS__ } }
#define ANA       KG_KIND_ANALYTICS
#define OPER      KG_KIND_OPERATION
#define EMB       KG_KIND_EMBEDDING
#define CIR       KG_KIND_CIRCUIT
#define CIR_LABEL "service_name<protected_service" /* of a log entry, service_name is its sender */

/* Counted under both names; the second help is said once. */
#define CALLS(name, text, which)                                                                             \
    { name, EV_COUNT, CIR_LABEL, text, FROM(CIR, NULL, which) },                                             \
    {                                                                                                        \
        name "_total", EV_COUNT, CIR_LABEL, text " Also without _total.", FROM(CIR, NULL, which)             \
    }

static const struct event_family families[] = {
    /* analytics: S2-007 to S2-016 */
    { "analytics_metrics_added_total", EV_COUNT, "metric_name", "Values added to analyses.",
      FROM(ANA, NULL, "operation=add_metric") },
    { "analytics_metric_value", EV_HISTOGRAM, "metric_name", "Values added to analyses.", HIST(value_bounds),
      FROM(ANA, "@added") },
    { "analytics_metric_last", EV_LAST, "metric_name,system_id", "The value added last.",
      FROM(ANA, "@added") },
    { "analytics_trend_strength", EV_HISTOGRAM, "direction", "Strength of trends, 0 to 1.",
      HIST(share_bounds), FROM(ANA, "strength", "@trend=completed") },
    { "analytics_trend_confidence", EV_HISTOGRAM, "", "Confidence in trends, 0 to 1.", HIST(share_bounds),
      FROM(ANA, "confidence", "@trend=completed") },
    { "analytics_trend_completed_total", EV_COUNT, "direction", "Trends found.",
      FROM(ANA, NULL, "@trend=completed") },
    { "analytics_trend_failed_total", EV_COUNT, "reason", "Trends that could not be found.",
      FROM(ANA, NULL, "@trend=failed") },
    { "analytics_anomaly_rate", EV_HISTOGRAM, "metric_name",
      "Anomalies of all points looked at, 0 to 1; under the bare name a gauge of the last.",
      HIST(share_bounds), FROM(ANA, "rate", "operation=detect_anomalies") },
    { "analytics_anomaly_rate", EV_LAST, "metric_name", FROM(ANA, "rate", "operation=detect_anomalies") },
    { "analytics_anomaly_detected_total", EV_SUM, "metric_name", "Anomalies found.", FROM(ANA, "@found") },
    { "analytics_correlation_count", EV_HISTOGRAM, "", "Pairs of systems that go together, by correlation.",
      HIST(count_bounds), FROM(ANA, "@pairs") },
    { "analytics_correlation_completed_total", EV_COUNT, "", "Correlations made.",
      FROM(ANA, NULL, "operation=correlate_systems") },

    /* knowledge graph: S2-024 to S2-037 */
    { "kg_entities_extracted", EV_HISTOGRAM, "", "Entities extracted at once.", HIST(count_bounds),
      FROM(OPER, "@extracted_entities") },
    { "kg_extract_entities_calls_total", EV_COUNT, "", "Extractions of entities.",
      FROM(OPER, NULL, "operation=extract_entities") },
    { "kg_relationships_extracted", EV_HISTOGRAM, "", "Relationships extracted at once.", HIST(count_bounds),
      FROM(OPER, "@extracted_relationships") },
    { "kg_extract_relationships_calls_total", EV_COUNT, "", "Extractions of relationships.",
      FROM(OPER, NULL, "operation=extract_relationships") },
    { "kg_entities_total", EV_HISTOGRAM, "",
      "Entities in the graph whenever it has been added to; under the bare name a gauge of the last.",
      HIST(count_bounds), FROM(OPER, "entities_total") },
    { "kg_entities_total", EV_LAST, "", FROM(OPER, "entities_total") },
    { "kg_edges_total", EV_HISTOGRAM, "",
      "Edges in the graph whenever it has been added to; under the bare name a gauge of the last.",
      HIST(count_bounds), FROM(OPER, "edges_total") },
    { "kg_edges_total", EV_LAST, "", FROM(OPER, "edges_total") },
    { "kg_entities_added_total", EV_SUM, "", "Entities that were new.", FROM(OPER, "entities_added") },
    { "kg_edges_added_total", EV_SUM, "", "Edges that were new.", FROM(OPER, "edges_added") },
    { "kg_neighbors_found", EV_HISTOGRAM, "", "Neighbours found at once.", HIST(count_bounds),
      FROM(OPER, "@neighbors") },
    { "kg_get_neighbors_calls_total", EV_COUNT, "", "Questions for neighbours.",
      FROM(OPER, NULL, "operation=get_neighbors") },
    { "kg_shortest_path_length", EV_HISTOGRAM, "", "Hops of shortest paths.", HIST(hop_bounds),
      FROM(OPER, "@hops") },
    { "kg_shortest_path_found_total", EV_COUNT, "", "Paths found.", FROM(OPER, NULL, "@path=found") },
    { "kg_shortest_path_not_found_total", EV_COUNT, "", "Pairs without a path.",
      FROM(OPER, NULL, "@path=not_found") },
    { "kg_shortest_path_failed_total", EV_COUNT, "reason", "Searches for paths that failed.",
      FROM(OPER, NULL, "@path=failed") },

    /* embeddings: S2-075, S2-076 */
    { "embedding_generated_total", EV_SUM, "mode", "Texts embedded.", FROM(EMB, "@generated") },
    { "embedding_text_length", EV_HISTOGRAM, "mode", "Characters of a text.", "characters",
      HIST(length_bounds), FROM(EMB, "text_length", "!batch_size") },
    { "embedding_batch_generated_total", EV_COUNT, "mode", "Batches embedded.", FROM(EMB, NULL, "@batches") },
    { "embedding_batch_size", EV_HISTOGRAM, "mode", "Texts of a batch.", HIST(batch_bounds),
      FROM(EMB, "batch_size", "@batches") },
    { "embedding_duration_seconds", EV_HISTOGRAM, "mode", "How long embedding took.", "seconds",
      HIST(seconds_bounds), .scale = 1e-3, FROM(EMB, "duration_ms") },
    { "embedding_errors_total", EV_COUNT, "mode,error_type", "Embeddings that failed.",
      FROM(EMB, NULL, "error_type") },

    /* circuit breakers: S2-077 to S2-080 */
    { "circuit_state", EV_STATES, CIR_LABEL, "1 for the state it is in: 0 open, 1 closed, 2 half-open.",
      .states = "0|1|2", FROM(CIR, "@state_code") },
    CALLS("circuit_total_calls", "Calls.", "result"),
    CALLS("circuit_successful_calls", "Calls that succeeded.", "result=success"),
    CALLS("circuit_failed_calls", "Calls that failed.", "result=failure"),
    CALLS("circuit_rejected_calls", "Calls that were not let through.", "result=rejected"),
    { "circuit_consecutive_failures", EV_LAST, CIR_LABEL, "Failures in a row.", FROM(CIR, "@failures") },
    { "circuit_consecutive_successes", EV_LAST, CIR_LABEL, "Successes in a row.", FROM(CIR, "@successes") },
    { "circuit_success_rate", EV_LAST, CIR_LABEL,
      "Successes of the last 100 calls that were let through, 0 to 1.", FROM(CIR, "@rate") },

    /* snapshots, put by kg_live: S0-052, S0-053, S0-056 */
    { KG_SERIES_NODES, EV_LAST, "graph_id", "Nodes of the last snapshot." },
    { KG_SERIES_EDGES, EV_LAST, "graph_id", "Edges of the last snapshot." },
    { KG_SERIES_CONFIDENCE, EV_LAST, "graph_id,score", "Confidence scores of the last snapshot." },
};

/* ---- circuits: what happened before ---- */

#define SERVICES_MAX 4096
#define CALLS_KEPT   100

struct service {
    char *name;
    int64_t failures, successes; /* in a row */
    uint8_t calls[CALLS_KEPT];   /* 1: success; a ring */
    size_t n, good;              /* calls so far; successes in the ring */
};

struct circuits {
    struct service *at;
    size_t n, cap;
    struct map by_name;
};

static void *circuits_open(struct event_series *s, const struct event_series_conf *conf)
{
    struct circuits *c = mem_alloc_zero(sizeof *c);
    (void)s, (void)conf;
    map_init(&c->by_name, 16);
    return c;
}

static void circuits_close(void *state)
{
    struct circuits *c = state;
    for (size_t i = 0; i < c->n; i++) mem_free(c->at[i].name);
    mem_free(c->at);
    map_release(&c->by_name);
    mem_free(c);
}

struct looked_for {
    const struct circuits *c;
    struct str name;
};

static bool same_service(void *ctx, uint64_t i)
{
    const struct looked_for *l = ctx;
    return str_is(l->name, l->c->at[i].name);
}

/* NULL: there are too many. */
static struct service *service_of(struct circuits *c, struct str name)
{
    struct looked_for l = { c, name };
    const uint64_t hash = hash64(name.p, name.n), *i = map_find(&c->by_name, hash, same_service, &l);
    if (i != NULL) return &c->at[*i];
    if (c->n == SERVICES_MAX) return NULL;
    if (c->n == c->cap) c->at = mem_grow(c->at, c->n, &c->cap, sizeof *c->at);
    c->at[c->n] = (struct service){ .name = str_dup(name) };
    map_add(&c->by_name, hash, c->n);
    return &c->at[c->n++];
}

static void count_call(struct service *s, bool good)
{
    uint8_t *slot = &s->calls[s->n++ % CALLS_KEPT];
    s->good += (size_t)good - *slot;
    *slot = good;
    s->failures = good ? 0 : s->failures + 1;
    s->successes = good ? s->successes + 1 : 0;
}

static struct value or_else(struct value sent, struct value counted)
{
    return sent.type != VALUE_NONE ? sent : counted;
}

static void prepare_circuit(struct circuits *c, struct value *v)
{
    static const char *const states[] = { "open", "closed", "half_open" }, *const codes[] = { "0", "1", "2" };
    struct service *s = service_of(c, v[CIR_SERVICE_NAME].text);
    struct value result = v[CIR_RESULT];
    for (size_t i = 0; i < COUNT(states) && v[CIR_STATE].type == VALUE_STR; i++)
        if (str_is(v[CIR_STATE].text, states[i])) v[CIR_STATE_CODE] = value_str(str_of(codes[i]));
    v[CIR_FAILURES] = v[CIR_CONSECUTIVE_FAILURES];
    v[CIR_SUCCESSES] = v[CIR_CONSECUTIVE_SUCCESSES];
    v[CIR_RATE] = v[CIR_SUCCESS_RATE];
    if (s == NULL || result.type == VALUE_NONE || str_is(result.text, "rejected")) return;
    count_call(s, str_is(result.text, "success"));
    v[CIR_FAILURES] = or_else(v[CIR_FAILURES], value_int(s->failures));
    v[CIR_SUCCESSES] = or_else(v[CIR_SUCCESSES], value_int(s->successes));
    v[CIR_RATE] = or_else(v[CIR_RATE], value_double((double)s->good / (double)MIN(s->n, (size_t)CALLS_KEPT)));
}

/* ---- the others ---- */

static bool failed(struct value status)
{
    return status.type == VALUE_STR && str_is(status.text, "failed");
}

static void prepare_operation(struct value *v)
{
    struct str what = v[KGO_OPERATION].text;
    const bool is_path = str_is(what, "find_shortest_path");
    struct str status = v[KGO_STATUS].type == VALUE_STR ? v[KGO_STATUS].text : STR("found");
    if (is_path) v[KGO_PATH] = value_str(str_is(status, "ok") ? STR("found") : status);
    if (failed(v[KGO_STATUS])) return;
    if (str_is(what, "extract_entities")) v[KGO_EXTRACTED_E] = v[KGO_COUNT];
    if (str_is(what, "extract_relationships")) v[KGO_EXTRACTED_R] = v[KGO_COUNT];
    if (str_is(what, "get_neighbors")) v[KGO_NEIGHBORS] = v[KGO_COUNT];
    if (is_path && !str_is(status, "not_found")) v[KGO_HOPS] = v[KGO_COUNT];
}

static void prepare_analytics(struct value *v)
{
    struct str what = v[ANA_OPERATION].text;
    const bool is_bad = failed(v[ANA_STATUS]);
    if (str_is(what, "analyze_trend")) v[ANA_TREND] = value_str(is_bad ? STR("failed") : STR("completed"));
    if (is_bad) return;
    if (str_is(what, "correlate_systems")) v[ANA_PAIRS] = v[ANA_COUNT];
    if (str_is(what, "detect_anomalies")) v[ANA_FOUND] = v[ANA_COUNT];
    if (str_is(what, "add_metric")) v[ANA_ADDED] = v[ANA_VALUE];
}

static void prepare_embedding(struct value *v)
{
    if (v[EMB_ERROR_TYPE].type == VALUE_STR && v[EMB_ERROR_TYPE].text.n > 0) return;
    v[EMB_GENERATED] = or_else(v[EMB_BATCH_SIZE], value_int(1));
    if (v[EMB_BATCH_SIZE].type != VALUE_NONE) v[EMB_BATCHES] = value_int(1);
}

static void prepare(void *state, struct event_seen *e)
{
    struct str name = str_of(e->kind->name);
    if (str_is(name, KG_KIND_CIRCUIT)) prepare_circuit(state, e->v);
    if (str_is(name, KG_KIND_OPERATION)) prepare_operation(e->v);
    if (str_is(name, KG_KIND_ANALYTICS)) prepare_analytics(e->v);
    if (str_is(name, KG_KIND_EMBEDDING)) prepare_embedding(e->v);
}

const struct event_module kg_series_module = {
    .families = families,
    .n_families = COUNT(families),
    .open = circuits_open,
    .close = circuits_close,
    .prepare = prepare,
};
