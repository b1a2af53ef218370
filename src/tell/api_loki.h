/* api_loki.h - Loki's HTTP API, and our own over logs: what Grafana, Logs Drilldown, logcli and people ask.
 *
 * Register loki_routes and logs_routes with a struct logs_api as their context, loki_routes also below
 * /loki-api (Grafana's base URL for us). Errors of Loki's paths are plain text, as Loki's are. Work is done
 * on the pool; a client that hangs up cancels it. docs/loki.md says what is answered and where we differ. */
#pragma once
#include "query/logql/logql.h"
#include "tell/api_prometheus.h"
#include "tell/log_tail.h"

struct logs_api {
    const struct prometheus_api *base; /* store, pool, limits, version */
    struct logql *logql;
    struct log_tail_hub *hub; /* live lines and patterns; NULL: those paths answer 501 */
    const char *loki_version; /* the release whose API is matched */
};

extern const struct http_route loki_routes[], logs_routes[]; /* logs_routes: /api/v1/logs... */
extern const size_t loki_n_routes, logs_n_routes;
extern const struct http_route
    loki_source_routes[]; /* only below /loki-api: paths that are others' at the root */
extern const size_t loki_source_n_routes;
