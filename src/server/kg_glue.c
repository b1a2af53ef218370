#include "server/kg_glue.h"

#include "base/check.h"

void kg_glue_open(struct kg_glue *g, const struct prometheus_api *api, struct record_taps *taps,
                  struct event_series *series)
{
    const struct kg_live_conf conf = {
        .graph = KG_DEFAULT, .late_ms = KG_LATE_MS, .store = api->store, .series = series, .trace = &g->trace
    };
    check(taps->n < RECORD_TAPS_MAX);
    g->trace = (struct self_trace){ api->store, taps };
    g->live = kg_live_open(&conf);
    taps->at[taps->n++] = kg_live_tap(g->live);
    g->api = (struct kg_api){ *api, g->live, &g->trace };
    kg_live_restore(g->live);
}

void kg_glue_routes(struct kg_glue *g, struct http_server *http)
{
    http_server_routes(http, kg_routes, kg_routes_count, &g->api);
}

void kg_glue_close(struct kg_glue *g)
{
    kg_live_close(g->live);
    g->live = NULL;
}
