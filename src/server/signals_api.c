/* signals_api.c - see signals_api.h. */
#include "server/signals_api.h"

#include "base/check.h"
#include "base/mem.h"
#include "tell/api_events.h"
#include "tell/api_tempo.h"
#include "tell/api_traces.h"

#define LOKI_API_VERSION "3.5.0" /* the release whose API is matched */

void signals_api_open(struct signals_api *s, struct prometheus_api *base, struct work_pool *scans,
                      struct record_taps *taps)
{
    *s = (struct signals_api){ .base = base };
    s->logql = logql_new(
        base->store, scans,
        &(struct logql_conf){ .timeout_ms = base->timeout_ms, .max_memory_bytes = base->memory_bytes });
    s->hub = log_tail_start(&(struct log_tail_conf){ 0 });
    s->logs =
        (struct logs_api){ .base = base, .logql = s->logql, .hub = s->hub, .loki_version = LOKI_API_VERSION };
    check(taps->n < RECORD_TAPS_MAX);
    taps->at[taps->n++] = log_tail_tap(s->hub);
}

/* Grafana's Loki source is pointed at /loki-api: the same handlers below that prefix. */
static struct http_route *below(const char *prefix, const struct http_route *routes, size_t n,
                                struct arena *names)
{
    struct http_route *copy = mem_array(n, sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = routes[i];
        copy[i].path = arena_printf(names, "%s%s", prefix, routes[i].path).p;
    }
    return copy;
}

void signals_api_routes(struct signals_api *s, struct http_server *http, struct arena *names)
{
    http_server_routes(http, traces_routes, traces_routes_count, s->base);
    http_server_routes(http, jaeger_routes, jaeger_routes_count, s->base);
    http_server_routes(http, tempo_routes, tempo_routes_count, s->base);
    http_server_routes(http, tempo_prefixed_routes, tempo_prefixed_routes_count, s->base);

    http_server_routes(http, events_routes, events_n_routes, s->base);
    http_server_routes(http, logs_routes, logs_n_routes, &s->logs);
    http_server_routes(http, loki_routes, loki_n_routes, &s->logs);
    s->below_prefix[0] = below("/loki-api", loki_routes, loki_n_routes, names);
    s->below_prefix[1] = below("/loki-api", loki_source_routes, loki_source_n_routes, names);
    http_server_routes(http, s->below_prefix[0], loki_n_routes, &s->logs);
    http_server_routes(http, s->below_prefix[1], loki_source_n_routes, &s->logs);
}

void signals_api_close(struct signals_api *s)
{
    log_tail_stop(s->hub);
    logql_free(s->logql);
    for (size_t i = 0; i < COUNT(s->below_prefix); i++) mem_free(s->below_prefix[i]);
    *s = (struct signals_api){ 0 };
}
