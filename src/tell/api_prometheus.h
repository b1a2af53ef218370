/* api_prometheus.h - the Prometheus HTTP API over a store and an engine, for Grafana, promtool, federation
 * and people.
 *
 * Register prometheus_routes with a struct prometheus_api as their context (and again under the prefix
 * /prometheus). The handlers read parameters on the server's thread and do the work on the pool; a client
 * that hangs up cancels its query. What the server alone knows (targets, configuration, flags) comes through
 * callbacks; each may be NULL: then the answer is empty, in the right shape. Callbacks are called from pool
 * and server threads at any time and must not block for long. */
#pragma once
#include "base/work.h"
#include "net/http_server.h"
#include "query/promql/engine.h"

struct target_view { /* one scrape target, borrowed during the visit */
    struct labels discovered, labels;
    struct str pool, url, global_url, last_error;
    const char *health;     /* "up", "down", "unknown" */
    int64_t last_scrape_ms; /* 0: never */
    double last_seconds;
    int64_t interval_ms, timeout_ms;
    bool dropped; /* by relabelling: only discovered and pool count */
};

struct scrape_source {
    void *ctx;
    void (*each_target)(void *ctx, void (*visit)(const struct target_view *, void *),
                        void *arg);                                                  /* pool by pool */
    void (*each_pool)(void *ctx, void (*visit)(struct str name, void *), void *arg); /* sorted */
};

struct component {            /* one line of /health */
    const char *name, *state; /* "ok", "degraded", "down", "starting" */
    struct str detail;        /* may be empty */
};

struct rules;
struct notify;

struct prometheus_api {
    struct engine *engine;
    struct store *store;
    struct work_pool *pool;

    const char *version;            /* our own */
    const char *prometheus_version; /* the release whose API is matched */
    const char *data_dir;           /* snapshots go to data_dir/snapshots; NULL: none */
    const char *retention;          /* as text: "30d" */
    int64_t started_ms;
    int64_t lookback_ms; /* 0 = 5 min */
    int64_t timeout_ms;  /* of series, labels, federate, read; 0 = 2 min */
    size_t memory_bytes; /* of the same; 0 = 512 MiB */
    bool admin_enabled;
    const struct label *external_labels; /* for /federate; sorted by name */
    size_t n_external_labels;

    struct rules *rules;   /* what is judged; NULL: nothing */
    struct notify *notify; /* whose alerts are joined with traces; NULL: none */
    const struct scrape_source *scrape;
    void *ctx;                                       /* of the callbacks below */
    void (*config_yaml)(void *ctx, struct buf *out); /* secrets already hidden */
    void (*each_flag)(void *ctx, void (*visit)(const char *name, const char *value, void *arg), void *arg);
    bool (*ready)(void *ctx, struct str *why); /* NULL: always */
    int (*reload)(void *ctx, struct err *);
    void (*each_component)(void *ctx, void (*visit)(const struct component *, void *arg), void *arg);
};

extern const struct http_route prometheus_routes[];
extern const size_t prometheus_routes_count;
