/* api_prometheus.c - the table of routes. What each does: api_query.c, api_series.c, api_status.c,
 * api_targets.c, api_rules.c, health.c, api_admin.c, federate.c, remote_read.c, self_metrics.c. */
#include "tell/api_prometheus.h"

#include "base/check.h"
#include "tell/handlers.h"

#define GET_POST(path, handler)                                                                              \
    { "GET", path, handler },                                                                                \
    {                                                                                                        \
        "POST", path, handler                                                                                \
    }
#define POST_PUT(path, handler)                                                                              \
    { "POST", path, handler },                                                                               \
    {                                                                                                        \
        "PUT", path, handler                                                                                 \
    }

const struct http_route prometheus_routes[] = {
    GET_POST("/api/v1/query", handle_query),
    GET_POST("/api/v1/query_range", handle_query_range),
    GET_POST("/api/v1/query_exemplars", handle_query_exemplars),
    GET_POST("/api/v1/format_query", handle_format_query),
    GET_POST("/api/v1/parse_query", handle_parse_query),
    GET_POST("/api/v1/explain", handle_explain), /* ours */
    { "GET", "/api/v1/functions", handle_functions },

    GET_POST("/api/v1/series", handle_series),
    GET_POST("/api/v1/labels", handle_labels),
    { "GET", "/api/v1/label/{name}/values", handle_label_values },
    { "GET", "/api/v1/metadata", handle_metadata },

    { "GET", "/api/v1/targets", handle_targets },
    { "GET", "/api/v1/targets/metadata", handle_targets_metadata },
    { "GET", "/api/v1/scrape_pools", handle_scrape_pools },
    { "GET", "/api/v1/alertmanagers", handle_alertmanagers },
    { "GET", "/api/v1/rules", handle_rules },
    { "GET", "/api/v1/alerts", handle_alerts },
    { "GET", "/runbooks/{alert}", handle_runbook }, /* ours */
    { "POST", "/api/v1/alerts", handle_gone },      /* Alertmanager's API of before 2019 */
    { "GET", "/api/v1/status", handle_gone },
    { "GET", "/api/v1/notifications", handle_notifications },

    { "GET", "/api/v1/status/config", handle_status_config },
    { "GET", "/api/v1/status/flags", handle_status_flags },
    { "GET", "/api/v1/status/runtimeinfo", handle_status_runtimeinfo },
    { "GET", "/api/v1/status/buildinfo", handle_status_buildinfo },
    { "GET", "/api/v1/status/tsdb", handle_status_tsdb },
    { "GET", "/api/v1/status/cardinality", handle_status_cardinality },
    { "GET", "/api/v1/status/walreplay", handle_status_walreplay },

    POST_PUT("/api/v1/admin/tsdb/snapshot", handle_admin_snapshot),
    POST_PUT("/api/v1/admin/tsdb/delete_series", handle_admin_delete_series),
    POST_PUT("/api/v1/admin/tsdb/clean_tombstones", handle_admin_clean_tombstones),

    { "POST", "/api/v1/read", handle_remote_read },
    { "GET", "/federate", handle_federate },
    { "GET", "/metrics", handle_metrics },

    { "GET", "/health", handle_health },
    { "GET", "/ready", handle_ready },
    { "GET", "/-/ready", handle_ready },
    { "GET", "/-/healthy", handle_healthy },
    POST_PUT("/-/reload", handle_reload),
};

const size_t prometheus_routes_count = COUNT(prometheus_routes);
