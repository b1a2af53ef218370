/* service_graph.h - who calls whom, out of pairs of spans.
 *
 *     traces_service_graph_request_total, traces_service_graph_request_failed_total,
 *     traces_service_graph_request_server_seconds_*, traces_service_graph_request_client_seconds_*
 *         {client, server, connection_type}
 *
 * A client's or producer's span is one half, the server's or consumer's span whose parent it is the other;
 * whichever comes first waits. connection_type is empty between instrumented services, "messaging_system"
 * for producer and consumer, "database" for a client span that names a database (its other half is the
 * database), "virtual_node" where a half stays alone but tells who the other is: a client by peer.service,
 * server.address or net.peer.name, a server without a parent by being called by "user". A producer may have
 * many consumers. Halves that stay alone and tell nothing are counted as unpaired.
 *
 * A call has failed when either span is an error. Of a virtual node the known half's time stands for both. */
#pragma once
#include "derive/series_out.h"
#include "derive/span_fields.h"

struct service_graph_conf {
    size_t max_rows, max_waiting;
    int64_t idle_ms, wait_ms;
};
#define SERVICE_GRAPH_DEFAULT                                                                                \
    {                                                                                                        \
        .max_rows = 5000, .max_waiting = 32768, .idle_ms = 15 * 60000, .wait_ms = 30000                      \
    }

struct service_graph;
struct service_graph *service_graph_new(const struct service_graph_conf *);
void service_graph_free(struct service_graph *); /* NULL is fine */
struct series_out *service_graph_out(struct service_graph *);

/* ---- with the lock of service_graph_out ---- */

/* A finished span that has not been here before. */
void service_graph_seen(struct service_graph *, const struct record *, struct str service,
                        const struct value *picked, int64_t now_ms);
void service_graph_expire(struct service_graph *, int64_t now_ms);
uint64_t service_graph_unpaired(const struct service_graph *);
