/* signals_api.h - the reading APIs of logs and traces, plugged together: Loki's, Tempo's, Jaeger's and our
 * own; and the hub of live tails.
 *
 * Opened after the store and before the doors, whose tap the hub is; its routes are added when there is an
 * HTTP server; closed after the servers, before the store. */
#pragma once
#include "base/work.h"
#include "model/tap.h"
#include "tell/api_loki.h"

struct signals_api {
    struct prometheus_api *base; /* store, pool and limits are shared with the API of metrics */
    struct logql *logql;
    struct log_tail_hub *hub;
    struct logs_api logs;
    struct http_route *below_prefix[2]; /* Loki's tables again, below /loki-api */
};

/* scans: threads that share the work of one query. The hub is added to taps. */
void signals_api_open(struct signals_api *, struct prometheus_api *base, struct work_pool *scans,
                      struct record_taps *taps);
void signals_api_routes(struct signals_api *, struct http_server *, struct arena *names);
void signals_api_close(struct signals_api *);
