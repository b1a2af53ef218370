/* handlers.h - the handlers behind prometheus_routes; their context is a struct prometheus_api. */
#pragma once
#include "net/http_server.h"

/* api_query.c */
http_handler handle_query, handle_query_range, handle_query_exemplars, handle_format_query,
    handle_parse_query;
/* api_functions.c */
http_handler handle_functions;
/* api_explain.c */
http_handler handle_explain;
/* api_series.c */
http_handler handle_series, handle_labels, handle_label_values, handle_metadata;
/* api_targets.c */
http_handler handle_targets, handle_targets_metadata, handle_scrape_pools, handle_alertmanagers,
    handle_notifications;
/* api_rules.c */
http_handler handle_rules, handle_alerts, handle_runbook, handle_gone;
/* api_status.c */
http_handler handle_status_config, handle_status_flags, handle_status_runtimeinfo, handle_status_buildinfo,
    handle_status_tsdb, handle_status_cardinality, handle_status_walreplay;
/* health.c */
http_handler handle_health, handle_ready, handle_healthy, handle_reload;
/* api_admin.c */
http_handler handle_admin_snapshot, handle_admin_delete_series, handle_admin_clean_tombstones;
/* federate.c, remote_read.c, self_metrics.c */
http_handler handle_federate, handle_remote_read, handle_metrics;
