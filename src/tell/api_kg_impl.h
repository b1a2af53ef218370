/* api_kg_impl.h - the handlers behind kg_routes; their context is a struct kg_api. */
#pragma once
#include "net/http_server.h"

http_handler handle_snapshots, handle_snapshot, handle_compare;        /* api_kgot.c */
http_handler handle_trend, handle_anomalies, handle_correlate_systems; /* api_analytics.c */
