/* server.h - everything plugged together: opened in the order of the data's way, closed in the opposite one.
 *
 * Threads: server_open and server_close from the main thread, server_reload from any; the modules bring their
 * own. */
#pragma once
#include <pthread.h>

#include "net/grpc_server.h"
#include "receive/demo.h"
#include "receive/push_otlp.h"
#include "receive/push_prom.h"
#include "receive/pushgateway.h"
#include "receive/self.h"
#include "server/dashboards_glue.h"
#include "server/derive_glue.h"
#include "server/doors.h"
#include "server/judge_glue.h"
#include "server/kg_glue.h"
#include "server/notify_glue.h"
#include "server/options.h"
#include "server/report_glue.h"
#include "server/scrape_glue.h"
#include "server/signals_api.h"
#include "server/store_gauges.h"
#include "store/embedded.h"
#include "tell/api_prometheus.h"

struct server {
    struct options options;

    bool has_budget; /* the account of memory is running (base/budget.h) */
    struct store *store;
    struct work_pool *pool, *requests; /* parts of queries; requests of the API */
    struct turns *turns;               /* of both: as many run as there are processors, and one */
    struct engine *engine;
    struct http_server *http;
    struct grpc_server *grpc; /* NULL: --listen-grpc none */

    struct push_prom push;
    struct push_otlp otlp;
    struct otlp_options otlp_options;
    struct doors doors;      /* for logs and traces */
    struct record_taps taps; /* who else sees them; filled before the doors open */
    struct pushgateway *pushgateway;
    struct scrape_glue scrape;
    struct store_gauges gauges;
    struct self *self;
    struct demo *demo;
    struct prometheus_api api;
    struct signals_api signals;
    struct derive_glue derive;
    struct kg_glue kg; /* the knowledge graph */
    struct notify_glue notify;
    struct judge_glue judge;
    struct report_glue reports;
    struct dashboards_glue dashboards;

    struct http_route *prefixed; /* prometheus_routes again, below /prometheus */
    char *tls_cert, *tls_key;    /* PEM, or NULL */
    char retention[32];
    pthread_mutex_t reload_mu; /* SIGHUP and POST /-/reload may come together */
};

/* o is taken over. On failure everything opened so far is closed again. */
int server_open(struct server *, struct options *o, struct err *);
int server_reload(struct server *, struct err *); /* on failure the old configuration stays */
void server_close(struct server *);
